//! A frame of which only some 64-byte lines were written.
//!
//! ```text
//! present  ...0100 0000 1001            one bit a line, for walking in order
//! place    0 . . 2 . . . . . . 1 ...     one byte a line, for direct access
//! lines    [line 0][line 10][line 3]     packed, in the order of first writes
//! ```
//!
//! Linux: none. Left out: removing single lines; `Frame::compact` rebuilds.

use smallvec::SmallVec;

/// 64-bit words in a line: one cache line of the hardware.
pub const LINE_WORDS: usize = 8;
/// Lines in a frame.
pub const LINES: usize = 64;
/// A frame with more lines than this is stored whole.
pub const SPARSE_MAX: usize = 16;
/// Lines kept beside the bitmap, without a second allocation. Four hold the
/// page tables of a small process and `struct pt_regs` with its neighbours.
const INLINE: usize = 4;

/// 64 bytes of memory, aligned.
pub type Line = [u64; LINE_WORDS];
/// What an absent line reads as.
pub const ZERO_LINE: Line = [0; LINE_WORDS];

/// What [`Sparse::place`] holds for an absent line: beyond every index.
const ABSENT: u8 = u8::MAX;

/// Bitmap, places and packed lines. Two with the same content may differ in
/// the order of their lines; [`super::Frame`] compares content.
#[derive(Debug)]
pub struct Sparse {
    present: u64,
    place: [u8; LINES],
    lines: SmallVec<[Line; INLINE]>,
}

impl Default for Sparse {
    fn default() -> Self {
        Sparse { present: 0, place: [ABSENT; LINES], lines: SmallVec::new() }
    }
}

impl Clone for Sparse {
    fn clone(&self) -> Self {
        // Copies the bytes at once; the derived one goes line by line.
        let lines = SmallVec::from_slice(&self.lines);
        Sparse { present: self.present, place: self.place, lines }
    }
}

impl Sparse {
    /// Bit `n` is set when line `n` is stored.
    #[inline]
    pub fn present(&self) -> u64 {
        self.present
    }

    /// Line `n` (below 64) if it is stored.
    #[inline]
    pub fn line(&self, n: usize) -> Option<&Line> {
        self.lines.get(usize::from(self.place[n]))
    }

    /// Line `n` (below 64) for writing if it is stored.
    #[inline]
    pub fn line_mut(&mut self, n: usize) -> Option<&mut Line> {
        self.lines.get_mut(usize::from(self.place[n]))
    }

    /// Line `n` (below 64) for writing, made when absent.
    #[inline]
    pub fn line_or_insert(&mut self, n: usize) -> &mut Line {
        if self.place[n] == ABSENT {
            self.place[n] = self.lines.len() as u8;
            self.present |= 1 << n;
            self.lines.push(ZERO_LINE);
        }
        &mut self.lines[usize::from(self.place[n])]
    }

    /// Host memory held.
    pub fn host_bytes(&self) -> usize {
        let heap = if self.lines.spilled() { self.lines.capacity() } else { 0 };
        size_of::<Sparse>() + heap * size_of::<Line>()
    }
}

/// Copies bytes `offset..` of little-endian `words` out; stops at their end.
pub(super) fn copy_out(words: &[u64], offset: usize, buf: &mut [u8]) {
    let mut at = offset;
    let mut buf = &mut buf[..];
    while !buf.is_empty() {
        let Some(word) = words.get(at / 8) else { return };
        if at.is_multiple_of(8) && buf.len() >= 8 {
            let run = (buf.len() / 8).min(words.len() - at / 8);
            let (whole, rest) = buf.split_at_mut(run * 8);
            for (b, w) in whole.chunks_exact_mut(8).zip(&words[at / 8..]) {
                b.copy_from_slice(&w.to_le_bytes());
            }
            at += run * 8;
            buf = rest;
            continue;
        }
        let n = (8 - at % 8).min(buf.len());
        let (part, rest) = buf.split_at_mut(n);
        part.copy_from_slice(&word.to_le_bytes()[at % 8..][..n]);
        at += n;
        buf = rest;
    }
}

/// Copies bytes into little-endian `words` from byte `offset` on; stops at
/// their end.
pub(super) fn copy_in(words: &mut [u64], offset: usize, src: &[u8]) {
    let mut at = offset;
    let mut src = src;
    while !src.is_empty() {
        let left = words.len().saturating_sub(at / 8);
        if left == 0 {
            return;
        }
        if at.is_multiple_of(8) && src.len() >= 8 {
            let run = (src.len() / 8).min(left);
            let (whole, rest) = src.split_at(run * 8);
            for (w, b) in words[at / 8..].iter_mut().zip(whole.as_chunks::<8>().0) {
                *w = u64::from_le_bytes(*b);
            }
            at += run * 8;
            src = rest;
            continue;
        }
        let n = (8 - at % 8).min(src.len());
        let (part, rest) = src.split_at(n);
        let mut bytes = words[at / 8].to_le_bytes();
        bytes[at % 8..][..n].copy_from_slice(part);
        words[at / 8] = u64::from_le_bytes(bytes);
        at += n;
        src = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers() {
        let mut s = Sparse::default();
        for n in [63, 0, 31, 5, 62, 1] {
            s.line_or_insert(n)[0] = n as u64 + 1;
        }
        for n in [63, 0, 31, 5, 62, 1] {
            assert_eq!(s.line(n).unwrap()[0], n as u64 + 1);
            assert_eq!(s.line_mut(n).unwrap()[0], n as u64 + 1);
        }
        assert_eq!(s.line(2), None);
        let copy = s.clone();
        assert!((0..LINES).all(|n| copy.line(n) == s.line(n)));
    }

    #[test]
    fn bytes_at_odd_places() {
        let mut w = [0u64; 3];
        copy_in(&mut w, 5, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
        let mut b = [0u8; 24];
        copy_out(&w, 0, &mut b);
        assert_eq!(&b[5..18], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
        assert!(b[..5].iter().chain(&b[18..]).all(|&b| b == 0));
        copy_in(&mut w, 23, &[7, 7]);
        let mut tail = [0u8; 4];
        copy_out(&w, 22, &mut tail);
        assert_eq!(tail, [0, 7, 0, 0]);
    }
}
