//! `struct rq`: a processor's run queue, one queue for each class.
//!
//! Linux: kernel/sched/sched.h (struct rq).
//! Left out: its lock and clock (the machine has one), load averages.

use super::cfs_rq::CfsRq;
use super::deadline::DlRq;
use super::rt::RtRq;
use crate::kernel::task::TaskId;

/// A processor's queues.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rq {
    /// Tasks on them, whoever runs included.
    pub nr_running: u32,
    /// Switches made.
    pub nr_switches: u64,
    /// Arrivals so far; they number those who are equal.
    pub arrivals: u64,
    /// The stop class: one task at most.
    pub stop: Option<TaskId>,
    /// The deadline class.
    pub dl: DlRq,
    /// The real-time class.
    pub rt: RtRq,
    /// The fair class.
    pub cfs: CfsRq,
    /// When it looks again for a busier processor.
    pub next_balance: u64,
}

impl Rq {
    /// The number of a new arrival.
    pub fn arrive(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }
}
