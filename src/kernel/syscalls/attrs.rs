//! System calls: mode, owner and times of files, and what a file system says of
//! itself. Handlers decode arguments; the verbs live elsewhere.
//!
//! Linux: include/linux/syscalls.h. Left out: see the notes of the rows.

use super::files::{done, fd, path_arg};
use super::table::{Syscall, row};
use super::{Call, Out, Payload};
use crate::abi::Errno;
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::fs::namei::AT_FDCWD;
use crate::kernel::fs::times::{self, SetTime, Whose};
use crate::kernel::fs::{attr, statfs};
use crate::kernel::mm::uaccess::{copy_to_user, get_user_u64};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const TIMES_NOTE: &str = "not of what is in /proc, of pipes and terminals";

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(90, "chmod", &["filename", "mode"], sys_chmod),
    row(91, "fchmod", &["fd", "mode"], sys_fchmod).partly("not on pipes, pidfds and terminals"),
    row(92, "chown", &["filename", "user", "group"], sys_chown),
    row(93, "fchown", &["fd", "user", "group"], sys_fchown)
        .partly("not on pipes, pidfds and terminals"),
    row(268, "fchmodat", &["dfd", "filename", "mode"], sys_fchmodat),
    row(94, "lchown", &["filename", "user", "group"], sys_lchown),
    row(260, "fchownat", &["dfd", "filename", "user", "group", "flag"], sys_fchownat),
    row(452, "fchmodat2", &["dfd", "filename", "mode", "flags"], sys_fchmodat2),
    row(132, "utime", &["filename", "times"], sys_utime).partly(TIMES_NOTE),
    row(235, "utimes", &["filename", "utimes"], sys_utimes).partly(TIMES_NOTE),
    row(261, "futimesat", &["dfd", "filename", "utimes"], sys_futimesat).partly(TIMES_NOTE),
    row(280, "utimensat", &["dfd", "filename", "utimes", "flags"], sys_utimensat)
        .partly(TIMES_NOTE),
    row(137, "statfs", &["pathname", "buf"], sys_statfs).noting("the tree is a tmpfs"),
    row(138, "fstatfs", &["fd", "buf"], sys_fstatfs).noting("the tree is a tmpfs"),
];

fn sys_chmod(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    done(attr::do_fchmodat(sys, task, AT_FDCWD, &path, call.args[1] as u32, 0))
}

fn sys_fchmod(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    done(attr::fchmod(sys, task, fd(call.args[0]), call.args[1] as u32))
}

fn sys_fchmodat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 1)?;
    done(attr::do_fchmodat(sys, task, fd(call.args[0]), &path, call.args[2] as u32, 0))
}

fn sys_chown(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    let ids = (call.args[1] as u32, call.args[2] as u32);
    done(attr::do_fchownat(sys, task, AT_FDCWD, &path, ids, 0))
}

fn sys_fchown(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [f, uid, gid, ..] = call.args;
    done(attr::fchown(sys, task, fd(f), (uid as u32, gid as u32)))
}

const AT_SYMLINK_NOFOLLOW: u32 = 0x100;

fn sys_fchmodat2(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 1)?;
    let [dfd, _, mode, flags, ..] = call.args;
    done(attr::do_fchmodat(sys, task, fd(dfd), &path, mode as u32, flags as u32))
}

fn sys_lchown(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    let ids = (call.args[1] as u32, call.args[2] as u32);
    done(attr::do_fchownat(sys, task, AT_FDCWD, &path, ids, AT_SYMLINK_NOFOLLOW))
}

fn sys_fchownat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 1)?;
    let [dfd, _, uid, gid, flags, ..] = call.args;
    let ids = (uid as u32, gid as u32);
    done(attr::do_fchownat(sys, task, fd(dfd), &path, ids, flags as u32))
}

/// Two words of user memory from `addr` on, as signed numbers.
fn pair(sys: &mut System, task: TaskId, addr: u64) -> Result<(i64, i64), SysError> {
    let first = get_user_u64(sys, task, addr)?;
    Ok((first as i64, get_user_u64(sys, task, addr.wrapping_add(8))? as i64))
}

/// What utime, utimes and futimesat take: `None` for now.
fn timevals(sys: &mut System, task: TaskId, addr: u64) -> Result<Option<[SetTime; 2]>, SysError> {
    if addr == 0 {
        return Ok(None);
    }
    let mut set = [SetTime::Now; 2];
    for (i, set) in set.iter_mut().enumerate() {
        let (sec, usec) = pair(sys, task, addr.wrapping_add(16 * i as u64))?;
        if !(0..1_000_000).contains(&usec) {
            return refuse(Errno::EINVAL, "do_futimesat", "tv_usec is not below a second");
        }
        *set = SetTime::from_timespec(sec, usec * 1000)?;
    }
    Ok(Some(set))
}

fn sys_utime(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let times = match call.args[1] {
        0 => None,
        addr => {
            let (atime, mtime) = pair(sys, task, addr)?;
            Some([SetTime::from_timespec(atime, 0)?, SetTime::from_timespec(mtime, 0)?])
        }
    };
    let path = path_arg(sys, task, call, 0)?;
    done(times::do_utimes(sys, task, Whose::Path(AT_FDCWD, &path, 0), times))
}

fn sys_utimes(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let times = timevals(sys, task, call.args[1])?;
    let path = path_arg(sys, task, call, 0)?;
    done(times::do_utimes(sys, task, Whose::Path(AT_FDCWD, &path, 0), times))
}

fn sys_futimesat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [dfd, path, times, ..] = call.args;
    let times = timevals(sys, task, times)?;
    if path == 0 && call.is_plain() && fd(dfd) != AT_FDCWD {
        return done(times::do_utimes(sys, task, Whose::Fd(fd(dfd)), times));
    }
    let path = path_arg(sys, task, call, 1)?;
    done(times::do_utimes(sys, task, Whose::Path(fd(dfd), &path, 0), times))
}

/// A director gives path and times as the payload.
fn sys_utimensat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [dfd, path, times, flags, ..] = call.args;
    let set = match &call.payload {
        Payload::Times(_, set) => *set,
        _ if times == 0 => None,
        _ => {
            let (sec, nsec) = pair(sys, task, times)?;
            let (sec2, nsec2) = pair(sys, task, times.wrapping_add(16))?;
            Some([SetTime::from_timespec(sec, nsec)?, SetTime::from_timespec(sec2, nsec2)?])
        }
    };
    // Nothing is to be done, and nothing is looked at.
    if set == Some([SetTime::Omit; 2]) {
        return Ok(0);
    }
    if path == 0 && call.is_plain() && fd(dfd) != AT_FDCWD {
        if flags as u32 != 0 {
            let why = "without a path there is no link to follow: no flags";
            return Ok(refuse(Errno::EINVAL, "do_utimes_fd", why)?);
        }
        return done(times::do_utimes(sys, task, Whose::Fd(fd(dfd)), set));
    }
    let path = match &call.payload {
        Payload::Times(path, _) => path.to_string(),
        _ => path_arg(sys, task, call, 1)?,
    };
    done(times::do_utimes(sys, task, Whose::Path(fd(dfd), &path, flags as u32), set))
}

fn put_statfs(sys: &mut System, task: TaskId, call: &Call, st: statfs::Kstatfs) -> SysResult {
    if call.wants_out(1) {
        sys.kernel.out = Out::Statfs(Box::new(st));
        return Ok(0);
    }
    copy_to_user(sys, task, call.args[1], &st.image())?;
    Ok(0)
}

fn sys_statfs(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    let st = statfs::user_statfs(sys, task, &path)?;
    put_statfs(sys, task, call, st)
}

fn sys_fstatfs(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let st = statfs::fd_statfs(sys, task, fd(call.args[0]))?;
    put_statfs(sys, task, call, st)
}
