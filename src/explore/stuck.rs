//! Why everyone sleeps: each task that is left, what it waits for, and who
//! could end that.
//!
//! Linux: none; what one finds out with ps, /proc/PID/wchan and lsof.
//! Left out: who holds a mutex; the kernel does not know, and its word does not
//! tell.

use crate::abi::nr::syscall_name;
use crate::base::Id;
use crate::kernel::fs::FileKind;
use crate::kernel::fs::pipe::Pipe;
use crate::kernel::system::System;
use crate::kernel::task::{Resume, TaskId, TaskState};
use crate::kernel::wait_queue::WaitOn;
use crate::session::program::Programs;

/// A task that sleeps for ever, in words: the line it sleeps since, and what
/// for.
pub fn sleeper(programs: &Programs, task: TaskId) -> String {
    let sys = &programs.system;
    let t = sys.task(task);
    let who = format!("{} (pid {}, {})", name(programs, task), t.pid, t.state_char());
    if t.__state.contains(TaskState::__TASK_TRACED) {
        let tracer = sys.kernel.tasks.get(t.parent).map_or(0, |p| p.pid);
        return format!(
            "{who} is stopped for its tracer, task {tracer}: PTRACE_CONT would let it go on"
        );
    }
    if t.__state.contains(TaskState::__TASK_STOPPED) {
        return format!("{who} is stopped: SIGCONT would let it go on");
    }
    let Some(r) = &t.resume else { return format!("{who} without a call") };
    let call = syscall_name(u64::from(r.call.nr)).unwrap_or("?");
    let line = match r.origin.line {
        0 => String::new(),
        line => format!(" since line {line}"),
    };
    let waits = waits_for(programs, task, r);
    format!("{who} in {call}{line}: {waits}")
}

/// A task's name in schedules.
fn name(programs: &Programs, task: TaskId) -> String {
    match programs.body(task) {
        Some(body) => format!("process {}", body.number),
        None => "a process".into(),
    }
}

/// What a task that sleeps in a call waits for.
pub(super) fn waits_for(programs: &Programs, task: TaskId, r: &Resume) -> String {
    let sys = &programs.system;
    match r.wait.on {
        WaitOn::Futex(_) => futex(programs, task, r.call.args[0], r.call.args[2] as u32),
        WaitOn::Child(_) => children(programs, task),
        WaitOn::Vfork(_) => {
            "waits until the child of its vfork has ended or executes a program".into()
        }
        WaitOn::PipeRead(pipe) => {
            let ends = ends(programs, pipe, true);
            format!("waits for data in a pipe that {ends} could write to")
        }
        WaitOn::PipeWrite(pipe) => {
            let ends = ends(programs, pipe, false);
            format!("waits for room in a pipe that {ends} could read from")
        }
        WaitOn::FileLock(_) => "waits for a lock on a file".into(),
        WaitOn::TtyRead(_) => "waits for something to read from a terminal".into(),
        WaitOn::TtyWrite(_) => "waits for room in a terminal".into(),
        WaitOn::Anon(_) => "waits for an event, a timer, or a descriptor to be ready".into(),
        WaitOn::Signalfd(_) => "waits for a signal to read".into(),
        WaitOn::PidExit(_) => "waits for the process of a pidfd to end".into(),
        WaitOn::Poll => "waits for one of its descriptors to be ready".into(),
        WaitOn::Signal => signal(sys, task),
        WaitOn::Timeout => "waits for time to pass".into(),
        WaitOn::Tracer => "waits for its tracer to let it go on".into(),
        WaitOn::Dethread(_) => "waits for the other threads of its process to end".into(),
    }
}

/// The variable that an address lies in.
fn variable(sys: &System, task: TaskId, addr: u64) -> Option<String> {
    let mm = sys.kernel.mms.get(sys.task(task).mm?)?;
    let (name, symbol) =
        mm.symbols.iter().find(|(_, s)| (s.addr..s.addr + s.size).contains(&addr))?;
    Some(match addr - symbol.addr {
        0 => format!("`{name}`"),
        more => format!("`{name}` + {more}"),
    })
}

fn futex(programs: &Programs, task: TaskId, addr: u64, value: u32) -> String {
    let sys = &programs.system;
    // Where the kernel will clear a thread's tid: a join.
    let mm = sys.task(task).mm;
    let joined = programs.bodies().find(|(other, _)| {
        let o = sys.task(*other);
        o.mm == mm && o.clear_child_tid == addr
    });
    if let Some((other, _)) = joined {
        let tid = sys.task(other).pid;
        return format!("waits for thread {tid}, {}, to end", name(programs, other));
    }
    let place = variable(sys, task, addr).unwrap_or_else(|| format!("the word at {addr:#x}"));
    format!("waits for somebody to wake it at {place}, which held {value}")
}

fn children(programs: &Programs, task: TaskId) -> String {
    let sys = &programs.system;
    let mine = programs.bodies().filter(|(other, _)| {
        let o = sys.task(*other);
        o.is_group_leader() && (o.real_parent == task || o.parent == task)
    });
    let mut names: Vec<String> = mine
        .map(|(other, _)| format!("{} (pid {})", name(programs, other), sys.task(other).pid))
        .collect();
    names.sort_unstable();
    match names.is_empty() {
        true => "waits for a child".into(),
        false => format!("waits for a child: {}", names.join(", ")),
    }
}

/// Who has the other end of a pipe open.
fn ends(programs: &Programs, pipe: Id<Pipe>, write: bool) -> String {
    let sys = &programs.system;
    let mut holders: Vec<(u32, String)> = Vec::new();
    for (task, body) in programs.bodies() {
        let table = sys.task(task).files.and_then(|id| sys.kernel.files.get(id));
        let Some(table) = table else { continue };
        for (fd, slot) in table.fdt.iter().enumerate() {
            let file = slot.and_then(|slot| sys.kernel.filps.get(slot.file));
            let holds = file.is_some_and(|f| match f.kind {
                FileKind::PipeWrite(p) => write && p == pipe,
                FileKind::PipeRead(p) => !write && p == pipe,
                FileKind::Inode(_)
                | FileKind::Pidfd(_)
                | FileKind::Proc(..)
                | FileKind::Cgroup(..)
                | FileKind::Tty(_)
                | FileKind::HungUpTty(_)
                | FileKind::Ns(_)
                | FileKind::Anon(_) => false,
            });
            if holds {
                holders.push((body.number, format!("process {} (fd {fd})", body.number)));
            }
        }
    }
    holders.sort_unstable();
    match holders.is_empty() {
        true => "nobody".into(),
        false => holders.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" and "),
    }
}

fn signal(sys: &System, task: TaskId) -> String {
    let t = sys.task(task);
    let shared = t.signal.and_then(|s| sys.kernel.signals.get(s));
    let pending = t.pending.signal.0 | shared.map_or(0, |s| s.shared_pending.signal.0);
    let held = pending & t.blocked.0;
    match held {
        0 => "waits for a signal".into(),
        held => format!("waits for a signal; {} is pending, but blocked", crate::abi::SigSet(held)),
    }
}
