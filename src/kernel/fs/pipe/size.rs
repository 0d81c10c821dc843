//! How much a pipe holds: F_GETPIPE_SZ and F_SETPIPE_SZ of fcntl(2).
//!
//! Linux: fs/pipe.c (pipe_fcntl, pipe_set_size, pipe_resize_ring, round_pipe_size).
//! Left out: the quota of pipe pages of a user (pipe-user-pages-soft and -hard).

use super::PipeId;
use crate::abi::{Cap, Errno};
use crate::base::PAGE_SIZE;
use crate::kernel::capability::capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::sched::core::wake_up_all;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::WaitOn;

/// Larger ones are for CAP_SYS_RESOURCE (/proc/sys/fs/pipe-max-size).
const PIPE_MAX_SIZE: u64 = 1 << 20;
/// No pipe is larger.
const LARGEST: u64 = 1 << 31;

/// Bytes that the pipe holds when all its slots are full.
pub fn pipe_size(sys: &System, pipe: PipeId) -> i64 {
    sys.kernel.pipes.get(pipe).map_or(0, |p| p.max_usage as i64 * PAGE_SIZE as i64)
}

/// F_SETPIPE_SZ: room for at least `arg` bytes, a power of two of slots.
///
/// # Errors
/// EINVAL: more than any pipe holds. EPERM: more than /proc/sys/fs/pipe-max-size.
/// EBUSY: more slots are taken than there would be.
pub fn pipe_set_size(
    sys: &mut System,
    task: TaskId,
    pipe: PipeId,
    arg: u64,
) -> Result<i64, SysError> {
    const F: &str = "pipe_set_size";
    // The argument is an unsigned int.
    let arg = u64::from(arg as u32);
    if arg > LARGEST {
        return refuse(Errno::EINVAL, F, "no pipe holds more than 2 GiB");
    }
    let size = arg.max(PAGE_SIZE).next_power_of_two();
    let slots = (size / PAGE_SIZE) as usize;
    let Some(p) = sys.kernel.pipes.get(pipe) else { return Ok(0) };
    let (now, taken) = (p.max_usage, p.bufs.len());
    if slots > now && size > PIPE_MAX_SIZE && !capable(sys, task, Cap::CAP_SYS_RESOURCE) {
        let why = "more than fs.pipe-max-size (1048576) takes CAP_SYS_RESOURCE";
        return refuse(Errno::EPERM, F, why);
    }
    if slots < taken {
        let why = format!("{taken} slots of the pipe are taken, {slots} would be left");
        return Err(SysError::with(Errno::EBUSY, "pipe_resize_ring", why));
    }
    if let Some(p) = sys.kernel.pipes.get_mut(pipe) {
        p.max_usage = slots;
    }
    // There may be more room for writers.
    wake_up_all(sys, WaitOn::PipeWrite(pipe));
    Ok(pipe_size(sys, pipe))
}
