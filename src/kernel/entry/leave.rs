//! Leaving the kernel: from the result of a call to user mode, past signals
//! that may end the call, stop the task or run a handler first.
//!
//! ```text
//! finish -> exit_to_user_mode -> what became of the call?
//!             |                    stands: its result
//!             |                    EINTR: that instead
//!             |                    again, no handler: SYSCALL once more
//!             |                    again, handler: noted in `interrupted`;
//!             |                      sigreturn from the handler makes it
//!             stopped: noted in `resume.leaving`; goes on here
//! ```
//!
//! Linux: kernel/entry/common.c (syscall_exit_to_user_mode,
//! exit_to_user_mode_loop); making the call again is what the processor does
//! there, for the instruction pointer stands on SYSCALL.
//! Left out: seccomp and audit; rseq.

use super::regs::{AX_OFFSET, exit_to_user_regs, read_pt_regs, write_pt_regs};
use super::{Entered, kick, make_call};
use crate::abi::Errno;
use crate::abi::nr::syscall_name;
use crate::kernel::error::SysError;
use crate::kernel::mm::vmalloc;
use crate::kernel::ptrace::TrapAt;
use crate::kernel::ptrace::stop::{back_from_stop, trap_at};
use crate::kernel::ptrace::syscall::{after_report_syscall, ptrace_report_syscall};
use crate::kernel::sched::Chooser;
use crate::kernel::sched::core as sched;
use crate::kernel::signal::deliver::{self, CallFate, Delivered, WayOut};
use crate::kernel::syscalls::{Call, Out, Outcome};
use crate::kernel::system::System;
use crate::kernel::task::{Interrupted, Leaving, Resume, TaskId, TaskState};
use crate::kernel::wait_queue::{Wait, WaitOn};
use crate::trace::EventKind;

/// Number of rt_sigreturn(2).
const NR_RT_SIGRETURN: u32 = 15;

/// Number of restart_syscall(2).
const NR_RESTART_SYSCALL: u32 = 219;

/// A call has a result: leave the kernel.
pub(super) fn finish(
    sys: &mut System,
    task: TaskId,
    call: Call,
    ret: i64,
    error: Option<SysError>,
) -> Entered {
    let out = std::mem::take(&mut sys.kernel.out);
    // Should it be made again after a signal, it begins anew.
    let slept = sys.task_mut(task).resume.take().is_some();
    if sys.log.on() {
        let name = syscall_name(u64::from(call.nr)).unwrap_or("?");
        sys.log.push(EventKind::SyscallRet(name, ret));
    }
    if sys.task(task).stack.is_none() {
        return Entered::Dead;
    }
    if call.nr == NR_RT_SIGRETURN {
        // The whole register image was restored from the signal frame.
        write_pt_regs(sys, task);
    } else {
        set_ax(sys, task, ret);
    }
    let outcome = Outcome { ret, error, out };
    if !slept && signals_itself(sys, task) {
        note_stop(sys, task, call, Some(Leaving { outcome, way: WayOut::default() }));
        kick(sys, task);
        return Entered::Stopped;
    }
    leave_call(sys, task, call, outcome)
}

/// Puts a result where user mode will find it.
pub(super) fn set_ax(sys: &mut System, task: TaskId, ret: i64) {
    if let Some(stack) = sys.task(task).stack {
        vmalloc::stack_write(sys, &stack, AX_OFFSET, ret as u64);
    }
}

/// The result is in place: past the tracer, if it wants to see it, and out.
pub(super) fn leave_call(sys: &mut System, task: TaskId, call: Call, outcome: Outcome) -> Entered {
    if sys.task(task).syscall_trace {
        // execve and rt_sigreturn have changed all registers.
        read_pt_regs(sys, task);
        if ptrace_report_syscall(sys, task, TrapAt::SyscallExit) {
            stop_in_call(sys, task, call, Some(outcome));
            return Entered::Stopped;
        }
    }
    leave(sys, task, call, outcome, WayOut::default())
}

/// Whether a task whose steps are picked takes a signal in a step of its own: a
/// call that did not sleep has sent it. Others may act before, as those do to
/// whom the same call has sent signals.
fn signals_itself(sys: &System, task: TaskId) -> bool {
    let t = sys.task(task);
    // A tracer that looks at the end of the call sees it first.
    t.stepped && t.sigpending && !t.syscall_trace && sys.kernel.sched.chooser != Chooser::Scheduler
}

/// Goes on with a call whose task stopped on its way out.
pub(super) fn go_on(sys: &mut System, task: TaskId, call: Call, left: Leaving) -> Entered {
    match trap_at(sys, task) {
        Some(TrapAt::Exec) => {
            back_from_stop(sys, task);
            set_ax(sys, task, left.outcome.ret);
            leave_call(sys, task, call, left.outcome)
        }
        Some(TrapAt::SyscallExit) => {
            let code = back_from_stop(sys, task).map_or(0, |(_, code)| code);
            after_report_syscall(sys, task, code);
            leave(sys, task, call, left.outcome, left.way)
        }
        _ => leave(sys, task, call, left.outcome, left.way),
    }
}

/// The way out, or what is left of it after a stop.
pub(super) fn leave(
    sys: &mut System,
    task: TaskId,
    call: Call,
    outcome: Outcome,
    mut way: WayOut,
) -> Entered {
    let interrupted = outcome.error.as_ref().is_some_and(|e| e.errno.is_restart());
    match exit_to_user_mode(sys, task, interrupted, &mut way) {
        Delivered::Dead => return Entered::Dead,
        Delivered::Stopped => {
            note_stop(sys, task, call, Some(Leaving { outcome, way }));
            return Entered::Stopped;
        }
        Delivered::ReturnToUser => {}
    }
    match way.fate {
        // The instruction pointer was set back: SYSCALL executes again.
        CallFate::Again(..) if !way.handler => {
            let nr = sys.task(task).regs.ax as u32;
            match nr == NR_RESTART_SYSCALL {
                // The call goes on where it was.
                true => restart(sys, task, Call { serial: call.serial, ..Call::new(nr, &[]) }),
                false => restart(sys, task, call),
            }
        }
        CallFate::Again(ip, sp) => {
            let calls = &mut sys.task_mut(task).interrupted;
            // A handler that was left without sigreturn has left its call.
            if let Some(stale) = calls.iter().position(|i| i.at.1 == sp) {
                calls.truncate(stale);
            }
            calls.push(Interrupted { call, at: (ip, sp) });
            Entered::Interrupted
        }
        CallFate::Eintr => {
            let why = "a signal handler ran while the call slept, and the call does not restart \
                       after it";
            let error = Some(SysError::new(Errno::EINTR, "handle_signal", why));
            Entered::Done(Outcome { ret: Errno::EINTR.to_ret(), error, out: Out::None })
        }
        CallFate::Stands if call.nr == NR_RT_SIGRETURN => after_handler(sys, task, outcome),
        CallFate::Stands => Entered::Done(outcome),
    }
}

/// The task has stopped for its tracer before a call or, with an outcome,
/// after it: it leaves the processor and goes on later.
pub(super) fn stop_in_call(sys: &mut System, task: TaskId, call: Call, ended: Option<Outcome>) {
    note_stop(sys, task, call, ended.map(|outcome| Leaving { outcome, way: WayOut::default() }));
    let cpu = sys.task(task).cpu;
    if sched::current(sys, cpu) == task {
        sched::schedule(sys, cpu);
    }
}

/// The task stopped on its way into a call or out of it: what it goes on with.
fn note_stop(sys: &mut System, task: TaskId, call: Call, leaving: Option<Leaving>) {
    let origin = sys.log.origin;
    let state = sys.task(task).__state;
    let on = match state {
        TaskState::TRACED => WaitOn::Tracer,
        _ => WaitOn::Signal,
    };
    let wait = Wait { on, state, exclusive: false, deadline: None };
    let leaving = leaving.map(Box::new);
    let resume = Resume { call, wait, origin, note: 0, file: None, poll: None, leaving };
    sys.task_mut(task).resume = Some(Box::new(resume));
}

/// A handler has returned. If it went back to a call that it had interrupted,
/// that call is made again; how it ends is its own story, not sigreturn's.
fn after_handler(sys: &mut System, task: TaskId, sigreturn: Outcome) -> Entered {
    let t = sys.task_mut(task);
    let at = (t.regs.ip, t.regs.sp);
    let goes_back = |i: &Interrupted| i.at == at && u64::from(i.call.nr) == t.regs.ax;
    let Some(found) = t.interrupted.iter().rposition(goes_back) else {
        return Entered::Done(sigreturn);
    };
    let call = t.interrupted.drain(found..).next().expect("it was found").call;
    let serial = call.serial;
    match restart(sys, task, call) {
        Entered::Dead => Entered::Dead,
        Entered::Done(outcome) => {
            sys.task_mut(task).finished.push((serial, outcome));
            Entered::Done(sigreturn)
        }
        Entered::Blocked | Entered::Interrupted | Entered::Stopped => Entered::Done(sigreturn),
    }
}

/// Executes the call's SYSCALL instruction again after a signal.
fn restart(sys: &mut System, task: TaskId, mut call: Call) -> Entered {
    call.restarts += 1;
    if call.restarts > MOST_RESTARTS {
        let name = syscall_name(u64::from(call.nr)).unwrap_or("a call");
        let why = "is begun again for ever: it sends its caller a signal that has no effect. On \
                   Linux the process would go round until it is killed, which is not modelled";
        sys.oops("syscall_exit_to_user_mode", format!("{name} {why}"));
        return Entered::Interrupted;
    }
    make_call(sys, task, call)
}

/// So often a call may be begun again without a sleep between.
const MOST_RESTARTS: u16 = 500;

/// On the way to user mode: takes signals, then loads the registers.
/// `interrupted` says that `ax` holds a restart code, which must not reach
/// user mode.
pub(super) fn exit_to_user_mode(
    sys: &mut System,
    task: TaskId,
    interrupted: bool,
    way: &mut WayOut,
) -> Delivered {
    let cpu = sys.task(task).cpu;
    if sched::current(sys, cpu) != task {
        // The call moved it to another processor.
        sched::context_switch(sys, cpu, task);
    }
    if interrupted || sys.task(task).sigpending || sys.task(task).trap.is_some() {
        read_pt_regs(sys, task);
        let delivered = deliver::do_signal_or_restart(sys, task, way);
        if delivered == Delivered::Dead {
            return delivered;
        }
        write_pt_regs(sys, task);
        if delivered == Delivered::Stopped {
            let cpu = sys.task(task).cpu;
            if sched::current(sys, cpu) == task {
                sched::schedule(sys, cpu);
            }
            return delivered;
        }
    }
    exit_to_user_regs(sys, task);
    Delivered::ReturnToUser
}
