//! Errors about values: wrong types, indexes, arithmetic, sizes.
//!
//! Left out: names that do not exist (`names_used`), values that were thrown
//! (`raised`).

use rhai::EvalAltResult;

use super::super::diagnostic::Report;
use super::super::names::friendly;
use super::super::span::Extent;
use super::Place;

const TYPE: &str = "forkyard::type";
const BOUNDS: &str = "forkyard::bounds";
const LIMIT: &str = "forkyard::limit";

/// The report for an error about a value.
pub(super) fn report(place: &Place, error: &EvalAltResult) -> Report {
    use EvalAltResult as E;
    let ty = |name: &String| friendly(place.ctx.engine.map_type_name(name));
    let operand =
        |code, message: String, label: String| place.report(code, message, Extent::Operand, label);
    let limits = place.ctx.control.limits();
    match error {
        E::ErrorMismatchDataType(wanted, found, _) => {
            let (wanted, found) = (ty(wanted), ty(found));
            operand(TYPE, format!("expected {wanted}, found {found}"), format!("this is {found}"))
        }
        E::ErrorMismatchOutputType(wanted, found, _) => {
            let (wanted, found) = (ty(wanted), ty(found));
            operand(TYPE, format!("expected a result of type {wanted}, found {found}"), "".into())
        }
        E::ErrorIndexingType(what, _) => indexing(place, what),
        E::ErrorIndexNotFound(index, _) => {
            operand(BOUNDS, format!("there is nothing at index {index}"), "no such index".into())
        }
        E::ErrorPropertyNotFound(key, _) => {
            operand(BOUNDS, format!("the map has no key `{key}`"), "no such key".into())
                .help(format!("`map.get(\"{key}\")` gives `()` when there is none"))
        }
        E::ErrorArrayBounds(len, index, _) => bounds(place, "array", *len, "element", *index),
        E::ErrorStringBounds(len, index, _) => bounds(place, "string", *len, "character", *index),
        E::ErrorBitFieldBounds(len, index, _) => bounds(place, "number", *len, "bit", *index),
        E::ErrorFor(_) => {
            operand(TYPE, "a `for` loop cannot go over this".into(), "not iterable".into()).help(
                "it goes over arrays, ranges, strings, blobs, views such as `ps()`, sets of \
                       signals, and the `keys()` of a map",
            )
        }
        E::ErrorArithmetic(text, _) => arithmetic(place, text),
        E::ErrorAssignmentToConstant(name, _) => operand(
            "forkyard::constant",
            format!("`{name}` is a constant"),
            "cannot be changed".into(),
        ),
        E::ErrorNonPureMethodCallOnConstant(name, _) => operand(
            "forkyard::constant",
            format!("`{}` would change a constant", name.trim_start_matches("set$")),
            "changes its receiver".into(),
        ),
        E::ErrorUnboundThis(_) => {
            operand(TYPE, "there is no `this` here".into(), "not called as a method".into())
        }
        E::ErrorDataRace(name, _) => in_use(place, name),
        E::ErrorVariableExists(name, _) => {
            operand(TYPE, format!("`{name}` exists already"), "defined again".into())
        }
        E::ErrorForbiddenVariable(name, _) => {
            operand(TYPE, format!("`{name}` cannot be a variable here"), "".into())
        }
        E::ErrorStackOverflow(_) => operand(
            LIMIT,
            format!("calls are nested more than {} deep", limits.call_levels),
            "in this call".into(),
        )
        .help("does this recursion have an end?"),
        E::ErrorDataTooLarge(what, _) => too_large(place, what),
        E::ErrorTooManyVariables(_) => operand(
            LIMIT,
            format!("more than {} variables are alive", limits.variables),
            "one too many".into(),
        ),
        E::ErrorTooManyModules(_) => operand(
            LIMIT,
            format!("more than {} modules are imported", limits.modules),
            "one too many".into(),
        ),
        E::ErrorTooManyOperations(_) => {
            operand(LIMIT, "too many operations".into(), "stopped here".into())
        }
        E::LoopBreak(..) => {
            operand("forkyard::syntax", "`break` or `continue` outside a loop".into(), "".into())
        }
        other => operand("forkyard::error", other.to_string(), "here".into()),
    }
}

fn bounds(place: &Place, what: &str, len: usize, unit: &str, index: i64) -> Report {
    let s = if len == 1 { "" } else { "s" };
    let message = format!("index {index} is out of bounds: the {what} has {len} {unit}{s}");
    let report = place.report(BOUNDS, message, Extent::Operand, "out of bounds");
    match len {
        0 => report,
        len => {
            report.help(format!("valid indexes go from 0 to {}, and from -{len} to -1", len - 1))
        }
    }
}

/// Rhai gives no position here, but often the function's name.
fn in_use(place: &Place, name: &str) -> Report {
    let function = name.split_once(" of function ").map(|(_, f)| f.trim_matches('\''));
    let Some(function) = function else {
        let message = format!("`{name}` is used while it is being changed");
        return place.report(TYPE, message, Extent::Operand, "used here");
    };
    let message = format!("`{function}` works on a variable that is in use");
    let help = "while it runs, a closure cannot use the variable it was called on: copy it first";
    let report = place.report(TYPE, message, Extent::Operand, "here").help(help);
    let text = place.source.text();
    let mut uses = place.source.tokens().iter().filter(|t| t.text(text) == function);
    match (uses.next(), uses.next()) {
        (Some(only), None) if place.pos.is_none() => report.label(only.range.clone(), "here"),
        _ => report,
    }
}

/// `what` is like `Task [i64]` or `Task [i64] = string`.
fn indexing(place: &Place, what: &str) -> Report {
    let engine = place.ctx.engine;
    let (object, rest) = what.split_once(" [").unwrap_or((what, "?]"));
    let (index, assigned) = rest.split_once(']').unwrap_or((rest, ""));
    let object = friendly(engine.map_type_name(object));
    let index = friendly(engine.map_type_name(index));
    let message = match assigned.trim_start().strip_prefix("= ") {
        Some(value) => {
            let value = friendly(engine.map_type_name(value));
            format!("{object}[{index}] cannot be set to {value}")
        }
        None => format!("{object} cannot be indexed with {index}"),
    };
    place.report(TYPE, message, Extent::Operand, "")
}

fn arithmetic(place: &Place, text: &str) -> Report {
    let mut message = text.to_string();
    if let Some(first) = message.get(..1).map(str::to_lowercase) {
        message.replace_range(..1, &first);
    }
    let report = place.report("forkyard::arithmetic", message, Extent::Operand, "computed here");
    match text.contains("verflow") {
        true => report.help("integers have 64 bits and a sign; `addr(x)` computes without one"),
        false => report,
    }
}

fn too_large(place: &Place, what: &str) -> Report {
    let limits = place.ctx.control.limits();
    let message = match what {
        w if w.contains("string") => {
            format!("a string is longer than {} bytes", limits.string_bytes)
        }
        w if w.contains("map") => format!("a map has more than {} entries", limits.map_len),
        _ => format!("an array has more than {} elements", limits.array_len),
    };
    place
        .report(LIMIT, message, Extent::Operand, "grew too large here")
        .help("what is nested inside counts too")
}
