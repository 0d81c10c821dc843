//! What these calls gave on Linux 6.18, as root.

use super::super::FairPolicy;
use super::{TaskId, World, world};
use crate::abi::Errno::{self, *};
use crate::abi::numbers::*;
use crate::abi::structs::SchedAttr;
use crate::kernel::signal::Rlimit;
use crate::kernel::syscalls::{Out, Payload};
use crate::kernel::testing;

fn setscheduler(w: &mut World, t: TaskId, policy: u32, prio: i32) -> Result<i64, Errno> {
    let payload = Payload::Bytes(Box::new(prio.to_le_bytes()));
    let args = [0, u64::from(policy), 0];
    w.try_with(t, "sched_setscheduler", &args, payload).map(|(v, _)| v)
}

fn setattr(w: &mut World, t: TaskId, attr: SchedAttr) -> Result<i64, Errno> {
    let size = if attr.size == 0 { 56 } else { attr.size };
    let payload = Payload::Bytes(Box::new(SchedAttr { size, ..attr }.to_bytes()));
    w.try_with(t, "sched_setattr", &[0, 0, 0], payload).map(|(v, _)| v)
}

fn getattr(w: &mut World, t: TaskId) -> SchedAttr {
    let args = [0, 0, 56, 0];
    match w.try_with(t, "sched_getattr", &args, Payload::None) {
        Ok((_, Out::Bytes(bytes))) => SchedAttr::from_bytes(&bytes),
        other => panic!("{other:?}"),
    }
}

fn dl(runtime: u64, deadline: u64, period: u64) -> SchedAttr {
    SchedAttr {
        sched_policy: SCHED_DEADLINE,
        sched_runtime: runtime,
        sched_deadline: deadline,
        sched_period: period,
        ..SchedAttr::default()
    }
}

#[test]
fn policies_and_priorities() {
    let mut w = testing::world();
    let t = w.fork(w.init);
    for (policy, max, min) in [(0, 0, 0), (1, 99, 1), (2, 99, 1), (3, 0, 0), (5, 0, 0), (6, 0, 0)] {
        assert_eq!(w.call(t, "sched_get_priority_max", &[policy]), max);
        assert_eq!(w.call(t, "sched_get_priority_min", &[policy]), min);
    }
    for policy in [u64::MAX, 4, 8] {
        assert_eq!(w.refused(t, "sched_get_priority_max", &[policy]), EINVAL);
    }
    assert_eq!(setscheduler(&mut w, t, u32::MAX, 0), Err(EINVAL));
    assert_eq!(setscheduler(&mut w, t, 4, 0), Err(EINVAL));
    assert_eq!(setscheduler(&mut w, t, SCHED_EXT, 0), Err(EINVAL));
    assert_eq!(w.refused(t, "sched_setscheduler", &[0, 0, 0]), EINVAL, "no param");
    assert_eq!(w.refused(t, "sched_setscheduler", &[0, 0, 8]), EFAULT);
    assert_eq!(w.refused(t, "sched_getscheduler", &[u64::MAX]), EINVAL);
    assert_eq!(w.refused(t, "sched_getscheduler", &[99_999]), ESRCH);
    assert_eq!(setscheduler(&mut w, t, SCHED_NORMAL, 1), Err(EINVAL));
    assert_eq!(setscheduler(&mut w, t, SCHED_FIFO, 1), Ok(0));
    assert_eq!(w.call(t, "sched_getscheduler", &[0]), 1);
    assert_eq!(w.sys.task(t).prio, 98);
    for wrong in [100, -1, 0] {
        assert_eq!(setscheduler(&mut w, t, SCHED_FIFO, wrong), Err(EINVAL));
    }
    assert_eq!(setscheduler(&mut w, t, SCHED_DEADLINE, 0), Err(EINVAL), "no parameters");
    assert_eq!(w.sys.task(t).timer_slack_ns, 0);
    assert_eq!(setscheduler(&mut w, t, SCHED_NORMAL, 0), Ok(0));
    assert_eq!(w.sys.task(t).timer_slack_ns, 50_000);
    let reset = SCHED_BATCH | SCHED_RESET_ON_FORK;
    assert_eq!(setscheduler(&mut w, t, reset, 0), Ok(0));
    assert_eq!(w.call(t, "sched_getscheduler", &[0]), i64::from(reset));
}

#[test]
fn attributes() {
    let mut w = testing::world();
    let t = w.fork(w.init);
    let plain = SchedAttr::default();
    for size in [1, 47, 5000] {
        assert_eq!(setattr(&mut w, t, SchedAttr { size, ..plain }), Err(E2BIG));
    }
    assert_eq!(setattr(&mut w, t, SchedAttr { size: 100, ..plain }), Ok(0));
    for (flags, result) in [
        (1, Ok(0)),
        (2, Ok(0)),
        (4, Ok(0)),
        (8, Ok(0)),
        (0x10, Ok(0)),
        (0x20, Err(EOPNOTSUPP)),
        (0x40, Err(EOPNOTSUPP)),
        (0x80, Err(EINVAL)),
        (0x200, Err(EINVAL)),
    ] {
        let attr = SchedAttr { sched_flags: flags, ..plain };
        assert_eq!(setattr(&mut w, t, attr), result, "{flags:#x}");
    }
    let short = SchedAttr { size: 48, sched_flags: 0x20, ..plain };
    assert_eq!(setattr(&mut w, t, short), Err(EINVAL));
    assert_eq!(setattr(&mut w, t, SchedAttr { sched_policy: u32::MAX, ..plain }), Err(EINVAL));
    assert_eq!(setattr(&mut w, t, SchedAttr { sched_nice: 100, ..plain }), Ok(0));
    assert_eq!(w.call(t, "getpriority", &[0, 0]), 1);
    for (asked, got) in [(3_000_000, 3_000_000), (1, 100_000), (0, 700_000)] {
        assert_eq!(setattr(&mut w, t, SchedAttr { sched_runtime: asked, ..plain }), Ok(0));
        assert_eq!(getattr(&mut w, t).sched_runtime, got);
    }
    for args in [[0, 0, 47, 0], [0, 0, 4097, 0], [0, 0, 56, 1], [0, 8, 56, 0]] {
        let e = if args[1] == 8 { EFAULT } else { EINVAL };
        assert_eq!(w.refused(t, "sched_getattr", &args), e, "{args:?}");
    }
}

#[test]
fn deadline_tasks_are_admitted_or_not() {
    let mut w = testing::world();
    let t = w.fork(w.init);
    let ms = 1_000_000;
    assert_eq!(setattr(&mut w, t, dl(10 * ms, 40 * ms, 30 * ms)), Err(EINVAL));
    assert_eq!(setattr(&mut w, t, dl(10 * ms, 30 * ms, 0)), Ok(0));
    assert_eq!(getattr(&mut w, t).sched_period, 30 * ms);
    assert_eq!(w.sys.task(t).prio, -1);
    // LINUX.md 43.
    assert_eq!(w.refused(t, "fork", &[]), EAGAIN);
    let other = w.fork(w.init);
    assert_eq!(setattr(&mut w, other, dl(60 * ms, 100 * ms, 0)), Err(EBUSY), "33 and 60 %");
    assert_eq!(setattr(&mut w, other, dl(50 * ms, 100 * ms, 0)), Ok(0));
    w.enter(other, "exit_group", &[0], Payload::None);
    let third = w.fork(w.init);
    assert_eq!(setattr(&mut w, third, dl(50 * ms, 100 * ms, 0)), Ok(0), "given back");
    let reset = SchedAttr { sched_flags: 1, ..dl(20 * ms, 100 * ms, 0) };
    assert_eq!(setattr(&mut w, third, reset), Ok(0));
    let child = w.fork(third);
    assert_eq!((w.sys.task(child).policy, w.sys.task(child).prio), (SCHED_NORMAL, 120));
    let reclaim = SchedAttr { sched_flags: 2, ..dl(20 * ms, 100 * ms, 0) };
    assert_eq!(setattr(&mut w, child, reclaim), Err(EOPNOTSUPP));
}

#[test]
fn deadline_tasks_run_everywhere() {
    let mut w = world(FairPolicy::Eevdf, 2);
    let t = w.fork(w.init);
    let one = || Payload::Bytes(Box::new([1, 0, 0, 0, 0, 0, 0, 0]));
    let affinity =
        |w: &mut World| w.try_with(t, "sched_setaffinity", &[0, 8, 0], one()).map(|(v, _)| v);
    assert_eq!(setattr(&mut w, t, dl(1_000_000, 30_000_000, 0)), Ok(0));
    assert_eq!(affinity(&mut w), Err(EBUSY));
    assert_eq!(setattr(&mut w, t, SchedAttr::default()), Ok(0));
    assert_eq!(affinity(&mut w), Ok(0));
    assert_eq!(setattr(&mut w, t, dl(1_000_000, 30_000_000, 0)), Err(EPERM));
}

/// LINUX.md 42, and what an ordinary user may do.
#[test]
fn privileges() {
    let mut w = testing::world();
    let t = w.fork(w.init);
    let user = w.fork(w.init);
    let both = |r: u32, n: u64| (r, Payload::Rlimit(Rlimit { cur: n, max: n }));
    for (r, limit) in [both(RLIMIT_NICE, 21), both(RLIMIT_RTPRIO, 3)] {
        w.try_with(user, "setrlimit", &[u64::from(r), 0], limit).unwrap();
    }
    for task in [t, user] {
        w.call(task, "setuid", &[1000]);
    }
    let nice = |n: i64| [0, 0, n as u64];
    assert_eq!(w.refused(t, "setpriority", &nice(-1)), EACCES);
    w.call(t, "setpriority", &nice(5));
    assert_eq!(w.refused(t, "setpriority", &nice(4)), EACCES);
    assert_eq!(w.call(t, "getpriority", &[0, 0]), 15);
    let init = w.pid(w.init);
    assert_eq!(w.refused(t, "setpriority", &[0, init, 19]), EPERM);
    assert_eq!(setscheduler(&mut w, t, SCHED_FIFO, 1), Err(EPERM));
    assert_eq!(setscheduler(&mut w, t, SCHED_BATCH, 0), Ok(0));
    // A nice value does not go with SCHED_IDLE, so it is not looked at.
    let idle = SchedAttr { sched_policy: SCHED_IDLE, sched_nice: -20, ..SchedAttr::default() };
    assert_eq!(setattr(&mut w, t, idle), Ok(0));
    assert_eq!(w.call(t, "getpriority", &[0, 0]), 15);
    assert_eq!(setscheduler(&mut w, t, SCHED_NORMAL, 0), Err(EPERM), "as from nice 20");
    // RLIMIT_NICE 21 is nice -1; RLIMIT_RTPRIO 3.
    w.call(user, "setpriority", &nice(-1));
    assert_eq!(w.refused(user, "setpriority", &nice(-2)), EACCES);
    assert_eq!(setscheduler(&mut w, user, SCHED_RR, 3), Ok(0));
    assert_eq!(setscheduler(&mut w, user, SCHED_RR, 4), Err(EPERM));
    assert_eq!(setscheduler(&mut w, user, SCHED_NORMAL | SCHED_RESET_ON_FORK, 0), Ok(0));
    assert_eq!(setscheduler(&mut w, user, SCHED_NORMAL, 0), Err(EPERM), "it stays");
    assert_eq!(setattr(&mut w, user, dl(1_000_000, 30_000_000, 0)), Err(EPERM));
}

#[test]
fn nice_of_groups_and_users() {
    let mut w = testing::world();
    let leader = w.fork(w.init);
    w.call(leader, "setpgid", &[0, 0]);
    let member = w.fork(leader);
    let thread = w.thread(member);
    w.call(w.init, "setpriority", &[1, w.pid(leader), 7]);
    for t in [leader, member, thread] {
        assert_eq!(w.sys.task(t).static_prio, 127);
    }
    // One thread of the process, not the process.
    w.call(w.init, "setpriority", &[0, w.pid(member), 3]);
    assert_eq!(w.sys.task(thread).static_prio, 127);
    assert_eq!(w.call(w.init, "getpriority", &[1, w.pid(leader)]), 17);
    w.call(member, "setuid", &[1000]);
    w.call(w.init, "setpriority", &[2, 1000, 9]);
    assert_eq!(w.sys.task(member).static_prio, 129);
    assert_eq!(w.sys.task(leader).static_prio, 127);
    for args in [[3, 0], [u64::MAX, 0]] {
        assert_eq!(w.refused(w.init, "getpriority", &args), EINVAL);
    }
    for args in [[0, 99_999], [1, 99_999], [2, 4242], [0, u64::MAX]] {
        assert_eq!(w.refused(w.init, "getpriority", &args), ESRCH);
        assert_eq!(w.refused(w.init, "setpriority", &[args[0], args[1], 0]), ESRCH);
    }
}
