//! One step of a search or of a run by chance: one process goes on.
//!
//! Left out: choosing which.

use std::rc::Rc;

use super::ahead::Ahead;
use super::graph::Edge;
use super::predict::{Foretold, Learned, foretell};
use super::recall::Calls;
use super::reduce;
use super::state::Sums;
use crate::base::cow::Arc;
use crate::kernel::task::TaskId;
use crate::session::program::{Interpreter, ProgramError, Programs, Want, question};
use crate::trace::Origin;

/// What a program wants next.
#[derive(Debug)]
pub(super) struct Asked {
    pub want: Want,
    /// From which line.
    origin: Origin,
    /// The hash of what it wants.
    pub question: u64,
}

/// The same, shared.
pub(super) type Ask = Rc<Asked>;

/// Somebody who can go on.
pub(super) struct Ready {
    pub task: TaskId,
    /// By which schedules name it.
    pub number: u32,
    ask: Ask,
}

impl Ready {
    /// What it wants next.
    pub(super) fn want(&self) -> &Want {
        &self.ask.want
    }

    /// In how many ways it can go on.
    pub(super) fn ways(&self) -> u32 {
        if let Want::Choose(n) = self.ask.want { n } else { 1 }
    }
}

/// Lets programs go on, on one thread.
pub(super) struct Stepper<'i, I> {
    interpreter: &'i I,
    /// Whether each load and store is a step.
    memory: bool,
    learned: Learned,
    /// System calls that were made.
    pub calls: Calls,
    /// Steps made, each load and store counted.
    pub steps: u64,
}

impl<'i, I: Interpreter> Stepper<'i, I> {
    pub(super) fn new(interpreter: &'i I, memory: bool) -> Stepper<'i, I> {
        Stepper {
            interpreter,
            memory,
            learned: Learned::default(),
            calls: Calls::default(),
            steps: 0,
        }
    }

    fn ask(&mut self, programs: &Programs, task: TaskId) -> Ask {
        let body = programs.body(task).expect("it is ready");
        if programs.is_on_its_way(task) {
            let (want, origin) = programs.next(self.interpreter, task);
            let question = question(&want);
            return Rc::new(Asked { want, origin, question });
        }
        let ask = || {
            let (want, origin) = self.interpreter.next(body);
            let question = question(&want);
            Rc::new(Asked { want, origin, question })
        };
        self.learned.asked.entry(body.digest()).or_insert_with(ask).clone()
    }

    /// Finds out where functions are that were told something.
    pub(super) fn arrive(&mut self, programs: &mut Programs) {
        programs.arrive(|body| {
            let digest = body.top().tape.digest();
            let place = self.interpreter.place(body);
            self.learned.arrivals.insert(digest, place.unwrap_or(digest));
            place
        });
    }

    /// What a step would lead to, if that can be told without making it.
    pub(super) fn foretell(&self, at: &Ahead, sums: &Sums, who: &Ready) -> Option<Foretold> {
        if !self.memory {
            return None;
        }
        foretell(at, sums, &self.learned, who.task, &who.ask)
    }

    /// Makes the steps that were only told, so that the state is a real one.
    ///
    /// # Errors
    /// The kernel is broken.
    pub(super) fn make(&mut self, at: &mut Ahead) -> Result<(), ProgramError> {
        if at.is_real() {
            return Ok(());
        }
        // They have been counted.
        let steps = self.steps;
        let mut programs = Programs::clone(&at.base);
        for task in &at.steps {
            let who = self.one(&programs, *task);
            self.step(&mut programs, &who, 0)?;
            self.arrive(&mut programs);
        }
        self.steps = steps;
        *at = Ahead::real(programs);
        Ok(())
    }

    fn one(&mut self, programs: &Programs, task: TaskId) -> Ready {
        let number = programs.body(task).map_or(0, |body| body.number);
        Ready { task, number, ask: self.ask(programs, task) }
    }

    /// Those who can go on, in order of creation.
    pub(super) fn ready(&mut self, programs: &Programs) -> Vec<Ready> {
        programs.runnable().into_iter().map(|task| self.one(programs, task)).collect()
    }

    /// The same in a state that need not be a real one; it becomes one if it
    /// must be asked what somebody wants. Who can go on is the same as in its
    /// base: loads and stores that are told change nothing of that.
    ///
    /// # Errors
    /// The kernel is broken.
    pub(super) fn ready_at(&mut self, at: &mut Ahead) -> Result<Vec<Ready>, ProgramError> {
        let base = Arc::clone(&at.base);
        let mut ready = Vec::new();
        for task in base.runnable() {
            if !at.has_moved(task) {
                ready.push(self.one(&base, task));
                continue;
            }
            let body = base.body(task).expect("it is ready");
            let digest = body.digest_with(at.tape(task, body));
            let Some(ask) = self.learned.asked.get(&digest) else {
                self.make(at)?;
                return Ok(self.ready(&at.base));
            };
            ready.push(Ready { task, number: body.number, ask: ask.clone() });
        }
        Ok(ready)
    }

    /// Lets a program do one step; `way` is taken if it asks for one.
    ///
    /// # Errors
    /// The kernel is broken.
    pub(super) fn step(
        &mut self,
        programs: &mut Programs,
        who: &Ready,
        way: u32,
    ) -> Result<Edge, ProgramError> {
        let mut ask = who.ask.clone();
        let mut times = 0;
        loop {
            let Asked { want, origin, question: _ } = &*ask;
            let glued = reduce::is_part(want, self.memory);
            programs.system.log.origin = *origin;
            programs.perform(self.interpreter, who.task, want.clone(), way)?;
            times += 1;
            if !glued || times >= GLUED || !programs.is_runnable(who.task) {
                break;
            }
            ask = self.ask(programs, who.task);
            // Each of its ways is a step of its own.
            if matches!(ask.want, Want::Choose(_)) {
                break;
            }
        }
        self.steps += u64::from(times);
        let chosen = matches!(who.want(), Want::Choose(_)).then_some(way);
        Ok(Edge::new(who.number, chosen, times))
    }
}

/// Most loads and stores in one step: a program that spins on a variable must
/// let the others go on.
pub const GLUED: u16 = 1_000;
