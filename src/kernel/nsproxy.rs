//! Namespaces a task lives in, and how clone and unshare copy them.
//!
//! Linux: include/linux/nsproxy.h, kernel/nsproxy.c (copy_namespaces,
//! create_new_namespaces), kernel/user_namespace.c.
//! Left out: what the mnt, uts, ipc, net, cgroup and time namespaces isolate;
//! they are identities with counts.

use crate::base::Id;
use crate::kernel::pid::PidNsId;

/// Names an nsproxy.
pub type NsproxyId = Id<Nsproxy>;
/// Names a namespace without content of its own.
pub type NsId = Id<Namespace>;
/// Names a user namespace.
pub type UserNsId = Id<UserNamespace>;

/// The kinds of namespace that are identities only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Inode number in /proc/PID/ns.
    pub inum: u32,
}
