// The alternate stack of handlers: an overflow of the ordinary one, flags, fork.
#define _GNU_SOURCE
#include "common.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static char *alt;
enum { SIZE = 65536 };
static sigjmp_buf back;
static volatile int on, flags, nested, code;

static int is_on(void) {
    char here;
    return (char *)&here >= alt && (char *)&here < alt + SIZE;
}

static void check(int sig) {
    (void)sig;
    stack_t now;
    on = is_on();
    sigaltstack(NULL, &now);
    flags = now.ss_flags;
    stack_t none = {.ss_flags = SS_DISABLE};
    errno = 0;
    if (sigaltstack(&none, NULL) == -1) code = errno;
    if (!nested) {
        nested = 1;
        raise(SIGUSR2);
        nested = 0;
    }
}

static void overflown(int sig, siginfo_t *si, void *uc) {
    (void)uc;
    on = is_on();
    code = si->si_code;
    flags = sig;
    siglongjmp(back, 1);
}

static int deep(int n) {
    volatile char space[4096];
    space[0] = (char)n;
    space[4095] = (char)(n >> 8);
    return n ? deep(n + 1) + space[0] : 0;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    stack_t old;
    MUST(sigaltstack(NULL, &old) == 0);
    printf("at first: flags %d size %zu\n", old.ss_flags, old.ss_size);
    stack_t small = {.ss_sp = &old, .ss_size = 100};
    TRY(sigaltstack(&small, NULL));
    stack_t odd = {.ss_sp = &old, .ss_size = SIZE, .ss_flags = 8};
    TRY(sigaltstack(&odd, NULL));
    alt = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t ss = {.ss_sp = alt, .ss_size = SIZE};
    MUST(sigaltstack(&ss, NULL) == 0);

    struct sigaction sa = {.sa_handler = check, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &sa, NULL);
    sa.sa_flags = 0;
    sigaction(SIGUSR2, &sa, NULL);
    raise(SIGUSR1);
    printf("SA_ONSTACK: on %d flags %d change %s\n", on, flags, ename(code));
    code = 0;
    nested = 1;
    raise(SIGUSR2);
    printf("without: on %d flags %d change %s\n", on, flags, ename(code));
    nested = 0;

    // It was disabled just now.
    sigaltstack(NULL, &old);
    printf("now: flags %d\n", old.ss_flags);
    ss.ss_flags = (int)SS_AUTODISARM;
    MUST(sigaltstack(&ss, NULL) == 0);
    code = 0;
    nested = 1;
    sa.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    printf("SS_AUTODISARM: on %d flags %d change %s\n", on, flags, ename(code));
    sigaltstack(NULL, &old);
    printf("after: flags %#x, the same %d\n", (unsigned)old.ss_flags, old.ss_sp == (void *)alt);
    ss.ss_flags = 0;
    MUST(sigaltstack(&ss, NULL) == 0);

    pid_t pid = fork();
    if (pid == 0) {
        sigaltstack(NULL, &old);
        _exit(old.ss_sp == (void *)alt && old.ss_size == SIZE ? 0 : 1);
    }
    reap("the child has it", pid);

    // The stack overflows, twice.
    struct rlimit rl = {1 << 20, 1 << 20};
    MUST(setrlimit(RLIMIT_STACK, &rl) == 0);
    sa.sa_sigaction = overflown;
    sa.sa_flags = SA_ONSTACK | SA_SIGINFO;
    sigaction(SIGSEGV, &sa, NULL);
    for (int i = 0; i < 2; i++) {
        on = 0;
        if (sigsetjmp(back, 1) == 0) deep(1);
        printf("overflow: signal %d code %d on %d\n", flags, code, on);
    }
    // With no other stack the signal cannot be delivered.
    pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        stack_t off = {.ss_flags = SS_DISABLE};
        sigaltstack(&off, NULL);
        deep(1);
        _exit(0);
    }
    reap("without a stack", pid);
    // A handler on a stack that is too small to hold the frame.
    pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        mprotect(alt, SIZE, PROT_READ);
        sa.sa_handler = check;
        sigaction(SIGUSR1, &sa, NULL);
        raise(SIGUSR1);
        _exit(0);
    }
    reap("a stack that cannot be written", pid);
    return 0;
}
