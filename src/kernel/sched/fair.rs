//! The fair class: NORMAL, BATCH and IDLE tasks share the processor by weight.
//! How, `eevdf` or `cfs` says; here is what both have in common.
//!
//! Linux: kernel/sched/fair.c (enqueue_task_fair, dequeue_task_fair,
//! put_prev_entity, set_next_entity, update_curr, task_tick_fair,
//! check_preempt_wakeup_fair, yield_task_fair).
//! Left out: groups; see the two schedulers for the rest.

use super::cfs_rq::{CfsRq, calc_delta_fair};
use super::rq::Rq;
use super::{FairPolicy, SchedConfig, cfs, eevdf, tick_nsec};
use crate::abi::numbers::{SCHED_IDLE, SCHED_NORMAL};
use crate::kernel::task::{TaskId, Tasks};

/// What the class is told of its surroundings.
#[derive(Debug, Clone, Copy)]
pub struct Cx {
    /// Which scheduler, how many ticks.
    pub config: SchedConfig,
    /// `get_update_sysctl_factor`: by what its times are longer.
    pub factor: u64,
}

impl Cx {
    /// What an EEVDF task asks for at a time.
    pub fn base_slice(&self) -> u64 {
        eevdf::BASE_SLICE_NS * self.factor
    }

    fn policy(&self) -> FairPolicy {
        self.config.fair
    }
}

/// Why a task comes onto the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueue {
    /// It was just made.
    New,
    /// It woke.
    Wakeup,
    /// It was taken off for a change, or comes from another processor.
    Restore,
}

/// Why a task leaves the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dequeue {
    /// It sleeps, stops or dies.
    Sleep,
    /// It will be back at once, changed.
    Save,
    /// It goes to another processor.
    Move,
}

/// Takes a task in.
pub fn enqueue(rq: &mut Rq, tasks: &mut Tasks, task: TaskId, why: Enqueue, cx: &Cx) {
    let arrival = rq.arrive();
    let cfs_rq = &mut rq.cfs;
    match cx.policy() {
        FairPolicy::Eevdf => {
            let new = why == Enqueue::New;
            if why == Enqueue::Wakeup {
                eevdf::work_off_debt(cfs_rq, tasks, task);
            }
            eevdf::place_entity(cfs_rq, tasks, task, cx.base_slice(), new);
        }
        FairPolicy::Cfs => match why {
            // task_fork_fair has placed it.
            Enqueue::New => {}
            Enqueue::Wakeup => {
                cfs_rq.update_min_vruntime(tasks);
                cfs::place_entity(cfs_rq, tasks, task, cx.factor, false);
            }
            // It came with what it was ahead of the other queue.
            Enqueue::Restore => tasks[task].se.vruntime += cfs_rq.min_vruntime,
        },
    }
    let se = &mut tasks[task].se;
    (se.arrival, se.on_rq) = (arrival, true);
    cfs_rq.load += se.load_weight;
    cfs_rq.nr_queued += 1;
    if cfs_rq.curr != Some(task) {
        cfs_rq.insert(se, task, cx.policy());
    }
    rq.nr_running += 1;
}

/// Lets a task go.
pub fn dequeue(rq: &mut Rq, tasks: &mut Tasks, task: TaskId, why: Dequeue, cx: &Cx) {
    let cfs_rq = &mut rq.cfs;
    if cx.policy() == FairPolicy::Eevdf {
        // V stays here should nobody be left.
        cfs_rq.min_vruntime = eevdf::update_entity_lag(cfs_rq, tasks, task, tick_nsec(&cx.config));
    }
    let se = &mut tasks[task].se;
    if cfs_rq.curr != Some(task) {
        cfs_rq.remove(se, cx.policy());
    }
    if cx.policy() == FairPolicy::Eevdf && why != Dequeue::Sleep {
        // It keeps its place in line.
        se.deadline -= se.vruntime;
        se.rel_deadline = true;
    }
    if cfs_rq.skip == Some(task) {
        cfs_rq.skip = None;
    }
    se.on_rq = false;
    cfs_rq.load -= se.load_weight;
    cfs_rq.nr_queued -= 1;
    rq.nr_running -= 1;
    if cx.policy() == FairPolicy::Cfs {
        rq.cfs.update_min_vruntime(tasks);
        if why != Dequeue::Sleep {
            tasks[task].se.vruntime -= rq.cfs.min_vruntime;
        }
    }
}

/// A task gets the processor (`set_next_entity`).
pub fn set_next(cfs_rq: &mut CfsRq, tasks: &mut Tasks, task: TaskId, cx: &Cx) {
    if cfs_rq.curr == Some(task) {
        return;
    }
    let se = &mut tasks[task].se;
    if se.on_rq {
        cfs_rq.remove(se, cx.policy());
    }
    cfs_rq.curr = Some(task);
    eevdf::set_protect_slice(cfs_rq, se);
    se.prev_sum_exec_runtime = se.sum_exec_runtime;
    if cfs_rq.skip == Some(task) {
        cfs_rq.skip = None;
    }
}

/// A task loses the processor (`put_prev_entity`).
pub fn put_prev(cfs_rq: &mut CfsRq, tasks: &Tasks, task: TaskId, cx: &Cx) {
    if cfs_rq.curr != Some(task) {
        return;
    }
    cfs_rq.curr = None;
    let se = &tasks[task].se;
    if se.on_rq {
        cfs_rq.insert(se, task, cx.policy());
    }
}

/// Charges who runs for its time (`update_curr`). Whether another should have
/// the processor.
pub fn charge(cfs_rq: &mut CfsRq, tasks: &mut Tasks, task: TaskId, ns: u64, cx: &Cx) -> bool {
    let se = &mut tasks[task].se;
    se.vruntime += calc_delta_fair(ns, se.load_weight);
    match cx.policy() {
        FairPolicy::Eevdf => {
            let over = eevdf::update_deadline(se, cx.base_slice());
            cfs_rq.nr_queued > 1 && (over || !eevdf::protect_slice(se))
        }
        FairPolicy::Cfs => {
            cfs_rq.update_min_vruntime(tasks);
            false
        }
    }
}

/// The timer interrupt finds `task` running. Whether another should.
pub fn tick(cfs_rq: &CfsRq, tasks: &Tasks, task: TaskId, cx: &Cx) -> bool {
    cx.policy() == FairPolicy::Cfs
        && cfs_rq.nr_queued > 1
        && cfs::check_preempt_tick(cfs_rq, tasks, task, cx.factor)
}

/// Who should run.
pub fn pick(cfs_rq: &CfsRq, tasks: &Tasks, cx: &Cx) -> Option<TaskId> {
    match cx.policy() {
        FairPolicy::Eevdf => eevdf::pick_eevdf(cfs_rq, tasks, true),
        FairPolicy::Cfs => cfs::pick_next_entity(cfs_rq, tasks, cx.factor),
    }
}

/// Whether a task that woke takes the processor from `curr`, one of its class.
pub fn wakeup_preempt(
    cfs_rq: &CfsRq,
    tasks: &mut Tasks,
    curr: TaskId,
    woken: TaskId,
    cx: &Cx,
) -> bool {
    let idle = |t: TaskId| tasks[t].policy == SCHED_IDLE;
    match (idle(curr), idle(woken)) {
        (true, false) => return true,
        (false, true) => return false,
        _ => {}
    }
    // BATCH and IDLE tasks take it from nobody.
    if tasks[woken].policy != SCHED_NORMAL {
        return false;
    }
    match cx.policy() {
        FairPolicy::Eevdf => eevdf::wakeup_preempt(cfs_rq, tasks, curr, woken),
        FairPolicy::Cfs => cfs::wakeup_preempt(tasks, curr, woken, cx.factor),
    }
}

/// sched_yield(2).
pub fn yield_task(cfs_rq: &mut CfsRq, tasks: &mut Tasks, task: TaskId, cx: &Cx) {
    if cfs_rq.nr_queued < 2 || cfs_rq.curr != Some(task) || !tasks[task].se.on_rq {
        return;
    }
    match cx.policy() {
        FairPolicy::Eevdf => eevdf::yield_task(cfs_rq, tasks, task),
        FairPolicy::Cfs => cfs_rq.skip = Some(task),
    }
}
