//! Descriptors of things without a name in any tree: events, timers, signals,
//! and sets of descriptors. They share one inode on Linux; what makes them
//! different is what their open file description holds, here an [`AnonInode`].
//!
//! ```text
//! file --kind--> AnonInode { wqh: sleepers and watches
//!                            kind: EventFd | TimerFd | signals | EventPoll }
//! ```
//! Each has exactly one description (it cannot be opened again: ENXIO), so it
//! needs no count of its own and goes with the description.
//!
//! Linux: fs/anon_inodes.c (anon_inode_getfd, anon_inode_getfile).
//! Left out: what is anonymous and has a filesystem of its own (pidfds,
//! namespaces).

use super::eventfd::{self, EventFd};
use super::eventpoll::{self, EventPoll};
use super::fdtable::{fd_install, fget, get_unused_fd};
use super::file::alloc_file;
use super::signalfd;
use super::timerfd::{self, TimerFd};
use super::uio::{Dest, Source};
use super::{FileId, FileKind};
use crate::abi::{Errno, OpenFlags, SigSet};
use crate::base::Id;
use crate::kernel::error::{Stop, SysError};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::{WaitOn, WaitQueueHead};
use std::sync::Arc;

/// Names one.
pub type AnonId = Id<AnonInode>;

/// What a descriptor without a name refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnonInode {
    /// Who waits for it: sleeping readers and writers, polls, epoll instances.
    pub wqh: WaitQueueHead,
    /// What it is.
    pub kind: AnonKind,
}

/// The kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnonKind {
    /// eventfd(2).
    Event(EventFd),
    /// timerfd_create(2).
    Timer(TimerFd),
    /// signalfd(2): the signals that are read.
    Signal(SigSet),
    /// epoll_create(2).
    Epoll(EventPoll),
}

impl AnonKind {
    /// As in the link of /proc/PID/fd.
    pub fn name(&self) -> &'static str {
        match self {
            AnonKind::Event(_) => "eventfd",
            AnonKind::Timer(_) => "timerfd",
            AnonKind::Signal(_) => "signalfd",
            AnonKind::Epoll(_) => "eventpoll",
        }
    }
}

/// A descriptor for a new one. Of `flags` O_CLOEXEC and O_NONBLOCK count.
///
/// # Errors
/// EMFILE.
pub fn anon_inode_getfd(
    sys: &mut System,
    task: TaskId,
    kind: AnonKind,
    flags: OpenFlags,
) -> Result<i32, SysError> {
    let fd = get_unused_fd(sys, task)?;
    let path: Arc<str> = Arc::from(format!("anon_inode:[{}]", kind.name()));
    let id = sys.kernel.anon_inodes.insert(AnonInode { wqh: WaitQueueHead::default(), kind });
    let status = flags & OpenFlags::O_NONBLOCK | OpenFlags::O_RDWR;
    let file = alloc_file(sys, FileKind::Anon(id), status, path);
    fd_install(sys, task, fd, file, flags.contains(OpenFlags::O_CLOEXEC));
    Ok(fd)
}

/// What `fd` refers to, if that is one of these.
///
/// # Errors
/// EBADF.
pub fn anon_fget(
    sys: &System,
    task: TaskId,
    fd: i32,
) -> Result<(FileId, Option<AnonId>), SysError> {
    let file = fget(sys, task, fd)?;
    let id = match sys.kernel.filps[file].kind {
        FileKind::Anon(id) => Some(id),
        _ => None,
    };
    Ok((file, id))
}

fn cannot(sys: &System, id: AnonId, verb: &'static str) -> SysError {
    let name = sys.kernel.anon_inodes.get(id).map_or("?", |a| a.kind.name());
    let function = if verb == "read" { "vfs_read" } else { "vfs_write" };
    SysError::with(Errno::EINVAL, function, format!("an {name} descriptor has no {verb} method"))
}

/// read(2) on one of them.
pub(super) fn read(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    id: AnonId,
    dest: &mut Dest,
) -> Result<u64, Stop> {
    match sys.kernel.anon_inodes.get(id).map(|a| &a.kind) {
        Some(AnonKind::Event(_)) => eventfd::eventfd_read(sys, task, file, id, dest),
        Some(AnonKind::Timer(_)) => timerfd::timerfd_read(sys, task, file, id, dest),
        Some(AnonKind::Signal(mask)) => {
            let mask = *mask;
            signalfd::signalfd_read(sys, task, file, mask, dest)
        }
        Some(AnonKind::Epoll(_)) | None => Err(cannot(sys, id, "read").into()),
    }
}

/// write(2) on one of them.
pub(super) fn write(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    id: AnonId,
    src: Source<'_>,
) -> Result<i64, Stop> {
    match sys.kernel.anon_inodes.get(id).map(|a| &a.kind) {
        Some(AnonKind::Event(_)) => eventfd::eventfd_write(sys, task, file, id, src),
        _ => Err(cannot(sys, id, "write").into()),
    }
}

/// What one of them is ready for, and the queue that tells of a change.
pub(super) fn poll(sys: &System, task: TaskId, id: AnonId) -> (u16, Option<WaitOn>) {
    let own = Some(WaitOn::Anon(id));
    match sys.kernel.anon_inodes.get(id).map(|a| &a.kind) {
        Some(AnonKind::Event(ctx)) => (ctx.poll(), own),
        Some(AnonKind::Timer(timer)) => (timer.poll(), own),
        Some(AnonKind::Signal(mask)) => {
            let queue = sys.task(task).sighand.map(WaitOn::Signalfd);
            (signalfd::signalfd_poll(sys, task, *mask), queue)
        }
        Some(AnonKind::Epoll(_)) => (eventpoll::ep_eventpoll_poll(sys, task, id), own),
        None => (0, None),
    }
}

/// The last reference to its description is gone (`release` methods).
pub(super) fn release(sys: &mut System, id: AnonId) {
    timerfd::disarm(sys, id);
    eventpoll::ep_free(sys, id);
    if sys.kernel.anon_inodes.remove(id).is_none() {
        sys.oops("anon_inode_release", format!("{id:?} was released before"));
    }
}
