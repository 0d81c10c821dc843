//! Claims about the states of an exploration: that something always, never or
//! somewhere holds; and what came of them, as text and as JSON.
//!
//! Left out: the conditions, which are the language's; claims about runs (that
//! something happens after another).

use std::fmt::{self, Write};
use std::sync::Arc;

use serde_json::{Value, json};

use super::search::Exploration;

/// What is claimed of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is true in every state.
    Always,
    /// It is true in no state.
    Never,
    /// There is a state in which it is true.
    Exists,
}

/// All of them, with their names.
pub const KINDS: [(Kind, &str); 3] =
    [(Kind::Always, "always"), (Kind::Never, "never"), (Kind::Exists, "exists")];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Always => "always",
            Kind::Never => "never",
            Kind::Exists => "exists",
        })
    }
}

/// A claim and the first state that decides it: a counterexample, or an example
/// of what exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What is claimed.
    pub kind: Kind,
    /// The condition's name; "" if it has none.
    pub name: Arc<str>,
    /// The state, by its number in the search.
    pub witness: Option<usize>,
}

impl Verdict {
    /// Whether the claim holds in the states that were looked at.
    pub fn holds(&self) -> bool {
        (self.kind == Kind::Exists) == self.witness.is_some()
    }

    /// A schedule to the state that decides it.
    pub fn schedule(&self, found: &Exploration) -> Option<String> {
        self.witness.map(|node| found.schedule_to(node).to_string())
    }

    /// In a line.
    pub fn text(&self, found: &Exploration) -> String {
        let verdict = if self.holds() { "holds" } else { "does not hold" };
        let mut line = match &*self.name {
            "" => format!("claim {}: {verdict}", self.kind),
            name => format!("claim {}({name}): {verdict}", self.kind),
        };
        match self.schedule(found) {
            Some(schedule) => line += &format!(", schedule {schedule}"),
            None if !found.complete() => line += " in the states looked at",
            None => {}
        }
        line
    }

    fn json(&self, found: &Exploration) -> Value {
        json!({
            "claim": self.kind.to_string(),
            "condition": *self.name,
            "holds": self.holds(),
            "schedule": self.schedule(found),
        })
    }
}

/// The lines of all, with a prefix each.
pub fn lines(found: &Exploration, verdicts: &[Verdict], prefix: &str) -> String {
    let mut text = String::new();
    for verdict in verdicts {
        let _ = writeln!(text, "{prefix}{}", verdict.text(found));
    }
    text
}

/// All of them for programs.
pub fn json(found: &Exploration, verdicts: &[Verdict]) -> Value {
    verdicts.iter().map(|verdict| verdict.json(found)).collect()
}
