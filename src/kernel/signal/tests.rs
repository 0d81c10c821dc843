//! The rules for sending, delivering and stopping, as a 6.18 kernel answered
//! the same calls.
//!
//! Linux: signal(7), kill(2), sigaction(2). Left out: signalfd.

use super::altstack::MINSIGSTKSZ;
use super::frame::{FRAME_SIZE, OFFSET_INFO, OFFSET_UC};
use super::{Rlimit, SIG_DFL, SIG_IGN, SigAction, SignalFlags};
use crate::abi::Errno::*;
use crate::abi::flags::SaFlags;
use crate::abi::numbers::*;
use crate::abi::signal::si_code;
use crate::abi::structs::{SigInfo, WaitStatus};
use crate::abi::{SigSet, Signal};
use crate::kernel::entry::Entered;
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user};
use crate::kernel::syscalls::{Out, Payload};
use crate::kernel::task::{PF, TaskId};
use crate::kernel::testing::{World, world};

const HANDLER: u64 = 0x40_1000;
const RESTORER: u64 = 0x40_2000;
const WNOHANG: u64 = 1;
const WUNTRACED: u64 = 2;
const WCONTINUED: u64 = 8;

fn set(sigs: &[Signal]) -> SigSet {
    let mut s = SigSet::EMPTY;
    sigs.iter().for_each(|x| s.add(*x));
    s
}

fn action(w: &mut World, t: TaskId, sig: Signal, handler: u64, flags: SaFlags) {
    let flags = flags | SaFlags::SA_RESTORER;
    let a = SigAction { handler, flags, restorer: RESTORER, mask: SigSet::EMPTY };
    let args = [sig.number() as u64, 0, 0, 8];
    w.try_with(t, "rt_sigaction", &args, Payload::SigAction(a)).unwrap();
}

fn mask(w: &mut World, t: TaskId, how: u64, sigs: &[Signal]) -> SigSet {
    let out = w.try_with(t, "rt_sigprocmask", &[how, 0, 0, 8], Payload::SigSet(set(sigs)));
    match out.unwrap().1 {
        Out::SigSet(s) => s,
        other => panic!("{other:?}"),
    }
}

fn pending(w: &mut World, t: TaskId) -> SigSet {
    match w.try_with(t, "rt_sigpending", &[0, 8], Payload::None).unwrap().1 {
        Out::SigSet(s) => s,
        other => panic!("{other:?}"),
    }
}

fn status(w: &mut World, parent: TaskId, options: u64) -> Option<WaitStatus> {
    match w.wait4(parent, -1, options).unwrap() {
        (0, _) => None,
        (_, s) => Some(WaitStatus::decode(s)),
    }
}

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
fn a_real_fault_kills_even_if_blocked_or_ignored() {
    // Fact 41.
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    mask(&mut w, t, SIG_BLOCK, &[Signal::SIGSEGV]);
    super::send::force_sig_fault(&mut w.sys, t, Signal::SIGSEGV, si_code::SEGV_MAPERR, 0x10);
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

/// Changes what user mode has in its registers.
fn set_user_regs(w: &mut World, t: TaskId, f: impl FnOnce(&mut crate::machine::Regs)) {
    crate::kernel::sched::core::run_on_cpu(&mut w.sys, t);
    let cpu = w.sys.task(t).cpu as usize;
    f(&mut w.sys.machine.cpus[cpu].regs);
    w.sys.task_mut(t).regs = w.sys.machine.cpus[cpu].regs;
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
    let done = w.sys.task_mut(t).finished.take().unwrap();
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
    assert_eq!(w.sys.task_mut(t).finished.take().unwrap().ret, EINTR.to_ret());
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
    let o = w.sys.task_mut(t).finished.take().unwrap();
    assert_eq!(o.ret, 10);
    assert!(matches!(o.out, Out::SigInfo(i) if i.si_pid == 1));
    assert_eq!(w.sys.task(t).blocked, set(&[usr1, chld]));
    // Another signal ends the wait; a fatal one the task.
    action(&mut w, t, Signal::SIGUSR2, HANDLER, SaFlags::SA_RESTART);
    assert_eq!(wait(&mut w, 0), Entered::Blocked);
    w.kill(init, t, Signal::SIGUSR2);
    assert_eq!(w.sys.task_mut(t).finished.take().unwrap().ret, EINTR.to_ret());
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
fn the_parent_is_told_how_a_child_died() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    mask(&mut w, t, SIG_BLOCK, &[Signal::SIGCHLD, Signal::SIGUSR1]);
    action(&mut w, t, Signal::SIGCHLD, HANDLER, SaFlags::empty());
    let c = w.fork(t);
    w.enter(c, "exit", &[7], Payload::None);
    let info = w.sys.signal(t).shared_pending.list[0].info;
    let seen = (info.si_code, info.si_status, info.si_pid as u64);
    assert_eq!(seen, (si_code::CLD_EXITED, 7, w.pid(c)));
    // Another exit signal goes out as such, until the parent is someone else.
    let c = w.clone(t, 10);
    w.enter(c, "exit", &[0], Payload::None);
    assert!(w.sys.signal(t).shared_pending.signal.contains(Signal::SIGUSR1));
    let c = w.clone(t, 12);
    w.sys.task_mut(t).self_exec_id += 1;
    w.enter(c, "exit", &[0], Payload::None);
    assert!(!w.sys.signal(t).shared_pending.signal.contains(Signal::SIGUSR2));
    assert_eq!(w.state(t), 'R');
    // Legacy clone takes 100 for an exit signal and never sends it.
    let c = w.clone(t, 100);
    w.enter(c, "exit", &[0], Payload::None);
    assert_eq!(w.state(c), 'Z');
}

#[test]
fn ignoring_sigchld_reaps_at_once() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    let zombie = w.fork(t);
    w.enter(zombie, "exit", &[0], Payload::None);
    action(&mut w, t, Signal::SIGCHLD, SIG_IGN, SaFlags::empty());
    assert_eq!(w.state(zombie), 'Z', "fact 25: not retroactively");
    let c = w.fork(t);
    w.enter(c, "exit", &[0], Payload::None);
    assert_eq!(w.state(c), '-');
    mask(&mut w, t, SIG_BLOCK, &[Signal::SIGCHLD]);
    action(&mut w, t, Signal::SIGCHLD, HANDLER, SaFlags::SA_NOCLDWAIT);
    let c = w.fork(t);
    w.enter(c, "exit", &[0], Payload::None);
    assert_eq!(w.state(c), '-');
    assert!(pending(&mut w, t).contains(Signal::SIGCHLD), "NOCLDWAIT still sends it");
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
fn limits() {
    let mut w = world();
    let t = w.fork(w.init);
    let set = |w: &mut World, r: u32, cur, max| {
        let p = Payload::Rlimit(Rlimit { cur, max });
        w.try_with(t, "setrlimit", &[u64::from(r), 0], p).map(|_| ())
    };
    assert_eq!(set(&mut w, RLIMIT_NOFILE, 2_000_000, 2_000_000), Err(EPERM));
    assert_eq!(set(&mut w, RLIMIT_NOFILE, 5, 4), Err(EINVAL));
    assert_eq!(set(&mut w, 16, 5, 4), Err(EINVAL));
    assert_eq!(w.refused(t, "prlimit64", &[9999, 99, 0, 0]), ESRCH);
    w.call(t, "setuid", &[1000]);
    assert_eq!(set(&mut w, RLIMIT_STACK, 5, 10), Ok(()));
    assert_eq!(set(&mut w, RLIMIT_STACK, 5, 11), Err(EPERM));
    let init = w.pid(w.init);
    assert_eq!(w.refused(t, "prlimit64", &[init, 7, 0, 0]), EPERM);
    let own = w.pid(t);
    let got = w.try_with(w.init, "prlimit64", &[own, 3, 0, 0], Payload::None).unwrap().1;
    assert_eq!(got, Out::Rlimit(Rlimit { cur: 5, max: 10 }));
}

#[test]
fn prctl_settings() {
    let mut w = world();
    let t = w.fork(w.init);
    for (args, errno) in [
        ([1, 65, 0, 0, 0], EINVAL),
        ([1, u64::MAX, 0, 0, 0], EINVAL),
        ([38, 0, 0, 0, 0], EINVAL),
        ([38, 1, 1, 0, 0], EINVAL),
        ([39, 1, 0, 0, 0], EINVAL),
        ([22, 1, 0, 0, 0], EINVAL),
        ([9999, 0, 0, 0, 0], EINVAL),
    ] {
        assert_eq!(w.refused(t, "prctl", &args), errno, "{args:?}");
    }
    w.call(t, "prctl", &[1, 64]);
    assert_eq!(w.call(t, "prctl", &[0x1_0000_0003]), 1, "the option is an int");
    w.try_with(t, "prctl", &[15], Payload::Text("a name that is too long".into())).unwrap();
    assert_eq!(w.sys.task(t).comm(), "a name that is ");
    w.call(t, "prctl", &[29, 7]);
    assert_eq!(w.call(t, "prctl", &[30]), 7);
    w.call(t, "prctl", &[29, 0]);
    assert_eq!(w.call(t, "prctl", &[30]), 50_000);
    // A subreaper marks all that is below it.
    let (c, other) = (w.fork(t), w.fork(w.init));
    let g = w.fork(c);
    w.call(t, "prctl", &[36, 1]);
    let has = |w: &World, t| w.sys.signal(t).has_child_subreaper;
    assert!(has(&w, c) && has(&w, g) && !has(&w, other) && !has(&w, t));
    let born = w.fork(g);
    assert!(has(&w, born));
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
    assert_eq!(w.sys.task_mut(t).finished.take().unwrap().ret as u64, w.pid(child));
    assert_eq!(w.sys.task(t).regs.ip, HANDLER);
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
    super::send::force_sig_fault(&mut w.sys, b, Signal::SIGSEGV, si_code::SEGV_MAPERR, 0);
    crate::kernel::entry::settle(&mut w.sys);
    assert_eq!(w.state(b), 'Z', "its own fault kills it");
    // kill(-1) in a namespace reaches nobody outside.
    assert_eq!(w.refused(c, "kill", &[u64::MAX, 9]), ESRCH);
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
        let ended = w.sys.task_mut(t).finished.take().map(|o| o.ret);
        assert_eq!(ended, (!again).then_some(EINTR.to_ret()));
        set_user_regs(&mut w, t, |r| r.sp += 8);
        let e = w.enter(t, "rt_sigreturn", &[], Payload::None);
        assert_eq!(e == Entered::Blocked, again, "{e:?}");
        if !again {
            continue;
        }
        assert_eq!(w.state(t), 'S');
        let pid = w.pid(child);
        w.enter(child, "exit", &[0], Payload::None);
        assert_eq!(w.sys.task_mut(t).finished.take().unwrap().ret as u64, pid);
    }
}
