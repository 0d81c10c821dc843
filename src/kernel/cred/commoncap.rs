//! What capabilities do when user ids change, and the prctl operations on
//! them.
//!
//! ```text
//! uids all away from 0   permitted, effective, ambient cleared (KEEP_CAPS: ambient)
//! euid 0 -> n            effective cleared
//! euid n -> 0            effective := permitted
//! fsuid 0 <-> n          file-system capabilities leave or join effective
//! ```
//!
//! Linux: security/commoncap.c (cap_emulate_setxuid, cap_task_fix_setuid,
//! cap_prctl_drop, cap_task_prctl).
//! Left out: security modules.

use super::{Cred, abort_creds, commit_creds, prepare_creds};
use crate::abi::numbers::*;
use crate::abi::{Cap, CapSet, Errno};
use crate::kernel::capability::{cap_capable, ns_capable};
use crate::kernel::cred::CredId;
use crate::kernel::cred::user_ns::make_kuid;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

/// SECBIT_EXEC_RESTRICT_FILE and SECBIT_EXEC_DENY_INTERACTIVE with their
/// locks: the bits that need no privilege (Linux 6.14).
const SECURE_UNPRIVILEGED: u32 = 0x100 | 0x200 | 0x400 | 0x800;
/// All bits that are no locks.
const SECURE_ALL_BITS: u32 = 0x555;
/// All locks: each is the bit above what it locks.
const SECURE_ALL_LOCKS: u32 = SECURE_ALL_BITS << 1;

/// Whether a change of user ids came from setfsuid(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetId {
    /// setuid, setreuid, setresuid.
    All,
    /// setfsuid.
    Fs,
}

/// Adapts the capabilities of `new` to the ids it got (`cap_task_fix_setuid`).
pub fn cap_task_fix_setuid(sys: &mut System, task: TaskId, new: CredId, which: SetId) {
    let old = sys.cred(task);
    if old.issecure(SECBIT_NO_SETUID_FIXUP) {
        return;
    }
    let root = make_kuid(sys, old.user_ns, 0);
    let is_root = |uid: u32| Some(uid) == root;
    let all = |c: &Cred| [c.uid, c.euid, c.suid].into_iter().any(is_root);
    let (had_any, had_euid, had_fsuid) = (all(old), is_root(old.euid), is_root(old.fsuid));
    let keep = old.issecure(SECBIT_KEEP_CAPS);
    let n = &sys.kernel.creds[new];
    let (has_any, has_euid, has_fsuid) = (all(n), is_root(n.euid), is_root(n.fsuid));

    let n = &mut sys.kernel.creds[new];
    match which {
        SetId::All => {
            if had_any && !has_any {
                if !keep {
                    n.cap_permitted = CapSet::EMPTY;
                    n.cap_effective = CapSet::EMPTY;
                }
                n.cap_ambient = CapSet::EMPTY;
            }
            if had_euid && !has_euid {
                n.cap_effective = CapSet::EMPTY;
            }
            if !had_euid && has_euid {
                n.cap_effective = n.cap_permitted;
            }
        }
        SetId::Fs => {
            if had_fsuid && !has_fsuid {
                n.cap_effective = n.cap_effective.minus(CapSet::FS);
            }
            if !had_fsuid && has_fsuid {
                n.cap_effective = n.cap_effective.or(n.cap_permitted.and(CapSet::FS));
            }
        }
    }
}

/// Prepares a copy, changes it, publishes it.
fn change(sys: &mut System, task: TaskId, f: impl FnOnce(&mut Cred)) -> Result<i64, SysError> {
    let new = traced!(sys, prepare_creds(task))?;
    f(&mut sys.kernel.creds[new]);
    traced!(sys, commit_creds(task, new));
    Ok(0)
}

fn cap(n: u64, function: &'static str) -> Result<Cap, SysError> {
    let why = "there is no capability with this number (0 to 40)";
    Cap::new(n).ok_or(SysError::new(Errno::EINVAL, function, why))
}

/// PR_CAPBSET_READ: 1 if the capability is in the bounding set.
pub fn capbset_read(sys: &System, task: TaskId, n: u64) -> Result<i64, SysError> {
    let c = cap(n, "cap_task_prctl")?;
    Ok(i64::from(sys.cred(task).cap_bset.contains(c)))
}

/// PR_CAPBSET_DROP (`cap_prctl_drop`).
pub fn capbset_drop(sys: &mut System, task: TaskId, n: u64) -> Result<i64, SysError> {
    const F: &str = "cap_prctl_drop";
    let ns = sys.cred(task).user_ns;
    if !ns_capable(sys, task, ns, Cap::CAP_SETPCAP) {
        return refuse(Errno::EPERM, F, "lowering the bounding set needs CAP_SETPCAP");
    }
    let c = cap(n, F)?;
    change(sys, task, |new| new.cap_bset.del(c))
}

/// PR_SET_SECUREBITS.
pub fn set_securebits(sys: &mut System, task: TaskId, bits: u64) -> Result<i64, SysError> {
    const F: &str = "cap_task_prctl";
    let old = sys.cred(task);
    let Ok(bits) = u32::try_from(bits) else {
        return refuse(Errno::EPERM, F, "there are no such secure bits");
    };
    let changed = old.securebits ^ bits;
    let locks = old.securebits & SECURE_ALL_LOCKS;
    let why = if (locks >> 1) & changed != 0 {
        "a bit that is locked cannot be changed"
    } else if locks & !bits != 0 {
        "a lock cannot be opened again"
    } else if bits & !(SECURE_ALL_BITS | SECURE_ALL_LOCKS) != 0 {
        "there are no such secure bits"
    // Without privilege even to change nothing is refused, as it was before
    // there were bits that need none.
    } else if (changed == 0 || changed & !SECURE_UNPRIVILEGED != 0)
        && !cap_capable(sys, old, old.user_ns, Cap::CAP_SETPCAP)
    {
        "setting secure bits needs CAP_SETPCAP"
    } else {
        return change(sys, task, |new| new.securebits = bits);
    };
    refuse(Errno::EPERM, F, why)
}

/// PR_SET_KEEPCAPS.
pub fn set_keepcaps(sys: &mut System, task: TaskId, on: u64) -> Result<i64, SysError> {
    const F: &str = "cap_task_prctl";
    if on > 1 {
        return refuse(Errno::EINVAL, F, "KEEPCAPS is 0 or 1");
    }
    if sys.cred(task).issecure(SECBIT_KEEP_CAPS_LOCKED) {
        return refuse(Errno::EPERM, F, "SECBIT_KEEP_CAPS is locked");
    }
    change(sys, task, |new| {
        new.securebits &= !SECBIT_KEEP_CAPS;
        new.securebits |= SECBIT_KEEP_CAPS * on as u32;
    })
}

/// PR_CAP_AMBIENT: `op` is one of PR_CAP_AMBIENT_*, `rest` the two arguments
/// behind the capability.
pub fn cap_ambient(
    sys: &mut System,
    task: TaskId,
    op: u64,
    n: u64,
    rest: [u64; 2],
) -> Result<i64, SysError> {
    const F: &str = "cap_task_prctl";
    const IS_SET: u64 = PR_CAP_AMBIENT_IS_SET as u64;
    const RAISE: u64 = PR_CAP_AMBIENT_RAISE as u64;
    const LOWER: u64 = PR_CAP_AMBIENT_LOWER as u64;
    const CLEAR_ALL: u64 = PR_CAP_AMBIENT_CLEAR_ALL as u64;
    if rest != [0, 0] || op == CLEAR_ALL && n != 0 {
        return refuse(Errno::EINVAL, F, "the unused arguments of PR_CAP_AMBIENT must be 0");
    }
    if op == CLEAR_ALL {
        return change(sys, task, |new| new.cap_ambient = CapSet::EMPTY);
    }
    let c = cap(n, F)?;
    let old = sys.cred(task);
    match op {
        IS_SET => Ok(i64::from(old.cap_ambient.contains(c))),
        LOWER => change(sys, task, |new| new.cap_ambient.del(c)),
        RAISE => {
            if !old.cap_permitted.contains(c) || !old.cap_inheritable.contains(c) {
                let why = "an ambient capability must be both permitted and inheritable";
                return refuse(Errno::EPERM, F, why);
            }
            if old.issecure(SECBIT_NO_CAP_AMBIENT_RAISE) {
                return refuse(Errno::EPERM, F, "SECBIT_NO_CAP_AMBIENT_RAISE forbids it");
            }
            change(sys, task, |new| new.cap_ambient.add(c))
        }
        _ => refuse(Errno::EINVAL, F, "PR_CAP_AMBIENT knows IS_SET, RAISE, LOWER and CLEAR_ALL"),
    }
}

/// Gives up a prepared copy together with a refusal.
pub(super) fn abort<T>(sys: &mut System, new: CredId, e: SysError) -> Result<T, SysError> {
    abort_creds(sys, new);
    Err(e)
}
