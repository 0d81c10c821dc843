//! Running a program: the interpreter says what a task wants, its stub does it,
//! and the answer goes onto its tape.
//!
//! ```text
//! report ─► answer onto the tape ─► Interpreter::next ─► command
//!    ▲                                                     │
//!    └────────────────── the task, by itself ◄─────────────┘
//! ```
//!
//! All tasks go on at once, as the host's scheduler likes; only what they want
//! next is found out one by one.
//!
//! Left out: what is not said by a report; see `watch`.

mod alarms;
mod recorded;
mod stuck;
mod tell;

use std::cell::RefCell;
use std::hash::RandomState;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use alarms::Alarms;
use stuck::Watch;

use super::calls::{self, Kind};
use super::control::Report;
use super::names::Names;
use super::sandbox::{INIT, MAIN, MOST, Sandbox};
use super::stub::{self, SLOTS};
use super::task::{Place, Task};
use super::watch;
use crate::kernel::syscalls::Out;
use crate::oracle::{End, FIRST_PID, Plan, Refused, Run};
use crate::script::bind::program::{Language, MAIN as MAIN_FUNCTION};
use crate::session::program::record::Asked;
use crate::session::program::{Answer, Body, Interpreter, Start, Value, Want, question};

/// Turns before the supervisor goes to sleep.
const SPIN: u32 = 300;
/// Questions without a command that are answered in a row.
const IN_A_ROW: u32 = 1000;

/// Why a run is over.
enum Stop {
    /// The run has come to an end.
    Ended(End),
    /// There is no run.
    Refused(Refused),
}

impl From<Refused> for Stop {
    fn from(why: Refused) -> Stop {
        Stop::Refused(why)
    }
}

/// A program that runs.
pub(super) struct Brain<'a> {
    sandbox: &'a Sandbox,
    language: &'a Language<'a>,
    plan: &'a Plan<'a>,
    deadline: Instant,
    /// By slot.
    places: Vec<Place>,
    /// Slots below have been used.
    high: usize,
    created: u32,
    run: Run,
    /// Whether files may have been changed.
    dirty: bool,
    /// Whether there may be further pid namespaces.
    nested: bool,
    random: RandomState,
    asked: u64,
    alarms: Alarms,
}

/// Runs a program that the sandbox has begun: what came of it so far, and
/// whether files may have been changed. Somebody may be left.
pub(super) fn run(
    sandbox: &Sandbox,
    language: &Language,
    plan: &Plan,
) -> (Result<(), Refused>, Run, bool) {
    let mut brain = Brain::new(sandbox, language, plan);
    let result = brain.run();
    (result, brain.run, brain.dirty)
}

impl<'a> Brain<'a> {
    fn new(sandbox: &'a Sandbox, language: &'a Language<'a>, plan: &'a Plan<'a>) -> Brain<'a> {
        let main = Task {
            body: Body::new(1, FIRST_PID, Start::new(MAIN_FUNCTION)),
            tid: FIRST_PID,
            names: Rc::new(RefCell::new(Names::new())),
            flights: Vec::new(),
            number: 1,
            process: 1,
            asked: Vec::new(),
        };
        let mut places: Vec<Place> = (0..SLOTS).map(|_| Place::Free).collect();
        places[MAIN] = Place::Task(Box::new(main));
        Brain {
            sandbox,
            language,
            plan,
            deadline: Instant::now() + plan.time,
            places,
            high: MAIN + 1,
            created: 1,
            run: Run {
                output: Vec::new(),
                end: End::Finished,
                status: None,
                crashes: Vec::new(),
                pids: vec![FIRST_PID],
                record: recorded::begin(),
            },
            dirty: false,
            nested: false,
            random: RandomState::new(),
            asked: 0,
            alarms: Alarms::default(),
        }
    }

    /// Runs it to its end.
    fn run(&mut self) -> Result<(), Refused> {
        self.sandbox.reap_next();
        let stop = match self.go_on(MAIN) {
            Ok(()) => self.turns(),
            Err(stop) => stop,
        };
        match stop {
            Stop::Ended(end) => self.run.end = end,
            Stop::Refused(why) => return Err(why),
        }
        self.record_open();
        Ok(())
    }

    fn turns(&mut self) -> Stop {
        let mut watch = Watch::new();
        loop {
            match self.turn(&mut watch) {
                Ok(()) => {}
                Err(stop) => return stop,
            }
        }
    }

    fn turn(&mut self, watch: &mut Watch) -> Result<(), Stop> {
        let rings = self.sandbox.control.rings();
        let mut moved = self.listen()?;
        if !moved {
            for _ in 0..SPIN {
                if self.sandbox.control.rings() != rings {
                    moved = true;
                    break;
                }
                std::hint::spin_loop();
            }
        }
        self.check()?;
        if moved {
            watch.moved();
            return Ok(());
        }
        if self.sandbox.drain(&mut self.run.output) {
            watch.moved();
        }
        self.sandbox.control.asleep(true);
        let heard = self.listen();
        if let Ok(false) = heard {
            self.sandbox.control.wait(rings, watch.pause());
        }
        self.sandbox.control.asleep(false);
        if heard? || self.sandbox.control.rings() != rings {
            watch.moved();
            return Ok(());
        }
        if let Some(words) = watch.look(self)? {
            return Err(Stop::Ended(End::Stuck(words)));
        }
        Ok(())
    }

    /// Whether it may go on.
    fn check(&self) -> Result<(), Stop> {
        if self.plan.interrupt.load(Ordering::Relaxed) {
            return Err(Stop::Ended(End::Interrupted));
        }
        if Instant::now() >= self.deadline || self.run.output.len() > MOST {
            return Err(Stop::Ended(End::Time));
        }
        Ok(())
    }

    /// Hears what tasks report, and tells each what to do next. Whether there
    /// was something.
    fn listen(&mut self) -> Result<bool, Stop> {
        let mut any = false;
        for slot in MAIN..self.high {
            if matches!(self.places[slot], Place::Free) {
                continue;
            }
            if let Some(report) = self.sandbox.control.report(slot) {
                any = true;
                self.hear(slot, report)?;
            }
        }
        if let Some(report) = self.sandbox.control.report(INIT) {
            any = true;
            self.reaped(report)?;
        }
        Ok(any)
    }

    /// Process 1 has reaped somebody, or there is nobody left.
    fn reaped(&mut self, report: Report) -> Result<(), Stop> {
        let Report::Done(pid) = report else {
            return Err(Refused::Sandbox("process 1, which is confused".into()).into());
        };
        if pid < 0 {
            return Err(Stop::Ended(End::Finished));
        }
        let status = self.sandbox.control.data(INIT, 4);
        let status = status.try_into().map_or(0, i32::from_le_bytes);
        // A child that asked to be traced (PTRACE_TRACEME) may only have stopped.
        let ended = status & 0xff != 0x7f;
        if pid == i64::from(FIRST_PID) && ended {
            self.run.status.get_or_insert(status);
        }
        self.sandbox.reap_next();
        Ok(())
    }

    fn hear(&mut self, slot: usize, report: Report) -> Result<(), Stop> {
        if let Place::Unborn(_) = self.places[slot]
            && let Place::Unborn(unborn) = std::mem::replace(&mut self.places[slot], Place::Free)
        {
            let tid = self.sandbox.control.tid(slot);
            let number = self.is_made(&unborn, tid);
            self.places[slot] = Place::Task(Box::new(unborn.born(number, tid)));
        }
        let Place::Task(task) = &mut self.places[slot] else { return Ok(()) };
        self.alarms.heard(task.process, &report);
        match report {
            Report::Born => self.done(slot, 0),
            Report::Done(ret) => self.done(slot, ret),
            Report::Handler(function, sig) => {
                let sp = self.sandbox.control.sp(slot);
                match self.language.function_at(function) {
                    Some(mut start) => {
                        start.args.push(Value::Int(i64::from(sig)));
                        let takes = self.language.takes_siginfo(&start.function);
                        let info = takes.then(|| self.sandbox.control.data(slot, calls::SIGINFO));
                        let info = info.and_then(|bytes| calls::siginfo(&bytes));
                        start.args.extend(info.map(Value::siginfo));
                        recorded::handler(&mut self.run.record, task, sig, info);
                        task.body.begin_handler(start, sp);
                        self.go_on(slot)
                    }
                    None => Err(strange()),
                }
            }
            Report::Program => {
                self.executed(slot);
                self.go_on(slot)
            }
            Report::Strange => Err(strange()),
        }
    }

    fn note_pid(&mut self, pid: i32) {
        if !self.run.pids.contains(&pid) {
            self.run.pids.push(pid);
        }
    }

    /// Another program runs in a task.
    fn executed(&mut self, slot: usize) {
        let tid = self.sandbox.control.tid(slot);
        let path = calls::exec_name(&self.sandbox.control.data(slot, stub::NAME_BYTES));
        // The other threads are dead, the old leader with the same tid too.
        for place in &mut self.places {
            if matches!(place, Place::Task(t) if t.tid == tid && t.body.number != 0)
                && !matches!(place, Place::Task(t) if t.flights.iter().any(|f| matches!(f.kind, Kind::Exec(_))))
            {
                *place = Place::Free;
            }
        }
        let Place::Task(task) = &mut self.places[slot] else { return };
        let argv = task.flights.drain(..).find_map(|f| match f.kind {
            Kind::Exec(argv) => Some(argv),
            _ => None,
        });
        let argv = argv.unwrap_or_default();
        // The kernel gives a program at least one argument.
        let argv = if argv.is_empty() { vec![String::new()] } else { argv };
        let mut start = self.language.image(&path).unwrap_or_else(|| Start::new(&path));
        start.args.push(Value::Array(argv.into_iter().map(|a| Value::Text(a.into())).collect()));
        recorded::program(&mut self.run.record, task, tid);
        task.tid = tid;
        task.body.exec(tid, start);
        task.names = Rc::new(RefCell::new(Names::new()));
    }

    /// A call or an instruction is done.
    fn done(&mut self, slot: usize, ret: i64) -> Result<(), Stop> {
        let Place::Task(task) = &mut self.places[slot] else { return Ok(()) };
        let Some(flight) = task.flights.pop() else { return Err(strange()) };
        let answer = match flight.kind {
            Kind::Born(true) => Some(Answer::Returned(0, Out::None)),
            Kind::Born(false) => None,
            Kind::Abort(first) => {
                self.abort(slot, first);
                return Ok(());
            }
            ref kind => {
                let data = self.sandbox.control.data(slot, flight.output);
                Some(calls::answer(kind, ret, &data))
            }
        };
        if let (Some(arms), Some(Answer::Returned(..))) = (flight.arms, &answer) {
            self.alarms.set(task.process, arms);
        }
        if let Some(answer) = answer {
            recorded::answer(&mut self.run.record, task, &answer);
            task.body.answer(flight.question, answer);
        }
        if let Some(child) = flight.child {
            self.has_made(child, ret);
        }
        self.go_on(slot)
    }

    /// Asks the interpreter what a task wants next, and tells the task.
    fn go_on(&mut self, slot: usize) -> Result<(), Stop> {
        for i in 0.. {
            if i % IN_A_ROW == IN_A_ROW - 1 {
                self.check()?;
            }
            let Place::Task(task) = &mut self.places[slot] else { return Ok(()) };
            let (want, origin) = self.language.next(&task.body);
            let question = question(&want);
            // A handler that returns asks nothing.
            if !(matches!(want, Want::Return(_)) && task.body.top().is_handler()) {
                task.asked.push(Arc::new(Asked { want: want.clone(), origin }));
            }
            let Some(answer) = self.tell(slot, want, question)? else { break };
            let Place::Task(task) = &mut self.places[slot] else { return Ok(()) };
            recorded::answer(&mut self.run.record, task, &answer);
            task.body.answer(question, answer);
        }
        Ok(())
    }

    /// A slot for another task.
    fn free_slot(&mut self) -> Result<usize, Stop> {
        for again in [false, true] {
            let free = |place: &Place| matches!(place, Place::Free);
            if let Some(i) = self.places.iter().skip(MAIN).position(free) {
                return Ok(MAIN + i);
            }
            if !again {
                self.forget_the_dead();
            }
        }
        Err(unsupported("more tasks than there is room for"))
    }

    /// Frees the slots of tasks that are dead.
    fn forget_the_dead(&mut self) {
        let seen = watch::tasks(self.sandbox.init());
        let alive = |tid: i32| seen.iter().any(|s| s.tid == tid && !s.is_dead());
        // Without /proc nobody is seen.
        if seen.is_empty() {
            return;
        }
        for place in self.places.iter_mut().skip(MAIN) {
            if matches!(place, Place::Task(task) if !alive(task.tid)) {
                *place = Place::Free;
            }
        }
    }
}

fn strange() -> Stop {
    Refused::Sandbox("a task, which does what it was not told to".into()).into()
}

fn unsupported(what: impl Into<String>) -> Stop {
    Refused::Unsupported(what.into()).into()
}
