//! Some runs by chance, where all are too many.
//!
//! ```text
//! random   each step anyone who can go on, all alike
//! PCT      who has the highest priority; priorities are given by chance, and
//!          at d-1 steps chosen by chance whoever runs gets a low one
//! ```
//!
//! PCT is "A Randomized Scheduler with Probabilistic Guarantees of Finding
//! Bugs" (Burckhardt, Kothari, Musuvathi, Nagarakatte 2010): a bug that needs
//! d orders between steps to show (its depth) is found by one of n processes
//! and k steps with a chance of at least 1/(n·k^(d-1)) in each run. k is the
//! number of steps of one run without preemption. A process that calls
//! sched_yield(2) goes behind all others, so that waiting for another by
//! yielding does not last for ever.
//!
//! Run number n has a generator of its own, so that runs are the same whoever
//! makes them.
//!
//! Left out: schedules learnt from those that were tried before.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::crew::locked;
use super::found::{Bound, Exploration, Found};
use super::outcome::{End, Outcome};
use super::schedule::Schedule;
use super::search::{ExploreError, Means, Options, Subject, Watch};
use super::step::{Ready, Stepper};
use crate::base::Rng;
use crate::session::program::{Interpreter, Programs, Want};

/// How many runs, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Samples {
    /// So many.
    pub runs: u64,
    /// Seed of the first; the others count up from it.
    pub seed: u64,
    /// The depth of bugs that PCT looks for; `None`: each step is random.
    pub pct: Option<u32>,
}

/// Makes runs by chance. The bounds on depth and tasks hold for each.
///
/// # Errors
/// The kernel is broken.
pub fn sample(
    subject: &Subject,
    interpreter: &impl Interpreter,
    options: &Options,
    samples: Samples,
    means: Means<'_>,
    watch: Watch<'_>,
) -> Result<Exploration, ExploreError> {
    let length = match samples.pct {
        None => 0,
        Some(_) => {
            let mut sampler = Sampler::new(subject, interpreter, options);
            sampler.run(&mut Chance::Calm(0), &mut |_| ControlFlow::Continue(()))?.steps
        }
    };
    let next = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let all = Mutex::new((BTreeMap::new(), 0, Ok(())));
    std::thread::scope(|scope| {
        let help = || {
            means.crew.help(&|interpreter, stops| {
                let watch = &mut |_: &Programs, _| match stops() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                };
                let mut sampler = Sampler::new(subject, &interpreter, options);
                let result =
                    sampler.runs(samples, length, (&next, &over), means, watch, &mut || ());
                sampler.hand_in(&mut locked(&all), result);
            });
        };
        let hire = &mut || {
            for _ in 1..options.jobs {
                scope.spawn(help);
            }
        };
        let mut sampler = Sampler::new(subject, interpreter, options);
        let result = sampler.runs(samples, length, (&next, &over), means, watch, hire);
        sampler.hand_in(&mut locked(&all), result);
    });
    let (outcomes, steps, result) = all.into_inner().unwrap_or_else(|e| e.into_inner());
    result?;
    let mut hit = vec![Bound::Samples];
    if over.load(Ordering::Relaxed) {
        hit.push(Bound::Stopped);
    }
    let outcomes = outcomes.into_values().collect();
    Ok(Exploration { outcomes, hit, steps, ..Exploration::default() })
}

/// Outcomes so far, steps made, and why it did not go on.
type All = (BTreeMap<Outcome, Found>, u64, Result<(), ExploreError>);

/// One thread's runs.
struct Sampler<'s, I> {
    subject: &'s Subject,
    options: &'s Options,
    stepper: Stepper<'s, I>,
    found: BTreeMap<Outcome, Found>,
}

/// A run.
struct Run {
    programs: Programs,
    end: End,
    schedule: Schedule,
    /// As a search counts them.
    steps: u32,
}

impl<'s, I: Interpreter> Sampler<'s, I> {
    fn new(subject: &'s Subject, interpreter: &'s I, options: &'s Options) -> Sampler<'s, I> {
        let stepper = Stepper::new(interpreter, options.memory);
        Sampler { subject, options, stepper, found: BTreeMap::new() }
    }

    /// Makes runs until all are made, or it is enough.
    fn runs(
        &mut self,
        samples: Samples,
        length: u32,
        (next, over): (&AtomicU64, &AtomicBool),
        means: Means<'_>,
        watch: Watch<'_>,
        hire: &mut dyn FnMut(),
    ) -> Result<(), ExploreError> {
        let mut hired = false;
        while !over.load(Ordering::Relaxed) {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= samples.runs {
                break;
            }
            let mut chance = Chance::new(samples.seed.wrapping_add(n), samples.pct, length);
            let mut stopped = false;
            let ran = self.run(&mut chance, &mut |programs| {
                let flow = watch(programs, 0);
                stopped = flow.is_break();
                flow
            });
            let ran = ran.inspect_err(|_| over.store(true, Ordering::Relaxed))?;
            if stopped {
                over.store(true, Ordering::Relaxed);
                break;
            }
            means.meter.ran();
            let outcome = Outcome::of(&ran.programs, self.subject.first, ran.end);
            let Run { schedule, steps, .. } = ran;
            let found = Found { outcome, count: Some(1), schedule, steps };
            self.add(found, || means.meter.ended());
            if !hired && self.stepper.steps >= HIRE_AT {
                hired = true;
                hire();
            }
        }
        Ok(())
    }

    fn add(&mut self, found: Found, is_new: impl FnOnce()) {
        match self.found.get_mut(&found.outcome) {
            Some(old) => old.add(&found),
            None => {
                is_new();
                self.found.insert(found.outcome.clone(), found);
            }
        }
    }

    /// Adds what it has found to what others have.
    fn hand_in(self, all: &mut All, result: Result<(), ExploreError>) {
        for (outcome, found) in self.found {
            match all.0.get_mut(&outcome) {
                Some(old) => old.add(&found),
                None => {
                    all.0.insert(outcome, found);
                }
            }
        }
        all.1 += self.stepper.steps;
        if let (Ok(()), Err(e)) = (&all.2, result) {
            all.2 = Err(e);
        }
    }

    /// Makes one run.
    fn run(
        &mut self,
        chance: &mut Chance,
        after: &mut dyn FnMut(&Programs) -> ControlFlow<()>,
    ) -> Result<Run, ExploreError> {
        let bounds = &self.options.bounds;
        let mut programs = self.subject.programs.clone();
        let mut choices = Vec::new();
        let mut steps = 0;
        let end = loop {
            let ready = self.stepper.ready(&programs);
            if ready.is_empty() {
                break match programs.bodies().next() {
                    None => End::Finished,
                    Some(_) => End::Stuck,
                };
            }
            if steps as usize >= bounds.depth || programs.system.kernel.tasks.len() > bounds.tasks {
                break End::Cut;
            }
            let who = chance.process(&ready, steps);
            let way = chance.way(who.ways());
            let edge = self.stepper.step(&mut programs, who, way)?;
            choices.extend(edge.choices());
            steps += 1;
            if after(&programs).is_break() {
                break End::Cut;
            }
        };
        Ok(Run { programs, end, schedule: Schedule(choices), steps })
    }
}

/// How a run is chosen.
enum Chance {
    /// Whoever runs goes on until it sleeps or ends; with its number.
    Calm(u32),
    /// Anyone.
    Random(Rng),
    /// By priority.
    Pct {
        rng: Rng,
        /// Of the processes, by number.
        priorities: HashMap<u32, i64>,
        /// Steps at which whoever runs gets a low priority, and which.
        changes: BTreeMap<u32, i64>,
        /// Below all that were given.
        lowest: i64,
        /// Above all low ones.
        high: i64,
    },
}

impl Chance {
    fn new(seed: u64, pct: Option<u32>, length: u32) -> Chance {
        let mut rng = Rng::new(seed);
        let Some(depth) = pct else { return Chance::Random(rng) };
        let high = i64::from(depth.max(1));
        let mut changes = BTreeMap::new();
        // There may be fewer steps than changes.
        for priority in (1..high).take(length as usize) {
            loop {
                let step = rng.below(u64::from(length)) as u32;
                if let std::collections::btree_map::Entry::Vacant(place) = changes.entry(step) {
                    place.insert(priority);
                    break;
                }
            }
        }
        Chance::Pct { rng, priorities: HashMap::new(), changes, lowest: 0, high }
    }

    /// Chooses who goes on; there is at least one.
    fn process<'r>(&mut self, ready: &'r [Ready], step: u32) -> &'r Ready {
        match self {
            Chance::Calm(last) => {
                let who = ready.iter().find(|r| r.number == *last).unwrap_or(&ready[0]);
                *last = who.number;
                who
            }
            Chance::Random(rng) => &ready[rng.below(ready.len() as u64) as usize],
            Chance::Pct { rng, priorities, changes, lowest, high } => {
                for r in ready {
                    let any = || *high + (rng.next_u64() >> 2) as i64;
                    priorities.entry(r.number).or_insert_with(any);
                }
                let first = |priorities: &HashMap<u32, i64>| {
                    ready.iter().max_by_key(|r| priorities[&r.number]).expect("there is one")
                };
                let mut who = first(priorities);
                if let Some(low) = changes.remove(&step) {
                    priorities.insert(who.number, low);
                    who = first(priorities);
                }
                if matches!(who.want(), Want::Sys(call, _) if call.nr == NR_SCHED_YIELD) {
                    *lowest -= 1;
                    priorities.insert(who.number, *lowest);
                }
                who
            }
        }
    }

    /// Chooses one of `n` ways.
    fn way(&mut self, n: u32) -> u32 {
        match self {
            Chance::Calm(_) => 0,
            Chance::Random(rng) | Chance::Pct { rng, .. } => {
                if n > 1 {
                    rng.below(u64::from(n)) as u32
                } else {
                    0
                }
            }
        }
    }
}

const NR_SCHED_YIELD: u32 = 24;

/// Steps after which further threads are worth what they cost.
const HIRE_AT: u64 = if cfg!(test) { 1 } else { 2_000 };
