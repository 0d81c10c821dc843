//! Address spaces: /proc/PID/maps, smaps, pagemap.
//!
//! ```text
//! pagemap, 64 bits a page:  0-54 frame  55 soft-dirty  56 mapped once
//!                           61 file or shared  63 present
//! ```
//!
//! Linux: fs/proc/task_mmu.c (show_map_vma, smap_gather_stats, __show_smap,
//! show_smap_vma_flags, pagemap_read).
//! Left out: huge pages, swap, KSM, protection keys: their lines say 0.

use std::fmt::Write;

use crate::base::{PAGE_SHIFT, PAGE_SIZE};
use crate::kernel::mm::pgtable::{lookup, pte_present, pte_range, pte_tables};
use crate::kernel::mm::view;
use crate::kernel::mm::{MmId, VmFlags};
use crate::kernel::system::System;
use crate::machine::page::{Page, PageFlags};
use crate::machine::pte::{Pte, PteFlags};

/// /proc/PID/maps.
pub fn maps(sys: &System, mm: MmId) -> String {
    view::maps(sys, mm).iter().map(|line| format!("{line}\n")).collect()
}

/// Bytes of an area by what lies there (`struct mem_size_stats`). Shares of
/// pages are in units of 2⁻¹² bytes (`PSS_SHIFT`).
#[derive(Debug, Clone, Copy, Default)]
struct MemSizeStats {
    resident: u64,
    shared_clean: u64,
    shared_dirty: u64,
    private_clean: u64,
    private_dirty: u64,
    referenced: u64,
    anonymous: u64,
    pss: u64,
    pss_dirty: u64,
    locked: u64,
}

const PSS_SHIFT: u32 = 12;

fn gather(sys: &System, mm: MmId, line: &view::MapsLine) -> MemSizeStats {
    let mut stats = MemSizeStats::default();
    let mem = &sys.machine.mem;
    // By table, not by page: an area without reserve may be terabytes of nothing.
    let levels = sys.machine.config.paging_levels;
    for (table, base) in pte_tables(mem, levels, sys.kernel.mms[mm].pgd, line.start, line.end) {
        let range = pte_range(base, line.start, line.end);
        let Ok(entries) = mem.frame(table) else { continue };
        entries.for_each_nonzero(|i, word| {
            if range.contains(&i) && pte_present(Pte(word)) {
                stats.account(mem.page(Pte(word).pfn()), Pte(word), line.flags);
            }
        });
    }
    stats
}

impl MemSizeStats {
    /// Counts one mapped page (`smaps_account`).
    fn account(&mut self, page: &Page, pte: Pte, flags: VmFlags) {
        // The page of zeros is nobody's.
        if page.flags.contains(PageFlags::ZERO) {
            return;
        }
        let dirty = pte.has(PteFlags::D) || page.flags.contains(PageFlags::DIRTY);
        self.resident += PAGE_SIZE;
        if page.flags.contains(PageFlags::ANON) {
            self.anonymous += PAGE_SIZE;
        }
        if pte.has(PteFlags::A) || page.flags.contains(PageFlags::REFERENCED) {
            self.referenced += PAGE_SIZE;
        }
        let share = (PAGE_SIZE << PSS_SHIFT) / u64::from(page.mapcount.max(1) as u32);
        self.pss += share;
        if dirty {
            self.pss_dirty += share;
        }
        if flags.contains(VmFlags::LOCKED) {
            self.locked += share;
        }
        let kind = match (page.mapcount >= 2, dirty) {
            (true, false) => &mut self.shared_clean,
            (true, true) => &mut self.shared_dirty,
            (false, false) => &mut self.private_clean,
            (false, true) => &mut self.private_dirty,
        };
        *kind += PAGE_SIZE;
    }
}

/// The two letters of each flag that is set, in the order of their bits.
fn vm_flags(flags: VmFlags) -> String {
    let names = [
        (VmFlags::READ, "rd"),
        (VmFlags::WRITE, "wr"),
        (VmFlags::EXEC, "ex"),
        (VmFlags::SHARED, "sh"),
        (VmFlags::MAYREAD, "mr"),
        (VmFlags::MAYWRITE, "mw"),
        (VmFlags::MAYEXEC, "me"),
        (VmFlags::MAYSHARE, "ms"),
        (VmFlags::GROWSDOWN, "gd"),
        (VmFlags::LOCKED, "lo"),
        (VmFlags::DONTCOPY, "dc"),
        (VmFlags::NORESERVE, "nr"),
        (VmFlags::WIPEONFORK, "wf"),
    ];
    names.iter().filter(|(f, _)| flags.contains(*f)).map(|(_, name)| format!("{name} ")).collect()
}

/// /proc/PID/smaps.
pub fn smaps(sys: &System, mm: MmId) -> String {
    let mut text = String::new();
    for line in view::maps(sys, mm) {
        let s = gather(sys, mm, &line);
        let _ = writeln!(text, "{line}");
        let mut kib = |name: &str, bytes: u64| {
            let _ = writeln!(text, "{:<16}{:>8} kB", format!("{name}:"), bytes >> 10);
        };
        kib("Size", line.end - line.start);
        kib("KernelPageSize", PAGE_SIZE);
        kib("MMUPageSize", PAGE_SIZE);
        kib("Rss", s.resident);
        kib("Pss", s.pss >> PSS_SHIFT);
        kib("Pss_Dirty", s.pss_dirty >> PSS_SHIFT);
        kib("Shared_Clean", s.shared_clean);
        kib("Shared_Dirty", s.shared_dirty);
        kib("Private_Clean", s.private_clean);
        kib("Private_Dirty", s.private_dirty);
        kib("Referenced", s.referenced);
        kib("Anonymous", s.anonymous);
        for name in [
            "KSM",
            "LazyFree",
            "AnonHugePages",
            "ShmemPmdMapped",
            "FilePmdMapped",
            "Shared_Hugetlb",
            "Private_Hugetlb",
            "Swap",
            "SwapPss",
        ] {
            kib(name, 0);
        }
        kib("Locked", s.locked >> PSS_SHIFT);
        let _ = writeln!(text, "{:<16}{:>8}", "THPeligible:", 0);
        let _ = writeln!(text, "VmFlags: {}", vm_flags(line.flags));
    }
    text
}

const PM_SOFT_DIRTY: u64 = 1 << 55;
const PM_MMAP_EXCLUSIVE: u64 = 1 << 56;
const PM_FILE: u64 = 1 << 61;
const PM_PRESENT: u64 = 1 << 63;

/// One entry of pagemap. Frame numbers are for CAP_SYS_ADMIN (`frames`).
pub fn pagemap_entry(sys: &System, mm: MmId, addr: u64, frames: bool) -> u64 {
    let Some((_, pte)) = lookup(sys, mm, addr).filter(|(_, pte)| pte_present(*pte)) else {
        return 0;
    };
    let page = sys.machine.mem.page(pte.pfn());
    let mut entry = PM_PRESENT;
    if frames {
        entry |= pte.pfn().addr().0 >> PAGE_SHIFT;
    }
    if pte.has(PteFlags::SOFT_DIRTY) {
        entry |= PM_SOFT_DIRTY;
    }
    // The page of zeros is no page that anybody maps.
    if page.flags.contains(PageFlags::ZERO) {
        return entry;
    }
    if !page.flags.contains(PageFlags::ANON) {
        entry |= PM_FILE;
    }
    if page.mapcount == 1 {
        entry |= PM_MMAP_EXCLUSIVE;
    }
    entry
}
