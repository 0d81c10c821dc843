//! Stops: the tracee notes where it is, tells its tracer and leaves the
//! processor; and what it does first when it is back.
//!
//! ```text
//! signal-delivery-stop   get_signal -> ptrace_signal       SIGxxx
//! group-stop             get_signal -> do_jobctl_trap      SIGSTOP and so on;
//!                          seized: with EVENT_STOP
//! PTRACE_INTERRUPT       get_signal -> do_jobctl_trap      SIGTRAP, EVENT_STOP
//! all others             ptrace_notify                     SIGTRAP
//! ```
//!
//! Linux: kernel/signal.c (ptrace_stop, ptrace_do_notify, ptrace_notify,
//! do_jobctl_trap, ptrace_signal, ptrace_trap_notify).
//! Left out: the freezer, CLD_DUMPED.

use super::{Trap, TrapAt, ptrace_reparented};
use crate::abi::Signal;
use crate::abi::ptrace::{PtraceEvent, PtraceFlags};
use crate::abi::signal::si_code;
use crate::abi::structs::SigInfo;
use crate::kernel::cred::user_ns::from_kuid_munged;
use crate::kernel::pid::{PidType, task_active_pid_ns, task_pid_nr_ns, task_pid_vnr};
use crate::kernel::signal::notify::{cldstop, note_child_event};
use crate::kernel::signal::pending::recalc_sigpending_tsk;
use crate::kernel::signal::send::{send_signal_locked, signal_wake_up_state};
use crate::kernel::signal::stop::{
    task_clear_jobctl_pending, task_participate_group_stop, task_set_jobctl_pending,
};
use crate::kernel::signal::{Jobctl, SignalFlags};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};

/// Stops `task` for its tracer with `exit_code`, which wait(2) reports, unless
/// it is not traced any more or about to die. Returns whether it stopped: then
/// its state is TASK_TRACED and the caller leaves the processor. `why` is
/// CLD_STOPPED when this is its part in a group stop.
/// Source: `ptrace_stop`, up to schedule().
pub fn ptrace_stop(
    sys: &mut System,
    task: TaskId,
    exit_code: i32,
    why: i32,
    message: u64,
    trap: Trap,
) -> bool {
    let t = sys.task_mut(task);
    if t.ptrace.is_empty() || t.fatal_signal_pending() {
        return false;
    }
    t.__state = TaskState::TRACED;
    t.jobctl |= Jobctl::TRACED.bits();
    t.ptrace_message = message;
    t.exit_code = exit_code;
    let event_stop = trap.info.is_some_and(|i| i.si_code >> 8 == PtraceEvent::Stop as i32);
    t.trap = Some(Box::new(trap));
    let stop_pending = t.jobctl & Jobctl::STOP_PENDING.bits() != 0;
    let group_stopped =
        why == si_code::CLD_STOPPED && stop_pending && task_participate_group_stop(sys, task);
    // Any trap is the one that TRAP_STOP asked for.
    task_clear_jobctl_pending(sys, task, Jobctl::TRAP_STOP);
    if event_stop {
        task_clear_jobctl_pending(sys, task, Jobctl::TRAP_NOTIFY);
    }
    if sys.task(task).is_group_leader() && !ptrace_reparented(sys, task) {
        note_child_event(sys, task);
    }
    cldstop(sys, task, true, why);
    // The real parent hears of a completed group stop, once.
    if group_stopped && ptrace_reparented(sys, task) {
        cldstop(sys, task, false, why);
    }
    true
}

/// Where the task stood, now that it runs again, and the signal number that
/// its tracer has passed. `None` when it did not stop.
/// Source: `ptrace_stop`, after schedule().
pub fn back_from_stop(sys: &mut System, task: TaskId) -> Option<(Trap, i32)> {
    sys.task(task).trap.as_ref()?;
    let t = sys.task_mut(task);
    let trap = *t.trap.take()?;
    let code = std::mem::take(&mut t.exit_code);
    t.ptrace_message = 0;
    t.jobctl &= !(Jobctl::LISTENING | Jobctl::TRACED).bits();
    // Signals that came meanwhile did not set the flag.
    recalc_sigpending_tsk(sys, task);
    Some((trap, code))
}

/// Where the task stands, if it does.
pub fn trap_at(sys: &System, task: TaskId) -> Option<TrapAt> {
    sys.kernel.tasks.get(task)?.trap.as_ref().map(|t| t.at)
}

/// A stop that is no signal's: its siginfo says which (`ptrace_do_notify`).
pub fn ptrace_do_notify(
    sys: &mut System,
    task: TaskId,
    sig: Signal,
    exit_code: i32,
    why: i32,
    message: u64,
    at: TrapAt,
) -> bool {
    let cred = sys.cred(task);
    let si_uid = from_kuid_munged(sys, cred.user_ns, cred.uid);
    let si_pid = task_pid_vnr(sys, task);
    let info = SigInfo { si_pid, si_uid, ..SigInfo::new(sig, exit_code) };
    ptrace_stop(sys, task, exit_code, why, message, Trap { at, info: Some(info) })
}

/// A stop with SIGTRAP and `event` in the byte above (`ptrace_notify`).
pub fn ptrace_notify(
    sys: &mut System,
    task: TaskId,
    exit_code: i32,
    message: u64,
    at: TrapAt,
) -> bool {
    ptrace_do_notify(sys, task, Signal::SIGTRAP, exit_code, si_code::CLD_TRAPPED, message, at)
}

/// The stop that a tracee makes for a group stop or because it was asked to
/// (`do_jobctl_trap`).
pub fn do_jobctl_trap(sys: &mut System, task: TaskId) -> bool {
    let number = (sys.task(task).jobctl & Jobctl::STOP_SIGMASK.bits()) as i32;
    let group = sys.signal(task);
    let stopped = group.group_stop_count != 0 || group.flags.contains(SignalFlags::STOP_STOPPED);
    if sys.task(task).ptrace.contains(PtraceFlags::PT_SEIZED) {
        let sig = Signal::new(number).filter(|_| stopped).unwrap_or(Signal::SIGTRAP);
        let code = sig.number() | (PtraceEvent::Stop as i32) << 8;
        ptrace_do_notify(sys, task, sig, code, si_code::CLD_STOPPED, 0, TrapAt::Jobctl)
    } else {
        // No siginfo: that is how a tracer tells it from a signal.
        let trap = Trap { at: TrapAt::Jobctl, info: None };
        ptrace_stop(sys, task, number, si_code::CLD_STOPPED, 0, trap)
    }
}

/// A signal is about to be taken: the tracer sees it first. Returns the
/// signal again if the task did not stop, because it is about to die.
/// Source: `ptrace_signal`, before the stop.
pub fn ptrace_signal(
    sys: &mut System,
    task: TaskId,
    info: SigInfo,
    ty: PidType,
) -> Option<SigInfo> {
    // The tracer may make a stop signal of it; SIGCONT clears this meanwhile.
    sys.task_mut(task).jobctl |= Jobctl::STOP_DEQUEUED.bits();
    let sig = info.si_signo.number();
    let trap = Trap { at: TrapAt::Signal(ty), info: Some(info) };
    if ptrace_stop(sys, task, sig, si_code::CLD_TRAPPED, 0, trap) {
        return None;
    }
    after_ptrace_signal(sys, task, info, ty, sig)
}

/// What the tracer made of the signal: nothing, this one, or another
/// (`ptrace_signal`, after the stop).
pub fn after_ptrace_signal(
    sys: &mut System,
    task: TaskId,
    mut info: SigInfo,
    ty: PidType,
    code: i32,
) -> Option<SigInfo> {
    let sig = Signal::new(code)?;
    if sig != info.si_signo {
        let parent = sys.task(task).parent;
        let ns = task_active_pid_ns(sys, task);
        let uid = sys.kernel.creds[sys.task(parent).real_cred].uid;
        info = SigInfo {
            si_pid: task_pid_nr_ns(sys, parent, PidType::Pid, Some(ns)),
            si_uid: from_kuid_munged(sys, sys.cred(task).user_ns, uid),
            ..SigInfo::new(sig, si_code::SI_USER)
        };
    }
    // The mask may have changed, or a SIGKILL come.
    let t = sys.task(task);
    if t.blocked.contains(sig) || t.fatal_signal_pending() {
        let _ = send_signal_locked(sys, info, task, ty);
        return None;
    }
    Some(info)
}

/// Something has happened to the group of a seized tracee that its tracer
/// should know: a new trap, also out of LISTEN (`ptrace_trap_notify`).
pub fn ptrace_trap_notify(sys: &mut System, task: TaskId) {
    task_set_jobctl_pending(sys, task, Jobctl::TRAP_NOTIFY, None);
    let listening = sys.task(task).jobctl & Jobctl::LISTENING.bits() != 0;
    ptrace_signal_wake_up(sys, task, listening);
}

/// Wakes a tracee that is to look at its signals; `resume`: also out of
/// TASK_TRACED (`ptrace_signal_wake_up`).
pub fn ptrace_signal_wake_up(sys: &mut System, task: TaskId, resume: bool) {
    let mut state = TaskState::empty();
    if resume {
        sys.task_mut(task).jobctl &= !Jobctl::TRACED.bits();
        state = TaskState::__TASK_TRACED;
    }
    signal_wake_up_state(sys, task, state);
}
