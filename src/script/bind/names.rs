//! System calls on names and on what is known of files: links, renames, nodes,
//! times, locks.
//!
//! Left out: the forms with directory descriptors; `syscall(nr, …)` makes them.

use rhai::{Dynamic, Map, NativeCallContext};

use super::args;
use super::door::{self, Convert, NOTHING, NUMBER, nr};
use super::registry::{Book, Raised, functions};
use super::task::Task;
use crate::kernel::fs::statfs::Kstatfs;
use crate::kernel::fs::times::SetTime;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::errors::ScriptError;

type Ctx<'a> = NativeCallContext<'a>;

/// "Now" and "as it is" among times, which are ns since 1970.
pub(super) const UTIME_NOW: i64 = (1 << 30) - 1;
/// See [`UTIME_NOW`].
pub(super) const UTIME_OMIT: i64 = (1 << 30) - 2;

/// A call on two paths, with flags in argument 4.
pub(super) fn two_paths(
    name: &str,
    number: u32,
    paths: [&Dynamic; 2],
    flags: Option<&Dynamic>,
) -> Result<Call, ScriptError> {
    const AT_FDCWD: u64 = -100_i64 as u64;
    let first = args::text(&format!("{name}: old"), paths[0])?;
    let second = args::text(&format!("{name}: new"), paths[1])?;
    let words = match flags {
        None => vec![0, 0],
        Some(flags) => {
            vec![AT_FDCWD, 0, AT_FDCWD, 0, args::word(&format!("{name}: flags"), flags)?]
        }
    };
    Ok(Call::with(number, &words, Payload::Texts(Box::new((first.into(), second.into())))))
}

/// utimensat.
pub(super) fn utimensat(
    path: &Dynamic,
    times: [&Dynamic; 2],
    flags: Option<&Dynamic>,
) -> Result<Call, ScriptError> {
    const AT_FDCWD: u64 = -100_i64 as u64;
    let path = args::text("utimensat: path", path)?;
    let mut set = [SetTime::Now; 2];
    for (set, (value, what)) in set.iter_mut().zip(times.into_iter().zip(["atime", "mtime"])) {
        *set = match args::word(&format!("utimensat: {what}"), value)? as i64 {
            UTIME_NOW => SetTime::Now,
            UTIME_OMIT => SetTime::Omit,
            ns => SetTime::To(ns),
        };
    }
    let flags = flags.map_or(Ok(0), |f| args::word("utimensat: flags", f))?;
    let words = [AT_FDCWD, 0, 0, flags];
    Ok(Call::with(nr("utimensat"), &words, Payload::Times(path.into(), Some(set))))
}

/// statfs.
pub(super) fn statfs(path: &Dynamic) -> Result<Call, ScriptError> {
    let path = args::text("statfs: path", path)?;
    Ok(Call::with(nr("statfs"), &[0, 0], Payload::Text(path.into())))
}

/// What statfs gives, as a map.
pub(super) fn statfs_map(ret: i64, out: Out) -> Dynamic {
    let Out::Statfs(st) = out else { return ret.into() };
    let Kstatfs { f_type, f_bsize, f_namelen, f_flags } = *st;
    let fields = [("type", f_type), ("bsize", f_bsize), ("namelen", f_namelen), ("flags", f_flags)];
    fields.into_iter().map(|(name, n)| (name.into(), (n as i64).into())).collect::<Map>().into()
}

const STATFS: Convert = |_, ret, out| statfs_map(ret, out);

fn on_two(
    ctx: &Ctx,
    t: &Task,
    number: u32,
    paths: [&Dynamic; 2],
    flags: Option<&Dynamic>,
) -> Raised<Dynamic> {
    let call = two_paths(ctx.fn_name(), number, paths, flags)?;
    let mut shown = paths.to_vec();
    shown.extend(flags);
    door::call(ctx, t, &shown, call, NOTHING)
}

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    functions! { book;
        /// Gives a file another name, over one that is there (rename(2)).
        "rename(t: Task, old: string, new: string)" =>
            |ctx: Ctx, t: &mut Task, old: Dynamic, new: Dynamic| {
                on_two(&ctx, t, nr("rename"), [&old, &new], None)
            };
        /// The same with RENAME_NOREPLACE or RENAME_EXCHANGE (renameat2(2)).
        "rename(t: Task, old: string, new: string, flags: Flags)" =>
            |ctx: Ctx, t: &mut Task, old: Dynamic, new: Dynamic, flags: Dynamic| {
                on_two(&ctx, t, nr("renameat2"), [&old, &new], Some(&flags))
            };
        /// Another name for a file (link(2)).
        "link(t: Task, old: string, new: string)" =>
            |ctx: Ctx, t: &mut Task, old: Dynamic, new: Dynamic| {
                on_two(&ctx, t, nr("link"), [&old, &new], None)
            };
        /// A link that says `text`, wherever that leads (symlink(2)).
        "symlink(t: Task, text: string, path: string)" =>
            |ctx: Ctx, t: &mut Task, text: Dynamic, path: Dynamic| {
                on_two(&ctx, t, nr("symlink"), [&text, &path], None)
            };
        /// Makes a FIFO (mkfifo(3)): a pipe with a name, whose opening waits for
        /// the other end.
        "mkfifo(t: Task, path: string, mode: int)" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic, mode: Dynamic| -> Raised<Dynamic> {
                let call = mkfifo(ctx.fn_name(), &path, &mode)?;
                door::call(&ctx, t, &[&path, &mode], call, NOTHING)
            };
        /// Sets access and modification time, in ns since 1970, UTIME_NOW or
        /// UTIME_OMIT (utimensat(2)).
        "utimensat(t: Task, path: string, atime: int, mtime: int)" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic, at: Dynamic, mt: Dynamic| -> Raised<Dynamic> {
                let call = utimensat(&path, [&at, &mt], None)?;
                door::call(&ctx, t, &[&path, &at, &mt], call, NOTHING)
            };
        /// The same with AT_SYMLINK_NOFOLLOW: those of a link itself.
        "utimensat(t: Task, path: string, atime: int, mtime: int, flags: Flags)" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic, at: Dynamic, mt: Dynamic, flags: Dynamic|
            -> Raised<Dynamic> {
                let call = utimensat(&path, [&at, &mt], Some(&flags))?;
                door::call(&ctx, t, &[&path, &at, &mt, &flags], call, NOTHING)
            };
        /// Locks an open file (flock(2)): LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB
        /// if it shall not wait.
        "flock(t: Task, fd: int, op: Flags)" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, op: Dynamic| {
                door::numbers(&ctx, t, nr("flock"), &[("fd", &fd), ("op", &op)], NOTHING)
            };
        /// Which file system a path is in: #{type, bsize, namelen, flags}
        /// (statfs(2)).
        "statfs(t: Task, path: string) -> map" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic| -> Raised<Dynamic> {
                door::call(&ctx, t, &[&path], statfs(&path)?, STATFS)
            };
        /// A file without a name, in memory (memfd_create(2)); gives its descriptor.
        "memfd_create(t: Task, name: string, flags: int) -> int" =>
            |ctx: Ctx, t: &mut Task, name: Dynamic, flags: Dynamic| -> Raised<Dynamic> {
                let text = args::text("memfd_create: name", &name)?;
                let words = [0, args::word("memfd_create: flags", &flags)?];
                let call = Call::with(nr("memfd_create"), &words, Payload::Text(text.into()));
                door::call(&ctx, t, &[&name, &flags], call, NUMBER)
            };
    }
}

/// mknod of a FIFO.
pub(super) fn mkfifo(name: &str, path: &Dynamic, mode: &Dynamic) -> Result<Call, ScriptError> {
    const S_IFIFO: u64 = 0o010000;
    let text = args::text(&format!("{name}: path"), path)?;
    let mode = args::word(&format!("{name}: mode"), mode)? & 0o7777;
    Ok(Call::with(nr("mknod"), &[0, S_IFIFO | mode, 0], Payload::Text(text.into())))
}
