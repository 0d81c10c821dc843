//! Path names to inodes: the walk.
//!
//! ```text
//! "/tmp/a/../b"   start at root ('/'), at the working directory or at a
//!                 directory descriptor; for each component: may this
//!                 directory be searched? then step down, or up for ".."
//! ```
//!
//! Links on the way are followed first, by their text (`follow`); what is walked
//! here has none left but at its end.
//!
//! Linux: fs/namei.c (link_path_walk, path_parentat, filename_lookup), fs/d_path.c.
//! Left out: mounts; calls on names that change something of a file of /proc or
//! of a control group (chmod, truncate).

pub(crate) use super::create::add_entry;
pub(super) use super::create::create_entry;
pub use super::create::do_mkdirat;
pub use super::remove::{do_rmdir, do_unlinkat};

use super::fdtable::fget_raw;
use super::follow::{End, follow};
use super::fs_struct::task_fs;
use super::inode::{Inode, InodeKind};
use super::perm::{MAY_EXEC, inode_permission};
use super::{FileKind, InodeId, proc};
use crate::abi::Errno;
use crate::base::text;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
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
    /// One step down.
    pub(super) fn push(&mut self, name: &str, inode: InodeId) {
        self.steps.push((Arc::from(name), inode));
    }

    /// Whether it is a directory on the way, or the end.
    pub(super) fn passes(&self, inode: InodeId) -> bool {
        inode == self.root || self.steps.iter().any(|s| s.1 == inode)
    }

    /// The name of an entry of the directory it leads to.
    pub(super) fn join(&self, entry: &str) -> Arc<str> {
        let dir = self.name();
        let sep = if &*dir == "/" { "" } else { "/" };
        Arc::from(format!("{dir}{sep}{entry}"))
    }

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
    if text::len(name) >= PATH_MAX {
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
pub(super) fn path_init(
    sys: &System,
    task: TaskId,
    dfd: i32,
    name: &str,
) -> Result<Path, SysError> {
    let fs = task_fs(sys, task)?;
    if name.starts_with('/') {
        return trusted(sys, &fs.root);
    }
    if dfd == AT_FDCWD {
        return trusted(sys, &fs.pwd);
    }
    let file = &sys.kernel.filps[fget_raw(sys, task, dfd)?];
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
pub(super) fn follow_dotdot(path: &mut Path, root: &str) {
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
    let followed = follow(sys, task, dfd, name, End::Parent)?;
    let name = followed.as_deref().unwrap_or(name);
    if name.is_empty() {
        return refuse(Errno::ENOENT, "getname", "the path is empty");
    }
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
    if text::len(comp) > NAME_MAX {
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
    let followed = follow(sys, task, dfd, name, End::Follow)?;
    let name = followed.as_deref().unwrap_or(name);
    if proc::find(sys, task, dfd, name, true)?.is_some() {
        let why = "this call on what is in /proc is not modelled";
        return refuse(Errno::ENOSYS, "filename_lookup", why);
    }
    let parent = path_parentat(sys, task, dfd, name)?;
    walk_last(sys, parent)
}

/// Whether the last component exists in the parent.
pub(super) fn lookup_last(sys: &System, parent: &Parent) -> Result<Option<InodeId>, SysError> {
    let Last::Norm(comp) = &parent.last else { return Ok(Some(parent.dir.inode())) };
    check_name(comp)?;
    Ok(lookup(sys, parent.dir.inode(), comp))
}
