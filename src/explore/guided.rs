//! Looks for one outcome only: a search that gives up wherever the output can
//! no longer become what is looked for.
//!
//! What was printed, and what each task was told, say much about who ran when,
//! so this looks at few states where `search` would look at millions.
//!
//! Whoever prints what comes next goes first. States in which somebody has to
//! be chosen are known again; between two of them nothing has to be.
//!
//! Left out: several ways of `choose`; the goal says which one is taken.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::ground::repertoire;
use super::outcome::{End, Outcome};
use super::reduce;
use super::search::ExploreError;
use super::state;
use crate::kernel::syscalls::{Call, Payload};
use crate::kernel::task::TaskId;
use crate::session::program::record::Asked;
use crate::session::program::{Interpreter, Programs, Repertoire, Want};

/// What is looked for.
pub trait Goal {
    /// How far a way to it has come.
    type Along: Clone + Hash;

    /// Nobody has made a step.
    fn begin(&self, programs: &Programs) -> Self::Along;

    /// Task `by` has made a step: whether this can still be a way to it.
    fn follow(
        &self,
        along: &mut Self::Along,
        programs: &Programs,
        by: u32,
        asked: &Arc<Asked>,
    ) -> bool;

    /// Which of several ways task `by` is to go.
    fn way(&self, along: &Self::Along, by: u32) -> u32;

    /// Whether the output so far can be the beginning of it.
    fn may_begin(&self, output: &[u8]) -> bool;

    /// Whether this is it.
    fn is(&self, outcome: &Outcome, along: &Self::Along) -> bool;
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
    let way =
        |programs, reduce| look(programs, first, interpreter, Steps { states, reduce }, goal, stop);
    match way(programs.clone(), true)? {
        // Who is killed before a step that nobody minds has not been told of it,
        // which no outcome shows, but a goal may mind.
        Reached::No => way(programs, false),
        found => Ok(found),
    }
}

/// How to look.
struct Steps {
    /// At how many states at most.
    states: usize,
    /// Whether steps that nobody minds are made first.
    reduce: bool,
}

fn look(
    programs: Programs,
    first: i32,
    interpreter: &impl Interpreter,
    Steps { states, reduce }: Steps,
    goal: &impl Goal,
    stop: &dyn Fn() -> bool,
) -> Result<Reached, ExploreError> {
    // Outcomes are compared by the numbers of pids too.
    let untraced = repertoire(std::iter::once(&programs), interpreter).untraced;
    let anything = Repertoire { untraced, ..Repertoire::default() };
    let mut wants: HashMap<u64, Arc<Asked>> = HashMap::new();
    let mut known = HashSet::new();
    let along = goal.begin(&programs);
    let mut open = vec![(programs, along)];
    let mut steps = 0;
    while let Some((mut at, along)) = open.pop() {
        at.arrive(|body| interpreter.place(body));
        let ready = at.runnable();
        if ready.is_empty() {
            let end = if at.bodies().next().is_none() { End::Finished } else { End::Stuck };
            if goal.is(&Outcome::of(&at, first, end), &along) {
                return Ok(Reached::Yes);
            }
            continue;
        }
        if ready.len() > 1 && !known.insert((state::key(&at), digest(&along))) {
            continue;
        }
        steps += 1;
        if known.len() > states || steps > states.saturating_mul(STEPS) || stop() {
            return Ok(Reached::Unknown);
        }
        let mut asked: Vec<(TaskId, u32, Arc<Asked>)> = Vec::new();
        for task in ready {
            let body = at.body(task).expect("it is ready");
            let ask = || {
                let (want, origin) = at.next(interpreter, task);
                Arc::new(Asked { want, origin })
            };
            let what = match at.is_on_its_way(task) {
                true => ask(),
                false => wants.entry(body.digest()).or_insert_with(ask).clone(),
            };
            asked.push((task, body.number, what));
        }
        let pairs: Vec<(TaskId, &Want)> = asked.iter().map(|(t, _, a)| (*t, &a.want)).collect();
        if reduce && let Some(only) = reduce::nobody_minds(&at, &pairs, true, &anything) {
            asked.retain(|(task, ..)| *task == only);
        }
        let console = &at.system.kernel.console;
        asked.sort_by_key(|(.., asked)| match printed(&asked.want) {
            Some(text) if goal.may_begin(&[console, text].concat()) => 0,
            None => 1,
            Some(_) => 2,
        });
        // The stack turns the order around.
        for (task, by, asked) in asked.into_iter().rev() {
            let (mut next, mut along) = (at.clone(), along.clone());
            next.system.log.origin = asked.origin;
            next.perform(interpreter, task, asked.want.clone(), goal.way(&along, by))?;
            let grown = next.system.kernel.console.len() != at.system.kernel.console.len();
            if goal.follow(&mut along, &next, by, &asked)
                && (!grown || goal.may_begin(&next.system.kernel.console))
            {
                open.push((next, along));
            }
        }
    }
    Ok(Reached::No)
}

fn digest(along: &impl Hash) -> u64 {
    let mut h = DefaultHasher::new();
    along.hash(&mut h);
    h.finish()
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
