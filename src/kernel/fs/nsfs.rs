//! Namespaces as files: what opening /proc/PID/ns/NAME gives. An open one keeps
//! its namespace, though no task may live in it any more.
//!
//! Linux: fs/nsfs.c (ns_get_path, ns_get_name), include/linux/proc_ns.h.
//! Left out: ioctl, file handles, mounting them somewhere.

use super::proc::NsEntry;
use crate::abi::{CloneFlags, Errno};
use crate::kernel::cred::user_ns::{get_user_ns, put_user_ns};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::nsproxy::{NsId, NsKind, UserNsId, put_ns, put_pid_ns};
use crate::kernel::pid::task_active_pid_ns;
use crate::kernel::pid_namespace::PidNsId;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// A namespace of any kind (`struct ns_common`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NsRef {
    /// One that is an identity only.
    Plain(NsId),
    /// A pid namespace.
    Pid(PidNsId),
    /// A user namespace.
    User(UserNsId),
}

/// Takes a reference.
pub fn get_ns_ref(sys: &mut System, ns: NsRef) {
    match ns {
        NsRef::Plain(id) => sys.kernel.namespaces[id].count += 1,
        NsRef::Pid(id) => sys.kernel.pid_namespaces[id].count += 1,
        NsRef::User(id) => get_user_ns(sys, id),
    }
}

/// Drops one.
pub fn put_ns_ref(sys: &mut System, ns: NsRef) {
    match ns {
        NsRef::Plain(id) => put_ns(sys, id),
        NsRef::Pid(id) => put_pid_ns(sys, id),
        NsRef::User(id) => put_user_ns(sys, id),
    }
}

/// The flag of clone(2) that makes such a one (`ns->ns_type`).
pub fn ns_type(sys: &System, ns: NsRef) -> CloneFlags {
    match ns {
        NsRef::Pid(_) => CloneFlags::CLONE_NEWPID,
        NsRef::User(_) => CloneFlags::CLONE_NEWUSER,
        NsRef::Plain(id) => match sys.kernel.namespaces[id].kind {
            NsKind::Uts => CloneFlags::CLONE_NEWUTS,
            NsKind::Ipc => CloneFlags::CLONE_NEWIPC,
            NsKind::Mnt => CloneFlags::CLONE_NEWNS,
            NsKind::Net => CloneFlags::CLONE_NEWNET,
            NsKind::Cgroup => CloneFlags::CLONE_NEWCGROUP,
            NsKind::Time => CloneFlags::CLONE_NEWTIME,
        },
    }
}

/// Its inode number.
pub fn ns_inum(sys: &System, ns: NsRef) -> u32 {
    match ns {
        NsRef::Plain(id) => sys.kernel.namespaces[id].inum,
        NsRef::Pid(id) => sys.kernel.pid_namespaces[id].inum,
        NsRef::User(id) => sys.kernel.user_namespaces[id].inum,
    }
}

/// What its link says: `pid:[4026531836]`.
pub fn ns_name(sys: &System, ns: NsRef) -> String {
    let name = match ns {
        NsRef::Pid(_) => "pid",
        NsRef::User(_) => "user",
        NsRef::Plain(id) => match sys.kernel.namespaces[id].kind {
            NsKind::Uts => "uts",
            NsKind::Ipc => "ipc",
            NsKind::Mnt => "mnt",
            NsKind::Net => "net",
            NsKind::Cgroup => "cgroup",
            NsKind::Time => "time",
        },
    };
    format!("{name}:[{}]", ns_inum(sys, ns))
}

/// The namespace that a name in a task's ns directory means.
///
/// # Errors
/// ENOENT: the task is dead and has given it up.
pub fn ns_of(sys: &System, of: TaskId, entry: NsEntry) -> Result<NsRef, SysError> {
    let gone = || refuse(Errno::ENOENT, "ns_get_path", "the task has given up its namespaces");
    if entry == NsEntry::User {
        return Ok(NsRef::User(sys.kernel.creds[sys.task(of).real_cred].user_ns));
    }
    if entry == NsEntry::Pid {
        return match sys.task(of).thread_pid {
            Some(_) => Ok(NsRef::Pid(task_active_pid_ns(sys, of))),
            None => gone(),
        };
    }
    let Some(n) = sys.task(of).nsproxy.and_then(|n| sys.kernel.nsproxies.get(n)) else {
        return gone();
    };
    Ok(match entry {
        NsEntry::PidForChildren => NsRef::Pid(n.pid_ns_for_children),
        NsEntry::Net => NsRef::Plain(n.net_ns),
        NsEntry::Uts => NsRef::Plain(n.uts_ns),
        NsEntry::Ipc => NsRef::Plain(n.ipc_ns),
        NsEntry::Mnt => NsRef::Plain(n.mnt_ns),
        NsEntry::Cgroup => NsRef::Plain(n.cgroup_ns),
        NsEntry::Time => NsRef::Plain(n.time_ns),
        NsEntry::TimeForChildren => NsRef::Plain(n.time_ns_for_children),
        NsEntry::User | NsEntry::Pid => return gone(),
    })
}
