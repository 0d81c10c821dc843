//! The page cache as mappings see it: pages of regular files and of programs.
//!
//! Linux: mm/filemap.c (`filemap_get_folio`, `filemap_fault`).
//! Left out: writeback, eviction, readahead: the cache is the file.

use crate::base::{PAGE_SIZE, Pfn};
use crate::kernel::error::SysError;
use crate::kernel::fs::inode::{Inode, InodeKind};
use crate::kernel::fs::{FileId, FileKind, InodeId};
use crate::kernel::mm::pgtable::alloc_page;
use crate::kernel::system::System;
use crate::machine::PageFlags;

const UPTODATE: PageFlags = PageFlags::UPTODATE;

/// The inode behind a file, if it has one.
pub fn file_inode(sys: &System, file: FileId) -> Option<InodeId> {
    match sys.kernel.filps.get(file)?.kind {
        FileKind::Inode(inode) => Some(inode),
        _ => None,
    }
}

/// Length of a file in pages, rounded up; 0 for what has none.
pub fn file_pages(sys: &System, inode: InodeId) -> u64 {
    sys.kernel.inodes.get(inode).map_or(0, |i| i.size().div_ceil(PAGE_SIZE))
}

/// The page at `pgoff` if the inode's cache has it.
fn find_page(inode: &Inode, pgoff: u64) -> Option<Pfn> {
    match &inode.kind {
        InodeKind::Reg { pages, .. } => pages.get(&pgoff).copied(),
        InodeKind::Image(_) => inode.i_pages.get(&pgoff).copied(),
        _ => None,
    }
}

/// The page of a file if the cache has it.
pub fn cached_page(sys: &System, file: FileId, pgoff: u64) -> Option<Pfn> {
    find_page(sys.kernel.inodes.get(file_inode(sys, file)?)?, pgoff)
}

/// The page at `pgoff` of a regular file or a program; the cache keeps the
/// reference. What the cache lacks gives `None`, or with `create` a new page:
/// zeros for a hole, the program's bytes for a program. Does not look at the
/// file's length.
///
/// # Errors
/// ENOMEM.
pub fn filemap_get_page(
    sys: &mut System,
    inode: InodeId,
    pgoff: u64,
    create: bool,
) -> Result<Option<Pfn>, SysError> {
    let Some(i) = sys.kernel.inodes.get(inode) else { return Ok(None) };
    if let Some(pfn) = find_page(i, pgoff) {
        // Asked for by fallocate(2), and zeros since: from now on it is data.
        let only_asked = create && !sys.machine.mem.page(pfn).flags.contains(UPTODATE);
        if only_asked && let Ok(page) = sys.machine.mem.page_mut(pfn) {
            page.flags |= UPTODATE;
        }
        return Ok(Some(pfn));
    }
    let (mut flags, image) = match &i.kind {
        InodeKind::Reg { .. } => (PageFlags::SWAPBACKED, None),
        InodeKind::Image(image) => (PageFlags::empty(), Some(image.clone())),
        _ => return Ok(None),
    };
    if !create {
        return Ok(None);
    }
    flags |= PageFlags::FILE | PageFlags::UPTODATE;
    let pfn = alloc_page(sys, flags)?;
    if let Some(image) = image {
        let mut bytes = [0; PAGE_SIZE as usize];
        image.read_at(pgoff * PAGE_SIZE, &mut bytes);
        sys.machine.mem.write(pfn.addr(), &bytes);
    }
    if let Some(i) = sys.kernel.inodes.get_mut(inode) {
        match &mut i.kind {
            InodeKind::Reg { pages, .. } => pages.insert(pgoff, pfn),
            _ => i.i_pages.insert(pgoff, pfn),
        };
    }
    Ok(Some(pfn))
}
