//! The tree the machine boots with: a few programs, devices, /etc/passwd, and
//! a home for an unprivileged user.
//!
//! Linux: init/initramfs.c (populate_rootfs), as an initramfs would hold it.
//! Left out: everything a process can do without.

use super::InodeId;
use super::file_io::write_inode_pages;
use super::inode::{CharDev, Image, Inode, InodeKind, RandomDev};
use super::namei::add_entry;
use crate::abi::Errno;
use crate::kernel::error::SysError;
use crate::kernel::system::System;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// uid and gid of the unprivileged user "user".
pub const USER_UID: u32 = 1000;

/// /etc/passwd.
pub const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
user:x:1000:1000:A user without privileges:/home/user:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";

/// /etc/group.
pub const GROUP: &str = "\
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
tty:x:5:
user:x:1000:
nogroup:x:65534:
";

fn dir() -> InodeKind {
    InodeKind::Dir(IndexMap::new())
}

fn add(sys: &mut System, parent: InodeId, name: &str, kind: InodeKind, mode: u32) -> InodeId {
    let mut inode = Inode::new(kind, mode, 0, 0);
    inode.i_count = 1;
    inode.i_nlink = if inode.is_dir() { 2 } else { 1 };
    let id = sys.kernel.inodes.insert(inode);
    add_entry(sys, parent, &Arc::from(name), id);
    id
}

/// Adds a program of the given text, data and bss sizes in KiB.
fn program(sys: &mut System, parent: InodeId, name: &str, mode: u32, kib: [u64; 3]) {
    let [text, data, bss] = kib.map(|k| k << 10);
    let image = Image { text_bytes: text, data_bytes: data, bss_bytes: bss, interpreter: None };
    add(sys, parent, name, InodeKind::Image(Arc::new(image)), mode);
}

/// Where programs lie.
const BIN: &str = "bin";
/// Text, data and bss of a small program in KiB.
const SMALL: [u64; 3] = [8, 4, 4];

fn entry(sys: &System, dir: InodeId, name: &str) -> Option<InodeId> {
    match &sys.kernel.inodes.get(dir)?.kind {
        InodeKind::Dir(entries) => entries.get(name).copied(),
        _ => None,
    }
}

/// Adds a small program to /bin, as if the image had held it, unless the name
/// is taken or /bin is no directory any more.
pub fn add_program(sys: &mut System, name: &str) {
    let Some(bin) = entry(sys, sys.kernel.root_inode, BIN) else { return };
    if sys.kernel.inodes.get(bin).is_some_and(Inode::is_dir) && entry(sys, bin, name).is_none() {
        program(sys, bin, name, 0o755, SMALL);
    }
}

/// Adds a regular file, as if the image had held it; directories on the way are
/// made. `path` is absolute, without `.` and `..`.
///
/// # Errors
/// EEXIST: the name is taken; ENOTDIR: something on the way is no directory;
/// EINVAL: the path names no file; ENOMEM.
pub fn add_file(sys: &mut System, path: &str, bytes: &[u8], mode: u32) -> Result<(), SysError> {
    let fail = |errno, why: String| Err(SysError::with(errno, "rootfs", why));
    let mut names: Vec<&str> = path.split('/').collect();
    let file = names.pop().unwrap_or("");
    if names.first() != Some(&"") || file.is_empty() {
        return fail(Errno::EINVAL, format!("{path:?} is not the absolute name of a file"));
    }
    let mut at = sys.kernel.root_inode;
    for name in &names[1..] {
        at = match entry(sys, at, name) {
            Some(next) => next,
            None if matches!(*name, "" | "." | "..") => {
                return fail(Errno::EINVAL, format!("{path:?} holds an empty name or dots"));
            }
            None => add(sys, at, name, dir(), 0o755),
        };
        if !sys.kernel.inodes[at].is_dir() {
            return fail(Errno::ENOTDIR, format!("{name:?} in {path:?} is no directory"));
        }
    }
    if entry(sys, at, file).is_some() {
        return fail(Errno::EEXIST, format!("there is a file {path} already"));
    }
    let empty = InodeKind::Reg { size: 0, pages: BTreeMap::new() };
    let inode = add(sys, at, file, empty, mode);
    write_inode_pages(sys, inode, 0, bytes)
}

/// The rest of /dev, as udev or devtmpfs would have it.
fn what_programs_expect(sys: &mut System, dev: InodeId) {
    for (name, device) in [
        ("full", CharDev::Full),
        ("random", CharDev::Random(RandomDev::Random)),
        ("urandom", CharDev::Random(RandomDev::Urandom)),
    ] {
        add(sys, dev, name, InodeKind::Chr(device), 0o666);
    }
    add(sys, dev, "shm", dir(), 0o1777);
    for (name, text) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        add(sys, dev, name, InodeKind::Lnk(Arc::from(text)), 0o777);
    }
}

/// What a C library looks for besides, where programs of machine code run: files
/// that take frames, which the worlds of scripts do without.
///
/// # Errors
/// ENOMEM; EEXIST: a name is taken.
pub fn add_etc(sys: &mut System) -> Result<(), SysError> {
    add_file(sys, "/etc/group", GROUP.as_bytes(), 0o644)
}

/// Builds the tree and makes it `kernel.root_inode`. For boot, once the page
/// allocator works.
pub fn init_rootfs(sys: &mut System) {
    let mut root = Inode::new(dir(), 0o755, 0, 0);
    root.i_count = 1;
    root.i_nlink = 2;
    let root = sys.kernel.inodes.insert(root);
    sys.kernel.root_inode = root;

    let sbin = add(sys, root, "sbin", dir(), 0o755);
    program(sys, sbin, "init", 0o755, [16, 4, 4]);

    let bin = add(sys, root, BIN, dir(), 0o755);
    for name in ["true", "false", "sleep", "cat"] {
        program(sys, bin, name, 0o755, SMALL);
    }
    program(sys, bin, "sh", 0o755, [64, 8, 12]);
    // The two classical set-user-ID programs: for lessons on credentials.
    program(sys, bin, "su", 0o4755, [16, 4, 4]);
    let usr = add(sys, root, "usr", dir(), 0o755);
    let usr_bin = add(sys, usr, "bin", dir(), 0o755);
    program(sys, usr_bin, "passwd", 0o4755, [16, 4, 4]);

    let dev = add(sys, root, "dev", dir(), 0o755);
    add(sys, dev, "null", InodeKind::Chr(CharDev::Null), 0o666);
    add(sys, dev, "zero", InodeKind::Chr(CharDev::Zero), 0o666);
    add(sys, dev, "console", InodeKind::Chr(CharDev::Console), 0o600);

    let etc = add(sys, root, "etc", dir(), 0o755);
    let empty = InodeKind::Reg { size: 0, pages: BTreeMap::new() };
    let passwd = add(sys, etc, "passwd", empty, 0o644);
    if write_inode_pages(sys, passwd, 0, PASSWD.as_bytes()).is_err() {
        sys.oops("init_rootfs", "no memory for /etc/passwd".to_string());
    }

    add(sys, root, "tmp", dir(), 0o1777);
    add(sys, root, "root", dir(), 0o700);
    let home = add(sys, root, "home", dir(), 0o755);
    let user = add(sys, home, "user", dir(), 0o755);
    let user = &mut sys.kernel.inodes[user];
    (user.i_uid, user.i_gid) = (USER_UID, USER_UID);
    // What is below is not in the tree; see `proc`.
    add(sys, root, "proc", dir(), 0o555);
    let at = add(sys, root, "sys", dir(), 0o555);
    let at = add(sys, at, "fs", dir(), 0o555);
    let at = add(sys, at, "cgroup", dir(), 0o755);
    sys.kernel.inodes[at].cgroup = Some(sys.kernel.cgroup_root);

    add(sys, dev, "tty", InodeKind::Chr(CharDev::Tty), 0o666);
    add(sys, dev, "ptmx", InodeKind::Chr(CharDev::Ptmx), 0o666);
    sys.kernel.devpts_root = add(sys, dev, "pts", dir(), 0o755);
    what_programs_expect(sys, dev);
}
