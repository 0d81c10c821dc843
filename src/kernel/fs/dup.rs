//! Calls on descriptors themselves: dup(2), fcntl(2), close_range(2).
//!
//! Linux: fs/file.c (ksys_dup3, close_range), fs/fcntl.c (do_fcntl, setfl).
//! Left out: leases, owners and signals of files, F_DUPFD_QUERY; each
//! is refused by name. Locks are in `locks`.

use super::fdtable::{
    NR_OPEN, alloc_fd, bad_fd, close_fd, do_dup2, fd_install, fd_slot, fget_raw, nofile_limit,
    open_in_range, set_close_on_exec, unshare_files,
};
use super::file::get_file;
use super::memfd::seals;
use super::pipe::size::{pipe_set_size, pipe_size};
use super::{File, FileKind};
use crate::abi::numbers::{
    CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_UNSHARE, F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD,
    F_SETFL, FD_CLOEXEC,
};
use crate::abi::{Errno, OpenFlags};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// The status flags that F_SETFL changes and the model has (`SETFL_MASK`).
const SETFL_MASK: OpenFlags = OpenFlags::O_APPEND.union(OpenFlags::O_NONBLOCK);
const F_SETPIPE_SZ: u32 = 1031;
const F_GETPIPE_SZ: u32 = 1032;
const F_ADD_SEALS: u32 = 1033;
const F_GET_SEALS: u32 = 1034;
/// O_ASYNC and O_DIRECT: Linux would honour them.
const SETFL_UNSUPPORTED: u32 = 0o20000 | 0o40000;
/// O_LARGEFILE, which a 64-bit kernel adds to every open.
pub(super) const O_LARGEFILE: u32 = 0o100000;

/// dup(2): the lowest free descriptor for the same description.
pub fn dup(sys: &mut System, task: TaskId, fd: i32) -> Result<i32, SysError> {
    // Unlike F_DUPFD it has no lowest descriptor that could be beyond the limit.
    let file = fget_raw(sys, task, fd)?;
    let new = alloc_fd(sys, task, 0)?;
    get_file(sys, file);
    fd_install(sys, task, new, file, false);
    Ok(new)
}

fn f_dupfd(
    sys: &mut System,
    task: TaskId,
    fd: i32,
    from: u64,
    cloexec: bool,
) -> Result<i32, SysError> {
    let file = fget_raw(sys, task, fd)?;
    if from >= nofile_limit(sys, task) {
        let why = format!("the lowest wanted descriptor, {from}, is not below RLIMIT_NOFILE");
        return Err(SysError::with(Errno::EINVAL, "f_dupfd", why));
    }
    let new = alloc_fd(sys, task, from as usize)?;
    get_file(sys, file);
    fd_install(sys, task, new, file, cloexec);
    Ok(new)
}

/// dup2(2): like dup3 without flags, but equal descriptors are left alone.
pub fn dup2(sys: &mut System, task: TaskId, old: i32, new: i32) -> Result<i32, SysError> {
    if old == new {
        return fget_raw(sys, task, old).map(|_| old);
    }
    ksys_dup3(sys, task, old, new, 0)
}

/// dup3(2): makes `new` name what `old` names, closing what it named before.
///
/// # Errors
/// EINVAL: a flag other than O_CLOEXEC, or equal descriptors. EBADF: `old` is
/// not open, or `new` is not below RLIMIT_NOFILE. The checks come in this order.
pub fn ksys_dup3(
    sys: &mut System,
    task: TaskId,
    old: i32,
    new: i32,
    flags: u32,
) -> Result<i32, SysError> {
    if flags & !OpenFlags::O_CLOEXEC.bits() != 0 {
        return refuse(Errno::EINVAL, "ksys_dup3", "dup3 knows only the flag O_CLOEXEC");
    }
    if old == new {
        return refuse(Errno::EINVAL, "ksys_dup3", "dup3 refuses two equal descriptors");
    }
    let limit = nofile_limit(sys, task);
    if u64::try_from(new).map_or(true, |n| n >= limit) {
        let why =
            format!("the new descriptor {new} is not in the range below RLIMIT_NOFILE ({limit})");
        return Err(SysError::with(Errno::EBADF, "ksys_dup3", why));
    }
    let file = fget_raw(sys, task, old)?;
    // Linux turns the EMFILE of expand_files into EBADF here.
    if new as u64 >= NR_OPEN {
        return refuse(Errno::EBADF, "ksys_dup3", "a table grows to fs.nr_open slots at most");
    }
    do_dup2(sys, task, file, new, flags != 0);
    Ok(new)
}

/// fcntl(2).
///
/// # Errors
/// EBADF before everything else; EINVAL for an operation that is unknown or
/// not modelled.
pub fn do_fcntl(
    sys: &mut System,
    task: TaskId,
    fd: i32,
    cmd: u32,
    arg: u64,
) -> Result<i64, SysError> {
    let slot = fd_slot(sys, task, fd).map_err(|_| bad_fd("do_fcntl", fd))?;
    if sys.kernel.filps.get(slot.file).is_some_and(File::is_path)
        && !matches!(cmd, F_DUPFD | F_DUPFD_CLOEXEC | F_GETFD | F_SETFD | F_GETFL)
    {
        return Err(bad_fd("check_fcntl_cmd", fd));
    }
    match cmd {
        // Linux takes the argument as an int here: a negative one is huge.
        F_DUPFD => f_dupfd(sys, task, fd, u64::from(arg as u32), false).map(i64::from),
        F_DUPFD_CLOEXEC => f_dupfd(sys, task, fd, u64::from(arg as u32), true).map(i64::from),
        F_GETFD => Ok(if slot.cloexec { i64::from(FD_CLOEXEC) } else { 0 }),
        F_SETFD => set_close_on_exec(sys, task, fd, arg as u32 & FD_CLOEXEC != 0).map(|()| 0),
        F_GETFL => Ok(i64::from(getfl(sys, slot.file))),
        F_SETFL => setfl(sys, slot.file, arg as u32).map(|()| 0),
        F_GETPIPE_SZ | F_SETPIPE_SZ => match sys.kernel.filps.get(slot.file).map(|f| f.kind) {
            Some(FileKind::PipeRead(p) | FileKind::PipeWrite(p)) if cmd == F_SETPIPE_SZ => {
                pipe_set_size(sys, task, p, arg)
            }
            Some(FileKind::PipeRead(p) | FileKind::PipeWrite(p)) => Ok(pipe_size(sys, p)),
            _ => Err(bad_fd("pipe_fcntl", fd)),
        },
        F_ADD_SEALS | F_GET_SEALS => match sys.kernel.filps.get(slot.file) {
            Some(file) => seals(sys, file, cmd == F_ADD_SEALS),
            None => Err(bad_fd("memfd_fcntl", fd)),
        },
        other => Err(SysError::with(
            Errno::EINVAL,
            "do_fcntl",
            format!(
                "operation {other} of fcntl is unknown or not modelled (modelled: F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETPIPE_SZ, F_SETPIPE_SZ, F_GET_SEALS, and locks)"
            ),
        )),
    }
}

/// What F_GETFL reports: files opened by path carry O_LARGEFILE.
fn getfl(sys: &System, file: super::FileId) -> u32 {
    sys.kernel.filps.get(file).map_or(0, |f| {
        let by_path = match f.kind {
            _ if f.is_path() => false,
            FileKind::Inode(_) | FileKind::Proc(..) | FileKind::Cgroup(..) => true,
            FileKind::Tty(_) | FileKind::HungUpTty(_) | FileKind::Ns(_) => true,
            FileKind::PipeRead(_) | FileKind::PipeWrite(_) => false,
            FileKind::Pidfd(_) | FileKind::Anon(_) => false,
        };
        let large = if by_path { O_LARGEFILE } else { 0 };
        f.f_flags.bits() | large
    })
}

fn setfl(sys: &mut System, file: super::FileId, arg: u32) -> Result<(), SysError> {
    if arg & SETFL_UNSUPPORTED != 0 {
        return refuse(Errno::EINVAL, "setfl", "O_ASYNC and O_DIRECT are not modelled");
    }
    if let Some(f) = sys.kernel.filps.get_mut(file) {
        f.f_flags.remove(SETFL_MASK);
        f.f_flags.insert(OpenFlags::from_bits_truncate(arg) & SETFL_MASK);
    }
    Ok(())
}

/// close_range(2): closes, or marks close-on-exec, the descriptors from
/// `first` to `last`, in a table of the caller's own if CLOSE_RANGE_UNSHARE.
pub fn close_range(
    sys: &mut System,
    task: TaskId,
    first: u32,
    last: u32,
    flags: u32,
) -> Result<(), SysError> {
    if flags & !(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) != 0 {
        return refuse(
            Errno::EINVAL,
            "close_range",
            "close_range knows only CLOSE_RANGE_UNSHARE and CLOSE_RANGE_CLOEXEC",
        );
    }
    if first > last {
        return refuse(Errno::EINVAL, "close_range", "the first descriptor is above the last");
    }
    if flags & CLOSE_RANGE_UNSHARE != 0 {
        unshare_files(sys, task)?;
    }
    for fd in open_in_range(sys, task, first, last) {
        if flags & CLOSE_RANGE_CLOEXEC != 0 {
            set_close_on_exec(sys, task, fd, true)?;
        } else {
            close_fd(sys, task, fd)?;
        }
    }
    Ok(())
}
