//! The memory that the supervisor shares with the tasks: a bell that they ring,
//! and a slot for each.
//!
//! What is read here was written by other processes: it is never trusted to be
//! in range.
//!
//! Left out: what the words mean; see `stub` and `calls`.

#![allow(unsafe_code, reason = "memory that other processes change")]

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::stub::{
    self, BELL_BYTES, CONTROL_BYTES, DATA_BYTES, SLOT_BYTES, SLOT_DATA, at, report, state,
};
use super::sys;

/// The shared memory.
pub(super) struct Control {
    base: *mut u8,
    /// The same as a file.
    pub(super) file: OwnedFd,
}

/// What a task has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// What it was told to do is done; RAX.
    Done(i64),
    /// A handler has begun: the function and the signal.
    Handler(u32, i32),
    /// It was made by clone.
    Born,
    /// Its program has begun.
    Program,
    /// Nothing that we know.
    Strange,
}

/// What a task is told to do.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Command {
    pub(super) op: u32,
    pub(super) nr: u32,
    pub(super) args: [u64; 6],
    /// Where the input goes, and how much there is.
    pub(super) input: (u64, u64),
    /// Where the output is, and how much there is.
    pub(super) output: (u64, u64),
    /// The address of the slot of a task that the call makes.
    pub(super) child: u64,
}

impl Control {
    /// Makes it.
    pub(super) fn new() -> io::Result<Control> {
        let file = sys::memory_file(false)?;
        let handle = std::fs::File::from(file.try_clone()?);
        handle.set_len(CONTROL_BYTES)?;
        let base = sys::map_shared(&file, CONTROL_BYTES as usize)?;
        Ok(Control { base, file })
    }

    fn word(&self, offset: u64) -> &AtomicU32 {
        debug_assert!(offset + 4 <= CONTROL_BYTES);
        // SAFETY: the mapping has CONTROL_BYTES bytes, lives as long as `self`,
        // and its words are only touched atomically by us.
        unsafe { AtomicU32::from_ptr(self.base.add(offset as usize).cast()) }
    }

    fn long(&self, offset: u64) -> &AtomicU64 {
        debug_assert!(offset + 8 <= CONTROL_BYTES);
        // SAFETY: as above.
        unsafe { AtomicU64::from_ptr(self.base.add(offset as usize).cast()) }
    }

    fn slot(slot: usize, member: usize) -> u64 {
        BELL_BYTES + slot as u64 * SLOT_BYTES + member as u64
    }

    fn u32(&self, slot: usize, member: usize) -> &AtomicU32 {
        self.word(Control::slot(slot, member))
    }

    fn u64(&self, slot: usize, member: usize) -> &AtomicU64 {
        self.long(Control::slot(slot, member))
    }

    /// Makes a slot ready for a task that will begin.
    pub(super) fn prepare(&self, slot: usize) {
        self.u64(slot, at::SELF).store(stub::slot_address(slot), Ordering::Relaxed);
        self.u64(slot, at::MASK).store(0, Ordering::Relaxed);
        self.u32(slot, at::TID).store(0, Ordering::Relaxed);
        self.u32(slot, at::STATE).store(state::NONE, Ordering::Release);
    }

    /// What the task of a slot has to say, if it has.
    pub(super) fn report(&self, slot: usize) -> Option<Report> {
        if self.u32(slot, at::STATE).load(Ordering::Acquire) != state::REPORT {
            return None;
        }
        Some(match self.u32(slot, at::REPORT).load(Ordering::Relaxed) {
            report::DONE => Report::Done(self.u64(slot, at::RET).load(Ordering::Relaxed) as i64),
            report::HANDLER => Report::Handler(
                self.u32(slot, at::FUNCTION).load(Ordering::Relaxed),
                self.u32(slot, at::SIG).load(Ordering::Relaxed) as i32,
            ),
            report::BORN => Report::Born,
            report::PROGRAM => Report::Program,
            _ => Report::Strange,
        })
    }

    /// The task's own tid, as it saw it when it began.
    pub(super) fn tid(&self, slot: usize) -> i32 {
        self.u32(slot, at::TID).load(Ordering::Relaxed) as i32
    }

    /// The stack pointer at which the handler began.
    pub(super) fn sp(&self, slot: usize) -> u64 {
        self.u64(slot, at::SP).load(Ordering::Relaxed)
    }

    /// Takes a signal out of the mask that the task will have.
    pub(super) fn unblock(&self, slot: usize, sig: i32) {
        self.u64(slot, at::MASK).fetch_and(!(1 << (sig - 1)), Ordering::Relaxed);
    }

    /// Blocks nothing.
    pub(super) fn unblock_all(&self, slot: usize) {
        self.u64(slot, at::MASK).store(0, Ordering::Relaxed);
    }

    /// Copies to a slot's data.
    pub(super) fn put(&self, slot: usize, bytes: &[u8]) {
        let n = bytes.len().min(DATA_BYTES as usize);
        let to = Control::slot(slot, SLOT_DATA as usize) as usize;
        // SAFETY: the slot has DATA_BYTES bytes of data; the source is ours.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.add(to), n) };
    }

    /// A copy of the beginning of a slot's data.
    pub(super) fn data(&self, slot: usize, n: u64) -> Vec<u8> {
        let mut bytes = vec![0; n.min(DATA_BYTES) as usize];
        let from = Control::slot(slot, SLOT_DATA as usize) as usize;
        // SAFETY: as in `put`. The task waits for us; a hostile one that writes
        // meanwhile only changes which bytes are copied.
        unsafe {
            std::ptr::copy_nonoverlapping(self.base.add(from), bytes.as_mut_ptr(), bytes.len());
        }
        bytes
    }

    /// Gives a command to the task of a slot.
    pub(super) fn command(&self, slot: usize, c: &Command) {
        let set =
            |member: usize, value: u64| self.u64(slot, member).store(value, Ordering::Relaxed);
        self.u32(slot, at::OP).store(c.op, Ordering::Relaxed);
        set(at::NR, u64::from(c.nr));
        for (i, arg) in c.args.iter().enumerate() {
            set(at::ARGS + 8 * i, *arg);
        }
        set(at::IN_TO, c.input.0);
        set(at::IN_LEN, c.input.1);
        set(at::OUT_FROM, c.output.0);
        set(at::OUT_LEN, c.output.1);
        set(at::CHILD, c.child);
        let state = self.u32(slot, at::STATE);
        state.store(state::COMMAND, Ordering::Release);
        sys::futex_wake(state);
    }

    /// How often the bell has rung.
    pub(super) fn rings(&self) -> u32 {
        self.word(0).load(Ordering::SeqCst)
    }

    /// Says whether we sleep, so that somebody must wake us.
    pub(super) fn asleep(&self, yes: bool) {
        self.word(4).store(u32::from(yes), Ordering::SeqCst);
    }

    /// Sleeps until the bell has rung more often than that.
    pub(super) fn wait(&self, rings: u32, time: Duration) {
        sys::futex_wait(self.word(0), rings, time);
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // SAFETY: nobody else has the address.
        unsafe { sys::unmap(self.base, CONTROL_BYTES as usize) };
    }
}
