//! Path names to inodes: the walk, and the calls that add and remove names.
//!
//! ```text
//! "/tmp/a/../b"   start at root ('/'), at the working directory or at a
//!                 directory descriptor; for each component: may this
//!                 directory be searched? then step down, or up for ".."
//! ```
//!
//! Linux: fs/namei.c (link_path_walk, path_parentat, filename_lookup,
//! may_delete, vfs_mkdir, vfs_unlink), fs/d_path.c.
//! Left out: links but those of /proc, mounts, rename; calls on names that change
//! something of a file of /proc or of a control group (chmod, truncate).

use super::fdtable::fget;
use super::fs_struct::task_fs;
use super::inode::{Inode, InodeKind, S_IFDIR, S_ISGID, S_ISVTX, iput};
use super::perm::{MAY_EXEC, MAY_WRITE, inode_owner_or_capable, inode_permission};
use super::{FileKind, InodeId, proc};
use crate::abi::{Cap, Errno};
use crate::kernel::cgroup::{self, files::CgroupFile};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use indexmap::IndexMap;
use std::sync::Arc;

/// Longest path in bytes, the terminating NUL counted.
pub const PATH_MAX: usize = 4096;
/// Longest component in bytes.
pub const NAME_MAX: usize = 255;
/// "Relative to the working directory" instead of a directory descriptor.
pub const AT_FDCWD: i32 = -100;

/// A place in the tree: the way down from the real root. Empty: the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    steps: Vec<(Arc<str>, InodeId)>,
    root: InodeId,
}

impl Path {
    /// The inode at its end.
    pub fn inode(&self) -> InodeId {
        self.steps.last().map_or(self.root, |s| s.1)
    }

    /// Its absolute name from the real root.
    pub fn name(&self) -> Arc<str> {
        if self.steps.is_empty() {
            return Arc::from("/");
        }
        let mut name = String::new();
        for (step, _) in &self.steps {
            name.push('/');
            name.push_str(step);
        }
        Arc::from(name)
    }
}

/// The last component of a path and what kind it is (`nd->last_type`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Last {
    /// A name, to be looked up or made in the parent.
    Norm(Arc<str>),
    /// `/`, `.` or `..`: the parent is already the place itself.
    Dots,
}

/// Where a path leads, except for its last component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The directory that holds the last component.
    pub dir: Path,
    /// The last component.
    pub last: Last,
    /// The path ends in a slash: it must name a directory.
    pub trailing_slash: bool,
}

/// Checks a path name as it comes from user mode (`getname`).
///
/// # Errors
/// ENOENT: empty. ENAMETOOLONG: 4096 bytes or more with its NUL.
pub fn getname(name: &str) -> Result<&str, SysError> {
    // What lies behind a NUL, the kernel never sees.
    let name = name.split('\0').next().unwrap_or("");
    if name.is_empty() {
        return refuse(Errno::ENOENT, "getname", "the path is empty");
    }
    if name.len() >= PATH_MAX {
        return refuse(Errno::ENAMETOOLONG, "getname", "the path has more than 4095 bytes");
    }
    Ok(name)
}

/// Walks an absolute name that the kernel itself keeps; no permission is asked.
pub(super) fn trusted(sys: &System, name: &str) -> Result<Path, SysError> {
    let mut path = Path { steps: Vec::new(), root: sys.kernel.root_inode };
    for comp in name.split('/').filter(|c| !c.is_empty()) {
        let next = lookup(sys, path.inode(), comp);
        let Some(next) = next else {
            let why = format!("directory {name} is no longer in the tree");
            return Err(SysError::with(Errno::ENOENT, "link_path_walk", why));
        };
        path.steps.push((Arc::from(comp), next));
    }
    Ok(path)
}

/// The entry `name` of a directory.
pub(super) fn lookup(sys: &System, dir: InodeId, name: &str) -> Option<InodeId> {
    match &sys.kernel.inodes.get(dir)?.kind {
        InodeKind::Dir(entries) => entries.get(name).copied(),
        _ => None,
    }
}

/// Where the walk begins (`path_init`).
fn path_init(sys: &System, task: TaskId, dfd: i32, name: &str) -> Result<Path, SysError> {
    let fs = task_fs(sys, task)?;
    if name.starts_with('/') {
        return trusted(sys, &fs.root);
    }
    if dfd == AT_FDCWD {
        return trusted(sys, &fs.pwd);
    }
    let file = &sys.kernel.filps[fget(sys, task, dfd)?];
    let dir = match file.kind {
        FileKind::Inode(i) => sys.kernel.inodes.get(i).is_some_and(Inode::is_dir),
        _ => false,
    };
    if !dir {
        let why = format!("the path is relative and descriptor {dfd} is no directory");
        return Err(SysError::with(Errno::ENOTDIR, "path_init", why));
    }
    trusted(sys, &file.path)
}

/// Goes up, but not above the task's root (`follow_dotdot`). A working
/// directory outside the root finds no barrier, as in Linux.
fn follow_dotdot(path: &mut Path, root: &str) {
    if *path.name() != *root {
        path.steps.pop();
    }
}

/// Walks all but the last component (`path_parentat`).
///
/// # Errors
/// EACCES: a directory on the way may not be searched. ENOENT, ENOTDIR: a
/// component is missing or no directory. ENAMETOOLONG. EBADF, ENOTDIR: `dfd`.
pub fn path_parentat(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
) -> Result<Parent, SysError> {
    let name = getname(name)?;
    let rewritten = proc::rewrite(sys, task, dfd, name, false)?;
    let name = rewritten.as_deref().unwrap_or(name);
    let mut dir = path_init(sys, task, dfd, name)?;
    let root = Arc::clone(&task_fs(sys, task)?.root);
    let mut comps = name.split('/').filter(|c| !c.is_empty()).peekable();
    let mut last = Last::Dots;
    while let Some(comp) = comps.next() {
        if !sys.kernel.inodes[dir.inode()].is_dir() {
            let why = format!("{} is no directory, so nothing is below it", dir.name());
            return Err(SysError::with(Errno::ENOTDIR, "link_path_walk", why));
        }
        let here = dir.name();
        inode_permission(sys, task, dir.inode(), MAY_EXEC, &here)?;
        let is_last = comps.peek().is_none();
        match comp {
            "." => {}
            ".." => follow_dotdot(&mut dir, &root),
            _ if is_last => last = Last::Norm(Arc::from(comp)),
            _ => step(sys, &mut dir, comp)?,
        }
    }
    Ok(Parent { dir, last, trailing_slash: name.ends_with('/') })
}

fn check_name(comp: &str) -> Result<(), SysError> {
    if comp.len() > NAME_MAX {
        let why = "a component of the path has more than 255 bytes";
        return refuse(Errno::ENAMETOOLONG, "simple_lookup", why);
    }
    Ok(())
}

/// Goes down one component.
fn step(sys: &System, path: &mut Path, comp: &str) -> Result<(), SysError> {
    check_name(comp)?;
    let Some(next) = lookup(sys, path.inode(), comp) else {
        let why = format!("{} has no entry \"{comp}\"", path.name());
        return Err(SysError::with(Errno::ENOENT, "link_path_walk", why));
    };
    path.steps.push((Arc::from(comp), next));
    Ok(())
}

/// Finishes a walk whose last component must exist.
pub(super) fn walk_last(sys: &System, parent: Parent) -> Result<Path, SysError> {
    let mut path = parent.dir;
    if let Last::Norm(comp) = &parent.last {
        step(sys, &mut path, comp)?;
    }
    if parent.trailing_slash && !sys.kernel.inodes[path.inode()].is_dir() {
        let why = format!("the path ends in a slash, but {} is no directory", path.name());
        return Err(SysError::with(Errno::ENOTDIR, "complete_walk", why));
    }
    Ok(path)
}

/// The place a path names (`filename_lookup`).
pub fn filename_lookup(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
) -> Result<Path, SysError> {
    let name = getname(name)?;
    let rewritten = proc::rewrite(sys, task, dfd, name, true)?;
    let name = rewritten.as_deref().unwrap_or(name);
    if proc::find(sys, task, dfd, name, true)?.is_some() {
        let why = "this call on what is in /proc is not modelled";
        return refuse(Errno::ENOSYS, "filename_lookup", why);
    }
    let parent = path_parentat(sys, task, dfd, name)?;
    walk_last(sys, parent)
}

/// Names of /proc are the kernel's, and so are the files of a control group.
///
/// # Errors
/// EPERM, when the path names one of them.
fn kernels_own(sys: &mut System, task: TaskId, dfd: i32, name: &str) -> Result<(), SysError> {
    const WHY: &str = "nobody makes or removes names there but the kernel";
    let rewritten = proc::rewrite(sys, task, dfd, name, false)?;
    let name = rewritten.as_deref().unwrap_or(name);
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

/// Whether the last component exists in the parent.
pub(super) fn lookup_last(sys: &System, parent: &Parent) -> Result<Option<InodeId>, SysError> {
    let Last::Norm(comp) = &parent.last else { return Ok(Some(parent.dir.inode())) };
    check_name(comp)?;
    Ok(lookup(sys, parent.dir.inode(), comp))
}

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
    let umask = task_fs(sys, task)?.umask;
    let parent = &sys.kernel.inodes[dir.inode()];
    let (dir_mode, dir_gid) = (parent.i_mode, parent.i_gid);
    let cred = sys.cred(task);
    let is_dir = matches!(kind, InodeKind::Dir(_));
    let mut mode = mode & !umask;
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
    inode.i_count = 1;
    inode.i_nlink = if is_dir { 2 } else { 1 };
    let new = sys.kernel.inodes.insert(inode);
    add_entry(sys, dir.inode(), name, new);
    Ok(new)
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
    if proc::find(sys, task, dfd, getname(name)?, false).is_ok_and(|found| found.is_some()) {
        return refuse(Errno::EEXIST, "filename_create", "/proc has that name already");
    }
    let parent = path_parentat(sys, task, dfd, name)?;
    let exists = lookup_last(sys, &parent)?.is_some();
    let Last::Norm(last) = &parent.last else {
        return refuse(
            Errno::EEXIST,
            "filename_create",
            "the path ends in a directory that exists",
        );
    };
    if exists {
        let why = format!("{} already has an entry \"{last}\"", parent.dir.name());
        return Err(SysError::with(Errno::EEXIST, "filename_create", why));
    }
    if parent.dir.inode() == sys.kernel.devpts_root {
        return refuse(Errno::EPERM, "vfs_mkdir", "/dev/pts has terminals in it and nothing else");
    }
    let kind = InodeKind::Dir(IndexMap::new());
    let above = sys.kernel.inodes[parent.dir.inode()].cgroup;
    // The files of a group are not in the tree, but their names are taken.
    if above.is_some_and(|id| CgroupFile::by_name(&sys.kernel.cgroups[id], last).is_some()) {
        let why = format!("\"{last}\" is a file of the group");
        return Err(SysError::with(Errno::EEXIST, "filename_create", why));
    }
    let new = create_entry(sys, task, &parent.dir, last, kind, mode & (0o777 | S_ISVTX))?;
    if let Some(above) = above {
        sys.kernel.inodes[new].cgroup = Some(cgroup::cgroup_mkdir(sys, above, last)?);
    }
    Ok(())
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
    if let InodeKind::Dir(entries) = &mut sys.kernel.inodes[parent.dir.inode()].kind {
        entries.shift_remove(last);
    }
    let dir = &mut sys.kernel.inodes[parent.dir.inode()];
    dir.i_nlink = dir.i_nlink.saturating_sub(1);
    sys.kernel.inodes[victim].i_nlink = 0;
    sys.kernel.inodes[victim].cgroup = None;
    iput(sys, victim);
    Ok(())
}

/// Whether the caller may remove `victim` from `dir` (`may_delete`).
fn may_delete(sys: &mut System, task: TaskId, dir: &Path, victim: InodeId) -> Result<(), SysError> {
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
    if let InodeKind::Dir(entries) = &mut sys.kernel.inodes[parent.dir.inode()].kind {
        // shift_remove: the order of the others is what a listing shows.
        entries.shift_remove(last);
    }
    let inode = &mut sys.kernel.inodes[victim];
    inode.i_nlink = inode.i_nlink.saturating_sub(1);
    iput(sys, victim);
    Ok(())
}
