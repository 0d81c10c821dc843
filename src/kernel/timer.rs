//! Timeouts: a call that sleeps until a time at the latest is woken then, and
//! finds out by itself that its time is over.
//!
//! Nothing waits for time to pass here: whoever advances the clock (the work
//! of tasks, or the driver) lets the timers fire that it passes.
//!
//! Linux: kernel/time/hrtimer.c (schedule_hrtimeout_range, hrtimer_wakeup,
//! hrtimer_run_queues).
//! Left out: slack, POSIX timers; interrupts, for a timer
//! fires between two steps of tasks.

use crate::kernel::entry::settle;
use crate::kernel::itimer;
use crate::kernel::sched::core::wake_up_process;
use crate::kernel::sched::tick::run_dl_timers;
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
    if !sys.kernel.sched.dl_timers.is_empty() {
        any |= run_dl_timers(sys);
    }
    any
}

/// When the next sleep ends, the next alarm comes or the next deadline task gets
/// its budget, in ns.
pub fn next(sys: &System) -> Option<u64> {
    let sleep = sys.kernel.timers.first().map(|&(deadline, _)| deadline);
    let budget = sys.kernel.sched.dl_timers.first().map(|&(at, _)| at);
    let alarm = sys.kernel.itimers.first().map(|&(at, _)| at);
    sleep.into_iter().chain(budget).chain(alarm).min()
}

/// Whether something will happen by itself when time passes.
pub fn any_armed(sys: &System) -> bool {
    !sys.kernel.timers.is_empty() || !sys.kernel.itimers.is_empty()
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
