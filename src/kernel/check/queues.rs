//! Run queues: who is on which, and what they add up to.
//!
//! ```text
//! on_rq                      on the queue of its class and processor, unless it
//!                            is throttled or its budget is used up
//! nr_running nr_queued load  counted again; avg_load and avg_vruntime, too
//! cfs.curr                   the current task, if it is a fair one
//! dl_total_bw                the bandwidths of all deadline tasks
//! ```
//!
//! Linux: kernel/sched/debug.c (print_cfs_rq). Left out: the order within a
//! queue; the tree has tests of its own.

use super::{Findings, Named, is_idle};
use crate::kernel::kthread::At;
use crate::kernel::sched::SchedClass;
use crate::kernel::sched::cfs_rq::key_of;
use crate::kernel::sched::core::is_queued;
use crate::kernel::sched::rq::Rq;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState, TaskStruct};
use std::collections::BTreeMap;

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let mut found: BTreeMap<TaskId, u32> = BTreeMap::new();
    for (cpu, c) in k.per_cpu.iter().enumerate() {
        for task in members(sys, &c.rq) {
            *found.entry(task).or_default() += 1;
            let Some(t) = k.tasks.get(task) else {
                let name = format!("{task:?}");
                let rq = format_args!("run queue {cpu}").to_string();
                f.exists(false, format_args!("{rq}"), "member", format_args!("{name}"));
                continue;
            };
            f.same(format_args!("{}", Named(task, t)), "cpu", t.cpu as usize, cpu, "of its queue");
        }
        sums(sys, cpu, &c.rq, f);
    }
    let mut bandwidth = 0;
    for (id, t) in k.tasks.iter() {
        membership(sys, id, t, found.get(&id).copied().unwrap_or(0), f);
        bandwidth += t.dl.as_ref().map_or(0, |dl| dl.dl_bw as i64);
    }
    let stored = k.sched.dl_total_bw as i64;
    f.count(format_args!("the kernel"), "dl_total_bw", stored, bandwidth, "deadline tasks");
}

fn members(sys: &System, rq: &Rq) -> Vec<TaskId> {
    let curr = rq.cfs.curr(&sys.kernel.tasks).map(|(t, _)| t);
    let trees = rq.dl.tree.iter().chain(rq.cfs.tree.iter()).map(|(_, t)| t);
    rq.stop.into_iter().chain(curr).chain(rq.rt.iter()).chain(trees).collect()
}

fn membership(sys: &System, id: TaskId, t: &TaskStruct, times: u32, f: &mut Findings) {
    let me = Named(id, t);
    let queued = is_queued(sys, t, id);
    f.count(format_args!("{me}"), "queued", u32::from(queued), times, "run queues that have it");
    if is_idle(sys, id, t) {
        return;
    }
    let waits = t.dl.as_ref().is_some_and(|dl| dl.dl_throttled);
    // A kernel thread may have said how it will sleep, and not sleep yet.
    let soon = t.on_rq && t.kthread.as_ref().is_some_and(|k| k.at == At::Function);
    let able = (t.__state == TaskState::RUNNING || soon) && t.exit_state.is_empty();
    if able && t.on_rq {
        let expected = !t.throttled && !waits;
        f.same(format_args!("{me}"), "queued", queued, expected, "it can run");
    } else {
        f.same(format_args!("{me}"), "queued", queued, false, "it cannot run");
        f.same(format_args!("{me}"), "throttled", t.throttled, false, "it cannot run");
    }
    let deadline = t.sched_class == SchedClass::Deadline;
    f.same(format_args!("{me}"), "has dl", t.dl.is_some(), deadline && !t.is_dead(), "its class");
}

fn sums(sys: &System, cpu: usize, rq: &Rq, f: &mut Findings) {
    let k = &sys.kernel;
    let name = format!("run queue {cpu}");
    let all = members(sys, rq);
    let counted = all.len() as i64;
    f.count(format_args!("{name}"), "nr_running", rq.nr_running, counted, "its members");
    let cfs = &rq.cfs;
    let (mut load, mut sum) = (0u64, 0i128);
    for (key, task) in cfs.tree.iter() {
        let Some(t) = k.tasks.get(task) else { return };
        load += t.se.load_weight;
        sum += i128::from(t.se.vruntime) * i128::from(t.se.load_weight);
        let here = key_of(&t.se, k.sched.config.fair);
        f.same(format_args!("{}", Named(task, t)), "key in the tree", key, here, "of its fields");
    }
    f.same(format_args!("{name}"), "avg_load", cfs.avg_load, load, "weights in the tree");
    f.same(format_args!("{name}"), "avg_vruntime", cfs.avg_vruntime, sum, "weight times vruntime");
    let curr = cfs.curr(&k.tasks);
    let load = load + curr.map_or(0, |(_, se)| se.load_weight);
    f.same(format_args!("{name}"), "load", cfs.load, load, "weights of all");
    let queued = cfs.tree.len() as i64 + i64::from(curr.is_some());
    f.count(format_args!("{name}"), "nr_queued", cfs.nr_queued, queued, "fair tasks");
    let current = k.per_cpu[cpu].current_task;
    let fair = k.tasks.get(current).is_some_and(|t| t.sched_class == SchedClass::Fair);
    let expected = fair.then_some(current);
    f.same(format_args!("{name}"), "cfs.curr", cfs.curr, expected, "the current task");
}
