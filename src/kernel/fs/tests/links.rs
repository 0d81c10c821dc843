//! Links, renames, FIFOs, times and locks, where one file of facts
//! (`tests/linux_facts/files.txt`) does not reach: several processes, sleeps,
//! names that are kept.

use super::*;
use crate::kernel::entry::Entered;
use crate::kernel::fs::locks::Flock;
use crate::kernel::fs::rootfs::{add_etc, add_file};
use crate::kernel::syscalls::Payload;
use crate::kernel::testing::{World, world};

fn text(path: &str) -> Payload {
    Payload::Text(path.into())
}

fn two(a: &str, b: &str) -> Payload {
    Payload::Texts(Box::new((a.into(), b.into())))
}

fn open(w: &mut World, t: TaskId, path: &str, flags: u32) -> Result<i64, Errno> {
    w.try_with(t, "open", &[0, flags.into(), 0o644], text(path)).map(|(fd, _)| fd)
}

fn rename(w: &mut World, t: TaskId, a: &str, b: &str) -> Result<i64, Errno> {
    w.try_with(t, "rename", &[0, 0], two(a, b)).map(|(n, _)| n)
}

/// The call sleeps.
fn sleeps(w: &mut World, t: TaskId, name: &str, args: &[u64], payload: Payload) {
    let e = w.enter(t, name, args, payload);
    assert!(matches!(e, Entered::Blocked), "{name}: {e:?}");
    assert_eq!(w.state(t), 'S');
}

fn lock(ty: i16, start: i64, len: i64) -> Payload {
    let flock = Flock { l_type: ty, l_whence: 0, l_start: start, l_len: len, l_pid: 0 };
    Payload::Bytes(flock.to_bytes().into())
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let mut w = world();
    let t = w.init;
    w.try_with(t, "symlink", &[0, 0], two("/etc/passwd", "/tmp/l1")).unwrap();
    for n in 1..=40 {
        let (old, new) = (format!("l{n}"), format!("/tmp/l{}", n + 1));
        w.try_with(t, "symlink", &[0, 0], two(&old, &new)).unwrap();
    }
    assert!(open(&mut w, t, "/tmp/l40", 0).is_ok());
    assert_eq!(open(&mut w, t, "/tmp/l41", 0), Err(ELOOP));
}

#[test]
fn links_of_the_tree_and_of_proc_lead_to_each_other() {
    let mut w = world();
    let t = w.fork(w.init);
    w.try_with(t, "chdir", &[0], text("/home/user")).unwrap();
    w.try_with(t, "symlink", &[0, 0], two("/proc/self/cwd", "/tmp/here")).unwrap();
    w.try_with(t, "symlink", &[0, 0], two("/tmp/here/f", "/home/user/again")).unwrap();
    open(&mut w, t, "/tmp/here/f", CREAT | RDWR).unwrap();
    assert!(open(&mut w, t, "/home/user/f", RDONLY).is_ok());
    assert!(open(&mut w, t, "/proc/self/cwd/again", RDONLY).is_ok());
    // A descriptor by the links of /dev.
    let fd = open(&mut w, t, "again", RDWR).unwrap();
    assert_eq!(
        w.try_with(t, "readlink", &[0, 0, 99], text(&format!("/dev/fd/{fd}"))).unwrap().1,
        Out::Text("/home/user/f".into())
    );
    assert!(open(&mut w, t, "/dev/stdout", WRONLY).is_ok());
}

#[test]
fn a_link_asks_for_the_way_to_it() {
    let mut w = world();
    let t = w.fork(w.init);
    w.try_with(t, "symlink", &[0, 0], two("/etc/passwd", "/root/l")).unwrap();
    w.call(t, "setresuid", &[1000; 3]);
    assert_eq!(open(&mut w, t, "/root/l", RDONLY), Err(EACCES));
    assert_eq!(open(&mut w, t, "/root/../root/l/x", RDONLY), Err(EACCES));
}

#[test]
fn names_that_are_kept_move_with_the_directory() {
    let mut w = world();
    let t = w.fork(w.init);
    for dir in ["/tmp/a", "/tmp/a/b", "/tmp/ab"] {
        w.try_with(t, "mkdir", &[0, 0o755], text(dir)).unwrap();
    }
    let f = open(&mut w, t, "/tmp/a/b/f", CREAT | RDWR).unwrap();
    let gone = open(&mut w, t, "/tmp/a/gone", CREAT | RDWR).unwrap();
    w.try_with(t, "unlink", &[0], text("/tmp/a/gone")).unwrap();
    w.try_with(t, "chdir", &[0], text("/tmp/a/b")).unwrap();
    let child = w.fork(t);
    w.try_with(child, "chdir", &[0], text("/tmp/ab")).unwrap();
    rename(&mut w, t, "/tmp/a", "/tmp/z").unwrap();
    let path = |w: &World, fd: i64| {
        w.sys.kernel.filps[fget(&w.sys, t, fd as i32).unwrap()].path.to_string()
    };
    assert_eq!(path(&w, f), "/tmp/z/b/f");
    assert_eq!(path(&w, gone), "/tmp/a/gone");
    assert_eq!(getcwd(&w.sys, t).unwrap(), "/tmp/z/b");
    assert_eq!(getcwd(&w.sys, child).unwrap(), "/tmp/ab");
    assert!(open(&mut w, t, "f", RDONLY).is_ok());
}

#[test]
fn file_systems_are_not_left_by_name() {
    let mut w = world();
    let t = w.init;
    for (a, b, want) in [
        ("/etc/passwd", "/proc/x", EXDEV),
        ("/etc/passwd", "/dev/pts/x", EXDEV),
        ("/etc/passwd", "/sys/fs/cgroup/x", EXDEV),
        ("/proc/self", "/tmp/x", EXDEV),
        ("/proc/uptime", "/proc/version", EPERM),
        ("/proc", "/tmp/proc", EBUSY),
        ("/dev/pts", "/tmp/pts", EBUSY),
        ("/etc", "/etc/x", EINVAL),
        ("/", "/tmp/x", EBUSY),
    ] {
        let got = rename(&mut w, t, a, b);
        if want == EXDEV && a == "/etc/passwd" && b == "/proc/x" {
            // The walk to a name that /proc has not fails first.
            assert!(matches!(got, Err(EXDEV | ENOENT)), "{a} {b}: {got:?}");
        } else {
            assert_eq!(got, Err(want), "{a} {b}");
        }
    }
    assert_eq!(w.try_with(t, "link", &[0, 0], two("/proc/uptime", "/tmp/x")).unwrap_err(), EXDEV);
    assert_eq!(w.try_with(t, "symlink", &[0, 0], two("x", "/dev/pts/x")).unwrap_err(), EPERM);
}

#[test]
fn a_fifo_waits_for_the_other_end() {
    let mut w = world();
    let (reader, writer) = (w.fork(w.init), w.fork(w.init));
    w.try_with(reader, "mknod", &[0, 0o010644, 0], text("/tmp/p")).unwrap();
    sleeps(&mut w, reader, "open", &[0, 0, 0], text("/tmp/p"));
    let fd = open(&mut w, writer, "/tmp/p", WRONLY).unwrap() as u64;
    assert_eq!(w.state(reader), 'R');
    w.try_with(writer, "write", &[fd, 0, 2], Payload::Bytes((*b"hi").into())).unwrap();
    w.call(writer, "close", &[fd]);
    let (n, out) = w.try_with(reader, "read", &[3, 0, 9], Payload::None).unwrap();
    assert_eq!((n, out), (2, Out::Bytes(b"hi".to_vec())));
    w.call(reader, "close", &[3]);
    assert_eq!(w.sys.kernel.pipes.len(), 0);
    // A partner that came and went is one.
    sleeps(&mut w, writer, "open", &[0, 1, 0], text("/tmp/p"));
    let fd = open(&mut w, reader, "/tmp/p", NONBLOCK).unwrap() as u64;
    w.call(reader, "close", &[fd]);
    assert_eq!(w.state(writer), 'R');
    w.call(writer, "close", &[3]);
    // Who sleeps in an open and is killed leaves nothing.
    sleeps(&mut w, reader, "open", &[0, 0, 0], text("/tmp/p"));
    let (init, before) = (w.init, w.sys.kernel.filps.len());
    w.kill(init, reader, Signal::SIGKILL);
    w.kill(init, writer, Signal::SIGKILL);
    assert!(w.sys.kernel.filps.len() < before);
    assert_eq!(w.sys.kernel.pipes.len(), 0);
}

const NONBLOCK: u32 = 0o4000;

#[test]
fn flock_waits_and_goes_with_the_description() {
    let mut w = world();
    let (a, b) = (w.fork(w.init), w.fork(w.init));
    let fa = open(&mut w, a, "/tmp/k", CREAT | RDWR).unwrap() as u64;
    let fb = open(&mut w, b, "/tmp/k", RDONLY).unwrap() as u64;
    w.call(a, "flock", &[fa, 2]);
    sleeps(&mut w, b, "flock", &[fb, 1], Payload::None);
    // A copy of the descriptor keeps the lock.
    let child = w.fork(a);
    w.call(a, "close", &[fa]);
    assert_eq!(w.state(b), 'S');
    w.enter(child, "exit_group", &[0], Payload::None);
    assert_eq!(w.state(b), 'R');
    let fa = open(&mut w, a, "/tmp/k", RDWR).unwrap() as u64;
    assert_eq!(w.refused(a, "flock", &[fa, 6]), EAGAIN);
    assert_eq!(w.call(a, "flock", &[fa, 1]), 0);
}

#[test]
fn ranges_wait_and_rings_are_refused() {
    let mut w = world();
    let (a, b) = (w.fork(w.init), w.fork(w.init));
    let fa = open(&mut w, a, "/tmp/k", CREAT | RDWR).unwrap() as u64;
    let fb = open(&mut w, b, "/tmp/k", RDWR).unwrap() as u64;
    let (setlk, setlkw, getlk) = (6, 7, 5);
    w.try_with(a, "fcntl", &[fa, setlk, 0], lock(1, 0, 10)).unwrap();
    w.try_with(b, "fcntl", &[fb, setlk, 0], lock(1, 10, 10)).unwrap();
    let (_, out) = w.try_with(b, "fcntl", &[fb, getlk, 0], lock(1, 0, 0)).unwrap();
    let Out::Bytes(bytes) = out else { panic!("{out:?}") };
    let found = Flock::from_bytes(bytes.as_slice().try_into().unwrap());
    assert_eq!((found.l_type, found.l_start, found.l_len), (1, 0, 10));
    assert_eq!(found.l_pid as u64, w.pid(a));
    sleeps(&mut w, b, "fcntl", &[fb, setlkw, 0], lock(0, 5, 1));
    assert_eq!(w.try_with(a, "fcntl", &[fa, setlkw, 0], lock(1, 15, 1)).unwrap_err(), EDEADLK);
    // Closing any descriptor of the file gives the locks of the process up.
    let other = open(&mut w, a, "/tmp/k", RDONLY).unwrap() as u64;
    w.call(a, "close", &[other]);
    assert_eq!(w.state(b), 'R');
    // A child has none of them.
    let child = w.fork(b);
    assert_eq!(w.try_with(child, "fcntl", &[fb, setlk, 0], lock(1, 15, 1)).unwrap_err(), EAGAIN);
    w.enter(b, "exit_group", &[0], Payload::None);
    w.try_with(child, "fcntl", &[fb, setlk, 0], lock(1, 0, 0)).unwrap();
}

#[test]
fn reading_is_noted_once_until_the_next_write() {
    let mut w = world();
    let t = w.fork(w.init);
    let f = open(&mut w, t, "/tmp/f", CREAT | RDWR).unwrap() as u64;
    w.try_with(t, "write", &[f, 0, 3], Payload::Bytes((*b"abc").into())).unwrap();
    let times = |w: &World| {
        let FileKind::Inode(i) = w.sys.kernel.filps[fget(&w.sys, t, f as i32).unwrap()].kind else {
            panic!()
        };
        w.sys.kernel.inodes[i].times
    };
    let later = |w: &mut World| w.sys.machine.clock.advance(1_000_000_000);
    let read = |w: &mut World| w.try_with(t, "pread64", &[f, 0, 3, 0], Payload::None).unwrap();
    later(&mut w);
    read(&mut w);
    let first = times(&w);
    assert!(first.atime > first.mtime);
    later(&mut w);
    read(&mut w);
    assert_eq!(times(&w), first, "relatime");
    w.sys.machine.clock.advance(24 * 3600 * 1_000_000_000);
    read(&mut w);
    assert!(times(&w).atime > first.atime, "a day has passed");
    w.try_with(t, "write", &[f, 0, 1], Payload::Bytes((*b"x").into())).unwrap();
    assert!(times(&w).mtime > first.mtime && times(&w).btime == first.btime);
}

#[test]
fn a_program_of_bytes_is_a_file_like_others() {
    let mut w = world();
    let t = w.fork(w.init);
    let script = b"#!/bin/true\n";
    add_file(&mut w.sys, "/bin/prog", script, 0o755).unwrap();
    add_etc(&mut w.sys).unwrap();
    let from = open(&mut w, t, "/bin/prog", RDONLY).unwrap() as u64;
    let to = open(&mut w, t, "/tmp/copy", CREAT | RDWR).unwrap() as u64;
    assert_eq!(w.call(t, "copy_file_range", &[from, 0, to, 0, 4096, 0]), script.len() as i64);
    let (_, out) = w.try_with(t, "pread64", &[to, 0, 99, 0], Payload::None).unwrap();
    assert_eq!(out, Out::Bytes(script.to_vec()));
    assert!(open(&mut w, t, "/bin/prog", RDWR).is_ok(), "nobody runs it");
    assert_eq!(errno(o(&mut w.sys, t, "/bin/true", RDWR)), ETXTBSY);
    assert_eq!(
        open(&mut w, t, "/dev/full", RDWR).map(|fd| {
            w.try_with(t, "write", &[fd as u64, 0, 1], Payload::Bytes((*b"x").into())).unwrap_err()
        }),
        Ok(ENOSPC)
    );
}

#[test]
fn the_checker_sees_locks_without_owners_and_lost_links() {
    let mut w = world();
    let t = w.fork(w.init);
    let f = open(&mut w, t, "/tmp/f", CREAT | RDWR).unwrap() as u64;
    w.call(t, "flock", &[f, 2]);
    let file = fget(&w.sys, t, f as i32).unwrap();
    let FileKind::Inode(inode) = w.sys.kernel.filps[file].kind else { panic!() };
    let spoilt = |spoil: &dyn Fn(&mut System)| {
        let mut sys = w.sys.clone();
        spoil(&mut sys);
        crate::kernel::check::invariants(&sys).is_err()
    };
    assert!(!spoilt(&|_| {}));
    assert!(spoilt(&|s| s.kernel.inodes[inode].i_nlink = 2));
    let lock = w.sys.kernel.inodes[inode].locks[0];
    let other = fget(&w.sys, w.init, 0).unwrap();
    let owner = crate::kernel::fs::locks::LockOwner::Flock(other);
    assert!(spoilt(&|s| s.kernel.inodes[inode].locks[0].owner = owner));
    assert!(spoilt(&|s| {
        s.kernel.inodes[inode].locks.push(locks::FileLock { owner, ..lock });
    }));
}
