//! Who says what on which line: prefixes, calls that others interrupt, the
//! column of the result.
//!
//! ```text
//! wait4(-1,  <unfinished ...>            somebody else has something to say
//! [pid     4] exit_group(0)   = ?
//! [pid     4] +++ exited with 0 +++
//! <... wait4 resumed>[{WIFEXITED(s) ...  nobody else is left: no prefix
//! ```
//!
//! Linux: strace's `printleader`, `tabto`, `line_ended`. Left out: `-ff`, `-o`,
//! time stamps.

use crate::kernel::task::TaskId;

/// Where the result begins (`-a 40`).
const COLUMN: usize = 40;

/// Lines, and the one that is being written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines {
    done: Vec<String>,
    /// Whose line it is, and what is on it.
    current: Option<(TaskId, String)>,
}

impl Lines {
    /// Somebody else, or another line, follows: the current one ends here.
    pub fn interrupt(&mut self) {
        if let Some((_, text)) = self.current.take() {
            self.done.push(format!("{text} <unfinished ...>"));
        }
    }

    /// A line of its own.
    pub fn line(&mut self, text: String) {
        self.interrupt();
        self.done.push(text);
    }

    /// A line that stands before the current one.
    pub fn aside(&mut self, text: String) {
        self.done.push(text);
    }

    /// A call begins: its line stays open.
    pub fn begin(&mut self, task: TaskId, text: String) {
        self.interrupt();
        self.current = Some((task, text));
    }

    /// A call ends: on its own line, or on another one that begins with `again`.
    pub fn end(&mut self, task: TaskId, again: &str, rest: &str, result: &str) {
        let mut text = match self.current.take() {
            Some((owner, text)) if owner == task => text,
            other => {
                self.current = other;
                self.interrupt();
                again.to_string()
            }
        };
        text.push_str(rest);
        text.push_str(") ");
        let width = text.chars().count();
        text.extend(std::iter::repeat_n(' ', COLUMN.saturating_sub(width)));
        self.done.push(format!("{text}= {result}"));
    }

    /// Takes the lines that are complete.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.done)
    }
}
