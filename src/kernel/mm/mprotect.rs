//! mprotect(2): area by area, so that a failure in the middle leaves what was
//! done.
//!
//! Linux: mm/mprotect.c (`do_mprotect_pkey`, `mprotect_fixup`,
//! `change_pte_range`). Left out: protection keys, mseal(2).

use crate::abi::Errno;
use crate::abi::flags::ProtFlags;
use crate::base::PAGE_SHIFT;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::account::{
    may_expand_vm, page_align_len, vm_enough_memory, vm_stat_account, vma_is_anonymous,
};
use crate::kernel::mm::mmap::calc_vm_prot_bits;
use crate::kernel::mm::pgtable::{pte_present, pte_range, pte_tables, vm_page_prot};
use crate::kernel::mm::populate::mm_populate;
use crate::kernel::mm::tlb::flush_tlb_range;
use crate::kernel::mm::vma::{find_vma_intersection, vma_modify_flags};
use crate::kernel::mm::{MmId, VmFlags};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::{PageBug, PageFlags, Pte, PteFlags, ZapEntry};
use crate::traced;

/// Changes the access rights of `start..start + len`. `prot` is the raw word.
///
/// # Errors
/// EINVAL, ENOMEM over a hole (after the areas before it were changed),
/// EACCES when a file does not allow it.
pub fn do_mprotect(
    sys: &mut System,
    task: TaskId,
    start: u64,
    len: u64,
    prot: u32,
) -> Result<(), SysError> {
    let Some(mm) = sys.kernel.tasks[task].mm else {
        return refuse(Errno::ENOMEM, "do_mprotect_pkey", "a kernel thread has no areas");
    };
    if !sys.machine.config.mmu {
        return refuse(
            Errno::ENOSYS,
            "sys_mprotect",
            "without an MMU there is nothing that could protect memory",
        );
    }
    let grows = ProtFlags::PROT_GROWSDOWN | ProtFlags::PROT_GROWSUP;
    let asked = ProtFlags::from_bits_retain(prot);
    if asked.contains(grows) {
        return refuse(
            Errno::EINVAL,
            "do_mprotect_pkey",
            "PROT_GROWSDOWN and PROT_GROWSUP exclude each other",
        );
    }
    if start & 0xfff != 0 {
        return refuse(
            Errno::EINVAL,
            "do_mprotect_pkey",
            "the start is not a multiple of the page size",
        );
    }
    if len == 0 {
        return Ok(());
    }
    let end = start.wrapping_add(page_align_len(len));
    if end <= start {
        return refuse(
            Errno::ENOMEM,
            "do_mprotect_pkey",
            "start and length wrap around the address space",
        );
    }
    let known =
        ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC | ProtFlags::PROT_SEM;
    if !(known | grows).contains(asked) {
        return refuse(
            Errno::EINVAL,
            "arch_validate_prot",
            "prot has bits that are no PROT_ flag of this architecture",
        );
    }
    let start = first_area(sys, mm, start, end, asked)?;
    apply(sys, task, mm, start, end, prot)
}

const HOLE: SysError = SysError::new(
    Errno::ENOMEM,
    "do_mprotect_pkey",
    "part of the range is not mapped; what lies before the hole was changed",
);

/// Checks the first area and extends the range down for PROT_GROWSDOWN.
fn first_area(
    sys: &System,
    mm: MmId,
    start: u64,
    end: u64,
    prot: ProtFlags,
) -> Result<u64, SysError> {
    let unmapped = SysError::new(
        Errno::ENOMEM,
        "do_mprotect_pkey",
        "nothing is mapped at the start of the range",
    );
    let Some(vma) = find_vma_intersection(&sys.kernel.mms[mm], start, end) else {
        return Err(unmapped);
    };
    if prot.contains(ProtFlags::PROT_GROWSDOWN) {
        if !vma.vm_flags.contains(VmFlags::GROWSDOWN) {
            return refuse(
                Errno::EINVAL,
                "do_mprotect_pkey",
                "PROT_GROWSDOWN, but the area there does not grow down",
            );
        }
        return Ok(vma.vm_start);
    }
    if vma.vm_start > start {
        return Err(unmapped);
    }
    if prot.contains(ProtFlags::PROT_GROWSUP) {
        return refuse(
            Errno::EINVAL,
            "do_mprotect_pkey",
            "PROT_GROWSUP, but no area grows up on x86",
        );
    }
    Ok(start)
}

fn apply(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    start: u64,
    end: u64,
    prot: u32,
) -> Result<(), SysError> {
    let mut at = start;
    while at < end {
        let Some(vma) = find_vma_intersection(&sys.kernel.mms[mm], at, end) else {
            return Err(HOLE);
        };
        if vma.vm_start > at {
            return Err(HOLE);
        }
        let old = vma.vm_flags;
        let (key, stop) = (vma.vm_start, vma.vm_end.min(end));
        let new = calc_vm_prot_bits(prot) | old.difference(VmFlags::ACCESS);
        // VM_MAYx is VM_x shifted by four.
        let may = VmFlags::from_bits_truncate(new.bits() >> 4);
        if !(new & VmFlags::ACCESS).difference(may).is_empty() {
            return refuse(
                Errno::EACCES,
                "do_mprotect_pkey",
                "the mapping may never have these rights: its file was not opened for them",
            );
        }
        traced!(sys, mprotect_fixup(task, mm, key, at, stop, new))?;
        at = stop;
    }
    Ok(())
}

/// Changes one area or part of one: limits, flags, entries, TLB.
fn mprotect_fixup(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    key: u64,
    start: u64,
    end: u64,
    new: VmFlags,
) -> Result<(), SysError> {
    let Some(vma) = sys.kernel.mms[mm].mmap.get(&key) else { return Ok(()) };
    let old = vma.vm_flags;
    if new == old {
        return Ok(());
    }
    let mut new = new;
    let pages = (end - start) >> PAGE_SHIFT;
    let idle_anon = vma_is_anonymous(vma) && vma.anon_vma.is_none();
    if new.contains(VmFlags::WRITE) {
        if let Err(e) = may_expand_vm(sys, task, mm, new, pages)
            && may_expand_vm(sys, task, mm, old, pages).is_ok()
        {
            return Err(e);
        }
        let counted = VmFlags::ACCOUNT | VmFlags::WRITE | VmFlags::SHARED | VmFlags::NORESERVE;
        if !old.intersects(counted) {
            vm_enough_memory(sys, pages)?;
            new |= VmFlags::ACCOUNT;
        }
    } else if old.contains(VmFlags::ACCOUNT) && idle_anon {
        new -= VmFlags::ACCOUNT;
    }
    vma_modify_flags(sys, mm, key, start, end, new)?;
    change_protection(sys, mm, start, end, new);
    let m = &mut sys.kernel.mms[mm];
    vm_stat_account(m, old, -(pages as i64));
    vm_stat_account(m, new, pages as i64);
    let gained_write = new.contains(VmFlags::WRITE) && !old.contains(VmFlags::WRITE);
    if gained_write && new.contains(VmFlags::LOCKED) && !new.contains(VmFlags::SHARED) {
        // A locked area must not fault later: copy now.
        let _ = mm_populate(sys, task, mm, start, end);
    }
    Ok(())
}

/// Gives the entries of a range the rights of their area. Pages that only this
/// address space maps become writable at once, others at their first write.
fn change_protection(sys: &mut System, mm: MmId, start: u64, end: u64, flags: VmFlags) {
    const CHANGED: PteFlags =
        PteFlags::P.union(PteFlags::RW).union(PteFlags::US).union(PteFlags::NX).union(PteFlags::G);
    let prot = (vm_page_prot(sys, flags) & CHANGED).bits();
    let upgrade = flags.contains(VmFlags::WRITE) && !flags.contains(VmFlags::SHARED);
    let levels = sys.machine.config.paging_levels;
    let pgd = sys.kernel.mms[mm].pgd;
    let mut bug = None;
    for (table, base) in pte_tables(&sys.machine.mem, levels, pgd, start, end) {
        let range = pte_range(base, start, end);
        let mut hidden: smallvec::SmallVec<[(usize, Pte); 8]> = Default::default();
        let done = sys.machine.mem.zap_table(table, range, |i, pte, page| {
            if !pte_present(pte) {
                return Ok::<_, PageBug>(ZapEntry::Keep);
            }
            let mut new = Pte(pte.0 & !CHANGED.bits() | prot);
            let own = PageFlags::ANON | PageFlags::ANON_EXCLUSIVE;
            match page {
                Some(p) if upgrade && !pte.is_special() && p.flags.contains(own) => {
                    new = new.with(PteFlags::RW);
                }
                // Not visible to the machine's loop: look at the page below.
                None if upgrade && !pte.is_present() => hidden.push((i, new)),
                _ => {}
            }
            Ok(ZapEntry::Set(new))
        });
        bug = bug.or(done.err());
        for (i, new) in hidden {
            let own = PageFlags::ANON | PageFlags::ANON_EXCLUSIVE;
            if !new.is_special() && sys.machine.mem.page(new.pfn()).flags.contains(own) {
                let at = crate::machine::entry_addr(table, i);
                sys.machine.mem.write_u64(at, new.with(PteFlags::RW).0);
            }
        }
    }
    if let Some(bug) = bug {
        sys.oops("change_pte_range", bug.to_string());
    }
    flush_tlb_range(sys, mm, start, end);
}
