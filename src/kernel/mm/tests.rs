//! Memory as processes see it: copy on write, areas, limits, unwinding. After
//! every test everything is recounted.
//!
//! Linux: the facts were run on a 6.18 kernel. Left out: exec, which has its
//! own.

use super::check::check_memory;
use super::fork::dup_mm;
use super::lifetime::{mmget, mmput};
use super::mmap::do_mmap;
use super::munmap::do_munmap;
use super::uaccess::{copy_from_mm, copy_from_user, copy_to_mm, copy_to_user};
use super::{MmId, VmFlags, brk, madvise, mlock, mprotect, pgtable, view};
use crate::abi::numbers::*;
use crate::abi::{Errno, Signal};
use crate::base::{Pfn, VirtAddr};
use crate::kernel::boot::{BootConfig, boot};
use crate::kernel::check::{Violation, invariants};
use crate::kernel::error::SysError;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::{MachineConfig, PageFlags, PagingLevels, PfError, PteFlags};

const PAGE: u64 = 4096;
const RW: u32 = 3;
const PRIVATE: u32 = 0x22;
const SHARED: u32 = 0x21;
const FIXED: u32 = 0x10;

struct Mem {
    sys: System,
    task: TaskId,
    mm: MmId,
}

impl Mem {
    fn with(machine: MachineConfig) -> Mem {
        let sys = boot(&BootConfig { machine, seed: 1 }).unwrap();
        let task = sys.kernel.init_process;
        let mm = sys.task_mm(task).unwrap();
        Mem { sys, task, mm }
    }
    fn new() -> Mem {
        Mem::with(MachineConfig::default())
    }
    fn map(&mut self, addr: u64, pages: u64, prot: u32, flags: u32) -> Result<u64, SysError> {
        do_mmap(&mut self.sys, self.task, addr, pages * PAGE, prot, flags, None, 0)
    }
    fn anon(&mut self, pages: u64) -> u64 {
        self.map(0, pages, RW, PRIVATE).unwrap()
    }
    fn store_in(&mut self, mm: MmId, addr: u64, value: u64) -> Result<(), SysError> {
        copy_to_mm(&mut self.sys, self.task, mm, addr, &value.to_le_bytes(), "test")
    }
    fn load_in(&mut self, mm: MmId, addr: u64) -> Result<u64, SysError> {
        let mut b = [0; 8];
        copy_from_mm(&mut self.sys, self.task, mm, addr, &mut b, "test")?;
        Ok(u64::from_le_bytes(b))
    }
    fn store(&mut self, addr: u64, value: u64) {
        self.store_in(self.mm, addr, value).unwrap();
    }
    fn load(&mut self, addr: u64) -> u64 {
        self.load_in(self.mm, addr).unwrap()
    }
    fn pfn_in(&self, mm: MmId, addr: u64) -> Option<Pfn> {
        let (_, pte) = pgtable::lookup(&self.sys, mm, addr)?;
        pgtable::pte_present(pte).then_some(pte.pfn())
    }
    fn pfn(&self, addr: u64) -> Option<Pfn> {
        self.pfn_in(self.mm, addr)
    }
    fn faults(&self) -> u64 {
        self.sys.task(self.task).min_flt
    }
    fn fork(&mut self) -> MmId {
        dup_mm(&mut self.sys, self.task, self.mm).unwrap()
    }
    fn unmap(&mut self, addr: u64, pages: u64) -> Result<(), SysError> {
        do_munmap(&mut self.sys, self.mm, addr, pages * PAGE)
    }
    fn protect(&mut self, addr: u64, pages: u64, prot: u32) -> Result<(), SysError> {
        mprotect::do_mprotect(&mut self.sys, self.task, addr, pages * PAGE, prot)
    }
    fn advise(&mut self, addr: u64, pages: u64, advice: u32) -> Result<(), SysError> {
        madvise::do_madvise(&mut self.sys, self.task, addr, pages * PAGE, advice)
    }
    /// Areas in a range as `start-end perms`, relative to `base`, in pages.
    fn areas(&self, base: u64, pages: u64) -> Vec<String> {
        let lines = view::maps(&self.sys, self.mm).into_iter();
        lines
            .filter(|l| l.start < base + pages * PAGE && l.end > base)
            .map(|l| format!("{}-{} {}", (l.start - base) / PAGE, (l.end - base) / PAGE, l.perms()))
            .collect()
    }
    fn fault(&mut self, addr: u64, code: PfError) -> Option<(Signal, i32)> {
        let r = super::fault::handle_user_fault(&mut self.sys, self.task, VirtAddr(addr), code);
        r.err().map(|s| (s.sig, s.si_code))
    }
    /// Recounts everything. The tests hold address spaces that no task has.
    fn check(&self) {
        assert_eq!(check_memory(&self.sys), Vec::<String>::new());
        let held =
            |v: &Violation| matches!(v, Violation::Count { field: "mm_users" | "mm_count", .. });
        let found = invariants(&self.sys).err().unwrap_or_default();
        let found: Vec<_> = found.into_iter().filter(|v| !held(v)).collect();
        assert_eq!(found, []);
        assert_eq!(self.sys.kernel.oops, None);
    }
}

fn errno<T: std::fmt::Debug>(r: Result<T, SysError>) -> Errno {
    r.unwrap_err().errno
}

const WRITE: PfError = PfError::W.union(PfError::U);
const READ: PfError = PfError::U;
const SEGV: Signal = Signal::SIGSEGV;

#[test]
fn a_booted_system_adds_up() {
    let m = Mem::new();
    m.check();
    let names: Vec<_> = view::maps(&m.sys, m.mm).iter().map(|l| l.to_string()).collect();
    assert!(names[0].starts_with("00400000-"), "{names:#?}");
    assert!(names.last().unwrap().ends_with("[stack]"));
}

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
fn faults_say_what_is_wrong() {
    let mut m = Mem::new();
    let a = m.map(0, 1, 1, PRIVATE).unwrap();
    assert_eq!(m.fault(a, WRITE), Some((SEGV, 2)));
    assert_eq!(m.fault(a, READ), None);
    assert_eq!(m.fault(0, READ), Some((SEGV, 1)));
    assert_eq!(m.fault(0xffff_8000_0000_0000, READ), Some((SEGV, 1)));
    let file = crate::kernel::fs::inode::shmem_file_setup(&mut m.sys, 100).unwrap();
    let f = do_mmap(&mut m.sys, m.task, 0, 3 * PAGE, RW, 1, Some(file), 0).unwrap();
    crate::kernel::fs::file::fput(&mut m.sys, file);
    assert_eq!(m.fault(f, WRITE), None);
    assert_eq!(m.fault(f + PAGE, READ), Some((Signal::SIGBUS, 2)));
    let mut b = [0; 4];
    assert_eq!(errno(copy_from_user(&mut m.sys, m.task, f + PAGE, &mut b)), Errno::EFAULT);
    for bad in [0, 0xffff_8000_0000_0000, 0x8000_0000_0000, u64::MAX] {
        assert_eq!(errno(copy_to_user(&mut m.sys, m.task, bad, &b)), Errno::EFAULT);
    }
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
fn without_memory_the_task_is_killed() {
    let mut m = Mem::with(MachineConfig { ram_bytes: 8 << 20, ..MachineConfig::default() });
    let a = m.map(0, 4096, RW, PRIVATE | 0x4000).unwrap();
    let mut at = a;
    let end = loop {
        match m.fault(at, WRITE) {
            None => at += PAGE,
            Some(e) => break e,
        }
    };
    assert_eq!(end.0, Signal::SIGKILL);
    m.check();
    assert!(dup_mm(&mut m.sys, m.task, m.mm).is_err());
    m.check();
    m.unmap(a, 4096).unwrap();
    m.check();
}

#[test]
fn five_levels_do_the_same() {
    let mut m =
        Mem::with(MachineConfig { paging_levels: PagingLevels::Five, ..MachineConfig::default() });
    let high = 1u64 << 50;
    assert_eq!(m.map(high, 2, RW, PRIVATE).unwrap(), high);
    m.store(high, 3);
    let w = view::walk(&m.sys, m.mm, high).unwrap();
    assert_eq!(w.steps.len(), 5);
    assert!(w.leaf.unwrap().has(PteFlags::P | PteFlags::RW));
    let child = m.fork();
    assert_eq!(m.load_in(child, high).unwrap(), 3);
    m.check();
    mmput(&mut m.sys, child);
    m.unmap(high, 2).unwrap();
    m.check();
    // Without a hint nothing lies above 47 bits.
    assert!(m.anon(1) < 1 << 47);
    let stack = m.sys.task(m.task).stack.unwrap();
    assert!(stack.base.0 >= 0xffa0_0000_0000_0000);
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

#[test]
fn kernel_stacks_come_and_go() {
    let mut m = Mem::new();
    use super::vmalloc::*;
    let free = m.sys.machine.mem.free_pages();
    let cached = m.sys.kernel.cached_stacks.len();
    let mut stacks = vec![];
    for i in 0..5u64 {
        let s = alloc_thread_stack(&mut m.sys).unwrap();
        assert_eq!(s.base.0 % 16384, 0);
        stack_write_words(&mut m.sys, &s, 4096 - 16, &[i, i + 1, i + 2]);
        let mut out = [9; 4];
        stack_read_words(&m.sys, &s, 4096 - 24, &mut out);
        assert_eq!(out, [0, i, i + 1, i + 2]);
        let pgd = m.sys.mm(m.mm).pgd;
        let levels = m.sys.machine.config.paging_levels;
        let below = VirtAddr(s.base.0 - 1);
        let at = |va| crate::machine::paging::lookup(&m.sys.machine.mem, pgd, levels, va).unwrap();
        assert_eq!(at(s.base).unwrap().1.pfn(), s.pages[0], "every mm sees kernel stacks");
        assert!(at(below).is_none_or(|(_, p)| p.is_none()), "a hole below");
        stacks.push(s);
    }
    let first = stacks[0].base;
    for s in stacks {
        free_thread_stack(&mut m.sys, s);
    }
    assert_eq!(m.sys.kernel.cached_stacks.len(), NR_CACHED_STACKS);
    assert_eq!(free - m.sys.machine.mem.free_pages(), 4 * (NR_CACHED_STACKS - cached) as u32);
    let s = alloc_thread_stack(&mut m.sys).unwrap();
    assert_eq!(stack_read(&m.sys, &s, 4096), 0);
    assert_ne!(s.base, first);
    free_thread_stack(&mut m.sys, s);
    m.check();
}

#[test]
fn variables_live_in_the_data_segment() {
    use super::symbols::*;
    let mut m = Mem::new();
    let a = define_symbol_init(&mut m.sys, m.task, "a", &10u64.to_le_bytes(), Place::Packed);
    let b = define_symbol_init(&mut m.sys, m.task, "b", &[1, 2, 3], Place::Packed);
    let c = define_symbol_init(&mut m.sys, m.task, "c", &[1; 10], Place::OwnPage);
    let big = define_symbol_init(&mut m.sys, m.task, "big", &[1; 100_000], Place::Packed);
    let (a, b, c, big) = (a.unwrap(), b.unwrap(), c.unwrap(), big.unwrap());
    assert_eq!((b - a, c % PAGE), (8, 0));
    assert_eq!(m.load(a), 10);
    let mut t = [0; 3];
    copy_from_user(&mut m.sys, m.task, b, &mut t).unwrap();
    assert_eq!(t, [1, 2, 3]);
    assert_eq!(m.load(big + 99_992), 0x0101_0101_0101_0101);
    assert_eq!(find_symbol(&m.sys, m.task, "a").unwrap().addr, a);
    let brk = m.sys.mm(m.mm).brk;
    assert!(brk > big && brk == m.sys.mm(m.mm).start_brk);
    m.check();
    // With the heap in use they go elsewhere.
    brk::do_brk(&mut m.sys, m.task, brk + PAGE);
    let d = define_symbol_init(&mut m.sys, m.task, "d", &[1; 100_000], Place::Packed).unwrap();
    assert!(d > brk + PAGE);
    m.check();
}

#[test]
fn a_forgotten_flush_leaves_the_parent_writing_shared_pages() {
    for no_tlb_flush in [false, true] {
        let mut m = Mem::new();
        let a = m.anon(1);
        let cpu = m.sys.task(m.task).cpu as usize;
        super::tlb::switch_mm(&mut m.sys, cpu, m.mm);
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

#[test]
fn without_an_mmu_memory_is_where_it_is() {
    let mut m = Mem::with(MachineConfig { mmu: false, ..MachineConfig::default() });
    let a = m.anon(3);
    m.store(a, 4);
    assert_eq!(m.sys.machine.mem.read_u64(crate::base::PhysAddr(a)), 4);
    assert_eq!(errno(m.map(a, 1, RW, PRIVATE | FIXED)), Errno::EINVAL);
    assert_eq!(errno(m.protect(a, 1, 1)), Errno::ENOSYS);
    assert_eq!(errno(m.unmap(a, 1)), Errno::EINVAL);
    m.unmap(a, 3).unwrap();
    m.check();
}

#[test]
fn maps_lines_print_as_linux_prints_them() {
    let line = view::MapsLine {
        start: 0x7fff_0000_0000,
        end: 0x7fff_0002_1000,
        flags: VmFlags::READ | VmFlags::WRITE,
        offset: 0,
        dev: (0, 0),
        inode: 0,
        name: "[stack]".into(),
    };
    assert_eq!(
        line.to_string(),
        "7fff00000000-7fff00021000 rw-p 00000000 00:00 0                          [stack]"
    );
    let plain = view::MapsLine { name: "".into(), start: 0x1000, end: 0x2000, ..line };
    assert_eq!(plain.to_string(), "00001000-00002000 rw-p 00000000 00:00 0 ");
}

#[test]
fn a_wrong_count_is_found() {
    let mut m = Mem::new();
    let a = m.anon(1);
    m.store(a, 1);
    let pfn = m.pfn(a).unwrap();
    m.sys.machine.mem.page_mut(pfn).unwrap().refcount += 1;
    assert!(check_memory(&m.sys)[0].contains("refcount 2 and mapcount 1"));
    m.sys.machine.mem.page_mut(pfn).unwrap().refcount -= 1;
    m.sys.mm_mut(m.mm).rss_stat[1] += 1;
    assert!(check_memory(&m.sys)[0].contains("rss_stat"));
}

mod random {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Op {
        Map(u64, u64, u32, bool, bool),
        Unmap(u64, u64),
        Protect(u64, u64, u32),
        Advise(u64, u64, u32),
        Touch(usize, u64, Option<u64>),
        Fork(usize),
        Exit(usize),
        Lock(u64, u64, bool),
        Brk(u64),
    }

    const BASE: u64 = 0x7f00_0000_0000;

    fn op() -> impl Strategy<Value = Op> {
        let (at, len) = (0u64..40, 1u64..9);
        let prot = prop_oneof![Just(0u32), Just(1), Just(3), Just(3), Just(5)];
        let advice = prop_oneof![
            Just(MADV_DONTNEED),
            Just(MADV_DONTFORK),
            Just(MADV_DOFORK),
            Just(MADV_WIPEONFORK),
            Just(MADV_KEEPONFORK),
            Just(MADV_POPULATE_WRITE),
            Just(MADV_RANDOM),
        ];
        prop_oneof![
            4 => (at.clone(), len.clone(), prot.clone(), any::<bool>(), any::<bool>())
                .prop_map(|(a, l, p, s, f)| Op::Map(a, l, p, s, f)),
            2 => (at.clone(), len.clone()).prop_map(|(a, l)| Op::Unmap(a, l)),
            3 => (at.clone(), len.clone(), prot).prop_map(|(a, l, p)| Op::Protect(a, l, p)),
            3 => (at.clone(), len.clone(), advice).prop_map(|(a, l, v)| Op::Advise(a, l, v)),
            8 => (0usize..5, at.clone(), proptest::option::of(1u64..100))
                .prop_map(|(m, a, v)| Op::Touch(m, a, v)),
            2 => (0usize..5).prop_map(Op::Fork),
            1 => (0usize..5).prop_map(Op::Exit),
            1 => (at, len, any::<bool>()).prop_map(|(a, l, y)| Op::Lock(a, l, y)),
            1 => (0u64..20).prop_map(Op::Brk),
        ]
    }

    fn at(page: u64) -> u64 {
        BASE + page * PAGE
    }

    fn run(m: &mut Mem, mms: &mut Vec<MmId>, op: &Op) {
        match *op {
            Op::Map(a, l, p, shared, fixed) => {
                let kind = if shared { SHARED } else { PRIVATE };
                let fixed = if fixed { FIXED } else { 0 };
                let _ = m.map(at(a), l, p, kind | fixed);
            }
            Op::Unmap(a, l) => drop(m.unmap(at(a), l)),
            Op::Protect(a, l, p) => drop(m.protect(at(a), l, p)),
            Op::Advise(a, l, v) => drop(m.advise(at(a), l, v)),
            Op::Touch(i, a, value) => {
                let mm = mms[i % mms.len()];
                match value {
                    Some(v) => drop(m.store_in(mm, at(a), v)),
                    None => drop(m.load_in(mm, at(a))),
                }
            }
            Op::Fork(i) if mms.len() < 5 => {
                let parent = mms[i % mms.len()];
                mms.push(dup_mm(&mut m.sys, m.task, parent).unwrap());
            }
            Op::Exit(i) if mms.len() > 1 => {
                let gone = mms.remove(1 + i % (mms.len() - 1));
                mmput(&mut m.sys, gone);
            }
            Op::Lock(a, l, yes) => {
                let f = if yes { mlock::do_mlock } else { mlock::do_munlock };
                let _ = f(&mut m.sys, m.task, at(a), l * PAGE);
            }
            Op::Brk(n) => {
                let start = m.sys.mm(m.mm).start_brk;
                brk::do_brk(&mut m.sys, m.task, start + n * 1000);
            }
            Op::Fork(_) | Op::Exit(_) => {}
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            cases: 64,
            ..Default::default()
        })]
        #[test]
        fn everything_adds_up_after_each_step(ops in proptest::collection::vec(op(), 1..80)) {
            let mut m = Mem::new();
            let before = m.sys.machine.mem.free_pages();
            let mut mms = vec![m.mm];
            for op in &ops {
                run(&mut m, &mut mms, op);
                m.check();
            }
            for mm in mms.drain(1..) {
                mmput(&mut m.sys, mm);
            }
            m.unmap(BASE, 64).unwrap();
            let start = m.sys.mm(m.mm).start_brk;
            brk::do_brk(&mut m.sys, m.task, start);
            m.check();
            // Mappings that went elsewhere and their tables may remain.
            prop_assert!(m.sys.machine.mem.free_pages() <= before);
        }

        /// Each address space sees what was stored in it, or in its ancestors
        /// before the fork, and nothing else.
        #[test]
        fn copy_on_write_is_invisible(
            ops in proptest::collection::vec((0usize..6, 0u64..12, 0u64..1000, 0u8..8), 1..120)
        ) {
            let mut m = Mem::new();
            let a = m.anon(12);
            let mut worlds = vec![(m.mm, [0u64; 12])];
            for (i, page, value, what) in ops {
                let i = i % worlds.len();
                let mm = worlds[i].0;
                match what {
                    0 if worlds.len() < 6 => {
                        let model = worlds[i].1;
                        worlds.push((dup_mm(&mut m.sys, m.task, mm).unwrap(), model));
                    }
                    1 if i > 0 => {
                        mmput(&mut m.sys, mm);
                        worlds.remove(i);
                    }
                    2..5 => {
                        let got = m.load_in(mm, a + page * PAGE).unwrap();
                        prop_assert_eq!(got, worlds[i].1[page as usize]);
                    }
                    _ => {
                        m.store_in(mm, a + page * PAGE, value).unwrap();
                        worlds[i].1[page as usize] = value;
                    }
                }
            }
            for (mm, model) in &worlds {
                for (page, want) in model.iter().enumerate() {
                    prop_assert_eq!(m.load_in(*mm, a + page as u64 * PAGE).unwrap(), *want);
                }
            }
            prop_assert_eq!(check_memory(&m.sys), Vec::<String>::new());
        }
    }
}
