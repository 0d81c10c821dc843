//! Areas: finding, inserting, splitting, merging.
//!
//! ```text
//! split at x      [a ........ b)  ->  [a .. x)[x .. b)
//! merge           [a .. x)[x .. b)  ->  [a ........ b)   when all is equal
//! ```
//!
//! Linux: mm/vma.c (`__split_vma`, `vma_merge_new_range`,
//! `vma_merge_existing_range`, `is_mergeable_anon_vma`), mm/mmap.c (`find_vma`).
//! Left out: the maple tree (a BTreeMap by start address does); Linux moves a
//! boundary where this splits and merges, with the same areas at the end.

use crate::abi::Errno;
use crate::base::PAGE_SHIFT;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::FileId;
use crate::kernel::fs::file::{fput, get_file};
use crate::kernel::mm::gap::note_hole;
use crate::kernel::mm::layout::STACK_GUARD_GAP;
use crate::kernel::mm::rmap::{anon_vma_clone, unlink_anon_vmas};
use crate::kernel::mm::{MmId, MmStruct, VmAreaStruct, VmFlags};
use crate::kernel::system::System;

/// The first area that ends above `addr`; `addr` may lie in it or below it.
#[inline]
pub fn find_vma(m: &MmStruct, addr: u64) -> Option<&VmAreaStruct> {
    if let Some((_, v)) = m.mmap.range(..=addr).next_back()
        && v.vm_end > addr
    {
        return Some(v);
    }
    m.mmap.range(addr..).next().map(|(_, v)| v)
}

/// The first area that overlaps `start..end`.
pub fn find_vma_intersection(m: &MmStruct, start: u64, end: u64) -> Option<&VmAreaStruct> {
    find_vma(m, start).filter(|v| v.vm_start < end)
}

/// The last area that begins below `addr`.
pub fn find_vma_prev(m: &MmStruct, addr: u64) -> Option<&VmAreaStruct> {
    m.mmap.range(..addr).next_back().map(|(_, v)| v)
}

/// Start addresses of the areas that overlap `start..end`, ascending.
pub fn vmas_in(m: &MmStruct, start: u64, end: u64) -> smallvec::SmallVec<[u64; 8]> {
    let mut out = smallvec::SmallVec::new();
    if start >= end {
        return out;
    }
    if let Some((&s, v)) = m.mmap.range(..start).next_back()
        && v.vm_end > start
    {
        out.push(s);
    }
    out.extend(m.mmap.range(start..end).map(|(&s, _)| s));
    out
}

/// Where the hole ends that must stay free below an area: a growing one keeps
/// a guard gap.
#[inline]
pub fn vm_start_gap(vma: &VmAreaStruct) -> u64 {
    if vma.vm_flags.contains(VmFlags::GROWSDOWN) {
        vma.vm_start.saturating_sub(STACK_GUARD_GAP)
    } else {
        vma.vm_start
    }
}

/// Takes the reference an area holds on its file.
pub fn vma_get_file(sys: &mut System, file: Option<FileId>) {
    if let Some(id) = file {
        get_file(sys, id);
    }
}

/// Drops it.
pub fn vma_put_file(sys: &mut System, file: Option<FileId>) {
    if let Some(id) = file {
        fput(sys, id);
    }
}

/// The last step of an area's life: its file goes (`remove_vma`).
pub fn remove_vma(sys: &mut System, vma: VmAreaStruct) {
    vma_put_file(sys, vma.vm_file);
}

/// Splits the area that begins at `start` in two at `at`, which lies inside.
pub fn __split_vma(sys: &mut System, mm: MmId, start: u64, at: u64) {
    let Some(low) = sys.kernel.mms[mm].mmap.get_mut(&start) else { return };
    let mut high = low.clone();
    low.vm_end = at;
    high.vm_start = at;
    high.vm_pgoff = high.vm_pgoff.wrapping_add((at - start) >> PAGE_SHIFT);
    high.anon_vma_chain.clear();
    let chain = VmAreaStruct { anon_vma_chain: low.anon_vma_chain.clone(), ..high.clone() };
    vma_get_file(sys, high.vm_file);
    anon_vma_clone(sys, &mut high, &chain);
    sys.kernel.mms[mm].mmap.insert(at, high);
}

/// The same under vm.max_map_count.
///
/// # Errors
/// ENOMEM.
pub fn split_vma(sys: &mut System, mm: MmId, start: u64, at: u64) -> Result<(), SysError> {
    if sys.kernel.mms[mm].mmap.len() >= sys.kernel.sysctl.max_map_count as usize {
        return refuse(
            Errno::ENOMEM,
            "split_vma",
            "the address space already has vm.max_map_count areas; this would need one more",
        );
    }
    __split_vma(sys, mm, start, at);
    Ok(())
}

/// Whether the area was forked and may still map pages of its ancestors
/// (`vma_is_fork_child`).
fn vma_is_fork_child(vma: &VmAreaStruct) -> bool {
    vma.anon_vma.is_some() && vma.anon_vma_chain.len() != 1
}

/// Whether `a`, directly below `b`, can become one area with it.
pub fn can_merge(a: &VmAreaStruct, b: &VmAreaStruct) -> bool {
    a.vm_end == b.vm_start
        && a.vm_flags == b.vm_flags
        && a.vm_file == b.vm_file
        && a.vm_ops == b.vm_ops
        && a.vm_pgoff.wrapping_add((a.vm_end - a.vm_start) >> PAGE_SHIFT) == b.vm_pgoff
        && match (a.anon_vma, b.anon_vma) {
            (None, None) => true,
            (Some(_), None) => !vma_is_fork_child(a),
            (None, Some(_)) => !vma_is_fork_child(b),
            (Some(x), Some(y)) => x == y,
        }
}

/// Makes one area of the one that begins at `low` and the next.
fn merge_next(sys: &mut System, mm: MmId, low: u64) {
    let m = &mut sys.kernel.mms[mm];
    let Some(end) = m.mmap.get(&low).map(|a| a.vm_end) else { return };
    let Some(mut b) = m.mmap.remove(&end) else { return };
    if let Some(a) = m.mmap.get_mut(&low) {
        a.vm_end = b.vm_end;
        if a.anon_vma.is_none() {
            a.anon_vma = b.anon_vma.take();
            a.anon_vma_chain = std::mem::take(&mut b.anon_vma_chain);
        }
    }
    unlink_anon_vmas(sys, &mut b);
    vma_put_file(sys, b.vm_file);
}

/// Merges the area that begins at `start` with its neighbours where possible
/// and gives where the result begins.
pub fn vma_merge(sys: &mut System, mm: MmId, start: u64) -> u64 {
    let mut start = start;
    let map = &sys.kernel.mms[mm].mmap;
    let Some(vma) = map.get(&start) else { return start };
    let prev = map.range(..start).next_back().filter(|(_, p)| can_merge(p, vma));
    let end = vma.vm_end;
    if let Some((&low, _)) = prev {
        merge_next(sys, mm, low);
        start = low;
    }
    let map = &sys.kernel.mms[mm].mmap;
    if let (Some(a), Some(b)) = (map.get(&start), map.get(&end))
        && can_merge(a, b)
    {
        merge_next(sys, mm, start);
    }
    start
}

/// Gives the part `start..end` of the area that begins at `vma` other flags:
/// splits it off unless it is the whole, then merges with the neighbours
/// (`vma_modify_flags`). Returns where the changed area begins after all.
///
/// # Errors
/// ENOMEM: a split would go beyond vm.max_map_count.
pub fn vma_modify_flags(
    sys: &mut System,
    mm: MmId,
    vma: u64,
    start: u64,
    end: u64,
    flags: VmFlags,
) -> Result<u64, SysError> {
    let map = &sys.kernel.mms[mm].mmap;
    let Some(area) = map.get(&vma) else { return Ok(start) };
    let (lo, hi) = (area.vm_start, area.vm_end);
    let mut part = area.clone();
    part.vm_start = start;
    part.vm_end = end;
    part.vm_pgoff = part.vm_pgoff.wrapping_add((start - lo) >> PAGE_SHIFT);
    part.vm_flags = flags;
    let joins_prev =
        start == lo && find_vma_prev(&sys.kernel.mms[mm], lo).is_some_and(|p| can_merge(p, &part));
    let joins_next = end == hi && map.get(&hi).is_some_and(|n| can_merge(&part, n));
    // A boundary that only moves needs no new area, so no limit applies.
    let moves = joins_prev || joins_next;
    if start > lo {
        if moves { __split_vma(sys, mm, lo, start) } else { split_vma(sys, mm, lo, start)? }
    }
    if end < hi {
        let split = if moves {
            __split_vma(sys, mm, start, end);
            Ok(())
        } else {
            split_vma(sys, mm, start, end)
        };
        if let Err(e) = split {
            vma_merge(sys, mm, start);
            return Err(e);
        }
    }
    if let Some(v) = sys.kernel.mms[mm].mmap.get_mut(&start) {
        v.vm_flags = flags;
    }
    Ok(vma_merge(sys, mm, start))
}

/// Takes the areas `start..end`, which begin and end there, out of the map.
pub fn detach_vmas(sys: &mut System, mm: MmId, start: u64, end: u64) -> Vec<VmAreaStruct> {
    let keys = vmas_in(&sys.kernel.mms[mm], start, end);
    let m = &mut sys.kernel.mms[mm];
    let gone = keys.iter().filter_map(|k| m.mmap.remove(k)).collect();
    note_hole(m, start, end);
    gone
}
