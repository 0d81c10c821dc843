//! A run step by step: `let p = start(main); p.step(); p.undo()`.
//!
//! What runs is plain data, so each step is kept as it was before the next one
//! and can be taken back. The script's machine is as the programs have left
//! it, after each step and after each undo.
//!
//! Left out: changing what runs; a director who wants that acts himself.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use rhai::{AST, Array, Dynamic, Engine, Map, NativeCallContext};

use super::run::{Going, Options, Run, options};
use super::{Language, plain};
use crate::abi::nr::syscall_name;
use crate::explore::run::Steps;
use crate::machine::{Atomic, UserOp};
use crate::script::bind::registry::{Book, Raised, functions, getters};
use crate::script::bind::world::Machine;
use crate::script::control::Control;
use crate::script::errors::ScriptError;
use crate::session::program::Want;

/// Most steps that can be taken back.
const PAST: usize = 100_000;

/// A program under way, as scripts hold it.
#[derive(Clone)]
struct Program(Rc<State>);

struct State {
    control: Control,
    machine: Machine,
    ast: AST,
    options: Options,
    now: RefCell<Going>,
    past: RefCell<Vec<Going>>,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.0.now.borrow();
        write!(f, "program: {} steps back", self.0.past.borrow().len())?;
        match now.runner.schedule.0.is_empty() {
            true => write!(f, ", not begun"),
            false => write!(f, ", schedule {}", now.runner.schedule),
        }
    }
}

/// What a program is about to do, in a word.
fn word(want: &Want) -> String {
    match want {
        Want::Sys(call, _) => syscall_name(u64::from(call.nr)).unwrap_or("?").into(),
        Want::Op(op) => match op {
            UserOp::Load { .. } => "load",
            UserOp::Store { .. } => "store",
            UserOp::Atomic { change, .. } => match change {
                Atomic::CompareExchange { .. } => "cmpxchg",
                Atomic::Exchange(_) => "xchg",
                Atomic::FetchAdd(_) => "fetch_add",
            },
            UserOp::FsBase => "rdfsbase",
            _ => "an instruction",
        }
        .into(),
        Want::Define(..) => "define".into(),
        Want::Symbol(_) => "addr_of".into(),
        Want::State(_) => "state_of".into(),
        Want::Choose(_) => "choose".into(),
        Want::Return(_) => "return".into(),
        Want::Crash(_) => "crash".into(),
        Want::GoOn => "goes on".into(),
    }
}

impl Program {
    fn language<'e>(&'e self, engine: &'e Engine) -> Language<'e> {
        Language::new(engine, &self.0.control, &self.0.ast)
    }

    /// Changes what runs, and keeps what it was.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Going) -> Result<T, ScriptError>,
    ) -> Result<T, ScriptError> {
        let State { now, past, .. } = &*self.0;
        if past.borrow().len() >= PAST {
            return Err(ScriptError::Limit {
                message: format!("{PAST} steps that can be taken back"),
                help: Some("`p.run()` is one step".into()),
            });
        }
        let before = now.borrow().clone();
        let mut after = before.clone();
        let done = change(&mut after)?;
        *now.borrow_mut() = after;
        past.borrow_mut().push(before);
        self.show();
        Ok(done)
    }

    /// The script's machine shows where the programs are.
    fn show(&self) {
        let system = self.0.now.borrow().programs.system.clone();
        self.0.machine.write(|sys| *sys = system);
    }

    fn step(&self, engine: &Engine, process: Option<i64>) -> Result<String, ScriptError> {
        let number = match process.map(u32::try_from) {
            None => None,
            Some(Ok(n)) => Some(n),
            Some(Err(_)) => return Err(ScriptError::usage("step: there is no such process")),
        };
        let ready = self.ready(engine);
        if ready.is_empty() {
            let mut message = "nobody can go on".to_string();
            for line in self.0.now.borrow().stuck() {
                message.push_str("; ");
                message.push_str(&line);
            }
            return Err(ScriptError::usage(message));
        }
        if let Some(n) = number
            && !ready.iter().any(|r| r.number == n)
        {
            let numbers: Vec<String> = ready.iter().map(|r| r.number.to_string()).collect();
            return Err(ScriptError::Usage {
                message: format!("process {n} cannot go on"),
                help: Some(format!("these can: {}", numbers.join(", "))),
            });
        }
        let memory = self.0.options.memory;
        let who = self.change(|now| now.step(&self.language(engine), memory, number))?;
        let did = who.and_then(|n| ready.into_iter().find(|r| r.number == n));
        Ok(did.map_or(String::new(), |r| r.to_string()))
    }

    fn run(&self, engine: &Engine) -> Result<Run, ScriptError> {
        let (language, options) = (self.language(engine), &self.0.options);
        let steps = Steps { most: options.steps, memory: options.memory };
        self.change(|now| {
            let ending = now.run(&language, &self.0.control, steps, |_| ())?;
            Ok(now.ran(&language, ending))
        })
    }

    fn undo(&self) -> Result<(), ScriptError> {
        let Some(before) = self.0.past.borrow_mut().pop() else {
            return Err(ScriptError::usage("there is no step to take back"));
        };
        *self.0.now.borrow_mut() = before;
        self.show();
        Ok(())
    }

    /// Who can go on, and what each would do.
    fn ready(&self, engine: &Engine) -> Vec<Ready> {
        let now = self.0.now.borrow();
        let language = self.language(engine);
        let runnable = now.programs.runnable().into_iter();
        runnable
            .filter_map(|task| Some((task, now.programs.body(task)?)))
            .map(|(task, body)| {
                let (want, origin) = now.programs.next(&language, task);
                let (number, pid) = (body.number, body.pid);
                Ready { number, pid, wants: word(&want), line: origin.line }
            })
            .collect()
    }
}

/// A process that can go on.
struct Ready {
    number: u32,
    pid: i32,
    wants: String,
    line: u32,
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}: {}", self.number, self.wants)?;
        match self.line {
            0 => Ok(()),
            line => write!(f, ", line {line}"),
        }
    }
}

impl Ready {
    fn map(self) -> Map {
        let mut map = Map::new();
        map.insert("process".into(), i64::from(self.number).into());
        map.insert("pid".into(), i64::from(self.pid).into());
        map.insert("wants".into(), self.wants.into());
        map.insert("line".into(), i64::from(self.line).into());
        map
    }
}

/// Registers `start` and what it gives.
pub(super) fn register(book: &mut Book, control: &Control, machine: &Machine) {
    let shared = Rc::new(RefCell::new((control.clone(), machine.clone())));
    let go = move |ctx: &NativeCallContext, what: &Dynamic, map: &Map| -> Raised<Program> {
        let (control, machine) = shared.borrow().clone();
        if control.tape().is_active() {
            return Err(ScriptError::usage("a program cannot start programs: it forks").into());
        }
        let Some(ast) = control.script() else {
            return Err(ScriptError::usage("there is no script to take a function from").into());
        };
        control.set_started();
        let start = plain::start("start: function", what)?;
        let options = options("start", map)?;
        let language = Language::new(ctx.engine(), &control, &ast);
        let now = Going::start(&language, &machine, start, options.policy.clone())?;
        let (now, past) = (RefCell::new(now), RefCell::default());
        let ast = ast.clone();
        let program = Program(Rc::new(State { control, machine, ast, options, now, past }));
        program.show();
        Ok(program)
    };
    let with_map = go.clone();
    functions! { book;
        /// Starts a function of the script as a process and stops before its
        /// first step. `p.step()` makes one, `p.undo()` takes it back, `p.run()`
        /// makes all that are left. The machine is as the programs leave it.
        "start(function: function|string) -> Program" => move |ctx: NativeCallContext, f: Dynamic| {
            go(&ctx, &f, &Map::new())
        };
        /// The same with the options of `run`.
        "start(function: function|string, options: map) -> Program" =>
            move |ctx: NativeCallContext, f: Dynamic, map: Map| with_map(&ctx, &f, &map);
        /// Makes a step of the process that the policy chooses; says what it
        /// was.
        "step(p: Program) -> string" => |ctx: NativeCallContext, p: &mut Program| -> Raised<String> {
            Ok(p.step(ctx.engine(), None)?)
        };
        /// Makes a step of a process, by its number.
        "step(p: Program, process: int) -> string" =>
            |ctx: NativeCallContext, p: &mut Program, n: i64| -> Raised<String> {
                Ok(p.step(ctx.engine(), Some(n))?)
            };
        /// Goes on until nobody can; gives what came of it. It is taken back as
        /// one step.
        "run(p: Program) -> Run" => |ctx: NativeCallContext, p: &mut Program| -> Raised<Run> {
            Ok(p.run(ctx.engine())?)
        };
        /// Takes the last step back.
        "undo(p: Program)" => |p: &mut Program| -> Raised<()> { Ok(p.undo()?) };
    }
    book.prints::<Program>("Program");
    functions! { book;
        /// Who can go on and what each would do: maps of process, pid, wants
        /// and line.
        "ready(p: Program) -> array" => |ctx: NativeCallContext, p: &mut Program| {
            p.ready(ctx.engine()).into_iter().map(|r| r.map().into()).collect::<Array>()
        };
    }
    getters! { book, Program;
        /// The choices made so far.
        "schedule: string" => |p: &mut Program| p.0.now.borrow().runner.schedule.to_string();
        /// What the programs have written to the console.
        "output: string" => |p: &mut Program| p.0.now.borrow().output.clone();
        /// Whether all programs have ended.
        "finished: bool" => |p: &mut Program| p.0.now.borrow().programs.bodies().next().is_none();
        /// Those that sleep for ever, in words: empty while somebody can go on.
        "stuck: array" => |p: &mut Program| {
            let now = p.0.now.borrow();
            match now.programs.runnable().is_empty() {
                true => now.stuck().into_iter().map(Dynamic::from).collect::<Array>(),
                false => Array::new(),
            }
        };
    }
}
