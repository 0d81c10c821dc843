//! Terminals: opening, controlling, job control.
//!
//! Left out: typing, and reading what was written: Linux passes bytes on by a
//! worker of its own, whenever that runs. So all descriptors are O_NONBLOCK.

use super::{Around, call, tried};
use crate::oracle::fuzz::program::{Call, Form, Step};

/// A master, mostly, and a slave.
const MASTER: &str = "y0";
const SLAVE: &str = "y1";
const PATHS: &[&str] = &["\"/dev/pts/0\"", "\"/dev/pts/0\"", "\"/dev/tty\"", "\"/dev/pts/1\""];
const FLAGS: &[&str] = &[
    "O_RDWR | O_NONBLOCK",
    "O_RDWR | O_NONBLOCK",
    "O_RDWR | O_NONBLOCK | O_NOCTTY",
    "O_WRONLY | O_NONBLOCK",
    "O_RDONLY | O_NONBLOCK",
];

/// What a program about terminals begins with: a session that has one, or some
/// of that.
pub(in crate::oracle::fuzz) fn begin(a: &mut Around) -> Vec<Step> {
    let mut steps = vec![
        call(Form::Let(MASTER), "open", ["\"/dev/ptmx\"", "O_RDWR | O_NONBLOCK"]),
        call(Form::Silent, "try_unlockpt", [MASTER]),
    ];
    if !a.rarely(4) {
        steps.push(tried("setsid", []));
        let flags = a.pick(FLAGS);
        steps.push(call(Form::Let(SLAVE), "open", ["\"/dev/pts/0\"", flags]));
    }
    // Children that are stopped while nobody looks tell little.
    if a.rarely(3) {
        let sig = a.pick(&["SIGTTIN", "SIGTTOU", "SIGHUP"]);
        steps.push(tried("signal", [sig, "SIG_IGN"]));
    }
    steps.into_iter().map(Step::Call).collect()
}

/// Something with a terminal.
pub(super) fn terminal(a: &mut Around) -> Call {
    let fd = a.pick(&[SLAVE, SLAVE, SLAVE, MASTER, "f0", "99"]);
    let whom = a.who();
    match a.below(26) {
        0 => call(Form::Let(MASTER), "open", ["\"/dev/ptmx\"", "O_RDWR | O_NONBLOCK"]),
        1..=4 => call(Form::Let(SLAVE), "open", [a.pick(PATHS), a.pick(FLAGS)]),
        5 => tried("ioctl", [MASTER, "TIOCSPTLCK", a.pick(&["0", "0", "1"])]),
        6 if a.rarely(2) => tried("fcntl", [fd, "F_GETFL"]),
        6 => tried("ioctl", [fd, a.pick(&["TIOCGPTN", "TIOCGPTLCK"])]),
        7 | 8 => tried("ioctl", [fd, "TIOCSCTTY", a.pick(&["0", "1"])]),
        9 => tried("ioctl", [fd, "TIOCNOTTY"]),
        10 | 11 => tried("tcgetpgrp", [fd]),
        12..=14 => tried("tcsetpgrp", [fd, whom]),
        15 => tried("tcgetsid", [fd]),
        16 | 17 => tried("read", [SLAVE, a.pick(&["0", "1", "10"])]),
        18 => tried("write", [SLAVE, a.pick(&["\"x\"", "\"\"", "\"ab\\n\""])]),
        19 => {
            let modes = a.pick(&["modes(TOSTOP)", "modes(TOSTOP)", "modes(ISIG)"]);
            tried("tcsetattr", [fd, "TCSANOW", modes])
        }
        20 | 21 => tried("setpgid", ["0", "0"]),
        22 => tried("setsid", []),
        23 => tried("close", [a.pick(&[SLAVE, MASTER])]),
        24 => {
            let handler = a.pick(&["SIG_IGN", "SIG_DFL", "on_signal"]);
            tried("signal", [a.pick(&["SIGTTIN", "SIGTTOU", "SIGHUP", "SIGCONT"]), handler])
        }
        _ => tried("vhangup", []),
    }
}
