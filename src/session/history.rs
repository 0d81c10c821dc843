//! Undo and redo: a stack of whole systems.
//!
//! A system is plain data whose parts are shared until written, so keeping a
//! copy costs what changes afterwards.
//!
//! Linux: none. Left out: branching; a new action forgets what was undone.

use crate::kernel::system::System;

/// Most states kept; the oldest go first.
const DEPTH: usize = 1_000;

/// Past states, and future ones after an undo.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    past: Vec<System>,
    future: Vec<System>,
}

impl History {
    /// Remembers `now`; what had been undone is forgotten.
    pub fn push(&mut self, now: &System) {
        self.future.clear();
        if self.past.len() == DEPTH {
            self.past.remove(0);
        }
        self.past.push(now.clone());
    }

    /// Number of states that undo can return to.
    pub fn len(&self) -> usize {
        self.past.len()
    }

    /// Whether there is nothing to undo.
    pub fn is_empty(&self) -> bool {
        self.past.is_empty()
    }

    /// Exchanges `now` for the last remembered state.
    pub fn undo(&mut self, now: &mut System) -> bool {
        let Some(before) = self.past.pop() else { return false };
        self.future.push(std::mem::replace(now, before));
        true
    }

    /// Takes the last undo back.
    pub fn redo(&mut self, now: &mut System) -> bool {
        let Some(after) = self.future.pop() else { return false };
        self.past.push(std::mem::replace(now, after));
        true
    }
}
