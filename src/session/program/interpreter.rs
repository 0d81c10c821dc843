//! Who runs the functions of programs: the language that they are written in.
//!
//! Linux: none; this is user mode. Left out: languages; `script` has one.

use std::collections::BTreeSet;

use super::{Body, Start, Want};
use crate::trace::Origin;

/// Runs functions: the language that programs are written in.
pub trait Interpreter {
    /// What a body wants next, and from which line. The same body always wants
    /// the same.
    fn next(&self, body: &Body) -> (Want, Origin);

    /// Where the function of a body's top frame is, if that is known: bodies
    /// at the same place want the same, now and ever after.
    fn place(&self, body: &Body) -> Option<u64>;

    /// What all programs together could do that begin with a function.
    fn repertoire(&self, start: &Start) -> Repertoire;

    /// The function that an executable file stands for, if it stands for one.
    /// Without one, a function is started that is named by the path.
    fn image(&self, path: &str) -> Option<Start>;

    /// The function with an address in a program's text; see [`super::text_address`].
    fn function_at(&self, index: u32) -> Option<Start>;

    /// Whether a function takes a siginfo when it is called as a handler
    /// (SA_SIGINFO). Without one it gets the signal's number only.
    fn takes_siginfo(&self, _function: &str) -> bool {
        false
    }
}

impl<I: Interpreter + ?Sized> Interpreter for &I {
    fn next(&self, body: &Body) -> (Want, Origin) {
        (**self).next(body)
    }

    fn place(&self, body: &Body) -> Option<u64> {
        (**self).place(body)
    }

    fn repertoire(&self, start: &Start) -> Repertoire {
        (**self).repertoire(start)
    }

    fn image(&self, path: &str) -> Option<Start> {
        (**self).image(path)
    }

    fn function_at(&self, index: u32) -> Option<Start> {
        (**self).function_at(index)
    }

    fn takes_siginfo(&self, function: &str) -> bool {
        (**self).takes_siginfo(function)
    }
}

/// What programs could do at all. The default is anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repertoire {
    /// The system calls, if they are known. Each load and store is to the
    /// process's own memory then, each write to the console.
    pub calls: Option<BTreeSet<u32>>,
    /// Whether nothing depends on which numbers pids are: they are passed on
    /// and compared with 0 only.
    pub pids_are_names: bool,
    /// Whether nobody traces anybody: a tracer would see and could change each
    /// call and all memory of another.
    pub untraced: bool,
    /// Whether nobody makes calls that find a thread by its number, or ask how
    /// many there are.
    pub threads_unseen: bool,
}

impl Repertoire {
    /// What the programs of two could do.
    #[must_use]
    pub fn and(self, other: Repertoire) -> Repertoire {
        let calls = self.calls.zip(other.calls).map(|(mut calls, others)| {
            calls.extend(others);
            calls
        });
        let pids_are_names = self.pids_are_names && other.pids_are_names;
        let untraced = self.untraced && other.untraced;
        let threads_unseen = self.threads_unseen && other.threads_unseen;
        Repertoire { calls, pids_are_names, untraced, threads_unseen }
    }
}
