//! The search against itself: all runs one by one, states merged, orders left
//! out, several threads, shards, and runs by chance must find the same.
//! Programs are random and in a language of a few instructions.

mod mini;

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use super::found::{Bound, Found};
use super::lines::{lines, merge};
use super::meter::Meter;
use super::outcome::{End, Outcome};
use super::run::{Ending, run};
use super::sample::{Samples, sample};
use super::schedule::Policy;
use super::search::{Bounds, Exploration, Means, Options, Subject, explore};
use super::shard::Shard;
use super::state::{self, Key};
use super::step::Stepper;
use crate::base::Rng;
use crate::kernel::boot::{self, BootConfig};
use crate::session::program::{Programs, Start};
use mini::Mini;

fn started() -> Subject {
    let mut programs = Programs::new(boot::boot(&BootConfig::default()).unwrap());
    let first = programs.start(Start::new("main")).unwrap();
    let first = programs.system.task(first).pid;
    Subject { programs, first }
}

fn search(mini: &Mini, options: &Options) -> Exploration {
    let means = Means { crew: mini, meter: &Meter::default(), looks: false };
    explore(&started(), mini, options, means, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

fn outcomes(found: &Exploration) -> Vec<&Outcome> {
    found.outcomes.iter().map(|f| &f.outcome).collect()
}

fn counts(found: &Exploration) -> BTreeMap<&Outcome, Option<u64>> {
    found.outcomes.iter().map(|f| (&f.outcome, f.count)).collect()
}

/// Most states of a program that is compared.
const STATES: usize = 500;

fn options(memory: bool) -> Options {
    let bounds = Bounds { states: STATES, ..Bounds::default() };
    Options { bounds, memory, reduce: false, ..Options::default() }
}

/// Searches with and without reduction, and `dearly` in all other ways. `None`:
/// the program is too large to compare. `true`: small enough to go through its
/// runs one by one, too.
fn compare(mini: &Mini, memory: bool, dearly: bool) -> Option<bool> {
    let all = options(memory);
    let merged = search(mini, &all);
    if !merged.complete() {
        return None;
    }
    let reduced = search(mini, &Options { reduce: true, ..all.clone() });
    assert!(reduced.complete());
    assert_eq!(outcomes(&reduced), outcomes(&merged), "reducing: {mini:?}");
    assert!(reduced.graph.len() <= merged.graph.len());
    for found in &reduced.outcomes {
        replays(mini, found);
    }
    // These cost the most, and say the least of a single program.
    if !dearly {
        return Some(false);
    }
    with_threads(mini, &merged, &all);
    in_shards(mini, &merged, &all);
    by_chance(mini, &merged, &all);
    let every_run = search(mini, &Options { merge: false, ..all });
    if every_run.complete() {
        assert_eq!(counts(&merged), counts(&every_run), "merging: {mini:?}");
        bounded(mini, &merged, memory);
    }
    Some(every_run.complete())
}

/// A schedule makes the outcome again.
fn replays(mini: &Mini, found: &Found) {
    if found.outcome.end == End::Endless {
        return;
    }
    let Subject { mut programs, first } = started();
    let schedule = found.schedule.to_string();
    let mut policy = Policy::parse(&schedule, 0).unwrap();
    let ran = run(&mut programs, mini, &mut policy, 1_000, |_| ControlFlow::Continue(())).unwrap();
    let end = match ran.ending {
        Ending::Finished => End::Finished,
        Ending::Stuck(_) => End::Stuck,
        other => panic!("{other:?}"),
    };
    assert_eq!(Outcome::of(&programs, first, end), found.outcome, "{schedule}: {mini:?}");
    assert_eq!(ran.schedule.to_string(), schedule);
}

/// The number of threads changes nothing.
fn with_threads(mini: &Mini, one: &Exploration, all: &Options) {
    let two = search(mini, &Options { jobs: 2, ..all.clone() });
    assert_eq!(two.outcomes, one.outcomes, "two threads: {mini:?}");
    if two.graph != one.graph {
        let (a, b) = (&one.graph, &two.graph);
        let other = (0..a.len()).find(|n| a.edges(*n) != b.edges(*n));
        let at = other.unwrap_or_default();
        let (way, edges) = (a.schedule_to(at), (a.edges(at), b.edges(at)));
        let sizes = (a.len(), b.len(), one.steps, two.steps);
        panic!("two threads: {sizes:?}, {other:?} after {way}: {edges:?}: {mini:?}");
    }
    assert_eq!((two.states, two.steps, &two.hit), (one.states, one.steps, &one.hit));
}

/// All shards together find what one search does.
fn in_shards(mini: &Mini, one: &Exploration, all: &Options) {
    let of = 3;
    let mut files = Vec::new();
    for index in 1..=of {
        let shard = Shard::new(index, of).unwrap();
        let means = Means { crew: mini, meter: &Meter::default(), looks: false };
        let watch = &mut |_: &Programs, _| ControlFlow::Continue(());
        let found = shard.explore(&started(), mini, all, means, watch).unwrap();
        assert_eq!(found.hit, [Bound::Shards]);
        files.push((format!("{index}"), lines(&found, shard, "x")));
    }
    // A state that a circle passes can be the first of an endless run.
    let shown = |found: &Exploration| -> Vec<Found> {
        let mut list = found.outcomes.clone();
        list.retain(|f| f.outcome.end != End::Endless);
        list
    };
    let merged = merge(&files).unwrap();
    assert!(merged.complete());
    assert_eq!(shown(&merged), shown(one), "shards: {mini:?}");
    assert_eq!(outcomes(&merged), outcomes(one), "shards: {mini:?}");
    files.remove(1);
    assert_eq!(merge(&files).unwrap().hit, [Bound::Shards]);
}

/// Runs by chance end in nothing else.
fn by_chance(mini: &Mini, one: &Exploration, all: &Options) {
    let bounds = Bounds { depth: 200, ..all.bounds.clone() };
    let all = Options { bounds, ..all.clone() };
    for pct in [None, Some(2)] {
        let samples = Samples { runs: 5, seed: 3, pct };
        let made = |jobs: usize| {
            let means = Means { crew: mini, meter: &Meter::default(), looks: false };
            let watch = &mut |_: &Programs, _| ControlFlow::Continue(());
            let options = Options { jobs, ..all.clone() };
            sample(&started(), mini, &options, samples, means, watch).unwrap()
        };
        let found = made(1);
        assert_eq!(found.outcomes, made(2).outcomes, "two threads: {mini:?}");
        assert_eq!(found.outcomes.iter().filter_map(|f| f.count).sum::<u64>(), samples.runs);
        for one_run in found.outcomes.iter().filter(|f| f.outcome.end != End::Cut) {
            let known = outcomes(one).contains(&&one_run.outcome);
            assert!(known, "by chance {:?}: {mini:?}", one_run.outcome);
            replays(mini, one_run);
        }
    }
}

/// Under bounds, exactly what lies within them is found.
fn bounded(mini: &Mini, all: &Exploration, memory: bool) {
    for depth in [4, 9] {
        let bounds = Bounds { depth, ..Bounds::default() };
        let cut = search(mini, &Options { bounds, ..options(memory) });
        let near = |f: &&Found| f.steps as usize <= depth && f.outcome.end != End::Endless;
        let within: Vec<&Outcome> = all.outcomes.iter().filter(near).map(|f| &f.outcome).collect();
        let ended: Vec<&Outcome> =
            outcomes(&cut).into_iter().filter(|o| o.end != End::Endless).collect();
        assert_eq!(ended, within, "depth {depth}: {mini:?}");
    }
    let bounds = Bounds { preemptions: Some(1), ..Bounds::default() };
    let merged = Options { bounds, ..options(memory) };
    let few = search(mini, &merged);
    let every_run = search(mini, &Options { merge: false, ..merged.clone() });
    assert_eq!(counts(&few), counts(&every_run), "preemptions: {mini:?}");
    let reduced = search(mini, &Options { reduce: true, ..merged });
    assert_eq!(outcomes(&reduced), outcomes(&few), "preemptions, reducing: {mini:?}");
}

/// Where states lead that have a key.
type Seen = HashMap<Key, (Programs, Vec<(u32, Key)>)>;

/// States with the same key go on in the same way: what is left out of the key
/// makes no difference later.
fn same_keys_go_on_alike(mini: &Mini, memory: bool) {
    let mut seen: Seen = HashMap::new();
    let mut open = vec![started().programs];
    while let Some(programs) = open.pop() {
        let key = state::key(&programs);
        let (next, behind) = successors(mini, &programs, memory);
        if let Some((first, known)) = seen.get(&key) {
            if *known != next {
                let (a, b) = (successors(mini, first, memory), successors(mini, &programs, memory));
                let at = (0..next.len()).find(|i| known[*i] != next[*i]).unwrap_or(0);
                let lines = differences(&a.1[at], &b.1[at]);
                panic!("equal states go on differently: {mini:?}\n{lines}");
            }
        } else if seen.len() < STATES {
            seen.insert(key, (programs, next));
            open.extend(behind);
        }
    }
}

fn successors(mini: &Mini, programs: &Programs, memory: bool) -> (Vec<(u32, Key)>, Vec<Programs>) {
    let mut stepper = Stepper::new(mini, memory);
    let (mut keys, mut states) = (Vec::new(), Vec::new());
    for who in stepper.ready(programs) {
        for way in 0..who.ways() {
            let mut programs = programs.clone();
            stepper.step(&mut programs, &who, way).unwrap();
            keys.push((who.number, state::key(&programs)));
            states.push(programs);
        }
    }
    (keys, states)
}

/// The lines in which two states differ.
fn differences(a: &Programs, b: &Programs) -> String {
    let (a, b) = (format!("{a:#?}"), format!("{b:#?}"));
    let diff = similar::TextDiff::from_lines(&a, &b);
    let hunks = diff.unified_diff().context_radius(2).to_string();
    hunks.lines().take(300).collect::<Vec<_>>().join("\n")
}

#[test]
fn states_with_the_same_key_are_the_same() {
    let mut rng = Rng::new(7);
    for n in 0..60 {
        let len = 2 + rng.below(5);
        same_keys_go_on_alike(&Mini::random(&mut rng, len), n % 2 == 0);
    }
}

#[test]
fn forks_and_ends_that_nobody_minds_lose_no_outcome() {
    let mut rng = Rng::new(3);
    let (mut compared, mut fewer) = (0, 0);
    for n in 0..200 {
        let len = 3 + rng.below(4);
        let mini = Mini::modest(&mut rng, len, n % 2 == 0);
        let all = options(false);
        let every = search(&mini, &all);
        if every.complete() {
            let reduced = search(&mini, &Options { reduce: true, ..all });
            assert_eq!(outcomes(&reduced), outcomes(&every), "{mini:?}");
            compared += 1;
            fewer += u64::from(reduced.states < every.states);
        }
    }
    assert!(compared > 100 && fewer > 50, "{compared} programs, {fewer} with fewer states");
}

/// Random programs compared.
const PROGRAMS: usize = 500;

#[test]
fn searches_of_random_programs_agree() {
    let mut rng = Rng::new(1);
    let (mut compared, mut run_by_run, mut tried) = (0, 0, 0);
    while compared < PROGRAMS {
        tried += 1;
        let len = 2 + rng.below(5);
        let mini = Mini::random(&mut rng, len);
        if let Some(each_run) = compare(&mini, tried % 2 == 0, compared % 3 == 0) {
            compared += 1;
            run_by_run += usize::from(each_run);
        }
    }
    assert!(tried < 3 * PROGRAMS, "{tried} programs for {compared} that are small enough");
    assert!(run_by_run > PROGRAMS / 6, "{run_by_run} programs were small enough for that");
}
