//! Credentials across execve(2): set-user-ID, what root gets, what
//! no_new_privs and shared structures take away.
//!
//! ```text
//! P'(permitted)  = bset | P(inheritable)   if real or effective uid is 0
//!                  else P(ambient)
//! P'(effective)  = P'(permitted)           if the effective uid is 0
//!                  else P'(ambient)
//! P'(ambient)    = 0 after set-user-ID, else P(ambient)
//! ```
//!
//! Linux: fs/exec.c (check_unsafe_exec, bprm_fill_uid, begin_new_exec),
//! kernel/cred.c (prepare_exec_creds), security/commoncap.c
//! (handle_privileged_root, cap_bprm_creds_from_file).
//! Left out: file capabilities, nosuid mounts.

use super::user_ns::{kgid_has_mapping, kuid_has_mapping, make_kuid};
use super::{Cred, CredId, commit_creds, prepare_creds};
use crate::abi::numbers::{SECBIT_KEEP_CAPS, SECBIT_NOROOT};
use crate::abi::{Cap, Errno};
use crate::kernel::capability::ns_capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::InodeId;
use crate::kernel::mm::MmId;
use crate::kernel::ptrace::ptracer_capable;
use crate::kernel::signal::threads;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

bitflags::bitflags! {
    /// `bprm->unsafe`, `LSM_UNSAFE_*`: why the new program must not gain.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Unsafe: u32 {
        /// Another process shares root and working directory (CLONE_FS).
        const SHARE = 1;
        /// It is traced.
        const PTRACE = 2;
        /// no_new_privs is set.
        const NO_NEW_PRIVS = 4;
    }
}

/// Set-user-ID bit of a mode.
const S_ISUID: u32 = 0o4000;
/// Set-group-ID bit of a mode.
const S_ISGID: u32 = 0o2000;
/// Execute permission of the group.
const S_IXGRP: u32 = 0o010;
/// SUID_DUMP_USER: dumpable by its user.
const SUID_DUMP_USER: u32 = 1;

/// The copy that an exec changes (`prepare_exec_creds`): the saved and
/// file-system ids follow the effective ones.
pub fn prepare_exec_creds(sys: &mut System, task: TaskId) -> Result<CredId, SysError> {
    let new = traced!(sys, prepare_creds(task))?;
    let n = &mut sys.kernel.creds[new];
    (n.suid, n.fsuid) = (n.euid, n.euid);
    (n.sgid, n.fsgid) = (n.egid, n.egid);
    Ok(new)
}

/// What makes gaining privilege unsafe. If nobody outside the thread group
/// shares the fs_struct, it is locked against sharing (`in_exec`) until the
/// exec ends. Source: `check_unsafe_exec`.
pub fn check_unsafe_exec(sys: &mut System, task: TaskId) -> Unsafe {
    let mut unsafe_ = Unsafe::empty();
    let t = sys.task(task);
    unsafe_.set(Unsafe::PTRACE, !t.ptrace.is_empty());
    unsafe_.set(Unsafe::NO_NEW_PRIVS, t.no_new_privs);
    let Some(fs) = t.fs else { return unsafe_ };
    let own = threads(sys, task).iter().filter(|t| sys.task(**t).fs == Some(fs)).count();
    let f = &mut sys.kernel.fs[fs];
    if u64::from(f.users) > own as u64 {
        unsafe_ |= Unsafe::SHARE;
    } else {
        f.in_exec = true;
    }
    unsafe_
}

/// Effective ids from the file's mode and owner (`bprm_fill_uid`).
fn bprm_fill_uid(sys: &mut System, task: TaskId, new: CredId, file: InodeId) {
    if sys.task(task).no_new_privs {
        return;
    }
    let inode = &sys.kernel.inodes[file];
    let (mode, uid, gid) = (inode.i_mode, inode.i_uid, inode.i_gid);
    if mode & (S_ISUID | S_ISGID) == 0 {
        return;
    }
    // Ids that mean nothing in this user namespace are not taken on.
    let ns = sys.kernel.creds[new].user_ns;
    if !kuid_has_mapping(sys, ns, uid) || !kgid_has_mapping(sys, ns, gid) {
        return;
    }
    let n = &mut sys.kernel.creds[new];
    if mode & S_ISUID != 0 {
        n.euid = uid;
    }
    // Without group execution the bit once meant mandatory locking.
    if mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP {
        n.egid = gid;
    }
}

/// Ambient capabilities are always permitted and inheritable
/// (`cap_ambient_invariant_ok`).
fn cap_ambient_invariant_ok(c: &Cred) -> bool {
    c.cap_ambient.is_subset(c.cap_permitted.and(c.cap_inheritable))
}

/// Gives the prepared credentials `new` what the program file grants, and
/// says whether user mode must distrust its environment (AT_SECURE).
/// Source: `bprm_creds_from_file`, `cap_bprm_creds_from_file`.
pub fn bprm_creds_from_file(
    sys: &mut System,
    task: TaskId,
    new: CredId,
    file: InodeId,
    unsafe_: Unsafe,
) -> Result<bool, SysError> {
    const F: &str = "cap_bprm_creds_from_file";
    bprm_fill_uid(sys, task, new, file);
    let old = sys.cred(task).clone();
    if !cap_ambient_invariant_ok(&old) {
        return refuse(
            Errno::EPERM,
            F,
            "ambient capabilities that are not permitted and inheritable",
        );
    }
    let mut n = sys.kernel.creds[new].clone();
    let root = make_kuid(sys, n.user_ns, 0);

    // Without file capabilities a file grants nothing of itself; to root it
    // grants all. Source: handle_privileged_root.
    n.cap_permitted = crate::abi::CapSet::EMPTY;
    let mut effective = false;
    if !old.issecure(SECBIT_NOROOT) {
        if Some(n.euid) == root || Some(n.uid) == root {
            n.cap_permitted = old.cap_bset.or(old.cap_inheritable);
        }
        effective = Some(n.euid) == root;
    }

    let gained = |n: &Cred| !n.cap_permitted.is_subset(old.cap_permitted);
    let id_changed = n.euid != old.euid || !old.in_group_p(n.egid);
    // A tracer could make the privileged program do its will, unless it has
    // the privilege to trace anybody.
    let unsafe_now =
        !(unsafe_ - Unsafe::PTRACE).is_empty() || !ptracer_capable(sys, task, n.user_ns);
    if (id_changed || gained(&n)) && unsafe_now {
        // It gets no more than it had, and maybe less.
        if unsafe_.contains(Unsafe::NO_NEW_PRIVS)
            || !ns_capable(sys, task, n.user_ns, Cap::CAP_SETUID)
        {
            (n.euid, n.egid) = (n.uid, n.gid);
        }
        n.cap_permitted = n.cap_permitted.and(old.cap_permitted);
    }
    (n.suid, n.fsuid) = (n.euid, n.euid);
    (n.sgid, n.fsgid) = (n.egid, n.egid);
    if id_changed {
        n.cap_ambient = crate::abi::CapSet::EMPTY;
    }
    n.cap_permitted = n.cap_permitted.or(n.cap_ambient);
    n.cap_effective = if effective { n.cap_permitted } else { n.cap_ambient };
    if !cap_ambient_invariant_ok(&n) {
        return refuse(
            Errno::EPERM,
            F,
            "ambient capabilities that are not permitted and inheritable",
        );
    }
    n.securebits &= !SECBIT_KEEP_CAPS;

    let grew = !n.cap_permitted.is_subset(n.cap_ambient);
    let secureexec = id_changed
        || n.euid != old.uid
        || n.egid != old.gid
        || Some(n.uid) != root && (effective || grew);
    sys.kernel.creds[new] = n;
    Ok(secureexec)
}

/// The point in begin_new_exec where the new program becomes who it is:
/// dumpability, pdeath_signal, credentials. `mm` is the new address space,
/// already the task's; takes over the reference to `new`.
pub fn install_exec_creds(sys: &mut System, task: TaskId, mm: MmId, new: CredId, secureexec: bool) {
    if secureexec {
        // The parent must not signal a privileged process.
        sys.task_mut(task).pdeath_signal = 0;
    }
    // Judged by the old credentials; commit_creds adds its own judgement.
    let c = sys.cred(task);
    let same = c.euid == c.uid && c.egid == c.gid;
    sys.mm_mut(mm).dumpable = if same { SUID_DUMP_USER } else { sys.kernel.sysctl.suid_dumpable };
    traced!(sys, commit_creds(task, new));
}
