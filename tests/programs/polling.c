// poll, select, epoll, eventfd and their timeouts.
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <pthread.h>

static void handler(int sig) { (void)sig; }

static int ep;
static void ready(const char *what, int timeout) {
    struct epoll_event ev[8];
    int n = epoll_wait(ep, ev, 8, timeout);
    printf("%s: %d", what, n);
    // In the order of their data.
    for (unsigned want = 0; want < 20; want++)
        for (int i = 0; i < n; i++)
            if (ev[i].data.u32 == want) printf(" %u:%#x", want, ev[i].events);
    printf("\n");
}

static void *writes(void *arg) {
    usleep(3000);
    MUST(eventfd_write(*(int *)arg, 5) == 0);
    return NULL;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    int p[2], q[2];
    MUST(pipe(p) == 0 && pipe(q) == 0);
    struct pollfd pf[5] = {{p[0], POLLIN, 0}, {p[1], POLLOUT | POLLIN, 0}, {-1, POLLIN, 7},
                           {1000, POLLIN, 0}, {q[0], POLLIN | POLLRDNORM, 0}};
    printf("poll %d:", poll(pf, 5, 5));
    for (int i = 0; i < 5; i++) printf(" %#x", pf[i].revents);
    printf("\n");
    MUST(write(q[1], "x", 1) == 1);
    printf("poll %d:", poll(pf, 5, -1));
    for (int i = 0; i < 5; i++) printf(" %#x", pf[i].revents);
    printf("\n");
    printf("timeout %d\n", poll(pf, 1, 3));

    fd_set r, w, e;
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_ZERO(&e);
    FD_SET(p[0], &r);
    FD_SET(q[0], &r);
    FD_SET(p[1], &w);
    FD_SET(q[1], &e);
    printf("select %d: %d %d %d %d\n", select(q[1] + 1, &r, &w, &e, NULL), FD_ISSET(p[0], &r) != 0,
           FD_ISSET(q[0], &r) != 0, FD_ISSET(p[1], &w) != 0, FD_ISSET(q[1], &e) != 0);
    struct timeval tv = {0, 2000};
    FD_ZERO(&r);
    FD_SET(p[0], &r);
    printf("select %d, left %ld.%ld\n", select(q[1] + 1, &r, NULL, NULL, &tv), (long)tv.tv_sec,
           (long)tv.tv_usec);
    FD_SET(500, &r);
    TRY(select(501, &r, NULL, NULL, &tv));
    TRY(select(-1, &r, NULL, NULL, &tv));
    volatile nfds_t many = 100000000;
    TRY(poll(pf, many, 0));

    // A mask that lets a pending signal in during the call.
    struct sigaction sa = {.sa_handler = handler};
    sigaction(SIGUSR1, &sa, NULL);
    sigset_t set, none;
    sigemptyset(&set);
    sigemptyset(&none);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    TRY(ppoll(pf, 1, NULL, &none));
    raise(SIGUSR1);
    FD_ZERO(&r);
    TRY(pselect(0, &r, NULL, NULL, NULL, &none));
    struct timespec ts = {0, 1000000};
    raise(SIGUSR1);
    printf("blocked: %d\n", ppoll(pf, 1, &ts, NULL));
    sigprocmask(SIG_UNBLOCK, &set, NULL);

    ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {EPOLLIN, {.u32 = 1}};
    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev) == 0);
    TRY(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
    TRY(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &ev));
    TRY(epoll_ctl(ep, EPOLL_CTL_DEL, p[1], &ev));
    TRY(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev));
    TRY(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &ev));
    TRY(epoll_wait(ep, &ev, 0, 0));
    ready("nothing", 0);
    ev = (struct epoll_event){EPOLLIN | EPOLLET, {.u32 = 2}};
    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, q[0], &ev) == 0);
    ready("edge", 0);
    ready("edge again", 0);
    MUST(write(q[1], "y", 1) == 1);
    ready("edge after a write", 0);
    MUST(write(p[1], "z", 1) == 1);
    ready("level", 0);
    ready("level again", 0);
    ev = (struct epoll_event){EPOLLOUT | EPOLLONESHOT, {.u32 = 3}};
    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, p[1], &ev) == 0);
    ready("oneshot", 0);
    ready("oneshot again", 0);
    MUST(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &ev) == 0);
    ready("rearmed", 0);
    char c;
    MUST(read(p[0], &c, 1) == 1);
    close(p[1]);
    ready("hung up", 0);
    MUST(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL) == 0);

    int efd = eventfd(0, EFD_NONBLOCK);
    ev = (struct epoll_event){EPOLLIN | EPOLLOUT, {.u32 = 4}};
    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, efd, &ev) == 0);
    ready("eventfd", 0);
    eventfd_t value;
    TRY(eventfd_read(efd, &value));
    MUST(eventfd_write(efd, 3) == 0 && eventfd_write(efd, 4) == 0);
    ready("written", 0);
    MUST(eventfd_read(efd, &value) == 0);
    printf("value %d\n", (int)value);
    MUST(eventfd_write(efd, 0xfffffffffffffffe) == 0);
    TRY(eventfd_write(efd, 1));
    TRY(eventfd_write(efd, 0xffffffffffffffff));
    ready("full", 0);
    MUST(eventfd_read(efd, &value) == 0);
    int sem = eventfd(3, EFD_SEMAPHORE);
    for (int i = 0; i < 3; i++) {
        MUST(eventfd_read(sem, &value) == 0);
        printf("semaphore %d\n", (int)value);
    }
    pthread_t t;
    pthread_create(&t, NULL, writes, &sem);
    MUST(eventfd_read(sem, &value) == 0);
    printf("after a wait %d\n", (int)value);
    pthread_join(t, NULL);

    // An epoll instance in another, and a timer.
    int outer = epoll_create1(0), inner = ep;
    ev = (struct epoll_event){EPOLLIN, {.u32 = 9}};
    MUST(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &ev) == 0);
    ev = (struct epoll_event){EPOLLIN, {.u32 = 4}};
    MUST(epoll_ctl(ep, EPOLL_CTL_MOD, efd, &ev) == 0);
    ep = outer;
    ready("outer", 0);
    MUST(eventfd_write(efd, 1) == 0);
    ready("outer", 100);
    ep = inner;
    MUST(eventfd_read(efd, &value) == 0);
    int tfd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec it = {{0, 0}, {0, 3000000}};
    timerfd_settime(tfd, 0, &it, NULL);
    ev = (struct epoll_event){EPOLLIN, {.u32 = 5}};
    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, tfd, &ev) == 0);
    ready("timer", -1);

    // A closed descriptor leaves the set, unless another names the same file.
    int d = dup(tfd);
    close(tfd);
    ready("closed one", 0);
    close(d);
    ready("closed both", 0);

    // A regular file is always ready, and not for epoll.
    enter_home();
    int f = open("f", O_RDWR | O_CREAT, 0600);
    struct pollfd pfile = {f, POLLIN | POLLOUT, 0};
    printf("file %d", poll(&pfile, 1, -1));
    printf(" %#x\n", pfile.revents);
    TRY(epoll_ctl(ep, EPOLL_CTL_ADD, f, &ev));
    unlink("f");
    leave_home();

    // A child shares the instance.
    pid_t pid = fork();
    if (pid == 0) {
        usleep(2000);
        MUST(eventfd_write(efd, 2) == 0);
        _exit(0);
    }
    ready("from the child", -1);
    reap("child", pid);
    return 0;
}
