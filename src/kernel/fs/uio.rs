//! Where the bytes of a read go and those of a write come from: user memory,
//! or the call itself when a script's director made it.
//!
//! Linux: lib/iov_iter.c. Left out: vectors of several buffers.

use crate::base::PAGE_SIZE;
use crate::kernel::error::SysError;
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// No read or write moves more (`MAX_RW_COUNT`).
pub const MAX_RW_COUNT: u64 = 0x7fff_f000;
/// A read without a user buffer moves at most this much: a legal short read
/// that spares the host a buffer of 2 GiB.
pub const MAX_OUT: u64 = 16 << 20;
/// End of user memory (`TASK_SIZE_MAX`).
const TASK_SIZE_MAX: u64 = 0x7fff_ffff_f000;

/// Where the bytes of a write come from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// User memory: address and length.
    User(u64, u64),
    /// The call's payload.
    Bytes(&'a [u8]),
}

/// Where the bytes of a read go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dest {
    /// User memory: address and length.
    User(u64, u64),
    /// `kernel.out`: what was read so far, and how much is wanted.
    Out(Vec<u8>, u64),
}

fn access_ok(addr: u64, len: u64) -> Result<(), SysError> {
    match addr.checked_add(len) {
        Some(end) if end <= TASK_SIZE_MAX => Ok(()),
        _ => Err(SysError::new(
            crate::abi::Errno::EFAULT,
            "access_ok",
            "the buffer reaches beyond the end of user memory",
        )),
    }
}

impl Source<'_> {
    /// Bytes to write, clamped to [`MAX_RW_COUNT`].
    pub fn count(&self) -> u64 {
        match self {
            Source::User(_, n) => (*n).min(MAX_RW_COUNT),
            Source::Bytes(b) => (b.len() as u64).min(MAX_RW_COUNT),
        }
    }

    /// EFAULT when the buffer is not in user memory at all.
    pub fn access_ok(&self) -> Result<(), SysError> {
        match self {
            Source::User(addr, n) => access_ok(*addr, *n),
            Source::Bytes(_) => Ok(()),
        }
    }

    /// Fills `buf` with the bytes from `done` on.
    pub fn copy(
        &self,
        sys: &mut System,
        task: TaskId,
        done: u64,
        buf: &mut [u8],
    ) -> Result<(), SysError> {
        match self {
            Source::User(addr, _) => copy_from_user(sys, task, addr.wrapping_add(done), buf),
            Source::Bytes(b) => {
                let from = usize::try_from(done).unwrap_or(usize::MAX).min(b.len());
                let n = buf.len().min(b.len() - from);
                buf[..n].copy_from_slice(&b[from..from + n]);
                Ok(())
            }
        }
    }
}

/// Bytes from `addr` to the end of its page, but no more than `len`: a copy
/// that faults stops at a page boundary.
fn in_page(addr: u64, len: usize) -> usize {
    ((PAGE_SIZE - addr % PAGE_SIZE) as usize).min(len)
}

impl Source<'_> {
    /// Like [`Source::copy`], but a fault ends the copy: as many bytes as were
    /// read, or the fault when there are none.
    pub fn copy_partial(
        &self,
        sys: &mut System,
        task: TaskId,
        done: u64,
        buf: &mut [u8],
    ) -> Result<usize, SysError> {
        let Source::User(addr, _) = self else {
            return self.copy(sys, task, done, buf).map(|()| buf.len());
        };
        let mut n = 0;
        while n < buf.len() {
            let at = addr.wrapping_add(done).wrapping_add(n as u64);
            let len = in_page(at, buf.len() - n);
            match copy_from_user(sys, task, at, &mut buf[n..n + len]) {
                Ok(()) => n += len,
                Err(e) if n == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok(n)
    }
}

impl Dest {
    /// Like [`Dest::put`], but a fault ends the copy: as many bytes as were
    /// stored, or the fault when there are none.
    pub fn put_partial(
        &mut self,
        sys: &mut System,
        task: TaskId,
        done: u64,
        bytes: &[u8],
    ) -> Result<usize, SysError> {
        let Dest::User(addr, _) = self else {
            return self.put(sys, task, done, bytes).map(|()| bytes.len());
        };
        let mut n = 0;
        while n < bytes.len() {
            let at = addr.wrapping_add(done).wrapping_add(n as u64);
            let len = in_page(at, bytes.len() - n);
            match copy_to_user(sys, task, at, &bytes[n..n + len]) {
                Ok(()) => n += len,
                Err(e) if n == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok(n)
    }

    /// Bytes wanted, clamped.
    pub fn count(&self) -> u64 {
        match self {
            Dest::User(_, n) => (*n).min(MAX_RW_COUNT),
            Dest::Out(_, n) => (*n).min(MAX_OUT),
        }
    }

    /// EFAULT when the buffer is not in user memory at all.
    pub fn access_ok(&self) -> Result<(), SysError> {
        match self {
            Dest::User(addr, n) => access_ok(*addr, *n),
            Dest::Out(..) => Ok(()),
        }
    }

    /// Stores `bytes` behind the `done` bytes stored before.
    pub fn put(
        &mut self,
        sys: &mut System,
        task: TaskId,
        done: u64,
        bytes: &[u8],
    ) -> Result<(), SysError> {
        match self {
            Dest::User(addr, _) => copy_to_user(sys, task, addr.wrapping_add(done), bytes),
            Dest::Out(out, _) => {
                out.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

/// The next piece of a transfer: up to the end of a page of the file.
pub(super) fn piece(pos: u64, left: u64) -> usize {
    (PAGE_SIZE - pos % PAGE_SIZE).min(left) as usize
}
