//! Orphans: who adopts the children of a task that exits.
//!
//! In this order: another thread of the same process; the nearest ancestor
//! that called `prctl(PR_SET_CHILD_SUBREAPER)`, within the same pid namespace;
//! the init of the pid namespace.
//!
//! Linux: kernel/exit.c (find_child_reaper, find_new_reaper, reparent_leader,
//! forget_original_parent, kill_orphaned_pgrp), kernel/pid_namespace.c
//! (zap_pid_ns_processes).
//! Left out: nothing.

use crate::abi::Signal;
use crate::abi::structs::SigInfo;
use crate::kernel::list;
use crate::kernel::pid::{self, PidType};
use crate::kernel::ptrace::exit::exit_ptrace;
use crate::kernel::signal::kill::{group_send_sig, kill_pgrp_info};
use crate::kernel::signal::notify::do_notify_parent;
use crate::kernel::signal::stop::will_become_orphaned_pgrp;
use crate::kernel::signal::{same_thread_group, thread_group_empty, threads};
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskList, TaskState};
use crate::kernel::wait;
use crate::traced;

/// Gives the children of `father` a new parent. Zombies that nobody will wait
/// for go into `dead`.
pub fn forget_original_parent(sys: &mut System, father: TaskId, dead: &mut Vec<TaskId>) {
    if sys.task(father).ptraced.first.is_some() {
        traced!(sys, exit_ptrace(father, dead));
    }
    let reaper = find_child_reaper(sys, father);
    if sys.task(father).children.first.is_none() {
        return;
    }
    let reaper = traced!(sys, find_new_reaper(father, reaper));
    let children: Vec<_> =
        list::iter(&sys.kernel.tasks, sys.task(father).children, TaskList::Sibling).collect();
    for p in children {
        let group = threads(sys, p);
        for &t in &group {
            let task = sys.task_mut(t);
            task.real_parent = reaper;
            if task.ptrace.is_empty() {
                task.parent = reaper;
            }
        }
        // What follows may have something to say of p to its new parent.
        wait::move_child(sys, father, reaper, p);
        for t in group {
            if let Some(sig) = Signal::new(sys.task(t).pdeath_signal) {
                // A refusal (a child that changed its user) is nobody's error.
                let _ = group_send_sig(sys, father, sig, t, PidType::Tgid);
            }
        }
        if !same_thread_group(sys, reaper, father) {
            reparent_leader(sys, father, reaper, p, dead);
        }
    }
}

/// The init of `father`'s pid namespace. If that is `father` itself, one of
/// its other threads takes over; without any, the namespace dies.
fn find_child_reaper(sys: &mut System, father: TaskId) -> TaskId {
    let ns = pid::task_active_pid_ns(sys, father);
    let reaper = sys.kernel.pid_namespaces[ns].child_reaper.unwrap_or(sys.kernel.init_task);
    if reaper != father {
        return reaper;
    }
    if let Some(thread) = find_alive_thread(sys, father) {
        sys.kernel.pid_namespaces[ns].child_reaper = Some(thread);
        return thread;
    }
    if ns == sys.kernel.init_pid_ns {
        // do_exit has reported the panic already.
        return sys.kernel.init_task;
    }
    traced!(sys, crate::kernel::pid_namespace::zap_pid_ns_processes(father, ns));
    father
}

/// A thread of the same process that is not exiting.
fn find_alive_thread(sys: &System, p: TaskId) -> Option<TaskId> {
    threads(sys, p).into_iter().find(|t| !sys.task(*t).flags.contains(PF::EXITING))
}

fn find_new_reaper(sys: &mut System, father: TaskId, child_reaper: TaskId) -> TaskId {
    if let Some(thread) = find_alive_thread(sys, father) {
        return thread;
    }
    if sys.signal(father).has_child_subreaper {
        let level = pid_level(sys, father);
        let mut reaper = sys.task(father).real_parent;
        while !same_thread_group(sys, reaper, child_reaper) {
            // Never leave the pid namespace, never reach the swapper.
            if pid_level(sys, reaper) != level || reaper == sys.kernel.init_task {
                break;
            }
            if sys.signal(reaper).is_child_subreaper
                && let Some(thread) = find_alive_thread(sys, reaper)
            {
                return thread;
            }
            reaper = sys.task(reaper).real_parent;
        }
    }
    child_reaper
}

fn pid_level(sys: &System, task: TaskId) -> usize {
    sys.task(task).thread_pid.map_or(0, |p| sys.kernel.pids[p].numbers.len())
}

/// A child moves to another process: it now sends SIGCHLD whatever it was
/// made with, and a zombie that its new parent does not want goes.
fn reparent_leader(
    sys: &mut System,
    father: TaskId,
    reaper: TaskId,
    p: TaskId,
    dead: &mut Vec<TaskId>,
) {
    if sys.task(p).exit_state == TaskState::EXIT_DEAD {
        return;
    }
    wait::set_exit_signal(sys, reaper, p, Signal::SIGCHLD.number());
    if sys.task(p).ptrace.is_empty()
        && sys.task(p).exit_state == TaskState::EXIT_ZOMBIE
        && thread_group_empty(sys, p)
        && do_notify_parent(sys, p, Signal::SIGCHLD.number())
    {
        sys.task_mut(p).exit_state = TaskState::EXIT_DEAD;
        dead.push(p);
    }
    kill_orphaned_pgrp(sys, p, Some(father));
}

fn has_stopped_jobs(sys: &System, pgrp: pid::PidId) -> bool {
    use crate::kernel::signal::SignalFlags;
    let head = sys.kernel.pids[pgrp].tasks[PidType::Pgid as usize];
    list::iter(&sys.kernel.tasks, head, TaskList::Pgid)
        .any(|p| sys.signal(p).flags.contains(SignalFlags::STOP_STOPPED))
}

/// POSIX: when a group with stopped members becomes orphaned by this exit, it
/// gets SIGHUP and SIGCONT. `parent` is given when the exiting task is the
/// parent rather than the member.
pub fn kill_orphaned_pgrp(sys: &mut System, tsk: TaskId, parent: Option<TaskId>) {
    let Some(pgrp) = pid::task_pid_ptr(sys, tsk, PidType::Pgid) else { return };
    let (parent, ignored) = match parent {
        None => (sys.task(tsk).real_parent, Some(tsk)),
        Some(p) => (p, None),
    };
    if sys.task(parent).signal.is_none() {
        return;
    }
    let same_session =
        pid::task_pid_ptr(sys, parent, PidType::Sid) == pid::task_pid_ptr(sys, tsk, PidType::Sid);
    if pid::task_pid_ptr(sys, parent, PidType::Pgid) != Some(pgrp)
        && same_session
        && will_become_orphaned_pgrp(sys, pgrp, ignored)
        && has_stopped_jobs(sys, pgrp)
    {
        let _ = kill_pgrp_info(sys, tsk, SigInfo::kernel(Signal::SIGHUP), pgrp);
        let _ = kill_pgrp_info(sys, tsk, SigInfo::kernel(Signal::SIGCONT), pgrp);
    }
}
