//! Programs of machine code at work: the scheduler picks who runs, the
//! processors execute, and whoever drives them hears of each system call.
//!
//! ```text
//! next()  a call was announced: make it             -> Returned, Blocked, Died
//!         else each processor in turn:
//!           pick if asked to, finish a call, go to user mode
//!           execute a slice of instructions         -> Ran, Call, Fault, Breakpoint
//!         all idle: time goes to the next timer     -> Waited
//!         no timer: only somebody outside can help  -> Idle
//! ```
//!
//! The clock moves by one nanosecond for each instruction of any processor, so
//! N processors are N times as slow each: they take turns in slices.
//!
//! Linux: none; this is the hardware. Left out: the time that ticks and
//! switches take.

use super::clock::{give_back, take_over};
use super::director::Trouble;
use crate::kernel::entry::code::{UserStop, call_of, make_syscall, run_user, user_regs};
use crate::kernel::entry::{self, Entered, UserFault};
use crate::kernel::sched::core::{current, run_on_cpu, schedule, throttle};
use crate::kernel::sched::cputime::update_curr;
use crate::kernel::sched::{idle, tick, tick_nsec};
use crate::kernel::syscalls::{Call, Outcome};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use crate::kernel::timer;
use crate::machine::Ring;
use std::collections::BTreeSet;

/// Number of exit_group(2).
pub(super) const NR_EXIT_GROUP: u32 = 231;

/// Most instructions a processor executes before another one has its turn.
pub const SLICE: u64 = 20_000;

/// What happened last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeEvent {
    /// A task executed instructions, so many.
    Ran(TaskId, u64),
    /// A task is about to make a call: the next step makes it.
    Call(TaskId, Call),
    /// A call returned, at once or after a sleep.
    Returned(TaskId, Box<Outcome>),
    /// A call sleeps.
    Blocked(TaskId),
    /// A signal handler runs before the call is made again, or the task stopped in
    /// it.
    Interrupted(TaskId),
    /// The task died in its call.
    Died(TaskId),
    /// An instruction raised an exception that became a signal.
    Fault(TaskId, UserFault),
    /// The next instruction of the task is one to stop at.
    Breakpoint(TaskId),
    /// Nobody could run, and time went to the next timer.
    Waited,
    /// Nobody can run, and no timer will change that.
    Idle,
}

/// The processors executing machine code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodeRun {
    /// Where to stop, in all address spaces.
    pub breakpoints: BTreeSet<u64>,
    /// Most instructions until the next event.
    pub slice: Option<u64>,
    announced: Option<TaskId>,
    cpu: u32,
    next_tick: u64,
}

impl CodeRun {
    /// The scheduler chooses from here on.
    pub fn begin(sys: &mut System) -> CodeRun {
        take_over(sys);
        let tick = tick_nsec(&sys.kernel.sched.config);
        let next_tick = (sys.machine.clock.now() / tick + 1) * tick;
        CodeRun { next_tick, ..CodeRun::default() }
    }

    /// The director chooses again.
    pub fn end(self, sys: &mut System) {
        give_back(sys);
    }

    /// Lets the next thing happen.
    ///
    /// # Errors
    /// The kernel is broken.
    pub fn next(&mut self, sys: &mut System) -> Result<CodeEvent, Trouble> {
        let event = match self.announced.take() {
            Some(task) => self.make(sys, task),
            None => self.step(sys),
        };
        sys.still_sound()?;
        Ok(event)
    }

    fn make(&mut self, sys: &mut System, task: TaskId) -> CodeEvent {
        match make_syscall(sys, task) {
            Ok(Entered::Done(outcome)) => CodeEvent::Returned(task, Box::new(outcome)),
            Ok(Entered::Blocked) => CodeEvent::Blocked(task),
            Ok(Entered::Interrupted | Entered::Stopped) => CodeEvent::Interrupted(task),
            // Somebody killed it after it was announced.
            Ok(Entered::Dead) | Err(_) => CodeEvent::Died(task),
        }
    }

    fn step(&mut self, sys: &mut System) -> CodeEvent {
        let cpus = sys.kernel.per_cpu.len() as u32;
        loop {
            self.time(sys);
            for _ in 0..cpus {
                let cpu = self.cpu;
                self.cpu = (self.cpu + 1) % cpus;
                if let Some(event) = self.on_cpu(sys, cpu) {
                    return event;
                }
            }
            if sys.kernel.oops.is_some() {
                return CodeEvent::Idle;
            }
            // A turn on one processor may have given work to an earlier one.
            if (0..cpus).any(|cpu| !idle::is_idle(sys, cpu)) {
                continue;
            }
            let Some(next) = timer::next(sys) else { return CodeEvent::Idle };
            sys.machine.clock.advance_to(next);
            sys.log.time = sys.machine.clock.now();
            self.time(sys);
            return CodeEvent::Waited;
        }
    }

    /// Timers and ticks whose time has come.
    fn time(&mut self, sys: &mut System) {
        let now = sys.machine.clock.now();
        if timer::next(sys).is_some_and(|at| at <= now) {
            timer::run_expired(sys);
        }
        let tick = tick_nsec(&sys.kernel.sched.config);
        if now < self.next_tick {
            return;
        }
        self.next_tick = (now / tick + 1) * tick;
        for cpu in 0..sys.kernel.per_cpu.len() as u32 {
            update_curr(sys, cpu);
            tick::sched_tick(sys, cpu);
        }
    }

    /// Lets a processor do something. `None`: it is idle.
    fn on_cpu(&mut self, sys: &mut System, cpu: u32) -> Option<CodeEvent> {
        while sys.kernel.oops.is_none() {
            update_curr(sys, cpu);
            let task = current(sys, cpu);
            let t = sys.task(task);
            let idles = idle::is_idle(sys, cpu);
            let able = t.__state == TaskState::RUNNING && !t.throttled && !idles;
            let dl_out = t.dl.as_ref().is_some_and(|dl| dl.dl_throttled);
            if t.need_resched || !able || dl_out {
                schedule(sys, cpu);
                if idle::is_idle(sys, cpu) {
                    return None;
                }
                if current(sys, cpu) == task && !able {
                    return None;
                }
            }
            let task = current(sys, cpu);
            if sys.kernel.todo.contains(&task) {
                entry::resume_picked(sys, task);
                if let Some(event) = ended(sys, task) {
                    return Some(event);
                }
                continue;
            }
            if sys.machine.cpus[cpu as usize].ring() == Ring::Kernel {
                run_on_cpu(sys, task);
                continue;
            }
            if !sys.task(task).code {
                throttle(sys, task);
                continue;
            }
            return Some(self.execute(sys, task));
        }
        None
    }

    fn execute(&mut self, sys: &mut System, task: TaskId) -> CodeEvent {
        let now = sys.machine.clock.now();
        let until = timer::next(sys).unwrap_or(u64::MAX).min(self.next_tick);
        let most = self.slice.unwrap_or(SLICE);
        let budget = until.saturating_sub(now).clamp(1, most);
        let (stop, done) = run_user(sys, task, budget, &self.breakpoints);
        match stop {
            UserStop::Budget => CodeEvent::Ran(task, done),
            UserStop::Breakpoint => CodeEvent::Breakpoint(task),
            UserStop::Signalled(fault) => CodeEvent::Fault(task, fault),
            UserStop::Syscall => {
                self.announced = Some(task);
                CodeEvent::Call(task, call_of(&user_regs(sys, task)))
            }
        }
    }

    /// The task whose call is announced.
    pub fn announced(&self) -> Option<TaskId> {
        self.announced
    }
}

/// How a call that had slept ended, if it did.
fn ended(sys: &mut System, task: TaskId) -> Option<CodeEvent> {
    let t = sys.kernel.tasks.get(task)?;
    if t.is_dead() {
        return Some(CodeEvent::Died(task));
    }
    if t.finished.is_empty() {
        return None;
    }
    let (_, outcome) = sys.kernel.tasks.get_mut(task)?.finished.remove(0);
    Some(CodeEvent::Returned(task, Box::new(outcome)))
}
