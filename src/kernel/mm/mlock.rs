//! mlock(2) and its relatives. Without reclaim nothing is ever swapped out:
//! what remains is the flag, the accounting, the limits and the faulting in.
//!
//! Linux: mm/mlock.c. Left out: the unevictable list.

use crate::abi::numbers::RLIMIT_MEMLOCK;
use crate::abi::{Cap, Errno};
use crate::base::{PAGE_MASK, PAGE_SHIFT};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::account::{can_do_mlock, has_cap, page_align_len, rlimit};
use crate::kernel::mm::layout::task_size;
use crate::kernel::mm::populate::mm_populate;
use crate::kernel::mm::vma::{find_vma_intersection, vma_modify_flags, vmas_in};
use crate::kernel::mm::{MmId, VmFlags};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// mlockall: what is mapped now.
pub const MCL_CURRENT: u32 = 1;
/// mlockall: what will be mapped.
pub const MCL_FUTURE: u32 = 2;
/// mlockall: lock pages as they are faulted in.
pub const MCL_ONFAULT: u32 = 4;

fn current_mm(sys: &System, task: TaskId) -> Result<MmId, SysError> {
    sys.kernel.tasks[task].mm.ok_or(SysError::new(
        Errno::ENOMEM,
        "do_mlock",
        "a kernel thread has no address space",
    ))
}

fn not_allowed<T>() -> Result<T, SysError> {
    refuse(
        Errno::EPERM,
        "can_do_mlock",
        "locking memory needs CAP_IPC_LOCK or an RLIMIT_MEMLOCK above 0",
    )
}

/// mlock(2): `len` bytes at `start`, widened to whole pages.
///
/// # Errors
/// EPERM, ENOMEM beyond RLIMIT_MEMLOCK or over a hole, EINVAL, EAGAIN without
/// memory.
pub fn do_mlock(sys: &mut System, task: TaskId, start: u64, len: u64) -> Result<(), SysError> {
    let mm = current_mm(sys, task)?;
    if !can_do_mlock(sys, task) {
        return not_allowed();
    }
    let (start, len) = widen(start, len);
    let limit = rlimit(sys, task, RLIMIT_MEMLOCK) >> PAGE_SHIFT;
    let m = &sys.kernel.mms[mm];
    let mut locked = (len >> PAGE_SHIFT) + m.locked_vm;
    let capable = has_cap(sys, task, Cap::CAP_IPC_LOCK);
    if locked > limit && !capable {
        // What the range has locked already is not counted twice.
        let end = start.saturating_add(len);
        for key in vmas_in(m, start, end) {
            let Some(v) = m.mmap.get(&key) else { continue };
            if v.vm_flags.contains(VmFlags::LOCKED) {
                locked -= ((v.vm_end.min(end) - v.vm_start.max(start)) >> PAGE_SHIFT).min(locked);
            }
        }
    }
    if locked > limit && !capable {
        return refuse(
            Errno::ENOMEM,
            "do_mlock",
            "RLIMIT_MEMLOCK does not allow that many locked pages",
        );
    }
    apply_vma_lock_flags(sys, mm, start, len, VmFlags::LOCKED)?;
    mm_populate(sys, task, mm, start, start + len).map_err(|e| {
        // `__mlock_posix_error_return`.
        let errno = if e.errno == Errno::EFAULT { Errno::ENOMEM } else { Errno::EAGAIN };
        SysError { errno, ..e }
    })
}

/// munlock(2).
///
/// # Errors
/// EINVAL, ENOMEM over a hole.
pub fn do_munlock(sys: &mut System, task: TaskId, start: u64, len: u64) -> Result<(), SysError> {
    let mm = current_mm(sys, task)?;
    let (start, len) = widen(start, len);
    apply_vma_lock_flags(sys, mm, start, len, VmFlags::empty())
}

/// mlockall(2).
///
/// # Errors
/// EINVAL, EPERM, ENOMEM beyond RLIMIT_MEMLOCK.
pub fn do_mlockall(sys: &mut System, task: TaskId, flags: u32) -> Result<(), SysError> {
    let mm = current_mm(sys, task)?;
    if flags == 0 || flags & !(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0 || flags == MCL_ONFAULT
    {
        return refuse(
            Errno::EINVAL,
            "mlockall",
            "flags must name MCL_CURRENT or MCL_FUTURE, and nothing unknown",
        );
    }
    if !can_do_mlock(sys, task) {
        return not_allowed();
    }
    let limit = rlimit(sys, task, RLIMIT_MEMLOCK) >> PAGE_SHIFT;
    if flags & MCL_CURRENT != 0
        && sys.kernel.mms[mm].total_vm > limit
        && !has_cap(sys, task, Cap::CAP_IPC_LOCK)
    {
        return refuse(
            Errno::ENOMEM,
            "mlockall",
            "the address space is larger than RLIMIT_MEMLOCK allows to lock",
        );
    }
    let mut locked = VmFlags::LOCKED;
    locked.set(VmFlags::LOCKONFAULT, flags & MCL_ONFAULT != 0);
    let m = &mut sys.kernel.mms[mm];
    m.def_flags -= VmFlags::LOCKED_MASK;
    if flags & MCL_FUTURE != 0 {
        m.def_flags |= locked;
    }
    if flags & MCL_CURRENT != 0 {
        lock_all(sys, mm, locked);
        let end = task_size(sys);
        let _ = mm_populate(sys, task, mm, 0, end);
    }
    Ok(())
}

/// munlockall(2).
///
/// # Errors
/// None with an address space.
pub fn do_munlockall(sys: &mut System, task: TaskId) -> Result<(), SysError> {
    let mm = current_mm(sys, task)?;
    sys.kernel.mms[mm].def_flags -= VmFlags::LOCKED_MASK;
    lock_all(sys, mm, VmFlags::empty());
    Ok(())
}

/// `PAGE_ALIGN(len + offset_in_page(start))`, `start & PAGE_MASK`.
fn widen(start: u64, len: u64) -> (u64, u64) {
    (start & PAGE_MASK, page_align_len(len.wrapping_add(start & !PAGE_MASK)))
}

/// Every area; one that cannot be changed is passed over
/// (`apply_mlockall_flags`).
fn lock_all(sys: &mut System, mm: MmId, locked: VmFlags) {
    let keys: Vec<u64> = sys.kernel.mms[mm].mmap.keys().copied().collect();
    for key in keys {
        // An earlier change may have merged this one away.
        let Some(v) = sys.kernel.mms[mm].mmap.get(&key) else { continue };
        let (end, new) = (v.vm_end, v.vm_flags.difference(VmFlags::LOCKED_MASK) | locked);
        let _ = mlock_fixup(sys, mm, key, key, end, new);
    }
}

fn apply_vma_lock_flags(
    sys: &mut System,
    mm: MmId,
    start: u64,
    len: u64,
    locked: VmFlags,
) -> Result<(), SysError> {
    let hole = || {
        refuse(
            Errno::ENOMEM,
            "apply_vma_lock_flags",
            "part of the range is not mapped; what lies before the hole was done",
        )
    };
    let Some(end) = start.checked_add(len) else {
        return refuse(Errno::EINVAL, "apply_vma_lock_flags", "the range wraps around");
    };
    let mut at = start;
    while at < end {
        let vma = find_vma_intersection(&sys.kernel.mms[mm], at, end);
        let Some(vma) = vma.filter(|v| v.vm_start <= at) else { return hole() };
        let (key, stop) = (vma.vm_start, vma.vm_end.min(end));
        let new = vma.vm_flags.difference(VmFlags::LOCKED_MASK) | locked;
        mlock_fixup(sys, mm, key, at, stop, new)?;
        at = stop;
    }
    Ok(())
}

fn mlock_fixup(
    sys: &mut System,
    mm: MmId,
    key: u64,
    start: u64,
    end: u64,
    new: VmFlags,
) -> Result<(), SysError> {
    let Some(vma) = sys.kernel.mms[mm].mmap.get(&key) else { return Ok(()) };
    let old = vma.vm_flags;
    if old == new {
        return Ok(());
    }
    vma_modify_flags(sys, mm, key, start, end, new)?;
    let pages = (end - start) >> PAGE_SHIFT;
    let m = &mut sys.kernel.mms[mm];
    match (old.contains(VmFlags::LOCKED), new.contains(VmFlags::LOCKED)) {
        (false, true) => m.locked_vm += pages,
        (true, false) => m.locked_vm = m.locked_vm.saturating_sub(pages),
        _ => {}
    }
    Ok(())
}
