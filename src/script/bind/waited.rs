//! What a wait reports, and taking wait statuses apart.
//!
//! Left out: waiting itself (`process`).

use std::fmt;

use rhai::Dynamic;

use super::args;
use super::kinds;
use super::registry::{Book, Raised, functions, getters};
use super::task::Task;
use crate::abi::Signal;
use crate::abi::structs::{Rusage, WaitStatus};
use crate::kernel::syscalls::{Out, WaitInfo};
use crate::script::errors::ScriptError;
use crate::script::value::Flags;

/// A child that changed state.
#[derive(Clone)]
pub(super) struct Waited {
    /// A program has no handles.
    task: Option<Task>,
    info: WaitInfo,
}

/// The same for a program.
pub(super) fn plain(_ret: i64, out: Out) -> Dynamic {
    match out {
        Out::Wait(info) => Dynamic::from(Waited { task: None, info: *info }),
        _ => Dynamic::UNIT,
    }
}

/// The value of a wait: what it reports, or `()` when WNOHANG found nothing.
pub(super) fn value(waiter: &Task, _ret: i64, out: Out) -> Dynamic {
    match out {
        Out::Wait(info) => Dynamic::from(Waited {
            task: Some(Task::new(waiter.machine().clone(), info.task, info.global_pid)),
            info: *info,
        }),
        _ => Dynamic::UNIT,
    }
}

/// A signal of a status; the plain number where it is none.
fn signal(number: i32) -> Dynamic {
    match Signal::new(number) {
        Some(sig) => Dynamic::from(kinds::of_signal(sig)),
        None => i64::from(number).into(),
    }
}

fn signal_name(number: i32) -> String {
    Signal::new(number).map_or_else(|| number.to_string(), Signal::name)
}

/// A status in words: "exited with 3", "killed by SIGKILL".
pub(super) fn status_text(status: i32) -> String {
    match WaitStatus::decode(status) {
        WaitStatus::Exited(code) => format!("exited with {code}"),
        WaitStatus::Signaled(sig, core) => {
            let dumped = if core { " (core dumped)" } else { "" };
            format!("killed by {}{dumped}", signal_name(sig))
        }
        WaitStatus::Stopped(sig) => stop_text(sig, status >> 16),
        WaitStatus::Continued => "continued".into(),
    }
}

/// A stop in words. A tracer sees what stopped its tracee in the third byte,
/// and system calls by bit 7 of the signal.
fn stop_text(sig: i32, event: i32) -> String {
    match event {
        0 if sig == SYSCALL_STOP => "stopped by SIGTRAP | 0x80: a system call".into(),
        0 => format!("stopped by {}", signal_name(sig)),
        event => {
            let event = Flags { bits: event as u64, kind: &kinds::PTRACE_EVENT };
            format!("stopped by {}, {event}", signal_name(sig))
        }
    }
}

/// SIGTRAP, marked by PTRACE_O_TRACESYSGOOD.
const SYSCALL_STOP: i32 = 5 | 0x80;

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} {}", self.info.pid, status_text(self.info.status))
    }
}

impl Waited {
    /// All that programs are told apart by: not times.
    pub(super) fn identity(&self) -> String {
        let WaitInfo { task: _, global_pid: _, pid, status, si_code, si_status, uid, rusage: _ } =
            &self.info;
        format!("{pid} {status} {si_code} {si_status} {uid}")
    }

    fn status(&self) -> WaitStatus {
        WaitStatus::decode(self.info.status)
    }
}

fn show_usage(u: &Rusage) -> String {
    format!(
        "utime {} ns, stime {} ns, minflt {}, majflt {}, nvcsw {}, nivcsw {}, maxrss {} KiB",
        u.ru_utime, u.ru_stime, u.ru_minflt, u.ru_majflt, u.ru_nvcsw, u.ru_nivcsw, u.ru_maxrss
    )
}

/// Resource usage as scripts see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage(pub Rusage);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show_usage(&self.0))
    }
}

/// Registers the types and the functions that take a status apart.
pub(super) fn register(book: &mut Book) {
    book.prints::<Waited>("Waited");
    getters! { book, Waited;
        /// The child's pid, as the waiting task sees it.
        "pid: int" => |w: &mut Waited| i64::from(w.info.pid);
        /// The wait status, as wait4 stores it.
        "status: int" => |w: &mut Waited| i64::from(w.info.status);
        /// The code of an exit, 0 to 255; () if it did not exit.
        "exit_status: int" => |w: &mut Waited| match w.status() {
            WaitStatus::Exited(code) => i64::from(code).into(),
            _ => Dynamic::UNIT,
        };
        /// Whether it exited by itself.
        "exited: bool" => |w: &mut Waited| matches!(w.status(), WaitStatus::Exited(_));
        /// The signal that killed or stopped it; () otherwise.
        "signal: Signal" => |w: &mut Waited| match w.status() {
            WaitStatus::Signaled(sig, _) | WaitStatus::Stopped(sig) => signal(sig),
            _ => Dynamic::UNIT,
        };
        /// Whether a signal killed it.
        "signaled: bool" => |w: &mut Waited| matches!(w.status(), WaitStatus::Signaled(..));
        /// Whether it dumped core.
        "core: bool" => |w: &mut Waited| matches!(w.status(), WaitStatus::Signaled(_, true));
        /// Whether it is stopped.
        "stopped: bool" => |w: &mut Waited| matches!(w.status(), WaitStatus::Stopped(_));
        /// The event that a tracer was stopped for: PTRACE_EVENT_FORK and so
        /// on; () if the status has none.
        "event: Flags" => |w: &mut Waited| match (w.status(), w.info.status >> 16) {
            (WaitStatus::Stopped(_), event) if event != 0 => {
                Dynamic::from(Flags { bits: event as u64, kind: &kinds::PTRACE_EVENT })
            }
            _ => Dynamic::UNIT,
        };
        /// Whether it was continued.
        "continued: bool" => |w: &mut Waited| matches!(w.status(), WaitStatus::Continued);
        /// Resources it used.
        "rusage: Rusage" => |w: &mut Waited| Usage(w.info.rusage);
        /// The child. Once it was reaped, only its pid is left.
        "task: Task" => |w: &mut Waited| -> Raised<Task> {
            w.task.clone().ok_or_else(|| {
                ScriptError::usage("a program has no task handles: `.pid` names the child").into()
            })
        };
        /// CLD_EXITED and so on, as waitid gives it.
        "si_code: string" => |w: &mut Waited| {
            super::trouble::si_code_name(Signal::SIGCHLD, w.info.si_code)
        };
        /// Exit code or signal, as waitid gives it.
        "si_status: int" => |w: &mut Waited| i64::from(w.info.si_status);
        /// The child's real uid.
        "uid: int" => |w: &mut Waited| i64::from(w.info.uid);
    }
    book.prints::<Usage>("Rusage");
    getters! { book, Rusage;
        /// CPU time in user mode, ns.
        "utime: int" => |u: &mut Usage| u.0.ru_utime as i64;
        /// CPU time in the kernel, ns.
        "stime: int" => |u: &mut Usage| u.0.ru_stime as i64;
        /// Largest resident set, KiB.
        "maxrss: int" => |u: &mut Usage| u.0.ru_maxrss as i64;
        /// Page faults without I/O.
        "minflt: int" => |u: &mut Usage| u.0.ru_minflt as i64;
        /// Page faults with I/O.
        "majflt: int" => |u: &mut Usage| u.0.ru_majflt as i64;
        /// Voluntary context switches.
        "nvcsw: int" => |u: &mut Usage| u.0.ru_nvcsw as i64;
        /// Involuntary context switches.
        "nivcsw: int" => |u: &mut Usage| u.0.ru_nivcsw as i64;
    }
    statuses(book);
}

/// A status: a number, or what a wait gave.
fn status(what: &str, value: &Dynamic) -> Raised<i32> {
    if let Some(w) = value.read_lock::<Waited>() {
        return Ok(w.info.status);
    }
    Ok(args::word(what, value)? as i32)
}

fn statuses(book: &mut Book) {
    functions! { book;
        /// A wait status in words: "exited with 3", "killed by SIGKILL".
        "status_text(status: int) -> string" => |s: Dynamic| -> Raised<String> {
            Ok(status_text(status("status_text", &s)?))
        };
        /// Whether the status is that of an exit.
        "WIFEXITED(status: int) -> bool" => |s: Dynamic| -> Raised<bool> {
            Ok(matches!(WaitStatus::decode(status("WIFEXITED", &s)?), WaitStatus::Exited(_)))
        };
        /// The exit code in a status.
        "WEXITSTATUS(status: int) -> int" => |s: Dynamic| -> Raised<i64> {
            Ok(i64::from(status("WEXITSTATUS", &s)? >> 8 & 0xff))
        };
        /// Whether the status is that of a death by signal.
        "WIFSIGNALED(status: int) -> bool" => |s: Dynamic| -> Raised<bool> {
            Ok(matches!(WaitStatus::decode(status("WIFSIGNALED", &s)?), WaitStatus::Signaled(..)))
        };
        /// The signal in the status of a death.
        "WTERMSIG(status: int) -> Signal" => |s: Dynamic| -> Raised<Dynamic> {
            Ok(signal(status("WTERMSIG", &s)? & 0x7f))
        };
        /// Whether the status says that core was dumped.
        "WCOREDUMP(status: int) -> bool" => |s: Dynamic| -> Raised<bool> {
            Ok(status("WCOREDUMP", &s)? & 0x80 != 0)
        };
        /// Whether the status is that of a stop.
        "WIFSTOPPED(status: int) -> bool" => |s: Dynamic| -> Raised<bool> {
            Ok(matches!(WaitStatus::decode(status("WIFSTOPPED", &s)?), WaitStatus::Stopped(_)))
        };
        /// The signal in the status of a stop.
        "WSTOPSIG(status: int) -> Signal" => |s: Dynamic| -> Raised<Dynamic> {
            Ok(signal(status("WSTOPSIG", &s)? >> 8 & 0xff))
        };
        /// Whether the status is that of a continue.
        "WIFCONTINUED(status: int) -> bool" => |s: Dynamic| -> Raised<bool> {
            Ok(matches!(WaitStatus::decode(status("WIFCONTINUED", &s)?), WaitStatus::Continued))
        };
    }
}
