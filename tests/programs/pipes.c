// Pipes and FIFOs: a pipeline, their ends, room, and what does not block.
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

static volatile int sigpipe;
static void on_pipe(int sig) { sigpipe = sig; }

// A process that copies and changes.
static pid_t filter(int in, int out, int add) {
    pid_t pid = fork();
    if (pid != 0) return pid;
    char c;
    for (int fd = 3; fd < 40; fd++)
        if (fd != in && fd != out) close(fd);
    while (read(in, &c, 1) == 1) {
        c = (char)(c + add);
        MUST(write(out, &c, 1) == 1);
    }
    _exit(add);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    char buf[256];
    int chain[5][2];
    for (int i = 0; i < 5; i++) MUST(pipe(chain[i]) == 0);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) pids[i] = filter(chain[i][0], chain[i + 1][1], i + 1);
    for (int i = 0; i < 4; i++) {
        close(chain[i][0]);
        close(chain[i + 1][1]);
    }
    MUST(write(chain[0][1], "ABCabc012", 9) == 9);
    close(chain[0][1]);
    size_t have = 0;
    ssize_t n;
    while ((n = read(chain[4][0], buf + have, sizeof buf - have)) > 0) have += (size_t)n;
    printf("%.*s\n", (int)have, buf);
    for (int i = 0; i < 4; i++) reap("filter", pids[i]);
    close(chain[4][0]);

    int p[2];
    MUST(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0);
    printf("size %d, flags %#x %#x, %d\n", fcntl(p[0], F_GETPIPE_SZ),
           (unsigned)fcntl(p[0], F_GETFL) & 0xfffu, (unsigned)fcntl(p[1], F_GETFL) & 0xfffu,
           fcntl(p[0], F_GETFD));
    TRY(read(p[0], buf, 1));
    TRY(write(p[0], buf, 1));
    TRY(read(p[1], buf, 1));
    TRY(lseek(p[0], 0, SEEK_SET));
    TRY(pread(p[0], buf, 1, 0));
    TRY(read(p[0], buf, 0));
    static char block[PIPE_BUF];
    int blocks = 0;
    while (write(p[1], block, sizeof block) == sizeof block) blocks++;
    printf("full after %d blocks: %s\n", blocks, ename(errno));
    TRY(write(p[1], block, 1));
    // Room for one page only: less than it is all or nothing, more is short.
    MUST(read(p[0], block, 100) == 100);
    TRY(write(p[1], block, 100));
    for (int got = 100; got < PIPE_BUF; got += 333) {
        int want = PIPE_BUF - got < 333 ? PIPE_BUF - got : 333;
        MUST(read(p[0], block, (size_t)want) == want);
    }
    static char large[3 * PIPE_BUF];
    printf("short write %zd\n", write(p[1], large, sizeof large));
    int queued;
    MUST(ioctl(p[0], FIONREAD, &queued) == 0);
    printf("queued %d\n", queued);
    printf("smaller: %s\n", fcntl(p[1], F_SETPIPE_SZ, 4096) == -1 ? ename(errno) : "ok");
    while (read(p[0], large, sizeof large) > 0) {}
    printf("now %d\n", fcntl(p[1], F_SETPIPE_SZ, 5000));
    printf("room for %zd\n", write(p[1], large, sizeof large));

    struct pollfd pf[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
    printf("poll %d: %#x %#x\n", poll(pf, 2, 0), pf[0].revents, pf[1].revents);
    while (read(p[0], large, sizeof large) > 0) {}
    printf("poll %d: %#x %#x\n", poll(pf, 2, 0), pf[0].revents, pf[1].revents);
    close(p[1]);
    pf[1].fd = -1;
    printf("hung up %d: %#x %#x, read %zd\n", poll(pf, 2, 0), pf[0].revents, pf[1].revents,
           read(p[0], buf, 1));
    close(p[0]);

    MUST(pipe(p) == 0);
    close(p[0]);
    signal(SIGPIPE, SIG_IGN);
    TRY(write(p[1], "x", 1));
    signal(SIGPIPE, on_pipe);
    TRY(write(p[1], "x", 1));
    printf("handled %d\n", sigpipe == SIGPIPE);
    signal(SIGPIPE, SIG_DFL);
    struct pollfd err = {p[1], POLLOUT, 0};
    MUST(poll(&err, 1, 0) == 1);
    printf("poll %#x\n", err.revents);
    pid_t pid = fork();
    if (pid == 0) {
        if (write(p[1], "x", 1) == -1) _exit(1);
        _exit(0);
    }
    reap("writer without a reader", pid);
    close(p[1]);

    // Vectors; a blocked writer goes on when there is room.
    MUST(pipe(p) == 0);
    pid = fork();
    if (pid == 0) {
        close(p[0]);
        for (int i = 0; i < 64; i++) {
            memset(large, 'a' + i % 26, sizeof large);
            struct iovec iov[3] = {{large, 1000}, {large + 5000, 2000}, {large, 1096}};
            MUST(writev(p[1], iov, 3) == 4096);
        }
        _exit(0);
    }
    close(p[1]);
    long total = 0, weight = 0;
    while ((n = read(p[0], large, 777)) > 0) {
        total += n;
        for (ssize_t i = 0; i < n; i++) weight += large[i];
    }
    printf("total %ld, weight %ld\n", total, weight);
    reap("writer", pid);
    close(p[0]);

    enter_home();
    MUST(mkfifo("fifo", 0600) == 0);
    TRY(mkfifo("fifo", 0600));
    TRY(open("fifo", O_WRONLY | O_NONBLOCK));
    int r = open("fifo", O_RDONLY | O_NONBLOCK);
    MUST(r >= 0);
    printf("no writer yet: %zd\n", read(r, buf, 1));
    int w = open("fifo", O_WRONLY | O_NONBLOCK);
    TRY(read(r, buf, 1));
    MUST(write(w, "abc", 3) == 3);
    close(w);
    printf("%zd %zd\n", read(r, buf, 10), read(r, buf, 10));
    close(r);
    pid = fork();
    if (pid == 0) {
        int fd = open("fifo", O_WRONLY);
        dprintf(fd, "through the %s\n", "fifo");
        close(fd);
        _exit(0);
    }
    r = open("fifo", O_RDONLY);
    n = 0;
    have = 0;
    while ((n = read(r, buf + have, sizeof buf - have)) > 0) have += (size_t)n;
    printf("%.*s", (int)have, buf);
    struct stat st;
    fstat(r, &st);
    printf("%d %d\n", S_ISFIFO(st.st_mode), (int)st.st_size);
    close(r);
    reap("opener", pid);
    unlink("fifo");
    leave_home();
    return 0;
}
