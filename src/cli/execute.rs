//! Runs one script on one machine: the same way for `run`, for tests and for
//! exercises, so that all three agree on what failed.
//!
//! Left out: reading the script and showing the result.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::directives::Directives;
use super::explore::Shown;
use super::files::Input;
use super::folder::Folder;
use super::machine::Machine;
use super::trace::{Traced, Tracer};
use super::{FAILED, INTERRUPTED, OK, USAGE};
use crate::explore::Schedule;
use crate::explore::claim::Verdict;
use crate::explore::search::Bound;
use crate::script::bind::{World, program};
use crate::script::control::{Output, Stop};
use crate::script::diagnostic::{Report, Style};
use crate::script::limits::Limits;
use crate::script::run::{Failure, Outcome, Session};
use crate::script::stack;
use crate::trace::Filter;

/// A script and how it is to be run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The script.
    pub input: Input,
    /// The machine it starts on.
    pub machine: Machine,
    /// What it may use.
    pub limits: Limits,
    /// What is traced.
    pub trace: Filter,
    /// Set to stop it.
    pub interrupt: Arc<AtomicBool>,
    /// How a program is run.
    pub options: program::Options,
    /// Whether a script that is no program is refused.
    pub needs_program: bool,
    /// Explore it instead, and print what was found so.
    pub explore: Option<(program::Exploring, Shown)>,
    /// What this process does after it.
    pub afterwards: Afterwards,
}

/// What a process does after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Afterwards {
    /// It goes on: what the run took is given back.
    #[default]
    GoesOn,
    /// It ends. Taking thousands of functions apart would be an eighth of what a
    /// short run costs, for nothing.
    Ends,
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code.
    pub code: u8,
    /// What is to be said about it, in order.
    pub reports: Vec<Report>,
    /// The choices made, if it was a program's.
    pub schedule: Option<Schedule>,
}

impl Plan {
    /// A plan as the script's first lines say; an error if they are wrong.
    pub fn new(input: Input) -> Result<(Plan, Directives), Box<Report>> {
        let directives = Directives::parse(&input.name, &input.text)?;
        let plan = Plan {
            machine: directives.boot.clone(),
            limits: directives.limits.clone(),
            input,
            trace: Filter::Off,
            interrupt: Arc::default(),
            options: program::Options::default(),
            needs_program: false,
            explore: None,
            afterwards: Afterwards::GoesOn,
        };
        Ok((plan, directives))
    }

    /// Runs the script to its end; `show` is given what was traced.
    pub fn run(
        self,
        output: impl Output + Send + 'static,
        show: impl Fn(&str) + Send + 'static,
    ) -> Finished {
        self.run_and_then(output, show, |_, _, _| ()).0
    }

    /// The same, and then something with the engine and the machine that the
    /// script leaves behind.
    pub fn run_and_then<T: Send + Default>(
        self,
        output: impl Output + Send + 'static,
        show: impl Fn(&str) + Send + 'static,
        then: impl FnOnce(&mut Session, &World, &Finished) -> T + Send,
    ) -> (Finished, T) {
        let result = stack::on_deep_stack(move || self.run_here(output, show, then));
        result.unwrap_or_else(|e| {
            let reports = vec![Report::error("forkyard::internal", e.to_string())];
            (Finished { code: FAILED, reports, schedule: None }, T::default())
        })
    }

    /// The same on this thread, which has a deep stack.
    fn run_here<T: Default>(
        self,
        out: impl Output + 'static,
        show: impl Fn(&str) + 'static,
        then: impl FnOnce(&mut Session, &World, &Finished) -> T,
    ) -> (Finished, T) {
        let Plan { input, machine, limits, trace, interrupt, options, .. } = self;
        let Plan { needs_program, explore, afterwards, .. } = self;
        let world = match machine.boot() {
            Ok(world) => world,
            Err(report) => {
                return (Finished::wrong(*report), T::default());
            }
        };
        let tracer = Rc::new(OnceCell::new());
        let output = Traced { out, trace: tracer.clone() };
        let loader = Box::new(Folder::new(input.folder));
        let mut session = Session::new(limits, interrupt, Box::new(output), loader);
        world.register(&mut session.engine, &session.control, &mut session.scope);
        if trace != Filter::Off {
            world.set_trace(trace);
            let tracing = Tracer { world: world.clone(), main: input.name.clone(), show };
            let _ = tracer.set(tracing);
        }
        let programs = world.clone();
        let explores = explore.is_some();
        let explored = Rc::new(Cell::new(false));
        let was_explored = explored.clone();
        let schedule = Rc::new(Cell::new(None));
        let chosen = schedule.clone();
        session.main = Some(Box::new(move |engine, control, ast| {
            if let Some((how, shown)) = &explore {
                was_explored.set(true);
                if let Err(wrong) = program::check_claims(ast, how) {
                    return Ok((USAGE.into(), vec![*wrong]));
                }
                let (found, claims) =
                    program::explore_main(engine, control, ast, programs.main(), how)?;
                let stopped = control.is_interrupted() && found.hit.contains(&Bound::Stopped);
                if stopped {
                    control.forget_interruption();
                }
                control.write(&shown.text(&found, &claims));
                let code = match claims.iter().all(Verdict::holds) {
                    _ if stopped => INTERRUPTED,
                    true => OK,
                    false => FAILED,
                };
                return Ok((code.into(), Vec::new()));
            }
            let ran = program::run_main(engine, control, ast, programs.main(), options.clone())?;
            chosen.set(Some(ran.schedule().clone()));
            Ok((ran.code(), ran.reports()))
        }));
        let mut finished = Finished::of(session.run(&input.name, &input.text));
        if explores && !explored.get() && finished.code == OK {
            let message = format!("`{}` is no program: there is nothing to explore", input.name);
            let report = Report::error("forkyard::input", message)
                .help("a program defines `fn main()` and starts nothing itself");
            finished = Finished::wrong(report);
        }
        finished.schedule = schedule.take();
        if needs_program && finished.schedule.is_none() && finished.code == OK {
            let message = format!("`{}` is no program: nobody chooses who goes on", input.name);
            let report = Report::error("forkyard::input", message)
                .help("in a script, `run(function, #{policy: …, schedule: …, memory: …})` does");
            finished = Finished::wrong(report);
        }
        if let Some(tracer) = tracer.get() {
            tracer.flush();
        }
        let rest = then(&mut session, &world, &finished);
        if afterwards == Afterwards::Ends {
            std::mem::forget(session);
        }
        (finished, rest)
    }
}

impl Finished {
    /// Nothing was run.
    pub(super) fn wrong(report: Report) -> Finished {
        Finished { code: USAGE, reports: vec![report], schedule: None }
    }

    /// What a result means for the one who started the program.
    pub fn of(result: Result<Outcome, Failure>) -> Finished {
        match result {
            Ok(outcome) => {
                let asked = outcome.exit.map_or(OK, |code| code as u8);
                let code = if asked == OK && !outcome.failed.is_empty() { FAILED } else { asked };
                Finished { code, reports: outcome.failed, schedule: None }
            }
            Err(failure) => {
                let mut reports = failure.failed;
                let code = match failure.stopped {
                    Some(Stop::OutputClosed) => {
                        return Finished { code: OK, reports, schedule: None };
                    }
                    Some(Stop::Interrupted) => INTERRUPTED,
                    _ => FAILED,
                };
                reports.push(*failure.report);
                Finished { code, reports, schedule: None }
            }
        }
    }

    /// All reports as they are without a terminal.
    pub fn text(&self) -> String {
        let texts: Vec<String> = self.reports.iter().map(|r| r.render(Style::Plain)).collect();
        texts.join("\n")
    }
}
