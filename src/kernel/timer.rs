//! Timeouts: a call that sleeps until a time at the latest is woken then, and
//! finds out by itself that its time is over.
//!
//! Nothing waits for time to pass here: whoever advances the clock (the work
//! of tasks, or the driver) lets the timers fire that it passes.
//!
//! Linux: kernel/time/hrtimer.c (schedule_hrtimeout_range, hrtimer_wakeup,
//! hrtimer_run_queues).
//! Left out: slack; interrupts, for a timer
//! fires between two steps of tasks.

use crate::kernel::entry::settle;
use crate::kernel::fs::anon_inodes::AnonId;
use crate::kernel::fs::timerfd;
use crate::kernel::itimer;
use crate::kernel::posix_timers;
use crate::kernel::sched::core::wake_up_process;
use crate::kernel::sched::tick::run_dl_timers;
use crate::kernel::signal::SignalId;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// A task goes to sleep until `deadline`, in ns, at the latest.
pub fn start(sys: &mut System, task: TaskId, deadline: u64) {
    sys.kernel.timers.insert((deadline, task));
}

/// Its sleep is over, for whatever reason (`hrtimer_cancel`).
pub fn cancel(sys: &mut System, task: TaskId, deadline: u64) {
    sys.kernel.timers.remove(&(deadline, task));
}

/// Wakes those whose time has come, the earliest first; whether there were
/// any.
pub fn run_expired(sys: &mut System) -> bool {
    let now = sys.machine.clock.now();
    let mut any = false;
    while let Some(&(deadline, task)) = sys.kernel.timers.first()
        && deadline <= now
    {
        sys.kernel.timers.pop_first();
        wake_up_process(sys, task);
        any = true;
    }
    if !sys.kernel.itimers.is_empty() {
        any |= itimer::run_expired(sys, now);
    }
    while let Some(&(at, alarm)) = sys.kernel.alarms.first()
        && at <= now
    {
        sys.kernel.alarms.pop_first();
        match alarm {
            Alarm::Timerfd(id) => timerfd::fire(sys, id),
            Alarm::Posix(signal, id) => posix_timers::fire(sys, signal, id),
        }
        any = true;
    }
    if !sys.kernel.sched.dl_timers.is_empty() {
        any |= run_dl_timers(sys);
    }
    any
}

/// A timer that is not a task's sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alarm {
    /// timerfd_settime(2).
    Timerfd(AnonId),
    /// timer_settime(2): whose, and its number.
    Posix(SignalId, i32),
}

/// `struct itimerspec`, in ns: what is left, and the interval; 0: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Itimerspec {
    /// `it_value`.
    pub value: u64,
    /// `it_interval`.
    pub interval: u64,
}

/// An alarm is to come at a time on the monotonic clock, in ns.
pub fn start_alarm(sys: &mut System, at: u64, alarm: Alarm) {
    sys.kernel.alarms.insert((at, alarm));
}

/// It is not to come.
pub fn cancel_alarm(sys: &mut System, at: u64, alarm: Alarm) {
    sys.kernel.alarms.remove(&(at, alarm));
}

/// How often a timer that has fired at `expires` would have fired by `now`, and
/// when it fires next (`hrtimer_forward`). Preconditions: the interval is not 0.
pub fn forward(expires: u64, interval: u64, now: u64) -> (u64, u64) {
    let Some(late) = now.checked_sub(expires) else { return (0, expires) };
    let times = late / interval + 1;
    (times, expires.saturating_add(times.saturating_mul(interval)))
}

/// When the next sleep ends, the next alarm comes or the next deadline task gets
/// its budget, in ns.
pub fn next(sys: &System) -> Option<u64> {
    let sleep = sys.kernel.timers.first().map(|&(deadline, _)| deadline);
    let budget = sys.kernel.sched.dl_timers.first().map(|&(at, _)| at);
    let alarm = sys.kernel.itimers.first().map(|&(at, _)| at);
    let other = sys.kernel.alarms.first().map(|&(at, _)| at);
    sleep.into_iter().chain(budget).chain(alarm).chain(other).min()
}

/// Whether something will happen by itself when time passes.
pub fn any_armed(sys: &System) -> bool {
    let k = &sys.kernel;
    !k.timers.is_empty() || !k.itimers.is_empty() || !k.alarms.is_empty()
}

/// Lets `ns` pass. Each timer fires at its own time, and what it wakes runs
/// before the next one.
pub fn advance(sys: &mut System, ns: u64) {
    let end = sys.machine.clock.now().saturating_add(ns);
    while let Some(deadline) = next(sys)
        && deadline <= end
    {
        sys.machine.clock.advance_to(deadline);
        settle(sys);
    }
    sys.machine.clock.advance_to(end);
    sys.log.time = sys.machine.clock.now();
}
