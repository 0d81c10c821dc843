//! The in-memory tree: directories, regular files whose pages are frames of
//! emulated memory, symbolic links, FIFOs, devices, program images.
//!
//! Linux: include/linux/fs.h (`struct inode`), fs/inode.c (iget, iput, evict),
//! mm/shmem.c (shmem_file_setup), fs/ramfs.
//! Left out: extended attributes, sockets, block devices.

pub use super::rootfs::init_rootfs;

use super::file::alloc_file;
use super::locks::FileLock;
use super::pipe::PipeId;
use super::times::InodeTimes;
use crate::abi::{Errno, OpenFlags};
use crate::base::{Pfn, text};
use crate::kernel::cgroup::CgroupId;
use crate::kernel::error::SysError;
use crate::kernel::fs::{FileId, FileKind, InodeId};
use crate::kernel::system::System;
use crate::kernel::wait_queue::WaitQueueHead;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A character device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CharDev {
    /// /dev/null.
    Null,
    /// /dev/zero.
    Zero,
    /// /dev/full: reads as zeros, and has no space for what is written.
    Full,
    /// /dev/random and /dev/urandom: bytes that follow from the machine's seed.
    Random(RandomDev),
    /// The console: what is written is the machine's output.
    Console,
    /// /dev/tty: the controlling terminal of whoever opens it.
    Tty,
    /// /dev/ptmx: each opening makes a pseudo terminal.
    Ptmx,
    /// /dev/pts/N: the slave of one.
    Pts(u32),
    /// Major and minor number of a device that no driver serves: it has a name,
    /// and opening it fails.
    Other(u32, u32),
}

/// Which of the two devices of the one generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RandomDev {
    /// /dev/random.
    Random,
    /// /dev/urandom.
    Urandom,
}

/// What an inode is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InodeKind {
    /// A directory: names in order of creation.
    Dir(IndexMap<Arc<str>, InodeId>),
    /// A regular file, or an anonymous shared mapping: the page cache is the file.
    Reg {
        /// Length in bytes.
        size: u64,
        /// Pages that hold something, by page offset. The inode holds one
        /// reference to each frame.
        pages: BTreeMap<u64, Pfn>,
    },
    /// A symbolic link, and what it says.
    Lnk(Arc<str>),
    /// A FIFO, and its pipe while someone has it open.
    Fifo(Option<PipeId>),
    /// A character device.
    Chr(CharDev),
    /// A program: what execve makes of it.
    Image(Arc<Image>),
}

/// A program given as data instead of an ELF file: its segments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Image {
    /// Bytes of code pages (mapped read-only and executable).
    pub text_bytes: u64,
    /// Bytes of initialised data (mapped private and writable).
    pub data_bytes: u64,
    /// Bytes of zeroed data behind it.
    pub bss_bytes: u64,
    /// Interpreter line (`#!`), when it is a script.
    pub interpreter: Option<Arc<str>>,
}

/// `struct inode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    /// References: open files, mappings' files, directory entries, and the pipe
    /// of a FIFO.
    pub i_count: u32,
    /// Permission bits with set-user-ID (04000) and set-group-ID (02000).
    pub i_mode: u32,
    /// Owner.
    pub i_uid: u32,
    /// Group.
    pub i_gid: u32,
    /// Directory entries that name it.
    pub i_nlink: u32,
    /// Made with O_TMPFILE and never named: it may get its first name (`I_LINKABLE`).
    pub linkable: bool,
    /// When it was read, written, changed and made.
    pub times: InodeTimes,
    /// What it is.
    pub kind: InodeKind,
    /// `i_flctx`: the locks on it.
    pub locks: Vec<FileLock>,
    /// Calls that sleep until a lock on it goes.
    pub lock_wait: WaitQueueHead,
    /// The control group whose directory it is.
    pub cgroup: Option<CgroupId>,
    /// Page cache of a program, filled as mappings fault on it. The inode
    /// holds one reference to each frame.
    pub i_pages: BTreeMap<u64, Pfn>,
}

/// Type bits of a mode as stat(2) reports it: directory.
pub const S_IFDIR: u32 = 0o040000;
/// Character device.
pub const S_IFCHR: u32 = 0o020000;
/// Regular file.
pub const S_IFREG: u32 = 0o100000;
/// Symbolic link.
pub const S_IFLNK: u32 = 0o120000;
/// Pipe.
pub const S_IFIFO: u32 = 0o010000;
/// Block device.
pub const S_IFBLK: u32 = 0o060000;
/// Socket.
pub const S_IFSOCK: u32 = 0o140000;
/// All type bits.
pub const S_IFMT: u32 = 0o170000;
/// Set-user-ID.
pub const S_ISUID: u32 = 0o4000;
/// Set-group-ID.
pub const S_ISGID: u32 = 0o2000;
/// Sticky: only owners delete from the directory.
pub const S_ISVTX: u32 = 0o1000;
/// Execute permission of the group.
pub const S_IXGRP: u32 = 0o010;
/// All bits that chmod(2) changes.
pub const S_IALLUGO: u32 = 0o7777;
/// The largest file (`MAX_LFS_FILESIZE`).
pub const MAX_LFS_FILESIZE: u64 = i64::MAX as u64;

impl CharDev {
    /// Its device number.
    pub fn rdev(self) -> (u32, u32) {
        match self {
            CharDev::Null => (1, 3),
            CharDev::Zero => (1, 5),
            CharDev::Full => (1, 7),
            CharDev::Random(RandomDev::Random) => (1, 8),
            CharDev::Random(RandomDev::Urandom) => (1, 9),
            CharDev::Tty => (5, 0),
            CharDev::Console => (5, 1),
            CharDev::Ptmx => (5, 2),
            CharDev::Pts(n) => (136, n),
            CharDev::Other(major, minor) => (major, minor),
        }
    }

    /// The device with a number, as mknod(2) makes its name.
    pub fn of_rdev(major: u32, minor: u32) -> CharDev {
        match (major, minor) {
            (1, 3) => CharDev::Null,
            (1, 5) => CharDev::Zero,
            (1, 7) => CharDev::Full,
            (1, 8) => CharDev::Random(RandomDev::Random),
            (1, 9) => CharDev::Random(RandomDev::Urandom),
            (5, 0) => CharDev::Tty,
            (5, 1) => CharDev::Console,
            (5, 2) => CharDev::Ptmx,
            _ => CharDev::Other(major, minor),
        }
    }

    /// Whether opening it opens a terminal.
    pub fn is_tty(self) -> bool {
        matches!(self, CharDev::Tty | CharDev::Ptmx | CharDev::Pts(_))
    }
}

impl Inode {
    /// An inode without references and names.
    pub fn new(kind: InodeKind, i_mode: u32, i_uid: u32, i_gid: u32) -> Inode {
        Inode {
            i_count: 0,
            i_mode,
            i_uid,
            i_gid,
            i_nlink: 0,
            linkable: false,
            times: InodeTimes::default(),
            kind,
            locks: Vec::new(),
            lock_wait: WaitQueueHead::default(),
            cgroup: None,
            i_pages: BTreeMap::new(),
        }
    }

    /// Type and permission bits, as stat(2) reports them.
    pub fn st_mode(&self) -> u32 {
        let ty = match self.kind {
            InodeKind::Dir(_) => S_IFDIR,
            InodeKind::Chr(_) => S_IFCHR,
            InodeKind::Lnk(_) => S_IFLNK,
            InodeKind::Fifo(_) => S_IFIFO,
            InodeKind::Reg { .. } | InodeKind::Image(_) => S_IFREG,
        };
        ty | self.i_mode
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        matches!(self.kind, InodeKind::Dir(_))
    }

    /// Whether it is a regular file, a program included (`S_ISREG`).
    pub fn is_reg(&self) -> bool {
        matches!(self.kind, InodeKind::Reg { .. } | InodeKind::Image(_))
    }

    /// `i_size`: length in bytes; 0 for what has none.
    pub fn size(&self) -> u64 {
        match &self.kind {
            InodeKind::Reg { size, .. } => *size,
            InodeKind::Image(image) => image.file_size(),
            InodeKind::Lnk(to) => text::len(to) as u64,
            InodeKind::Dir(_) | InodeKind::Chr(_) | InodeKind::Fifo(_) => 0,
        }
    }
}

/// Takes a reference (`ihold`).
pub fn iget(sys: &mut System, inode: InodeId) {
    match sys.kernel.inodes.get_mut(inode) {
        Some(i) => i.i_count += 1,
        None => sys.oops("iget", format!("inode {inode:?} is freed")),
    }
}

/// Drops a reference; the last one frees the inode and its pages, as there is
/// no disk to keep it on.
pub fn iput(sys: &mut System, inode: InodeId) {
    let Some(i) = sys.kernel.inodes.get_mut(inode) else {
        return sys.oops("iput", format!("inode {inode:?} is freed"));
    };
    match i.i_count {
        0 => sys.oops("iput", format!("i_count of inode {inode:?} below zero")),
        1 => evict(sys, inode),
        _ => i.i_count -= 1,
    }
}

/// Frees an inode: its page cache lets go of the frames.
fn evict(sys: &mut System, id: InodeId) {
    let Some(inode) = sys.kernel.inodes.remove(id) else { return };
    for pfn in inode.i_pages.into_values() {
        put_cache_page(sys, pfn);
    }
    if let InodeKind::Reg { pages, .. } = inode.kind {
        for pfn in pages.into_values() {
            put_cache_page(sys, pfn);
        }
    }
}

/// The page cache lets go of a frame.
pub(super) fn put_cache_page(sys: &mut System, pfn: Pfn) {
    if let Err(bug) = sys.machine.mem.put_page(pfn) {
        sys.oops("filemap_free_folio", bug.to_string());
    }
}

/// The file behind a shared anonymous mapping of `size` bytes: on no path,
/// owned by its mapping alone. Linux: `shmem_zero_setup`.
pub fn shmem_file_setup(sys: &mut System, size: u64) -> Result<FileId, SysError> {
    if size > MAX_LFS_FILESIZE {
        let why = "a shared mapping is a file, and no file is that long";
        return Err(SysError::new(Errno::EINVAL, "shmem_file_setup", why));
    }
    let kind = InodeKind::Reg { size, pages: BTreeMap::new() };
    let inode = sys.kernel.inodes.insert(Inode::new(kind, 0o777, 0, 0));
    let path = Arc::from("/dev/zero (deleted)");
    Ok(alloc_file(sys, FileKind::Inode(inode), OpenFlags::O_RDWR, path))
}
