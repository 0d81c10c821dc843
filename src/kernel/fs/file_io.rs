//! What a read or write does to the inode behind a descriptor: pages of a
//! regular file, the null and zero devices, the console.
//!
//! Linux: mm/filemap.c (filemap_read, generic_perform_write),
//! fs/read_write.c (generic_write_checks), fs/inode.c (file_remove_privs),
//! drivers/char/mem.c (null, zero, full), drivers/char/random.c.
//! Left out: input on the console (it is at its end), O_SYNC.

use super::inode::{CharDev, InodeKind, MAX_LFS_FILESIZE, S_ISGID, S_ISUID, S_IXGRP};
use super::rw::At;
use super::times::update_mtime;
use super::uio::{Dest, Source, piece};
use super::{FileId, InodeId};
use crate::abi::numbers::RLIMIT_FSIZE;
use crate::abi::{Cap, Errno, OpenFlags, Signal};
use crate::base::{PAGE_SIZE, PhysAddr};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::filemap::filemap_get_page;
use crate::kernel::random;
use crate::kernel::signal::kill::send_sig;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::page::PageFlags;

/// Writes bytes into a regular file's pages and lengthens it; the end of
/// `generic_perform_write`, and how boot fills files.
pub(super) fn write_inode_pages(
    sys: &mut System,
    inode: InodeId,
    pos: u64,
    bytes: &[u8],
) -> Result<(), SysError> {
    let mut done = 0;
    while done < bytes.len() {
        let at = pos + done as u64;
        let n = piece(at, (bytes.len() - done) as u64);
        if let Some(pfn) = filemap_get_page(sys, inode, at / PAGE_SIZE, true)? {
            let addr = PhysAddr(pfn.addr().0 + at % PAGE_SIZE);
            sys.machine.mem.write(addr, &bytes[done..done + n]);
            if let Ok(page) = sys.machine.mem.page_mut(pfn) {
                page.flags |= PageFlags::DIRTY;
            }
        }
        done += n;
        if let InodeKind::Reg { size, .. } = &mut sys.kernel.inodes[inode].kind {
            *size = (*size).max(at + n as u64);
        }
    }
    Ok(())
}

/// Reads bytes of a regular file, holes as zeros; returns how many there are.
pub(super) fn read_inode_pages(
    sys: &mut System,
    inode: InodeId,
    pos: u64,
    buf: &mut [u8],
) -> Result<usize, SysError> {
    let Some(i) = sys.kernel.inodes.get(inode) else { return Ok(0) };
    let n = i.size().saturating_sub(pos).min(buf.len() as u64) as usize;
    let buf = &mut buf[..n];
    // Reading a hole makes no page; what a program lacks must be brought in.
    let create = matches!(i.kind, InodeKind::Image(_));
    let mut done = 0;
    while done < n {
        let at = pos + done as u64;
        let len = piece(at, (n - done) as u64);
        let part = &mut buf[done..done + len];
        match filemap_get_page(sys, inode, at / PAGE_SIZE, create)? {
            Some(pfn) => sys.machine.mem.read(PhysAddr(pfn.addr().0 + at % PAGE_SIZE), part),
            None => part.fill(0),
        }
        done += len;
    }
    Ok(n)
}

/// Reads a file or device that never blocks.
pub(super) fn inode_read(
    sys: &mut System,
    task: TaskId,
    inode: InodeId,
    pos: u64,
    dest: &mut Dest,
) -> Result<u64, SysError> {
    let dev = match &sys.kernel.inodes[inode].kind {
        InodeKind::Chr(dev) => Some(*dev),
        _ => None,
    };
    if matches!(dev, Some(CharDev::Null | CharDev::Console)) {
        return Ok(0);
    }
    let mut page = [0; PAGE_SIZE as usize];
    let mut done = 0;
    while done < dest.count() {
        let at = pos.saturating_add(done);
        let want = piece(at, dest.count() - done);
        let n = match dev {
            Some(CharDev::Random(_)) => {
                random::fill(&mut sys.kernel.rng, &mut page[..want]);
                want
            }
            Some(_) => want,
            None => read_inode_pages(sys, inode, at, &mut page[..want])?,
        };
        if n == 0 {
            break;
        }
        match dest.put_partial(sys, task, done, &page[..n]) {
            Ok(stored) => {
                done += stored as u64;
                if stored < want {
                    break;
                }
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}

pub(super) fn inode_write(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    inode: InodeId,
    src: Source<'_>,
    at: At,
) -> Result<u64, SysError> {
    match sys.kernel.inodes[inode].kind {
        InodeKind::Chr(CharDev::Null | CharDev::Zero) => Ok(src.count()),
        InodeKind::Chr(CharDev::Full) => {
            refuse(Errno::ENOSPC, "write_full", "/dev/full never has space")
        }
        InodeKind::Chr(CharDev::Random(_)) => mix_in(sys, task, src),
        InodeKind::Chr(CharDev::Console) => console_write(sys, task, src),
        // Opening one gives a terminal, not its inode.
        InodeKind::Chr(CharDev::Tty | CharDev::Ptmx | CharDev::Pts(_) | CharDev::Other(..)) => {
            refuse(Errno::EIO, "vfs_write", "the terminal behind this name is not open")
        }
        InodeKind::Dir(_) | InodeKind::Image(_) | InodeKind::Lnk(_) | InodeKind::Fifo(_) => {
            refuse(Errno::EBADF, "vfs_write", "directories and running programs cannot be written")
        }
        InodeKind::Reg { size, .. } => {
            let f = &sys.kernel.filps[file];
            let mut pos = match at {
                At::Pos => f.f_pos,
                At::Offset(n) => n as u64,
            };
            // Linux appends even with pwrite, against POSIX; pwrite(2), BUGS.
            if f.f_flags.contains(OpenFlags::O_APPEND) {
                pos = size;
            }
            let count = generic_write_checks(sys, task, pos, src.count())?;
            let n = generic_perform_write(sys, task, inode, pos, count, src)?;
            if at == At::Pos {
                sys.kernel.filps[file].f_pos = pos + n;
            }
            Ok(n)
        }
    }
}

/// What is written to the generator is read and changes nothing: its bytes follow
/// from the machine's seed.
fn mix_in(sys: &mut System, task: TaskId, src: Source<'_>) -> Result<u64, SysError> {
    let mut buf = [0; PAGE_SIZE as usize];
    let mut done = 0;
    while done < src.count() {
        let n = piece(done, src.count() - done);
        match src.copy_partial(sys, task, done, &mut buf[..n]) {
            Ok(n) => done += n as u64,
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}

fn console_write(sys: &mut System, task: TaskId, src: Source<'_>) -> Result<u64, SysError> {
    let mut buf = [0; PAGE_SIZE as usize];
    let mut done = 0;
    while done < src.count() {
        let n = piece(done, src.count() - done);
        match src.copy_partial(sys, task, done, &mut buf[..n]) {
            Ok(n) => {
                sys.kernel.console.extend_from_slice(&buf[..n]);
                done += n as u64;
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// How much may be written at `pos`: RLIMIT_FSIZE and the largest file bound it.
fn generic_write_checks(
    sys: &mut System,
    task: TaskId,
    pos: u64,
    count: u64,
) -> Result<u64, SysError> {
    if count == 0 {
        return Ok(0);
    }
    let limit = match sys.task(task).signal {
        Some(s) => sys.kernel.signals[s].rlim[RLIMIT_FSIZE as usize].cur,
        None => u64::MAX,
    };
    if pos >= limit {
        send_sig(sys, task, Signal::SIGXFSZ);
        let why = format!("the write begins at {pos}, at or behind RLIMIT_FSIZE ({limit})");
        return Err(SysError::with(Errno::EFBIG, "generic_write_check_limits", why));
    }
    if pos >= MAX_LFS_FILESIZE {
        let why = "the write begins behind the end of the largest file";
        return refuse(Errno::EFBIG, "generic_write_check_limits", why);
    }
    Ok(count.min(limit - pos).min(MAX_LFS_FILESIZE - pos))
}

/// Copies page by page; a fault after the first bytes makes the write short.
fn generic_perform_write(
    sys: &mut System,
    task: TaskId,
    inode: InodeId,
    pos: u64,
    count: u64,
    src: Source<'_>,
) -> Result<u64, SysError> {
    if count > 0 {
        file_remove_privs(sys, task, inode);
        update_mtime(sys, inode);
    }
    let mut buf = [0; PAGE_SIZE as usize];
    let mut done = 0;
    while done < count {
        let n = piece(pos + done, count - done);
        let stored = src.copy_partial(sys, task, done, &mut buf[..n]).and_then(|n| {
            write_inode_pages(sys, inode, pos + done, &buf[..n])?;
            Ok(n)
        });
        match stored {
            Ok(n) => done += n as u64,
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// Writing takes set-user-ID and set-group-ID away unless CAP_FSETID
/// (`file_remove_privs`, `setattr_should_drop_suidgid`).
pub(super) fn file_remove_privs(sys: &mut System, task: TaskId, inode: InodeId) {
    let mode = sys.kernel.inodes[inode].i_mode;
    let mut kill = mode & S_ISUID;
    if mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP {
        kill |= S_ISGID;
    }
    if kill != 0 && !super::perm::capable_wrt_inode(sys, task, inode, Cap::CAP_FSETID) {
        sys.kernel.inodes[inode].i_mode &= !kill;
    }
}
