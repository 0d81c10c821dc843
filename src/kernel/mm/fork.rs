//! fork's half of memory: a second address space that looks the same and
//! shares every page until one side writes.
//!
//! ```text
//! parent PTE  pfn 7 RW   ->  pfn 7 R-      page 7: refcount 2, mapcount 2,
//! child PTE       -      ->  pfn 7 R-              no longer AnonExclusive
//! ```
//!
//! Linux: kernel/fork.c (`dup_mm`), mm/mmap.c (`dup_mmap`), mm/memory.c
//! (`copy_page_range`, `copy_pte_range`, `copy_present_ptes`).
//! Left out: pinned pages (copied early in Linux), swap entries, KSM,
//! userfaultfd, huge pages.

use crate::base::Pfn;
use crate::kernel::error::SysError;
use crate::kernel::inject;
use crate::kernel::mm::account::{vm_enough_memory, vm_stat_account, vma_pages};
use crate::kernel::mm::lifetime::{mm_alloc_pgd, mmput};
use crate::kernel::mm::pgtable::{PMD_SIZE, pte_alloc, pte_protnone, pte_range, pte_tables};
use crate::kernel::mm::rmap::anon_vma_fork;
use crate::kernel::mm::tlb::flush_tlb_mm;
use crate::kernel::mm::vma::vma_get_file;
use crate::kernel::mm::zap::mm_counter;
use crate::kernel::mm::{MmCounter, MmId, MmStruct, VmAreaStruct, VmFlags};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::{CopyEntry, PageBug, PageFlags, Pte, PteFlags};
use crate::traced;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// A copy of `oldmm` for a child of `parent`, with one user.
///
/// # Errors
/// ENOMEM, or what was injected; nothing stays of the copy. The parent's pages
/// may have become write-protected, which only costs faults.
pub fn dup_mm(sys: &mut System, parent: TaskId, oldmm: MmId) -> Result<MmId, SysError> {
    let _ = parent;
    inject::should_fail(sys, "mm_alloc")?;
    let pgd = mm_alloc_pgd(sys)?;
    // memcpy of the structure, then mm_init.
    let old = &sys.kernel.mms[oldmm];
    let mm = MmStruct {
        mm_users: 1,
        mm_count: 1,
        pgd,
        mmap: BTreeMap::new(),
        total_vm: old.total_vm,
        data_vm: old.data_vm,
        exec_vm: old.exec_vm,
        stack_vm: old.stack_vm,
        locked_vm: 0,
        // mlockall(MCL_FUTURE) is not inherited.
        def_flags: VmFlags::empty(),
        nr_pgtables: 0,
        rss_stat: [0; 3],
        hiwater_rss: 0,
        cpu_bitmap: 0,
        exe_file: old.exe_file.clone(),
        symbols: old.symbols.clone(),
        ..*old
    };
    let mm = sys.kernel.mms.insert(mm);
    if let Err(e) = traced!(sys, dup_mmap(mm, oldmm)) {
        mmput(sys, mm);
        return Err(e);
    }
    let m = &mut sys.kernel.mms[mm];
    m.hiwater_rss = m.rss_stat.iter().sum::<i64>().max(0) as u64;
    Ok(mm)
}

/// Copies the areas and, where needed, their page-table entries.
fn dup_mmap(sys: &mut System, mm: MmId, oldmm: MmId) -> Result<(), SysError> {
    inject::should_fail(sys, "dup_mmap")?;
    // The areas are held outside the arena while they are worked on.
    let parents = std::mem::take(&mut sys.kernel.mms[oldmm].mmap);
    let mut children = parents.clone();
    let mut dropped: SmallVec<[u64; 4]> = SmallVec::new();
    let mut failed = None;
    for ((&start, pvma), vma) in parents.iter().zip(children.values_mut()) {
        if pvma.vm_flags.contains(VmFlags::DONTCOPY) {
            vm_stat_account(&mut sys.kernel.mms[mm], pvma.vm_flags, -(vma_pages(pvma) as i64));
            dropped.push(start);
            continue;
        }
        if let Err((e, linked)) = dup_vma(sys, mm, oldmm, vma, pvma) {
            failed = Some((e, if linked { pvma.vm_end } else { start }));
            break;
        }
    }
    sys.kernel.mms[oldmm].mmap = parents;
    if let Some((_, from)) = &failed {
        // Areas from there on hold nothing yet.
        children.split_off(from);
    }
    for start in dropped {
        children.remove(&start);
    }
    sys.kernel.mms[mm].mmap = children;
    // A hole that DONTCOPY left may be the best place for a mapping.
    let m = &mut sys.kernel.mms[mm];
    (m.free_area_cache, m.cached_hole_size) = (m.mmap_base, 0);
    flush_tlb_mm(sys, oldmm);
    match failed {
        Some((e, _)) => Err(e),
        None => Ok(()),
    }
}

/// One area. The flag of an error says whether `vma` holds references by then.
fn dup_vma(
    sys: &mut System,
    mm: MmId,
    oldmm: MmId,
    vma: &mut VmAreaStruct,
    pvma: &VmAreaStruct,
) -> Result<(), (SysError, bool)> {
    if pvma.vm_flags.contains(VmFlags::ACCOUNT) {
        vm_enough_memory(sys, vma_pages(pvma)).map_err(|e| (e, false))?;
    }
    let wipe = pvma.vm_flags.contains(VmFlags::WIPEONFORK);
    vma.vm_flags -= VmFlags::LOCKED_MASK;
    if pvma.anon_vma.is_some() || !pvma.anon_vma_chain.is_empty() {
        vma.anon_vma = None;
        vma.anon_vma_chain.clear();
        // A wiped area starts afresh and gets an anon_vma at its first fault.
        if !wipe {
            anon_vma_fork(sys, vma, pvma);
        }
    }
    vma_get_file(sys, vma.vm_file);
    if wipe {
        return Ok(());
    }
    inject::should_fail(sys, "copy_page_range").map_err(|e| (e, true))?;
    if !vma_needs_copy(pvma) {
        return Ok(());
    }
    traced!(sys, copy_page_range(mm, oldmm, pvma)).map_err(|e| (e, true))
}

/// Entries that a fault would make again from the file, or from nothing, are
/// not copied: shared mappings and areas that never had a page of their own.
fn vma_needs_copy(vma: &VmAreaStruct) -> bool {
    vma.anon_vma.is_some()
}

/// `is_cow_mapping`: private, and may be written.
fn is_cow_mapping(flags: VmFlags) -> bool {
    flags & (VmFlags::SHARED | VmFlags::MAYWRITE) == VmFlags::MAYWRITE
}

/// Copies the entries of one area, table by table; tables the parent lacks are
/// not made.
fn copy_page_range(
    sys: &mut System,
    mm: MmId,
    oldmm: MmId,
    vma: &VmAreaStruct,
) -> Result<(), SysError> {
    let levels = sys.machine.config.paging_levels;
    let cow = is_cow_mapping(vma.vm_flags);
    let shared = vma.vm_flags.contains(VmFlags::SHARED);
    let (start, end) = (vma.vm_start, vma.vm_end);
    let mut rss = [0i64; 3];
    let mut done = Ok(());
    let old_pgd = sys.kernel.mms[oldmm].pgd;
    for (src, base) in pte_tables(&sys.machine.mem, levels, old_pgd, start, end) {
        debug_assert!(base < end && base + PMD_SIZE > start);
        let dst = match pte_alloc(sys, mm, base) {
            Ok(dst) => dst,
            Err(e) => {
                done = Err(e);
                break;
            }
        };
        let range = pte_range(base, start, end);
        copy_pte_range(sys, dst, src, range, cow, shared, &mut rss);
    }
    let m = &mut sys.kernel.mms[mm];
    for (total, n) in m.rss_stat.iter_mut().zip(rss) {
        *total += n;
    }
    done
}

/// Keeps a page behind a PROT_NONE entry for later.
#[cold]
#[inline(never)]
fn note_hidden(hidden: &mut SmallVec<[Pfn; 8]>, pte: Pte) {
    if pte_protnone(pte) && !pte.is_special() {
        hidden.push(pte.pfn());
    }
}

/// The hot loop of fork: one table.
fn copy_pte_range(
    sys: &mut System,
    dst: Pfn,
    src: Pfn,
    range: std::ops::Range<usize>,
    cow: bool,
    shared: bool,
    rss: &mut [i64; 3],
) {
    let mut hidden: SmallVec<[Pfn; 8]> = SmallVec::new();
    let keep = if cow { !PteFlags::RW.bits() } else { !0 };
    let child = if shared { PteFlags::A | PteFlags::D } else { PteFlags::A };
    // Locals, and anonymous pages without a lookup: this runs per entry.
    let (mut anon, mut shmem, mut file) = (0i64, 0i64, 0i64);
    let done = sys.machine.mem.copy_table(dst, src, range, |_, pte, page| {
        match page {
            // vm_normal_page: the zero page is not counted.
            Some(page) if !pte.is_special() => {
                page.add_mapping(pte.pfn())?;
                if page.flags.contains(PageFlags::ANON) {
                    // page_try_dup_anon_rmap.
                    page.flags -= PageFlags::ANON_EXCLUSIVE;
                    anon += 1;
                } else if page.flags.contains(PageFlags::SWAPBACKED) {
                    shmem += 1;
                } else {
                    file += 1;
                }
            }
            None => note_hidden(&mut hidden, pte),
            Some(_) => {}
        }
        let src = Pte(pte.0 & keep);
        Ok::<_, PageBug>(CopyEntry::Both { src, dst: src.without(child) })
    });
    rss[MmCounter::Anon as usize] += anon;
    rss[MmCounter::Shmem as usize] += shmem;
    rss[MmCounter::File as usize] += file;
    if let Err(bug) = done {
        sys.oops("copy_pte_range", bug.to_string());
    }
    // Pages behind PROT_NONE entries.
    for pfn in hidden {
        let added = sys.machine.mem.page_mut(pfn).and_then(|page| {
            page.flags -= PageFlags::ANON_EXCLUSIVE;
            page.add_mapping(pfn)?;
            Ok(mm_counter(page.flags))
        });
        match added {
            Ok(counter) => rss[counter as usize] += 1,
            Err(bug) => sys.oops("copy_pte_range", bug.to_string()),
        }
    }
}
