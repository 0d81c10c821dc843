//! getpriority(2), setpriority(2): nice values of a thread, of a process group,
//! of a user.
//!
//! There is no nice(2) here: glibc makes setpriority of it, and tells EACCES,
//! which means that a lower nice value needs a privilege, as EPERM.
//!
//! Linux: kernel/sys.c (setpriority, getpriority, set_one_prio),
//! kernel/sched/syscalls.c (can_nice), security/commoncap.c (cap_safe_nice).
//! Left out: nothing.

use super::fork::set_user_nice;
use super::prio::{NICE_RANGE, task_nice};
use crate::abi::numbers::{PRIO_PGRP, PRIO_PROCESS, PRIO_USER, RLIMIT_NICE};
use crate::abi::{Cap, Errno};
use crate::kernel::capability::{capable, ns_capable};
use crate::kernel::cred::user_ns::make_kuid;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::list;
use crate::kernel::pid::{PidType, find_task_by_vpid, find_vpid};
use crate::kernel::signal::kill::pid_members;
use crate::kernel::signal::threads;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList};

/// `nice_to_rlimit`: 20 - nice, from 1 (nice 19) to 40 (nice -20).
pub fn nice_to_rlimit(nice: i32) -> i64 {
    i64::from(20 - nice)
}

/// `is_nice_reduction`: RLIMIT_NICE lets the task have this nice value.
pub fn is_nice_reduction(sys: &System, p: TaskId, nice: i32) -> bool {
    let limit = sys.signal(p).rlim[RLIMIT_NICE as usize].cur;
    nice_to_rlimit(nice) as u64 <= limit
}

/// Whether the caller may favour tasks as he likes: CAP_SYS_NICE in the initial
/// user namespace, which root of a sandbox does not have.
pub fn capable_nice(sys: &mut System, current: TaskId) -> bool {
    !sys.kernel.contained && capable(sys, current, Cap::CAP_SYS_NICE)
}

/// `cap_safe_nice`: nobody changes a task that may do more than he himself.
pub fn cap_safe_nice(sys: &mut System, current: TaskId, p: TaskId) -> Result<(), SysError> {
    let theirs = &sys.kernel.creds[sys.task(p).real_cred];
    let (permitted, ns) = (theirs.cap_permitted, theirs.user_ns);
    let mine = sys.cred(current).cap_permitted;
    if permitted.minus(mine).is_empty() || ns_capable(sys, current, ns, Cap::CAP_SYS_NICE) {
        return Ok(());
    }
    let why = "the task has capabilities that the caller lacks, and he has no CAP_SYS_NICE";
    refuse(Errno::EPERM, "cap_safe_nice", why)
}

/// Whether the caller may change the nice value of `p` at all.
fn set_one_prio_perm(sys: &mut System, current: TaskId, p: TaskId) -> bool {
    let theirs = &sys.kernel.creds[sys.task(p).real_cred];
    let (uid, euid, ns) = (theirs.uid, theirs.euid, theirs.user_ns);
    let mine = sys.cred(current).euid;
    uid == mine || euid == mine || ns_capable(sys, current, ns, Cap::CAP_SYS_NICE)
}

fn set_one_prio(sys: &mut System, current: TaskId, p: TaskId, nice: i32) -> Result<(), SysError> {
    const F: &str = "set_one_prio";
    if !set_one_prio_perm(sys, current, p) {
        let why = "the task is another user's, and the caller has no CAP_SYS_NICE";
        return refuse(Errno::EPERM, F, why);
    }
    if nice < task_nice(sys.task(p))
        && !is_nice_reduction(sys, p, nice)
        && !capable_nice(sys, current)
    {
        let why = "RLIMIT_NICE does not allow a nice value this low, nor has the caller \
                   CAP_SYS_NICE (nice(3) makes EPERM of this)";
        return refuse(Errno::EACCES, F, why);
    }
    cap_safe_nice(sys, current, p)?;
    set_user_nice(sys, p, nice);
    Ok(())
}

/// Whom `which` and `who` mean.
///
/// # Errors
/// EINVAL for another `which`.
fn targets(sys: &System, current: TaskId, which: u32, who: i32) -> Result<Vec<TaskId>, SysError> {
    let t = match which {
        PRIO_PROCESS if who == 0 => vec![current],
        PRIO_PROCESS => find_task_by_vpid(sys, current, who).into_iter().collect(),
        PRIO_PGRP => {
            let group = match who {
                0 => sys.signal(current).pids[PidType::Pgid as usize],
                _ => find_vpid(sys, current, who),
            };
            let leaders = group.map(|p| pid_members(sys, p, PidType::Pgid)).unwrap_or_default();
            leaders.into_iter().flat_map(|l| threads(sys, l)).collect()
        }
        PRIO_USER => {
            let mine = sys.cred(current);
            let uid = match who {
                0 => Some(mine.uid),
                _ => make_kuid(sys, mine.user_ns, who as u32),
            };
            let leaders = list::iter(&sys.kernel.tasks, sys.kernel.task_list, TaskList::Tasks);
            let all = leaders.flat_map(|l| threads(sys, l));
            all.filter(|t| {
                let theirs = sys.kernel.creds[sys.task(*t).real_cred].uid;
                Some(theirs) == uid && task_pid_in(sys, current, *t) != 0
            })
            .collect()
        }
        _ => {
            let why = "which must be PRIO_PROCESS, PRIO_PGRP or PRIO_USER";
            return refuse(Errno::EINVAL, "set_priority", why);
        }
    };
    Ok(t)
}

/// The number of a task as the caller sees it; 0 where it does not.
fn task_pid_in(sys: &System, current: TaskId, t: TaskId) -> i32 {
    let ns = crate::kernel::pid::task_active_pid_ns(sys, current);
    sys.task(t).thread_pid.map_or(0, |pid| crate::kernel::pid::pid_nr_ns(sys, pid, ns))
}

fn nobody() -> SysError {
    SysError::new(Errno::ESRCH, "set_priority", "there is no such thread, group or user's task")
}

/// setpriority(2). Of several tasks all are tried; the last refusal counts.
///
/// # Errors
/// EINVAL; ESRCH: nobody is meant; EPERM, EACCES.
pub fn setpriority(
    sys: &mut System,
    current: TaskId,
    which: u32,
    who: i32,
    nice: i32,
) -> Result<(), SysError> {
    let nice = nice.clamp(*NICE_RANGE.start(), *NICE_RANGE.end());
    // Success takes back only that nobody was found.
    let mut result = Err(nobody());
    for p in targets(sys, current, which, who)? {
        match set_one_prio(sys, current, p, nice) {
            Err(e) => result = Err(e),
            Ok(()) => {
                if matches!(&result, Err(e) if e.errno == Errno::ESRCH) {
                    result = Ok(());
                }
            }
        }
    }
    result
}

/// getpriority(2): 20 - nice of the most favoured one, so that no answer looks
/// like an error.
///
/// # Errors
/// EINVAL; ESRCH: nobody is meant.
pub fn getpriority(sys: &System, current: TaskId, which: u32, who: i32) -> Result<i64, SysError> {
    let all = targets(sys, current, which, who)?;
    all.iter().map(|t| nice_to_rlimit(task_nice(sys.task(*t)))).max().ok_or_else(nobody)
}
