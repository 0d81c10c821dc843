//! Namespaces a task lives in, and how clone and unshare copy them.
//!
//! Linux: include/linux/nsproxy.h, kernel/nsproxy.c (copy_namespaces,
//! create_new_namespaces), kernel/user_namespace.c.
//! Left out: what the mnt, ipc, net, cgroup and time namespaces isolate;
//! they are identities with counts.

use crate::abi::{Cap, CloneFlags, Errno};
use crate::base::Id;
use crate::kernel::capability::cap_capable;
use crate::kernel::cred::CredId;
use crate::kernel::cred::user_ns::put_user_ns;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::inject::should_fail;
use crate::kernel::pid;
use crate::kernel::pid_namespace::{MAX_PID_NS_LEVEL, PID_MAX_LIMIT, PidNamespace, PidNsId};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::utsname::UtsName;

/// Names an nsproxy.
pub type NsproxyId = Id<Nsproxy>;
/// Names a namespace that is little more than an identity.
pub type NsId = Id<Namespace>;
/// Names a user namespace.
pub type UserNsId = Id<UserNamespace>;

/// The kinds of namespace that are identities; a uts namespace has names too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NsKind {
    /// Host and domain name.
    Uts,
    /// System V IPC and message queues.
    Ipc,
    /// Mounts.
    Mnt,
    /// Network.
    Net,
    /// Cgroup root.
    Cgroup,
    /// Clock offsets.
    Time,
}

/// A namespace that is an identity with a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Which kind.
    pub kind: NsKind,
    /// References from nsproxies.
    pub count: u32,
    /// Owner.
    pub user_ns: UserNsId,
    /// Inode number in /proc/PID/ns.
    pub inum: u32,
    /// Of a uts namespace: its names.
    pub uts: Option<Box<UtsName>>,
}

/// `struct nsproxy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nsproxy {
    /// Tasks that share it.
    pub count: u32,
    /// UTS.
    pub uts_ns: NsId,
    /// IPC.
    pub ipc_ns: NsId,
    /// Mounts.
    pub mnt_ns: NsId,
    /// Network.
    pub net_ns: NsId,
    /// Cgroup.
    pub cgroup_ns: NsId,
    /// Time.
    pub time_ns: NsId,
    /// Time namespace of children.
    pub time_ns_for_children: NsId,
    /// Pid namespace of children; the task's own is that of its pid.
    pub pid_ns_for_children: PidNsId,
}

/// One line of a uid_map or gid_map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UidExtent {
    /// First id inside.
    pub first: u32,
    /// First id in the parent.
    pub lower_first: u32,
    /// Number of ids.
    pub count: u32,
}

/// `struct user_namespace`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserNamespace {
    /// References: creds, other namespaces, child user namespaces.
    pub count: u32,
    /// Nesting depth.
    pub level: u32,
    /// The enclosing one.
    pub parent: Option<UserNsId>,
    /// Creator's euid, in the initial namespace.
    pub owner: u32,
    /// Creator's egid.
    pub group: u32,
    /// uid_map; empty until written.
    pub uid_map: Vec<UidExtent>,
    /// gid_map.
    pub gid_map: Vec<UidExtent>,
    /// USERNS_SETGROUPS_ALLOWED: /proc/PID/setgroups says "allow".
    pub setgroups_allowed: bool,
    /// Its maker had CAP_SETFCAP then.
    pub parent_could_setfcap: bool,
    /// Inode number in /proc/PID/ns.
    pub inum: u32,
}

/// Flags of clone(2) that make namespaces other than a user namespace.
pub(super) const NEW_NAMESPACES: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWPID)
    .union(CloneFlags::CLONE_NEWNET)
    .union(CloneFlags::CLONE_NEWCGROUP)
    .union(CloneFlags::CLONE_NEWTIME);

/// What a clone child gets: its creator's nsproxy with one more user, or a
/// new one. `user_ns` is that of the child's credentials.
///
/// Errors: EPERM, EINVAL (NEWIPC with SYSVSEM; NEWPID while a change is
/// pending), ENOSPC (too deep). Source: kernel/nsproxy.c `copy_namespaces`.
pub fn copy_namespaces(
    sys: &mut System,
    flags: CloneFlags,
    current: TaskId,
    child_cred: CredId,
) -> Result<NsproxyId, SysError> {
    should_fail(sys, "copy_namespaces")?;
    let old = sys.task(current).nsproxy.expect("a running task has namespaces");
    if !flags.intersects(NEW_NAMESPACES) {
        let o = &mut sys.kernel.nsproxies[old];
        if flags.contains(CloneFlags::CLONE_VM) || o.time_ns == o.time_ns_for_children {
            o.count += 1;
            return Ok(old);
        }
    } else {
        let user_ns = sys.kernel.creds[child_cred].user_ns;
        if !cap_capable(sys, &sys.kernel.creds[child_cred], user_ns, Cap::CAP_SYS_ADMIN) {
            return refuse(
                Errno::EPERM,
                "copy_namespaces",
                "a new namespace needs CAP_SYS_ADMIN in the user namespace of the child",
            );
        }
    }
    if flags.contains(CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_SYSVSEM) {
        return refuse(
            Errno::EINVAL,
            "copy_namespaces",
            "CLONE_NEWIPC with CLONE_SYSVSEM: semaphore undo lists cannot be shared across IPC namespaces",
        );
    }
    let user_ns = sys.kernel.creds[child_cred].user_ns;
    let new = create_new_namespaces(sys, flags, current, old, user_ns)?;
    if !flags.contains(CloneFlags::CLONE_VM) {
        timens_on_fork(sys, new);
    }
    Ok(new)
}

/// A child with its own mm enters the time namespace set aside for children.
fn timens_on_fork(sys: &mut System, nsp: NsproxyId) {
    let n = &sys.kernel.nsproxies[nsp];
    let (old, new) = (n.time_ns, n.time_ns_for_children);
    if old != new {
        sys.kernel.namespaces[new].count += 1;
        sys.kernel.nsproxies[nsp].time_ns = new;
        put_ns(sys, old);
    }
}

/// A copy of `old` in which the kinds that `flags` name are new and owned by
/// `user_ns`.
///
/// Errors: EINVAL, ENOSPC, of a pid namespace.
pub(super) fn create_new_namespaces(
    sys: &mut System,
    flags: CloneFlags,
    current: TaskId,
    old: NsproxyId,
    user_ns: UserNsId,
) -> Result<NsproxyId, SysError> {
    let o = sys.kernel.nsproxies[old].clone();
    // The only step that can fail comes first, so nothing needs undoing.
    let pid_ns_for_children = copy_pid_ns(sys, flags, user_ns, current, o.pid_ns_for_children)?;
    sys.kernel.namespaces[o.time_ns].count += 1;
    let mut copy = |flag, id| copy_ns(sys, flags.contains(flag), id, user_ns);
    let new = Nsproxy {
        count: 1,
        mnt_ns: copy(CloneFlags::CLONE_NEWNS, o.mnt_ns),
        uts_ns: copy(CloneFlags::CLONE_NEWUTS, o.uts_ns),
        ipc_ns: copy(CloneFlags::CLONE_NEWIPC, o.ipc_ns),
        cgroup_ns: copy(CloneFlags::CLONE_NEWCGROUP, o.cgroup_ns),
        net_ns: copy(CloneFlags::CLONE_NEWNET, o.net_ns),
        time_ns: o.time_ns,
        time_ns_for_children: copy(CloneFlags::CLONE_NEWTIME, o.time_ns_for_children),
        pid_ns_for_children,
    };
    Ok(sys.kernel.nsproxies.insert(new))
}

fn copy_ns(sys: &mut System, fresh: bool, old: NsId, user_ns: UserNsId) -> NsId {
    if !fresh {
        sys.kernel.namespaces[old].count += 1;
        return old;
    }
    let (kind, uts) = (sys.kernel.namespaces[old].kind, sys.kernel.namespaces[old].uts.clone());
    let inum = next_inum(sys);
    sys.kernel.user_namespaces[user_ns].count += 1;
    sys.kernel.namespaces.insert(Namespace { kind, count: 1, user_ns, inum, uts })
}

fn copy_pid_ns(
    sys: &mut System,
    flags: CloneFlags,
    user_ns: UserNsId,
    current: TaskId,
    old: PidNsId,
) -> Result<PidNsId, SysError> {
    if !flags.contains(CloneFlags::CLONE_NEWPID) {
        sys.kernel.pid_namespaces[old].count += 1;
        return Ok(old);
    }
    if pid::task_active_pid_ns(sys, current) != old {
        return refuse(
            Errno::EINVAL,
            "copy_pid_ns",
            "CLONE_NEWPID while children already go to another pid namespace",
        );
    }
    let level = sys.kernel.pid_namespaces[old].level + 1;
    if level > MAX_PID_NS_LEVEL {
        return refuse(
            Errno::ENOSPC,
            "create_pid_namespace",
            "pid namespaces nest 32 deep at most",
        );
    }
    let inum = next_inum(sys);
    sys.kernel.user_namespaces[user_ns].count += 1;
    sys.kernel.pid_namespaces[old].count += 1;
    Ok(sys.kernel.pid_namespaces.insert(PidNamespace::new(
        level,
        Some(old),
        user_ns,
        PID_MAX_LIMIT,
        inum,
    )))
}

/// The next inode number of a namespace.
pub fn next_inum(sys: &mut System) -> u32 {
    let inum = sys.kernel.next_ns_inum;
    sys.kernel.next_ns_inum += 1;
    inum
}

/// Drops a reference to a namespace.
pub fn put_ns(sys: &mut System, ns: NsId) {
    let n = &mut sys.kernel.namespaces[ns];
    n.count -= 1;
    if n.count == 0 {
        let user_ns = n.user_ns;
        sys.kernel.namespaces.remove(ns);
        put_user_ns(sys, user_ns);
    }
}

/// Drops a reference to a pid namespace; its parent goes with it.
pub fn put_pid_ns(sys: &mut System, ns: PidNsId) {
    let mut at = Some(ns);
    while let Some(id) = at.take() {
        let n = &mut sys.kernel.pid_namespaces[id];
        n.count -= 1;
        if n.count == 0 {
            let (parent, user_ns) = (n.parent, n.user_ns);
            sys.kernel.pid_namespaces.remove(id);
            put_user_ns(sys, user_ns);
            at = parent;
        }
    }
}

/// Puts another nsproxy in place of the task's (`switch_task_namespaces`).
pub(super) fn switch_task_namespaces(sys: &mut System, task: TaskId, new: NsproxyId) {
    if let Some(old) = sys.task_mut(task).nsproxy.replace(new) {
        put_nsproxy(sys, old);
    }
}

/// Drops a task's reference to its nsproxy.
pub fn put_nsproxy(sys: &mut System, id: NsproxyId) {
    let n = &mut sys.kernel.nsproxies[id];
    n.count -= 1;
    if n.count > 0 {
        return;
    }
    let Some(n) = sys.kernel.nsproxies.remove(id) else { return };
    for ns in
        [n.mnt_ns, n.uts_ns, n.ipc_ns, n.time_ns, n.time_ns_for_children, n.cgroup_ns, n.net_ns]
    {
        put_ns(sys, ns);
    }
    put_pid_ns(sys, n.pid_ns_for_children);
}
