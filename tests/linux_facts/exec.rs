//! Facts on exec, threads and delayed leaders.

use super::*;

#[test]
fn fact_19_a_thread_that_execs_becomes_the_process() {
    let (mut w, leader) = world();
    let init = w.init;
    let pid = w.pid(leader);
    let thread = w.thread(leader);
    let other = w.thread(leader);
    execve(&mut w, thread, "/bin/true").unwrap();
    assert!(!w.exists(other));
    let task = if w.exists(thread) { thread } else { leader };
    assert_eq!((w.pid(task), w.tgid(task)), (pid, pid));
    assert_eq!(w.ok(task, "gettid", &[]), i64::from(pid));
    assert_eq!(w.wait4(init, -1, WNOHANG), Ok((0, 0)));
}

#[test]
fn fact_20_a_failed_exec_in_a_thread_harms_nobody() {
    let (mut w, leader) = world();
    let thread = w.thread(leader);
    let other = w.thread(leader);
    assert_eq!(execve(&mut w, thread, "/no/such"), Err(Errno::ENOENT));
    for t in [leader, thread, other] {
        w.ok(t, "gettid", &[]);
    }
}

#[test]
fn fact_21_what_exec_keeps_and_clears() {
    let (mut w, t) = world();
    block(&mut w, t, 10);
    let own = i64::from(w.pid(t));
    w.kill(t, own, 10).unwrap();
    sigaction(&mut w, t, 12, SIG_IGN, SaFlags::empty());
    sigaction(&mut w, t, 15, HANDLER, SaFlags::empty());
    let stack = w.map(t, 0x4000);
    w.value(t, "sigaltstack", &[0, 0], Payload::AltStack(stack, 0, 0x4000)).unwrap();
    w.ok(t, "prctl", &[36, 1, 0, 0, 0]);
    w.ok(t, "prctl", &[8, 1, 0, 0, 0]);
    w.ok(t, "prctl", &[1, 1, 0, 0, 0]);
    execve(&mut w, t, "/bin/true").unwrap();
    assert!(pending(&mut w, t).contains(Signal::SIGUSR1));
    assert!(w.sys.task(t).blocked.contains(Signal::SIGUSR1));
    assert_eq!(disposition(&mut w, t, 12), SIG_IGN);
    assert_eq!(disposition(&mut w, t, 15), SIG_DFL);
    assert_eq!(w.sys.task(t).sas_ss_size, 0);
    assert!(w.sys.signal(t).is_child_subreaper);
    assert_eq!(w.ok(t, "prctl", &[7, 0, 0, 0, 0]), 0);
    assert_eq!(w.sys.task(t).pdeath_signal, 1);
    // A set-user-ID program's parent must not signal it.
    let user = w.fork(t);
    become_user(&mut w, user, 1000);
    w.ok(user, "prctl", &[1, 1, 0, 0, 0]);
    execve(&mut w, user, "/bin/su").unwrap();
    assert_eq!(w.ok(user, "geteuid", &[]), 0);
    assert_eq!(w.sys.task(user).pdeath_signal, 0);
}

#[test]
fn fact_22_a_leader_that_exits_first_waits_as_a_zombie() {
    let (mut w, parent) = world();
    sigaction(&mut w, parent, SIGCHLD, HANDLER, SaFlags::empty());
    let leader = w.fork(parent);
    let thread = w.thread(leader);
    let pid = i64::from(w.pid(leader));
    w.exit(leader, 3);
    assert_eq!(w.wait4(parent, pid, WNOHANG), Ok((0, 0)));
    assert_eq!(w.state(leader), 'Z');
    assert_eq!(w.sys.signal(leader).nr_threads, 2);
    assert_ne!(w.sys.task(parent).regs.ip, HANDLER);
    w.exit(thread, 9);
    assert_eq!(w.sys.task(parent).regs.ip, HANDLER);
    assert_eq!(w.wait4(parent, pid, WNOHANG), Ok((pid, 0x900)));
}

#[test]
fn fact_23_the_id_of_a_thread_as_a_pid() {
    let (mut w, parent) = world();
    let leader = w.fork(parent);
    let thread = w.thread(leader);
    let tid = i64::from(w.pid(thread));
    assert_eq!(w.wait4(parent, tid, 0), Err(Errno::ECHILD));
    assert_eq!(w.err(parent, "setpgid", &[tid as u64, 0]), Errno::EINVAL);
    w.kill(parent, tid, 15).unwrap();
    assert_eq!(status(&mut w, parent, leader), 15);
    assert!(!w.exists(thread));
}
