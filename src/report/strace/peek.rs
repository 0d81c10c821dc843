//! Looking into a task's memory from outside, without a trace: no page is
//! faulted in, no accessed bit set, no TLB filled.
//!
//! ```text
//! page-table entry present          its frame
//! none, the area maps a file        the page cache
//! none, an anonymous area           zeros, which a read would find
//! no area, or one without VM_READ   nothing: strace prints the address
//! ```
//!
//! Linux: process_vm_readv(2), which strace reads with; it faults pages in.
//! Left out: a machine without MMU, where addresses are not looked up; pages of
//! a file that the cache has not got yet.

use crate::base::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::kernel::mm::VmFlags;
use crate::kernel::mm::filemap::{cached_page, file_inode, file_pages};
use crate::kernel::mm::vma::find_vma;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::paging;

/// Where the bytes of a page are.
enum Source {
    /// In the frame that begins here.
    Frame(PhysAddr),
    /// Nowhere yet; a read would find zeros.
    Zeros,
}

fn source(sys: &System, task: TaskId, page: u64) -> Option<Source> {
    let mm = sys.kernel.tasks.get(task)?.mm?;
    let m = sys.kernel.mms.get(mm).filter(|_| sys.machine.config.mmu)?;
    let area = find_vma(m, page).filter(|v| v.vm_start <= page)?;
    if !area.vm_flags.contains(VmFlags::READ) {
        return None;
    }
    let levels = sys.machine.config.paging_levels;
    let entry = paging::lookup(&sys.machine.mem, m.pgd, levels, VirtAddr(page)).ok()?;
    if let Some((_, pte)) = entry.filter(|(_, pte)| pte.is_present()) {
        let pfn = pte.pfn();
        return sys.machine.mem.has_frame(pfn).then(|| Source::Frame(pfn.addr()));
    }
    let Some(file) = area.vm_file else { return Some(Source::Zeros) };
    let Some(inode) = file_inode(sys, file) else { return Some(Source::Zeros) };
    let pgoff = area.vm_pgoff + (page - area.vm_start) / PAGE_SIZE;
    if pgoff >= file_pages(sys, inode) {
        return None;
    }
    cached_page(sys, file, pgoff).map(|pfn| Source::Frame(pfn.addr()))
}

/// Up to `len` bytes from an address, as far as they can be read.
pub fn peek_up_to(sys: &System, task: TaskId, addr: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let Some(va) = addr.checked_add(bytes.len() as u64) else { break };
        let offset = va % PAGE_SIZE;
        let Some(source) = source(sys, task, va - offset) else { break };
        let n = (len - bytes.len()).min((PAGE_SIZE - offset) as usize);
        let mut part = vec![0; n];
        if let Source::Frame(at) = source {
            sys.machine.mem.read(PhysAddr(at.0 + offset), &mut part);
        }
        bytes.extend(part);
    }
    bytes
}

/// Exactly `len` bytes, or nothing.
pub fn peek(sys: &System, task: TaskId, addr: u64, len: usize) -> Option<Vec<u8>> {
    Some(peek_up_to(sys, task, addr, len)).filter(|bytes| bytes.len() == len)
}

/// The bytes before the first NUL, at most `most`; nothing when it does not end
/// before memory does. Tells whether there was a NUL.
pub fn peek_string(sys: &System, task: TaskId, addr: u64, most: usize) -> Option<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        let at = addr.checked_add(bytes.len() as u64)?;
        let chunk = (PAGE_SIZE - at % PAGE_SIZE).min((most - bytes.len()) as u64) as usize;
        let part = peek(sys, task, at, chunk)?;
        if let Some(end) = part.iter().position(|b| *b == 0) {
            bytes.extend(&part[..end]);
            return Some((bytes, true));
        }
        bytes.extend(part);
    }
    Some((bytes, false))
}
