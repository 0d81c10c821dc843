//! sigaltstack(2): a stack for handlers, for when the usual one is full.
//!
//! Linux: kernel/signal.c (do_sigaltstack), include/linux/sched/signal.h
//! (on_sig_stack, sas_ss_flags, sas_ss_reset).
//! Left out: the minimum that large FPU states ask for.

use crate::abi::Errno;
use crate::abi::numbers::{SS_AUTODISARM, SS_DISABLE, SS_ONSTACK};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskStruct};

/// Smallest alternate stack in bytes.
pub const MINSIGSTKSZ: u64 = 2048;

/// Whether `sp` lies in the alternate stack, armed or not.
pub fn __on_sig_stack(t: &TaskStruct, sp: u64) -> bool {
    sp > t.sas_ss_sp && sp - t.sas_ss_sp <= t.sas_ss_size
}

/// Whether a handler runs on the alternate stack, as far as `sp` tells. With
/// SS_AUTODISARM the stack is disarmed meanwhile, so the answer is no.
pub fn on_sig_stack(t: &TaskStruct, sp: u64) -> bool {
    u64::from(t.sas_ss_flags) & SS_AUTODISARM == 0 && __on_sig_stack(t, sp)
}

/// SS_DISABLE, SS_ONSTACK or 0.
pub fn sas_ss_flags(t: &TaskStruct, sp: u64) -> u32 {
    if t.sas_ss_size == 0 {
        SS_DISABLE as u32
    } else if on_sig_stack(t, sp) {
        SS_ONSTACK as u32
    } else {
        0
    }
}

/// No alternate stack: after exec, in a child with its own stack, and while a
/// handler runs on one with SS_AUTODISARM (`sas_ss_reset`).
pub fn sas_ss_reset(t: &mut TaskStruct) {
    t.sas_ss_sp = 0;
    t.sas_ss_size = 0;
    t.sas_ss_flags = SS_DISABLE as u32;
}

/// The present setting as sigaltstack reports it: sp, flags, size.
pub fn current_altstack(t: &TaskStruct) -> (u64, u32, u64) {
    let flags = sas_ss_flags(t, t.regs.sp) | t.sas_ss_flags & SS_AUTODISARM as u32;
    (t.sas_ss_sp, flags, t.sas_ss_size)
}

/// Sets the alternate stack; `sp` is the stack pointer in use. Errors: EPERM
/// while on it, EINVAL for unknown flags, ENOMEM when too small.
pub fn do_sigaltstack(
    sys: &mut System,
    task: TaskId,
    ss_sp: u64,
    ss_flags: u32,
    ss_size: u64,
    sp: u64,
) -> Result<(), SysError> {
    const F: &str = "do_sigaltstack";
    let t = sys.task_mut(task);
    if on_sig_stack(t, sp) {
        return refuse(
            Errno::EPERM,
            F,
            "the caller runs on the alternate stack that it wants to change",
        );
    }
    let mode = u64::from(ss_flags) & !SS_AUTODISARM;
    if mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0 {
        return refuse(Errno::EINVAL, F, "ss_flags is neither 0, SS_ONSTACK nor SS_DISABLE");
    }
    if (t.sas_ss_sp, t.sas_ss_size, t.sas_ss_flags) == (ss_sp, ss_size, ss_flags) {
        return Ok(());
    }
    if mode == SS_DISABLE {
        (t.sas_ss_sp, t.sas_ss_size) = (0, 0);
    } else {
        if ss_size < MINSIGSTKSZ {
            return refuse(Errno::ENOMEM, F, "the stack is smaller than MINSIGSTKSZ (2048 bytes)");
        }
        (t.sas_ss_sp, t.sas_ss_size) = (ss_sp, ss_size);
    }
    t.sas_ss_flags = ss_flags;
    Ok(())
}
