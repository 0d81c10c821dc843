//! Calls whose later arguments depend on earlier ones, and remarks behind
//! results.
//!
//! Linux: the manual page of each. Left out: what `table` can say.

use super::ctx::Ctx;
use super::kind::{Piece, one, open_flags};
use super::names;
use super::structs;
use super::table::huge;
use super::text::{addr, flags, hex, name_of};
use super::{clone, fileops, futex, prctl, ptrace, ready};
use crate::abi::SigSet;
use crate::abi::numbers::PR_NAMES;

pub fn known(words: Vec<String>) -> Vec<Piece> {
    words.into_iter().map(Piece::Known).collect()
}

/// An argument that the call gives, behind those that it takes.
pub fn gives(
    ctx: &Ctx,
    mut words: Vec<String>,
    at: u64,
    print: fn(&Ctx, u64) -> Option<String>,
) -> Vec<Piece> {
    if ctx.ret.is_none() {
        let mut pieces = known(words);
        pieces.push(Piece::Later);
        return pieces;
    }
    let shown = if ctx.failed() { None } else { print(ctx, at) };
    words.push(shown.unwrap_or_else(|| addr(at)));
    known(words)
}

pub fn int_at(c: &Ctx, at: u64) -> Option<String> {
    c.i32(at).map(|v| format!("[{v}]"))
}

/// The arguments of a call that is printed by hand.
pub fn pieces(name: &str, ctx: &Ctx) -> Option<Vec<Piece>> {
    Some(match name {
        "mmap" => mmap(ctx),
        "clone" => clone::clone(ctx),
        "clone3" => clone::clone3(ctx),
        "execve" => clone::execve(ctx, false),
        "execveat" => clone::execve(ctx, true),
        "poll" => ready::poll(ctx, false),
        "ppoll" => ready::poll(ctx, true),
        "select" => ready::select(ctx, false),
        "pselect6" => ready::select(ctx, true),
        "fcntl" => fileops::fcntl(ctx),
        "ioctl" => fileops::ioctl(ctx),
        "futex" => futex::futex(ctx),
        "prctl" => prctl::prctl(ctx),
        "arch_prctl" => prctl::arch_prctl(ctx),
        "statx" => fileops::statx(ctx),
        "rt_sigreturn" => rt_sigreturn(ctx),
        "capget" => prctl::capget(ctx),
        "capset" => prctl::capset(ctx),
        "personality" => known(vec![prctl::personality(ctx.args[0])]),
        "epoll_ctl" => fileops::epoll_ctl(ctx),
        "ptrace" => ptrace::ptrace(ctx),
        "preadv2" | "pwritev2" => fileops::vectors2(ctx, name == "preadv2"),
        _ => return None,
    })
}

fn mmap(ctx: &Ctx) -> Vec<Piece> {
    let [at, len, prot, bits, fd, offset] = ctx.args;
    let ty = one(names::tasks::MAP_TYPE, (bits & 0xf) as u32, "MAP_???");
    let rest = match bits & !0xf {
        0 => String::new(),
        rest => {
            format!("|{}", huge(names::tasks::MAP, rest, "MAP").trim_end_matches(" /* MAP_??? */"))
        }
    };
    known(vec![
        addr(at),
        len.to_string(),
        flags(names::tasks::PROT, prot, "PROT_???"),
        format!("{ty}{rest}"),
        (fd as i32).to_string(),
        hex(offset),
    ])
}

/// The mask that the signal frame holds. The handler's return has taken the
/// first word of the frame off the stack: `uc_sigmask` of `ucontext` lies behind
/// flags, link, stack and 256 bytes of registers.
fn rt_sigreturn(ctx: &Ctx) -> Vec<Piece> {
    const UC_SIGMASK: u64 = 296;
    if ctx.ret.is_some() {
        // Said before; the stack pointer is another one by now.
        return vec![Piece::Known(String::new())];
    }
    let sp = crate::kernel::entry::code::user_regs(ctx.sys, ctx.task).sp;
    known(vec![match ctx.u64(sp.wrapping_add(UC_SIGMASK)) {
        Some(mask) => format!("{{mask={}}}", super::signals::sigset(SigSet(mask))),
        None => String::new(),
    }])
}

/// What stands in parentheses behind a result.
pub fn remark(name: &str, ctx: &Ctx) -> Option<String> {
    let ret = ctx.ret.filter(|_| !ctx.failed())?;
    match name {
        "poll" => ready::polled(ctx, false),
        "ppoll" => ready::polled(ctx, true),
        "select" => ready::selected(ctx, false),
        "pselect6" => ready::selected(ctx, true),
        "time" => Some(structs::date(ret, 0, 0)),
        "sched_getscheduler" => Some(one(names::tasks::SCHED, ret as u32, "SCHED_???")),
        "personality" => Some(prctl::personality(ret as u64)),
        "fcntl" => match one(names::files::FCNTL, ctx.args[1] as u32, "").as_str() {
            "F_GETFD" if ret != 0 => {
                Some(format!("flags {}", flags(names::files::FD_FLAGS, ret as u64, "FD_???")))
            }
            "F_GETFL" => Some(format!("flags {}", open_flags(ret as u64))),
            "F_GET_SEALS" if ret != 0 => {
                Some(format!("seals {}", flags(names::files::SEAL, ret as u64, "F_SEAL_???")))
            }
            _ => None,
        },
        "prctl" => match one(PR_NAMES, ctx.args[0] as u32, "").as_str() {
            "PR_GET_DUMPABLE" => {
                Some(name_of(names::tasks::SUID_DUMP, ret as u64, "SUID_DUMP_???"))
            }
            "PR_GET_SECUREBITS" if ret != 0 => {
                Some(flags(crate::abi::numbers::SECBIT_NAMES, ret as u64, "SECBIT_???"))
            }
            _ => None,
        },
        "membarrier" if ctx.args[0] == 0 => {
            Some(flags(names::tasks::MEMBARRIER, ret as u64, "MEMBARRIER_CMD_???"))
        }
        _ => None,
    }
}

/// Whether a result is a word of flags, which are in hex.
pub fn is_flags(name: &str, ctx: &Ctx) -> bool {
    match name {
        "fcntl" => {
            let cmd = one(names::files::FCNTL, ctx.args[1] as u32, "");
            matches!(cmd.as_str(), "F_GETFD" | "F_GETFL" | "F_GET_SEALS")
        }
        "prctl" => one(PR_NAMES, ctx.args[0] as u32, "") == "PR_GET_SECUREBITS",
        "membarrier" => true,
        _ => false,
    }
}
