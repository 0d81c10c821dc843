//! Memory management at boot: the zero page, the kernel's own tables, init_mm.
//!
//! Linux: mm/mm_init.c (`mm_core_init`), mm/init-mm.c, arch/x86/mm/init_64.c
//! (`preallocate_vmalloc_pages`).
//! Left out: the direct map, the kernel's text and vmemmap; of the kernel's
//! half only the vmalloc region exists, where kernel stacks are mapped.

use crate::base::{Pfn, VirtAddr};
use crate::kernel::mm::layout::vmalloc_start;
use crate::kernel::mm::lifetime::blank_mm;
use crate::kernel::mm::pgtable::KERNPG_TABLE;
use crate::kernel::system::System;
use crate::machine::{Level, PageFlags, Pte, entry_addr};

/// Makes the zero page, `swapper_pg_dir` and init_mm, and loads CR3 of every
/// processor. The top-level entry of the vmalloc region is made now, so that
/// every PGD copied from here shares all tables below it.
///
/// Returns false when the machine has too little memory even for this.
#[must_use]
pub fn mm_core_init(sys: &mut System) -> bool {
    let mem = &mut sys.machine.mem;
    let Some(zero) = mem.alloc_page(PageFlags::RESERVED | PageFlags::ZERO) else { return false };
    sys.kernel.zero_page = zero;
    let mut pgd = Pfn(0);
    if sys.machine.config.mmu {
        let levels = sys.machine.config.paging_levels;
        let (Some(top), Some(below)) =
            (mem.alloc_page(PageFlags::PGTABLE), mem.alloc_page(PageFlags::PGTABLE))
        else {
            return false;
        };
        pgd = top;
        let va = VirtAddr(vmalloc_start(levels));
        let at = entry_addr(pgd, levels.table_index(Level::Pgd, va));
        mem.write_u64(at, Pte::new(below, KERNPG_TABLE).0);
        for cpu in &mut sys.machine.cpus {
            cpu.load_cr3(pgd);
        }
    }
    // init_mm is static in Linux with two users, so that it never goes away.
    let init_mm = blank_mm(pgd, 2);
    sys.kernel.init_mm = sys.kernel.mms.insert(init_mm);
    true
}
