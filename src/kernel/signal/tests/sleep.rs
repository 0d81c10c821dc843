//! Calls that sleep for a signal, and what a signal does to sleepers.

use super::*;

#[test]
fn pause_ends_only_with_a_handler() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    action(&mut w, t, Signal::SIGUSR1, HANDLER, SaFlags::SA_RESTART);
    assert_eq!(w.enter(t, "pause", &[], Payload::None), Entered::Blocked);
    w.kill(init, t, Signal::SIGCHLD);
    assert_eq!(w.state(t), 'S', "an ignored signal does not wake it");
    w.kill(init, t, Signal::SIGSTOP);
    assert_eq!(w.state(t), 'T');
    w.kill(init, t, Signal::SIGCONT);
    assert_eq!(w.state(t), 'S', "stopped and continued, it pauses on");
    w.kill(init, t, Signal::SIGUSR1);
    assert_eq!(w.state(t), 'R');
    let done = w.sys.task_mut(t).finished.remove(0).1;
    assert_eq!(done.ret, EINTR.to_ret(), "SA_RESTART does not help");
    assert_eq!(w.sys.task(t).regs.ip, HANDLER);
}

#[test]
fn sigsuspend_swaps_the_mask() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    let (usr1, usr2) = (Signal::SIGUSR1, Signal::SIGUSR2);
    for sig in [usr1, usr2] {
        action(&mut w, t, sig, HANDLER, SaFlags::empty());
    }
    mask(&mut w, t, SIG_BLOCK, &[usr1]);
    let e = w.enter(t, "rt_sigsuspend", &[0, 8], Payload::SigSet(set(&[usr2])));
    assert_eq!(e, Entered::Blocked);
    w.kill(init, t, usr2);
    assert_eq!(w.state(t), 'S');
    w.kill(init, t, usr1);
    assert_eq!(w.sys.task_mut(t).finished.remove(0).1.ret, EINTR.to_ret());
    // USR1 came in under the temporary mask; the frame holds the old one.
    // Under it USR2 is let in at once, on top.
    let regs = w.sys.task(t).regs;
    assert_eq!(regs.di, 10);
    let mut saved = [0; 8];
    let at = regs.sp + OFFSET_UC as u64 + 296;
    copy_from_user(&mut w.sys, t, at, &mut saved).unwrap();
    assert_eq!(SigSet(u64::from_le_bytes(saved)), set(&[usr1]));
    set_user_regs(&mut w, t, |r| r.sp += 8);
    w.enter(t, "rt_sigreturn", &[], Payload::None);
    assert_eq!(w.sys.task(t).regs.di, 12, "now USR2");
}

#[test]
fn sigtimedwait_takes_blocked_signals() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    let (usr1, chld) = (Signal::SIGUSR1, Signal::SIGCHLD);
    mask(&mut w, t, SIG_BLOCK, &[usr1, chld]);
    w.kill(init, t, chld);
    let sp = w.sys.task(t).regs.sp;
    copy_to_user(&mut w.sys, t, sp, &[0; 16]).unwrap();
    let wait = |w: &mut World, timeout: u64| {
        let p = Payload::SigSet(set(&[usr1, chld]));
        w.enter(t, "rt_sigtimedwait", &[0, 0, timeout, 8], p)
    };
    match wait(&mut w, sp) {
        Entered::Done(o) => assert_eq!(o.ret, 17),
        other => panic!("{other:?}"),
    }
    match wait(&mut w, sp) {
        Entered::Done(o) => assert_eq!(o.ret, EAGAIN.to_ret()),
        other => panic!("{other:?}"),
    }
    assert_eq!(wait(&mut w, 0), Entered::Blocked);
    assert!(w.sys.task(t).blocked.is_empty());
    w.kill(init, t, usr1);
    let o = w.sys.task_mut(t).finished.remove(0).1;
    assert_eq!(o.ret, 10);
    assert!(matches!(o.out, Out::SigInfo(i) if i.si_pid == 1));
    assert_eq!(w.sys.task(t).blocked, set(&[usr1, chld]));
    // Another signal ends the wait; a fatal one the task.
    action(&mut w, t, Signal::SIGUSR2, HANDLER, SaFlags::SA_RESTART);
    assert_eq!(wait(&mut w, 0), Entered::Blocked);
    w.kill(init, t, Signal::SIGUSR2);
    assert_eq!(w.sys.task_mut(t).finished.remove(0).1.ret, EINTR.to_ret());
    let bad = [(u64::MAX, 0), (0, 1_000_000_000)];
    for (sec, nsec) in bad {
        let at = w.sys.task(t).regs.sp - 4096;
        let words: Vec<u8> = [sec, nsec].iter().flat_map(|x: &u64| x.to_le_bytes()).collect();
        copy_to_user(&mut w.sys, t, at, &words).unwrap();
        let p = Payload::SigSet(set(&[usr1]));
        assert_eq!(w.try_with(t, "rt_sigtimedwait", &[0, 0, at, 8], p), Err(EINVAL));
    }
}

#[test]
fn a_vfork_parent_dies_of_fatal_signals_only() {
    // Fact 12.
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    action(&mut w, t, Signal::SIGUSR1, HANDLER, SaFlags::empty());
    assert_eq!(w.enter(t, "vfork", &[], Payload::None), Entered::Blocked);
    let child = w.sys.kernel.new_task.unwrap().0;
    assert_eq!(w.state(t), 'D');
    w.kill(init, t, Signal::SIGTERM);
    assert_eq!((w.state(t), w.state(child)), ('Z', 'R'));
    // With another signal already pending nobody looks at TERM before the
    // release (wants_signal); so it is on the running kernel. KILL is looked at.
    let t = w.fork(init);
    action(&mut w, t, Signal::SIGUSR1, HANDLER, SaFlags::empty());
    w.enter(t, "vfork", &[], Payload::None);
    for sig in [Signal::SIGUSR1, Signal::SIGSTOP, Signal::SIGTERM] {
        w.kill(init, t, sig);
        assert_eq!(w.state(t), 'D', "{sig}");
    }
    w.kill(init, t, Signal::SIGKILL);
    assert_eq!(w.state(t), 'Z');
    let t = w.fork(init);
    action(&mut w, t, Signal::SIGUSR1, HANDLER, SaFlags::empty());
    w.enter(t, "vfork", &[], Payload::None);
    let child = w.sys.kernel.new_task.unwrap().0;
    w.kill(init, t, Signal::SIGUSR1);
    w.kill(init, child, Signal::SIGKILL);
    assert_eq!(w.state(t), 'R');
    assert_eq!(w.sys.task_mut(t).finished.remove(0).1.ret as u64, w.pid(child));
    assert_eq!(w.sys.task(t).regs.ip, HANDLER);
}

#[test]
fn a_spurious_wake_up_changes_nothing() {
    use crate::kernel::sched::core::try_to_wake_up;
    use crate::kernel::task::TaskState;
    let mut w = world();
    let init = w.init;
    for call in ["pause", "rt_sigsuspend", "rt_sigtimedwait"] {
        let t = w.fork(init);
        mask(&mut w, t, SIG_BLOCK, &[Signal::SIGUSR1]);
        let (args, payload): (&[u64], _) = match call {
            "pause" => (&[], Payload::None),
            "rt_sigsuspend" => (&[0, 8], Payload::SigSet(SigSet(2))),
            _ => (&[0, 0, 0, 8], Payload::SigSet(set(&[Signal::SIGUSR1]))),
        };
        assert_eq!(w.enter(t, call, args, payload), Entered::Blocked);
        let seen = |w: &World| {
            let t = w.sys.task(t);
            let masks = (t.blocked, t.saved_sigmask, t.sigtimedwait.clone(), t.pending.clone());
            (masks, t.__state, t.sigpending, t.resume.clone(), t.finished.clone())
        };
        let before = seen(&w);
        assert!(try_to_wake_up(&mut w.sys, t, TaskState::INTERRUPTIBLE));
        crate::kernel::entry::settle(&mut w.sys);
        assert_eq!(seen(&w), before, "{call}");
    }
}

#[test]
fn what_a_call_needs_of_memory_is_read_once() {
    use crate::kernel::sched::core::try_to_wake_up;
    use crate::kernel::task::TaskState;
    let mut w = world();
    let init = w.init;
    for call in ["rt_sigsuspend", "rt_sigtimedwait", "nanosleep", "clock_nanosleep", "futex"] {
        let t = w.fork(init);
        let other = w.thread(t);
        let at = w.call(t, "mmap", &[0, 0x1000, 3, 0x22, u64::MAX, 0]) as u64;
        // A second, or a set of one signal; the futex holds 0.
        copy_to_user(&mut w.sys, t, at, &[1]).unwrap();
        let args: &[u64] = match call {
            "rt_sigsuspend" => &[at, 8],
            "rt_sigtimedwait" => &[at, 0, 0, 8],
            "nanosleep" => &[at, 0],
            "clock_nanosleep" => &[1, 0, at, 0],
            _ => &[at + 64, 128, 0, at],
        };
        assert_eq!(w.enter(t, call, args, Payload::None), Entered::Blocked);
        w.call(other, "munmap", &[at, 0x1000]);
        assert!(try_to_wake_up(&mut w.sys, t, TaskState::INTERRUPTIBLE));
        crate::kernel::entry::settle(&mut w.sys);
        assert_eq!(w.state(t), 'S', "{call}");
    }
}

#[test]
fn sa_restart_decides_about_a_sleeping_wait() {
    let mut w = world();
    let init = w.init;
    for (flags, again) in [(SaFlags::SA_RESTART, true), (SaFlags::empty(), false)] {
        let t = w.fork(init);
        let child = w.fork(t);
        action(&mut w, t, Signal::SIGUSR1, HANDLER, flags);
        let e = w.enter(t, "wait4", &[u64::MAX, 0, 0, 0], Payload::None);
        assert_eq!(e, Entered::Blocked);
        w.kill(init, t, Signal::SIGUSR1);
        assert_eq!((w.state(t), w.sys.task(t).regs.ip), ('R', HANDLER));
        let ended = w.sys.task_mut(t).finished.pop().map(|(_, o)| o.ret);
        assert_eq!(ended, (!again).then_some(EINTR.to_ret()));
        set_user_regs(&mut w, t, |r| r.sp += 8);
        w.enter(t, "rt_sigreturn", &[], Payload::None);
        assert_eq!(w.state(t), if again { 'S' } else { 'R' });
        if !again {
            continue;
        }
        let pid = w.pid(child);
        w.enter(child, "exit", &[0], Payload::None);
        assert_eq!(w.sys.task_mut(t).finished.remove(0).1.ret as u64, pid);
    }
}
