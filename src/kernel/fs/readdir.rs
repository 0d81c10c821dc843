//! getdents64(2), getdents(2): the entries of a directory, as many as fit.
//!
//! ```text
//! getdents64  d_ino 8 | d_off 8 | d_reclen 2 | d_type 1 | name, NUL, to a multiple of 8
//! getdents    d_ino 8 | d_off 8 | d_reclen 2 | name, NUL, to a multiple of 8, d_type
//!                                              is the last byte
//! ```
//! The offset of the open directory counts entries. An entry that is removed
//! meanwhile lets the others move up.
//!
//! Linux: fs/readdir.c (getdents64, filldir64, iterate_dir).
//! Left out: cookies that outlive changes of the directory; numbers of inodes of
//! /proc that agree with stat(2).

use super::fdtable::{bad_fd, fget};
use super::inode::InodeKind;
use super::times::file_accessed;
use super::{FileKind, InodeId, namei, proc};
use crate::abi::Errno;
use crate::kernel::cgroup::files::CgroupFile;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::uaccess::copy_to_user;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// A FIFO.
pub const DT_FIFO: u8 = 1;
/// A character device.
pub const DT_CHR: u8 = 2;
/// A directory.
pub const DT_DIR: u8 = 4;
/// A regular file.
pub const DT_REG: u8 = 8;
/// A link.
pub const DT_LNK: u8 = 10;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirent {
    /// Its name.
    pub name: String,
    /// `DT_*`.
    pub kind: u8,
}

/// How entries are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `struct linux_dirent64`.
    Dirent64,
    /// `struct linux_dirent`.
    Dirent,
}

impl Format {
    /// Bytes of an entry with such a name.
    fn reclen(self, name: &str) -> usize {
        match self {
            Format::Dirent64 => (19 + name.len() + 1).next_multiple_of(8),
            Format::Dirent => (18 + name.len() + 2).next_multiple_of(8),
        }
    }

    fn put(self, bytes: &mut Vec<u8>, (ino, off): (u64, u64), entry: &Dirent) {
        let len = self.reclen(&entry.name);
        let end = bytes.len() + len;
        bytes.extend(ino.to_le_bytes());
        bytes.extend(off.to_le_bytes());
        bytes.extend((len as u16).to_le_bytes());
        if self == Format::Dirent64 {
            bytes.push(entry.kind);
        }
        bytes.extend(entry.name.as_bytes());
        bytes.resize(end, 0);
        if self == Format::Dirent {
            bytes[end - 1] = entry.kind;
        }
    }
}

/// The number of an entry's inode, as stat(2) has it; in /proc its place.
fn d_ino(sys: &System, dir: Option<InodeId>, path: &str, name: &str, at: u64) -> u64 {
    let number = |inode: InodeId| u64::from(inode.index()) + 1;
    let Some(dir) = dir else { return at };
    match name {
        "." => number(dir),
        ".." => {
            let above = path.rsplit_once('/').map_or("/", |(above, _)| above);
            namei::trusted(sys, above).map_or(at, |p| number(p.inode()))
        }
        _ => namei::lookup(sys, dir, name).map_or(at, number),
    }
}

/// What a directory of the tree lists, with the files of a control group.
fn list_inode(sys: &System, dir: InodeId) -> Option<Vec<Dirent>> {
    let inode = &sys.kernel.inodes[dir];
    let InodeKind::Dir(entries) = &inode.kind else { return None };
    if namei::lookup(sys, sys.kernel.root_inode, "proc") == Some(dir) {
        return Some(proc::readdir::root(sys));
    }
    let mut list = Vec::new();
    if let Some(group) = inode.cgroup {
        let group = &sys.kernel.cgroups[group];
        let names = CgroupFile::NAMES.iter().filter(|n| CgroupFile::by_name(group, n).is_some());
        list.extend(names.map(|n| Dirent { name: (*n).into(), kind: DT_REG }));
    }
    list.extend(entries.iter().map(|(name, inode)| {
        let kind = match sys.kernel.inodes[*inode].kind {
            InodeKind::Dir(_) => DT_DIR,
            InodeKind::Chr(_) => DT_CHR,
            InodeKind::Lnk(_) => DT_LNK,
            InodeKind::Fifo(_) => DT_FIFO,
            InodeKind::Reg { .. } | InodeKind::Image(_) => DT_REG,
        };
        Dirent { name: name.to_string(), kind }
    }));
    Some(list)
}

/// The entries from the directory's offset on that fit `count` bytes; they are
/// stored at `addr`, or given.
///
/// # Errors
/// EBADF; ENOTDIR; ENOENT: the directory of a process that has ended; EINVAL:
/// not one entry fits; EFAULT.
pub fn getdents(
    sys: &mut System,
    task: TaskId,
    fd: i32,
    addr: Option<u64>,
    count: u32,
    format: Format,
) -> Result<Vec<u8>, SysError> {
    let file = fget(sys, task, fd).map_err(|_| bad_fd("getdents64", fd))?;
    let (kind, pos) = (sys.kernel.filps[file].kind, sys.kernel.filps[file].f_pos);
    let list = match kind {
        FileKind::Inode(inode) => list_inode(sys, inode),
        FileKind::Proc(proc::ProcFile::Dir(dir), pid) => Some(proc::readdir::list(sys, dir, pid)?),
        _ => None,
    };
    let Some(list) = list else {
        return refuse(Errno::ENOTDIR, "iterate_dir", "only directories have entries");
    };
    let dots = [".", ".."].map(|name| Dirent { name: name.into(), kind: DT_DIR });
    let all: Vec<&Dirent> = dots.iter().chain(&list).collect();
    let dir = match kind {
        FileKind::Inode(inode) => Some(inode),
        _ => None,
    };
    let path = std::sync::Arc::clone(&sys.kernel.filps[file].path);
    let mut bytes = Vec::new();
    let mut at = usize::try_from(pos).unwrap_or(usize::MAX).min(all.len());
    let more = at < all.len();
    while let Some(entry) = all.get(at) {
        if bytes.len() + format.reclen(&entry.name) > count as usize {
            break;
        }
        at += 1;
        let ino = d_ino(sys, dir, &path, &entry.name, at as u64);
        format.put(&mut bytes, (ino, at as u64), entry);
    }
    if more && bytes.is_empty() {
        return refuse(Errno::EINVAL, "filldir64", "the buffer is too small for one entry");
    }
    if let Some(addr) = addr {
        copy_to_user(sys, task, addr, &bytes)?;
    }
    sys.kernel.filps[file].f_pos = at as u64;
    file_accessed(sys, file);
    Ok(bytes)
}

/// The entries in what [`getdents`] gives as [`Format::Dirent64`], without "." and "..".
pub fn entries(bytes: &[u8]) -> Vec<Dirent> {
    let mut list = Vec::new();
    let mut rest = bytes;
    while let Some(head) = rest.get(..19) {
        let len = usize::from(u16::from_le_bytes([head[16], head[17]]));
        let Some(name) = rest.get(19..len) else { break };
        let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
        let name = String::from_utf8_lossy(&name[..end]).into_owned();
        if name != "." && name != ".." {
            list.push(Dirent { name, kind: head[18] });
        }
        rest = &rest[len..];
    }
    list
}
