//! Making, ending and waiting for tasks.

use super::{fails, failure, holds, prints, run_within};
use crate::script::limits::Limits;

#[test]
fn cow_and_vfork_print_what_the_notes_say() {
    let program = |make: &str| {
        format!(
            "init.define(\"data\", 10);
             let child = init.{make}();
             print(child.vars.data);
             child.vars.data = 20;
             print(child.vars.data);
             child.exit(0);
             if init.state == \"R\" {{ init.wait(); }}
             print(init.vars.data);"
        )
    };
    assert_eq!(prints(&program("fork")), "10\n20\n10\n");
    assert_eq!(prints(&program("vfork")), "10\n20\n20\n");
}

#[test]
fn a_child_is_waited_for() {
    assert_eq!(
        prints("let c = init.fork(); print(c); c.exit(3); print(c); print(init.wait()); print(c)"),
        "task 3 (init) R\ntask 3 (init) Z\ntask 3 exited with 3\ntask 3 (reaped)\n"
    );
    holds(
        "let c = init.fork(); c.exit(3);
         assert(init.wait().task == c);
         let inner = init.clone(CLONE_NEWPID | SIGCHLD); let d = inner.fork(); d.exit(0);
         let w = inner.wait();
         assert(w.pid == 2 && w.task == d && `${w.task}` == `task ${d.pid} (reaped)`);
         assert(boot(#{}) != machine);
         let before = machine.snapshot(); init.fork();
         assert(machine.snapshot() != before);",
    );
    let gone = "let c = init.fork(); c.exit(3); init.wait(); c.comm";
    assert_eq!(fails(gone), "task 3 no longer exists: it was reaped");
    holds(
        "let c = init.fork();
         assert(c.parent == init && init.children == [c] && c.regs.ax == 0 && init.regs.ax == c.pid);
         assert(init.waitpid(c, WNOHANG) == ());
         c.exit(7);
         assert(c.zombie && c.dead && !c.alive && c.mm == () && c.exit_state == EXIT_ZOMBIE);
         let w = init.waitid(P_PID, c, WEXITED | WNOWAIT);
         assert(w.si_code == \"CLD_EXITED\" && w.si_status == 7 && w.task.zombie);
         let w = init.wait4(c, WNOHANG);
         assert(w.exited && w.exit_status == 7 && w.status == 0x700 && w.signal == ());
         assert(WIFEXITED(w) && WEXITSTATUS(w.status) == 7 && !w.task.exists());
         assert_errno(ECHILD, || init.wait());",
    );
}

#[test]
fn a_call_that_sleeps_is_asked_later() {
    holds(
        "let c = init.fork();
         let w = init.wait();
         assert(!w.done && w.task == init && w.wait == \"a child to change state\");
         assert(init.state == \"S\" && init.waits_for == w.wait);
         c.exit(4);
         assert(w.done && w.value.exit_status == 4 && w.value.pid == c.pid && !w.died);
         assert(init.getpid() == 1);",
    );
    let early = "let c = init.fork();\nlet w = init.wait();\nprint(w.value);";
    assert!(fails(early).starts_with("wait() by task 1 has not returned"));
    let used = "let c = init.fork();\nlet w = init.wait();\ninit.getpid();";
    let report = failure(used);
    for part in [
        "task 1 is waiting in wait() and cannot getpid now",
        "waiting since this call",
        "it waits for a child to change state",
        "test.rhai:3:6",
    ] {
        assert!(report.contains(part), "{report}");
    }
    let died = "let c = init.fork(); let d = c.fork(); let w = c.wait(); init.kill(c, SIGKILL);
                assert(w.done && w.died); w.value";
    assert!(fails(died).starts_with("task 3 died in wait()"));
}

#[test]
fn a_vfork_parent_sleeps_until_the_child_lets_go() {
    let report = failure("let v = init.vfork();\ninit.getpid()");
    assert!(report.contains("it waits for its vfork child 3 to exec or exit"), "{report}");
    holds(
        "let v = init.vfork();
         assert(init.state == \"D\" && v.vfork_done && v.mm == init.mm && v.mm.mm_users == 2);
         v.execve(\"/bin/true\", [\"true\"]);
         assert(init.state == \"R\" && v.mm != init.mm && v.comm == \"true\");
         v.exit(0);
         init.wait();",
    );
}

#[test]
fn clone_shares_what_its_flags_say() {
    holds(
        "let t = init.clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD);
         let s = shares(init, t);
         assert(s.mm && s.fs && s.files && s.sighand && s.signal && s.kind == \"thread\");
         assert(t.tgid == 1 && t.group_leader == init && init.threads == [init, t]);
         assert(init.mm.mm_users == 2 && init.sighand.count == 2 && t.exit_signal == -1);
         t.exit(0);
         assert(!t.exists());
         let c = init.clone(#{flags: CLONE_FILES, exit_signal: SIGCHLD, set_tid: [77]});
         assert(c.pid == 77 && shares(init, c).files && !shares(init, c).mm);
         c.exit(0); init.wait();
         let made = init.clone(CLONE_PIDFD | SIGCHLD);
         assert(made.task.pid > 2 && made.pidfd >= 3);
         made.task.exit(1);
         assert(init.waitid(P_PIDFD, made.pidfd, WEXITED).exit_status == 1);",
    );
    let report = failure("init.clone(CLONE_THREAD | SIGCHLD)");
    for part in ["EINVAL: clone(CLONE_THREAD|SIGCHLD) by task 1 was refused", "CLONE_SIGHAND"] {
        assert!(report.contains(part), "{report}");
    }
    let help = failure("init.clone(#{flags: CLONE_VM, stak: 0})");
    assert!(help.contains("clone has no argument `stak`"), "{help}");
    assert!(help.contains("flags, pidfd, child_tid"), "{help}");
}

#[test]
fn the_raw_door_takes_numbers_and_names() {
    holds(
        "assert(init.syscall(39) == 1 && init.syscall(\"getpid\") == 1);
         assert_errno(ENOSYS, || init.syscall(\"socket\", 1, 2, 3));
         assert_errno(ENOSYS, || init.syscall(100000));
         assert_errno(ENOSYS, || init.syscall(-1));
         let c = init.fork();
         assert_errno(EINVAL, || init.syscall(\"kill\", c, 65));
         assert(init.syscall(\"kill\", [c, SIGKILL]) == 0 && c.zombie);
         init.wait();",
    );
    assert!(fails("init.syscall(\"getpdi\")").contains("no system call named"));
}

#[test]
fn a_fork_bomb_meets_the_limit() {
    let limits = Limits { tasks: 20, ..Limits::default() };
    let (_, result) = run_within(limits, "loop { init.fork(); }");
    let message = result.unwrap_err().report.message;
    assert_eq!(message, "limit reached: 20 tasks at once in one machine");
    // Without ours, the kernel's own comes first.
    assert!(fails("loop { init.fork(); }").starts_with("EAGAIN"), "threads-max or RLIMIT_NPROC");
}

#[test]
fn events_carry_the_script_line() {
    assert_eq!(
        prints(
            "let t = trace(|| {\n  init.fork()\n});\nprint(t.lines[0].place); print(\"copy_mm\" in t);"
        ),
        "test.rhai:2\ntrue\n"
    );
}
