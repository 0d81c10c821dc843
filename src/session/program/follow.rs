//! What follows a step without anybody choosing: tasks that were made get a
//! program, calls that have returned their answers, handlers begin, init waits
//! for the dead; and when everyone sleeps, time passes.
//!
//! Linux: none; user mode and init. Left out: who was woken; going on is a step.

use super::{
    Answer, Child, Ended, Frame, Interpreter, NR_WAIT4, ProgramError, Programs, TEXT, TEXT_STEP,
    Value, WNOHANG, is_over,
};
use crate::abi::Signal;
use crate::kernel::mm::uaccess::copy_from_user;
use crate::kernel::signal::frame::{SIGINFO_SIZE, siginfo_from_bytes};
use crate::kernel::syscalls::{Call, Out};
use crate::kernel::task::{TaskId, TaskStruct};
use crate::kernel::timer;
use crate::session::director::{Done, Trouble};

impl Programs {
    /// Gives tasks that were made in `caller`'s call something to do.
    pub(super) fn adopt(&mut self, caller: TaskId, question: u64, child: &Child) {
        self.adopt_late(Some((caller, question, child)));
    }

    /// The same where there may be no caller: calls that slept have made them.
    pub(super) fn adopt_late(&mut self, call: Option<(TaskId, u64, &Child)>) {
        for (creator, new) in std::mem::take(&mut self.system.kernel.born) {
            if let Some((caller, question, child)) = call
                && creator == caller
            {
                self.adopt_of(creator, new, question, child);
                continue;
            }
            // A call that had not come to an end has made it: that of a tracee.
            let body = self.bodies.get(&creator);
            let waits = body.and_then(|b| b.frames.iter().rev().find_map(|f| f.waits.as_ref()));
            if let Some((question, child)) = waits.map(|w| (w.question, w.child.clone())) {
                self.adopt_of(creator, new, question, &child);
            }
        }
    }

    fn adopt_of(&mut self, creator: TaskId, new: TaskId, question: u64, child: &Child) {
        if self.bodies.contains_key(&new) || is_over(&self.system, new) {
            return;
        }
        let pid = self.system.task(new).pid;
        let (frames, thread) = match child {
            Child::Returns => {
                let body = &self.bodies[&creator];
                let mut frames = body.frames.clone();
                frames.iter_mut().for_each(|f| f.tape.passes_to(pid));
                let top = frames.last_mut().expect("a body has a frame");
                top.tape.push(question, Answer::Returned(0, Out::None));
                top.waits = None;
                (frames, body.thread)
            }
            Child::Starts(start) => {
                let leads = self.system.task(new).is_group_leader();
                (vec![Frame::new(start.clone(), None, pid)], !leads)
            }
        };
        self.add(new, frames, thread);
    }

    /// Whatever follows: calls that have returned, handlers that begin, the
    /// dead, and init waiting for its children.
    pub(super) fn settle(&mut self, interpreter: &impl Interpreter) -> Result<(), ProgramError> {
        self.follow(interpreter)?;
        // Everyone sleeps: time passes, until the first sleep with an end is
        // over.
        while !self.bodies.is_empty()
            && !self.any_runnable()
            && let Some(end) = timer::next(&self.system)
        {
            let now = self.system.machine.clock.now();
            timer::advance(&mut self.system, end.saturating_sub(now));
            self.system.still_sound()?;
            self.follow(interpreter)?;
        }
        Ok(())
    }

    fn follow(&mut self, interpreter: &impl Interpreter) -> Result<(), ProgramError> {
        loop {
            self.follow_once(interpreter)?;
            // init's own calls take time, in which a short sleep may end.
            let ended = |t: &TaskId| {
                self.system.kernel.tasks.get(*t).is_some_and(|t| !t.finished.is_empty())
            };
            if !self.bodies.keys().any(ended) {
                break;
            }
        }
        self.mask_between_calls();
        Ok(())
    }

    fn follow_once(&mut self, interpreter: &impl Interpreter) -> Result<(), ProgramError> {
        let tasks: Vec<TaskId> = self.bodies.keys().copied().collect();
        for task in tasks {
            self.collect(interpreter, task)?;
            if is_over(&self.system, task) {
                self.bodies.remove(&task);
                continue;
            }
            // A handler whose frame is there begins in user mode; another stop
            // or handler may come before.
            if !self.system.is_in_user_mode(task) {
                continue;
            }
            let (ip, sp) = self.user_regs(task);
            let Some(offset) = ip.checked_sub(TEXT).filter(|o| o.is_multiple_of(TEXT_STEP)) else {
                continue;
            };
            let begun = self.bodies[&task].top().handler_sp == Some(sp);
            let start = u32::try_from(offset / TEXT_STEP).ok();
            let start = start.and_then(|i| interpreter.function_at(i)).filter(|_| !begun);
            if let Some(mut start) = start {
                let signo = self.system.task(task).regs.di as i64;
                start.args.push(Value::Int(signo));
                if interpreter.takes_siginfo(&start.function) {
                    start.args.extend(self.siginfo_of_handler(task));
                }
                let pid = self.system.task(task).pid;
                let frame = Frame::new(start, Some(sp), pid);
                self.bodies.get_mut(&task).expect("it is alive").frames.push(frame);
            }
        }
        self.reap()
    }

    /// The siginfo of a handler that is about to begin, read as the handler
    /// would: through its second argument, from the frame in its memory.
    fn siginfo_of_handler(&mut self, task: TaskId) -> Option<Value> {
        let mut bytes = [0; SIGINFO_SIZE];
        let at = self.system.task(task).regs.si;
        copy_from_user(&mut self.system, task, at, &mut bytes).ok()?;
        let signo = bytes[..4].try_into().map(i32::from_le_bytes).ok()?;
        Some(Value::siginfo(siginfo_from_bytes(Signal::new(signo)?, &bytes)))
    }

    /// Results of calls that had slept.
    fn collect(
        &mut self,
        interpreter: &impl Interpreter,
        task: TaskId,
    ) -> Result<(), ProgramError> {
        while let Some((serial, result)) = self.system.take_ended(task) {
            let body = self.bodies.get_mut(&task).expect("it is listed");
            let waits = |f: &&mut Frame| f.waits.as_ref().is_some_and(|w| w.serial == serial);
            let Some(frame) = body.frames.iter_mut().find(waits) else { continue };
            let Some(w) = frame.waits.take() else { continue };
            match w.execs && result.is_ok() {
                true => self.exec(interpreter, task)?,
                false => frame.tape.push(w.question, result.into()),
            }
        }
        Ok(())
    }

    /// init waits for whoever has become its child and died.
    fn reap(&mut self) -> Result<(), ProgramError> {
        let init = self.system.kernel.init_process;
        // Without a call where it would find nothing: most steps end nobody.
        // It traces who has asked for that as its child.
        let may = |t: &TaskStruct| !t.notable_children.is_empty() || t.ptraced.first.is_some();
        while may(self.system.task(init)) {
            let call = Call::new(NR_WAIT4, &[u64::MAX, 0, WNOHANG, 0]);
            match self.system.call(init, call) {
                // It lets nobody go on that stops for it (PTRACE_TRACEME).
                Ok(Done::Returned(pid, Out::Wait(info)))
                    if pid > 0 && info.status & 0xff == 0x7f => {}
                Ok(Done::Returned(pid, Out::Wait(info))) if pid > 0 => {
                    self.ended.push(Ended { pid: pid as i32, status: info.status });
                }
                Ok(_) | Err(Trouble::Refused(_)) => return Ok(()),
                Err(e) => return Err(self.trouble(init, e)),
            }
        }
        Ok(())
    }
}
