//! Stops at both ends of a system call, for PTRACE_SYSCALL: what strace sees.
//!
//! At the entry `ax` is -ENOSYS and `orig_ax` the number; the tracer may
//! change number and arguments, and a number that does not exist skips the
//! call. At the exit `ax` is the result, which it may change too.
//!
//! Linux: include/linux/ptrace.h (ptrace_report_syscall), kernel/entry/common.c,
//! kernel/ptrace.c (ptrace_get_syscall_info).
//! Left out: PTRACE_SET_SYSCALL_INFO, single-stepping over a call.

use super::TrapAt;
use super::stop::ptrace_notify;
use crate::abi::Signal;
use crate::abi::ptrace::{
    EVENTMSG_SYSCALL_ENTRY, EVENTMSG_SYSCALL_EXIT, PtraceFlags, SyscallInfo, SyscallOp,
};
use crate::abi::structs::SigInfo;
use crate::kernel::entry::read_pt_regs;
use crate::kernel::pid::PidType;
use crate::kernel::signal::send::send_signal_locked;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Stops at an end of a system call if the tracer has asked for it; whether
/// it did (`ptrace_report_syscall`).
pub fn ptrace_report_syscall(sys: &mut System, task: TaskId, at: TrapAt) -> bool {
    let t = sys.task(task);
    if !t.syscall_trace || t.ptrace.is_empty() {
        return false;
    }
    let good = t.ptrace.contains(PtraceFlags::PT_TRACESYSGOOD);
    let code = Signal::SIGTRAP.number() | if good { 0x80 } else { 0 };
    let message = match at {
        TrapAt::SyscallEntry => EVENTMSG_SYSCALL_ENTRY,
        _ => EVENTMSG_SYSCALL_EXIT,
    };
    ptrace_notify(sys, task, code, message, at)
}

/// Back from such a stop: a signal that the tracer passed is sent. Whether the
/// task is about to die.
pub fn after_report_syscall(sys: &mut System, task: TaskId, code: i32) -> bool {
    if let Some(sig) = Signal::new(code) {
        // In the kernel's name.
        let _ = send_signal_locked(sys, SigInfo::kernel(sig), task, PidType::Pid);
    }
    sys.task(task).fatal_signal_pending()
}

/// PTRACE_GET_SYSCALL_INFO.
pub fn ptrace_get_syscall_info(sys: &mut System, child: TaskId) -> SyscallInfo {
    read_pt_regs(sys, child);
    let t = sys.task(child);
    let r = &t.regs;
    // Without TRACESYSGOOD the stop does not say what it is.
    let marked = Signal::SIGTRAP.number() | 0x80;
    let code = t.trap.as_ref().and_then(|t| t.info).map_or(0, |i| i.si_code);
    let op = match t.ptrace_message {
        _ if code != marked => SyscallOp::None,
        EVENTMSG_SYSCALL_ENTRY => {
            SyscallOp::Entry(t.orig_ax as u64, [r.di, r.si, r.dx, r.r10, r.r8, r.r9])
        }
        EVENTMSG_SYSCALL_EXIT => SyscallOp::Exit(r.ax as i64),
        _ => SyscallOp::None,
    };
    SyscallInfo { instruction_pointer: r.ip, stack_pointer: r.sp, op }
}
