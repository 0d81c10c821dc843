//! Pids: their references, the lists of tasks that use them in each role, and
//! the tables of the pid namespaces.
//!
//! Linux: kernel/pid.c. Left out: pidfs.

use super::lists::walk;
use super::tally::Tally;
use super::{Findings, Named};
use crate::kernel::fs::FileKind;
use crate::kernel::pid::{PidType, task_pid_ptr};
use crate::kernel::pid_namespace::IDR_CHUNK;
use crate::kernel::system::System;

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let mut pidfds = Tally::new();
    for (id, file) in k.filps.iter() {
        if let FileKind::Pidfd(pid) | FileKind::Proc(_, Some(pid)) = file.kind {
            let known = pidfds.add(&k.pids, pid);
            f.exists(known, format_args!("file {id:?}"), "pid", format_args!("{pid:?}"));
        }
    }
    for (id, tty) in k.ttys.iter() {
        for pid in [tty.session, tty.pgrp].into_iter().flatten() {
            let known = pidfds.add(&k.pids, pid);
            f.exists(known, format_args!("tty {id:?}"), "session, pgrp", format_args!("{pid:?}"));
        }
    }
    for (id, s) in k.signals.iter() {
        if let Some(pid) = s.tty_old_pgrp {
            let known = pidfds.add(&k.pids, pid);
            let me = format_args!("signal_struct {id:?}");
            f.exists(known, me, "tty_old_pgrp", format_args!("{pid:?}"));
        }
    }
    for (id, t) in k.tasks.iter() {
        // Roles that a leader has come with its signal_struct.
        let roles = if t.group_leader == id { &PidType::ALL[..] } else { &PidType::ALL[..1] };
        for &role in roles.iter().filter(|_| t.thread_pid.is_some()) {
            let me = format_args!("{}", Named(id, t));
            let Some(pid) = task_pid_ptr(sys, id, role) else {
                // The first tasks are in a group and session that swapper leads.
                let unhashed = format_args!("none for {role:?}");
                f.rule(role > PidType::Tgid, me, "pid", unhashed, "one in this role");
                continue;
            };
            let Some(p) = k.pids.get(pid) else {
                f.exists(false, me, "pid", format_args!("{pid:?}"));
                continue;
            };
            let link = t.links[role.list() as usize];
            let listed = link.prev.is_some() || p.tasks[role as usize].first == Some(id);
            f.rule(listed, me, "pid_links", format_args!("unlinked as {role:?}"), "in its pid");
        }
    }
    for (id, p) in k.pids.iter() {
        let me = format_args!("pid {id:?} ({:?})", p.numbers.last().map(|u| u.nr));
        let hashed = u32::from(p.hashed);
        f.count(me, "count", p.count, hashed + pidfds.of(id), "being hashed, pidfds, terminals");
        let mut used = false;
        for role in PidType::ALL {
            for t in walk(sys, p.tasks[role as usize], role.list(), "pid_links", f) {
                used = true;
                let theirs = task_pid_ptr(sys, t, role);
                f.same(me, "member's pid in this role", theirs, Some(id), "this one");
            }
        }
        f.same(me, "hashed", p.hashed, used, "numbers are taken while any task uses them");
        for (level, upid) in p.numbers.iter().enumerate() {
            let Some(ns) = k.pid_namespaces.get(upid.ns) else {
                f.exists(false, me, "numbers", format_args!("{:?}", upid.ns));
                continue;
            };
            f.same(me, "level of a number", ns.level as usize, level, "outermost first");
            if p.hashed {
                f.same(me, "entry in the table", ns.find(upid.nr), Some(id), "it is hashed");
            }
        }
    }
    tables(sys, f);
}

fn tables(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    for (id, ns) in k.pid_namespaces.iter() {
        let me = format_args!("pid namespace {id:?} (level {})", ns.level);
        let mut used = vec![0u16; ns.idr.len().div_ceil(IDR_CHUNK)];
        for (nr, slot) in ns.idr.iter().enumerate() {
            let Some(pid) = slot else { continue };
            used[nr / IDR_CHUNK] += 1;
            let Some(p) = k.pids.get(*pid) else {
                f.exists(false, me, "idr", format_args!("{pid:?} as number {nr}"));
                continue;
            };
            let named = p.numbers.iter().any(|u| u.ns == id && u.nr as usize == nr);
            f.rule(
                named,
                me,
                "idr",
                format_args!("{pid:?} as number {nr}"),
                "a pid of that number",
            );
        }
        let total: i64 = used.iter().map(|n| i64::from(*n)).sum();
        f.count(me, "pid_allocated", ns.pid_allocated, total, "entries of its table");
        for (i, &n) in used.iter().enumerate() {
            let stored = ns.chunk_used.get(i).copied().unwrap_or(0);
            f.count(me, "chunk_used", stored, n, "entries of the chunk");
        }
        if ns.adding && ns.pid_allocated > 0 && ns.level > 0 {
            let reaper = ns.child_reaper.is_some_and(|t| k.tasks.contains(t));
            f.rule(reaper, me, "child_reaper", format_args!("{:?}", ns.child_reaper), "its init");
        }
    }
}
