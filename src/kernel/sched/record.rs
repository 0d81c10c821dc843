//! What became of each task while the scheduler chose: the tracepoints
//! sched_switch and sched_wakeup, as one list.
//!
//! Linux: include/trace/events/sched.h.
//! Left out: what happens in director style, where the script knows it.

use crate::base::PVec;

/// Entries kept; after that many nothing is added.
const MOST: usize = 1 << 20;

/// What a task does from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Doing {
    /// It is on no queue.
    #[default]
    Sleeps,
    /// It could run, and others do.
    Waits,
    /// It runs.
    Runs,
}

/// A change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Point {
    /// When, ns since power-on.
    pub at: u64,
    /// Who: its pid, 0 for an idle task.
    pub pid: i32,
    /// Where.
    pub cpu: u32,
    /// What it does now.
    pub doing: Doing,
}

/// The list, in order of time, and the stretches of time that it covers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Changes.
    pub points: PVec<Point, 64>,
    /// Begin and end of each run.
    pub runs: Vec<(u64, u64)>,
}

impl Record {
    /// Adds a change.
    pub fn push(&mut self, point: Point) {
        if self.points.len() < MOST {
            self.points.push(point);
        }
    }
}
