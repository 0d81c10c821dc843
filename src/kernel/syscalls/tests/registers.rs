//! The calls that a C library makes, with their structures in user memory and
//! nothing but registers: as a program on the emulated processor makes them.

use super::{Raw, raw};
use crate::abi::{Errno, Signal};

const MS: i64 = 1_000_000;

impl Raw {
    fn text(&mut self, off: u64, text: &str) -> u64 {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.put(off, &bytes)
    }
}

#[test]
fn signals() {
    let mut r = raw();
    let at = r.at;
    let usr1 = Signal::SIGUSR1.number() as u64;
    let act = r.put_words(0, &[0x40_1000, 0x0400_0004, 0x40_2000, 0b100]);
    assert_eq!(r.sys("rt_sigaction", &[usr1, act, at + 64, 8]), Ok(0));
    assert_eq!(r.word(64), 0);
    assert_eq!(r.sys("rt_sigaction", &[usr1, 0, at + 64, 8]), Ok(0));
    let back: Vec<i64> = (0..4).map(|i| r.word(64 + 8 * i)).collect();
    assert_eq!(back, [0x40_1000, 0x0400_0004, 0x40_2000, 0b100]);
    assert_eq!(r.sys("rt_sigaction", &[usr1, act, 0, 4]), Err(Errno::EINVAL));
    let set = r.put_words(128, &[1 << (usr1 - 1)]);
    assert_eq!(r.sys("rt_sigprocmask", &[0, set, at + 136, 8]), Ok(0));
    assert_eq!(r.sys("rt_sigprocmask", &[0, 0, at + 136, 8]), Ok(0));
    assert_eq!(r.word(136), 1 << (usr1 - 1));
    let pid = r.w.pid(r.t);
    r.ok("kill", &[pid, usr1]);
    assert_eq!(r.sys("rt_sigpending", &[at + 136, 8]), Ok(0));
    assert_eq!(r.word(136), 1 << (usr1 - 1));
    let none = r.put_words(144, &[0, 0]);
    assert_eq!(r.ok("rt_sigtimedwait", &[set, at + 256, none, 8]), usr1 as i64);
    assert_eq!((r.int(256), r.int(264), r.int(272)), (usr1 as i32, 0, pid as i32));
    let ss = r.put_words(160, &[at as i64 + 4096, 0, 4096]);
    assert_eq!(r.sys("sigaltstack", &[ss, at + 184]), Ok(0));
    assert_eq!(r.sys("sigaltstack", &[0, at + 184]), Ok(0));
    assert_eq!((r.word(184), r.word(200)), (at as i64 + 4096, 4096));
}

#[test]
fn children() {
    let mut r = raw();
    let at = r.at;
    // clone3: flags, pidfd, child_tid, parent_tid, exit_signal, stack, size, tls.
    let args = r.put_words(0, &[0x0010_0000, 0, 0, at as i64 + 200, 17, 0, 0, 0]);
    let pid = r.ok("clone3", &[args, 64]) as u64;
    assert_eq!(r.int(200), pid as i32);
    let child = r.w.sys.kernel.new_task.unwrap().0;
    r.w.enter(child, "exit_group", &[3], crate::kernel::syscalls::Payload::Registers);
    let wnowait = 0x0100_0000;
    assert_eq!(r.ok("waitid", &[1, pid, at + 256, 4 | wnowait, at + 512]), 0);
    let info = [r.int(256), r.int(260), r.int(264), r.int(272), r.int(280)];
    assert_eq!(info, [17, 0, 1, pid as i32, 3]);
    assert_eq!(r.ok("wait4", &[u64::MAX, at + 64, 0, at + 512]), pid as i64);
    assert_eq!(r.int(64), 3 << 8);
    assert!(r.word(512 + 24) > 0, "stime of the child");
    assert_eq!(r.sys("wait4", &[u64::MAX, at + 64, 1, 0]), Err(Errno::ECHILD));
    // vfork's child executes a program whose arguments lie in memory.
    let child = r.w.fork(r.t);
    let (path, one) = (r.text(0, "/bin/sh"), r.text(16, "one"));
    let argv = r.put_words(32, &[path as i64, one as i64, 0]);
    let init = std::mem::replace(&mut r.t, child);
    r.text(0, "/bin/sh");
    r.text(16, "one");
    r.put_words(32, &[path as i64, one as i64, 0]);
    assert_eq!(r.sys("execve", &[8, argv, 0]), Err(Errno::EFAULT));
    assert_eq!(r.sys("execve", &[path, argv, 0]), Ok(0));
    assert_eq!(r.w.sys.task(child).comm(), "sh");
    r.t = init;
}

#[test]
fn limits_and_usage() {
    let mut r = raw();
    let at = r.at;
    let new = r.put_words(0, &[64, 1024]);
    assert_eq!(r.sys("prlimit64", &[0, 7, new, at + 16]), Ok(0));
    assert_eq!(r.sys("getrlimit", &[7, at + 32]), Ok(0));
    assert_eq!((r.word(32), r.word(40)), (64, 1024));
    assert_eq!(r.sys("setrlimit", &[7, new]), Ok(0));
    assert_eq!(r.sys("getrusage", &[0, at + 64]), Ok(0));
    assert!(r.word(64 + 24) > 0);
    let ticks = r.ok("times", &[at + 256]);
    assert!(ticks >= 0 && r.word(256) >= 0);
    assert_eq!(r.ok("sched_getaffinity", &[0, 128, at + 512]), 8);
    let all = r.word(512);
    assert_eq!(r.sys("sched_setaffinity", &[0, 8, at + 512]), Ok(0));
    r.put_words(520, &[0]);
    assert_eq!(r.sys("sched_setaffinity", &[0, 8, at + 520]), Err(Errno::EINVAL));
    assert_ne!(all, 0);
    let param = r.put(600, &[0; 4]);
    assert_eq!(r.sys("sched_getparam", &[0, param]), Ok(0));
    assert_eq!(r.sys("sched_rr_get_interval", &[0, at + 608]), Ok(0));
    let bytes = r.ok("getrandom", &[at + 700, 16, 0]);
    assert_eq!(bytes, 16);
}

#[test]
fn futexes_and_polls() {
    let mut r = raw();
    let at = r.at;
    let thread = r.w.thread(r.t);
    let word = r.put(0, &5u32.to_le_bytes());
    let ts = r.put_words(16, &[0, 3 * MS]);
    assert_eq!(r.sys("futex", &[word, 128, 4, ts, 0, 0]), Err(Errno::EAGAIN));
    r.blocks("futex", &[word, 128, 5, ts, 0, 0]);
    r.pass(3 * MS as u64);
    assert_eq!(r.woken(), Errno::ETIMEDOUT.to_ret());
    r.blocks("futex", &[word, 128, 5, 0, 0, 0]);
    assert_eq!(r.by(thread, "futex", &[word, 129, 1, 0, 0, 0]), Ok(1));
    assert_eq!(r.woken(), 0);
    let fds = at + 64;
    assert_eq!(r.sys("pipe2", &[fds, 0o4000]), Ok(0));
    let (rd, wr) = (r.int(64), r.int(68));
    let mut pollfd = rd.to_le_bytes().to_vec();
    pollfd.extend([1, 0, 0, 0]);
    let ufds = r.put(80, &pollfd);
    assert_eq!(r.ok("poll", &[ufds, 1, 0]), 0);
    r.blocks("poll", &[ufds, 1, u64::MAX]);
    assert_eq!(r.by(thread, "write", &[wr as u64, at, 1]), Ok(1));
    assert_eq!((r.woken(), r.get::<2>(86)), (1, [1, 0]));
    r.ok("read", &[rd as u64, at + 128, 8]);
    let mask = r.put_words(144, &[0]);
    r.put_words(16, &[0, 2 * MS]);
    r.blocks("ppoll", &[ufds, 1, ts, mask, 8]);
    r.pass(2 * MS as u64);
    assert_eq!((r.woken(), r.word(16), r.word(24)), (0, 0, 0));
}

#[test]
fn names_of_files() {
    let mut r = raw();
    let at = r.at;
    let path = r.text(0, "/bin/sh");
    assert_eq!(r.sys("stat", &[path, at + 256]), Ok(0));
    assert_eq!(r.int(256 + 24) & 0o170000, 0o100000);
    assert_eq!(r.sys("newfstatat", &[-100i64 as u64, path, at + 256, 0]), Ok(0));
    let dir = r.text(16, "/bin");
    let fd = r.ok("openat", &[-100i64 as u64, dir, 0o200000, 0]) as u64;
    let n = r.ok("getdents64", &[fd, at + 512, 1024]);
    assert!(n >= 24);
    // d_reclen of the first entry, and its name.
    let len = u16::from_le_bytes(r.get(512 + 16));
    assert!(len >= 24 && r.get::<1>(512 + 19)[0] == b'.');
    assert_eq!(r.ok("getcwd", &[at + 64, 64]), 2);
    let exe = r.text(128, "/proc/self/exe");
    assert!(r.ok("readlink", &[exe, at + 160, 64]) > 1);
    assert_eq!(r.sys("access", &[path, 1]), Ok(0));
}

#[test]
fn sleeps_and_clocks() {
    let mut r = raw();
    let at = r.at;
    let ts = r.put_words(0, &[0, 5 * MS]);
    r.blocks("nanosleep", &[ts, at + 16]);
    r.pass(5 * MS as u64);
    assert_eq!(r.woken(), 0);
    r.ok("clock_gettime", &[1, at + 32]);
    let (sec, nsec) = (r.word(32), r.word(40));
    let end = r.put_words(48, &[sec, nsec + 5 * MS]);
    r.blocks("clock_nanosleep", &[1, 1, end, 0]);
    r.pass(4 * MS as u64);
    assert!(r.w.sys.task(r.t).resume.is_some());
    r.pass(MS as u64);
    assert_eq!(r.woken(), 0);
    assert_eq!(r.sys("clock_nanosleep", &[1, 1, end, 0]), Ok(0));
    // A handler ends a sleep, and what was left of it is told.
    let thread = r.w.fork(r.t);
    let usr1 = Signal::SIGUSR1.number() as u64;
    let act = r.put_words(128, &[0x40_1000, 0x0400_0000, 0x40_2000, 0]);
    r.ok("rt_sigaction", &[usr1, act, 0, 8]);
    let pid = r.w.pid(r.t);
    r.blocks("nanosleep", &[ts, at + 16]);
    r.pass(2 * MS as u64);
    assert_eq!(r.by(thread, "kill", &[pid, usr1]), Ok(0));
    assert_eq!(r.woken(), Errno::EINTR.to_ret());
    let left = r.word(24);
    assert!(r.word(16) == 0 && left > 2 * MS && left < 3 * MS, "{left}");
    r.ok("gettimeofday", &[at + 64, 0]);
    assert!(r.word(64) > 1_700_000_000);
    let spec = r.put_words(192, &[0, 0, 1, 500]);
    assert_eq!(r.sys("setitimer", &[0, spec, at + 224]), Ok(0));
    assert_eq!(r.ok("alarm", &[0]), 1);
}

#[test]
fn a_thread_and_its_processor_state() {
    let mut r = raw();
    let at = r.at;
    assert_eq!(r.sys("arch_prctl", &[0x1002, at]), Ok(0));
    assert_eq!(r.sys("arch_prctl", &[0x1003, at + 8]), Ok(0));
    assert_eq!(r.word(8) as u64, at);
    assert_eq!(r.sys("arch_prctl", &[0x1001, at + 1]), Ok(0));
    assert_eq!(r.sys("arch_prctl", &[0x1004, at + 8]), Ok(0));
    assert_eq!(r.word(8) as u64, at + 1);
    assert_eq!(r.ok("set_tid_address", &[at]), r.w.pid(r.t) as i64);
    assert_eq!(r.sys("set_robust_list", &[at, 24]), Ok(0));
    let name = r.text(64, "a name that is too long");
    assert_eq!(r.sys("prctl", &[15, name, 0, 0, 0]), Ok(0));
    assert_eq!(r.sys("prctl", &[16, at + 128, 0, 0, 0]), Ok(0));
    assert_eq!(&r.get::<16>(128), b"a name that is \0");
    assert_eq!(r.sys("rseq", &[at, 32, 0, 0]), Err(Errno::ENOSYS));
}
