//! The table behind physical memory: chunks of `N` elements, made when first
//! written, shared between snapshots, copied at the write.
//!
//! Unlike [`crate::base::PVec`] it has holes, so that a write near the end of
//! 64 GiB of guest RAM costs one chunk and not all chunks before it.
//!
//! Linux: the sparse memory model (`CONFIG_SPARSEMEM_VMEMMAP`, mm/sparse.c).
//! Left out: giving back chunks that have become empty.

use crate::base::cow::{self, Arc};

/// An array of `T` with holes; an element never written is `T::default()`.
#[derive(Debug, Clone)]
pub struct Chunks<T, const N: usize> {
    table: Vec<Option<Arc<[T; N]>>>,
}

impl<T, const N: usize> Default for Chunks<T, N> {
    fn default() -> Self {
        Chunks { table: Vec::new() }
    }
}

impl<T: Clone + Default, const N: usize> Chunks<T, N> {
    /// The element at `i`; `None` when its chunk was never written, which
    /// means `T::default()`.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&T> {
        self.table.get(i / N)?.as_ref().map(|c| &c[i % N])
    }

    /// Whether nobody shares the chunk of the element at `i`.
    pub fn is_own(&self, i: usize) -> bool {
        self.table.get(i / N).and_then(Option::as_ref).is_some_and(Arc::is_unique)
    }

    /// The element at `i` for writing; makes or unshares its chunk.
    #[inline]
    pub fn get_mut(&mut self, i: usize) -> &mut T {
        &mut self.chunk_mut(i)[i % N]
    }

    /// The chunk that holds element `i`, for writing. Its first element is
    /// number `i - i % N`.
    #[inline]
    pub fn chunk_mut(&mut self, i: usize) -> &mut [T; N] {
        let c = i / N;
        if c >= self.table.len() {
            self.table.resize(c + 1, None);
        }
        let slot = &mut self.table[c];
        cow::make_mut(slot.get_or_insert_with(Self::new_chunk))
    }

    #[cold]
    fn new_chunk() -> Arc<[T; N]> {
        Arc::new(std::array::from_fn(|_| T::default()))
    }

    /// The chunks that exist, each with the number of its first element.
    pub fn iter_chunks(&self) -> impl Iterator<Item = (usize, &[T; N])> + '_ {
        self.table.iter().enumerate().filter_map(|(c, s)| s.as_ref().map(|s| (c * N, &**s)))
    }

    /// Host memory of the table and its chunks, without what elements own.
    pub fn host_bytes(&self) -> usize {
        self.table.capacity() * size_of::<usize>()
            + self.table.iter().flatten().count() * size_of::<[T; N]>()
    }
}

/// Equal when every element is equal: a chunk never written equals a chunk of
/// defaults.
impl<T: Eq + Clone + Default, const N: usize> PartialEq for Chunks<T, N> {
    fn eq(&self, other: &Self) -> bool {
        let blank = T::default();
        let is_blank = |c: &Arc<[T; N]>| c.iter().all(|t| *t == blank);
        (0..self.table.len().max(other.table.len())).all(|i| {
            let a = self.table.get(i).and_then(Option::as_ref);
            let b = other.table.get(i).and_then(Option::as_ref);
            match (a, b) {
                (None, None) => true,
                (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
                (Some(c), None) | (None, Some(c)) => is_blank(c),
            }
        })
    }
}
impl<T: Eq + Clone + Default, const N: usize> Eq for Chunks<T, N> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_cost_nothing_and_equal_defaults() {
        let mut a: Chunks<u32, 4> = Chunks::default();
        assert_eq!(a.get(1_000_000), None);
        *a.get_mut(4001) = 7;
        assert_eq!(a.iter_chunks().count(), 1);
        assert_eq!(a.get(4000), Some(&0));
        let b = a.clone();
        *a.get_mut(4001) = 0;
        assert_eq!(b.get(4001), Some(&7));
        assert_ne!(a, b);
        assert_eq!(a, Chunks::default());
    }
}
