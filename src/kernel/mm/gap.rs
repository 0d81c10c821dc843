//! Where a mapping goes when the caller does not say: the highest hole that
//! is large enough, below `mmap_base`.
//!
//! ```text
//! |   area |hole| area |  hole  | area |...free...| mmap_base
//!                   <-- search goes down
//! ```
//!
//! The search remembers where it found room: above `free_area_cache` no hole
//! has `cached_hole_size` bytes or more, so a request at least that large
//! begins there. Linux reaches the same by keeping gap sizes in the tree.
//!
//! Linux: mm/vma.c (`unmapped_area_topdown`), mm/mmap.c (`__get_unmapped_area`),
//! arch/x86/kernel/sys_x86_64.c.
//! Left out: alignment of large mappings for huge pages, colouring for
//! AMD family 15h.

use crate::abi::{Cap, Errno, MapFlags};
use crate::base::{PAGE_MASK, PAGE_SIZE};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::account::has_cap;
use crate::kernel::mm::layout::{
    DEFAULT_MAP_WINDOW, STACK_GUARD_GAP, TASK_UNMAPPED_BASE, task_size,
};
use crate::kernel::mm::vma::{find_vma, vm_start_gap};
use crate::kernel::mm::{MmId, MmStruct, VmFlags};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// A hole has appeared, or grown, at `start..end`: the next search must see it.
pub fn note_hole(m: &mut MmStruct, start: u64, end: u64) {
    if end <= m.free_area_cache || start >= m.mmap_base {
        return;
    }
    let next = m.mmap.range(start..).next().map_or(m.mmap_base, |(_, v)| vm_start_gap(v));
    m.free_area_cache = next.clamp(m.free_area_cache, m.mmap_base);
}

/// The highest address where `len` bytes fit between `low` and `high`
/// (`unmapped_area_topdown`). `top` is the end the search begins at; also
/// gives the largest hole it passed over.
fn topdown(m: &MmStruct, len: u64, guard: u64, low: u64, top: u64) -> (Option<u64>, u64) {
    let mut passed = 0;
    let mut end = top;
    // An area that straddles the top, or begins right above it and grows down.
    if let Some(v) = find_vma(m, top.saturating_sub(1)) {
        end = end.min(vm_start_gap(v));
    }
    for v in m.mmap.range(..top).rev().map(|(_, v)| v) {
        if v.vm_end > top {
            end = end.min(vm_start_gap(v));
            continue;
        }
        let floor = v.vm_end.max(low);
        let hole = end.saturating_sub(floor);
        if end > floor && hole >= len.saturating_add(guard) {
            return (Some(end - len), passed);
        }
        passed = passed.max(hole);
        end = end.min(vm_start_gap(v));
        if end <= low {
            return (None, passed);
        }
    }
    let hole = end.saturating_sub(low);
    if hole >= len.saturating_add(guard) { (Some(end - len), passed) } else { (None, passed) }
}

/// The lowest address where `len` bytes fit (`unmapped_area`).
fn bottomup(m: &MmStruct, len: u64, guard: u64, low: u64, high: u64) -> Option<u64> {
    let mut at = low;
    if let Some((_, v)) = m.mmap.range(..low).next_back() {
        at = at.max(v.vm_end);
    }
    for v in m.mmap.range(low..high).map(|(_, v)| v) {
        if vm_start_gap(v).saturating_sub(at) >= len.saturating_add(guard) {
            return Some(at + guard);
        }
        at = at.max(v.vm_end);
    }
    let fits = high.saturating_sub(at) >= len.saturating_add(guard);
    fits.then_some(at + guard)
}

fn no_room<T>() -> Result<T, SysError> {
    refuse(Errno::ENOMEM, "vm_unmapped_area", "no hole in the address space is large enough")
}

/// Chooses an address, or takes the one asked for after the checks Linux makes
/// (`__get_unmapped_area`). `addr` is a hint unless MAP_FIXED is given.
///
/// # Errors
/// ENOMEM without room or beyond the address space; EINVAL for an unaligned
/// fixed address; EPERM below vm.mmap_min_addr without CAP_SYS_RAWIO.
pub fn get_unmapped_area(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    addr: u64,
    len: u64,
    flags: MapFlags,
    vm_flags: VmFlags,
) -> Result<u64, SysError> {
    let size = task_size(sys);
    if len > size {
        return refuse(
            Errno::ENOMEM,
            "__get_unmapped_area",
            "the length is larger than the user address space",
        );
    }
    let at = if flags.contains(MapFlags::MAP_FIXED) {
        addr
    } else {
        choose(sys, mm, addr, len, flags, vm_flags)?
    };
    if let Some(errno) = err_value(at) {
        let why = format!(
            "the fixed address {at:#x} is taken for -{errno}: Linux hands errors and \
                           addresses through one variable"
        );
        return Err(SysError::with(errno, "__get_unmapped_area", why));
    }
    if at > size - len {
        return refuse(
            Errno::ENOMEM,
            "__get_unmapped_area",
            "the mapping would reach beyond the end of the user address space",
        );
    }
    if at & !PAGE_MASK != 0 {
        return refuse(
            Errno::EINVAL,
            "__get_unmapped_area",
            "a fixed address must be a multiple of the page size",
        );
    }
    if at < sys.kernel.sysctl.mmap_min_addr && !has_cap(sys, task, Cap::CAP_SYS_RAWIO) {
        return refuse(
            Errno::EPERM,
            "cap_mmap_addr",
            "the address is below vm.mmap_min_addr, which needs CAP_SYS_RAWIO: a mapping at 0 \
             would turn the kernel's null pointers into user memory",
        );
    }
    Ok(at)
}

/// The error that an address in the last page would be (`IS_ERR_VALUE`).
/// Numbers that are no errno, or the kernel's own, stay what they are: too high.
fn err_value(at: u64) -> Option<Errno> {
    let number = at.wrapping_neg();
    let errno = i32::try_from(number).ok().and_then(Errno::from_number);
    errno.filter(|e| number != 0 && !e.is_restart())
}

fn choose(
    sys: &mut System,
    mm: MmId,
    addr: u64,
    len: u64,
    flags: MapFlags,
    vm_flags: VmFlags,
) -> Result<u64, SysError> {
    let size = task_size(sys);
    let m = &sys.kernel.mms[mm];
    let low = PAGE_SIZE.max(sys.kernel.sysctl.mmap_min_addr);
    let guard = if vm_flags.contains(VmFlags::GROWSDOWN) { STACK_GUARD_GAP } else { 0 };
    if flags.contains(MapFlags::MAP_32BIT) {
        let found = bottomup(m, len, guard, 0x4000_0000, 0x8000_0000);
        return found.map_or_else(no_room, Ok);
    }
    let hint = addr & PAGE_MASK;
    // A hint must not straddle the 47-bit boundary (`mmap_address_hint_valid`).
    if hint != 0
        && size - len >= hint
        && (hint > DEFAULT_MAP_WINDOW) == (hint + len > DEFAULT_MAP_WINDOW)
        && find_vma(m, hint).is_none_or(|v| hint + len <= vm_start_gap(v))
    {
        return Ok(hint);
    }
    let base = m.mmap_base;
    let wide = hint > DEFAULT_MAP_WINDOW;
    let high = if wide { base + (size - DEFAULT_MAP_WINDOW) } else { base };
    let cached = !wide && len.saturating_add(guard) >= m.cached_hole_size && m.cached_hole_size > 0;
    let top = if cached { m.free_area_cache.min(high) } else { high };
    let (found, passed) = topdown(m, len, guard, low, top);
    if let Some(at) = found {
        if !wide && guard == 0 {
            let m = &mut sys.kernel.mms[mm];
            let skipped = if cached { m.cached_hole_size.max(passed + 1) } else { passed + 1 };
            (m.free_area_cache, m.cached_hole_size) = (at, skipped);
        }
        return Ok(at);
    }
    // Top-down failed: try above mmap_base too, from the bottom.
    let high = if wide { size } else { DEFAULT_MAP_WINDOW };
    bottomup(m, len, guard, TASK_UNMAPPED_BASE, high).map_or_else(no_room, Ok)
}
