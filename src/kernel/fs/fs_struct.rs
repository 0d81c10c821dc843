//! `fs_struct`: where a task is in the tree, and its umask. Threads share one
//! (CLONE_FS); fork copies it.
//!
//! Linux: fs/fs_struct.c (copy_fs_struct, free_fs_struct, set_fs_pwd,
//! set_fs_root), include/linux/fs_struct.h.
//! Left out: the mount part of a path. Root and working directory are kept as
//! absolute path names, which stay true as there is no rename and no rmdir.

use crate::abi::Errno;
use crate::kernel::error::SysError;
use crate::kernel::fs::{FsId, FsStruct};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::sync::Arc;

/// A copy with one user for a child that does not share. An exec that is under
/// way in the parent is not copied: `in_exec` speaks of the shared object only.
/// The caller tests `in_exec` before it *shares* one (`copy_fs`: EAGAIN).
pub fn copy_fs_struct(sys: &mut System, old: FsId) -> Result<FsId, SysError> {
    let Some(fs) = sys.kernel.fs.get(old) else {
        sys.oops("copy_fs_struct", format!("fs_struct {old:?} does not exist"));
        return Err(SysError::new(Errno::ENOMEM, "copy_fs_struct", "the fs_struct is gone"));
    };
    let new = FsStruct {
        users: 1,
        umask: fs.umask,
        root: Arc::clone(&fs.root),
        pwd: Arc::clone(&fs.pwd),
        in_exec: false,
    };
    Ok(sys.kernel.fs.insert(new))
}

/// Drops one user; the last one frees it (`exit_fs`, `free_fs_struct`).
pub fn put_fs_struct(sys: &mut System, fs: FsId) {
    let Some(f) = sys.kernel.fs.get_mut(fs) else {
        return sys.oops("put_fs_struct", format!("fs_struct {fs:?} does not exist"));
    };
    match f.users {
        0 => sys.oops("put_fs_struct", format!("users of fs_struct {fs:?} below zero")),
        1 => {
            sys.kernel.fs.free(fs);
        }
        _ => f.users -= 1,
    }
}

/// The task's fs_struct. A task past exit_fs has none; such a task makes no
/// calls, so asking for it then is a finding about the kernel.
pub fn task_fs(sys: &System, task: TaskId) -> Result<&FsStruct, SysError> {
    sys.task(task).fs.and_then(|f| sys.kernel.fs.get(f)).ok_or_else(|| {
        SysError::new(Errno::ENOENT, "task_fs", "the task has given up its fs_struct (exit_fs)")
    })
}

/// The same, to change it.
pub fn task_fs_mut(sys: &mut System, task: TaskId) -> Result<&mut FsStruct, SysError> {
    let id = sys.task(task).fs;
    id.and_then(|f| sys.kernel.fs.get_mut(f)).ok_or_else(|| {
        SysError::new(Errno::ENOENT, "task_fs", "the task has given up its fs_struct (exit_fs)")
    })
}

/// umask(2): sets the mask to the permission bits of `mask` and returns the
/// old one. Never fails.
pub fn sys_umask(sys: &mut System, task: TaskId, mask: u32) -> Result<u32, SysError> {
    let fs = task_fs_mut(sys, task)?;
    Ok(std::mem::replace(&mut fs.umask, mask & 0o777))
}
