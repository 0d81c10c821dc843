//! Machine code in user mode: the processor executes instructions until the
//! kernel is needed.
//!
//! ```text
//! run_user: Machine::run ---+--> page fault, resolved: go on
//!              ^            +--> other exception: a signal, Signalled
//!              |            +--> SYSCALL: the caller makes the call (make_call)
//!              +------------+--> budget used up, breakpoint
//! ```
//!
//! x87 and SSE registers are a processor's only while it executes: the task
//! keeps them otherwise (TIF_NEED_FPU_LOAD is always set in the kernel).
//!
//! Linux: arch/x86/entry/entry_64.S; arch/x86/kernel/fpu/core.c
//! (switch_fpu_return). Left out: vsyscall, 32-bit system calls.

use super::trap::handle_exception;
use super::{CannotAct, Entered, UserFault, can_act, syscall};
use crate::abi::Signal;
use crate::abi::signal::si_code;
use crate::base::VirtAddr;
use crate::kernel::sched::core::{account, current};
use crate::kernel::syscalls::Call;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::mmu::{Access, translate};
use crate::machine::regs::{USER_CS, USER_DS, USER32_CS};
use crate::machine::{Exception, Exit, Regs, Ring, disassemble};
use crate::trace::EventKind;
use std::collections::BTreeSet;

/// Virtual time that an instruction takes, in ns.
pub const INSN_NS: u64 = 1;

/// The longest instruction, in bytes.
const INSN_MAX: usize = 15;

/// More faults than this without anything done between mean that the fault
/// handler lies.
const MAX_FAULTS: u32 = 64;

/// Why a task's instructions stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserStop {
    /// All that was asked for is executed.
    Budget,
    /// The next instruction is one to stop at.
    Breakpoint,
    /// The next instruction is SYSCALL.
    Syscall,
    /// The last one raised an exception that became a signal: the task is dead,
    /// or its handler is next.
    Signalled(UserFault),
}

/// Lets a task execute instructions, at most `budget`; page faults that resolve
/// are resolved. Gives also how many were executed.
///
/// Preconditions: the task is current on its processor and in user mode.
pub fn run_user(
    sys: &mut System,
    task: TaskId,
    budget: u64,
    breakpoints: &BTreeSet<u64>,
) -> (UserStop, u64) {
    let mut done = 0;
    let mut faults = 0;
    if let Some(fault) = bad_segments(sys, task) {
        return (UserStop::Signalled(fault), done);
    }
    loop {
        let cpu = sys.task(task).cpu as usize;
        let before = sys.machine.cpus[cpu].regs;
        sys.machine.cpus[cpu].fpu = sys.task_mut(task).fpu.take();
        let run = sys.machine.run(cpu, budget - done, breakpoints);
        sys.task_mut(task).fpu = sys.machine.cpus[cpu].fpu.take();
        done += run.retired;
        // A string instruction gets on from fault to fault before it is done.
        if run.retired > 0 || sys.machine.cpus[cpu].regs != before {
            faults = 0;
        }
        if run.retired > 0 {
            account(sys, task, run.retired * INSN_NS, Ring::User);
        }
        let fault = match run.exit {
            Exit::Budget => return (UserStop::Budget, done),
            Exit::Breakpoint => return (UserStop::Breakpoint, done),
            Exit::Syscall => return (UserStop::Syscall, done),
            Exit::Exception(e) => raise(sys, task, e),
            Exit::Unsupported => Some(unsupported(sys, task)),
        };
        faults += 1;
        if let Some(fault) = fault {
            return (UserStop::Signalled(fault), done);
        }
        if faults > MAX_FAULTS {
            sys.oops("exc_page_fault", format!("{MAX_FAULTS} faults without getting on"));
        }
        if sys.kernel.oops.is_some() || done >= budget {
            return (UserStop::Budget, done);
        }
        // The next run takes its first instruction for one that was stopped at. This
        // one was not, if there are others before it.
        if done > 0 && breakpoints.contains(&user_regs(sys, task).ip) {
            return (UserStop::Breakpoint, done);
        }
    }
}

/// Segments with which IRET would not go to user mode, or not to 64-bit code: a
/// signal frame or a tracer may have named any (`fixup_bad_iret`).
fn bad_segments(sys: &mut System, task: TaskId) -> Option<UserFault> {
    let Regs { cs, ss, ip, .. } = sys.machine.cpus[sys.task(task).cpu as usize].regs;
    let code = match (cs, ss) {
        (USER_CS, USER_DS) => return None,
        (USER32_CS, USER_DS) => {
            let what = "32-bit code (CS is __USER32_CS) is not modelled";
            return Some(not_modelled(sys, task, ip, what.to_string()));
        }
        (USER_CS, _) => ss,
        _ => cs,
    };
    // Null selectors have no error code, others their own without the ring.
    raise(sys, task, Exception::GeneralProtection { code: code as u32 & 0xfffc })
}

fn raise(sys: &mut System, task: TaskId, e: Exception) -> Option<UserFault> {
    if sys.log.on() {
        sys.log.reset_depth();
        sys.log.push(EventKind::Exception(e.to_string()));
    }
    handle_exception(sys, task, e)
}

/// An instruction that the processor does not have, or that is not modelled:
/// SIGILL, which names it.
fn unsupported(sys: &mut System, task: TaskId) -> UserFault {
    let ip = sys.machine.cpus[sys.task(task).cpu as usize].regs.ip;
    let text = disassemble(&code_at(sys, task, ip, INSN_MAX), ip).map_or_else(
        || "an instruction".to_string(),
        |(text, _)| format!("the instruction `{text}`"),
    );
    not_modelled(sys, task, ip, format!("{text} is not modelled"))
}

/// SIGILL for what the processor has and the model has not.
fn not_modelled(sys: &mut System, task: TaskId, ip: u64, why: String) -> UserFault {
    let fault = raise(sys, task, Exception::InvalidOpcode);
    let killed = fault.as_ref().is_some_and(|f| f.killed);
    let (sig, si_code) = (Signal::SIGILL, si_code::ILL_ILLOPN);
    UserFault { sig, si_code, addr: ip, why, killed }
}

/// Up to `len` bytes of instructions at an address, as far as they can be
/// fetched without a fault. Changes nothing.
pub fn code_at(sys: &System, task: TaskId, ip: u64, len: usize) -> Vec<u8> {
    let Some(cpu) = sys.machine.cpus.get(sys.task(task).cpu as usize) else { return Vec::new() };
    // On copies: to look must leave no trace in TLB and tables.
    let Some(mm) = sys.task(task).mm else { return Vec::new() };
    let mut cpu = cpu.clone();
    cpu.load_cr3(sys.mm(mm).pgd);
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let va = ip.wrapping_add(bytes.len() as u64);
        let mut tables = sys.machine.mem.clone();
        let at = translate(&mut cpu, &mut tables, VirtAddr(va), Access::Exec, Ring::User);
        let Ok(at) = at else { break };
        let n = (len - bytes.len()).min((0x1000 - va % 0x1000) as usize);
        let mut part = vec![0; n];
        sys.machine.mem.read(at, &mut part);
        bytes.extend(part);
    }
    bytes
}

/// The registers that user mode goes on with.
pub fn user_regs(sys: &System, task: TaskId) -> Regs {
    let t = sys.task(task);
    let cpu = &sys.machine.cpus[t.cpu as usize];
    if t.on_cpu && current(sys, t.cpu) == task && cpu.ring() == Ring::User {
        cpu.regs
    } else {
        t.regs
    }
}

/// The call that the task's SYSCALL instruction makes.
pub fn call_of(regs: &Regs) -> Call {
    Call::raw(regs.ax as u32, &[regs.di, regs.si, regs.dx, regs.r10, regs.r8, regs.r9])
}

/// Executes the task's SYSCALL instruction.
///
/// Precondition: it is the next one.
///
/// # Errors
/// The task cannot act.
pub fn make_syscall(sys: &mut System, task: TaskId) -> Result<Entered, CannotAct> {
    can_act(sys, task)?;
    let call = call_of(&user_regs(sys, task));
    syscall(sys, task, call)
}
