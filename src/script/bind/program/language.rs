//! The functions of a script as the user mode of processes: what each asks
//! next, found by going on from where it has asked last, or by reading its tape
//! from the start.
//!
//! Left out: the questions; see `calls` and its neighbours.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, Scope};

use super::{calls, plain, pthread};
use crate::kernel::system::System;
use crate::script::control::Control;
use crate::script::diagnose::{self, Context};
use crate::script::diagnostic::Report;
use crate::script::errors::ScriptError;
use crate::script::repertoire;
use crate::script::vm::{End, Place, Ran, Runner};
use crate::session::program::{Body, Child, Frame, Interpreter, Programs, Repertoire, Start, Want};
use crate::trace::Origin;

/// The functions of a script as the user mode of processes.
pub struct Language<'e> {
    engine: &'e Engine,
    pub(super) control: &'e Control,
    ast: &'e AST,
    /// Errors that nobody caught, by their text.
    crashes: RefCell<BTreeMap<Box<str>, Report>>,
    /// Operations that all runs of functions together have taken.
    spent: Cell<u64>,
    /// Goes on from places.
    runner: Runner<'e>,
    places: RefCell<Places>,
    by_places: bool,
}

impl<'e> Language<'e> {
    /// The functions of a script.
    pub fn new(engine: &'e Engine, control: &'e Control, ast: &'e AST) -> Language<'e> {
        let functions = ast.iter_functions().map(|f| (f.name.to_string(), f.params.len()));
        control.set_functions(functions.collect());
        Language {
            engine,
            control,
            ast,
            crashes: RefCell::default(),
            spent: Cell::new(0),
            runner: Runner::new(engine, control, ast),
            places: RefCell::default(),
            by_places: true,
        }
    }

    /// Whether functions go on from places (they do unless this says
    /// otherwise), or each tape is read from its start for each question.
    pub(super) fn set_places(&mut self, go_on: bool) {
        self.by_places = go_on;
    }

    /// Keeps many places, because one comes back to old ones.
    pub(super) fn explores(&mut self) {
        self.places.get_mut().kept = KEPT_EXPLORING;
    }

    /// A system with the script's functions as programs: /bin/NAME each.
    pub fn programs(&self, system: System) -> Programs {
        let mut programs = Programs::new(system);
        programs.install(self.function_names());
        programs
    }

    /// The functions of the script that have names.
    pub fn function_names(&self) -> impl Iterator<Item = &str> {
        let named = |name: &&str| !name.starts_with("anon$");
        self.ast.iter_functions().map(|f| f.name).filter(named)
    }

    /// Operations that running functions has taken so far, those for reading
    /// tapes again included.
    pub(super) fn spent(&self) -> u64 {
        self.spent.get()
    }

    /// The report of an error that ended a program.
    pub fn report(&self, message: &str) -> Report {
        let found = self.crashes.borrow().get(message).cloned();
        found.unwrap_or_else(|| Report::error("forkyard::program", message.to_string()))
    }

    /// The arguments of a function of the script, as it takes them.
    fn arguments(&self, start: &Start, handler: bool) -> Result<Vec<Dynamic>, ScriptError> {
        let function = self.ast.iter_functions().find(|f| f.name == &*start.function);
        let Some(function) = function else {
            return Err(ScriptError::usage(format!("there is no function `{}`", start.function)));
        };
        let mut given: Vec<Dynamic> =
            start.args.iter().map(|v| plain::dynamic(self.ast, v)).collect();
        if handler && let (Some(first), Some(number)) = (given.first_mut(), start.args.first()) {
            *first = calls::signal(number);
        }
        let params = function.params.len();
        // A function may leave out what it does not look at.
        given.truncate(params);
        if given.len() < params {
            return Err(ScriptError::usage(format!(
                "`{}` is started with {} arguments and takes {params}",
                start.function,
                given.len()
            )));
        }
        Ok(given)
    }

    /// Runs a function from its start.
    pub(super) fn call(&self, start: &Start, handler: bool) -> Result<Dynamic, Box<EvalAltResult>> {
        if let Some((thread, routine)) = pthread::routine(start) {
            let value = self.call(&routine, false)?;
            return pthread::returned(self.control, thread, &value);
        }
        let given = self.arguments(start, handler)?;
        let options = CallFnOptions::new().eval_ast(false).rewind_scope(true);
        let mut scope = Scope::new();
        self.engine.call_fn_with_options(options, &mut scope, self.ast, &*start.function, given)
    }

    /// The report of an error that nobody caught.
    pub(super) fn uncaught(&self, error: &EvalAltResult) -> Report {
        let context = Context {
            engine: self.engine,
            control: self.control,
            ast: Some(self.ast),
            scope: None,
        };
        diagnose::explain(context, error)
    }

    /// What a program does that is not a function of the script.
    fn without_function(&self, path: &str) -> Want {
        match path {
            "/bin/true" => Want::Return(0),
            "/bin/false" => Want::Return(1),
            path => {
                let message = format!("{path} is a file without a program in it");
                let help = match path.strip_prefix("/bin/") {
                    Some(name) => format!("`fn {name}(argv) {{ … }}` in the script is its program"),
                    None => "the programs that can run are functions of the script, as /bin/NAME, \
                             and /bin/true and /bin/false"
                        .to_string(),
                };
                self.crash(Report::error("forkyard::program", message).help(help))
            }
        }
    }

    fn crash(&self, report: Report) -> Want {
        // The same words from another line are another error.
        let line = report.source.as_ref().zip(report.labels.first());
        let line = line.map(|(source, label)| source.line_column(label.span.start).0);
        let message: Box<str> = match line {
            Some(line) => format!("{}, line {line}", report.message).into(),
            None => report.message.clone().into(),
        };
        self.crashes.borrow_mut().insert(message.clone(), report);
        Want::Crash(message)
    }

    /// Goes on from where the function has asked last, if that is known, or
    /// else from its beginning. `None`: the tape must be read from its start.
    fn go_on(&self, frame: &Frame) -> Option<Asked> {
        let tape = &frame.tape;
        let thread = pthread::routine(&frame.start);
        let last = tape.len().checked_sub(1);
        let known = last.and_then(|last| {
            let asked = self.places.borrow_mut().get(tape.digest_before())?;
            let from = last.checked_sub(asked.told)?;
            Some((asked.place.clone()?, from))
        });
        let (place, from) = match known {
            Some(known) => known,
            None => {
                let start = thread.as_ref().map_or(&frame.start, |(_, routine)| routine);
                let args = self.arguments(start, frame.is_handler()).ok()?;
                (Rc::new(self.runner.begin(&start.function, &args)?), 0)
            }
        };
        let answers = tape.answers_from(from);
        let given = answers.len();
        let then = |value: &Dynamic| match &thread {
            Some((thread, _)) => pthread::returned(self.control, *thread, value),
            None => Ok(Dynamic::UNIT),
        };
        let behind = match &thread {
            Some(_) => End::Then(&then),
            None if frame.is_handler() => End::Nothing,
            None => End::Flush,
        };
        let ran = self.runner.run(Rc::unwrap_or_clone(place), answers, &behind);
        let end = self.control.tape().end();
        if end.divergence.is_some() || self.control.stopped().is_some() {
            return None;
        }
        let (want, place, told) = match ran {
            Ran::Asks(place, read) => (end.want?, Some(Rc::new(*place)), given - read),
            Ran::Returned(value) => (Want::Return(code(&value)), None, 0),
            Ran::Unknown => return None,
        };
        Some(Asked { want, origin: end.origin, place, told })
    }

    /// Reads the tape from its start.
    fn read(&self, pid: i32, frame: &Frame) -> Asked {
        let reader = self.control.tape();
        reader.begin(frame.tape.answers_from(0), String::new(), Origin::default());
        let result = self.call(&frame.start, frame.is_handler());
        let ended = result.is_ok() && !frame.is_handler() && !reader.is_over();
        if ended {
            reader.flush();
        }
        let end = reader.end();
        let want = if let Some(why) = end.divergence {
            let message =
                format!("process {pid} does not ask the same when it is run again: {why}");
            self.crash(Report::error("forkyard::divergence", message))
        } else if let Some(want) = end.want {
            want
        } else {
            match result {
                Ok(value) => Want::Return(code(&value)),
                Err(e) => self.crash(self.uncaught(&e)),
            }
        };
        Asked { want, origin: end.origin, place: None, told: 0 }
    }

    /// What a body's function asks.
    fn ask(&self, body: &Body) -> Rc<Asked> {
        let frame = body.top();
        let digest = frame.tape.digest();
        let known = self.places.borrow_mut().get(digest);
        if let Some(asked) = known.filter(|_| self.by_places) {
            return asked;
        }
        let asked = if frame.start.function.starts_with('/') {
            let want = self.without_function(&frame.start.function);
            Asked { want, origin: Origin::default(), place: None, told: 0 }
        } else {
            let ops = self.control.ops();
            self.control.set_program_pid(body.pid);
            let asked = self.by_places.then(|| self.go_on(frame)).flatten();
            let asked = asked.unwrap_or_else(|| self.read(body.pid, frame));
            self.spent.set(self.spent.get() + (self.control.ops() - ops));
            self.control.forget_ops(ops);
            asked
        };
        let asked = Rc::new(asked);
        if self.by_places && makes_a_task(&asked.want) {
            self.places.borrow_mut().keeps_one_more();
        }
        self.places.borrow_mut().insert(digest, asked.clone());
        asked
    }
}

/// The exit code that a function's value is.
pub(super) fn code(value: &Dynamic) -> i32 {
    value.as_int().unwrap_or(0) as i32
}

/// Whether a call makes a task that goes on from the same place.
fn makes_a_task(want: &Want) -> bool {
    const MAKES: [u32; 4] = [NR_CLONE, NR_FORK, NR_VFORK, NR_CLONE3];
    matches!(want, Want::Sys(call, Child::Returns) if MAKES.contains(&call.nr))
}

const NR_CLONE: u32 = 56;
const NR_FORK: u32 = 57;
const NR_VFORK: u32 = 58;
const NR_CLONE3: u32 = 435;

/// What a function asks, and where.
struct Asked {
    want: Want,
    origin: Origin,
    /// `None`: it is not known where, or it asks nothing more.
    place: Option<Rc<Place>>,
    /// How many of the last answers belong to the op of the place.
    told: usize,
}

/// Places that are kept at least: in a run, those of all that are alive; in an
/// exploration, those to which the search comes back.
const KEPT: usize = 256;
const KEPT_EXPLORING: usize = 16_384;

/// The places met lately, by the digests of tapes. Those not used for long are
/// forgotten: the tape finds them again.
struct Places {
    kept: usize,
    young: HashMap<u64, Rc<Asked>>,
    old: HashMap<u64, Rc<Asked>>,
}

impl Default for Places {
    fn default() -> Self {
        Places { kept: KEPT, young: HashMap::new(), old: HashMap::new() }
    }
}

impl Places {
    fn get(&mut self, digest: u64) -> Option<Rc<Asked>> {
        if let Some(asked) = self.young.get(&digest) {
            return Some(asked.clone());
        }
        let asked = self.old.remove(&digest)?;
        self.insert(digest, asked.clone());
        Some(asked)
    }

    /// The child of a fork comes to its parent's place when it is its turn.
    fn keeps_one_more(&mut self) {
        self.kept = (self.kept + 1).min(KEPT_EXPLORING.max(self.kept));
    }

    fn insert(&mut self, digest: u64, asked: Rc<Asked>) {
        if self.young.len() >= self.kept {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, asked);
    }
}

impl Interpreter for Language<'_> {
    fn next(&self, body: &Body) -> (Want, Origin) {
        let asked = self.ask(body);
        (asked.want.clone(), asked.origin)
    }

    fn place(&self, body: &Body) -> Option<u64> {
        let asked = self.ask(body);
        let tape = &body.top().tape;
        let place = match (&asked.place, &asked.want) {
            (Some(place), _) => {
                let told = tape.answers_from(tape.len().saturating_sub(asked.told));
                place.identity(&told)?
            }
            (None, Want::Return(code)) => u64::from(*code as u32),
            (None, _) => return None,
        };
        let mut h = DefaultHasher::new();
        // What comes after its function matters too.
        let thread = pthread::routine(&body.top().start).map(|(thread, _)| thread);
        (body.pid, body.top().is_handler(), thread, asked.place.is_some(), place).hash(&mut h);
        let digest = h.finish();
        let mut places = self.places.borrow_mut();
        if places.get(digest).is_none() {
            places.insert(digest, asked);
        }
        Some(digest)
    }

    fn repertoire(&self, start: &Start) -> Repertoire {
        repertoire::of(self.ast, &start.function)
    }

    fn image(&self, path: &str) -> Option<Start> {
        let name = path.strip_prefix("/bin/")?;
        self.control.function_index(name).map(|_| Start::new(name))
    }

    fn function_at(&self, index: u32) -> Option<Start> {
        self.control.function_named(index).map(|name| Start::new(&name))
    }

    fn takes_siginfo(&self, function: &str) -> bool {
        self.control.function_params(function).is_some_and(|params| params > 1)
    }
}
