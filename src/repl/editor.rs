//! The line editor's side of the prompt: when to complete, hint, colour, and
//! whether an input is finished.
//!
//! Left out: a continuation prompt; rustyline has none.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};

use super::command;
use super::complete;
use super::highlight::{self, paint};
use super::state::State;
use super::vocabulary::Vocabulary;
use crate::script::incomplete::{self, Input};

/// What the line editor asks.
pub struct Assistant {
    /// The state of the session.
    pub state: Rc<RefCell<State>>,
    /// What can be said.
    pub words: Rc<Vocabulary>,
    /// Whether to use colours.
    pub colours: bool,
}

/// A text shown behind the cursor.
pub struct Shown {
    text: String,
    taken: Option<String>,
}

impl Hint for Shown {
    fn display(&self) -> &str {
        &self.text
    }

    fn completion(&self) -> Option<&str> {
        self.taken.as_deref()
    }
}

impl Helper for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let before = line.get(..pos).unwrap_or(line);
        let (start, found) = complete::complete(&self.state.borrow(), &self.words, before);
        let pair = |c: complete::Candidate| Pair { display: c.shown, replacement: c.text };
        Ok((start, found.into_iter().map(pair).collect()))
    }
}

impl Hinter for Assistant {
    type Hint = Shown;

    fn hint(&self, line: &str, pos: usize, ctx: &Context<'_>) -> Option<Shown> {
        if pos < line.len() {
            return None;
        }
        if let Some((text, taken)) = complete::hint(&self.state.borrow(), &self.words, line) {
            return Some(Shown { text, taken });
        }
        let rest = HistoryHinter::new().hint(line, pos, ctx)?;
        // One line of an old input is enough to recognise it.
        let shown = rest.lines().next().unwrap_or_default().to_string();
        Some(Shown { text: shown, taken: Some(rest) })
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, pos: usize) -> Cow<'l, str> {
        match self.colours && !command::is_command(line) {
            true => Cow::Owned(highlight::highlight(line, pos)),
            false => Cow::Borrowed(line),
        }
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        match self.colours {
            true => Cow::Owned(paint(prompt, highlight::PROMPT)),
            false => Cow::Borrowed(prompt),
        }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        match self.colours {
            true => Cow::Owned(paint(hint, highlight::DIM)),
            false => Cow::Borrowed(hint),
        }
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.colours
    }
}

impl Validator for Assistant {
    fn validate(&self, ctx: &mut ValidationContext) -> Result<ValidationResult> {
        Ok(match is_finished(&self.state.borrow(), ctx.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

/// Whether an input can be evaluated: commands always, text when it compiles or
/// cannot be saved, and anything after a blank line.
pub fn is_finished(state: &State, input: &str) -> bool {
    let blank = |line: &str| line.trim().is_empty();
    let ends_blank = input.rsplit_once('\n').is_some_and(|(_, last)| blank(last));
    if command::is_command(input) || ends_blank {
        return true;
    }
    incomplete::judge(&state.script().session.engine, input) != Input::Unfinished
}
