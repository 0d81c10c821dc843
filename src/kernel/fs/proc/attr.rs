//! Mode, owner and size of what is in /proc, and what they allow.
//!
//! Linux: fs/proc/base.c (task_dump_owner, proc_pid_permission), fs/proc/fd.c
//! (proc_fd_permission), fs/proc/proc_sysctl.c (sysctl_perm).
//! Left out: hidepid; changing them; the true number of links of directories.

use super::super::fdtable::fget;
use super::super::inode::{S_IFDIR, S_IFLNK, S_IFREG};
use super::super::perm::{MAY_EXEC, MAY_WRITE};
use super::super::stat::{Kstat, made_of_proc};
use super::base::task_dump_owner;
use super::node::{ProcDir, ProcLink};
use super::{Found, ProcFile, sysctl, target};
use crate::abi::{Cap, Errno};
use crate::kernel::capability::capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::signal::same_thread_group;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Permission bits against the file-system ids of the caller.
///
/// # Errors
/// EACCES.
pub(super) fn check_mode(
    sys: &mut System,
    task: TaskId,
    mode: u32,
    (uid, gid): (u32, u32),
    asked: u32,
) -> Result<(), SysError> {
    let c = sys.cred(task);
    let class = match () {
        () if c.fsuid == uid => 6,
        () if c.in_group_p(gid) => 3,
        () => 0,
    };
    if mode >> class & asked == asked {
        return Ok(());
    }
    let dir = mode & S_IFDIR == S_IFDIR;
    let reading = asked & MAY_WRITE == 0 && (dir || asked & MAY_EXEC == 0);
    if reading && capable(sys, task, Cap::CAP_DAC_READ_SEARCH) {
        return Ok(());
    }
    let runs = asked & MAY_EXEC == 0 || dir || mode & 0o111 != 0;
    if runs && capable(sys, task, Cap::CAP_DAC_OVERRIDE) {
        return Ok(());
    }
    let why = "neither the mode of the file nor CAP_DAC_OVERRIDE allows it";
    refuse(Errno::EACCES, "inode_permission", why)
}

/// Type and permission bits.
fn mode(sys: &System, found: Found) -> u32 {
    match found.file {
        ProcFile::Global(_) => S_IFREG | 0o444,
        ProcFile::Sys(setting) => S_IFREG | sysctl::mode(setting),
        ProcFile::Task { entry, .. } => S_IFREG | entry.mode(),
        ProcFile::Dir(ProcDir::Fd) => S_IFDIR | 0o500,
        ProcFile::Dir(ProcDir::Ns) => S_IFDIR | 0o511,
        ProcFile::Dir(_) => S_IFDIR | 0o555,
        ProcFile::Link(ProcLink::Fd(fd)) => {
            let file = target(sys, found.pid).and_then(|of| fget(sys, of, fd));
            let bits = file.ok().map_or(0, |file| {
                let f = &sys.kernel.filps[file];
                (u32::from(f.may_read()) * 0o500) | (u32::from(f.may_write()) * 0o300)
            });
            S_IFLNK | bits
        }
        ProcFile::Link(_) => S_IFLNK | 0o777,
    }
}

/// Whose it is; root's when the task is gone.
fn owner(sys: &System, found: Found) -> (u32, u32) {
    match target(sys, found.pid) {
        Ok(of) => task_dump_owner(sys, of),
        Err(_) => (0, 0),
    }
}

/// Whether the caller may do `asked` (`MAY_*`) with it; a link never asks.
///
/// # Errors
/// EACCES.
pub(crate) fn permission(
    sys: &mut System,
    task: TaskId,
    found: Found,
    asked: u32,
) -> Result<(), SysError> {
    if let ProcFile::Sys(setting) = found.file {
        if asked & MAY_EXEC != 0 {
            return refuse(Errno::EACCES, "sysctl_perm", "a setting is no program");
        }
        return sysctl::may_open(sys, task, setting, asked & MAY_WRITE != 0);
    }
    if let ProcFile::Dir(ProcDir::Fd) = found.file
        && let Ok(of) = target(sys, found.pid)
        && same_thread_group(sys, task, of)
        && asked & MAY_WRITE == 0
    {
        return Ok(());
    }
    let (bits, owner) = (mode(sys, found), owner(sys, found));
    check_mode(sys, task, bits, owner, asked)
}

/// What stat(2) says of it.
pub(crate) fn stat(sys: &System, found: Found) -> Kstat {
    let mode = mode(sys, found);
    let (uid, gid) = owner(sys, found);
    let size = match found.file {
        ProcFile::Link(ProcLink::Fd(_)) => 64,
        ProcFile::Dir(ProcDir::Fd) => {
            let files = target(sys, found.pid).ok().and_then(|of| sys.task(of).files);
            let open = files.and_then(|f| sys.kernel.files.get(f));
            open.map_or(0, |f| f.fdt.iter().flatten().count() as u64)
        }
        _ => 0,
    };
    let nlink = match found.file {
        ProcFile::Dir(ProcDir::Process) => 9,
        ProcFile::Dir(ProcDir::Thread) => 7,
        ProcFile::Dir(ProcDir::Tasks) => {
            let of = target(sys, found.pid).ok().and_then(|of| sys.task(of).signal);
            2 + of.map_or(0, |s| sys.kernel.signals[s].nr_threads)
        }
        ProcFile::Dir(ProcDir::Fd | ProcDir::Ns) => 2,
        _ => 1,
    };
    // Made up when asked, as Linux does, but not counted.
    let ino = 1 << 32 | found.pid.map_or(0, |pid| u64::from(pid.index()));
    Kstat { nlink, uid, gid, size, ..made_of_proc(sys, ino, mode) }
}
