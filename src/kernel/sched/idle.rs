//! The idle class: a processor's own task, which runs when nobody else can and
//! is on no queue.
//!
//! Linux: kernel/sched/idle.c (pick_task_idle, wakeup_preempt_idle, do_idle).
//! Left out: sleep states. While a processor is idle there are no ticks
//! (NO_HZ_IDLE).

use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Who runs when nobody else can.
pub fn pick(sys: &System, cpu: u32) -> TaskId {
    sys.kernel.per_cpu[cpu as usize].idle
}

/// Whether a processor runs its idle task.
pub fn is_idle(sys: &System, cpu: u32) -> bool {
    let c = &sys.kernel.per_cpu[cpu as usize];
    c.current_task == c.idle
}
