//! ptrace(2) between the tasks of a script. The stub that a task runs makes
//! calls of its own and keeps what it does in registers, so requests that show
//! or change those are not made there; nor is process 1 traced, which reaps.
//!
//! Left out: PTRACE_SYSCALL, all of registers, masks, PEEKSIGINFO.

use super::results::Kind;
use super::{Draft, No, no, nr, touches};
use crate::abi::ptrace::request::*;
use crate::kernel::syscalls::Payload;

/// Requests that take numbers only.
const NUMBERS: &[u64] = &[
    PTRACE_TRACEME,
    PTRACE_CONT,
    PTRACE_KILL,
    PTRACE_ATTACH,
    PTRACE_DETACH,
    PTRACE_SETOPTIONS,
    PTRACE_SEIZE,
    PTRACE_INTERRUPT,
    PTRACE_LISTEN,
];

/// Requests about a word of memory.
const MEMORY: &[u64] = &[PTRACE_PEEKTEXT, PTRACE_PEEKDATA, PTRACE_POKETEXT, PTRACE_POKEDATA];

/// ptrace(2).
pub(super) fn prepare(d: &mut Draft) -> Result<bool, No> {
    if nr(d) != libc::SYS_ptrace {
        return Ok(false);
    }
    let [op, pid, addr, ..] = d.call.args;
    if pid as i32 == 1 {
        return no("tracing process 1, which reaps for all");
    }
    if !matches!(d.call.payload, Payload::None | Payload::Registers) {
        return no("a ptrace request with a structure");
    }
    if NUMBERS.contains(&op) {
        return Ok(true);
    }
    if MEMORY.contains(&op) {
        touches(addr, 8)?;
    }
    match op {
        PTRACE_PEEKTEXT | PTRACE_PEEKDATA | PTRACE_GETEVENTMSG => d.result(3, 8, Kind::Word(8))?,
        PTRACE_POKETEXT | PTRACE_POKEDATA => {}
        PTRACE_GETSIGINFO => d.result(3, 128, Kind::SigInfo)?,
        other => {
            let name = name(other).map_or_else(|| format!("{other:#x}"), str::to_string);
            return no(format!("the ptrace request {name}"));
        }
    }
    Ok(true)
}
