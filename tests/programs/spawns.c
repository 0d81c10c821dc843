// Other ways to make processes: vfork, posix_spawn, clone with flags, daemons.
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

extern char **environ;
static volatile int variable = 1;
static char stack[65536] __attribute__((aligned(16)));

static int in_clone(void *arg) {
    variable += 10;
    return (int)(long)arg;
}
static int changes(void *arg) {
    (void)arg;
    MUST(chdir("/") == 0);
    umask(077);
    close(9);
    return 0;
}

static int stage(int argc, char **argv) {
    sigset_t set;
    sigprocmask(SIG_SETMASK, NULL, &set);
    struct sigaction sa;
    sigaction(SIGUSR2, NULL, &sa);
    printf("%s: %d arguments, env %s, blocked %d, default %d, own group %d\n", argv[1], argc,
           getenv("WHAT") ? getenv("WHAT") : "-", sigismember(&set, SIGUSR1),
           sa.sa_handler == SIG_DFL, getpgrp() == getpid());
    char buf[16] = {0};
    ssize_t n = read(0, buf, 15);
    printf("input %zd %s\n", n, n > 0 ? buf : "");
    return 40 + argc;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) return stage(argc, argv);
    // vfork: the parent waits, and its memory is used.
    pid_t pid = vfork();
    if (pid == 0) {
        variable = 2;
        _exit(3);
    }
    printf("vfork: variable %d\n", variable);
    reap("vfork", pid);
    pid = vfork();
    if (pid == 0) {
        execl("/proc/self/exe", "me", "vforked", (char *)NULL);
        _exit(9);
    }
    reap("vfork and exec", pid);
    pid = vfork();
    if (pid == 0) {
        execl("/nowhere", "me", (char *)NULL);
        variable = errno;
        _exit(9);
    }
    printf("vfork's error: %s\n", ename(variable));
    reap("vfork", pid);

    // posix_spawn.
    enter_home();
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&at);
    int fd = open("in", O_RDWR | O_CREAT, 0600);
    MUST(write(fd, "input", 5) == 5);
    close(fd);
    posix_spawn_file_actions_addopen(&fa, 5, "in", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&fa, 5, 0);
    posix_spawn_file_actions_addclose(&fa, 5);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    signal(SIGUSR2, SIG_IGN);
    posix_spawnattr_setsigmask(&at, &set);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    posix_spawnattr_setsigdefault(&at, &set);
    posix_spawnattr_setpgroup(&at, 0);
    posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    char *args[] = {"me", "spawned", "x", NULL}, *env[] = {"WHAT=this", NULL};
    MUST(posix_spawn(&pid, "/proc/self/exe", &fa, &at, args, env) == 0);
    reap("posix_spawn", pid);
    MUST(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args, environ) == 0);
    reap("plain", pid);
    printf("no program: %s\n", ename(posix_spawn(&pid, "/nowhere", NULL, NULL, args, env)));
    posix_spawn_file_actions_addopen(&fa, 6, "missing", O_RDONLY, 0);
    printf("no file: %s\n", ename(posix_spawn(&pid, "/proc/self/exe", &fa, &at, args, env)));
    unlink("in");
    printf("children: %s\n", wait(NULL) == -1 ? ename(errno) : "some");
    signal(SIGUSR2, SIG_DFL);

    // clone: memory shared or not, files and directory shared or not.
    variable = 1;
    pid = clone(in_clone, stack + sizeof stack, SIGCHLD, (void *)5);
    reap("clone", pid);
    printf("not shared %d\n", variable);
    pid = clone(in_clone, stack + sizeof stack, CLONE_VM | SIGCHLD, (void *)6);
    reap("CLONE_VM", pid);
    printf("shared %d\n", variable);
    pid = clone(in_clone, stack + sizeof stack, CLONE_VM | CLONE_VFORK, (void *)7);
    TRY(waitpid(pid, NULL, 0));
    int status;
    MUST(waitpid(pid, &status, __WCLONE) == pid);
    say_status("without a signal", status);
    for (int i = 0; i < 2; i++) {
        MUST(dup2(1, 9) == 9);
        umask(022);
        MUST(chdir(home_dir) == 0);
        pid = clone(changes, stack + sizeof stack, (i ? CLONE_FS | CLONE_FILES : 0) | SIGCHLD, NULL);
        MUST(waitpid(pid, &status, 0) == pid);
        char cwd[100];
        MUST(getcwd(cwd, sizeof cwd));
        printf("%s: directory %s, umask %o, descriptor %s\n", i ? "shared" : "own",
               strcmp(cwd, "/") == 0 ? "/" : "the same", umask(0),
               fcntl(9, F_GETFD) == -1 ? ename(errno) : "open");
    }
    umask(022);
    pid_t child_tid = 0, parent_tid = 0;
    pid = (pid_t)syscall(SYS_clone, CLONE_CHILD_SETTID | CLONE_PARENT_SETTID | SIGCHLD, NULL,
                         &parent_tid, &child_tid, 0);
    if (pid == 0) _exit(child_tid == getpid() ? 1 : 0);
    printf("tids: %d %d\n", parent_tid == pid, child_tid);
    reap("CHILD_SETTID", pid);
    TRY(syscall(SYS_clone, CLONE_THREAD, NULL, NULL, NULL, 0));
    TRY(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, NULL, NULL, NULL, 0));
    TRY(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, 0));

    // A daemon: its parent ends, it is a session of its own.
    int p[2];
    MUST(pipe(p) == 0);
    pid = fork();
    if (pid == 0) {
        MUST(setsid() == getpid());
        if (fork() > 0) _exit(0);
        dprintf(p[1], "session %d group %d\n", getsid(0) != getpid(), getpgrp() == getsid(0));
        _exit(0);
    }
    close(p[1]);
    reap("daemon's parent", pid);
    char buf[64];
    ssize_t n;
    while ((n = read(p[0], buf, sizeof buf)) > 0) printf("%.*s", (int)n, buf);
    leave_home();
    return 0;
}
