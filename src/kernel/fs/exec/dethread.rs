//! A thread that executes a program ends its process's other threads, and
//! becomes the leader if it was not.
//!
//! ```text
//! before     leader 100   thread 101   thread 102 execs
//! kill       dead         dead         waits in D (killable)
//! take over  -            -            102 becomes 100: pid, place among the
//!                                      children, start time; nobody notices
//! ```
//!
//! Linux: fs/exec.c (de_thread), kernel/pid.c (exchange_tids, transfer_pid).
//! Left out: nothing.

use crate::abi::{Errno, Signal};
use crate::kernel::error::{Stop, SysError};
use crate::kernel::exit::release_task;
use crate::kernel::list;
use crate::kernel::pid::{self, PidType};
use crate::kernel::signal::notify::wake_up_parent;
use crate::kernel::signal::stop::zap_other_threads;
use crate::kernel::signal::{SignalFlags, SignalId};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList, TaskState};
use crate::kernel::wait;
use crate::kernel::wait_queue::{Wait, WaitOn};
use crate::traced;

/// Whether this task has begun to end its siblings: the exec cannot go back.
pub fn is_dethreading(sys: &System, task: TaskId) -> bool {
    let signal = sys.task(task).signal.and_then(|s| sys.kernel.signals.get(s));
    signal.is_some_and(|s| s.group_exec_task == Some(task))
}

/// Waits until `task` is the only thread of its group and its leader.
///
/// # Errors
/// EAGAIN: another thread already execs or the group exits, or `task` itself
/// is killed while it waits. Blocks in D, killable.
pub fn de_thread(sys: &mut System, task: TaskId) -> Result<(), Stop> {
    let Some(signal) = sys.task(task).signal else {
        return Err(SysError::new(Errno::EAGAIN, "de_thread", "the task is dead").into());
    };
    let s = &sys.kernel.signals[signal];
    if s.group_exec_task == Some(task) {
        if sys.task(task).fatal_signal_pending() {
            done(sys, signal);
            let why = "the thread was killed while it waited for its siblings to die";
            return Err(SysError::new(Errno::EAGAIN, "de_thread", why).into());
        }
    } else if s.nr_threads > 1 {
        if s.flags.contains(SignalFlags::GROUP_EXIT) || s.group_exec_task.is_some() {
            let why = "the thread group is exiting, or another thread of it is in execve";
            return Err(SysError::new(Errno::EAGAIN, "de_thread", why).into());
        }
        sys.kernel.signals[signal].group_exec_task = Some(task);
        let others = traced!(sys, zap_other_threads(task));
        // A leader stays a zombie until its group is empty; it is not waited
        // for here.
        let leader = sys.task(task).is_group_leader();
        sys.kernel.signals[signal].notify_count = if leader { others } else { others - 1 };
    }
    if sys.kernel.signals[signal].notify_count > 0 {
        return Err(Stop::Block(Wait::killable(WaitOn::Dethread(signal))));
    }
    if !sys.task(task).is_group_leader() {
        let leader = sys.task(task).group_leader;
        if sys.task(leader).exit_state.is_empty() {
            // The leader's exit_notify sees this and wakes us.
            sys.kernel.signals[signal].notify_count = -1;
            return Err(Stop::Block(Wait::killable(WaitOn::Dethread(signal))));
        }
        traced!(sys, take_over(task, leader));
    }
    done(sys, signal);
    let parent = sys.task(task).real_parent;
    wait::set_exit_signal(sys, parent, task, Signal::SIGCHLD.number());
    Ok(())
}

/// The exec of a thread that had to die after all has come to nothing.
pub fn give_up(sys: &mut System, task: TaskId) {
    if let Some(signal) = sys.task(task).signal.filter(|_| is_dethreading(sys, task)) {
        done(sys, signal);
    }
}

fn done(sys: &mut System, signal: SignalId) {
    let s = &mut sys.kernel.signals[signal];
    s.group_exec_task = None;
    s.notify_count = 0;
}

/// The last thread becomes what the dead leader was, and the leader goes.
fn take_over(sys: &mut System, task: TaskId, leader: TaskId) {
    let l = sys.task(leader);
    let (start, boot) = (l.start_time, l.start_boottime);
    let (parent, seq) = (l.real_parent, l.sibling_seq);
    let exit_signal = l.exit_signal;
    pid::exchange_tids(sys, task, leader);
    for ty in [PidType::Tgid, PidType::Pgid, PidType::Sid] {
        pid::transfer_pid(sys, leader, task, ty);
    }
    let mut tasks = sys.kernel.task_list;
    list::list_replace(&mut sys.kernel.tasks, &mut tasks, TaskList::Tasks, leader, task);
    sys.kernel.task_list = tasks;
    let mut children = sys.task(parent).children;
    list::list_replace(&mut sys.kernel.tasks, &mut children, TaskList::Sibling, leader, task);
    let p = sys.task_mut(parent);
    p.children = children;
    // There is no zombie to wait for any more, but the process may have been
    // continued.
    if let Some(noted) = p.notable_children.get_mut(&seq) {
        *noted = task;
    }
    let t = sys.task_mut(task);
    (t.start_time, t.start_boottime) = (start, boot);
    t.sibling_seq = seq;
    t.group_leader = task;
    // The caller makes it SIGCHLD; until then the parent counts it as before.
    t.exit_signal = exit_signal;
    let l = sys.task_mut(leader);
    l.group_leader = task;
    l.exit_signal = -1;
    l.exit_state = TaskState::EXIT_DEAD;
    // A tracer that waits for this thread will not see it any more.
    if !sys.task(leader).ptrace.is_empty() {
        let tracer = sys.task(leader).parent;
        wake_up_parent(sys, tracer);
    }
    traced!(sys, release_task(leader));
}
