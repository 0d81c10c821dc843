//! Runs a whole script: compile, check, evaluate, explain. The engine lives
//! and dies on a thread with a deep stack, so one limit holds in every build;
//! what goes in and what comes out is plain data.
//!
//! Left out: the meaning of a script that only defines `main`; the bindings
//! start it as a process.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rhai::{
    AST, ASTNode, Caches, Dynamic, Engine, EvalAltResult, Expr, GlobalRuntimeState, ParseError,
    Position, Scope, Stmt,
};

use super::bind::program::MAIN;
use super::control::{Control, Output, Stop};
use super::diagnose::{self, Context};
use super::diagnostic::Report;
use super::limits::Limits;
use super::modules::{self, SourceLoader};
use super::{check, engine, stack, value};

/// The name of a file's text, its imports, its limits: what a run needs.
pub struct Job {
    /// The name shown in messages.
    pub name: String,
    /// The script.
    pub text: String,
    /// Where its imports come from.
    pub loader: Box<dyn SourceLoader + Send>,
    /// What it may use.
    pub limits: Limits,
    /// Where its prints go.
    pub output: Box<dyn Output + Send>,
    /// Set from elsewhere to stop it.
    pub interrupt: Arc<AtomicBool>,
}

/// How a script ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The value of its last expression, unless it is `()`.
    pub value: Option<String>,
    /// The code it asked for with `exit(n)`.
    pub exit: Option<i64>,
    /// Expectations that failed, in order; the run is a failure if any did.
    pub failed: Vec<Report>,
    /// Operations it took.
    pub ops: u64,
}

/// A script that did not come to its end.
#[derive(Debug)]
pub struct Failure {
    /// What ended it.
    pub report: Box<Report>,
    /// Expectations that had failed before.
    pub failed: Vec<Report>,
    /// It was told to stop (Ctrl-C, reader gone), so nothing is wrong with it.
    pub stopped: Option<Stop>,
}

impl Job {
    /// A job with default limits and without imports.
    pub fn new(
        name: impl Into<String>,
        text: impl Into<String>,
        output: impl Output + Send + 'static,
    ) -> Job {
        Job {
            name: name.into(),
            text: text.into(),
            loader: Box::new(modules::NoModules),
            limits: Limits::default(),
            output: Box::new(output),
            interrupt: Arc::default(),
        }
    }

    /// Runs it. `setup` registers further functions and variables.
    pub fn run(
        self,
        setup: impl FnOnce(&mut Engine, &Control, &mut Scope<'static>) + Send,
    ) -> Result<Outcome, Failure> {
        let result = stack::on_deep_stack(move || {
            let mut session = Session::new(self.limits, self.interrupt, self.output, self.loader);
            let control = session.control.clone();
            setup(&mut session.engine, &control, &mut session.scope);
            session.run(&self.name, &self.text)
        });
        result.unwrap_or_else(|e| {
            Err(Failure {
                report: Box::new(Report::error("forkyard::internal", e.to_string())),
                failed: Vec::new(),
                stopped: None,
            })
        })
    }
}

/// An engine with its state, on the current thread. [`Job::run`] uses one; so
/// may whoever needs the engine afterwards, on a deep stack of their own
/// ([`stack::on_deep_stack`]).
pub struct Session {
    /// The engine.
    pub engine: Engine,
    /// What it shares with its owner.
    pub control: Control,
    /// The variables the script starts with, and has after it.
    pub scope: Scope<'static>,
    /// Runs a file that only defines `main`, as a program.
    pub main: Option<Box<MainRunner>>,
}

/// Runs `main` of a script; gives the exit code and what went wrong.
pub type MainRunner = dyn Fn(&Engine, &Control, &AST) -> Result<(i64, Vec<Report>), Box<Report>>;

impl Session {
    /// A new engine.
    pub fn new(
        limits: Limits,
        interrupt: Arc<AtomicBool>,
        output: Box<dyn Output>,
        loader: Box<dyn SourceLoader>,
    ) -> Session {
        let control = Control::new(limits, interrupt, output);
        let mut engine = engine::build(&control);
        modules::register(&mut engine, &control, loader);
        Session { engine, control, scope: Scope::new(), main: None }
    }

    /// Compiles and checks a script under a name.
    pub fn compile(&self, name: &str, text: &str) -> Result<AST, Box<Report>> {
        self.control.sources().set_main(name, text);
        let ctx = Context {
            engine: &self.engine,
            control: &self.control,
            ast: None,
            scope: Some(&self.scope),
        };
        let limit = self.control.limits().source_bytes;
        if text.len() > limit {
            let message = format!("the script is longer than {limit} bytes");
            return Err(Box::new(Report::error("forkyard::limit", message)));
        }
        let mut ast = compile(&self.engine, text)
            .map_err(|e| Box::new(diagnose::parse_error(ctx, name, &e)))?;
        ast.set_source(name);
        let unknown = check::unknown_variables(&self.control, &ast, &self.scope);
        match self.explain_unknown(&ast, &unknown) {
            Some(report) => Err(Box::new(report)),
            None => Ok(ast),
        }
    }

    /// One report for all unknown variables: the first, with the others as
    /// related ones.
    pub fn explain_unknown(&self, ast: &AST, unknown: &[check::Unknown]) -> Option<Report> {
        let explain = |u: &check::Unknown| {
            let error = EvalAltResult::ErrorVariableNotFound(u.name.clone(), u.pos);
            diagnose::explain(self.context(Some(ast)), &error)
        };
        let (first, rest) = unknown.split_first()?;
        let mut report = explain(first);
        let others = rest.iter().filter(|u| u.name != first.name);
        report.related = others.take(MOST_UNKNOWN).map(explain).collect();
        Some(report)
    }

    /// What diagnostics need to know.
    pub fn context<'c>(&'c self, ast: Option<&'c AST>) -> Context<'c> {
        Context { engine: &self.engine, control: &self.control, ast, scope: Some(&self.scope) }
    }

    /// Runs a script to its end.
    pub fn run(&mut self, name: &str, text: &str) -> Result<Outcome, Failure> {
        self.control.begin();
        let fail = |report, control: &Control| Failure {
            report,
            failed: control.take_failures(),
            stopped: control
                .stopped()
                .filter(|s| matches!(s, Stop::Interrupted | Stop::OutputClosed)),
        };
        let ast = self.compile(name, text).map_err(|report| fail(report, &self.control))?;
        self.control.set_script(&ast, text);
        self.know_imports(&ast);
        let result = self.engine.eval_ast_with_scope::<Dynamic>(&mut self.scope, &ast);
        if let Some(params) = main_with_parameters(&ast) {
            let message = format!("`main` takes no arguments, and this one has {params}");
            let report = Report::error("forkyard::program", message).help(
                "a program that is executed gets its arguments: `fn child(argv)` by `execve`",
            );
            return Err(fail(Box::new(report), &self.control));
        }
        let mut outcome =
            self.finish(&ast, result).map_err(|report| fail(report, &self.control))?;
        if outcome.exit.is_none()
            && let Some(main) = self.main.as_ref().filter(|_| is_program(&self.control, &ast))
        {
            let ran = main(&self.engine, &self.control, &ast);
            let (code, reports) = ran.map_err(|report| fail(report, &self.control))?;
            if let Some(stop) = self.control.stopped() {
                return Err(fail(Box::new(diagnose::stop(&stop)), &self.control));
            }
            outcome.exit = Some(code);
            outcome.failed.extend(reports);
        }
        Ok(outcome)
    }

    /// Makes the modules that a script imports at its beginning known to its
    /// functions where these run as programs: they see nothing of what the
    /// script's statements do. An import that fails is reported when the
    /// statement is executed.
    fn know_imports(&mut self, ast: &AST) {
        let leading = ast.statements().iter().take_while(|s| matches!(s, Stmt::Import(..)));
        let leading: Vec<Stmt> = leading.cloned().collect();
        if leading.is_empty() {
            return;
        }
        let mut global = self.engine.new_global_runtime_state();
        global.source = ast.source().map(Into::into);
        #[allow(deprecated, reason = "the only way to keep imports; rhai is pinned")]
        let _ = self.engine.eval_statements_raw(
            &mut global,
            &mut Caches::new(),
            &mut Scope::new(),
            &leading,
        );
        self.register_imports(&global);
    }

    /// Makes imported modules known everywhere.
    pub fn register_imports(&mut self, global: &GlobalRuntimeState) {
        for (name, module) in global.iter_imports_raw() {
            self.engine.register_static_module(name.as_str(), module.clone());
        }
    }

    /// What an evaluation's result means.
    pub fn finish(
        &self,
        ast: &AST,
        result: Result<Dynamic, Box<EvalAltResult>>,
    ) -> Result<Outcome, Box<Report>> {
        // Rhai turns an `exit` into the script's value.
        let exit = self.control.exit();
        let value = match result {
            _ if exit.is_some() => Dynamic::UNIT,
            Ok(value) => value,
            Err(e) => return Err(Box::new(diagnose::explain(self.context(Some(ast)), &e))),
        };
        // A limit hit by the last operation of all.
        if let Some(stop) = self.control.stopped() {
            return Err(Box::new(diagnose::stop(&stop)));
        }
        let value = (!value.is_unit()).then(|| value::show_answer(&self.engine, &value));
        Ok(Outcome { value, exit, failed: self.control.take_failures(), ops: self.control.ops() })
    }
}

/// Whether a script defines `main` and leaves it to us to start it.
fn is_program(control: &Control, ast: &AST) -> bool {
    let main = ast.iter_functions().any(|f| f.name == MAIN && f.params.is_empty());
    main && !control.has_started() && !calls(ast, MAIN)
}

/// The number of parameters of a `main` that can only be meant as a program's:
/// the file has no statements of its own.
fn main_with_parameters(ast: &AST) -> Option<usize> {
    let mains = || ast.iter_functions().filter(|f| f.name == MAIN);
    if !ast.statements().is_empty() || mains().any(|f| f.params.is_empty()) {
        return None;
    }
    mains().map(|f| f.params.len()).next()
}

/// Whether a script's own statements call a function.
fn calls(ast: &AST, name: &str) -> bool {
    let mut found = false;
    for stmt in ast.statements() {
        stmt.walk(&mut Vec::new(), &mut |path| {
            found |= match path.last() {
                Some(
                    ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)),
                ) => call.name == name,
                _ => false,
            };
            true
        });
    }
    found
}

/// How many unknown variables are reported beside the first.
const MOST_UNKNOWN: usize = 9;

/// Compiles a text. A first line that starts with `#!` is skipped.
pub fn compile(engine: &Engine, text: &str) -> Result<AST, ParseError> {
    too_long(text)?;
    if !text.starts_with("#!") {
        return engine.compile(text);
    }
    let rest = text.find('\n').map_or("", |end| &text[end..]);
    engine.compile(rest)
}

/// Rhai counts lines and columns in 16 bits; beyond, places would be wrong.
fn too_long(text: &str) -> Result<(), ParseError> {
    let long = |pos| {
        let text = "a script may have 65535 lines of 65535 characters".to_string();
        let error = rhai::LexError::ImproperSymbol(String::new(), text);
        Err(ParseError(Box::new(rhai::ParseErrorType::BadInput(error)), pos))
    };
    for (i, line) in text.split('\n').enumerate() {
        let Ok(number) = u16::try_from(i + 1) else { return long(Position::new(u16::MAX, 1)) };
        if line.len() > usize::from(u16::MAX) && line.chars().count() > usize::from(u16::MAX) {
            return long(Position::new(number, 1));
        }
    }
    Ok(())
}
