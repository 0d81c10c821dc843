//! Supplementary groups: setgroups(2), getgroups(2).
//!
//! Linux: kernel/groups.c (may_setgroups, set_groups, groups_sort).
//! Left out: nothing.

use super::user_ns::{from_kgid_munged, make_kgid};
use super::{commit_creds, prepare_creds};
use crate::abi::{Cap, Errno};
use crate::kernel::capability::ns_capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

/// Most supplementary groups.
pub const NGROUPS_MAX: u64 = 65536;

/// Whether the caller may call setgroups(2) at all; asked before its
/// arguments are looked at (`may_setgroups`).
pub fn may_setgroups(sys: &mut System, task: TaskId) -> Result<(), SysError> {
    const F: &str = "may_setgroups";
    let ns = sys.cred(task).user_ns;
    if !ns_capable(sys, task, ns, Cap::CAP_SETGID) {
        return refuse(Errno::EPERM, F, "setgroups needs CAP_SETGID");
    }
    let n = &sys.kernel.user_namespaces[ns];
    if n.parent.is_some() && n.gid_map.is_empty() {
        return refuse(Errno::EPERM, F, "the gid_map of the user namespace is not yet written");
    }
    if !n.setgroups_allowed {
        return refuse(Errno::EPERM, F, "/proc/PID/setgroups of the user namespace says \"deny\"");
    }
    Ok(())
}

/// Sets the supplementary groups. Preconditions: [`may_setgroups`].
pub fn set_groups(sys: &mut System, task: TaskId, gids: &[u32]) -> Result<(), SysError> {
    let ns = sys.cred(task).user_ns;
    let mapped: Option<Vec<u32>> = gids.iter().map(|g| make_kgid(sys, ns, *g)).collect();
    let Some(mut groups) = mapped else {
        let why = "a gid has no mapping in the caller's user namespace, or is -1";
        return refuse(Errno::EINVAL, "groups_from_user", why);
    };
    groups.sort_unstable();
    let new = traced!(sys, prepare_creds(task))?;
    sys.kernel.creds[new].group_info = groups.into();
    traced!(sys, commit_creds(task, new));
    Ok(())
}

/// The supplementary groups as the caller sees them, ascending.
pub fn get_groups(sys: &System, task: TaskId) -> Vec<u32> {
    let c = sys.cred(task);
    c.group_info.iter().map(|g| from_kgid_munged(sys, c.user_ns, *g)).collect()
}
