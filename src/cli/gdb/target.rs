//! What gdbstub asks, answered by a [`Debugger`].
//!
//! Source: the manual of gdb, appendix E. Left out: starting programs (`run`) and
//! attaching to others; memory maps, which are for flash.

use super::arch::{Amd64Linux, Number, Wire, from_wire, place, to_wire};
use super::monitor;
use super::signals::from_gdb;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::session::debug::{Action, Catch, Debugger, Part, Plan, Reverse, WatchKind};
use crate::session::debug::{memory, registers};
use crate::session::director::Trouble;
use gdbstub::common::{Pid, Signal as GdbSignal, Tid};
use gdbstub::target::ext::auxv::{Auxv, AuxvOps};
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::multithread as multi;
use gdbstub::target::ext::base::reverse_exec as back;
use gdbstub::target::ext::base::single_register_access as single;
use gdbstub::target::ext::breakpoints as points;
use gdbstub::target::ext::catch_syscalls as calls;
use gdbstub::target::ext::exec_file::{ExecFile, ExecFileOps};
use gdbstub::target::ext::extended_mode as extended;
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd, MonitorCmdOps};
use gdbstub::target::{Target, TargetError, TargetResult};
use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroUsize;

/// Linux's numbers, which the protocol uses for errors too.
const ESRCH: u8 = 3;
const EIO: u8 = 5;
const EFAULT: u8 = 14;
const ENOSYS: u8 = 38;

/// The program under gdb.
pub struct Program<'a> {
    /// The machine.
    pub sys: &'a mut System,
    /// Who controls it.
    pub debugger: Debugger,
    /// The process that the last stop was about.
    pub focus: i32,
    /// The process that memory and breakpoints are about (`Hg`).
    pub general: i32,
    /// Pids for the next replies that name one.
    pub named: VecDeque<i32>,
    /// Processes that the next resumption is about; all if there are none.
    pub resumed: BTreeSet<i32>,
    /// How to go on.
    pub plan: Plan,
    /// Back instead.
    pub reverse: Option<Reverse>,
    /// Where gdb finds the program that was started.
    pub exec_file: Option<String>,
    /// Breakpoints of which gdb believes that the processor has them.
    hardware: BTreeSet<(i32, u64)>,
    locked: bool,
}

/// A number for the protocol. None is 0 or negative: there is no idle task here.
pub fn id(pid: i32) -> NonZeroUsize {
    usize::try_from(pid).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN)
}

fn errno<E>(number: u8) -> TargetError<E> {
    TargetError::Errno(number)
}

/// Part of a text, as qXfer packets ask for it.
fn part(text: &[u8], offset: u64, buf: &mut [u8], length: usize) -> usize {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
    let n = (text.len() - from).min(length).min(buf.len());
    buf[..n].copy_from_slice(&text[from..from + n]);
    n
}

impl<'a> Program<'a> {
    /// Takes control of a process.
    pub fn new(sys: &'a mut System, task: TaskId, exec_file: Option<String>) -> Program<'a> {
        let debugger = Debugger::attach(sys, task);
        let pid = sys.task(task).tgid;
        Program {
            sys,
            debugger,
            focus: pid,
            general: pid,
            named: VecDeque::new(),
            resumed: BTreeSet::new(),
            plan: Plan::default(),
            reverse: None,
            exec_file,
            hardware: BTreeSet::new(),
            locked: false,
        }
    }

    /// The task with a number of the protocol.
    pub fn task(&self, tid: Tid) -> Option<TaskId> {
        self.debugger.task(self.sys, i32::try_from(tid.get()).ok()?)
    }

    /// A task's number for the protocol.
    pub fn tid(&self, task: TaskId) -> Tid {
        id(self.sys.kernel.tasks.get(task).map_or(0, |t| t.pid))
    }

    fn alive(&self, tid: Tid) -> TargetResult<TaskId, Self> {
        self.task(tid).ok_or(errno(ESRCH))
    }

    /// A task whose address space the next breakpoint is in.
    pub fn in_general(&self) -> Option<TaskId> {
        let first = |pid: i32| self.debugger.tasks(self.sys, pid).first().copied();
        first(self.general).or_else(|| first(self.focus))
    }

    /// Whether gdb believes that the processor has a breakpoint.
    pub fn is_hardware(&self, task: TaskId) -> bool {
        let at = registers::read(self.sys, task).regs.ip;
        self.hardware.contains(&(self.sys.task(task).tgid, at))
    }

    fn set_point(&mut self, addr: u64, on: bool) -> bool {
        let Some(task) = self.in_general() else { return false };
        self.debugger.set_breakpoint(self.sys, task, addr, on);
        true
    }

    fn set_watch(&mut self, addr: u64, len: u64, kind: points::WatchKind, on: bool) -> bool {
        let Some(task) = self.in_general() else { return false };
        let kind = match kind {
            points::WatchKind::Write => WatchKind::Write,
            points::WatchKind::Read => WatchKind::Read,
            points::WatchKind::ReadWrite => WatchKind::Access,
        };
        let area = addr..addr.saturating_add(len);
        self.debugger.set_watch(self.sys, task, area, kind, on)
    }

    fn add(&mut self, tid: Tid, action: Action, signal: Option<GdbSignal>) {
        // One that has died meanwhile does nothing.
        if let Some(task) = self.task(tid) {
            self.plan.parts.push(Part { task, action, signal: signal.and_then(from_gdb) });
        }
    }
}

impl Target for Program<'_> {
    type Arch = Amd64Linux;
    type Error = Trouble;

    fn base_ops(&mut self) -> BaseOps<'_, Amd64Linux, Trouble> {
        BaseOps::MultiThread(self)
    }

    // Replies are amended as text.
    fn use_rle(&self) -> bool {
        false
    }

    fn support_breakpoints(&mut self) -> Option<points::BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_extended_mode(&mut self) -> Option<extended::ExtendedModeOps<'_, Self>> {
        Some(self)
    }

    fn support_catch_syscalls(&mut self) -> Option<calls::CatchSyscallsOps<'_, Self>> {
        Some(self)
    }

    fn support_exec_file(&mut self) -> Option<ExecFileOps<'_, Self>> {
        Some(self)
    }

    fn support_auxv(&mut self) -> Option<AuxvOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }
}

impl multi::MultiThreadBase for Program<'_> {
    fn read_registers(&mut self, regs: &mut Wire, tid: Tid) -> TargetResult<(), Self> {
        *regs = to_wire(&registers::read(self.sys, self.alive(tid)?));
        Ok(())
    }

    fn write_registers(&mut self, regs: &Wire, tid: Tid) -> TargetResult<(), Self> {
        let task = self.alive(tid)?;
        let old = registers::read(self.sys, task);
        let new = from_wire(regs, &old).ok_or(errno(EIO))?;
        registers::write(self.sys, task, &new).map_err(|_| errno(EIO))?;
        self.debugger.influenced(self.sys);
        Ok(())
    }

    fn support_single_register_access(
        &mut self,
    ) -> Option<single::SingleRegisterAccessOps<'_, Tid, Self>> {
        Some(self)
    }

    fn read_addrs(&mut self, start: u64, data: &mut [u8], tid: Tid) -> TargetResult<usize, Self> {
        let bytes = memory::read(self.sys, self.alive(tid)?, start, data.len());
        if bytes.is_empty() && !data.is_empty() {
            return Err(errno(EFAULT));
        }
        data[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn write_addrs(&mut self, start: u64, data: &[u8], tid: Tid) -> TargetResult<(), Self> {
        let task = self.alive(tid)?;
        if data.is_empty() {
            // Whether the packet exists.
            return Ok(());
        }
        memory::write(self.sys, task, start, data).map_err(|_| errno(EFAULT))?;
        self.debugger.influenced(self.sys);
        Ok(())
    }

    fn list_active_threads(&mut self, each: &mut dyn FnMut(Tid)) -> Result<(), Trouble> {
        for task in self.debugger.tasks(self.sys, self.focus) {
            each(self.tid(task));
        }
        Ok(())
    }

    fn is_thread_alive(&mut self, tid: Tid) -> Result<bool, Trouble> {
        Ok(self.task(tid).is_some())
    }

    fn support_resume(&mut self) -> Option<multi::MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl single::SingleRegisterAccess<Tid> for Program<'_> {
    fn read_register(&mut self, tid: Tid, n: Number, buf: &mut [u8]) -> TargetResult<usize, Self> {
        let all = to_wire(&registers::read(self.sys, self.alive(tid)?));
        let (at, size) = place(n.0).ok_or(errno(EIO))?;
        let value = all.0.get(at..at + size).ok_or(errno(EIO))?;
        buf.get_mut(..size).ok_or(errno(EIO))?.copy_from_slice(value);
        Ok(size)
    }

    fn write_register(&mut self, tid: Tid, n: Number, val: &[u8]) -> TargetResult<(), Self> {
        let task = self.alive(tid)?;
        let mut all = to_wire(&registers::read(self.sys, task));
        let (at, size) = place(n.0).ok_or(errno(EIO))?;
        let value = val.get(..size).ok_or(errno(EIO))?;
        all.0.get_mut(at..at + size).ok_or(errno(EIO))?.copy_from_slice(value);
        multi::MultiThreadBase::write_registers(self, &all, tid)
    }
}

impl multi::MultiThreadResume for Program<'_> {
    fn resume(&mut self) -> Result<(), Trouble> {
        self.plan.still = if self.locked {
            self.debugger.processes().collect()
        } else {
            let resumed = &self.resumed;
            let all = |pid: &i32| !resumed.is_empty() && !resumed.contains(pid);
            self.debugger.processes().filter(all).collect()
        };
        self.debugger.resume(self.sys, &self.plan);
        Ok(())
    }

    fn clear_resume_actions(&mut self) -> Result<(), Trouble> {
        self.plan = Plan::default();
        self.locked = false;
        self.reverse = None;
        Ok(())
    }

    fn set_resume_action_continue(
        &mut self,
        tid: Tid,
        signal: Option<GdbSignal>,
    ) -> Result<(), Trouble> {
        self.add(tid, Action::Continue, signal);
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<multi::MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_range_step(&mut self) -> Option<multi::MultiThreadRangeSteppingOps<'_, Self>> {
        Some(self)
    }

    fn support_reverse_step(&mut self) -> Option<back::ReverseStepOps<'_, Tid, Self>> {
        Some(self)
    }

    fn support_reverse_cont(&mut self) -> Option<back::ReverseContOps<'_, Tid, Self>> {
        Some(self)
    }

    fn support_scheduler_locking(
        &mut self,
    ) -> Option<multi::MultiThreadSchedulerLockingOps<'_, Self>> {
        Some(self)
    }
}

impl multi::MultiThreadSingleStep for Program<'_> {
    fn set_resume_action_step(
        &mut self,
        tid: Tid,
        signal: Option<GdbSignal>,
    ) -> Result<(), Trouble> {
        self.add(tid, Action::Step, signal);
        Ok(())
    }
}

impl multi::MultiThreadRangeStepping for Program<'_> {
    fn set_resume_action_range_step(
        &mut self,
        tid: Tid,
        start: u64,
        end: u64,
    ) -> Result<(), Trouble> {
        self.add(tid, Action::StepWithin(start..end), None);
        Ok(())
    }
}

impl multi::MultiThreadSchedulerLocking for Program<'_> {
    fn set_resume_action_scheduler_lock(&mut self) -> Result<(), Trouble> {
        self.locked = true;
        Ok(())
    }
}

impl back::ReverseStep<Tid> for Program<'_> {
    fn reverse_step(&mut self, tid: Tid) -> Result<(), Trouble> {
        let task = self.task(tid).unwrap_or(self.debugger.last_task());
        self.reverse = Some(Reverse::Step(task));
        Ok(())
    }
}

impl back::ReverseCont<Tid> for Program<'_> {
    fn reverse_cont(&mut self) -> Result<(), Trouble> {
        self.reverse = Some(Reverse::Continue);
        Ok(())
    }
}

impl points::Breakpoints for Program<'_> {
    fn support_sw_breakpoint(&mut self) -> Option<points::SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<points::HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<points::HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl points::SwBreakpoint for Program<'_> {
    fn add_sw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        Ok(self.set_point(addr, true))
    }

    fn remove_sw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        Ok(self.set_point(addr, false))
    }
}

impl points::HwBreakpoint for Program<'_> {
    fn add_hw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        self.hardware.insert((self.general, addr));
        Ok(self.set_point(addr, true))
    }

    fn remove_hw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        self.hardware.remove(&(self.general, addr));
        Ok(self.set_point(addr, false))
    }
}

impl points::HwWatchpoint for Program<'_> {
    fn add_hw_watchpoint(
        &mut self,
        addr: u64,
        len: u64,
        kind: points::WatchKind,
    ) -> TargetResult<bool, Self> {
        Ok(self.set_watch(addr, len, kind, true))
    }

    fn remove_hw_watchpoint(
        &mut self,
        addr: u64,
        len: u64,
        kind: points::WatchKind,
    ) -> TargetResult<bool, Self> {
        Ok(self.set_watch(addr, len, kind, false))
    }
}

impl calls::CatchSyscalls for Program<'_> {
    fn enable_catch_syscalls(
        &mut self,
        filter: Option<calls::SyscallNumbers<'_, u64>>,
    ) -> TargetResult<(), Self> {
        self.debugger.catch = match filter {
            None => Catch::All,
            Some(numbers) => Catch::These(numbers.collect()),
        };
        Ok(())
    }

    fn disable_catch_syscalls(&mut self) -> TargetResult<(), Self> {
        self.debugger.catch = Catch::None;
        Ok(())
    }
}

impl extended::ExtendedMode for Program<'_> {
    fn run(&mut self, _: Option<&[u8]>, _: extended::Args<'_, '_>) -> TargetResult<Pid, Self> {
        Err(errno(ENOSYS))
    }

    fn attach(&mut self, _: Pid) -> TargetResult<(), Self> {
        Err(errno(ENOSYS))
    }

    fn query_if_attached(&mut self, _: Pid) -> TargetResult<extended::AttachKind, Self> {
        // gdb kills what it leaves behind.
        Ok(extended::AttachKind::Run)
    }

    fn kill(&mut self, pid: Option<Pid>) -> TargetResult<extended::ShouldTerminate, Self> {
        let pid = pid.map(|p| p.get() as i32);
        let doomed: Vec<i32> =
            self.debugger.processes().filter(|p| pid.is_none_or(|pid| pid == *p)).collect();
        for pid in &doomed {
            self.debugger.kill(self.sys, *pid);
        }
        let others = self.debugger.processes().any(|p| !doomed.contains(&p));
        Ok(match others {
            true => extended::ShouldTerminate::No,
            false => extended::ShouldTerminate::Yes,
        })
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        // The packet has no reply, and gdb does not send it when vRun exists.
        Ok(())
    }

    fn support_current_active_pid(&mut self) -> Option<extended::CurrentActivePidOps<'_, Self>> {
        Some(self)
    }
}

impl extended::CurrentActivePid for Program<'_> {
    fn current_active_pid(&mut self) -> Result<Pid, Trouble> {
        Ok(id(self.named.pop_front().unwrap_or(self.focus)))
    }
}

impl ExecFile for Program<'_> {
    fn get_exec_file(
        &self,
        pid: Option<Pid>,
        offset: u64,
        length: usize,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        let pid = pid.map_or(self.focus, |p| p.get() as i32);
        let task = self.debugger.tasks(self.sys, pid).first().copied().ok_or(errno(ESRCH))?;
        let inside = memory::exe(self.sys, task);
        let path = self.exec_file.clone().or(inside).unwrap_or_default();
        Ok(part(path.as_bytes(), offset, buf, length))
    }
}

impl Auxv for Program<'_> {
    fn get_auxv(&self, offset: u64, length: usize, buf: &mut [u8]) -> TargetResult<usize, Self> {
        let task = self.in_general().ok_or(errno(ESRCH))?;
        Ok(part(&memory::auxv(self.sys, task), offset, buf, length))
    }
}

impl MonitorCmd for Program<'_> {
    fn handle_monitor_cmd(&mut self, cmd: &[u8], mut out: ConsoleOutput<'_>) -> Result<(), Trouble> {
        let text = monitor::command(self, &String::from_utf8_lossy(cmd));
        gdbstub::output!(out, "{text}");
        Ok(())
    }
}
