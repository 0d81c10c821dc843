//! Exercises.

use crate::cli::USAGE;
use crate::cli::args::Exercises;
use crate::cli::console::Console;

/// Does what the arguments say and gives the exit code.
pub fn run(_args: &Exercises, console: &Console) -> u8 {
    console.note("forkyard: exercises are not part of this build");
    USAGE
}
