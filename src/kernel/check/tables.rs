//! Walking page tables: every entry must lie in an area, allow no more than
//! it, and name a page that may be there.
//!
//! ```text
//! writable entry   area with VM_WRITE, and shared, or the page AnonExclusive
//! AnonExclusive    mapped once
//! zero page        special, never writable, in anonymous memory
//! page of a file   the one the page cache has for that offset
//! anonymous page   private area, linked to the page's anon_vma
//! ```
//!
//! Linux: mm/page_table_check.c, mm/rmap.c (`__page_check_anon_rmap`),
//! mm/internal.h. Left out: swap entries, huge pages.

use super::Findings;
use super::areas::Area;
use super::pages::Frames;
use crate::base::{PAGE_SIZE, Pfn};
use crate::kernel::mm::filemap::cached_page;
use crate::kernel::mm::layout;
use crate::kernel::mm::pgtable::{pte_present, pte_protnone, pte_tables};
use crate::kernel::mm::zap::mm_counter;
use crate::kernel::mm::{MmId, MmStruct, VmAreaStruct, VmFlags, VmOps};
use crate::kernel::system::System;
use crate::machine::{Level, PageFlags, Pte, PteFlags};
use std::collections::btree_map::Values;
use std::iter::Peekable;

/// First entry of a top table that belongs to the kernel.
const KERNEL_HALF: usize = 256;

/// Walks the tables of one address space: the user half of any, the kernel
/// half of init_mm, whose tables all others share.
pub(super) fn check(sys: &System, id: MmId, frames: &mut Frames, f: &mut Findings) {
    let m = &sys.kernel.mms[id];
    let kernel = id == sys.kernel.init_mm;
    frames.hold_table(m.pgd);
    let areas = m.mmap.values().peekable();
    let mut walk = Walk { sys, id, m, areas, kernel, rss: [0; 3], tables: 0, frames, f };
    walk.table(m.pgd, 0, 0);
    let (rss, tables) = (walk.rss, walk.tables);
    if kernel {
        return;
    }
    let me = format_args!("mm_struct {id:?} ({})", m.exe_file);
    f.count(me, "nr_pgtables", m.nr_pgtables as i64, tables, "tables below its PGD");
    let kinds = ["rss_stat[File]", "rss_stat[Anon]", "rss_stat[Shmem]"];
    for (i, kind) in kinds.into_iter().enumerate() {
        f.count(me, kind, m.rss_stat[i], rss[i], "entries that map such a page");
    }
    kernel_half(sys, id, m, f);
}

/// Every address space has the kernel's top-level entries.
fn kernel_half(sys: &System, id: MmId, m: &MmStruct, f: &mut Findings) {
    let mem = &sys.machine.mem;
    let upper = |pgd: Pfn| {
        let mut entries = Vec::new();
        mem.for_each_nonzero_word(pgd, |i, w| {
            if i >= KERNEL_HALF {
                // The processor sets A on its way.
                entries.push((i, Pte(w).with(PteFlags::A).0));
            }
        });
        entries
    };
    let theirs = upper(sys.kernel.mms[sys.kernel.init_mm].pgd);
    let me = format_args!("mm_struct {id:?}");
    f.same(me, "kernel half of its PGD", upper(m.pgd), theirs, "that of swapper_pg_dir");
}

struct Walk<'a, 'b> {
    sys: &'a System,
    id: MmId,
    m: &'a MmStruct,
    /// Areas not yet passed; the walk goes upwards.
    areas: Peekable<Values<'a, u64, VmAreaStruct>>,
    kernel: bool,
    rss: [i64; 3],
    tables: i64,
    frames: &'b mut Frames,
    f: &'b mut Findings,
}

impl<'a> Walk<'a, '_> {
    fn table(&mut self, table: Pfn, depth: usize, base: u64) {
        let levels = self.sys.machine.config.paging_levels;
        let Some(&level) = levels.levels().get(depth) else { return };
        let mem = &self.sys.machine.mem;
        let kernel = self.kernel;
        mem.for_each_nonzero_word(table, |i, word| {
            // The upper half belongs to init_mm, whoever's PGD it is in.
            if depth == 0 && (i >= KERNEL_HALF) != kernel {
                return;
            }
            let addr = base + ((i as u64) << levels.shift(level));
            let pte = Pte(word);
            if level != Level::Pte {
                self.directory(addr, pte, depth);
            } else if kernel {
                let (id, global) = (self.id, pte.has(PteFlags::G | PteFlags::NX));
                let fits = pte.is_present() && global && !pte.has(PteFlags::US);
                let me = format_args!("kernel address {addr:#x} of mm_struct {id:?}");
                self.f.rule(fits, me, "entry", format_args!("{pte}"), "PAGE_KERNEL");
            } else {
                self.entry(addr, pte);
            }
        });
    }

    fn directory(&mut self, addr: u64, pte: Pte, depth: usize) {
        let valid = pte.is_present()
            && !pte.has(PteFlags::PS)
            && pte.reserved_bits() == 0
            && self.sys.machine.mem.has_frame(pte.pfn());
        let id = self.id;
        let me = format_args!("directory entry for {addr:#x} of mm_struct {id:?}");
        self.f.rule(valid, me, "entry", format_args!("{pte}"), "a table");
        if valid {
            self.tables += 1;
            self.frames.hold_table(pte.pfn());
            self.table(pte.pfn(), depth + 1, addr);
        }
    }

    fn area(&mut self, addr: u64) -> Option<&'a VmAreaStruct> {
        while self.areas.peek().is_some_and(|v| v.vm_end <= addr) {
            self.areas.next();
        }
        self.areas.peek().copied().filter(|v| v.vm_start <= addr)
    }

    fn entry(&mut self, addr: u64, pte: Pte) {
        let id = self.id;
        let me = format_args!("entry for {addr:#x} of mm_struct {id:?} ({})", self.m.exe_file);
        let Some(vma) = self.area(addr) else {
            return self.f.rule(false, me, "entry", format_args!("{pte}"), "empty, no area there");
        };
        let name = Area(id, vma);
        let me = format_args!("entry for {addr:#x} in {name}");
        let mem = &self.sys.machine.mem;
        if !pte_present(pte) || pte.reserved_bits() != 0 || !mem.has_frame(pte.pfn()) {
            return self.f.rule(false, me, "entry", format_args!("{pte}"), "empty or of a page");
        }
        let flags = vma.vm_flags;
        let page = *mem.page(pte.pfn());
        let shared = flags.contains(VmFlags::SHARED);
        let mut rule = |holds: bool, expected: &str| {
            let stored = format_args!("{pte} (page: {})", page.flags);
            self.f.rule(holds, me, "entry", stored, expected);
        };
        let open = flags.intersects(VmFlags::ACCESS);
        rule(open != pte_protnone(pte), "present to the processor if the area allows any access");
        if open {
            let nx = self.sys.machine.config.nx && !flags.contains(VmFlags::EXEC);
            rule(pte.has(PteFlags::US), "with U/S: it is user memory");
            rule(pte.has(PteFlags::NX) == nx, "NX exactly if the area is not executable");
        }
        if pte.is_writable() && open {
            rule(flags.contains(VmFlags::WRITE), "writable only in a writable area");
            let own = page.flags.contains(PageFlags::ANON | PageFlags::ANON_EXCLUSIVE);
            rule(shared || own, "writable only if shared, or the page is exclusively its own");
        }
        let zero = pte.pfn() == self.sys.kernel.zero_page;
        rule(pte.is_special() == zero, "special exactly if it maps the zero page");
        if zero {
            let private = vma.vm_ops == VmOps::Anonymous && !shared;
            rule(private && !pte.is_writable(), "the zero page only read-only and anonymous");
            return;
        }
        self.frames.map(pte.pfn());
        self.rss[mm_counter(page.flags) as usize] += 1;
        if page.flags.contains(PageFlags::ANON) {
            rule(!shared, "an anonymous page only in a private area");
            let linked = vma.anon_vma_chain.iter().any(|a| a.index() + 1 == page.private);
            rule(linked, "a page whose anon_vma the area is linked to");
            let exclusive = page.flags.contains(PageFlags::ANON_EXCLUSIVE);
            rule(!exclusive || page.mapcount == 1, "AnonExclusive only if mapped once");
        } else {
            let pgoff = vma.vm_pgoff + (addr - vma.vm_start) / PAGE_SIZE;
            let cached = vma.vm_file.and_then(|file| cached_page(self.sys, file, pgoff));
            rule(
                vma.vm_ops == VmOps::File && cached == Some(pte.pfn()),
                "a page of the area's file, as the page cache has it",
            );
        }
    }
}

/// The last-level entries of an address space that hold a page, with their
/// addresses, ascending.
pub(super) fn leaves(sys: &System, m: &MmStruct) -> Vec<(u64, Pte)> {
    let mut found = Vec::new();
    if sys.machine.config.mmu {
        let levels = sys.machine.config.paging_levels;
        let end = layout::task_size(sys);
        for (table, base) in pte_tables(&sys.machine.mem, levels, m.pgd, 0, end) {
            sys.machine.mem.for_each_nonzero_word(table, |i, w| {
                found.push((base + i as u64 * PAGE_SIZE, Pte(w)));
            });
        }
    }
    found
}
