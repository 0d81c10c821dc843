//! Kinds of arguments, and how each is printed before and after its call.
//!
//! ```text
//! before   read(0,                        what the call takes
//! after           "hi\n", 1024) = 3       from the first thing that it gives
//! ```
//!
//! Linux: none; strace's `SYS_FUNC` printers, which return RVAL_DECODED when all
//! is said before. Left out: paths of descriptors (`-y`).

use super::ctx::Ctx;
use super::names;
use super::signals;
use super::structs;
use super::text::{Names, addr, flags, hex, name_of, octal};

/// An argument in print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// All of it.
    Known(String),
    /// Its beginning; the rest comes after the call, as [`Piece::Tail`].
    Open(String),
    /// The rest of one that was open.
    Tail(String),
    /// Comes after the call.
    Later,
    /// Comes after the call with its comma, or not at all.
    Perhaps,
}

/// Prints what is at an address, or nothing if it cannot be read.
pub type At = fn(&Ctx, u64) -> Option<String>;

/// What an argument is.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `int`.
    Int,
    /// `unsigned int`.
    Uint,
    /// `long`.
    Long,
    /// `unsigned long`.
    Ulong,
    /// A number in hex.
    Hex,
    /// `unsigned int` in hex.
    Hex32,
    /// An address that is not looked at.
    Ptr,
    /// A descriptor of a directory, or AT_FDCWD.
    Dir,
    /// A path, never cut.
    Path,
    /// A string, cut.
    Str,
    /// Permissions.
    Mode,
    /// A file's type and permissions.
    FileMode,
    /// A signal.
    Sig,
    /// A uid or gid; -1 for none.
    Id,
    /// One value of 32 bits out of several.
    One(&'static Names, &'static str),
    /// Bits of 32.
    Flags(&'static Names, &'static str),
    /// Bits of 64.
    Flags64(&'static Names, &'static str),
    /// How a file is opened.
    Open,
    /// Bytes that the call takes; how many is the argument with this number.
    Bytes(usize),
    /// Bytes that the call gives, as many as it says.
    Gives,
    /// A structure that the call takes.
    In(At),
    /// One that it gives, if it succeeds.
    Out(At),
    /// One that is printed after the call, whether or not that succeeds.
    OutAlways(At),
    /// A signal set that the call takes; its size is the argument with this number.
    SetIn(usize),
    /// One that it gives.
    SetOut(usize),
}

/// `O_*`: the access mode goes first and is never a remainder.
pub fn open_flags(v: u64) -> String {
    let mode = names::files::OPEN.iter().find(|(_, n)| *n as u64 == v & 3).map_or("", |(n, _)| n);
    match v & !3 {
        0 => mode.to_string(),
        rest => {
            let words = flags(&names::files::OPEN[4..], rest, "");
            format!("{mode}|{}", words.trim_end_matches(" /*  */"))
        }
    }
}

/// One value of 32 bits; some are negative.
pub fn one(names: &Names, v: u32, unknown: &str) -> String {
    match names.iter().find(|(_, n)| *n as u32 == v) {
        Some((name, _)) => (*name).to_string(),
        None => name_of(&[], v.into(), unknown),
    }
}

/// A descriptor that paths start from.
pub fn dir(v: u64) -> String {
    match v as i32 {
        -100 => "AT_FDCWD".to_string(),
        fd => fd.to_string(),
    }
}

impl Kind {
    /// Whether the call gives it.
    fn is_given(self) -> bool {
        matches!(self, Kind::Gives | Kind::Out(_) | Kind::OutAlways(_) | Kind::SetOut(_))
    }

    /// Argument `i` of a call.
    pub fn print(self, ctx: &Ctx, i: usize) -> Piece {
        if self.is_given() && ctx.ret.is_none() {
            return Piece::Later;
        }
        let v = ctx.args[i];
        let low = v & 0xffff_ffff;
        Piece::Known(match self {
            Kind::Int => (v as i32).to_string(),
            Kind::Uint => (v as u32).to_string(),
            Kind::Long => (v as i64).to_string(),
            Kind::Ulong => v.to_string(),
            Kind::Hex => hex(v),
            Kind::Hex32 => hex(low),
            Kind::Ptr => addr(v),
            Kind::Dir => dir(v),
            Kind::Path => ctx.path(v),
            Kind::Str => ctx.string(v),
            Kind::Mode => octal(v & 0xffff),
            Kind::FileMode => structs::mode(v & 0xffff),
            Kind::Sig => signals::signal(v as i32),
            Kind::Id => (v as u32 as i32).to_string(),
            Kind::One(names, unknown) => one(names, v as u32, unknown),
            Kind::Flags(names, unknown) => flags(names, low, unknown),
            Kind::Flags64(names, unknown) => flags(names, v, unknown),
            Kind::Open => open_flags(low),
            Kind::Bytes(n) => ctx.buffer(v, ctx.args[n]),
            Kind::Gives if ctx.failed() => addr(v),
            Kind::Gives => ctx.buffer(v, ctx.ret.unwrap_or(0).max(0) as u64),
            Kind::In(at) => at(ctx, v).unwrap_or_else(|| addr(v)),
            Kind::Out(_) | Kind::SetOut(_) if ctx.failed() => addr(v),
            Kind::Out(at) | Kind::OutAlways(at) => at(ctx, v).unwrap_or_else(|| addr(v)),
            Kind::SetIn(n) | Kind::SetOut(n) => {
                signals::sigset_at(ctx, v, ctx.args[n]).unwrap_or_else(|| addr(v))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_flags_begin_with_the_access_mode() {
        let all = [0, 2 | 0o100 | 0o1000, 0o200000, 1 | 0o4010000, 3, 0x4000_0000].map(open_flags);
        assert_eq!(all[0], "O_RDONLY");
        assert_eq!(all[1], "O_RDWR|O_CREAT|O_TRUNC");
        assert_eq!(all[2], "O_RDONLY|O_DIRECTORY");
        assert_eq!(all[3], "O_WRONLY|O_SYNC");
        assert_eq!(all[4], "O_ACCMODE");
        assert_eq!(all[5], "O_RDONLY|0x40000000");
        assert_eq!([dir(0xffff_ff9c), dir(5)], ["AT_FDCWD", "5"]);
    }
}
