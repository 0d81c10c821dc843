//! What there is in /proc besides files: directories and links, and the way
//! from a path to one of them.
//!
//! ```text
//! self -> PID   thread-self -> PID/task/TID
//! PID/ and PID/task/TID/   the files of base, and
//!     exe cwd root         links to a place in the tree
//!     fd/N                 a link to what descriptor N has open
//!     ns/NAME              a link to a namespace
//!     task/                (PID only) the threads
//! ```
//! A path through a link that names a place in the tree goes on there by its
//! name; the others are opened as what they are.
//!
//! Linux: fs/proc/base.c (proc_pid_get_link, proc_pident_lookup), fs/proc/fd.c,
//! fs/proc/namespaces.c, fs/proc/self.c, fs/proc/thread_self.c.
//! Left out: fdinfo, map_files, attr, net; the numbers of links of a directory.

use super::base::Entry;
use super::global::Global;
use super::{Found, ProcFile, no_entry, sysctl};
use crate::kernel::error::SysError;
use crate::kernel::pid::{PidId, PidType, find_pid_ns, pid_task};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// A directory of /proc; the root of it is a directory of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProcDir {
    /// /proc/sys
    Sys,
    /// A directory in it.
    SysPart(&'static str),
    /// /proc/PID
    Process,
    /// /proc/PID/task/TID
    Thread,
    /// /proc/PID/task
    Tasks,
    /// fd of either
    Fd,
    /// ns of either
    Ns,
}

/// A link of /proc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProcLink {
    /// /proc/self
    SelfDir,
    /// /proc/thread-self
    ThreadSelf,
    /// The program.
    Exe,
    /// The working directory.
    Cwd,
    /// The root directory.
    Root,
    /// fd/N
    Fd(i32),
    /// ns/NAME
    Ns(NsEntry),
}

/// A name in /proc/PID/ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "namespaces(7) describes each")]
pub enum NsEntry {
    Net,
    Uts,
    Ipc,
    Pid,
    PidForChildren,
    User,
    Mnt,
    Cgroup,
    Time,
    TimeForChildren,
}

/// In the order of the directory (`ns_entries`).
pub(super) const NS_ENTRIES: [(&str, NsEntry); 10] = [
    ("net", NsEntry::Net),
    ("uts", NsEntry::Uts),
    ("ipc", NsEntry::Ipc),
    ("pid", NsEntry::Pid),
    ("pid_for_children", NsEntry::PidForChildren),
    ("user", NsEntry::User),
    ("mnt", NsEntry::Mnt),
    ("cgroup", NsEntry::Cgroup),
    ("time", NsEntry::Time),
    ("time_for_children", NsEntry::TimeForChildren),
];

/// The directories in /proc/sys.
pub(super) const SYS_PARTS: [&str; 3] = ["fs", "kernel", "vm"];

/// Finds what a path below /proc names. `self` and `thread-self` are followed
/// unless one of them is all of the path and `follow` is false.
///
/// # Errors
/// ENOENT.
pub(super) fn lookup(
    sys: &System,
    task: TaskId,
    comps: &[String],
    follow: bool,
) -> Result<Found, SysError> {
    let comps: Vec<&str> = comps.iter().map(String::as_str).collect();
    let all = comps.join("/");
    let found = |file| Ok(Found { file, pid: None });
    let (process, rest) = match comps.as_slice() {
        ["self"] if !follow => return found(ProcFile::Link(ProcLink::SelfDir)),
        ["thread-self"] if !follow => return found(ProcFile::Link(ProcLink::ThreadSelf)),
        ["self", rest @ ..] => (sys.task(task).tgid, rest),
        ["thread-self", rest @ ..] => return of_task(sys, sys.task(task).pid, rest, false, &all),
        ["sys"] => return found(ProcFile::Dir(ProcDir::Sys)),
        ["sys", part] if let Some(part) = SYS_PARTS.iter().find(|p| *p == part) => {
            return found(ProcFile::Dir(ProcDir::SysPart(part)));
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
            let inside = task_of(sys, tid).is_some_and(|t| sys.task(t).tgid == process);
            if !inside {
                return no_entry(&all);
            }
            of_task(sys, tid, rest, false, &all)
        }
        rest => of_task(sys, process, rest, true, &all),
    }
}

fn pid_of(sys: &System, number: i32) -> Option<PidId> {
    find_pid_ns(sys, number, sys.kernel.init_pid_ns)
}

fn task_of(sys: &System, number: i32) -> Option<TaskId> {
    pid_task(sys, pid_of(sys, number)?, PidType::Pid)
}

/// What the directory of the task with a number has. The directory of a thread
/// that leads no process exists too, though it is not listed.
fn of_task(
    sys: &System,
    number: i32,
    rest: &[&str],
    whole: bool,
    all: &str,
) -> Result<Found, SysError> {
    let (Some(pid), Some(target)) = (pid_of(sys, number), task_of(sys, number)) else {
        return no_entry(all);
    };
    let found = |file| Ok(Found { file, pid: Some(pid) });
    match rest {
        [] => found(ProcFile::Dir(if whole { ProcDir::Process } else { ProcDir::Thread })),
        ["task"] if whole => found(ProcFile::Dir(ProcDir::Tasks)),
        ["fd"] => found(ProcFile::Dir(ProcDir::Fd)),
        ["ns"] => found(ProcFile::Dir(ProcDir::Ns)),
        ["exe"] => found(ProcFile::Link(ProcLink::Exe)),
        ["cwd"] => found(ProcFile::Link(ProcLink::Cwd)),
        ["root"] => found(ProcFile::Link(ProcLink::Root)),
        ["fd", n] => match n.parse() {
            Ok(fd) if super::super::fdtable::fget(sys, target, fd).is_ok() => {
                found(ProcFile::Link(ProcLink::Fd(fd)))
            }
            _ => no_entry(all),
        },
        ["ns", name] => match NS_ENTRIES.iter().find(|(n, _)| n == name) {
            Some((_, entry)) => found(ProcFile::Link(ProcLink::Ns(*entry))),
            None => no_entry(all),
        },
        [name] => match Entry::by_name(name) {
            Some(entry) if entry.is_of(whole) => found(ProcFile::Task { entry, whole }),
            _ => no_entry(all),
        },
        _ => no_entry(all),
    }
}
