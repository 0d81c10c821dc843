//! `rq`: a processor's run queues, those who go first at the top.
//!
//! ```text
//! *  runs now        E  eligible: it has had no more than its share
//! ```
//!
//! Virtual times are ns; lag is V - vruntime, what a fair task is owed.
//!
//! Linux: /sys/kernel/debug/sched/debug (kernel/sched/debug.c).
//! Left out: load averages, statistics.

use super::text;
use crate::abi::numbers::SCHED_NAMES;
use crate::kernel::sched::SchedClass;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use serde::Serialize;
use std::fmt;

/// A task on the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RqRow {
    /// Its pid.
    pub pid: i32,
    /// Its name.
    pub command: String,
    /// SCHED_*, without the prefix.
    pub policy: String,
    /// Effective priority.
    pub prio: i32,
    /// Whether it runs now.
    pub runs: bool,
    /// Of a fair task: weight, vruntime, deadline, lag, and whether it is
    /// eligible.
    pub fair: Option<(u64, i64, i64, i64, bool)>,
    /// Of a deadline task: deadline in ns since power-on, and what is left of
    /// its budget.
    pub dl: Option<(u64, i64)>,
}

/// The queues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RqView {
    /// The processor.
    pub cpu: u32,
    /// Tasks on it.
    pub nr_running: u32,
    /// V of the fair class.
    pub avg_vruntime: i64,
    /// Weights of the fair class.
    pub load: u64,
    /// Tasks, by class, then in the order of the class's queue.
    pub rows: Vec<RqRow>,
}

/// The run queues of a processor; `None` where there is none.
pub fn rq(sys: &System, cpu: u32) -> Option<RqView> {
    let k = &sys.kernel;
    let rq = &k.per_cpu.get(cpu as usize)?.rq;
    let mut fair: Vec<TaskId> = rq.cfs.tree.iter().map(|(_, t)| t).collect();
    if let Some((curr, _)) = rq.cfs.curr(&k.tasks) {
        fair.insert(0, curr);
    }
    let all = rq.stop.into_iter().chain(rq.dl.tree.iter().map(|(_, t)| t)).chain(rq.rt.iter());
    let rows = all.chain(fair).map(|t| row(sys, cpu, t)).collect();
    Some(RqView {
        cpu,
        nr_running: rq.nr_running,
        avg_vruntime: rq.cfs.avg_vruntime(&k.tasks),
        load: rq.cfs.load,
        rows,
    })
}

fn row(sys: &System, cpu: u32, task: TaskId) -> RqRow {
    let t = sys.task(task);
    let cfs = &sys.kernel.per_cpu[cpu as usize].rq.cfs;
    let tasks = &sys.kernel.tasks;
    let name = SCHED_NAMES.iter().find(|(_, n)| *n == i64::from(t.policy));
    let name = name.map_or("?", |(name, _)| name.trim_start_matches("SCHED_"));
    let fair = t.sched_class == SchedClass::Fair;
    RqRow {
        pid: t.pid,
        command: text::escape(&t.comm()),
        policy: if t.sched_class == SchedClass::Stop { "STOP" } else { name }.to_string(),
        prio: t.prio,
        runs: t.on_cpu,
        fair: fair.then(|| {
            let (v, se) = (cfs.avg_vruntime(tasks), &t.se);
            let eligible = cfs.eligible(tasks)(se.vruntime);
            (se.load_weight, se.vruntime, se.deadline, v - se.vruntime, eligible)
        }),
        dl: t.dl.as_ref().map(|dl| (dl.deadline, dl.runtime)),
    }
}

impl fmt::Display for RqView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "cpu {}: {} running, V {}, load {}",
            self.cpu, self.nr_running, self.avg_vruntime, self.load
        )?;
        let header =
            ["", "PID", "COMMAND", "POLICY", "PRIO", "WEIGHT", "VRUNTIME", "DEADLINE", "LAG", ""];
        let mut t = text::table(&header, &[1, 4, 5, 6, 7, 8]);
        for r in &self.rows {
            let mut cells = vec![
                if r.runs { "*" } else { "" }.to_string(),
                r.pid.to_string(),
                r.command.clone(),
                r.policy.clone(),
                r.prio.to_string(),
            ];
            match (r.fair, r.dl) {
                (Some((weight, vruntime, deadline, lag, eligible)), _) => {
                    cells.extend([weight as i64, vruntime, deadline, lag].map(|n| n.to_string()));
                    cells.push(if eligible { "E" } else { "" }.to_string());
                }
                (_, Some((deadline, left))) => {
                    cells.extend([String::new(), String::new(), deadline.to_string()]);
                    cells.push(String::new());
                    cells.push(format!("{left} ns left"));
                }
                _ => cells.resize(header.len(), String::new()),
            }
            t.add_row(cells);
        }
        text::write_table(f, &t)
    }
}
