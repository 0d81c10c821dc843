//! Job control at the library's door; each expectation was seen on 6.18.

use super::*;
use forkyard::abi::tty::{self as nr, LocalModes, TERMIOS_SIZE, Termios};

const RDWR: u64 = 2;
const NONBLOCK: u64 = 0o4000;
const NOCTTY: u64 = 0o400;

/// A terminal's emulator, and a session that has the slave as descriptor 4.
struct Session {
    w: World,
    term: TaskId,
    leader: TaskId,
}

/// The master of `term`, the slave of the session.
const M: u64 = 3;
const S: u64 = 4;

fn session() -> Session {
    let (mut w, term) = world();
    open(&mut w, term, "/dev/ptmx", RDWR | NONBLOCK).unwrap();
    ioctl(&mut w, term, M, nr::TIOCSPTLCK, &[0; 4]).unwrap();
    let leader = w.fork(term);
    w.ok(leader, "setsid", &[]);
    assert_eq!(open(&mut w, leader, "/dev/pts/0", RDWR | NONBLOCK), Ok(S));
    w.ok(leader, "close", &[M]);
    Session { w, term, leader }
}

fn open(w: &mut World, t: TaskId, path: &str, flags: u64) -> Result<u64, Errno> {
    match w.with(t, "open", &[0, flags, 0], Payload::Text(path.into())) {
        Ok(Done::Returned(fd, _)) => Ok(fd as u64),
        Err(Trouble::Refused(e)) => Err(e.errno),
        other => panic!("{other:?}"),
    }
}

fn ioctl(w: &mut World, t: TaskId, fd: u64, request: u32, bytes: &[u8]) -> Result<Out, Errno> {
    let payload = if bytes.is_empty() { Payload::None } else { Payload::Bytes(bytes.into()) };
    match w.with(t, "ioctl", &[fd, request.into(), 0], payload) {
        Ok(Done::Returned(0, out)) => Ok(out),
        Err(Trouble::Refused(e)) => Err(e.errno),
        other => panic!("{other:?}"),
    }
}

fn number(w: &mut World, t: TaskId, fd: u64, request: u32) -> Result<i32, Errno> {
    match ioctl(w, t, fd, request, &[])? {
        Out::Number(n) => Ok(n as i32),
        other => panic!("{other:?}"),
    }
}

fn tcsetpgrp(w: &mut World, t: TaskId, fd: u64, pgrp: i32) -> Result<(), Errno> {
    ioctl(w, t, fd, nr::TIOCSPGRP, &pgrp.to_le_bytes()).map(drop)
}

fn tostop(w: &mut World, t: TaskId) -> Termios {
    let Ok(Out::Bytes(bytes)) = ioctl(w, t, S, nr::TCGETS, &[]) else { panic!("TCGETS") };
    let mut termios = Termios::from_bytes(&<[u8; TERMIOS_SIZE]>::try_from(bytes).unwrap());
    termios.c_lflag |= LocalModes::TOSTOP;
    termios
}

fn write(w: &mut World, t: TaskId, fd: u64, bytes: &[u8]) -> Result<Done, Errno> {
    let args = [fd, 0, bytes.len() as u64];
    w.with(t, "write", &args, Payload::Bytes(bytes.into())).map_err(|e| match e {
        Trouble::Refused(e) => e.errno,
        other => panic!("{other:?}"),
    })
}

fn ignore(w: &mut World, t: TaskId, sig: u64) {
    let action = SigAction { handler: SIG_IGN, ..SigAction::default() };
    w.with(t, "rt_sigaction", &[sig, 0, 0, 8], Payload::SigAction(action)).unwrap();
}

/// A read from the background.
fn stops(w: &mut World, t: TaskId) {
    assert_eq!(w.with(t, "read", &[S, 0, 10], Payload::None), Ok(Done::Stopped));
}

/// Keeps signals, so that they can be counted.
fn block(w: &mut World, t: TaskId, sigs: &[i32]) {
    let set = sigs.iter().fold(0, |set, sig| set | 1 << (sig - 1));
    w.with(t, "rt_sigprocmask", &[0, 0, 0, 8], Payload::SigSet(SigSet(set))).unwrap();
}

fn pending(w: &World, t: TaskId) -> Vec<i32> {
    w.sys.signal(t).shared_pending.signal.iter().map(Signal::number).collect()
}

#[test]
fn a_background_read_in_the_order_of_its_checks() {
    let Session { mut w, leader, .. } = session();
    let job = w.fork(leader);
    w.ok(job, "setpgid", &[0, 0]);
    // Blocked or ignored comes before orphaned, and before the count.
    ignore(&mut w, job, 21);
    assert_eq!(w.err(job, "read", &[S, 0, 1]), Errno::EIO);
    assert_eq!(w.err(job, "read", &[S, 0, 0]), Errno::EIO);
    let other = w.fork(leader);
    w.ok(other, "setpgid", &[0, 0]);
    block(&mut w, other, &[21]);
    assert_eq!(w.err(other, "read", &[S, 0, 1]), Errno::EIO);
    assert!(pending(&w, other).is_empty());
    // Else the whole group is stopped.
    let (third, pal) = (w.fork(leader), w.fork(leader));
    let group = w.pid(third);
    w.ok(third, "setpgid", &[0, 0]);
    w.ok(pal, "setpgid", &[0, group as u64]);
    stops(&mut w, third);
    assert_eq!((w.state(third), w.state(pal)), ('T', 'T'));
    assert_eq!(
        w.wait4(leader, i64::from(group), WUNTRACED),
        Ok((i64::from(group), 21 << 8 | 0x7f))
    );
    // Continued in the background, it is stopped again; in front it reads.
    w.kill(leader, i64::from(group), 18).unwrap();
    assert_eq!(w.state(third), 'T');
    tcsetpgrp(&mut w, leader, S, group).unwrap();
    w.kill(leader, i64::from(group), 18).unwrap();
    assert_eq!(w.state(third), 'R', "EAGAIN, for nothing was typed");
}

#[test]
fn a_reader_that_sleeps_is_not_asked_again() {
    let Session { mut w, term, leader } = session();
    w.ok(leader, "fcntl", &[S, 4, RDWR]);
    let job = w.fork(leader);
    w.ok(job, "setpgid", &[0, 0]);
    let group = w.pid(job);
    tcsetpgrp(&mut w, leader, S, group).unwrap();
    w.sleeps(job, "read", &[S, 0, 10]);
    // Meanwhile it goes to the background.
    ignore(&mut w, leader, 22);
    let own = w.pid(leader);
    tcsetpgrp(&mut w, leader, S, own).unwrap();
    write(&mut w, term, M, b"x\n").unwrap();
    assert_eq!(w.state(job), 'R', "it has read");
    stops(&mut w, job);
}

#[test]
fn an_orphaned_group_is_not_stopped() {
    let Session { mut w, leader, .. } = session();
    let job = w.fork(leader);
    w.ok(job, "setpgid", &[0, 0]);
    let group = w.pid(job);
    let set = tostop(&mut w, leader);
    ioctl(&mut w, leader, S, nr::TCSETS, &set.to_bytes()).unwrap();
    tcsetpgrp(&mut w, leader, S, group).unwrap();
    // The leader's parent is in another session.
    assert_eq!(w.err(leader, "read", &[S, 0, 1]), Errno::EIO);
    assert_eq!(write(&mut w, leader, S, b"q"), Err(Errno::EIO));
    assert_eq!(ioctl(&mut w, leader, S, nr::TCSETS, &set.to_bytes()), Err(Errno::EIO));
    let own = w.pid(leader);
    assert_eq!(tcsetpgrp(&mut w, leader, S, own), Err(Errno::ENOTTY));
    ignore(&mut w, leader, 22);
    assert!(write(&mut w, leader, S, b"q").is_ok());
    assert_eq!(tcsetpgrp(&mut w, leader, S, own), Ok(()));
}

#[test]
fn tcsetpgrp_in_the_order_of_its_checks() {
    let Session { mut w, term, leader } = session();
    assert_eq!(tcsetpgrp(&mut w, leader, S, -5), Err(Errno::EINVAL));
    assert_eq!(tcsetpgrp(&mut w, leader, S, 9999), Err(Errno::ESRCH));
    assert_eq!(tcsetpgrp(&mut w, leader, S, 1), Err(Errno::EPERM));
    // Through the master, too, but only by the session.
    let own = w.pid(leader);
    assert_eq!(tcsetpgrp(&mut w, term, M, own), Err(Errno::ENOTTY));
    assert_eq!(number(&mut w, term, M, nr::TIOCGPGRP), Ok(own));
    assert_eq!(number(&mut w, term, M, nr::TIOCGSID), Ok(own));
    // A process that leads no group names its session's, if it is in one.
    let child = w.fork(leader);
    let pid = w.pid(child);
    assert_eq!(tcsetpgrp(&mut w, leader, S, pid), Ok(()));
    assert_eq!(number(&mut w, leader, S, nr::TIOCGPGRP), Ok(pid));
    // Another session's descriptor of it.
    w.ok(child, "setsid", &[]);
    assert_eq!(number(&mut w, child, S, nr::TIOCGPGRP), Err(Errno::ENOTTY));
    assert_eq!(number(&mut w, child, S, nr::TIOCGSID), Err(Errno::ENOTTY));
    assert_eq!(open(&mut w, child, "/dev/tty", RDWR), Err(Errno::ENXIO));
}

#[test]
fn getting_a_terminal() {
    let (mut w, t) = world();
    open(&mut w, t, "/dev/ptmx", RDWR).unwrap();
    ioctl(&mut w, t, M, nr::TIOCSPTLCK, &[0; 4]).unwrap();
    assert_eq!(number(&mut w, t, M, nr::TIOCGPGRP), Ok(0), "a master may ask, for nobody");
    assert_eq!(number(&mut w, t, M, nr::TIOCGSID), Err(Errno::ENOTTY));
    let s = open(&mut w, t, "/dev/pts/0", RDWR).unwrap();
    assert!(w.sys.signal(t).tty.is_none(), "it leads no session");
    w.ok(t, "setsid", &[]);
    open(&mut w, t, "/dev/pts/0", RDWR | NOCTTY).unwrap();
    let only_write = open(&mut w, t, "/dev/pts/0", 1).unwrap();
    assert!(w.sys.signal(t).tty.is_none());
    let user = w.fork(t);
    w.ok(user, "setuid", &[1000]);
    w.ok(user, "setsid", &[]);
    // Who controls may also read.
    let args = [only_write, nr::TIOCSCTTY.into(), 0];
    assert_eq!(w.err(user, "ioctl", &args), Errno::EPERM);
    w.ok(t, "ioctl", &args);
    w.ok(t, "ioctl", &args);
    assert_eq!(w.err(user, "ioctl", &[s, nr::TIOCSCTTY.into(), 1]), Errno::EPERM);
    let root = w.fork(t);
    w.ok(root, "setsid", &[]);
    assert_eq!(w.err(root, "ioctl", &[s, nr::TIOCSCTTY.into(), 0]), Errno::EPERM);
    w.ok(root, "ioctl", &[s, nr::TIOCSCTTY.into(), 1]);
    assert!(w.sys.signal(t).tty.is_none() && w.sys.signal(root).tty.is_some());
    assert!(pending(&w, t).is_empty(), "who is robbed is not told");
    // Not a second one.
    open(&mut w, root, "/dev/ptmx", RDWR).unwrap();
    let other = [M, nr::TIOCSCTTY.into(), 1];
    w.ok(root, "ioctl", &other);
}

#[test]
fn a_leader_gives_its_terminal_up_or_ends() {
    const HUP_CONT: [i32; 2] = [1, 18];
    for ends in [false, true] {
        let Session { mut w, leader, .. } = session();
        let (job, back) = (w.fork(leader), w.fork(leader));
        for t in [job, back] {
            w.ok(t, "setpgid", &[0, 0]);
            block(&mut w, t, &HUP_CONT);
        }
        let group = w.pid(job);
        tcsetpgrp(&mut w, leader, S, group).unwrap();
        ignore(&mut w, leader, 22);
        match ends {
            false => drop(w.ok(leader, "ioctl", &[S, nr::TIOCNOTTY.into(), 0])),
            true => w.exit(leader, 0),
        }
        let want: &[i32] = if ends { &[1] } else { &HUP_CONT };
        assert_eq!(pending(&w, job), want, "ends: {ends}");
        assert!(pending(&w, back).is_empty());
        assert_eq!(number(&mut w, job, S, nr::TIOCGPGRP), Err(Errno::ENOTTY));
        // Its descriptors are as good as before.
        assert_eq!(w.err(job, "read", &[S, 0, 1]), Errno::EAGAIN);
    }
}

#[test]
fn a_hang_up_tells_the_leader_now_and_the_foreground_when_it_ends() {
    let Session { mut w, term, leader } = session();
    let job = w.fork(leader);
    w.ok(job, "setpgid", &[0, 0]);
    for t in [leader, job] {
        block(&mut w, t, &[1, 18]);
    }
    let group = w.pid(job);
    tcsetpgrp(&mut w, leader, S, group).unwrap();
    w.ok(term, "close", &[M]);
    assert_eq!(pending(&w, leader), [1, 18]);
    assert!(pending(&w, job).is_empty());
    assert!(w.sys.signal(leader).tty_old_pgrp.is_some());
    assert_eq!(w.ok(job, "read", &[S, 0, 1]), 0);
    assert_eq!(open(&mut w, job, "/dev/tty", RDWR), Err(Errno::ENXIO));
    w.exit(leader, 0);
    assert_eq!(pending(&w, job), [1, 18]);
}

#[test]
fn keys_signal_the_foreground_group() {
    let Session { mut w, term, leader } = session();
    let job = w.fork(leader);
    w.ok(job, "setpgid", &[0, 0]);
    for t in [leader, job] {
        block(&mut w, t, &[2, 3, 20]);
    }
    write(&mut w, term, M, b"\x03").unwrap();
    assert_eq!((pending(&w, leader), pending(&w, job)), (vec![2], vec![]));
    let info = w.sys.signal(leader).shared_pending.list[0].info;
    assert_eq!((info.si_code, info.si_pid), (0x80, 0), "SI_KERNEL, nobody's");
    let group = w.pid(job);
    tcsetpgrp(&mut w, leader, S, group).unwrap();
    write(&mut w, term, M, b"\x1c\x1a").unwrap();
    assert_eq!(pending(&w, job), [3, 20]);
    // The echo of a write up to the last signal is thrown away with it.
    let Ok(Done::Returned(4, Out::Bytes(shown))) = w.with(term, "read", &[M, 0, 99], Payload::None)
    else {
        panic!("^C and ^Z are shown")
    };
    assert_eq!(shown, b"^C^Z");
}

#[test]
fn stat_names_the_terminal_and_its_foreground_group() {
    let Session { mut w, term, leader } = session();
    let own = w.pid(leader);
    let stat = |w: &mut World, t: TaskId, of: i32| {
        let fd = open(w, t, &format!("/proc/{of}/stat"), 0).unwrap();
        let Ok(Done::Returned(_, Out::Bytes(text))) =
            w.with(t, "read", &[fd, 0, 400], Payload::None)
        else {
            panic!("stat can be read")
        };
        let text = String::from_utf8(text).unwrap();
        let fields: Vec<String> = text.split(' ').map(String::from).collect();
        (fields[6].clone(), fields[7].clone())
    };
    assert_eq!(stat(&mut w, term, own), ("34816".into(), own.to_string()));
    let pid = w.pid(term);
    assert_eq!(stat(&mut w, term, pid), ("0".into(), "-1".into()));
}

#[test]
fn vhangup_hangs_the_caller_s_own_terminal_up() {
    let Session { mut w, term, leader } = session();
    w.ok(term, "vhangup", &[]);
    assert!(w.sys.signal(leader).tty.is_some(), "term has no terminal");
    ignore(&mut w, leader, 1);
    write(&mut w, leader, S, b"out").unwrap();
    write(&mut w, term, M, b"in\n").unwrap();
    w.ok(leader, "vhangup", &[]);
    assert_eq!(w.ok(leader, "read", &[S, 0, 9]), 0);
    assert!(w.sys.signal(leader).tty.is_none());
    // The master is not closed: it can be opened again, and is fresh.
    let again = open(&mut w, leader, "/dev/pts/0", RDWR | NONBLOCK).unwrap();
    assert!(w.sys.signal(leader).tty.is_some());
    assert_eq!(w.err(leader, "read", &[again, 0, 9]), Errno::EAGAIN);
    w.ok(leader, "setuid", &[1000]);
    assert_eq!(w.err(leader, "vhangup", &[]), Errno::EPERM);
}
