//! Who may send what to whom, and what becomes of it: pending, lost, fatal.

use super::*;

#[test]
fn existence_is_checked_before_the_number() {
    // Fact 40.
    let mut w = world();
    let t = w.fork(w.init);
    let own = w.pid(t);
    for (pid, sig, errno) in [
        (9999, 65, ESRCH),
        (own, 65, EINVAL),
        (-9999i64 as u64, 65, ESRCH),
        (0, 65, EINVAL),
        (i64::from(i32::MIN) as u64, 0, ESRCH),
        (own, u64::MAX, EINVAL),
    ] {
        assert_eq!(w.refused(t, "kill", &[pid, sig]), errno, "kill({}, {sig})", pid as i64);
    }
    assert_eq!(w.refused(t, "tkill", &[0, 0]), EINVAL);
    assert_eq!(w.refused(t, "tgkill", &[1, own, 0]), ESRCH);
    assert_eq!(w.refused(t, "tgkill", &[own, 9999, 0]), ESRCH);
    assert_eq!(w.refused(t, "tgkill", &[u64::MAX, own, 0]), EINVAL);
}

#[test]
fn uids_decide_who_may_send() {
    let mut w = world();
    let user = |w: &mut World, r: u64, e: u64, s: u64| {
        let t = w.fork(w.init);
        w.call(t, "setresuid", &[r, e, s]);
        t
    };
    let from = user(&mut w, 1000, 2000, 3000);
    for (r, e, s, ok) in [
        (1000, 9, 9, true),
        (2000, 9, 9, true),
        (9, 9, 1000, true),
        (9, 9, 2000, true),
        (9, 1000, 9, false),       // the target's effective uid does not count
        (3000, 3000, 3000, false), // nor the sender's saved one
    ] {
        let to = user(&mut w, r, e, s);
        let pid = w.pid(to);
        let answer = if ok { Ok(0) } else { Err(EPERM) };
        assert_eq!(w.try_call(from, "kill", &[pid, 0]), answer, "{r} {e} {s}");
        // SIGCONT may go to anyone in the session.
        assert_eq!(w.try_call(from, "kill", &[pid, 18]), Ok(0));
        w.call(to, "setsid", &[]);
        assert_eq!(w.try_call(from, "kill", &[pid, 18]), answer);
        // The number is checked before the rights.
        assert_eq!(w.refused(from, "kill", &[pid, 65]), EINVAL);
    }
}

#[test]
fn kill_minus_one_spares_init_and_the_caller() {
    let mut w = world();
    let (a, b) = (w.fork(w.init), w.fork(w.init));
    let init = w.init;
    action(&mut w, init, Signal::SIGCHLD, SIG_IGN, SaFlags::empty());
    w.call(a, "kill", &[u64::MAX, 15]);
    assert_eq!((w.state(a), w.state(b)), ('R', '-'));
    assert_eq!(w.state(w.init), 'R');
    // Its sibling is gone: kthreadd at most is left, which may be signalled.
    w.call(a, "setuid", &[1000]);
    assert_eq!(w.try_call(a, "kill", &[u64::MAX, 0]), Ok(0), "EPERM is passed over");
}

#[test]
fn kill_zero_reaches_the_group() {
    let mut w = world();
    let a = w.fork(w.init);
    w.call(a, "setpgid", &[0, 0]);
    let b = w.fork(a);
    let c = w.fork(a);
    w.call(c, "setpgid", &[0, 0]);
    action(&mut w, a, Signal::SIGUSR1, SIG_IGN, SaFlags::empty());
    w.call(a, "kill", &[0, 10]);
    assert_eq!((w.state(a), w.state(b), w.state(c)), ('R', 'Z', 'R'));
    let group = w.pid(c);
    w.call(a, "kill", &[group.wrapping_neg(), 9]);
    assert_eq!(w.state(c), 'Z');
    // A zombie still is a member, and can be signalled in vain.
    w.call(a, "kill", &[group, 9]);
}

#[test]
fn an_ignored_signal_pends_if_it_is_blocked() {
    // Fact 41.
    let mut w = world();
    let t = w.fork(w.init);
    let init = w.init;
    let usr1 = Signal::SIGUSR1;
    action(&mut w, t, usr1, SIG_IGN, SaFlags::empty());
    w.kill(init, t, usr1);
    assert!(pending(&mut w, t).is_empty());
    mask(&mut w, t, SIG_BLOCK, &[usr1, Signal::SIGCHLD]);
    w.kill(init, t, usr1);
    w.kill(init, t, Signal::SIGCHLD);
    assert_eq!(pending(&mut w, t), set(&[usr1, Signal::SIGCHLD]));
    action(&mut w, t, usr1, SIG_IGN, SaFlags::empty());
    action(&mut w, t, Signal::SIGCHLD, SIG_DFL, SaFlags::empty());
    assert!(pending(&mut w, t).is_empty(), "setting ignore discards it");
}

#[test]
fn standard_signals_queue_once_and_real_time_ones_each() {
    let mut w = world();
    let t = w.fork(w.init);
    let rt = Signal::new(40).unwrap();
    mask(&mut w, t, SIG_BLOCK, &[rt, Signal::SIGTERM]);
    let init = w.init;
    for _ in 0..3 {
        w.kill(init, t, rt);
        w.kill(init, t, Signal::SIGTERM);
    }
    let s = w.sys.task(t).signal.unwrap();
    let list = &w.sys.kernel.signals[s].shared_pending.list;
    assert_eq!(list.iter().filter(|q| q.info.si_signo == rt).count(), 3);
    assert_eq!(list.len(), 4);
    w.kill(init, t, Signal::SIGKILL);
    assert_eq!(w.state(t), 'Z');
    w.wait4(init, -1, 0).unwrap();
    assert_eq!(w.sys.kernel.users.iter().map(|(_, u)| u.sigpending).sum::<u32>(), 0);
}

#[test]
fn sigpending_limit() {
    let mut w = world();
    let t = w.fork(w.init);
    let two = Payload::Rlimit(Rlimit { cur: 2, max: 2 });
    w.try_with(t, "setrlimit", &[u64::from(RLIMIT_SIGPENDING), 0], two).unwrap();
    w.call(t, "setresuid", &[4321, 4321, 4321]);
    let all: Vec<_> = (1..=64).filter_map(Signal::new).collect();
    mask(&mut w, t, SIG_BLOCK, &all);
    let own = w.pid(t);
    let queue = |w: &mut World, n: i32| {
        let sig = Signal::new(n).unwrap();
        let info = Payload::SigInfo(Box::new(SigInfo::new(sig, si_code::SI_QUEUE)));
        w.try_with(t, "rt_sigqueueinfo", &[own, n as u64, 0], info).map(|_| ())
    };
    assert_eq!(queue(&mut w, 40), Ok(()));
    assert_eq!(queue(&mut w, 40), Ok(()));
    assert_eq!(queue(&mut w, 40), Err(EAGAIN));
    w.call(t, "kill", &[own, 41]);
    assert_eq!(queue(&mut w, 10), Ok(()));
    w.call(t, "tkill", &[own, 12]);
    assert_eq!(pending(&mut w, t).iter().count(), 4);
}

#[test]
fn impersonating_the_kernel_is_for_oneself() {
    let mut w = world();
    let t = w.fork(w.init);
    let (own, init) = (w.pid(t), w.pid(w.init));
    let queue = |w: &mut World, pid: u64, sig: u64, code: i32| {
        let i = SigInfo::new(Signal::SIGUSR1, code);
        let r = w.try_with(t, "rt_sigqueueinfo", &[pid, sig], Payload::SigInfo(Box::new(i)));
        r.map(|_| ())
    };
    assert_eq!(queue(&mut w, init, 10, 0), Err(EPERM));
    assert_eq!(queue(&mut w, 9999, 100, si_code::SI_TKILL), Err(EPERM));
    assert_eq!(queue(&mut w, own, 100, -1), Err(EINVAL));
    assert_eq!(queue(&mut w, 0, 10, -1), Err(ESRCH));
    assert_eq!(queue(&mut w, own, 0, 0), Ok(()));
}

#[test]
fn a_fatal_signal_takes_all_threads() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    let (a, b) = (w.thread(t), w.thread(t));
    let tid = w.pid(b);
    // Fact 23: a thread id names the process.
    w.call(init, "kill", &[tid, 15]);
    assert_eq!([a, b].map(|t| w.state(t)), ['-'; 2]);
    assert_eq!(w.state(t), 'Z');
    assert!(w.sys.task(t).flags.contains(PF::SIGNALED));
    assert_eq!(status(&mut w, init, 0), Some(WaitStatus::Signaled(15, false)));
}

#[test]
fn a_group_signal_goes_to_a_thread_that_does_not_block_it() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    let a = w.thread(t);
    action(&mut w, t, Signal::SIGUSR1, HANDLER, SaFlags::empty());
    mask(&mut w, t, SIG_BLOCK, &[Signal::SIGUSR1]);
    w.kill(init, t, Signal::SIGUSR1);
    assert_eq!(w.sys.task(a).regs.ip, HANDLER);
    assert_ne!(w.sys.task(t).regs.ip, HANDLER);
    // Both block: it waits for the group, and whoever unblocks first takes it.
    let t2 = w.fork(init);
    let b = w.thread(t2);
    for x in [t2, b] {
        mask(&mut w, x, SIG_BLOCK, &[Signal::SIGUSR1]);
    }
    action(&mut w, t2, Signal::SIGUSR1, HANDLER, SaFlags::empty());
    w.kill(init, t2, Signal::SIGUSR1);
    mask(&mut w, b, SIG_UNBLOCK, &[Signal::SIGUSR1]);
    assert_eq!(w.sys.task(b).regs.ip, HANDLER);
}

#[test]
fn init_ignores_what_it_does_not_handle() {
    // Fact 32.
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    for sig in [Signal::SIGKILL, Signal::SIGSTOP, Signal::SIGTERM, Signal::SIGSEGV] {
        w.kill(t, init, sig);
        assert_eq!(w.state(init), 'R');
    }
    assert!(pending(&mut w, init).is_empty());
}

#[test]
fn the_init_of_a_pid_namespace() {
    // Fact 32.
    let mut w = world();
    let init = w.init;
    let (a, b, c) = {
        let new = |w: &mut World| w.clone(init, 0x2000_0000 | 17);
        (new(&mut w), new(&mut w), new(&mut w))
    };
    let inside = w.fork(a);
    assert_eq!((w.call(a, "getpid", &[]), w.call(a, "getppid", &[])), (1, 0));
    for sig in [9, 15, 19, 11] {
        w.call(inside, "kill", &[1, sig]);
        assert_eq!(w.state(a), 'R', "{sig} from inside");
    }
    w.kill(init, a, Signal::SIGTERM);
    assert_eq!(w.state(a), 'R', "TERM from outside is not forced");
    w.kill(init, a, Signal::SIGSTOP);
    assert_eq!(w.state(a), 'T');
    w.kill(init, a, Signal::SIGCONT);
    // A handler sees a sender that it cannot name as 0.
    action(&mut w, a, Signal::SIGUSR1, HANDLER, SaFlags::SA_SIGINFO);
    w.kill(init, a, Signal::SIGUSR1);
    assert_eq!(w.sys.task(a).last_siginfo.as_ref().unwrap().si_pid, 0);
    w.kill(init, a, Signal::SIGKILL);
    assert_eq!((w.state(a), w.state(inside)), ('Z', '-'));
    crate::kernel::signal::send::force_sig_fault(
        &mut w.sys,
        b,
        Signal::SIGSEGV,
        si_code::SEGV_MAPERR,
        0,
    );
    crate::kernel::entry::settle(&mut w.sys);
    assert_eq!(w.state(b), 'Z', "its own fault kills it");
    // kill(-1) in a namespace reaches nobody outside.
    assert_eq!(w.refused(c, "kill", &[u64::MAX, 9]), ESRCH);
}
