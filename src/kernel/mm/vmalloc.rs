//! Kernel stacks, mapped page by page with a hole below each, so that an
//! overflow faults instead of hitting a neighbour.
//!
//! ```text
//! slot n:  base ........ base+16K | hole 16K |  slot n+1: base ...
//! ```
//!
//! Linux: kernel/fork.c (`alloc_thread_stack_node`, `cached_stacks`),
//! mm/vmalloc.c. Left out: lazy purging of unmapped ranges; vmap_area trees
//! (all areas have one size, so a free list of slots does).

use crate::base::{PAGE_SIZE, Pfn, PhysAddr, VirtAddr};
use crate::kernel::error::SysError;
use crate::kernel::inject;
use crate::kernel::mm::layout::vmalloc_start;
use crate::kernel::mm::pgtable::{PAGE_KERNEL, alloc_page, pte_alloc_kernel, put_page};
use crate::kernel::system::System;
use crate::kernel::task::{KernelStack, THREAD_PAGES, THREAD_SIZE};
use crate::machine::{FRAME_WORDS, Level, PageFlags, Pte, entry_addr, paging};

/// `NR_CACHED_STACKS`: stacks kept mapped for the next fork.
pub const NR_CACHED_STACKS: usize = 2;
/// Distance between two stacks.
const SLOT: u64 = 2 * THREAD_SIZE;

/// A zeroed kernel stack: a cached one, or new pages mapped into a free slot.
///
/// # Errors
/// ENOMEM; nothing stays allocated.
pub fn alloc_thread_stack(sys: &mut System) -> Result<KernelStack, SysError> {
    inject::should_fail(sys, "alloc_thread_stack")?;
    if let Some(stack) = sys.kernel.cached_stacks.pop() {
        for pfn in stack.pages {
            if let Err(bug) = sys.machine.mem.clear_page(pfn) {
                sys.oops("alloc_thread_stack_node", bug.to_string());
            }
        }
        return Ok(stack);
    }
    let mut pages = [Pfn(0); THREAD_PAGES];
    for i in 0..THREAD_PAGES {
        match alloc_page(sys, PageFlags::KSTACK) {
            Ok(pfn) => pages[i] = pfn,
            Err(e) => {
                put_pages(sys, &pages[..i]);
                return Err(e);
            }
        }
    }
    if !sys.machine.config.mmu {
        return Ok(KernelStack { base: VirtAddr(pages[0].addr().0), pages });
    }
    let reused = sys.kernel.free_stack_slots.last().copied();
    let slot = reused.unwrap_or(sys.kernel.next_stack_slot);
    let levels = sys.machine.config.paging_levels;
    let base = VirtAddr(vmalloc_start(levels) + u64::from(slot) * SLOT);
    // A slot never crosses a last-level table: 32 KiB divides 2 MiB.
    let table = match pte_alloc_kernel(sys, base.0) {
        Ok(table) => table,
        Err(e) => {
            put_pages(sys, &pages);
            return Err(e);
        }
    };
    let first = levels.table_index(Level::Pte, base);
    let entries = pages.map(|pfn| Pte::new(pfn, PAGE_KERNEL).0);
    sys.machine.mem.write_words(entry_addr(table, first), &entries);
    match reused {
        Some(_) => {
            sys.kernel.free_stack_slots.pop();
        }
        None => sys.kernel.next_stack_slot += 1,
    }
    Ok(KernelStack { base, pages })
}

fn put_pages(sys: &mut System, pages: &[Pfn]) {
    for &pfn in pages {
        put_page(sys, pfn);
    }
}

/// Gives a stack back: into the cache if it has room, else it is unmapped and
/// its pages freed (`thread_stack_free_rcu`).
pub fn free_thread_stack(sys: &mut System, stack: KernelStack) {
    if sys.kernel.cached_stacks.len() < NR_CACHED_STACKS {
        sys.kernel.cached_stacks.push(stack);
        return;
    }
    if sys.machine.config.mmu {
        let levels = sys.machine.config.paging_levels;
        let pgd = sys.kernel.mms[sys.kernel.init_mm].pgd;
        if let Ok(Some(at)) = paging::pte_addr(&sys.machine.mem, pgd, levels, stack.base) {
            sys.machine.mem.write_words(at, &[0; THREAD_PAGES]);
        } else {
            sys.oops("vunmap_range", format!("kernel stack {} is not mapped", stack.base));
        }
        for cpu in &mut sys.machine.cpus {
            for i in 0..THREAD_PAGES as u64 {
                cpu.invlpg(VirtAddr(stack.base.0 + i * PAGE_SIZE));
            }
        }
        let slot = (stack.base.0.wrapping_sub(vmalloc_start(levels)) / SLOT) as u32;
        sys.kernel.free_stack_slots.push(slot);
    }
    put_pages(sys, &stack.pages);
}

/// The physical place of byte `off` of a stack; `None` outside it.
#[inline]
fn place(stack: &KernelStack, off: u64) -> Option<PhysAddr> {
    let pfn = stack.pages.get((off / PAGE_SIZE) as usize)?;
    Some(PhysAddr(pfn.addr().0 + off % PAGE_SIZE))
}

/// The word at byte `off` from the base; 0 outside the stack.
#[inline]
pub fn stack_read(sys: &System, stack: &KernelStack, off: u64) -> u64 {
    place(stack, off).map_or(0, |at| sys.machine.mem.read_u64(at))
}

/// Stores a word at byte `off` from the base; lost outside the stack.
#[inline]
pub fn stack_write(sys: &mut System, stack: &KernelStack, off: u64, value: u64) {
    if let Some(at) = place(stack, off) {
        sys.machine.mem.write_u64(at, value);
    }
}

/// Words until the end of the page that byte `off` lies in.
fn room(off: u64) -> usize {
    FRAME_WORDS - (off % PAGE_SIZE / 8) as usize
}

/// Reads words from byte `off` (a multiple of 8) on; 0 outside the stack.
pub fn stack_read_words(sys: &System, stack: &KernelStack, off: u64, out: &mut [u64]) {
    let (mut off, mut rest) = (off, out);
    while !rest.is_empty() {
        let n = room(off).min(rest.len());
        let (now, later) = rest.split_at_mut(n);
        match place(stack, off) {
            Some(at) => sys.machine.mem.read_words(at, now),
            None => now.fill(0),
        }
        off += n as u64 * 8;
        rest = later;
    }
}
