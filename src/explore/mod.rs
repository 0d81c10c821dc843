//! Who goes on next: running programs under a schedule that can be printed
//! and replayed.
//!
//! A choice is made before each thing that a process asks of the kernel. All
//! else follows by itself, so the choices made are the whole story of a run.
//!
//! `run` makes one run. `search` makes all of them, and `outcome` says in what
//! they differ; `state` knows a state again, `reduce` leaves out orders that
//! nobody can tell apart, and `sample` makes some runs by chance where all are
//! too many.
//!
//! `stuck` says why nobody goes on.
//!
//! Linux: the scheduler, seen from outside. Left out: several threads of the
//! host.

pub mod graph;
pub mod outcome;
pub mod reduce;
pub mod run;
pub mod sample;
pub mod schedule;
pub mod search;
pub mod show;
pub mod state;
pub mod stuck;
#[cfg(test)]
mod tests;

pub use outcome::{End, Outcome};
pub use run::{Ending, Ran, run};
pub use schedule::{Choice, Policy, Schedule, ScheduleError};
pub use search::{Bounds, Exploration, ExploreError, Options, explore};
