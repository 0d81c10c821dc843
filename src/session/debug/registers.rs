//! A task's registers as a debugger sees them: all of user mode, wherever they
//! are now.
//!
//! ```text
//! in user mode on a processor   the processor has them, and the segment bases
//! in the kernel, or waiting     pt_regs; bases in `thread`
//! always                        x87 and SSE: `task.fpu`
//! ```
//!
//! Linux: arch/x86/kernel/ptrace.c (getreg, putreg), fpu/regset.c. Left out:
//! changing segment registers; debug registers.

use crate::abi::Errno;
use crate::base::cow::Arc;
use crate::kernel::entry::{read_pt_regs, write_pt_regs};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::layout::task_size;
use crate::kernel::sched::core::current;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::fpu::{FpuState, MXCSR_MASK};
use crate::machine::{Regs, Rflags, Ring, Selectors};

/// All registers of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registers {
    /// General registers.
    pub regs: Regs,
    /// Number of the call it is in, or negative.
    pub orig_ax: i64,
    /// Base of FS.
    pub fs_base: u64,
    /// Base of GS.
    pub gs_base: u64,
    /// DS, ES, FS and GS.
    pub selectors: Selectors,
    /// x87 and SSE.
    pub fpu: FpuState,
}

/// Flags that a debugger may change.
const FLAG_MASK: u64 = Rflags::CF
    .union(Rflags::PF)
    .union(Rflags::AF)
    .union(Rflags::ZF)
    .union(Rflags::SF)
    .union(Rflags::DF)
    .union(Rflags::OF)
    .union(Rflags::NT)
    .union(Rflags::RF)
    .union(Rflags::AC)
    .bits();

/// Whether the task is on its processor, and in user mode.
fn where_is(sys: &System, task: TaskId) -> (bool, bool) {
    let t = sys.task(task);
    let on = t.on_cpu && current(sys, t.cpu) == task;
    (on, on && sys.machine.cpus[t.cpu as usize].ring() == Ring::User)
}

/// The registers of a living task. Changes nothing.
pub fn read(sys: &System, task: TaskId) -> Registers {
    let t = sys.task(task);
    let cpu = &sys.machine.cpus[t.cpu as usize];
    let (on, in_user) = where_is(sys, task);
    let (fs_base, gs_base) = match (on, in_user) {
        (true, true) => (cpu.msrs.fs_base, cpu.msrs.gs_base),
        (true, false) => (cpu.msrs.fs_base, cpu.msrs.kernel_gs_base),
        (false, _) => (t.thread.fsbase, t.thread.gsbase),
    };
    let selectors = if on { cpu.selectors } else { t.thread.selectors };
    let (regs, orig_ax) = if in_user { (cpu.regs, -1) } else { (t.regs, t.orig_ax) };
    let fpu = t.fpu.as_ref().map_or_else(FpuState::default, |fpu| **fpu);
    Registers { regs, orig_ax, fs_base, gs_base, selectors, fpu }
}

/// Changes all registers.
///
/// # Errors
/// EIO: a segment base outside user memory, bits of MXCSR that do not exist, other
/// selectors than they are. Nothing was changed then.
pub fn write(sys: &mut System, task: TaskId, new: &Registers) -> Result<(), SysError> {
    const F: &str = "putreg";
    let old = read(sys, task);
    let Registers { regs, orig_ax, fs_base, gs_base, selectors, fpu } = new;
    if *fs_base >= task_size(sys) || *gs_base >= task_size(sys) {
        return refuse(Errno::EIO, F, "a segment base must lie in user memory");
    }
    if fpu.mxcsr & !MXCSR_MASK != 0 {
        return refuse(Errno::EIO, F, "MXCSR has only its low 16 bits");
    }
    if (regs.cs, regs.ss, *selectors) != (old.regs.cs, old.regs.ss, old.selectors) {
        return refuse(Errno::EIO, F, "segment registers cannot be changed");
    }
    let flags = old.regs.flags & !FLAG_MASK | regs.flags & FLAG_MASK;
    let regs = Regs { flags, ..*regs };
    let (on, in_user) = where_is(sys, task);
    let cpu = sys.task(task).cpu as usize;
    if in_user {
        sys.machine.cpus[cpu].regs = regs;
    } else if (regs, *orig_ax) != (old.regs, old.orig_ax) {
        read_pt_regs(sys, task);
        let t = sys.task_mut(task);
        (t.regs, t.orig_ax) = (regs, *orig_ax);
        // A call on its way out returns what ax says.
        let leaving = t.resume.as_mut().and_then(|r| r.leaving.as_mut());
        if let Some(l) = leaving.filter(|l| l.outcome.ret != regs.ax as i64) {
            l.outcome.set_ret(regs.ax as i64);
        }
        write_pt_regs(sys, task);
    }
    if on {
        let msrs = &mut sys.machine.cpus[cpu].msrs;
        msrs.fs_base = *fs_base;
        *(if in_user { &mut msrs.gs_base } else { &mut msrs.kernel_gs_base }) = *gs_base;
    } else {
        let thread = &mut sys.task_mut(task).thread;
        (thread.fsbase, thread.gsbase) = (*fs_base, *gs_base);
    }
    if *fpu != old.fpu {
        sys.task_mut(task).fpu = Some(Arc::new(*fpu));
    }
    Ok(())
}
