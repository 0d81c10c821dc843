//! The line of one call, in its two halves.
//!
//! ```text
//! begin    name( and the arguments up to the first that the call gives
//! end      the other arguments, ) and = result
//! ```
//!
//! Linux: strace's `syscall_entering_trace`, `syscall_exiting_trace`.
//! Left out: `-T`, `-X`, injection.

use super::ctx::Ctx;
use super::kind::Piece;
use super::text::hex;
use super::{special, table};
use crate::abi::Errno;
use crate::abi::nr::syscall_name;
use crate::kernel::syscalls::table::lookup;

/// A call's name; one without a number of its own keeps that.
pub fn name(nr: u32) -> String {
    match syscall_name(u64::from(nr)) {
        Some(name) => name.to_string(),
        None => format!("syscall_{nr:#x}"),
    }
}

/// All arguments of a call as far as they are known.
fn pieces(name: &str, nr: u32, ctx: &Ctx) -> Vec<Piece> {
    if let Some(pieces) = special::pieces(name, ctx) {
        return pieces;
    }
    if let Some(kinds) = table::kinds(name) {
        let shown = table::shown(name, ctx);
        return kinds.iter().take(shown).enumerate().map(|(i, k)| k.print(ctx, i)).collect();
    }
    let row = lookup(nr).filter(|r| !r.args.is_empty());
    let count = row.map_or(6, |r| r.args.len());
    ctx.args.iter().take(count).map(|v| Piece::Known(hex(*v))).collect()
}

/// What is said before a call.
pub struct Begun {
    pub text: String,
    /// How many arguments that is.
    pub said: usize,
    /// Whether the comma behind them is said too.
    pub comma: bool,
}

/// What is said before a call: arguments up to the first that the call gives.
pub fn begin(nr: u32, ctx: &Ctx) -> Begun {
    let name = name(nr);
    let mut text = format!("{name}(");
    let mut said = 0;
    for piece in pieces(&name, nr, ctx) {
        let comma = if said > 0 { ", " } else { "" };
        match piece {
            Piece::Known(word) | Piece::Open(word) | Piece::Tail(word) => {
                text.push_str(comma);
                text.push_str(&word);
            }
            Piece::Later => {
                text.push_str(comma);
                return Begun { text, said, comma: true };
            }
            Piece::Perhaps => break,
        }
        said += 1;
    }
    Begun { text, said, comma: false }
}

/// What is said after it, up to the parenthesis.
pub fn rest(nr: u32, ctx: &Ctx, said: usize, comma: bool) -> String {
    let mut text = String::new();
    for (i, piece) in pieces(&name(nr), nr, ctx).into_iter().enumerate() {
        match piece {
            Piece::Tail(word) => text.push_str(&word),
            _ if i < said => {}
            Piece::Known(word) | Piece::Open(word) => {
                if i > said || i > 0 && !comma {
                    text.push_str(", ");
                }
                text.push_str(&word);
            }
            Piece::Later | Piece::Perhaps => {}
        }
    }
    text
}

/// What a call is told to have returned if it will be made again.
fn restart(errno: Errno) -> &'static str {
    match errno {
        Errno::ERESTARTSYS => "To be restarted if SA_RESTART is set",
        Errno::ERESTARTNOINTR => "To be restarted",
        Errno::ERESTARTNOHAND => "To be restarted if no handler",
        _ => "Interrupted by signal",
    }
}

/// The result of a call.
pub fn result(nr: u32, ctx: &Ctx) -> String {
    let Some(ret) = ctx.ret else { return "?".to_string() };
    if ctx.failed() {
        let number = -ret as i32;
        return match Errno::from_number(number) {
            Some(e) if e.is_restart() => format!("? {} ({})", e.name(), restart(e)),
            Some(e) => format!("-1 {} ({})", e.name(), e.text()),
            None => format!("-1 (errno {number})"),
        };
    }
    let name = name(nr);
    let number = match special::is_flags(&name, ctx) {
        true => hex(ret as u64),
        false => table::result(&name, ret),
    };
    match special::remark(&name, ctx) {
        Some(remark) => format!("{number} ({remark})"),
        None => number,
    }
}
