//! TLBs: no cached translation allows more than the page tables do, unless
//! the kernel was told to forget its flushes.
//!
//! Linux: arch/x86/mm/tlb.c. Source: Intel SDM vol. 3, section 5.10.4.
//! Left out: entries that allow less; a fault drops those.

use super::Findings;
use crate::kernel::system::System;
use crate::machine::{PteFlags, Rights, paging};

pub(super) fn check(sys: &System, f: &mut Findings) {
    if sys.kernel.bugs.no_tlb_flush || !sys.machine.config.mmu {
        return;
    }
    let levels = sys.machine.config.paging_levels;
    for cpu in &sys.machine.cpus {
        for e in cpu.tlb.entries() {
            let found = paging::lookup(&sys.machine.mem, cpu.pgd(), levels, e.va).ok().flatten();
            let pte = found.map(|(_, pte)| pte).filter(|p| p.is_present());
            let rights = pte.map_or(Rights::empty(), |p| {
                let mut r = Rights::empty();
                r.set(Rights::WRITE, p.is_writable());
                r.set(Rights::USER, p.has(PteFlags::US));
                r.set(Rights::EXEC, !p.has(PteFlags::NX));
                r.set(Rights::DIRTY, p.is_dirty());
                r.set(Rights::GLOBAL, p.has(PteFlags::G));
                r
            });
            let fits = pte.is_some_and(|p| p.pfn() == e.pfn) && rights.contains(e.rights);
            f.rule(
                fits,
                format_args!("TLB of processor {}", cpu.id),
                "entry",
                format_args!("{} -> {} {:?}", e.va, e.pfn, e.rights),
                "no more than what the page tables allow",
            );
        }
    }
}
