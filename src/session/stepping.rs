//! Director style for machine code: one task executes one instruction, or makes
//! the call that is next; everybody else stands still.
//!
//! ```text
//! step_code   go to its processor, execute -> Ran, Fault, Handler, Died
//!             the next one is SYSCALL      -> Call: nothing was executed
//! step_call   make that call               -> Returned, Blocked, Interrupted, Died
//! ```
//!
//! A director may also let a program's task make a call of its own. That is as if a
//! SYSCALL stood before the next instruction: the program's registers are as they
//! were afterwards, and in a task that the call makes only `ax` and `sp` differ.
//!
//! Linux: none; PTRACE_SINGLESTEP comes nearest. Left out: a director's call that
//! sleeps leaves its result in the registers, as SYSCALL does.

use super::code::{self, CodeEvent};
use super::debug::registers::{self, Registers};
use super::director::Trouble;
use crate::kernel::entry::code::{UserStop, call_of, run_user, user_regs};
use crate::kernel::entry::{can_act, settle};
use crate::kernel::sched::core::run_on_cpu;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::collections::BTreeSet;

const NR_RT_SIGRETURN: u32 = 15;
const NR_EXECVE: u32 = 59;
const NR_EXECVEAT: u32 = 322;
/// Length of SYSCALL.
const SYSCALL_LEN: u64 = 2;

impl System {
    /// Lets a task execute one instruction; page faults that resolve are resolved.
    /// A call is only announced: [`System::step_call`] makes it.
    ///
    /// # Errors
    /// The task cannot act; the kernel is broken.
    pub fn step_code(&mut self, task: TaskId) -> Result<CodeEvent, Trouble> {
        self.still_sound()?;
        can_act(self, task)?;
        let before = user_regs(self, task).ip;
        run_on_cpu(self, task);
        if can_act(self, task).is_err() {
            // Its return to user mode killed it.
            settle(self);
            return Ok(CodeEvent::Died(task));
        }
        if user_regs(self, task).ip != before {
            return Ok(CodeEvent::Handler(task));
        }
        let event = match run_user(self, task, 1, &BTreeSet::new()) {
            (UserStop::Syscall, _) => CodeEvent::Call(task, call_of(&user_regs(self, task))),
            (UserStop::Signalled(fault), _) => CodeEvent::Fault(task, fault),
            (UserStop::Budget | UserStop::Breakpoint, done) => CodeEvent::Ran(task, done),
        };
        settle(self);
        self.still_sound()?;
        Ok(event)
    }

    /// Makes the call that was announced.
    ///
    /// # Errors
    /// The task cannot act; the kernel is broken.
    pub fn step_call(&mut self, task: TaskId) -> Result<CodeEvent, Trouble> {
        can_act(self, task)?;
        let event = code::make(self, task);
        self.still_sound()?;
        Ok(event)
    }
}

/// Makes room for a director's call before the next instruction of a program. Gives
/// the program's registers, if they are to be as they were.
pub(super) fn step_aside(sys: &mut System, task: TaskId, nr: u32) -> Option<Registers> {
    sys.kernel.tasks.get(task).filter(|t| t.code)?;
    can_act(sys, task).ok()?;
    if matches!(nr, NR_RT_SIGRETURN | NR_EXECVE | NR_EXECVEAT) {
        return None;
    }
    let program = registers::read(sys, task);
    let mut before = program.clone();
    before.regs.ip = before.regs.ip.wrapping_sub(SYSCALL_LEN);
    registers::write(sys, task, &before).ok()?;
    Some(program)
}

/// The program goes on after a director's call, unless a handler runs first. The
/// task that the call has made begins where the program is.
pub(super) fn go_back(sys: &mut System, task: TaskId, program: &Registers, returned: bool) {
    let made = sys.new_task_of(task).map(|(made, _)| made);
    let tasks = [(made, false), (Some(task).filter(|_| returned), true)];
    for (who, is_caller) in tasks {
        let Some(who) = who.filter(|t| sys.kernel.tasks.get(*t).is_some_and(|t| !t.is_dead()))
        else {
            continue;
        };
        let mut now = registers::read(sys, who);
        if now.regs.ip != program.regs.ip {
            continue;
        }
        let (ax, sp) = (now.regs.ax, now.regs.sp);
        now.regs = program.regs;
        if !is_caller {
            (now.regs.ax, now.regs.sp) = (ax, sp);
        }
        // What is written has been read before.
        let _ = registers::write(sys, who, &now);
    }
}
