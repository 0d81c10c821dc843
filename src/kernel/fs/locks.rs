//! Advisory locks: of whole files by flock(2), of byte ranges by fcntl(2).
//!
//! ```text
//! flock(2)      owner: the open file description    goes with its last close
//! F_OFD_SETLK   owner: the open file description    goes with its last close
//! F_SETLK       owner: the descriptor table         goes when the process closes
//!                                                   *any* descriptor of the file
//! ```
//! flock does not see the locks of fcntl, nor they its. Two locks of one kind
//! conflict where they overlap, their owners differ and one is for writing.
//!
//! A call that waits is on the inode's `lock_wait` and looks again when a lock
//! goes. Who waits for whom is asked of the sleeping calls, so a ring of waiting
//! processes is refused (EDEADLK); the note of a sleeping F_SETLKW is the table
//! that holds what it waits for.
//!
//! Linux: fs/locks.c (flock_lock_inode, posix_lock_inode, posix_locks_deadlock,
//! locks_remove_posix, locks_remove_file).
//! Left out: leases, the tree of waiters (a lock that goes wakes all that wait
//! for the inode), `l_pid` in other pid namespaces, locks on pipes and terminals.

use super::fdtable::fget;
use super::{File, FileId, FileKind, FilesId, InodeId};
use crate::abi::Errno;
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::sched::core::wake_up_all;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::{Wait, WaitOn};

/// Whose a lock is, and of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockOwner {
    /// F_SETLK: a process, known by its descriptor table.
    Posix(FilesId),
    /// F_OFD_SETLK: an open file description.
    Ofd(FileId),
    /// flock(2): an open file description.
    Flock(FileId),
}

impl LockOwner {
    fn is_flock(self) -> bool {
        matches!(self, LockOwner::Flock(_))
    }
}

/// What a lock is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockType {
    /// Shared.
    Read,
    /// Exclusive.
    Write,
}

/// `struct file_lock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLock {
    /// Whose.
    pub owner: LockOwner,
    /// What for.
    pub ty: LockType,
    /// First byte.
    pub start: u64,
    /// Last byte; `OFFSET_MAX`: to the end, wherever it is.
    pub end: u64,
    /// Who took it, as F_GETLK says; -1 for a description.
    pub pid: i32,
}

/// The last byte of a lock without an end.
const OFFSET_MAX: u64 = i64::MAX as u64;

impl FileLock {
    fn overlaps(&self, other: &FileLock) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// Whether both cannot be held.
    pub fn conflicts(&self, other: &FileLock) -> bool {
        self.owner.is_flock() == other.owner.is_flock()
            && self.owner != other.owner
            && self.overlaps(other)
            && (self.ty == LockType::Write || other.ty == LockType::Write)
    }
}

/// The first lock on the inode that keeps `wanted` out.
fn blocker(sys: &System, inode: InodeId, wanted: &FileLock) -> Option<FileLock> {
    sys.kernel.inodes.get(inode)?.locks.iter().find(|l| l.conflicts(wanted)).copied()
}

/// Cuts what `owner` holds in a range out of its locks, and puts `new` there;
/// neighbours of the same type become one. The locks of an owner lie together, in
/// the order of their ranges. Whether anything went.
fn replace(
    locks: &mut Vec<FileLock>,
    owner: LockOwner,
    (start, end): (u64, u64),
    new: Option<FileLock>,
) -> bool {
    let first = locks.iter().position(|l| l.owner == owner).unwrap_or(locks.len());
    let mut rest = Vec::new();
    let mut gone = false;
    let mut new = new;
    for l in locks.extract_if(.., |l| l.owner == owner) {
        if let Some(n) = &mut new
            && l.ty == n.ty
            && l.start <= n.end.saturating_add(1)
            && n.start <= l.end.saturating_add(1)
        {
            (n.start, n.end) = (n.start.min(l.start), n.end.max(l.end));
            continue;
        }
        if l.start > end || l.end < start {
            rest.push(l);
            continue;
        }
        gone = true;
        if l.start < start {
            rest.push(FileLock { end: start - 1, ..l });
        }
        if l.end > end {
            rest.push(FileLock { start: end + 1, ..l });
        }
    }
    rest.extend(new);
    rest.sort_by_key(|l| l.start);
    locks.splice(first..first, rest);
    gone
}

fn set(
    sys: &mut System,
    inode: InodeId,
    owner: LockOwner,
    range: (u64, u64),
    new: Option<FileLock>,
) {
    let Some(i) = sys.kernel.inodes.get_mut(inode) else { return };
    if replace(&mut i.locks, owner, range, new) {
        wake_up_all(sys, WaitOn::FileLock(inode));
    }
}

/// The inode that a description locks.
fn lockable(file: &File) -> Result<InodeId, SysError> {
    match file.kind {
        FileKind::Inode(inode) => Ok(inode),
        _ => {
            let why = "locks on pipes, terminals, pidfds and files of /proc are not modelled";
            refuse(Errno::EINVAL, "locks", why)
        }
    }
}

/// The file of a call that may have slept in it.
fn held(sys: &System, task: TaskId, fd: i32) -> Result<FileId, SysError> {
    match sys.task(task).resume.as_ref().and_then(|r| r.file) {
        Some(file) => Ok(file),
        None => fget(sys, task, fd),
    }
}

const LOCK_SH: u32 = 1;
const LOCK_EX: u32 = 2;
const LOCK_NB: u32 = 4;
const LOCK_UN: u32 = 8;
const LOCK_MAND: u32 = 32;

/// flock(2). A lock that is changed is given up first: another may get it.
///
/// # Errors
/// EBADF; EINVAL: no such operation; EWOULDBLOCK: with LOCK_NB. Blocks.
pub fn flock(sys: &mut System, task: TaskId, fd: i32, op: u32) -> SysResult {
    const F: &str = "flock_lock_inode";
    // Mandatory locks are no more: Linux warns, and does nothing.
    if op & LOCK_MAND != 0 {
        return Ok(0);
    }
    let ty = match op & !LOCK_NB {
        LOCK_SH => Some(LockType::Read),
        LOCK_EX => Some(LockType::Write),
        LOCK_UN => None,
        _ => {
            let why = "the operation is LOCK_SH, LOCK_EX or LOCK_UN, and LOCK_NB";
            return Ok(refuse(Errno::EINVAL, "flock", why)?);
        }
    };
    let file = held(sys, task, fd)?;
    let inode = lockable(&sys.kernel.filps[file])?;
    let owner = LockOwner::Flock(file);
    let all = (0, OFFSET_MAX);
    let Some(ty) = ty else {
        set(sys, inode, owner, all, None);
        return Ok(0);
    };
    let pid = sys.task(task).tgid;
    let wanted = FileLock { owner, ty, start: 0, end: OFFSET_MAX, pid };
    let mine = sys.kernel.inodes[inode].locks.iter().find(|l| l.owner == owner).map(|l| l.ty);
    if mine == Some(ty) {
        return Ok(0);
    }
    if blocker(sys, inode, &wanted).is_none() {
        set(sys, inode, owner, all, Some(wanted));
        return Ok(0);
    }
    if mine.is_some() {
        set(sys, inode, owner, all, None);
    }
    if op & LOCK_NB != 0 {
        return Ok(refuse(Errno::EAGAIN, F, "another description has a lock that excludes this")?);
    }
    sleep(sys, task, inode, F)
}

fn sleep(sys: &System, task: TaskId, inode: InodeId, source_fn: &'static str) -> SysResult {
    if sys.task(task).sigpending {
        let why = "a signal is pending while a lock keeps it waiting";
        return Ok(refuse(Errno::ERESTARTSYS, source_fn, why)?);
    }
    Err(Stop::Block(Wait::interruptible(WaitOn::FileLock(inode))))
}

/// `struct flock` of fcntl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flock {
    /// F_RDLCK, F_WRLCK, F_UNLCK.
    pub l_type: i16,
    /// What `l_start` counts from.
    pub l_whence: i16,
    /// First byte.
    pub l_start: i64,
    /// Bytes; 0: to the end. Negative: those before `l_start`.
    pub l_len: i64,
    /// Who holds it.
    pub l_pid: i32,
}

/// Bytes of `struct flock`.
pub const FLOCK_SIZE: usize = 32;
const F_RDLCK: i16 = 0;
const F_WRLCK: i16 = 1;
const F_UNLCK: i16 = 2;

impl Flock {
    /// From user memory's bytes.
    pub fn from_bytes(b: &[u8; FLOCK_SIZE]) -> Flock {
        let word = |at: usize| {
            let mut w = [0; 8];
            w.copy_from_slice(&b[at..at + 8]);
            i64::from_le_bytes(w)
        };
        Flock {
            l_type: i16::from_le_bytes([b[0], b[1]]),
            l_whence: i16::from_le_bytes([b[2], b[3]]),
            l_start: word(8),
            l_len: word(16),
            l_pid: word(24) as i32,
        }
    }

    /// To user memory's bytes.
    pub fn to_bytes(self) -> [u8; FLOCK_SIZE] {
        let mut b = [0; FLOCK_SIZE];
        b[..2].copy_from_slice(&self.l_type.to_le_bytes());
        b[2..4].copy_from_slice(&self.l_whence.to_le_bytes());
        b[8..16].copy_from_slice(&self.l_start.to_le_bytes());
        b[16..24].copy_from_slice(&self.l_len.to_le_bytes());
        b[24..28].copy_from_slice(&self.l_pid.to_le_bytes());
        b
    }

    /// First and last byte (`flock64_to_posix_lock`).
    fn range(&self, pos: u64, size: u64) -> Result<(u64, u64), SysError> {
        const F: &str = "flock64_to_posix_lock";
        let base = match self.l_whence {
            0 => 0,
            1 => pos as i64,
            2 => size as i64,
            _ => return refuse(Errno::EINVAL, F, "l_whence is SEEK_SET, SEEK_CUR or SEEK_END"),
        };
        let too_far = || refuse(Errno::EOVERFLOW, F, "the range ends behind the largest offset");
        let Some(start) = base.checked_add(self.l_start) else { return too_far() };
        if start < 0 {
            return refuse(Errno::EINVAL, F, "the range begins before the file");
        }
        let (first, last) = match self.l_len {
            0 => (start, i64::MAX),
            n if n > 0 => match start.checked_add(n - 1) {
                Some(last) => (start, last),
                None => return too_far(),
            },
            n => (start.saturating_add(n), start - 1),
        };
        if first < 0 {
            return refuse(Errno::EINVAL, F, "the range begins before the file");
        }
        Ok((first as u64, last as u64))
    }
}

/// F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW.
const OFD: std::ops::RangeInclusive<u32> = 36..=38;
const F_GETLK: u32 = 5;
const F_SETLKW: u32 = 7;

/// Whether an operation of fcntl is about locks.
pub fn is_lock_cmd(cmd: u32) -> bool {
    (F_GETLK..=F_SETLKW).contains(&cmd) || OFD.contains(&cmd)
}

/// Whether it asks only, and answers in its argument.
pub fn is_get(cmd: u32) -> bool {
    matches!(cmd, F_GETLK | 36)
}

/// The lock operations of fcntl(2); F_GETLK answers in `arg`. `note`: see the
/// head of this file.
///
/// # Errors
/// EBADF: not open, or not for what is locked. EINVAL, EOVERFLOW: the range or
/// type. EAGAIN: F_SETLK, and another has it. EDEADLK: waiting would never end.
/// F_SETLKW blocks.
pub fn fcntl_lock(
    sys: &mut System,
    task: TaskId,
    fd: i32,
    cmd: u32,
    arg: &mut Flock,
    note: &mut u64,
) -> SysResult {
    const F: &str = "fcntl_setlk";
    let ofd = OFD.contains(&cmd);
    let (get, wait) = (is_get(cmd), matches!(cmd, F_SETLKW | 38));
    let file = held(sys, task, fd)?;
    let f = &sys.kernel.filps[file];
    let inode = lockable(f)?;
    let ty = match arg.l_type {
        F_RDLCK => Some(LockType::Read),
        F_WRLCK => Some(LockType::Write),
        F_UNLCK if !get || ofd => None,
        _ => return Ok(refuse(Errno::EINVAL, F, "l_type is F_RDLCK, F_WRLCK or F_UNLCK")?),
    };
    if ofd && arg.l_pid != 0 {
        return Ok(refuse(Errno::EINVAL, F, "l_pid is 0 for locks of descriptions")?);
    }
    let range = arg.range(f.f_pos, sys.kernel.inodes[inode].size())?;
    let allowed = match ty {
        _ if get => true,
        Some(LockType::Read) => f.may_read(),
        Some(LockType::Write) => f.may_write(),
        None => true,
    };
    if !allowed {
        let why = "a lock for reading needs a descriptor for reading, one for writing likewise";
        return Ok(refuse(Errno::EBADF, F, why)?);
    }
    let t = sys.task(task);
    let (owner, pid) = match t.files {
        _ if ofd => (LockOwner::Ofd(file), -1),
        Some(files) => (LockOwner::Posix(files), t.tgid),
        None => return Ok(refuse(Errno::EBADF, F, "the task has given up its files")?),
    };
    let Some(ty) = ty else {
        if !get {
            set(sys, inode, owner, range, None);
        }
        return Ok(0);
    };
    let wanted = FileLock { owner, ty, start: range.0, end: range.1, pid };
    let other = blocker(sys, inode, &wanted);
    if get {
        match other {
            None => arg.l_type = F_UNLCK,
            Some(l) => *arg = described(&l),
        }
        return Ok(0);
    }
    let Some(other) = other else {
        set(sys, inode, owner, range, Some(wanted));
        return Ok(0);
    };
    if !wait {
        return Ok(refuse(Errno::EAGAIN, F, "another has a lock that excludes this")?);
    }
    if let (LockOwner::Posix(me), LockOwner::Posix(holder)) = (owner, other.owner) {
        if deadlock(sys, me, holder) {
            let why = "its holder waits, itself or by others, for a lock of the caller";
            return Ok(refuse(Errno::EDEADLK, "posix_lock_inode", why)?);
        }
        *note = holder.to_bits();
    }
    sleep(sys, task, inode, F)
}

/// What F_GETLK says of a lock.
fn described(l: &FileLock) -> Flock {
    let len = if l.end == OFFSET_MAX { 0 } else { l.end - l.start + 1 };
    Flock {
        l_type: if l.ty == LockType::Read { F_RDLCK } else { F_WRLCK },
        l_whence: 0,
        l_start: l.start as i64,
        l_len: len as i64,
        l_pid: l.pid,
    }
}

/// Whether waiting for `holder` closes a ring (`posix_locks_deadlock`).
fn deadlock(sys: &System, me: FilesId, holder: FilesId) -> bool {
    const NR_FCNTL: u32 = 72;
    // As far as Linux looks (MAX_DEADLK_ITERATIONS).
    let mut holder = holder.to_bits();
    for _ in 0..10 {
        if holder == me.to_bits() {
            return true;
        }
        let next = sys.kernel.tasks.iter().find_map(|(_, t)| {
            let r = t.resume.as_ref()?;
            let waits = matches!(r.wait.on, WaitOn::FileLock(_))
                && r.call.nr == NR_FCNTL
                && r.call.args[1] as u32 == F_SETLKW
                && t.files.is_some_and(|f| f.to_bits() == holder);
            waits.then_some(r.note)
        });
        match next {
            Some(next) => holder = next,
            None => return false,
        }
    }
    false
}

/// A process closes a descriptor of the file: its byte-range locks go
/// (`locks_remove_posix`).
pub(super) fn locks_remove_posix(sys: &mut System, files: FilesId, file: FileId) {
    let Some(FileKind::Inode(inode)) = sys.kernel.filps.get(file).map(|f| f.kind) else { return };
    remove(sys, inode, |owner| owner == LockOwner::Posix(files));
}

/// The last reference to a description is gone (`locks_remove_file`).
pub(super) fn locks_remove_file(sys: &mut System, inode: InodeId, file: FileId) {
    remove(sys, inode, |o| o == LockOwner::Flock(file) || o == LockOwner::Ofd(file));
}

fn remove(sys: &mut System, inode: InodeId, whose: impl Fn(LockOwner) -> bool) {
    let Some(i) = sys.kernel.inodes.get_mut(inode) else { return };
    let before = i.locks.len();
    i.locks.retain(|l| !whose(l.owner));
    if i.locks.len() < before {
        wake_up_all(sys, WaitOn::FileLock(inode));
    }
}

/// Whether closing a table gives up locks, which others may wait for.
pub(super) fn ends_a_lock(sys: &System, files: FilesId, file: FileId, last: bool) -> bool {
    let Some(FileKind::Inode(inode)) = sys.kernel.filps.get(file).map(|f| f.kind) else {
        return false;
    };
    sys.kernel.inodes.get(inode).is_some_and(|i| {
        i.locks.iter().any(|l| match l.owner {
            LockOwner::Posix(owner) => owner == files,
            LockOwner::Ofd(owner) | LockOwner::Flock(owner) => owner == file && last,
        })
    })
}
