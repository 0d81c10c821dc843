//! Signals: what is pending, what is blocked, what each does.
//!
//! Linux: include/linux/sched/signal.h (`signal_struct`, `sighand_struct`),
//! kernel/signal.c.
//! Left out: signalfd, POSIX timers' preallocated entries.

pub mod action;
pub mod deliver;
pub mod send;
pub mod stop;

use crate::abi::flags::SaFlags;
use crate::abi::structs::{Rusage, SigInfo};
use crate::abi::{SigSet, Signal};
use crate::base::Id;
use crate::kernel::pid::PidId;
use crate::kernel::task::{ListHead, TaskId};
use crate::kernel::wait_queue::WaitQueueHead;

/// Names a `signal_struct`.
pub type SignalId = Id<SignalStruct>;
/// Names a `sighand_struct`.
pub type SighandId = Id<SighandStruct>;

/// `struct sigpending`: the set, and a siginfo for each queued instance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SigPending {
    /// Which signals are pending.
    pub signal: SigSet,
    /// Queued siginfos in order of arrival.
    pub list: Vec<SigInfo>,
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
    /// Disposition of signal n at n-1.
    pub action: [SigAction; 64],
}

impl SighandStruct {
    /// All default, one user.
    pub fn new() -> SighandStruct {
        SighandStruct { count: 1, action: [SigAction::default(); 64] }
    }
    /// The disposition of `sig`.
    pub fn get(&self, sig: Signal) -> &SigAction {
        &self.action[sig.number() as usize - 1]
    }
    /// The disposition of `sig`, to change it.
    pub fn get_mut(&mut self, sig: Signal) -> &mut SigAction {
        &mut self.action[sig.number() as usize - 1]
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
    /// Limits by `RLIMIT_*`.
    pub rlim: [Rlimit; 16],
    /// Usage of threads already released.
    pub dead_threads: Rusage,
    /// Usage of children waited for (`cutime` and so on).
    pub children_usage: Rusage,
    /// OOM score adjustment, -1000 to 1000.
    pub oom_score_adj: i32,
}
