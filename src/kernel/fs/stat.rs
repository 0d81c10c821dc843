//! stat(2), fstat(2), lstat(2), newfstatat(2), statx(2), readlink(2), and finding a file
//! wherever it is: in the tree, in /proc, in a control group's directory.
//!
//! Linux: fs/stat.c (vfs_statx, vfs_fstat, cp_new_stat, do_readlinkat).
//! Left out: attributes and the fields of statx(2) beyond those of stat(2) and the
//! time of birth. A directory has no length.

use super::fdtable::{bad_fd, fget_raw};
use super::follow::End;
use super::inode::{CharDev, InodeKind, S_IFCHR, S_IFIFO, S_IFREG};
use super::namei::{self, Last, Path};
use super::nsfs::{NsRef, ns_inum};
use super::perm::inode_permission;
use super::times::{InodeTimes, current_time, touch_atime};
use super::{FileId, FileKind, InodeId, proc};
use crate::abi::{Cap, Errno};
use crate::base::PAGE_SIZE;
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
    /// Major and minor number of the file system.
    pub dev: (u32, u32),
    /// Of the device that it is.
    pub rdev: (u32, u32),
    /// Units of 512 bytes that its pages take.
    pub blocks: u64,
    /// When it was read, written, changed and made, in ns.
    pub times: InodeTimes,
}

/// Of which file system something is: the devices of what has none on a disk.
const TREE_DEV: (u32, u32) = (0, 2);
const PROC_DEV: (u32, u32) = (0, 3);
const CGROUP_DEV: (u32, u32) = (0, 4);
const DEVPTS_DEV: (u32, u32) = (0, 5);
const PIPEFS_DEV: (u32, u32) = (0, 6);
const NSFS_DEV: (u32, u32) = (0, 7);
const PIDFS_DEV: (u32, u32) = (0, 8);
/// The device of eventfds, timerfds and their like.
const ANON_INODE_DEV: (u32, u32) = (0, 15);

/// A device number as struct stat has it (`new_encode_dev`).
fn encode_dev((major, minor): (u32, u32)) -> u64 {
    u64::from(minor & 0xff | major << 8 | (minor & !0xff) << 12)
}

/// The other way round.
fn decode_dev(dev: u64) -> (u32, u32) {
    ((dev >> 8) as u32 & 0xfff, dev as u32 & 0xff | (dev >> 12) as u32 & 0xf_ff00)
}

/// Seconds and the nanoseconds of one, which are never negative.
fn split(ns: i64) -> (i64, i64) {
    const NSEC: i64 = 1_000_000_000;
    (ns.div_euclid(NSEC), ns.rem_euclid(NSEC))
}

/// Bytes of `struct stat`.
pub const STAT_SIZE: usize = 144;
/// Bytes of `struct statx`.
pub const STATX_SIZE: usize = 256;
/// All that stat(2) tells.
const STATX_BASIC_STATS: u32 = 0x7ff;
/// When the file was made.
const STATX_BTIME: u32 = 0x800;

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
        b[..8].copy_from_slice(&encode_dev(self.dev).to_le_bytes());
        b[40..48].copy_from_slice(&encode_dev(self.rdev).to_le_bytes());
        b[64..72].copy_from_slice(&self.blocks.to_le_bytes());
        let InodeTimes { atime, mtime, ctime, btime: _ } = self.times;
        for (at, ns) in [(72, atime), (88, mtime), (104, ctime)] {
            let (sec, nsec) = split(ns);
            b[at..at + 8].copy_from_slice(&sec.to_le_bytes());
            b[at + 8..at + 16].copy_from_slice(&nsec.to_le_bytes());
        }
        b
    }

    /// What a `struct stat` says; what it lacks is missing.
    pub fn from_image(b: &[u8; STAT_SIZE]) -> Kstat {
        let word = |at: usize| b[at..at + 8].iter().rev().fold(0, |n, x| n << 8 | u64::from(*x));
        let time =
            |at| (word(at) as i64).wrapping_mul(1_000_000_000).wrapping_add(word(at + 8) as i64);
        Kstat {
            ino: word(8),
            mode: word(24) as u32,
            nlink: word(16) as u32,
            uid: (word(24) >> 32) as u32,
            gid: word(32) as u32,
            size: word(48),
            dev: decode_dev(word(0)),
            rdev: decode_dev(word(40)),
            blocks: word(64),
            times: InodeTimes { atime: time(72), mtime: time(88), ctime: time(104), btime: 0 },
        }
    }

    /// `struct statx` (`cp_statx`).
    pub fn statx(&self) -> [u8; STATX_SIZE] {
        const BLKSIZE: u32 = 4096;
        let mut b = [0; STATX_SIZE];
        let mut word = |at: usize, n: u32| b[at..at + 4].copy_from_slice(&n.to_le_bytes());
        word(0, STATX_BASIC_STATS | if self.times.btime == 0 { 0 } else { STATX_BTIME });
        word(4, BLKSIZE);
        word(16, self.nlink);
        word(20, self.uid);
        word(24, self.gid);
        word(28, self.mode);
        word(128, self.rdev.0);
        word(132, self.rdev.1);
        word(136, self.dev.0);
        word(140, self.dev.1);
        for (at, n) in [(32, self.ino), (40, self.size), (48, self.blocks)] {
            b[at..at + 8].copy_from_slice(&n.to_le_bytes());
        }
        let InodeTimes { atime, mtime, ctime, btime } = self.times;
        for (at, ns) in [(64, atime), (80, btime), (96, ctime), (112, mtime)] {
            let (sec, nsec) = split(ns);
            b[at..at + 8].copy_from_slice(&sec.to_le_bytes());
            b[at + 8..at + 12].copy_from_slice(&(nsec as u32).to_le_bytes());
        }
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
    let end = if follow { End::Follow } else { End::Keep };
    let followed = super::follow::follow(sys, task, dfd, name, end)?;
    let name = followed.as_deref().unwrap_or(name);
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
        dev: match i.kind {
            _ if i.cgroup.is_some() => CGROUP_DEV,
            _ if inode == sys.kernel.devpts_root => DEVPTS_DEV,
            InodeKind::Chr(CharDev::Pts(_)) => DEVPTS_DEV,
            _ if namei::lookup(sys, sys.kernel.root_inode, "proc") == Some(inode) => PROC_DEV,
            _ => TREE_DEV,
        },
        rdev: match i.kind {
            InodeKind::Chr(dev) => dev.rdev(),
            _ => (0, 0),
        },
        blocks: match &i.kind {
            InodeKind::Reg { pages, .. } => pages.len() as u64 * (PAGE_SIZE / 512),
            InodeKind::Image(image) => image.file_size().div_ceil(PAGE_SIZE) * (PAGE_SIZE / 512),
            _ => 0,
        },
        times: i.times,
    }
}

/// What is made up when it is asked for: as old as the question.
pub(super) fn made(sys: &System, dev: (u32, u32), ino: u64, mode: u32) -> Kstat {
    let times = InodeTimes { btime: 0, ..InodeTimes::all(current_time(sys)) };
    let (nlink, uid, gid, size) = (1, 0, 0, 0);
    Kstat { ino, mode, nlink, uid, gid, size, dev, rdev: (0, 0), blocks: 0, times }
}

/// The same, of /proc.
pub(super) fn made_of_proc(sys: &System, ino: u64, mode: u32) -> Kstat {
    made(sys, PROC_DEV, ino, mode)
}

fn of_cgroup(sys: &System, file: CgroupFile, dir: Option<InodeId>) -> Kstat {
    let (uid, gid) =
        dir.map_or((0, 0), |d| (sys.kernel.inodes[d].i_uid, sys.kernel.inodes[d].i_gid));
    Kstat { uid, gid, ..made(sys, CGROUP_DEV, 1 << 33, S_IFREG | file.mode()) }
}

fn fstat_file(sys: &System, file: FileId) -> Kstat {
    match sys.kernel.filps[file].kind {
        FileKind::Inode(inode) => of_inode(sys, inode),
        FileKind::Proc(file, pid) => proc::stat(sys, proc::found(file, pid)),
        FileKind::Cgroup(file, _) => of_cgroup(sys, file, None),
        FileKind::PipeRead(p) | FileKind::PipeWrite(p) => {
            if let Some(inode) = sys.kernel.pipes.get(p).and_then(|p| p.fifo) {
                return of_inode(sys, inode);
            }
            made(sys, PIPEFS_DEV, 2 << 33 | u64::from(p.index()), S_IFIFO | 0o600)
        }
        // A pidfd has no type bits.
        FileKind::Pidfd(p) => made(sys, PIDFS_DEV, 3 << 33 | u64::from(p.index()), 0o700),
        FileKind::Ns(ns) => of_ns(sys, ns),
        // All share one inode, which has no type bits either.
        FileKind::Anon(_) => made(sys, ANON_INODE_DEV, 4 << 33, 0o600),
        // Of the device's node; a slave has its number in /dev/pts.
        FileKind::Tty(tty) | FileKind::HungUpTty(tty) => {
            let (index, master) =
                sys.kernel.ttys.get(tty).map_or((0, false), |t| (t.index, t.is_master()));
            let rdev = if master { CharDev::Ptmx } else { CharDev::Pts(index) }.rdev();
            let st = made(sys, DEVPTS_DEV, 3 + u64::from(index), S_IFCHR | 0o620);
            Kstat { rdev, ..st }
        }
    }
}

fn of_ns(sys: &System, ns: NsRef) -> Kstat {
    let ino = ns_inum(sys, ns).into();
    made(sys, NSFS_DEV, ino, S_IFREG | 0o444)
}

/// fstat(2).
///
/// # Errors
/// EBADF.
pub fn vfs_fstat(sys: &System, task: TaskId, fd: i32) -> Result<Kstat, SysError> {
    let file = fget_raw(sys, task, fd).map_err(|_| bad_fd("vfs_fstat", fd))?;
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

fn is_link(sys: &System, inode: InodeId) -> bool {
    matches!(sys.kernel.inodes[inode].kind, InodeKind::Lnk(_))
}

/// What a link says.
fn link_text(sys: &mut System, inode: InodeId) -> Result<String, SysError> {
    let InodeKind::Lnk(text) = &sys.kernel.inodes[inode].kind else {
        return refuse(Errno::EINVAL, "do_readlinkat", "it is no link");
    };
    let text = text.to_string();
    touch_atime(sys, inode);
    Ok(text)
}

/// readlink(2): what the link at the end of a path says; an empty path means the
/// link that `dfd` has open (O_PATH).
///
/// # Errors
/// EINVAL: no link. EACCES, ENOENT: of the link. Those of the walk.
pub fn do_readlinkat(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
) -> Result<String, SysError> {
    const F: &str = "do_readlinkat";
    if name.is_empty() && dfd != namei::AT_FDCWD {
        let file = fget_raw(sys, task, dfd)?;
        return match sys.kernel.filps[file].kind {
            FileKind::Inode(inode) if is_link(sys, inode) => link_text(sys, inode),
            _ => refuse(Errno::ENOENT, F, "the path is empty, and the descriptor is no link"),
        };
    }
    let name = namei::getname(name)?;
    let followed = super::follow::follow(sys, task, dfd, name, End::Keep)?;
    let name = followed.as_deref().unwrap_or(name);
    if let Some(text) = proc::readlink(sys, task, dfd, name)? {
        return Ok(text);
    }
    match find(sys, task, dfd, name, false)? {
        Place::Tree(path) => link_text(sys, path.inode()),
        _ => refuse(Errno::EINVAL, F, "it is no link"),
    }
}
