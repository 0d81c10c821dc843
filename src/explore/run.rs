//! One run: choose, perform, until nobody can go on.
//!
//! Left out: time; it passes by itself when everyone sleeps.

use std::ops::ControlFlow;

use super::schedule::{Choice, Policy, Schedule, ScheduleError};
use crate::kernel::task::TaskId;
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

/// Lets programs run until nobody can go on, or for `steps` steps. `after`
/// looks at each step and may end the run.
///
/// # Errors
/// The kernel is broken, or a schedule to replay does not fit.
pub fn run(
    programs: &mut Programs,
    interpreter: &impl Interpreter,
    policy: &mut Policy,
    steps: usize,
    mut after: impl FnMut(&mut Programs) -> ControlFlow<()>,
) -> Result<Ran, RunError> {
    let mut schedule = Schedule::default();
    let (mut last, mut yielded) = (0, false);
    for _ in 0..steps {
        let ready = programs.runnable();
        let numbers: Vec<u32> =
            ready.iter().filter_map(|t| programs.body(*t)).map(|b| b.number).collect();
        if ready.is_empty() {
            let left: Vec<TaskId> = programs.bodies().map(|(task, _)| task).collect();
            let ending = if left.is_empty() { Ending::Finished } else { Ending::Stuck(left) };
            return Ok(Ran { ending, schedule });
        }
        let before = if yielded { Policy::RoundRobin.process(&numbers, last)? } else { last };
        last = policy.process(&numbers, before)?;
        schedule.0.push(Choice::Process(last));
        let task = ready[numbers.iter().position(|n| *n == last).expect("it is ready")];
        let (want, origin) = interpreter.next(programs.body(task).expect("it is ready"));
        let way = match want {
            Want::Choose(n) => {
                let way = policy.way(n)?;
                schedule.0.push(Choice::Way(way));
                way
            }
            _ => 0,
        };
        yielded = matches!(&want, Want::Sys(call, _) if call.nr == NR_SCHED_YIELD);
        programs.system.log.origin = origin;
        programs.perform(interpreter, task, want, way)?;
        if after(programs).is_break() {
            return Ok(Ran { ending: Ending::Stopped, schedule });
        }
    }
    Ok(Ran { ending: Ending::Steps(steps), schedule })
}

/// Number of sched_yield(2): whoever makes it goes behind the others.
const NR_SCHED_YIELD: u32 = 24;
