//! Wait queues and completions: where sleeping tasks are listed.
//!
//! A handler that must wait returns [`Wait`]; `entry` then puts the task on
//! the queue and to sleep, and a wake-up runs the handler again. That is the
//! kernel's `for (;;) { prepare_to_wait(); if (condition) break; schedule(); }`
//! turned inside out.
//!
//! Linux: kernel/sched/wait.c, kernel/sched/completion.c.
//! Left out: custom wake functions but that of epoll; priority waiters.

use crate::base::Id;
use crate::kernel::fs::anon_inodes::AnonId;
use crate::kernel::fs::eventpoll::ItemKey;
use crate::kernel::fs::inode::Inode;
use crate::kernel::fs::pipe::Pipe;
use crate::kernel::pid::Pid;
use crate::kernel::signal::{SighandStruct, SignalStruct};
use crate::kernel::task::{TaskId, TaskState};
use crate::kernel::tty::TtyId;

/// A task on a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitEntry {
    /// Who sleeps.
    pub task: TaskId,
    /// `WQ_FLAG_EXCLUSIVE`: one wake-up wakes one of these.
    pub exclusive: bool,
}

/// An entry that does not wake a task but tells an epoll instance
/// (`struct eppoll_entry`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// The instance.
    pub epoll: AnonId,
    /// Which of its items is concerned.
    pub item: ItemKey,
}

/// `struct wait_queue_head`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WaitQueueHead {
    /// Sleepers in the order in which a wake-up reaches them.
    pub entries: Vec<WaitEntry>,
    /// Epoll instances; a wake-up reaches them first.
    pub watches: Vec<Watch>,
}

impl WaitQueueHead {
    /// Adds a task unless it is there (`prepare_to_wait`); exclusive waiters
    /// go to the tail, others to the head, as in Linux.
    pub fn add(&mut self, task: TaskId, exclusive: bool) {
        if self.entries.iter().any(|e| e.task == task) {
            return;
        }
        let e = WaitEntry { task, exclusive };
        if exclusive { self.entries.push(e) } else { self.entries.insert(0, e) }
    }

    /// Takes a task off (`finish_wait`).
    pub fn remove(&mut self, task: TaskId) {
        self.entries.retain(|e| e.task != task);
    }
}

/// The name of a queue of a kernel thread's function.
pub type WaitQueueId = Id<WaitQueueHead>;

/// Where a completion lies, and so how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CompletionOwner {
    /// On the stack of the creator of a vfork child.
    #[default]
    Vfork,
    /// In the kernel's data (DECLARE_COMPLETION): for good.
    Static,
}

/// `struct completion`: a counter with a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completion {
    /// Where it lies.
    pub owner: CompletionOwner,
    /// Completions not yet consumed.
    pub done: u32,
    /// Who waits.
    pub wait: WaitQueueHead,
}

/// The name of a completion.
pub type CompletionId = Id<Completion>;

/// Which queue a task sleeps on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitOn {
    /// `signal->wait_chldexit`: a child to change state.
    Child(Id<SignalStruct>),
    /// A vfork child to release the mm.
    Vfork(CompletionId),
    /// A pipe to hold data or lose its last writer.
    PipeRead(Id<Pipe>),
    /// A pipe to have room or lose its last reader.
    PipeWrite(Id<Pipe>),
    /// A terminal to have something to read, or to close.
    TtyRead(TtyId),
    /// A terminal to have room, or to close.
    TtyWrite(TtyId),
    /// An event, a timer, or an item of an epoll instance.
    Anon(AnonId),
    /// A signal to read (`sighand->signalfd_wqh`).
    Signalfd(Id<SighandStruct>),
    /// A process to exit (pidfd).
    PidExit(Id<Pid>),
    /// A futex word: mm-or-inode key and address.
    Futex(FutexKey),
    /// One of several descriptors to be ready (poll): the queues are in
    /// `resume.poll`.
    Poll,
    /// Any signal (pause, sigsuspend).
    Signal,
    /// A lock on a file to go.
    FileLock(Id<Inode>),
    /// Time only.
    Timeout,
    /// The tracer to let it go on.
    Tracer,
    /// The other threads of the group to die (exec).
    Dethread(Id<SignalStruct>),
}

/// By what a futex is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FutexKind {
    /// FUTEX_PRIVATE_FLAG: by mm and address.
    Private,
    /// Without the flag, in private anonymous memory: the same, but apart from
    /// those with it (`FUT_OFF_MMSHARED`).
    SharedMm,
    /// Without the flag, in a shared mapping or a file: by inode and offset,
    /// wherever the page is mapped (`FUT_OFF_INODE`).
    Inode,
}

/// What identifies a futex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FutexKey {
    /// What the other fields mean.
    pub kind: FutexKind,
    /// Bits of the id of the mm or of the inode.
    pub object: u64,
    /// Address, or offset in the file.
    pub offset: u64,
}

/// What a blocked call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The queue.
    pub on: WaitOn,
    /// The state to sleep in: INTERRUPTIBLE (S), UNINTERRUPTIBLE or KILLABLE (D).
    pub state: TaskState,
    /// Whether one wake-up should wake only one such waiter.
    pub exclusive: bool,
    /// Virtual time in ns at which the wait ends by itself.
    pub deadline: Option<u64>,
}

impl Wait {
    /// An interruptible wait without a deadline.
    pub fn interruptible(on: WaitOn) -> Wait {
        Wait { on, state: TaskState::INTERRUPTIBLE, exclusive: false, deadline: None }
    }
    /// A stop for the tracer, in the middle of a call.
    pub fn traced() -> Wait {
        Wait { state: TaskState::TRACED, ..Wait::interruptible(WaitOn::Tracer) }
    }
    /// A wait that only a fatal signal ends early.
    pub fn killable(on: WaitOn) -> Wait {
        Wait { on, state: TaskState::KILLABLE, exclusive: false, deadline: None }
    }
}
