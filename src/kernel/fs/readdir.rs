//! getdents64(2), getdents(2): the entries of a directory, as many as fit.
//!
//! ```text
//! getdents64  d_ino 8 | d_off 8 | d_reclen 2 | d_type 1 | name, NUL, to a multiple of 8
//! getdents    d_ino 8 | d_off 8 | d_reclen 2 | name, NUL, to a multiple of 8, d_type
//!                                              is the last byte
//! ```
//! The offset of the open directory counts entries. When one is removed that it has
//! passed, it goes back by one with the others (`entry_removed`): whoever removes
//! what he has read misses nothing.
//!
//! Linux: fs/readdir.c (getdents64, filldir64, iterate_dir).
//! Left out: places (seekdir(3)) that outlive changes of the directory; numbers of inodes of
//! /proc that agree with stat(2).

use super::fdtable::{bad_fd, fget};
use super::inode::InodeKind;
use super::times::file_accessed;
use super::{File, FileKind, InodeId, namei, proc};
use crate::abi::Errno;
use crate::base::text;
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

/// What every directory begins with.
const DOTS: [&str; 2] = [".", ".."];

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
        let len = text::len(name);
        match self {
            Format::Dirent64 => (19 + len + 1).next_multiple_of(8),
            Format::Dirent => (18 + len + 2).next_multiple_of(8),
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
        bytes.extend(&*text::encode(&entry.name));
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
    let dots = DOTS.map(|name| Dirent { name: name.into(), kind: DT_DIR });
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

/// The entry with this place among those of the tree is removed from a directory:
/// the offsets behind it move up with what is there.
pub(super) fn entry_removed(sys: &mut System, dir: InodeId, index: usize) {
    let own = sys.kernel.inodes.get(dir).and_then(|i| i.cgroup).map_or(0, |group| {
        let group = &sys.kernel.cgroups[group];
        CgroupFile::NAMES.iter().filter(|n| CgroupFile::by_name(group, n).is_some()).count()
    });
    let place = (DOTS.len() + own + index) as u64;
    let of = |f: &File| f.kind == FileKind::Inode(dir) && f.f_pos > place;
    let open: Vec<_> = sys.kernel.filps.iter().filter(|(_, f)| of(f)).map(|(id, _)| id).collect();
    for id in open {
        if let Some(file) = sys.kernel.filps.get_mut(id) {
            file.f_pos -= 1;
        }
    }
}

/// Takes an entry out of a directory.
pub(crate) fn remove_entry(sys: &mut System, dir: InodeId, name: &str) -> Option<InodeId> {
    let InodeKind::Dir(entries) = &mut sys.kernel.inodes.get_mut(dir)?.kind else { return None };
    // shift_remove: the order of the others is what a listing shows.
    let (index, _, inode) = entries.shift_remove_full(name)?;
    entry_removed(sys, dir, index);
    Some(inode)
}

/// The entries in what [`getdents`] gives as [`Format::Dirent64`], without "." and "..".
pub fn entries(bytes: &[u8]) -> Vec<Dirent> {
    let mut list = Vec::new();
    let mut rest = bytes;
    while let Some(head) = rest.get(..19) {
        let len = usize::from(u16::from_le_bytes([head[16], head[17]]));
        let Some(name) = rest.get(19..len) else { break };
        let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
        let name = text::decode(&name[..end]);
        if name != "." && name != ".." {
            list.push(Dirent { name, kind: head[18] });
        }
        rest = &rest[len..];
    }
    list
}
