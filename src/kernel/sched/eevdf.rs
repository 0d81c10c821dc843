//! Earliest eligible virtual deadline first: the fair scheduler of Linux from
//! 6.6 on.
//!
//! ```text
//! lag       V - vruntime: what a task is owed. Eligible: lag >= 0
//! deadline  vruntime + slice / weight: when it should have had its slice
//! pick      the eligible one with the earliest deadline
//! ```
//!
//! Who runs is left alone until it has had a slice (RUN_TO_PARITY), unless one
//! with a shorter slice wakes and is to go first (PREEMPT_SHORT). A task that
//! leaves takes its lag along and is placed by it when it comes back; a new one
//! begins at V with half a slice.
//!
//! Linux: kernel/sched/fair.c (pick_eevdf, place_entity, update_entity_lag,
//! update_deadline, set_protect_slice, check_preempt_wakeup_fair,
//! yield_task_fair).
//! Left out: buddies. A sleeper that owes time leaves the queue at once, and what
//! delayed dequeue makes of its debt is reckoned when it is back.

use super::cfs_rq::{CfsRq, calc_delta_fair, mul_div};
use super::entity::SchedEntity;
use crate::kernel::task::{TaskId, Tasks};

/// `sysctl_sched_base_slice` of one processor, ns; more for more processors.
pub const BASE_SLICE_NS: u64 = 700_000;

/// Least and greatest slice that sched_setattr(2) can set, ns.
pub const SLICE_RANGE_NS: std::ops::RangeInclusive<u64> = 100_000..=100_000_000;

/// `update_entity_lag`: what a task is owed as it leaves. Gives V.
pub fn update_entity_lag(cfs: &CfsRq, tasks: &mut Tasks, task: TaskId, tick: u64) -> i64 {
    let v = cfs.avg_vruntime(tasks);
    let se = &mut tasks[task].se;
    let limit = calc_delta_fair((2 * se.slice).max(tick), se.load_weight);
    se.vlag = (v - se.vruntime).clamp(-limit, limit);
    v
}

/// What a task owed when it fell asleep it has worked off as far as the queue's
/// virtual time has gone on since, and no further (DELAY_DEQUEUE, DELAY_ZERO:
/// Linux leaves such a sleeper on the queue for so long).
pub fn work_off_debt(cfs: &CfsRq, tasks: &mut Tasks, task: TaskId) {
    let v = cfs.avg_vruntime(tasks);
    let se = &mut tasks[task].se;
    if se.vlag < 0 {
        se.vlag = (v - se.vruntime).clamp(se.vlag, 0);
    }
}

/// `place_entity`: where a task comes in. Not counted in the queue's sums yet.
pub fn place_entity(cfs: &CfsRq, tasks: &mut Tasks, task: TaskId, base_slice: u64, new: bool) {
    let sums = cfs.sums(tasks);
    let (v, load) = (cfs.average(sums), sums.1);
    let se = &mut tasks[task].se;
    if !se.custom_slice {
        se.slice = base_slice;
    }
    let mut vslice = calc_delta_fair(se.slice, se.load_weight);
    let mut lag = 0;
    if cfs.nr_queued > 0 && se.vlag != 0 {
        // Coming in moves V towards it; so that it has this lag afterwards, it
        // needs more before.
        let all = load + i128::from(se.load_weight);
        lag = mul_div(i128::from(se.vlag), all, load.max(1));
    }
    se.vruntime = v - lag;
    if se.rel_deadline {
        se.deadline += se.vruntime;
        se.rel_deadline = false;
        return;
    }
    if new {
        vslice /= 2;
    }
    se.deadline = se.vruntime + vslice;
}

/// `update_deadline`: whether a slice is over, and then the next begins.
pub fn update_deadline(se: &mut SchedEntity, base_slice: u64) -> bool {
    if se.vruntime < se.deadline {
        return false;
    }
    if !se.custom_slice {
        se.slice = base_slice;
    }
    se.deadline = se.vruntime + calc_delta_fair(se.slice, se.load_weight);
    true
}

/// Whether who runs is left alone (`protect_slice`).
pub fn protect_slice(se: &SchedEntity) -> bool {
    se.vprot > se.vruntime
}

/// `set_protect_slice`: from here on who runs, `se`, is left alone for a slice,
/// the shortest that somebody here has.
pub fn set_protect_slice(cfs: &CfsRq, se: &mut SchedEntity) {
    let own = se.on_rq.then_some(se.slice);
    let least = own.into_iter().chain(cfs.tree.least_slice()).min().unwrap_or(0);
    se.vprot = se.deadline;
    if least < se.slice {
        shorten_protection(se, least);
    }
}

fn shorten_protection(se: &mut SchedEntity, slice: u64) {
    se.vprot = se.vprot.min(se.vruntime + calc_delta_fair(slice, se.load_weight));
}

/// `pick_eevdf`: who should run. `protect`: who runs may be left alone.
pub fn pick_eevdf(cfs: &CfsRq, tasks: &Tasks, protect: bool) -> Option<TaskId> {
    let curr = cfs.curr(tasks);
    if cfs.tree.is_empty() {
        return curr.map(|(task, _)| task);
    }
    let eligible = cfs.eligible(tasks);
    let curr = curr.filter(|(_, se)| eligible(se.vruntime));
    if let Some((task, se)) = curr
        && protect
        && protect_slice(se)
    {
        return Some(task);
    }
    let best = cfs.tree.first_eligible(eligible);
    match (curr, best) {
        (Some((task, se)), Some(best)) if se.deadline < tasks[best].se.deadline => Some(task),
        (curr, None) => curr.map(|(task, _)| task).or(cfs.tree.first()),
        (_, best) => best,
    }
}

/// Whether a task that woke takes the processor from `curr`
/// (`check_preempt_wakeup_fair`). Both are NORMAL.
pub fn wakeup_preempt(cfs: &CfsRq, tasks: &mut Tasks, curr: TaskId, woken: TaskId) -> bool {
    let short = tasks[woken].se.slice < tasks[curr].se.slice;
    if pick_eevdf(cfs, tasks, !short) != Some(woken) {
        if short {
            // update_protect_slice
            let least = cfs.min_slice(tasks);
            shorten_protection(&mut tasks[curr].se, least);
        }
        return false;
    }
    let se = &mut tasks[curr].se;
    if short && protect_slice(se) {
        // cancel_protect_slice
        se.vprot = se.vruntime;
    }
    true
}

/// `yield_task_fair`: gives up the rest of its slice, if it was owed any.
pub fn yield_task(cfs: &CfsRq, tasks: &mut Tasks, task: TaskId) {
    if cfs.eligible(tasks)(tasks[task].se.vruntime) {
        let se = &mut tasks[task].se;
        se.vruntime = se.vruntime.max(se.deadline);
        se.deadline = se.vruntime + calc_delta_fair(se.slice, se.load_weight);
    }
}
