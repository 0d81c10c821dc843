//! Memory as processes see it: copy on write, areas, limits, unwinding. After
//! every test everything is recounted.
//!
//! Linux: the facts were run on a 6.18 kernel. Left out: exec, which has its
//! own.

mod areas;
mod cow;
mod random;

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
        let sys = boot(&BootConfig { machine, seed: 1, ..BootConfig::default() }).unwrap();
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
fn without_memory_nothing_is_half_done() {
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
    // The task is init, which has nobody to die for it.
    let oops = m.sys.kernel.oops.take().unwrap();
    assert!(oops.what.contains("System is deadlocked on memory"));
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
fn kernel_stacks_come_and_go() {
    let mut m = Mem::new();
    use super::vmalloc::*;
    let free = m.sys.machine.mem.free_pages();
    let cached = m.sys.kernel.cached_stacks.len();
    let mut stacks = vec![];
    for i in 0..5u64 {
        let s = alloc_thread_stack(&mut m.sys).unwrap();
        assert_eq!(s.base.0 % 16384, 0);
        for n in 0..3 {
            stack_write(&mut m.sys, &s, 4096 - 16 + n * 8, i + n);
        }
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
