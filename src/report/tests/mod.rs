//! The views on a booted system, with the text a learner sees.
//!
//! Left out: what belongs to one view alone and needs no system; that is
//! tested beside the view.

mod machine;
mod memory;
mod sharing;
mod strace;
mod tasks;
