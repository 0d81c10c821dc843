//! Runs one script on one machine: the same way for `run`, for tests and for
//! exercises, so that all three agree on what failed.
//!
//! Left out: reading the script and showing the result.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::directives::Directives;
use super::files::Input;
use super::folder::Folder;
use super::machine::Machine;
use super::world::World;
use super::{FAILED, INTERRUPTED, OK};
use crate::script::control::{Output, Stop};
use crate::script::diagnostic::{Report, Style};
use crate::script::limits::Limits;
use crate::script::run::{Failure, Job, Outcome};
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
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code.
    pub code: u8,
    /// What is to be said about it, in order.
    pub reports: Vec<Report>,
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
        };
        Ok((plan, directives))
    }

    /// Runs the script to its end.
    pub fn run(self, output: impl Output + Send + 'static) -> Finished {
        let Plan { input, machine, limits, trace, interrupt } = self;
        let job = Job {
            name: input.name,
            text: input.text,
            loader: Box::new(Folder::new(input.folder)),
            limits,
            output: Box::new(output),
            interrupt,
        };
        let result = job.run(|engine, control, scope| {
            World::install(engine, control, scope, &machine, &trace);
        });
        Finished::of(result)
    }
}

impl Finished {
    /// What a result means for the one who started the program.
    pub fn of(result: Result<Outcome, Failure>) -> Finished {
        match result {
            Ok(outcome) => {
                let asked = outcome.exit.map_or(OK, |code| code as u8);
                let code = if asked == OK && !outcome.failed.is_empty() { FAILED } else { asked };
                Finished { code, reports: outcome.failed }
            }
            Err(failure) => {
                let mut reports = failure.failed;
                let code = match failure.stopped {
                    Some(Stop::OutputClosed) => return Finished { code: OK, reports },
                    Some(Stop::Interrupted) => INTERRUPTED,
                    _ => FAILED,
                };
                reports.push(*failure.report);
                Finished { code, reports }
            }
        }
    }

    /// All reports as they are without a terminal.
    pub fn text(&self) -> String {
        let texts: Vec<String> = self.reports.iter().map(|r| r.render(Style::Plain)).collect();
        texts.join("\n")
    }
}
