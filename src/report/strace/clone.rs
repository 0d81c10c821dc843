//! clone(2), clone3(2) and execve(2), whose arguments depend on each other.
//!
//! Linux: include/uapi/linux/sched.h. Left out: fields of `clone_args` that a
//! newer kernel may have.

use super::ctx::{Ctx, ELEMENTS};
use super::kind::{Piece, dir};
use super::names;
use super::signals::signal;
use super::text::{addr, flags, hex, quote, quote_short};
use crate::abi::CloneFlags;
use crate::session::spawn::Command;

/// The flags of clone(2) with the signal in their low byte.
fn clone_flags(v: u64) -> String {
    let sig = (v & 0xff) as i32;
    let bits = v & !0xff;
    let mut words = Vec::new();
    if bits != 0 {
        words.push(flags(names::tasks::CLONE, bits, "CLONE_???"));
    }
    if sig != 0 || bits == 0 {
        words.push(signal(sig));
    }
    words.join("|")
}

/// clone: what is stored comes after the call.
pub fn clone(ctx: &Ctx) -> Vec<Piece> {
    let [bits, stack, parent_tid, child_tid, tls, _] = ctx.args;
    let has = |f: CloneFlags| bits & f.bits() != 0;
    let mut pieces = vec![
        Piece::Known(format!("child_stack={}", addr(stack))),
        Piece::Known(format!("flags={}", clone_flags(bits))),
    ];
    let stores = CloneFlags::CLONE_PARENT_SETTID | CloneFlags::CLONE_PIDFD;
    let settid = CloneFlags::CLONE_CHILD_SETTID | CloneFlags::CLONE_CHILD_CLEARTID;
    if !has(stores | settid | CloneFlags::CLONE_SETTLS) {
        return pieces;
    }
    if ctx.ret.is_none() {
        pieces.push(Piece::Perhaps);
        return pieces;
    }
    if has(stores) {
        let tid = if ctx.failed() { None } else { ctx.i32(parent_tid) };
        let shown = tid.map_or_else(|| addr(parent_tid), |t| format!("[{t}]"));
        pieces.push(Piece::Known(format!("parent_tid={shown}")));
    }
    if has(CloneFlags::CLONE_SETTLS) {
        pieces.push(Piece::Known(format!("tls={}", addr(tls))));
    }
    if has(settid) {
        pieces.push(Piece::Known(format!("child_tidptr={}", addr(child_tid))));
    }
    pieces
}

const MIN_SIZE: u64 = 64;

/// `struct clone_args` as the caller has filled it.
fn clone_args(ctx: &Ctx) -> Option<String> {
    let [at, size, ..] = ctx.args;
    if size < MIN_SIZE {
        return None;
    }
    let f = |i: u64| ctx.u64(at.wrapping_add(8 * i));
    let bits = f(0)?;
    let has = |flag: CloneFlags| bits & flag.bits() != 0;
    let all: Vec<_> = names::tasks::CLONE3.iter().chain(names::tasks::CLONE).copied().collect();
    let mut words = vec![format!("flags={}", flags(&all, bits, "CLONE_???"))];
    if has(CloneFlags::CLONE_PIDFD) {
        words.push(format!("pidfd={}", addr(f(1)?)));
    }
    if has(CloneFlags::CLONE_CHILD_SETTID | CloneFlags::CLONE_CHILD_CLEARTID) {
        words.push(format!("child_tid={}", addr(f(2)?)));
    }
    if has(CloneFlags::CLONE_PARENT_SETTID) {
        words.push(format!("parent_tid={}", addr(f(3)?)));
    }
    words.push(format!("exit_signal={}", signal(f(4)? as i32)));
    words.push(format!("stack={}", addr(f(5)?)));
    words.push(format!("stack_size={}", hex(f(6)?)));
    if has(CloneFlags::CLONE_SETTLS) {
        words.push(format!("tls={}", addr(f(7)?)));
    }
    let (set_tid, count) = (if size >= 80 { f(8)? } else { 0 }, if size >= 80 { f(9)? } else { 0 });
    if set_tid != 0 || count != 0 {
        let tids = ctx.list(set_tid, count, 4, |a| ctx.i32(a).map(|t| t.to_string()));
        words.push(format!("set_tid={}", tids.unwrap_or_else(|| addr(set_tid))));
        words.push(format!("set_tid_size={count}"));
    }
    if has(CloneFlags::CLONE_INTO_CGROUP) && size >= 88 {
        words.push(format!("cgroup={}", f(10)?));
    }
    Some(format!("{{{}}}", words.join(", ")))
}

/// What clone3 has stored.
fn stored(ctx: &Ctx) -> String {
    let at = ctx.args[0];
    let f = |i: u64| ctx.u64(at.wrapping_add(8 * i));
    let mut words = Vec::new();
    if let (Some(bits), false) = (f(0), ctx.failed()) {
        let pairs = [
            (CloneFlags::CLONE_PIDFD, 1, "pidfd"),
            (CloneFlags::CLONE_PARENT_SETTID, 3, "parent_tid"),
        ];
        for (flag, field, name) in pairs {
            let value = f(field).and_then(|at| ctx.i32(at));
            if let Some(v) = value.filter(|_| bits & flag.bits() != 0) {
                words.push(format!("{name}=[{v}]"));
            }
        }
    }
    if words.is_empty() { String::new() } else { format!(" => {{{}}}", words.join(", ")) }
}

/// clone3: the structure is shown before, what was stored behind it after.
pub fn clone3(ctx: &Ctx) -> Vec<Piece> {
    match (clone_args(ctx), ctx.ret) {
        (None, _) => vec![Piece::Known(addr(ctx.args[0])), Piece::Known(ctx.args[1].to_string())],
        (Some(args), None) => vec![Piece::Open(args), Piece::Perhaps],
        (Some(_), Some(_)) => {
            vec![Piece::Tail(stored(ctx)), Piece::Known(ctx.args[1].to_string())]
        }
    }
}

/// The strings of argv.
fn strings(ctx: &Ctx, at: u64) -> String {
    if at == 0 || ctx.u64(at).is_none() {
        return addr(at);
    }
    let mut words = Vec::new();
    for i in 0.. {
        match ctx.u64(at.wrapping_add(8 * i)) {
            Some(0) => break,
            _ if i as usize == ELEMENTS => {
                words.push("...".to_string());
                break;
            }
            Some(string) => words.push(ctx.string(string)),
            None => {
                words.push(format!("... /* {:#x} */", at.wrapping_add(8 * i)));
                break;
            }
        }
    }
    format!("[{}]", words.join(", "))
}

/// The address of envp, and how many there are.
fn environment(ctx: &Ctx, at: u64) -> String {
    /// More than this is not counted.
    const MOST: u64 = 4096;
    if at == 0 {
        return addr(at);
    }
    match (0..MOST).find(|i| matches!(ctx.u64(at.wrapping_add(8 * i)), Some(0) | None)) {
        Some(1) => format!("{} /* 1 var */", addr(at)),
        Some(n) if ctx.u64(at.wrapping_add(8 * n)) == Some(0) => {
            format!("{} /* {n} vars */", addr(at))
        }
        _ => addr(at),
    }
}

/// The execve that a program was started with, by somebody who has no memory
/// to look into.
pub fn started(command: &Command, envp: u64) -> String {
    let short = |s: &String| quote_short(s.as_bytes());
    let mut argv: Vec<_> = command.argv.iter().take(ELEMENTS).map(short).collect();
    if command.argv.len() > ELEMENTS {
        argv.push("...".to_string());
    }
    let path = quote(command.path.as_bytes(), false);
    let vars = match command.envp.len() {
        1 => "1 var".to_string(),
        n => format!("{n} vars"),
    };
    format!("execve({path}, [{}], {} /* {vars} */) = 0", argv.join(", "), addr(envp))
}

/// execve, execveat: all is said before, for the memory is gone after.
pub fn execve(ctx: &Ctx, at: bool) -> Vec<Piece> {
    let from = usize::from(at);
    let mut words = Vec::new();
    if at {
        words.push(dir(ctx.args[0]));
    }
    words.push(ctx.path(ctx.args[from]));
    words.push(strings(ctx, ctx.args[from + 1]));
    words.push(environment(ctx, ctx.args[from + 2]));
    if at {
        words.push(flags(names::files::AT, ctx.args[4] & 0xffff_ffff, "AT_???"));
    }
    words.into_iter().map(Piece::Known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_signal_is_one_of_the_flags() {
        assert_eq!(clone_flags(17), "SIGCHLD");
        let fork = "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD";
        assert_eq!(clone_flags(0x120_0011), fork);
        assert_eq!(clone_flags(0x10000), "CLONE_THREAD");
        assert_eq!(clone_flags(0), "0");
    }
}
