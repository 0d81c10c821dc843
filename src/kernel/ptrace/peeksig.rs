//! PTRACE_PEEKSIGINFO: the signals that wait for a tracee, without taking
//! them.
//!
//! Linux: kernel/ptrace.c (ptrace_peek_siginfo).
//! Left out: nothing.

use crate::abi::Errno;
use crate::abi::structs::SigInfo;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::uaccess::copy_from_user;
use crate::kernel::signal::pending::Queue;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// PTRACE_PEEKSIGINFO_SHARED: the queue of the process.
const PTRACE_PEEKSIGINFO_SHARED: u32 = 1;

/// The instances that `struct ptrace_peeksiginfo_args` at `addr` asks for: a
/// number of them from an offset in one of the two queues.
///
/// # Errors
/// EFAULT; EINVAL: unknown flags, a negative number.
pub fn ptrace_peek_siginfo(
    sys: &mut System,
    current: TaskId,
    child: TaskId,
    addr: u64,
) -> Result<Vec<SigInfo>, SysError> {
    const F: &str = "ptrace_peek_siginfo";
    let mut b = [0; 16];
    copy_from_user(sys, current, addr, &mut b)?;
    let word = |at: usize| u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]);
    let off = u64::from(word(4)) << 32 | u64::from(word(0));
    let (flags, nr) = (word(8), word(12) as i32);
    if flags & !PTRACE_PEEKSIGINFO_SHARED != 0 {
        return refuse(Errno::EINVAL, F, "flags has bits other than PTRACE_PEEKSIGINFO_SHARED");
    }
    if nr < 0 {
        return refuse(Errno::EINVAL, F, "the number of siginfos is negative");
    }
    let queue = match sys.task(child).signal.filter(|_| flags != 0) {
        Some(signal) => Queue::Shared(signal),
        None => Queue::Private(child),
    };
    let skip = usize::try_from(off).unwrap_or(usize::MAX);
    Ok(queue.get(sys).list.iter().skip(skip).take(nr as usize).map(|q| q.info).collect())
}
