//! Exploring programs: `explore("main")` in a script, `forkyard explore FILE`
//! for a file that only defines `main`.
//!
//! Left out: the search; `explore` has it.

use std::cell::RefCell;
use std::fmt;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use rhai::{AST, Array, Dynamic, Engine, Map, NativeCallContext};

use super::claims::{self, Checked, Claim, Verdict};
use super::copies::Copies;
use super::{Language, MAIN, plain};
use crate::explore::crew::{Alone, Crew};
use crate::explore::guided::{self, Goal, Reached};
use crate::explore::meter::Meter;
use crate::explore::sample::{Samples, sample};
use crate::explore::search::{Found, Watch};
use crate::explore::shard::Shard;
use crate::explore::{self, Exploration, ExploreError, Means, Subject, graph, show};
use crate::script::bind::args::Named;
use crate::script::bind::registry::{Book, Raised, functions, getters};
use crate::script::bind::world::Machine;
use crate::script::control::Control;
use crate::script::diagnostic::Report;
use crate::script::errors::ScriptError;
use crate::session::program::{ProgramError, Programs, Start};

/// How to explore.
#[derive(Debug, Clone, Default)]
pub struct Exploring {
    /// The search.
    pub options: explore::Options,
    /// Make some runs by chance instead.
    pub samples: Option<Samples>,
    /// Only a part of the work.
    pub shard: Option<Shard>,
    /// Counts meanwhile.
    pub meter: Arc<Meter>,
}

/// What was found, as scripts hold it.
#[derive(Clone)]
struct Explored(Rc<Exploration>, Rc<[Verdict]>);

/// One outcome, as scripts hold it.
#[derive(Clone)]
struct Way(Rc<Exploration>, usize);

impl Way {
    fn found(&self) -> &Found {
        &self.0.outcomes[self.1]
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(show::text(&self.0).trim_end())?;
        let mut verdicts = self.1.iter();
        verdicts.try_for_each(|v| write!(f, "\n\n{}", v.text(&self.0)))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, outcome) = (self.found(), &self.found().outcome);
        write!(f, "{}: {:?}, schedule {}", outcome.end, outcome.output, one.schedule)
    }
}

/// Explores a function as the first program of a copy of a machine.
fn explore(
    engine: &Engine,
    control: &Control,
    ast: &AST,
    machine: &Machine,
    start: Start,
    how: &Exploring,
    mut look: Option<Watch<'_>>,
) -> Result<Exploration, ScriptError> {
    let mut language = Language::new(engine, control, ast);
    language.explores();
    let mut programs = language.programs(machine.read(Clone::clone));
    programs.system.kernel.console.clear();
    let mut options = how.options.clone();
    options.bounds.tasks = control.limits().tasks;
    let started = programs.start(start).map_err(|e| broken(e.into()))?;
    let first = programs.system.task(started).pid;
    let subject = Subject { programs, first };
    let looks = look.is_some();
    let watch = &mut |programs: &Programs, node| match control.stopped() {
        None if !control.is_interrupted() => match &mut look {
            Some(look) => look(programs, node),
            None => ControlFlow::Continue(()),
        },
        _ => ControlFlow::Break(()),
    };
    let copies = (options.jobs > 1).then(|| Copies::of(control, ast, machine)).flatten();
    let crew: &dyn Crew = copies.as_ref().map_or(&Alone, |copies| copies);
    let means = Means { crew, meter: &how.meter, looks };
    let found = match (how.samples, how.shard) {
        (Some(samples), _) => sample(&subject, &language, &options, samples, means, watch),
        (None, Some(shard)) => shard.explore(&subject, &language, &options, means, watch),
        (None, None) => explore::explore(&subject, &language, &options, means, watch),
    };
    if let Some(copies) = &copies {
        copies.tell(control);
    }
    found.map_err(broken)
}

fn broken(e: ExploreError) -> ScriptError {
    match e {
        ExploreError::Program(ProgramError::Oops(oops)) => ScriptError::Oops(Box::new(oops)),
        other => ScriptError::usage(other.to_string()),
    }
}

/// Explores `main` of a file that starts nothing itself.
///
/// # Errors
/// As a report.
pub fn explore_main(
    engine: &Engine,
    control: &Control,
    ast: &AST,
    machine: &Machine,
    how: &Exploring,
) -> Result<Exploration, Box<Report>> {
    let start = Start::new(MAIN);
    explore(engine, control, ast, machine, start, how, None).map_err(|e| {
        let context =
            crate::script::diagnose::Context { engine, control, ast: Some(ast), scope: None };
        let error: Box<rhai::EvalAltResult> = e.into();
        Box::new(crate::script::diagnose::explain(context, &error))
    })
}

/// Most threads.
pub const MOST_JOBS: u64 = 256;
/// Looks for one outcome of `main`, among at most so many states.
///
/// # Errors
/// As a report.
pub fn reach_main(
    engine: &Engine,
    control: &Control,
    ast: &AST,
    machine: &Machine,
    states: usize,
    goal: &impl Goal,
) -> Result<Reached, Box<Report>> {
    let mut language = Language::new(engine, control, ast);
    language.explores();
    let mut programs = language.programs(machine.read(Clone::clone));
    programs.system.kernel.console.clear();
    programs.masks_between_calls = true;
    let started = programs.start(Start::new(MAIN)).map_err(|e| broken(e.into()));
    let reached = started.and_then(|task| {
        let first = programs.system.task(task).pid;
        let stop = || control.stopped().is_some();
        guided::reach(programs, first, &language, states, goal, &stop).map_err(broken)
    });
    reached.map_err(|e| {
        let context =
            crate::script::diagnose::Context { engine, control, ast: Some(ast), scope: None };
        let error: Box<rhai::EvalAltResult> = e.into();
        Box::new(crate::script::diagnose::explain(context, &error))
    })
}

/// Options from a map.
fn how(map: &Map) -> Result<(Exploring, Vec<Claim>), ScriptError> {
    let mut named = Named::new("explore", map);
    let mut how = Exploring::default();
    let yes = |named: &mut Named, name: &'static str, default: bool| match named.get(name) {
        None => Ok(default),
        Some(v) => v
            .as_bool()
            .map_err(|_| ScriptError::usage(format!("explore: {name} must be true or false"))),
    };
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let bounds = &mut how.options.bounds;
    bounds.states = size(named.word("states", bounds.states as u64)?);
    bounds.depth = size(named.word("depth", bounds.depth as u64)?);
    if map.contains_key("preemptions") {
        let most = named.word("preemptions", 0)?;
        bounds.preemptions = Some(u32::try_from(most).unwrap_or(u32::MAX));
    }
    let seed = named.word("seed", 0)?;
    let pct = match map.contains_key("pct") {
        true => Some(u32::try_from(named.word("pct", 0)?).unwrap_or(u32::MAX)),
        false => None,
    };
    if map.contains_key("samples") {
        how.samples = Some(Samples { runs: named.word("samples", 0)?, seed, pct });
    } else if pct.is_some() {
        return Err(ScriptError::usage("explore: pct is a way to make samples: say how many"));
    }
    how.options.jobs = size(named.word("jobs", 1)?.clamp(1, MOST_JOBS));
    how.options.memory = yes(&mut named, "memory", false)?;
    how.options.reduce = yes(&mut named, "reduce", true)?;
    let claims = claims::claims(&mut named)?;
    named.finish()?;
    if !claims.is_empty() {
        if how.samples.is_some() {
            return Err(ScriptError::usage("explore: claims are about all states, not samples"));
        }
        // Orders that outcomes do not show pass through states that claims do.
        how.options.reduce = false;
        // They are functions of this engine, which lives on one thread.
        how.options.jobs = 1;
    }
    Ok((how, claims))
}

/// Registers `explore` and its result.
pub(super) fn register(book: &mut Book, control: &Control, machine: &Machine) {
    let shared = Rc::new(RefCell::new((control.clone(), machine.clone())));
    let go = move |ctx: &NativeCallContext, what: &Dynamic, map: &Map| -> Raised<Explored> {
        let (control, machine) = shared.borrow().clone();
        if control.tape().is_active() {
            return Err(ScriptError::usage("a program cannot explore programs").into());
        }
        let Some(ast) = control.script() else {
            return Err(ScriptError::usage("there is no script to take a function from").into());
        };
        control.set_started();
        let start = plain::start("explore: function", what)?;
        let (how, claims) = how(map)?;
        let mut checked = Checked::new(ctx, &machine, claims);
        let claims = checked.any();
        let look = &mut |programs: &Programs, node| checked.look(programs, node);
        let look: Option<Watch<'_>> = if claims { Some(look) } else { None };
        let found = explore(ctx.engine(), &control, &ast, &machine, start, &how, look);
        let verdicts = checked.finish()?;
        Ok(Explored(Rc::new(found?), verdicts.into()))
    };
    let with_map = go.clone();
    functions! { book;
        /// Finds all that can come of running a function as a process, with
        /// one schedule for each. The machine stays as it is.
        "explore(function: function|string) -> Explored" =>
            move |ctx: NativeCallContext, f: Dynamic| go(&ctx, &f, &Map::new());
        /// The same with #{memory: each load and store is a step, states,
        /// depth, preemptions: bounds, reduce: leave out orders that nobody
        /// can tell apart, jobs: threads, samples, seed, pct: make some runs by
        /// chance instead, always, never, exists: claims about each state, functions of the
        /// machine in that state}.
        "explore(function: function|string, options: map) -> Explored" =>
            move |ctx: NativeCallContext, f: Dynamic, map: Map| with_map(&ctx, &f, &map);
    }
    book.prints::<Explored>("Explored");
    getters! { book, Explored;
        /// Whether these are all outcomes.
        "complete: bool" => |e: &mut Explored| e.0.complete();
        /// The bounds that were hit, by name.
        "bounds_hit: array" => |e: &mut Explored| {
            e.0.hit.iter().map(|b| b.name().into()).collect::<Array>()
        };
        /// Number of states looked at.
        "states: int" => |e: &mut Explored| e.0.states as i64;
        /// Number of steps made.
        "steps: int" => |e: &mut Explored| e.0.steps as i64;
        /// The outcomes, ordered by what they print.
        "outcomes: array" => |e: &mut Explored| {
            let way = |i| Dynamic::from(Way(e.0.clone(), i));
            (0..e.0.outcomes.len()).map(way).collect::<Array>()
        };
        /// What was claimed, in the order always, never, exists: a map each of
        /// claim, holds, and the schedule to a state that shows it, or ().
        "claims: array" => |e: &mut Explored| {
            e.1.iter().map(|v| Dynamic::from(v.map(&e.0))).collect::<Array>()
        };
        /// All of it as a JSON text.
        "json: string" => |e: &mut Explored| show::json(&e.0).to_string();
        /// The graph of states for Graphviz.
        "dot: string" => |e: &mut Explored| graph::dot(&e.0);
    }
    book.prints::<Way>("Way");
    getters! { book, Way;
        /// What the programs wrote to the console.
        "output: string" => |w: &mut Way| w.found().outcome.output.clone();
        /// The first process's exit code as a shell gives it; () if it has not
        /// ended.
        "exit: int" => |w: &mut Way| {
            w.found().outcome.exit().map_or(Dynamic::UNIT, Into::into)
        };
        /// "finished", "stuck", "endless", or "cut" when it was not followed
        /// to its end.
        "ending: string" => |w: &mut Way| w.found().outcome.end.to_string();
        /// The processes that are left, in words.
        "left: array" => |w: &mut Way| {
            w.found().outcome.left.iter().map(|s| s.clone().into()).collect::<Array>()
        };
        /// Errors that nobody caught, in words.
        "crashes: array" => |w: &mut Way| {
            w.found().outcome.crashes.iter().map(|s| s.clone().into()).collect::<Array>()
        };
        /// Number of runs that end so; () if there is no end of them.
        "count: int" => |w: &mut Way| {
            w.found().count.map_or(Dynamic::UNIT, |n| (n as i64).into())
        };
        /// The choices of one of them, for `run(f, #{schedule: …})`.
        "schedule: string" => |w: &mut Way| w.found().schedule.to_string();
    }
}
