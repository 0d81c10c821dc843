//! ioctl(2), which is mostly about terminals.
//!
//! Left out: requests that the model does not know either.

use super::results::Kind;
use super::{Draft, No, no, nr, own_fd};
use crate::abi::tty::{self, REQUESTS, TERMIOS_SIZE};
use crate::kernel::syscalls::Payload;

/// Requests that are made; the filter for system calls lets no other pass.
pub(in crate::oracle::host) fn requests() -> impl Iterator<Item = u32> {
    REQUESTS.iter().map(|(_, request)| *request as u32)
}

/// ioctl(2) and vhangup(2).
pub(super) fn prepare(d: &mut Draft) -> Result<bool, No> {
    match nr(d) {
        libc::SYS_vhangup => return Ok(true),
        libc::SYS_ioctl => {}
        _ => return Ok(false),
    }
    own_fd(d.call.args[0])?;
    match d.call.args[1] as u32 {
        tty::TIOCNOTTY | tty::TIOCSCTTY | tty::FIOCLEX | tty::FIONCLEX => {}
        tty::TIOCGPGRP | tty::TIOCGSID | tty::TIOCGPTN | tty::TIOCGPTLCK | tty::FIONREAD => {
            d.result(2, 4, Kind::Word(4))?;
        }
        tty::TCGETS => d.result(2, TERMIOS_SIZE as u64, Kind::Image(TERMIOS_SIZE))?,
        tty::TIOCSPGRP | tty::TIOCSPTLCK | tty::FIONBIO => structure(d, 4)?,
        tty::TCSETS | tty::TCSETSW | tty::TCSETSF => structure(d, TERMIOS_SIZE as u64)?,
        request => return no(format!("ioctl request {request:#x}")),
    }
    Ok(true)
}

/// What the third argument points to: it comes with the call, or lies in the
/// script's memory.
fn structure(d: &mut Draft, size: u64) -> Result<(), No> {
    match &d.call.payload {
        Payload::Bytes(bytes) => {
            d.input(2, bytes);
            Ok(())
        }
        _ => d.theirs(2, size),
    }
}
