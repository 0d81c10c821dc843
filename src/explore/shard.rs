//! A part of an exploration, so that several machines can share the work
//! without talking to each other.
//!
//! ```text
//! start ── level by level ── states at one distance: the frontier
//!                              |  |  |  |  |  |
//!                              1  1  2  2  3  3     shards, in blocks
//! ```
//!
//! Each shard finds the frontier by itself, always the same one, takes its
//! block of it, and explores all that lies behind. What ends before the
//! frontier belongs to the first shard.
//!
//! Every run passes the frontier by exactly one first state, so each run
//! belongs to one shard: the runs to that state times the runs from there. So
//! counts add up to those of one search. A state that lies behind the blocks of
//! two shards is looked at by both; therefore more shards are more work in
//! all, and states do not add up to those of one search. Neighbours on the
//! frontier have much in common, which is why a shard gets a block of them.
//!
//! Left out: giving work from one shard to another; they do not know of each
//! other.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::found::{Bound, Exploration, Found};
use super::ground::Spread;
use super::outcome::Outcome;
use super::search::{ExploreError, Means, Options, Subject, Watch};
use crate::session::program::Interpreter;

/// One of several parts, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard {
    /// Which.
    index: u32,
    /// Of so many.
    of: u32,
}

/// A text that names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a shard is written like 2/8: its number, from 1, and how many there are")]
pub struct NoShard;

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Shard, NoShard> {
        let (index, of) = text.split_once('/').ok_or(NoShard)?;
        let (index, of) = (index.parse().map_err(|_| NoShard)?, of.parse().map_err(|_| NoShard)?);
        Shard::new(index, of).ok_or(NoShard)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// States on the frontier for each shard, at least: some have more behind them
/// than others.
const EACH: usize = if cfg!(test) { 2 } else { 16 };

/// Most shards.
const MOST: u32 = 100_000;

impl Shard {
    /// Number `index` of `of` shards.
    pub fn new(index: u32, of: u32) -> Option<Shard> {
        (index >= 1 && index <= of && of <= MOST).then_some(Shard { index, of })
    }

    /// Of how many it is one.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Explores this part of all runs. Its result is complete only together
    /// with those of the others.
    ///
    /// # Errors
    /// As [`explore`](super::explore).
    pub fn explore(
        self,
        subject: &Subject,
        interpreter: &impl Interpreter,
        options: &Options,
        means: Means<'_>,
        watch: Watch<'_>,
    ) -> Result<Exploration, ExploreError> {
        let wanted = self.of as usize * EACH;
        let Spread { mut found, mut ground } =
            Spread::new(subject, interpreter, options, wanted, watch)?;
        if self.index > 1 {
            (found.outcomes, found.states, found.steps) = (Vec::new(), 0, 0);
        }
        let (index, of, all) = (self.index as usize, self.of as usize, ground.open.len());
        let block = (index - 1) * all / of..index * all / of;
        ground.open = ground.open.drain(block.clone()).collect();
        ground.starts = ground.starts.drain(block).collect();
        if !ground.open.is_empty() && !found.hit.contains(&Bound::Stopped) {
            let rest = ground.search(subject.first, interpreter, options, means, watch)?;
            found = joined([found, rest]);
        }
        if self.of > 1 {
            found.hit.push(Bound::Shards);
        }
        Ok(found)
    }
}

/// Several parts as one: outcomes in order, their runs added.
pub(super) fn joined(parts: impl IntoIterator<Item = Exploration>) -> Exploration {
    let mut all = Exploration::default();
    let mut outcomes: BTreeMap<(bool, Outcome), Found> = BTreeMap::new();
    for part in parts {
        all.hit.extend(part.hit);
        all.states += part.states;
        all.steps += part.steps;
        for found in part.outcomes {
            // What has no end comes last, as in one search.
            let key = (found.is_endless(), found.outcome.clone());
            match outcomes.get_mut(&key) {
                Some(old) => old.add(&found),
                None => {
                    outcomes.insert(key, found);
                }
            }
        }
    }
    all.hit.sort_unstable();
    all.hit.dedup();
    all.outcomes = outcomes.into_values().collect();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_read_as_they_print() {
        for text in ["1/1", "3/8", "8/8"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for wrong in ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1/999999"] {
            assert_eq!(wrong.parse::<Shard>(), Err(NoShard), "{wrong}");
        }
    }
}
