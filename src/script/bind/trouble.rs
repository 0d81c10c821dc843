//! The four kinds of trouble as script errors: a refused call, a task that
//! cannot act, a fault, a broken kernel.
//!
//! Left out: reports; `diagnose` makes them.

use rhai::{NativeCallContext, Position};

use super::task::Task;
use crate::abi::Signal;
use crate::abi::nr::syscall_name;
use crate::abi::signal::si_code;
use crate::kernel::entry::{CannotAct, UserFault};
use crate::kernel::system::System;
use crate::kernel::task::{Resume, TaskState};
use crate::kernel::wait_queue::{FutexKind, WaitOn};
use crate::script::errors::{BlockedUse, Fault, ScriptError};
use crate::session::Trouble;

/// The error for a step that a task could not make. `shown` is the step as the
/// script wrote it.
pub(super) fn error(
    ctx: &NativeCallContext,
    task: &Task,
    shown: impl FnOnce() -> String,
    trouble: Trouble,
) -> ScriptError {
    match trouble {
        Trouble::Refused(e) => ScriptError::refused(&e, shown(), task.pid()),
        Trouble::CannotAct(why) => cannot_act(task, ctx.fn_name(), why),
        Trouble::Fault(fault) => ScriptError::Fault(Box::new(self::fault(task, shown(), &fault))),
        Trouble::Oops(oops) => ScriptError::Oops(Box::new(oops)),
    }
}

fn fault(task: &Task, call: String, fault: &UserFault) -> Fault {
    Fault {
        task: i64::from(task.pid()),
        call,
        signal: fault.sig,
        code: si_code_name(fault.sig, fault.si_code),
        addr: fault.addr,
        why: fault.why.clone(),
        killed: fault.killed,
    }
}

/// The name of an si_code, which depends on the signal.
pub(super) fn si_code_name(sig: Signal, code: i32) -> String {
    let by_signal: &[(i32, &str)] = match sig {
        Signal::SIGSEGV => {
            &[(si_code::SEGV_MAPERR, "SEGV_MAPERR"), (si_code::SEGV_ACCERR, "SEGV_ACCERR")]
        }
        Signal::SIGBUS => &[(si_code::BUS_ADRERR, "BUS_ADRERR")],
        Signal::SIGFPE => &[(si_code::FPE_INTDIV, "FPE_INTDIV")],
        Signal::SIGILL => &[(si_code::ILL_ILLOPN, "ILL_ILLOPN")],
        Signal::SIGTRAP => &[(si_code::TRAP_BRKPT, "TRAP_BRKPT")],
        Signal::SIGCHLD => &[
            (si_code::CLD_EXITED, "CLD_EXITED"),
            (si_code::CLD_KILLED, "CLD_KILLED"),
            (si_code::CLD_DUMPED, "CLD_DUMPED"),
            (si_code::CLD_TRAPPED, "CLD_TRAPPED"),
            (si_code::CLD_STOPPED, "CLD_STOPPED"),
            (si_code::CLD_CONTINUED, "CLD_CONTINUED"),
        ],
        _ => &[],
    };
    let general = [
        (si_code::SI_USER, "SI_USER"),
        (si_code::SI_KERNEL, "SI_KERNEL"),
        (si_code::SI_QUEUE, "SI_QUEUE"),
        (si_code::SI_TKILL, "SI_TKILL"),
    ];
    let found = by_signal.iter().chain(&general).find(|(c, _)| *c == code);
    found.map_or_else(|| code.to_string(), |(_, name)| (*name).to_string())
}

/// The error for a task that cannot do what is wanted.
pub(super) fn cannot_act(task: &Task, wanted: &str, why: CannotAct) -> ScriptError {
    let help = |text: &str| Some(text.to_string());
    let pid = task.pid();
    match why {
        CannotAct::Gone => task.no_longer(),
        CannotAct::Sleeping { resume, .. } => sleeping(task, wanted, &resume),
        CannotAct::Dead { state, .. } => ScriptError::Usage {
            message: format!("task {pid} is dead ({state}) and cannot {wanted}"),
            help: match state {
                'Z' => help("it is a zombie: its parent can wait for it"),
                _ => None,
            },
        },
        CannotAct::Exiting { .. } => ScriptError::Usage {
            message: format!("task {pid} is in the middle of its exit and cannot {wanted}"),
            help: help("its next step goes on with the exit"),
        },
        CannotAct::Stopped { .. } => ScriptError::Usage {
            message: format!("task {pid} is stopped (T) and cannot {wanted} now"),
            help: help("SIGCONT lets it go on: `init.kill(t, SIGCONT)`"),
        },
        CannotAct::Traced { tracer, .. } => ScriptError::Usage {
            message: format!("task {pid} is stopped (t) for its tracer and cannot {wanted} now"),
            help: Some(format!("task {tracer} lets it go on: `ptrace(PTRACE_CONT, t, 0, 0)`")),
        },
        CannotAct::KernelThread { comm, .. } => ScriptError::Usage {
            message: format!("task {pid} ({comm}) is a kernel thread and cannot {wanted}"),
            help: help("it has no address space and no user mode to act in"),
        },
    }
}

fn sleeping(task: &Task, wanted: &str, resume: &Resume) -> ScriptError {
    let machine = task.machine();
    let shown = machine.calls(|calls| calls.shown(task.id(), resume.call.serial));
    let name = syscall_name(u64::from(resume.call.nr)).unwrap_or("a system call");
    let origin = resume.origin;
    let column = (origin.column > 0).then_some(origin.column as u16);
    let since = (origin.line > 0).then(|| {
        let pos = Position::new(origin.line as u16, column.unwrap_or(1));
        (machine.source_name(origin.source).unwrap_or_default(), pos)
    });
    ScriptError::Blocked(Box::new(BlockedUse {
        task: i64::from(task.pid()),
        wanted: wanted.to_string(),
        call: shown.map_or_else(|| format!("{name}()"), |s| s.to_string()),
        waits_for: machine.read(|sys| waits_for(sys, task, resume.call.serial)),
        since,
    }))
}

/// What a call that has not returned waits for, as part of a sentence.
pub(super) fn waits_for(sys: &System, task: &Task, call: u64) -> String {
    let Some(t) = sys.kernel.tasks.get(task.id()) else { return String::new() };
    if t.__state.contains(TaskState::__TASK_TRACED) {
        return "its tracer to let it go on".into();
    }
    if t.__state.contains(TaskState::__TASK_STOPPED) {
        return "SIGCONT: it is stopped".into();
    }
    let resume = match &t.resume {
        Some(resume) if resume.call.serial == call => resume,
        _ if t.interrupted.iter().any(|i| i.call.serial == call) => {
            return "the signal handler that interrupted it to return".into();
        }
        _ => return "its turn".into(),
    };
    match resume.wait.on {
        WaitOn::Child(_) => "a child to change state".into(),
        WaitOn::Vfork(completion) => {
            let child = sys.kernel.tasks.iter().find(|(_, c)| c.vfork_done == Some(completion));
            let pid = child.map_or(String::new(), |(_, c)| format!(" {}", c.pid));
            format!("its vfork child{pid} to exec or exit")
        }
        WaitOn::PipeRead(_) => "data in the pipe, or its last writer to close it".into(),
        WaitOn::PipeWrite(_) => "room in the pipe, or its last reader to close it".into(),
        WaitOn::TtyRead(_) => "something to read from the terminal, or its end".into(),
        WaitOn::TtyWrite(_) => "room in the terminal, or its end".into(),
        WaitOn::FileLock(_) => "a lock on a file to go".into(),
        WaitOn::Anon(_) => "an event, a timer, or one of its descriptors to be ready".into(),
        WaitOn::Signalfd(_) => "a signal to read".into(),
        WaitOn::PidExit(_) => "a process to exit".into(),
        WaitOn::Futex(key) if key.kind == FutexKind::Inode => {
            format!("a wake-up of the futex at byte {:#x} of the mapped file", key.offset)
        }
        WaitOn::Futex(key) => format!("a wake-up of the futex at {:#x}", key.offset),
        WaitOn::Poll => "one of its descriptors to be ready".into(),
        WaitOn::Signal => "a signal".into(),
        WaitOn::Timeout => "time to pass".into(),
        WaitOn::Tracer => "its tracer to let it go on".into(),
        WaitOn::Dethread(_) => "the other threads of its group to die".into(),
    }
}
