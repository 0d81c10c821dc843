//! `walk`: an address on its way through the page tables, a line a level.
//!
//! ```text
//! walk of 0x401000 for pid 1 "init", CR3 = frame 0x10c
//!   PGD[  0]  in 0x10c  0x000000000010d067  -> 0x10d  P RW US A D
//!   ...
//!   PTE[  1]  in 0x10f  0x8000000000110867  -> 0x110  P RW US A D NX
//!   page 0x110 + 0x000: refcount 1, mapcount 1, ANON|ANON_EXCLUSIVE
//!   reads and writes go straight through
//! ```
//!
//! Linux: mm/pagewalk.c, arch/x86/mm/fault.c (dump_pagetable).
//! Source: Intel SDM vol. 3, section 5.5. Left out: huge pages.

use super::{NoView, access, live, live_mm, text};
use crate::base::{PAGE_SIZE, VirtAddr};
use crate::kernel::mm::layout::task_size;
use crate::kernel::mm::pgtable::pte_protnone;
use crate::kernel::mm::{MmId, view};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::{PageFlags, Pte, Rights, entry_addr};
use serde::Serialize;
use std::fmt;

/// One level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WalkLine {
    /// PGD, P4D, PUD, PMD or PTE.
    pub level: &'static str,
    /// Which of the 512 entries.
    pub index: usize,
    /// The frame of the table.
    pub table: u32,
    /// Physical address of the entry.
    pub entry_addr: u64,
    /// The entry.
    pub entry: u64,
    /// Whether it leads on.
    pub present: bool,
}

/// The page that the walk found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Landing {
    /// Its frame.
    pub pfn: u32,
    /// Offset of the address in it.
    pub offset: u64,
    /// Holders of the page.
    pub refcount: i32,
    /// Entries that map it.
    pub mapcount: i32,
    /// What it is.
    pub flags: String,
}

/// A walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WalkView {
    /// The address.
    pub addr: u64,
    /// Whose tables.
    pub pid: i32,
    /// Its name.
    pub comm: String,
    /// The frame that CR3 holds while the task runs; 0 without an MMU.
    pub cr3: u32,
    /// The levels passed, from the top.
    pub lines: Vec<WalkLine>,
    /// Where it ended, if it ended at a page.
    pub page: Option<Landing>,
    /// What is worth knowing, in sentences.
    pub notes: Vec<String>,
}

/// Walks a task's page tables for an address. Changes nothing, not even
/// accessed bits.
///
/// # Errors
/// The task is gone or has no address space.
pub fn walk(sys: &System, task: TaskId, addr: u64) -> Result<WalkView, NoView> {
    let t = live(sys, task)?;
    let mm = live_mm(sys, task)?;
    let mut v = WalkView {
        addr,
        pid: t.pid,
        comm: text::escape(&t.comm()),
        cr3: sys.mm(mm).pgd.0,
        lines: Vec::new(),
        page: None,
        notes: Vec::new(),
    };
    let Some(walk) = view::walk(sys, mm, addr) else {
        v.notes.push("no MMU: the virtual address is the physical address".to_string());
        return Ok(v);
    };
    let bits = sys.machine.config.paging_levels.va_bits();
    if !VirtAddr(addr).is_canonical(bits) {
        v.notes.push(format!(
            "not canonical: bits {} to 63 are not all equal, so an access raises #GP before any walk",
            bits - 1
        ));
        return Ok(v);
    }
    v.lines = walk
        .steps
        .iter()
        .map(|s| WalkLine {
            level: s.level.name(),
            index: s.index,
            table: s.table.0,
            entry_addr: entry_addr(s.table, s.index).0,
            entry: s.entry.0,
            present: s.entry.is_present(),
        })
        .collect();
    if let Some(e) = &walk.error {
        v.notes.push(format!("broken page table: {e}"));
        return Ok(v);
    }
    if let Some(e) = walk.leaf.filter(|e| e.is_present() || pte_protnone(*e)) {
        v.page = Some(landing(sys, addr, e));
    }
    if addr >= task_size(sys) && v.page.is_some() {
        v.notes.push("a page of the kernel: user mode may not touch it".to_string());
    } else {
        v.notes.extend(access::outlook(sys, mm, addr, walk.leaf));
    }
    v.notes.extend(stale(sys, mm, addr, walk.leaf));
    Ok(v)
}

fn landing(sys: &System, addr: u64, entry: Pte) -> Landing {
    let page = sys.machine.mem.page(entry.pfn());
    Landing {
        pfn: entry.pfn().0,
        offset: addr % PAGE_SIZE,
        refcount: page.refcount,
        mapcount: page.mapcount,
        flags: flag_words(page.flags),
    }
}

/// Page flags as words; `-` for none.
pub(super) fn flag_words(flags: PageFlags) -> String {
    if flags.is_empty() { "-".to_string() } else { flags.to_string() }
}

/// Processors whose TLB disagrees with the entry: a flush was forgotten.
fn stale(sys: &System, mm: MmId, addr: u64, leaf: Option<Pte>) -> Vec<String> {
    let pgd = sys.mm(mm).pgd;
    let mut notes = Vec::new();
    for cpu in sys.machine.cpus.iter().filter(|c| c.pgd() == pgd) {
        let Some((pfn, rights)) = cpu.tlb.lookup(VirtAddr(addr)) else { continue };
        let what = match leaf.filter(|e| e.is_present()) {
            None => "the page, which is no longer mapped".to_string(),
            Some(e) if e.pfn() != pfn => format!("frame {pfn}"),
            Some(e) if rights.contains(Rights::WRITE) && !e.is_writable() => {
                "a writable translation".to_string()
            }
            Some(_) => continue,
        };
        notes.push(format!("stale: the TLB of CPU {} still has {what}", cpu.id));
    }
    notes
}

impl fmt::Display for WalkLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WalkLine { level, index, table, entry, .. } = self;
        write!(f, "{level}[{index:3}]  in {table:#05x}  {entry:#018x}  ")?;
        let e = Pte(*entry);
        if e.is_none() {
            return f.write_str("none");
        }
        if !e.is_present() && !pte_protnone(e) {
            return f.write_str("not present");
        }
        write!(f, "-> {:#05x} ", e.pfn().0)?;
        if pte_protnone(e) {
            return f.write_str(" PROTNONE");
        }
        e.flags().iter_names().try_for_each(|(name, _)| write!(f, " {name}"))
    }
}

impl fmt::Display for WalkView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WalkView { addr, pid, comm, cr3, .. } = self;
        let mut lines = vec![format!("walk of {addr:#x} for pid {pid} \"{comm}\"")];
        if !self.lines.is_empty() {
            lines[0].push_str(&format!(", CR3 = frame {cr3:#x}"));
        }
        lines.extend(self.lines.iter().map(|l| format!("  {l}")));
        if let Some(p) = &self.page {
            let Landing { pfn, offset, refcount, mapcount, flags } = p;
            lines.push(format!(
                "  page {pfn:#x} + {offset:#05x}: refcount {refcount}, mapcount {mapcount}, {flags}"
            ));
        }
        lines.extend(self.notes.iter().map(|n| format!("  {n}")));
        text::write_lines(f, lines)
    }
}
