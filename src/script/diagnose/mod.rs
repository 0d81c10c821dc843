//! Turns whatever Rhai returns into a [`Report`]: finds the innermost error and
//! the calls that led there, names the place, says what to do.
//!
//! Left out: rendering; see `diagnostic`.

mod names_used;
mod raised;
mod syntax;
mod values;

use std::sync::Arc;

use rhai::{AST, Engine, EvalAltResult, ParseError, Position, Scope};

use super::control::Control;
use super::diagnostic::{Frame, Report, Severity};
use super::source::{Source, Sources};
use super::span::{self, Extent};

pub use names_used::unknown_variable;
pub use raised::{assertion, stop};

/// What is known about the script whose error is explained.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    /// The engine that ran it.
    pub engine: &'c Engine,
    /// The engine's shared state.
    pub control: &'c Control,
    /// The script's functions.
    pub ast: Option<&'c AST>,
    /// The variables at hand.
    pub scope: Option<&'c Scope<'static>>,
}

/// The innermost error and the way to it.
pub struct Leaf<'e> {
    /// The innermost error.
    pub error: &'e EvalAltResult,
    /// The source it happened in.
    pub source: String,
    /// The calls on the way, outermost first: source, position, function.
    pub calls: Vec<(String, Position, String)>,
}

impl<'e> Leaf<'e> {
    /// Walks from the outermost error to the innermost. `source` is where
    /// evaluation started.
    pub fn of(error: &'e EvalAltResult, source: &str) -> Leaf<'e> {
        let mut leaf = Leaf { error, source: source.to_string(), calls: Vec::new() };
        loop {
            match leaf.error {
                EvalAltResult::ErrorInFunctionCall(name, callee, inner, pos) => {
                    leaf.calls.push((leaf.source.clone(), *pos, name.clone()));
                    if !callee.is_empty() {
                        leaf.source.clone_from(callee);
                    }
                    leaf.error = inner;
                }
                EvalAltResult::ErrorInModule(name, inner, pos) => {
                    leaf.calls.push((leaf.source.clone(), *pos, String::new()));
                    leaf.source.clone_from(name);
                    leaf.error = inner;
                }
                _ => return leaf,
            }
        }
    }
}

/// Explains an error of an evaluation that started in the main source.
pub fn explain(ctx: Context, error: &EvalAltResult) -> Report {
    let leaf = Leaf::of(error, &ctx.control.sources().main_name());
    let Some(source) = ctx.control.sources().get(&leaf.source) else {
        return Report::error("forkyard::error", error.to_string());
    };
    let place = Place { ctx, source, pos: leaf.error.position() };
    let mut report = match leaf.error {
        EvalAltResult::ErrorParsing(kind, _) => syntax::report(&place, kind),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            names_used::unknown_function(&place, signature)
        }
        EvalAltResult::ErrorVariableNotFound(name, _) => unknown_variable(&place, name),
        EvalAltResult::ErrorDotExpr(text, _) => names_used::unknown_property(&place, text),
        EvalAltResult::ErrorModuleNotFound(name, _) => names_used::unknown_module(&place, name),
        EvalAltResult::ErrorRuntime(value, _) => raised::thrown(&place, value),
        EvalAltResult::ErrorTerminated(token, _) => raised::terminated(&place, token),
        error => values::report(&place, error),
    };
    add_calls(&mut report, ctx.control.sources(), &place.source, &leaf.calls);
    report
}

/// Explains a syntax error in the named source.
pub fn parse_error(ctx: Context, source: &str, error: &ParseError) -> Report {
    let Some(source) = ctx.control.sources().get(source) else {
        return Report::error("forkyard::syntax", error.to_string());
    };
    syntax::report(&Place { ctx, source, pos: error.1 }, &error.0)
}

/// Where an error happened.
pub struct Place<'c> {
    /// What is known about the script.
    pub ctx: Context<'c>,
    /// The source.
    pub source: Arc<Source>,
    /// Rhai's position.
    pub pos: Position,
}

impl Place<'_> {
    /// A report whose primary label reaches as far as `extent`.
    fn report(
        &self,
        code: &'static str,
        message: impl Into<String>,
        extent: Extent,
        label: impl Into<String>,
    ) -> Report {
        let report = Report::error(code, message).with_source(&self.source);
        match self.pos.is_none() {
            true => report,
            false => {
                report.label(shorten(&self.source, span::at(&self.source, self.pos, extent)), label)
            }
        }
    }
}

/// Labels over many lines hide what they mark: those are cut to the first.
const LABEL_LINES: usize = 4;

fn shorten(source: &Source, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let text = source.slice(&range);
    if text.lines().count() <= LABEL_LINES {
        return range;
    }
    let first = text.lines().next().map_or(0, |line| line.trim_end().len());
    range.start..range.start + first
}

/// How many calls are shown in the source; the others are counted.
const CALLS_SHOWN: usize = 4;

/// Adds the calls: as labels in the report's own source, as related reports in
/// others, since a report has one source.
fn add_calls(
    report: &mut Report,
    sources: &Sources,
    own: &Arc<Source>,
    calls: &[(String, Position, String)],
) {
    let mut seen: Vec<(String, Position, String)> = Vec::new();
    let mut hidden = 0;
    for (name, pos, function) in calls.iter().rev() {
        let function = function_name(function);
        let source = sources.get(name);
        let (line, column) = match (&source, pos.line()) {
            (Some(source), Some(_)) => {
                source.line_column(source.offset_of(*pos).unwrap_or_default())
            }
            _ => (0, 0),
        };
        let shown = source.as_ref().map_or(name.as_str(), |s| s.name()).to_string();
        report.calls.push(Frame { function: function.clone(), source: shown, line, column });
        let (Some(source), Some(_)) = (source, pos.line()) else { continue };
        let call = (source.name().to_string(), *pos, function.clone());
        if seen.contains(&call) || seen.len() == CALLS_SHOWN {
            hidden += 1;
            continue;
        }
        // A native function that calls a closure stands for both.
        if seen.last().is_some_and(|(name, at, _)| (name, at) == (&call.0, pos)) {
            continue;
        }
        seen.push(call);
        add_call(report, own, &source, *pos, &function);
    }
    match hidden {
        0 => {}
        1 => report.notes.push("and one more call".into()),
        n => report.notes.push(format!("and {n} more calls")),
    }
}

fn add_call(
    report: &mut Report,
    own: &Arc<Source>,
    source: &Arc<Source>,
    pos: Position,
    function: &str,
) {
    let text = match function {
        "" => "imported here".to_string(),
        "closure" => "the closure was called here".to_string(),
        function => format!("`{function}` was called here"),
    };
    if source.name() != own.name() {
        let at = shorten(source, span::at(source, pos, Extent::Operand));
        let call = Report::error("forkyard::call", text).severity(Severity::Advice);
        report.related.push(call.with_source(source).label(at, ""));
        return;
    }
    // Labels that overlap are hard to read: the name alone may do.
    let free = |at: &std::ops::Range<usize>| {
        report.labels.iter().all(|l| l.span.end <= at.start || at.end <= l.span.start)
    };
    let whole = shorten(source, span::at(source, pos, Extent::Operand));
    let name = span::at(source, pos, Extent::Token);
    if let Some(at) = [whole, name].into_iter().find(free) {
        report.labels.push(super::diagnostic::Label { span: at, text });
    }
}

/// Rhai names closures `anon$` and a hash.
fn function_name(name: &str) -> String {
    if name.starts_with("anon$") { "closure".into() } else { name.into() }
}
