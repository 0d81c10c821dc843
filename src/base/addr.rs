//! Addresses and page frame numbers as types of their own, so that a virtual
//! address is never used as a physical one.
//!
//! Linux: `phys_addr_t`, `PAGE_SHIFT`, `PHYS_PFN`, `PFN_PHYS`.
//! Left out: huge pages; there is one page size.

use std::fmt;

/// log2 of the page size.
pub const PAGE_SHIFT: u32 = 12;
/// Page size in bytes.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;
/// Clears the offset within a page.
pub const PAGE_MASK: u64 = !(PAGE_SIZE - 1);

/// A virtual address: what programs and the kernel use, translated through CR3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VirtAddr(pub u64);

/// A physical address: a byte of emulated RAM.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PhysAddr(pub u64);

/// A page frame number: a physical address divided by [`PAGE_SIZE`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pfn(pub u32);

impl VirtAddr {
    /// The address of the page this address lies in.
    pub fn page(self) -> VirtAddr {
        VirtAddr(self.0 & PAGE_MASK)
    }
    /// The offset within the page, in bytes.
    pub fn offset(self) -> u64 {
        self.0 & !PAGE_MASK
    }
    /// Whether bits `bits-1..64` are all equal, as the processor demands of
    /// an address (48 bits with 4-level paging, 57 with 5-level).
    /// Source: Intel SDM vol. 1, section 3.3.7.1.
    pub fn is_canonical(self, bits: u32) -> bool {
        let shift = 64 - bits;
        (((self.0 << shift) as i64) >> shift) as u64 == self.0
    }
}

impl PhysAddr {
    /// The frame this address lies in.
    pub fn pfn(self) -> Pfn {
        Pfn((self.0 >> PAGE_SHIFT) as u32)
    }
    /// The offset within the frame, in bytes.
    pub fn offset(self) -> u64 {
        self.0 & !PAGE_MASK
    }
}

impl Pfn {
    /// The physical address of the frame's first byte.
    pub fn addr(self) -> PhysAddr {
        PhysAddr(u64::from(self.0) << PAGE_SHIFT)
    }
}

/// Rounds up to a page boundary; `None` when that overflows (Linux's
/// `PAGE_ALIGN` wraps to 0 there and callers test for it).
pub fn page_align_up(addr: u64) -> Option<u64> {
    addr.checked_add(PAGE_SIZE - 1).map(|a| a & PAGE_MASK)
}

macro_rules! hex_fmt {
    ($t:ident) => {
        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($t), "({:#x})"), self.0)
            }
        }
    };
}
hex_fmt!(VirtAddr);
hex_fmt!(PhysAddr);
hex_fmt!(Pfn);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_boundaries() {
        assert!(VirtAddr(0x7fff_ffff_ffff).is_canonical(48));
        assert!(!VirtAddr(0x8000_0000_0000).is_canonical(48));
        assert!(VirtAddr(0xffff_8000_0000_0000).is_canonical(48));
        assert!(VirtAddr(0x8000_0000_0000).is_canonical(57));
        assert!(!VirtAddr(0x0100_0000_0000_0000).is_canonical(57));
    }

    #[test]
    fn align_up_reports_overflow() {
        assert_eq!(page_align_up(1), Some(0x1000));
        assert_eq!(page_align_up(0x1000), Some(0x1000));
        assert_eq!(page_align_up(u64::MAX), None);
    }
}
