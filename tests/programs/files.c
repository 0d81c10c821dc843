// Files: opening, places in them, vectors, holes, duplicates, modes.
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

static void content(const char *name) {
    char buf[200];
    int fd = open(name, O_RDONLY);
    MUST(fd >= 0);
    ssize_t n = read(fd, buf, sizeof buf);
    printf("%s: %zd ", name, n);
    for (ssize_t i = 0; i < n; i++) putchar(buf[i] ? buf[i] : '.');
    printf("\n");
    close(fd);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    enter_home();
    umask(022);
    int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0666);
    MUST(fd >= 0);
    TRY(open("a", O_RDWR | O_CREAT | O_EXCL, 0666));
    TRY(open("b", O_RDWR));
    TRY(open("a/b", O_RDWR));
    TRY(open("a", O_RDONLY | O_DIRECTORY));
    TRY(open(".", O_RDWR));
    TRY(open("", O_RDONLY));
    char longname[300];
    memset(longname, 'n', 299);
    longname[299] = 0;
    TRY(open(longname, O_RDONLY | O_CREAT, 0600));
    TRY(write(fd, "0123456789", 10));
    printf("at %ld\n", (long)lseek(fd, 0, SEEK_CUR));
    printf("end %ld\n", (long)lseek(fd, -3, SEEK_END));
    char buf[64] = {0};
    printf("read %zd %s\n", read(fd, buf, 10), buf);
    TRY(lseek(fd, -1, SEEK_SET));
    TRY(lseek(fd, 0, 77));
    printf("behind the end %ld\n", (long)lseek(fd, 20, SEEK_SET));
    printf("read %zd\n", read(fd, buf, 5));
    MUST(write(fd, "end", 3) == 3);
    content("a");
    MUST(pwrite(fd, "AB", 2, 2) == 2 && pread(fd, buf, 4, 1) == 4);
    printf("pread %.4s, at %ld\n", buf, (long)lseek(fd, 0, SEEK_CUR));
    TRY(pread(fd, buf, 1, -1));
    struct iovec w[3] = {{"one", 3}, {"", 0}, {"two!", 4}}, r[2];
    MUST(lseek(fd, 5, SEEK_SET) == 5 && writev(fd, w, 3) == 7);
    char x[3], y[10];
    r[0] = (struct iovec){x, 3};
    r[1] = (struct iovec){y, 10};
    MUST(lseek(fd, 4, SEEK_SET) == 4);
    ssize_t n = readv(fd, r, 2);
    printf("readv %zd %.3s|%.10s\n", n, x, y);
    MUST(preadv(fd, r, 1, 0) == 3 && pwritev(fd, w, 1, 15) == 3);
    volatile int minus = -1;
    void *volatile nothing = NULL;
    TRY(writev(fd, w, minus));
    TRY(writev(fd, nothing, 1));
    TRY(read(fd, nothing, 3));
    nothing = (char *)nothing + 8;
    TRY(write(fd, nothing, 3));
    content("a");
    MUST(ftruncate(fd, 6) == 0);
    MUST(ftruncate(fd, 9) == 0);
    content("a");
    TRY(ftruncate(fd, -1));
    TRY(truncate("a", 4));
    TRY(truncate(".", 4));
    content("a");
    close(fd);
    TRY(close(fd));
    TRY(write(fd, "x", 1));

    // Appending, also with pwrite; two descriptions, and one that is shared.
    fd = open("a", O_WRONLY | O_APPEND);
    int other = open("a", O_RDWR), same = dup(fd);
    MUST(pwrite(fd, "p", 1, 0) == 1 && write(same, "q", 1) == 1 && write(other, "O", 1) == 1);
    content("a");
    printf("places %ld %ld %ld\n", (long)lseek(fd, 0, SEEK_CUR), (long)lseek(same, 0, SEEK_CUR),
           (long)lseek(other, 0, SEEK_CUR));
    TRY(read(fd, buf, 1));
    printf("flags %d\n", (fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_WRONLY | O_APPEND));
    MUST(fcntl(fd, F_SETFL, 0) == 0);
    MUST(pwrite(same, "P", 1, 1) == 1);
    content("a");
    // Descriptors.
    printf("dup2 %d %d\n", dup2(fd, 50), dup2(50, 50));
    TRY(dup2(99, 51));
    TRY(dup3(fd, fd, 0));
    printf("dup3 %d %d\n", dup3(fd, 60, O_CLOEXEC), fcntl(60, F_GETFD));
    printf("dupfd %d %d\n", fcntl(fd, F_DUPFD, 55), fcntl(fd, F_DUPFD_CLOEXEC, 55));
    TRY(fcntl(fd, F_DUPFD, -1));
    TRY(fcntl(fd, 9999));
    TRY(dup(-1));
    pid_t pid = fork();
    if (pid == 0) {
        lseek(other, 3, SEEK_SET);
        close(fd);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("shared place %ld\n", (long)lseek(other, 0, SEEK_CUR));
    for (int i = fd; i < 62; i++) close(i);

    // Modes and what stat says.
    struct stat st;
    MUST(stat("a", &st) == 0);
    printf("%o size %ld links %d owner %d blocks %d\n", st.st_mode, (long)st.st_size,
           (int)st.st_nlink, st.st_uid == getuid(), st.st_blocks > 0);
    umask(077);
    close(open("m", O_CREAT | O_WRONLY, 0777));
    MUST(stat("m", &st) == 0);
    printf("%o\n", st.st_mode);
    MUST(chmod("m", 04751) == 0 && stat("m", &st) == 0);
    printf("%o\n", st.st_mode);
    MUST(chmod("m", 0) == 0 && access("m", F_OK) == 0);
    TRY(access("none", F_OK));
    TRY(chown("m", (uid_t)-1, (gid_t)-1));
    struct timespec ts[2] = {{1000, 5}, {2000, 7}};
    MUST(utimensat(AT_FDCWD, "m", ts, 0) == 0 && stat("m", &st) == 0);
    printf("times %ld.%ld %ld.%ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
           (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    ts[0].tv_nsec = UTIME_OMIT;
    ts[1].tv_sec = 3;
    MUST(utimensat(AT_FDCWD, "m", ts, 0) == 0 && stat("m", &st) == 0);
    printf("times %ld %ld\n", (long)st.st_atim.tv_sec, (long)st.st_mtim.tv_sec);
    MUST(fstatat(AT_FDCWD, ".", &st, 0) == 0);
    printf("directory %d\n", S_ISDIR(st.st_mode));
    MUST(stat("/dev/null", &st) == 0);
    printf("null %d %o %d\n", S_ISCHR(st.st_mode), st.st_mode & 0777, (int)st.st_rdev);
    TRY(fchmodat(AT_FDCWD, "none", 0700, 0));
    TRY(faccessat(AT_FDCWD, "a", R_OK | W_OK, 0));
    TRY(faccessat(AT_FDCWD, "a", X_OK, AT_EACCESS));
    unlink("m");

    // An open file lives on without a name.
    fd = open("a", O_RDWR);
    unlink("a");
    MUST(fstat(fd, &st) == 0 && pread(fd, buf, 3, 0) == 3);
    printf("unlinked: links %d, %.3s\n", (int)st.st_nlink, buf);
    close(fd);
    fd = open(".", O_RDWR | O_TMPFILE, 0600);
    if (fd >= 0) {
        MUST(write(fd, "tmp", 3) == 3 && fstat(fd, &st) == 0);
        printf("O_TMPFILE: links %d size %d\n", (int)st.st_nlink, (int)st.st_size);
        close(fd);
    }
    // /dev.
    fd = open("/dev/zero", O_RDONLY);
    buf[5] = 1;
    printf("zero %zd %d\n", read(fd, buf, 10), buf[5]);
    close(fd);
    fd = open("/dev/full", O_WRONLY);
    TRY(write(fd, "x", 1));
    close(fd);
    fd = open("/dev/null", O_RDWR);
    printf("null %zd %zd\n", write(fd, "x", 1), read(fd, buf, 1));
    MUST(posix_fallocate(fd, 0, 10) != 0);
    close(fd);
    leave_home();
    return 0;
}
