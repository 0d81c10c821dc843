//! pidfd_open(2): a descriptor that names a process and keeps its pid from
//! meaning another one.
//!
//! Linux: kernel/pid.c (pidfd_open, pidfd_getfd, __pidfd_fget), kernel/fork.c
//! (pidfd_prepare), fs/pidfs.c; poll is in `select`.
//! Left out: ioctl, file handles of pidfs.

use super::fdtable::{fd_install, fget, get_unused_fd};
use super::file::{alloc_file, fput, get_file};
use super::proc::{ProcDir, ProcFile};
use super::{FileId, FileKind};
use crate::abi::{Errno, OpenFlags};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::pid;
use crate::kernel::pid::{PidId, PidType};
use crate::kernel::ptrace::ptrace_may_access;
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId};
use std::sync::Arc;

/// PIDFD_NONBLOCK: waitid on it gives EAGAIN instead of waiting.
pub const PIDFD_NONBLOCK: u32 = OpenFlags::O_NONBLOCK.bits();
/// PIDFD_THREAD: it names a thread, not a process. Kept in `f_flags` as O_EXCL.
pub const PIDFD_THREAD: u32 = OpenFlags::O_EXCL.bits();

/// Makes a pidfd for `pid` and finds a number for it; the caller installs it
/// with [`fd_install`] (close-on-exec) or drops it with `fput`. For clone,
/// which asks before the child is attached to its pid: no check is made
/// whether a task has the pid (PIDFD_STALE).
///
/// # Errors
/// EMFILE.
pub fn pidfd_prepare(
    sys: &mut System,
    task: TaskId,
    pid: PidId,
    flags: u32,
) -> Result<(i32, FileId), SysError> {
    crate::kernel::inject::should_fail(sys, "pidfd_prepare")?;
    let fd = get_unused_fd(sys, task)?;
    pid::get_pid(sys, pid);
    let flags = OpenFlags::from_bits_truncate(flags & (PIDFD_NONBLOCK | PIDFD_THREAD));
    let file = alloc_file(
        sys,
        FileKind::Pidfd(pid),
        flags | OpenFlags::O_RDWR,
        Arc::from("anon_inode:[pidfd]"),
    );
    Ok((fd, file))
}

/// pidfd_open(2).
///
/// # Errors
/// EINVAL: an unknown flag, or a pid that is not positive. ESRCH: nobody has
/// it. ENOENT: it is a thread that leads no group, without PIDFD_THREAD.
pub fn pidfd_open(sys: &mut System, task: TaskId, nr: i32, flags: u32) -> Result<i32, SysError> {
    if flags & !(PIDFD_NONBLOCK | PIDFD_THREAD) != 0 {
        let why = "pidfd_open knows only PIDFD_NONBLOCK and PIDFD_THREAD";
        return refuse(Errno::EINVAL, "pidfd_open", why);
    }
    if nr <= 0 {
        return refuse(Errno::EINVAL, "pidfd_open", "a pid is a positive number");
    }
    let ns = pid::task_active_pid_ns(sys, task);
    let pid = pid::find_pid_ns(sys, nr, ns);
    let Some(pid) = pid else {
        let why = format!("no task has pid {nr} in the caller's pid namespace");
        return Err(SysError::with(Errno::ESRCH, "pidfd_open", why));
    };
    let has = |ty: PidType| sys.kernel.pids[pid].tasks[ty as usize].first.is_some();
    if !has(PidType::Pid) {
        let why = format!(
            "the task with pid {nr} has been reaped; the number is only kept as a group or session id"
        );
        return Err(SysError::with(Errno::ESRCH, "pidfd_prepare", why));
    }
    if flags & PIDFD_THREAD == 0 && !has(PidType::Tgid) {
        let why = format!("{nr} is a thread that does not lead its group; PIDFD_THREAD admits it");
        return Err(SysError::with(Errno::ENOENT, "pidfd_prepare", why));
    }
    let (fd, file) = pidfd_prepare(sys, task, pid, flags)?;
    fd_install(sys, task, fd, file, true);
    Ok(fd)
}

/// pidfd_getfd(2): a descriptor for what another process has open. It shares
/// the open file description, so the offset too.
///
/// # Errors
/// EINVAL: flags. EBADF: `pidfd` is none, or the other has no descriptor
/// `target`. ESRCH: the process has ended. EPERM: what ptrace(2) may not see.
/// EMFILE.
pub fn pidfd_getfd(
    sys: &mut System,
    task: TaskId,
    pidfd: i32,
    target: i32,
    flags: u32,
) -> Result<i32, SysError> {
    if flags != 0 {
        return refuse(Errno::EINVAL, "pidfd_getfd", "pidfd_getfd knows no flags");
    }
    let (pid, _) = pidfd_get_pid(sys, task, pidfd)?;
    let Some(other) = pid::pid_task(sys, pid, PidType::Pid) else {
        return refuse(Errno::ESRCH, "pidfd_getfd", "the process has been reaped");
    };
    ptrace_may_access(sys, task, other)?;
    let exiting = sys.task(other).flags.contains(PF::EXITING);
    let file = match fget(sys, other, target) {
        Err(_) if exiting => {
            let why = "the process is dying and has closed its files";
            return refuse(Errno::ESRCH, "__pidfd_fget", why);
        }
        file => file?,
    };
    // It holds the file by a reference of its own from here on.
    get_file(sys, file);
    match get_unused_fd(sys, task) {
        Ok(fd) => {
            fd_install(sys, task, fd, file, true);
            Ok(fd)
        }
        Err(e) => {
            fput(sys, file);
            Err(e)
        }
    }
}

/// The pid that a call means which takes the directory /proc/PID for a pidfd too
/// (`pidfd_to_pid`, `tgid_pidfd_to_pid`).
///
/// # Errors
/// EBADF.
pub fn pidfd_to_pid(sys: &System, task: TaskId, fd: i32) -> Result<(PidId, OpenFlags), SysError> {
    match sys.kernel.filps[fget(sys, task, fd)?].kind {
        FileKind::Proc(ProcFile::Dir(ProcDir::Process), Some(pid)) => Ok((pid, OpenFlags::empty())),
        _ => pidfd_get_pid(sys, task, fd),
    }
}

/// The pid behind a pidfd and its flags (`pidfd_get_pid`): EBADF when the
/// descriptor is not open or is something else.
pub fn pidfd_get_pid(sys: &System, task: TaskId, fd: i32) -> Result<(PidId, OpenFlags), SysError> {
    let file = &sys.kernel.filps[fget(sys, task, fd)?];
    match file.kind {
        FileKind::Pidfd(pid) => Ok((pid, file.f_flags)),
        _ => Err(SysError::with(
            Errno::EBADF,
            "pidfd_get_pid",
            format!("descriptor {fd} is open, but it is no pidfd"),
        )),
    }
}
