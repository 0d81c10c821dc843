//! prctl(2), arch_prctl(2), capabilities and personalities.
//!
//! Linux: the manual page of each. Left out: operations that are not modelled;
//! they print their arguments in hex.

use super::ctx::Ctx;
use super::kind::{Piece, one};
use super::names;
use super::signals::signal;
use super::special::{gives, int_at, known};
use super::text::{addr, flags, hex, name_of};
use crate::abi::numbers::PR_NAMES;
use crate::abi::{Cap, CapSet};

fn cap(v: u64) -> String {
    let cap = Cap::ALL.iter().find(|c| **c as u64 == v);
    cap.map_or_else(|| name_of(&[], v, "CAP_???"), |c| c.name().to_string())
}

pub fn prctl(ctx: &Ctx) -> Vec<Piece> {
    let [op, a2, a3, a4, a5, _] = ctx.args;
    let all: Vec<_> = PR_NAMES.iter().chain(names::tasks::PR_MORE).copied().collect();
    let name = one(&all, op as u32, "PR_???");
    let mut words = vec![name.clone()];
    let tail = || [a3, a4, a5].map(hex);
    match name.as_str() {
        "PR_SET_NAME" => words.push(short_name(ctx, a2).unwrap_or_else(|| addr(a2))),
        "PR_GET_NAME" => return gives(ctx, words, a2, short_name),
        "PR_SET_PDEATHSIG" => words.push(signal(a2 as i32)),
        "PR_GET_PDEATHSIG" => {
            return gives(ctx, words, a2, |c, at| c.i32(at).map(|s| format!("[{}]", signal(s))));
        }
        "PR_GET_CHILD_SUBREAPER" => return gives(ctx, words, a2, int_at),
        "PR_GET_TID_ADDRESS" => {
            return gives(ctx, words, a2, |c, at| c.u64(at).map(|v| format!("[{}]", addr(v))));
        }
        "PR_SET_DUMPABLE" => words.push(name_of(names::tasks::SUID_DUMP, a2, "SUID_DUMP_???")),
        "PR_GET_DUMPABLE" | "PR_GET_KEEPCAPS" | "PR_GET_SECUREBITS" | "PR_GET_TIMERSLACK"
        | "PR_GET_SECCOMP" | "PR_GET_TIMING" => {}
        "PR_SET_KEEPCAPS" | "PR_SET_CHILD_SUBREAPER" | "PR_SET_TIMERSLACK" => {
            words.push(a2.to_string());
        }
        "PR_SET_SECUREBITS" => {
            words.push(flags(crate::abi::numbers::SECBIT_NAMES, a2, "SECBIT_???"));
        }
        "PR_CAPBSET_READ" | "PR_CAPBSET_DROP" => words.push(cap(a2)),
        "PR_CAP_AMBIENT" => {
            let what = name_of(names::tasks::PR_AMBIENT, a2, "PR_CAP_AMBIENT_???");
            let arg = if what.ends_with("CLEAR_ALL") { hex(a3) } else { cap(a3) };
            words.extend([what, arg, hex(a4), hex(a5)]);
        }
        "PR_SET_SECCOMP" => {
            let mode = name_of(names::tasks::SECCOMP_MODE, a2, "SECCOMP_MODE_???");
            let filter = mode.ends_with("FILTER");
            words.push(mode);
            words.extend(filter.then(|| addr(a3)));
        }
        "PR_SET_NO_NEW_PRIVS" | "PR_SET_THP_DISABLE" => {
            words.push(a2.to_string());
            words.extend(tail());
        }
        "PR_GET_NO_NEW_PRIVS" | "PR_GET_THP_DISABLE" => {
            words.push(hex(a2));
            words.extend(tail());
        }
        "PR_SET_VMA" => {
            let what = name_of(&[("PR_SET_VMA_ANON_NAME", 0)], a2, "PR_SET_VMA_???");
            words.extend([what, addr(a3), a4.to_string(), ctx.string(a5)]);
        }
        _ => {
            words.push(hex(a2));
            words.extend(tail());
        }
    }
    known(words)
}

/// A task's name: 15 bytes at most.
fn short_name(ctx: &Ctx, at: u64) -> Option<String> {
    ctx.bytes(at, 1).map(|_| ctx.field(at, 15))
}

pub fn arch_prctl(ctx: &Ctx) -> Vec<Piece> {
    let [code, at, ..] = ctx.args;
    let name = one(names::tasks::ARCH, code as u32, "ARCH_???");
    if name.starts_with("ARCH_GET_FS") || name.starts_with("ARCH_GET_GS") {
        return gives(ctx, vec![name], at, |c, at| c.u64(at).map(|v| format!("[{}]", addr(v))));
    }
    known(vec![name, hex(at)])
}

fn cap_header(ctx: &Ctx) -> String {
    let at = ctx.args[0];
    match (ctx.u32(at), ctx.i32(at.wrapping_add(4))) {
        (Some(version), Some(pid)) if at != 0 => {
            let version = one(names::tasks::CAP_VERSION, version, "_LINUX_CAPABILITY_VERSION_???");
            format!("{{version={version}, pid={pid}}}")
        }
        _ => addr(at),
    }
}

fn cap_set(low: u32, high: u32) -> String {
    let set = CapSet(u64::from(low) | u64::from(high) << 32);
    let words: Vec<_> = Cap::ALL
        .iter()
        .filter(|c| set.0 >> (**c as u32) & 1 != 0)
        .map(|c| format!("1<<{}", c.name()))
        .collect();
    if words.is_empty() { "0".to_string() } else { words.join("|") }
}

fn caps_at(ctx: &Ctx, at: u64) -> Option<String> {
    const VERSION_1: u32 = 0x1998_0330;
    let f = |i: u64| ctx.u32(at.wrapping_add(4 * i));
    let high = |i: u64| if ctx.u32(ctx.args[0]) == Some(VERSION_1) { Some(0) } else { f(i) };
    Some(format!(
        "{{effective={}, permitted={}, inheritable={}}}",
        cap_set(f(0)?, high(3)?),
        cap_set(f(1)?, high(4)?),
        cap_set(f(2)?, high(5)?)
    ))
}

fn caps(ctx: &Ctx, at: u64) -> String {
    caps_at(ctx, at).unwrap_or_else(|| addr(at))
}

pub fn capget(ctx: &Ctx) -> Vec<Piece> {
    gives(ctx, vec![cap_header(ctx)], ctx.args[1], caps_at)
}

/// A personality; the low byte is a system, the rest are flags.
pub fn personality(v: u64) -> String {
    let v = v & 0xffff_ffff;
    if v == 0xffff_ffff {
        return hex(v);
    }
    let base = one(&[("PER_LINUX", 0), ("PER_LINUX32", 8)], (v & 0xff) as u32, "PER_???");
    match v & !0xff {
        0 => base,
        rest => format!("{base}|{}", flags(names::tasks::PERSONALITY, rest, "???")),
    }
}

/// capset: both structures are taken.
pub fn capset(ctx: &Ctx) -> Vec<Piece> {
    known(vec![cap_header(ctx), caps(ctx, ctx.args[1])])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_names() {
        assert_eq!(personality(0x40000), "PER_LINUX|ADDR_NO_RANDOMIZE");
        assert_eq!([cap(5), cap(99)], ["CAP_KILL", "0x63 /* CAP_??? */"]);
        assert_eq!(cap_set(1, 1 << 8), "1<<CAP_CHOWN|1<<CAP_CHECKPOINT_RESTORE");
    }
}
