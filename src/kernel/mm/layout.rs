//! Where things lie in an address space: limits, gaps, starting points.
//!
//! ```text
//! 0x0000000000400000  text, data, bss, [heap] ->
//!                     ...
//!                  <- mappings, downwards from mmap_base
//!                     at least 128 MiB
//! 0x00007ffffffff000  <- [stack]
//! 0xffffc90000000000  kernel stacks (0xffa0000000000000 with 5 levels)
//! ```
//!
//! Linux: arch/x86/include/asm/page_64_types.h, arch/x86/mm/mmap.c
//! (`mmap_base`, `arch_pick_mmap_layout`), Documentation/arch/x86/x86_64/mm.rst.
//! Left out: address space randomisation; the legacy layout exists as
//! bottom-up fallback of the search only.

use crate::base::{PAGE_MASK, PAGE_SHIFT, PAGE_SIZE};
use crate::kernel::system::System;
use crate::machine::PagingLevels;

/// `DEFAULT_MAP_WINDOW`: addresses above are given out only on request, so
/// that programs which keep tags in pointers survive 5 levels.
pub const DEFAULT_MAP_WINDOW: u64 = (1 << 47) - PAGE_SIZE;
/// `STACK_TOP`: where the stack of a program ends.
pub const STACK_TOP: u64 = DEFAULT_MAP_WINDOW;
/// `stack_guard_gap`: kept free below a growing area, in bytes (256 pages).
pub const STACK_GUARD_GAP: u64 = 256 << PAGE_SHIFT;
/// Where a program that is not position independent begins.
pub const TEXT_START: u64 = 0x40_0000;
/// What a stack has beyond its arguments from the start (`stack_expand`).
pub const STACK_EXPAND: u64 = 128 << 10;
/// `TASK_UNMAPPED_BASE`: where the bottom-up search begins.
pub const TASK_UNMAPPED_BASE: u64 = (DEFAULT_MAP_WINDOW / 3 + PAGE_SIZE - 1) & !(PAGE_SIZE - 1);

/// `TASK_SIZE_MAX`: the first address that is no user address.
#[inline]
pub fn task_size(sys: &System) -> u64 {
    match sys.machine.config.paging_levels {
        PagingLevels::Four => (1 << 47) - PAGE_SIZE,
        PagingLevels::Five => (1 << 56) - PAGE_SIZE,
    }
}

/// `VMALLOC_START`: where kernel stacks are mapped.
pub fn vmalloc_start(levels: PagingLevels) -> u64 {
    match levels {
        PagingLevels::Four => 0xffff_c900_0000_0000,
        PagingLevels::Five => 0xffa0_0000_0000_0000,
    }
}

/// `mmap_base`: below the room for a stack of `rlim_stack` bytes, which is
/// taken to be between 128 MiB and five sixths of the address space.
pub fn mmap_base(rlim_stack: u64) -> u64 {
    let gap = rlim_stack.saturating_add(STACK_GUARD_GAP);
    let gap = gap.clamp(128 << 20, DEFAULT_MAP_WINDOW / 6 * 5);
    (DEFAULT_MAP_WINDOW - gap + PAGE_SIZE - 1) & PAGE_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_known_from_debuggers() {
        assert_eq!(mmap_base(8 << 20), 0x7fff_f7ff_f000);
        assert_eq!(TASK_UNMAPPED_BASE, 0x2aaa_aaaa_a000 + 0x1000);
    }
}
