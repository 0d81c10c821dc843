//! Who a task is: ids, groups, capabilities, limits, prctl, usage, and on
//! which processors it may run.
//!
//! Left out: setpriority and the scheduler's calls, which the kernel does not
//! model yet.

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::args::{self, Named};
use super::door::{self, Convert, NOTHING, NUMBER, OUT_NUMBER, nr};
use super::kinds;
use super::objects::{Limit, SetIds};
use super::registry::{Book, Raised, functions, getters};
use super::task::Task;
use super::waited::Usage;
use crate::abi::numbers::{PR_GET_PDEATHSIG, PR_SET_NAME};
use crate::abi::{CapSet, Signal};
use crate::kernel::signal::Rlimit;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::errors::ScriptError;
use crate::script::value::Addr;

type Ctx<'a> = NativeCallContext<'a>;

/// Three ids that a call stored.
const THREE_IDS: Convert = |_, ret, out| match out {
    Out::Ids(ids) if ids.len() == 3 => {
        let id = |i: usize| i64::from(ids[i]);
        Dynamic::from(SetIds { real: id(0), effective: id(1), saved: id(2) })
    }
    _ => ret.into(),
};

/// A list of ids that a call stored.
const ID_LIST: Convert = |_, ret, out| match out {
    Out::Ids(ids) => {
        let ids: Array = ids.iter().map(|id| i64::from(*id).into()).collect();
        ids.into()
    }
    _ => ret.into(),
};

/// A limit that a call stored.
const LIMIT: Convert = |_, ret, out| match out {
    Out::Rlimit(limit) => Dynamic::from(Limit(limit)),
    _ => ret.into(),
};

/// The three sets that capget stored.
#[derive(Debug, Clone, Copy)]
struct Caps {
    effective: CapSet,
    permitted: CapSet,
    inheritable: CapSet,
}

impl std::fmt::Display for Caps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Caps { effective, permitted, inheritable } = self;
        write!(f, "effective {effective}, permitted {permitted}, inheritable {inheritable}")
    }
}

const CAPS: Convert = |_, ret, out| match out {
    Out::Caps(effective, permitted, inheritable) => {
        Dynamic::from(Caps { effective, permitted, inheritable })
    }
    _ => ret.into(),
};

fn capset(ctx: Ctx, t: &mut Task, sets: Map) -> Raised<Dynamic> {
    let mut named = Named::new("capset", &sets);
    let cred = t.read(|sys, s| sys.kernel.creds.get(s.cred).cloned())?;
    let now = |f: fn(&crate::kernel::cred::Cred) -> CapSet| cred.as_ref().map_or(CapSet::EMPTY, f);
    let mut set = |name: &'static str, default: CapSet| match named.get(name) {
        Some(v) => args::capability_set(&format!("capset {name}"), v),
        None => Ok(default),
    };
    let effective = set("effective", now(|c| c.cap_effective))?;
    let permitted = set("permitted", now(|c| c.cap_permitted))?;
    let inheritable = set("inheritable", now(|c| c.cap_inheritable))?;
    named.finish()?;
    let payload = Payload::Caps(effective, permitted, inheritable);
    let shown: Dynamic = sets.into();
    door::call(&ctx, t, &[&shown], Call::with(nr("capset"), &[0, 0], payload), NOTHING)
}

fn capget(ctx: &Ctx, t: &Task, who: Option<&Dynamic>) -> Raised<Dynamic> {
    let pid = match who {
        Some(who) => args::pid("capget: pid", t, who)?,
        None => 0,
    };
    let payload = Payload::Ids([pid as u32].into());
    let shown: Vec<&Dynamic> = who.into_iter().collect();
    door::call(ctx, t, &shown, Call::with(nr("capget"), &[0, 0], payload), CAPS)
}

/// What an operation of prctl gives: its number, text or address.
fn prctl_value(_: &Task, ret: i64, out: Out) -> Dynamic {
    match out {
        Out::Text(name) => name.into(),
        Out::Number(n) => (n as i64).into(),
        _ => ret.into(),
    }
}

fn prctl(ctx: &Ctx, t: &Task, op: &Dynamic, rest: &[&Dynamic]) -> Raised<Dynamic> {
    let operation = args::word("prctl: op", op)?;
    let mut words = [operation, 0, 0, 0, 0];
    let mut payload = Payload::None;
    for (i, (word, value)) in words[1..].iter_mut().zip(rest).enumerate() {
        match (operation, i) {
            (op, 0) if op == u64::from(PR_SET_NAME) && value.is_string() => {
                payload = Payload::Text(args::text("prctl: name", value)?.into());
            }
            _ => *word = args::word(&format!("prctl: argument {}", i + 2), value)?,
        }
    }
    let mut shown = vec![op];
    shown.extend(rest);
    let convert: Convert = if operation == u64::from(PR_GET_PDEATHSIG) {
        |_, ret, out| match out {
            Out::Number(n) => match Signal::new(n as i32) {
                Some(sig) => Dynamic::from(kinds::of_signal(sig)),
                None => (n as i64).into(),
            },
            _ => ret.into(),
        }
    } else {
        prctl_value
    };
    door::call(ctx, t, &shown, Call::with(nr("prctl"), &words, payload), convert)
}

/// A limit argument: a number for both, or #{cur, max}.
fn limit(what: &str, value: &Dynamic, old: Rlimit) -> Result<Rlimit, ScriptError> {
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

/// A mask of processors: a number, or an array of processor numbers.
fn cpu_mask(what: &str, value: &Dynamic) -> Result<u64, ScriptError> {
    let Some(array) = value.read_lock::<Array>() else { return args::word(what, value) };
    let mut mask = 0;
    for v in array.iter() {
        let cpu = args::word(what, v)?;
        mask |= u32::try_from(cpu).ok().and_then(|n| 1_u64.checked_shl(n)).unwrap_or(0);
    }
    Ok(mask)
}

/// A list of groups is checked for its length by the kernel.
fn setgroups(ctx: Ctx, t: &mut Task, groups: Dynamic) -> Raised<Dynamic> {
    let ids = args::ids("setgroups: groups", &groups)?;
    let n = ids.len() as u64;
    let call = Call::with(nr("setgroups"), &[n, 0], Payload::Ids(ids.into()));
    door::call(&ctx, t, &[&groups], call, NOTHING)
}

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    asking(book);
    changing(book);
    capabilities(book);
    limits(book);
    processors(book);
}

/// A call without arguments that returns a number.
macro_rules! asks {
    ($book:expr; $($(#[doc = $doc:literal])+ $name:literal;)*) => {
        functions! { $book; $(
            $(#[doc = $doc])+
            $name => |ctx: Ctx, t: &mut Task| {
                const NR: u32 = door::nr_of($name);
                door::numbers(&ctx, t, NR, &[], NUMBER)
            };
        )* }
    };
}

fn asking(book: &mut Book) {
    asks! { book;
        /// The thread group id, as the task sees it (getpid(2)).
        "getpid(t: Task) -> int";
        /// The thread id, as the task sees it (gettid(2)).
        "gettid(t: Task) -> int";
        /// The parent's pid, as the task sees it; 0 when it cannot (getppid(2)).
        "getppid(t: Task) -> int";
        /// The process group (getpgrp(2)).
        "getpgrp(t: Task) -> int";
        /// The real uid (getuid(2)).
        "getuid(t: Task) -> int";
        /// The effective uid (geteuid(2)).
        "geteuid(t: Task) -> int";
        /// The real gid (getgid(2)).
        "getgid(t: Task) -> int";
        /// The effective gid (getegid(2)).
        "getegid(t: Task) -> int";
    }
    fn of(ctx: &Ctx, t: &Task, number: u32, who: &Dynamic) -> Raised<Dynamic> {
        let pid = args::pid(&format!("{}: pid", ctx.fn_name()), t, who)?;
        door::call(ctx, t, &[who], Call::new(number, &[pid]), NUMBER)
    }
    functions! { book;
        /// The process group of a task; 0 for one's own (getpgid(2)).
        "getpgid(t: Task, pid: int|Task) -> int" => |ctx: Ctx, t: &mut Task, who: Dynamic| {
            of(&ctx, t, nr("getpgid"), &who)
        };
        /// The session of a task; 0 for one's own (getsid(2)).
        "getsid(t: Task, pid: int|Task) -> int" => |ctx: Ctx, t: &mut Task, who: Dynamic| {
            of(&ctx, t, nr("getsid"), &who)
        };
        /// Real, effective and saved uid (getresuid(2)).
        "getresuid(t: Task) -> Ids" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("getresuid"), &[], THREE_IDS)
        };
        /// Real, effective and saved gid (getresgid(2)).
        "getresgid(t: Task) -> Ids" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("getresgid"), &[], THREE_IDS)
        };
        /// The supplementary groups (getgroups(2)).
        "getgroups(t: Task) -> array" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("getgroups"), &[], ID_LIST)
        };
    }
}

fn changing(book: &mut Book) {
    /// A call with ids that returns nothing.
    macro_rules! ids {
        ($($(#[doc = $doc:literal])+ $signature:literal($($arg:ident),+) -> $convert:ident;)*) => {
            functions! { book; $(
                $(#[doc = $doc])+
                $signature => |ctx: Ctx, t: &mut Task $(, $arg: Dynamic)+| {
                    const NR: u32 = door::nr_of($signature);
                    door::numbers(&ctx, t, NR, &[$((stringify!($arg), &$arg)),+], $convert)
                };
            )* }
        };
    }
    ids! {
        /// Sets the uids: all three with CAP_SETUID, else the effective one
        /// (setuid(2)).
        "setuid(t: Task, uid: int)"(uid) -> NOTHING;
        /// Sets the gids (setgid(2)).
        "setgid(t: Task, gid: int)"(gid) -> NOTHING;
        /// Sets real and effective uid; -1 leaves one (setreuid(2)).
        "setreuid(t: Task, ruid: int, euid: int)"(ruid, euid) -> NOTHING;
        /// Sets real and effective gid; -1 leaves one (setregid(2)).
        "setregid(t: Task, rgid: int, egid: int)"(rgid, egid) -> NOTHING;
        /// Sets real, effective and saved uid; -1 leaves one (setresuid(2)).
        "setresuid(t: Task, ruid: int, euid: int, suid: int)"(ruid, euid, suid) -> NOTHING;
        /// Sets real, effective and saved gid; -1 leaves one (setresgid(2)).
        "setresgid(t: Task, rgid: int, egid: int, sgid: int)"(rgid, egid, sgid) -> NOTHING;
        /// Sets the uid for file access; gives the old one, whether or not it
        /// changed (setfsuid(2)).
        "setfsuid(t: Task, fsuid: int) -> int"(fsuid) -> NUMBER;
        /// Sets the gid for file access; gives the old one (setfsgid(2)).
        "setfsgid(t: Task, fsgid: int) -> int"(fsgid) -> NUMBER;
    }
    functions! { book;
        /// Sets the effective uid (seteuid(3)).
        "seteuid(t: Task, uid: int)" => |ctx: Ctx, t: &mut Task, uid: Dynamic| {
            let keep: Dynamic = (-1_i64).into();
            let named = [("ruid", &keep), ("euid", &uid), ("suid", &keep)];
            door::numbers(&ctx, t, nr("setresuid"), &named, NOTHING)
        };
        /// Sets the effective gid (setegid(3)).
        "setegid(t: Task, gid: int)" => |ctx: Ctx, t: &mut Task, gid: Dynamic| {
            let keep: Dynamic = (-1_i64).into();
            let named = [("rgid", &keep), ("egid", &gid), ("sgid", &keep)];
            door::numbers(&ctx, t, nr("setresgid"), &named, NOTHING)
        };
        /// Sets the supplementary groups (setgroups(2)).
        "setgroups(t: Task, groups: array)" => setgroups;
        /// Moves a task into a process group; 0 means oneself, or the task's own
        /// pid as group (setpgid(2)).
        "setpgid(t: Task, pid: int|Task, pgid: int|Task)" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic, group: Dynamic| -> Raised<Dynamic> {
                let words =
                    [args::pid("setpgid: pid", t, &who)?, args::pid("setpgid: pgid", t, &group)?];
                door::call(&ctx, t, &[&who, &group], Call::new(nr("setpgid"), &words), NOTHING)
            };
        /// Starts a session and process group of its own; gives its id
        /// (setsid(2)).
        "setsid(t: Task) -> int" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("setsid"), &[], NUMBER)
        };
    }
}

fn capabilities(book: &mut Book) {
    book.prints::<Caps>("Caps");
    getters! { book, Caps;
        /// Capabilities that checks look at.
        "effective: CapSet" => |c: &mut Caps| c.effective;
        /// Capabilities it may make effective.
        "permitted: CapSet" => |c: &mut Caps| c.permitted;
        /// Capabilities kept over execve of a file that asks for them.
        "inheritable: CapSet" => |c: &mut Caps| c.inheritable;
    }
    functions! { book;
        /// Its capability sets (capget(2)).
        "capget(t: Task) -> Caps" => |ctx: Ctx, t: &mut Task| capget(&ctx, t, None);
        /// Another task's capability sets.
        "capget(t: Task, pid: int|Task) -> Caps" => |ctx: Ctx, t: &mut Task, who: Dynamic| {
            capget(&ctx, t, Some(&who))
        };
        /// Sets its capabilities (capset(2)): #{effective: [CAP_KILL],
        /// permitted: […], inheritable: []}; what is not given stays.
        "capset(t: Task, sets: map)" => capset;
        /// A setting of the task (prctl(2)): PR_SET_NAME, PR_SET_PDEATHSIG,
        /// PR_SET_CHILD_SUBREAPER… The PR_GET_* operations give the value.
        "prctl(t: Task, op: Flags) -> int" => |ctx: Ctx, t: &mut Task, op: Dynamic| {
            prctl(&ctx, t, &op, &[])
        };
        /// prctl(2) with one argument.
        "prctl(t: Task, op: Flags, a: int|string) -> int" =>
            |ctx: Ctx, t: &mut Task, op: Dynamic, a: Dynamic| prctl(&ctx, t, &op, &[&a]);
        /// prctl(2) with two arguments.
        "prctl(t: Task, op: Flags, a: int, b: int) -> int" =>
            |ctx: Ctx, t: &mut Task, op: Dynamic, a: Dynamic, b: Dynamic| {
                prctl(&ctx, t, &op, &[&a, &b])
            };
        /// prctl(2) with all its arguments.
        "prctl(t: Task, op: Flags, a: int, b: int, c: int, d: int) -> int" =>
            |ctx: Ctx, t: &mut Task, op: Dynamic, a: Dynamic, b: Dynamic, c: Dynamic, d: Dynamic| {
                prctl(&ctx, t, &op, &[&a, &b, &c, &d])
            };
        /// Sets or reads FS and GS base (arch_prctl(2)): ARCH_SET_GS 0x1001,
        /// ARCH_SET_FS 0x1002, ARCH_GET_FS 0x1003, ARCH_GET_GS 0x1004.
        "arch_prctl(t: Task, code: int, addr: Addr) -> Addr" =>
            |ctx: Ctx, t: &mut Task, code: Dynamic, addr: Dynamic| {
                let named = [("code", &code), ("addr", &addr)];
                door::numbers(&ctx, t, nr("arch_prctl"), &named, |_, _, out| match out {
                    Out::Number(n) => Dynamic::from(Addr(n)),
                    _ => Dynamic::UNIT,
                })
            };
    }
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
        /// Clock ticks of 10 ms since power-on (times(2)).
        "times(t: Task) -> int" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("times"), &[], NUMBER)
        };
    }
}

fn processors(book: &mut Book) {
    functions! { book;
        /// Chooses the processors a task may run on: a mask, or an array of
        /// processor numbers; pid 0 means oneself (sched_setaffinity(2)).
        "sched_setaffinity(t: Task, pid: int|Task, cpus: int|array)" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic, cpus: Dynamic| -> Raised<Dynamic> {
                let words = [
                    args::pid("sched_setaffinity: pid", t, &who)?,
                    8,
                    cpu_mask("sched_setaffinity: cpus", &cpus)?,
                ];
                let call = Call::new(nr("sched_setaffinity"), &words);
                door::call(&ctx, t, &[&who, &cpus], call, NOTHING)
            };
        /// The mask of processors a task may run on (sched_getaffinity(2)).
        "sched_getaffinity(t: Task, pid: int|Task) -> int" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic| -> Raised<Dynamic> {
                let words = [args::pid("sched_getaffinity: pid", t, &who)?, 8, 0];
                let call = Call::new(nr("sched_getaffinity"), &words);
                door::call(&ctx, t, &[&who], call, OUT_NUMBER)
            };
        /// Lets others run (sched_yield(2)).
        "sched_yield(t: Task)" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("sched_yield"), &[], NOTHING)
        };
    }
}
