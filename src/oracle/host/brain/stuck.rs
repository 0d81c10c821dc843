//! Who sleeps: everyone, which is found out and said, or the one that is asked
//! about.
//!
//! Left out: tasks that /proc does not show.

use std::time::Duration;

use super::super::calls::{self, Kind};
use super::super::task::{Place, Task};
use super::super::watch::{self, Seen};
use super::{Brain, Stop, unsupported};
use crate::kernel::syscalls::Out;
use crate::session::program::{Answer, not_there};

/// How long nothing moves before the tasks are looked at, and between two
/// looks.
const QUIET: Duration = Duration::from_millis(4);
/// The longest time between two looks.
const RARE: Duration = Duration::from_millis(32);

impl Brain<'_> {
    /// Tasks with a tid, the one that began last in front: a task of a pid
    /// namespace that a program has made may have the tid of another one.
    fn tasks_of(&self, tid: i32) -> impl Iterator<Item = &Task> {
        self.places.iter().rev().filter_map(move |place| match place {
            Place::Task(task) if task.tid == tid => Some(&**task),
            _ => None,
        })
    }

    /// Whether a task that was seen waits for something that somebody else must
    /// do.
    fn sleeps(&self, seen: &Seen) -> bool {
        let timed = || self.tasks_of(seen.tid).filter_map(|t| t.flights.last()).any(|f| f.timed);
        // Of those with one tid in several pid namespaces, any.
        let mut calls = self.tasks_of(seen.tid).filter_map(|task| task.flights.last());
        match seen.state {
            'T' | 't' | 'Z' | 'X' => true,
            'S' => !timed(),
            // A parent in vfork; a thread that execs, until the others are gone.
            'D' => calls.any(|f| {
                let execs = f.nr.map(libc::c_long::from) == Some(libc::SYS_execve);
                execs || f.kind == Kind::Create && f.nr.is_some()
            }),
            _ => false,
        }
    }

    /// The state of a task for the one in `slot`, who asks. /proc does not know
    /// that a task waits for us only, between two calls: that one runs.
    pub(super) fn state_of(&self, slot: usize, pid: i32) -> Result<Answer, Stop> {
        if self.nested {
            return Err(unsupported("state_of in a program with pid namespaces"));
        }
        let seen = watch::tasks(self.sandbox.init());
        let Some(seen) = seen.iter().find(|s| s.tid == pid && !s.is_init) else {
            return Ok(Answer::Refused(not_there(pid)));
        };
        let of = |place: &Place| matches!(place, Place::Task(task) if task.tid == pid);
        let its = self.places.iter().rposition(of).filter(|its| *its != slot);
        let is_in_a_call = its.is_some_and(|its| self.sandbox.control.report(its).is_none());
        let letter = match seen.state {
            'S' if !is_in_a_call => 'R',
            other => other,
        };
        Ok(Answer::Returned(i64::from(u32::from(letter)), Out::None))
    }

    /// Whether a signal of an interval timer is still to come to one of these.
    fn awaits_alarm(&self, seen: &[Seen]) -> bool {
        let alive = seen.iter().filter(|s| !s.is_init && !s.is_dead());
        let mut processes = alive.flat_map(|s| self.tasks_of(s.tid)).map(|task| task.process);
        processes.any(|process| self.alarms.awaits(process))
    }

    fn words(&self, seen: &Seen) -> String {
        let task = self.tasks_of(seen.tid).next();
        let call = task.and_then(|task| task.flights.last()?.nr);
        let place = match (call, seen.is_dead()) {
            (Some(nr), false) => format!(" in {}", calls::name(nr)),
            _ => String::new(),
        };
        format!("process {} ({}){place}", seen.tid, seen.state)
    }
}

/// Finds out when everyone sleeps: nothing has been reported for a while, and
/// two looks show all tasks asleep and none of them given a processor between.
pub(super) struct Watch {
    before: Vec<Seen>,
    pause: Duration,
}

impl Watch {
    pub(super) fn new() -> Watch {
        Watch { before: Vec::new(), pause: QUIET }
    }

    pub(super) fn moved(&mut self) {
        *self = Watch::new();
    }

    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    /// Gives those that sleep for ever in words, if all do.
    pub(super) fn look(&mut self, brain: &Brain) -> Result<Option<Vec<String>>, Stop> {
        let now = watch::sleepers(brain.sandbox.init());
        // When all are dead, process 1 is about to reap them.
        let somebody = now.iter().any(|seen| !seen.is_init && !seen.is_dead());
        let sleep = now.iter().all(|seen| brain.sleeps(seen));
        if !somebody || !sleep || brain.awaits_alarm(&now) {
            self.before.clear();
            self.pause = (self.pause * 2).min(RARE);
            return Ok(None);
        }
        self.pause = QUIET;
        if now != self.before {
            self.before = now;
            return Ok(None);
        }
        let others = now.iter().filter(|seen| !seen.is_init);
        Ok(Some(others.map(|seen| brain.words(seen)).collect()))
    }
}
