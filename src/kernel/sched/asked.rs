//! The scheduler as adviser: somebody else makes tasks act, one step at a time,
//! and asks before each step who should.
//!
//! Between two steps others may have been current for a moment: whoever was
//! woken in a call finishes it at once. As far as the queue is concerned, the
//! one that made the last step ran on.
//!
//! Linux: none. What is asked is __schedule()'s choice.
//! Left out: time that really passes: a step is worth what the asker says.

use super::core::{current, pick_next_task, put_prev_task, set_next_task, throttle, unthrottle};
use super::cputime::charge;
use super::tick::task_tick;
use super::{Chooser, balance, idle};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};

/// Who made the last step on each processor, and on which that was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Steps {
    last: Vec<Option<TaskId>>,
    cpu: u32,
}

/// Chooses among tasks that can act; the last one ran for `ran` ns. Processors
/// take turns. `None`: there are none.
pub fn next(sys: &mut System, ready: &[TaskId], ran: u64, steps: &mut Steps) -> Option<TaskId> {
    sys.kernel.sched.chooser = Chooser::Asked;
    let cpus = sys.kernel.per_cpu.len() as u32;
    steps.last.resize(cpus as usize, None);
    only(sys, ready);
    if let Some(last) = steps.last[steps.cpu as usize] {
        step_over(sys, steps.cpu, last, ready, ran);
    }
    for turn in 1..=cpus {
        let cpu = (steps.cpu + turn) % cpus;
        let last = steps.last[cpu as usize].filter(|t| runs_on(sys, cpu, *t, ready));
        let stays = last.filter(|t| !sys.task(*t).need_resched);
        let next = stays.unwrap_or_else(|| pick(sys, cpu, last));
        if ready.contains(&next) {
            sys.task_mut(next).need_resched = false;
            (steps.cpu, steps.last[cpu as usize]) = (cpu, Some(next));
            return Some(next);
        }
    }
    ready.first().copied()
}

/// The asker does without advice from here on, or for a while.
pub fn done(sys: &mut System) {
    sys.kernel.sched.chooser = Chooser::Director;
}

/// Only those who can act compete.
fn only(sys: &mut System, ready: &[TaskId]) {
    let idle: Vec<TaskId> = queued(sys).into_iter().filter(|t| !ready.contains(t)).collect();
    idle.into_iter().for_each(|t| throttle(sys, t));
    ready.iter().for_each(|t| unthrottle(sys, *t));
}

/// All tasks on all queues.
pub fn queued(sys: &System) -> Vec<TaskId> {
    let mut all = Vec::new();
    for c in &sys.kernel.per_cpu {
        let rq = &c.rq;
        all.extend(rq.stop);
        all.extend(rq.dl.tree.iter().map(|(_, t)| t));
        all.extend(rq.rt.iter());
        all.extend(rq.cfs.curr(&sys.kernel.tasks).map(|(t, _)| t));
        all.extend(rq.cfs.tree.iter().map(|(_, t)| t));
    }
    all
}

fn runs_on(sys: &System, cpu: u32, task: TaskId, ready: &[TaskId]) -> bool {
    let fits = |t: &crate::kernel::task::TaskStruct| {
        t.cpu == cpu && t.__state == TaskState::RUNNING && t.on_rq
    };
    ready.contains(&task) && sys.kernel.tasks.get(task).is_some_and(fits)
}

/// Makes `task` the one that the queue takes for running.
fn take_for_running(sys: &mut System, cpu: u32, task: TaskId) {
    if let Some(other) = sys.kernel.per_cpu[cpu as usize].rq.cfs.curr.filter(|t| *t != task) {
        put_prev_task(sys, cpu, other);
    }
    let se = &sys.task(task).se;
    let (vprot, began) = (se.vprot, se.prev_sum_exec_runtime);
    set_next_task(sys, cpu, task);
    let se = &mut sys.task_mut(task).se;
    (se.vprot, se.prev_sum_exec_runtime) = (vprot, began);
}

/// The last step is charged.
fn step_over(sys: &mut System, cpu: u32, last: TaskId, ready: &[TaskId], ran: u64) {
    if !runs_on(sys, cpu, last, ready) {
        return;
    }
    take_for_running(sys, cpu, last);
    charge(sys, last, ran);
    task_tick(sys, cpu, last, ran);
}

fn pick(sys: &mut System, cpu: u32, last: Option<TaskId>) -> TaskId {
    match last {
        Some(last) => take_for_running(sys, cpu, last),
        None => {
            let curr = current(sys, cpu);
            put_prev_task(sys, cpu, curr);
        }
    }
    let next = pick_next_task(sys, cpu);
    if next == idle::pick(sys, cpu) && balance::newidle(sys, cpu) {
        return pick_next_task(sys, cpu);
    }
    next
}
