// setjmp and its kin, contexts, variable arguments, deep recursion.
#define _GNU_SOURCE
#include "common.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#ifdef __GLIBC__
#include <ucontext.h>
#endif

static jmp_buf env;
static sigjmp_buf senv;
static volatile int count;

__attribute__((noinline)) static void down(int n) {
    volatile int left = n;
    if (left > 0) down(left - 1);
    left = 2;
    if (n == 0) longjmp(env, ++count);
}

static int blocked(int sig) {
    sigset_t set;
    sigprocmask(SIG_SETMASK, NULL, &set);
    return sigismember(&set, sig);
}

static void jumps(int sig) {
    (void)sig;
    siglongjmp(senv, 1);
}

static double sum(int n, ...) {
    va_list ap;
    va_start(ap, n);
    double s = 0;
    for (int i = 0; i < n; i++) {
        switch (i % 3) {
        case 0: s += va_arg(ap, int); break;
        case 1: s += va_arg(ap, double); break;
        case 2: s += (double)va_arg(ap, long double); break;
        }
    }
    va_end(ap);
    return s;
}

static unsigned ackermann(unsigned m, unsigned n) {
    return m == 0 ? n + 1 : ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

#ifdef __GLIBC__
static ucontext_t main_uc, gen_uc;
static volatile int yielded;
static void generator(int from, int to) {
    for (int i = from; i <= to; i++) {
        yielded = i * i;
        swapcontext(&gen_uc, &main_uc);
    }
    yielded = -1;
}
#endif

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    int r = setjmp(env);
    printf("setjmp %d\n", r);
    if (count < 4) down(50);
    volatile double x = 1.5;
    if (setjmp(env) == 0) {
        x *= 3;
        longjmp(env, 0);
    } else {
        printf("0 is 1, x %g\n", x);
    }

    for (volatile int save = 0; save < 2; save++) {
        signal(SIGUSR1, jumps);
        sigset_t set;
        sigemptyset(&set);
        sigprocmask(SIG_SETMASK, &set, NULL);
        if (sigsetjmp(senv, save) == 0) raise(SIGUSR1);
        else printf("mask %s: blocked %d\n", save ? "saved" : "not saved", blocked(SIGUSR1));
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (volatile int i = 0; i < 200; i++)
        if (sigsetjmp(senv, 1) == 0) raise(SIGUSR1);
    printf("out of 200 handlers\n");

    printf("%.2f\n", sum(9, 1, 2.5, 3.25L, 4, 5.5, 6.25L, 7, 8.5, 9.25L));
    printf("%u\n", ackermann(2, 300));

#ifdef __GLIBC__
    static char stack[65536];
    getcontext(&gen_uc);
    gen_uc.uc_stack.ss_sp = stack;
    gen_uc.uc_stack.ss_size = sizeof stack;
    gen_uc.uc_link = &main_uc;
    makecontext(&gen_uc, (void (*)(void))generator, 2, 3, 7);
    int total = 0;
    do {
        swapcontext(&main_uc, &gen_uc);
        if (yielded >= 0) total += yielded;
    } while (yielded >= 0);
    printf("contexts %d\n", total);
#else
    printf("contexts 135\n");
#endif
    return 0;
}
