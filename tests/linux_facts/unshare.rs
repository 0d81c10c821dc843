//! Facts on unshare: every flag and every pair of flags, in six situations.

use super::*;

/// What Linux says to each pair of [`FLAGS`]: `.` yes, `E` EINVAL, `P` EPERM.
/// A line is a situation, a word in it the pairs of one flag with itself and
/// the later ones.
const TABLE: &str = include_str!("unshare.txt");

const FLAGS: [u64; 22] = [
    0x80,
    0x100,
    0x200,
    0x400,
    0x800,
    0x10000,
    0x20000,
    0x40000,
    0x200_0000,
    0x400_0000,
    0x800_0000,
    0x1000_0000,
    0x2000_0000,
    0x4000_0000,
    0x4000,
    1,
    0x8000,
    0x80000,
    0x100_0000,
    0x8000_0000,
    0x1_0000_0000,
    0,
];

/// Alone as root, alone as a user, with a thread, sharing memory, sharing the
/// fs_struct, sharing memory and handlers.
fn situation(n: usize) -> (World, TaskId) {
    let (mut w, t) = world();
    if n == 1 {
        become_user(&mut w, t, 1000);
    }
    let shared = [0, 0, 0x50f00, 0x100 | SIGCHLD, 0x200 | SIGCHLD, 0x900 | SIGCHLD][n];
    if shared != 0 {
        w.clone_with(t, shared);
    }
    (w, t)
}

#[test]
fn every_pair_of_flags_is_answered_as_linux_does() {
    let mut wrong = Vec::new();
    for (n, line) in TABLE.lines().enumerate() {
        let (world, t) = situation(n);
        for (i, answers) in line.split(' ').skip(1).enumerate() {
            for (j, want) in answers.chars().enumerate() {
                let flags = FLAGS[i] | FLAGS[i + j];
                let mut w = world.clone();
                let got = match w.call(t, "unshare", &[flags]) {
                    Ok(_) => '.',
                    Err(Errno::EINVAL) => 'E',
                    Err(Errno::EPERM) => 'P',
                    Err(e) => panic!("{flags:#x}: {e:?}"),
                };
                if got != want {
                    wrong.push(format!("situation {n}, {flags:#x}: {want}, not {got}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "Linux says\n{}", wrong.join("\n"));
}

#[test]
fn what_was_shared_is_copied() {
    let (mut w, t) = world();
    let sharer = w.clone_with(t, 0x600 | SIGCHLD);
    w.ok(t, "unshare", &[0x600]);
    let (a, b) = (w.sys.task(t), w.sys.task(sharer));
    assert!(a.fs != b.fs && a.files != b.files);
    assert_eq!(w.sys.kernel.fs[a.fs.unwrap()].users, 1);
    assert_eq!(w.sys.kernel.files[b.files.unwrap()].count, 1);
    w.ok(t, "umask", &[0o77]);
    assert_eq!(w.ok(sharer, "umask", &[0]), 0o22);
}

#[test]
fn fact_31_a_new_pid_namespace_is_for_the_children() {
    let (mut w, t) = world();
    let pid = w.ok(t, "getpid", &[]);
    w.ok(t, "unshare", &[NEWPID]);
    assert_eq!(w.ok(t, "getpid", &[]), pid);
    assert_eq!(w.err(t, "unshare", &[NEWPID]), Errno::EINVAL);
    // CLONE_VM | CLONE_SIGHAND | CLONE_THREAD
    assert_eq!(w.err(t, "clone", &[0x10900, 0, 0, 0, 0]), Errno::EINVAL);
    let inner = w.fork(t);
    assert_eq!(w.ok(inner, "getpid", &[]), 1);
    assert_eq!(w.ok(inner, "getppid", &[]), 0);
    w.exit(inner, 0);
    assert_eq!(w.err(t, "fork", &[]), Errno::ENOMEM);
}

#[test]
fn namespaces_nest_32_deep() {
    let (mut w, mut t) = world();
    for _ in 0..32 {
        w.ok(t, "unshare", &[NEWPID]);
        t = w.fork(t);
        assert_eq!(w.ok(t, "getpid", &[]), 1);
    }
    let before = Census::of(&w.sys);
    // CLONE_FILES and CLONE_NEWUSER come first and are taken back.
    assert_eq!(w.err(t, "unshare", &[NEWPID | 0x1000_0400]), Errno::ENOSPC);
    assert_eq!(Census::of(&w.sys), before);
}

#[test]
fn a_user_may_unshare_inside_a_user_namespace_of_its_own() {
    let (mut w, t) = world();
    become_user(&mut w, t, 1000);
    assert_eq!(w.err(t, "unshare", &[NEWPID]), Errno::EPERM);
    w.ok(t, "unshare", &[0x1000_0000 | NEWPID]);
    assert_eq!(w.ok(t, "getuid", &[]), 65534);
    assert!(w.sys.cred(t).cap_effective.contains(Cap::CAP_SYS_ADMIN));
    let inner = w.fork(t);
    assert_eq!(w.ok(inner, "getpid", &[]), 1);
    // CLONE_NEWUTS
    w.ok(inner, "unshare", &[0x400_0000]);
}
