//! A page-table entry, 8 bytes, the same shape at every level.
//!
//! ```text
//! 63  62    52 51    44 43          12 11 10  9 8 7  6 5 4   3   2  1  0
//! NX  software reserved page frame      SD    SP G PS D A PCD PWT US RW P
//! ```
//!
//! Linux: arch/x86/include/asm/pgtable_types.h.
//! Source: Intel SDM vol. 3, section 5.5.4, table 5-20.
//! Left out: protection keys, PAT, UFFD_WP and the other software bits.

use super::phys::PHYS_BITS;
use crate::base::{PAGE_SHIFT, Pfn, PhysAddr};
use bitflags::bitflags;
use std::fmt;

bitflags! {
    /// The flag bits of an entry.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct PteFlags: u64 {
        /// `_PAGE_PRESENT`: the entry is in use.
        const P = 1 << 0;
        /// `_PAGE_RW`: writes are allowed.
        const RW = 1 << 1;
        /// `_PAGE_USER`: ring 3 may use the page.
        const US = 1 << 2;
        /// `_PAGE_PWT`: write-through. Has no effect here.
        const PWT = 1 << 3;
        /// `_PAGE_PCD`: cache disabled. Has no effect here.
        const PCD = 1 << 4;
        /// `_PAGE_ACCESSED`: set by the walk.
        const A = 1 << 5;
        /// `_PAGE_DIRTY`: set by the walk for a write, in the last level.
        const D = 1 << 6;
        /// `_PAGE_PSE`: maps a huge page. Refused here.
        const PS = 1 << 7;
        /// `_PAGE_GLOBAL`: the translation outlives a load of CR3.
        const G = 1 << 8;
        /// `_PAGE_SPECIAL` (software): no `struct page` behind it, as for the
        /// zero page.
        const SPECIAL = 1 << 9;
        /// `_PAGE_SOFT_DIRTY` (software).
        const SOFT_DIRTY = 1 << 11;
        /// `_PAGE_NX`: instruction fetch is forbidden.
        const NX = 1 << 63;
    }
}

/// The bits that hold the frame number.
const FRAME_MASK: u64 = ((1 << PHYS_BITS) - 1) & !((1 << PAGE_SHIFT) - 1);
/// Physical-address bits this processor does not have.
const RESERVED_MASK: u64 = ((1 << 52) - 1) & !((1 << PHYS_BITS) - 1);

/// One entry of a page table, at whatever level.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Pte(pub u64);

impl Pte {
    /// The entry of nothing (`pte_none`).
    pub const NONE: Pte = Pte(0);

    /// An entry that names `pfn` (`pfn_pte`).
    #[inline]
    pub fn new(pfn: Pfn, flags: PteFlags) -> Pte {
        Pte(u64::from(pfn.0) << PAGE_SHIFT | flags.bits())
    }

    /// The frame named (`pte_pfn`). Reserved address bits are not part of it.
    #[inline]
    pub fn pfn(self) -> Pfn {
        PhysAddr(self.0 & FRAME_MASK).pfn()
    }

    /// The flag bits.
    #[inline]
    pub fn flags(self) -> PteFlags {
        PteFlags::from_bits_truncate(self.0)
    }

    /// Whether all of `flags` are set.
    #[inline]
    pub fn has(self, flags: PteFlags) -> bool {
        self.0 & flags.bits() == flags.bits()
    }

    /// The entry with `flags` set.
    #[inline]
    #[must_use]
    pub fn with(self, flags: PteFlags) -> Pte {
        Pte(self.0 | flags.bits())
    }

    /// The entry with `flags` cleared.
    #[inline]
    #[must_use]
    pub fn without(self, flags: PteFlags) -> Pte {
        Pte(self.0 & !flags.bits())
    }

    /// The entry with another set of flags, same frame (`pte_modify`).
    #[inline]
    #[must_use]
    pub fn with_flags(self, flags: PteFlags) -> Pte {
        Pte::new(self.pfn(), flags)
    }

    /// `pte_none`: nothing here, not even a swap entry.
    #[inline]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// `pte_present`.
    #[inline]
    pub fn is_present(self) -> bool {
        self.has(PteFlags::P)
    }

    /// `pte_write`.
    #[inline]
    pub fn is_writable(self) -> bool {
        self.has(PteFlags::RW)
    }

    /// `pte_dirty`.
    #[inline]
    pub fn is_dirty(self) -> bool {
        self.has(PteFlags::D)
    }

    /// `pte_young`.
    #[inline]
    pub fn is_young(self) -> bool {
        self.has(PteFlags::A)
    }

    /// `pte_special`.
    #[inline]
    pub fn is_special(self) -> bool {
        self.has(PteFlags::SPECIAL)
    }

    /// `pte_wrprotect`.
    #[inline]
    #[must_use]
    pub fn wrprotect(self) -> Pte {
        self.without(PteFlags::RW)
    }

    /// The frame a present entry names, if it lies below `total` frames. What
    /// was poked into a table may name anything (`pfn_valid`).
    #[inline]
    pub fn valid_pfn(self, total: u32) -> Option<Pfn> {
        let wanted = PteFlags::P.bits();
        let pfn = self.pfn();
        (self.0 & (wanted | RESERVED_MASK) == wanted && pfn.0 < total).then_some(pfn)
    }

    /// Address bits set that this processor does not have.
    #[inline]
    pub fn reserved_bits(self) -> u64 {
        self.0 & RESERVED_MASK
    }
}

impl fmt::Display for Pte {
    /// `pfn=0x1a2 P RW US A D NX`; `none` for an empty entry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        if !self.is_present() {
            return write!(f, "not present {:#x}", self.0);
        }
        write!(f, "pfn={}", self.pfn())?;
        for (name, _) in self.flags().iter_names() {
            write!(f, " {name}")?;
        }
        if self.reserved_bits() != 0 {
            write!(f, " reserved={:#x}", self.reserved_bits())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Pte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pte({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_overlap() {
        let all = Pte::new(Pfn(u32::MAX), PteFlags::all());
        assert_eq!(all.pfn(), Pfn(u32::MAX));
        assert_eq!(all.reserved_bits(), 0);
        assert_eq!(all.flags(), PteFlags::all());
        assert_eq!(Pte(1 << 44).pfn(), Pfn(0));
        assert_ne!(Pte(1 << 44).reserved_bits(), 0);
        assert_eq!(Pte(1 << 44 | 0x5001).valid_pfn(9), None);
        assert_eq!(Pte(0x5001).valid_pfn(9), Some(Pfn(5)));
        assert_eq!(Pte(0x5000).valid_pfn(9), None);
        assert_eq!(Pte(0x9001).valid_pfn(9), None);
        assert_eq!(all.with_flags(PteFlags::P), Pte::new(Pfn(u32::MAX), PteFlags::P));
    }

    #[test]
    fn prints_as_the_manual_names_it() {
        let f = PteFlags::P | PteFlags::RW | PteFlags::US | PteFlags::A | PteFlags::D;
        let e = Pte::new(Pfn(0x1a2), f | PteFlags::NX);
        assert_eq!(e.to_string(), "pfn=0x1a2 P RW US A D NX");
        assert_eq!(e.wrprotect().to_string(), "pfn=0x1a2 P US A D NX");
        assert_eq!(Pte::NONE.to_string(), "none");
        assert_eq!(Pte(0x1000).to_string(), "not present 0x1000");
    }
}
