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
use crate::kernel::task::TaskId;
use crate::script::errors::ScriptError;

/// Makes a script's value of what a call returned.
pub(super) type Convert = fn(&Task, i64, Out) -> Dynamic;

/// How a call ended.
#[derive(Debug, Clone)]
enum Ended {
    Returned(i64, Out),
    Refused(SysError),
    Died,
}

/// A call whose task sleeps in it.
#[derive(Debug, Clone)]
struct Waiting {
    serial: u64,
    handle: Weak<()>,
    shown: Rc<str>,
}

/// All calls of a machine that scripts may still ask about.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls {
    waiting: BTreeMap<TaskId, Waiting>,
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

    /// How the script wrote the call that a task sleeps in.
    pub(super) fn shown(&self, task: TaskId) -> Option<Rc<str>> {
        self.waiting.get(&task).map(|w| w.shown.clone())
    }

    /// Takes a result out of the kernel, if the task's call has ended.
    pub(super) fn collect(&mut self, sys: &mut System, task: TaskId) {
        let Some(waiting) = self.waiting.get(&task) else { return };
        let ended = match sys.take_finished(task) {
            Some(Ok((ret, out))) => Ended::Returned(ret, out),
            Some(Err(e)) => Ended::Refused(e),
            None => match sys.kernel.tasks.get(task) {
                Some(t) if !t.is_dead() => return,
                _ => Ended::Died,
            },
        };
        let (serial, handle) = (waiting.serial, waiting.handle.clone());
        self.waiting.remove(&task);
        if self.ended.len() >= SWEEP {
            self.ended.retain(|_, (handle, _)| handle.strong_count() > 0);
        }
        self.ended.insert(serial, (handle, ended));
    }
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
    Waiting,
    Ended(Ended),
    Undone,
}

impl Pending {
    /// A call that its task now sleeps in.
    pub(super) fn new(task: &Task, shown: String, convert: Convert) -> Pending {
        let (shown, alive): (Rc<str>, _) = (shown.into(), Rc::new(()));
        let serial = task.machine().calls(|calls| {
            calls.next += 1;
            let serial = calls.next;
            let handle = Rc::downgrade(&alive);
            calls.waiting.insert(task.id(), Waiting { serial, handle, shown: shown.clone() });
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
            match calls.waiting.get(&self.task.id()) {
                Some(w) if w.serial == self.serial => State::Waiting,
                _ => State::Undone,
            }
        })
    }

    fn waits_for(&self) -> String {
        match self.state() {
            State::Waiting => self.task.machine().read(|sys| trouble::waits_for(sys, &self.task)),
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
            State::Waiting => {
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
            State::Waiting => {
                write!(f, "{shown} by task {pid} waits for {}", self.waits_for())
            }
            State::Ended(Ended::Returned(..)) => write!(f, "{shown} by task {pid} has returned"),
            State::Ended(Ended::Refused(e)) => write!(f, "{shown} by task {pid}: {}", e.errno),
            State::Ended(Ended::Died) => write!(f, "task {pid} died in {shown}"),
            State::Undone => write!(f, "{shown} by task {pid} was undone"),
        }
    }
}

/// Registers the type.
pub(super) fn register(book: &mut Book) {
    book.prints::<Pending>("Pending");
    getters! { book, Pending;
        /// Whether the call has returned, or its task has died.
        "done: bool" => |p: &mut Pending| !matches!(p.state(), State::Waiting);
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
