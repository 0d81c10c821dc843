//! open(2), access(2), and the calls that change where the caller is in the
//! tree.
//!
//! Linux: fs/open.c (do_sys_openat2, build_open_flags, do_faccessat,
//! ksys_chroot), fs/namei.c (do_filp_open, may_open), fs/d_path.c (getcwd).
//! Left out: O_DIRECT, O_ASYNC (refused by name). O_SYNC and O_DSYNC are accepted:
//! files are in memory only, and every write is at once where it stays.

use super::create::new_inode;
use super::fdtable::{fd_install, fget_raw, get_unused_fd};
use super::fifo::{fifo_open, wait_for_partner};
use super::file::{alloc_file, fput, get_file};
use super::follow::{End, follow};
use super::fs_struct::{task_fs, task_fs_mut};
use super::inode::{CharDev, InodeKind, S_IALLUGO};
use super::namei::{
    AT_FDCWD, Last, Parent, Path, create_entry, filename_lookup, getname, lookup_last,
    path_parentat, trusted, walk_last,
};
use super::perm::{MAY_EXEC, MAY_READ, MAY_WRITE, inode_owner_or_capable, inode_permission};
use super::proc::ProcFile;
use super::rw::{fdput, sleep_in};
use super::stat::Place;
use super::truncate::do_truncate;
use super::{FileId, FileKind, InodeId, stat};
use crate::abi::numbers::SECBIT_NO_SETUID_FIXUP;
use crate::abi::{Cap, CapSet, Errno, OpenFlags};
use crate::kernel::capability::{capable, ns_capable};
use crate::kernel::cgroup::files::CgroupFile;
use crate::kernel::cred::user_ns::make_kuid;
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::syscalls::Call;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::tty::tty_io::tty_open;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Flags that Linux knows and the model has not, with their names.
const UNSUPPORTED: &[(u32, &str)] = &[(0o20_000, "O_ASYNC"), (0o40_000, "O_DIRECT")];

/// O_TMPFILE: a file without a name, in a directory.
const O_TMPFILE: OpenFlags = OpenFlags::__O_TMPFILE.union(OpenFlags::O_DIRECTORY);
/// What O_PATH looks at; it drops the other flags (`O_PATH_FLAGS`).
const O_PATH_FLAGS: OpenFlags = OpenFlags::O_PATH
    .union(OpenFlags::O_DIRECTORY)
    .union(OpenFlags::O_NOFOLLOW)
    .union(OpenFlags::O_CLOEXEC);

/// Flags that say how to open and are forgotten then (`do_dentry_open`), with
/// O_CLOEXEC, which is the descriptor's.
const FORGOTTEN: OpenFlags = OpenFlags::O_CREAT
    .union(OpenFlags::O_EXCL)
    .union(OpenFlags::O_NOCTTY)
    .union(OpenFlags::O_TRUNC)
    .union(OpenFlags::O_CLOEXEC);

/// What open asks for, checked (`struct open_flags`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenHow {
    /// `O_*`.
    pub flags: OpenFlags,
    /// Mode of a file to be created.
    pub mode: u32,
}

/// Checks the flags. Bits without any meaning are dropped, as open(2) always
/// did; only openat2 refuses them.
///
/// # Errors
/// EINVAL: O_DIRECTORY with O_CREAT, or a flag that is not modelled.
pub fn build_open_flags(flags: u32, mode: u32) -> Result<OpenHow, SysError> {
    const F: &str = "build_open_flags";
    let mut flags_ = OpenFlags::from_bits_truncate(flags);
    if flags_.contains(OpenFlags::O_PATH) {
        return Ok(OpenHow { flags: flags_ & O_PATH_FLAGS, mode: 0 });
    }
    if let Some((_, name)) = UNSUPPORTED.iter().find(|(bits, _)| flags & bits == *bits) {
        let why = format!("{name} is not modelled");
        return Err(SysError::with(Errno::EINVAL, F, why));
    }
    if flags_.contains(OpenFlags::__O_SYNC) {
        flags_ |= OpenFlags::O_DSYNC;
    }
    let flags = flags_;
    if flags.contains(OpenFlags::__O_TMPFILE) {
        if !flags.contains(O_TMPFILE) || flags.contains(OpenFlags::O_CREAT) {
            return refuse(Errno::EINVAL, F, "O_TMPFILE names a directory and makes no name");
        }
        if flags.bits() & 3 == 0 {
            return refuse(Errno::EINVAL, F, "a file made by O_TMPFILE is opened to be written");
        }
        return Ok(OpenHow { flags, mode: mode & S_IALLUGO });
    }
    if flags.contains(OpenFlags::O_DIRECTORY | OpenFlags::O_CREAT) {
        let why = "O_CREAT makes regular files, so it cannot go with O_DIRECTORY";
        return refuse(Errno::EINVAL, F, why);
    }
    let mode = if flags.contains(OpenFlags::O_CREAT) { mode & S_IALLUGO } else { 0 };
    Ok(OpenHow { flags, mode })
}

/// open(2), openat(2): a descriptor for a new open file description.
///
/// # Errors
/// In this order: those of the flags and of the path as a string, EMFILE,
/// those of the walk, EEXIST, EISDIR, ENOTDIR, ETXTBSY, EACCES. A FIFO is opened
/// without waiting for its other end.
pub fn do_sys_open(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    flags: u32,
    mode: u32,
) -> Result<i32, SysError> {
    let how = build_open_flags(flags, mode)?;
    let name = getname(name)?;
    let fd = get_unused_fd(sys, task)?;
    let file = do_filp_open(sys, task, dfd, name, how)?;
    fd_install(sys, task, fd, file, how.flags.contains(OpenFlags::O_CLOEXEC));
    Ok(fd)
}

/// The same as a system call: opening a FIFO may sleep. `name` is asked for when
/// the call is made, not when it goes on after a sleep.
///
/// # Errors
/// As [`do_sys_open`]; ERESTARTSYS.
pub fn open_call(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    dfd: i32,
    name: impl FnOnce(&mut System) -> Result<String, SysError>,
    (flags, mode): (u32, u32),
) -> SysResult {
    let held = sys.task(task).resume.as_ref().and_then(|r| r.file.map(|file| (file, r.note)));
    let how = build_open_flags(flags, mode)?;
    let (file, mut note) = match held {
        Some(held) => held,
        None => {
            let name = name(sys)?;
            get_unused_fd(sys, task)?;
            (do_filp_open(sys, task, dfd, getname(&name)?, how)?, 0)
        }
    };
    let ready = wait_for_partner(sys, task, file, &mut note);
    if let Err(Stop::Block(wait)) = ready {
        sleep_in(sys, task, call, (wait, file, note));
        return Err(Stop::Block(wait));
    }
    let opened = ready.and_then(|()| Ok(get_unused_fd(sys, task)?));
    match opened {
        Ok(fd) => {
            get_file(sys, file);
            fd_install(sys, task, fd, file, how.flags.contains(OpenFlags::O_CLOEXEC));
        }
        Err(_) if held.is_none() => fput(sys, file),
        Err(_) => {}
    }
    match held {
        Some(_) => fdput(sys, task),
        None if opened.is_ok() => fput(sys, file),
        None => {}
    }
    opened.map(i64::from)
}

/// Opens a file without giving it a descriptor.
pub fn do_filp_open(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    how: OpenHow,
) -> Result<FileId, SysError> {
    let new = how.flags.contains(OpenFlags::O_CREAT | OpenFlags::O_EXCL);
    let keep = how.flags.contains(OpenFlags::O_NOFOLLOW) || new;
    let end = if keep { End::Keep } else { End::Follow };
    let followed = follow(sys, task, dfd, name, end)?;
    let name = followed.as_deref().unwrap_or(name);
    let keep = OpenFlags::O_CREAT | OpenFlags::O_EXCL;
    if let Some(file) = super::proc::open(sys, task, dfd, name, how.flags - (FORGOTTEN - keep))? {
        return Ok(file);
    }
    let parent = path_parentat(sys, task, dfd, name)?;
    if let Some(file) = open_cgroup_file(sys, task, &parent, how)? {
        return Ok(file);
    }
    let creat = how.flags.contains(OpenFlags::O_CREAT);
    if creat && parent.trailing_slash && matches!(parent.last, Last::Norm(_)) {
        let why = "the path ends in a slash, and O_CREAT makes no directories";
        return refuse(Errno::EISDIR, "open_last_lookups", why);
    }
    let exists = lookup_last(sys, &parent)?;
    if creat && exists.is_none() && parent.dir.inode() == sys.kernel.devpts_root {
        let why = "names below /dev/pts are made by opening /dev/ptmx";
        return refuse(Errno::EACCES, "lookup_open", why);
    }
    if creat && exists.is_none() {
        return create_and_open(sys, task, parent, how);
    }
    if creat && how.flags.contains(OpenFlags::O_EXCL) {
        let why = format!("{name} exists, and O_EXCL asks for a new file");
        return Err(SysError::with(Errno::EEXIST, "do_open", why));
    }
    let path = walk_last(sys, parent)?;
    let inode = path.inode();
    if how.flags.contains(OpenFlags::__O_TMPFILE) {
        return do_tmpfile(sys, task, &path, how);
    }
    if let InodeKind::Lnk(_) = sys.kernel.inodes[inode].kind
        && !how.flags.contains(OpenFlags::O_PATH)
    {
        let why = format!("{} is a link, and O_NOFOLLOW is set", path.name());
        return Err(SysError::with(Errno::ELOOP, "may_open", why));
    }
    if creat && sys.kernel.inodes[inode].is_dir() {
        let why = format!("{} is a directory, and O_CREAT opens files", path.name());
        return Err(SysError::with(Errno::EISDIR, "do_open", why));
    }
    if how.flags.contains(OpenFlags::O_DIRECTORY) && !sys.kernel.inodes[inode].is_dir() {
        let why = format!("{} is no directory, and O_DIRECTORY asks for one", path.name());
        return Err(SysError::with(Errno::ENOTDIR, "do_open", why));
    }
    if how.flags.contains(OpenFlags::O_PATH) {
        return Ok(open_inode(sys, inode, how.flags, path.name()));
    }
    may_open(sys, task, &path, how.flags)?;
    if let InodeKind::Fifo(_) = sys.kernel.inodes[inode].kind {
        return fifo_open(sys, inode, how.flags - FORGOTTEN, path.name());
    }
    if let InodeKind::Chr(CharDev::Other(major, minor)) = sys.kernel.inodes[inode].kind {
        let why = format!("no driver serves device {major}:{minor}");
        return Err(SysError::with(Errno::ENXIO, "chrdev_open", why));
    }
    if how.flags.contains(OpenFlags::O_TRUNC)
        && matches!(sys.kernel.inodes[inode].kind, InodeKind::Reg { .. })
    {
        do_truncate(sys, task, inode, 0)?;
    }
    if let InodeKind::Chr(dev) = sys.kernel.inodes[inode].kind
        && dev.is_tty()
    {
        let kept = (how.flags - FORGOTTEN, path.name());
        return tty_open(sys, task, dev, how.flags, kept);
    }
    Ok(open_inode(sys, inode, how.flags, path.name()))
}

/// Opens a file of a control group's directory; its other entries are groups.
fn open_cgroup_file(
    sys: &mut System,
    task: TaskId,
    parent: &Parent,
    how: OpenHow,
) -> Result<Option<FileId>, SysError> {
    let (dir, Last::Norm(last)) = (parent.dir.inode(), &parent.last) else { return Ok(None) };
    let Some(id) = sys.kernel.inodes[dir].cgroup else { return Ok(None) };
    let Some(file) = CgroupFile::by_name(&sys.kernel.cgroups[id], last) else {
        if how.flags.contains(OpenFlags::O_CREAT) && lookup_last(sys, parent)?.is_none() {
            let why = "files of a control group are the kernel's; only mkdir makes something there";
            return refuse(Errno::EACCES, "kernfs_iop_create", why);
        }
        return Ok(None);
    };
    let owner = sys.kernel.inodes[dir].i_uid == sys.cred(task).fsuid;
    let bits = if owner { file.mode() >> 6 } else { file.mode() };
    let wanted = match how.flags.bits() & 3 {
        0 => MAY_READ,
        1 => MAY_WRITE,
        _ => MAY_READ | MAY_WRITE,
    };
    if bits & wanted != wanted && !capable(sys, task, Cap::CAP_DAC_OVERRIDE) {
        let why = format!("the mode of {last} does not allow it");
        return Err(SysError::with(Errno::EACCES, "inode_permission", why));
    }
    let path = Arc::from(format!("{}/{last}", parent.dir.name()));
    Ok(Some(alloc_file(sys, FileKind::Cgroup(file, id), how.flags - FORGOTTEN, path)))
}

/// The description of a freshly opened inode.
fn open_inode(sys: &mut System, inode: InodeId, flags: OpenFlags, name: Arc<str>) -> FileId {
    alloc_file(sys, FileKind::Inode(inode), flags - FORGOTTEN, name)
}

/// The file is made by this open, so its mode does not limit this open.
fn create_and_open(
    sys: &mut System,
    task: TaskId,
    parent: Parent,
    how: OpenHow,
) -> Result<FileId, SysError> {
    let Last::Norm(last) = &parent.last else {
        return refuse(Errno::EISDIR, "do_open", "the path ends in a directory");
    };
    let kind = InodeKind::Reg { size: 0, pages: BTreeMap::new() };
    let inode = create_entry(sys, task, &parent.dir, last, kind, how.mode)?;
    let dir = parent.dir.name();
    let sep = if &*dir == "/" { "" } else { "/" };
    Ok(open_inode(sys, inode, how.flags, Arc::from(format!("{dir}{sep}{last}"))))
}

/// O_TMPFILE: a regular file without a name; linkat may give it one, unless
/// O_EXCL.
///
/// # Errors
/// ENOTDIR, EACCES.
fn do_tmpfile(
    sys: &mut System,
    task: TaskId,
    dir: &Path,
    how: OpenHow,
) -> Result<FileId, SysError> {
    let kind = InodeKind::Reg { size: 0, pages: BTreeMap::new() };
    if !sys.kernel.inodes[dir.inode()].is_dir() {
        let why = format!("{} is no directory to make a file in", dir.name());
        return Err(SysError::with(Errno::ENOTDIR, "path_lookupat", why));
    }
    inode_permission(sys, task, dir.inode(), MAY_WRITE | MAY_EXEC, &dir.name())?;
    if dir.inode() == sys.kernel.devpts_root || sys.kernel.inodes[dir.inode()].cgroup.is_some() {
        return refuse(Errno::EOPNOTSUPP, "vfs_tmpfile", "this file system makes no such files");
    }
    let inode = new_inode(sys, task, dir.inode(), kind, how.mode)?;
    sys.kernel.inodes[inode].linkable = !how.flags.contains(OpenFlags::O_EXCL);
    let name = dir.join(&format!("#{}", inode.index()));
    Ok(open_inode(sys, inode, how.flags - OpenFlags::O_EXCL, name))
}

/// Opens an inode anew that a link of /proc leads to, though it may have no name
/// any more.
///
/// # Errors
/// EACCES, EISDIR, ETXTBSY.
pub(super) fn reopen_inode(
    sys: &mut System,
    task: TaskId,
    inode: InodeId,
    name: &Arc<str>,
    flags: OpenFlags,
) -> Result<FileId, SysError> {
    if flags.contains(OpenFlags::O_PATH) {
        return Ok(open_inode(sys, inode, flags, Arc::clone(name)));
    }
    may_open_inode(sys, task, inode, name, flags)?;
    if let InodeKind::Fifo(_) = sys.kernel.inodes[inode].kind {
        return fifo_open(sys, inode, flags - FORGOTTEN, Arc::clone(name));
    }
    if flags.contains(OpenFlags::O_TRUNC)
        && matches!(sys.kernel.inodes[inode].kind, InodeKind::Reg { .. })
    {
        do_truncate(sys, task, inode, 0)?;
    }
    Ok(open_inode(sys, inode, flags, Arc::clone(name)))
}

/// Whether an existing inode may be opened so (`may_open`).
fn may_open(sys: &mut System, task: TaskId, path: &Path, flags: OpenFlags) -> Result<(), SysError> {
    may_open_inode(sys, task, path.inode(), &path.name(), flags)
}

fn may_open_inode(
    sys: &mut System,
    task: TaskId,
    inode: InodeId,
    name: &Arc<str>,
    flags: OpenFlags,
) -> Result<(), SysError> {
    // The mode 3 asks for both permissions and gives neither.
    let mut acc = match flags.bits() & 3 {
        0 => MAY_READ,
        1 => MAY_WRITE,
        _ => MAY_READ | MAY_WRITE,
    };
    if flags.contains(OpenFlags::O_TRUNC) {
        acc |= MAY_WRITE;
    }
    if acc & MAY_WRITE != 0 && sys.kernel.inodes[inode].is_dir() {
        let why = format!("{name} is a directory; it is changed by creating and removing entries");
        return Err(SysError::with(Errno::EISDIR, "may_open", why));
    }
    inode_permission(sys, task, inode, acc, name)?;
    if flags.contains(OpenFlags::O_NOATIME) && !inode_owner_or_capable(sys, task, inode) {
        let why = "O_NOATIME is for the owner of the file and for CAP_FOWNER";
        return refuse(Errno::EPERM, "may_open", why);
    }
    if acc & MAY_WRITE != 0 {
        get_write_access(sys, inode, name)?;
    }
    Ok(())
}

/// Whether a file may be written: no program runs from it. A program that is
/// given as data counts as running always.
///
/// # Errors
/// ETXTBSY.
pub(super) fn get_write_access(sys: &System, inode: InodeId, name: &str) -> Result<(), SysError> {
    const F: &str = "get_write_access";
    if let InodeKind::Image(_) = sys.kernel.inodes[inode].kind {
        let why = format!("{name} is a program; programs count as running, so nobody writes them");
        return Err(SysError::with(Errno::ETXTBSY, F, why));
    }
    let runs = |exe: &str| trusted(sys, exe).is_ok_and(|place| place.inode() == inode);
    if sys.kernel.inodes[inode].is_reg() && sys.kernel.mms.iter().any(|(_, m)| runs(&m.exe_file)) {
        let why = format!("a process runs the program in {name}");
        return Err(SysError::with(Errno::ETXTBSY, F, why));
    }
    Ok(())
}

/// access(2), faccessat(2): what the *real* ids may do, whoever the program
/// acts as: the question of a set-user-ID program. `mode` is a set of `MAY_*`,
/// or 0 to ask whether the file exists.
///
/// # Errors
/// EINVAL: another bit in `mode`. EACCES, and those of the walk.
pub fn do_faccessat(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    mode: u32,
    flags: u32,
) -> Result<(), SysError> {
    const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
    const AT_EACCESS: u32 = 0x200;
    const AT_EMPTY_PATH: u32 = 0x1000;
    let follow = flags & AT_SYMLINK_NOFOLLOW == 0;
    if mode & !(MAY_READ | MAY_WRITE | MAY_EXEC) != 0 {
        return refuse(Errno::EINVAL, "do_faccessat", "the mode is a set of R_OK, W_OK and X_OK");
    }
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EACCESS | AT_EMPTY_PATH) != 0 {
        let why = "the flags are AT_SYMLINK_NOFOLLOW, AT_EACCESS and AT_EMPTY_PATH";
        return refuse(Errno::EINVAL, "do_faccessat", why);
    }
    let ask = |sys: &mut System| {
        let place = if name.is_empty() && flags & AT_EMPTY_PATH != 0 && dfd != AT_FDCWD {
            Place::File(fget_raw(sys, task, dfd)?)
        } else {
            let empty = name.is_empty() && flags & AT_EMPTY_PATH != 0;
            stat::find(sys, task, dfd, if empty { "." } else { name }, follow)?
        };
        stat::permission(sys, task, &place, mode)
    };
    if flags & AT_EACCESS != 0 {
        return ask(sys);
    }
    // access_override_creds: a copy for the length of the call.
    let mut cred = sys.cred(task).clone();
    (cred.fsuid, cred.fsgid, cred.usage) = (cred.uid, cred.gid, 1);
    if !cred.issecure(SECBIT_NO_SETUID_FIXUP) {
        let root = make_kuid(sys, cred.user_ns, 0);
        let effective = if Some(cred.uid) == root { cred.cap_permitted } else { CapSet::EMPTY };
        cred.cap_effective = effective;
    }
    let own = sys.task(task).cred;
    let over = sys.kernel.creds.insert(cred);
    sys.task_mut(task).cred = over;
    let result = ask(sys);
    sys.task_mut(task).cred = own;
    sys.kernel.creds.free(over);
    result
}

/// The directory a path names, which the caller may enter.
fn enterable(sys: &mut System, task: TaskId, name: &str) -> Result<Path, SysError> {
    let path = filename_lookup(sys, task, AT_FDCWD, name)?;
    if !sys.kernel.inodes[path.inode()].is_dir() {
        let why = format!("{} is no directory", path.name());
        return Err(SysError::with(Errno::ENOTDIR, "path_lookupat", why));
    }
    inode_permission(sys, task, path.inode(), MAY_EXEC, &path.name())?;
    Ok(path)
}

/// chdir(2).
pub fn ksys_chdir(sys: &mut System, task: TaskId, name: &str) -> Result<(), SysError> {
    let followed = follow(sys, task, AT_FDCWD, getname(name)?, End::Follow)?;
    let name = followed.as_deref().unwrap_or(name);
    if let Some(dir) = super::proc::enter(sys, task, AT_FDCWD, name)? {
        task_fs_mut(sys, task)?.pwd = dir;
        return Ok(());
    }
    let path = enterable(sys, task, name)?;
    task_fs_mut(sys, task)?.pwd = path.name();
    Ok(())
}

/// fchdir(2).
pub fn fchdir(sys: &mut System, task: TaskId, fd: i32) -> Result<(), SysError> {
    let id = fget_raw(sys, task, fd)?;
    let file = &sys.kernel.filps[id];
    let dir = match file.kind {
        FileKind::Inode(i) if sys.kernel.inodes[i].is_dir() => i,
        FileKind::Proc(ProcFile::Dir(_), _) => {
            let name = Arc::clone(&file.path);
            let dir = super::proc::enter(sys, task, AT_FDCWD, &name)?;
            task_fs_mut(sys, task)?.pwd = dir.unwrap_or(name);
            return Ok(());
        }
        _ => {
            let why = format!("descriptor {fd} is no directory");
            return Err(SysError::with(Errno::ENOTDIR, "fchdir", why));
        }
    };
    let name = Arc::clone(&file.path);
    inode_permission(sys, task, dir, MAY_EXEC, &name)?;
    task_fs_mut(sys, task)?.pwd = name;
    Ok(())
}

/// chroot(2): the working directory stays where it is, even outside.
///
/// # Errors
/// Those of the walk, EACCES, then EPERM without CAP_SYS_CHROOT.
pub fn ksys_chroot(sys: &mut System, task: TaskId, name: &str) -> Result<(), SysError> {
    let path = enterable(sys, task, name)?;
    let ns = sys.cred(task).user_ns;
    if !ns_capable(sys, task, ns, Cap::CAP_SYS_CHROOT) {
        let why = "chroot needs CAP_SYS_CHROOT in the caller's user namespace";
        return refuse(Errno::EPERM, "ksys_chroot", why);
    }
    task_fs_mut(sys, task)?.root = path.name();
    Ok(())
}

/// getcwd(2): the working directory as seen from the root directory.
///
/// # Errors
/// ENOENT: it was removed.
pub fn getcwd(sys: &System, task: TaskId) -> Result<String, SysError> {
    let fs = task_fs(sys, task)?;
    let there = trusted(sys, &fs.pwd).is_ok();
    if !there && !fs.pwd.starts_with("/proc") && !fs.pwd.starts_with("/sys") {
        return refuse(Errno::ENOENT, "getcwd", "the working directory was removed");
    }
    if &*fs.root == "/" {
        return Ok(fs.pwd.to_string());
    }
    Ok(match fs.pwd.strip_prefix(&*fs.root) {
        Some("") => "/".to_string(),
        Some(rest) if rest.starts_with('/') => rest.to_string(),
        // It lies outside the root: the name is that from the real root.
        _ => format!("(unreachable){}", fs.pwd),
    })
}

/// Opens the console as descriptors 0, 1 and 2 of the first task
/// (`console_on_rootfs`): one description, three references.
pub fn console_on_rootfs(sys: &mut System, init: TaskId) -> Result<(), SysError> {
    let how = build_open_flags(OpenFlags::O_RDWR.bits(), 0)?;
    let file = do_filp_open(sys, init, AT_FDCWD, "/dev/console", how)?;
    for _ in 0..3 {
        let fd = get_unused_fd(sys, init)?;
        get_file(sys, file);
        fd_install(sys, init, fd, file, false);
    }
    fput(sys, file);
    Ok(())
}
