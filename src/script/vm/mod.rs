//! Functions that can stop in the middle and go on later: a quicker way to
//! find out what a program asks next than running its function from the start.
//!
//! ```text
//! fn main() {                    ops         place
//!     for i in 0..3 {            For, Next     main, op 4, i = 1      <- plain data,
//!         let pid = fork();      Eval          + answers to the        copied at will
//!         if pid == 0 { … }      Branch          questions of op 4
//! ```
//!
//! Statements become *ops*. What decides where a function goes on (blocks, `if`,
//! loops, calls of other functions of the script) is done here; everything else
//! is one op that the engine evaluates. A *place* lies before an op. To go on
//! from it, the op is evaluated with the answers that its questions have got;
//! when one has none yet, the variables are put back as they were before the
//! op, and that is the new place. So an op may be evaluated several times, as a
//! whole function is when its tape is read from the start, but an op is short.
//!
//! The tape stays the truth: whatever this module does not know (closures that
//! capture, an error that nobody caught) is left to the tape.
//!
//! Left out: going on inside `switch`, `try`, and blocks that are part of an
//! expression. These are one op each, however much they ask.

mod compile;
mod identity;
mod place;
mod run;

pub(super) use compile::bodies;
pub use place::Place;
pub use run::{End, Ran, Runner};
