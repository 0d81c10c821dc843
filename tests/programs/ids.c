// Credentials, as seen by an ordinary user: who is root gives that up first.
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

// As in <linux/capability.h>, which not every compiler finds.
struct cap_header {
    unsigned version;
    int pid;
};
struct cap_data {
    unsigned effective, permitted, inheritable;
};

static uid_t me;
static void show(const char *what) {
    uid_t r, e, s;
    gid_t gr, ge, gs;
    MUST(getresuid(&r, &e, &s) == 0 && getresgid(&gr, &ge, &gs) == 0);
    printf("%s: %d%d%d %d%d%d\n", what, r == me, e == me, s == me, gr == ge, ge == gs, getegid() == ge);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    enter_home();
    if (geteuid() == 0) {
        MUST(chown(".", 1000, 1000) == 0 && setgroups(0, NULL) == 0);
        MUST(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
    }
    me = getuid();
    show("at first");
    TRY(setuid(me));
    TRY(setuid(me + 1));
    TRY(seteuid(0));
    TRY(setreuid(me, me));
    TRY(setreuid(me + 1, (uid_t)-1));
    TRY(setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1));
    TRY(setresuid((uid_t)-1, 0, (uid_t)-1));
    TRY(setgid(getgid()));
    TRY(setgid(getgid() + 1));
    TRY(setregid(getgid(), getegid()));
    TRY(setresgid(0, (gid_t)-1, (gid_t)-1));
    TRY(setgroups(0, NULL));
    show("then");
    printf("fsuid %d", setfsuid(0) == (int)me);
    printf(" %d\n", setfsuid(me) == (int)me);
    volatile int minus = -1;
    TRY(getgroups(minus, NULL));
    printf("groups %d\n", getgroups(0, NULL) >= 0);

    // What an ordinary user may not.
    TRY(chroot("/"));
    TRY(kill(1, SIGTERM));
    TRY(kill(1, 0));
    TRY(open("/dev/null", O_RDONLY | O_CREAT | O_EXCL, 0600));
    TRY(mknod("dev", S_IFCHR | 0600, 0x103));
    TRY(sethostname("x", 1));
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_max += 1;
    TRY(setrlimit(RLIMIT_NOFILE, &rl));
    errno = 0;
    printf("nice %d", nice(-1));
    printf(" %s\n", ename(errno));
    TRY(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) - 1));
    TRY(setpriority(PRIO_PROCESS, 1, 5));
    struct cap_header head = {0x20080522, 0};
    struct cap_data data[2];
    MUST(syscall(SYS_capget, &head, data) == 0);
    printf("caps %#x %#x\n", data[0].effective, data[0].permitted);
    data[0].permitted = data[0].effective = 1;
    TRY(syscall(SYS_capset, &head, data));
    head.version = 1;
    TRY(syscall(SYS_capget, &head, data));
    printf("version %#x\n", head.version);

    // Permissions of files.
    umask(0);
    int fd = open("f", O_RDWR | O_CREAT, 0400);
    MUST(fd >= 0);
    TRY(open("f", O_RDONLY));
    TRY(open("f", O_WRONLY));
    TRY(access("f", R_OK));
    TRY(access("f", W_OK));
    TRY(access("f", X_OK));
    MUST(chmod("f", 0077) == 0);
    TRY(open("f", O_RDONLY));
    MUST(fchmod(fd, 02770) == 0);
    struct stat st;
    MUST(fstat(fd, &st) == 0);
    printf("mode %o\n", st.st_mode & 07777);
    TRY(chown("f", me, (gid_t)-1));
    TRY(chown("f", 0, (gid_t)-1));
    MUST(mkdir("d", 0700) == 0 && chmod("d", 0500) == 0);
    TRY(open("d/x", O_CREAT | O_WRONLY, 0600));
    TRY(mkdir("d/x", 0700));
    TRY(rename("f", "d/f"));
    MUST(chmod("d", 0600) == 0);
    TRY(open("d/x", O_RDONLY));
    TRY(chdir("d"));
    MUST(chmod("d", 0) == 0);
    TRY(open("d", O_RDONLY | O_DIRECTORY));
    MUST(write(fd, "x", 1) == 1);
    MUST(chmod("f", 0) == 0 && rename("f", "g") == 0);
    TRY(execl("g", "g", (char *)NULL));
    MUST(unlink("g") == 0 && rmdir("d") == 0);

    pid_t pid = fork();
    if (pid == 0) _exit(getuid() == me && geteuid() == me ? 0 : 1);
    reap("inherited", pid);
    // /tmp is sticky, but this entry is its own.
    leave_home();
    return 0;
}
