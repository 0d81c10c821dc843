//! truncate(2), ftruncate(2), O_TRUNC: the end of a file moves, and mappings lose what
//! lies behind it.
//!
//! Linux: fs/open.c (do_truncate, vfs_truncate, do_ftruncate), mm/truncate.c
//! (truncate_pagecache), mm/memory.c (unmap_mapping_range).
//! Left out: nothing; but Linux finds the mappings of a file by `i_mmap`, and this looks
//! at all areas.

use super::fdtable::{bad_fd, fget};
use super::file_io::file_remove_privs;
use super::inode::{Inode, InodeKind, put_cache_page};
use super::namei::{AT_FDCWD, filename_lookup};
use super::open::get_write_access;
use super::perm::{MAY_WRITE, inode_permission};
use super::times::update_mtime;
use super::{FileKind, InodeId};
use crate::abi::numbers::RLIMIT_FSIZE;
use crate::abi::{Errno, Signal};
use crate::base::{PAGE_SHIFT, PAGE_SIZE, PhysAddr};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::VmOps;
use crate::kernel::mm::filemap::file_inode;
use crate::kernel::mm::tlb::flush_tlb_range;
use crate::kernel::mm::zap::{unmap_file_pages, unmap_page_range};
use crate::kernel::signal::kill::send_sig;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// What goes when a part of a file does (`even_cows`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zap {
    /// Private copies too.
    All,
    /// The file's own pages.
    Shared,
}

/// Takes the pages of a file from `first` on and before `last` out of every address
/// space, the private copies too if the file has lost its end there: touching them
/// again is SIGBUS.
pub(super) fn unmap_mapping_range(
    sys: &mut System,
    inode: InodeId,
    (first, last): (u64, u64),
    which: Zap,
) {
    let mut parts = Vec::new();
    for (mm, m) in sys.kernel.mms.iter() {
        for vma in m.mmap.values() {
            let of_file = vma.vm_ops == VmOps::File
                && vma.vm_file.and_then(|f| file_inode(sys, f)) == Some(inode);
            let skip = first.saturating_sub(vma.vm_pgoff).saturating_mul(PAGE_SIZE);
            let start = vma.vm_start.saturating_add(skip);
            let behind = last.saturating_sub(vma.vm_pgoff).saturating_mul(PAGE_SIZE);
            let end = vma.vm_start.saturating_add(behind).min(vma.vm_end);
            if of_file && start < end {
                parts.push((mm, start, end));
            }
        }
    }
    if !sys.machine.config.mmu {
        return;
    }
    for (mm, start, end) in parts {
        match which {
            Zap::All => unmap_page_range(sys, mm, start, end),
            Zap::Shared => unmap_file_pages(sys, mm, start, end),
        }
        flush_tlb_range(sys, mm, start, end);
    }
}

/// Cuts a regular file to `new` bytes or lengthens it with a hole
/// (`truncate_setsize`).
pub fn truncate_setsize(sys: &mut System, inode: InodeId, new: u64) {
    let Some(Inode { kind: InodeKind::Reg { size, pages }, .. }) = sys.kernel.inodes.get_mut(inode)
    else {
        return;
    };
    let old = std::mem::replace(size, new);
    if new >= old {
        return;
    }
    let keep = new.div_ceil(PAGE_SIZE);
    let dropped = pages.split_off(&keep);
    let partial = pages.get(&(new >> PAGE_SHIFT)).copied();
    unmap_mapping_range(sys, inode, (keep, u64::MAX), Zap::All);
    for pfn in dropped.into_values() {
        put_cache_page(sys, pfn);
    }
    // What lies behind the end must read as zero when the file grows again.
    if let Some(pfn) = partial {
        let tail = new % PAGE_SIZE;
        let zeros = vec![0; (PAGE_SIZE - tail) as usize];
        sys.machine.mem.write(PhysAddr(pfn.addr().0 + tail), &zeros);
    }
}

/// The new size is checked, the set-ID bits go, the size changes.
///
/// # Errors
/// EFBIG with SIGXFSZ: beyond RLIMIT_FSIZE.
pub(super) fn do_truncate(
    sys: &mut System,
    task: TaskId,
    inode: InodeId,
    len: u64,
) -> Result<(), SysError> {
    if len > sys.kernel.inodes[inode].size() {
        newsize_ok(sys, task, len)?;
    }
    file_remove_privs(sys, task, inode);
    truncate_setsize(sys, inode, len);
    update_mtime(sys, inode);
    Ok(())
}

/// Whether a file may grow to a length (`inode_newsize_ok`).
///
/// # Errors
/// EFBIG with SIGXFSZ.
pub(super) fn newsize_ok(sys: &mut System, task: TaskId, len: u64) -> Result<(), SysError> {
    let limit = match sys.task(task).signal {
        Some(s) => sys.kernel.signals[s].rlim[RLIMIT_FSIZE as usize].cur,
        None => u64::MAX,
    };
    if len > limit {
        send_sig(sys, task, Signal::SIGXFSZ);
        let why = format!("the new length {len} is beyond RLIMIT_FSIZE ({limit})");
        return Err(SysError::with(Errno::EFBIG, "inode_newsize_ok", why));
    }
    Ok(())
}

fn length(len: i64) -> Result<u64, SysError> {
    u64::try_from(len)
        .map_err(|_| SysError::new(Errno::EINVAL, "do_sys_truncate", "the length is negative"))
}

/// truncate(2).
///
/// # Errors
/// EINVAL: negative, or no regular file. EISDIR, EACCES, ETXTBSY, EFBIG, and
/// those of the walk.
pub fn do_sys_truncate(
    sys: &mut System,
    task: TaskId,
    name: &str,
    len: i64,
) -> Result<(), SysError> {
    let len = length(len)?;
    let path = filename_lookup(sys, task, AT_FDCWD, name)?;
    let inode = path.inode();
    let i = &sys.kernel.inodes[inode];
    if i.is_dir() {
        return refuse(Errno::EISDIR, "vfs_truncate", "a directory has no length to set");
    }
    if !i.is_reg() {
        return refuse(Errno::EINVAL, "vfs_truncate", "only regular files have a length to set");
    }
    inode_permission(sys, task, inode, MAY_WRITE, &path.name())?;
    get_write_access(sys, inode, name)?;
    do_truncate(sys, task, inode, len)
}

/// ftruncate(2).
///
/// # Errors
/// EINVAL: negative, no regular file, or not open for writing. EOPNOTSUPP: a
/// pidfd. EBADF, EFBIG.
pub fn do_sys_ftruncate(sys: &mut System, task: TaskId, fd: i32, len: i64) -> Result<(), SysError> {
    let len = length(len)?;
    let id = fget(sys, task, fd).map_err(|_| bad_fd("do_sys_ftruncate", fd))?;
    let file = &sys.kernel.filps[id];
    let inode = match file.kind {
        FileKind::Inode(i) if sys.kernel.inodes[i].is_reg() && file.may_write() => i,
        FileKind::Pidfd(_) => {
            let why = "a pidfd is a regular file whose attributes cannot be set";
            return refuse(Errno::EOPNOTSUPP, "pidfs_setattr", why);
        }
        _ => {
            let why = "the descriptor is no regular file that is open for writing";
            return refuse(Errno::EINVAL, "do_ftruncate", why);
        }
    };
    do_truncate(sys, task, inode, len)
}
