//! Further system calls of programs: clone3, signals with values, alternate
//! stacks, locking of memory, limits, capabilities, pidfds, directories.
//!
//! Left out: what director style has and no program has needed yet.

use rhai::{Array, Dynamic, Map};

use super::calls::{ADDR, DATA, Give, NOTHING, NUMBER, Row, numbers, path_call, plain_call, rows};
use super::plain;
use crate::abi::signal::si_code;
use crate::abi::structs::SigInfo;
use crate::abi::{CapSet, Signal};
use crate::kernel::signal::Rlimit;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::bind::args::{self, Named};
use crate::script::bind::door::nr;
use crate::script::bind::process::clone_args;
use crate::script::bind::signals::Info;
use crate::script::errors::ScriptError;
use crate::session::program::Child;

/// sizeof(sigset_t) as the kernel wants it.
const SIGSETSIZE: u64 = 8;

const INFO: Give = |ret, out| match out {
    Out::SigInfo(info) => Dynamic::from(Info(*info)),
    _ => ret.into(),
};
const ID_LIST: Give = |ret, out| match out {
    Out::Ids(ids) => ids.iter().map(|n| Dynamic::from(i64::from(*n))).collect::<Array>().into(),
    _ => ret.into(),
};
const PATH: Give = |ret, out| match out {
    Out::Text(text) => text.into(),
    Out::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
    _ => ret.into(),
};
const LIMIT: Give = |ret, out| match out {
    Out::Rlimit(limit) => {
        vec![Dynamic::from(limit.cur as i64), Dynamic::from(limit.max as i64)].into()
    }
    _ => ret.into(),
};
const CAPS: Give = |ret, out| match out {
    Out::Caps(effective, permitted, inheritable) => {
        [effective, permitted, inheritable].map(Dynamic::from).to_vec().into()
    }
    _ => ret.into(),
};
const ALTSTACK: Give = |ret, out| match out {
    Out::AltStack(sp, flags, size) => {
        let sp = Dynamic::from(crate::script::value::Addr(sp));
        vec![sp, i64::from(flags).into(), (size as i64).into()].into()
    }
    _ => ret.into(),
};

pub(super) const NUMBERS: &[Row] = numbers! {
    /// Sends a signal to a thread (tkill(2)).
    "tkill(tid: int, sig: Signal)" => "tkill", NOTHING;
    /// Sets the user id for files (setfsuid(2)); gives the old one.
    "setfsuid(uid: int) -> int" => "setfsuid", NUMBER;
    /// Sets the group id for files (setfsgid(2)); gives the old one.
    "setfsgid(gid: int) -> int" => "setfsgid", NUMBER;
    /// Locks memory (mlock(2)).
    "mlock(addr: Addr, len: int)" => "mlock", NOTHING;
    /// Unlocks memory (munlock(2)).
    "munlock(addr: Addr, len: int)" => "munlock", NOTHING;
    /// Locks all memory (mlockall(2)): MCL_CURRENT 1, MCL_FUTURE 2,
    /// MCL_ONFAULT 4.
    "mlockall(flags: int)" => "mlockall", NOTHING;
    /// Unlocks all memory (munlockall(2)).
    "munlockall()" => "munlockall", NOTHING;
    /// Writes a shared mapping back (msync(2)).
    "msync(addr: Addr, len: int, flags: Flags)" => "msync", NOTHING;
    /// Makes a descriptor of a process (pidfd_open(2)).
    "pidfd_open(pid: int, flags: Flags) -> int" => "pidfd_open", NUMBER;
    /// Sets a file's length (ftruncate(2)).
    "ftruncate(fd: int, len: int)" => "ftruncate", NOTHING;
    /// Changes the working directory (fchdir(2)).
    "fchdir(fd: int)" => "fchdir", NOTHING;
    /// Changes a file's mode (fchmod(2)).
    "fchmod(fd: int, mode: int)" => "fchmod", NOTHING;
    /// Closes descriptors (close_range(2)).
    "close_range(first: int, last: int, flags: Flags)" => "close_range", NOTHING;
    /// prctl(2) with two arguments.
    "prctl(option: Flags, arg: int, arg3: int) -> int" => "prctl", NUMBER;
};

pub(super) const OTHERS: &[Row] = rows! {
    /// Makes a task (clone3(2)) with named arguments: flags, exit_signal,
    /// stack, stack_size, tls, parent_tid, child_tid, pidfd, set_tid, cgroup.
    /// Returns twice.
    "clone3(args: map) -> int" => NUMBER, |_, _, a| Ok((clone3(&a[0])?, Child::Returns));
    /// The same; the task begins with a function.
    "clone3(args: map, start: function) -> int" => NUMBER, |_, name, a| {
        let start = plain::start(&format!("{name}: start"), &a[1])?;
        Ok((clone3(&a[0])?, Child::Starts(start)))
    };
    /// Takes a signal of a set that waits, or sleeps for ns until there is
    /// one: EAGAIN then (sigtimedwait(2)).
    "sigtimedwait(set: Signal|array, ns: int) -> Siginfo" => INFO, |_, name, a| {
        let set = args::signal_set(&format!("{name}: set"), &a[0])?;
        let ns = args::word(&format!("{name}: ns"), &a[1])? as i64;
        let payload = Payload::TimedSet(set, ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
        Ok((Call::with(nr("rt_sigtimedwait"), &[0, 0, 0, SIGSETSIZE], payload), Child::Returns))
    };
    /// Takes a signal of a set that waits, or sleeps until there is one
    /// (sigwaitinfo(2)).
    "sigwaitinfo(set: Signal|array) -> Siginfo" => INFO, |_, name, a| {
        let payload = Payload::SigSet(args::signal_set(&format!("{name}: set"), &a[0])?);
        Ok((Call::with(nr("rt_sigtimedwait"), &[0, 0, 0, SIGSETSIZE], payload), Child::Returns))
    };
    /// Sends a signal with a value (rt_sigqueueinfo(2), SI_QUEUE); the sender
    /// in it is 0.
    "sigqueue(pid: int, sig: Signal, value: int)" => NOTHING, |_, name, a| {
        let pid = args::word(&format!("{name}: pid"), &a[0])?;
        let number = args::signal_number(&format!("{name}: signal"), &a[1])?;
        let stand_in = i32::try_from(number).ok().and_then(Signal::new).unwrap_or(Signal::SIGHUP);
        let info = SigInfo {
            si_value: args::word(&format!("{name}: value"), &a[2])?,
            ..SigInfo::new(stand_in, si_code::SI_QUEUE)
        };
        let payload = Payload::SigInfo(Box::new(info));
        Ok((Call::with(nr("rt_sigqueueinfo"), &[pid, number, 0], payload), Child::Returns))
    };
    /// Sends a signal to the process of a pidfd (pidfd_send_signal(2)).
    "pidfd_send_signal(fd: int, sig: Signal)" => NOTHING,
        |_, name, a| plain_call(nr("pidfd_send_signal"), name, a);
    /// The alternate signal stack: [sp, flags, size] (sigaltstack(2)).
    "sigaltstack() -> array" => ALTSTACK,
        |_, _, _| Ok((Call::new(nr("sigaltstack"), &[0, 0]), Child::Returns));
    /// Sets the alternate signal stack; gives the old one.
    "sigaltstack(sp: Addr, flags: int, size: int) -> array" => ALTSTACK, |_, name, a| {
        let (words, child) = plain_call(nr("sigaltstack"), name, a)?;
        let [sp, flags, size, ..] = words.args;
        let payload = Payload::AltStack(sp, flags as u32, size);
        Ok((Call::with(nr("sigaltstack"), &[0, 0], payload), child))
    };
    /// The supplementary groups (getgroups(2)).
    "getgroups() -> array" => ID_LIST,
        |_, _, _| Ok((Call::new(nr("getgroups"), &[0, 0]), Child::Returns));
    /// Sets the supplementary groups (setgroups(2)).
    "setgroups(groups: array)" => NOTHING, |_, name, a| {
        let ids = args::ids(&format!("{name}: groups"), &a[0])?;
        let n = ids.len() as u64;
        Ok((Call::with(nr("setgroups"), &[n, 0], Payload::Ids(ids.into())), Child::Returns))
    };
    /// The capabilities of a process, 0 for the caller: [effective, permitted,
    /// inheritable] (capget(2)).
    "capget(pid: int) -> array" => CAPS, |_, name, a| {
        let pid = args::word(&format!("{name}: pid"), &a[0])?;
        Ok((Call::with(nr("capget"), &[0, 0], Payload::Ids([pid as u32].into())), Child::Returns))
    };
    /// Sets the caller's capabilities (capset(2)).
    "capset(effective: CapSet|array, permitted: CapSet|array, inheritable: CapSet|array)" =>
        NOTHING, |_, name, a| {
        let set = |i: usize| -> Result<CapSet, ScriptError> { args::capability_set(name, &a[i]) };
        let payload = Payload::Caps(set(0)?, set(1)?, set(2)?);
        Ok((Call::with(nr("capset"), &[0, 0], payload), Child::Returns))
    };
    /// A limit: [soft, hard] (getrlimit(2)).
    "getrlimit(resource: Flags) -> array" => LIMIT,
        |_, name, a| plain_call(nr("getrlimit"), name, a);
    /// Sets a limit (setrlimit(2)).
    "setrlimit(resource: Flags, soft: int, hard: int)" => NOTHING, |_, name, a| {
        let (call, child) = plain_call(nr("setrlimit"), name, a)?;
        let [resource, cur, max, ..] = call.args;
        let payload = Payload::Rlimit(Rlimit { cur, max });
        Ok((Call::with(nr("setrlimit"), &[resource, 0], payload), child))
    };
    /// Maps memory with named arguments: len, addr, prot, flags, fd, offset
    /// (mmap(2)).
    "mmap_with(args: map) -> Addr" => ADDR, |_, _, a| Ok((mmap(&a[0])?, Child::Returns));
    /// Reads up to n bytes from an offset (pread(2)).
    "pread(fd: int, n: int, offset: int) -> string" => DATA, |_, name, a| {
        let (call, child) = plain_call(nr("pread64"), name, a)?;
        let [fd, n, offset, ..] = call.args;
        Ok((Call::new(nr("pread64"), &[fd, 0, n, offset]), child))
    };
    /// Writes text or bytes at an offset (pwrite(2)); gives how many.
    "pwrite(fd: int, data: string, offset: int) -> int" => NUMBER, |_, name, a| {
        let bytes = args::bytes(&format!("{name}: data"), &a[1])?;
        let fd = args::word(&format!("{name}: fd"), &a[0])?;
        let offset = args::word(&format!("{name}: offset"), &a[2])?;
        let words = [fd, 0, bytes.len() as u64, offset];
        Ok((Call::with(nr("pwrite64"), &words, Payload::Bytes(bytes.into())), Child::Returns))
    };
    /// The working directory (getcwd(2)).
    "getcwd() -> string" => PATH,
        |_, _, _| Ok((Call::new(nr("getcwd"), &[0, 4096]), Child::Returns));
    /// Makes a directory (mkdir(2)).
    "mkdir(path: string, mode: int)" => NOTHING, |_, name, a| path_call(nr("mkdir"), name, a);
    /// Changes a file's mode (chmod(2)).
    "chmod(path: string, mode: int)" => NOTHING, |_, name, a| path_call(nr("chmod"), name, a);
    /// Sets a file's length (truncate(2)).
    "truncate(path: string, len: int)" => NOTHING, |_, name, a| path_call(nr("truncate"), name, a);
    /// Whether the real ids may use a file: R_OK 4, W_OK 2, X_OK 1, F_OK 0
    /// (access(2)).
    "access(path: string, mode: int)" => NOTHING, |_, name, a| path_call(nr("access"), name, a);
};

fn clone3(map: &Dynamic) -> Result<Call, ScriptError> {
    let Some(map) = map.read_lock::<Map>() else {
        return Err(ScriptError::usage("clone3 takes named arguments: #{flags: CLONE_VM}"));
    };
    let args = clone_args(&map)?;
    Ok(Call::with(nr("clone3"), &[0, 0], Payload::Clone(Box::new(args))))
}

fn mmap(map: &Dynamic) -> Result<Call, ScriptError> {
    const READ_WRITE: u64 = 3;
    const PRIVATE: u64 = 2;
    const ANONYMOUS: u64 = 0x20;
    let Some(map) = map.read_lock::<Map>() else {
        return Err(ScriptError::usage("mmap_with takes named arguments: #{len: 4096}"));
    };
    let mut named = Named::new("mmap", &map);
    let mut flags = named.word("flags", PRIVATE)?;
    if !map.contains_key("fd") {
        flags |= ANONYMOUS;
    }
    let words = [
        named.word("addr", 0)?,
        named.word("len", 0)?,
        named.word("prot", READ_WRITE)?,
        flags,
        named.word("fd", u64::MAX)?,
        named.word("offset", 0)?,
    ];
    named.finish()?;
    Ok(Call::new(nr("mmap"), &words))
}
