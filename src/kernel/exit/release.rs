//! release_task: the last of a dead task leaves the kernel's lists.
//!
//! Linux: kernel/exit.c (release_task, __exit_signal, __unhash_process).
//! Left out: /proc entries, the RCU grace period.

use crate::kernel::cgroup;
use crate::kernel::list;
use crate::kernel::pid::{self, PidType};
use crate::kernel::ptrace::attach::ptrace_unlink;
use crate::kernel::sched::core::{self as sched, put_task_struct};
use crate::kernel::signal::notify::{do_notify_parent, note_child_event};
use crate::kernel::signal::pending::{self, Queue};
use crate::kernel::signal::thread_group_empty;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList, TaskState};
use crate::kernel::tty::tty_jobctl::proc_clear_tty;
use crate::kernel::user;
use crate::kernel::wait;

/// Unhashes a dead task. If it was the last thread beside a zombie leader, the
/// leader's parent is told now, and perhaps the leader goes too.
pub fn release_task(sys: &mut System, p: TaskId) {
    let mut next = Some(p);
    while let Some(p) = next.take() {
        user::dec_nproc_of(sys, p);
        cgroup::cgroup_release(sys, p);
        ptrace_unlink(sys, p);
        exit_signal(sys, p);
        let leader = sys.task(p).group_leader;
        if leader != p
            && sys.kernel.tasks.contains(leader)
            && sys.task(leader).exit_state == TaskState::EXIT_ZOMBIE
            && thread_group_empty(sys, leader)
        {
            let sig = sys.task(leader).exit_signal;
            note_child_event(sys, leader);
            if do_notify_parent(sys, leader, sig) {
                sys.task_mut(leader).exit_state = TaskState::EXIT_DEAD;
                next = Some(leader);
            }
        }
        put_task_struct(sys, p);
    }
}

/// Takes the task out of its group and adds what it used to the group's sums
/// (`__exit_signal`).
fn exit_signal(sys: &mut System, p: TaskId) {
    let Some(signal) = sys.task(p).signal else { return };
    let t = sys.task(p);
    let group_dead = t.is_group_leader();
    let used = t.usage();
    let s = &mut sys.kernel.signals[signal];
    if !group_dead {
        if s.notify_count > 0 {
            s.notify_count -= 1;
            if s.notify_count == 0
                && let Some(execer) = s.group_exec_task
            {
                sched::wake_up_process(sys, execer);
            }
        }
        let next = sys.task(p).links[TaskList::Thread as usize].next;
        let s = &mut sys.kernel.signals[signal];
        if s.curr_target == Some(p) {
            s.curr_target = next.or(s.thread_head.first.filter(|f| *f != p));
        }
    }
    sys.kernel.signals[signal].dead_threads.add(&used);
    unhash_process(sys, p, group_dead);
    pending::flush_sigqueue(sys, Queue::Private(p));
    if group_dead {
        proc_clear_tty(sys, signal);
        pending::flush_sigqueue(sys, Queue::Shared(signal));
    }
}

/// Takes the task off the lists and lets go of its pids.
fn unhash_process(sys: &mut System, p: TaskId, group_dead: bool) {
    sys.kernel.nr_threads -= 1;
    pid::detach_pid(sys, p, PidType::Pid);
    if group_dead {
        for ty in [PidType::Tgid, PidType::Pgid, PidType::Sid] {
            pid::detach_pid(sys, p, ty);
        }
        let mut tasks = sys.kernel.task_list;
        list::list_del(&mut sys.kernel.tasks, &mut tasks, TaskList::Tasks, p);
        sys.kernel.task_list = tasks;
        let parent = sys.task(p).real_parent;
        wait::del_child(sys, parent, p);
    }
    let Some(signal) = sys.task(p).signal else { return };
    let mut head = sys.kernel.signals[signal].thread_head;
    list::list_del(&mut sys.kernel.tasks, &mut head, TaskList::Thread, p);
    let s = &mut sys.kernel.signals[signal];
    s.thread_head = head;
    s.nr_threads -= 1;
}
