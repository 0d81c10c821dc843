//! The machine behind a script: made from the settings of the command line and
//! handed to the bindings. The one place where this program's commands meet
//! the session.
//!
//! Left out: the bindings themselves.

use rhai::{Engine, Scope};

use super::machine::Machine;
use crate::script::control::Control;
use crate::trace::Filter;

/// The machine that a script's `machine` and `init` belong to.
#[derive(Debug, Clone, Default)]
pub struct World {}

/// A world at some moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {}

impl World {
    /// Boots a machine and gives it to scripts.
    pub fn install(
        engine: &mut Engine,
        control: &Control,
        scope: &mut Scope<'static>,
        machine: &Machine,
        trace: &Filter,
    ) -> World {
        let _ = (engine, control, scope, machine, trace);
        World {}
    }

    /// The world now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {}
    }

    /// Goes back to a moment.
    pub fn restore(&self, to: &Snapshot) {
        let _ = to;
    }

    /// Chooses what is traced from now on.
    pub fn set_trace(&self, filter: Filter) {
        let _ = filter;
    }

    /// What was traced since the last time, as text: one line an event.
    pub fn take_trace(&self) -> String {
        String::new()
    }
}
