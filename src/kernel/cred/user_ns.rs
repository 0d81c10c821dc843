//! User namespaces as credentials see them: making one, counting references,
//! translating ids.
//!
//! Credentials hold ids of the initial namespace (`kuid_t`); what a program
//! says and sees is translated through the uid_map of its namespace.
//!
//! Linux: kernel/user_namespace.c (create_user_ns, set_cred_user_ns,
//! map_id_range_down, from_kuid_munged).
//! Left out: writing maps through /proc, the counts of ucounts.

use crate::abi::numbers::{SECBIT_KEEP_CAPS, SECBIT_NOROOT};
use crate::abi::{Cap, CapSet, Errno};
use crate::kernel::cred::{Cred, CredId};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::nsproxy::{UidExtent, UserNamespace, UserNsId};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// What an id without mapping looks like (`overflowuid`, `overflowgid`).
pub const OVERFLOWUID: u32 = 65534;
/// Deepest nesting of user namespaces.
const MAX_LEVEL: u32 = 32;
/// SECUREBITS_DEFAULT: nothing is special.
const SECUREBITS_DEFAULT: u32 = 0;
const _: () = assert!(SECUREBITS_DEFAULT & (SECBIT_NOROOT | SECBIT_KEEP_CAPS) == 0);

/// Which of the two maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// uid_map
    Uid,
    /// gid_map
    Gid,
}

/// The lines of a map.
pub(super) fn extents(ns: &UserNamespace, map: Map) -> &[UidExtent] {
    match map {
        Map::Uid => &ns.uid_map,
        Map::Gid => &ns.gid_map,
    }
}

/// An id of `ns` as one of the initial namespace (`map_id_range_down`).
pub(super) fn down(sys: &System, ns: UserNsId, id: u32, map: Map) -> Option<u32> {
    if id == u32::MAX {
        return None;
    }
    let (mut at, mut id) = (ns, id);
    loop {
        let n = &sys.kernel.user_namespaces[at];
        let Some(parent) = n.parent else { return Some(id) };
        let e = extents(n, map).iter().find(|e| id.wrapping_sub(e.first) < e.count)?;
        id = e.lower_first.wrapping_add(id.wrapping_sub(e.first));
        at = parent;
    }
}

/// An id of the initial namespace as `ns` sees it (`map_id_up`).
pub(super) fn up(sys: &System, ns: UserNsId, id: u32, map: Map) -> Option<u32> {
    let n = &sys.kernel.user_namespaces[ns];
    let Some(parent) = n.parent else { return Some(id) };
    let id = up(sys, parent, id, map)?;
    let e = extents(n, map).iter().find(|e| id.wrapping_sub(e.lower_first) < e.count)?;
    Some(e.first.wrapping_add(id.wrapping_sub(e.lower_first)))
}

/// The uid that a program in `ns` means; `None` for -1 and what is not
/// mapped (`make_kuid`).
pub fn make_kuid(sys: &System, ns: UserNsId, uid: u32) -> Option<u32> {
    down(sys, ns, uid, Map::Uid)
}

/// The same for a gid (`make_kgid`).
pub fn make_kgid(sys: &System, ns: UserNsId, gid: u32) -> Option<u32> {
    down(sys, ns, gid, Map::Gid)
}

/// A uid as a program in `ns` sees it, 65534 when it has no mapping
/// (`from_kuid_munged`).
pub fn from_kuid_munged(sys: &System, ns: UserNsId, kuid: u32) -> u32 {
    up(sys, ns, kuid, Map::Uid).unwrap_or(OVERFLOWUID)
}

/// The same for a gid (`from_kgid_munged`).
pub fn from_kgid_munged(sys: &System, ns: UserNsId, kgid: u32) -> u32 {
    up(sys, ns, kgid, Map::Gid).unwrap_or(OVERFLOWUID)
}

/// Whether a uid is mapped into `ns` (`kuid_has_mapping`).
pub fn kuid_has_mapping(sys: &System, ns: UserNsId, kuid: u32) -> bool {
    up(sys, ns, kuid, Map::Uid).is_some()
}

/// Whether a gid is mapped into `ns` (`kgid_has_mapping`).
pub fn kgid_has_mapping(sys: &System, ns: UserNsId, kgid: u32) -> bool {
    up(sys, ns, kgid, Map::Gid).is_some()
}

/// One more reference (`get_user_ns`).
#[inline]
pub fn get_user_ns(sys: &mut System, ns: UserNsId) {
    let n = &mut sys.kernel.user_namespaces[ns];
    n.count = n.count.saturating_add(1);
}

/// Drops a reference; the last one frees it, which drops its parent's
/// (`put_user_ns`, `free_user_ns`).
pub fn put_user_ns(sys: &mut System, ns: UserNsId) {
    let mut at = Some(ns);
    while let Some(id) = at {
        let Some(n) = sys.kernel.user_namespaces.get_mut(id) else {
            return sys.oops("put_user_ns", "a user namespace was dropped after its end".into());
        };
        if n.count > 1 {
            n.count -= 1;
            return;
        }
        at = n.parent;
        sys.kernel.user_namespaces.remove(id);
    }
}

/// A user namespace below the one of `new`, owned by its euid; `new` gets all
/// capabilities in it and none elsewhere. Preconditions: `new` is prepared,
/// not yet published. Source: `create_user_ns`.
pub fn create_user_ns(sys: &mut System, task: TaskId, new: CredId) -> Result<(), SysError> {
    const F: &str = "create_user_ns";
    let c = &sys.kernel.creds[new];
    let (parent, owner, group) = (c.user_ns, c.euid, c.egid);
    let parent_could_setfcap = c.cap_effective.contains(Cap::CAP_SETFCAP);
    let level = sys.kernel.user_namespaces[parent].level;
    let setgroups_allowed = sys.kernel.user_namespaces[parent].setgroups_allowed;
    if level > MAX_LEVEL {
        return refuse(Errno::ENOSPC, F, "user namespaces nest at most 32 deep");
    }
    let chrooted = sys.task(task).fs.is_some_and(|fs| &*sys.kernel.fs[fs].root != "/");
    if chrooted {
        return refuse(
            Errno::EPERM,
            F,
            "the caller's root directory is not the root of its mounts",
        );
    }
    if !kuid_has_mapping(sys, parent, owner) || !kgid_has_mapping(sys, parent, group) {
        let why = "the caller's euid or egid has no mapping in its own user namespace";
        return refuse(Errno::EPERM, F, why);
    }
    let inum = sys.kernel.next_ns_inum;
    sys.kernel.next_ns_inum = inum.wrapping_add(1);
    // The parent's reference passes from the credentials to the child.
    let ns = sys.kernel.user_namespaces.insert(UserNamespace {
        count: 1,
        level: level + 1,
        parent: Some(parent),
        owner,
        group,
        uid_map: Vec::new(),
        gid_map: Vec::new(),
        setgroups_allowed,
        parent_could_setfcap,
        inum,
    });
    set_cred_user_ns(&mut sys.kernel.creds[new], ns);
    Ok(())
}

/// Makes a user namespace that of credentials, with all capabilities in it
/// (`set_cred_user_ns`). References are the caller's business.
pub fn set_cred_user_ns(c: &mut Cred, ns: UserNsId) {
    c.securebits = SECUREBITS_DEFAULT;
    c.cap_inheritable = CapSet::EMPTY;
    c.cap_permitted = CapSet::FULL;
    c.cap_effective = CapSet::FULL;
    c.cap_ambient = CapSet::EMPTY;
    c.cap_bset = CapSet::FULL;
    c.user_ns = ns;
}
