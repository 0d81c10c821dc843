//! Job control: stopping a whole thread group and setting it going again.
//!
//! ```text
//!              SIGSTOP, SIGTSTP... taken by one thread
//!  running ---------------------------------------------> group_stop_count = n
//!     ^        JOBCTL_STOP_PENDING set in all threads          | each stops
//!     |                                                        v
//!     +---- SIGCONT sent: wakes all, even if blocked ---- STOP_STOPPED, parent
//!           or ignored; CLD_CONTINUED                     told CLD_STOPPED
//! ```
//!
//! Linux: kernel/signal.c (prepare_signal, do_signal_stop,
//! task_participate_group_stop, task_join_group_stop, zap_other_threads),
//! kernel/exit.c (is_current_pgrp_orphaned).
//! Left out: the cgroup freezer.

pub use super::notify::do_notify_parent_cldstop;

use super::kill::pid_members;
use super::notify::note_child_event;
use super::pending::{flush_group, retarget_shared_pending};
use super::send::{sig_ignored, signal_wake_up};
use super::{Jobctl, SignalFlags, thread_group_empty, threads};
use crate::abi::ptrace::PtraceFlags;
use crate::abi::signal::si_code::CLD_STOPPED;
use crate::abi::{SigSet, Signal};
use crate::kernel::entry::kick;
use crate::kernel::pid::{PidId, PidType};
use crate::kernel::ptrace::stop::ptrace_trap_notify;
use crate::kernel::sched::core::try_to_wake_up;
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskState};

/// SIGNAL_STOP_MASK.
const STOP_MASK: SignalFlags = SignalFlags::CLD_STOPPED
    .union(SignalFlags::CLD_CONTINUED)
    .union(SignalFlags::STOP_STOPPED)
    .union(SignalFlags::STOP_CONTINUED);

/// Replaces the stop flags of a group (`signal_set_stop_flags`).
fn set_stop_flags(sys: &mut System, task: TaskId, new: SignalFlags) {
    let flags = &mut sys.signal_mut(task).flags;
    *flags = flags.difference(STOP_MASK) | new;
}

/// The side effects of sending, before it is known whether anyone takes the
/// signal: a stop signal and SIGCONT cancel each other, and SIGCONT sets a
/// stopped group going. Returns whether the signal is to be queued.
/// Source: `prepare_signal`.
pub fn prepare_signal(sys: &mut System, task: TaskId, sig: Signal, force: bool) -> bool {
    if sys.signal(task).flags.contains(SignalFlags::GROUP_EXIT) {
        // It is dying; nothing more can be said to it.
        return false;
    }
    if SigSet::STOP.contains(sig) {
        flush_group(sys, task, SigSet::of(Signal::SIGCONT));
    } else if sig == Signal::SIGCONT {
        flush_group(sys, task, SigSet::STOP);
        for t in threads(sys, task) {
            task_clear_jobctl_pending(sys, t, Jobctl::STOP_PENDING);
            if sys.task(t).ptrace.contains(PtraceFlags::PT_SEIZED) {
                ptrace_trap_notify(sys, t);
                continue;
            }
            sys.task_mut(t).jobctl &= !Jobctl::STOPPED.bits();
            if try_to_wake_up(sys, t, TaskState::__TASK_STOPPED) {
                // It goes on in get_signal, where it stopped.
                sys.task_mut(t).sigpending = true;
                kick(sys, t);
            }
        }
        // The parent is told by the first thread that wakes up, because
        // only then has anything continued.
        let signal = sys.signal(task);
        let why = if signal.flags.contains(SignalFlags::STOP_STOPPED) {
            Some(SignalFlags::CLD_CONTINUED)
        } else if signal.group_stop_count != 0 {
            Some(SignalFlags::CLD_STOPPED)
        } else {
            None
        };
        if let Some(why) = why {
            set_stop_flags(sys, task, why | SignalFlags::STOP_CONTINUED);
            let signal = sys.signal_mut(task);
            signal.group_stop_count = 0;
            signal.group_exit_code = 0;
            note_child_event(sys, task);
        }
    }
    !sig_ignored(sys, task, sig, force)
}

/// Forgets what one thread was asked to stop for. JOBCTL_STOP_PENDING takes
/// the bits that qualify it along (`task_clear_jobctl_pending`).
pub fn task_clear_jobctl_pending(sys: &mut System, task: TaskId, mask: Jobctl) {
    let mut mask = mask;
    if mask.contains(Jobctl::STOP_PENDING) {
        mask |= Jobctl::STOP_CONSUME | Jobctl::STOP_DEQUEUED;
    }
    sys.task_mut(task).jobctl &= !mask.bits();
}

/// Asks a thread to stop, for a signal if one is given; a dying one does not
/// (`task_set_jobctl_pending`).
pub fn task_set_jobctl_pending(
    sys: &mut System,
    task: TaskId,
    bits: Jobctl,
    sig: Option<i32>,
) -> bool {
    let t = sys.task_mut(task);
    if t.fatal_signal_pending() || t.flags.contains(PF::EXITING) {
        return false;
    }
    if let Some(sig) = sig {
        t.jobctl = t.jobctl & !Jobctl::STOP_SIGMASK.bits() | sig as u64 & 0xffff;
    }
    t.jobctl |= bits.bits();
    true
}

/// A thread's part in a group stop; whether it was the last one, so that the
/// group is now stopped (`task_participate_group_stop`).
pub fn task_participate_group_stop(sys: &mut System, task: TaskId) -> bool {
    let consume = sys.task(task).jobctl & Jobctl::STOP_CONSUME.bits() != 0;
    task_clear_jobctl_pending(sys, task, Jobctl::STOP_PENDING);
    if !consume {
        return false;
    }
    let signal = sys.signal_mut(task);
    signal.group_stop_count = (signal.group_stop_count - 1).max(0);
    if signal.group_stop_count != 0 || signal.flags.contains(SignalFlags::STOP_STOPPED) {
        return false;
    }
    set_stop_flags(sys, task, SignalFlags::STOP_STOPPED);
    note_child_event(sys, task);
    true
}

/// A thread born while its group stops or is stopped stops too
/// (`task_join_group_stop`). Preconditions: it is in its group.
pub fn task_join_group_stop(sys: &mut System, current: TaskId, task: TaskId) {
    let signal = sys.signal_mut(task);
    let mut bits = Jobctl::STOP_PENDING;
    if signal.group_stop_count != 0 {
        signal.group_stop_count += 1;
        bits |= Jobctl::STOP_CONSUME;
    } else if !signal.flags.contains(SignalFlags::STOP_STOPPED) {
        return;
    }
    let sig = (sys.task(current).jobctl & Jobctl::STOP_SIGMASK.bits()) as i32;
    if task_set_jobctl_pending(sys, task, bits, Some(sig)) {
        // Linux: the flag is computed when the new task first returns.
        sys.task_mut(task).sigpending = true;
    }
}

/// Stops the calling thread, and asks the others to, when `sig` is a stop
/// signal it took; `None` when it merely follows such a request. Returns
/// whether it stopped: then its state is TASK_STOPPED and the caller leaves
/// the processor. A tracee does not stop here: it is to make a trap of it.
/// Source: `do_signal_stop`.
pub fn do_signal_stop(sys: &mut System, task: TaskId, sig: Option<Signal>) -> bool {
    if sys.task(task).jobctl & Jobctl::STOP_PENDING.bits() == 0 {
        let Some(sig) = sig else { return false };
        let signal = sys.signal(task);
        // SIGCONT may have come since the stop signal was dequeued.
        if sys.task(task).jobctl & Jobctl::STOP_DEQUEUED.bits() == 0
            || signal.flags.contains(SignalFlags::GROUP_EXIT)
            || signal.group_exec_task.is_some()
        {
            return false;
        }
        let bits = Jobctl::STOP_PENDING | Jobctl::STOP_CONSUME;
        let signal = sys.signal_mut(task);
        if !signal.flags.contains(SignalFlags::STOP_STOPPED) {
            signal.group_exit_code = sig.number();
        }
        signal.group_stop_count = 0;
        for t in threads(sys, task) {
            let stopped = sys.task(t).jobctl & Jobctl::STOPPED.bits() != 0;
            if t != task && stopped || !task_set_jobctl_pending(sys, t, bits, Some(sig.number())) {
                continue;
            }
            sys.signal_mut(task).group_stop_count += 1;
            if t == task {
                continue;
            }
            match sys.task(t).ptrace.contains(PtraceFlags::PT_SEIZED) {
                true => ptrace_trap_notify(sys, t),
                false => signal_wake_up(sys, t, false),
            }
        }
    }
    if !sys.task(task).ptrace.is_empty() {
        task_set_jobctl_pending(sys, task, Jobctl::TRAP_STOP, None);
        return false;
    }
    let last = task_participate_group_stop(sys, task);
    let t = sys.task_mut(task);
    t.jobctl |= Jobctl::STOPPED.bits();
    t.__state = TaskState::STOPPED;
    if last {
        do_notify_parent_cldstop(sys, task, CLD_STOPPED);
    }
    true
}

/// Kills all other threads of a group (exec, group exit); the number of
/// those that still have to die. Source: `zap_other_threads`.
pub fn zap_other_threads(sys: &mut System, task: TaskId) -> i32 {
    sys.signal_mut(task).group_stop_count = 0;
    let mut count = 0;
    for t in threads(sys, task) {
        if t == task {
            continue;
        }
        task_clear_jobctl_pending(sys, t, Jobctl::PENDING_MASK);
        count += 1;
        if !sys.task(t).is_dead() {
            sys.task_mut(t).pending.signal.add(Signal::SIGKILL);
            signal_wake_up(sys, t, true);
        }
    }
    count
}

/// The beginning of a thread's exit: it takes no more group signals, and a
/// group stop does not wait for it (`exit_signals`).
pub fn exit_signals(sys: &mut System, task: TaskId) {
    let alone =
        thread_group_empty(sys, task) || sys.signal(task).flags.contains(SignalFlags::GROUP_EXIT);
    sys.task_mut(task).flags |= PF::EXITING;
    if alone || !sys.task(task).sigpending {
        return;
    }
    let unblocked = SigSet(!sys.task(task).blocked.0);
    retarget_shared_pending(sys, task, unblocked);
    if sys.task(task).jobctl & Jobctl::STOP_PENDING.bits() != 0
        && task_participate_group_stop(sys, task)
    {
        do_notify_parent_cldstop(sys, task, CLD_STOPPED);
    }
}

/// Whether no member of a process group has a parent outside the group but
/// in the session who could set it going again; `ignored` does not count,
/// because it is dying (`will_become_orphaned_pgrp`).
pub fn will_become_orphaned_pgrp(sys: &System, pgrp: PidId, ignored: Option<TaskId>) -> bool {
    !pid_members(sys, pgrp, PidType::Pgid).into_iter().any(|p| {
        let t = sys.task(p);
        if Some(p) == ignored || t.is_dead() && thread_group_empty(sys, p) {
            return false;
        }
        let parent = sys.task(t.real_parent);
        let (Some(ours), Some(theirs)) = (t.signal, parent.signal) else { return false };
        let (ours, theirs) = (&sys.kernel.signals[ours], &sys.kernel.signals[theirs]);
        let global_init = parent.tgid == 1 && !sys.kernel.contained;
        !global_init && theirs.pids[2] != Some(pgrp) && theirs.pids[3] == ours.pids[3]
    })
}

/// Whether the caller's process group is orphaned: SIGTSTP, SIGTTIN and
/// SIGTTOU then do nothing, for nobody would continue it
/// (`is_current_pgrp_orphaned`).
pub fn is_current_pgrp_orphaned(sys: &System, task: TaskId) -> bool {
    match sys.signal(task).pids[PidType::Pgid as usize] {
        Some(pgrp) => will_become_orphaned_pgrp(sys, pgrp, None),
        None => true,
    }
}
