//! FUTEX_REQUEUE, FUTEX_CMP_REQUEUE: some sleepers of a word wake, others go on
//! sleeping on another word. So pthread_cond_broadcast once woke one thread and
//! queued the others for the mutex, instead of letting all run for it.
//!
//! Linux: kernel/futex/requeue.c (futex_requeue).
//! Left out: requeueing to a word with priority inheritance.

use super::{MATCH_ANY, Scope, get_futex_key, sleepers, unqueue, wake_one};
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::uaccess::get_user_u32;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::WaitOn;

/// Wakes up to `nr_wake` sleepers of a word and lets up to `nr_requeue` more
/// sleep on at another; gives the number of both. With `expected` the first
/// word must hold that value.
///
/// # Errors
/// EINVAL: a negative number, or an address that is not aligned. EFAULT.
/// EAGAIN: another value.
pub fn futex_requeue(
    sys: &mut System,
    task: TaskId,
    scope: Scope,
    (from, to): (u64, u64),
    (nr_wake, nr_requeue): (i32, i32),
    expected: Option<u32>,
) -> Result<i64, SysError> {
    const F: &str = "futex_requeue";
    if nr_wake < 0 || nr_requeue < 0 {
        return refuse(Errno::EINVAL, F, "a negative number of sleepers");
    }
    let key = get_futex_key(sys, task, from, scope)?;
    let other = get_futex_key(sys, task, to, scope)?;
    if let Some(expected) = expected
        && get_user_u32(sys, task, from)? != expected
    {
        return refuse(Errno::EAGAIN, F, "the word no longer holds the expected value");
    }
    let (nr_wake, nr_requeue) = (nr_wake as usize, nr_requeue as usize);
    let mut chosen = sleepers(sys, key, MATCH_ANY);
    chosen.truncate(nr_wake.saturating_add(nr_requeue));
    for (i, sleeper) in chosen.iter().enumerate() {
        if i < nr_wake {
            wake_one(sys, key, *sleeper);
        } else if key != other {
            unqueue(sys, key, *sleeper);
            if let Some(r) = sys.task_mut(*sleeper).resume.as_deref_mut() {
                r.wait.on = WaitOn::Futex(other);
            }
            sys.kernel.futex_queues.entry(other).or_default().add(*sleeper, false);
        }
    }
    Ok(chosen.len() as i64)
}
