//! An exploration as text and as JSON.
//!
//! Left out: colours.

use std::fmt::Write;

use serde_json::{Value, json};

use super::search::{Exploration, Found};

/// A number of things, in words.
fn count(n: impl TryInto<u64>, what: &str) -> String {
    match n.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

/// The first line: how much there is, and whether it is all.
pub fn summary(found: &Exploration) -> String {
    let mut line = count(found.outcomes.len(), "outcome");
    if found.states > 0 {
        line += &format!(", {}", count(found.states, "state"));
    }
    if !found.complete() {
        let bounds: Vec<&str> = found.hit.iter().map(|b| b.name()).collect();
        line += &format!("; not complete: {}", bounds.join(", "));
    }
    line
}

/// How one ended, in a line.
fn head(found: &Found) -> String {
    let outcome = &found.outcome;
    let mut line = outcome.end.to_string();
    if let Some(code) = outcome.exit() {
        line += &format!(", exit {code}");
    }
    if let Some(runs) = found.count {
        line += &format!(", {}", count(runs, "run"));
    }
    line += &format!(", schedule {}", found.schedule);
    line
}

/// Everything, for people.
pub fn text(found: &Exploration) -> String {
    let mut text = summary(found) + "\n";
    for (n, one) in found.outcomes.iter().enumerate() {
        let _ = writeln!(text, "\n{}. {}", n + 1, head(one));
        for line in one.outcome.output.lines() {
            let _ = writeln!(text, "   | {line}");
        }
        for line in &one.outcome.left {
            let _ = writeln!(text, "   left: {line}");
        }
        for line in &one.outcome.crashes {
            let _ = writeln!(text, "   crash: {line}");
        }
    }
    text
}

/// Everything, for programs.
pub fn json(found: &Exploration) -> Value {
    let outcome = |one: &Found| {
        json!({
            "output": one.outcome.output,
            "exit": one.outcome.exit(),
            "count": one.count,
            "schedule": one.schedule.to_string(),
            "ending": one.outcome.end.to_string(),
            "left": one.outcome.left,
            "crashes": one.outcome.crashes,
        })
    };
    json!({
        "complete": found.complete(),
        "states": found.states,
        "bounds_hit": found.hit.iter().map(|b| b.name()).collect::<Vec<_>>(),
        "outcomes": found.outcomes.iter().map(outcome).collect::<Vec<_>>(),
    })
}
