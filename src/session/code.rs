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
use super::watch::{Touched, Watches};
use crate::kernel::entry::code::{UserStop, call_of, make_syscall, run_user, user_regs};
use crate::kernel::entry::{self, Entered, UserFault};
use crate::kernel::mm::MmId;
use crate::kernel::sched::core::{current, run_on_cpu, schedule, throttle, unthrottle};
use crate::kernel::sched::cputime::update_curr;
use crate::kernel::sched::{idle, tick, tick_nsec};
use crate::kernel::syscalls::{Call, Outcome};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use crate::kernel::timer;
use crate::machine::Ring;
use std::collections::{BTreeMap, BTreeSet};

/// Number of exit_group(2).
pub(super) const NR_EXIT_GROUP: u32 = 231;

/// Most instructions a processor executes before another one has its turn.
pub const SLICE: u64 = 50_000;

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
    /// The task's last instruction, or its call, touched memory that is watched.
    Watch(TaskId, Touched),
    /// A task with an event after each instruction has entered a signal handler.
    Handler(TaskId),
    /// Nobody could run, and time went to the next timer.
    Waited,
    /// Nobody can run, and no timer will change that.
    Idle,
}

/// How far a run has come: instructions executed, and what happened besides.
/// Two runs that begin the same are the same at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Instructions executed by all processors.
    pub retired: u64,
    /// Calls, their ends, and faults.
    pub steps: u64,
}

/// The processors executing machine code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodeRun {
    /// Where to stop, in all address spaces.
    pub breakpoints: BTreeSet<u64>,
    /// Where to stop in one address space.
    pub in_space: BTreeMap<MmId, BTreeSet<u64>>,
    /// Most instructions until the next event.
    pub slice: Option<u64>,
    /// Tasks with an event after each instruction.
    pub singly: BTreeSet<TaskId>,
    /// Tasks that execute nothing.
    pub still: BTreeSet<TaskId>,
    /// Memory to watch.
    pub watches: Watches,
    /// Go past breakpoints and watched memory, and only note the last of each.
    pub scan: Option<Scan>,
    /// Instructions of all processors not to go beyond.
    pub until: Option<u64>,
    /// The slice that a stop has interrupted. It goes on first: whether somebody
    /// stops and looks makes no difference to what the scheduler does.
    unfinished: Option<Slice>,
    /// Tasks that have been reported at the breakpoint where they are.
    passing: BTreeSet<TaskId>,
    /// A task that could run was made to stand still.
    held_back: bool,
    place: Place,
    announced: Option<TaskId>,
    changed: Option<CodeEvent>,
    cpu: u32,
    next_tick: u64,
}

/// A processor's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    task: TaskId,
    cpu: u32,
    /// Instructions that it has left.
    left: u64,
}

/// What was passed in a scan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    /// The last stop, with the place of the instruction, or before it for a watch.
    pub hit: Option<(Place, CodeEvent)>,
    /// Where this task last executed something, and its place before it.
    pub of: Option<(TaskId, Option<Place>)>,
    /// Of the stops, only those before this.
    pub before: Place,
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
        if let Some(event) = self.changed.take() {
            return Ok(event);
        }
        let before = self.place;
        let event = match (self.announced.take(), self.unfinished.take()) {
            (Some(task), _) => make(sys, task),
            (None, Some(slice)) if self.can_go_on(sys, slice) => self.execute(sys, slice),
            _ => self.step(sys),
        };
        sys.still_sound()?;
        match event {
            CodeEvent::Call(task, _) => {
                self.executes(task, self.place);
                self.place.steps += 1;
            }
            CodeEvent::Returned(task, _) | CodeEvent::Blocked(task) => {
                self.place.steps += 1;
                if let Some(touched) = self.watches.changed(sys) {
                    self.note_touch(task, touched, before);
                }
            }
            CodeEvent::Interrupted(_) | CodeEvent::Died(_) => self.place.steps += 1,
            CodeEvent::Fault(..) => self.place.steps += 1,
            _ => {}
        }
        Ok(event)
    }

    fn can_go_on(&self, sys: &System, slice: Slice) -> bool {
        let Slice { task, cpu, .. } = slice;
        current(sys, cpu) == task
            && sys.machine.cpus[cpu as usize].ring() == Ring::User
            && !self.still.contains(&task)
            && !sys.kernel.todo.contains(&task)
    }

    /// A call has changed memory that is watched.
    fn note_touch(&mut self, task: TaskId, touched: Touched, before: Place) {
        let event = CodeEvent::Watch(task, touched);
        match &mut self.scan {
            Some(scan) if before < scan.before => scan.hit = Some((before, event)),
            Some(_) => {}
            None => self.changed = Some(event),
        }
    }

    /// The task is about to do something at a place.
    fn executes(&mut self, task: TaskId, at: Place) {
        if let Some(Scan { of: Some((of, last)), before, .. }) = &mut self.scan
            && *of == task
            && at < *before
        {
            *last = Some(at);
        }
    }

    /// How far the run has come.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Tasks that stand at a breakpoint are to be reported again.
    pub fn report_again(&mut self) {
        self.passing.clear();
    }

    /// A task is not to be reported at the breakpoint where it stands.
    pub fn pass(&mut self, task: TaskId) {
        self.passing.insert(task);
    }

    /// Whether, since the last time this was asked, a task that could run was made
    /// to stand still.
    pub fn has_held_back(&mut self) -> bool {
        std::mem::take(&mut self.held_back)
    }

    /// Tasks may execute again that were to stand still. Says whether one had to
    /// be taken off its queue for it.
    pub fn release(&mut self, sys: &mut System) -> bool {
        let mut any = false;
        for task in std::mem::take(&mut self.still) {
            if sys.kernel.tasks.get(task).is_some_and(|t| t.throttled) {
                unthrottle(sys, task);
                any = true;
            }
        }
        any
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
                let before = user_regs(sys, task).ip;
                entry::resume_picked(sys, task);
                if let Some(event) = ended(sys, task) {
                    return Some(event);
                }
                let here = sys.machine.cpus[cpu as usize].ring() == Ring::User
                    && current(sys, cpu) == task;
                if here && self.singly.contains(&task) && user_regs(sys, task).ip != before {
                    return Some(CodeEvent::Handler(task));
                }
                continue;
            }
            if sys.machine.cpus[cpu as usize].ring() == Ring::Kernel {
                run_on_cpu(sys, task);
                continue;
            }
            if !sys.task(task).code || self.still.contains(&task) {
                self.held_back |= sys.task(task).code;
                throttle(sys, task);
                continue;
            }
            let now = sys.machine.clock.now();
            let until = timer::next(sys).unwrap_or(u64::MAX).min(self.next_tick);
            // Alone, it goes on to the next tick or timer.
            let most = if sys.kernel.per_cpu.len() == 1 { u64::MAX } else { SLICE };
            let left = until.saturating_sub(now).clamp(1, most);
            return Some(self.execute(sys, Slice { task, cpu, left }));
        }
        None
    }

    /// Goes on with a slice, up to its end or until something happens.
    fn execute(&mut self, sys: &mut System, mut slice: Slice) -> CodeEvent {
        let Slice { task, left, .. } = slice;
        let most = if self.singly.contains(&task) { 1 } else { self.slice.unwrap_or(left) };
        let until = self.until.and_then(|until| until.checked_sub(self.place.retired));
        let budget = left.min(most).min(until.unwrap_or(left)).max(1);
        let end = left.saturating_sub(budget);
        let mm = sys.task(task).mm;
        let points = self.points(mm);
        let watched = mm.is_some_and(|mm| self.watches.are_in(mm));
        loop {
            let at = self.place;
            if points.contains(&user_regs(sys, task).ip) && self.passing.insert(task) {
                let event = CodeEvent::Breakpoint(task);
                match &mut self.scan {
                    Some(scan) if at < scan.before => scan.hit = Some((at, event)),
                    Some(_) => {}
                    None => {
                        self.unfinished = Some(slice);
                        return event;
                    }
                }
            }
            let accesses = if watched { self.watches.about_to(sys, task) } else { Vec::new() };
            let piece = if watched { 1 } else { slice.left - end };
            let (stop, done) = run_user(sys, task, piece, &points);
            slice.left = slice.left.saturating_sub(done);
            self.place.retired += done;
            if done > 0 {
                let last = Place { retired: self.place.retired - 1, ..self.place };
                self.executes(task, last);
            }
            if done > 0 || !matches!(stop, UserStop::Budget | UserStop::Breakpoint) {
                self.passing.remove(&task);
            }
            if watched && done > 0 {
                let touched = self.watches.changed(sys);
                if let Some(touched) = touched.or_else(|| self.watches.touched(mm, &accesses)) {
                    self.note_touch(task, touched, at);
                }
            }
            let event = match stop {
                UserStop::Signalled(fault) => return CodeEvent::Fault(task, fault),
                UserStop::Syscall => {
                    self.announced = Some(task);
                    return CodeEvent::Call(task, call_of(&user_regs(sys, task)));
                }
                UserStop::Breakpoint | UserStop::Budget => match self.changed.take() {
                    Some(event) => event,
                    None if slice.left > end && sys.kernel.oops.is_none() => continue,
                    None => CodeEvent::Ran(task, left - slice.left),
                },
            };
            self.unfinished = Some(slice).filter(|s| s.left > 0);
            return event;
        }
    }

    /// Where to stop in an address space.
    fn points(&self, mm: Option<MmId>) -> BTreeSet<u64> {
        match mm.and_then(|mm| self.in_space.get(&mm)) {
            None => self.breakpoints.clone(),
            Some(own) => self.breakpoints.union(own).copied().collect(),
        }
    }

    /// The task whose call is announced.
    pub fn announced(&self) -> Option<TaskId> {
        self.announced
    }
}

/// Makes the call that a task is about to make.
pub(super) fn make(sys: &mut System, task: TaskId) -> CodeEvent {
    sys.kernel.new_task = None;
    sys.kernel.born.clear();
    match make_syscall(sys, task) {
        Ok(Entered::Done(outcome)) => CodeEvent::Returned(task, Box::new(outcome)),
        Ok(Entered::Blocked) => CodeEvent::Blocked(task),
        Ok(Entered::Interrupted | Entered::Stopped) => CodeEvent::Interrupted(task),
        // Somebody killed it after it was announced.
        Ok(Entered::Dead) | Err(_) => CodeEvent::Died(task),
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
