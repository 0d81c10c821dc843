//! Scheduling: who runs on which processor, for how long, and what that is
//! reckoned by.
//!
//! ```text
//!  stop   deadline   rt            fair                     idle
//!         dl.rs      rt.rs         fair.rs                  idle.rs
//!         DEADLINE   FIFO RR       NORMAL BATCH IDLE        nobody else
//!                                  eevdf.rs or cfs.rs
//!  ------ a class on the left goes before those on its right ------->
//!
//!  rq       what a processor has of all this: one queue a class
//!  core     enqueue, dequeue, pick, switch, wake
//!  tick     time: charging it, the interrupt, the next event
//!  balance  which processor
//! ```
//!
//! Run queues are kept whoever chooses. In director style the script chooses,
//! and an act of a task is a pick by force; [`Chooser`] says who does.
//!
//! Linux: kernel/sched/ (core.c, fair.c, rt.c, deadline.c, stop_task.c, idle.c,
//! syscalls.c), include/linux/sched.h.
//! Left out: sched_ext, task groups and autogroup, core scheduling, utilisation
//! (PELT, uclamp), energy; bandwidth of groups.

pub mod affinity;
pub mod asked;
pub mod balance;
pub mod cfs;
pub mod cfs_rq;
pub mod core;
pub mod cputime;
pub mod deadline;
pub mod eevdf;
pub mod entity;
pub mod fair;
pub mod fork;
pub mod idle;
pub mod nice;
pub mod prio;
pub mod record;
pub mod rq;
pub mod rt;
pub mod stop;
pub mod syscalls;
#[cfg(test)]
mod tests;
pub mod tick;
pub mod timeline;
pub mod tree;
pub mod waking;
pub mod work;

pub use entity::{SchedClass, SchedDlEntity, SchedEntity, SchedRtEntity};
pub use prio::SCHED_PRIO_TO_WEIGHT;

use std::collections::BTreeSet;

use crate::kernel::task::TaskId;
use record::Record;

/// Which fair scheduler there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FairPolicy {
    /// Earliest eligible virtual deadline first: Linux from 6.6 on.
    #[default]
    Eevdf,
    /// The one before, as in 5.15: least vruntime first.
    Cfs,
}

/// Settings of the scheduler that are made at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SchedConfig {
    /// The fair scheduler.
    pub fair: FairPolicy,
    /// Timer interrupts a second (CONFIG_HZ).
    pub hz: u32,
}

impl Default for SchedConfig {
    /// As x86_64_defconfig has it.
    fn default() -> Self {
        SchedConfig { fair: FairPolicy::Eevdf, hz: 1000 }
    }
}

/// Who chooses what a processor runs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Chooser {
    /// A director: whoever acts is picked by force, and nobody else runs.
    #[default]
    Director,
    /// A director who asks the scheduler before each step.
    Asked,
    /// The scheduler alone, driven by the clock.
    Scheduler,
}

/// What all processors share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SchedGlobals {
    /// Settings.
    pub config: SchedConfig,
    /// `sysctl_sched_child_runs_first`, which CFS had.
    pub child_runs_first: u32,
    /// By what times are longer on more processors (`get_update_sysctl_factor`).
    pub factor: u64,
    /// Who chooses.
    pub chooser: Chooser,
    /// `dl_bw.total_bw`: bandwidth given to deadline tasks, of 2²⁰ a processor.
    pub dl_total_bw: u64,
    /// When throttled deadline tasks get their budget back.
    pub dl_timers: BTreeSet<(u64, TaskId)>,
    /// Who ran when, while the scheduler chose.
    pub record: Record,
}

/// ns of a tick (`TICK_NSEC`).
pub fn tick_nsec(config: &SchedConfig) -> u64 {
    1_000_000_000 / u64::from(config.hz.max(1))
}
