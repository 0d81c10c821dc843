//! eventfd(2): a counter that is read and written as a file.
//!
//! ```text
//! write n   count += n           waits while count + n does not fit
//! read      gives count, to 0    waits while it is 0
//!           gives 1, count -= 1  with EFD_SEMAPHORE
//! ```
//! Readers and writers sleep on one queue.
//!
//! Linux: fs/eventfd.c (do_eventfd, eventfd_read, eventfd_write, eventfd_poll).
//! Left out: the kernel's own signalling; ids in fdinfo.

use super::FileId;
use super::anon_inodes::{AnonId, AnonKind, anon_inode_getfd};
use super::uio::{Dest, Source};
use crate::abi::numbers::{EFD_SEMAPHORE, POLLERR, POLLIN, POLLOUT};
use crate::abi::{Errno, OpenFlags};
use crate::kernel::error::{Stop, SysError, refuse};
use crate::kernel::sched::core::wake_up_poll;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::{Wait, WaitOn};

/// `struct eventfd_ctx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventFd {
    /// At most one less than the largest word, but for the kernel's own use.
    pub count: u64,
    /// EFD_SEMAPHORE.
    pub semaphore: bool,
}

impl EventFd {
    /// What it is ready for.
    pub(super) fn poll(&self) -> u16 {
        let data = if self.count > 0 { POLLIN } else { 0 };
        let overflow = if self.count == u64::MAX { POLLERR } else { 0 };
        let room = if u64::MAX - 1 > self.count { POLLOUT } else { 0 };
        data | overflow | room
    }
}

/// eventfd2(2).
///
/// # Errors
/// EINVAL: an unknown flag. EMFILE.
pub fn do_eventfd(sys: &mut System, task: TaskId, count: u32, flags: u32) -> Result<i32, SysError> {
    let known = (OpenFlags::O_CLOEXEC | OpenFlags::O_NONBLOCK).bits() | EFD_SEMAPHORE;
    if flags & !known != 0 {
        let why = "eventfd knows EFD_SEMAPHORE, EFD_CLOEXEC and EFD_NONBLOCK";
        return refuse(Errno::EINVAL, "do_eventfd", why);
    }
    let ctx = EventFd { count: count.into(), semaphore: flags & EFD_SEMAPHORE != 0 };
    let flags = OpenFlags::from_bits_truncate(flags & !EFD_SEMAPHORE);
    anon_inode_getfd(sys, task, AnonKind::Event(ctx), flags)
}

fn ctx(sys: &mut System, id: AnonId) -> Option<&mut EventFd> {
    match sys.kernel.anon_inodes.get_mut(id).map(|a| &mut a.kind) {
        Some(AnonKind::Event(ctx)) => Some(ctx),
        _ => None,
    }
}

/// Whether the caller has to wait, or must not.
fn wait(sys: &System, task: TaskId, file: FileId, id: AnonId, f: &'static str) -> Stop {
    if sys.kernel.filps[file].nonblocking() {
        let why = "the counter does not allow it now, and O_NONBLOCK is set";
        return SysError::new(Errno::EAGAIN, f, why).into();
    }
    if sys.task(task).sigpending {
        let why = "a signal is pending while the counter keeps it waiting";
        return SysError::new(Errno::ERESTARTSYS, f, why).into();
    }
    Stop::Block(Wait::interruptible(WaitOn::Anon(id)))
}

/// Takes the counter, or one of it. Preconditions: `id` is an eventfd.
///
/// # Errors
/// EINVAL: less than 8 bytes. EAGAIN, ERESTARTSYS. EFAULT: it is taken then.
pub(super) fn eventfd_read(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    id: AnonId,
    dest: &mut Dest,
) -> Result<u64, Stop> {
    const F: &str = "eventfd_read";
    if dest.count() < 8 {
        return Err(SysError::new(Errno::EINVAL, F, "the counter has 8 bytes").into());
    }
    let Some(c) = ctx(sys, id) else { return Ok(0) };
    if c.count == 0 {
        return Err(wait(sys, task, file, id, F));
    }
    let value = if c.semaphore { 1 } else { c.count };
    c.count -= value;
    wake_up_poll(sys, WaitOn::Anon(id), POLLOUT);
    dest.put(sys, task, 0, &value.to_le_bytes())?;
    Ok(8)
}

/// Adds to the counter. Preconditions: `id` is an eventfd.
///
/// # Errors
/// EINVAL: not 8 bytes, or the largest word. EFAULT, EAGAIN, ERESTARTSYS.
pub(super) fn eventfd_write(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    id: AnonId,
    src: Source<'_>,
) -> Result<i64, Stop> {
    const F: &str = "eventfd_write";
    if src.count() != 8 {
        return Err(SysError::new(Errno::EINVAL, F, "the counter has 8 bytes").into());
    }
    let mut word = [0; 8];
    src.copy(sys, task, 0, &mut word)?;
    let value = u64::from_le_bytes(word);
    if value == u64::MAX {
        let why = "the counter does not reach the largest word";
        return Err(SysError::new(Errno::EINVAL, F, why).into());
    }
    let Some(c) = ctx(sys, id) else { return Ok(0) };
    if u64::MAX - c.count <= value {
        return Err(wait(sys, task, file, id, F));
    }
    c.count += value;
    wake_up_poll(sys, WaitOn::Anon(id), POLLIN);
    Ok(8)
}
