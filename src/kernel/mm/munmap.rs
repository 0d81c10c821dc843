//! munmap(2): whole areas, parts of them, holes too.
//!
//! Linux: mm/vma.c (`do_vmi_munmap`, `vms_gather_munmap_vmas`, `unmap_region`).
//! Left out: mseal(2).

use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::account::{page_align_len, vm_stat_account, vma_pages};
use crate::kernel::mm::layout::task_size;
use crate::kernel::mm::pgtable::free_pgd_range;
use crate::kernel::mm::rmap::unlink_anon_vmas;
use crate::kernel::mm::tlb::flush_tlb_range;
use crate::kernel::mm::vma::{
    __split_vma, detach_vmas, find_vma_intersection, find_vma_prev, remove_vma, vmas_in,
};
use crate::kernel::mm::zap::unmap_page_range;
use crate::kernel::mm::{MmId, VmFlags, nommu};
use crate::kernel::system::System;

/// Unmaps `len` bytes at `start`, rounded up to pages.
///
/// # Errors
/// EINVAL for an unaligned start, a length of 0, or a range beyond the address
/// space; ENOMEM when cutting an area in two would exceed vm.max_map_count.
pub fn do_munmap(sys: &mut System, mm: MmId, start: u64, len: u64) -> Result<(), SysError> {
    let size = task_size(sys);
    if start & 0xfff != 0 {
        return refuse(
            Errno::EINVAL,
            "do_vmi_munmap",
            "the start is not a multiple of the page size",
        );
    }
    if start > size || len > size - start {
        return refuse(
            Errno::EINVAL,
            "do_vmi_munmap",
            "the range reaches beyond the user address space",
        );
    }
    let end = start.wrapping_add(page_align_len(len));
    if end == start {
        return refuse(Errno::EINVAL, "do_vmi_munmap", "the length is 0");
    }
    if !sys.machine.config.mmu {
        return nommu::do_munmap(sys, mm, start, end);
    }
    do_vmi_align_munmap(sys, mm, start, end)
}

/// The same for a range known to be sane. Nothing mapped there is fine.
///
/// # Errors
/// ENOMEM, see [`do_munmap`].
pub fn do_vmi_align_munmap(
    sys: &mut System,
    mm: MmId,
    start: u64,
    end: u64,
) -> Result<(), SysError> {
    let m = &sys.kernel.mms[mm];
    let Some(first) = find_vma_intersection(m, start, end) else { return Ok(()) };
    let (first_start, first_end) = (first.vm_start, first.vm_end);
    if start > first_start {
        if end < first_end && m.mmap.len() >= sys.kernel.sysctl.max_map_count as usize {
            return refuse(
                Errno::ENOMEM,
                "vms_gather_munmap_vmas",
                "a hole in the middle makes two areas of one, and the address space already has \
                 vm.max_map_count of them",
            );
        }
        __split_vma(sys, mm, first_start, start);
    }
    if let Some(&last) = vmas_in(&sys.kernel.mms[mm], start, end).last()
        && sys.kernel.mms[mm].mmap.get(&last).is_some_and(|v| v.vm_end > end)
    {
        __split_vma(sys, mm, last, end);
    }
    unmap_region(sys, mm, start, end);
    Ok(())
}

/// Removes the areas of `start..end`, which begin and end there, with their
/// pages and tables.
fn unmap_region(sys: &mut System, mm: MmId, start: u64, end: u64) {
    let areas = detach_vmas(sys, mm, start, end);
    let (Some(first), Some(last)) = (areas.first(), areas.last()) else { return };
    let (lo, hi) = (first.vm_start, last.vm_end);
    for vma in &areas {
        unmap_page_range(sys, mm, vma.vm_start, vma.vm_end);
    }
    let m = &sys.kernel.mms[mm];
    let floor = find_vma_prev(m, lo).map_or(0, |v| v.vm_end);
    let ceiling = m.mmap.range(hi..).next().map_or(u64::MAX, |(&s, _)| s);
    free_pgd_range(sys, mm, lo, hi, floor, ceiling);
    flush_tlb_range(sys, mm, lo, hi);
    for mut vma in areas {
        let m = &mut sys.kernel.mms[mm];
        vm_stat_account(m, vma.vm_flags, -(vma_pages(&vma) as i64));
        if vma.vm_flags.contains(VmFlags::LOCKED) {
            m.locked_vm = m.locked_vm.saturating_sub(vma_pages(&vma));
        }
        unlink_anon_vmas(sys, &mut vma);
        remove_vma(sys, vma);
    }
}
