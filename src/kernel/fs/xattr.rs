//! Extended attributes: no file system here keeps any, as a tmpfs built without
//! CONFIG_TMPFS_XATTR. So the list of a file's is empty, and to ask for one or to
//! set one is not supported; but the file must be there.
//!
//! Linux: fs/xattr.c (vfs_getxattr, vfs_listxattr, vfs_setxattr). Left out:
//! security labels and file capabilities, which are kept in such attributes.

use super::fdtable::fget;
use super::namei::AT_FDCWD;
use super::stat;
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// A file by name or descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of<'a> {
    /// By name; `true`: a symbolic link at its end is followed.
    Name(&'a str, bool),
    /// By descriptor.
    Fd(i32),
}

fn look(sys: &mut System, task: TaskId, of: Of<'_>) -> Result<(), SysError> {
    match of {
        Of::Name(name, follow) => stat::find(sys, task, AT_FDCWD, name, follow).map(|_| ()),
        Of::Fd(fd) => fget(sys, task, fd).map(|_| ()),
    }
}

/// Bytes of the list of names: none.
///
/// # Errors
/// Those of the walk; EBADF.
pub fn listxattr(sys: &mut System, task: TaskId, of: Of<'_>) -> Result<i64, SysError> {
    look(sys, task, of)?;
    Ok(0)
}

/// Getting, setting or removing an attribute.
///
/// # Errors
/// Those of the walk; EBADF; EOPNOTSUPP always else.
pub fn one(sys: &mut System, task: TaskId, of: Of<'_>) -> Result<i64, SysError> {
    look(sys, task, of)?;
    refuse(Errno::EOPNOTSUPP, "xattr_resolve_name", "its file system keeps no extended attributes")
}
