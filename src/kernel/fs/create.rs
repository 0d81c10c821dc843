//! New names: mkdir(2), mknod(2), symlink(2), link(2).
//!
//! Linux: fs/namei.c (filename_create, vfs_mkdir, vfs_mknod, vfs_symlink,
//! vfs_link), fs/inode.c (inode_init_owner).
//! Left out: sockets and block devices (refused by name), `fs.protected_hardlinks`
//! (it is 0), AT_EMPTY_PATH of linkat.

use super::follow::{End, follow};
use super::fs_struct::task_fs;
use super::inode::{
    CharDev, Inode, InodeKind, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK,
    S_ISGID, S_ISVTX, iget,
};
use super::namei::{Last, Parent, Path, getname, lookup_last, path_parentat};
use super::perm::{MAY_EXEC, MAY_WRITE, inode_permission};
use super::stat::{self, Place};
use super::times::{InodeTimes, current_time, update_ctime, update_mtime};
use super::{FileKind, InodeId, proc};
use crate::abi::{Cap, Errno};
use crate::kernel::capability::capable;
use crate::kernel::cgroup::{self, files::CgroupFile};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes an entry for a new inode and gives it owner, group and mode
/// (`inode_init_owner`): the file-system ids of the caller, or the group of a
/// set-group-ID directory, which subdirectories inherit with the bit.
///
/// # Errors
/// EACCES: the directory may not be written.
pub(super) fn create_entry(
    sys: &mut System,
    task: TaskId,
    dir: &Path,
    name: &Arc<str>,
    kind: InodeKind,
    mode: u32,
) -> Result<InodeId, SysError> {
    inode_permission(sys, task, dir.inode(), MAY_WRITE | MAY_EXEC, &dir.name())?;
    let new = new_inode(sys, task, dir.inode(), kind, mode)?;
    let inode = &mut sys.kernel.inodes[new];
    inode.i_count = 1;
    inode.i_nlink = if inode.is_dir() { 2 } else { 1 };
    add_entry(sys, dir.inode(), name, new);
    update_mtime(sys, dir.inode());
    Ok(new)
}

/// A new inode below a directory, without references and names: owner, group and
/// mode are set.
pub(super) fn new_inode(
    sys: &mut System,
    task: TaskId,
    dir: InodeId,
    kind: InodeKind,
    mode: u32,
) -> Result<InodeId, SysError> {
    let now = current_time(sys);
    let umask = task_fs(sys, task)?.umask;
    let parent = &sys.kernel.inodes[dir];
    let (dir_mode, dir_gid) = (parent.i_mode, parent.i_gid);
    let cred = sys.cred(task);
    let is_dir = matches!(kind, InodeKind::Dir(_));
    let link = matches!(kind, InodeKind::Lnk(_));
    let mut mode = if link { mode } else { mode & !umask };
    let mut gid = cred.fsgid;
    if dir_mode & S_ISGID != 0 {
        gid = dir_gid;
        if is_dir {
            mode |= S_ISGID;
        } else if mode & 0o2010 == 0o2010
            && !cred.in_group_p(gid)
            && !cred.cap_effective.contains(Cap::CAP_FSETID)
        {
            mode &= !S_ISGID;
        }
    }
    let mut inode = Inode::new(kind, mode, cred.fsuid, gid);
    inode.times = InodeTimes::all(now);
    Ok(sys.kernel.inodes.insert(inode))
}

/// Puts a counted inode into a directory.
pub(crate) fn add_entry(sys: &mut System, dir: InodeId, name: &Arc<str>, inode: InodeId) {
    let is_dir = sys.kernel.inodes[inode].is_dir();
    let parent = &mut sys.kernel.inodes[dir];
    if is_dir {
        parent.i_nlink += 1;
    }
    if let InodeKind::Dir(entries) = &mut parent.kind {
        entries.insert(Arc::clone(name), inode);
    }
}

/// What a name to be made must end in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Makes {
    /// A directory: a slash at the end is welcome.
    Dir,
    /// Anything else.
    Other,
}

/// The place of a name that is not there yet (`filename_create`).
///
/// # Errors
/// EEXIST; ENOENT: a slash behind a name that will be no directory; EPERM:
/// names there are the kernel's. Those of the walk.
fn filename_create(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    makes: Makes,
) -> Result<(Parent, Arc<str>), SysError> {
    const F: &str = "filename_create";
    let name = getname(name)?;
    let followed = follow(sys, task, dfd, name, End::Parent)?;
    let path = followed.as_deref().unwrap_or(name);
    // Below /proc a name is there or, to whoever looks it up, ENOENT.
    if proc::find(sys, task, dfd, path, false)?.is_some() {
        return refuse(Errno::EEXIST, F, "/proc has that name already");
    }
    let parent = path_parentat(sys, task, dfd, path)?;
    let exists = lookup_last(sys, &parent)?.is_some();
    let Last::Norm(last) = &parent.last else {
        return refuse(Errno::EEXIST, F, "the path ends in a directory that exists");
    };
    if exists {
        let why = format!("{} already has an entry \"{last}\"", parent.dir.name());
        return Err(SysError::with(Errno::EEXIST, F, why));
    }
    let dir = parent.dir.inode();
    let group = sys.kernel.inodes[dir].cgroup;
    // The files of a group are not in the tree, but their names are taken.
    if group.is_some_and(|id| CgroupFile::by_name(&sys.kernel.cgroups[id], last).is_some()) {
        let why = format!("\"{last}\" is a file of the group");
        return Err(SysError::with(Errno::EEXIST, F, why));
    }
    if makes == Makes::Other && parent.trailing_slash {
        return refuse(Errno::ENOENT, F, "a slash follows the name, but it makes no directory");
    }
    if dir == sys.kernel.devpts_root {
        return refuse(Errno::EPERM, F, "/dev/pts has terminals in it and nothing else");
    }
    if makes == Makes::Other && group.is_some() {
        let why = "in the directory of a control group only mkdir makes something";
        return refuse(Errno::EPERM, F, why);
    }
    let last = Arc::clone(last);
    Ok((parent, last))
}

/// mkdir(2).
///
/// # Errors
/// EEXIST, EACCES, and those of the walk.
pub fn do_mkdirat(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    mode: u32,
) -> Result<(), SysError> {
    let (parent, last) = filename_create(sys, task, dfd, name, Makes::Dir)?;
    let above = sys.kernel.inodes[parent.dir.inode()].cgroup;
    let kind = InodeKind::Dir(IndexMap::new());
    let new = create_entry(sys, task, &parent.dir, &last, kind, mode & (0o777 | S_ISVTX))?;
    if let Some(above) = above {
        sys.kernel.inodes[new].cgroup = Some(cgroup::cgroup_mkdir(sys, above, &last)?);
    }
    Ok(())
}

/// Major and minor number as user mode packs them (`new_decode_dev`).
fn decode_dev(dev: u64) -> (u32, u32) {
    let dev = dev as u32;
    ((dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xf_ff00))
}

/// mknod(2): a regular file, a FIFO, or a name for a character device.
///
/// # Errors
/// EPERM: a directory, or a device without CAP_MKNOD. EINVAL: no type, or one
/// that is not modelled. EEXIST, EACCES, and those of the walk.
pub fn do_mknodat(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    mode: u32,
    dev: u64,
) -> Result<(), SysError> {
    const F: &str = "do_mknodat";
    let kind = match mode & S_IFMT {
        0 | S_IFREG => InodeKind::Reg { size: 0, pages: BTreeMap::new() },
        S_IFIFO => InodeKind::Fifo(None),
        S_IFCHR => {
            let (major, minor) = decode_dev(dev);
            InodeKind::Chr(CharDev::of_rdev(major, minor))
        }
        S_IFDIR => return refuse(Errno::EPERM, "may_mknod", "mkdir makes directories"),
        S_IFBLK | S_IFSOCK => {
            return refuse(Errno::EINVAL, F, "block devices and sockets are not modelled");
        }
        _ => return refuse(Errno::EINVAL, "may_mknod", "the mode names no type of file"),
    };
    let (parent, last) = filename_create(sys, task, dfd, name, Makes::Other)?;
    inode_permission(sys, task, parent.dir.inode(), MAY_WRITE | MAY_EXEC, &parent.dir.name())?;
    if matches!(kind, InodeKind::Chr(_)) && !capable(sys, task, Cap::CAP_MKNOD) {
        return refuse(Errno::EPERM, "vfs_mknod", "a name for a device needs CAP_MKNOD");
    }
    create_entry(sys, task, &parent.dir, &last, kind, mode & 0o7777)?;
    Ok(())
}

/// symlink(2): a link that says `text`, wherever that leads.
///
/// # Errors
/// ENOENT: it says nothing. EEXIST, EACCES, and those of the walk.
pub fn do_symlinkat(
    sys: &mut System,
    task: TaskId,
    text: &str,
    dfd: i32,
    name: &str,
) -> Result<(), SysError> {
    let text = Arc::from(getname(text)?);
    let (parent, last) = filename_create(sys, task, dfd, name, Makes::Other)?;
    create_entry(sys, task, &parent.dir, &last, InodeKind::Lnk(text), 0o777)?;
    Ok(())
}

/// AT_SYMLINK_FOLLOW: a link at the end of the old path is followed.
const AT_SYMLINK_FOLLOW: u32 = 0x400;

/// link(2): another name for a file.
///
/// # Errors
/// EINVAL: a flag. EEXIST. EPERM: a directory. EXDEV: it is not in the tree.
/// ENOENT: it has lost its last name. EACCES, and those of the walk.
pub fn do_linkat(
    sys: &mut System,
    task: TaskId,
    (old_dfd, old): (i32, &str),
    (new_dfd, new): (i32, &str),
    flags: u32,
) -> Result<(), SysError> {
    const F: &str = "do_linkat";
    if flags & !AT_SYMLINK_FOLLOW != 0 {
        let why = "linkat knows AT_SYMLINK_FOLLOW; AT_EMPTY_PATH is not modelled";
        return refuse(Errno::EINVAL, F, why);
    }
    let place = stat::find(sys, task, old_dfd, old, flags & AT_SYMLINK_FOLLOW != 0)?;
    let inode = match place {
        Place::Tree(path) => Some(path.inode()),
        Place::File(file) => match sys.kernel.filps[file].kind {
            FileKind::Inode(inode) => Some(inode),
            _ => None,
        },
        Place::Proc(_) | Place::Cgroup(..) | Place::Ns(_) => None,
    };
    let (parent, last) = filename_create(sys, task, new_dfd, new, Makes::Other)?;
    let Some(inode) = inode else {
        return refuse(Errno::EXDEV, F, "what is in another file system gets no name in the tree");
    };
    let dir = parent.dir.inode();
    inode_permission(sys, task, dir, MAY_WRITE | MAY_EXEC, &parent.dir.name())?;
    let i = &sys.kernel.inodes[inode];
    if i.is_dir() {
        return refuse(Errno::EPERM, "vfs_link", "a directory has one name only");
    }
    if i.i_nlink == 0 && !i.linkable {
        return refuse(Errno::ENOENT, "vfs_link", "the file has lost its last name");
    }
    iget(sys, inode);
    let i = &mut sys.kernel.inodes[inode];
    i.i_nlink += 1;
    i.linkable = false;
    add_entry(sys, dir, &last, inode);
    update_ctime(sys, inode);
    update_mtime(sys, dir);
    Ok(())
}
