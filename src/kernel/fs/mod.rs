//! Files as far as processes need them: descriptor tables, open file
//! descriptions, an in-memory tree, pipes, root and working directory.
//!
//! ```text
//! task -> files_struct -> fd 3 -> file (offset, flags) -> inode or pipe
//! ```
//!
//! Linux: include/linux/fdtable.h, fs_struct.h, fs.h; fs/file.c, fs/pipe.c.
//! Left out: everything on disk, mounts, ACLs.

pub mod anon_inodes;
pub mod attr;
pub mod copy;
pub mod create;
pub mod dup;
pub mod eventfd;
pub mod eventpoll;
pub mod exec;
pub mod fallocate;
pub mod fd_set;
pub mod fdtable;
mod fifo;
pub mod file;
mod file_io;
mod follow;
pub mod fs_struct;
pub mod image;
pub mod inode;
pub mod locks;
pub mod memfd;
pub mod namei;
pub mod nsfs;
pub mod open;
pub mod perm;
pub mod pidfd;
pub mod pipe;
pub mod proc;
#[cfg(test)]
mod random;
pub mod readdir;
pub mod remove;
pub mod rename;
pub mod rootfs;
pub mod rw;
pub mod select;
pub mod signalfd;
pub mod stat;
pub mod statfs;
pub mod sync;
#[cfg(test)]
mod tests;
pub mod timerfd;
pub mod times;
pub mod truncate;
pub mod uio;
pub mod xattr;

use crate::abi::OpenFlags;
use crate::base::Id;
use crate::kernel::cgroup::CgroupId;
use crate::kernel::cgroup::files::CgroupFile;
use crate::kernel::pid::PidId;
use crate::kernel::tty::TtyId;
use std::sync::Arc;

/// Names an open file description.
pub type FileId = Id<File>;
/// Names a descriptor table.
pub type FilesId = Id<FilesStruct>;
/// Names an `fs_struct`.
pub type FsId = Id<FsStruct>;
/// Names an inode.
pub type InodeId = Id<inode::Inode>;

/// One slot of a descriptor table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fd {
    /// The open file description.
    pub file: FileId,
    /// FD_CLOEXEC: a property of the descriptor, not of the file.
    pub cloexec: bool,
}

/// `struct files_struct`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesStruct {
    /// Tasks that share it.
    pub count: u32,
    /// Slots by descriptor number.
    pub fdt: Vec<Option<Fd>>,
}

/// What an open file description refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file, directory or device of the tree.
    Inode(InodeId),
    /// The reading end of a pipe.
    PipeRead(Id<pipe::Pipe>),
    /// The writing end of a pipe.
    PipeWrite(Id<pipe::Pipe>),
    /// A pidfd.
    Pidfd(PidId),
    /// A file of /proc, and the task it is about.
    Proc(proc::ProcFile, Option<PidId>),
    /// A file of a control group.
    Cgroup(CgroupFile, CgroupId),
    /// A terminal.
    Tty(TtyId),
    /// A terminal that has hung up since it was opened.
    HungUpTty(TtyId),
    /// A namespace.
    Ns(nsfs::NsRef),
    /// What has no name: an event, a timer, signals, an epoll instance.
    Anon(anon_inodes::AnonId),
}

/// `struct file`: an open file description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// References: descriptors in any table, mappings, and calls that sleep
    /// in it (`Resume::file`).
    pub f_count: u32,
    /// Offset in bytes, shared by all who share the description.
    pub f_pos: u64,
    /// Access mode and status flags.
    pub f_flags: OpenFlags,
    /// What it refers to.
    pub kind: FileKind,
    /// How it was named when opened.
    pub path: Arc<str>,
}

/// `struct fs_struct`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsStruct {
    /// Tasks that share it.
    pub users: u32,
    /// Bits cleared in the mode of new files.
    pub umask: u32,
    /// Root directory.
    pub root: Arc<str>,
    /// Working directory.
    pub pwd: Arc<str>,
    /// An exec is under way: it may not be shared now.
    pub in_exec: bool,
}
