//! mmap(2): the checks in Linux's order, then the area.
//!
//! Linux: mm/mmap.c (`do_mmap`), mm/vma.c (`mmap_region`), arch/x86/kernel/
//! sys_x86_64.c. Order: length 0, rounding, offset, number of areas, address,
//! NOREPLACE, locking, file and type of sharing, limits.
//! Left out: huge pages, MAP_DROPPABLE, MAP_SYNC, protection keys (an
//! execute-only mapping is readable), READ_IMPLIES_EXEC.

use crate::abi::Errno;
use crate::abi::flags::{MapFlags, ProtFlags};
use crate::base::{PAGE_MASK, PAGE_SHIFT};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::inode::{CharDev, InodeKind, shmem_file_setup};
use crate::kernel::fs::{FileId, FileKind, InodeId};
use crate::kernel::mm::account::{
    accountable_mapping, can_do_mlock, may_expand_vm, mlock_future_ok, page_align_len,
    vm_enough_memory, vm_stat_account, vma_pages,
};
use crate::kernel::mm::gap::{get_unmapped_area, note_hole};
use crate::kernel::mm::munmap::do_vmi_align_munmap;
use crate::kernel::mm::populate::mm_populate;
use crate::kernel::mm::vma::{find_vma_intersection, vma_get_file, vma_merge, vmas_in};
use crate::kernel::mm::{MmId, VmAreaStruct, VmFlags, VmOps, nommu};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

/// `MAP_TYPE`: the bits that say who shares.
const MAP_TYPE: u32 = 0x0f;
/// `MAP_SHARED_VALIDATE`.
const MAP_SHARED_VALIDATE: u32 = 3;
/// `MAP_DROPPABLE`.
const MAP_DROPPABLE: u32 = 8;
/// `MAP_ABOVE4G` and `MAP_UNINITIALIZED` have no names in the interface here.
const OTHER_LEGACY: u32 = 0x80 | 0x400_0000 | (21 << 26) | (30 << 26);

/// `LEGACY_MAP_MASK`: flags that MAP_SHARED_VALIDATE accepts.
const LEGACY_MAP_MASK: u32 = MapFlags::MAP_SHARED.bits()
    | MapFlags::MAP_PRIVATE.bits()
    | MapFlags::MAP_FIXED.bits()
    | MapFlags::MAP_ANONYMOUS.bits()
    | MapFlags::MAP_DENYWRITE.bits()
    | MapFlags::MAP_EXECUTABLE.bits()
    | MapFlags::MAP_GROWSDOWN.bits()
    | MapFlags::MAP_LOCKED.bits()
    | MapFlags::MAP_NORESERVE.bits()
    | MapFlags::MAP_POPULATE.bits()
    | MapFlags::MAP_NONBLOCK.bits()
    | MapFlags::MAP_STACK.bits()
    | MapFlags::MAP_HUGETLB.bits()
    | MapFlags::MAP_32BIT.bits()
    | OTHER_LEGACY;

/// `calc_vm_prot_bits`.
pub fn calc_vm_prot_bits(prot: u32) -> VmFlags {
    let mut f = VmFlags::empty();
    f.set(VmFlags::READ, prot & ProtFlags::PROT_READ.bits() != 0);
    f.set(VmFlags::WRITE, prot & ProtFlags::PROT_WRITE.bits() != 0);
    f.set(VmFlags::EXEC, prot & ProtFlags::PROT_EXEC.bits() != 0);
    f
}

/// `calc_vm_flag_bits`.
fn calc_vm_flag_bits(flags: MapFlags) -> VmFlags {
    let mut f = VmFlags::empty();
    f.set(VmFlags::GROWSDOWN, flags.contains(MapFlags::MAP_GROWSDOWN));
    f.set(VmFlags::LOCKED, flags.contains(MapFlags::MAP_LOCKED));
    f
}

/// What mapping a file means for the area.
struct Backing {
    flags: VmFlags,
    ops: VmOps,
    file: Option<FileId>,
    pgoff: u64,
}

/// Where the flags hold the logarithm of a huge page's size.
const MAP_HUGE_SHIFT: u32 = 26;

/// Maps memory into the task's address space and gives the address. `prot`
/// and `flags` are the raw words, `pgoff` is in pages.
///
/// # Errors
/// See mmap(2); each refusal says which check made it.
#[allow(clippy::too_many_arguments, reason = "mmap(2) has these")]
pub fn do_mmap(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    len: u64,
    prot: u32,
    flags: u32,
    file: Option<FileId>,
    pgoff: u64,
) -> Result<u64, SysError> {
    crate::kernel::inject::should_fail(sys, "do_mmap")?;
    let Some(mm) = sys.kernel.tasks[task].mm else {
        return refuse(Errno::ENOMEM, "do_mmap", "a kernel thread has no address space");
    };
    if flags & MapFlags::MAP_HUGETLB.bits() != 0 {
        return match file {
            Some(_) => refuse(
                Errno::EINVAL,
                "ksys_mmap_pgoff",
                "MAP_HUGETLB with a file that is not on hugetlbfs",
            ),
            // The size's logarithm, 0 for the default; x86_64 has 2 MiB and 1 GiB.
            None if !matches!(flags >> MAP_HUGE_SHIFT & 0x3f, 0 | 21 | 30) => {
                refuse(Errno::EINVAL, "hstate_sizelog", "there are no huge pages of this size")
            }
            None => refuse(
                Errno::ENOMEM,
                "hugetlb_reserve_pages",
                "MAP_HUGETLB: this machine has no huge pages reserved",
            ),
        };
    }
    if len == 0 {
        return refuse(Errno::EINVAL, "do_mmap", "the length is 0");
    }
    let mut flags = MapFlags::from_bits_retain(flags);
    if flags.contains(MapFlags::MAP_FIXED_NOREPLACE) {
        flags |= MapFlags::MAP_FIXED;
    }
    let mut addr = addr;
    if !flags.contains(MapFlags::MAP_FIXED) {
        addr &= PAGE_MASK;
        let min = sys.kernel.sysctl.mmap_min_addr;
        if addr != 0 && addr < min {
            addr = page_align_len(min);
        }
    }
    let len = page_align_len(len);
    if len == 0 {
        return refuse(Errno::ENOMEM, "do_mmap", "the length wraps when rounded up to pages");
    }
    if pgoff.checked_add(len >> PAGE_SHIFT).is_none() {
        return refuse(Errno::EOVERFLOW, "do_mmap", "offset and length wrap around");
    }
    if sys.kernel.mms[mm].mmap.len() > sys.kernel.sysctl.max_map_count as usize {
        return refuse(
            Errno::ENOMEM,
            "do_mmap",
            "the address space has more than vm.max_map_count areas",
        );
    }
    let vm_flags = calc_vm_prot_bits(prot)
        | calc_vm_flag_bits(flags)
        | sys.kernel.mms[mm].def_flags
        | VmFlags::MAY;
    if !sys.machine.config.mmu {
        return nommu::do_mmap(sys, task, mm, len, vm_flags, flags, file);
    }
    let addr = get_unmapped_area(sys, task, mm, addr, len, flags, vm_flags)?;
    let mapped = map_at(sys, task, mm, addr, len, prot, flags, vm_flags, file, pgoff);
    match mapped {
        Ok(vm_flags) => {
            let populate =
                flags & (MapFlags::MAP_POPULATE | MapFlags::MAP_NONBLOCK) == MapFlags::MAP_POPULATE;
            if populate || vm_flags.contains(VmFlags::LOCKED) {
                // Linux ignores what goes wrong here.
                let _ = mm_populate(sys, task, mm, addr, addr + len);
            }
            Ok(addr)
        }
        Err(e) => {
            // The search may have remembered a place that stays free.
            note_hole(&mut sys.kernel.mms[mm], addr, addr + len);
            Err(e)
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "the second half of do_mmap")]
fn map_at(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    addr: u64,
    len: u64,
    prot: u32,
    flags: MapFlags,
    vm_flags: VmFlags,
    file: Option<FileId>,
    pgoff: u64,
) -> Result<VmFlags, SysError> {
    if flags.contains(MapFlags::MAP_FIXED_NOREPLACE)
        && find_vma_intersection(&sys.kernel.mms[mm], addr, addr + len).is_some()
    {
        return refuse(
            Errno::EEXIST,
            "do_mmap",
            "MAP_FIXED_NOREPLACE: something is mapped in that range already",
        );
    }
    if flags.contains(MapFlags::MAP_LOCKED) && !can_do_mlock(sys, task) {
        return refuse(
            Errno::EPERM,
            "do_mmap",
            "MAP_LOCKED needs CAP_IPC_LOCK or an RLIMIT_MEMLOCK above 0",
        );
    }
    mlock_future_ok(sys, task, mm, vm_flags, len)?;
    let mut back = match file {
        Some(f) => file_backing(sys, f, len, prot, flags, vm_flags, pgoff)?,
        None => anonymous_backing(vm_flags, flags, addr)?,
    };
    if flags.contains(MapFlags::MAP_NORESERVE) {
        back.flags |= VmFlags::NORESERVE;
    }
    traced!(sys, mmap_region(task, mm, addr, len, back))
}

/// The cases of a mapping without a file.
fn anonymous_backing(vm_flags: VmFlags, flags: MapFlags, addr: u64) -> Result<Backing, SysError> {
    let ty = flags.bits() & MAP_TYPE;
    let shared = VmFlags::SHARED | VmFlags::MAYSHARE;
    match ty {
        1 if vm_flags.contains(VmFlags::GROWSDOWN) => refuse(
            Errno::EINVAL,
            "do_mmap",
            "MAP_GROWSDOWN with MAP_SHARED: shared memory cannot grow",
        ),
        // The offset is ignored; pages come from a file made for the purpose.
        1 => Ok(Backing { flags: vm_flags | shared, ops: VmOps::File, file: None, pgoff: 0 }),
        2 => Ok(Backing {
            flags: vm_flags,
            ops: VmOps::Anonymous,
            file: None,
            pgoff: addr >> PAGE_SHIFT,
        }),
        MAP_DROPPABLE => refuse(
            Errno::EOPNOTSUPP,
            "do_mmap",
            "MAP_DROPPABLE is not modelled: there is no reclaim that could drop pages",
        ),
        0 => refuse(Errno::EINVAL, "do_mmap", "neither MAP_SHARED nor MAP_PRIVATE is given"),
        MAP_SHARED_VALIDATE => refuse(
            Errno::EINVAL,
            "do_mmap",
            "MAP_SHARED and MAP_PRIVATE together mean MAP_SHARED_VALIDATE, which is for files",
        ),
        _ => refuse(Errno::EINVAL, "do_mmap", "the type bits name no kind of mapping"),
    }
}

/// The inode a file description refers to, if it can be mapped.
fn mappable(sys: &System, file: FileId) -> Option<(InodeId, Option<CharDev>)> {
    let FileKind::Inode(inode) = sys.kernel.filps.get(file)?.kind else { return None };
    match sys.kernel.inodes.get(inode)?.kind {
        InodeKind::Reg { .. } | InodeKind::Image(_) => Some((inode, None)),
        InodeKind::Chr(CharDev::Zero) => Some((inode, Some(CharDev::Zero))),
        _ => None,
    }
}

/// The checks on the file, in the order of `do_mmap`.
fn file_backing(
    sys: &System,
    file: FileId,
    len: u64,
    prot: u32,
    flags: MapFlags,
    vm_flags: VmFlags,
    pgoff: u64,
) -> Result<Backing, SysError> {
    let Some(f) = sys.kernel.filps.get(file) else {
        return refuse(Errno::EBADF, "ksys_mmap_pgoff", "the file is not open");
    };
    let mode = f.f_flags.bits() & 3;
    let (can_read, can_write) = (mode == 0 || mode == 2, mode == 1 || mode == 2);
    if pgoff.saturating_add(len >> PAGE_SHIFT) > (i64::MAX as u64) >> PAGE_SHIFT {
        return refuse(
            Errno::EOVERFLOW,
            "file_mmap_ok",
            "the mapping would reach beyond the largest offset a file can have",
        );
    }
    let mut bits = flags.bits();
    let mut vm = vm_flags;
    let ty = bits & MAP_TYPE;
    match ty {
        1 | MAP_SHARED_VALIDATE => {
            if ty == 1 {
                bits &= LEGACY_MAP_MASK | MapFlags::MAP_SYNC.bits();
                bits &= !MAP_TYPE | 1;
            }
            let unknown = bits & !LEGACY_MAP_MASK;
            if unknown != 0 {
                let why = format!(
                    "this file's mappings do not support the flags {unknown:#x} ({})",
                    if ty == 1 { "MAP_SYNC is for DAX" } else { "MAP_SHARED_VALIDATE checks them" }
                );
                return Err(SysError::with(Errno::EOPNOTSUPP, "do_mmap", why));
            }
            if prot & ProtFlags::PROT_WRITE.bits() != 0 && !can_write {
                return refuse(
                    Errno::EACCES,
                    "do_mmap",
                    "a shared writable mapping needs a file that is open for writing",
                );
            }
            vm |= VmFlags::SHARED | VmFlags::MAYSHARE;
            if !can_write {
                vm -= VmFlags::MAYWRITE | VmFlags::SHARED;
            }
        }
        2 => {}
        _ => {
            return refuse(
                Errno::EINVAL,
                "do_mmap",
                "the type bits must be MAP_SHARED, MAP_PRIVATE or MAP_SHARED_VALIDATE",
            );
        }
    }
    if !can_read {
        return refuse(Errno::EACCES, "do_mmap", "every mapping needs a file open for reading");
    }
    let Some((_, device)) = mappable(sys, file) else {
        return refuse(
            Errno::ENODEV,
            "do_mmap",
            "this kind of file cannot be mapped (directory, pipe, most devices)",
        );
    };
    if vm.contains(VmFlags::GROWSDOWN) {
        return refuse(Errno::EINVAL, "do_mmap", "MAP_GROWSDOWN: a file mapping cannot grow");
    }
    let zero = device == Some(CharDev::Zero);
    let shared = vm.contains(VmFlags::SHARED);
    Ok(match (zero, shared) {
        // Shared /dev/zero is shared anonymous memory (`shmem_zero_setup`).
        (true, true) => Backing { flags: vm, ops: VmOps::File, file: None, pgoff },
        (true, false) => Backing { flags: vm, ops: VmOps::Anonymous, file: Some(file), pgoff },
        (false, _) => Backing { flags: vm, ops: VmOps::File, file: Some(file), pgoff },
    })
}

/// Puts the area in place of whatever is mapped there.
fn mmap_region(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    addr: u64,
    len: u64,
    back: Backing,
) -> Result<VmFlags, SysError> {
    let (pages, end) = (len >> PAGE_SHIFT, addr + len);
    let m = &sys.kernel.mms[mm];
    // What goes away makes room under the limits before the new area counts.
    let (mut replaced, mut accounted) = (0, 0);
    for key in vmas_in(m, addr, end) {
        let Some(v) = m.mmap.get(&key) else { continue };
        let n = (v.vm_end.min(end) - v.vm_start.max(addr)) >> PAGE_SHIFT;
        replaced += n;
        if v.vm_flags.contains(VmFlags::ACCOUNT) {
            accounted += n;
        }
    }
    let splits =
        find_vma_intersection(m, addr, end).is_some_and(|v| v.vm_start < addr && v.vm_end > end);
    if splits && m.mmap.len() >= sys.kernel.sysctl.max_map_count as usize {
        return refuse(
            Errno::ENOMEM,
            "vms_gather_munmap_vmas",
            "the area in the way would be cut in two, beyond vm.max_map_count",
        );
    }
    may_expand_vm(sys, task, mm, back.flags, pages.saturating_sub(replaced))?;
    let mut flags = back.flags;
    if accountable_mapping(flags) {
        vm_enough_memory(sys, pages.saturating_sub(accounted))?;
        flags |= VmFlags::ACCOUNT;
    }
    // Made before anything is removed, so that a failure changes nothing.
    let file = if back.ops == VmOps::File && back.file.is_none() {
        Some(shmem_file_setup(sys, len)?)
    } else {
        vma_get_file(sys, back.file);
        back.file
    };
    if replaced > 0 {
        do_vmi_align_munmap(sys, mm, addr, end)?;
    }
    let vma = VmAreaStruct {
        vm_start: addr,
        vm_end: end,
        vm_flags: flags,
        vm_pgoff: back.pgoff,
        vm_file: file,
        vm_ops: back.ops,
        anon_vma: None,
        anon_vma_chain: Default::default(),
    };
    insert_vma(sys, mm, vma);
    Ok(flags)
}

/// Adds an area where nothing is, with its accounting, and merges it with its
/// neighbours. The reference on `vm_file` is handed over.
pub fn insert_vma(sys: &mut System, mm: MmId, vma: VmAreaStruct) {
    let start = vma.vm_start;
    let pages = vma_pages(&vma);
    let m = &mut sys.kernel.mms[mm];
    vm_stat_account(m, vma.vm_flags, pages as i64);
    if vma.vm_flags.contains(VmFlags::LOCKED) {
        m.locked_vm += pages;
    }
    m.mmap.insert(start, vma);
    vma_merge(sys, mm, start);
}
