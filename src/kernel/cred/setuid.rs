//! setuid(2), setreuid(2), setresuid(2), setfsuid(2).
//!
//! ```text
//!                  with CAP_SETUID         without
//! setuid(n)        r e s f := n            e f := n, n one of r s
//! setreuid(r, e)   any                     r one of r e; e one of r e s
//! setresuid(...)   any                     each one of r e s
//! setfsuid(n)      f := n                  n one of r e s f; else no change
//! ```
//!
//! Linux: kernel/sys.c (__sys_setuid, __sys_setreuid, __sys_setresuid,
//! __sys_setfsuid, set_user, flag_nproc_exceeded); credentials(7).
//! Left out: 16-bit uids, security modules.

use super::commoncap::{SetId, abort, cap_task_fix_setuid};
use super::user_ns::{from_kuid_munged, make_kuid};
use super::{CredId, abort_creds, commit_creds, prepare_creds};
use crate::abi::numbers::RLIMIT_NPROC;
use crate::abi::{Cap, Errno};
use crate::kernel::capability::ns_capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId};
use crate::kernel::user::{alloc_uid, free_uid, is_nproc_overlimit};
use crate::traced;

/// "No change" in setreuid and the like.
const UNCHANGED: u32 = u32::MAX;

fn may_setuid(sys: &mut System, task: TaskId) -> bool {
    let ns = sys.cred(task).user_ns;
    ns_capable(sys, task, ns, Cap::CAP_SETUID)
}

/// The id that the caller names, in the initial namespace; `None` when it
/// asks for no change.
fn wanted(
    sys: &System,
    task: TaskId,
    uid: u32,
    function: &'static str,
) -> Result<Option<u32>, SysError> {
    if uid == UNCHANGED {
        return Ok(None);
    }
    match make_kuid(sys, sys.cred(task).user_ns, uid) {
        Some(k) => Ok(Some(k)),
        None => {
            refuse(Errno::EINVAL, function, "the uid has no mapping in the caller's user namespace")
        }
    }
}

/// Counts new credentials for the user of their real uid (`set_user`).
fn set_user(sys: &mut System, new: CredId) {
    let uid = sys.kernel.creds[new].uid;
    let user = alloc_uid(sys, uid);
    let old = std::mem::replace(&mut sys.kernel.creds[new].user, user);
    free_uid(sys, old);
}

/// Going over RLIMIT_NPROC by a change of uid does not fail here, because too
/// many programs don't look; the next exec fails (`flag_nproc_exceeded`).
fn flag_nproc_exceeded(sys: &mut System, task: TaskId, new: CredId) {
    let user = sys.kernel.creds[new].user;
    if user == sys.cred(task).user {
        return;
    }
    let limit = sys.signal(task).rlim[RLIMIT_NPROC as usize].cur;
    let over = is_nproc_overlimit(sys, user, limit) && sys.kernel.users[user].uid != 0;
    sys.task_mut(task).flags.set(PF::NPROC_EXCEEDED, over);
}

/// The common end of the calls that change user ids.
fn publish(sys: &mut System, task: TaskId, new: CredId) {
    if sys.kernel.creds[new].uid != sys.cred(task).uid {
        set_user(sys, new);
    }
    cap_task_fix_setuid(sys, task, new, SetId::All);
    flag_nproc_exceeded(sys, task, new);
    traced!(sys, commit_creds(task, new));
}

/// setuid(2).
pub fn sys_setuid(sys: &mut System, task: TaskId, uid: u32) -> Result<(), SysError> {
    const F: &str = "__sys_setuid";
    let Some(uid) = wanted(sys, task, uid, F)? else {
        return refuse(Errno::EINVAL, F, "-1 is no uid");
    };
    let new = traced!(sys, prepare_creds(task))?;
    if may_setuid(sys, task) {
        let n = &mut sys.kernel.creds[new];
        (n.uid, n.suid) = (uid, uid);
    } else {
        let old = sys.cred(task);
        if uid != old.uid && uid != old.suid {
            let why = "without CAP_SETUID the uid must be the real or the saved one";
            return abort(sys, new, SysError::new(Errno::EPERM, F, why));
        }
    }
    let n = &mut sys.kernel.creds[new];
    (n.euid, n.fsuid) = (uid, uid);
    publish(sys, task, new);
    Ok(())
}

/// setreuid(2); -1 leaves an id as it is.
pub fn sys_setreuid(sys: &mut System, task: TaskId, ruid: u32, euid: u32) -> Result<(), SysError> {
    const F: &str = "__sys_setreuid";
    let r = wanted(sys, task, ruid, F)?;
    let e = wanted(sys, task, euid, F)?;
    let new = traced!(sys, prepare_creds(task))?;
    let old = sys.cred(task);
    let (uid0, euid0, suid0) = (old.uid, old.euid, old.suid);
    if let Some(r) = r {
        if ![uid0, euid0].contains(&r) && !may_setuid(sys, task) {
            let why = "without CAP_SETUID the new real uid must be the real or the effective one \
                       (not the saved one; setresuid may take that)";
            return abort(sys, new, SysError::new(Errno::EPERM, F, why));
        }
        sys.kernel.creds[new].uid = r;
    }
    if let Some(e) = e {
        if ![uid0, euid0, suid0].contains(&e) && !may_setuid(sys, task) {
            let why = "without CAP_SETUID the new effective uid must be one of the three present";
            return abort(sys, new, SysError::new(Errno::EPERM, F, why));
        }
        sys.kernel.creds[new].euid = e;
    }
    let n = &mut sys.kernel.creds[new];
    // The saved uid follows when the caller may have become someone else.
    if r.is_some() || e.is_some_and(|e| e != uid0) {
        n.suid = n.euid;
    }
    n.fsuid = n.euid;
    publish(sys, task, new);
    Ok(())
}

/// setresuid(2); -1 leaves an id as it is.
pub fn sys_setresuid(
    sys: &mut System,
    task: TaskId,
    ruid: u32,
    euid: u32,
    suid: u32,
) -> Result<(), SysError> {
    const F: &str = "__sys_setresuid";
    let r = wanted(sys, task, ruid, F)?;
    let e = wanted(sys, task, euid, F)?;
    let s = wanted(sys, task, suid, F)?;
    let old = sys.cred(task);
    let present = [old.uid, old.euid, old.suid];
    if r.is_none_or(|r| r == old.uid)
        && e.is_none_or(|e| e == old.euid && e == old.fsuid)
        && s.is_none_or(|s| s == old.suid)
    {
        return Ok(());
    }
    if [r, e, s].iter().flatten().any(|id| !present.contains(id)) && !may_setuid(sys, task) {
        let why = "without CAP_SETUID each new uid must be one of the three present";
        return refuse(Errno::EPERM, F, why);
    }
    let new = traced!(sys, prepare_creds(task))?;
    let n = &mut sys.kernel.creds[new];
    n.uid = r.unwrap_or(n.uid);
    n.euid = e.unwrap_or(n.euid);
    n.suid = s.unwrap_or(n.suid);
    n.fsuid = n.euid;
    publish(sys, task, new);
    Ok(())
}

/// setfsuid(2): returns the old file-system uid whether or not it changed, so
/// that a caller must ask twice to find out.
pub fn sys_setfsuid(sys: &mut System, task: TaskId, uid: u32) -> u32 {
    let old = sys.cred(task);
    let ns = old.user_ns;
    let before = from_kuid_munged(sys, ns, old.fsuid);
    let (ids, fsuid) = ([old.uid, old.euid, old.suid, old.fsuid], old.fsuid);
    let Some(uid) = make_kuid(sys, ns, uid) else { return before };
    let Ok(new) = traced!(sys, prepare_creds(task)) else { return before };
    if uid != fsuid && (ids.contains(&uid) || may_setuid(sys, task)) {
        sys.kernel.creds[new].fsuid = uid;
        cap_task_fix_setuid(sys, task, new, SetId::Fs);
        traced!(sys, commit_creds(task, new));
    } else {
        abort_creds(sys, new);
    }
    before
}
