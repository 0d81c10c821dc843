//! The tracee's registers: `struct user_regs_struct`, as a whole or by word.
//!
//! They lie in `pt_regs` at the top of its kernel stack, where it will find
//! what the tracer has written when it returns to user mode.
//!
//! Linux: arch/x86/kernel/ptrace.c (getreg, putreg, set_segment_reg,
//! set_flags, arch_ptrace).
//! Left out: changing DS, ES, FS and GS; debug registers and what else `struct user` has.

use crate::abi::Errno;
use crate::abi::ptrace::{USER_DEBUGREGS, USER_REGS_WORDS, USER_SIZE, UserRegs};
use crate::kernel::entry::{read_pt_regs, write_pt_regs};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::layout::task_size;
use crate::kernel::ptrace::TrapAt;
use crate::kernel::ptrace::stop::trap_at;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::ptregs::{PT_REGS_WORDS, from_words, to_words};
use crate::machine::{Rflags, Selectors};

const AX: usize = 10;
const CS: usize = 17;
const FLAGS: usize = 18;
const SS: usize = 20;
const FS_BASE: usize = 21;
const GS_BASE: usize = 22;

/// Flags that a tracer may change (`FLAG_MASK`).
const FLAG_MASK: u64 = Rflags::CF
    .union(Rflags::PF)
    .union(Rflags::AF)
    .union(Rflags::ZF)
    .union(Rflags::SF)
    .union(Rflags::DF)
    .union(Rflags::OF)
    .union(Rflags::RF)
    .union(Rflags::AC)
    .bits()
    | NT;
/// Nested task.
const NT: u64 = 1 << 14;

/// All registers of a stopped task.
pub fn getregs(sys: &mut System, child: TaskId) -> UserRegs {
    read_pt_regs(sys, child);
    let t = sys.task(child);
    let words = to_words(&t.regs, t.orig_ax as u64);
    let mut all = [0; USER_REGS_WORDS];
    all[..PT_REGS_WORDS].copy_from_slice(&words);
    all[FS_BASE] = t.thread.fsbase;
    all[GS_BASE] = t.thread.gsbase;
    all[GS_BASE + 1..].copy_from_slice(&selectors(sys, child));
    all
}

/// What DS, ES, FS and GS hold, in their order there.
fn selectors(sys: &System, child: TaskId) -> [u64; 4] {
    let Selectors { ds, es, fs, gs } = sys.task(child).thread.selectors;
    [ds, es, fs, gs].map(u64::from)
}

/// Changes one register (`putreg`).
///
/// # Errors
/// EIO: a selector that is not of ring 3, a base outside user memory.
fn putreg(sys: &mut System, child: TaskId, i: usize, value: u64) -> Result<(), SysError> {
    const F: &str = "putreg";
    let user_selector = value & 0xffff & 3 == 3;
    match i {
        CS | SS if !user_selector => {
            return refuse(Errno::EIO, F, "cs and ss must be selectors of ring 3");
        }
        FS_BASE | GS_BASE => {
            if value >= task_size(sys) {
                return refuse(Errno::EIO, F, "a segment base must lie in user memory");
            }
            let thread = &mut sys.task_mut(child).thread;
            match i {
                FS_BASE => thread.fsbase = value,
                _ => thread.gsbase = value,
            }
            return Ok(());
        }
        FLAGS if value & Rflags::TF.bits() != 0 => {
            let why = "the trap flag is not modelled: nothing traps after each instruction";
            return refuse(Errno::EIO, F, why);
        }
        PT_REGS_WORDS.. if value & 0xffff != selectors(sys, child)[i - GS_BASE - 1] => {
            let why = "changing the selectors in ds, es, fs and gs is not modelled";
            return refuse(Errno::EIO, F, why);
        }
        PT_REGS_WORDS.. => return Ok(()),
        _ => {}
    }
    read_pt_regs(sys, child);
    let t = sys.task(child);
    let mut words = to_words(&t.regs, t.orig_ax as u64);
    words[i] = match i {
        FLAGS => words[i] & !FLAG_MASK | value & FLAG_MASK,
        CS | SS => value & 0xffff,
        _ => value,
    };
    let t = sys.task_mut(child);
    let (regs, orig_ax) = from_words(&words);
    t.regs = regs;
    t.orig_ax = orig_ax as i64;
    if i == AX && trap_at(sys, child) != Some(TrapAt::Exec) {
        // A call on its way out returns what ax says; execve has yet to say it.
        let t = sys.task_mut(child);
        let leaving = t.resume.as_mut().and_then(|r| r.leaving.as_mut());
        if let Some(l) = leaving.filter(|l| l.outcome.ret != value as i64) {
            l.outcome.set_ret(value as i64);
        }
    }
    write_pt_regs(sys, child);
    Ok(())
}

/// Changes all registers; those before a refused one stay changed.
///
/// # Errors
/// EIO of `putreg`.
pub fn setregs(sys: &mut System, child: TaskId, regs: &UserRegs) -> Result<(), SysError> {
    regs.iter().enumerate().try_for_each(|(i, value)| putreg(sys, child, i, *value))
}

/// Which word of `struct user` an offset means: a register, or nothing that
/// Linux keeps there.
fn word_of(addr: u64) -> Result<Option<usize>, SysError> {
    const F: &str = "arch_ptrace";
    if !addr.is_multiple_of(8) || addr >= USER_SIZE {
        let why = format!("{addr:#x} is no offset of a word in struct user, which has 928 bytes");
        return Err(SysError::with(Errno::EIO, F, why));
    }
    if USER_DEBUGREGS.contains(&addr) {
        let why = format!("offset {addr:#x} of struct user is a debug register: not modelled");
        return Err(SysError::with(Errno::EIO, F, why));
    }
    Ok(Some((addr / 8) as usize).filter(|i| *i < USER_REGS_WORDS))
}

/// PTRACE_PEEKUSER.
///
/// # Errors
/// EIO.
pub fn peekuser(sys: &mut System, child: TaskId, addr: u64) -> Result<u64, SysError> {
    let i = word_of(addr)?;
    Ok(i.map_or(0, |i| getregs(sys, child)[i]))
}

/// PTRACE_POKEUSER.
///
/// # Errors
/// EIO.
pub fn pokeuser(sys: &mut System, child: TaskId, addr: u64, value: u64) -> Result<(), SysError> {
    match word_of(addr)? {
        Some(i) => putreg(sys, child, i, value),
        None => {
            let why = "the word lies behind the registers, where nothing can be written";
            refuse(Errno::EIO, "arch_ptrace", why)
        }
    }
}
