//! One step of a search or of a run by chance: one process goes on.
//!
//! Left out: choosing which.

use std::collections::HashMap;
use std::rc::Rc;

use super::graph::Edge;
use super::predict::{Arrivals, Foretold, foretell};
use super::reduce;
use super::state::Sums;
use crate::kernel::task::TaskId;
use crate::session::program::{Body, Interpreter, ProgramError, Programs, Want};
use crate::trace::Origin;

/// What a program wants next, and from which line.
type Ask = Rc<(Want, Origin)>;

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
        &self.ask.0
    }

    /// In how many ways it can go on.
    pub(super) fn ways(&self) -> u32 {
        if let Want::Choose(n) = self.ask.0 { n } else { 1 }
    }
}

/// Lets programs go on, on one thread.
pub(super) struct Stepper<'i, I> {
    interpreter: &'i I,
    /// Whether each load and store is a step.
    memory: bool,
    /// What programs want, by what they are: asking means running a function.
    asked: HashMap<u64, Ask>,
    /// Where tapes lead.
    arrivals: Arrivals,
    /// Steps made, each load and store counted.
    pub steps: u64,
}

impl<'i, I: Interpreter> Stepper<'i, I> {
    pub(super) fn new(interpreter: &'i I, memory: bool) -> Stepper<'i, I> {
        Stepper { interpreter, memory, asked: HashMap::new(), arrivals: HashMap::new(), steps: 0 }
    }

    fn ask(&mut self, programs: &Programs, task: TaskId) -> Ask {
        let body = programs.body(task).expect("it is ready");
        let ask = || Rc::new(self.interpreter.next(body));
        self.asked.entry(body.digest()).or_insert_with(ask).clone()
    }

    /// Finds out where functions are that were told something.
    pub(super) fn arrive(&mut self, programs: &mut Programs) {
        programs.arrive(|body| {
            let digest = body.top().tape.digest();
            let place = self.interpreter.place(body);
            self.arrivals.insert(digest, place.unwrap_or(digest));
            place
        });
    }

    /// What a step would lead to, if that can be told without making it.
    pub(super) fn foretell(
        &self,
        programs: &Programs,
        sums: &Sums,
        who: &Ready,
    ) -> Option<Foretold> {
        if !self.memory {
            return None;
        }
        let asks = |body: &Body, top| self.asked.get(&body.digest_with(top)).map(|ask| &ask.0);
        foretell(programs, sums, &self.arrivals, who.task, who.want(), asks)
    }

    /// Those who can go on, in order of creation.
    pub(super) fn ready(&mut self, programs: &Programs) -> Vec<Ready> {
        let one = |task: TaskId| {
            let number = programs.body(task).map_or(0, |body| body.number);
            Ready { task, number, ask: self.ask(programs, task) }
        };
        programs.runnable().into_iter().map(one).collect()
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
            let (want, origin) = &*ask;
            let glued = reduce::is_part(want, self.memory);
            programs.system.log.origin = *origin;
            programs.perform(self.interpreter, who.task, want.clone(), way)?;
            times += 1;
            if !glued || times >= GLUED || !programs.is_runnable(who.task) {
                break;
            }
            ask = self.ask(programs, who.task);
            // Each of its ways is a step of its own.
            if matches!(ask.0, Want::Choose(_)) {
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
