//! ioctl(2): requests to terminals; of all files FIOCLEX, FIONCLEX, FIONBIO, and
//! of pipes and regular files FIONREAD.
//!
//! A request that a master is asked may be about its slave: `real` is the side
//! that programs use.
//!
//! Linux: fs/ioctl.c, drivers/tty/tty_io.c (tty_ioctl), drivers/tty/pty.c
//! (pty_unix98_ioctl), drivers/tty/tty_ioctl.c (tty_mode_ioctl).
//! Left out: requests of other devices; of terminals those of
//! `abi::tty::NOT_MODELLED`.

use super::pty::pty_set_lock;
use super::termios::{When, set_termios};
use super::tty_jobctl::{tiocgpgrp, tiocgsid, tiocnotty, tiocsctty, tiocspgrp};
use super::{TtyFlags, TtyId};
use crate::abi::numbers::{F_SETFD, FD_CLOEXEC};
use crate::abi::tty::{self as nr, LocalModes, NOT_MODELLED, REQUESTS, TERMIOS_SIZE, Termios};
use crate::abi::{Errno, OpenFlags};
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::fs::dup::do_fcntl;
use crate::kernel::fs::fdtable::{bad_fd, fget};
use crate::kernel::fs::{FileId, FileKind};
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user};
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const F: &str = "tty_ioctl";

/// A request by name.
fn name(request: u32) -> String {
    let known = REQUESTS.iter().find(|(_, n)| *n == u64::from(request)).map(|(name, _)| *name);
    let other = NOT_MODELLED.iter().find(|(n, _)| *n == request).map(|(_, name)| *name);
    known.or(other).map_or_else(|| format!("{request:#x}"), str::to_string)
}

/// ioctl(2).
///
/// # Errors
/// EBADF. ENOTTY: the descriptor is no terminal, or terminals do not know the
/// request. EINVAL: they do, and it is not modelled. EIO: hung up. EFAULT, and
/// those of the request.
pub fn sys_ioctl(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let (fd, request) = (call.args[0] as i32, call.args[1] as u32);
    let file = fget(sys, task, fd).map_err(|_| bad_fd("ioctl", fd))?;
    match request {
        nr::FIOCLEX => return Ok(do_fcntl(sys, task, fd, F_SETFD, FD_CLOEXEC.into())?),
        nr::FIONCLEX => return Ok(do_fcntl(sys, task, fd, F_SETFD, 0)?),
        nr::FIONBIO => {
            let on = get_int(sys, task, call)? != 0;
            sys.kernel.filps[file].f_flags.set(OpenFlags::O_NONBLOCK, on);
            return Ok(0);
        }
        nr::FIOASYNC => {
            let why = "signals for descriptors that become ready (FIOASYNC) are not modelled";
            return Ok(refuse(Errno::EINVAL, "do_vfs_ioctl", why)?);
        }
        _ => {}
    }
    let tty = match sys.kernel.filps[file].kind {
        FileKind::Tty(tty) => tty,
        FileKind::HungUpTty(_) => {
            let errno = if request == nr::TIOCSPGRP { Errno::ENOTTY } else { Errno::EIO };
            return Ok(refuse(errno, "hung_up_tty_ioctl", "the terminal has hung up")?);
        }
        kind if request == nr::FIONREAD && left(sys, file, kind).is_some() => {
            let n = left(sys, file, kind).unwrap_or(0);
            put_int(sys, task, call, n)?;
            return Ok(0);
        }
        _ => {
            let why =
                format!("descriptor {fd} is no terminal that could be asked {}", name(request));
            return Err(SysError::with(Errno::ENOTTY, "vfs_ioctl", why).into());
        }
    };
    if let Some((_, name)) = NOT_MODELLED.iter().find(|(n, _)| *n == request) {
        let why = format!("request {name} of terminals is not modelled");
        return Err(SysError::with(Errno::EINVAL, F, why).into());
    }
    let master = sys.kernel.ttys[tty].is_master();
    let real = if master { sys.kernel.ttys[tty].link } else { tty };
    match request {
        nr::TIOCNOTTY => tiocnotty(sys, task, tty)?,
        nr::TIOCSCTTY => tiocsctty(sys, task, file, real, call.args[2])?,
        nr::TIOCGPGRP => {
            let pgrp = tiocgpgrp(sys, task, tty, real)?;
            put_int(sys, task, call, pgrp)?;
        }
        nr::TIOCGSID => {
            let session = tiocgsid(sys, task, tty, real)?;
            put_int(sys, task, call, session)?;
        }
        nr::TIOCSPGRP => tiocspgrp(sys, task, real, |sys| get_int(sys, task, call))?,
        nr::TCGETS => {
            let termios = sys.kernel.ttys[real].termios;
            put(sys, task, call, &termios.to_bytes())?;
        }
        nr::TCSETS | nr::TCSETSW => {
            set_termios(sys, task, real, When::Now, |sys| get_termios(sys, task, call))?;
        }
        nr::TCSETSF => {
            set_termios(sys, task, real, When::Flush, |sys| get_termios(sys, task, call))?;
        }
        nr::FIONREAD => {
            let n = inq(sys, tty);
            put_int(sys, task, call, n)?;
        }
        nr::TIOCGPTN | nr::TIOCSPTLCK | nr::TIOCGPTLCK if master => {
            return of_master(sys, task, call, tty, request);
        }
        _ => {
            let why = format!("a terminal does not know the request {}", name(request));
            return Err(SysError::with(Errno::ENOTTY, F, why).into());
        }
    }
    Ok(0)
}

/// Bytes that a pipe holds, or that a file has from the offset on (FIONREAD of
/// `pipe_ioctl` and `do_vfs_ioctl`).
fn left(sys: &System, file: FileId, kind: FileKind) -> Option<i32> {
    match kind {
        FileKind::PipeRead(pipe) | FileKind::PipeWrite(pipe) => {
            Some(sys.kernel.pipes.get(pipe)?.buf.len() as i32)
        }
        FileKind::Inode(inode) => {
            let inode = sys.kernel.inodes.get(inode).filter(|i| i.is_reg())?;
            Some(inode.size().wrapping_sub(sys.kernel.filps[file].f_pos) as i32)
        }
        _ => None,
    }
}

/// Requests that only a master knows (`pty_unix98_ioctl`).
fn of_master(sys: &mut System, task: TaskId, call: &Call, tty: TtyId, request: u32) -> SysResult {
    match request {
        nr::TIOCGPTN => {
            let index = sys.kernel.ttys[tty].index as i32;
            put_int(sys, task, call, index)?;
        }
        nr::TIOCGPTLCK => {
            let locked = sys.kernel.ttys[tty].flags.contains(TtyFlags::PTY_LOCK);
            put_int(sys, task, call, i32::from(locked))?;
        }
        _ => {
            let lock = get_int(sys, task, call)? != 0;
            pty_set_lock(sys, tty, lock);
        }
    }
    Ok(0)
}

/// Bytes that a read would find: of complete lines, with ICANON (`inq_canon`).
fn inq(sys: &System, tty: TtyId) -> i32 {
    use super::n_tty::Mark;
    let t = &sys.kernel.ttys[tty];
    let data = &t.disc_data;
    if !t.termios.c_lflag.contains(LocalModes::ICANON) {
        return data.read_buf.len() as i32;
    }
    let lines = data.read_buf.iter().take(data.canon);
    lines.filter(|(_, mark)| *mark != Mark::Eof).count() as i32
}

/// Stores where the third argument points to, or in the call's own result.
fn put(sys: &mut System, task: TaskId, call: &Call, bytes: &[u8]) -> Result<(), SysError> {
    if call.wants_out(2) {
        sys.kernel.out = Out::Bytes(bytes.to_vec());
        return Ok(());
    }
    copy_to_user(sys, task, call.args[2], bytes)
}

/// The same for a number.
fn put_int(sys: &mut System, task: TaskId, call: &Call, n: i32) -> Result<(), SysError> {
    if call.wants_out(2) {
        sys.kernel.out = Out::Number(i64::from(n) as u64);
        return Ok(());
    }
    copy_to_user(sys, task, call.args[2], &n.to_le_bytes())
}

/// What the third argument points to: the payload, else user memory.
fn get<const N: usize>(sys: &mut System, task: TaskId, call: &Call) -> Result<[u8; N], SysError> {
    let mut bytes = [0; N];
    match &call.payload {
        Payload::Bytes(given) if given.len() == N => bytes.copy_from_slice(given),
        Payload::Bytes(_) => {
            return refuse(Errno::EFAULT, F, "the structure given has another size");
        }
        _ => copy_from_user(sys, task, call.args[2], &mut bytes)?,
    }
    Ok(bytes)
}

fn get_int(sys: &mut System, task: TaskId, call: &Call) -> Result<i32, SysError> {
    Ok(i32::from_le_bytes(get::<4>(sys, task, call)?))
}

fn get_termios(sys: &mut System, task: TaskId, call: &Call) -> Result<Termios, SysError> {
    Ok(Termios::from_bytes(&get::<TERMIOS_SIZE>(sys, task, call)?))
}
