//! The scheduler's system calls: policies, nice values, processors.
//!
//! Left out: letting the scheduler choose (`sched`).

use rhai::{Dynamic, Map, NativeCallContext};

use super::args::{self, Named};
use super::door::{self, Convert, NOTHING, NUMBER, OUT_NUMBER, nr};
use super::kinds;
use super::registry::{Book, Raised, functions};
use super::resources::cpu_mask;
use super::task::Task;
use crate::abi::Errno;
use crate::abi::numbers::PRIO_PROCESS;
use crate::abi::structs::{SCHED_ATTR_SIZE_VER1, SchedAttr};
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::errors::ScriptError;
use crate::script::value::Flags;

type Ctx<'a> = NativeCallContext<'a>;

/// A policy in RAX.
pub(super) fn policy(ret: i64) -> Dynamic {
    Dynamic::from(Flags { bits: ret as u64, kind: &kinds::SCHED })
}

/// The priority in a `struct sched_param`.
pub(super) fn priority(ret: i64, out: &Out) -> Dynamic {
    match out {
        Out::Bytes(bytes) => i64::from(SchedAttr::from_bytes(bytes).size).into(),
        _ => ret.into(),
    }
}

/// A timespec, in ns.
pub(super) fn interval(ret: i64, out: &Out) -> Dynamic {
    let word = |b: &[u8]| b.try_into().map_or(0, i64::from_le_bytes);
    match out {
        Out::Bytes(b) if b.len() == 16 => (word(&b[..8]) * 1_000_000_000 + word(&b[8..])).into(),
        _ => ret.into(),
    }
}

/// A `struct sched_attr` as a map.
pub(super) fn attr(ret: i64, out: &Out) -> Dynamic {
    let Out::Bytes(bytes) = out else { return ret.into() };
    let a = SchedAttr::from_bytes(bytes);
    let mut map = Map::new();
    let mut put = |name: &str, value: Dynamic| map.insert(name.into(), value);
    put("size", i64::from(a.size).into());
    put("policy", policy(a.sched_policy.into()));
    put("flags", Dynamic::from(Flags { bits: a.sched_flags, kind: &kinds::SCHED_FLAG }));
    put("nice", i64::from(a.sched_nice).into());
    put("priority", i64::from(a.sched_priority).into());
    put("runtime", (a.sched_runtime as i64).into());
    put("deadline", (a.sched_deadline as i64).into());
    put("period", (a.sched_period as i64).into());
    Dynamic::from(map)
}

/// A map as a `struct sched_attr`; times may be text.
pub(super) fn attr_bytes(value: &Dynamic) -> Result<Payload, ScriptError> {
    const CALL: &str = "sched_setattr";
    let Some(map) = value.read_lock::<Map>() else {
        let message = "sched_setattr takes named values: #{policy: SCHED_DEADLINE, runtime: …}";
        return Err(ScriptError::usage(message));
    };
    let mut named = Named::new(CALL, &map);
    let mut time = |name: &'static str| match named.get(name) {
        Some(v) => super::sched::duration(&format!("{CALL} {name}"), v),
        None => Ok(0),
    };
    let (sched_runtime, sched_deadline, sched_period) =
        (time("runtime")?, time("deadline")?, time("period")?);
    let attr = SchedAttr {
        size: named.word("size", SCHED_ATTR_SIZE_VER1.into())? as u32,
        sched_policy: named.word("policy", 0)? as u32,
        sched_flags: named.word("flags", 0)?,
        sched_nice: named.word("nice", 0)? as i32,
        sched_priority: named.word("priority", 0)? as u32,
        sched_runtime,
        sched_deadline,
        sched_period,
        sched_util: [named.word("util_min", 0)? as u32, named.word("util_max", 0)? as u32],
    };
    named.finish()?;
    // One that claims to be larger ends in zeroes.
    let mut bytes = attr.to_bytes().to_vec();
    bytes.resize(bytes.len().max(attr.size.min(4096) as usize), 0);
    Ok(Payload::Bytes(bytes.into()))
}

/// A priority as a `struct sched_param`.
pub(super) fn param(what: &str, value: &Dynamic) -> Result<Payload, ScriptError> {
    let priority = args::word(what, value)? as u32;
    Ok(Payload::Bytes(Box::new(priority.to_le_bytes())))
}

/// nice(3), as glibc has it.
fn nice(ctx: &Ctx, t: &Task, increment: &Dynamic) -> Raised<Dynamic> {
    let own = [u64::from(PRIO_PROCESS), 0];
    let now = |ctx: &Ctx| -> Raised<i64> {
        let call = Call::new(nr("getpriority"), &own);
        Ok(door::call(ctx, t, &[increment], call, NUMBER)?.as_int().map_or(0, |p| 20 - p))
    };
    let wanted = now(ctx)?.saturating_add(args::word("nice: increment", increment)? as i64);
    let wanted = wanted.clamp(-1000, 1000);
    let call = Call::new(nr("setpriority"), &[own[0], 0, wanted as u64]);
    match door::step(ctx, t, &[increment], call) {
        Ok(_) => Ok(now(ctx)?.into()),
        Err(ScriptError::Refused(mut e)) if e.errno == Errno::EACCES => {
            e.errno = Errno::EPERM;
            Err(ScriptError::Refused(e).into())
        }
        Err(e) => Err(e.into()),
    }
}

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    policies(book);
    attributes(book);
    nice_values(book);
    processors(book);
}

fn policies(book: &mut Book) {
    const POLICY: Convert = |_, ret, _| policy(ret);
    functions! { book;
        /// Sets a thread's policy and real-time priority (0 for the fair ones); pid 0
        /// means oneself (sched_setscheduler(2)).
        "sched_setscheduler(t: Task, pid: int|Task, policy: Flags, priority: int)" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic, pol: Dynamic, prio: Dynamic| -> Raised<Dynamic> {
                let pid = args::pid("sched_setscheduler: pid", t, &who)?;
                let policy = args::word("sched_setscheduler: policy", &pol)?;
                let payload = param("sched_setscheduler: priority", &prio)?;
                let call = Call::with(nr("sched_setscheduler"), &[pid, policy, 0], payload);
                door::call(&ctx, t, &[&who, &pol, &prio], call, NOTHING)
            };
        /// A thread's policy, with SCHED_RESET_ON_FORK if it is set
        /// (sched_getscheduler(2)).
        "sched_getscheduler(t: Task, pid: int|Task) -> Flags" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic| -> Raised<Dynamic> {
                let pid = args::pid("sched_getscheduler: pid", t, &who)?;
                let call = Call::new(nr("sched_getscheduler"), &[pid]);
                door::call(&ctx, t, &[&who], call, POLICY)
            };
        /// Sets a thread's real-time priority (sched_setparam(2)).
        "sched_setparam(t: Task, pid: int|Task, priority: int)" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic, prio: Dynamic| -> Raised<Dynamic> {
                let pid = args::pid("sched_setparam: pid", t, &who)?;
                let payload = param("sched_setparam: priority", &prio)?;
                let call = Call::with(nr("sched_setparam"), &[pid, 0], payload);
                door::call(&ctx, t, &[&who, &prio], call, NOTHING)
            };
        /// A thread's real-time priority (sched_getparam(2)).
        "sched_getparam(t: Task, pid: int|Task) -> int" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic| -> Raised<Dynamic> {
                let pid = args::pid("sched_getparam: pid", t, &who)?;
                let call = Call::new(nr("sched_getparam"), &[pid, 0]);
                door::call(&ctx, t, &[&who], call, |_, ret, out| priority(ret, &out))
            };
        /// The greatest priority of a policy (sched_get_priority_max(2)).
        "sched_get_priority_max(t: Task, policy: Flags) -> int" =>
            |ctx: Ctx, t: &mut Task, policy: Dynamic| {
                door::numbers(&ctx, t, nr("sched_get_priority_max"), &[("policy", &policy)], NUMBER)
            };
        /// The least priority of a policy (sched_get_priority_min(2)).
        "sched_get_priority_min(t: Task, policy: Flags) -> int" =>
            |ctx: Ctx, t: &mut Task, policy: Dynamic| {
                door::numbers(&ctx, t, nr("sched_get_priority_min"), &[("policy", &policy)], NUMBER)
            };
        /// A thread's slice in whole ticks, ns (sched_rr_get_interval(2)).
        "sched_rr_get_interval(t: Task, pid: int|Task) -> int" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic| -> Raised<Dynamic> {
                let pid = args::pid("sched_rr_get_interval: pid", t, &who)?;
                let call = Call::new(nr("sched_rr_get_interval"), &[pid, 0]);
                door::call(&ctx, t, &[&who], call, |_, ret, out| interval(ret, &out))
            };
    }
}

fn attributes(book: &mut Book) {
    functions! { book;
        /// Sets a thread's policy with all its parameters (sched_setattr(2)): #{policy, flags, nice,
        /// priority, runtime, deadline, period}, times in ns or as "10ms".
        "sched_setattr(t: Task, pid: int|Task, attr: map)" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic, attr: Dynamic| -> Raised<Dynamic> {
                let pid = args::pid("sched_setattr: pid", t, &who)?;
                let payload = attr_bytes(&attr)?;
                let call = Call::with(nr("sched_setattr"), &[pid, 0, 0], payload);
                door::call(&ctx, t, &[&who, &attr], call, NOTHING)
            };
        /// A thread's policy with all its parameters (sched_getattr(2)).
        "sched_getattr(t: Task, pid: int|Task) -> map" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic| -> Raised<Dynamic> {
                let pid = args::pid("sched_getattr: pid", t, &who)?;
                let size = u64::from(SCHED_ATTR_SIZE_VER1);
                let call = Call::new(nr("sched_getattr"), &[pid, 0, size, 0]);
                door::call(&ctx, t, &[&who], call, |_, ret, out| attr(ret, &out))
            };
    }
}

fn nice_values(book: &mut Book) {
    functions! { book;
        /// 20 - nice of the most favoured of those meant by PRIO_PROCESS, PRIO_PGRP or
        /// PRIO_USER, as the raw call gives it (getpriority(2)).
        "getpriority(t: Task, which: Flags, who: int) -> int" =>
            |ctx: Ctx, t: &mut Task, which: Dynamic, who: Dynamic| {
                let named = [("which", &which), ("who", &who)];
                door::numbers(&ctx, t, nr("getpriority"), &named, NUMBER)
            };
        /// Sets the nice value of those meant (setpriority(2)).
        "setpriority(t: Task, which: Flags, who: int, nice: int)" =>
            |ctx: Ctx, t: &mut Task, which: Dynamic, who: Dynamic, nice: Dynamic| {
                let named = [("which", &which), ("who", &who), ("nice", &nice)];
                door::numbers(&ctx, t, nr("setpriority"), &named, NOTHING)
            };
        /// Adds to one's own nice value and gives the new one, as libc does with
        /// setpriority(2): EACCES becomes EPERM (nice(3)).
        "nice(t: Task, increment: int) -> int" =>
            |ctx: Ctx, t: &mut Task, increment: Dynamic| nice(&ctx, t, &increment);
    }
}

fn processors(book: &mut Book) {
    functions! { book;
        /// Chooses the processors a task may run on: a mask, or an array of
        /// processor numbers; pid 0 means oneself (sched_setaffinity(2)).
        "sched_setaffinity(t: Task, pid: int|Task, cpus: int|array)" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic, cpus: Dynamic| -> Raised<Dynamic> {
                let words = [args::pid("sched_setaffinity: pid", t, &who)?, 8];
                let mask = cpu_mask("sched_setaffinity: cpus", &cpus)?;
                let mut call = Call::new(nr("sched_setaffinity"), &words);
                call.payload = Payload::Bytes(Box::new(mask.to_le_bytes()));
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
