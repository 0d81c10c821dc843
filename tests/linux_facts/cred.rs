//! Facts on credentials and signals.

use super::*;

#[test]
fn fact_35_setreuid_does_not_take_the_saved_uid() {
    let (mut w, t) = world();
    w.ok(t, "setresuid", &[1000, 1000, 1001]);
    assert_eq!(w.err(t, "setreuid", &[1001, ANY]), Errno::EPERM);
    w.ok(t, "setresuid", &[1001, ANY, ANY]);
}

#[test]
fn fact_36_setfsuid_tells_the_old_one_in_any_case() {
    let (mut w, t) = world();
    become_user(&mut w, t, 1000);
    assert_eq!(w.ok(t, "setfsuid", &[0]), 1000);
    assert_eq!(w.ok(t, "setfsuid", &[ANY]), 1000);
    assert_eq!(w.sys.cred(t).fsuid, 1000);
}

#[test]
fn fact_37_capabilities_after_exec_follow_both_uids() {
    let (mut w, root) = world();
    let t = w.fork(root);
    w.ok(t, "setresuid", &[0, 1000, 1000]);
    execve(&mut w, t, "/bin/true").unwrap();
    let c = w.sys.cred(t);
    assert_eq!((c.cap_permitted, c.cap_effective), (CapSet::FULL, CapSet::EMPTY));
    let t = w.fork(root);
    w.ok(t, "setresuid", &[1000, 0, 0]);
    execve(&mut w, t, "/bin/true").unwrap();
    let c = w.sys.cred(t);
    assert_eq!((c.cap_permitted, c.cap_effective), (CapSet::FULL, CapSet::FULL));
    assert_eq!(w.ok(t, "prctl", &[3, 0, 0, 0, 0]), 0);
}

#[test]
fn fact_38_no_gain_while_the_root_directory_is_shared() {
    let (mut w, root) = world();
    let user = w.fork(root);
    become_user(&mut w, user, 1000);
    let sharer = w.clone_with(user, 0x200 | SIGCHLD);
    execve(&mut w, sharer, "/bin/su").unwrap();
    assert_eq!(w.ok(sharer, "geteuid", &[]), 1000);
    let alone = w.fork(user);
    execve(&mut w, alone, "/bin/su").unwrap();
    assert_eq!(w.ok(alone, "geteuid", &[]), 0);
}

#[test]
fn fact_39_capset_is_for_oneself() {
    let (mut w, t) = world();
    let child = w.fork(t);
    let pid = w.pid(child) as u64;
    let header = w.map(t, 0x1000);
    w.store(t, header, 0x2008_0522 | pid << 32).unwrap();
    assert_eq!(w.err(t, "capset", &[header, header + 64]), Errno::EPERM);
    // The sets are not even read.
    assert_eq!(w.err(t, "capset", &[header, 8]), Errno::EPERM);
    assert!(w.sys.cred(t).cap_effective.contains(Cap::CAP_SETPCAP));
}

// ---- signals ---------------------------------------------------------------

#[test]
fn fact_40_existence_comes_before_the_number() {
    let (mut w, t) = world();
    assert_eq!(w.kill(t, 4000, 65), Err(Errno::ESRCH));
    let own = i64::from(w.pid(t));
    assert_eq!(w.kill(t, own, 65), Err(Errno::EINVAL));
    let target = w.fork(t);
    let user = w.fork(t);
    become_user(&mut w, user, 1000);
    let pid = i64::from(w.pid(target));
    w.ok(target, "setresuid", &[0, 1000, 0]);
    assert_eq!(w.kill(user, pid, 0), Err(Errno::EPERM));
    w.ok(target, "setresuid", &[ANY, 0, ANY]);
    w.ok(target, "setresuid", &[0, 0, 1000]);
    assert_eq!(w.kill(user, pid, 0), Ok(0));
}

#[test]
fn fact_41_blocked_and_ignored() {
    let (mut w, t) = world();
    let child = w.fork(t);
    let pid = i64::from(w.pid(child));
    block(&mut w, child, 10);
    sigaction(&mut w, child, 10, SIG_IGN, SaFlags::empty());
    w.kill(t, pid, 10).unwrap();
    assert!(pending(&mut w, child).contains(Signal::SIGUSR1));
    sigaction(&mut w, child, 10, SIG_IGN, SaFlags::empty());
    assert!(pending(&mut w, child).is_empty());
    // SIGCONT acts when it is sent.
    block(&mut w, child, 18);
    sigaction(&mut w, child, 18, SIG_IGN, SaFlags::empty());
    w.kill(t, pid, 19).unwrap();
    assert_eq!(w.state(child), 'T');
    w.kill(t, pid, 18).unwrap();
    assert_eq!(w.state(child), 'R');
    // A fault cannot be put off.
    for ignore in [true, false] {
        let child = w.fork(t);
        if ignore {
            sigaction(&mut w, child, 11, SIG_IGN, SaFlags::empty());
        } else {
            block(&mut w, child, 11);
        }
        assert!(w.load(child, 0).unwrap_err().killed);
        assert_eq!(status(&mut w, t, child), 11);
    }
}
