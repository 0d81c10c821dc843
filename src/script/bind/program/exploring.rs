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

use super::claims::{self, Caller, Checked, Claim};
use super::copies::Copies;
use super::{Language, MAIN, plain};
use crate::explore::claim::{Kind, Verdict};
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
    /// What is claimed of functions of the script, by their names.
    pub claims: Vec<(Kind, String)>,
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
    options.bounds.tasks = options.bounds.tasks.min(control.limits().tasks);
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

/// What was found, and what came of the claims.
pub type Claimed = (Exploration, Vec<Verdict>);

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
) -> Result<Claimed, Box<Report>> {
    let explored = || -> Raised<Claimed> {
        let claims = how.claims.iter().map(|(kind, name)| claims::by_name(ast, *kind, name));
        let claims: Vec<Claim> = claims.collect::<Result<_, _>>()?;
        let mut how = how.clone();
        for_claims(&mut how, &claims)?;
        let caller = Caller::File(engine, ast);
        explore_with(engine, control, ast, machine, (Start::new(MAIN), &how), (caller, claims))
    };
    explored().map_err(|error| {
        let context =
            crate::script::diagnose::Context { engine, control, ast: Some(ast), scope: None };
        Box::new(crate::script::diagnose::explain(context, &error))
    })
}

/// Whether the functions are there of which something is claimed.
///
/// # Errors
/// As a report, of the first that is not.
pub fn check_claims(ast: &AST, how: &Exploring) -> Result<(), Box<Report>> {
    for (kind, name) in &how.claims {
        if let Err(ScriptError::Usage { message, help }) = claims::by_name(ast, *kind, name) {
            let report = Report::error("forkyard::usage", message);
            return Err(Box::new(match help {
                Some(help) => report.help(help),
                None => report,
            }));
        }
    }
    Ok(())
}

/// Explores, and looks at claims meanwhile.
fn explore_with(
    engine: &Engine,
    control: &Control,
    ast: &AST,
    machine: &Machine,
    (start, how): (Start, &Exploring),
    (caller, claims): (Caller<'_>, Vec<Claim>),
) -> Raised<Claimed> {
    let mut checked = Checked::new(caller, machine, claims);
    let claims = checked.any();
    let look = &mut |programs: &Programs, node| checked.look(programs, node);
    let look: Option<Watch<'_>> = if claims { Some(look) } else { None };
    let found = explore(engine, control, ast, machine, start, how, look);
    let verdicts = checked.finish()?;
    Ok((found?, verdicts))
}

/// How states are looked at for claims.
fn for_claims(how: &mut Exploring, claims: &[Claim]) -> Result<(), ScriptError> {
    if claims.is_empty() {
        return Ok(());
    }
    if how.samples.is_some() {
        return Err(ScriptError::usage("explore: claims are about all states, not samples"));
    }
    // Orders that outcomes do not show pass through states that claims do.
    how.options.reduce = false;
    // They are functions of this engine, which lives on one thread.
    how.options.jobs = 1;
    Ok(())
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
    Ok((how, claims))
}

/// Registers `explore` and its result.
pub(super) fn register(book: &mut Book, control: &Control, machine: &Machine) {
    claims::register(book);
    let shared = Rc::new(RefCell::new((control.clone(), machine.clone())));
    let go = move |ctx: &NativeCallContext,
                   what: &Dynamic,
                   given: Result<(Exploring, Vec<Claim>), ScriptError>|
          -> Raised<Explored> {
        let (control, machine) = shared.borrow().clone();
        if control.tape().is_active() {
            return Err(ScriptError::usage("a program cannot explore programs").into());
        }
        let Some(ast) = control.script() else {
            return Err(ScriptError::usage("there is no script to take a function from").into());
        };
        control.set_started();
        let start = plain::start("explore: function", what)?;
        let (mut how, claims) = given?;
        for_claims(&mut how, &claims)?;
        let claims = (Caller::Script(ctx), claims);
        let (found, verdicts) =
            explore_with(ctx.engine(), &control, &ast, &machine, (start, &how), claims)?;
        Ok(Explored(Rc::new(found), verdicts.into()))
    };
    let (with_map, with_claim, with_claims) = (go.clone(), go.clone(), go.clone());
    let only = |claims: &Dynamic| Ok((Exploring::default(), claims::made(claims)?));
    functions! { book;
        /// Finds all that can come of running a function as a process, with
        /// one schedule for each. The machine stays as it is.
        "explore(function: function|string) -> Explored" =>
            move |ctx: NativeCallContext, f: Dynamic| go(&ctx, &f, how(&Map::new()));
        /// The same with #{memory: each load and store is a step, states,
        /// depth, preemptions: bounds, reduce: leave out orders that nobody
        /// can tell apart, jobs: threads, samples, seed, pct: make some runs by
        /// chance instead, always, never, exists: claims about each state, functions of the
        /// machine in that state, claims: an array of claims}.
        "explore(function: function|string, options: map) -> Explored" =>
            move |ctx: NativeCallContext, f: Dynamic, map: Map| with_map(&ctx, &f, how(&map));
        /// The same with a claim that `always`, `never` or `exists` has made.
        "explore(function: function|string, claim: Claim) -> Explored" =>
            move |ctx: NativeCallContext, f: Dynamic, claim: Claim| {
                with_claim(&ctx, &f, only(&Dynamic::from(claim)))
            };
        /// The same with several.
        "explore(function: function|string, claims: array) -> Explored" =>
            move |ctx: NativeCallContext, f: Dynamic, claims: Array| {
                with_claims(&ctx, &f, only(&claims.into()))
            };
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
        /// claim, condition (a function's name, or ""), holds, and the schedule to a
        /// state that shows it, or ().
        "claims: array" => |e: &mut Explored| {
            e.1.iter().map(|v| Dynamic::from(claims::map(v, &e.0))).collect::<Array>()
        };
        /// Whether all that was claimed holds in the states looked at.
        "holds: bool" => |e: &mut Explored| e.1.iter().all(Verdict::holds);
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
