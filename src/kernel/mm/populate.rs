//! Faulting pages in ahead of use: MAP_POPULATE, mlock, MADV_POPULATE_*.
//!
//! Linux: mm/gup.c (`__mm_populate`, `populate_vma_page_range`,
//! `faultin_page_range`). Left out: MAP_NONBLOCK (nothing is done then).

use crate::abi::Errno;
use crate::base::PAGE_SIZE;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::fault::{FaultFlags, VmFault, handle_mm_fault};
use crate::kernel::mm::pgtable::{lookup, pte_present};
use crate::kernel::mm::vma::find_vma_intersection;
use crate::kernel::mm::{MmId, VmFlags};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Makes one page present with the rights for `write` (`faultin_page`).
///
/// # Errors
/// How the fault failed.
pub fn faultin_page(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    addr: u64,
    write: bool,
) -> Result<(), VmFault> {
    // The second round sees what the first made; more would be a loop.
    for _ in 0..3 {
        if let Some((_, pte)) = lookup(sys, mm, addr)
            && pte_present(pte)
            && (!write || pte.is_writable())
        {
            return Ok(());
        }
        let flags = if write { FaultFlags::WRITE } else { FaultFlags::empty() };
        handle_mm_fault(sys, task, mm, addr, flags)?;
    }
    Ok(())
}

/// Faults in everything mapped in `start..end`; private writable areas are
/// broken from sharing at once.
///
/// # Errors
/// EFAULT where an area gives no access, ENOMEM over a hole or without memory.
pub fn mm_populate(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    start: u64,
    end: u64,
) -> Result<(), SysError> {
    let mut at = start;
    while at < end {
        let Some(vma) = find_vma_intersection(&sys.kernel.mms[mm], at, end) else { break };
        let flags = vma.vm_flags;
        let (lo, hi) = (vma.vm_start.max(at), vma.vm_end.min(end));
        let private_write = flags & (VmFlags::WRITE | VmFlags::SHARED) == VmFlags::WRITE;
        if !flags.intersects(VmFlags::ACCESS) {
            return refuse(
                Errno::EFAULT,
                "populate_vma_page_range",
                "the area allows no access, so its pages cannot be faulted in",
            );
        }
        if !flags.contains(VmFlags::LOCKONFAULT) {
            fault_range(sys, task, mm, lo, hi, private_write)?;
        }
        at = hi;
    }
    Ok(())
}

/// MADV_POPULATE_READ and MADV_POPULATE_WRITE: without holes, and the rights
/// must be there.
///
/// # Errors
/// ENOMEM over a hole or without memory, EINVAL without the rights, EFAULT
/// beyond the end of a file.
pub fn madvise_populate(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    start: u64,
    end: u64,
    write: bool,
) -> Result<(), SysError> {
    let mut at = start;
    while at < end {
        let vma = find_vma_intersection(&sys.kernel.mms[mm], at, end);
        let Some(vma) = vma.filter(|v| v.vm_start <= at) else {
            return refuse(Errno::ENOMEM, "faultin_page_range", "part of the range is not mapped");
        };
        let (flags, hi) = (vma.vm_flags, vma.vm_end.min(end));
        let need = if write { VmFlags::WRITE } else { VmFlags::READ };
        if !flags.contains(need) {
            return refuse(
                Errno::EINVAL,
                "check_vma_flags",
                "an area in the range does not allow this kind of access",
            );
        }
        fault_range(sys, task, mm, at, hi, write)?;
        at = hi;
    }
    Ok(())
}

fn fault_range(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    start: u64,
    end: u64,
    write: bool,
) -> Result<(), SysError> {
    let mut at = start;
    while at < end {
        match faultin_page(sys, task, mm, at, write) {
            Ok(()) => {}
            Err(VmFault::Oom(e)) => return Err(e),
            Err(VmFault::Sigbus) => {
                return refuse(
                    Errno::EFAULT,
                    "faultin_page",
                    "a page of the range lies beyond the end of the file",
                );
            }
            Err(VmFault::Sigsegv) => {
                return refuse(Errno::EFAULT, "faultin_page", "a page cannot be accessed");
            }
        }
        at += PAGE_SIZE;
    }
    Ok(())
}
