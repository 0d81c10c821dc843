//! Faults in file mappings: pages of the page cache, shared or copied.
//!
//! Linux: mm/memory.c (`do_read_fault`, `do_cow_fault`, `do_shared_fault`,
//! `do_fault_around`), mm/filemap.c (`filemap_fault`, `filemap_map_pages`),
//! mm/shmem.c. Left out: page_mkwrite and dirty throttling (no file system
//! here asks for them), readahead.

use crate::base::{PAGE_SIZE, Pfn};
use crate::kernel::mm::MmCounter;
use crate::kernel::mm::VmFlags;
use crate::kernel::mm::fault::{VmFault, Vmf, add_mm_counter, alloc_anon_page, anon_pte, set_pte};
use crate::kernel::mm::filemap::{cached_page, file_inode, file_pages, filemap_get_page};
use crate::kernel::mm::pgtable::{maybe_mkwrite, vm_page_prot};
use crate::kernel::mm::zap::mm_counter;
use crate::kernel::system::System;
use crate::machine::{Pte, entry_addr};
use crate::traced;

/// `fault_around_bytes` in pages: a read fault also maps neighbours that are
/// in the page cache.
const FAULT_AROUND: u64 = 16;

/// A fault where nothing is mapped yet.
pub(super) fn do_fault(sys: &mut System, vmf: &Vmf) -> Result<(), VmFault> {
    if !vmf.write {
        traced!(sys, do_read_fault(vmf))
    } else if vmf.vm_flags.contains(VmFlags::SHARED) {
        traced!(sys, do_shared_fault(vmf))
    } else {
        traced!(sys, do_cow_fault(vmf))
    }
}

/// The page of the file (`__do_fault`), made if the file has a hole there.
fn page_of_file(sys: &mut System, vmf: &Vmf) -> Result<Pfn, VmFault> {
    let pgoff = vmf.vm_pgoff + (vmf.addr - vmf.vm_start) / PAGE_SIZE;
    let Some(inode) = vmf.vm_file.and_then(|f| file_inode(sys, f)) else {
        return Err(VmFault::Sigbus);
    };
    if pgoff >= file_pages(sys, inode) {
        return Err(VmFault::Sigbus);
    }
    filemap_get_page(sys, inode, pgoff, true)?.ok_or(VmFault::Sigbus)
}

/// One more entry maps a page of the cache.
fn map_file_page(sys: &mut System, vmf: &Vmf, pfn: Pfn) -> Result<(), VmFault> {
    let added = sys.machine.mem.page_mut(pfn).and_then(|p| {
        p.add_mapping(pfn)?;
        Ok(mm_counter(p.flags))
    });
    match added {
        Ok(counter) => {
            add_mm_counter(sys, vmf.mm, counter, 1);
            Ok(())
        }
        Err(bug) => {
            sys.oops("finish_fault", bug.to_string());
            Err(VmFault::Sigbus)
        }
    }
}

fn do_read_fault(sys: &mut System, vmf: &Vmf) -> Result<(), VmFault> {
    if do_fault_around(sys, vmf)? {
        return Ok(());
    }
    let pfn = page_of_file(sys, vmf)?;
    map_file_page(sys, vmf, pfn)?;
    let pte = Pte::new(pfn, vm_page_prot(sys, vmf.vm_flags));
    set_pte(sys, vmf, pte);
    Ok(())
}

/// Maps up to 16 pages around the fault that the cache has. Gives whether the
/// faulting page was among them.
fn do_fault_around(sys: &mut System, vmf: &Vmf) -> Result<bool, VmFault> {
    let Some(file) = vmf.vm_file else { return Ok(false) };
    let Some(limit) = file_inode(sys, file).map(|i| file_pages(sys, i)) else { return Ok(false) };
    // Stay in the area and in the table.
    let pte_off = vmf.addr / PAGE_SIZE % 512;
    let vma_off = (vmf.addr - vmf.vm_start) / PAGE_SIZE;
    let aligned = pte_off / FAULT_AROUND * FAULT_AROUND;
    let from = aligned.max(pte_off - pte_off.min(vma_off));
    let behind = (vmf.vm_end - vmf.addr) / PAGE_SIZE;
    let to = (from + FAULT_AROUND).min(512).min(pte_off + behind);
    let prot = vm_page_prot(sys, vmf.vm_flags);
    let mut found = false;
    for i in from..to {
        let pgoff = vmf.vm_pgoff + vma_off + i - pte_off;
        if pgoff >= limit {
            break;
        }
        let at = entry_addr(vmf.table, i as usize);
        if sys.machine.mem.read_u64(at) != 0 {
            continue;
        }
        let Some(pfn) = cached_page(sys, file, pgoff) else { continue };
        map_file_page(sys, vmf, pfn)?;
        sys.machine.mem.write_u64(at, Pte::new(pfn, prot).0);
        found |= i == pte_off;
    }
    Ok(found)
}

/// A write to a private mapping: a copy right away.
fn do_cow_fault(sys: &mut System, vmf: &Vmf) -> Result<(), VmFault> {
    let pfn = page_of_file(sys, vmf)?;
    let new = alloc_anon_page(sys, vmf)?;
    if let Err(bug) = sys.machine.mem.copy_page(new, pfn) {
        sys.oops("do_cow_fault", bug.to_string());
    }
    add_mm_counter(sys, vmf.mm, MmCounter::Anon, 1);
    let pte = anon_pte(sys, vmf, new);
    set_pte(sys, vmf, pte);
    Ok(())
}

/// A write to a shared mapping: the file's own page, dirty from now on.
fn do_shared_fault(sys: &mut System, vmf: &Vmf) -> Result<(), VmFault> {
    let pfn = page_of_file(sys, vmf)?;
    map_file_page(sys, vmf, pfn)?;
    let pte = Pte::new(pfn, vm_page_prot(sys, vmf.vm_flags));
    set_pte(sys, vmf, maybe_mkwrite(pte, vmf.vm_flags));
    Ok(())
}
