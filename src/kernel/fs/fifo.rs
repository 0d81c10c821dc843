//! Named pipes: opening one waits until the other side is open too.
//!
//! ```text
//! open to read    waits for a writer      O_NONBLOCK: does not wait
//! open to write   waits for a reader      O_NONBLOCK: ENXIO without one
//! ```
//! The pipe is there as long as someone has the FIFO open; it holds a reference to
//! the inode. Whoever waits has its end open already, which lets a partner in; it
//! goes on when the *count of openings* of the other side has moved, though that
//! partner may have closed meanwhile. The sleeping call keeps the description
//! (`Resume::file`) and, in its note, that count plus one.
//!
//! Linux: fs/pipe.c (fifo_open, wait_for_partner, wake_up_partner).
//! Left out: opening to read and write at once (refused).

use super::file::alloc_file;
use super::inode::{InodeKind, iget};
use super::pipe::{Pipe, PipeId};
use super::{FileId, FileKind, InodeId};
use crate::abi::{Errno, OpenFlags};
use crate::kernel::error::{Stop, SysError, refuse};
use crate::kernel::sched::core::wake_up_all;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::{Wait, WaitOn};
use std::sync::Arc;

/// The pipe of a FIFO, made at the first open.
fn pipe_of(sys: &mut System, inode: InodeId) -> Option<PipeId> {
    if let InodeKind::Fifo(Some(pipe)) = sys.kernel.inodes[inode].kind {
        return Some(pipe);
    }
    let pipe = sys.kernel.pipes.insert(Pipe { fifo: Some(inode), ..Pipe::default() });
    iget(sys, inode);
    match &mut sys.kernel.inodes[inode].kind {
        InodeKind::Fifo(slot) => slot.replace(pipe),
        _ => return None,
    };
    Some(pipe)
}

/// Opens one end, without waiting for the other.
///
/// # Errors
/// ENXIO: to write, with O_NONBLOCK, and nobody reads. EINVAL: both at once.
pub(super) fn fifo_open(
    sys: &mut System,
    inode: InodeId,
    flags: OpenFlags,
    name: Arc<str>,
) -> Result<FileId, SysError> {
    const F: &str = "fifo_open";
    let write = match flags.bits() & 3 {
        0 => false,
        1 => true,
        _ => {
            let why = "opening a FIFO to read and write at once is not modelled";
            return refuse(Errno::EINVAL, F, why);
        }
    };
    let readers = match sys.kernel.inodes[inode].kind {
        InodeKind::Fifo(Some(pipe)) => sys.kernel.pipes.get(pipe).map_or(0, |p| p.readers),
        _ => 0,
    };
    if write && flags.contains(OpenFlags::O_NONBLOCK) && readers == 0 {
        return refuse(Errno::ENXIO, F, "nobody reads the FIFO, and O_NONBLOCK is set");
    }
    let Some(pipe) = pipe_of(sys, inode) else {
        return refuse(Errno::ENXIO, F, "it is no FIFO");
    };
    let kind = if write { FileKind::PipeWrite(pipe) } else { FileKind::PipeRead(pipe) };
    let file = alloc_file(sys, kind, flags, name);
    if let Some(p) = sys.kernel.pipes.get_mut(pipe) {
        let (counter, ends) =
            if write { (&mut p.w_counter, p.writers) } else { (&mut p.r_counter, p.readers) };
        *counter = counter.wrapping_add(1);
        if ends == 1 {
            wake_up_all(sys, WaitOn::PipeRead(pipe));
        }
    }
    Ok(file)
}

/// Waits until the other side of a FIFO was opened; `note` as at the head of this
/// file. Anything but a FIFO is ready at once.
///
/// # Errors
/// ERESTARTSYS: a signal.
pub(super) fn wait_for_partner(
    sys: &System,
    task: TaskId,
    file: FileId,
    note: &mut u64,
) -> Result<(), Stop> {
    let f = &sys.kernel.filps[file];
    let (pipe, write) = match f.kind {
        FileKind::PipeRead(pipe) => (pipe, false),
        FileKind::PipeWrite(pipe) => (pipe, true),
        _ => return Ok(()),
    };
    let Some(p) = sys.kernel.pipes.get(pipe).filter(|p| p.fifo.is_some()) else { return Ok(()) };
    let (others, counter) = if write { (p.readers, p.r_counter) } else { (p.writers, p.w_counter) };
    let met = match *note {
        0 => others > 0 || f.nonblocking(),
        seen => u64::from(counter) + 1 != seen,
    };
    if met {
        return Ok(());
    }
    if sys.task(task).sigpending {
        let why = "a signal is pending while the other end of the FIFO is not open";
        return Err(SysError::new(Errno::ERESTARTSYS, "wait_for_partner", why).into());
    }
    *note = u64::from(counter) + 1;
    Err(Stop::Block(Wait::interruptible(WaitOn::PipeRead(pipe))))
}

/// The last end is closed: the pipe lets go of its FIFO.
pub(super) fn forget_pipe(sys: &mut System, inode: InodeId) {
    if let Some(i) = sys.kernel.inodes.get_mut(inode)
        && let InodeKind::Fifo(slot) = &mut i.kind
    {
        *slot = None;
    }
    super::inode::iput(sys, inode);
}
