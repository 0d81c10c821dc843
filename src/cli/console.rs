//! Standard output and standard error: who writes where, in which style, and
//! what happens when nobody reads.
//!
//! Left out: the line editor; see `repl`.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::args::ErrorFormat;
use crate::script::control::Output;
use crate::script::diagnostic::{Report, Style};

/// Columns of help and reports where there is no terminal.
pub const WIDTH: usize = 80;

/// Bytes of output collected before they are written, unless to a terminal.
const BUFFER: usize = 16 << 10;

/// The program's two ways out. Clones are the same.
#[derive(Debug, Clone)]
pub struct Console {
    out: Out,
    /// How diagnostics look.
    pub style: Style,
}

impl Default for Console {
    fn default() -> Self {
        Console::new()
    }
}

impl Console {
    /// Looks at what standard output and standard error are.
    pub fn new() -> Console {
        let style = match io::stderr().is_terminal() && colour_wanted() {
            true => Style::Coloured,
            false => Style::Plain,
        };
        Console { out: Out::new(), style }
    }

    /// Where a script prints to. All of these are the same.
    pub fn out(&self) -> Out {
        self.out.clone()
    }

    /// Writes to standard output; an error is kept until [`Console::close`].
    pub fn print(&self, text: &str) {
        let _ = self.out.clone().write(text);
    }

    /// Writes a line to standard error. What was printed before comes first.
    pub fn note(&self, text: &str) {
        self.out.flush();
        // There is nowhere to report that standard error is closed.
        let _ = io::stderr().lock().write_all(format!("{text}\n").as_bytes());
    }

    /// Writes a diagnostic to standard error.
    pub fn report(&self, report: &Report, format: ErrorFormat) {
        self.reports([report], format);
    }

    /// Writes several diagnostics.
    pub fn reports<'r>(&self, reports: impl IntoIterator<Item = &'r Report>, format: ErrorFormat) {
        let texts = reports.into_iter().map(|report| match format {
            ErrorFormat::Human => report.render(self.style),
            ErrorFormat::Json => report.to_json().to_string(),
        });
        let texts: Vec<String> = texts.collect();
        if !texts.is_empty() {
            // The last line end is the note's own.
            self.note(texts.join("\n").trim_end());
        }
    }

    /// Writes what is still collected, and turns the exit code into a failure
    /// if standard output could not be written. A closed pipe is no failure.
    pub fn close(&self, code: u8) -> u8 {
        self.out.flush();
        match self.out.error() {
            Some(message) => {
                self.note(&format!("forkyard: cannot write to standard output: {message}"));
                if code == super::OK { super::FAILED } else { code }
            }
            None => code,
        }
    }
}

/// Whether colours are welcome: <https://no-color.org>.
pub fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        && std::env::var_os("TERM").is_none_or(|v| v != "dumb")
}

/// Standard output, buffered unless it is a terminal. Clones write to the same.
#[derive(Debug, Clone)]
pub struct Out(Arc<Mutex<Sink>>);

#[derive(Debug)]
struct Sink {
    to: BufWriter<Stdout>,
    terminal: bool,
    failed: Option<io::ErrorKind>,
    message: Option<String>,
}

impl Out {
    fn new() -> Out {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let to = BufWriter::with_capacity(BUFFER, stdout);
        Out(Arc::new(Mutex::new(Sink { to, terminal, failed: None, message: None })))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Sink) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes what is still collected.
    pub fn flush(&self) {
        let _ = self.with(Sink::flush);
    }

    /// Writes what is still collected, unless somebody is writing just now.
    pub fn try_flush(&self) {
        if let Ok(mut sink) = self.0.try_lock() {
            let _ = sink.flush();
        }
    }

    /// Why standard output cannot be written, unless its reader is just gone.
    fn error(&self) -> Option<String> {
        self.with(|sink| sink.message.clone())
    }
}

impl Sink {
    fn flush(&mut self) -> io::Result<()> {
        // Standard output itself keeps an unfinished line.
        let result = self.to.flush().and_then(|()| self.to.get_mut().flush());
        self.keep(result)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        let mut result = self.to.write_all(text.as_bytes());
        if self.terminal && result.is_ok() {
            result = self.to.flush();
        }
        self.keep(result)
    }

    fn keep(&mut self, result: io::Result<()>) -> io::Result<()> {
        if let Err(e) = &result
            && self.failed.is_none()
        {
            self.failed = Some(e.kind());
            self.message = (e.kind() != io::ErrorKind::BrokenPipe).then(|| e.to_string());
        }
        result
    }
}

impl Output for Out {
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.with(|sink| sink.write(text))
    }
}
