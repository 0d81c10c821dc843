//! POSIX timers and the interval timers of processor time, with everything in
//! memory. What is expected was seen on Linux 6.18.

use super::{Raw, raw};
use crate::abi::numbers::*;
use crate::abi::{Errno, SigSet, Signal};
use crate::kernel::syscalls::Payload;
use crate::kernel::task::TaskId;
use crate::machine::{Size, UserOp};

const MS: u64 = 1_000_000;

impl Raw {
    /// timer_create with an event at 256: the number of the timer.
    fn timer(&mut self, clock: u64, notify: u32, sig: i32, tid: i32) -> Result<u64, Errno> {
        let mut event = [0; 64];
        event[..8].copy_from_slice(&7u64.to_le_bytes());
        event[8..12].copy_from_slice(&sig.to_le_bytes());
        event[12..16].copy_from_slice(&notify.to_le_bytes());
        event[16..20].copy_from_slice(&tid.to_le_bytes());
        let event = self.put(256, &event);
        let id = self.at + 336;
        self.sys("timer_create", &[clock, event, id])?;
        Ok(self.int(336) as u64)
    }

    /// timer_settime, in ns.
    fn set(&mut self, id: u64, flags: u64, value: u64, interval: u64) {
        let of = |ns: u64| ((ns / 1_000_000_000) as i64, (ns % 1_000_000_000) as i64);
        let ((a, b), (c, d)) = (of(interval), of(value));
        let spec = self.put_words(344, &[a, b, c, d]);
        self.ok("timer_settime", &[id, flags, spec, 0]);
    }

    /// timer_gettime: value and interval, in ns.
    fn left(&mut self, id: u64) -> (u64, u64) {
        let at = self.at + 400;
        self.ok("timer_gettime", &[id, at]);
        let ns = |s: i64, n: i64| (s * 1_000_000_000 + n) as u64;
        (ns(self.word(416), self.word(424)), ns(self.word(400), self.word(408)))
    }

    fn block(&mut self, sig: Signal) -> u64 {
        let set = self.put_words(440, &[1 << (sig.number() - 1)]);
        self.ok("rt_sigprocmask", &[0, set, 0, 8]);
        set
    }

    /// Takes a signal of the set: si_code, timer, overruns and value.
    fn take(&mut self, set: u64) -> Result<(i32, i32, i32, u64), Errno> {
        let (info, none) = (self.at + 512, self.put_words(448, &[0, 0]));
        self.sys("rt_sigtimedwait", &[set, info, none, 8])?;
        Ok((self.int(520), self.int(528), self.int(532), self.word(536) as u64))
    }
}

#[test]
fn a_timer_sends_its_signal_with_its_number() {
    let mut r = raw();
    let set = r.block(Signal::SIGUSR1);
    let sig = Signal::SIGUSR1.number();
    let first = r.timer(1, SIGEV_SIGNAL, sig, 0).unwrap();
    let id = r.timer(1, SIGEV_SIGNAL, sig, 0).unwrap();
    assert_eq!((first, id), (0, 1));
    assert_eq!(r.left(id), (0, 0));
    r.set(id, 0, 5 * MS, 0);
    let (left, interval) = r.left(id);
    assert!(left > 4 * MS && left < 5 * MS && interval == 0);
    r.pass(5 * MS);
    assert_eq!(r.take(set), Ok((-2, id as i32, 0, 7)));
    assert_eq!(r.take(set), Err(Errno::EAGAIN));
    assert_eq!(r.left(id), (0, 0));
    // Without an event: SIGALRM with its number.
    let at = r.at;
    r.ok("timer_create", &[0, 0, at]);
    assert_eq!(r.int(0), 2);
    let set = r.block(Signal::SIGALRM);
    r.set(2, 0, 1, 0);
    r.pass(1);
    assert_eq!(r.take(set), Ok((-2, 2, 0, 2)));
}

#[test]
fn a_periodic_timer_counts_what_nobody_took() {
    let mut r = raw();
    let set = r.block(Signal::SIGUSR1);
    let id = r.timer(7, SIGEV_SIGNAL, Signal::SIGUSR1.number(), 0).unwrap();
    r.set(id, 0, 10 * MS, 10 * MS);
    // At 10; 20, 30 and 40 are overruns.
    r.pass(45 * MS);
    assert_eq!(r.take(set), Ok((-2, id as i32, 3, 7)));
    assert_eq!(r.ok("timer_getoverrun", &[id]), 3);
    assert_eq!(r.take(set), Err(Errno::EAGAIN));
    r.pass(5 * MS);
    assert_eq!(r.take(set), Ok((-2, id as i32, 0, 7)));
    assert_eq!(r.ok("timer_getoverrun", &[id]), 0);
    // Setting it anew makes a signal that waits count for nothing.
    r.pass(10 * MS);
    assert!(r.w.sys.signal(r.t).shared_pending.signal.contains(Signal::SIGUSR1));
    r.set(id, 0, 0, 0);
    assert_eq!(r.take(set), Err(Errno::EAGAIN));
    r.set(id, 0, MS, 0);
    r.pass(MS);
    r.ok("timer_delete", &[id]);
    assert_eq!(r.take(set), Err(Errno::EAGAIN));
    assert_eq!(r.sys("timer_delete", &[id]), Err(Errno::EINVAL));
    assert!(r.w.sys.kernel.alarms.is_empty());
}

#[test]
fn a_timer_tells_one_thread_or_nobody() {
    let mut r = raw();
    let thread = r.w.thread(r.t);
    let tid = r.w.pid(thread) as i32;
    r.block(Signal::SIGUSR1);
    let sig = Signal::SIGUSR1.number();
    let id = r.timer(1, SIGEV_THREAD_ID, sig, tid).unwrap();
    let stranger = r.w.fork(r.t);
    let other = r.w.pid(stranger) as i32;
    assert_eq!(r.timer(1, SIGEV_THREAD_ID, sig, other), Err(Errno::EINVAL));
    let usr1 = SigSet::of(Signal::SIGUSR1);
    r.w.sys.task_mut(thread).blocked = usr1;
    r.set(id, 0, MS, 0);
    r.pass(MS);
    assert_eq!(r.w.sys.task(thread).pending.signal, usr1);
    let quiet = r.timer(1, SIGEV_NONE, 0, 0).unwrap();
    r.set(quiet, 0, 10 * MS, 0);
    r.pass(4 * MS);
    let (left, _) = r.left(quiet);
    assert!(left > 5 * MS && left < 6 * MS, "{left}");
    r.pass(6 * MS);
    assert_eq!(r.left(quiet), (0, 0));
    for (clock, notify, sig, e) in [
        (12, SIGEV_SIGNAL, 10, Errno::EINVAL),
        (4, SIGEV_SIGNAL, 10, Errno::EOPNOTSUPP),
        (9, SIGEV_SIGNAL, 10, Errno::EOPNOTSUPP),
        (1, SIGEV_SIGNAL, 0, Errno::EINVAL),
        (1, SIGEV_SIGNAL, 65, Errno::EINVAL),
        (1, 9, 10, Errno::EINVAL),
    ] {
        assert_eq!(r.timer(clock, notify, sig, 0), Err(e), "{clock} {notify} {sig}");
    }
    assert_eq!(r.sys("timer_create", &[1, 0, 0]), Err(Errno::EFAULT));
    assert_eq!(r.sys("timer_settime", &[id, 0, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(r.sys("timer_settime", &[id, 0, 8, 0]), Err(Errno::EFAULT));
    assert_eq!(r.sys("timer_gettime", &[77, 8]), Err(Errno::EINVAL));
}

#[test]
fn an_ignored_timer_goes_on_when_its_signal_counts_again() {
    let mut r = raw();
    let sig = Signal::SIGUSR1;
    let act = r.put_words(600, &[1, 0x0400_0000, 0, 0]);
    r.ok("rt_sigaction", &[sig.number() as u64, act, 0, 8]);
    let id = r.timer(1, SIGEV_SIGNAL, sig.number(), 0).unwrap();
    r.set(id, 0, 10 * MS, 10 * MS);
    r.pass(25 * MS);
    assert!(r.w.sys.signal(r.t).shared_pending.signal.is_empty());
    assert!(r.w.sys.kernel.alarms.is_empty());
    let set = r.block(sig);
    let act = r.put_words(600, &[0x40_0000, 0x0400_0000, 0x40_0000, 0]);
    r.ok("rt_sigaction", &[sig.number() as u64, act, 0, 8]);
    assert_eq!(r.take(set), Ok((-2, id as i32, 1, 7)));
}

#[test]
fn fork_and_exec_have_no_timers() {
    let mut r = raw();
    let set = r.block(Signal::SIGUSR1);
    let id = r.timer(1, SIGEV_SIGNAL, Signal::SIGUSR1.number(), 0).unwrap();
    r.set(id, 0, MS, MS);
    let child = r.w.fork(r.t);
    assert_eq!(r.by(child, "timer_delete", &[id]), Err(Errno::EINVAL));
    let init: TaskId = std::mem::replace(&mut r.t, child);
    let own = r.timer(0, SIGEV_SIGNAL, Signal::SIGUSR1.number(), 0).unwrap();
    assert_eq!(own, 0);
    r.set(own, 0, MS, MS);
    r.pass(MS);
    assert!(r.w.sys.signal(child).shared_pending.signal.contains(Signal::SIGUSR1));
    let path = r.put(700, b"/bin/sh\0");
    let argv = r.put_words(720, &[path as i64, 0]);
    assert_eq!(r.by(child, "execve", &[path, argv, 0]), Ok(0));
    assert!(r.w.sys.signal(child).posix_timers.timers.is_empty());
    assert!(r.w.sys.signal(child).shared_pending.signal.is_empty());
    r.t = init;
    assert_eq!(r.take(set), Ok((-2, 0, 0, 7)));
    // An end disarms what is armed.
    r.w.enter(child, "exit_group", &[0], Payload::Registers);
    r.ok("timer_delete", &[id]);
    assert!(r.w.sys.kernel.alarms.is_empty());
}

#[test]
fn a_timer_counts_against_rlimit_sigpending() {
    let mut r = raw();
    let none = r.put_words(0, &[0, 0]);
    let sig = RLIMIT_SIGPENDING.into();
    r.ok("prlimit64", &[0, sig, none, 0]);
    assert_eq!(r.timer(1, SIGEV_SIGNAL, 10, 0), Err(Errno::EAGAIN));
}

#[test]
fn timers_of_processor_time_count_what_is_run() {
    let mut r = raw();
    for (which, sig) in [(1, Signal::SIGVTALRM), (2, Signal::SIGPROF)] {
        let set = r.block(sig);
        let spec = r.put_words(0, &[0, 20, 0, 20]);
        let old = r.at + 32;
        r.ok("setitimer", &[which, spec, old]);
        assert_eq!((r.word(48), r.word(56)), (0, 0));
        // Time alone does not move them.
        r.pass(100 * MS);
        assert_eq!(r.take(set), Err(Errno::EAGAIN));
        let at = r.at;
        let mut work = 0;
        let info = loop {
            crate::kernel::entry::user_op(
                &mut r.w.sys,
                r.t,
                UserOp::Load { addr: crate::base::VirtAddr(at), size: Size::Qword },
            )
            .unwrap()
            .unwrap();
            work += 1;
            assert!(work < 2_000, "it never fires");
            if r.w.sys.signal(r.t).shared_pending.signal.contains(sig) {
                break r.take(set);
            }
        };
        assert_eq!(info.map(|i| i.0), Ok(0x80));
        r.ok("getitimer", &[which, old]);
        assert_eq!(r.word(40), 20);
        assert!(r.word(56) <= 20 && r.word(56) > 0);
        let off = r.put_words(0, &[0; 4]);
        r.ok("setitimer", &[which, off, 0]);
    }
    assert_eq!(r.w.sys.kernel.cpu_timers_armed, 0);
    let at = r.at;
    assert_eq!(r.sys("getitimer", &[3, at]), Err(Errno::EINVAL));
    // A process that ends takes its timers along.
    let child = r.w.fork(r.t);
    let spec = r.put_words(0, &[0, 0, 9, 0]);
    let init = std::mem::replace(&mut r.t, child);
    r.put_words(0, &[0, 0, 9, 0]);
    r.ok("setitimer", &[2, spec, 0]);
    r.t = init;
    r.w.enter(child, "exit_group", &[0], Payload::Registers);
    assert_eq!(r.w.sys.kernel.cpu_timers_armed, 0);
}

#[test]
fn posix_timers_count_processor_time() {
    let mut r = raw();
    let at = r.at;
    let set = r.block(Signal::SIGUSR1);
    let load = |r: &mut Raw| {
        let op = UserOp::Load { addr: crate::base::VirtAddr(at), size: Size::Qword };
        crate::kernel::entry::user_op(&mut r.w.sys, r.t, op).unwrap().unwrap();
    };
    // Of the process, of the thread, and of the process by number: all but the first
    // bits of its pid are those of -1.
    let by_pid = !r.w.pid(r.t) << 3 | 2;
    for clock in [2, 3, by_pid & 0xffff_ffff] {
        let id = r.timer(clock, SIGEV_SIGNAL, 10, 0).unwrap();
        assert_eq!(r.w.sys.kernel.cpu_timers_armed, 0);
        r.set(id, 0, 30_000, 30_000);
        assert_eq!(r.w.sys.kernel.cpu_timers_armed, 1);
        // Time alone does not move it.
        r.pass(100 * MS);
        assert_eq!(r.take(set), Err(Errno::EAGAIN));
        for _ in 0..1_000 {
            load(&mut r);
        }
        let (code, number, overrun, value) = r.take(set).unwrap();
        assert_eq!((code, number, value), (-2, id as i32, 7), "clock {clock:#x}");
        assert!(overrun >= 2, "{overrun}");
        let (left, interval) = r.left(id);
        assert!(left > 0 && left <= 30_000 && interval == 30_000, "{left}");
        r.ok("timer_delete", &[id]);
        assert_eq!(r.w.sys.kernel.cpu_timers_armed, 0);
    }
    assert_eq!(r.timer(!0x3fff_u64 << 3 & 0xffff_ffff, SIGEV_SIGNAL, 10, 0), Err(Errno::EINVAL));
    // A timer that measures another process fires while that one runs; when it has
    // ended there is nothing to measure.
    let child = r.w.fork(r.t);
    let of_child = !r.w.pid(child) << 3 | 2;
    let id = r.timer(of_child & 0xffff_ffff, SIGEV_SIGNAL, 10, 0).unwrap();
    r.set(id, 0, 5_000, 0);
    let own = std::mem::replace(&mut r.t, child);
    for _ in 0..200 {
        load(&mut r);
    }
    r.t = own;
    assert_eq!(r.take(set).map(|t| t.1), Ok(id as i32));
    r.w.enter(child, "exit_group", &[0], Payload::Registers);
    let spec = r.put_words(344, &[0, 0, 1, 0]);
    assert_eq!(r.sys("timer_settime", &[id, 0, spec, 0]), Err(Errno::ESRCH));
    assert_eq!(r.left(id), (0, 0));
}
