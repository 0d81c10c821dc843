//! Signals: what is pending, what is blocked, what each does.
//!
//! Linux: include/linux/sched/signal.h (`signal_struct`, `sighand_struct`),
//! kernel/signal.c.
//! Left out: nothing of them.

pub mod action;
pub mod altstack;
pub mod deliver;
pub mod frame;
pub mod kill;
pub mod notify;
pub mod pending;
pub mod send;
pub mod sigwait;
pub mod stop;
#[cfg(test)]
mod tests;

use crate::abi::flags::SaFlags;
use crate::abi::structs::{Rusage, SigInfo};
use crate::abi::{SigSet, Signal};
use crate::base::Id;
use crate::base::cow::{self, Arc};
use crate::kernel::cred::UserId;
use crate::kernel::itimer::{CpuTimers, RealTimer};
use crate::kernel::pid::PidId;
use crate::kernel::posix_timers::PosixTimers;
use crate::kernel::system::System;
use crate::kernel::task::{ListHead, TaskId, TaskList};
use crate::kernel::tty::TtyId;
use crate::kernel::wait_queue::WaitQueueHead;
use smallvec::SmallVec;

/// Names a `signal_struct`.
pub type SignalId = Id<SignalStruct>;
/// Names a `sighand_struct`.
pub type SighandId = Id<SighandStruct>;

/// `struct sigqueue`: one queued instance of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigQueue {
    /// What it carries.
    pub info: SigInfo,
    /// Whose RLIMIT_SIGPENDING it counts against; holds a reference. That of a
    /// timer is counted with the timer.
    pub user: Option<UserId>,
    /// The POSIX timer whose signal it is.
    pub timer: Option<i32>,
}

/// What rt_sigtimedwait(2) keeps across its sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigTimedWait {
    /// `real_blocked`: the mask to go back to. Meanwhile the awaited signals
    /// are unblocked, so that they wake the task.
    pub real_blocked: SigSet,
    /// What it waits for, as user memory said when it began.
    pub set: SigSet,
    /// Virtual time in ns at which it gives up.
    pub deadline: Option<u64>,
}

bitflags::bitflags! {
    /// `task_struct.jobctl`, `JOBCTL_*`, above the 16 bits of the signal number.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Jobctl: u64 {
        /// Number of the stop signal (`JOBCTL_STOP_SIGMASK`).
        const STOP_SIGMASK = 0xffff;
        /// A stop signal was dequeued.
        const STOP_DEQUEUED = 1 << 16;
        /// This thread is to stop for a group stop.
        const STOP_PENDING = 1 << 17;
        /// Its stop counts in `group_stop_count`.
        const STOP_CONSUME = 1 << 18;
        /// This tracee is to trap for a group stop or PTRACE_INTERRUPT.
        const TRAP_STOP = 1 << 19;
        /// A seized tracee is to trap because its group's state has changed.
        const TRAP_NOTIFY = 1 << 20;
        /// Its tracer listens: it is not to be seen as stopped.
        const LISTENING = 1 << 22;
        /// It is stopped.
        const STOPPED = 1 << 26;
        /// It is stopped for its tracer.
        const TRACED = 1 << 27;
    }
}

impl Jobctl {
    /// Traps that are to come (`JOBCTL_TRAP_MASK`).
    pub const TRAP_MASK: Jobctl = Jobctl::TRAP_STOP.union(Jobctl::TRAP_NOTIFY);
    /// What there is to do on the way to user mode (`JOBCTL_PENDING_MASK`).
    pub const PENDING_MASK: Jobctl = Jobctl::STOP_PENDING.union(Jobctl::TRAP_MASK);
}

/// `struct sigpending`: the set, and a siginfo for each queued instance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SigPending {
    /// Which signals are pending.
    pub signal: SigSet,
    /// Queued instances in order of arrival. SIGKILL and what exceeds
    /// RLIMIT_SIGPENDING is in the set alone.
    pub list: Vec<SigQueue>,
}

/// SIG_DFL as a handler address.
pub const SIG_DFL: u64 = 0;
/// SIG_IGN as a handler address.
pub const SIG_IGN: u64 = 1;

/// `struct k_sigaction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SigAction {
    /// [`SIG_DFL`], [`SIG_IGN`] or a user address.
    pub handler: u64,
    /// `SA_*`.
    pub flags: SaFlags,
    /// sa_restorer.
    pub restorer: u64,
    /// Signals blocked while the handler runs.
    pub mask: SigSet,
}

/// `struct sighand_struct`: the dispositions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SighandStruct {
    /// Tasks that share it.
    pub count: u32,
    /// Disposition of signal n at n-1. Shared on the host until one side
    /// changes it: most children never do.
    action: Arc<[SigAction; 64]>,
    /// Who waits for a signal to read from a signalfd.
    pub signalfd_wqh: WaitQueueHead,
}

impl SighandStruct {
    /// All default, one user.
    pub fn new() -> SighandStruct {
        SighandStruct {
            count: 1,
            action: Arc::new([SigAction::default(); 64]),
            signalfd_wqh: WaitQueueHead::default(),
        }
    }
    /// The disposition of `sig`.
    pub fn get(&self, sig: Signal) -> &SigAction {
        &self.action[sig.number() as usize - 1]
    }
    /// The disposition of `sig`, to change it.
    pub fn get_mut(&mut self, sig: Signal) -> &mut SigAction {
        &mut self.actions_mut()[sig.number() as usize - 1]
    }
    /// Which signals are ignored and which have handlers, a bit each
    /// (`collect_sigign_sigcatch`).
    pub fn ignored_and_caught(&self) -> (u64, u64) {
        let mut sets = (0, 0);
        for (bit, action) in self.action.iter().enumerate() {
            match action.handler {
                SIG_DFL => {}
                SIG_IGN => sets.0 |= 1u64 << bit,
                _ => sets.1 |= 1u64 << bit,
            }
        }
        sets
    }
    /// All dispositions, by signal number less one.
    pub fn actions(&self) -> &[SigAction; 64] {
        &self.action
    }
    /// All dispositions, to change them.
    pub fn actions_mut(&mut self) -> &mut [SigAction; 64] {
        cow::make_mut(&mut self.action)
    }
}

impl Default for SighandStruct {
    fn default() -> Self {
        Self::new()
    }
}

bitflags::bitflags! {
    /// `signal_struct.flags`, `SIGNAL_*`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SignalFlags: u32 {
        /// The group is stopped.
        const STOP_STOPPED = 0x0000_0001;
        /// It was continued and nobody waited for that yet.
        const STOP_CONTINUED = 0x0000_0002;
        /// A group exit is under way.
        const GROUP_EXIT = 0x0000_0004;
        /// Tell the parent of a stop.
        const CLD_STOPPED = 0x0000_0010;
        /// Tell the parent of a continue.
        const CLD_CONTINUED = 0x0000_0020;
        /// init: signals without handler are dropped.
        const UNKILLABLE = 0x0000_0040;
    }
}

/// One soft and hard limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rlimit {
    /// In force.
    pub cur: u64,
    /// Ceiling for `cur`.
    pub max: u64,
}

/// `struct signal_struct`: what the threads of a group share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalStruct {
    /// References (`sigcnt`): one a thread that is not yet released.
    pub sigcnt: u32,
    /// Threads that have not begun to exit.
    pub live: i32,
    /// Threads on `thread_head`.
    pub nr_threads: u32,
    /// All threads, leader first unless it was replaced.
    pub thread_head: ListHead,
    /// Parents sleeping in wait(2).
    pub wait_chldexit: WaitQueueHead,
    /// Thread to look at first for a group signal.
    pub curr_target: Option<TaskId>,
    /// Signals for the group.
    pub shared_pending: SigPending,
    /// Wait status of a group exit, or the signal of a group stop.
    pub group_exit_code: i32,
    /// Who waits for the others to die (exec).
    pub group_exec_task: Option<TaskId>,
    /// Others that must still die for an exec.
    pub notify_count: i32,
    /// Threads that must still stop.
    pub group_stop_count: i32,
    /// `SIGNAL_*`.
    pub flags: SignalFlags,
    /// PR_SET_CHILD_SUBREAPER.
    pub is_child_subreaper: bool,
    /// Some ancestor is one.
    pub has_child_subreaper: bool,
    /// `signal->pids[]`: TGID, PGID, SID (the PID entry is per task).
    pub pids: [Option<PidId>; 4],
    /// Whether it leads its session.
    pub leader: bool,
    /// The controlling terminal; holds a reference.
    pub tty: Option<TtyId>,
    /// Of a session leader whose terminal hung up: the group that was in
    /// front. It is told when the leader ends.
    pub tty_old_pgrp: Option<PidId>,
    /// Limits by `RLIMIT_*`.
    pub rlim: [Rlimit; 16],
    /// Usage of threads already released.
    pub dead_threads: Rusage,
    /// Usage of children waited for (`cutime` and so on).
    pub children_usage: Rusage,
    /// ITIMER_REAL.
    pub real_timer: RealTimer,
    /// Somebody outside the machine sees its signals first (`ptrace::outside`).
    pub watched: bool,
    /// ITIMER_PROF and ITIMER_VIRTUAL.
    pub cpu_timers: CpuTimers,
    /// timer_create(2).
    pub posix_timers: PosixTimers,
    /// OOM score adjustment, -1000 to 1000.
    pub oom_score_adj: i32,
    /// Lowest adjustment without CAP_SYS_RESOURCE.
    pub oom_score_adj_min: i32,
}

/// The threads of a task's group, itself among them, in the order of
/// `thread_head` (`for_each_thread`).
pub fn threads(sys: &System, task: TaskId) -> SmallVec<[TaskId; 4]> {
    let mut all = SmallVec::new();
    let Some(signal) = sys.task(task).signal else { return all };
    let mut at = sys.kernel.signals[signal].thread_head.first;
    while let Some(t) = at {
        all.push(t);
        at = sys.task(t).links[TaskList::Thread as usize].next;
    }
    all
}

/// Whether a task is the only one in its group (`thread_group_empty`).
pub fn thread_group_empty(sys: &System, task: TaskId) -> bool {
    sys.task(task).signal.is_none_or(|s| sys.kernel.signals[s].nr_threads <= 1)
}

/// A zombie leader that cannot be waited for yet: threads of its group live
/// (`delay_group_leader`).
pub fn delay_group_leader(sys: &System, p: TaskId) -> bool {
    sys.task(p).is_group_leader() && !thread_group_empty(sys, p)
}

/// Whether both are threads of one process (`same_thread_group`).
pub fn same_thread_group(sys: &System, a: TaskId, b: TaskId) -> bool {
    sys.task(a).signal.is_some() && sys.task(a).signal == sys.task(b).signal
}
