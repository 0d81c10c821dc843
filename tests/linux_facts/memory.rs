//! Facts on copy-on-write and what fork does with memory.

use super::*;
use forkyard::base::VirtAddr;
use forkyard::machine::UserOp;
use forkyard::machine::vmem::Size;

#[test]
fn fact_14_who_keeps_the_frame_after_fork() {
    for order in 0..3 {
        let (mut w, parent) = world();
        let at = w.map(parent, 0x1000);
        w.store(parent, at, 10).unwrap();
        let before = frame(&w, parent, at).unwrap();
        let child = w.fork(parent);
        let faults = w.sys.task(parent).min_flt;
        match order {
            0 => {
                w.store(child, at, 20).unwrap();
                w.store(parent, at, 30).unwrap();
                assert_ne!(frame(&w, child, at), Some(before));
            }
            1 => {
                w.exit(child, 0);
                w.store(parent, at, 30).unwrap();
            }
            _ => {
                w.store(parent, at, 30).unwrap();
                assert_eq!(frame(&w, child, at), Some(before));
                assert_eq!(w.load(child, at).unwrap(), 10);
                assert_ne!(frame(&w, parent, at), Some(before));
                continue;
            }
        }
        assert_eq!(frame(&w, parent, at), Some(before));
        assert_eq!(w.sys.task(parent).min_flt, faults + 1);
        assert_eq!(w.load(parent, at).unwrap(), 30);
    }
}

#[test]
fn fact_15_reading_maps_the_zero_page() {
    let (mut w, t) = world();
    let rss = |w: &World| w.sys.mm(w.sys.task(t).mm.unwrap()).rss_stat.iter().sum::<i64>();
    let before = rss(&w);
    let at = w.map(t, 0x2000);
    assert_eq!((w.load(t, at).unwrap(), w.load(t, at + 0x1000).unwrap()), (0, 0));
    assert_eq!(frame(&w, t, at), Some(w.sys.kernel.zero_page));
    assert_eq!(frame(&w, t, at), frame(&w, t, at + 0x1000));
    assert_eq!(rss(&w), before);
    w.store(t, at, 1).unwrap();
    assert_ne!(frame(&w, t, at), frame(&w, t, at + 0x1000));
    assert_eq!(rss(&w), before + 1);
}

#[test]
fn fact_16_fork_copies_only_what_a_fault_cannot_make_again() {
    let (mut w, t) = world();
    let shared = w.ok(t, "mmap", &[0, 0x1000, 3, 0x21, ANY, 0]) as u64;
    w.store(t, shared, 1).unwrap();
    let fd = open(&mut w, t, "/bin/sh", 0);
    let clean = w.ok(t, "mmap", &[0, 0x1000, 3, 2, fd, 0]) as u64;
    w.load(t, clean).unwrap();
    let dirty = w.ok(t, "mmap", &[0, 0x1000, 3, 2, fd, 0x4000]) as u64;
    w.store(t, dirty, 2).unwrap();
    let child = w.fork(t);
    assert_eq!(frame(&w, child, shared), None);
    assert_eq!(frame(&w, child, clean), None);
    assert_eq!(frame(&w, child, dirty), frame(&w, t, dirty));
    assert_eq!(w.load(child, shared).unwrap(), 1);
    assert_eq!(frame(&w, child, shared), frame(&w, t, shared));
}

#[test]
fn fact_17_wiped_and_missing_in_the_child() {
    let (mut w, t) = world();
    let at = w.map(t, 0x3000);
    for page in 0..3 {
        w.store(t, at + page * 0x1000, 7).unwrap();
    }
    w.ok(t, "madvise", &[at, 0x1000, 18]);
    w.ok(t, "madvise", &[at + 0x1000, 0x1000, 10]);
    let child = w.fork(t);
    assert_eq!(w.load(child, at).unwrap(), 0);
    assert_eq!(w.load(child, at + 0x2000).unwrap(), 7);
    w.store(child, at, 8).unwrap();
    let grandchild = w.fork(child);
    assert_eq!(w.load(grandchild, at).unwrap(), 0);
    let fault = w.load(child, at + 0x1000).unwrap_err();
    assert_eq!((fault.sig, fault.killed), (Signal::SIGSEGV, true));
    let shared = w.ok(t, "mmap", &[0, 0x1000, 3, 0x21, ANY, 0]) as u64;
    assert_eq!(w.err(t, "madvise", &[shared, 0x1000, 18]), Errno::EINVAL);
    let fd = open(&mut w, t, "/etc/passwd", 0);
    let file = w.ok(t, "mmap", &[0, 0x1000, 1, 2, fd, 0]) as u64;
    assert_eq!(w.err(t, "madvise", &[file, 0x1000, 18]), Errno::EINVAL);
}

#[test]
fn fact_18_locks_are_not_inherited() {
    let (mut w, t) = world();
    let at = w.map(t, 0x1000);
    w.ok(t, "mlock", &[at, 0x1000]);
    w.ok(t, "mlockall", &[2]);
    let locked = |w: &World, t| w.sys.mm(w.sys.task(t).mm.unwrap()).locked_vm;
    assert_eq!(locked(&w, t), 1);
    let child = w.fork(t);
    assert_eq!(locked(&w, child), 0);
    w.map(child, 0x1000);
    assert_eq!(locked(&w, child), 0);
    w.map(t, 0x1000);
    assert_eq!(locked(&w, t), 2);
}

#[test]
fn init_is_never_killed_for_want_of_memory() {
    let mut w = World::new(1);
    let init = w.init;
    let (big, little) = (w.fork(init), w.fork(init));
    for (t, pages) in [(big, 200), (little, 20)] {
        let at = w.map(t, pages << 12);
        for page in 0..pages {
            w.store(t, at + (page << 12), 1).unwrap();
        }
    }
    let at = w.map(init, 16 << 20);
    // No check after each of these: there are thousands.
    let touch = |w: &mut World, page: u64, stop: TaskId| {
        for page in page.. {
            let store =
                UserOp::Store { addr: VirtAddr(at + (page << 12)), size: Size::Byte, value: 1 };
            if w.sys.op(init, store).is_err() || w.sys.task(stop).is_dead() {
                return page + 1;
            }
        }
        unreachable!()
    };
    let page = touch(&mut w, 0, big);
    w.check("the first kill");
    assert_eq!((w.state(big), w.state(little), w.state(init)), ('Z', 'R', 'R'));
    assert_eq!(status(&mut w, init, big), 9);
    let page = touch(&mut w, page, little);
    assert_eq!(status(&mut w, init, little), 9);
    // It has stayed what it was, and nobody is left.
    w.ok(init, "kill", &[1, 15]);
    touch(&mut w, page, init);
    let oops = w.sys.kernel.oops.as_ref().unwrap();
    assert!(oops.what.contains("System is deadlocked on memory"), "{oops}");
}
