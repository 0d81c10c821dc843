//! Director style: the caller says which task does what, one step at a time.
//!
//! Linux: none; a director is what a scheduler and a set of programs are
//! together. Left out: choosing; see the scheduler.

use super::stepping;
use crate::kernel::entry::{self, CannotAct, Entered, UserFault};
use crate::kernel::error::{Oops, SysError};
use crate::kernel::mm::uaccess;
use crate::kernel::syscalls::{Call, Out};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::UserOp;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The call returned: RAX, and what it stored.
    Returned(i64, Out),
    /// The task sleeps in the call; [`System::take_finished`] has the result later.
    Blocked,
    /// A signal handler runs first; the call is made again after it.
    Interrupted,
    /// The task was stopped on its way out of the call.
    Stopped,
    /// The task died in the call.
    Dead,
}

/// Why a step could not be made or was refused: the four kinds of trouble.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The kernel refused the call.
    #[error(transparent)]
    Refused(#[from] SysError),
    /// The task cannot act now.
    #[error(transparent)]
    CannotAct(#[from] CannotAct),
    /// The operation ended in a signal.
    #[error(transparent)]
    Fault(UserFault),
    /// The simulated kernel is broken.
    #[error(transparent)]
    Oops(#[from] Oops),
}

/// How a call that had slept ended: RAX and what it stored, or the refusal.
pub type Ended = Result<(i64, Out), SysError>;

impl System {
    /// Lets `task` make a system call.
    pub fn call(&mut self, task: TaskId, call: Call) -> Result<Done, Trouble> {
        self.still_sound()?;
        self.kernel.new_task = None;
        self.kernel.born.clear();
        let program = stepping::step_aside(self, task, call.nr);
        let entered = entry::syscall(self, task, call);
        self.still_sound()?;
        if let Some(regs) = program {
            stepping::go_back(self, task, &regs, matches!(entered, Ok(Entered::Done(_))));
        }
        match entered? {
            Entered::Done(o) => match o.error {
                Some(e) => Err(Trouble::Refused(e)),
                None => Ok(Done::Returned(o.ret, o.out)),
            },
            Entered::Blocked => Ok(Done::Blocked),
            Entered::Interrupted => Ok(Done::Interrupted),
            Entered::Stopped => Ok(Done::Stopped),
            Entered::Dead => Ok(Done::Dead),
        }
    }

    /// Lets `task` execute a user-mode operation; gives the value loaded.
    pub fn op(&mut self, task: TaskId, op: UserOp) -> Result<u64, Trouble> {
        self.still_sound()?;
        let result = entry::user_op(self, task, op);
        self.still_sound()?;
        result?.map_err(Trouble::Fault)
    }

    /// The result of a call that slept and has ended since, once. It is kept
    /// until the task makes its next call.
    pub fn take_finished(&mut self, task: TaskId) -> Option<Result<(i64, Out), SysError>> {
        Some(self.take_ended(task)?.1)
    }

    /// The same with the number of the call, which [`System::last_call`] gave
    /// when it was made: a handler may make calls while another one waits for
    /// it to return.
    pub fn take_ended(&mut self, task: TaskId) -> Option<(u64, Ended)> {
        // Looked at first: a write copies what is shared with snapshots.
        if self.kernel.tasks.get(task)?.finished.is_empty() {
            return None;
        }
        let (serial, o) = self.kernel.tasks.get_mut(task)?.finished.remove(0);
        Some((serial, o.error.map_or(Ok((o.ret, o.out)), Err)))
    }

    /// The number of the call made last.
    pub fn last_call(&self) -> u64 {
        self.kernel.calls_made
    }

    /// The task made by the last call, with its pidfd if it got one.
    pub fn new_task(&self) -> Option<(TaskId, Option<i32>)> {
        self.kernel.new_task
    }

    /// The task that `creator` has made since the last call began.
    pub fn new_task_of(&self, creator: TaskId) -> Option<(TaskId, Option<i32>)> {
        let (_, made) = self.kernel.born.iter().find(|(by, _)| *by == creator)?;
        let pidfd = self.kernel.new_task.filter(|(task, _)| task == made).and_then(|n| n.1);
        Some((*made, pidfd))
    }

    /// Reads bytes of a task's memory as the kernel would for it. Page faults
    /// happen as for the task itself.
    ///
    /// Errors: EFAULT.
    pub fn peek(&mut self, task: TaskId, addr: u64, bytes: &mut [u8]) -> Result<(), SysError> {
        uaccess::copy_from_user(self, task, addr, bytes)
    }

    /// `Err` once the simulated kernel is broken.
    pub fn still_sound(&self) -> Result<(), Oops> {
        match &self.kernel.oops {
            Some(oops) => Err(oops.clone()),
            None => Ok(()),
        }
    }
}
