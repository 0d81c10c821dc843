//! Credentials: who a task is. They are never changed in place: a change
//! prepares a copy and then publishes it.
//!
//! ```text
//! prepare_creds        commit_creds            put_cred
//!   usage 1 ---------> task.cred and        -> the old one is freed with
//!   a private copy     task.real_cred: 2       its last holder
//! ```
//!
//! Linux: include/linux/cred.h, kernel/cred.c (prepare_creds, commit_creds,
//! copy_creds, exit_creds, cred_cap_issubset); credentials(7).
//! Left out: keyrings, security modules, override_creds.

pub mod commoncap;
pub mod exec;
pub mod groups;
pub mod id_map;
pub mod setgid;
pub mod setuid;
#[cfg(test)]
mod tests;
pub mod user_ns;

pub use super::capability::{capable, ns_capable};

use crate::abi::{CapSet, CloneFlags};
use crate::base::Id;
use crate::kernel::error::SysError;
use crate::kernel::inject::should_fail;
use crate::kernel::nsproxy::UserNsId;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::user::{dec_nproc, free_uid, get_uid, inc_nproc};
use crate::traced;
use std::sync::Arc;
use user_ns::{get_user_ns, put_user_ns};

/// Names a `struct cred`.
pub type CredId = Id<Cred>;
/// Names a `user_struct`.
pub type UserId = Id<UserStruct>;

/// `struct user_struct`, with the task count that Linux 6 keeps in ucounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserStruct {
    /// References from creds.
    pub count: u32,
    /// Real uid it counts for.
    pub uid: u32,
    /// Tasks with this real uid (RLIMIT_NPROC counts them, zombies too).
    pub processes: u32,
    /// Queued signals (RLIMIT_SIGPENDING counts them).
    pub sigpending: u32,
}

/// `struct cred`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cred {
    /// References: a task holds one as `cred` and one as `real_cred`.
    pub usage: u32,
    /// Real uid.
    pub uid: u32,
    /// Real gid.
    pub gid: u32,
    /// Saved uid.
    pub suid: u32,
    /// Saved gid.
    pub sgid: u32,
    /// Effective uid.
    pub euid: u32,
    /// Effective gid.
    pub egid: u32,
    /// Uid for file access.
    pub fsuid: u32,
    /// Gid for file access.
    pub fsgid: u32,
    /// `SECBIT_*`.
    pub securebits: u32,
    /// Capabilities kept over exec of a file that asks for them.
    pub cap_inheritable: CapSet,
    /// Capabilities it may make effective.
    pub cap_permitted: CapSet,
    /// Capabilities checks look at.
    pub cap_effective: CapSet,
    /// Ceiling for what exec can grant.
    pub cap_bset: CapSet,
    /// Capabilities kept over any exec.
    pub cap_ambient: CapSet,
    /// Whose tasks are counted with this one.
    pub user: UserId,
    /// User namespace the capabilities are in.
    pub user_ns: UserNsId,
    /// Supplementary groups, ascending.
    pub group_info: Arc<[u32]>,
}

impl Cred {
    /// Whether `gid` is the file-system group or a supplementary one
    /// (`in_group_p`).
    pub fn in_group_p(&self, gid: u32) -> bool {
        self.fsgid == gid || self.group_info.binary_search(&gid).is_ok()
    }

    /// Whether it has a secure bit.
    pub fn issecure(&self, bit: u32) -> bool {
        self.securebits & bit != 0
    }
}

/// A private copy of a task's credentials to change, with one reference
/// (`prepare_creds`). Error: ENOMEM when injected.
pub fn prepare_creds(sys: &mut System, task: TaskId) -> Result<CredId, SysError> {
    should_fail(sys, "prepare_creds")?;
    let new = Cred { usage: 1, ..sys.cred(task).clone() };
    let (user, ns) = (new.user, new.user_ns);
    get_uid(sys, user);
    get_user_ns(sys, ns);
    Ok(sys.kernel.creds.insert(new))
}

/// Gives up a copy that is not to be used (`abort_creds`).
pub fn abort_creds(sys: &mut System, new: CredId) {
    put_cred(sys, new);
}

/// One more reference (`get_cred`).
pub fn get_cred(sys: &mut System, id: CredId) {
    get_cred_many(sys, id, 1);
}

fn get_cred_many(sys: &mut System, id: CredId, n: u32) {
    let c = &mut sys.kernel.creds[id];
    c.usage = c.usage.saturating_add(n);
}

/// Drops a reference (`put_cred`).
pub fn put_cred(sys: &mut System, id: CredId) {
    put_cred_many(sys, id, 1);
}

/// Drops `n` references; the last one frees it (`put_cred_many`).
pub fn put_cred_many(sys: &mut System, id: CredId, n: u32) {
    let Some(c) = sys.kernel.creds.get_mut(id) else {
        return sys.oops("put_cred", "credentials were dropped after they were freed".into());
    };
    if c.usage > n {
        c.usage -= n;
        return;
    }
    if c.usage < n {
        let usage = c.usage;
        sys.oops("put_cred", format!("{n} references dropped of credentials that have {usage}"));
    }
    let (user, user_ns) = (sys.kernel.creds[id].user, sys.kernel.creds[id].user_ns);
    sys.kernel.creds.free(id);
    free_uid(sys, user);
    put_user_ns(sys, user_ns);
}

/// Whether having `new` gives nothing over having `old`
/// (`cred_cap_issubset`): its capabilities are fewer, or are in a user
/// namespace below that the old euid made.
fn cred_cap_issubset(sys: &System, old: &Cred, new: &Cred) -> bool {
    if old.user_ns == new.user_ns && new.cap_permitted.is_subset(old.cap_permitted) {
        return true;
    }
    let mut at = Some(new.user_ns);
    while let Some(id) = at {
        let ns = &sys.kernel.user_namespaces[id];
        if ns.parent == Some(old.user_ns) && ns.owner == old.euid {
            return true;
        }
        at = ns.parent;
    }
    false
}

/// Publishes prepared credentials as the task's own; takes over the
/// reference. A change of effective or file-system ids, or more
/// capabilities, makes the process undumpable and forgets its pdeath_signal.
/// Source: `commit_creds`.
pub fn commit_creds(sys: &mut System, task: TaskId, new: CredId) {
    let t = sys.task(task);
    let (old, mm) = (t.cred, t.mm);
    if t.real_cred != old {
        sys.oops("commit_creds", "a task acts with borrowed credentials".into());
    }
    get_cred(sys, new);
    let (o, n) = (&sys.kernel.creds[old], &sys.kernel.creds[new]);
    let (old_user, new_user) = (o.user, n.user);
    let moved = old_user != new_user || o.user_ns != n.user_ns;
    let ids = |c: &Cred| (c.euid, c.egid, c.fsuid, c.fsgid);
    if ids(o) != ids(n) || !cred_cap_issubset(sys, o, n) {
        if let Some(mm) = mm {
            sys.mm_mut(mm).dumpable = sys.kernel.sysctl.suid_dumpable;
        }
        sys.task_mut(task).pdeath_signal = 0;
    }
    if moved {
        inc_nproc(sys, new_user);
    }
    let t = sys.task_mut(task);
    t.cred = new;
    t.real_cred = new;
    if moved {
        dec_nproc(sys, old_user);
    }
    put_cred_many(sys, old, 2);
}

/// Credentials for a new child: shared by a thread, else a copy, with two
/// references (for `cred` and `real_cred`). The caller stores the id in the
/// child and counts it for its user (`user::inc_nproc`); undoing is
/// `user::dec_nproc_of` and [`exit_creds`]. Source: `copy_creds`.
pub fn copy_creds(sys: &mut System, parent: TaskId, flags: CloneFlags) -> Result<CredId, SysError> {
    if flags.contains(CloneFlags::CLONE_THREAD) {
        let shared = sys.task(parent).cred;
        get_cred_many(sys, shared, 2);
        return Ok(shared);
    }
    let new = traced!(sys, prepare_creds(parent))?;
    if flags.contains(CloneFlags::CLONE_NEWUSER)
        && let Err(e) = user_ns::create_user_ns(sys, parent, new)
    {
        put_cred(sys, new);
        return Err(e);
    }
    get_cred(sys, new);
    Ok(new)
}

/// The end of a task's hold on its credentials (`exit_creds`), when the task
/// itself is freed.
pub fn exit_creds(sys: &mut System, task: TaskId) {
    let t = sys.task(task);
    let (cred, real) = (t.cred, t.real_cred);
    if cred == real {
        put_cred_many(sys, cred, 2);
    } else {
        put_cred(sys, real);
        put_cred(sys, cred);
    }
}
