//! Random calls on files by several processes: every count is recounted after
//! each, and at the end nothing is left.
//!
//! Linux: none. Left out: expectations of single calls; see `tests`.

use crate::abi::nr::syscall_number;
use crate::base::Rng;
use crate::kernel::boot::{BootConfig, boot};
use crate::kernel::check::invariants;
use crate::kernel::fs::locks::{Flock, LockOwner};
use crate::kernel::syscalls::{Call, Payload};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const PATHS: &[&str] = &[
    "/tmp/a",
    "/tmp/b",
    "/tmp/d",
    "/tmp/d/x",
    "/etc/passwd",
    "/dev/null",
    "/dev/zero",
    "/tmp",
    "/bin/true",
    "/nope/x",
    "a",
    "..",
    "/tmp/a/",
    "/dev/console",
    "/tmp/d/../b",
    "/tmp/l",
    "/tmp/d/l",
    "/tmp/d/e",
    "/tmp/fifo",
    "l/../a",
];
/// What links say.
const LINKS: &[&str] = &["a", "/tmp/d", "..", "l", "nope", "/proc/self/cwd"];
const CWD: u64 = -100_i64 as u64;
const NONBLOCK: u64 = 0o4000;
const FLAGS: &[u64] = &[
    0, 1, 2, 0o101, 0o102, 0o1102, 0o2102, 0o2000000, 0o200000, 0o303, 0o4000, 0o4001, 0o400000,
    0o10000000, 0o20200002,
];

fn random_call(r: &mut Rng) -> Call {
    let named = |name: &str, args: &[u64], payload| {
        Call::with(syscall_number(name).unwrap_or(u32::MAX), args, payload)
    };
    let path = Payload::Text(PATHS[r.below(PATHS.len() as u64) as usize].into());
    let other = PATHS[r.below(PATHS.len() as u64) as usize];
    let two = |old: &str| Payload::Texts(Box::new((old.into(), other.into())));
    let old = PATHS[r.below(PATHS.len() as u64) as usize];
    let none = Payload::None;
    let fd = r.below(12);
    let bytes = |n: u64| Payload::Bytes(vec![n as u8; n as usize].into());
    match r.below(31) {
        22 => named("rename", &[0, 0], two(old)),
        23 => named("renameat2", &[CWD, 0, CWD, 0, r.below(4)], two(old)),
        24 => named("link", &[0, 0], two(old)),
        25 => named("symlink", &[0, 0], two(LINKS[r.below(LINKS.len() as u64) as usize])),
        26 => named("mknod", &[0, 0o010644, 0], path),
        27 => named("flock", &[fd, [1, 2, 5, 6, 8][r.below(5) as usize]], none),
        28 => {
            let cmd = [5, 6, 7, 37, 38][r.below(5) as usize];
            let flock = Flock {
                l_type: r.below(3) as i16,
                l_whence: 0,
                l_start: r.below(20) as i64,
                l_len: r.below(10) as i64,
                l_pid: 0,
            };
            named("fcntl", &[fd, cmd, 0], Payload::Bytes(flock.to_bytes().into()))
        }
        29 => named("rmdir", &[0], path),
        0..3 => named("open", &[0, FLAGS[r.below(FLAGS.len() as u64) as usize], 0o644], path),
        3 => named("close", &[fd], none),
        4 => named("dup", &[fd], none),
        5 => named("dup2", &[fd, r.below(12)], none),
        6 => named("pipe2", &[0, NONBLOCK], none),
        7 => named("pipe", &[0], none),
        8..10 => named("write", &[fd, 0, 0], bytes(r.below(9000))),
        10 => named("write", &[fd, 0, 0], bytes(70_000)),
        11..13 => named("read", &[fd, 0, r.below(9000)], none),
        13 => named("lseek", &[fd, r.below(20_000), r.below(4)], none),
        14 => named("ftruncate", &[fd, r.below(20_000)], none),
        15 => named("unlink", &[0], path),
        16 => named("mkdir", &[0, 0o777], path),
        17 => named("chdir", &[0], path),
        18 => named("fcntl", &[fd, r.below(5), r.below(12)], none),
        19 => named("close_range", &[r.below(8), r.below(12), 2 * r.below(4)], none),
        20 => named("pidfd_open", &[1 + r.below(6), 0], none),
        _ => named("clone", &[17 | (r.below(4) << 9), 0, 0, 0, 0], none),
    }
}

fn live(s: &System) -> Vec<TaskId> {
    let able = |t: &TaskId| crate::kernel::entry::can_act(s, *t).is_ok();
    let init = s.kernel.init_process;
    s.kernel.tasks.iter().map(|(id, _)| id).filter(|t| *t != init && able(t)).collect()
}

#[test]
fn counts_stay_exact_and_nothing_is_left() {
    for seed in 0..30 {
        let mut s = boot(&BootConfig::default()).unwrap();
        let init = s.kernel.init_process;
        let mut r = Rng::new(seed);
        let counts = |s: &System| {
            let k = &s.kernel;
            // Locks of the console's description stay: init has it open.
            let locks = k.inodes.iter().flat_map(|(_, i)| &i.locks);
            let locks = locks.filter(|l| matches!(l.owner, LockOwner::Posix(_))).count();
            (k.filps.len(), k.files.len(), k.fs.len(), k.pipes.len(), k.pids.len(), locks)
        };
        let before = counts(&s);
        for step in 0..250 {
            let tasks = live(&s);
            if tasks.is_empty() || tasks.len() < 4 && r.below(12) == 0 {
                s.call(init, Call::new(57, &[])).unwrap();
                continue;
            }
            let t = tasks[r.below(tasks.len() as u64) as usize];
            let call = random_call(&mut r);
            let what = format!("seed {seed} step {step}: {call:?}");
            // Refusals are welcome; what must not happen is an Oops.
            let _ = s.call(t, call);
            s.still_sound().unwrap_or_else(|e| panic!("{what}: {e}"));
            invariants(&s).unwrap_or_else(|e| panic!("{what}: {e:#?}"));
        }
        // kill(-1, SIGKILL) and wait for all.
        let _ = s.call(init, Call::new(62, &[u64::MAX, 9]));
        while s.call(init, Call::new(61, &[u64::MAX, 0, 1, 0])).is_ok() {}
        invariants(&s).unwrap_or_else(|e| panic!("seed {seed}: {e:#?}"));
        assert_eq!(counts(&s), before, "seed {seed}");
    }
}
