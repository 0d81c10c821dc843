//! Calls whose later arguments depend on earlier ones: fcntl, ioctl, prctl,
//! futex, mmap, ptrace and some more.
//!
//! Linux: the manual page of each. Left out: requests of ioctl that no file of
//! the model knows print their argument in hex.

use super::ctx::Ctx;
use super::kind::{Piece, dir, one, open_flags};
use super::names;
use super::signals::{siginfo_at, signal};
use super::structs::{flock, statx as statx_at, timespec};
use super::termios::termios;
use super::text::{addr, flags, hex, name_of};
use super::{clone, ready, structs};
use crate::abi::numbers::PR_NAMES;
use crate::abi::{Cap, CapSet, SigSet, tty};

fn known(words: Vec<String>) -> Vec<Piece> {
    words.into_iter().map(Piece::Known).collect()
}

/// An argument that the call gives, behind those that it takes.
fn gives(ctx: &Ctx, mut words: Vec<String>, at: u64, print: fn(&Ctx, u64) -> Option<String>) -> Vec<Piece> {
    if ctx.ret.is_none() {
        let mut pieces = known(words);
        pieces.push(Piece::Later);
        return pieces;
    }
    let shown = if ctx.failed() { None } else { print(ctx, at) };
    words.push(shown.unwrap_or_else(|| addr(at)));
    known(words)
}

fn int_at(c: &Ctx, at: u64) -> Option<String> {
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
        "fcntl" => fcntl(ctx),
        "ioctl" => ioctl(ctx),
        "futex" => futex(ctx),
        "prctl" => prctl(ctx),
        "arch_prctl" => arch_prctl(ctx),
        "statx" => statx(ctx),
        "rt_sigreturn" => rt_sigreturn(ctx),
        "capget" => capget(ctx),
        "capset" => known(vec![cap_header(ctx), caps(ctx, ctx.args[1])]),
        "personality" => known(vec![personality(ctx.args[0])]),
        "epoll_ctl" => epoll_ctl(ctx),
        "ptrace" => ptrace(ctx),
        "preadv2" | "pwritev2" => vectors2(ctx, name == "preadv2"),
        _ => return None,
    })
}

fn mmap(ctx: &Ctx) -> Vec<Piece> {
    let [at, len, prot, bits, fd, offset] = ctx.args;
    let ty = one(names::MAP_TYPE, (bits & 0xf) as u32, "MAP_???");
    let rest = match bits & !0xf {
        0 => String::new(),
        rest => format!("|{}", flags(names::MAP, rest, "MAP_???").trim_end_matches(" /* MAP_??? */")),
    };
    known(vec![
        addr(at),
        len.to_string(),
        flags(names::PROT, prot, "PROT_???"),
        format!("{ty}{rest}"),
        (fd as i32).to_string(),
        hex(offset),
    ])
}

fn statx(ctx: &Ctx) -> Vec<Piece> {
    let [fd, path, bits, mask, at, _] = ctx.args;
    let bits = bits & 0xffff_ffff;
    let sync = flags(names::AT_STATX, bits & 0x6000, "AT_???");
    let rest = match bits & !0x6000 {
        0 => String::new(),
        rest => format!("|{}", flags(names::AT, rest, "AT_???").trim_end_matches(" /* AT_??? */")),
    };
    let mask = flags(names::STATX, mask & 0xffff_ffff, "STATX_???");
    gives(ctx, vec![dir(fd), ctx.path(path), format!("{sync}{rest}"), mask], at, statx_at)
}

/// fcntl(2): what the third argument is depends on the command.
fn fcntl(ctx: &Ctx) -> Vec<Piece> {
    let [fd, cmd, arg, ..] = ctx.args;
    let name = one(names::FCNTL, cmd as u32, "F_???");
    let mut words = vec![(fd as i32).to_string(), name.clone()];
    match name.as_str() {
        "F_GETFD" | "F_GETFL" | "F_GETOWN" | "F_GETSIG" | "F_GETLEASE" | "F_GETPIPE_SZ"
        | "F_GET_SEALS" => {}
        "F_SETFD" => words.push(flags(names::FD_FLAGS, arg & 0xffff_ffff, "FD_???")),
        "F_SETFL" => words.push(open_flags(arg & 0xffff_ffff)),
        "F_DUPFD" | "F_DUPFD_CLOEXEC" | "F_SETOWN" | "F_SETPIPE_SZ" => {
            words.push((arg as i32).to_string());
        }
        "F_SETSIG" => words.push(signal(arg as i32)),
        "F_SETLEASE" => words.push(one(names::LOCK_TYPE, arg as u32, "F_???")),
        "F_ADD_SEALS" => words.push(flags(names::SEAL, arg & 0xffff_ffff, "F_SEAL_???")),
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
    let named = names::IOCTL.iter().find(|(_, n)| *n as u64 == v).map(|(name, _)| *name);
    let named = named.or_else(|| tty::REQUESTS.iter().find(|(_, n)| *n == v).map(|(name, _)| *name));
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

fn ioctl(ctx: &Ctx) -> Vec<Piece> {
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

/// FUTEX_WAKE_OP's packed operation.
fn wake_op(v: u32) -> String {
    let (op, cmp) = (v >> 28, v >> 24 & 0xf);
    let shift = if op & 8 != 0 { "FUTEX_OP_OPARG_SHIFT<<28|" } else { "" };
    format!(
        "{shift}{}<<28|{}<<12|{}<<24|{}",
        one(names::FUTEX_OP, op & 7, "FUTEX_OP_???"),
        hex((v >> 12 & 0xfff).into()),
        one(names::FUTEX_CMP, cmp, "FUTEX_OP_CMP_???"),
        hex((v & 0xfff).into())
    )
}

/// A futex's operation with its two flags.
fn futex_op(v: u32) -> String {
    const PRIVATE: u32 = 128;
    const REALTIME: u32 = 256;
    let base = one(names::FUTEX, v & !(PRIVATE | REALTIME), "FUTEX_???");
    let private = if v & PRIVATE != 0 { "_PRIVATE" } else { "" };
    let clock = if v & REALTIME != 0 { "|FUTEX_CLOCK_REALTIME" } else { "" };
    format!("{base}{private}{clock}")
}

fn futex(ctx: &Ctx) -> Vec<Piece> {
    let [at, op, val, timeout, uaddr2, val3] = ctx.args;
    let val = (val as u32).to_string();
    let until = |at: u64| timespec(ctx, at).unwrap_or_else(|| addr(at));
    let bits = |v: u64| match v as u32 {
        u32::MAX => "FUTEX_BITSET_MATCH_ANY".to_string(),
        v => hex(v.into()),
    };
    let val2 = (timeout as u32).to_string();
    let mut words = vec![addr(at), futex_op(op as u32)];
    words.extend(match op as u32 & 0x7f {
        0 => vec![val, until(timeout)],
        1 => vec![val],
        3 => vec![val, val2, addr(uaddr2)],
        4 | 12 => vec![val, val2, addr(uaddr2), (val3 as u32).to_string()],
        5 => vec![val, val2, addr(uaddr2), wake_op(val3 as u32)],
        6 | 13 => vec![until(timeout)],
        7 | 8 => vec![],
        9 => vec![val, until(timeout), bits(val3)],
        10 => vec![val, bits(val3)],
        11 => vec![val, until(timeout), addr(uaddr2)],
        _ => vec![val, addr(timeout), addr(uaddr2), hex(val3 & 0xffff_ffff)],
    });
    known(words)
}

fn cap(v: u64) -> String {
    let cap = Cap::ALL.iter().find(|c| **c as u64 == v);
    cap.map_or_else(|| name_of(&[], v, "CAP_???"), |c| c.name().to_string())
}

fn prctl(ctx: &Ctx) -> Vec<Piece> {
    let [op, a2, a3, a4, a5, _] = ctx.args;
    let all: Vec<_> = PR_NAMES.iter().chain(names::PR_MORE).copied().collect();
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
        "PR_SET_DUMPABLE" => words.push(name_of(names::SUID_DUMP, a2, "SUID_DUMP_???")),
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
            let what = name_of(names::PR_AMBIENT, a2, "PR_CAP_AMBIENT_???");
            let arg = if what.ends_with("CLEAR_ALL") { hex(a3) } else { cap(a3) };
            words.extend([what, arg, hex(a4), hex(a5)]);
        }
        "PR_SET_SECCOMP" => {
            let mode = name_of(names::SECCOMP_MODE, a2, "SECCOMP_MODE_???");
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

fn arch_prctl(ctx: &Ctx) -> Vec<Piece> {
    let [code, at, ..] = ctx.args;
    let name = one(names::ARCH, code as u32, "ARCH_???");
    if name.starts_with("ARCH_GET_FS") || name.starts_with("ARCH_GET_GS") {
        return gives(ctx, vec![name], at, |c, at| c.u64(at).map(|v| format!("[{}]", addr(v))));
    }
    known(vec![name, hex(at)])
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

fn cap_header(ctx: &Ctx) -> String {
    let at = ctx.args[0];
    match (ctx.u32(at), ctx.i32(at.wrapping_add(4))) {
        (Some(version), Some(pid)) if at != 0 => {
            let version = one(names::CAP_VERSION, version, "_LINUX_CAPABILITY_VERSION_???");
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

fn capget(ctx: &Ctx) -> Vec<Piece> {
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
        rest => format!("{base}|{}", flags(names::PERSONALITY, rest, "???")),
    }
}

fn epoll_ctl(ctx: &Ctx) -> Vec<Piece> {
    let [ep, op, fd, event, ..] = ctx.args;
    let name = one(names::EPOLL_CTL, op as u32, "EPOLL_CTL_???");
    let event = match name.as_str() {
        "EPOLL_CTL_DEL" => addr(event),
        _ => structs::epoll_event(ctx, event).unwrap_or_else(|| addr(event)),
    };
    known(vec![(ep as i32).to_string(), name, (fd as i32).to_string(), event])
}

/// preadv2, pwritev2: the offset is one register on x86_64, and a second one
/// that means nothing.
fn vectors2(ctx: &Ctx, read: bool) -> Vec<Piece> {
    let [fd, at, n, offset, _, bits] = ctx.args;
    let fd = (fd as i32).to_string();
    let how = flags(names::RWF, bits & 0xffff_ffff, "RWF_???");
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

/// Registers in `struct user`, by their place.
const USER_REGS: [&str; 27] = [
    "R15", "R14", "R13", "R12", "RBP", "RBX", "R11", "R10", "R9", "R8", "RAX", "RCX", "RDX", "RSI",
    "RDI", "ORIG_RAX", "RIP", "CS", "EFLAGS", "RSP", "SS", "FS_BASE", "GS_BASE", "DS", "ES", "FS",
    "GS",
];

fn user_offset(v: u64) -> String {
    match USER_REGS.get((v / 8) as usize) {
        Some(name) if v % 8 == 0 => format!("8*{name}"),
        Some(name) => format!("8*{name}+{}", v % 8),
        None => hex(v),
    }
}

fn regs_at(c: &Ctx, at: u64) -> Option<String> {
    let mut words = Vec::new();
    for (i, name) in USER_REGS.iter().enumerate() {
        let v = c.u64(at.wrapping_add(8 * i as u64))?;
        words.push(format!("{}={}", name.to_lowercase(), hex(v)));
    }
    Some(format!("{{{}}}", words.join(", ")))
}

fn ptrace(ctx: &Ctx) -> Vec<Piece> {
    let [op, pid, at, data, ..] = ctx.args;
    let name = name_of(names::PTRACE, op, "PTRACE_???");
    let pid = (pid as i32).to_string();
    let options = |v: u64| flags(names::PTRACE_O, v, "PTRACE_O_???");
    let mut words = vec![name.clone()];
    match name.as_str() {
        "PTRACE_TRACEME" => return known(words),
        "PTRACE_ATTACH" | "PTRACE_KILL" | "PTRACE_INTERRUPT" | "PTRACE_LISTEN" => words.push(pid),
        "PTRACE_CONT" | "PTRACE_SYSCALL" | "PTRACE_SINGLESTEP" | "PTRACE_DETACH" => {
            words.extend([pid, addr(at), signal(data as i32)]);
        }
        "PTRACE_SETOPTIONS" | "PTRACE_SEIZE" => words.extend([pid, addr(at), options(data)]),
        "PTRACE_POKETEXT" | "PTRACE_POKEDATA" => words.extend([pid, addr(at), hex(data)]),
        "PTRACE_POKEUSER" => words.extend([pid, user_offset(at), hex(data)]),
        "PTRACE_PEEKTEXT" | "PTRACE_PEEKDATA" => {
            words.extend([pid, addr(at)]);
            return gives(ctx, words, data, |c, at| c.u64(at).map(|v| format!("[{}]", hex(v))));
        }
        "PTRACE_PEEKUSER" => {
            words.extend([pid, user_offset(at)]);
            return gives(ctx, words, data, |c, at| c.u64(at).map(|v| format!("[{}]", hex(v))));
        }
        "PTRACE_GETREGS" => {
            words.push(pid);
            return gives(ctx, words, data, regs_at);
        }
        "PTRACE_SETREGS" => {
            words.extend([pid, regs_at(ctx, data).unwrap_or_else(|| addr(data))]);
        }
        "PTRACE_GETSIGINFO" => {
            words.extend([pid, addr(at)]);
            return gives(ctx, words, data, siginfo_at);
        }
        "PTRACE_SETSIGINFO" => {
            let info = siginfo_at(ctx, data).unwrap_or_else(|| addr(data));
            words.extend([pid, addr(at), info]);
        }
        "PTRACE_GETEVENTMSG" => {
            words.extend([pid, addr(at)]);
            return gives(ctx, words, data, |c, at| c.u64(at).map(|v| format!("[{v}]")));
        }
        _ => words.extend([pid, hex(at), addr(data)]),
    }
    known(words)
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
        "sched_getscheduler" => Some(one(names::SCHED, ret as u32, "SCHED_???")),
        "personality" => Some(personality(ret as u64)),
        "fcntl" => match one(names::FCNTL, ctx.args[1] as u32, "").as_str() {
            "F_GETFD" if ret != 0 => {
                Some(format!("flags {}", flags(names::FD_FLAGS, ret as u64, "FD_???")))
            }
            "F_GETFL" => Some(format!("flags {}", open_flags(ret as u64))),
            "F_GET_SEALS" if ret != 0 => {
                Some(format!("seals {}", flags(names::SEAL, ret as u64, "F_SEAL_???")))
            }
            _ => None,
        },
        "prctl" => match one(PR_NAMES, ctx.args[0] as u32, "").as_str() {
            "PR_GET_DUMPABLE" => Some(name_of(names::SUID_DUMP, ret as u64, "SUID_DUMP_???")),
            "PR_GET_SECUREBITS" if ret != 0 => {
                Some(flags(crate::abi::numbers::SECBIT_NAMES, ret as u64, "SECBIT_???"))
            }
            _ => None,
        },
        "membarrier" if ctx.args[0] == 0 => {
            Some(flags(names::MEMBARRIER, ret as u64, "MEMBARRIER_CMD_???"))
        }
        _ => None,
    }
}

/// Whether a result is a word of flags, which are in hex.
pub fn is_flags(name: &str, ctx: &Ctx) -> bool {
    match name {
        "fcntl" => {
            let cmd = one(names::FCNTL, ctx.args[1] as u32, "");
            matches!(cmd.as_str(), "F_GETFD" | "F_GETFL" | "F_GET_SEALS")
        }
        "prctl" => one(PR_NAMES, ctx.args[0] as u32, "") == "PR_GET_SECUREBITS",
        "membarrier" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_of_futexes() {
        assert_eq!(futex_op(129), "FUTEX_WAKE_PRIVATE");
        assert_eq!(futex_op(9 | 128 | 256), "FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME");
        assert_eq!(
            wake_op(0x0400_0001),
            "FUTEX_OP_SET<<28|0<<12|FUTEX_OP_CMP_GT<<24|0x1"
        );
    }

    #[test]
    fn requests_and_places_have_names() {
        assert_eq!(request(0x5401), "TCGETS");
        assert_eq!(request(0x5413), "TIOCGWINSZ");
        assert_eq!(request(0x12345), "_IOC(_IOC_NONE, 0x23, 0x45, 0x1)");
        assert_eq!([user_offset(5), user_offset(8)], ["8*R15+5", "8*R14"]);
        assert_eq!(personality(0x40000), "PER_LINUX|ADDR_NO_RANDOMIZE");
    }
}
