//! The graph of states as Graphviz draws it.
//!
//! Left out: states in words; a state has a number here, and its edges say who
//! goes on.

use std::fmt::Write;

use super::outcome::End;
use super::schedule::Schedule;
use super::search::Exploration;

/// The graph in Graphviz's language.
pub fn dot(found: &Exploration) -> String {
    let mut text = String::from("digraph states {\n  node [shape=circle, fontsize=10];\n");
    let mut line = |line: String| {
        let _ = writeln!(text, "  {line}");
    };
    for (n, node) in found.graph.iter().enumerate() {
        if let Some(end) = node.outcome.map(|i| &found.outcomes[i].outcome) {
            let shape = if end.end == End::Finished { "box" } else { "octagon" };
            let label = format!("{}: {}", end.end, end.output.trim_end());
            line(format!("s{n} [shape={shape}, label={label:?}];"));
        } else {
            line(format!("s{n} [label=\"{n}\"];"));
        }
        for edge in &node.edges {
            let choices = Schedule(edge.choices.clone());
            line(format!("s{n} -> s{} [label=\"{choices}\"];", edge.to));
        }
    }
    text + "}\n"
}
