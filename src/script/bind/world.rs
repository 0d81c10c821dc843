//! The machines of one script run. Handles share a machine by reference; the
//! system inside is plain data, so a snapshot is a clone.
//!
//! Left out: choosing who acts; a script in director style does that.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};

use rhai::NativeCallContext;

use super::code::{CodeState, Hooks};
use super::pending::Calls;
use super::task::Task;
use crate::abi::Errno;
use crate::kernel::boot::{BootConfig, BootError};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::report::symbols::{Program, Symbols};
use crate::script::control::Control;
use crate::script::errors::ScriptError;
use crate::session::Session;
use crate::trace::{Event, Filter, Origin};

/// Emulated memory of all machines of one script together, in bytes. What a
/// machine has, a script can touch.
const MAX_RAM: u64 = 8 << 30;
/// Machines alive at once in one script.
const MAX_MACHINES: usize = 64;

/// All machines of a script, the first of which is `machine`.
#[derive(Clone)]
pub struct World {
    shared: Rc<Shared>,
    main: Machine,
}

/// What the machines of one script have in common.
struct Shared {
    control: OnceCell<Control>,
    machines: RefCell<Vec<Weak<Inner>>>,
    /// Source texts by number, for [`Origin::source`]; 0 is the main one.
    sources: RefCell<Vec<String>>,
    /// The source asked for last: calls come in runs.
    last_source: Cell<u32>,
}

/// A machine as scripts hold it. Clones are the same machine.
#[derive(Clone)]
pub struct Machine(Rc<Inner>);

struct Inner {
    number: u32,
    ram: u64,
    session: RefCell<Session>,
    calls: RefCell<Calls>,
    /// What its programs have beside the system.
    code: RefCell<CodeState>,
    hooks: RefCell<Hooks>,
    /// The symbols of the program looked at last.
    symbols: RefCell<Option<(Program, Rc<Symbols>)>>,
    /// Events taken out of the log while `trace` listened.
    kept: RefCell<Vec<Event>>,
    shared: Rc<Shared>,
}

/// The state of one machine: the system, unfinished calls, programs.
pub(super) type State = (System, Calls, CodeState);

/// The state of all machines at one time.
#[derive(Clone)]
pub struct Snapshot {
    machines: Vec<(Machine, State)>,
}

impl World {
    /// Boots the first machine.
    ///
    /// # Errors
    /// The machine is too small for the kernel.
    pub fn new(config: BootConfig) -> Result<World, BootError> {
        let shared = Rc::new(Shared {
            control: OnceCell::new(),
            machines: RefCell::default(),
            sources: RefCell::new(vec![String::new()]),
            last_source: Cell::new(0),
        });
        let main = shared.boot(config)?;
        Ok(World { shared, main })
    }

    /// The first machine.
    pub fn main(&self) -> &Machine {
        &self.main
    }

    /// Gives limits and the way out for prints; once.
    pub(super) fn set_control(&self, control: &Control) {
        // A world is registered with one engine; a second one shares it.
        let _ = self.shared.control.set(control.clone());
    }

    /// The name of a source text by the number that events carry; the main
    /// one's is empty.
    pub fn source_name(&self, number: u32) -> Option<String> {
        self.shared.sources.borrow().get(number as usize).cloned()
    }

    /// The state of all machines now.
    pub fn snapshot(&self) -> Snapshot {
        let machines = self.shared.machines.borrow();
        let alive = machines.iter().filter_map(Weak::upgrade).map(Machine);
        let of = |m: Machine| {
            let state = m.state();
            (m, state)
        };
        Snapshot { machines: alive.map(of).collect() }
    }

    /// Goes back to a state. Handles to tasks that exist in it stay valid.
    pub fn restore(&self, to: &Snapshot) {
        for (machine, state) in &to.machines {
            machine.set_state(state.clone());
        }
    }

    /// Chooses which events of the first machine are recorded.
    pub fn set_trace(&self, filter: Filter) {
        self.main.write(|sys| sys.log.set_filter(filter));
    }

    /// Takes the events recorded so far, machine by machine.
    pub fn drain_trace(&self) -> Vec<Event> {
        let machines: Vec<Weak<Inner>> = self.shared.machines.borrow().clone();
        let alive = machines.iter().filter_map(Weak::upgrade).map(Machine);
        alive.flat_map(|m| m.drain_trace()).collect()
    }
}

impl Shared {
    fn boot(self: &Rc<Shared>, config: BootConfig) -> Result<Machine, BootError> {
        let ram = config.machine.ram_bytes;
        let mut machines = self.machines.borrow_mut();
        machines.retain(|m| m.strong_count() > 0);
        let number = machines.iter().filter_map(Weak::upgrade).map(|m| m.number + 1).max();
        let machine = Machine(Rc::new(Inner {
            number: number.unwrap_or(0),
            ram,
            session: RefCell::new(Session::boot(config)?),
            calls: RefCell::default(),
            code: RefCell::default(),
            hooks: RefCell::default(),
            symbols: RefCell::default(),
            kept: RefCell::default(),
            shared: self.clone(),
        }));
        machines.push(Rc::downgrade(&machine.0));
        Ok(machine)
    }
}

impl Machine {
    /// Boots another machine of the same script.
    pub(super) fn boot_another(&self, config: BootConfig) -> Result<Machine, ScriptError> {
        let shared = &self.0.shared;
        let alive: Vec<u64> =
            shared.machines.borrow().iter().filter_map(Weak::upgrade).map(|m| m.ram).collect();
        let limit = |message: String| ScriptError::Limit { message, help: None };
        if alive.len() >= MAX_MACHINES {
            return Err(limit(format!("{MAX_MACHINES} machines at once")));
        }
        let used: u64 = alive.iter().sum();
        if config.machine.ram_bytes > MAX_RAM.saturating_sub(used) {
            let gib = MAX_RAM >> 30;
            return Err(limit(format!("{gib} GiB of emulated memory in all machines together")));
        }
        shared.boot(config).map_err(|e| ScriptError::usage(e.to_string()))
    }

    /// Makes it the inside of a pid namespace of another kernel; see
    /// `Kernel::contained`.
    pub fn contain(&self) {
        self.write(|sys| sys.kernel.contained = true);
    }

    /// Makes a step of the kernel fail when it is reached after `skip` others,
    /// once: a wrong kernel, for who looks whether that is noticed.
    ///
    /// # Errors
    /// The steps that can fail, when it is none of them.
    pub fn inject(
        &self,
        step: &str,
        errno: Errno,
        skip: u32,
    ) -> Result<(), &'static [&'static str]> {
        self.write(|sys| sys.kernel.inject.arm(step, errno, skip))
    }

    /// Looks at the system.
    pub(super) fn read<R>(&self, look: impl FnOnce(&System) -> R) -> R {
        look(&self.0.session.borrow().system)
    }

    /// Changes the system.
    pub(super) fn write<R>(&self, change: impl FnOnce(&mut System) -> R) -> R {
        change(&mut self.0.session.borrow_mut().system)
    }

    /// Looks at or changes the session: the system, its past, its settings.
    pub(super) fn session<R>(&self, f: impl FnOnce(&mut Session) -> R) -> R {
        f(&mut self.0.session.borrow_mut())
    }

    /// The calls that scripts still wait for.
    pub(super) fn calls<R>(&self, f: impl FnOnce(&mut Calls) -> R) -> R {
        f(&mut self.0.calls.borrow_mut())
    }

    /// A handle to a task.
    pub(super) fn handle(&self, id: TaskId) -> Task {
        let pid = self.read(|sys| sys.kernel.tasks.get(id).map_or(0, |t| t.pid));
        Task::new(self.clone(), id, pid)
    }

    /// Task 1.
    pub fn init(&self) -> Task {
        let id = self.0.session.borrow().init();
        Task::new(self.clone(), id, 1)
    }

    /// Whether two handles mean one machine.
    pub(super) fn is(&self, other: &Machine) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// What its programs have beside the system.
    pub(super) fn code<R>(&self, f: impl FnOnce(&mut CodeState) -> R) -> R {
        f(&mut self.0.code.borrow_mut())
    }

    /// Closures that are called before programs' calls.
    pub(super) fn hooks<R>(&self, f: impl FnOnce(&mut Hooks) -> R) -> R {
        f(&mut self.0.hooks.borrow_mut())
    }

    /// The symbols of a program; those looked at last are known.
    pub(super) fn known_symbols(
        &self,
        program: Program,
        read: impl FnOnce() -> Symbols,
    ) -> Rc<Symbols> {
        let mut last = self.0.symbols.borrow_mut();
        match &*last {
            Some((known, symbols)) if *known == program => symbols.clone(),
            _ => {
                let symbols = Rc::new(read());
                *last = Some((program, symbols.clone()));
                symbols
            }
        }
    }

    /// What the script and its owner share.
    pub(super) fn control(&self) -> Result<Control, ScriptError> {
        let control = self.0.shared.control.get().cloned();
        control.ok_or_else(|| ScriptError::usage("no script runs on this machine"))
    }

    /// The system, the unfinished calls and the programs, as they are now.
    pub(super) fn state(&self) -> State {
        let calls = self.0.calls.borrow().clone();
        (self.read(System::clone), calls, self.0.code.borrow().clone())
    }

    /// Puts a state back.
    pub(super) fn set_state(&self, (system, calls, code): State) {
        self.write(|sys| *sys = system);
        self.calls(|c| c.go_back_to(calls));
        self.code(|c| *c = code);
    }

    /// Remembers the present for [`Machine::go_back`].
    pub(super) fn remember(&self) {
        let calls = self.0.calls.borrow();
        self.code(|code| self.read(|sys| code.remember(sys, &calls)));
    }

    /// Goes back to what was remembered last. `false`: nothing is.
    pub(super) fn go_back(&self) -> bool {
        let past = self.code(CodeState::go_back);
        past.map(|state| self.set_state(state)).is_some()
    }

    /// From here on, events come from the script line of this call.
    pub(super) fn mark_origin(&self, ctx: &NativeCallContext) {
        let pos = ctx.call_position();
        let origin = Origin {
            source: self.source_number(ctx.call_source().unwrap_or("")),
            line: pos.line().unwrap_or(0) as u32,
            column: pos.position().unwrap_or(0) as u32,
        };
        self.write(|sys| sys.log.origin = origin);
    }

    fn source_number(&self, name: &str) -> u32 {
        let shared = &self.0.shared;
        let last = shared.last_source.get();
        let mut sources = shared.sources.borrow_mut();
        if sources.get(last as usize).is_some_and(|s| s == name) {
            return last;
        }
        let main = shared.control.get().map(|c| c.sources().main_name());
        let found = match name {
            _ if main.as_deref() == Some(name) => Some(0),
            name => sources.iter().position(|s| s == name),
        };
        let number = found.unwrap_or_else(|| {
            sources.push(name.to_string());
            sources.len() - 1
        });
        if number != 0 {
            shared.last_source.set(number as u32);
        }
        number as u32
    }

    /// The name of a source text, the main one's being empty.
    pub(super) fn source_name(&self, number: u32) -> Option<String> {
        self.0.shared.sources.borrow().get(number as usize).cloned()
    }

    /// A source text's name for people.
    pub(super) fn source_title(&self, number: u32) -> String {
        if number != 0 {
            return self.source_name(number).unwrap_or_default();
        }
        let control = self.0.shared.control.get();
        control.map(|c| c.sources().main_name()).unwrap_or_default()
    }

    /// Refuses one task more than a script may have.
    pub(super) fn check_task_limit(&self) -> Result<(), ScriptError> {
        let Some(limit) = self.0.shared.control.get().map(|c| c.limits().tasks) else {
            return Ok(());
        };
        if self.read(|sys| sys.kernel.tasks.len()) < limit {
            return Ok(());
        }
        Err(ScriptError::Limit {
            message: format!("{limit} tasks at once in one machine"),
            help: Some("is this a fork bomb? exited tasks stay until their parent waits".into()),
        })
    }

    /// Prints what tasks wrote to the console.
    pub(super) fn flush_console(&self) {
        if self.read(|sys| sys.kernel.console.is_empty()) {
            return;
        }
        let bytes = self.write(|sys| std::mem::take(&mut sys.kernel.console));
        if let Some(control) = self.0.shared.control.get() {
            control.write(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Keeps the events recorded so far for [`World::drain_trace`].
    pub(super) fn keep_events(&self) {
        let events = self.write(|sys| sys.log.drain());
        self.0.kept.borrow_mut().extend(events);
    }

    /// The same with events that somebody else has taken.
    pub(super) fn keep(&self, events: &[Event]) {
        self.0.kept.borrow_mut().extend_from_slice(events);
    }

    fn drain_trace(&self) -> Vec<Event> {
        let mut events = std::mem::take(&mut *self.0.kept.borrow_mut());
        events.extend(self.write(|sys| sys.log.drain()));
        events
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read(|sys| {
            let config = &sys.machine.config;
            let cpus = sys.machine.cpus.len();
            write!(
                f,
                "machine {}: {cpus} cpu{}, {} MiB RAM, {} tasks",
                self.0.number,
                if cpus == 1 { "" } else { "s" },
                config.ram_bytes >> 20,
                sys.kernel.tasks.len()
            )
        })
    }
}
