//! Debugging machine code: a process under control, from outside the machine.
//!
//! ```text
//! attach -> stopped --resume(plan)--> advance, advance... -> Stop --> stopped
//!             |  registers, memory, breakpoints, watches       ^
//!             +--reverse: a snapshot, and the way from it again-+
//! ```
//!
//! Nothing moves between `advance`s, so all is stopped when one process is. To look
//! changes nothing: the same program, run without a debugger, makes the same calls
//! at the same virtual times (only the TLB is asked more often). Breakpoints are no bytes in memory, but they belong
//! to an address space as if they were: fork copies them, execve drops them.
//!
//! - `registers`, `memory`: of a task
//! - `stops`: what the events of a run mean to a debugger
//! - `history`: snapshots on the way, and going back
//!
//! Linux: none; ptrace(2) is what a debugger uses there. Left out: tasks with a
//! tracer in the machine report their signals to that one; group stops.

pub mod history;
pub mod memory;
pub mod registers;
mod stops;
#[cfg(test)]
mod tests;

pub use super::watch::{Touched, WatchKind};
pub use history::Reverse;

use super::code::{CodeRun, Place};
use crate::abi::Signal;
use crate::abi::structs::SigInfo;
use crate::kernel::mm::MmId;
use crate::kernel::pid::PidType;
use crate::kernel::ptrace::outside;
use crate::kernel::signal::{self, kill, send};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use history::History;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

/// Why everything stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A task is at a breakpoint.
    Breakpoint(TaskId),
    /// A task has touched watched memory.
    Watch(TaskId, Touched),
    /// A task has done the step that it was to do.
    Stepped(TaskId),
    /// A task is about to take a signal, and holds it.
    Signal(TaskId, Signal),
    /// Somebody outside wanted it so.
    Interrupted(TaskId),
    /// A task is at a SYSCALL instruction, with this number in RAX.
    SyscallEntry(TaskId, u64),
    /// A call with this number has returned.
    SyscallReturn(TaskId, u64),
    /// A process has made another one, which is under control too and has executed
    /// nothing yet.
    Forked {
        /// Who.
        parent: TaskId,
        /// Whom.
        child: TaskId,
        /// Whether the parent sleeps until the child executes another program.
        vfork: bool,
    },
    /// The parent of a vfork goes on.
    VforkDone(TaskId),
    /// A task executes another program.
    Exec(TaskId),
    /// A process has ended by exit.
    Exited {
        /// Which.
        pid: i32,
        /// Its status, 0 to 255.
        code: u8,
    },
    /// A process was killed by a signal.
    Killed {
        /// Which.
        pid: i32,
        /// By which.
        sig: Signal,
    },
    /// Nothing older is remembered.
    Beginning(TaskId),
}

/// What `advance` has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// Things go on.
    Going,
    /// Nobody can run: only somebody outside can help.
    Idle,
    /// They stand.
    Stopped(Stop),
}

/// How a task goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Until something happens.
    Continue,
    /// One instruction, or a whole call.
    Step,
    /// Until it is at an address outside of these.
    StepWithin(Range<u64>),
}

/// A task's part in a resumption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Who.
    pub task: TaskId,
    /// How.
    pub action: Action,
    /// A signal to take first; the one that it holds is dropped.
    pub signal: Option<Signal>,
}

/// Who goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Tasks with a part of their own.
    pub parts: Vec<Part>,
    /// Processes whose other tasks stand still.
    pub still: BTreeSet<i32>,
}

/// Which calls to stop at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Catch {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// These.
    These(BTreeSet<u64>),
}

impl Catch {
    fn has(&self, nr: u64) -> bool {
        match self {
            Catch::None => false,
            Catch::All => true,
            Catch::These(numbers) => numbers.contains(&nr),
        }
    }
}

/// What is under control, as a snapshot keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Control {
    /// Processes under control by pid, and their leaders.
    processes: BTreeMap<i32, TaskId>,
    /// Calls that have begun.
    calls: BTreeMap<TaskId, u64>,
    /// Tasks that sleep for a vfork child.
    vforks: BTreeSet<TaskId>,
    /// Tasks whose held signal was reported.
    reported: BTreeSet<TaskId>,
    /// Signals that are to be taken without a stop.
    passed: Vec<(TaskId, Signal)>,
}

/// Processes under control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debugger {
    /// The processors.
    run: CodeRun,
    control: Control,
    history: History,
    /// Calls to stop at.
    pub catch: Catch,
    steps: BTreeMap<TaskId, Action>,
    pending: VecDeque<Stop>,
    last: TaskId,
}

impl Debugger {
    /// Takes control of the process of `task`, before anything else happens.
    pub fn attach(sys: &mut System, task: TaskId) -> Debugger {
        let mut d = Debugger {
            run: CodeRun::begin(sys),
            control: Control::default(),
            history: History::default(),
            catch: Catch::None,
            steps: BTreeMap::new(),
            pending: VecDeque::new(),
            last: task,
        };
        d.take_control(sys, task);
        d
    }

    fn take_control(&mut self, sys: &mut System, task: TaskId) {
        let t = sys.task(task);
        self.control.processes.insert(t.tgid, t.group_leader);
        outside::watch(sys, task, true);
    }

    /// Gives a process back: what its tasks hold is delivered, and nothing stops it
    /// any more.
    pub fn detach(&mut self, sys: &mut System, pid: i32) {
        let Some(leader) = self.control.processes.remove(&pid) else { return };
        self.history.influenced(self.run.place());
        outside::watch(sys, leader, false);
        let tasks = if sys.kernel.tasks.get(leader).is_some() {
            signal::threads(sys, leader)
        } else {
            Default::default()
        };
        if let Some(mm) = self.space_of(sys, leader)
            && !self.control.processes.values().any(|t| self.space_of(sys, *t) == Some(mm))
        {
            self.run.in_space.remove(&mm);
            self.run.watches.forget(mm);
        }
        for task in tasks {
            let sig = outside::held(sys, task).map(|info| info.si_signo);
            outside::let_go(sys, task, sig);
            self.steps.remove(&task);
            self.control.reported.remove(&task);
        }
        self.run.release(sys);
    }

    /// Kills a process; it stays under control until it is dead.
    pub fn kill(&mut self, sys: &mut System, pid: i32) {
        if let Some(leader) = self.control.processes.get(&pid).copied()
            && sys.kernel.tasks.get(leader).is_some_and(|t| t.sighand.is_some())
        {
            self.history.influenced(self.run.place());
            kill::send_sig(sys, leader, Signal::SIGKILL);
        }
    }

    /// The run, for whoever goes on without a debugger.
    pub fn into_run(self) -> CodeRun {
        let mut run = self.run;
        run.in_space.clear();
        run.watches = Default::default();
        run.singly.clear();
        run.until = None;
        run
    }

    /// Processes under control.
    pub fn processes(&self) -> impl Iterator<Item = i32> {
        self.control.processes.keys().copied()
    }

    /// Living tasks of a process under control, its first one first.
    pub fn tasks(&self, sys: &System, pid: i32) -> Vec<TaskId> {
        let Some(leader) = self.control.processes.get(&pid) else { return Vec::new() };
        if sys.kernel.tasks.get(*leader).is_none() {
            return Vec::new();
        }
        let alive = |t: &TaskId| sys.kernel.tasks.get(*t).is_some_and(|t| !t.is_dead());
        signal::threads(sys, *leader).into_iter().filter(alive).collect()
    }

    /// The living task under control with a pid of its own (TID).
    pub fn task(&self, sys: &System, tid: i32) -> Option<TaskId> {
        let all = self.processes().flat_map(|pid| self.tasks(sys, pid));
        all.into_iter().find(|t| sys.task(*t).pid == tid)
    }

    fn space_of(&self, sys: &System, task: TaskId) -> Option<MmId> {
        sys.kernel.tasks.get(task)?.mm
    }

    /// Sets a breakpoint in the address space of a task, or takes it away. `false`:
    /// it was so already, or the task has no memory.
    pub fn set_breakpoint(&mut self, sys: &System, task: TaskId, addr: u64, on: bool) -> bool {
        let Some(mm) = self.space_of(sys, task) else { return false };
        if on {
            return self.run.in_space.entry(mm).or_default().insert(addr);
        }
        let Some(points) = self.run.in_space.get_mut(&mm) else { return false };
        let was = points.remove(&addr);
        if points.is_empty() {
            self.run.in_space.remove(&mm);
        }
        was
    }

    /// Watches memory of a task's address space, or no longer. `false`: that cannot
    /// be.
    pub fn set_watch(
        &mut self,
        sys: &System,
        task: TaskId,
        area: Range<u64>,
        kind: WatchKind,
        on: bool,
    ) -> bool {
        let Some(mm) = self.space_of(sys, task) else { return false };
        let len = area.end.saturating_sub(area.start);
        match on {
            true => self.run.watches.add(sys, mm, area.start, len, kind),
            false => self.run.watches.remove(mm, area.start, len, kind),
        }
    }

    /// Somebody outside has changed the system: registers, memory, input.
    pub fn influenced(&mut self, sys: &System) {
        self.run.watches.renew(sys);
        self.history.influenced(self.run.place());
    }

    /// Lets things go on.
    pub fn resume(&mut self, sys: &mut System, plan: &Plan) {
        self.run.report_again();
        let mut influence = self.run.release(sys);
        self.steps.clear();
        let mut still = BTreeSet::new();
        for pid in &plan.still {
            still.extend(self.tasks(sys, *pid));
        }
        for Part { task, action, .. } in &plan.parts {
            still.remove(task);
            if *action != Action::Continue {
                self.steps.insert(*task, action.clone());
                self.run.pass(*task);
            }
        }
        let mut signals: BTreeMap<TaskId, Signal> = BTreeMap::new();
        signals.extend(plan.parts.iter().filter_map(|p| Some((p.task, p.signal?))));
        let all: Vec<TaskId> = self.processes().flat_map(|pid| self.tasks(sys, pid)).collect();
        for task in all.into_iter().filter(|t| !still.contains(t)) {
            let signal = signals.get(&task).copied();
            if outside::held(sys, task).is_some() {
                // One that was not reported yet is next.
                if self.control.reported.remove(&task) {
                    outside::let_go(sys, task, signal);
                    influence = true;
                }
            } else if let Some(sig) = signal {
                self.control.passed.push((task, sig));
                let info = SigInfo::kernel(sig);
                // Refused only for what is pending already.
                let _ = send::send_signal_locked(sys, info, task, PidType::Pid);
                influence = true;
            }
        }
        // The schedule is another one from here on.
        influence |= still.iter().any(|t| sys.task(*t).__state == TaskState::RUNNING);
        self.run.still = still;
        self.run.singly = self.steps.keys().copied().collect();
        if influence {
            self.history.influenced(self.run.place());
        }
    }

    /// How far things have come.
    pub fn place(&self) -> Place {
        self.run.place()
    }

    /// The task that was the last one to do something.
    pub fn last_task(&self) -> TaskId {
        self.last
    }
}
