//! Page tables and frames: `t.pte(addr)`, `t.page(addr)`.
//!
//! Left out: changing them; a script that wants to break a page table uses
//! the machine's raw memory.

use std::fmt;

use rhai::{Dynamic, Engine};

use super::args;
use super::kinds;
use super::registry::{Raised, functions, getters, printed};
use super::task::Task;
use super::world::Machine;
use crate::base::Pfn;
use crate::kernel::mm::view;
use crate::machine::{Page, Pte, PteFlags};
use crate::script::errors::ScriptError;
use crate::script::value::{Addr, Flags};

/// A page-table entry as it was when asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    va: u64,
    pte: Pte,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}: {}", self.va, self.pte)
    }
}

/// A frame as it was when asked for.
#[derive(Clone)]
struct Frame {
    machine: Machine,
    pfn: Pfn,
    page: Page,
    mappers: i64,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "page {}: refcount {}, mapcount {}, {}",
            self.pfn, self.page.refcount, self.page.mapcount, self.page.flags
        )
    }
}

fn no_mm(t: &Task) -> ScriptError {
    ScriptError::usage(format!("task {} has no address space of its own", t.pid()))
}

fn pte(t: &mut Task, addr: Dynamic) -> Raised<Entry> {
    let va = args::word("pte: addr", &addr)?;
    let leaf = t.read(|sys, s| {
        let walk = view::walk(sys, s.mm?, va)?;
        Some(walk.leaf.unwrap_or(Pte::NONE))
    })?;
    let pte = leaf.ok_or_else(|| no_mm(t))?;
    Ok(Entry { va: va & crate::base::PAGE_MASK, pte })
}

fn frame(machine: &Machine, pfn: Pfn) -> Frame {
    machine.read(|sys| {
        let info = view::page_info(sys, pfn);
        Frame { machine: machine.clone(), pfn, page: info.page, mappers: info.mappers.len() as i64 }
    })
}

fn page(t: &mut Task, addr: Dynamic) -> Raised<Dynamic> {
    let entry = pte(t, addr)?;
    if !entry.pte.is_present() {
        return Ok(Dynamic::UNIT);
    }
    Ok(Dynamic::from(frame(t.machine(), entry.pte.pfn())))
}

/// Registers the functions and types.
pub(super) fn register(engine: &mut Engine) {
    functions! { engine;
        /// The page-table entry that maps an address, present or not.
        "pte(t: Task, addr: Addr) -> Pte" => pte;
        /// The frame that an address is mapped to; () when it is not mapped.
        "page(t: Task, addr: Addr) -> Page" => page;
    }
    printed!(engine, Entry, "Pte");
    getters! { engine, Pte;
        /// The entry's 64 bits.
        "raw: Addr" => |e: &mut Entry| Addr(e.pte.0);
        /// The frame it names.
        "pfn: Addr" => |e: &mut Entry| Addr(e.pte.pfn().0.into());
        /// The page it maps.
        "addr: Addr" => |e: &mut Entry| Addr(e.va);
        /// P: it maps a frame.
        "present: bool" => |e: &mut Entry| e.pte.is_present();
        /// R/W: writes are allowed.
        "writable: bool" => |e: &mut Entry| e.pte.is_writable();
        /// U/S: user mode may use it.
        "user: bool" => |e: &mut Entry| e.pte.has(PteFlags::US);
        /// A: it was used.
        "accessed: bool" => |e: &mut Entry| e.pte.is_young();
        /// D: it was written to.
        "dirty: bool" => |e: &mut Entry| e.pte.is_dirty();
        /// NX: no instruction may be fetched from it.
        "nx: bool" => |e: &mut Entry| e.pte.has(PteFlags::NX);
        /// G: the translation outlives a load of CR3.
        "global: bool" => |e: &mut Entry| e.pte.has(PteFlags::G);
        /// No struct page is counted behind it, as for the page of zeroes.
        "special: bool" => |e: &mut Entry| e.pte.is_special();
        /// Nothing at all is there.
        "none: bool" => |e: &mut Entry| e.pte.is_none();
        /// _PAGE_* bits.
        "flags: Flags" => |e: &mut Entry| {
            Flags { bits: e.pte.flags().bits(), kind: &kinds::PTE }
        };
    }
    printed!(engine, Frame, "Page");
    functions! { engine;
        /// Whether two entries are equal.
        "==(a: Pte, b: Pte) -> bool" => |a: Entry, b: Entry| a == b;
        /// Whether two entries differ.
        "!=(a: Pte, b: Pte) -> bool" => |a: Entry, b: Entry| a != b;
        /// Whether two pages are the same frame.
        "==(a: Page, b: Page) -> bool" => |a: Frame, b: Frame| {
            a.machine.is(&b.machine) && a.pfn == b.pfn
        };
        /// Whether two pages are different frames.
        "!=(a: Page, b: Page) -> bool" => |a: Frame, b: Frame| {
            !a.machine.is(&b.machine) || a.pfn != b.pfn
        };
    }
    getters! { engine, Page;
        /// The frame's number.
        "pfn: Addr" => |p: &mut Frame| Addr(p.pfn.0.into());
        /// Holders of the frame.
        "refcount: int" => |p: &mut Frame| i64::from(p.page.refcount);
        /// Page-table entries that map it.
        "mapcount: int" => |p: &mut Frame| i64::from(p.page.mapcount);
        /// PG_* flags.
        "flags: Flags" => |p: &mut Frame| {
            Flags { bits: p.page.flags.bits().into(), kind: &kinds::PAGE }
        };
        /// Address spaces that map it, with the address in each.
        "mappers: int" => |p: &mut Frame| p.mappers;
    }
}
