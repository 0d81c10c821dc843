// Signals that instructions raise: their code, their address, and that one may
// leave them by siglongjmp or by repairing what was wrong.
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>

static sigjmp_buf back;
static volatile int sig_seen, code_seen;
static char *volatile addr_seen;
static volatile long trap_seen, err_seen;

static void leave(int sig, siginfo_t *si, void *uc) {
    sig_seen = sig;
    code_seen = si->si_code;
    addr_seen = si->si_addr;
    trap_seen = (long)((ucontext_t *)uc)->uc_mcontext.gregs[20];
    err_seen = (long)((ucontext_t *)uc)->uc_mcontext.gregs[19];
    siglongjmp(back, 1);
}

static volatile char *page;
#define FAULT(what, base, ...)                                                           \
    do {                                                                                 \
        if (sigsetjmp(back, 1) == 0) {                                                   \
            __VA_ARGS__;                                                                 \
            printf("%s: nothing\n", what);                                               \
        } else {                                                                         \
            printf("%s: signal %d code %d", what, sig_seen, code_seen);                  \
            if (base) printf(" at +%ld", (long)(addr_seen - (char *)(base)));            \
            printf(" trap %ld error %ld\n", trap_seen, err_seen);                        \
        }                                                                                \
    } while (0)

static void opens(int sig, siginfo_t *si, void *uc) {
    (void)sig;
    (void)uc;
    MUST(mprotect((void *)((long)si->si_addr & -4096L), 4096, PROT_READ | PROT_WRITE) == 0);
    code_seen++;
}
static void skips(int sig, siginfo_t *si, void *uc) {
    (void)sig;
    (void)si;
    ((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP] += 2;
    code_seen++;
}
static void traps(int sig, siginfo_t *si, void *uc) {
    (void)sig;
    (void)uc;
    code_seen = si->si_code;
}

static void child(const char *what, int which, int how) {
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        int sigs[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
        sigset_t set;
        sigemptyset(&set);
        for (int i = 0; i < 5; i++) {
            signal(sigs[i], how == 1 ? SIG_IGN : SIG_DFL);
            sigaddset(&set, sigs[i]);
        }
        if (how == 2) sigprocmask(SIG_BLOCK, &set, NULL);
        volatile int zero = 0;
        switch (which) {
        case 0: *(volatile char *)page = 1; break;
        case 1: zero = 5 / zero; break;
        case 2: __asm__ volatile("ud2"); break;
        case 3: __asm__ volatile("int3"); break;
        case 4: __asm__ volatile("hlt"); break;
        case 5: abort();
        }
        _exit(0);
    }
    reap(what, pid);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction sa = {.sa_sigaction = leave, .sa_flags = SA_SIGINFO};
    sigemptyset(&sa.sa_mask);
    int sigs[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (int i = 0; i < 5; i++) sigaction(sigs[i], &sa, NULL);
    page = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(page != MAP_FAILED);
    mprotect((void *)page + 4096, 4096, PROT_READ);
    munmap((void *)page + 2 * 4096, 4096);

    volatile long eight = 8;
    FAULT("null", 0, (*(volatile int *)eight)++);
    FAULT("write PROT_NONE", page, *(volatile char *)(page + 5) = 1);
    FAULT("read PROT_NONE", page, (void)*(volatile char *)(page + 7));
    FAULT("write PROT_READ", page, *(volatile char *)(page + 4100) = 1);
    FAULT("write behind", page, *(volatile char *)(page + 8192 + 3) = 1);
    FAULT("across", page, *(volatile long *)(page + 8188) = 1);
    FAULT("execute data", page, ((void (*)(void))(page + 4096))());
    FAULT("execute nothing", page, ((void (*)(void))(page + 8192))());
    FAULT("not canonical", 0, *(volatile char *)0x8000000000000000 = 1);
    FAULT("kernel", 0, (void)*(volatile char *)0xffffffff81000000);
    volatile int zero = 0, five = 5, least = -2147483647 - 1, minus = -1;
    FAULT("divide by 0", 0, five = five / zero);
    FAULT("overflowing quotient", 0, five = least % minus);
    FAULT("ud2", 0, __asm__ volatile("ud2"));
    FAULT("int3", 0, __asm__ volatile("int3"));
    FAULT("hlt", 0, __asm__ volatile("hlt"));
    FAULT("in", 0, __asm__ volatile("inb %%dx, %%al" : : : "rax"));
    FAULT("mov from cr0", 0, __asm__ volatile("mov %%cr0, %%rax" : : : "rax"));
    FAULT("int 0x3", 0, __asm__ volatile(".byte 0xcd, 0x03"));
    FAULT("int 0x20", 0, __asm__ volatile("int $0x20"));
    static int aligned[8] __attribute__((aligned(16)));
    FAULT("movaps", 0, __asm__ volatile("movaps %%xmm0, 4(%0)" : : "r"(aligned) : "memory"));

    // Behind the end of a file.
    enter_home();
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    MUST(ftruncate(fd, 100) == 0);
    char *file = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(file != MAP_FAILED);
    FAULT("last page", file, file[4000] = 1);
    FAULT("behind the end", file, file[4096 + 10] = 1);
    MUST(ftruncate(fd, 0) == 0);
    FAULT("cut off", file, (void)*(volatile char *)(file + 1));
    char *ro = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    FAULT("read-only file", ro, *(volatile char *)(ro + 1) = 1);
    unlink("f");
    leave_home();

    // The trap flag: a SIGTRAP after the next instruction.
    FAULT("single step", 0,
          __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop" : : : "memory", "cc"));

    // Repaired and repeated, skipped, and simply gone on after.
    code_seen = 0;
    sa.sa_sigaction = opens;
    sigaction(SIGSEGV, &sa, NULL);
    page[1] = 3;
    page[4096] = 4;
    printf("repaired %d: %d %d\n", code_seen, page[1], page[4096]);
    code_seen = 0;
    sa.sa_sigaction = skips;
    sigaction(SIGILL, &sa, NULL);
    __asm__ volatile("ud2; ud2");
    printf("skipped %d\n", code_seen);
    sa.sa_sigaction = traps;
    sigaction(SIGTRAP, &sa, NULL);
    __asm__ volatile("int3");
    printf("trapped: code %d\n", code_seen);

    mprotect((void *)page, 4096, PROT_NONE);
    const char *hows[] = {"default", "ignored", "blocked"};
    for (int how = 0; how < 3; how++) {
        puts(hows[how]);
        child("page", 0, how);
        child("divide", 1, how);
        child("ud2", 2, how);
        child("int3", 3, how);
        child("hlt", 4, how);
        child("abort", 5, how);
    }
    // Sent, not raised: ignored and blocked count.
    signal(SIGSEGV, SIG_IGN);
    raise(SIGSEGV);
    printf("ignored when sent\n");
    *(volatile char *)page = 1;
    return 0;
}
