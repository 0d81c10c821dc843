//! What came of a run: what one can see of it from outside.
//!
//! Left out: memory of those that are left, and times.

use std::fmt;

use super::stuck::waits_for;
use crate::abi::nr::syscall_name;
use crate::abi::structs::WaitStatus;
use crate::kernel::task::TaskId;
use crate::session::program::Programs;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// All programs have ended.
    Finished,
    /// Those that are left sleep, and nobody is there to wake them.
    Stuck,
    /// It comes back to where it was, and so may go on for ever.
    Endless,
    /// It was not followed further.
    Cut,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Finished => "finished",
            End::Stuck => "stuck",
            End::Endless => "endless",
            End::Cut => "cut",
        })
    }
}

/// What came of a run. Two runs with the same outcome look the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Outcome {
    /// What was written to the console.
    pub output: String,
    /// The first process's wait status, if it has ended.
    pub status: Option<i32>,
    /// How it ended.
    pub end: End,
    /// The processes that are left, as a tree: a line each.
    pub left: Vec<String>,
    /// Errors that nobody caught, in alphabetical order.
    pub crashes: Vec<String>,
}

impl Outcome {
    /// Reads it off. `first` is the pid of the first process.
    pub fn of(programs: &Programs, first: i32, end: End) -> Outcome {
        let mut crashes: Vec<String> =
            programs.crashes.iter().map(|c| c.message.to_string()).collect();
        crashes.sort_unstable();
        Outcome {
            output: String::from_utf8_lossy(&programs.system.kernel.console).into_owned(),
            status: programs.ended.iter().find(|e| e.pid == first).map(|e| e.status),
            end,
            left: tree(programs),
            crashes,
        }
    }

    /// The code of the first process as a shell gives it; `None` if it has not
    /// ended.
    pub fn exit(&self) -> Option<i64> {
        Some(match WaitStatus::decode(self.status?) {
            WaitStatus::Exited(code) => i64::from(code),
            WaitStatus::Signaled(sig, _) => 128 + i64::from(sig),
            _ => return None,
        })
    }
}

/// The tasks that are left below init, children below their parents.
fn tree(programs: &Programs) -> Vec<String> {
    let sys = &programs.system;
    let mut left: Vec<TaskId> = programs.bodies().map(|(task, _)| task).collect();
    // The dead that nobody has waited for.
    let mut seen = 0;
    while let Some(task) = left.get(seen).copied() {
        seen += 1;
        for child in sys.task(task).notable_children.values() {
            if sys.task(*child).is_dead() && !left.contains(child) {
                left.push(*child);
            }
        }
    }
    left.sort_unstable_by_key(|task| sys.task(*task).pid);
    let below = |task: TaskId| {
        let t = sys.task(task);
        let up = if t.is_group_leader() { t.real_parent } else { t.group_leader };
        left.contains(&up).then_some(up)
    };
    let mut lines = Vec::new();
    let mut stack: Vec<(TaskId, usize)> =
        left.iter().rev().filter(|t| below(**t).is_none()).map(|t| (*t, 0)).collect();
    while let Some((task, depth)) = stack.pop() {
        lines.push(format!("{}{}", "  ".repeat(depth), describe(programs, task)));
        let children = left.iter().rev().filter(|t| below(**t) == Some(task));
        stack.extend(children.map(|t| (*t, depth + 1)));
    }
    lines
}

/// A task in words, and what it waits for.
fn describe(programs: &Programs, task: TaskId) -> String {
    let t = programs.system.task(task);
    let who = match programs.body(task) {
        Some(body) => format!("process {} (pid {}, {})", body.number, t.pid, t.state_char()),
        None => format!("pid {} ({})", t.pid, t.state_char()),
    };
    match &t.resume {
        Some(r) => {
            let name = syscall_name(u64::from(r.call.nr)).unwrap_or("?");
            let waits = waits_for(programs, task, r);
            match r.origin.line {
                0 => format!("{who} in {name}: {waits}"),
                line => format!("{who} in {name}, line {line}: {waits}"),
            }
        }
        None => who,
    }
}
