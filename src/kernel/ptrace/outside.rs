//! A debugger outside the machine: it sees the signals of a process before they
//! are taken, as a tracer does, and is no task.
//!
//! ```text
//! get_signal, a process that is watched, no tracer
//!   -> stop_for_outside: TASK_TRACED, the signal in `trap`
//!        let_go(Some(sig))   it is taken; another number: that one instead
//!        let_go(None)        nothing happened
//! ```
//!
//! Nobody in the machine is told: no SIGCHLD, nothing for wait(2), no TracerPid. A
//! task that has a tracer of its own reports to that one alone.
//!
//! Linux: none; kernel/signal.c (ptrace_signal, ptrace_stop) without a parent.
//! Left out: group stops, which are no signal to be taken any more.

use super::{Trap, TrapAt};
use crate::abi::Signal;
use crate::abi::structs::SigInfo;
use crate::kernel::pid::PidType;
use crate::kernel::sched::core::try_to_wake_up;
use crate::kernel::signal::Jobctl;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};

/// Whether somebody outside watches the task's process, and no task traces it.
pub fn is_watched(sys: &System, task: TaskId) -> bool {
    let t = sys.task(task);
    let signal = t.signal.and_then(|s| sys.kernel.signals.get(s));
    t.ptrace.is_empty() && signal.is_some_and(|s| s.watched)
}

/// Begins or ends to watch the process of a task.
pub fn watch(sys: &mut System, task: TaskId, watched: bool) {
    if let Some(signal) = sys.kernel.tasks.get(task).and_then(|t| t.signal) {
        sys.kernel.signals[signal].watched = watched;
    }
}

/// Stops the task with a signal in its hand. `false`: it is about to die, and
/// must go on.
pub(in crate::kernel) fn stop_for_outside(
    sys: &mut System,
    task: TaskId,
    info: SigInfo,
    ty: PidType,
) -> bool {
    let t = sys.task_mut(task);
    if t.fatal_signal_pending() {
        return false;
    }
    // SIGCONT clears this meanwhile.
    t.jobctl |= (Jobctl::STOP_DEQUEUED | Jobctl::TRACED).bits();
    t.__state = TaskState::TRACED;
    t.exit_code = info.si_signo.number();
    t.trap = Some(Box::new(Trap { at: TrapAt::Signal(ty), info: Some(info) }));
    true
}

/// The signal that the task holds for somebody outside, if it does.
pub fn held(sys: &System, task: TaskId) -> Option<SigInfo> {
    let t = sys.kernel.tasks.get(task)?;
    let stopped = t.__state == TaskState::TRACED && t.ptrace.is_empty();
    t.trap.as_ref().filter(|_| stopped)?.info
}

/// Lets a task that holds a signal go on with this one, or with none.
pub fn let_go(sys: &mut System, task: TaskId, sig: Option<Signal>) {
    if held(sys, task).is_none() {
        return;
    }
    let t = sys.task_mut(task);
    t.exit_code = sig.map_or(0, Signal::number);
    t.jobctl &= !Jobctl::TRACED.bits();
    try_to_wake_up(sys, task, TaskState::__TASK_TRACED);
}
