//! Requests about a tracee: who may make them, and those that set it going
//! or change how it is traced.
//!
//! Linux: kernel/ptrace.c (ptrace_check_attach, ptrace_freeze_traced,
//! ptrace_resume, ptrace_request).
//! Left out: freezing the tracee while a request is made.

use super::TrapAt;
use super::attach::check_ptrace_options;
use super::stop::{ptrace_signal_wake_up, trap_at};
use crate::abi::ptrace::{PtraceEvent, PtraceFlags};
use crate::abi::structs::SigInfo;
use crate::abi::{Errno, SigSet, Signal};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::pid::{PidType, task_active_pid_ns, task_pid_nr_ns};
use crate::kernel::sched::core::try_to_wake_up;
use crate::kernel::signal::Jobctl;
use crate::kernel::signal::kill::send_sig;
use crate::kernel::signal::pending::recalc_sigpending_tsk;
use crate::kernel::signal::stop::task_set_jobctl_pending;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};

/// Whether `current` may make a request about `child`: it must be its tracer,
/// and unless `running` the tracee must be in a stop, and not one that the
/// tracer listens in.
///
/// # Errors
/// ESRCH.
pub fn ptrace_check_attach(
    sys: &System,
    current: TaskId,
    child: TaskId,
    running: bool,
) -> Result<(), SysError> {
    const F: &str = "ptrace_check_attach";
    let t = sys.task(child);
    if t.ptrace.is_empty() || t.parent != current {
        return refuse(Errno::ESRCH, F, "the caller does not trace this task");
    }
    if running {
        return Ok(());
    }
    let jobctl = Jobctl::from_bits_retain(t.jobctl);
    if jobctl.contains(Jobctl::LISTENING) {
        return refuse(Errno::ESRCH, F, "the tracee listens: PTRACE_INTERRUPT stops it again");
    }
    if !jobctl.contains(Jobctl::TRACED) || t.fatal_signal_pending() {
        let why = match t.is_dead() {
            true => "the tracee is dead: only wait(2) has something to say of it",
            false => "the tracee is not stopped: wait(2) says when it is",
        };
        return refuse(Errno::ESRCH, F, why);
    }
    if looks_like_a_spurious_pid(sys, current, child) {
        let why = "the tracee got this pid by an execve that has not been waited for";
        return refuse(Errno::ESRCH, F, why);
    }
    Ok(())
}

/// A thread that executes a program takes over its leader's pid: a tracer that
/// has not waited for that event means another task by the number
/// (`looks_like_a_spurious_pid`).
fn looks_like_a_spurious_pid(sys: &System, current: TaskId, child: TaskId) -> bool {
    let t = sys.task(child);
    let exec = (PtraceEvent::Exec as i32) << 8 | Signal::SIGTRAP.number();
    let ns = task_active_pid_ns(sys, current);
    let nr = task_pid_nr_ns(sys, child, PidType::Pid, Some(ns));
    t.exit_code == exec && nr as u64 != t.ptrace_message
}

/// A signal to go on with, or 0.
///
/// # Errors
/// EIO: there is none of this number.
pub fn valid_signal(data: u64, f: &'static str) -> Result<i32, SysError> {
    if data > 64 {
        return refuse(Errno::EIO, f, "data is no signal (1 to 64) nor 0");
    }
    Ok(data as i32)
}

/// PTRACE_CONT and PTRACE_SYSCALL: the tracee goes on, with the signal `data`.
///
/// # Errors
/// EIO.
pub fn ptrace_resume(
    sys: &mut System,
    child: TaskId,
    data: u64,
    syscall_trace: bool,
) -> Result<(), SysError> {
    let code = valid_signal(data, "ptrace_resume")?;
    let t = sys.task_mut(child);
    t.syscall_trace = syscall_trace;
    t.exit_code = code;
    t.jobctl &= !Jobctl::TRACED.bits();
    try_to_wake_up(sys, child, TaskState::__TASK_TRACED);
    Ok(())
}

/// PTRACE_KILL: SIGKILL, whatever the tracee does.
pub fn ptrace_kill(sys: &mut System, child: TaskId) {
    if sys.task(child).sighand.is_some() {
        send_sig(sys, child, Signal::SIGKILL);
    }
}

/// PTRACE_SETOPTIONS: replaces all options.
///
/// # Errors
/// EINVAL.
pub fn ptrace_setoptions(sys: &mut System, child: TaskId, data: u64) -> Result<(), SysError> {
    let options = PtraceFlags::of_options(check_ptrace_options(data)?);
    let flags = &mut sys.task_mut(child).ptrace;
    *flags = (*flags - PtraceFlags::options()) | options;
    Ok(())
}

fn seized(sys: &System, child: TaskId, f: &'static str) -> Result<(), SysError> {
    if !sys.task(child).ptrace.contains(PtraceFlags::PT_SEIZED) {
        return refuse(Errno::EIO, f, "only a tracee attached by PTRACE_SEIZE takes this request");
    }
    Ok(())
}

/// PTRACE_INTERRUPT: a stop that is no signal.
///
/// # Errors
/// EIO: it was not seized.
pub fn ptrace_interrupt(sys: &mut System, child: TaskId) -> Result<(), SysError> {
    seized(sys, child, "ptrace_request")?;
    if task_set_jobctl_pending(sys, child, Jobctl::TRAP_STOP, None) {
        let listening = sys.task(child).jobctl & Jobctl::LISTENING.bits() != 0;
        ptrace_signal_wake_up(sys, child, listening);
    }
    Ok(())
}

/// PTRACE_LISTEN: the tracee stays in its group stop, but its tracer will
/// hear when that ends.
///
/// # Errors
/// EIO: it was not seized, or its stop is no PTRACE_EVENT_STOP.
pub fn ptrace_listen(sys: &mut System, child: TaskId) -> Result<(), SysError> {
    const F: &str = "ptrace_request";
    seized(sys, child, F)?;
    let info = sys.task(child).trap.as_ref().and_then(|t| t.info);
    if info.is_none_or(|i| i.si_code >> 8 != PtraceEvent::Stop as i32) {
        return refuse(Errno::EIO, F, "the tracee is not in a stop with PTRACE_EVENT_STOP");
    }
    let t = sys.task_mut(child);
    t.jobctl |= Jobctl::LISTENING.bits();
    if t.jobctl & Jobctl::TRAP_NOTIFY.bits() != 0 {
        ptrace_signal_wake_up(sys, child, true);
    }
    Ok(())
}

/// PTRACE_GETSIGINFO: what the stop is about.
///
/// # Errors
/// EINVAL: a group stop of a tracee that was not seized has none.
pub fn ptrace_getsiginfo(sys: &System, child: TaskId) -> Result<SigInfo, SysError> {
    let info = sys.task(child).trap.as_ref().and_then(|t| t.info);
    info.ok_or(SysError::new(
        Errno::EINVAL,
        "ptrace_getsiginfo",
        "the stop has no siginfo: it is a group stop",
    ))
}

/// PTRACE_SETSIGINFO: what the tracee will see if it goes on with the same
/// signal.
///
/// # Errors
/// EINVAL.
pub fn ptrace_setsiginfo(sys: &mut System, child: TaskId, new: SigInfo) -> Result<(), SysError> {
    ptrace_getsiginfo(sys, child)?;
    if let Some(trap) = &mut sys.task_mut(child).trap {
        trap.info = Some(new);
    }
    Ok(())
}

/// The mask of blocked signals; inside of sigsuspend(2) and the like the one
/// it will go back to (PTRACE_GETSIGMASK).
pub fn ptrace_getsigmask(sys: &System, child: TaskId) -> SigSet {
    let t = sys.task(child);
    t.saved_sigmask.unwrap_or(t.blocked)
}

/// PTRACE_SETSIGMASK.
pub fn ptrace_setsigmask(sys: &mut System, child: TaskId, mut new: SigSet) {
    new.del(Signal::SIGKILL);
    new.del(Signal::SIGSTOP);
    let t = sys.task_mut(child);
    t.blocked = new;
    t.saved_sigmask = None;
    // It will look for itself when it is back from its stop.
    if matches!(trap_at(sys, child), Some(TrapAt::Jobctl | TrapAt::Signal(_))) {
        recalc_sigpending_tsk(sys, child);
    }
}
