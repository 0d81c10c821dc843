//! The page fault: what the processor could not translate, the kernel makes
//! good or turns into a signal.
//!
//! ```text
//! handle_user_fault      no area: SIGSEGV MAPERR; wrong rights: ACCERR
//!   handle_mm_fault      tables on the way
//!     nothing there  -> do_anonymous_page   zero page, or a new page
//!                    -> do_read_fault, do_cow_fault, do_shared_fault (file)
//!     not writable   -> do_wp_page          reuse, or copy (copy on write)
//!     all is well    -> spurious: only A and D are set
//! ```
//!
//! Linux: arch/x86/mm/fault.c (`do_user_addr_fault`, `access_error`),
//! mm/memory.c (`handle_mm_fault` and below).
//! Left out: NUMA hints, swap, userfaultfd, protection keys, per-VMA locks,
//! the OOM killer: without memory the faulting task is killed.

use crate::abi::Signal;
use crate::abi::signal::si_code;
use crate::base::{PAGE_MASK, Pfn, PhysAddr, VirtAddr};
use crate::kernel::error::SysError;
use crate::kernel::fs::FileId;
use crate::kernel::mm::layout::task_size;
use crate::kernel::mm::pgtable::{
    alloc_page, maybe_mkwrite, pte_alloc, pte_present, put_page, vm_page_prot,
};
use crate::kernel::mm::rmap::anon_vma_prepare;
use crate::kernel::mm::stack::expand_stack;
use crate::kernel::mm::tlb::flush_tlb_page;
use crate::kernel::mm::vma::find_vma;
use crate::kernel::mm::zap::mm_counter;
use crate::kernel::mm::{MmCounter, MmId, VmFlags, VmOps, file_fault, nommu, oom};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::{Level, PageFlags, PfError, Pte, PteFlags, entry_addr};
use crate::traced;

bitflags::bitflags! {
    /// `FAULT_FLAG_*`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct FaultFlags: u32 {
        /// The access was a write.
        const WRITE = 1 << 0;
        /// It came from user mode.
        const USER = 1 << 1;
        /// It was an instruction fetch.
        const INSTRUCTION = 1 << 2;
    }
}

/// How a fault failed (`VM_FAULT_*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VmFault {
    /// No memory for the page or a table.
    Oom(SysError),
    /// Nothing behind the mapping there: beyond the end of the file.
    Sigbus,
    /// The mapping does not allow the access.
    Sigsegv,
}

impl From<SysError> for VmFault {
    fn from(e: SysError) -> VmFault {
        VmFault::Oom(e)
    }
}

/// The signal an access ends in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultSignal {
    /// SIGSEGV, SIGBUS, or SIGKILL without memory.
    pub sig: Signal,
    /// `SEGV_*` or `BUS_*`.
    pub si_code: i32,
    /// The address accessed.
    pub addr: u64,
    /// What was wrong, in a sentence.
    pub why: String,
}

/// What the handlers need to know of the area, and the access (`vm_fault`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Vmf {
    pub mm: MmId,
    pub vm_start: u64,
    pub vm_end: u64,
    pub vm_flags: VmFlags,
    pub vm_ops: VmOps,
    pub vm_pgoff: u64,
    pub vm_file: Option<FileId>,
    pub has_anon_vma: bool,
    /// Page address of the access.
    pub addr: u64,
    pub write: bool,
    /// Where the entry is.
    pub table: Pfn,
    pub at: PhysAddr,
}

fn signal(sig: Signal, si_code: i32, addr: u64, why: String) -> FaultSignal {
    FaultSignal { sig, si_code, addr, why }
}

/// Handles a page fault that the processor raised for a task, or that the
/// kernel met in user memory on its behalf (`do_user_addr_fault`).
///
/// # Errors
/// The signal to send. The address space is as before.
pub fn handle_user_fault(
    sys: &mut System,
    task: TaskId,
    addr: VirtAddr,
    code: PfError,
) -> Result<(), FaultSignal> {
    match sys.kernel.tasks[task].mm {
        Some(mm) => do_user_addr_fault(sys, task, mm, addr.0, code),
        None => {
            let why = "a kernel thread has no user memory".to_string();
            Err(signal(Signal::SIGSEGV, si_code::SEGV_MAPERR, addr.0, why))
        }
    }
}

/// The same for a given address space, which execve(2) fills before it is the
/// task's own.
///
/// # Errors
/// As [`handle_user_fault`].
pub fn do_user_addr_fault(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    addr: u64,
    code: PfError,
) -> Result<(), FaultSignal> {
    let segv = |code, why| Err(signal(Signal::SIGSEGV, code, addr, why));
    if !sys.machine.config.mmu {
        return segv(si_code::SEGV_MAPERR, nommu::fault_reason(addr));
    }
    if addr >= task_size(sys) {
        let why = format!("{addr:#x} is in the kernel's half of the address space");
        return segv(si_code::SEGV_MAPERR, why);
    }
    if code.contains(PfError::RSVD) {
        let what = format!("reserved bit set in the page tables on the way to {addr:#x}");
        sys.oops("pgtable_bad", what);
        let why = format!("the page tables for {addr:#x} are corrupt");
        return Err(signal(Signal::SIGKILL, si_code::SI_KERNEL, addr, why));
    }
    let m = &sys.kernel.mms[mm];
    let flags = match find_vma(m, addr) {
        None => return segv(si_code::SEGV_MAPERR, unmapped(addr)),
        Some(v) if v.vm_start <= addr => v.vm_flags,
        Some(v) if v.vm_flags.contains(VmFlags::GROWSDOWN) => {
            let (start, flags) = (v.vm_start, v.vm_flags);
            if let Err(e) = traced!(sys, expand_stack(task, mm, start, addr)) {
                let why = format!("the stack cannot grow down to {addr:#x}: {}", e.why);
                return segv(si_code::SEGV_MAPERR, why);
            }
            flags
        }
        Some(_) => return segv(si_code::SEGV_MAPERR, unmapped(addr)),
    };
    if let Some(why) = access_error(code, flags) {
        return segv(si_code::SEGV_ACCERR, format!("{why} at {addr:#x}"));
    }
    let mut access = FaultFlags::empty();
    access.set(FaultFlags::WRITE, code.contains(PfError::W));
    access.set(FaultFlags::USER, code.contains(PfError::U));
    access.set(FaultFlags::INSTRUCTION, code.contains(PfError::I));
    let mut fault = traced!(sys, handle_mm_fault(task, mm, addr, access));
    if matches!(fault, Err(VmFault::Oom(_))) && oom::oom_unkillable_task(sys, task) {
        // Linux just tries again, and its allocator kills until there is room.
        fault = traced!(sys, handle_mm_fault(task, mm, addr, access));
        while matches!(fault, Err(VmFault::Oom(_))) && traced!(sys, oom::out_of_memory(task)) {
            fault = traced!(sys, handle_mm_fault(task, mm, addr, access));
        }
    }
    match fault {
        Ok(()) => Ok(()),
        Err(VmFault::Oom(e)) => Err(signal(
            Signal::SIGKILL,
            si_code::SI_KERNEL,
            addr,
            format!("out of memory: no page for {addr:#x} ({})", e.why),
        )),
        Err(VmFault::Sigbus) => Err(signal(
            Signal::SIGBUS,
            si_code::BUS_ADRERR,
            addr,
            format!("{addr:#x} lies beyond the end of the mapped file"),
        )),
        Err(VmFault::Sigsegv) => {
            segv(si_code::SEGV_MAPERR, format!("the access at {addr:#x} is not possible"))
        }
    }
}

fn unmapped(addr: u64) -> String {
    match addr {
        0..0x1000 => format!("nothing is mapped at {addr:#x}: a null pointer"),
        _ => format!("nothing is mapped at {addr:#x}"),
    }
}

/// Whether the area forbids the access, and why.
fn access_error(code: PfError, flags: VmFlags) -> Option<&'static str> {
    if code.contains(PfError::W) {
        let ok = flags.contains(VmFlags::WRITE);
        return (!ok).then_some("write to a mapping without PROT_WRITE");
    }
    if code.contains(PfError::P) {
        return Some(if code.contains(PfError::I) {
            "instruction fetch from a mapping without PROT_EXEC"
        } else {
            "read of a page that is present but forbidden"
        });
    }
    let ok = flags.intersects(VmFlags::ACCESS);
    (!ok).then_some("access to a mapping with PROT_NONE")
}

/// Makes the page at `addr`, which an area covers, accessible, and counts the
/// fault for the task.
///
/// # Errors
/// See [`VmFault`].
pub fn handle_mm_fault(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    addr: u64,
    flags: FaultFlags,
) -> Result<(), VmFault> {
    let addr = addr & PAGE_MASK;
    let Some(v) = find_vma(&sys.kernel.mms[mm], addr).filter(|v| v.vm_start <= addr) else {
        return Err(VmFault::Sigsegv);
    };
    let mut vmf = Vmf {
        mm,
        vm_start: v.vm_start,
        vm_end: v.vm_end,
        vm_flags: v.vm_flags,
        vm_ops: v.vm_ops,
        vm_pgoff: v.vm_pgoff,
        vm_file: v.vm_file,
        has_anon_vma: v.anon_vma.is_some(),
        addr,
        write: flags.contains(FaultFlags::WRITE),
        table: Pfn(0),
        at: PhysAddr(0),
    };
    vmf.table = pte_alloc(sys, mm, addr)?;
    let levels = sys.machine.config.paging_levels;
    vmf.at = entry_addr(vmf.table, levels.table_index(Level::Pte, VirtAddr(addr)));
    let pte = Pte(sys.machine.mem.read_u64(vmf.at));
    handle_pte_fault(sys, &vmf, pte)?;
    // No fault needs I/O here: there is no disk.
    sys.kernel.tasks[task].min_flt += 1;
    Ok(())
}

fn handle_pte_fault(sys: &mut System, vmf: &Vmf, pte: Pte) -> Result<(), VmFault> {
    if pte.is_none() {
        return match vmf.vm_ops {
            VmOps::Anonymous => traced!(sys, do_anonymous_page(vmf)),
            VmOps::File => file_fault::do_fault(sys, vmf),
        };
    }
    if !pte_present(pte) {
        let what = format!("entry {pte:?} for {:#x} is neither empty nor present", vmf.addr);
        sys.oops("do_swap_page", what);
        return Err(VmFault::Sigbus);
    }
    if vmf.write && !pte.is_writable() {
        return traced!(sys, do_wp_page(vmf, pte));
    }
    // Spurious: another access has done the work, or a stale translation
    // faulted; the processor has dropped that by itself.
    let mut new = pte.with(PteFlags::A);
    if vmf.write {
        new = new.with(PteFlags::D | PteFlags::SOFT_DIRTY);
    }
    set_pte(sys, vmf, new);
    Ok(())
}

pub(super) fn set_pte(sys: &mut System, vmf: &Vmf, pte: Pte) {
    sys.machine.mem.write_u64(vmf.at, pte.0);
}

pub(super) fn add_mm_counter(sys: &mut System, mm: MmId, which: MmCounter, n: i64) {
    sys.kernel.mms[mm].rss_stat[which as usize] += n;
}

/// `vmf_anon_prepare`: the area needs an anon_vma before its first own page.
pub(super) fn vmf_anon_prepare(sys: &mut System, vmf: &Vmf) {
    if !vmf.has_anon_vma {
        anon_vma_prepare(sys, vmf.mm, vmf.vm_start);
    }
}

/// What `page->mapping` would hold: the anon_vma's number, from 1.
fn mapping_of(sys: &System, vmf: &Vmf) -> u32 {
    let vma = sys.kernel.mms[vmf.mm].mmap.get(&vmf.vm_start);
    vma.and_then(|v| v.anon_vma).map_or(0, |a| a.index() + 1)
}

/// A new page of the area, exclusively its own (`folio_add_new_anon_rmap`).
pub(super) fn alloc_anon_page(sys: &mut System, vmf: &Vmf) -> Result<Pfn, VmFault> {
    const NEW: PageFlags = PageFlags::ANON
        .union(PageFlags::ANON_EXCLUSIVE)
        .union(PageFlags::SWAPBACKED)
        .union(PageFlags::UPTODATE);
    vmf_anon_prepare(sys, vmf);
    let pfn = alloc_page(sys, NEW)?;
    let mapping = mapping_of(sys, vmf);
    if let Ok(page) = sys.machine.mem.page_mut(pfn) {
        page.mapcount = 1;
        page.private = mapping;
    }
    Ok(pfn)
}

/// The entry for a page the area has to itself.
pub(super) fn anon_pte(sys: &System, vmf: &Vmf, pfn: Pfn) -> Pte {
    let pte = Pte::new(pfn, vm_page_prot(sys, vmf.vm_flags));
    if vmf.vm_flags.contains(VmFlags::WRITE) { maybe_mkwrite(pte, vmf.vm_flags) } else { pte }
}

/// First touch of anonymous memory: reading maps the shared page of zeros,
/// writing a page of its own.
fn do_anonymous_page(sys: &mut System, vmf: &Vmf) -> Result<(), VmFault> {
    if vmf.vm_flags.contains(VmFlags::SHARED) {
        return Err(VmFault::Sigbus);
    }
    if !vmf.write {
        let prot = vm_page_prot(sys, vmf.vm_flags) | PteFlags::SPECIAL;
        let pte = Pte::new(sys.kernel.zero_page, prot);
        set_pte(sys, vmf, pte);
        return Ok(());
    }
    let pfn = alloc_anon_page(sys, vmf)?;
    add_mm_counter(sys, vmf.mm, MmCounter::Anon, 1);
    let pte = anon_pte(sys, vmf, pfn);
    set_pte(sys, vmf, pte);
    Ok(())
}

/// A write to a page that is mapped read-only though its area is writable:
/// reuse it if nobody else has it, else copy it.
fn do_wp_page(sys: &mut System, vmf: &Vmf, pte: Pte) -> Result<(), VmFault> {
    if vmf.vm_flags.intersects(VmFlags::SHARED | VmFlags::MAYSHARE) {
        wp_page_reuse(sys, vmf, pte);
        return Ok(());
    }
    let pfn = pte.pfn();
    if !pte.is_special() {
        let page = *sys.machine.mem.page(pfn);
        let exclusive = page.flags.contains(PageFlags::ANON_EXCLUSIVE);
        // wp_can_reuse_anon_folio: one reference means that ours is the last.
        if page.flags.contains(PageFlags::ANON) && (exclusive || page.refcount == 1) {
            if !exclusive {
                let mapping = mapping_of(sys, vmf);
                if let Ok(p) = sys.machine.mem.page_mut(pfn) {
                    p.flags |= PageFlags::ANON_EXCLUSIVE;
                    p.private = mapping;
                }
            }
            wp_page_reuse(sys, vmf, pte);
            return Ok(());
        }
    }
    traced!(sys, wp_page_copy(vmf, pte))
}

/// Makes the entry writable; a stale read-only translation elsewhere faults
/// once more and finds it so.
fn wp_page_reuse(sys: &mut System, vmf: &Vmf, pte: Pte) {
    let new = maybe_mkwrite(pte.with(PteFlags::A), vmf.vm_flags);
    set_pte(sys, vmf, new);
}

/// Copies the page, or the zeros of the zero page, and maps the copy.
fn wp_page_copy(sys: &mut System, vmf: &Vmf, pte: Pte) -> Result<(), VmFault> {
    let old = pte.pfn();
    let new = alloc_anon_page(sys, vmf)?;
    if !pte.is_special() {
        if let Err(bug) = sys.machine.mem.copy_page(new, old) {
            sys.oops("wp_page_copy", bug.to_string());
        }
        let flags = sys.machine.mem.page(old).flags;
        add_mm_counter(sys, vmf.mm, mm_counter(flags), -1);
    }
    add_mm_counter(sys, vmf.mm, MmCounter::Anon, 1);
    let entry = anon_pte(sys, vmf, new);
    set_pte(sys, vmf, entry);
    flush_tlb_page(sys, vmf.mm, vmf.addr);
    if !pte.is_special() {
        match sys.machine.mem.page_mut(old) {
            Ok(page) => page.mapcount -= 1,
            Err(bug) => {
                sys.oops("wp_page_copy", bug.to_string());
                return Ok(());
            }
        }
        put_page(sys, old);
    }
    Ok(())
}
