//! Starting programs: `run("main")` in a script, and a file that only defines
//! `main`.
//!
//! Left out: exploring all schedules.

use std::cell::RefCell;
use std::fmt;
use std::ops::ControlFlow;
use std::rc::Rc;

use rhai::{AST, Array, Dynamic, Engine, Map, NativeCallContext};

use super::{Language, plain};
use crate::abi::structs::WaitStatus;
use crate::explore::run::{RunError, Runner, Steps};
use crate::explore::stuck::sleeper;
use crate::explore::{Choice, Ending, Policy, Schedule};
use crate::kernel::system::System;
use crate::script::bind::args::{self, Named};
use crate::script::bind::registry::{Book, Raised, functions, getters};
use crate::script::bind::waited::status_text;
use crate::script::bind::world::Machine;
use crate::script::control::Control;
use crate::script::diagnostic::Report;
use crate::script::errors::ScriptError;
use crate::session::program::record::{Record, Recorder};
use crate::session::program::{Programs, Start};

/// The function that makes a file a program.
pub const MAIN: &str = "main";
/// Steps of a run unless it is told otherwise.
const STEPS: usize = 100_000;
/// Most processes that errors may end. Each is told with its place, for which its
/// tape is read once more.
const CRASHES: usize = 200;
/// How often a task may not be made because there may be no more: who goes on
/// trying then, does so for ever.
const UNBORN: usize = 400;

/// How programs are run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who goes on next.
    pub policy: Policy,
    /// Most steps.
    pub steps: usize,
    /// Whether functions go on from places. Without, each tape is read from
    /// its start for each question; it is there to check the places.
    pub places: bool,
    /// Whether each load and store is a step of its own.
    pub memory: bool,
    /// Whether it is kept what each task was told.
    pub record: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { policy: Policy::Fifo, steps: STEPS, memory: false, places: true, record: false }
    }
}

/// A run that has ended.
#[derive(Clone)]
pub struct Run {
    /// What was written to the console.
    output: String,
    /// How it ended.
    ending: Ending,
    schedule: Schedule,
    /// The first process's wait status, if it has ended.
    status: Option<i32>,
    /// Those that sleep for ever, in words.
    stuck: Vec<String>,
    /// Errors that nobody caught.
    crashes: Vec<Report>,
    /// What each task was told, if that was kept.
    record: Option<Record>,
}

impl Run {
    /// The code of the first process as a shell gives it.
    pub fn code(&self) -> i64 {
        match self.status.map(WaitStatus::decode) {
            Some(WaitStatus::Exited(code)) => i64::from(code),
            Some(WaitStatus::Signaled(sig, _)) => 128 + i64::from(sig),
            _ => 1,
        }
    }

    /// What was written to the console.
    pub fn output(&self) -> &str {
        &self.output
    }

    /// How it ended.
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    /// The choices made.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The first process's wait status, if it has ended.
    pub fn status(&self) -> Option<i32> {
        self.status
    }

    /// What each task was told, if that was kept.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// What went wrong, in order.
    pub fn reports(&self) -> Vec<Report> {
        let mut reports = self.crashes.clone();
        match &self.ending {
            Ending::Finished | Ending::Stopped => {}
            Ending::Stuck(_) => {
                let mut report = Report::error(
                    "forkyard::stuck",
                    "everyone sleeps, and nobody is left to wake them",
                );
                report.notes.clone_from(&self.stuck);
                reports.push(report);
            }
            Ending::Steps(n) => {
                let report = Report::error("forkyard::limit", format!("more than {n} steps"));
                reports.push(report.help("does a program loop for ever?"));
            }
        }
        reports
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "run: {}", status_text(status))?,
            None => write!(f, "run: not ended")?,
        }
        write!(f, ", schedule {}", self.schedule)
    }
}

/// A run under way: plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Going {
    pub(super) programs: Programs,
    pub(super) runner: Runner,
    pub(super) policy: Policy,
    /// What was written so far.
    pub(super) output: String,
    /// The first process.
    pub(super) pid: i32,
}

fn broken(e: RunError) -> ScriptError {
    match e {
        RunError::Program(crate::session::program::ProgramError::Oops(oops)) => {
            ScriptError::Oops(Box::new(oops))
        }
        other => ScriptError::usage(other.to_string()),
    }
}

impl Going {
    /// Starts a function as the first program of a copy of a machine.
    ///
    /// # Errors
    /// The machine cannot make the process.
    pub(super) fn start(
        language: &Language,
        machine: &Machine,
        start: Start,
        policy: Policy,
    ) -> Result<Going, ScriptError> {
        let mut programs = language.programs(machine.read(Clone::clone));
        let first = programs.start(start).map_err(|e| broken(e.into()))?;
        let pid = programs.system.task(first).pid;
        Ok(Going { programs, runner: Runner::default(), policy, output: String::new(), pid })
    }

    /// Takes what was written.
    fn collect(programs: &mut Programs, output: &mut String, show: &mut impl FnMut(&str)) {
        let bytes = std::mem::take(&mut programs.system.kernel.console);
        if !bytes.is_empty() {
            let text = String::from_utf8_lossy(&bytes);
            show(&text);
            output.push_str(&text);
        }
    }

    /// Goes on until nobody can, or for so many steps.
    ///
    /// # Errors
    /// The kernel broke, the schedule does not fit, or a limit is hit.
    pub(super) fn run(
        &mut self,
        language: &Language,
        control: &Control,
        steps: Steps,
        mut show: impl FnMut(&str),
    ) -> Result<Ending, ScriptError> {
        let (tasks, ops) = (control.limits().tasks, control.limits().ops);
        let (mut too_many, mut crashes, mut unborn) = (false, 0, 0);
        let Going { programs, runner, policy, output, .. } = self;
        let ran = runner.run(programs, language, policy, steps, |programs| {
            Going::collect(programs, output, &mut show);
            too_many = programs.system.kernel.tasks.len() > tasks;
            (crashes, unborn) = (programs.crashes.len(), programs.unborn);
            let failed = crashes > CRASHES || unborn > UNBORN;
            let over = too_many || failed || language.spent() > ops;
            match control.stopped().is_some() || over {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let ending = ran.map_err(broken)?;
        if language.spent() > ops {
            return Err(ScriptError::Limit {
                message: format!("more than {ops} operations in one run"),
                help: Some("does a program loop for ever? `//@ limits: ops=…` allows more".into()),
            });
        }
        if too_many {
            return Err(ScriptError::Limit {
                message: format!("{tasks} tasks at once in one machine"),
                help: Some(
                    "is this a fork bomb? exited tasks stay until their parent waits".into(),
                ),
            });
        }
        if crashes > CRASHES {
            return Err(ScriptError::Limit {
                message: format!("more than {CRASHES} processes ended by errors nobody caught"),
                help: Some("is this a fork bomb? where nobody may have more, fork throws".into()),
            });
        }
        if unborn > UNBORN {
            return Err(ScriptError::Limit {
                message: format!("more than {UNBORN} forks and clones refused with EAGAIN"),
                help: Some(
                    "is this a fork bomb? there may be no more tasks, and it goes on trying".into(),
                ),
            });
        }
        Ok(ending)
    }

    /// One step: of the process with that number, or of whom the policy
    /// chooses. Gives whose it was; `None`: nobody can go on.
    ///
    /// # Errors
    /// That process cannot go on; else as [`Going::run`].
    pub(super) fn step(
        &mut self,
        language: &Language,
        memory: bool,
        process: Option<u32>,
    ) -> Result<Option<u32>, ScriptError> {
        let mut only = process.map(|n| Policy::Replay(Schedule(vec![Choice::Process(n)]), 0));
        let mut who = None;
        loop {
            let Going { programs, runner, policy, output, .. } = self;
            let policy = only.as_mut().unwrap_or(policy);
            if !runner.step(programs, language, policy, memory).map_err(broken)? {
                return Ok(who);
            }
            Going::collect(programs, output, &mut |_| ());
            who = runner.last();
            // Whoever has died or sleeps in the middle of a step ends it.
            let goes_on = runner.within().is_some_and(|number| {
                let runnable = programs.runnable();
                runnable.iter().any(|t| programs.body(*t).is_some_and(|b| b.number == number))
            });
            if !goes_on {
                return Ok(who);
            }
        }
    }

    /// Those that sleep for ever, in words.
    pub(super) fn stuck(&self) -> Vec<String> {
        let left = self.programs.bodies().map(|(task, body)| (body.number, task));
        let mut left: Vec<_> = left.collect();
        left.sort_unstable();
        left.into_iter().map(|(_, task)| sleeper(&self.programs, task)).collect()
    }

    /// What came of it.
    pub(super) fn ran(&self, language: &Language, ending: Ending) -> Run {
        let programs = &self.programs;
        let stuck = match &ending {
            Ending::Stuck(_) => self.stuck(),
            _ => Vec::new(),
        };
        let crashes = programs.crashes.iter().map(|c| {
            let report = language.report(&c.message);
            report.note(format!("process {} (pid {}) ended by SIGABRT", c.body.number, c.body.pid))
        });
        // Nobody waits for the first process but init.
        let faults = programs.faults.iter().filter(|f| f.pid == self.pid).map(|f| {
            let message =
                format!("process {} (pid {}) was killed by {}", f.number, f.pid, f.message);
            Report::error("forkyard::program", message)
        });
        let crashes = crashes.chain(faults);
        Run {
            output: self.output.clone(),
            stuck,
            crashes: crashes.collect(),
            status: programs.ended.iter().find(|e| e.pid == self.pid).map(|e| e.status),
            ending,
            schedule: self.runner.schedule.clone(),
            record: self.runner.recorder.as_ref().map(Recorder::record),
        }
    }
}

/// Runs a function as the first program of a machine.
///
/// # Errors
/// The kernel broke, or the schedule does not fit.
fn run(
    engine: &Engine,
    control: &Control,
    ast: &AST,
    machine: &Machine,
    start: Start,
    options: Options,
    show: impl FnMut(&str),
) -> Result<(Run, System), ScriptError> {
    let mut language = Language::new(engine, control, ast);
    language.set_places(options.places);
    let mut going = Going::start(&language, machine, start, options.policy)?;
    going.runner.recorder = options.record.then(|| Recorder::begin(&going.programs));
    let steps = Steps { most: options.steps, memory: options.memory };
    let ending = going.run(&language, control, steps, show)?;
    Ok((going.ran(&language, ending), going.programs.system))
}

/// Runs `main` of a file that starts nothing itself; prints go to the output.
///
/// # Errors
/// As a report; a program that fails is not an error.
pub fn run_main(
    engine: &Engine,
    control: &Control,
    ast: &AST,
    machine: &Machine,
    options: Options,
) -> Result<Run, Box<Report>> {
    let show = |text: &str| control.write(text);
    let start = Start::new(MAIN);
    let ran = run(engine, control, ast, machine, start, options, show);
    let (run, system) = ran.map_err(|e| report(engine, control, ast, e))?;
    machine.write(|sys| *sys = system);
    Ok(run)
}

/// The same, without printing, and without a change of the machine.
///
/// # Errors
/// As [`run_main`].
pub fn try_main(
    engine: &Engine,
    control: &Control,
    ast: &AST,
    machine: &Machine,
    options: Options,
) -> Result<Run, Box<Report>> {
    let start = Start::new(MAIN);
    let ran = run(engine, control, ast, machine, start, options, |_| ());
    ran.map(|(run, _)| run).map_err(|e| report(engine, control, ast, e))
}

fn report(engine: &Engine, control: &Control, ast: &AST, e: ScriptError) -> Box<Report> {
    let context = crate::script::diagnose::Context { engine, control, ast: Some(ast), scope: None };
    let error: Box<rhai::EvalAltResult> = e.into();
    Box::new(crate::script::diagnose::explain(context, &error))
}

/// Options from a map: #{policy, seed, schedule, steps, memory}.
pub(super) fn options(name: &'static str, map: &Map) -> Result<Options, ScriptError> {
    let mut named = Named::new(name, map);
    let seed = named.word("seed", 0)?;
    let steps = named.word("steps", STEPS as u64)?;
    let memory = named.flag("memory", false)?;
    let given = named.get("policy").or(named.get("schedule"));
    let random = map.contains_key("seed") && given.is_none();
    let text = match given {
        Some(v) => args::text(&format!("{name} policy"), v)?,
        None => if random { "random" } else { "fifo" }.to_string(),
    };
    named.finish()?;
    let policy = Policy::parse(&text, seed).map_err(|e| ScriptError::usage(e.to_string()))?;
    let steps = usize::try_from(steps).unwrap_or(usize::MAX);
    Ok(Options { policy, steps, memory, ..Options::default() })
}

/// Registers `run` and its result.
pub(super) fn register(book: &mut Book, control: &Control, machine: &Machine) {
    let started = Rc::new(RefCell::new((control.clone(), machine.clone())));
    let go = move |ctx: &NativeCallContext, what: &Dynamic, map: &Map| -> Raised<Run> {
        let (control, machine) = started.borrow().clone();
        if control.tape().is_active() {
            return Err(ScriptError::usage("a program cannot run programs: it forks").into());
        }
        let Some(ast) = control.script() else {
            return Err(ScriptError::usage("there is no script to take a function from").into());
        };
        control.set_started();
        let start = plain::start("run: function", what)?;
        let options = options("run", map)?;
        let (run, system) = run(ctx.engine(), &control, &ast, &machine, start, options, |_| ())?;
        machine.write(|sys| *sys = system);
        Ok(run)
    };
    let with_map = go.clone();
    functions! { book;
        /// Runs a function of the script as a process, until it and all that
        /// it makes have ended or sleep. Gives what came of it; the machine
        /// is then as they left it.
        "run(function: function|string) -> Run" => move |ctx: NativeCallContext, f: Dynamic| {
            go(&ctx, &f, &Map::new())
        };
        /// The same with #{policy: "fifo"|"round-robin"|"random"|"kernel", seed,
        /// schedule: "1x3 2 1", memory: true (each load and store is a step),
        /// steps}.
        "run(function: function|string, options: map) -> Run" =>
            move |ctx: NativeCallContext, f: Dynamic, map: Map| with_map(&ctx, &f, &map);
    }
    book.prints::<Run>("Run");
    getters! { book, Run;
        /// What the programs wrote to the console.
        "output: string" => |r: &mut Run| r.output.clone();
        /// The first process's wait status; () if it has not ended.
        "status: int" => |r: &mut Run| r.status.map_or(Dynamic::UNIT, |s| i64::from(s).into());
        /// The first process's exit code as a shell gives it: 128 + n for a
        /// death by signal n.
        "exit_status: int" => |r: &mut Run| r.code();
        /// The choices made; `run(f, #{schedule: …})` makes them again.
        "schedule: string" => |r: &mut Run| r.schedule.to_string();
        /// Whether all programs have ended.
        "finished: bool" => |r: &mut Run| r.ending == Ending::Finished;
        /// Those that sleep for ever, in words.
        "stuck: array" => |r: &mut Run| {
            r.stuck.iter().map(|s| s.clone().into()).collect::<Array>()
        };
        /// Errors that nobody caught, in words.
        "crashes: array" => |r: &mut Run| {
            r.crashes.iter().map(|c| c.message.clone().into()).collect::<Array>()
        };
    }
}
