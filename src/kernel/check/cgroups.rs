//! Control groups: who is in them.
//!
//! Linux: kernel/cgroup/cgroup.c, kernel/cgroup/pids.c. Left out: nothing.

use super::Findings;
use super::tally::Tally;
use crate::kernel::cgroup::{has_left, is_below};
use crate::kernel::fs::FileKind;
use crate::kernel::system::System;

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let (mut holders, mut alive, mut children) = (Tally::new(), Tally::new(), Tally::new());
    // The idle tasks are in the root group, but nobody counts them.
    let members = || k.tasks.iter().filter(|(_, t)| t.thread_pid.is_some());
    for (id, t) in members() {
        let known = holders.add(&k.cgroups, t.cgroup);
        f.exists(known, format_args!("task {id:?}"), "cgroup", format_args!("{:?}", t.cgroup));
        if !has_left(t) {
            alive.add(&k.cgroups, t.cgroup);
        }
    }
    for (id, file) in k.filps.iter() {
        if let FileKind::Cgroup(_, group) = file.kind {
            let known = holders.add(&k.cgroups, group);
            f.exists(known, format_args!("file {id:?}"), "cgroup", format_args!("{group:?}"));
        }
    }
    for (id, c) in k.cgroups.iter() {
        if !c.dead {
            holders.add(&k.cgroups, id);
        }
        if let Some(parent) = c.parent {
            holders.add(&k.cgroups, parent);
            if !c.dead {
                children.add(&k.cgroups, parent);
            }
        }
    }
    for (id, c) in k.cgroups.iter() {
        let me = format_args!("cgroup {}", c.path);
        f.count(me, "count", c.count, holders.of(id), "tasks, files and groups below");
        f.count(me, "nr_tasks", c.nr_tasks, alive.of(id), "tasks that live in it");
        f.count(me, "nr_children", c.nr_children, children.of(id), "groups below with directories");
        if let Some(pids) = c.pids {
            let inside = members().filter(|(_, t)| is_below(sys, t.cgroup, id)).count() as u64;
            f.same(me, "pids.current", pids.counter, inside, "tasks in it and below");
        }
    }
}
