//! Loops over one page table together with the `struct page`s it names: the
//! inner part of fork, exit, munmap and mprotect.
//!
//! The caller decides for every entry; the loop opens tables and metadata once
//! for a stretch of entries, and skips lines nobody wrote.
//!
//! Linux: mm/memory.c (`copy_pte_range`, `zap_pte_range`), mm/mprotect.c
//! (`change_pte_range`). Left out: batching over large folios.

use super::frame::{FrameMut, bits};
use super::page::{Page, PageBug};
use super::phys::{PageRun, PhysMem};
use super::pte::Pte;
use super::sparse::LINE_WORDS;
use crate::base::Pfn;
use std::ops::Range;

/// What to do with an entry that is being copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyEntry {
    /// Leave the source, store nothing.
    Skip,
    /// Store these in the source and in the copy.
    Both {
        /// The source's entry from now on.
        src: Pte,
        /// The copy's entry.
        dst: Pte,
    },
    /// End the loop before this entry, with both tables usable: the caller
    /// must do something first (`-EAGAIN` in `copy_pte_range`).
    Stop,
}

/// What to do with an entry that is being visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZapEntry {
    /// Leave it.
    Keep,
    /// Store another.
    Set(Pte),
    /// Clear it.
    Clear,
    /// Clear it and drop the reference the entry had on its page.
    ClearAndPut,
}

/// Bits of the lines that entries `range` lie in.
fn line_mask(range: &Range<usize>) -> u64 {
    if range.start >= range.end {
        return 0;
    }
    let first = range.start / LINE_WORDS;
    let last = (range.end - 1) / LINE_WORDS;
    (!0 << first) & (!0 >> (63 - last))
}

/// The entries of line `n` that lie in `range`, as a range of `0..8`.
#[inline]
fn in_line(n: usize, range: &Range<usize>) -> Range<usize> {
    let base = n * LINE_WORDS;
    range.start.saturating_sub(base)..(range.end - base).min(LINE_WORDS)
}

impl PhysMem {
    /// Copies the entries `range` of the table `src` into the table `dst`. `f`
    /// is asked for every nonzero entry; it gets the page when the entry is
    /// present and names a frame that exists, and takes references itself
    /// ([`Page::add_mapping`]). Returns the index of the entry `f` stopped at.
    ///
    /// # Errors
    /// Whatever `f` returns; entries up to there stand. No such table.
    pub fn copy_table<E: From<PageBug>>(
        &mut self,
        dst: Pfn,
        src: Pfn,
        range: Range<usize>,
        mut f: impl FnMut(usize, Pte, Option<&mut Page>) -> Result<CopyEntry, E>,
    ) -> Result<Option<usize>, E> {
        self.frame(dst)?;
        let range = range.start..range.end.min(super::FRAME_WORDS);
        let mut from = self.take_frame(src)?;
        let lines = from.lines_present() & line_mask(&range);
        if lines == 0 || dst == src {
            self.put_frame(src, from)?;
            return Ok(None);
        }
        let mut to = self.take_frame(dst)?;
        let done = {
            let from = from.make_mut(lines);
            let to = to.make_mut(lines);
            self.copy_lines(from, to, lines, &range, &mut f)
        };
        self.put_frame(src, from)?;
        self.put_frame(dst, to)?;
        done
    }

    #[inline]
    fn copy_lines<E: From<PageBug>>(
        &mut self,
        mut from: FrameMut<'_>,
        mut to: FrameMut<'_>,
        lines: u64,
        range: &Range<usize>,
        f: &mut impl FnMut(usize, Pte, Option<&mut Page>) -> Result<CopyEntry, E>,
    ) -> Result<Option<usize>, E> {
        let total = self.total_pages();
        let mut run: Option<PageRun<'_>> = None;
        for n in bits(lines) {
            let Some(s) = from.line_mut(n) else { continue };
            if *s == [0; LINE_WORDS] {
                continue;
            }
            let d = to.line_or_insert(n);
            for k in in_line(n, range) {
                let old = Pte(s[k]);
                if old.is_none() {
                    continue;
                }
                let i = n * LINE_WORDS + k;
                let pfn = old.pfn();
                let page = if old.valid_pfn(total).is_some() {
                    if !run.as_ref().is_some_and(|r| r.contains(pfn)) {
                        run = Some(self.page_run(pfn)?);
                    }
                    run.as_mut().map(|r| r.page(pfn)).transpose()?
                } else {
                    None
                };
                match f(i, old, page)? {
                    CopyEntry::Skip => {}
                    CopyEntry::Stop => return Ok(Some(i)),
                    CopyEntry::Both { src, dst } => {
                        s[k] = src.0;
                        d[k] = dst.0;
                    }
                }
            }
        }
        Ok(None)
    }

    /// Visits the nonzero entries `range` of a table. `f` gets the page as in
    /// [`PhysMem::copy_table`] and says what becomes of the entry; it adjusts
    /// the mapcount itself, before the page may be freed.
    ///
    /// # Errors
    /// Whatever `f` returns; what freeing a page finds wrong. Entries up to
    /// there stand. No such table.
    pub fn zap_table<E: From<PageBug>>(
        &mut self,
        table: Pfn,
        range: Range<usize>,
        mut f: impl FnMut(usize, Pte, Option<&mut Page>) -> Result<ZapEntry, E>,
    ) -> Result<(), E> {
        let range = range.start..range.end.min(super::FRAME_WORDS);
        let mut frame = self.take_frame(table)?;
        let lines = frame.lines_present() & line_mask(&range);
        let done = if lines == 0 {
            Ok(())
        } else {
            self.zap_lines(frame.make_mut(lines), lines, &range, &mut f)
        };
        self.put_frame(table, frame)?;
        done
    }

    #[inline]
    fn zap_lines<E: From<PageBug>>(
        &mut self,
        mut frame: FrameMut<'_>,
        lines: u64,
        range: &Range<usize>,
        f: &mut impl FnMut(usize, Pte, Option<&mut Page>) -> Result<ZapEntry, E>,
    ) -> Result<(), E> {
        let total = self.total_pages();
        let mut run: Option<PageRun<'_>> = None;
        for n in bits(lines) {
            let Some(line) = frame.line_mut(n) else { continue };
            for k in in_line(n, range) {
                let old = Pte(line[k]);
                if old.is_none() {
                    continue;
                }
                let pfn = old.pfn();
                let page = if old.valid_pfn(total).is_some() {
                    if !run.as_ref().is_some_and(|r| r.contains(pfn)) {
                        run = Some(self.page_run(pfn)?);
                    }
                    run.as_mut().map(|r| r.page(pfn)).transpose()?
                } else {
                    None
                };
                match f(n * LINE_WORDS + k, old, page)? {
                    ZapEntry::Keep => {}
                    ZapEntry::Set(new) => line[k] = new.0,
                    ZapEntry::Clear => line[k] = 0,
                    ZapEntry::ClearAndPut => {
                        let Some(run) = run.as_mut().filter(|r| r.contains(pfn)) else {
                            return Err(PageBug::NoSuchFrame { pfn }.into());
                        };
                        run.put(pfn)?;
                        line[k] = 0;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{PageFlags, PteFlags, entry_addr};

    const RWP: PteFlags = PteFlags::P.union(PteFlags::RW);

    fn table_of(m: &mut PhysMem, indices: &[usize]) -> Pfn {
        let t = m.alloc_page(PageFlags::PGTABLE).unwrap();
        for &i in indices {
            let p = m.alloc_page(PageFlags::ANON).unwrap();
            m.page_mut(p).unwrap().mapcount = 1;
            m.write_u64(entry_addr(t, i), Pte::new(p, RWP).0);
        }
        t
    }

    fn fork(i: usize, e: Pte, page: Option<&mut Page>) -> Result<CopyEntry, PageBug> {
        let _ = i;
        if let Some(p) = page {
            p.add_mapping(e.pfn())?;
        }
        Ok(CopyEntry::Both { src: e.wrprotect(), dst: e.wrprotect() })
    }

    fn zap(_: usize, _: Pte, page: Option<&mut Page>) -> Result<ZapEntry, PageBug> {
        if let Some(p) = page {
            p.mapcount -= 1;
            return Ok(ZapEntry::ClearAndPut);
        }
        Ok(ZapEntry::Clear)
    }

    #[test]
    fn copies_and_zaps_leave_nothing() {
        for indices in [vec![], vec![0], vec![511], vec![3, 4, 70, 511], (0..512).collect()] {
            let mut m = PhysMem::new(16 << 20);
            let free = m.free_pages();
            let src = table_of(&mut m, &indices);
            let dst = m.alloc_page(PageFlags::PGTABLE).unwrap();
            assert_eq!(m.copy_table(dst, src, 0..512, fork), Ok(None));
            assert_eq!(m.frame(src), m.frame(dst));
            let mut seen = vec![];
            m.for_each_nonzero_word(dst, |i, w| {
                let pte = Pte(w);
                assert!(!pte.is_writable());
                let page = m.page(pte.pfn());
                assert_eq!((page.refcount, page.mapcount), (2, 2));
                seen.push(i);
            });
            assert_eq!(seen, indices);
            for t in [src, dst] {
                m.zap_table(t, 0..512, zap).unwrap();
                assert!(m.is_zero(t));
                m.put_page(t).unwrap();
            }
            assert_eq!(m.free_pages(), free);
        }
    }

    #[test]
    fn stays_inside_the_range() {
        let mut m = PhysMem::new(16 << 20);
        let src = table_of(&mut m, &[7, 8, 9, 20, 21, 300]);
        let dst = m.alloc_page(PageFlags::PGTABLE).unwrap();
        m.copy_table(dst, src, 8..21, fork).unwrap();
        let mut seen = vec![];
        m.for_each_nonzero_word(dst, |i, _| seen.push(i));
        assert_eq!(seen, [8, 9, 20]);
        m.zap_table(src, 9..1000, zap).unwrap();
        let mut seen = vec![];
        m.for_each_nonzero_word(src, |i, _| seen.push(i));
        assert_eq!(seen, [7, 8]);
        m.zap_table(src, 8..8, zap).unwrap();
    }

    #[test]
    fn stops_where_told_and_goes_on() {
        let mut m = PhysMem::new(16 << 20);
        let src = table_of(&mut m, &[1, 2, 3]);
        let dst = m.alloc_page(PageFlags::PGTABLE).unwrap();
        let at = m.copy_table(dst, src, 0..512, |i, e, p| {
            if i == 2 { Ok(CopyEntry::Stop) } else { fork(i, e, p) }
        });
        assert_eq!(at, Ok(Some(2)));
        assert!(Pte(m.read_u64(entry_addr(src, 2))).is_writable());
        assert_eq!(m.copy_table(dst, src, 2..512, fork), Ok(None));
        assert_eq!(m.frame(src), m.frame(dst));
    }

    #[test]
    fn poked_entries_have_no_page() {
        let mut m = PhysMem::new(16 << 20);
        let t = table_of(&mut m, &[]);
        m.write_u64(entry_addr(t, 0), Pte::new(Pfn(u32::MAX), RWP).0);
        m.write_u64(entry_addr(t, 1), 0x77 << 12);
        m.write_u64(entry_addr(t, 2), 1 << 50 | 0x300 << 12 | 3);
        let d = m.alloc_page(PageFlags::PGTABLE).unwrap();
        m.copy_table(d, t, 0..512, |_, e, page| {
            assert!(page.is_none());
            Ok::<_, PageBug>(CopyEntry::Both { src: e, dst: e })
        })
        .unwrap();
        let gone = m.zap_table(t, 0..512, |_, _, _| Ok::<_, PageBug>(ZapEntry::ClearAndPut));
        assert_eq!(gone, Err(PageBug::NoSuchFrame { pfn: Pfn(u32::MAX) }));
    }

    #[test]
    fn a_snapshot_does_not_see_the_copy() {
        let mut m = PhysMem::new(16 << 20);
        let src = table_of(&mut m, &(0..200).collect::<Vec<_>>());
        let dst = m.alloc_page(PageFlags::PGTABLE).unwrap();
        let snap = m.clone();
        m.copy_table(dst, src, 0..512, fork).unwrap();
        assert!(snap.is_zero(dst));
        assert!(Pte(snap.read_u64(entry_addr(src, 0))).is_writable());
    }
}
