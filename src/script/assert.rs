//! `assert(expr)`, `expect(expr)` and `assert_errno(EPERM, || …)`.
//!
//! The first two are syntax, not functions: they get the expression's tree,
//! evaluate every operand once, and on failure show each operand's value under
//! the source. `assert` ends the script, `expect` records and goes on.
//!
//! Left out: assertions about kernel objects; those are ordinary functions that
//! return a value to assert on.

use std::ops::Range;
use std::sync::Arc;

use rhai::{
    Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression, FnPtr, ImmutableString,
    NativeCallContext, ParseError, Position, StaticVec,
};

use super::control::Control;
use super::diagnose;
use super::errors::{AssertFail, ScriptError};
use super::source::Source;
use super::span::{self, Extent};
use super::value::show;
use crate::abi::Errno;

type RhaiResult = Result<Dynamic, Box<EvalAltResult>>;

/// Registers the three.
pub fn register(engine: &mut Engine, control: &Control) {
    let shared = control.clone();
    engine.register_custom_syntax_with_state_raw(
        "assert",
        |symbols, next, _| grammar(symbols, next),
        false,
        move |ctx, inputs, _| match check(&shared, ctx, inputs, "assertion failed")? {
            None => Ok(Dynamic::UNIT),
            Some((fail, pos)) => Err(ScriptError::Assert(Box::new(fail)).at(pos)),
        },
    );
    let shared = control.clone();
    engine.register_custom_syntax_with_state_raw(
        "expect",
        |symbols, next, _| grammar(symbols, next),
        false,
        move |ctx, inputs, _| {
            let Some((fail, _)) = check(&shared, ctx, inputs, "expectation failed")? else {
                return Ok(true.into());
            };
            shared.record_failure(diagnose::assertion(shared.sources(), &fail));
            Ok(false.into())
        },
    );
    let shared = control.clone();
    engine.register_fn("assert_errno", move |ctx: NativeCallContext, errno: Errno, f: FnPtr| {
        assert_errno(&shared, &ctx, errno.name(), &f)
    });
    let shared = control.clone();
    engine.register_fn(
        "assert_errno",
        move |ctx: NativeCallContext, errno: ImmutableString, f: FnPtr| {
            assert_errno(&shared, &ctx, &errno, &f)
        },
    );
}

/// `(` expression [`,` message] [`,`] `)`
fn grammar(symbols: &[ImmutableString], next: &str) -> Result<Option<ImmutableString>, ParseError> {
    let exprs = symbols.iter().filter(|s| *s == "$expr$").count();
    let last = symbols.last().map_or("", |s| s.as_str());
    Ok(match last {
        ")" => None,
        "(" => Some("$expr$".into()),
        "," if exprs == 2 || next == ")" => Some(")".into()),
        "," => Some("$expr$".into()),
        "$expr$" if next == "," => Some(",".into()),
        "$expr$" => Some(")".into()),
        _ => Some("(".into()),
    })
}

/// Evaluates the asserted expression; `None` when it holds.
fn check(
    control: &Control,
    ctx: &mut EvalContext,
    inputs: &[Expression],
    title: &str,
) -> Result<Option<(AssertFail, Position)>, Box<EvalAltResult>> {
    let Some(asserted) = inputs.first() else { return Ok(None) };
    let asserted: &Expr = asserted;
    let mut values = Vec::new();
    let result = explain(ctx, asserted, &mut values)?;
    let held = result.as_bool();
    if held == Ok(true) {
        return Ok(None);
    }
    let engine = ctx.engine();
    let name = ctx.source().unwrap_or("").to_string();
    let Some(source) = control.sources().get(&name) else { return Ok(None) };
    let span = span::of_expr(&source, asserted);
    let mut title = title.to_string();
    if let Some(message) = inputs.get(1) {
        let message = ctx.eval_expression_tree(message)?;
        title = format!("{title}: {}", message);
    }
    let label = match held {
        Ok(_) => "this is false".to_string(),
        Err(_) => {
            title = "assert needs a condition, true or false".into();
            format!(
                "this is {}, a value of type {}",
                show(engine, &result),
                type_name(engine, &result)
            )
        }
    };
    let (values, notes) = located(engine, &source, values);
    let span = span::word_before(&source, span.start, &["assert", "expect"]).unwrap_or(span);
    let fail = AssertFail { title, source: source.name().into(), span, label, values, notes };
    Ok(Some((fail, asserted.start_position())))
}

fn type_name(engine: &Engine, value: &Dynamic) -> String {
    super::names::friendly(engine.map_type_name(value.type_name()))
}

/// Operand values: labels for the outermost ones, which do not overlap, and
/// sentences for what lies within those.
fn located(
    engine: &Engine,
    source: &Arc<Source>,
    values: Vec<(&Expr, Dynamic)>,
) -> (Vec<(Range<usize>, String)>, Vec<String>) {
    let mut all: Vec<(Range<usize>, String)> = Vec::new();
    for (expr, value) in values {
        let at = span::of_expr(source, expr);
        if !all.iter().any(|(seen, _)| *seen == at) {
            all.push((at, show(engine, &value)));
        }
    }
    let within =
        |a: &Range<usize>, b: &Range<usize>| a != b && b.start <= a.start && a.end <= b.end;
    let is_inner = |at: &Range<usize>| all.iter().any(|(other, _)| within(at, other));
    let (inner, outer): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|(at, _)| is_inner(at));
    let notes = inner.iter().map(|(at, value)| format!("`{}` is {value}", source.slice(at)));
    (outer, notes.collect())
}

/// Evaluates an expression and notes the value of every operand. Operators are
/// evaluated here with operands already known, everything else by Rhai.
fn explain<'e>(
    ctx: &mut EvalContext,
    expr: &'e Expr,
    values: &mut Vec<(&'e Expr, Dynamic)>,
) -> RhaiResult {
    let as_bool = |value: &Dynamic| value.as_bool().ok();
    match expr {
        Expr::And(operands, _) | Expr::Or(operands, _) => {
            let stop_at = matches!(expr, Expr::Or(..));
            let mut result = Dynamic::from(!stop_at);
            for operand in operands.iter() {
                result = explain(ctx, operand, values)?;
                match as_bool(&result) {
                    Some(b) if b == stop_at => break,
                    Some(_) => {}
                    // Not a bool: Rhai itself raises the right error.
                    None => return eval(ctx, expr),
                }
            }
            Ok(result)
        }
        Expr::FnCall(call, pos) if call.is_operator_call() || is_in(expr) => {
            let mut call = (**call).clone();
            let Expr::FnCall(original, _) = expr else { return eval(ctx, expr) };
            for (operand, original) in call.args.iter_mut().zip(original.args.iter()) {
                let value = explain(ctx, original, values)?;
                *operand = Expr::DynamicConstant(Box::new(value), original.position());
            }
            let result = eval(ctx, &Expr::FnCall(Box::new(call), *pos))?;
            // `a + b` gets a label of its own, `a == b` does not.
            if as_bool(&result).is_none() {
                values.push((expr, result.clone()));
            }
            Ok(result)
        }
        _ => {
            let inner = variables(ctx, expr)?;
            let result = eval(ctx, expr)?;
            if as_bool(&result).is_some() {
                values.extend(inner);
            }
            if !expr.is_constant() {
                values.push((expr, result.clone()));
            }
            Ok(result)
        }
    }
}

fn eval(ctx: &mut EvalContext, expr: &Expr) -> RhaiResult {
    ctx.eval_expression_tree(&Expression::from(expr))
}

/// `x in y` is a call of `contains(y, x)` whose second argument stands first.
fn is_in(expr: &Expr) -> bool {
    let Expr::FnCall(call, pos) = expr else { return false };
    let [container, _] = call.args.as_slice() else { return false };
    let key = |p: Position| (p.line(), p.position());
    call.name == "contains" && key(container.position()) > key(*pos) && {
        let item = call.args[1].start_position();
        key(item) < key(*pos)
    }
}

/// The plain variables an expression mentions, when it is something whose
/// value alone explains nothing: a call, a chain of fields. Reading a variable
/// has no effect, so this does not evaluate an operand twice.
fn variables<'e>(
    ctx: &mut EvalContext,
    expr: &'e Expr,
) -> Result<Vec<(&'e Expr, Dynamic)>, Box<EvalAltResult>> {
    let mut found: StaticVec<&'e Expr> = StaticVec::new();
    match expr {
        Expr::FnCall(call, _) => found.extend(call.args.iter()),
        Expr::Dot(chain, ..) => {
            found.push(&chain.lhs);
            if let Expr::MethodCall(call, _) = &chain.rhs {
                found.extend(call.args.iter());
            }
        }
        _ => {}
    }
    let mut values = Vec::new();
    for e in found {
        let Expr::Variable(name, ..) = e else { continue };
        if let Some(value) = ctx.scope().get(name.1.as_str()) {
            values.push((e, value.flatten_clone()));
        }
    }
    Ok(values)
}

/// Calls the closure and wants it to be refused with this error. Returns the
/// error, so that its `.why` can be looked at.
fn assert_errno(control: &Control, ctx: &NativeCallContext, wanted: &str, f: &FnPtr) -> RhaiResult {
    let name = ctx.call_source().unwrap_or("").to_string();
    let source = control.sources().get(&name);
    let span =
        source.as_ref().map_or(0..0, |source| span::at(source, ctx.call_position(), Extent::Token));
    let mut fail = AssertFail {
        title: String::new(),
        source: name.clone(),
        span,
        label: String::new(),
        values: Vec::new(),
        notes: Vec::new(),
    };
    let error = match f.call_within_context::<Dynamic>(ctx, ()) {
        Ok(value) => {
            fail.title = format!("expected {wanted}, but the call succeeded");
            fail.label = match value.is_unit() {
                true => "was not refused".into(),
                false => format!("was not refused, and returned {}", show(ctx.engine(), &value)),
            };
            return Err(ScriptError::Assert(Box::new(fail)).into());
        }
        Err(error) => error,
    };
    let leaf = diagnose::Leaf::of(&error, &name);
    let EvalAltResult::ErrorRuntime(value, pos) = leaf.error else { return Err(error) };
    let Some(raised) = value.read_lock::<ScriptError>() else { return Err(error) };
    let ScriptError::Refused(reason) = &*raised else {
        drop(raised);
        return Err(error);
    };
    if reason.errno.name() == wanted {
        return Ok(value.clone());
    }
    fail.title = format!("expected {wanted}, but got {}", reason.errno);
    fail.label = format!("not refused with {wanted}");
    if let Some(source) = source.filter(|_| leaf.source == name) {
        let at = span::at(&source, *pos, Extent::Operand);
        fail.values.push((at, format!("{} here", reason.errno)));
    }
    fail.notes.push(format!("{}: {}", reason.sentence(), reason.why));
    Err(ScriptError::Assert(Box::new(fail)).into())
}
