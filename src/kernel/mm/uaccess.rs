//! The kernel reads and writes user memory: through the task's page tables,
//! faulting pages in as an access of its own would.
//!
//! Linux: lib/usercopy.c, lib/strncpy_from_user.c, arch/x86/include/asm/
//! uaccess.h, arch/x86/mm/extable.c. Left out: partial copies (a call that
//! fails copies nothing it reports), SMAP windows, the TLB: the kernel's copy
//! walks the tables, so a flush forgotten by the kernel shows in user mode.

use crate::abi::Errno;
use crate::base::{PAGE_SIZE, PhysAddr, VirtAddr, text};
use crate::kernel::error::SysError;
use crate::kernel::mm::fault::do_user_addr_fault;
use crate::kernel::mm::layout::task_size;
use crate::kernel::mm::pgtable::lookup;
use crate::kernel::mm::{MmId, nommu};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::{PfError, PteFlags};

/// Whether a range lies in user space (`access_ok`).
///
/// # Errors
/// EFAULT, of the function `f`.
pub fn access_ok(sys: &System, addr: u64, len: u64, f: &'static str) -> Result<(), SysError> {
    let size = task_size(sys);
    if len <= size && addr <= size - len {
        return Ok(());
    }
    let what = if VirtAddr(addr).is_canonical(sys.machine.config.paging_levels.va_bits()) {
        "in the kernel's half of the address space"
    } else {
        "no canonical address"
    };
    let why = format!("the pointer {addr:#x} is {what}: user memory ends at {size:#x}");
    Err(SysError::with(Errno::EFAULT, f, why))
}

fn no_mm(f: &'static str) -> SysError {
    SysError::new(Errno::EFAULT, f, "the task has no user memory")
}

/// Where byte `addr` of an address space is, after faulting it in if needed.
fn user_byte(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    addr: u64,
    write: bool,
    f: &'static str,
) -> Result<PhysAddr, SysError> {
    if !sys.machine.config.mmu {
        return nommu::user_byte(sys, mm, addr)
            .ok_or_else(|| SysError::with(Errno::EFAULT, f, nommu::fault_reason(addr)));
    }
    let need =
        if write { PteFlags::P | PteFlags::US | PteFlags::RW } else { PteFlags::P | PteFlags::US };
    let marks = if write { PteFlags::A | PteFlags::D } else { PteFlags::A };
    // The access faults, the handler repairs, the access is made again.
    for _ in 0..3 {
        let mut code = PfError::empty();
        if let Some((at, pte)) = lookup(sys, mm, addr) {
            if pte.has(need) && sys.machine.mem.has_frame(pte.pfn()) {
                if !pte.has(marks) {
                    sys.machine.mem.write_u64(at, pte.with(marks).0);
                }
                return Ok(PhysAddr(pte.pfn().addr().0 | (addr % PAGE_SIZE)));
            }
            code.set(PfError::P, pte.has(PteFlags::P));
        }
        code.set(PfError::W, write);
        do_user_addr_fault(sys, task, mm, addr, code)
            .map_err(|s| SysError::with(Errno::EFAULT, f, s.why))?;
    }
    let why = format!("the page of {addr:#x} cannot be made accessible");
    Err(SysError::with(Errno::EFAULT, f, why))
}

/// Copies user memory at `addr` into `buf`.
///
/// # Errors
/// EFAULT; `buf` may be filled in part.
pub fn copy_from_user(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    buf: &mut [u8],
) -> Result<(), SysError> {
    const F: &str = "copy_from_user";
    if buf.is_empty() {
        return Ok(());
    }
    let mm = sys.kernel.tasks[task].mm.ok_or(no_mm(F))?;
    access_ok(sys, addr, buf.len() as u64, F)?;
    copy_from_mm(sys, task, mm, addr, buf, F)
}

/// The same from an address space that need not be the task's own; the range
/// is known to be in user space.
pub(super) fn copy_from_mm(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    addr: u64,
    buf: &mut [u8],
    f: &'static str,
) -> Result<(), SysError> {
    let mut done = 0;
    while done < buf.len() {
        let at = user_byte(sys, task, mm, addr + done as u64, false, f)?;
        let n = ((PAGE_SIZE - at.offset()) as usize).min(buf.len() - done);
        sys.machine.mem.read(at, &mut buf[done..done + n]);
        done += n;
    }
    Ok(())
}

/// Copies `src` to user memory at `addr`; breaks copy-on-write on the way.
///
/// # Errors
/// EFAULT; a part may have been copied.
pub fn copy_to_user(sys: &mut System, task: TaskId, addr: u64, src: &[u8]) -> Result<(), SysError> {
    const F: &str = "copy_to_user";
    if src.is_empty() {
        // Nothing is touched, wherever the pointer points.
        return Ok(());
    }
    let mm = sys.kernel.tasks[task].mm.ok_or(no_mm(F))?;
    access_ok(sys, addr, src.len() as u64, F)?;
    copy_to_mm(sys, task, mm, addr, src, F)
}

/// The same into an address space that need not be the task's own, as exec
/// fills the new program's stack (`get_arg_page`); the task's limits count.
///
/// # Errors
/// EFAULT.
pub fn copy_to_mm(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    addr: u64,
    src: &[u8],
    f: &'static str,
) -> Result<(), SysError> {
    let mut done = 0;
    while done < src.len() {
        let at = user_byte(sys, task, mm, addr + done as u64, true, f)?;
        let n = ((PAGE_SIZE - at.offset()) as usize).min(src.len() - done);
        sys.machine.mem.write(at, &src[done..done + n]);
        done += n;
    }
    Ok(())
}

/// Reads 4 bytes.
///
/// # Errors
/// EFAULT.
pub fn get_user_u32(sys: &mut System, task: TaskId, addr: u64) -> Result<u32, SysError> {
    let mut b = [0; 4];
    copy_from_user(sys, task, addr, &mut b)?;
    Ok(u32::from_le_bytes(b))
}

/// Reads 8 bytes.
///
/// # Errors
/// EFAULT.
pub fn get_user_u64(sys: &mut System, task: TaskId, addr: u64) -> Result<u64, SysError> {
    let mut b = [0; 8];
    copy_from_user(sys, task, addr, &mut b)?;
    Ok(u64::from_le_bytes(b))
}

/// Writes 4 bytes.
///
/// # Errors
/// EFAULT.
pub fn put_user_u32(sys: &mut System, task: TaskId, addr: u64, value: u32) -> Result<(), SysError> {
    copy_to_user(sys, task, addr, &value.to_le_bytes())
}

/// Writes 8 bytes.
///
/// # Errors
/// EFAULT.
pub fn put_user_u64(sys: &mut System, task: TaskId, addr: u64, value: u64) -> Result<(), SysError> {
    copy_to_user(sys, task, addr, &value.to_le_bytes())
}

/// Reads a string of at most `max` bytes: it ends at a NUL, which is not part
/// of the result, or is cut. Bytes that are no UTF-8 stay themselves (`base::text`).
///
/// # Errors
/// EFAULT.
pub fn strncpy_prefix_from_user(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    max: usize,
) -> Result<String, SysError> {
    let (bytes, _) = strncpy(sys, task, addr, max)?;
    Ok(text::decode(&bytes))
}

/// The same for a string that must end within `max` bytes.
///
/// # Errors
/// EFAULT; ENAMETOOLONG when no NUL is among the first `max` bytes.
pub fn strncpy_from_user(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    max: usize,
) -> Result<String, SysError> {
    let (bytes, ended) = strncpy(sys, task, addr, max)?;
    if !ended {
        let why = format!("the string at {addr:#x} has no end within {max} bytes");
        return Err(SysError::with(Errno::ENAMETOOLONG, "strncpy_from_user", why));
    }
    Ok(text::decode(&bytes))
}

/// The bytes before the first NUL among `max`, and whether there was one.
fn strncpy(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    max: usize,
) -> Result<(Vec<u8>, bool), SysError> {
    let mut bytes = Vec::new();
    while bytes.len() < max {
        let at = addr.wrapping_add(bytes.len() as u64);
        let n = ((PAGE_SIZE - at % PAGE_SIZE) as usize).min(max - bytes.len());
        let mut part = vec![0; n];
        copy_from_user(sys, task, at, &mut part)?;
        if let Some(end) = part.iter().position(|b| *b == 0) {
            bytes.extend_from_slice(&part[..end]);
            return Ok((bytes, true));
        }
        bytes.extend_from_slice(&part);
    }
    Ok((bytes, false))
}
