//! Random calls on terminals by several sessions: every count is recounted
//! after each, everything that job control is about happens, and at the end
//! nothing is left.
//!
//! Linux: none. Left out: expectations of single calls; see `tests`.

use crate::abi::Signal;
use crate::abi::nr::syscall_number;
use crate::abi::tty::{self as nr, LocalModes};
use crate::base::Rng;
use crate::kernel::boot::{BootConfig, boot};
use crate::kernel::check::invariants;
use crate::kernel::entry::can_act;
use crate::kernel::fs::FileKind;
use crate::kernel::signal::{SIG_IGN, SigAction};
use crate::kernel::syscalls::{Call, Payload};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::tty::PtyType;
use crate::kernel::tty::termios::init_termios;

fn named(name: &str, args: &[u64], payload: Payload) -> Call {
    Call::with(syscall_number(name).expect("a call of Linux"), args, payload)
}

/// A request with what its argument would point to.
fn ioctl(fd: u64, request: u32, bytes: &[u8]) -> Call {
    named("ioctl", &[fd, request.into(), 0], Payload::Bytes(bytes.into()))
}

fn random_call(r: &mut Rng) -> Call {
    let none = Payload::None;
    let fd = 3 + r.below(5);
    let flags = [2, 2, 2, 2 | 0o400, 2 | 0o4000, 1][r.below(6) as usize];
    let pid = 1 + r.below(9);
    match r.below(44) {
        0 => named("open", &[0, flags, 0], Payload::Text("/dev/ptmx".into())),
        1 => named("open", &[0, flags, 0], Payload::Text("/dev/tty".into())),
        2..6 => {
            named("open", &[0, flags, 0], Payload::Text(format!("/dev/pts/{}", r.below(3)).into()))
        }
        6..8 => ioctl(fd, nr::TIOCSPTLCK, &u32::from(r.below(6) == 0).to_le_bytes()),
        8..10 => named("ioctl", &[fd, nr::TIOCSCTTY.into(), r.below(2)], none),
        10 => named("ioctl", &[fd, nr::TIOCNOTTY.into(), 0], none),
        11..14 => ioctl(fd, nr::TIOCSPGRP, &(pid as i32).to_le_bytes()),
        14 => {
            let (_, request) = nr::REQUESTS[r.below(nr::REQUESTS.len() as u64) as usize];
            named("ioctl", &[fd, request, 0], none)
        }
        15..18 => {
            let typed: [&[u8]; 6] = [b"a\n", b"b", b"\x03", b"\x1a", b"\x04", b"c\x7f\x15\x1c"];
            let bytes = typed[r.below(6) as usize];
            named("write", &[fd, 0, bytes.len() as u64], Payload::Bytes(bytes.into()))
        }
        18 => named("write", &[fd, 0, 9000], Payload::Bytes(vec![b'x'; 9000].into())),
        19..22 | 38..41 => named("read", &[fd, 0, r.below(40)], none),
        22 => {
            let mut t = init_termios(PtyType::Slave);
            t.c_lflag.toggle(LocalModes::from_bits_retain(1 << r.below(9)));
            ioctl(fd, nr::TCSETS + r.below(3) as u32, &t.to_bytes())
        }
        23 => named("vhangup", &[], none),
        24 => named("setsid", &[], none),
        26 | 27 | 34..38 => named("setpgid", &[0, if r.below(3) == 0 { pid } else { 0 }], none),
        28 => named("close", &[fd], none),
        29 => named("kill", &[pid, 18], none),
        30 if r.below(4) == 0 => named("exit_group", &[0], none),
        31 => named("wait4", &[u64::MAX, 0, 3, 0], none),
        32 => named("dup", &[fd], none),
        _ => named("fork", &[], none),
    }
}

/// What must have happened in the end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    controlling: bool,
    stopped_by_ttin: bool,
    stopped_by_ttou: bool,
    orphan_refused: bool,
    hung_up: bool,
    old_pgrp: bool,
    reader_asleep: bool,
    writer_asleep: bool,
}

fn look(s: &System, seen: &mut Seen) {
    for (_, signal) in s.kernel.signals.iter() {
        seen.controlling |= signal.tty.is_some();
        seen.old_pgrp |= signal.tty_old_pgrp.is_some();
        let by = |sig: Signal| signal.group_exit_code == sig.number() && signal.live > 0;
        seen.stopped_by_ttin |= by(Signal::SIGTTIN);
        seen.stopped_by_ttou |= by(Signal::SIGTTOU);
    }
    for (_, tty) in s.kernel.ttys.iter() {
        seen.reader_asleep |= !tty.read_wait.entries.is_empty();
        seen.writer_asleep |= !tty.write_wait.entries.is_empty();
    }
    let hung = |f: &crate::kernel::fs::File| matches!(f.kind, FileKind::HungUpTty(_));
    seen.hung_up |= s.kernel.filps.iter().any(|(_, f)| hung(f));
}

fn live(s: &System) -> Vec<TaskId> {
    let init = s.kernel.init_process;
    let able = |t: &TaskId| *t != init && can_act(s, *t).is_ok();
    s.kernel.tasks.iter().map(|(id, _)| id).filter(able).collect()
}

/// A session with a terminal, and with three processes that may ignore SIGHUP.
fn a_session(s: &mut System, ignore: bool) {
    let made = |s: &mut System, by: TaskId| {
        s.call(by, Call::new(57, &[])).expect("it can fork");
        s.kernel.new_task.expect("fork made a task").0
    };
    let init = s.kernel.init_process;
    let term = made(s, init);
    let open = |path: &str| named("open", &[0, 2, 0], Payload::Text(path.into()));
    s.call(term, open("/dev/ptmx")).expect("a master");
    s.call(term, ioctl(3, nr::TIOCSPTLCK, &[0; 4])).expect("it can be unlocked");
    let leader = made(s, term);
    s.call(leader, named("setsid", &[], Payload::None)).expect("it leads nothing yet");
    if ignore {
        let action = SigAction { handler: SIG_IGN, ..SigAction::default() };
        s.call(leader, named("rt_sigaction", &[1, 0, 0, 8], Payload::SigAction(action)))
            .expect("SIGHUP can be ignored");
    }
    s.call(leader, open("/dev/pts/0")).expect("its slave");
    let member = made(s, leader);
    made(s, member);
}

#[test]
fn counts_stay_exact_and_nothing_is_left() {
    let mut seen = Seen::default();
    for seed in 0..20 {
        let mut s = boot(&BootConfig::default()).expect("the default machine boots");
        let init = s.kernel.init_process;
        let mut r = Rng::new(seed);
        let counts = |s: &System| {
            let k = &s.kernel;
            (k.filps.len(), k.ttys.len(), k.pids.len(), k.inodes.len(), k.signals.len())
        };
        let before = counts(&s);
        a_session(&mut s, seed % 2 == 0);
        for step in 0..400 {
            let tasks = live(&s);
            if tasks.len() < 2 {
                let _ = s.call(init, Call::new(57, &[]));
                continue;
            }
            let t = tasks[r.below(tasks.len() as u64) as usize];
            let call = random_call(&mut r);
            if call.nr == 57 && tasks.len() > 6 {
                continue;
            }
            let what = format!("seed {seed} step {step}: {call:?}");
            if let Err(e) = s.call(t, call) {
                seen.orphan_refused |= format!("{e:?}").contains("is orphaned");
            }
            s.still_sound().unwrap_or_else(|e| panic!("{what}: {e}"));
            invariants(&s).unwrap_or_else(|e| panic!("{what}: {e:#?}"));
            look(&s, &mut seen);
        }
        let _ = s.call(init, Call::new(62, &[u64::MAX, 9]));
        while s.call(init, Call::new(61, &[u64::MAX, 0, 1, 0])).is_ok() {}
        invariants(&s).unwrap_or_else(|e| panic!("seed {seed}: {e:#?}"));
        assert_eq!(counts(&s), before, "seed {seed}");
    }
    let all = Seen {
        controlling: true,
        stopped_by_ttin: true,
        stopped_by_ttou: true,
        orphan_refused: true,
        hung_up: true,
        old_pgrp: true,
        reader_asleep: true,
        writer_asleep: true,
    };
    assert_eq!(seen, all);
}
