//! rename(2): a file gets another name, over one that is there or not, or two
//! change places.
//!
//! What lies below a directory moves with it, and so do the names under which it
//! is known: working and root directories, open files, programs that run. Linux
//! asks the tree for these names; here they are kept, and told.
//!
//! Linux: fs/namei.c (do_renameat2, vfs_rename), fs/libfs.c (simple_rename).
//! Left out: RENAME_WHITEOUT (refused).

use super::inode::{InodeKind, iput};
use super::namei::{self, Last, Parent, getname, lookup_last, path_parentat};
use super::perm::{MAY_EXEC, MAY_WRITE, inode_permission};
use super::readdir::remove_entry;
use super::remove::{kernels_own, may_delete};
use super::times::{update_ctime, update_mtime};
use super::{FileId, FileKind, InodeId};
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::sync::Arc;

/// The new name must not be there.
pub const RENAME_NOREPLACE: u32 = 1;
/// Both names are there and change places.
pub const RENAME_EXCHANGE: u32 = 2;
/// Leaves a whiteout behind.
const RENAME_WHITEOUT: u32 = 4;

const F: &str = "do_renameat2";

/// One side of a rename, found.
struct Side {
    parent: Parent,
    name: Arc<str>,
    inode: Option<InodeId>,
}

impl Side {
    fn dir(&self) -> InodeId {
        self.parent.dir.inode()
    }

    fn is_dir(&self, sys: &System) -> bool {
        self.inode.is_some_and(|i| sys.kernel.inodes[i].is_dir())
    }
}

/// Parents of both paths; names of /proc, devpts and control groups stay.
fn parents(
    sys: &mut System,
    task: TaskId,
    old: (i32, &str),
    new: (i32, &str),
) -> Result<(Parent, Parent), SysError> {
    let mut own = [false; 2];
    for (own, (dfd, name)) in own.iter_mut().zip([old, new]) {
        match kernels_own(sys, task, dfd, getname(name)?) {
            Err(e) if e.errno == Errno::EPERM => *own = true,
            other => other?,
        }
    }
    if own[0] != own[1] {
        return refuse(Errno::EXDEV, F, "no name moves from one file system to another");
    }
    if own[0] {
        return refuse(Errno::EPERM, F, "these names are the kernel's");
    }
    let from = path_parentat(sys, task, old.0, old.1)?;
    let to = path_parentat(sys, task, new.0, new.1)?;
    let kind = |p: &Parent| {
        let dir = p.dir.inode();
        (dir == sys.kernel.devpts_root, sys.kernel.inodes[dir].cgroup.is_some())
    };
    let (a, b) = (kind(&from), kind(&to));
    if a != b {
        return refuse(Errno::EXDEV, F, "no name moves from one file system to another");
    }
    if a != (false, false) {
        return refuse(Errno::EPERM, F, "terminals and control groups are not renamed");
    }
    Ok((from, to))
}

fn side(sys: &System, parent: Parent, dots: Errno) -> Result<Side, SysError> {
    let inode = lookup_last(sys, &parent)?;
    let Last::Norm(name) = &parent.last else {
        return refuse(dots, F, "the path ends in \"/\", \".\" or \"..\"");
    };
    Ok(Side { name: Arc::clone(name), inode, parent })
}

/// renameat2(2).
///
/// # Errors
/// EINVAL: a flag, or a directory would lie in itself. EBUSY: dots, or the root
/// of a file system. ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EXDEV, EACCES,
/// EPERM (sticky), and those of the walk.
pub fn do_renameat2(
    sys: &mut System,
    task: TaskId,
    old: (i32, &str),
    new: (i32, &str),
    flags: u32,
) -> Result<(), SysError> {
    if flags & !(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT) != 0 {
        return refuse(Errno::EINVAL, F, "a flag that renameat2 does not know");
    }
    let exchange = flags & RENAME_EXCHANGE != 0;
    if exchange && flags != RENAME_EXCHANGE {
        return refuse(Errno::EINVAL, F, "RENAME_EXCHANGE goes with no other flag");
    }
    if flags & RENAME_WHITEOUT != 0 {
        return refuse(Errno::EINVAL, F, "RENAME_WHITEOUT is not modelled");
    }
    let noreplace = flags & RENAME_NOREPLACE != 0;
    let (from, to) = parents(sys, task, old, new)?;
    if !matches!(from.last, Last::Norm(_)) {
        return refuse(Errno::EBUSY, F, "the old path ends in \"/\", \".\" or \"..\"");
    }
    let dots = if noreplace { Errno::EEXIST } else { Errno::EBUSY };
    if !matches!(to.last, Last::Norm(_)) {
        return refuse(dots, F, "the new path ends in \"/\", \".\" or \"..\"");
    }
    let old = side(sys, from, Errno::EBUSY)?;
    let new = side(sys, to, dots)?;
    let Some(moved) = old.inode else {
        let why = format!("{} has no entry \"{}\"", old.parent.dir.name(), old.name);
        return Err(SysError::with(Errno::ENOENT, F, why));
    };
    check_kinds(sys, &old, &new, noreplace, exchange)?;
    // A directory on the way to the other side would lie in itself.
    if new.parent.dir.passes(moved) {
        return refuse(Errno::EINVAL, F, "a directory cannot lie in itself");
    }
    if let Some(target) = new.inode
        && old.parent.dir.passes(target)
    {
        let errno = if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY };
        return refuse(errno, F, "the new name is a directory that holds the old one");
    }
    vfs_rename(sys, task, &old, &new, moved, exchange)
}

fn check_kinds(
    sys: &System,
    old: &Side,
    new: &Side,
    noreplace: bool,
    exchange: bool,
) -> Result<(), SysError> {
    if noreplace && new.inode.is_some() {
        return refuse(Errno::EEXIST, F, "the new name is there, and RENAME_NOREPLACE is set");
    }
    if exchange && new.inode.is_none() {
        return refuse(Errno::ENOENT, F, "RENAME_EXCHANGE needs both names");
    }
    let slash = "a slash follows the name, but it is no directory";
    if exchange && !new.is_dir(sys) && new.parent.trailing_slash {
        return refuse(Errno::ENOTDIR, F, slash);
    }
    if !old.is_dir(sys) && (old.parent.trailing_slash || !exchange && new.parent.trailing_slash) {
        return refuse(Errno::ENOTDIR, F, slash);
    }
    Ok(())
}

fn vfs_rename(
    sys: &mut System,
    task: TaskId,
    old: &Side,
    new: &Side,
    moved: InodeId,
    exchange: bool,
) -> Result<(), SysError> {
    // Two names of one file: nothing is done, says POSIX.
    if new.inode == Some(moved) {
        return Ok(());
    }
    let (old_is_dir, new_is_dir) = (old.is_dir(sys), new.is_dir(sys));
    may_delete(sys, task, &old.parent.dir, moved)?;
    match new.inode {
        None => {
            let dir = &new.parent.dir;
            inode_permission(sys, task, dir.inode(), MAY_WRITE | MAY_EXEC, &dir.name())?;
        }
        Some(target) => {
            may_delete(sys, task, &new.parent.dir, target)?;
            if !exchange && old_is_dir && !new_is_dir {
                let why = "a directory replaces directories only";
                return refuse(Errno::ENOTDIR, "may_delete", why);
            }
            if !exchange && !old_is_dir && new_is_dir {
                return refuse(Errno::EISDIR, "may_delete", "only a directory replaces one");
            }
        }
    }
    // Its ".." changes.
    if old.dir() != new.dir() {
        if old_is_dir {
            inode_permission(sys, task, moved, MAY_WRITE, &old.name)?;
        }
        if let Some(target) = new.inode.filter(|_| exchange && new_is_dir) {
            inode_permission(sys, task, target, MAY_WRITE, &new.name)?;
        }
    }
    for inode in [Some(moved), new.inode].into_iter().flatten() {
        if is_mountpoint(sys, inode) {
            return refuse(Errno::EBUSY, "vfs_rename", "a file system is mounted there");
        }
    }
    if let Some(target) = new.inode.filter(|_| !exchange)
        && let InodeKind::Dir(entries) = &sys.kernel.inodes[target].kind
        && !entries.is_empty()
    {
        return refuse(Errno::ENOTEMPTY, "simple_rename", "the directory to be replaced has names");
    }
    let told = tell(sys, old, new, exchange);
    move_entries(sys, old, new, moved, exchange);
    told.apply(sys);
    Ok(())
}

fn is_mountpoint(sys: &System, inode: InodeId) -> bool {
    inode == sys.kernel.devpts_root
        || namei::lookup(sys, sys.kernel.root_inode, "proc") == Some(inode)
        || sys.kernel.inodes[inode].cgroup.is_some()
}

/// The entries of both directories, and what they count.
fn move_entries(sys: &mut System, old: &Side, new: &Side, moved: InodeId, exchange: bool) {
    let (old_is_dir, new_is_dir) = (old.is_dir(sys), new.is_dir(sys));
    let entries = |sys: &mut System, dir: InodeId, name: &Arc<str>, to: Option<InodeId>| {
        match (to, &mut sys.kernel.inodes[dir].kind) {
            (Some(inode), InodeKind::Dir(entries)) => entries.insert(Arc::clone(name), inode),
            _ => remove_entry(sys, dir, name),
        };
    };
    let kept = new.inode.filter(|_| exchange);
    entries(sys, old.dir(), &old.name, kept);
    entries(sys, new.dir(), &new.name, Some(moved));
    // ".." of what moved.
    let count = |sys: &mut System, dir: InodeId, by: i32| {
        let n = &mut sys.kernel.inodes[dir].i_nlink;
        *n = n.saturating_add_signed(by);
    };
    if old_is_dir {
        count(sys, old.dir(), -1);
        count(sys, new.dir(), 1);
    }
    if new_is_dir {
        count(sys, new.dir(), -1);
        if exchange {
            count(sys, old.dir(), 1);
        }
    }
    for dir in [old.dir(), new.dir()] {
        update_mtime(sys, dir);
    }
    update_ctime(sys, moved);
    if let Some(target) = new.inode {
        update_ctime(sys, target);
        if !exchange {
            let i = &mut sys.kernel.inodes[target];
            i.i_nlink = if new_is_dir { 0 } else { i.i_nlink.saturating_sub(1) };
            iput(sys, target);
        }
    }
}

/// The names that change with a rename.
#[derive(Default)]
struct Told {
    files: Vec<(FileId, Arc<str>)>,
    from_to: Vec<(Arc<str>, Arc<str>)>,
}

/// `name` with the directory at its beginning renamed.
fn renamed(name: &str, from_to: &[(Arc<str>, Arc<str>)]) -> Option<Arc<str>> {
    from_to.iter().find_map(|(from, to)| {
        let rest = name.strip_prefix(&**from)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| Arc::from(format!("{to}{rest}")))
    })
}

/// Finds the names before the rename: a file that has lost its own keeps it.
fn tell(sys: &System, old: &Side, new: &Side, exchange: bool) -> Told {
    let (a, b) = (old.parent.dir.join(&old.name), new.parent.dir.join(&new.name));
    let mut told = Told { from_to: vec![(Arc::clone(&a), Arc::clone(&b))], ..Told::default() };
    if exchange {
        told.from_to.push((b, a));
    }
    for (id, file) in sys.kernel.filps.iter() {
        let FileKind::Inode(inode) = file.kind else { continue };
        let Some(name) = renamed(&file.path, &told.from_to) else { continue };
        if namei::trusted(sys, &file.path).is_ok_and(|p| p.inode() == inode) {
            told.files.push((id, name));
        }
    }
    told
}

impl Told {
    fn apply(self, sys: &mut System) {
        for (id, name) in self.files {
            if let Some(file) = sys.kernel.filps.get_mut(id) {
                file.path = name;
            }
        }
        let all: Vec<_> = sys.kernel.fs.iter().map(|(id, _)| id).collect();
        for id in all {
            let Some(fs) = sys.kernel.fs.get_mut(id) else { continue };
            for name in [&mut fs.pwd, &mut fs.root] {
                if let Some(new) = renamed(name, &self.from_to) {
                    *name = new;
                }
            }
        }
        let all: Vec<_> = sys.kernel.mms.iter().map(|(id, _)| id).collect();
        for id in all {
            let Some(mm) = sys.kernel.mms.get_mut(id) else { continue };
            if let Some(new) = renamed(&mm.exe_file, &self.from_to) {
                mm.exe_file = new;
            }
        }
    }
}
