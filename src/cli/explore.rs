//! `forkyard explore`: reads a program, finds what can come of running it, and
//! prints that; or puts together what shards have found.
//!
//! Left out: the search.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use super::args::{ErrorFormat, Explore, ExploreClaims, ExploreFormat};
use super::console::Console;
use super::execute::{Afterwards, Plan};
use super::progress::Progress;
use super::{OK, USAGE, files, interrupt};
use crate::explore::claim::{self, Kind, Verdict};
use crate::explore::sample::Samples;
use crate::explore::shard::Shard;
use crate::explore::{Exploration, graph, lines, show};
use crate::script::bind::program::Exploring;
use crate::script::diagnostic::Report;

/// Threads unless it is told otherwise: the first of them does most for what it
/// takes.
const JOBS: usize = 2;

/// What is printed of an exploration.
#[derive(Debug, Clone)]
pub enum Shown {
    /// A format.
    As(ExploreFormat),
    /// Lines of a shard, and what stands for program and options.
    Lines(Shard, String),
}

impl Shown {
    /// The text.
    pub fn text(&self, found: &Exploration, claims: &[Verdict]) -> String {
        match self {
            Shown::As(ExploreFormat::Text) => {
                let lines = claim::lines(found, claims, "");
                let between = if lines.is_empty() { "" } else { "\n" };
                format!("{}{between}{lines}", show::text(found))
            }
            Shown::As(ExploreFormat::Json) => {
                let mut json = show::json(found);
                if !claims.is_empty() {
                    json["claims"] = claim::json(found, claims);
                }
                format!("{json}\n")
            }
            Shown::As(ExploreFormat::Dot) => {
                format!("{}{}", graph::dot(found), claim::lines(found, claims, "// "))
            }
            Shown::Lines(shard, program) => lines::lines(found, *shard, program),
        }
    }
}

/// Explores what the arguments say and gives the exit code.
pub fn explore(args: &Explore, console: &Console) -> u8 {
    let code = match &args.file {
        Some(file) => explore_file(file, args, console),
        None => merge(args, console),
    };
    console.close(code)
}

fn explore_file(file: &Path, args: &Explore, console: &Console) -> u8 {
    let format = ErrorFormat::Human;
    let plan = files::read(file).map_err(|e| Box::new(e.report()));
    let plan = plan.and_then(Plan::new);
    let mut plan = match plan {
        Ok((plan, _)) => plan,
        Err(report) => {
            console.report(&report, format);
            return USAGE;
        }
    };
    plan.machine = args.boot.machine().or(&plan.machine);
    plan.interrupt = interrupt::flag(console.out());
    plan.afterwards = Afterwards::Ends;
    let how = how(args);
    let shown = match how.shard {
        Some(shard) => Shown::Lines(shard, fingerprint(&plan, &how)),
        None => Shown::As(args.format),
    };
    let progress = Progress::begin(&how.meter);
    plan.explore = Some((how, shown));
    let to = console.clone();
    let finished = plan.run(console.out(), move |text| to.note(text.trim_end()));
    drop(progress);
    console.reports(&finished.reports, format);
    finished.code
}

/// How to explore, as the arguments say.
fn how(args: &Explore) -> Exploring {
    let mut how = Exploring { shard: args.sharing.shard, ..Exploring::default() };
    how.samples = args.bounds.samples.map(|runs| Samples {
        runs,
        seed: args.boot.seed.unwrap_or(0),
        pct: args.bounds.pct,
    });
    let processors = || std::thread::available_parallelism().map_or(1, usize::from).min(JOBS);
    how.options.jobs = args.jobs.map_or_else(processors, |n| n as usize);
    how.options.memory = args.memory;
    let ExploreClaims { always, never, exists } = &args.claims;
    for (kind, names) in [(Kind::Always, always), (Kind::Never, never), (Kind::Exists, exists)] {
        how.claims.extend(names.iter().map(|name| (kind, name.clone())));
    }
    let bounds = &mut how.options.bounds;
    bounds.states = args.bounds.states.unwrap_or(bounds.states);
    bounds.depth = args.bounds.depth.unwrap_or(bounds.depth);
    bounds.preemptions = args.bounds.preemptions;
    how
}

/// Stands for all that decides what is found.
fn fingerprint(plan: &Plan, how: &Exploring) -> String {
    let mut options = how.options.clone();
    options.jobs = 1;
    let mut h = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut h);
    plan.input.text.hash(&mut h);
    format!("{options:?} {:?} {:?}", plan.machine, plan.limits).hash(&mut h);
    format!("{:016x}", h.finish())
}

/// Puts together what shards have found.
fn merge(args: &Explore, console: &Console) -> u8 {
    let wrong = |report: Report| {
        console.report(&report, ErrorFormat::Human);
        USAGE
    };
    if args.format == ExploreFormat::Dot {
        let message = "shards do not write the graph of states: there is nothing to draw";
        return wrong(Report::error("forkyard::input", message));
    }
    let mut texts = Vec::new();
    for file in &args.sharing.merge {
        match files::read_result(file) {
            Ok(input) => texts.push((input.name, input.text)),
            Err(e) => return wrong(e.report()),
        }
    }
    match lines::merge(&texts) {
        Err(e) => wrong(Report::error("forkyard::input", e.to_string())),
        Ok(found) => {
            console.print(&Shown::As(args.format).text(&found, &[]));
            OK
        }
    }
}
