//! Areas: splitting, merging, limits, refusals, heap and stack.
//!
//! Linux: the answers were taken from a 6.18 kernel. Left out: mremap.

use super::*;

#[test]
fn unmapping_the_middle_splits() {
    let mut m = Mem::new();
    let a = m.anon(6);
    (0..6).for_each(|i| m.store(a + i * PAGE, i));
    m.unmap(a + 2 * PAGE, 2).unwrap();
    assert_eq!(m.areas(a, 6), ["0-2 rw-p", "4-6 rw-p"]);
    assert_eq!((m.load(a + PAGE), m.load(a + 5 * PAGE)), (1, 5));
    assert_eq!(m.fault(a + 2 * PAGE, WRITE), Some((SEGV, 1)));
    m.check();
    // The hole is the best place for what fits, and all becomes one again.
    assert_eq!(m.anon(2), a + 2 * PAGE);
    assert_eq!(m.areas(a, 6), ["0-6 rw-p"]);
    m.check();
    m.unmap(a, 6).unwrap();
    m.check();
}

#[test]
fn protecting_a_part_splits_and_undoing_it_merges() {
    let mut m = Mem::new();
    let a = m.anon(6);
    (0..6).for_each(|i| m.store(a + i * PAGE, i));
    m.protect(a + 2 * PAGE, 2, 1).unwrap();
    assert_eq!(m.areas(a, 6), ["0-2 rw-p", "2-4 r--p", "4-6 rw-p"]);
    assert_eq!(m.fault(a + 2 * PAGE, WRITE | PfError::P), Some((SEGV, 2)));
    m.check();
    m.protect(a + PAGE, 2, 1).unwrap();
    assert_eq!(m.areas(a, 6), ["0-1 rw-p", "1-4 r--p", "4-6 rw-p"]);
    m.protect(a + PAGE, 3, RW).unwrap();
    assert_eq!(m.areas(a, 6), ["0-6 rw-p"]);
    // Pages nobody else has become writable at once.
    let before = m.faults();
    m.store(a + 2 * PAGE, 22);
    assert_eq!(m.faults(), before);
    m.check();
}

#[test]
fn no_access_keeps_the_page() {
    let mut m = Mem::new();
    let a = m.anon(3);
    m.store(a + PAGE, 5);
    let frame = m.pfn(a + PAGE);
    m.protect(a, 3, 0).unwrap();
    assert_eq!(m.fault(a + PAGE, READ), Some((SEGV, 2)));
    assert_eq!(m.pfn(a + PAGE), frame);
    m.check();
    let child = m.fork();
    m.check();
    m.protect(a, 3, RW).unwrap();
    m.store(a + PAGE, 6);
    assert_ne!(m.pfn(a + PAGE), frame);
    m.check();
    mmput(&mut m.sys, child);
    m.protect(a, 3, 0).unwrap();
    m.unmap(a, 3).unwrap();
    m.check();
}

#[test]
fn mprotect_over_a_hole_does_the_part_before_it() {
    let mut m = Mem::new();
    let a = m.anon(10);
    m.unmap(a + 3 * PAGE, 1).unwrap();
    assert_eq!(errno(m.protect(a, 10, 1)), Errno::ENOMEM);
    assert_eq!(m.areas(a, 10), ["0-3 r--p", "4-10 rw-p"]);
    assert_eq!(errno(m.protect(a + 3 * PAGE, 2, 1)), Errno::ENOMEM);
    assert_eq!(errno(m.protect(a + 1, 1, 1)), Errno::EINVAL);
    assert_eq!(errno(m.protect(a, 1, 0x10)), Errno::EINVAL);
    assert_eq!(m.protect(a, 1, 8), Ok(()));
    assert_eq!(errno(m.protect(a, 1, 0x0300_0003)), Errno::EINVAL);
    let p = mprotect::do_mprotect(&mut m.sys, m.task, a, u64::MAX, 1);
    assert_eq!(errno(p), Errno::ENOMEM);
    m.check();
}

#[test]
fn madvise_over_a_hole_does_the_rest() {
    let mut m = Mem::new();
    let a = m.anon(3);
    (0..3).for_each(|i| m.store(a + i * PAGE, 1));
    m.unmap(a + PAGE, 1).unwrap();
    assert_eq!(errno(m.advise(a, 3, MADV_DONTNEED)), Errno::ENOMEM);
    assert_eq!((m.pfn(a), m.pfn(a + 2 * PAGE)), (None, None));
    assert_eq!(m.load(a), 0);
    assert_eq!(m.advise(a, 0, MADV_DONTNEED), Ok(()));
    assert_eq!(errno(m.advise(a + 1, 0, MADV_DONTNEED)), Errno::EINVAL);
    assert_eq!(errno(m.advise(a, 1, 77)), Errno::EINVAL);
    assert_eq!(errno(m.advise(a, 3, MADV_POPULATE_WRITE)), Errno::ENOMEM);
    assert_eq!(m.advise(a + 2 * PAGE, 1, MADV_POPULATE_WRITE), Ok(()));
    assert!(m.pfn(a + 2 * PAGE).is_some());
    m.protect(a, 1, 0).unwrap();
    assert_eq!(errno(m.advise(a, 1, MADV_POPULATE_READ)), Errno::EINVAL);
    for advice in [MADV_FREE, MADV_HUGEPAGE, MADV_MERGEABLE, MADV_GUARD_INSTALL] {
        let e = m.advise(a, 1, advice).unwrap_err();
        assert!(e.why.contains("MADV_"), "{e:?}");
    }
    m.check();
}

#[test]
fn mmap_refuses_as_linux_does() {
    let mut m = Mem::new();
    let size = 0x7fff_ffff_f000u64;
    let raw = |m: &mut Mem, addr, len, flags| {
        do_mmap(&mut m.sys, m.task, addr, len, RW, flags, None, 0).map_err(|e| e.errno)
    };
    use Errno::*;
    assert_eq!(raw(&mut m, 0, 0, PRIVATE), Err(EINVAL));
    assert_eq!(raw(&mut m, 0, u64::MAX, PRIVATE), Err(ENOMEM));
    assert_eq!(raw(&mut m, 0, size, PRIVATE), Err(ENOMEM));
    assert_eq!(raw(&mut m, 0, size - PAGE, PRIVATE), Err(ENOMEM));
    assert_eq!(raw(&mut m, size, PAGE, PRIVATE | FIXED), Err(ENOMEM));
    assert_eq!(raw(&mut m, 0x80_0000_0000_0000, PAGE, PRIVATE | FIXED), Err(ENOMEM));
    assert_eq!(raw(&mut m, 0x100_0123, PAGE, PRIVATE | FIXED), Err(EINVAL));
    assert_eq!(raw(&mut m, 0x100_0123, PAGE, PRIVATE), Ok(0x100_0000));
    assert_eq!(raw(&mut m, 0x100_0000, PAGE, PRIVATE | 0x10_0000), Err(EEXIST));
    assert_eq!(raw(&mut m, 0x110_0000, PAGE, PRIVATE | 0x10_0000), Ok(0x110_0000));
    assert_eq!(raw(&mut m, 0, PAGE, 0x20), Err(EINVAL));
    assert_eq!(raw(&mut m, 0, PAGE, 0x23), Err(EINVAL));
    assert_eq!(raw(&mut m, 0, PAGE, 0x26), Err(EINVAL));
    assert_eq!(raw(&mut m, 0, PAGE, 0x121), Err(EINVAL));
    assert_eq!(raw(&mut m, 0, PAGE, 0x40022), Err(ENOMEM));
    assert_eq!(raw(&mut m, 0, PAGE, 0x62), Ok(0x4000_0000));
    // root may map address 0, and a hint below the limit moves up to it.
    assert_eq!(raw(&mut m, 0, PAGE, PRIVATE | FIXED), Ok(0));
    assert_eq!(raw(&mut m, 0x5000, PAGE, PRIVATE), Ok(m.sys.kernel.sysctl.mmap_min_addr));
    let cred = m.sys.task(m.task).cred;
    m.sys.kernel.creds[cred].cap_effective = crate::abi::CapSet::EMPTY;
    assert_eq!(raw(&mut m, 0, PAGE, PRIVATE | FIXED), Err(EPERM));
    assert_eq!(m.unmap(0, 0).map_err(|e| e.errno), Err(EINVAL));
    assert_eq!(m.unmap(1, 1).map_err(|e| e.errno), Err(EINVAL));
    assert_eq!(m.unmap(size, 1).map_err(|e| e.errno), Err(EINVAL));
    assert_eq!(m.unmap(0x7000_0000, 1), Ok(()));
    m.check();
}

#[test]
fn limits_refuse() {
    let mut m = Mem::new();
    let set = |m: &mut Mem, which: u32, cur: u64| {
        let task = m.task;
        m.sys.signal_mut(task).rlim[which as usize].cur = cur;
    };
    let total = m.sys.mm(m.mm).total_vm;
    set(&mut m, RLIMIT_AS, (total + 2) * PAGE);
    assert_eq!(errno(m.map(0, 3, RW, PRIVATE)), Errno::ENOMEM);
    let a = m.map(0, 2, RW, PRIVATE).unwrap();
    // Replacing does not count twice.
    assert_eq!(m.map(a, 2, RW, PRIVATE | FIXED).unwrap(), a);
    set(&mut m, RLIMIT_AS, u64::MAX);
    let data = m.sys.mm(m.mm).data_vm;
    set(&mut m, RLIMIT_DATA, data * PAGE);
    assert_eq!(errno(m.map(0, 1, RW, PRIVATE)), Errno::ENOMEM);
    let ro = m.map(0, 1, 1, PRIVATE).unwrap();
    assert_eq!(errno(m.protect(ro, 1, RW)), Errno::ENOMEM);
    let brk = m.sys.mm(m.mm).brk;
    assert_eq!(brk::do_brk(&mut m.sys, m.task, brk + PAGE), brk);
    set(&mut m, RLIMIT_DATA, u64::MAX);
    let pages = u64::from(m.sys.machine.mem.total_pages());
    assert_eq!(errno(m.map(0, pages + 1, RW, PRIVATE)), Errno::ENOMEM);
    // MAP_NORESERVE is not counted.
    assert!(m.map(0, pages + 1, RW, PRIVATE | 0x4000).is_ok());
    m.sys.kernel.sysctl.max_map_count = m.sys.mm(m.mm).mmap.len() as u32;
    let b = m.map(0, 3, 1, PRIVATE).unwrap();
    assert_eq!(errno(m.map(0x10_0000_0000, 1, RW, PRIVATE)), Errno::ENOMEM);
    assert_eq!(errno(m.unmap(b + PAGE, 1)), Errno::ENOMEM);
    m.check();
}

#[test]
fn the_heap_grows_and_shrinks() {
    let mut m = Mem::new();
    let start = m.sys.mm(m.mm).start_brk;
    let brk = |m: &mut Mem, to| brk::do_brk(&mut m.sys, m.task, to);
    assert_eq!(brk(&mut m, 0), start);
    assert_eq!(brk(&mut m, start + 100), start + 100);
    m.store(start, 1);
    assert_eq!(brk(&mut m, start + 3 * PAGE), start + 3 * PAGE);
    assert!(view::maps(&m.sys, m.mm).iter().any(|l| &*l.name == "[heap]"));
    // A forked child's heap that has pages of its parent does not merge.
    let child = m.fork();
    let own = std::mem::replace(&mut m.mm, child);
    m.sys.task_mut(m.task).mm = Some(child);
    assert_eq!(brk(&mut m, start + 5 * PAGE), start + 5 * PAGE);
    let heaps = view::maps(&m.sys, child).iter().filter(|l| &*l.name == "[heap]").count();
    assert_eq!(heaps, 2);
    m.sys.task_mut(m.task).mm = Some(own);
    m.mm = own;
    m.check();
    mmput(&mut m.sys, child);
    assert_eq!(brk(&mut m, start + PAGE), start + PAGE);
    assert_eq!(m.load(start), 1);
    assert_eq!(brk(&mut m, start), start);
    m.check();
    let end = start + 4 * PAGE;
    m.map(end, 1, RW, PRIVATE | FIXED).unwrap();
    assert_eq!(brk(&mut m, end), start);
    assert_eq!(brk(&mut m, end - PAGE), end - PAGE);
    m.check();
}

#[test]
fn stacks_grow_until_a_limit_or_a_neighbour() {
    let mut m = Mem::new();
    let (&low, _) = m.sys.mm(m.mm).mmap.last_key_value().unwrap();
    m.store(low - 40 * PAGE, 1);
    assert_eq!(*m.sys.mm(m.mm).mmap.last_key_value().unwrap().0, low - 40 * PAGE);
    m.check();
    assert_eq!(m.fault(low - (9 << 20), WRITE), Some((SEGV, 1)));
    m.map(low - 400 * PAGE, 1, RW, PRIVATE | FIXED).unwrap();
    assert_eq!(m.fault(low - 200 * PAGE, WRITE), Some((SEGV, 1)));
    assert_eq!(m.fault(low - 140 * PAGE, WRITE), None);
    m.check();
    // A growing mapping keeps a gap free below it.
    let g = m.map(0, 1, RW, PRIVATE | 0x100).unwrap();
    let next = m.map(0, 1, 1, PRIVATE).unwrap();
    assert_eq!(next, g - 257 * PAGE);
    m.check();
}

#[test]
fn many_areas_stay_fast() {
    let mut m = Mem::new();
    let mut last = 0;
    for i in 0..20_000u64 {
        last = m.map(0, 1, if i % 2 == 0 { RW } else { 1 }, PRIVATE).unwrap();
    }
    assert_eq!(m.map(0, 1, RW, PRIVATE).unwrap(), last - PAGE);
    for i in (0..20_000u64).step_by(100) {
        m.unmap(last + i * PAGE, 1).unwrap();
    }
    // The highest hole that is large enough, always.
    assert_eq!(m.map(0, 2, RW, PRIVATE).unwrap(), last - 3 * PAGE);
    assert_eq!(m.map(0, 1, RW, PRIVATE).unwrap(), last + 19_900 * PAGE);
    assert_eq!(m.map(0, 1, RW, PRIVATE).unwrap(), last + 19_800 * PAGE);
    m.check();
}
