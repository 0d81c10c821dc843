//! The stop class: one task a processor that goes before everything else and is
//! taken off by nothing. Linux moves running tasks and stops processors with
//! it.
//!
//! Linux: kernel/sched/stop_task.c, kernel/stop_machine.c,
//! kernel/sched/core.c (sched_set_stop_task).
//! Left out: the threads migration/N. A running task is moved between two of
//! its steps ([`super::balance::migrate`]), so no processor has to be stopped
//! for it.

use super::entity::SchedClass;
use super::rq::Rq;
use crate::kernel::sched::core;
use crate::kernel::sched::fair::{Dequeue, Enqueue};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Makes a kernel thread its processor's stopper (`sched_set_stop_task`).
pub fn sched_set_stop_task(sys: &mut System, task: TaskId) {
    let queued = sys.task(task).on_rq;
    if queued {
        core::dequeue_task(sys, task, Dequeue::Save);
    }
    let t = sys.task_mut(task);
    t.sched_class = SchedClass::Stop;
    t.prio = -1;
    if queued {
        core::enqueue_task(sys, task, Enqueue::Restore);
    }
}

/// The stopper can run.
pub fn enqueue(rq: &mut Rq, task: TaskId) {
    if rq.stop.replace(task).is_none() {
        rq.nr_running += 1;
    }
}

/// The stopper sleeps.
pub fn dequeue(rq: &mut Rq, task: TaskId) {
    if rq.stop == Some(task) {
        rq.stop = None;
        rq.nr_running -= 1;
    }
}

/// Who should run.
pub fn pick(rq: &Rq) -> Option<TaskId> {
    rq.stop
}
