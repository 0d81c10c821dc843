//! `struct page`: what the kernel knows of one frame of memory.
//!
//! Linux: include/linux/mm_types.h (`struct page`), page-flags.h, page_ref.h.
//! Left out: compound pages and folios (one page is one folio), LRU lists,
//! `mapping` and `index` (the kernel keeps the rmap on its side).

use crate::base::Pfn;
use bitflags::bitflags;
use std::fmt;
use thiserror::Error;

bitflags! {
    /// What a page is and what state it is in (`PG_*`, and the page types
    /// that Linux encodes elsewhere).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct PageFlags: u32 {
        /// `PG_reserved`: not for the allocator, never freed.
        const RESERVED = 1 << 0;
        /// Anonymous memory (`PAGE_MAPPING_ANON` in `page->mapping`).
        const ANON = 1 << 1;
        /// `PG_anon_exclusive`: only one mm maps it; COW may reuse it.
        const ANON_EXCLUSIVE = 1 << 2;
        /// A page table (`PGTY_table`).
        const PGTABLE = 1 << 3;
        /// Kernel objects (`PGTY_slab`).
        const SLAB = 1 << 4;
        /// Part of a task's kernel stack. Linux has no flag for it.
        const KSTACK = 1 << 5;
        /// `PG_swapbacked`: backed by swap or RAM, not by a file.
        const SWAPBACKED = 1 << 6;
        /// `PG_dirty`.
        const DIRTY = 1 << 7;
        /// `PG_locked`.
        const LOCKED = 1 << 8;
        /// `PG_referenced`.
        const REFERENCED = 1 << 9;
        /// `PG_uptodate`: the content is valid.
        const UPTODATE = 1 << 10;
        /// The shared page of zeros (`ZERO_PAGE(0)`).
        const ZERO = 1 << 11;
        /// On the free list (`PGTY_buddy`).
        const BUDDY = 1 << 12;
        /// In the page cache: `page->mapping` names a file.
        const FILE = 1 << 13;
        /// The frame does not exist (pfn beyond the end of RAM).
        const HOLE = 1 << 14;
    }
}

impl fmt::Display for PageFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, _)) in self.iter_names().enumerate() {
            let sep = if i == 0 { "" } else { "|" };
            write!(f, "{sep}{name}")?;
        }
        Ok(())
    }
}

/// One frame's entry in the memory map (`vmemmap`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Page {
    /// `_refcount`: holders of the page; 0 means free.
    pub refcount: i32,
    /// Number of page-table entries that map the page. Linux stores this
    /// minus one (`_mapcount` starts at -1) and adds it back in
    /// `page_mapcount`.
    pub mapcount: i32,
    /// What the page is.
    pub flags: PageFlags,
    /// The next free page while on the free list; 0 ends it (pfn 0 is never
    /// free).
    pub(super) link: u32,
    /// `page->private`: for the owner.
    pub private: u32,
}

impl Page {
    /// What stands for a frame that does not exist.
    pub(super) const HOLE: Page =
        Page { refcount: 0, mapcount: 0, flags: PageFlags::HOLE, link: 0, private: 0 };
    /// A frame nobody has used yet.
    pub(super) const UNUSED: Page =
        Page { refcount: 0, mapcount: 0, flags: PageFlags::empty(), link: 0, private: 0 };

    /// One more page-table entry maps the page (`get_page` and
    /// `folio_add_*_rmap_pte` together, as a copied entry needs both).
    #[inline]
    pub fn add_mapping(&mut self, pfn: Pfn) -> Result<(), PageBug> {
        self.get(pfn)?;
        self.mapcount = self.mapcount.wrapping_add(1);
        Ok(())
    }

    /// Takes a reference (`get_page`).
    ///
    /// # Errors
    /// The page is free, or the count is at its end.
    #[inline]
    pub fn get(&mut self, pfn: Pfn) -> Result<(), PageBug> {
        // 1..MAX in one test: this runs for every entry fork copies.
        if self.refcount.wrapping_sub(1) as u32 >= i32::MAX as u32 - 1 {
            return Err(self.get_refused(pfn));
        }
        self.refcount += 1;
        Ok(())
    }

    #[cold]
    fn get_refused(&self, pfn: Pfn) -> PageBug {
        match self.refcount {
            i32::MAX => PageBug::RefOverflow { pfn },
            _ => PageBug::GetOnFree { pfn },
        }
    }
}

/// The page accounting was broken: a bug of the simulated kernel, or a script
/// that poked at it. The kernel makes an Oops of it. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PageBug {
    /// A frame beyond the end of RAM.
    #[error("page frame {pfn} does not exist")]
    NoSuchFrame {
        /// The frame.
        pfn: Pfn,
    },
    /// A reference was dropped that nobody held.
    #[error("page {pfn} freed twice: its refcount is already {refcount}")]
    RefUnderflow {
        /// The frame.
        pfn: Pfn,
        /// The count found.
        refcount: i32,
    },
    /// The count would wrap.
    #[error("refcount of page {pfn} overflows")]
    RefOverflow {
        /// The frame.
        pfn: Pfn,
    },
    /// A reference was taken on a page that is free.
    #[error("reference taken on page {pfn}, which is free")]
    GetOnFree {
        /// The frame.
        pfn: Pfn,
    },
    /// The last reference was dropped while page tables map the page.
    #[error("page {pfn} freed while mapped: its mapcount is {mapcount}")]
    StillMapped {
        /// The frame.
        pfn: Pfn,
        /// The count found.
        mapcount: i32,
    },
    /// A page on the free list is not free, or the list does not add up
    /// (`bad_page`).
    #[error("the free list is broken at page {pfn}")]
    BadFreePage {
        /// The frame.
        pfn: Pfn,
    },
    /// The last reference to a reserved page was dropped.
    #[error("page {pfn} is reserved and cannot be freed")]
    Reserved {
        /// The frame.
        pfn: Pfn,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_small() {
        assert!(size_of::<Page>() <= 20);
    }

    #[test]
    fn counts_do_not_wrap() {
        let mut p = Page { refcount: i32::MAX, ..Page::UNUSED };
        assert_eq!(p.get(Pfn(1)), Err(PageBug::RefOverflow { pfn: Pfn(1) }));
        let mut p = Page::UNUSED;
        assert_eq!(p.add_mapping(Pfn(1)), Err(PageBug::GetOnFree { pfn: Pfn(1) }));
        assert_eq!(p, Page::UNUSED);
        for (refcount, ok) in [(i32::MIN, false), (-1, false), (1, true), (i32::MAX - 1, true)] {
            assert_eq!(Page { refcount, ..Page::UNUSED }.get(Pfn(1)).is_ok(), ok);
        }
    }

    #[test]
    fn flags_print_as_names() {
        assert_eq!((PageFlags::ANON | PageFlags::DIRTY).to_string(), "ANON|DIRTY");
    }
}
