//! Control groups, version 2: a tree in which every process has a place, and
//! the controller that counts tasks (`pids`).
//!
//! ```text
//! /sys/fs/cgroup             the root: no limits
//!   shop                     made by mkdir, removed by rmdir
//!     cgroup.procs           who is in it; writing a pid moves a process
//!     cgroup.subtree_control "+pids": children get pids.max
//!     web
//!       pids.max pids.current pids.peak pids.events
//! ```
//! A child begins in its creator's group, or with CLONE_INTO_CGROUP in another.
//! A task counts until it is released: zombies count.
//!
//! Linux: kernel/cgroup/cgroup.c, kernel/cgroup/pids.c.
//! Left out: all other controllers, threaded groups, the freezer, namespaces
//! of groups, delegation by mount options.

pub mod files;
mod migrate;
mod pids;

use migrate::attach_permission;
use pids::{pids_cancel, pids_try_charge};

use crate::abi::Errno;
use crate::base::Id;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::InodeId;
use crate::kernel::system::System;
use crate::kernel::task::{ExitStage, PF, TaskId, TaskStruct};
use std::sync::Arc;

/// The name of a group.
pub type CgroupId = Id<Cgroup>;

/// `struct cgroup`, with what `pids` keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    /// References: tasks until they are released, groups below it, open files,
    /// and one while it has a directory.
    pub count: u32,
    /// The group above; none for the root.
    pub parent: Option<CgroupId>,
    /// Its path from the root: `/shop/web`.
    pub path: Arc<str>,
    /// Groups below it that have a directory.
    pub nr_children: u32,
    /// Tasks in it that have not begun to exit.
    pub nr_tasks: u32,
    /// The directory is gone (CSS_DYING).
    pub dead: bool,
    /// `pids` is in cgroup.subtree_control.
    pub subtree_pids: bool,
    /// Tasks in it and below, for groups whose parent has `pids` enabled.
    pub pids: Option<Pids>,
}

/// `struct pids_cgroup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pids {
    /// pids.current.
    pub counter: u64,
    /// pids.max; none: no limit.
    pub limit: Option<u64>,
    /// pids.peak.
    pub watermark: u64,
    /// pids.events: how often the limit was in the way, here or below.
    pub events_max: u64,
}

impl Cgroup {
    /// A group without anybody.
    pub fn new(parent: Option<CgroupId>, path: Arc<str>) -> Cgroup {
        Cgroup {
            count: 1,
            parent,
            path,
            nr_children: 0,
            nr_tasks: 0,
            dead: false,
            subtree_pids: false,
            pids: None,
        }
    }
}

/// Takes a reference.
pub fn cgroup_get(sys: &mut System, id: CgroupId) {
    match sys.kernel.cgroups.get_mut(id) {
        Some(c) => c.count += 1,
        None => sys.oops("cgroup_get", format!("cgroup {id:?} is freed")),
    }
}

/// Drops a reference; the last frees the group, and lets go of the one above.
pub fn cgroup_put(sys: &mut System, id: CgroupId) {
    let mut at = Some(id);
    while let Some(id) = at.take() {
        let Some(c) = sys.kernel.cgroups.get_mut(id) else {
            return sys.oops("cgroup_put", format!("cgroup {id:?} is freed"));
        };
        c.count -= 1;
        if c.count == 0 {
            at = sys.kernel.cgroups.remove(id).and_then(|c| c.parent);
        }
    }
}

/// The group whose directory an inode is.
pub fn of_inode(sys: &System, inode: InodeId) -> Option<CgroupId> {
    sys.kernel.inodes.get(inode)?.cgroup
}

/// Whether a live task is in the group or below it.
pub fn is_populated(sys: &System, id: CgroupId) -> bool {
    sys.kernel.cgroups[id].nr_tasks > 0
        || sys.kernel.cgroups.iter().any(|(_, c)| {
            c.nr_tasks > 0 && c.parent.is_some_and(|parent| is_below(sys, parent, id))
        })
}

/// Whether a group is another one or below it.
pub fn is_below(sys: &System, id: CgroupId, ancestor: CgroupId) -> bool {
    let mut at = Some(id);
    while let Some(id) = at {
        if id == ancestor {
            return true;
        }
        at = sys.kernel.cgroups[id].parent;
    }
    false
}

/// The group for a new directory (`cgroup_mkdir`).
///
/// # Errors
/// ENODEV: the group above has been removed.
pub fn cgroup_mkdir(sys: &mut System, parent: CgroupId, name: &str) -> Result<CgroupId, SysError> {
    let p = &mut sys.kernel.cgroups[parent];
    if p.dead {
        return refuse(Errno::ENODEV, "cgroup_kn_lock_live", "the group has been removed");
    }
    p.count += 1;
    p.nr_children += 1;
    let base = if &*p.path == "/" { "" } else { &*p.path };
    let path = Arc::from(format!("{base}/{name}"));
    let mut new = Cgroup::new(Some(parent), path);
    new.pids = p.subtree_pids.then(Pids::default);
    Ok(sys.kernel.cgroups.insert(new))
}

/// The directory of a group goes (`cgroup_rmdir`).
///
/// # Errors
/// EBUSY: tasks are in it that live, or groups are below it.
pub fn cgroup_rmdir(sys: &mut System, id: CgroupId) -> Result<(), SysError> {
    let c = &sys.kernel.cgroups[id];
    let Some(parent) = c.parent else {
        return refuse(Errno::EBUSY, "cgroup_destroy_locked", "the root group stays");
    };
    if c.nr_tasks > 0 || c.nr_children > 0 {
        let why = "tasks are in the group, or groups are below it";
        return refuse(Errno::EBUSY, "cgroup_destroy_locked", why);
    }
    sys.kernel.cgroups[id].dead = true;
    sys.kernel.cgroups[parent].nr_children -= 1;
    cgroup_put(sys, id);
    Ok(())
}

/// The group that a child of `current` begins in, charged for it. Whoever
/// fails later gives it back by [`cgroup_cancel_fork`].
///
/// # Errors
/// EAGAIN: pids.max, which binds root too. EBADF: no group's directory.
/// EACCES, EBUSY, ENODEV, EOPNOTSUPP of CLONE_INTO_CGROUP.
pub fn cgroup_can_fork(
    sys: &mut System,
    current: TaskId,
    into: Option<InodeId>,
) -> Result<CgroupId, SysError> {
    let own = sys.task(current).cgroup;
    let id = match into {
        None => own,
        Some(dir) => {
            let Some(id) = of_inode(sys, dir) else {
                let why = "CLONE_INTO_CGROUP: the descriptor is no directory of a cgroup";
                return refuse(Errno::EBADF, "cgroup_get_from_file", why);
            };
            attach_permission(sys, current, own, id)?;
            id
        }
    };
    pids_try_charge(sys, id)?;
    cgroup_get(sys, id);
    Ok(id)
}

/// The child will not be.
pub fn cgroup_cancel_fork(sys: &mut System, id: CgroupId) {
    pids_cancel(sys, id, 1);
    cgroup_put(sys, id);
}

/// The child is there (`cgroup_post_fork`).
pub fn cgroup_post_fork(sys: &mut System, p: TaskId, id: CgroupId) {
    sys.task_mut(p).cgroup = id;
    sys.kernel.cgroups[id].nr_tasks += 1;
}

/// Whether a task has passed `cgroup_exit`.
pub fn has_left(t: &TaskStruct) -> bool {
    let before = t.exiting.is_some_and(|e| e.next == ExitStage::Files);
    t.flags.contains(PF::EXITING) && !before
}

/// A task is about to be dead: it does not populate its group any more.
pub fn cgroup_exit(sys: &mut System, task: TaskId) {
    let id = sys.task(task).cgroup;
    sys.kernel.cgroups[id].nr_tasks -= 1;
}

/// A task is released: it does not count any more (`cgroup_release`).
pub fn cgroup_release(sys: &mut System, task: TaskId) {
    let id = sys.task(task).cgroup;
    pids_cancel(sys, id, 1);
    cgroup_put(sys, id);
}
