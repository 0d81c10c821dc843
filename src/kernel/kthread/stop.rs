//! Ending and parking a kernel thread: both are asked of it, and it does so
//! itself when it looks.
//!
//! ```text
//!  kthread_stop(k)                     k
//!    SHOULD_STOP, unpark, wake  --->   kthread_should_stop(): true
//!    waits for `exited`         <---   kthread_exit(result)
//!    gives result
//!
//!  kthread_park(k)
//!    SHOULD_PARK, wake          --->   kthread_should_park(): true
//!    waits for `parked`         <---   kthread_parkme(): TASK_PARKED (P)
//!  kthread_unpark(k)
//!    clears the flag, wakes     --->   goes on
//! ```
//!
//! Linux: kernel/kthread.c (kthread_stop, kthread_park, kthread_unpark,
//! __kthread_parkme).
//! Left out: kthread_stop by a task; the caller is the director.

use super::{Asks, At, KthreadCaller, KthreadFlags, Misuse, enter, of, set_at, sleep_in};
use crate::abi::Errno;
use crate::kernel::sched::core as sched;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};

fn set_flag(sys: &mut System, task: TaskId, flag: KthreadFlags, on: bool) {
    if let Some(k) = &mut sys.task_mut(task).kthread {
        k.flags.set(flag, on);
    }
}

fn call(sys: &mut System, kthread: TaskId, asks: Asks) -> usize {
    sys.kernel.kthread_callers.push(KthreadCaller { kthread, asks, result: None });
    sys.kernel.kthread_callers.len() - 1
}

/// Asks a thread to end; gives the number of the call in `kthread_callers`,
/// where its result will be: what the thread exited with, -EINTR if its
/// function never ran.
///
/// Errors: it is no such thread; two callers cannot share one completion.
pub fn kthread_stop(sys: &mut System, task: TaskId) -> Result<usize, Misuse> {
    of(sys, task)?;
    let same = |c: &KthreadCaller| c.kthread == task && c.asks == Asks::Stop;
    if sys.kernel.kthread_callers.iter().any(same) {
        let t = sys.task(task);
        return Err(Misuse::StopTwice(t.pid, t.comm()));
    }
    // get_task_struct: the result is read when it is dead.
    sys.task_mut(task).usage += 1;
    let number = call(sys, task, Asks::Stop);
    set_flag(sys, task, KthreadFlags::SHOULD_STOP, true);
    unpark(sys, task);
    sched::wake_up_process(sys, task);
    Ok(number)
}

/// A thread gives up its (borrowed) address space for good: `complete(exited)`.
pub fn exited(sys: &mut System, task: TaskId) {
    let Some(k) = &sys.task(task).kthread else { return };
    let result = k.result;
    let waits =
        |c: &&mut KthreadCaller| c.kthread == task && c.asks == Asks::Stop && c.result.is_none();
    if let Some(caller) = sys.kernel.kthread_callers.iter_mut().find(waits) {
        caller.result = Some(result);
        sched::put_task_struct(sys, task);
    }
}

/// Asks a thread to park; gives the number of the call. Its result is 0 once
/// the thread is parked, -EBUSY at once if that was asked already.
///
/// Errors: it is no such thread.
pub fn kthread_park(sys: &mut System, task: TaskId) -> Result<usize, Misuse> {
    let asked = of(sys, task)?.flags.contains(KthreadFlags::SHOULD_PARK);
    let number = call(sys, task, Asks::Park);
    if asked {
        sys.kernel.kthread_callers[number].result = Some(Errno::EBUSY.to_ret() as i32);
        return Ok(number);
    }
    set_flag(sys, task, KthreadFlags::SHOULD_PARK, true);
    sched::wake_up_process(sys, task);
    Ok(number)
}

/// Lets a thread go on that is parked, or was asked to be.
///
/// Errors: it is no such thread.
pub fn kthread_unpark(sys: &mut System, task: TaskId) -> Result<(), Misuse> {
    of(sys, task)?;
    unpark(sys, task);
    Ok(())
}

fn unpark(sys: &mut System, task: TaskId) {
    let asked = |k: &super::Kthread| k.flags.contains(KthreadFlags::SHOULD_PARK);
    if !sys.task(task).kthread.as_deref().is_some_and(asked) {
        return;
    }
    set_flag(sys, task, KthreadFlags::SHOULD_PARK, false);
    sched::try_to_wake_up(sys, task, TaskState::PARKED);
}

/// The thread parks itself if it was asked to.
///
/// Errors: it cannot act now.
pub fn kthread_parkme(sys: &mut System, task: TaskId) -> Result<(), Misuse> {
    enter(sys, task)?;
    park(sys, task);
    Ok(())
}

/// The loop of `__kthread_parkme`: only `kthread_unpark` ends it.
pub(super) fn park(sys: &mut System, task: TaskId) {
    sys.task_mut(task).__state = TaskState::RUNNING;
    let asked = |k: &super::Kthread| k.flags.contains(KthreadFlags::SHOULD_PARK);
    if !sys.task(task).kthread.as_deref().is_some_and(asked) {
        set_at(sys, task, At::Function);
        return;
    }
    set_at(sys, task, At::Park);
    for caller in &mut sys.kernel.kthread_callers {
        if caller.kthread == task && caller.asks == Asks::Park && caller.result.is_none() {
            caller.result = Some(0);
        }
    }
    sleep_in(sys, task, TaskState::PARKED);
}
