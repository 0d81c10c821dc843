//! The script's memory in a real process: named variables at the addresses
//! that the model gives them too, and what it maps itself.
//!
//! A vfork child must not run in the interpreter's memory, so it is a copy
//! whose parent waits (CLONE_VFORK without CLONE_VM). What a script can see of
//! the sharing is its variables: for as long as the child lives they lie in
//! pages that both have.
//!
//! Left out: mappings of a script during vfork, brk.

#![allow(unsafe_code, reason = "memory of the host")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ptr;

use super::sys;
use crate::abi::Errno;

/// Where the data segment begins, in the model too.
pub(super) const DATA: u64 = 0x40_5000;
/// Bytes of it.
const DATA_BYTES: u64 = 1 << 20;
const PAGE: u64 = 4096;

/// The memory of the process that runs.
#[derive(Debug, Default)]
pub(super) struct Memory {
    names: RefCell<BTreeMap<Box<str>, (u64, u64)>>,
    next: Cell<u64>,
    /// What the script has mapped: begin and end.
    mapped: RefCell<Vec<(u64, u64)>>,
    /// Whether the data segment is shared with a process that waits in vfork.
    borrowed: Cell<bool>,
}

fn map(at: u64, flags: i32) -> Result<u64, Errno> {
    let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, flags | libc::MAP_ANONYMOUS);
    let args = [at, DATA_BYTES, prot as u64, flags as u64, u64::MAX, 0];
    // SAFETY: with an address, MAP_FIXED_NOREPLACE is among the flags; without
    // one the kernel chooses free memory.
    sys::result(unsafe { sys::raw(libc::SYS_mmap as u32, args) }).map(|addr| addr as u64)
}

/// Copies the data segment to another mapping of its size.
fn copy_data_to(to: u64) {
    // SAFETY: both are mapped readable and writable for DATA_BYTES (the script
    // cannot change the data segment's mapping) and do not overlap.
    unsafe { ptr::copy_nonoverlapping(DATA as *const u8, to as *mut u8, DATA_BYTES as usize) }
}

/// Puts a mapping of the data segment's size where the data segment is.
fn move_to_data(from: u64) -> Result<(), Errno> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    let args = [from, DATA_BYTES, DATA_BYTES, flags as u64, DATA, 0];
    // SAFETY: only the script's own data segment is replaced.
    sys::result(unsafe { sys::raw(libc::SYS_mremap as u32, args) }).map(|_| ())
}

impl Memory {
    /// Maps the data segment.
    pub(super) fn new() -> Result<Memory, Errno> {
        map(DATA, libc::MAP_PRIVATE | libc::MAP_FIXED_NOREPLACE)?;
        Ok(Memory { next: Cell::new(DATA), ..Memory::default() })
    }

    /// Room for a variable; see `kernel::mm::symbols`.
    pub(super) fn define(&self, name: &str, size: u64) -> Result<u64, String> {
        if let Some((addr, old)) = self.names.borrow().get(name)
            && *old == size
        {
            return Ok(*addr);
        }
        if self.borrowed.get() {
            return Err("`define` in the child of a vfork".into());
        }
        let addr = self.next.get().next_multiple_of(8);
        if addr + size > DATA + DATA_BYTES {
            return Err("more than 1 MiB of variables".into());
        }
        self.next.set(addr + size);
        self.names.borrow_mut().insert(name.into(), (addr, size));
        Ok(addr)
    }

    /// The address of a variable.
    pub(super) fn symbol(&self, name: &str) -> Option<u64> {
        self.names.borrow().get(name).map(|(addr, _)| *addr)
    }

    /// Whether a range lies in one piece of memory that is the script's.
    pub(super) fn owns(&self, addr: u64, len: u64) -> bool {
        let Some(end) = addr.checked_add(len) else { return false };
        let inside = |(from, to): &(u64, u64)| *from <= addr && end <= *to;
        inside(&(DATA, DATA + DATA_BYTES)) || self.mapped.borrow().iter().any(inside)
    }

    /// Whether touching this range touches the script's memory, or faults.
    pub(super) fn may_touch(&self, addr: u64, len: u64) -> bool {
        self.owns(addr, len) || self.is_free(addr, len)
    }

    /// Whether nothing is mapped in a range.
    pub(super) fn is_free(&self, addr: u64, len: u64) -> bool {
        const USER_END: u64 = 0x7fff_ffff_f000;
        let Some(end) = addr.checked_add(len) else { return true };
        let mut page = addr & !(PAGE - 1);
        if addr >= USER_END {
            return true;
        }
        // Only a few pages: no call of ours has larger operands.
        for _ in 0..256 {
            if page >= end {
                return true;
            }
            let mut there = 0u8;
            let args = [page, PAGE, (&raw mut there).addr() as u64, 0, 0, 0];
            // SAFETY: mincore stores one byte for one page.
            let ret = unsafe { sys::raw(libc::SYS_mincore as u32, args) };
            if sys::result(ret) != Err(Errno::ENOMEM) {
                return false;
            }
            page += PAGE;
        }
        false
    }

    /// The script has mapped memory.
    pub(super) fn add(&self, addr: u64, len: u64) {
        self.mapped.borrow_mut().push((addr, addr + len.next_multiple_of(PAGE)));
    }

    /// Whether a range lies in what the script has mapped itself.
    pub(super) fn mapped(&self, addr: u64, len: u64) -> bool {
        let Some(end) = addr.checked_add(len) else { return false };
        self.mapped.borrow().iter().any(|(from, to)| *from <= addr && end <= *to)
    }

    /// The script has unmapped memory.
    pub(super) fn remove(&self, addr: u64, len: u64) {
        let end = addr + len.next_multiple_of(PAGE);
        let old = self.mapped.take();
        let pieces = old.into_iter().flat_map(|(from, to)| {
            if end <= from || to <= addr {
                return [(from, to), (0, 0)];
            }
            [(from, addr.max(from)), (end.min(to), to)]
        });
        *self.mapped.borrow_mut() = pieces.filter(|(from, to)| from < to).collect();
    }

    /// Whether the variables are shared with a process that waits in vfork.
    pub(super) fn is_borrowed(&self) -> bool {
        self.borrowed.get()
    }

    /// Before a fork: a copy of shared variables for the child, if they are.
    pub(super) fn before_fork(&self) -> Result<Option<u64>, Errno> {
        if !self.borrowed.get() {
            return Ok(None);
        }
        let copy = map(0, libc::MAP_PRIVATE)?;
        copy_data_to(copy);
        Ok(Some(copy))
    }

    /// After a fork, on both sides.
    pub(super) fn after_fork(&self, copy: Option<u64>, child: bool) -> Result<(), Errno> {
        let Some(copy) = copy else { return Ok(()) };
        if child {
            move_to_data(copy)?;
            self.borrowed.set(false);
            return Ok(());
        }
        // SAFETY: `before_fork` has mapped it, and nobody else knows it.
        sys::result(unsafe { sys::raw(libc::SYS_munmap as u32, [copy, DATA_BYTES, 0, 0, 0, 0]) })?;
        Ok(())
    }

    /// Before a vfork: the variables move to pages that a child shares.
    pub(super) fn before_vfork(&self) -> Result<bool, String> {
        if !self.mapped.borrow().is_empty() {
            return Err("vfork of a process that has mapped memory".into());
        }
        let before = self.borrowed.get();
        if !before {
            self.replace(libc::MAP_SHARED).map_err(|e| format!("vfork ({})", e.name()))?;
        }
        Ok(before)
    }

    /// After a vfork, on both sides: the child borrows; the parent has what it
    /// had before, with what the child has written.
    pub(super) fn after_vfork(&self, before: bool, child: bool) -> Result<(), Errno> {
        if child {
            self.borrowed.set(true);
        } else if !before {
            self.replace(libc::MAP_PRIVATE)?;
        }
        Ok(())
    }

    fn replace(&self, sharing: i32) -> Result<(), Errno> {
        let copy = map(0, sharing)?;
        copy_data_to(copy);
        move_to_data(copy)
    }
}
