//! Performing a random operation: its small numbers become tasks, areas and
//! descriptors that exist.

use super::World;
use super::ops::{Arg, GROUPS, LOOKED_AT, Op, PATHS, PROGRAMS, Place, Verb, WORDS, WRITTEN};
use forkyard::abi::flags::SaFlags;
use forkyard::abi::structs::CloneArgs;
use forkyard::abi::tty;
use forkyard::abi::{CapSet, Errno, SigSet, Signal};
use forkyard::base::VirtAddr;
use forkyard::kernel::entry::{self, can_act};
use forkyard::kernel::fs::namei::AT_FDCWD;
use forkyard::kernel::fs::select::PollFd;
use forkyard::kernel::fs::{Fd, FileKind};
use forkyard::kernel::inject::STEPS;
use forkyard::kernel::list;
use forkyard::kernel::signal::{Rlimit, SigAction};
use forkyard::kernel::syscalls::{Call, Payload, PollArgs, table};
use forkyard::kernel::task::TaskList;
use forkyard::kernel::timer;
use forkyard::kernel::{System, TaskId};
use forkyard::machine::UserOp;
use forkyard::machine::vmem::Size;
use forkyard::session::director::Done;

/// Tasks that can act: those below init that are neither asleep nor dead.
pub fn actors(sys: &System) -> Vec<TaskId> {
    let group = sys.task(sys.kernel.init_process).signal;
    let tasks = sys.kernel.tasks.iter();
    tasks
        .filter(|(id, t)| t.signal != group && can_act(sys, *id).is_ok())
        .filter(|(id, _)| !sys.kernel.todo.contains(id))
        .map(|(id, _)| id)
        .collect()
}

/// Where each step is picked: now and then, one of those that were woken or
/// signalled and have not gone on.
fn on_its_way(w: &World, who: u8) -> Option<TaskId> {
    let todo: Vec<_> = w.sys.kernel.todo.iter().copied().collect();
    if who.is_multiple_of(2) { nth(&todo, who / 2) } else { None }
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

/// A descriptor of a terminal, mostly.
fn tty_fd(sys: &System, t: TaskId, n: u8) -> u64 {
    let Some(files) = sys.task(t).files.and_then(|f| sys.kernel.files.get(f)) else { return 0 };
    let is_tty = |s: &Option<Fd>| {
        let file = s.and_then(|s| sys.kernel.filps.get(s.file));
        file.is_some_and(|f| matches!(f.kind, FileKind::Tty(_) | FileKind::HungUpTty(_)))
    };
    let open: Vec<_> =
        (0u64..).zip(&files.fdt).filter(|(_, s)| is_tty(s)).map(|(i, _)| i).collect();
    nth(&open, n).unwrap_or_else(|| fd(sys, t, n))
}

/// Something with a terminal: opening one, asking it, typing.
fn terminal(sys: &System, t: TaskId, what: u8, fd: u8, arg: u8) -> Step {
    const TYPED: [&[u8]; 8] =
        [b"a\n", b"bc", b"\x03", b"\x1a", b"\x04", b"\x1c", b"x\x7f\x15", b"\t\x03\n"];
    let flags = [2u64, 2, 2 | 0o400, 2 | 0o4000, 0, 1][usize::from(arg) % 6];
    let tty = tty_fd(sys, t, fd);
    let ioctl = |request: u32, arg: u64| call("ioctl", &[tty, u64::from(request), arg]);
    let with = |request: u32, bytes: &[u8]| {
        Step::Call("ioctl", vec![tty, u64::from(request), 0], Payload::Bytes(bytes.into()))
    };
    match what {
        0 => path("open", &[0, flags, 0], "/dev/ptmx"),
        1 => with(tty::TIOCSPTLCK, &u32::from(arg < 30).to_le_bytes()),
        2 => path("open", &[0, flags, 0], &format!("/dev/pts/{}", fd % 3)),
        3 => path("open", &[0, flags, 0], "/dev/tty"),
        4 => ioctl(tty::TIOCSCTTY, u64::from(arg % 2)),
        5 => ioctl(tty::TIOCNOTTY, 0),
        6 => {
            let all = pids(sys);
            let pgrp = nth(&all, arg).unwrap_or(-1);
            with(tty::TIOCSPGRP, &pgrp.to_le_bytes())
        }
        7 => {
            let (_, request) = tty::REQUESTS[usize::from(arg) % tty::REQUESTS.len()];
            ioctl(request as u32, 0)
        }
        8 => {
            let bytes = TYPED[usize::from(arg) % TYPED.len()];
            let args = vec![tty, 0, bytes.len() as u64];
            Step::Call("write", args, Payload::Bytes(bytes.into()))
        }
        9 => call("read", &[tty, 0, u64::from(arg % 5)]),
        10 => {
            // One mode is switched.
            let some = sys.kernel.ttys.iter().next().map(|(_, t)| t.termios);
            let Some(mut termios) = some else { return call("getpid", &[]) };
            termios.c_lflag.toggle(tty::LocalModes::from_bits_retain(1 << (arg % 10)));
            let request = tty::TCSETS + u32::from(fd % 3);
            with(request, &termios.to_bytes())
        }
        11 => call("vhangup", &[]),
        _ => call("setsid", &[]),
    }
}

/// Whom an operation is given to; init makes someone if there is nobody.
pub fn actor(w: &mut World, op: &Op) -> Option<TaskId> {
    if actors(&w.sys).is_empty() && w.sys.machine.config.mmu {
        let _ = w.sys.call(w.init, Call::new(57, &[]));
    }
    let all = actors(&w.sys);
    if matches!(op.verb, Verb::Wait { .. } | Verb::Waitid { .. }) {
        let waits = |t: &&TaskId| {
            let t = w.sys.task(**t);
            t.nr_children > 0 || t.ptraced.first.is_some()
        };
        let parents = all.iter().filter(waits);
        let parents: Vec<_> = parents.copied().collect();
        return nth(&parents, op.who).or_else(|| nth(&all, op.who));
    }
    if matches!(op.verb, Verb::Ptrace { op, .. } if ![0, 16, 0x4206].contains(&op)) {
        let tracers = all.iter().filter(|t| w.sys.task(**t).ptraced.first.is_some());
        let tracers: Vec<_> = tracers.copied().collect();
        return nth(&tracers, op.who).or_else(|| nth(&all, op.who));
    }
    nth(&all, op.who)
}

/// Carries out `op`; whether it was refused does not matter to most.
pub fn perform(w: &mut World, op: &Op) -> bool {
    if let Some(t) = on_its_way(w, op.who) {
        entry::resume_picked(&mut w.sys, t);
        entry::settle(&mut w.sys);
        return true;
    }
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

/// Opens a file; its descriptor, if there is one.
fn open(w: &mut World, t: TaskId, file: &str, flags: u64) -> Option<u64> {
    let open = Call::with(2, &[0, flags, 0], Payload::Text(file.into()));
    match w.sys.call(t, open) {
        Ok(Done::Returned(fd, _)) => Some(fd as u64),
        _ => None,
    }
}

/// Writes a word to a file. What it does to the writer may be its end.
fn tell(w: &mut World, t: TaskId, file: &str, word: &str) -> Step {
    if let Some(fd) = open(w, t, file, 1) {
        let bytes = word.as_bytes().into();
        let write = Call::with(1, &[fd, 0, word.len() as u64], Payload::Bytes(bytes));
        let _ = w.sys.call(t, write);
        close(w, t, fd);
    }
    Step::Done
}

/// Reads a file to its end, or a little of it.
fn look(w: &mut World, t: TaskId, file: &str) -> Step {
    if let Some(fd) = open(w, t, file, 0) {
        for _ in 0..4 {
            let _ = w.sys.call(t, Call::new(0, &[fd, 0, 4096]));
        }
        close(w, t, fd);
    }
    Step::Done
}

fn close(w: &mut World, t: TaskId, fd: u64) {
    if w.sys.kernel.tasks.contains(t) && can_act(&w.sys, t).is_ok() {
        let _ = w.sys.call(t, Call::new(3, &[fd]));
    }
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
        Verb::Ptrace { op, target, at, data } => {
            let ours = list::iter(&sys.kernel.tasks, sys.task(t).ptraced, TaskList::Ptraced);
            let ours: Vec<i32> = ours.map(|p| sys.task(p).pid).collect();
            // A tracer can change init for good, and kill it.
            let others: Vec<i32> = pids(sys).into_iter().filter(|pid| *pid != 1).collect();
            let pid = match target % 4 {
                0 => nth(&others, target / 4),
                _ => nth(&ours, target / 4).or(nth(&others, target / 4)),
            };
            let addr = match op {
                0x4206 | 7 | 24 => 0,
                0x420a => 8,
                3 | 6 => u64::from(at.page) * 8,
                _ => addr(sys, t, at),
            };
            call("ptrace", &[op, pid.unwrap_or(0) as u64, addr, data])
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
        Verb::Mremap { at, old, new, flags, to } => {
            let [at, to] = [at, to].map(|place| addr(sys, t, place) & !0xfff);
            let [old, new] = [old, new].map(|pages| u64::from(pages) << 12);
            call("mremap", &[at, old, new, flags, to])
        }
        Verb::Poll { fds, events, msecs } => {
            let fds = fds.iter().map(|n| PollFd { fd: fd(sys, t, *n) as i32, events });
            let args = PollArgs { fds: fds.collect(), timeout: None, mask: None };
            Step::Call("poll", vec![0, 0, msecs as u64], Payload::Poll(Box::new(args)))
        }
        Verb::Futex { wait, at, val } => {
            // FUTEX_PRIVATE_FLAG at every second value.
            let op = u64::from(!wait) | u64::from(val & 1) << 7;
            call("futex", &[addr(sys, t, at), op, u64::from(val), 0, 0, 0])
        }
        Verb::SetTidAddress(at) => call("set_tid_address", &[addr(sys, t, at)]),
        Verb::Tty { what, fd, arg } => terminal(sys, t, what, fd, arg),
        Verb::Execve(n) => {
            let program = PROGRAMS[usize::from(n) % PROGRAMS.len()].to_string();
            let exec = (program.clone(), vec![program], vec!["A=1".to_string()]);
            match n % 2 {
                0 => Step::Call("execve", vec![0, 0, 0], Payload::Exec(Box::new(exec))),
                _ => {
                    let at = vec![AT_FDCWD as u64, 0, 0, 0, 0x1000];
                    Step::Call("execveat", at, Payload::Exec(Box::new(exec)))
                }
            }
        }
        Verb::Affinity(mask) => {
            let bytes = u64::from(mask).to_le_bytes();
            Step::Call("sched_setaffinity", vec![0, 8, 0], Payload::Bytes(Box::new(bytes)))
        }
        Verb::Unshare(flags) => call("unshare", &[flags]),
        Verb::Setns { target, flags } => {
            let pid = nth(&pids(sys), target).unwrap_or(1);
            if let Ok(Done::Returned(fd, _)) = w.sys.call(t, Call::new(434, &[pid as u64, 0])) {
                let _ = w.sys.call(t, Call::new(308, &[fd as u64, flags]));
                close(w, t, fd as u64);
            }
            Step::Done
        }
        Verb::Scheduler { target, policy, priority } => {
            let pid = nth(&pids(sys), target).filter(|_| target % 2 == 0).unwrap_or(0);
            let param = priority.to_le_bytes();
            let args = vec![pid as u64, policy, 0];
            Step::Call("sched_setscheduler", args, Payload::Bytes(Box::new(param)))
        }
        Verb::Nice { which, target, nice } => {
            let pid = nth(&pids(sys), target).filter(|_| target % 2 == 0).unwrap_or(0);
            call("setpriority", &[which, pid as u64, i64::from(nice) as u64])
        }
        Verb::Yield => call("sched_yield", &[]),
        Verb::Sleep(us) => {
            let time = Payload::Timespec(0, i64::from(us) * 1000);
            Step::Call("nanosleep", vec![0, 0], time)
        }
        Verb::Alarm { value, interval } => {
            let timer = Payload::Itimer([0, i64::from(value), 0, i64::from(interval)]);
            Step::Call("setitimer", vec![0, 0, 0], timer)
        }
        Verb::Pass(us) => {
            timer::advance(&mut w.sys, u64::from(us) * 1000);
            Step::Done
        }
        Verb::RobustList(at) => call("set_robust_list", &[addr(sys, t, at), 24]),
        Verb::Group { call: name, name: n } => {
            path(name, &[0, 0o755], GROUPS[usize::from(n) % GROUPS.len()])
        }
        Verb::Tell { file, word, target } => {
            let file = WRITTEN[usize::from(file) % WRITTEN.len()];
            let word = match WORDS.get(usize::from(word)) {
                Some(word) => (*word).to_string(),
                None => nth(&pids(sys), target).unwrap_or(0).to_string(),
            };
            tell(w, t, file, &word)
        }
        Verb::Look(n) => {
            let whose = nth(&pids(sys), n / 12).filter(|_| n % 2 == 0);
            let whose = whose.map_or("self".to_string(), |pid| pid.to_string());
            let file = LOOKED_AT[usize::from(n) % LOOKED_AT.len()];
            let file = match file {
                "task/children" => format!("/proc/{whose}/task/{whose}/children"),
                file => format!("/proc/{whose}/{file}"),
            };
            look(w, t, &file)
        }
        Verb::Raw { call: n, args } => {
            let rows: Vec<_> = table::AREAS.iter().copied().flatten().collect();
            let row = rows[usize::from(n) % rows.len()];
            let all = pids(sys);
            let args = args.map(|arg| match arg {
                Arg::Number(n) => n,
                Arg::At(place) => addr(sys, t, place),
                Arg::Fd(n) => fd(sys, t, n),
                Arg::Pid(n) => nth(&all, n).unwrap_or(0) as u64,
            });
            Step::Call(row.name, args.to_vec(), Payload::Registers)
        }
        Verb::Inject { step, skip } => {
            let name = STEPS[usize::from(step) % STEPS.len()];
            w.sys.kernel.inject.arm(name, Errno::ENOMEM, u32::from(skip)).expect("a known step");
            Step::Done
        }
    }
}
