//! The scheduler's calls as programs make them; see `calls`.
//!
//! Left out: nothing of them.

use rhai::Dynamic;

use super::asking::{Answered, Asking, Fail, Function, library};
use super::calls::{Give, NOTHING, NUMBER, Row, numbers, plain_call, rows};
use crate::abi::Errno;
use crate::abi::numbers::PRIO_PROCESS;
use crate::abi::structs::SCHED_ATTR_SIZE_VER1;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::bind::args;
use crate::script::bind::door::nr;
use crate::script::bind::policy::{attr, attr_bytes, interval, param, policy, priority};
use crate::script::bind::resources::cpu_mask;
use crate::session::program::Child;

const POLICY: Give = |ret, _| policy(ret);
const PRIORITY: Give = |ret, out| priority(ret, &out);
const INTERVAL: Give = |ret, out| interval(ret, &out);
const ATTR: Give = |ret, out| attr(ret, &out);
const MASK: Give = |ret, out| match out {
    Out::Number(mask) => (mask as i64).into(),
    _ => ret.into(),
};

pub(super) const NUMBERS: &[Row] = numbers! {
    /// 20 - nice of the most favoured of those meant by PRIO_PROCESS, PRIO_PGRP or
    /// PRIO_USER, as the raw call gives it (getpriority(2)).
    "getpriority(which: Flags, who: int) -> int" => "getpriority", NUMBER;
    /// Sets the nice value of those meant (setpriority(2)).
    "setpriority(which: Flags, who: int, nice: int)" => "setpriority", NOTHING;
    /// A thread's policy, with SCHED_RESET_ON_FORK if it is set
    /// (sched_getscheduler(2)).
    "sched_getscheduler(pid: int) -> Flags" => "sched_getscheduler", POLICY;
    /// The greatest priority of a policy (sched_get_priority_max(2)).
    "sched_get_priority_max(policy: Flags) -> int" => "sched_get_priority_max", NUMBER;
    /// The least priority of a policy (sched_get_priority_min(2)).
    "sched_get_priority_min(policy: Flags) -> int" => "sched_get_priority_min", NUMBER;
    /// A thread's real-time priority (sched_getparam(2)).
    "sched_getparam(pid: int) -> int" => "sched_getparam", PRIORITY;
    /// A thread's slice in whole ticks, ns (sched_rr_get_interval(2)).
    "sched_rr_get_interval(pid: int) -> int" => "sched_rr_get_interval", INTERVAL;
};

pub(super) const OTHERS: &[Row] = rows! {
    /// Sets a thread's policy and real-time priority (0 for the fair ones); pid 0 is
    /// the caller (sched_setscheduler(2)).
    "sched_setscheduler(pid: int, policy: Flags, priority: int)" => NOTHING, |_, name, a| {
        let (call, child) = plain_call(nr("sched_setscheduler"), name, &a[..2])?;
        let payload = param(&format!("{name}: priority"), &a[2])?;
        Ok((Call { payload, ..call }, child))
    };
    /// Sets a thread's real-time priority (sched_setparam(2)).
    "sched_setparam(pid: int, priority: int)" => NOTHING, |_, name, a| {
        let (call, child) = plain_call(nr("sched_setparam"), name, &a[..1])?;
        let payload = param(&format!("{name}: priority"), &a[1])?;
        Ok((Call { payload, ..call }, child))
    };
    /// Sets a thread's policy with all its parameters (sched_setattr(2)): #{policy, flags, nice,
    /// priority, runtime, deadline, period}, times in ns or as "10ms".
    "sched_setattr(pid: int, attr: map)" => NOTHING, |_, name, a| {
        let (call, child) = plain_call(nr("sched_setattr"), name, &a[..1])?;
        Ok((Call { payload: attr_bytes(&a[1])?, ..call }, child))
    };
    /// A thread's policy with all its parameters (sched_getattr(2)).
    "sched_getattr(pid: int) -> map" => ATTR, |_, name, a| {
        let (mut call, child) = plain_call(nr("sched_getattr"), name, a)?;
        call.args[2] = u64::from(SCHED_ATTR_SIZE_VER1);
        Ok((call, child))
    };
    /// Chooses the processors a task may run on: a mask, or an array of their
    /// numbers; pid 0 is the caller (sched_setaffinity(2)).
    "sched_setaffinity(pid: int, cpus: array)" => NOTHING, |_, name, a| {
        let pid = args::word(&format!("{name}: pid"), &a[0])?;
        let mask = cpu_mask(&format!("{name}: cpus"), &a[1])?;
        let payload = Payload::Bytes(Box::new(mask.to_le_bytes()));
        Ok((Call::with(nr("sched_setaffinity"), &[pid, 8], payload), Child::Returns))
    };
    /// The mask of processors a task may run on (sched_getaffinity(2)).
    "sched_getaffinity(pid: int) -> int" => MASK, |_, name, a| {
        let (mut call, child) = plain_call(nr("sched_getaffinity"), name, a)?;
        call.args[1] = 8;
        Ok((call, child))
    };
};

pub(super) const LIBRARY: &[Function] = library! {
    /// Adds to one's own nice value and gives the new one, as libc does with
    /// setpriority(2): EACCES becomes EPERM (nice(3)).
    "nice(increment: int) -> int" => |asking, a| asking.nice(&a[0]);
};

impl Asking<'_> {
    fn nice(&self, increment: &Dynamic) -> Answered<Dynamic> {
        let own = [u64::from(PRIO_PROCESS), 0];
        let now = || self.sys(const { nr("getpriority") }, &own).map(|p| 20 - p);
        let increment = args::word("nice: increment", increment)? as i64;
        let wanted = now()?.saturating_add(increment).clamp(-1000, 1000);
        match self.sys(const { nr("setpriority") }, &[own[0], 0, wanted as u64]) {
            Ok(_) => Ok(now()?.into()),
            Err(Fail::Refused(mut e)) if e.errno == Errno::EACCES => {
                e.errno = Errno::EPERM;
                Err(Fail::Refused(e))
            }
            Err(e) => Err(e),
        }
    }
}
