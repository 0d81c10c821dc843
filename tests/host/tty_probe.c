/* What the running kernel says of terminals, a line a question: as root, for
 * stealing one and vhangup(2) need the initial user namespace. The same is
 * asked of the model in tests/linux_facts/terminals.rs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static char name[64];
static int m, s, v;

static void say(const char *what, long ret)
{
    if (ret < 0)
        printf("%s: %s\n", what, strerrorname_np(errno));
    else
        printf("%s: %ld\n", what, ret);
    fflush(stdout);
}

/* Whether a name can be opened. */
static void opens(const char *what, const char *path, int flags)
{
    int fd = open(path, flags, 0600);
    say(what, fd < 0 ? -1 : 0);
    if (fd >= 0)
        close(fd);
}

static int lock(int on)
{
    return ioctl(m, TIOCSPTLCK, &on);
}

static int spgrp(int fd, int pgrp)
{
    return ioctl(fd, TIOCSPGRP, &pgrp);
}

/* Whether a request about oneself gives oneself. */
static void own(const char *what, int fd, unsigned long request, int pid)
{
    int ret = ioctl(fd, request, &v);
    say(what, ret < 0 ? ret : v == pid);
}

static void in_child(void (*body)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        body();
        _exit(0);
    }
    waitpid(pid, &v, 0);
}

static void robber(void)
{
    say("setsid", setsid() < 0 ? -1 : 0);
    say("held by another session", ioctl(s, TIOCSCTTY, 0));
    say("stolen by root", ioctl(s, TIOCSCTTY, 1));
    own("now the thief's", s, TIOCGSID, getpid());
    say("a second one", ioctl(m, TIOCSCTTY, 0));
}

static void user(void)
{
    setsid();
    if (setuid(65534) == 0) {
        say("stolen by a user", ioctl(s, TIOCSCTTY, 1));
        say("vhangup by a user", syscall(SYS_vhangup));
    }
}

int main(void)
{
    char buf[64];
    if (getuid() != 0 || (m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)) < 0 ||
        ioctl(m, TIOCGPTN, &v) < 0)
        return 2;
    snprintf(name, sizeof name, "/dev/pts/%d", v);
    signal(SIGHUP, SIG_IGN);
    if (fork() != 0) {
        close(m);
        wait(&v);
        return 0;
    }
    say("is locked", (ioctl(m, TIOCGPTLCK, &v), v));
    opens("open while locked", name, O_RDWR);
    lock(0);
    setsid();
    opens("open /dev/tty without one", "/dev/tty", O_RDWR);
    own("the master asks who is in front", m, TIOCGPGRP, 0);
    own("the master asks whose it is", m, TIOCGSID, 0);
    s = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
    own("O_NOCTTY", s, TIOCGPGRP, getpid());
    say("TIOCNOTTY of another's", ioctl(s, TIOCNOTTY, 0));
    int w = open(name, O_WRONLY | O_NONBLOCK);
    own("opened to write", s, TIOCGPGRP, getpid());
    say("TIOCSCTTY of a writer, as root", ioctl(w, TIOCSCTTY, 0));
    own("who is in front", s, TIOCGPGRP, getpid());
    own("whose it is, by the master", m, TIOCGSID, getpid());
    say("TIOCSCTTY again", ioctl(s, TIOCSCTTY, 0));
    say("TIOCNOTTY of the master", ioctl(m, TIOCNOTTY, 0));
    say("a group that nobody has", spgrp(s, 99999));
    say("a negative group", spgrp(s, -5));
    say("a group of another session", spgrp(s, 1));
    say("by the master", spgrp(m, getpid()));
    say("its number, by the slave", ioctl(s, TIOCGPTN, &v));
    say("a request nobody knows", ioctl(s, 0x5499, &v));
    say("flags", fcntl(s, F_GETFL));
    say("unlink", unlink(name));
    say("rmdir", rmdir(name));
    say("mkdir", mkdir("/dev/pts/x", 0700));
    opens("creat", "/dev/pts/x", O_CREAT | O_RDWR);
    say("lseek", lseek(s, 0, SEEK_CUR));
    say("pread", pread(s, buf, 1, 0));
    in_child(user);
    in_child(robber);
    /* The thief has ended, so it is free again. */
    own("robbed", s, TIOCGPGRP, getpid());
    say("taken back", ioctl(s, TIOCSCTTY, 0));
    lock(1);
    opens("open while locked", name, O_RDWR);
    say("write after that", write(s, "x", 1));
    say("read after that", read(s, buf, 1));
    lock(0);
    close(open(name, O_RDWR));
    say("write after an open", write(s, "x", 1));
    say("vhangup", syscall(SYS_vhangup));
    say("read", read(s, buf, 1));
    say("write", write(s, "x", 1));
    say("TIOCGPGRP", ioctl(s, TIOCGPGRP, &v));
    say("TIOCSPGRP", spgrp(s, getpid()));
    s = open(name, O_RDWR | O_NONBLOCK);
    own("opened again", s, TIOCGPGRP, getpid());
    say("read", read(s, buf, 1));
    close(m);
    opens("the master is closed, open", name, O_RDWR);
    opens("open /dev/tty", "/dev/tty", O_RDWR);
    say("read", read(s, buf, 1));
    return 0;
}
