//! Policies and their parameters: sched_setscheduler(2), sched_setattr(2) and
//! what asks for them.
//!
//! ```text
//!  sched_setscheduler  sched_setparam  sched_setattr
//!            \               |              /
//!             __sched_setscheduler: is it valid, is it allowed,
//!             is there bandwidth -> __setscheduler_params
//! ```
//!
//! Linux: kernel/sched/syscalls.c (__sched_setscheduler,
//! user_check_sched_setscheduler, __setscheduler_params, sched_getattr),
//! kernel/sched/deadline.c (sched_dl_overflow).
//! Left out: SCHED_FLAG_RECLAIM and SCHED_FLAG_DL_OVERRUN of deadline tasks, and
//! utilisation clamps: refused with EOPNOTSUPP; SCHED_EXT: EINVAL, as without
//! CONFIG_SCHED_CLASS_EXT.

use super::affinity::{check_same_owner, present};
use super::core::cx;
use super::eevdf::SLICE_RANGE_NS;
use super::fork::{sched_change, set_static_prio};
use super::nice::{cap_safe_nice, capable_nice, is_nice_reduction};
use super::prio::{
    DEFAULT_PRIO, MAX_RT_PRIO, class_of, dl_policy, fair_policy, normal_prio, rt_policy, task_nice,
};
use super::{deadline, rt, tick_nsec};
use crate::abi::Errno;
use crate::abi::numbers::*;
use crate::abi::structs::SchedAttr;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const KNOWN_FLAGS: u64 = 0x7f;
const UTIL_CLAMP: u64 = SCHED_FLAG_UTIL_CLAMP_MIN | SCHED_FLAG_UTIL_CLAMP_MAX;
const F: &str = "__sched_setscheduler";

/// Changes a task's policy and parameters; without a policy it keeps its own
/// (`SETPARAM_POLICY`).
///
/// # Errors
/// EINVAL: no such policy, or parameters that do not go with it; EPERM;
/// EOPNOTSUPP: a flag that is not modelled; EBUSY: not enough bandwidth.
pub fn sched_setscheduler(
    sys: &mut System,
    current: TaskId,
    p: TaskId,
    policy: Option<u32>,
    attr: &SchedAttr,
) -> Result<(), SysError> {
    let reset_on_fork = match policy {
        Some(_) => attr.sched_flags & SCHED_FLAG_RESET_ON_FORK != 0,
        None => sys.task(p).sched_reset_on_fork,
    };
    let policy = policy.unwrap_or(sys.task(p).policy);
    check_valid(policy, attr)?;
    check_allowed(sys, current, p, policy, attr, reset_on_fork)?;
    cap_safe_nice(sys, current, p)?;
    check_modelled(policy, attr.sched_flags)?;
    let t = sys.task(p);
    let same = policy == t.policy
        && if fair_policy(policy) {
            attr.sched_nice == task_nice(t) && attr.sched_runtime == t.se.slice
        } else if rt_policy(policy) {
            attr.sched_priority == t.rt_priority
        } else if policy == SCHED_IDLE {
            true
        } else {
            t.dl.as_ref().is_some_and(|dl| {
                dl.dl_runtime == attr.sched_runtime
                    && dl.dl_deadline == attr.sched_deadline
                    && dl.dl_period == period(attr)
            })
        };
    if same {
        sys.task_mut(p).sched_reset_on_fork = reset_on_fork;
        return Ok(());
    }
    if dl_policy(policy) {
        let all = present(sys);
        if sys.task(p).cpus_mask & all != all {
            let why = "a deadline task must be able to run on every processor";
            return refuse(Errno::EPERM, F, why);
        }
    }
    sched_dl_overflow(sys, p, policy, attr)?;
    sys.task_mut(p).sched_reset_on_fork = reset_on_fork;
    if attr.sched_flags & SCHED_FLAG_KEEP_PARAMS == 0 {
        sched_change(sys, p, |sys| __setscheduler_params(sys, p, policy, attr));
    }
    Ok(())
}

/// Whether policy, flags and parameters go together.
fn check_valid(policy: u32, attr: &SchedAttr) -> Result<(), SysError> {
    if !(fair_policy(policy) || policy == SCHED_IDLE || rt_policy(policy) || dl_policy(policy)) {
        let why = match policy {
            SCHED_EXT => "SCHED_EXT is not modelled: this kernel has no CONFIG_SCHED_CLASS_EXT",
            _ => "there is no policy with this number",
        };
        return refuse(Errno::EINVAL, F, why);
    }
    if attr.sched_flags & !KNOWN_FLAGS != 0 {
        return refuse(Errno::EINVAL, F, "sched_flags has bits that mean nothing");
    }
    if attr.sched_priority >= MAX_RT_PRIO as u32 {
        return refuse(Errno::EINVAL, F, "priorities go up to 99");
    }
    if dl_policy(policy)
        && let Err(rule) =
            deadline::checkparam(attr.sched_runtime, attr.sched_deadline, attr.sched_period)
    {
        return refuse(Errno::EINVAL, "__checkparam_dl", rule);
    }
    if rt_policy(policy) != (attr.sched_priority != 0) {
        let why = "FIFO and RR have a priority of 1 to 99, all other policies have 0";
        return refuse(Errno::EINVAL, F, why);
    }
    Ok(())
}

/// `user_check_sched_setscheduler`: what an ordinary user may do; the rest
/// needs CAP_SYS_NICE over the whole machine.
fn check_allowed(
    sys: &mut System,
    current: TaskId,
    p: TaskId,
    policy: u32,
    attr: &SchedAttr,
    reset_on_fork: bool,
) -> Result<(), SysError> {
    let t = sys.task(p);
    let rtprio = sys.signal(p).rlim[RLIMIT_RTPRIO as usize].cur;
    let nice = attr.sched_nice;
    let why = if fair_policy(policy) && nice < task_nice(t) && !is_nice_reduction(sys, p, nice) {
        "RLIMIT_NICE does not allow a nice value this low"
    } else if rt_policy(policy) && policy != t.policy && rtprio == 0 {
        "RLIMIT_RTPRIO is 0: no real-time policy"
    } else if rt_policy(policy)
        && attr.sched_priority > t.rt_priority
        && u64::from(attr.sched_priority) > rtprio
    {
        "the priority is above RLIMIT_RTPRIO"
    } else if dl_policy(policy) {
        "only the privileged have deadline tasks"
    } else if t.policy == SCHED_IDLE
        && policy != SCHED_IDLE
        && !is_nice_reduction(sys, p, task_nice(t))
    {
        "SCHED_IDLE counts as nice 20, and RLIMIT_NICE does not allow to leave it"
    } else if !check_same_owner(sys, current, p) {
        "the task is another user's"
    } else if t.sched_reset_on_fork && !reset_on_fork {
        "reset-on-fork cannot be taken back"
    } else {
        return Ok(());
    };
    if capable_nice(sys, current) {
        return Ok(());
    }
    let why = format!("{why}, and the caller has no CAP_SYS_NICE in the initial user namespace");
    Err(SysError::with(Errno::EPERM, "user_check_sched_setscheduler", why))
}

fn check_modelled(policy: u32, flags: u64) -> Result<(), SysError> {
    let why = if flags & UTIL_CLAMP != 0 {
        "utilisation clamps are not modelled: this kernel has no CONFIG_UCLAMP_TASK"
    } else if dl_policy(policy) && flags & SCHED_FLAG_RECLAIM != 0 {
        "SCHED_FLAG_RECLAIM is not modelled: unused bandwidth is not given to others"
    } else if dl_policy(policy) && flags & SCHED_FLAG_DL_OVERRUN != 0 {
        "SCHED_FLAG_DL_OVERRUN is not modelled: an overrun sends no SIGXCPU"
    } else {
        return Ok(());
    };
    refuse(Errno::EOPNOTSUPP, F, why)
}

fn period(attr: &SchedAttr) -> u64 {
    if attr.sched_period == 0 { attr.sched_deadline } else { attr.sched_period }
}

/// Admission: takes or gives back bandwidth.
fn sched_dl_overflow(
    sys: &mut System,
    p: TaskId,
    policy: u32,
    attr: &SchedAttr,
) -> Result<(), SysError> {
    let old = sys.task(p).dl.as_ref().map_or(0, |dl| dl.dl_bw);
    let new = match dl_policy(policy) {
        true => deadline::to_ratio(period(attr), attr.sched_runtime),
        false => 0,
    };
    let total = sys.kernel.sched.dl_total_bw - old + new;
    let cpus = sys.kernel.per_cpu.len() as u64;
    if new > old && deadline::overflow(total, cpus) {
        let of = |bw: u64| (bw * 100 + (1 << 19)) >> 20;
        return Err(SysError::with(
            Errno::EBUSY,
            "sched_dl_overflow",
            format!(
                "runtime/period is {} %, and of the {} % that deadline tasks may have on all \
                 processors together {} % are taken",
                of(new),
                90 * cpus,
                of(total - new)
            ),
        ));
    }
    sys.kernel.sched.dl_total_bw = total;
    Ok(())
}

/// Precondition: the task is on no queue.
fn __setscheduler_params(sys: &mut System, p: TaskId, policy: u32, attr: &SchedAttr) {
    let base_slice = cx(sys).base_slice();
    let t = sys.task_mut(p);
    t.policy = policy;
    let mut static_prio = t.static_prio;
    if dl_policy(policy) {
        let dl = t.dl.get_or_insert_with(Box::default);
        dl.dl_runtime = attr.sched_runtime;
        dl.dl_deadline = attr.sched_deadline;
        dl.dl_period = period(attr);
        dl.dl_bw = deadline::to_ratio(dl.dl_period, dl.dl_runtime);
    } else {
        t.dl = None;
    }
    if fair_policy(policy) {
        static_prio = DEFAULT_PRIO + attr.sched_nice;
        t.se.custom_slice = attr.sched_runtime != 0;
        t.se.slice = match attr.sched_runtime {
            0 => base_slice,
            ns => ns.clamp(*SLICE_RANGE_NS.start(), *SLICE_RANGE_NS.end()),
        };
    }
    if rt_policy(policy) || dl_policy(policy) {
        // Their sleeps end on time.
        t.timer_slack_ns = 0;
    } else if t.timer_slack_ns == 0 {
        t.timer_slack_ns = t.default_timer_slack_ns;
    }
    t.rt_priority = attr.sched_priority;
    t.normal_prio = normal_prio(policy, t.rt_priority, static_prio);
    t.sched_class = class_of(policy);
    set_static_prio(sys, p, static_prio);
    if !dl_policy(policy) {
        sys.kernel.sched.dl_timers.retain(|(_, t)| *t != p);
    }
}

/// A task's parameters by its policy (`get_params`).
pub fn get_params(sys: &System, p: TaskId, attr: &mut SchedAttr) {
    let t = sys.task(p);
    if let Some(dl) = &t.dl {
        attr.sched_priority = t.rt_priority;
        attr.sched_runtime = dl.dl_runtime;
        attr.sched_deadline = dl.dl_deadline;
        attr.sched_period = dl.dl_period;
    } else if rt_policy(t.policy) {
        attr.sched_priority = t.rt_priority;
    } else {
        attr.sched_nice = task_nice(t);
        attr.sched_runtime = t.se.slice;
    }
}

/// What sched_setscheduler(2) and sched_setparam(2) leave as it is.
pub fn legacy_attr(sys: &System, p: TaskId, priority: i32) -> SchedAttr {
    let t = sys.task(p);
    SchedAttr {
        sched_nice: task_nice(t),
        sched_priority: priority as u32,
        sched_runtime: if t.se.custom_slice { t.se.slice } else { 0 },
        ..SchedAttr::default()
    }
}

/// sched_getattr(2).
pub fn sched_getattr(sys: &System, p: TaskId) -> SchedAttr {
    let t = sys.task(p);
    let sched_flags = if t.sched_reset_on_fork { SCHED_FLAG_RESET_ON_FORK } else { 0 };
    let mut attr = SchedAttr { sched_policy: t.policy, sched_flags, ..SchedAttr::default() };
    get_params(sys, p, &mut attr);
    attr
}

/// sched_rr_get_interval(2): a task's slice, ns, in whole ticks; 0 for one that
/// has none.
pub fn rr_interval(sys: &System, p: TaskId) -> u64 {
    let t = sys.task(p);
    let tick = tick_nsec(&sys.kernel.sched.config);
    let ns = match t.policy {
        SCHED_RR => rt::RR_TIMESLICE_NS,
        SCHED_FIFO | SCHED_DEADLINE => 0,
        _ if sys.kernel.per_cpu[t.cpu as usize].rq.cfs.load == 0 => 0,
        _ => t.se.slice,
    };
    ns / tick * tick
}

/// Least and greatest priority of a policy.
///
/// # Errors
/// EINVAL: no such policy.
pub fn priorities(policy: u64) -> Result<(i64, i64), SysError> {
    match policy as u32 {
        SCHED_FIFO | SCHED_RR => Ok((1, i64::from(MAX_RT_PRIO) - 1)),
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE | SCHED_DEADLINE | SCHED_EXT => Ok((0, 0)),
        _ => refuse(Errno::EINVAL, "sched_get_priority_max", "there is no policy with this number"),
    }
}
