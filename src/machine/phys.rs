//! Physical memory and its page allocator: order 0, constant time, the same
//! calls give the same frames.
//!
//! Freed frames are reused last in, first out; frames never used come from a
//! cursor behind them. Pages come out zeroed.
//!
//! Linux: mm/page_alloc.c (`alloc_pages`, `free_pages`), mm/swap.c
//! (`__folio_put`). Source: Intel SDM vol. 3, section 5.1.4 for the
//! physical-address width.
//! Left out: zones, NUMA nodes, higher orders, watermarks, reclaim: an empty
//! allocator says `None` and the caller returns ENOMEM.

use super::chunks::Chunks;
use super::frame::Frame;
use super::page::{Page, PageBug, PageFlags};
use crate::base::{PAGE_SHIFT, Pfn};

/// Width of a physical address (MAXPHYADDR): frame numbers fill 32 bits.
pub const PHYS_BITS: u32 = 44;
/// Frames in the first MiB, which firmware and legacy devices own.
pub const LOW_RESERVED: u32 = 256;
/// Elements a chunk of the frame and page tables.
pub const CHUNK: usize = 64;

/// The emulated RAM with its `struct page` array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhysMem {
    pub(super) frames: Chunks<Frame, CHUNK>,
    pages: Chunks<Page, CHUNK>,
    total: u32,
    free: FreeList,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FreeList {
    /// Most recently freed frame; 0 when there is none.
    head: u32,
    /// First frame never used.
    bump: u32,
    /// Free frames, listed or never used.
    count: u32,
}

impl PhysMem {
    /// Memory of `bytes` bytes, rounded down to whole pages and to what
    /// [`PHYS_BITS`] can name. Costs host memory only when touched.
    pub fn new(bytes: u64) -> Self {
        let total = u32::try_from(bytes >> PAGE_SHIFT).unwrap_or(u32::MAX);
        let low = LOW_RESERVED.min(total);
        let free = FreeList { head: 0, bump: low, count: total - low };
        let mut mem = PhysMem { frames: Chunks::default(), pages: Chunks::default(), total, free };
        for pfn in 0..low {
            let page = mem.pages.get_mut(pfn as usize);
            *page = Page { refcount: 1, flags: PageFlags::RESERVED, ..Page::UNUSED };
        }
        mem
    }

    /// All frames, reserved ones included.
    pub fn total_pages(&self) -> u32 {
        self.total
    }

    /// Frames the allocator can still give.
    pub fn free_pages(&self) -> u32 {
        self.free.count
    }

    /// Whether the frame exists.
    #[inline]
    pub fn has_frame(&self, pfn: Pfn) -> bool {
        pfn.0 < self.total
    }

    /// A zeroed page with one reference; `None` when memory is exhausted.
    pub fn alloc_page(&mut self, flags: PageFlags) -> Option<Pfn> {
        let listed = self.free.head != 0;
        let pfn = if listed { self.free.head } else { self.free.bump };
        if pfn >= self.total {
            return None;
        }
        let page = self.pages.get_mut(pfn as usize);
        if listed {
            self.free.head = page.link;
        } else {
            self.free.bump += 1;
        }
        *page = Page { refcount: 1, flags, ..Page::UNUSED };
        self.free.count -= 1;
        // A stale TLB entry or a script may have written to the free frame.
        if self.frames.get(pfn as usize).is_some_and(|f| !f.is_untouched()) {
            *self.frames.get_mut(pfn as usize) = Frame::Zero;
        }
        Some(Pfn(pfn))
    }

    /// Takes a reference.
    ///
    /// # Errors
    /// No such frame, or it is free, or its count is at the end.
    #[inline]
    pub fn get_page(&mut self, pfn: Pfn) -> Result<(), PageBug> {
        self.page_mut(pfn)?.get(pfn)
    }

    /// Drops a reference; the last one frees the page and zeroes its frame.
    /// Returns whether that happened.
    ///
    /// # Errors
    /// No reference to drop, or the page cannot be freed. Nothing changes.
    #[inline]
    pub fn put_page(&mut self, pfn: Pfn) -> Result<bool, PageBug> {
        self.page_run(pfn)?.put(pfn)
    }

    /// The page's metadata; for a frame that does not exist, a page with the
    /// flag `HOLE`.
    #[inline]
    pub fn page(&self, pfn: Pfn) -> &Page {
        if !self.has_frame(pfn) {
            return &Page::HOLE;
        }
        self.pages.get(pfn.0 as usize).unwrap_or(&Page::UNUSED)
    }

    /// The page's metadata for writing.
    ///
    /// # Errors
    /// No such frame.
    #[inline]
    pub fn page_mut(&mut self, pfn: Pfn) -> Result<&mut Page, PageBug> {
        if !self.has_frame(pfn) {
            return Err(PageBug::NoSuchFrame { pfn });
        }
        Ok(self.pages.get_mut(pfn.0 as usize))
    }

    /// Opens the metadata of `pfn` and its neighbours, so that a loop over
    /// nearby frames pays once for the test whether a snapshot shares it:
    ///
    /// ```
    /// # use forkyard::{base::Pfn, machine::{PhysMem, PageFlags}};
    /// # let mut mem = PhysMem::new(64 << 20);
    /// # let pfns: Vec<Pfn> = (0..9).filter_map(|_| mem.alloc_page(PageFlags::ANON)).collect();
    /// let mut run = mem.page_run(pfns[0])?;
    /// for &pfn in &pfns {
    ///     if !run.contains(pfn) {
    ///         run = mem.page_run(pfn)?;
    ///     }
    ///     run.page(pfn)?.add_mapping(pfn)?;
    /// }
    /// # Ok::<(), forkyard::machine::PageBug>(())
    /// ```
    ///
    /// # Errors
    /// No such frame.
    #[inline]
    pub fn page_run(&mut self, pfn: Pfn) -> Result<PageRun<'_>, PageBug> {
        if !self.has_frame(pfn) {
            return Err(PageBug::NoSuchFrame { pfn });
        }
        Ok(PageRun {
            base: pfn.0 - pfn.0 % CHUNK as u32,
            total: self.total,
            pages: self.pages.chunk_mut(pfn.0 as usize),
            frames: &mut self.frames,
            free: &mut self.free,
        })
    }

    /// The pages in use, reserved ones included, ascending: for recounting
    /// references from their holders.
    pub fn used_pages(&self) -> impl Iterator<Item = (Pfn, &Page)> + '_ {
        let all = self.pages.iter_chunks().flat_map(|(base, c)| (base..).zip(c.iter()));
        all.filter(|(_, p)| p.refcount != 0).map(|(i, p)| (Pfn(i as u32), p))
    }

    /// Checks the allocator against itself: every frame is used, on the free
    /// list once, or never used; no free frame has mappings.
    ///
    /// # Errors
    /// The first frame where that is not so.
    pub fn check(&self) -> Result<(), PageBug> {
        let used = self.used_pages().count() as u32;
        let mut listed = 0;
        let mut next = self.free.head;
        while next != 0 {
            let pfn = Pfn(next);
            let page = self.page(pfn);
            listed += 1;
            if page.refcount != 0 || page.mapcount != 0 || !page.flags.contains(PageFlags::BUDDY) {
                return Err(PageBug::BadFreePage { pfn });
            }
            if listed > self.total {
                return Err(PageBug::BadFreePage { pfn });
            }
            next = page.link;
        }
        let never = self.total - self.free.bump;
        if listed + never != self.free.count || used + self.free.count != self.total {
            return Err(PageBug::BadFreePage { pfn: Pfn(self.free.head) });
        }
        Ok(())
    }

    /// Host memory held for the guest, in bytes. Approximate: memory shared
    /// with snapshots or between frames counts in full, allocator overhead not
    /// at all. Walks everything.
    pub fn host_bytes(&self) -> usize {
        let content = |(_, c): (usize, &[Frame; CHUNK])| c.iter().map(Frame::host_bytes).sum();
        let content: usize = self.frames.iter_chunks().map::<usize, _>(content).sum();
        content + self.frames.host_bytes() + self.pages.host_bytes()
    }
}

/// Metadata of neighbouring frames, opened by [`PhysMem::page_run`].
#[derive(Debug)]
pub struct PageRun<'a> {
    base: u32,
    total: u32,
    pages: &'a mut [Page; CHUNK],
    frames: &'a mut Chunks<Frame, CHUNK>,
    free: &'a mut FreeList,
}

impl PageRun<'_> {
    /// Whether the frame is among those opened.
    #[inline]
    pub fn contains(&self, pfn: Pfn) -> bool {
        pfn.0 & !(CHUNK as u32 - 1) == self.base && pfn.0 < self.total
    }

    /// The page's metadata.
    ///
    /// # Errors
    /// The frame is not in this run ([`PageRun::contains`]).
    #[inline]
    pub fn page(&mut self, pfn: Pfn) -> Result<&mut Page, PageBug> {
        if !self.contains(pfn) {
            return Err(PageBug::NoSuchFrame { pfn });
        }
        Ok(&mut self.pages[pfn.0 as usize % CHUNK])
    }

    /// [`PhysMem::put_page`] within the run.
    ///
    /// # Errors
    /// As there; also when the frame is not in this run.
    #[inline]
    pub fn put(&mut self, pfn: Pfn) -> Result<bool, PageBug> {
        let page = self.page(pfn)?;
        if page.refcount > 1 {
            page.refcount -= 1;
            return Ok(false);
        }
        self.free_page(pfn)
    }

    fn free_page(&mut self, pfn: Pfn) -> Result<bool, PageBug> {
        let Page { refcount, mapcount, flags, .. } = *self.page(pfn)?;
        if refcount <= 0 {
            return Err(PageBug::RefUnderflow { pfn, refcount });
        }
        if flags.contains(PageFlags::RESERVED) {
            return Err(PageBug::Reserved { pfn });
        }
        if mapcount != 0 {
            return Err(PageBug::StillMapped { pfn, mapcount });
        }
        let link = self.free.head;
        *self.page(pfn)? = Page { flags: PageFlags::BUDDY, link, ..Page::UNUSED };
        self.free.head = pfn.0;
        self.free.count += 1;
        if self.frames.get(pfn.0 as usize).is_some_and(|f| !f.is_untouched()) {
            *self.frames.get_mut(pfn.0 as usize) = Frame::Zero;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::PAGE_SIZE;

    fn mem() -> PhysMem {
        PhysMem::new(2 << 20)
    }

    #[test]
    fn frames_come_back_last_in_first_out_and_zeroed() {
        let mut m = mem();
        let a = m.alloc_page(PageFlags::ANON).unwrap();
        let b = m.alloc_page(PageFlags::ANON).unwrap();
        assert_eq!((a, b), (Pfn(256), Pfn(257)));
        m.write_u64(a.addr(), 5);
        assert_eq!(m.put_page(a), Ok(true));
        assert_eq!(m.put_page(b), Ok(true));
        // A write through a stale translation hits the free frame.
        m.write_u64(b.addr(), 6);
        assert_eq!(m.alloc_page(PageFlags::ANON), Some(b));
        assert_eq!(m.alloc_page(PageFlags::ANON), Some(a));
        assert_eq!(m.alloc_page(PageFlags::ANON), Some(Pfn(258)));
        assert!(m.is_zero(a) && m.is_zero(b));
    }

    #[test]
    fn exhaustion_is_orderly() {
        let mut m = mem();
        let mut got = vec![];
        while let Some(p) = m.alloc_page(PageFlags::ANON) {
            got.push(p);
        }
        assert_eq!((got.len(), m.free_pages()), (256, 0));
        assert_eq!(m.used_pages().count(), 512);
        assert_eq!(m.alloc_page(PageFlags::ANON), None);
        assert_eq!(m.put_page(got[7]), Ok(true));
        assert_eq!(m.alloc_page(PageFlags::ANON), Some(got[7]));
        assert_eq!(m.alloc_page(PageFlags::ANON), None);
        for p in got.iter().copied() {
            assert_eq!(m.put_page(p), Ok(true));
        }
        assert_eq!(m.free_pages(), 256);
        assert_eq!(m.check(), Ok(()));
        m.page_mut(got[3]).unwrap().refcount = 1;
        assert_eq!(m.check(), Err(PageBug::BadFreePage { pfn: got[3] }));
    }

    #[test]
    fn tiny_memory_has_nothing_to_give() {
        for bytes in [0, PAGE_SIZE, 1 << 20] {
            let mut m = PhysMem::new(bytes);
            assert_eq!(m.free_pages(), 0);
            assert_eq!(m.alloc_page(PageFlags::empty()), None);
        }
    }

    #[test]
    fn broken_accounting_is_named() {
        let mut m = mem();
        let a = m.alloc_page(PageFlags::ANON).unwrap();
        m.get_page(a).unwrap();
        assert_eq!(m.put_page(a), Ok(false));
        m.page_mut(a).unwrap().mapcount = 1;
        assert_eq!(m.put_page(a), Err(PageBug::StillMapped { pfn: a, mapcount: 1 }));
        m.page_mut(a).unwrap().mapcount = 0;
        assert_eq!(m.put_page(a), Ok(true));
        assert_eq!(m.put_page(a), Err(PageBug::RefUnderflow { pfn: a, refcount: 0 }));
        assert_eq!(m.get_page(a), Err(PageBug::GetOnFree { pfn: a }));
        assert_eq!(m.put_page(Pfn(3)), Err(PageBug::Reserved { pfn: Pfn(3) }));
        let far = Pfn(1 << 30);
        assert_eq!(m.put_page(far), Err(PageBug::NoSuchFrame { pfn: far }));
        assert!(m.page_mut(far).is_err());
        assert!(m.page(far).flags.contains(PageFlags::HOLE));
        assert_eq!(m.free_pages(), 256);
    }

    #[test]
    fn large_memory_is_free_until_touched() {
        let mut m = PhysMem::new(64 << 30);
        assert!(m.host_bytes() < 64 << 10);
        m.write_u64(Pfn(m.total_pages() - 1).addr(), 1);
        assert!(m.host_bytes() < 4 << 20);
    }

    #[test]
    fn snapshots_are_independent() {
        let mut m = mem();
        let a = m.alloc_page(PageFlags::ANON).unwrap();
        m.write_u64(a.addr(), 1);
        let snap = m.clone();
        assert_eq!(snap, m);
        m.write_u64(a.addr(), 2);
        m.get_page(a).unwrap();
        assert_eq!((snap.read_u64(a.addr()), snap.page(a).refcount), (1, 1));
        assert_ne!(snap, m);
        m.write_u64(a.addr(), 1);
        m.put_page(a).unwrap();
        assert_eq!(snap, m);
    }
}
