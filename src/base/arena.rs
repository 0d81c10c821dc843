//! Typed-index arenas: where kernel objects live.
//!
//! An [`Id`] is an index and a generation. Freeing a slot raises its
//! generation, so a stale id is found out instead of naming the next tenant:
//! the simulated kernel's use-after-free becomes a finding.
//!
//! Linux: the slab caches (`kmem_cache_alloc`) and raw pointers.
//! Left out: reference counting; the objects carry Linux's own counts.

use super::pvec::PVec;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// Slots a chunk unless said otherwise; small, because a chunk is what a write
/// after a snapshot copies. Large objects have smaller ones.
const CHUNK: usize = 16;
const NIL: u32 = u32::MAX;

/// The name of an object in an [`Arena`]: never dangling, at worst stale.
pub struct Id<T> {
    index: u32,
    generation: u32,
    kind: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// The slot's number, for display.
    pub fn index(self) -> u32 {
        self.index
    }
    /// A number that is unique to this object over the life of the arena; ids
    /// sort by it as (index, generation).
    pub fn to_bits(self) -> u64 {
        u64::from(self.index) << 32 | u64::from(self.generation)
    }
    /// The inverse of [`Id::to_bits`]. An id made from other bits is stale.
    pub fn from_bits(bits: u64) -> Self {
        Id { index: (bits >> 32) as u32, generation: bits as u32, kind: PhantomData }
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index && self.generation == other.generation
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.to_bits().cmp(&other.to_bits())
    }
}
impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_bits().hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.index, self.generation)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot<T> {
    generation: u32,
    next_free: u32,
    value: Option<T>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Slot { generation: 0, next_free: NIL, value: None }
    }
}

/// Objects of one kind, named by [`Id`]. Freed slots are reused last in,
/// first out, so the same calls give the same ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arena<T, const N: usize = CHUNK> {
    slots: PVec<Slot<T>, N>,
    free: u32,
    live: usize,
}

impl<T, const N: usize> Default for Arena<T, N> {
    fn default() -> Self {
        Arena { slots: PVec::default(), free: NIL, live: 0 }
    }
}

impl<T: Clone, const N: usize> Arena<T, N> {
    /// An empty arena.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of live objects.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether no object is live.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Stores `value` and names it.
    #[inline]
    pub fn insert(&mut self, value: T) -> Id<T> {
        self.live += 1;
        if self.free == NIL {
            let index = self.slots.push(Slot { generation: 0, next_free: NIL, value: Some(value) });
            return Id { index: index as u32, generation: 0, kind: PhantomData };
        }
        let index = self.free;
        let slot = self.slots.slot_mut(index as usize).expect("free list names existing slots");
        self.free = slot.next_free;
        slot.next_free = NIL;
        slot.value = Some(value);
        Id { index, generation: slot.generation, kind: PhantomData }
    }

    /// Takes the object out; `None` when `id` is stale.
    pub fn remove(&mut self, id: Id<T>) -> Option<T> {
        let free = self.free;
        let slot = self.slots.slot_mut(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.next_free = free;
        self.free = id.index;
        self.live -= 1;
        Some(value)
    }

    /// Frees the object where it lies; whether there was one. Unlike
    /// [`Arena::remove`] it moves nothing.
    pub fn free(&mut self, id: Id<T>) -> bool {
        let free = self.free;
        let Some(slot) = self.slots.slot_mut(id.index as usize) else { return false };
        if slot.generation != id.generation || slot.value.is_none() {
            return false;
        }
        slot.value = None;
        slot.generation = slot.generation.wrapping_add(1);
        slot.next_free = free;
        self.free = id.index;
        self.live -= 1;
        true
    }

    /// The object, or `None` when `id` is stale.
    #[inline]
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        let slot = self.slots.slot(id.index as usize)?;
        if slot.generation == id.generation { slot.value.as_ref() } else { None }
    }

    /// The object for writing, or `None` when `id` is stale.
    #[inline]
    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        let slot = self.slots.slot_mut(id.index as usize)?;
        if slot.generation == id.generation { slot.value.as_mut() } else { None }
    }

    /// Whether `id` names a live object.
    pub fn contains(&self, id: Id<T>) -> bool {
        self.get(id).is_some()
    }

    /// All live objects in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> + '_ {
        self.slots.iter().enumerate().filter_map(|(i, s)| {
            let id = Id { index: i as u32, generation: s.generation, kind: PhantomData };
            s.value.as_ref().map(|v| (id, v))
        })
    }
}

impl<T: Clone, const N: usize> std::ops::Index<Id<T>> for Arena<T, N> {
    type Output = T;
    /// Panics when `id` is stale: inside the kernel that is a bug of ours.
    /// Ids that come from a script go through [`Arena::get`].
    #[inline]
    fn index(&self, id: Id<T>) -> &T {
        self.get(id).expect("stale kernel object id")
    }
}

impl<T: Clone, const N: usize> std::ops::IndexMut<Id<T>> for Arena<T, N> {
    #[inline]
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        self.get_mut(id).expect("stale kernel object id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_id_is_found_out() {
        let mut a: Arena<&'static str> = Arena::new();
        let first = a.insert("first");
        assert_eq!(a.remove(first), Some("first"));
        let second = a.insert("second");
        assert_eq!(second.index(), first.index());
        assert_ne!(second, first);
        assert_eq!(a.get(first), None);
        assert_eq!(a.remove(first), None);
        assert_eq!(a.get(second), Some(&"second"));
        assert_eq!(Id::from_bits(second.to_bits()), second);
        assert!(!a.free(first) && a.free(second) && !a.free(second));
        assert!(a.is_empty() && a.get(second).is_none());
    }

    #[test]
    fn slots_come_back_last_in_first_out() {
        let mut a: Arena<u32> = Arena::new();
        let ids: Vec<_> = (0..40).map(|i| a.insert(i)).collect();
        a.remove(ids[3]);
        a.remove(ids[30]);
        assert_eq!(a.insert(0).index(), 30);
        assert_eq!(a.insert(0).index(), 3);
        assert_eq!(a.insert(0).index(), 40);
        assert_eq!(a.len(), 41);
        assert_eq!(a.iter().count(), 41);
    }
}
