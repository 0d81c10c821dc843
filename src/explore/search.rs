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
//! a linker has done it before the program runs. The graph of all states is kept without the states
//! themselves, so that runs can be counted and each outcome has a schedule
//! that leads to it.
//!
//! Left out: looking at a state again when it is met with fewer preemptions
//! behind it (they are part of what makes a state then).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use super::outcome::{End, Outcome};
use super::reduce;
use super::schedule::{Choice, Schedule};
use super::state::{self, Key};
use crate::kernel::task::TaskId;
use crate::session::program::{Interpreter, ProgramError, Programs, Want};
use crate::trace::Origin;

/// How far to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Most states.
    pub states: usize,
    /// Most steps of one run.
    pub depth: usize,
    /// Most times that a process has to stop although it could go on.
    pub preemptions: Option<u32>,
    /// Most tasks at once.
    pub tasks: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { states: 1_000_000, depth: 10_000, preemptions: None, tasks: 1_000 }
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
}

impl Default for Options {
    fn default() -> Self {
        Options { bounds: Bounds::default(), memory: false, reduce: true, merge: true }
    }
}

/// A bound that was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// [`Bounds::states`].
    States,
    /// [`Bounds::depth`].
    Depth,
    /// [`Bounds::preemptions`].
    Preemptions,
    /// [`Bounds::tasks`].
    Tasks,
    /// Some runs only were made, by chance.
    Samples,
    /// Somebody outside said so.
    Stopped,
}

impl Bound {
    /// Its name among the options.
    pub fn name(self) -> &'static str {
        match self {
            Bound::States => "states",
            Bound::Depth => "depth",
            Bound::Preemptions => "preemptions",
            Bound::Tasks => "tasks",
            Bound::Samples => "samples",
            Bound::Stopped => "stopped",
        }
    }
}

/// An outcome and how it comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The outcome.
    pub outcome: Outcome,
    /// Runs that lead to it; `None` when there is no end of them.
    pub count: Option<u64>,
    /// One of these runs.
    pub schedule: Schedule,
}

/// A step from one state to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The choices made.
    pub choices: Vec<Choice>,
    /// Index of the state it leads to.
    pub to: usize,
}

/// What is kept of a state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// The state it was first reached from, and by which of its edges.
    parent: Option<(usize, usize)>,
    /// Steps from the start, the way it was first reached.
    depth: usize,
    /// Where one gets from here.
    pub edges: Vec<Edge>,
    /// What came of it, when nobody can go on here.
    pub outcome: Option<usize>,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exploration {
    /// Different outcomes, in order.
    pub outcomes: Vec<Found>,
    /// The bounds that were hit: without any, there are no other outcomes.
    pub hit: Vec<Bound>,
    /// The states, the first one first. Empty when runs were sampled.
    pub graph: Vec<Node>,
    /// Steps made.
    pub steps: u64,
}

impl Exploration {
    /// Whether there are no other outcomes.
    pub fn complete(&self) -> bool {
        self.hit.is_empty()
    }

    /// The choices that first led to a state.
    pub fn schedule_to(&self, node: usize) -> Schedule {
        schedule_to(&self.graph, node)
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

/// A state to go on from.
struct Open {
    node: usize,
    programs: Programs,
    /// Who made the last step.
    last: u32,
    preempted: u32,
}

/// What a state is known by: its hash, and under a bound on preemptions who
/// ran last and how many there were.
type Known = (Key, u32, u32);

/// What programs want, by what they are: asking means running a function.
type Wants = HashMap<u64, (Want, Origin)>;

struct Search<'i, I> {
    interpreter: &'i I,
    options: &'i Options,
    first: i32,
    wants: Wants,
    known: HashMap<Known, usize>,
    found: Exploration,
    outcomes: BTreeMap<Outcome, usize>,
    hit: HashSet<Bound>,
}

/// Finds all outcomes of programs that have been started; `first` is the pid
/// of the one whose exit counts. `watch` is shown each state, with its index in
/// the graph, and may end the search.
///
/// # Errors
/// The kernel is broken, or the machine has no memory management unit.
pub fn explore(
    programs: Programs,
    first: i32,
    interpreter: &impl Interpreter,
    options: &Options,
    mut watch: impl FnMut(&Programs, usize) -> ControlFlow<()>,
) -> Result<Exploration, ExploreError> {
    if !programs.system.machine.config.mmu {
        return Err(ExploreError::NoMmu);
    }
    let mut search = Search {
        interpreter,
        options,
        first,
        wants: Wants::new(),
        known: HashMap::new(),
        found: Exploration::default(),
        outcomes: BTreeMap::new(),
        hit: HashSet::new(),
    };
    search.found.graph.push(Node::default());
    search.known.insert((state::key(&programs), 0, 0), 0);
    let mut open = vec![Open { node: 0, programs, last: 0, preempted: 0 }];
    while let Some(at) = open.pop() {
        if watch(&at.programs, at.node).is_break() {
            search.hit.insert(Bound::Stopped);
            break;
        }
        search.expand(at, &mut open)?;
    }
    Ok(search.finish())
}

impl<I: Interpreter> Search<'_, I> {
    /// What a program wants next, and from which line.
    fn want(&mut self, programs: &Programs, task: TaskId) -> (Want, Origin) {
        let body = programs.body(task).expect("it is ready");
        let ask = || self.interpreter.next(body);
        self.wants.entry(body.digest()).or_insert_with(ask).clone()
    }

    fn expand(&mut self, at: Open, open: &mut Vec<Open>) -> Result<(), ExploreError> {
        let Open { node, programs, last, preempted } = at;
        let ready = programs.runnable();
        if ready.is_empty() {
            let end = match programs.bodies().next() {
                None => End::Finished,
                Some(_) => End::Stuck,
            };
            self.ends(node, Outcome::of(&programs, self.first, end));
            return Ok(());
        }
        let bounds = &self.options.bounds;
        let cut = [
            (Bound::Depth, self.found.graph[node].depth >= bounds.depth),
            (Bound::Tasks, programs.system.kernel.tasks.len() > bounds.tasks),
        ];
        if let Some((bound, _)) = cut.iter().find(|(_, hit)| *hit) {
            self.hit.insert(*bound);
            return Ok(());
        }
        let number = |task: &TaskId| programs.body(*task).map_or(0, |b| b.number);
        let goes_on = ready.iter().any(|task| number(task) == last);
        let mut chosen = ready.clone();
        if self.options.reduce {
            let wants: Vec<(TaskId, Want)> =
                ready.iter().map(|task| (*task, self.want(&programs, *task).0)).collect();
            if let Some(task) = reduce::nobody_minds(&programs, &wants, self.options.memory) {
                chosen = vec![task];
            }
        }
        // The first of the list is to be looked at first: the stack turns
        // the order around.
        let mut next = Vec::new();
        for task in chosen {
            let process = number(&task);
            let preempts = u32::from(goes_on && process != last);
            if bounds.preemptions.is_some_and(|most| preempted + preempts > most) {
                self.hit.insert(Bound::Preemptions);
                continue;
            }
            let ways = match self.want(&programs, task).0 {
                Want::Choose(n) => n,
                _ => 1,
            };
            for way in 0..ways {
                let mut programs = programs.clone();
                let choices = self.step(&mut programs, task, process, way)?;
                let preempted = preempted + preempts;
                next.extend(self.reach(node, choices, programs, process, preempted));
            }
        }
        open.extend(next.into_iter().rev());
        Ok(())
    }

    /// Lets a program do one step.
    fn step(
        &mut self,
        programs: &mut Programs,
        task: TaskId,
        process: u32,
        way: u32,
    ) -> Result<Vec<Choice>, ExploreError> {
        let mut choices = Vec::new();
        loop {
            let (want, origin) = self.want(programs, task);
            let glued = reduce::is_part(&want, self.options.memory);
            choices.push(Choice::Process(process));
            if matches!(want, Want::Choose(_)) {
                choices.push(Choice::Way(way));
            }
            programs.system.log.origin = origin;
            programs.perform(self.interpreter, task, want, way)?;
            self.found.steps += 1;
            if !glued || choices.len() >= GLUED || !programs.runnable().contains(&task) {
                return Ok(choices);
            }
            // Each of its ways is a step of its own.
            if matches!(self.want(programs, task).0, Want::Choose(_)) {
                return Ok(choices);
            }
        }
    }

    /// Notes a step to a state; gives the state if it is a new one.
    fn reach(
        &mut self,
        from: usize,
        choices: Vec<Choice>,
        programs: Programs,
        last: u32,
        preempted: u32,
    ) -> Option<Open> {
        let bounded = self.options.bounds.preemptions.is_some();
        let of_run = if bounded { (last, preempted) } else { (0, 0) };
        let key = (state::key(&programs), of_run.0, of_run.1);
        let next = self.found.graph.len();
        let old = self.known.get(&key).copied().filter(|_| self.options.merge);
        if old.is_none() && next >= self.options.bounds.states {
            self.hit.insert(Bound::States);
            return None;
        }
        let to = old.unwrap_or(next);
        let node = &mut self.found.graph[from];
        let (edge, depth) = (node.edges.len(), node.depth + choices.len());
        node.edges.push(Edge { choices, to });
        if old.is_some() {
            return None;
        }
        self.known.insert(key, to);
        let parent = Some((from, edge));
        self.found.graph.push(Node { parent, depth, ..Node::default() });
        Some(Open { node: to, programs, last, preempted })
    }

    fn ends(&mut self, node: usize, outcome: Outcome) {
        let next = self.found.outcomes.len();
        let index = *self.outcomes.entry(outcome.clone()).or_insert(next);
        if index == next {
            let schedule = schedule_to(&self.found.graph, node);
            self.found.outcomes.push(Found { outcome, count: Some(0), schedule });
        }
        self.found.graph[node].outcome = Some(index);
    }

    /// Counts runs, and puts the outcomes in order.
    fn finish(mut self) -> Exploration {
        let paths = paths(&self.found.graph);
        for (node, paths) in self.found.graph.iter().zip(&paths) {
            if let Some(index) = node.outcome {
                let count = &mut self.found.outcomes[index].count;
                *count = count.zip(*paths).map(|(sum, n)| sum.saturating_add(n));
            }
        }
        let places: Vec<usize> = self.outcomes.into_values().collect();
        let mut found = self.found;
        let mut sorted: Vec<Found> = places.iter().map(|i| found.outcomes[*i].clone()).collect();
        std::mem::swap(&mut found.outcomes, &mut sorted);
        for node in &mut found.graph {
            node.outcome =
                node.outcome.map(|i| places.iter().position(|p| *p == i).expect("it is listed"));
        }
        if let Some(node) = paths.iter().position(Option::is_none) {
            let outcome = Outcome {
                output: String::new(),
                status: None,
                end: End::Endless,
                left: Vec::new(),
                crashes: Vec::new(),
            };
            let schedule = schedule_to(&found.graph, node);
            found.outcomes.push(Found { outcome, count: None, schedule });
        }
        found.hit = self.hit.into_iter().collect();
        found.hit.sort_unstable();
        found
    }
}

/// Most loads and stores in one step: a program that spins on a variable must
/// let the others go on.
pub const GLUED: usize = 1_000;

/// The choices that first led to a state.
fn schedule_to(graph: &[Node], node: usize) -> Schedule {
    let mut parts = Vec::new();
    let mut at = node;
    while let Some((from, edge)) = graph[at].parent {
        parts.push(&graph[from].edges[edge].choices);
        at = from;
    }
    Schedule(parts.into_iter().rev().flatten().copied().collect())
}

/// How many ways lead to each state; `None` when there is no end of them.
/// In topological order, so a state that can be reached from itself never has
/// its turn.
fn paths(graph: &[Node]) -> Vec<Option<u64>> {
    let mut missing = vec![0usize; graph.len()];
    graph.iter().flat_map(|n| &n.edges).for_each(|e| missing[e.to] += 1);
    let mut ways = vec![0u64; graph.len()];
    let mut done = vec![false; graph.len()];
    let mut turn: Vec<usize> = Vec::new();
    if missing.first() == Some(&0) {
        ways[0] = 1;
        turn.push(0);
    }
    while let Some(node) = turn.pop() {
        done[node] = true;
        for edge in &graph[node].edges {
            ways[edge.to] = ways[edge.to].saturating_add(ways[node]);
            missing[edge.to] -= 1;
            if missing[edge.to] == 0 {
                turn.push(edge.to);
            }
        }
    }
    done.iter().zip(ways).map(|(done, n)| done.then_some(n)).collect()
}
