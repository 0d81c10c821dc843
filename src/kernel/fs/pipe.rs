//! pipe(2): a bounded queue of bytes with two ends.
//!
//! ```text
//!  write end --> [ slot | slot | ... 16 unless set ] --> read end
//!                  a slot is a page: a write fills new ones, or joins the
//!                  last one if its odd bytes (length mod 4096) still fit
//! ```
//! Sixteen slots, not 65536 bytes, are the bound: a slot with one unread byte
//! is taken, so a writer may wait although few bytes lie in the pipe.
//!
//! A write that sleeps in the middle has already put bytes into the pipe. How
//! many is kept in the sleeping call's `note`: 0 before the first sleep, then
//! the bytes done plus one. A wake-up that finds no free slot changes nothing.
//!
//! Linux: fs/pipe.c (create_pipe_files, anon_pipe_read, anon_pipe_write,
//! pipe_release). Left out: packet mode (O_DIRECT), notification pipes, splice,
//! the quota of pipe pages of a user.

pub mod outside;
pub mod size;

use super::fdtable::{alloc_fd, fd_install};
use super::fifo::forget_pipe;
use super::file::alloc_file;
use super::uio::{Dest, Source};
use super::{FileId, FileKind, InodeId};
use crate::abi::{Errno, OpenFlags, Signal};
use crate::base::{Id, PAGE_SIZE};
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::sched::core::{wake_up, wake_up_all};
use crate::kernel::signal::kill::send_sig;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use crate::kernel::wait_queue::{Wait, WaitOn, WaitQueueHead};
use std::collections::VecDeque;
use std::sync::Arc;

/// Names a pipe.
pub type PipeId = Id<Pipe>;

/// Writes up to this size are atomic.
pub const PIPE_BUF: usize = 4096;
/// Slots of a pipe (`PIPE_DEF_BUFFERS`).
pub const PIPE_DEF_BUFFERS: usize = 16;

const PAGE: usize = PAGE_SIZE as usize;

/// `struct pipe_buffer`: which part of its page holds unread bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipeBuffer {
    /// Bytes already read from the page.
    pub offset: u16,
    /// Unread bytes behind them.
    pub len: u16,
}

/// `struct pipe_inode_info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipe {
    /// Bytes not yet read.
    pub buf: VecDeque<u8>,
    /// The slots these bytes lie in, oldest first.
    pub bufs: VecDeque<PipeBuffer>,
    /// How many slots there may be (`max_usage`).
    pub max_usage: usize,
    /// Open reading ends.
    pub readers: u32,
    /// Open writing ends.
    pub writers: u32,
    /// The FIFO it belongs to, of which it holds a reference.
    pub fifo: Option<InodeId>,
    /// How often the FIFO was opened to read.
    pub r_counter: u32,
    /// How often it was opened to write.
    pub w_counter: u32,
    /// Sleeping readers, and those who open a FIFO.
    pub rd_wait: WaitQueueHead,
    /// Sleeping writers.
    pub wr_wait: WaitQueueHead,
}

impl Default for Pipe {
    fn default() -> Pipe {
        Pipe {
            buf: VecDeque::new(),
            bufs: VecDeque::new(),
            max_usage: PIPE_DEF_BUFFERS,
            readers: 0,
            writers: 0,
            fifo: None,
            r_counter: 0,
            w_counter: 0,
            rd_wait: WaitQueueHead::default(),
            wr_wait: WaitQueueHead::default(),
        }
    }
}

impl Pipe {
    /// Whether a write needs to wait for a slot (`pipe_full`).
    pub fn full(&self) -> bool {
        self.bufs.len() >= self.max_usage
    }

    /// How many bytes the next slot to be read holds.
    fn head_len(&self) -> usize {
        self.bufs.front().map_or(0, |b| usize::from(b.len))
    }

    /// Whether `n` bytes join the last slot.
    fn merges(&self, n: usize) -> bool {
        self.bufs.back().is_some_and(|b| usize::from(b.offset) + usize::from(b.len) + n <= PAGE)
    }

    /// Takes `n` bytes of the oldest slot; it is free once empty.
    fn consume(&mut self, n: usize) {
        self.buf.drain(..n.min(self.buf.len()));
        if let Some(b) = self.bufs.front_mut() {
            b.offset += n as u16;
            b.len -= n as u16;
            if b.len == 0 {
                self.bufs.pop_front();
            }
        }
    }
}

fn gone(source_fn: &'static str) -> SysError {
    SysError::new(Errno::EBADF, source_fn, "the pipe behind this descriptor no longer exists")
}

/// A wait in state S of which one wake-up ends one.
fn exclusive(on: WaitOn) -> Stop {
    Stop::Block(Wait { on, state: TaskState::INTERRUPTIBLE, exclusive: true, deadline: None })
}

fn interrupted(source_fn: &'static str) -> SysError {
    SysError::new(
        Errno::ERESTARTSYS,
        source_fn,
        "a signal is pending while the pipe keeps it waiting",
    )
}

/// Reads what is there, up to `dest.count()`; 0 when no writer is left.
/// Preconditions: `file` is a reading end of `pipe`.
pub(super) fn pipe_read(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    pipe: PipeId,
    dest: &mut Dest,
) -> Result<u64, Stop> {
    let total = dest.count();
    if total == 0 {
        return Ok(0);
    }
    let p = sys.kernel.pipes.get(pipe).ok_or_else(|| gone("anon_pipe_read"))?;
    if p.bufs.is_empty() {
        if p.writers == 0 {
            return Ok(0);
        }
        if sys.kernel.filps[file].nonblocking() {
            let why = "the pipe is empty and O_NONBLOCK is set";
            return Err(SysError::new(Errno::EAGAIN, "anon_pipe_read", why).into());
        }
        if sys.task(task).sigpending {
            return Err(interrupted("anon_pipe_read").into());
        }
        return Err(exclusive(WaitOn::PipeRead(pipe)));
    }
    let mut done = 0;
    let was_full = p.full();
    let slept = sys.task(task).resume.is_some();
    let mut freed = false;
    let mut refused = None;
    let mut chunk = [0; PAGE];
    while done < total {
        let Some(p) = sys.kernel.pipes.get(pipe) else { break };
        let n = p.head_len().min((total - done) as usize);
        if n == 0 {
            break;
        }
        for (to, from) in chunk[..n].iter_mut().zip(&p.buf) {
            *to = *from;
        }
        match dest.put(sys, task, done, &chunk[..n]) {
            Ok(()) => {}
            Err(e) => {
                refused = Some(e);
                break;
            }
        }
        done += n as u64;
        if let Some(p) = sys.kernel.pipes.get_mut(pipe) {
            let before = p.bufs.len();
            p.consume(n);
            freed |= p.bufs.len() < before;
        }
    }
    if freed && was_full {
        wake_up(sys, WaitOn::PipeWrite(pipe));
    }
    // Another reader may sleep although the one wake-up was for us.
    if slept && sys.kernel.pipes.get(pipe).is_some_and(|p| !p.bufs.is_empty()) {
        wake_up(sys, WaitOn::PipeRead(pipe));
    }
    match refused {
        Some(e) if done == 0 => Err(e.into()),
        _ => Ok(done),
    }
}

/// Puts one run of bytes into the pipe: into the last slot or a new one.
fn push(
    sys: &mut System,
    task: TaskId,
    pipe: PipeId,
    src: Source<'_>,
    done: u64,
    n: usize,
    merge: bool,
) -> Result<(), SysError> {
    let mut chunk = [0; PAGE];
    src.copy(sys, task, done, &mut chunk[..n])?;
    let p = sys.kernel.pipes.get_mut(pipe).ok_or_else(|| gone("anon_pipe_write"))?;
    p.buf.extend(&chunk[..n]);
    match p.bufs.back_mut() {
        Some(last) if merge => last.len += n as u16,
        _ => p.bufs.push_back(PipeBuffer { offset: 0, len: n as u16 }),
    }
    Ok(())
}

/// How a write goes on after it put in what fits.
enum Then {
    /// It is done, or ends early with what is done.
    Return(u64),
    /// It was refused before anything was done.
    Refuse(SysError),
    /// It sleeps until a slot is free.
    Sleep,
}

/// Writes all of `src`, waiting for room as often as needed. Up to
/// [`PIPE_BUF`] bytes go in together or not at all. `note` is the sleeping
/// call's note, see the head of this file.
///
/// # Errors
/// EPIPE and SIGPIPE: nobody can read it. EAGAIN: full and O_NONBLOCK.
pub(super) fn pipe_write(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    pipe: PipeId,
    src: Source<'_>,
    note: &mut u64,
) -> SysResult {
    let total = src.count();
    if total == 0 {
        return Ok(0);
    }
    let before = note.saturating_sub(1);
    let mut done = before;
    let then = fill(sys, task, file, pipe, src, &mut done, *note == 0)?;
    if done > before {
        wake_up(sys, WaitOn::PipeRead(pipe));
    }
    let result = match then {
        Then::Sleep => {
            *note = done + 1;
            return Err(exclusive(WaitOn::PipeWrite(pipe)));
        }
        Then::Return(n) => Ok(n as i64),
        Then::Refuse(e) => Err(e.into()),
    };
    // Another writer may sleep although the one wake-up was for us.
    let slept = sys.task(task).resume.is_some();
    if slept && sys.kernel.pipes.get(pipe).is_some_and(|p| !p.full()) {
        wake_up(sys, WaitOn::PipeWrite(pipe));
    }
    result
}

fn fill(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    pipe: PipeId,
    src: Source<'_>,
    done: &mut u64,
    first: bool,
) -> Result<Then, SysError> {
    let total = src.count();
    let stop = |done: u64, e: SysError| if done > 0 { Then::Return(done) } else { Then::Refuse(e) };
    let mut merge = first;
    while *done < total {
        let p = sys.kernel.pipes.get(pipe).ok_or_else(|| gone("anon_pipe_write"))?;
        if p.readers == 0 {
            send_sig(sys, task, Signal::SIGPIPE);
            let why = "no descriptor for reading this pipe is open any more";
            return Ok(stop(*done, SysError::new(Errno::EPIPE, "anon_pipe_write", why)));
        }
        // The odd bytes of the write are offered to the last slot first.
        let odd = (total % PAGE_SIZE) as usize;
        let n = if merge && odd > 0 && p.merges(odd) {
            odd
        } else if p.full() {
            if sys.kernel.filps[file].nonblocking() {
                let why = "the pipe is full and O_NONBLOCK is set";
                return Ok(stop(*done, SysError::new(Errno::EAGAIN, "anon_pipe_write", why)));
            }
            if sys.task(task).sigpending {
                return Ok(stop(*done, interrupted("anon_pipe_write")));
            }
            return Ok(Then::Sleep);
        } else {
            merge = false;
            (total - *done).min(PAGE_SIZE) as usize
        };
        match push(sys, task, pipe, src, *done, n, merge) {
            Ok(()) => *done += n as u64,
            Err(e) => return Ok(stop(*done, e)),
        }
        merge = false;
    }
    Ok(Then::Return(*done))
}

/// Closes one end. When it was the last of its kind, all sleepers at the other
/// look again: readers find the end of file, writers a broken pipe.
pub(super) fn pipe_release(sys: &mut System, pipe: PipeId, reader: bool) {
    let Some(p) = sys.kernel.pipes.get_mut(pipe) else {
        return sys.oops("pipe_release", format!("pipe {pipe:?} is freed"));
    };
    let end = if reader { &mut p.readers } else { &mut p.writers };
    let Some(left) = end.checked_sub(1) else {
        return sys.oops("pipe_release", format!("open ends of pipe {pipe:?} below zero"));
    };
    *end = left;
    match (p.readers, p.writers) {
        (0, 0) => {
            if let Some(inode) = sys.kernel.pipes.remove(pipe).and_then(|p| p.fifo) {
                forget_pipe(sys, inode);
            }
        }
        (0, _) | (_, 0) => {
            wake_up_all(sys, WaitOn::PipeRead(pipe));
            wake_up_all(sys, WaitOn::PipeWrite(pipe));
        }
        _ => {}
    }
}

/// O_DIRECT (packets) and O_EXCL (notification pipe), as pipe2 reads them.
const O_DIRECT: u32 = 0o40000;
const O_NOTIFICATION_PIPE: u32 = OpenFlags::O_EXCL.bits();

/// pipe2(2): descriptors for reading and for writing.
///
/// # Errors
/// EINVAL: an unknown flag, or packet mode. EMFILE: no two descriptors left;
/// nothing is opened then.
pub fn do_pipe2(sys: &mut System, task: TaskId, flags: u32) -> Result<(i32, i32), SysError> {
    let known = (OpenFlags::O_CLOEXEC | OpenFlags::O_NONBLOCK).bits();
    if flags & !(known | O_DIRECT | O_NOTIFICATION_PIPE) != 0 {
        return refuse(
            Errno::EINVAL,
            "__do_pipe_flags",
            "pipe2 knows O_CLOEXEC, O_DIRECT, O_NONBLOCK",
        );
    }
    if flags & O_NOTIFICATION_PIPE != 0 {
        return refuse(Errno::ENOPKG, "create_pipe_files", "notification pipes are not configured");
    }
    if flags & O_DIRECT != 0 {
        return refuse(Errno::EINVAL, "do_pipe2", "packet mode (O_DIRECT) is not modelled");
    }
    let flags = OpenFlags::from_bits_truncate(flags);
    let rfd = alloc_fd(sys, task, 0)?;
    let wfd = alloc_fd(sys, task, rfd as usize + 1)?;
    let pipe = sys.kernel.pipes.insert(Pipe::default());
    let name: Arc<str> = Arc::from(format!("pipe:[{}]", pipe.index()));
    let status = flags & OpenFlags::O_NONBLOCK;
    let r = alloc_file(sys, FileKind::PipeRead(pipe), status, Arc::clone(&name));
    let w = alloc_file(sys, FileKind::PipeWrite(pipe), status | OpenFlags::O_WRONLY, name);
    let cloexec = flags.contains(OpenFlags::O_CLOEXEC);
    fd_install(sys, task, rfd, r, cloexec);
    fd_install(sys, task, wfd, w, cloexec);
    Ok((rfd, wfd))
}

/// Takes back a pipe whose descriptors could not be told to the caller.
pub(crate) fn undo_pipe(sys: &mut System, task: TaskId, fds: (i32, i32)) {
    for fd in [fds.0, fds.1] {
        if super::fdtable::close_fd(sys, task, fd).is_err() {
            sys.oops("do_pipe2", format!("descriptor {fd} vanished"));
        }
    }
}

#[cfg(test)]
mod tests;
