//! Where the host differs from the model for a reason: the one list of it.
//!
//! Random programs do without these things, or print nothing of them; whoever
//! compares a program of their own finds here what a difference may mean. Where
//! it can be said which part of which call it is, comparing call by call passes
//! over it.
//!
//! Left out: what the host refuses by name; that is no difference.

use std::fmt::Write;

/// A difference that is no mistake of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variation {
    /// What differs.
    pub what: &'static str,
    /// Why.
    pub reason: &'static str,
    /// The parts of calls that are not compared.
    pub parts: &'static [(Part, &'static [&'static str])],
}

/// A part of what a call gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What it returns when it succeeds.
    Value,
    /// What it stores.
    Stored,
    /// Of a wait status and `si_code`, whether there is a core.
    Core,
    /// Of what it stores, an address.
    Address,
    /// Of what it stores, a text.
    Text,
}

/// Calls that give wait statuses.
const WAITS: &[&str] = &["wait4", "waitid", "siginfo"];

/// Whether a part of a call may differ. A limit counts as a call: RLIMIT_CORE.
pub fn varies(call: &str, part: Part) -> bool {
    let mut parts = VARIATIONS.iter().flat_map(|v| v.parts);
    parts.any(|(p, calls)| *p == part && calls.contains(&call))
}

/// All that are known.
pub const VARIATIONS: &[Variation] = &[
    Variation {
        what: "addresses that mmap chooses",
        reason: "they depend on what else is mapped: the host's process is not the model's",
        parts: &[(Part::Value, &["mmap", "mremap", "brk"])],
    },
    Variation {
        what: "which pid each of two children gets when their makers run at the same time",
        reason: "pids are given in the order of the forks; they are compared by order of appearance",
        parts: &[],
    },
    Variation {
        what: "capabilities over the host: hard limits, RLIMIT_NPROC and RLIMIT_MEMLOCK of root, ids above 65535",
        reason: "root of the sandbox is root of a user namespace; these need the initial one",
        parts: &[(Part::Stored, &["RLIMIT_NPROC", "RLIMIT_MEMLOCK"])],
    },
    Variation {
        what: "core dumps: WCOREDUMP and RLIMIT_CORE",
        reason: "the sandbox sets the limit so that no core is written on the host",
        parts: &[(Part::Core, WAITS), (Part::Stored, &["RLIMIT_CORE"])],
    },
    Variation {
        what: "si_code, si_status and uid in what wait4 gives",
        reason: "wait4(2) tells pid and status only; waitid(2) tells the others",
        parts: &[],
    },
    Variation {
        what: "orphaned process groups of process 1's own children",
        reason: "process 1 of a pid namespace is not the global init, which is_orphaned_pgrp looks for",
        parts: &[],
    },
    Variation {
        what: "set_tid with more than one number",
        reason: "the sandbox is one pid namespace deeper than the model",
        parts: &[],
    },
    Variation {
        what: "sigaltstack of size 0 without SS_DISABLE, before anything was set",
        reason: "it succeeds when nothing changes, and the flags come from whoever started us",
        parts: &[],
    },
    Variation {
        what: "nice values, where forkyard itself was started with another one than 0",
        reason: "going back to 0 needs CAP_SYS_NICE in the initial user namespace",
        parts: &[],
    },
    Variation {
        what: "RLIMIT_SIGPENDING other than 0",
        reason: "signals of the sandbox's own processes count too",
        parts: &[(Part::Stored, &["RLIMIT_SIGPENDING"])],
    },
    Variation {
        what: "what happens between the parts of one system call other than exit",
        reason: "a call is one step in the model; on Linux vfork(2) returns in the parent before its child's execve(2) has closed descriptors",
        parts: &[],
    },
    Variation {
        what: "signals that a thread group ignores and one of its threads has a tracer",
        reason: "between two calls the host's tasks block all signals, and a blocked signal is not dropped; the tracer sees it",
        parts: &[],
    },
    Variation {
        what: "which thread takes a signal for its group that comes between two calls of another",
        reason: "a task of the host takes signals for a while before its call, in which others run; in the model only with it",
        parts: &[],
    },
    Variation {
        what: "descriptors 0 to 2",
        reason: "they are the console in the model, /dev/null and a pipe on the host",
        parts: &[],
    },
    Variation {
        what: "how long an orphan that has died stays",
        reason: "process 1 reaps at once in the model, a moment later on the host",
        parts: &[],
    },
    Variation {
        what: "files other than those below /tmp, terminals, /dev/null and /dev/zero",
        reason: "the sandbox has a small tree in memory",
        parts: &[],
    },
    Variation {
        what: "when what is written to one side of a terminal can be read at the other, or signals",
        reason: "a worker of Linux passes the bytes on, soon; in the model the write does",
        parts: &[],
    },
    Variation {
        what: "how many bytes a terminal takes that nobody reads",
        reason: "Linux counts the buffers in which they lie",
        parts: &[],
    },
    Variation {
        what: "times and usage: clocks, rusage",
        reason: "the model's time is virtual",
        parts: &[
            (Part::Value, &["times", "time"]),
            (Part::Stored, &["clock_gettime", "getrusage", "nanosleep", "clock_nanosleep"]),
        ],
    },
    Variation {
        what: "what is left of an interval timer (getitimer, setitimer); whether something is, counts",
        reason: "the model's time is virtual",
        parts: &[],
    },
    Variation {
        what: "the bytes of getrandom; only how many there are is compared",
        reason: "the model's follow from its seed, the host's from nothing",
        parts: &[(Part::Stored, &["getrandom"])],
    },
    Variation {
        what: "the status of process 1 of a pid namespace that an uncaught error ends",
        reason: "it cannot abort: on the host it exits with 134, in the model SIGABRT is forced on it",
        parts: &[],
    },
    Variation {
        what: "how often a process looks that waits by looking again and again",
        reason: "the host's scheduler decides it; such a loop counts once",
        parts: &[],
    },
    Variation {
        what: "the last answer of a process that is killed",
        reason: "on the host it may die before it can say what it was told",
        parts: &[],
    },
    Variation {
        what: "where the alternate stack of sigaltstack lies that was set before",
        reason: "addresses depend on what else is mapped",
        parts: &[(Part::Address, &["sigaltstack"])],
    },
    Variation {
        what: "the name of the first program (PR_GET_NAME)",
        reason: "it is init's in the model, the sandbox's on the host, until an execve",
        parts: &[(Part::Text, &["prctl"])],
    },
    Variation {
        what: "processors: sched_getaffinity",
        reason: "the host has as many as it has",
        parts: &[(Part::Value, &["sched_getaffinity"]), (Part::Stored, &["sched_getaffinity"])],
    },
    Variation {
        what: "the slice of a fair task in sched_getattr, and sched_rr_get_interval of one",
        reason: "the base slice grows with the number of processors, and HZ is the host's",
        parts: &[(Part::Stored, &["sched_getattr", "sched_rr_get_interval"])],
    },
];

/// The list in words.
pub fn text() -> String {
    let mut text = String::new();
    for v in VARIATIONS {
        let _ = writeln!(text, "- {}\n  {}", v.what, v.reason);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::nr::syscall_number;

    #[test]
    fn parts_are_those_of_calls_that_there_are() {
        for (_, calls) in VARIATIONS.iter().flat_map(|v| v.parts) {
            for call in *calls {
                let limit = call.starts_with("RLIMIT_");
                assert!(limit || *call == "siginfo" || syscall_number(call).is_some(), "{call}");
            }
        }
        assert!(varies("mmap", Part::Value) && !varies("mmap", Part::Stored));
        assert!(!varies("getpid", Part::Value));
    }
}
