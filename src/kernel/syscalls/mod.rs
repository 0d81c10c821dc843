//! System calls as data: what the registers hold, what comes back, and the one
//! table of handlers.
//!
//! A call is a number and six registers. A script's director cannot always
//! put a structure into user memory first, so a call can carry what a pointer
//! argument would point to ([`Payload`]); the register is then 0. A handler
//! asks the call, and the call reads the payload or, without one, user memory.
//! What a call stores is given to a director as [`Out`] where the register is
//! 0. A program has no such door: its NULL is an address ([`Call::raw`]).
//!
//! Linux: arch/x86/entry/syscall_64.c, include/linux/syscalls.h.
//! Left out: 32-bit entry.

mod attrs;
mod content;
mod epoll;
mod events;
pub mod files;
mod futex;
pub mod identity;
mod lookup;
mod machine;
pub mod memory;
pub mod misc;
mod names;
mod poll;
pub mod process;
pub mod ptrace;
pub mod refused;
pub mod sched;
mod select;
pub mod signals;
mod structs;
pub mod table;
#[cfg(test)]
mod tests;
pub mod time;
mod timers;
mod vectors;
mod xattr;

pub use poll::PollArgs;
pub use select::SelectArgs;

use crate::abi::ptrace::{SyscallInfo, UserRegs};
use crate::abi::structs::{CloneArgs, Rusage, SigInfo};
use crate::abi::{CapSet, Errno, SigSet};
use crate::kernel::error::SysError;
use crate::kernel::fs::readdir::Dirent;
use crate::kernel::fs::stat::Kstat;
use crate::kernel::fs::statfs::Kstatfs;
use crate::kernel::fs::times::SetTime;
use crate::kernel::itimer::Itimerval;
use crate::kernel::signal::{Rlimit, SigAction};
use crate::kernel::task::TaskId;

/// What a pointer argument would have pointed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Payload {
    /// Nothing: pointers are user addresses.
    #[default]
    None,
    /// Nothing, and the caller is a program: NULL is no place for results.
    Registers,
    /// clone3's structure.
    Clone(Box<CloneArgs>),
    /// A path or another string.
    Text(Box<str>),
    /// Two paths, or a link's text and a path.
    Texts(Box<(Box<str>, Box<str>)>),
    /// utimensat: a path, and access and modification time.
    Times(Box<str>, Option<[SetTime; 2]>),
    /// Bytes to write.
    Bytes(Box<[u8]>),
    /// execve: path, arguments, environment.
    Exec(Box<(String, Vec<String>, Vec<String>)>),
    /// sigaction.
    SigAction(SigAction),
    /// A timespec: seconds and nanoseconds.
    Timespec(i64, i64),
    /// An interval timer: value and interval, seconds and microseconds each.
    Itimer([i64; 4]),
    /// A signal set.
    SigSet(SigSet),
    /// A signal set, and how long to wait: seconds and nanoseconds.
    TimedSet(SigSet, i64, i64),
    /// A siginfo.
    SigInfo(Box<SigInfo>),
    /// Group ids.
    Ids(Box<[u32]>),
    /// capset: effective, permitted, inheritable.
    Caps(CapSet, CapSet, CapSet),
    /// A limit.
    Rlimit(Rlimit),
    /// sigaltstack: sp, flags, size.
    AltStack(u64, u32, u64),
    /// ptrace: all registers.
    UserRegs(Box<UserRegs>),
    /// poll, ppoll.
    Poll(Box<PollArgs>),
    /// select.
    Select(Box<SelectArgs>),
}

/// One system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The number in RAX.
    pub nr: u32,
    /// RDI, RSI, RDX, R10, R8, R9.
    pub args: [u64; 6],
    /// What stands for user memory.
    pub payload: Payload,
    /// Which call of the system it is, from 1; 0 before it is made. A call made
    /// again after a signal keeps it.
    pub serial: u64,
    /// How often it was begun again without a sleep between.
    pub restarts: u16,
}

impl Call {
    /// A call whose arguments are all in registers.
    pub fn new(nr: u32, args: &[u64]) -> Call {
        let mut a = [0; 6];
        a[..args.len()].copy_from_slice(args);
        Call { nr, args: a, payload: Payload::None, serial: 0, restarts: 0 }
    }

    /// The same as a program makes it: a NULL where Linux stores something is
    /// EFAULT, and nothing is passed but registers.
    pub fn raw(nr: u32, args: &[u64]) -> Call {
        Call::with(nr, args, Payload::Registers)
    }

    /// Whether what argument `i` would point to is given as [`Out`] only.
    pub fn wants_out(&self, i: usize) -> bool {
        self.args[i] == 0 && self.payload != Payload::Registers
    }

    /// Whether nothing is passed but registers.
    pub fn is_plain(&self) -> bool {
        matches!(self.payload, Payload::None | Payload::Registers)
    }

    /// The same with a payload.
    pub fn with(nr: u32, args: &[u64], payload: Payload) -> Call {
        Call { payload, ..Call::new(nr, args) }
    }
}

/// What wait4 and waitid report of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitInfo {
    /// Who it was; the name is stale once it was reaped.
    pub task: TaskId,
    /// Its number in the initial pid namespace.
    pub global_pid: i32,
    /// The child, in the caller's namespace.
    pub pid: i32,
    /// Wait status as wait4 gives it.
    pub status: i32,
    /// `CLD_*`, as waitid gives it.
    pub si_code: i32,
    /// Exit code or signal, as waitid gives it.
    pub si_status: i32,
    /// The child's real uid.
    pub uid: u32,
    /// Resource usage of the child.
    pub rusage: Rusage,
}

/// What a call gives besides RAX: what it would have stored through pointers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Out {
    /// Nothing.
    #[default]
    None,
    /// A reaped or observed child; boxed to keep the rest small.
    Wait(Box<WaitInfo>),
    /// Two descriptors.
    Fds(i32, i32),
    /// Bytes read.
    Bytes(Vec<u8>),
    /// A path or name.
    Text(String),
    /// Ids (getresuid, getgroups).
    Ids(Vec<u32>),
    /// capget: effective, permitted, inheritable.
    Caps(CapSet, CapSet, CapSet),
    /// An old disposition.
    SigAction(SigAction),
    /// A signal set.
    SigSet(SigSet),
    /// A siginfo.
    SigInfo(Box<SigInfo>),
    /// An old limit.
    Rlimit(Rlimit),
    /// Resource usage.
    Rusage(Box<Rusage>),
    /// A number too wide or too negative for RAX's convention (prctl's
    /// pointers, sched_getaffinity).
    Number(u64),
    /// sigaltstack: sp, flags, size.
    AltStack(u64, u32, u64),
    /// What an interval timer has left, and its interval.
    Itimer(Itimerval),
    /// ptrace: all registers.
    UserRegs(Box<UserRegs>),
    /// stat and its kin.
    Stat(Box<Kstat>),
    /// statfs.
    Statfs(Box<Kstatfs>),
    /// getdents64, without "." and "..".
    Dirents(Vec<Dirent>),
    /// ptrace: a system call.
    SyscallInfo(Box<SyscallInfo>),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// RAX: the value, or a negated errno.
    pub ret: i64,
    /// Why it was refused, if it was.
    pub error: Option<SysError>,
    /// What it stored.
    pub out: Out,
}

impl Outcome {
    /// Another value in RAX than the call has given, as a tracer may write it
    /// there: what the call has stored stays stored, but is not told.
    pub fn set_ret(&mut self, ret: i64) {
        let errno =
            ret.checked_neg().and_then(|n| i32::try_from(n).ok()).and_then(Errno::from_number);
        let why = "the tracer has written this result into ax";
        self.error = errno.map(|e| SysError::new(e, "ptrace", why));
        (self.ret, self.out) = (ret, Out::None);
    }
}
