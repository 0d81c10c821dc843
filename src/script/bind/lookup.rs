//! Looking at files: stat, readlink, the entries of directories, for directors
//! and programs.
//!
//! Left out: access and open (`files`).

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::args;
use super::door::{self, nr};
use super::registry::{Book, Raised, functions};
use super::task::Task;
use crate::kernel::fs::stat::Kstat;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::errors::ScriptError;

type Ctx<'a> = NativeCallContext<'a>;

/// Room for the entries of a directory, in bytes.
const ROOM: u64 = 32 << 10;
/// Room for what a link says.
const PATH_MAX: u64 = 4096;

/// What stat gives, as a map.
pub(super) fn stat_map(ret: i64, out: Out) -> Dynamic {
    let Out::Stat(st) = out else { return ret.into() };
    let Kstat { ino, mode, nlink, uid, gid, size, dev: _, rdev: _, blocks: _, times } = *st;
    let fields = [
        ("ino", ino as i64),
        ("mode", mode.into()),
        ("nlink", nlink.into()),
        ("uid", uid.into()),
        ("gid", gid.into()),
        ("size", size as i64),
        ("atime", times.atime),
        ("mtime", times.mtime),
        ("ctime", times.ctime),
    ];
    fields.into_iter().map(|(name, n)| (name.into(), n.into())).collect::<Map>().into()
}

/// The names in a directory.
pub(super) fn names(ret: i64, out: Out) -> Dynamic {
    match out {
        Out::Dirents(list) => list.into_iter().map(|e| e.name.into()).collect::<Array>().into(),
        _ => ret.into(),
    }
}

/// What a link says.
pub(super) fn text(ret: i64, out: Out) -> Dynamic {
    match out {
        Out::Text(text) => text.into(),
        _ => ret.into(),
    }
}

/// stat, lstat.
pub(super) fn on_path(name: &str, number: u32, path: &Dynamic) -> Result<Call, ScriptError> {
    let path = args::text(&format!("{name}: path"), path)?;
    Ok(Call::with(number, &[0, 0], Payload::Text(path.into())))
}

/// fstat.
pub(super) fn fstat(fd: &Dynamic) -> Result<Call, ScriptError> {
    Ok(Call::new(nr("fstat"), &[args::word("fstat: fd", fd)?, 0]))
}

/// readlink.
pub(super) fn readlink(path: &Dynamic) -> Result<Call, ScriptError> {
    let path = args::text("readlink: path", path)?;
    Ok(Call::with(nr("readlink"), &[0, 0, PATH_MAX], Payload::Text(path.into())))
}

/// getdents64.
pub(super) fn readdir(fd: &Dynamic) -> Result<Call, ScriptError> {
    Ok(Call::new(nr("getdents64"), &[args::word("readdir: fd", fd)?, 0, ROOM]))
}

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    functions! { book;
        /// What a file is: #{ino, mode, nlink, uid, gid, size, atime, mtime, ctime},
        /// times in ns since 1970 (stat(2)).
        "stat(t: Task, path: string) -> map" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic| -> Raised<Dynamic> {
                let call = on_path("stat", nr("stat"), &path)?;
                door::call(&ctx, t, &[&path], call, |_, ret, out| stat_map(ret, out))
            };
        /// The same of a link itself (lstat(2)).
        "lstat(t: Task, path: string) -> map" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic| -> Raised<Dynamic> {
                let call = on_path("lstat", nr("lstat"), &path)?;
                door::call(&ctx, t, &[&path], call, |_, ret, out| stat_map(ret, out))
            };
        /// The same of an open file (fstat(2)).
        "fstat(t: Task, fd: int) -> map" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic| -> Raised<Dynamic> {
                let call = fstat(&fd)?;
                door::call(&ctx, t, &[&fd], call, |_, ret, out| stat_map(ret, out))
            };
        /// What a link says (readlink(2)); those of /proc too.
        "readlink(t: Task, path: string) -> string" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic| -> Raised<Dynamic> {
                let call = readlink(&path)?;
                door::call(&ctx, t, &[&path], call, |_, ret, out| text(ret, out))
            };
        /// The next names in an open directory, without "." and "..", as many
        /// as fit 32 KiB; empty at the end (getdents64(2)).
        "readdir(t: Task, fd: int) -> array" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic| -> Raised<Dynamic> {
                let call = readdir(&fd)?;
                door::call(&ctx, t, &[&fd], call, |_, ret, out| names(ret, out))
            };
    }
}
