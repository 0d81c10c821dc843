//! Capabilities: asking for one, capget(2) and capset(2).
//!
//! Linux: kernel/capability.c (ns_capable, capget, capset),
//! security/commoncap.c (cap_capable, cap_capset); capabilities(7).
//! Left out: file capabilities, audit.

use crate::abi::{Cap, CapSet, Errno};
use crate::kernel::cred::{Cred, abort_creds, commit_creds, prepare_creds};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::nsproxy::UserNsId;
use crate::kernel::pid::PidType;
use crate::kernel::pid::{find_task_by_vpid, task_active_pid_ns, task_pid_nr_ns};
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId};
use crate::traced;

/// Whether credentials have a capability in a namespace: raised in their own
/// one, or because they belong to the owner of one below (`cap_capable`).
pub fn cap_capable(sys: &System, cred: &Cred, target: UserNsId, cap: Cap) -> bool {
    let level = sys.kernel.user_namespaces[cred.user_ns].level;
    let mut at = target;
    loop {
        if at == cred.user_ns {
            return cred.cap_effective.contains(cap);
        }
        let ns = &sys.kernel.user_namespaces[at];
        if ns.level <= level {
            return false;
        }
        let Some(parent) = ns.parent else { return false };
        if parent == cred.user_ns && ns.owner == cred.euid {
            return true;
        }
        at = parent;
    }
}

/// Whether a task has a capability in a namespace; if so, it is noted that
/// it used it (`ns_capable`).
pub fn ns_capable(sys: &mut System, task: TaskId, ns: UserNsId, cap: Cap) -> bool {
    let yes = cap_capable(sys, sys.cred(task), ns, cap);
    if yes {
        sys.task_mut(task).flags |= PF::SUPERPRIV;
    }
    yes
}

/// Whether a task has a capability in the initial namespace, where the whole
/// machine is governed (`capable`).
pub fn capable(sys: &mut System, task: TaskId, cap: Cap) -> bool {
    let ns = sys.kernel.init_user_ns;
    ns_capable(sys, task, ns, cap)
}

/// The three sets of a process: effective, permitted, inheritable; pid 0 is
/// the caller (`cap_get_target_pid`).
pub fn capget(
    sys: &mut System,
    current: TaskId,
    pid: i32,
) -> Result<(CapSet, CapSet, CapSet), SysError> {
    if pid < 0 {
        return refuse(Errno::EINVAL, "capget", "the pid is negative");
    }
    let ns = task_active_pid_ns(sys, current);
    let own = task_pid_nr_ns(sys, current, PidType::Pid, Some(ns));
    let target = if pid == 0 || pid == own {
        current
    } else {
        match find_task_by_vpid(sys, current, pid) {
            Some(t) => t,
            None => return refuse(Errno::ESRCH, "cap_get_target_pid", "no thread has this id"),
        }
    };
    let c = &sys.kernel.creds[sys.task(target).real_cred];
    Ok((c.cap_effective, c.cap_permitted, c.cap_inheritable))
}

/// Whether capset(2) may be aimed at `pid`; Linux asks before it reads the
/// sets.
///
/// # Errors
/// EPERM for another thread than the caller.
pub fn check_capset_pid(sys: &System, current: TaskId, pid: i32) -> Result<(), SysError> {
    let ns = task_active_pid_ns(sys, current);
    if pid != 0 && pid != task_pid_nr_ns(sys, current, PidType::Pid, Some(ns)) {
        let why = "a thread can change only its own capabilities (since Linux 2.6.25)";
        return refuse(Errno::EPERM, "capset", why);
    }
    Ok(())
}

/// Sets the caller's capabilities; `pid` may name only itself (`capset`).
pub fn capset(
    sys: &mut System,
    current: TaskId,
    pid: i32,
    effective: CapSet,
    permitted: CapSet,
    inheritable: CapSet,
) -> Result<(), SysError> {
    check_capset_pid(sys, current, pid)?;
    // Bits beyond the last capability are dropped, not refused.
    let valid = |s: CapSet| s.and(CapSet::FULL);
    let (effective, permitted, inheritable) =
        (valid(effective), valid(permitted), valid(inheritable));
    let new = traced!(sys, prepare_creds(current))?;
    if let Err(e) = cap_capset(sys, current, effective, permitted, inheritable) {
        abort_creds(sys, new);
        return Err(e);
    }
    let c = &mut sys.kernel.creds[new];
    c.cap_effective = effective;
    c.cap_permitted = permitted;
    c.cap_inheritable = inheritable;
    // Ambient capabilities are always permitted and inheritable.
    c.cap_ambient = c.cap_ambient.and(permitted.and(inheritable));
    traced!(sys, commit_creds(current, new));
    Ok(())
}

/// Which sets capset may ask for (`cap_capset`).
fn cap_capset(
    sys: &System,
    current: TaskId,
    effective: CapSet,
    permitted: CapSet,
    inheritable: CapSet,
) -> Result<(), SysError> {
    const F: &str = "cap_capset";
    let old = sys.cred(current);
    let no = |why: &'static str, beyond: CapSet| {
        Err(SysError::with(Errno::EPERM, F, format!("{why}: {beyond}")))
    };
    let may_have = old.cap_inheritable.or(old.cap_permitted);
    if !cap_capable(sys, old, old.user_ns, Cap::CAP_SETPCAP) && !inheritable.is_subset(may_have) {
        let why = "inheritable capabilities that are neither inheritable nor permitted now need \
                   CAP_SETPCAP";
        return no(why, inheritable.minus(may_have));
    }
    let bounded = old.cap_inheritable.or(old.cap_bset);
    if !inheritable.is_subset(bounded) {
        let why = "new inheritable capabilities must be in the bounding set";
        return no(why, inheritable.minus(bounded));
    }
    if !permitted.is_subset(old.cap_permitted) {
        let why = "permitted capabilities can only be given up";
        return no(why, permitted.minus(old.cap_permitted));
    }
    if !effective.is_subset(permitted) {
        let why = "effective capabilities must be permitted";
        return no(why, effective.minus(permitted));
    }
    Ok(())
}
