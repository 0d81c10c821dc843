//! The deadline class: a task has a budget of `runtime` in each `period`, to be
//! had by `deadline`. The earliest deadline goes first (EDF); who has used up
//! its budget is throttled until the next period (CBS, the constant bandwidth
//! server), so that it cannot hurt the others.
//!
//! ```text
//!  |<------------- period ------------->|
//!  |<------- deadline ------>|          |
//!  |###    ##                |          |###
//!   runtime: 5 of #          due        new budget
//! ```
//!
//! Linux: kernel/sched/deadline.c (enqueue_task_dl, update_dl_entity,
//! dl_entity_overflow, update_curr_dl, dl_task_timer, replenish_dl_entity,
//! yield_task_dl, __dl_overflow, __checkparam_dl).
//! Left out: enforcement between ticks (HRTICK_DL is off by default, too),
//! reclaiming unused bandwidth (GRUB), bandwidth kept until the zero-lag time
//! of a task that left, servers: that of the fair class has its share of the
//! bandwidth reserved and does nothing.

use super::entity::SchedDlEntity;
use super::rq::Rq;
use super::timeline::{Entry, Timeline};
use super::tree::Key;
use crate::kernel::task::{TaskId, Tasks};

/// `BW_SHIFT`: bandwidths are parts of 2²⁰.
const BW_UNIT: u128 = 1 << 20;
/// `1 << DL_SCALE`: the least runtime, ns.
const DL_MIN_RUNTIME: u64 = 1 << 10;
/// `sysctl_sched_dl_period_min` and `_max`, ns.
const PERIOD_RANGE_NS: std::ops::RangeInclusive<u64> = 100_000..=(1 << 22) * 1_000;
/// Share of a processor that deadline and real-time tasks may have:
/// sched_rt_runtime_us / sched_rt_period_us, 95 %.
const RT_SHARE: (u64, u64) = (950_000, 1_000_000);
/// Share of a processor that the fair class's server has: 50 ms a second.
const FAIR_SERVER: (u64, u64) = (50_000, 1_000_000);

/// `struct dl_rq`: all that can run, who runs included, by deadline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DlRq {
    /// The order.
    pub tree: Timeline,
}

/// `to_ratio`: a bandwidth.
pub fn to_ratio(period: u64, runtime: u64) -> u64 {
    (u128::from(runtime) * BW_UNIT / u128::from(period.max(1))) as u64
}

/// Whether parameters make sense (`__checkparam_dl`), or which rule they break.
pub fn checkparam(runtime: u64, deadline: u64, period: u64) -> Result<(), &'static str> {
    let or = |holds: bool, rule| if holds { Ok(()) } else { Err(rule) };
    or(deadline != 0, "a deadline task needs a deadline")?;
    or(runtime >= DL_MIN_RUNTIME, "the runtime is below 1024 ns")?;
    or(deadline >> 63 == 0 && period >> 63 == 0, "deadline or period has its highest bit set")?;
    let period = if period == 0 { deadline } else { period };
    or(period >= deadline && deadline >= runtime, "not runtime <= deadline <= period")?;
    or(PERIOD_RANGE_NS.contains(&period), "the period is not within 100 us and 4194304 us")
}

/// Whether `total` bandwidth is more than so many processors have
/// (`__dl_overflow`).
pub fn overflow(total: u64, cpus: u64) -> bool {
    let most = cpus * to_ratio(RT_SHARE.1, RT_SHARE.0);
    let servers = cpus * to_ratio(FAIR_SERVER.1, FAIR_SERVER.0);
    total + servers > most
}

fn key(dl: &SchedDlEntity) -> Key {
    Key { at: dl.deadline as i64, arrival: dl.arrival }
}

fn dl_of(tasks: &mut Tasks, task: TaskId) -> &mut SchedDlEntity {
    tasks[task].dl.get_or_insert_with(Box::default)
}

/// A whole budget from now on (`replenish_dl_new_period`).
fn new_period(dl: &mut SchedDlEntity, now: u64) {
    dl.deadline = now + dl.dl_deadline;
    dl.runtime = dl.dl_runtime as i64;
}

/// `dl_entity_overflow`: running on with what is left until the deadline would
/// be more than the bandwidth.
fn entity_overflow(dl: &SchedDlEntity, now: u64) -> bool {
    let left = u128::from(dl.deadline - now);
    dl.runtime.max(0) as u128 * u128::from(dl.dl_deadline) > left * u128::from(dl.dl_runtime)
}

/// When the next budget is due (`dl_next_period`).
pub fn next_period(dl: &SchedDlEntity) -> u64 {
    dl.deadline - dl.dl_deadline + dl.dl_period
}

/// Takes a task in. It keeps its deadline and the rest of its budget where
/// that is no more than its share (`update_dl_entity`). `false`: its budget for
/// the period is gone, and it stays out until [`next_period`]
/// (`dl_check_constrained_dl`).
pub fn enqueue(rq: &mut Rq, tasks: &mut Tasks, task: TaskId, woken: bool, now: u64) -> bool {
    let arrival = rq.arrive();
    let dl = dl_of(tasks, task);
    let constrained = dl.dl_deadline < dl.dl_period;
    if dl.dl_throttled {
        return false;
    }
    if woken && constrained && dl.deadline < now && now < next_period(dl) {
        dl.dl_throttled = true;
        dl.runtime = dl.runtime.min(0);
        return false;
    }
    if dl.deadline <= now || woken && entity_overflow(dl, now) {
        new_period(dl, now);
    }
    (dl.arrival, dl.on_rq) = (arrival, true);
    let key = key(dl);
    rq.dl.tree.insert(Entry { key, vruntime: 0, slice: 0, task });
    rq.nr_running += 1;
    true
}

/// Lets a task go.
pub fn dequeue(rq: &mut Rq, tasks: &mut Tasks, task: TaskId) {
    let dl = dl_of(tasks, task);
    if std::mem::take(&mut dl.on_rq) {
        let key = key(dl);
        rq.dl.tree.remove(key);
        rq.nr_running -= 1;
    }
}

/// Who should run.
pub fn pick(rq: &DlRq) -> Option<TaskId> {
    rq.tree.first()
}

/// Charges a task. Whether its budget is used up now (`update_curr_dl`).
pub fn charge(tasks: &mut Tasks, task: TaskId, ns: u64) -> bool {
    let dl = dl_of(tasks, task);
    dl.runtime -= ns as i64;
    dl.on_rq && (dl.runtime <= 0 || dl.dl_yielded)
}

/// The task's next period begins (`replenish_dl_entity`): a budget for each
/// period that has passed, until it has something.
pub fn replenish(tasks: &mut Tasks, task: TaskId, now: u64) {
    let dl = dl_of(tasks, task);
    if dl.dl_yielded && dl.runtime > 0 {
        dl.runtime = 0;
    }
    while dl.runtime <= 0 {
        dl.deadline += dl.dl_period;
        dl.runtime += dl.dl_runtime as i64;
    }
    if dl.deadline < now {
        new_period(dl, now);
    }
    (dl.dl_yielded, dl.dl_throttled) = (false, false);
}

/// Whether `woken` takes the processor from `curr`, both of the class.
pub fn wakeup_preempt(tasks: &Tasks, curr: TaskId, woken: TaskId) -> bool {
    let deadline = |t: TaskId| tasks[t].dl.as_ref().map_or(u64::MAX, |dl| dl.deadline);
    deadline(woken) < deadline(curr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        assert_eq!(checkparam(10_000_000, 30_000_000, 0), Ok(()));
        for (runtime, deadline, period) in [
            (10, 0, 0),
            (1023, 30_000_000, 0),
            (30_000_000, 20_000_000, 30_000_000),
            (10_000_000, 40_000_000, 30_000_000),
            (10_000, 99_999, 0),
            (100_000, 4_194_305_000, 0),
            (100_000, 1 << 63, 0),
        ] {
            assert!(
                checkparam(runtime, deadline, period).is_err(),
                "{runtime} {deadline} {period}"
            );
        }
        assert_eq!(checkparam(100_000, 4_194_304_000, 0), Ok(()));
    }

    /// Measured on a host with two processors: three tasks of 50 % and three of
    /// 10 % are let in, and then not even one of 0.1 %.
    #[test]
    fn bandwidth() {
        let ms = |n: u64| to_ratio(1_000, n);
        assert!(!overflow(3 * ms(500) + 3 * ms(100), 2));
        assert!(overflow(4 * ms(500), 2));
        assert!(overflow(3 * ms(500) + 3 * ms(100) + ms(1), 2));
    }
}
