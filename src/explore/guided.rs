//! Looks for one outcome only: a search that gives up wherever the output can
//! no longer become what is looked for.
//!
//! What was printed says much about who ran when, so this looks at few states
//! where `search` would look at millions.
//!
//! Whoever prints what comes next goes first. States in which somebody has to
//! be chosen are known again; between two of them nothing has to be.
//!
//! Left out: several ways of `choose`, of which the
//! first is taken.

use std::collections::{HashMap, HashSet};

use super::outcome::{End, Outcome};
use super::reduce;
use super::search::ExploreError;
use super::state;
use crate::kernel::syscalls::{Call, Payload};
use crate::kernel::task::TaskId;
use crate::session::program::{Interpreter, Programs, Repertoire, Want};
use crate::trace::Origin;

/// What is looked for.
pub trait Goal {
    /// Whether the output so far can be the beginning of it.
    fn may_begin(&self, output: &[u8]) -> bool;

    /// Whether this is it.
    fn is(&self, outcome: &Outcome) -> bool;
}

/// What came of looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// There is a way to it.
    Yes,
    /// There is none.
    No,
    /// A bound was hit first.
    Unknown,
}

/// Looks for a way from `programs` to a goal among at most so many states, or
/// until `stop`.
///
/// # Errors
/// The kernel is broken.
pub fn reach(
    programs: Programs,
    first: i32,
    interpreter: &impl Interpreter,
    states: usize,
    goal: &impl Goal,
    stop: &dyn Fn() -> bool,
) -> Result<Reached, ExploreError> {
    // Outcomes are compared by the numbers of pids too.
    let anything = Repertoire::default();
    let mut wants: HashMap<u64, (Want, Origin)> = HashMap::new();
    let mut known = HashSet::new();
    let mut open = vec![programs];
    let mut steps = 0;
    while let Some(mut at) = open.pop() {
        at.arrive(|body| interpreter.place(body));
        let ready = at.runnable();
        if ready.is_empty() {
            let end = if at.bodies().next().is_none() { End::Finished } else { End::Stuck };
            if goal.is(&Outcome::of(&at, first, end)) {
                return Ok(Reached::Yes);
            }
            continue;
        }
        if ready.len() > 1 && !known.insert(state::key(&at)) {
            continue;
        }
        steps += 1;
        if known.len() > states || steps > states.saturating_mul(STEPS) || stop() {
            return Ok(Reached::Unknown);
        }
        let mut asked: Vec<(TaskId, Want, Origin)> = Vec::new();
        for task in ready {
            let body = at.body(task).expect("it is ready");
            let (want, origin) =
                wants.entry(body.digest()).or_insert_with(|| interpreter.next(body)).clone();
            asked.push((task, want, origin));
        }
        let pairs: Vec<(TaskId, &Want)> = asked.iter().map(|(t, w, _)| (*t, w)).collect();
        if let Some(only) = reduce::nobody_minds(&at, &pairs, true, &anything) {
            asked.retain(|(task, ..)| *task == only);
        }
        let console = &at.system.kernel.console;
        asked.sort_by_key(|(_, want, _)| match printed(want) {
            Some(text) if goal.may_begin(&[console, text].concat()) => 0,
            None => 1,
            Some(_) => 2,
        });
        // The stack turns the order around.
        for (task, want, origin) in asked.into_iter().rev() {
            let mut next = at.clone();
            next.system.log.origin = origin;
            next.perform(interpreter, task, want, 0)?;
            let grown = next.system.kernel.console.len() != at.system.kernel.console.len();
            if !grown || goal.may_begin(&next.system.kernel.console) {
                open.push(next);
            }
        }
    }
    Ok(Reached::No)
}

/// Steps for each state that counts, before the search gives up.
const STEPS: usize = 5;
/// write(2).
const NR_WRITE: u32 = 1;

/// What would be printed, if descriptor 1 is still the console.
fn printed(want: &Want) -> Option<&[u8]> {
    match want {
        Want::Sys(Call { nr: NR_WRITE, args: [1, ..], payload: Payload::Bytes(text), .. }, _) => {
            Some(text)
        }
        _ => None,
    }
}
