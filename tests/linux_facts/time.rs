//! Facts on sleeping and on clocks: which are there, what is refused, when a
//! sleep ends. The errors were seen on Linux.

use super::*;
use forkyard::kernel::timer;

const SEC: u64 = 1_000_000_000;

/// A page with the timespecs one second, a negative one, one with too many ns.
fn times() -> (World, TaskId, u64) {
    let (mut w, t) = world();
    let at = w.map(t, 4096);
    for (i, word) in [1, 0, u64::MAX, 0, 0, SEC].into_iter().enumerate() {
        w.store(t, at + 8 * i as u64, word).unwrap();
    }
    (w, t, at)
}

fn ended(w: &mut World, t: TaskId) -> Option<Result<i64, Errno>> {
    w.sys.take_finished(t).map(|r| r.map(|(ret, _)| ret).map_err(|e| e.errno))
}

#[test]
fn clocks_and_times_are_checked_in_linuxs_order() {
    let (mut w, t, at) = times();
    for clock in [3, 4, 5, 6] {
        assert_eq!(w.err(t, "clock_nanosleep", &[clock, 0, 8, 0]), Errno::EOPNOTSUPP);
    }
    for clock in [10, 12, 99] {
        assert_eq!(w.err(t, "clock_nanosleep", &[clock, 0, 8, 0]), Errno::EINVAL);
        assert_eq!(w.err(t, "clock_gettime", &[clock, 8]), Errno::EINVAL);
    }
    for clock in [0, 1, 7, 11] {
        assert_eq!(w.err(t, "clock_nanosleep", &[clock, 0, 8, 0]), Errno::EFAULT);
        assert_eq!(w.err(t, "clock_nanosleep", &[clock, 1, at + 16, 0]), Errno::EINVAL);
        assert_eq!(w.err(t, "clock_gettime", &[clock, 8]), Errno::EFAULT);
    }
    assert_eq!(w.err(t, "nanosleep", &[at + 16, 0]), Errno::EINVAL);
    assert_eq!(w.err(t, "nanosleep", &[at + 32, 0]), Errno::EINVAL);
    // The absolute time one second has passed for CLOCK_REALTIME.
    assert_eq!(w.ok(t, "clock_nanosleep", &[0, 1, at, 0]), 0);
    assert_eq!(w.err(t, "restart_syscall", &[]), Errno::EINTR);
}

#[test]
fn a_sleep_ends_at_its_time() {
    let (mut w, t, at) = times();
    let before = w.sys.machine.clock.now();
    w.sleeps(t, "nanosleep", &[at, 0]);
    let end = timer::next(&w.sys).unwrap();
    assert!(end - before >= SEC && end - before < SEC + 100_000);
    let left = end - w.sys.machine.clock.now();
    timer::advance(&mut w.sys, left - 1);
    assert_eq!((w.state(t), ended(&mut w, t)), ('S', None));
    timer::advance(&mut w.sys, 1);
    assert_eq!(ended(&mut w, t), Some(Ok(0)));
    w.check("a sleep");
}

#[test]
fn a_handler_ends_a_sleep_and_what_is_left_is_stored() {
    for flags in [SaFlags::empty(), SaFlags::SA_RESTART] {
        let (mut w, t, at) = times();
        let init = w.sys.kernel.init_process;
        sigaction(&mut w, t, 10, HANDLER, flags);
        w.sleeps(t, "nanosleep", &[at, at + 64]);
        timer::advance(&mut w.sys, SEC / 4);
        let pid = w.pid(t) as u64;
        w.ok(init, "kill", &[pid, 10]);
        assert_eq!(ended(&mut w, t), Some(Err(Errno::EINTR)));
        let mut bytes = [0; 16];
        w.sys.peek(t, at + 64, &mut bytes).unwrap();
        let left = u64::from_le_bytes(bytes[8..].try_into().unwrap());
        assert_eq!(bytes[..8], [0; 8]);
        assert!(left > SEC / 2 && left <= SEC / 4 * 3, "{left}");
        assert_eq!(timer::next(&w.sys), None);
    }
}

#[test]
fn a_stop_does_not_make_a_sleep_longer() {
    let (mut w, t, at) = times();
    let init = w.sys.kernel.init_process;
    let pid = w.pid(t) as u64;
    w.sleeps(t, "nanosleep", &[at, 0]);
    let end = timer::next(&w.sys).unwrap();
    w.ok(init, "kill", &[pid, 19]);
    assert_eq!(w.state(t), 'T');
    timer::advance(&mut w.sys, SEC / 4);
    w.ok(init, "kill", &[pid, 18]);
    assert_eq!((w.state(t), timer::next(&w.sys)), ('S', Some(end)));
    // Its time passes while it is stopped.
    w.ok(init, "kill", &[pid, 19]);
    timer::advance(&mut w.sys, 2 * SEC);
    assert_eq!(ended(&mut w, t), None);
    w.ok(init, "kill", &[pid, 18]);
    assert_eq!(ended(&mut w, t), Some(Ok(0)));
    w.check("a stopped sleep");
}

#[test]
fn a_futex_wait_ends_at_its_timeout() {
    let (mut w, t, at) = times();
    let word = at + 128;
    w.store(t, word, 5).unwrap();
    assert_eq!(w.err(t, "futex", &[word, 0, 6, at]), Errno::EAGAIN);
    assert_eq!(w.err(t, "futex", &[word, 0, 6, at + 16]), Errno::EINVAL);
    assert_eq!(w.err(t, "futex", &[1, 0, 6, 8]), Errno::EFAULT);
    w.sleeps(t, "futex", &[word, 0, 5, at]);
    timer::advance(&mut w.sys, SEC + 100_000);
    assert_eq!(ended(&mut w, t), Some(Err(Errno::ETIMEDOUT)));
    // A stop: the timeout counts from the beginning.
    let init = w.sys.kernel.init_process;
    let pid = w.pid(t) as u64;
    w.sleeps(t, "futex", &[word, 0, 5, at]);
    let end = timer::next(&w.sys);
    w.ok(init, "kill", &[pid, 19]);
    w.ok(init, "kill", &[pid, 18]);
    assert_eq!((w.state(t), timer::next(&w.sys)), ('S', end));
    timer::advance(&mut w.sys, 2 * SEC);
    assert_eq!(ended(&mut w, t), Some(Err(Errno::ETIMEDOUT)));
    w.check("a timeout");
}

/// The answers of a C program on a 6.18 kernel.
#[test]
fn an_interval_timer_fires_again_when_its_signal_is_taken() {
    const ALRM: i32 = 14;
    let (mut w, t) = world();
    let left = |w: &World| match w.out {
        Out::Itimer(timer) => (timer.value, timer.interval),
        ref other => panic!("{other:?}"),
    };
    let set = |w: &mut World, value: i64, interval: i64| {
        w.value(t, "setitimer", &[0, 0, 0], Payload::Itimer([0, value, 0, interval]))
    };
    sigaction(&mut w, t, ALRM as u64, HANDLER, SaFlags::empty());
    block(&mut w, t, ALRM);
    set(&mut w, 10_000, 20_000).unwrap();
    timer::advance(&mut w.sys, 100_000_000);
    w.ok(t, "getitimer", &[0, 0]);
    assert_eq!(left(&w), (0, 20_000_000), "it waits for its signal to be taken");
    w.value(t, "rt_sigprocmask", &[1, 0, 0, 8], Payload::SigSet(SigSet::of(Signal::SIGALRM)))
        .unwrap();
    w.ok(t, "getitimer", &[0, 0]);
    assert!(left(&w).0 > 0 && left(&w).1 == 20_000_000);
    w.value(t, "setitimer", &[0, 0, 0], Payload::Itimer([0, 0, 1, 0])).unwrap();
    w.ok(t, "getitimer", &[0, 0]);
    assert_eq!(left(&w), (0, 0), "without a value there is no interval");
    assert_eq!(set(&mut w, 1_000_000, 0), Err(Errno::EINVAL));
    assert_eq!(w.err(t, "setitimer", &[3, 0, 0]), Errno::EINVAL);
    assert_eq!(w.ok(t, "setitimer", &[1, 0, 0]), 0);
    let bad = w.value(t, "getitimer", &[0, 0], Payload::Registers);
    assert_eq!(bad, Err(Errno::EFAULT));
    for (sec, usec, seconds) in [(10, 0, 10), (0, 400_000, 1), (2, 400_000, 2)] {
        w.value(t, "setitimer", &[0, 0, 0], Payload::Itimer([sec, usec, 0, 0])).unwrap();
        assert_eq!(w.ok(t, "alarm", &[0]), seconds);
    }
    let child = w.fork(t);
    w.ok(t, "alarm", &[1]);
    assert_eq!(w.ok(child, "alarm", &[0]), 0);
}
