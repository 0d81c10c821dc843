//! `Task`: a script's handle to a task_struct. It holds a name, not a copy:
//! fields are read when they are asked for, and a handle to a task that was
//! reaped says so.
//!
//! Left out: the fields (`task_fields`), what a task can do (`process` and
//! its siblings).

use std::fmt;

use rhai::INT;

use super::code::next_insn;
use super::registry::{Book, Raised, functions};
use super::world::Machine;
use crate::base::Id;
use crate::kernel::entry::code::user_regs;
use crate::kernel::pid;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskStruct};
use crate::script::errors::ScriptError;

/// A task of a machine.
#[derive(Clone)]
pub struct Task {
    machine: Machine,
    id: TaskId,
    /// Its number in the initial namespace, for when it is gone.
    pid: i32,
}

impl Task {
    pub(super) fn new(machine: Machine, id: TaskId, pid: i32) -> Task {
        Task { machine, id, pid }
    }

    /// A handle to a task that no longer exists.
    pub(super) fn gone(machine: Machine, pid: i32) -> Task {
        Task { machine, id: Id::from_bits(u64::MAX), pid }
    }

    fn is_nobody(&self) -> bool {
        self.id == Id::from_bits(u64::MAX)
    }

    /// The machine it runs on.
    pub(super) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Its name in the kernel.
    pub(super) fn id(&self) -> TaskId {
        self.id
    }

    /// Its number in the initial namespace, also when it is gone.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// Its number now: exec by a thread that does not lead gives it the
    /// leader's. When it is gone, the last one known.
    pub(super) fn pid_now(&self) -> i32 {
        self.machine.read(|sys| sys.kernel.tasks.get(self.id).map_or(self.pid, |t| t.pid))
    }

    /// The error for using it after it was reaped.
    pub(super) fn no_longer(&self) -> ScriptError {
        ScriptError::Usage {
            message: format!("task {} no longer exists: it was reaped", self.pid),
            help: Some("a parent's wait frees the task_struct; look at it before that".into()),
        }
    }

    /// Looks at its task_struct.
    pub(super) fn read<R>(
        &self,
        look: impl FnOnce(&System, &TaskStruct) -> R,
    ) -> Result<R, ScriptError> {
        self.machine.read(|sys| match sys.kernel.tasks.get(self.id) {
            Some(t) => Ok(look(sys, t)),
            None => Err(self.no_longer()),
        })
    }

    /// The same, for functions the engine calls.
    pub(super) fn field<R>(&self, look: impl FnOnce(&System, &TaskStruct) -> R) -> Raised<R> {
        Ok(self.read(look)?)
    }

    /// Whether it exists.
    pub(super) fn exists(&self) -> bool {
        self.machine.read(|sys| sys.kernel.tasks.contains(self.id))
    }

    /// The number of `other` as this task sees it; 0 when it does not. The
    /// number of a reaped task stays what it was.
    pub(super) fn sees(&self, other: &Task) -> Result<i32, ScriptError> {
        if !self.machine.is(&other.machine) {
            return Err(ScriptError::usage(format!(
                "task {} and task {} run on different machines",
                self.pid, other.pid
            )));
        }
        Ok(self.machine.read(|sys| {
            let (Some(_), Some(_)) =
                (sys.kernel.tasks.get(self.id), sys.kernel.tasks.get(other.id))
            else {
                return other.pid;
            };
            let ns = pid::task_active_pid_ns(sys, self.id);
            pid::task_pid_nr_ns(sys, other.id, pid::PidType::Pid, Some(ns))
        }))
    }

    /// The task that this one knows by a number, or a handle to one that is
    /// gone.
    pub(super) fn by_number(&self, nr: i32) -> Task {
        let found = self.machine.read(|sys| {
            sys.kernel.tasks.get(self.id)?;
            pid::find_task_by_vpid(sys, self.id, nr)
        });
        match found {
            Some(id) => self.machine.handle(id),
            None => Task::gone(self.machine.clone(), nr),
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.machine.read(|sys| match sys.kernel.tasks.get(self.id) {
            Some(t) => {
                write!(f, "task {} ({}) {}", t.pid, t.comm(), t.state_char())?;
                if t.code && !t.is_dead() && t.mm.is_some() {
                    let ip = user_regs(sys, self.id).ip;
                    write!(f, ": {}", next_insn(self, ip).brief())?;
                }
                Ok(())
            }
            None => write!(f, "task {} (reaped)", self.pid),
        })
    }
}

impl PartialEq for Task {
    fn eq(&self, other: &Task) -> bool {
        // exec may give a task another number, but not another task_struct.
        let same = self.id == other.id && (!self.is_nobody() || self.pid == other.pid);
        same && self.machine.is(&other.machine)
    }
}

/// A comparison that could only be a mistake: most often C's `if fork() == 0`.
fn no_number(task: &Task, operator: &str, n: INT) -> Raised<bool> {
    let message = format!("task {} is compared with the number {n}", task.pid());
    let help = match n {
        0 => "a task is a handle, never 0: what fork returns to the child is its `regs.ax`".into(),
        _ => format!("to compare its number: `t.pid {operator} {n}`"),
    };
    Err(ScriptError::Usage { message, help: Some(help) }.into())
}

/// Registers the type and its comparisons.
pub(super) fn register(book: &mut Book) {
    book.prints::<Task>("Task");
    functions! { book;
        /// Whether two handles mean the same task.
        "==(a: Task, b: Task) -> bool" => |a: Task, b: Task| a == b;
        /// Whether two handles mean different tasks.
        "!=(a: Task, b: Task) -> bool" => |a: Task, b: Task| a != b;
        /// Refused: a task is no number.
        "==(a: Task, b: int) -> bool" => |a: Task, n: INT| no_number(&a, "==", n);
        /// Refused: a task is no number.
        "!=(a: Task, b: int) -> bool" => |a: Task, n: INT| no_number(&a, "!=", n);
        /// Refused: a task is no number.
        "==(a: int, b: Task) -> bool" => |n: INT, b: Task| no_number(&b, "==", n);
        /// Refused: a task is no number.
        "!=(a: int, b: Task) -> bool" => |n: INT, b: Task| no_number(&b, "!=", n);
        /// Whether the task exists: false once it was reaped.
        "exists(t: Task) -> bool" => |t: &mut Task| t.exists();
    }
}
