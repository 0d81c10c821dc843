//! Open file descriptions: offset and status flags, shared by every descriptor
//! that was duplicated or inherited from the one that open(2) made.
//!
//! Linux: fs/file_table.c (alloc_file_pseudo, fput, __fput), include/linux/fs.h
//! (`struct file`).
//! Left out: delayed release (task_work); the last fput releases at once.

pub use super::pidfd::pidfd_prepare;

use super::anon_inodes;
use super::eventpoll::eventpoll_release;
use super::inode::{iget, iput};
use super::locks::locks_remove_file;
use super::nsfs::put_ns_ref;
use super::pipe::pipe_release;
use crate::abi::OpenFlags;
use crate::kernel::cgroup::{cgroup_get, cgroup_put};
use crate::kernel::fs::{File, FileId, FileKind};
use crate::kernel::pid;
use crate::kernel::system::System;
use crate::kernel::tty::tty_io::{tty_get, tty_release};
use std::sync::Arc;

/// The two access mode bits of `f_flags`.
const O_ACCMODE: u32 = 0o3;

impl File {
    /// FMODE_READ. The mode 3 opens a file for neither reading nor writing.
    pub fn may_read(&self) -> bool {
        matches!(self.f_flags.bits() & O_ACCMODE, 0 | 2) && !self.is_path()
    }

    /// FMODE_WRITE.
    pub fn may_write(&self) -> bool {
        matches!(self.f_flags.bits() & O_ACCMODE, 1 | 2) && !self.is_path()
    }

    /// FMODE_PATH: opened with O_PATH, so it is a place only.
    pub fn is_path(&self) -> bool {
        self.f_flags.contains(OpenFlags::O_PATH)
    }

    /// O_NONBLOCK.
    pub fn nonblocking(&self) -> bool {
        self.f_flags.contains(OpenFlags::O_NONBLOCK)
    }
}

/// A new description with one reference. For an inode it takes a reference of
/// its own; a pipe end is counted in the pipe's `readers` or `writers`, a terminal
/// in its `count`; the reference of a pidfd or of a file of /proc on its pid, and
/// that of a namespace's file, is handed over by the caller, and so is what has no
/// name.
pub fn alloc_file(sys: &mut System, kind: FileKind, f_flags: OpenFlags, path: Arc<str>) -> FileId {
    match kind {
        FileKind::Inode(inode) => iget(sys, inode),
        FileKind::PipeRead(pipe) => {
            if let Some(p) = sys.kernel.pipes.get_mut(pipe) {
                p.readers += 1;
            }
        }
        FileKind::PipeWrite(pipe) => {
            if let Some(p) = sys.kernel.pipes.get_mut(pipe) {
                p.writers += 1;
            }
        }
        FileKind::Cgroup(_, id) => cgroup_get(sys, id),
        FileKind::Tty(tty) | FileKind::HungUpTty(tty) => tty_get(sys, tty),
        FileKind::Pidfd(_) | FileKind::Proc(..) | FileKind::Ns(_) | FileKind::Anon(_) => {}
    }
    sys.kernel.filps.insert(File { f_count: 1, f_pos: 0, f_flags, kind, path })
}

/// Takes a reference.
pub fn get_file(sys: &mut System, file: FileId) {
    match sys.kernel.filps.get_mut(file) {
        Some(f) => f.f_count += 1,
        None => sys.oops("get_file", format!("file {file:?} is freed")),
    }
}

/// Drops a reference; the last one releases what the description refers to.
#[inline]
pub fn fput(sys: &mut System, file: FileId) {
    fput_many(sys, file, 1);
}

/// Drops `n` references at once.
#[inline]
pub fn fput_many(sys: &mut System, file: FileId, n: u32) {
    match sys.kernel.filps.get_mut(file) {
        Some(f) if f.f_count > n => f.f_count -= n,
        Some(f) if f.f_count < n => {
            let count = f.f_count;
            sys.oops("fput", format!("file {file:?} has {count} references, {n} are dropped"));
        }
        _ => __fput(sys, file),
    }
}

/// The last reference is gone (`__fput` and the `release` methods).
fn __fput(sys: &mut System, id: FileId) {
    eventpoll_release(sys, id);
    let Some(file) = sys.kernel.filps.remove(id) else {
        return sys.oops("fput", format!("file {id:?} was released before"));
    };
    match file.kind {
        FileKind::Inode(inode) => {
            locks_remove_file(sys, inode, id);
            iput(sys, inode);
        }
        FileKind::PipeRead(pipe) => pipe_release(sys, pipe, true),
        FileKind::PipeWrite(pipe) => pipe_release(sys, pipe, false),
        FileKind::Pidfd(pid) | FileKind::Proc(_, Some(pid)) => pid::put_pid(sys, pid),
        FileKind::Proc(_, None) => {}
        FileKind::Cgroup(_, id) => cgroup_put(sys, id),
        FileKind::Tty(tty) | FileKind::HungUpTty(tty) => tty_release(sys, tty),
        FileKind::Ns(ns) => put_ns_ref(sys, ns),
        FileKind::Anon(id) => anon_inodes::release(sys, id),
    }
}
