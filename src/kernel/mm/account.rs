//! Counting mapped pages, and the limits on them.
//!
//! Linux: mm/vma.c (`may_expand_vm`, `vm_stat_account`), mm/util.c
//! (`__vm_enough_memory`), include/linux/mm.h (`is_data_mapping`), mm/mlock.c
//! (`can_do_mlock`).
//! Left out: vm.overcommit_memory other than 0; a sum of committed memory,
//! which mode 0 does not consult.

use crate::abi::numbers::{RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK};
use crate::abi::{Cap, Errno};
use crate::base::{PAGE_SHIFT, PAGE_SIZE};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::{MmId, MmStruct, VmAreaStruct, VmFlags, VmOps};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// The soft limit of a task, in the limit's own unit.
pub fn rlimit(sys: &System, task: TaskId, which: u32) -> u64 {
    let signal = sys.kernel.tasks.get(task).and_then(|t| t.signal);
    let limits = signal.and_then(|s| sys.kernel.signals.get(s)).map(|s| &s.rlim);
    limits.and_then(|r| r.get(which as usize)).map_or(u64::MAX, |l| l.cur)
}

/// Whether the task has the capability in the initial user namespace.
pub fn has_cap(sys: &System, task: TaskId, cap: Cap) -> bool {
    let cred = sys.cred(task);
    cred.user_ns == sys.kernel.init_user_ns && cred.cap_effective.contains(cap)
}

fn is_stack_mapping(flags: VmFlags) -> bool {
    flags.contains(VmFlags::GROWSDOWN)
}

fn is_exec_mapping(flags: VmFlags) -> bool {
    flags & (VmFlags::EXEC | VmFlags::WRITE | VmFlags::GROWSDOWN) == VmFlags::EXEC
}

fn is_data_mapping(flags: VmFlags) -> bool {
    flags & (VmFlags::WRITE | VmFlags::SHARED | VmFlags::GROWSDOWN) == VmFlags::WRITE
}

/// Number of pages of an area.
pub fn vma_pages(vma: &VmAreaStruct) -> u64 {
    (vma.vm_end - vma.vm_start) >> PAGE_SHIFT
}

/// Adds (or with a negative number takes off) pages of an area with `flags`.
pub fn vm_stat_account(m: &mut MmStruct, flags: VmFlags, pages: i64) {
    m.total_vm = m.total_vm.saturating_add_signed(pages);
    let part = if is_exec_mapping(flags) {
        &mut m.exec_vm
    } else if is_stack_mapping(flags) {
        &mut m.stack_vm
    } else if is_data_mapping(flags) {
        &mut m.data_vm
    } else {
        return;
    };
    *part = part.saturating_add_signed(pages);
}

/// Whether an area with these flags counts as committed memory
/// (`accountable_mapping`).
pub fn accountable_mapping(flags: VmFlags) -> bool {
    flags & (VmFlags::NORESERVE | VmFlags::SHARED | VmFlags::WRITE) == VmFlags::WRITE
}

/// Whether the area may grow by `pages` under RLIMIT_AS and RLIMIT_DATA.
///
/// # Errors
/// ENOMEM, naming the limit.
pub fn may_expand_vm(
    sys: &System,
    task: TaskId,
    mm: MmId,
    flags: VmFlags,
    pages: u64,
) -> Result<(), SysError> {
    let m = &sys.kernel.mms[mm];
    let limit = rlimit(sys, task, RLIMIT_AS);
    if m.total_vm.saturating_add(pages) > limit >> PAGE_SHIFT {
        let why = format!("RLIMIT_AS allows {limit} bytes of address space, this is beyond it");
        return Err(SysError::with(Errno::ENOMEM, "may_expand_vm", why));
    }
    let limit = rlimit(sys, task, RLIMIT_DATA);
    if is_data_mapping(flags) && m.data_vm.saturating_add(pages) > limit >> PAGE_SHIFT {
        let why = format!("RLIMIT_DATA allows {limit} bytes of data, this is beyond it");
        return Err(SysError::with(Errno::ENOMEM, "may_expand_vm", why));
    }
    Ok(())
}

/// Heuristic overcommit: only a request larger than the whole machine is
/// refused (`__vm_enough_memory`, mode 0).
///
/// # Errors
/// ENOMEM.
pub fn vm_enough_memory(sys: &System, pages: u64) -> Result<(), SysError> {
    let total = u64::from(sys.machine.mem.total_pages());
    if pages > total {
        let why = format!("{pages} pages are more than the machine has altogether ({total})");
        return Err(SysError::with(Errno::ENOMEM, "__vm_enough_memory", why));
    }
    Ok(())
}

/// Whether the task may lock memory at all.
pub fn can_do_mlock(sys: &System, task: TaskId) -> bool {
    rlimit(sys, task, RLIMIT_MEMLOCK) != 0 || has_cap(sys, task, Cap::CAP_IPC_LOCK)
}

/// Whether `bytes` more may be locked if the flags ask for it.
///
/// # Errors
/// EAGAIN.
pub fn mlock_future_ok(
    sys: &System,
    task: TaskId,
    mm: MmId,
    flags: VmFlags,
    bytes: u64,
) -> Result<(), SysError> {
    if !flags.contains(VmFlags::LOCKED) || has_cap(sys, task, Cap::CAP_IPC_LOCK) {
        return Ok(());
    }
    let limit = rlimit(sys, task, RLIMIT_MEMLOCK) >> PAGE_SHIFT;
    if (bytes >> PAGE_SHIFT).saturating_add(sys.kernel.mms[mm].locked_vm) > limit {
        return refuse(
            Errno::EAGAIN,
            "mlock_future_ok",
            "the new mapping would be locked, and RLIMIT_MEMLOCK does not allow that much",
        );
    }
    Ok(())
}

/// PAGE_ALIGN of a length as Linux computes it: 0 when it wraps.
pub fn page_align_len(len: u64) -> u64 {
    len.wrapping_add(PAGE_SIZE - 1) & !(PAGE_SIZE - 1)
}

/// Whether nothing but anonymous pages can be in it (`vma_is_anonymous`).
pub fn vma_is_anonymous(vma: &VmAreaStruct) -> bool {
    vma.vm_ops == VmOps::Anonymous
}
