//! sendfile(2), copy_file_range(2): bytes from one file to another, without a
//! detour through user memory.
//!
//! Linux: fs/read_write.c (do_sendfile, vfs_copy_file_range,
//! generic_copy_file_checks), fs/splice.c.
//! Left out: sources that are no regular files; a transfer to a pipe or terminal
//! ends at what fits, where Linux would wait for the rest.

use super::fdtable::{bad_fd, fget};
use super::file_io::{inode_write, read_inode_pages};
use super::rw::{At, ksys_write};
use super::times::file_accessed;
use super::uio::{MAX_RW_COUNT, Source};
use super::{File, FileId, FileKind, InodeId};
use crate::abi::{Errno, OpenFlags};
use crate::base::PAGE_SIZE;
use crate::kernel::error::{Stop, SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Where a side of a transfer stands: at its own offset, or at a given one,
/// which is given back moved.
pub type Offset = Option<i64>;

/// Bytes that are moved at once.
const CHUNK: u64 = PAGE_SIZE;

fn regular(sys: &System, file: &File) -> Option<InodeId> {
    match file.kind {
        FileKind::Inode(inode) if sys.kernel.inodes[inode].is_reg() => Some(inode),
        _ => None,
    }
}

fn start(file: &File, at: Offset, source_fn: &'static str) -> Result<u64, SysError> {
    match at {
        None => Ok(file.f_pos),
        Some(at) => u64::try_from(at)
            .map_err(|_| SysError::new(Errno::EINVAL, source_fn, "the offset is negative")),
    }
}

fn moved(sys: &mut System, file: FileId, at: Offset, now: u64) -> Offset {
    if at.is_none()
        && let Some(f) = sys.kernel.filps.get_mut(file)
    {
        f.f_pos = now;
    }
    at.map(|_| now as i64)
}

/// sendfile(2): how many bytes, and the source's offset if it was given.
///
/// # Errors
/// EBADF: not open so. EINVAL: the source is no regular file, the target only
/// appends. Those of write(2). Blocks as write(2) does before the first byte.
pub fn do_sendfile(
    sys: &mut System,
    task: TaskId,
    (out_fd, in_fd): (i32, i32),
    at: Offset,
    count: u64,
    note: &mut u64,
) -> Result<(u64, Offset), Stop> {
    const F: &str = "do_sendfile";
    let source = fget(sys, task, in_fd)?;
    let f = &sys.kernel.filps[source];
    if !f.may_read() {
        return Err(bad_fd(F, in_fd).into());
    }
    let from = regular(sys, f);
    let mut pos = start(f, at, F)?;
    let target = fget(sys, task, out_fd)?;
    let out = &sys.kernel.filps[target];
    if !out.may_write() {
        return Err(bad_fd(F, out_fd).into());
    }
    let Some(from) = from else {
        let why = "bytes are sent from regular files only";
        return Err(SysError::new(Errno::EINVAL, F, why).into());
    };
    if out.f_flags.contains(OpenFlags::O_APPEND) {
        let why = "the target only appends (O_APPEND)";
        return Err(SysError::new(Errno::EINVAL, F, why).into());
    }
    let stream = !matches!(out.kind, FileKind::Inode(_));
    let tty = matches!(out.kind, FileKind::Tty(_) | FileKind::HungUpTty(_));
    let count = count.min(MAX_RW_COUNT);
    let mut buf = [0; CHUNK as usize];
    let mut done = 0;
    while done < count {
        let want = CHUNK.min(count - done) as usize;
        let n = read_inode_pages(sys, from, pos, &mut buf[..want])?;
        if n == 0 {
            break;
        }
        let mut own = 0;
        let kept = if done == 0 { &mut *note } else { &mut own };
        match ksys_write(sys, task, out_fd, Source::Bytes(&buf[..n]), At::Pos, kept) {
            Ok(wrote) => {
                let wrote = wrote as u64;
                (done, pos) = (done + wrote, pos + wrote);
                if tty || stream && wrote < n as u64 || wrote == 0 {
                    break;
                }
            }
            Err(stop) if done == 0 => return Err(stop),
            Err(_) => break,
        }
    }
    if done > 0 {
        file_accessed(sys, source);
    }
    Ok((done, moved(sys, source, at, pos)))
}

/// copy_file_range(2): how many bytes, and the offsets that were given.
///
/// # Errors
/// EBADF: not open so, or the target only appends. EISDIR, EINVAL: no regular
/// files, a flag, or ranges of one file that overlap. EOVERFLOW. EFBIG, ENOMEM.
pub fn copy_file_range(
    sys: &mut System,
    task: TaskId,
    (in_fd, at_in): (i32, Offset),
    (out_fd, at_out): (i32, Offset),
    len: u64,
    flags: u32,
) -> Result<(u64, Offset, Offset), SysError> {
    const F: &str = "vfs_copy_file_range";
    let (source, target) = (fget(sys, task, in_fd)?, fget(sys, task, out_fd)?);
    let (fin, fout) = (&sys.kernel.filps[source], &sys.kernel.filps[target]);
    // Looked at as numbers without a sign first, as Linux does.
    let begin = |f: &File, at: Offset| at.map_or(f.f_pos, |at| at as u64);
    let (mut pos, mut to) = (begin(fin, at_in), begin(fout, at_out));
    if flags != 0 {
        return refuse(Errno::EINVAL, F, "copy_file_range knows no flags");
    }
    let dir = |f: &File| matches!(f.kind, FileKind::Inode(i) if sys.kernel.inodes[i].is_dir());
    if dir(fin) || dir(fout) {
        return refuse(Errno::EISDIR, F, "directories have no bytes to copy");
    }
    let (Some(from), Some(into)) = (regular(sys, fin), regular(sys, fout)) else {
        return refuse(Errno::EINVAL, F, "both sides are regular files");
    };
    if !fin.may_read() || !fout.may_write() || fout.f_flags.contains(OpenFlags::O_APPEND) {
        let why = "the source is open for reading, the target for writing and not to append";
        return refuse(Errno::EBADF, F, why);
    }
    if pos.checked_add(len).is_none() || to.checked_add(len).is_none() {
        return refuse(Errno::EOVERFLOW, F, "a range ends behind the largest offset");
    }
    if pos.max(to) > i64::MAX as u64 {
        return refuse(Errno::EINVAL, F, "an offset is negative");
    }
    let left = sys.kernel.inodes[from].size().saturating_sub(pos);
    let count = len.min(left).min(MAX_RW_COUNT);
    if from == into && pos < to.saturating_add(count) && to < pos.saturating_add(count) {
        return refuse(Errno::EINVAL, F, "the ranges overlap in one file");
    }
    let mut buf = [0; CHUNK as usize];
    let mut done = 0;
    while done < count {
        let want = CHUNK.min(count - done) as usize;
        let n = read_inode_pages(sys, from, pos, &mut buf[..want])?;
        let at = At::Offset(to as i64);
        let wrote = match inode_write(sys, task, target, into, Source::Bytes(&buf[..n]), at) {
            Ok(wrote) => wrote,
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        };
        if wrote == 0 {
            break;
        }
        (done, pos, to) = (done + wrote, pos + wrote, to + wrote);
    }
    if done > 0 {
        file_accessed(sys, source);
    }
    let at_in = moved(sys, source, at_in, pos);
    Ok((done, at_in, moved(sys, target, at_out, to)))
}
