//! Telling processors to forget translations, and switching address spaces.
//!
//! Linux: arch/x86/mm/tlb.c (`flush_tlb_mm_range`, `switch_mm_irqs_off`).
//! Left out: PCIDs (every CR3 load flushes), batching, lazy TLB mode beyond
//! the borrowed CR3 of a kernel thread.

use crate::base::{PAGE_SIZE, VirtAddr};
use crate::kernel::mm::MmId;
use crate::kernel::system::System;

/// `tlb_single_page_flush_ceiling`: for more pages the whole TLB goes.
const SINGLE_PAGE_FLUSH_CEILING: u64 = 33;

/// Runs `f` for the processors that have `mm` loaded. Bits of processors that
/// switched away since are cleared here, as Linux does since 6.13: the first
/// flush that reaches such a processor takes it off the mask.
fn each_cpu(sys: &mut System, mm: MmId, f: impl Fn(&mut crate::machine::Cpu)) {
    let Some(m) = sys.kernel.mms.get(mm) else { return };
    let (pgd, mask) = (m.pgd, m.cpu_bitmap);
    if mask == 0 {
        return;
    }
    let mut stale = 0;
    for (i, cpu) in sys.machine.cpus.iter_mut().enumerate().take(64) {
        if mask >> i & 1 == 0 {
            continue;
        }
        if cpu.pgd() == pgd { f(cpu) } else { stale |= 1 << i }
    }
    if stale != 0 {
        sys.kernel.mms[mm].cpu_bitmap &= !stale;
    }
}

/// Forgets everything of an address space (`flush_tlb_mm`).
pub fn flush_tlb_mm(sys: &mut System, mm: MmId) {
    if !sys.kernel.bugs.no_tlb_flush && sys.machine.config.mmu {
        each_cpu(sys, mm, |cpu| cpu.tlb.flush_nonglobal());
    }
}

/// Forgets `start..end` (`flush_tlb_range`).
pub fn flush_tlb_range(sys: &mut System, mm: MmId, start: u64, end: u64) {
    let pages = end.saturating_sub(start).div_ceil(PAGE_SIZE);
    if pages > SINGLE_PAGE_FLUSH_CEILING {
        return flush_tlb_mm(sys, mm);
    }
    if !sys.kernel.bugs.no_tlb_flush && sys.machine.config.mmu {
        each_cpu(sys, mm, |cpu| {
            for i in 0..pages {
                cpu.invlpg(VirtAddr(start.wrapping_add(i * PAGE_SIZE)));
            }
        });
    }
}

/// Forgets one page (`flush_tlb_page`).
pub fn flush_tlb_page(sys: &mut System, mm: MmId, addr: u64) {
    if !sys.kernel.bugs.no_tlb_flush && sys.machine.config.mmu {
        each_cpu(sys, mm, |cpu| cpu.invlpg(VirtAddr(addr)));
    }
}

/// Loads another address space on a processor, unless it is loaded
/// (`switch_mm`).
pub fn switch_mm(sys: &mut System, cpu: usize, next: MmId) {
    if !sys.machine.config.mmu {
        return;
    }
    let Some(m) = sys.kernel.mms.get(next) else {
        return sys.oops("switch_mm", format!("switching to freed mm {next:?}"));
    };
    let (pgd, mask) = (m.pgd, m.cpu_bitmap);
    let Some(c) = sys.machine.cpus.get_mut(cpu) else { return };
    if c.pgd() != pgd {
        c.load_cr3(pgd);
    }
    let bit = 1u64.checked_shl(cpu as u32).unwrap_or(0);
    if mask & bit == 0 {
        sys.kernel.mms[next].cpu_bitmap |= bit;
    }
}
