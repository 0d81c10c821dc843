//! personality(2): the execution domain of a thread.
//!
//! There is one domain, Linux's own (`PER_LINUX`), and one flag of it that makes
//! sense here: ADDR_NO_RANDOMIZE. Nothing is placed at random on this machine, so
//! the flag is kept and shown, over fork and execve, and has nothing to change; a
//! set-user-ID program loses it.
//!
//! Linux: kernel/exec_domain.c (personality), include/uapi/linux/personality.h,
//! fs/exec.c (begin_new_exec, `per_clear`).
//! Left out: all other domains and flags; each is refused.

use crate::abi::Errno;
use crate::kernel::error::SysError;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Asks, and changes nothing.
const ASK: u32 = 0xffff_ffff;
/// Addresses are not chosen at random.
pub const ADDR_NO_RANDOMIZE: u32 = 0x004_0000;

/// Gives the thread's personality and sets another one, unless it only asks.
///
/// # Errors
/// EINVAL: one that is not modelled.
pub fn personality(sys: &mut System, task: TaskId, new: u32) -> Result<i64, SysError> {
    let old = sys.task(task).personality;
    if new != ASK {
        if new & !ADDR_NO_RANDOMIZE != 0 {
            let why = format!(
                "personality {new:#x} is not modelled: PER_LINUX (0) and its ADDR_NO_RANDOMIZE \
                 (0x40000) are"
            );
            return Err(SysError::with(Errno::EINVAL, "personality", why));
        }
        sys.task_mut(task).personality = new;
    }
    Ok(i64::from(old))
}

/// A program runs with more rights than who started it: nobody has said for it
/// where its addresses lie (`PER_CLEAR_ON_SETID`).
pub fn clear_on_setid(sys: &mut System, task: TaskId) {
    sys.task_mut(task).personality &= !ADDR_NO_RANDOMIZE;
}
