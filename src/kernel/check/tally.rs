//! Counting holders: one number for each object of an arena.
//!
//! Linux: none. Left out: who the holders are; a violation names the kind.

use crate::base::{Arena, Id};

/// How often each object was held. Slots are indexed as the arena's are, so
/// counting costs an addition.
pub(super) struct Tally<T> {
    counts: Vec<u32>,
    kind: std::marker::PhantomData<fn() -> T>,
}

impl<T: Clone> Tally<T> {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Tally { counts: Vec::new(), kind: std::marker::PhantomData }
    }

    /// One more holder of `id`. An id of a freed object is not counted for
    /// the slot's next tenant: `false` then.
    pub fn add<const N: usize>(&mut self, arena: &Arena<T, N>, id: Id<T>) -> bool {
        if !arena.contains(id) {
            return false;
        }
        let i = id.index() as usize;
        if i >= self.counts.len() {
            self.counts.resize(i + 1, 0);
        }
        self.counts[i] += 1;
        true
    }

    /// How many holders `id` has.
    pub fn of(&self, id: Id<T>) -> u32 {
        self.counts.get(id.index() as usize).copied().unwrap_or(0)
    }
}
