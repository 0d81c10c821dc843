//! What the tasks of a program were told, task by task: answers, handlers that
//! began, programs that took another's place.
//!
//! ```text
//! call ─► (handler begins ─► its calls ─► it returns) ─► answer
//! ```
//!
//! An answer counts when the function sees it: after the handlers that run
//! before the call returns to it.
//!
//! Linux: none. Left out: the answer of a call that ends its task.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Answer, Body, Programs, Start, Value, Want};
use crate::abi::structs::SigInfo;
use crate::trace::Origin;

/// What a task has asked, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What it was.
    pub want: Want,
    /// The line.
    pub origin: Origin,
}

/// What a task was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// An answer.
    Answer(Answer),
    /// A handler of this signal begins, with a siginfo if it takes one.
    Handler(i32, Option<Box<SigInfo>>),
    /// Its program was replaced by another one (execve).
    Program,
}

/// Something that is recorded. Tasks have numbers from 1, the first is the
/// program's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A task was made by another one (by 0: from outside).
    Born {
        /// Its number.
        number: u32,
        /// Who made it.
        maker: u32,
        /// Its tid.
        pid: i32,
    },
    /// A task has this number too: as its maker sees it, or after execve.
    Alias {
        /// Which task.
        number: u32,
        /// Its other tid.
        pid: i32,
    },
    /// A task was told something.
    Told {
        /// Which task.
        number: u32,
        /// How many handlers are under way, that one included.
        depth: usize,
        /// What it had asked; of a handler, what that interrupts, if it does.
        asked: Option<Arc<Asked>>,
        /// What it was told.
        told: Told,
    },
}

/// All that was recorded of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// In the order in which it happened.
    pub events: Vec<Event>,
    /// What had no answer in the end, by task.
    pub open: BTreeMap<u32, Arc<Asked>>,
    /// Those that did not end by themselves, if that is known.
    pub killed: BTreeSet<u32>,
}

impl Record {
    /// How many answers, handlers and programs there are, of how many tasks.
    pub fn count(&self) -> (usize, usize) {
        let told = self.events.iter().filter(|e| matches!(e, Event::Told { .. })).count();
        let tasks = self.events.iter().filter(|e| matches!(e, Event::Born { .. })).count();
        (told, tasks)
    }
}

/// A task as it was when it was looked at last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Seen {
    pid: i32,
    /// Whether it is still there.
    alive: bool,
    /// By function under way: how many answers it has seen, and what it has
    /// asked since.
    frames: Vec<(usize, Option<Arc<Asked>>)>,
}

/// Looks at programs after each step, and tells what happened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watcher {
    seen: BTreeMap<u32, Seen>,
}

impl Watcher {
    /// Looks at programs of which nobody has made a step.
    pub fn begin(programs: &Programs, mut tell: impl FnMut(Event)) -> Watcher {
        let mut watcher = Watcher::default();
        for (_, Body { number, pid, frames, .. }) in programs.bodies() {
            let frames = frames.iter().map(|f| (f.tape.len(), None)).collect();
            watcher.seen.insert(*number, Seen { pid: *pid, alive: true, frames });
            tell(Event::Born { number: *number, maker: 0, pid: *pid });
        }
        watcher
    }

    /// Looks at programs after a step of task `by`, which had asked something.
    pub fn look(
        &mut self,
        programs: &Programs,
        by: u32,
        asked: Arc<Asked>,
        mut tell: impl FnMut(Event),
    ) {
        if let Some(seen) = self.seen.get_mut(&by) {
            // A handler that returns asks nothing; another one may begin at once.
            if matches!(asked.want, Want::GoOn) {
                // Its call is open still.
            } else if matches!(asked.want, Want::Return(_)) && seen.frames.len() > 1 {
                seen.frames.pop();
            } else if let Some((_, slot)) = seen.frames.last_mut() {
                *slot = Some(asked);
            }
        }
        for (_, body) in programs.bodies() {
            if !self.seen.contains_key(&body.number) {
                let mut seen = self.seen.get(&by).cloned().unwrap_or_default();
                seen.pid = body.pid;
                match body.is_new() {
                    true => seen.frames = vec![(0, None)],
                    false => seen.frames.truncate(body.frames.len()),
                }
                self.seen.insert(body.number, seen);
                tell(Event::Born { number: body.number, maker: by, pid: body.pid });
            }
        }
        self.seen.values_mut().for_each(|seen| seen.alive = false);
        for (task, body) in programs.bodies() {
            let number = body.number;
            // One that has stopped on its way out of a handler, or has a signal
            // to take first, has seen nothing yet.
            let sees = programs.system.is_in_user_mode(task);
            let seen = self.seen.get_mut(&number).expect("it was just put there");
            seen.alive = true;
            let execs = |(_, asked): &(usize, Option<Arc<Asked>>)| {
                asked.as_ref().is_some_and(|a| is_execve(&a.want))
            };
            if body.is_new()
                && let Some(i) = seen.frames.iter().position(execs)
            {
                let asked = seen.frames[i].1.take();
                tell(Event::Told { number, depth: 0, asked, told: Told::Program });
                if body.pid != seen.pid {
                    seen.pid = body.pid;
                    tell(Event::Alias { number, pid: body.pid });
                }
                seen.frames = vec![(0, None)];
            }
            seen.frames.truncate(body.frames.len());
            let depth = seen.frames.len() - 1;
            if seen.frames.len() == body.frames.len()
                && let (Some((told, asked)), Some(frame)) =
                    (seen.frames.last_mut(), body.frames.last())
            {
                while sees && *told < frame.tape.len() {
                    let answer = frame.tape.get(*told).map(|entry| entry.answer.clone());
                    *told += 1;
                    if let Some(answer) = answer {
                        let told = Told::Answer(answer);
                        tell(Event::Told { number, depth, asked: asked.take(), told });
                    }
                }
            }
            for frame in &body.frames[seen.frames.len()..] {
                let (signal, info) = frame.start.handled();
                let asked = seen.frames.last().and_then(|(_, asked)| asked.clone());
                let depth = seen.frames.len();
                seen.frames.push((0, None));
                tell(Event::Told { number, depth, asked, told: Told::Handler(signal, info) });
            }
        }
    }

    /// What a task has asked last, if it has no answer.
    pub fn open(&self, number: u32) -> Option<&Arc<Asked>> {
        self.seen.get(&number)?.frames.last()?.1.as_ref()
    }

    /// How many handlers of a task are under way.
    pub fn depth(&self, number: u32) -> Option<usize> {
        self.seen.get(&number)?.frames.len().checked_sub(1)
    }

    /// Whether a task is gone that did not end by itself.
    pub fn is_killed(&self, number: u32) -> bool {
        let by_itself = self.open(number).is_some_and(|asked| ends(&asked.want));
        !by_itself && self.seen.get(&number).is_some_and(|seen| !seen.alive)
    }

    /// What all have asked without an answer.
    pub fn all_open(&self) -> BTreeMap<u32, Arc<Asked>> {
        let open = |(number, _): (&u32, &Seen)| Some((*number, self.open(*number)?.clone()));
        self.seen.iter().filter_map(open).collect()
    }
}

/// Keeps what a watcher tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorder {
    watcher: Watcher,
    events: Vec<Event>,
}

impl Recorder {
    /// Begins with programs of which nobody has made a step.
    pub fn begin(programs: &Programs) -> Recorder {
        let mut events = Vec::new();
        let watcher = Watcher::begin(programs, |event| events.push(event));
        Recorder { watcher, events }
    }

    /// As [`Watcher::look`].
    pub fn look(&mut self, programs: &Programs, by: u32, asked: Asked) {
        let Recorder { watcher, events } = self;
        watcher.look(programs, by, Arc::new(asked), |event| events.push(event));
    }

    /// What was recorded.
    pub fn record(&self) -> Record {
        let watcher = &self.watcher;
        let killed = watcher.seen.keys().copied().filter(|n| watcher.is_killed(*n));
        Record { events: self.events.clone(), open: watcher.all_open(), killed: killed.collect() }
    }
}

impl Start {
    /// The signal that a handler has begun with, and its siginfo if it takes
    /// one.
    fn handled(&self) -> (i32, Option<Box<SigInfo>>) {
        match &*self.args {
            [.., Value::Int(signal), Value::Siginfo(info)] => (*signal as i32, Some(info.clone())),
            [.., Value::Int(signal)] => (*signal as i32, None),
            _ => (0, None),
        }
    }
}

impl Body {
    /// Whether it is at the very beginning of a program.
    fn is_new(&self) -> bool {
        matches!(&*self.frames, [only] if only.tape.is_empty() && only.waits.is_none())
    }
}

/// Whether a task asks to end.
fn ends(want: &Want) -> bool {
    match want {
        Want::Sys(call, _) => matches!(call.nr, super::NR_EXIT | super::NR_EXIT_GROUP),
        Want::Return(_) => true,
        _ => false,
    }
}

/// Whether a program asks for another one in its place.
pub fn is_execve(want: &Want) -> bool {
    matches!(want, Want::Sys(call, _) if call.nr == super::NR_EXECVE)
}
