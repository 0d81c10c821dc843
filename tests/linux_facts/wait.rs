//! Facts on the wait family.

use super::*;

#[test]
fn fact_24_other_exit_signals_want_wclone() {
    let (mut w, t) = world();
    let child = w.clone_with(t, 0);
    w.exit(child, 1);
    assert_eq!(w.wait4(t, -1, 0), Err(Errno::ECHILD));
    assert_eq!(w.wait4(t, -1, WCLONE).unwrap().1, 0x100);
    let child = w.clone_with(t, 0);
    w.exit(child, 2);
    assert_eq!(w.wait4(t, -1, WALL).unwrap().1, 0x200);
    // exec makes it an ordinary child.
    let child = w.clone_with(t, 0);
    execve(&mut w, child, "/bin/true").unwrap();
    w.exit(child, 3);
    assert_eq!(w.wait4(t, -1, 0).unwrap().1, 0x300);
}

#[test]
fn fact_25_who_ignores_sigchld_has_no_zombies() {
    let (mut w, t) = world();
    let (a, b, old) = (w.fork(t), w.fork(t), w.fork(t));
    w.exit(old, 1);
    sigaction(&mut w, t, SIGCHLD, SIG_IGN, SaFlags::empty());
    // One that was there before stays.
    assert_eq!(w.state(old), 'Z');
    let pid = i64::from(w.pid(old));
    assert_eq!(w.wait4(t, -1, 0), Ok((pid, 0x100)));
    w.sleeps(t, "wait4", &[ANY, 0, 0, 0]);
    w.exit(a, 1);
    assert!(!w.exists(a));
    assert_eq!(w.state(t), 'S');
    w.exit(b, 1);
    assert_eq!(w.finished(t), Err(Errno::ECHILD));
    // SA_NOCLDWAIT: no zombie, but the signal.
    sigaction(&mut w, t, SIGCHLD, HANDLER, SaFlags::SA_NOCLDWAIT);
    let c = w.fork(t);
    w.exit(c, 1);
    assert!(!w.exists(c));
    assert_eq!(w.sys.task(t).regs.ip, HANDLER);
}

#[test]
fn a_refused_waitid_clears_its_siginfo() {
    let (mut w, t) = world();
    let info = w.map(t, 0x1000);
    // idtype unknown, no options, no child: EINVAL, EINVAL, ECHILD.
    for [idtype, options] in [[77, WEXITED], [0, 0], [0, WEXITED]] {
        w.store(t, info, u64::MAX).unwrap();
        w.store(t, info + 16, u64::MAX).unwrap();
        assert!(w.call(t, "waitid", &[idtype, 0, info, options, 0]).is_err());
        assert_eq!(w.load(t, info), Ok(0), "si_signo, si_errno");
        assert_eq!(w.load(t, info + 16), Ok(0), "si_pid, si_uid");
        // A bad address is the error that remains.
        assert_eq!(w.err(t, "waitid", &[idtype, 0, 8, options, 0]), Errno::EFAULT);
    }
}

#[test]
fn fact_26_waitid_is_precise() {
    let (mut w, t) = world();
    let child = w.fork(t);
    let pid = w.pid(child) as u64;
    w.exit(child, 0);
    let stopped = WUNTRACED | WNOHANG;
    assert_eq!(w.err(t, "waitid", &[1, pid, 0, stopped, 0]), Errno::ECHILD);
    assert_eq!(w.err(t, "waitid", &[1, pid, 0, WNOHANG, 0]), Errno::EINVAL);
    assert_eq!(w.err(t, "waitid", &[1, 0, 0, WEXITED, 0]), Errno::EINVAL);
    assert_eq!(w.err(t, "wait4", &[i64::from(i32::MIN) as u64, 0, 0, 0]), Errno::ESRCH);
    assert_eq!(w.ok(t, "waitid", &[2, 0, 0, WEXITED, 0]), 0);
    assert_eq!(w.waited().unwrap().pid as u64, pid);
}

#[test]
fn fact_27_a_continue_replaces_a_stop() {
    let (mut w, t) = world();
    let child = w.fork(t);
    let pid = i64::from(w.pid(child));
    let options = WNOHANG | WUNTRACED | WCONTINUED;
    w.kill(t, pid, 19).unwrap();
    assert_eq!(w.state(child), 'T');
    w.kill(t, pid, 18).unwrap();
    assert_eq!(w.wait4(t, pid, options), Ok((pid, 0xffff)));
    assert_eq!(w.wait4(t, pid, options), Ok((0, 0)));
    w.kill(t, pid, 18).unwrap();
    assert_eq!(w.wait4(t, pid, options), Ok((0, 0)));
    w.kill(t, pid, 19).unwrap();
    assert_eq!(w.wait4(t, pid, options), Ok((pid, 0x137f)));
}

#[test]
fn fact_28_a_nonblocking_pidfd_does_not_wait() {
    let (mut w, t) = world();
    let child = w.fork(t);
    let pid = w.pid(child) as u64;
    let fd = w.ok(t, "pidfd_open", &[pid, 0o4000]) as u64;
    assert_eq!(w.err(t, "waitid", &[3, fd, 0, WEXITED, 0]), Errno::EAGAIN);
    w.exit(child, 5);
    assert_eq!(w.ok(t, "waitid", &[3, fd, 0, WEXITED, 0]), 0);
    assert_eq!(w.waited().unwrap().si_status, 5);
}
