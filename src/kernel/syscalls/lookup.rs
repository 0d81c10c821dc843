//! System calls: looking at files and directories. Handlers decode arguments;
//! the verbs live elsewhere.
//!
//! Linux: include/linux/syscalls.h. Left out: see the notes of the rows.

use super::files::path_arg;
use super::table::{Syscall, row};
use super::{Call, Out, Payload};
use crate::abi::Errno;
use crate::base::text;
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::fs::namei::AT_FDCWD;
use crate::kernel::fs::readdir::Format;
use crate::kernel::fs::stat::{self, Kstat};
use crate::kernel::fs::{open, readdir};
use crate::kernel::mm::uaccess::copy_to_user;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
const STAT_NOTE: &str = "directories have no length";

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(4, "stat", &["filename", "statbuf"], sys_stat).partly(STAT_NOTE),
    row(5, "fstat", &["fd", "statbuf"], sys_fstat).partly(STAT_NOTE),
    row(6, "lstat", &["filename", "statbuf"], sys_lstat).partly(STAT_NOTE),
    row(89, "readlink", &["path", "buf", "bufsiz"], sys_readlink),
    row(217, "getdents64", &["fd", "dirent", "count"], sys_getdents64)
        .partly("the numbers of inodes of /proc are not those of stat(2)"),
    row(262, "newfstatat", &["dfd", "filename", "statbuf", "flag"], sys_newfstatat)
        .partly(STAT_NOTE),
    row(267, "readlinkat", &["dfd", "path", "buf", "bufsiz"], sys_readlinkat),
    row(439, "faccessat2", &["dfd", "filename", "mode", "flags"], sys_faccessat2)
        .noting("AT_SYMLINK_NOFOLLOW, AT_EACCESS, AT_EMPTY_PATH"),
    row(78, "getdents", &["fd", "dirent", "count"], sys_getdents),
    row(332, "statx", &["dfd", "filename", "flags", "mask", "buffer"], sys_statx)
        .partly("what stat(2) tells, and the time of birth"),
];

/// Stores or gives `struct stat`; argument `i` points to it.
fn put_stat(sys: &mut System, t: TaskId, call: &Call, i: usize, st: Kstat) -> SysResult {
    if call.wants_out(i) {
        sys.kernel.out = Out::Stat(Box::new(st));
        return Ok(0);
    }
    copy_to_user(sys, t, call.args[i], &st.image())?;
    Ok(0)
}

fn sys_stat(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, t, call, 0)?;
    let st = stat::vfs_fstatat(sys, t, AT_FDCWD, &path, 0)?;
    put_stat(sys, t, call, 1, st)
}

fn sys_lstat(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, t, call, 0)?;
    let st = stat::vfs_fstatat(sys, t, AT_FDCWD, &path, AT_SYMLINK_NOFOLLOW)?;
    put_stat(sys, t, call, 1, st)
}

fn sys_fstat(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let st = stat::vfs_fstat(sys, t, call.args[0] as i32)?;
    put_stat(sys, t, call, 1, st)
}

fn sys_newfstatat(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, t, call, 1)?;
    let (dfd, flags) = (call.args[0] as i32, call.args[3] as u32);
    let st = stat::vfs_fstatat(sys, t, dfd, &path, flags)?;
    put_stat(sys, t, call, 2, st)
}

/// Stores or gives what a link says, cut to the buffer's size; without a NUL.
fn readlinkat(sys: &mut System, t: TaskId, call: &Call, dfd: i32, i: usize) -> SysResult {
    let size = call.args[i + 2] as i32;
    if size <= 0 && call.is_plain() {
        return Ok(refuse(Errno::EINVAL, "do_readlinkat", "the buffer's size is not positive")?);
    }
    let path = path_arg(sys, t, call, i)?;
    let target = stat::do_readlinkat(sys, t, dfd, &path)?;
    if call.wants_out(i + 1) {
        let len = text::len(&target) as i64;
        sys.kernel.out = Out::Text(target);
        return Ok(len);
    }
    let bytes = text::encode(&target);
    let bytes = &bytes[..bytes.len().min(size as usize)];
    copy_to_user(sys, t, call.args[i + 1], bytes)?;
    Ok(bytes.len() as i64)
}

fn sys_readlink(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    readlinkat(sys, t, call, AT_FDCWD, 0)
}

fn sys_readlinkat(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    readlinkat(sys, t, call, call.args[0] as i32, 1)
}

fn sys_getdents64(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let [fd, addr, count, ..] = call.args;
    let out = call.wants_out(1);
    let to = (!out).then_some(addr);
    let bytes = readdir::getdents(sys, t, fd as i32, to, count as u32, Format::Dirent64)?;
    let len = bytes.len() as i64;
    if out {
        sys.kernel.out = Out::Dirents(readdir::entries(&bytes));
    }
    Ok(len)
}

fn sys_getdents(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let [fd, addr, count, ..] = call.args;
    let bytes = readdir::getdents(sys, t, fd as i32, Some(addr), count as u32, Format::Dirent)?;
    Ok(bytes.len() as i64)
}

fn sys_statx(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    const F: &str = "do_statx";
    const AT_EMPTY_PATH: u32 = 0x1000;
    const AT_STATX_SYNC_TYPE: u32 = 0x6000;
    const STATX__RESERVED: u32 = 0x8000_0000;
    let [dfd, path, flags, mask, _, _] = call.args;
    let flags = flags as u32;
    if mask as u32 & STATX__RESERVED != 0 {
        return Ok(refuse(Errno::EINVAL, F, "a bit of the mask is reserved")?);
    }
    if flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE {
        return Ok(refuse(Errno::EINVAL, F, "it cannot both force and avoid to ask a server")?);
    }
    let path = match path {
        0 if flags & AT_EMPTY_PATH != 0 && call.is_plain() => String::new(),
        _ => path_arg(sys, t, call, 1)?,
    };
    let st = stat::vfs_fstatat(sys, t, dfd as i32, &path, flags)?;
    if call.wants_out(4) {
        sys.kernel.out = Out::Stat(Box::new(st));
        return Ok(0);
    }
    copy_to_user(sys, t, call.args[4], &st.statx())?;
    Ok(0)
}

fn sys_faccessat2(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let path = match &call.payload {
        Payload::Text(path) => path.to_string(),
        _ => path_arg(sys, t, call, 1)?,
    };
    let [dfd, _, mode, flags, ..] = call.args;
    let done: Result<(), SysError> =
        open::do_faccessat(sys, t, dfd as i32, &path, mode as u32, flags as u32);
    done?;
    Ok(0)
}
