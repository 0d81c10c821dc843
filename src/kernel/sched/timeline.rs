//! A run queue's tasks in the order in which they would run: a sorted list
//! while they are few, a [`Tree`] when they are many.
//!
//! ```text
//! waiting   1 2 .. FEW | more
//!           list       | tree, until no more than FEW_AGAIN are left
//! ```
//!
//! Both give the same answers to the same questions. A tree costs a node's
//! place in a persistent vector at each step; most queues never hold so many
//! that this is worth it, and every switch takes one task out and puts one in.
//!
//! Linux: kernel/sched/fair.c (tasks_timeline), deadline.c (dl_rq.root).
//! Left out: Linux has a tree from the first task on.

use smallvec::SmallVec;

use super::tree::{Key, Tree};
use crate::kernel::task::TaskId;

/// So many the list holds.
const FEW: usize = 8;
/// With so few left the tree becomes a list again. Less than [`FEW`], for a
/// queue whose length goes up and down by one is not to move house each time.
const FEW_AGAIN: usize = 4;

/// Who waits, by [`Key`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline {
    /// Sorted; empty while the tree holds them.
    few: SmallVec<[Entry; FEW]>,
    many: Tree,
}

/// One who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub key: Key,
    /// Its virtual run time.
    pub vruntime: i64,
    /// What it asks for at a time.
    pub slice: u64,
    /// Who it is.
    pub task: TaskId,
}

impl Timeline {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }

    /// Whether there is no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }

    /// The least vruntime of all.
    #[inline]
    pub fn least(&self) -> Option<i64> {
        self.few.iter().map(|e| e.vruntime).min().or_else(|| self.many.least())
    }

    /// The shortest slice of all.
    #[inline]
    pub fn least_slice(&self) -> Option<u64> {
        self.few.iter().map(|e| e.slice).min().or_else(|| self.many.least_slice())
    }

    /// The first entry.
    #[inline]
    pub fn first(&self) -> Option<TaskId> {
        self.few.first().map(|e| e.task).or_else(|| self.many.first())
    }

    /// The entry after the first.
    pub fn second(&self) -> Option<TaskId> {
        self.few.get(1).map(|e| e.task).or_else(|| self.many.second())
    }

    /// The first entry whose vruntime meets `eligible`, which must hold for
    /// every vruntime below one for which it holds.
    #[inline]
    pub fn first_eligible(&self, eligible: impl Fn(i64) -> bool) -> Option<TaskId> {
        match self.many.is_empty() {
            true => self.few.iter().find(|e| eligible(e.vruntime)).map(|e| e.task),
            false => self.many.first_eligible(eligible),
        }
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, TaskId)> + '_ {
        self.few.iter().map(|e| (e.key, e.task)).chain(self.many.iter())
    }

    /// Adds an entry. Precondition: no entry has its key.
    #[inline]
    pub fn insert(&mut self, entry: Entry) {
        if self.few.len() < FEW && self.many.is_empty() {
            // Who comes back last mostly goes last.
            let after = self.few.iter().rposition(|e| e.key < entry.key);
            self.few.insert(after.map_or(0, |i| i + 1), entry);
        } else {
            self.insert_into_tree(entry);
        }
    }

    /// Takes an entry out; whether it was there.
    #[inline]
    pub fn remove(&mut self, key: Key) -> bool {
        if !self.many.is_empty() {
            return self.remove_from_tree(key);
        }
        let Some(at) = self.few.iter().position(|e| e.key == key) else { return false };
        self.few.remove(at);
        true
    }

    #[cold]
    #[inline(never)]
    fn insert_into_tree(&mut self, entry: Entry) {
        self.few.drain(..).for_each(|e| self.many.insert(e));
        self.many.insert(entry);
    }

    #[cold]
    #[inline(never)]
    fn remove_from_tree(&mut self, key: Key) -> bool {
        let found = self.many.remove(key);
        if found && self.many.len() <= FEW_AGAIN {
            self.few.extend(self.many.entries());
            // The empty nodes go, too: nothing of how long the queue once was is
            // left.
            self.many = Tree::default();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Id;
    use proptest::prelude::*;

    fn task(n: u64) -> TaskId {
        Id::from_bits(n << 32)
    }

    proptest! {
        /// List and tree give what looking at all entries gives, while the queue
        /// grows past either threshold and shrinks again.
        #[test]
        fn as_a_sorted_list(steps in proptest::collection::vec((0..2u8, -50..50i64, -50..50i64), 1..200)) {
            let mut queue = Timeline::default();
            let mut list: Vec<Entry> = Vec::new();
            for (arrival, (what, at, vruntime)) in (1..).zip(steps) {
                if what == 0 && !list.is_empty() {
                    let key = list.remove(at.unsigned_abs() as usize % list.len()).key;
                    prop_assert!(queue.remove(key));
                    prop_assert!(!queue.remove(key));
                } else {
                    let key = Key { at, arrival };
                    let entry = Entry { key, vruntime, slice: arrival % 7, task: task(arrival) };
                    queue.insert(entry);
                    list.push(entry);
                }
                list.sort_by_key(|e| e.key);
                let order: Vec<_> = list.iter().map(|e| (e.key, e.task)).collect();
                prop_assert_eq!(queue.iter().collect::<Vec<_>>(), order);
                prop_assert_eq!(queue.len(), list.len());
                prop_assert_eq!(queue.is_empty(), list.is_empty());
                prop_assert!(queue.few.is_empty() || queue.many.is_empty());
                prop_assert_eq!(queue.least(), list.iter().map(|e| e.vruntime).min());
                prop_assert_eq!(queue.least_slice(), list.iter().map(|e| e.slice).min());
                prop_assert_eq!(queue.first(), list.first().map(|e| e.task));
                prop_assert_eq!(queue.second(), list.get(1).map(|e| e.task));
                let naive = list.iter().find(|e| e.vruntime <= vruntime).map(|e| e.task);
                prop_assert_eq!(queue.first_eligible(|v| v <= vruntime), naive);
            }
        }
    }

    #[test]
    fn a_queue_that_was_long_is_as_one_that_never_was() {
        let entry = |n: u64| {
            let key = Key { at: n as i64, arrival: n };
            Entry { key, vruntime: n as i64, slice: n, task: task(n) }
        };
        let (mut long, mut short) = (Timeline::default(), Timeline::default());
        (1..=2).for_each(|n| short.insert(entry(n)));
        (1..=100).rev().for_each(|n| long.insert(entry(n)));
        assert_eq!((long.few.len(), long.many.len()), (0, 100));
        (3..=100).for_each(|n| assert!(long.remove(entry(n).key)));
        assert_eq!(long, short);
    }
}
