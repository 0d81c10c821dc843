// Programs that execute themselves: arguments, environment, what stays and what goes.
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <pthread.h>

extern char **environ;
static const char *self = "/proc/self/exe";

static void handler(int sig) { (void)sig; }

static void *executes(void *arg) {
    char *argv[] = {"x", "thread", arg, NULL};
    execv(self, argv);
    return NULL;
}

static int stage(int argc, char **argv) {
    char what = argv[1][0];
    if (strcmp(argv[1], "chain") == 0) {
        int n = atoi(argv[2]);
        if (n == 0) {
            printf("end of the chain: %d arguments\n", argc);
            return 17;
        }
        char next[20];
        snprintf(next, sizeof next, "%d", n - 1);
        char *args[40] = {argv[0], argv[1], next};
        for (int i = 3; i < argc; i++) args[i] = argv[i];
        args[argc] = "more";
        execv(self, args);
    } else if (strcmp(argv[1], "show") == 0) {
        for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
        printf("\n");
        for (char **e = environ; *e; e++) printf("<%s>", *e);
        printf("\n");
        return 3;
    } else if (strcmp(argv[1], "kept") == 0) {
        sigset_t mask, pending;
        sigprocmask(SIG_SETMASK, NULL, &mask);
        sigpending(&pending);
        struct sigaction a, b;
        sigaction(SIGUSR1, NULL, &a);
        sigaction(SIGUSR2, NULL, &b);
        printf("handler %d ignored %d blocked %d pending %d\n", a.sa_handler == SIG_DFL,
               b.sa_handler == SIG_IGN, sigismember(&mask, SIGHUP), sigismember(&pending, SIGHUP));
        char name[16];
        prctl(PR_GET_NAME, name);
        printf("fd %d %d, nofile %d, name %.3s, umask %o\n", fcntl(atoi(argv[2]), F_GETFD),
               fcntl(atoi(argv[3]), F_GETFD), fcntl(0, F_GETFD) == 0, name, umask(0));
        stack_t ss;
        sigaltstack(NULL, &ss);
        struct rlimit rl;
        getrlimit(RLIMIT_NOFILE, &rl);
        printf("altstack %d, limit %d, pid %d\n", ss.ss_flags, (int)rl.rlim_cur,
               getpid() == atoi(argv[4]));
        return 0;
    } else if (what == 't') {
        printf("from a thread: %d, alone %d\n", getpid() == atoi(argv[2]),
               syscall(SYS_gettid) == getpid());
        return 5;
    }
    return 1;
}

static void run(const char *what, char **argv, char **envp) {
    pid_t pid = fork();
    if (pid == 0) {
        execve(self, argv, envp);
        printf("%s: %s\n", what, ename(errno));
        fflush(stdout);
        _exit(1);
    }
    reap(what, pid);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) return stage(argc, argv);
    char *chain[] = {"me", "chain", "12", "a b", "", NULL};
    run("chain", chain, environ);
    char *show[] = {"another name", "show", "", "x=y", "\xff\n", NULL};
    char *envp[] = {"A=1", "B=", "C", "A=2", NULL};
    run("show", show, envp);
    char *none[] = {NULL};
    run("no environment", show, none);

    // A long argument, and one that is too long.
    char *big = malloc(200000);
    memset(big, 'x', 199999);
    big[199999] = 0;
    char *too_big[] = {"me", "show", big, NULL};
    run("too big", too_big, none);
    big[131071] = 0;
    too_big[1] = "nothing";
    run("just not too big", too_big, none);

    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGUSR1, handler);
        signal(SIGUSR2, SIG_IGN);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGHUP);
        prctl(PR_SET_NAME, "before");
        umask(027);
        static char alt[65536];
        stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
        sigaltstack(&ss, NULL);
        struct rlimit rl = {64, 64};
        setrlimit(RLIMIT_NOFILE, &rl);
        int stays = open("/dev/null", O_RDONLY), goes = open("/dev/null", O_RDONLY | O_CLOEXEC);
        char a[12], b[12], c[12];
        snprintf(a, sizeof a, "%d", stays);
        snprintf(b, sizeof b, "%d", goes);
        snprintf(c, sizeof c, "%d", getpid());
        char *args[] = {"me", "kept", a, b, c, NULL};
        execv(self, args);
        _exit(1);
    }
    reap("kept", pid);

    pid = fork();
    if (pid == 0) {
        pthread_t t;
        char me[12];
        snprintf(me, sizeof me, "%d", getpid());
        pthread_create(&t, NULL, executes, me);
        for (;;) pause();
    }
    reap("thread", pid);

    enter_home();
    TRY(execl("missing", "x", (char *)NULL));
    TRY(execl(".", "x", (char *)NULL));
    TRY(execl("/dev/null", "x", (char *)NULL));
    TRY(execl("/dev/null/x", "x", (char *)NULL));
    TRY(execl("", "x", (char *)NULL));
    int fd = open("text", O_WRONLY | O_CREAT, 0755);
    MUST(write(fd, "no program\n", 11) == 11);
    // Open for writing.
    TRY(execl("text", "x", (char *)NULL));
    close(fd);
    TRY(execl("text", "x", (char *)NULL));
    chmod("text", 0644);
    TRY(execl("text", "x", (char *)NULL));
    symlink("loop", "loop");
    TRY(execl("loop", "x", (char *)NULL));
    unlink("loop");

    // A script whose interpreter is this program.
    char exe[512];
    ssize_t n = readlink(self, exe, sizeof exe - 1);
    MUST(n > 0);
    exe[n] = 0;
    symlink(exe, "prog");
    FILE *f = fopen("script", "w");
    fprintf(f, "#! ./prog  show one \t\nanything\n");
    fclose(f);
    chmod("script", 0755);
    pid = fork();
    if (pid == 0) {
        char *args[] = {"name", "1", "2", NULL};
        // Its argument is one word: it is no stage that is known.
        execve("./script", args, none);
        _exit(9);
    }
    reap("script", pid);
    f = fopen("script", "w");
    fprintf(f, "#!./prog show\n");
    fclose(f);
    pid = fork();
    if (pid == 0) {
        char *args[] = {"name", "1", "2", NULL};
        execve("./script", args, none);
        _exit(9);
    }
    reap("script", pid);
    f = fopen("script", "w");
    fprintf(f, "#!/nowhere\n");
    fclose(f);
    TRY(execl("./script", "x", (char *)NULL));

    // By descriptor, and by name relative to a directory.
    pid = fork();
    if (pid == 0) {
        fd = open(exe, O_RDONLY | O_CLOEXEC);
        char *args[] = {"fd", "show", NULL};
        fexecve(fd, args, none);
        _exit(9);
    }
    reap("fexecve", pid);
    pid = fork();
    if (pid == 0) {
        int dir = open(".", O_RDONLY | O_DIRECTORY);
        char *args[] = {"at", "show", NULL};
        syscall(SYS_execveat, dir, "prog", args, none, 0x100);
        printf("execveat: %s\n", ename(errno));
        fflush(stdout);
        syscall(SYS_execveat, dir, "prog", args, none, 0);
        _exit(9);
    }
    reap("execveat", pid);
    // By PATH.
    pid = fork();
    if (pid == 0) {
        clearenv();
        setenv("PATH", "/nowhere:/dev:.", 1);
        execlp("prog", "by path", "show", (char *)NULL);
        _exit(9);
    }
    int status;
    MUST(waitpid(pid, &status, 0) == pid);
    printf("by path: %d\n", WEXITSTATUS(status));
    unlink("prog");
    unlink("script");
    unlink("text");
    leave_home();
    return 0;
}
