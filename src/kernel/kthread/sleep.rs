//! How a function in the kernel sleeps: it says so (`__state`), looks once more
//! whether it must, and calls `schedule`. Who sets the state last must sleep
//! before the wake-up, or the wake-up finds nobody.
//!
//! ```text
//!  lost                           not lost
//!  if (!condition)                prepare_to_wait: on the queue, state S
//!      <- condition, wake_up      if (!condition)
//!      state = S; schedule()          <- condition, wake_up: state R
//!      sleeps for ever                schedule() returns at once
//! ```
//!
//! Between the two a thread can lose its processor: it is preempted, not
//! asleep, whatever its state says.
//!
//! Linux: kernel/sched/core.c (__schedule, signal_pending_state),
//! kernel/sched/wait.c (prepare_to_wait, finish_wait, __wake_up_common),
//! kernel/sched/completion.c.
//! Left out: timeouts, bit waits, interruptible waits for completions, woken_wake_function.

use super::{At, KthreadFlags, Misuse, enter, set_at, sleep_in};
use crate::kernel::sched::core as sched;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use crate::kernel::wait_queue::{CompletionId, WaitOn, WaitQueueId};

/// `done` of a completion that stays done (`complete_all`).
const ALL: u32 = u32::MAX;

/// States in which a function of the kernel may sleep.
fn can_sleep_in(state: TaskState) -> Result<(), Misuse> {
    let states = [
        TaskState::INTERRUPTIBLE,
        TaskState::UNINTERRUPTIBLE,
        TaskState::KILLABLE,
        TaskState::IDLE,
    ];
    if states.contains(&state) { Ok(()) } else { Err(Misuse::NoSleep(state)) }
}

/// Says how the thread will sleep in its next `schedule`, or that it will not.
///
/// Errors: it cannot act now; no state to sleep in.
pub fn set_current_state(sys: &mut System, task: TaskId, state: TaskState) -> Result<(), Misuse> {
    enter(sys, task)?;
    if state != TaskState::RUNNING {
        can_sleep_in(state)?;
    }
    sys.task_mut(task).__state = state;
    Ok(())
}

/// Gives the processor away: for good if the state says so, and nothing that
/// ends such a sleep is pending.
///
/// Errors: it cannot act now.
pub fn schedule(sys: &mut System, task: TaskId) -> Result<(), Misuse> {
    enter(sys, task)?;
    let state = sys.task(task).__state;
    if state == TaskState::RUNNING || signal_pending_state(sys, task, state) {
        sys.task_mut(task).__state = TaskState::RUNNING;
        let cpu = sys.task(task).cpu;
        sched::schedule(sys, cpu);
    } else {
        sleep_in(sys, task, state);
    }
    Ok(())
}

/// Kernel threads ignore signals; but `kthread_stop` sets TIF_NOTIFY_SIGNAL.
fn signal_pending_state(sys: &System, task: TaskId, state: TaskState) -> bool {
    let stop = |k: &super::Kthread| k.flags.contains(KthreadFlags::SHOULD_STOP);
    state.contains(TaskState::INTERRUPTIBLE) && sys.task(task).kthread.as_deref().is_some_and(stop)
}

/// Puts the thread on a queue, then sets its state.
///
/// Errors: it cannot act now; no state to sleep in; no such queue.
pub fn prepare_to_wait(
    sys: &mut System,
    task: TaskId,
    queue: WaitQueueId,
    state: TaskState,
    exclusive: bool,
) -> Result<(), Misuse> {
    can_sleep_in(state)?;
    enter(sys, task)?;
    sys.kernel.wait_queues.get_mut(queue).ok_or(Misuse::NoObject)?.add(task, exclusive);
    sys.task_mut(task).__state = state;
    Ok(())
}

/// Takes the thread off a queue; it is running.
///
/// Errors: it cannot act now; no such queue.
pub fn finish_wait(sys: &mut System, task: TaskId, queue: WaitQueueId) -> Result<(), Misuse> {
    enter(sys, task)?;
    sys.task_mut(task).__state = TaskState::RUNNING;
    sys.kernel.wait_queues.get_mut(queue).ok_or(Misuse::NoObject)?.remove(task);
    Ok(())
}

/// Wakes those on a queue that sleep in one of the states: all that share, and
/// so many of the exclusive ones. Who is woken leaves the queue
/// (`autoremove_wake_function`). Gives the number of those woken.
///
/// Errors: no such queue.
pub fn wake_up_queue(
    sys: &mut System,
    queue: WaitQueueId,
    mode: TaskState,
    mut exclusive: usize,
) -> Result<usize, Misuse> {
    let q = sys.kernel.wait_queues.get(queue).ok_or(Misuse::NoObject)?;
    let mut woken = 0;
    for e in q.entries.clone() {
        if e.exclusive && exclusive == 0 {
            break;
        }
        if !sched::try_to_wake_up(sys, e.task, mode) {
            continue;
        }
        woken += 1;
        exclusive -= usize::from(e.exclusive);
        if let Some(q) = sys.kernel.wait_queues.get_mut(queue) {
            q.remove(e.task);
        }
    }
    Ok(woken)
}

/// Waits until a completion is done, and takes one of it.
///
/// Errors: it cannot act now; no state to sleep in; no such completion.
pub fn wait_for_completion(
    sys: &mut System,
    task: TaskId,
    id: CompletionId,
    state: TaskState,
) -> Result<(), Misuse> {
    // Interruptible waits can fail: left out.
    if state.contains(TaskState::INTERRUPTIBLE) {
        return Err(Misuse::NoSleep(state));
    }
    can_sleep_in(state)?;
    enter(sys, task)?;
    sys.kernel.completions.get(id).ok_or(Misuse::NoObject)?;
    wait_for_common(sys, task, id, state);
    Ok(())
}

/// The loop of `do_wait_for_common`: looks, and sleeps on if there is nothing.
pub(super) fn wait_for_common(sys: &mut System, task: TaskId, id: CompletionId, state: TaskState) {
    let Some(c) = sys.kernel.completions.get_mut(id) else { return };
    if c.done == 0 {
        c.wait.add(task, true);
        set_at(sys, task, At::Completion(id, state));
        return sleep_in(sys, task, state);
    }
    c.wait.remove(task);
    if c.done != ALL {
        c.done = c.done.saturating_sub(1);
    }
    set_at(sys, task, At::Function);
}

/// Takes one of a completion if it is done; does not wait.
///
/// Errors: no such completion.
pub fn try_wait_for_completion(sys: &mut System, id: CompletionId) -> Result<bool, Misuse> {
    let c = sys.kernel.completions.get_mut(id).ok_or(Misuse::NoObject)?;
    let done = c.done > 0;
    if c.done != ALL {
        c.done = c.done.saturating_sub(1);
    }
    Ok(done)
}

/// Whether somebody could go on at once.
///
/// Errors: no such completion.
pub fn completion_done(sys: &System, id: CompletionId) -> Result<bool, Misuse> {
    Ok(sys.kernel.completions.get(id).ok_or(Misuse::NoObject)?.done > 0)
}

/// Marks a completion done once and wakes one waiter.
///
/// Errors: no such completion.
pub fn complete(sys: &mut System, id: CompletionId) -> Result<(), Misuse> {
    sys.kernel.completions.get(id).ok_or(Misuse::NoObject)?;
    sched::complete(sys, id);
    Ok(())
}

/// Marks it done for good and wakes all waiters.
///
/// Errors: no such completion.
pub fn complete_all(sys: &mut System, id: CompletionId) -> Result<(), Misuse> {
    sys.kernel.completions.get_mut(id).ok_or(Misuse::NoObject)?.done = ALL;
    sched::wake_up_all(sys, WaitOn::Vfork(id));
    Ok(())
}
