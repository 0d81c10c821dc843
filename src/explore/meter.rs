//! How far an exploration is, for whoever watches it from another thread.
//!
//! Left out: showing it; `cli` has a terminal.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that only grow, but for `open`.
#[derive(Debug, Default)]
pub struct Meter {
    states: AtomicU64,
    open: AtomicU64,
    outcomes: AtomicU64,
}

/// What a [`Meter`] says at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// States found, or runs made.
    pub states: u64,
    /// States that are known and were not looked at yet.
    pub open: u64,
    /// Different outcomes; several threads count one that each has met.
    pub outcomes: u64,
}

impl Meter {
    /// Counts a state that was found and is to be looked at.
    pub(super) fn found(&self) {
        self.states.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a state that was looked at.
    pub(super) fn looked(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a run.
    pub(super) fn ran(&self) {
        self.states.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an outcome.
    pub(super) fn ended(&self) {
        self.outcomes.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters now.
    pub fn read(&self) -> Reading {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Reading { states: of(&self.states), open: of(&self.open), outcomes: of(&self.outcomes) }
    }
}
