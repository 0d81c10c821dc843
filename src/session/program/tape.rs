//! What a program and the kernel say to each other: questions, answers, and the
//! tape that keeps the answers.
//!
//! Linux: none; this is user mode. Left out: asking and answering; see
//! `program`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::identity::extend;
use crate::abi::structs::SigInfo;
use crate::base::{Mixer, PVec};
use crate::kernel::error::SysError;
use crate::kernel::syscalls::{Call, Out};
use crate::machine::UserOp;

/// A value that a program passes on: plain data, no engine's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Nothing.
    Unit,
    /// A truth value.
    Bool(bool),
    /// A number.
    Int(i64),
    /// An address.
    Addr(u64),
    /// Text.
    Text(Arc<str>),
    /// Several.
    Array(Vec<Value>),
    /// Several, by name.
    Map(Vec<(Arc<str>, Value)>),
    /// A named number: its bits, and of which kind it is.
    Flags(u64, Arc<str>),
    /// A function, with what it has captured.
    Function(Box<Start>),
    /// The variables of whoever has the value.
    Vars,
    /// What a signal carried; without CPU times, by which nothing is told
    /// apart.
    Siginfo(Box<SigInfo>),
}

impl Value {
    /// What a signal carried.
    pub fn siginfo(info: SigInfo) -> Value {
        Value::Siginfo(Box::new(SigInfo { si_utime: 0, si_stime: 0, ..info }))
    }
}

/// A function and what it is called with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Start {
    /// Its name, as the interpreter knows it.
    pub function: Arc<str>,
    /// What it captured, then its arguments.
    pub args: Vec<Value>,
}

impl Start {
    /// A function without arguments.
    pub fn new(function: &str) -> Start {
        Start { function: function.into(), args: Vec::new() }
    }
}

/// What a created task does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Child {
    /// It goes on where its creator is: the call gives it 0.
    Returns,
    /// It begins a function (clone with a start routine).
    Starts(Start),
}

/// What a process wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// A system call; a task that it makes does what `Child` says.
    Sys(Call, Child),
    /// A user-mode instruction: a load or a store.
    Op(UserOp),
    /// Room for a named variable of so many bytes; its address.
    Define(Arc<str>, u64),
    /// The address of a named variable.
    Symbol(Arc<str>),
    /// The state of a task, as /proc/PID/stat shows it: a letter.
    State(i32),
    /// One of `n` ways to go on.
    Choose(u32),
    /// Its function has returned: a handler goes back, a thread or a process
    /// ends with this code.
    Return(i32),
    /// It cannot go on (an error nobody caught), for this reason.
    Crash(Box<str>),
    /// Nothing of its own: it was woken or signalled, and the kernel has to
    /// finish its call or deliver the signal before it is in user mode again.
    GoOn,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// RAX, and what the call stored; the value of a load.
    Returned(i64, Out),
    /// The kernel said no.
    Refused(SysError),
}

impl From<Result<(i64, Out), SysError>> for Answer {
    fn from(result: Result<(i64, Out), SysError>) -> Answer {
        match result {
            Ok((ret, out)) => Answer::Returned(ret, out),
            Err(e) => Answer::Refused(e),
        }
    }
}

/// A question, by its hash, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Hash of the question: replay must ask the same.
    pub question: u64,
    /// Its answer.
    pub answer: Answer,
}

/// Answers in order. Copying one costs what differs afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tape {
    entries: PVec<Option<Entry>, 16>,
    /// Stands for what runs and all that it was told.
    digest: u64,
    /// The same before the last answer.
    before: u64,
    /// Whether `digest` is a place in a function; see `Tape::arrives`.
    placed: bool,
    /// The process whose tape it is from the next answer on.
    passes_to: Option<i32>,
}

impl Tape {
    /// The entry at a place.
    pub fn get(&self, i: usize) -> Option<&Entry> {
        self.entries.get(i).and_then(Option::as_ref)
    }

    /// Number of answers.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was asked yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The empty tape of a function that begins in a process.
    pub(super) fn begin(start: &Start, handler: bool, pid: i32) -> Tape {
        let mut h = Mixer::default();
        (start, handler, pid).hash(&mut h);
        Tape { digest: h.finish(), ..Tape::default() }
    }

    pub(super) fn push(&mut self, question: u64, answer: Answer) {
        self.before = self.digest;
        self.digest = extend(self.digest, question, &answer);
        if let Some(pid) = self.passes_to.take() {
            let mut h = Mixer::default();
            (self.digest, pid).hash(&mut h);
            self.digest = h.finish();
        }
        self.placed = false;
        self.entries.push(Some(Entry { question, answer }));
    }

    /// From the next answer on it is the tape of another process, which goes
    /// on where its creator is.
    pub(super) fn passes_to(&mut self, pid: i32) {
        self.passes_to = Some(pid);
    }

    /// All answers, from an index on.
    pub fn answers_from(&self, index: usize) -> Vec<Entry> {
        (index..self.len()).filter_map(|i| self.get(i).cloned()).collect()
    }

    /// Stands for the function and all answers: whoever has the same asks the
    /// same. See `identity`.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The digest before the last answer.
    pub fn digest_before(&self) -> u64 {
        self.before
    }

    /// Whether it is known where the function is by now.
    pub fn is_placed(&self) -> bool {
        self.placed
    }

    /// The interpreter knows where the function is by now, and that is all
    /// that matters for what it will do: tapes that lead to the same place
    /// have the same digest from here on.
    pub(super) fn arrives(&mut self, place: Option<u64>) {
        self.placed = true;
        if let Some(place) = place {
            self.digest = place;
        }
    }
}

/// The hash by which replay knows a question again.
pub fn question(want: &Want) -> u64 {
    let mut h = Mixer::default();
    match want {
        Want::Sys(call, child) => {
            (0u8, call.nr, call.args, child).hash(&mut h);
            format!("{:?}", call.payload).hash(&mut h);
        }
        Want::Op(op) => (1u8, op).hash(&mut h),
        Want::Define(name, size) => (5u8, name, size).hash(&mut h),
        Want::Symbol(name) => (6u8, name).hash(&mut h),
        Want::State(pid) => (7u8, pid).hash(&mut h),
        Want::Choose(n) => (2u8, n).hash(&mut h),
        Want::Return(code) => (3u8, code).hash(&mut h),
        Want::Crash(message) => (4u8, message).hash(&mut h),
        Want::GoOn => 8u8.hash(&mut h),
    }
    h.finish()
}
