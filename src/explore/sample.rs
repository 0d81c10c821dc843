//! Some runs by chance, where all are too many.
//!
//! Left out: schedules chosen with more cunning than by chance (PCT).

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::outcome::{End, Outcome};
use super::run::{Ending, run};
use super::schedule::{Policy, Schedule};
use super::search::{Bound, Exploration, ExploreError, Found};
use crate::session::program::{Interpreter, Programs};

/// Makes `samples` runs with seeds from `seed` on. Each has at most `depth`
/// steps and `tasks` tasks.
///
/// # Errors
/// The kernel is broken.
pub fn sample(
    programs: &Programs,
    first: i32,
    interpreter: &impl Interpreter,
    (samples, seed): (u64, u64),
    (depth, tasks): (usize, usize),
    mut watch: impl FnMut(&Programs) -> ControlFlow<()>,
) -> Result<Exploration, ExploreError> {
    let mut outcomes: BTreeMap<Outcome, (u64, Schedule)> = BTreeMap::new();
    let mut found = Exploration { hit: vec![Bound::Samples], ..Exploration::default() };
    for n in 0..samples {
        let mut programs = programs.clone();
        let mut policy = Policy::random(seed.wrapping_add(n));
        let (mut steps, mut stopped) = (0, false);
        let ran = run(&mut programs, interpreter, &mut policy, depth, |programs| {
            steps += 1;
            stopped = watch(programs).is_break();
            match stopped || programs.system.kernel.tasks.len() > tasks {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        found.steps += steps;
        if stopped {
            found.hit.push(Bound::Stopped);
            break;
        }
        let end = match ran.ending {
            Ending::Finished => End::Finished,
            Ending::Stuck(_) => End::Stuck,
            Ending::Steps(_) | Ending::Stopped => End::Cut,
        };
        let outcome = Outcome::of(&programs, first, end);
        outcomes.entry(outcome).or_insert((0, ran.schedule)).0 += 1;
    }
    let list = outcomes.into_iter();
    found.outcomes = list
        .map(|(outcome, (count, schedule))| Found { outcome, count: Some(count), schedule })
        .collect();
    Ok(found)
}
