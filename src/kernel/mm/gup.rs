//! Reaching into another task's memory, as a tracer does: page by page,
//! faulting in what is missing, breaking copy-on-write before a write, and
//! past the protection of the area where the tracee's own access would fault.
//!
//! ```text
//! area            read                       write
//! private, r--    yes                        a private copy, still read-only
//! private, ---    yes                        the same
//! shared,  r--    yes                        refused: others would see it
//! ```
//!
//! Linux: mm/gup.c (check_vma_flags, can_follow_write_pte, faultin_page),
//! mm/memory.c (__access_remote_vm with FOLL_FORCE), and who pins pages without.
//! Left out: /proc/PID/mem, pins that last.

use crate::base::{PAGE_SIZE, PhysAddr};
use crate::kernel::mm::fault::{FaultFlags, handle_mm_fault};
use crate::kernel::mm::layout::task_size;
use crate::kernel::mm::pgtable::{lookup, pte_present};
use crate::kernel::mm::stack::expand_stack;
use crate::kernel::mm::vma::find_vma;
use crate::kernel::mm::{MmId, VmFlags, nommu};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::{PageFlags, Pte, PteFlags};
use crate::traced;

/// A write to another address space must not be made, in a sentence; or why
/// nothing can be read there.
type Why = String;

/// How far the protection of an area counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follow {
    /// A tracer's access goes past it (FOLL_FORCE).
    Force,
    /// It counts as for the task itself.
    Plain,
}

/// Whether the area lets somebody read or write (`check_vma_flags`).
fn check_vma_flags(flags: VmFlags, follow: Follow, write: bool, addr: u64) -> Result<(), Why> {
    let need = if write { VmFlags::WRITE } else { VmFlags::READ };
    if follow == Follow::Plain {
        return match flags.contains(need) {
            true => Ok(()),
            false => Err(format!("the mapping of {addr:#x} does not allow it")),
        };
    }
    if write {
        // is_cow_mapping: private, and could be made writable.
        let cow = !flags.intersects(VmFlags::SHARED) && flags.contains(VmFlags::MAYWRITE);
        if !flags.contains(VmFlags::WRITE) && !cow {
            return Err(format!(
                "{addr:#x} lies in a shared mapping without PROT_WRITE: a write would change it \
                 for others too"
            ));
        }
    } else if !flags.contains(VmFlags::READ) && !flags.contains(VmFlags::MAYREAD) {
        return Err(format!("{addr:#x} lies in a mapping that can never be read"));
    }
    Ok(())
}

/// Whether a present entry can be followed as it is.
fn can_follow(sys: &System, pte: Pte, flags: VmFlags, write: bool) -> bool {
    if !write || pte.is_writable() {
        return true;
    }
    // can_follow_write_pte: the copy was made, only the area is read-only.
    let page = sys.machine.mem.page(pte.pfn());
    !flags.contains(VmFlags::WRITE)
        && !flags.intersects(VmFlags::SHARED | VmFlags::MAYSHARE)
        && !pte.is_special()
        && page.flags.contains(PageFlags::ANON | PageFlags::ANON_EXCLUSIVE)
}

/// Where byte `addr` of an address space is, made ready for the access.
fn get_user_page(
    sys: &mut System,
    current: TaskId,
    mm: MmId,
    addr: u64,
    follow: Follow,
    write: bool,
) -> Result<PhysAddr, Why> {
    if !sys.machine.config.mmu {
        return nommu::user_byte(sys, mm, addr).ok_or_else(|| nommu::fault_reason(addr));
    }
    let nothing = || format!("nothing is mapped at {addr:#x} in the tracee");
    if addr >= task_size(sys) {
        return Err(format!("{addr:#x} is in the kernel's half of the address space"));
    }
    let flags = match find_vma(sys.mm(mm), addr) {
        None => return Err(nothing()),
        Some(v) if v.vm_start <= addr => v.vm_flags,
        Some(v) if follow == Follow::Force && v.vm_flags.contains(VmFlags::GROWSDOWN) => {
            let (start, flags) = (v.vm_start, v.vm_flags);
            if let Err(e) = traced!(sys, expand_stack(current, mm, start, addr)) {
                return Err(format!("the stack cannot grow down to {addr:#x}: {}", e.why));
            }
            flags
        }
        Some(_) => return Err(nothing()),
    };
    check_vma_flags(flags, follow, write, addr)?;
    let mut access = FaultFlags::empty();
    access.set(FaultFlags::WRITE, write);
    // The zero page is mapped for a read and copied for the write after it.
    for _ in 0..3 {
        if let Some((at, pte)) = lookup(sys, mm, addr)
            && pte_present(pte)
            && can_follow(sys, pte, flags, write)
        {
            let marks = if write { PteFlags::A | PteFlags::D } else { PteFlags::A };
            if !pte.has(marks) {
                sys.machine.mem.write_u64(at, pte.with(marks).0);
            }
            return Ok(PhysAddr(pte.pfn().addr().0 | (addr % PAGE_SIZE)));
        }
        if traced!(sys, handle_mm_fault(current, mm, addr, access)).is_err() {
            return Err(format!("the page of {addr:#x} cannot be had"));
        }
    }
    Err(format!("the page of {addr:#x} cannot be made accessible"))
}

/// Where byte `addr` of an address space is, for an access that its protection
/// allows (`pin_user_pages_remote` without FOLL_FORCE).
///
/// # Errors
/// Why not.
pub fn user_page(
    sys: &mut System,
    current: TaskId,
    mm: MmId,
    addr: u64,
    write: bool,
) -> Result<PhysAddr, String> {
    get_user_page(sys, current, mm, addr, Follow::Plain, write)
}

/// Reads another address space at `addr` (`access_remote_vm`). Page faults
/// count for `current`.
///
/// # Errors
/// Why a byte cannot be read; those before it were.
pub fn read_remote_vm(
    sys: &mut System,
    current: TaskId,
    mm: MmId,
    addr: u64,
    buf: &mut [u8],
) -> Result<(), String> {
    let mut done = 0;
    while done < buf.len() {
        let at =
            get_user_page(sys, current, mm, addr.wrapping_add(done as u64), Follow::Force, false)?;
        let n = ((PAGE_SIZE - at.offset()) as usize).min(buf.len() - done);
        sys.machine.mem.read(at, &mut buf[done..done + n]);
        done += n;
    }
    Ok(())
}

/// Writes to another address space at `addr`.
///
/// # Errors
/// Why a byte cannot be written; those before it were.
pub fn write_remote_vm(
    sys: &mut System,
    current: TaskId,
    mm: MmId,
    addr: u64,
    src: &[u8],
) -> Result<(), String> {
    let mut done = 0;
    while done < src.len() {
        let at =
            get_user_page(sys, current, mm, addr.wrapping_add(done as u64), Follow::Force, true)?;
        let n = ((PAGE_SIZE - at.offset()) as usize).min(src.len() - done);
        sys.machine.mem.write(at, &src[done..done + n]);
        done += n;
    }
    Ok(())
}

/// Up to `len` bytes of an address space that are in memory now. Changes nothing;
/// ends before the first byte that is not there.
pub fn present_bytes(sys: &System, mm: MmId, addr: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len && sys.kernel.mms.get(mm).is_some() {
        let Some(va) = addr.checked_add(bytes.len() as u64) else { break };
        let at = if sys.machine.config.mmu {
            let entry = lookup(sys, mm, va).map(|(_, pte)| pte).filter(|pte| pte_present(*pte));
            entry.map(|pte| PhysAddr(pte.pfn().addr().0 | (va % PAGE_SIZE)))
        } else {
            nommu::user_byte(sys, mm, va)
        };
        let Some(at) = at.filter(|_| va < task_size(sys)) else { break };
        let n = ((PAGE_SIZE - at.offset()) as usize).min(len - bytes.len());
        let old = bytes.len();
        bytes.resize(old + n, 0);
        sys.machine.mem.read(at, &mut bytes[old..]);
    }
    bytes
}
