//! Facts on calls that signals interrupt: who decides whether they are made
//! again, and that what they then return is theirs.

use super::*;
use forkyard::kernel::entry::settle;
use forkyard::kernel::sched::core::wake_up_process;
use forkyard::kernel::timer;

const RESTART: SaFlags = SaFlags::SA_RESTART;
const NO_RESTART: SaFlags = SaFlags::empty();

/// A pipe of `t`: the end to read and the end to write.
fn pipe(w: &mut World, t: TaskId) -> (u64, u64) {
    w.ok(t, "pipe2", &[0, 0]);
    let Out::Fds(r, x) = w.out else { panic!("{:?}", w.out) };
    (r as u64, x as u64)
}

fn write(w: &mut World, t: TaskId, fd: u64) {
    let bytes = Payload::Bytes(b"xy".as_slice().into());
    assert_eq!(w.value(t, "write", &[fd, 0, 2], bytes), Ok(2));
}

fn kill(w: &mut World, t: TaskId, sig: u64) {
    let (init, pid) = (w.init, i64::from(w.pid(t)));
    w.kill(init, pid, sig).unwrap();
}

/// The result of a call that had slept, if it has ended.
fn ended(w: &mut World, t: TaskId) -> Option<Result<i64, Errno>> {
    let result = w.sys.take_finished(t)?;
    Some(result.map(|r| r.0).map_err(|e| e.errno))
}

#[test]
fn the_first_of_several_handlers_decides_about_a_restart() {
    for (usr1, usr2) in [(RESTART, NO_RESTART), (NO_RESTART, RESTART)] {
        let (mut w, t) = world();
        let (r, x) = pipe(&mut w, t);
        let init = w.fork(t);
        sigaction(&mut w, t, 10, HANDLER, usr1);
        sigaction(&mut w, t, 12, HANDLER, usr2);
        w.sleeps(t, "read", &[r, 0, 10]);
        // Stopped, it takes both when it goes on: USR1 first, so that the
        // handler of USR2 lies on top and runs first.
        for sig in [19, 10, 12, 18] {
            kill(&mut w, t, sig);
        }
        assert_eq!(w.sys.task(t).regs.di, 12);
        let first = ended(&mut w, t);
        assert_eq!(first, (usr1 == NO_RESTART).then_some(Err(Errno::EINTR)));
        w.sigreturn(t);
        assert_eq!((w.sys.task(t).regs.di, w.state(t)), (10, 'R'));
        w.sigreturn(t);
        if usr1 == RESTART {
            assert_eq!((w.state(t), ended(&mut w, t)), ('S', None));
            write(&mut w, init, x);
            assert_eq!(ended(&mut w, t), Some(Ok(2)));
        }
        assert_eq!((w.state(t), ended(&mut w, t)), ('R', None));
    }
}

#[test]
fn a_child_born_in_a_handler_makes_the_call_too() {
    let (mut w, t) = world();
    let (r, x) = pipe(&mut w, t);
    sigaction(&mut w, t, 10, HANDLER, RESTART);
    w.sleeps(t, "read", &[r, 0, 1]);
    kill(&mut w, t, 10);
    let child = w.fork(t);
    for task in [t, child] {
        w.sigreturn(task);
        assert_eq!(w.state(task), 'S');
    }
    let writer = w.init;
    // Init has no end of the pipe: a third process has.
    assert_eq!(w.sys.task(writer).pid, 1);
    kill(&mut w, child, 10);
    write(&mut w, child, x);
    assert_eq!(ended(&mut w, t), Some(Ok(1)));
    w.sigreturn(child);
    assert_eq!(ended(&mut w, child), Some(Ok(1)), "the second byte");
}

#[test]
fn calls_interrupted_in_handlers_end_from_the_inside_out() {
    let (mut w, t) = world();
    let (outer, inner) = (pipe(&mut w, t), pipe(&mut w, t));
    let other = w.fork(t);
    sigaction(&mut w, t, 10, HANDLER, RESTART);
    sigaction(&mut w, t, 12, HANDLER, RESTART);
    w.sleeps(t, "read", &[outer.0, 0, 1]);
    let first = w.sys.last_call();
    kill(&mut w, t, 10);
    w.sleeps(t, "read", &[inner.0, 0, 2]);
    let second = w.sys.last_call();
    kill(&mut w, t, 12);
    write(&mut w, other, inner.1);
    write(&mut w, other, outer.1);
    assert_eq!(w.sys.take_ended(t), None);
    w.sigreturn(t);
    let (serial, result) = w.sys.take_ended(t).unwrap();
    assert_eq!((serial, result.unwrap().0), (second, 2));
    assert_eq!(w.sys.take_ended(t), None);
    w.sigreturn(t);
    let (serial, result) = w.sys.take_ended(t).unwrap();
    assert_eq!((serial, result.unwrap().0), (first, 1));
}

#[test]
fn a_stop_on_the_way_out_keeps_what_was_decided() {
    // USR1 runs a handler in sigsuspend, which restores the mask, and TSTP,
    // let in as well, stops the process before the handler's first step.
    let (mut w, t) = world();
    let shell = w.fork(t);
    w.ok(shell, "setpgid", &[0, 0]);
    sigaction(&mut w, shell, 10, HANDLER, NO_RESTART);
    for sig in [10, 20] {
        block(&mut w, shell, sig);
        kill(&mut w, shell, sig as u64);
    }
    let done = w.with(shell, "rt_sigsuspend", &[0, 8], Payload::SigSet(SigSet(0)));
    assert_eq!((done, w.state(shell)), (Ok(Done::Stopped), 'T'));
    let pid = i64::from(w.pid(shell));
    assert_eq!(w.wait4(t, pid, WUNTRACED), Ok((pid, 0x147f)));
    kill(&mut w, shell, 18);
    assert_eq!((w.state(shell), w.sys.task(shell).regs.di), ('R', 10));
    assert_eq!(ended(&mut w, shell), Some(Err(Errno::EINTR)));
}

#[test]
fn a_stop_after_a_restart_was_decided() {
    // The mask of sigsuspend keeps USR1 out. Stopped and continued, the call
    // is to be made again; the old mask lets USR1 in before that.
    let (mut w, t) = world();
    sigaction(&mut w, t, 10, HANDLER, NO_RESTART);
    sigaction(&mut w, t, 12, HANDLER, NO_RESTART);
    let usr1 = Payload::SigSet(SigSet::of(Signal::SIGUSR1));
    assert_eq!(w.with(t, "rt_sigsuspend", &[0, 8], usr1), Ok(Done::Blocked));
    for sig in [10, 19, 18] {
        kill(&mut w, t, sig);
    }
    assert_eq!((w.state(t), w.sys.task(t).regs.di), ('R', 10));
    assert_eq!(ended(&mut w, t), None);
    w.sigreturn(t);
    assert_eq!((w.state(t), ended(&mut w, t)), ('S', None));
    kill(&mut w, t, 12);
    assert_eq!(ended(&mut w, t), Some(Err(Errno::EINTR)));
}

/// Sleeps in rt_sigtimedwait for SIGUSR1 and gives the deadline.
fn sigtimedwait(w: &mut World, t: TaskId, at: u64, ns: u64) -> u64 {
    w.store(t, at, ns / 1_000_000_000).unwrap();
    w.store(t, at + 8, ns % 1_000_000_000).unwrap();
    let set = Payload::SigSet(SigSet::of(Signal::SIGUSR1));
    assert_eq!(w.with(t, "rt_sigtimedwait", &[0, 0, at, 8], set), Ok(Done::Blocked));
    w.sys.kernel.timers.first().unwrap().0
}

#[test]
fn a_timeout_ends_the_sleep_at_its_time() {
    let (mut w, t) = world();
    let at = w.map(t, 4096);
    block(&mut w, t, 10);
    let began = w.sys.machine.clock.now();
    let deadline = sigtimedwait(&mut w, t, at, 1_500_000_000);
    assert!(deadline - began >= 1_500_000_000 && deadline - began < 1_500_100_000);
    // Woken for nothing, and one ns too early: it sleeps on.
    for _ in 0..2 {
        wake_up_process(&mut w.sys, t);
        settle(&mut w.sys);
        w.check("a spurious wake-up");
        assert_eq!((w.state(t), ended(&mut w, t)), ('S', None));
        assert_eq!(w.sys.kernel.timers.first(), Some(&(deadline, t)));
        let left = deadline - w.sys.machine.clock.now();
        timer::advance(&mut w.sys, left - 1_000_000);
    }
    let left = deadline - w.sys.machine.clock.now();
    timer::advance(&mut w.sys, left - 1);
    assert_eq!((w.state(t), ended(&mut w, t)), ('S', None));
    timer::advance(&mut w.sys, 1);
    w.check("the deadline");
    assert_eq!((w.state(t), ended(&mut w, t)), ('R', Some(Err(Errno::EAGAIN))));
    assert!(w.sys.kernel.timers.is_empty());
    // A signal comes first: the timer is gone with the sleep.
    sigtimedwait(&mut w, t, at, 1_000_000);
    kill(&mut w, t, 10);
    assert_eq!(ended(&mut w, t), Some(Ok(10)));
    assert!(w.sys.kernel.timers.is_empty());
    // Stopped and continued it is over too, before its time.
    sigtimedwait(&mut w, t, at, 1_000_000_000);
    for sig in [19, 18] {
        kill(&mut w, t, sig);
    }
    assert_eq!(ended(&mut w, t), Some(Err(Errno::EINTR)));
    // Two fire in the order of their deadlines, each at its own.
    let other = w.fork(t);
    let late = sigtimedwait(&mut w, t, at, 5_000_000);
    let early = sigtimedwait(&mut w, other, at, 1_000_000);
    assert!(early < late);
    timer::advance(&mut w.sys, 3_000_000);
    assert_eq!((w.state(t), w.state(other)), ('S', 'R'));
    timer::advance(&mut w.sys, 3_000_000);
    assert_eq!(ended(&mut w, t), Some(Err(Errno::EAGAIN)));
    // Killed, it leaves none behind.
    sigtimedwait(&mut w, t, at, 5_000_000);
    kill(&mut w, t, 9);
    assert!(w.sys.kernel.timers.is_empty());
}
