//! statfs(2): which file system something is in, and how full it is.
//!
//! Linux: fs/statfs.c (user_statfs, do_statfs_native), fs/libfs.c (simple_statfs),
//! mm/shmem.c (shmem_statfs).
//! Left out: sizes. The tree is a tmpfs without limits, which says 0 for them.

use super::fdtable::fget_raw;
use super::inode::{CharDev, InodeKind};
use super::stat::{self, Place};
use super::{FileId, FileKind, InodeId};
use crate::base::PAGE_SIZE;
use crate::kernel::error::SysError;
use crate::kernel::fs::namei::AT_FDCWD;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// `struct statfs`, as far as anything of it is not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kstatfs {
    /// The magic number of its type.
    pub f_type: u64,
    /// Bytes of a block.
    pub f_bsize: u64,
    /// Longest name.
    pub f_namelen: u64,
    /// `ST_*`.
    pub f_flags: u64,
}

/// Magic number of the tree (`TMPFS_MAGIC`).
pub const TMPFS_MAGIC: u64 = 0x0102_1994;
/// Of /proc.
pub const PROC_SUPER_MAGIC: u64 = 0x9fa0;
const DEVPTS_SUPER_MAGIC: u64 = 0x1cd1;
const CGROUP2_SUPER_MAGIC: u64 = 0x6367_7270;
const PIPEFS_MAGIC: u64 = 0x5049_5045;
const NSFS_MAGIC: u64 = 0x6e73_6673;
const ANON_INODE_FS_MAGIC: u64 = 0x0904_1934;
const PID_FS_MAGIC: u64 = 0x5049_4446;

/// Bytes of `struct statfs`.
pub const STATFS_SIZE: usize = 120;
/// ST_VALID and ST_RELATIME.
const FLAGS: u64 = 0x20 | 0x1000;

impl Kstatfs {
    fn of(f_type: u64) -> Kstatfs {
        Kstatfs { f_type, f_bsize: PAGE_SIZE, f_namelen: 255, f_flags: FLAGS }
    }

    /// `struct statfs` of x86_64.
    pub fn image(&self) -> [u8; STATFS_SIZE] {
        let mut b = [0; STATFS_SIZE];
        let words = [(0, self.f_type), (8, self.f_bsize), (64, self.f_namelen)];
        for (at, word) in words.into_iter().chain([(72, self.f_bsize), (80, self.f_flags)]) {
            b[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        b
    }
}

fn of_inode(sys: &System, inode: InodeId) -> u64 {
    let i = &sys.kernel.inodes[inode];
    match i.kind {
        _ if i.cgroup.is_some() => CGROUP2_SUPER_MAGIC,
        _ if inode == sys.kernel.devpts_root => DEVPTS_SUPER_MAGIC,
        InodeKind::Chr(CharDev::Pts(_)) => DEVPTS_SUPER_MAGIC,
        _ if super::namei::lookup(sys, sys.kernel.root_inode, "proc") == Some(inode) => {
            PROC_SUPER_MAGIC
        }
        _ => TMPFS_MAGIC,
    }
}

fn of_file(sys: &System, file: FileId) -> u64 {
    match sys.kernel.filps[file].kind {
        FileKind::Inode(inode) => of_inode(sys, inode),
        FileKind::PipeRead(p) | FileKind::PipeWrite(p) => {
            match sys.kernel.pipes.get(p).and_then(|p| p.fifo) {
                Some(inode) => of_inode(sys, inode),
                None => PIPEFS_MAGIC,
            }
        }
        FileKind::Proc(..) => PROC_SUPER_MAGIC,
        FileKind::Cgroup(..) => CGROUP2_SUPER_MAGIC,
        FileKind::Pidfd(_) => PID_FS_MAGIC,
        FileKind::Ns(_) => NSFS_MAGIC,
        FileKind::Anon(_) => ANON_INODE_FS_MAGIC,
        // A master is opened by /dev/ptmx, a node of the tree.
        FileKind::Tty(tty) | FileKind::HungUpTty(tty) => {
            match sys.kernel.ttys.get(tty).is_some_and(|t| t.is_master()) {
                true => TMPFS_MAGIC,
                false => DEVPTS_SUPER_MAGIC,
            }
        }
    }
}

/// statfs(2).
///
/// # Errors
/// Those of the walk.
pub fn user_statfs(sys: &mut System, task: TaskId, name: &str) -> Result<Kstatfs, SysError> {
    let magic = match stat::find(sys, task, AT_FDCWD, name, true)? {
        Place::Tree(path) => of_inode(sys, path.inode()),
        Place::Proc(_) => PROC_SUPER_MAGIC,
        Place::Cgroup(..) => CGROUP2_SUPER_MAGIC,
        Place::File(file) => of_file(sys, file),
        Place::Ns(_) => NSFS_MAGIC,
    };
    Ok(Kstatfs::of(magic))
}

/// fstatfs(2).
///
/// # Errors
/// EBADF.
pub fn fd_statfs(sys: &System, task: TaskId, fd: i32) -> Result<Kstatfs, SysError> {
    Ok(Kstatfs::of(of_file(sys, fget_raw(sys, task, fd)?)))
}
