//! What each class keeps of a task.
//!
//! Linux: include/linux/sched.h (sched_entity, sched_rt_entity,
//! sched_dl_entity), kernel/sched/sched.h (sched_class).
//! Left out: group entities, load averages, statistics.

/// The classes, lowest first: of two the greater goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SchedClass {
    /// When nobody else can run.
    Idle,
    /// NORMAL, BATCH, IDLE.
    #[default]
    Fair,
    /// FIFO, RR.
    Rt,
    /// DEADLINE.
    Deadline,
    /// The kernel's own: moves tasks, stops processors.
    Stop,
}

/// The fair class's view of a task. Virtual times are ns of a nice-0 task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SchedEntity {
    /// Weight by nice value (`sched_prio_to_weight`).
    pub load_weight: u64,
    /// Weighted run time.
    pub vruntime: i64,
    /// Virtual time by which its slice should be served.
    pub deadline: i64,
    /// What it is owed (V - vruntime), as it left the queue.
    pub vlag: i64,
    /// It is not taken off the processor before this vruntime (`vprot`).
    pub vprot: i64,
    /// What it asks for at a time, ns.
    pub slice: u64,
    /// The slice was set by sched_setattr(2).
    pub custom_slice: bool,
    /// `deadline` is relative to vruntime: it moves to another queue.
    pub rel_deadline: bool,
    /// On the queue, or running from it.
    pub on_rq: bool,
    /// When it was charged last.
    pub exec_start: u64,
    /// Run time, ns.
    pub sum_exec_runtime: u64,
    /// The same when it began to run.
    pub prev_sum_exec_runtime: u64,
    /// Moves between processors.
    pub nr_migrations: u64,
    /// Its number in the order of arrivals.
    pub arrival: u64,
}

/// The real-time class's view of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchedRtEntity {
    /// What is left of a round-robin task's slice, ns.
    pub time_slice: u64,
    /// Its place among those of its priority.
    pub place: i64,
    /// On the queue.
    pub on_rq: bool,
}

/// The deadline class's view of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchedDlEntity {
    /// Budget a period, ns.
    pub dl_runtime: u64,
    /// By when the budget is to be had, ns from the period's begin.
    pub dl_deadline: u64,
    /// Between two budgets, ns.
    pub dl_period: u64,
    /// `dl_runtime / dl_period`, of 2²⁰.
    pub dl_bw: u64,
    /// What is left of the budget, ns; below 0 it was overrun.
    pub runtime: i64,
    /// By when, ns since power-on.
    pub deadline: u64,
    /// Its budget is used up.
    pub dl_throttled: bool,
    /// It gave up the rest of its budget (sched_yield(2)).
    pub dl_yielded: bool,
    /// On the queue.
    pub on_rq: bool,
    /// Its number in the order of arrivals.
    pub arrival: u64,
}
