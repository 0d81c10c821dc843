//! Syntax errors. Rhai reports the first one only, at the place where it lost
//! the thread, which is often the token after the mistake.
//!
//! Left out: recovery after the first mistake.

use rhai::{LexError, ParseErrorType, Position};

use super::super::diagnostic::Report;
use super::super::span::{self, Extent};
use super::{Place, unknown_variable};

const SYNTAX: &str = "forkyard::syntax";
const LIMIT: &str = "forkyard::limit";

/// The report for a syntax error.
pub(super) fn report(place: &Place, kind: &ParseErrorType) -> Report {
    use ParseErrorType as P;
    let limits = place.ctx.control.limits();
    match kind {
        P::MissingToken(..) | P::UnexpectedEOF | P::ExprExpected(_)
            if at_end(place) && unclosed(place).is_some() =>
        {
            unclosed(place).unwrap_or_else(|| token(place, "a bracket is missing", "here"))
        }
        // A bracket is missing too where a list meets the statement's end.
        P::MissingToken(token, _)
            if matches!(token.as_str(), ")" | "]" | "}")
                || (token == "," && at_semicolon(place)) =>
        {
            unclosed(place).unwrap_or_else(|| {
                at_or_after(place, format!("`{token}` is missing"), "expected here")
            })
        }
        P::MissingToken(token, _) if token == ";" => {
            after_previous(place, "a `;` is missing", "the statement ends here, without `;`")
                .help("every statement ends with `;`, except the last one of a block")
        }
        P::MissingToken(token, what) => {
            let message = format!("`{token}` is missing {}", lower(what)).replace('\'', "`");
            at_or_after(place, message.trim_end(), format!("`{token}` expected here"))
        }
        P::UnexpectedEOF => at_or_after(place, "the script ends too early", "nothing follows here"),
        P::BadInput(LexError::UnterminatedString) => unterminated(place),
        P::BadInput(error) => {
            token(place, lower(&error.to_string()).replace('\'', "`"), "not understood")
        }
        P::ExprTooDeep => limit(
            place,
            format!(
                "expressions and blocks are nested too deeply (limits: {}, in functions {})",
                limits.expr_depth, limits.fn_expr_depth
            ),
        )
        .help("keep parts of it in variables, or move them to functions"),
        P::TooManyFunctions => {
            limit(place, format!("more than {} functions and closures", limits.functions))
        }
        P::LiteralTooLarge(what, max) => limit(place, format!("{} exceeds {max}", lower(what))),
        P::VariableUndefined(name) => unknown_variable(place, name),
        P::Reserved(word) => {
            token(place, format!("`{word}` is a reserved word"), "not usable here")
                .help("choose another name")
        }
        P::AssignmentToConstant(name) if !name.is_empty() => {
            token(place, format!("`{name}` is a constant"), "cannot be assigned to")
        }
        P::WrongFnDefinition => {
            token(place, "a function is defined inside a block", "functions stand at the top level")
                .help("a closure can stand anywhere: `let f = |x| x + 1;`, then `f.call(2)`")
        }
        P::FnDuplicatedDefinition(name, count) => {
            token(place, format!("`{name}` with {count} parameters exists already"), "second time")
        }
        P::PropertyExpected => {
            at_or_after(place, "a property name is missing", "expected a name here")
        }
        P::VariableExpected => {
            at_or_after(place, "a variable name is missing", "expected a name here")
        }
        P::ExprExpected(what) => {
            let what = if what.is_empty() { "an expression" } else { what.as_str() };
            at_or_after(place, format!("{what} is missing"), "expected here")
        }
        P::FnMissingName => token(place, "a function needs a name of its own", "not free to use")
            .help("this word belongs to the language or is reserved"),
        P::LoopBreak => token(place, "`break` outside a loop", "there is no loop around this"),
        P::ModuleUndefined(name) => {
            token(place, format!("unknown module `{name}`"), "not imported")
        }
        other => token(place, lower(&other.to_string()).replace('\'', "`"), "here"),
    }
}

fn token(place: &Place, message: impl Into<String>, label: &str) -> Report {
    place.report(SYNTAX, message, Extent::Token, label)
}

fn limit(place: &Place, message: String) -> Report {
    place.report(LIMIT, message, Extent::Token, "here")
}

/// At the token where the parser stopped, or at the end of the text.
fn at_or_after(place: &Place, message: impl Into<String>, label: impl Into<String>) -> Report {
    match at_end(place) {
        true => after_previous(place, message, label),
        false => place.report(SYNTAX, message, Extent::Token, label),
    }
}

fn after_previous(place: &Place, message: impl Into<String>, label: impl Into<String>) -> Report {
    let pos = match place.pos.is_none() {
        true => Position::new(u16::MAX, 0),
        false => place.pos,
    };
    let report = Report::error(SYNTAX, message).with_source(&place.source);
    match span::after_previous(&place.source, pos) {
        Some(range) => report.label(range, label),
        None => report.label(0..0, label),
    }
}

fn at_semicolon(place: &Place) -> bool {
    place.source.slice(&span::at(&place.source, place.pos, Extent::Token)) == ";"
}

fn at_end(place: &Place) -> bool {
    let end = place.source.tokens().last().map_or(0, |t| t.range.end);
    place.source.offset_of(place.pos).is_none_or(|offset| offset >= end)
}

/// A report about the innermost bracket that is open where the parser stopped.
fn unclosed(place: &Place) -> Option<Report> {
    let opener = span::open_bracket(&place.source, place.pos)?;
    let closer = match place.source.slice(&opener) {
        "(" => ")",
        "[" | "?[" => "]",
        _ => "}",
    };
    let message = format!("`{closer}` is missing");
    let report = at_or_after(place, message, format!("`{closer}` expected here"));
    Some(report.label(opener, "to close this"))
}

fn unterminated(place: &Place) -> Report {
    let source = &place.source;
    let start = source.offset_of(place.pos).unwrap_or(0);
    let (line, _) = source.line_column(start);
    let end = source.line_range(line).map_or(start, |line| line.end);
    let report = Report::error(SYNTAX, "a string has no end").with_source(source);
    let quote = source.text()[start..].chars().next().unwrap_or('"');
    report.label(start..end.max(start), format!("`{quote}` opened here is never closed"))
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), text.chars().nth(1)) {
        // Not for "EOF" and the like.
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_string(),
    }
}
