//! msync(2) and mincore(2): looking at mapped files. The page cache is the
//! file, so there is nothing to write back; the checks remain.
//!
//! Linux: mm/msync.c, mm/mincore.c.
//! Left out: writing back; the rule that hides others' page cache.

use crate::abi::Errno;
use crate::base::PAGE_SIZE;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::account::page_align_len;
use crate::kernel::mm::filemap::cached_page;
use crate::kernel::mm::layout::task_size;
use crate::kernel::mm::pgtable::{lookup, pte_present};
use crate::kernel::mm::vma::find_vma_intersection;
use crate::kernel::mm::{MmId, VmFlags, VmOps};
use crate::kernel::system::System;

/// Schedule writing back.
pub const MS_ASYNC: u32 = 1;
/// Other mappings of the file see it afresh.
pub const MS_INVALIDATE: u32 = 2;
/// Wait for the write.
pub const MS_SYNC: u32 = 4;

/// Checks a range as msync does; nothing needs to be written.
///
/// # Errors
/// EINVAL, EBUSY for MS_INVALIDATE on locked memory, ENOMEM over a hole.
pub fn do_msync(sys: &System, mm: MmId, start: u64, len: u64, flags: u32) -> Result<(), SysError> {
    if flags & !(MS_ASYNC | MS_INVALIDATE | MS_SYNC) != 0 {
        return refuse(Errno::EINVAL, "msync", "flags has bits that are no MS_ flag");
    }
    if start & 0xfff != 0 {
        return refuse(Errno::EINVAL, "msync", "the start is not a multiple of the page size");
    }
    if flags & MS_ASYNC != 0 && flags & MS_SYNC != 0 {
        return refuse(Errno::EINVAL, "msync", "MS_ASYNC and MS_SYNC exclude each other");
    }
    let Some(end) = start.checked_add(page_align_len(len)) else {
        return refuse(Errno::ENOMEM, "msync", "the range wraps around");
    };
    let mut at = start;
    let mut hole = false;
    while at < end {
        let Some(vma) = find_vma_intersection(&sys.kernel.mms[mm], at, end) else {
            hole = true;
            break;
        };
        hole |= vma.vm_start > at;
        if flags & MS_INVALIDATE != 0 && vma.vm_flags.contains(VmFlags::LOCKED) {
            return refuse(Errno::EBUSY, "msync", "MS_INVALIDATE on memory that is locked");
        }
        at = vma.vm_end;
    }
    if hole {
        return refuse(Errno::ENOMEM, "msync", "part of the range is not mapped");
    }
    Ok(())
}

/// For each page of a range whether touching it needs no I/O (1) or not (0);
/// `out` gets the pages before a hole also when the hole ends the call.
///
/// # Errors
/// EINVAL for an unaligned start, ENOMEM beyond the address space or over a
/// hole.
pub fn do_mincore(
    sys: &System,
    mm: MmId,
    start: u64,
    len: u64,
    out: &mut Vec<u8>,
) -> Result<(), SysError> {
    if start & 0xfff != 0 {
        return refuse(Errno::EINVAL, "mincore", "the start is not a multiple of the page size");
    }
    let size = task_size(sys);
    if start > size || len > size - start {
        return refuse(Errno::ENOMEM, "mincore", "the range is beyond the address space");
    }
    let end = start + page_align_len(len);
    let mut at = start;
    while at < end {
        let vma = find_vma_intersection(&sys.kernel.mms[mm], at, end);
        let Some(vma) = vma.filter(|v| v.vm_start <= at) else {
            return refuse(Errno::ENOMEM, "mincore", "part of the range is not mapped");
        };
        while at < vma.vm_end.min(end) {
            let mapped = lookup(sys, mm, at).is_some_and(|(_, pte)| pte_present(pte));
            let in_cache = vma.vm_ops == VmOps::File
                && vma.vm_file.is_some_and(|f| {
                    let pgoff = vma.vm_pgoff + (at - vma.vm_start) / PAGE_SIZE;
                    cached_page(sys, f, pgoff).is_some()
                });
            out.push(u8::from(mapped || in_cache));
            at += PAGE_SIZE;
        }
    }
    Ok(())
}
