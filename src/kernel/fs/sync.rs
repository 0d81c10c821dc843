//! fsync(2) and its kin, and advice on reading. Files are in memory only: what
//! was written is where it stays, so these calls have nothing left to do once
//! their arguments are checked.
//!
//! Linux: fs/sync.c, mm/fadvise.c, mm/readahead.c.
//! Left out: nothing that could be seen.

use super::fdtable::fget;
use super::inode::InodeKind;
use super::{FileId, FileKind};
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// What a descriptor has open, as these calls tell files apart.
#[derive(PartialEq, Eq)]
enum Is {
    Reg,
    Dir,
    Other,
    Stream,
}

fn is(sys: &System, file: FileId) -> Is {
    match sys.kernel.filps[file].kind {
        FileKind::Inode(inode) => match sys.kernel.inodes[inode].kind {
            InodeKind::Reg { .. } | InodeKind::Image(_) => Is::Reg,
            InodeKind::Dir(_) => Is::Dir,
            _ => Is::Other,
        },
        FileKind::PipeRead(_) | FileKind::PipeWrite(_) => Is::Stream,
        _ => Is::Other,
    }
}

/// fsync(2), fdatasync(2).
///
/// # Errors
/// EBADF; EINVAL: a device, pipe or file of /proc has nothing to be synced.
pub fn do_fsync(sys: &System, task: TaskId, fd: i32) -> Result<(), SysError> {
    match is(sys, fget(sys, task, fd)?) {
        Is::Reg | Is::Dir => Ok(()),
        _ => refuse(Errno::EINVAL, "vfs_fsync_range", "this kind of file cannot be synced"),
    }
}

/// syncfs(2): the file system of a descriptor.
///
/// # Errors
/// EBADF.
pub fn syncfs(sys: &System, task: TaskId, fd: i32) -> Result<(), SysError> {
    fget(sys, task, fd).map(|_| ())
}

/// sync_file_range(2).
///
/// # Errors
/// EBADF; EINVAL: an unknown flag, a range that is none; ESPIPE: not a file.
pub fn sync_file_range(
    sys: &System,
    task: TaskId,
    fd: i32,
    (offset, len): (i64, i64),
    flags: u32,
) -> Result<(), SysError> {
    const F: &str = "sync_file_range";
    let file = fget(sys, task, fd)?;
    if flags & !7 != 0 {
        return refuse(Errno::EINVAL, F, "an unknown flag");
    }
    if offset < 0 || len < 0 || offset.checked_add(len).is_none() {
        return refuse(Errno::EINVAL, F, "offset and length are no range of a file");
    }
    match is(sys, file) {
        Is::Reg | Is::Dir => Ok(()),
        _ => refuse(Errno::ESPIPE, F, "the descriptor is neither a file nor a directory"),
    }
}

/// fadvise64(2).
///
/// # Errors
/// EBADF; ESPIPE: a pipe; EINVAL: unknown advice, or a negative length.
pub fn fadvise64(
    sys: &System,
    task: TaskId,
    fd: i32,
    len: i64,
    advice: u32,
) -> Result<(), SysError> {
    const F: &str = "generic_fadvise";
    if is(sys, fget(sys, task, fd)?) == Is::Stream {
        return refuse(Errno::ESPIPE, F, "a pipe takes no advice");
    }
    if len < 0 {
        return refuse(Errno::EINVAL, F, "the length is negative");
    }
    if advice > 5 {
        return refuse(Errno::EINVAL, F, "there is no such POSIX_FADV_ advice");
    }
    Ok(())
}

/// readahead(2).
///
/// # Errors
/// EBADF: not open for reading; EINVAL: no regular file.
pub fn readahead(sys: &System, task: TaskId, fd: i32) -> Result<(), SysError> {
    const F: &str = "ksys_readahead";
    let file = fget(sys, task, fd)?;
    if !sys.kernel.filps[file].may_read() {
        return refuse(Errno::EBADF, F, "the descriptor was not opened for reading");
    }
    match is(sys, file) {
        Is::Reg => Ok(()),
        _ => refuse(Errno::EINVAL, F, "only regular files are read ahead"),
    }
}
