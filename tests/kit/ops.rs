//! Random operations: what a task can do, with arguments that hit something
//! more often than not.

use super::World;
use forkyard::abi::flags::SaFlags;
use forkyard::abi::structs::CloneArgs;
use forkyard::abi::{CapSet, Errno, SigSet, Signal};
use forkyard::base::VirtAddr;
use forkyard::kernel::entry::can_act;
use forkyard::kernel::fs::{Fd, FileKind};
use forkyard::kernel::inject::STEPS;
use forkyard::kernel::signal::{Rlimit, SigAction};
use forkyard::kernel::syscalls::{Call, Payload};
use forkyard::kernel::{System, TaskId};
use forkyard::machine::UserOp;
use forkyard::machine::vmem::Size;
use proptest::prelude::*;
use proptest::sample::select;

/// One operation of one task. Small numbers choose among what there is when
/// it runs: tasks, areas, descriptors.
#[derive(Debug, Clone)]
pub struct Op {
    pub who: u8,
    pub verb: Verb,
}

/// A place in the address space: an area, and a page of it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub area: u8,
    pub page: u8,
}

#[derive(Debug, Clone)]
pub enum Verb {
    Fork,
    Vfork,
    Thread,
    Clone { flags: u64, signal: u8 },
    Clone3 { flags: u64, signal: u8, set_tid: Option<i32> },
    Exit(u8),
    ExitGroup(u8),
    Wait { pid: i8, options: u64 },
    Waitid { idtype: u64, id: u8, options: u64 },
    InitReaps,
    Kill { target: u8, how: u8, sig: u8 },
    Tgkill { target: u8, sig: u8 },
    Queue { target: u8, sig: u8 },
    PidfdKill { fd: u8, sig: u8 },
    Sigaction { sig: u8, handler: u8, flags: u8 },
    Sigprocmask { how: u64, set: u64 },
    Sigsuspend(u64),
    Sigtimedwait(u64),
    Pause,
    Sigreturn,
    Altstack { at: Place, flags: u32 },
    Ids { call: &'static str, a: u32, b: u32, c: u32 },
    Setgroups(Vec<u32>),
    Capset(u64, u64, u64),
    Prctl { op: u64, arg: u64 },
    Rlimit { which: u64, cur: u64 },
    Setpgid { pid: u8, pgid: u8 },
    Setsid,
    Mmap { pages: u8, prot: u64, flags: u64, fd: u8, at: Option<Place> },
    Munmap { at: Place, pages: u8 },
    Mprotect { at: Place, pages: u8, prot: u64 },
    Madvise { at: Place, pages: u8, advice: u64 },
    Mlock { call: &'static str, at: Place, pages: u8 },
    Mlockall(u64),
    Brk(i8),
    Load(Place),
    Store(Place, u8),
    Exec(Place),
    Trap(u8),
    Open { path: u8, flags: u64 },
    Path { call: &'static str, path: u8, mode: u64 },
    Fd { call: &'static str, a: u8, b: u8 },
    Fcntl { fd: u8, cmd: u64, arg: u64 },
    Pipe(u64),
    Read { fd: u8, len: u16, at: Option<Place> },
    Write { fd: u8, len: u16, at: Option<Place> },
    PidfdOpen { target: u8, flags: u64 },
    Futex { wait: bool, at: Place, val: u32 },
    SetTidAddress(Place),
    Execve(u8),
    Affinity(u8),
    Inject { step: u8, skip: u8 },
}

pub const PATHS: [&str; 7] =
    ["/tmp/a", "/tmp/b", "/tmp/d", "/tmp/d/x", "/etc/passwd", "/dev/zero", "/tmp"];
const PROGRAMS: [&str; 4] = ["/bin/true", "/bin/su", "/no/such", "/etc/passwd"];

fn signal() -> impl Strategy<Value = u8> {
    select(vec![0u8, 1, 2, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 21, 34, 40, 64, 65])
}

/// Sparse sets of the signals used here.
fn set() -> impl Strategy<Value = u64> {
    (select(vec![0u64, 1 << 9, 1 << 16, 1 << 11, 1 << 39, u64::MAX, 0x0002_0a00]), any::<bool>())
        .prop_map(|(set, chld)| if chld { set | 1 << 16 } else { set })
}

fn place() -> impl Strategy<Value = Place> {
    (any::<u8>(), 0u8..8).prop_map(|(area, page)| Place { area, page })
}

/// Up to four flags of clone, the combinations that make sense preferred.
fn clone_flags() -> impl Strategy<Value = u64> {
    let bit = (7u32..34).prop_map(|b| 1u64 << b);
    let basis = select(vec![0u64, 0, 0x100, 0x4100, 0x900, 0x10900, 0x10f00, 0x8000, 0x2000_0000]);
    (basis, proptest::collection::vec(bit, 0..3))
        .prop_map(|(basis, bits)| bits.iter().fold(basis, |f, b| f | b))
}

pub fn op() -> impl Strategy<Value = Op> {
    (any::<u8>(), verb()).prop_map(|(who, verb)| Op { who, verb })
}

fn verb() -> impl Strategy<Value = Verb> {
    let id = || select(vec![0u32, 1000, 1001, 65534, u32::MAX]);
    let caps = || select(vec![0u64, 0xff, 0x1_ffff_ffff, 0x1ff_ffff_ffff, u64::MAX]);
    let protection = || select(vec![3u64, 3, 1, 0, 5, 7, 2]);
    let life = prop_oneof![
        14 => Just(Verb::Fork),
        3 => Just(Verb::Vfork),
        6 => Just(Verb::Thread),
        6 => (clone_flags(), signal()).prop_map(|(flags, signal)| Verb::Clone { flags, signal }),
        4 => (clone_flags(), signal(), proptest::option::weighted(0.2, -1i32..40))
            .prop_map(|(flags, signal, set_tid)| Verb::Clone3 { flags, signal, set_tid }),
        3 => any::<u8>().prop_map(Verb::Exit),
        3 => any::<u8>().prop_map(Verb::ExitGroup),
        6 => (select(vec![-1i8, -1, -1, 0, 1, 2, -2]), select(vec![
                0u64, 1, 2, 3, 8, 9, 0x4000_0001, 0x4000_0000, 0x8000_0001, 0x2000_0001, 4,
            ])).prop_map(|(pid, options)| Verb::Wait { pid, options }),
        3 => (0u64..5, any::<u8>(), select(vec![4u64, 5, 7, 0xd, 0x0100_0005, 0x4000_0005, 2, 0]))
            .prop_map(|(idtype, id, options)| Verb::Waitid { idtype, id, options }),
        2 => Just(Verb::InitReaps),
        2 => (0u8..4).prop_map(Verb::Execve),
        1 => (0u8..4).prop_map(Verb::Affinity),
    ];
    let signals = prop_oneof![
        18 => (any::<u8>(), 0u8..8, signal())
            .prop_map(|(target, how, sig)| Verb::Kill { target, how, sig }),
        6 => (any::<u8>(), signal()).prop_map(|(target, sig)| Verb::Tgkill { target, sig }),
        6 => (any::<u8>(), signal()).prop_map(|(target, sig)| Verb::Queue { target, sig }),
        3 => (any::<u8>(), signal()).prop_map(|(fd, sig)| Verb::PidfdKill { fd, sig }),
        12 => (signal(), 0u8..4, 0u8..8)
            .prop_map(|(sig, handler, flags)| Verb::Sigaction { sig, handler, flags }),
        9 => (0u64..4, set()).prop_map(|(how, set)| Verb::Sigprocmask { how, set }),
        1 => set().prop_map(Verb::Sigsuspend),
        1 => set().prop_map(Verb::Sigtimedwait),
        1 => Just(Verb::Pause),
        6 => Just(Verb::Sigreturn),
        3 => (place(), select(vec![0u32, 2, 1 << 31])).prop_map(|(at, flags)| Verb::Altstack { at, flags }),
    ];
    let identity = prop_oneof![
        4 => (select(vec!["setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid",
                          "setfsuid", "setfsgid"]), id(), id(), id())
            .prop_map(|(call, a, b, c)| Verb::Ids { call, a, b, c }),
        1 => proptest::collection::vec(id(), 0..3).prop_map(Verb::Setgroups),
        1 => (caps(), caps(), caps()).prop_map(|(e, p, i)| Verb::Capset(e, p, i)),
        3 => (select(vec![1u64, 4, 8, 15, 24, 28, 36, 36, 38, 47]), 0u64..3)
            .prop_map(|(op, arg)| Verb::Prctl { op, arg }),
        1 => (select(vec![2u64, 3, 6, 6, 7, 8, 9, 11]), select(vec![0u64, 1, 4, 1 << 20, u64::MAX]))
            .prop_map(|(which, cur)| Verb::Rlimit { which, cur }),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(pid, pgid)| Verb::Setpgid { pid, pgid }),
        1 => Just(Verb::Setsid),
    ];
    let memory = prop_oneof![
        12 => (1u8..8, protection(), select(vec![
                0x22u64, 0x22, 0x22, 0x21, 0x8022, 0x2022, 0x122, 0x8021, 2, 1, 0x4022,
            ]), any::<u8>(), proptest::option::weighted(0.2, place()))
            .prop_map(|(pages, prot, flags, fd, at)| Verb::Mmap { pages, prot, flags, fd, at }),
        6 => (place(), 1u8..6).prop_map(|(at, pages)| Verb::Munmap { at, pages }),
        6 => (place(), 1u8..6, protection())
            .prop_map(|(at, pages, prot)| Verb::Mprotect { at, pages, prot }),
        8 => (place(), 1u8..6, select(vec![0u64, 1, 2, 3, 4, 4, 10, 11, 16, 17, 18, 18, 19, 22, 23, 24]))
            .prop_map(|(at, pages, advice)| Verb::Madvise { at, pages, advice }),
        4 => (select(vec!["mlock", "munlock", "msync", "mincore"]), place(), 1u8..6)
            .prop_map(|(call, at, pages)| Verb::Mlock { call, at, pages }),
        2 => (0u64..4).prop_map(Verb::Mlockall),
        6 => (-4i8..8).prop_map(Verb::Brk),
        12 => place().prop_map(Verb::Load),
        20 => (place(), any::<u8>()).prop_map(|(at, v)| Verb::Store(at, v)),
        1 => place().prop_map(Verb::Exec),
        1 => (0u8..4).prop_map(Verb::Trap),
        4 => (any::<bool>(), place(), 0u32..3)
            .prop_map(|(wait, at, val)| Verb::Futex { wait, at, val }),
        2 => place().prop_map(Verb::SetTidAddress),
    ];
    let files = prop_oneof![
        4 => (0u8..7, select(vec![0u64, 0x42, 0x42, 0x242, 0x441, 2, 0o2000000, 0o4002]))
            .prop_map(|(path, flags)| Verb::Open { path, flags }),
        3 => (select(vec!["unlink", "mkdir", "chdir", "chmod", "creat", "truncate"]), 0u8..7, select(vec![0o755u64, 0, 0o600]))
            .prop_map(|(call, path, mode)| Verb::Path { call, path, mode }),
        5 => (select(vec!["close", "dup", "dup2", "dup3", "close_range", "fchmod", "ftruncate"]), any::<u8>(), any::<u8>())
            .prop_map(|(call, a, b)| Verb::Fd { call, a, b }),
        1 => (any::<u8>(), select(vec![0u64, 1, 2, 3, 4, 1030]), 0u64..3)
            .prop_map(|(fd, cmd, arg)| Verb::Fcntl { fd, cmd, arg }),
        3 => select(vec![0u64, 0, 0o4000, 0o2000000]).prop_map(Verb::Pipe),
        4 => (any::<u8>(), select(vec![0u16, 1, 100, 5000]), proptest::option::of(place()))
            .prop_map(|(fd, len, at)| Verb::Read { fd, len, at }),
        5 => (any::<u8>(), select(vec![0u16, 1, 100, 5000, 65535]), proptest::option::of(place()))
            .prop_map(|(fd, len, at)| Verb::Write { fd, len, at }),
        2 => (any::<u8>(), select(vec![0u64, 0o4000, 0o200]))
            .prop_map(|(target, flags)| Verb::PidfdOpen { target, flags }),
    ];
    let inject = (any::<u8>(), 0u8..4).prop_map(|(step, skip)| Verb::Inject { step, skip });
    prop_oneof![
        9 => life,
        5 => signals,
        3 => identity,
        8 => memory,
        5 => files,
        1 => inject,
    ]
}

/// Tasks that can act: those below init that are neither asleep nor dead.
pub fn actors(sys: &System) -> Vec<TaskId> {
    let group = sys.task(sys.kernel.init_process).signal;
    let tasks = sys.kernel.tasks.iter();
    tasks
        .filter(|(id, t)| t.signal != group && can_act(sys, *id).is_ok())
        .map(|(id, _)| id)
        .collect()
}

fn nth<T: Copy>(from: &[T], n: u8) -> Option<T> {
    from.get(usize::from(n) % from.len().max(1)).copied()
}

/// Pids by which user tasks can be named.
fn pids(sys: &System) -> Vec<i32> {
    let tasks = sys.kernel.tasks.iter();
    tasks.filter(|(_, t)| t.thread_pid.is_some()).map(|(_, t)| t.pid).collect()
}

fn addr(sys: &System, t: TaskId, at: Place) -> u64 {
    let Some(mm) = sys.task(t).mm else { return 0 };
    let areas: Vec<_> = sys.mm(mm).mmap.values().map(|v| (v.vm_start, v.vm_end)).collect();
    let Some((start, end)) = nth(&areas, at.area) else { return 0x5000 };
    start + u64::from(at.page) * 0x1000 % (end - start)
}

/// A descriptor that is open, mostly.
fn fd(sys: &System, t: TaskId, n: u8) -> u64 {
    let Some(files) = sys.task(t).files.and_then(|f| sys.kernel.files.get(f)) else { return 0 };
    let open = (0u64..).zip(&files.fdt).filter(|(_, s)| s.is_some()).map(|(i, _)| i);
    // The console now and then; what was opened since is more to the point.
    let first = if n.is_multiple_of(8) { 0 } else { 3 };
    let open: Vec<_> = open.filter(|fd| *fd >= first).collect();
    if n >= 240 { u64::from(n) } else { nth(&open, n).unwrap_or(0) }
}

/// A descriptor of a process, mostly.
fn pidfd(sys: &System, t: TaskId, n: u8) -> u64 {
    let Some(files) = sys.task(t).files.and_then(|f| sys.kernel.files.get(f)) else { return 0 };
    let is_pidfd = |s: &Option<Fd>| {
        let file = s.and_then(|s| sys.kernel.filps.get(s.file));
        file.is_some_and(|f| matches!(f.kind, FileKind::Pidfd(_)))
    };
    let open: Vec<_> =
        (0u64..).zip(&files.fdt).filter(|(_, s)| is_pidfd(s)).map(|(i, _)| i).collect();
    nth(&open, n).unwrap_or_else(|| fd(sys, t, n))
}

/// Whom an operation is given to; init makes someone if there is nobody.
pub fn actor(w: &mut World, op: &Op) -> Option<TaskId> {
    if actors(&w.sys).is_empty() && w.sys.machine.config.mmu {
        let _ = w.sys.call(w.init, Call::new(57, &[]));
    }
    let all = actors(&w.sys);
    if matches!(op.verb, Verb::Wait { .. } | Verb::Waitid { .. }) {
        let parents = all.iter().filter(|t| w.sys.task(**t).nr_children > 0);
        let parents: Vec<_> = parents.copied().collect();
        return nth(&parents, op.who).or_else(|| nth(&all, op.who));
    }
    nth(&all, op.who)
}

/// Carries out `op`; whether it was refused does not matter to most.
pub fn perform(w: &mut World, op: &Op) -> bool {
    let Some(t) = actor(w, op) else { return false };
    let done = match step(w, t, &op.verb) {
        Step::Call(name, args, payload) => {
            let nr = forkyard::abi::nr::syscall_number(name).expect("a call of Linux");
            let t = if matches!(op.verb, Verb::InitReaps) { w.init } else { t };
            w.sys.call(t, Call::with(nr, &args, payload)).is_ok()
        }
        Step::User(user) => w.sys.op(t, user).is_ok(),
        Step::Done => return true,
    };
    if !matches!(op.verb, Verb::Inject { .. }) {
        w.sys.kernel.inject.clear();
    }
    done
}

enum Step {
    Call(&'static str, Vec<u64>, Payload),
    User(UserOp),
    Done,
}

fn call(name: &'static str, args: &[u64]) -> Step {
    Step::Call(name, args.to_vec(), Payload::None)
}

fn path(name: &'static str, args: &[u64], path: &str) -> Step {
    Step::Call(name, args.to_vec(), Payload::Text(path.into()))
}

fn step(w: &mut World, t: TaskId, verb: &Verb) -> Step {
    let sys = &w.sys;
    let page = 0x1000u64;
    match *verb {
        Verb::Fork => call("fork", &[]),
        Verb::Vfork => call("vfork", &[]),
        Verb::Thread => call("clone", &[0x0005_0f00, 0, 0, 0, 0]),
        Verb::Clone { flags, signal } => {
            let tids = addr(sys, t, Place { area: 1, page: 0 });
            call("clone", &[flags & !0xff | u64::from(signal), 0, tids, tids + 8, 0x1000])
        }
        Verb::Clone3 { flags, signal, set_tid } => {
            let tids = addr(sys, t, Place { area: 1, page: 0 });
            let args = CloneArgs {
                flags,
                exit_signal: u64::from(signal),
                pidfd: tids + 16,
                parent_tid: tids,
                child_tid: tids + 8,
                tls: 0x1000,
                set_tid: set_tid.into_iter().collect(),
                ..CloneArgs::default()
            };
            Step::Call("clone3", vec![0, 88], Payload::Clone(Box::new(args)))
        }
        Verb::Exit(code) => call("exit", &[u64::from(code)]),
        Verb::ExitGroup(code) => call("exit_group", &[u64::from(code)]),
        Verb::Wait { pid, options } => {
            let pid = match pid {
                -1 | 0 => i64::from(pid),
                n => {
                    let some = nth(&pids(sys), n.unsigned_abs()).unwrap_or(1);
                    i64::from(some) * i64::from(n.signum())
                }
            };
            call("wait4", &[pid as u64, 0, options, 0])
        }
        Verb::Waitid { idtype, id, options } => {
            let id = match idtype {
                3 => pidfd(sys, t, id),
                _ => nth(&pids(sys), id).unwrap_or(0) as u64,
            };
            call("waitid", &[idtype, id, 0, options, 0])
        }
        Verb::InitReaps => call("wait4", &[u64::MAX, 0, 0x4000_0001, 0]),
        Verb::Kill { target, how, sig } => {
            let pid = i64::from(nth(&pids(sys), target).unwrap_or(1));
            let pid = match how {
                0 => -pid,
                1 => 0,
                2 => -1,
                _ => pid,
            };
            call("kill", &[pid as u64, u64::from(sig)])
        }
        Verb::Tgkill { target, sig } => {
            let tasks: Vec<_> = sys.kernel.tasks.iter().map(|(_, t)| (t.tgid, t.pid)).collect();
            let (tgid, pid) = nth(&tasks, target).unwrap_or((1, 1));
            call("tgkill", &[tgid as u64, pid as u64, u64::from(sig)])
        }
        Verb::Queue { target, sig } => {
            let pid = nth(&pids(sys), target).unwrap_or(1);
            let info = forkyard::abi::structs::SigInfo::new(
                Signal::new(i32::from(sig)).unwrap_or(Signal::SIGUSR1),
                -1,
            );
            let args = vec![pid as u64, u64::from(sig), 0];
            Step::Call("rt_sigqueueinfo", args, Payload::SigInfo(Box::new(info)))
        }
        Verb::PidfdKill { fd: n, sig } => {
            call("pidfd_send_signal", &[pidfd(sys, t, n), u64::from(sig), 0, 0])
        }
        Verb::Sigaction { sig, handler, flags } => {
            let handler = match handler {
                0 => 0,
                1 => 1,
                _ => 0x40_0000,
            };
            let mut sa = SaFlags::SA_RESTORER;
            sa.set(SaFlags::SA_RESTART, flags & 1 != 0);
            sa.set(SaFlags::SA_NOCLDWAIT, flags & 2 != 0);
            sa.set(SaFlags::SA_NODEFER | SaFlags::SA_RESETHAND, flags & 4 != 0);
            let action = SigAction { handler, flags: sa, restorer: 0x40_0010, mask: SigSet(0) };
            Step::Call("rt_sigaction", vec![u64::from(sig), 0, 0, 8], Payload::SigAction(action))
        }
        Verb::Sigprocmask { how, set } => {
            Step::Call("rt_sigprocmask", vec![how, 0, 0, 8], Payload::SigSet(SigSet(set)))
        }
        Verb::Sigsuspend(set) => {
            Step::Call("rt_sigsuspend", vec![0, 8], Payload::SigSet(SigSet(set)))
        }
        Verb::Sigtimedwait(set) => {
            Step::Call("rt_sigtimedwait", vec![0, 0, 0, 8], Payload::SigSet(SigSet(set)))
        }
        Verb::Pause => call("pause", &[]),
        Verb::Sigreturn => call("rt_sigreturn", &[]),
        Verb::Altstack { at, flags } => {
            let stack = Payload::AltStack(addr(sys, t, at), flags, 0x4000);
            Step::Call("sigaltstack", vec![0, 0], stack)
        }
        Verb::Ids { call: name, a, b, c } => {
            call(name, &[u64::from(a), u64::from(b), u64::from(c)])
        }
        Verb::Setgroups(ref groups) => {
            let args = vec![groups.len() as u64, 0];
            Step::Call("setgroups", args, Payload::Ids(groups.clone().into()))
        }
        Verb::Capset(e, p, i) => {
            Step::Call("capset", vec![0, 0], Payload::Caps(CapSet(e), CapSet(p), CapSet(i)))
        }
        Verb::Prctl { op: 15, .. } => path("prctl", &[15, 0, 0, 0, 0], "renamed"),
        Verb::Prctl { op, arg } => call("prctl", &[op, arg, 0, 0, 0]),
        Verb::Rlimit { which, cur } => {
            let limit = Rlimit { cur, max: u64::MAX };
            Step::Call("prlimit64", vec![0, which, 0, 0], Payload::Rlimit(limit))
        }
        Verb::Setpgid { pid, pgid } => {
            let all = pids(sys);
            let pick = |n: u8| if n < 128 { 0 } else { nth(&all, n).unwrap_or(0) as u64 };
            call("setpgid", &[pick(pid), pick(pgid)])
        }
        Verb::Setsid => call("setsid", &[]),
        Verb::Mmap { pages, prot, flags, fd: n, at } => {
            let at = at.map_or(0, |p| addr(sys, t, p));
            let flags = if at != 0 { flags | 0x10 } else { flags };
            let fd = if flags & 0x20 != 0 { u64::MAX } else { fd(sys, t, n) };
            call("mmap", &[at, u64::from(pages) * page, prot, flags, fd, 0])
        }
        Verb::Munmap { at, pages } => call("munmap", &[addr(sys, t, at), u64::from(pages) * page]),
        Verb::Mprotect { at, pages, prot } => {
            call("mprotect", &[addr(sys, t, at), u64::from(pages) * page, prot])
        }
        Verb::Madvise { at, pages, advice } => {
            call("madvise", &[addr(sys, t, at), u64::from(pages) * page, advice])
        }
        Verb::Mlock { call: name, at, pages } => {
            let vec = addr(sys, t, Place { area: 1, page: 0 });
            let third = if name == "mincore" { vec } else { 4 };
            call(name, &[addr(sys, t, at), u64::from(pages) * page, third])
        }
        Verb::Mlockall(0) => call("munlockall", &[]),
        Verb::Mlockall(flags) => call("mlockall", &[flags]),
        Verb::Brk(pages) => {
            let now = sys.task(t).mm.map_or(0, |m| sys.mm(m).brk);
            call("brk", &[now.wrapping_add_signed(i64::from(pages) * 0x800)])
        }
        Verb::Load(at) => {
            Step::User(UserOp::Load { addr: VirtAddr(addr(sys, t, at)), size: Size::Qword })
        }
        Verb::Store(at, value) => {
            let addr = VirtAddr(addr(sys, t, at));
            Step::User(UserOp::Store { addr, size: Size::Dword, value: u64::from(value) })
        }
        Verb::Exec(at) => Step::User(UserOp::Exec { addr: VirtAddr(addr(sys, t, at)) }),
        Verb::Trap(n) => Step::User(match n {
            0 => UserOp::Ud2,
            1 => UserOp::Int3,
            2 => UserOp::Privileged,
            _ => UserOp::Divide { a: 1, b: 0 },
        }),
        Verb::Open { path: n, flags } => {
            path("open", &[0, flags, 0o644], PATHS[usize::from(n) % PATHS.len()])
        }
        Verb::Path { call: "truncate", path: n, mode } => {
            path("truncate", &[0, mode * 8], PATHS[usize::from(n) % PATHS.len()])
        }
        Verb::Path { call: name, path: n, mode } => {
            path(name, &[0, mode], PATHS[usize::from(n) % PATHS.len()])
        }
        Verb::Fd { call: name, a, b } => {
            let (a, b) = (fd(sys, t, a), u64::from(b % 12));
            match name {
                "close_range" => call(name, &[a, a + b, b % 8]),
                "ftruncate" => call(name, &[a, b * 0x700]),
                "dup3" => call(name, &[a, b, 0o2000000]),
                _ => call(name, &[a, b]),
            }
        }
        Verb::Fcntl { fd: n, cmd, arg } => call("fcntl", &[fd(sys, t, n), cmd, arg]),
        Verb::Pipe(flags) => call("pipe2", &[0, flags]),
        Verb::Read { fd: n, len, at } => {
            let to = at.map_or(0, |p| addr(sys, t, p));
            call("read", &[fd(sys, t, n), to, u64::from(len)])
        }
        Verb::Write { fd: n, len, at: Some(at) } => {
            call("write", &[fd(sys, t, n), addr(sys, t, at), u64::from(len)])
        }
        Verb::Write { fd: n, len, at: None } => {
            let bytes = vec![0x5a; usize::from(len)].into();
            Step::Call("write", vec![fd(sys, t, n), 0, u64::from(len)], Payload::Bytes(bytes))
        }
        Verb::PidfdOpen { target, flags } => {
            call("pidfd_open", &[nth(&pids(sys), target).unwrap_or(1) as u64, flags])
        }
        Verb::Futex { wait, at, val } => {
            let op = if wait { 128 } else { 129 };
            call("futex", &[addr(sys, t, at), op, u64::from(val), 0, 0, 0])
        }
        Verb::SetTidAddress(at) => call("set_tid_address", &[addr(sys, t, at)]),
        Verb::Execve(n) => {
            let program = PROGRAMS[usize::from(n) % PROGRAMS.len()].to_string();
            let exec = (program.clone(), vec![program], vec!["A=1".to_string()]);
            Step::Call("execve", vec![0, 0, 0], Payload::Exec(Box::new(exec)))
        }
        Verb::Affinity(mask) => call("sched_setaffinity", &[0, 8, u64::from(mask)]),
        Verb::Inject { step, skip } => {
            let name = STEPS[usize::from(step) % STEPS.len()];
            w.sys.kernel.inject.arm(name, Errno::ENOMEM, u32::from(skip)).expect("a known step");
            Step::Done
        }
    }
}
