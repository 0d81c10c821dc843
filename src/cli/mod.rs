//! The command line: arguments, files, the terminal, Ctrl-C. Everything that
//! the layers below refuse to touch is here.
//!
//! ```text
//! args ─► run ─┐
//!         test ┼─► execute ─► script ─► session ─► kernel
//!    exercises ┘      │
//!         repl ───────┘      files, folder, console, interrupt: the host
//! ```
//!
//! Standard output belongs to the script alone; diagnostics, traces and notes
//! go to standard error. A closed pipe is no error.
//!
//! Left out: a pager, a configuration file, and every environment variable but
//! `NO_COLOR`, `XDG_STATE_HOME` and `HOME`.

pub mod args;
pub mod compare;
pub mod console;
pub mod corpus;
pub mod directives;
pub mod exec;
pub mod execute;
pub mod explore;
pub mod files;
pub mod folder;
pub mod fuzz;
pub mod golden;
pub mod host;
pub mod interrupt;
pub mod machine;
pub mod progress;
pub mod run;
pub mod test;
pub mod test_runner;
pub mod trace;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Args, Command};
use console::Console;

/// Everything went well.
pub const OK: u8 = 0;
/// The script, a test or an exercise failed.
pub const FAILED: u8 = 1;
/// The command was used wrongly, or its input cannot be read.
pub const USAGE: u8 = 2;
/// Stopped by Ctrl-C: 128 and the number of SIGINT, as shells say it.
pub const INTERRUPTED: u8 = 130;

/// The program: reads the arguments, does what they say.
pub fn main() -> ExitCode {
    ExitCode::from(run_with(std::env::args_os()))
}

/// The program with these arguments, the first of which is its name.
pub fn run_with(args: impl IntoIterator<Item = OsString>) -> u8 {
    let mut command = Args::command();
    if !io::stdout().is_terminal() {
        command = command.term_width(console::WIDTH);
    }
    let parsed = command.try_get_matches_from_mut(args).and_then(|m| Args::from_arg_matches(&m));
    let args = match parsed {
        Ok(args) => args,
        Err(e) => {
            // Help that nobody reads to its end is no error.
            let _ = e.print();
            return if e.use_stderr() { USAGE } else { OK };
        }
    };
    let console = Console::new();
    match args.command {
        None => crate::repl::run(&args::Repl::default(), &console),
        Some(Command::Repl(repl)) => crate::repl::run(&repl, &console),
        Some(Command::Exec(args)) => exec::run(&args, &console),
        Some(Command::Run(run)) => run::run(&run, &console),
        Some(Command::Explore(args)) => explore::explore(&args, &console),
        Some(Command::Compare(args)) => compare::run(&args, &console),
        Some(Command::Fuzz(args)) => fuzz::run(&args, &console),
        Some(Command::Test(test)) => test::test(&test, &console),
        Some(Command::Exercises(exercises)) => crate::exercises::run(&exercises, &console),
        Some(Command::Completions { shell }) => completions(shell),
    }
}

/// Prints the completion script of a shell.
fn completions(shell: clap_complete::Shell) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "forkyard", &mut script);
    match io::stdout().lock().write_all(&script).and_then(|()| io::stdout().flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => FAILED,
        _ => OK,
    }
}
