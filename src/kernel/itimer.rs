//! The interval timer of a process: alarm(2), setitimer(2), getitimer(2).
//!
//! ```text
//! armed --its time comes--> SIGALRM to the process
//!   ^                           |
//!   +--- interval, when a thread takes the signal
//! ```
//! So a process that does not take its signals is not flooded with them.
//!
//! Linux: kernel/time/itimer.c (do_setitimer, it_real_fn, alarm_setitimer,
//! posixtimer_rearm_itimer).
//! Left out: ITIMER_VIRTUAL and ITIMER_PROF, which count processor time; each is
//! refused by name.

use crate::abi::structs::SigInfo;
use crate::abi::{Errno, Signal};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::nanosleep::NSEC_PER_SEC;
use crate::kernel::pid::PidType;
use crate::kernel::signal::SignalId;
use crate::kernel::signal::send::send_signal_locked;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// ITIMER_REAL of a process (`signal->real_timer`, `it_real_incr`), in ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RealTimer {
    /// When it fires, if it is armed.
    pub expires: Option<u64>,
    /// After how long it fires again; 0: never.
    pub interval: u64,
}

/// What is left, and the interval, both in ns; 0: not armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Itimerval {
    /// `it_value`.
    pub value: u64,
    /// `it_interval`.
    pub interval: u64,
}

const NSEC_PER_USEC: u64 = 1_000;

/// Whether a timer is modelled.
///
/// # Errors
/// EINVAL: there is none with this number. ENOSYS: one of processor time.
pub fn check_which(which: u64, function: &'static str) -> Result<(), SysError> {
    match which as u32 {
        0 => Ok(()),
        1 | 2 => {
            let why = "ITIMER_VIRTUAL and ITIMER_PROF are not modelled; ITIMER_REAL is";
            refuse(Errno::ENOSYS, function, why)
        }
        _ => refuse(Errno::EINVAL, function, "there is no timer with this number"),
    }
}

/// Nanoseconds of a timeval.
///
/// # Errors
/// EINVAL: negative, or a million microseconds and more.
pub fn timeval_to_ns(sec: i64, usec: i64) -> Result<u64, SysError> {
    if sec < 0 || !(0..1_000_000).contains(&usec) {
        let why = "a time is not negative, and its microseconds are below a million";
        return refuse(Errno::EINVAL, "timeval_valid", why);
    }
    let ns = (sec as u64).saturating_mul(NSEC_PER_SEC);
    // The largest ktime stands for all that is longer.
    Ok(ns.saturating_add(usec as u64 * NSEC_PER_USEC).min(i64::MAX as u64))
}

/// What is left of the timer (`do_getitimer`). An armed one has something left.
pub fn do_getitimer(sys: &System, task: TaskId) -> Itimerval {
    let timer = sys.signal(task).real_timer;
    let now = sys.machine.clock.now();
    let value = timer.expires.map_or(0, |at| at.saturating_sub(now).max(NSEC_PER_USEC));
    Itimerval { value, interval: timer.interval }
}

/// Sets the timer, or disarms it with the value 0; gives what it was
/// (`do_setitimer`).
pub fn do_setitimer(sys: &mut System, task: TaskId, new: Itimerval) -> Itimerval {
    let old = do_getitimer(sys, task);
    let Some(signal) = sys.task(task).signal else { return old };
    disarm(sys, signal);
    let now = sys.machine.clock.now();
    // Without a value there is no interval either.
    if new.value > 0 {
        arm(sys, signal, now.saturating_add(new.value));
        sys.kernel.signals[signal].real_timer.interval = new.interval;
    }
    old
}

/// alarm(2): gives the seconds that were left, rounded, but not to 0.
pub fn alarm(sys: &mut System, task: TaskId, seconds: u32) -> i64 {
    let value = u64::from(seconds) * NSEC_PER_SEC;
    let left = do_setitimer(sys, task, Itimerval { value, interval: 0 }).value / NSEC_PER_USEC;
    let (seconds, usec) = (left / 1_000_000, left % 1_000_000);
    let up = seconds == 0 && usec > 0 || usec >= 500_000;
    (seconds + u64::from(up)) as i64
}

fn arm(sys: &mut System, signal: SignalId, at: u64) {
    sys.kernel.itimers.insert((at, signal));
    sys.kernel.signals[signal].real_timer.expires = Some(at);
}

/// The timer fires no more: it was set anew, or the process ends.
pub fn disarm(sys: &mut System, signal: SignalId) {
    let timer = std::mem::take(&mut sys.kernel.signals[signal].real_timer);
    if let Some(at) = timer.expires {
        sys.kernel.itimers.remove(&(at, signal));
    }
}

/// Sends the signals of timers whose time has come; whether there were any.
pub fn run_expired(sys: &mut System, now: u64) -> bool {
    let mut any = false;
    while let Some(&(at, signal)) = sys.kernel.itimers.first()
        && at <= now
    {
        sys.kernel.itimers.pop_first();
        sys.kernel.signals[signal].real_timer.expires = None;
        let thread = sys.kernel.signals[signal].thread_head.first;
        if let Some(leader) = thread.map(|t| sys.task(t).group_leader) {
            // The kernel's own: a full queue or an ignored signal loses it.
            let _ =
                send_signal_locked(sys, SigInfo::kernel(Signal::SIGALRM), leader, PidType::Tgid);
        }
        any = true;
    }
    any
}

/// A thread has taken SIGALRM: an interval begins again, at a multiple of it.
pub fn rearm(sys: &mut System, task: TaskId) {
    let Some(signal) = sys.task(task).signal else { return };
    let timer = sys.kernel.signals[signal].real_timer;
    if timer.expires.is_some() || timer.interval == 0 {
        return;
    }
    let now = sys.machine.clock.now();
    arm(sys, signal, now.saturating_add(timer.interval));
}
