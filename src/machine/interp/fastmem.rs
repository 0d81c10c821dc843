//! From a virtual address to host memory in one comparison.
//!
//! While instructions run, pages that they use are remembered with a pointer
//! to the host memory that holds them. Everything here is forgotten when the
//! run ends, so no pointer outlives the exclusive borrow of the machine under
//! which it was made.
//!
//! ```text
//! slot of page p:   read  = p | run number     the page may be read at `host`
//!                   write = p | run number     and written
//! ```
//!
//! What must hold for a pointer to be good: its frame is stored densely, and
//! nothing replaces the frame's storage while the run lasts. Storage is
//! replaced by a write that finds it shared with a snapshot or too small. The
//! interpreter's own writes go through the pointers or through `Core`, which
//! forgets all slots before it lets a frame be unshared; the MMU writes page
//! tables only, which get no slot, and `Core` forgets all slots when it did.
//!
//! Linux: none. Left out: huge pages.

#![allow(
    unsafe_code,
    reason = "a guest load is one host load; through the frame table it is forty"
)]

use crate::machine::frame::Words;

/// Number of slots, direct-mapped.
const SLOTS: usize = 8192;
const PAGE_MASK: u64 = !0xfff;

#[derive(Debug, Clone, Copy)]
struct Slot {
    read: u64,
    write: u64,
    host: *mut u8,
}

const EMPTY: Slot = Slot { read: 0, write: 0, host: std::ptr::null_mut() };

/// The table.
#[derive(Debug)]
pub struct FastMem {
    slots: Box<[Slot; SLOTS]>,
    /// Number of the run, 1 to 4095: what is left of earlier ones is ignored.
    run: u64,
}

impl Default for FastMem {
    fn default() -> Self {
        FastMem { slots: Box::new([EMPTY; SLOTS]), run: 1 }
    }
}

// SAFETY: the pointers are followed only between `begin` and the end of the
// run that made them; `begin` makes all older ones unusable. A table that was
// sent to another thread, or shared, holds pointers that nobody follows.
unsafe impl Send for FastMem {}
// SAFETY: as above; no method that follows a pointer takes `&self` of a table
// that another thread could use: `read` and `write` are called by a running
// `Core`, which holds `&mut` of the machine that owns the frames.
unsafe impl Sync for FastMem {}

#[inline(always)]
fn slot_of(va: u64) -> usize {
    (va >> 12) as usize % SLOTS
}

impl FastMem {
    /// Forgets everything: a new run begins, or frames move.
    pub fn begin(&mut self) {
        self.run += 1;
        if self.run > 0xfff {
            self.run = 1;
            *self.slots = [EMPTY; SLOTS];
        }
    }

    /// Remembers a page that may be read.
    pub fn insert_read(&mut self, va: u64, words: &Words) {
        let tag = va & PAGE_MASK | self.run;
        self.slots[slot_of(va)] =
            Slot { read: tag, write: 0, host: std::ptr::from_ref(words).cast_mut().cast() };
    }

    /// Remembers a page that may be read and written.
    pub fn insert_write(&mut self, va: u64, words: &mut Words) {
        let tag = va & PAGE_MASK | self.run;
        self.slots[slot_of(va)] =
            Slot { read: tag, write: tag, host: std::ptr::from_mut(words).cast() };
    }

    /// Forgets that the frame with this storage may be written.
    pub fn protect(&mut self, words: &Words) {
        let host: *const u8 = std::ptr::from_ref(words).cast();
        for slot in self.slots.iter_mut().filter(|s| std::ptr::eq(s.host, host)) {
            slot.write = 0;
        }
    }

    /// Where `N` bytes at `va` can be read, if they lie in one known page.
    #[inline(always)]
    pub fn read<const N: usize>(&self, va: u64) -> Option<[u8; N]> {
        let slot = &self.slots[slot_of(va)];
        // The page of the last byte: another one than that of the first, for
        // which the slot is, fails the comparison too.
        if va.wrapping_add(N as u64 - 1) & PAGE_MASK | self.run != slot.read {
            return None;
        }
        // SAFETY: the slot was filled in this run, so its frame's storage is
        // where it was (see above), and all N bytes lie within its 4096.
        Some(unsafe { slot.host.add((va & 0xfff) as usize).cast::<[u8; N]>().read_unaligned() })
    }

    /// Writes `N` bytes at `va`, if they lie in one known writable page.
    #[inline(always)]
    pub fn write<const N: usize>(&mut self, va: u64, bytes: [u8; N]) -> bool {
        let slot = &self.slots[slot_of(va)];
        if va.wrapping_add(N as u64 - 1) & PAGE_MASK | self.run != slot.write {
            return false;
        }
        // SAFETY: as in `read`; the storage was made unique before the slot
        // became writable, and stays so while the machine is borrowed.
        unsafe { slot.host.add((va & 0xfff) as usize).cast::<[u8; N]>().write_unaligned(bytes) };
        true
    }

    /// Changes `N` bytes at `va` in place, if they lie in one known writable
    /// page; gives what was there.
    #[inline(always)]
    pub fn update<const N: usize>(
        &mut self,
        va: u64,
        change: impl FnOnce([u8; N]) -> [u8; N],
    ) -> Option<[u8; N]> {
        let slot = &self.slots[slot_of(va)];
        if va.wrapping_add(N as u64 - 1) & PAGE_MASK | self.run != slot.write {
            return None;
        }
        // SAFETY: as in `write`; `change` cannot reach this table.
        unsafe {
            let at = slot.host.add((va & 0xfff) as usize).cast::<[u8; N]>();
            let old = at.read_unaligned();
            at.write_unaligned(change(old));
            Some(old)
        }
    }

    /// Copies `len` bytes between known pages, if both runs lie in one each and
    /// the copy does not read what it has written.
    pub fn copy(&mut self, to: u64, from: u64, len: usize) -> bool {
        let (source, target) = (&self.slots[slot_of(from)], &self.slots[slot_of(to)]);
        let last = (len as u64).wrapping_sub(1);
        let fits =
            |va: u64, tag: u64| last <= 0xfff - (va & 0xfff) && va & PAGE_MASK | self.run == tag;
        if !fits(from, source.read) || !fits(to, target.write) {
            return false;
        }
        let (from, to) = ((from & 0xfff) as usize, (to & 0xfff) as usize);
        if std::ptr::eq(source.host, target.host) && from < to && to < from + len {
            return false;
        }
        // SAFETY: as in `read` and `write`: all bytes lie within the pages'
        // 4096; `copy` allows them to overlap.
        unsafe { std::ptr::copy(source.host.add(from), target.host.add(to), len) };
        true
    }

    /// Writes `element` `n` times from `to` on, if all lies in one known page.
    pub fn fill<const N: usize>(&mut self, to: u64, element: [u8; N], n: usize) -> bool {
        let target = &self.slots[slot_of(to)];
        let at = (to & 0xfff) as usize;
        let room = 0x1000 - at;
        if n > room / N || to & PAGE_MASK | self.run != target.write {
            return false;
        }
        // SAFETY: as in `write`; the bytes end within the page's 4096, and
        // arrays of bytes need no alignment.
        let run =
            unsafe { std::slice::from_raw_parts_mut(target.host.add(at).cast::<[u8; N]>(), n) };
        run.fill(element);
        true
    }
}
