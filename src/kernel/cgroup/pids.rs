//! The `pids` controller: how many tasks a group and those below it may have.
//!
//! Linux: kernel/cgroup/pids.c (pids_try_charge, pids_charge, pids_cancel,
//! pids_event).
//! Left out: pids.events.local.

use super::CgroupId;
use crate::abi::Errno;
use crate::kernel::error::SysError;
use crate::kernel::system::System;

/// Groups from one to the root that count.
fn counting(sys: &System, from: CgroupId) -> Vec<CgroupId> {
    let mut found = Vec::new();
    let mut at = Some(from);
    while let Some(id) = at {
        let c = &sys.kernel.cgroups[id];
        if c.pids.is_some() {
            found.push(id);
        }
        at = c.parent;
    }
    found
}

/// One task more in a group, if all limits allow it.
///
/// # Errors
/// EAGAIN: a limit of the group or of one above.
pub fn pids_try_charge(sys: &mut System, id: CgroupId) -> Result<(), SysError> {
    let all = counting(sys, id);
    let over = |id: &&CgroupId| {
        let pids = sys.kernel.cgroups[**id].pids.unwrap_or_default();
        pids.limit.is_some_and(|limit| pids.counter + 1 > limit)
    };
    if let Some(at) = all.iter().find(over).copied() {
        let limit = sys.kernel.cgroups[at].pids.and_then(|p| p.limit).unwrap_or(0);
        let why = format!(
            "cgroup {}: pids.max is {limit}, and so many tasks are in it, zombies counted",
            sys.kernel.cgroups[at].path
        );
        for id in counting(sys, at) {
            if let Some(p) = &mut sys.kernel.cgroups[id].pids {
                p.events_max += 1;
            }
        }
        return Err(SysError::with(Errno::EAGAIN, "pids_can_fork", why));
    }
    pids_charge(sys, id, 1);
    Ok(())
}

/// Tasks more in a group, whatever the limits: moving is not refused.
pub fn pids_charge(sys: &mut System, id: CgroupId, n: u64) {
    for id in counting(sys, id) {
        if let Some(p) = &mut sys.kernel.cgroups[id].pids {
            p.counter += n;
            p.watermark = p.watermark.max(p.counter);
        }
    }
}

/// Tasks fewer.
pub fn pids_cancel(sys: &mut System, id: CgroupId, n: u64) {
    for id in counting(sys, id) {
        if let Some(p) = &mut sys.kernel.cgroups[id].pids {
            match p.counter.checked_sub(n) {
                Some(left) => p.counter = left,
                None => sys.oops("pids_cancel", "pids.current below zero".into()),
            }
        }
    }
}
