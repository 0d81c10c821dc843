//! Credentials: who a task is. They are never changed in place: a change
//! prepares a copy and then publishes it.
//!
//! Linux: include/linux/cred.h, kernel/cred.c; credentials(7).
//! Left out: keyrings, security modules.

use crate::abi::CapSet;
use crate::base::Id;
use crate::kernel::nsproxy::UserNsId;
use std::sync::Arc;

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
