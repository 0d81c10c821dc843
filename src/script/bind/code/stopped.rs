//! Why `t.step()` or `t.run()` came to an end, as a value: `.why` and what belongs
//! to it.
//!
//! Left out: whether it should have: the script decides.

use std::fmt;

use rhai::{Dynamic, INT};

use super::hooks;
use super::look;
use crate::abi::{Errno, Signal};
use crate::kernel::entry::UserFault;
use crate::kernel::entry::code::user_regs;
use crate::kernel::syscalls::{Call, Outcome};
use crate::script::bind::kinds;
use crate::script::bind::registry::{Book, getters};
use crate::script::bind::task::Task;
use crate::script::bind::trouble::waits_for;
use crate::script::value::Addr;
use crate::session::watch::{Touched, WatchKind};

/// What happened last.
#[derive(Clone)]
pub(super) enum Why {
    /// The step is done; the call, if it was one.
    Step(Option<(Call, Box<Outcome>)>),
    /// It is where `run_until` was to go.
    Arrived,
    /// It is at a breakpoint.
    Breakpoint,
    /// It has touched watched memory.
    Watch(Touched),
    /// It is about to make a call.
    Syscall(Call),
    /// It sleeps in a call.
    Blocked(Call),
    /// A signal's handler is next.
    Handler,
    /// An instruction raised an exception, whose handler is next or was left out.
    Fault(Box<UserFault>),
    /// It has ended by exit: its status.
    Exited(u8),
    /// It was killed, and what it did, if it was its own doing.
    Killed(Signal, Option<Box<UserFault>>),
    /// It was reaped before anybody looked.
    Gone,
    /// Nobody can run; who sleeps, in words.
    Idle(String),
}

/// The end of a step or a run.
#[derive(Clone)]
pub(super) struct Stopped {
    pub task: Task,
    pub why: Why,
    /// Instructions executed by all tasks.
    pub instructions: u64,
    /// The task that its call has made.
    pub child: Option<Task>,
    /// The next instruction when it stopped, where there is one.
    pub next: Option<(u64, String)>,
}

impl Stopped {
    pub fn new(task: &Task, why: Why, instructions: u64) -> Stopped {
        let machine = task.machine();
        let alive = machine.read(|sys| {
            sys.kernel.tasks.get(task.id()).is_some_and(|t| !t.is_dead() && t.mm.is_some())
        });
        let next = alive.then(|| {
            let ip = machine.read(|sys| user_regs(sys, task.id()).ip);
            (ip, look::next_insn(task, ip).brief())
        });
        Stopped { task: task.clone(), why, instructions, child: None, next }
    }

    fn word(&self) -> &'static str {
        match &self.why {
            Why::Step(_) => "step",
            Why::Arrived => "arrived",
            Why::Breakpoint => "breakpoint",
            Why::Watch(_) => "watch",
            Why::Syscall(_) => "syscall",
            Why::Blocked(_) => "blocked",
            Why::Handler => "handler",
            Why::Fault(_) => "fault",
            Why::Exited(_) => "exit",
            Why::Killed(..) => "killed",
            Why::Gone => "gone",
            Why::Idle(_) => "idle",
        }
    }

    fn call(&self) -> Option<&Call> {
        match &self.why {
            Why::Step(Some((call, _))) | Why::Syscall(call) | Why::Blocked(call) => Some(call),
            _ => None,
        }
    }

    fn fault(&self) -> Option<&UserFault> {
        match &self.why {
            Why::Fault(fault) | Why::Killed(_, Some(fault)) => Some(fault),
            _ => None,
        }
    }

    fn signal(&self) -> Option<Signal> {
        match &self.why {
            Why::Killed(sig, _) => Some(*sig),
            _ => self.fault().map(|f| f.sig),
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.task.pid())?;
        let number = |ret: i64| match ret {
            -4095..0 => Errno::from_number(-ret as i32).map_or(ret.to_string(), |e| e.to_string()),
            _ => ret.to_string(),
        };
        match &self.why {
            Why::Step(None) => {}
            Why::Step(Some((call, outcome))) => {
                write!(f, ": {}() = {}", hooks::name(call.nr), number(outcome.ret))?;
            }
            Why::Arrived => write!(f, " has arrived")?,
            Why::Breakpoint => write!(f, " is at a breakpoint")?,
            Why::Watch(touched) => {
                let did = match touched.kind {
                    WatchKind::Write => "changed",
                    WatchKind::Read => "read",
                    WatchKind::Access => "touched",
                };
                write!(f, " {did} {:#x}", touched.addr)?;
            }
            Why::Syscall(call) => write!(f, " is about to call {}", hooks::name(call.nr))?,
            Why::Blocked(call) => {
                let task = &self.task;
                let waits = task.machine().read(|sys| {
                    let t = sys.kernel.tasks.get(task.id());
                    let serial = t.and_then(|t| t.resume.as_ref()).map(|r| r.call.serial);
                    serial.map(|serial| waits_for(sys, task, serial))
                });
                write!(f, " sleeps in {}", hooks::name(call.nr))?;
                if let Some(waits) = waits {
                    write!(f, ": it waits for {waits}")?;
                }
                return Ok(());
            }
            Why::Handler => write!(f, " enters a signal handler")?,
            Why::Fault(fault) => write!(f, ": {}: {}", fault.sig, fault.why)?,
            Why::Exited(status) => write!(f, " exited with status {status}")?,
            Why::Killed(sig, None) => write!(f, " was killed by {sig}")?,
            Why::Killed(_, Some(fault)) => {
                write!(f, " was killed by {}: {}", fault.sig, fault.why)?;
            }
            Why::Gone => write!(f, " has ended and was reaped")?,
            Why::Idle(who) => return write!(f, ": nobody can run: {who}"),
        }
        match &self.next {
            Some((_, line)) if self.call().is_some() => write!(f, ", at {line}"),
            Some((_, line)) => write!(f, ": {line}"),
            None => Ok(()),
        }
    }
}

/// A value, or `()`.
fn or_unit<T: Into<Dynamic>>(value: Option<T>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Into::into)
}

/// Registers the type.
pub(super) fn register(book: &mut Book) {
    book.prints::<Stopped>("Stopped");
    getters! { book, Stopped;
        /// Why: "step", "arrived", "breakpoint", "watch", "syscall" (about to call),
        /// "blocked" (sleeps in a call), "handler" (a signal's handler is next),
        /// "fault", "exit", "killed", "gone" (ended and reaped), "idle" (nobody can
        /// run).
        "why: string" => |s: &mut Stopped| s.word().to_string();
        /// The task that stopped.
        "task: Task" => |s: &mut Stopped| s.task.clone();
        /// Where it goes on, or ().
        "ip: Addr" => |s: &mut Stopped| {
            s.next.as_ref().map_or(Dynamic::UNIT, |(ip, _)| Dynamic::from(Addr(*ip)))
        };
        /// The next instruction as text, or ().
        "next: string" => |s: &mut Stopped| or_unit(s.next.as_ref().map(|(_, line)| line.clone()));
        /// The call it made, is about to make or sleeps in: a map of nr, name and
        /// args; else ().
        "call: map" => |s: &mut Stopped| or_unit(s.call().map(hooks::shown));
        /// What the call returned, or (): a negated errno if it was refused.
        "ret: int" => |s: &mut Stopped| match &s.why {
            Why::Step(Some((_, outcome))) => outcome.ret.into(),
            _ => Dynamic::UNIT,
        };
        /// Which check of the kernel refused the call, or what raised the signal; else
        /// ().
        "reason: string" => |s: &mut Stopped| match &s.why {
            Why::Step(Some((_, outcome))) => or_unit(outcome.error.as_ref().map(|e| e.why.to_string())),
            Why::Idle(who) => who.clone().into(),
            _ => or_unit(s.fault().map(|f| f.why.clone())),
        };
        /// The task that the call has made, or ().
        "child: Task" => |s: &mut Stopped| {
            s.child.clone().map_or(Dynamic::UNIT, Dynamic::from)
        };
        /// The signal of a fault, or the one that killed it, or ().
        "signal: Flags" => |s: &mut Stopped| {
            s.signal().map_or(Dynamic::UNIT, |sig| Dynamic::from(kinds::of_signal(sig)))
        };
        /// The address of a fault or of watched memory, or ().
        "addr: Addr" => |s: &mut Stopped| {
            let addr = match &s.why {
                Why::Watch(touched) => Some(touched.addr),
                _ => s.fault().map(|f| f.addr),
            };
            addr.map_or(Dynamic::UNIT, |a| Dynamic::from(Addr(a)))
        };
        /// The status that it exited with, or ().
        "exit_status: int" => |s: &mut Stopped| match s.why {
            Why::Exited(status) => INT::from(status).into(),
            _ => Dynamic::UNIT,
        };
        /// Instructions executed by all tasks meanwhile.
        "instructions: int" => |s: &mut Stopped| s.instructions as INT;
    }
}
