//! Who goes on next: running programs under a schedule that can be printed
//! and replayed.
//!
//! A choice is made before each thing that a process asks of the kernel. All
//! else follows by itself, so the choices made are the whole story of a run.
//!
//! Linux: the scheduler, seen from outside. Left out: finding all schedules;
//! the classes of the kernel's own scheduler.

pub mod run;
pub mod schedule;

pub use run::{Ending, Ran, run};
pub use schedule::{Choice, Policy, Schedule, ScheduleError};
