//! Where a search begins and what it is made of: rounds of workers, until no
//! state is left that a bound on depth has cut too early; or level by level, as
//! far as shards do it together.
//!
//! Left out: looking at a state; see `search`.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use super::ahead::Ahead;
use super::crew::{Alone, Open, Shared, locked};
use super::found::{self, Bound, Exploration, Start};
use super::graph::{Graph, Part};
use super::meter::Meter;
use super::run::run;
use super::schedule::{Choice, Policy, Schedule};
use super::search::{ExploreError, Means, Options, Subject, Watch, Worker, known};
use super::state;
use crate::session::program::{self, Interpreter, Programs, Repertoire};

/// Where a search begins.
pub(super) struct Ground {
    /// The states, all of them as many steps from the start.
    pub open: Vec<Open>,
    /// How one gets there.
    pub starts: Vec<Start>,
}

/// What programs can do at all from where they are.
pub(super) fn repertoire<'p>(
    all: impl Iterator<Item = &'p Programs>,
    interpreter: &impl Interpreter,
) -> Repertoire {
    let bodies = all.flat_map(|programs| programs.bodies());
    let starts: BTreeSet<&program::Start> = bodies.flat_map(|(_, body)| body.starts()).collect();
    let each = starts.into_iter().map(|start| interpreter.repertoire(start));
    each.reduce(Repertoire::and).unwrap_or_default()
}

impl Ground {
    /// A search from the start.
    pub(super) fn from_the_start(subject: &Subject) -> Ground {
        let ahead = Ahead::real(subject.programs.clone());
        let open = Open { node: 0, ahead, last: 0, preempted: 0, depth: 0, sums: None };
        Ground { open: vec![open], starts: vec![Start { runs: Some(1), ..Start::default() }] }
    }

    /// What the programs can do at all from here on.
    fn repertoire(&self, interpreter: &impl Interpreter) -> Repertoire {
        repertoire(self.open.iter().map(|at| &*at.ahead.base), interpreter)
    }

    /// Searches on from here.
    pub(super) fn search(
        mut self,
        first: i32,
        interpreter: &impl Interpreter,
        options: &Options,
        means: Means<'_>,
        watch: Watch<'_>,
    ) -> Result<Exploration, ExploreError> {
        let shared = Shared::new(options, first, means, self.repertoire(interpreter));
        let most = options.bounds.states;
        if self.open.len() > most {
            shared.hit([Bound::States]);
            self.open.truncate(most);
            self.starts.truncate(most);
        }
        for at in &mut self.open {
            at.node =
                shared.begin_at(known(options, state::key(&at.ahead.base), at.last, at.preempted));
        }
        let mut parts = Vec::new();
        let mut open = self.open.clone();
        while !open.is_empty() {
            round(&shared, open, interpreter, means, watch, &mut parts);
            open = self.not_too_deep(&mut parts, &shared, interpreter)?;
            shared.go_on();
        }
        let states = shared.len();
        let mut hit = shared.finish()?;
        if parts.iter().any(|p| !p.cut.is_empty()) {
            hit.insert(Bound::Depth);
        }
        let (outcomes, built) = found::outcomes(&parts, states, &self.starts);
        Ok(Exploration {
            outcomes,
            hit: hit.into_iter().collect(),
            states: u64::from(states),
            graph: built.graph,
            steps: parts.iter().map(|p| p.steps).sum(),
            numbers: built.numbers,
        })
    }

    /// The states that were cut because the way to them was too long, although
    /// there is one that is not.
    fn not_too_deep(
        &self,
        parts: &mut [Part],
        shared: &Shared<'_>,
        interpreter: &impl Interpreter,
    ) -> Result<Vec<Open>, ExploreError> {
        if shared.has_ended() || parts.iter().all(|p| p.cut.is_empty()) {
            return Ok(Vec::new());
        }
        let starts: Vec<u32> = (0..self.open.len() as u32).collect();
        let built = Graph::build(parts, shared.len(), &starts, |_, _| 0);
        let levels = built.graph.levels();
        let mut open = Vec::new();
        for part in parts {
            let mut failed = None;
            part.cut.retain(|(node, last, preempted)| {
                let number = built.numbers[*node as usize] as usize;
                let depth = self.open[0].depth + levels[number];
                if depth as usize >= shared.options.bounds.depth {
                    return true;
                }
                let (start, _, way) = built.graph.way_to(number);
                let mut programs = Programs::clone(&self.open[start].ahead.base);
                match replay(&mut programs, interpreter, way) {
                    Ok(()) => {
                        let (node, last, preempted) = (*node, *last, *preempted);
                        let ahead = Ahead::real(programs);
                        open.push(Open { node, ahead, last, preempted, depth, sums: None });
                    }
                    Err(e) => failed = Some(e),
                }
                false
            });
            failed.map_or(Ok(()), Err)?;
        }
        Ok(open)
    }
}

/// The states at some distance from the start.
pub(super) struct Spread {
    /// What ends nearer than they.
    pub found: Exploration,
    /// They.
    pub ground: Ground,
}

impl Spread {
    /// Looks level by level until there are `wanted` states at one distance,
    /// or none.
    pub(super) fn new(
        subject: &Subject,
        interpreter: &impl Interpreter,
        options: &Options,
        wanted: usize,
        watch: Watch<'_>,
    ) -> Result<Spread, ExploreError> {
        subject.can_be_explored()?;
        // Shards begin at states that are real ones.
        let means = Means { crew: &Alone, meter: &Meter::default(), looks: true };
        let ground = Ground::from_the_start(subject);
        let repertoire = ground.repertoire(interpreter);
        let shared = Shared::new(options, subject.first, means, repertoire);
        let mut worker = Worker::new(&shared, interpreter);
        let Ground { open: mut level, starts } = ground;
        for at in &mut level {
            at.node =
                shared.begin_at(known(options, state::key(&at.ahead.base), at.last, at.preempted));
        }
        'levels: while !level.is_empty() && level.len() < wanted {
            for at in std::mem::take(&mut level) {
                if watch(&at.ahead.base, at.node as usize).is_break() {
                    worker.hit.insert(Bound::Stopped);
                    break 'levels;
                }
                worker.expand(at)?;
                level.extend(worker.open.drain(..).rev());
            }
        }
        let mut hit = std::mem::take(&mut worker.hit);
        let parts = [worker.finish()];
        if !parts[0].cut.is_empty() {
            hit.insert(Bound::Depth);
        }
        let (outcomes, built) = found::outcomes(&parts, shared.len(), &starts);
        let paths = built.graph.paths(&[Some(1)]);
        let start = |at: &Open| {
            let number = built.numbers[at.node as usize] as usize;
            let (_, steps, schedule) = built.graph.way_to(number);
            Start { runs: paths[number], steps, schedule }
        };
        let found = Exploration {
            outcomes,
            hit: hit.into_iter().collect(),
            states: u64::from(shared.len()) - level.len() as u64,
            steps: parts[0].steps,
            ..Exploration::default()
        };
        let starts = level.iter().map(start).collect();
        Ok(Spread { found, ground: Ground { open: level, starts } })
    }
}

/// Makes the choices of a schedule.
fn replay(
    programs: &mut Programs,
    interpreter: &impl Interpreter,
    way: Schedule,
) -> Result<(), ExploreError> {
    let steps = way.0.iter().filter(|c| matches!(c, Choice::Process(_))).count();
    let mut policy = Policy::Replay(way, 0);
    run(programs, interpreter, &mut policy, steps, |_| ControlFlow::Continue(()))?;
    Ok(())
}

/// Lets workers go on from states until there is nothing left to look at.
fn round(
    shared: &Shared<'_>,
    mut open: Vec<Open>,
    interpreter: &impl Interpreter,
    means: Means<'_>,
    watch: Watch<'_>,
    parts: &mut Vec<Part>,
) {
    let done = Mutex::new(std::mem::take(parts));
    // The first is to be looked at first.
    open.reverse();
    std::thread::scope(|scope| {
        let help = || {
            means.crew.help(&|interpreter, stops| {
                let watch = &mut |_: &Programs, _| match stops() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                };
                let part = Worker::new(shared, &interpreter).work(watch, &mut || ());
                locked(&done).push(part);
            });
        };
        let hire = &mut || {
            for _ in 1..shared.options.jobs {
                scope.spawn(help);
            }
        };
        let mut worker = Worker::new(shared, interpreter);
        worker.open = open;
        let part = worker.work(watch, hire);
        locked(&done).push(part);
    });
    *parts = done.into_inner().unwrap_or_else(PoisonError::into_inner);
}
