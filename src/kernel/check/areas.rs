//! Address spaces and their areas: users, order and bounds, page accounting,
//! the search's memory of holes, and the anon_vmas behind private pages.
//!
//! Linux: mm/vma.c (`validate_mm`), mm/rmap.c.
//! Left out: merging. Linux merges what it can when it looks, not always.

use super::Findings;
use super::tally::Tally;
use crate::base::PAGE_SIZE;
use crate::kernel::mm::layout::task_size;
use crate::kernel::mm::vma::vm_start_gap;
use crate::kernel::mm::{AnonVma, MmId, MmStruct, VmAreaStruct, VmFlags, VmOps};
use crate::kernel::system::System;
use std::fmt;

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let mut users = Tally::new();
    let mut borrowers = Tally::new();
    for (_, t) in k.tasks.iter() {
        match (t.mm, t.active_mm) {
            (Some(mm), _) => users.add(&k.mms, mm),
            (None, Some(mm)) => borrowers.add(&k.mms, mm),
            _ => true,
        };
    }
    let mut anon = AnonCounts::new();
    for (id, m) in k.mms.iter() {
        let me = format_args!("mm_struct {id:?} ({})", m.exe_file);
        let fixed = if id == k.init_mm { 2 } else { 0 };
        f.count(me, "mm_users", m.mm_users, users.of(id) + fixed, "tasks whose mm it is");
        let count = u32::from(m.mm_users > 0) + borrowers.of(id);
        f.count(me, "mm_count", m.mm_count, count, "its users together, and lazy borrowers");
        if m.mm_users == 0 {
            let empty = m.mmap.is_empty();
            f.rule(empty, me, "areas", format_args!("{}", m.mmap.len()), "none without users");
        }
        areas(sys, id, m, f);
        holes(sys, me, m, f);
        for vma in m.mmap.values() {
            anon.add(sys, format_args!("{}", Area(id, vma)), vma, f);
        }
    }
    anon.compare(sys, f);
}

/// How an area is named.
pub(super) struct Area<'a>(pub MmId, pub &'a VmAreaStruct);

impl fmt::Display for Area<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "area {:#x}-{:#x} of mm_struct {:?}", self.1.vm_start, self.1.vm_end, self.0)
    }
}

fn areas(sys: &System, id: MmId, m: &MmStruct, f: &mut Findings) {
    let mut end_of_last = 0;
    let (mut total, mut data, mut exec, mut stack, mut locked) = (0u64, 0, 0, 0, 0);
    let limit = if sys.machine.config.mmu { task_size(sys) } else { u64::MAX };
    for (&start, vma) in &m.mmap {
        let name = Area(id, vma);
        let me = format_args!("{name}");
        f.same(me, "vm_start", vma.vm_start, start, "its place in the map");
        let aligned = (vma.vm_start | vma.vm_end) % PAGE_SIZE == 0;
        let ordered = end_of_last <= vma.vm_start && vma.vm_start < vma.vm_end;
        let good = aligned && ordered && vma.vm_end <= limit;
        f.rule(good, me, "range", format_args!("that"), "whole pages, behind the area before it");
        end_of_last = vma.vm_end;
        flags(me, vma, f);
        let pages = vma.vm_end.saturating_sub(vma.vm_start) / PAGE_SIZE;
        total += pages;
        // is_exec_mapping, is_stack_mapping, is_data_mapping, in this order.
        let has = |flag| vma.vm_flags.contains(flag);
        if has(VmFlags::EXEC) && !has(VmFlags::WRITE) && !has(VmFlags::GROWSDOWN) {
            exec += pages;
        } else if has(VmFlags::GROWSDOWN) {
            stack += pages;
        } else if has(VmFlags::WRITE) && !has(VmFlags::SHARED) {
            data += pages;
        }
        if has(VmFlags::LOCKED) {
            locked += pages;
        }
    }
    let me = format_args!("mm_struct {id:?} ({})", m.exe_file);
    let mut count = |field, stored: u64, recounted: u64, holders| {
        f.count(me, field, stored as i64, recounted as i64, holders);
    };
    count("total_vm", m.total_vm, total, "pages of all areas");
    count("data_vm", m.data_vm, data, "pages of private writable areas");
    count("exec_vm", m.exec_vm, exec, "pages of executable areas");
    count("stack_vm", m.stack_vm, stack, "pages of growing areas");
    count("locked_vm", m.locked_vm, locked, "pages of locked areas");
}

fn flags(me: fmt::Arguments<'_>, vma: &VmAreaStruct, f: &mut Findings) {
    let v = vma.vm_flags;
    let mut rule = |holds: bool, expected| {
        f.rule(holds, me, "vm_flags", format_args!("{v:?}"), expected);
    };
    let may = [
        (VmFlags::READ, VmFlags::MAYREAD),
        (VmFlags::WRITE, VmFlags::MAYWRITE),
        (VmFlags::EXEC, VmFlags::MAYEXEC),
        (VmFlags::SHARED, VmFlags::MAYSHARE),
    ];
    for (is, may) in may {
        rule(!v.contains(is) || v.contains(may), "with VM_MAY* for each right it has");
    }
    // A read-only shared mapping of /dev/zero is anonymous and not SHARED.
    let shared = v.contains(VmFlags::SHARED);
    let file = vma.vm_file.is_some() && vma.vm_ops == VmOps::File;
    rule(!shared || file, "shared only with a file behind it");
    let private = vma.vm_ops == VmOps::Anonymous;
    rule(!v.contains(VmFlags::GROWSDOWN) || private, "growing only if anonymous");
    rule(!v.contains(VmFlags::WIPEONFORK) || !shared, "wiped on fork only if private");
}

/// Above `free_area_cache` no hole may be as large as `cached_hole_size`.
fn holes(sys: &System, me: fmt::Arguments<'_>, m: &MmStruct, f: &mut Findings) {
    if m.cached_hole_size == 0 || !sys.machine.config.mmu {
        return;
    }
    let mut end = m.mmap_base;
    let mut largest = 0;
    for v in m.mmap.range(..m.mmap_base).rev().map(|(_, v)| v) {
        if end <= m.free_area_cache {
            break;
        }
        largest = largest.max(end.saturating_sub(v.vm_end));
        end = end.min(vm_start_gap(v));
    }
    let known = largest < m.cached_hole_size;
    let stored = format_args!("{:#x}, {largest:#x} is free above it", m.cached_hole_size);
    f.rule(known, me, "cached_hole_size", stored, "more than any hole above free_area_cache");
}

/// The recount of anon_vmas.
struct AnonCounts {
    linked: Tally<AnonVma>,
    active: Tally<AnonVma>,
}

impl AnonCounts {
    fn new() -> Self {
        AnonCounts { linked: Tally::new(), active: Tally::new() }
    }

    fn add(&mut self, sys: &System, me: fmt::Arguments<'_>, vma: &VmAreaStruct, f: &mut Findings) {
        let all = &sys.kernel.anon_vmas;
        for (i, id) in vma.anon_vma_chain.iter().enumerate() {
            f.exists(self.linked.add(all, *id), me, "anon_vma_chain", format_args!("{id:?}"));
            let once = !vma.anon_vma_chain[..i].contains(id);
            f.rule(once, me, "anon_vma_chain", format_args!("{id:?} twice"), "each once");
        }
        if let Some(own) = vma.anon_vma {
            f.exists(self.active.add(all, own), me, "anon_vma", format_args!("{own:?}"));
            let linked = vma.anon_vma_chain.contains(&own);
            f.rule(linked, me, "anon_vma", format_args!("{own:?}"), "a member of its chain");
        } else {
            let none = vma.anon_vma_chain.is_empty();
            f.rule(none, me, "anon_vma_chain", format_args!("not empty"), "empty, no anon_vma");
        }
    }

    fn compare(self, sys: &System, f: &mut Findings) {
        let all = &sys.kernel.anon_vmas;
        let mut children = Tally::new();
        let mut rooted = Tally::new();
        for (id, av) in all.iter() {
            let me = format_args!("anon_vma {id:?}");
            // One without areas has given up its place as a child.
            if let Some(parent) = av.parent.filter(|_| av.nr_vmas > 0) {
                f.exists(children.add(all, parent), me, "parent", format_args!("{parent:?}"));
            }
            if let Some(root) = av.root.filter(|r| *r != id) {
                f.exists(rooted.add(all, root), me, "root", format_args!("{root:?}"));
            }
        }
        for (id, av) in all.iter() {
            let me = format_args!("anon_vma {id:?}");
            let linked = self.linked.of(id);
            f.count(me, "nr_vmas", av.nr_vmas, linked, "chain entries of areas");
            let active = self.active.of(id);
            f.count(me, "num_active_vmas", av.num_active_vmas, active, "areas that fault into it");
            f.count(me, "num_children", av.num_children, children.of(id), "it is parent of");
            let holders = "its areas together, and descendants whose root it is";
            f.count(me, "refcount", av.refcount, u32::from(linked > 0) + rooted.of(id), holders);
        }
    }
}
