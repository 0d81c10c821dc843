//! What a program and the kernel say to each other: questions, answers, and the
//! tape that keeps the answers.
//!
//! Linux: none; this is user mode. Left out: asking and answering; see
//! `program`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::identity::extend;
use crate::base::PVec;
use crate::kernel::error::SysError;
use crate::kernel::syscalls::{Call, Out};
use crate::machine::UserOp;

/// A value that a program passes on: plain data, no engine's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
}

/// A function and what it is called with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// One of `n` ways to go on.
    Choose(u32),
    /// Its function has returned: a handler goes back, a thread or a process
    /// ends with this code.
    Return(i32),
    /// It cannot go on (an error nobody caught), for this reason.
    Crash(Box<str>),
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
    /// Hash of all of them.
    digest: u64,
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

    pub(super) fn push(&mut self, question: u64, answer: Answer) {
        self.digest = extend(self.digest, question, &answer);
        self.entries.push(Some(Entry { question, answer }));
    }

    /// Hash of all answers; see `identity`.
    pub fn digest(&self) -> u64 {
        self.digest
    }
}

/// The hash by which replay knows a question again.
pub fn question(want: &Want) -> u64 {
    let mut h = DefaultHasher::new();
    match want {
        Want::Sys(call, child) => {
            (0u8, call.nr, call.args, child).hash(&mut h);
            format!("{:?}", call.payload).hash(&mut h);
        }
        Want::Op(op) => (1u8, format!("{op:?}")).hash(&mut h),
        Want::Define(name, size) => (5u8, name, size).hash(&mut h),
        Want::Symbol(name) => (6u8, name).hash(&mut h),
        Want::Choose(n) => (2u8, n).hash(&mut h),
        Want::Return(code) => (3u8, code).hash(&mut h),
        Want::Crash(message) => (4u8, message).hash(&mut h),
    }
    h.finish()
}
