//! Where the bytes of a read go and those of a write come from: user memory,
//! in one buffer or several, or the call itself when a script's director made it.
//!
//! ```text
//! iovec: base 8 | len 8      done bytes ->  [ buffer 0 | buffer 1 | ... ]
//! ```
//!
//! Linux: lib/iov_iter.c (import_iovec, copy_to_iter, copy_from_iter).
//! Left out: nothing.

use crate::abi::Errno;
use crate::base::PAGE_SIZE;
use crate::kernel::error::{SysError, refuse};
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

/// Most buffers of one call (`UIO_MAXIOV`).
pub const UIO_MAXIOV: u64 = 1024;

/// `struct iovec`: address and length of a buffer in user memory.
pub type Iovec = (u64, u64);

/// Reads a list of buffers from user memory (`iovec_from_user`).
///
/// # Errors
/// EINVAL: more than [`UIO_MAXIOV`] buffers, or a length below zero. EFAULT.
pub fn iovec_from_user(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    count: u64,
) -> Result<Vec<Iovec>, SysError> {
    const F: &str = "iovec_from_user";
    if count > UIO_MAXIOV {
        return refuse(Errno::EINVAL, F, "a call takes 1024 buffers at most (UIO_MAXIOV)");
    }
    let mut bytes = vec![0; 16 * count as usize];
    copy_from_user(sys, task, addr, &mut bytes)?;
    let word = |b: &[u8]| b.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte));
    let list: Vec<Iovec> = bytes.chunks_exact(16).map(|c| (word(&c[..8]), word(&c[8..]))).collect();
    if list.iter().any(|(_, len)| *len > i64::MAX as u64) {
        return refuse(Errno::EINVAL, F, "the length of a buffer is negative");
    }
    Ok(list)
}

/// Reads the buffers of a vectored call from user memory; together they are cut
/// to [`MAX_RW_COUNT`] (`import_iovec`).
///
/// # Errors
/// Those of [`iovec_from_user`]; EFAULT: a buffer that is not in user memory at all.
pub fn import_iovec(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    count: u64,
) -> Result<Vec<Iovec>, SysError> {
    let mut list = iovec_from_user(sys, task, addr, count)?;
    let mut total = 0;
    for (base, len) in &mut list {
        access_ok(*base, *len)?;
        *len = (*len).min(MAX_RW_COUNT - total);
        total += *len;
    }
    Ok(list)
}

/// Bytes of all buffers.
fn total(list: &[Iovec]) -> u64 {
    list.iter().map(|(_, len)| len).sum()
}

/// Where byte `done` of the buffers lies, and how many follow it in its own.
fn locate(list: &[Iovec], mut done: u64) -> (u64, u64) {
    for (base, len) in list {
        if done < *len {
            return (base.wrapping_add(done), len - done);
        }
        done -= len;
    }
    (0, 0)
}

/// Where the bytes of a write come from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// User memory: address and length.
    User(u64, u64),
    /// User memory: several buffers.
    Vec(&'a [Iovec]),
    /// The call's payload.
    Bytes(&'a [u8]),
}

/// Where the bytes of a read go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dest {
    /// User memory: address and length.
    User(u64, u64),
    /// User memory: several buffers.
    Vec(Vec<Iovec>),
    /// `kernel.out`: what was read so far, and how much is wanted.
    Out(Vec<u8>, u64),
}

fn access_ok(addr: u64, len: u64) -> Result<(), SysError> {
    match addr.checked_add(len) {
        Some(end) if end <= TASK_SIZE_MAX => Ok(()),
        _ => Err(SysError::new(
            Errno::EFAULT,
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
            Source::Vec(list) => total(list),
            Source::Bytes(b) => (b.len() as u64).min(MAX_RW_COUNT),
        }
    }

    /// EFAULT when the buffer is not in user memory at all.
    pub fn access_ok(&self) -> Result<(), SysError> {
        match self {
            Source::User(addr, n) => access_ok(*addr, *n),
            Source::Vec(_) | Source::Bytes(_) => Ok(()),
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
            Source::Vec(list) => {
                let mut n = 0;
                while n < buf.len() {
                    let (at, left) = locate(list, done.wrapping_add(n as u64));
                    let len = (left as usize).min(buf.len() - n).max(1);
                    copy_from_user(sys, task, at, &mut buf[n..n + len])?;
                    n += len;
                }
                Ok(())
            }
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
        let one;
        let list = match self {
            Source::User(addr, len) => {
                one = [(*addr, *len)];
                &one[..]
            }
            Source::Vec(list) => list,
            Source::Bytes(_) => return self.copy(sys, task, done, buf).map(|()| buf.len()),
        };
        let mut n = 0;
        while n < buf.len() {
            let (at, left) = locate(list, done.wrapping_add(n as u64));
            if left == 0 {
                break;
            }
            let len = in_page(at, (buf.len() - n).min(left as usize));
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
        let one;
        let list = match self {
            Dest::User(addr, len) => {
                one = [(*addr, *len)];
                &one[..]
            }
            Dest::Vec(list) => list,
            Dest::Out(..) => return self.put(sys, task, done, bytes).map(|()| bytes.len()),
        };
        let mut n = 0;
        while n < bytes.len() {
            let (at, left) = locate(list, done.wrapping_add(n as u64));
            if left == 0 {
                break;
            }
            let len = in_page(at, (bytes.len() - n).min(left as usize));
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
            Dest::Vec(list) => total(list),
            Dest::Out(_, n) => (*n).min(MAX_OUT),
        }
    }

    /// EFAULT when the buffer is not in user memory at all.
    pub fn access_ok(&self) -> Result<(), SysError> {
        match self {
            Dest::User(addr, n) => access_ok(*addr, *n),
            Dest::Vec(_) | Dest::Out(..) => Ok(()),
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
            Dest::Vec(list) => {
                let mut n = 0;
                while n < bytes.len() {
                    let (at, left) = locate(list, done.wrapping_add(n as u64));
                    let len = (left as usize).min(bytes.len() - n).max(1);
                    copy_to_user(sys, task, at, &bytes[n..n + len])?;
                    n += len;
                }
                Ok(())
            }
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
