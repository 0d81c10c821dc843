//! Groups, sessions, parents, and waiting.
//!
//! Left out: waiting without WNOHANG for somebody who may live.

use super::{Around, call, tried};
use crate::oracle::fuzz::features::Feature;
use crate::oracle::fuzz::program::{Call, Form};

/// Groups, sessions, parents, limits.
pub(super) fn process(a: &mut Around) -> Call {
    match a.below(14) {
        0 => call(Form::Plain, a.pick(&["getpid", "getppid", "getpgrp", "gettid"]) as _, []),
        1 => tried("getsid", [a.who()]),
        2 | 3 => tried("getpgid", [a.who()]),
        4..=7 => {
            let (pid, group) = (a.who(), a.who());
            tried("setpgid", [pid, group])
        }
        8 => tried("setsid", []),
        9 if a.has(Feature::Limits) => {
            // Raising a hard limit again is up to the sandbox's root, and others
            // have counts that are the host's own.
            let (which, limit) = match a.below(3) {
                0 => ("RLIMIT_NOFILE", "5"),
                1 => ("RLIMIT_SIGPENDING", "0"),
                _ => ("RLIMIT_FSIZE", "5"),
            };
            match a.below(6) {
                0 => tried("setrlimit", [which, "9", "2"]),
                1 => tried("setrlimit", [a.pick(&["16", "-1", "99"]), "1", "1"]),
                2 => tried("setrlimit", [which, "0", limit]),
                _ => tried("setrlimit", [which, limit, limit]),
            }
        }
        10 if a.has(Feature::Unshare) => tried(
            "unshare",
            [a.pick(&[
                "CLONE_FILES",
                "CLONE_FS",
                "CLONE_FS | CLONE_FILES",
                "CLONE_SYSVSEM",
                "0",
                "CLONE_SIGHAND",
                "CLONE_VM",
                "CLONE_PARENT",
                "CLONE_THREAD",
            ])],
        ),
        11 => tried("umask", [a.pick(&["0", "022", "0o22", "0o777", "-1"])]),
        12 if a.has(Feature::Sleep) => match a.below(3) {
            0 => tried("nanosleep", [a.pick(&["1", "1000", "0"])]),
            1 => {
                tried("clock_nanosleep", ["CLOCK_MONOTONIC", a.pick(&["TIMER_ABSTIME", "0"]), "1"])
            }
            _ => tried("clock_nanosleep", [a.pick(&["99", "-1", "CLOCK_REALTIME"]), "0", "1"]),
        },
        _ => call(Form::Plain, a.pick(&["getpid", "getppid", "getpgrp"]) as _, []),
    }
}

const OPTIONS: &[&str] = &[
    "WNOHANG",
    "WNOHANG",
    "WNOHANG | WUNTRACED",
    "WNOHANG | WCONTINUED",
    "WNOHANG | WUNTRACED | WCONTINUED",
    "WNOHANG | __WALL",
    "WNOHANG | __WCLONE",
    "WNOHANG | __WNOTHREAD",
    "WNOHANG | WNOWAIT",
    "WNOHANG | WEXITED",
    "WNOHANG | 64",
    "WNOHANG | __WALL | __WCLONE",
];
const ID_OPTIONS: &[&str] = &[
    "WEXITED",
    "WEXITED",
    "WEXITED | WNOWAIT",
    "WSTOPPED",
    "WCONTINUED",
    "WEXITED | WSTOPPED | WCONTINUED",
    "WSTOPPED | WNOWAIT",
    "WCONTINUED | WNOWAIT",
    "0",
    "WNOWAIT",
    "WEXITED | __WALL",
    "WEXITED | __WCLONE",
    "WEXITED | __WNOTHREAD",
    "WEXITED | 64",
];

/// Waiting.
pub(super) fn wait(a: &mut Around) -> Call {
    match a.below(10) {
        0..=4 => {
            let pid = a.pick(&[
                "-1",
                "-1",
                "-1",
                "c",
                "c",
                "0",
                "-c",
                "getpid()",
                "1",
                "-2147483648",
                "60000",
            ]);
            tried("waitpid", [pid, a.pick(OPTIONS)])
        }
        5 | 6 => {
            let options = format!("{} | WNOHANG", a.pick(ID_OPTIONS));
            let (which, id) = match a.below(6) {
                0 | 1 => ("P_ALL", a.pick(&["0", "c", "-1"])),
                2 | 3 => ("P_PID", a.pick(&["c", "c", "0", "-1", "getpid()"])),
                4 => ("P_PGID", a.pick(&["0", "c", "-1", "getpgrp()"])),
                _ => (a.pick(&["P_PIDFD", "4", "-1"]), a.pick(&["0", "-1", "99"])),
            };
            call(Form::Via("seen"), "waitid", [which, id, &options])
        }
        7 if a.has(Feature::Pidfd) => {
            if a.rarely(2) {
                let pid = a.who();
                return call(
                    Form::Let("pf0"),
                    "pidfd_open",
                    [pid, a.pick(&["0", "0", "O_NONBLOCK", "1"])],
                );
            }
            let options = format!("{} | WNOHANG", a.pick(ID_OPTIONS));
            call(Form::Via("seen"), "waitid", ["P_PIDFD", "pf0", &options])
        }
        // For whoever is stopped and was told to go on.
        8 => tried("waitpid", ["c", a.pick(&["WNOHANG", "WNOHANG | WUNTRACED"])]),
        // It only returns at once if nobody lives.
        _ if a.rarely(6) => tried("waitpid", ["-1", "0"]),
        _ => tried("waitpid", ["-1", "WNOHANG"]),
    }
}
