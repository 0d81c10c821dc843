//! Scheduling: the fields every task has, and switching a processor from one
//! task to another.
//!
//! Linux: kernel/sched/core.c, include/linux/sched.h (`sched_entity`).
//! `fair` chooses who runs next, when it is asked: in director style the script
//! says who acts. Left out: several queues, balancing between them.

pub mod core;
pub mod fair;

/// The fair class's view of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SchedEntity {
    /// Weight by nice value (`sched_prio_to_weight`).
    pub load_weight: u64,
    /// Weighted run time in ns.
    pub vruntime: u64,
    /// Run time in ns.
    pub sum_exec_runtime: u64,
    /// Virtual time at which it last began to run.
    pub exec_start: u64,
    /// Moves between processors.
    pub nr_migrations: u64,
}

/// `sched_prio_to_weight[]`: weight of nice -20 to 19; each step is 1.25.
pub const SCHED_PRIO_TO_WEIGHT: [u64; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
    3906, 3121, 2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87,
    70, 56, 45, 36, 29, 23, 18, 15,
];
