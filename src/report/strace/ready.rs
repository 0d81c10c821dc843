//! poll(2) and select(2): what is asked for stands among the arguments, what was
//! found behind the result.
//!
//! Linux: poll(2), select(2). Left out: `-e verbose=none`.

use super::ctx::Ctx;
use super::kind::Piece;
use super::names;
use super::signals::sigset_at;
use super::structs::{timespec, timeval};
use super::text::{addr, flags};

/// Descriptors of a `struct pollfd` array; `found` for those with results.
fn pollfds(ctx: &Ctx, found: bool) -> Option<String> {
    let [at, n, ..] = ctx.args;
    let n = n & 0xffff_ffff;
    if at == 0 && n > 0 {
        return None;
    }
    let mut words = Vec::new();
    for i in 0..n {
        let one = at.checked_add(8 * i)?;
        let fd = ctx.i32(one)?;
        let revents = ctx.u16(one.wrapping_add(6))?;
        let events = ctx.u16(one.wrapping_add(4))?;
        if found && (revents == 0 || fd < 0) {
            continue;
        }
        if words.len() == super::ctx::ELEMENTS {
            words.push("...".to_string());
            break;
        }
        let bits = if found { revents } else { events };
        let shown = flags(names::files::POLL, bits.into(), "POLL???");
        words.push(match (found, fd < 0) {
            (true, _) => format!("{{fd={fd}, revents={shown}}}"),
            (false, false) => format!("{{fd={fd}, events={shown}}}"),
            (false, true) => format!("{{fd={fd}}}"),
        });
    }
    Some(format!("[{}]", words.join(", ")))
}

/// The arguments of poll and ppoll.
pub fn poll(ctx: &Ctx, precise: bool) -> Vec<Piece> {
    let [at, n, timeout, mask, size, _] = ctx.args;
    let fds = match at {
        0 => addr(at),
        at => pollfds(ctx, false).unwrap_or_else(|| addr(at)),
    };
    let mut words = vec![fds, (n as u32).to_string()];
    if precise {
        words.push(timespec(ctx, timeout).unwrap_or_else(|| addr(timeout)));
        words.push(sigset_at(ctx, mask, size).unwrap_or_else(|| addr(mask)));
        words.push(size.to_string());
    } else {
        words.push((timeout as i32).to_string());
    }
    words.into_iter().map(Piece::Known).collect()
}

/// What poll and ppoll have found, and how much time is left.
pub fn polled(ctx: &Ctx, precise: bool) -> Option<String> {
    let left = timespec(ctx, ctx.args[2]).filter(|_| precise);
    match ctx.ret? {
        0 => Some("Timeout".to_string()),
        1.. => {
            let left = left.map_or_else(String::new, |l| format!(", left {l}"));
            Some(format!("{}{left}", pollfds(ctx, true)?))
        }
        _ => None,
    }
}

/// The members of an fd_set.
fn fds(ctx: &Ctx, at: u64) -> Option<String> {
    let n = (ctx.args[0] as i32).clamp(0, 1024) as usize;
    let bytes = ctx.bytes(at, n.div_ceil(64) * 8)?;
    let member = |fd: &usize| bytes[fd / 8] >> (fd % 8) & 1 != 0;
    let words: Vec<_> = (0..n).filter(member).map(|fd| fd.to_string()).collect();
    Some(format!("[{}]", words.join(" ")))
}

fn time(ctx: &Ctx, precise: bool) -> Option<String> {
    if precise { timespec(ctx, ctx.args[4]) } else { timeval(ctx, ctx.args[4]) }
}

/// The arguments of select and pselect6.
pub fn select(ctx: &Ctx, precise: bool) -> Vec<Piece> {
    let mut words = vec![(ctx.args[0] as i32).to_string()];
    for at in &ctx.args[1..4] {
        words.push(if *at == 0 { addr(0) } else { fds(ctx, *at).unwrap_or_else(|| addr(*at)) });
    }
    words.push(time(ctx, precise).unwrap_or_else(|| addr(ctx.args[4])));
    if precise {
        let at = ctx.args[5];
        words.push(sigmask(ctx, at).unwrap_or_else(|| addr(at)));
    }
    words.into_iter().map(Piece::Known).collect()
}

/// The pair of pselect6's last argument.
fn sigmask(ctx: &Ctx, at: u64) -> Option<String> {
    let (mask, size) = (ctx.u64(at)?, ctx.u64(at.wrapping_add(8))?);
    let set = sigset_at(ctx, mask, size).unwrap_or_else(|| addr(mask));
    Some(format!("{{sigmask={set}, sigsetsize={size}}}"))
}

/// What select and pselect6 have found, and how much time is left.
pub fn selected(ctx: &Ctx, precise: bool) -> Option<String> {
    let left = time(ctx, precise);
    match ctx.ret? {
        0 => Some("Timeout".to_string()),
        1.. => {
            let mut words = Vec::new();
            for (at, name) in ctx.args[1..4].iter().zip(["in", "out", "except"]) {
                let set = if *at == 0 { None } else { fds(ctx, *at) };
                if let Some(set) = set.filter(|s| s != "[]") {
                    words.push(format!("{name} {set}"));
                }
            }
            words.extend(left.map(|l| format!("left {l}")));
            Some(words.join(", "))
        }
        _ => None,
    }
}
