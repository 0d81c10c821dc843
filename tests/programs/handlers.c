// Handlers: what siginfo says, masks, nesting, flags, sigsuspend.
#define _GNU_SOURCE
#include "common.h"
#include <signal.h>
#include <sys/syscall.h>

static void show(int sig, siginfo_t *si, void *uc) {
    (void)uc;
    printf("signal %d: code %d, pid %s, uid %s, value %d\n", sig, si->si_code,
           si->si_pid == getpid() ? "own" : si->si_pid == getppid() ? "parent" : "other",
           si->si_uid == getuid() ? "own" : "other",
           si->si_code == SI_QUEUE ? si->si_value.sival_int : -1);
}

static volatile int depth, deepest, calls;
static void nests(int sig) {
    depth++;
    if (depth > deepest) deepest = depth;
    if (++calls < 4) raise(sig);
    depth--;
}

static char order[32];
static volatile int used;
static void note(int sig) {
    order[used++] = (char)(sig == SIGUSR1 ? 'a' : sig == SIGUSR2 ? 'b' : 'c');
    if (sig == SIGUSR1) {
        // Blocked by this handler's mask: it comes after.
        raise(SIGUSR2);
        order[used++] = 'A';
    }
}

static volatile sig_atomic_t chld;
static void on_chld(int sig, siginfo_t *si, void *uc) {
    (void)sig;
    (void)uc;
    printf("child: code %d status %d\n", si->si_code, si->si_status);
    chld++;
}

static void masks(const char *what) {
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    printf("%s:", what);
    for (int i = 1; i < 65; i++)
        if (i != 32 && i != 33 && i != 34 && sigismember(&now, i) == 1) printf(" %d", i);
    printf("\n");
}
static void shows_mask(int sig) {
    (void)sig;
    masks("in the handler");
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction sa = {.sa_sigaction = show, .sa_flags = SA_SIGINFO};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    kill(getpid(), SIGUSR1);
    raise(SIGUSR1);
    sigqueue(getpid(), SIGHUP, (union sigval){.sival_int = 42});
    if (fork() == 0) {
        sigqueue(getppid(), SIGUSR1, (union sigval){.sival_int = 7});
        _exit(0);
    }
    wait(NULL);

    sa.sa_flags = SA_NODEFER;
    sa.sa_handler = nests;
    sigaction(SIGUSR2, &sa, NULL);
    raise(SIGUSR2);
    printf("deepest with SA_NODEFER %d of %d\n", deepest, calls);
    deepest = calls = 0;
    sa.sa_flags = 0;
    sigaction(SIGUSR2, &sa, NULL);
    raise(SIGUSR2);
    printf("without %d of %d\n", deepest, calls);

    sa.sa_handler = note;
    sigaddset(&sa.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &sa, NULL);
    sigemptyset(&sa.sa_mask);
    sigaction(SIGUSR2, &sa, NULL);
    raise(SIGUSR1);
    printf("order %s\n", order);

    sa.sa_handler = shows_mask;
    sa.sa_flags = 0;
    sigaddset(&sa.sa_mask, SIGALRM);
    sigaddset(&sa.sa_mask, SIGRTMAX);
    sigaction(SIGTERM, &sa, NULL);
    raise(SIGTERM);
    masks("after");

    // SA_RESETHAND: the second one kills.
    pid_t pid = fork();
    if (pid == 0) {
        sa.sa_handler = note;
        sa.sa_flags = SA_RESETHAND;
        sigaction(SIGTERM, &sa, NULL);
        raise(SIGTERM);
        struct sigaction now;
        sigaction(SIGTERM, NULL, &now);
        printf("default again: %d\n", now.sa_handler == SIG_DFL);
        raise(SIGTERM);
        _exit(0);
    }
    reap("reset", pid);

    // Blocked signals pend once; ignored ones not at all, unless blocked.
    sigset_t set, old, pend;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, &old);
    memset(order, 0, sizeof order);
    used = 0;
    sa.sa_flags = 0;
    sigemptyset(&sa.sa_mask);
    sigaction(SIGUSR1, &sa, NULL);
    signal(SIGINT, SIG_IGN);
    for (int i = 0; i < 5; i++) kill(getpid(), SIGUSR1);
    kill(getpid(), SIGINT);
    sigpending(&pend);
    printf("pending %d %d\n", sigismember(&pend, SIGUSR1), sigismember(&pend, SIGINT));
    signal(SIGINT, SIG_IGN);
    sigpending(&pend);
    printf("ignored again %d\n", sigismember(&pend, SIGINT));
    sigset_t none;
    sigemptyset(&none);
    TRY(sigsuspend(&none));
    printf("order %s\n", order);
    masks("kept");
    // A child inherits the mask, not what is pending.
    kill(getpid(), SIGUSR1);
    pid = fork();
    if (pid == 0) {
        sigpending(&pend);
        masks("child");
        _exit(sigismember(&pend, SIGUSR1));
    }
    reap("pending in the child", pid);
    sigprocmask(SIG_SETMASK, &old, NULL);

    struct sigaction ca = {.sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGCHLD, &ca, NULL);
    pid = fork();
    if (pid == 0) _exit(9);
    MUST(waitpid(pid, NULL, 0) == pid);
    pid = fork();
    if (pid == 0) for (;;) pause();
    sigset_t chld_set;
    sigemptyset(&chld_set);
    sigaddset(&chld_set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld_set, &old);
    int acts[] = {SIGSTOP, SIGCONT, SIGKILL};
    for (int i = 0; i < 3; i++) {
        kill(pid, acts[i]);
        sigsuspend(&none);
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    MUST(waitpid(pid, NULL, 0) == pid);
    printf("SIGCHLD %d times\n", chld);

    // Refusals.
    TRY(sigaction(SIGKILL, &sa, NULL));
    TRY(sigaction(SIGSTOP, NULL, &sa));
    TRY(sigaction(65, &sa, NULL));
    TRY(kill(getpid(), 65));
    TRY(kill(getpid(), 0));
    TRY(kill(0x3fffffff, 0));
    TRY(sigqueue(getpid(), 0, (union sigval){0}));
    TRY(syscall(SYS_tgkill, getpid(), 0x3fffffff, SIGUSR1));
    TRY(syscall(SYS_tkill, -1, SIGUSR1));
    TRY(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
    signal(SIGUSR1, SIG_DFL);
    printf("the end\n");
    raise(SIGUSR1);
    return 0;
}
