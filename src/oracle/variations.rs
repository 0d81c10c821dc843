//! Where the host differs from the model for a reason: the one list of it.
//!
//! Random programs do without these things, or print nothing of them; whoever
//! compares a program of their own finds here what a difference may mean.
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
}

/// All that are known.
pub const VARIATIONS: &[Variation] = &[
    Variation {
        what: "addresses that mmap chooses",
        reason: "they depend on what else is mapped: the host's process is not the model's",
    },
    Variation {
        what: "which pid each of two children gets when their makers run at the same time",
        reason: "pids are given in the order of the forks; they are compared by order of appearance",
    },
    Variation {
        what: "capabilities over the host: hard limits, RLIMIT_NPROC and RLIMIT_MEMLOCK of root, ids above 65535",
        reason: "root of the sandbox is root of a user namespace; these need the initial one",
    },
    Variation {
        what: "core dumps: WCOREDUMP and RLIMIT_CORE",
        reason: "the sandbox sets the limit so that no core is written on the host",
    },
    Variation {
        what: "the uid in what wait4 gives",
        reason: "wait4(2) does not tell it; waitid(2) does",
    },
    Variation {
        what: "orphaned process groups of process 1's own children",
        reason: "process 1 of a pid namespace is not the global init, which is_orphaned_pgrp looks for",
    },
    Variation {
        what: "set_tid with more than one number",
        reason: "the sandbox is one pid namespace deeper than the model",
    },
    Variation {
        what: "sigaltstack of size 0 without SS_DISABLE, before anything was set",
        reason: "it succeeds when nothing changes, and the flags come from whoever started us",
    },
    Variation {
        what: "a process that is killed while it sleeps",
        reason: "it is dead at once in the model, a moment later on the host",
    },
    Variation {
        what: "RLIMIT_SIGPENDING other than 0",
        reason: "signals of the sandbox's own processes count too",
    },
    Variation {
        what: "descriptors 0 to 2",
        reason: "they are the console in the model, /dev/null and a pipe on the host",
    },
    Variation {
        what: "how long an orphan that has died stays",
        reason: "process 1 reaps at once in the model, a moment later on the host",
    },
    Variation {
        what: "files other than those below /tmp, /dev/null and /dev/zero",
        reason: "the sandbox has a small tree in memory",
    },
    Variation { what: "times and usage: clocks, rusage", reason: "the model's time is virtual" },
];

/// The list in words.
pub fn text() -> String {
    let mut text = String::new();
    for v in VARIATIONS {
        let _ = writeln!(text, "- {}\n  {}", v.what, v.reason);
    }
    text
}
