//! Facts on making tasks: clone, clone3 and vfork.

use super::*;

#[test]
fn fact_01_an_exit_signal_acts_on_the_parent() {
    for (signal, code) in [(64, 64), (9, 9)] {
        let (mut w, parent) = world();
        let child = clone3(&mut w, parent, 0, signal).unwrap();
        w.exit(child, 0);
        assert_eq!(w.state(parent), 'Z');
        let init = w.init;
        assert_eq!(status(&mut w, init, parent), code);
    }
}

#[test]
fn fact_02_legacy_clone_takes_any_exit_signal() {
    let (mut w, t) = world();
    for signal in [100, 255] {
        let child = w.clone_with(t, signal);
        // It is never sent, for there is no such signal.
        w.exit(child, 0);
        assert_eq!(status(&mut w, t, child), 0);
    }
    for signal in [65, 0x100, u64::MAX] {
        assert_eq!(clone3(&mut w, t, 0, signal), Err(Errno::EINVAL));
    }
    assert!(clone3(&mut w, t, 0, 64).is_ok());
}

#[test]
fn fact_03_einval_before_eperm_before_einval() {
    let (mut w, root) = world();
    let user = w.fork(root);
    become_user(&mut w, user, 1000);
    assert_eq!(w.err(user, "clone", &[0x2_0200, 0, 0, 0, 0]), Errno::EINVAL);
    assert_eq!(w.err(user, "clone", &[0x804_0000, 0, 0, 0, 0]), Errno::EPERM);
    assert_eq!(w.err(root, "clone", &[0x804_0000, 0, 0, 0, 0]), Errno::EINVAL);
}

#[test]
fn fact_04_the_low_byte_is_newtime_or_a_signal() {
    let (mut w, t) = world();
    let child = clone3(&mut w, t, 0x80, SIGCHLD).unwrap();
    let ns = |w: &World, t| w.sys.kernel.nsproxies[w.sys.task(t).nsproxy.unwrap()].time_ns;
    assert_ne!(ns(&w, child), ns(&w, t));
    for bit in 0..7 {
        assert_eq!(clone3(&mut w, t, 1 << bit, SIGCHLD), Err(Errno::EINVAL));
    }
    let child = w.clone_with(t, 0x80);
    assert_eq!(w.sys.task(child).exit_signal, 0x80);
    assert_eq!(ns(&w, child), ns(&w, t));
}

#[test]
fn fact_05_set_tid_is_checked_in_order() {
    let (mut w, t) = world();
    let with = |set_tid: &[i32], flags| CloneArgs {
        flags,
        exit_signal: SIGCHLD,
        set_tid: set_tid.to_vec(),
        ..CloneArgs::default()
    };
    let own = w.pid(t);
    assert_eq!(clone3_args(&mut w, t, with(&[own], 0)), Err(Errno::EEXIST));
    for nr in [0, -1, 0x8000] {
        assert_eq!(clone3_args(&mut w, t, with(&[nr], 0)), Err(Errno::EINVAL));
    }
    let child = clone3_args(&mut w, t, with(&[777], 0)).unwrap();
    assert_eq!(w.pid(child), 777);
    // Numbers are innermost first; the first of a namespace is its init.
    assert_eq!(clone3_args(&mut w, t, with(&[2, 900], NEWPID)), Err(Errno::EINVAL));
    let inner = clone3_args(&mut w, t, with(&[1, 900], NEWPID)).unwrap();
    assert_eq!((w.pid(inner), w.ok(inner, "getpid", &[])), (900, 1));
    assert_eq!(clone3_args(&mut w, t, with(&[1, 2], 0)), Err(Errno::EINVAL));
    let user = w.fork(t);
    become_user(&mut w, user, 1000);
    assert_eq!(clone3_args(&mut w, user, with(&[500], 0)), Err(Errno::EPERM));
    assert_eq!(clone3_args(&mut w, user, with(&[0], 0)), Err(Errno::EINVAL));
}

#[test]
fn fact_06_handlers_are_shared_or_cleared() {
    let (mut w, t) = world();
    assert_eq!(clone3(&mut w, t, 0x1_0000_0900, SIGCHLD), Err(Errno::EINVAL));
    sigaction(&mut w, t, 10, HANDLER, SaFlags::empty());
    sigaction(&mut w, t, 12, SIG_IGN, SaFlags::empty());
    let child = clone3(&mut w, t, 0x1_0000_0000, SIGCHLD).unwrap();
    assert_eq!(disposition(&mut w, child, 10), SIG_DFL);
    assert_eq!(disposition(&mut w, child, 12), SIG_IGN);
    assert_eq!(disposition(&mut w, t, 10), HANDLER);
}

#[test]
fn fact_07_into_cgroup_wants_a_cgroup() {
    let (mut w, t) = world();
    let args = |cgroup| CloneArgs {
        flags: 0x2_0000_0000,
        exit_signal: SIGCHLD,
        cgroup,
        ..CloneArgs::default()
    };
    assert_eq!(clone3_args(&mut w, t, args(99)), Err(Errno::EBADF));
    assert_eq!(clone3_args(&mut w, t, args(0)), Err(Errno::EBADF));
}

#[test]
fn fact_09_bad_tls_and_pidfd_pointers() {
    let (mut w, t) = world();
    let tls = 0x8000_0000_0000_0000u64;
    assert_eq!(w.err(t, "clone", &[0x8_0011, 0, 0, 0, tls]), Errno::EPERM);
    assert_eq!(w.err(t, "clone", &[0x1011, 0, 0x10, 0, 0]), Errno::EFAULT);
}

#[test]
fn fact_10_a_sibling_takes_the_leaders_exit_signal() {
    let (mut w, a) = world();
    let b = w.clone_with(a, 12);
    let thread = w.thread(b);
    let sibling = w.clone_with(thread, 0x8000 | 10);
    assert_eq!(w.sys.task(sibling).real_parent, a);
    assert_eq!(w.sys.task(sibling).exit_signal, 12);
}

#[test]
fn fact_11_nproc_counts_tasks_of_a_user() {
    let (mut w, root) = world();
    let user = w.fork(root);
    become_user(&mut w, user, 1000);
    let limit = Payload::Rlimit(Rlimit { cur: 3, max: 3 });
    w.value(user, "setrlimit", &[6, 0], limit.clone()).unwrap();
    let first = w.fork(user);
    w.thread(user);
    assert_eq!(w.err(user, "fork", &[]), Errno::EAGAIN);
    // A zombie counts until it is reaped.
    w.exit(first, 0);
    assert_eq!(w.err(user, "fork", &[]), Errno::EAGAIN);
    w.wait4(user, -1, 0).unwrap();
    w.fork(user);
    // Uid 0 is exempt.
    w.value(root, "setrlimit", &[6, 0], limit).unwrap();
    for _ in 0..5 {
        w.fork(root);
    }
}

// ---- vfork -----------------------------------------------------------------

#[test]
fn fact_12_signals_for_the_parent_of_a_vfork() {
    let (mut w, parent) = world();
    let init = w.init;
    sigaction(&mut w, parent, 10, HANDLER, SaFlags::empty());
    let child = w.vfork(parent);
    assert_eq!(w.state(parent), 'D');
    let pid = i64::from(w.pid(parent));
    w.kill(init, pid, 10).unwrap();
    assert_eq!(w.state(parent), 'D');
    w.exit(child, 0);
    assert_eq!(w.finished(parent), Ok(i64::from(w.pid(child))));
    assert_eq!(w.sys.task(parent).regs.ip, HANDLER);
    // A fatal one kills at once, and the child lives on.
    let child = w.vfork(parent);
    w.kill(init, pid, 15).unwrap();
    assert_eq!(w.state(parent), 'Z');
    w.ok(child, "getpid", &[]);
    assert_eq!(w.ok(child, "getppid", &[]), 1);
}

#[test]
fn fact_13_what_releases_the_parent_of_a_vfork() {
    let (mut w, parent) = world();
    let init = w.init;
    let thread = w.thread(parent);
    let child = w.vfork(parent);
    assert_eq!(execve(&mut w, child, "/no/such"), Err(Errno::ENOENT));
    assert_eq!(w.state(parent), 'D');
    w.ok(thread, "getpid", &[]);
    let pid = i64::from(w.pid(child));
    w.kill(init, pid, 9).unwrap();
    assert_eq!(w.finished(parent), Ok(pid));
    assert_eq!(status(&mut w, parent, child), 9);
    let child = w.vfork(parent);
    execve(&mut w, child, "/bin/true").unwrap();
    assert_eq!(w.finished(parent), Ok(i64::from(w.pid(child))));
}
