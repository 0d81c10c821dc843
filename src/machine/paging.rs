//! Page-table arithmetic and reading tables without changing them: what the
//! kernel and the views use. The processor's own walk is in `mmu`.
//!
//! ```text
//!  5 levels  56   48 47   39 38   30 29   21 20   12 11      0
//!             PGD     P4D     PUD     PMD     PTE     offset
//!  4 levels           PGD     PUD     PMD     PTE     offset
//! ```
//!
//! Linux: include/linux/pgtable.h (`pgd_index`, `pte_offset_kernel`); with 4
//! levels Linux folds P4D into PGD, so it is not shown.
//! Source: Intel SDM vol. 3, section 5.5.
//! Left out: huge pages; an entry that maps one is refused by name.

use super::phys::PhysMem;
use super::pte::{Pte, PteFlags};
use crate::base::{Pfn, PhysAddr, VirtAddr};
use std::fmt;
use thiserror::Error;

/// How many levels of tables the processor walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PagingLevels {
    /// 48-bit addresses.
    #[default]
    Four,
    /// 57-bit addresses (CR4.LA57).
    Five,
}

/// A level of the tables, by Linux's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Page table: entries map pages.
    Pte,
    /// Page middle directory.
    Pmd,
    /// Page upper directory.
    Pud,
    /// Fourth level; exists with 5 levels only.
    P4d,
    /// Page global directory: what CR3 points at.
    Pgd,
}

impl PagingLevels {
    /// The levels from the top down.
    pub fn levels(self) -> &'static [Level] {
        match self {
            PagingLevels::Four => &[Level::Pgd, Level::Pud, Level::Pmd, Level::Pte],
            PagingLevels::Five => &[Level::Pgd, Level::P4d, Level::Pud, Level::Pmd, Level::Pte],
        }
    }

    /// Width of a virtual address.
    #[inline]
    pub fn va_bits(self) -> u32 {
        match self {
            PagingLevels::Four => 48,
            PagingLevels::Five => 57,
        }
    }

    /// log2 of the bytes that one entry of a table at `level` covers
    /// (`PMD_SHIFT` and so on).
    #[inline]
    pub fn shift(self, level: Level) -> u32 {
        match (level, self) {
            (Level::Pte, _) => 12,
            (Level::Pmd, _) => 21,
            (Level::Pud, _) => 30,
            (Level::P4d, _) | (Level::Pgd, PagingLevels::Four) => 39,
            (Level::Pgd, PagingLevels::Five) => 48,
        }
    }

    /// Which entry of a table at `level` covers `va` (`pmd_index` and so on).
    #[inline]
    pub fn table_index(self, level: Level, va: VirtAddr) -> usize {
        (va.0 >> self.shift(level)) as usize & 511
    }
}

impl Level {
    /// Linux's name.
    pub fn name(self) -> &'static str {
        match self {
            Level::Pgd => "PGD",
            Level::P4d => "P4D",
            Level::Pud => "PUD",
            Level::Pmd => "PMD",
            Level::Pte => "PTE",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where entry `index` (0..512) of a table lies.
#[inline]
pub fn entry_addr(table: Pfn, index: usize) -> PhysAddr {
    PhysAddr(table.addr().0 | (index as u64 & 511) << 3)
}

/// The tables cannot be read as Linux would have built them: someone wrote
/// to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WalkError {
    /// PS is set: the entry maps a huge page.
    #[error("{level} entry {entry:?} has PS set: huge pages are not modelled")]
    HugePage {
        /// Level of the entry.
        level: Level,
        /// The entry.
        entry: Pte,
    },
    /// Address bits are set that the processor does not have.
    #[error("{level} entry {entry:?} has reserved address bits set")]
    Reserved {
        /// Level of the entry.
        level: Level,
        /// The entry.
        entry: Pte,
    },
    /// An entry (or CR3) names a frame beyond the end of RAM.
    #[error("the {level} table would be at page frame {table}, which does not exist")]
    NoSuchTable {
        /// Level of the table.
        level: Level,
        /// The frame named.
        table: Pfn,
    },
}

/// One step of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkStep {
    /// Level of the table.
    pub level: Level,
    /// The table's frame.
    pub table: Pfn,
    /// Which entry was used.
    pub index: usize,
    /// The entry.
    pub entry: Pte,
}

/// A walk for display: the entries passed on the way to a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// The address looked up.
    pub va: VirtAddr,
    /// From the top table down, as far as entries were present.
    pub steps: Vec<WalkStep>,
    /// The entry of the last level (present or not) if the walk got there.
    pub leaf: Option<Pte>,
    /// Why the walk stopped early, if the tables are broken.
    pub error: Option<WalkError>,
}

/// Walks the tables at `cr3` for `va` and reports every step. Changes nothing,
/// not even accessed bits.
pub fn walk(mem: &PhysMem, cr3: Pfn, levels: PagingLevels, va: VirtAddr) -> Walk {
    let mut walk = Walk { va, steps: Vec::with_capacity(5), leaf: None, error: None };
    let mut table = cr3;
    for &level in levels.levels() {
        if !mem.has_frame(table) {
            walk.error = Some(WalkError::NoSuchTable { level, table });
            break;
        }
        let index = levels.table_index(level, va);
        let entry = Pte(mem.read_u64(entry_addr(table, index)));
        walk.steps.push(WalkStep { level, table, index, entry });
        if level == Level::Pte {
            walk.leaf = Some(entry);
            break;
        }
        if !entry.is_present() {
            break;
        }
        match next_table(level, entry) {
            Ok(next) => table = next,
            Err(e) => {
                walk.error = Some(e);
                break;
            }
        }
    }
    walk
}

/// The table a present directory entry names.
#[inline]
fn next_table(level: Level, entry: Pte) -> Result<Pfn, WalkError> {
    if entry.has(PteFlags::PS) {
        return Err(WalkError::HugePage { level, entry });
    }
    if entry.reserved_bits() != 0 {
        return Err(WalkError::Reserved { level, entry });
    }
    Ok(entry.pfn())
}

/// Finds the last-level entry for `va`: where it is stored and what it holds.
/// `None` when a table on the way is missing.
///
/// # Errors
/// The tables are broken.
pub fn lookup(
    mem: &PhysMem,
    cr3: Pfn,
    levels: PagingLevels,
    va: VirtAddr,
) -> Result<Option<(PhysAddr, Pte)>, WalkError> {
    let Some(addr) = lookup_table(mem, cr3, levels, va)?
        .map(|t| entry_addr(t, levels.table_index(Level::Pte, va)))
    else {
        return Ok(None);
    };
    Ok(Some((addr, Pte(mem.read_u64(addr)))))
}

/// Finds the last-level table that covers `va`, `None` when it or one above it
/// is missing. The address of the entry for `va` is
/// `entry_addr(table, levels.table_index(Level::Pte, va))`.
///
/// # Errors
/// The tables are broken.
pub fn lookup_table(
    mem: &PhysMem,
    cr3: Pfn,
    levels: PagingLevels,
    va: VirtAddr,
) -> Result<Option<Pfn>, WalkError> {
    let mut table = cr3;
    for &level in levels.levels() {
        let Ok(frame) = mem.frame(table) else {
            return Err(WalkError::NoSuchTable { level, table });
        };
        if level == Level::Pte {
            return Ok(Some(table));
        }
        let entry = Pte(frame.get(levels.table_index(level, va)));
        if !entry.is_present() {
            return Ok(None);
        }
        table = next_table(level, entry)?;
    }
    Ok(None)
}

/// Where the last-level entry for `va` is stored; see [`lookup`].
///
/// # Errors
/// The tables are broken.
pub fn pte_addr(
    mem: &PhysMem,
    cr3: Pfn,
    levels: PagingLevels,
    va: VirtAddr,
) -> Result<Option<PhysAddr>, WalkError> {
    let table = lookup_table(mem, cr3, levels, va)?;
    Ok(table.map(|t| entry_addr(t, levels.table_index(Level::Pte, va))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing;

    #[test]
    fn indices_add_up() {
        let va = VirtAddr(0x00ab_cdef_1234_5678 & ((1 << 56) - 1));
        for levels in [PagingLevels::Four, PagingLevels::Five] {
            let mask = (1u64 << levels.va_bits()) - 1;
            let sum = levels.levels().iter().fold(va.offset(), |s, &l| {
                s | (levels.table_index(l, va) as u64) << levels.shift(l)
            });
            assert_eq!(sum, va.0 & mask);
        }
    }

    #[test]
    fn walks_show_every_level() {
        for levels in [PagingLevels::Four, PagingLevels::Five] {
            let mut t = testing::Space::new(levels);
            let va = VirtAddr(0x7fff_1234_5000);
            let page = t.map(va, PteFlags::P | PteFlags::US);
            let w = walk(&t.m.mem, t.cr3, levels, VirtAddr(va.0 + 5));
            let names: Vec<_> = w.steps.iter().map(|s| s.level).collect();
            assert_eq!(names, levels.levels());
            assert_eq!(w.leaf.map(Pte::pfn), Some(page));
            assert_eq!(w.steps[0].table, t.cr3);
            let (at, pte) = lookup(&t.m.mem, t.cr3, levels, va).unwrap().unwrap();
            assert_eq!(Some(pte), w.leaf);
            assert_eq!(pte_addr(&t.m.mem, t.cr3, levels, va), Ok(Some(at)));
            let kernel_half = VirtAddr(0xffff_8000_0000_0000);
            let elsewhere = walk(&t.m.mem, t.cr3, levels, kernel_half);
            assert_eq!((elsewhere.steps.len(), elsewhere.leaf), (1, None));
            assert_eq!(lookup(&t.m.mem, t.cr3, levels, kernel_half), Ok(None));
        }
    }

    #[test]
    fn broken_tables_are_named() {
        let levels = PagingLevels::Four;
        let mut t = testing::Space::new(levels);
        let va = VirtAddr(0x40_0000);
        t.map(va, PteFlags::P);
        let pmd = walk(&t.m.mem, t.cr3, levels, va).steps[2];
        let at = entry_addr(pmd.table, pmd.index);
        t.m.mem.write_u64(at, pmd.entry.with(PteFlags::PS).0);
        let e = lookup(&t.m.mem, t.cr3, levels, va).unwrap_err();
        assert!(matches!(e, WalkError::HugePage { level: Level::Pmd, .. }));
        assert!(e.to_string().contains("PMD") && e.to_string().contains("huge pages"));
        assert_eq!(walk(&t.m.mem, t.cr3, levels, va).error, Some(e));
        t.m.mem.write_u64(at, pmd.entry.0 | 1 << 51);
        let e = lookup(&t.m.mem, t.cr3, levels, va).unwrap_err();
        assert!(matches!(e, WalkError::Reserved { level: Level::Pmd, .. }));
        t.m.mem.write_u64(at, Pte::new(Pfn(1 << 30), PteFlags::P).0);
        let e = lookup(&t.m.mem, t.cr3, levels, va).unwrap_err();
        assert_eq!(e, WalkError::NoSuchTable { level: Level::Pte, table: Pfn(1 << 30) });
    }
}
