//! Opening, closing and hanging up terminals.
//!
//! ```text
//! /dev/ptmx    a new master
//! /dev/pts/N   its slave; perhaps the caller's controlling terminal from now on
//! /dev/tty     the caller's controlling terminal, whichever that is
//! ```
//! A hang-up makes every description of the terminal useless: it reads the end
//! of the file and is refused everything else.
//!
//! Linux: drivers/tty/tty_io.c (tty_open, tty_reopen, tty_release,
//! __tty_hangup).
//! Left out: opening a terminal that another task is closing: a call is one
//! step here.

use super::pty::{ptmx_open, pty_close, pty_open, slave_by_index};
use super::termios::init_termios;
use super::tty_jobctl::{
    current_tty, is_admin, session_clear_tty, set_ctrl, tty_open_proc_set_tty,
    tty_signal_session_leader,
};
use super::{TtyFlags, TtyId, tty_kref_put};
use crate::abi::{Errno, OpenFlags};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::file::alloc_file;
use crate::kernel::fs::inode::CharDev;
use crate::kernel::fs::{FileId, FileKind};
use crate::kernel::sched::core::wake_up_all;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::WaitOn;
use std::sync::Arc;

/// Opens a terminal. `flags` are those of open(2), `kept` those a description
/// keeps.
///
/// # Errors
/// ENXIO: /dev/tty, and the caller has no controlling terminal. EIO: the slave
/// is locked, or its master closed. ENOSPC: no pseudo terminal is left.
pub fn tty_open(
    sys: &mut System,
    task: TaskId,
    dev: CharDev,
    flags: OpenFlags,
    (kept, path): (OpenFlags, Arc<str>),
) -> Result<FileId, SysError> {
    const F: &str = "tty_open";
    let tty = match dev {
        CharDev::Ptmx => {
            let master = ptmx_open(sys, task)?;
            return Ok(alloc_file(sys, FileKind::Tty(master), kept, path));
        }
        CharDev::Tty => match current_tty(sys, task) {
            Some(tty) => tty,
            None => {
                let why = "the caller has no controlling terminal, for which /dev/tty stands";
                return refuse(Errno::ENXIO, F, why);
            }
        },
        CharDev::Pts(n) => match slave_by_index(sys, n) {
            Some(tty) => tty,
            None => return refuse(Errno::EIO, F, "the master of this terminal is closed"),
        },
        CharDev::Null
        | CharDev::Zero
        | CharDev::Full
        | CharDev::Random(_)
        | CharDev::Console
        | CharDev::Other(..) => {
            return refuse(Errno::ENODEV, F, "the device is no terminal");
        }
    };
    pty_open(sys, tty)?;
    let file = alloc_file(sys, FileKind::Tty(tty), kept, path);
    sys.kernel.ttys[tty].flags -= TtyFlags::HUPPED;
    if !flags.contains(OpenFlags::O_NOCTTY) {
        tty_open_proc_set_tty(sys, task, file, tty);
    }
    Ok(file)
}

/// A description of a terminal is open: the counts of `FileKind::Tty`.
pub(crate) fn tty_get(sys: &mut System, tty: TtyId) {
    let Some(t) = sys.kernel.ttys.get_mut(tty) else { return };
    t.count += 1;
    let (link, master) = (t.link, t.is_master());
    if let Some(slave) = sys.kernel.ttys.get_mut(link).filter(|_| master) {
        slave.count += 1;
    }
}

/// The last reference to a description of a terminal is gone. Closing a master
/// hangs its slave up; closing both frees them (`tty_release`).
pub(crate) fn tty_release(sys: &mut System, tty: TtyId) {
    if !sys.kernel.ttys.contains(tty) {
        return sys.oops("tty_release", format!("tty {tty:?} is freed"));
    }
    let link = sys.kernel.ttys[tty].link;
    let master = sys.kernel.ttys[tty].is_master();
    if pty_close(sys, tty) {
        tty_vhangup(sys, link);
    }
    let other = if master { sys.kernel.ttys.get_mut(link) } else { None };
    let mut last = true;
    if let Some(slave) = other {
        slave.count = slave.count.saturating_sub(1);
        last = slave.count == 0;
    }
    let t = &mut sys.kernel.ttys[tty];
    let Some(left) = t.count.checked_sub(1) else {
        return sys.oops("tty_release", format!("count of tty {tty:?} below zero"));
    };
    t.count = left;
    if left > 0 {
        return;
    }
    let session = t.session;
    session_clear_tty(sys, session);
    if master {
        let session = sys.kernel.ttys.get(link).and_then(|t| t.session);
        session_clear_tty(sys, session);
    }
    if last {
        release_tty(sys, tty, link);
    }
}

/// Both sides are closed: the terminal lets go of them (`release_tty`).
fn release_tty(sys: &mut System, tty: TtyId, link: TtyId) {
    for side in [tty, link] {
        set_ctrl(sys, side, None, None);
        tty_kref_put(sys, side);
    }
}

/// Hangs a terminal up: its descriptions are of no use any more, its session
/// loses it, and the session's leader is told (`__tty_hangup`).
pub fn tty_vhangup(sys: &mut System, tty: TtyId) {
    let Some(t) = sys.kernel.ttys.get(tty) else { return };
    if t.flags.contains(TtyFlags::HUPPED) {
        return;
    }
    let subtype = t.subtype;
    let open = sys.kernel.filps.iter().filter(|(_, f)| f.kind == FileKind::Tty(tty));
    let open: Vec<FileId> = open.map(|(id, _)| id).collect();
    for file in open {
        sys.kernel.filps[file].kind = FileKind::HungUpTty(tty);
    }
    tty_signal_session_leader(sys, tty);
    // tty_ldisc_hangup: nothing stays of what was typed or set.
    if let Some(t) = sys.kernel.ttys.get_mut(tty) {
        t.disc_data.reset_buffer_flags();
        t.disc_data.flip.clear();
        t.termios = init_termios(subtype);
        t.flags |= TtyFlags::HUPPED;
    }
    wake_up_all(sys, WaitOn::TtyWrite(tty));
    wake_up_all(sys, WaitOn::TtyRead(tty));
    set_ctrl(sys, tty, None, None);
}

/// vhangup(2): hangs the caller's controlling terminal up.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN.
pub fn sys_vhangup(sys: &mut System, task: TaskId) -> Result<(), SysError> {
    if !is_admin(sys, task) {
        let why = "vhangup needs CAP_SYS_ADMIN in the initial user namespace";
        return refuse(Errno::EPERM, "vhangup", why);
    }
    if let Some(tty) = current_tty(sys, task) {
        tty_vhangup(sys, tty);
    }
    Ok(())
}
