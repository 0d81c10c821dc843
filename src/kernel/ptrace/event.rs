//! Event stops: fork, vfork, clone, exec, the end of a vfork, exit.
//!
//! Linux: include/linux/ptrace.h (ptrace_event, ptrace_event_pid).
//! Left out: PTRACE_EVENT_SECCOMP.

use super::TrapAt;
use super::stop::ptrace_notify;
use crate::abi::Signal;
use crate::abi::ptrace::{PtraceEvent, PtraceFlags};
use crate::kernel::pid::{PidId, pid_nr_ns, task_active_pid_ns};
use crate::kernel::signal::kill::send_sig;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// The flag that asks for an event (`PT_EVENT_FLAG`).
fn flag(event: PtraceEvent) -> PtraceFlags {
    match event {
        PtraceEvent::Fork => PtraceFlags::PT_TRACE_FORK,
        PtraceEvent::Vfork => PtraceFlags::PT_TRACE_VFORK,
        PtraceEvent::Clone => PtraceFlags::PT_TRACE_CLONE,
        PtraceEvent::Exec => PtraceFlags::PT_TRACE_EXEC,
        PtraceEvent::VforkDone => PtraceFlags::PT_TRACE_VFORK_DONE,
        PtraceEvent::Exit => PtraceFlags::PT_TRACE_EXIT,
        PtraceEvent::Stop => PtraceFlags::empty(),
    }
}

/// Whether the tracer of a task wants to hear of an event
/// (`ptrace_event_enabled`).
pub fn ptrace_event_enabled(sys: &System, task: TaskId, event: PtraceEvent) -> bool {
    sys.task(task).ptrace.intersects(flag(event))
}

/// Stops for an event if the tracer wants it; whether it did. A tracee of the
/// older kind that execs gets a SIGTRAP instead (`ptrace_event`).
pub fn ptrace_event(
    sys: &mut System,
    task: TaskId,
    event: PtraceEvent,
    message: u64,
    at: TrapAt,
) -> bool {
    if ptrace_event_enabled(sys, task, event) {
        let code = (event as i32) << 8 | Signal::SIGTRAP.number();
        return ptrace_notify(sys, task, code, message, at);
    }
    let kind = PtraceFlags::PT_PTRACED | PtraceFlags::PT_SEIZED;
    if event == PtraceEvent::Exec
        && sys.task(task).ptrace.intersection(kind) == PtraceFlags::PT_PTRACED
    {
        send_sig(sys, task, Signal::SIGTRAP);
    }
    false
}

/// The same about a task that has a number in the tracer's namespace
/// (`ptrace_event_pid`).
pub fn ptrace_event_pid(
    sys: &mut System,
    task: TaskId,
    event: PtraceEvent,
    pid: Option<PidId>,
    at: TrapAt,
) -> bool {
    let ns = task_active_pid_ns(sys, sys.task(task).parent);
    let message = pid.map_or(0, |p| pid_nr_ns(sys, p, ns)) as u64;
    ptrace_event(sys, task, event, message, at)
}
