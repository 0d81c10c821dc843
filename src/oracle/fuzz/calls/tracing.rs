//! Requests of ptrace(2) out of place; signals to itself, which a tracer sees.
//!
//! Left out: process 1, whom the host's side does not trace; tracing that works:
//! `generate` places that.

use super::{Around, call, signals, tried};
use crate::oracle::fuzz::features::Feature;
use crate::oracle::fuzz::program::{Call, Form};

const REQUESTS: &[&str] = &[
    "PTRACE_CONT",
    "PTRACE_DETACH",
    "PTRACE_KILL",
    "PTRACE_INTERRUPT",
    "PTRACE_LISTEN",
    "PTRACE_SETOPTIONS",
    "PTRACE_GETEVENTMSG",
    "PTRACE_GETSIGINFO",
];

/// A request, or a signal.
pub(super) fn tracing(a: &mut Around) -> Call {
    if !a.has(Feature::Ptrace) {
        return call(Form::Plain, "getpid", []);
    }
    let who = a.pick(&["getpid()", "getpid()", "c", "60000", "0", "-2"]);
    match a.below(12) {
        0 | 1 => tried("ptrace", [a.pick(REQUESTS), who]),
        2 => tried("ptrace", [a.pick(&["PTRACE_ATTACH", "PTRACE_SEIZE"]), "getpid()"]),
        3 => tried("ptrace", ["PTRACE_SEIZE", who, a.pick(&["1", "8"])]),
        // Whoever waits for it hears of its signals first.
        4 if a.may_die && a.rarely(3) => tried("ptrace", ["PTRACE_TRACEME"]),
        _ => signals::signal(a),
    }
}
