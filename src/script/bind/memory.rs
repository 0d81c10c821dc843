//! Memory system calls: mmap, munmap, mprotect, brk, madvise, locking.
//!
//! Left out: mremap, which the kernel does not model yet; loads and stores
//! (`user_mode`), views of areas and tables (`views`, `paging`).

use rhai::{Blob, Dynamic, Map, NativeCallContext};

use super::args::{self, Named};
use super::door::{self, Convert, NOTHING, nr};
use super::registry::{Book, Raised, functions};
use super::task::Task;
use crate::kernel::mm::msync::do_mincore;
use crate::kernel::syscalls::Call;
use crate::script::errors::ScriptError;
use crate::script::value::Addr;

type Ctx<'a> = NativeCallContext<'a>;

/// PROT_READ | PROT_WRITE.
const READ_WRITE: u64 = 3;
/// MAP_PRIVATE | MAP_ANONYMOUS.
const PRIVATE_ANONYMOUS: u64 = 0x22;
/// MAP_ANONYMOUS.
const ANONYMOUS: u64 = 0x20;

/// A call that returns an address.
const ADDRESS: Convert = |_, ret, _| Dynamic::from(Addr(ret as u64));

fn mmap_named(ctx: Ctx, t: &mut Task, given: Dynamic) -> Raised<Dynamic> {
    let words = match given.read_lock::<Map>() {
        None => [0, args::word("mmap: len", &given)?, READ_WRITE, PRIVATE_ANONYMOUS, !0, 0],
        Some(map) => {
            let mut named = Named::new("mmap", &map);
            let fd = named.word("fd", !0)?;
            let default_flags = if map.contains_key("fd") { 2 } else { PRIVATE_ANONYMOUS };
            let mut flags = named.word("flags", default_flags)?;
            // Without a descriptor there is nothing but anonymous memory.
            if !map.contains_key("fd") {
                flags |= ANONYMOUS;
            }
            let Some(len) = named.get("len") else {
                return Err(ScriptError::usage("mmap needs a `len`: #{len: 4096}").into());
            };
            let len = args::word("mmap len", len)?;
            let words = [
                named.word("addr", 0)?,
                len,
                named.word("prot", READ_WRITE)?,
                flags,
                fd,
                named.word("offset", 0)?,
            ];
            named.finish()?;
            words
        }
    };
    door::call(&ctx, t, &[&given], Call::new(nr("mmap"), &words), ADDRESS)
}

/// Grows or shrinks the heap; gives its old end, as sbrk(3) does.
fn sbrk(ctx: Ctx, t: &mut Task, by: Dynamic) -> Raised<Dynamic> {
    let by_word = args::word("sbrk: increment", &by)?;
    let old = t.read(|sys, s| s.mm.and_then(|mm| sys.kernel.mms.get(mm)).map_or(0, |m| m.brk))?;
    let wanted = old.wrapping_add(by_word);
    let call = Call::new(nr("brk"), &[wanted]);
    let now = door::call(&ctx, t, &[&by], call, ADDRESS)?;
    if now.read_lock::<Addr>().is_some_and(|now| now.0 != wanted) {
        let refusal = crate::kernel::error::SysError::new(
            crate::abi::Errno::ENOMEM,
            "brk",
            "the kernel left the end of the heap where it was: no room, or below its start",
        );
        let shown = door::shown("sbrk", &[&by]);
        return Err(ScriptError::refused(&refusal, shown, t.pid()).into());
    }
    Ok(Dynamic::from(Addr(old)))
}

/// Which pages of a range are in memory, a byte each. What the call would
/// store through its pointer is given as a blob.
fn mincore(ctx: Ctx, t: &mut Task, addr: Dynamic, len: Dynamic) -> Raised<Blob> {
    let start = args::word("mincore: addr", &addr)?;
    let size = args::word("mincore: length", &len)?;
    let mut pages = Vec::new();
    let found = t.read(|sys, s| s.mm.map(|mm| do_mincore(sys, mm, start, size, &mut pages)))?;
    let Some(found) = found else {
        let message = format!("task {} has no address space of its own", t.pid());
        return Err(ScriptError::usage(message).into());
    };
    found.map_err(|e| {
        ScriptError::refused(&e, door::shown(ctx.fn_name(), &[&addr, &len]), t.pid())
    })?;
    Ok(pages)
}

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    mapping(book);
    locking(book);
}

fn mapping(book: &mut Book) {
    functions! { book;
        /// Maps memory (mmap(2)): `t.mmap(8192)` maps private anonymous memory to
        /// read and write; a map names the arguments: len, addr, prot, flags, fd,
        /// offset. Gives the address.
        "mmap(t: Task, len: int|map) -> Addr" => mmap_named;
        /// mmap(2) with its six arguments.
        "mmap(t: Task, addr: Addr, len: int, prot: Flags, flags: Flags, fd: int, offset: int) -> Addr" =>
            |ctx: Ctx, t: &mut Task, addr: Dynamic, len: Dynamic, prot: Dynamic, flags: Dynamic,
             fd: Dynamic, offset: Dynamic| {
                let named = [
                    ("addr", &addr), ("len", &len), ("prot", &prot), ("flags", &flags),
                    ("fd", &fd), ("offset", &offset),
                ];
                door::numbers(&ctx, t, nr("mmap"), &named, ADDRESS)
            };
        /// Unmaps a range (munmap(2)); areas it cuts through are split.
        "munmap(t: Task, addr: Addr, len: int)" =>
            |ctx: Ctx, t: &mut Task, addr: Dynamic, len: Dynamic| {
                door::numbers(&ctx, t, nr("munmap"), &[("addr", &addr), ("len", &len)], NOTHING)
            };
        /// Gives a mapping another length; MREMAP_MAYMOVE: it may go elsewhere
        /// (mremap(2)). Gives where it is then.
        "mremap(t: Task, addr: Addr, old_len: int, new_len: int, flags: Flags) -> Addr" =>
            |ctx: Ctx, t: &mut Task, addr: Dynamic, old: Dynamic, new: Dynamic, flags: Dynamic| {
                let named =
                    [("addr", &addr), ("old_len", &old), ("new_len", &new), ("flags", &flags)];
                door::numbers(&ctx, t, nr("mremap"), &named, ADDRESS)
            };
        /// The same to an address, with MREMAP_FIXED.
        "mremap(t: Task, addr: Addr, old_len: int, new_len: int, flags: Flags, to: Addr) -> Addr" =>
            |ctx: Ctx,
             t: &mut Task,
             addr: Dynamic,
             old: Dynamic,
             new: Dynamic,
             flags: Dynamic,
             to: Dynamic| {
                let named = [
                    ("addr", &addr),
                    ("old_len", &old),
                    ("new_len", &new),
                    ("flags", &flags),
                    ("to", &to),
                ];
                door::numbers(&ctx, t, nr("mremap"), &named, ADDRESS)
            };
        /// Changes what a range may be used for (mprotect(2)).
        "mprotect(t: Task, addr: Addr, len: int, prot: Flags)" =>
            |ctx: Ctx, t: &mut Task, addr: Dynamic, len: Dynamic, prot: Dynamic| {
                let named = [("addr", &addr), ("len", &len), ("prot", &prot)];
                door::numbers(&ctx, t, nr("mprotect"), &named, NOTHING)
            };
        /// Moves the end of the heap (brk(2)); gives where it is, also when it
        /// did not move. 0 asks.
        "brk(t: Task, addr: Addr) -> Addr" => |ctx: Ctx, t: &mut Task, addr: Dynamic| {
            door::numbers(&ctx, t, nr("brk"), &[("addr", &addr)], ADDRESS)
        };
        /// Grows the heap by n bytes (sbrk(3)); gives its old end.
        "sbrk(t: Task, n: int) -> Addr" => sbrk;
        /// Advises about a range (madvise(2)): MADV_DONTFORK, MADV_WIPEONFORK,
        /// MADV_DONTNEED…
        "madvise(t: Task, addr: Addr, len: int, advice: Flags)" =>
            |ctx: Ctx, t: &mut Task, addr: Dynamic, len: Dynamic, advice: Dynamic| {
                let named = [("addr", &addr), ("len", &len), ("advice", &advice)];
                door::numbers(&ctx, t, nr("madvise"), &named, NOTHING)
            };
        /// Writes a shared mapping back (msync(2)).
        "msync(t: Task, addr: Addr, len: int, flags: Flags)" =>
            |ctx: Ctx, t: &mut Task, addr: Dynamic, len: Dynamic, flags: Dynamic| {
                let named = [("addr", &addr), ("len", &len), ("flags", &flags)];
                door::numbers(&ctx, t, nr("msync"), &named, NOTHING)
            };
        /// Which pages of a range are in memory (mincore(2)): a byte each.
        "mincore(t: Task, addr: Addr, len: int) -> blob" => mincore;
    }
}

fn locking(book: &mut Book) {
    functions! { book;
        /// Locks a range in memory (mlock(2)).
        "mlock(t: Task, addr: Addr, len: int)" =>
            |ctx: Ctx, t: &mut Task, addr: Dynamic, len: Dynamic| {
                door::numbers(&ctx, t, nr("mlock"), &[("addr", &addr), ("len", &len)], NOTHING)
            };
        /// Unlocks a range (munlock(2)).
        "munlock(t: Task, addr: Addr, len: int)" =>
            |ctx: Ctx, t: &mut Task, addr: Dynamic, len: Dynamic| {
                door::numbers(&ctx, t, nr("munlock"), &[("addr", &addr), ("len", &len)], NOTHING)
            };
        /// Locks everything (mlockall(2)): MCL_CURRENT 1, MCL_FUTURE 2,
        /// MCL_ONFAULT 4.
        "mlockall(t: Task, flags: int)" => |ctx: Ctx, t: &mut Task, flags: Dynamic| {
            door::numbers(&ctx, t, nr("mlockall"), &[("flags", &flags)], NOTHING)
        };
        /// Unlocks everything (munlockall(2)).
        "munlockall(t: Task)" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("munlockall"), &[], NOTHING)
        };
    }
}
