//! System calls: names that come, go and change. Handlers decode arguments; the
//! verbs live elsewhere.
//!
//! Linux: include/linux/syscalls.h. Left out: see the notes of the rows.

use super::Call;
use super::files::{done, fd, path_arg, two_paths};
use super::table::{Syscall, row};
use crate::abi::Errno;
use crate::kernel::error::{SysResult, refuse};
use crate::kernel::fs::namei::{self, AT_FDCWD};
use crate::kernel::fs::{create, rename};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const MKNOD_NOTE: &str =
    "regular files, FIFOs and character devices; block devices and sockets are refused";
const LINKAT_NOTE: &str = "AT_EMPTY_PATH is refused";

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(83, "mkdir", &["pathname", "mode"], sys_mkdir),
    row(84, "rmdir", &["pathname"], sys_rmdir),
    row(87, "unlink", &["pathname"], sys_unlink),
    row(258, "mkdirat", &["dfd", "pathname", "mode"], sys_mkdirat),
    row(263, "unlinkat", &["dfd", "pathname", "flag"], sys_unlinkat),
    row(82, "rename", &["oldname", "newname"], sys_rename),
    row(86, "link", &["oldname", "newname"], sys_link),
    row(88, "symlink", &["old", "new"], sys_symlink),
    row(133, "mknod", &["filename", "mode", "dev"], sys_mknod).partly(MKNOD_NOTE),
    row(259, "mknodat", &["dfd", "filename", "mode", "dev"], sys_mknodat).partly(MKNOD_NOTE),
    row(264, "renameat", &["olddfd", "oldname", "newdfd", "newname"], sys_renameat),
    row(265, "linkat", &["olddfd", "oldname", "newdfd", "newname", "flags"], sys_linkat)
        .partly(LINKAT_NOTE),
    row(266, "symlinkat", &["oldname", "newdfd", "newname"], sys_symlinkat),
    row(316, "renameat2", &["olddfd", "oldname", "newdfd", "newname", "flags"], sys_renameat2)
        .partly("RENAME_WHITEOUT is refused"),
];

fn sys_mkdir(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    done(namei::do_mkdirat(sys, task, AT_FDCWD, &path, call.args[1] as u32))
}

fn sys_mkdirat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 1)?;
    done(namei::do_mkdirat(sys, task, fd(call.args[0]), &path, call.args[2] as u32))
}

fn sys_unlink(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    done(namei::do_unlinkat(sys, task, AT_FDCWD, &path))
}

fn sys_rmdir(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    done(namei::do_rmdir(sys, task, AT_FDCWD, &path))
}

/// AT_REMOVEDIR: unlinkat as rmdir.
const AT_REMOVEDIR: u32 = 0x200;

fn sys_unlinkat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    match call.args[2] as u32 {
        0 => {}
        AT_REMOVEDIR => {
            let path = path_arg(sys, task, call, 1)?;
            return done(namei::do_rmdir(sys, task, call.args[0] as i32, &path));
        }
        _ => {
            let why = "unlinkat knows only the flag AT_REMOVEDIR";
            return Ok(refuse(Errno::EINVAL, "unlinkat", why)?);
        }
    }
    let path = path_arg(sys, task, call, 1)?;
    done(namei::do_unlinkat(sys, task, fd(call.args[0]), &path))
}

fn sys_rename(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let (old, new) = two_paths(sys, task, call, (0, 1))?;
    done(rename::do_renameat2(sys, task, (AT_FDCWD, &old), (AT_FDCWD, &new), 0))
}

fn renameat2(sys: &mut System, task: TaskId, call: &Call, flags: u32) -> SysResult {
    let (old, new) = two_paths(sys, task, call, (1, 3))?;
    let (from, to) = (fd(call.args[0]), fd(call.args[2]));
    done(rename::do_renameat2(sys, task, (from, &old), (to, &new), flags))
}

fn sys_renameat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    renameat2(sys, task, call, 0)
}

fn sys_renameat2(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    renameat2(sys, task, call, call.args[4] as u32)
}

fn sys_link(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let (old, new) = two_paths(sys, task, call, (0, 1))?;
    done(create::do_linkat(sys, task, (AT_FDCWD, &old), (AT_FDCWD, &new), 0))
}

fn sys_linkat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let (old, new) = two_paths(sys, task, call, (1, 3))?;
    let (from, to) = (fd(call.args[0]), fd(call.args[2]));
    done(create::do_linkat(sys, task, (from, &old), (to, &new), call.args[4] as u32))
}

fn sys_symlink(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let (text, name) = two_paths(sys, task, call, (0, 1))?;
    done(create::do_symlinkat(sys, task, &text, AT_FDCWD, &name))
}

fn sys_symlinkat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let (text, name) = two_paths(sys, task, call, (0, 2))?;
    done(create::do_symlinkat(sys, task, &text, fd(call.args[1]), &name))
}

fn sys_mknod(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    let [_, mode, dev, ..] = call.args;
    done(create::do_mknodat(sys, task, AT_FDCWD, &path, mode as u32, dev))
}

fn sys_mknodat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 1)?;
    let [dfd, _, mode, dev, ..] = call.args;
    done(create::do_mknodat(sys, task, fd(dfd), &path, mode as u32, dev))
}
