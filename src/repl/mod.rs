//! The prompt.

use crate::cli::USAGE;
use crate::cli::args::Repl;
use crate::cli::console::Console;

/// Runs an interactive session and gives the exit code.
pub fn run(_args: &Repl, console: &Console) -> u8 {
    console.note("forkyard: the prompt is not part of this build");
    USAGE
}
