//! Going back: snapshots on the way, and the way from one of them again.
//!
//! ```text
//!  snapshot 0      1       2 (somebody wrote)      now
//!     |------------|-------|-------------------------|
//!                                <- reverse: from 2, up to the place before
//!     each stretch is repeated from its own beginning: nothing from outside
//!     happens in it, so it is the same each time
//! ```
//!
//! Who goes on after going back runs through the same stretches again; at the end
//! of one the next snapshot is taken for what came from outside there. Who changes
//! something in the past forgets what came after.
//!
//! Linux: none; gdb's record target does it by noting each change. Left out: the
//! oldest snapshots, once there are too many; and what a different rounding of the
//! virtual runtime of tasks with a nice value does to a schedule when slices are
//! divided differently, which is found out and ends the history there.

use super::{Control, Debugger, Stop};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::session::code::{CodeEvent, CodeRun, Place, Scan};
use crate::session::director::Trouble;
use std::collections::VecDeque;

/// Instructions between two snapshots, at first.
const STRETCH: u64 = 200_000;
/// The most snapshots. Beyond, every other one goes, and the stretches double.
const MOST: usize = 128;

/// How to go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reverse {
    /// Before the last thing that the task has done.
    Step(TaskId),
    /// To the last breakpoint, or before the last touch of watched memory.
    Continue,
}

/// Everything, as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    sys: System,
    run: CodeRun,
    control: Control,
    /// Something from outside has happened just before it.
    influence: bool,
}

impl Snapshot {
    pub(super) fn place(&self) -> Place {
        self.run.place()
    }
}

/// The snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct History {
    snapshots: VecDeque<Box<Snapshot>>,
    /// Which one the present has come from.
    at: usize,
    stretch: u64,
    /// As far as it ever came.
    front: Place,
    /// Something from outside has happened since the last one.
    influenced: bool,
}

impl Default for History {
    fn default() -> Self {
        History {
            snapshots: VecDeque::new(),
            at: 0,
            stretch: STRETCH,
            front: Place::default(),
            influenced: true,
        }
    }
}

impl History {
    /// Something from outside has happened here: there is another future.
    pub(super) fn influenced(&mut self, now: Place) {
        self.influenced = true;
        self.snapshots.truncate(self.at + 1);
        self.front = now;
    }

    pub(super) fn next(&self) -> Option<&Snapshot> {
        self.snapshots.get(self.at + 1).map(|s| &**s)
    }

    /// Makes room.
    fn thin(&mut self) {
        if self.snapshots.len() < MOST {
            return;
        }
        let mut n = 0;
        self.snapshots.retain(|s| {
            n += 1;
            s.influence || n % 2 == 1
        });
        self.stretch *= 2;
        while self.snapshots.len() >= MOST {
            self.snapshots.pop_front();
        }
    }
}

impl Debugger {
    /// Whether what happens now happens for the first time.
    pub(super) fn is_at_front(&self) -> bool {
        self.history.next().is_none() && self.run.place() >= self.history.front
    }

    /// Takes a snapshot if it is time for one, or goes over to the next one.
    pub(super) fn remember(&mut self, sys: &mut System) {
        let now = self.run.place();
        if !self.history.influenced
            && let Some(next) = self.history.next()
        {
            if next.place() > now {
                return;
            }
            if next.place() == now {
                let next = next.clone();
                self.history.at += 1;
                self.adopt(sys, next);
                return;
            }
            // It was passed without being met: what is remembered is not what happens.
            self.history.influenced(now);
        }
        let last = self.history.snapshots.back().map(|s| s.place().retired);
        let due =
            last.is_none_or(|last| now.retired - last.min(now.retired) >= self.history.stretch);
        self.history.front = self.history.front.max(now);
        if due || self.history.influenced {
            self.history.thin();
            let (run, control) = (self.run.clone(), self.control.clone());
            let influence = std::mem::take(&mut self.history.influenced);
            let snapshot = Snapshot { sys: sys.clone(), run, control, influence };
            self.history.snapshots.push_back(Box::new(snapshot));
            self.history.at = self.history.snapshots.len() - 1;
        }
    }

    /// Makes a snapshot the present. What a debugger has set stays set.
    fn adopt(&mut self, sys: &mut System, snapshot: Snapshot) {
        let Snapshot { sys: was, run, control, .. } = snapshot;
        *sys = was;
        let set = std::mem::replace(&mut self.run, run);
        self.run.in_space = set.in_space;
        self.run.watches = set.watches;
        self.run.singly = set.singly;
        self.run.watches.renew(sys);
        self.control = control;
    }

    /// Repeats from snapshot number `n` up to a place. `false`: it could not be met.
    fn repeat(
        &mut self,
        sys: &mut System,
        n: usize,
        scan: Option<Scan>,
        to: Place,
        drain: &mut dyn FnMut(&mut System),
    ) -> Result<bool, Trouble> {
        let Some(from) = self.history.snapshots.get(n) else { return Ok(false) };
        self.adopt(sys, (**from).clone());
        self.history.at = n;
        self.run.singly.clear();
        self.run.report_again();
        self.run.scan = Some(scan.unwrap_or_default());
        self.run.until = Some(to.retired);
        while self.run.place() < to {
            let event = self.run.next(sys)?;
            match event {
                CodeEvent::Ran(..) => continue,
                CodeEvent::Idle => break,
                _ => {}
            }
            drain(sys);
            self.note(sys, event);
            self.pending.clear();
        }
        self.run.until = None;
        Ok(self.run.place() == to)
    }

    /// Looks for the last place before now, newest stretch first, and goes there.
    pub(super) fn go_back(
        &mut self,
        sys: &mut System,
        how: Reverse,
        drain: &mut dyn FnMut(&mut System),
    ) -> Result<Stop, Trouble> {
        if std::mem::take(&mut self.history.influenced) {
            // The present cannot be repeated: it is a snapshot itself.
            self.history.influenced = true;
            self.remember(sys);
        }
        let now = self.run.place();
        let mut n = self.history.at;
        let mut end = now;
        loop {
            let of = match how {
                Reverse::Step(task) => Some((task, None)),
                Reverse::Continue => None,
            };
            let scan = Scan { of, before: now, hit: None };
            let met = self.repeat(sys, n, Some(scan), end, drain)?;
            let scan = self.run.scan.take().unwrap_or_default();
            let found = match how {
                _ if !met => None,
                Reverse::Step(task) => {
                    scan.of.and_then(|(_, last)| last).map(|at| (at, Stop::Stepped(task)))
                }
                Reverse::Continue => scan.hit.and_then(|(at, event)| match event {
                    CodeEvent::Breakpoint(task) => Some((at, Stop::Breakpoint(task))),
                    CodeEvent::Watch(task, touched) => Some((at, Stop::Watch(task, touched))),
                    _ => None,
                }),
            };
            if let Some((place, stop)) = found {
                self.repeat(sys, n, None, place, drain)?;
                return Ok(self.arrived(sys, stop));
            }
            let Some(earlier) = n.checked_sub(1).filter(|_| met) else { break };
            end = self.history.snapshots[n].place();
            n = earlier;
        }
        let place = self.history.snapshots[n].place();
        self.repeat(sys, n, None, place, drain)?;
        let first = self.processes().flat_map(|pid| self.tasks(sys, pid)).next();
        let task = first.unwrap_or(self.last);
        Ok(self.arrived(sys, Stop::Beginning(task)))
    }

    fn arrived(&mut self, sys: &System, stop: Stop) -> Stop {
        self.run.scan = None;
        self.run.watches.renew(sys);
        if let Stop::Breakpoint(t) | Stop::Watch(t, _) | Stop::Stepped(t) | Stop::Beginning(t) =
            &stop
        {
            self.last = *t;
        }
        stop
    }
}
