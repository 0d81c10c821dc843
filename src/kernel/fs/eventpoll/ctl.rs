//! epoll_create(2), epoll_ctl(2): making an instance, and changing its items.
//!
//! Linux: fs/eventpoll.c (do_epoll_create, do_epoll_ctl, ep_insert, ep_modify,
//! ep_loop_check).
//! Left out: the limit on paths through instances (reverse_path_check).

use super::{EpItem, EventPoll, as_epoll, ep_item_poll, ep_mut, ep_ref, ep_remove, ep_watch};
use crate::abi::numbers::{EPOLLEXCLUSIVE, POLLERR, POLLHUP, POLLIN};
use crate::abi::{Errno, OpenFlags};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::anon_inodes::{AnonId, AnonKind, anon_inode_getfd};
use crate::kernel::fs::fdtable::fget;
use crate::kernel::fs::inode::{CharDev, InodeKind};
use crate::kernel::fs::proc::ProcFile;
use crate::kernel::fs::select::vfs_poll;
use crate::kernel::fs::{FileId, FileKind};
use crate::kernel::sched::core::wake_up_poll;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::{WaitOn, Watch};

const F: &str = "do_epoll_ctl";
/// How deep instances watch instances (`EP_MAX_NESTS`).
const MAX_NESTS: u32 = 4;

/// epoll_create1(2).
///
/// # Errors
/// EINVAL: an unknown flag. EMFILE.
pub fn do_epoll_create(sys: &mut System, task: TaskId, flags: u32) -> Result<i32, SysError> {
    if flags & !OpenFlags::O_CLOEXEC.bits() != 0 {
        return refuse(Errno::EINVAL, "do_epoll_create", "epoll_create1 knows EPOLL_CLOEXEC only");
    }
    let kind = AnonKind::Epoll(EventPoll::default());
    anon_inode_getfd(sys, task, kind, OpenFlags::from_bits_truncate(flags))
}

/// What epoll_ctl(2) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CtlOp {
    /// EPOLL_CTL_ADD: the events asked for, and what comes back with them.
    Add(u32, u64),
    /// EPOLL_CTL_DEL.
    Del,
    /// EPOLL_CTL_MOD.
    Mod(u32, u64),
    /// No such operation.
    Unknown(i32),
}

/// Whether a file can tell that it is ready (`file_can_poll`).
fn file_can_poll(sys: &System, file: FileId) -> bool {
    match sys.kernel.filps[file].kind {
        FileKind::Inode(inode) => matches!(
            sys.kernel.inodes.get(inode).map(|i| &i.kind),
            Some(InodeKind::Chr(CharDev::Console))
        ),
        FileKind::Ns(_) | FileKind::Proc(_, Some(_)) | FileKind::Proc(ProcFile::Dir(_), None) => {
            false
        }
        _ => true,
    }
}

/// Whether `to` is reached from `from` through items, or that takes too many
/// steps (`ep_loop_check_proc`).
fn loops(sys: &System, from: AnonId, to: AnonId, depth: u32) -> bool {
    if from == to || depth > MAX_NESTS {
        return true;
    }
    let Some(ep) = ep_ref(sys, from) else { return false };
    let below = ep.items.iter().filter_map(|i| as_epoll(sys, i.key.0));
    below.into_iter().any(|next| loops(sys, next, to, depth + 1))
}

/// How many instances are stacked on top of one: those that watch it.
fn above(sys: &System, id: AnonId, depth: u32) -> u32 {
    if depth > MAX_NESTS {
        return depth;
    }
    let watches = sys.kernel.anon_inodes.get(id).map_or(&[][..], |a| &a.wqh.watches);
    watches.iter().map(|w| above(sys, w.epoll, depth + 1)).max().unwrap_or(depth)
}

/// epoll_ctl(2) on the item of descriptor `fd`.
///
/// # Errors
/// EBADF, EPERM: the file cannot tell that it is ready. EINVAL, EEXIST, ENOENT,
/// ELOOP. ENOSYS: a file of a control group.
pub fn do_epoll_ctl(
    sys: &mut System,
    task: TaskId,
    epfd: i32,
    op: CtlOp,
    fd: i32,
) -> Result<(), SysError> {
    let epfile = fget(sys, task, epfd)?;
    let file = fget(sys, task, fd)?;
    if !file_can_poll(sys, file) {
        let why = "a file of this kind is always ready: there is nothing to watch";
        return refuse(Errno::EPERM, F, why);
    }
    let Some(id) = as_epoll(sys, epfile).filter(|_| file != epfile) else {
        let why = "the first descriptor is no epoll instance, or is to watch itself";
        return refuse(Errno::EINVAL, F, why);
    };
    if let CtlOp::Add(events, _) | CtlOp::Mod(events, _) = op
        && events & EPOLLEXCLUSIVE != 0
    {
        return refuse(Errno::EINVAL, F, "EPOLLEXCLUSIVE is not modelled");
    }
    if let (CtlOp::Add(..), Some(inner)) = (op, as_epoll(sys, file))
        && loops(sys, inner, id, above(sys, id, 0) + 1)
    {
        let why = "epoll instances would watch each other in a circle, or five deep";
        return refuse(Errno::ELOOP, F, why);
    }
    let key = (file, fd);
    let known = ep_ref(sys, id).is_some_and(|ep| ep.item(key).is_some());
    let always = u32::from(POLLERR | POLLHUP);
    match op {
        CtlOp::Add(..) if known => refuse(Errno::EEXIST, F, "the descriptor is watched already"),
        CtlOp::Mod(..) | CtlOp::Del if !known => {
            refuse(Errno::ENOENT, F, "the descriptor is not watched")
        }
        CtlOp::Add(events, data) => {
            let (_, queues) = vfs_poll(sys, task, file)?;
            let item = EpItem { key, events: events | always, data, queues };
            if let Some(ep) = ep_mut(sys, id) {
                ep.items.push(item.clone());
            }
            ep_watch(sys, Watch { epoll: id, item: key }, queues);
            list_if_ready(sys, task, id, &item);
            Ok(())
        }
        CtlOp::Mod(events, data) => {
            let item = ep_mut(sys, id).and_then(|ep| {
                let item = ep.items.iter_mut().find(|i| i.key == key)?;
                (item.events, item.data) = (events | always, data);
                Some(item.clone())
            });
            if let Some(item) = item {
                list_if_ready(sys, task, id, &item);
            }
            Ok(())
        }
        CtlOp::Del => {
            ep_remove(sys, id, key);
            Ok(())
        }
        CtlOp::Unknown(op) => {
            Err(SysError::with(Errno::EINVAL, F, format!("epoll_ctl has no operation {op}")))
        }
    }
}

/// An item that is ready as it is put in, or changed, is reported.
fn list_if_ready(sys: &mut System, task: TaskId, id: AnonId, item: &EpItem) {
    if ep_item_poll(sys, task, item) == 0 {
        return;
    }
    if let Some(ep) = ep_mut(sys, id)
        && !ep.ready.contains(&item.key)
    {
        ep.list(item.key);
        wake_up_poll(sys, WaitOn::Anon(id), POLLIN);
    }
}
