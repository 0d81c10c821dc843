//! What a prompt works on: the script's variables and functions, the machine
//! behind them, and the way back and forth through both.
//!
//! ```text
//!   undo ◄── done: [step, step, step] │ undone: [step] ──► redo
//!                                     now
//! ```
//!
//! A step keeps the moment before it and the moment after it. Both halves of
//! the state share what did not change, so a step costs what it changed.
//!
//! Left out: the terminal.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rhai::Dynamic;

use crate::cli::console::Out;
use crate::cli::folder::Folder;
use crate::cli::machine::Machine;
use crate::cli::trace;
use crate::script::bind::{self, World};
use crate::script::control::Stop;
use crate::script::diagnostic::Report;
use crate::script::limits::Limits;
use crate::script::repl_state::{self, REPL, ReplState};
use crate::script::run::Session;
use crate::trace::Filter;

/// Most steps that can be taken back.
const MOST_STEPS: usize = 1000;

/// How a prompt's state is made, at the start and by `:reset`.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The machine to start on.
    pub machine: Machine,
    /// Set to stop a running input.
    pub interrupt: Arc<AtomicBool>,
    /// Where prints go.
    pub out: Out,
    /// What is traced.
    pub trace: Filter,
}

/// What a prompt works on.
pub struct State {
    setup: Setup,
    script: ReplState,
    world: World,
    done: VecDeque<Step>,
    undone: Vec<Step>,
    traced: Option<String>,
}

/// A moment.
#[derive(Clone)]
struct Moment {
    script: repl_state::Snapshot,
    world: bind::Snapshot,
}

/// An input that succeeded.
struct Step {
    input: String,
    before: Moment,
    after: Moment,
}

/// How an input ended.
#[derive(Debug)]
pub enum Ended {
    /// Well: its value, and the expectations that failed on the way.
    Well(Option<String>, Vec<Report>),
    /// It asked to leave with this code.
    Exit(u8),
    /// It failed, and changed nothing.
    Failed(Vec<Report>),
    /// Ctrl-C stopped it; it changed nothing.
    Interrupted(Vec<Report>),
    /// Nobody reads the output any more.
    Closed,
}

impl State {
    /// A fresh state, on a machine that has just booted; an error if it is too
    /// small for the kernel.
    pub fn new(setup: Setup) -> Result<State, Box<Report>> {
        let world = setup.machine.boot()?;
        let mut session = Session::new(
            Limits::default(),
            setup.interrupt.clone(),
            Box::new(setup.out.clone()),
            Box::new(Folder::new(".")),
        );
        world.register(&mut session.engine, &session.control, &mut session.scope);
        world.set_trace(setup.trace.clone());
        let script = ReplState::new(session);
        Ok(State { setup, script, world, done: VecDeque::new(), undone: Vec::new(), traced: None })
    }

    /// Begins anew; nothing can be taken back after that.
    pub fn reset(&mut self) -> Result<(), Box<Report>> {
        *self = State::new(self.setup.clone())?;
        Ok(())
    }

    fn now(&self) -> Moment {
        Moment { script: self.script.snapshot(), world: self.world.snapshot() }
    }

    fn go_to(&mut self, moment: &Moment) {
        self.script.restore(moment.script.clone());
        self.world.restore(&moment.world);
        // The log is a part of the machine, but tracing it is not.
        self.world.set_trace(self.setup.trace.clone());
    }

    /// What is traced.
    pub fn trace(&self) -> &Filter {
        &self.setup.trace
    }

    /// Chooses what is traced from now on.
    pub fn set_trace(&mut self, filter: Filter) {
        self.world.set_trace(filter.clone());
        self.setup.trace = filter;
    }

    /// Evaluates an input.
    pub fn eval(&mut self, input: &str) -> Ended {
        let before = self.now();
        let ended = self.try_eval(input);
        match &ended {
            Ended::Well(..) => {
                self.undone.clear();
                if self.done.len() == MOST_STEPS {
                    self.done.pop_front();
                }
                let after = self.now();
                self.done.push_back(Step { input: input.to_string(), before, after });
            }
            _ => self.go_to(&before),
        }
        ended
    }

    /// Evaluates an expression that changes nothing, such as `print(ps())`. It
    /// is no input: it leaves no trace in the transcript.
    pub fn look(&self, expression: &str) -> Result<(), String> {
        let session = &self.script.session;
        session.control.forget_interruption();
        session.control.begin();
        let mut scope = session.scope.clone();
        let result = session.engine.eval_expression_with_scope::<Dynamic>(&mut scope, expression);
        result.map(|_| ()).map_err(|e| e.to_string())
    }

    fn try_eval(&mut self, input: &str) -> Ended {
        let result = self.script.eval(input);
        self.traced = trace::take(&self.world, REPL);
        // A Ctrl-C that came too late must not count as the first of two.
        self.setup.interrupt.store(false, Ordering::Relaxed);
        match result {
            Ok(outcome) => match outcome.exit {
                Some(code) => Ended::Exit(code as u8),
                None => Ended::Well(outcome.value, outcome.failed),
            },
            Err(failure) => {
                let mut reports = failure.failed;
                reports.push(*failure.report);
                match failure.stopped {
                    Some(Stop::OutputClosed) => Ended::Closed,
                    Some(Stop::Interrupted) => Ended::Interrupted(reports),
                    _ => Ended::Failed(reports),
                }
            }
        }
    }

    /// Takes the last input back; gives it.
    pub fn undo(&mut self) -> Option<String> {
        let step = self.done.pop_back()?;
        self.go_to(&step.before);
        let input = step.input.clone();
        self.undone.push(step);
        Some(input)
    }

    /// Does again what was taken back last; gives it.
    pub fn redo(&mut self) -> Option<String> {
        let step = self.undone.pop()?;
        self.go_to(&step.after);
        let input = step.input.clone();
        self.done.push_back(step);
        Some(input)
    }

    /// The inputs that made the state what it is, as a script.
    pub fn transcript(&self) -> String {
        self.done.iter().map(|step| format!("{}\n", as_statement(&step.input))).collect()
    }

    /// The script half of the state.
    pub fn script(&self) -> &ReplState {
        &self.script
    }

    /// What the last input made the kernel do, if that is traced.
    pub fn take_traced(&mut self) -> Option<String> {
        self.traced.take()
    }
}

/// An input so that another can follow it: expressions and `let`s get the
/// semicolon that the prompt does not ask for.
fn as_statement(input: &str) -> String {
    let input = input.trim_end();
    let end = crate::script::lex::tokenize(input)
        .into_iter()
        .rfind(|t| !matches!(t.kind, crate::script::lex::Kind::Comment { .. }));
    match end {
        Some(token) if !matches!(token.text(input), ";" | "}") => {
            let (code, comment) = input.split_at(token.range.end);
            format!("{code};{comment}")
        }
        _ => input.to_string(),
    }
}

/// A state for tests.
#[cfg(test)]
pub(super) fn testing() -> State {
    let out = crate::cli::console::Console::new().out();
    let interrupt = Arc::default();
    State::new(Setup { machine: Machine::default(), interrupt, out, trace: Filter::Off }).unwrap()
}

#[cfg(test)]
mod tests {
    use super::testing as state;
    use super::*;

    fn value(state: &mut State, input: &str) -> String {
        match state.eval(input) {
            Ended::Well(value, _) => value.unwrap_or_default(),
            other => panic!("{input}: {other:?}"),
        }
    }

    #[test]
    fn undo_and_redo_move_through_inputs() {
        let mut s = state();
        value(&mut s, "let a = 1");
        value(&mut s, "a = 2");
        value(&mut s, "fn f() { 3 }");
        assert_eq!(s.undo().as_deref(), Some("fn f() { 3 }"));
        assert_eq!(s.undo().as_deref(), Some("a = 2"));
        assert_eq!(value(&mut s, "a"), "1");
        // A new input cuts off the way forward.
        assert_eq!(s.redo(), None);
        s.undo();
        s.undo();
        assert_eq!(s.undo(), None);
        assert!(matches!(s.eval("a"), Ended::Failed(_)));
        // A failed one does not.
        assert_eq!(s.redo().as_deref(), Some("let a = 1"));
        assert_eq!(value(&mut s, "a"), "1");
    }

    #[test]
    fn a_failing_input_changes_nothing() {
        let mut s = state();
        value(&mut s, "let a = 1; let m = #{x: 1}");
        assert!(matches!(s.eval("a = 2; m.x = 2; let b = 1; fn g() {} throw 1"), Ended::Failed(_)));
        assert_eq!(value(&mut s, "`${a} ${m.x} ${is_def_var(\"b\")}`"), "\"1 1 false\"");
        assert!(matches!(s.eval("g()"), Ended::Failed(_)));
    }

    #[test]
    fn looking_changes_nothing() {
        let mut s = state();
        value(&mut s, "let a = 1");
        assert_eq!(s.look("a + 1"), Ok(()));
        assert!(s.look("nothing()").is_err());
        assert_eq!(value(&mut s, "a"), "1");
        assert_eq!(s.undo().as_deref(), Some("a"));
    }

    #[test]
    fn the_transcript_is_a_script() {
        let mut s = state();
        for input in ["let a = 1", "a + 1 // two", "fn f() {\n  3\n}", "", "// only", "f();"] {
            value(&mut s, input);
        }
        s.undo();
        let text = s.transcript();
        assert_eq!(text, "let a = 1;\na + 1; // two\nfn f() {\n  3\n}\n\n// only\n");
        let mut again = state();
        value(&mut again, &text);
        assert_eq!(value(&mut again, "f() + a"), "4");
    }
}
