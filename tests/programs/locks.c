// Locks of files: POSIX's by process, those of a description, flock's.
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static int lock(int fd, int cmd, int type, off_t start, off_t len) {
    struct flock fl = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    return fcntl(fd, cmd, &fl);
}

static void who(int fd, int type, off_t start, off_t len, pid_t expect) {
    struct flock fl = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    MUST(fcntl(fd, F_GETLK, &fl) == 0);
    if (fl.l_type == F_UNLCK) printf("free\n");
    else
        printf("%s from %ld, %ld long, by %s\n", fl.l_type == F_RDLCK ? "read" : "write",
               (long)fl.l_start, (long)fl.l_len,
               fl.l_pid == expect ? "the parent" : fl.l_pid == -1 ? "a description" : "another");
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    enter_home();
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    MUST(ftruncate(fd, 1000) == 0);
    MUST(lock(fd, F_SETLK, F_WRLCK, 10, 20) == 0);
    MUST(lock(fd, F_SETLK, F_RDLCK, 15, 5) == 0);
    MUST(lock(fd, F_SETLK, F_RDLCK, 100, 0) == 0);
    pid_t me = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        who(fd, F_WRLCK, 0, 0, me);
        who(fd, F_RDLCK, 15, 5, me);
        who(fd, F_WRLCK, 15, 5, me);
        who(fd, F_RDLCK, 20, 80, me);
        who(fd, F_WRLCK, 5000, 1, me);
        who(fd, F_WRLCK, 30, 70, me);
        TRY(lock(fd, F_SETLK, F_WRLCK, 10, 1));
        TRY(lock(fd, F_SETLK, F_RDLCK, 16, 1));
        TRY(lock(fd, F_SETLK, F_WRLCK, 0, 10));
        _exit(0);
    }
    reap("child", pid);
    // Closing any descriptor of the file gives up all of the process's.
    close(open("f", O_RDONLY));
    pid = fork();
    if (pid == 0) {
        who(fd, F_WRLCK, 0, 0, me);
        _exit(0);
    }
    reap("after a close", pid);

    // Waiting, and two that wait for each other.
    int p[2];
    char c;
    MUST(pipe(p) == 0);
    MUST(lock(fd, F_SETLK, F_WRLCK, 0, 1) == 0);
    pid = fork();
    if (pid == 0) {
        MUST(lock(fd, F_SETLK, F_WRLCK, 1, 1) == 0);
        MUST(write(p[1], "x", 1) == 1);
        int r = lock(fd, F_SETLKW, F_WRLCK, 0, 1);
        printf("child: %s\n", r == 0 ? "has it" : ename(errno));
        _exit(0);
    }
    MUST(read(p[0], &c, 1) == 1);
    usleep(20000);
    TRY(lock(fd, F_SETLKW, F_WRLCK, 1, 1));
    MUST(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
    reap("waited", pid);
    TRY(lock(fd, F_SETLK, 17, 0, 1));
    TRY(lock(fd, F_SETLK, F_RDLCK, -5, 1));
    int wo = open("f", O_WRONLY);
    TRY(lock(wo, F_SETLK, F_RDLCK, 0, 1));

    // Of a description: shared by dup and fork, not by another open.
    int a = open("f", O_RDWR), b = open("f", O_RDWR);
    TRY(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
    TRY(lock(b, F_OFD_SETLK, F_WRLCK, 5, 10));
    TRY(lock(fd, F_SETLK, F_RDLCK, 0, 1));
    who(fd, F_RDLCK, 0, 1, me);
    pid = fork();
    if (pid == 0) {
        TRY(lock(a, F_OFD_SETLK, F_RDLCK, 0, 5));
        close(a);
        _exit(0);
    }
    reap("description", pid);
    TRY(lock(b, F_OFD_SETLK, F_RDLCK, 0, 5));
    TRY(lock(b, F_OFD_SETLK, F_RDLCK, 5, 5));
    close(a);
    TRY(lock(b, F_OFD_SETLK, F_WRLCK, 0, 0));
    close(b);

    // flock: by description, apart from the others.
    a = open("f", O_RDONLY);
    b = open("f", O_RDONLY);
    MUST(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0);
    TRY(flock(a, LOCK_SH | LOCK_NB));
    TRY(flock(b, LOCK_SH | LOCK_NB));
    TRY(flock(b, LOCK_EX | LOCK_NB));
    TRY(flock(a, LOCK_UN));
    TRY(flock(b, LOCK_EX | LOCK_NB));
    TRY(flock(a, LOCK_SH | LOCK_NB));
    TRY(flock(a, 99));
    TRY(flock(-1, LOCK_SH));
    pid = fork();
    if (pid == 0) {
        close(b);
        int own = open("f", O_RDONLY);
        MUST(write(p[1], "y", 1) == 1);
        MUST(flock(own, LOCK_EX) == 0);
        printf("the lock came\n");
        _exit(0);
    }
    MUST(read(p[0], &c, 1) == 1);
    usleep(10000);
    printf("let go\n");
    close(b);
    reap("flock", pid);
    MUST(lseek(fd, 100, SEEK_SET) == 100);
    TRY(lockf(fd, F_LOCK, 10));
    pid = fork();
    if (pid == 0) {
        lseek(fd, 95, SEEK_SET);
        TRY(lockf(fd, F_TEST, 5));
        TRY(lockf(fd, F_TEST, 6));
        TRY(lockf(fd, F_TLOCK, 6));
        _exit(0);
    }
    reap("lockf", pid);
    unlink("f");
    leave_home();
    return 0;
}
