//! A question to clone, and all that are asked.

use super::SIGCHLD;
use std::fmt;

/// The clone flags by their Linux names, as in `include/uapi/linux/sched.h`.
pub mod flag {
    pub const CSIGNAL: u64 = 0xff;
    pub const NEWTIME: u64 = 0x80;
    pub const VM: u64 = 0x100;
    pub const FS: u64 = 0x200;
    pub const FILES: u64 = 0x400;
    pub const SIGHAND: u64 = 0x800;
    pub const PIDFD: u64 = 0x1000;
    pub const PTRACE: u64 = 0x2000;
    pub const VFORK: u64 = 0x4000;
    pub const PARENT: u64 = 0x8000;
    pub const THREAD: u64 = 0x1_0000;
    pub const NEWNS: u64 = 0x2_0000;
    pub const SYSVSEM: u64 = 0x4_0000;
    pub const SETTLS: u64 = 0x8_0000;
    pub const PARENT_SETTID: u64 = 0x10_0000;
    pub const CHILD_CLEARTID: u64 = 0x20_0000;
    pub const DETACHED: u64 = 0x40_0000;
    pub const UNTRACED: u64 = 0x80_0000;
    pub const CHILD_SETTID: u64 = 0x100_0000;
    pub const NEWCGROUP: u64 = 0x200_0000;
    pub const NEWUTS: u64 = 0x400_0000;
    pub const NEWIPC: u64 = 0x800_0000;
    pub const NEWUSER: u64 = 0x1000_0000;
    pub const NEWPID: u64 = 0x2000_0000;
    pub const NEWNET: u64 = 0x4000_0000;
    pub const IO: u64 = 0x8000_0000;
    pub const CLEAR_SIGHAND: u64 = 0x1_0000_0000;
    pub const INTO_CGROUP: u64 = 0x2_0000_0000;

    /// Every bit that 6.18 gives a meaning in clone3.
    pub const KNOWN: u64 = 0x3_ffff_ffff;

    /// For messages; bits without a name print as hexadecimal.
    pub const NAMES: [(u64, &str); 26] = [
        (VM, "VM"),
        (FS, "FS"),
        (FILES, "FILES"),
        (SIGHAND, "SIGHAND"),
        (PIDFD, "PIDFD"),
        (PTRACE, "PTRACE"),
        (VFORK, "VFORK"),
        (PARENT, "PARENT"),
        (THREAD, "THREAD"),
        (NEWNS, "NEWNS"),
        (SYSVSEM, "SYSVSEM"),
        (SETTLS, "SETTLS"),
        (PARENT_SETTID, "PARENT_SETTID"),
        (CHILD_CLEARTID, "CHILD_CLEARTID"),
        (DETACHED, "DETACHED"),
        (UNTRACED, "UNTRACED"),
        (CHILD_SETTID, "CHILD_SETTID"),
        (NEWCGROUP, "NEWCGROUP"),
        (NEWUTS, "NEWUTS"),
        (NEWIPC, "NEWIPC"),
        (NEWUSER, "NEWUSER"),
        (NEWPID, "NEWPID"),
        (NEWNET, "NEWNET"),
        (IO, "IO"),
        (CLEAR_SIGHAND, "CLEAR_SIGHAND"),
        (INTO_CGROUP, "INTO_CGROUP"),
    ];
}

/// The highest signal number (`_NSIG`).
pub const NSIG: u64 = 64;

/// The seed of the random triples; fixed, so that a failure is repeatable.
pub const TRIPLES_SEED: u64 = 0x6f72_6163_6c65;

/// How many random triples are asked, both system calls together.
pub const TRIPLES: usize = 5_000;

/// Which system call is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// clone(2): the exit signal is the low byte of the flags.
    Legacy,
    /// clone3(2): the exit signal is a field of its own.
    Clone3,
}

/// One question. Every pointer, stack and TLS base it needs is valid; the
/// cgroup descriptor is not open, and clone(2) has one argument for both
/// `parent_tid` and `pidfd`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    pub door: Door,
    /// The flag word as passed, for [`Door::Legacy`] with the exit signal.
    pub flags: u64,
    /// Passed to clone3; 0 and unused for [`Door::Legacy`].
    pub exit_signal: u64,
}

impl Request {
    pub fn legacy(flags: u64) -> Self {
        Self { door: Door::Legacy, flags, exit_signal: 0 }
    }

    pub fn clone3(flags: u64, exit_signal: u64) -> Self {
        Self { door: Door::Clone3, flags, exit_signal }
    }

    /// All of `flags` are set.
    pub fn all(&self, flags: u64) -> bool {
        self.named() & flags == flags
    }

    /// At least one of `flags` is set.
    pub fn any(&self, flags: u64) -> bool {
        self.named() & flags != 0
    }

    /// The flags without the exit signal, which shares its bits with NEWTIME.
    pub fn named(&self) -> u64 {
        match self.door {
            Door::Legacy => self.flags & 0xffff_ffff & !flag::CSIGNAL,
            Door::Clone3 => self.flags,
        }
    }

    /// The line that `clone_probe` reads.
    pub fn line(&self) -> String {
        match self.door {
            Door::Legacy => format!("legacy {:x}\n", self.flags),
            Door::Clone3 => format!("clone3 {:x} {}\n", self.flags, self.exit_signal),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call, signal) = match self.door {
            Door::Legacy => ("clone", self.flags & flag::CSIGNAL),
            Door::Clone3 => ("clone3", self.exit_signal),
        };
        let mut rest = self.named();
        let mut names = Vec::new();
        for (bit, name) in flag::NAMES {
            if rest & bit != 0 {
                names.push(name.to_string());
                rest &= !bit;
            }
        }
        if rest != 0 || names.is_empty() {
            names.push(format!("{rest:#x}"));
        }
        write!(f, "{call}({}, exit_signal {signal})", names.join("|"))
    }
}

/// splitmix64: enough to choose triples, and the same everywhere.
pub fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// All single bits and all pairs below `bits`.
pub fn singles_and_pairs(bits: u32) -> impl Iterator<Item = u64> {
    (0..bits).flat_map(move |a| (0..=a).map(move |b| 1 << a | 1 << b))
}

/// Every question. Each flag set of clone3 is asked with exit signal SIGCHLD
/// and 0 (THREAD and PARENT refuse the first), each of clone with SIGCHLD added
/// and without. Signal numbers are asked whole, for a process and for a thread.
pub fn questions() -> Vec<Request> {
    let mut all = vec![Request::legacy(0), Request::clone3(0, 0), Request::clone3(0, SIGCHLD)];
    for flags in singles_and_pairs(u64::BITS) {
        all.extend([Request::clone3(flags, SIGCHLD), Request::clone3(flags, 0)]);
    }
    for flags in singles_and_pairs(u32::BITS) {
        all.extend([Request::legacy(flags | SIGCHLD), Request::legacy(flags)]);
    }

    // Bits that mean nothing hide the others: no triples with them, and few
    // with the signal byte.
    let known = flag::KNOWN.count_ones();
    let mut state = TRIPLES_SEED;
    for _ in 0..TRIPLES {
        let mut bit = || 1 << (7 + next_random(&mut state) % u64::from(known - 7));
        let flags: u64 = bit() | bit() | bit();
        let word = next_random(&mut state);
        let exit_signal = if word & 1 == 0 { 0 } else { SIGCHLD };
        all.push(if word & 2 == 0 || flags > u64::from(u32::MAX) {
            Request::clone3(flags, exit_signal)
        } else {
            Request::legacy(flags & !flag::CSIGNAL | exit_signal)
        });
    }

    // Threads are random only rarely: all sets of one and two flags over the
    // least that makes a thread.
    let thread = flag::VM | flag::SIGHAND | flag::THREAD;
    for flags in singles_and_pairs(known) {
        all.push(Request::clone3(thread | flags, 0));
        all.push(Request::legacy((thread | flags) & 0xffff_ff00));
    }

    for signal in 0..=flag::CSIGNAL {
        for flags in [0, flag::PARENT, flag::VM | flag::VFORK, thread] {
            all.push(Request::legacy(flags | signal));
            all.push(Request::clone3(flags, signal));
        }
    }
    for signal in [0x100, 0x111, 0x8000_0000, 0x1_0000_0011, u64::MAX] {
        all.push(Request::clone3(0, signal));
    }

    all.sort();
    all.dedup();
    all
}
