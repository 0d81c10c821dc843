//! The `pids` controller: how many tasks a group and those below it may have.
//!
//! Linux: kernel/cgroup/pids.c (pids_try_charge, pids_charge, pids_cancel,
//! pids_event).
//! Left out: pids.events.local.

use super::{CgroupId, Pids};
use crate::abi::Errno;
use crate::kernel::error::SysError;
use crate::kernel::system::System;

/// Groups from one to the root that count.
fn counting(sys: &System, from: CgroupId) -> impl Iterator<Item = CgroupId> {
    let above = |id: &CgroupId| sys.kernel.cgroups[*id].parent;
    let counts = |id: &CgroupId| sys.kernel.cgroups[*id].pids.is_some();
    std::iter::successors(Some(from), above).filter(counts)
}

/// Calls `f` with what each group from one to the root counts.
#[inline]
fn each_count(sys: &mut System, from: CgroupId, mut f: impl FnMut(&mut Pids)) {
    let mut at = Some(from);
    while let Some(id) = at {
        // Looked at first: a write copies what is shared with snapshots.
        let c = &sys.kernel.cgroups[id];
        at = c.parent;
        if c.pids.is_some()
            && let Some(p) = &mut sys.kernel.cgroups[id].pids
        {
            f(p);
        }
    }
}

/// One task more in a group, if all limits allow it.
///
/// # Errors
/// EAGAIN: a limit of the group or of one above.
pub fn pids_try_charge(sys: &mut System, id: CgroupId) -> Result<(), SysError> {
    let over = |id: &CgroupId| {
        let pids = sys.kernel.cgroups[*id].pids.unwrap_or_default();
        pids.limit.is_some_and(|limit| pids.counter + 1 > limit)
    };
    let full = counting(sys, id).find(over);
    if let Some(at) = full {
        let limit = sys.kernel.cgroups[at].pids.and_then(|p| p.limit).unwrap_or(0);
        let why = format!(
            "cgroup {}: pids.max is {limit}, and so many tasks are in it, zombies counted",
            sys.kernel.cgroups[at].path
        );
        each_count(sys, at, |p| p.events_max += 1);
        return Err(SysError::with(Errno::EAGAIN, "pids_can_fork", why));
    }
    pids_charge(sys, id, 1);
    Ok(())
}

/// Tasks more in a group, whatever the limits: moving is not refused.
pub fn pids_charge(sys: &mut System, id: CgroupId, n: u64) {
    each_count(sys, id, |p| {
        p.counter += n;
        p.watermark = p.watermark.max(p.counter);
    });
}

/// Tasks fewer.
pub fn pids_cancel(sys: &mut System, id: CgroupId, n: u64) {
    let mut below_zero = false;
    each_count(sys, id, |p| match p.counter.checked_sub(n) {
        Some(left) => p.counter = left,
        None => below_zero = true,
    });
    if below_zero {
        sys.oops("pids_cancel", "pids.current below zero".into());
    }
}
