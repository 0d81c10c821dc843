//! setns(2): entering a namespace that a descriptor of /proc/PID/ns names, or
//! those of the process that a pidfd names.
//!
//! A copy of the caller's nsproxy gets one namespace after the other; it is
//! put in place when all of them have been granted.
//!
//! Linux: kernel/nsproxy.c (setns, prepare_nsset, validate_nsset, validate_ns,
//! commit_nsset) and the `install` functions of the namespaces.
//! Left out: what entering a namespace changes besides; most isolate nothing.

use crate::abi::{Cap, CloneFlags, Errno};
use crate::kernel::capability::ns_capable;
use crate::kernel::cred::user_ns::{get_user_ns, put_user_ns, set_cred_user_ns};
use crate::kernel::cred::{CredId, abort_creds, commit_creds, prepare_creds};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::FileKind;
use crate::kernel::fs::fdtable::fget;
use crate::kernel::fs::nsfs::{NsRef, ns_type};
use crate::kernel::inject::should_fail;
use crate::kernel::nsproxy::{
    NEW_NAMESPACES, NsId, NsKind, Nsproxy, NsproxyId, UserNsId, create_new_namespaces, put_ns,
    put_nsproxy, put_pid_ns, switch_task_namespaces,
};
use crate::kernel::pid::{self, PidId, PidType};
use crate::kernel::pid_namespace::PidNsId;
use crate::kernel::ptrace::ptrace_may_access;
use crate::kernel::signal::thread_group_empty;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::unshare::current_is_single_threaded;
use crate::traced;
use std::sync::Arc;

/// What is being prepared (`struct nsset`).
struct Nsset {
    flags: CloneFlags,
    nsproxy: NsproxyId,
    /// Credentials of its own, with CLONE_NEWUSER.
    cred: Option<CredId>,
}

/// Moves the task into the namespace that `fd` has open, or into those of the
/// process behind the pidfd `fd` that the flags name.
///
/// # Errors
/// EBADF; EINVAL: `fd` is neither, flags that do not fit, or what the
/// namespace's own rules say; ESRCH: the process is gone; EPERM; EUSERS: a time
/// namespace for one thread only; ENOMEM, injected.
pub fn setns(sys: &mut System, task: TaskId, fd: i32, flags: u32) -> Result<(), SysError> {
    const F: &str = "setns";
    let kind = sys.kernel.filps[fget(sys, task, fd)?].kind;
    let mut flags = CloneFlags::from_bits_retain(u64::from(flags));
    match kind {
        FileKind::Ns(ns) => {
            if !flags.is_empty() && flags != ns_type(sys, ns) {
                let why = "the flags name another kind of namespace than the descriptor's";
                return refuse(Errno::EINVAL, F, why);
            }
            flags = ns_type(sys, ns);
        }
        FileKind::Pidfd(_) => {
            let known = NEW_NAMESPACES | CloneFlags::CLONE_NEWUSER;
            if flags.is_empty() || !known.contains(flags) {
                let why = "with a pidfd the flags name the namespaces to enter, and nothing else";
                return refuse(Errno::EINVAL, "check_setns_flags", why);
            }
        }
        _ => return refuse(Errno::EINVAL, F, "the descriptor is no pidfd and no namespace"),
    }
    let mut set = prepare_nsset(sys, task, flags)?;
    let valid = match kind {
        FileKind::Ns(ns) => validate_ns(sys, task, &set, ns),
        FileKind::Pidfd(pid) => validate_nsset(sys, task, &mut set, pid),
        _ => Ok(()),
    };
    match valid {
        Ok(()) => commit_nsset(sys, task, set),
        Err(e) => {
            if let Some(cred) = set.cred {
                abort_creds(sys, cred);
            }
            put_nsproxy(sys, set.nsproxy);
            return Err(e);
        }
    }
    Ok(())
}

/// The copies that the namespaces are installed in.
///
/// # Errors
/// ENOMEM, injected; what was made before is dropped.
fn prepare_nsset(sys: &mut System, task: TaskId, flags: CloneFlags) -> Result<Nsset, SysError> {
    should_fail(sys, "prepare_nsset")?;
    let Some(old) = sys.task(task).nsproxy else {
        return refuse(Errno::ESRCH, "prepare_nsset", "the caller has given up its namespaces");
    };
    let user_ns = sys.cred(task).user_ns;
    let nsproxy = create_new_namespaces(sys, CloneFlags::empty(), task, old, user_ns)?;
    let mut set = Nsset { flags, nsproxy, cred: None };
    if flags.contains(CloneFlags::CLONE_NEWUSER) {
        match traced!(sys, prepare_creds(task)) {
            Ok(cred) => set.cred = Some(cred),
            Err(e) => {
                put_nsproxy(sys, nsproxy);
                return Err(e);
            }
        }
    }
    Ok(set)
}

/// Installs one namespace after the other, the user namespace first: the
/// others may need what it grants.
fn validate_nsset(
    sys: &mut System,
    task: TaskId,
    set: &mut Nsset,
    pid: PidId,
) -> Result<(), SysError> {
    use CloneFlags as C;
    let Some(target) = pid::pid_task(sys, pid, PidType::Pid) else {
        return refuse(Errno::ESRCH, "validate_nsset", "the process has been reaped");
    };
    ptrace_may_access(sys, task, target)?;
    let Some(theirs) = sys.task(target).nsproxy else {
        return refuse(Errno::ESRCH, "validate_nsset", "the process has given up its namespaces");
    };
    let n = sys.kernel.nsproxies[theirs].clone();
    let user = sys.kernel.creds[sys.task(target).real_cred].user_ns;
    let all = [
        (C::CLONE_NEWUSER, NsRef::User(user)),
        (C::CLONE_NEWNS, NsRef::Plain(n.mnt_ns)),
        (C::CLONE_NEWUTS, NsRef::Plain(n.uts_ns)),
        (C::CLONE_NEWIPC, NsRef::Plain(n.ipc_ns)),
        (C::CLONE_NEWPID, NsRef::Pid(pid::task_active_pid_ns(sys, target))),
        (C::CLONE_NEWCGROUP, NsRef::Plain(n.cgroup_ns)),
        (C::CLONE_NEWNET, NsRef::Plain(n.net_ns)),
        (C::CLONE_NEWTIME, NsRef::Plain(n.time_ns)),
    ];
    for (flag, ns) in all {
        if set.flags.contains(flag) {
            validate_ns(sys, task, set, ns)?;
        }
    }
    Ok(())
}

/// Asks a namespace whether the caller may enter, and notes it
/// (`ns->ops->install`).
fn validate_ns(sys: &mut System, task: TaskId, set: &Nsset, ns: NsRef) -> Result<(), SysError> {
    should_fail(sys, "validate_ns")?;
    let mine = sys.kernel.creds[set.cred.unwrap_or(sys.task(task).cred)].user_ns;
    let id = match ns {
        NsRef::User(ns) => {
            let Some(new) = set.cred else {
                return refuse(Errno::EINVAL, "userns_install", "no credentials were prepared");
            };
            return userns_install(sys, task, new, ns);
        }
        NsRef::Pid(ns) => return pidns_install(sys, task, set, ns, mine),
        NsRef::Plain(id) => id,
    };
    match sys.kernel.namespaces[id].kind {
        NsKind::Mnt => {
            may_enter(sys, task, id, mine, "mntns_install")?;
            if !ns_capable(sys, task, mine, Cap::CAP_SYS_CHROOT) {
                return refuse(Errno::EPERM, "mntns_install", "CAP_SYS_CHROOT is missing");
            }
            // With other namespaces at once, Linux works on a copy.
            let users = sys.task(task).fs.map(|fs| sys.kernel.fs[fs].users);
            if set.flags == CloneFlags::CLONE_NEWNS && users.is_some_and(|n| n > 1) {
                let why =
                    "root and working directory are shared (CLONE_FS) and would have to change";
                return refuse(Errno::EINVAL, "mntns_install", why);
            }
            install(sys, set, |n| &mut n.mnt_ns, id);
        }
        NsKind::Uts => {
            may_enter(sys, task, id, mine, "utsns_install")?;
            install(sys, set, |n| &mut n.uts_ns, id);
        }
        NsKind::Ipc => {
            may_enter(sys, task, id, mine, "ipcns_install")?;
            install(sys, set, |n| &mut n.ipc_ns, id);
        }
        NsKind::Cgroup => {
            may_enter(sys, task, id, mine, "cgroupns_install")?;
            install(sys, set, |n| &mut n.cgroup_ns, id);
        }
        NsKind::Net => {
            may_enter(sys, task, id, mine, "netns_install")?;
            install(sys, set, |n| &mut n.net_ns, id);
        }
        NsKind::Time => {
            if !current_is_single_threaded(sys, task) {
                let why = "others use the same memory, and with it the clocks mapped there";
                return refuse(Errno::EUSERS, "timens_install", why);
            }
            may_enter(sys, task, id, mine, "timens_install")?;
            install(sys, set, |n| &mut n.time_ns, id);
            install(sys, set, |n| &mut n.time_ns_for_children, id);
        }
    }
    Ok(())
}

fn userns_install(
    sys: &mut System,
    task: TaskId,
    new: CredId,
    ns: UserNsId,
) -> Result<(), SysError> {
    const F: &str = "userns_install";
    if ns == sys.cred(task).user_ns {
        let why = "the caller is in this user namespace: entering it again would give it all \
                   capabilities there";
        return refuse(Errno::EINVAL, F, why);
    }
    if !thread_group_empty(sys, task) {
        return refuse(Errno::EINVAL, F, "the threads of a process share one user namespace");
    }
    if sys.task(task).fs.is_some_and(|fs| sys.kernel.fs[fs].users > 1) {
        let why = "root and working directory are shared (CLONE_FS) with another process";
        return refuse(Errno::EINVAL, F, why);
    }
    if !ns_capable(sys, task, ns, Cap::CAP_SYS_ADMIN) {
        return refuse(Errno::EPERM, F, "CAP_SYS_ADMIN in that user namespace is missing");
    }
    get_user_ns(sys, ns);
    put_user_ns(sys, sys.kernel.creds[new].user_ns);
    set_cred_user_ns(&mut sys.kernel.creds[new], ns);
    Ok(())
}

fn pidns_install(
    sys: &mut System,
    task: TaskId,
    set: &Nsset,
    ns: PidNsId,
    mine: UserNsId,
) -> Result<(), SysError> {
    const F: &str = "pidns_install";
    let owner = sys.kernel.pid_namespaces[ns].user_ns;
    privileged(sys, task, owner, mine, F)?;
    let active = pid::task_active_pid_ns(sys, task);
    let level = sys.kernel.pid_namespaces[active].level;
    let mut at = Some(ns);
    while let Some(above) = at.filter(|a| sys.kernel.pid_namespaces[*a].level > level) {
        at = sys.kernel.pid_namespaces[above].parent;
    }
    if at != Some(active) {
        let why = "children can go down into a nested pid namespace, never up or aside: their \
                   parent must see them";
        return refuse(Errno::EINVAL, F, why);
    }
    sys.kernel.pid_namespaces[ns].count += 1;
    let slot = &mut sys.kernel.nsproxies[set.nsproxy].pid_ns_for_children;
    let old = std::mem::replace(slot, ns);
    put_pid_ns(sys, old);
    Ok(())
}

/// Every namespace asks for CAP_SYS_ADMIN where it belongs and where the
/// caller will be.
fn privileged(
    sys: &mut System,
    task: TaskId,
    owner: UserNsId,
    mine: UserNsId,
    source: &'static str,
) -> Result<(), SysError> {
    if !ns_capable(sys, task, owner, Cap::CAP_SYS_ADMIN)
        || !ns_capable(sys, task, mine, Cap::CAP_SYS_ADMIN)
    {
        let why = "entering needs CAP_SYS_ADMIN in the user namespace that owns the namespace, and \
                   in the caller's own";
        return refuse(Errno::EPERM, source, why);
    }
    Ok(())
}

fn may_enter(
    sys: &mut System,
    task: TaskId,
    ns: NsId,
    mine: UserNsId,
    source: &'static str,
) -> Result<(), SysError> {
    privileged(sys, task, sys.kernel.namespaces[ns].user_ns, mine, source)
}

/// Puts a namespace into a slot of the prepared nsproxy.
fn install(sys: &mut System, set: &Nsset, slot: fn(&mut Nsproxy) -> &mut NsId, ns: NsId) {
    sys.kernel.namespaces[ns].count += 1;
    let old = std::mem::replace(slot(&mut sys.kernel.nsproxies[set.nsproxy]), ns);
    put_ns(sys, old);
}

fn commit_nsset(sys: &mut System, task: TaskId, set: Nsset) {
    if let Some(cred) = set.cred {
        traced!(sys, commit_creds(task, cred));
    }
    // Another tree of mounts is entered at its root.
    if set.flags.contains(CloneFlags::CLONE_NEWNS)
        && let Some(fs) = sys.task(task).fs
    {
        let fs = &mut sys.kernel.fs[fs];
        (fs.root, fs.pwd) = (Arc::from("/"), Arc::from("/"));
    }
    if set.flags.contains(CloneFlags::CLONE_NEWIPC) {
        sys.task_mut(task).sysvsem = None;
    }
    switch_task_namespaces(sys, task, set.nsproxy);
}
