//! Pids, credentials and namespaces.
//!
//! Left out: reference counts, and how many processes a user has; see `state`.

use super::{Canon, Object, lives_in};
use crate::kernel::cgroup::{Cgroup, Pids};
use crate::kernel::cred::Cred;
use crate::kernel::nsproxy::{Namespace, Nsproxy, UserNamespace};
use crate::kernel::pid::{Pid, Upid};
use crate::kernel::pid_namespace::PidNamespace;

impl Object for Pid {
    lives_in!(pids);

    fn describe(&self, c: &mut Canon<'_>) {
        let Pid { count: _, numbers, tasks, hashed, wait_pidfd } = self;
        for Upid { nr, ns } in numbers {
            c.put(nr);
            c.id(*ns);
        }
        for list in tasks {
            c.opt(list.first);
        }
        c.put(hashed);
        c.queue(wait_pidfd);
    }
}

impl Object for PidNamespace {
    lives_in!(pid_namespaces);

    fn describe(&self, c: &mut Canon<'_>) {
        let PidNamespace {
            level,
            parent,
            user_ns,
            child_reaper,
            idr,
            idr_next,
            adding,
            pid_max,
            inum,
            // Counts of what `idr` holds.
            count: _,
            chunk_used: _,
            pid_allocated: _,
        } = self;
        c.put((level, idr_next, adding, pid_max, inum));
        c.opt(*parent);
        c.id(*user_ns);
        c.opt(*child_reaper);
        for number in 0..idr.len() {
            if let Some(Some(pid)) = idr.get(number) {
                c.put(number);
                c.id(*pid);
            }
        }
    }
}

impl Object for Cgroup {
    lives_in!(cgroups);

    fn describe(&self, c: &mut Canon<'_>) {
        let Cgroup { count: _, parent, path, nr_children, nr_tasks, dead, subtree_pids, pids } =
            self;
        c.opt(*parent);
        c.put((path, nr_children, nr_tasks, dead, subtree_pids));
        c.put(pids.map(|Pids { counter, limit, watermark, events_max }| {
            (counter, limit, watermark, events_max)
        }));
    }
}

impl Object for Nsproxy {
    lives_in!(nsproxies);

    fn describe(&self, c: &mut Canon<'_>) {
        let Nsproxy {
            count: _,
            uts_ns,
            ipc_ns,
            mnt_ns,
            net_ns,
            cgroup_ns,
            time_ns,
            time_ns_for_children,
            pid_ns_for_children,
        } = self;
        for ns in [uts_ns, ipc_ns, mnt_ns, net_ns, cgroup_ns, time_ns, time_ns_for_children] {
            c.id(*ns);
        }
        c.id(*pid_ns_for_children);
    }
}

impl Object for Namespace {
    lives_in!(namespaces);

    fn describe(&self, c: &mut Canon<'_>) {
        let Namespace { kind, count: _, user_ns, inum, uts } = self;
        c.put((kind, inum, uts));
        c.id(*user_ns);
    }
}

impl Object for UserNamespace {
    lives_in!(user_namespaces);

    fn describe(&self, c: &mut Canon<'_>) {
        let UserNamespace {
            count: _,
            level,
            parent,
            owner,
            group,
            uid_map,
            gid_map,
            setgroups_allowed,
            parent_could_setfcap,
            inum,
        } = self;
        c.put((level, owner, group, inum, setgroups_allowed, parent_could_setfcap));
        c.opt(*parent);
        c.put((uid_map, gid_map));
    }
}

impl Object for Cred {
    lives_in!(creds);

    fn describe(&self, c: &mut Canon<'_>) {
        let Cred {
            usage: _,
            uid,
            gid,
            suid,
            sgid,
            euid,
            egid,
            fsuid,
            fsgid,
            securebits,
            cap_inheritable,
            cap_permitted,
            cap_effective,
            cap_bset,
            cap_ambient,
            user: _,
            user_ns,
            group_info,
        } = self;
        c.put((uid, gid, suid, sgid, euid, egid, fsuid, fsgid, securebits));
        c.put((cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient));
        c.put(&**group_info);
        c.id(*user_ns);
    }
}
