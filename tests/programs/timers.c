// Timers of every kind, without the times.
#define _GNU_SOURCE
#include "common.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <stdint.h>
#include <pthread.h>
#include <time.h>

static volatile int alarms, value, code;
static timer_t timer;

static void tick(int sig, siginfo_t *si, void *uc) {
    (void)sig;
    (void)uc;
    alarms++;
    code = si->si_code;
    value = si->si_code == SI_TIMER ? si->si_value.sival_int : -1;
}

static double since(const struct timespec *a, clockid_t clock) {
    struct timespec b;
    clock_gettime(clock, &b);
    return (double)(b.tv_sec - a->tv_sec) + (double)(b.tv_nsec - a->tv_nsec) / 1e9;
}

static void wait_alarms(int n) {
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, &old);
    while (alarms < n) sigsuspend(&old);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static volatile int thread_value;
static void in_thread(union sigval v) { thread_value = v.sival_int; }

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction sa = {.sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGALRM, &sa, NULL);
    sigaction(SIGVTALRM, &sa, NULL);
    sigaction(SIGPROF, &sa, NULL);
    struct timespec t0;
    clock_gettime(CLOCK_MONOTONIC, &t0);

    struct itimerval it = {{0, 1000}, {0, 1000}}, old;
    MUST(setitimer(ITIMER_REAL, &it, NULL) == 0);
    wait_alarms(5);
    it = (struct itimerval){{0, 0}, {0, 0}};
    MUST(setitimer(ITIMER_REAL, &it, &old) == 0);
    printf("interval %ld, five took long enough %d, code %d\n", (long)old.it_interval.tv_usec,
           since(&t0, CLOCK_MONOTONIC) >= 0.005, code);
    getitimer(ITIMER_REAL, &old);
    printf("stopped %ld %ld\n", (long)old.it_value.tv_sec, (long)old.it_value.tv_usec);
    it.it_value.tv_usec = 1000000;
    TRY(setitimer(ITIMER_REAL, &it, NULL));
    TRY(setitimer(7, &old, NULL));
    printf("alarm %u", alarm(100));
    printf(" %u", alarm(50));
    unsigned left = alarm(0);
    printf(" %d %u\n", left == 50 || left == 49, alarm(0));

    // Processor time: by computing.
    alarms = 0;
    it = (struct itimerval){{0, 0}, {0, 2000}};
    MUST(setitimer(ITIMER_VIRTUAL, &it, NULL) == 0);
    volatile unsigned long x = 1;
    while (!alarms) x = x * 3 + 1;
    printf("virtual %d\n", alarms);
    alarms = 0;
    MUST(setitimer(ITIMER_PROF, &it, NULL) == 0);
    while (!alarms) x = x * 3 + 1;
    printf("prof %d\n", alarms);

    // Timers are not inherited.
    it.it_value.tv_sec = 50;
    setitimer(ITIMER_REAL, &it, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        getitimer(ITIMER_REAL, &old);
        _exit((int)old.it_value.tv_sec);
    }
    reap("child's timer", pid);
    alarm(0);

    struct sigevent sev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    sev.sigev_value.sival_int = 77;
    MUST(timer_create(CLOCK_REALTIME, &sev, &timer) == 0);
    struct itimerspec its = {{0, 0}, {0, 1000000}}, was;
    alarms = 0;
    MUST(timer_settime(timer, 0, &its, &was) == 0);
    wait_alarms(1);
    printf("timer: code %d value %d, before %ld\n", code, value, (long)was.it_value.tv_nsec);
    timer_gettime(timer, &was);
    printf("run out %ld %ld\n", (long)was.it_value.tv_sec, (long)was.it_value.tv_nsec);
    // Blocked for a while: one signal, the rest is overrun.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    its = (struct itimerspec){{0, 1000000}, {0, 1000000}};
    alarms = 0;
    timer_settime(timer, 0, &its, NULL);
    struct timespec ms = {0, 20000000};
    nanosleep(&ms, NULL);
    siginfo_t si;
    MUST(sigwaitinfo(&set, &si) == SIGALRM);
    printf("overrun %d\n", si.si_overrun >= 15 && timer_getoverrun(timer) >= 15);
    MUST(timer_delete(timer) == 0);
    struct timespec none = {0, 0};
    while (sigtimedwait(&set, NULL, &none) > 0) {}
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    sev.sigev_signo = 99;
    TRY(timer_create(CLOCK_REALTIME, &sev, &timer));
    TRY(timer_create(1000, NULL, &timer));
    sev.sigev_notify = SIGEV_NONE;
    sev.sigev_signo = 0;
    MUST(timer_create(CLOCK_MONOTONIC, &sev, &timer) == 0);
    // At a point in the past: it has run out at once.
    its = (struct itimerspec){{0, 0}, {0, 1}};
    MUST(timer_settime(timer, TIMER_ABSTIME, &its, NULL) == 0);
    timer_gettime(timer, &was);
    printf("none: %ld %ld\n", (long)was.it_value.tv_sec, (long)was.it_value.tv_nsec);
    timer_delete(timer);
    sev = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread};
    sev.sigev_value.sival_int = 33;
    MUST(timer_create(CLOCK_MONOTONIC, &sev, &timer) == 0);
    its = (struct itimerspec){{0, 0}, {0, 1000000}};
    MUST(timer_settime(timer, 0, &its, NULL) == 0);
    while (!thread_value) nanosleep(&its.it_value, NULL);
    printf("in a thread %d\n", thread_value);
    timer_delete(timer);
    clockid_t cpu;
    MUST(clock_getcpuclockid(0, &cpu) == 0);
    sev = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    MUST(timer_create(CLOCK_PROCESS_CPUTIME_ID, &sev, &timer) == 0);
    alarms = 0;
    MUST(timer_settime(timer, 0, &its, NULL) == 0);
    while (!alarms) x = x * 3 + 1;
    printf("of processor time %d\n", alarms);
    timer_delete(timer);

    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    uint64_t times;
    TRY(read(fd, &times, 8));
    its = (struct itimerspec){{0, 1000000}, {0, 1000000}};
    MUST(timerfd_settime(fd, 0, &its, NULL) == 0);
    nanosleep(&ms, NULL);
    TRY(read(fd, &times, 4));
    MUST(read(fd, &times, 8) == 8);
    printf("timerfd %d\n", times >= 15);
    its = (struct itimerspec){{0, 0}, {0, 0}};
    MUST(timerfd_settime(fd, 0, &its, &was) == 0);
    printf("interval %ld\n", (long)was.it_interval.tv_nsec);
    fd = timerfd_create(CLOCK_REALTIME, 0);
    clock_gettime(CLOCK_REALTIME, &its.it_value);
    its.it_value.tv_nsec -= 10500000;
    if (its.it_value.tv_nsec < 0) {
        its.it_value.tv_nsec += 1000000000;
        its.it_value.tv_sec--;
    }
    its.it_interval.tv_nsec = 1000000;
    MUST(timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL) == 0);
    MUST(read(fd, &times, 8) == 8);
    printf("missed %d\n", times >= 11);
    TRY(timerfd_create(99, 0));
    TRY(timerfd_settime(0, 0, &its, NULL));

    // Sleeping.
    clock_gettime(CLOCK_MONOTONIC, &t0);
    struct timespec until = t0;
    until.tv_nsec += 2000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    printf("until: %d", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
    printf(" %d\n", since(&t0, CLOCK_MONOTONIC) >= 0.002);
    printf("past: %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t0, NULL));
    struct timespec wrong = {0, 1000000000};
    TRY(nanosleep(&wrong, NULL));
    printf("own thread's time: %s\n", ename(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t0, NULL)));
    usleep(1000);
    struct timespec res;
    printf("resolution %d", clock_getres(CLOCK_MONOTONIC, &res));
    printf(" %ld\n", (long)res.tv_nsec);
    TRY(clock_gettime(99, &t0));
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    printf("used %d\n", ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec > 3000);
    alarms = 0;
    signal(SIGALRM, SIG_DFL);
    alarm(1);
    for (;;) pause();
}
