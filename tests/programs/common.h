// What several programs need: asserting, and a directory of one's own.
#ifndef COMMON_H
#define COMMON_H
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Ends the program with the failed expression's line.
#define MUST(e)                                                                          \
    do {                                                                                 \
        if (!(e)) {                                                                      \
            printf("line %d: %s: errno %d\n", __LINE__, #e, errno);                      \
            fflush(stdout);                                                              \
            _exit(99);                                                                   \
        }                                                                                \
    } while (0)

// The names of the errors that the programs meet.
static inline const char *ename(int e) {
    switch (e) {
#define E(n)                                                                             \
    case n:                                                                              \
        return #n
        E(EPERM); E(ENOENT); E(ESRCH); E(EINTR); E(EIO); E(ENXIO); E(E2BIG); E(ENOEXEC);
        E(EBADF); E(ECHILD); E(EAGAIN); E(ENOMEM); E(EACCES); E(EFAULT); E(EBUSY);
        E(EEXIST); E(EXDEV); E(ENODEV); E(ENOTDIR); E(EISDIR); E(EINVAL); E(ENFILE);
        E(EMFILE); E(ENOTTY); E(ETXTBSY); E(EFBIG); E(ENOSPC); E(ESPIPE); E(EROFS);
        E(EMLINK); E(EPIPE); E(EDOM); E(ERANGE); E(EDEADLK); E(ENAMETOOLONG); E(ENOSYS);
        E(ENOTEMPTY); E(ELOOP); E(EOVERFLOW); E(EOPNOTSUPP); E(ETIMEDOUT); E(ECANCELED);
#undef E
    case 0:
        return "ok";
    }
    return "another error";
}

// The result of a call that should fail, or not.
#define TRY(e)                                                                           \
    do {                                                                                 \
        errno = 0;                                                                       \
        long r_ = (long)(e);                                                             \
        printf("%s: %s\n", #e, r_ == -1 ? ename(errno) : "ok");                          \
    } while (0)

static char home_dir[] = "/tmp/forkyard.XXXXXX";

// Works in a directory of its own.
static inline void enter_home(void) {
    MUST(mkdtemp(home_dir));
    MUST(chdir(home_dir) == 0);
}

// Leaves it and removes it: it must be empty by now.
static inline void leave_home(void) {
    MUST(chdir("/") == 0);
    MUST(rmdir(home_dir) == 0);
}

static inline void say_status(const char *what, int status) {
    if (WIFEXITED(status)) printf("%s: exit %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status)) printf("%s: signal %d\n", what, WTERMSIG(status));
    else if (WIFSTOPPED(status)) printf("%s: stopped by %d\n", what, WSTOPSIG(status));
    else if (WIFCONTINUED(status)) printf("%s: continued\n", what);
}

// Waits for a child and says how it ended.
static inline void reap(const char *what, pid_t pid) {
    int status;
    pid_t got;
    do got = waitpid(pid, &status, 0);
    while (got == -1 && errno == EINTR);
    MUST(got == pid);
    say_status(what, status);
    fflush(stdout);
}
#endif
