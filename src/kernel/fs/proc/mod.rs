//! /proc: the kernel's view of itself, as files.
//!
//! ```text
//! /proc  loadavg meminfo stat uptime version
//!        self -> PID    thread-self -> PID/task/TID
//!        sys/{kernel,vm,fs}/NAME                       sysctl
//!        PID[/task/TID]/NAME                           base, array, task_mmu
//! ```
//!
//! A file is made when it is read: nothing of it is kept. It belongs to the
//! initial pid namespace, whose numbers it shows; a process that has ended
//! leaves files that say ESRCH.
//!
//! Linux: fs/proc (root.c, generic.c, base.c, array.c), fs/seq_file.c.
//! Left out: /proc of other pid namespaces; a working directory in /proc is
//! kept by its name.

pub mod array;
mod attr;
mod base;
mod global;
mod link;
mod node;
pub(super) mod readdir;
mod reopen;
pub mod status;
mod sysctl;
mod task_mmu;
pub mod wchan;

use super::fs_struct::task_fs;
use super::namei::{AT_FDCWD, getname};
use super::perm::{MAY_EXEC, MAY_READ};
use super::stat::Place;
use super::uio::{Dest, Source};
use super::{File, FileId, FileKind};
use crate::abi::{Errno, OpenFlags};
use crate::kernel::cgroup;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::fdtable::fget_raw;
use crate::kernel::fs::file::alloc_file;
use crate::kernel::pid::{PidId, PidType, get_pid, pid_task};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
pub(crate) use attr::{permission, stat};
use base::Entry;
use global::Global;
pub(crate) use link::rewrite;
pub use node::{NsEntry, ProcDir, ProcLink};
use std::sync::Arc;
use sysctl::Setting;

/// A file of /proc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProcFile {
    /// One of the whole machine.
    Global(Global),
    /// A setting.
    Sys(Setting),
    /// One of a process, or of one of its threads.
    Task {
        /// Which file.
        entry: Entry,
        /// Of the process, or of a single thread.
        whole: bool,
    },
    /// A directory.
    Dir(ProcDir),
    /// A link.
    Link(ProcLink),
}

/// A path below /proc that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    file: ProcFile,
    pid: Option<PidId>,
}

/// The name of where a path begins; `None` for a descriptor that is not open.
///
/// # Errors
/// ESRCH: it is the directory of a process that has ended.
pub(super) fn start_of(
    sys: &System,
    task: TaskId,
    dfd: i32,
    name: &str,
) -> Result<Option<Arc<str>>, SysError> {
    let fs = task_fs(sys, task)?;
    if name.starts_with('/') {
        return Ok(Some(Arc::clone(&fs.root)));
    }
    if dfd == AT_FDCWD {
        return Ok(Some(Arc::clone(&fs.pwd)));
    }
    let Ok(file) = fget_raw(sys, task, dfd) else { return Ok(None) };
    let file = &sys.kernel.filps[file];
    if let FileKind::Proc(ProcFile::Dir(_), Some(pid)) = file.kind
        && pid_task(sys, pid, PidType::Pid).is_none()
    {
        return gone();
    }
    Ok(Some(Arc::clone(&file.path)))
}

/// The components of a path from a directory on; ".." does not lead above the
/// root of an absolute one.
fn walk<'a>(start: &'a str, name: &'a str) -> Vec<&'a str> {
    let mut comps: Vec<&str> = start.split('/').filter(|c| !c.is_empty()).collect();
    let floor = if name.starts_with('/') { comps.len() } else { 0 };
    for comp in name.split('/') {
        match comp {
            "" | "." => {}
            ".." if comps.len() > floor => {
                comps.pop();
            }
            ".." => {}
            _ => comps.push(comp),
        }
    }
    comps
}

/// A path from a directory on, as an absolute one.
pub(super) fn absolute(start: &str, name: &str) -> String {
    let end = if name.ends_with('/') { "/" } else { "" };
    format!("/{}{end}", walk(start, name).join("/"))
}

/// Where a path leads, if that is below /proc: its components there, and
/// whether it must be a directory. Links are not followed yet, so the path is
/// worked out by its text.
fn below_proc(
    sys: &System,
    task: TaskId,
    dfd: i32,
    name: &str,
) -> Result<Option<(Vec<String>, bool)>, SysError> {
    let Some(start) = start_of(sys, task, dfd, name)? else { return Ok(None) };
    if !name.contains("proc") && !start.starts_with("/proc") {
        return Ok(None);
    }
    let comps = walk(&start, name);
    let below = comps.len() > 1 && comps[0] == "proc";
    let slash = name.ends_with('/') || name.ends_with("/.");
    Ok(below.then(|| (comps[1..].iter().map(ToString::to_string).collect(), slash)))
}

fn no_entry<T>(name: &str) -> Result<T, SysError> {
    Err(SysError::with(Errno::ENOENT, "proc_lookup", format!("/proc has no {name}")))
}

/// What a path names, if it leads below /proc. `follow`: a link at its end that
/// leads to another place of /proc is followed.
///
/// # Errors
/// ENOENT; ESRCH; ENOTDIR: a file with a slash behind it.
pub(super) fn find(
    sys: &System,
    task: TaskId,
    dfd: i32,
    name: &str,
    follow: bool,
) -> Result<Option<Found>, SysError> {
    let Some((comps, slash)) = below_proc(sys, task, dfd, name)? else { return Ok(None) };
    let found = node::lookup(sys, task, &comps, follow || slash).map_err(|e| {
        // A file on the way is no directory.
        let file = |n: usize| {
            let on_the_way = node::lookup(sys, task, &comps[..n], true);
            on_the_way.is_ok_and(|f| !matches!(f.file, ProcFile::Dir(_) | ProcFile::Link(_)))
        };
        match (1..comps.len()).any(file) {
            true => SysError { errno: Errno::ENOTDIR, ..e },
            false => e,
        }
    })?;
    if slash && !matches!(found.file, ProcFile::Dir(_)) {
        return refuse(
            Errno::ENOTDIR,
            "complete_walk",
            "the path ends in a slash, at no directory",
        );
    }
    Ok(Some(found))
}

/// What an open file of /proc is.
pub(super) fn found(file: ProcFile, pid: Option<PidId>) -> Found {
    Found { file, pid }
}

/// What a link leads to that no path names; `None`: it is no such link.
///
/// # Errors
/// Those of the link.
pub(super) fn file_of(
    sys: &mut System,
    task: TaskId,
    found: Found,
) -> Result<Option<Place>, SysError> {
    let ProcFile::Link(link) = found.file else { return Ok(None) };
    match link::target_of(sys, task, link, found.pid)? {
        link::Target::File(file) => Ok(Some(Place::File(file))),
        link::Target::Ns(ns) => Ok(Some(Place::Ns(ns))),
        link::Target::Path(_) => {
            refuse(Errno::ENOENT, "nd_jump_link", "what the link names is no longer in the tree")
        }
    }
}

/// The path of /proc with a process's number in the place of `self`.
fn canonical(sys: &System, task: TaskId, comps: &[String]) -> String {
    let t = sys.task(task);
    match comps.split_first() {
        Some((first, rest)) if first == "self" => {
            let rest: String = rest.iter().map(|c| format!("/{c}")).collect();
            format!("/proc/{}{rest}", t.tgid)
        }
        Some((first, rest)) if first == "thread-self" => {
            let rest: String = rest.iter().map(|c| format!("/{c}")).collect();
            format!("/proc/{}/task/{}{rest}", t.tgid, t.pid)
        }
        _ => format!("/proc/{}", comps.join("/")),
    }
}

/// The directory of /proc that a path names, under its name for good, if it
/// names one and the caller may search it.
///
/// # Errors
/// Those of [`find`]; ENOTDIR; EACCES.
pub(super) fn enter(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
) -> Result<Option<Arc<str>>, SysError> {
    let Some((comps, _)) = below_proc(sys, task, dfd, name)? else { return Ok(None) };
    let Some(found) = find(sys, task, dfd, name, true)? else { return Ok(None) };
    if !matches!(found.file, ProcFile::Dir(_)) {
        return refuse(Errno::ENOTDIR, "path_lookupat", "the path names no directory");
    }
    attr::permission(sys, task, found, MAY_EXEC)?;
    Ok(Some(canonical(sys, task, &comps).into()))
}

/// Opens a path if it leads below /proc.
///
/// # Errors
/// ENOENT; EACCES: the file's mode, or ptrace access; EISDIR; ELOOP: a link and
/// O_NOFOLLOW; ENOSYS: not modelled.
pub fn open(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    flags: OpenFlags,
) -> Result<Option<FileId>, SysError> {
    let name = getname(name)?;
    let Some((comps, _)) = below_proc(sys, task, dfd, name)? else { return Ok(None) };
    let follow = !flags.contains(OpenFlags::O_NOFOLLOW);
    let Some(found) = find(sys, task, dfd, name, follow)? else { return Ok(None) };
    let Found { file, pid } = found;
    if flags.contains(OpenFlags::O_CREAT | OpenFlags::O_EXCL) {
        return refuse(
            Errno::EEXIST,
            "do_open",
            "the file is there, and O_EXCL asks for a new one",
        );
    }
    if let ProcFile::Link(link) = file {
        return reopen::open_link(sys, task, link, pid, flags - OpenFlags::O_CREAT).map(Some);
    }
    if let ProcFile::Dir(_) = file {
        if flags.bits() & 3 != 0 || flags.contains(OpenFlags::O_CREAT) {
            return refuse(Errno::EISDIR, "do_open", "a directory of /proc is only read");
        }
        attr::permission(sys, task, found, MAY_READ)?;
    } else {
        if flags.contains(OpenFlags::O_DIRECTORY) {
            return refuse(Errno::ENOTDIR, "do_open", "the file is no directory");
        }
        may_open(sys, task, file, pid, flags)?;
    }
    if let Some(pid) = pid {
        get_pid(sys, pid);
    }
    let path = canonical(sys, task, &comps);
    let kind = FileKind::Proc(file, pid);
    let flags = flags - (OpenFlags::O_CREAT | OpenFlags::O_EXCL);
    Ok(Some(alloc_file(sys, kind, flags, path.into())))
}

/// The checks of mode, owner and of the file's own open method.
fn may_open(
    sys: &mut System,
    task: TaskId,
    file: ProcFile,
    pid: Option<PidId>,
    flags: OpenFlags,
) -> Result<(), SysError> {
    let write = flags.bits() & 3 != 0;
    let read = flags.bits() & 3 != 1;
    match file {
        ProcFile::Global(_) => read_only(write),
        ProcFile::Sys(setting) => sysctl::may_open(sys, task, setting, write),
        ProcFile::Dir(_) | ProcFile::Link(_) => Ok(()),
        ProcFile::Task { entry, .. } => {
            let target = pid.and_then(|pid| pid_task(sys, pid, PidType::Pid));
            let Some(target) = target else { return gone() };
            base::may_open(sys, task, target, entry, read, write)
        }
    }
}

fn read_only(write: bool) -> Result<(), SysError> {
    if write {
        return refuse(Errno::EACCES, "inode_permission", "a file of /proc that is only read");
    }
    Ok(())
}

fn gone<T>() -> Result<T, SysError> {
    refuse(Errno::ESRCH, "proc_single_show", "the process has ended")
}

/// The task that a file is about.
fn target(sys: &System, pid: Option<PidId>) -> Result<TaskId, SysError> {
    match pid.and_then(|pid| pid_task(sys, pid, PidType::Pid)) {
        Some(task) => Ok(task),
        None => gone(),
    }
}

/// Reads from a file of /proc at an offset; how many bytes.
///
/// # Errors
/// ESRCH: the process has ended. EFAULT.
pub(super) fn read(
    sys: &mut System,
    task: TaskId,
    (file, pid): (ProcFile, Option<PidId>),
    pos: u64,
    dest: &mut Dest,
) -> Result<u64, SysError> {
    let bytes = match file {
        ProcFile::Dir(_) | ProcFile::Link(_) => {
            let why = "a directory is read with getdents64, not with read";
            return refuse(Errno::EISDIR, "generic_read_dir", why);
        }
        ProcFile::Global(global) => global.show(sys).into_bytes(),
        ProcFile::Sys(setting) => sysctl::show(sys, setting).into_bytes(),
        ProcFile::Task { entry: Entry::Pagemap, .. } => {
            let of = target(sys, pid)?;
            base::pagemap(sys, task, of, pos, dest.count())?
        }
        ProcFile::Task { entry, whole } => {
            let of = target(sys, pid)?;
            base::show(sys, task, of, entry, whole)?
        }
    };
    // What pagemap gives begins at the offset already.
    let pos = if matches!(file, ProcFile::Task { entry: Entry::Pagemap, .. }) { 0 } else { pos };
    give(sys, task, &bytes, pos, dest)
}

/// Gives what a file made of bytes holds from an offset on; how many bytes.
pub(super) fn give(
    sys: &mut System,
    task: TaskId,
    bytes: &[u8],
    pos: u64,
    dest: &mut Dest,
) -> Result<u64, SysError> {
    let from = usize::try_from(pos).unwrap_or(usize::MAX).min(bytes.len());
    let n = (bytes.len() - from).min(dest.count() as usize);
    if n > 0 {
        dest.put(sys, task, 0, &bytes[from..from + n])?;
    }
    Ok(n as u64)
}

/// Most bytes that a file of /proc takes at once.
const MOST: u64 = 4096;

/// Writes to a file of /proc; how many bytes were taken.
///
/// # Errors
/// EINVAL: no such value; EPERM; ESRCH.
pub(super) fn write(
    sys: &mut System,
    task: TaskId,
    id: FileId,
    src: &Source<'_>,
) -> Result<u64, SysError> {
    let File { kind, f_pos, .. } = &sys.kernel.filps[id];
    let (kind, pos) = (*kind, *f_pos);
    let count = src.count();
    if count >= MOST {
        return refuse(Errno::EINVAL, "proc_write", "more than a page at once");
    }
    let mut bytes = vec![0; count as usize];
    src.copy(sys, task, 0, &mut bytes)?;
    let (file, pid) = match kind {
        FileKind::Proc(file, pid) => (file, pid),
        FileKind::Cgroup(file, group) => {
            cgroup::files::write(sys, task, group, file, &bytes)?;
            return Ok(count);
        }
        _ => return Ok(0),
    };
    match file {
        ProcFile::Dir(_) | ProcFile::Link(_) => {
            refuse(Errno::EISDIR, "vfs_write", "a directory is not written")
        }
        ProcFile::Global(_) => refuse(Errno::EIO, "proc_reg_write", "the file cannot be written"),
        ProcFile::Sys(setting) => sysctl::write(sys, setting, &bytes),
        ProcFile::Task { entry, .. } => {
            let of = target(sys, pid)?;
            base::write(sys, task, of, entry, pos, &bytes)
        }
    }?;
    Ok(count)
}

/// What the link at the end of a path says; `None`: the path does not lead
/// below /proc.
///
/// # Errors
/// EINVAL: no link. Those of [`find`], and of the link.
pub(super) fn readlink(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
) -> Result<Option<String>, SysError> {
    let Some(found) = find(sys, task, dfd, name, false)? else { return Ok(None) };
    match found.file {
        ProcFile::Link(link) => link::text(sys, task, link, found.pid).map(Some),
        _ => refuse(Errno::EINVAL, "do_readlinkat", "it is no link"),
    }
}
