//! Forkyard: a Linux process kernel you can take apart from a script.
//!
//! An emulated x86_64 machine and the process core of Linux live inside one
//! ordinary program. Layers, top down; a layer imports only from those below
//! it (`tests/tidy.rs` enforces this):
//!
//! ```text
//! cli, repl, exercises   the only code that touches terminal, files, clock
//! oracle                 the real kernel as judge of the emulated one
//! script, report         Rhai bindings and diagnostics; pictures and tables
//! session                a System and its history: snapshot, undo, seed
//! kernel                 Linux's process core; knows no script
//! machine                memory, paging, TLB, CPUs; knows no process
//! trace                  one enum of events, one log
//! abi, base              Linux's numbers and layouts; addresses, arenas, rng
//! ```
//!
//! What is deliberately absent: below `script` there is no I/O, no wall clock,
//! no hash order, no thread and no interior mutability. The whole system is
//! plain data (`Clone + Eq + Send`).
#![deny(unsafe_code)]

pub mod abi;
pub mod base;
pub mod cli;
pub mod exercises;
pub mod explore;
pub mod kernel;
pub mod machine;
pub mod oracle;
pub mod repl;
pub mod report;
pub mod script;
pub mod session;
pub mod trace;
