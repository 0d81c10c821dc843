//! The tape that a running function reads: what the kernel has answered to
//! the questions it asks. A question without an answer stops the function.
//!
//! What a program prints is a question too (write(2) on descriptor 1). Text
//! for `printf` is kept in the function's own memory until it is flushed, as
//! stdio does; fork copies it because it copies the tape.
//!
//! Left out: running functions; `bind::program` does.

use std::cell::{Cell, RefCell};

use crate::kernel::syscalls::{Call, Payload};
use crate::session::program::{Answer, Child, Entry, Want, question};
use crate::trace::Origin;

/// What a question got.
#[derive(Debug)]
pub enum Asked {
    /// Its answer.
    Answer(Answer),
    /// There is none yet: the function stops here.
    Unanswered,
    /// Nobody runs a program.
    NotAProgram,
}

/// The tape being read.
#[derive(Default)]
pub struct Reader {
    /// Whether a program's function runs.
    active: Cell<bool>,
    /// Whether it has asked what has no answer, or something else than before.
    over: Cell<bool>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The answers, from where reading has begun.
    answers: Vec<Entry>,
    at: usize,
    origin: Origin,
    want: Option<Want>,
    divergence: Option<String>,
    buffer: String,
}

/// Where reading has ended.
#[derive(Debug)]
pub struct End {
    /// The first question without an answer.
    pub want: Option<Want>,
    /// The line of the question asked last.
    pub origin: Origin,
    /// The function asked something else than the tape has an answer for.
    pub divergence: Option<String>,
}

impl Reader {
    /// Begins to read answers; `kept` is what `printf` keeps by then, and
    /// `origin` where it was asked last.
    pub fn begin(&self, answers: Vec<Entry>, kept: String, origin: Origin) {
        *self.state.borrow_mut() = State { answers, buffer: kept, origin, ..State::default() };
        self.active.set(true);
        self.over.set(false);
    }

    /// How many answers have been read.
    pub fn read(&self) -> usize {
        self.state.borrow().at
    }

    /// Where it was asked last.
    pub fn origin(&self) -> Origin {
        self.state.borrow().origin
    }

    /// What `printf` keeps.
    pub fn kept(&self) -> String {
        self.state.borrow().buffer.clone()
    }

    /// Goes back to where so many answers had been read and `printf` kept this.
    pub fn read_again(&self, read: usize, kept: String) {
        let mut state = self.state.borrow_mut();
        (state.at, state.buffer) = (read, kept);
    }

    /// Ends it.
    pub fn end(&self) -> End {
        self.active.set(false);
        let state = self.state.take();
        let unread = state.want.is_none() && state.at < state.answers.len();
        let left = || format!("the function ended with {} answers unread", state.answers.len());
        let divergence = state.divergence.or_else(|| unread.then(left));
        End { want: state.want, origin: state.origin, divergence }
    }

    /// Whether a program's function runs.
    pub fn is_active(&self) -> bool {
        self.active.get()
    }

    /// Whether it must stop now.
    pub fn is_over(&self) -> bool {
        self.active.get() && self.over.get()
    }

    /// Asks.
    pub fn ask(&self, want: Want, origin: Option<Origin>) -> Asked {
        if !self.active.get() {
            return Asked::NotAProgram;
        }
        if self.over.get() {
            return Asked::Unanswered;
        }
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if let Some(origin) = origin {
            state.origin = origin;
        }
        let Some(entry) = state.answers.get(state.at) else {
            state.want = Some(want);
            self.over.set(true);
            return Asked::Unanswered;
        };
        if entry.question != question(&want) {
            let n = state.at + 1;
            state.divergence = Some(format!("question {n} is another one when it is asked again"));
            self.over.set(true);
            return Asked::Unanswered;
        }
        state.at += 1;
        Asked::Answer(entry.answer.clone())
    }

    /// Says where the next question stands, if it does not say so itself.
    pub fn stands(&self, origin: Origin) {
        if self.active.get() && !self.over.get() {
            self.state.borrow_mut().origin = origin;
        }
    }

    /// Writes a line to standard output. Nobody looks whether it can be
    /// written, as with puts(3).
    pub fn print(&self, text: &str) {
        let _ = self.ask(write(STDOUT, text), None);
    }

    /// Keeps text until it is flushed.
    pub fn buffer(&self, text: &str) {
        if self.active.get() && !self.over.get() {
            self.state.borrow_mut().buffer.push_str(text);
        }
    }

    /// Writes what is kept. `false`: the function must stop.
    pub fn flush(&self) -> bool {
        let text = std::mem::take(&mut self.state.borrow_mut().buffer);
        text.is_empty() || matches!(self.ask(write(STDOUT, &text), None), Asked::Answer(_))
    }
}

const STDOUT: u64 = 1;
const NR_WRITE: u32 = 1;

/// A write of text.
fn write(fd: u64, text: &str) -> Want {
    let payload = Payload::Bytes(text.as_bytes().into());
    Want::Sys(Call::with(NR_WRITE, &[fd, 0, text.len() as u64], payload), Child::Returns)
}
