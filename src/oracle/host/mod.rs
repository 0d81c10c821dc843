//! A program on the host: its tasks are real, and so is all they ask.
//!
//! ```text
//! forkyard ── interpreter, tapes; tells each task what to do
//!   ┊ shared memory: a slot a task
//!   └─ warden ── maker ── init (1) ── main (3) ── …   each a small loop: `stub`
//! ```
//!
//! The interpreter stays in one process, outside. A task of a program is what it
//! is on the model, a function and its tape (`session::program`), and a real
//! task that does the system calls and instructions it is told to do. So fork,
//! clone with whatever flags, execve and signals are the kernel's, and nothing
//! of ours is in the way of sharing memory.
//!
//! Left out: several programs at once in one sandbox.

mod brain;
mod calls;
mod control;
mod names;
mod sandbox;
mod setup;
mod stub;
mod sys;
mod task;
mod tree;
mod watch;

use std::collections::BTreeSet;

use crate::oracle::{Plan, Refused, Run};
use crate::script::bind::program::Language;

pub(super) use sys::stay_on_processor;

/// See [`crate::oracle::Sandbox`].
pub(super) struct Sandbox {
    sandbox: sandbox::Sandbox,
    /// It cannot be used any more.
    broken: Option<Refused>,
}

impl Sandbox {
    pub(super) fn new() -> Result<Sandbox, Refused> {
        Ok(Sandbox { sandbox: sandbox::Sandbox::new()?, broken: None })
    }

    pub(super) fn run(&mut self, language: &Language, plan: &Plan) -> Result<Run, Refused> {
        let functions: BTreeSet<String> = language.function_names().map(str::to_string).collect();
        if functions.len() > stub::MOST_FUNCTIONS as usize {
            return Err(Refused::Unsupported("more than 1000 functions".into()));
        }
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        let result = self.run_in(&functions, language, plan);
        if let Err(why @ Refused::Sandbox(_)) = &result {
            self.broken = Some(why.clone());
        }
        result
    }

    fn run_in(
        &mut self,
        functions: &BTreeSet<String>,
        language: &Language,
        plan: &Plan,
    ) -> Result<Run, Refused> {
        self.sandbox.begin(functions, plan.tasks)?;
        let (result, mut run, dirty) = brain::run(&self.sandbox, language, plan);
        self.sandbox.end(dirty)?;
        self.sandbox.drain(&mut run.output);
        result.map(|()| run)
    }
}
