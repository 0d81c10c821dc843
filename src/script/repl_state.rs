//! One state through many inputs: variables, functions and imports stay, and
//! every input stands at its own lines of one virtual transcript, so that an
//! error in a function defined ten inputs ago still points at its line.
//!
//! Left out: reading lines and drawing prompts; and the machine's own undo,
//! which the session layer does. A [`Snapshot`] restores the language's side.

use rhai::{AST, Caches, Dynamic, EvalAltResult, GlobalRuntimeState, Scope};

use super::diagnose;
use super::diagnostic::Report;
use super::run::{Failure, Outcome, Session, compile};
use super::{check, value};

/// The name of the transcript in messages.
pub const REPL: &str = "<repl>";

/// An interactive session's state.
pub struct ReplState {
    /// The engine and the variables.
    pub session: Session,
    global: GlobalRuntimeState,
    /// All functions defined so far.
    functions: AST,
    /// All inputs so far, each from the start of a line.
    transcript: String,
}

/// The language's state before an input.
#[derive(Clone)]
pub struct Snapshot {
    scope: Scope<'static>,
    /// Values of captured variables, by their place in the scope: a closure
    /// shares those cells, so they are written back, not replaced.
    captured: Vec<(usize, Dynamic)>,
    global: GlobalRuntimeState,
    functions: AST,
}

impl ReplState {
    /// A fresh state. Bindings are registered in the session beforehand.
    pub fn new(session: Session) -> ReplState {
        let mut global = session.engine.new_global_runtime_state();
        global.source = Some(REPL.into());
        session.control.sources().set_main(REPL, "");
        ReplState { session, global, functions: AST::empty(), transcript: String::new() }
    }

    /// Evaluates one input. Its value, unless `()`, becomes the variable `it`.
    /// When it fails, what it did to variables and functions is taken back.
    pub fn eval(&mut self, input: &str) -> Result<Outcome, Failure> {
        let before = self.snapshot();
        self.session.control.begin();
        let result = self.eval_input(input);
        result.map_err(|report| {
            self.restore(before);
            Failure {
                report,
                failed: self.session.control.take_failures(),
                stopped: self.session.control.stopped(),
            }
        })
    }

    fn eval_input(&mut self, input: &str) -> Result<Outcome, Box<Report>> {
        let ast = self.compile(input)?;
        self.functions = self.functions.merge(&ast.clone_functions_only());
        // What can be run and explored. There is no text of it all to compile
        // again elsewhere.
        self.session.control.set_script(&self.functions, "");
        let global = &mut self.global;
        global.lib.clear();
        global.lib.push(self.functions.shared_lib().clone());
        global.num_operations = 0;
        #[allow(deprecated, reason = "the only way to keep imports; rhai is pinned")]
        let result = self.session.engine.eval_statements_raw(
            global,
            &mut Caches::new(),
            &mut self.session.scope,
            ast.statements(),
        );
        // An input may end in `return x`.
        let result = result.or_else(|e| match *e {
            EvalAltResult::Return(value, _) => Ok(value),
            e => Err(Box::new(e)),
        });
        let it = result.as_ref().ok().filter(|value| !value.is_unit()).cloned();
        let outcome = self.session.finish(&self.functions, result)?;
        self.session.register_imports(&self.global);
        if let Some(it) = it {
            self.session.scope.set_or_push("it", it);
        }
        Ok(outcome)
    }

    /// Appends the input to the transcript and compiles it there.
    fn compile(&mut self, input: &str) -> Result<AST, Box<Report>> {
        let lines = self.transcript.matches('\n').count();
        self.transcript.push_str(input);
        self.transcript.push('\n');
        let session = &self.session;
        session.control.sources().set_main(REPL, &self.transcript);
        let text = "\n".repeat(lines) + input;
        let mut ast = compile(&session.engine, &text).map_err(|e| {
            Box::new(diagnose::parse_error(session.context(Some(&self.functions)), REPL, &e))
        })?;
        ast.set_source(REPL);
        let all = self.functions.merge(&ast);
        let unknown = check::unknown_variables(&session.control, &all, &session.scope);
        match session.explain_unknown(&all, &unknown) {
            Some(report) => Err(Box::new(report)),
            None => Ok(ast),
        }
    }

    /// The state now.
    pub fn snapshot(&self) -> Snapshot {
        let scope = &self.session.scope;
        let shared = scope.iter_raw().enumerate().filter(|(_, (.., value))| value.is_shared());
        Snapshot {
            captured: shared.map(|(i, (.., value))| (i, value.flatten_clone())).collect(),
            scope: scope.clone(),
            global: self.global.clone(),
            functions: self.functions.clone(),
        }
    }

    /// Goes back to a state. The transcript keeps what was typed.
    pub fn restore(&mut self, to: Snapshot) {
        let Snapshot { mut scope, captured, global, functions } = to;
        let names: Vec<String> = scope.iter_raw().map(|(name, ..)| name.to_string()).collect();
        for (i, value) in captured {
            // `set_value` needs the innermost of that name, which is what a
            // closure can have captured last.
            if let Some(mut cell) = names
                .get(i)
                .and_then(|name| scope.get_mut(name))
                .and_then(|cell| cell.write_lock::<Dynamic>())
            {
                *cell = value;
            }
        }
        self.session.scope = scope;
        self.global = global;
        self.functions = functions;
    }

    /// The functions defined so far.
    pub fn functions(&self) -> &AST {
        &self.functions
    }

    /// Variables by name, with their types and values as shown; the innermost
    /// of several with one name.
    pub fn variables(&self) -> Vec<(String, Dynamic)> {
        let mut all: Vec<(String, Dynamic)> = Vec::new();
        for (name, _, value) in self.session.scope.iter() {
            all.retain(|(seen, _)| seen != name);
            all.push((name.to_string(), value));
        }
        all
    }

    /// A value as messages show it.
    pub fn show(&self, value: &Dynamic) -> String {
        value::show(&self.session.engine, value)
    }
}
