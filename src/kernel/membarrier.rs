//! membarrier(2): a memory barrier on every processor that runs a thread of
//! the process.
//!
//! Processors take turns here, and each sees the memory as the one before has
//! left it: a barrier holds between any two steps of tasks without anybody's
//! doing. So a command that Linux would execute has nothing to execute; what it
//! checks is checked, and what a process has registered for is kept in its
//! address space as there: fork copies it, execve begins with none.
//!
//! Linux: kernel/sched/membarrier.c (membarrier, membarrier_private_expedited,
//! membarrier_register_private_expedited, membarrier_get_registrations).
//! Left out: the commands for rseq(2), which no task can register; they are not
//! among what MEMBARRIER_CMD_QUERY tells.

use crate::abi::Errno;
use crate::abi::numbers::*;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const F: &str = "membarrier";

/// `MEMBARRIER_CMD_BITMASK` of a kernel without rseq.
const KNOWN: u32 = MEMBARRIER_CMD_GLOBAL
    | MEMBARRIER_CMD_GLOBAL_EXPEDITED
    | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
    | MEMBARRIER_CMD_GET_REGISTRATIONS;

/// Executes a command.
///
/// # Errors
/// EINVAL: an unknown command, or flags. EPERM: a private expedited barrier
/// without its registration.
pub fn membarrier(sys: &mut System, task: TaskId, cmd: u32, flags: u32) -> Result<i64, SysError> {
    if flags != 0 {
        let why = "only the command for rseq has a flag, and that is not modelled";
        return refuse(Errno::EINVAL, F, why);
    }
    let mm = sys.task(task).mm;
    let registered = mm.map_or(0, |mm| sys.mm(mm).membarrier_state);
    let needs = |register: u32| {
        if registered & register != 0 {
            return Ok(0);
        }
        let why = "a private expedited barrier is for processes that have registered for it";
        refuse(Errno::EPERM, "membarrier_private_expedited", why)
    };
    match cmd {
        MEMBARRIER_CMD_QUERY => Ok(i64::from(KNOWN)),
        MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED => Ok(0),
        MEMBARRIER_CMD_PRIVATE_EXPEDITED => needs(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED),
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE => {
            needs(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)
        }
        MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
        | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
        | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE => {
            if let Some(mm) = mm {
                sys.mm_mut(mm).membarrier_state |= cmd;
            }
            Ok(0)
        }
        MEMBARRIER_CMD_GET_REGISTRATIONS => {
            // Who has registered for the instruction streams is reported as
            // registered for memory too, though that barrier stays refused.
            let both = registered & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE != 0;
            let implied = if both { MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED } else { 0 };
            Ok(i64::from(registered | implied))
        }
        _ => Err(SysError::with(
            Errno::EINVAL,
            F,
            format!("{cmd:#x} is no command of membarrier, or not modelled (rseq)"),
        )),
    }
}
