//! A frame of which only some 64-byte lines were written.
//!
//! ```text
//! present  ...0100 0000 1001     one bit a line
//! lines    [line 0][line 3][line 10]   packed; place = number of lower bits
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

/// Bitmap and packed lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sparse {
    present: u64,
    lines: SmallVec<[Line; INLINE]>,
}

impl Clone for Sparse {
    fn clone(&self) -> Self {
        // Copies the bytes at once; the derived one goes line by line.
        Sparse { present: self.present, lines: SmallVec::from_slice(&self.lines) }
    }
}

impl Sparse {
    /// Bit `n` is set when line `n` is stored.
    #[inline]
    pub fn present(&self) -> u64 {
        self.present
    }

    #[inline]
    fn rank(&self, n: usize) -> usize {
        (self.present & ((1 << n) - 1)).count_ones() as usize
    }

    /// Line `n` (below 64) if it is stored.
    #[inline]
    pub fn line(&self, n: usize) -> Option<&Line> {
        if self.present >> n & 1 == 0 { None } else { self.lines.get(self.rank(n)) }
    }

    /// Line `n` (below 64) for writing if it is stored.
    #[inline]
    pub fn line_mut(&mut self, n: usize) -> Option<&mut Line> {
        let rank = self.rank(n);
        if self.present >> n & 1 == 0 { None } else { self.lines.get_mut(rank) }
    }

    /// Line `n` (below 64) for writing, made when absent.
    #[inline]
    pub fn line_or_insert(&mut self, n: usize) -> &mut Line {
        let rank = self.rank(n);
        if self.present >> n & 1 == 0 {
            self.present |= 1 << n;
            if rank == self.lines.len() {
                self.lines.push(ZERO_LINE);
            } else {
                self.lines.insert(rank, ZERO_LINE);
            }
        }
        &mut self.lines[rank]
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
    fn lines_stay_in_order() {
        let mut s = Sparse::default();
        for n in [63, 0, 31, 5, 62, 1] {
            s.line_or_insert(n)[0] = n as u64 + 1;
        }
        for n in [63, 0, 31, 5, 62, 1] {
            assert_eq!(s.line(n).unwrap()[0], n as u64 + 1);
            assert_eq!(s.line_mut(n).unwrap()[0], n as u64 + 1);
        }
        assert_eq!(s.line(2), None);
        assert_eq!(s.clone(), s);
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
