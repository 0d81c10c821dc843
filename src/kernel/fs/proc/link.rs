//! Links of /proc: what they say, and where following one leads.
//!
//! Linux: fs/proc/base.c (proc_pid_get_link, proc_pid_readlink,
//! proc_fd_access_allowed), fs/proc/fd.c (proc_fd_link), fs/proc/namespaces.c
//! (proc_ns_get_link, proc_ns_readlink), fs/proc/self.c.
//! Left out: links that are seen from another root directory.

use super::node::{ProcLink, lookup};
use super::{ProcFile, below_proc, start_of, target};
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::fdtable::fget_raw;
use crate::kernel::fs::nsfs::{NsRef, ns_name, ns_of};
use crate::kernel::fs::{FileId, FileKind};
use crate::kernel::pid::PidId;
use crate::kernel::ptrace::ptrace_may_access;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::sync::Arc;

/// Where a link leads.
pub(super) enum Target {
    /// A place in the tree, by its name.
    Path(Arc<str>),
    /// What a descriptor has open.
    File(FileId),
    /// A namespace.
    Ns(NsRef),
}

/// Where a link leads.
///
/// # Errors
/// EACCES: ptrace may not look there; ENOENT: the task is dead, or has none.
pub(super) fn target_of(
    sys: &mut System,
    task: TaskId,
    link: ProcLink,
    pid: Option<PidId>,
) -> Result<Target, SysError> {
    const F: &str = "proc_pid_get_link";
    let gone = || refuse(Errno::ENOENT, F, "the task has no such thing (any more)");
    match link {
        ProcLink::SelfDir => {
            return Ok(Target::Path(format!("/proc/{}", sys.task(task).tgid).into()));
        }
        ProcLink::ThreadSelf => {
            let t = sys.task(task);
            return Ok(Target::Path(format!("/proc/{}/task/{}", t.tgid, t.pid).into()));
        }
        _ => {}
    }
    let Ok(of) = target(sys, pid) else { return gone() };
    if let Err(e) = ptrace_may_access(sys, task, of) {
        return Err(SysError { errno: Errno::EACCES, ..e });
    }
    let fs = sys.task(of).fs.and_then(|fs| sys.kernel.fs.get(fs));
    match link {
        ProcLink::Cwd => fs.map_or_else(gone, |fs| Ok(Target::Path(Arc::clone(&fs.pwd)))),
        ProcLink::Root => fs.map_or_else(gone, |fs| Ok(Target::Path(Arc::clone(&fs.root)))),
        ProcLink::Exe => match sys.task(of).mm.map(|mm| Arc::clone(&sys.mm(mm).exe_file)) {
            Some(exe) if !exe.is_empty() => Ok(Target::Path(exe)),
            _ => gone(),
        },
        ProcLink::Fd(fd) => match fget_raw(sys, of, fd) {
            Ok(file) => Ok(Target::File(file)),
            Err(_) => gone(),
        },
        ProcLink::Ns(entry) => Ok(Target::Ns(ns_of(sys, of, entry)?)),
        ProcLink::SelfDir | ProcLink::ThreadSelf => gone(),
    }
}

/// What readlink(2) says of a link.
///
/// # Errors
/// As [`target_of`].
pub(super) fn text(
    sys: &mut System,
    task: TaskId,
    link: ProcLink,
    pid: Option<PidId>,
) -> Result<String, SysError> {
    let target = target_of(sys, task, link, pid)?;
    Ok(match (link, target) {
        (ProcLink::SelfDir | ProcLink::ThreadSelf, Target::Path(path)) => {
            path.trim_start_matches("/proc/").to_string()
        }
        (_, Target::Path(path)) => path.to_string(),
        (_, Target::File(file)) => {
            let f = &sys.kernel.filps[file];
            let unlinked = match f.kind {
                FileKind::Inode(_) => named(sys, file).is_none(),
                _ => false,
            };
            let deleted =
                if unlinked && !f.path.ends_with("(deleted)") { " (deleted)" } else { "" };
            format!("{}{deleted}", f.path)
        }
        (_, Target::Ns(ns)) => ns_name(sys, ns),
    })
}

/// The path in the tree that a path means which goes through a link of /proc,
/// or out of /proc by "..". `None`: it does neither. `last`: a link at the end
/// is followed too.
///
/// # Errors
/// As [`target_of`], of a link on the way.
pub(crate) fn rewrite(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    last: bool,
) -> Result<Option<String>, SysError> {
    let mut name = name.to_string();
    let mut dfd = dfd;
    let mut changed = false;
    // As many links as Linux follows (MAXSYMLINKS).
    for _ in 0..40 {
        let start = start_of(sys, task, dfd, &name)?;
        let Some((comps, slash)) = below_proc(sys, task, dfd, &name)? else {
            let inside = start.as_deref().is_some_and(|s| s.starts_with("/proc/"));
            if inside && !name.starts_with('/') {
                let all = super::absolute(start.as_deref().unwrap_or("/"), &name);
                return Ok(Some(all));
            }
            return Ok(changed.then_some(name));
        };
        let Some((at, link, pid)) = first_link(sys, task, &comps) else {
            return Ok(changed.then_some(name));
        };
        let rest = &comps[at..];
        if rest.is_empty() && !last && !slash {
            return Ok(changed.then_some(name));
        }
        let to = match target_of(sys, task, link, pid)? {
            Target::Path(path) => path,
            Target::File(file) => match named(sys, file) {
                Some(path) => path,
                None => return Ok(changed.then_some(name)),
            },
            Target::Ns(_) => return Ok(changed.then_some(name)),
        };
        let end = if slash { "/" } else { "" };
        let sep = if rest.is_empty() { "" } else { "/" };
        name = format!("{}{sep}{}{end}", to.trim_end_matches('/'), rest.join("/"));
        if name.is_empty() {
            name.push('/');
        }
        (dfd, changed) = (crate::kernel::fs::namei::AT_FDCWD, true);
    }
    refuse(Errno::ELOOP, "nd_jump_link", "the path goes through too many links")
}

/// The name under which an open file is still in the tree.
fn named(sys: &System, file: FileId) -> Option<Arc<str>> {
    let f = &sys.kernel.filps[file];
    match f.kind {
        FileKind::Inode(inode) => {
            let place = crate::kernel::fs::namei::trusted(sys, &f.path).ok()?;
            (place.inode() == inode).then(|| Arc::clone(&f.path))
        }
        FileKind::Proc(..) | FileKind::Cgroup(..) => Some(Arc::clone(&f.path)),
        _ => None,
    }
}

/// The first link on the way that leads out of its directory, and where what
/// follows it begins.
fn first_link(
    sys: &System,
    task: TaskId,
    comps: &[String],
) -> Option<(usize, ProcLink, Option<PidId>)> {
    (1..=comps.len()).find_map(|at| match lookup(sys, task, &comps[..at], true) {
        Ok(found) => match found.file {
            ProcFile::Link(link) => Some((at, link, found.pid)),
            _ => None,
        },
        Err(_) => None,
    })
}
