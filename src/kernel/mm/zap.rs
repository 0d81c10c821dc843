//! Taking pages out of page tables: the inner part of munmap, exit and
//! madvise(MADV_DONTNEED).
//!
//! Linux: mm/memory.c (`unmap_vmas`, `zap_pte_range`), mm/mmu_gather.c.
//! Left out: gathering; pages are freed at once and the flush follows, which
//! nobody can observe because one call runs at a time.

use crate::base::{PAGE_SIZE, Pfn};
use crate::kernel::mm::pgtable::{lookup, pte_present, pte_protnone, pte_range, pte_tables};
use crate::kernel::mm::{MmCounter, MmId};
use crate::kernel::system::System;
use crate::machine::{FRAME_WORDS, PageBug, PageFlags, ZapEntry, entry_addr};
use smallvec::SmallVec;

/// Which counter of `rss_stat` a mapped page is in (`mm_counter`).
#[inline]
pub fn mm_counter(flags: PageFlags) -> MmCounter {
    if flags.contains(PageFlags::ANON) {
        MmCounter::Anon
    } else if flags.contains(PageFlags::SWAPBACKED) {
        MmCounter::Shmem
    } else {
        MmCounter::File
    }
}

/// Remembers the largest resident size before pages go (`update_hiwater_rss`).
pub fn update_hiwater_rss(sys: &mut System, mm: MmId) {
    let m = &mut sys.kernel.mms[mm];
    let rss = m.rss_stat.iter().sum::<i64>().max(0) as u64;
    m.hiwater_rss = m.hiwater_rss.max(rss);
}

/// Unmaps and frees every page of an address space, given its tables. All
/// areas are going, so whole tables are emptied at once.
pub fn unmap_vmas(sys: &mut System, mm: MmId, tables: &[(Pfn, bool)]) {
    update_hiwater_rss(sys, mm);
    let mut gone = [0i64; 3];
    for &(table, last) in tables {
        if last {
            zap_pte_range(sys, table, 0..FRAME_WORDS, &mut gone);
        }
    }
    subtract(sys, mm, gone);
}

/// Unmaps and frees the pages of `start..end`. The caller flushes the TLB.
pub fn unmap_page_range(sys: &mut System, mm: MmId, start: u64, end: u64) {
    update_hiwater_rss(sys, mm);
    let mut gone = [0i64; 3];
    zap_range(sys, mm, start, end, &mut gone);
    subtract(sys, mm, gone);
}

/// The same but for private copies, which stay (`unmap_mapping_range` without
/// `even_cows`). The caller flushes the TLB.
pub fn unmap_file_pages(sys: &mut System, mm: MmId, start: u64, end: u64) {
    for at in (start..end).step_by(PAGE_SIZE as usize) {
        let pte = lookup(sys, mm, at).map(|(_, pte)| pte).filter(|pte| pte_present(*pte));
        let of_file = |pfn| !sys.machine.mem.page(pfn).flags.contains(PageFlags::ANON);
        if pte.is_some_and(|pte| of_file(pte.pfn())) {
            unmap_page_range(sys, mm, at, at + PAGE_SIZE);
        }
    }
}

fn subtract(sys: &mut System, mm: MmId, gone: [i64; 3]) {
    let m = &mut sys.kernel.mms[mm];
    for (total, n) in m.rss_stat.iter_mut().zip(gone) {
        *total -= n;
    }
}

fn zap_range(sys: &mut System, mm: MmId, start: u64, end: u64, gone: &mut [i64; 3]) {
    let levels = sys.machine.config.paging_levels;
    let pgd = sys.kernel.mms[mm].pgd;
    for (table, base) in pte_tables(&sys.machine.mem, levels, pgd, start, end) {
        zap_pte_range(sys, table, pte_range(base, start, end), gone);
    }
}

/// Clears entries of one table and drops what they held.
fn zap_pte_range(sys: &mut System, table: Pfn, range: std::ops::Range<usize>, gone: &mut [i64; 3]) {
    // Pages behind PROT_NONE entries: the machine's loop does not see them.
    let mut hidden: SmallVec<[Pfn; 8]> = SmallVec::new();
    let (mut anon, mut others) = (0i64, [0i64; 3]);
    let mut next = range.start;
    while next < range.end {
        let mut at = next;
        let done = sys.machine.mem.zap_table(table, next..range.end, |i, pte, page| {
            at = i;
            match page {
                Some(page) if !pte.is_special() => {
                    page.mapcount -= 1;
                    if page.flags.contains(PageFlags::ANON) {
                        anon += 1;
                    } else {
                        others[mm_counter(page.flags) as usize] += 1;
                        if pte.is_dirty() {
                            page.flags |= PageFlags::DIRTY;
                        }
                    }
                    Ok::<_, PageBug>(ZapEntry::ClearAndPut)
                }
                _ => {
                    if pte_protnone(pte) && !pte.is_special() {
                        hidden.push(pte.pfn());
                    }
                    Ok(ZapEntry::Clear)
                }
            }
        });
        let Err(bug) = done else { break };
        // "BUG: Bad page map": drop the entry and go on behind it.
        sys.oops("zap_pte_range", bug.to_string());
        sys.machine.mem.write_u64(entry_addr(table, at), 0);
        next = at + 1;
    }
    gone[MmCounter::Anon as usize] += anon;
    for (total, n) in gone.iter_mut().zip(others) {
        *total += n;
    }
    for pfn in hidden {
        put_mapped_page(sys, pfn, gone);
    }
}

/// Drops the mapping and the reference one entry had on a page.
fn put_mapped_page(sys: &mut System, pfn: Pfn, gone: &mut [i64; 3]) {
    match sys.machine.mem.page_mut(pfn) {
        Ok(page) => {
            page.mapcount -= 1;
            gone[mm_counter(page.flags) as usize] += 1;
        }
        Err(bug) => return sys.oops("zap_pte_range", bug.to_string()),
    }
    super::pgtable::put_page(sys, pfn);
}
