//! The prompt: type a line, see what the machine does, take it back.
//!
//! ```text
//!   terminal ─► editor ─► complete, highlight, hint ─► vocabulary
//!      │                                                  │
//!   pipe ─────► session ─► command, explain ──────────► state ─► script, world
//! ```
//!
//! On a terminal, lines are edited by rustyline; from a pipe, they are read as
//! they are, without prompts or colours. Both end in the same session.
//!
//! Left out: several sessions at once, and mouse input.

pub mod command;
pub mod complete;
pub mod editor;
pub mod explain;
pub mod highlight;
pub mod history;
pub mod session;
pub mod state;
pub mod vocabulary;

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use crate::cli::args::{ErrorFormat, Repl};
use crate::cli::console::{Console, colour_wanted};
use crate::cli::{FAILED, OK, USAGE, interrupt};
use crate::script::limits::Limits;
use crate::script::stack;
use crate::trace::Filter;
use editor::Assistant;
use session::{Next, Session};
use state::{Setup, State};

const PROMPT: &str = "forkyard> ";

/// Runs a session to its end and gives the exit code.
pub fn run(args: &Repl, console: &Console) -> u8 {
    let setup = Setup {
        machine: args.boot.machine(),
        interrupt: interrupt::flag(console.out()),
        out: console.out(),
        trace: Filter::Off,
    };
    let code = stack::on_deep_stack(|| {
        let state = match State::new(setup) {
            Ok(state) => state,
            Err(report) => {
                console.report(&report, ErrorFormat::Human);
                return USAGE;
            }
        };
        let mut session = Session::new(state, console);
        match io::stdin().is_terminal() && io::stdout().is_terminal() {
            true => terminal(args, &mut session),
            false => pipe(&mut session, io::stdin().lock()),
        }
    });
    let code = code.unwrap_or_else(|e| {
        console.note(&format!("forkyard: {e}"));
        FAILED
    });
    console.close(code)
}

/// Inputs from a terminal.
fn terminal(args: &Repl, session: &mut Session) -> u8 {
    let mut editor = match new_editor(session) {
        Ok(editor) => editor,
        Err(e) => {
            session.remark(&format!("cannot use the terminal: {e}"));
            return USAGE;
        }
    };
    let file = history::file(args.history.as_ref());
    let file = file.filter(|file| load_history(&mut editor, file, session));
    session.remark(concat!(
        "Forkyard ",
        env!("CARGO_PKG_VERSION"),
        ". `:help` lists commands, `?name` explains, Ctrl-D leaves."
    ));
    loop {
        match editor.readline(PROMPT) {
            Ok(input) => {
                if !input.trim().is_empty() {
                    remember(&mut editor, &input, file.as_deref());
                }
                if let Next::Leave(code) = session.input(&input) {
                    return code;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return OK,
            Err(e) => {
                session.remark(&format!("cannot read the terminal: {e}"));
                return FAILED;
            }
        }
    }
}

fn new_editor(session: &Session) -> rustyline::Result<Editor<Assistant, FileHistory>> {
    let config = Config::builder()
        .max_history_size(history::MOST)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .auto_add_history(false)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Assistant {
        state: session.state.clone(),
        words: session.words.clone(),
        colours: colour_wanted(),
    }));
    Ok(editor)
}

/// Reads the history; whether it can be written too. A history that cannot be
/// used is worth a remark and no more.
fn load_history(
    editor: &mut Editor<Assistant, FileHistory>,
    file: &Path,
    session: &Session,
) -> bool {
    let missing = |e: &ReadlineError| matches!(e, ReadlineError::Io(e) if e.kind() == io::ErrorKind::NotFound);
    let result = history::prepare(file).map_err(ReadlineError::from);
    let result = result.and_then(|()| match editor.load_history(file) {
        Err(e) if missing(&e) => Ok(()),
        result => result,
    });
    // Writing nothing finds out whether writing will work.
    let result = result.and_then(|()| editor.append_history(file));
    match result {
        Ok(()) => true,
        Err(e) => {
            session.remark(&format!("no history is kept: {}: {e}", file.display()));
            false
        }
    }
}

fn remember(editor: &mut Editor<Assistant, FileHistory>, input: &str, file: Option<&Path>) {
    // Losing an old input is not worth disturbing the new one.
    let _ = editor.add_history_entry(input);
    if let Some(file) = file {
        let _ = editor.append_history(file);
    }
}

/// Inputs from a pipe or file: no prompt, no colours; the exit code says
/// whether any of them failed.
fn pipe(session: &mut Session, from: impl BufRead) -> u8 {
    let limit = Limits::default().source_bytes;
    let mut from = from;
    let mut input = String::new();
    loop {
        let mut line = Vec::new();
        let room = (limit - input.len().min(limit)) as u64 + 1;
        let read = io::Read::take(&mut from, room).read_until(b'\n', &mut line);
        let ended = match read {
            Ok(n) => n == 0,
            Err(e) => {
                session.remark(&format!("cannot read standard input: {e}"));
                return USAGE;
            }
        };
        let Ok(text) = std::str::from_utf8(&line) else {
            session.remark("standard input is not UTF-8 text");
            return USAGE;
        };
        input += text;
        if input.len() > limit {
            session.remark(&format!("an input is longer than {limit} bytes"));
            return USAGE;
        }
        let complete = input.strip_suffix('\n').unwrap_or(&input);
        if ended || editor::is_finished(&session.state.borrow(), complete) {
            let next = session.input(complete);
            if let Next::Leave(code) = next {
                return if code == OK { session.code() } else { code };
            }
            if session.interrupted {
                return session.code();
            }
            input.clear();
        }
        if ended {
            return session.code();
        }
    }
}
