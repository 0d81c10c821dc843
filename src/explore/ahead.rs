//! States that loads and stores have led to, without making these: a state in
//! which the system is a real one, and what has been done since.
//!
//! ```text
//! base        a system and its programs, shared by all that lie ahead of it
//! steps       who made which step since
//! words       what is in memory by then, where it is something else
//! tapes       which digests the tapes have by then, where they are others
//! ```
//!
//! Most states of programs that race for memory are reached by loads and
//! stores, and from most of them only loads and stores lead to new states. For
//! these no system has to be copied and no instruction to be executed. When
//! something else happens, the steps are made ([`Stepper::make`]).
//!
//! Linux: none. Left out: all steps but those that `predict` can tell.
//!
//! [`Stepper::make`]: super::step::Stepper::make

use smallvec::SmallVec;

use crate::base::cow::Arc;
use crate::kernel::mm::MmId;
use crate::kernel::task::TaskId;
use crate::session::program::{Body, Programs};

/// A state.
#[derive(Debug, Clone)]
pub(super) struct Ahead {
    /// The system from which it is told.
    pub base: Arc<Programs>,
    /// Who made the steps since, in order.
    pub steps: SmallVec<[TaskId; 8]>,
    words: SmallVec<[(MmId, u64, u64); 2]>,
    tapes: SmallVec<[(TaskId, u64); 4]>,
}

/// What one step changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    /// Who makes it.
    pub task: TaskId,
    /// The digest of its tape then.
    pub tape: u64,
    /// The word that is stored, and where.
    pub word: Option<(MmId, u64, u64)>,
}

impl Ahead {
    /// A state that is a real one.
    pub(super) fn real(programs: Programs) -> Ahead {
        Ahead {
            base: Arc::new(programs),
            steps: SmallVec::new(),
            words: SmallVec::new(),
            tapes: SmallVec::new(),
        }
    }

    /// The system of a state that is a real one.
    pub(super) fn into_base(self) -> Programs {
        debug_assert!(self.is_real(), "steps would be lost");
        Arc::try_unwrap(self.base).unwrap_or_else(|shared| Programs::clone(&shared))
    }

    /// Whether it is a real one.
    pub(super) fn is_real(&self) -> bool {
        self.steps.is_empty()
    }

    /// The digest of what a body has been told by now.
    pub(super) fn tape(&self, task: TaskId, body: &Body) -> u64 {
        let found = self.tapes.iter().find(|(of, _)| *of == task);
        found.map_or_else(|| body.top().tape.digest(), |(_, digest)| *digest)
    }

    /// Whether a body has been told something since.
    pub(super) fn has_moved(&self, task: TaskId) -> bool {
        self.tapes.iter().any(|(of, _)| *of == task)
    }

    /// A word that is not the one in the base's memory.
    pub(super) fn word(&self, mm: MmId, addr: u64) -> Option<u64> {
        let found = self.words.iter().find(|(of, at, _)| (*of, *at) == (mm, addr));
        found.map(|(_, _, word)| *word)
    }

    /// The state one step further.
    pub(super) fn after(&self, change: &Change) -> Ahead {
        let mut next = self.clone();
        next.steps.push(change.task);
        match next.tapes.iter_mut().find(|(of, _)| *of == change.task) {
            Some((_, tape)) => *tape = change.tape,
            None => next.tapes.push((change.task, change.tape)),
        }
        if let Some((mm, addr, word)) = change.word {
            match next.words.iter_mut().find(|(of, at, _)| (*of, *at) == (mm, addr)) {
                Some((_, _, old)) => *old = word,
                None => next.words.push((mm, addr, word)),
            }
        }
        next
    }
}
