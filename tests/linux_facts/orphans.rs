//! Facts on orphans, pids and namespaces.

use super::*;

#[test]
fn fact_29_the_parent_that_dies_is_a_thread() {
    let (mut w, leader) = world();
    let thread = w.thread(leader);
    let child = w.fork(thread);
    sigaction(&mut w, child, 10, HANDLER, SaFlags::empty());
    w.ok(child, "prctl", &[1, 10, 0, 0, 0]);
    let parent = w.ok(child, "getppid", &[]);
    w.exit(thread, 0);
    assert_eq!(w.sys.task(child).regs.ip, HANDLER);
    assert_eq!(w.ok(child, "getppid", &[]), parent);
    assert_eq!(w.sys.task(child).real_parent, leader);
}

#[test]
fn fact_30_pids_wrap_around_to_300() {
    let (mut w, t) = world();
    let ns = w.sys.kernel.init_pid_ns;
    w.sys.kernel.pid_namespaces[ns].pid_max = 1000;
    let mut last = w.pid(t);
    loop {
        let child = w.fork(t);
        let pid = w.pid(child);
        w.exit(child, 0);
        w.wait4(t, -1, 0).unwrap();
        if pid < last {
            assert_eq!((last, pid), (999, 300));
            break;
        }
        last = pid;
    }
    // Exhausted: all of 300 to 309 are taken.
    w.sys.kernel.pid_namespaces[ns].pid_max = 310;
    for _ in 300..310 {
        w.fork(t);
    }
    assert_eq!(w.err(t, "fork", &[]), Errno::EAGAIN);
}

#[test]
fn fact_31_namespaces_nest_32_deep() {
    let (mut w, t) = world();
    let mut inner = t;
    for _ in 0..32 {
        inner = w.clone_with(inner, NEWPID | SIGCHLD);
    }
    assert_eq!(w.err(inner, "clone", &[NEWPID | SIGCHLD, 0, 0, 0, 0]), Errno::ENOSPC);
    let own = w.sys.task(inner).thread_pid.unwrap();
    assert_eq!(w.sys.kernel.pids[own].numbers.len(), 33);
}

#[test]
fn fact_32_only_outsiders_and_itself_kill_an_init() {
    let (mut w, t) = world();
    let ns_init = w.clone_with(t, NEWPID | SIGCHLD);
    let inside = w.fork(ns_init);
    for sig in [9, 15, 19] {
        w.kill(inside, 1, sig).unwrap();
        w.signal_inside(ns_init, sig);
        assert_eq!(w.state(ns_init), 'R');
    }
    let pid = i64::from(w.pid(ns_init));
    w.kill(t, pid, 19).unwrap();
    assert_eq!(w.state(ns_init), 'T');
    w.kill(t, pid, 18).unwrap();
    w.kill(t, pid, 9).unwrap();
    // All that live in it die with it.
    assert!(!w.exists(inside));
    assert_eq!(status(&mut w, t, ns_init), 9);
    let ns_init = w.clone_with(t, NEWPID | SIGCHLD);
    assert!(w.load(ns_init, 0).unwrap_err().killed);
    assert_eq!(status(&mut w, t, ns_init), 11);
}

#[test]
fn fact_33_an_init_sees_no_parent_group_or_session() {
    let (mut w, t) = world();
    let ns_init = w.clone_with(t, NEWPID | SIGCHLD);
    for call in ["getppid", "getpgrp"] {
        assert_eq!(w.ok(ns_init, call, &[]), 0);
    }
    assert_eq!(w.ok(ns_init, "getsid", &[0]), 0);
    assert_eq!(w.ok(ns_init, "getpid", &[]), 1);
}

#[test]
fn a_namespace_leaves_nothing_when_its_init_is_killed() {
    let (mut w, t) = world();
    let warm = w.clone_with(t, NEWPID | SIGCHLD);
    w.exit(warm, 0);
    status(&mut w, t, warm);
    let before = Census::of(&w.sys);
    let ns_init = w.clone_with(t, NEWPID | SIGCHLD);
    w.thread(ns_init);
    let parent = w.fork(ns_init);
    let zombie = w.fork(parent);
    let deeper = w.clone_with(parent, NEWPID | SIGCHLD);
    let sleeper = w.fork(deeper);
    w.ok(parent, "setsid", &[]);
    w.exit(zombie, 0);
    w.sleeps(sleeper, "pause", &[]);
    w.vfork(parent);
    let pid = i64::from(w.pid(ns_init));
    w.kill(t, pid, 9).unwrap();
    assert!([parent, zombie, deeper, sleeper].iter().all(|p| !w.exists(*p)));
    assert_eq!(status(&mut w, t, ns_init), 9);
    assert_eq!(Census::of(&w.sys), before);
}

#[test]
fn kthreadd_stays_in_group_and_session_0() {
    let (mut w, t) = world();
    assert_eq!(w.ok(t, "getpgid", &[2]), 0);
    assert_eq!(w.ok(t, "getsid", &[2]), 0);
    // An init makes a session of its own, as every real one does.
    assert_eq!((w.ok(t, "getpgid", &[1]), w.ok(t, "getsid", &[1])), (1, 1));
}

#[test]
fn a_stopped_orphan_of_a_killed_parent_is_reported_to_init() {
    let (mut w, a) = world();
    let v = w.fork(a);
    let child = w.fork(v);
    w.ok(child, "setpgid", &[0, 0]);
    w.thread(child);
    let (pid, parent) = (i64::from(w.pid(child)), i64::from(w.pid(v)));
    w.kill(a, pid, 20).unwrap();
    assert_eq!(w.state(child), 'T');
    w.kill(a, parent, 9).unwrap();
    let init = w.init;
    assert_eq!(w.wait4(init, pid, 0), Ok((pid, 1)), "killed by HUP");
}

#[test]
fn fact_34_a_group_newly_orphaned() {
    for stop in [true, false] {
        let (mut w, shell) = world();
        w.ok(shell, "setsid", &[]);
        let job = w.fork(shell);
        w.ok(job, "setpgid", &[0, 0]);
        let member = w.fork(job);
        let pid = i64::from(w.pid(member));
        if stop {
            w.kill(shell, pid, 19).unwrap();
        }
        // Its only link to the rest of the session goes.
        w.exit(job, 0);
        w.exit(shell, 0);
        if stop {
            assert!(w.sys.task(member).is_dead(), "HUP, then CONT");
            let init = w.init;
            assert_eq!(status(&mut w, init, member), 1);
        } else {
            assert_eq!(w.state(member), 'R');
            for sig in [20, 21, 22] {
                w.kill(member, pid, sig).unwrap();
                assert_eq!(w.state(member), 'R');
            }
        }
    }
}
