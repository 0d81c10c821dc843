//! Kernel stacks: each in a slot of its own, mapped to its own pages, with
//! the word at its end that shows an overflow.
//!
//! Linux: kernel/fork.c, mm/vmalloc.c, include/linux/sched/task_stack.h
//! (`task_stack_end_corrupted`). Left out: what lies on the stacks.

use super::{Findings, Named};
use crate::base::{PAGE_SIZE, VirtAddr};
use crate::kernel::mm::layout::vmalloc_start;
use crate::kernel::mm::vmalloc::{NR_CACHED_STACKS, stack_read};
use crate::kernel::system::System;
use crate::kernel::task::{KernelStack, STACK_END_MAGIC, THREAD_SIZE};
use crate::machine::paging;
use std::fmt;

/// Distance between the slots of the vmalloc area.
const SLOT: u64 = 2 * THREAD_SIZE;

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let mut slots = vec![0u8; k.next_stack_slot as usize];
    for (id, t) in k.tasks.iter() {
        let Some(stack) = &t.stack else { continue };
        let name = Named(id, t);
        let me = format_args!("{name}");
        stack_is_mapped(sys, me, stack, &mut slots, f);
        let magic = stack_read(sys, stack, 0);
        f.same(me, "end of its kernel stack", magic, STACK_END_MAGIC, "STACK_END_MAGIC");
    }
    let me = format_args!("cached_stacks");
    let len = k.cached_stacks.len();
    f.rule(len <= NR_CACHED_STACKS, me, "length", format_args!("{len}"), "2 at most");
    for stack in &k.cached_stacks {
        stack_is_mapped(sys, me, stack, &mut slots, f);
    }
    for slot in &k.free_stack_slots {
        match slots.get_mut(*slot as usize) {
            Some(n) => *n += 1,
            None => f.leaked(format_args!("stack slot {slot}"), format_args!("it is free unused")),
        }
    }
    if sys.machine.config.mmu {
        for (slot, n) in slots.iter().enumerate() {
            let me = format_args!("stack slot {slot}");
            f.count(me, "holders", 1, *n, "a stack, or the list of free slots");
        }
    }
}

fn stack_is_mapped(
    sys: &System,
    me: fmt::Arguments<'_>,
    stack: &KernelStack,
    slots: &mut [u8],
    f: &mut Findings,
) {
    if !sys.machine.config.mmu {
        return;
    }
    let levels = sys.machine.config.paging_levels;
    let pgd = sys.kernel.mms[sys.kernel.init_mm].pgd;
    let offset = stack.base.0.wrapping_sub(vmalloc_start(levels));
    match slots.get_mut((offset / SLOT) as usize) {
        Some(n) if offset.is_multiple_of(SLOT) => *n += 1,
        _ => f.rule(false, me, "kernel stack", format_args!("{}", stack.base), "in a slot"),
    }
    for (i, pfn) in stack.pages.iter().enumerate() {
        let va = VirtAddr(stack.base.0 + i as u64 * PAGE_SIZE);
        let entry = paging::lookup(&sys.machine.mem, pgd, levels, va).ok().flatten();
        let mapped = entry.map(|(_, pte)| pte).filter(|p| p.is_present()).map(|p| p.pfn());
        f.same(me, "page of its kernel stack", mapped, Some(*pfn), "as its page tables say");
    }
}
