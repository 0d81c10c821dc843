//! execve(2). To be written.
//!
//! Linux: fs/exec.c. Left out: everything.

use crate::abi::Errno;
use crate::kernel::error::{SysResult, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// execve(2). `Err(NoReturn)` is success.
pub fn do_execveat(
    _sys: &mut System,
    _task: TaskId,
    _filename: &str,
    _argv: &[String],
    _envp: &[String],
) -> SysResult {
    Ok(refuse(Errno::ENOSYS, "do_execveat", "execve is not there yet")?)
}
