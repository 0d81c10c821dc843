//! Policies, priorities, nice values.
//!
//! Left out: what depends on the host's processors and ticks: slices, masks.

use super::{Around, call, tried};
use crate::oracle::fuzz::features::Feature;
use crate::oracle::fuzz::program::{Call, Form};

const POLICIES: &[&str] = &[
    "SCHED_NORMAL",
    "SCHED_NORMAL",
    "SCHED_BATCH",
    "SCHED_BATCH",
    "SCHED_IDLE",
    "SCHED_FIFO",
    "SCHED_RR",
    "SCHED_DEADLINE",
    "SCHED_BATCH | SCHED_RESET_ON_FORK",
    "SCHED_NORMAL | SCHED_RESET_ON_FORK",
    "SCHED_IDLE | SCHED_RESET_ON_FORK",
    "4",
    "7",
    "-1",
];
const PRIORITIES: &[&str] = &["0", "0", "0", "0", "1", "99", "100", "-1"];
const NICE: &[&str] = &["-21", "-1", "0", "1", "3", "5", "10", "19", "40"];
const PRIO_FLAGS: &[&str] =
    &["0", "0", "0", "1", "2", "4", "8", "8", "0x10", "0x11", "0x20", "0x80"];

/// A call on how tasks are scheduled.
pub(super) fn scheduling(a: &mut Around) -> Call {
    if !a.has(Feature::Scheduling) {
        return call(Form::Plain, "getpid", []);
    }
    match a.below(14) {
        0 | 1 => {
            let (which, who) = whom(a);
            tried("getpriority", [which, who])
        }
        2..=4 => {
            let (which, who) = whom(a);
            tried("setpriority", [which, who, a.pick(NICE)])
        }
        5 => tried("nice", [a.pick(&["-1", "0", "1", "4", "50"])]),
        6..=8 => {
            let (who, policy, priority) = (a.who(), a.pick(POLICIES), a.pick(PRIORITIES));
            tried("sched_setscheduler", [who, policy, priority])
        }
        9 => tried("sched_getscheduler", [a.who()]),
        10 => {
            let (who, priority) = (a.who(), a.pick(PRIORITIES));
            tried("sched_setparam", [who, priority])
        }
        11 => tried("sched_getparam", [a.who()]),
        12 => {
            let (policy, flags, nice) = (a.pick(POLICIES), a.pick(PRIO_FLAGS), a.pick(NICE));
            let size = a.pick(&["56", "56", "48", "47", "0", "100", "4097"]);
            let attr = format!("#{{policy: {policy}, flags: {flags}, nice: {nice}, size: {size}}}");
            tried("sched_setattr", [a.who(), &attr])
        }
        _ => {
            let name =
                if a.rarely(2) { "sched_get_priority_max" } else { "sched_get_priority_min" };
            tried(name, [a.pick(POLICIES)])
        }
    }
}

/// Whose nice value.
fn whom(a: &mut Around) -> (&'static str, &'static str) {
    match a.below(8) {
        0 => ("PRIO_PGRP", a.pick(&["0", "c", "getpgrp()", "60000"])),
        1 => ("PRIO_USER", a.pick(&["1000", "1001", "4242"])),
        2 => (a.pick(&["3", "-1"]), "0"),
        _ => ("PRIO_PROCESS", a.who()),
    }
}
