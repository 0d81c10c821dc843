//! Charging tasks for time: to the process's usage, and to the class by which
//! the scheduler reckons.
//!
//! In director style the clock moves when a task acts, and that task pays. When
//! the scheduler chooses, the clock moves by itself and each processor's
//! current task pays for what has passed since it was charged last.
//!
//! Linux: kernel/sched/cputime.c (vtime_user_exit, account_system_time),
//! kernel/sched/fair.c (update_curr), rt.c, deadline.c.
//! Left out: accounting by ticks: times are exact, as with
//! CONFIG_VIRT_CPU_ACCOUNTING_GEN.

use super::core::{current, cx, throttle_dl};
use super::entity::SchedClass;
use super::{Chooser, deadline, fair};
use crate::kernel::itimer::run_cpu_timers;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::Ring;

/// Virtual time that a system call or a fault takes, in ns.
pub const KERNEL_ENTRY_NS: u64 = 1_000;
/// Virtual time that a user-mode operation takes, in ns.
pub const USER_OP_NS: u64 = 100;

/// Advances the clock and charges the time to `task`.
pub fn account(sys: &mut System, task: TaskId, ns: u64, mode: Ring) {
    sys.machine.clock.advance(ns);
    let now = sys.machine.clock.now();
    sys.log.time = now;
    let t = sys.task_mut(task);
    match mode {
        Ring::User => t.utime += ns,
        Ring::Kernel => t.stime += ns,
    }
    t.se.exec_start = now;
    charge(sys, task, ns);
    if sys.kernel.cpu_timers_armed > 0 {
        run_cpu_timers(sys, task);
    }
}

/// Charges a processor's current task for what has passed (`update_curr`). Gives
/// how much that was.
pub fn update_curr(sys: &mut System, cpu: u32) -> u64 {
    let task = current(sys, cpu);
    let now = sys.machine.clock.now();
    let ns = now.saturating_sub(sys.task(task).se.exec_start);
    if ns == 0 {
        return 0;
    }
    let t = sys.task_mut(task);
    t.se.exec_start = now;
    t.utime += ns;
    charge(sys, task, ns);
    if sys.kernel.cpu_timers_armed > 0 {
        run_cpu_timers(sys, task);
    }
    ns
}

/// What the class reckons.
pub fn charge(sys: &mut System, task: TaskId, ns: u64) {
    let cx = cx(sys);
    let k = &mut sys.kernel;
    let t = &mut k.tasks[task];
    t.se.sum_exec_runtime += ns;
    let (cpu, class) = (t.cpu, t.sched_class);
    let asks = k.sched.chooser != Chooser::Director;
    match class {
        SchedClass::Fair => {
            let cfs = &mut k.per_cpu[cpu as usize].rq.cfs;
            if cfs.curr == Some(task) && fair::charge(cfs, &mut k.tasks, task, ns, &cx) && asks {
                k.tasks[task].need_resched = true;
            }
        }
        SchedClass::Deadline => {
            if deadline::charge(&mut k.tasks, task, ns) && asks {
                throttle_dl(sys, task);
            }
        }
        SchedClass::Rt | SchedClass::Stop | SchedClass::Idle => {}
    }
}
