// prctl, limits and other properties of a process.
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/sysinfo.h>

static void *thread_name(void *arg) {
    char name[17] = {0};
    prctl(PR_GET_NAME, name);
    printf("thread: %s\n", name);
    prctl(PR_SET_NAME, "other");
    FILE *f = fopen("/proc/thread-self/comm", "r");
    MUST(f && fgets(name, sizeof name, f));
    printf("comm: %s", name);
    fclose(f);
    return arg;
}
static volatile int got;
static void note(int sig) { got = sig; }

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    char name[17] = {0};
    MUST(prctl(PR_SET_NAME, "a name that is too long") == 0);
    prctl(PR_GET_NAME, name);
    printf("%s\n", name);
    prctl(PR_SET_NAME, "main");
    pthread_t t;
    pthread_create(&t, NULL, thread_name, NULL);
    pthread_join(t, NULL);
    prctl(PR_GET_NAME, name);
    printf("%s\n", name);

    int v = -1;
    MUST(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0 && prctl(PR_GET_PDEATHSIG, &v) == 0);
    printf("pdeathsig %d\n", v);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_GET_PDEATHSIG, &v);
        _exit(v);
    }
    reap("not inherited", pid);
    TRY(prctl(PR_SET_PDEATHSIG, 65));
    int p[2];
    char c;
    MUST(pipe(p) == 0);
    pid = fork();
    if (pid == 0) {
        pid = fork();
        if (pid == 0) {
            sigset_t set, none;
            sigemptyset(&none);
            sigemptyset(&set);
            sigaddset(&set, SIGUSR2);
            sigprocmask(SIG_BLOCK, &set, NULL);
            signal(SIGUSR2, note);
            prctl(PR_SET_PDEATHSIG, SIGUSR2);
            MUST(write(p[1], "r", 1) == 1);
            while (!got) sigsuspend(&none);
            MUST(write(p[1], got == SIGUSR2 ? "y" : "n", 1) == 1);
            _exit(0);
        }
        MUST(read(p[0], &c, 1) == 1);
        _exit(0);
    }
    reap("parent", pid);
    MUST(read(p[0], &c, 1) == 1);
    printf("told of its death: %c\n", c);

    MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && prctl(PR_GET_CHILD_SUBREAPER, &v) == 0);
    printf("subreaper %d\n", v);
    pid = fork();
    if (pid == 0) {
        prctl(PR_GET_CHILD_SUBREAPER, &v);
        _exit(v);
    }
    reap("not inherited", pid);
    prctl(PR_SET_CHILD_SUBREAPER, 0);

    printf("dumpable %d", prctl(PR_GET_DUMPABLE));
    prctl(PR_SET_DUMPABLE, 0);
    printf(" %d", prctl(PR_GET_DUMPABLE));
    prctl(PR_SET_DUMPABLE, 1);
    printf(" %d\n", prctl(PR_GET_DUMPABLE));
    TRY(prctl(PR_SET_DUMPABLE, 2));
    printf("keepcaps %d", prctl(PR_GET_KEEPCAPS));
    MUST(prctl(PR_SET_KEEPCAPS, 1) == 0);
    printf(" %d\n", prctl(PR_GET_KEEPCAPS));
    TRY(prctl(PR_SET_KEEPCAPS, 2));
    pid = fork();
    if (pid == 0) {
        printf("no new privileges %d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
        MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        printf(" %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
        TRY(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
        if (fork() == 0) _exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
        int status;
        wait(&status);
        _exit(WEXITSTATUS(status));
    }
    reap("inherited", pid);
    MUST(prctl(PR_SET_TIMERSLACK, 12345) == 0);
    printf("slack %d\n", prctl(PR_GET_TIMERSLACK));
    TRY(prctl(9999, 0, 0, 0, 0));
    TRY(prctl(PR_CAPBSET_READ, 99));

    // Limits.
    struct rlimit rl, none = {0, 0};
    pid = fork();
    if (pid == 0) {
        rl = (struct rlimit){5, 10};
        MUST(setrlimit(RLIMIT_NOFILE, &rl) == 0 && getrlimit(RLIMIT_NOFILE, &rl) == 0);
        printf("nofile %d %d\n", (int)rl.rlim_cur, (int)rl.rlim_max);
        while (open("/dev/null", O_RDONLY) >= 0) {}
        printf("open: %s\n", ename(errno));
        TRY(dup(0));
        TRY(dup2(0, 5));
        TRY(fcntl(0, F_DUPFD, 5));
        TRY(pipe(p));
        rl.rlim_cur = 11;
        TRY(setrlimit(RLIMIT_NOFILE, &rl));
        _exit(0);
    }
    reap("nofile", pid);
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &none);
        rl = (struct rlimit){100, 100};
        setrlimit(RLIMIT_FSIZE, &rl);
        int fd = memfd_create("x", 0);
        static char buf[150];
        // Nothing is printed here: output may be a file.
        MUST(write(fd, buf, 150) == 100);
        signal(SIGXFSZ, SIG_IGN);
        MUST(write(fd, buf, 1) == -1 && errno == EFBIG && ftruncate(fd, 101) == -1);
        signal(SIGXFSZ, SIG_DFL);
        MUST(write(fd, buf, 1) == 1);
        _exit(0);
    }
    reap("fsize", pid);
    pid = fork();
    if (pid == 0) {
        rl = (struct rlimit){64 << 20, 64 << 20};
        setrlimit(RLIMIT_AS, &rl);
        TRY(mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        TRY(malloc(100 << 20) ? 0 : -1);
        _exit(0);
    }
    reap("as", pid);
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &none);
        rl = (struct rlimit){1, 2};
        setrlimit(RLIMIT_CPU, &rl);
        MUST(getrlimit(RLIMIT_CPU, &rl) == 0 && rl.rlim_max == 2);
        MUST(prlimit(0, RLIMIT_CPU, &none, &rl) == 0 || 1);
        _exit((int)rl.rlim_cur);
    }
    reap("cpu", pid);
    TRY(setrlimit(99, &rl));
    rl = (struct rlimit){5, 4};
    TRY(setrlimit(RLIMIT_NOFILE, &rl));
    struct rusage ru;
    TRY(getrusage(99, &ru));
    MUST(getrusage(RUSAGE_CHILDREN, &ru) == 0);
    struct tms tms;
    printf("times %d\n", times(&tms) != (clock_t)-1);
    struct utsname u;
    MUST(uname(&u) == 0);
    printf("%s %s\n", u.sysname, u.machine);
    struct sysinfo si;
    MUST(sysinfo(&si) == 0);
    printf("ram %d processes %d\n", si.totalram > 0, si.procs > 0);
    printf("page %ld, clock %ld\n", sysconf(_SC_PAGESIZE), sysconf(_SC_CLK_TCK));
    printf("gettid %d\n", syscall(SYS_gettid) == getpid());
    int level = nice(0);
    errno = 0;
    printf("nice %d", nice(3) - level);
    printf(" %d\n", getpriority(PRIO_PROCESS, 0) - level);
    return 0;
}
