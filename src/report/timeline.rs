//! `timeline`: who ran when, and who waited, while the scheduler chose.
//!
//! ```text
//!  # runs (with several processors: the processor's number)
//!  . could run, and waits       blank: sleeps, or has nothing to do
//! ```
//!
//! A column is a stretch of time; it shows what the task did for most of it.
//!
//! Linux: trace-cmd and kernelshark over sched_switch and sched_wakeup;
//! perf sched timehist.
//! Left out: director style, where time passes only in what a script does.

use super::text;
use crate::kernel::sched::record::Doing;
use crate::kernel::system::System;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Columns of a picture.
const WIDTH: u64 = 60;
/// Lengths of a column, in µs, of which the least that fits is taken.
const STEPS_US: [u64; 3] = [1, 2, 5];

/// A stretch of time of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// Begin, ns since power-on.
    pub from: u64,
    /// End, ns.
    pub to: u64,
    /// The processor.
    pub cpu: u32,
    /// Whether it ran; else it waited.
    pub runs: bool,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimelineRow {
    /// Its pid.
    pub pid: i32,
    /// Its name, as it is now; empty for one that is gone.
    pub command: String,
    /// ns for which it ran.
    pub ran: u64,
    /// ns for which it could run and did not.
    pub waited: u64,
    /// Times it was given the processor.
    pub times: u64,
    /// When it ran and waited.
    pub stretches: Vec<Stretch>,
}

/// The picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// Begin, ns since power-on.
    pub from: u64,
    /// End, ns.
    pub to: u64,
    /// Processors.
    pub cpus: u32,
    /// Those who ran or waited, by pid.
    pub rows: Vec<TimelineRow>,
}

/// What the scheduler did in the last run.
pub fn timeline(sys: &System) -> Timeline {
    let (from, to) = sys.kernel.sched.record.runs.last().copied().unwrap_or_default();
    timeline_between(sys, from, to)
}

/// What it did between two times.
pub fn timeline_between(sys: &System, from: u64, to: u64) -> Timeline {
    let mut rows: BTreeMap<i32, TimelineRow> = BTreeMap::new();
    let mut state: BTreeMap<i32, (u64, u32, Doing)> = BTreeMap::new();
    let mut close = |pid: i32, (since, cpu, doing): (u64, u32, Doing), at: u64| {
        let (begin, end) = (since.max(from), at.min(to));
        if begin >= end || doing == Doing::Sleeps {
            return;
        }
        let row = rows.entry(pid).or_insert_with(|| TimelineRow {
            pid,
            command: name(sys, pid),
            ran: 0,
            waited: 0,
            times: 0,
            stretches: Vec::new(),
        });
        let runs = doing == Doing::Runs;
        match runs {
            true => row.ran += end - begin,
            false => row.waited += end - begin,
        }
        match row.stretches.last_mut() {
            Some(s) if s.to == begin && s.cpu == cpu && s.runs == runs => s.to = end,
            _ => {
                row.times += u64::from(runs);
                row.stretches.push(Stretch { from: begin, to: end, cpu, runs });
            }
        }
    };
    let record = &sys.kernel.sched.record;
    let mut runs = record.runs.iter().peekable();
    for p in record.points.iter().filter(|p| p.pid != 0) {
        // Between two runs nobody runs.
        while let Some((_, end)) = runs.next_if(|(_, end)| *end <= p.at) {
            for (pid, was) in std::mem::take(&mut state) {
                close(pid, was, *end);
            }
        }
        if let Some(was) = state.insert(p.pid, (p.at, p.cpu, p.doing)) {
            close(p.pid, was, p.at);
        }
    }
    let end = record.runs.last().map_or(0, |(_, end)| *end);
    for (pid, was) in state {
        close(pid, was, end);
    }
    let cpus = sys.kernel.per_cpu.len() as u32;
    Timeline { from, to, cpus, rows: rows.into_values().collect() }
}

fn name(sys: &System, pid: i32) -> String {
    let found = sys.kernel.tasks.iter().find(|(_, t)| t.pid == pid);
    found.map_or_else(String::new, |(_, t)| text::escape(&t.comm()))
}

impl Timeline {
    /// Length of a column: 1, 2 or 5 times a power of ten µs.
    fn step(&self) -> u64 {
        let length = (self.to - self.from).max(1);
        let powers = (0..12).map(|n| 10u64.pow(n));
        let steps = powers.flat_map(|p| STEPS_US.map(|s| s * p * 1_000));
        steps.into_iter().find(|s| length.div_ceil(*s) <= WIDTH).unwrap_or(length)
    }

    /// What a task did for most of a stretch of time.
    fn cell(&self, row: &TimelineRow, from: u64, to: u64) -> char {
        let mut did: BTreeMap<(bool, u32), u64> = BTreeMap::new();
        let mut rest = to - from;
        let first = row.stretches.partition_point(|s| s.to <= from);
        for s in row.stretches[first..].iter().take_while(|s| s.from < to) {
            let shared = s.to.min(to) - s.from.max(from);
            *did.entry((s.runs, s.cpu)).or_default() += shared;
            rest -= shared;
        }
        let most = did.into_iter().max_by_key(|(what, ns)| (*ns, what.0));
        match most {
            Some(((runs, cpu), ns)) if ns >= rest => match (runs, self.cpus) {
                (false, _) => '.',
                (true, 1) => '#',
                (true, _) => char::from_digit(cpu % 36, 36).unwrap_or('#'),
            },
            _ => ' ',
        }
    }
}

fn ms(ns: u64) -> String {
    format!("{}.{:03}", ns / 1_000_000, ns / 1_000 % 1_000)
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step();
        let columns = (self.to - self.from).div_ceil(step);
        let wide = |of: fn(&TimelineRow) -> String, title: &str| {
            self.rows.iter().map(|r| of(r).chars().count()).max().unwrap_or(0).max(title.len())
        };
        let pid = wide(|r| r.pid.to_string(), "PID");
        let command = wide(|r| r.command.clone(), "COMMAND");
        let ran = wide(|r| ms(r.ran), "RAN ms");
        let mut axis = String::new();
        for column in (0..columns).step_by(10) {
            let label = ms(column * step);
            let label = label.trim_end_matches('0').trim_end_matches('.');
            axis.push_str(&format!("|{label:<9}"));
        }
        let mut lines = vec![format!(
            "from {} ms for {} ms, a column is {} ms",
            ms(self.from),
            ms(self.to - self.from),
            ms(step)
        )];
        lines.push(format!(
            "{:>pid$}  {:<command$}  {:>ran$}  {}",
            "PID", "COMMAND", "RAN ms", axis
        ));
        for r in &self.rows {
            let cells: String = (0..columns)
                .map(|c| {
                    let from = self.from + c * step;
                    self.cell(r, from, (from + step).min(self.to))
                })
                .collect();
            lines.push(format!(
                "{:>pid$}  {:<command$}  {:>ran$}  {cells}",
                r.pid,
                r.command,
                ms(r.ran)
            ));
        }
        text::write_lines(f, lines.iter().map(|l| l.trim_end()))
    }
}
