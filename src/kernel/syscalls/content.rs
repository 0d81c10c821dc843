//! System calls: what files hold, beyond read and write. Handlers decode
//! arguments; the verbs live elsewhere.
//!
//! Linux: include/linux/syscalls.h. Left out: see the notes of the rows.

use super::Call;
use super::files::{done, fd, fd_result, may_sleep, path_arg};
use super::table::{Syscall, row};
use crate::kernel::error::{SysError, SysResult};
use crate::kernel::fs::copy::{self, Offset};
use crate::kernel::fs::{fallocate, locks, memfd, sync};
use crate::kernel::mm::uaccess::{get_user_u64, put_user_u64};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const IN_MEMORY: &str = "files are in memory: there is nothing left to do";

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(40, "sendfile", &["out_fd", "in_fd", "offset", "count"], sys_sendfile)
        .partly("from regular files only"),
    row(73, "flock", &["fd", "cmd"], sys_flock).partly("not of pipes, terminals and /proc"),
    row(74, "fsync", &["fd"], sys_fsync).noting(IN_MEMORY),
    row(75, "fdatasync", &["fd"], sys_fsync).noting(IN_MEMORY),
    row(162, "sync", &[], sys_sync).noting(IN_MEMORY),
    row(187, "readahead", &["fd", "offset", "count"], sys_readahead).noting(IN_MEMORY),
    row(221, "fadvise64", &["fd", "offset", "len", "advice"], sys_fadvise64).noting(IN_MEMORY),
    row(277, "sync_file_range", &["fd", "offset", "nbytes", "flags"], sys_sync_file_range)
        .noting(IN_MEMORY),
    row(285, "fallocate", &["fd", "mode", "offset", "len"], sys_fallocate)
        .noting("as a tmpfs: the modes FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE"),
    row(306, "syncfs", &["fd"], sys_syncfs).noting(IN_MEMORY),
    row(319, "memfd_create", &["uname", "flags"], sys_memfd_create)
        .partly("MFD_ALLOW_SEALING, MFD_NOEXEC_SEAL and MFD_HUGETLB are refused"),
    row(
        326,
        "copy_file_range",
        &["fd_in", "off_in", "fd_out", "off_out", "len", "flags"],
        sys_copy_file_range,
    ),
];

fn sys_flock(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [f, op, ..] = call.args;
    may_sleep(sys, task, call, |sys, _| locks::flock(sys, task, fd(f), op as u32))
}

fn sys_fsync(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    done(sync::do_fsync(sys, task, fd(call.args[0])))
}

fn sys_sync(_: &mut System, _: TaskId, _: &Call) -> SysResult {
    Ok(0)
}

fn sys_syncfs(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    done(sync::syncfs(sys, task, fd(call.args[0])))
}

fn sys_sync_file_range(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [f, offset, len, flags, ..] = call.args;
    let range = (offset as i64, len as i64);
    done(sync::sync_file_range(sys, task, fd(f), range, flags as u32))
}

fn sys_fadvise64(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [f, _, len, advice, ..] = call.args;
    done(sync::fadvise64(sys, task, fd(f), len as i64, advice as u32))
}

fn sys_readahead(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    done(sync::readahead(sys, task, fd(call.args[0])))
}

fn sys_fallocate(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [f, mode, offset, len, ..] = call.args;
    let range = (offset as i64, len as i64);
    done(fallocate::vfs_fallocate(sys, task, fd(f), mode as u32, range))
}

fn sys_memfd_create(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let name = path_arg(sys, task, call, 0)?;
    fd_result(memfd::memfd_create(sys, task, &name, call.args[1] as u32))
}

/// The offset that an argument points to, if it does.
fn get_offset(sys: &mut System, task: TaskId, addr: u64) -> Result<Offset, SysError> {
    match addr {
        0 => Ok(None),
        _ => Ok(Some(get_user_u64(sys, task, addr)? as i64)),
    }
}

fn put_offset(sys: &mut System, task: TaskId, addr: u64, at: Offset) -> Result<(), SysError> {
    match at {
        None => Ok(()),
        Some(at) => put_user_u64(sys, task, addr, at as u64),
    }
}

fn sys_sendfile(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [out, from, offset, count, ..] = call.args;
    let at = get_offset(sys, task, offset)?;
    let mut after = None;
    let result = may_sleep(sys, task, call, |sys, note| {
        let (n, at) = copy::do_sendfile(sys, task, (fd(out), fd(from)), at, count, note)?;
        after = at;
        Ok(n as i64)
    });
    if result.is_ok() {
        put_offset(sys, task, offset, after)?;
    }
    result
}

fn sys_copy_file_range(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [from, off_in, to, off_out, len, flags] = call.args;
    let at_in = get_offset(sys, task, off_in)?;
    let at_out = get_offset(sys, task, off_out)?;
    let (n, at_in, at_out) =
        copy::copy_file_range(sys, task, (fd(from), at_in), (fd(to), at_out), len, flags as u32)?;
    put_offset(sys, task, off_in, at_in)?;
    put_offset(sys, task, off_out, at_out)?;
    Ok(n as i64)
}
