//! The reverse map: from an anonymous page to the areas that may map it.
//!
//! A page belongs to the anon_vma of the area that faulted it in. fork gives
//! the child's area an anon_vma of its own and links the area to all
//! ancestors' too, because it still maps their pages:
//!
//! ```text
//! parent area  --chain--> A                 A: root, pages from before fork
//! child area   --chain--> A, B (its own)    B: parent A, pages it COWed
//! grandchild   --chain--> A, B, C
//! ```
//!
//! Linux: mm/rmap.c (`__anon_vma_prepare`, `anon_vma_clone`, `anon_vma_fork`,
//! `unlink_anon_vmas`). Left out: the interval tree (only its size is kept)
//! and locks; `page_mappers` scans instead, for views.

use crate::base::{PAGE_SIZE, Pfn};
use crate::kernel::mm::pgtable::{pte_present, pte_tables};
use crate::kernel::mm::{AnonVma, AnonVmaId, MmId, VmAreaStruct};
use crate::kernel::system::System;
use crate::machine::{PageFlags, Pte};

/// A new anon_vma, its own root and parent (`anon_vma_alloc`).
fn anon_vma_alloc(sys: &mut System) -> AnonVmaId {
    let id = sys.kernel.anon_vmas.insert(AnonVma {
        refcount: 1,
        nr_vmas: 0,
        root: None,
        parent: None,
        num_children: 0,
        num_active_vmas: 0,
    });
    let av = &mut sys.kernel.anon_vmas[id];
    (av.root, av.parent) = (Some(id), Some(id));
    id
}

#[cold]
fn broken(sys: &mut System, id: AnonVmaId) {
    sys.oops("anon_vma", format!("anon_vma {id:?} is freed but an area still names it"));
}

/// Gives the area that begins at `vm_start` an anon_vma before its first
/// private page, or lets it share that of a neighbour it could be merged with
/// later (`anon_vma_prepare`).
pub fn anon_vma_prepare(sys: &mut System, mm: MmId, vm_start: u64) {
    let Some(vma) = sys.kernel.mms[mm].mmap.get(&vm_start) else { return };
    if vma.anon_vma.is_some() {
        return;
    }
    let id = match find_mergeable_anon_vma(sys, mm, vm_start) {
        Some(id) => id,
        None => {
            let id = anon_vma_alloc(sys);
            // The self-parent link of a new root.
            sys.kernel.anon_vmas[id].num_children += 1;
            id
        }
    };
    let av = &mut sys.kernel.anon_vmas[id];
    av.nr_vmas += 1;
    av.num_active_vmas += 1;
    if let Some(vma) = sys.kernel.mms[mm].mmap.get_mut(&vm_start) {
        vma.anon_vma = Some(id);
        vma.anon_vma_chain.push(id);
    }
}

/// The anon_vma of a neighbour that differs in its access rights only
/// (`find_mergeable_anon_vma`, `anon_vma_compatible`).
fn find_mergeable_anon_vma(sys: &System, mm: MmId, vm_start: u64) -> Option<AnonVmaId> {
    use crate::kernel::mm::VmFlags;
    let map = &sys.kernel.mms[mm].mmap;
    let vma = map.get(&vm_start)?;
    let reusable = |a: &VmAreaStruct, b: &VmAreaStruct, other: &VmAreaStruct| {
        let apart = (a.vm_flags ^ b.vm_flags).difference(VmFlags::ACCESS);
        let fits = a.vm_end == b.vm_start
            && apart.is_empty()
            && a.vm_file == b.vm_file
            && b.vm_pgoff == a.vm_pgoff + (b.vm_start - a.vm_start) / PAGE_SIZE;
        // Only a list of one: the neighbour was not forked.
        if fits && other.anon_vma_chain.len() == 1 { other.anon_vma } else { None }
    };
    let next = map.range(vma.vm_end..).next().map(|(_, v)| v);
    if let Some(id) = next.and_then(|n| reusable(vma, n, n)) {
        return Some(id);
    }
    let prev = map.range(..vm_start).next_back().map(|(_, v)| v);
    prev.and_then(|p| reusable(p, vma, p))
}

/// Links `dst` to everything `src` is linked to. Used by fork (`dst` has no
/// anon_vma then, and may take over one nobody uses any more) and by splits
/// (`dst` is a copy and keeps the anon_vma).
///
/// Reuse rule of Linux 6.18: an anon_vma without active areas and with fewer
/// than two children is given to the child, so that endless chains of forks
/// do not grow endless chains of anon_vmas.
pub fn anon_vma_clone(sys: &mut System, dst: &mut VmAreaStruct, src: &VmAreaStruct) {
    for &id in &src.anon_vma_chain {
        let may_reuse = dst.anon_vma.is_none() && src.anon_vma.is_some();
        let Some(av) = sys.kernel.anon_vmas.get_mut(id) else {
            broken(sys, id);
            continue;
        };
        av.nr_vmas += 1;
        if may_reuse && av.num_children < 2 && av.num_active_vmas == 0 {
            dst.anon_vma = Some(id);
        }
        dst.anon_vma_chain.push(id);
    }
    if let Some(av) = dst.anon_vma.and_then(|id| sys.kernel.anon_vmas.get_mut(id)) {
        av.num_active_vmas += 1;
    }
}

/// fork: `vma` becomes the child's counterpart of `pvma`, linked to all its
/// anon_vmas and to one of its own. Preconditions: `vma` has no links.
pub fn anon_vma_fork(sys: &mut System, vma: &mut VmAreaStruct, pvma: &VmAreaStruct) {
    let Some(parent) = pvma.anon_vma else { return };
    anon_vma_clone(sys, vma, pvma);
    if vma.anon_vma.is_some() {
        return;
    }
    let avs = &mut sys.kernel.anon_vmas;
    let Some(p) = avs.get_mut(parent) else { return broken(sys, parent) };
    p.num_children += 1;
    let root = p.root;
    if root == Some(parent) {
        p.refcount += 1;
    } else if let Some(r) = root.and_then(|r| avs.get_mut(r)) {
        r.refcount += 1;
    }
    let id = avs.insert(AnonVma {
        refcount: 1,
        nr_vmas: 1,
        root,
        parent: Some(parent),
        num_children: 0,
        num_active_vmas: 1,
    });
    vma.anon_vma = Some(id);
    vma.anon_vma_chain.push(id);
}

/// Takes an area off all its anon_vmas, newest first so that the root goes
/// last; an anon_vma without areas gives up its place as a child.
pub fn unlink_anon_vmas(sys: &mut System, vma: &mut VmAreaStruct) {
    if vma.anon_vma_chain.is_empty() {
        return;
    }
    let chain = std::mem::take(&mut vma.anon_vma_chain);
    let active = vma.anon_vma.take();
    for &id in chain.iter().rev() {
        let Some(av) = sys.kernel.anon_vmas.get_mut(id) else {
            broken(sys, id);
            continue;
        };
        if active == Some(id) {
            av.num_active_vmas = av.num_active_vmas.saturating_sub(1);
        }
        if av.nr_vmas == 0 {
            sys.oops("unlink_anon_vmas", format!("anon_vma {id:?} has no areas"));
            continue;
        }
        av.nr_vmas -= 1;
        if av.nr_vmas > 0 {
            continue;
        }
        if let Some(p) = av.parent.and_then(|p| sys.kernel.anon_vmas.get_mut(p)) {
            p.num_children = p.num_children.saturating_sub(1);
        }
        put_anon_vma(sys, id);
    }
}

/// Drops a reference; the last one frees it and then lets go of its root.
fn put_anon_vma(sys: &mut System, id: AnonVmaId) {
    let Some(av) = sys.kernel.anon_vmas.get_mut(id) else { return broken(sys, id) };
    av.refcount = av.refcount.saturating_sub(1);
    if av.refcount > 0 {
        return;
    }
    let root = av.root;
    sys.kernel.anon_vmas.free(id);
    if let Some(root) = root.filter(|r| *r != id) {
        put_anon_vma(sys, root);
    }
}

/// Everything that maps a frame: address spaces and addresses, by address
/// space. Walks all page tables.
pub fn page_mappers(sys: &System, pfn: Pfn) -> Vec<(MmId, u64)> {
    let mut out = Vec::new();
    let levels = sys.machine.config.paging_levels;
    if !sys.machine.config.mmu || sys.machine.mem.page(pfn).flags.contains(PageFlags::HOLE) {
        return out;
    }
    for (id, mm) in sys.kernel.mms.iter() {
        for vma in mm.mmap.values() {
            let (start, end) = (vma.vm_start, vma.vm_end);
            for (table, base) in pte_tables(&sys.machine.mem, levels, mm.pgd, start, end) {
                sys.machine.mem.for_each_nonzero_word(table, |i, w| {
                    let addr = base + i as u64 * PAGE_SIZE;
                    let pte = Pte(w);
                    if addr >= start && addr < end && pte_present(pte) && pte.pfn() == pfn {
                        out.push((id, addr));
                    }
                });
            }
        }
    }
    out
}
