//! What a program sees of others in /proc: the state of a task.
//!
//! Linux: fs/proc/array.c (do_task_stat, get_task_state).
//! Left out: the file itself, and all other fields of it; a program asks for the
//! letter.

use super::Programs;
use crate::abi::Errno;
use crate::kernel::error::SysError;
use crate::kernel::pid::find_task_by_vpid;
use crate::kernel::syscalls::Out;
use crate::kernel::task::{PF, TaskId};

impl Programs {
    /// The letter of the task with that number, as `who` sees it.
    pub(super) fn state_of(&self, who: TaskId, pid: i32) -> Result<(i64, Out), SysError> {
        let sys = &self.system;
        let found = find_task_by_vpid(sys, who, pid).filter(|task| {
            // The host has neither ours nor kernel threads in its sandbox.
            *task != sys.kernel.init_process && !sys.task(*task).flags.contains(PF::KTHREAD)
        });
        match found {
            Some(task) => Ok((i64::from(u32::from(sys.task(task).state_char())), Out::None)),
            None => Err(not_there(pid)),
        }
    }
}

/// There is no such file.
pub fn not_there(pid: i32) -> SysError {
    let why = format!("no task of the program has the number {pid}: there is no /proc/{pid}");
    SysError::with(Errno::ENOENT, "proc_pid_lookup", why)
}
