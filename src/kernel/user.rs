//! `user_struct`: what is counted for a real uid, whoever runs with it.
//!
//! RLIMIT_NPROC bounds the tasks of a user, zombies included: a task counts
//! from copy_creds until it is released, not until it exits.
//!
//! Linux: kernel/user.c (alloc_uid, free_uid), kernel/ucount.c
//! (is_rlimit_overlimit), kernel/fork.c, kernel/sys.c (flag_nproc_exceeded).
//! Left out: ucounts, which count once more in each enclosing user namespace.

use crate::abi::Cap;
use crate::abi::numbers::{RLIM_INFINITY, RLIMIT_NPROC};
use crate::kernel::cred::{CredId, UserId, UserStruct};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// One more reference to a user (`get_uid`).
#[inline]
pub fn get_uid(sys: &mut System, user: UserId) {
    let u = &mut sys.kernel.users[user];
    u.count = u.count.saturating_add(1);
}

/// The user_struct of a uid, made if there is none, with one more reference.
/// `uid` is a uid of the initial namespace (`alloc_uid`).
pub fn alloc_uid(sys: &mut System, uid: u32) -> UserId {
    if let Some(&user) = sys.kernel.uidhash.get(&uid) {
        get_uid(sys, user);
        return user;
    }
    let user = sys.kernel.users.insert(UserStruct { count: 1, uid, processes: 0, sigpending: 0 });
    sys.kernel.uidhash.insert(uid, user);
    user
}

/// Drops a reference; the last one frees it (`free_uid`).
pub fn free_uid(sys: &mut System, user: UserId) {
    let Some(u) = sys.kernel.users.get_mut(user) else {
        return sys.oops("free_uid", "a user_struct was used after it was freed".into());
    };
    if u.count > 1 {
        u.count -= 1;
        return;
    }
    let (uid, processes, queued) = (u.uid, u.processes, u.sigpending);
    if processes != 0 || queued != 0 {
        let what = format!("user {uid} is freed with {processes} tasks, {queued} queued signals");
        sys.oops("free_uid", what);
    }
    sys.kernel.uidhash.remove(&uid);
    sys.kernel.users.remove(user);
}

/// Counts a task for a user (`inc_rlimit_ucounts(UCOUNT_RLIMIT_NPROC)`).
#[inline]
pub fn inc_nproc(sys: &mut System, user: UserId) {
    let u = &mut sys.kernel.users[user];
    u.processes = u.processes.saturating_add(1);
}

/// Counts a task no more (`dec_rlimit_ucounts(UCOUNT_RLIMIT_NPROC)`).
#[inline]
pub fn dec_nproc(sys: &mut System, user: UserId) {
    match sys.kernel.users.get_mut(user) {
        Some(u) if u.processes > 0 => u.processes -= 1,
        _ => sys.oops("dec_rlimit_ucounts", "a user has fewer than no tasks".into()),
    }
}

/// The uncounting when a task is released, or its fork fails after
/// copy_creds. Preconditions: it still has its credentials.
pub fn dec_nproc_of(sys: &mut System, task: TaskId) {
    let user = sys.kernel.creds[sys.task(task).real_cred].user;
    dec_nproc(sys, user);
}

/// Whether more tasks than `limit` are counted for a user
/// (`is_rlimit_overlimit`).
pub fn is_nproc_overlimit(sys: &System, user: UserId, limit: u64) -> bool {
    limit != RLIM_INFINITY && u64::from(sys.kernel.users[user].processes) > limit
}

/// The RLIMIT_NPROC check of copy_process: whether `current` may not make a
/// child whose credentials are `child`, already counted. Users with uid 0,
/// CAP_SYS_RESOURCE and CAP_SYS_ADMIN may exceed the limit.
pub fn fork_exceeds_nproc(sys: &mut System, current: TaskId, child: CredId) -> bool {
    let limit = sys.signal(current).rlim[RLIMIT_NPROC as usize].cur;
    let user = sys.kernel.creds[child].user;
    is_nproc_overlimit(sys, user, limit)
        && sys.kernel.users[user].uid != 0
        && !crate::kernel::capability::capable(sys, current, Cap::CAP_SYS_RESOURCE)
        && !crate::kernel::capability::capable(sys, current, Cap::CAP_SYS_ADMIN)
}
