//! fcntl(2), ioctl(2) and other calls on descriptors whose arguments depend on
//! each other.
//!
//! Linux: the manual page of each. Left out: requests of ioctl that no file of
//! the model knows; they print their argument in hex.

use super::ctx::Ctx;
use super::kind::{Piece, dir, one, open_flags};
use super::names;
use super::signals::signal;
use super::special::{gives, int_at, known};
use super::structs;
use super::structs::{flock, statx as statx_at};
use super::termios::termios;
use super::text::{addr, flags, hex};
use crate::abi::tty;

pub fn statx(ctx: &Ctx) -> Vec<Piece> {
    let [fd, path, bits, mask, at, _] = ctx.args;
    let bits = bits & 0xffff_ffff;
    let sync = flags(names::files::AT_STATX, bits & 0x6000, "AT_???");
    let rest = match bits & !0x6000 {
        0 => String::new(),
        rest => format!(
            "|{}",
            flags(names::files::AT, rest, "AT_???").trim_end_matches(" /* AT_??? */")
        ),
    };
    let mask = flags(names::files::STATX, mask & 0xffff_ffff, "STATX_???");
    gives(ctx, vec![dir(fd), ctx.path(path), format!("{sync}{rest}"), mask], at, statx_at)
}

/// fcntl(2): what the third argument is depends on the command.
pub fn fcntl(ctx: &Ctx) -> Vec<Piece> {
    let [fd, cmd, arg, ..] = ctx.args;
    let name = one(names::files::FCNTL, cmd as u32, "F_???");
    let mut words = vec![(fd as i32).to_string(), name.clone()];
    match name.as_str() {
        "F_GETFD" | "F_GETFL" | "F_GETOWN" | "F_GETSIG" | "F_GETLEASE" | "F_GETPIPE_SZ"
        | "F_GET_SEALS" => {}
        "F_SETFD" => words.push(flags(names::files::FD_FLAGS, arg & 0xffff_ffff, "FD_???")),
        "F_SETFL" => words.push(open_flags(arg & 0xffff_ffff)),
        "F_DUPFD" | "F_DUPFD_CLOEXEC" | "F_SETOWN" | "F_SETPIPE_SZ" => {
            words.push((arg as i32).to_string());
        }
        "F_SETSIG" => words.push(signal(arg as i32)),
        "F_SETLEASE" => words.push(one(names::files::LOCK_TYPE, arg as u32, "F_???")),
        "F_ADD_SEALS" => words.push(flags(names::files::SEAL, arg & 0xffff_ffff, "F_SEAL_???")),
        "F_SETLK" | "F_SETLKW" | "F_OFD_SETLK" | "F_OFD_SETLKW" => {
            words.push(flock(ctx, arg, false).unwrap_or_else(|| addr(arg)));
        }
        "F_GETLK" | "F_OFD_GETLK" => return gives(ctx, words, arg, |c, at| flock(c, at, true)),
        _ => words.push(hex(arg)),
    }
    known(words)
}

/// A request of ioctl by name, or taken apart.
fn request(v: u64) -> String {
    let named = names::files::IOCTL.iter().find(|(_, n)| *n as u64 == v).map(|(name, _)| *name);
    let named =
        named.or_else(|| tty::REQUESTS.iter().find(|(_, n)| *n == v).map(|(name, _)| *name));
    if let Some(name) = named {
        return name.to_string();
    }
    let way = match v >> 30 & 3 {
        0 => "_IOC_NONE",
        1 => "_IOC_WRITE",
        2 => "_IOC_READ",
        _ => "_IOC_READ|_IOC_WRITE",
    };
    let (ty, nr, size) = (hex(v >> 8 & 0xff), hex(v & 0xff), hex(v >> 16 & 0x3fff));
    format!("_IOC({way}, {ty}, {nr}, {size})")
}

fn winsize(c: &Ctx, at: u64) -> Option<String> {
    let f = |i: u64| c.u16(at.wrapping_add(2 * i));
    let (row, col, x, y) = (f(0)?, f(1)?, f(2)?, f(3)?);
    Some(format!("{{ws_row={row}, ws_col={col}, ws_xpixel={x}, ws_ypixel={y}}}"))
}

pub fn ioctl(ctx: &Ctx) -> Vec<Piece> {
    let [fd, cmd, arg, ..] = ctx.args;
    let name = request(cmd & 0xffff_ffff);
    let mut words = vec![(fd as i32).to_string(), name.clone()];
    let given = match name.as_str() {
        "TCGETS" => termios,
        "TIOCGWINSZ" => winsize,
        "TIOCGPGRP" | "TIOCGSID" | "FIONREAD" | "TIOCGPTN" | "TIOCGPTLCK" | "TIOCOUTQ" => int_at,
        _ => {
            words.extend(match name.as_str() {
                "TCSETS" | "TCSETSW" | "TCSETSF" => termios(ctx, arg).or_else(|| Some(addr(arg))),
                "TIOCSWINSZ" => winsize(ctx, arg).or_else(|| Some(addr(arg))),
                "TIOCSPGRP" | "TIOCSPTLCK" | "FIONBIO" | "FIOASYNC" => {
                    int_at(ctx, arg).or_else(|| Some(addr(arg)))
                }
                "TIOCSCTTY" | "TCSBRK" | "TCFLSH" | "TCXONC" => Some((arg as i32).to_string()),
                "TIOCNOTTY" | "FIOCLEX" | "FIONCLEX" | "TIOCEXCL" | "TIOCNXCL" => None,
                _ => Some(hex(arg)),
            });
            return known(words);
        }
    };
    gives(ctx, words, arg, given)
}

pub fn epoll_ctl(ctx: &Ctx) -> Vec<Piece> {
    let [ep, op, fd, event, ..] = ctx.args;
    let name = one(names::files::EPOLL_CTL, op as u32, "EPOLL_CTL_???");
    let event = match name.as_str() {
        "EPOLL_CTL_DEL" => addr(event),
        _ => structs::epoll_event(ctx, event).unwrap_or_else(|| addr(event)),
    };
    known(vec![(ep as i32).to_string(), name, (fd as i32).to_string(), event])
}

/// preadv2, pwritev2: the offset is one register on x86_64, and a second one
/// that means nothing.
pub fn vectors2(ctx: &Ctx, read: bool) -> Vec<Piece> {
    let [fd, at, n, offset, _, bits] = ctx.args;
    let fd = (fd as i32).to_string();
    let how = flags(names::files::RWF, bits & 0xffff_ffff, "RWF_???");
    let tail = [n.to_string(), (offset as i64).to_string(), how];
    let left = match (read, ctx.ret) {
        (true, None) => return vec![Piece::Known(fd), Piece::Later],
        (true, Some(_)) if ctx.failed() => None,
        (true, Some(ret)) => Some(ret.max(0) as u64),
        (false, _) => Some(u64::MAX),
    };
    let mut words = vec![fd, structs::iovecs(ctx, at, n, left).unwrap_or_else(|| addr(at))];
    words.extend(tail);
    known(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_names() {
        assert_eq!(request(0x5401), "TCGETS");
        assert_eq!(request(0x5413), "TIOCGWINSZ");
        assert_eq!(request(0x12345), "_IOC(_IOC_NONE, 0x23, 0x45, 0x1)");
    }
}
