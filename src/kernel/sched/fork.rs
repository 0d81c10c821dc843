//! The scheduler's part of fork, exit and a change of nice value.
//!
//! Linux: kernel/sched/core.c (sched_fork, __sched_fork, set_user_nice),
//! kernel/sched/deadline.c (task_dead_dl).
//! Left out: cgroups.

use super::core::{current, cx, dequeue_task, enqueue_task, is_queued, put_prev_task};
use super::core::{resched_curr, set_next_task};
use super::entity::{SchedClass, SchedEntity, SchedRtEntity};
use super::fair::{Dequeue, Enqueue};
use super::{Chooser, prio, rt};
use crate::abi::Errno;
use crate::abi::numbers::SCHED_NORMAL;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::inject::should_fail;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};

/// Scheduling fields of a child: normal priority again when the creator asked
/// for reset-on-fork.
///
/// Errors: EAGAIN for the child of a deadline task.
pub fn sched_fork(sys: &mut System, p: TaskId) -> Result<(), SysError> {
    should_fail(sys, "sched_fork")?;
    let base_slice = cx(sys).base_slice();
    let p = sys.task_mut(p);
    p.__state = TaskState::NEW;
    p.on_rq = false;
    let (mut custom_slice, mut slice) = (p.se.custom_slice, p.se.slice);
    if p.sched_reset_on_fork {
        if prio::dl_policy(p.policy) || prio::rt_policy(p.policy) {
            p.policy = SCHED_NORMAL;
            p.static_prio = prio::DEFAULT_PRIO;
            p.rt_priority = 0;
        } else if prio::task_nice(p) < 0 {
            p.static_prio = prio::DEFAULT_PRIO;
        }
        p.normal_prio = p.static_prio;
        (custom_slice, slice) = (false, base_slice);
        p.sched_reset_on_fork = false;
    }
    if prio::dl_policy(p.policy) {
        return refuse(
            Errno::EAGAIN,
            "sched_fork",
            "a deadline task may not fork: its bandwidth cannot be doubled (set reset-on-fork)",
        );
    }
    p.prio = p.normal_prio;
    p.sched_class = prio::class_of(p.policy);
    let load_weight = prio::weight_of(p.policy, p.static_prio);
    p.se = SchedEntity { load_weight, custom_slice, slice, ..SchedEntity::default() };
    p.rt = SchedRtEntity { time_slice: rt::RR_TIMESLICE_NS, ..SchedRtEntity::default() };
    p.dl = None;
    Ok(())
}

/// The scheduler forgets a dead task (`task_dead_dl`).
pub fn sched_dead(sys: &mut System, task: TaskId) {
    if let Some(dl) = sys.task_mut(task).dl.take() {
        sys.kernel.sched.dl_total_bw -= dl.dl_bw;
        sys.kernel.sched.dl_timers.retain(|(_, t)| *t != task);
    }
}

/// Changes how a task is scheduled: off its queue, changed, and on again
/// (`sched_change_begin`, `sched_change_end`).
pub fn sched_change(sys: &mut System, task: TaskId, change: impl FnOnce(&mut System)) {
    let cpu = sys.task(task).cpu;
    let (queued, running) = (is_queued(sys, sys.task(task), task), current(sys, cpu) == task);
    // A throttled one comes back onto no queue before its time.
    let waits = sys.task(task).on_rq && !sys.task(task).throttled;
    let before = (sys.task(task).sched_class, sys.task(task).prio);
    if queued {
        dequeue_task(sys, task, Dequeue::Save);
    }
    if running {
        put_prev_task(sys, cpu, task);
    }
    change(sys);
    let t = sys.task(task);
    let after = (t.sched_class, t.prio);
    if queued || waits && after.0 != before.0 {
        // One whose priority was lowered goes before those who have it already.
        let head = after.0 == SchedClass::Rt && before.0 == after.0 && after.1 > before.1;
        if head {
            let k = &mut sys.kernel;
            rt::enqueue(&mut k.per_cpu[cpu as usize].rq, &mut k.tasks, task, true);
        } else {
            enqueue_task(sys, task, Enqueue::Restore);
        }
    }
    if running {
        set_next_task(sys, cpu, task);
    }
    if sys.kernel.sched.chooser != Chooser::Director && (queued || waits) {
        // check_class_changed: whoever runs is looked at anew.
        match running {
            true => resched_curr(sys, cpu),
            false => super::core::wakeup_preempt(sys, cpu, task),
        }
    }
}

/// `set_user_nice`.
pub fn set_user_nice(sys: &mut System, task: TaskId, nice: i32) {
    if prio::task_nice(sys.task(task)) == nice {
        return;
    }
    sched_change(sys, task, |sys| set_static_prio(sys, task, prio::DEFAULT_PRIO + nice));
}

/// A static priority, and what follows from it and the policy. Precondition:
/// the task is on no queue.
pub fn set_static_prio(sys: &mut System, task: TaskId, static_prio: i32) {
    let t = sys.task_mut(task);
    t.static_prio = static_prio;
    t.normal_prio = prio::normal_prio(t.policy, t.rt_priority, static_prio);
    t.prio = t.normal_prio;
    let (old, new) = (t.se.load_weight.max(1), prio::weight_of(t.policy, static_prio));
    if old != new {
        // reweight_entity: what it is owed stays, in the new unit.
        let scale = |v: i64| (i128::from(v) * i128::from(old) / i128::from(new)) as i64;
        t.se.vlag = scale(t.se.vlag);
        if t.se.rel_deadline {
            t.se.deadline = scale(t.se.deadline);
        }
        t.se.load_weight = new;
    }
}
