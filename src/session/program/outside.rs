//! Bodies whose calls another kernel answers: what `Programs` does with a body,
//! for who drives one without a system (`oracle` has the host's tasks).
//!
//! Linux: none. Left out: the kernel that answers.

use super::{Answer, Body, Child, Frame, Start};

impl Body {
    /// A process that begins with a function.
    pub fn new(number: u32, pid: i32, start: Start) -> Body {
        Body { number, pid, frames: vec![Frame::new(start, None, pid)], thread: false, mask: None }
    }

    /// What a task that this one makes begins as. `leads`: it is no thread of
    /// its creator's process. One that goes on where its creator is must still
    /// be told the 0 that the call gives it.
    pub fn child(&self, number: u32, pid: i32, child: &Child, leads: bool) -> Body {
        match child {
            Child::Returns => {
                let mut body = Body { number, pid, ..self.clone() };
                body.frames.iter_mut().for_each(|f| f.tape.passes_to(pid));
                body
            }
            Child::Starts(start) => {
                Body { thread: !leads, ..Body::new(number, pid, start.clone()) }
            }
        }
    }

    /// Tells what runs now the answer to its question.
    pub fn answer(&mut self, question: u64, answer: Answer) {
        if let Some(top) = self.frames.last_mut() {
            top.tape.push(question, answer);
        }
    }

    /// A signal handler begins on top of what runs.
    pub fn begin_handler(&mut self, start: Start, sp: u64) {
        self.frames.push(Frame::new(start, Some(sp), self.pid));
    }

    /// The handler that runs returns.
    pub fn end_handler(&mut self) {
        if self.top().is_handler() && self.frames.len() > 1 {
            self.frames.pop();
        }
    }

    /// Another program takes the place of this one.
    pub fn exec(&mut self, pid: i32, start: Start) {
        *self = Body::new(self.number, pid, start);
    }

    /// Whether it ends as a thread when its function returns.
    pub fn is_thread(&self) -> bool {
        self.thread
    }

    /// How many signal handlers are under way.
    pub fn depth(&self) -> usize {
        self.frames.len().saturating_sub(1)
    }

    /// Whether signal handlers are under way.
    pub fn is_in_handler(&self) -> bool {
        self.frames.iter().any(Frame::is_handler)
    }
}
