//! Names that go: rmdir(2), unlink(2).
//!
//! Linux: fs/namei.c (may_delete, do_rmdir, do_unlinkat).
//! Left out: append-only and immutable files.

use super::follow::{End, follow};
use super::inode::{InodeKind, S_IFDIR, S_ISVTX, iput};
use super::namei::{Last, Path, getname, lookup_last, path_parentat};
use super::perm::{MAY_EXEC, MAY_WRITE, inode_owner_or_capable, inode_permission};
use super::readdir::remove_entry;
use super::times::{update_ctime, update_mtime};
use super::{InodeId, proc};
use crate::abi::Errno;
use crate::kernel::cgroup::{self, files::CgroupFile};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::sync::Arc;

/// Names of /proc are the kernel's, and so are the files of a control group.
///
/// # Errors
/// EPERM, when the path names one of them.
pub(super) fn kernels_own(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
) -> Result<(), SysError> {
    const WHY: &str = "nobody makes or removes names there but the kernel";
    let followed = follow(sys, task, dfd, name, End::Parent)?;
    let name = followed.as_deref().unwrap_or(name);
    if proc::find(sys, task, dfd, name, false)?.is_some() {
        return refuse(Errno::EPERM, "vfs_unlink", WHY);
    }
    let parent = path_parentat(sys, task, dfd, name)?;
    let group = sys.kernel.inodes[parent.dir.inode()].cgroup;
    match (group, &parent.last) {
        (Some(id), Last::Norm(last))
            if CgroupFile::by_name(&sys.kernel.cgroups[id], last).is_some() =>
        {
            refuse(Errno::EPERM, "vfs_unlink", WHY)
        }
        _ => Ok(()),
    }
}

/// rmdir(2): an empty directory goes; a control group's, when nobody lives in
/// it.
///
/// # Errors
/// ENOENT, ENOTDIR, ENOTEMPTY, EINVAL (a path that ends in "."), EBUSY: the
/// root of a file system, or a control group in use; EACCES, EPERM (sticky).
pub fn do_rmdir(sys: &mut System, task: TaskId, dfd: i32, name: &str) -> Result<(), SysError> {
    const F: &str = "do_rmdir";
    match kernels_own(sys, task, dfd, getname(name)?) {
        Err(e) if e.errno == Errno::EPERM => {
            return match super::stat::vfs_fstatat(sys, task, dfd, name, 0x100)?.mode & S_IFDIR {
                S_IFDIR => Err(e),
                _ => refuse(Errno::ENOTDIR, F, "rmdir removes directories only"),
            };
        }
        result => result?,
    }
    let parent = path_parentat(sys, task, dfd, name)?;
    let Last::Norm(last) = &parent.last else {
        return match name.trim_end_matches('/') {
            "" => refuse(Errno::EBUSY, F, "the root directory stays"),
            path if path.ends_with("..") => {
                refuse(Errno::ENOTEMPTY, F, "the path ends in \"..\": at least this one is in it")
            }
            _ => refuse(Errno::EINVAL, F, "the path ends in \".\""),
        };
    };
    let Some(victim) = lookup_last(sys, &parent)? else {
        let why = format!("{} has no entry \"{last}\"", parent.dir.name());
        return Err(SysError::with(Errno::ENOENT, F, why));
    };
    may_delete(sys, task, &parent.dir, victim)?;
    let inode = &sys.kernel.inodes[victim];
    let InodeKind::Dir(entries) = &inode.kind else {
        return refuse(Errno::ENOTDIR, "may_delete", "rmdir removes directories only");
    };
    let (group, above) = (inode.cgroup, sys.kernel.inodes[parent.dir.inode()].cgroup);
    let is_proc = parent.dir.inode() == sys.kernel.root_inode && &**last == "proc";
    let is_devpts = victim == sys.kernel.devpts_root;
    if is_proc || is_devpts || group.is_some() && above.is_none() {
        return refuse(Errno::EBUSY, F, "a file system is mounted there");
    }
    if !entries.is_empty() {
        let errno = if group.is_some() { Errno::EBUSY } else { Errno::ENOTEMPTY };
        return refuse(errno, F, "the directory is not empty");
    }
    if let Some(group) = group {
        cgroup::cgroup_rmdir(sys, group)?;
    }
    remove_entry(sys, parent.dir.inode(), last);
    lose_name(sys, &parent.dir.join(last));
    let dir = &mut sys.kernel.inodes[parent.dir.inode()];
    dir.i_nlink = dir.i_nlink.saturating_sub(1);
    sys.kernel.inodes[victim].i_nlink = 0;
    sys.kernel.inodes[victim].cgroup = None;
    update_mtime(sys, parent.dir.inode());
    update_ctime(sys, victim);
    iput(sys, victim);
    Ok(())
}

/// Who works in a directory that is removed is in one without a name, and not in
/// the next one of that name (`d_path` shows it so).
fn lose_name(sys: &mut System, name: &str) {
    let all: Vec<_> = sys.kernel.fs.iter().filter(|(_, f)| *f.pwd == *name).map(|f| f.0).collect();
    for id in all {
        if let Some(fs) = sys.kernel.fs.get_mut(id) {
            fs.pwd = Arc::from(format!("{name} (deleted)"));
        }
    }
}

/// Whether the caller may remove `victim` from `dir` (`may_delete`).
pub(super) fn may_delete(
    sys: &mut System,
    task: TaskId,
    dir: &Path,
    victim: InodeId,
) -> Result<(), SysError> {
    inode_permission(sys, task, dir.inode(), MAY_WRITE | MAY_EXEC, &dir.name())?;
    let d = &sys.kernel.inodes[dir.inode()];
    let sticky = d.i_mode & S_ISVTX != 0 && d.i_uid != sys.cred(task).fsuid;
    if sticky && !inode_owner_or_capable(sys, task, victim) {
        let why = format!(
            "{} is sticky: only the owner of the entry or of the directory, or CAP_FOWNER, removes from it",
            dir.name()
        );
        return Err(SysError::with(Errno::EPERM, "may_delete", why));
    }
    Ok(())
}

/// unlink(2): the name goes at once, the inode with its last reference.
///
/// # Errors
/// ENOENT, EISDIR, ENOTDIR (trailing slash), EACCES, EPERM (sticky).
pub fn do_unlinkat(sys: &mut System, task: TaskId, dfd: i32, name: &str) -> Result<(), SysError> {
    kernels_own(sys, task, dfd, getname(name)?)?;
    let parent = path_parentat(sys, task, dfd, name)?;
    let victim = lookup_last(sys, &parent)?;
    let Last::Norm(last) = &parent.last else {
        return refuse(Errno::EISDIR, "do_unlinkat", "the path ends in a directory");
    };
    let Some(victim) = victim else {
        let why = format!("{} has no entry \"{last}\"", parent.dir.name());
        return Err(SysError::with(Errno::ENOENT, "do_unlinkat", why));
    };
    let is_dir = sys.kernel.inodes[victim].is_dir();
    if parent.trailing_slash {
        let (errno, why) = if is_dir {
            (Errno::EISDIR, "unlink does not remove directories")
        } else {
            (Errno::ENOTDIR, "the path ends in a slash, but names no directory")
        };
        return refuse(errno, "do_unlinkat", why);
    }
    may_delete(sys, task, &parent.dir, victim)?;
    if is_dir {
        return refuse(Errno::EISDIR, "may_delete", "unlink does not remove directories");
    }
    if parent.dir.inode() == sys.kernel.devpts_root {
        let why = "the name of a terminal goes when its master is closed";
        return refuse(Errno::EPERM, "vfs_unlink", why);
    }
    remove_entry(sys, parent.dir.inode(), last);
    let inode = &mut sys.kernel.inodes[victim];
    inode.i_nlink = inode.i_nlink.saturating_sub(1);
    update_mtime(sys, parent.dir.inode());
    update_ctime(sys, victim);
    iput(sys, victim);
    Ok(())
}
