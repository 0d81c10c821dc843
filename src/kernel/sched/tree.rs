//! An ordered tree of tasks that knows of each subtree the least vruntime and
//! the shortest slice in it: what a run queue keeps those in that wait, when
//! they are many.
//!
//! ```text
//! order     at, then arrival        at: a virtual deadline (EEVDF), a vruntime
//!                                   (CFS), a deadline (the deadline class)
//! least     min(vruntime), min(slice) of the subtree
//! ```
//!
//! Finding the first entry that meets a condition on its vruntime takes one way
//! down: a left subtree is worth a visit only if its least one meets it.
//!
//! The shape is that of a treap: each entry has a rank, mixed from its arrival
//! number, and no entry ranks below its children. So the shape follows from the
//! entries alone, and its depth is logarithmic. Nodes lie in a persistent
//! vector: a snapshot shares them.
//!
//! Linux: include/linux/rbtree_augmented.h, used by kernel/sched/fair.c
//! (tasks_timeline, min_vruntime_cb, min_slice) and deadline.c (rb_add_cached).
//! Left out: colours, for there is nothing to balance; the cached first entry.

use std::cmp::Ordering;

use super::timeline::Entry;
use crate::base::{Id, PVec};
use crate::kernel::task::TaskId;

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Key {
    /// What it is sorted by.
    pub at: i64,
    /// Of equal ones the older goes first. Unique in a tree.
    pub arrival: u64,
}

/// Index of a node; 0 is none.
type Link = u32;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Node {
    key: Key,
    task: u64,
    vruntime: i64,
    slice: u64,
    least: Least,
    left: Link,
    right: Link,
}

/// The least of a subtree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Least {
    vruntime: i64,
    slice: u64,
}

impl Least {
    const NONE: Least = Least { vruntime: i64::MAX, slice: u64::MAX };

    fn min(self, other: Least) -> Least {
        let vruntime = self.vruntime.min(other.vruntime);
        Least { vruntime, slice: self.slice.min(other.slice) }
    }
}

/// The tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    nodes: PVec<Node, 32>,
    root: Link,
    /// First of the unused nodes, chained by `left`.
    free: Link,
    len: u32,
}

/// Scrambles an arrival number (the finaliser of splitmix64).
fn rank(arrival: u64) -> u64 {
    let mut z = arrival.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

impl Tree {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.root == 0
    }

    /// The least vruntime of all.
    pub fn least(&self) -> Option<i64> {
        (self.root != 0).then(|| self.node(self.root).least.vruntime)
    }

    /// The shortest slice of all.
    pub fn least_slice(&self) -> Option<u64> {
        (self.root != 0).then(|| self.node(self.root).least.slice)
    }

    /// The first entry.
    pub fn first(&self) -> Option<TaskId> {
        self.first_node().map(|at| Id::from_bits(self.node(at).task))
    }

    /// The entry after the first.
    pub fn second(&self) -> Option<TaskId> {
        let mut best = 0;
        let mut at = self.root;
        while at != 0 {
            let n = self.node(at);
            if n.left == 0 {
                best = match self.leftmost(n.right) {
                    0 => best,
                    next => next,
                };
                break;
            }
            (best, at) = (at, n.left);
        }
        (best != 0).then(|| Id::from_bits(self.node(best).task))
    }

    /// The first entry whose vruntime meets `eligible`, which must hold for
    /// every vruntime below one for which it holds.
    pub fn first_eligible(&self, eligible: impl Fn(i64) -> bool) -> Option<TaskId> {
        let mut at = self.root;
        while at != 0 {
            let n = self.node(at);
            if n.left != 0 && eligible(self.node(n.left).least.vruntime) {
                at = n.left;
            } else if eligible(n.vruntime) {
                return Some(Id::from_bits(n.task));
            } else {
                at = n.right;
            }
        }
        None
    }

    /// Keys and tasks in order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, TaskId)> + '_ {
        self.entries().map(|e| (e.key, e.task))
    }

    /// All entries in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let mut path = Vec::new();
        let mut at = self.root;
        std::iter::from_fn(move || {
            while at != 0 {
                path.push(at);
                at = self.node(at).left;
            }
            let n = self.node(path.pop()?);
            at = n.right;
            let Node { key, task, vruntime, slice, .. } = *n;
            Some(Entry { key, vruntime, slice, task: Id::from_bits(task) })
        })
    }

    /// Adds an entry. Precondition: no entry has its key.
    pub fn insert(&mut self, entry: Entry) {
        let Entry { key, vruntime, slice, task } = entry;
        let (task, least) = (task.to_bits(), Least { vruntime, slice });
        let node = Node { key, task, vruntime, slice, least, left: 0, right: 0 };
        let new = match self.free {
            0 => {
                if self.nodes.is_empty() {
                    self.nodes.push(Node::default());
                }
                self.nodes.push(node) as Link
            }
            free => {
                self.free = self.node(free).left;
                *self.node_mut(free) = node;
                free
            }
        };
        self.root = self.insert_below(self.root, new, key);
        self.len += 1;
    }

    /// Takes an entry out; whether it was there.
    pub fn remove(&mut self, key: Key) -> bool {
        let mut found = 0;
        self.root = self.remove_below(self.root, key, &mut found);
        if found == 0 {
            return false;
        }
        let free = self.free;
        *self.node_mut(found) = Node { left: free, ..Node::default() };
        self.free = found;
        self.len -= 1;
        true
    }

    fn node(&self, at: Link) -> &Node {
        self.nodes.get(at as usize).expect("a link names a node")
    }

    fn node_mut(&mut self, at: Link) -> &mut Node {
        self.nodes.get_mut(at as usize).expect("a link names a node")
    }

    fn first_node(&self) -> Option<Link> {
        match self.leftmost(self.root) {
            0 => None,
            at => Some(at),
        }
    }

    fn leftmost(&self, mut at: Link) -> Link {
        if at == 0 {
            return 0;
        }
        loop {
            match self.node(at).left {
                0 => return at,
                left => at = left,
            }
        }
    }

    fn least_of(&self, at: Link) -> Least {
        if at == 0 { Least::NONE } else { self.node(at).least }
    }

    /// Gives a node children, and works out what is least below it again. What does
    /// not change is not written: it may be shared with a snapshot.
    fn set(&mut self, at: Link, left: Link, right: Link) {
        let below = self.least_of(left).min(self.least_of(right));
        let n = self.node(at);
        let least = Least { vruntime: n.vruntime, slice: n.slice }.min(below);
        if (n.left, n.right, n.least) != (left, right, least) {
            let n = self.node_mut(at);
            (n.left, n.right, n.least) = (left, right, least);
        }
    }

    fn insert_below(&mut self, root: Link, new: Link, key: Key) -> Link {
        if root == 0 {
            return new;
        }
        let n = self.node(root);
        let (left, right, there) = (n.left, n.right, n.key);
        if rank(key.arrival) > rank(there.arrival) {
            let (before, after) = self.split(root, key);
            self.set(new, before, after);
            return new;
        }
        if key < there {
            let left = self.insert_below(left, new, key);
            self.set(root, left, right);
        } else {
            let right = self.insert_below(right, new, key);
            self.set(root, left, right);
        }
        root
    }

    /// Two trees: what is before a key, and what is after it.
    fn split(&mut self, root: Link, key: Key) -> (Link, Link) {
        if root == 0 {
            return (0, 0);
        }
        let n = self.node(root);
        let (left, right) = (n.left, n.right);
        if n.key < key {
            let (before, after) = self.split(right, key);
            self.set(root, left, before);
            (root, after)
        } else {
            let (before, after) = self.split(left, key);
            self.set(root, after, right);
            (before, root)
        }
    }

    fn remove_below(&mut self, root: Link, key: Key, found: &mut Link) -> Link {
        if root == 0 {
            return 0;
        }
        let n = self.node(root);
        let (left, right) = (n.left, n.right);
        match key.cmp(&n.key) {
            Ordering::Equal => {
                *found = root;
                return self.merge(left, right);
            }
            Ordering::Less => {
                let left = self.remove_below(left, key, found);
                self.set(root, left, right);
            }
            Ordering::Greater => {
                let right = self.remove_below(right, key, found);
                self.set(root, left, right);
            }
        }
        root
    }

    /// One tree of two, all of `a` before all of `b`.
    fn merge(&mut self, a: Link, b: Link) -> Link {
        if a == 0 || b == 0 {
            return a | b;
        }
        let (x, y) = (self.node(a), self.node(b));
        if rank(x.key.arrival) > rank(y.key.arrival) {
            let (left, right) = (x.left, x.right);
            let right = self.merge(right, b);
            self.set(a, left, right);
            a
        } else {
            let (left, right) = (y.left, y.right);
            let left = self.merge(a, left);
            self.set(b, left, right);
            b
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn task(n: u64) -> TaskId {
        Id::from_bits(n << 32)
    }

    proptest! {
        /// The tree finds what looking at all entries finds.
        #[test]
        fn as_a_sorted_list(steps in proptest::collection::vec((0..3u8, -50..50i64, -50..50i64), 1..200)) {
            let mut tree = Tree::default();
            let mut list: Vec<(Key, i64, TaskId)> = Vec::new();
            for (arrival, (what, at, vruntime)) in (1..).zip(steps) {
                if what == 0 && !list.is_empty() {
                    let (key, ..) = list.remove(at.unsigned_abs() as usize % list.len());
                    prop_assert!(tree.remove(key));
                    prop_assert!(!tree.remove(key));
                } else {
                    let key = Key { at, arrival };
                    let slice = arrival % 7;
                    tree.insert(Entry { key, vruntime, slice, task: task(arrival) });
                    list.push((key, vruntime, task(arrival)));
                }
                list.sort_by_key(|e| e.0);
                let order: Vec<_> = list.iter().map(|e| (e.0, e.2)).collect();
                prop_assert_eq!(tree.iter().collect::<Vec<_>>(), order);
                prop_assert_eq!(tree.len(), list.len());
                prop_assert_eq!(tree.least(), list.iter().map(|e| e.1).min());
                let slices = list.iter().map(|e| e.0.arrival % 7);
                prop_assert_eq!(tree.least_slice(), slices.min());
                prop_assert_eq!(tree.first(), list.first().map(|e| e.2));
                prop_assert_eq!(tree.second(), list.get(1).map(|e| e.2));
                let limit = vruntime;
                let naive = list.iter().find(|e| e.1 <= limit).map(|e| e.2);
                prop_assert_eq!(tree.first_eligible(|v| v <= limit), naive);
            }
        }
    }

    #[test]
    fn its_depth_is_logarithmic() {
        let mut tree = Tree::default();
        for n in 1..=100_000 {
            let key = Key { at: n as i64, arrival: n };
            tree.insert(Entry { key, vruntime: 0, slice: 0, task: task(n) });
        }
        fn depth(tree: &Tree, at: Link) -> u32 {
            if at == 0 {
                return 0;
            }
            let n = tree.node(at);
            1 + depth(tree, n.left).max(depth(tree, n.right))
        }
        let depth = depth(&tree, tree.root);
        assert!(depth < 60, "{depth} levels for 100,000 entries added in order");
    }
}
