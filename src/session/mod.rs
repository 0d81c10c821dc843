//! A system and its history: boot it, let its tasks act, take it back.
//!
//! This is the library's front door for directors: whoever decides from the
//! outside which task does what next. Scripts come through here, and so do
//! the Rust examples.
//!
//! Linux: none. Left out: I/O; a session is plain data and a few verbs.

pub mod clock;
pub mod code;
pub mod debug;
pub mod director;
pub mod history;
pub mod program;
pub mod spawn;
pub mod stepping;
pub mod tree;
pub mod watch;

pub use director::{Done, Trouble};
pub use history::History;

use crate::kernel::boot::{self, BootConfig, BootError};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// A booted system with its past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The system as it is now.
    pub system: System,
    /// How it was before.
    pub history: History,
    config: BootConfig,
}

impl Session {
    /// Boots a system.
    ///
    /// Errors: the machine is too small.
    pub fn boot(config: BootConfig) -> Result<Session, BootError> {
        Ok(Session { system: boot::boot(&config)?, history: History::default(), config })
    }

    /// What it was booted with.
    pub fn config(&self) -> &BootConfig {
        &self.config
    }

    /// Task 1.
    pub fn init(&self) -> TaskId {
        self.system.kernel.init_process
    }

    /// Remembers the present state as one to which `undo` returns.
    pub fn checkpoint(&mut self) {
        self.history.push(&self.system);
    }

    /// Goes back to the last checkpoint. `false` when there is none.
    pub fn undo(&mut self) -> bool {
        self.history.undo(&mut self.system)
    }

    /// Takes the last undo back. `false` when there is none.
    pub fn redo(&mut self) -> bool {
        self.history.redo(&mut self.system)
    }
}
