//! Whether two answers are the same: numbers that are pids by whose they are,
//! and apart from what `oracle::variations` lists.
//!
//! Left out: arguments. What a function asks follows from what it was told.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::abi::nr::syscall_name;
use crate::abi::numbers::RLIMIT_NAMES;
use crate::abi::structs::SigInfo;
use crate::kernel::fs::inode::S_IFDIR;
use crate::kernel::fs::readdir::Dirent;
use crate::kernel::syscalls::{Call, Out, Payload, WaitInfo};
use crate::machine::UserOp;
use crate::oracle::compare::by_appearance;
use crate::oracle::variations::{Part, varies};
use crate::session::program::record::{Asked, Told};
use crate::session::program::{Answer, Want};

/// Whose pids are which: tasks by their numbers on Linux.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Names {
    by_pid: BTreeMap<i32, u32>,
    /// Whether there are further pid namespaces, where the same number is
    /// somebody else.
    pub(super) nested: bool,
}

impl Names {
    /// A task has a pid. Who has had it first keeps it: a thread that execs
    /// takes its process's.
    pub(super) fn add(&mut self, pid: i32, number: u32) {
        self.by_pid.entry(pid).or_insert(number);
    }

    /// A pid of a task.
    pub(super) fn pid(&self, number: u32) -> i32 {
        self.by_pid.iter().find(|(_, n)| **n == number).map_or(0, |(pid, _)| *pid)
    }

    /// Whose the absolute value of a number is, which may name a group.
    fn of(&self, n: i64) -> Option<(bool, u32)> {
        let pid = i32::try_from(n.checked_abs()?).ok()?;
        Some((n < 0, *self.by_pid.get(&pid)?))
    }

    fn pids(&self) -> Vec<i32> {
        self.by_pid.keys().copied().collect()
    }
}

/// Both kernels' names: Linux's, then the model's.
#[derive(Clone, Copy)]
struct Both<'n>(&'n Names, &'n Names);

impl Both<'_> {
    /// Numbers that are pids.
    fn pid(self, linux: i64, model: i64) -> bool {
        match (self.0.of(linux), self.1.of(model)) {
            (Some(linux_is), Some(model_is)) => {
                linux_is == model_is || self.0.nested && linux == model
            }
            _ => linux == model,
        }
    }

    /// Numbers that may be pids.
    fn number(self, linux: i64, model: i64) -> bool {
        linux == model || self.pid(linux, model)
    }

    fn text(self, linux: &str, model: &str) -> bool {
        linux == model
            || by_appearance(linux, &self.0.pids()) == by_appearance(model, &self.1.pids())
    }
}

/// Calls that give pids.
const GIVE_PIDS: &[&str] = &[
    "clone",
    "clone3",
    "fork",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getsid",
    "gettid",
    "setsid",
    "set_tid_address",
    "vfork",
    "wait4",
];

/// Whether a call makes a pid namespace.
pub(super) fn makes_pid_namespace(asked: &Arc<Asked>) -> bool {
    const CLONE_NEWPID: u64 = 0x2000_0000;
    let Want::Sys(Call { nr, args, payload, .. }, _) = &asked.want else { return false };
    match (syscall_name(u64::from(*nr)), payload) {
        (Some("clone" | "unshare"), _) => args[0] & CLONE_NEWPID != 0,
        (Some("clone3"), Payload::Clone(args)) => args.flags & CLONE_NEWPID != 0,
        (Some("setns"), _) => true,
        _ => false,
    }
}

/// Whether it is a system call.
pub(super) fn is_call(want: &Want) -> bool {
    matches!(want, Want::Sys(..))
}

/// Whether a system call has returned; a handler may begin within one.
pub(super) fn returns(asked: Option<&Arc<Asked>>, told: &Told) -> bool {
    matches!(told, Told::Answer(_)) && asked.is_some_and(|a| is_call(&a.want))
}

/// Whether two ask for the same kind of thing.
pub(super) fn asks(linux: &Want, model: &Want) -> bool {
    match (linux, model) {
        (Want::Sys(a, _), Want::Sys(b, _)) => a.nr == b.nr,
        (Want::Op(a), Want::Op(b)) => std::mem::discriminant(a) == std::mem::discriminant(b),
        (Want::Define(a, _), Want::Define(b, _)) => a == b,
        (Want::Symbol(a), Want::Symbol(b)) => a == b,
        (Want::State(_), Want::State(_)) => true,
        (Want::Choose(a), Want::Choose(b)) => a == b,
        (Want::Return(a), Want::Return(b)) => a == b,
        (Want::Crash(a), Want::Crash(b)) => a == b,
        _ => false,
    }
}

/// Whether two were told the same, who had asked for the same.
pub(super) fn told(
    asked: Option<&Arc<Asked>>,
    (linux, linux_names): (&Told, &Names),
    (model, model_names): (&Told, &Names),
) -> bool {
    let both = Both(linux_names, model_names);
    match (linux, model) {
        (Told::Handler(a, there), Told::Handler(b, here)) => {
            let alike = match (there, here) {
                (Some(there), Some(here)) => siginfo(there, here, both),
                (there, here) => there.is_none() && here.is_none(),
            };
            a == b && alike
        }
        (Told::Program, Told::Program) => true,
        (Told::Answer(linux), Told::Answer(model)) => {
            asked.is_none_or(|asked| answer(&asked.want, linux, model, both))
        }
        _ => false,
    }
}

fn answer(want: &Want, linux: &Answer, model: &Answer, both: Both) -> bool {
    match (linux, model) {
        (Answer::Refused(a), Answer::Refused(b)) => a.errno == b.errno,
        (Answer::Returned(a, there), Answer::Returned(b, here)) => {
            value(want, *a, *b, both) && out(want, there, here, both)
        }
        _ => false,
    }
}

/// What the call gives besides what it stores.
fn value(want: &Want, linux: i64, model: i64, both: Both) -> bool {
    match want {
        // A store gives nothing.
        Want::Op(UserOp::Store { .. }) => true,
        Want::Op(_) => both.number(linux, model),
        Want::Sys(call, _) => {
            let name = syscall_name(u64::from(call.nr)).unwrap_or_default();
            if GIVE_PIDS.contains(&name) {
                return both.pid(linux, model);
            }
            linux == model || varies(name, Part::Value) || wrote_all(call, linux, model)
        }
        _ => linux == model,
    }
}

/// Texts with pids in them may be longer on one side.
fn wrote_all(call: &Call, linux: i64, model: i64) -> bool {
    match &call.payload {
        Payload::Bytes(bytes) => linux == bytes.len() as i64 && model > 0,
        _ => false,
    }
}

/// What the call has stored.
fn out(want: &Want, linux: &Out, model: &Out, both: Both) -> bool {
    if linux == model {
        return true;
    }
    let name = match want {
        Want::Sys(call, _) => syscall_name(u64::from(call.nr)).unwrap_or_default(),
        _ => "",
    };
    if varies(name, Part::Stored) {
        return std::mem::discriminant(linux) == std::mem::discriminant(model);
    }
    match (linux, model) {
        (Out::Wait(a), Out::Wait(b)) => waited(name, a, b, both),
        (Out::SigInfo(a), Out::SigInfo(b)) => siginfo(a, b, both),
        (Out::Number(a), Out::Number(b)) => both.number(*a as i64, *b as i64),
        (Out::Bytes(a), Out::Bytes(b)) => {
            both.text(&String::from_utf8_lossy(a), &String::from_utf8_lossy(b))
        }
        (Out::Text(a), Out::Text(b)) => both.text(a, b) || varies(name, Part::Text),
        // Numbers of inodes, and how many names a directory has, are the file
        // system's; a directory's size too.
        (Out::Stat(a), Out::Stat(b)) => {
            let dir = a.mode & S_IFDIR == S_IFDIR;
            (a.mode, a.uid, a.gid) == (b.mode, b.uid, b.gid)
                && (dir || (a.nlink, a.size) == (b.nlink, b.size))
        }
        (Out::Dirents(a), Out::Dirents(b)) => names(a) == names(b),
        (Out::Rlimit(_), Out::Rlimit(_)) => varies(limit(want), Part::Stored),
        (Out::AltStack(_, flags, size), Out::AltStack(_, f, s)) => {
            (flags, size) == (f, s) && varies(name, Part::Address)
        }
        // What is left depends on the clock: whether something is, does not.
        (Out::Itimer(a), Out::Itimer(b)) => {
            (a.value == 0, a.interval) == (b.value == 0, b.interval)
        }
        // The restorer is the C library's.
        (Out::SigAction(a), Out::SigAction(b)) => {
            (a.handler, a.mask, a.flags) == (b.handler, b.mask, b.flags)
        }
        _ => false,
    }
}

/// The names in a directory, whose order is the file system's.
fn names(list: &[Dirent]) -> Vec<&str> {
    let mut names: Vec<&str> = list.iter().map(|e| e.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// The name of the limit that a call asks for.
fn limit(want: &Want) -> &'static str {
    let resource = match want {
        Want::Sys(Call { nr: NR_GETRLIMIT, args, .. }, _) => args[0],
        Want::Sys(Call { nr: NR_PRLIMIT64, args, .. }, _) => args[1],
        _ => return "",
    };
    let named = |one: &&(&str, i64)| one.1 as u64 == resource;
    RLIMIT_NAMES.iter().find(named).map_or("", |(name, _)| name)
}

const NR_GETRLIMIT: u32 = 97;
const NR_PRLIMIT64: u32 = 302;
const CORE: i32 = 0x80;
const CLD_KILLED: i32 = 2;
const CLD_DUMPED: i32 = 3;

/// Statuses, of which the core bit may vary.
fn status(call: &str, linux: i32, model: i32) -> bool {
    let signaled = |status: i32| !matches!(status & 0x7f, 0 | 0x7f);
    linux == model || varies(call, Part::Core) && signaled(linux) && linux & !CORE == model & !CORE
}

fn code(call: &str, linux: i32, model: i32) -> bool {
    let killed = |code: i32| matches!(code, CLD_KILLED | CLD_DUMPED);
    linux == model || varies(call, Part::Core) && killed(linux) && killed(model)
}

fn waited(call: &str, linux: &WaitInfo, model: &WaitInfo, both: Both) -> bool {
    // CPU times and counters are the host's; `task` and `global_pid` the model's.
    let WaitInfo { task: _, global_pid: _, rusage: _, pid, status: s, si_code, si_status, uid } =
        linux;
    let same = both.pid(i64::from(*pid), i64::from(model.pid)) && status(call, *s, model.status);
    // wait4 tells no more; its other fields are derived from the status.
    if call == "wait4" {
        return same;
    }
    same && code(call, *si_code, model.si_code)
        && *si_status == model.si_status
        && *uid == model.uid
}

fn siginfo(linux: &SigInfo, model: &SigInfo, both: Both) -> bool {
    // CPU times are the host's.
    let SigInfo {
        si_utime: _,
        si_stime: _,
        si_signo,
        si_code,
        si_pid,
        si_uid,
        si_status,
        si_addr,
        si_value,
    } = linux;
    *si_signo == model.si_signo
        && code("siginfo", *si_code, model.si_code)
        && both.pid(i64::from(*si_pid), i64::from(model.si_pid))
        && *si_uid == model.si_uid
        && *si_status == model.si_status
        && *si_addr == model.si_addr
        && *si_value == model.si_value
}
