//! Waking tasks: one by one, a queue of them, a new one for the first time.
//!
//! A woken task comes onto a run queue. Whether it takes the processor at once
//! is asked only where the scheduler chooses; a director decides himself.
//!
//! Linux: kernel/sched/core.c (try_to_wake_up, wake_up_new_task),
//! kernel/sched/wait.c, kernel/sched/completion.c.
//! Left out: waking from another processor by an interrupt.

use super::core::{activate_task, cx, resched_curr, wakeup_preempt};
use super::entity::SchedClass;
use super::fair::Enqueue;
use super::{Chooser, FairPolicy, balance, cfs};
use crate::abi::numbers::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use crate::kernel::entry;
use crate::kernel::fs::eventpoll::ep_poll_callback;
use crate::kernel::kthread;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use crate::kernel::wait_queue::{CompletionId, WaitOn, WaitQueueHead};

/// Wakes `task` if its state has a bit of `mask`. A task that slept in a call
/// is queued to finish it.
pub fn try_to_wake_up(sys: &mut System, task: TaskId, mask: TaskState) -> bool {
    let t = sys.task_mut(task);
    if !t.__state.intersects(mask) {
        return false;
    }
    t.__state = TaskState::RUNNING;
    let busy = t.resume.is_some()
        || t.sigpending
        || t.trap.is_some()
        || t.kthread.as_deref().is_some_and(kthread::goes_on);
    if sys.kernel.sched.chooser != Chooser::Director && !sys.task(task).on_rq {
        let cpu = balance::select_wakeup(sys, task);
        balance::set_task_cpu(sys, task, cpu);
    }
    activate_task(sys, task, Enqueue::Wakeup);
    let cpu = sys.task(task).cpu;
    wakeup_preempt(sys, cpu, task);
    if busy {
        entry::kick(sys, task);
    }
    true
}

/// Wakes a sleeping task (`wake_up_process`): from any sleep but a stop.
pub fn wake_up_process(sys: &mut System, task: TaskId) -> bool {
    try_to_wake_up(sys, task, TaskState::INTERRUPTIBLE | TaskState::UNINTERRUPTIBLE)
}

/// The queue behind a [`WaitOn`] other than a futex, `get` or `get_mut`.
macro_rules! queue_of {
    ($k:expr, $on:expr, $get:ident $(, $m:tt)?) => {
        match $on {
            WaitOn::Child(signal) | WaitOn::Dethread(signal) => {
                $k.signals.$get(signal).map(|s| &$($m)? s.wait_chldexit)
            }
            WaitOn::Vfork(c) => $k.completions.$get(c).map(|c| &$($m)? c.wait),
            WaitOn::PipeRead(p) => $k.pipes.$get(p).map(|p| &$($m)? p.rd_wait),
            WaitOn::PipeWrite(p) => $k.pipes.$get(p).map(|p| &$($m)? p.wr_wait),
            WaitOn::TtyRead(t) => $k.ttys.$get(t).map(|t| &$($m)? t.read_wait),
            WaitOn::TtyWrite(t) => $k.ttys.$get(t).map(|t| &$($m)? t.write_wait),
            WaitOn::FileLock(i) => $k.inodes.$get(i).map(|i| &$($m)? i.lock_wait),
            WaitOn::Anon(a) => $k.anon_inodes.$get(a).map(|a| &$($m)? a.wqh),
            WaitOn::Signalfd(s) => $k.sighands.$get(s).map(|s| &$($m)? s.signalfd_wqh),
            WaitOn::PidExit(p) => $k.pids.$get(p).map(|p| &$($m)? p.wait_pidfd),
            WaitOn::Futex(_) => None,
            WaitOn::Poll | WaitOn::Signal | WaitOn::Timeout | WaitOn::Tracer => None,
        }
    };
}

/// Whether nobody sleeps on a queue and nobody watches it, or it is gone. Looked
/// at before every wake-up: writing copies what is shared with snapshots.
fn is_deserted(sys: &System, on: WaitOn) -> bool {
    let k = &sys.kernel;
    let queue = match on {
        WaitOn::Futex(key) => k.futex_queues.get(&key),
        on => queue_of!(k, on, get),
    };
    queue.is_none_or(|q| q.entries.is_empty() && q.watches.is_empty())
}

/// The queue behind a [`WaitOn`], if its owner still exists; a futex gets one.
pub fn queue_mut(sys: &mut System, on: WaitOn) -> Option<&mut WaitQueueHead> {
    let k = &mut sys.kernel;
    match on {
        WaitOn::Futex(key) => Some(k.futex_queues.entry(key).or_default()),
        on => queue_of!(k, on, get_mut, mut),
    }
}

/// Takes a task that is awake off the queue it slept on. The queue of a futex
/// exists as long as someone sleeps on it.
pub fn finish_wait(sys: &mut System, on: WaitOn, task: TaskId) {
    if let WaitOn::Futex(key) = on {
        let queues = &mut sys.kernel.futex_queues;
        let Some(q) = queues.get_mut(&key) else { return };
        q.remove(task);
        if q.entries.is_empty() {
            queues.remove(&key);
        }
    } else if let Some(q) = queue_mut(sys, on) {
        q.remove(task);
    }
}

/// Wakes sleepers of a queue: all that share, and `exclusive` of the others.
/// Woken tasks leave the queue when they run (`finish_wait`).
fn wake_queue(sys: &mut System, on: WaitOn, mut exclusive: usize) {
    let Some(q) = queue_mut(sys, on) else { return };
    for e in q.entries.clone() {
        if e.exclusive && exclusive == 0 {
            break;
        }
        let woken = wake_up_process(sys, e.task);
        if woken && e.exclusive {
            exclusive -= 1;
        }
    }
}

/// Tells the epoll instances that watch a queue why it is woken: `POLL*`, or 0
/// for whatever it is.
fn tell_watches(sys: &mut System, on: WaitOn, key: u16) {
    let Some(q) = queue_mut(sys, on) else { return };
    for watch in q.watches.clone() {
        ep_poll_callback(sys, watch, key);
    }
}

/// What a plain wake-up of a queue says is there.
fn usual_key(on: WaitOn) -> u16 {
    match on {
        WaitOn::PipeRead(_) | WaitOn::TtyRead(_) => POLLIN | POLLRDNORM,
        WaitOn::PipeWrite(_) | WaitOn::TtyWrite(_) => POLLOUT | POLLWRNORM,
        _ => 0,
    }
}

/// Wakes all non-exclusive sleepers and one exclusive (`wake_up`).
pub fn wake_up(sys: &mut System, on: WaitOn) {
    wake_up_poll(sys, on, usual_key(on));
}

/// The same, saying why (`wake_up_poll`).
pub fn wake_up_poll(sys: &mut System, on: WaitOn, key: u16) {
    if is_deserted(sys, on) {
        return;
    }
    tell_watches(sys, on, key);
    wake_queue(sys, on, 1);
}

/// The same for tasks alone: nothing is new to who watches.
pub fn wake_up_sleepers(sys: &mut System, on: WaitOn) {
    if !is_deserted(sys, on) {
        wake_queue(sys, on, 1);
    }
}

/// Wakes all sleepers (`wake_up_all`).
pub fn wake_up_all(sys: &mut System, on: WaitOn) {
    if is_deserted(sys, on) {
        return;
    }
    tell_watches(sys, on, 0);
    wake_queue(sys, on, usize::MAX);
}

/// Marks a completion done once and wakes one waiter.
pub fn complete(sys: &mut System, id: CompletionId) {
    if let Some(c) = sys.kernel.completions.get_mut(id) {
        // One that is done for good stays so.
        c.done = c.done.saturating_add(1);
        wake_up(sys, WaitOn::Vfork(id));
    }
}

/// First wake-up of a new task.
pub fn wake_up_new_task(sys: &mut System, task: TaskId) {
    sys.task_mut(task).__state = TaskState::RUNNING;
    if sys.kernel.sched.chooser != Chooser::Director {
        let cpu = balance::select_fork(sys, task);
        let here = sys.task(task).cpu;
        balance::set_task_cpu(sys, task, cpu);
        sys.task_mut(task).se.nr_migrations -= u64::from(cpu != here);
    }
    let cpu = sys.task(task).cpu;
    let fair = sys.task(task).sched_class == SchedClass::Fair;
    let mut first = false;
    if fair && sys.kernel.sched.config.fair == FairPolicy::Cfs {
        let cx = cx(sys);
        let k = &mut sys.kernel;
        let (rq, child_first) = (&k.per_cpu[cpu as usize].rq.cfs, k.sched.child_runs_first != 0);
        first = cfs::task_fork(rq, &mut k.tasks, task, cx.factor, child_first);
    }
    activate_task(sys, task, Enqueue::New);
    if first {
        resched_curr(sys, cpu);
    }
    wakeup_preempt(sys, cpu, task);
    let t = sys.task(task);
    // It has something of its own to do before its creator may look.
    if t.set_child_tid != 0 || t.sigpending {
        entry::kick(sys, task);
    }
}
