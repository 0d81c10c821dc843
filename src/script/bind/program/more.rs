//! Further system calls of programs: a sleep for a signal that ends, limits as
//! two numbers, capabilities, mappings with named arguments.
//!
//! Left out: what director style has and no program has needed yet.

use rhai::{Dynamic, Map};

use super::calls::{ADDR, Give, NOTHING, Row, plain_call, rows};
use crate::abi::CapSet;
use crate::kernel::signal::Rlimit;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::bind::args::{self, Named};
use crate::script::bind::door::nr;
use crate::script::bind::signals::Info;
use crate::script::errors::ScriptError;
use crate::session::program::Child;

/// sizeof(sigset_t) as the kernel wants it.
const SIGSETSIZE: u64 = 8;

const INFO: Give = |ret, out| match out {
    Out::SigInfo(info) => Dynamic::from(Info(*info)),
    _ => ret.into(),
};
const CAPS: Give = |ret, out| match out {
    Out::Caps(effective, permitted, inheritable) => {
        [effective, permitted, inheritable].map(Dynamic::from).to_vec().into()
    }
    _ => ret.into(),
};

pub(super) const OTHERS: &[Row] = rows! {
    /// Takes a signal of a set that waits, or sleeps for ns until there is
    /// one: EAGAIN then (sigtimedwait(2)).
    "sigtimedwait(set: Signal|array, ns: int) -> Siginfo" => INFO, |_, name, a| {
        let set = args::signal_set(&format!("{name}: set"), &a[0])?;
        let ns = args::word(&format!("{name}: ns"), &a[1])? as i64;
        let payload = Payload::TimedSet(set, ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
        Ok((Call::with(nr("rt_sigtimedwait"), &[0, 0, 0, SIGSETSIZE], payload), Child::Returns))
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
};

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
