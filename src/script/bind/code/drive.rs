//! `t.step()`, `t.run()`, `t.run_until()`: letting programs execute, and what all
//! of these do on the way.
//!
//! ```text
//! begin   remember the state for undo, trace calls
//! each event    on_syscall, strace's lines, streams, breakpoints of new processes,
//!               operations of the script
//! end     the director chooses again
//! ```
//!
//! Left out: `step` and `run` themselves (`step`, `run`).

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};
use std::collections::BTreeSet;

use super::ensure;
use super::stopped::Why;
use crate::abi::Signal;
use crate::kernel::entry::{CannotAct, UserFault, can_act};
use crate::kernel::task::TaskId;
use crate::script::bind::registry::Raised;
use crate::script::bind::task::Task;
use crate::script::bind::trouble;
use crate::script::bind::world::Machine;
use crate::script::errors::ScriptError;
use crate::session::Trouble;
use crate::session::code::{CodeEvent, CodeRun};
use crate::trace::Filter;

/// A step or a run under way.
pub(super) struct Drive<'c, 'e> {
    pub ctx: &'c NativeCallContext<'e>,
    pub task: Task,
    pub machine: Machine,
    /// The processors, while the scheduler chooses.
    pub run: Option<CodeRun>,
    /// The filter to put back; nothing is traced without one.
    filter: Option<Filter>,
    /// Instructions executed by all tasks.
    pub instructions: u64,
    /// Tasks whose announced call closures have seen.
    pub seen: BTreeSet<TaskId>,
    /// The fault that has killed the task.
    pub fault: Option<Box<UserFault>>,
}

/// Whether the task may sleep at the beginning.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sleeper {
    /// Others run, and may wake it.
    Allowed,
    /// It has to act itself.
    Refused,
}

impl<'c, 'e> Drive<'c, 'e> {
    /// Does something with the task as a program; afterwards the director chooses.
    pub fn with<R>(
        ctx: &'c NativeCallContext<'e>,
        task: &Task,
        sleeper: Sleeper,
        f: impl FnOnce(&mut Drive<'c, 'e>) -> Raised<R>,
    ) -> Raised<R> {
        let mut drive = Drive::begin(ctx, task, sleeper)?;
        let result = f(&mut drive);
        drive.end();
        result
    }

    fn begin(
        ctx: &'c NativeCallContext<'e>,
        task: &Task,
        sleeper: Sleeper,
    ) -> Raised<Drive<'c, 'e>> {
        let machine = task.machine().clone();
        let name = ctx.fn_name();
        if machine.hooks(|h| h.busy()) {
            return Err(ScriptError::Usage {
                message: format!("{name}: a closure of on_syscall cannot let programs execute"),
                help: Some("it may look, and change registers and memory".into()),
            }
            .into());
        }
        if !task.exists() {
            return Err(task.no_longer().into());
        }
        match machine.read(|sys| can_act(sys, task.id())) {
            Err(CannotAct::Sleeping { .. } | CannotAct::Stopped { .. })
                if sleeper == Sleeper::Allowed => {}
            Err(why) => return Err(trouble::cannot_act(task, name, why).into()),
            Ok(()) => {}
        }
        ensure(task)?;
        machine.mark_origin(ctx);
        machine.remember();
        let filter = machine.code(|code| {
            machine.write(|sys| {
                code.sweep(sys);
                code.watches.renew(sys);
                code.begin_trace(sys)
            })
        });
        Ok(Drive {
            ctx,
            task: task.clone(),
            machine,
            run: None,
            filter,
            instructions: 0,
            seen: BTreeSet::new(),
            fault: None,
        })
    }

    fn end(&mut self) {
        self.pause();
        let Some(filter) = self.filter.take() else { return };
        self.machine.write(|sys| {
            if filter == Filter::Off {
                sys.log.drain();
            }
            sys.log.set_filter(filter);
        });
    }

    /// The director chooses for a while, or from here on.
    pub fn pause(&mut self) {
        if let Some(run) = self.run.take() {
            self.machine.code(|code| code.watches = run.watches.clone());
            self.machine.write(|sys| run.end(sys));
        }
    }

    /// An error of the machine.
    pub fn error(&self, trouble: Trouble) -> ScriptError {
        let shown = || format!("{}()", self.ctx.fn_name());
        trouble::error(self.ctx, &self.task, shown, trouble)
    }

    /// Counts instructions.
    pub fn charge(&mut self, instructions: u64) -> Raised<()> {
        self.instructions += instructions;
        // What happens without one is not for nothing either.
        match self.machine.control()?.executed(instructions.max(1)) {
            None => Ok(()),
            Some(stop) => {
                let token = Dynamic::from(stop);
                Err(EvalAltResult::ErrorTerminated(token, Position::NONE).into())
            }
        }
    }

    /// What follows from an event.
    pub fn after(&mut self, event: &CodeEvent) -> Raised<()> {
        let traced = self.filter.is_some();
        let machine = &self.machine;
        let written = machine.code(|code| {
            machine.write(|sys| {
                if traced {
                    code.trace(sys, event);
                }
                if !matches!(event, CodeEvent::Ran(..)) {
                    code.pump(sys);
                }
                if let CodeEvent::Returned(task, _) | CodeEvent::Blocked(task) = event
                    && sys.new_task_of(*task).is_some()
                {
                    code.inherit(sys, *task);
                    if let Some(run) = &mut self.run {
                        run.in_space = code.points.clone();
                    }
                }
            });
            code.written()
        });
        machine.flush_console();
        if let CodeEvent::Fault(task, fault) = event
            && *task == self.task.id()
            && fault.killed
        {
            self.fault = Some(Box::new(fault.clone()));
        }
        let most = machine.control()?.limits().output_bytes;
        if written > most {
            return Err(ScriptError::Limit {
                message: format!("programs have written more than {most} bytes"),
                help: None,
            }
            .into());
        }
        Ok(())
    }

    /// How the task has ended, if it has.
    pub fn ended(&self) -> Option<Why> {
        let code = self.machine.read(|sys| match sys.kernel.tasks.get(self.task.id()) {
            None => Some(None),
            Some(t) if t.is_dead() => Some(Some(t.exit_code)),
            Some(_) => None,
        })?;
        Some(match code {
            None => Why::Gone,
            Some(code) => match Signal::new(code & 0x7f) {
                Some(sig) => Why::Killed(sig, self.fault.clone()),
                None => Why::Exited((code >> 8 & 0xff) as u8),
            },
        })
    }
}
