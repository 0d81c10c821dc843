//! `struct cfs_rq`: the fair class's queue and its sums, which both fair
//! schedulers use.
//!
//! ```text
//! tree          those that wait. EEVDF: by deadline; CFS: by vruntime
//! curr          who runs; not in the tree
//! V             sum(w v) / sum(w) over both: avg_vruntime()
//! min_vruntime  CFS: the least, never goes back. EEVDF: V when one left last,
//!               which is where V is while nobody is there
//! ```
//!
//! Linux: kernel/sched/fair.c (avg_vruntime_add, avg_vruntime, entity_key,
//! update_min_vruntime, __enqueue_entity, calc_delta_fair).
//! Left out: keys relative to min_vruntime and inverse weights, which spare
//! Linux 128 bits and a division; groups.

use super::FairPolicy;
use super::entity::SchedEntity;
use super::prio::NICE_0_LOAD;
use super::timeline::{Entry, Timeline};
use super::tree::Key;
use crate::kernel::task::{TaskId, Tasks};

/// The queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CfsRq {
    /// Those that wait (`tasks_timeline`).
    pub tree: Timeline,
    /// The fair task that has the processor.
    pub curr: Option<TaskId>,
    /// Tasks of the class here, who runs included.
    pub nr_queued: u32,
    /// Their weights together.
    pub load: u64,
    /// Weights in the tree.
    pub avg_load: u64,
    /// Sum of weight times vruntime in the tree.
    pub avg_vruntime: i128,
    /// See above.
    pub min_vruntime: i64,
    /// CFS: gave up its turn.
    pub skip: Option<TaskId>,
}

/// `a * b / c`, rounded down. The short way is worth a test: a division of 128
/// bits takes longer than all the rest of an enqueue.
pub fn mul_div(a: i128, b: i128, c: i128) -> i64 {
    let product = a * b;
    match (i64::try_from(product), i64::try_from(c)) {
        (Ok(product), Ok(c)) => product.div_euclid(c),
        _ => product.div_euclid(c) as i64,
    }
}

/// `calc_delta_fair`: time weighs less for a heavier task.
pub fn calc_delta_fair(ns: u64, weight: u64) -> i64 {
    if weight == NICE_0_LOAD {
        return ns as i64;
    }
    mul_div(i128::from(ns), i128::from(NICE_0_LOAD), i128::from(weight.max(1)))
}

fn product(se: &SchedEntity) -> i128 {
    i128::from(se.vruntime) * i128::from(se.load_weight)
}

/// By what the tree is sorted.
pub fn key_of(se: &SchedEntity, policy: FairPolicy) -> Key {
    let at = match policy {
        FairPolicy::Eevdf => se.deadline,
        FairPolicy::Cfs => se.vruntime,
    };
    Key { at, arrival: se.arrival }
}

impl CfsRq {
    /// Puts a task into the tree (`__enqueue_entity`).
    pub fn insert(&mut self, se: &SchedEntity, task: TaskId, policy: FairPolicy) {
        self.avg_load += se.load_weight;
        self.avg_vruntime += product(se);
        let (key, vruntime, slice) = (key_of(se, policy), se.vruntime, se.slice);
        self.tree.insert(Entry { key, vruntime, slice, task });
    }

    /// Takes a task out of the tree (`__dequeue_entity`).
    pub fn remove(&mut self, se: &SchedEntity, policy: FairPolicy) {
        if self.tree.remove(key_of(se, policy)) {
            self.avg_load -= se.load_weight;
            self.avg_vruntime -= product(se);
        }
    }

    /// Who runs, if it is still on the queue.
    pub fn curr<'t>(&self, tasks: &'t Tasks) -> Option<(TaskId, &'t SchedEntity)> {
        let task = self.curr?;
        let se = &tasks.get(task)?.se;
        se.on_rq.then_some((task, se))
    }

    /// Sum of weight times vruntime, and sum of weights, of all.
    pub fn sums(&self, tasks: &Tasks) -> (i128, i128) {
        let (mut sum, mut load) = (self.avg_vruntime, i128::from(self.avg_load));
        if let Some((_, se)) = self.curr(tasks) {
            sum += product(se);
            load += i128::from(se.load_weight);
        }
        (sum, load)
    }

    /// V, the queue's virtual time (`avg_vruntime`).
    pub fn avg_vruntime(&self, tasks: &Tasks) -> i64 {
        self.average(self.sums(tasks))
    }

    /// V of what [`CfsRq::sums`] gives.
    pub fn average(&self, (sum, load): (i128, i128)) -> i64 {
        if load == 0 { self.min_vruntime } else { mul_div(sum, 1, load) }
    }

    /// A test for vruntimes: whether who has it has had no more than its share
    /// (`vruntime_eligible`).
    pub fn eligible(&self, tasks: &Tasks) -> impl Fn(i64) -> bool + use<> {
        let (sum, load) = self.sums(tasks);
        move |vruntime| i128::from(vruntime) * load <= sum
    }

    /// The shortest slice of those on the queue (`cfs_rq_min_slice`).
    pub fn min_slice(&self, tasks: &Tasks) -> u64 {
        let curr = self.curr(tasks).map(|(_, se)| se.slice);
        curr.into_iter().chain(self.tree.least_slice()).min().unwrap_or(0)
    }

    /// CFS: lets min_vruntime follow.
    pub fn update_min_vruntime(&mut self, tasks: &Tasks) {
        let curr = self.curr(tasks).map(|(_, se)| se.vruntime);
        if let Some(least) = curr.into_iter().chain(self.tree.least()).min() {
            self.min_vruntime = self.min_vruntime.max(least);
        }
    }
}
