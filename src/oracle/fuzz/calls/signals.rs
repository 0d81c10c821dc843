//! Dispositions, masks, waiting for signals, and sending them.
//!
//! Left out: handlers of SIGSEGV that return: the access comes back for ever.

use super::{Around, SIGNALS, call, tried};
use crate::oracle::fuzz::features::Feature;
use crate::oracle::fuzz::program::{Call, Form};

const ACTIONS: &[&str] = &[
    "SIG_IGN",
    "SIG_DFL",
    "on_signal",
    "on_signal",
    "on_signal",
    "on_mask",
    "on_raise",
    "on_child",
    "on_exit",
];
const FLAGS: &[&str] = &[
    "0",
    "SA_RESTART",
    "SA_NODEFER",
    "SA_RESETHAND",
    "SA_RESETHAND | SA_NODEFER",
    "SA_NOCLDWAIT",
    "SA_NOCLDSTOP",
    "SA_NOCLDSTOP | SA_NOCLDWAIT",
    "SA_SIGINFO",
    "SA_SIGINFO",
    "SA_SIGINFO | SA_RESTART",
    "SA_SIGINFO | SA_RESETHAND",
    "SA_RESTART | SA_NOCLDSTOP",
    "SA_ONSTACK",
];

/// Dispositions and masks; signals to itself.
pub(super) fn signal(a: &mut Around) -> Call {
    match a.below(22) {
        0..=2 => {
            let (sig, action) = (a.pick(SIGNALS), a.pick(ACTIONS));
            tried("sigaction", [sig, action])
        }
        3..=5 => {
            let (sig, mut action, flags) = (a.pick(SIGNALS), a.pick(ACTIONS), a.pick(FLAGS));
            if flags.contains("SA_SIGINFO") && a.rarely(2) {
                let queues = a.has(Feature::SigQueue) && a.rarely(4);
                action = if queues { "on_infos" } else { "on_info" };
            }
            let mask = a.set();
            let map = format!("#{{handler: {action}, flags: {flags}, mask: {mask}}}");
            tried("sigaction_with", [sig, &map])
        }
        6 => tried(
            "sigaction",
            [
                a.pick(&["SIGKILL", "SIGSTOP", "65", "0", "SIGSEGV"]),
                a.pick(&["SIG_IGN", "on_exit", "SIG_DFL"]),
            ],
        ),
        7..=9 => {
            let how = a.pick(&["SIG_BLOCK", "SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK", "7"]);
            let set = match a.rarely(10) {
                true => "[SIGKILL, SIGSTOP, SIGUSR1]".to_string(),
                false => a.set(),
            };
            tried("sigprocmask", [how, &set])
        }
        10 => tried("sigpending", []),
        11..=13 => {
            let sig = a.pick(SIGNALS);
            tried("kill", ["getpid()", sig])
        }
        14 => {
            let sig = a.pick(&["SIGUSR1", "SIGUSR2", "34", "65", "0", "-1", "SIGCHLD"]);
            match a.below(3) {
                0 if a.rarely(4) => tried("tgkill", [a.who(), a.who(), sig]),
                0 => tried("tgkill", ["getpid()", "gettid()", sig]),
                _ => tried(
                    "tkill",
                    [a.pick(&["gettid()", "gettid()", "0", "-1", "c", "60000"]), sig],
                ),
            }
        }
        15 | 16 if a.has(Feature::SigQueue) => {
            let value = a.below(100).to_string();
            let who = a.pick(&["getpid()", "getpid()", "getpid()", "c", "60000"]);
            tried(
                "sigqueue",
                [
                    who,
                    a.pick(&["34", "34", "35", "SIGUSR1", "SIGUSR2", "SIGCHLD", "0", "65"]),
                    &value,
                ],
            )
        }
        17 if a.has(Feature::SigWait) => {
            let set = a.set();
            call(Form::Via("info"), "sigtimedwait", [&set, a.pick(&["0", "0", "0", "1000", "-1"])])
        }
        18 if a.has(Feature::AltStack) => {
            if a.rarely(3) {
                return call(Form::Via("alt"), "sigaltstack", []);
            }
            let at = a.pick(&["0x10000", "0", "4096"]);
            let size = a.pick(&["8192", "2047", "2048", "1"]);
            call(Form::Via("alt"), "sigaltstack", [&format!("m0 + {at}"), size])
        }
        20 | 21 if a.has(Feature::Alarm) && a.has(Feature::SigWait) => alarm(a),
        // Sleeps, unless a signal is there already.
        19 if a.rarely(6) => {
            let set = a.set();
            tried("sigsuspend", [&set])
        }
        _ => tried("sigpending", []),
    }
}

/// The interval timer. One that fires does so a while later, when somebody waits
/// for it.
fn alarm(a: &mut Around) -> Call {
    let which = a.pick(&["ITIMER_REAL", "ITIMER_REAL", "ITIMER_REAL", "ITIMER_REAL", "7"]);
    match a.below(8) {
        0 => tried("alarm", [a.pick(&["0", "0", "1", "2"])]),
        1 => call(Form::Via("left"), "getitimer", [which]),
        2 => call(Form::Via("left"), "setitimer", [which, a.pick(&["0", "900_000_000"]), "0"]),
        3 => call(Form::Via("rings"), "setitimer", [which, "30_000_000", "0"]),
        // A tracer would stop it at each of the later signals.
        4 if !a.traced => {
            call(Form::Via("ring"), "setitimer", [which, "30_000_000", "800_000_000"])
        }
        _ => call(Form::Via("ring"), "setitimer", [which, "30_000_000", "0"]),
    }
}

/// Signals to others.
pub(super) fn kill(a: &mut Around) -> Call {
    let harmless = ["0", "SIGURG", "SIGCONT", "SIGWINCH", "SIGCHLD", "65", "-1"];
    match a.below(12) {
        0..=3 => {
            let who = a.who();
            tried("kill", [who, a.pick(&harmless)])
        }
        4..=6 => {
            // The last child is dead or stopped, mostly.
            let sig = a.pick(&[
                "SIGCONT", "SIGCONT", "SIGKILL", "SIGTERM", "SIGUSR1", "SIGSTOP", "0", "34",
            ]);
            tried("kill", ["c", sig])
        }
        7 => {
            tried("kill", ["getppid()", a.pick(&["0", "SIGURG", "SIGUSR1", "SIGCONT", "SIGUSR2"])])
        }
        8 => tried("kill", [a.pick(&["0", "-c"]), a.pick(&["0", "SIGURG", "SIGCONT", "SIGUSR1"])]),
        9 if a.has(Feature::Pidfd) => match a.below(3) {
            0 => call(Form::Let("pf0"), "pidfd_open", [a.who(), "0"]),
            _ => tried(
                "pidfd_send_signal",
                ["pf0", a.pick(&["0", "SIGCONT", "SIGTERM", "65", "SIGUSR1"])],
            ),
        },
        10 if a.has(Feature::SigQueue) => {
            tried("sigqueue", [a.who(), a.pick(&["0", "SIGURG", "65"]), "1"])
        }
        _ => tried("kill", ["c", a.pick(&harmless)]),
    }
}
