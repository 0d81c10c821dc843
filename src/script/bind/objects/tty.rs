//! tty_struct: a terminal, whose it is and who is in front.
//!
//! Left out: changing one; ioctl(2) does.

use rhai::Dynamic;

use super::{Kind, Tty, object};
use crate::base::Id;
use crate::kernel::pid::{PidId, pid_nr_ns};
use crate::kernel::system::{Kernel, System};
use crate::kernel::tty::TtyStruct;
use crate::script::bind::kinds;
use crate::script::bind::registry::{Book, functions, getters};
use crate::script::value::Flags;

/// The number of a session or group in the initial pid namespace.
fn number(sys: &System, pid: Option<PidId>) -> Option<i32> {
    pid.map(|pid| pid_nr_ns(sys, pid, sys.kernel.init_pid_ns))
}

/// The same as a script value; `()` for none.
pub(super) fn id(sys: &System, pid: Option<PidId>) -> Dynamic {
    number(sys, pid).map_or(Dynamic::UNIT, |n| i64::from(n).into())
}

impl Kind for TtyStruct {
    const NAME: &'static str = "tty_struct";

    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self> {
        kernel.ttys.get(id)
    }

    fn line(&self, sys: &System) -> String {
        let whose = match (number(sys, self.session), number(sys, self.pgrp)) {
            (Some(session), Some(pgrp)) => format!("session {session}, foreground group {pgrp}"),
            (Some(session), None) => format!("session {session}"),
            _ => "nobody's controlling terminal".into(),
        };
        format!("{}, {whose}", self.name())
    }
}

/// Registers the type.
pub(super) fn register(book: &mut Book) {
    object!(book, Tty);
    getters! { book, Tty;
        /// Its name below /dev: "pts/0".
        "name: string" => |t: &mut Tty| t.field(|_, t| t.name());
        /// The session whose controlling terminal it is, or ().
        "session: int" => |t: &mut Tty| t.field(|sys, t| id(sys, t.session));
        /// The foreground process group, or ().
        "pgrp: int" => |t: &mut Tty| t.field(|sys, t| id(sys, t.pgrp));
        /// The number in its name.
        "index: int" => |t: &mut Tty| t.int(|t| t.index.into());
        /// Open descriptions, and 1 for a master that is open.
        "count: int" => |t: &mut Tty| t.int(|t| t.count.into());
        /// References: processes whose terminal it is, and 1 while it is open.
        "kref: int" => |t: &mut Tty| t.int(|t| t.kref.into());
        /// Bytes received and not read.
        "queued: int" => |t: &mut Tty| t.int(|t| t.disc_data.read_buf.len() as i64);
        /// How input is treated.
        "c_iflag: Flags" => |t: &mut Tty| t.field(|_, t| {
            Flags { bits: t.termios.c_iflag.bits().into(), kind: &kinds::C_IFLAG }
        });
        /// How output is treated.
        "c_oflag: Flags" => |t: &mut Tty| t.field(|_, t| {
            Flags { bits: t.termios.c_oflag.bits().into(), kind: &kinds::C_OFLAG }
        });
        /// Editing, echo, signals.
        "c_lflag: Flags" => |t: &mut Tty| t.field(|_, t| {
            Flags { bits: t.termios.c_lflag.bits().into(), kind: &kinds::C_LFLAG }
        });
    }
}
