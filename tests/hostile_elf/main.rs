//! Programs that mean no good: broken ELF files, and whole ones that want too
//! much or end where they should not. Each ends with the errno or the signal that
//! Linux gives, or at the limit; never with a panic, a hang or memory without bound.
//!
//! ```text
//! headers   a file cut at every byte, every byte changed, fields at their ends;
//!           judged by the host's kernel where there is one
//! programs  loops, bombs and jumps to nowhere, in a small system
//! command   the same through `forkyard exec`, under a limit of host memory
//! ```

#![expect(clippy::print_stderr, reason = "says why it skips")]

mod command;
mod headers;
mod host;
#[path = "../kit/mod.rs"]
mod kit;
mod programs;
