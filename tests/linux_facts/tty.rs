//! What terminals say when they are asked: line by line what
//! `tests/host/tty_probe.c` says of the running kernel, as root. Job control
//! between processes is compared by scripts that run on both
//! (`scripts/terminals`, `tests/oracle.rs`).
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use super::*;
use forkyard::abi::tty as nr;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

/// What the probe prints on Linux 6.18.
const TABLE: &str = include_str!("tty.txt");

const RDWR: u64 = 2;
const WRONLY: u64 = 1;
const NONBLOCK: u64 = 0o4000;
const NOCTTY: u64 = 0o400;
const NAME: &str = "/dev/pts/0";

/// Who asks, and what was said so far.
struct Probe {
    w: World,
    t: TaskId,
    text: String,
}

type Said = Result<i64, Errno>;

impl Probe {
    fn say(&mut self, what: &str, said: Said) {
        let _ = match said {
            Ok(n) => writeln!(self.text, "{what}: {n}"),
            Err(e) => writeln!(self.text, "{what}: {}", e.name()),
        };
    }

    fn call(&mut self, name: &str, args: &[u64], payload: Payload) -> Said {
        match self.w.with(self.t, name, args, payload) {
            Ok(Done::Returned(_, Out::Number(n))) => Ok(n as i64),
            Ok(Done::Returned(n, _)) => Ok(n),
            Err(Trouble::Refused(e)) => Err(e.errno),
            other => panic!("{name}: {other:?}"),
        }
    }

    fn numbers(&mut self, name: &str, args: &[u64]) -> Said {
        self.call(name, args, Payload::None)
    }

    fn ioctl(&mut self, fd: i64, request: u32, arg: u64) -> Said {
        self.numbers("ioctl", &[fd as u64, request.into(), arg])
    }

    fn given(&mut self, fd: i64, request: u32, n: i32) -> Said {
        let args = [fd as u64, request.into(), 0];
        self.call("ioctl", &args, Payload::Bytes(n.to_le_bytes().into()))
    }

    fn path(&mut self, name: &str, args: &[u64], path: &str) -> Said {
        self.call(name, args, Payload::Text(path.into()))
    }

    fn opens(&mut self, what: &str, path: &str, flags: u64) {
        let fd = self.path("open", &[0, flags, 0o600], path);
        self.say(what, fd.map(|_| 0));
        if let Ok(fd) = fd {
            self.w.ok(self.t, "close", &[fd as u64]);
        }
    }

    /// Whether a request about oneself gives oneself.
    fn own(&mut self, what: &str, fd: i64, request: u32, pid: i64) {
        let said = self.ioctl(fd, request, 0).map(|n| i64::from(n == pid));
        self.say(what, said);
    }

    fn me(&self) -> i64 {
        i64::from(self.w.pid(self.t))
    }

    fn write(&mut self, what: &str, fd: i64) {
        let n = self.call("write", &[fd as u64, 0, 1], Payload::Bytes((*b"x").into()));
        self.say(what, n);
    }

    fn read(&mut self, what: &str, fd: i64) {
        let n = self.numbers("read", &[fd as u64, 0, 1]);
        self.say(what, n);
    }

    /// A child acts and ends.
    fn in_child(&mut self, body: impl FnOnce(&mut Probe)) {
        let parent = self.t;
        self.t = self.w.fork(parent);
        body(self);
        self.w.exit(self.t, 0);
        self.t = parent;
    }
}

/// The same questions in the same order as the probe's.
fn asked() -> String {
    let (mut w, first) = world();
    let action = SigAction { handler: SIG_IGN, ..SigAction::default() };
    w.with(first, "rt_sigaction", &[1, 0, 0, 8], Payload::SigAction(action)).unwrap();
    let mut p = Probe { w, t: first, text: String::new() };
    let m = p.path("open", &[0, RDWR | NOCTTY | NONBLOCK, 0], "/dev/ptmx").unwrap();
    p.t = p.w.fork(first);
    p.w.ok(first, "close", &[m as u64]);
    let locked = p.ioctl(m, nr::TIOCGPTLCK, 0);
    p.say("is locked", locked);
    p.opens("open while locked", NAME, RDWR);
    p.given(m, nr::TIOCSPTLCK, 0).unwrap();
    p.w.ok(p.t, "setsid", &[]);
    let me = p.me();
    p.opens("open /dev/tty without one", "/dev/tty", RDWR);
    p.own("the master asks who is in front", m, nr::TIOCGPGRP, 0);
    p.own("the master asks whose it is", m, nr::TIOCGSID, 0);
    let s = p.path("open", &[0, RDWR | NOCTTY | NONBLOCK, 0], NAME).unwrap();
    p.own("O_NOCTTY", s, nr::TIOCGPGRP, me);
    let said = p.ioctl(s, nr::TIOCNOTTY, 0);
    p.say("TIOCNOTTY of another's", said);
    let writer = p.path("open", &[0, WRONLY | NONBLOCK, 0], NAME).unwrap();
    p.own("opened to write", s, nr::TIOCGPGRP, me);
    let said = p.ioctl(writer, nr::TIOCSCTTY, 0);
    p.say("TIOCSCTTY of a writer, as root", said);
    p.own("who is in front", s, nr::TIOCGPGRP, me);
    p.own("whose it is, by the master", m, nr::TIOCGSID, me);
    let said = p.ioctl(s, nr::TIOCSCTTY, 0);
    p.say("TIOCSCTTY again", said);
    let said = p.ioctl(m, nr::TIOCNOTTY, 0);
    p.say("TIOCNOTTY of the master", said);
    for (what, fd, group) in [
        ("a group that nobody has", s, 99999),
        ("a negative group", s, -5),
        ("a group of another session", s, 1),
        ("by the master", m, me as i32),
    ] {
        let said = p.given(fd, nr::TIOCSPGRP, group);
        p.say(what, said);
    }
    let said = p.ioctl(s, nr::TIOCGPTN, 0);
    p.say("its number, by the slave", said);
    let said = p.ioctl(s, 0x5499, 0);
    p.say("a request nobody knows", said);
    let said = p.numbers("fcntl", &[s as u64, 3, 0]);
    p.say("flags", said);
    for (what, args, path) in
        [("unlink", &[0][..], NAME), ("rmdir", &[0], NAME), ("mkdir", &[0, 0o700], "/dev/pts/x")]
    {
        let said = p.path(what, args, path);
        p.say(what, said);
    }
    p.opens("creat", "/dev/pts/x", 0o100 | RDWR);
    let said = p.numbers("lseek", &[s as u64, 0, 1]);
    p.say("lseek", said);
    let said = p.numbers("pread64", &[s as u64, 0, 1, 0]);
    p.say("pread", said);
    taken_from_others(&mut p, m, s);
    spoilt_and_hung_up(&mut p, m, s);
    p.text
}

fn taken_from_others(p: &mut Probe, m: i64, s: i64) {
    p.in_child(|p| {
        p.w.ok(p.t, "setsid", &[]);
        p.w.ok(p.t, "setuid", &[65534]);
        let said = p.ioctl(s, nr::TIOCSCTTY, 1);
        p.say("stolen by a user", said);
        let said = p.numbers("vhangup", &[]);
        p.say("vhangup by a user", said);
    });
    p.in_child(|p| {
        let said = p.numbers("setsid", &[]).map(|_| 0);
        p.say("setsid", said);
        let said = p.ioctl(s, nr::TIOCSCTTY, 0);
        p.say("held by another session", said);
        let said = p.ioctl(s, nr::TIOCSCTTY, 1);
        p.say("stolen by root", said);
        let me = p.me();
        p.own("now the thief's", s, nr::TIOCGSID, me);
        let said = p.ioctl(m, nr::TIOCSCTTY, 0);
        p.say("a second one", said);
    });
    let me = p.me();
    p.own("robbed", s, nr::TIOCGPGRP, me);
    let said = p.ioctl(s, nr::TIOCSCTTY, 0);
    p.say("taken back", said);
}

fn spoilt_and_hung_up(p: &mut Probe, m: i64, s: i64) {
    p.given(m, nr::TIOCSPTLCK, 1).unwrap();
    p.opens("open while locked", NAME, RDWR);
    p.write("write after that", s);
    p.read("read after that", s);
    p.given(m, nr::TIOCSPTLCK, 0).unwrap();
    let fd = p.path("open", &[0, RDWR, 0], NAME).unwrap();
    p.w.ok(p.t, "close", &[fd as u64]);
    p.write("write after an open", s);
    let said = p.numbers("vhangup", &[]);
    p.say("vhangup", said);
    p.read("read", s);
    p.write("write", s);
    let said = p.ioctl(s, nr::TIOCGPGRP, 0);
    p.say("TIOCGPGRP", said);
    let me = p.me();
    let said = p.given(s, nr::TIOCSPGRP, me as i32);
    p.say("TIOCSPGRP", said);
    let s = p.path("open", &[0, RDWR | NONBLOCK, 0], NAME).unwrap();
    p.own("opened again", s, nr::TIOCGPGRP, me);
    p.read("read", s);
    p.w.ok(p.t, "close", &[m as u64]);
    p.opens("the master is closed, open", NAME, RDWR);
    p.opens("open /dev/tty", "/dev/tty", RDWR);
    p.read("read", s);
}

#[test]
fn terminals_answer_as_linux_does() {
    assert_eq!(asked(), TABLE);
}

#[test]
fn the_running_kernel_answers_the_same() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/host/tty_probe.c");
    let probe = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tty_probe");
    let flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o"];
    let here = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    let compiled = Command::new("cc").args(flags).arg(&probe).arg(source).output();
    let Some(cc) = compiled.ok().filter(|_| here) else {
        return eprintln!("skipped: this needs x86_64 Linux and a C compiler");
    };
    assert!(cc.status.success(), "cc: {}", String::from_utf8_lossy(&cc.stderr));
    let run = Command::new(&probe).output().expect("it starts");
    if run.status.code() == Some(2) {
        return eprintln!("skipped: this needs root and /dev/ptmx");
    }
    assert_eq!(String::from_utf8_lossy(&run.stdout), TABLE);
}
