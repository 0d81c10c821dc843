// The calls about scheduling, as far as an ordinary user may make them.
#define _GNU_SOURCE
#include "common.h"
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

struct attr {
    unsigned size, policy;
    unsigned long flags;
    int nice;
    unsigned priority;
    unsigned long runtime, deadline, period;
};

static volatile int stop;
static void *counts(void *arg) {
    while (!stop) {
        ++*(volatile long *)arg;
        sched_yield();
    }
    return NULL;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    setpriority(PRIO_PROCESS, 0, 0);
    if (geteuid() == 0) {
        MUST(setgroups(0, NULL) == 0 && setresgid(1000, 1000, 1000) == 0);
        MUST(setresuid(1000, 1000, 1000) == 0);
    }
    struct rlimit none = {0, 0};
    MUST(setrlimit(RLIMIT_RTPRIO, &none) == 0 && setrlimit(RLIMIT_NICE, &none) == 0);
    struct sched_param sp = {0};
    // The raw calls: some libraries refuse them.
#define SET(pid, policy, sp) syscall(SYS_sched_setscheduler, pid, policy, sp)
    printf("policy %ld\n", syscall(SYS_sched_getscheduler, 0));
    TRY(SET(0, SCHED_BATCH, &sp));
    printf("policy %ld\n", syscall(SYS_sched_getscheduler, 0));
    TRY(SET(0, SCHED_OTHER, &sp));
    sp.sched_priority = 1;
    TRY(SET(0, SCHED_OTHER, &sp));
    TRY(SET(0, SCHED_FIFO, &sp));
    TRY(SET(0, SCHED_RR, &sp));
    sp.sched_priority = 100;
    TRY(SET(0, SCHED_FIFO, &sp));
    TRY(SET(0, 99, &sp));
    TRY(SET(-1, SCHED_OTHER, &sp));
    TRY(SET(0x3fffffff, SCHED_OTHER, &sp));
    TRY(syscall(SYS_sched_getparam, 0, &sp));
    printf("priority %d\n", sp.sched_priority);
    int policies[] = {SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE, 6, 99};
    for (int i = 0; i < 7; i++)
        printf("%d: %d to %d\n", policies[i], sched_get_priority_min(policies[i]),
               sched_get_priority_max(policies[i]));
    TRY(SET(0, SCHED_BATCH | 0x40000000, (&(struct sched_param){0})));
    printf("policy %#lx\n", syscall(SYS_sched_getscheduler, 0));
    pid_t pid = fork();
    if (pid == 0) _exit((int)syscall(SYS_sched_getscheduler, 0));
    reap("reset on fork", pid);
    struct attr a = {.size = sizeof a};
    TRY(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0));
    printf("size %u policy %u flags %#lx nice %d priority %u\n", a.size, a.policy, a.flags, a.nice,
           a.priority);
    a.nice = 7;
    TRY(syscall(SYS_sched_setattr, 0, &a, 0));
    printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
    a.nice = 3;
    TRY(syscall(SYS_sched_setattr, 0, &a, 0));
    a.size = 4;
    TRY(syscall(SYS_sched_setattr, 0, &a, 0));
    TRY(syscall(SYS_sched_setattr, 0, NULL, 0));
    TRY(syscall(SYS_sched_getattr, 0, &a, 8, 0));
    errno = 0;
    printf("nice(100) %d", nice(100));
    printf(" %s\n", ename(errno));
    TRY(setpriority(PRIO_PROCESS, 0, 10));
    TRY(setpriority(9, 0, 10));
    TRY(getpriority(PRIO_PROCESS, 0x3fffffff) - 100);
    TRY(SET(0, SCHED_IDLE, (&(struct sched_param){0})));

    cpu_set_t set, one;
    CPU_ZERO(&set);
    MUST(sched_getaffinity(0, sizeof set, &set) == 0);
    int first = 0;
    while (!CPU_ISSET(first, &set)) first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    MUST(sched_setaffinity(0, sizeof one, &one) == 0);
    printf("on the first %d\n", sched_getcpu() == first);
    MUST(sched_getaffinity(0, sizeof set, &set) == 0);
    printf("of %d\n", CPU_COUNT(&set));
    CPU_ZERO(&one);
    TRY(sched_setaffinity(0, sizeof one, &one));
    CPU_SET(1000, &one);
    TRY(sched_setaffinity(0, sizeof one, &one));
    TRY(sched_getaffinity(0x3fffffff, sizeof one, &one));
    pid = fork();
    if (pid == 0) {
        sched_getaffinity(0, sizeof set, &set);
        _exit(CPU_COUNT(&set));
    }
    reap("inherited", pid);
    TRY(sched_yield());

    // Two that take turns on one processor both get on.
    static volatile long n[2];
    pthread_t t[2];
    for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, counts, (void *)&n[i]);
    while (n[0] < 10 || n[1] < 10) usleep(1000);
    stop = 1;
    for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
    printf("both %d\n", n[0] >= 10 && n[1] >= 10);
    return 0;
}
