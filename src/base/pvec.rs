//! A persistent vector: chunks behind `Arc`, copied at the write.
//!
//! Cloning costs one pointer a chunk, a write after a clone copies one chunk.
//! That is what makes a snapshot of the system cost what changed, not what
//! exists.
//!
//! Linux: none. Left out: removal from the middle; users keep free lists.

use super::cow::{self, Arc};

/// A vector of `T` in chunks of `N`, cheap to clone. Slots beyond those
/// written hold `T::default()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PVec<T, const N: usize> {
    chunks: Vec<Arc<[T; N]>>,
    len: usize,
}

impl<T, const N: usize> Default for PVec<T, N> {
    fn default() -> Self {
        PVec { chunks: Vec::new(), len: 0 }
    }
}

impl<T: Clone + Default, const N: usize> PVec<T, N> {
    /// An empty vector.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The element at `i`, if `i < len`.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&T> {
        if i < self.len { Some(&self.chunks[i / N][i % N]) } else { None }
    }

    /// The element at `i` for writing; copies the chunk when it is shared.
    #[inline]
    pub fn get_mut(&mut self, i: usize) -> Option<&mut T> {
        if i < self.len { Some(&mut cow::make_mut(&mut self.chunks[i / N])[i % N]) } else { None }
    }

    /// The slot at `i` in a chunk that exists, whether written or not: what an
    /// arena asks, whose slots say themselves whether they are used.
    #[inline]
    pub(super) fn slot(&self, i: usize) -> Option<&T> {
        self.chunks.get(i / N).map(|c| &c[i % N])
    }

    /// [`PVec::slot`] for writing.
    #[inline]
    pub(super) fn slot_mut(&mut self, i: usize) -> Option<&mut T> {
        self.chunks.get_mut(i / N).map(|c| &mut cow::make_mut(c)[i % N])
    }

    /// The whole chunk that holds element `i`, for writing, and the index of
    /// its first element: loops over neighbours pay for the sharing test once.
    #[inline]
    pub fn chunk_mut(&mut self, i: usize) -> Option<(usize, &mut [T; N])> {
        if i < self.len { Some((i - i % N, cow::make_mut(&mut self.chunks[i / N]))) } else { None }
    }

    /// Makes sure that element `i` exists.
    pub fn grow_to(&mut self, len: usize) {
        while self.chunks.len() * N < len {
            self.chunks.push(Arc::new(std::array::from_fn(|_| T::default())));
        }
        self.len = self.len.max(len);
    }

    /// Appends an element and returns its index.
    pub fn push(&mut self, value: T) -> usize {
        let i = self.len;
        self.grow_to(i + 1);
        cow::make_mut(&mut self.chunks[i / N])[i % N] = value;
        i
    }

    /// All elements in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        self.chunks.iter().flat_map(|c| c.iter()).take(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_after_a_clone_leaves_the_clone_alone() {
        let mut a: PVec<u32, 4> = PVec::new();
        for i in 0..10 {
            assert_eq!(a.push(i), i as usize);
        }
        let b = a.clone();
        *a.get_mut(7).unwrap() = 70;
        assert_eq!(b.get(7), Some(&7));
        assert_eq!(a.get(7), Some(&70));
        assert_ne!(a, b);
        *a.get_mut(7).unwrap() = 7;
        assert_eq!(a, b);
        assert_eq!(a.get(10), None);
        assert_eq!(a.iter().copied().collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    }
}
