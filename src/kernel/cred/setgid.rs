//! setgid(2), setregid(2), setresgid(2), setfsgid(2): as for user ids, with
//! CAP_SETGID and without effect on capabilities.
//!
//! Linux: kernel/sys.c (__sys_setgid, __sys_setregid, __sys_setresgid,
//! __sys_setfsgid).
//! Left out: 16-bit gids, security modules.

use super::commoncap::abort;
use super::user_ns::{from_kgid_munged, make_kgid};
use super::{abort_creds, commit_creds, prepare_creds};
use crate::abi::{Cap, Errno};
use crate::kernel::capability::ns_capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

/// "No change" in setregid and the like.
const UNCHANGED: u32 = u32::MAX;

fn may_setgid(sys: &mut System, task: TaskId) -> bool {
    let ns = sys.cred(task).user_ns;
    ns_capable(sys, task, ns, Cap::CAP_SETGID)
}

fn wanted(
    sys: &System,
    task: TaskId,
    gid: u32,
    function: &'static str,
) -> Result<Option<u32>, SysError> {
    if gid == UNCHANGED {
        return Ok(None);
    }
    match make_kgid(sys, sys.cred(task).user_ns, gid) {
        Some(k) => Ok(Some(k)),
        None => {
            refuse(Errno::EINVAL, function, "the gid has no mapping in the caller's user namespace")
        }
    }
}

/// setgid(2).
pub fn sys_setgid(sys: &mut System, task: TaskId, gid: u32) -> Result<(), SysError> {
    const F: &str = "__sys_setgid";
    let Some(gid) = wanted(sys, task, gid, F)? else {
        return refuse(Errno::EINVAL, F, "-1 is no gid");
    };
    let new = traced!(sys, prepare_creds(task))?;
    if may_setgid(sys, task) {
        let n = &mut sys.kernel.creds[new];
        (n.gid, n.sgid) = (gid, gid);
    } else {
        let old = sys.cred(task);
        if gid != old.gid && gid != old.sgid {
            let why = "without CAP_SETGID the gid must be the real or the saved one";
            return abort(sys, new, SysError::new(Errno::EPERM, F, why));
        }
    }
    let n = &mut sys.kernel.creds[new];
    (n.egid, n.fsgid) = (gid, gid);
    traced!(sys, commit_creds(task, new));
    Ok(())
}

/// setregid(2); -1 leaves an id as it is.
pub fn sys_setregid(sys: &mut System, task: TaskId, rgid: u32, egid: u32) -> Result<(), SysError> {
    const F: &str = "__sys_setregid";
    let r = wanted(sys, task, rgid, F)?;
    let e = wanted(sys, task, egid, F)?;
    let new = traced!(sys, prepare_creds(task))?;
    let old = sys.cred(task);
    let (gid0, egid0, sgid0) = (old.gid, old.egid, old.sgid);
    if let Some(r) = r {
        if ![gid0, egid0].contains(&r) && !may_setgid(sys, task) {
            let why = "without CAP_SETGID the new real gid must be the real or the effective one";
            return abort(sys, new, SysError::new(Errno::EPERM, F, why));
        }
        sys.kernel.creds[new].gid = r;
    }
    if let Some(e) = e {
        if ![gid0, egid0, sgid0].contains(&e) && !may_setgid(sys, task) {
            let why = "without CAP_SETGID the new effective gid must be one of the three present";
            return abort(sys, new, SysError::new(Errno::EPERM, F, why));
        }
        sys.kernel.creds[new].egid = e;
    }
    let n = &mut sys.kernel.creds[new];
    if r.is_some() || e.is_some_and(|e| e != gid0) {
        n.sgid = n.egid;
    }
    n.fsgid = n.egid;
    traced!(sys, commit_creds(task, new));
    Ok(())
}

/// setresgid(2); -1 leaves an id as it is.
pub fn sys_setresgid(
    sys: &mut System,
    task: TaskId,
    rgid: u32,
    egid: u32,
    sgid: u32,
) -> Result<(), SysError> {
    const F: &str = "__sys_setresgid";
    let r = wanted(sys, task, rgid, F)?;
    let e = wanted(sys, task, egid, F)?;
    let s = wanted(sys, task, sgid, F)?;
    let old = sys.cred(task);
    let present = [old.gid, old.egid, old.sgid];
    if r.is_none_or(|r| r == old.gid)
        && e.is_none_or(|e| e == old.egid && e == old.fsgid)
        && s.is_none_or(|s| s == old.sgid)
    {
        return Ok(());
    }
    if [r, e, s].iter().flatten().any(|id| !present.contains(id)) && !may_setgid(sys, task) {
        let why = "without CAP_SETGID each new gid must be one of the three present";
        return refuse(Errno::EPERM, F, why);
    }
    let new = traced!(sys, prepare_creds(task))?;
    let n = &mut sys.kernel.creds[new];
    n.gid = r.unwrap_or(n.gid);
    n.egid = e.unwrap_or(n.egid);
    n.sgid = s.unwrap_or(n.sgid);
    n.fsgid = n.egid;
    traced!(sys, commit_creds(task, new));
    Ok(())
}

/// setfsgid(2): returns the old file-system gid in any case.
pub fn sys_setfsgid(sys: &mut System, task: TaskId, gid: u32) -> u32 {
    let old = sys.cred(task);
    let ns = old.user_ns;
    let before = from_kgid_munged(sys, ns, old.fsgid);
    let (ids, fsgid) = ([old.gid, old.egid, old.sgid, old.fsgid], old.fsgid);
    let Some(gid) = make_kgid(sys, ns, gid) else { return before };
    let Ok(new) = traced!(sys, prepare_creds(task)) else { return before };
    if gid != fsgid && (ids.contains(&gid) || may_setgid(sys, task)) {
        sys.kernel.creds[new].fsgid = gid;
        traced!(sys, commit_creds(task, new));
    } else {
        abort_creds(sys, new);
    }
    before
}
