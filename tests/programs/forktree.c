// Trees of processes: who is whose parent, statuses that add up, orphans.
#include "common.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/mman.h>

// A binary tree of processes; the number of its nodes is the exit status.
static int tree(int depth) {
    if (depth == 0) return 1;
    int sum = 1;
    pid_t kids[2];
    pid_t me = getpid();
    for (int i = 0; i < 2; i++) {
        kids[i] = fork();
        MUST(kids[i] >= 0);
        if (kids[i] == 0) {
            if (getppid() != me) _exit(200);
            _exit(tree(depth - 1));
        }
    }
    for (int i = 1; i >= 0; i--) {
        int status;
        MUST(waitpid(kids[i], &status, 0) == kids[i]);
        sum += WEXITSTATUS(status);
    }
    return sum;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("tree: %d\n", tree(4));

    // What stdio has not written yet is written by both.
    setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
    printf("twice\n");
    pid_t pid = fork();
    if (pid == 0) exit(0);
    MUST(waitpid(pid, NULL, 0) == pid);
    fflush(stdout);

    // A chain: each waits for its only child.
    int depth = 0;
    while (depth < 12 && (pid = fork()) == 0) depth++;
    if (depth > 0) {
        int status = 0;
        if (depth < 12) MUST(waitpid(pid, &status, 0) == pid);
        _exit(WEXITSTATUS(status) + depth);
    }
    reap("chain", pid);

    // Orphans go to the nearest subreaper.
    MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    pid_t me = getpid();
    int fds[2];
    MUST(pipe(fds) == 0);
    pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 3; i++) {
            if (fork() == 0) {
                char c;
                close(fds[1]);
                // Until everybody else has closed it.
                while (read(fds[0], &c, 1) > 0) {}
                _exit(getppid() == me ? 10 + i : 99);
            }
        }
        _exit(5);
    }
    reap("their parent", pid);
    close(fds[1]);
    close(fds[0]);
    int sum = 0, n = 0, status;
    while (wait(&status) > 0) {
        sum += WEXITSTATUS(status);
        n++;
    }
    printf("orphans: %d, sum %d, then %s\n", n, sum, ename(errno));

    // Private memory is copied, shared memory is not.
    int private = 1;
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(shared != MAP_FAILED);
    for (int i = 0; i < 5; i++) {
        pid = fork();
        if (pid == 0) {
            private += 10;
            *shared += private;
            _exit(private);
        }
        MUST(waitpid(pid, &status, 0) == pid);
    }
    printf("private %d, shared %d\n", private, *shared);

    // Many at once, reaped in the order of their making.
    pid_t kids[40];
    for (int i = 0; i < 40; i++) {
        kids[i] = fork();
        if (kids[i] == 0) _exit(i);
    }
    sum = 0;
    for (int i = 0; i < 40; i++) {
        MUST(waitpid(kids[i], &status, 0) == kids[i]);
        if (WEXITSTATUS(status) == i) sum++;
    }
    printf("in order: %d\n", sum);
    return 7;
}
