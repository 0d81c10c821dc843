//! Facts on nice values and policies.

use super::*;
use forkyard::abi::structs::SchedAttr;
use forkyard::kernel::syscalls::Payload;

const DEADLINE: u32 = 6;

#[test]
fn fact_42_a_user_may_be_nicer_and_no_less_nice() {
    let (mut w, root) = world();
    let t = w.fork(root);
    let thread = w.thread(t);
    become_user(&mut w, t, 1000);
    let nice = |n: i64| [0, 0, n as u64];
    // nice(3) makes EPERM of it; so do scripts (sched/permissions).
    assert_eq!(w.err(t, "setpriority", &nice(-1)), Errno::EACCES);
    w.ok(t, "setpriority", &nice(3));
    assert_eq!(w.ok(t, "getpriority", &[0, 0]), 17);
    assert_eq!(w.ok(root, "getpriority", &[0, w.pid(thread) as u64]), 20, "one thread only");
}

#[test]
fn fact_43_a_deadline_task_does_not_fork() {
    let (mut w, t) = world();
    let mut attr = SchedAttr {
        size: 48,
        sched_policy: DEADLINE,
        sched_runtime: 1_000_000,
        sched_deadline: 30_000_000,
        ..SchedAttr::default()
    };
    let bytes = |a: &SchedAttr| Payload::Bytes(Box::new(a.to_bytes()));
    assert_eq!(w.value(t, "sched_setattr", &[0, 0, 0], bytes(&attr)), Ok(0));
    assert_eq!(w.err(t, "fork", &[]), Errno::EAGAIN);
    attr.sched_flags = 1;
    assert_eq!(w.value(t, "sched_setattr", &[0, 0, 0], bytes(&attr)), Ok(0));
    let child = w.fork(t);
    assert_eq!(w.ok(child, "sched_getscheduler", &[0]), 0);
}
