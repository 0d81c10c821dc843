//! The script side: a Rhai engine with limits, diagnostics that point at the
//! line, assertions that show their operands, and the bindings to the kernel.
//!
//! Nothing here touches the host: no file, clock, environment or terminal.
//! Texts come in through [`modules::SourceLoader`], prints go out through
//! [`control::Output`].

pub mod assert;
pub mod bind;
pub mod caught;
pub mod check;
pub mod control;
pub mod diagnose;
pub mod diagnostic;
pub mod engine;
pub mod errno;
pub mod errors;
pub mod footprint;
pub mod incomplete;
pub mod json;
pub mod lex;
pub mod limits;
pub mod modules;
pub mod names;
pub mod repertoire;
pub mod repl_state;
pub mod run;
pub mod source;
pub mod span;
pub mod stack;
pub mod tape;
pub mod value;
mod vm;

#[cfg(test)]
mod tests;
