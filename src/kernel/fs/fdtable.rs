//! The descriptor table: small numbers that name open file descriptions.
//!
//! ```text
//! files_struct (count = tasks that share it, CLONE_FILES)
//!   fdt[0] -> file A   f_count 3: three descriptors, in any tables, share
//!   fdt[1] -> file A              one description and so one offset
//!   fdt[2] -> file A
//!   fdt[3] -> file B   cloexec is a bit of the slot, not of the file
//! ```
//!
//! Linux: fs/file.c (dup_fd, alloc_fd, fd_install, close_fd, do_close_on_exec,
//! unshare_files), include/linux/fdtable.h.
//! Left out: the bitmaps. Between get_unused_fd and fd_install Linux marks the
//! number taken; here no other task runs in between, so the number stays free
//! by itself when the call fails.

use crate::abi::Errno;
use crate::abi::numbers::RLIMIT_NOFILE;
use crate::kernel::error::SysError;
use crate::kernel::fs::file::{fput, fput_many};
use crate::kernel::fs::locks::{ends_a_lock, locks_remove_posix};
use crate::kernel::fs::{Fd, File, FileId, FileKind, FilesId, FilesStruct};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// `sysctl_nr_open`: no table grows beyond it, whatever RLIMIT_NOFILE says.
pub const NR_OPEN: u64 = 1024 * 1024;

/// A table with one user and the same descriptors as `old`; every open file
/// description gains a reference for each slot that names it.
pub fn dup_fd(sys: &mut System, old: FilesId) -> Result<FilesId, SysError> {
    let Some(files) = sys.kernel.files.get(old) else {
        sys.oops("dup_fd", format!("files_struct {old:?} does not exist"));
        return Err(SysError::new(Errno::ENOMEM, "dup_fd", "the descriptor table is gone"));
    };
    // As sane_fdtable_size: the new table is as long as the last open
    // descriptor asks for.
    let len = files.fdt.iter().rposition(Option::is_some).map_or(0, |i| i + 1);
    let fdt = files.fdt[..len].to_vec();
    let mut missing = None;
    // Descriptors 0, 1 and 2 are mostly one file: look it up once.
    for run in fdt.chunk_by(same_file) {
        let Some(fd) = run[0] else { continue };
        match sys.kernel.filps.get_mut(fd.file) {
            Some(f) => f.f_count += run.len() as u32,
            None => missing = Some(fd.file),
        }
    }
    if let Some(file) = missing {
        sys.oops("dup_fd", format!("a descriptor names file {file:?}, which is freed"));
    }
    Ok(sys.kernel.files.insert(FilesStruct { count: 1, fdt }))
}

/// Drops one user of a table; the last one closes every descriptor
/// (`exit_files`, `close_files`).
pub fn put_files_struct(sys: &mut System, id: FilesId) {
    let Some(files) = sys.kernel.files.get_mut(id) else {
        return sys.oops("put_files_struct", format!("files_struct {id:?} does not exist"));
    };
    if files.count > 1 {
        files.count -= 1;
        return;
    }
    if files.count == 0 {
        return sys.oops("put_files_struct", format!("count of files_struct {id:?} below zero"));
    }
    let Some(files) = sys.kernel.files.remove(id) else { return };
    for run in files.fdt.chunk_by(same_file) {
        if let Some(fd) = run[0] {
            locks_remove_posix(sys, id, fd.file);
            fput_many(sys, fd.file, run.len() as u32);
        }
    }
}

/// Whether closing the table is noticed elsewhere: it holds the last reference
/// to an end of a pipe whose other end somebody else has, or to a terminal's.
pub fn ends_a_stream(sys: &System, id: FilesId) -> bool {
    let k = &sys.kernel;
    let Some(files) = k.files.get(id).filter(|f| f.count == 1) else { return false };
    let held = |file: FileId| files.fdt.iter().flatten().filter(|fd| fd.file == file).count();
    let last = |file: FileId| k.filps.get(file).is_some_and(|f| f.f_count as usize == held(file));
    let has_last = |kind: FileKind| {
        let mut files = files.fdt.iter().flatten().map(|fd| fd.file);
        files.any(|file| k.filps.get(file).is_some_and(|f| f.kind == kind) && last(file))
    };
    let mut going = files.fdt.iter().flatten().map(|fd| fd.file);
    going.any(|file| {
        ends_a_lock(sys, id, file, last(file))
            || match k.filps.get(file).map(|f| f.kind) {
                Some(FileKind::PipeRead(p)) => {
                    k.pipes.get(p).is_some_and(|pipe| pipe.writers > 0)
                        && last(file)
                        && !has_last(FileKind::PipeWrite(p))
                }
                Some(FileKind::PipeWrite(p)) => {
                    k.pipes.get(p).is_some_and(|pipe| pipe.readers > 0)
                        && last(file)
                        && !has_last(FileKind::PipeRead(p))
                }
                Some(FileKind::Tty(_)) => last(file),
                _ => false,
            }
    })
}

/// Whether two slots name one description, or are both free.
fn same_file(a: &Option<Fd>, b: &Option<Fd>) -> bool {
    a.map(|f| f.file) == b.map(|f| f.file)
}

/// The task's table. Only a task past exit_files has none.
fn task_files(sys: &System, task: TaskId) -> Result<FilesId, SysError> {
    sys.task(task).files.ok_or_else(|| {
        SysError::new(Errno::EBADF, "task_files", "the task has given up its files (exit_files)")
    })
}

fn table(sys: &mut System, task: TaskId) -> Result<&mut FilesStruct, SysError> {
    let id = task_files(sys, task)?;
    sys.kernel.files.get_mut(id).ok_or_else(|| {
        SysError::new(Errno::EBADF, "task_files", "the task's descriptor table is freed")
    })
}

/// The error for a descriptor that is not open.
pub(crate) fn bad_fd(source_fn: &'static str, fd: i32) -> SysError {
    let why = format!("descriptor {fd} is not open in this task's table");
    SysError::with(Errno::EBADF, source_fn, why)
}

/// The slot of an open descriptor: EBADF when it is not open.
pub fn fd_slot(sys: &System, task: TaskId, fd: i32) -> Result<Fd, SysError> {
    let id = task_files(sys, task)?;
    let slot = usize::try_from(fd).ok().and_then(|i| {
        let files = sys.kernel.files.get(id)?;
        *files.fdt.get(i)?
    });
    slot.ok_or_else(|| bad_fd("fget", fd))
}

/// The open file description of a descriptor; no reference is taken, as the
/// caller's table keeps one while the call runs.
///
/// # Errors
/// EBADF: not open, or opened with O_PATH.
pub fn fget(sys: &System, task: TaskId, fd: i32) -> Result<FileId, SysError> {
    let file = fget_raw(sys, task, fd)?;
    if sys.kernel.filps.get(file).is_some_and(File::is_path) {
        let why = format!("descriptor {fd} was opened with O_PATH: it is a place, not a file");
        return Err(SysError::with(Errno::EBADF, "fget", why));
    }
    Ok(file)
}

/// The same, O_PATH or not.
pub fn fget_raw(sys: &System, task: TaskId, fd: i32) -> Result<FileId, SysError> {
    fd_slot(sys, task, fd).map(|s| s.file)
}

/// `rlimit(RLIMIT_NOFILE)`: one more than the highest descriptor allowed.
pub fn nofile_limit(sys: &System, task: TaskId) -> u64 {
    let Some(signal) = sys.task(task).signal.and_then(|s| sys.kernel.signals.get(s)) else {
        return 0;
    };
    signal.rlim[RLIMIT_NOFILE as usize].cur
}

/// The lowest free descriptor (`get_unused_fd_flags`); EMFILE at RLIMIT_NOFILE.
pub fn get_unused_fd(sys: &System, task: TaskId) -> Result<i32, SysError> {
    alloc_fd(sys, task, 0)
}

/// The lowest free descriptor from `start` on.
///
/// # Errors
/// EMFILE: it would not be below RLIMIT_NOFILE or `fs.nr_open`.
pub fn alloc_fd(sys: &System, task: TaskId, start: usize) -> Result<i32, SysError> {
    let id = task_files(sys, task)?;
    let fdt = sys.kernel.files.get(id).map_or(&[][..], |f| &f.fdt);
    let tail = fdt.get(start..).unwrap_or(&[]);
    let free = match tail.iter().position(Option::is_none) {
        Some(i) => start + i,
        None => fdt.len().max(start),
    };
    let limit = nofile_limit(sys, task).min(NR_OPEN);
    match i32::try_from(free) {
        Ok(fd) if (free as u64) < limit => Ok(fd),
        _ => Err(SysError::with(
            Errno::EMFILE,
            "alloc_fd",
            format!(
                "the lowest free descriptor is {free}, but RLIMIT_NOFILE admits only those below {limit}"
            ),
        )),
    }
}

/// Puts a file into a free slot. Takes over the caller's reference.
pub fn fd_install(sys: &mut System, task: TaskId, fd: i32, file: FileId, cloexec: bool) {
    let Ok(i) = usize::try_from(fd) else {
        return sys.oops("fd_install", format!("descriptor {fd} is negative"));
    };
    let taken = match table(sys, task) {
        Ok(files) => {
            if files.fdt.len() <= i {
                files.fdt.resize(i + 1, None);
            }
            files.fdt[i].replace(Fd { file, cloexec }).is_some()
        }
        Err(_) => true,
    };
    if taken {
        sys.oops("fd_install", format!("descriptor {fd} was not free"));
    }
}

/// Takes a file out of the table without releasing it (`file_close_fd`).
fn file_close_fd(sys: &mut System, task: TaskId, fd: i32) -> Option<FileId> {
    let files = table(sys, task).ok()?;
    files.fdt.get_mut(usize::try_from(fd).ok()?)?.take().map(|s| s.file)
}

/// close(2): EBADF when it is not open.
pub fn close_fd(sys: &mut System, task: TaskId, fd: i32) -> Result<(), SysError> {
    let file = file_close_fd(sys, task, fd).ok_or_else(|| bad_fd("close_fd", fd))?;
    if let Ok(files) = task_files(sys, task) {
        locks_remove_posix(sys, files, file);
    }
    fput(sys, file);
    Ok(())
}

/// exec: closes every descriptor that has FD_CLOEXEC, lowest first.
pub fn do_close_on_exec(sys: &mut System, files: FilesId) {
    let mut closed = Vec::new();
    if let Some(f) = sys.kernel.files.get_mut(files) {
        for slot in f.fdt.iter_mut().filter(|s| s.is_some_and(|fd| fd.cloexec)) {
            closed.extend(slot.take());
        }
    }
    for fd in closed {
        locks_remove_posix(sys, files, fd.file);
        fput(sys, fd.file);
    }
}

/// Gives the task a table of its own when it shares one (exec, unshare(2)).
pub fn unshare_files(sys: &mut System, task: TaskId) -> Result<(), SysError> {
    let old = task_files(sys, task)?;
    if sys.kernel.files.get(old).is_some_and(|f| f.count > 1) {
        let new = dup_fd(sys, old)?;
        sys.task_mut(task).files = Some(new);
        put_files_struct(sys, old);
    }
    Ok(())
}

/// Replaces slot `fd` (`do_dup2`): what was there is closed, the new file
/// gains a reference.
pub(super) fn do_dup2(sys: &mut System, task: TaskId, file: FileId, fd: i32, cloexec: bool) {
    let old = file_close_fd(sys, task, fd);
    super::file::get_file(sys, file);
    fd_install(sys, task, fd, file, cloexec);
    if let Some(old) = old {
        if let Ok(files) = task_files(sys, task) {
            locks_remove_posix(sys, files, old);
        }
        fput(sys, old);
    }
}

/// Sets or clears FD_CLOEXEC of an open descriptor (`set_close_on_exec`).
pub(super) fn set_close_on_exec(
    sys: &mut System,
    task: TaskId,
    fd: i32,
    cloexec: bool,
) -> Result<(), SysError> {
    let slot = table(sys, task)?.fdt.get_mut(usize::try_from(fd).unwrap_or(usize::MAX));
    match slot {
        Some(Some(s)) => {
            s.cloexec = cloexec;
            Ok(())
        }
        _ => Err(bad_fd("set_close_on_exec", fd)),
    }
}

/// The open descriptors in `first..=last`, ascending.
pub(super) fn open_in_range(sys: &System, task: TaskId, first: u32, last: u32) -> Vec<i32> {
    let Some(files) = sys.task(task).files.and_then(|f| sys.kernel.files.get(f)) else {
        return Vec::new();
    };
    let end = (last as usize).saturating_add(1).min(files.fdt.len());
    let range = (first as usize).min(end)..end;
    range.filter(|i| files.fdt[*i].is_some()).filter_map(|i| i32::try_from(i).ok()).collect()
}
