//! Keeping what each task was told, for comparing.
//!
//! Left out: who was killed; nobody tells the supervisor.

use super::super::task::{Place, Task, Unborn};
use super::Brain;
use crate::abi::structs::SigInfo;
use crate::oracle::FIRST_PID;
use crate::session::program::Answer;
use crate::session::program::record::{Event, Record, Told};

/// The first task is there.
pub(super) fn begin() -> Record {
    let first = Event::Born { number: 1, maker: 0, pid: FIRST_PID };
    Record { events: vec![first], ..Record::default() }
}

/// A task was told what it has asked.
pub(super) fn answer(record: &mut Record, task: &mut Task, answer: &Answer) {
    record.events.push(Event::Told {
        number: task.number,
        depth: task.body.depth(),
        asked: task.asked.pop(),
        told: Told::Answer(answer.clone()),
    });
}

/// A task is about to begin a handler.
pub(super) fn handler(record: &mut Record, task: &Task, sig: i32, info: Option<SigInfo>) {
    record.events.push(Event::Told {
        number: task.number,
        depth: task.body.depth() + 1,
        asked: task.asked.last().cloned(),
        told: Told::Handler(sig, info.map(Box::new)),
    });
}

/// A task is about to become another program; its tid may change.
pub(super) fn program(record: &mut Record, task: &mut Task, tid: i32) {
    let (number, asked) = (task.number, task.asked.pop());
    task.asked.clear();
    record.events.push(Event::Told { number, depth: 0, asked, told: Told::Program });
    if task.tid != tid {
        record.events.push(Event::Alias { number, pid: tid });
    }
}

impl Brain<'_> {
    /// A task is there, which has this pid: its number in the record.
    pub(super) fn is_made(&mut self, unborn: &Unborn, pid: i32) -> u32 {
        self.note_pid(pid);
        if let Some(number) = unborn.number {
            self.run.record.events.push(Event::Alias { number, pid });
            return number;
        }
        self.created += 1;
        let (number, maker) = (self.created, unborn.maker);
        self.run.record.events.push(Event::Born { number, maker, pid });
        number
    }

    /// A call that makes a task has returned: the task may have begun already,
    /// may be to come, or may have died before it could say anything.
    pub(super) fn has_made(&mut self, child: usize, ret: i64) {
        let pid = ret as i32;
        match &mut self.places[child] {
            Place::Unborn(_) if ret <= 0 => self.places[child] = Place::Free,
            Place::Unborn(_) => {
                let place = std::mem::replace(&mut self.places[child], Place::Free);
                let Place::Unborn(mut unborn) = place else { return };
                unborn.number = Some(self.is_made(&unborn, pid));
                self.places[child] = Place::Unborn(unborn);
            }
            Place::Task(task) if ret > 0 => {
                self.run.record.events.push(Event::Alias { number: task.number, pid });
                self.note_pid(pid);
            }
            _ if ret > 0 => self.note_pid(pid),
            _ => {}
        }
    }

    /// Notes what has no answer.
    pub(super) fn record_open(&mut self) {
        for place in &self.places {
            if let Place::Task(task) = place
                && let Some(asked) = task.asked.last()
            {
                self.run.record.open.insert(task.number, asked.clone());
            }
        }
    }
}
