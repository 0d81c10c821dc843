//! Mapping the segments of an ELF file into the new address space.
//!
//! ```text
//!            p_filesz                    p_memsz
//! |  file pages ........ | zeros to the |  anonymous pages |
//! ^ p_vaddr, rounded     | page's end   |  (bss)           |
//! ```
//!
//! Where a program goes that is at home anywhere (no address is random here):
//!
//! ```text
//! ET_EXEC                at its addresses
//! ET_DYN with PT_INTERP  0x555555554000; its interpreter where mmap finds room
//! ET_DYN without         where mmap finds room: it relocates itself
//! ```
//!
//! All errors here are beyond the point of no return.
//!
//! Linux: fs/binfmt_elf.c (elf_load, elf_map, padzero, total_mapping_size,
//! load_elf_interp, and the second half of load_elf_binary).
//! Left out: randomised addresses; p_align above a page.

use object::elf::{PF_R, PF_W, PF_X};

use super::elf::{Elf, ExecStack, Phdr};
use crate::abi::flags::{MapFlags, ProtFlags};
use crate::abi::{Errno, OpenFlags};
use crate::base::{PAGE_MASK, PAGE_SHIFT, PAGE_SIZE};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::file::{alloc_file, fput};
use crate::kernel::fs::{FileId, FileKind, InodeId};
use crate::kernel::mm::MmId;
use crate::kernel::mm::account::page_align_len;
use crate::kernel::mm::layout::{STACK_TOP, task_size};
use crate::kernel::mm::mmap::do_mmap;
use crate::kernel::mm::mprotect::do_mprotect;
use crate::kernel::mm::munmap::do_munmap;
use crate::kernel::mm::uaccess::copy_to_user;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::sync::Arc;

/// `ELF_ET_DYN_BASE`, a page's start: two thirds of the address space.
const ELF_ET_DYN_BASE: u64 = (STACK_TOP / 3 * 2) & PAGE_MASK;

/// What the auxiliary vector says of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Where the first instruction is: the interpreter's, if there is one.
    pub start: u64,
    /// Where the program begins (AT_ENTRY).
    pub entry: u64,
    /// Where its program headers lie in memory and how many there are
    /// (AT_PHDR, AT_PHNUM).
    pub headers: Option<(u64, u64)>,
    /// Where its interpreter lies (AT_BASE).
    pub base: u64,
}

/// Where parts of a program lie.
#[derive(Debug, Clone, Copy)]
struct Extent {
    bias: u64,
    code: (u64, u64),
    data: (u64, u64),
    /// End of what is mapped.
    brk: u64,
    phdr: u64,
}

/// Maps a program and its interpreter, and sets the marks of the address space.
///
/// # Errors
/// EINVAL: sizes that cannot be; what mmap says. The process has nothing left
/// to return to.
pub fn map_elf(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    (inode, path): (InodeId, &Arc<str>),
    elf: &Elf,
) -> Result<Loaded, SysError> {
    if elf.stack == ExecStack::Enable
        && let Some(stack) = sys.mm(mm).mmap.values().next_back()
    {
        let (start, len) = (stack.vm_start, stack.vm_end - stack.vm_start);
        do_mprotect(
            sys,
            task,
            start,
            len,
            (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC).bits(),
        )?;
    }
    let at = if elf.relocatable && elf.interp.is_some() { Some(ELF_ET_DYN_BASE) } else { None };
    let extent = with_file(sys, inode, path, |sys, file| map_all(sys, task, mm, file, elf, at))?;
    let m = sys.mm_mut(mm);
    (m.start_code, m.end_code) = extent.code;
    (m.start_data, m.end_data) = extent.data;
    m.start_brk = page_align_len(extent.brk);
    m.brk = m.start_brk;
    // Variables go where zeros are, unless there is no such place.
    let zeros = (m.end_data + 15) & !15;
    m.next_symbol = if zeros < extent.brk { zeros } else { m.start_data };
    let entry = elf.entry.wrapping_add(extent.bias);
    let headers = (extent.phdr != 0).then_some((extent.phdr, elf.phdrs.len() as u64));
    let (mut start, mut base) = (entry, 0);
    if let Some(interp) = &elf.interp {
        let file = (interp.inode, &interp.path);
        let extent = with_file(sys, file.0, file.1, |sys, file| {
            map_all(sys, task, mm, file, &interp.elf, None)
        })?;
        base = extent.bias;
        start = interp.elf.entry.wrapping_add(extent.bias);
    }
    if start >= task_size(sys) {
        return refuse(Errno::EINVAL, "load_elf_binary", "the entry is no user address");
    }
    Ok(Loaded { start, entry, headers, base })
}

/// Does something with an open file. Each mapping holds a reference of its own.
fn with_file<T>(
    sys: &mut System,
    inode: InodeId,
    path: &Arc<str>,
    what: impl FnOnce(&mut System, FileId) -> T,
) -> T {
    let file = alloc_file(sys, FileKind::Inode(inode), OpenFlags::empty(), path.clone());
    let result = what(sys, file);
    fput(sys, file);
    result
}

/// Maps all segments; `at`: where the lowest one goes, if it has no address of
/// its own and mmap is not to look for one.
fn map_all(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    file: FileId,
    elf: &Elf,
    at: Option<u64>,
) -> Result<Extent, SysError> {
    let mut extent = Extent { bias: 0, code: (u64::MAX, 0), data: (0, 0), brk: 0, phdr: 0 };
    let mut first = true;
    for p in elf.loads() {
        let vaddr = p.p_vaddr;
        let mut how = MapFlags::MAP_PRIVATE;
        let mut total = 0;
        match (first, elf.relocatable) {
            (false, _) => how |= MapFlags::MAP_FIXED,
            (true, false) => how |= MapFlags::MAP_FIXED_NOREPLACE,
            (true, true) => {
                if let Some(at) = at {
                    extent.bias = at.wrapping_sub(vaddr) & PAGE_MASK;
                    how |= MapFlags::MAP_FIXED_NOREPLACE;
                } else {
                    extent.bias = 0u64.wrapping_sub(vaddr) & PAGE_MASK;
                }
                total = total_mapping_size(elf);
                if total == 0 {
                    let why = "the segments take no room";
                    return refuse(Errno::EINVAL, "total_mapping_size", why);
                }
            }
        }
        let addr = extent.bias.wrapping_add(vaddr);
        let mapped = elf_load(sys, task, mm, file, addr, p, how, total)?;
        if first && elf.relocatable {
            extent.bias = extent.bias.wrapping_add(mapped.wrapping_sub(addr & PAGE_MASK));
        }
        first = false;
        if p.p_offset <= elf.phoff && elf.phoff - p.p_offset < p.p_filesz {
            extent.phdr = (elf.phoff - p.p_offset).wrapping_add(vaddr).wrapping_add(extent.bias);
        }
        check_sizes(sys, p)?;
        let begin = vaddr.wrapping_add(extent.bias);
        if p.p_flags & PF_X.0 != 0 {
            extent.code.0 = extent.code.0.min(begin);
            extent.code.1 = extent.code.1.max(begin + p.p_filesz);
        }
        extent.data.0 = extent.data.0.max(begin);
        extent.data.1 = extent.data.1.max(begin + p.p_filesz);
        extent.brk = extent.brk.max(begin + p.p_memsz);
    }
    if extent.code.0 == u64::MAX {
        extent.code.0 = 0;
    }
    Ok(extent)
}

/// Sizes that cannot be, found after the segment was mapped.
fn check_sizes(sys: &System, p: &Phdr) -> Result<(), SysError> {
    let size = task_size(sys);
    let wrong = p.p_vaddr >= size
        || p.p_filesz > p.p_memsz
        || p.p_memsz > size
        || size - p.p_memsz < p.p_vaddr;
    if wrong {
        let why = format!(
            "segment at {:#x}: {:#x} bytes of the file in {:#x} bytes of memory cannot be",
            p.p_vaddr, p.p_filesz, p.p_memsz
        );
        return Err(SysError::with(Errno::EINVAL, "load_elf_binary", why));
    }
    Ok(())
}

/// From the lowest to the highest address of all segments.
fn total_mapping_size(elf: &Elf) -> u64 {
    let low = elf.loads().map(|p| p.p_vaddr & PAGE_MASK).min();
    let high = elf.loads().map(|p| p.p_vaddr.saturating_add(p.p_memsz)).max();
    match (low, high) {
        (Some(low), Some(high)) => high.saturating_sub(low),
        _ => 0,
    }
}

fn prot_of(p: &Phdr) -> ProtFlags {
    let mut prot = ProtFlags::empty();
    prot.set(ProtFlags::PROT_READ, p.p_flags & PF_R.0 != 0);
    prot.set(ProtFlags::PROT_WRITE, p.p_flags & PF_W.0 != 0);
    prot.set(ProtFlags::PROT_EXEC, p.p_flags & PF_X.0 != 0);
    prot
}

/// Maps one segment and what is zero behind it; gives the page where it begins.
#[allow(clippy::too_many_arguments, reason = "elf_load has these")]
fn elf_load(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    file: FileId,
    addr: u64,
    p: &Phdr,
    how: MapFlags,
    total: u64,
) -> Result<u64, SysError> {
    let (prot, in_page) = (prot_of(p), p.p_vaddr & !PAGE_MASK);
    let mut begin = addr & PAGE_MASK;
    if p.p_filesz > 0 {
        begin = elf_map(sys, task, mm, file, addr, p, (prot, how), total)?;
    }
    if p.p_memsz <= p.p_filesz {
        return Ok(begin);
    }
    let wraps = || SysError::new(Errno::EINVAL, "elf_load", "the segment's end wraps around");
    let zeros = begin.checked_add(in_page).and_then(|at| at.checked_add(p.p_filesz));
    let end = begin.checked_add(in_page).and_then(|at| at.checked_add(p.p_memsz));
    let (zeros, end) = (zeros.ok_or_else(wraps)?, end.ok_or_else(wraps)?);
    if p.p_filesz > 0 && zeros & !PAGE_MASK != 0 {
        // The rest of the last page is the file's; nobody minds if it must
        // stay what it is.
        let rest = vec![0; (PAGE_SIZE - (zeros & !PAGE_MASK)) as usize];
        let cleared = copy_to_user(sys, task, zeros, &rest);
        if prot.contains(ProtFlags::PROT_WRITE) {
            cleared?;
        }
    }
    let from = if p.p_filesz > 0 { page_align_len(zeros) } else { begin };
    let to = page_align_len(end);
    if to == 0 {
        return Err(wraps());
    }
    if to > from {
        let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | prot & ProtFlags::PROT_EXEC;
        let how = MapFlags::MAP_PRIVATE | MapFlags::MAP_ANONYMOUS | MapFlags::MAP_FIXED;
        do_mmap(sys, task, from, to - from, prot.bits(), how.bits(), None, 0)?;
    }
    Ok(begin)
}

/// Maps the part of a segment that the file holds. With `total`, room for the
/// whole program is found first.
#[allow(clippy::too_many_arguments, reason = "elf_map has these")]
fn elf_map(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    file: FileId,
    addr: u64,
    p: &Phdr,
    (prot, how): (ProtFlags, MapFlags),
    total: u64,
) -> Result<u64, SysError> {
    let in_page = p.p_vaddr & !PAGE_MASK;
    let Some(size) = p.p_filesz.checked_add(in_page).map(page_align_len).filter(|n| *n > 0) else {
        return refuse(Errno::EINVAL, "elf_map", "the segment's size wraps around");
    };
    let Some(offset) = p.p_offset.checked_sub(in_page) else {
        let why = "the segment would begin before the file does";
        return refuse(Errno::EINVAL, "elf_map", why);
    };
    if offset & !PAGE_MASK != 0 {
        let why = "address and offset of the segment are at different places in their pages";
        return refuse(Errno::EINVAL, "vm_mmap", why);
    }
    let whole = page_align_len(total).max(size);
    let (addr, pgoff) = (addr & PAGE_MASK, offset >> PAGE_SHIFT);
    let at = do_mmap(sys, task, addr, whole, prot.bits(), how.bits(), Some(file), pgoff)?;
    if whole > size {
        do_munmap(sys, mm, at + size, whole - size)?;
    }
    Ok(at)
}
