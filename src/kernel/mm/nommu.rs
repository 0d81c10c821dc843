//! Memory without an MMU: addresses are physical, nothing is protected,
//! nothing is copied on write. That is why fork does not exist there.
//!
//! Linux: mm/nommu.c. Left out: file mappings, shared regions, the list of
//! regions; a mapping is a contiguous block of frames that is its own address.

use crate::abi::Errno;
use crate::abi::flags::MapFlags;
use crate::base::{PAGE_SHIFT, PAGE_SIZE, Pfn, PhysAddr};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::FileId;
use crate::kernel::mm::account::{vm_stat_account, vma_pages};
use crate::kernel::mm::pgtable::{alloc_page, put_page};
use crate::kernel::mm::vma::{find_vma, remove_vma};
use crate::kernel::mm::{MmId, VmAreaStruct, VmFlags, VmOps};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::PageFlags;

/// Why an access went wrong.
pub fn fault_reason(addr: u64) -> String {
    format!(
        "{addr:#x} is no memory of this process; without an MMU only the kernel's own care \
             keeps it out"
    )
}

/// Where a byte of an address space is: at its address, if an area has it.
pub fn user_byte(sys: &System, mm: MmId, addr: u64) -> Option<PhysAddr> {
    let vma = find_vma(&sys.kernel.mms[mm], addr)?;
    (vma.vm_start <= addr).then_some(PhysAddr(addr))
}

/// `pages` adjacent frames. The allocator gives one at a time, so frames are
/// taken until enough of them are neighbours; the others go back.
fn alloc_contiguous(sys: &mut System, pages: u64) -> Result<Pfn, SysError> {
    let flags = PageFlags::ANON | PageFlags::ANON_EXCLUSIVE | PageFlags::UPTODATE;
    let mut taken = std::collections::BTreeSet::new();
    let mut found = Err(SysError::new(
        Errno::ENOMEM,
        "alloc_pages_exact",
        "no adjacent frames: without an MMU a mapping must be contiguous in memory",
    ));
    let mut span = (0u32, 0u32);
    while let Ok(pfn) = alloc_page(sys, flags) {
        taken.insert(pfn.0);
        let adjacent = span.1 > span.0 && (pfn.0 == span.1 || pfn.0 + 1 == span.0);
        span = if !adjacent {
            (pfn.0, pfn.0 + 1)
        } else if pfn.0 == span.1 {
            (span.0, pfn.0 + 1)
        } else {
            (pfn.0, span.1)
        };
        if u64::from(span.1 - span.0) == pages {
            found = Ok(Pfn(span.0));
            break;
        }
    }
    for pfn in taken.into_iter().rev() {
        if found.is_err() || pfn < span.0 || pfn >= span.1 {
            put_page(sys, Pfn(pfn));
        }
    }
    found
}

/// An area of `len` bytes at an address that is its physical one, for mmap and
/// exec.
///
/// # Errors
/// ENOMEM.
pub fn map_block(sys: &mut System, mm: MmId, len: u64, vm_flags: VmFlags) -> Result<u64, SysError> {
    let pages = len >> PAGE_SHIFT;
    if pages == 0 {
        return refuse(Errno::EINVAL, "do_mmap", "the length is 0");
    }
    if pages > u64::from(sys.machine.mem.free_pages()) {
        return refuse(Errno::ENOMEM, "do_mmap", "not that many page frames are free");
    }
    let first = alloc_contiguous(sys, pages)?;
    let addr = first.addr().0;
    let vma = VmAreaStruct {
        vm_start: addr,
        vm_end: addr + len,
        vm_flags,
        vm_pgoff: addr >> PAGE_SHIFT,
        vm_file: None,
        vm_ops: VmOps::Anonymous,
        anon_vma: None,
        anon_vma_chain: Default::default(),
    };
    let m = &mut sys.kernel.mms[mm];
    vm_stat_account(m, vm_flags, pages as i64);
    m.mmap.insert(addr, vma);
    Ok(addr)
}

/// mmap: private anonymous memory only.
///
/// # Errors
/// EINVAL for a fixed address, ENODEV for files, EOPNOTSUPP for sharing,
/// ENOMEM.
pub fn do_mmap(
    sys: &mut System,
    _task: TaskId,
    mm: MmId,
    len: u64,
    vm_flags: VmFlags,
    flags: MapFlags,
    file: Option<FileId>,
) -> Result<u64, SysError> {
    if flags.contains(MapFlags::MAP_FIXED) {
        return refuse(
            Errno::EINVAL,
            "validate_mmap_request",
            "without an MMU MAP_FIXED cannot be done: the address is where the memory is",
        );
    }
    if file.is_some() {
        return refuse(Errno::ENODEV, "do_mmap", "file mappings without an MMU are not modelled");
    }
    match flags.bits() & 3 {
        // All memory is always there: nothing to lock, nothing to grow.
        2 => map_block(sys, mm, len, vm_flags - (VmFlags::LOCKED_MASK | VmFlags::GROWSDOWN)),
        1 => refuse(Errno::EOPNOTSUPP, "do_mmap", "shared memory without an MMU is not modelled"),
        _ => refuse(Errno::EINVAL, "do_mmap", "neither MAP_SHARED nor MAP_PRIVATE is given"),
    }
}

/// munmap: whole areas only.
///
/// # Errors
/// EINVAL when the range is not exactly one area.
pub fn do_munmap(sys: &mut System, mm: MmId, start: u64, end: u64) -> Result<(), SysError> {
    let m = &mut sys.kernel.mms[mm];
    if m.mmap.get(&start).is_none_or(|v| v.vm_end != end) {
        return refuse(
            Errno::EINVAL,
            "do_munmap",
            "without an MMU only whole mappings can be unmapped",
        );
    }
    if let Some(vma) = m.mmap.remove(&start) {
        release(sys, mm, vma);
    }
    Ok(())
}

fn release(sys: &mut System, mm: MmId, vma: VmAreaStruct) {
    vm_stat_account(&mut sys.kernel.mms[mm], vma.vm_flags, -(vma_pages(&vma) as i64));
    let mut at = vma.vm_start;
    while at < vma.vm_end {
        put_page(sys, PhysAddr(at).pfn());
        at += PAGE_SIZE;
    }
    remove_vma(sys, vma);
}

/// Gives everything back.
pub fn exit_mmap(sys: &mut System, mm: MmId) {
    let areas = std::mem::take(&mut sys.kernel.mms[mm].mmap);
    for vma in areas.into_values() {
        release(sys, mm, vma);
    }
}
