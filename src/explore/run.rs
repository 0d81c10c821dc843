//! One run: choose, perform, until nobody can go on.
//!
//! Left out: time; it passes by itself when everyone sleeps.

use std::ops::ControlFlow;

use super::reduce::is_part;
use super::schedule::{Choice, Policy, Schedule, ScheduleError};
use super::step::GLUED;
use crate::kernel::sched::asked;
use crate::kernel::task::TaskId;
use crate::session::program::record::{Asked, Recorder};
use crate::session::program::{Interpreter, ProgramError, Programs, Want};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// All programs have ended.
    Finished,
    /// Those that are left sleep, and nobody is there to wake them.
    Stuck(Vec<TaskId>),
    /// As many steps as were allowed.
    Steps(usize),
    /// Somebody outside said so.
    Stopped,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub ending: Ending,
    /// The choices made.
    pub schedule: Schedule,
}

/// Why a run could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// A program could not act.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The schedule does not fit.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

/// What a step of a run is, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Most things that programs may ask for.
    pub most: usize,
    /// Whether each load and store is a step of its own, as in
    /// [`super::Options`]; else they belong to the call after them.
    pub memory: bool,
}

/// Lets programs run until nobody can go on, or for `steps` steps, with a
/// choice before each thing that they ask for. `after` looks at each step and
/// may end the run.
///
/// # Errors
/// The kernel is broken, or a schedule to replay does not fit.
pub fn run(
    programs: &mut Programs,
    interpreter: &impl Interpreter,
    policy: &mut Policy,
    steps: usize,
    after: impl FnMut(&mut Programs) -> ControlFlow<()>,
) -> Result<Ran, RunError> {
    run_steps(programs, interpreter, policy, Steps { most: steps, memory: true }, after)
}

/// The same, with steps as an exploration has them.
///
/// # Errors
/// As [`run`].
pub fn run_steps(
    programs: &mut Programs,
    interpreter: &impl Interpreter,
    policy: &mut Policy,
    steps: Steps,
    mut after: impl FnMut(&mut Programs) -> ControlFlow<()>,
) -> Result<Ran, RunError> {
    let mut runner = Runner::default();
    let ending = runner.run(programs, interpreter, policy, steps, &mut after)?;
    Ok(Ran { ending, schedule: runner.schedule })
}

/// Where a run is: plain data, like the programs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Runner {
    /// The choices made so far.
    pub schedule: Schedule,
    /// Keeps what tasks are told, if somebody wants to know.
    pub recorder: Option<Recorder>,
    /// Who made the last step.
    last: u32,
    /// It said that others should go first.
    yielded: bool,
    /// So many parts of a step it has made: 0 at the end of one.
    parts: usize,
}

impl Runner {
    /// Goes on until nobody can, or for so many steps.
    ///
    /// # Errors
    /// As [`run`].
    pub fn run(
        &mut self,
        programs: &mut Programs,
        interpreter: &impl Interpreter,
        policy: &mut Policy,
        steps: Steps,
        mut after: impl FnMut(&mut Programs) -> ControlFlow<()>,
    ) -> Result<Ending, RunError> {
        for _ in 0..steps.most {
            if !self.step(programs, interpreter, policy, steps.memory)? {
                let left: Vec<TaskId> = programs.bodies().map(|(task, _)| task).collect();
                return Ok(if left.is_empty() { Ending::Finished } else { Ending::Stuck(left) });
            }
            if after(programs).is_break() {
                return Ok(Ending::Stopped);
            }
        }
        Ok(Ending::Steps(steps.most))
    }

    /// Who made the last step.
    pub fn last(&self) -> Option<u32> {
        (self.last > 0).then_some(self.last)
    }

    /// The process in the middle of a step, if one is: what it asked for last
    /// belongs to what it will ask next.
    pub fn within(&self) -> Option<u32> {
        (self.parts > 0).then_some(self.last)
    }

    /// Lets the one that the policy chooses do one thing, or who is in the middle of
    /// a step the next part of it. `false`: nobody can.
    ///
    /// # Errors
    /// As [`run`].
    pub fn step(
        &mut self,
        programs: &mut Programs,
        interpreter: &impl Interpreter,
        policy: &mut Policy,
        memory: bool,
    ) -> Result<bool, RunError> {
        let ready = programs.runnable();
        if ready.is_empty() {
            return Ok(false);
        }
        let number = |t: &TaskId| programs.body(*t).map_or(0, |b| b.number);
        let numbers: Vec<u32> = ready.iter().map(number).collect();
        let within =
            self.parts > 0 && self.parts < usize::from(GLUED) && numbers.contains(&self.last);
        self.last = if within && !policy.replays() {
            self.last
        } else {
            let before = match std::mem::take(&mut self.yielded) {
                true => policy.yielded(&numbers, self.last)?,
                false => self.last,
            };
            policy.choose(programs, &numbers, before)?
        };
        self.schedule.0.push(Choice::Process(self.last));
        let task = ready[numbers.iter().position(|n| *n == self.last).expect("it is ready")];
        let (want, origin) = programs.next(interpreter, task);
        let way = match want {
            Want::Choose(n) => {
                let way = policy.way(n)?;
                self.schedule.0.push(Choice::Way(way));
                way
            }
            _ => 0,
        };
        self.yielded = matches!(&want, Want::Sys(call, _) if call.nr == NR_SCHED_YIELD);
        self.parts = if is_part(&want, memory) { self.parts + 1 } else { 0 };
        programs.system.log.origin = origin;
        let told = self.recorder.is_some().then(|| Asked { want: want.clone(), origin });
        let done = programs.perform(interpreter, task, want, way);
        asked::done(&mut programs.system);
        done?;
        if let (Some(recorder), Some(told)) = (&mut self.recorder, told) {
            recorder.look(programs, self.last, told);
        }
        Ok(true)
    }
}

/// Number of sched_yield(2): whoever makes it goes behind the others.
const NR_SCHED_YIELD: u32 = 24;
