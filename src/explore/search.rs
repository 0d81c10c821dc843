//! All runs of a program: a depth-first search over its states.
//!
//! ```text
//! state --who goes on--> state        a choice: a process makes its next
//!   |                      |          system call; the search makes each
//!   +----> state ----------+          the same state is looked at once
//!             |
//!           outcome                   nobody can go on
//! ```
//!
//! A step is what one process does until it has made one system call. Loads
//! and stores belong to the call after them, unless they are asked to be steps
//! of their own (`memory`). Finding the address of a variable is never a step:
//! a linker has done it before the program runs. The graph of all states is
//! kept without the states themselves, so that runs can be counted and each
//! outcome has a schedule that leads to it.
//!
//! Which states there are and what is shown of them does not depend on the
//! number of threads, nor on who finds a state first. Only where a bound on
//! states ends the search, or somebody outside, it is the order of looking that
//! decides what was found until then; with one thread that is always the same.
//!
//! Under a bound on preemptions the same state counts anew for each number of
//! preemptions behind it, so that no run within the bound is missed and runs
//! are counted right.
//!
//! Left out: looking at one state once for all numbers of preemptions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::ahead::Ahead;
use super::crew::{Crew, Known, Met, OnPanic, Open, Shared};
use super::graph::{Edge, Part};
use super::ground::Ground;
use super::meter::Meter;
use super::outcome::{End, Outcome};
use super::recall::Digests;
use super::state::{Key, Sums};
use super::step::{Ready, Stepper};
use super::{reduce, state};
use crate::base::cow::Arc;
use crate::kernel::task::TaskId;
use crate::session::program::{Interpreter, ProgramError, Programs, Want};

pub use super::found::{Bound, Exploration, Found};

/// How far to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Most states.
    pub states: usize,
    /// Most steps of one run.
    pub depth: usize,
    /// Most times that a process has to stop although it could go on.
    pub preemptions: Option<u32>,
    /// Most tasks at once: a state with more ends the search.
    pub tasks: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { states: 1_000_000, depth: 10_000, preemptions: None, tasks: 128 }
    }
}

/// How to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How far.
    pub bounds: Bounds,
    /// Whether each load and store is a step.
    pub memory: bool,
    /// Whether orders that nobody can tell apart are left out.
    pub reduce: bool,
    /// Whether a state is looked at once only. Without it the search goes
    /// through all runs one by one; it is there to check this very search.
    pub merge: bool,
    /// Most threads.
    pub jobs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { bounds: Bounds::default(), memory: false, reduce: true, merge: true, jobs: 1 }
    }
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExploreError {
    /// A program could not act.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A run by chance did not work.
    #[error(transparent)]
    Run(#[from] super::run::RunError),
    /// Memory of such a machine is not compared.
    #[error("only programs on a machine with a memory management unit can be explored")]
    NoMmu,
}

/// Programs that have been started, to be explored.
#[derive(Debug, Clone)]
pub struct Subject {
    /// They.
    pub programs: Programs,
    /// Pid of the one whose exit counts.
    pub first: i32,
}

impl Subject {
    /// Whether states of its machine can be compared.
    pub(super) fn can_be_explored(&self) -> Result<(), ExploreError> {
        match self.programs.system.machine.config.mmu {
            true => Ok(()),
            false => Err(ExploreError::NoMmu),
        }
    }
}

/// Who helps, and who watches from outside.
#[derive(Clone, Copy)]
pub struct Means<'m> {
    /// Makes further threads work.
    pub crew: &'m dyn Crew,
    /// Counts.
    pub meter: &'m Meter,
    /// Whether the states themselves are looked at, and not only how many there
    /// are: then each is made.
    pub looks: bool,
}

/// A look at each state, with its number; may end the search. Only the first
/// thread shows its states, so with several it does not see all. Unless
/// [`Means::looks`], what it sees can be some loads and stores behind.
pub type Watch<'w> = &'w mut dyn FnMut(&Programs, usize) -> ControlFlow<()>;

/// Finds all outcomes of programs.
///
/// # Errors
/// The kernel is broken, or the machine has no memory management unit.
pub fn explore(
    subject: &Subject,
    interpreter: &impl Interpreter,
    options: &Options,
    means: Means<'_>,
    watch: Watch<'_>,
) -> Result<Exploration, ExploreError> {
    subject.can_be_explored()?;
    let ground = Ground::from_the_start(subject);
    ground.search(subject.first, interpreter, options, means, watch)
}

/// What a state is known by.
pub(super) fn known(options: &Options, key: Key, last: u32, preempted: u32) -> Known {
    let bounded = options.bounds.preemptions.is_some();
    let (last, preempted) = if bounded { (last, preempted) } else { (0, 0) };
    Known::new(key, last, preempted)
}

/// A state, the digests of its bodies, and its sums.
type Was<'s> = (Arc<Programs>, Digests, &'s Sums);

/// Where steps begin.
struct From {
    node: u32,
    /// Who made the step that has led here.
    last: u32,
    /// How often somebody had to stop until here.
    preempted: u32,
    depth: u32,
    /// Whether that one could go on.
    goes_on: bool,
}

impl From {
    /// How often somebody had to stop when this one goes on.
    fn preempts(&self, r: &Ready) -> u32 {
        self.preempted + u32::from(self.goes_on && r.number != self.last)
    }

    /// The state behind a step.
    fn next(&self, r: &Ready, ahead: Ahead, sums: Option<Sums>) -> Open {
        Open {
            node: 0,
            ahead,
            last: r.number,
            preempted: self.preempts(r),
            depth: self.depth + 1,
            sums,
        }
    }
}

/// One thread's part of a search.
pub(super) struct Worker<'w, 's, I> {
    shared: &'w Shared<'s>,
    stepper: Stepper<'w, I>,
    /// States to look at, the next one last.
    pub open: Vec<Open>,
    part: Part,
    outcomes: BTreeMap<Outcome, u32>,
    pub hit: BTreeSet<Bound>,
}

impl<'w, 's, I: Interpreter> Worker<'w, 's, I> {
    pub(super) fn new(shared: &'w Shared<'s>, interpreter: &'w I) -> Worker<'w, 's, I> {
        Worker {
            shared,
            stepper: Stepper::new(interpreter, shared.options.memory),
            open: Vec::new(),
            part: Part::default(),
            outcomes: BTreeMap::new(),
            hit: BTreeSet::new(),
        }
    }

    /// Looks at states until there are none, or it is enough. `hire` is called
    /// when the work is worth more threads.
    pub(super) fn work(mut self, watch: Watch<'_>, hire: &mut dyn FnMut()) -> Part {
        let _guard = OnPanic(self.shared);
        self.shared.join();
        let mut hired = false;
        while let Some(at) = self.open.pop().or_else(|| self.shared.take()) {
            if self.shared.is_over() {
                break;
            }
            if watch(&at.ahead.base, at.node as usize).is_break() {
                self.shared.stop();
                break;
            }
            if let Err(e) = self.expand(at) {
                self.shared.fail(e);
                break;
            }
            if !hired && self.part.looked() >= HIRE_AT {
                hired = true;
                hire();
            }
            if self.open.len() > 1 && self.shared.somebody_idles() {
                let half = self.open.len() / 2;
                self.shared.give(self.open.drain(..half));
            }
        }
        self.shared.hit(std::mem::take(&mut self.hit));
        self.finish()
    }

    /// What it has found.
    pub(super) fn finish(mut self) -> Part {
        self.part.steps = self.stepper.steps;
        let mut outcomes: Vec<(Outcome, u32)> =
            std::mem::take(&mut self.outcomes).into_iter().collect();
        outcomes.sort_unstable_by_key(|(_, index)| *index);
        self.part.outcomes = outcomes.into_iter().map(|(outcome, _)| outcome).collect();
        self.part
    }

    /// Looks at a state: its successors are open then.
    pub(super) fn expand(&mut self, at: Open) -> Result<(), ExploreError> {
        let Open { node, mut ahead, last, preempted, depth, sums } = at;
        let mut ready = self.stepper.ready_at(&mut ahead)?;
        if ready.is_empty() {
            let programs = &*ahead.base;
            let end = match programs.bodies().next() {
                None => End::Finished,
                Some(_) => End::Stuck,
            };
            self.ends(node, Outcome::of(programs, self.shared.first, end));
            return Ok(());
        }
        let options = self.shared.options;
        let bounds = &options.bounds;
        if depth as usize >= bounds.depth {
            self.part.cut.push((node, last, preempted));
            return Ok(());
        }
        self.shared.meter.looked();
        self.part.look(node);
        if ahead.base.system.kernel.tasks.len() > bounds.tasks {
            // More of them only make more of them: there are too many orders.
            self.shared.enough(Bound::Tasks);
            return Ok(());
        }
        let goes_on = ready.iter().any(|r| r.number == last);
        let from = From { node, last, preempted, depth, goes_on };
        self.leave_out(&from, &ahead, &mut ready);
        let look = options.memory && options.merge;
        let sums = sums.or_else(|| look.then(|| Sums::of(&ahead.base)));
        self.successors(&from, ahead, sums, &ready)
    }

    /// Leaves those who need not, or may not, make the next step: the others can
    /// wait for one whose step nobody minds, and so many may be stopped.
    fn leave_out(&mut self, from: &From, ahead: &Ahead, ready: &mut Vec<Ready>) {
        let options = self.shared.options;
        let most = options.bounds.preemptions;
        if options.reduce {
            let wants: Vec<(TaskId, &Want)> = ready.iter().map(|r| (r.task, r.want())).collect();
            let task =
                reduce::nobody_minds(&ahead.base, &wants, options.memory, &self.shared.repertoire);
            // Under a bound on preemptions only the one that runs can go on
            // before all others, for then nobody has to stop.
            let runs = |task: TaskId| ready.iter().any(|r| r.task == task && r.number == from.last);
            if let Some(task) = task.filter(|task| most.is_none() || runs(*task)) {
                ready.retain(|r| r.task == task);
            }
        }
        let before = ready.len();
        ready.retain(|r| most.is_none_or(|most| from.preempts(r) <= most));
        if ready.len() < before {
            self.hit.insert(Bound::Preemptions);
        }
    }

    /// Lets each make its step, each way that it can go.
    fn successors(
        &mut self,
        from: &From,
        ahead: Ahead,
        sums: Option<Sums>,
        ready: &[Ready],
    ) -> Result<(), ExploreError> {
        let first = self.open.len();
        let mut ahead = Some(ahead);
        for (i, r) in ready.iter().enumerate() {
            for way in 0..r.ways() {
                // The last one needs no copy.
                let is_last = i + 1 == ready.len() && way + 1 == r.ways();
                self.successor(from, &mut ahead, is_last, sums.as_ref(), (r, way))?;
            }
        }
        // The first is to be looked at first.
        self.open[first..].reverse();
        Ok(())
    }

    /// Makes one step, or finds out where it leads without. The last one takes
    /// the state.
    fn successor(
        &mut self,
        from: &From,
        ahead: &mut Option<Ahead>,
        is_last: bool,
        sums: Option<&Sums>,
        (r, way): (&Ready, u32),
    ) -> Result<(), ExploreError> {
        let options = self.shared.options;
        let at = ahead.as_mut().expect("only the last takes it");
        let foretold =
            sums.and_then(|sums| self.stepper.foretell(at, sums, r).map(|f| (f, f.sums(sums))));
        let next = |ahead: Ahead, sums: Option<Sums>| from.next(r, ahead, sums);
        if let Some((foretold, sums)) = foretold
            && !self.shared.looks
        {
            // Often enough among so many.
            if cfg!(test) && from.node.is_multiple_of(3) {
                self.check(at, r, &sums)?;
            }
            let edge = Edge::new(r.number, None, foretold.times);
            self.stepper.steps += u64::from(foretold.times);
            let known = known(options, foretold.key, r.number, from.preempts(r));
            self.meet(edge, Some(known), || next(at.after(&foretold.change), Some(sums)));
            return Ok(());
        }
        let before = sums.map(|sums| (at.digests(), sums));
        let recalled =
            before.as_ref().and_then(|(before, sums)| self.stepper.calls.recall(before, sums, r));
        if let Some(after) = &recalled
            && !cfg!(test)
            && let Some(node) =
                self.shared.find(known(options, after.key(), r.number, from.preempts(r)))
        {
            self.stepper.steps += 1;
            self.part.edge(Edge::new(r.number, None, 1), node);
            return Ok(());
        }
        self.stepper.make(at)?;
        let was = before.filter(|_| recalled.is_none());
        let was = was.map(|(before, sums)| (Arc::clone(&at.base), before, sums));
        let given = if is_last { ahead.take() } else { ahead.clone() };
        let mut programs = given.expect("only the last takes it").into_base();
        let edge = self.stepper.step(&mut programs, r, way)?;
        self.reach(edge, programs, r, (recalled, was), next);
        Ok(())
    }

    /// Makes a step that was told, and sees that it leads where it should.
    fn check(&mut self, at: &Ahead, who: &Ready, sums: &Sums) -> Result<(), ExploreError> {
        let (mut at, steps) = (at.clone(), self.stepper.steps);
        self.stepper.make(&mut at)?;
        let mut programs = at.into_base();
        self.stepper.step(&mut programs, who, 0)?;
        self.stepper.arrive(&mut programs);
        assert_eq!(*sums, Sums::of(&programs), "foretold wrongly");
        self.stepper.steps = steps;
        Ok(())
    }

    /// Notes a step that was made, from a state (`was`) to one whose sums may be
    /// known already.
    fn reach(
        &mut self,
        edge: Edge,
        mut programs: Programs,
        who: &Ready,
        (recalled, was): (Option<Sums>, Option<Was<'_>>),
        next: impl FnOnce(Ahead, Option<Sums>) -> Open,
    ) {
        let options = self.shared.options;
        let (mut sums, mut key) = (None, None);
        if options.merge {
            self.stepper.arrive(&mut programs);
            if options.memory {
                if cfg!(test)
                    && let Some(recalled) = &recalled
                {
                    assert_eq!(
                        *recalled,
                        Sums::of(&programs),
                        "recalled wrongly: {:?}",
                        who.want()
                    );
                }
                let sums = sums.insert(recalled.unwrap_or_else(|| Sums::of(&programs)));
                key = Some(sums.key());
            } else {
                key = Some(state::key(&programs));
            }
        }
        let ahead = Ahead::real(programs);
        if let (Some((was, before, from)), Some(to)) = (was, &sums) {
            self.stepper.calls.learn(&was, (&before, from), who, (&ahead.digests(), to));
        }
        let to = next(ahead, sums);
        let known = key.map(|key| known(options, key, to.last, to.preempted));
        self.meet(edge, known, || to);
    }

    /// Notes a step to a state, which is to be looked at if it is a new one.
    fn meet(&mut self, edge: Edge, known: Option<Known>, to: impl FnOnce() -> Open) {
        match self.shared.meet(known) {
            Met::New(node) => {
                self.part.edge(edge, node);
                self.open.push(Open { node, ..to() });
            }
            Met::Again(node) => self.part.edge(edge, node),
            Met::TooMany => {
                self.hit.insert(Bound::States);
            }
        }
    }

    fn ends(&mut self, node: u32, outcome: Outcome) {
        self.shared.meter.looked();
        let next = self.outcomes.len() as u32;
        let index = *self.outcomes.entry(outcome).or_insert(next);
        if index == next {
            self.shared.meter.ended();
        }
        self.part.ends.push((node, index));
    }
}

/// States after which further threads are worth what they cost: each makes its
/// own interpreter.
const HIRE_AT: usize = if cfg!(test) { 1 } else { 2_000 };
