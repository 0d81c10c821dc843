//! `status`: /proc/PID/status of a task that may be gone.
//!
//! Linux: fs/proc/array.c (proc_pid_status); the lines come from `fs::proc`.
//! Left out: what that file leaves out.

use super::{NoView, live};
use crate::kernel::fs::proc::status::proc_pid_status;
pub use crate::kernel::fs::proc::status::{Status, StatusLine, state_words};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// /proc/PID/status of a task, as seen from the initial namespaces.
///
/// # Errors
/// The task is gone.
pub fn status(sys: &System, task: TaskId) -> Result<Status, NoView> {
    live(sys, task)?;
    Ok(proc_pid_status(sys, task))
}
