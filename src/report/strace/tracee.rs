//! What a tracer knows of one task.
//!
//! Linux: strace's `struct tcb`. Left out: nothing that is printed.

use super::signals::signal;
use crate::abi::structs::SigInfo;
use crate::kernel::task::TaskStruct;
use std::collections::BTreeMap;
use std::fmt;

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// By exit(2), its own or its group's.
    Exited(i32),
    /// By a signal; whether that dumps core.
    Killed(i32, bool),
    /// Another thread of its process called execve(2) and has its pid now.
    Superseded(i32),
}

impl Fate {
    /// What an exit code says (`task->exit_code`, as wait(2) gives it).
    pub fn of_code(code: i32) -> Fate {
        match code & 0x7f {
            0 => Fate::Exited(code >> 8 & 0xff),
            sig => Fate::Killed(sig, code & 0x80 != 0),
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fate::Exited(code) => write!(f, "exited with {code}"),
            Fate::Killed(sig, false) => write!(f, "killed by {}", signal(*sig)),
            Fate::Killed(sig, true) => write!(f, "killed by {} (core dumped)", signal(*sig)),
            Fate::Superseded(pid) => write!(f, "superseded by execve in pid {pid}"),
        }
    }
}

/// A call that has not returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenCall {
    pub nr: u32,
    pub args: [u64; 6],
    /// How many arguments are printed.
    pub said: usize,
    /// Whether the comma behind them is.
    pub comma: bool,
    /// The task's time in the kernel before, in ns.
    pub stime: u64,
}

/// A task that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tracee {
    pub pid: i32,
    /// The pid it began with; execve of a thread gives it the leader's.
    pub first_pid: i32,
    pub tgid: i32,
    pub open: Option<OpenCall>,
    /// How it will end, where that is known before.
    pub fate: Option<Fate>,
    /// Signals sent and not yet delivered.
    pub sent: BTreeMap<i32, SigInfo>,
    /// Signals that were dropped and not yet told.
    pub ignored: Vec<SigInfo>,
}

impl Tracee {
    pub fn new(t: &TaskStruct) -> Tracee {
        Tracee {
            pid: t.pid,
            first_pid: t.pid,
            tgid: t.tgid,
            open: None,
            fate: None,
            sent: BTreeMap::new(),
            ignored: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_say_how_it_ended() {
        let all = [0x300, 15, 0x8b].map(|code| Fate::of_code(code).to_string());
        assert_eq!(all, ["exited with 3", "killed by SIGTERM", "killed by SIGSEGV (core dumped)"]);
        assert_eq!(Fate::Superseded(7).to_string(), "superseded by execve in pid 7");
    }
}
