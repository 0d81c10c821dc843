//! Going on: tasks that were woken in a call, continued after a stop, or
//! signalled while in user mode.
//!
//! Linux: where schedule() returns; kernel/entry/common.c
//! (exit_to_user_mode_loop) after an interrupt.
//! Left out: choosing among several; they run in the order of their wake-ups.

use super::leave::{exit_to_user_mode, go_on};
use super::regs::enter_from_user;
use super::{Entered, after_entry_stop, run};
use crate::kernel::exit;
use crate::kernel::kthread;
use crate::kernel::ptrace::TrapAt;
use crate::kernel::ptrace::stop::trap_at;
use crate::kernel::sched::Chooser;
use crate::kernel::sched::core::{self as sched, text};
use crate::kernel::signal::Jobctl;
use crate::kernel::signal::deliver::WayOut;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use crate::kernel::timer;

/// Runs a task that has SIGKILL pending until it is dead: used where Linux's
/// caller would sleep until it is.
pub fn run_to_death(sys: &mut System, task: TaskId) {
    if sys.kernel.tasks.get(task).is_some_and(|t| !t.is_dead()) {
        let todo = std::mem::take(&mut sys.kernel.todo);
        resume(sys, task);
        if let Some(TrapAt::Exit(_)) = trap_at(sys, task) {
            // Linux's caller would sleep until the tracer has had its look.
            sys.task_mut(task).jobctl &= !Jobctl::TRACED.bits();
            sched::try_to_wake_up(sys, task, TaskState::__TASK_TRACED);
            resume(sys, task);
        }
        while sys.kernel.tasks.get(task).is_some_and(|t| t.exiting.is_some()) {
            resume(sys, task);
        }
        sys.kernel.todo.extend(todo.into_iter().filter(|t| *t != task));
    }
}

/// Lets a task that was stopped go on to its stop for `current`, who attached to
/// it: Linux's caller sleeps until it is there (JOBCTL_TRAPPING).
pub fn run_to_trap(sys: &mut System, current: TaskId, task: TaskId) {
    if waits_for_pick(sys, task) {
        resume_picked(sys, task);
        let cpu = sys.task(current).cpu;
        if sched::current(sys, cpu) != current {
            sched::context_switch(sys, cpu, current);
        }
    }
}

/// Something happened to a task that is not running: `settle` will run it.
pub fn kick(sys: &mut System, task: TaskId) {
    if sys.task(task).throttled && sys.kernel.sched.chooser == Chooser::Scheduler {
        sched::unthrottle(sys, task);
    }
    if !sys.kernel.todo.contains(&task) {
        sys.kernel.todo.push_back(task);
    }
}

/// Lets every task that was woken in a call or signalled go on until it is
/// back in user mode, asleep or dead, in the order in which they were woken.
/// When the scheduler chooses, and where somebody else picks each step of a
/// task, they go on as they are picked.
pub fn settle(sys: &mut System) {
    if sys.kernel.sched.chooser == Chooser::Scheduler {
        return;
    }
    loop {
        let now = |sys: &System| sys.kernel.todo.iter().position(|t| !waits_for_pick(sys, *t));
        while let Some(task) = now(sys).and_then(|at| sys.kernel.todo.remove(at)) {
            resume(sys, task);
        }
        if !timer::run_expired(sys) {
            return;
        }
    }
}

/// Whether a task has something to do before it is in user mode, and does it
/// when it is picked for its next step.
fn waits_for_pick(sys: &System, task: TaskId) -> bool {
    sys.kernel.tasks.get(task).is_some_and(|t| {
        t.stepped
            && !t.is_dead()
            && t.__state == TaskState::RUNNING
            && (t.resume.is_some()
                || t.exiting.is_some()
                || t.sigpending
                || trap_at(sys, task).is_some())
    })
}

/// A task was picked that has a call to finish or a signal to take.
pub fn resume_picked(sys: &mut System, task: TaskId) {
    sys.kernel.todo.retain(|t| *t != task);
    resume(sys, task);
}

/// Lets one task go on; nothing happens to one that has nothing to do.
fn resume(sys: &mut System, task: TaskId) {
    let Some(t) = sys.kernel.tasks.get(task) else { return };
    if t.kthread.is_some() && !t.is_dead() && t.__state == TaskState::RUNNING {
        return kthread::go_on(sys, task);
    }
    if t.exiting.is_some() {
        let cpu = t.cpu;
        if sched::current(sys, cpu) != task {
            sched::context_switch(sys, cpu, task);
        }
        return exit::exit_goes_on(sys, task);
    }
    if t.is_dead() || t.__state != TaskState::RUNNING || t.mm.is_none() && t.resume.is_none() {
        return;
    }
    let cpu = t.cpu;
    if t.thread.ret_from_fork {
        sched::run_on_cpu(sys, task);
        return;
    }
    let origin = sys.log.origin;
    let trap = trap_at(sys, task);
    if let Some(TrapAt::Exit(_)) = trap {
        if sched::current(sys, cpu) != task {
            sched::context_switch(sys, cpu, task);
        }
        exit::exit_after_stop(sys, task);
        return;
    }
    let (serial, entered) = match sys.task_mut(task).resume.take() {
        Some(r) => {
            if sched::current(sys, cpu) != task {
                sched::context_switch(sys, cpu, task);
            }
            sys.log.origin = r.origin;
            let serial = r.call.serial;
            let entered = if let Some(leaving) = r.leaving {
                go_on(sys, task, r.call, *leaving)
            } else if trap == Some(TrapAt::SyscallEntry) {
                after_entry_stop(sys, task, r.call)
            } else {
                // It keeps its place on the queue if it must sleep on. The
                // handler may look at `resume` for what it noted.
                let (call, on, deadline) = (r.call.clone(), r.wait.on, r.wait.deadline);
                if let Some(deadline) = deadline {
                    timer::cancel(sys, task, deadline);
                }
                sys.task_mut(task).resume = Some(r);
                let entered = run(sys, task, call);
                let resume = sys.kernel.tasks.get(task).and_then(|t| t.resume.as_ref());
                if entered != Entered::Blocked || resume.is_none_or(|r| r.wait.on != on) {
                    sched::finish_wait(sys, on, task);
                }
                entered
            };
            (serial, entered)
        }
        None if sys.task(task).sigpending || trap.is_some() => {
            // An interprocessor interrupt makes it look.
            sched::run_on_cpu(sys, task);
            enter_from_user(sys, task, text::ASM_COMMON_INTERRUPT, -1);
            exit_to_user_mode(sys, task, false, &mut WayOut::default());
            sys.log.origin = origin;
            return;
        }
        None => return,
    };
    sys.log.origin = origin;
    if let Entered::Done(outcome) = entered {
        sys.task_mut(task).finished.push((serial, outcome));
    }
}
