//! The completely fair scheduler as it was before EEVDF (2.6.23 to 6.5; here
//! as in 5.15): who has had the least weighted time goes next.
//!
//! ```text
//! pick      the least vruntime
//! slice     period * weight / sum(weights); the period is 6 ms, or 0.75 ms a
//!           task when there are more than 8
//! sleeper   comes back at min_vruntime - 3 ms, if it was not ahead of that
//! wake-up   takes the processor from whoever is more than 1 ms ahead of it
//! new       one slice behind (START_DEBIT); sysctl_sched_child_runs_first
//!           lets it change places with its creator
//! ```
//!
//! All times are longer on more processors (`get_update_sysctl_factor`).
//!
//! Linux: kernel/sched/fair.c of 5.15 (pick_next_entity, place_entity,
//! task_fork_fair, check_preempt_tick, wakeup_preempt_entity, sched_slice).
//! Left out: buddies but `skip`; groups.

use super::cfs_rq::{CfsRq, calc_delta_fair};
use super::entity::SchedEntity;
use crate::kernel::task::{TaskId, Tasks};

/// `sysctl_sched_latency`: each of up to 8 tasks runs once in it.
pub const SCHED_LATENCY_NS: u64 = 6_000_000;
/// `sysctl_sched_min_granularity`.
pub const MIN_GRANULARITY_NS: u64 = 750_000;
/// `sysctl_sched_wakeup_granularity`.
pub const WAKEUP_GRANULARITY_NS: u64 = 1_000_000;
/// `sched_nr_latency`.
const NR_LATENCY: u64 = 8;

/// `sched_slice`: what a task may run at a time.
pub fn sched_slice(cfs: &CfsRq, se: &SchedEntity, factor: u64) -> u64 {
    let (mut nr, mut load) = (u64::from(cfs.nr_queued), cfs.load);
    if !se.on_rq {
        (nr, load) = (nr + 1, load + se.load_weight);
    }
    let period =
        if nr > NR_LATENCY { nr * MIN_GRANULARITY_NS * factor } else { SCHED_LATENCY_NS * factor };
    (u128::from(period) * u128::from(se.load_weight) / u128::from(load.max(1))) as u64
}

/// `place_entity`: where a task comes in.
pub fn place_entity(cfs: &CfsRq, tasks: &mut Tasks, task: TaskId, factor: u64, new: bool) {
    let se = &tasks[task].se;
    let mut vruntime = cfs.min_vruntime;
    if new {
        vruntime += calc_delta_fair(sched_slice(cfs, se, factor), se.load_weight);
    } else {
        // GENTLE_FAIR_SLEEPERS: half of the latency.
        vruntime -= (SCHED_LATENCY_NS * factor / 2) as i64;
    }
    let se = &mut tasks[task].se;
    se.vruntime = se.vruntime.max(vruntime);
}

/// `task_fork_fair`: a child begins where its creator is, one slice later.
/// Whether it has changed places with the creator and is to go first.
pub fn task_fork(
    cfs: &CfsRq,
    tasks: &mut Tasks,
    child: TaskId,
    factor: u64,
    child_first: bool,
) -> bool {
    if let Some((_, curr)) = cfs.curr(tasks) {
        tasks[child].se.vruntime = curr.vruntime;
    }
    place_entity(cfs, tasks, child, factor, true);
    let Some((curr, se)) = cfs.curr(tasks) else { return false };
    let (parent, born) = (se.vruntime, tasks[child].se.vruntime);
    if !child_first || parent >= born {
        return false;
    }
    tasks[child].se.vruntime = parent;
    tasks[curr].se.vruntime = born;
    true
}

/// `pick_next_entity`: the least vruntime; the next one if that gave up its
/// turn and the next is not too far ahead.
pub fn pick_next_entity(cfs: &CfsRq, tasks: &Tasks, factor: u64) -> Option<TaskId> {
    let curr = cfs.curr(tasks);
    let first = cfs.tree.first();
    let before = |a: TaskId, b: TaskId| tasks[a].se.vruntime < tasks[b].se.vruntime;
    let left = match (curr, first) {
        (Some((task, _)), Some(first)) if !before(task, first) => first,
        (Some((task, _)), _) => task,
        (None, first) => first?,
    };
    if cfs.skip != Some(left) {
        return Some(left);
    }
    let second = if Some(left) == cfs.curr { first } else { cfs.tree.second() };
    let second = match (second, curr) {
        (Some(s), Some((task, _))) if task != left && before(task, s) => Some(task),
        (None, Some((task, _))) if task != left => Some(task),
        (second, _) => second,
    };
    match second {
        Some(s) if !ahead_of(tasks, s, left, factor) => Some(s),
        _ => Some(left),
    }
}

/// `wakeup_preempt_entity` > 0: `curr` is so far ahead that `se` may take the
/// processor from it.
fn ahead_of(tasks: &Tasks, curr: TaskId, se: TaskId, factor: u64) -> bool {
    let (curr, se) = (&tasks[curr].se, &tasks[se].se);
    let gran = calc_delta_fair(WAKEUP_GRANULARITY_NS * factor, se.load_weight);
    curr.vruntime - se.vruntime > gran
}

/// Whether a task that woke takes the processor from `curr`.
pub fn wakeup_preempt(tasks: &Tasks, curr: TaskId, woken: TaskId, factor: u64) -> bool {
    ahead_of(tasks, curr, woken, factor)
}

/// `check_preempt_tick`: whether `curr` has run long enough.
pub fn check_preempt_tick(cfs: &CfsRq, tasks: &Tasks, curr: TaskId, factor: u64) -> bool {
    let se = &tasks[curr].se;
    let ideal = sched_slice(cfs, se, factor);
    let ran = se.sum_exec_runtime - se.prev_sum_exec_runtime;
    if ran > ideal {
        return true;
    }
    if ran < MIN_GRANULARITY_NS * factor {
        return false;
    }
    let Some(first) = cfs.tree.first() else { return false };
    se.vruntime - tasks[first].se.vruntime > ideal as i64
}
