//! ptrace(2): finding the tracee, and what each request passes through its
//! last two arguments. The verbs live in `kernel::ptrace`.
//!
//! Linux: kernel/ptrace.c (SYSCALL_DEFINE4(ptrace)),
//! arch/x86/kernel/ptrace.c (arch_ptrace).
//! Left out: see the note of the row.

use super::table::{Syscall, row};
use super::{Call, Out, Payload};
use crate::abi::ptrace::request::*;
use crate::abi::ptrace::{NT_PRSTATUS, USER_REGS_WORDS, UserRegs};
use crate::abi::structs::SigInfo;
use crate::abi::{Errno, SigSet, Signal};
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user, get_user_u64, put_user_u64};
use crate::kernel::pid::find_task_by_vpid;
use crate::kernel::ptrace::{attach, memory, peeksig, regs, request, syscall};
use crate::kernel::signal::frame::{SIGINFO_SIZE, siginfo_bytes, siginfo_from_bytes};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

/// Rows of the table.
pub const CALLS: &[Syscall] = &[row(101, "ptrace", &["op", "pid", "addr", "data"], sys_ptrace)
    .partly(
        "single steps, blocks, SYSEMU, FPU and debug registers, thread areas, seccomp, rseq and \
         user dispatch are refused by name",
    )];

fn sys_ptrace(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    let [op, pid, addr, data, ..] = call.args;
    if op == PTRACE_TRACEME {
        traced!(sys, attach::ptrace_traceme(current))?;
        return Ok(0);
    }
    let Some(child) = find_task_by_vpid(sys, current, pid as i32) else {
        return Err(SysError::new(Errno::ESRCH, "ptrace", "no thread has this id").into());
    };
    match op {
        PTRACE_ATTACH => traced!(sys, attach::ptrace_attach(current, child, None))?,
        PTRACE_SEIZE => {
            traced!(sys, attach::ptrace_attach(current, child, Some((addr, data))))?;
        }
        _ => {
            let running = matches!(op, PTRACE_KILL | PTRACE_INTERRUPT);
            request::ptrace_check_attach(sys, current, child, running)?;
            return Ok(traced!(sys, arch_ptrace(current, child, call))?);
        }
    }
    Ok(0)
}

/// Stores a result through `data`, or leaves it as [`Out`].
fn give(
    sys: &mut System,
    current: TaskId,
    call: &Call,
    bytes: &[u8],
    out: Out,
) -> Result<i64, SysError> {
    if !call.wants_out(3) {
        copy_to_user(sys, current, call.args[3], bytes)?;
    }
    sys.set_out(current, out);
    Ok(0)
}

fn arch_ptrace(
    sys: &mut System,
    current: TaskId,
    child: TaskId,
    call: &Call,
) -> Result<i64, SysError> {
    let [op, _, addr, data, ..] = call.args;
    match op {
        PTRACE_PEEKTEXT | PTRACE_PEEKDATA => {
            let word = memory::ptrace_peekdata(sys, current, child, addr)?;
            return give(sys, current, call, &word.to_le_bytes(), Out::Number(word));
        }
        PTRACE_PEEKUSER => {
            let word = regs::peekuser(sys, child, addr)?;
            return give(sys, current, call, &word.to_le_bytes(), Out::Number(word));
        }
        PTRACE_POKETEXT | PTRACE_POKEDATA => {
            memory::ptrace_pokedata(sys, current, child, addr, data)?;
        }
        PTRACE_POKEUSER => regs::pokeuser(sys, child, addr, data)?,
        PTRACE_CONT => traced!(sys, request::ptrace_resume(child, data, false))?,
        PTRACE_SYSCALL => traced!(sys, request::ptrace_resume(child, data, true))?,
        PTRACE_KILL => request::ptrace_kill(sys, child),
        PTRACE_DETACH => traced!(sys, attach::ptrace_detach(current, child, data))?,
        PTRACE_GETREGS => {
            let all = regs::getregs(sys, child);
            return give(sys, current, call, &bytes_of(&all), Out::UserRegs(Box::new(all)));
        }
        PTRACE_SETREGS => {
            let all = user_regs(sys, current, call, data)?;
            regs::setregs(sys, child, &all)?;
        }
        PTRACE_GETREGSET | PTRACE_SETREGSET => return regset(sys, current, child, call),
        PTRACE_SETOPTIONS => request::ptrace_setoptions(sys, child, data)?,
        PTRACE_GETEVENTMSG => {
            let message = sys.task(child).ptrace_message;
            return give(sys, current, call, &message.to_le_bytes(), Out::Number(message));
        }
        PTRACE_GETSIGINFO => {
            let info = request::ptrace_getsiginfo(sys, child)?;
            let out = Out::SigInfo(Box::new(info));
            return give(sys, current, call, &siginfo_bytes(&info), out);
        }
        PTRACE_SETSIGINFO => {
            let info = user_siginfo(sys, current, call)?;
            request::ptrace_setsiginfo(sys, child, info)?;
        }
        PTRACE_PEEKSIGINFO => return peek_siginfo(sys, current, child, call),
        PTRACE_GETSIGMASK => {
            check_sigset_size(addr)?;
            let set = request::ptrace_getsigmask(sys, child);
            return give(sys, current, call, &set.0.to_le_bytes(), Out::SigSet(set));
        }
        PTRACE_SETSIGMASK => {
            check_sigset_size(addr)?;
            let set = match &call.payload {
                Payload::SigSet(set) => *set,
                _ => SigSet(get_user_u64(sys, current, data)?),
            };
            request::ptrace_setsigmask(sys, child, set);
        }
        PTRACE_INTERRUPT => traced!(sys, request::ptrace_interrupt(child))?,
        PTRACE_LISTEN => traced!(sys, request::ptrace_listen(child))?,
        PTRACE_GET_SYSCALL_INFO => {
            let info = syscall::ptrace_get_syscall_info(sys, child);
            let bytes = info.to_bytes();
            let n = bytes.len().min(addr as usize);
            give(sys, current, call, &bytes[..n], Out::SyscallInfo(Box::new(info)))?;
            return Ok(bytes.len() as i64);
        }
        other => return not_modelled(other),
    }
    Ok(0)
}

/// A request that there is not, or that is not modelled: Linux's EIO.
fn not_modelled(op: u64) -> Result<i64, SysError> {
    let why = match name(op) {
        Some(name) => format!("{name} is a request of Linux that this kernel does not model"),
        None => format!("there is no request with number {op:#x}"),
    };
    Err(SysError::with(Errno::EIO, "ptrace_request", why))
}

fn check_sigset_size(size: u64) -> Result<(), SysError> {
    if size != 8 {
        let why = "addr must be 8, the size of the kernel's sigset_t";
        return refuse(Errno::EINVAL, "ptrace_request", why);
    }
    Ok(())
}

fn bytes_of(regs: &UserRegs) -> Vec<u8> {
    regs.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// The registers that a tracer passes.
fn user_regs(
    sys: &mut System,
    current: TaskId,
    call: &Call,
    at: u64,
) -> Result<UserRegs, SysError> {
    if let Payload::UserRegs(regs) = &call.payload {
        return Ok(**regs);
    }
    let mut b = [0; USER_REGS_WORDS * 8];
    copy_from_user(sys, current, at, &mut b)?;
    Ok(words_of(&b))
}

fn words_of(bytes: &[u8]) -> UserRegs {
    let mut words = [0; USER_REGS_WORDS];
    for (word, b) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*b);
    }
    words
}

/// PTRACE_GETREGSET and SETREGSET, of which there is one set here: `data`
/// points to an iovec, whose length becomes that of what was copied.
fn regset(sys: &mut System, current: TaskId, child: TaskId, call: &Call) -> Result<i64, SysError> {
    const F: &str = "ptrace_regset";
    let [op, _, addr, data, ..] = call.args;
    let direct = call.wants_out(3);
    let (base, len) = match direct {
        true => (0, USER_REGS_WORDS as u64 * 8),
        false => (get_user_u64(sys, current, data)?, get_user_u64(sys, current, data + 8)?),
    };
    if addr != NT_PRSTATUS {
        let why = "only NT_PRSTATUS, the general registers, is modelled of the register sets";
        return refuse(Errno::EINVAL, F, why);
    }
    if len % 8 != 0 {
        return refuse(Errno::EINVAL, F, "the length is no multiple of 8, the size of a register");
    }
    let len = len.min(USER_REGS_WORDS as u64 * 8) as usize;
    let mut all = regs::getregs(sys, child);
    if op == PTRACE_GETREGSET {
        if !direct {
            copy_to_user(sys, current, base, &bytes_of(&all)[..len])?;
            put_user_u64(sys, current, data + 8, len as u64)?;
        }
        sys.set_out(current, Out::UserRegs(Box::new(all)));
        return Ok(0);
    }
    if let Payload::UserRegs(regs) = &call.payload {
        all = **regs;
    } else {
        let mut bytes = bytes_of(&all);
        copy_from_user(sys, current, base, &mut bytes[..len])?;
        all = words_of(&bytes);
        put_user_u64(sys, current, data + 8, len as u64)?;
    }
    regs::setregs(sys, child, &all)?;
    Ok(0)
}

/// The siginfo that a tracer passes.
fn user_siginfo(sys: &mut System, current: TaskId, call: &Call) -> Result<SigInfo, SysError> {
    if let Payload::SigInfo(info) = &call.payload {
        return Ok(**info);
    }
    let mut b = [0; SIGINFO_SIZE];
    copy_from_user(sys, current, call.args[3], &mut b)?;
    let number = i32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let Some(sig) = Signal::new(number) else {
        let why = format!("a siginfo for signal {number}, which there is not, is not modelled");
        return Err(SysError::with(Errno::EINVAL, "ptrace_setsiginfo", why));
    };
    Ok(siginfo_from_bytes(sig, &b))
}

fn peek_siginfo(
    sys: &mut System,
    current: TaskId,
    child: TaskId,
    call: &Call,
) -> Result<i64, SysError> {
    let found = peeksig::ptrace_peek_siginfo(sys, current, child, call.args[2])?;
    let bytes: Vec<u8> = found.iter().flat_map(siginfo_bytes).collect();
    copy_to_user(sys, current, call.args[3], &bytes)?;
    Ok(found.len() as i64)
}
