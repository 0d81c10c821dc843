//! mremap(2): shrinking, growing and moving a mapping with its pages.
//!
//! ```text
//! shorter            the end is unmapped
//! longer, room       the area grows where it is
//! longer, no room    MREMAP_MAYMOVE: a copy of the area elsewhere, the page
//!                    table entries move there, the old part is unmapped
//! MREMAP_FIXED       the same, to an address; what was there goes
//! MREMAP_DONTUNMAP   the same, but the old area stays, without pages
//! ```
//! A page that moves keeps its counts: one entry goes, another comes.
//!
//! Linux: mm/mremap.c (check_mremap_params, check_prep_vma, mremap_at,
//! mremap_to, remap_move, move_vma, move_page_tables), mm/vma.c (copy_vma,
//! vma_merge_extend).
//! Left out: huge pages, sealed areas, userfaultfd, moving whole tables;
//! machines without an MMU.

use crate::abi::{Errno, MapFlags};
use crate::base::{PAGE_MASK, PAGE_SHIFT, PAGE_SIZE};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::account::{
    may_expand_vm, mlock_future_ok, page_align_len, vm_enough_memory, vm_stat_account,
    vma_is_anonymous,
};
use crate::kernel::mm::gap::get_unmapped_area;
use crate::kernel::mm::layout::task_size;
use crate::kernel::mm::mmap::insert_vma;
use crate::kernel::mm::munmap::{do_munmap, do_vmi_align_munmap};
use crate::kernel::mm::pgtable::{lookup, pte_alloc};
use crate::kernel::mm::populate::mm_populate;
use crate::kernel::mm::rmap::{anon_vma_clone, unlink_anon_vmas};
use crate::kernel::mm::tlb::flush_tlb_range;
use crate::kernel::mm::vma::{
    find_vma, find_vma_intersection, vma_get_file, vma_merge, vma_modify_flags, vmas_in,
};
use crate::kernel::mm::{MmId, VmAreaStruct, VmFlags};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// May go elsewhere.
pub const MREMAP_MAYMOVE: u32 = 1;
/// Goes to an address.
pub const MREMAP_FIXED: u32 = 2;
/// The old area stays.
pub const MREMAP_DONTUNMAP: u32 = 4;

/// What is asked (`struct vma_remap_struct`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remap {
    /// Where the mapping begins.
    pub addr: u64,
    /// How long it is; 0 duplicates a shared one.
    pub old_len: u64,
    /// How long it will be.
    pub new_len: u64,
    /// `MREMAP_*`.
    pub flags: u32,
    /// Where it goes, with MREMAP_FIXED.
    pub new_addr: u64,
}

impl Remap {
    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// The caller says where it goes, or that it goes.
    fn implies_new_addr(&self) -> bool {
        self.has(MREMAP_FIXED | MREMAP_DONTUNMAP)
    }
}

/// Gives a mapping another length or place; where it begins then.
///
/// # Errors
/// EINVAL: what is asked makes no sense. EFAULT: nothing, or several areas, are
/// mapped there. ENOMEM: no room, or a limit. EAGAIN: RLIMIT_MEMLOCK.
pub fn do_mremap(sys: &mut System, task: TaskId, mm: MmId, asked: Remap) -> Result<u64, SysError> {
    let mut vrm = asked;
    vrm.old_len = page_align_len(vrm.old_len);
    vrm.new_len = page_align_len(vrm.new_len);
    check_mremap_params(sys, mm, &vrm)?;
    let addr = match vrm.has(MREMAP_FIXED) && vrm.old_len == vrm.new_len {
        true => remap_move(sys, task, mm, vrm)?,
        false => {
            let vma = check_prep_vma(sys, task, mm, &vrm)?;
            match vrm.implies_new_addr() {
                true => mremap_to(sys, task, mm, vrm)?,
                false => mremap_at(sys, task, mm, vrm, &vma)?,
            }
        }
    };
    let grown = vrm.new_len > vrm.old_len;
    let locked = find_vma(&sys.kernel.mms[mm], addr)
        .is_some_and(|v| v.vm_start <= addr && v.vm_flags.contains(VmFlags::LOCKED));
    if grown && locked {
        // Linux ignores what goes wrong here.
        let _ = mm_populate(sys, task, mm, addr + vrm.old_len, addr + vrm.new_len);
    }
    Ok(addr)
}

fn check_mremap_params(sys: &System, mm: MmId, vrm: &Remap) -> Result<(), SysError> {
    const F: &str = "check_mremap_params";
    let einval = |why| refuse(Errno::EINVAL, F, why);
    let size = task_size(sys);
    if vrm.flags & !(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) != 0 {
        return einval("the flags are MREMAP_MAYMOVE, MREMAP_FIXED and MREMAP_DONTUNMAP");
    }
    if vrm.addr & !PAGE_MASK != 0 {
        return einval("the address is not a multiple of the page size");
    }
    if vrm.new_len == 0 {
        return einval("the new length is 0");
    }
    if vrm.new_len > size {
        return einval("the new length is more than the user address space");
    }
    if !vrm.implies_new_addr() {
        return Ok(());
    }
    if vrm.new_addr > size - vrm.new_len {
        return einval("the new place reaches beyond the user address space");
    }
    if vrm.new_addr & !PAGE_MASK != 0 {
        return einval("the new address is not a multiple of the page size");
    }
    if !vrm.has(MREMAP_MAYMOVE) {
        return einval("MREMAP_FIXED and MREMAP_DONTUNMAP move, so they need MREMAP_MAYMOVE");
    }
    if vrm.has(MREMAP_DONTUNMAP) && vrm.old_len != vrm.new_len {
        return einval("MREMAP_DONTUNMAP does not change the length");
    }
    let (old_end, new_end) = (vrm.addr.wrapping_add(vrm.old_len), vrm.new_addr + vrm.new_len);
    if old_end > vrm.new_addr && new_end > vrm.addr {
        return einval("the new place and the old one overlap");
    }
    if sys.kernel.mms[mm].mmap.len() as u64 + 2 >= max_map_count(sys).saturating_sub(3) {
        return refuse(
            Errno::ENOMEM,
            F,
            "moving may need three areas more, and vm.max_map_count does not leave them",
        );
    }
    Ok(())
}

fn max_map_count(sys: &System) -> u64 {
    sys.kernel.sysctl.max_map_count as u64
}

/// The area at an address (`vma_lookup`).
fn vma_lookup(sys: &System, mm: MmId, addr: u64) -> Option<VmAreaStruct> {
    find_vma(&sys.kernel.mms[mm], addr).filter(|v| v.vm_start <= addr).cloned()
}

/// The area, if it can be remapped so.
fn check_prep_vma(
    sys: &System,
    task: TaskId,
    mm: MmId,
    vrm: &Remap,
) -> Result<VmAreaStruct, SysError> {
    const F: &str = "check_prep_vma";
    let Some(vma) = vma_lookup(sys, mm, vrm.addr) else {
        return refuse(Errno::EFAULT, F, "nothing is mapped at the address");
    };
    if vrm.old_len == 0 && !vma.vm_flags.intersects(VmFlags::SHARED | VmFlags::MAYSHARE) {
        let why = "an old length of 0 makes a second mapping of shared memory, and this is private";
        return refuse(Errno::EINVAL, F, why);
    }
    let special = vma.vm_flags.intersects(VmFlags::DONTEXPAND);
    if vrm.has(MREMAP_DONTUNMAP) && special {
        return refuse(Errno::EINVAL, F, "an area of the kernel's making does not stay behind");
    }
    // What is cut off may be of other areas; what moves may not.
    let kept = vrm.old_len.min(vrm.new_len);
    let shrinks = vrm.new_len < vrm.old_len;
    if shrinks && !vrm.implies_new_addr() {
        return Ok(vma);
    }
    if kept > vma.vm_end - vrm.addr {
        let why = "the old length reaches beyond the area, and only one can be remapped";
        return refuse(Errno::EFAULT, F, why);
    }
    if vrm.new_len <= vrm.old_len {
        return Ok(vma);
    }
    let pgoff = ((vrm.addr - vma.vm_start) >> PAGE_SHIFT).wrapping_add(vma.vm_pgoff);
    if pgoff.checked_add(vrm.new_len >> PAGE_SHIFT).is_none() {
        return refuse(Errno::EINVAL, F, "offset and new length wrap around");
    }
    if special {
        return refuse(Errno::EFAULT, F, "an area of the kernel's making does not grow");
    }
    let delta = vrm.new_len - vrm.old_len;
    mlock_future_ok(sys, task, mm, vma.vm_flags, delta)?;
    may_expand_vm(sys, task, mm, vma.vm_flags, delta >> PAGE_SHIFT)?;
    Ok(vma)
}

/// Where it is, if it can be; else elsewhere, if it may.
fn mremap_at(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    vrm: Remap,
    vma: &VmAreaStruct,
) -> Result<u64, SysError> {
    if vrm.new_len == vrm.old_len {
        return Ok(vrm.addr);
    }
    if vrm.new_len < vrm.old_len {
        do_munmap(sys, mm, vrm.addr + vrm.new_len, vrm.old_len - vrm.new_len)?;
        return Ok(vrm.addr);
    }
    if vrm_can_expand_in_place(sys, mm, &vrm, vma) {
        return expand_vma_in_place(sys, mm, &vrm, vma);
    }
    if !vrm.has(MREMAP_MAYMOVE) {
        let why = "there is no room behind the area, and MREMAP_MAYMOVE is not given";
        return refuse(Errno::ENOMEM, "expand_vma", why);
    }
    let new_addr = unmapped_for(sys, task, mm, &Remap { new_addr: 0, ..vrm }, vma)?;
    move_vma(sys, task, mm, Remap { new_addr, ..vrm })
}

fn vrm_can_expand_in_place(sys: &System, mm: MmId, vrm: &Remap, vma: &VmAreaStruct) -> bool {
    let delta = vrm.new_len - vrm.old_len;
    if vrm.old_len != vma.vm_end - vrm.addr {
        return false;
    }
    let Some(end) = vma.vm_end.checked_add(delta) else { return false };
    let m = &sys.kernel.mms[mm];
    end <= task_size(sys) && find_vma_intersection(m, vma.vm_end, end).is_none()
}

fn expand_vma_in_place(
    sys: &mut System,
    mm: MmId,
    vrm: &Remap,
    vma: &VmAreaStruct,
) -> Result<u64, SysError> {
    let pages = (vrm.new_len - vrm.old_len) >> PAGE_SHIFT;
    if vma.vm_flags.contains(VmFlags::ACCOUNT) {
        vm_enough_memory(sys, pages)?;
    }
    let m = &mut sys.kernel.mms[mm];
    vm_stat_account(m, vma.vm_flags, pages as i64);
    if vma.vm_flags.contains(VmFlags::LOCKED) {
        m.locked_vm += pages;
    }
    if let Some(v) = m.mmap.get_mut(&vma.vm_start) {
        v.vm_end += pages << PAGE_SHIFT;
    }
    vma_merge(sys, mm, vma.vm_start);
    Ok(vrm.addr)
}

/// Where it will go (`vrm_set_new_addr`).
fn unmapped_for(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    vrm: &Remap,
    vma: &VmAreaStruct,
) -> Result<u64, SysError> {
    let fixed = if vrm.has(MREMAP_FIXED) { MapFlags::MAP_FIXED } else { MapFlags::empty() };
    get_unmapped_area(sys, task, mm, vrm.new_addr, vrm.new_len, fixed, vma.vm_flags)
}

/// To an address, or away with MREMAP_DONTUNMAP.
fn mremap_to(sys: &mut System, task: TaskId, mm: MmId, vrm: Remap) -> Result<u64, SysError> {
    let mut vrm = vrm;
    if vrm.has(MREMAP_FIXED) {
        do_munmap(sys, mm, vrm.new_addr, vrm.new_len)?;
    }
    if vrm.new_len < vrm.old_len {
        do_munmap(sys, mm, vrm.addr + vrm.new_len, vrm.old_len - vrm.new_len)?;
        vrm.old_len = vrm.new_len;
    }
    let Some(vma) = vma_lookup(sys, mm, vrm.addr) else {
        return refuse(Errno::EFAULT, "mremap_to", "nothing is mapped at the address any more");
    };
    if vrm.has(MREMAP_DONTUNMAP) {
        may_expand_vm(sys, task, mm, vma.vm_flags, vrm.old_len >> PAGE_SHIFT)?;
    }
    vrm.new_addr = unmapped_for(sys, task, mm, &vrm, &vma)?;
    move_vma(sys, task, mm, vrm)
}

/// Moves all areas of a range, keeping the holes between them.
fn remap_move(sys: &mut System, task: TaskId, mm: MmId, vrm: Remap) -> Result<u64, SysError> {
    let (start, end) = (vrm.addr, vrm.addr.saturating_add(vrm.old_len));
    let mut result = None;
    for key in vmas_in(&sys.kernel.mms[mm], start, end) {
        let Some(vma) = sys.kernel.mms[mm].mmap.get(&key) else { continue };
        let addr = vma.vm_start.max(start);
        let len = vma.vm_end.min(end) - addr;
        if result.is_none() && start < addr {
            break;
        }
        let new_addr = vrm.new_addr + (addr - start);
        let one = Remap { addr, old_len: len, new_len: len, new_addr, ..vrm };
        check_prep_vma(sys, task, mm, &one)?;
        let at = mremap_to(sys, task, mm, one)?;
        result.get_or_insert(at);
    }
    result.ok_or(SysError::new(Errno::EFAULT, "remap_move", "nothing is mapped at the address"))
}

/// A copy of the area, the pages over there, and the old part away.
fn move_vma(sys: &mut System, _: TaskId, mm: MmId, vrm: Remap) -> Result<u64, SysError> {
    const F: &str = "move_vma";
    let count = sys.kernel.mms[mm].mmap.len() as u64;
    if count >= max_map_count(sys).saturating_sub(3) {
        let why = "moving may need three areas more, and vm.max_map_count does not leave them";
        return refuse(Errno::ENOMEM, F, why);
    }
    let Some(vma) = vma_lookup(sys, mm, vrm.addr) else {
        return refuse(Errno::EFAULT, F, "nothing is mapped at the address any more");
    };
    if vma.vm_flags.contains(VmFlags::ACCOUNT) {
        let more = match vrm.has(MREMAP_DONTUNMAP) {
            true => vrm.new_len,
            false => vrm.new_len - vrm.old_len,
        };
        vm_enough_memory(sys, more >> PAGE_SHIFT)?;
    }
    copy_vma(sys, mm, &vrm, &vma);
    let moved = move_page_tables(sys, mm, &vrm);
    if let Err(e) = moved {
        // Nothing has moved: the copy goes again.
        do_vmi_align_munmap(sys, mm, vrm.new_addr, vrm.new_addr + vrm.new_len)?;
        return Err(e);
    }
    if vrm.has(MREMAP_DONTUNMAP) {
        dontunmap_complete(sys, mm, &vrm)?;
    } else if vrm.old_len > 0 {
        do_vmi_align_munmap(sys, mm, vrm.addr, vrm.addr + vrm.old_len)?;
    }
    Ok(vrm.new_addr)
}

/// The area at its new place. One without pages of its own counts its offset
/// anew, as it could merge there.
fn copy_vma(sys: &mut System, mm: MmId, vrm: &Remap, old: &VmAreaStruct) {
    let pgoff = match vma_is_anonymous(old) && old.anon_vma.is_none() && old.vm_file.is_none() {
        true => vrm.new_addr >> PAGE_SHIFT,
        false => old.vm_pgoff.wrapping_add((vrm.addr - old.vm_start) >> PAGE_SHIFT),
    };
    let mut new = VmAreaStruct {
        vm_start: vrm.new_addr,
        vm_end: vrm.new_addr + vrm.new_len,
        vm_pgoff: pgoff,
        anon_vma_chain: Default::default(),
        ..old.clone()
    };
    vma_get_file(sys, new.vm_file);
    anon_vma_clone(sys, &mut new, old);
    insert_vma(sys, mm, new);
}

/// Moves the entries. The tables for them are made first, so that a failure
/// leaves all where it was.
fn move_page_tables(sys: &mut System, mm: MmId, vrm: &Remap) -> Result<(), SysError> {
    let pages = || (0..vrm.old_len).step_by(PAGE_SIZE as usize);
    let there =
        |sys: &System, at: u64| lookup(sys, mm, vrm.addr + at).filter(|(_, pte)| pte.0 != 0);
    for at in pages() {
        if there(sys, at).is_some() {
            pte_alloc(sys, mm, vrm.new_addr + at)?;
        }
    }
    for at in pages() {
        let Some((from, pte)) = there(sys, at) else { continue };
        let Some((to, _)) = lookup(sys, mm, vrm.new_addr + at) else { continue };
        sys.machine.mem.write_u64(from, 0);
        sys.machine.mem.write_u64(to, pte.0);
    }
    flush_tlb_range(sys, mm, vrm.addr, vrm.addr + vrm.old_len);
    Ok(())
}

/// The old area stays, empty: no longer locked, and linked to no anon_vma if all
/// of it was moved.
fn dontunmap_complete(sys: &mut System, mm: MmId, vrm: &Remap) -> Result<(), SysError> {
    let (start, end) = (vrm.addr, vrm.addr + vrm.old_len);
    let Some(vma) = vma_lookup(sys, mm, start) else { return Ok(()) };
    if vma.vm_flags.contains(VmFlags::LOCKED) {
        let pages = vrm.old_len >> PAGE_SHIFT;
        let flags = vma.vm_flags - (VmFlags::LOCKED | VmFlags::LOCKONFAULT);
        vma_modify_flags(sys, mm, vma.vm_start, start, end, flags)?;
        let m = &mut sys.kernel.mms[mm];
        m.locked_vm = m.locked_vm.saturating_sub(pages);
    }
    let map = &mut sys.kernel.mms[mm].mmap;
    if let Some(mut v) = map.get(&start).filter(|v| v.vm_end == end).cloned() {
        unlink_anon_vmas(sys, &mut v);
        sys.kernel.mms[mm].mmap.insert(start, v);
    }
    Ok(())
}
