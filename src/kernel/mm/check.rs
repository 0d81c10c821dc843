//! Recounting for this directory's tests, whose address spaces may have no
//! task: pages, tables, areas and anon_vmas, written apart from
//! `kernel::check` so that the two watch each other.
//!
//! Linux: none as a whole; CONFIG_DEBUG_VM, `check_mm`, `validate_mm` and
//! page_owner do parts of it. Left out: fixing anything.

use crate::base::{PAGE_SIZE, Pfn};
use crate::kernel::fs::inode::InodeKind;
use crate::kernel::mm::account::{vm_stat_account, vma_pages};
use crate::kernel::mm::lifetime::blank_mm;
use crate::kernel::mm::pgtable::pte_present;
use crate::kernel::mm::zap::mm_counter;
use crate::kernel::mm::{AnonVmaId, MmId, MmStruct, VmFlags};
use crate::kernel::system::System;
use crate::machine::{Level, PageFlags, Pte, PteFlags};
use std::collections::BTreeMap;

/// What page tables and caches say of each frame.
#[derive(Default)]
struct Counted {
    /// References and mappings by frame.
    pages: BTreeMap<Pfn, (i32, i32)>,
    errors: Vec<String>,
}

impl Counted {
    fn hold(&mut self, pfn: Pfn) {
        self.pages.entry(pfn).or_default().0 += 1;
    }
    fn err(&mut self, text: String) {
        self.errors.push(text);
    }
}

/// Everything found inconsistent, a sentence each; empty when all is well.
/// References on mms and files from outside this module are not looked at.
pub fn check_memory(sys: &System) -> Vec<String> {
    let mut c = Counted::default();
    for (id, m) in sys.kernel.mms.iter() {
        check_areas(sys, id, m, &mut c);
        if sys.machine.config.mmu {
            check_tables(sys, id, m, &mut c);
        } else {
            for vma in m.mmap.values() {
                for a in (vma.vm_start..vma.vm_end).step_by(PAGE_SIZE as usize) {
                    c.hold(Pfn((a / PAGE_SIZE) as u32));
                }
            }
        }
    }
    for (_, inode) in sys.kernel.inodes.iter() {
        inode.i_pages.values().for_each(|p| c.hold(*p));
        if let InodeKind::Reg { pages, .. } = &inode.kind {
            pages.values().for_each(|p| c.hold(*p));
        }
    }
    let cached = sys.kernel.cached_stacks.iter();
    for stack in cached.chain(sys.kernel.tasks.iter().filter_map(|(_, t)| t.stack.as_ref())) {
        stack.pages.iter().for_each(|p| c.hold(*p));
    }
    check_pages(sys, &mut c);
    check_anon_vmas(sys, &mut c);
    c.errors
}

fn check_areas(sys: &System, id: MmId, m: &MmStruct, c: &mut Counted) {
    let mut sum = blank_mm(m.pgd, 1);
    let mut last: Option<&crate::kernel::mm::VmAreaStruct> = None;
    for (start, vma) in &m.mmap {
        if *start != vma.vm_start || vma.vm_start >= vma.vm_end {
            c.err(format!("mm {id:?}: area at {start:#x} has a bad range"));
        }
        if last.is_some_and(|l| l.vm_end > vma.vm_start) {
            c.err(format!("mm {id:?}: areas overlap at {start:#x}"));
        }
        if vma.anon_vma.is_some_and(|a| !vma.anon_vma_chain.contains(&a)) {
            c.err(format!("mm {id:?}: area at {start:#x} is not linked to its anon_vma"));
        }
        if vma.vm_file.is_some_and(|f| !sys.kernel.filps.contains(f)) {
            c.err(format!("mm {id:?}: area at {start:#x} names a freed file"));
        }
        vm_stat_account(&mut sum, vma.vm_flags, vma_pages(vma) as i64);
        if vma.vm_flags.contains(VmFlags::LOCKED) {
            sum.locked_vm += vma_pages(vma);
        }
        last = Some(vma);
    }
    let stats = |m: &MmStruct| (m.total_vm, m.data_vm, m.exec_vm, m.stack_vm, m.locked_vm);
    if stats(m) != stats(&sum) {
        c.err(format!(
            "mm {id:?}: total, data, exec, stack, locked are {:?}, areas give {:?}",
            stats(m),
            stats(&sum)
        ));
    }
}

fn check_tables(sys: &System, id: MmId, m: &MmStruct, c: &mut Counted) {
    let mut seen = Seen { rss: [0; 3], tables: 0 };
    c.hold(m.pgd);
    let kernel_half = id == sys.kernel.init_mm;
    walk_tables(sys, id, m, (m.pgd, 0, 0), kernel_half, &mut seen, c);
    if kernel_half {
        return;
    }
    if seen.tables != m.nr_pgtables {
        let (n, k) = (m.nr_pgtables, seen.tables);
        c.err(format!("mm {id:?}: nr_pgtables is {n}, there are {k} tables"));
    }
    if seen.rss != m.rss_stat {
        c.err(format!("mm {id:?}: rss_stat is {:?}, entries give {:?}", m.rss_stat, seen.rss));
    }
}

struct Seen {
    rss: [i64; 3],
    tables: u64,
}

fn walk_tables(
    sys: &System,
    id: MmId,
    m: &MmStruct,
    (table, depth, base): (Pfn, usize, u64),
    kernel_half: bool,
    seen: &mut Seen,
    c: &mut Counted,
) {
    let levels = sys.machine.config.paging_levels;
    let Some(&level) = levels.levels().get(depth) else { return };
    let mut words = Vec::new();
    sys.machine.mem.for_each_nonzero_word(table, |i, w| words.push((i, Pte(w))));
    for (i, pte) in words {
        // The upper half belongs to init_mm, whoever's PGD it is in.
        if depth == 0 && (i >= 256) != kernel_half {
            continue;
        }
        let addr = base + ((i as u64) << levels.shift(level));
        if level != Level::Pte {
            c.hold(pte.pfn());
            seen.tables += 1;
            walk_tables(sys, id, m, (pte.pfn(), depth + 1, addr), kernel_half, seen, c);
            continue;
        }
        if kernel_half || !pte_present(pte) {
            continue;
        }
        check_entry(sys, id, m, addr, pte, c);
        if pte.is_special() {
            continue;
        }
        let counts = c.pages.entry(pte.pfn()).or_default();
        counts.0 += 1;
        counts.1 += 1;
        seen.rss[mm_counter(sys.machine.mem.page(pte.pfn()).flags) as usize] += 1;
    }
}

/// What one entry must look like under its area.
fn check_entry(sys: &System, id: MmId, m: &MmStruct, addr: u64, pte: Pte, c: &mut Counted) {
    let vma = super::vma::find_vma(m, addr).filter(|v| v.vm_start <= addr);
    let Some(vma) = vma else {
        return c.err(format!("mm {id:?}: {addr:#x} is mapped outside every area"));
    };
    if pte.has(PteFlags::P | PteFlags::RW) && !vma.vm_flags.contains(VmFlags::WRITE) {
        c.err(format!("mm {id:?}: {addr:#x} is writable, its area is not"));
    }
    let page = sys.machine.mem.page(pte.pfn());
    let private = !vma.vm_flags.contains(VmFlags::SHARED);
    if pte.is_writable() && private && !page.flags.contains(PageFlags::ANON_EXCLUSIVE) {
        c.err(format!("mm {id:?}: {addr:#x} is writable, but its page is not exclusive"));
    }
    if page.flags.contains(PageFlags::ANON_EXCLUSIVE) && page.mapcount > 1 {
        c.err(format!("mm {id:?}: the page at {addr:#x} is exclusive and mapped twice"));
    }
    if page.flags.contains(PageFlags::ANON) && vma.anon_vma.is_none() {
        c.err(format!("mm {id:?}: {addr:#x} has an anonymous page, its area no anon_vma"));
    }
}

fn check_pages(sys: &System, c: &mut Counted) {
    let mut held = 0u32;
    for (pfn, (refs, maps)) in std::mem::take(&mut c.pages) {
        let page = sys.machine.mem.page(pfn);
        if page.refcount != refs || page.mapcount != maps {
            c.err(format!(
                "page {pfn}: refcount {} and mapcount {}, holders give {refs} and {maps}",
                page.refcount, page.mapcount
            ));
        }
        held += 1;
    }
    // The zero page and the first MiB are held by nobody in particular.
    let mem = &sys.machine.mem;
    let reserved = crate::machine::LOW_RESERVED.min(mem.total_pages());
    let used = mem.total_pages() - mem.free_pages() - reserved;
    let zero = u32::from(mem.page(sys.kernel.zero_page).flags.contains(PageFlags::ZERO));
    if used != held + zero {
        c.err(format!("{used} frames are in use, {held} have holders: some are lost"));
    }
}

fn check_anon_vmas(sys: &System, c: &mut Counted) {
    // (areas linked, active areas, children, roots held)
    let mut count: BTreeMap<AnonVmaId, (u32, u32, u32, u32)> = BTreeMap::new();
    for (_, m) in sys.kernel.mms.iter() {
        for vma in m.mmap.values() {
            for a in &vma.anon_vma_chain {
                count.entry(*a).or_default().0 += 1;
            }
            if let Some(a) = vma.anon_vma {
                count.entry(a).or_default().1 += 1;
            }
        }
    }
    for (id, av) in sys.kernel.anon_vmas.iter() {
        if let Some(p) = av.parent.filter(|_| av.nr_vmas > 0) {
            count.entry(p).or_default().2 += 1;
        }
        if let Some(r) = av.root.filter(|r| *r != id) {
            count.entry(r).or_default().3 += 1;
        }
    }
    for (id, av) in sys.kernel.anon_vmas.iter() {
        let (linked, active, children, roots) = count.remove(&id).unwrap_or_default();
        let refs = u32::from(linked > 0) + roots;
        let is = (av.nr_vmas, av.num_active_vmas, av.num_children, av.refcount);
        let want = (linked, active, children, refs);
        if is != want {
            c.err(format!(
                "anon_vma {id:?}: areas, active, children, references are {is:?}, counted {want:?}"
            ));
        }
    }
    for id in count.into_keys() {
        c.err(format!("anon_vma {id:?} is freed but named"));
    }
}
