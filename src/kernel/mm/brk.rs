//! brk(2): the end of the heap.
//!
//! Linux: mm/mmap.c (`brk`), mm/vma.c (`do_brk_flags`). A refusal is no errno:
//! the call returns the old end and the C library makes ENOMEM of it.
//! Left out: nothing.

use crate::abi::Errno;
use crate::abi::flags::MapFlags;
use crate::abi::numbers::RLIMIT_DATA;
use crate::base::{PAGE_SHIFT, PAGE_SIZE};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::account::{
    may_expand_vm, mlock_future_ok, page_align_len, rlimit, vm_enough_memory,
};
use crate::kernel::mm::gap::get_unmapped_area;
use crate::kernel::mm::layout::STACK_GUARD_GAP;
use crate::kernel::mm::mmap::insert_vma;
use crate::kernel::mm::munmap::do_vmi_align_munmap;
use crate::kernel::mm::populate::mm_populate;
use crate::kernel::mm::vma::{find_vma, vm_start_gap};
use crate::kernel::mm::{MmId, VmAreaStruct, VmFlags, VmOps};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// `VM_DATA_DEFAULT_FLAGS | VM_ACCOUNT`: what a heap is.
pub const DATA_FLAGS: VmFlags =
    VmFlags::READ.union(VmFlags::WRITE).union(VmFlags::MAY).union(VmFlags::ACCOUNT);

/// Moves the end of the heap and gives where it is now: `brk`, or the old end
/// when that is refused.
pub fn do_brk(sys: &mut System, task: TaskId, brk: u64) -> u64 {
    let Some(mm) = sys.kernel.tasks[task].mm else { return 0 };
    let old = sys.kernel.mms[mm].brk;
    match try_brk(sys, task, mm, brk) {
        Ok(()) => brk,
        Err(e) => {
            if sys.log.on() {
                let text = format!("brk({brk:#x}) stays at {old:#x}: {}", e.why);
                sys.log.push(crate::trace::EventKind::Note(text));
            }
            old
        }
    }
}

/// The same with the reason of a refusal, for views and lessons.
///
/// # Errors
/// What brk(2) hides. The errno is the internal one.
pub fn try_brk(sys: &mut System, task: TaskId, mm: MmId, brk: u64) -> Result<(), SysError> {
    if !sys.machine.config.mmu {
        return refuse(Errno::ENOMEM, "brk", "without an MMU the heap cannot grow; use mmap");
    }
    let m = &sys.kernel.mms[mm];
    let (start_brk, orig) = (m.start_brk, m.brk);
    if brk < start_brk {
        return refuse(Errno::ENOMEM, "brk", "the heap cannot end before it begins");
    }
    let data = (brk - start_brk).saturating_add(m.end_data.saturating_sub(m.start_data));
    if data > rlimit(sys, task, RLIMIT_DATA) {
        return refuse(Errno::ENOMEM, "check_data_rlimit", "RLIMIT_DATA forbids a heap this large");
    }
    let (new_end, old_end) = (page_align_len(brk), page_align_len(orig));
    if new_end == 0 && brk != 0 {
        return refuse(Errno::ENOMEM, "brk", "the address wraps when rounded up");
    }
    if old_end == new_end {
        sys.kernel.mms[mm].brk = brk;
        return Ok(());
    }
    if brk <= orig {
        if find_vma(m, new_end).is_none_or(|v| v.vm_start >= old_end) {
            return refuse(Errno::ENOMEM, "brk", "the heap was unmapped");
        }
        do_vmi_align_munmap(sys, mm, new_end, old_end)?;
        sys.kernel.mms[mm].brk = brk;
        return Ok(());
    }
    let len = new_end - old_end;
    let def_flags = m.def_flags;
    get_unmapped_area(sys, task, mm, old_end, len, MapFlags::MAP_FIXED, VmFlags::empty())?;
    mlock_future_ok(sys, task, mm, def_flags, len)?;
    let m = &sys.kernel.mms[mm];
    let in_the_way = find_vma(m, old_end)
        .filter(|v| v.vm_start < new_end.saturating_add(PAGE_SIZE + STACK_GUARD_GAP))
        .is_some_and(|v| new_end.saturating_add(PAGE_SIZE) > vm_start_gap(v));
    if in_the_way {
        return refuse(
            Errno::ENOMEM,
            "brk",
            "the heap would run into the next area or into a stack's guard gap",
        );
    }
    do_brk_flags(sys, task, mm, old_end, len)?;
    sys.kernel.mms[mm].brk = brk;
    if def_flags.contains(VmFlags::LOCKED) {
        let _ = mm_populate(sys, task, mm, old_end, new_end);
    }
    Ok(())
}

/// Adds `len` bytes of anonymous data at `addr`, where nothing is mapped.
///
/// # Errors
/// ENOMEM by limits, number of areas, or size.
pub fn do_brk_flags(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    addr: u64,
    len: u64,
) -> Result<(), SysError> {
    let flags = DATA_FLAGS | sys.kernel.mms[mm].def_flags;
    may_expand_vm(sys, task, mm, flags, len >> PAGE_SHIFT)?;
    if sys.kernel.mms[mm].mmap.len() > sys.kernel.sysctl.max_map_count as usize {
        return refuse(Errno::ENOMEM, "do_brk_flags", "more than vm.max_map_count areas");
    }
    vm_enough_memory(sys, len >> PAGE_SHIFT)?;
    let vma = VmAreaStruct {
        vm_start: addr,
        vm_end: addr + len,
        vm_flags: flags,
        vm_pgoff: addr >> PAGE_SHIFT,
        vm_file: None,
        vm_ops: VmOps::Anonymous,
        anon_vma: None,
        anon_vma_chain: Default::default(),
    };
    insert_vma(sys, mm, vma);
    Ok(())
}
