//! System calls: files. Handlers decode arguments; the verbs live elsewhere.
//!
//! A path, or the bytes of a write, may travel as the call's payload; a read
//! into the null pointer leaves its bytes in `kernel.out`, and so do pipe and
//! getcwd with what they would have stored.
//!
//! Linux: include/linux/syscalls.h. Left out: see the notes of the rows.

use super::table::{Syscall, row};
use super::{Call, Out, Payload};
use crate::abi::{Errno, OpenFlags};
use crate::base::{PAGE_SIZE, text};
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::fs::inode::S_IFLNK;
use crate::kernel::fs::namei::{AT_FDCWD, PATH_MAX};
use crate::kernel::fs::rw::{self, At};
use crate::kernel::fs::uio::{Dest, Source};
use crate::kernel::fs::{FileKind, dup, exec, fdtable, fs_struct, locks, open, pidfd, pipe, proc};
use crate::kernel::fs::{stat, truncate};
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user, get_user_u64, strncpy_from_user};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::tty::{ioctl, tty_io};

/// Argument `i` as a path: the payload, else user memory.
pub(super) fn path_arg(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    i: usize,
) -> Result<String, SysError> {
    match &call.payload {
        Payload::Text(path) => Ok(path.to_string()),
        _ => strncpy_from_user(sys, task, call.args[i], PATH_MAX),
    }
}

/// Two paths: arguments `i` and `j`, or the payload's two.
pub(super) fn two_paths(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    (i, j): (usize, usize),
) -> Result<(String, String), SysError> {
    if let Payload::Texts(two) = &call.payload {
        return Ok((two.0.to_string(), two.1.to_string()));
    }
    let first = strncpy_from_user(sys, task, call.args[i], PATH_MAX)?;
    Ok((first, strncpy_from_user(sys, task, call.args[j], PATH_MAX)?))
}

pub(super) fn done(result: Result<(), SysError>) -> SysResult {
    result?;
    Ok(0)
}

pub(super) fn fd_result(result: Result<i32, SysError>) -> SysResult {
    Ok(i64::from(result?))
}

/// A descriptor argument: Linux looks at its low 32 bits only.
pub(super) fn fd(arg: u64) -> i32 {
    arg as i32
}

fn dest(call: &Call) -> Dest {
    let [_, addr, len, ..] = call.args;
    if call.wants_out(1) { Dest::Out(Vec::new(), len) } else { Dest::User(addr, len) }
}

fn source(call: &Call) -> Source<'_> {
    match &call.payload {
        Payload::Bytes(bytes) => Source::Bytes(bytes),
        Payload::Text(text) => Source::Bytes(text.as_bytes()),
        _ => Source::User(call.args[1], call.args[2]),
    }
}

/// A read or write may sleep, holding its file and knowing how far it got.
pub(super) fn may_sleep(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    run: impl FnOnce(&mut System, &mut u64) -> SysResult,
) -> SysResult {
    let mut note = sys.task(task).resume.as_ref().map_or(0, |r| r.note);
    let result = run(sys, &mut note);
    match result {
        Err(Stop::Block(wait)) => rw::fdget_sleep(sys, task, call, wait, note),
        _ => rw::fdput(sys, task),
    }
    result
}

fn read_at(sys: &mut System, task: TaskId, call: &Call, at: At) -> SysResult {
    may_sleep(sys, task, call, |sys, note| {
        rw::ksys_read(sys, task, fd(call.args[0]), dest(call), at, note)
    })
}

fn write_at(sys: &mut System, task: TaskId, call: &Call, at: At) -> SysResult {
    may_sleep(sys, task, call, |sys, note| {
        rw::ksys_write(sys, task, fd(call.args[0]), source(call), at, note)
    })
}

fn sys_read(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    read_at(sys, task, call, At::Pos)
}

fn sys_pread64(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    read_at(sys, task, call, At::Offset(call.args[3] as i64))
}

fn sys_write(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    write_at(sys, task, call, At::Pos)
}

fn sys_pwrite64(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    write_at(sys, task, call, At::Offset(call.args[3] as i64))
}

fn sys_lseek(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [f, offset, whence, ..] = call.args;
    Ok(rw::ksys_lseek(sys, task, fd(f), offset as i64, whence as u32)?)
}

/// Opens the path that argument `i` names.
fn open_at(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    (dfd, i): (i32, usize),
    how: (u32, u32),
) -> SysResult {
    open::open_call(sys, task, call, dfd, |sys| path_arg(sys, task, call, i), how)
}

fn sys_open(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    open_at(sys, task, call, (AT_FDCWD, 0), (call.args[1] as u32, call.args[2] as u32))
}

fn sys_openat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let how = (call.args[2] as u32, call.args[3] as u32);
    open_at(sys, task, call, (fd(call.args[0]), 1), how)
}

/// openat2: the flags and the mode are in a structure, and unknown bits are
/// refused.
fn sys_openat2(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    const F: &str = "build_open_flags";
    const HOW_SIZE: u64 = 24;
    const O_LARGEFILE: u64 = 0o100000;
    let [dfd, _, how, size, ..] = call.args;
    if size < HOW_SIZE {
        return Ok(refuse(Errno::EINVAL, "openat2", "struct open_how has 24 bytes at least")?);
    }
    if size > PAGE_SIZE {
        return Ok(refuse(Errno::E2BIG, "openat2", "struct open_how is larger than a page")?);
    }
    let mut words = Vec::new();
    for at in (0..HOW_SIZE).step_by(8) {
        words.push(get_user_u64(sys, task, how.wrapping_add(at))?);
    }
    let mut rest = vec![0; (size - HOW_SIZE) as usize];
    copy_from_user(sys, task, how.wrapping_add(HOW_SIZE), &mut rest)?;
    if rest.iter().any(|b| *b != 0) {
        let why = "the structure has fields that this kernel does not know";
        return Ok(refuse(Errno::E2BIG, "copy_struct_from_user", why)?);
    }
    let [flags, mode, resolve] = words[..] else { return Ok(0) };
    let known = u64::from(OpenFlags::all().bits()) | O_LARGEFILE;
    if flags & !known != 0 {
        return Ok(refuse(Errno::EINVAL, F, "a flag that is unknown or not modelled")?);
    }
    if resolve != 0 {
        return Ok(refuse(Errno::EINVAL, F, "the RESOLVE_ flags are not modelled")?);
    }
    let open = OpenFlags::from_bits_truncate(flags as u32);
    let makes = open.intersects(OpenFlags::O_CREAT | OpenFlags::__O_TMPFILE);
    if mode & !0o7777 != 0 || !makes && mode != 0 {
        return Ok(refuse(Errno::EINVAL, F, "a mode is for files to be made, and has 12 bits")?);
    }
    let path_flags =
        OpenFlags::O_PATH | OpenFlags::O_DIRECTORY | OpenFlags::O_NOFOLLOW | OpenFlags::O_CLOEXEC;
    if open.contains(OpenFlags::O_PATH) && flags & !u64::from(path_flags.bits()) != 0 {
        let why = "O_PATH goes with O_DIRECTORY, O_NOFOLLOW and O_CLOEXEC only";
        return Ok(refuse(Errno::EINVAL, F, why)?);
    }
    open_at(sys, task, call, (fd(dfd), 1), (flags as u32, mode as u32))
}

fn sys_creat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let flags = OpenFlags::O_CREAT | OpenFlags::O_WRONLY | OpenFlags::O_TRUNC;
    open_at(sys, task, call, (AT_FDCWD, 0), (flags.bits(), call.args[1] as u32))
}

fn sys_truncate(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    done(truncate::do_sys_truncate(sys, task, &path, call.args[1] as i64))
}

fn sys_ftruncate(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    done(truncate::do_sys_ftruncate(sys, task, fd(call.args[0]), call.args[1] as i64))
}

fn sys_close(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    done(fdtable::close_fd(sys, task, fd(call.args[0])))
}

fn sys_close_range(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [first, last, flags, ..] = call.args;
    done(dup::close_range(sys, task, first as u32, last as u32, flags as u32))
}

fn sys_dup(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    fd_result(dup::dup(sys, task, fd(call.args[0])))
}

fn sys_dup2(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    fd_result(dup::dup2(sys, task, fd(call.args[0]), fd(call.args[1])))
}

fn sys_dup3(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [old, new, flags, ..] = call.args;
    fd_result(dup::ksys_dup3(sys, task, fd(old), fd(new), flags as u32))
}

/// The lock operations take and give `struct flock`.
fn fcntl_lock(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [f, cmd, arg, ..] = call.args;
    fdtable::fget(sys, task, fd(f))?;
    let mut bytes = [0; locks::FLOCK_SIZE];
    match &call.payload {
        Payload::Bytes(given) if given.len() == bytes.len() => bytes.copy_from_slice(given),
        _ => copy_from_user(sys, task, arg, &mut bytes)?,
    }
    let mut flock = locks::Flock::from_bytes(&bytes);
    let result = may_sleep(sys, task, call, |sys, note| {
        locks::fcntl_lock(sys, task, fd(f), cmd as u32, &mut flock, note)
    });
    if result.is_ok() && locks::is_get(cmd as u32) {
        match &call.payload {
            Payload::Bytes(_) => sys.kernel.out = Out::Bytes(flock.to_bytes().to_vec()),
            _ => copy_to_user(sys, task, arg, &flock.to_bytes())?,
        }
    }
    result
}

fn sys_fcntl(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [f, cmd, arg, ..] = call.args;
    if locks::is_lock_cmd(cmd as u32) {
        return fcntl_lock(sys, task, call);
    }
    Ok(dup::do_fcntl(sys, task, fd(f), cmd as u32, arg)?)
}

fn pipe2(sys: &mut System, task: TaskId, call: &Call, flags: u32) -> SysResult {
    let fds = pipe::do_pipe2(sys, task, flags)?;
    if call.wants_out(0) {
        sys.kernel.out = Out::Fds(fds.0, fds.1);
        return Ok(0);
    }
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&fds.0.to_le_bytes());
    bytes[4..].copy_from_slice(&fds.1.to_le_bytes());
    if let Err(e) = copy_to_user(sys, task, call.args[0], &bytes) {
        pipe::undo_pipe(sys, task, fds);
        return Err(e.into());
    }
    Ok(0)
}

fn sys_pipe(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    pipe2(sys, task, call, 0)
}

fn sys_pipe2(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    pipe2(sys, task, call, call.args[1] as u32)
}

fn sys_pidfd_open(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    fd_result(pidfd::pidfd_open(sys, task, call.args[0] as i32, call.args[1] as u32))
}

fn sys_pidfd_getfd(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [pidfd, target, flags, ..] = call.args;
    fd_result(pidfd::pidfd_getfd(sys, task, fd(pidfd), fd(target), flags as u32))
}

fn sys_access(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    done(open::do_faccessat(sys, task, AT_FDCWD, &path, call.args[1] as u32, 0))
}

fn sys_faccessat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 1)?;
    done(open::do_faccessat(sys, task, fd(call.args[0]), &path, call.args[2] as u32, 0))
}

fn sys_chdir(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    done(open::ksys_chdir(sys, task, &path))
}

fn sys_fchdir(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    done(open::fchdir(sys, task, fd(call.args[0])))
}

fn sys_chroot(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let path = path_arg(sys, task, call, 0)?;
    done(open::ksys_chroot(sys, task, &path))
}

fn sys_getcwd(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let cwd = open::getcwd(sys, task)?;
    let [addr, size, ..] = call.args;
    let len = text::len(&cwd) as u64 + 1;
    if call.wants_out(0) {
        sys.kernel.out = Out::Text(cwd);
        return Ok(len as i64);
    }
    if size < len {
        let why = format!("the buffer has {size} bytes, the path with its NUL {len}");
        return Err(SysError::with(Errno::ERANGE, "getcwd", why).into());
    }
    let mut bytes = text::encode(&cwd).into_owned();
    bytes.push(0);
    copy_to_user(sys, task, addr, &bytes)?;
    Ok(len as i64)
}

/// More pointers than any argument limit admits.
const MAX_STRINGS: usize = 1 << 20;

/// The strings of an argv or envp array in user memory; NULL is no strings.
fn strings(sys: &mut System, task: TaskId, array: u64) -> Result<Vec<String>, SysError> {
    let mut list = Vec::new();
    let mut bytes = 0;
    if array == 0 {
        return Ok(list);
    }
    loop {
        let at = array.wrapping_add(8 * list.len() as u64);
        let addr = get_user_u64(sys, task, at)?;
        if addr == 0 {
            return Ok(list);
        }
        let s = strncpy_from_user(sys, task, addr, exec::MAX_ARG_STRLEN).map_err(|e| {
            let errno = if e.errno == Errno::ENAMETOOLONG { Errno::E2BIG } else { e.errno };
            SysError { errno, ..e }
        })?;
        bytes += text::len(&s) as u64;
        list.push(s);
        if list.len() > MAX_STRINGS || bytes > exec::MAX_ARG_BYTES {
            let why = "arguments or environment are larger than any stack limit admits";
            return refuse(Errno::E2BIG, "bprm_stack_limits", why);
        }
    }
}

fn sys_execve(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    if let Payload::Exec(exec) = &call.payload {
        let (path, argv, envp) = &**exec;
        return exec::do_execveat(sys, task, Some(call), (path, argv, envp));
    }
    let path = path_arg(sys, task, call, 0)?;
    let arrays = strings(sys, task, call.args[1])
        .and_then(|argv| Ok((argv, strings(sys, task, call.args[2])?)));
    match arrays {
        Ok((argv, envp)) => exec::do_execveat(sys, task, Some(call), (&path, &argv, &envp)),
        Err(e) => {
            // The file is opened before the strings are read.
            exec::do_open_execat(sys, task, &path)?;
            Err(e.into())
        }
    }
}

/// The path that execveat means, as one that execve takes (`do_open_execat`,
/// `alloc_bprm`).
///
/// # Errors
/// EINVAL: flags. ENOENT: empty without AT_EMPTY_PATH. EBADF. EACCES: the
/// descriptor is no file. ELOOP: a link and AT_SYMLINK_NOFOLLOW.
fn execveat_path(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    path: &str,
    flags: u32,
) -> Result<String, SysError> {
    const F: &str = "do_open_execat";
    const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
    const AT_EMPTY_PATH: u32 = 0x1000;
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        let why = "execveat knows AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW; AT_EXECVE_CHECK is not                    modelled";
        return refuse(Errno::EINVAL, F, why);
    }
    if path.is_empty() && flags & AT_EMPTY_PATH == 0 {
        return refuse(Errno::ENOENT, "getname", "the path is empty");
    }
    let relative = dfd != AT_FDCWD && !path.starts_with('/');
    let kind = match relative {
        true => Some(sys.kernel.filps[fdtable::fget(sys, task, dfd)?].kind),
        false => None,
    };
    let named = match kind {
        _ if path.is_empty() && dfd == AT_FDCWD => {
            return refuse(Errno::EACCES, F, "a directory is no program");
        }
        None => path.to_string(),
        Some(FileKind::Inode(_)) if path.is_empty() => format!("/proc/self/fd/{dfd}"),
        Some(_) if path.is_empty() => {
            return refuse(Errno::EACCES, F, "the descriptor is no regular file");
        }
        Some(FileKind::Inode(i)) if sys.kernel.inodes[i].is_dir() => {
            format!("/proc/self/fd/{dfd}/{path}")
        }
        Some(FileKind::Proc(proc::ProcFile::Dir(_), _)) => format!("/proc/self/fd/{dfd}/{path}"),
        Some(_) => {
            return refuse(Errno::ENOTDIR, "path_init", "the path is relative to no directory");
        }
    };
    if flags & AT_SYMLINK_NOFOLLOW != 0 && !path.is_empty() {
        let st = stat::vfs_fstatat(sys, task, dfd, path, AT_SYMLINK_NOFOLLOW)?;
        if st.mode & 0o170000 == S_IFLNK {
            let why = "the path ends in a link, and AT_SYMLINK_NOFOLLOW is set";
            return refuse(Errno::ELOOP, F, why);
        }
    }
    // Of a path that execve would take, the name of the command is its last part.
    if kind.is_none() {
        return Ok(named);
    }
    // A file that has lost its name is not found again.
    Ok(proc::rewrite(sys, task, AT_FDCWD, &named, true)?.unwrap_or(named))
}

fn sys_execveat(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let (dfd, flags) = (fd(call.args[0]), call.args[4] as u32);
    if let Payload::Exec(exec) = &call.payload {
        let (path, argv, envp) = &**exec;
        let path = execveat_path(sys, task, dfd, path, flags)?;
        return exec::do_execveat(sys, task, Some(call), (&path, argv, envp));
    }
    let path = path_arg(sys, task, call, 1)?;
    let path = execveat_path(sys, task, dfd, &path, flags)?;
    let argv = strings(sys, task, call.args[2])?;
    let envp = strings(sys, task, call.args[3])?;
    exec::do_execveat(sys, task, Some(call), (&path, &argv, &envp))
}

fn sys_umask(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    Ok(i64::from(fs_struct::sys_umask(sys, task, call.args[0] as u32)?))
}

fn sys_ioctl(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    ioctl::sys_ioctl(sys, task, call)
}

fn sys_vhangup(sys: &mut System, task: TaskId, _: &Call) -> SysResult {
    done(tty_io::sys_vhangup(sys, task))
}

const OPEN_NOTE: &str = "O_DIRECT and O_ASYNC are refused, and a FIFO to read and write at once; programs given as data cannot be written (ETXTBSY)";
const FCNTL_NOTE: &str = "F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETPIPE_SZ, F_SETPIPE_SZ, F_GET_SEALS, and the locks: F_GETLK, F_SETLK, F_SETLKW and their OFD forms; others are refused";
const EXECVE_NOTE: &str = "ELF files of x86_64, #! scripts and programs given as data; other formats are refused (ENOEXEC); p_align above a page is not kept";
const IOCTL_NOTE: &str = "FIONREAD, FIONBIO, FIOCLEX, FIONCLEX; of pseudo terminals TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCSCTTY, TIOCNOTTY, TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCGPTN, TIOCSPTLCK, TIOCGPTLCK; others are refused";
const EXECVEAT_NOTE: &str = "as execve; AT_EXECVE_CHECK and files without a name are refused; a script's interpreter gets the name of the file, not /dev/fd/N";
const READ_NOTE: &str = "console input is always at its end; without a user buffer at most 16 MiB";

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(0, "read", &["fd", "buf", "count"], sys_read).partly(READ_NOTE),
    row(1, "write", &["fd", "buf", "count"], sys_write),
    row(2, "open", &["filename", "flags", "mode"], sys_open).partly(OPEN_NOTE),
    row(3, "close", &["fd"], sys_close),
    row(8, "lseek", &["fd", "offset", "whence"], sys_lseek),
    row(16, "ioctl", &["fd", "cmd", "arg"], sys_ioctl).partly(IOCTL_NOTE),
    row(17, "pread64", &["fd", "buf", "count", "pos"], sys_pread64).partly(READ_NOTE),
    row(18, "pwrite64", &["fd", "buf", "count", "pos"], sys_pwrite64),
    row(21, "access", &["filename", "mode"], sys_access),
    row(22, "pipe", &["fildes"], sys_pipe),
    row(32, "dup", &["fildes"], sys_dup),
    row(33, "dup2", &["oldfd", "newfd"], sys_dup2),
    row(59, "execve", &["filename", "argv", "envp"], sys_execve).partly(EXECVE_NOTE),
    row(72, "fcntl", &["fd", "cmd", "arg"], sys_fcntl).partly(FCNTL_NOTE),
    row(76, "truncate", &["path", "length"], sys_truncate),
    row(77, "ftruncate", &["fd", "length"], sys_ftruncate),
    row(79, "getcwd", &["buf", "size"], sys_getcwd),
    row(80, "chdir", &["filename"], sys_chdir),
    row(81, "fchdir", &["fd"], sys_fchdir),
    row(85, "creat", &["pathname", "mode"], sys_creat).partly(OPEN_NOTE),
    row(95, "umask", &["mask"], sys_umask),
    row(153, "vhangup", &[], sys_vhangup),
    row(161, "chroot", &["filename"], sys_chroot),
    row(257, "openat", &["dfd", "filename", "flags", "mode"], sys_openat).partly(OPEN_NOTE),
    row(269, "faccessat", &["dfd", "filename", "mode"], sys_faccessat),
    row(292, "dup3", &["oldfd", "newfd", "flags"], sys_dup3),
    row(293, "pipe2", &["fildes", "flags"], sys_pipe2).partly("packet mode (O_DIRECT) is refused"),
    row(434, "pidfd_open", &["pid", "flags"], sys_pidfd_open),
    row(438, "pidfd_getfd", &["pidfd", "targetfd", "flags"], sys_pidfd_getfd),
    row(322, "execveat", &["fd", "filename", "argv", "envp", "flags"], sys_execveat)
        .partly(EXECVEAT_NOTE),
    row(437, "openat2", &["dfd", "filename", "how", "usize"], sys_openat2)
        .partly("every RESOLVE_ flag is refused"),
    row(436, "close_range", &["fd", "max_fd", "flags"], sys_close_range),
];
