//! What the events of a run mean to a debugger.
//!
//! ```text
//! Breakpoint, Watch     of a process under control: a stop
//! Ran, one instruction  the end of a step
//! Call, Returned        a call to stop at; fork, vfork, execve
//! any                   a signal held by a task; the end of a process
//! ```
//!
//! Linux: the events of ptrace(2). Left out: the creation and the end of a thread,
//! which debuggers see in the list.

use super::history::{Reverse, Snapshot};
use super::{Action, Advance, Debugger, Stop};
use crate::abi::Signal;
use crate::kernel::entry::code::user_regs;
use crate::kernel::ptrace::outside;
use crate::kernel::signal::SignalFlags;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::session::code::CodeEvent;
use crate::session::director::Trouble;

const NR_EXECVE: u64 = 59;
const NR_EXIT: u64 = 60;
const NR_EXIT_GROUP: u64 = 231;
const NR_EXECVEAT: u64 = 322;

impl Debugger {
    /// Lets the next thing happen, unless there is a stop. `drain` is called where
    /// bytes may have come out of the machine, with whether they are new: it takes
    /// them out, the same each time.
    ///
    /// # Errors
    /// The kernel is broken.
    pub fn advance(
        &mut self,
        sys: &mut System,
        mut drain: impl FnMut(&mut System, bool),
    ) -> Result<Advance, Trouble> {
        self.look_around(sys);
        if let Some(stop) = self.next_pending(sys) {
            return Ok(Advance::Stopped(stop));
        }
        self.remember(sys);
        let new = self.is_at_front();
        self.run.until = self.next_snapshot().map(|s| s.place().retired);
        let event = self.run.next(sys)?;
        if !matches!(event, CodeEvent::Ran(..) | CodeEvent::Breakpoint(_) | CodeEvent::Watch(..)) {
            drain(sys, new);
        }
        if self.run.has_held_back() {
            self.history.influenced(self.run.place());
        }
        let idle = event == CodeEvent::Idle;
        self.note(sys, event);
        self.look_around(sys);
        match self.next_pending(sys) {
            Some(stop) => Ok(Advance::Stopped(stop)),
            None if idle => Ok(Advance::Idle),
            None => Ok(Advance::Going),
        }
    }

    /// Stops now.
    pub fn interrupt(&mut self, sys: &System) -> Stop {
        let alive = |t: &TaskId| sys.kernel.tasks.get(*t).is_some_and(|t| !t.is_dead());
        let mine = |t: &TaskId| self.controls(sys, *t) && alive(t);
        let first = || self.processes().flat_map(|pid| self.tasks(sys, pid)).next();
        let task = Some(self.last).filter(mine).or_else(first).unwrap_or(self.last);
        Stop::Interrupted(task)
    }

    /// Whether a task belongs to a process under control.
    pub fn controls(&self, sys: &System, task: TaskId) -> bool {
        let tgid = sys.kernel.tasks.get(task).map(|t| t.tgid);
        tgid.is_some_and(|pid| self.control.processes.contains_key(&pid))
    }

    /// The next stop that still stands.
    fn next_pending(&mut self, sys: &System) -> Option<Stop> {
        while let Some(stop) = self.pending.pop_front() {
            let of = match &stop {
                Stop::Exited { .. } | Stop::Killed { .. } => return Some(stop),
                Stop::Breakpoint(t)
                | Stop::Watch(t, _)
                | Stop::Stepped(t)
                | Stop::Signal(t, _)
                | Stop::Interrupted(t)
                | Stop::SyscallEntry(t, _)
                | Stop::SyscallReturn(t, _)
                | Stop::VforkDone(t)
                | Stop::Exec(t)
                | Stop::Beginning(t)
                | Stop::Forked { parent: t, .. } => *t,
            };
            if sys.kernel.tasks.get(of).is_some_and(|t| !t.is_dead()) {
                if let Stop::Signal(task, _) = stop {
                    self.control.reported.insert(task);
                }
                self.last = of;
                return Some(stop);
            }
        }
        None
    }

    /// What an event means.
    pub(super) fn note(&mut self, sys: &mut System, event: CodeEvent) {
        match event {
            CodeEvent::Ran(task, n) => self.ran(sys, task, n),
            CodeEvent::Breakpoint(task) if self.controls(sys, task) => {
                self.pending.push_back(Stop::Breakpoint(task));
            }
            CodeEvent::Watch(task, touched) if self.controls(sys, task) => {
                self.pending.push_back(Stop::Watch(task, touched));
            }
            CodeEvent::Handler(task) => self.ran(sys, task, 1),
            CodeEvent::Call(task, call) => {
                let nr = u64::from(call.nr);
                if self.controls(sys, task) {
                    let exits = matches!(nr, NR_EXIT | NR_EXIT_GROUP);
                    let argument = if exits { call.args[0] & 0xff } else { 0 };
                    self.control.calls.insert(task, nr | argument << 32);
                    if self.catch.has(nr) {
                        self.pending.push_back(Stop::SyscallEntry(task, nr));
                    }
                }
            }
            CodeEvent::Returned(task, outcome) => self.returned(sys, task, outcome.ret),
            CodeEvent::Blocked(task) => {
                let vfork = self.forked(sys, task, true);
                self.control.vforks.extend(vfork.then_some(task));
            }
            _ => {}
        }
    }

    fn ran(&mut self, sys: &System, task: TaskId, n: u64) {
        if self.controls(sys, task) {
            self.last = task;
        }
        let done = match self.steps.get(&task) {
            None | Some(Action::Continue) => false,
            Some(Action::Step) => n > 0,
            Some(Action::StepWithin(range)) => n > 0 && !range.contains(&user_regs(sys, task).ip),
        };
        if done {
            self.pending.push_back(Stop::Stepped(task));
        }
    }

    /// A call has returned to user mode.
    fn returned(&mut self, sys: &mut System, task: TaskId, ret: i64) {
        let Some(nr) = self.control.calls.remove(&task) else { return };
        let nr = nr & 0xffff_ffff;
        if self.control.vforks.remove(&task) {
            self.pending.push_back(Stop::VforkDone(task));
        } else {
            self.forked(sys, task, false);
        }
        if matches!(nr, NR_EXECVE | NR_EXECVEAT) && ret == 0 {
            // The old address space is not this process's any more.
            let mms = &sys.kernel.mms;
            self.run.in_space.retain(|mm, _| mms.get(*mm).is_some());
            let t = sys.task(task);
            self.control.processes.insert(t.tgid, t.group_leader);
            self.pending.push_back(Stop::Exec(task));
        }
        if self.catch.has(nr) {
            self.pending.push_back(Stop::SyscallReturn(task, nr));
        }
        self.ran(sys, task, 1);
    }

    /// The process that the task's call has made, if it has, comes under control.
    fn forked(&mut self, sys: &mut System, task: TaskId, vfork: bool) -> bool {
        let Some((child, _)) = sys.new_task_of(task) else { return false };
        if !self.controls(sys, task) || self.controls(sys, child) {
            return false;
        }
        self.take_control(sys, child);
        let (from, to) = (sys.task(task).mm, sys.task(child).mm);
        if let (Some(from), Some(to)) = (from, to)
            && from != to
            && let Some(points) = self.run.in_space.get(&from).cloned()
        {
            self.run.in_space.insert(to, points);
        }
        self.pending.push_back(Stop::Forked { parent: task, child, vfork });
        true
    }

    /// Held signals, and processes that have ended.
    fn look_around(&mut self, sys: &mut System) {
        let pids: Vec<i32> = self.processes().collect();
        for pid in pids {
            for task in self.tasks(sys, pid) {
                let Some(info) = outside::held(sys, task) else { continue };
                let sig = info.si_signo;
                let passed = self.control.passed.iter().position(|p| *p == (task, sig));
                if let Some(at) = passed {
                    self.control.passed.remove(at);
                    outside::let_go(sys, task, Some(sig));
                    self.history.influenced(self.run.place());
                } else if !self.control.reported.contains(&task)
                    && !self.pending.contains(&Stop::Signal(task, sig))
                {
                    self.pending.push_back(Stop::Signal(task, sig));
                }
            }
            if let Some(stop) = self.ended(sys, pid) {
                self.control.processes.remove(&pid);
                self.pending.push_back(stop);
            }
        }
    }

    /// How a process has ended, if it has.
    fn ended(&mut self, sys: &System, pid: i32) -> Option<Stop> {
        let leader = *self.control.processes.get(&pid)?;
        let status = match sys.kernel.tasks.get(leader) {
            Some(t) => {
                let signal = t.signal.and_then(|s| sys.kernel.signals.get(s));
                if !t.is_dead() || signal.is_some_and(|s| s.live > 0) {
                    return None;
                }
                let group = signal.filter(|s| s.flags.contains(SignalFlags::GROUP_EXIT));
                group.map_or(t.exit_code, |s| s.group_exit_code)
            }
            // Nobody waited for it: its last call tells.
            None => match self.control.calls.get(&leader) {
                Some(call) if matches!(call & 0xffff_ffff, NR_EXIT | NR_EXIT_GROUP) => {
                    (call >> 32) as i32 * 0x100
                }
                _ => Signal::SIGKILL.number(),
            },
        };
        self.control.calls.remove(&leader);
        Some(match Signal::new(status & 0x7f) {
            Some(sig) => Stop::Killed { pid, sig },
            None => Stop::Exited { pid, code: (status >> 8 & 0xff) as u8 },
        })
    }

    /// Goes back in time.
    ///
    /// # Errors
    /// The kernel is broken.
    pub fn reverse(
        &mut self,
        sys: &mut System,
        how: Reverse,
        mut drain: impl FnMut(&mut System, bool),
    ) -> Result<Stop, Trouble> {
        self.pending.clear();
        self.steps.clear();
        let stop = self.go_back(sys, how, &mut |sys| drain(sys, false))?;
        self.pending.clear();
        Ok(stop)
    }

    /// The snapshot that is next, for somebody who has gone back.
    fn next_snapshot(&self) -> Option<&Snapshot> {
        self.history.next()
    }
}
