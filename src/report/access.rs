//! What would happen if a task touched an address now, in plain words.
//!
//! The answer is read off the area, the page-table entry and the `struct
//! page`, in the order in which the processor and the fault handler look at
//! them. Nothing is touched; the tests let the access happen and compare.
//!
//! Linux: arch/x86/mm/fault.c (access_error), mm/memory.c (do_wp_page,
//! do_anonymous_page, do_fault).
//! Left out: instruction fetches; running out of memory.

use crate::kernel::mm::filemap::{file_inode, file_pages};
use crate::kernel::mm::layout::task_size;
use crate::kernel::mm::pgtable::pte_present;
use crate::kernel::mm::vma::find_vma;
use crate::kernel::mm::{MmId, VmAreaStruct, VmFlags, VmOps};
use crate::kernel::system::System;
use crate::machine::{PageFlags, Pte};

const PAGE_SHIFT: u32 = crate::base::PAGE_SHIFT;

/// What a read and a write at `addr` would do. `leaf` is the entry of the last
/// level, if the tables reach that far.
pub fn outlook(sys: &System, mm: MmId, addr: u64, leaf: Option<Pte>) -> Vec<String> {
    let Some(m) = sys.kernel.mms.get(mm) else { return Vec::new() };
    if addr >= task_size(sys) {
        return one("not a user address: an access from user mode ends in SIGSEGV");
    }
    let vma = match find_vma(m, addr) {
        Some(v) if v.vm_start <= addr => v,
        Some(v) if v.vm_flags.contains(VmFlags::GROWSDOWN) => {
            return vec![format!(
                "no mapping here; the stack above begins at {:#x} and would grow down to this \
                 page if RLIMIT_STACK and the guard gap allow it",
                v.vm_start
            )];
        }
        _ => return one("nothing is mapped here: an access ends in SIGSEGV (SEGV_MAPERR)"),
    };
    if !vma.vm_flags.intersects(VmFlags::ACCESS) {
        return one("the mapping has PROT_NONE: an access ends in SIGSEGV (SEGV_ACCERR)");
    }
    match leaf.filter(|e| pte_present(*e)) {
        None => not_present(sys, vma, addr),
        Some(e) => present(sys, vma, e),
    }
}

fn one(s: &str) -> Vec<String> {
    vec![s.to_string()]
}

const WRITE_REFUSED: &str = "a write ends in SIGSEGV (SEGV_ACCERR): the mapping has no PROT_WRITE";

/// Nothing there yet: what the first access brings.
fn not_present(sys: &System, vma: &VmAreaStruct, addr: u64) -> Vec<String> {
    let writable = vma.vm_flags.contains(VmFlags::WRITE);
    let (read, write) = match vma.vm_ops {
        VmOps::Anonymous => (
            "not present: a read would map the shared page of zeroes, read-only",
            "not present: a write would map a new page of zeroes, its own",
        ),
        VmOps::File => {
            let pgoff = vma.vm_pgoff + ((addr - vma.vm_start) >> PAGE_SHIFT);
            let inode = vma.vm_file.and_then(|f| file_inode(sys, f));
            if inode.is_some_and(|i| pgoff >= file_pages(sys, i)) {
                return one("beyond the end of the file: an access ends in SIGBUS (BUS_ADRERR)");
            }
            let write = match vma.vm_flags.contains(VmFlags::SHARED) {
                true => "not present: a write would map the file's page itself and dirty it",
                false => "not present: a write would copy the file's page at once",
            };
            ("not present: a read would map the file's page from the page cache", write)
        }
    };
    vec![read.to_string(), if writable { write } else { WRITE_REFUSED }.to_string()]
}

/// A page is there: what a write brings.
fn present(sys: &System, vma: &VmAreaStruct, entry: Pte) -> Vec<String> {
    const READ: &str = "a read goes straight through";
    if !vma.vm_flags.contains(VmFlags::WRITE) {
        return vec![READ.to_string(), WRITE_REFUSED.to_string()];
    }
    if entry.is_writable() {
        return one("reads and writes go straight through");
    }
    let page = sys.machine.mem.page(entry.pfn());
    let write = if vma.vm_flags.intersects(VmFlags::SHARED | VmFlags::MAYSHARE) {
        "fault once, to note that the shared page is dirty, and keep the page".to_string()
    } else if entry.is_special() {
        "fault and put a page of its own in the place of the page of zeroes".to_string()
    } else if !page.flags.contains(PageFlags::ANON) {
        "fault and copy the file's page".to_string()
    } else if page.flags.contains(PageFlags::ANON_EXCLUSIVE) || page.refcount == 1 {
        "fault once and reuse the page: nobody else has it any more".to_string()
    } else {
        format!("fault and copy the page: its refcount is {}", page.refcount)
    };
    vec![READ.to_string(), format!("write-protected: a write would {write}")]
}
