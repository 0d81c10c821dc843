//! `struct pid`: a process id as an object that outlives its task, one number
//! for each pid namespace it is seen from.
//!
//! Linux: include/linux/pid.h, kernel/pid.c (alloc_pid, attach_pid,
//! detach_pid, free_pid).
//! Left out: pidfs.

use crate::abi::{Cap, Errno};
use crate::base::Id;
use crate::kernel::capability::ns_capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::inject::should_fail;
use crate::kernel::list;
use crate::kernel::nsproxy;
use crate::kernel::pid_namespace::PidNsId;
use crate::kernel::sched::core::wake_up_all;
use crate::kernel::system::System;
use crate::kernel::task::{ListHead, TaskId, TaskList};
use crate::kernel::wait_queue::{WaitOn, WaitQueueHead};
use smallvec::SmallVec;

/// Names a `struct pid`.
pub type PidId = Id<Pid>;

/// In which role tasks use a pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PidType {
    /// Thread id.
    Pid = 0,
    /// Thread group id.
    Tgid = 1,
    /// Process group id.
    Pgid = 2,
    /// Session id.
    Sid = 3,
}

impl PidType {
    /// All roles.
    pub const ALL: [PidType; 4] = [PidType::Pid, PidType::Tgid, PidType::Pgid, PidType::Sid];
}

/// A number in one namespace (`struct upid`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upid {
    /// The number.
    pub nr: i32,
    /// The namespace.
    pub ns: PidNsId,
}

/// `struct pid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pid {
    /// References: one while any task uses it in any role, one a pidfd.
    pub count: u32,
    /// Numbers, outermost namespace first; the last is the task's own.
    pub numbers: SmallVec<[Upid; 1]>,
    /// Tasks that use it, by role.
    pub tasks: [ListHead; 4],
    /// Whether it is in the namespaces' tables.
    pub hashed: bool,
    /// Those who poll a pidfd or wait on one.
    pub wait_pidfd: WaitQueueHead,
}

impl PidType {
    /// The list that tasks using a pid in this role are on.
    pub fn list(self) -> TaskList {
        match self {
            PidType::Pid => TaskList::Pid,
            PidType::Tgid => TaskList::Tgid,
            PidType::Pgid => TaskList::Pgid,
            PidType::Sid => TaskList::Sid,
        }
    }
}

/// Makes a pid with a number in `ns` and in each namespace around it.
/// `set_tid` holds wanted numbers, innermost first.
///
/// Errors, in Linux's order: EINVAL (more wanted numbers than levels, or one
/// out of range, or the first of a namespace is not 1), EPERM, EEXIST,
/// EAGAIN (all in use), ENOMEM (the namespace's init is dead).
/// Source: kernel/pid.c `alloc_pid`.
pub fn alloc_pid(
    sys: &mut System,
    current: TaskId,
    ns: PidNsId,
    set_tid: &[i32],
) -> Result<PidId, SysError> {
    should_fail(sys, "alloc_pid")?;
    let level = sys.kernel.pid_namespaces[ns].level;
    if set_tid.len() > level as usize + 1 {
        return refuse(
            Errno::EINVAL,
            "alloc_pid",
            "set_tid names more pids than there are nested pid namespaces",
        );
    }
    let mut numbers: SmallVec<[Upid; 1]> = SmallVec::new();
    let mut at = Some(ns);
    let mut wanted = set_tid.iter();
    let result = loop {
        let Some(id) = at else { break Ok(()) };
        let nr = match wanted.next() {
            Some(&tid) => check_set_tid(sys, current, id, tid)
                .and_then(|()| sys.kernel.pid_namespaces[id].pick(Some(tid))),
            None => sys.kernel.pid_namespaces[id].pick(None),
        };
        match nr {
            Ok(nr) => numbers.push(Upid { nr, ns: id }),
            Err(e) => break Err(e),
        }
        at = sys.kernel.pid_namespaces[id].parent;
    };
    result?;
    if !sys.kernel.pid_namespaces[ns].adding {
        return refuse(
            Errno::ENOMEM,
            "alloc_pid",
            "the init of this pid namespace has died: no process can be made in it any more",
        );
    }
    numbers.reverse();
    let pid = sys.kernel.pids.insert(Pid {
        count: 1,
        numbers: numbers.clone(),
        tasks: [ListHead::default(); 4],
        hashed: true,
        wait_pidfd: WaitQueueHead::default(),
    });
    for upid in &numbers {
        sys.kernel.pid_namespaces[upid.ns].set(upid.nr, Some(pid));
    }
    sys.kernel.pid_namespaces[ns].count += 1;
    Ok(pid)
}

fn check_set_tid(sys: &mut System, current: TaskId, ns: PidNsId, tid: i32) -> Result<(), SysError> {
    let n = &sys.kernel.pid_namespaces[ns];
    if tid < 1 || tid >= n.pid_max {
        return Err(SysError::with(
            Errno::EINVAL,
            "alloc_pid",
            format!("set_tid: {tid} is not between 1 and pid_max - 1 ({})", n.pid_max - 1),
        ));
    }
    if tid != 1 && n.child_reaper.is_none() {
        return refuse(
            Errno::EINVAL,
            "alloc_pid",
            "set_tid: the first task of a pid namespace must get pid 1",
        );
    }
    let user_ns = n.user_ns;
    if !ns_capable(sys, current, user_ns, Cap::CAP_CHECKPOINT_RESTORE)
        && !ns_capable(sys, current, user_ns, Cap::CAP_SYS_ADMIN)
    {
        return refuse(
            Errno::EPERM,
            "alloc_pid",
            "set_tid needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in the namespace's user namespace",
        );
    }
    Ok(())
}

/// Takes a reference.
pub fn get_pid(sys: &mut System, pid: PidId) {
    sys.kernel.pids[pid].count += 1;
}

/// Drops a reference; the last frees the object and lets go of its namespace.
pub fn put_pid(sys: &mut System, pid: PidId) {
    let p = &mut sys.kernel.pids[pid];
    if p.count == 0 {
        return sys.oops("put_pid", "struct pid: reference count below zero".to_string());
    }
    p.count -= 1;
    if p.count == 0 {
        let ns = p.numbers.last().map(|u| u.ns);
        sys.kernel.pids.free(pid);
        if let Some(ns) = ns {
            nsproxy::put_pid_ns(sys, ns);
        }
    }
}

/// Takes the numbers out of the tables and drops the reference they were.
/// Source: kernel/pid.c `free_pid`.
pub fn free_pid(sys: &mut System, pid: PidId) {
    let numbers = sys.kernel.pids[pid].numbers.clone();
    sys.kernel.pids[pid].hashed = false;
    for upid in numbers {
        // Nobody waits in zap_pid_ns_processes for the last of a namespace.
        sys.kernel.pid_namespaces[upid.ns].set(upid.nr, None);
    }
    put_pid(sys, pid);
}

/// The pid a task uses in a role, if it has not been unhashed (`task_pid_ptr`).
pub fn task_pid_ptr(sys: &System, task: TaskId, ty: PidType) -> Option<PidId> {
    let t = sys.task(task);
    match ty {
        PidType::Pid => t.thread_pid,
        _ => sys.kernel.signals.get(t.signal?)?.pids[ty as usize],
    }
}

/// Lists `task` among the users of its pid in role `ty`.
pub fn attach_pid(sys: &mut System, task: TaskId, ty: PidType) {
    let Some(pid) = task_pid_ptr(sys, task, ty) else { return };
    let mut head = sys.kernel.pids[pid].tasks[ty as usize];
    list::list_add(&mut sys.kernel.tasks, &mut head, ty.list(), task);
    sys.kernel.pids[pid].tasks[ty as usize] = head;
}

fn change_pid_to(sys: &mut System, task: TaskId, ty: PidType, new: Option<PidId>) {
    let old = task_pid_ptr(sys, task, ty);
    if let Some(pid) = old {
        let mut head = sys.kernel.pids[pid].tasks[ty as usize];
        list::list_del(&mut sys.kernel.tasks, &mut head, ty.list(), task);
        sys.kernel.pids[pid].tasks[ty as usize] = head;
    }
    if ty == PidType::Pid {
        sys.task_mut(task).thread_pid = new;
        // Whoever polls a pidfd of it sees that it was reaped.
        if let Some(pid) = old {
            wake_up_all(sys, WaitOn::PidExit(pid));
        }
    } else if sys.task(task).signal.is_some() {
        sys.signal_mut(task).pids[ty as usize] = new;
    }
    // A number stays taken as long as any task uses it in any role: that is
    // why a dead leader's pid is not reused while its process group lives.
    if let Some(pid) = old
        && sys.kernel.pids[pid].tasks.iter().all(|h| h.first.is_none())
    {
        free_pid(sys, pid);
    }
}

/// Takes `task` off its pid in role `ty`; frees a pid that nobody uses.
pub fn detach_pid(sys: &mut System, task: TaskId, ty: PidType) {
    change_pid_to(sys, task, ty, None);
}

/// Gives `task` another pid in role `ty` (setpgid, setsid).
pub fn change_pid(sys: &mut System, task: TaskId, ty: PidType, pid: PidId) {
    change_pid_to(sys, task, ty, Some(pid));
    attach_pid(sys, task, ty);
}

/// Hands `old`'s place in role `ty` over to `new` (`transfer_pid`, exec by a
/// thread that is not the leader).
pub fn transfer_pid(sys: &mut System, old: TaskId, new: TaskId, ty: PidType) {
    let Some(pid) = task_pid_ptr(sys, old, ty) else { return };
    let mut head = sys.kernel.pids[pid].tasks[ty as usize];
    list::list_replace(&mut sys.kernel.tasks, &mut head, ty.list(), old, new);
    sys.kernel.pids[pid].tasks[ty as usize] = head;
}

/// Swaps the thread ids of two tasks (`exchange_tids`).
pub fn exchange_tids(sys: &mut System, left: TaskId, right: TaskId) {
    let (Some(lp), Some(rp)) = (sys.task(left).thread_pid, sys.task(right).thread_pid) else {
        return;
    };
    let (lh, rh) = (sys.kernel.pids[lp].tasks[0], sys.kernel.pids[rp].tasks[0]);
    sys.kernel.pids[lp].tasks[0] = rh;
    sys.kernel.pids[rp].tasks[0] = lh;
    let (lnr, rnr) = (sys.task(left).pid, sys.task(right).pid);
    let t = sys.task_mut(left);
    (t.thread_pid, t.pid) = (Some(rp), rnr);
    let t = sys.task_mut(right);
    (t.thread_pid, t.pid) = (Some(lp), lnr);
}

/// The number of `pid` as seen from `ns`; 0 when it is not seen there.
pub fn pid_nr_ns(sys: &System, pid: PidId, ns: PidNsId) -> i32 {
    let level = sys.kernel.pid_namespaces[ns].level as usize;
    match sys.kernel.pids[pid].numbers.get(level) {
        Some(upid) if upid.ns == ns => upid.nr,
        _ => 0,
    }
}

/// The namespace in which a task's own number lies (`task_active_pid_ns`).
/// A task that has been unhashed has none; the initial one stands for it.
pub fn task_active_pid_ns(sys: &System, task: TaskId) -> PidNsId {
    sys.task(task)
        .thread_pid
        .and_then(|p| sys.kernel.pids.get(p)?.numbers.last().map(|u| u.ns))
        .unwrap_or(sys.kernel.init_pid_ns)
}

/// A task's number in role `ty` as seen from `ns` (`None`: the initial one).
pub fn task_pid_nr_ns(sys: &System, task: TaskId, ty: PidType, ns: Option<PidNsId>) -> i32 {
    let ns = ns.unwrap_or(sys.kernel.init_pid_ns);
    task_pid_ptr(sys, task, ty).map_or(0, |p| pid_nr_ns(sys, p, ns))
}

/// A task's thread id as it sees it itself (gettid).
pub fn task_pid_vnr(sys: &System, task: TaskId) -> i32 {
    task_pid_nr_ns(sys, task, PidType::Pid, Some(task_active_pid_ns(sys, task)))
}

/// A task's process id as it sees it itself (getpid).
pub fn task_tgid_vnr(sys: &System, task: TaskId) -> i32 {
    task_pid_nr_ns(sys, task, PidType::Tgid, Some(task_active_pid_ns(sys, task)))
}

/// The pid with number `nr` in `ns`.
pub fn find_pid_ns(sys: &System, nr: i32, ns: PidNsId) -> Option<PidId> {
    sys.kernel.pid_namespaces[ns].find(nr)
}

/// The pid with number `nr` as `current` counts (`find_vpid`).
pub fn find_vpid(sys: &System, current: TaskId, nr: i32) -> Option<PidId> {
    find_pid_ns(sys, nr, task_active_pid_ns(sys, current))
}

/// The first task that uses `pid` in role `ty`.
pub fn pid_task(sys: &System, pid: PidId, ty: PidType) -> Option<TaskId> {
    sys.kernel.pids.get(pid)?.tasks[ty as usize].first
}

/// The thread with id `nr` as `current` counts.
pub fn find_task_by_vpid(sys: &System, current: TaskId, nr: i32) -> Option<TaskId> {
    pid_task(sys, find_vpid(sys, current, nr)?, PidType::Pid)
}

/// Whether this pid is number 1 of its own namespace (`is_child_reaper`).
pub fn is_child_reaper(sys: &System, pid: PidId) -> bool {
    sys.kernel.pids[pid].numbers.last().is_some_and(|u| u.nr == 1)
}
