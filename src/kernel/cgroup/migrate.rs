//! Moving processes from group to group.
//!
//! Linux: kernel/cgroup/cgroup.c (cgroup_attach_permissions,
//! cgroup_procs_write_permission, cgroup_migrate_vet_dst, cgroup_migrate).
//! Left out: threads on their own.

use super::pids::{pids_cancel, pids_charge};
use super::{CgroupId, cgroup_get, cgroup_put, is_below, is_populated};
use crate::abi::{Cap, Errno};
use crate::kernel::capability::capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::signal::threads;
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId};

/// Whether `task` may write the file cgroup.procs of a group.
fn may_write_procs(sys: &mut System, task: TaskId, id: CgroupId) -> bool {
    let dir = sys.kernel.inodes.iter().find(|(_, i)| i.cgroup == Some(id));
    let owner = dir.map_or(0, |(_, i)| i.i_uid);
    sys.cred(task).fsuid == owner || capable(sys, task, Cap::CAP_DAC_OVERRIDE)
}

/// Whether `task` may bring somebody from one group into another.
///
/// # Errors
/// EACCES: neither it nor the group that is above both is the caller's.
/// EBUSY: the group hands out controllers to groups below that are in use.
/// ENODEV: it has been removed.
pub fn attach_permission(
    sys: &mut System,
    task: TaskId,
    from: CgroupId,
    to: CgroupId,
) -> Result<(), SysError> {
    if sys.kernel.cgroups[to].dead {
        return refuse(Errno::ENODEV, "cgroup_kn_lock_live", "the group has been removed");
    }
    let mut common = from;
    while !is_below(sys, to, common) {
        let Some(parent) = sys.kernel.cgroups[common].parent else { break };
        common = parent;
    }
    if !may_write_procs(sys, task, to) || !may_write_procs(sys, task, common) {
        let why = "cgroup.procs of the group, or of the one above both, cannot be written";
        return refuse(Errno::EACCES, "cgroup_may_write", why);
    }
    // pids counts threads one by one, so groups may compete with tasks, unless
    // a group below is a domain in use.
    let c = &sys.kernel.cgroups[to];
    if c.parent.is_some() && c.subtree_pids && populated_child(sys, to) {
        let why = "groups below it are populated: no tasks beside them";
        return refuse(Errno::EBUSY, "cgroup_migrate_vet_dst", why);
    }
    Ok(())
}

/// Whether a group directly below one is populated.
pub(super) fn populated_child(sys: &System, id: CgroupId) -> bool {
    let children: Vec<CgroupId> = sys
        .kernel
        .cgroups
        .iter()
        .filter(|(_, c)| c.parent == Some(id))
        .map(|(child, _)| child)
        .collect();
    children.into_iter().any(|child| is_populated(sys, child))
}

/// Moves a process with all its threads. A thread that exits stays where it
/// was.
///
/// # Errors
/// EINVAL: a kernel thread. Those of [`attach_permission`].
pub fn cgroup_migrate(
    sys: &mut System,
    task: TaskId,
    process: TaskId,
    to: CgroupId,
) -> Result<(), SysError> {
    if sys.task(process).flags.contains(PF::KTHREAD) {
        return refuse(Errno::EINVAL, "cgroup_procs_write_start", "a kernel thread stays");
    }
    let from = sys.task(process).cgroup;
    attach_permission(sys, task, from, to)?;
    for thread in threads(sys, process) {
        let old = sys.task(thread).cgroup;
        if sys.task(thread).flags.contains(PF::EXITING) || old == to {
            continue;
        }
        pids_charge(sys, to, 1);
        pids_cancel(sys, old, 1);
        cgroup_get(sys, to);
        sys.kernel.cgroups[to].nr_tasks += 1;
        sys.kernel.cgroups[old].nr_tasks -= 1;
        sys.task_mut(thread).cgroup = to;
        cgroup_put(sys, old);
    }
    Ok(())
}
