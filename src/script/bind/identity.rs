//! Who a task is: ids, groups, capabilities, prctl.
//!
//! Left out: keys and security modules, which the kernel does not model.

use super::args::{self, Named};
use super::door::{self, Convert, NOTHING, NUMBER, nr};
use super::kinds;
use super::objects::SetIds;
use super::registry::{Book, Raised, functions, getters};
use super::task::Task;
use crate::abi::numbers::{PR_GET_PDEATHSIG, PR_SET_NAME};
use crate::abi::{CapSet, Signal};
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::value::Addr;
use rhai::{Array, Dynamic, Map, NativeCallContext};

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
