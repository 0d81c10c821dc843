//! Opening what a link of /proc leads to where no path does: descriptors of
//! pipes and unlinked files, namespaces.
//!
//! Linux: fs/proc/fd.c, fs/nsfs.c (ns_get_path), fs/pipe.c (fifo_open).
//! Left out: a pipe opened to read and write at once; the owner of a pipe.

use super::link::{Target, target_of};
use super::node::ProcLink;
use super::{FileKind, OpenFlags};
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::FileId;
use crate::kernel::fs::file::alloc_file;
use crate::kernel::fs::inode::CharDev;
use crate::kernel::fs::nsfs::{NsRef, get_ns_ref, ns_name};
use crate::kernel::fs::open::reopen_inode;
use crate::kernel::pid::{PidId, get_pid};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::tty::tty_io::tty_open;
use std::sync::Arc;

/// Opens what a link leads to.
///
/// # Errors
/// ELOOP: O_NOFOLLOW. ENOTDIR: O_DIRECTORY. Those of the link, and of the file.
pub(super) fn open_link(
    sys: &mut System,
    task: TaskId,
    link: ProcLink,
    pid: Option<PidId>,
    flags: OpenFlags,
) -> Result<FileId, SysError> {
    if flags.contains(OpenFlags::O_NOFOLLOW) {
        return refuse(Errno::ELOOP, "do_open", "the path ends in a link, and O_NOFOLLOW is set");
    }
    let target = target_of(sys, task, link, pid)?;
    if flags.contains(OpenFlags::O_DIRECTORY) {
        return refuse(Errno::ENOTDIR, "do_open", "the link leads to no directory");
    }
    match target {
        Target::Ns(ns) => open_ns(sys, ns, flags),
        Target::File(file) => open_file(sys, task, file, flags),
        Target::Path(_) => {
            refuse(Errno::ENOENT, "nd_jump_link", "what the link names is no longer in the tree")
        }
    }
}

fn open_ns(sys: &mut System, ns: NsRef, flags: OpenFlags) -> Result<FileId, SysError> {
    if flags.bits() & 3 != 0 {
        return refuse(Errno::EPERM, "may_open", "a namespace's file is immutable: only O_RDONLY");
    }
    get_ns_ref(sys, ns);
    let name = ns_name(sys, ns);
    Ok(alloc_file(sys, FileKind::Ns(ns), flags, name.into()))
}

fn open_file(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    flags: OpenFlags,
) -> Result<FileId, SysError> {
    let (kind, path) = (sys.kernel.filps[file].kind, Arc::clone(&sys.kernel.filps[file].path));
    let mode = flags.bits() & 3;
    match kind {
        FileKind::Inode(inode) => reopen_inode(sys, task, inode, &path, flags),
        FileKind::PipeRead(pipe) | FileKind::PipeWrite(pipe) => {
            let kind = match mode {
                0 => FileKind::PipeRead(pipe),
                1 => FileKind::PipeWrite(pipe),
                _ => {
                    let why = "a pipe that is opened to read and write at once is not modelled";
                    return refuse(Errno::ENOSYS, "fifo_open", why);
                }
            };
            Ok(alloc_file(sys, kind, flags, path))
        }
        FileKind::Pidfd(pid) => {
            get_pid(sys, pid);
            Ok(alloc_file(sys, kind, flags, path))
        }
        FileKind::Ns(ns) => open_ns(sys, ns, flags),
        // The device is opened again: of /dev/ptmx that is another master.
        FileKind::Tty(tty) | FileKind::HungUpTty(tty) => {
            let dev = match sys.kernel.ttys.get(tty) {
                _ if *path == *"/dev/tty" => CharDev::Tty,
                Some(t) if !t.is_master() => CharDev::Pts(t.index),
                _ => CharDev::Ptmx,
            };
            tty_open(sys, task, dev, flags, (flags, path))
        }
        FileKind::Anon(_) => {
            refuse(Errno::ENXIO, "no_open", "what has no name cannot be opened by one")
        }
        FileKind::Proc(..) | FileKind::Cgroup(..) => {
            refuse(Errno::ENOENT, "nd_jump_link", "what the link names is gone")
        }
    }
}
