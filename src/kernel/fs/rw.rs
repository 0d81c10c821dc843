//! read(2), write(2), pread64(2), pwrite64(2) and their vectored forms, lseek(2).
//!
//! Linux: fs/read_write.c (ksys_read, vfs_read, ksys_write, vfs_write,
//! ksys_lseek).
//! Left out: splice.

use super::anon_inodes;
use super::fallocate::seek_hole_data;
use super::fdtable::{bad_fd, fget};
use super::file::{fput, get_file};
use super::file_io::{inode_read, inode_write};
use super::inode::{CharDev, InodeKind};
use super::pipe::{pipe_read, pipe_write};
use super::proc;
use super::times::file_accessed;
use super::uio::{Dest, Source};
use super::{File, FileId, FileKind};
use crate::abi::Errno;
use crate::abi::numbers::{SEEK_CUR, SEEK_END, SEEK_SET};
use crate::kernel::cgroup;
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::syscalls::{Call, Out};
use crate::kernel::system::System;
use crate::kernel::task::{Resume, TaskId};
use crate::kernel::tty::n_tty::{n_tty_read, n_tty_write};
use crate::kernel::wait_queue::Wait;

/// Where a transfer happens: at the description's own offset, which moves, or
/// at a given one (`pread64`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// `f_pos`.
    Pos,
    /// This offset; may be negative, which is refused.
    Offset(i64),
}

/// The direction of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the file.
    Read,
    /// To the file.
    Write,
}

/// What a vectored call asks of its descriptor before it looks at its buffers.
///
/// # Errors
/// EINVAL: a negative offset. EBADF: not open, or not so. ESPIPE.
pub fn may_transfer(sys: &System, task: TaskId, fd: i32, way: Way, at: At) -> Result<(), SysError> {
    at.check()?;
    let id = fdget(sys, task, fd, "do_readv")?;
    let file = &sys.kernel.filps[id];
    if at != At::Pos && !seekable(sys, file) && !matches!(file.kind, FileKind::Pidfd(_)) {
        return Err(espipe("do_preadv"));
    }
    let open = match way {
        Way::Read => file.may_read(),
        Way::Write => file.may_write(),
    };
    if !open {
        let why = format!("descriptor {fd} was not opened for that");
        return Err(SysError::with(Errno::EBADF, "vfs_readv", why));
    }
    Ok(())
}

impl At {
    fn check(self) -> Result<(), SysError> {
        match self {
            At::Offset(n) if n < 0 => {
                refuse(Errno::EINVAL, "ksys_pread64", "the offset is negative")
            }
            _ => Ok(()),
        }
    }
}

/// No transfer may reach behind the largest offset there is; directories and
/// everything without an offset are not asked (`rw_verify_area`).
///
/// # Errors
/// EINVAL.
fn rw_verify_area(kind: FileKind, pos: u64, count: u64) -> Result<(), SysError> {
    if matches!(kind, FileKind::Inode(_)) && pos.saturating_add(count) > i64::MAX as u64 {
        let why = "offset and length together exceed the largest offset of a file";
        return refuse(Errno::EINVAL, "rw_verify_area", why);
    }
    Ok(())
}

/// Whether the description has an offset (FMODE_LSEEK, FMODE_PREAD).
fn seekable(sys: &System, file: &File) -> bool {
    let inode = match file.kind {
        FileKind::Inode(inode) => inode,
        FileKind::Proc(..) | FileKind::Cgroup(..) => return true,
        _ => return false,
    };
    !matches!(sys.kernel.inodes.get(inode).map(|i| &i.kind), Some(InodeKind::Chr(CharDev::Console)))
}

fn espipe(source_fn: &'static str) -> SysError {
    SysError::new(Errno::ESPIPE, source_fn, "a pipe, pidfd or terminal has no file offset")
}

/// The description behind `fd`; for a call that has slept, the one it sleeps
/// in, whatever the descriptor names by now.
fn fdget(sys: &System, task: TaskId, fd: i32, source_fn: &'static str) -> Result<FileId, SysError> {
    match sys.task(task).resume.as_ref().and_then(|r| r.file) {
        Some(file) => Ok(file),
        None => fget(sys, task, fd).map_err(|_| bad_fd(source_fn, fd)),
    }
}

/// A read or write that blocks: `file` gains a reference for as long as the
/// call sleeps, and `note` is kept for its next run.
pub(crate) fn fdget_sleep(sys: &mut System, task: TaskId, call: &Call, wait: Wait, note: u64) {
    let held = sys.task(task).resume.as_ref().and_then(|r| r.file);
    let file = held.or_else(|| {
        let file = fget(sys, task, call.args[0] as i32).ok()?;
        get_file(sys, file);
        Some(file)
    });
    keep(sys, task, call, wait, note, file);
}

/// A call that sleeps in a file whose reference it has already.
pub(crate) fn sleep_in(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    (wait, file, note): (Wait, FileId, u64),
) {
    keep(sys, task, call, wait, note, Some(file));
}

fn keep(sys: &mut System, task: TaskId, call: &Call, wait: Wait, note: u64, file: Option<FileId>) {
    let origin = sys.log.origin;
    let t = sys.task_mut(task);
    match &mut t.resume {
        Some(r) => (r.note, r.file) = (note, file),
        None => {
            t.resume = Some(Box::new(Resume {
                call: call.clone(),
                wait,
                origin,
                note,
                file,
                poll: None,
                leaving: None,
            }));
        }
    }
}

/// The end of a read or write that may have slept (`fdput`).
pub(crate) fn fdput(sys: &mut System, task: TaskId) {
    let Some(r) = &mut sys.task_mut(task).resume else { return };
    r.note = 0;
    if let Some(file) = r.file.take() {
        fput(sys, file);
    }
}

/// read(2) and pread64(2): up to `dest.count()` bytes.
///
/// # Errors
/// EBADF: not open for reading. EISDIR. EINVAL: it cannot be read at all.
/// ESPIPE: pread on what has no offset. EFAULT, when not a byte was stored.
/// Blocks on an empty pipe and on a terminal; `note` as in [`ksys_write`].
pub fn ksys_read(
    sys: &mut System,
    task: TaskId,
    fd: i32,
    mut dest: Dest,
    at: At,
    note: &mut u64,
) -> SysResult {
    at.check()?;
    let id = fdget(sys, task, fd, "ksys_read")?;
    let file = &sys.kernel.filps[id];
    let (kind, pos) = (file.kind, file.f_pos);
    // A pidfd has FMODE_PREAD, so pread gets as far as EINVAL on it.
    if at != At::Pos && !seekable(sys, file) && !matches!(kind, FileKind::Pidfd(_)) {
        return Err(espipe("ksys_pread64").into());
    }
    if !file.may_read() {
        let why = format!("descriptor {fd} was not opened for reading");
        return Err(SysError::with(Errno::EBADF, "vfs_read", why).into());
    }
    let pos = match at {
        At::Pos => pos,
        At::Offset(n) => n as u64,
    };
    let n = match kind {
        FileKind::Pidfd(_) => {
            return Err(SysError::new(Errno::EINVAL, "vfs_read", "a pidfd cannot be read").into());
        }
        FileKind::Ns(_) => {
            let why = "a namespace cannot be read";
            return Err(SysError::new(Errno::EINVAL, "vfs_read", why).into());
        }
        FileKind::PipeWrite(_) => return Err(bad_fd("vfs_read", fd).into()),
        FileKind::Anon(anon) => {
            dest.access_ok()?;
            anon_inodes::read(sys, task, id, anon, &mut dest)?
        }
        FileKind::Proc(file, pid) => {
            dest.access_ok()?;
            proc::read(sys, task, (file, pid), pos, &mut dest)?
        }
        FileKind::Cgroup(file, id) => {
            dest.access_ok()?;
            let text = cgroup::files::show(sys, task, id, file)?;
            proc::give(sys, task, text.as_bytes(), pos, &mut dest)?
        }
        FileKind::Tty(tty) => {
            dest.access_ok()?;
            n_tty_read(sys, task, id, tty, &mut dest, (note, false))?
        }
        FileKind::HungUpTty(tty) => match *note {
            0 => 0,
            // It slept when that happened.
            _ => n_tty_read(sys, task, id, tty, &mut dest, (note, true))?,
        },
        FileKind::PipeRead(pipe) => {
            dest.access_ok()?;
            pipe_read(sys, task, id, pipe, &mut dest)?
        }
        FileKind::Inode(inode) => {
            if sys.kernel.inodes[inode].is_dir() {
                let why = "a directory is read with getdents64, not with read";
                return Err(SysError::new(Errno::EISDIR, "generic_read_dir", why).into());
            }
            dest.access_ok()?;
            rw_verify_area(kind, pos, dest.count())?;
            let n = inode_read(sys, task, inode, pos, &mut dest)?;
            if dest.count() > 0 {
                file_accessed(sys, id);
            }
            n
        }
    };
    if at == At::Pos
        && let FileKind::Inode(_) | FileKind::Proc(..) | FileKind::Cgroup(..) = kind
        && let Some(f) = sys.kernel.filps.get_mut(id)
    {
        f.f_pos = f.f_pos.saturating_add(n);
    }
    if let Dest::Out(bytes, _) = dest {
        sys.kernel.out = Out::Bytes(bytes);
    }
    Ok(n as i64)
}

/// write(2) and pwrite64(2).
///
/// # Errors
/// EBADF: not open for writing. EINVAL: it cannot be written at all. ESPIPE:
/// pwrite on what has no offset. EFBIG, EPIPE (with their signals). EFAULT,
/// ENOMEM, when not a byte was taken. Blocks on a full pipe; `note` then says
/// how far it got (`Resume::note`).
pub fn ksys_write(
    sys: &mut System,
    task: TaskId,
    fd: i32,
    src: Source<'_>,
    at: At,
    note: &mut u64,
) -> SysResult {
    at.check()?;
    let id = fdget(sys, task, fd, "ksys_write")?;
    let file = &sys.kernel.filps[id];
    let kind = file.kind;
    let pos = match at {
        At::Pos => file.f_pos,
        At::Offset(n) => n as u64,
    };
    if at != At::Pos && !seekable(sys, file) && !matches!(kind, FileKind::Pidfd(_)) {
        return Err(espipe("ksys_pwrite64").into());
    }
    if !file.may_write() {
        let why = format!("descriptor {fd} was not opened for writing");
        return Err(SysError::with(Errno::EBADF, "vfs_write", why).into());
    }
    match kind {
        FileKind::Pidfd(_) => {
            Err(SysError::new(Errno::EINVAL, "vfs_write", "a pidfd cannot be written").into())
        }
        FileKind::Ns(_) | FileKind::PipeRead(_) => Err(bad_fd("vfs_write", fd).into()),
        FileKind::Anon(anon) => {
            src.access_ok()?;
            anon_inodes::write(sys, task, id, anon, src)
        }
        FileKind::Proc(..) | FileKind::Cgroup(..) => {
            src.access_ok()?;
            let n = proc::write(sys, task, id, &src)?;
            if at == At::Pos
                && let Some(f) = sys.kernel.filps.get_mut(id)
            {
                f.f_pos = f.f_pos.saturating_add(n);
            }
            Ok(n as i64)
        }
        FileKind::Tty(tty) => {
            src.access_ok()?;
            n_tty_write(sys, task, id, tty, src, (note, false))
        }
        FileKind::HungUpTty(tty) => match *note {
            0 => Ok(refuse(Errno::EIO, "hung_up_tty_write", "the terminal has hung up")?),
            _ => n_tty_write(sys, task, id, tty, src, (note, true)),
        },
        FileKind::PipeWrite(pipe) => {
            src.access_ok()?;
            pipe_write(sys, task, id, pipe, src, note)
        }
        FileKind::Inode(inode) => {
            src.access_ok()?;
            rw_verify_area(kind, pos, src.count())?;
            let n = inode_write(sys, task, id, inode, src, at)?;
            Ok(n as i64)
        }
    }
}

/// lseek(2): the new offset.
///
/// # Errors
/// EBADF; EINVAL: unknown `whence`, or the result is negative or behind the
/// largest file; ENXIO: no data or hole there; ESPIPE: there is no offset.
pub fn ksys_lseek(
    sys: &mut System,
    task: TaskId,
    fd: i32,
    offset: i64,
    whence: u32,
) -> Result<i64, SysError> {
    let id = fget(sys, task, fd).map_err(|_| bad_fd("ksys_lseek", fd))?;
    if whence > 4 {
        return refuse(
            Errno::EINVAL,
            "ksys_lseek",
            "whence is none of SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE",
        );
    }
    let file = &sys.kernel.filps[id];
    if let FileKind::Proc(..) | FileKind::Cgroup(..) = file.kind {
        // seq_lseek
        let base = if whence == SEEK_CUR { file.f_pos as i64 } else { 0 };
        return match base.checked_add(offset).filter(|pos| *pos >= 0 && whence <= SEEK_CUR) {
            Some(pos) => {
                sys.kernel.filps[id].f_pos = pos as u64;
                Ok(pos)
            }
            None => refuse(Errno::EINVAL, "seq_lseek", "from its start or from here, not below 0"),
        };
    }
    if let FileKind::Anon(_) = file.kind {
        // noop_llseek: it stays where it is.
        return Ok(file.f_pos as i64);
    }
    let FileKind::Inode(inode) = file.kind else { return Err(espipe("ksys_lseek")) };
    if !seekable(sys, file) {
        return Err(espipe("ksys_lseek"));
    }
    if let InodeKind::Chr(_) = sys.kernel.inodes[inode].kind {
        // null_lseek: any seek succeeds and leads to 0.
        sys.kernel.filps[id].f_pos = 0;
        return Ok(0);
    }
    let base = match whence {
        SEEK_SET => 0,
        SEEK_CUR => file.f_pos as i64,
        SEEK_END if sys.kernel.inodes[inode].is_dir() => {
            let why = "a directory in memory has no end to count from";
            return refuse(Errno::EINVAL, "dcache_dir_lseek", why);
        }
        SEEK_END => sys.kernel.inodes[inode].size() as i64,
        _ if sys.kernel.inodes[inode].is_reg() => {
            let pos = seek_hole_data(sys, inode, offset, whence)?;
            sys.kernel.filps[id].f_pos = pos as u64;
            return Ok(pos);
        }
        _ => {
            let why = "a directory in memory has neither data nor holes";
            return refuse(Errno::EINVAL, "dcache_dir_lseek", why);
        }
    };
    match base.checked_add(offset) {
        Some(pos) if pos >= 0 => {
            sys.kernel.filps[id].f_pos = pos as u64;
            Ok(pos)
        }
        _ => refuse(Errno::EINVAL, "vfs_setpos", "the new offset would be negative or too large"),
    }
}
