//! The line discipline byte by byte, and limits: buffers, numbers, long lines.
//!
//! Linux: each expectation was seen on 6.18. Left out: job control, see
//! tests/linux_facts/terminals.rs.

use super::n_tty::{FLIP_LIMIT, N_TTY_BUF_SIZE};
use crate::abi::Errno;
use crate::abi::Errno::{EAGAIN, EINVAL, EIO, EPERM};
use crate::abi::tty::{
    self as nr, InputModes, LocalModes, OutputModes, TERMIOS_SIZE, Termios, VMIN, VTIME,
};
use crate::kernel::syscalls::{Out, Payload};
use crate::kernel::task::TaskId;
use crate::kernel::testing::{World, world};

const RDWR: u64 = 2;
const NONBLOCK: u64 = 0o4000;
const NOCTTY: u64 = 0o400;

/// A task with a master and its slave, which controls nobody.
struct Pair {
    w: World,
    t: TaskId,
    m: u64,
    s: u64,
}

impl Pair {
    fn new() -> Pair {
        let mut w = world();
        let init = w.init;
        let t = w.fork(init);
        let mut p = Pair { w, t, m: 0, s: 0 };
        p.m = p.open("/dev/ptmx", RDWR | NONBLOCK).expect("a master");
        p.unlock(p.m);
        p.s = p.open("/dev/pts/0", RDWR | NONBLOCK | NOCTTY).expect("its slave");
        p
    }

    fn open(&mut self, path: &str, flags: u64) -> Result<u64, Errno> {
        let done = self.w.try_with(self.t, "open", &[0, flags, 0], Payload::Text(path.into()));
        done.map(|(fd, _)| fd as u64)
    }

    fn unlock(&mut self, m: u64) {
        let args = [m, nr::TIOCSPTLCK.into(), 0];
        self.w
            .try_with(self.t, "ioctl", &args, Payload::Bytes([0; 4].into()))
            .expect("a master can be unlocked");
    }

    fn write(&mut self, fd: u64, bytes: &[u8]) -> Result<i64, Errno> {
        let args = [fd, 0, bytes.len() as u64];
        let done = self.w.try_with(self.t, "write", &args, Payload::Bytes(bytes.into()));
        done.map(|(n, _)| n)
    }

    fn read(&mut self, fd: u64, n: u64) -> Result<Vec<u8>, Errno> {
        match self.w.try_with(self.t, "read", &[fd, 0, n], Payload::None)? {
            (_, Out::Bytes(bytes)) => Ok(bytes),
            (0, _) => Ok(Vec::new()),
            other => panic!("{other:?}"),
        }
    }

    fn number(&mut self, fd: u64, request: u32) -> Result<i64, Errno> {
        match self.w.try_with(self.t, "ioctl", &[fd, request.into(), 0], Payload::None)? {
            (0, Out::Number(n)) => Ok(n as i64),
            other => panic!("{other:?}"),
        }
    }

    fn termios(&mut self) -> Termios {
        match self.w.try_with(self.t, "ioctl", &[self.s, nr::TCGETS.into(), 0], Payload::None) {
            Ok((0, Out::Bytes(b))) => {
                Termios::from_bytes(&<[u8; TERMIOS_SIZE]>::try_from(b).expect("36 bytes"))
            }
            other => panic!("{other:?}"),
        }
    }

    fn set(&mut self, change: impl FnOnce(&mut Termios)) -> Result<(), Errno> {
        let mut t = self.termios();
        change(&mut t);
        let args = [self.s, nr::TCSETS.into(), 0];
        let payload = Payload::Bytes(t.to_bytes().into());
        self.w.try_with(self.t, "ioctl", &args, payload).map(|_| ())
    }

    /// What typing gives a reader of the slave, and what it shows.
    fn typed(&mut self, bytes: &[u8]) -> (Result<Vec<u8>, Errno>, Vec<u8>) {
        assert_eq!(self.write(self.m, bytes), Ok(bytes.len() as i64));
        (self.read(self.s, 100), self.read(self.m, 100).unwrap_or_default())
    }
}

fn text(bytes: &[u8]) -> Result<Vec<u8>, Errno> {
    Ok(bytes.to_vec())
}

#[test]
fn lines_their_editing_and_their_echo() {
    let mut p = Pair::new();
    assert_eq!(p.typed(b"hi\n"), (text(b"hi\n"), b"hi\r\n".to_vec()));
    assert_eq!(p.typed(b"par"), (Err(EAGAIN), b"par".to_vec()));
    assert_eq!(p.typed(b"t\n"), (text(b"part\n"), b"t\r\n".to_vec()));
    let edited = b"abc\x08 \x08\x08 \x08X\x08 \x08\x08 \x08y\r\n";
    assert_eq!(p.typed(b"abc\x7f\x7fX\x15y\n"), (text(b"y\n"), edited.to_vec()));
    assert_eq!(p.typed(b"a\tb\x01\r"), (text(b"a\tb\x01\n"), b"a\tb^A\r\n".to_vec()));
    let (got, shown) = p.typed(b"x\0\x7f\x01\x7f\n");
    assert_eq!(got, text(b"x\n"));
    assert_eq!(shown, b"x^@\x08 \x08\x08 \x08^A\x08 \x08\x08 \x08\r\n");
    // Without ECHOE the characters are shown themselves.
    p.set(|t| t.c_lflag -= LocalModes::ECHOE).unwrap();
    assert_eq!(p.typed(b"xyz\x7f\x15q\n"), (text(b"q\n"), b"xyz^?^U\r\nq\r\n".to_vec()));
    p.set(|t| t.c_lflag -= LocalModes::ECHO).unwrap();
    assert_eq!(p.typed(b"abc\x7f\x15q\n"), (text(b"q\n"), Vec::new()));
    p.set(|t| t.c_lflag |= LocalModes::ECHONL).unwrap();
    assert_eq!(p.typed(b"q\n"), (text(b"q\n"), b"\r\n".to_vec()));
}

#[test]
fn the_end_of_a_line_without_a_byte() {
    let mut p = Pair::new();
    p.write(p.m, b"abc\x04").unwrap();
    assert_eq!(p.number(p.s, nr::FIONREAD), Ok(3));
    // Reading exactly the line takes its end with it.
    assert_eq!(p.read(p.s, 3), text(b"abc"));
    assert_eq!(p.read(p.s, 3), Err(EAGAIN));
    p.write(p.m, b"\x04abc\x04\n").unwrap();
    assert_eq!(p.read(p.s, 3), text(b""));
    assert_eq!(p.read(p.s, 2), text(b"ab"));
    assert_eq!(p.read(p.s, 9), text(b"c"));
    assert_eq!(p.read(p.s, 9), text(b"\n"));
    p.write(p.m, b"ab\x04cd\nef").unwrap();
    assert_eq!(p.number(p.s, nr::FIONREAD), Ok(5));
}

#[test]
fn raw_and_back() {
    let mut p = Pair::new();
    p.set(|t| t.c_lflag -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG).unwrap();
    assert_eq!(p.typed(b"\x03z\x04"), (text(b"\x03z\x04"), Vec::new()));
    p.write(p.m, b"ab").unwrap();
    // What is there becomes a line.
    p.set(|t| t.c_lflag |= LocalModes::ICANON).unwrap();
    assert_eq!(p.read(p.s, 9), text(b"ab"));
    p.write(p.m, b"par").unwrap();
    assert_eq!(p.read(p.s, 9), Err(EAGAIN));
    p.set(|t| t.c_lflag -= LocalModes::ICANON).unwrap();
    assert_eq!(p.read(p.s, 9), text(b"par"));
    p.set(|t| t.c_cc[VMIN] = 0).unwrap();
    assert_eq!(p.read(p.s, 9), text(b""));
    p.set(|t| t.c_iflag -= InputModes::ICRNL).unwrap();
    assert_eq!(p.typed(b"\r"), (text(b"\r"), Vec::new()));
    p.set(|t| t.c_oflag -= OutputModes::ONLCR).unwrap();
    p.write(p.s, b"a\n").unwrap();
    assert_eq!(p.read(p.m, 9), text(b"a\n"));
}

#[test]
fn a_line_that_is_too_long_keeps_its_beginning() {
    let mut p = Pair::new();
    p.set(|t| t.c_lflag -= LocalModes::ECHO).unwrap();
    let mut line = vec![b'a'; 6000];
    line[5999] = b'\n';
    assert_eq!(p.write(p.m, &line), Ok(6000));
    let got = p.read(p.s, 8000).unwrap();
    assert_eq!((got.len(), got.last()), (N_TTY_BUF_SIZE, Some(&b'\n')));
    assert_eq!(p.read(p.s, 9), Err(EAGAIN));
}

#[test]
fn writing_waits_for_room() {
    let mut p = Pair::new();
    let room = (N_TTY_BUF_SIZE - 1 + FLIP_LIMIT) as i64;
    assert_eq!(p.write(p.s, &vec![b'x'; 20_000]), Ok(room));
    assert_eq!(p.write(p.s, b"y"), Err(EAGAIN));
    assert_eq!(p.read(p.m, 20_000).map(|b| b.len()), Ok(N_TTY_BUF_SIZE - 1));
    assert_eq!(p.write(p.s, b"y"), Ok(1));
    // A newline needs room for two bytes.
    let mut rest = 0;
    while let Ok(bytes) = p.read(p.m, 20_000) {
        rest += bytes.len();
    }
    assert_eq!(rest, FLIP_LIMIT + 1);
}

#[test]
fn what_is_not_modelled_is_refused_by_name() {
    let mut p = Pair::new();
    for typed in [&b"\x13"[..], b"\x11", b"a\x17", b"\x12", b"\x16", b"a\t\x7f", b"\ta\x15"] {
        assert_eq!(p.write(p.m, typed), Err(EINVAL), "{typed:?}");
    }
    assert_eq!(p.number(p.m, nr::FIONREAD), Ok(0), "nothing of it was taken");
    assert_eq!(p.set(|t| t.c_cc[VTIME] = 1), Err(EINVAL));
    assert_eq!(p.set(|t| t.c_cc[VMIN] = 2), Err(EINVAL));
    assert_eq!(p.set(|t| t.c_iflag |= InputModes::IGNCR), Err(EINVAL));
    assert_eq!(p.set(|t| t.c_lflag |= LocalModes::EXTPROC), Err(EINVAL));
    assert_eq!(p.set(|t| t.c_cflag = 0), Err(EINVAL));
    assert_eq!(p.number(p.s, 0x5413), Err(EINVAL), "TIOCGWINSZ");
}

#[test]
fn numbers_locks_and_names() {
    let mut p = Pair::new();
    assert_eq!(p.number(p.m, nr::TIOCGPTN), Ok(0));
    assert_eq!(p.number(p.s, nr::TIOCGPTN), Err(Errno::ENOTTY));
    let m1 = p.open("/dev/ptmx", RDWR).unwrap();
    let m2 = p.open("/dev/ptmx", RDWR).unwrap();
    assert_eq!([p.number(m1, nr::TIOCGPTN), p.number(m2, nr::TIOCGPTN)], [Ok(1), Ok(2)]);
    assert_eq!(p.number(m1, nr::TIOCGPTLCK), Ok(1));
    assert_eq!(p.open("/dev/pts/1", RDWR), Err(EIO));
    p.w.call(p.t, "close", &[m1]);
    assert_eq!(p.open("/dev/pts/1", RDWR), Err(Errno::ENOENT));
    let again = p.open("/dev/ptmx", RDWR).unwrap();
    assert_eq!(p.number(again, nr::TIOCGPTN), Ok(1), "the lowest free number");
    // One that is open on one side is not free.
    p.w.call(p.t, "close", &[p.m]);
    let more = p.open("/dev/ptmx", RDWR).unwrap();
    assert_eq!(p.number(more, nr::TIOCGPTN), Ok(3));
    let text = |path: &str| Payload::Text(path.into());
    let mut refused = |call: &str, args: &[u64], path| {
        p.w.try_with(p.t, call, args, text(path)).expect_err("refused")
    };
    assert_eq!(refused("unlink", &[0], "/dev/pts/1"), EPERM);
    assert_eq!(refused("mkdir", &[0, 0o700], "/dev/pts/x"), EPERM);
    assert_eq!(refused("rmdir", &[0], "/dev/pts/1"), Errno::ENOTDIR);
    assert_eq!(refused("rmdir", &[0], "/dev/pts"), Errno::EBUSY);
    assert_eq!(refused("open", &[0, 0o102, 0o600], "/dev/pts/x"), Errno::EACCES);
}

#[test]
fn a_refused_opening_spoils_the_terminal_for_all() {
    let mut p = Pair::new();
    let lock = [p.m, nr::TIOCSPTLCK.into(), 0];
    p.w.try_with(p.t, "ioctl", &lock, Payload::Bytes([1, 0, 0, 0].into())).unwrap();
    assert_eq!(p.open("/dev/pts/0", RDWR | NOCTTY), Err(EIO));
    assert_eq!(p.write(p.s, b"x"), Err(EIO));
    assert_eq!(p.read(p.s, 1), Err(EIO));
    p.unlock(p.m);
    p.open("/dev/pts/0", RDWR | NOCTTY).unwrap();
    assert_eq!(p.write(p.s, b"x"), Ok(1));
}

#[test]
fn closing_a_side() {
    let mut p = Pair::new();
    p.write(p.s, b"last").unwrap();
    p.w.call(p.t, "close", &[p.s]);
    assert_eq!(p.read(p.m, 9), text(b"last"), "what was shown is read first");
    assert_eq!(p.read(p.m, 9), Err(EIO));
    // What is typed now waits for who opens the slave next.
    assert_eq!(p.write(p.m, b"kept\n"), Ok(5));
    p.s = p.open("/dev/pts/0", RDWR | NONBLOCK | NOCTTY).unwrap();
    assert_eq!(p.read(p.s, 9), text(b"kept\n"));
    p.write(p.m, b"lost\n").unwrap();
    p.w.call(p.t, "close", &[p.m]);
    assert_eq!(p.read(p.s, 9), text(b""), "hung up");
    assert_eq!(p.write(p.s, b"x"), Err(EIO));
    assert_eq!(p.number(p.s, nr::TIOCGPGRP), Err(EIO));
    let pgrp = [p.s, nr::TIOCSPGRP.into(), 0];
    assert_eq!(p.w.refused(p.t, "ioctl", &pgrp), Errno::ENOTTY);
    assert_eq!(p.w.refused(p.t, "lseek", &[p.s, 0, 1]), Errno::ESPIPE);
    p.w.call(p.t, "close", &[p.s]);
    assert_eq!(p.w.sys.kernel.ttys.len(), 0);
}

#[test]
fn what_is_left_to_read_of_other_files() {
    let mut p = Pair::new();
    let (_, out) = p.w.try_with(p.t, "pipe2", &[0, 0], Payload::None).unwrap();
    let Out::Fds(r, w) = out else { panic!("{out:?}") };
    p.write(w as u64, b"12345").unwrap();
    assert_eq!(p.number(r as u64, nr::FIONREAD), Ok(5));
    assert_eq!(p.number(w as u64, nr::FIONREAD), Ok(5));
    let f = p.open("/tmp/f", 0o102).unwrap();
    p.write(f, b"12345").unwrap();
    p.w.call(p.t, "lseek", &[f, 2, 0]);
    assert_eq!(p.number(f, nr::FIONREAD), Ok(3));
    let null = p.open("/dev/null", RDWR).unwrap();
    for fd in [null, 0, r as u64, f] {
        assert_eq!(p.number(fd, nr::TIOCGPGRP), Err(Errno::ENOTTY));
    }
    assert_eq!(p.number(null, nr::FIONREAD), Err(Errno::ENOTTY));
    assert_eq!(p.number(99, nr::FIONREAD), Err(Errno::EBADF));
    // What every descriptor knows.
    p.w.call(p.t, "ioctl", &[null, nr::FIOCLEX.into(), 0]);
    assert_eq!(p.w.call(p.t, "fcntl", &[null, 1, 0]), 1);
    p.w.call(p.t, "ioctl", &[null, nr::FIONCLEX.into(), 0]);
    assert_eq!(p.w.call(p.t, "fcntl", &[null, 1, 0]), 0);
    let on = Payload::Bytes([1, 0, 0, 0].into());
    p.w.try_with(p.t, "ioctl", &[r as u64, nr::FIONBIO.into(), 0], on).unwrap();
    assert_eq!(p.read(r as u64, 9), text(b"12345"));
    assert_eq!(p.read(r as u64, 9), Err(EAGAIN));
    assert_eq!(p.w.refused(p.t, "ioctl", &[null, nr::FIOASYNC.into(), 0]), EINVAL);
}
