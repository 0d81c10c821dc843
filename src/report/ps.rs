//! `ps`: one row a process, or one a thread.
//!
//! ```text
//! STAT  R running   S sleeping   D sleeping, not for signals   T t stopped
//!       Z zombie    X dead       I idle kernel thread          P parked
//!       < raised priority   N lowered   L locked pages
//!       s session leader    l multi-threaded    + foreground group
//! ```
//! Terminals have a column when a process has one.
//!
//! Linux: ps(1) over /proc/PID/stat and wchan; fs/proc/array.c.
//! Left out: CPU times.

use super::text;
pub use crate::kernel::fs::proc::wchan::wchan;
use crate::kernel::list;
use crate::kernel::pid::{PidType, task_pid_nr_ns, task_pid_ptr};
use crate::kernel::signal::threads;
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskList, TaskStruct};
use crate::kernel::tty::TtyStruct;
use serde::Serialize;
use std::fmt;

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PsRow {
    /// Thread id in the initial pid namespace.
    pub pid: i32,
    /// Thread group id.
    pub tgid: i32,
    /// Thread group id of its real parent.
    pub ppid: i32,
    /// State letter and flags.
    pub stat: String,
    /// Effective uid.
    pub uid: u32,
    /// Its controlling terminal below /dev.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// The kernel function it sleeps in, or `-`.
    pub wchan: &'static str,
    /// Its name; kernel threads in brackets, zombies marked.
    pub command: String,
}

/// The table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ps {
    /// The rows by pid.
    pub rows: Vec<PsRow>,
}

/// All processes, as `ps -e` shows them. The idle tasks are none.
pub fn ps(sys: &System) -> Ps {
    table_of(sys, leaders(sys).collect())
}

/// All threads, as `ps -eL` shows them.
pub fn ps_threads(sys: &System) -> Ps {
    table_of(sys, leaders(sys).flat_map(|l| threads(sys, l)).collect())
}

/// `for_each_process`: thread group leaders after init_task.
pub(super) fn leaders(sys: &System) -> impl Iterator<Item = TaskId> + '_ {
    let init_task = sys.kernel.init_task;
    list::iter(&sys.kernel.tasks, sys.kernel.task_list, TaskList::Tasks)
        .filter(move |t| *t != init_task)
}

fn table_of(sys: &System, tasks: Vec<TaskId>) -> Ps {
    let mut rows: Vec<_> = tasks.into_iter().map(|t| row(sys, t)).collect();
    rows.sort_by_key(|r| r.pid);
    Ps { rows }
}

fn row(sys: &System, task: TaskId) -> PsRow {
    let t = sys.task(task);
    PsRow {
        pid: t.pid,
        tgid: t.tgid,
        ppid: ppid(sys, t),
        stat: stat(sys, task),
        uid: sys.kernel.creds.get(t.real_cred).map_or(0, |c| c.euid),
        tty: tty(sys, t).map(|tty| tty.name()),
        wchan: wchan(sys, task),
        command: command(t),
    }
}

pub(super) use crate::kernel::fs::proc::array::task_ppid as ppid;

fn tty<'s>(sys: &'s System, t: &TaskStruct) -> Option<&'s TtyStruct> {
    sys.kernel.ttys.get(sys.kernel.signals.get(t.signal?)?.tty?)
}

fn command(t: &TaskStruct) -> String {
    let comm = text::escape(&t.comm());
    match t.state_char() {
        'Z' => format!("{comm} <defunct>"),
        _ if t.flags.contains(PF::KTHREAD) => format!("[{comm}]"),
        _ => comm,
    }
}

/// State letter and flags, as ps prints them under STAT.
pub fn stat(sys: &System, task: TaskId) -> String {
    let t = sys.task(task);
    let mut s = String::from(t.state_char());
    match t.static_prio - 120 {
        nice if nice < 0 => s.push('<'),
        nice if nice > 0 => s.push('N'),
        _ => {}
    }
    if t.mm.and_then(|mm| sys.kernel.mms.get(mm)).is_some_and(|mm| mm.locked_vm > 0) {
        s.push('L');
    }
    if t.pid != 0 && task_pid_nr_ns(sys, task, PidType::Sid, None) == t.tgid {
        s.push('s');
    }
    if t.signal.and_then(|s| sys.kernel.signals.get(s)).is_some_and(|s| s.nr_threads > 1) {
        s.push('l');
    }
    let pgrp = task_pid_ptr(sys, task, PidType::Pgid);
    if pgrp.is_some() && tty(sys, t).is_some_and(|tty| tty.pgrp == pgrp) {
        s.push('+');
    }
    s
}

impl fmt::Display for Ps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut header = vec!["PID", "TGID", "PPID", "STAT", "UID", "WCHAN", "COMMAND"];
        let ttys = self.rows.iter().any(|r| r.tty.is_some());
        if ttys {
            header.insert(3, "TTY");
        }
        let mut t = text::table(&header, &[0, 1, 2, if ttys { 5 } else { 4 }]);
        for r in &self.rows {
            let mut row = vec![
                r.pid.to_string(),
                r.tgid.to_string(),
                r.ppid.to_string(),
                r.stat.clone(),
                r.uid.to_string(),
                r.wchan.to_string(),
                r.command.clone(),
            ];
            if ttys {
                row.insert(3, r.tty.clone().unwrap_or_else(|| "?".into()));
            }
            t.add_row(row);
        }
        text::write_table(f, &t)
    }
}
