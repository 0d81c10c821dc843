//! Choosing who runs next on one processor: real-time tasks by priority, then
//! the fair class by EEVDF (earliest eligible virtual deadline first).
//!
//! ```text
//! V = sum(w v) / sum(w)         the queue's virtual time
//! eligible: v <= V              it has not run more than its share
//! deadline = v + slice * 1024 / w
//! next: the eligible task with the earliest deadline
//! ```
//!
//! Who runs keeps the processor until its slice is used up or it sleeps, unless
//! a real-time task wakes. A task that sleeps takes its lag (V - v) with it and
//! brings it back; a new one begins at V with half a slice.
//!
//! The queue is plain data that is told who can run and for how long the last
//! one did. In director style nobody asks it: the script chooses.
//!
//! Linux: kernel/sched/fair.c (pick_eevdf, place_entity, update_deadline,
//! yield_task_fair), kernel/sched/rt.c (pick_next_rt_entity, task_tick_rt).
//! Left out: several processors, groups, delayed dequeue, sched_ext; a deadline
//! task's budget (it goes before all others); SCHED_IDLE and SCHED_BATCH count
//! as normal tasks with their weight.

use std::collections::BTreeMap;

use crate::abi::numbers::{SCHED_DEADLINE, SCHED_FIFO, SCHED_RR};

/// `sysctl_sched_base_slice` of one processor, in ns.
pub const BASE_SLICE_NS: u64 = 700_000;
/// `RR_TIMESLICE`: 100 ms.
pub const RR_TIMESLICE_NS: u64 = 100_000_000;
/// `NICE_0_LOAD`.
const NICE_0: i128 = 1024;

/// A task that can run, as the queue needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runnable {
    /// By what it is known.
    pub key: u32,
    /// SCHED_*.
    pub policy: u32,
    /// Real-time priority, 99 the highest.
    pub rt_priority: u32,
    /// Weight of its nice value.
    pub weight: u64,
}

/// What the queue keeps of a task, in virtual ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Entity {
    vruntime: i128,
    deadline: i128,
    weight: u64,
    /// Its class: 0 is the fair one.
    rank: u32,
    /// Lag it went to sleep with.
    vlag: i128,
    /// Whether it waits for the processor or has it.
    on_rq: bool,
    /// Since when: real-time tasks of a priority run in this order.
    queued: u64,
    /// What is left of a round-robin task's slice, in ns.
    time_slice: u64,
}

impl Entity {
    /// `calc_delta_fair`: time weighs less for a heavier task.
    fn virtual_ns(&self, ns: u64) -> i128 {
        i128::from(ns) * NICE_0 / i128::from(self.weight.max(1))
    }
}

/// `struct rq`: one processor's queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rq {
    tasks: BTreeMap<u32, Entity>,
    curr: Option<u32>,
    /// Counts arrivals.
    arrivals: u64,
    /// The current task's slice is used up.
    resched: bool,
}

/// Higher goes first; 0 is the fair class.
fn rt_rank(r: &Runnable) -> u32 {
    match r.policy {
        SCHED_DEADLINE => 1_000,
        SCHED_FIFO | SCHED_RR => r.rt_priority.max(1),
        _ => 0,
    }
}

impl Rq {
    /// Chooses among those that can run; the one chosen last has run for `ran`
    /// ns since. `None`: nobody can run.
    pub fn pick_next_task(&mut self, mut runnable: Vec<Runnable>, ran: u64) -> Option<u32> {
        runnable.sort_unstable_by_key(|r| r.key);
        self.update_curr(&runnable, ran);
        self.dequeue(&runnable);
        self.enqueue(&runnable);
        let next = match runnable.iter().map(rt_rank).max()? {
            0 => self.pick_eevdf(&runnable)?,
            rank => {
                let same = runnable.iter().filter(|r| rt_rank(r) == rank);
                same.min_by_key(|r| self.tasks[&r.key].queued)?.key
            }
        };
        if self.curr != Some(next) {
            self.resched = false;
        }
        self.curr = Some(next);
        Some(next)
    }

    /// `yield_task_fair`, `yield_task_rt`: behind the others.
    pub fn yield_task(&mut self) {
        self.arrivals += 1;
        if let Some(e) = self.curr.and_then(|key| self.tasks.get_mut(&key)) {
            e.deadline += e.virtual_ns(BASE_SLICE_NS);
            e.queued = self.arrivals;
            self.resched = true;
        }
    }

    /// Charges the current task for its time (`update_curr`, `task_tick_rt`).
    fn update_curr(&mut self, runnable: &[Runnable], ran: u64) {
        let Some(key) = self.curr else { return };
        let Some(e) = self.tasks.get_mut(&key) else { return };
        let Some(r) = runnable.iter().find(|r| r.key == key) else {
            e.vruntime += e.virtual_ns(ran);
            return;
        };
        match rt_rank(r) {
            0 => {
                e.vruntime += e.virtual_ns(ran);
                // update_deadline
                if e.vruntime >= e.deadline {
                    e.deadline = e.vruntime + e.virtual_ns(BASE_SLICE_NS);
                    self.resched = true;
                }
            }
            _ if r.policy == SCHED_RR => {
                e.time_slice = e.time_slice.saturating_sub(ran);
                if e.time_slice == 0 {
                    e.time_slice = RR_TIMESLICE_NS;
                    self.arrivals += 1;
                    e.queued = self.arrivals;
                }
            }
            _ => {}
        }
    }

    /// `avg_vruntime`: V.
    fn avg_vruntime(&self) -> i128 {
        let (mut sum, mut load) = (0i128, 0i128);
        for e in self.tasks.values().filter(|e| e.on_rq && e.rank == 0) {
            sum += e.vruntime * i128::from(e.weight);
            load += i128::from(e.weight);
        }
        if load == 0 { 0 } else { sum.div_euclid(load) }
    }

    /// Those that sleep now keep their lag (`update_entity_lag`).
    fn dequeue(&mut self, runnable: &[Runnable]) {
        let gone: Vec<u32> = self
            .tasks
            .iter()
            .filter(|(key, e)| e.on_rq && runnable.iter().all(|r| r.key != **key))
            .map(|(key, _)| *key)
            .collect();
        for key in gone {
            let avg = self.avg_vruntime();
            let Some(e) = self.tasks.get_mut(&key) else { continue };
            let limit = e.virtual_ns(2 * BASE_SLICE_NS);
            e.vlag = (avg - e.vruntime).clamp(-limit, limit);
            e.on_rq = false;
            if self.curr == Some(key) {
                (self.curr, self.resched) = (None, false);
            }
        }
    }

    /// Those that are new or awake again (`place_entity`).
    fn enqueue(&mut self, runnable: &[Runnable]) {
        for r in runnable {
            let avg = self.avg_vruntime();
            self.arrivals += 1;
            let new = !self.tasks.contains_key(&r.key);
            let e = self.tasks.entry(r.key).or_default();
            (e.weight, e.rank) = (r.weight.max(1), rt_rank(r));
            if e.on_rq {
                continue;
            }
            let slice = e.virtual_ns(BASE_SLICE_NS);
            e.vruntime = avg - e.vlag;
            e.deadline = e.vruntime + if new { slice / 2 } else { slice };
            (e.on_rq, e.queued, e.time_slice) = (true, self.arrivals, RR_TIMESLICE_NS);
        }
    }

    /// `pick_eevdf` among the fair tasks; whoever runs is left alone until its
    /// slice is used up (RUN_TO_PARITY).
    fn pick_eevdf(&self, runnable: &[Runnable]) -> Option<u32> {
        if let Some(curr) = self.curr.filter(|key| !self.resched && self.tasks[key].on_rq) {
            return Some(curr);
        }
        let avg = self.avg_vruntime();
        let by_deadline = |r: &&Runnable| (self.tasks[&r.key].deadline, r.key);
        let eligible = runnable.iter().filter(|r| self.tasks[&r.key].vruntime <= avg);
        let best = eligible.min_by_key(by_deadline).or(runnable.iter().min_by_key(by_deadline));
        best.map(|r| r.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: u64 = 100_000;

    fn normal(key: u32, weight: u64) -> Runnable {
        Runnable { key, policy: 0, rt_priority: 0, weight }
    }

    fn shares(tasks: &[Runnable], steps: usize) -> BTreeMap<u32, usize> {
        let (mut rq, mut got) = (Rq::default(), BTreeMap::new());
        for _ in 0..steps {
            let next = rq.pick_next_task(tasks.to_vec(), STEP).unwrap();
            *got.entry(next).or_default() += 1;
        }
        got
    }

    #[test]
    fn time_is_shared_by_weight() {
        let even = shares(&[normal(1, 1024), normal(2, 1024), normal(3, 1024)], 3_000);
        assert!(even.values().all(|n| n.abs_diff(1_000) <= 10), "{even:?}");
        // nice 0 and nice 5: 1024 to 335.
        let uneven = shares(&[normal(1, 1024), normal(2, 335)], 10_000);
        assert!(uneven[&1].abs_diff(7_534) <= 20, "{uneven:?}");
    }

    #[test]
    fn a_slice_is_not_interrupted() {
        let mut rq = Rq::default();
        let tasks = [normal(1, 1024), normal(2, 1024)];
        let order: Vec<u32> =
            (0..60).map(|_| rq.pick_next_task(tasks.to_vec(), STEP).unwrap()).collect();
        let runs: Vec<usize> = order.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();
        // Half a slice first, then whole ones: 0.7 ms are 7 steps.
        assert!(runs[2..runs.len() - 1].iter().all(|n| *n == 7), "{runs:?}");
    }

    #[test]
    fn a_sleeper_does_not_save_up() {
        let mut rq = Rq::default();
        let both = [normal(1, 1024), normal(2, 1024)];
        rq.pick_next_task(both.to_vec(), STEP);
        for _ in 0..1_000 {
            assert_eq!(rq.pick_next_task(vec![both[0]], STEP), Some(1));
        }
        // Awake again it gets its share from now on, and no more.
        let got = (0..200).filter(|_| rq.pick_next_task(both.to_vec(), STEP) == Some(2)).count();
        assert!(got.abs_diff(100) <= 14, "{got}");
    }

    #[test]
    fn real_time_goes_first() {
        let fifo = |key, rt_priority| Runnable { key, policy: SCHED_FIFO, rt_priority, weight: 1 };
        let tasks = [normal(1, 1024), fifo(2, 10), fifo(3, 20), fifo(4, 20)];
        let got = shares(&tasks, 50);
        assert_eq!(got, BTreeMap::from([(3, 50)]), "the older one of the highest priority");
        let mut rq = Rq::default();
        assert_eq!(rq.pick_next_task(tasks.to_vec(), STEP), Some(3));
        rq.yield_task();
        assert_eq!(rq.pick_next_task(tasks.to_vec(), STEP), Some(4));
        let round = |key| Runnable { key, policy: SCHED_RR, rt_priority: 1, weight: 1 };
        let got = shares(&[round(1), round(2)], 4_000);
        assert_eq!(got, BTreeMap::from([(1, 2_000), (2, 2_000)]));
        assert_eq!(Rq::default().pick_next_task(Vec::new(), STEP), None);
    }

    #[test]
    fn yielding_lets_others_run() {
        let mut rq = Rq::default();
        let both = vec![normal(1, 1024), normal(2, 1024)];
        let mut order = Vec::new();
        for _ in 0..8 {
            order.push(rq.pick_next_task(both.clone(), STEP).unwrap());
            rq.yield_task();
        }
        assert_eq!(order.iter().filter(|n| **n == 1).count(), 4, "{order:?}");
    }
}
