//! Page tables: making the tables on the way to a page, finding last-level
//! tables in a range, freeing tables nothing needs any more.
//!
//! ```text
//! mm.pgd -> [PGD] -> ([P4D]) -> [PUD] -> [PMD] -> [PTE] -> page
//!           the upper half of every PGD is a copy of swapper_pg_dir's
//! ```
//!
//! Linux: mm/memory.c (`__pte_alloc`, `free_pgd_range`), arch/x86/mm/pgtable.c
//! (`pgd_alloc`, `pgd_ctor`), arch/x86/include/asm/pgtable_types.h.
//! Left out: huge pages; the inversion of frame numbers in PROT_NONE entries
//! (L1TF); `_PAGE_SAVED_DIRTY`.

use crate::abi::Errno;
use crate::base::{PAGE_SIZE, Pfn, VirtAddr};
use crate::kernel::error::SysError;
use crate::kernel::inject;
use crate::kernel::mm::{MmId, VmFlags};
use crate::kernel::system::System;
use crate::machine::{Level, PageFlags, PagingLevels, PhysMem, Pte, PteFlags, entry_addr, paging};
use smallvec::SmallVec;

/// `_PAGE_TABLE`: an entry that names a table of a user address space.
pub const PAGE_TABLE: PteFlags =
    PteFlags::P.union(PteFlags::RW).union(PteFlags::US).union(PteFlags::A).union(PteFlags::D);
/// `_KERNPG_TABLE`: the same for the kernel's half.
pub const KERNPG_TABLE: PteFlags =
    PteFlags::P.union(PteFlags::RW).union(PteFlags::A).union(PteFlags::D);
/// `PAGE_KERNEL`: a page of kernel data.
pub const PAGE_KERNEL: PteFlags = KERNPG_TABLE.union(PteFlags::G).union(PteFlags::NX);
/// `_PAGE_PROTNONE`: in an entry that is not present to the processor, the
/// page is there and may not be touched. Linux uses the bit of G for it.
pub const PAGE_PROTNONE: PteFlags = PteFlags::G;

/// Last-level tables with the first address each covers.
pub type Tables = SmallVec<[(Pfn, u64); 8]>;

/// Bytes a last-level table covers.
pub const PMD_SIZE: u64 = 1 << 21;

/// Whether an entry holds a page although the processor must not see it
/// (`pte_protnone`).
#[inline]
pub fn pte_protnone(pte: Pte) -> bool {
    pte.0 & (PteFlags::P | PAGE_PROTNONE).bits() == PAGE_PROTNONE.bits()
}

/// `pte_present`: the entry holds a page, visible to the processor or not.
#[inline]
pub fn pte_present(pte: Pte) -> bool {
    pte.0 & (PteFlags::P | PAGE_PROTNONE).bits() != 0
}

/// `vm_get_page_prot` and the write-notify rule: flags of a fresh entry.
/// Private areas start read-only, so that the first write faults.
pub fn vm_page_prot(sys: &System, vm_flags: VmFlags) -> PteFlags {
    if !vm_flags.intersects(VmFlags::ACCESS) {
        return PAGE_PROTNONE | PteFlags::A;
    }
    let mut prot = PteFlags::P | PteFlags::US | PteFlags::A;
    prot.set(PteFlags::RW, vm_flags.contains(VmFlags::WRITE | VmFlags::SHARED));
    let nx = sys.machine.config.nx && !vm_flags.contains(VmFlags::EXEC);
    prot.set(PteFlags::NX, nx);
    prot
}

/// A zeroed page with one reference (`alloc_pages`).
///
/// # Errors
/// ENOMEM when no frame is free.
#[inline]
pub fn alloc_page(sys: &mut System, flags: PageFlags) -> Result<Pfn, SysError> {
    inject::should_fail(sys, "alloc_page")?;
    match sys.machine.mem.alloc_page(flags) {
        Some(pfn) => Ok(pfn),
        None => Err(SysError::new(
            Errno::ENOMEM,
            "alloc_pages",
            "no page frame is free: the machine's memory is used up",
        )),
    }
}

/// Drops a reference; a broken count is reported as an Oops.
pub fn put_page(sys: &mut System, pfn: Pfn) {
    if let Err(bug) = sys.machine.mem.put_page(pfn) {
        sys.oops("put_page", bug.to_string());
    }
}

/// A top-level table whose kernel half is that of `swapper_pg_dir`.
///
/// # Errors
/// ENOMEM.
pub fn pgd_alloc(sys: &mut System, swapper: Pfn) -> Result<Pfn, SysError> {
    let pgd = alloc_page(sys, PageFlags::PGTABLE)?;
    let mem = &mut sys.machine.mem;
    let mut upper: SmallVec<[(usize, u64); 4]> = SmallVec::new();
    mem.for_each_nonzero_word(swapper, |i, w| {
        if i >= 256 {
            upper.push((i, w));
        }
    });
    for (i, w) in upper {
        mem.write_u64(entry_addr(pgd, i), w);
    }
    Ok(pgd)
}

/// Finds or makes the last-level table that covers `va` below `pgd`. Gives
/// the table and how many tables were made; those stay when a later one
/// cannot be had, as in Linux, and are counted in `made`.
fn alloc_path(
    sys: &mut System,
    pgd: Pfn,
    va: u64,
    flags: PteFlags,
    made: &mut u64,
) -> Result<Pfn, SysError> {
    let levels = sys.machine.config.paging_levels;
    let mut table = pgd;
    for &level in levels.levels() {
        if level == Level::Pte {
            break;
        }
        let at = entry_addr(table, levels.table_index(level, VirtAddr(va)));
        let entry = Pte(sys.machine.mem.read_u64(at));
        if entry.is_none() {
            let new = alloc_page(sys, PageFlags::PGTABLE)?;
            *made += 1;
            sys.machine.mem.write_u64(at, Pte::new(new, flags).0);
            table = new;
            continue;
        }
        if !entry.is_present() || entry.has(PteFlags::PS) || !sys.machine.mem.has_frame(entry.pfn())
        {
            let what = format!("bad {level} entry {entry:?} on the way to {va:#x}");
            sys.oops("pmd_clear_bad", what);
            return Err(SysError::new(
                Errno::ENOMEM,
                "pmd_clear_bad",
                "a page table entry makes no sense: someone wrote to the tables",
            ));
        }
        table = entry.pfn();
    }
    Ok(table)
}

/// Finds or makes the last-level table of `mm` that covers `va` (`pte_alloc`
/// and the levels above).
///
/// # Errors
/// ENOMEM.
pub fn pte_alloc(sys: &mut System, mm: MmId, va: u64) -> Result<Pfn, SysError> {
    let mut made = 0;
    let pgd = sys.kernel.mms[mm].pgd;
    let table = alloc_path(sys, pgd, va, PAGE_TABLE, &mut made);
    if made > 0 {
        sys.kernel.mms[mm].nr_pgtables += made;
    }
    table
}

/// The same in the kernel's half, below `swapper_pg_dir`. These tables are
/// never freed.
///
/// # Errors
/// ENOMEM.
pub fn pte_alloc_kernel(sys: &mut System, va: u64) -> Result<Pfn, SysError> {
    let pgd = sys.kernel.mms[sys.kernel.init_mm].pgd;
    alloc_path(sys, pgd, va, KERNPG_TABLE, &mut 0)
}

/// The entry for `va` and its index in its table, if the table exists.
#[inline]
pub fn lookup(sys: &System, mm: MmId, va: u64) -> Option<(crate::base::PhysAddr, Pte)> {
    let levels = sys.machine.config.paging_levels;
    paging::lookup(&sys.machine.mem, sys.kernel.mms[mm].pgd, levels, VirtAddr(va)).ok().flatten()
}

/// The last-level tables that exist in `start..end`, ascending.
pub fn pte_tables(mem: &PhysMem, levels: PagingLevels, pgd: Pfn, start: u64, end: u64) -> Tables {
    let mut out = Tables::new();
    if start >= end {
        return out;
    }
    let base = start & !(PMD_SIZE - 1);
    if end - 1 < base + PMD_SIZE {
        // The usual small area: one table.
        if let Ok(Some(table)) = paging::lookup_table(mem, pgd, levels, VirtAddr(start)) {
            out.push((table, base));
        }
        return out;
    }
    collect(mem, levels, 0, pgd, 0, start, end, &mut out);
    out
}

/// All tables below the user half of a PGD, each before those it names, and
/// whether it is of the last level.
pub fn user_tables(mem: &PhysMem, levels: PagingLevels, pgd: Pfn) -> SmallVec<[(Pfn, bool); 16]> {
    let mut out = SmallVec::new();
    push_children(mem, levels, 0, pgd, &mut out);
    out
}

fn push_children(
    mem: &PhysMem,
    levels: PagingLevels,
    depth: usize,
    table: Pfn,
    out: &mut SmallVec<[(Pfn, bool); 16]>,
) {
    let last = depth + 2 == levels.levels().len();
    let Ok(frame) = mem.frame(table) else { return };
    for (n, line) in frame.iter_lines() {
        // Entries from 256 on of the PGD are the kernel's.
        if depth == 0 && n >= 32 {
            return;
        }
        for &word in line {
            let entry = Pte(word);
            if !entry.is_present() || entry.has(PteFlags::PS) || !mem.has_frame(entry.pfn()) {
                continue;
            }
            out.push((entry.pfn(), last));
            if !last {
                push_children(mem, levels, depth + 1, entry.pfn(), out);
            }
        }
    }
}

/// Frees all tables of the user half (as at exit). No page may be
/// mapped by them any more.
pub fn free_pgtables(sys: &mut System, mm: MmId, tables: &[(Pfn, bool)]) {
    let pgd = sys.kernel.mms[mm].pgd;
    let mut used: SmallVec<[usize; 4]> = SmallVec::new();
    sys.machine.mem.for_each_nonzero_word(pgd, |i, _| used.extend((i < 256).then_some(i)));
    for i in used {
        sys.machine.mem.write_u64(entry_addr(pgd, i), 0);
    }
    for &(table, _) in tables {
        put_page(sys, table);
    }
    let m = &mut sys.kernel.mms[mm];
    m.nr_pgtables = m.nr_pgtables.saturating_sub(tables.len() as u64);
}

#[allow(clippy::too_many_arguments, reason = "the state of a recursive walk")]
fn collect(
    mem: &PhysMem,
    levels: PagingLevels,
    depth: usize,
    table: Pfn,
    base: u64,
    start: u64,
    end: u64,
    out: &mut Tables,
) {
    let Some(&level) = levels.levels().get(depth) else { return };
    if level == Level::Pte {
        out.push((table, base));
        return;
    }
    let Ok(frame) = mem.frame(table) else { return };
    let shift = levels.shift(level);
    let first = ((start - base) >> shift) as usize;
    let last = ((end - 1 - base) >> shift) as usize;
    let mut visit = |i: usize, word: u64| {
        let entry = Pte(word);
        if !entry.is_present() || entry.has(PteFlags::PS) {
            return;
        }
        let lo = base + ((i as u64) << shift);
        let hi = lo.saturating_add(1 << shift);
        collect(mem, levels, depth + 1, entry.pfn(), lo, start.max(lo), end.min(hi), out);
    };
    if last - first < 4 {
        for i in first..=last {
            visit(i, frame.get(i));
        }
    } else {
        frame.for_each_nonzero(|i, w| {
            if i >= first && i <= last {
                visit(i, w);
            }
        });
    }
}

/// Frees the tables of `mm` that cover `start..end` and nothing between
/// `floor` and the areas below, or `ceiling` and the areas above
/// (`free_pgd_range`). No page may be mapped by them any more.
pub fn free_pgd_range(sys: &mut System, mm: MmId, start: u64, end: u64, floor: u64, ceiling: u64) {
    if start >= end {
        return;
    }
    let pgd = sys.kernel.mms[mm].pgd;
    let mut walk = FreeWalk { start, end, floor, ceiling, freed: 0 };
    walk.free_below(sys, 0, pgd, 0, start, end);
    let m = &mut sys.kernel.mms[mm];
    m.nr_pgtables = m.nr_pgtables.saturating_sub(walk.freed);
}

struct FreeWalk {
    start: u64,
    end: u64,
    floor: u64,
    ceiling: u64,
    freed: u64,
}

impl FreeWalk {
    fn free_below(
        &mut self,
        sys: &mut System,
        depth: usize,
        table: Pfn,
        base: u64,
        start: u64,
        end: u64,
    ) {
        let levels = sys.machine.config.paging_levels;
        let Some(&level) = levels.levels().get(depth) else { return };
        if level == Level::Pte {
            return;
        }
        let Ok(frame) = sys.machine.mem.frame(table) else { return };
        let shift = levels.shift(level);
        let first = ((start - base) >> shift) as usize;
        let last = ((end - 1 - base) >> shift) as usize;
        let mut entries: SmallVec<[(usize, Pte); 8]> = SmallVec::new();
        frame.for_each_nonzero(|i, w| {
            if i >= first && i <= last {
                entries.push((i, Pte(w)));
            }
        });
        for (i, entry) in entries {
            let lo = base + ((i as u64) << shift);
            let hi = lo.saturating_add(1 << shift);
            if !entry.is_present() || !sys.machine.mem.has_frame(entry.pfn()) {
                continue;
            }
            let (s, e) = (self.start.max(lo), self.end.min(hi));
            self.free_below(sys, depth + 1, entry.pfn(), lo, s, e);
            if lo >= self.floor && hi <= self.ceiling {
                sys.machine.mem.write_u64(entry_addr(table, i), 0);
                put_page(sys, entry.pfn());
                self.freed += 1;
            }
        }
    }
}

/// Index range of `start..end` within the last-level table that begins at
/// `base`.
#[inline]
pub fn pte_range(base: u64, start: u64, end: u64) -> std::ops::Range<usize> {
    let lo = start.max(base) - base;
    let hi = end.min(base.saturating_add(PMD_SIZE)) - base;
    (lo / PAGE_SIZE) as usize..(hi / PAGE_SIZE) as usize
}

/// `maybe_mkwrite(pte_mkdirty(entry))`: writable if the area is.
#[inline]
pub fn maybe_mkwrite(pte: Pte, vm_flags: VmFlags) -> Pte {
    let pte = pte.with(PteFlags::D | PteFlags::SOFT_DIRTY);
    if vm_flags.contains(VmFlags::WRITE) { pte.with(PteFlags::RW) } else { pte }
}
