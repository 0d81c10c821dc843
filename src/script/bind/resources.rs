//! What a task may use and has used: limits and usage.
//!
//! Left out: the scheduler's calls (`policy`).

use super::args::{self, Named};
use super::door::{self, Convert, NOTHING, NUMBER, nr};
use super::objects::Limit;
use super::registry::{Book, Raised, functions};
use super::task::Task;
use super::waited::Usage;
use crate::kernel::random::MOST_AS_VALUE;
use crate::kernel::signal::Rlimit;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::errors::ScriptError;
use rhai::{Array, Dynamic, Map, NativeCallContext};

type Ctx<'a> = NativeCallContext<'a>;

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    limits(book);
}

/// A limit that a call stored.
const LIMIT: Convert = |_, ret, out| match out {
    Out::Rlimit(limit) => Dynamic::from(Limit(limit)),
    _ => ret.into(),
};

const BLOB: Convert = |_, ret, out| match out {
    Out::Bytes(bytes) => Dynamic::from_blob(bytes),
    _ => ret.into(),
};

/// A limit argument: a number for both, or #{cur, max}.
pub(super) fn limit(what: &str, value: &Dynamic, old: Rlimit) -> Result<Rlimit, ScriptError> {
    if let Some(limit) = value.read_lock::<Limit>() {
        return Ok(limit.0);
    }
    if let Some(map) = value.read_lock::<Map>() {
        let mut named = Named::new("setrlimit", &map);
        let limit = Rlimit { cur: named.word("cur", old.cur)?, max: named.word("max", old.max)? };
        named.finish()?;
        return Ok(limit);
    }
    let cur = args::word(what, value)?;
    Ok(Rlimit { cur, max: old.max })
}

/// A limit as it is now, for what the script leaves out.
fn old_limit(t: &Task, resource: u64) -> Result<Rlimit, ScriptError> {
    let none = Rlimit { cur: 0, max: 0 };
    t.read(|sys, s| {
        let signal = s.signal.and_then(|id| sys.kernel.signals.get(id));
        let which = usize::try_from(resource).ok();
        signal.and_then(|s| which.and_then(|i| s.rlim.get(i).copied())).unwrap_or(none)
    })
}

fn setrlimit(ctx: Ctx, t: &mut Task, resource: Dynamic, value: Dynamic) -> Raised<Dynamic> {
    let which = args::word("setrlimit: resource", &resource)?;
    let new = limit("setrlimit: limit", &value, old_limit(t, which)?)?;
    let call = Call::with(nr("setrlimit"), &[which, 0], Payload::Rlimit(new));
    door::call(&ctx, t, &[&resource, &value], call, NOTHING)
}

fn prlimit(ctx: Ctx, t: &mut Task, who: Dynamic, res: Dynamic, value: Dynamic) -> Raised<Dynamic> {
    let which = args::word("prlimit: resource", &res)?;
    let pid = args::pid("prlimit: pid", t, &who)?;
    let words = [pid, which, 0, 0];
    let target = if pid == 0 { t.clone() } else { t.by_number(pid as i32) };
    let call = if value.is_unit() {
        Call::new(nr("prlimit64"), &words)
    } else {
        let old = old_limit(&target, which).unwrap_or(Rlimit { cur: 0, max: 0 });
        let new = limit("prlimit: limit", &value, old)?;
        Call::with(nr("prlimit64"), &words, Payload::Rlimit(new))
    };
    door::call(&ctx, t, &[&who, &res, &value], call, LIMIT)
}

/// getrandom(2) as a value.
pub(super) fn random(len: &Dynamic, flags: &Dynamic) -> Result<Call, ScriptError> {
    let len = args::word("getrandom: len", len)?;
    if len > MOST_AS_VALUE {
        return Err(ScriptError::Usage {
            message: format!("getrandom gives at most {MOST_AS_VALUE} bytes as a value, not {len}"),
            help: Some("`syscall` with an address fills memory".into()),
        });
    }
    Ok(Call::new(nr("getrandom"), &[0, len, args::word("getrandom: flags", flags)?]))
}

/// A mask of processors: a number, or an array of processor numbers.
pub(super) fn cpu_mask(what: &str, value: &Dynamic) -> Result<u64, ScriptError> {
    let Some(array) = value.read_lock::<Array>() else { return args::word(what, value) };
    let mut mask = 0;
    for v in array.iter() {
        let cpu = args::word(what, v)?;
        mask |= u32::try_from(cpu).ok().and_then(|n| 1_u64.checked_shl(n)).unwrap_or(0);
    }
    Ok(mask)
}

fn limits(book: &mut Book) {
    functions! { book;
        /// A limit (getrlimit(2)): `t.getrlimit(RLIMIT_NOFILE).cur`.
        "getrlimit(t: Task, resource: Flags) -> Limit" =>
            |ctx: Ctx, t: &mut Task, resource: Dynamic| {
                door::numbers(&ctx, t, nr("getrlimit"), &[("resource", &resource)], LIMIT)
            };
        /// Sets a limit (setrlimit(2)): a number for the soft one, or #{cur, max}.
        "setrlimit(t: Task, resource: Flags, limit: int|map)" => setrlimit;
        /// Another task's limit, and with a limit other than () sets it
        /// (prlimit(2)); gives the old one.
        "prlimit(t: Task, pid: int|Task, resource: Flags, limit: int|map) -> Limit" => prlimit;
        /// Resources used by RUSAGE_SELF, RUSAGE_CHILDREN or RUSAGE_THREAD
        /// (getrusage(2)).
        "getrusage(t: Task, who: Flags) -> Rusage" => |ctx: Ctx, t: &mut Task, who: Dynamic| {
            door::numbers(&ctx, t, nr("getrusage"), &[("who", &who)], |_, ret, out| match out {
                Out::Rusage(usage) => Dynamic::from(Usage(*usage)),
                _ => ret.into(),
            })
        };
        /// Random bytes (getrandom(2)), at most 65,536: they follow from the
        /// machine's seed.
        "getrandom(t: Task, len: int) -> blob" => |ctx: Ctx, t: &mut Task, len: Dynamic| {
            door::call(&ctx, t, &[&len], random(&len, &0_i64.into())?, BLOB)
        };
        /// The same with flags GRND_*.
        "getrandom(t: Task, len: int, flags: Flags) -> blob" =>
            |ctx: Ctx, t: &mut Task, len: Dynamic, flags: Dynamic| {
                door::call(&ctx, t, &[&len, &flags], random(&len, &flags)?, BLOB)
            };
        /// Clock ticks of 10 ms since power-on (times(2)).
        "times(t: Task) -> int" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("times"), &[], NUMBER)
        };
    }
}
