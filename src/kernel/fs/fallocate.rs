//! fallocate(2) and the holes of files: pages that are asked for, pages that are given
//! back, and where the ones end and the others begin (SEEK_DATA, SEEK_HOLE).
//!
//! ```text
//!            0      4096    8192    12288   16384   size
//! pages      |  hole | data  | data  | hole  |  hole .|
//! SEEK_DATA    ->4096  stay    stay    ENXIO...
//! SEEK_HOLE    stay    ->12288         stay            at the end: a hole
//! ```
//! A page that was only asked for is in the cache and not up to date: still a hole,
//! until it is written or mapped.
//!
//! Linux: fs/open.c (vfs_fallocate), mm/shmem.c (shmem_fallocate,
//! shmem_file_llseek), mm/filemap.c (mapping_seek_hole_data).
//! Left out: the other modes, which a tmpfs refuses too.

use super::fdtable::{bad_fd, fget};
use super::file_io::file_remove_privs;
use super::inode::{InodeKind, put_cache_page};
use super::times::update_mtime;
use super::truncate::{Zap, newsize_ok, unmap_mapping_range};
use super::{FileKind, InodeId};
use crate::abi::Errno;
use crate::abi::numbers::SEEK_DATA;
use crate::base::{PAGE_SIZE, Pfn, PhysAddr};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::filemap::filemap_get_page;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::PageFlags;

/// FALLOC_FL_KEEP_SIZE.
pub const FALLOC_FL_KEEP_SIZE: u32 = 1;
/// FALLOC_FL_PUNCH_HOLE.
pub const FALLOC_FL_PUNCH_HOLE: u32 = 2;

/// fallocate(2): the pages of a range are there, or are not any more.
///
/// # Errors
/// EBADF: not open for writing. EINVAL: no range. EOPNOTSUPP: a mode. ESPIPE,
/// EISDIR, ENODEV: no regular file. EFBIG. ENOSPC: not so many frames are free.
pub fn vfs_fallocate(
    sys: &mut System,
    task: TaskId,
    fd: i32,
    mode: u32,
    (offset, len): (i64, i64),
) -> Result<(), SysError> {
    const F: &str = "vfs_fallocate";
    let id = fget(sys, task, fd).map_err(|_| bad_fd(F, fd))?;
    if offset < 0 || len <= 0 {
        return refuse(Errno::EINVAL, F, "the offset is negative, or the length not positive");
    }
    if mode & !(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE) != 0 {
        let why = "a tmpfs knows FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE";
        return refuse(Errno::EOPNOTSUPP, F, why);
    }
    if mode == FALLOC_FL_PUNCH_HOLE {
        let why = "FALLOC_FL_PUNCH_HOLE goes with FALLOC_FL_KEEP_SIZE";
        return refuse(Errno::EOPNOTSUPP, F, why);
    }
    let file = &sys.kernel.filps[id];
    if !file.may_write() {
        return Err(bad_fd(F, fd));
    }
    let inode = match file.kind {
        FileKind::PipeRead(_) | FileKind::PipeWrite(_) => {
            return refuse(Errno::ESPIPE, F, "a pipe has no place to keep space");
        }
        FileKind::Inode(i) if sys.kernel.inodes[i].is_dir() => {
            return refuse(Errno::EISDIR, F, "a directory has no space of its own");
        }
        FileKind::Inode(i) if sys.kernel.inodes[i].is_reg() => i,
        _ => return refuse(Errno::ENODEV, F, "only regular files have space"),
    };
    let Some(end) = offset.checked_add(len) else {
        return refuse(Errno::EFBIG, F, "the range ends behind the largest file");
    };
    let (start, end) = (offset as u64, end as u64);
    if mode & FALLOC_FL_PUNCH_HOLE != 0 {
        punch_hole(sys, inode, start, end);
    } else {
        ask_for(sys, task, inode, (start, end), mode & FALLOC_FL_KEEP_SIZE != 0)?;
    }
    file_remove_privs(sys, task, inode);
    update_mtime(sys, inode);
    Ok(())
}

/// The pages of a range are in the file from now on.
fn ask_for(
    sys: &mut System,
    task: TaskId,
    inode: InodeId,
    (start, end): (u64, u64),
    keep_size: bool,
) -> Result<(), SysError> {
    let (first, last) = (start / PAGE_SIZE, end.div_ceil(PAGE_SIZE));
    if !keep_size && end > sys.kernel.inodes[inode].size() {
        newsize_ok(sys, task, end)?;
    }
    let InodeKind::Reg { pages, .. } = &sys.kernel.inodes[inode].kind else { return Ok(()) };
    let missing = (last - first).saturating_sub(pages.range(first..last).count() as u64);
    if missing > sys.machine.mem.free_pages() as u64 {
        return refuse(Errno::ENOSPC, "shmem_fallocate", "there is not so much free memory");
    }
    for pgoff in first..last {
        if filemap_get_page(sys, inode, pgoff, false)?.is_some() {
            continue;
        }
        if let Some(pfn) = filemap_get_page(sys, inode, pgoff, true)?
            && let Ok(page) = sys.machine.mem.page_mut(pfn)
        {
            page.flags.remove(PageFlags::UPTODATE);
        }
    }
    if let InodeKind::Reg { size, .. } = &mut sys.kernel.inodes[inode].kind
        && !keep_size
    {
        *size = (*size).max(end);
    }
    Ok(())
}

/// Gives back the pages of a range; of those that lie in it in part, that part is
/// zeros. Private copies of mappings stay.
pub fn punch_hole(sys: &mut System, inode: InodeId, start: u64, end: u64) {
    let (first, last) = (start.div_ceil(PAGE_SIZE), end / PAGE_SIZE);
    let InodeKind::Reg { pages, .. } = &mut sys.kernel.inodes[inode].kind else { return };
    let mut dropped: Vec<Pfn> = Vec::new();
    if first < last {
        let mut rest = pages.split_off(&first);
        let mut behind = rest.split_off(&last);
        pages.append(&mut behind);
        dropped.extend(rest.into_values());
    }
    let partly: Vec<(u64, Option<Pfn>)> = [start / PAGE_SIZE, end / PAGE_SIZE]
        .into_iter()
        .map(|pgoff| (pgoff, pages.get(&pgoff).copied()))
        .collect();
    if first < last {
        unmap_mapping_range(sys, inode, (first, last), Zap::Shared);
    }
    for pfn in dropped {
        put_cache_page(sys, pfn);
    }
    for (pgoff, pfn) in partly {
        let (from, to) = (start.max(pgoff * PAGE_SIZE), end.min((pgoff + 1) * PAGE_SIZE));
        let Some(pfn) = pfn.filter(|_| from < to) else { continue };
        let zeros = vec![0; (to - from) as usize];
        sys.machine.mem.write(PhysAddr(pfn.addr().0 + from % PAGE_SIZE), &zeros);
    }
}

/// SEEK_DATA and SEEK_HOLE of lseek(2): where the next data or the next hole is, at
/// `offset` or behind it. The end of the file is a hole; a program has none before.
///
/// # Errors
/// ENXIO: `offset` is not in the file, or no data follows.
pub fn seek_hole_data(
    sys: &System,
    inode: InodeId,
    offset: i64,
    whence: u32,
) -> Result<i64, SysError> {
    const F: &str = "shmem_file_llseek";
    let i = &sys.kernel.inodes[inode];
    let size = i.size();
    let Some(start) = u64::try_from(offset).ok().filter(|start| *start < size) else {
        return refuse(
            Errno::ENXIO,
            F,
            "the offset is negative, or not before the end of the file",
        );
    };
    let InodeKind::Reg { pages, .. } = &i.kind else {
        return Ok(if whence == SEEK_DATA { start } else { size } as i64);
    };
    let holds = |pfn: &Pfn| sys.machine.mem.page(*pfn).flags.contains(PageFlags::UPTODATE);
    let mut data = pages.range(start / PAGE_SIZE..).filter(|(_, pfn)| holds(pfn)).map(|(n, _)| *n);
    let found = if whence == SEEK_DATA {
        data.next().map(|pgoff| start.max(pgoff * PAGE_SIZE)).filter(|at| *at < size)
    } else {
        let mut next = start / PAGE_SIZE;
        while data.next() == Some(next) {
            next += 1;
        }
        Some(start.max(next * PAGE_SIZE).min(size))
    };
    match found {
        Some(at) => Ok(at as i64),
        None => refuse(Errno::ENXIO, F, "no data follows"),
    }
}
