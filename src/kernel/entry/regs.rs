//! `pt_regs`: user registers at the top of the kernel stack, in emulated
//! memory. What lies there is what the task goes on with.
//!
//! Linux: arch/x86/entry/entry_64.S, arch/x86/entry/calling.h.
//! Left out: the partial frames of the fast system call path.

use crate::kernel::sched::core::percpu_base;
use crate::kernel::system::System;
use crate::kernel::task::{THREAD_SIZE, TaskId};
use crate::machine::ptregs::{PT_REGS_SIZE, from_words, to_words};

/// Offset of `pt_regs` in a kernel stack.
pub const PT_REGS_OFFSET: u64 = THREAD_SIZE - PT_REGS_SIZE;
/// Offset of `pt_regs.ax` in a kernel stack.
pub(super) const AX_OFFSET: u64 = PT_REGS_OFFSET + 10 * 8;

/// Keeps the processor's user registers in the task.
pub(super) fn save_regs(sys: &mut System, task: TaskId) {
    let t = &mut sys.kernel.tasks[task];
    t.regs = sys.machine.cpus[t.cpu as usize].regs;
}

/// Stores what [`save_regs`] has kept as `pt_regs` and runs on the kernel stack
/// from here on.
pub(super) fn enter_kernel(sys: &mut System, task: TaskId, orig_ax: i64) {
    let t = &mut sys.kernel.tasks[task];
    t.orig_ax = orig_ax;
    let c = &mut sys.machine.cpus[t.cpu as usize];
    c.swapgs();
    c.msrs.gs_base = percpu_base(t.cpu);
    c.regs.sp = c.rsp0 - PT_REGS_SIZE;
    write_pt_regs(sys, task);
}

/// An exception or interrupt in user mode. `orig_ax` is -1, as error_entry
/// leaves it: there is no system call to restart.
pub fn enter_from_user(sys: &mut System, task: TaskId, handler: u64, orig_ax: i64) {
    save_regs(sys, task);
    let cpu = sys.task(task).cpu as usize;
    sys.machine.cpus[cpu].enter_exception(handler);
    enter_kernel(sys, task, orig_ax);
}

/// Writes the task's register image to the top of its kernel stack.
pub fn write_pt_regs(sys: &mut System, task: TaskId) {
    let t = sys.task(task);
    let Some(top) = t.stack.map(|s| s.top_page()) else { return };
    let words = to_words(&t.regs, t.orig_ax as u64);
    if let Err(bug) = sys.machine.mem.write_tail(top, &words) {
        sys.oops("entry_SYSCALL_64", bug.to_string());
    }
}

/// Reads `pt_regs` back from the kernel stack into the task's image.
pub fn read_pt_regs(sys: &mut System, task: TaskId) {
    let t = &mut sys.kernel.tasks[task];
    let Some(top) = t.stack.map(|s| s.top_page()) else { return };
    match sys.machine.mem.read_tail(top) {
        Ok(words) => {
            let orig_ax;
            (t.regs, orig_ax) = from_words(&words);
            t.orig_ax = orig_ax as i64;
        }
        Err(bug) => sys.oops("entry_SYSCALL_64", bug.to_string()),
    }
}

/// Returns the processor to user mode with what `pt_regs` holds.
pub fn exit_to_user_regs(sys: &mut System, task: TaskId) {
    read_pt_regs(sys, task);
    let t = &sys.kernel.tasks[task];
    let c = &mut sys.machine.cpus[t.cpu as usize];
    c.msrs.gs_base = c.msrs.kernel_gs_base;
    c.msrs.kernel_gs_base = percpu_base(t.cpu);
    c.regs = t.regs;
}
