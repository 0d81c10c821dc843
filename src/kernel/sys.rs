//! Process groups, sessions, and what a process has used: setpgid(2),
//! setsid(2), getpgid(2), getsid(2), getppid(2), getrusage(2), times(2).
//!
//! ```text
//! session 1   shell (leader)
//!   group 1   shell
//!   group 5   job: pid 5, 6      setpgid moves between groups of one session
//! ```
//!
//! Linux: kernel/sys.c (setpgid, ksys_setsid, getrusage, do_sys_times).
//! Left out: nothing.

use crate::abi::Errno;
use crate::abi::numbers::{RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD};
use crate::abi::structs::Rusage;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::pid::{PidId, PidType};
use crate::kernel::pid::{
    change_pid, find_pid_ns, find_task_by_vpid, pid_nr_ns, pid_task, task_active_pid_ns,
    task_pid_nr_ns,
};
use crate::kernel::signal::{same_thread_group, threads};
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId};
use crate::kernel::tty::tty_jobctl::proc_clear_tty;

/// The pid object of a task's process group or session; `None` once the task
/// is released, and for group and session 0 of the kernel threads.
fn pid_of(sys: &System, task: TaskId, ty: PidType) -> Option<PidId> {
    sys.task(task).signal.and_then(|s| sys.kernel.signals[s].pids[ty as usize])
}

/// A number of `task` as `current` sees it, 0 if it cannot.
pub fn nr_as_seen(sys: &System, current: TaskId, task: TaskId, ty: PidType) -> i32 {
    let ns = task_active_pid_ns(sys, current);
    task_pid_nr_ns(sys, task, ty, Some(ns))
}

/// The pid of the parent process, 0 if it is outside the pid namespace. The
/// parent is `real_parent`: a tracer does not count.
pub fn getppid(sys: &System, current: TaskId) -> i32 {
    nr_as_seen(sys, current, sys.task(current).real_parent, PidType::Tgid)
}

/// setpgid(2): puts the caller or a child that has not exec'd into a group of
/// its session; 0 means the caller's pid, and the pid as group.
pub fn setpgid(sys: &mut System, current: TaskId, pid: i32, pgid: i32) -> Result<(), SysError> {
    const F: &str = "setpgid";
    let leader = sys.task(current).group_leader;
    let ns = task_active_pid_ns(sys, current);
    let pid = if pid == 0 { task_pid_nr_ns(sys, leader, PidType::Pid, Some(ns)) } else { pid };
    let pgid = if pgid == 0 { pid } else { pgid };
    if pgid < 0 {
        return refuse(Errno::EINVAL, F, "the group id is negative");
    }
    let Some(p) = find_task_by_vpid(sys, current, pid) else {
        return refuse(Errno::ESRCH, F, "no process has this pid");
    };
    if sys.task(p).group_leader != p {
        return refuse(Errno::EINVAL, F, "the id is that of a thread, not of a process");
    }
    let session = pid_of(sys, leader, PidType::Sid);
    if same_thread_group(sys, sys.task(p).real_parent, leader) {
        if pid_of(sys, p, PidType::Sid) != session {
            return refuse(Errno::EPERM, F, "the child is in another session");
        }
        if !sys.task(p).flags.contains(PF::FORKNOEXEC) {
            return refuse(Errno::EACCES, F, "the child has exec'd; it is its own business now");
        }
    } else if p != leader {
        return refuse(Errno::ESRCH, F, "the process is neither the caller nor its child");
    }
    if sys.signal(p).leader {
        return refuse(Errno::EPERM, F, "a session leader cannot change its group");
    }
    let group = if pgid == pid {
        sys.task(p).thread_pid
    } else {
        let group = find_pid_ns(sys, pgid, ns);
        let member = group.and_then(|g| pid_task(sys, g, PidType::Pgid));
        match member {
            Some(g) if pid_of(sys, g, PidType::Sid) == session => group,
            _ => return refuse(Errno::EPERM, F, "there is no such group in the caller's session"),
        }
    };
    if let Some(group) = group
        && pid_of(sys, p, PidType::Pgid) != Some(group)
    {
        change_pid(sys, p, PidType::Pgid, group);
    }
    Ok(())
}

/// getpgid(2) and getsid(2): by `ty`; pid 0 is the caller.
pub fn get_group_or_session(
    sys: &System,
    current: TaskId,
    pid: i32,
    ty: PidType,
) -> Result<i32, SysError> {
    let function = if ty == PidType::Sid { "getsid" } else { "getpgid" };
    let target = match pid {
        0 => Some(current),
        _ => find_task_by_vpid(sys, current, pid),
    };
    match target.map(|t| pid_of(sys, t, ty)) {
        Some(Some(p)) => Ok(pid_nr_ns(sys, p, task_active_pid_ns(sys, current))),
        // Group and session 0 of the kernel threads.
        Some(None) => Ok(0),
        None => refuse(Errno::ESRCH, function, "no process has this pid"),
    }
}

/// setsid(2): a new session and group, both named by the caller's pid; it has
/// no controlling terminal.
pub fn setsid(sys: &mut System, current: TaskId) -> Result<i32, SysError> {
    const F: &str = "ksys_setsid";
    let leader = sys.task(current).group_leader;
    if sys.signal(leader).leader {
        return refuse(Errno::EPERM, F, "the caller already leads a session");
    }
    let Some(own) = sys.task(leader).thread_pid else {
        return refuse(Errno::EPERM, F, "the process is already dead");
    };
    if pid_task(sys, own, PidType::Pgid).is_some() {
        let why = "a process group with the caller's pid exists (it leads one): the session's \
                   first group could not have that name";
        return refuse(Errno::EPERM, F, why);
    }
    sys.signal_mut(leader).leader = true;
    for ty in [PidType::Sid, PidType::Pgid] {
        if pid_of(sys, leader, ty) != Some(own) {
            change_pid(sys, leader, ty, own);
        }
    }
    if let Some(signal) = sys.task(leader).signal {
        proc_clear_tty(sys, signal);
    }
    Ok(nr_as_seen(sys, current, leader, PidType::Pid))
}

/// What one thread has used.
fn thread_usage(sys: &System, task: TaskId) -> Rusage {
    let t = sys.task(task);
    Rusage { ru_maxrss: t.mm.map_or(0, |m| maxrss_kib(sys, m)), ..t.usage() }
}

/// Largest resident set of an address space so far, in KiB.
fn maxrss_kib(sys: &System, mm: crate::kernel::mm::MmId) -> u64 {
    let m = sys.mm(mm);
    let now: i64 = m.rss_stat.iter().sum();
    m.hiwater_rss.max(u64::try_from(now).unwrap_or(0)).saturating_mul(4)
}

/// What a process has used: threads alive, and those already gone.
pub fn process_usage(sys: &System, task: TaskId) -> Rusage {
    let mut sum =
        sys.task(task).signal.map(|s| sys.kernel.signals[s].dead_threads).unwrap_or_default();
    for t in threads(sys, task) {
        sum.add(&thread_usage(sys, t));
    }
    sum
}

/// getrusage(2).
pub fn getrusage(sys: &System, task: TaskId, who: i32) -> Result<Rusage, SysError> {
    match who {
        RUSAGE_SELF => Ok(process_usage(sys, task)),
        RUSAGE_CHILDREN => Ok(sys.signal(task).children_usage),
        RUSAGE_THREAD => Ok(thread_usage(sys, task)),
        _ => {
            let why = "who is neither RUSAGE_SELF, RUSAGE_CHILDREN nor RUSAGE_THREAD";
            refuse(Errno::EINVAL, "getrusage", why)
        }
    }
}
