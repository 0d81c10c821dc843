// Queued signals: their order and values; sigwait and its kin; signalfd.
#define _GNU_SOURCE
#include "common.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>

static void show(int sig, siginfo_t *si, void *uc) {
    (void)uc;
    printf("signal %d code %d value %d\n", sig - SIGRTMIN, si->si_code, si->si_value.sival_int);
}

static void queue(int sig, int value) {
    MUST(sigqueue(getpid(), sig, (union sigval){.sival_int = value}) == 0);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction sa = {.sa_sigaction = show, .sa_flags = SA_SIGINFO};
    sigfillset(&sa.sa_mask);
    sigset_t set, old, none;
    sigemptyset(&set);
    sigemptyset(&none);
    for (int i = 0; i < 4; i++) {
        sigaction(SIGRTMIN + i, &sa, NULL);
        sigaddset(&set, SIGRTMIN + i);
    }
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);

    // Lower numbers first, each number in its order; sent with kill in between.
    queue(SIGRTMIN + 2, 1);
    queue(SIGRTMIN + 1, 2);
    queue(SIGRTMIN + 2, 3);
    kill(getpid(), SIGRTMIN + 1);
    queue(SIGRTMIN, 4);
    queue(SIGRTMIN + 1, 5);
    sigprocmask(SIG_SETMASK, &old, NULL);

    // Ordinary ones are not queued: one is left, the first.
    sigprocmask(SIG_BLOCK, &set, &old);
    queue(SIGUSR1, 1);
    queue(SIGUSR1, 2);
    siginfo_t si;
    MUST(sigwaitinfo(&set, &si) == SIGUSR1);
    printf("sigwaitinfo: code %d value %d\n", si.si_code, si.si_value.sival_int);
    struct timespec zero = {0, 0}, some = {0, 2000000};
    TRY(sigtimedwait(&set, &si, &zero));
    TRY(sigtimedwait(&set, NULL, &some));
    queue(SIGRTMIN + 3, 9);
    queue(SIGRTMIN + 3, 10);
    kill(getpid(), SIGUSR1);
    int sig;
    printf("sigwait %d", sigwait(&set, &sig));
    printf(": %s\n", sig == SIGUSR1 ? "the ordinary one first" : "the queued one first");
    MUST(sigtimedwait(&set, &si, &some) == SIGRTMIN + 3);
    printf("value %d\n", si.si_value.sival_int);
    MUST(sigtimedwait(&set, &si, &zero) == SIGRTMIN + 3);
    printf("value %d\n", si.si_value.sival_int);

    // From a child, and interrupted by a handled signal that is not waited for.
    pid_t pid = fork();
    if (pid == 0) {
        sigqueue(getppid(), SIGRTMIN, (union sigval){.sival_int = 11});
        _exit(0);
    }
    MUST(sigwaitinfo(&set, &si) == SIGRTMIN);
    printf("from the child: %d %d\n", si.si_pid == pid, si.si_value.sival_int);
    MUST(waitpid(pid, NULL, 0) == pid);
    timer_t timer;
    struct sigevent sev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    sev.sigev_value.sival_int = 5;
    sigaction(SIGALRM, &sa, NULL);
    MUST(timer_create(CLOCK_MONOTONIC, &sev, &timer) == 0);
    struct itimerspec when = {.it_value = {0, 1000000}};
    timer_settime(timer, 0, &when, NULL);
    // The call itself: some libraries repeat it.
    TRY(syscall(SYS_rt_sigtimedwait, &set, &si, NULL, 8));
    timer_delete(timer);

    // A descriptor for signals.
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    MUST(fd >= 0);
    struct signalfd_siginfo fs[4];
    TRY(read(fd, fs, sizeof fs));
    TRY(read(fd, fs, 10));
    queue(SIGRTMIN + 1, 21);
    queue(SIGRTMIN, 22);
    pid = fork();
    if (pid == 0) _exit(3);
    siginfo_t exited;
    MUST(waitid(P_PID, pid, &exited, WEXITED | WNOWAIT) == 0);
    ssize_t n = read(fd, fs, sizeof fs);
    for (ssize_t i = 0; i < n / (ssize_t)sizeof *fs; i++)
        printf("signalfd: %d code %d int %d status %d pid %s\n", (int)fs[i].ssi_signo,
               fs[i].ssi_code, fs[i].ssi_int, fs[i].ssi_status,
               (pid_t)fs[i].ssi_pid == pid ? "child" : "own");
    MUST(waitpid(pid, NULL, 0) == pid);
    sigdelset(&set, SIGCHLD);
    MUST(signalfd(fd, &set, 0) == fd);

    // The limit of queued signals.
    pid = fork();
    if (pid == 0) {
        struct rlimit few = {0, 0};
        setrlimit(RLIMIT_SIGPENDING, &few);
        errno = 0;
        int r = sigqueue(getpid(), SIGRTMIN, (union sigval){0});
        printf("beyond the limit: %d %s\n", r, ename(errno));
        r = kill(getpid(), SIGUSR1);
        sigset_t pend;
        sigpending(&pend);
        printf("ordinary: %d %d\n", r, sigismember(&pend, SIGUSR1));
        _exit(0);
    }
    reap("limited", pid);

    // Sent to a group and to everybody of it.
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        for (int i = 0; i < 3; i++)
            if (fork() == 0) for (;;) pause();
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        sigprocmask(SIG_BLOCK, &term, NULL);
        kill(0, SIGTERM);
        int gone = 0, status;
        while (wait(&status) > 0) gone += WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
        printf("killed %d\n", gone);
        sigprocmask(SIG_UNBLOCK, &term, NULL);
        _exit(1);
    }
    reap("group", pid);
    sigprocmask(SIG_SETMASK, &none, NULL);
    return 0;
}
