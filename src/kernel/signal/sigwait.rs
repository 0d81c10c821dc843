//! Calls that sleep until a signal comes: pause(2), rt_sigsuspend(2),
//! rt_sigtimedwait(2).
//!
//! The last two change the mask for as long as they sleep. That is the one
//! thing a blocked call of these leaves changed, because a sender looks at
//! the mask; running the call again finds it done and does nothing.
//!
//! Linux: kernel/signal.c (sigsuspend, do_sigtimedwait, pause).
//! Left out: timeouts on clocks other than the monotonic one.

use super::SigTimedWait;
use super::pending::{dequeue_signal, recalc_sigpending, set_task_blocked};
use crate::abi::structs::SigInfo;
use crate::abi::{Errno, SigSet, Signal};
use crate::kernel::error::{Stop, SysError};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::{Wait, WaitOn};

/// pause(2): sleeps until a handler has run. Never returns but with EINTR.
pub fn pause(sys: &mut System, task: TaskId) -> Result<i64, Stop> {
    if !sys.task(task).sigpending {
        return Err(Stop::Block(Wait::interruptible(WaitOn::Signal)));
    }
    let why = "a signal ended the pause; it is made again unless a handler runs";
    Err(SysError::new(Errno::ERESTARTNOHAND, "pause", why).into())
}

/// rt_sigsuspend(2): pauses with another mask; the old one comes back when
/// the signal is delivered.
pub fn sigsuspend(sys: &mut System, task: TaskId, mut set: SigSet) -> Result<i64, Stop> {
    set.del(Signal::SIGKILL);
    set.del(Signal::SIGSTOP);
    let t = sys.task_mut(task);
    if t.saved_sigmask.is_none() {
        t.saved_sigmask = Some(t.blocked);
        set_task_blocked(sys, task, set);
    }
    if !sys.task(task).sigpending {
        return Err(Stop::Block(Wait::interruptible(WaitOn::Signal)));
    }
    let why = "a signal ended the wait; it is begun again unless a handler runs";
    Err(SysError::new(Errno::ERESTARTNOHAND, "sigsuspend", why).into())
}

/// rt_sigtimedwait(2): takes a signal of `set` without a handler. `timeout`
/// is in ns, `None` for no end. Errors: EAGAIN after the timeout, EINTR when
/// another signal came.
pub fn do_sigtimedwait(
    sys: &mut System,
    task: TaskId,
    mut set: SigSet,
    timeout: Option<u64>,
) -> Result<SigInfo, Stop> {
    const F: &str = "do_sigtimedwait";
    set.del(Signal::SIGKILL);
    set.del(Signal::SIGSTOP);
    let others = SigSet(!set.0);
    let waited = sys.task(task).sigtimedwait.clone();
    let now = sys.machine.clock.now();
    let signalled = sys.task(task).sigpending;
    let due = |w: &SigTimedWait| w.deadline.is_some_and(|d| d <= now);
    if let Some(w) = waited.as_ref().filter(|w| signalled || due(w)) {
        // Its own mask is back before it looks: what waits for the group may
        // wake another thread too, which finds nothing then (EINTR).
        set_task_blocked(sys, task, w.real_blocked);
    }

    if let Some((info, _)) = dequeue_signal(sys, task, others) {
        end_wait(sys, task);
        return Ok(info);
    }
    let deadline = match &waited {
        Some(w) => w.deadline,
        None => timeout.map(|t| now.saturating_add(t)),
    };
    let expired = deadline.is_some_and(|d| d <= now);
    if waited.is_some() && !expired && signalled {
        end_wait(sys, task);
        let why = "a signal that is not in the set came, or another thread has taken it";
        return Err(SysError::new(Errno::EINTR, F, why).into());
    }
    if expired {
        end_wait(sys, task);
        let why = "the timeout passed and no signal of the set came";
        return Err(SysError::new(Errno::EAGAIN, F, why).into());
    }
    if waited.is_none() {
        let t = sys.task_mut(task);
        let blocked = t.blocked;
        t.sigtimedwait = Some(Box::new(SigTimedWait { real_blocked: blocked, set, deadline }));
        // The awaited ones wake us although they are blocked for handlers.
        t.blocked = blocked.minus(set);
        recalc_sigpending(sys, task);
        if sys.task(task).sigpending {
            end_wait(sys, task);
            let why = "a signal that is not in the set is pending";
            return Err(SysError::new(Errno::EINTR, F, why).into());
        }
    }
    Err(Stop::Block(Wait { deadline, ..Wait::interruptible(WaitOn::Signal) }))
}

/// Back to the real mask.
fn end_wait(sys: &mut System, task: TaskId) {
    if let Some(w) = sys.task_mut(task).sigtimedwait.take() {
        set_task_blocked(sys, task, w.real_blocked);
    }
    recalc_sigpending(sys, task);
}
