//! Breakpoints and watched memory. They are no bytes in memory; like those they
//! belong to an address space: threads share them, fork by a program copies
//! breakpoints, execve drops all.
//!
//! Left out: conditions; a script has `if`.

use rhai::{Array, Dynamic, NativeCallContext};

use super::look::resolve;
use super::state::Watched;
use crate::kernel::mm::MmId;
use crate::script::bind::args;
use crate::script::bind::registry::{Book, Raised, functions};
use crate::script::bind::task::Task;
use crate::script::errors::ScriptError;
use crate::script::value::Addr;
use crate::session::watch::WatchKind;

type Ctx<'a> = NativeCallContext<'a>;

fn mm_of(t: &Task) -> Result<MmId, ScriptError> {
    let mm = t.read(|_, task| task.mm)?;
    mm.ok_or_else(|| ScriptError::usage(format!("task {} has no memory any more", t.pid())))
}

fn breakpoint(t: &Task, place: &Dynamic) -> Raised<Addr> {
    let addr = resolve("breakpoint", t, place)?;
    let mm = mm_of(t)?;
    t.machine().code(|code| code.points.entry(mm).or_default().insert(addr));
    Ok(Addr(addr))
}

fn watch(t: &Task, place: &Dynamic, len: &Dynamic, kind: WatchKind) -> Raised<()> {
    let addr = resolve("watch", t, place)?;
    let len = args::word("watch: length", len)?;
    let mm = mm_of(t)?;
    let machine = t.machine();
    let added = machine.code(|code| {
        let added = machine.read(|sys| code.watches.add(sys, mm, addr, len, kind));
        if added {
            code.watched.push(Watched { mm, addr, len, kind });
        }
        added
    });
    if added {
        return Ok(());
    }
    Err(ScriptError::Usage {
        message: format!("watch: {len} bytes at {addr:#x} cannot be watched"),
        help: Some("1 to 4096 bytes; each instruction is followed by a look at them".into()),
    }
    .into())
}

fn kind_of(name: &str) -> Result<WatchKind, ScriptError> {
    match name {
        "write" => Ok(WatchKind::Write),
        "read" => Ok(WatchKind::Read),
        "access" => Ok(WatchKind::Access),
        _ => Err(ScriptError::usage(format!(
            "watch: \"write\", \"read\" or \"access\", not {name:?}"
        ))),
    }
}

/// Takes stops away: all, or those at an address. How many there were.
fn clear(t: &Task, place: Option<&Dynamic>) -> Raised<i64> {
    let addr = place.map(|p| resolve("clear", t, p)).transpose()?;
    let mm = mm_of(t)?;
    let here = |a: u64| addr.is_none_or(|addr| addr == a);
    let n = t.machine().code(|code| {
        let mut n = 0;
        if let Some(points) = code.points.get_mut(&mm) {
            let before = points.len();
            points.retain(|a| !here(*a));
            n += before - points.len();
        }
        for w in code.watched.extract_if(.., |w| w.mm == mm && here(w.addr)) {
            code.watches.remove(w.mm, w.addr, w.len, w.kind);
            n += 1;
        }
        n
    });
    if n == 0
        && let Some(addr) = addr
    {
        let message = format!("clear: there is no breakpoint and no watch at {addr:#x}");
        return Err(ScriptError::usage(message).into());
    }
    Ok(n as i64)
}

/// Registers the functions.
pub(super) fn register(book: &mut Book) {
    functions! { book;
        /// Programs stop before they execute the instruction at this function or
        /// address, in the task's address space. Gives the address.
        "breakpoint(t: Task, place: string|Addr) -> Addr" => |t: &mut Task, place: Dynamic| {
            breakpoint(t, &place)
        };
        /// The task's breakpoints.
        "breakpoints(t: Task) -> array" => |t: &mut Task| -> Raised<Array> {
            let mm = mm_of(t)?;
            Ok(t.machine().code(|code| {
                let points = code.points.get(&mm).into_iter().flatten();
                points.map(|a| Dynamic::from(Addr(*a))).collect()
            }))
        };
        /// Programs stop after an instruction or a call that changes these bytes in the
        /// task's address space.
        "watch(t: Task, place: string|Addr, length: int)" =>
            |t: &mut Task, place: Dynamic, len: Dynamic| watch(t, &place, &len, WatchKind::Write);
        /// The same for "write" (a change), "read" or "access" (both).
        "watch(t: Task, place: string|Addr, length: int, kind: string)" =>
            |t: &mut Task, place: Dynamic, len: Dynamic, kind: Dynamic| -> Raised<()> {
                let kind = kind_of(&args::text("watch: kind", &kind)?)?;
                watch(t, &place, &len, kind)
            };
        /// Takes the breakpoints and watches at a place away; gives how many.
        "clear(t: Task, place: string|Addr) -> int" => |_: Ctx, t: &mut Task, place: Dynamic| {
            clear(t, Some(&place))
        };
        /// Takes all breakpoints and watches of the task's address space away.
        "clear(t: Task) -> int" => |t: &mut Task| clear(t, None);
    }
}
