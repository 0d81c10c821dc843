//! Delivery: the handler's frame, the flags of an action, real faults.

use super::*;

#[test]
fn a_real_fault_kills_even_if_blocked_or_ignored() {
    // Fact 41.
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    mask(&mut w, t, SIG_BLOCK, &[Signal::SIGSEGV]);
    crate::kernel::signal::send::force_sig_fault(
        &mut w.sys,
        t,
        Signal::SIGSEGV,
        si_code::SEGV_MAPERR,
        0x10,
    );
    crate::kernel::entry::settle(&mut w.sys);
    assert_eq!(w.state(t), 'Z');
    assert_eq!(status(&mut w, init, 0), Some(WaitStatus::Signaled(11, false)));
    // A core needs RLIMIT_CORE of a page, and a dumpable process.
    for (limit, dumpable, core) in
        [(4095, 1, false), (4096, 1, true), (RLIM_INFINITY, 1, true), (RLIM_INFINITY, 0, false)]
    {
        let t = w.fork(init);
        let r = Payload::Rlimit(Rlimit { cur: limit, max: RLIM_INFINITY });
        w.try_with(t, "setrlimit", &[u64::from(RLIMIT_CORE), 0], r).unwrap();
        w.call(t, "prctl", &[u64::from(PR_SET_DUMPABLE), dumpable]);
        w.kill(init, t, Signal::SIGQUIT);
        assert_eq!(status(&mut w, init, 0), Some(WaitStatus::Signaled(3, core)), "{limit}");
    }
}

#[test]
fn a_handler_gets_a_frame_and_sigreturn_takes_it_back() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    action(&mut w, t, Signal::SIGUSR1, HANDLER, SaFlags::SA_SIGINFO);
    mask(&mut w, t, SIG_BLOCK, &[Signal::SIGUSR2]);
    // What user mode sees before and after the call below.
    w.sys.task_mut(t).regs.bx = 0;
    w.call(t, "getpid", &[]);
    let before = w.sys.task(t).regs;
    let own = w.pid(t);
    let r = w.call(t, "kill", &[own, 10]);
    assert_eq!(r, 0);
    let regs = w.sys.task(t).regs;
    assert_eq!((regs.ip, regs.di, regs.sp % 16), (HANDLER, 10, 8));
    assert_eq!(regs.si, regs.sp + OFFSET_INFO as u64);
    assert_eq!(regs.dx, regs.sp + OFFSET_UC as u64);
    assert!(before.sp - regs.sp >= 128 + FRAME_SIZE as u64);
    assert_eq!(w.sys.task(t).blocked, set(&[Signal::SIGUSR1, Signal::SIGUSR2]));
    let mut frame = [0; FRAME_SIZE];
    copy_from_user(&mut w.sys, t, regs.sp, &mut frame).unwrap();
    let word = |at: usize| u64::from_le_bytes(frame[at..at + 8].try_into().unwrap());
    assert_eq!(word(0), RESTORER);
    assert_eq!(word(OFFSET_INFO) as u32, 10);
    assert_eq!(word(OFFSET_INFO + 8) as i32, si_code::SI_USER);
    assert_eq!(word(OFFSET_INFO + 16) as u32, own as u32);
    assert_eq!(word(OFFSET_UC + 296), set(&[Signal::SIGUSR2]).0);
    // The handler returns: the restorer's address is popped, and it calls.
    set_user_regs(&mut w, t, |r| r.sp += 8);
    w.enter(t, "rt_sigreturn", &[], Payload::None);
    let after = w.sys.task(t).regs;
    // Behind the SYSCALL instruction of kill.
    assert_eq!((after.ip, after.sp, after.bx), (before.ip + 2, before.sp, before.bx));
    assert_eq!(after.ax, 0, "what kill returned");
    assert_eq!(w.sys.task(t).blocked, set(&[Signal::SIGUSR2]));
}

/// `x64_setup_rt_frame` copies the siginfo only with SA_SIGINFO.
#[test]
fn without_the_flag_no_siginfo_is_written() {
    let mut w = world();
    let init = w.init;
    for (flags, written) in [(SaFlags::empty(), 0xff), (SaFlags::SA_SIGINFO, 10)] {
        let t = w.fork(init);
        action(&mut w, t, Signal::SIGUSR1, HANDLER, flags);
        let sp = w.sys.task(t).regs.sp;
        crate::kernel::mm::uaccess::copy_to_user(&mut w.sys, t, sp - 1024, &[0xff; 1024]).unwrap();
        let own = w.pid(t);
        w.call(t, "kill", &[own, 10]);
        let mut first = [0];
        let at = w.sys.task(t).regs.si;
        copy_from_user(&mut w.sys, t, at, &mut first).unwrap();
        assert_eq!(first, [written], "{flags:?}");
    }
}

#[test]
fn action_flags() {
    let mut w = world();
    let init = w.init;
    let (usr1, own) = (Signal::SIGUSR1, |w: &World, t| w.pid(t));
    let t = w.fork(init);
    action(&mut w, t, usr1, HANDLER, SaFlags::SA_NODEFER | SaFlags::SA_RESETHAND);
    let pid = own(&w, t);
    w.call(t, "kill", &[pid, 10]);
    assert!(w.sys.task(t).blocked.is_empty());
    let s = w.sys.task(t).sighand.unwrap();
    assert_eq!(w.sys.kernel.sighands[s].get(usr1).handler, SIG_DFL);
    w.enter(t, "kill", &[pid, 10], Payload::None);
    assert_eq!(w.state(t), 'Z', "the second one meets the default");
    // On the alternate stack, at its top.
    let t = w.fork(init);
    let sp = w.sys.task(t).regs.sp & !0xfff;
    let alt = Payload::AltStack(sp, 0, 4096);
    w.try_with(t, "sigaltstack", &[], alt).unwrap();
    action(&mut w, t, usr1, HANDLER, SaFlags::SA_ONSTACK);
    let pid = own(&w, t);
    w.call(t, "kill", &[pid, 10]);
    let r = w.sys.task(t).regs;
    assert!(r.sp > sp && r.sp < sp + 4096 - FRAME_SIZE as u64 + 16);
    // Without a restorer there is no way back: SIGSEGV.
    let t = w.fork(init);
    let a = SigAction { handler: HANDLER, ..SigAction::default() };
    w.try_with(t, "rt_sigaction", &[10, 0, 0, 8], Payload::SigAction(a)).unwrap();
    w.kill(init, t, usr1);
    assert_eq!(w.sys.task(t).exit_code, 11);
    // So is a stack that is none.
    let t = w.fork(init);
    action(&mut w, t, usr1, HANDLER, SaFlags::empty());
    set_user_regs(&mut w, t, |r| r.sp = 0x1000);
    w.kill(init, t, usr1);
    assert_eq!(w.sys.task(t).exit_code, 11);
}

#[test]
fn sigaction_refusals() {
    let mut w = world();
    let t = w.fork(w.init);
    let ign = SigAction { handler: SIG_IGN, ..SigAction::default() };
    let act = |w: &mut World, sig: u64, a: Option<SigAction>| {
        let p = a.map_or(Payload::None, Payload::SigAction);
        w.try_with(t, "rt_sigaction", &[sig, 0, 0, 8], p).map(|_| ())
    };
    assert_eq!(act(&mut w, 9, Some(ign)), Err(EINVAL));
    assert_eq!(act(&mut w, 9, None), Ok(()));
    assert_eq!(act(&mut w, 65, None), Err(EINVAL));
    assert_eq!(act(&mut w, 0, None), Err(EINVAL));
    assert_eq!(w.refused(t, "rt_sigaction", &[10, 0, 0, 4]), EINVAL);
    assert_eq!(w.refused(t, "rt_sigprocmask", &[0, 0, 0, 16]), EINVAL);
    assert_eq!(w.refused(t, "rt_sigpending", &[0, 9]), EINVAL);
    assert_eq!(w.call(t, "rt_sigprocmask", &[5, 0, 0, 8]), 0);
    let bad = w.try_with(t, "rt_sigprocmask", &[5, 0, 0, 8], Payload::SigSet(SigSet(1)));
    assert_eq!(bad, Err(EINVAL));
    let all = SigAction {
        handler: SIG_IGN,
        flags: SaFlags::SA_UNSUPPORTED,
        mask: SigSet(!0),
        restorer: 0,
    };
    act(&mut w, 10, Some(all)).unwrap();
    let s = w.sys.task(t).sighand.unwrap();
    let got = w.sys.kernel.sighands[s].get(Signal::SIGUSR1);
    assert_eq!((got.flags, got.mask.0), (SaFlags::empty(), 0xffff_ffff_fffb_feff));
    let alt = |w: &mut World, flags, size| {
        w.try_with(t, "sigaltstack", &[], Payload::AltStack(0x1000, flags, size)).map(|r| r.1)
    };
    assert_eq!(alt(&mut w, 0, MINSIGSTKSZ - 1), Err(ENOMEM));
    assert!(alt(&mut w, 1, MINSIGSTKSZ).is_ok());
    assert_eq!(alt(&mut w, 4, MINSIGSTKSZ), Err(EINVAL));
    assert_eq!(alt(&mut w, 2, 5), Ok(Out::AltStack(0x1000, 0, MINSIGSTKSZ)));
    assert_eq!(alt(&mut w, 2, 5), Ok(Out::AltStack(0, 2, 0)));
}

#[test]
fn handlers_stack_and_the_last_one_runs_first() {
    // As the running kernel: unblocking INT, USR1 and TERM at once runs
    // TERM, USR1, INT.
    let mut w = world();
    let t = w.fork(w.init);
    let sigs = [Signal::SIGINT, Signal::SIGUSR1, Signal::SIGTERM];
    for s in sigs {
        action(&mut w, t, s, HANDLER, SaFlags::empty());
    }
    mask(&mut w, t, SIG_BLOCK, &sigs);
    for s in [Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGINT] {
        w.kill(t, t, s);
    }
    mask(&mut w, t, SIG_UNBLOCK, &sigs);
    for expect in [15, 10, 2] {
        assert_eq!(w.sys.task(t).regs.di, expect);
        set_user_regs(&mut w, t, |r| r.sp += 8);
        w.enter(t, "rt_sigreturn", &[], Payload::None);
    }
    assert!(w.sys.task(t).blocked.is_empty());
}
