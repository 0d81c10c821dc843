//! What an exploration gives: outcomes, each with a number of runs and one
//! schedule; and which bounds were hit.
//!
//! Left out: showing it.

use std::collections::BTreeSet;

use super::graph::{Built, Graph, Part};
use super::outcome::{End, Outcome};
use super::schedule::{Choice, Schedule};

/// A bound that was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// [`Bounds::states`](super::search::Bounds::states).
    States,
    /// [`Bounds::depth`](super::search::Bounds::depth).
    Depth,
    /// [`Bounds::preemptions`](super::search::Bounds::preemptions).
    Preemptions,
    /// [`Bounds::tasks`](super::search::Bounds::tasks).
    Tasks,
    /// Some runs only were made, by chance.
    Samples,
    /// Somebody outside said so.
    Stopped,
    /// Other parts of the work belong to other shards.
    Shards,
}

impl Bound {
    /// All of them.
    const ALL: [Bound; 7] = [
        Bound::States,
        Bound::Depth,
        Bound::Preemptions,
        Bound::Tasks,
        Bound::Samples,
        Bound::Stopped,
        Bound::Shards,
    ];

    /// Its name among the options.
    pub fn name(self) -> &'static str {
        match self {
            Bound::States => "states",
            Bound::Depth => "depth",
            Bound::Preemptions => "preemptions",
            Bound::Tasks => "tasks",
            Bound::Samples => "samples",
            Bound::Stopped => "stopped",
            Bound::Shards => "shards",
        }
    }

    /// The bound with a name.
    pub fn named(name: &str) -> Option<Bound> {
        Bound::ALL.into_iter().find(|b| b.name() == name)
    }
}

/// An outcome and how it comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The outcome.
    pub outcome: Outcome,
    /// Runs that lead to it; `None` when there is no end of them.
    pub count: Option<u64>,
    /// One of these runs: of those with the fewest steps, the smallest.
    pub schedule: Schedule,
    /// Its steps.
    pub steps: u32,
}

impl Found {
    /// Whether it stands for runs without end.
    pub(super) fn is_endless(&self) -> bool {
        self.outcome.end == End::Endless
    }

    /// Adds runs to the same outcome, found elsewhere.
    pub(super) fn add(&mut self, other: &Found) {
        self.count = self.count.zip(other.count).map(|(a, b)| a.saturating_add(b));
        if other.order() < self.order() {
            (self.steps, self.schedule) = (other.steps, other.schedule.clone());
        }
    }

    /// What comes first is shown. Two ways differ first in who goes on in one
    /// state, so their choices are in the order of their steps.
    fn order(&self) -> (u32, impl Ord) {
        let choices: Vec<(bool, u32)> = self
            .schedule
            .0
            .iter()
            .map(|choice| match *choice {
                Choice::Process(n) => (false, n),
                Choice::Way(n) => (true, n),
            })
            .collect();
        (self.steps, choices)
    }
}

/// All that was found.
#[derive(Debug, Clone, Default)]
pub struct Exploration {
    /// Different outcomes, in order.
    pub outcomes: Vec<Found>,
    /// The bounds that were hit: without any, there are no other outcomes.
    pub hit: Vec<Bound>,
    /// States looked at; with several shards each counts its own.
    pub states: u64,
    /// The states, the first one first. Empty when runs were sampled.
    pub graph: Graph,
    /// Steps made.
    pub steps: u64,
    /// From the numbers that `watch` was told to those in the graph.
    pub(super) numbers: Vec<u32>,
}

impl Exploration {
    /// Whether there are no other outcomes.
    pub fn complete(&self) -> bool {
        self.hit.is_empty()
    }

    /// The choices that lead to a state, which has the number that `watch` was
    /// told.
    pub fn schedule_to(&self, met: usize) -> Schedule {
        self.numbers
            .get(met)
            .map_or_else(Schedule::default, |n| self.graph.schedule_to(*n as usize))
    }
}

/// Where a search began: how many runs lead there, and one of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Start {
    pub runs: Option<u64>,
    pub steps: u32,
    pub schedule: Schedule,
}

/// Outcomes in order, their runs counted.
pub(super) fn outcomes(parts: &[Part], states: u32, starts: &[Start]) -> (Vec<Found>, Built) {
    let all: BTreeSet<&Outcome> = parts.iter().flat_map(|p| &p.outcomes).collect();
    let all: Vec<&Outcome> = all.into_iter().collect();
    let index = |o: &Outcome| all.binary_search(&o).expect("it is listed") as u32;
    let indices: Vec<Vec<u32>> =
        parts.iter().map(|p| p.outcomes.iter().map(index).collect()).collect();
    // Where a search begins has the first numbers.
    let begins: Vec<u32> = (0..starts.len() as u32).collect();
    let built = Graph::build(parts, states, &begins, |p, o| indices[p][o as usize]);
    let graph = &built.graph;
    let runs: Vec<Option<u64>> = starts.iter().map(|s| s.runs).collect();
    let paths = graph.paths(&runs);
    let one = |outcome: Outcome, count, node| {
        let (start, steps, way) = graph.way_to(node);
        let start = &starts[start];
        let choices = start.schedule.0.iter().chain(&way.0).copied().collect();
        Found { outcome, count, schedule: Schedule(choices), steps: start.steps + steps }
    };
    let mut found: Vec<Option<Found>> = vec![None; all.len()];
    for (node, paths) in paths.iter().enumerate() {
        let Some(index) = graph.outcome(node) else { continue };
        match &mut found[index] {
            // A later state is not nearer.
            Some(old) => old.count = old.count.zip(*paths).map(|(a, b)| a.saturating_add(b)),
            none => *none = Some(one(all[index].clone(), *paths, node)),
        }
    }
    let mut found: Vec<Found> = found.into_iter().flatten().collect();
    if let Some(node) = graph.endless(&paths) {
        let outcome = Outcome {
            output: String::new(),
            status: None,
            end: End::Endless,
            left: Vec::new(),
            crashes: Vec::new(),
        };
        found.push(one(outcome, None, node));
    }
    (found, built)
}
