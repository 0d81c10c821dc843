//! What comes of a call: RAX and what the kernel has stored, as the script
//! knows it from the model.
//!
//! Left out: the uid that wait4(2) does not tell.

use crate::abi::flags::SaFlags;
use crate::abi::structs::{Rusage, SigInfo, WaitStatus};
use crate::abi::{CapSet, SigSet, Signal};
use crate::base::arena::Id;
use crate::kernel::error::SysError;
use crate::kernel::fs::readdir::entries;
use crate::kernel::fs::stat::{Kstat, STAT_SIZE};
use crate::kernel::itimer::Itimerval;
use crate::kernel::signal::frame::{SIGINFO_SIZE, siginfo_from_bytes};
use crate::kernel::signal::{Rlimit, SigAction};
use crate::kernel::syscalls::{Out, WaitInfo};
use crate::oracle::host::{stub, sys};
use crate::session::program::{Answer, text_address};

/// What a call gives besides RAX, by how it lies in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::oracle::host) enum Kind {
    /// Nothing.
    Number,
    /// Nothing; RAX is a value whatever it is, as no call was made.
    Value,
    /// The task or its process ends.
    End,
    /// A task, which is told 0.
    Create,
    /// It is the task that a call has made; whether it is told so.
    Born(bool),
    /// Another program, with these arguments.
    Exec(Vec<String>),
    /// The first step to SIGABRT, and the second.
    Abort(bool),
    /// Instead of RAX, the 8 bytes that were stored.
    Stored,
    /// Two descriptors.
    Fds,
    /// RAX bytes.
    Bytes,
    /// A structure of so many bytes.
    Image(usize),
    /// A string.
    Text,
    /// RAX bytes of a string.
    Link,
    /// `struct stat`.
    Stat,
    /// RAX bytes of `struct linux_dirent64`.
    Dirents,
    /// That many ids.
    Ids(usize),
    /// RAX ids.
    IdList,
    /// A number of so many bytes.
    Word(usize),
    /// A timespec.
    Time,
    /// `struct itimerval`.
    Itimer,
    /// A signal set.
    SigSet,
    /// `struct sigaction`.
    SigAction,
    /// A siginfo.
    SigInfo,
    /// `stack_t`.
    AltStack,
    /// `struct rlimit`.
    Rlimit,
    /// `struct rusage`.
    Rusage,
    /// Capability sets of version 3.
    Caps,
    /// A status and a rusage.
    Wait4,
    /// A siginfo and a rusage.
    Waitid,
}

/// Bytes with numbers in them; what is not there is 0.
#[derive(Clone, Copy)]
struct Bytes<'b>(&'b [u8]);

impl Bytes<'_> {
    fn number(self, at: usize, len: usize) -> u64 {
        let bytes = self.0.get(at..at + len).unwrap_or_default();
        bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))
    }

    fn u64(self, at: usize) -> u64 {
        self.number(at, 8)
    }

    fn u32(self, at: usize) -> u32 {
        self.number(at, 4) as u32
    }

    fn i32(self, at: usize) -> i32 {
        self.u32(at) as i32
    }

    fn ids(self, n: usize) -> Out {
        Out::Ids((0..n.min(self.0.len() / 4)).map(|i| self.u32(4 * i)).collect())
    }

    fn text(self) -> String {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        String::from_utf8_lossy(&self.0[..end]).into_owned()
    }

    fn rusage(self, at: usize) -> Rusage {
        let ns = |at: usize| {
            self.u64(at)
                .wrapping_mul(1_000_000_000)
                .wrapping_add(self.u64(at + 8).wrapping_mul(1000))
        };
        Rusage {
            ru_utime: ns(at),
            ru_stime: ns(at + 16),
            ru_maxrss: self.u64(at + 32),
            ru_minflt: self.u64(at + 64),
            ru_majflt: self.u64(at + 72),
            ru_nvcsw: self.u64(at + 128),
            ru_nivcsw: self.u64(at + 136),
        }
    }
}

/// The name that a program's file has in it.
pub(in crate::oracle::host) fn exec_name(data: &[u8]) -> String {
    Bytes(data).text()
}

/// RAX and what was stored as an answer.
pub(in crate::oracle::host) fn answer(kind: &Kind, ret: i64, data: &[u8]) -> Answer {
    match sys::result(ret) {
        _ if *kind == Kind::Value => Answer::Returned(ret, Out::None),
        Ok(_) if *kind == Kind::Stored => Answer::Returned(Bytes(data).u64(0) as i64, Out::None),
        Ok(ret) => Answer::Returned(ret, out(kind, ret, Bytes(data))),
        Err(errno) => Answer::Refused(SysError::new(errno, "", "the host's kernel says so")),
    }
}

fn out(kind: &Kind, ret: i64, b: Bytes) -> Out {
    match kind {
        Kind::Fds => Out::Fds(b.i32(0), b.i32(4)),
        Kind::Bytes => Out::Bytes(b.0.get(..ret as usize).unwrap_or_default().to_vec()),
        Kind::Image(len) => Out::Bytes(b.0.get(..*len).unwrap_or_default().to_vec()),
        Kind::Text => Out::Text(b.text()),
        Kind::Link => Out::Text(Bytes(b.0.get(..ret as usize).unwrap_or_default()).text()),
        Kind::Stat => {
            let mut image = [0; STAT_SIZE];
            let len = b.0.len().min(STAT_SIZE);
            image[..len].copy_from_slice(&b.0[..len]);
            Out::Stat(Box::new(Kstat::from_image(&image)))
        }
        Kind::Dirents => Out::Dirents(entries(b.0.get(..ret as usize).unwrap_or_default())),
        Kind::Ids(n) => b.ids(*n),
        Kind::IdList => b.ids(ret as usize),
        Kind::Word(len) => Out::Number(b.number(0, *len)),
        Kind::Time => Out::Number(b.u64(0).wrapping_mul(1_000_000_000).wrapping_add(b.u64(8))),
        Kind::Itimer => {
            let ns = |at: usize| {
                let us = b.u64(at).wrapping_mul(1_000_000).wrapping_add(b.u64(at + 8));
                us.wrapping_mul(1000)
            };
            Out::Itimer(Itimerval { value: ns(16), interval: ns(0) })
        }
        Kind::SigSet => Out::SigSet(SigSet(b.u64(0))),
        Kind::SigAction => Out::SigAction(action(b)),
        Kind::SigInfo => match siginfo(b.0) {
            Some(info) => Out::SigInfo(Box::new(info)),
            None => Out::None,
        },
        Kind::AltStack => Out::AltStack(b.u64(0), b.u32(8), b.u64(16)),
        Kind::Rlimit => Out::Rlimit(Rlimit { cur: b.u64(0), max: b.u64(8) }),
        Kind::Rusage => Out::Rusage(Box::new(b.rusage(0))),
        Kind::Caps => {
            let set =
                |i: usize| CapSet(u64::from(b.u32(4 * i)) | u64::from(b.u32(12 + 4 * i)) << 32);
            Out::Caps(set(0), set(1), set(2))
        }
        Kind::Wait4 if ret > 0 => wait4(ret as i32, b),
        Kind::Waitid if b.i32(16) != 0 => waitid(b),
        _ => Out::None,
    }
}

fn action(b: Bytes) -> SigAction {
    let handler = match b.u64(0) {
        plain @ (0 | 1) => plain,
        handler => stub::function_of(handler).map_or(0, text_address),
    };
    SigAction {
        handler,
        flags: SaFlags::from_bits_truncate(b.u64(8)),
        restorer: text_address(0),
        mask: SigSet(b.u64(24)),
    }
}

/// A siginfo, if it is one of a signal that there is.
pub(in crate::oracle::host) fn siginfo(b: &[u8]) -> Option<SigInfo> {
    let mut bytes = [0; SIGINFO_SIZE];
    let len = b.len().min(SIGINFO_SIZE);
    bytes[..len].copy_from_slice(&b[..len]);
    Some(siginfo_from_bytes(Signal::new(Bytes(b).i32(0))?, &bytes))
}

fn waited(pid: i32, status: i32, si_code: i32, si_status: i32, uid: u32, rusage: Rusage) -> Out {
    Out::Wait(Box::new(WaitInfo {
        task: Id::from_bits(0),
        global_pid: pid,
        pid,
        status,
        si_code,
        si_status,
        uid,
        rusage,
    }))
}

fn wait4(pid: i32, b: Bytes) -> Out {
    let status = b.i32(0);
    let (si_code, si_status) = match WaitStatus::decode(status) {
        WaitStatus::Exited(code) => (libc::CLD_EXITED, code),
        WaitStatus::Signaled(sig, true) => (libc::CLD_DUMPED, sig),
        WaitStatus::Signaled(sig, false) => (libc::CLD_KILLED, sig),
        WaitStatus::Stopped(sig) => (libc::CLD_STOPPED, sig),
        WaitStatus::Continued => (libc::CLD_CONTINUED, Signal::SIGCONT.number()),
    };
    waited(pid, status, si_code, si_status, u32::MAX, b.rusage(8))
}

fn waitid(b: Bytes) -> Out {
    let (si_code, pid, uid, si_status) = (b.i32(8), b.i32(16), b.u32(20), b.i32(24));
    let status = match si_code {
        libc::CLD_EXITED => (si_status & 0xff) << 8,
        libc::CLD_KILLED => si_status,
        libc::CLD_DUMPED => si_status | 0x80,
        libc::CLD_CONTINUED => 0xffff,
        _ => si_status << 8 | 0x7f,
    };
    waited(pid, status, si_code, si_status, uid, b.rusage(128))
}
