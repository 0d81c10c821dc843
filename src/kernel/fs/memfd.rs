//! memfd_create(2): a file of the memory that has no name, and seals.
//!
//! Linux: mm/memfd.c (memfd_create, memfd_get_seals, memfd_add_seals).
//! Left out: sealing. MFD_ALLOW_SEALING is refused; all files say F_SEAL_SEAL, as
//! those made without it do.

use super::fdtable::{fd_install, get_unused_fd};
use super::file::alloc_file;
use super::inode::{Inode, InodeKind};
use super::times::{InodeTimes, current_time};
use super::{File, FileKind};
use crate::abi::{Errno, OpenFlags};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::collections::BTreeMap;
use std::sync::Arc;

const MFD_CLOEXEC: u32 = 1;
const MFD_ALLOW_SEALING: u32 = 2;
const MFD_HUGETLB: u32 = 4;
const MFD_NOEXEC_SEAL: u32 = 8;
const MFD_EXEC: u32 = 16;
/// Longest name: NAME_MAX without "memfd:".
const MFD_NAME_MAX: usize = 249;

/// No further seal may be set.
const F_SEAL_SEAL: i64 = 1;

/// memfd_create(2).
///
/// # Errors
/// EINVAL: an unknown flag or one that is not modelled, a long name. EMFILE.
pub fn memfd_create(
    sys: &mut System,
    task: TaskId,
    name: &str,
    flags: u32,
) -> Result<i32, SysError> {
    const F: &str = "memfd_create";
    let all = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC;
    if flags & !all != 0 {
        return refuse(Errno::EINVAL, F, "an unknown flag");
    }
    if flags & (MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL) != 0 {
        let why = "MFD_ALLOW_SEALING, MFD_NOEXEC_SEAL and MFD_HUGETLB are not modelled";
        return refuse(Errno::EINVAL, F, why);
    }
    if name.len() > MFD_NAME_MAX {
        return refuse(Errno::EINVAL, F, "the name has more than 249 bytes");
    }
    let fd = get_unused_fd(sys, task)?;
    let cred = sys.cred(task);
    let kind = InodeKind::Reg { size: 0, pages: BTreeMap::new() };
    let mut inode = Inode::new(kind, 0o777, cred.fsuid, cred.fsgid);
    inode.times = InodeTimes::all(current_time(sys));
    let inode = sys.kernel.inodes.insert(inode);
    let path = Arc::from(format!("/memfd:{name} (deleted)"));
    let file = alloc_file(sys, FileKind::Inode(inode), OpenFlags::O_RDWR, path);
    fd_install(sys, task, fd, file, flags & MFD_CLOEXEC != 0);
    Ok(fd)
}

/// F_GET_SEALS, or with `add` F_ADD_SEALS.
///
/// # Errors
/// EINVAL: no file of the memory. EPERM: it takes no seals.
pub(super) fn seals(sys: &System, file: &File, add: bool) -> Result<i64, SysError> {
    const F: &str = "memfd_fcntl";
    let reg = |i| matches!(sys.kernel.inodes[i].kind, InodeKind::Reg { .. });
    match file.kind {
        FileKind::Inode(inode) if reg(inode) && !add => Ok(F_SEAL_SEAL),
        FileKind::Inode(inode) if reg(inode) => {
            refuse(Errno::EPERM, F, "the file was made without MFD_ALLOW_SEALING")
        }
        _ => refuse(Errno::EINVAL, F, "only files of the memory have seals"),
    }
}
