//! The arguments, as clap derives them from these types. The doc comments here
//! are the help texts.
//!
//! Left out: what the commands do.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand, ValueEnum};

use super::machine::{self, Machine};
use crate::explore::Schedule;
use crate::explore::shard::Shard;
use crate::script::bind::program::MOST_JOBS;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  forkyard                               explore at a prompt
  forkyard run cow.rhai                  run a script
  forkyard run -e 'print(init.pid)'      run one line
  forkyard explore race.rhai             find all outcomes of a program
  forkyard exercises                     learn by doing

Exit codes: 0 fine; 1 the script failed; 2 wrong usage or unreadable input;
130 stopped by Ctrl-C; otherwise what the script gave to `exit(n)`.";

const RUN_EXAMPLES: &str = "\
Examples:
  forkyard run scripts/memory/cow.rhai
  forkyard run --cpus 2 --ram 256M --seed 7 race.rhai
  forkyard run --trace=copy_mm fork.rhai        what fork does to memory
  generate-script | forkyard run -
  forkyard run --error-format json broken.rhai  one JSON object a line
  forkyard run --on linux scripts/programs/fork_returns_twice.rhai
  forkyard run --policy random --seed 7 --print-schedule race.rhai
  forkyard run --schedule '1x3 2 1' race.rhai   the same choices again

A script can set its machine up itself: `//@ boot: cpus=2 ram=64M` in its first
lines, or `boot(#{cpus: 2})`. Options given here win over the first lines.
Modules are imported from the script's own folder.";

const EXEC_EXAMPLES: &str = "\
Examples:
  gcc -static -o cow cow.c && forkyard exec ./cow
  forkyard exec --strace --explain ./cow
  forkyard exec /bin/busybox sh -c 'echo $$; ps'
  forkyard exec --root ./rootfs --cpus 2 --seed 7 /bin/sh

Standard streams are this process's, as pipes. The exit code is the program's, or
128 and the number of the signal that killed it; 126 and 127: it cannot be
executed, it is not there; 124: --limit. Time is virtual: sleep(1) takes none.
Nothing is written to this computer's files.";

const EXPLORE_EXAMPLES: &str = "\
Examples:
  forkyard explore race.rhai                    all outcomes, with a schedule each
  forkyard explore --memory threads.rhai        loads and stores in any order too
  forkyard explore --format json exam.rhai      for an autograder
  forkyard explore --format dot race.rhai | dot -Tsvg > race.svg
  forkyard explore --samples 1000 large.rhai    some runs by chance
  forkyard explore --samples 1000 --pct 3 large.rhai
  forkyard explore --never deadlock x.rhai      a function of the script that is
                                                given the machine in each state
  forkyard explore --shard 1/8 large.rhai > 1.jsonl
  forkyard explore --merge *.jsonl

The file is a program: it defines `fn main()` and starts nothing itself. In a
script, `explore(function)` does the same.

Ctrl-C prints what was found until then; the exit code is 130.";

const REPL_EXAMPLES: &str = "\
Examples:
  forkyard repl
  forkyard repl --cpus 2
  echo 'init.fork().pid' | forkyard repl

At the prompt, `:help` lists the commands and `?fork` explains a function.";

const TEST_EXAMPLES: &str = "\
Examples:
  forkyard test                   all scripts under ./scripts
  forkyard test memory/           those whose path contains `memory/`
  forkyard test --bless cow       write what they print now as what is expected

A script x.rhai is a test: what it prints must be the text of x.out, and its
diagnostics the text of x.err; a missing file means: nothing. Files whose name
begins with `_`, and those in a folder named `lib`, are modules only. Directives
in the first lines of a script:
  //@ exit: 1               the exit code it must end with
  //@ seeds: 0..32          run it once for each seed, with the same result
  //@ covers: S09, S11      the rows of SCOPE.md that it shows
  //@ boot: cpus=2 ram=64M  the machine it starts on
  //@ limits: ops=10000     smaller limits, to test hitting them";

const COMPARE_EXAMPLES: &str = "\
Examples:
  forkyard compare scripts/programs/fork_returns_twice.rhai
  forkyard compare --runs 100 race.rhai

Exit codes: 0 what Linux did is among the model's outcomes; 1 it is not;
2 there is nothing to compare: the script is wrong or no program, or the
program or this machine does not permit it.";

const FUZZ_EXAMPLES: &str = "\
Examples:
  forkyard fuzz --count 1000 --seed 1
  forkyard compare fuzz/fuzz-17.rhai       what differs in a program that was saved

Exit codes: 0 no program differs; 1 some do; 2 wrong arguments, or this machine
does not permit it.";

const EXERCISES_EXAMPLES: &str = "\
Examples:
  forkyard exercises                   what there is, and how far you are
  forkyard exercises run fork_tree     put it into ./exercises and run it
  forkyard exercises check fork_tree   is it solved?
  forkyard exercises hint fork_tree    the next hint";

/// A Linux process kernel you can take apart from a script.
///
/// An emulated x86_64 machine and the process core of Linux inside one ordinary
/// program. Scripts fork, clone, write memory, change credentials, send
/// signals, exit and wait, and look at every task_struct, page-table entry and
/// reference count on the way.
#[derive(Debug, Parser)]
#[command(name = "forkyard", version, styles = STYLES, after_help = EXAMPLES)]
#[command(max_term_width = 100, disable_help_subcommand = true)]
pub struct Args {
    /// What to do; without it, an interactive session begins.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a script.
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// Run a program of machine code: a static ELF file.
    #[command(after_help = EXEC_EXAMPLES)]
    Exec(Exec),
    /// Find everything that can come of running a program.
    #[command(after_help = EXPLORE_EXAMPLES)]
    Explore(Explore),
    /// Explore at a prompt, with completion and undo.
    #[command(after_help = REPL_EXAMPLES)]
    Repl(Repl),
    /// Run a program on the model and on this machine's kernel, and compare.
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(Compare),
    /// Compare random programs on the model and on this machine's kernel.
    #[command(after_help = FUZZ_EXAMPLES)]
    Fuzz(Fuzz),
    /// Run scripts and compare what they print with what they should.
    #[command(after_help = TEST_EXAMPLES)]
    Test(Test),
    /// Exercises: something to make work, with hints.
    #[command(after_help = EXERCISES_EXAMPLES)]
    Exercises(Exercises),
    /// Print the completion script of a shell.
    #[command(after_help = "Example:\n  forkyard completions bash > \
                            ~/.local/share/bash-completion/completions/forkyard")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// `forkyard run`.
#[derive(Debug, Default, clap::Args)]
pub struct Run {
    /// The script; `-` reads it from standard input.
    #[arg(required_unless_present = "code", conflicts_with = "code")]
    pub file: Option<PathBuf>,
    /// Run this text instead of a file.
    #[arg(short = 'e', long = "eval", value_name = "CODE")]
    pub code: Option<String>,
    /// Whose kernel runs it: the emulated one, or this machine's, for scripts
    /// that are programs (`fn main`).
    #[arg(long, value_name = "KERNEL", default_value = "model")]
    pub on: On,
    /// Who goes on next in a program.
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<ProgramPolicy>,
    /// Who goes on next in a program, choice by choice, as --print-schedule
    /// and `explore` print it; after its end as with fifo.
    #[arg(long, value_name = "CHOICES", conflicts_with = "policy")]
    pub schedule: Option<Schedule>,
    /// Let each load and store of a program be a step of its own.
    #[arg(long)]
    pub memory: bool,
    /// Print the choices that were made, to standard error, as an option that
    /// makes them again.
    #[arg(long)]
    pub print_schedule: bool,
    /// How diagnostics are written.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub error_format: ErrorFormat,
    /// Print the kernel functions that were passed, to standard error; only
    /// those whose name contains one of the words of FILTER, and what happens
    /// inside them.
    #[arg(long, value_name = "FILTER", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "", value_delimiter = ',')]
    pub trace: Option<Vec<String>>,
    /// The machine to start on.
    #[command(flatten)]
    pub boot: Boot,
}

/// `forkyard exec`.
#[derive(Debug, clap::Args)]
pub struct Exec {
    /// A copy of this folder is the machine's tree; PROG is looked up in it.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// A variable of the program's environment. It has PATH and HOME, and nothing
    /// of this process's.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = parse_env)]
    pub env: Vec<String>,
    /// Print the system calls to standard error, as strace -f does.
    #[arg(long)]
    pub strace: bool,
    /// With --strace: say why the kernel refused a call.
    #[arg(long, requires = "strace")]
    pub explain: bool,
    /// Stop after so many instructions, with exit code 124.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// The machine to start on.
    #[command(flatten)]
    pub boot: Boot,
    /// The program, an ELF file that is linked statically.
    #[arg(value_name = "PROG")]
    pub program: PathBuf,
    /// Its arguments.
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<String>,
}

/// A setting of the environment.
fn parse_env(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_string()),
        _ => Err(format!("`{text}` is not of the form NAME=VALUE")),
    }
}

/// Who goes on next in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgramPolicy {
    /// Whoever runs, until it sleeps.
    Fifo,
    /// Each in turn.
    RoundRobin,
    /// By chance; --seed gives another one.
    Random,
    /// Whom the kernel's own scheduler would choose.
    Kernel,
}

/// Whose kernel runs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum On {
    /// The emulated one.
    #[default]
    Model,
    /// The real one of this machine, in namespaces of its own.
    Linux,
}

/// `forkyard explore`.
#[derive(Debug, clap::Args)]
pub struct Explore {
    /// The program; `-` reads it from standard input.
    #[arg(required_unless_present = "merge", conflicts_with = "merge")]
    pub file: Option<PathBuf>,
    /// How the outcomes are written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ExploreFormat,
    /// Let each load and store be a step of its own.
    #[arg(long)]
    pub memory: bool,
    /// Threads; without it, one for each processor and at most 2. What is found
    /// does not depend on it.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST_JOBS))]
    pub jobs: Option<u64>,
    /// The machine to start on.
    #[command(flatten)]
    pub boot: Boot,
    /// How far to look.
    #[command(flatten)]
    pub bounds: ExploreBounds,
    /// What is claimed.
    #[command(flatten)]
    pub claims: ExploreClaims,
    /// Sharing the work.
    #[command(flatten)]
    pub sharing: ExploreSharing,
}

/// How far to look.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Bounds")]
pub struct ExploreBounds {
    /// Look at no more states than this.
    #[arg(long, value_name = "N")]
    pub states: Option<usize>,
    /// Follow no run for more steps than this.
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// Stop a process that could go on no more often than this in one run.
    #[arg(long, value_name = "N")]
    pub preemptions: Option<u32>,
    /// Make so many runs by chance instead.
    #[arg(long, value_name = "N", conflicts_with_all = ["states", "preemptions", "shard"])]
    pub samples: Option<u64>,
    /// Make them by priorities that change D-1 times (PCT): for bugs that need
    /// D orders between steps to show.
    #[arg(long, value_name = "D", requires = "samples")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub pct: Option<u32>,
}

/// What is claimed of the states.
#[derive(Debug, Default, clap::Args)]
#[command(
    next_help_heading = "Claims (several of each; the exit code is 1 when one does not hold)"
)]
#[group(multiple = true, conflicts_with_all = ["samples", "shard", "merge", "jobs"])]
pub struct ExploreClaims {
    /// A function of the script that is given the machine and says true in each
    /// state.
    #[arg(long, value_name = "FUNCTION")]
    pub always: Vec<String>,
    /// One that says true in no state.
    #[arg(long, value_name = "FUNCTION")]
    pub never: Vec<String>,
    /// One that says true in some state.
    #[arg(long, value_name = "FUNCTION")]
    pub exists: Vec<String>,
}

/// Sharing the work among machines.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Sharing the work")]
pub struct ExploreSharing {
    /// Do part I of N, counted from 1, and write lines of JSON for `--merge`.
    #[arg(long, value_name = "I/N", conflicts_with_all = ["merge", "format"])]
    pub shard: Option<Shard>,
    /// Put together what shards wrote to these files; `-` is standard input.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub merge: Vec<PathBuf>,
}

/// How outcomes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ExploreFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object.
    Json,
    /// The graph of states, for Graphviz.
    Dot,
}

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ErrorFormat {
    /// For people: with the source and marks under it.
    #[default]
    Human,
    /// For programs: one JSON object a line.
    Json,
}

/// `forkyard compare`.
#[derive(Debug, clap::Args)]
pub struct Compare {
    /// The program; `-` reads it from standard input.
    pub file: PathBuf,
    /// How often it runs on this machine's kernel.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub runs: u32,
    /// Under how many random schedules it runs on the model, before what Linux
    /// did is looked for among all of them.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub seeds: u64,
}

/// `forkyard fuzz`.
#[derive(Debug, clap::Args)]
pub struct Fuzz {
    /// How many programs.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub count: u64,
    /// The first program's seed; the others count up from it.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Where programs that differ are saved.
    #[arg(long, value_name = "DIR", default_value = "fuzz")]
    pub dir: PathBuf,
    /// How many programs run at the same time.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub jobs: u64,
    /// Say what the host's side does not do, and how often each call gave
    /// which answer.
    #[arg(long)]
    pub verbose: bool,
    /// List where Linux may differ for a known reason.
    #[arg(long)]
    pub variations: bool,
    /// Run the model only, to measure its side.
    #[arg(long, hide = true)]
    pub model: bool,
    /// A worker's share; for the program's own use.
    #[arg(long, hide = true)]
    pub worker: Option<String>,
}

/// `forkyard repl`.
#[derive(Debug, Default, clap::Args)]
pub struct Repl {
    /// Where the lines typed are kept, instead of
    /// $XDG_STATE_HOME/forkyard/history.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// The machine to start on.
    #[command(flatten)]
    pub boot: Boot,
}

/// `forkyard test`.
#[derive(Debug, Default, clap::Args)]
pub struct Test {
    /// Only scripts whose path contains this.
    pub filter: Option<String>,
    /// Write what the scripts print now into the files beside them.
    #[arg(long)]
    pub bless: bool,
    /// Where the scripts are.
    #[arg(long, default_value = "scripts")]
    pub dir: PathBuf,
}

/// `forkyard exercises`.
#[derive(Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
pub struct Exercises {
    /// What to do; without it, `list`.
    #[command(subcommand)]
    pub command: Option<ExercisesCommand>,
}

/// What to do with exercises.
#[derive(Debug, Subcommand)]
pub enum ExercisesCommand {
    /// Show all exercises and how far you are.
    List,
    /// Put an exercise into ./exercises, unless it is there, and run it.
    Run {
        /// The exercise: its name, its number, or the start of its name.
        name: String,
    },
    /// Say whether an exercise is solved; without NAME, all that were begun.
    Check {
        /// The exercise.
        name: Option<String>,
    },
    /// Show the next hint.
    Hint {
        /// The exercise.
        name: String,
    },
    /// Begin again; your file is kept beside it as NAME.rhai.old.
    Reset {
        /// The exercise.
        name: String,
    },
}

/// The machine to start on.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(next_help_heading = "Machine")]
pub struct Boot {
    /// Number of processors.
    #[arg(long, value_name = "N", value_parser = machine::parse_cpus)]
    pub cpus: Option<u32>,
    /// Size of the emulated memory: 64M, 4G.
    #[arg(long, value_name = "SIZE", value_parser = machine::parse_size)]
    pub ram: Option<u64>,
    /// A machine without a memory management unit: fork is refused.
    #[arg(long)]
    pub no_mmu: bool,
    /// Levels of the page tables: 4 or 5.
    #[arg(long, value_name = "N", value_parser = machine::parse_levels)]
    pub paging_levels: Option<u8>,
    /// Source of everything random; the same seed gives the same run.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

impl Boot {
    /// The options as machine settings.
    pub fn machine(&self) -> Machine {
        Machine {
            cpus: self.cpus,
            ram: self.ram,
            mmu: self.no_mmu.then_some(false),
            levels: self.paging_levels,
            seed: self.seed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn run_takes_a_file_or_code() {
        let parse = |args: &[&str]| {
            Args::try_parse_from([&["forkyard"], args].concat())
                .map(|a| match a.command {
                    Some(Command::Run(run)) => run,
                    other => panic!("{other:?}"),
                })
                .map_err(|e| e.kind())
        };
        assert!(parse(&["run"]).is_err());
        assert!(parse(&["run", "x", "-e", "1"]).is_err());
        assert_eq!(parse(&["run", "-"]).unwrap().file.unwrap().to_str(), Some("-"));
        assert_eq!(parse(&["run", "-e", "1"]).unwrap().code.as_deref(), Some("1"));
        assert_eq!(parse(&["run", "--trace", "x"]).unwrap().trace.unwrap(), [""]);
        assert_eq!(parse(&["run", "--trace=a,b", "x"]).unwrap().trace.unwrap(), ["a", "b"]);
        let run = parse(&["run", "x", "--cpus=2", "--ram", "64M", "--no-mmu"]).unwrap();
        let machine = run.boot.machine();
        assert_eq!((machine.cpus, machine.ram), (Some(2), Some(64 << 20)));
        assert_eq!(machine.mmu, Some(false));
        assert!(parse(&["run", "x", "--paging-levels", "3"]).is_err());
    }
}
