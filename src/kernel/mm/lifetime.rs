//! The life of an mm_struct: two counts, and what happens at the end of each.
//!
//! ```text
//! mm_users 0 -> __mmput: areas, pages, tables go   (exit_mmap)
//! mm_count 0 -> __mmdrop: the PGD and the struct go
//! all users together hold one mm_count; a kernel thread that borrows the
//! address space (active_mm) holds one of its own
//! ```
//!
//! Linux: kernel/fork.c (`mm_init`, `__mmput`, `__mmdrop`), mm/mmap.c
//! (`exit_mmap`), include/linux/sched/mm.h.
//! Left out: `mmput_async`, aio, khugepaged, the mm owner.

use crate::base::Pfn;
use crate::kernel::error::SysError;
use crate::kernel::inject;
use crate::kernel::mm::pgtable::{free_pgtables, pgd_alloc, put_page, user_tables};
use crate::kernel::mm::rmap::unlink_anon_vmas;
use crate::kernel::mm::tlb::flush_tlb_mm;
use crate::kernel::mm::vma::remove_vma;
use crate::kernel::mm::zap::unmap_vmas;
use crate::kernel::mm::{MmId, MmStruct, VmFlags, nommu};
use crate::kernel::system::System;
use crate::traced;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An empty mm_struct over the top table `pgd`.
pub(super) fn blank_mm(pgd: Pfn, mm_users: u32) -> MmStruct {
    MmStruct {
        mm_users,
        mm_count: 1,
        pgd,
        mmap: BTreeMap::new(),
        total_vm: 0,
        data_vm: 0,
        exec_vm: 0,
        stack_vm: 0,
        locked_vm: 0,
        def_flags: VmFlags::empty(),
        nr_pgtables: 0,
        rss_stat: [0; 3],
        hiwater_rss: 0,
        mmap_base: 0,
        free_area_cache: 0,
        cached_hole_size: 0,
        start_code: 0,
        end_code: 0,
        start_data: 0,
        end_data: 0,
        start_brk: 0,
        brk: 0,
        start_stack: 0,
        arg_start: 0,
        arg_end: 0,
        env_start: 0,
        env_end: 0,
        dumpable: 1,
        exe_file: Arc::from(""),
        symbols: Arc::default(),
        next_symbol: 0,
        cpu_bitmap: 0,
        membarrier_state: 0,
    }
}

/// The PGD of a new mm; none on a machine without MMU.
pub(super) fn mm_alloc_pgd(sys: &mut System) -> Result<Pfn, SysError> {
    if !sys.machine.config.mmu {
        return Ok(Pfn(0));
    }
    let swapper = sys.kernel.mms[sys.kernel.init_mm].pgd;
    pgd_alloc(sys, swapper)
}

/// An empty address space with one user (`mm_alloc`).
///
/// # Errors
/// ENOMEM.
pub fn mm_alloc(sys: &mut System) -> Result<MmId, SysError> {
    inject::should_fail(sys, "mm_alloc")?;
    let pgd = mm_alloc_pgd(sys)?;
    Ok(sys.kernel.mms.insert(blank_mm(pgd, 1)))
}

/// One more user (`mmget`).
pub fn mmget(sys: &mut System, mm: MmId) {
    match sys.kernel.mms.get_mut(mm) {
        Some(m) if m.mm_users > 0 => m.mm_users += 1,
        _ => sys.oops("mmget", format!("mm {mm:?} has no users or is freed")),
    }
}

/// One user less; the last one empties the address space (`mmput`).
pub fn mmput(sys: &mut System, mm: MmId) {
    let Some(m) = sys.kernel.mms.get_mut(mm).filter(|m| m.mm_users > 0) else {
        return sys.oops("mmput", format!("mm {mm:?} has no users or is freed"));
    };
    m.mm_users -= 1;
    if m.mm_users == 0 {
        traced!(sys, __mmput(mm));
    }
}

fn __mmput(sys: &mut System, mm: MmId) {
    traced!(sys, exit_mmap(mm));
    mmdrop(sys, mm);
}

/// One more reference to the structure (`mmgrab`).
pub fn mmgrab(sys: &mut System, mm: MmId) {
    match sys.kernel.mms.get_mut(mm) {
        Some(m) if m.mm_count > 0 => m.mm_count += 1,
        _ => sys.oops("mmgrab", format!("mm {mm:?} is freed")),
    }
}

/// One reference less; the last one frees PGD and structure (`mmdrop`).
pub fn mmdrop(sys: &mut System, mm: MmId) {
    let Some(m) = sys.kernel.mms.get_mut(mm).filter(|m| m.mm_count > 0) else {
        return sys.oops("mmdrop", format!("mm {mm:?} is freed"));
    };
    m.mm_count -= 1;
    if m.mm_count == 0 {
        __mmdrop(sys, mm);
    }
}

fn __mmdrop(sys: &mut System, mm: MmId) {
    if mm == sys.kernel.init_mm {
        return sys.oops("__mmdrop", "init_mm was dropped to zero".to_string());
    }
    check_mm(sys, mm);
    let pgd = sys.kernel.mms[mm].pgd;
    sys.kernel.mms.free(mm);
    if sys.machine.config.mmu {
        put_page(sys, pgd);
    }
}

/// What Linux prints as "BUG: Bad rss-counter state" and "Bad page map":
/// counters that should be zero by now (`check_mm`).
fn check_mm(sys: &mut System, mm: MmId) {
    let m = &sys.kernel.mms[mm];
    let (rss_stat, nr_pgtables) = (m.rss_stat, m.nr_pgtables);
    if rss_stat != [0; 3] {
        sys.oops("check_mm", format!("bad rss-counter state of a freed mm: {rss_stat:?}"));
    }
    if nr_pgtables != 0 {
        sys.oops("check_mm", format!("non-zero nr_pgtables on freeing mm: {nr_pgtables}"));
    }
}

/// Takes everything out of an address space nobody uses: pages first, then
/// tables, then the areas.
pub fn exit_mmap(sys: &mut System, mm: MmId) {
    if sys.kernel.mms[mm].mmap.is_empty() && sys.kernel.mms[mm].nr_pgtables == 0 {
        return;
    }
    if !sys.machine.config.mmu {
        return nommu::exit_mmap(sys, mm);
    }
    let areas = std::mem::take(&mut sys.kernel.mms[mm].mmap);
    let (levels, pgd) = (sys.machine.config.paging_levels, sys.kernel.mms[mm].pgd);
    let tables = user_tables(&sys.machine.mem, levels, pgd);
    traced!(sys, unmap_vmas(mm, &tables));
    traced!(sys, free_pgtables(mm, &tables));
    // tlb_finish_mmu: a processor may go on with these tables as a borrower.
    flush_tlb_mm(sys, mm);
    for (_, mut vma) in areas {
        unlink_anon_vmas(sys, &mut vma);
        remove_vma(sys, vma);
    }
    let m = &mut sys.kernel.mms[mm];
    (m.total_vm, m.data_vm, m.exec_vm, m.stack_vm, m.locked_vm) = (0, 0, 0, 0, 0);
}
