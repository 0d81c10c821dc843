//! The line discipline: what reads and writes see of a terminal's bytes.
//!
//! ```text
//!  the other side writes --> flip --> receive --> read_buf --> read
//!                             8 KiB   `receive`   4 KiB
//!  ICANON   a read gives at most one line, and sleeps until one is complete;
//!           VEOF completes one without a byte of its own: an empty one is the
//!           end of the file
//!  raw      a read gives what is there
//! ```
//! A read that has slept is not asked again whether its group is in front:
//! its call's `note` is 1 then. A write that has slept keeps there how far it
//! got, as in a pipe.
//!
//! Linux: drivers/tty/n_tty.c (n_tty_read, canon_copy_from_read_buf,
//! n_tty_write, n_tty_set_termios).
//! Left out: VMIN above 1 and VTIME, packet mode. Linux bounds the bytes that
//! wait for the line discipline by the buffers they lie in; here they are
//! [`FLIP_LIMIT`].

use super::pty::pty_write;
use super::receive::receive_buf;
use super::tty_jobctl::__tty_check_change;
use super::{TtyFlags, TtyId};
use crate::abi::numbers::{POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use crate::abi::tty::{LocalModes, OutputModes, Termios, VMIN};
use crate::abi::{Errno, Signal};
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::fs::FileId;
use crate::kernel::fs::uio::{Dest, Source};
use crate::kernel::sched::core::{wake_up, wake_up_all};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use crate::kernel::wait_queue::{Wait, WaitOn};
use std::collections::VecDeque;

/// Bytes of `read_buf`.
pub const N_TTY_BUF_SIZE: usize = 4096;
/// Bytes that may wait for the line discipline.
pub const FLIP_LIMIT: usize = 8192;

/// What a byte in `read_buf` ends (`read_flags`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// Nothing.
    None,
    /// A line, with this byte.
    Line,
    /// A line, in front of this byte: VEOF was typed.
    Eof,
}

/// `struct n_tty_data`, and the flip buffer in front of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NTtyData {
    /// Written by the other side, and not received yet.
    pub flip: VecDeque<u8>,
    /// Received, and not read yet.
    pub read_buf: VecDeque<(u8, Mark)>,
    /// How many of these belong to complete lines (`canon_head - read_tail`).
    pub canon: usize,
}

impl NTtyData {
    /// Throws away what was received.
    pub fn reset_buffer_flags(&mut self) {
        self.read_buf.clear();
        self.canon = 0;
    }

    /// Whether a read finds something (`input_available_p`).
    fn available(&self, icanon: bool) -> bool {
        if icanon { self.canon > 0 } else { !self.read_buf.is_empty() }
    }

    /// Takes up to `n` bytes: of one line, or of all that is there.
    fn take(&mut self, n: usize, icanon: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < n {
            let Some((byte, mark)) = self.pop() else { break };
            if !icanon || mark != Mark::Eof {
                bytes.push(byte);
            }
            if icanon && mark != Mark::None {
                return bytes;
            }
        }
        // canon_skip_eof: the end of the line was typed and has no byte.
        if icanon && matches!(self.read_buf.front(), Some((_, Mark::Eof))) {
            self.pop();
        }
        bytes
    }

    fn pop(&mut self) -> Option<(u8, Mark)> {
        self.canon = self.canon.saturating_sub(1);
        self.read_buf.pop_front()
    }
}

/// A wait in state S of which one wake-up ends one. Linux queues readers at a
/// mutex, so that one of them waits at a time, and they come in order.
fn exclusive(on: WaitOn) -> Stop {
    Stop::Block(Wait { on, state: TaskState::INTERRUPTIBLE, exclusive: true, deadline: None })
}

fn interrupted(f: &'static str) -> SysError {
    SysError::new(Errno::ERESTARTSYS, f, "a signal is pending while the terminal keeps it waiting")
}

/// Whether the terminal may be used at all (`tty_io_error`).
fn io_error(sys: &System, tty: TtyId) -> Result<(), SysError> {
    if sys.kernel.ttys.get(tty).is_some_and(|t| t.flags.contains(TtyFlags::IO_ERROR)) {
        let why = "an opening of this terminal was refused (its slave is locked): until one \
                   succeeds, it is of no use";
        return refuse(Errno::EIO, "tty_io_error", why);
    }
    Ok(())
}

/// Reads from a terminal. `hung`: the description was made useless by a
/// hang-up while the call slept.
///
/// # Errors
/// EIO and ERESTARTSYS of [`__tty_check_change`] with SIGTTIN. EIO: nothing is
/// there and the other side is closed. EAGAIN, ERESTARTSYS: nothing is there
/// and O_NONBLOCK is set or a signal pending. EFAULT: what was read is lost.
pub fn n_tty_read(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    tty: TtyId,
    dest: &mut Dest,
    (note, hung): (&mut u64, bool),
) -> Result<u64, Stop> {
    const F: &str = "n_tty_read";
    if *note == 0 {
        io_error(sys, tty)?;
        __tty_check_change(sys, task, tty, Signal::SIGTTIN)?;
    }
    let Some(t) = sys.kernel.ttys.get_mut(tty) else { return Ok(0) };
    let icanon = t.termios.c_lflag.contains(LocalModes::ICANON);
    if dest.count() == 0 {
        return Ok(0);
    }
    if !t.disc_data.available(icanon) {
        if t.flags.contains(TtyFlags::OTHER_CLOSED) {
            let why = "nothing is left to read, and the other side of the terminal is closed";
            return Err(SysError::new(Errno::EIO, F, why).into());
        }
        if hung || !icanon && t.termios.c_cc[VMIN] == 0 {
            return Ok(0);
        }
        if sys.kernel.filps[file].nonblocking() {
            let why = if icanon { "no line is complete" } else { "nothing was typed" };
            let why = format!("{why} and O_NONBLOCK is set");
            return Err(SysError::with(Errno::EAGAIN, F, why).into());
        }
        if sys.task(task).sigpending {
            return Err(interrupted(F).into());
        }
        *note = 1;
        return Err(exclusive(WaitOn::TtyRead(tty)));
    }
    let want = usize::try_from(dest.count()).unwrap_or(usize::MAX);
    let bytes = t.disc_data.take(want, icanon);
    let link = t.link;
    let stored = if bytes.is_empty() { Ok(()) } else { dest.put(sys, task, 0, &bytes) };
    // There is room: what waits is received, and who waits to write goes on.
    receive_buf(sys, task, tty);
    wake_up(sys, WaitOn::TtyWrite(link));
    // Another reader may sleep although the one wake-up was for us.
    wake_readers(sys, tty);
    stored?;
    Ok(bytes.len() as u64)
}

/// What a terminal is ready for.
pub fn n_tty_poll(sys: &System, tty: TtyId) -> u16 {
    let Some(t) = sys.kernel.ttys.get(tty) else { return POLLHUP };
    let mut mask = 0;
    if t.disc_data.available(t.termios.c_lflag.contains(LocalModes::ICANON)) {
        mask |= POLLIN | POLLRDNORM;
    }
    if t.flags.contains(TtyFlags::OTHER_CLOSED) {
        mask |= POLLHUP;
    }
    if sys.kernel.ttys.get(t.link).is_some_and(|other| other.disc_data.flip.len() < FLIP_LIMIT) {
        mask |= POLLOUT | POLLWRNORM;
    }
    mask
}

/// Wakes a reader if there is something for it.
pub(super) fn wake_readers(sys: &mut System, tty: TtyId) {
    let Some(t) = sys.kernel.ttys.get(tty) else { return };
    if t.disc_data.available(t.termios.c_lflag.contains(LocalModes::ICANON)) {
        wake_up(sys, WaitOn::TtyRead(tty));
    }
}

/// A byte as the terminal shows it: a newline begins at the left.
pub(super) fn process_output(termios: &Termios, byte: u8, out: &mut Vec<u8>) {
    if byte == b'\n' && termios.c_oflag.contains(OutputModes::OPOST | OutputModes::ONLCR) {
        out.push(b'\r');
    }
    out.push(byte);
}

/// How many bytes of a write fit.
const PIECE: usize = 2048;

/// Writes to a terminal, waiting for room as often as needed. `note` is the
/// sleeping call's note.
///
/// # Errors
/// EIO and ERESTARTSYS of [`__tty_check_change`] with SIGTTOU, if TOSTOP is
/// set. EIO: hung up, or the other side is closed. EAGAIN, ERESTARTSYS: there
/// is no room, and O_NONBLOCK is set or a signal pending. EFAULT. EINVAL: a
/// byte typed has a meaning that is not modelled.
pub fn n_tty_write(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    tty: TtyId,
    src: Source<'_>,
    (note, hung): (&mut u64, bool),
) -> SysResult {
    const F: &str = "n_tty_write";
    let Some(t) = sys.kernel.ttys.get(tty) else { return Ok(0) };
    if *note == 0 {
        let tostop = t.termios.c_lflag.contains(LocalModes::TOSTOP);
        io_error(sys, tty)?;
        if tostop {
            __tty_check_change(sys, task, tty, Signal::SIGTTOU)?;
        }
    }
    let total = src.count();
    let mut done = note.saturating_sub(1);
    let end = |done: u64, e: SysError| if done > 0 { Ok(done as i64) } else { Err(e.into()) };
    if sys.task(task).sigpending {
        return end(done, interrupted(F));
    }
    while done < total {
        let Some(t) = sys.kernel.ttys.get(tty) else { break };
        let gone = sys.kernel.ttys.get(t.link).is_none_or(|link| link.count == 0);
        if hung || gone {
            let why = if hung { "the terminal has hung up" } else { "the other side is closed" };
            return end(done, SysError::new(Errno::EIO, F, why));
        }
        let mut piece = [0; PIECE];
        let want = (total - done).min(PIECE as u64) as usize;
        let got = match src.copy_partial(sys, task, done, &mut piece[..want]) {
            Ok(got) => got,
            Err(e) => return end(done, e),
        };
        match pty_write(sys, task, tty, &piece[..got]) {
            Ok(0) => {}
            Ok(n) => {
                done += n as u64;
                continue;
            }
            Err(e) => return end(done, e),
        }
        if sys.kernel.filps[file].nonblocking() {
            let why = "there is no room and O_NONBLOCK is set";
            return end(done, SysError::new(Errno::EAGAIN, F, why));
        }
        if sys.task(task).sigpending {
            return end(done, interrupted(F));
        }
        *note = done + 1;
        return Err(exclusive(WaitOn::TtyWrite(tty)));
    }
    Ok(done as i64)
}

/// New attributes: what was received counts as one line where lines begin to
/// count, and as no line where they no longer do (`n_tty_set_termios`).
pub(super) fn n_tty_set_termios(sys: &mut System, tty: TtyId, new: Termios) {
    let Some(t) = sys.kernel.ttys.get_mut(tty) else { return };
    let changed = t.termios.c_lflag.symmetric_difference(new.c_lflag);
    t.termios = new;
    if changed.contains(LocalModes::ICANON) {
        let data = &mut t.disc_data;
        data.canon = 0;
        data.read_buf.iter_mut().for_each(|(_, mark)| *mark = Mark::None);
        if new.c_lflag.contains(LocalModes::ICANON)
            && let Some((_, mark)) = data.read_buf.back_mut()
        {
            *mark = Mark::Line;
            data.canon = data.read_buf.len();
        }
    }
    // What they find may be another thing now.
    wake_up_all(sys, WaitOn::TtyRead(tty));
}
