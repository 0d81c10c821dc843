//! stat(2), fstat(2), lstat(2), newfstatat(2), readlink(2), and finding a file
//! wherever it is: in the tree, in /proc, in a control group's directory.
//!
//! Linux: fs/stat.c (vfs_statx, vfs_fstat, cp_new_stat, do_readlinkat).
//! Left out: times, devices, block counts (they are 0); statx.

use super::fdtable::{bad_fd, fget};
use super::inode::{S_IFCHR, S_IFIFO, S_IFREG};
use super::namei::{self, Last, Path};
use super::nsfs::{NsRef, ns_inum};
use super::perm::inode_permission;
use super::{FileId, FileKind, InodeId, proc};
use crate::abi::{Cap, Errno};
use crate::kernel::capability::capable;
use crate::kernel::cgroup::CgroupId;
use crate::kernel::cgroup::files::CgroupFile;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// `struct kstat`, as far as it is modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kstat {
    /// Number of the inode.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// Names.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
}

/// Bytes of `struct stat`.
pub const STAT_SIZE: usize = 144;

impl Kstat {
    /// `struct stat` of x86_64 (`cp_new_stat`).
    pub fn image(&self) -> [u8; STAT_SIZE] {
        const BLKSIZE: u64 = 4096;
        let mut b = [0; STAT_SIZE];
        b[8..16].copy_from_slice(&self.ino.to_le_bytes());
        b[16..24].copy_from_slice(&u64::from(self.nlink).to_le_bytes());
        b[24..28].copy_from_slice(&self.mode.to_le_bytes());
        b[28..32].copy_from_slice(&self.uid.to_le_bytes());
        b[32..36].copy_from_slice(&self.gid.to_le_bytes());
        b[48..56].copy_from_slice(&self.size.to_le_bytes());
        b[56..64].copy_from_slice(&BLKSIZE.to_le_bytes());
        b
    }
}

/// What a path names.
pub enum Place {
    /// Something in the tree.
    Tree(Path),
    /// Something in /proc.
    Proc(proc::Found),
    /// A file of a control group, and the group's directory.
    Cgroup(CgroupFile, CgroupId, InodeId),
    /// What a descriptor has open, which has no name.
    File(FileId),
    /// A namespace.
    Ns(NsRef),
}

/// Finds what a path names (`filename_lookup`); `follow`: a link at its end is
/// followed.
///
/// # Errors
/// Those of the walk.
pub fn find(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    follow: bool,
) -> Result<Place, SysError> {
    let name = namei::getname(name)?;
    let rewritten = proc::rewrite(sys, task, dfd, name, follow)?;
    let name = rewritten.as_deref().unwrap_or(name);
    if let Some(found) = proc::find(sys, task, dfd, name, follow)? {
        if follow && let Some(file) = proc::file_of(sys, task, found)? {
            return Ok(file);
        }
        return Ok(Place::Proc(found));
    }
    let parent = namei::path_parentat(sys, task, dfd, name)?;
    let dir = parent.dir.inode();
    if let (Some(id), Last::Norm(last)) = (sys.kernel.inodes[dir].cgroup, &parent.last)
        && let Some(file) = CgroupFile::by_name(&sys.kernel.cgroups[id], last)
    {
        return Ok(Place::Cgroup(file, id, dir));
    }
    Ok(Place::Tree(namei::walk_last(sys, parent)?))
}

/// Whether the caller may do `mask` (`MAY_*`) with what is there.
///
/// # Errors
/// EACCES.
pub fn permission(
    sys: &mut System,
    task: TaskId,
    place: &Place,
    mask: u32,
) -> Result<(), SysError> {
    match place {
        Place::Tree(path) => inode_permission(sys, task, path.inode(), mask, &path.name()),
        Place::Proc(found) => proc::permission(sys, task, *found, mask),
        Place::Cgroup(file, _, dir) => {
            let owner = sys.kernel.inodes[*dir].i_uid == sys.cred(task).fsuid;
            let bits = if owner { file.mode() >> 6 } else { file.mode() };
            let overrides = mask & 1 == 0 && capable(sys, task, Cap::CAP_DAC_OVERRIDE);
            if bits & mask != mask && !overrides {
                let why = "neither the mode of the group's file nor CAP_DAC_OVERRIDE allows it";
                return refuse(Errno::EACCES, "inode_permission", why);
            }
            Ok(())
        }
        Place::File(file) => {
            let st = fstat_file(sys, *file);
            let bits = if st.uid == sys.cred(task).fsuid { st.mode >> 6 } else { st.mode };
            let overrides = mask & 1 == 0 && capable(sys, task, Cap::CAP_DAC_OVERRIDE);
            if bits & mask != mask && !overrides {
                return refuse(Errno::EACCES, "inode_permission", "the mode does not allow it");
            }
            Ok(())
        }
        Place::Ns(_) if mask & 2 != 0 => {
            refuse(Errno::EPERM, "inode_permission", "a namespace's file is immutable")
        }
        Place::Ns(_) if mask & 1 != 0 => {
            refuse(Errno::EACCES, "inode_permission", "a namespace is no program")
        }
        Place::Ns(_) => Ok(()),
    }
}

fn of_inode(sys: &System, inode: InodeId) -> Kstat {
    let i = &sys.kernel.inodes[inode];
    Kstat {
        ino: u64::from(inode.index()) + 1,
        mode: i.st_mode(),
        nlink: i.i_nlink,
        uid: i.i_uid,
        gid: i.i_gid,
        size: i.size(),
    }
}

fn of_cgroup(sys: &System, file: CgroupFile, dir: Option<InodeId>) -> Kstat {
    let (uid, gid) =
        dir.map_or((0, 0), |d| (sys.kernel.inodes[d].i_uid, sys.kernel.inodes[d].i_gid));
    Kstat { ino: 1 << 33, mode: S_IFREG | file.mode(), nlink: 1, uid, gid, size: 0 }
}

fn fstat_file(sys: &System, file: FileId) -> Kstat {
    let made = |ino, mode| Kstat { ino, mode, nlink: 1, uid: 0, gid: 0, size: 0 };
    match sys.kernel.filps[file].kind {
        FileKind::Inode(inode) => of_inode(sys, inode),
        FileKind::Proc(file, pid) => proc::stat(sys, proc::found(file, pid)),
        FileKind::Cgroup(file, _) => of_cgroup(sys, file, None),
        FileKind::PipeRead(p) | FileKind::PipeWrite(p) => {
            made(2 << 33 | u64::from(p.index()), S_IFIFO | 0o600)
        }
        // A pidfd has no type bits.
        FileKind::Pidfd(p) => made(3 << 33 | u64::from(p.index()), 0o700),
        FileKind::Ns(ns) => of_ns(sys, ns),
        // All share one inode, which has no type bits either.
        FileKind::Anon(_) => made(4 << 33, 0o600),
        // Of the device's node; a slave has its number in /dev/pts.
        FileKind::Tty(tty) | FileKind::HungUpTty(tty) => {
            let index = sys.kernel.ttys.get(tty).map_or(0, |t| t.index);
            made(3 + u64::from(index), S_IFCHR | 0o620)
        }
    }
}

fn of_ns(sys: &System, ns: NsRef) -> Kstat {
    let ino = ns_inum(sys, ns).into();
    Kstat { ino, mode: S_IFREG | 0o444, nlink: 1, uid: 0, gid: 0, size: 0 }
}

/// fstat(2).
///
/// # Errors
/// EBADF.
pub fn vfs_fstat(sys: &System, task: TaskId, fd: i32) -> Result<Kstat, SysError> {
    let file = fget(sys, task, fd).map_err(|_| bad_fd("vfs_fstat", fd))?;
    Ok(fstat_file(sys, file))
}

/// newfstatat(2), stat(2), lstat(2).
///
/// # Errors
/// EINVAL: an unknown flag. Those of the walk.
pub fn vfs_fstatat(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    flags: u32,
) -> Result<Kstat, SysError> {
    const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
    const AT_NO_AUTOMOUNT: u32 = 0x800;
    const AT_EMPTY_PATH: u32 = 0x1000;
    const AT_STATX_SYNC_TYPE: u32 = 0x6000;
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE) != 0 {
        return refuse(Errno::EINVAL, "vfs_statx", "a flag that newfstatat does not know");
    }
    if name.is_empty() && flags & AT_EMPTY_PATH != 0 && dfd != namei::AT_FDCWD {
        return vfs_fstat(sys, task, dfd);
    }
    let name = if name.is_empty() && flags & AT_EMPTY_PATH != 0 { "." } else { name };
    let place = find(sys, task, dfd, name, flags & AT_SYMLINK_NOFOLLOW == 0)?;
    Ok(match place {
        Place::Tree(path) => of_inode(sys, path.inode()),
        Place::Proc(found) => proc::stat(sys, found),
        Place::Cgroup(file, _, dir) => of_cgroup(sys, file, Some(dir)),
        Place::File(file) => fstat_file(sys, file),
        Place::Ns(ns) => of_ns(sys, ns),
    })
}

/// readlink(2): what the link at the end of a path says. Only /proc has links.
///
/// # Errors
/// EINVAL: no link. EACCES, ENOENT: of the link. Those of the walk.
pub fn do_readlinkat(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
) -> Result<String, SysError> {
    let name = namei::getname(name)?;
    let rewritten = proc::rewrite(sys, task, dfd, name, false)?;
    let name = rewritten.as_deref().unwrap_or(name);
    if let Some(text) = proc::readlink(sys, task, dfd, name)? {
        return Ok(text);
    }
    namei::filename_lookup(sys, task, dfd, name)?;
    refuse(Errno::EINVAL, "do_readlinkat", "it is no link")
}
