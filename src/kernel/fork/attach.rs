//! The end of copy_process: the draft becomes a task that others can see.
//!
//! Nothing here can fail.
//!
//! Linux: kernel/fork.c (copy_process from "ok, now we should be set up").
//! Left out: tty inheritance.

use super::{Draft, KernelCloneArgs};
use crate::abi::CloneFlags;
use crate::kernel::cgroup;
use crate::kernel::fs;
use crate::kernel::list;
use crate::kernel::pid::{self, PidType};
use crate::kernel::ptrace::attach::ptrace_init_task;
use crate::kernel::signal::{SignalFlags, stop};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList};
use crate::kernel::tty::tty_jobctl::current_tty;
use crate::kernel::tty::tty_kref_get;
use crate::kernel::wait;

/// Gives the draft its ids, its parent and its place in all lists.
pub fn attach(sys: &mut System, current: TaskId, args: &KernelCloneArgs, d: Draft, trace: bool) {
    let p = d.p;
    let Some(pid) = d.pid else {
        // An idle task is in no list; it only runs.
        return;
    };
    set_ids(sys, current, args, p, pid);
    set_parent(sys, current, args, p);
    ptrace_init_task(sys, current, p, trace);
    if let Some((fd, file)) = d.pidfd {
        fs::fdtable::fd_install(sys, current, fd, file, true);
    }
    sys.task_mut(p).thread_pid = Some(pid);
    if args.flags.contains(CloneFlags::CLONE_THREAD) {
        join_group(sys, current, p);
    } else {
        lead_group(sys, current, p, pid);
    }
    pid::attach_pid(sys, p, PidType::Pid);
    if let Some(id) = d.cgroup {
        cgroup::cgroup_post_fork(sys, p, id);
    }
    sys.kernel.nr_threads += 1;
    sys.kernel.total_forks += 1;
}

fn set_ids(sys: &mut System, current: TaskId, args: &KernelCloneArgs, p: TaskId, pid: pid::PidId) {
    let nr = sys.kernel.pids[pid].numbers[0].nr;
    let (leader, tgid) = if args.flags.contains(CloneFlags::CLONE_THREAD) {
        let c = sys.task(current);
        (c.group_leader, c.tgid)
    } else {
        (p, nr)
    };
    let t = sys.task_mut(p);
    t.pid = nr;
    t.tgid = tgid;
    t.group_leader = leader;
}

fn set_parent(sys: &mut System, current: TaskId, args: &KernelCloneArgs, p: TaskId) {
    let c = sys.task(current);
    let (real_parent, parent_exec_id, exit_signal) =
        if args.flags.intersects(CloneFlags::CLONE_PARENT | CloneFlags::CLONE_THREAD) {
            let signal = if args.flags.contains(CloneFlags::CLONE_THREAD) {
                -1
            } else {
                sys.task(c.group_leader).exit_signal
            };
            (c.real_parent, c.parent_exec_id, signal)
        } else {
            (current, c.self_exec_id, args.exit_signal)
        };
    let t = sys.task_mut(p);
    t.real_parent = real_parent;
    t.parent = real_parent;
    t.parent_exec_id = parent_exec_id;
    t.exit_signal = exit_signal;
}

/// A new process: a group, a child of its parent, a member of its creator's
/// process group and session.
fn lead_group(sys: &mut System, current: TaskId, p: TaskId, pid: pid::PidId) {
    let pgid = pid::task_pid_ptr(sys, current, PidType::Pgid);
    let sid = pid::task_pid_ptr(sys, current, PidType::Sid);
    let is_reaper = pid::is_child_reaper(sys, pid);
    let real_parent = sys.task(p).real_parent;
    let parent_signal = sys.signal(real_parent);
    let has_subreaper = parent_signal.has_child_subreaper || parent_signal.is_child_subreaper;
    let s = sys.signal_mut(p);
    // Task 0 is in group and session 0, which no pid stands for, and so are
    // init and the kernel threads at first (init_struct_pid).
    s.pids = [None, Some(pid), pgid, sid];
    s.has_child_subreaper = has_subreaper;
    if is_reaper {
        s.flags |= SignalFlags::UNKILLABLE;
        // The first of a namespace leads a group and a session that outer
        // processes cannot see: getpgrp and getsid give 0 inside.
        let ns = sys.kernel.pids[pid].numbers.last().expect("a pid has a number").ns;
        sys.kernel.pid_namespaces[ns].child_reaper = Some(p);
    }
    let signal = sys.task(p).signal.expect("a draft has a signal_struct");
    if let Some(tty) = current_tty(sys, current) {
        tty_kref_get(sys, tty);
        sys.kernel.signals[signal].tty = Some(tty);
    }
    let mut head = sys.kernel.signals[signal].thread_head;
    list::list_add_tail(&mut sys.kernel.tasks, &mut head, TaskList::Thread, p);
    sys.kernel.signals[signal].thread_head = head;
    wait::add_child(sys, real_parent, p);
    let mut tasks = sys.kernel.task_list;
    list::list_add_tail(&mut sys.kernel.tasks, &mut tasks, TaskList::Tasks, p);
    sys.kernel.task_list = tasks;
    for ty in [PidType::Tgid, PidType::Pgid, PidType::Sid] {
        pid::attach_pid(sys, p, ty);
    }
}

/// A new thread: one more member of its creator's group.
fn join_group(sys: &mut System, current: TaskId, p: TaskId) {
    let signal = sys.task(p).signal.expect("a draft has a signal_struct");
    let s = &mut sys.kernel.signals[signal];
    s.nr_threads += 1;
    s.live += 1;
    s.sigcnt += 1;
    let mut head = s.thread_head;
    list::list_add_tail(&mut sys.kernel.tasks, &mut head, TaskList::Thread, p);
    sys.kernel.signals[signal].thread_head = head;
    stop::task_join_group_stop(sys, current, p);
}
