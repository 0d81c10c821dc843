//! What a running script and its owner share: limits, the wish to stop, the
//! way out for prints, the source texts, and what `expect` has recorded.
//!
//! Left out: the terminal and signals. The owner gives an [`Output`] and may
//! set the interrupt flag from anywhere, also from a signal handler.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rhai::{AST, Dynamic, EvalAltResult, FnPtr, Scope};

use super::diagnostic::Report;
use super::footprint::{self, Excess, MAX_DEPTH};
use super::limits::Limits;
use super::modules::{NoModules, SourceLoader};
use super::source::Sources;
use super::stack;
use super::tape::Reader;

/// Where prints go. Text arrives in whole lines, each with its line end.
pub trait Output {
    /// Takes a piece of text. An error stops the script, quietly when the
    /// reader is gone (`BrokenPipe`).
    fn write(&mut self, text: &str) -> io::Result<()>;
}

/// An output that keeps everything, and can be read from another thread.
#[derive(Debug, Clone, Default)]
pub struct Buffer(Arc<Mutex<String>>);

impl Buffer {
    /// An empty buffer.
    pub fn new() -> Buffer {
        Buffer::default()
    }

    /// What was written so far.
    pub fn text(&self) -> String {
        self.0.lock().map(|text| text.clone()).unwrap_or_default()
    }

    /// Takes what was written so far out of the buffer.
    pub fn take(&self) -> String {
        self.0.lock().map(|mut text| std::mem::take(&mut *text)).unwrap_or_default()
    }
}

impl Output for Buffer {
    fn write(&mut self, text: &str) -> io::Result<()> {
        if let Ok(mut kept) = self.0.lock() {
            kept.push_str(text);
        }
        Ok(())
    }
}

/// Why a script was stopped from outside. A script cannot catch this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The owner set the interrupt flag (Ctrl-C).
    #[error("interrupted")]
    Interrupted,
    /// [`Limits::ops`].
    #[error("more than {0} operations")]
    Operations(u64),
    /// [`Limits::ops`], by what machine code has executed.
    #[error("more than {0} operations, the instructions of machine code included")]
    Instructions(u64),
    /// [`Limits::output_bytes`].
    #[error("more than {0} bytes of output")]
    Output(usize),
    /// The host stack is nearly used up.
    #[error("nested too deeply")]
    Stack,
    /// A value is nested deeper than [`MAX_DEPTH`].
    #[error("a value is nested more than {0} deep")]
    Nesting(usize),
    /// [`Limits::memory_bytes`].
    #[error("the variables hold more than {0} bytes")]
    Memory(usize),
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    OutputFailed(String),
    /// Nobody reads the output any more.
    #[error("the reader of the output is gone")]
    OutputClosed,
}

/// A variable that is at hand everywhere, in functions and closures too. A
/// script may use the name for a variable of its own.
#[derive(Clone)]
enum Provided {
    Constant(Dynamic),
    Computed(Rc<dyn Fn() -> Result<Dynamic, Box<EvalAltResult>>>),
}

/// Instructions of machine code that count as one operation: they are that much
/// faster.
const INSTRUCTIONS_PER_OP: u64 = 10;
/// Least number of uses of variables between two looks at what they hold.
const LOOK_EVERY: usize = 256;
/// Values that may be looked at for each use of a variable.
const LOOK_COST: usize = 16;

/// The shared state of one engine. Clones are the same state.
#[derive(Clone)]
pub struct Control(Rc<Inner>);

struct Inner {
    limits: Limits,
    interrupt: Arc<AtomicBool>,
    output: RefCell<Box<dyn Output>>,
    written: Cell<usize>,
    ops: Cell<u64>,
    /// Instructions that are no whole operation yet.
    instructions: Cell<u64>,
    loader: RefCell<Rc<dyn SourceLoader>>,
    /// Uses of variables until the scope is measured again.
    until_look: Cell<usize>,
    stop: RefCell<Option<Stop>>,
    exit: Cell<Option<i64>>,
    stack_floor: usize,
    sources: Sources,
    failed: RefCell<Vec<Report>>,
    names: RefCell<HashMap<String, Provided>>,
    tape: Reader,
    /// The script's functions with their numbers of parameters, sorted by name:
    /// the places are the addresses of signal handlers.
    functions: RefCell<Vec<(String, usize)>>,
    /// Pid of the process whose function runs, for messages.
    program_pid: Cell<i32>,
    /// The script that runs, its text, and whether it has started a program
    /// itself.
    script: RefCell<Option<AST>>,
    text: RefCell<Arc<str>>,
    started: Cell<bool>,
}

impl Control {
    /// New state for an engine on the current thread.
    pub fn new(limits: Limits, interrupt: Arc<AtomicBool>, output: Box<dyn Output>) -> Control {
        Control(Rc::new(Inner {
            limits,
            interrupt,
            output: RefCell::new(output),
            written: Cell::new(0),
            ops: Cell::new(0),
            instructions: Cell::new(0),
            loader: RefCell::new(Rc::new(NoModules)),
            until_look: Cell::new(LOOK_EVERY),
            stop: RefCell::new(None),
            exit: Cell::new(None),
            stack_floor: stack::floor(),
            sources: Sources::default(),
            failed: RefCell::new(Vec::new()),
            names: RefCell::new(HashMap::new()),
            tape: Reader::default(),
            functions: RefCell::new(Vec::new()),
            program_pid: Cell::new(0),
            script: RefCell::new(None),
            text: RefCell::new("".into()),
            started: Cell::new(false),
        }))
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The tape of the program whose function runs.
    pub fn tape(&self) -> &Reader {
        &self.0.tape
    }

    /// Names the functions of the script that runs.
    pub(super) fn set_functions(&self, mut functions: Vec<(String, usize)>) {
        // Of several with the same name the first one is called.
        functions.sort_by(|a, b| a.0.cmp(&b.0));
        functions.dedup_by(|a, b| a.0 == b.0);
        *self.0.functions.borrow_mut() = functions;
    }

    /// The number of a function of the script.
    pub(super) fn function_index(&self, name: &str) -> Option<u32> {
        let functions = self.0.functions.borrow();
        functions.binary_search_by(|(f, _)| f.as_str().cmp(name)).ok().map(|i| i as u32)
    }

    /// How many parameters a function of the script has.
    pub(super) fn function_params(&self, name: &str) -> Option<usize> {
        let index = self.function_index(name)?;
        self.0.functions.borrow().get(index as usize).map(|(_, params)| *params)
    }

    /// The function with a number.
    pub(super) fn function_named(&self, index: u32) -> Option<String> {
        self.0.functions.borrow().get(index as usize).map(|(name, _)| name.clone())
    }

    /// Sets the script that runs. Its functions are values by their names, to
    /// be passed on.
    pub(crate) fn set_script(&self, ast: &AST, text: &str) {
        *self.0.script.borrow_mut() = Some(ast.clone());
        *self.0.text.borrow_mut() = text.into();
        self.0.started.set(false);
        for f in ast.iter_functions().filter(|f| !f.name.starts_with("anon$")) {
            if !self.is_defined(f.name)
                && let Ok(value) = FnPtr::new(f.name)
            {
                self.define(f.name, Dynamic::from(value));
            }
        }
    }

    /// The script that runs.
    pub(super) fn script(&self) -> Option<AST> {
        self.0.script.borrow().clone()
    }

    /// The text of the script that runs.
    pub(super) fn script_text(&self) -> Arc<str> {
        self.0.text.borrow().clone()
    }

    /// The flag that is set from elsewhere to stop it.
    pub(super) fn interrupt(&self) -> Arc<AtomicBool> {
        self.0.interrupt.clone()
    }

    /// Whether Ctrl-C was pressed, or whatever sets the flag.
    pub fn is_interrupted(&self) -> bool {
        self.0.interrupt.load(Ordering::Relaxed)
    }

    /// The interruption was obeyed: what was done until then can be shown.
    pub fn forget_interruption(&self) {
        self.0.interrupt.store(false, Ordering::Relaxed);
        self.0.stop.borrow_mut().take_if(|stop| *stop == Stop::Interrupted);
    }

    /// The script has started a program.
    pub(super) fn set_started(&self) {
        self.0.started.set(true);
    }

    /// Whether it has.
    pub fn has_started(&self) -> bool {
        self.0.started.get()
    }

    /// Sets whose function runs.
    pub(super) fn set_program_pid(&self, pid: i32) {
        self.0.program_pid.set(pid);
    }

    /// Pid of the process whose function runs.
    pub(super) fn program_pid(&self) -> i32 {
        self.0.program_pid.get()
    }

    /// Lets the operations from `since` on not count: each run of a program's
    /// function has all of them.
    pub(super) fn forget_ops(&self, since: u64) {
        self.0.ops.set(since);
    }

    /// The source texts known so far.
    pub fn sources(&self) -> &Sources {
        &self.0.sources
    }

    /// Writes text to the output, within the output limit. What goes beyond it
    /// is dropped and the script is stopped at its next operation.
    pub fn write(&self, text: &str) {
        if self.0.stop.borrow().is_some() {
            return;
        }
        let written = self.0.written.get().saturating_add(text.len());
        self.0.written.set(written);
        if written > self.0.limits.output_bytes {
            return self.stop(Stop::Output(self.0.limits.output_bytes));
        }
        let result = self.0.output.borrow_mut().write(text);
        match result {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => self.stop(Stop::OutputClosed),
            Err(e) => self.stop(Stop::OutputFailed(e.to_string())),
        }
    }

    /// Asks for the script to be stopped at its next operation. The first
    /// reason stays.
    pub fn stop(&self, why: Stop) {
        self.0.stop.borrow_mut().get_or_insert(why);
    }

    /// The reason to stop, if there is one by now.
    pub fn stopped(&self) -> Option<Stop> {
        self.0.stop.borrow().clone()
    }

    /// Counts one operation; says whether the script must stop. This is
    /// Rhai's `on_progress`. We count ourselves because Rhai starts anew in
    /// every closure that a native function calls.
    pub(super) fn tick(&self) -> Option<Dynamic> {
        let inner = &*self.0;
        let ops = inner.ops.get() + 1;
        inner.ops.set(ops);
        let why = if ops > inner.limits.ops {
            Stop::Operations(inner.limits.ops)
        } else if inner.interrupt.load(Ordering::Relaxed) {
            Stop::Interrupted
        } else if stack::here() < inner.stack_floor {
            Stop::Stack
        } else if inner.tape.is_over() {
            return Some(Dynamic::UNIT);
        } else {
            return inner.stop.borrow().clone().map(Dynamic::from);
        };
        self.stop(why);
        self.stopped().map(Dynamic::from)
    }

    /// Called at each use of a variable; measures the scope now and then, less
    /// often the more there is to measure. Values grow by the use of variables
    /// only, so they cannot grow much between two looks.
    pub(super) fn used_variable(&self, scope: &Scope) {
        let left = self.0.until_look.get();
        if left > 0 {
            return self.0.until_look.set(left - 1);
        }
        let bytes = self.0.limits.memory_bytes;
        match footprint::measure(scope, bytes) {
            Ok(values) => self.0.until_look.set(LOOK_EVERY + values / LOOK_COST),
            Err(Excess::Depth) => self.stop(Stop::Nesting(MAX_DEPTH)),
            Err(Excess::Bytes) => self.stop(Stop::Memory(bytes)),
        }
    }

    /// Counts instructions that machine code has executed as operations; says
    /// whether the script must stop.
    pub(super) fn executed(&self, instructions: u64) -> Option<Stop> {
        let inner = &*self.0;
        let of_op = inner.instructions.get() + instructions;
        inner.instructions.set(of_op % INSTRUCTIONS_PER_OP);
        let ops = inner.ops.get().saturating_add(of_op / INSTRUCTIONS_PER_OP);
        inner.ops.set(ops);
        if ops > inner.limits.ops {
            self.stop(Stop::Instructions(inner.limits.ops));
        } else if self.is_interrupted() {
            self.stop(Stop::Interrupted);
        }
        self.stopped()
    }

    /// Sets where files come from that scripts may read.
    pub(super) fn set_loader(&self, loader: Rc<dyn SourceLoader>) {
        *self.0.loader.borrow_mut() = loader;
    }

    /// Where files come from that scripts may read.
    pub(super) fn loader(&self) -> Rc<dyn SourceLoader> {
        self.0.loader.borrow().clone()
    }

    /// Operations counted so far.
    pub fn ops(&self) -> u64 {
        self.0.ops.get()
    }

    /// Starts over for the next input: counters, the reason to stop. Sources
    /// stay, and so does the interrupt flag: Ctrl-C may come before the first
    /// operation.
    pub fn begin(&self) {
        self.0.ops.set(0);
        self.0.written.set(0);
        *self.0.stop.borrow_mut() = None;
        self.0.exit.set(None);
    }

    /// Notes that the script asked to end with a code.
    pub(super) fn set_exit(&self, code: i64) {
        self.0.exit.set(Some(code));
    }

    /// The code that the script asked to end with.
    pub(super) fn exit(&self) -> Option<i64> {
        self.0.exit.get()
    }

    /// Records a failed `expect`.
    pub fn record_failure(&self, report: Report) {
        self.0.failed.borrow_mut().push(report);
    }

    /// Takes the failed `expect`s recorded so far.
    pub fn take_failures(&self) -> Vec<Report> {
        std::mem::take(&mut *self.0.failed.borrow_mut())
    }

    /// Defines a constant that is at hand everywhere.
    pub fn define(&self, name: impl Into<String>, value: impl Into<Dynamic>) {
        self.0.names.borrow_mut().insert(name.into(), Provided::Constant(value.into()));
    }

    /// Defines a variable whose value is computed at each use: `current`.
    pub fn define_computed(
        &self,
        name: impl Into<String>,
        value: impl Fn() -> Result<Dynamic, Box<EvalAltResult>> + 'static,
    ) {
        self.0.names.borrow_mut().insert(name.into(), Provided::Computed(Rc::new(value)));
    }

    /// Whether a name was defined by one of the above.
    pub fn is_defined(&self, name: &str) -> bool {
        self.0.names.borrow().contains_key(name)
    }

    /// The value of a name defined by one of the above.
    pub fn provided(&self, name: &str) -> Result<Option<Dynamic>, Box<EvalAltResult>> {
        let provided = self.0.names.borrow().get(name).cloned();
        match provided {
            None => Ok(None),
            Some(Provided::Constant(value)) => Ok(Some(value)),
            Some(Provided::Computed(compute)) => compute().map(Some),
        }
    }

    /// All names defined so far, sorted.
    pub fn defined_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.names.borrow().keys().cloned().collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(limits: Limits) -> (Control, Buffer) {
        let buffer = Buffer::new();
        (Control::new(limits, Arc::default(), Box::new(buffer.clone())), buffer)
    }

    #[test]
    fn output_beyond_the_limit_is_dropped() {
        let (control, buffer) = control(Limits { output_bytes: 5, ..Limits::default() });
        control.write("abc");
        control.write("def");
        control.write("g");
        assert_eq!(buffer.text(), "abc");
        assert_eq!(control.stopped(), Some(Stop::Output(5)));
        control.begin();
        control.write("x");
        assert_eq!((buffer.take(), control.stopped()), ("abcx".into(), None));
    }

    #[test]
    fn a_gone_reader_stops_quietly() {
        struct Gone;
        impl Output for Gone {
            fn write(&mut self, _: &str) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let control = Control::new(Limits::default(), Arc::default(), Box::new(Gone));
        control.write("x");
        assert_eq!(control.stopped(), Some(Stop::OutputClosed));
    }

    #[test]
    fn operations_are_counted() {
        let (control, _) = control(Limits { ops: 2, ..Limits::default() });
        assert!(control.tick().is_none() && control.tick().is_none());
        assert!(control.tick().is_some());
        assert_eq!(control.stopped(), Some(Stop::Operations(2)));
    }
}
