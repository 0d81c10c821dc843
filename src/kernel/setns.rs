//! setns(2): entering namespaces of another process, which a pidfd names.
//!
//! A copy of the caller's nsproxy gets one namespace after the other; it is
//! put in place when all of them have been granted.
//!
//! Linux: kernel/nsproxy.c (setns, validate_nsset, commit_nsset) and the
//! `install` functions of the namespaces.
//! Left out: descriptors of /proc/PID/ns.

use crate::abi::{Cap, CloneFlags, Errno};
use crate::kernel::capability::ns_capable;
use crate::kernel::cred::user_ns::{get_user_ns, put_user_ns, set_cred_user_ns};
use crate::kernel::cred::{CredId, abort_creds, commit_creds, prepare_creds};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::FileKind;
use crate::kernel::fs::fdtable::fget;
use crate::kernel::nsproxy::{
    NEW_NAMESPACES, NsId, Nsproxy, NsproxyId, UserNsId, create_new_namespaces, put_ns, put_nsproxy,
    put_pid_ns, switch_task_namespaces,
};
use crate::kernel::pid::{self, PidType};
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

/// Moves the task into namespaces of the process behind the pidfd `fd`.
///
/// # Errors
/// EBADF; EINVAL: no pidfd, unknown or no flags, or what the namespace's own
/// rules say; ESRCH: the process is gone; EPERM; EUSERS: a time namespace for
/// one thread only.
pub fn setns(sys: &mut System, task: TaskId, fd: i32, flags: u32) -> Result<(), SysError> {
    const F: &str = "setns";
    let FileKind::Pidfd(pid) = sys.kernel.filps[fget(sys, task, fd)?].kind else {
        return refuse(Errno::EINVAL, F, "the descriptor is no pidfd and names no namespace");
    };
    let flags = CloneFlags::from_bits_retain(u64::from(flags));
    let known = NEW_NAMESPACES | CloneFlags::CLONE_NEWUSER;
    if flags.is_empty() || !known.contains(flags) {
        let why = "with a pidfd the flags name the namespaces to enter, and nothing else";
        return refuse(Errno::EINVAL, "check_setns_flags", why);
    }
    let Some(target) = pid::pid_task(sys, pid, PidType::Pid) else {
        return refuse(Errno::ESRCH, "validate_nsset", "the process has been reaped");
    };
    ptrace_may_access(sys, task, target)?;
    let (Some(old), Some(theirs)) = (sys.task(task).nsproxy, sys.task(target).nsproxy) else {
        return refuse(Errno::ESRCH, "validate_nsset", "the process has given up its namespaces");
    };
    let user_ns = sys.cred(task).user_ns;
    let nsproxy = create_new_namespaces(sys, CloneFlags::empty(), task, old, user_ns)?;
    let mut set = Nsset { flags, nsproxy, cred: None };
    let theirs = sys.kernel.nsproxies[theirs].clone();
    match validate_nsset(sys, task, target, &theirs, &mut set) {
        Ok(()) => {
            commit_nsset(sys, task, set);
            Ok(())
        }
        Err(e) => {
            if let Some(cred) = set.cred {
                abort_creds(sys, cred);
            }
            put_nsproxy(sys, set.nsproxy);
            Err(e)
        }
    }
}

/// Installs one namespace after the other, the user namespace first: the
/// others may need what it grants.
fn validate_nsset(
    sys: &mut System,
    task: TaskId,
    target: TaskId,
    theirs: &Nsproxy,
    set: &mut Nsset,
) -> Result<(), SysError> {
    use CloneFlags as C;
    let flags = set.flags;
    if flags.contains(C::CLONE_NEWUSER) {
        let ns = sys.kernel.creds[sys.task(target).real_cred].user_ns;
        let new = traced!(sys, prepare_creds(task))?;
        set.cred = Some(new);
        userns_install(sys, task, new, ns)?;
    }
    let mine = sys.kernel.creds[set.cred.unwrap_or(sys.task(task).cred)].user_ns;
    if flags.contains(C::CLONE_NEWNS) {
        may_enter(sys, task, theirs.mnt_ns, mine, "mntns_install")?;
        if !ns_capable(sys, task, mine, Cap::CAP_SYS_CHROOT) {
            return refuse(Errno::EPERM, "mntns_install", "CAP_SYS_CHROOT is missing");
        }
        // With other namespaces at once, Linux works on a copy.
        let users = sys.task(task).fs.map(|fs| sys.kernel.fs[fs].users);
        if flags == C::CLONE_NEWNS && users.is_some_and(|n| n > 1) {
            let why = "root and working directory are shared (CLONE_FS) and would have to change";
            return refuse(Errno::EINVAL, "mntns_install", why);
        }
        install(sys, set, |n| &mut n.mnt_ns, theirs.mnt_ns);
    }
    if flags.contains(C::CLONE_NEWUTS) {
        may_enter(sys, task, theirs.uts_ns, mine, "utsns_install")?;
        install(sys, set, |n| &mut n.uts_ns, theirs.uts_ns);
    }
    if flags.contains(C::CLONE_NEWIPC) {
        may_enter(sys, task, theirs.ipc_ns, mine, "ipcns_install")?;
        install(sys, set, |n| &mut n.ipc_ns, theirs.ipc_ns);
    }
    if flags.contains(C::CLONE_NEWPID) {
        pidns_install(sys, task, set, pid::task_active_pid_ns(sys, target), mine)?;
    }
    if flags.contains(C::CLONE_NEWCGROUP) {
        may_enter(sys, task, theirs.cgroup_ns, mine, "cgroupns_install")?;
        install(sys, set, |n| &mut n.cgroup_ns, theirs.cgroup_ns);
    }
    if flags.contains(C::CLONE_NEWNET) {
        may_enter(sys, task, theirs.net_ns, mine, "netns_install")?;
        install(sys, set, |n| &mut n.net_ns, theirs.net_ns);
    }
    if flags.contains(C::CLONE_NEWTIME) {
        if !current_is_single_threaded(sys, task) {
            let why = "others use the same memory, and with it the clocks mapped there";
            return refuse(Errno::EUSERS, "timens_install", why);
        }
        may_enter(sys, task, theirs.time_ns, mine, "timens_install")?;
        install(sys, set, |n| &mut n.time_ns, theirs.time_ns);
        install(sys, set, |n| &mut n.time_ns_for_children, theirs.time_ns);
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
