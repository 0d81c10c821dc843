// Sessions and process groups, and job control without a terminal.
#define _GNU_SOURCE
#include "common.h"
#include <signal.h>

static volatile int got;
static void note(int sig) { got = got * 100 + sig; }

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    int p[2];
    char c;
    pid_t pid = fork();
    if (pid == 0) {
        // A new session: leader of session and group.
        pid_t me = getpid();
        printf("setsid %d", setsid() == me);
        printf(" sid %d pgid %d\n", getsid(0) == me, getpgid(0) == me);
        TRY(setsid());
        TRY(setpgid(0, 0));
        MUST(pipe(p) == 0);
        pid_t kid = fork();
        if (kid == 0) {
            close(p[1]);
            MUST(read(p[0], &c, 1) == 0);
            _exit(getpgrp() == getpid() ? 0 : getpgrp() == me ? 1 : 2);
        }
        MUST(setpgid(kid, 0) == 0);
        printf("child's group %d\n", getpgid(kid) == kid);
        TRY(setpgid(kid, me));
        TRY(setpgid(kid, kid));
        TRY(setpgid(kid, 0x3ffffff));
        TRY(setpgid(kid, -1));
        TRY(setpgid(0x3ffffff, 0));
        TRY(getpgid(0x3ffffff));
        TRY(getsid(-1));
        close(p[1]);
        reap("child", kid);
        close(p[0]);

        // A child that has executed a program, or is of another session, is left alone.
        MUST(pipe(p) == 0);
        kid = fork();
        if (kid == 0) {
            MUST(setsid() == getpid() && write(p[1], "x", 1) == 1);
            for (;;) pause();
        }
        MUST(read(p[0], &c, 1) == 1);
        TRY(setpgid(kid, kid));
        TRY(setpgid(0, kid));
        kill(kid, SIGKILL);
        reap("of another session", kid);

        // Signals to groups.
        signal(SIGUSR1, note);
        pid_t kids[3];
        for (int i = 0; i < 3; i++) {
            kids[i] = fork();
            if (kids[i] == 0) {
                setpgid(0, i == 0 ? 0 : kids[0]);
                signal(SIGUSR1, SIG_DFL);
                MUST(write(p[1], "x", 1) == 1);
                for (;;) pause();
            }
            MUST(read(p[0], &c, 1) == 1);
        }
        MUST(kill(-kids[0], SIGUSR1) == 0);
        for (int i = 0; i < 3; i++) reap("of the group", kids[i]);
        TRY(kill(-kids[0], SIGUSR1));
        printf("own group: %d", kill(0, SIGUSR1));
        printf(" %d\n", got == SIGUSR1);
        TRY(killpg(me, 0));
        _exit(3);
    }
    reap("session", pid);

    // The default of stop signals counts for nothing in an orphaned group.
    MUST(pipe(p) == 0);
    pid = fork();
    if (pid == 0) {
        MUST(setsid() == getpid());
        raise(SIGTSTP);
        raise(SIGTTIN);
        raise(SIGTTOU);
        printf("not stopped\n");
        _exit(0);
    }
    reap("orphaned group", pid);

    // A group that becomes orphaned while a member is stopped: HUP, then CONT.
    pid = fork();
    if (pid == 0) {
        MUST(setsid() == getpid());
        pid_t mid = fork();
        if (mid == 0) {
            pid_t kid = fork();
            if (kid == 0) {
                setpgid(0, 0);
                sigset_t both, none;
                sigemptyset(&none);
                sigemptyset(&both);
                sigaddset(&both, SIGHUP);
                sigaddset(&both, SIGCONT);
                sigprocmask(SIG_BLOCK, &both, NULL);
                signal(SIGHUP, note);
                signal(SIGCONT, note);
                raise(SIGSTOP);
                sigset_t now;
                while (sigpending(&now) == 0 && !sigismember(&now, SIGHUP)) usleep(500);
                sigprocmask(SIG_SETMASK, &none, NULL);
                MUST(write(p[1], got == 118 || got == 1801 ? "y" : "n", 1) == 1);
                _exit(0);
            }
            setpgid(kid, kid);
            int status;
            MUST(waitpid(kid, &status, WUNTRACED) == kid && WIFSTOPPED(status));
            _exit(0);
        }
        MUST(waitpid(mid, NULL, 0) == mid);
        _exit(0);
    }
    reap("its parent", pid);
    MUST(read(p[0], &c, 1) == 1);
    printf("HUP and CONT: %c\n", c);

    // Stopped and continued, as the parent is told.
    pid = fork();
    if (pid == 0) {
        for (;;) pause();
    }
    int status;
    for (int i = 0; i < 2; i++) {
        kill(pid, SIGSTOP);
        MUST(waitpid(pid, &status, WUNTRACED) == pid);
        say_status("stop", status);
        kill(pid, SIGCONT);
        MUST(waitpid(pid, &status, WCONTINUED) == pid);
        say_status("cont", status);
    }
    // Continued before anybody looked.
    kill(pid, SIGSTOP);
    siginfo_t si;
    MUST(waitid(P_PID, (id_t)pid, &si, WSTOPPED | WNOWAIT) == 0);
    kill(pid, SIGCONT);
    MUST(waitpid(pid, &status, WUNTRACED | WCONTINUED) == pid);
    say_status("then", status);
    // A stopped process dies of SIGKILL only; others wait for SIGCONT.
    kill(pid, SIGSTOP);
    MUST(waitpid(pid, &status, WUNTRACED) == pid);
    kill(pid, SIGTERM);
    usleep(3000);
    printf("still there: %d\n", (int)waitpid(pid, &status, WNOHANG));
    kill(pid, SIGCONT);
    reap("then", pid);
    return 0;
}
