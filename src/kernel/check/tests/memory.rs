//! Address spaces, page tables, frames, kernel stacks, TLBs.

use super::*;
use crate::base::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::kernel::fs::inode::InodeKind;
use crate::kernel::mm::pgtable::lookup;
use crate::kernel::mm::{AnonVma, MmStruct, VmFlags};
use crate::machine::page::Page;
use crate::machine::{PageFlags, Pte, PteFlags, Rights};

fn mm(s: &mut Scene) -> &mut MmStruct {
    let id = s.mm(s.child);
    s.sys.mm_mut(id)
}

/// The private area of the child.
fn private(s: &mut Scene) -> &mut VmAreaStruct {
    let at = s.private;
    s.area(at)
}

fn anon_vma(s: &mut Scene) -> &mut AnonVma {
    let id = private(s).anon_vma.expect("its pages have been written");
    &mut s.sys.kernel.anon_vmas[id]
}

/// The child's entry for an address.
fn entry(s: &Scene, at: u64) -> (PhysAddr, Pte) {
    lookup(&s.sys, s.mm(s.child), at).expect("it has a table")
}

/// Changes the child's entry for an address.
fn set_entry(s: &mut Scene, at: u64, f: impl FnOnce(Pte) -> Pte) {
    let (place, pte) = entry(s, at);
    s.sys.machine.mem.write(place, &f(pte).0.to_le_bytes());
}

/// The frame of the child's first private page.
fn page(s: &mut Scene) -> &mut Page {
    let pfn = entry(s, s.private).1.pfn();
    s.sys.machine.mem.page_mut(pfn).expect("the frame exists")
}

/// Changes an entry of the child's top table.
fn set_pgd(s: &mut Scene, index: u64, word: u64) {
    let pgd = mm(s).pgd;
    s.sys.machine.mem.write(PhysAddr(pgd.addr().0 + 8 * index), &word.to_le_bytes());
}

#[test]
fn address_spaces() {
    each(&[
        ("mm_users is 77", |s| mm(s).mm_users = 77),
        ("mm_count is 77", |s| mm(s).mm_count = 77),
        ("none without users", |s| mm(s).mm_users = 0),
        ("vm_start is", |s| private(s).vm_start += PAGE_SIZE),
        ("whole pages, behind the area before it", |s| private(s).vm_end += 1),
        ("total_vm is 77", |s| mm(s).total_vm = 77),
        ("data_vm is 77", |s| mm(s).data_vm = 77),
        ("exec_vm is 77", |s| mm(s).exec_vm = 77),
        ("stack_vm is 77", |s| mm(s).stack_vm = 77),
        ("locked_vm is 77", |s| mm(s).locked_vm = 77),
        ("with VM_MAY* for each right it has", |s| private(s).vm_flags -= VmFlags::MAYWRITE),
        ("shared only with a file behind it", |s| {
            private(s).vm_flags |= VmFlags::SHARED | VmFlags::MAYSHARE;
        }),
        ("growing only if anonymous", |s| {
            let at = s.shared;
            s.area(at).vm_flags |= VmFlags::GROWSDOWN;
        }),
        ("wiped on fork only if private", |s| {
            let at = s.shared;
            s.area(at).vm_flags |= VmFlags::WIPEONFORK;
        }),
        ("cached_hole_size is", |s| {
            mm(s).free_area_cache = 0;
            mm(s).cached_hole_size = 1;
        }),
    ]);
}

#[test]
fn anon_vmas() {
    each(&[
        ("anon_vma_chain names", |s| private(s).anon_vma_chain.push(gone())),
        ("twice, should be each once", |s| {
            let first = private(s).anon_vma_chain[0];
            private(s).anon_vma_chain.push(first);
        }),
        ("anon_vma names", |s| private(s).anon_vma = Some(gone())),
        ("a member of its chain", |s| private(s).anon_vma_chain.clear()),
        ("empty, no anon_vma", |s| private(s).anon_vma = None),
        ("parent names", |s| anon_vma(s).parent = Some(gone())),
        ("root names", |s| anon_vma(s).root = Some(gone())),
        ("nr_vmas is 77", |s| anon_vma(s).nr_vmas = 77),
        ("num_active_vmas is 77", |s| anon_vma(s).num_active_vmas = 77),
        ("num_children is 77", |s| anon_vma(s).num_children = 77),
        ("refcount is 77, counted are", |s| anon_vma(s).refcount = 77),
    ]);
}

#[test]
fn page_tables() {
    each(&[
        ("nr_pgtables is 77", |s| mm(s).nr_pgtables = 77),
        ("rss_stat[File] is 77", |s| mm(s).rss_stat[0] = 77),
        ("rss_stat[Anon] is 77", |s| mm(s).rss_stat[1] = 77),
        ("rss_stat[Shmem] is 77", |s| mm(s).rss_stat[2] = 77),
        ("that of swapper_pg_dir", |s| set_pgd(s, 511, 0x1003)),
        ("should be a table", |s| set_pgd(s, 3, PteFlags::P.bits() | PteFlags::PS.bits())),
        ("PAGE_KERNEL", |s| {
            let base = s.sys.task(s.child).stack.as_ref().expect("it has a stack").base;
            let (at, pte) = lookup(&s.sys, s.sys.kernel.init_mm, base.0).expect("it is mapped");
            s.sys.machine.mem.write(at, &pte.with(PteFlags::US).0.to_le_bytes());
        }),
        ("empty, no area there", |s| {
            let at = s.private;
            mm(s).mmap.remove(&at);
        }),
        ("empty or of a page", |s| {
            let at = s.private;
            set_entry(s, at, |_| Pte(PteFlags::RW.bits()));
        }),
        ("if the area allows any access", |s| private(s).vm_flags -= VmFlags::ACCESS),
        ("with U/S: it is user memory", |s| {
            let at = s.private;
            set_entry(s, at, |pte| pte.without(PteFlags::US));
        }),
        ("NX exactly if the area is not executable", |s| {
            let at = s.private;
            set_entry(s, at, |pte| pte.without(PteFlags::NX));
        }),
        ("writable only in a writable area", |s| {
            let at = s.private;
            set_entry(s, at, |pte| pte.with(PteFlags::RW));
            private(s).vm_flags -= VmFlags::WRITE;
        }),
        ("or the page is exclusively its own", |s| {
            let at = s.private;
            set_entry(s, at, |pte| pte.with(PteFlags::RW));
        }),
        ("special exactly if it maps the zero page", |s| {
            let at = s.private;
            set_entry(s, at, |pte| pte.with(PteFlags::SPECIAL));
        }),
        ("the zero page only read-only and anonymous", |s| {
            let at = s.private + 2 * PAGE_SIZE;
            set_entry(s, at, |pte| pte.with(PteFlags::RW));
        }),
        ("an anonymous page only in a private area", |s| {
            private(s).vm_flags |= VmFlags::SHARED | VmFlags::MAYSHARE;
        }),
        ("a page whose anon_vma the area is linked to", |s| page(s).private = 77),
        ("AnonExclusive only if mapped once", |s| page(s).flags |= PageFlags::ANON_EXCLUSIVE),
        ("as the page cache has it", |s| page(s).flags -= PageFlags::ANON),
    ]);
}

#[test]
fn frames() {
    each(&[
        ("a page of a file", |s| {
            let inodes = s.sys.kernel.inodes.iter();
            let found = inodes.flat_map(|(_, i)| match &i.kind {
                InodeKind::Reg { pages, .. } => pages.values().copied().collect(),
                _ => Vec::new(),
            });
            let pfn = found.last().expect("shared memory is a file");
            s.sys.machine.mem.page_mut(pfn).expect("it exists").flags -= PageFlags::FILE;
        }),
        ("one of table, kernel stack, data", |s| {
            let stack = s.sys.task(s.child).stack.as_ref().expect("it has a stack").pages[0];
            let at = s.private;
            set_entry(s, at, |pte| Pte::new(stack, pte.flags()));
        }),
        ("its refcount is 1, nobody holds it", |s| {
            s.sys.machine.mem.alloc_page(PageFlags::empty()).expect("there is memory");
        }),
        (": refcount is 77", |s| page(s).refcount = 77),
        ("mapcount is 77", |s| page(s).mapcount = 77),
        ("what it is used as is", |s| page(s).flags |= PageFlags::KSTACK),
        ("the page allocator is leaked", |s| page(s).refcount = 0),
        ("free pages that are held is 0", |s| page(s).refcount = 0),
    ]);
}

#[test]
fn stacks_and_tlbs() {
    each(&[
        ("end of its kernel stack is", |s| {
            let stack = s.sys.task(s.child).stack.expect("it has a stack");
            s.sys.machine.mem.write(stack.pages[0].addr(), &[0; 8]);
        }),
        ("2 at most", |s| {
            let stack = s.sys.task(s.child).stack.expect("it has a stack");
            s.sys.kernel.cached_stacks.extend([stack, stack, stack]);
        }),
        ("should be in a slot", |s| {
            s.task(s.child).stack.as_mut().expect("it has a stack").base.0 += PAGE_SIZE;
        }),
        ("as its page tables say", |s| {
            s.task(s.child).stack.as_mut().expect("it has a stack").pages.swap(0, 1);
        }),
        ("is leaked: it is free unused", |s| {
            let next = s.sys.kernel.next_stack_slot;
            s.sys.kernel.free_stack_slots.push(next);
        }),
        ("a stack, or the list of free slots", |s| s.sys.kernel.next_stack_slot += 1),
        ("no more than what the page tables allow", |s| {
            let pfn = s.sys.kernel.zero_page;
            let rights = Rights::WRITE | Rights::USER;
            s.sys.machine.cpus[0].tlb.insert(VirtAddr(0x1234_5000), pfn, rights);
        }),
    ]);
}
