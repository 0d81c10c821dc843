//! The states that were found, and how one gets from one to another.
//!
//! ```text
//! states   0 | 1 | 2 | …           numbered level by level from the start,
//! edges    →1 →2 | →3 | →3 →4 | …   along edges in the order of processes
//! ```
//!
//! So a number says nothing about who found the state, and when. The way by
//! which a state gets its number is the smallest of its shortest ones: it is
//! the schedule that is shown for it.
//!
//! A state takes 12 bytes here and an edge 16; the states themselves are gone.
//!
//! Left out: states in words; a state has a number here, and its edges say who
//! goes on.

use std::fmt::Write;

use super::outcome::{End, Outcome};
use super::schedule::{Choice, Schedule};
use super::search::Exploration;

/// A step from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The state it leads to.
    pub to: u32,
    /// Who goes on.
    process: u32,
    /// The way it takes, if it was asked; else [`NONE`].
    way: u32,
    /// How many choices of it the step is made of.
    times: u16,
}

/// No number.
const NONE: u32 = u32::MAX;

impl Edge {
    /// A step of one process to a state that gets its number later.
    pub(super) fn new(process: u32, way: Option<u32>, times: u16) -> Edge {
        Edge { to: NONE, process, way: way.unwrap_or(NONE), times }
    }

    /// The choices made.
    pub fn choices(&self) -> impl Iterator<Item = Choice> + use<> {
        let way = (self.way != NONE).then_some(Choice::Way(self.way));
        std::iter::repeat_n(Choice::Process(self.process), self.times.into()).chain(way)
    }
}

/// What one worker of a search has found, with its own numbers.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Edges of the states it looked at, state by state.
    edges: Vec<Edge>,
    /// Those states, and where their edges begin.
    looked: Vec<(u32, u32)>,
    /// States in which nobody can go on, and the outcome.
    pub ends: Vec<(u32, u32)>,
    /// Different outcomes.
    pub outcomes: Vec<Outcome>,
    /// States that were too deep to be followed, who made the last step to
    /// them, and preemptions on the way.
    pub cut: Vec<(u32, u32, u32)>,
    /// Steps made, each load and store counted.
    pub steps: u64,
}

impl Part {
    /// A state is looked at: its edges follow.
    pub(super) fn look(&mut self, node: u32) {
        self.looked.push((node, self.edges.len() as u32));
    }

    /// Number of states looked at.
    pub(super) fn looked(&self) -> usize {
        self.looked.len()
    }

    /// An edge of the state that is looked at.
    pub(super) fn edge(&mut self, edge: Edge, to: u32) {
        self.edges.push(Edge { to, ..edge });
    }
}

/// The states and their edges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    edges: Vec<Edge>,
    /// Where the edges of each state begin, and where those of the last end.
    begins: Vec<u32>,
    /// The state before it on the way to it.
    before: Vec<u32>,
    /// What came of it, by index.
    outcomes: Vec<u32>,
}

/// A graph, and what was found in it under the numbers that workers gave.
pub(super) struct Built {
    pub graph: Graph,
    /// From the workers' numbers to those of the graph.
    pub numbers: Vec<u32>,
}

impl Graph {
    /// Puts together what workers have found about `states` states; `starts`
    /// are those where they began, in order. `outcome` is told of each worker
    /// and its outcomes' indices, and gives those that count.
    pub(super) fn build(
        parts: &[Part],
        states: u32,
        starts: &[u32],
        outcome: impl Fn(usize, u32) -> u32,
    ) -> Built {
        let n = states as usize;
        let mut place = vec![(NONE, 0u32); n];
        for (p, part) in parts.iter().enumerate() {
            for (i, (node, _)) in part.looked.iter().enumerate() {
                place[*node as usize] = (p as u32, i as u32);
            }
        }
        let edges_of = |node: u32| -> &[Edge] {
            let (p, i) = place[node as usize];
            let Some(part) = parts.get(p as usize) else { return &[] };
            let i = i as usize;
            let end = part.looked.get(i + 1).map_or(part.edges.len(), |next| next.1 as usize);
            &part.edges[part.looked[i].1 as usize..end]
        };
        let mut graph = Graph {
            edges: Vec::with_capacity(parts.iter().map(|p| p.edges.len()).sum()),
            begins: Vec::with_capacity(n + 1),
            before: Vec::with_capacity(n),
            outcomes: vec![NONE; n],
        };
        let mut numbers = vec![NONE; n];
        let mut order: Vec<u32> = Vec::with_capacity(n);
        for start in starts {
            numbers[*start as usize] = order.len() as u32;
            order.push(*start);
            graph.before.push(NONE);
        }
        let mut at = 0;
        while let Some(node) = order.get(at).copied() {
            graph.begins.push(graph.edges.len() as u32);
            for edge in edges_of(node) {
                let to = &mut numbers[edge.to as usize];
                if *to == NONE {
                    *to = order.len() as u32;
                    order.push(edge.to);
                    graph.before.push(at as u32);
                }
                graph.edges.push(Edge { to: *to, ..*edge });
            }
            at += 1;
        }
        graph.begins.push(graph.edges.len() as u32);
        for (p, part) in parts.iter().enumerate() {
            for (node, end) in &part.ends {
                graph.outcomes[numbers[*node as usize] as usize] = outcome(p, *end);
            }
        }
        graph.outcomes.truncate(order.len());
        Built { graph, numbers }
    }

    /// Number of states.
    pub fn len(&self) -> usize {
        self.before.len()
    }

    /// Whether there is no state.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    /// Where one gets from a state.
    pub fn edges(&self, node: usize) -> &[Edge] {
        match (self.begins.get(node), self.begins.get(node + 1)) {
            (Some(from), Some(to)) => &self.edges[*from as usize..*to as usize],
            _ => &[],
        }
    }

    /// What came of a state in which nobody can go on, by index.
    pub fn outcome(&self, node: usize) -> Option<usize> {
        self.outcomes.get(node).filter(|i| **i != NONE).map(|i| *i as usize)
    }

    /// The way to a state from the start that leads to it: that start, the
    /// steps, and their choices.
    pub(super) fn way_to(&self, node: usize) -> (usize, u32, Schedule) {
        let mut steps: Vec<&Edge> = Vec::new();
        let mut at = node;
        while let Some(before) = self.before.get(at).filter(|b| **b != NONE) {
            let from = *before as usize;
            steps.extend(self.edges(from).iter().find(|e| e.to as usize == at));
            at = from;
        }
        let choices = steps.iter().rev().flat_map(|e| e.choices()).collect();
        (at, steps.len() as u32, Schedule(choices))
    }

    /// The smallest of the shortest schedules that lead to a state.
    pub fn schedule_to(&self, node: usize) -> Schedule {
        self.way_to(node).2
    }

    /// How many steps from the start each state is.
    pub(super) fn levels(&self) -> Vec<u32> {
        let mut levels: Vec<u32> = Vec::with_capacity(self.len());
        for before in &self.before {
            levels.push(levels.get(*before as usize).map_or(0, |level| level + 1));
        }
        levels
    }

    /// How many ways lead to each state when so many lead to the first ones;
    /// `None` when there is no end of them. In topological order, so a state
    /// that can be reached from itself never has its turn.
    pub(super) fn paths(&self, starts: &[Option<u64>]) -> Vec<Option<u64>> {
        let mut missing = vec![0u32; self.len()];
        self.edges.iter().for_each(|e| missing[e.to as usize] += 1);
        let mut ways = vec![Some(0u64); self.len()];
        ways.iter_mut().zip(starts).for_each(|(ways, start)| *ways = *start);
        let mut done = vec![false; self.len()];
        let mut turn: Vec<usize> = (0..self.len()).filter(|i| missing[*i] == 0).collect();
        while let Some(node) = turn.pop() {
            done[node] = true;
            for edge in self.edges(node) {
                let to = edge.to as usize;
                ways[to] = ways[to].zip(ways[node]).map(|(a, b)| a.saturating_add(b));
                missing[to] -= 1;
                if missing[to] == 0 {
                    turn.push(to);
                }
            }
        }
        done.iter().zip(ways).map(|(done, n)| n.filter(|_| *done)).collect()
    }

    /// The first state from which one can go on without end, if `paths` says
    /// that there is one: it comes back to itself, or to one that does.
    pub(super) fn endless(&self, paths: &[Option<u64>]) -> Option<usize> {
        let inside = |node: usize| paths[node].is_none();
        if !(0..self.len()).any(inside) {
            return None;
        }
        // Those that only lie behind a circle are taken away, last ones first.
        let mut before: Vec<Vec<u32>> = vec![Vec::new(); self.len()];
        let mut left = vec![0u32; self.len()];
        for node in (0..self.len()).filter(|n| inside(*n)) {
            for edge in self.edges(node).iter().filter(|e| inside(e.to as usize)) {
                before[edge.to as usize].push(node as u32);
                left[node] += 1;
            }
        }
        let mut turn: Vec<u32> =
            (0..self.len()).filter(|n| inside(*n) && left[*n] == 0).map(|n| n as u32).collect();
        while let Some(node) = turn.pop() {
            for from in std::mem::take(&mut before[node as usize]) {
                left[from as usize] -= 1;
                if left[from as usize] == 0 {
                    turn.push(from);
                }
            }
        }
        (0..self.len()).find(|n| inside(*n) && left[*n] > 0)
    }
}

/// The graph in Graphviz's language.
pub fn dot(found: &Exploration) -> String {
    let mut text = String::from("digraph states {\n  node [shape=circle, fontsize=10];\n");
    let mut line = |line: String| {
        let _ = writeln!(text, "  {line}");
    };
    for n in 0..found.graph.len() {
        if let Some(end) = found.graph.outcome(n).map(|i| &found.outcomes[i].outcome) {
            let shape = if end.end == End::Finished { "box" } else { "octagon" };
            let label = format!("{}: {}", end.end, end.output.trim_end());
            line(format!("s{n} [shape={shape}, label={label:?}];"));
        } else {
            line(format!("s{n} [label=\"{n}\"];"));
        }
        for edge in found.graph.edges(n) {
            let choices = Schedule(edge.choices().collect());
            line(format!("s{n} -> s{} [label=\"{choices}\"];", edge.to));
        }
    }
    text + "}\n"
}
