//! The content of one 4 KiB page frame, stored as small as it is.
//!
//! A page table of a small process holds a handful of entries, a kernel stack
//! its topmost lines: such frames keep only the 64-byte lines that were
//! written. Frames that hold more become plain arrays. Both kinds sit behind
//! `Arc`, so copying a frame copies a pointer and the bytes are copied at the
//! first write after it.
//!
//! Linux: none, RAM is RAM. Left out: compressing nonzero patterns.

use super::sparse::{LINE_WORDS, LINES, Line, SPARSE_MAX, Sparse, ZERO_LINE, copy_in, copy_out};
use crate::base::cow::{self, Arc};

/// 64-bit words in a frame.
pub const FRAME_WORDS: usize = 512;

/// All words of a frame.
pub type Words = [u64; FRAME_WORDS];

/// One frame's content. Equality compares content, not representation.
#[derive(Debug, Clone, Default)]
pub enum Frame {
    /// All zero.
    #[default]
    Zero,
    /// Only the lines that were written; the others are zero.
    Sparse(Arc<Sparse>),
    /// All words.
    Dense(Arc<Words>),
}

/// A frame opened for writing: unshared once, then plain memory. Loops that
/// touch many words use it so that they pay for the sharing test once.
#[derive(Debug)]
pub enum FrameMut<'a> {
    /// See [`Frame::Sparse`]. Its writer must not go beyond
    /// [`SPARSE_MAX`] lines; [`Frame::make_mut`] reserves.
    Sparse(&'a mut Sparse),
    /// See [`Frame::Dense`].
    Dense(&'a mut Words),
}

impl Frame {
    /// Word `i` (taken modulo 512).
    #[inline]
    pub fn get(&self, i: usize) -> u64 {
        let i = i % FRAME_WORDS;
        match self {
            Frame::Zero => 0,
            Frame::Sparse(s) => s.line(i / LINE_WORDS).map_or(0, |l| l[i % LINE_WORDS]),
            Frame::Dense(d) => d[i],
        }
    }

    /// Sets word `i` (taken modulo 512).
    #[inline]
    pub fn set(&mut self, i: usize, value: u64) {
        let i = i % FRAME_WORDS;
        let n = i / LINE_WORDS;
        let absent = self.lines_present() >> n & 1 == 0;
        if absent && value == 0 {
            return;
        }
        match self.make_mut(1 << n) {
            FrameMut::Sparse(s) => s.line_or_insert(n)[i % LINE_WORDS] = value,
            FrameMut::Dense(d) => d[i] = value,
        }
    }

    /// Bit `n` is set when line `n` may hold something else than zeros.
    #[inline]
    pub fn lines_present(&self) -> u64 {
        match self {
            Frame::Zero => 0,
            Frame::Sparse(s) => s.present(),
            Frame::Dense(_) => !0,
        }
    }

    /// Line `n` (taken modulo 64).
    #[inline]
    pub fn line(&self, n: usize) -> &Line {
        let n = n % LINES;
        match self {
            Frame::Zero => &ZERO_LINE,
            Frame::Sparse(s) => s.line(n).unwrap_or(&ZERO_LINE),
            Frame::Dense(d) => {
                d[n * LINE_WORDS..].first_chunk().expect("line numbers are below 64")
            }
        }
    }

    /// The lines that may hold something else than zeros, with their numbers.
    pub fn iter_lines(&self) -> impl Iterator<Item = (usize, &Line)> + '_ {
        bits(self.lines_present()).map(|n| (n, self.line(n)))
    }

    /// Calls `f` with index and value of every nonzero word, ascending.
    pub fn for_each_nonzero(&self, mut f: impl FnMut(usize, u64)) {
        for (n, line) in self.iter_lines() {
            for (k, &w) in line.iter().enumerate() {
                if w != 0 {
                    f(n * LINE_WORDS + k, w);
                }
            }
        }
    }

    /// Opens the frame for writing the lines in `extra` besides those present.
    #[inline]
    pub fn make_mut(&mut self, extra: u64) -> FrameMut<'_> {
        if let Frame::Dense(d) = self {
            return FrameMut::Dense(cow::make_mut(d));
        }
        self.open_sparse(extra)
    }

    fn open_sparse(&mut self, extra: u64) -> FrameMut<'_> {
        let lines = self.lines_present() | extra;
        if lines.count_ones() as usize > SPARSE_MAX {
            *self = Frame::Dense(Arc::new(self.to_words()));
        } else if let Frame::Zero = self {
            *self = Frame::Sparse(Arc::default());
        }
        match self {
            Frame::Sparse(s) => FrameMut::Sparse(cow::make_mut(s)),
            Frame::Dense(d) => FrameMut::Dense(cow::make_mut(d)),
            Frame::Zero => unreachable!("replaced above"),
        }
    }

    /// All 512 words.
    pub fn to_words(&self) -> Words {
        match self {
            Frame::Dense(d) => **d,
            _ => {
                let mut words = [0; FRAME_WORDS];
                for (n, line) in self.iter_lines() {
                    words[n * LINE_WORDS..][..LINE_WORDS].copy_from_slice(line);
                }
                words
            }
        }
    }

    /// The words, if the frame is stored whole.
    #[inline]
    pub fn as_dense(&self) -> Option<&Words> {
        match self {
            Frame::Dense(d) => Some(d),
            _ => None,
        }
    }

    /// Stores the frame whole; the content stays.
    pub fn make_dense(&mut self) {
        if self.as_dense().is_none() {
            *self = Frame::Dense(Arc::new(self.to_words()));
        }
    }

    /// The words for writing; the frame is stored whole from here on.
    pub fn dense_mut(&mut self) -> &mut Words {
        self.make_dense();
        match self {
            Frame::Dense(d) => cow::make_mut(d),
            _ => unreachable!("made dense above"),
        }
    }

    /// Whether a write finds the words where they are: stored whole, and not
    /// shared with a snapshot.
    pub fn has_own_storage(&self) -> bool {
        matches!(self, Frame::Dense(d) if d.is_unique())
    }

    /// Whether every word is zero, whatever the representation.
    pub fn is_zero(&self) -> bool {
        self.iter_lines().all(|(_, l)| *l == ZERO_LINE)
    }

    /// Whether the host holds nothing for this frame. Implies
    /// [`Frame::is_zero`], in O(1).
    #[inline]
    pub fn is_untouched(&self) -> bool {
        matches!(self, Frame::Zero)
    }

    /// Chooses the smallest representation again; frames only ever grow by
    /// themselves.
    pub fn compact(&mut self) {
        let used = self.iter_lines().filter(|(_, l)| **l != ZERO_LINE);
        let mask = used.fold(0, |m, (n, _)| m | 1u64 << n);
        if mask == 0 {
            *self = Frame::Zero;
        } else if mask != self.lines_present() && mask.count_ones() as usize <= SPARSE_MAX {
            let mut s = Sparse::default();
            for n in bits(mask) {
                *s.line_or_insert(n) = *self.line(n);
            }
            *self = Frame::Sparse(Arc::new(s));
        }
    }

    /// Copies bytes out, from `offset` on; bytes beyond the frame are not
    /// touched.
    pub fn read_bytes(&self, offset: usize, buf: &mut [u8]) {
        if let Frame::Dense(d) = self {
            return copy_out(&d[..], offset, buf);
        }
        for (n, from, part) in pieces(offset, buf.len()) {
            copy_out(self.line(n), from, &mut buf[part]);
        }
    }

    /// Copies bytes in, from `offset` on; what would lie beyond the frame is
    /// dropped. Zeros written to absent lines cost nothing.
    pub fn write_bytes(&mut self, offset: usize, src: &[u8]) {
        let nonzero = |part: std::ops::Range<usize>| src[part].iter().any(|&b| b != 0);
        let present = self.lines_present();
        let mut touched = 0;
        for (n, _, part) in pieces(offset, src.len()) {
            if present >> n & 1 != 0 || nonzero(part) {
                touched |= 1u64 << n;
            }
        }
        if touched == 0 {
            return;
        }
        match self.make_mut(touched) {
            FrameMut::Dense(d) => copy_in(&mut d[..], offset, src),
            FrameMut::Sparse(s) => {
                for (n, from, part) in pieces(offset, src.len()) {
                    if touched >> n & 1 != 0 {
                        copy_in(s.line_or_insert(n), from, &src[part]);
                    }
                }
            }
        }
    }

    /// Host memory of the content, as if it were not shared.
    pub fn host_bytes(&self) -> usize {
        const ARC: usize = 2 * size_of::<usize>();
        match self {
            Frame::Zero => 0,
            Frame::Sparse(s) => ARC + s.host_bytes(),
            Frame::Dense(_) => ARC + size_of::<Words>(),
        }
    }

    /// Whether both are the same host memory (a copy not yet written to).
    pub fn is_shared_with(&self, other: &Frame) -> bool {
        match (self, other) {
            (Frame::Zero, Frame::Zero) => true,
            (Frame::Sparse(a), Frame::Sparse(b)) => Arc::ptr_eq(a, b),
            (Frame::Dense(a), Frame::Dense(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.is_shared_with(other) || (0..LINES).all(|n| self.line(n) == other.line(n))
    }
}
impl Eq for Frame {}

impl FrameMut<'_> {
    /// Line `n` for writing if it is present.
    #[inline]
    pub fn line_mut(&mut self, n: usize) -> Option<&mut Line> {
        match self {
            FrameMut::Sparse(s) => s.line_mut(n),
            FrameMut::Dense(d) => d.get_mut(n * LINE_WORDS..)?.first_chunk_mut(),
        }
    }

    /// Line `n` for writing; it must be below 64 and among those announced to
    /// [`Frame::make_mut`].
    #[inline]
    pub fn line_or_insert(&mut self, n: usize) -> &mut Line {
        match self {
            FrameMut::Sparse(s) => s.line_or_insert(n),
            FrameMut::Dense(d) => {
                d[n * LINE_WORDS..].first_chunk_mut().expect("line numbers are below 64")
            }
        }
    }
}

/// The numbers of the set bits, ascending.
#[inline]
pub fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let n = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (n < LINES).then_some(n)
    })
}

/// Splits `len` bytes at `offset` along lines: line number, offset in the
/// line, range of the caller's buffer.
fn pieces(
    offset: usize,
    len: usize,
) -> impl Iterator<Item = (usize, usize, std::ops::Range<usize>)> {
    const BYTES: usize = LINE_WORDS * 8;
    let end = (offset.saturating_add(len)).min(FRAME_WORDS * 8);
    let mut at = offset;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let stop = ((at / BYTES + 1) * BYTES).min(end);
        let piece = (at / BYTES, at % BYTES, at - offset..stop - offset);
        at = stop;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grows_from_nothing_to_sparse_to_dense_and_back() {
        let mut f = Frame::default();
        f.set(3, 0);
        assert!(f.is_untouched());
        for n in 0..SPARSE_MAX {
            f.set(n * LINE_WORDS, 1);
            assert!(matches!(f, Frame::Sparse(_)));
        }
        let sparse = f.clone();
        assert!(sparse.is_shared_with(&f));
        f.set(511, 9);
        assert!(matches!(f, Frame::Dense(_)));
        assert_ne!(f, sparse);
        f.set(511, 0);
        assert_eq!(f, sparse);
        f.compact();
        assert!(matches!(f, Frame::Sparse(_)));
        for n in 0..SPARSE_MAX {
            f.set(n * LINE_WORDS, 0);
        }
        assert!(f.is_zero() && !f.is_untouched());
        f.compact();
        assert!(f.is_untouched());
    }

    #[derive(Debug, Clone)]
    enum Op {
        Set(usize, u64),
        Bytes(usize, Vec<u8>),
        Compact,
        Share,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            8 => (0usize..512, prop_oneof![Just(0), any::<u64>()]).prop_map(|(i, v)| Op::Set(i, v)),
            4 => (0usize..4096, proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..300))
                .prop_map(|(o, b)| Op::Bytes(o, b)),
            1 => (0usize..4096).prop_map(|o| Op::Bytes(o, vec![0; 2000])),
            1 => Just(Op::Compact),
            1 => Just(Op::Share),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn behaves_as_512_words(ops in proptest::collection::vec(op(), 0..60)) {
            let mut f = Frame::default();
            let mut model = [0u8; 4096];
            let mut snapshots: Vec<(Frame, [u8; 4096])> = vec![];
            for op in ops {
                match op {
                    Op::Set(i, v) => {
                        f.set(i, v);
                        model[i * 8..][..8].copy_from_slice(&v.to_le_bytes());
                    }
                    Op::Bytes(o, b) => {
                        f.write_bytes(o, &b);
                        let n = b.len().min(4096 - o);
                        model[o..o + n].copy_from_slice(&b[..n]);
                    }
                    Op::Compact => f.compact(),
                    Op::Share => snapshots.push((f.clone(), model)),
                }
                prop_assert_eq!(f.is_zero(), model.iter().all(|&b| b == 0));
            }
            snapshots.push((f, model));
            for (f, model) in snapshots {
                let mut out = [0u8; 4096];
                f.read_bytes(0, &mut out);
                prop_assert_eq!(&out[..], &model[..]);
                let mut words = [0u64; 512];
                f.for_each_nonzero(|i, w| words[i] = w);
                for (i, &w) in words.iter().enumerate() {
                    prop_assert_eq!(w, u64::from_le_bytes(model[i * 8..][..8].try_into().unwrap()));
                    prop_assert_eq!(f.get(i), w);
                }
                let mut part = [0u8; 100];
                f.read_bytes(1234, &mut part);
                prop_assert_eq!(&part[..], &model[1234..1334]);
            }
        }
    }
}
