// Interrupted calls: which go on with SA_RESTART, and which never do.
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static volatile int calls;
static int fds[2];

// After the third signal there is something to read.
static void tick(int sig) {
    (void)sig;
    if (++calls == 3) MUST(write(fds[1], "x", 1) == 1);
}

static void start(int flags, int interval) {
    struct sigaction sa = {.sa_handler = tick, .sa_flags = flags};
    sigaction(SIGALRM, &sa, NULL);
    calls = 0;
    struct itimerval it = {{0, interval}, {0, 2000}};
    setitimer(ITIMER_REAL, &it, NULL);
}
static void stop(void) {
    struct itimerval it = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &it, NULL);
}

static void by(const char *what, int flags, long r, int e) {
    printf("%s %s: %s\n", what, flags ? "SA_RESTART" : "0", r == -1 ? ename(e) : "done");
}
#define CALL(what, e)                                                                    \
    do {                                                                                 \
        start(flags, 2000);                                                              \
        errno = 0;                                                                       \
        long r_ = (long)(e);                                                             \
        int e_ = errno;                                                                  \
        stop();                                                                          \
        by(what, flags, r_, e_);                                                         \
        while (read(extra, buf, sizeof buf) > 0) {}                                      \
    } while (0)

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    char buf[16];
    MUST(pipe(fds) == 0);
    int extra = fds[0];
    int full[2];
    MUST(pipe2(full, O_NONBLOCK) == 0);
    char big[4096];
    memset(big, 1, sizeof big);
    while (write(full[1], big, sizeof big) > 0) {}
    fcntl(full[1], F_SETFL, 0);
    sem_t sem;
    sem_init(&sem, 0, 0);

    for (int i = 0; i < 2; i++) {
        int flags = i ? SA_RESTART : 0;
        struct timespec ts = {0, 30000000}, left = {0, 0};
        // Without SA_RESTART it is EINTR at the first; else a byte comes.
        fcntl(extra, F_SETFL, 0);
        start(flags, 2000);
        long r = read(fds[0], buf, 1);
        int e = errno;
        stop();
        by("read", flags, r, e);
        fcntl(extra, F_SETFL, O_NONBLOCK);
        while (read(extra, buf, sizeof buf) > 0) {}
        pid_t pid = fork();
        if (pid == 0) {
            struct timespec d = {0, 15000000};
            nanosleep(&d, NULL);
            _exit(0);
        }
        CALL("waitpid", waitpid(pid, NULL, 0));
        waitpid(pid, NULL, 0);
        CALL("pause", pause());
        CALL("nanosleep", nanosleep(&ts, &left));
        printf("left: %d\n", left.tv_nsec > 0 && left.tv_nsec < 30000000);
        left.tv_nsec = 0;
        r = 0;
        start(flags, 2000);
        r = clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &left);
        stop();
        by("clock_nanosleep", flags, r ? -1 : 0, (int)r);
        while (read(extra, buf, sizeof buf) > 0) {}
        struct pollfd pfd = {.fd = full[0], .events = POLLPRI};
        CALL("poll", poll(&pfd, 1, 30));
        CALL("poll without end", poll(NULL, 0, -1));
        fd_set rs;
        FD_ZERO(&rs);
        FD_SET(extra, &rs);
        struct timeval tv = {0, 30000};
        CALL("select", select(0, NULL, NULL, NULL, &tv));
        int ep = epoll_create1(0);
        struct epoll_event ev;
        CALL("epoll_wait", epoll_wait(ep, &ev, 1, 30));
        close(ep);
        sigset_t none, usr;
        sigemptyset(&none);
        CALL("sigsuspend", sigsuspend(&none));
        sigemptyset(&usr);
        sigaddset(&usr, SIGUSR1);
        CALL("sigtimedwait", syscall(SYS_rt_sigtimedwait, &usr, NULL, &ts, 8));
        // A write to a full pipe, until a reader comes.
        pid = fork();
        if (pid == 0) {
            struct timespec d = {0, 12000000};
            nanosleep(&d, NULL);
            MUST(read(full[0], big, sizeof big) == sizeof big);
            _exit(0);
        }
        CALL("write", write(full[1], big, 4096));
        waitpid(pid, NULL, 0);
        fcntl(full[1], F_SETFL, O_NONBLOCK);
        while (write(full[1], big, sizeof big) > 0) {}
        fcntl(full[1], F_SETFL, 0);
        // Locks.
        enter_home();
        int fd = open("lock", O_RDWR | O_CREAT, 0600);
        int ready[2];
        MUST(pipe(ready) == 0);
        pid = fork();
        if (pid == 0) {
            struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
            MUST(fcntl(fd, F_SETLK, &fl) == 0);
            int own = open("lock", O_RDWR);
            MUST(flock(own, LOCK_EX) == 0);
            MUST(write(ready[1], "r", 1) == 1);
            struct timespec d = {0, 40000000};
            nanosleep(&d, NULL);
            _exit(0);
        }
        MUST(read(ready[0], buf, 1) == 1);
        struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        CALL("fcntl", fcntl(fd, F_SETLKW, &fl));
        waitpid(pid, NULL, 0);
        close(fd);
        unlink("lock");
        close(ready[0]);
        close(ready[1]);
        MUST(chdir("/") == 0 && rmdir(home_dir) == 0);
        strcpy(home_dir, "/tmp/forkyard.XXXXXX");
        printf("semaphore: ");
        struct timespec at;
        clock_gettime(CLOCK_REALTIME, &at);
        at.tv_sec++;
        if (!flags) CALL("sem_timedwait", sem_timedwait(&sem, &at));
        else puts("not asked");
    }
    // A stop and a continue are not an interruption without a handler.
    pid_t pid = fork();
    if (pid == 0) {
        fcntl(extra, F_SETFL, 0);
        long r = read(fds[0], buf, 1);
        _exit(r == 1 ? 0 : errno);
    }
    int status;
    kill(pid, SIGSTOP);
    MUST(waitpid(pid, &status, WUNTRACED) == pid);
    kill(pid, SIGCONT);
    MUST(waitpid(pid, &status, WCONTINUED) == pid);
    MUST(write(fds[1], "x", 1) == 1);
    reap("stopped reader", pid);
    return 0;
}
