//! Facts on setns by pidfd: which namespaces of which process may be entered.

use super::*;

/// What Linux says: target, situation of the caller, then `flags=result`.
const TABLE: &str = include_str!("setns.txt");

/// Target 0 has all namespaces but a user namespace of its own, 1 a user
/// namespace with uts and pid, 2 none.
const TARGETS: [u64; 3] = [0x6e02_0000, 0x3400_0000, 0];

/// Alone as root, alone as a user, with a thread, sharing the fs_struct,
/// sharing memory.
fn caller(w: &mut World, t: TaskId, situation: usize) {
    if situation == 1 {
        become_user(w, t, 1000);
    }
    let shared = [0, 0, 0x50f00, 0x200 | SIGCHLD, 0x100 | SIGCHLD][situation];
    if shared != 0 {
        w.clone_with(t, shared);
    }
}

#[test]
fn each_kind_of_namespace_is_entered_as_in_linux() {
    let mut wrong = Vec::new();
    for line in TABLE.lines() {
        let mut words = line.split(' ');
        let [target, situation] = [(); 2].map(|()| words.next().unwrap().parse::<usize>().unwrap());
        let (mut w, t) = world();
        let other = w.fork(t);
        w.ok(other, "unshare", &[TARGETS[target]]);
        let pid = w.pid(other) as u64;
        let fd = w.ok(t, "pidfd_open", &[pid, 0]) as u64;
        caller(&mut w, t, situation);
        for word in words {
            let (flags, want) = word.split_once('=').unwrap();
            let mut w = w.clone();
            let before = Census::of(&w.sys);
            let flags = u64::from_str_radix(flags, 16).unwrap();
            let got = match w.call(t, "setns", &[fd, flags]) {
                Ok(_) => 0,
                Err(e) => {
                    assert_eq!(Census::of(&w.sys), before, "{line}: {word}");
                    -(e as i32)
                }
            };
            if got != want.parse::<i32>().unwrap() {
                wrong.push(format!("target {target}, caller {situation}: {word}, not {got}"));
            }
        }
    }
    assert!(wrong.is_empty(), "Linux says\n{}", wrong.join("\n"));
}

#[test]
fn what_names_no_namespace_is_refused() {
    let (mut w, t) = world();
    assert_eq!(w.err(t, "setns", &[99, 0]), Errno::EBADF);
    w.ok(t, "pipe2", &[0, 0]);
    let Out::Fds(read, _) = w.out else { panic!("{:?}", w.out) };
    assert_eq!(w.err(t, "setns", &[read as u64, NEWPID]), Errno::EINVAL);
    let child = w.fork(t);
    let pid = w.pid(child) as u64;
    let fd = w.ok(t, "pidfd_open", &[pid, 0]) as u64;
    w.exit(child, 0);
    assert_eq!(w.err(t, "setns", &[fd, 0]), Errno::EINVAL);
    assert_eq!(w.err(t, "setns", &[fd, NEWPID]), Errno::ESRCH);
    w.wait4(t, -1, 0).unwrap();
    assert_eq!(w.err(t, "setns", &[fd, NEWPID]), Errno::ESRCH);
}

#[test]
fn children_go_down_into_a_pid_namespace_and_never_up() {
    let (mut w, t) = world();
    let own = w.pid(t) as u64;
    let up = w.ok(t, "pidfd_open", &[own, 0]) as u64;
    w.ok(t, "unshare", &[NEWPID]);
    let inner = w.fork(t);
    assert_eq!(w.err(inner, "setns", &[up, NEWPID]), Errno::EINVAL);
    // Back to where the task itself is: a change that is taken back.
    w.ok(t, "setns", &[up, NEWPID]);
    let outside = w.fork(t);
    assert_eq!(w.ok(outside, "getpid", &[]), i64::from(w.tgid(outside)));
    // And in again, beside its init.
    let pid = w.pid(inner) as u64;
    let down = w.ok(t, "pidfd_open", &[pid, 0]) as u64;
    w.ok(t, "setns", &[down, NEWPID]);
    let guest = w.fork(t);
    assert_eq!(w.ok(guest, "getpid", &[]), 2);
    assert_eq!(w.ok(guest, "getppid", &[]), 0);
}
