//! The translation lookaside buffer of one CPU.
//!
//! It remembers translations with the rights and the dirty state the walk
//! found, and knows nothing of what happens to the tables afterwards: a kernel
//! that forgets to flush goes on using the old page. That is the point.
//!
//! An entry is valid while its number equals the TLB's current one, so that a
//! flush is one addition.
//!
//! Linux: arch/x86/mm/tlb.c drives it. Source: Intel SDM vol. 3, section 5.10.
//! Left out: PCIDs, paging-structure caches, separate instruction TLB.

use crate::base::{PAGE_SHIFT, Pfn, VirtAddr};
use bitflags::bitflags;

/// Number of entries, direct-mapped.
pub const TLB_ENTRIES: usize = 128;

bitflags! {
    /// What a cached translation allows: the AND of all levels.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Rights: u8 {
        /// R/W was set at every level.
        const WRITE = 1 << 0;
        /// U/S was set at every level.
        const USER = 1 << 1;
        /// NX was clear at every level.
        const EXEC = 1 << 2;
        /// D was set in the last level: writes need not set it again.
        const DIRTY = 1 << 3;
        /// G was set in the last level.
        const GLOBAL = 1 << 4;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Slot {
    vpn: u64,
    pfn: Pfn,
    rights: Rights,
    generation: u32,
}

/// A valid entry, for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlbEntry {
    /// The page translated.
    pub va: VirtAddr,
    /// The frame found.
    pub pfn: Pfn,
    /// What the translation allows.
    pub rights: Rights,
}

/// What the TLB did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TlbStats {
    /// Translations served from the TLB.
    pub hits: u64,
    /// Translations that walked the tables.
    pub misses: u64,
    /// Whole flushes, with or without global entries.
    pub flushes: u64,
    /// Single pages flushed (INVLPG).
    pub page_flushes: u64,
    /// Walks that set accessed or dirty bits.
    pub marked: u64,
}

/// One CPU's TLB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tlb {
    slots: [Slot; TLB_ENTRIES],
    /// Current numbers of ordinary and of global entries; never 0.
    generation: u32,
    global_generation: u32,
    /// Counters; the user may reset them.
    pub stats: TlbStats,
}

impl Default for Tlb {
    fn default() -> Self {
        Tlb {
            slots: [Slot::default(); TLB_ENTRIES],
            generation: 1,
            global_generation: 1,
            stats: TlbStats::default(),
        }
    }
}

#[inline]
fn slot_of(vpn: u64) -> usize {
    // Code, heap and stack often start at equal low bits: fold higher ones in.
    (vpn ^ vpn >> 9 ^ vpn >> 18) as usize % TLB_ENTRIES
}

impl Tlb {
    #[inline]
    fn is_valid(&self, slot: &Slot) -> bool {
        let current = if slot.rights.contains(Rights::GLOBAL) {
            self.global_generation
        } else {
            self.generation
        };
        slot.generation == current
    }

    /// The cached translation of the page `va` lies in. Does not count.
    #[inline]
    pub fn lookup(&self, va: VirtAddr) -> Option<(Pfn, Rights)> {
        let vpn = va.0 >> PAGE_SHIFT;
        let slot = &self.slots[slot_of(vpn)];
        (slot.vpn == vpn && self.is_valid(slot)).then_some((slot.pfn, slot.rights))
    }

    /// Remembers a translation; forgets what shared its slot.
    pub fn insert(&mut self, va: VirtAddr, pfn: Pfn, rights: Rights) {
        let vpn = va.0 >> PAGE_SHIFT;
        let generation =
            if rights.contains(Rights::GLOBAL) { self.global_generation } else { self.generation };
        self.slots[slot_of(vpn)] = Slot { vpn, pfn, rights, generation };
    }

    /// Forgets everything, global entries too (CR4.PGE toggled,
    /// `__flush_tlb_all`).
    pub fn flush_all(&mut self) {
        self.global_generation = self.global_generation.wrapping_add(1);
        self.flush_nonglobal();
    }

    /// Forgets all but global entries: what loading CR3 does.
    pub fn flush_nonglobal(&mut self) {
        self.stats.flushes += 1;
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 || self.global_generation == 0 {
            // Wrapped: old numbers would look current again.
            let stats = self.stats;
            *self = Tlb { stats, ..Tlb::default() };
        }
    }

    /// Forgets one page, global or not (INVLPG, `flush_tlb_one_user`).
    pub fn flush_page(&mut self, va: VirtAddr) {
        self.stats.page_flushes += 1;
        self.forget(va);
    }

    /// As [`Tlb::flush_page`] without counting: a page fault forgets the
    /// translation of its address by itself.
    pub(super) fn forget(&mut self, va: VirtAddr) {
        let vpn = va.0 >> PAGE_SHIFT;
        let slot = &mut self.slots[slot_of(vpn)];
        if slot.vpn == vpn {
            *slot = Slot::default();
        }
    }

    /// The valid entries, by address.
    pub fn entries(&self) -> Vec<TlbEntry> {
        let valid = self.slots.iter().filter(|s| self.is_valid(s));
        let mut list: Vec<_> = valid
            .map(|s| TlbEntry { va: VirtAddr(s.vpn << PAGE_SHIFT), pfn: s.pfn, rights: s.rights })
            .collect();
        list.sort_by_key(|e| e.va);
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_entries_outlive_a_cr3_load() {
        let mut t = Tlb::default();
        t.insert(VirtAddr(0x1000), Pfn(1), Rights::USER);
        t.insert(VirtAddr(0x2000), Pfn(2), Rights::GLOBAL);
        assert_eq!(t.entries().len(), 2);
        t.flush_nonglobal();
        assert_eq!(t.lookup(VirtAddr(0x1fff)), None);
        assert_eq!(t.lookup(VirtAddr(0x2fff)), Some((Pfn(2), Rights::GLOBAL)));
        t.flush_all();
        assert_eq!(t.lookup(VirtAddr(0x2000)), None);
        assert!(t.entries().is_empty());
    }

    #[test]
    fn a_page_is_flushed_alone() {
        let mut t = Tlb::default();
        t.insert(VirtAddr(0), Pfn(7), Rights::USER);
        t.insert(VirtAddr(0x1000), Pfn(1), Rights::GLOBAL);
        t.flush_page(VirtAddr(0x1abc));
        assert_eq!(t.lookup(VirtAddr(0x1000)), None);
        assert!(t.lookup(VirtAddr(0)).is_some());
        assert_eq!(t.lookup(VirtAddr((TLB_ENTRIES as u64) << 12)), None);
        assert_eq!(t.stats.page_flushes, 1);
    }

    #[test]
    fn old_entries_do_not_come_back_when_numbers_wrap() {
        let mut t = Tlb::default();
        t.insert(VirtAddr(0x1000), Pfn(1), Rights::USER);
        t.generation = u32::MAX;
        t.flush_nonglobal();
        assert_eq!(t.generation, 1);
        assert_eq!(t.lookup(VirtAddr(0x1000)), None);
        assert_eq!(t.stats.flushes, 1);
    }
}
