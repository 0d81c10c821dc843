//! More calls on files and memory as programs make them; see `calls`.
//!
//! Left out: what the kernel does not model; `syscall(nr, …)` says so.

use super::calls::{
    ADDR, BLOB, DATA, Give, NOTHING, NUMBER, Row, numbers, path_call, plain_call, rows,
};
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::bind::args;
use crate::script::bind::door::nr;
use crate::script::bind::{lookup, names, poll};
use crate::session::program::Child;

const TEXT: Give = |ret, out| match out {
    Out::Text(text) => text.into(),
    _ => ret.into(),
};

pub(super) const NUMBERS: &[Row] = numbers! {
    /// Sets a file's length (ftruncate(2)).
    "ftruncate(fd: int, len: int)" => "ftruncate", NOTHING;
    /// Locks an open file (flock(2)): LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB if
    /// it shall not wait.
    "flock(fd: int, op: Flags)" => "flock", NOTHING;
    /// Changes the working directory (fchdir(2)).
    "fchdir(fd: int)" => "fchdir", NOTHING;
    /// Changes a file's mode (fchmod(2)).
    "fchmod(fd: int, mode: int)" => "fchmod", NOTHING;
    /// Changes a file's owner (fchown(2)).
    "fchown(fd: int, uid: int, gid: int)" => "fchown", NOTHING;
    /// Closes a range of descriptors, or sets their close-on-exec flag
    /// (close_range(2)).
    "close_range(first: int, last: int, flags: Flags)" => "close_range", NOTHING;
    /// A descriptor of a process (pidfd_open(2)).
    "pidfd_open(pid: int, flags: Flags) -> int" => "pidfd_open", NUMBER;
    /// A descriptor for what another process has open (pidfd_getfd(2)).
    "pidfd_getfd(pidfd: int, fd: int, flags: Flags) -> int" => "pidfd_getfd", NUMBER;
    /// Gives a mapping another length; MREMAP_MAYMOVE: it may go elsewhere
    /// (mremap(2)). Gives where it is then.
    "mremap(addr: Addr, old_len: int, new_len: int, flags: Flags) -> Addr" => "mremap", ADDR;
    /// The same to an address, with MREMAP_FIXED.
    "mremap(addr: Addr, old_len: int, new_len: int, flags: Flags, to: Addr) -> Addr" =>
        "mremap", ADDR;
    /// Moves the end of the heap (brk(2)); gives where it is then.
    "brk(addr: Addr) -> Addr" => "brk", ADDR;
    /// Keeps pages in memory (mlock(2)).
    "mlock(addr: Addr, len: int)" => "mlock", NOTHING;
    /// Lets them go (munlock(2)).
    "munlock(addr: Addr, len: int)" => "munlock", NOTHING;
    /// Keeps all pages in memory (mlockall(2)).
    "mlockall(flags: Flags)" => "mlockall", NOTHING;
    /// Lets them go (munlockall(2)).
    "munlockall()" => "munlockall", NOTHING;
    /// Writes a file's mapping back (msync(2)).
    "msync(addr: Addr, len: int, flags: Flags)" => "msync", NOTHING;
};

pub(super) const OTHERS: &[Row] = rows! {
    /// Makes a file (creat(2)); gives its descriptor.
    "creat(path: string, mode: int) -> int" => NUMBER, |_, name, a| path_call(nr("creat"), name, a);
    /// Makes a directory (mkdir(2)).
    "mkdir(path: string, mode: int)" => NOTHING, |_, name, a| path_call(nr("mkdir"), name, a);
    /// Removes an empty directory (rmdir(2)).
    "rmdir(path: string)" => NOTHING, |_, name, a| path_call(nr("rmdir"), name, a);
    /// Whether a file may be used: F_OK, R_OK, W_OK, X_OK (access(2)).
    "access(path: string, mode: Flags)" => NOTHING, |_, name, a| path_call(nr("access"), name, a);
    /// Changes a file's mode (chmod(2)).
    "chmod(path: string, mode: int)" => NOTHING, |_, name, a| path_call(nr("chmod"), name, a);
    /// Changes a file's owner (chown(2)).
    "chown(path: string, uid: int, gid: int)" => NOTHING,
        |_, name, a| path_call(nr("chown"), name, a);
    /// Sets a file's length (truncate(2)).
    "truncate(path: string, len: int)" => NOTHING,
        |_, name, a| path_call(nr("truncate"), name, a);
    /// Changes the root directory (chroot(2)).
    "chroot(path: string)" => NOTHING, |_, name, a| path_call(nr("chroot"), name, a);
    /// The working directory (getcwd(2)).
    "getcwd() -> string" => TEXT, |_, _, _| {
        Ok((Call::new(nr("getcwd"), &[0, 4096]), Child::Returns))
    };
    /// Reads up to n bytes at an offset (pread(2)).
    "pread(fd: int, n: int, offset: int) -> string" => DATA, |_, name, a| {
        let words = [
            args::word(&format!("{name}: fd"), &a[0])?,
            0,
            args::word(&format!("{name}: n"), &a[1])?,
            args::word(&format!("{name}: offset"), &a[2])?,
        ];
        Ok((Call::new(nr("pread64"), &words), Child::Returns))
    };
    /// Writes at an offset (pwrite(2)).
    "pwrite(fd: int, data: string, offset: int) -> int" => NUMBER, |_, name, a| {
        let bytes = args::bytes(&format!("{name}: data"), &a[1])?;
        let words = [
            args::word(&format!("{name}: fd"), &a[0])?,
            0,
            bytes.len() as u64,
            args::word(&format!("{name}: offset"), &a[2])?,
        ];
        let call = Call::with(nr("pwrite64"), &words, Payload::Bytes(bytes.into()));
        Ok((call, Child::Returns))
    };
    /// Waits until a descriptor is ready, for so many milliseconds, -1 for ever
    /// (poll(2)). `fds` has descriptors, asked for POLLIN, or
    /// `[fd, POLLIN | POLLOUT]`; gives what was found, entry by entry.
    "poll(fds: array, timeout: int) -> array" => poll::revents,
        |_, _, a| Ok((poll::poll(&a[0], &a[1])?, Child::Returns));
    /// The same with a time in ns and a set of signals that are blocked while
    /// it waits; `()` for no end, and for the mask it has (ppoll(2)).
    "ppoll(fds: array, ns: any, mask: any) -> array" => poll::revents,
        |_, _, a| Ok((poll::ppoll(&a[0], &a[1], &a[2])?, Child::Returns));
    /// Replaces the program by one named from an open directory, or by what a
    /// descriptor has open: "" and AT_EMPTY_PATH (execveat(2)).
    "execveat(fd: int, path: string, args: array, flags: Flags) -> int" => NUMBER, |_, name, a| {
        let path = args::text(&format!("{name}: path"), &a[1])?;
        let argv = args::texts(&format!("{name}: args"), &a[2])?;
        let (call, child) = plain_call(nr("execveat"), name, &[a[0].clone(), a[3].clone()])?;
        let [fd, flags, ..] = call.args;
        let payload = Payload::Exec(Box::new((path, argv, Vec::new())));
        Ok((Call::with(nr("execveat"), &[fd, 0, 0, 0, flags], payload), child))
    };
    /// What a file is: #{ino, mode, nlink, uid, gid, size, atime, mtime, ctime},
    /// times in ns since 1970 (stat(2)).
    "stat(path: string) -> map" => lookup::stat_map,
        |_, name, a| Ok((lookup::on_path(name, nr("stat"), &a[0])?, Child::Returns));
    /// The same of a link itself (lstat(2)).
    "lstat(path: string) -> map" => lookup::stat_map,
        |_, name, a| Ok((lookup::on_path(name, nr("lstat"), &a[0])?, Child::Returns));
    /// The same of an open file (fstat(2)).
    "fstat(fd: int) -> map" => lookup::stat_map,
        |_, _, a| Ok((lookup::fstat(&a[0])?, Child::Returns));
    /// What a link says (readlink(2)); those of /proc too.
    "readlink(path: string) -> string" => lookup::text,
        |_, _, a| Ok((lookup::readlink(&a[0])?, Child::Returns));
    /// Gives a file another name, over one that is there (rename(2)).
    "rename(old: string, new: string)" => NOTHING, |_, name, a| {
        Ok((names::two_paths(name, nr("rename"), [&a[0], &a[1]], None)?, Child::Returns))
    };
    /// The same with RENAME_NOREPLACE or RENAME_EXCHANGE (renameat2(2)).
    "rename(old: string, new: string, flags: Flags)" => NOTHING, |_, name, a| {
        let call = names::two_paths(name, nr("renameat2"), [&a[0], &a[1]], Some(&a[2]))?;
        Ok((call, Child::Returns))
    };
    /// Another name for a file (link(2)).
    "link(old: string, new: string)" => NOTHING, |_, name, a| {
        Ok((names::two_paths(name, nr("link"), [&a[0], &a[1]], None)?, Child::Returns))
    };
    /// A link that says `text`, wherever that leads (symlink(2)).
    "symlink(text: string, path: string)" => NOTHING, |_, name, a| {
        Ok((names::two_paths(name, nr("symlink"), [&a[0], &a[1]], None)?, Child::Returns))
    };
    /// Makes a FIFO (mkfifo(3)): a pipe with a name, whose opening waits for the
    /// other end.
    "mkfifo(path: string, mode: int)" => NOTHING,
        |_, name, a| Ok((names::mkfifo(name, &a[0], &a[1])?, Child::Returns));
    /// Sets access and modification time, in ns since 1970, UTIME_NOW or UTIME_OMIT
    /// (utimensat(2)).
    "utimensat(path: string, atime: int, mtime: int)" => NOTHING,
        |_, _, a| Ok((names::utimensat(&a[0], [&a[1], &a[2]], None)?, Child::Returns));
    /// Which file system a path is in: #{type, bsize, namelen, flags} (statfs(2)).
    "statfs(path: string) -> map" => names::statfs_map,
        |_, _, a| Ok((names::statfs(&a[0])?, Child::Returns));
    /// The next names in an open directory, without "." and "..", as many as
    /// fit 32 KiB; empty at the end (getdents64(2)).
    "readdir(fd: int) -> array" => lookup::names,
        |_, _, a| Ok((lookup::readdir(&a[0])?, Child::Returns));
    /// Which pages are in memory, a byte each (mincore(2)).
    "mincore(addr: Addr, len: int) -> blob" => BLOB,
        |_, name, a| plain_call(nr("mincore"), name, a);
};
