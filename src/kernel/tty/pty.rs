//! Pseudo terminals: a pair of terminals of which each reads what the other
//! one writes, and their names below /dev/pts.
//!
//! ```text
//! open("/dev/ptmx")     a pair; /dev/pts/N appears, locked
//! TIOCSPTLCK 0          it can be opened
//! close of the master   /dev/pts/N is gone, the slave hangs up
//! both closed           N is free again
//! ```
//!
//! Linux: drivers/tty/pty.c (ptmx_open, pty_open, pty_close, pty_write,
//! pty_set_lock, pty_get_pktmode), fs/devpts/inode.c (devpts_new_index,
//! devpts_pty_new, devpts_pty_kill).
//! Left out: several instances of devpts, mount options.

use super::n_tty::{FLIP_LIMIT, NTtyData, process_output};
use super::receive::{can_receive, receive_buf};
use super::termios::init_termios;
use super::{PtyType, TtyFlags, TtyId, TtyStruct};
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::InodeId;
use crate::kernel::fs::inode::{CharDev, Inode, InodeKind, iput};
use crate::kernel::fs::namei::add_entry;
use crate::kernel::fs::readdir::remove_entry;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::WaitQueueHead;
use std::sync::Arc;

/// Most pseudo terminals at once (`pty_limit`).
pub const NR_UNIX98_PTY_DEFAULT: u32 = 4096;

/// The pair of which /dev/pts/N is the slave, by its slave.
pub(super) fn slave_by_index(sys: &System, index: u32) -> Option<TtyId> {
    let slaves = sys.kernel.ttys.iter().filter(|(_, t)| !t.is_master() && t.index == index);
    slaves.map(|(id, _)| id).next()
}

/// The lowest number of no pseudo terminal (`devpts_new_index`).
///
/// # Errors
/// ENOSPC.
fn devpts_new_index(sys: &System) -> Result<u32, SysError> {
    let free = (0..NR_UNIX98_PTY_DEFAULT).find(|n| slave_by_index(sys, *n).is_none());
    let why = "as many pseudo terminals exist as kernel.pty.max allows";
    free.ok_or_else(|| SysError::new(Errno::ENOSPC, "devpts_new_index", why))
}

/// Makes a pair and the slave's name; gives the master (`ptmx_open`).
///
/// # Errors
/// ENOSPC.
pub(super) fn ptmx_open(sys: &mut System, task: TaskId) -> Result<TtyId, SysError> {
    let index = devpts_new_index(sys)?;
    let side = |subtype, link| TtyStruct {
        kref: 1,
        subtype,
        index,
        count: 0,
        link,
        flags: TtyFlags::empty(),
        session: None,
        pgrp: None,
        termios: init_termios(subtype),
        disc_data: NTtyData::default(),
        read_wait: WaitQueueHead::default(),
        write_wait: WaitQueueHead::default(),
    };
    let master = sys.kernel.ttys.insert(side(PtyType::Master, TtyId::from_bits(u64::MAX)));
    let slave = sys.kernel.ttys.insert(side(PtyType::Slave, master));
    let m = &mut sys.kernel.ttys[master];
    m.link = slave;
    m.flags |= TtyFlags::PTY_LOCK;
    devpts_pty_new(sys, task, index);
    Ok(master)
}

/// The directory of slaves, if it is still there.
fn devpts(sys: &System) -> InodeId {
    sys.kernel.devpts_root
}

/// The name of a new slave: it belongs to who opened the master, as in a devpts
/// mounted with `mode=620` and no `gid`.
fn devpts_pty_new(sys: &mut System, task: TaskId, index: u32) {
    let cred = sys.cred(task);
    let mut inode = Inode::new(InodeKind::Chr(CharDev::Pts(index)), 0o620, cred.fsuid, cred.fsgid);
    (inode.i_count, inode.i_nlink) = (1, 1);
    let inode = sys.kernel.inodes.insert(inode);
    let dir = devpts(sys);
    add_entry(sys, dir, &Arc::from(index.to_string()), inode);
}

/// The name goes; who has it open keeps it.
fn devpts_pty_kill(sys: &mut System, index: u32) {
    let dir = devpts(sys);
    if let Some(inode) = remove_entry(sys, dir, &index.to_string()) {
        sys.kernel.inodes[inode].i_nlink = 0;
        iput(sys, inode);
    }
}

/// The driver's part of opening: a slave must have an open, unlocked master.
///
/// # Errors
/// EIO.
pub(super) fn pty_open(sys: &mut System, tty: TtyId) -> Result<(), SysError> {
    const F: &str = "pty_open";
    let t = &mut sys.kernel.ttys[tty];
    let link = t.link;
    let before = t.flags;
    // A refused opening leaves it so, for those too who have it open.
    t.flags |= TtyFlags::IO_ERROR;
    if before.contains(TtyFlags::OTHER_CLOSED) {
        return refuse(Errno::EIO, F, "the master of this terminal is closed");
    }
    if sys.kernel.ttys.get(link).is_none_or(|m| m.flags.contains(TtyFlags::PTY_LOCK)) {
        let why = "the slave is locked: nobody has called TIOCSPTLCK with 0 (unlockpt)";
        return refuse(Errno::EIO, F, why);
    }
    sys.kernel.ttys[tty].flags -= TtyFlags::IO_ERROR;
    sys.kernel.ttys[link].flags -= TtyFlags::OTHER_CLOSED;
    Ok(())
}

/// The driver's part of closing, before the count goes down. Whether the slave
/// is to be hung up.
pub(super) fn pty_close(sys: &mut System, tty: TtyId) -> bool {
    use crate::kernel::sched::core::wake_up_all;
    use crate::kernel::wait_queue::WaitOn;
    let t = &mut sys.kernel.ttys[tty];
    let (link, index, master) = (t.link, t.index, t.is_master());
    // One of a slave's two is the pair's.
    if !master && (t.flags.contains(TtyFlags::IO_ERROR) || t.count > 2) {
        return false;
    }
    t.flags |= TtyFlags::IO_ERROR;
    if master {
        t.flags |= TtyFlags::OTHER_CLOSED;
    }
    wake_up_all(sys, WaitOn::TtyRead(tty));
    wake_up_all(sys, WaitOn::TtyWrite(tty));
    if let Some(other) = sys.kernel.ttys.get_mut(link) {
        other.flags |= TtyFlags::OTHER_CLOSED;
        wake_up_all(sys, WaitOn::TtyRead(link));
        wake_up_all(sys, WaitOn::TtyWrite(link));
    }
    if master {
        devpts_pty_kill(sys, index);
    }
    master
}

/// Bytes that one side writes, to the other side's line discipline: how many
/// there was room for.
///
/// # Errors
/// EINVAL: a byte typed has a meaning that is not modelled; none was taken.
pub(super) fn pty_write(
    sys: &mut System,
    task: TaskId,
    tty: TtyId,
    bytes: &[u8],
) -> Result<usize, SysError> {
    let t = &sys.kernel.ttys[tty];
    let (termios, to) = (t.termios, t.link);
    let Some(other) = sys.kernel.ttys.get_mut(to) else { return Ok(0) };
    can_receive(&other.termios, &other.disc_data, bytes)?;
    let mut n = 0;
    for byte in bytes {
        let mut shown = Vec::with_capacity(2);
        process_output(&termios, *byte, &mut shown);
        if other.disc_data.flip.len() + shown.len() > FLIP_LIMIT {
            break;
        }
        other.disc_data.flip.extend(shown);
        n += 1;
    }
    receive_buf(sys, task, to);
    Ok(n)
}

/// The same for echo, which was made for a terminal already; what does not fit
/// is lost.
pub(super) fn pty_write_raw(sys: &mut System, task: TaskId, tty: TtyId, bytes: &[u8]) {
    let to = sys.kernel.ttys[tty].link;
    let Some(other) = sys.kernel.ttys.get_mut(to) else { return };
    let room = FLIP_LIMIT.saturating_sub(other.disc_data.flip.len());
    other.disc_data.flip.extend(&bytes[..bytes.len().min(room)]);
    receive_buf(sys, task, to);
}

/// TIOCSPTLCK.
pub(super) fn pty_set_lock(sys: &mut System, master: TtyId, lock: bool) {
    sys.kernel.ttys[master].flags.set(TtyFlags::PTY_LOCK, lock);
}
