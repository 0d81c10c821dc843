//! Ids, capabilities and prctl(2).
//!
//! Left out: what needs a capability over the host itself; see
//! `oracle::variations`.

use super::{Around, call, tried};
use crate::oracle::fuzz::features::Feature;
use crate::oracle::fuzz::program::{Call, Form};

const CAPS: &[&str] = &[
    "CAP_KILL",
    "CAP_SETUID",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_CHOWN",
    "CAP_SYS_RESOURCE",
    "CAP_NET_RAW",
];

fn caps(a: &mut Around) -> String {
    match a.below(4) {
        0 => "[]".to_string(),
        1 => format!("[{}]", a.pick(CAPS)),
        _ => format!("[{}, {}]", a.pick(CAPS), a.pick(CAPS)),
    }
}

/// Ids and capabilities.
pub(super) fn credentials(a: &mut Around) -> Call {
    match a.below(20) {
        0 if a.rarely(3) => {
            let flags = a.pick(&["0", "0", "1", "2", "4", "5", "6", "8", "-1"]);
            call(Form::Via("many"), "getrandom", [a.pick(&["0", "1", "7", "256", "5000"]), flags])
        }
        0 => call(
            Form::Plain,
            a.pick(&["getresuid", "getresgid", "getuid", "geteuid", "getgid", "getegid"]) as _,
            [],
        ),
        1 | 2 => tried("setuid", [a.id()]),
        3 => tried("setgid", [a.id()]),
        4 | 5 => {
            let (r, e) = (a.id(), a.id());
            tried("setreuid", [r, e])
        }
        6 => {
            let (r, e) = (a.id(), a.id());
            tried("setregid", [r, e])
        }
        7..=9 => {
            let (r, e, s) = (a.id(), a.id(), a.id());
            tried("setresuid", [r, e, s])
        }
        10 => {
            let (r, e, s) = (a.id(), a.id(), a.id());
            tried("setresgid", [r, e, s])
        }
        11 => tried("setfsuid", [a.id()]),
        12 => tried("setfsgid", [a.id()]),
        13 if a.has(Feature::Groups) => {
            let groups = match a.below(3) {
                0 => "[]".to_string(),
                1 => format!("[{}]", a.pick(&["0", "1000", "5"])),
                _ => format!("[{}, {}]", a.pick(&["7", "3"]), a.pick(&["1000", "5", "7"])),
            };
            tried("setgroups", [&groups])
        }
        14 if a.has(Feature::Groups) => tried("getgroups", []),
        15 if a.has(Feature::Caps) => {
            tried("capget", [a.pick(&["0", "0", "c", "getppid()", "-1", "60000"])])
        }
        16..=18 if a.has(Feature::Caps) => {
            let (e, p, i) = (caps(a), caps(a), caps(a));
            // What is effective must be permitted.
            let e = if a.rarely(3) { e } else { p.clone() };
            tried("capset", [&e, &p, &i])
        }
        _ => call(Form::Plain, a.pick(&["getresuid", "getresgid"]) as _, []),
    }
}

const OPTIONS: &[&str] = &[
    "PR_SET_CHILD_SUBREAPER, 1",
    "PR_SET_CHILD_SUBREAPER, 0",
    "PR_SET_KEEPCAPS, 1",
    "PR_SET_KEEPCAPS, 0",
    "PR_GET_KEEPCAPS, 0",
    "PR_SET_NO_NEW_PRIVS, 1",
    "PR_SET_NO_NEW_PRIVS, 0",
    "PR_GET_NO_NEW_PRIVS, 0",
    "PR_SET_DUMPABLE, 0",
    "PR_SET_DUMPABLE, 1",
    "PR_SET_DUMPABLE, 2",
    "PR_GET_DUMPABLE, 0",
    "PR_SET_PDEATHSIG, 65",
    "PR_SET_PDEATHSIG, SIGUSR1",
    "PR_SET_PDEATHSIG, 0",
    "PR_SET_KEEPCAPS, 2",
    "PR_GET_SECUREBITS, 0",
    "PR_SET_SECUREBITS, SECBIT_KEEP_CAPS",
    "PR_SET_SECUREBITS, SECBIT_NOROOT",
    "PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP",
    "PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED",
    "PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED",
    "PR_SET_SECUREBITS, 0",
    "PR_SET_SECUREBITS, 4096",
    "PR_CAPBSET_READ, CAP_KILL",
    "PR_CAPBSET_READ, CAP_SETUID",
    "PR_CAPBSET_READ, 99",
    "PR_CAPBSET_DROP, CAP_KILL",
    "PR_CAPBSET_DROP, CAP_SETUID",
    "PR_CAPBSET_DROP, 99",
    "PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL",
    "PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_KILL",
    "PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL",
    "PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0",
    "PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1",
    "PR_CAP_AMBIENT, 9, CAP_KILL",
    "PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 99",
];

/// prctl(2).
pub(super) fn prctl(a: &mut Around) -> Call {
    match a.below(12) {
        0 => tried("prctl", [a.pick(&["PR_GET_PDEATHSIG", "PR_GET_CHILD_SUBREAPER"]), "0"]),
        1 if a.has(Feature::TimerSlack) => tried(
            "prctl",
            [
                a.pick(&["PR_SET_TIMERSLACK", "PR_SET_TIMERSLACK", "PR_GET_TIMERSLACK"]),
                a.pick(&["0", "1", "50000"]),
            ],
        ),
        _ => {
            let args = a.pick(OPTIONS).split(", ").map(String::from).collect();
            Call { form: Form::Try, name: "prctl", args }
        }
    }
}
