//! `frames`: what physical memory is used for.
//!
//! Linux: /proc/meminfo, /proc/kpageflags.
//! Left out: zones, and the kernel's own objects: these live outside emulated
//! memory.

use super::text;
use crate::kernel::system::System;
use crate::machine::PageFlags;
use serde::Serialize;
use std::fmt;

/// Frames by use; every frame is counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Frames {
    /// All frames.
    pub total: u32,
    /// Frames the allocator can still give.
    pub free: u32,
    /// Frames of firmware and legacy devices, and the zero page.
    pub reserved: u32,
    /// Page tables.
    pub page_tables: u32,
    /// Kernel stacks.
    pub kernel_stacks: u32,
    /// Anonymous memory.
    pub anonymous: u32,
    /// The page cache: files and shared memory.
    pub page_cache: u32,
    /// Anything else.
    pub other: u32,
    /// Anonymous frames that more than one entry maps: copy-on-write saves
    /// these.
    pub shared_anonymous: u32,
}

/// Counts the frames.
pub fn frames(sys: &System) -> Frames {
    let mem = &sys.machine.mem;
    let mut f = Frames { total: mem.total_pages(), free: mem.free_pages(), ..Frames::default() };
    for (_, page) in mem.used_pages() {
        let kind = if page.flags.contains(PageFlags::RESERVED) {
            &mut f.reserved
        } else if page.flags.contains(PageFlags::PGTABLE) {
            &mut f.page_tables
        } else if page.flags.contains(PageFlags::KSTACK) {
            &mut f.kernel_stacks
        } else if page.flags.contains(PageFlags::ANON) {
            &mut f.anonymous
        } else if page.flags.intersects(PageFlags::FILE | PageFlags::SWAPBACKED) {
            &mut f.page_cache
        } else {
            &mut f.other
        };
        *kind += 1;
        if page.flags.contains(PageFlags::ANON) && page.mapcount > 1 {
            f.shared_anonymous += 1;
        }
    }
    f
}

impl fmt::Display for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("total", self.total),
            ("free", self.free),
            ("reserved", self.reserved),
            ("page tables", self.page_tables),
            ("kernel stacks", self.kernel_stacks),
            ("anonymous", self.anonymous),
            ("page cache", self.page_cache),
            ("other", self.other),
        ];
        let lines = rows.iter().map(|(name, n)| {
            let shared = match (*name, self.shared_anonymous) {
                ("anonymous", s) if s > 0 => format!("  {s} of them mapped more than once"),
                _ => String::new(),
            };
            format!("{name:14}{n:9} frames {:9} kB{shared}", u64::from(*n) * 4)
        });
        text::write_lines(f, lines)
    }
}
