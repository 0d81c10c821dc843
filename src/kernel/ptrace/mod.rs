//! ptrace(2): one task watches and steers another.
//!
//! A traced task (tracee) has two parents: `real_parent`, who made it, and
//! `parent`, the tracer, who sees everything first.
//!
//! ```text
//!             PTRACE_TRACEME, ATTACH, SEIZE, or born traced    attach
//!  running ------------------------------------------------> traced, running
//!                                                              |        ^
//!    a signal, a group stop, an end of a system call, fork,    |        | CONT,
//!    exec, exit: ptrace_stop, wait(2) of the tracer returns    v        | SYSCALL
//!                                                         TASK_TRACED t +  request
//!                                                              |
//!                  DETACH, or the tracer exits: parent = real_parent   exit
//! ```
//!
//! A handler of this kernel cannot sleep in the middle, so a task that stops
//! notes where it was ([`Trap`]), and whoever finds the note when the task
//! runs again goes on from there.
//!
//! Linux: kernel/ptrace.c, include/linux/ptrace.h, the ptrace parts of
//! kernel/signal.c; ptrace(2).
//! Left out: single-stepping, SYSEMU, debug registers, FPU state, seccomp,
//! syscall user dispatch, rseq; JOBCTL_TRAPPING and PTRACE_FROZEN: a call is a
//! single moment here, and whoever attaches to a stopped task lets it trap at once
//! instead of sleeping until it has.

pub mod access;
pub mod attach;
pub mod event;
pub mod exit;
pub mod memory;
pub mod outside;
pub mod peeksig;
pub mod regs;
pub mod request;
pub mod stop;
pub mod syscall;

pub use access::ptrace_may_access;

use crate::abi::Cap;
use crate::abi::structs::SigInfo;
use crate::kernel::capability::cap_capable;
use crate::kernel::nsproxy::UserNsId;
use crate::kernel::pid::PidType;
use crate::kernel::signal::same_thread_group;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::CompletionId;

/// A task stopped for its tracer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// Where it was.
    pub at: TrapAt,
    /// `last_siginfo`: what the tracer may read and change.
    pub info: Option<SigInfo>,
}

/// Where in the kernel a task stopped for its tracer, and what it needs to go
/// on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrapAt {
    /// `ptrace_signal`: about to take the signal in `info`, which came from
    /// the task's own queue or its group's.
    Signal(PidType),
    /// `do_jobctl_trap`: a group stop, or PTRACE_INTERRUPT.
    Jobctl,
    /// `ptrace_report_syscall_entry`: the call is in `resume`, not begun.
    SyscallEntry,
    /// `ptrace_report_syscall_exit`: the result is in `resume.leaving`.
    SyscallExit,
    /// `kernel_clone` has started a child, whose number is given; who made it
    /// by vfork waits for it next.
    Clone(i64, Option<CompletionId>),
    /// `kernel_clone` has waited for the vfork child of this number.
    VforkDone(i64),
    /// execve has succeeded.
    Exec,
    /// `do_exit` has begun, with this wait status.
    Exit(i32),
}

/// Whether the tracer is not of the real parent's process: then the parent
/// hears nothing before the tracer has (`ptrace_reparented`).
pub fn ptrace_reparented(sys: &System, child: TaskId) -> bool {
    let t = sys.task(child);
    !same_thread_group(sys, t.real_parent, t.parent)
}

/// Whether the tracer, if there is one, had CAP_SYS_PTRACE in a namespace
/// when it attached (`ptracer_capable`).
pub fn ptracer_capable(sys: &System, task: TaskId, ns: UserNsId) -> bool {
    match sys.task(task).ptracer_cred {
        None => true,
        Some(cred) => cap_capable(sys, &sys.kernel.creds[cred], ns, Cap::CAP_SYS_PTRACE),
    }
}
