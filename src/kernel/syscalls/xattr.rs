//! System calls on extended attributes. Handlers decode arguments; see `fs::xattr`.
//!
//! Linux: fs/xattr.c. Left out: the `at` forms.

use super::Call;
use super::files::{fd, path_arg};
use super::table::{Syscall, row};
use crate::kernel::error::SysResult;
use crate::kernel::fs::xattr::{Of, listxattr, one};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const NOTE: &str = "no file system here keeps any: the list is empty, all else EOPNOTSUPP";

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(188, "setxattr", &["pathname", "name", "value", "size", "flags"], one_of_name).noting(NOTE),
    row(189, "lsetxattr", &["pathname", "name", "value", "size", "flags"], one_of_link)
        .noting(NOTE),
    row(190, "fsetxattr", &["fd", "name", "value", "size", "flags"], one_of_fd).noting(NOTE),
    row(191, "getxattr", &["pathname", "name", "value", "size"], one_of_name).noting(NOTE),
    row(192, "lgetxattr", &["pathname", "name", "value", "size"], one_of_link).noting(NOTE),
    row(193, "fgetxattr", &["fd", "name", "value", "size"], one_of_fd).noting(NOTE),
    row(194, "listxattr", &["pathname", "list", "size"], list_of_name).noting(NOTE),
    row(195, "llistxattr", &["pathname", "list", "size"], list_of_link).noting(NOTE),
    row(196, "flistxattr", &["fd", "list", "size"], list_of_fd).noting(NOTE),
    row(197, "removexattr", &["pathname", "name"], one_of_name).noting(NOTE),
    row(198, "lremovexattr", &["pathname", "name"], one_of_link).noting(NOTE),
    row(199, "fremovexattr", &["fd", "name"], one_of_fd).noting(NOTE),
];

fn one_of_name(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    Ok(one(sys, task, Of::Name(&path, true))?)
}

fn one_of_link(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    Ok(one(sys, task, Of::Name(&path, false))?)
}

fn one_of_fd(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    Ok(one(sys, task, Of::Fd(fd(call.args[0])))?)
}

fn list_of_name(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    Ok(listxattr(sys, task, Of::Name(&path, true))?)
}

fn list_of_link(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    Ok(listxattr(sys, task, Of::Name(&path, false))?)
}

fn list_of_fd(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    Ok(listxattr(sys, task, Of::Fd(fd(call.args[0])))?)
}
