//! open(2), and the calls that change what an inode says about itself or
//! where the caller is in the tree.
//!
//! Linux: fs/open.c (do_sys_openat2, build_open_flags, chmod_common,
//! chown_common, ksys_chroot), fs/namei.c (do_filp_open, may_open), fs/attr.c,
//! fs/d_path.c (getcwd).
//! Left out: O_PATH, O_TMPFILE, O_DIRECT, O_ASYNC, O_NOATIME, O_SYNC, O_DSYNC
//! (refused by name), openat2, named pipes.

use super::fdtable::{fd_install, fget, get_unused_fd};
use super::file::{alloc_file, fput, get_file};
use super::fs_struct::{task_fs, task_fs_mut};
use super::inode::{Inode, InodeKind, S_IALLUGO, S_ISGID, S_ISUID, S_IXGRP};
use super::namei::{
    AT_FDCWD, Last, Parent, Path, create_entry, filename_lookup, getname, lookup_last,
    path_parentat, walk_last,
};
use super::perm::{
    MAY_EXEC, MAY_READ, MAY_WRITE, capable_wrt_inode, in_group_p, inode_owner_or_capable,
    inode_permission,
};
use super::truncate::do_truncate;
use super::{FileId, FileKind, InodeId};
use crate::abi::{Cap, Errno, OpenFlags};
use crate::kernel::capability::ns_capable;
use crate::kernel::cred::user_ns::{make_kgid, make_kuid};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Flags that Linux knows and the model has not, with their names.
const UNSUPPORTED: &[(u32, &str)] = &[
    (0o20_000_000 | 0o200_000, "O_TMPFILE"),
    (0o10_000_000, "O_PATH"),
    (0o4_010_000, "O_SYNC"),
    (0o10_000, "O_DSYNC"),
    (0o20_000, "O_ASYNC"),
    (0o40_000, "O_DIRECT"),
    (0o1_000_000, "O_NOATIME"),
];

/// Flags that say how to open and are forgotten then (`do_dentry_open`), with
/// O_CLOEXEC, which is the descriptor's.
const FORGOTTEN: OpenFlags = OpenFlags::O_CREAT
    .union(OpenFlags::O_EXCL)
    .union(OpenFlags::O_NOCTTY)
    .union(OpenFlags::O_TRUNC)
    .union(OpenFlags::O_CLOEXEC);

/// What open asks for, checked (`struct open_flags`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenHow {
    /// `O_*`.
    pub flags: OpenFlags,
    /// Mode of a file to be created.
    pub mode: u32,
}

/// Checks the flags. Bits without any meaning are dropped, as open(2) always
/// did; only openat2 refuses them.
///
/// # Errors
/// EINVAL: O_DIRECTORY with O_CREAT, or a flag that is not modelled.
pub fn build_open_flags(flags: u32, mode: u32) -> Result<OpenHow, SysError> {
    if let Some((_, name)) = UNSUPPORTED.iter().find(|(bits, _)| flags & bits == *bits) {
        let why = format!("{name} is not modelled");
        return Err(SysError::with(Errno::EINVAL, "build_open_flags", why));
    }
    let flags = OpenFlags::from_bits_truncate(flags);
    if flags.contains(OpenFlags::O_DIRECTORY | OpenFlags::O_CREAT) {
        let why = "O_CREAT makes regular files, so it cannot go with O_DIRECTORY";
        return refuse(Errno::EINVAL, "build_open_flags", why);
    }
    let mode = if flags.contains(OpenFlags::O_CREAT) { mode & S_IALLUGO } else { 0 };
    Ok(OpenHow { flags, mode })
}

/// open(2), openat(2): a descriptor for a new open file description.
///
/// # Errors
/// In this order: those of the flags and of the path as a string, EMFILE,
/// those of the walk, EEXIST, EISDIR, ENOTDIR, ETXTBSY, EACCES.
pub fn do_sys_open(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    flags: u32,
    mode: u32,
) -> Result<i32, SysError> {
    let how = build_open_flags(flags, mode)?;
    let name = getname(name)?;
    let fd = get_unused_fd(sys, task)?;
    let file = do_filp_open(sys, task, dfd, name, how)?;
    fd_install(sys, task, fd, file, how.flags.contains(OpenFlags::O_CLOEXEC));
    Ok(fd)
}

/// Opens a file without giving it a descriptor.
pub fn do_filp_open(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    how: OpenHow,
) -> Result<FileId, SysError> {
    let parent = path_parentat(sys, task, dfd, name)?;
    let creat = how.flags.contains(OpenFlags::O_CREAT);
    if creat && parent.trailing_slash && matches!(parent.last, Last::Norm(_)) {
        let why = "the path ends in a slash, and O_CREAT makes no directories";
        return refuse(Errno::EISDIR, "open_last_lookups", why);
    }
    let exists = lookup_last(sys, &parent)?;
    if creat && exists.is_none() {
        return create_and_open(sys, task, parent, how);
    }
    if creat && how.flags.contains(OpenFlags::O_EXCL) {
        let why = format!("{name} exists, and O_EXCL asks for a new file");
        return Err(SysError::with(Errno::EEXIST, "do_open", why));
    }
    let path = walk_last(sys, parent)?;
    let inode = path.inode();
    if creat && sys.kernel.inodes[inode].is_dir() {
        let why = format!("{} is a directory, and O_CREAT opens files", path.name());
        return Err(SysError::with(Errno::EISDIR, "do_open", why));
    }
    if how.flags.contains(OpenFlags::O_DIRECTORY) && !sys.kernel.inodes[inode].is_dir() {
        let why = format!("{} is no directory, and O_DIRECTORY asks for one", path.name());
        return Err(SysError::with(Errno::ENOTDIR, "do_open", why));
    }
    may_open(sys, task, &path, how.flags)?;
    if how.flags.contains(OpenFlags::O_TRUNC)
        && matches!(sys.kernel.inodes[inode].kind, InodeKind::Reg { .. })
    {
        do_truncate(sys, task, inode, 0)?;
    }
    Ok(open_inode(sys, inode, how.flags, path.name()))
}

/// The description of a freshly opened inode.
fn open_inode(sys: &mut System, inode: InodeId, flags: OpenFlags, name: Arc<str>) -> FileId {
    alloc_file(sys, FileKind::Inode(inode), flags - FORGOTTEN, name)
}

/// The file is made by this open, so its mode does not limit this open.
fn create_and_open(
    sys: &mut System,
    task: TaskId,
    parent: Parent,
    how: OpenHow,
) -> Result<FileId, SysError> {
    let Last::Norm(last) = &parent.last else {
        return refuse(Errno::EISDIR, "do_open", "the path ends in a directory");
    };
    let kind = InodeKind::Reg { size: 0, pages: BTreeMap::new() };
    let inode = create_entry(sys, task, &parent.dir, last, kind, how.mode)?;
    let dir = parent.dir.name();
    let sep = if &*dir == "/" { "" } else { "/" };
    Ok(open_inode(sys, inode, how.flags, Arc::from(format!("{dir}{sep}{last}"))))
}

/// Whether an existing inode may be opened so (`may_open`).
fn may_open(sys: &mut System, task: TaskId, path: &Path, flags: OpenFlags) -> Result<(), SysError> {
    // The mode 3 asks for both permissions and gives neither.
    let mut acc = match flags.bits() & 3 {
        0 => MAY_READ,
        1 => MAY_WRITE,
        _ => MAY_READ | MAY_WRITE,
    };
    if flags.contains(OpenFlags::O_TRUNC) {
        acc |= MAY_WRITE;
    }
    let inode = path.inode();
    let name = path.name();
    if acc & MAY_WRITE != 0 && sys.kernel.inodes[inode].is_dir() {
        let why = format!("{name} is a directory; it is changed by creating and removing entries");
        return Err(SysError::with(Errno::EISDIR, "may_open", why));
    }
    inode_permission(sys, task, inode, acc, &name)?;
    if acc & MAY_WRITE != 0 && matches!(sys.kernel.inodes[inode].kind, InodeKind::Image(_)) {
        let why = format!("{name} is a program; programs count as running, so nobody writes them");
        return Err(SysError::with(Errno::ETXTBSY, "get_write_access", why));
    }
    Ok(())
}

/// chmod(2), fchmodat(2).
pub fn do_fchmodat(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    mode: u32,
) -> Result<(), SysError> {
    let path = filename_lookup(sys, task, dfd, name)?;
    chmod_common(sys, task, path.inode(), mode)
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
        && !in_group_p(sys.cred(task), gid)
        && !capable_wrt_inode(sys, task, inode, Cap::CAP_FSETID)
    {
        mode &= !S_ISGID;
    }
    sys.kernel.inodes[inode].i_mode = mode;
    Ok(())
}

/// chown(2), fchownat(2). `u32::MAX` leaves an id as it is.
pub fn do_fchownat(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    ids: (u32, u32),
) -> Result<(), SysError> {
    let path = filename_lookup(sys, task, dfd, name)?;
    chown_common(sys, task, path.inode(), ids)
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
    let gid_ok = gid == KEEP || owner && (gid == i_gid || in_group_p(cred, gid));
    let group_mine = in_group_p(cred, i_gid);
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
    Ok(())
}

/// The inode of a descriptor; a pipe or pidfd has none here.
fn fd_inode(sys: &System, task: TaskId, fd: i32) -> Result<InodeId, SysError> {
    match sys.kernel.filps[fget(sys, task, fd)?].kind {
        FileKind::Inode(i) => Ok(i),
        _ => Err(SysError::new(
            Errno::EINVAL,
            "fchmod",
            "the owner and mode of pipes and pidfds are not modelled",
        )),
    }
}

/// The directory a path names, which the caller may enter.
fn enterable(sys: &mut System, task: TaskId, name: &str) -> Result<Path, SysError> {
    let path = filename_lookup(sys, task, AT_FDCWD, name)?;
    if !sys.kernel.inodes[path.inode()].is_dir() {
        let why = format!("{} is no directory", path.name());
        return Err(SysError::with(Errno::ENOTDIR, "path_lookupat", why));
    }
    inode_permission(sys, task, path.inode(), MAY_EXEC, &path.name())?;
    Ok(path)
}

/// chdir(2).
pub fn ksys_chdir(sys: &mut System, task: TaskId, name: &str) -> Result<(), SysError> {
    let path = enterable(sys, task, name)?;
    task_fs_mut(sys, task)?.pwd = path.name();
    Ok(())
}

/// fchdir(2).
pub fn fchdir(sys: &mut System, task: TaskId, fd: i32) -> Result<(), SysError> {
    let id = fget(sys, task, fd)?;
    let file = &sys.kernel.filps[id];
    let dir = match file.kind {
        FileKind::Inode(i) if sys.kernel.inodes[i].is_dir() => i,
        _ => {
            let why = format!("descriptor {fd} is no directory");
            return Err(SysError::with(Errno::ENOTDIR, "fchdir", why));
        }
    };
    let name = Arc::clone(&file.path);
    inode_permission(sys, task, dir, MAY_EXEC, &name)?;
    task_fs_mut(sys, task)?.pwd = name;
    Ok(())
}

/// chroot(2): the working directory stays where it is, even outside.
///
/// # Errors
/// Those of the walk, EACCES, then EPERM without CAP_SYS_CHROOT.
pub fn ksys_chroot(sys: &mut System, task: TaskId, name: &str) -> Result<(), SysError> {
    let path = enterable(sys, task, name)?;
    let ns = sys.cred(task).user_ns;
    if !ns_capable(sys, task, ns, Cap::CAP_SYS_CHROOT) {
        let why = "chroot needs CAP_SYS_CHROOT in the caller's user namespace";
        return refuse(Errno::EPERM, "ksys_chroot", why);
    }
    task_fs_mut(sys, task)?.root = path.name();
    Ok(())
}

/// getcwd(2): the working directory as seen from the root directory.
pub fn getcwd(sys: &System, task: TaskId) -> Result<String, SysError> {
    let fs = task_fs(sys, task)?;
    if &*fs.root == "/" {
        return Ok(fs.pwd.to_string());
    }
    Ok(match fs.pwd.strip_prefix(&*fs.root) {
        Some("") => "/".to_string(),
        Some(rest) if rest.starts_with('/') => rest.to_string(),
        // It lies outside the root: the name is that from the real root.
        _ => format!("(unreachable){}", fs.pwd),
    })
}

/// Opens the console as descriptors 0, 1 and 2 of the first task
/// (`console_on_rootfs`): one description, three references.
pub fn console_on_rootfs(sys: &mut System, init: TaskId) -> Result<(), SysError> {
    let how = build_open_flags(OpenFlags::O_RDWR.bits(), 0)?;
    let file = do_filp_open(sys, init, AT_FDCWD, "/dev/console", how)?;
    for _ in 0..3 {
        let fd = get_unused_fd(sys, init)?;
        get_file(sys, file);
        fd_install(sys, init, fd, file, false);
    }
    fput(sys, file);
    Ok(())
}
