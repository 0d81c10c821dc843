//! `t.step()`: a task executes instructions while everybody else stands still. A
//! SYSCALL is one instruction, with all that the kernel does for it. `t.undo()`.
//!
//! Left out: stepping over calls of functions; `t.run_until` goes to where they
//! return.

use rhai::{INT, NativeCallContext};

use super::drive::{Drive, Sleeper};
use super::hooks;
use super::stopped::{Stopped, Why};
use crate::kernel::entry::code::user_regs;
use crate::kernel::syscalls::Call;
use crate::script::bind::registry::{Book, Raised, functions};
use crate::script::bind::task::Task;
use crate::script::bind::world::Machine;
use crate::script::errors::ScriptError;
use crate::session::code::CodeEvent;
use crate::session::watch::Touched;

type Ctx<'a> = NativeCallContext<'a>;

impl Drive<'_, '_> {
    /// One instruction, or a whole call.
    fn one(&mut self) -> Raised<(CodeEvent, Option<Call>)> {
        let (id, machine) = (self.task.id(), self.machine.clone());
        let step = |d: &Self| machine.write(|sys| sys.step_code(id)).map_err(|e| d.error(e));
        let mut event = step(self)?;
        if let CodeEvent::Call(_, call) = &event
            && machine.hooks(|h| h.want(call.nr))
        {
            hooks::call(self.ctx, &machine, id, call)?;
            event = step(self)?;
        }
        let mut made = None;
        if let CodeEvent::Call(_, call) = event.clone() {
            self.after(&event)?;
            event = machine.write(|sys| sys.step_call(id)).map_err(|e| self.error(e))?;
            made = Some(call);
        }
        self.charge(1)?;
        self.after(&event)?;
        Ok((event, made))
    }

    /// Whether the last instruction has touched watched memory.
    fn touched(&self, accesses: &crate::session::watch::Accesses) -> Option<Touched> {
        self.machine.code(|code| {
            self.machine.read(|sys| {
                let mm = sys.kernel.tasks.get(self.task.id()).and_then(|t| t.mm);
                let changed = code.watches.changed(sys);
                changed.or_else(|| code.watches.touched(mm, accesses))
            })
        })
    }

    /// Whether the task is at a breakpoint now.
    fn at_breakpoint(&self) -> bool {
        let id = self.task.id();
        self.machine.code(|code| {
            let here = self.machine.read(|sys| {
                let points = sys.kernel.tasks.get(id)?.mm.and_then(|mm| code.points.get(&mm));
                Some(points?.contains(&user_regs(sys, id).ip))
            });
            let here = here == Some(true);
            if here {
                code.reported.insert(id);
            }
            here
        })
    }

    fn steps(&mut self, n: u64) -> Raised<Stopped> {
        let id = self.task.id();
        let machine = self.machine.clone();
        for i in 1..=n {
            let accesses = machine.code(|code| {
                code.reported.remove(&id);
                let watched = machine.read(|sys| {
                    sys.kernel
                        .tasks
                        .get(id)
                        .and_then(|t| t.mm)
                        .filter(|mm| code.watches.are_in(*mm))
                });
                watched.map(|_| machine.read(|sys| code.watches.about_to(sys, id)))
            });
            let first = i == 1;
            let (event, call) = match self.one() {
                Ok(done) => done,
                Err(e) if first && self.instructions == 0 => {
                    machine.code(|code| code.forget());
                    return Err(e);
                }
                Err(e) => return Err(e),
            };
            let touched = accesses.and_then(|accesses| self.touched(&accesses));
            let child = match (&call, &event) {
                (Some(_), CodeEvent::Returned(..) | CodeEvent::Blocked(_)) => {
                    machine.read(|sys| sys.new_task_of(id)).map(|(child, _)| machine.handle(child))
                }
                _ => None,
            };
            let why = match event {
                _ if touched.is_some() => touched.map(Why::Watch),
                CodeEvent::Returned(_, outcome) => {
                    Some(Why::Step(call.map(|call| (call, outcome)))).filter(|_| i == n)
                }
                CodeEvent::Blocked(_) => call.map(Why::Blocked),
                CodeEvent::Died(_) => self.ended(),
                CodeEvent::Fault(_, fault) if !fault.killed => Some(Why::Fault(Box::new(fault))),
                CodeEvent::Fault(..) => self.ended(),
                CodeEvent::Interrupted(_) | CodeEvent::Handler(_) => Some(Why::Handler),
                _ => None,
            };
            let why = match why.or_else(|| self.ended()) {
                Some(why) => Some(why),
                None if self.at_breakpoint() => Some(Why::Breakpoint),
                None if i == n => Some(Why::Step(None)),
                None => None,
            };
            if let Some(why) = why {
                let mut stopped = Stopped::new(&self.task, why, self.instructions);
                stopped.child = child;
                return Ok(stopped);
            }
        }
        Ok(Stopped::new(&self.task, Why::Step(None), self.instructions))
    }
}

fn step(ctx: &Ctx, t: &Task, n: INT) -> Raised<Stopped> {
    let n = u64::try_from(n).ok().filter(|n| *n > 0);
    let n = n.ok_or_else(|| ScriptError::usage("step: a task steps at least one instruction"))?;
    Drive::with(ctx, t, Sleeper::Refused, |drive| drive.steps(n))
}

fn undo(machine: &Machine) -> Raised<()> {
    if machine.go_back() {
        return Ok(());
    }
    Err(ScriptError::Usage {
        message: "there is no step or run of a program to take back".into(),
        help: Some("for all else: `let s = snapshot(); …; restore(s)`".into()),
    }
    .into())
}

/// Registers the functions.
pub(super) fn register(book: &mut Book, main: &Machine) {
    let main = main.clone();
    functions! { book;
        /// A program's task executes one instruction; everybody else stands still. Page
        /// faults are resolved, and a SYSCALL is made with all that the kernel does.
        /// Gives why it stopped: `.why`, `.next`, `.call`, `.ret`, `.child`.
        "step(t: Task) -> Stopped" => |ctx: Ctx, t: &mut Task| step(&ctx, t, 1);
        /// The same n times, or until a breakpoint, watched memory, a call that
        /// sleeps, a signal or the end.
        "step(t: Task, n: int) -> Stopped" => |ctx: Ctx, t: &mut Task, n: INT| step(&ctx, t, n);
        /// Takes the last step or run of a program back: the machine is as it was
        /// before it, with all that the script did since.
        "undo(t: Task)" => |t: &mut Task| undo(t.machine());
        /// The same of the first machine.
        "undo()" => move || undo(&main);
    }
}
