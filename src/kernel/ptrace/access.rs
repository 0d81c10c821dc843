//! Whether one task may look into another.
//!
//! Linux: kernel/ptrace.c (__ptrace_may_access), security/commoncap.c
//! (cap_ptrace_access_check).
//! Left out: the user namespace of an mm, which counts as the initial one;
//! security modules, so that reading and attaching are the same question.

use crate::abi::{Cap, Errno};
use crate::kernel::capability::ns_capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Whether `current` may read what `target` keeps to itself, or attach to it,
/// by its real credentials (PTRACE_MODE_READ_REALCREDS, ATTACH_REALCREDS).
///
/// # Errors
/// EPERM.
pub fn ptrace_may_access(
    sys: &mut System,
    current: TaskId,
    target: TaskId,
) -> Result<(), SysError> {
    const F: &str = "__ptrace_may_access";
    if sys.task(current).group_leader == sys.task(target).group_leader {
        return Ok(());
    }
    let (c, t) = (sys.cred(current), &sys.kernel.creds[sys.task(target).real_cred]);
    let same_uid = [t.euid, t.suid, t.uid].iter().all(|id| *id == c.uid);
    let same_gid = [t.egid, t.sgid, t.gid].iter().all(|id| *id == c.gid);
    let covered = c.user_ns == t.user_ns && t.cap_permitted.is_subset(c.cap_permitted);
    let target_ns = t.user_ns;
    let privileged = ns_capable(sys, current, target_ns, Cap::CAP_SYS_PTRACE);
    if !(same_uid && same_gid || privileged) {
        let why = "the caller's ids are not those of the target, nor has it CAP_SYS_PTRACE there";
        return refuse(Errno::EPERM, F, why);
    }
    let hidden = sys.task(target).mm.is_some_and(|mm| sys.mm(mm).dumpable != 1);
    let init_ns = sys.kernel.init_user_ns;
    if hidden && !ns_capable(sys, current, init_ns, Cap::CAP_SYS_PTRACE) {
        return refuse(
            Errno::EPERM,
            F,
            "the target is not dumpable, and CAP_SYS_PTRACE is missing",
        );
    }
    if !(covered || privileged) {
        let why = "the target has capabilities that the caller has not";
        return refuse(Errno::EPERM, "cap_ptrace_access_check", why);
    }
    Ok(())
}
