//! nsproxies and namespaces.
//!
//! The static initial namespaces are held by the nsproxy of task 0; the
//! initial user and pid namespace have one static reference besides.
//!
//! Linux: kernel/nsproxy.c, kernel/user_namespace.c. Left out: what most
//! namespaces isolate.

use super::Findings;
use super::tally::Tally;
use crate::kernel::fs::FileKind;
use crate::kernel::fs::nsfs::NsRef;
use crate::kernel::nsproxy::NsKind;
use crate::kernel::system::System;

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let mut proxies = Tally::new();
    let mut spaces = Tally::new();
    let mut pid_spaces = Tally::new();
    let mut user_spaces = Tally::new();
    for (_, t) in k.tasks.iter() {
        if let Some(ns) = t.nsproxy {
            proxies.add(&k.nsproxies, ns);
        }
    }
    for (id, n) in k.nsproxies.iter() {
        let me = format_args!("nsproxy {id:?}");
        f.count(me, "count", n.count, proxies.of(id), "tasks whose nsproxy it is");
        let members = [
            (n.uts_ns, NsKind::Uts),
            (n.ipc_ns, NsKind::Ipc),
            (n.mnt_ns, NsKind::Mnt),
            (n.net_ns, NsKind::Net),
            (n.cgroup_ns, NsKind::Cgroup),
            (n.time_ns, NsKind::Time),
            (n.time_ns_for_children, NsKind::Time),
        ];
        for (ns, kind) in members {
            if f.exists(spaces.add(&k.namespaces, ns), me, "namespace", format_args!("{ns:?}")) {
                f.same(me, "kind of a namespace", k.namespaces[ns].kind, kind, "its field");
            }
        }
        let ns = n.pid_ns_for_children;
        let known = pid_spaces.add(&k.pid_namespaces, ns);
        f.exists(known, me, "pid_ns_for_children", format_args!("{ns:?}"));
    }
    for (id, file) in k.filps.iter() {
        let me = format_args!("file {id:?}");
        let known = match file.kind {
            FileKind::Ns(NsRef::Plain(ns)) => spaces.add(&k.namespaces, ns),
            FileKind::Ns(NsRef::Pid(ns)) => pid_spaces.add(&k.pid_namespaces, ns),
            FileKind::Ns(NsRef::User(ns)) => user_spaces.add(&k.user_namespaces, ns),
            _ => continue,
        };
        f.exists(known, me, "namespace", format_args!("{:?}", file.kind));
    }
    for (id, n) in k.namespaces.iter() {
        let me = format_args!("{:?} namespace {id:?}", n.kind);
        f.count(me, "count", n.count, spaces.of(id), "fields of nsproxies and open files");
        let known = user_spaces.add(&k.user_namespaces, n.user_ns);
        f.exists(known, me, "user_ns", format_args!("{:?}", n.user_ns));
    }
    for (id, p) in k.pids.iter() {
        if let Some(own) = p.numbers.last() {
            let known = pid_spaces.add(&k.pid_namespaces, own.ns);
            f.exists(known, format_args!("pid {id:?}"), "namespace", format_args!("{:?}", own.ns));
        }
    }
    for (id, n) in k.pid_namespaces.iter() {
        let me = format_args!("pid namespace {id:?}");
        if let Some(parent) = n.parent {
            let known = pid_spaces.add(&k.pid_namespaces, parent);
            f.exists(known, me, "parent", format_args!("{parent:?}"));
        }
        let known = user_spaces.add(&k.user_namespaces, n.user_ns);
        f.exists(known, me, "user_ns", format_args!("{:?}", n.user_ns));
    }
    for (id, n) in k.pid_namespaces.iter() {
        let fixed = u32::from(id == k.init_pid_ns);
        let holders = "nsproxies, pids made in it, namespaces below it, open files";
        let me = format_args!("pid namespace {id:?}");
        f.count(me, "count", n.count, pid_spaces.of(id) + fixed, holders);
    }
    for (_, c) in k.creds.iter() {
        user_spaces.add(&k.user_namespaces, c.user_ns);
    }
    for (id, n) in k.user_namespaces.iter() {
        if let Some(parent) = n.parent {
            let known = user_spaces.add(&k.user_namespaces, parent);
            let me = format_args!("user namespace {id:?}");
            f.exists(known, me, "parent", format_args!("{parent:?}"));
        }
    }
    for (id, n) in k.user_namespaces.iter() {
        let fixed = u32::from(id == k.init_user_ns);
        let holders = "credentials, namespaces it owns, namespaces below it, open files";
        let me = format_args!("user namespace {id:?}");
        f.count(me, "count", n.count, user_spaces.of(id) + fixed, holders);
    }
}
