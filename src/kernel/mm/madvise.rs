//! madvise(2): advice that changes what fork does with an area, drops pages,
//! or faults them in.
//!
//! Linux: mm/madvise.c. Over a hole the rest is still done and the answer is
//! ENOMEM. Left out: reclaim and huge-page advice, guard regions, MADV_FREE,
//! memory failure; they are refused by name.

use crate::abi::Errno;
use crate::abi::numbers::*;
use crate::base::PAGE_SIZE;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::fallocate::punch_hole;
use crate::kernel::mm::account::{page_align_len, vma_is_anonymous};
use crate::kernel::mm::filemap::file_inode;
use crate::kernel::mm::populate::madvise_populate;
use crate::kernel::mm::tlb::flush_tlb_range;
use crate::kernel::mm::vma::{find_vma_intersection, vma_modify_flags};
use crate::kernel::mm::zap::unmap_page_range;
use crate::kernel::mm::{MmId, VmAreaStruct, VmFlags};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Applies `advice` to `start..start + len`.
///
/// # Errors
/// EINVAL for bad arguments or advice that does not fit an area, ENOMEM when
/// part of the range is not mapped (the rest was done).
pub fn do_madvise(
    sys: &mut System,
    task: TaskId,
    start: u64,
    len: u64,
    advice: u32,
) -> Result<(), SysError> {
    let Some(mm) = sys.kernel.tasks[task].mm else {
        return refuse(Errno::EINVAL, "do_madvise", "a kernel thread has no areas");
    };
    let Some((name, _)) = MADV_NAMES.iter().find(|(_, v)| *v == i64::from(advice)) else {
        return refuse(Errno::EINVAL, "madvise_behavior_valid", "no such advice");
    };
    if start & 0xfff != 0 {
        return refuse(
            Errno::EINVAL,
            "is_valid_madvise",
            "the start is not a multiple of the page size",
        );
    }
    let rounded = page_align_len(len);
    if len != 0 && rounded == 0 {
        return refuse(Errno::EINVAL, "is_valid_madvise", "the length wraps when rounded up");
    }
    let Some(end) = start.checked_add(rounded) else {
        return refuse(Errno::EINVAL, "is_valid_madvise", "the range wraps around");
    };
    check_modelled(sys, advice, name)?;
    if end == start {
        return Ok(());
    }
    if advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE {
        return madvise_populate(sys, task, mm, start, end, advice == MADV_POPULATE_WRITE);
    }
    madvise_walk_vmas(sys, mm, start, end, advice)
}

/// Advice that Linux knows and this model does not.
fn check_modelled(sys: &System, advice: u32, name: &str) -> Result<(), SysError> {
    let why = match advice {
        MADV_FREE => "lazy freeing needs reclaim, which is not modelled; use MADV_DONTNEED",
        MADV_MERGEABLE | MADV_UNMERGEABLE => "same-page merging (KSM) is not modelled",
        MADV_HUGEPAGE | MADV_NOHUGEPAGE | MADV_COLLAPSE => "huge pages are not modelled",
        MADV_COLD | MADV_PAGEOUT => "reclaim is not modelled",
        MADV_HWPOISON | MADV_SOFT_OFFLINE => "memory failure is not modelled",
        MADV_GUARD_INSTALL | MADV_GUARD_REMOVE => "guard regions are not modelled",
        _ if !sys.machine.config.mmu => "without an MMU there are no pages to advise on",
        _ => return Ok(()),
    };
    Err(SysError::with(Errno::EINVAL, "do_madvise", format!("{name}: {why}")))
}

fn madvise_walk_vmas(
    sys: &mut System,
    mm: MmId,
    start: u64,
    end: u64,
    advice: u32,
) -> Result<(), SysError> {
    let mut unmapped = false;
    let mut at = start;
    while at < end {
        let Some(vma) = find_vma_intersection(&sys.kernel.mms[mm], at, end) else {
            unmapped = true;
            break;
        };
        let (key, lo, hi) = (vma.vm_start, vma.vm_start.max(at), vma.vm_end.min(end));
        unmapped |= lo > at;
        madvise_vma_behavior(sys, mm, key, lo, hi, advice)?;
        at = hi;
    }
    if unmapped {
        return refuse(
            Errno::ENOMEM,
            "madvise_walk_vmas",
            "part of the range is not mapped; the advice was applied to the rest",
        );
    }
    Ok(())
}

/// Punches a hole into the file behind an area (`madvise_remove`).
fn madvise_remove(
    sys: &mut System,
    vma: VmAreaStruct,
    start: u64,
    end: u64,
) -> Result<(), SysError> {
    const F: &str = "madvise_remove";
    if vma.vm_flags.contains(VmFlags::LOCKED) {
        return refuse(Errno::EINVAL, F, "locked pages cannot be dropped");
    }
    let Some(inode) = vma.vm_file.and_then(|file| file_inode(sys, file)) else {
        return refuse(Errno::EINVAL, F, "no file is behind this area");
    };
    if !vma.vm_flags.contains(VmFlags::SHARED | VmFlags::MAYWRITE) {
        return refuse(
            Errno::EACCES,
            F,
            "the area is not shared, or its file not open for writing",
        );
    }
    let at = |addr: u64| addr - vma.vm_start + vma.vm_pgoff * PAGE_SIZE;
    punch_hole(sys, inode, at(start), at(end));
    Ok(())
}

/// One area, or the part of it in the range.
fn madvise_vma_behavior(
    sys: &mut System,
    mm: MmId,
    key: u64,
    start: u64,
    end: u64,
    advice: u32,
) -> Result<(), SysError> {
    let Some(vma) = sys.kernel.mms[mm].mmap.get(&key) else { return Ok(()) };
    let old = vma.vm_flags;
    let reading = VmFlags::SEQ_READ | VmFlags::RAND_READ;
    let new = match advice {
        MADV_NORMAL => old.difference(reading),
        MADV_SEQUENTIAL => old.difference(reading) | VmFlags::SEQ_READ,
        MADV_RANDOM => old.difference(reading) | VmFlags::RAND_READ,
        MADV_DONTFORK => old | VmFlags::DONTCOPY,
        MADV_DOFORK => old.difference(VmFlags::DONTCOPY),
        MADV_DONTDUMP => old | VmFlags::DONTDUMP,
        MADV_DODUMP => old.difference(VmFlags::DONTDUMP),
        MADV_KEEPONFORK => old.difference(VmFlags::WIPEONFORK),
        MADV_WIPEONFORK if vma.vm_file.is_some() || old.contains(VmFlags::SHARED) => {
            return refuse(
                Errno::EINVAL,
                "madvise_vma_behavior",
                "MADV_WIPEONFORK works on private anonymous memory only",
            );
        }
        MADV_WIPEONFORK => old | VmFlags::WIPEONFORK,
        MADV_DONTNEED if old.contains(VmFlags::LOCKED) => {
            return refuse(
                Errno::EINVAL,
                "madvise_dontneed_free_valid_vma",
                "locked pages cannot be dropped; MADV_DONTNEED_LOCKED can",
            );
        }
        MADV_REMOVE => return madvise_remove(sys, vma.clone(), start, end),
        MADV_DONTNEED | MADV_DONTNEED_LOCKED => {
            unmap_page_range(sys, mm, start, end);
            flush_tlb_range(sys, mm, start, end);
            return Ok(());
        }
        // Nothing to read ahead: files are in memory, there is no swap.
        MADV_WILLNEED => {
            debug_assert!(vma_is_anonymous(vma) || vma.vm_file.is_some());
            return Ok(());
        }
        _ => return Ok(()),
    };
    if new != old {
        vma_modify_flags(sys, mm, key, start, end, new)?;
    }
    Ok(())
}
