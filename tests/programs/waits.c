// waitpid and waitid in all their forms.
#define _GNU_SOURCE
#include "common.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static pid_t child(int code) {
    pid_t pid = fork();
    if (pid == 0) _exit(code);
    MUST(pid > 0);
    return pid;
}

static pid_t sleeper(void) {
    pid_t pid = fork();
    if (pid == 0) for (;;) pause();
    MUST(pid > 0);
    return pid;
}

static void info(const char *what, int r, const siginfo_t *si, pid_t pid) {
    if (r != 0) printf("%s: %s\n", what, ename(errno));
    else if (si->si_pid == 0) printf("%s: nobody\n", what);
    else
        printf("%s: signo %d code %d status %d %s%s\n", what, si->si_signo, si->si_code,
               si->si_status, si->si_pid == pid ? "it" : "another",
               si->si_uid == getuid() ? "" : " of somebody else");
}

#define WAITID(type, id, options)                                                        \
    do {                                                                                 \
        siginfo_t si;                                                                    \
        memset(&si, 0, sizeof si);                                                       \
        int r = waitid(type, id, &si, options);                                          \
        info(#type " " #options, r, &si, pid);                                           \
    } while (0)

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    int status;
    pid_t pid;
    TRY(wait(&status));
    TRY(waitpid(getpid(), &status, 0));
    TRY(waitpid(-1, &status, 0x40));
    TRY(waitid(P_ALL, 0, NULL, 0));
    TRY(waitid(P_PID, 0, NULL, WEXITED));
    TRY(waitid(P_ALL, 0, NULL, WEXITED | WNOHANG));

    pid = sleeper();
    printf("WNOHANG: %d\n", (int)waitpid(pid, &status, WNOHANG));
    WAITID(P_PID, pid, WEXITED | WNOHANG);
    kill(pid, SIGSTOP);
    MUST(waitpid(pid, &status, WUNTRACED) == pid);
    say_status("WUNTRACED", status);
    printf("again: %d\n", (int)waitpid(pid, &status, WUNTRACED | WNOHANG));
    kill(pid, SIGCONT);
    MUST(waitpid(pid, &status, WCONTINUED) == pid);
    say_status("WCONTINUED", status);
    printf("status %#x\n", status);
    kill(pid, SIGSTOP);
    WAITID(P_PID, pid, WSTOPPED | WNOWAIT);
    WAITID(P_PID, pid, WSTOPPED);
    kill(pid, SIGCONT);
    WAITID(P_PID, pid, WCONTINUED);
    kill(pid, SIGTERM);
    WAITID(P_PID, pid, WEXITED | WNOWAIT);
    WAITID(P_ALL, 0, WEXITED | WNOWAIT);
    WAITID(P_PID, pid, WSTOPPED | WNOHANG);
    WAITID(P_PID, pid, WEXITED);
    WAITID(P_PID, pid, WEXITED);

    // Process groups.
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        _exit(4);
    }
    setpgid(pid, pid);
    pid_t other = child(5);
    WAITID(P_PGID, pid, WEXITED);
    pid = other;
    WAITID(P_PGID, 0, WEXITED);
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        _exit(6);
    }
    setpgid(pid, pid);
    MUST(waitpid(-pid, &status, 0) == pid);
    say_status("waitpid(-pgid)", status);
    TRY(waitpid(-pid, &status, 0));
    pid = child(8);
    MUST(waitpid(0, &status, 0) == pid);
    say_status("waitpid(0)", status);

    // The status is a byte; signals.
    reap("exit(-1)", child(-1));
    reap("exit(256 + 3)", child(256 + 3));
    for (int sig = 1; sig < 32; sig++) {
        // What ignores, stops or continues does not kill; cores are left to others.
        if (strchr("\3\4\5\6\7\10\13\21\22\23\24\25\26\27\30\31\34\37", sig)) continue;
        pid = sleeper();
        kill(pid, sig);
        char what[20];
        snprintf(what, sizeof what, "kill %d", sig);
        reap(what, pid);
    }

    // wait4's usage, and a pidfd.
    struct rusage ru;
    memset(&ru, 0xff, sizeof ru);
    pid = child(1);
    MUST(wait4(pid, &status, 0, &ru) == pid);
    printf("usage: %s\n", ru.ru_utime.tv_sec == 0 && ru.ru_nswap == 0 ? "filled" : "not filled");
    pid = sleeper();
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    MUST(fd >= 0);
    WAITID(3, (id_t)fd, WEXITED | WNOHANG);
    MUST(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0);
    WAITID(3, (id_t)fd, WEXITED);
    WAITID(3, (id_t)fd, WEXITED);

    // Ignored children leave nothing.
    signal(SIGCHLD, SIG_IGN);
    child(1);
    child(2);
    TRY(wait(&status));
    struct sigaction sa = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    sigaction(SIGCHLD, &sa, NULL);
    child(3);
    TRY(wait(&status));
    signal(SIGCHLD, SIG_DFL);
    MUST(wait(NULL) == -1);
    return 0;
}
