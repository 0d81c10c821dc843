//! Terminals as programs use them; see `calls` and `bind::tty`.
//!
//! Left out: nothing of them.

use super::calls::{Give, NOTHING, Row, numbers, rows};
use crate::abi::tty as abi;
use crate::script::bind::tty::{code, given, request, setting, slave_name};
use crate::session::program::Child;
use rhai::Dynamic;

const GIVEN: Give = |ret, out| given(ret, &out);
const NAME: Give = |ret, out| slave_name(ret, &out);

pub(super) const NUMBERS: &[Row] = numbers! {
    /// Hangs the controlling terminal up (vhangup(2)).
    "vhangup()" => "vhangup", NOTHING;
};

pub(super) const OTHERS: &[Row] = rows! {
    /// Asks a device (ioctl(2)): TIOCGPGRP, TIOCNOTTY… Gives what it is told.
    "ioctl(fd: int, request: Flags) -> int" => GIVEN,
        |_, name, a| Ok((request(name, &a[0], &a[1], None)?, Child::Returns));
    /// Asks with an argument, by value: TIOCSCTTY, TIOCSPGRP, TCSETS…
    "ioctl(fd: int, request: Flags, arg: any) -> int" => GIVEN,
        |_, name, a| Ok((request(name, &a[0], &a[1], Some(&a[2]))?, Child::Returns));
    /// The foreground process group of the controlling terminal (tcgetpgrp(3)).
    "tcgetpgrp(fd: int) -> int" => GIVEN,
        |_, name, a| Ok((request(name, &a[0], &code(abi::TIOCGPGRP), None)?, Child::Returns));
    /// Puts a process group in the foreground (tcsetpgrp(3)).
    "tcsetpgrp(fd: int, pgrp: int)" => NOTHING, |_, name, a| {
        Ok((request(name, &a[0], &code(abi::TIOCSPGRP), Some(&a[1]))?, Child::Returns))
    };
    /// The session whose controlling terminal it is (tcgetsid(3)).
    "tcgetsid(fd: int) -> int" => GIVEN,
        |_, name, a| Ok((request(name, &a[0], &code(abi::TIOCGSID), None)?, Child::Returns));
    /// A terminal's attributes (tcgetattr(3)).
    "tcgetattr(fd: int) -> map" => GIVEN,
        |_, name, a| Ok((request(name, &a[0], &code(abi::TCGETS), None)?, Child::Returns));
    /// Sets them (tcsetattr(3)): TCSANOW, TCSADRAIN, TCSAFLUSH.
    "tcsetattr(fd: int, when: Flags, attr: map)" => NOTHING, |_, name, a| {
        let what = code(setting(name, &a[1])?);
        Ok((request(name, &a[0], &what, Some(&a[2]))?, Child::Returns))
    };
    /// Lets the slave of a master be opened (unlockpt(3)).
    "unlockpt(fd: int)" => NOTHING, |_, name, a| {
        let open = Dynamic::from(0_i64);
        Ok((request(name, &a[0], &code(abi::TIOCSPTLCK), Some(&open))?, Child::Returns))
    };
    /// The name of a master's slave (ptsname(3)).
    "ptsname(fd: int) -> string" => NAME,
        |_, name, a| Ok((request(name, &a[0], &code(abi::TIOCGPTN), None)?, Child::Returns));
};
