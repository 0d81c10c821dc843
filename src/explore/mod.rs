//! Who goes on next: running programs under a schedule that can be printed
//! and replayed.
//!
//! A choice is made before each thing that a process asks of the kernel. All
//! else follows by itself, so the choices made are the whole story of a run.
//!
//! `run` makes one run. `search` makes all of them, and `outcome` says in what
//! they differ; `state` knows a state again, `predict` and `ahead` spare loads and
//! stores, `recall` spares system calls, `reduce` leaves out orders that
//! nobody can tell apart, `crew` shares the work among threads and `shard`
//! among machines, and `sample` makes some runs by chance where all are too
//! many; `guided` looks for one outcome. `ground` is where a search begins,
//! `graph` keeps what was found, `found` says what came of it, `claim` what was
//! claimed of the states.
//!
//! `stuck` says why nobody goes on.
//!
//! Linux: the scheduler, seen from outside. Left out: time that differs from
//! processor to processor.

mod ahead;
pub mod claim;
pub mod crew;
pub mod found;
pub mod graph;
mod ground;
pub mod guided;
pub mod lines;
pub mod meter;
pub mod outcome;
mod predict;
mod recall;
pub mod reduce;
pub mod run;
pub mod sample;
pub mod schedule;
pub mod search;
pub mod shard;
pub mod show;
pub mod state;
mod step;
pub mod stuck;
#[cfg(test)]
mod tests;

pub use outcome::{End, Outcome};
pub use run::{Ending, Ran, run};
pub use schedule::{Choice, Policy, Schedule, ScheduleError};
pub use search::{Bounds, Exploration, ExploreError, Means, Options, Subject, explore};
