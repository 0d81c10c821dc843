//! Calls that have not returned: the task sleeps, the script goes on. A
//! `Pending` handle asks later how the call ended.
//!
//! Left out: waiting. Nothing happens in a machine but what the script makes
//! its tasks do, so there is nothing to wait for.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::{Rc, Weak};

use rhai::Dynamic;

use super::registry::{Book, Raised, getters};
use super::task::Task;
use super::trouble;
use crate::kernel::error::SysError;
use crate::kernel::syscalls::Out;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskStruct};
use crate::script::errors::ScriptError;

/// Makes a script's value of what a call returned.
pub(super) type Convert = fn(&Task, i64, Out) -> Dynamic;

/// How a call ended.
#[derive(Debug, Clone)]
enum Ended {
    Returned(i64, Out),
    Refused(SysError),
    Died,
    Never,
}

/// A call that has not returned.
#[derive(Debug, Clone)]
struct Waiting {
    serial: u64,
    /// Its number in the kernel, which an undo may give out again.
    call: u64,
    handle: Weak<()>,
    shown: Rc<str>,
}

/// All calls of a machine that scripts may still ask about.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls {
    /// By task; of several the outer ones wait for the handlers that make the
    /// inner ones.
    waiting: BTreeMap<TaskId, Vec<Waiting>>,
    ended: BTreeMap<u64, (Weak<()>, Ended)>,
    /// Counts on, whatever is undone: one number means one call.
    next: u64,
}

/// Ended calls that nobody holds a handle to are forgotten from this number on.
const SWEEP: usize = 256;

impl Calls {
    /// Puts back an earlier state.
    pub(super) fn go_back_to(&mut self, earlier: Calls) {
        let next = self.next;
        *self = Calls { next, ..earlier };
    }

    /// How the script wrote the call of a task that has this number.
    pub(super) fn shown(&self, task: TaskId, call: u64) -> Option<Rc<str>> {
        let waiting = self.waiting.get(&task)?.iter().find(|w| w.call == call)?;
        Some(waiting.shown.clone())
    }

    /// Takes results out of the kernel, if calls of the task have ended.
    pub(super) fn collect(&mut self, sys: &mut System, task: TaskId) {
        let Some(mut waiting) = self.waiting.remove(&task) else { return };
        while let Some((call, result)) = sys.take_ended(task) {
            let Some(i) = waiting.iter().position(|w| w.call == call) else { continue };
            let ended = match result {
                Ok((ret, out)) => Ended::Returned(ret, out),
                Err(e) => Ended::Refused(e),
            };
            self.end(waiting.remove(i), ended);
        }
        match sys.kernel.tasks.get(task).filter(|t| !t.is_dead()) {
            None => waiting.drain(..).for_each(|w| self.end(w, Ended::Died)),
            Some(t) => {
                let never = waiting.extract_if(.., |w| !is_under_way(t, w.call));
                never.collect::<Vec<_>>().into_iter().for_each(|w| self.end(w, Ended::Never));
            }
        }
        if !waiting.is_empty() {
            self.waiting.insert(task, waiting);
        }
    }

    fn end(&mut self, waiting: Waiting, ended: Ended) {
        if self.ended.len() >= SWEEP {
            self.ended.retain(|_, (handle, _)| handle.strong_count() > 0);
        }
        self.ended.insert(waiting.serial, (waiting.handle, ended));
    }
}

/// Whether a task sleeps in a call, or will make it again after a handler.
fn is_under_way(task: &TaskStruct, call: u64) -> bool {
    task.resume.as_ref().is_some_and(|r| r.call.serial == call)
        || task.interrupted.iter().any(|i| i.call.serial == call)
}

/// A call that has not returned yet, or had not when it was made.
#[derive(Clone)]
pub struct Pending {
    task: Task,
    serial: u64,
    shown: Rc<str>,
    convert: Convert,
    _alive: Rc<()>,
}

enum State {
    /// With its number in the kernel.
    Waiting(u64),
    Ended(Ended),
    Undone,
}

impl Pending {
    /// The call that its task made last and has not come back from.
    pub(super) fn new(task: &Task, shown: String, convert: Convert) -> Pending {
        let (shown, alive): (Rc<str>, _) = (shown.into(), Rc::new(()));
        let serial = task.machine().calls(|calls| {
            calls.next += 1;
            let (serial, handle) = (calls.next, Rc::downgrade(&alive));
            let call = task.machine().read(System::last_call);
            let of_task = calls.waiting.entry(task.id()).or_default();
            of_task.push(Waiting { serial, call, handle, shown: shown.clone() });
            serial
        });
        Pending { task: task.clone(), serial, shown, convert, _alive: alive }
    }

    fn state(&self) -> State {
        let machine = self.task.machine();
        machine.calls(|calls| {
            machine.write(|sys| calls.collect(sys, self.task.id()));
            if let Some((_, ended)) = calls.ended.get(&self.serial) {
                return State::Ended(ended.clone());
            }
            let mut waiting = calls.waiting.get(&self.task.id()).into_iter().flatten();
            match waiting.find(|w| w.serial == self.serial) {
                Some(w) => State::Waiting(w.call),
                None => State::Undone,
            }
        })
    }

    fn waits_for(&self) -> String {
        match self.state() {
            State::Waiting(call) => {
                self.task.machine().read(|sys| trouble::waits_for(sys, &self.task, call))
            }
            _ => String::new(),
        }
    }

    fn value(&self) -> Raised<Dynamic> {
        let error = |message: String, help: &str| {
            Err(ScriptError::Usage { message, help: Some(help.into()) }.into())
        };
        let pid = self.task.pid();
        match self.state() {
            State::Ended(Ended::Returned(ret, out)) => Ok((self.convert)(&self.task, ret, out)),
            State::Ended(Ended::Refused(e)) => {
                Err(ScriptError::refused(&e, &*self.shown, pid).into())
            }
            State::Ended(Ended::Died) => {
                let message = format!("task {pid} died in {}: there is no value", self.shown);
                error(message, "`.died` says whether it did")
            }
            State::Ended(Ended::Never) => {
                let message = format!("{} by task {pid} never returns", self.shown);
                error(
                    message,
                    "its task left the signal handler that interrupted it without sigreturn, or executed another program",
                )
            }
            State::Waiting(_) => {
                let message = format!(
                    "{} by task {pid} has not returned: it waits for {}",
                    self.shown,
                    self.waits_for()
                );
                error(message, "`.done` says whether a call has returned")
            }
            State::Undone => {
                error(format!("{} by task {pid} was undone", self.shown), "make the call again")
            }
        }
    }
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, pid) = (&self.shown, self.task.pid());
        match self.state() {
            State::Waiting(_) => {
                write!(f, "{shown} by task {pid} waits for {}", self.waits_for())
            }
            State::Ended(Ended::Returned(..)) => write!(f, "{shown} by task {pid} has returned"),
            State::Ended(Ended::Refused(e)) => write!(f, "{shown} by task {pid}: {}", e.errno),
            State::Ended(Ended::Died) => write!(f, "task {pid} died in {shown}"),
            State::Ended(Ended::Never) => write!(f, "{shown} by task {pid} never returns"),
            State::Undone => write!(f, "{shown} by task {pid} was undone"),
        }
    }
}

/// Registers the type.
pub(super) fn register(book: &mut Book) {
    book.prints::<Pending>("Pending");
    getters! { book, Pending;
        /// Whether the call has returned, or its task has died.
        "done: bool" => |p: &mut Pending| !matches!(p.state(), State::Waiting(_));
        /// Whether the task died in the call.
        "died: bool" => |p: &mut Pending| matches!(p.state(), State::Ended(Ended::Died));
        /// What the call returned. An error while it has not; the kernel's
        /// refusal if it was refused.
        "value: any" => |p: &mut Pending| p.value();
        /// The task that made the call.
        "task: Task" => |p: &mut Pending| p.task.clone();
        /// What the task waits for; empty once the call has ended.
        "wait: string" => |p: &mut Pending| p.waits_for();
        /// The call as the script wrote it.
        "call: string" => |p: &mut Pending| p.shown.to_string();
    }
}
