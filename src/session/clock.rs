//! The scheduler at work: time passes by itself, and on each processor runs who
//! is picked.
//!
//! Between two events every processor computes; at an event the kernel gets a
//! word in. Events are ticks, timers, the end of some computing, and what tasks
//! ask of the kernel.
//!
//! ```text
//!  loop  on each processor, until it computes or is idle:
//!          pick if asked to, finish a call, begin the next thing to do
//!        the clock goes to the next event; who runs pays for the time
//!        timers wake, ticks preempt
//! ```
//!
//! Only tasks that have something to do take part ([`Work`]): one in user mode
//! whose director gave it nothing is set aside, as if its group's quota were
//! used up. It finishes the call that it sleeps in, if it is woken.
//!
//! Linux: none; this is the hardware and what user mode does.
//! Left out: the time that a switch, a tick or a wake-up takes.

use super::director::Trouble;
use crate::kernel::entry;
use crate::kernel::sched::core::{current, note, pick_next_task, schedule, throttle, unthrottle};
use crate::kernel::sched::cputime::update_curr;
use crate::kernel::sched::record::Doing;
use crate::kernel::sched::work::{Phase, Work};
use crate::kernel::sched::{Chooser, asked, core, idle, tick, tick_nsec};
use crate::kernel::syscalls::{Call, Payload};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use crate::kernel::timer;
use crate::machine::Ring;

const NR_SCHED_YIELD: u32 = 24;
const NR_NANOSLEEP: u32 = 35;
const NSEC_PER_SEC: u64 = 1_000_000_000;

impl System {
    /// Gives a task something to do while the scheduler chooses; `None` takes
    /// it away.
    pub fn set_work(&mut self, task: TaskId, work: Option<Work>) {
        self.task_mut(task).work = work.map(Box::new);
    }

    /// Lets the scheduler run whoever has something to do for `ns`.
    ///
    /// # Errors
    /// The kernel is broken.
    pub fn run_for(&mut self, ns: u64) -> Result<(), Trouble> {
        self.still_sound()?;
        let begin = self.machine.clock.now();
        let end = begin.saturating_add(ns);
        take_over(self);
        while self.kernel.oops.is_none() {
            for cpu in 0..self.kernel.per_cpu.len() as u32 {
                step(self, cpu, end);
            }
            if self.machine.clock.now() >= end {
                break;
            }
            let next = next_event(self).min(end);
            pass(self, next);
            events(self);
        }
        give_back(self);
        let now = self.machine.clock.now();
        self.kernel.sched.record.runs.push((begin, now));
        Ok(self.still_sound()?)
    }
}

/// Whether a task has something to do.
fn busy(sys: &System, task: TaskId) -> bool {
    let t = sys.task(task);
    t.code || t.work.as_ref().is_some_and(|w| w.now().is_some()) || sys.kernel.todo.contains(&task)
}

/// The scheduler chooses from here on.
pub(super) fn take_over(sys: &mut System) {
    sys.kernel.sched.chooser = Chooser::Scheduler;
    let now = sys.machine.clock.now();
    for cpu in 0..sys.kernel.per_cpu.len() as u32 {
        let curr = current(sys, cpu);
        sys.task_mut(curr).se.exec_start = now;
    }
    for task in asked::queued(sys) {
        if busy(sys, task) {
            let runs = sys.task(task).on_cpu;
            note(sys, task, if runs { Doing::Runs } else { Doing::Waits });
        } else {
            throttle(sys, task);
        }
    }
    let aside: Vec<TaskId> = set_aside(sys).into_iter().filter(|t| busy(sys, *t)).collect();
    aside.into_iter().for_each(|t| unthrottle(sys, t));
    // Nobody was asked who should run.
    for cpu in 0..sys.kernel.per_cpu.len() as u32 {
        let curr = current(sys, cpu);
        let picked = pick_next_task(sys, cpu);
        if picked != curr || sys.task(curr).throttled {
            sys.task_mut(curr).need_resched = true;
        }
    }
}

/// The director chooses again.
pub(super) fn give_back(sys: &mut System) {
    sys.kernel.sched.chooser = Chooser::Director;
    set_aside(sys).into_iter().for_each(|t| unthrottle(sys, t));
}

/// Those that are throttled.
fn set_aside(sys: &System) -> Vec<TaskId> {
    sys.kernel.tasks.iter().filter(|(_, t)| t.throttled).map(|(id, _)| id).collect()
}

/// Lets a processor go on until it computes, is idle, or time is up.
fn step(sys: &mut System, cpu: u32, end: u64) {
    while sys.machine.clock.now() < end && sys.kernel.oops.is_none() {
        update_work(sys, cpu);
        let task = current(sys, cpu);
        let t = sys.task(task);
        let able = t.__state == TaskState::RUNNING && !t.throttled && !idle::is_idle(sys, cpu);
        let dl_out = t.dl.as_ref().is_some_and(|dl| dl.dl_throttled);
        if t.need_resched || !able || dl_out {
            schedule(sys, cpu);
            if idle::is_idle(sys, cpu) {
                return;
            }
            if current(sys, cpu) == task && able && !dl_out {
                continue;
            }
        }
        let task = current(sys, cpu);
        if !sys.kernel.todo.is_empty() && sys.kernel.todo.contains(&task) {
            entry::resume_picked(sys, task);
            continue;
        }
        if sys.machine.cpus[cpu as usize].ring() == Ring::Kernel {
            core::run_on_cpu(sys, task);
            continue;
        }
        if !act(sys, task) {
            return;
        }
    }
}

/// A task in user mode does the next thing. `false`: it computes.
fn act(sys: &mut System, task: TaskId) -> bool {
    let now = sys.task(task).work.as_ref().and_then(|w| w.now());
    let call = match now {
        None => {
            throttle(sys, task);
            return true;
        }
        Some(Phase::Run(_)) => {
            let work = sys.task_mut(task).work.as_mut().expect("it has work");
            if work.left > 0 {
                return false;
            }
            work.next();
            return true;
        }
        Some(Phase::Sleep(ns)) => {
            let time = Payload::Timespec((ns / NSEC_PER_SEC) as i64, (ns % NSEC_PER_SEC) as i64);
            Call::with(NR_NANOSLEEP, &[0, 0], time)
        }
        Some(Phase::Yield) => Call::new(NR_SCHED_YIELD, &[]),
    };
    if let Some(work) = sys.task_mut(task).work.as_mut() {
        work.next();
    }
    if entry::syscall(sys, task, call).is_err() {
        // Its way to user mode ended it.
        sys.task_mut(task).work = None;
    }
    true
}

/// Charges who runs on a processor, and counts it as work done.
fn update_work(sys: &mut System, cpu: u32) {
    let user = sys.machine.cpus[cpu as usize].ring() == Ring::User;
    let ns = update_curr(sys, cpu);
    if ns == 0 {
        return;
    }
    let task = current(sys, cpu);
    if user && let Some(work) = sys.task_mut(task).work.as_mut() {
        work.ran(ns);
    }
}

/// When something happens next by itself.
fn next_event(sys: &System) -> u64 {
    let now = sys.machine.clock.now();
    let tick = tick_nsec(&sys.kernel.sched.config);
    let mut next = timer::next(sys).unwrap_or(u64::MAX);
    for cpu in 0..sys.kernel.per_cpu.len() as u32 {
        if idle::is_idle(sys, cpu) {
            continue;
        }
        next = next.min((now / tick + 1) * tick);
        if let Some(work) = &sys.task(current(sys, cpu)).work
            && work.left > 0
        {
            next = next.min(now.saturating_add(work.left));
        }
    }
    next.max(now + 1)
}

/// Time passes.
fn pass(sys: &mut System, to: u64) {
    sys.machine.clock.advance_to(to);
    sys.log.time = to;
    for cpu in 0..sys.kernel.per_cpu.len() as u32 {
        update_work(sys, cpu);
    }
}

/// Timers and ticks whose time it is.
fn events(sys: &mut System) {
    timer::run_expired(sys);
    let now = sys.machine.clock.now();
    if now.is_multiple_of(tick_nsec(&sys.kernel.sched.config)) {
        for cpu in 0..sys.kernel.per_cpu.len() as u32 {
            tick::sched_tick(sys, cpu);
        }
    }
}
