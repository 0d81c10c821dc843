//! fork and copy on write, step by step, and forks that fail.
//!
//! Linux: LINUX.md, facts 14 to 18. Left out: pinned pages.

use super::*;

#[test]
fn reading_maps_the_zero_page_and_writing_a_page() {
    let mut m = Mem::new();
    let a = m.anon(2);
    let rss = m.sys.mm(m.mm).rss_stat;
    assert_eq!((m.load(a), m.load(a + PAGE)), (0, 0));
    assert_eq!(m.pfn(a), Some(m.sys.kernel.zero_page));
    assert_eq!(m.pfn(a), m.pfn(a + PAGE));
    assert_eq!(m.sys.mm(m.mm).rss_stat, rss);
    m.store(a, 7);
    assert_ne!(m.pfn(a), m.pfn(a + PAGE));
    assert_eq!(m.sys.mm(m.mm).rss_stat[1], rss[1] + 1);
    m.check();
}

#[test]
fn child_writes_first_then_the_parent_keeps_its_frame() {
    let mut m = Mem::new();
    let a = m.anon(1);
    m.store(a, 10);
    let frame = m.pfn(a).unwrap();
    let child = m.fork();
    assert_eq!(m.pfn_in(child, a), Some(frame));
    let page = *m.sys.machine.mem.page(frame);
    assert_eq!((page.refcount, page.mapcount), (2, 2));
    assert!(!page.flags.contains(PageFlags::ANON_EXCLUSIVE));
    m.store_in(child, a, 20).unwrap();
    assert_ne!(m.pfn_in(child, a), Some(frame));
    let before = m.faults();
    m.store(a, 11);
    assert_eq!((m.pfn(a), m.faults() - before), (Some(frame), 1));
    assert_eq!((m.load(a), m.load_in(child, a).unwrap()), (11, 20));
    m.check();
    mmput(&mut m.sys, child);
    m.check();
}

#[test]
fn parent_writes_first_then_the_child_owns_the_frame() {
    let mut m = Mem::new();
    let a = m.anon(1);
    m.store(a, 10);
    let frame = m.pfn(a).unwrap();
    let child = m.fork();
    m.store(a, 11);
    assert_ne!(m.pfn(a), Some(frame));
    m.store_in(child, a, 20).unwrap();
    assert_eq!(m.pfn_in(child, a), Some(frame));
    assert_eq!((m.load(a), m.load_in(child, a).unwrap()), (11, 20));
    m.check();
    // The child exits first: one fault, the same frame.
    let b = m.anon(1);
    m.store(b, 1);
    let frame = m.pfn(b).unwrap();
    mmput(&mut m.sys, child);
    let child = m.fork();
    mmput(&mut m.sys, child);
    let before = m.faults();
    m.store(b, 2);
    assert_eq!((m.pfn(b), m.faults() - before), (Some(frame), 1));
    m.check();
}

#[test]
fn shared_pages_are_not_copied_and_stay_shared() {
    let mut m = Mem::new();
    let a = m.map(0, 2, RW, SHARED).unwrap();
    m.store(a, 5);
    let child = m.fork();
    assert_eq!(m.pfn_in(child, a), None);
    assert_eq!(m.load_in(child, a).unwrap(), 5);
    m.store_in(child, a, 6).unwrap();
    assert_eq!(m.load(a), 6);
    assert_eq!(m.pfn_in(child, a), m.pfn(a));
    m.check();
    mmput(&mut m.sys, child);
    m.unmap(a, 2).unwrap();
    m.check();
}

#[test]
fn wipe_dontfork_and_locks() {
    let mut m = Mem::new();
    let (wipe, dont, lock) = (m.anon(1), m.anon(1), m.anon(1));
    for a in [wipe, dont, lock] {
        m.store(a, 9);
    }
    m.advise(wipe, 1, MADV_WIPEONFORK).unwrap();
    m.advise(dont, 1, MADV_DONTFORK).unwrap();
    mlock::do_mlock(&mut m.sys, m.task, lock, PAGE).unwrap();
    mlock::do_mlockall(&mut m.sys, m.task, mlock::MCL_FUTURE).unwrap();
    assert_eq!(m.sys.mm(m.mm).locked_vm, 1);
    m.check();
    let child = m.fork();
    m.check();
    assert_eq!(m.load_in(child, wipe).unwrap(), 0);
    assert_eq!(errno(m.load_in(child, dont)), Errno::EFAULT);
    assert_eq!(m.load_in(child, lock).unwrap(), 9);
    let c = m.sys.mm(child);
    assert_eq!((c.locked_vm, c.def_flags), (0, VmFlags::empty()));
    assert!(c.mmap[&wipe].vm_flags.contains(VmFlags::WIPEONFORK));
    let grandchild = dup_mm(&mut m.sys, m.task, child).unwrap();
    assert_eq!(m.load_in(grandchild, wipe).unwrap(), 0);
    mmput(&mut m.sys, child);
    mmput(&mut m.sys, grandchild);
    let shared = m.map(0, 1, RW, SHARED).unwrap();
    assert_eq!(errno(m.advise(shared, 1, MADV_WIPEONFORK)), Errno::EINVAL);
    m.check();
}

#[test]
fn private_file_pages_are_copied_when_written() {
    let mut m = Mem::new();
    let file = crate::kernel::fs::inode::shmem_file_setup(&mut m.sys, 4 * PAGE).unwrap();
    let shared = do_mmap(&mut m.sys, m.task, 0, 4 * PAGE, RW, 1, Some(file), 0).unwrap();
    let private = do_mmap(&mut m.sys, m.task, 0, 4 * PAGE, RW, 2, Some(file), 0).unwrap();
    crate::kernel::fs::file::fput(&mut m.sys, file);
    (0..4).for_each(|i| m.store(shared + i * PAGE, 100 + i));
    assert_eq!(m.load(private), 100);
    // Fault-around mapped the neighbours too.
    assert_eq!(m.pfn(private + 3 * PAGE), m.pfn(shared + 3 * PAGE));
    let child = m.fork();
    assert_eq!(m.pfn_in(child, private), None, "clean private file pages are not copied");
    mmput(&mut m.sys, child);
    m.store(private + PAGE, 7);
    assert_eq!((m.load(private + PAGE), m.load(shared + PAGE)), (7, 101));
    let child = m.fork();
    assert_eq!(m.pfn_in(child, private + PAGE), m.pfn(private + PAGE));
    m.check();
    mmput(&mut m.sys, child);
    m.unmap(shared, 4).unwrap();
    assert_eq!(m.load(private + 2 * PAGE), 102);
    m.unmap(private, 4).unwrap();
    m.check();
}

#[test]
fn a_fork_that_fails_anywhere_leaves_nothing() {
    let mut m = Mem::new();
    for i in 0..4 {
        // Different rights keep the areas apart.
        let a = m.map(0, 3, RW, PRIVATE).unwrap();
        m.store(a, i);
        m.store(a + PAGE, i);
        m.map(a + 2 * PAGE, 1, 1, PRIVATE | FIXED).unwrap();
    }
    m.map(0, 1, RW, SHARED).unwrap();
    m.check();
    for step in ["mm_alloc", "dup_mmap", "copy_page_range", "alloc_page"] {
        for skip in 0..60 {
            let mut t = Mem { sys: m.sys.clone(), ..m };
            let (mms, used) = (t.sys.kernel.mms.len(), t.sys.machine.mem.free_pages());
            t.sys.kernel.inject.arm(step, Errno::ENOMEM, skip).unwrap();
            match dup_mm(&mut t.sys, t.task, t.mm) {
                Err(e) => {
                    assert_eq!(e.errno, Errno::ENOMEM);
                    assert_eq!(
                        (t.sys.kernel.mms.len(), t.sys.machine.mem.free_pages()),
                        (mms, used)
                    );
                }
                Ok(child) => {
                    t.check();
                    mmput(&mut t.sys, child);
                    t.check();
                    break;
                }
            }
            t.check();
        }
    }
}

#[test]
fn chains_of_forks_reuse_anon_vmas() {
    let mut m = Mem::new();
    let a = m.anon(1);
    m.store(a, 1);
    let mut own = m.mm;
    mmget(&mut m.sys, own);
    for i in 0..50 {
        let child = dup_mm(&mut m.sys, m.task, own).unwrap();
        mmput(&mut m.sys, own);
        m.store_in(child, a, i).unwrap();
        m.check();
        own = child;
    }
    // The root stays busy with the parent, the rest takes turns.
    assert!(m.sys.mm(own).mmap[&a].anon_vma_chain.len() <= 3);
    mmput(&mut m.sys, own);
    m.check();
}

#[test]
fn a_forgotten_flush_leaves_the_parent_writing_shared_pages() {
    for no_tlb_flush in [false, true] {
        let mut m = Mem::new();
        let a = m.anon(1);
        let cpu = m.sys.task(m.task).cpu as usize;
        crate::kernel::mm::tlb::switch_mm(&mut m.sys, cpu, m.mm);
        m.store(a, 1);
        use crate::machine::{Ring, Size};
        let at = VirtAddr(a);
        m.sys.machine.store(cpu, at, Size::Qword, 2, Ring::User).unwrap();
        m.sys.kernel.bugs.no_tlb_flush = no_tlb_flush;
        let child = m.fork();
        let write = m.sys.machine.store(cpu, at, Size::Qword, 3, Ring::User);
        assert_eq!(write.is_ok(), no_tlb_flush);
        assert_eq!(m.load_in(child, a).unwrap(), if no_tlb_flush { 3 } else { 2 });
        mmput(&mut m.sys, child);
    }
}
