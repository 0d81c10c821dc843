//! sched_setaffinity(2), sched_getaffinity(2): on which processors a task may
//! run.
//!
//! Linux: kernel/sched/syscalls.c (sched_setaffinity, dl_task_check_affinity),
//! kernel/sched/core.c (__set_cpus_allowed_ptr).
//! Left out: cpusets, more than 64 processors.

use super::{balance, nice};
use crate::abi::{Cap, Errno};
use crate::kernel::capability::ns_capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::sched::SchedClass;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// The processors that there are, a bit each.
pub fn present(sys: &System) -> u64 {
    let cpus = sys.machine.cpus.len() as u32;
    if cpus >= 64 { u64::MAX } else { (1 << cpus) - 1 }
}

/// `check_same_owner`.
pub fn check_same_owner(sys: &System, current: TaskId, p: TaskId) -> bool {
    let mine = sys.cred(current).euid;
    let theirs = &sys.kernel.creds[sys.task(p).real_cred];
    mine == theirs.euid || mine == theirs.uid
}

/// Sets the mask; a task that may not stay where it is moves at once.
///
/// # Errors
/// EPERM: another user's task; EBUSY: a deadline task must be able to run
/// everywhere; EINVAL: none of the processors exists.
pub fn sched_setaffinity(
    sys: &mut System,
    current: TaskId,
    p: TaskId,
    wanted: u64,
) -> Result<(), SysError> {
    let ns = sys.kernel.creds[sys.task(p).real_cred].user_ns;
    if !check_same_owner(sys, current, p) && !ns_capable(sys, current, ns, Cap::CAP_SYS_NICE) {
        let why = "the task belongs to another user and the caller lacks CAP_SYS_NICE";
        return refuse(Errno::EPERM, "sched_setaffinity", why);
    }
    nice::cap_safe_nice(sys, current, p)?;
    let present = present(sys);
    let mask = wanted & present;
    if sys.task(p).sched_class == SchedClass::Deadline && mask != present {
        let why = "a deadline task was admitted for all processors and must be able to use them";
        return refuse(Errno::EBUSY, "dl_task_check_affinity", why);
    }
    if mask == 0 {
        let cpus = sys.machine.cpus.len();
        return Err(SysError::with(
            Errno::EINVAL,
            "__set_cpus_allowed_ptr",
            format!("the mask names none of the {cpus} processors"),
        ));
    }
    sys.task_mut(p).cpus_mask = mask;
    if mask >> sys.task(p).cpu & 1 == 0 {
        balance::migrate(sys, p, mask.trailing_zeros());
    }
    Ok(())
}
