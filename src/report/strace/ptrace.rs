//! ptrace(2).
//!
//! Linux: ptrace(2). Left out: register sets.

use super::ctx::Ctx;
use super::kind::Piece;
use super::names;
use super::signals::{siginfo_at, signal};
use super::special::{gives, known};
use super::text::{addr, flags, hex, name_of};

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

pub fn ptrace(ctx: &Ctx) -> Vec<Piece> {
    let [op, pid, at, data, ..] = ctx.args;
    let name = name_of(names::tasks::PTRACE, op, "PTRACE_???");
    let pid = (pid as i32).to_string();
    let options = |v: u64| flags(names::tasks::PTRACE_O, v, "PTRACE_O_???");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_struct_user_have_names() {
        assert_eq!([user_offset(5), user_offset(8)], ["8*R15+5", "8*R14"]);
        assert_eq!(user_offset(8 * 27), "0xd8");
    }
}
