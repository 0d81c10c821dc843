//! When a file was read, written, changed and made; and the calls that set it.
//!
//! ```text
//! atime   read(2), a link followed: only when it is not later than mtime or
//!         ctime, or a day old (relatime)
//! mtime   write(2), truncate(2); of a directory: a name comes or goes
//! ctime   all of that but reading, and mode, owner, links, times
//! btime   once
//! ```
//! Time is virtual: files of the tree that the machine boots with are as old as
//! the machine.
//!
//! Linux: fs/inode.c (touch_atime, relatime_need_update, file_update_time),
//! fs/utimes.c (do_utimes, vfs_utimes), fs/attr.c (setattr_prepare).
//! Left out: the coarseness of the kernel's clock, mount options.

use super::fdtable::fget;
use super::namei::AT_FDCWD;
use super::perm::{MAY_WRITE, inode_owner_or_capable, inode_permission};
use super::stat::{self, Place};
use super::{FileId, FileKind, InodeId};
use crate::abi::{Errno, OpenFlags};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::nanosleep::{BOOT_REALTIME, Clock, NSEC_PER_SEC};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// A time in ns since 1970; files may be older.
pub type FileTime = i64;

/// The times of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InodeTimes {
    /// Last read.
    pub atime: FileTime,
    /// Last written.
    pub mtime: FileTime,
    /// Last changed in any way.
    pub ctime: FileTime,
    /// Made.
    pub btime: FileTime,
}

impl InodeTimes {
    /// All four the same.
    pub fn all(at: FileTime) -> InodeTimes {
        InodeTimes { atime: at, mtime: at, ctime: at, btime: at }
    }
}

impl Default for InodeTimes {
    fn default() -> InodeTimes {
        InodeTimes::all(BOOT_REALTIME as FileTime)
    }
}

/// A day in ns.
const DAY: FileTime = 24 * 60 * 60 * NSEC_PER_SEC as FileTime;

/// Now, as files tell it (`current_time`).
pub fn current_time(sys: &System) -> FileTime {
    i64::try_from(Clock::Realtime.now(sys)).unwrap_or(i64::MAX)
}

/// It was read (`touch_atime` with relatime).
pub(super) fn touch_atime(sys: &mut System, inode: InodeId) {
    let now = current_time(sys);
    let Some(i) = sys.kernel.inodes.get_mut(inode) else { return };
    let t = &mut i.times;
    let due = t.atime <= t.mtime || t.atime <= t.ctime || now.saturating_sub(t.atime) >= DAY;
    if due {
        t.atime = now;
    }
}

/// It was read through a description (`file_accessed`).
pub(super) fn file_accessed(sys: &mut System, file: FileId) {
    let Some(f) = sys.kernel.filps.get(file) else { return };
    if let FileKind::Inode(inode) = f.kind
        && !f.f_flags.contains(OpenFlags::O_NOATIME)
    {
        touch_atime(sys, inode);
    }
}

/// Its content was changed (`file_update_time`).
pub(super) fn update_mtime(sys: &mut System, inode: InodeId) {
    let now = current_time(sys);
    if let Some(i) = sys.kernel.inodes.get_mut(inode) {
        (i.times.mtime, i.times.ctime) = (now, now);
    }
}

/// Something about it was changed, but not its content.
pub(super) fn update_ctime(sys: &mut System, inode: InodeId) {
    let now = current_time(sys);
    if let Some(i) = sys.kernel.inodes.get_mut(inode) {
        i.times.ctime = now;
    }
}

/// What one of the two times becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetTime {
    /// UTIME_NOW.
    Now,
    /// UTIME_OMIT: it stays.
    Omit,
    /// This time.
    To(FileTime),
}

/// `tv_nsec` of [`SetTime::Now`].
const UTIME_NOW: i64 = (1 << 30) - 1;
/// `tv_nsec` of [`SetTime::Omit`].
const UTIME_OMIT: i64 = (1 << 30) - 2;

impl SetTime {
    /// From a timespec.
    ///
    /// # Errors
    /// EINVAL: no number of nanoseconds of a second.
    pub fn from_timespec(sec: i64, nsec: i64) -> Result<SetTime, SysError> {
        match nsec {
            UTIME_NOW => Ok(SetTime::Now),
            UTIME_OMIT => Ok(SetTime::Omit),
            0..1_000_000_000 => {
                Ok(SetTime::To(sec.saturating_mul(NSEC_PER_SEC as i64).saturating_add(nsec)))
            }
            _ => refuse(Errno::EINVAL, "do_utimes", "tv_nsec is not below a second"),
        }
    }

    fn apply(self, time: &mut FileTime, now: FileTime) {
        match self {
            SetTime::Now => *time = now,
            SetTime::Omit => {}
            SetTime::To(at) => *time = at,
        }
    }
}

/// Whose times a call sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// What a path names, from a directory on, with `AT_*` flags.
    Path(i32, &'a str, u32),
    /// What a descriptor has open.
    Fd(i32),
}

/// utimensat(2) and its older forms: access and modification time, `None` for
/// now. Whoever may write the file may set both to now; anything else is for its
/// owner.
///
/// # Errors
/// EINVAL: a flag. EBADF. EACCES: now, by one who may not write it. EPERM: a
/// time, by one who does not own it. Those of the walk.
pub fn do_utimes(
    sys: &mut System,
    task: TaskId,
    whose: Whose<'_>,
    times: Option<[SetTime; 2]>,
) -> Result<(), SysError> {
    const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
    const AT_EMPTY_PATH: u32 = 0x1000;
    let other = "the times of what is in /proc, of pipes and of terminals are not modelled";
    let inode = match whose {
        Whose::Path(_, _, flags) if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 => {
            let why = "utimensat knows AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH";
            return refuse(Errno::EINVAL, "do_utimes_path", why);
        }
        Whose::Path(dfd, "", flags) if flags & AT_EMPTY_PATH != 0 && dfd != AT_FDCWD => {
            of_fd(sys, task, dfd)?
        }
        Whose::Path(dfd, path, flags) => {
            let path = if path.is_empty() && flags & AT_EMPTY_PATH != 0 { "." } else { path };
            match stat::find(sys, task, dfd, path, flags & AT_SYMLINK_NOFOLLOW == 0)? {
                Place::Tree(path) => Some(path.inode()),
                Place::File(file) => match sys.kernel.filps[file].kind {
                    FileKind::Inode(inode) => Some(inode),
                    _ => None,
                },
                _ => None,
            }
        }
        Whose::Fd(fd) => of_fd(sys, task, fd)?,
    };
    let Some(inode) = inode else { return refuse(Errno::EPERM, "vfs_utimes", other) };
    vfs_utimes(sys, task, inode, times)
}

fn of_fd(sys: &System, task: TaskId, fd: i32) -> Result<Option<InodeId>, SysError> {
    Ok(match sys.kernel.filps[fget(sys, task, fd)?].kind {
        FileKind::Inode(inode) => Some(inode),
        _ => None,
    })
}

fn vfs_utimes(
    sys: &mut System,
    task: TaskId,
    inode: InodeId,
    times: Option<[SetTime; 2]>,
) -> Result<(), SysError> {
    let set = times.unwrap_or([SetTime::Now; 2]);
    if set == [SetTime::Omit; 2] {
        return Ok(());
    }
    if set == [SetTime::Now; 2] {
        // Whoever may write it could as well write what is there already.
        if !inode_owner_or_capable(sys, task, inode) {
            inode_permission(sys, task, inode, MAY_WRITE, "the file")?;
        }
    } else if !inode_owner_or_capable(sys, task, inode) {
        let why = "only the owner of a file, or CAP_FOWNER, sets its times to another than now";
        return refuse(Errno::EPERM, "setattr_prepare", why);
    }
    let now = current_time(sys);
    let t = &mut sys.kernel.inodes[inode].times;
    set[0].apply(&mut t.atime, now);
    set[1].apply(&mut t.mtime, now);
    t.ctime = now;
    Ok(())
}
