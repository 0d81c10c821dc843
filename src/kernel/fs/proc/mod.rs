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
//! Left out: directories as files (there is no getdents64), links (cwd, exe,
//! fd, ns): to open them is refused by name; /proc of other pid namespaces.

pub mod array;
mod base;
mod global;
pub mod status;
mod sysctl;
mod task_mmu;
pub mod wchan;

use super::fs_struct::task_fs;
use super::namei::{AT_FDCWD, getname};
use super::uio::{Dest, Source};
use super::{File, FileId, FileKind};
use crate::abi::{Errno, OpenFlags};
use crate::kernel::cgroup;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::fdtable::fget;
use crate::kernel::fs::file::alloc_file;
use crate::kernel::pid::{PidId, PidType, find_pid_ns, get_pid, pid_task};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use base::Entry;
use global::Global;
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
}

/// A path below /proc that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    file: ProcFile,
    pid: Option<PidId>,
}

/// Where a path leads, if that is below /proc: its components there. Names of
/// /proc are no links, so the path is worked out by its text.
fn below_proc(
    sys: &System,
    task: TaskId,
    dfd: i32,
    name: &str,
) -> Result<Option<Vec<String>>, SysError> {
    let fs = task_fs(sys, task)?;
    let start = if name.starts_with('/') {
        fs.root.to_string()
    } else if dfd == AT_FDCWD {
        fs.pwd.to_string()
    } else {
        let Ok(file) = fget(sys, task, dfd) else { return Ok(None) };
        sys.kernel.filps[file].path.to_string()
    };
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
    let below = comps.len() > 1 && comps[0] == "proc";
    Ok(below.then(|| comps[1..].iter().map(ToString::to_string).collect()))
}

fn no_entry<T>(name: &str) -> Result<T, SysError> {
    Err(SysError::with(Errno::ENOENT, "proc_lookup", format!("/proc has no {name}")))
}

fn unsupported<T>(what: String) -> Result<T, SysError> {
    Err(SysError::with(Errno::ENOSYS, "proc_lookup", what))
}

fn lookup(sys: &System, task: TaskId, comps: &[String]) -> Result<Found, SysError> {
    let comps: Vec<&str> = comps.iter().map(String::as_str).collect();
    let all = comps.join("/");
    let found = |file| Ok(Found { file, pid: None });
    let (process, rest) = match comps.as_slice() {
        ["self", rest @ ..] => (sys.task(task).tgid, rest),
        ["thread-self", rest @ ..] => {
            return of_task(sys, sys.task(task).pid, rest, false, &all);
        }
        ["sys", rest @ ..] => {
            return match sysctl::by_path(rest) {
                Some(setting) => found(ProcFile::Sys(setting)),
                None => no_entry(&all),
            };
        }
        [number, rest @ ..] if number.bytes().all(|b| b.is_ascii_digit()) => {
            (number.parse().unwrap_or(0), rest)
        }
        [name] => {
            return match Global::by_name(name) {
                Some(file) => found(ProcFile::Global(file)),
                None => no_entry(&all),
            };
        }
        _ => return no_entry(&all),
    };
    match rest {
        ["task", tid, rest @ ..] => {
            let tid = tid.parse().unwrap_or(0);
            let inside = find_pid_ns(sys, tid, sys.kernel.init_pid_ns)
                .and_then(|pid| pid_task(sys, pid, PidType::Pid))
                .is_some_and(|t| sys.task(t).tgid == process);
            if !inside {
                return no_entry(&all);
            }
            of_task(sys, tid, rest, false, &all)
        }
        rest => of_task(sys, process, rest, true, &all),
    }
}

/// A file of the task with a number. The directory of a thread that leads no
/// process exists too, though it is not listed.
fn of_task(
    sys: &System,
    number: i32,
    rest: &[&str],
    whole: bool,
    all: &str,
) -> Result<Found, SysError> {
    let Some(pid) = find_pid_ns(sys, number, sys.kernel.init_pid_ns) else {
        return no_entry(all);
    };
    if pid_task(sys, pid, PidType::Pid).is_none() {
        return no_entry(all);
    }
    match rest {
        [name] => match Entry::by_name(name) {
            Some(entry) if entry.is_of(whole) => {
                Ok(Found { file: ProcFile::Task { entry, whole }, pid: Some(pid) })
            }
            _ if matches!(*name, "cwd" | "exe" | "root" | "fd" | "ns" | "task" | "fdinfo") => {
                unsupported(format!("/proc/{all}: links and directories of /proc are not modelled"))
            }
            _ => no_entry(all),
        },
        [] => unsupported("directories of /proc are not modelled: there is no getdents64".into()),
        ["fd" | "ns" | "fdinfo", ..] => {
            unsupported(format!("/proc/{all}: links and directories of /proc are not modelled"))
        }
        _ => no_entry(all),
    }
}

/// Opens a path if it leads below /proc.
///
/// # Errors
/// ENOENT; EACCES: the file's mode, or ptrace access; ENOSYS: not modelled.
pub fn open(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    flags: OpenFlags,
) -> Result<Option<FileId>, SysError> {
    let name = getname(name)?;
    let Some(comps) = below_proc(sys, task, dfd, name)? else { return Ok(None) };
    let Found { file, pid } = lookup(sys, task, &comps)?;
    if flags.contains(OpenFlags::O_CREAT | OpenFlags::O_EXCL) {
        return refuse(
            Errno::EEXIST,
            "do_open",
            "the file is there, and O_EXCL asks for a new one",
        );
    }
    if flags.contains(OpenFlags::O_DIRECTORY) {
        return refuse(Errno::ENOTDIR, "do_open", "the file is no directory");
    }
    may_open(sys, task, file, pid, flags)?;
    if let Some(pid) = pid {
        get_pid(sys, pid);
    }
    let path = format!("/proc/{}", comps.join("/"));
    let kind = FileKind::Proc(file, pid);
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
        ProcFile::Global(_) => refuse(Errno::EIO, "proc_reg_write", "the file cannot be written"),
        ProcFile::Sys(setting) => sysctl::write(sys, setting, &bytes),
        ProcFile::Task { entry, .. } => {
            let of = target(sys, pid)?;
            base::write(sys, task, of, entry, pos, &bytes)
        }
    }?;
    Ok(count)
}
