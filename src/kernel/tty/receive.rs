//! What the line discipline makes of bytes that are typed: lines, their
//! editing, their echo, and signals to the foreground group.
//!
//! ```text
//!  ISIG     VINTR SIGINT, VQUIT SIGQUIT, VSUSP SIGTSTP; what was typed before
//!           and not read is thrown away, unless NOFLSH
//!  ICANON   VERASE takes a byte back, VKILL the line, VEOF ends it
//!  ICRNL    a carriage return is a newline
//!  ECHO     what is typed is shown: ^C for a control character
//! ```
//! The echo of one write is shown when it was all looked at; a signal throws
//! away what was not shown yet.
//!
//! Linux: drivers/tty/n_tty.c (n_tty_receive_buf_common,
//! n_tty_receive_char_special, isig, eraser, echo_char).
//! Left out: VWERASE, VREPRINT, VLNEXT, ^S and ^Q, and taking back a tab: a
//! write with one of these is refused. Echo for which there is no room is lost.

use super::TtyId;
use super::n_tty::{Mark, N_TTY_BUF_SIZE, NTtyData, process_output, wake_readers};
use super::pty::pty_write_raw;
use super::tty_jobctl::kill_pgrp;
use crate::abi::tty::{
    DISABLED_CHAR, InputModes, LocalModes, Termios, VEOF, VERASE, VINTR, VKILL, VLNEXT, VQUIT,
    VREPRINT, VSTART, VSTOP, VSUSP, VWERASE,
};
use crate::abi::{Errno, Signal};
use crate::kernel::error::SysError;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Whether a byte is the special character at a place of `c_cc`.
fn is(termios: &Termios, byte: u8, place: usize) -> bool {
    termios.c_cc[place] == byte && byte != DISABLED_CHAR
}

/// Which signal a byte means.
fn signal_of(termios: &Termios, byte: u8) -> Option<Signal> {
    if !termios.c_lflag.contains(LocalModes::ISIG) {
        return None;
    }
    [(VINTR, Signal::SIGINT), (VQUIT, Signal::SIGQUIT), (VSUSP, Signal::SIGTSTP)]
        .into_iter()
        .find(|(place, _)| is(termios, byte, *place))
        .map(|(_, sig)| sig)
}

/// Refuses bytes with a meaning that is not modelled.
///
/// # Errors
/// EINVAL.
pub(super) fn can_receive(
    termios: &Termios,
    data: &NTtyData,
    bytes: &[u8],
) -> Result<(), SysError> {
    let lflag = termios.c_lflag;
    let editing = lflag.contains(LocalModes::ICANON);
    let more = editing && lflag.contains(LocalModes::IEXTEN);
    let flow = termios.c_iflag.contains(InputModes::IXON);
    let tab = data.read_buf.iter().any(|(b, _)| *b == b'\t')
        || data.flip.contains(&b'\t')
        || bytes.contains(&b'\t');
    for byte in bytes {
        let what = [
            (flow, VSTOP, "stopping output (VSTOP with IXON)"),
            (flow, VSTART, "starting output (VSTART with IXON)"),
            (more, VWERASE, "erasing a word (VWERASE with IEXTEN)"),
            (more, VREPRINT, "printing the line again (VREPRINT with IEXTEN)"),
            (more, VLNEXT, "taking the next byte as it is (VLNEXT with IEXTEN)"),
            (editing && tab, VERASE, "erasing in a line with a tab"),
            (editing && tab, VKILL, "killing a line with a tab"),
        ]
        .into_iter()
        .find(|(on, place, _)| *on && is(termios, *byte, *place));
        if let Some((_, _, what)) = what {
            let why = format!("byte {byte:#04x} is typed, and {what} is not modelled");
            return Err(SysError::with(Errno::EINVAL, "n_tty_receive_buf", why));
        }
    }
    Ok(())
}

/// The line discipline receives what waits for it, as far as there is room.
/// `from` is who caused that: signals are in nobody's name.
pub(super) fn receive_buf(sys: &mut System, from: TaskId, tty: TtyId) {
    let mut echo = Vec::new();
    while let Some(t) = sys.kernel.ttys.get_mut(tty) {
        let (termios, data) = (t.termios, &mut t.disc_data);
        let room = (N_TTY_BUF_SIZE - 1).saturating_sub(data.read_buf.len());
        if room == 0 {
            // A line that is too long loses its end, so that it can end.
            let overflow = termios.c_lflag.contains(LocalModes::ICANON) && data.canon == 0;
            if !overflow || data.flip.is_empty() {
                break;
            }
            if data.read_buf.len() >= N_TTY_BUF_SIZE {
                data.read_buf.pop_back();
            }
        }
        let Some(byte) = data.flip.pop_front() else { break };
        if let Some(sig) = signal_of(&termios, byte) {
            let front = t.pgrp;
            isig(data, &termios, &mut echo);
            if let Some(pgrp) = front {
                kill_pgrp(sys, from, pgrp, sig);
            }
            if termios.c_lflag.contains(LocalModes::ECHO) {
                echo_char(&termios, byte, &mut echo);
            }
            continue;
        }
        receive_char(data, &termios, byte, &mut echo);
    }
    if !echo.is_empty() {
        pty_write_raw(sys, from, tty, &echo);
    }
    wake_readers(sys, tty);
}

/// A signal was typed: what was typed before is forgotten.
fn isig(data: &mut NTtyData, termios: &Termios, echo: &mut Vec<u8>) {
    if !termios.c_lflag.contains(LocalModes::NOFLSH) {
        data.reset_buffer_flags();
        echo.clear();
    }
}

fn receive_char(data: &mut NTtyData, termios: &Termios, byte: u8, echo: &mut Vec<u8>) {
    use LocalModes as L;
    let lflag = termios.c_lflag;
    let mut byte = byte;
    if byte == b'\r' && termios.c_iflag.contains(InputModes::ICRNL) {
        byte = b'\n';
    }
    if lflag.contains(L::ICANON) {
        if is(termios, byte, VERASE) || is(termios, byte, VKILL) {
            return eraser(data, termios, byte, echo);
        }
        if is(termios, byte, VEOF) {
            return end_line(data, DISABLED_CHAR, Mark::Eof);
        }
        if byte == b'\n' {
            if lflag.intersects(L::ECHO | L::ECHONL) {
                process_output(termios, byte, echo);
            }
            return end_line(data, byte, Mark::Line);
        }
    }
    if lflag.contains(L::ECHO) {
        match byte {
            b'\n' => process_output(termios, byte, echo),
            _ => echo_char(termios, byte, echo),
        }
    }
    data.read_buf.push_back((byte, Mark::None));
}

fn end_line(data: &mut NTtyData, byte: u8, mark: Mark) {
    data.read_buf.push_back((byte, mark));
    data.canon = data.read_buf.len();
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// A character as it is shown when it is typed.
fn echo_char(termios: &Termios, byte: u8, echo: &mut Vec<u8>) {
    if termios.c_lflag.contains(LocalModes::ECHOCTL) && is_control(byte) && byte != b'\t' {
        echo.extend([b'^', byte ^ 0o100]);
    } else {
        process_output(termios, byte, echo);
    }
}

/// Takes back the last byte of the line that is being typed, or all of it.
fn eraser(data: &mut NTtyData, termios: &Termios, byte: u8, echo: &mut Vec<u8>) {
    use LocalModes as L;
    let lflag = termios.c_lflag;
    if data.read_buf.len() == data.canon {
        return;
    }
    let kill = is(termios, byte, VKILL) && !is(termios, byte, VERASE);
    let one_by_one = lflag.contains(L::ECHOK | L::ECHOKE | L::ECHOE);
    if kill && !(lflag.contains(L::ECHO) && one_by_one) {
        data.read_buf.truncate(data.canon);
        if lflag.contains(L::ECHO) {
            echo_char(termios, byte, echo);
            // A new line for the new line, if ECHOK asks for one.
            if lflag.contains(L::ECHOK) {
                process_output(termios, b'\n', echo);
            }
        }
        return;
    }
    while data.read_buf.len() > data.canon {
        let Some((last, _)) = data.read_buf.pop_back() else { break };
        if lflag.contains(L::ECHO) {
            if !kill && !lflag.contains(L::ECHOE) {
                echo_char(termios, byte, echo);
            } else {
                let shown = match is_control(last) {
                    false => 1,
                    true => 2 * usize::from(lflag.contains(L::ECHOCTL)),
                };
                echo.extend(b"\x08 \x08".repeat(shown));
            }
        }
        if !kill {
            break;
        }
    }
}
