//! Who may do what with an inode: permission bits against the file-system
//! ids of the caller, and the capabilities that override them.
//!
//! Linux: fs/namei.c (acl_permission_check, generic_permission,
//! inode_permission), kernel/capability.c (capable_wrt_inode_uidgid).
//! Left out: access control lists, idmapped mounts, read-only mounts.

use super::InodeId;
use super::inode::{Inode, InodeKind};
use crate::abi::{Cap, Errno};
use crate::kernel::capability::ns_capable;
use crate::kernel::cred::Cred;
use crate::kernel::cred::user_ns::{kgid_has_mapping, kuid_has_mapping};
use crate::kernel::error::SysError;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Permission to execute a file or to search a directory.
pub const MAY_EXEC: u32 = 1;
/// Permission to write.
pub const MAY_WRITE: u32 = 2;
/// Permission to read.
pub const MAY_READ: u32 = 4;

/// Whether the caller has `cap` and its user namespace has numbers for the
/// owner and group of the inode (`capable_wrt_inode_uidgid`). Success marks
/// the task as having used privilege.
pub fn capable_wrt_inode(sys: &mut System, task: TaskId, inode: InodeId, cap: Cap) -> bool {
    let ns = sys.cred(task).user_ns;
    let Some(i) = sys.kernel.inodes.get(inode) else { return false };
    let (uid, gid) = (i.i_uid, i.i_gid);
    kuid_has_mapping(sys, ns, uid)
        && kgid_has_mapping(sys, ns, gid)
        && ns_capable(sys, task, ns, cap)
}

/// The three permission bits that apply to the caller, and whose they are.
fn class(cred: &Cred, inode: &Inode) -> (u32, &'static str) {
    if cred.fsuid == inode.i_uid {
        (inode.i_mode >> 6 & 7, "owner")
    } else if cred.in_group_p(inode.i_gid) {
        (inode.i_mode >> 3 & 7, "group")
    } else {
        (inode.i_mode & 7, "others")
    }
}

/// Checks that the caller may do `mask` (`MAY_*`) with the inode; `name` is
/// for the message.
///
/// # Errors
/// EACCES, with the bits that refused it.
pub fn inode_permission(
    sys: &mut System,
    task: TaskId,
    inode: InodeId,
    mask: u32,
    name: &str,
) -> Result<(), SysError> {
    let i = &sys.kernel.inodes[inode];
    let (bits, who) = class(sys.cred(task), i);
    if mask & !bits == 0 {
        return Ok(());
    }
    let (mode, fsuid) = (i.i_mode, sys.cred(task).fsuid);
    let dir = matches!(i.kind, InodeKind::Dir(_));
    let reads = if dir { mask & MAY_WRITE == 0 } else { mask == MAY_READ };
    if reads && capable_wrt_inode(sys, task, inode, Cap::CAP_DAC_READ_SEARCH) {
        return Ok(());
    }
    // Even with CAP_DAC_OVERRIDE a file without any x bit is no program.
    let overridable = dir || mask & MAY_EXEC == 0 || mode & 0o111 != 0;
    if overridable && capable_wrt_inode(sys, task, inode, Cap::CAP_DAC_OVERRIDE) {
        return Ok(());
    }
    let verb = match mask & !bits {
        m if m & MAY_WRITE != 0 => "write",
        m if m & MAY_READ != 0 => "read",
        _ if dir => "search",
        _ => "execute",
    };
    let help = if overridable {
        "and CAP_DAC_OVERRIDE is not effective"
    } else {
        "and CAP_DAC_OVERRIDE executes only files with some x bit"
    };
    Err(SysError::with(
        Errno::EACCES,
        "generic_permission",
        format!(
            "mode {mode:04o} of {name} gives {who} (fsuid {fsuid}) no permission to {verb} it, {help}"
        ),
    ))
}

/// Whether the caller owns the inode or overrides that with CAP_FOWNER
/// (`inode_owner_or_capable`).
pub fn inode_owner_or_capable(sys: &mut System, task: TaskId, inode: InodeId) -> bool {
    sys.cred(task).fsuid == sys.kernel.inodes[inode].i_uid
        || capable_wrt_inode(sys, task, inode, Cap::CAP_FOWNER)
}
