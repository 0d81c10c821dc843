//! What the prompt does with an input: commands, questions, and everything
//! else to the engine. The same for a terminal and for a pipe.
//!
//! Left out: reading inputs.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::command::{self, Command};
use super::explain;
use super::highlight::{self, paint};
use super::state::{Ended, State};
use super::vocabulary::Vocabulary;
use crate::cli::console::Console;
use crate::cli::{INTERRUPTED, OK, files, trace};
use crate::script::diagnostic::{Report, Style};
use crate::trace::Filter;

/// A prompt's work.
pub struct Session<'c> {
    /// What inputs change; shared with the line editor, which looks at it while
    /// none is evaluated.
    pub state: Rc<RefCell<State>>,
    /// What can be said; shared alike.
    pub words: Rc<Vocabulary>,
    console: &'c Console,
    /// Whether any input failed so far.
    pub failed: bool,
    /// Whether the last input was stopped by Ctrl-C.
    pub interrupted: bool,
    /// Files that this session wrote and may write again.
    saved: BTreeSet<PathBuf>,
}

/// What comes after an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next input.
    Input,
    /// The end, with this exit code.
    Leave(u8),
}

impl<'c> Session<'c> {
    /// A session on a state.
    pub fn new(state: State, console: &'c Console) -> Session<'c> {
        Session {
            state: Rc::new(RefCell::new(state)),
            words: Rc::default(),
            console,
            failed: false,
            interrupted: false,
            saved: BTreeSet::new(),
        }
    }

    /// Does what an input says.
    pub fn input(&mut self, input: &str) -> Next {
        self.interrupted = false;
        if input.trim().is_empty() {
            return Next::Input;
        }
        if !command::is_command(input) {
            return self.eval(input);
        }
        match command::parse(input) {
            Ok(command) => self.command(command),
            Err(message) => {
                self.complain(&message);
                Next::Input
            }
        }
    }

    fn eval(&mut self, input: &str) -> Next {
        let ended = self.state.borrow_mut().eval(input);
        self.show_trace();
        match ended {
            Ended::Well(value, failed) => {
                if let Some(value) = value {
                    self.print(&format!("{}\n", self.value(&value)));
                }
                self.failed |= !failed.is_empty();
                self.reports(&failed);
            }
            Ended::Failed(reports) => {
                self.failed = true;
                self.reports(&reports);
            }
            Ended::Interrupted(_) => {
                self.failed = true;
                self.interrupted = true;
                self.remark("interrupted; nothing has changed");
            }
            Ended::Exit(code) => return Next::Leave(code),
            Ended::Closed => return Next::Leave(OK),
        }
        Next::Input
    }

    fn command(&mut self, command: Command) -> Next {
        match command {
            Command::Help => self.print(&explain::help()),
            Command::Explain(name) => {
                let text = explain::explain(&self.state.borrow(), &self.words, &name);
                match text {
                    Ok(text) => self.print(&text),
                    Err(message) => self.complain(&message),
                }
            }
            Command::Vars => {
                let text = explain::variables(&self.state.borrow());
                self.print(&text);
            }
            Command::Ps => self.view("print(ps())"),
            Command::Tree => self.view("print(tree())"),
            Command::Trace(words) => self.trace(&words),
            Command::Undo(times) => self.step(times, State::undo, "undone"),
            Command::Redo(times) => self.step(times, State::redo, "done again"),
            Command::Save { file, replace } => self.save(&file, replace),
            Command::Load(file) => return self.load(&file),
            Command::Reset => {
                let result = self.state.borrow_mut().reset();
                match result {
                    Ok(()) => self.remark("a machine just booted; nothing is defined"),
                    Err(report) => self.reports(&[*report]),
                }
            }
            Command::Quit => return Next::Leave(OK),
        }
        Next::Input
    }

    /// Evaluates what a command stands for; it is no input of its own.
    fn view(&mut self, code: &str) {
        let result = self.state.borrow().look(code);
        if let Err(message) = result {
            self.complain(&message);
        }
    }

    fn trace(&mut self, words: &str) {
        let filter = match words {
            "" => {
                let how = match self.state.borrow().trace() {
                    Filter::Off => "off".to_string(),
                    Filter::All => "on".to_string(),
                    Filter::Calls => "calls".to_string(),
                    Filter::Matching(words) => words.join(","),
                };
                return self.remark(&format!("trace is {how}"));
            }
            "on" => Filter::All,
            "off" => Filter::Off,
            words => {
                let words: Vec<String> = words.split([',', ' ']).map(str::to_string).collect();
                trace::filter(&words)
            }
        };
        self.state.borrow_mut().set_trace(filter);
    }

    fn show_trace(&mut self) {
        let traced = self.state.borrow_mut().take_traced();
        if let Some(text) = traced {
            self.console.note(text.trim_end());
        }
    }

    fn step(&mut self, times: usize, step: fn(&mut State) -> Option<String>, done: &str) {
        for i in 0..times {
            let input = step(&mut self.state.borrow_mut());
            match input {
                Some(input) => self.remark(&format!("{done}: {}", first_line(&input))),
                None if i == 0 => return self.complain(&format!("nothing can be {done}")),
                None => return,
            }
        }
    }

    fn save(&mut self, file: &str, replace: bool) {
        let path = expand(file);
        let text = self.state.borrow().transcript();
        if path.exists() && !replace && !self.saved.contains(&path) {
            let message = format!("`{}` exists; `:save! {file}` replaces it", path.display());
            return self.complain(&message);
        }
        match files::write_atomically(&path, &text) {
            Ok(()) => {
                let lines = text.lines().count();
                self.remark(&format!("{lines} lines written to {}", path.display()));
                self.saved.insert(path);
            }
            Err(e) => self.complain(&format!("cannot write `{}`: {e}", path.display())),
        }
    }

    fn load(&mut self, file: &str) -> Next {
        match files::read(&expand(file)) {
            Ok(input) => self.eval(&input.text),
            Err(e) => {
                self.failed = true;
                self.reports(&[e.report()]);
                Next::Input
            }
        }
    }

    fn value(&self, value: &str) -> String {
        // A table begins on a line of its own, or its columns would not meet.
        let gap = if value.contains('\n') { "\n" } else { " " };
        match self.console.style {
            Style::Coloured => format!("{}{gap}{}", paint("=>", highlight::DIM), colour(value)),
            Style::Plain => format!("=>{gap}{value}"),
        }
    }

    fn print(&self, text: &str) {
        self.console.print(text);
    }

    /// Something the prompt itself has to say.
    pub fn remark(&self, text: &str) {
        let text = crate::script::diagnostic::printable(text);
        match self.console.style {
            Style::Coloured => self.console.note(&paint(&text, highlight::DIM)),
            Style::Plain => self.console.note(&text),
        }
    }

    fn complain(&mut self, message: &str) {
        self.failed = true;
        self.console.note(&crate::script::diagnostic::printable(message));
    }

    fn reports(&self, reports: &[Report]) {
        for report in reports {
            self.console.note(report.render(self.console.style).trim_end());
        }
    }

    /// The exit code at the end of piped inputs.
    pub fn code(&self) -> u8 {
        match (self.interrupted, self.failed) {
            (true, _) => INTERRUPTED,
            (_, true) => crate::cli::FAILED,
            _ => OK,
        }
    }
}

fn colour(value: &str) -> String {
    highlight::highlight(value, usize::MAX)
}

fn first_line(input: &str) -> String {
    let mut lines = input.trim().lines();
    let first = lines.next().unwrap_or_default().to_string();
    if lines.next().is_some() { first + " …" } else { first }
}

/// A path as typed; `~/` is the home folder.
fn expand(file: &str) -> PathBuf {
    match (file.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(file),
    }
}
