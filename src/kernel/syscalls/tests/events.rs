//! eventfd, timerfd, signalfd, select and epoll with everything in memory.
//! What is expected was seen on Linux 6.18.

use super::{Raw, raw};
use crate::abi::numbers::*;
use crate::abi::{Errno, Signal};
use crate::kernel::task::TaskId;

const NONBLOCK: u64 = 0o4000;
const MS: u64 = 1_000_000;

impl Raw {
    fn put_word(&mut self, off: u64, word: u64) -> u64 {
        self.put(off, &word.to_le_bytes())
    }

    /// epoll_ctl with an event at 256.
    fn ctl(&mut self, ep: u64, op: u32, fd: u64, events: u32) -> Result<i64, Errno> {
        let mut event = events.to_le_bytes().to_vec();
        event.extend(fd.to_le_bytes());
        let at = self.put(256, &event);
        self.sys("epoll_ctl", &[ep, op.into(), fd, at])
    }

    /// What epoll_wait finds now: descriptors and events.
    fn found(&mut self, ep: u64) -> Vec<(u64, u32)> {
        let at = self.at + 512;
        let n = self.ok("epoll_wait", &[ep, at, 8, 0]);
        (0..n as u64).map(|i| self.event(i)).collect()
    }

    fn event(&mut self, i: u64) -> (u64, u32) {
        let image: [u8; 12] = self.get(512 + i * 12);
        let [a, b, c, d, data @ ..] = image;
        (u64::from_le_bytes(data), u32::from_le_bytes([a, b, c, d]))
    }

    fn pipe(&mut self) -> (u64, u64) {
        let at = self.at + 1024;
        self.ok("pipe2", &[at, 0]);
        (self.int(1024) as u64, self.int(1028) as u64)
    }

    fn other(&mut self) -> TaskId {
        // It shares descriptors and memory.
        self.w.clone(self.t, 0x100 | 0x200 | 0x400 | 17)
    }
}

#[test]
fn an_eventfd_counts() {
    let mut r = raw();
    let at = r.at;
    let fd = r.ok("eventfd2", &[3, NONBLOCK]) as u64;
    assert_eq!(r.ok("fcntl", &[fd, 3, 0]), 0o4002);
    assert_eq!(r.sys("read", &[fd, at, 7]), Err(Errno::EINVAL));
    assert_eq!((r.ok("read", &[fd, at, 16]), r.word(0)), (8, 3));
    assert_eq!(r.sys("read", &[fd, at, 8]), Err(Errno::EAGAIN));
    r.put_word(0, u64::MAX);
    assert_eq!(r.sys("write", &[fd, at, 8]), Err(Errno::EINVAL));
    r.put_word(0, u64::MAX - 1);
    assert_eq!(r.sys("write", &[fd, at, 16]), Err(Errno::EINVAL));
    assert_eq!(r.sys("write", &[fd, 8, 8]), Err(Errno::EFAULT));
    assert_eq!(r.ok("write", &[fd, at, 8]), 8);
    r.put_word(0, 1);
    assert_eq!(r.sys("write", &[fd, at, 8]), Err(Errno::EAGAIN));
    assert_eq!(r.sys("pread64", &[fd, at, 8, 0]), Err(Errno::ESPIPE));
    assert_eq!(r.ok("lseek", &[fd, 5, 0]), 0);
    assert_eq!(r.sys("ftruncate", &[fd, 0]), Err(Errno::EINVAL));
    assert_eq!(r.sys("eventfd2", &[0, 4]), Err(Errno::EINVAL));
    let sem = r.ok("eventfd2", &[2, 1]) as u64;
    for _ in 0..2 {
        assert_eq!((r.ok("read", &[sem, at, 8]), r.word(0)), (8, 1));
    }
    assert_eq!((r.ok("close", &[fd]), r.ok("close", &[sem])), (0, 0));
    assert!(r.w.sys.kernel.anon_inodes.is_empty());
}

#[test]
fn an_eventfd_makes_readers_and_writers_wait() {
    let mut r = raw();
    let other = r.other();
    let fd = r.ok("eventfd", &[0]) as u64;
    let at = r.at;
    r.blocks("read", &[fd, at, 8]);
    // A wake-up for nothing changes nothing.
    crate::kernel::sched::core::wake_up_process(&mut r.w.sys, r.t);
    crate::kernel::entry::settle(&mut r.w.sys);
    assert!(r.w.sys.task(r.t).resume.is_some());
    r.put_word(16, 5);
    assert_eq!(r.by(other, "write", &[fd, at + 16, 8]), Ok(8));
    assert_eq!((r.woken(), r.word(0)), (8, 5));
    r.put_word(0, u64::MAX - 1);
    r.ok("write", &[fd, at, 8]);
    r.blocks("write", &[fd, at + 16, 8]);
    // The writer waits for its file even if its number goes.
    assert_eq!(r.by(other, "dup", &[fd]), Ok(4));
    assert_eq!(r.by(other, "close", &[fd]), Ok(0));
    assert_eq!(r.by(other, "read", &[4, at, 8]), Ok(8));
    assert_eq!(r.woken(), 8);
    assert_eq!((r.by(other, "read", &[4, at, 8]), r.word(0)), (Ok(8), 5));
}

#[test]
fn a_timerfd_counts_its_expirations() {
    let mut r = raw();
    let (at, old) = (r.at, r.at + 64);
    let fd = r.ok("timerfd_create", &[1, NONBLOCK]) as u64;
    let spec = r.put_words(0, &[0, 10 * MS as i64, 0, 5 * MS as i64]);
    r.ok("timerfd_settime", &[fd, 0, spec, old]);
    assert_eq!((r.word(64), r.word(72), r.word(80), r.word(88)), (0, 0, 0, 0));
    assert_eq!(r.sys("read", &[fd, at + 128, 8]), Err(Errno::EAGAIN));
    r.pass(5 * MS);
    assert_eq!((r.ok("read", &[fd, at + 128, 8]), r.word(128)), (8, 1));
    // 35 ms: at 15, 25 and 35 after the start.
    r.pass(31 * MS);
    r.ok("timerfd_gettime", &[fd, old]);
    let left = r.word(88) as u64;
    assert!(left > 8 * MS && left < 10 * MS, "{left}");
    assert_eq!(r.word(72), 10 * MS as i64);
    assert_eq!((r.ok("read", &[fd, at + 128, 8]), r.word(128)), (8, 3));
    // An absolute time that has passed fires at once, and once.
    let spec = r.put_words(0, &[0, 0, 0, 1]);
    r.ok("timerfd_settime", &[fd, 1, spec, 0]);
    assert_eq!((r.ok("read", &[fd, at + 128, 8]), r.word(128)), (8, 1));
    assert_eq!(r.sys("timerfd_settime", &[fd, 4, spec, 0]), Err(Errno::EINVAL));
    assert_eq!(r.sys("timerfd_settime", &[0, 0, spec, 0]), Err(Errno::EINVAL));
    assert_eq!(r.sys("timerfd_settime", &[97, 0, spec, 0]), Err(Errno::EBADF));
    assert_eq!(r.sys("timerfd_settime", &[fd, 0, 0, 0]), Err(Errno::EFAULT));
    assert_eq!(r.sys("timerfd_create", &[2, 0]), Err(Errno::EINVAL));
    assert_eq!(r.sys("write", &[fd, at, 8]), Err(Errno::EINVAL));
    // Closing it disarms it.
    let spec = r.put_words(0, &[0, 0, 9, 0]);
    r.ok("timerfd_settime", &[fd, 0, spec, 0]);
    assert_eq!(r.w.sys.kernel.alarms.len(), 1);
    r.ok("close", &[fd]);
    assert!(r.w.sys.kernel.alarms.is_empty());
}

#[test]
fn a_timerfd_of_the_wall_clock_wakes_its_reader() {
    let mut r = raw();
    let at = r.at;
    let fd = r.ok("timerfd_create", &[0, 0]) as u64;
    r.ok("clock_gettime", &[0, at]);
    let (sec, nsec) = (r.word(0), r.word(8));
    let spec = r.put_words(0, &[0, 0, sec + 2, nsec]);
    r.ok("timerfd_settime", &[fd, 1, spec, 0]);
    r.blocks("read", &[fd, at + 128, 8]);
    r.pass(1_900 * MS);
    assert!(r.w.sys.task(r.t).resume.is_some());
    r.pass(100 * MS);
    assert_eq!((r.woken(), r.word(128)), (8, 1));
}

#[test]
fn signals_are_read_from_a_signalfd() {
    let mut r = raw();
    let at = r.at;
    let other = r.other();
    let usr1 = Signal::SIGUSR1.number() as u64;
    let set = r.put_word(0, 1 << (usr1 - 1) | 1 << (Signal::SIGKILL.number() - 1));
    r.ok("rt_sigprocmask", &[0, set, 0, 8]);
    assert_eq!(r.sys("signalfd4", &[u64::MAX, set, 4, 0]), Err(Errno::EINVAL));
    assert_eq!(r.sys("signalfd4", &[u64::MAX, 0, 8, 0]), Err(Errno::EFAULT));
    assert_eq!(r.sys("signalfd4", &[99, set, 8, 0]), Err(Errno::EBADF));
    let fd = r.ok("signalfd4", &[u64::MAX, set, 8, 0]) as u64;
    assert_eq!(r.ok("signalfd4", &[fd, set, 8, 0]) as u64, fd);
    assert_eq!(r.sys("read", &[fd, at, 127]), Err(Errno::EINVAL));
    r.blocks("read", &[fd, at + 128, 300]);
    let to = r.w.pid(r.t);
    assert_eq!(r.by(other, "kill", &[to, usr1]), Ok(0));
    assert_eq!(r.woken(), 128);
    let from = r.w.pid(other) as i32;
    assert_eq!((r.int(128), r.int(136), r.int(140)), (usr1 as i32, 0, from));
    // Queued with a value.
    let mut info = [0; 128];
    info[..4].copy_from_slice(&(usr1 as u32).to_le_bytes());
    info[8..12].copy_from_slice(&(-1i32).to_le_bytes());
    info[24..32].copy_from_slice(&77u64.to_le_bytes());
    let info = r.put(1024, &info);
    assert_eq!(r.by(other, "rt_sigqueueinfo", &[to, usr1, info]), Ok(0));
    r.ok("read", &[fd, at + 128, 128]);
    assert_eq!((r.int(136), r.int(128 + 44), r.word(128 + 48)), (-1, 77, 77));
}

#[test]
fn select_reads_and_writes_sets() {
    let mut r = raw();
    let at = r.at;
    let other = r.other();
    let (rd, wr) = r.pipe();
    let bits = |fds: &[u64]| fds.iter().fold(0, |set, fd| set | 1u64 << fd);
    let (inp, outp, exp, tv) = (at, at + 8, at + 16, at + 32);
    r.put_word(0, bits(&[rd, wr]));
    r.put_word(8, bits(&[rd, wr]));
    r.put_word(16, bits(&[rd]));
    // The write end is ready; neither end counts in the other's set.
    assert_eq!(r.ok("select", &[wr + 1, inp, outp, exp, 0]), 1);
    assert_eq!((r.word(0), r.word(8) as u64, r.word(16)), (0, bits(&[wr]), 0));
    r.put_word(0, bits(&[rd]));
    r.put_words(32, &[1, 1_000_000]);
    r.blocks("select", &[wr + 1, inp, 0, 0, tv]);
    r.pass(500 * MS);
    assert_eq!(r.by(other, "write", &[wr, at + 64, 1]), Ok(1));
    assert_eq!((r.woken(), r.word(0) as u64), (1, bits(&[rd])));
    // What is left of two seconds, to the microsecond.
    assert_eq!(r.word(32), 1);
    assert!(r.word(40) > 499_000 && r.word(40) < 500_000, "{}", r.word(40));
    r.ok("read", &[rd, at + 64, 1]);
    r.put_words(32, &[0, 3_000]);
    r.blocks("select", &[wr + 1, inp, 0, 0, tv]);
    r.pass(3 * MS);
    assert_eq!((r.woken(), r.word(0), r.word(32), r.word(40)), (0, 0, 0, 0));
    r.put_word(0, bits(&[rd, 40]));
    assert_eq!(r.sys("select", &[41, inp, 0, 0, tv]), Err(Errno::EBADF));
    assert_eq!(r.word(0) as u64, bits(&[rd, 40]));
    assert_eq!(r.sys("select", &[u64::MAX, inp, 0, 0, tv]), Err(Errno::EINVAL));
    r.put_words(32, &[-1, 0]);
    assert_eq!(r.sys("select", &[1, 0, 0, 0, tv]), Err(Errno::EINVAL));
    assert_eq!(r.sys("select", &[1, 8, 0, 0, 0]), Err(Errno::EFAULT));
    // The last writer closes: readable.
    r.put_word(0, bits(&[rd]));
    r.blocks("select", &[wr + 1, inp, 0, 0, 0]);
    assert_eq!(r.by(other, "close", &[wr]), Ok(0));
    assert_eq!((r.woken(), r.word(0) as u64), (1, bits(&[rd])));
}

#[test]
fn pselect_waits_with_another_mask() {
    let mut r = raw();
    let at = r.at;
    let other = r.other();
    let usr1 = Signal::SIGUSR1.number() as u64;
    let set = r.put_word(0, 1 << (usr1 - 1));
    r.ok("rt_sigprocmask", &[0, set, 0, 8]);
    // A handler, so that the signal does not kill.
    r.put_words(512, &[0x40_0000, 0x0400_0000, 0x40_0000, 0]);
    let act = at + 512;
    r.ok("rt_sigaction", &[usr1, act, 0, 8]);
    let none = r.put_word(64, 0);
    let sig = r.put_words(80, &[none as i64, 8]);
    let bad = r.put_words(96, &[none as i64, 4]);
    assert_eq!(r.sys("pselect6", &[0, 0, 0, 0, 0, bad]), Err(Errno::EINVAL));
    let ts = r.put_words(128, &[0, 7]);
    r.blocks("pselect6", &[0, 0, 0, 0, ts, sig]);
    r.pass(7);
    assert_eq!((r.woken(), r.word(136)), (0, 0));
    r.blocks("pselect6", &[0, 0, 0, 0, 0, sig]);
    let to = r.w.pid(r.t);
    assert_eq!(r.by(other, "kill", &[to, usr1]), Ok(0));
    assert_eq!(r.woken(), Errno::EINTR.to_ret());
}

#[test]
fn epoll_is_level_triggered_unless_told_otherwise() {
    let mut r = raw();
    let at = r.at;
    let ep = r.ok("epoll_create1", &[0]) as u64;
    let (rd, wr) = r.pipe();
    assert_eq!(r.ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN), Ok(0));
    assert_eq!(r.found(ep), []);
    r.ok("write", &[wr, at, 2]);
    for _ in 0..2 {
        assert_eq!(r.found(ep), [(rd, EPOLLIN)]);
    }
    r.ok("read", &[rd, at, 2]);
    assert_eq!(r.found(ep), []);
    // Edges: each write is one, a read that leaves something is none.
    assert_eq!(r.ctl(ep, EPOLL_CTL_MOD, rd, EPOLLIN | EPOLLET), Ok(0));
    r.ok("write", &[wr, at, 2]);
    assert_eq!(r.found(ep), [(rd, EPOLLIN)]);
    assert_eq!(r.found(ep), []);
    r.ok("read", &[rd, at, 1]);
    assert_eq!(r.found(ep), []);
    r.ok("write", &[wr, at, 1]);
    assert_eq!(r.found(ep), [(rd, EPOLLIN)]);
    assert_eq!(r.found(ep), []);
    // Changing it looks again.
    assert_eq!(r.ctl(ep, EPOLL_CTL_MOD, rd, EPOLLIN | EPOLLONESHOT), Ok(0));
    assert_eq!(r.found(ep), [(rd, EPOLLIN)]);
    r.ok("write", &[wr, at, 1]);
    assert_eq!(r.found(ep), []);
    assert_eq!(r.ctl(ep, EPOLL_CTL_MOD, rd, EPOLLIN), Ok(0));
    assert_eq!(r.found(ep), [(rd, EPOLLIN)]);
    // The end of the file is told whatever was asked.
    r.ok("read", &[rd, at, 9]);
    assert_eq!(r.ctl(ep, EPOLL_CTL_MOD, rd, EPOLLPRI), Ok(0));
    r.ok("close", &[wr]);
    assert_eq!(r.found(ep), [(rd, EPOLLHUP)]);
    assert_eq!(r.ctl(ep, EPOLL_CTL_DEL, rd, 0), Ok(0));
    assert_eq!(r.found(ep), []);
}

#[test]
fn a_pipe_with_room_has_an_edge_only_when_it_was_full() {
    let mut r = raw();
    let at = r.at;
    let ep = r.ok("epoll_create1", &[0]) as u64;
    let (rd, wr) = r.pipe();
    r.ok("fcntl", &[wr, 4, NONBLOCK]);
    r.ctl(ep, EPOLL_CTL_ADD, wr, EPOLLOUT | EPOLLET).unwrap();
    assert_eq!(r.found(ep), [(wr, EPOLLOUT)]);
    for _ in 0..2 {
        r.ok("write", &[wr, at, 4096]);
    }
    r.ok("read", &[rd, at + 4096, 4096]);
    assert_eq!(r.found(ep), []);
    while r.sys("write", &[wr, at, 4096]).is_ok() {}
    assert_eq!(r.found(ep), []);
    r.ok("read", &[rd, at + 4096, 4096]);
    assert_eq!(r.found(ep), [(wr, EPOLLOUT)]);
    r.ok("read", &[rd, at + 4096, 4096]);
    assert_eq!(r.found(ep), []);
}

#[test]
fn epoll_refuses_what_linux_refuses() {
    let mut r = raw();
    let at = r.at;
    let ep = r.ok("epoll_create", &[1]) as u64;
    let fd = r.ok("eventfd", &[0]) as u64;
    let path = r.put(2048, b"/dev/null\0");
    let null = r.ok("open", &[path, 2, 0]) as u64;
    assert_eq!(r.sys("epoll_create", &[0]), Err(Errno::EINVAL));
    assert_eq!(r.sys("epoll_create1", &[1]), Err(Errno::EINVAL));
    assert_eq!(r.ctl(ep, EPOLL_CTL_ADD, null, EPOLLIN), Err(Errno::EPERM));
    assert_eq!(r.ctl(ep, EPOLL_CTL_ADD, 99, EPOLLIN), Err(Errno::EBADF));
    assert_eq!(r.ctl(fd, EPOLL_CTL_ADD, ep, EPOLLIN), Err(Errno::EINVAL));
    assert_eq!(r.ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN), Err(Errno::EINVAL));
    assert_eq!(r.ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN), Err(Errno::ENOENT));
    assert_eq!(r.ctl(ep, EPOLL_CTL_DEL, fd, EPOLLIN), Err(Errno::ENOENT));
    assert_eq!(r.ctl(ep, 9, fd, EPOLLIN), Err(Errno::EINVAL));
    assert_eq!(r.sys("epoll_ctl", &[ep, 1, fd, 0]), Err(Errno::EFAULT));
    assert_eq!(r.ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN), Ok(0));
    assert_eq!(r.ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN), Err(Errno::EEXIST));
    for (args, e) in [
        ([ep, at, 0, 0], Errno::EINVAL),
        ([fd, at, 1, 0], Errno::EINVAL),
        ([98, at, 0, 0], Errno::EBADF),
        ([ep, u64::MAX, 1, 0], Errno::EFAULT),
    ] {
        assert_eq!(r.sys("epoll_wait", &args), Err(e));
    }
    // Instances may watch each other, but not in a circle, and not too deep.
    let two = r.ok("epoll_create1", &[0]) as u64;
    assert_eq!(r.ctl(two, EPOLL_CTL_ADD, ep, EPOLLIN), Ok(0));
    assert_eq!(r.ctl(ep, EPOLL_CTL_ADD, two, EPOLLIN), Err(Errno::ELOOP));
    r.put_word(0, 1);
    assert_eq!(r.found(two), []);
    r.ok("write", &[fd, at, 8]);
    assert_eq!(r.found(two), [(ep, EPOLLIN)]);
    assert_eq!(r.found(ep), [(fd, EPOLLIN)]);
    let chain: Vec<u64> = (0..6).map(|_| r.ok("epoll_create1", &[0]) as u64).collect();
    for pair in chain[..5].windows(2) {
        assert_eq!(r.ctl(pair[1], EPOLL_CTL_ADD, pair[0], EPOLLIN), Ok(0));
    }
    assert_eq!(r.ctl(chain[5], EPOLL_CTL_ADD, chain[4], EPOLLIN), Err(Errno::ELOOP));
}

#[test]
fn epoll_wait_sleeps_until_something_happens() {
    let mut r = raw();
    let at = r.at;
    let other = r.other();
    let ep = r.ok("epoll_create1", &[0]) as u64;
    let fd = r.ok("eventfd", &[0]) as u64;
    let timer = r.ok("timerfd_create", &[1, 0]) as u64;
    r.ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET).unwrap();
    r.ctl(ep, EPOLL_CTL_ADD, timer, EPOLLIN).unwrap();
    let events = at + 512;
    r.blocks("epoll_wait", &[ep, events, 8, u64::MAX]);
    crate::kernel::sched::core::wake_up_process(&mut r.w.sys, r.t);
    crate::kernel::entry::settle(&mut r.w.sys);
    assert!(r.w.sys.task(r.t).resume.is_some());
    r.put_word(0, 1);
    assert_eq!(r.by(other, "write", &[fd, at, 8]), Ok(8));
    assert_eq!((r.woken(), r.event(0)), (1, (fd, EPOLLIN)));
    // The time ends it, in all three forms.
    r.blocks("epoll_wait", &[ep, events, 8, 5]);
    r.pass(5 * MS);
    assert_eq!(r.woken(), 0);
    let ts = r.put_words(64, &[0, 9]);
    r.blocks("epoll_pwait2", &[ep, events, 8, ts, 0, 0]);
    r.pass(9);
    assert_eq!(r.woken(), 0);
    let spec = r.put_words(0, &[0, 0, 0, 5 * MS as i64]);
    r.ok("timerfd_settime", &[timer, 0, spec, 0]);
    r.blocks("epoll_pwait", &[ep, events, 8, u64::MAX, 0, 0]);
    r.pass(5 * MS);
    assert_eq!((r.woken(), r.event(0)), (1, (timer, EPOLLIN)));
    // An item goes with its file, not with its number; its instance, too.
    r.ok("dup", &[timer]);
    r.ok("close", &[timer]);
    assert_eq!(r.found(ep), [(timer, EPOLLIN)]);
    r.ok("close", &[ep]);
    let k = &r.w.sys.kernel;
    assert!(k.anon_inodes.iter().all(|(_, a)| a.wqh.watches.is_empty()));
}
