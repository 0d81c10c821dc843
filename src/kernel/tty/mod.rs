//! Terminals: pseudo terminals with a line discipline, and who controls whom.
//!
//! ```text
//!  /dev/ptmx                                /dev/pts/0
//!  master  <---- link ---->  slave          signal->tty of a whole session
//!    |  write: what is typed   |  n_tty: lines, echo, ^C      |
//!    |  read: what is shown    |  ctrl.session  <-- setsid, open, TIOCSCTTY
//!                              |  ctrl.pgrp     <-- TIOCSPGRP: the foreground
//! ```
//! `count` is open files, one more for a slave whose master is open. `kref` is
//! 1 until both sides are closed, and one for each process that has the
//! terminal as its controlling one.
//!
//! Linux: include/linux/tty.h (`struct tty_struct`, `tty_kref_get`),
//! drivers/tty.
//! Left out: terminals that are no pseudo terminals (the console only prints),
//! BSD ptys, packet mode, flow control (^S, ^Q), exclusive mode, window sizes.

pub mod ioctl;
pub mod n_tty;
pub mod pty;
#[cfg(test)]
mod random;
mod receive;
pub mod termios;
#[cfg(test)]
mod tests;
pub mod tty_io;
pub mod tty_jobctl;

use crate::abi::tty::{PTY_MASTER_MAJOR, PTY_SLAVE_MAJOR, Termios};
use crate::base::Id;
use crate::kernel::pid::PidId;
use crate::kernel::system::System;
use crate::kernel::wait_queue::WaitQueueHead;
use n_tty::NTtyData;

/// Names a terminal, or one side of a pseudo terminal.
pub type TtyId = Id<TtyStruct>;

/// `driver->subtype`: which side of a pseudo terminal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PtyType {
    /// The side of the terminal emulator.
    Master,
    /// The side of the programs.
    Slave,
}

bitflags::bitflags! {
    /// `tty->flags`, `TTY_*`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct TtyFlags: u32 {
        /// It is closed, or an opening was refused; the next one that succeeds
        /// ends that.
        const IO_ERROR = 1 << 1;
        /// The other side is closed.
        const OTHER_CLOSED = 1 << 2;
        /// Of a master: its slave cannot be opened (TIOCSPTLCK).
        const PTY_LOCK = 1 << 16;
        /// It was hung up, and not opened since.
        const HUPPED = 1 << 18;
    }
}

/// `struct tty_struct`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TtyStruct {
    /// References.
    pub kref: u32,
    /// Which side it is.
    pub subtype: PtyType,
    /// N of /dev/pts/N.
    pub index: u32,
    /// Open files, and 1 for the pair.
    pub count: u32,
    /// The other side.
    pub link: TtyId,
    /// `TTY_*`.
    pub flags: TtyFlags,
    /// `ctrl.session`: whose controlling terminal it is.
    pub session: Option<PidId>,
    /// `ctrl.pgrp`: the foreground group.
    pub pgrp: Option<PidId>,
    /// How it treats its bytes.
    pub termios: Termios,
    /// The line discipline's data, and what has not reached it.
    pub disc_data: NTtyData,
    /// Sleeping readers.
    pub read_wait: WaitQueueHead,
    /// Sleeping writers.
    pub write_wait: WaitQueueHead,
}

impl TtyStruct {
    /// `tty->name`: `ptm0`, or the name below /dev of a slave.
    pub fn name(&self) -> String {
        match self.subtype {
            PtyType::Master => format!("ptm{}", self.index),
            PtyType::Slave => format!("pts/{}", self.index),
        }
    }

    /// The device number as stat(5) files show it (`new_encode_dev`).
    pub fn dev(&self) -> u32 {
        let major = match self.subtype {
            PtyType::Master => PTY_MASTER_MAJOR,
            PtyType::Slave => PTY_SLAVE_MAJOR,
        };
        let minor = self.index;
        (minor & 0xff) | major << 8 | (minor & !0xff) << 12
    }

    /// Whether it is the master of its pair.
    pub fn is_master(&self) -> bool {
        self.subtype == PtyType::Master
    }
}

/// Takes a reference.
pub fn tty_kref_get(sys: &mut System, tty: TtyId) {
    match sys.kernel.ttys.get_mut(tty) {
        Some(t) => t.kref += 1,
        None => sys.oops("tty_kref_get", format!("tty {tty:?} is freed")),
    }
}

/// Drops a reference; the last frees it (`queue_release_one_tty`).
pub fn tty_kref_put(sys: &mut System, tty: TtyId) {
    let Some(t) = sys.kernel.ttys.get_mut(tty) else {
        return sys.oops("tty_kref_put", format!("tty {tty:?} is freed"));
    };
    match t.kref {
        0 => sys.oops("tty_kref_put", format!("kref of tty {tty:?} below zero")),
        1 => drop(sys.kernel.ttys.remove(tty)),
        _ => t.kref -= 1,
    }
}
