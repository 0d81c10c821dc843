//! What a shard has found as lines of JSON, and several of them as one result.
//!
//! ```text
//! {"shard":"2/8","output":…,"count":…,"schedule":…,…}      each outcome
//! {"shard":"2/8","program":…,"states":…,"outcomes":1,…}    the last line
//! ```
//!
//! Lines say what they belong to, so files can be put together in any order. A
//! shard without its last line has not come to its end and counts as missing;
//! one that is there twice was made anew, and the later counts.
//!
//! Left out: the graph of states.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::found::{Bound, Exploration, Found};
use super::outcome::{End, Outcome};
use super::shard::{Shard, joined};

/// An outcome.
#[derive(Debug, Serialize, Deserialize)]
struct One {
    shard: String,
    output: String,
    exit: Option<i64>,
    count: Option<u64>,
    schedule: String,
    ending: String,
    left: Vec<String>,
    crashes: Vec<String>,
    status: Option<i32>,
    steps: u32,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
struct Last {
    shard: String,
    program: String,
    complete: bool,
    states: u64,
    steps: u64,
    bounds_hit: Vec<String>,
    outcomes: usize,
}

/// Either; what they do not share tells them apart.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    One(One),
    Last(Last),
}

/// Why lines are no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Not written by a shard.
    #[error("{file}, line {line}: this is no line of a shard: {why}")]
    Line {
        /// Where.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Lines got lost.
    #[error("{file}: shard {shard} should have {wanted} outcomes, and {there} are there")]
    Lost {
        /// Where.
        file: String,
        /// Of which shard.
        shard: String,
        /// As its last line says.
        wanted: usize,
        /// Lines.
        there: usize,
    },
    /// Parts of different things.
    #[error(
        "{file}: shard {shard} is of another exploration than shard {other}: the program, the \
         options or the number of shards differ"
    )]
    Others {
        /// Where.
        file: String,
        /// One.
        shard: String,
        /// Another.
        other: String,
    },
    /// No shard has come to its end.
    #[error("there is no shard that has come to its end")]
    Nothing,
}

/// A shard's result as lines. `program` stands for the program and the options
/// that decide the result.
pub fn lines(found: &Exploration, shard: Shard, program: &str) -> String {
    let mut text = String::new();
    let mut line = |json: serde_json::Result<String>| {
        text += &json.expect("strings and numbers can be written");
        text.push('\n');
    };
    for one in &found.outcomes {
        let outcome = one.outcome.clone();
        line(serde_json::to_string(&One {
            shard: shard.to_string(),
            exit: outcome.exit(),
            count: one.count,
            schedule: one.schedule.to_string(),
            ending: outcome.end.to_string(),
            output: outcome.output,
            left: outcome.left,
            crashes: outcome.crashes,
            status: outcome.status,
            steps: one.steps,
        }));
    }
    let hit: Vec<Bound> = found.hit.iter().copied().filter(|b| *b != Bound::Shards).collect();
    line(serde_json::to_string(&Last {
        shard: shard.to_string(),
        program: program.to_string(),
        complete: hit.is_empty(),
        states: found.states,
        steps: found.steps,
        bounds_hit: hit.iter().map(|b| b.name().to_string()).collect(),
        outcomes: found.outcomes.len(),
    }));
    text
}

impl One {
    fn found(self) -> Result<Found, String> {
        let end = [End::Finished, End::Stuck, End::Endless, End::Cut];
        let end = end.into_iter().find(|end| end.to_string() == self.ending);
        Ok(Found {
            outcome: Outcome {
                output: self.output,
                status: self.status,
                end: end.ok_or_else(|| format!("nothing ends {:?}", self.ending))?,
                left: self.left,
                crashes: self.crashes,
            },
            count: self.count,
            schedule: self.schedule.parse().map_err(|e| format!("{e}"))?,
            steps: self.steps,
        })
    }
}

/// A shard that has come to its end.
struct Whole {
    program: String,
    found: Exploration,
}

/// The results of shards, given by the names and texts of files, as one. A
/// shard that is missing is a bound that was hit.
///
/// # Errors
/// The lines are not those of shards of one exploration.
pub fn merge(files: &[(String, String)]) -> Result<Exploration, MergeError> {
    let mut shards: BTreeMap<Shard, Whole> = BTreeMap::new();
    for (file, text) in files {
        let mut begun: BTreeMap<Shard, Vec<Found>> = BTreeMap::new();
        for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |why: String| MergeError::Line { file: file.clone(), line: i + 1, why };
            let parsed = serde_json::from_str(line);
            match parsed.map_err(|_| wrong("it has not the fields of one".into()))? {
                Line::One(one) => {
                    let shard = one.shard.parse().map_err(|e| wrong(format!("{e}")))?;
                    begun.entry(shard).or_default().push(one.found().map_err(wrong)?);
                }
                Line::Last(last) => {
                    let shard: Shard = last.shard.parse().map_err(|e| wrong(format!("{e}")))?;
                    let outcomes = begun.remove(&shard).unwrap_or_default();
                    let whole = last.whole(outcomes, file).map_err(|e| {
                        e.unwrap_or_else(|| wrong("it names a bound that there is not".into()))
                    })?;
                    shards.insert(shard, whole);
                    same(&shards, file)?;
                }
            }
        }
    }
    let Some(of) = shards.keys().next().map(|shard| shard.of()) else {
        return Err(MergeError::Nothing);
    };
    let missing = shards.len() < of as usize;
    let mut found = joined(shards.into_values().map(|whole| whole.found));
    if missing {
        found.hit.push(Bound::Shards);
    }
    Ok(found)
}

impl Last {
    /// With its outcomes; `None`: it names an unknown bound.
    fn whole(self, outcomes: Vec<Found>, file: &str) -> Result<Whole, Option<MergeError>> {
        if self.outcomes != outcomes.len() {
            return Err(Some(MergeError::Lost {
                file: file.into(),
                shard: self.shard,
                wanted: self.outcomes,
                there: outcomes.len(),
            }));
        }
        let hit: Option<Vec<Bound>> = self.bounds_hit.iter().map(|b| Bound::named(b)).collect();
        let (states, steps) = (self.states, self.steps);
        let hit = hit.ok_or(None)?;
        let found = Exploration { outcomes, hit, states, steps, ..Exploration::default() };
        Ok(Whole { program: self.program, found })
    }
}

/// Whether all belong together.
fn same(shards: &BTreeMap<Shard, Whole>, file: &str) -> Result<(), MergeError> {
    let mut all = shards.iter();
    let Some((first, whole)) = all.next() else { return Ok(()) };
    match all.find(|(shard, w)| w.program != whole.program || shard.of() != first.of()) {
        None => Ok(()),
        Some((other, _)) => Err(MergeError::Others {
            file: file.into(),
            shard: first.to_string(),
            other: other.to_string(),
        }),
    }
}
