//! The real-time class: FIFO and round robin, by priority.
//!
//! A task runs until it sleeps, yields, or one of higher priority can run; a
//! round-robin task also until its slice is over. Whoever is taken off by a
//! higher one stays at the head of its list.
//!
//! Linux: kernel/sched/rt.c (enqueue_task_rt, pick_next_rt_entity,
//! requeue_task_rt, task_tick_rt, wakeup_preempt_rt).
//! Left out: throttling (a real-time task that never sleeps starves the others:
//! the fair server of the deadline class, which helps them, is not modelled),
//! RLIMIT_RTTIME, groups.

use std::collections::BTreeMap;

use super::rq::Rq;
use crate::abi::numbers::SCHED_RR;
use crate::kernel::task::{TaskId, Tasks};

/// `RR_TIMESLICE`: 100 ms.
pub const RR_TIMESLICE_NS: u64 = 100_000_000;

/// `struct rt_rq`: all that can run, who runs included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RtRq {
    /// By kernel priority (0 is the highest), then by place.
    queue: BTreeMap<(i32, i64), TaskId>,
}

impl RtRq {
    /// Tasks on it.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// All, in the order in which they would run.
    pub fn iter(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.queue.values().copied()
    }

    /// A place behind, or before, all of a priority.
    fn place(&self, prio: i32, head: bool) -> i64 {
        let mut same = self.queue.range((prio, i64::MIN)..=(prio, i64::MAX));
        match head {
            true => same.next().map_or(0, |((_, place), _)| place - 1),
            false => same.next_back().map_or(0, |((_, place), _)| place + 1),
        }
    }
}

/// Takes a task in, behind those of its priority or before them.
pub fn enqueue(rq: &mut Rq, tasks: &mut Tasks, task: TaskId, head: bool) {
    let t = &mut tasks[task];
    let place = rq.rt.place(t.prio, head);
    t.rt.place = place;
    t.rt.on_rq = true;
    rq.rt.queue.insert((t.prio, place), task);
    rq.nr_running += 1;
}

/// Lets a task go.
pub fn dequeue(rq: &mut Rq, tasks: &mut Tasks, task: TaskId) {
    let t = &mut tasks[task];
    rq.rt.queue.remove(&(t.prio, t.rt.place));
    t.rt.on_rq = false;
    rq.nr_running -= 1;
}

/// Who should run.
pub fn pick(rq: &RtRq) -> Option<TaskId> {
    rq.queue.first_key_value().map(|(_, task)| *task)
}

/// Puts a task behind the others of its priority (`requeue_task_rt`). Whether
/// there are others.
fn requeue(rq: &mut RtRq, tasks: &mut Tasks, task: TaskId) -> bool {
    let t = &mut tasks[task];
    rq.queue.remove(&(t.prio, t.rt.place));
    let others = rq.queue.range((t.prio, i64::MIN)..=(t.prio, i64::MAX)).next().is_some();
    t.rt.place = rq.place(t.prio, false);
    rq.queue.insert((t.prio, t.rt.place), task);
    others
}

/// sched_yield(2).
pub fn yield_task(rq: &mut RtRq, tasks: &mut Tasks, task: TaskId) {
    if tasks[task].rt.on_rq {
        requeue(rq, tasks, task);
    }
}

/// A timer interrupt finds `task` running; `ns` since the last one. Whether
/// another should have the processor.
pub fn tick(rq: &mut RtRq, tasks: &mut Tasks, task: TaskId, ns: u64) -> bool {
    let t = &mut tasks[task];
    if t.policy != SCHED_RR || !t.rt.on_rq {
        return false;
    }
    t.rt.time_slice = t.rt.time_slice.saturating_sub(ns);
    if t.rt.time_slice > 0 {
        return false;
    }
    t.rt.time_slice = RR_TIMESLICE_NS;
    requeue(rq, tasks, task)
}
