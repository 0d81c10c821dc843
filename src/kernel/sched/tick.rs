//! The timer interrupt, and the timers of the deadline class.
//!
//! Linux: kernel/sched/core.c (sched_tick), kernel/sched/deadline.c
//! (dl_task_timer).
//! Left out: what the interrupt itself costs.

use super::core::{current, cx, enqueue_task, wakeup_preempt};
use super::entity::SchedClass;
use super::fair::Enqueue;
use super::{balance, deadline, fair, idle, rt, tick_nsec};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// A timer interrupt on a processor that is not idle. Precondition: who runs
/// has been charged.
pub fn sched_tick(sys: &mut System, cpu: u32) {
    if idle::is_idle(sys, cpu) {
        return;
    }
    let ns = tick_nsec(&sys.kernel.sched.config);
    let curr = current(sys, cpu);
    task_tick(sys, cpu, curr, ns);
    balance::tick(sys, cpu);
}

/// What the class of `curr`, who runs, does at a tick, `ns` after the last.
pub fn task_tick(sys: &mut System, cpu: u32, curr: TaskId, ns: u64) {
    let cx = cx(sys);
    let k = &mut sys.kernel;
    let rq = &mut k.per_cpu[cpu as usize].rq;
    let resched = match k.tasks[curr].sched_class {
        SchedClass::Fair => fair::tick(&rq.cfs, &k.tasks, curr, &cx),
        SchedClass::Rt => rt::tick(&mut rq.rt, &mut k.tasks, curr, ns),
        // The budget is looked at where time is charged.
        SchedClass::Deadline | SchedClass::Stop | SchedClass::Idle => false,
    };
    if resched {
        k.tasks[curr].need_resched = true;
    }
}

/// Gives back their budget to those whose period begins; whether there were
/// any.
pub fn run_dl_timers(sys: &mut System) -> bool {
    let now = sys.machine.clock.now();
    let mut any = false;
    while let Some(&(at, task)) = sys.kernel.sched.dl_timers.first()
        && at <= now
    {
        sys.kernel.sched.dl_timers.pop_first();
        any = true;
        if sys.kernel.tasks.get(task).is_none_or(|t| t.sched_class != SchedClass::Deadline) {
            continue;
        }
        deadline::replenish(&mut sys.kernel.tasks, task, now);
        let t = sys.task(task);
        if t.on_rq && !t.throttled {
            // It was on_rq all the time, but on no queue.
            enqueue_task(sys, task, Enqueue::Restore);
            let cpu = sys.task(task).cpu;
            wakeup_preempt(sys, cpu, task);
        }
    }
    any
}
