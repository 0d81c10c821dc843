//! The interval timer of a process: alarm(2), setitimer(2), getitimer(2).
//!
//! ```text
//! armed --its time comes--> SIGALRM to the process
//!   ^                           |
//!   +--- interval, when a thread takes the signal
//! ```
//! So a process that does not take its signals is not flooded with them.
//!
//! Two more count what the process has run: ITIMER_VIRTUAL in user mode
//! (SIGVTALRM), ITIMER_PROF in all (SIGPROF). Tasks are charged exactly, and when
//! they are, these timers are looked at; the clock alone does not move them.
//!
//! Linux: kernel/time/itimer.c (do_setitimer, it_real_fn, alarm_setitimer,
//! set_cpu_itimer, get_cpu_itimer, posixtimer_rearm_itimer),
//! kernel/time/posix-cpu-timers.c (check_cpu_itimer).
//! Left out: the granularity of ticks.

use crate::abi::structs::SigInfo;
use crate::abi::{Errno, Signal};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::nanosleep::NSEC_PER_SEC;
use crate::kernel::pid::PidType;
use crate::kernel::posix_cpu_timers::group_time;
use crate::kernel::posix_timers;
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

/// The timers of processor time (`signal->it[]`): when each fires, by what the
/// process has run by then, and after how much more again; 0: never. In ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CpuTimers {
    /// ITIMER_VIRTUAL.
    pub virt: CpuTimer,
    /// ITIMER_PROF.
    pub prof: CpuTimer,
}

/// `struct cpu_itimer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CpuTimer {
    /// When it fires.
    pub expires: u64,
    /// `incr`.
    pub interval: u64,
}

impl CpuTimers {
    /// How many are armed.
    pub fn armed(&self) -> u32 {
        u32::from(self.virt.expires != 0) + u32::from(self.prof.expires != 0)
    }
}

/// Which timer of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// ITIMER_REAL.
    Real,
    /// ITIMER_VIRTUAL.
    Virtual,
    /// ITIMER_PROF.
    Prof,
}

impl Which {
    /// The timer with a number.
    ///
    /// # Errors
    /// EINVAL: there is none.
    pub fn by_number(which: u64, function: &'static str) -> Result<Which, SysError> {
        match which as u32 {
            0 => Ok(Which::Real),
            1 => Ok(Which::Virtual),
            2 => Ok(Which::Prof),
            _ => refuse(Errno::EINVAL, function, "there is no timer with this number"),
        }
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
pub fn do_getitimer(sys: &System, task: TaskId, which: Which) -> Itimerval {
    let signal = sys.signal(task);
    let (utime, stime) = group_time(sys, task);
    let (timer, now) = match which {
        Which::Real => {
            let timer = signal.real_timer;
            let now = sys.machine.clock.now();
            let value = timer.expires.map_or(0, |at| at.saturating_sub(now).max(NSEC_PER_USEC));
            return Itimerval { value, interval: timer.interval };
        }
        Which::Virtual => (signal.cpu_timers.virt, utime),
        Which::Prof => (signal.cpu_timers.prof, utime.saturating_add(stime)),
    };
    let left = timer.expires.saturating_sub(now).max(NSEC_PER_USEC);
    let value = if timer.expires == 0 { 0 } else { left };
    Itimerval { value, interval: timer.interval }
}

/// Sets the timer, or disarms it with the value 0; gives what it was
/// (`do_setitimer`).
pub fn do_setitimer(sys: &mut System, task: TaskId, which: Which, new: Itimerval) -> Itimerval {
    let old = do_getitimer(sys, task, which);
    let Some(signal) = sys.task(task).signal else { return old };
    if which != Which::Real {
        set_cpu_itimer(sys, task, signal, which, new);
        return old;
    }
    disarm(sys, signal);
    let now = sys.machine.clock.now();
    // Without a value there is no interval either.
    if new.value > 0 {
        arm(sys, signal, now.saturating_add(new.value));
        sys.kernel.signals[signal].real_timer.interval = new.interval;
    }
    old
}

/// A timer of processor time (`set_cpu_itimer`).
fn set_cpu_itimer(sys: &mut System, task: TaskId, signal: SignalId, which: Which, new: Itimerval) {
    let (utime, stime) = group_time(sys, task);
    let now = if which == Which::Virtual { utime } else { utime.saturating_add(stime) };
    let expires = if new.value == 0 { 0 } else { now.saturating_add(new.value) };
    let timers = &mut sys.kernel.signals[signal].cpu_timers;
    let before = timers.armed();
    let timer = CpuTimer { expires, interval: new.interval };
    match which {
        Which::Virtual => timers.virt = timer,
        _ => timers.prof = timer,
    }
    let after = timers.armed();
    sys.kernel.cpu_timers_armed = sys.kernel.cpu_timers_armed + after - before;
}

/// A task was charged for time: its process's timers of processor time fire if
/// theirs has come (`check_cpu_itimer`).
pub fn run_cpu_timers(sys: &mut System, task: TaskId) {
    posix_timers::cpu::run(sys, task);
    let Some(signal) = sys.task(task).signal else { return };
    let timers = sys.kernel.signals[signal].cpu_timers;
    if timers.armed() == 0 {
        return;
    }
    let (utime, stime) = group_time(sys, task);
    let mut now = timers;
    let mut fired = [None; 2];
    let due = |timer: &mut CpuTimer, time: u64| {
        let fires = timer.expires != 0 && time >= timer.expires;
        if fires {
            // Without an interval it is over; an armed one has a time of its own.
            let next = timer.expires.saturating_add(timer.interval);
            timer.expires = if timer.interval == 0 { 0 } else { next };
        }
        fires
    };
    if due(&mut now.prof, utime.saturating_add(stime)) {
        fired[0] = Some(Signal::SIGPROF);
    }
    if due(&mut now.virt, utime) {
        fired[1] = Some(Signal::SIGVTALRM);
    }
    sys.kernel.signals[signal].cpu_timers = now;
    sys.kernel.cpu_timers_armed = sys.kernel.cpu_timers_armed + now.armed() - timers.armed();
    for sig in fired.into_iter().flatten() {
        // The kernel's own: an ignored signal loses it.
        let _ = send_signal_locked(sys, SigInfo::kernel(sig), task, PidType::Tgid);
    }
}

/// The process is gone, with what it had armed.
pub fn forget_cpu_timers(sys: &mut System, signal: SignalId) {
    let timers = std::mem::take(&mut sys.kernel.signals[signal].cpu_timers);
    sys.kernel.cpu_timers_armed -= timers.armed();
}

/// alarm(2): gives the seconds that were left, rounded, but not to 0.
pub fn alarm(sys: &mut System, task: TaskId, seconds: u32) -> i64 {
    let value = u64::from(seconds) * NSEC_PER_SEC;
    let new = Itimerval { value, interval: 0 };
    let left = do_setitimer(sys, task, Which::Real, new).value / NSEC_PER_USEC;
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
