//! Sending: from "this signal, to that task" to a bit in a queue and a task
//! that wakes up.
//!
//! ```text
//! kill, exit, fault -> prepare_signal   stop and continue, ignored or not
//!                   -> queue            private or shared, siginfo or not
//!                   -> complete_signal  which thread is to take it; if it is
//!                                       fatal, the whole group dies now
//!                   -> signal_wake_up   TIF_SIGPENDING, out of S
//! ```
//!
//! Linux: kernel/signal.c (__send_signal_locked, complete_signal,
//! sig_ignored, signal_wake_up_state, force_sig_info_to_task).
//! Left out: signals to a CLONE in progress (a fork is atomic here), core
//! dump states.

pub use super::kill::{
    do_send_sig_info, group_send_sig_info, kill_pgrp_info, kill_pid_info, kill_something_info,
};
pub use super::notify::do_notify_parent;
pub use super::pending::recalc_sigpending;

use super::pending::{Queue, sigqueue_alloc};
use super::stop::{prepare_signal, task_clear_jobctl_pending};
use super::{Jobctl, SIG_DFL, SIG_IGN, SigQueue, SignalFlags, thread_group_empty, threads};
use crate::abi::flags::SaFlags;
use crate::abi::signal::{DefaultAction, si_code};
use crate::abi::structs::SigInfo;
use crate::abi::{Errno, Signal};
use crate::kernel::entry::kick;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::signalfd::signalfd_notify;
use crate::kernel::pid::PidType;
use crate::kernel::sched::core::try_to_wake_up;
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskState};
use crate::trace::EventKind;

/// The handler a task has for a signal: [`SIG_DFL`], [`SIG_IGN`] or an
/// address (`sig_handler`). A released task has none.
pub fn sig_handler(sys: &System, task: TaskId, sig: Signal) -> u64 {
    match sys.task(task).sighand {
        Some(s) => sys.kernel.sighands[s].get(sig).handler,
        None => SIG_IGN,
    }
}

/// Whether this handler means that the signal does nothing
/// (`sig_handler_ignored`).
pub fn sig_handler_ignored(handler: u64, sig: Signal) -> bool {
    let nothing = matches!(sig.default_action(), DefaultAction::Ignore | DefaultAction::Continue);
    handler == SIG_IGN || handler == SIG_DFL && nothing
}

/// Whether a signal would do nothing to a task that does not block it
/// (`sig_task_ignored`). `force`: it comes from the kernel or from an
/// ancestor pid namespace, whose SIGKILL and SIGSTOP an init must obey.
fn sig_task_ignored(sys: &System, task: TaskId, sig: Signal, force: bool) -> bool {
    let t = sys.task(task);
    let handler = sig_handler(sys, task, sig);
    if t.tgid == 1 && sig.is_kernel_only() {
        return true;
    }
    if sys.signal(task).flags.contains(SignalFlags::UNKILLABLE)
        && handler == SIG_DFL
        && !(force && sig.is_kernel_only())
    {
        return true;
    }
    if t.flags.contains(PF::KTHREAD) && !force {
        return true;
    }
    sig_handler_ignored(handler, sig)
}

/// Whether a signal is dropped on sending (`sig_ignored`). A blocked one is
/// not: the disposition may have changed by the time it is unblocked.
pub fn sig_ignored(sys: &System, task: TaskId, sig: Signal, force: bool) -> bool {
    let t = sys.task(task);
    let real_blocked = t.sigtimedwait.as_ref().map(|w| w.real_blocked).unwrap_or_default();
    if t.blocked.or(real_blocked).contains(sig) {
        return false;
    }
    if !t.ptrace.is_empty() && sig != Signal::SIGKILL {
        return false;
    }
    sig_task_ignored(sys, task, sig, force)
}

/// Whether the signal kills the process by its default action (`sig_fatal`).
fn sig_fatal(sys: &System, task: TaskId, sig: Signal) -> bool {
    matches!(sig.default_action(), DefaultAction::Terminate | DefaultAction::Core)
        && sig_handler(sys, task, sig) == SIG_DFL
}

/// Queues a signal of the kernel's own for a task, or for its group unless
/// `ty` is [`PidType::Pid`]. Dropping it because it is ignored or already
/// pending is success. Error: EAGAIN when RLIMIT_SIGPENDING keeps a real-time
/// signal from being queued. Source: `send_signal_locked`.
pub fn send_signal_locked(
    sys: &mut System,
    info: SigInfo,
    target: TaskId,
    ty: PidType,
) -> Result<(), SysError> {
    let force = info.si_code == si_code::SI_KERNEL;
    __send_signal_locked(sys, info, target, ty, force)
}

/// The same, told whether an init must obey it. Preconditions: the target is
/// not released. Source: `__send_signal_locked`.
pub fn __send_signal_locked(
    sys: &mut System,
    info: SigInfo,
    target: TaskId,
    ty: PidType,
    force: bool,
) -> Result<(), SysError> {
    let sig = info.si_signo;
    if !prepare_signal(sys, target, sig, force) {
        if sys.log.on() {
            let (pid, info) = (sys.task(target).pid, Box::new(info));
            sys.log.push(EventKind::SignalIgnored { pid, info });
        }
        return Ok(());
    }
    let Some(signal) = sys.task(target).signal else { return Ok(()) };
    let queue = if ty == PidType::Pid { Queue::Private(target) } else { Queue::Shared(signal) };
    // legacy_queue: a standard signal is pending once.
    if !sig.is_realtime() && queue.get(sys).signal.contains(sig) {
        return Ok(());
    }
    // Nobody will read the siginfo of SIGKILL or of a kernel thread.
    if sig != Signal::SIGKILL && !sys.task(target).flags.contains(PF::KTHREAD) {
        let override_rlimit = !sig.is_realtime() && info.si_code >= 0;
        match sigqueue_alloc(sys, target, override_rlimit) {
            Some(user) => {
                let entry = SigQueue { info, user: Some(user), timer: None };
                queue.get_mut(sys).list.push(entry);
            }
            None if sig.is_realtime()
                && info.si_code != si_code::SI_USER
                && info.si_code != si_code::SI_KERNEL =>
            {
                return refuse(
                    Errno::EAGAIN,
                    "__send_signal_locked",
                    "the receiver's user has RLIMIT_SIGPENDING signals queued, and a real-time \
                     signal sent by sigqueue(3) must not lose its siginfo",
                );
            }
            None => {}
        }
    }
    signalfd_notify(sys, target);
    queue.get_mut(sys).signal.add(sig);
    if sys.log.on() {
        let pid = sys.task(target).pid;
        let info = Box::new(info);
        sys.log.push(EventKind::SignalGenerate { sig: sig.number(), pid, info });
    }
    complete_signal(sys, sig, target, ty);
    Ok(())
}

/// Sends the instance that a POSIX timer has, unless it is `queued` already.
/// False: the signal is ignored. Source: `posixtimer_send_sigqueue`.
pub fn send_sigqueue(
    sys: &mut System,
    entry: SigQueue,
    target: TaskId,
    ty: PidType,
    queued: bool,
) -> bool {
    let sig = entry.info.si_signo;
    if !prepare_signal(sys, target, sig, false) {
        return false;
    }
    let Some(signal) = sys.task(target).signal else { return true };
    if queued {
        return true;
    }
    let queue = if ty == PidType::Pid { Queue::Private(target) } else { Queue::Shared(signal) };
    signalfd_notify(sys, target);
    let info = Box::new(entry.info);
    let pending = queue.get_mut(sys);
    pending.list.push(entry);
    pending.signal.add(sig);
    if sys.log.on() {
        let pid = sys.task(target).pid;
        sys.log.push(EventKind::SignalGenerate { sig: sig.number(), pid, info });
    }
    complete_signal(sys, sig, target, ty);
    true
}

/// Whether a thread could take the signal now (`wants_signal`).
fn wants_signal(sys: &System, sig: Signal, task: TaskId) -> bool {
    let t = sys.task(task);
    if t.blocked.contains(sig) || t.flags.contains(PF::EXITING) {
        return false;
    }
    if sig == Signal::SIGKILL {
        return true;
    }
    if t.__state.intersects(TaskState::__TASK_STOPPED | TaskState::__TASK_TRACED) {
        return false;
    }
    t.on_cpu || !t.sigpending
}

/// Finds the thread to take a signal that was just queued, and wakes it; a
/// fatal signal kills the whole group here and now (`complete_signal`).
fn complete_signal(sys: &mut System, sig: Signal, target: TaskId, ty: PidType) {
    let taker = if wants_signal(sys, sig, target) {
        target
    } else if ty == PidType::Pid || thread_group_empty(sys, target) {
        // The only candidate finds it when it unblocks or runs.
        return;
    } else {
        // Round robin from where the last search ended.
        let all = threads(sys, target);
        let from = sys.signal(target).curr_target;
        let start = all.iter().position(|t| Some(*t) == from).unwrap_or(0);
        let order = all.iter().cycle().skip(start).take(all.len());
        let Some(&found) = order.into_iter().find(|t| wants_signal(sys, sig, **t)) else {
            return;
        };
        sys.signal_mut(target).curr_target = Some(found);
        found
    };

    let t = sys.task(taker);
    let awaited = t.sigtimedwait.as_ref().is_some_and(|w| w.real_blocked.contains(sig));
    if sig_fatal(sys, target, sig)
        && !sys.signal(target).flags.contains(SignalFlags::GROUP_EXIT)
        && !awaited
        && (sig == Signal::SIGKILL || sys.task(target).ptrace.is_empty())
        // A core dump is begun by the thread that takes the signal.
        && sig.default_action() != DefaultAction::Core
    {
        let signal = sys.signal_mut(target);
        signal.flags = SignalFlags::GROUP_EXIT;
        signal.group_exit_code = sig.number();
        signal.group_stop_count = 0;
        for t in threads(sys, target) {
            task_clear_jobctl_pending(sys, t, Jobctl::PENDING_MASK);
            sys.task_mut(t).pending.signal.add(Signal::SIGKILL);
            signal_wake_up(sys, t, true);
        }
        return;
    }
    signal_wake_up(sys, taker, sig == Signal::SIGKILL);
}

/// Tells a task that there is a signal: sets TIF_SIGPENDING and ends an
/// interruptible sleep; a fatal one also ends killable sleeps and stops
/// (`signal_wake_up`).
pub fn signal_wake_up(sys: &mut System, task: TaskId, fatal: bool) {
    let mut state = TaskState::empty();
    if fatal {
        sys.task_mut(task).jobctl &= !(Jobctl::STOPPED | Jobctl::TRACED).bits();
        state = TaskState::WAKEKILL | TaskState::__TASK_TRACED;
    }
    signal_wake_up_state(sys, task, state);
}

/// The same, and sleeps with a bit of `state` end too
/// (`signal_wake_up_state`).
pub fn signal_wake_up_state(sys: &mut System, task: TaskId, state: TaskState) {
    sys.task_mut(task).sigpending = true;
    if !try_to_wake_up(sys, task, state | TaskState::INTERRUPTIBLE) {
        kick(sys, task);
    }
}

/// In `sa_flags`, of the kernel's own: not even a tracer may change what the
/// signal does.
pub const SA_IMMUTABLE: u64 = 0x0080_0000;

/// Sends a signal that the task cannot evade: if it is blocked or ignored it
/// is unblocked and set to default first, and an init may die of it
/// (`force_sig_info_to_task`).
pub fn force_sig_info(sys: &mut System, task: TaskId, info: SigInfo, fatal: bool) {
    let sig = info.si_signo;
    let (Some(sighand), Some(_)) = (sys.task(task).sighand, sys.task(task).signal) else { return };
    let blocked = sys.task(task).blocked.contains(sig);
    let action = sys.kernel.sighands[sighand].get_mut(sig);
    if blocked || action.handler == SIG_IGN || fatal {
        action.handler = SIG_DFL;
    }
    if fatal {
        action.flags |= SaFlags::from_bits_retain(SA_IMMUTABLE);
    }
    let default = action.handler == SIG_DFL;
    if blocked {
        sys.task_mut(task).blocked.del(sig);
    }
    if default && (sys.task(task).ptrace.is_empty() || fatal) {
        sys.signal_mut(task).flags.remove(SignalFlags::UNKILLABLE);
    }
    // A standard signal is never refused for want of queue room.
    let _ = send_signal_locked(sys, info, task, PidType::Pid);
    // It may have been pending and blocked already.
    if !sys.task(task).sigpending {
        signal_wake_up(sys, task, false);
    }
}

/// A fault of the task's own making (`force_sig_fault`).
pub fn force_sig_fault(sys: &mut System, task: TaskId, sig: Signal, si_code: i32, addr: u64) {
    let info = SigInfo { si_addr: addr, ..SigInfo::new(sig, si_code) };
    force_sig_info(sys, task, info, false);
}

/// A signal from the kernel that the task cannot evade (`force_sig`).
pub fn force_sig(sys: &mut System, task: TaskId, sig: Signal) {
    force_sig_info(sys, task, SigInfo::kernel(sig), false);
}

/// The same, whatever the handler: the task dies (`force_fatal_sig`).
pub fn force_fatal_sig(sys: &mut System, task: TaskId, sig: Signal) {
    force_sig_info(sys, task, SigInfo::kernel(sig), true);
}

/// The stack is of no use for a signal frame: SIGSEGV, and certain death if
/// that was the signal to deliver (`force_sigsegv`).
pub fn force_sigsegv(sys: &mut System, task: TaskId, sig: Signal) {
    if sig == Signal::SIGSEGV {
        force_fatal_sig(sys, task, Signal::SIGSEGV);
    } else {
        force_sig(sys, task, Signal::SIGSEGV);
    }
}
