//! Whether an input of several lines is finished: an interactive session asks
//! for another line while a bracket, string or comment is open.
//!
//! Left out: typing a blank line ends the input in any case; that is up to the
//! session.

use rhai::{Engine, LexError, ParseErrorType};

use super::lex::{self, Kind};
use super::run::compile;

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// It compiles.
    Complete,
    /// More lines could make it compile.
    Unfinished,
    /// No further line can save it.
    Wrong,
}

/// Judges an input.
pub fn judge(engine: &Engine, text: &str) -> Input {
    let open_comment = || {
        let last = lex::tokenize(text).pop();
        last.is_some_and(|t| t.kind == Kind::Comment { closed: false })
    };
    let error = match compile(engine, text) {
        Ok(_) if open_comment() => return Input::Unfinished,
        Ok(_) => return Input::Complete,
        Err(error) => error,
    };
    let unfinished = match *error.0 {
        // Here Rhai gives the string's start. Back-tick and raw strings run
        // over lines, others need a backslash at the line's end.
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            let open = lex::tokenize(text)
                .into_iter()
                .find(|t| matches!(t.kind, Kind::Str { closed: false, .. }));
            open.is_some_and(|t| {
                let text = t.text(text);
                t.range.end > 0 && (!text.starts_with(['"', '\'']) || text.ends_with('\\'))
            })
        }
        // Anything missing at the very end may still come.
        _ => {
            let lines = text.split('\n').count();
            let last = text.rsplit('\n').next().map_or(0, |line| line.chars().count());
            let (line, column) = (error.1.line(), error.1.position().unwrap_or(0));
            line.is_none()
                || (line == Some(lines) && column > last)
                || only_space_after(text, line, column)
        }
    };
    if unfinished { Input::Unfinished } else { Input::Wrong }
}

/// Whether nothing but white space and comments follows a position.
fn only_space_after(text: &str, line: Option<usize>, column: usize) -> bool {
    let source = super::source::Source::new("", text);
    let at = source.offset(line.unwrap_or(1), column.max(1));
    source.tokens().last().is_none_or(|t| t.range.end <= at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::engine::plain;

    #[test]
    fn inputs_are_judged() {
        let engine = plain();
        for (text, input) in [
            ("", Input::Complete),
            ("// only", Input::Complete),
            ("1 + 1", Input::Complete),
            ("let x = 1;", Input::Complete),
            ("fn f() {", Input::Unfinished),
            ("fn f() {\n  1", Input::Unfinished),
            ("fn f() {\n", Input::Unfinished),
            ("if x {\n  // nothing yet\n", Input::Unfinished),
            ("[1,", Input::Unfinished),
            ("foo(1", Input::Unfinished),
            ("1 +", Input::Unfinished),
            ("let x =", Input::Unfinished),
            ("#{a: 1,", Input::Unfinished),
            ("`open", Input::Unfinished),
            ("`a ${", Input::Unfinished),
            ("#\"raw", Input::Unfinished),
            ("\"a\\", Input::Unfinished),
            ("/* open", Input::Unfinished),
            ("1 /* open /* nested */", Input::Unfinished),
            ("assert(1 ==", Input::Unfinished),
            ("\"open", Input::Wrong),
            ("let 1 = 2", Input::Wrong),
            ("foo)", Input::Wrong),
            ("1 2", Input::Wrong),
            ("let x = ;", Input::Wrong),
        ] {
            assert_eq!(judge(&engine, text), input, "{text:?}");
        }
    }
}
