//! The signals of POSIX timers: queueing them, and what becomes of a timer when
//! its signal is taken or ignored.
//!
//! Linux: kernel/time/posix-timers.c (posix_timer_fn,
//! __posixtimer_deliver_signal), kernel/signal.c (posixtimer_send_sigqueue,
//! posixtimer_sig_ignore, posixtimer_sig_unignore, flush_itimer_signals).
//! Left out: nothing.

use super::{Notify, Status, arm, overrun_to_int, timer_mut};
use crate::abi::signal::si_code;
use crate::abi::structs::SigInfo;
use crate::abi::{SigSet, Signal};
use crate::kernel::pid::PidType;
use crate::kernel::signal::pending::Queue;
use crate::kernel::signal::send::send_sigqueue;
use crate::kernel::signal::{SigPending, SigQueue, SignalId, threads};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::timer::forward;

/// Its signal, wherever it is queued.
fn is_queued(sys: &System, signal: SignalId, id: i32) -> bool {
    let of = |p: &SigPending| p.list.iter().any(|q| q.timer == Some(id));
    let first = sys.kernel.signals[signal].thread_head.first;
    of(Queue::Shared(signal).get(sys))
        || first
            .is_some_and(|t| threads(sys, t).into_iter().any(|t| of(Queue::Private(t).get(sys))))
}

/// Its time has come (`posix_timer_fn`).
pub fn fire(sys: &mut System, signal: SignalId, id: i32) {
    let Some(timer) = timer_mut(sys, signal, id) else { return };
    timer.status = match timer.interval {
        0 => Status::Disarmed,
        _ => Status::RequeuePending,
    };
    timer.sigqueue_seq = timer.signal_seq;
    send(sys, signal, id);
}

/// Queues its signal (`posixtimer_send_sigqueue`).
fn send(sys: &mut System, signal: SignalId, id: i32) {
    let Some(timer) = timer_mut(sys, signal, id).cloned() else { return };
    let leader = sys.kernel.signals[signal].thread_head.first.map(|t| sys.task(t).group_leader);
    let (target, ty) = match timer.notify {
        Notify::None => return,
        Notify::Process(_) => (leader, PidType::Tgid),
        // A thread that is gone is not told, and nobody else is.
        Notify::Thread(_, t) => {
            let alive = sys.kernel.tasks.get(t).is_some_and(|t| t.signal == Some(signal));
            (alive.then_some(t), PidType::Pid)
        }
    };
    let (Some(target), Some(sig)) = (target, timer.notify.signal()) else { return };
    let queued = is_queued(sys, signal, id);
    let info = SigInfo {
        // si_timerid shares its place with si_pid.
        si_pid: id,
        si_value: timer.value,
        ..SigInfo::new(sig, si_code::SI_TIMER)
    };
    let taken =
        send_sigqueue(sys, SigQueue { info, user: None, timer: Some(id) }, target, ty, queued);
    if !taken
        && timer.status == Status::RequeuePending
        && let Some(timer) = timer_mut(sys, signal, id)
    {
        timer.ignored = true;
    }
}

/// The signal of a timer leaves its queue because it is ignored now
/// (`posixtimer_sig_ignore`).
pub fn sig_ignore(sys: &mut System, signal: SignalId, id: i32) {
    if let Some(timer) = timer_mut(sys, signal, id)
        && timer.status == Status::RequeuePending
    {
        timer.ignored = true;
    }
}

/// A signal is not ignored any more: those of periodic timers that wait for that
/// are queued (`posixtimer_sig_unignore`).
pub fn sig_unignore(sys: &mut System, task: TaskId, sig: Signal) {
    let Some(signal) = sys.task(task).signal else { return };
    let timers = &sys.kernel.signals[signal].posix_timers.timers;
    let waiting: Vec<i32> = timers
        .iter()
        .filter(|(_, t)| t.ignored && t.notify.signal() == Some(sig))
        .map(|(id, _)| *id)
        .collect();
    for id in waiting {
        if let Some(timer) = timer_mut(sys, signal, id) {
            timer.ignored = false;
        }
        send(sys, signal, id);
    }
}

/// A thread takes the signal of a timer: a periodic one goes on. False when the
/// signal is not of its present arming, and counts for nothing
/// (`__posixtimer_deliver_signal`).
pub fn deliver(sys: &mut System, task: TaskId, id: i32, info: &mut SigInfo) -> bool {
    let Some(signal) = sys.task(task).signal else { return false };
    let timers = &sys.kernel.signals[signal].posix_timers.timers;
    let Some(now) = timers.get(&id).map(|t| t.now(sys)) else { return false };
    let Some(timer) = timer_mut(sys, signal, id) else { return false };
    if timer.signal_seq != timer.sigqueue_seq {
        return false;
    }
    let Some(now) = now.filter(|_| timer.interval > 0) else { return true };
    let (times, next) = forward(timer.expires, timer.interval, now);
    let overrun = timer.overrun.saturating_add(times.min(i64::MAX as u64) as i64);
    timer.overrun_last = overrun;
    timer.overrun = -1;
    timer.signal_seq = timer.signal_seq.wrapping_add(1);
    // si_overrun shares its place with si_uid.
    info.si_uid = overrun_to_int(overrun) as u32;
    arm(sys, signal, id, next);
    true
}

/// Signals of timers that are queued go too (`flush_itimer_signals`).
pub fn flush_itimer_signals(sys: &mut System, task: TaskId) {
    let Some(signal) = sys.task(task).signal else { return };
    for queue in [Queue::Private(task), Queue::Shared(signal)] {
        let pending = queue.get_mut(sys);
        let mut gone = SigSet::EMPTY;
        pending.list.retain(|q| {
            if q.timer.is_some() {
                gone.add(q.info.si_signo);
            }
            q.timer.is_none()
        });
        for q in &pending.list {
            gone.del(q.info.si_signo);
        }
        pending.signal = pending.signal.minus(gone);
    }
}
