//! Reading and writing physical memory: words, bytes, whole frames.
//!
//! Addresses beyond the end of RAM behave as a bus nobody answers on: reads
//! give ones, writes are lost. The kernel checks frames before it uses them
//! ([`PhysMem::has_frame`]); what arrives here came from a wild address.
//!
//! Linux: arch/x86/include/asm/page.h (`__va` and plain loads), mm/highmem.c
//! (`copy_highpage`, `clear_highpage`). Left out: devices (MMIO).

use super::frame::{FRAME_WORDS, Frame};
use super::page::PageBug;
use super::phys::PhysMem;
use super::sparse::LINE_WORDS;
use crate::base::{PAGE_SHIFT, PAGE_SIZE, Pfn, PhysAddr};

/// What a read from nowhere gives.
const OPEN_BUS: u64 = !0;

/// The frame an address lies in as an index; `None` beyond RAM. Not
/// `PhysAddr::pfn`, which cuts wild addresses to 32 bits.
#[inline]
fn frame_index(mem: &PhysMem, addr: PhysAddr) -> Option<usize> {
    let i = addr.0 >> PAGE_SHIFT;
    if i < u64::from(mem.total_pages()) { Some(i as usize) } else { None }
}

impl PhysMem {
    /// The 8 bytes at `addr`, which need not be aligned.
    #[inline]
    pub fn read_u64(&self, addr: PhysAddr) -> u64 {
        if !addr.0.is_multiple_of(8) {
            let mut b = [0; 8];
            self.read(addr, &mut b);
            return u64::from_le_bytes(b);
        }
        let Some(i) = frame_index(self, addr) else { return OPEN_BUS };
        self.frames.get(i).map_or(0, |f| f.get(addr.offset() as usize / 8))
    }

    /// Writes 8 bytes at `addr`, which need not be aligned.
    #[inline]
    pub fn write_u64(&mut self, addr: PhysAddr, value: u64) {
        if !addr.0.is_multiple_of(8) {
            return self.write(addr, &value.to_le_bytes());
        }
        if let Some(i) = frame_index(self, addr) {
            self.frames.get_mut(i).set(addr.offset() as usize / 8, value);
        }
    }

    /// Fills `buf` from `addr` on; may cross frames.
    pub fn read(&self, addr: PhysAddr, buf: &mut [u8]) {
        for (at, part) in frame_pieces(addr, buf.len()) {
            let buf = &mut buf[part];
            match frame_index(self, at).map(|i| self.frames.get(i)) {
                Some(Some(f)) => f.read_bytes(at.offset() as usize, buf),
                Some(None) => buf.fill(0),
                None => buf.fill(OPEN_BUS as u8),
            }
        }
    }

    /// Writes `src` from `addr` on; may cross frames.
    pub fn write(&mut self, addr: PhysAddr, src: &[u8]) {
        for (at, part) in frame_pieces(addr, src.len()) {
            if let Some(i) = frame_index(self, at) {
                self.frames.get_mut(i).write_bytes(at.offset() as usize, &src[part]);
            }
        }
    }

    /// Reads words of one frame from an aligned address on; words beyond the
    /// frame or beyond RAM read as ones.
    pub fn read_words(&self, addr: PhysAddr, out: &mut [u64]) {
        let Some(i) = frame_index(self, addr) else { return out.fill(OPEN_BUS) };
        let frame = self.frames.get(i).unwrap_or(&Frame::Zero);
        let mut at = addr.offset() as usize / 8;
        let inside = out.len().min(FRAME_WORDS - at);
        let (mut rest, beyond) = out.split_at_mut(inside);
        beyond.fill(OPEN_BUS);
        while !rest.is_empty() {
            let n = (LINE_WORDS - at % LINE_WORDS).min(rest.len());
            let (part, tail) = rest.split_at_mut(n);
            part.copy_from_slice(&frame.line(at / LINE_WORDS)[at % LINE_WORDS..][..n]);
            at += n;
            rest = tail;
        }
    }

    /// Writes words of one frame from an aligned address on, opening the frame
    /// once; what would lie beyond the frame or beyond RAM is lost.
    pub fn write_words(&mut self, addr: PhysAddr, words: &[u64]) {
        let Some(i) = frame_index(self, addr) else { return };
        let first = addr.offset() as usize / 8;
        let words = &words[..words.len().min(FRAME_WORDS - first)];
        let Some(last) = words.len().checked_sub(1).map(|n| n + first) else { return };
        let lines = (first / LINE_WORDS)..=(last / LINE_WORDS);
        let mask = lines.fold(0, |m, n| m | 1u64 << n);
        let mut frame = self.frames.get_mut(i).make_mut(mask);
        let mut at = first;
        let mut rest = words;
        while !rest.is_empty() {
            let n = (LINE_WORDS - at % LINE_WORDS).min(rest.len());
            let line = frame.line_or_insert(at / LINE_WORDS);
            line[at % LINE_WORDS..][..n].copy_from_slice(&rest[..n]);
            at += n;
            rest = &rest[n..];
        }
    }

    /// The last `N` words of a frame, at most 512: where a stack begins.
    ///
    /// # Errors
    /// No such frame.
    #[inline]
    pub fn read_tail<const N: usize>(&self, pfn: Pfn) -> Result<[u64; N], PageBug> {
        let frame = self.frame(pfn)?;
        let mut out = [0; N];
        // `N` is known here: the copies become plain moves.
        let first = const { FRAME_WORDS - N } / LINE_WORDS;
        let skip = const { FRAME_WORDS - N } % LINE_WORDS;
        let (head, rest) = out.split_at_mut((LINE_WORDS - skip) % LINE_WORDS);
        let mut n = first;
        if !head.is_empty() {
            head.copy_from_slice(&frame.line(n)[skip..]);
            n += 1;
        }
        for part in rest.as_chunks_mut::<LINE_WORDS>().0 {
            *part = *frame.line(n);
            n += 1;
        }
        Ok(out)
    }

    /// Writes the last `N` words of a frame, at most 512.
    ///
    /// # Errors
    /// No such frame.
    #[inline]
    pub fn write_tail<const N: usize>(
        &mut self,
        pfn: Pfn,
        words: &[u64; N],
    ) -> Result<(), PageBug> {
        let first = const { FRAME_WORDS - N } / LINE_WORDS;
        let skip = const { FRAME_WORDS - N } % LINE_WORDS;
        let mut frame = self.frame_mut(pfn)?.make_mut(!0 << first);
        let (head, rest) = words.split_at((LINE_WORDS - skip) % LINE_WORDS);
        let mut n = first;
        if !head.is_empty() {
            frame.line_or_insert(n)[skip..].copy_from_slice(head);
            n += 1;
        }
        for part in rest.as_chunks::<LINE_WORDS>().0 {
            *frame.line_or_insert(n) = *part;
            n += 1;
        }
        Ok(())
    }

    /// Makes `dst` a copy of `src`. The host shares the bytes until one of
    /// them is written.
    ///
    /// # Errors
    /// No such frame.
    pub fn copy_page(&mut self, dst: Pfn, src: Pfn) -> Result<(), PageBug> {
        let frame = self.frame(src)?.clone();
        self.put_frame(dst, frame)
    }

    /// Fills the page with zeros.
    ///
    /// # Errors
    /// No such frame.
    pub fn clear_page(&mut self, pfn: Pfn) -> Result<(), PageBug> {
        if !self.frame(pfn)?.is_untouched() {
            self.put_frame(pfn, Frame::Zero)?;
        }
        Ok(())
    }

    /// Whether the frame exists and holds only zeros.
    pub fn is_zero(&self, pfn: Pfn) -> bool {
        self.frame(pfn).is_ok_and(Frame::is_zero)
    }

    /// The content of a frame.
    ///
    /// # Errors
    /// No such frame.
    #[inline]
    pub fn frame(&self, pfn: Pfn) -> Result<&Frame, PageBug> {
        if !self.has_frame(pfn) {
            return Err(PageBug::NoSuchFrame { pfn });
        }
        Ok(self.frames.get(pfn.0 as usize).unwrap_or(&Frame::Zero))
    }

    /// Whether a write to the frame finds its bytes where they are now: no
    /// snapshot shares them.
    pub fn has_own_storage(&self, pfn: Pfn) -> bool {
        let i = pfn.0 as usize;
        self.frames.is_own(i) && self.frames.get(i).is_some_and(Frame::has_own_storage)
    }

    /// The content of a frame, for writing.
    ///
    /// # Errors
    /// No such frame.
    #[inline]
    pub fn frame_mut(&mut self, pfn: Pfn) -> Result<&mut Frame, PageBug> {
        if !self.has_frame(pfn) {
            return Err(PageBug::NoSuchFrame { pfn });
        }
        Ok(self.frames.get_mut(pfn.0 as usize))
    }

    /// Takes the content out and leaves zeros, so that a loop can own page
    /// tables while it updates `struct page`s. Give it back with
    /// [`PhysMem::put_frame`].
    ///
    /// # Errors
    /// No such frame.
    #[inline]
    pub fn take_frame(&mut self, pfn: Pfn) -> Result<Frame, PageBug> {
        if self.frame(pfn)?.is_untouched() {
            return Ok(Frame::Zero);
        }
        Ok(std::mem::take(self.frames.get_mut(pfn.0 as usize)))
    }

    /// Puts content in place of what the frame holds.
    ///
    /// # Errors
    /// No such frame.
    #[inline]
    pub fn put_frame(&mut self, pfn: Pfn, frame: Frame) -> Result<(), PageBug> {
        if frame.is_untouched() && self.frame(pfn)?.is_untouched() {
            return Ok(());
        }
        *self.frame_mut(pfn)? = frame;
        Ok(())
    }

    /// Calls `f` with index and value of every nonzero word of the frame; a
    /// frame that does not exist has none.
    pub fn for_each_nonzero_word(&self, pfn: Pfn, f: impl FnMut(usize, u64)) {
        if let Ok(frame) = self.frame(pfn) {
            frame.for_each_nonzero(f);
        }
    }
}

/// Splits `len` bytes at `addr` along frames.
fn frame_pieces(
    addr: PhysAddr,
    len: usize,
) -> impl Iterator<Item = (PhysAddr, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done >= len {
            return None;
        }
        // Does not wrap to address 0; the last address is no RAM either.
        let at = PhysAddr(addr.0.saturating_add(done as u64));
        let n = ((PAGE_SIZE - at.offset()) as usize).min(len - done);
        let part = done..done + n;
        done += n;
        Some((at, part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::PageFlags;

    #[test]
    fn bytes_cross_frames() {
        let mut m = PhysMem::new(2 << 20);
        let at = PhysAddr(0x10_0ffd);
        m.write(at, b"crossing");
        let mut b = [0; 8];
        m.read(at, &mut b);
        assert_eq!(&b, b"crossing");
        assert_eq!(m.read_u64(at), u64::from_le_bytes(*b"crossing"));
        m.write_u64(at, 0x1122_3344_5566_7788);
        assert_eq!(m.read_u64(PhysAddr(0x10_1000)) & 0xff, 0x55);
    }

    #[test]
    fn nobody_answers_beyond_ram() {
        let mut m = PhysMem::new(2 << 20);
        for a in [2 << 20, 1 << 44, (1 << 44) + 0x10_0000, u64::MAX - 7, u64::MAX - 2] {
            m.write_u64(PhysAddr(a), 1);
            assert_eq!(m.read_u64(PhysAddr(a)), !0, "{a:#x}");
        }
        let edge = PhysAddr((2 << 20) - 4);
        m.write(edge, &[1; 8]);
        let mut b = [0; 8];
        m.read(edge, &mut b);
        assert_eq!(b, [1, 1, 1, 1, 255, 255, 255, 255]);
        assert!(!m.is_zero(Pfn(1 << 20)));
        assert!(m.copy_page(Pfn(1 << 20), Pfn(0)).is_err());
        assert!(m.take_frame(Pfn(1 << 20)).is_err());
    }

    #[test]
    fn words_at_once() {
        let mut m = PhysMem::new(2 << 20);
        let p = m.alloc_page(PageFlags::KSTACK).unwrap();
        let words: Vec<u64> = (1..=21).collect();
        let at = PhysAddr(p.addr().0 + PAGE_SIZE - 168);
        m.write_words(at, &words);
        let mut out = [0; 22];
        m.read_words(at, &mut out);
        assert_eq!(&out[..21], &words[..]);
        assert_eq!(out[21], !0);
        let mut n = 0;
        m.for_each_nonzero_word(p, |i, w| {
            assert_eq!(w, i as u64 - 490);
            n += 1;
        });
        assert_eq!(n, 21);
        m.write_words(PhysAddr(p.addr().0 + 4088), &[7, 7, 7]);
        assert_eq!(m.read_u64(PhysAddr(p.addr().0 + 4088)), 7);
        assert!(m.is_zero(Pfn(p.0 + 1)));
    }

    #[test]
    fn the_end_of_a_frame_at_once() {
        let mut m = PhysMem::new(2 << 20);
        let p = m.alloc_page(PageFlags::KSTACK).unwrap();
        for round in 0..2u64 {
            let words: [u64; 21] = std::array::from_fn(|i| i as u64 + round + 1);
            m.write_tail(p, &words).unwrap();
            assert_eq!(m.read_tail(p), Ok(words));
            let mut out = [0; 22];
            m.read_words(PhysAddr(p.addr().0 + PAGE_SIZE - 176), &mut out);
            assert_eq!((out[0], &out[1..]), (0, &words[..]));
            assert_eq!(m.read_tail(p), Ok(*words.last_chunk::<16>().unwrap()));
            // The second round meets a frame that is stored whole.
            m.write(p.addr(), &[1; 2048]);
        }
        assert!(m.read_tail::<8>(Pfn(1 << 20)).is_err());
    }

    #[test]
    fn a_copied_page_is_shared_until_written() {
        let mut m = PhysMem::new(2 << 20);
        let a = m.alloc_page(PageFlags::ANON).unwrap();
        let b = m.alloc_page(PageFlags::ANON).unwrap();
        m.write(a.addr(), &[3; 4096]);
        m.copy_page(b, a).unwrap();
        assert!(m.frame(a).unwrap().is_shared_with(m.frame(b).unwrap()));
        m.write_u64(b.addr(), 1);
        assert_eq!(m.read_u64(a.addr()), 0x0303_0303_0303_0303);
        assert_eq!(m.read_u64(PhysAddr(b.addr().0 + 8)), 0x0303_0303_0303_0303);
        m.clear_page(a).unwrap();
        assert!(m.is_zero(a) && !m.is_zero(b));
    }
}
