//! Terminal attributes: what a terminal begins with, TCGETS, TCSETS.
//!
//! Linux: drivers/tty/tty_ioctl.c (set_termios, tty_mode_ioctl),
//! drivers/tty/n_tty.c (n_tty_set_termios), drivers/tty/tty_io.c
//! (tty_std_termios).
//! Left out: every mode but those of [`INPUT`], [`OUTPUT`] and [`LOCAL`];
//! setting one is refused by name. VTIME, VMIN above 1.

use super::n_tty::n_tty_set_termios;
use super::tty_jobctl::tty_check_change;
use super::{PtyType, TtyId};
use crate::abi::Errno;
use crate::abi::tty::{
    CC_NAMES, INIT_C_CC, INIT_CFLAG, InputModes, LocalModes, OutputModes, Termios, VEOF, VERASE,
    VINTR, VKILL, VMIN, VQUIT, VSUSP,
};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Input modes that do something here.
pub const INPUT: InputModes = InputModes::ICRNL.union(InputModes::IXON);
/// Output modes that do.
pub const OUTPUT: OutputModes = OutputModes::OPOST.union(OutputModes::ONLCR);
/// Local modes that do.
pub const LOCAL: LocalModes = LocalModes::ISIG
    .union(LocalModes::ICANON)
    .union(LocalModes::ECHO)
    .union(LocalModes::ECHOE)
    .union(LocalModes::ECHOK)
    .union(LocalModes::ECHONL)
    .union(LocalModes::NOFLSH)
    .union(LocalModes::TOSTOP)
    .union(LocalModes::ECHOCTL)
    .union(LocalModes::ECHOKE)
    .union(LocalModes::IEXTEN);
/// Places of `c_cc` that can be set.
const CHARACTERS: [usize; 7] = [VINTR, VQUIT, VERASE, VKILL, VEOF, VMIN, VSUSP];

/// What either side begins with. A master does nothing to its bytes.
pub fn init_termios(subtype: PtyType) -> Termios {
    use LocalModes as L;
    match subtype {
        PtyType::Slave => Termios {
            c_iflag: InputModes::ICRNL | InputModes::IXON,
            c_oflag: OutputModes::OPOST | OutputModes::ONLCR,
            c_cflag: INIT_CFLAG,
            c_lflag: L::ISIG
                | L::ICANON
                | L::ECHO
                | L::ECHOE
                | L::ECHOK
                | L::ECHOCTL
                | L::ECHOKE
                | L::IEXTEN,
            c_line: 0,
            c_cc: INIT_C_CC,
        },
        PtyType::Master => Termios {
            c_iflag: InputModes::empty(),
            c_oflag: OutputModes::empty(),
            c_cflag: INIT_CFLAG,
            c_lflag: L::empty(),
            c_line: 0,
            c_cc: INIT_C_CC,
        },
    }
}

/// The names of the bits of a word that are not in another one.
fn beyond<F: bitflags::Flags<Bits = u32>>(new: F, old: F, known: F) -> Option<String> {
    let more = F::from_bits_retain((new.bits() ^ old.bits()) & !known.bits());
    if more.bits() == 0 {
        return None;
    }
    let names: Vec<&str> = more.iter_names().map(|(name, _)| name).collect();
    Some(if names.is_empty() { format!("{:#o}", more.bits()) } else { names.join(" ") })
}

/// Whether the model can be set to `new`.
fn modelled(old: &Termios, new: &Termios) -> Result<(), SysError> {
    let no = |what: String| {
        let why = format!("{what} of terminals is not modelled");
        Err(SysError::with(Errno::EINVAL, "set_termios", why))
    };
    let modes = beyond(new.c_iflag, old.c_iflag, INPUT)
        .or_else(|| beyond(new.c_oflag, old.c_oflag, OUTPUT))
        .or_else(|| beyond(new.c_lflag, old.c_lflag, LOCAL));
    if let Some(modes) = modes {
        return no(format!("mode {modes}"));
    }
    if new.c_cflag != old.c_cflag || new.c_line != old.c_line {
        return no("another speed, character size or line discipline".into());
    }
    for (at, (new, old)) in new.c_cc.iter().zip(&old.c_cc).enumerate() {
        if new == old || CHARACTERS.contains(&at) && (at != VMIN || *new <= 1) {
            continue;
        }
        let name = CC_NAMES.iter().find(|(_, n)| *n == at as u64).map_or("c_cc", |(name, _)| name);
        return no(format!("character {name} set to {new}"));
    }
    Ok(())
}

/// When new attributes take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// TCSETS; also TCSETSW, for output does not wait for a wire here.
    Now,
    /// TCSETSF: what was typed and not read is thrown away.
    Flush,
}

/// TCSETS and its relatives on `tty`, which is no master: a master's request
/// is about its slave. `read` gives the new attributes once it may be made.
///
/// # Errors
/// Those of [`tty_check_change`]; EFAULT; EINVAL: not modelled.
pub fn set_termios(
    sys: &mut System,
    task: TaskId,
    tty: TtyId,
    when: When,
    read: impl FnOnce(&mut System) -> Result<Termios, SysError>,
) -> Result<(), SysError> {
    tty_check_change(sys, task, tty)?;
    let new = read(sys)?;
    let Some(t) = sys.kernel.ttys.get_mut(tty) else {
        return refuse(Errno::EIO, "set_termios", "the terminal is gone");
    };
    modelled(&t.termios, &new)?;
    if when == When::Flush {
        t.disc_data.reset_buffer_flags();
    }
    n_tty_set_termios(sys, tty, new);
    Ok(())
}
