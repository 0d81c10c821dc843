//! chmod(2), chown(2): what an inode says about itself.
//!
//! Linux: fs/open.c (chmod_common, chown_common), fs/attr.c (setattr_prepare,
//! setattr_should_drop_suidgid).
//! Left out: pipes, pidfds and open terminals as targets.

use super::fdtable::{fget, fget_raw};
use super::inode::{Inode, InodeKind, S_IALLUGO, S_ISGID, S_ISUID, S_IXGRP};
use super::namei::AT_FDCWD;
use super::perm::{capable_wrt_inode, inode_owner_or_capable};
use super::pipe::Pipe;
use super::stat::{self, Place};
use super::times::update_ctime;
use super::{FileId, FileKind, InodeId};
use crate::abi::{Cap, Errno};
use crate::kernel::cred::user_ns::{make_kgid, make_kuid};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
const AT_EMPTY_PATH: u32 = 0x1000;

/// The inode that a call with `AT_*` flags is about.
///
/// # Errors
/// EINVAL: a flag. ENOSYS: it is not in the tree. Those of the walk.
fn target(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    flags: u32,
) -> Result<InodeId, SysError> {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        let why = "the flags are AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH";
        return refuse(Errno::EINVAL, "do_fchmodat", why);
    }
    let empty = name.is_empty() && flags & AT_EMPTY_PATH != 0;
    let place = if empty && dfd != AT_FDCWD {
        Place::File(fget_raw(sys, task, dfd)?)
    } else {
        let name = if empty { "." } else { name };
        stat::find(sys, task, dfd, name, flags & AT_SYMLINK_NOFOLLOW == 0)?
    };
    match place {
        Place::Tree(path) => Ok(path.inode()),
        Place::File(file) => file_inode(sys, file),
        _ => {
            let why = "this call on what is in /proc is not modelled";
            refuse(Errno::ENOSYS, "filename_lookup", why)
        }
    }
}

/// chmod(2), fchmodat(2), fchmodat2(2).
///
/// # Errors
/// EOPNOTSUPP: a link, which has no mode of its own. EPERM. Those of the walk.
pub fn do_fchmodat(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    mode: u32,
    flags: u32,
) -> Result<(), SysError> {
    let inode = target(sys, task, dfd, name, flags)?;
    if let InodeKind::Lnk(_) = sys.kernel.inodes[inode].kind {
        return refuse(Errno::EOPNOTSUPP, "vfs_fchmod", "a link has no mode of its own");
    }
    chmod_common(sys, task, inode, mode)
}

/// fchmod(2).
pub fn fchmod(sys: &mut System, task: TaskId, fd: i32, mode: u32) -> Result<(), SysError> {
    let inode = fd_inode(sys, task, fd)?;
    chmod_common(sys, task, inode, mode)
}

/// Sets the permission bits. A caller outside the file's group cannot set
/// S_ISGID: the bit is left out without an error.
///
/// # Errors
/// EPERM: neither owner nor CAP_FOWNER.
fn chmod_common(sys: &mut System, task: TaskId, inode: InodeId, mode: u32) -> Result<(), SysError> {
    if !inode_owner_or_capable(sys, task, inode) {
        let why = "only the owner of a file, or CAP_FOWNER, changes its mode";
        return refuse(Errno::EPERM, "setattr_prepare", why);
    }
    let mut mode = mode & S_IALLUGO;
    let gid = sys.kernel.inodes[inode].i_gid;
    if mode & S_ISGID != 0
        && !sys.cred(task).in_group_p(gid)
        && !capable_wrt_inode(sys, task, inode, Cap::CAP_FSETID)
    {
        mode &= !S_ISGID;
    }
    sys.kernel.inodes[inode].i_mode = mode;
    update_ctime(sys, inode);
    Ok(())
}

/// chown(2), lchown(2), fchownat(2). `u32::MAX` leaves an id as it is.
pub fn do_fchownat(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    ids: (u32, u32),
    flags: u32,
) -> Result<(), SysError> {
    let inode = target(sys, task, dfd, name, flags)?;
    chown_common(sys, task, inode, ids)
}

/// fchown(2).
pub fn fchown(sys: &mut System, task: TaskId, fd: i32, ids: (u32, u32)) -> Result<(), SysError> {
    let inode = fd_inode(sys, task, fd)?;
    chown_common(sys, task, inode, ids)
}

/// Gives a file away. Whoever does it, set-user-ID goes, and set-group-ID too
/// where it means a group to run with.
///
/// # Errors
/// EINVAL: an id without meaning in the user namespace. EPERM.
fn chown_common(
    sys: &mut System,
    task: TaskId,
    inode: InodeId,
    (uid, gid): (u32, u32),
) -> Result<(), SysError> {
    const KEEP: u32 = u32::MAX;
    let ns = sys.cred(task).user_ns;
    let kuid = if uid == KEEP { Some(KEEP) } else { make_kuid(sys, ns, uid) };
    let kgid = if gid == KEEP { Some(KEEP) } else { make_kgid(sys, ns, gid) };
    let (Some(uid), Some(gid)) = (kuid, kgid) else {
        let why = "the caller's user namespace has no such uid or gid";
        return refuse(Errno::EINVAL, "chown_common", why);
    };
    let Inode { i_uid, i_gid, i_mode, .. } = sys.kernel.inodes[inode];
    let cred = sys.cred(task);
    let owner = cred.fsuid == i_uid;
    let uid_ok = uid == KEEP || owner && uid == i_uid;
    let gid_ok = gid == KEEP || owner && (gid == i_gid || cred.in_group_p(gid));
    let group_mine = cred.in_group_p(i_gid);
    let allowed = uid_ok && gid_ok;
    if !allowed && !capable_wrt_inode(sys, task, inode, Cap::CAP_CHOWN) {
        let why = if uid_ok {
            "without CAP_CHOWN the owner gives a file only to a group of its own"
        } else {
            "only CAP_CHOWN gives a file to another user"
        };
        return refuse(Errno::EPERM, "setattr_prepare", why);
    }
    let mut kill = 0;
    if !sys.kernel.inodes[inode].is_dir() {
        kill |= i_mode & S_ISUID;
        // Without S_IXGRP the bit once meant mandatory locking, which a
        // privileged caller or group member keeps.
        let drop_sgid = i_mode & S_IXGRP != 0
            || !group_mine && !capable_wrt_inode(sys, task, inode, Cap::CAP_FSETID);
        if i_mode & S_ISGID != 0 && drop_sgid {
            kill |= S_ISGID;
        }
    }
    let i = &mut sys.kernel.inodes[inode];
    i.i_mode &= !kill;
    if uid != KEEP {
        i.i_uid = uid;
    }
    if gid != KEEP {
        i.i_gid = gid;
    }
    update_ctime(sys, inode);
    Ok(())
}

/// The inode of a descriptor; a pipe, pidfd or terminal has none here.
fn fd_inode(sys: &System, task: TaskId, fd: i32) -> Result<InodeId, SysError> {
    file_inode(sys, fget(sys, task, fd)?)
}

fn file_inode(sys: &System, file: FileId) -> Result<InodeId, SysError> {
    let fifo = |p| sys.kernel.pipes.get(p).and_then(|p: &Pipe| p.fifo);
    match sys.kernel.filps[file].kind {
        FileKind::Inode(i) => Ok(i),
        FileKind::PipeRead(p) | FileKind::PipeWrite(p) if fifo(p).is_some() => {
            fifo(p).ok_or_else(|| SysError::new(Errno::EBADF, "fchmod", "the FIFO is gone"))
        }
        _ => Err(SysError::new(
            Errno::EINVAL,
            "fchmod",
            "the owner and mode of pipes, pidfds and open terminals are not modelled",
        )),
    }
}
