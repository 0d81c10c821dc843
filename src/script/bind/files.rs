//! File system calls: open, read, write, pipes, descriptors, directories,
//! modes. Files live in the machine's memory; nothing reaches the host, and
//! what a task writes to its console is printed.
//!
//! Left out: looking at files without opening them (`lookup`), waiting for them
//! (`poll`).

use rhai::{Array, Dynamic, NativeCallContext};

use super::args;
use super::door::{self, Convert, NOTHING, NUMBER, nr};
use super::registry::{Book, Raised, functions};
use super::task::Task;
use crate::kernel::syscalls::{Call, Out, Payload};

type Ctx<'a> = NativeCallContext<'a>;

/// Bytes read: text when they are UTF-8, else a blob.
const DATA: Convert = |_, ret, out| match out {
    Out::Bytes(bytes) => match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(e) => Dynamic::from_blob(e.into_bytes()),
    },
    _ => ret.into(),
};

/// Two descriptors: #[read end, write end].
const TWO_FDS: Convert = |_, ret, out| match out {
    Out::Fds(read, write) => {
        let fds: Array = vec![i64::from(read).into(), i64::from(write).into()];
        fds.into()
    }
    _ => ret.into(),
};

/// A call that takes a path, then numbers.
fn on_path(
    ctx: &Ctx,
    t: &Task,
    number: u32,
    path: &Dynamic,
    rest: &[(&str, &Dynamic)],
    convert: Convert,
) -> Raised<Dynamic> {
    let text = args::text(&format!("{}: path", ctx.fn_name()), path)?;
    let mut words = [0; 4];
    for (word, (name, value)) in words[1..].iter_mut().zip(rest) {
        *word = args::word(&format!("{}: {name}", ctx.fn_name()), value)?;
    }
    let mut shown = vec![path];
    shown.extend(rest.iter().map(|(_, v)| *v));
    door::call(ctx, t, &shown, Call::with(number, &words, Payload::Text(text.into())), convert)
}

fn read(
    ctx: &Ctx,
    t: &Task,
    fd: &Dynamic,
    count: &Dynamic,
    at: Option<&Dynamic>,
) -> Raised<Dynamic> {
    let name = ctx.fn_name();
    let mut words = vec![
        args::word(&format!("{name}: fd"), fd)?,
        0,
        args::word(&format!("{name}: count"), count)?,
    ];
    let mut shown = vec![fd, count];
    let number = match at {
        Some(at) => {
            words.push(args::word(&format!("{name}: offset"), at)?);
            shown.push(at);
            nr("pread64")
        }
        None => nr("read"),
    };
    door::call(ctx, t, &shown, Call::new(number, &words), DATA)
}

fn write(
    ctx: &Ctx,
    t: &Task,
    fd: &Dynamic,
    data: &Dynamic,
    at: Option<&Dynamic>,
) -> Raised<Dynamic> {
    let name = ctx.fn_name();
    let bytes = args::bytes(&format!("{name}: data"), data)?;
    let mut words = vec![args::word(&format!("{name}: fd"), fd)?, 0, bytes.len() as u64];
    let mut shown = vec![fd, data];
    let number = match at {
        Some(at) => {
            words.push(args::word(&format!("{name}: offset"), at)?);
            shown.push(at);
            nr("pwrite64")
        }
        None => nr("write"),
    };
    let call = Call::with(number, &words, Payload::Bytes(bytes.into()));
    door::call(ctx, t, &shown, call, NUMBER)
}

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    opening(book);
    moving(book);
    descriptors(book);
    directories(book);
    modes(book);
}

fn opening(book: &mut Book) {
    let open: fn(&Ctx, &Task, &Dynamic, &Dynamic, &Dynamic) -> Raised<Dynamic> =
        |ctx, t, path, flags, mode| {
            let rest = [("flags", flags), ("mode", mode)];
            on_path(ctx, t, nr("open"), path, &rest, NUMBER)
        };
    functions! { book;
        /// Opens a file to read (open(2)); gives its descriptor.
        "open(t: Task, path: string) -> int" => move |ctx: Ctx, t: &mut Task, path: Dynamic| {
            open(&ctx, t, &path, &0_i64.into(), &0_i64.into())
        };
        /// Opens a file with O_* flags; files made get mode 0666.
        "open(t: Task, path: string, flags: Flags) -> int" =>
            move |ctx: Ctx, t: &mut Task, path: Dynamic, flags: Dynamic| {
                open(&ctx, t, &path, &flags, &0o666_i64.into())
            };
        /// Opens a file with O_* flags and the mode of a file made.
        "open(t: Task, path: string, flags: Flags, mode: int) -> int" =>
            move |ctx: Ctx, t: &mut Task, path: Dynamic, flags: Dynamic, mode: Dynamic| {
                open(&ctx, t, &path, &flags, &mode)
            };
        /// Makes a file, or cuts it to length 0, and opens it to write (creat(2)).
        "creat(t: Task, path: string, mode: int) -> int" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic, mode: Dynamic| {
                on_path(&ctx, t, nr("creat"), &path, &[("mode", &mode)], NUMBER)
            };
        /// Closes a descriptor (close(2)).
        "close(t: Task, fd: int)" => |ctx: Ctx, t: &mut Task, fd: Dynamic| {
            door::numbers(&ctx, t, nr("close"), &[("fd", &fd)], NOTHING)
        };
        /// Closes a range of descriptors (close_range(2)): CLOSE_RANGE_UNSHARE,
        /// CLOSE_RANGE_CLOEXEC.
        "close_range(t: Task, first: int, last: int, flags: Flags)" =>
            |ctx: Ctx, t: &mut Task, first: Dynamic, last: Dynamic, flags: Dynamic| {
                let named = [("first", &first), ("last", &last), ("flags", &flags)];
                door::numbers(&ctx, t, nr("close_range"), &named, NOTHING)
            };
        /// Makes a pipe (pipe(2)); gives [read end, write end].
        "pipe(t: Task) -> array" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("pipe"), &[], TWO_FDS)
        };
        /// Makes a pipe with O_CLOEXEC or O_NONBLOCK (pipe2(2)).
        "pipe2(t: Task, flags: Flags) -> array" =>
            |ctx: Ctx, t: &mut Task, flags: Dynamic| -> Raised<Dynamic> {
                let words = [0, args::word("pipe2: flags", &flags)?];
                door::call(&ctx, t, &[&flags], Call::new(nr("pipe2"), &words), TWO_FDS)
            };
        /// A descriptor for a process (pidfd_open(2)).
        "pidfd_open(t: Task, pid: int|Task) -> int" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic| -> Raised<Dynamic> {
                let words = [args::pid("pidfd_open: pid", t, &who)?, 0];
                door::call(&ctx, t, &[&who], Call::new(nr("pidfd_open"), &words), NUMBER)
            };
        /// A descriptor for a process, with O_NONBLOCK or PIDFD_THREAD flags.
        "pidfd_open(t: Task, pid: int|Task, flags: Flags) -> int" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic, flags: Dynamic| -> Raised<Dynamic> {
                let words = [
                    args::pid("pidfd_open: pid", t, &who)?,
                    args::word("pidfd_open: flags", &flags)?,
                ];
                door::call(&ctx, t, &[&who, &flags], Call::new(nr("pidfd_open"), &words), NUMBER)
            };
        /// A descriptor for what the process of a pidfd has open as `fd`
        /// (pidfd_getfd(2)); both share the offset.
        "pidfd_getfd(t: Task, pidfd: int, fd: int, flags: Flags) -> int" =>
            |ctx: Ctx, t: &mut Task, pidfd: Dynamic, fd: Dynamic, flags: Dynamic| {
                let named = [("pidfd", &pidfd), ("fd", &fd), ("flags", &flags)];
                door::numbers(&ctx, t, nr("pidfd_getfd"), &named, NUMBER)
            };
    }
}

fn moving(book: &mut Book) {
    functions! { book;
        /// Reads at most n bytes (read(2)): a string, or a blob where they are no
        /// text; empty at the end. Sleeps on an empty pipe.
        "read(t: Task, fd: int, n: int) -> string|blob" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, n: Dynamic| read(&ctx, t, &fd, &n, None);
        /// Writes a string or blob (write(2)); gives the number of bytes written.
        "write(t: Task, fd: int, data: string|blob) -> int" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, data: Dynamic| write(&ctx, t, &fd, &data, None);
        /// Reads at an offset (pread(2)).
        "pread(t: Task, fd: int, n: int, offset: int) -> string|blob" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, n: Dynamic, at: Dynamic| {
                read(&ctx, t, &fd, &n, Some(&at))
            };
        /// Writes at an offset (pwrite(2)).
        "pwrite(t: Task, fd: int, data: string|blob, offset: int) -> int" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, data: Dynamic, at: Dynamic| {
                write(&ctx, t, &fd, &data, Some(&at))
            };
        /// Moves the offset of an open file (lseek(2)): SEEK_SET, SEEK_CUR,
        /// SEEK_END; gives the new one.
        "lseek(t: Task, fd: int, offset: int, whence: Flags) -> int" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, offset: Dynamic, whence: Dynamic| {
                let named = [("fd", &fd), ("offset", &offset), ("whence", &whence)];
                door::numbers(&ctx, t, nr("lseek"), &named, NUMBER)
            };
        /// Cuts or extends a file (truncate(2)).
        "truncate(t: Task, path: string, len: int)" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic, len: Dynamic| {
                on_path(&ctx, t, nr("truncate"), &path, &[("length", &len)], NOTHING)
            };
        /// Cuts or extends an open file (ftruncate(2)).
        "ftruncate(t: Task, fd: int, len: int)" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, len: Dynamic| {
                door::numbers(&ctx, t, nr("ftruncate"), &[("fd", &fd), ("length", &len)], NOTHING)
            };
    }
}

fn descriptors(book: &mut Book) {
    functions! { book;
        /// A second descriptor for an open file, the lowest free one (dup(2)).
        "dup(t: Task, fd: int) -> int" => |ctx: Ctx, t: &mut Task, fd: Dynamic| {
            door::numbers(&ctx, t, nr("dup"), &[("fd", &fd)], NUMBER)
        };
        /// A second descriptor with a given number (dup2(2)).
        "dup2(t: Task, old: int, new: int) -> int" =>
            |ctx: Ctx, t: &mut Task, old: Dynamic, new: Dynamic| {
                door::numbers(&ctx, t, nr("dup2"), &[("old", &old), ("new", &new)], NUMBER)
            };
        /// The same with O_CLOEXEC (dup3(2)).
        "dup3(t: Task, old: int, new: int, flags: Flags) -> int" =>
            |ctx: Ctx, t: &mut Task, old: Dynamic, new: Dynamic, flags: Dynamic| {
                let named = [("old", &old), ("new", &new), ("flags", &flags)];
                door::numbers(&ctx, t, nr("dup3"), &named, NUMBER)
            };
        /// A descriptor's settings (fcntl(2)): F_GETFD, F_GETFL…
        "fcntl(t: Task, fd: int, cmd: Flags) -> int" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, cmd: Dynamic| {
                door::numbers(&ctx, t, nr("fcntl"), &[("fd", &fd), ("cmd", &cmd)], NUMBER)
            };
        /// Changes a descriptor's settings: F_SETFD, F_SETFL, F_DUPFD…
        "fcntl(t: Task, fd: int, cmd: Flags, arg: int) -> int" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, cmd: Dynamic, arg: Dynamic| {
                let named = [("fd", &fd), ("cmd", &cmd), ("arg", &arg)];
                door::numbers(&ctx, t, nr("fcntl"), &named, NUMBER)
            };
    }
}

fn directories(book: &mut Book) {
    functions! { book;
        /// Changes the working directory (chdir(2)).
        "chdir(t: Task, path: string)" => |ctx: Ctx, t: &mut Task, path: Dynamic| {
            on_path(&ctx, t, nr("chdir"), &path, &[], NOTHING)
        };
        /// Changes the working directory to an open one (fchdir(2)).
        "fchdir(t: Task, fd: int)" => |ctx: Ctx, t: &mut Task, fd: Dynamic| {
            door::numbers(&ctx, t, nr("fchdir"), &[("fd", &fd)], NOTHING)
        };
        /// Changes the root directory (chroot(2)).
        "chroot(t: Task, path: string)" => |ctx: Ctx, t: &mut Task, path: Dynamic| {
            on_path(&ctx, t, nr("chroot"), &path, &[], NOTHING)
        };
        /// The working directory (getcwd(2)).
        "getcwd(t: Task) -> string" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("getcwd"), &[], |_, ret, out| match out {
                Out::Text(path) => path.into(),
                _ => ret.into(),
            })
        };
        /// Makes a directory (mkdir(2)).
        "mkdir(t: Task, path: string, mode: int)" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic, mode: Dynamic| {
                on_path(&ctx, t, nr("mkdir"), &path, &[("mode", &mode)], NOTHING)
            };
        /// Removes an empty directory (rmdir(2)).
        "rmdir(t: Task, path: string)" => |ctx: Ctx, t: &mut Task, path: Dynamic| {
            on_path(&ctx, t, nr("rmdir"), &path, &[], NOTHING)
        };
        /// Removes a name (unlink(2)).
        "unlink(t: Task, path: string)" => |ctx: Ctx, t: &mut Task, path: Dynamic| {
            on_path(&ctx, t, nr("unlink"), &path, &[], NOTHING)
        };
    }
}

fn modes(book: &mut Book) {
    functions! { book;
        /// Sets the bits cleared in the mode of new files; gives the old ones
        /// (umask(2)).
        "umask(t: Task, mask: int) -> int" => |ctx: Ctx, t: &mut Task, mask: Dynamic| {
            door::numbers(&ctx, t, nr("umask"), &[("mask", &mask)], NUMBER)
        };
        /// Changes a file's mode (chmod(2)).
        "chmod(t: Task, path: string, mode: int)" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic, mode: Dynamic| {
                on_path(&ctx, t, nr("chmod"), &path, &[("mode", &mode)], NOTHING)
            };
        /// Changes an open file's mode (fchmod(2)).
        "fchmod(t: Task, fd: int, mode: int)" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, mode: Dynamic| {
                door::numbers(&ctx, t, nr("fchmod"), &[("fd", &fd), ("mode", &mode)], NOTHING)
            };
        /// Asks whether the real ids may read, write or execute a file
        /// (access(2)): R_OK, W_OK, X_OK, or F_OK for whether it is there.
        "access(t: Task, path: string, mode: Flags)" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic, mode: Dynamic| {
                on_path(&ctx, t, nr("access"), &path, &[("mode", &mode)], NOTHING)
            };
        /// Changes a file's owner and group; -1 leaves one (chown(2)).
        "chown(t: Task, path: string, uid: int, gid: int)" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic, uid: Dynamic, gid: Dynamic| {
                on_path(&ctx, t, nr("chown"), &path, &[("uid", &uid), ("gid", &gid)], NOTHING)
            };
        /// Changes an open file's owner and group (fchown(2)).
        "fchown(t: Task, fd: int, uid: int, gid: int)" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, uid: Dynamic, gid: Dynamic| {
                let named = [("fd", &fd), ("uid", &uid), ("gid", &gid)];
                door::numbers(&ctx, t, nr("fchown"), &named, NOTHING)
            };
    }
}
