//! The queues of pending signals: putting in, taking out, flushing, and the
//! flag that says whether there is anything to take.
//!
//! ```text
//! task.pending            for this thread          signal.shared_pending
//!   signal  {USR1, 40}    the set: one bit each      for any thread
//!   list    USR1, 40, 40  the instances with their siginfo
//! ```
//! A standard signal is queued once; a real-time one each time. When
//! RLIMIT_SIGPENDING is reached, the bit is set without an instance.
//!
//! Linux: kernel/signal.c (sigqueue_alloc, __sigqueue_free, flush_sigqueue_mask,
//! next_signal, collect_signal, dequeue_signal, recalc_sigpending).
//! Left out: nothing.

use super::{Jobctl, SigPending, SigQueue, SignalId, thread_group_empty, threads};
use crate::abi::numbers::RLIMIT_SIGPENDING;
use crate::abi::signal::si_code;
use crate::abi::structs::SigInfo;
use crate::abi::{SigSet, Signal};
use crate::kernel::cred::UserId;
use crate::kernel::itimer;
use crate::kernel::pid::PidType;
use crate::kernel::posix_timers;
use crate::kernel::signal::send::signal_wake_up;
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId};
use crate::kernel::user::{free_uid, get_uid};

/// Which queue: a thread's own or its group's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// `task->pending`.
    Private(TaskId),
    /// `signal->shared_pending`.
    Shared(SignalId),
}

impl Queue {
    /// The set and the list.
    pub fn get(self, sys: &System) -> &SigPending {
        match self {
            Queue::Private(t) => &sys.kernel.tasks[t].pending,
            Queue::Shared(s) => &sys.kernel.signals[s].shared_pending,
        }
    }

    /// The same, to change it.
    pub fn get_mut(self, sys: &mut System) -> &mut SigPending {
        match self {
            Queue::Private(t) => &mut sys.kernel.tasks[t].pending,
            Queue::Shared(s) => &mut sys.kernel.signals[s].shared_pending,
        }
    }
}

/// Charges a queued signal to the receiver's real user; `None` when
/// RLIMIT_SIGPENDING forbids it (`sigqueue_alloc`).
pub fn sigqueue_alloc(sys: &mut System, target: TaskId, override_rlimit: bool) -> Option<UserId> {
    let user = sys.kernel.creds[sys.task(target).real_cred].user;
    let limit = sys.signal(target).rlim[RLIMIT_SIGPENDING as usize].cur;
    let u = &mut sys.kernel.users[user];
    if !override_rlimit && u64::from(u.sigpending) >= limit {
        return None;
    }
    u.sigpending = u.sigpending.saturating_add(1);
    get_uid(sys, user);
    Some(user)
}

/// Gives a queued instance back (`__sigqueue_free`).
pub fn sigqueue_free(sys: &mut System, user: UserId) {
    match sys.kernel.users.get_mut(user) {
        Some(u) if u.sigpending > 0 => u.sigpending -= 1,
        _ => sys.oops("__sigqueue_free", "more signals are dequeued than were queued".into()),
    }
    free_uid(sys, user);
}

/// Drops the signals of `mask` from a queue (`flush_sigqueue_mask`).
pub fn flush_sigqueue_mask(sys: &mut System, mask: SigSet, queue: Queue) {
    if queue.get(sys).signal.and(mask).is_empty() {
        return;
    }
    let pending = queue.get_mut(sys);
    pending.signal = pending.signal.minus(mask);
    let mut dropped = Vec::new();
    pending.list.retain(|q| {
        let keep = !mask.contains(q.info.si_signo);
        if !keep {
            dropped.push(*q);
        }
        keep
    });
    let signal = match queue {
        Queue::Private(t) => sys.task(t).signal,
        Queue::Shared(signal) => Some(signal),
    };
    for q in dropped {
        match (q.user, q.timer, signal) {
            (Some(user), ..) => sigqueue_free(sys, user),
            (None, Some(timer), Some(signal)) => posix_timers::sig_ignore(sys, signal, timer),
            _ => {}
        }
    }
}

/// Drops everything from a queue; a dying task's own, and with the last
/// thread the group's (`flush_sigqueue`).
pub fn flush_sigqueue(sys: &mut System, queue: Queue) {
    if queue.get(sys) == &SigPending::default() {
        return;
    }
    let pending = std::mem::take(queue.get_mut(sys));
    for user in pending.list.iter().filter_map(|q| q.user) {
        sigqueue_free(sys, user);
    }
}

/// Drops the signals of `mask` from all queues of a thread group.
pub fn flush_group(sys: &mut System, task: TaskId, mask: SigSet) {
    let Some(signal) = sys.task(task).signal else { return };
    flush_sigqueue_mask(sys, mask, Queue::Shared(signal));
    for t in threads(sys, task) {
        flush_sigqueue_mask(sys, mask, Queue::Private(t));
    }
}

/// The signal to take next: the synchronous ones first, then by number
/// (`next_signal`).
pub fn next_signal(pending: &SigPending, blocked: SigSet) -> Option<Signal> {
    let ready = pending.signal.minus(blocked);
    let first = ready.and(SigSet::SYNCHRONOUS);
    let from = if first.is_empty() { ready } else { first };
    Signal::new(from.0.trailing_zeros() as i32 + 1)
}

/// Takes the oldest instance of `sig` out, and tells which timer sent it; its bit
/// goes with the last one (`collect_signal`).
fn collect_signal(sys: &mut System, sig: Signal, queue: Queue) -> (SigInfo, Option<i32>) {
    let pending = queue.get_mut(sys);
    let found = pending.list.iter().position(|q| q.info.si_signo == sig);
    let taken: Option<SigQueue> = found.map(|i| pending.list.remove(i));
    if !pending.list.iter().any(|q| q.info.si_signo == sig) {
        pending.signal.del(sig);
    }
    match taken {
        Some(q) => {
            if let Some(user) = q.user {
                sigqueue_free(sys, user);
            }
            (q.info, q.timer)
        }
        // It was not queued: SIGKILL, or the limit was reached.
        None => (SigInfo::new(sig, si_code::SI_USER), None),
    }
}

/// Takes the next signal that `mask` does not block, own ones before the
/// group's, and says whose it was (`dequeue_signal`).
pub fn dequeue_signal(sys: &mut System, task: TaskId, mask: SigSet) -> Option<(SigInfo, PidType)> {
    let taken = loop {
        let own = Queue::Private(task);
        let mut found = next_signal(own.get(sys), mask).map(|s| (s, own, PidType::Pid));
        if found.is_none() {
            let shared = Queue::Shared(sys.task(task).signal?);
            found = next_signal(shared.get(sys), mask).map(|s| (s, shared, PidType::Tgid));
        }
        let Some((sig, queue, ty)) = found else { break None };
        let (mut info, timer) = collect_signal(sys, sig, queue);
        if info.si_signo == Signal::SIGALRM && ty == PidType::Tgid {
            itimer::rearm(sys, task);
        }
        // That of a timer that was set anew or deleted counts for nothing.
        if timer.is_none_or(|id| posix_timers::deliver(sys, task, id, &mut info)) {
            break Some((info, ty));
        }
    };
    recalc_sigpending(sys, task);
    if let Some((info, _)) = &taken
        && SigSet::STOP.contains(info.si_signo)
    {
        // do_signal_stop acts only while this stands; SIGCONT clears it.
        sys.task_mut(task).jobctl |= Jobctl::STOP_DEQUEUED.bits();
    }
    taken
}

/// Takes the first signal that an instruction of the task caused, so that
/// its handler sees the registers of that instruction
/// (`dequeue_synchronous_signal`).
pub fn dequeue_synchronous_signal(sys: &mut System, task: TaskId) -> Option<SigInfo> {
    let t = sys.task(task);
    if t.deliverable().and(SigSet::SYNCHRONOUS).is_empty() {
        return None;
    }
    let info = t.pending.list.iter().map(|q| q.info).find(|i| {
        // A positive code is the kernel's; kill(2) sends 0 or less.
        i.si_code > si_code::SI_USER && i.si_signo.is_synchronous()
    })?;
    let (info, _) = collect_signal(sys, info.si_signo, Queue::Private(task));
    recalc_sigpending(sys, task);
    Some(info)
}

/// Whether there is something for a task to do on its way to user mode.
fn has_pending(sys: &System, task: TaskId) -> bool {
    let t = sys.task(task);
    let shared = match t.signal {
        Some(s) => sys.kernel.signals[s].shared_pending.signal,
        None => SigSet::EMPTY,
    };
    t.jobctl & Jobctl::PENDING_MASK.bits() != 0
        || !t.pending.signal.or(shared).minus(t.blocked).is_empty()
}

/// Sets or clears TIF_SIGPENDING of the calling task (`recalc_sigpending`).
pub fn recalc_sigpending(sys: &mut System, task: TaskId) {
    let pending = has_pending(sys, task);
    sys.task_mut(task).sigpending = pending;
}

/// Sets the flag if there is something to do, and never clears it
/// (`recalc_sigpending_tsk`).
pub fn recalc_sigpending_tsk(sys: &mut System, task: TaskId) {
    if has_pending(sys, task) {
        sys.task_mut(task).sigpending = true;
    }
}

/// Hands group signals that `task` will no longer take to threads that can
/// (`retarget_shared_pending`).
pub fn retarget_shared_pending(sys: &mut System, task: TaskId, which: SigSet) {
    let Some(signal) = sys.task(task).signal else { return };
    let mut retarget = sys.kernel.signals[signal].shared_pending.signal.and(which);
    if retarget.is_empty() {
        return;
    }
    for t in threads(sys, task) {
        let (flags, blocked) = (sys.task(t).flags, sys.task(t).blocked);
        if t == task || flags.contains(PF::EXITING) || retarget.minus(blocked).is_empty() {
            continue;
        }
        retarget = retarget.and(blocked);
        if !sys.task(t).sigpending {
            signal_wake_up(sys, t, false);
        }
        if retarget.is_empty() {
            break;
        }
    }
}

/// Changes a task's mask: signals it now blocks go to other threads, and the
/// flag is computed anew (`__set_task_blocked`).
pub fn set_task_blocked(sys: &mut System, task: TaskId, set: SigSet) {
    let old = sys.task(task).blocked;
    if sys.task(task).sigpending && !thread_group_empty(sys, task) {
        retarget_shared_pending(sys, task, set.minus(old));
    }
    sys.task_mut(task).blocked = set;
    recalc_sigpending(sys, task);
}

/// The same for a mask from user mode: SIGKILL and SIGSTOP cannot be blocked
/// (`set_current_blocked`).
pub fn set_current_blocked(sys: &mut System, task: TaskId, mut set: SigSet) {
    set.del(Signal::SIGKILL);
    set.del(Signal::SIGSTOP);
    if sys.task(task).blocked != set {
        set_task_blocked(sys, task, set);
    }
}

/// Goes back to the mask from before sigsuspend (`restore_saved_sigmask`).
pub fn restore_saved_sigmask(sys: &mut System, task: TaskId) {
    if let Some(saved) = sys.task_mut(task).saved_sigmask.take() {
        set_task_blocked(sys, task, saved);
    }
}
