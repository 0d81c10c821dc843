//! Stopping and continuing: groups, orphans, sessions.

use super::*;

#[test]
fn stop_and_continue() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    let stop = Signal::SIGSTOP;
    w.kill(init, t, stop);
    assert_eq!(w.state(t), 'T');
    assert_eq!(status(&mut w, init, WNOHANG), None);
    assert_eq!(status(&mut w, init, WUNTRACED | WNOHANG), Some(WaitStatus::Stopped(19)));
    assert_eq!(status(&mut w, init, WUNTRACED | WNOHANG), None, "reported once");
    w.kill(init, t, Signal::SIGUSR2);
    assert_eq!(w.state(t), 'T', "other signals do not wake it");
    w.kill(init, t, Signal::SIGCONT);
    assert_eq!(w.state(t), 'Z', "SIGUSR2 was waiting");
    let t = w.fork(init);
    // Fact 27: neither waited for.
    w.kill(init, t, stop);
    w.kill(init, t, Signal::SIGCONT);
    assert_eq!(w.state(t), 'R');
    let pid = w.pid(t) as i32;
    let (_, s) = w.wait4(init, pid, WUNTRACED | WCONTINUED | WNOHANG).unwrap();
    assert_eq!(s, 0xffff);
    w.kill(init, t, Signal::SIGCONT);
    assert_eq!(w.wait4(init, pid, WCONTINUED | WNOHANG), Ok((0, 0)), "it was running");
    // SIGKILL ends a stop.
    w.kill(init, t, stop);
    w.kill(init, t, Signal::SIGKILL);
    assert_eq!(w.state(t), 'Z');
}

#[test]
fn continue_works_even_if_blocked_and_ignored() {
    // Fact 41.
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    mask(&mut w, t, SIG_BLOCK, &[Signal::SIGCONT]);
    action(&mut w, t, Signal::SIGCONT, SIG_IGN, SaFlags::empty());
    w.kill(init, t, Signal::SIGSTOP);
    assert_eq!(w.state(t), 'T');
    w.kill(init, t, Signal::SIGCONT);
    assert_eq!(w.state(t), 'R');
    assert_eq!(pending(&mut w, t), set(&[Signal::SIGCONT]));
    // A stop signal takes it back, and the other way round.
    mask(&mut w, t, SIG_BLOCK, &[Signal::SIGTSTP]);
    w.kill(init, t, Signal::SIGTSTP);
    assert_eq!(pending(&mut w, t), set(&[Signal::SIGTSTP]));
    w.kill(init, t, Signal::SIGCONT);
    assert_eq!(pending(&mut w, t), set(&[Signal::SIGCONT]));
}

#[test]
fn all_threads_stop_and_the_parent_hears_once() {
    let mut w = world();
    let init = w.init;
    mask(&mut w, init, SIG_BLOCK, &[Signal::SIGCHLD]);
    action(&mut w, init, Signal::SIGCHLD, HANDLER, SaFlags::empty());
    let t = w.fork(init);
    let (a, b) = (w.thread(t), w.thread(t));
    w.enter(b, "pause", &[], Payload::None);
    w.kill(init, t, Signal::SIGSTOP);
    assert_eq!([t, a, b].map(|t| w.state(t)), ['T'; 3]);
    assert!(w.sys.signal(t).flags.contains(SignalFlags::STOP_STOPPED));
    let info = w.sys.signal(init).shared_pending.list[0].info;
    assert_eq!((info.si_code, info.si_status), (si_code::CLD_STOPPED, 19));
    w.kill(init, t, Signal::SIGCONT);
    assert_eq!([t, a, b].map(|t| w.state(t)), ['R', 'R', 'S'], "pause is made again");
    // A thread made during a stop stops.
    w.kill(init, t, Signal::SIGKILL);
    assert_eq!(status(&mut w, init, 0), Some(WaitStatus::Signaled(9, false)));
}

#[test]
fn an_orphaned_group_ignores_terminal_stops() {
    // Fact 34.
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    w.call(t, "setpgid", &[0, 0]);
    // Its parent is init, which counts as nobody.
    w.kill(init, t, Signal::SIGTSTP);
    assert_eq!(w.state(t), 'R');
    w.kill(init, t, Signal::SIGSTOP);
    assert_eq!(w.state(t), 'T');
    let shell = w.fork(init);
    w.call(shell, "setsid", &[]);
    let job = w.fork(shell);
    let pid = w.pid(job);
    w.call(shell, "setpgid", &[pid, pid]);
    w.kill(init, job, Signal::SIGTTIN);
    assert_eq!(w.state(job), 'T');
}

#[test]
fn job_control_calls() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    let own = w.pid(t);
    for (pid, pgid, answer) in [
        (0, u64::MAX, Err(EINVAL)),
        (u64::MAX, 0, Err(EINVAL)),
        (1, 0, Err(ESRCH)),
        (0, 9999, Err(EPERM)),
        (9999, -5i64 as u64, Err(EINVAL)),
        (9999, 1, Err(ESRCH)),
        (0, 0, Ok(0)),
    ] {
        assert_eq!(w.try_call(t, "setpgid", &[pid, pgid]), answer, "setpgid({pid}, {pgid})");
    }
    assert_eq!(w.call(t, "getpgrp", &[]) as u64, own);
    assert_eq!(w.refused(t, "setsid", &[]), EPERM);
    assert_eq!(w.refused(t, "getsid", &[u64::MAX]), ESRCH);
    assert_eq!(w.refused(t, "getpgid", &[-3i64 as u64]), ESRCH);
    let s = w.fork(init);
    assert_eq!(w.call(s, "setsid", &[]) as u64, w.pid(s));
    assert_eq!(w.refused(s, "setpgid", &[0, 0]), EPERM);
    assert_eq!(w.refused(s, "setsid", &[]), EPERM);
    assert_eq!(w.call(s, "getppid", &[]), 1);
    // Fact 23.
    let thread = w.thread(t);
    let tid = w.pid(thread);
    assert_eq!(w.refused(t, "setpgid", &[tid, 0]), EINVAL);
    // A child in another session is out of reach.
    let c = w.fork(t);
    w.call(c, "setsid", &[]);
    let pid = w.pid(c);
    assert_eq!(w.refused(t, "setpgid", &[pid, 0]), EPERM);
}

#[test]
fn registers_survive_a_stop() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    set_user_regs(&mut w, t, |r| (r.bx, r.ax) = (7, -512i64 as u64));
    let before = w.sys.task(t).regs;
    w.kill(init, t, Signal::SIGSTOP);
    let other = w.fork(init);
    w.call(other, "getpid", &[]);
    w.kill(init, t, Signal::SIGCONT);
    // -512 in RAX is no restart code outside of a call.
    set_user_regs(&mut w, t, |r| assert_eq!(*r, before));
}
