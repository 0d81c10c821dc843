//! Exceptions in user mode: what the processor refuses becomes a resolved
//! fault or a signal.
//!
//! Linux: arch/x86/mm/fault.c (exc_page_fault), arch/x86/kernel/traps.c.
//! Left out: vsyscall, fixups for kernel code.

use super::leave::exit_to_user_mode;
use super::regs::{enter_from_user, exit_to_user_regs};
use super::{CannotAct, can_act, settle};
use crate::abi::Signal;
use crate::abi::signal::si_code;
use crate::kernel::mm::fault;
use crate::kernel::sched::core::{self as sched, KERNEL_ENTRY_NS, USER_OP_NS, account, text};
use crate::kernel::signal::deliver::{Delivered, WayOut};
use crate::kernel::signal::send;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::{Exception, PfError, Rflags, Ring, UserOp};
use crate::trace::EventKind;

/// A fault that resolves must let the operation go on; more faults than this
/// on one operation mean that the fault handler lies.
const MAX_FAULTS: u32 = 64;

/// A user-mode operation that ended in a signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sig}: {why}")]
pub struct UserFault {
    /// The signal.
    pub sig: Signal,
    /// Its si_code.
    pub si_code: i32,
    /// Faulting address, 0 where there is none.
    pub addr: u64,
    /// What was wrong, in a sentence.
    pub why: String,
    /// Whether the task is dead now (else a handler runs).
    pub killed: bool,
}

/// Lets `task` execute a user-mode operation; page faults that resolve are
/// resolved, others become signals.
pub fn user_op(
    sys: &mut System,
    task: TaskId,
    op: UserOp,
) -> Result<Result<u64, UserFault>, CannotAct> {
    can_act(sys, task)?;
    sched::run_on_cpu(sys, task);
    can_act(sys, task)?;
    account(sys, task, USER_OP_NS, Ring::User);
    let cpu = sys.task(task).cpu as usize;
    for _ in 0..MAX_FAULTS {
        let exception = match sys.machine.exec_op(cpu, op) {
            Ok(value) => {
                // A timer of processor time may have fired meanwhile.
                if sys.kernel.cpu_timers_armed > 0 && sys.task(task).sigpending {
                    settle(sys);
                }
                return Ok(Ok(value));
            }
            Err(e) => e,
        };
        if sys.log.on() {
            sys.log.reset_depth();
            sys.log.push(EventKind::Exception(exception.to_string()));
        }
        if let Some(fault) = handle_exception(sys, task, exception) {
            settle(sys);
            return Ok(Err(fault));
        }
    }
    sys.oops("exc_page_fault", format!("{op:?} faulted {MAX_FAULTS} times without getting on"));
    Ok(Err(UserFault {
        sig: Signal::SIGKILL,
        si_code: si_code::SI_KERNEL,
        addr: 0,
        why: "the page fault handler does not get on".to_string(),
        killed: false,
    }))
}

/// Which of the unmasked floating-point exceptions it was, the gravest first
/// (`fpu__exception_code`).
fn fpu_exception_code(sys: &System, task: TaskId, e: Exception) -> (i32, String) {
    let fpu = sys.task(task).fpu.as_deref().copied().unwrap_or_default();
    let raised = match e {
        Exception::X87FloatingPoint => u32::from(fpu.x87.status & !fpu.x87.control),
        _ => fpu.mxcsr & !(fpu.mxcsr >> 7),
    };
    let (si_code, what) = match raised {
        r if r & 0x01 != 0 => (si_code::FPE_FLTINV, "an invalid operation"),
        r if r & 0x04 != 0 => (si_code::FPE_FLTDIV, "a division by zero"),
        r if r & 0x08 != 0 => (si_code::FPE_FLTOVF, "an overflow"),
        r if r & 0x12 != 0 => (si_code::FPE_FLTUND, "an underflow or a denormal operand"),
        r if r & 0x20 != 0 => (si_code::FPE_FLTRES, "an inexact result"),
        _ => (si_code::SI_KERNEL, "nothing that is still noted"),
    };
    (si_code, format!("a floating-point exception that is not masked: {what}"))
}

/// An exception in user mode. `None`: resolved, execute again.
pub(super) fn handle_exception(sys: &mut System, task: TaskId, e: Exception) -> Option<UserFault> {
    let handler = match e {
        Exception::PageFault { .. } => text::ASM_EXC_PAGE_FAULT,
        _ => text::ASM_COMMON_INTERRUPT,
    };
    let regs = &sys.machine.cpus[sys.task(task).cpu as usize].regs;
    let (ip, single_step) = (regs.ip, regs.has(Rflags::TF));
    enter_from_user(sys, task, handler, -1);
    account(sys, task, KERNEL_ENTRY_NS, Ring::Kernel);
    let (sig, si_code, addr, why) = match e {
        Exception::PageFault { addr, code } => {
            sys.log.enter("exc_page_fault");
            let handled = fault::handle_user_fault(sys, task, addr, code);
            sys.log.leave("exc_page_fault");
            match handled {
                Ok(()) => {
                    exit_to_user_regs(sys, task);
                    return None;
                }
                Err(f) => (f.sig, f.si_code, f.addr, f.why),
            }
        }
        Exception::DivideError => (
            Signal::SIGFPE,
            si_code::FPE_INTDIV,
            ip,
            "division by zero, or a quotient that does not fit".to_string(),
        ),
        Exception::InvalidOpcode => (
            Signal::SIGILL,
            si_code::ILL_ILLOPN,
            ip,
            "an instruction that does not exist".to_string(),
        ),
        Exception::Breakpoint => {
            (Signal::SIGTRAP, si_code::SI_KERNEL, 0, "a breakpoint instruction".to_string())
        }
        Exception::Debug if single_step => {
            (Signal::SIGTRAP, si_code::TRAP_TRACE, ip, "a single step (TF)".to_string())
        }
        Exception::Debug => (Signal::SIGTRAP, si_code::TRAP_BRKPT, ip, "a debug trap".to_string()),
        Exception::X87FloatingPoint | Exception::SimdFloatingPoint => {
            let (si_code, why) = fpu_exception_code(sys, task, e);
            (Signal::SIGFPE, si_code, ip, why)
        }
        Exception::StackFault { .. } => {
            let why = "a stack address that is not canonical".to_string();
            (Signal::SIGBUS, si_code::SI_KERNEL, 0, why)
        }
        Exception::AlignmentCheck => {
            (Signal::SIGBUS, si_code::BUS_ADRALN, 0, "an unaligned access (AC)".to_string())
        }
        Exception::DoubleFault { .. } => {
            sys.oops("exc_double_fault", "double fault: no stack to run on".to_string());
            (Signal::SIGKILL, si_code::SI_KERNEL, 0, "double fault".to_string())
        }
        other => (Signal::SIGSEGV, si_code::SI_KERNEL, 0, format!("general protection: {other}")),
    };
    note_trap(sys, task, e);
    send::force_sig_fault(sys, task, sig, si_code, addr);
    let delivered = exit_to_user_mode(sys, task, false, &mut WayOut::default());
    let killed = matches!(delivered, Delivered::Dead);
    Some(UserFault { sig, si_code, addr, why, killed })
}

/// What signal handlers find of an exception in their context
/// (`set_signal_archinfo`; `do_trap`).
fn note_trap(sys: &mut System, task: TaskId, e: Exception) {
    let t = &mut sys.task_mut(task).thread;
    t.trap_nr = u64::from(e.vector());
    t.error_code = u64::from(e.error_code().unwrap_or(0));
    if let Exception::PageFault { addr, code } = e {
        t.cr2 = addr.0;
        // Nobody learns what is mapped in the kernel's half.
        let kernel = addr.0 >= 1 << 63;
        let code = if kernel { code | PfError::P } else { code };
        t.error_code = u64::from((code | PfError::U).bits());
    }
}
