//! `pte` and `page`: one page-table entry, one frame, each on a line.
//!
//! ```text
//! 0x404000 -> pfn 0x123 present writable user accessed dirty nx
//! page 0x123: refcount 2, mapcount 2, ANON|SWAPBACKED, mapped by 1@0x404000 3@0x404000
//! ```
//!
//! Linux: /proc/PID/pagemap, /proc/kpagecount, /proc/kpageflags; mm/rmap.c.
//! Left out: bits that have no effect here (PWT, PCD).

use super::walk::flag_words;
use super::{NoView, live_mm};
use crate::base::{PAGE_MASK, Pfn};
use crate::kernel::mm::pgtable::pte_present;
use crate::kernel::mm::{MmId, view};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::{Pte, PteFlags};
use serde::Serialize;
use std::fmt;

/// The entry of the last level for an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PteView {
    /// Address of the page.
    pub addr: u64,
    /// The entry; 0 also when the tables do not reach down to it.
    pub value: u64,
    /// The frame, when there is one.
    pub pfn: Option<u32>,
    /// P: the processor may use it.
    pub present: bool,
    /// R/W.
    pub writable: bool,
    /// U/S.
    pub user: bool,
    /// A: touched since the bit was cleared.
    pub accessed: bool,
    /// D: written since the bit was cleared.
    pub dirty: bool,
    /// NX: no instruction fetches.
    pub nx: bool,
    /// No `struct page` is counted for it: the zero page.
    pub special: bool,
}

/// The page-table entry for an address of a task.
///
/// # Errors
/// The task is gone or has no address space.
pub fn pte(sys: &System, task: TaskId, addr: u64) -> Result<PteView, NoView> {
    let mm = live_mm(sys, task)?;
    let e = view::walk(sys, mm, addr).and_then(|w| w.leaf).unwrap_or(Pte::NONE);
    Ok(PteView {
        addr: addr & PAGE_MASK,
        value: e.0,
        pfn: pte_present(e).then(|| e.pfn().0),
        present: e.is_present(),
        writable: e.is_writable(),
        user: e.has(PteFlags::US),
        accessed: e.is_young(),
        dirty: e.is_dirty(),
        nx: e.has(PteFlags::NX),
        special: e.is_special(),
    })
}

impl fmt::Display for PteView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} -> ", self.addr)?;
        let Some(pfn) = self.pfn else { return f.write_str("not present") };
        write!(f, "pfn {pfn:#x}")?;
        let bits = [
            (self.present, "present"),
            (self.writable, "writable"),
            (self.user, "user"),
            (self.accessed, "accessed"),
            (self.dirty, "dirty"),
            (self.nx, "nx"),
            (self.special, "special"),
        ];
        if !self.present {
            return f.write_str(" kept but not present (PROT_NONE)");
        }
        bits.iter().filter(|(set, _)| *set).try_for_each(|(_, name)| write!(f, " {name}"))
    }
}

/// Who maps a page, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mapper {
    /// Number of the address space.
    pub mm: u32,
    /// Processes that use it, by pid.
    pub pids: Vec<i32>,
    /// Address.
    pub addr: u64,
}

/// A frame of memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageView {
    /// The frame.
    pub pfn: u32,
    /// Holders; 0 when it is free.
    pub refcount: i32,
    /// Entries that map it.
    pub mapcount: i32,
    /// What it is.
    pub flags: String,
    /// Entries that map it, by address space.
    pub mappers: Vec<Mapper>,
}

/// The page behind an address of a task, if one is there.
///
/// # Errors
/// The task is gone or has no address space.
pub fn page(sys: &System, task: TaskId, addr: u64) -> Result<Option<PageView>, NoView> {
    Ok(pte(sys, task, addr)?.pfn.map(|pfn| frame(sys, Pfn(pfn))))
}

/// What is known of a frame, wherever it is mapped. Looks through all page
/// tables.
pub fn frame(sys: &System, pfn: Pfn) -> PageView {
    let info = view::page_info(sys, pfn);
    PageView {
        pfn: pfn.0,
        refcount: info.page.refcount,
        mapcount: info.page.mapcount,
        flags: flag_words(info.page.flags),
        mappers: info
            .mappers
            .iter()
            .map(|(mm, addr)| Mapper { mm: mm.index(), pids: users(sys, *mm), addr: *addr })
            .collect(),
    }
}

/// Processes whose tasks use an address space.
pub(super) fn users(sys: &System, mm: MmId) -> Vec<i32> {
    let tasks = sys.kernel.tasks.iter().filter(|(_, t)| t.mm == Some(mm));
    let mut pids: Vec<_> = tasks.map(|(_, t)| t.tgid).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

impl fmt::Display for PageView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PageView { pfn, refcount, mapcount, flags, .. } = self;
        write!(f, "page {pfn:#x}: refcount {refcount}, mapcount {mapcount}, {flags}")?;
        for (i, m) in self.mappers.iter().enumerate() {
            let pids: Vec<_> = m.pids.iter().map(i32::to_string).collect();
            let who = if pids.is_empty() { format!("mm#{}", m.mm) } else { pids.join(",") };
            let sep = if i == 0 { ", mapped by" } else { "" };
            write!(f, "{sep} {who}@{:#x}", m.addr)?;
        }
        Ok(())
    }
}
