//! `diff`: what became different for a task between two systems.
//!
//! Linux: none. Left out: memory contents; a change of a page shows in the
//! counts and in `walk`.

use super::{ps, text};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use serde::Serialize;
use std::fmt;

/// One field that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The field, as a path from the task_struct.
    pub field: &'static str,
    /// Its value before; `-` for none.
    pub before: String,
    /// Its value after.
    pub after: String,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The changes, in the order of the fields.
    pub changes: Vec<Change>,
}

/// Compares a task in two systems. A task that exists in one of them only
/// differs in everything.
pub fn diff(before: &System, after: &System, task: TaskId) -> Diff {
    let (b, a) = (fields(before, task), fields(after, task));
    let changes = FIELDS.iter().enumerate().filter_map(|(i, field)| {
        let value = |v: &Option<Vec<String>>| match v {
            Some(v) => v.get(i).cloned().unwrap_or_default(),
            None => "-".to_string(),
        };
        let (before, after) = (value(&b), value(&a));
        (before != after).then_some(Change { field, before, after })
    });
    Diff { changes: changes.collect() }
}

/// The fields compared, in the order of [`fields`].
const FIELDS: [&str; 37] = [
    "stat",
    "exit_code",
    "usage",
    "real_parent",
    "parent",
    "nr_children",
    "comm",
    "mm",
    "mm->mm_users",
    "mm->mm_count",
    "mm->map_count",
    "mm->total_vm",
    "mm->rss anon",
    "mm->rss file",
    "mm->rss shmem",
    "mm->nr_pgtables",
    "mm->locked_vm",
    "files",
    "files->count",
    "files open",
    "fs",
    "fs->users",
    "sighand",
    "sighand->count",
    "signal->nr_threads",
    "signal->flags",
    "nsproxy",
    "cred",
    "cred->usage",
    "cred->uid euid suid fsuid",
    "pending",
    "blocked",
    "min_flt",
    "nvcsw",
    "nivcsw",
    "prio",
    "wchan",
];

fn fields(sys: &System, task: TaskId) -> Option<Vec<String>> {
    let k = &sys.kernel;
    let t = k.tasks.get(task)?;
    let none = || "-".to_string();
    let id = |i: Option<u32>| i.map_or_else(none, |i| format!("#{i}"));
    let pid = |p| k.tasks.get(p).map_or_else(none, |t| t.pid.to_string());
    let mm = t.mm.and_then(|m| k.mms.get(m));
    let of_mm = |f: &dyn Fn(&crate::kernel::mm::MmStruct) -> String| mm.map_or_else(none, f);
    let files = t.files.and_then(|f| k.files.get(f));
    let fs = t.fs.and_then(|f| k.fs.get(f));
    let sighand = t.sighand.and_then(|s| k.sighands.get(s));
    let signal = t.signal.and_then(|s| k.signals.get(s));
    let cred = k.creds.get(t.cred);
    Some(vec![
        ps::stat(sys, task),
        t.exit_code.to_string(),
        t.usage.to_string(),
        pid(t.real_parent),
        pid(t.parent),
        t.nr_children.to_string(),
        text::escape(&t.comm()),
        id(t.mm.map(|m| m.index())),
        of_mm(&|m| m.mm_users.to_string()),
        of_mm(&|m| m.mm_count.to_string()),
        of_mm(&|m| m.mmap.len().to_string()),
        of_mm(&|m| m.total_vm.to_string()),
        of_mm(&|m| m.rss_stat[1].to_string()),
        of_mm(&|m| m.rss_stat[0].to_string()),
        of_mm(&|m| m.rss_stat[2].to_string()),
        of_mm(&|m| m.nr_pgtables.to_string()),
        of_mm(&|m| m.locked_vm.to_string()),
        id(t.files.map(|f| f.index())),
        files.map_or_else(none, |f| f.count.to_string()),
        files.map_or_else(none, |f| f.fdt.iter().flatten().count().to_string()),
        id(t.fs.map(|f| f.index())),
        fs.map_or_else(none, |f| f.users.to_string()),
        id(t.sighand.map(|s| s.index())),
        sighand.map_or_else(none, |s| s.count.to_string()),
        signal.map_or_else(none, |s| s.nr_threads.to_string()),
        signal.map_or_else(none, |s| {
            s.flags.iter_names().map(|(n, _)| n).collect::<Vec<_>>().join("|")
        }),
        id(t.nsproxy.map(|n| n.index())),
        id(Some(t.cred.index())),
        cred.map_or_else(none, |c| c.usage.to_string()),
        cred.map_or_else(none, |c| format!("{} {} {} {}", c.uid, c.euid, c.suid, c.fsuid)),
        t.pending.signal.to_string(),
        t.blocked.to_string(),
        t.min_flt.to_string(),
        t.nvcsw.to_string(),
        t.nivcsw.to_string(),
        t.prio.to_string(),
        ps::wchan(sys, task).to_string(),
    ])
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return f.write_str("nothing changed");
        }
        let lines =
            self.changes.iter().map(|c| format!("{:26}{} -> {}", c.field, c.before, c.after));
        text::write_lines(f, lines)
    }
}
