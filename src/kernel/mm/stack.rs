//! Stacks grow by faulting below them.
//!
//! ```text
//! prev |   at least 256 pages   | new part | stack ........ |
//! ```
//!
//! Linux: mm/vma.c, mm/mmap.c (`expand_downwards`, `acct_stack_growth`).
//! Left out: areas that grow up (no x86 has them).

use crate::abi::Errno;
use crate::abi::numbers::RLIMIT_STACK;
use crate::base::{PAGE_MASK, PAGE_SHIFT};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::account::{
    may_expand_vm, mlock_future_ok, rlimit, vm_enough_memory, vm_stat_account,
};
use crate::kernel::mm::layout::STACK_GUARD_GAP;
use crate::kernel::mm::rmap::anon_vma_prepare;
use crate::kernel::mm::vma::find_vma_prev;
use crate::kernel::mm::{MmId, VmFlags};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Grows the area that begins at `start` down to the page of `addr`.
///
/// # Errors
/// ENOMEM by the guard gap or a limit, EPERM below vm.mmap_min_addr.
pub fn expand_stack(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    start: u64,
    addr: u64,
) -> Result<(), SysError> {
    let addr = addr & PAGE_MASK;
    let m = &sys.kernel.mms[mm];
    let Some(vma) = m.mmap.get(&start) else {
        return refuse(Errno::EFAULT, "expand_downwards", "no such area");
    };
    if addr < sys.kernel.sysctl.mmap_min_addr {
        return refuse(
            Errno::EPERM,
            "expand_downwards",
            "the stack would reach below vm.mmap_min_addr",
        );
    }
    if let Some(prev) = find_vma_prev(m, start)
        && !prev.vm_flags.contains(VmFlags::GROWSDOWN)
        && prev.vm_flags.intersects(VmFlags::ACCESS)
        && addr.saturating_sub(prev.vm_end) < STACK_GUARD_GAP
    {
        return refuse(
            Errno::ENOMEM,
            "expand_downwards",
            "the stack would come closer than 256 pages to the mapping below it",
        );
    }
    let (end, flags, pgoff) = (vma.vm_end, vma.vm_flags, vma.vm_pgoff);
    if addr >= start {
        return Ok(());
    }
    let grow = (start - addr) >> PAGE_SHIFT;
    if grow > pgoff {
        return refuse(Errno::ENOMEM, "expand_downwards", "the area's offset would wrap");
    }
    may_expand_vm(sys, task, mm, flags, grow)?;
    let limit = rlimit(sys, task, RLIMIT_STACK);
    if end - addr > limit {
        let why = format!("RLIMIT_STACK allows a stack of {limit} bytes, this is beyond it");
        return Err(SysError::with(Errno::ENOMEM, "acct_stack_growth", why));
    }
    mlock_future_ok(sys, task, mm, flags, grow << PAGE_SHIFT)
        .map_err(|e| SysError { errno: Errno::ENOMEM, ..e })?;
    vm_enough_memory(sys, grow)?;
    anon_vma_prepare(sys, mm, start);
    let m = &mut sys.kernel.mms[mm];
    if flags.contains(VmFlags::LOCKED) {
        m.locked_vm += grow;
    }
    vm_stat_account(m, flags, grow as i64);
    if let Some(mut vma) = m.mmap.remove(&start) {
        vma.vm_start = addr;
        vma.vm_pgoff = pgoff - grow;
        m.mmap.insert(addr, vma);
    }
    Ok(())
}
