//! More calls on tasks as programs make them: clone3, limits, usage; see
//! `calls`.
//!
//! Left out: the scheduler's calls (`policy`).

use rhai::{Dynamic, Map};

use super::asking::{Answered, Asking, Fail, Function, library};
use super::calls::{BLOB, Give, IDS, NOTHING, NUMBER, Row, numbers, plain_call, rows};
use super::plain;
use crate::kernel::signal::Rlimit;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::bind::args;
use crate::script::bind::door::nr;
use crate::script::bind::objects::Limit;
use crate::script::bind::process::clone_args;
use crate::script::bind::resources::{limit, random};
use crate::script::bind::waited::Usage;
use crate::script::errors::ScriptError;
use crate::session::program::{Child, Start, Want};

const LIMIT: Give = |ret, out| match out {
    Out::Rlimit(limit) => Dynamic::from(Limit(limit)),
    _ => ret.into(),
};
const USAGE: Give = |ret, out| match out {
    Out::Rusage(usage) => Dynamic::from(Usage(*usage)),
    _ => ret.into(),
};
const ASKED: Give = |ret, out| match out {
    Out::Text(name) => name.into(),
    Out::Number(n) => (n as i64).into(),
    _ => ret.into(),
};

pub(super) const NUMBERS: &[Row] = numbers! {
    /// Sets the uid for file access; gives the old one (setfsuid(2)).
    "setfsuid(fsuid: int) -> int" => "setfsuid", NUMBER;
    /// Sets the gid for file access; gives the old one (setfsgid(2)).
    "setfsgid(fsgid: int) -> int" => "setfsgid", NUMBER;
    /// The supplementary groups (getgroups(2)).
    "getgroups() -> array" => "getgroups", IDS;
    /// A limit (getrlimit(2)): `getrlimit(RLIMIT_NOFILE).cur`.
    "getrlimit(resource: Flags) -> Limit" => "getrlimit", LIMIT;
    /// Resources used by RUSAGE_SELF, RUSAGE_CHILDREN or RUSAGE_THREAD
    /// (getrusage(2)).
    "getrusage(who: Flags) -> Rusage" => "getrusage", USAGE;
    /// Clock ticks of 10 ms since power-on (times(2)).
    "times() -> int" => "times", NUMBER;
};

pub(super) const OTHERS: &[Row] = rows! {
    /// Random bytes (getrandom(2)), at most 65,536: they follow from the
    /// machine's seed.
    "getrandom(len: int) -> blob" => BLOB,
        |_, _, a| Ok((random(&a[0], &0_i64.into())?, Child::Returns));
    /// The same with flags GRND_*.
    "getrandom(len: int, flags: Flags) -> blob" => BLOB,
        |_, _, a| Ok((random(&a[0], &a[1])?, Child::Returns));
    /// Makes a task as clone3(2) does, with named arguments: #{flags,
    /// exit_signal, set_tid, stack, stack_size, parent_tid, child_tid, tls,
    /// pidfd}; returns twice, as fork does.
    "clone3(args: map) -> int" => NUMBER, |_, _, a| clone3(&a[0], Child::Returns);
    /// The same for a task that begins with a function.
    "clone3(args: map, start: function) -> int" => NUMBER, |_, name, a| {
        clone3(&a[0], Child::Starts(plain::start(&format!("{name}: start"), &a[1])?))
    };
    /// The same; the function gets an argument.
    "clone3(args: map, start: function, arg: any) -> int" => NUMBER, |_, name, a| {
        let mut start: Start = plain::start(&format!("{name}: start"), &a[1])?;
        start.args.push(plain::value(&format!("{name}: arg"), &a[2])?);
        clone3(&a[0], Child::Starts(start))
    };
    /// Replaces the program, with arguments and an environment.
    "execve(path: string, args: array, env: array) -> int" => NUMBER, |_, name, a| {
        let path = args::text(&format!("{name}: path"), &a[0])?;
        let argv = args::texts(&format!("{name}: args"), &a[1])?;
        let env = args::texts(&format!("{name}: env"), &a[2])?;
        let payload = Payload::Exec(Box::new((path, argv, env)));
        Ok((Call::with(nr("execve"), &[0, 0, 0], payload), Child::Returns))
    };
    /// Sets the supplementary groups (setgroups(2)).
    "setgroups(groups: array)" => NOTHING, |_, name, a| {
        let ids = args::ids(&format!("{name}: groups"), &a[0])?;
        let n = ids.len() as u64;
        Ok((Call::with(nr("setgroups"), &[n, 0], Payload::Ids(ids.into())), Child::Returns))
    };
    /// Asks something of the process (prctl(2)).
    "prctl(option: Flags) -> int" => ASKED, |_, name, a| plain_call(nr("prctl"), name, a);
    /// Does one of many things to the process; PR_SET_NAME takes a string.
    "prctl(option: Flags, arg: int|string) -> int" => ASKED, |_, name, a| {
        if !a[1].is_string() {
            return plain_call(nr("prctl"), name, a);
        }
        let option = args::word(&format!("{name}: option"), &a[0])?;
        let text = args::text(&format!("{name}: arg"), &a[1])?;
        Ok((Call::with(nr("prctl"), &[option], Payload::Text(text.into())), Child::Returns))
    };
    /// prctl(2) with two arguments.
    "prctl(option: Flags, a: int, b: int) -> int" => ASKED,
        |_, name, a| plain_call(nr("prctl"), name, a);
};

fn clone3(map: &Dynamic, child: Child) -> Result<(Call, Child), ScriptError> {
    let Some(named) = map.read_lock::<Map>() else {
        return Err(ScriptError::usage("clone3 takes named arguments: #{flags: CLONE_VM}"));
    };
    let args = clone_args(&named)?;
    Ok((Call::with(nr("clone3"), &[0, 0], Payload::Clone(Box::new(args))), child))
}

pub(super) const LIBRARY: &[Function] = library! {
    /// Sets a limit (setrlimit(2)): a number for the soft one, or #{cur, max}.
    "setrlimit(resource: Flags, limit: map) -> Limit" => |asking, a| {
        asking.prlimit(0, &a[0], &a[1])
    };
    /// Sets a limit of any process (prlimit(2)); gives the old one.
    "prlimit(pid: int, resource: Flags, limit: map) -> Limit" => |asking, a| {
        asking.prlimit(args::word("prlimit: pid", &a[0])?, &a[1], &a[2])
    };
    /// A limit of any process.
    "prlimit(pid: int, resource: Flags) -> Limit" => |asking, a| {
        let which = args::word("prlimit: resource", &a[1])?;
        let old = asking.limit_of(args::word("prlimit: pid", &a[0])?, which)?;
        Ok(Dynamic::from(Limit(old)))
    };
    /// The state of a process or thread of the program, as /proc/PID/stat shows
    /// it: "R" runs or could, "S" sleeps, "D" sleeps deeply, "T" is stopped,
    /// "Z" is dead and not waited for.
    "state_of(pid: int) -> string" => |asking, a| {
        let pid = args::word("state_of: pid", &a[0])? as i32;
        let letter = asking.ask(Want::State(pid))?.0;
        Ok(char::from(letter as u8).to_string().into())
    };
};

impl Asking<'_> {
    fn limit_of(&self, pid: u64, which: u64) -> Answered<Rlimit> {
        let call = Call::new(const { nr("prlimit64") }, &[pid, which, 0, 0]);
        match self.ask(Want::Sys(call, Child::Returns))? {
            (_, Out::Rlimit(limit)) => Ok(limit),
            _ => Err(Fail::from(ScriptError::usage("prlimit gave no limit"))),
        }
    }

    /// What is not given stays as it is.
    fn prlimit(&self, pid: u64, resource: &Dynamic, new: &Dynamic) -> Answered<Dynamic> {
        let which = args::word("prlimit: resource", resource)?;
        let old = self.limit_of(pid, which)?;
        let new = limit("prlimit: limit", new, old)?;
        let words = [pid, which, 0, 0];
        let call = Call::with(const { nr("prlimit64") }, &words, Payload::Rlimit(new));
        self.ask(Want::Sys(call, Child::Returns)).map(|_| Dynamic::from(Limit(old)))
    }
}
