// What /proc says of a process, where it does not depend on the machine.
#define _GNU_SOURCE
#include "common.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static void field(const char *file, const char *name) {
    char line[300];
    FILE *f = fopen(file, "r");
    MUST(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0) printf("%s", line);
    fclose(f);
}
static char state(pid_t pid) {
    char path[50], line[300];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    MUST(f && fgets(line, sizeof line, f));
    fclose(f);
    // Behind the name, which may hold anything.
    return strrchr(line, ')')[2];
}
static int count(const char *dir) {
    DIR *d = opendir(dir);
    MUST(d);
    int n = 0;
    struct dirent *e;
    while ((e = readdir(d))) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}
static pthread_mutex_t hold = PTHREAD_MUTEX_INITIALIZER;
static void *waits(void *arg) {
    pthread_mutex_lock(&hold);
    pthread_mutex_unlock(&hold);
    return arg;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *status = "/proc/self/status";
    prctl(PR_SET_NAME, "a (strange) one");
    field("/proc/self/comm", "");
    field(status, "Name:");
    field(status, "State:");
    field(status, "Threads:");
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGUSR1, SIG_IGN);
    raise(SIGHUP);
    kill(getpid(), SIGTERM);
    field(status, "SigPnd:");
    field(status, "ShdPnd:");
    field(status, "SigBlk:");
    field(status, "NoNewPrivs:");
    umask(0137);
    field(status, "Umask:");
    pthread_mutex_lock(&hold);
    pthread_t t[2];
    for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, waits, NULL);
    field(status, "Threads:");
    printf("tasks %d\n", count("/proc/self/task"));
    pthread_mutex_unlock(&hold);
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);

    char buf[600];
    int fd = open("/dev/null", O_RDWR | O_APPEND | O_CLOEXEC);
    char path[60];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, buf, sizeof buf);
    printf("%.*s\n", (int)n, buf);
    int copy;
    int before = count("/proc/self/fd");
    copy = dup(0);
    printf("one more %d\n", count("/proc/self/fd") - before);
    int p[2];
    MUST(pipe(p) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
    n = readlink(path, buf, sizeof buf);
    printf("%.6s %d\n", buf, buf[n - 1] == ']');
    // Opened again through its name.
    snprintf(path, sizeof path, "/proc/self/fd/%d", p[1]);
    int again = open(path, O_WRONLY);
    MUST(write(again, "x", 1) == 1 && read(p[0], buf, 1) == 1);
    MUST(chdir("/tmp") == 0);
    n = readlink("/proc/self/cwd", buf, sizeof buf);
    printf("%.*s\n", (int)n, buf);
    n = readlink("/proc/self/exe", buf, sizeof buf);
    printf("exe %d\n", n > 1 && buf[0] == '/');
    n = readlink("/proc/self", buf, sizeof buf);
    buf[n] = 0;
    printf("self %d\n", atoi(buf) == getpid());

    pid_t pid = fork();
    if (pid == 0) for (;;) pause();
    while (state(pid) != 'S') {}
    printf("sleeps %c\n", state(pid));
    kill(pid, SIGSTOP);
    waitpid(pid, NULL, WUNTRACED);
    printf("stopped %c\n", state(pid));
    kill(pid, SIGKILL);
    siginfo_t si;
    MUST(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) == 0);
    printf("dead %c\n", state(pid));
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    fd = open(path, O_RDONLY);
    printf("cmdline %zd\n", read(fd, buf, sizeof buf));
    waitpid(pid, NULL, 0);
    TRY(open(path, O_RDONLY));

    // A mapping in maps.
    char *m = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(m + 4096, 4096, PROT_READ | PROT_WRITE);
    FILE *f = fopen("/proc/self/maps", "r");
    char line[300], perms[8];
    unsigned long a, b;
    int stack = 0;
    while (fgets(line, sizeof line, f)) {
        MUST(sscanf(line, "%lx-%lx %7s", &a, &b, perms) == 3);
        if (a >= (unsigned long)m && b <= (unsigned long)m + 3 * 4096 && a < b && (char *)a >= m &&
            (char *)a < m + 3 * 4096 && (char *)a != m)
            printf("+%lx %lx %s\n", a - (unsigned long)m, b - a, perms);
        if (strstr(line, "[stack]")) stack = a < (unsigned long)&a && (unsigned long)&a < b;
    }
    fclose(f);
    printf("stack %d\n", stack);
    fd = open("/proc/self/mem", O_RDONLY);
    printf("mem %zd", pread(fd, buf, 4, (off_t)(unsigned long)&stack));
    printf(" %d\n", buf[0]);
    TRY(open("/proc/self/none", O_RDONLY));
    TRY(open("/proc/999999999/stat", O_RDONLY));
    TRY(mkdir("/proc/x", 0700));
    return 0;
}
