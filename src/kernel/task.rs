//! `task_struct`: one per thread, and the lists that tie tasks together.
//!
//! States and who moves a task between them:
//!
//! ```text
//!            copy_process            wake_up_new_task
//!  (nothing) -----------> TASK_NEW ------------------> TASK_RUNNING  R
//!                                                       |  ^     |
//!                              Block(wait)  (schedule)  |  |     | do_exit
//!                                                       v  |     v
//!      INTERRUPTIBLE S   KILLABLE, UNINTERRUPTIBLE D  ---  |   EXIT_ZOMBIE Z
//!      __TASK_STOPPED T  __TASK_TRACED t              -----+     | wait, or autoreap
//!      PARKED P (kernel threads)                                 |
//!                          try_to_wake_up, SIGCONT               v
//!                                                              EXIT_DEAD X -> freed
//! ```
//!
//! Linux: include/linux/sched.h (`struct task_struct`), kernel/fork.c.
//! Left out: fields of subsystems that are not modelled.

use crate::abi::ptrace::PtraceFlags;
use crate::abi::structs::Rusage;
use crate::abi::structs::SigInfo;
use crate::abi::{SigSet, Signal};
use crate::base::cow::Arc;
use crate::base::{Arena, Id, Pfn, VirtAddr, text};
use crate::kernel::cgroup::CgroupId;
use crate::kernel::cred::CredId;
use crate::kernel::fs::select::PollWqueues;
use crate::kernel::fs::{FileId, FilesId, FsId};
use crate::kernel::kthread::Kthread;
use crate::kernel::mm::MmId;
use crate::kernel::nanosleep::RestartBlock;
use crate::kernel::nsproxy::NsproxyId;
use crate::kernel::pid::PidId;
use crate::kernel::ptrace::Trap;
use crate::kernel::sched::work::Work;
use crate::kernel::sched::{SchedClass, SchedDlEntity, SchedEntity, SchedRtEntity};
use crate::kernel::signal::deliver::WayOut;
use crate::kernel::signal::{SigPending, SigTimedWait, SighandId, SignalId};
use crate::kernel::syscalls::{Call, Outcome};
use crate::kernel::wait_queue::{CompletionId, Wait};
use crate::machine::cpu::Regs;
use crate::machine::{FpuState, Selectors};
use crate::trace::Origin;
use bitflags::bitflags;

/// The name of a task: its pointer, as it were.
pub type TaskId = Id<TaskStruct>;
/// All tasks. They are large, and each call writes to one.
pub type Tasks = Arena<TaskStruct, 4>;

bitflags! {
    /// `__state` and `exit_state` bits, exactly Linux's.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct TaskState: u32 {
        /// Sleeping, a signal wakes it. TASK_RUNNING is the empty set.
        const INTERRUPTIBLE = 0x0001;
        /// Sleeping, signals don't wake it.
        const UNINTERRUPTIBLE = 0x0002;
        /// Stopped by job control.
        const __TASK_STOPPED = 0x0004;
        /// Stopped for a tracer.
        const __TASK_TRACED = 0x0008;
        /// `exit_state`: being freed.
        const EXIT_DEAD = 0x0010;
        /// `exit_state`: dead, not yet waited for.
        const EXIT_ZOMBIE = 0x0020;
        /// A parked kernel thread.
        const PARKED = 0x0040;
        /// Dead; never runs again.
        const DEAD = 0x0080;
        /// A fatal signal wakes it.
        const WAKEKILL = 0x0100;
        /// Between wake-up and run queue.
        const WAKING = 0x0200;
        /// Does not count as load.
        const NOLOAD = 0x0400;
        /// Made, not yet woken for the first time.
        const NEW = 0x0800;
        /// UNINTERRUPTIBLE, but a fatal signal wakes it.
        const KILLABLE = 0x0102;
        /// TASK_STOPPED.
        const STOPPED = 0x0104;
        /// TASK_TRACED: whether SIGKILL ends it, jobctl says.
        const TRACED = 0x0008;
        /// UNINTERRUPTIBLE without load: the idle state of kernel threads.
        const IDLE = 0x0402;
    }
}

impl TaskState {
    /// TASK_RUNNING: runnable or running.
    pub const RUNNING: TaskState = TaskState::empty();
}

bitflags! {
    /// `task_struct.flags`, `PF_*`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct PF: u32 {
        /// An idle task.
        const IDLE = 0x0000_0002;
        /// do_exit has begun.
        const EXITING = 0x0000_0004;
        /// do_exit is past the point of signals.
        const POSTCOREDUMP = 0x0000_0008;
        /// Forked but not yet exec'd.
        const FORKNOEXEC = 0x0000_0040;
        /// Used superuser privileges.
        const SUPERPRIV = 0x0000_0100;
        /// Dumped core.
        const DUMPCORE = 0x0000_0200;
        /// Killed by a signal.
        const SIGNALED = 0x0000_0400;
        /// Counted against RLIMIT_NPROC at the next exec.
        const NPROC_EXCEEDED = 0x0000_1000;
        /// A kernel thread.
        const KTHREAD = 0x0020_0000;
        /// Randomize the address space.
        const RANDOMIZE = 0x0040_0000;
    }
}

/// Head of an intrusive list of tasks: first and last member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListHead {
    /// First member.
    pub first: Option<TaskId>,
    /// Last member.
    pub last: Option<TaskId>,
}

/// A task's place in one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListLink {
    /// Member before.
    pub prev: Option<TaskId>,
    /// Member after.
    pub next: Option<TaskId>,
}

/// The lists a task can be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskList {
    /// `tasks`: all thread group leaders, from init_task.
    Tasks,
    /// `sibling`: in `real_parent->children`.
    Sibling,
    /// `thread_node`: in `signal->thread_head`.
    Thread,
    /// `pid_links[PIDTYPE_PID]`.
    Pid,
    /// `pid_links[PIDTYPE_TGID]`.
    Tgid,
    /// `pid_links[PIDTYPE_PGID]`.
    Pgid,
    /// `pid_links[PIDTYPE_SID]`.
    Sid,
    /// `ptrace_entry`: in the tracer's `ptraced`.
    Ptraced,
}

/// Number of [`TaskList`] kinds.
pub const NR_TASK_LISTS: usize = 8;

/// Size of a kernel stack in pages (`THREAD_SIZE` is 16 KiB on x86_64).
pub const THREAD_PAGES: usize = 4;
/// Size of a kernel stack in bytes.
pub const THREAD_SIZE: u64 = 16384;
/// The word at the lowest address of a kernel stack.
pub const STACK_END_MAGIC: u64 = 0x57AC_6E9D;

/// A kernel stack: where it is mapped and the frames behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelStack {
    /// Lowest address; aligned to [`THREAD_SIZE`], with a guard page below.
    pub base: VirtAddr,
    /// Its frames, lowest address first.
    pub pages: [Pfn; THREAD_PAGES],
}

impl KernelStack {
    /// The frame at its upper end, where `pt_regs` lies.
    #[inline]
    pub fn top_page(&self) -> Pfn {
        self.pages[THREAD_PAGES - 1]
    }
}

/// `thread_struct`: what the processor needs to go on with this task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThreadStruct {
    /// Kernel stack pointer while switched out.
    pub sp: u64,
    /// FS base: the TLS pointer of user mode.
    pub fsbase: u64,
    /// GS base of user mode.
    pub gsbase: u64,
    /// DS, ES, FS and GS (`ds`, `es`, `fsindex`, `gsindex`).
    pub selectors: Selectors,
    /// The last exception that became a signal: its vector, its error code, and the
    /// address of the last page fault of that kind. Any handler finds them in its
    /// context.
    pub trap_nr: u64,
    /// The error code of the same.
    pub error_code: u64,
    /// Address of the last page fault that became a signal.
    pub cr2: u64,
    /// First return goes through `ret_from_fork`.
    pub ret_from_fork: bool,
}

/// A system call that sleeps: the call itself, to be run again on wake-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The call.
    pub call: Call,
    /// What it waits for.
    pub wait: Wait,
    /// The script line that made the call.
    pub origin: Origin,
    /// State a call keeps across its sleeps (the deadline of a timeout, the
    /// pid of a vfork child); written when it first blocks.
    pub note: u64,
    /// The open file description a sleeping read or write works on, with a
    /// reference of its own: another thread may close the descriptor.
    pub file: Option<FileId>,
    /// What a sleeping poll keeps: the queues it is on, with a reference to the
    /// file behind each.
    pub poll: Option<Box<PollWqueues>>,
    /// Set when the call is over and its task stopped on the way out.
    pub leaving: Option<Box<Leaving>>,
}

/// The end of a call whose task has not reached user mode yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// What it will return, unless a signal changes that.
    pub outcome: Outcome,
    /// What signals have changed so far.
    pub way: WayOut,
}

/// A call that is made again when the handlers on top of it are over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// The call.
    pub call: Call,
    /// The instruction pointer and stack pointer with which SYSCALL will be
    /// executed again: sigreturn to exactly these makes the call.
    pub at: (u64, u64),
}

/// How far a task has come in do_exit whose steps are picked one by one. On
/// Linux the whole of it may be interrupted; others see only these places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exiting {
    /// What comes next.
    pub next: ExitStage,
    /// It was the last thread of its group that began to exit.
    pub group_dead: bool,
}

/// The parts of do_exit that follow what others can see of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitStage {
    /// The mm is given up; files and terminal are not.
    Files,
    /// All is given up; the parent does not know yet.
    Notify,
}

/// `struct task_struct`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStruct {
    /// What it is doing; see [`TaskState`].
    pub __state: TaskState,
    /// Its kernel stack; `None` once freed (a zombie keeps none after the
    /// final switch).
    pub stack: Option<KernelStack>,
    /// References to this structure.
    pub usage: u32,
    /// `PF_*`.
    pub flags: PF,
    /// `PT_*` bits of ptrace; empty when not traced.
    pub ptrace: PtraceFlags,
    /// Those it traces, the last one attached first.
    pub ptraced: ListHead,
    /// The tracer's credentials when it attached; holds a reference.
    pub ptracer_cred: Option<CredId>,
    /// What the event of the present stop is about (PTRACE_GETEVENTMSG).
    pub ptrace_message: u64,
    /// SYSCALL_WORK_SYSCALL_TRACE: it stops at both ends of a system call.
    pub syscall_trace: bool,
    /// Where it stopped for its tracer, and what it goes on with.
    pub trap: Option<Box<Trap>>,
    /// Whether a processor runs it now.
    pub on_cpu: bool,
    /// The processor it is on or was on last.
    pub cpu: u32,
    /// Whether it can run: it is on a run queue, or throttled.
    pub on_rq: bool,
    /// It can run and is on no queue: it has nothing to do.
    pub throttled: bool,
    /// Each of its steps is picked: woken or signalled, it goes on only then.
    /// Children inherit it. Else it goes on within the call that woke it.
    pub stepped: bool,
    /// The class that serves it.
    pub sched_class: SchedClass,
    /// Scheduling: effective, static and normal priority, 0 to 139.
    pub prio: i32,
    /// Static priority: 120 + nice.
    pub static_prio: i32,
    /// Priority by policy, without boosts.
    pub normal_prio: i32,
    /// Real-time priority 0 to 99.
    pub rt_priority: u32,
    /// `SCHED_*`.
    pub policy: u32,
    /// The fair class's entity.
    pub se: SchedEntity,
    /// The real-time class's entity.
    pub rt: SchedRtEntity,
    /// The deadline class's entity, while it has that policy.
    pub dl: Option<Box<SchedDlEntity>>,
    /// SCHED_RESET_ON_FORK.
    pub sched_reset_on_fork: bool,
    /// Processors it may run on, a bit each.
    pub cpus_mask: u64,

    /// Address space; `None` for kernel threads and after exit_mm.
    pub mm: Option<MmId>,
    /// Address space in use; borrowed when `mm` is `None`.
    pub active_mm: Option<MmId>,

    /// 0, EXIT_ZOMBIE or EXIT_DEAD.
    pub exit_state: TaskState,
    /// Wait status of its death.
    pub exit_code: i32,
    /// What is left of its do_exit, between two steps of it.
    pub exiting: Option<Exiting>,
    /// Signal to the parent at death; -1 for a thread that is no leader.
    pub exit_signal: i32,
    /// Signal it gets when its parent thread dies; 0 for none.
    pub pdeath_signal: i32,
    /// `JOBCTL_*` bits.
    pub jobctl: u64,
    /// `no_new_privs` of `atomic_flags`.
    pub no_new_privs: bool,

    /// Thread id in the initial pid namespace.
    pub pid: i32,
    /// Thread group id in the initial pid namespace.
    pub tgid: i32,
    /// Value of the stack protector.
    pub stack_canary: u64,

    /// Who made it, or adopted it.
    pub real_parent: TaskId,
    /// Who gets SIGCHLD and wait reports: the tracer, else `real_parent`.
    pub parent: TaskId,
    /// Its children, in order of birth or adoption.
    pub children: ListHead,
    /// Number of `children` (kept so that wait needs no scan).
    pub nr_children: u32,
    /// Of these, children whose exit signal is not SIGCHLD ("clone children").
    pub nr_clone_children: u32,
    /// Position among siblings: rises with each adoption or birth.
    pub sibling_seq: u64,
    /// Next value of `sibling_seq` for a child of this task.
    pub next_child_seq: u64,
    /// Children that wait(2) might report, by `sibling_seq`: dead, stopped
    /// or continued ones. Spares do_wait the scan that Linux does.
    pub notable_children: std::collections::BTreeMap<u64, TaskId>,
    /// Leader of its thread group.
    pub group_leader: TaskId,
    /// Links of the intrusive lists, by [`TaskList`].
    pub links: [ListLink; NR_TASK_LISTS],
    /// Its control group, until it is released.
    pub cgroup: CgroupId,
    /// Its `struct pid`; `None` once unhashed.
    pub thread_pid: Option<PidId>,

    /// Completed when it releases its mm (the parent of vfork waits).
    pub vfork_done: Option<CompletionId>,
    /// CLONE_CHILD_SETTID.
    pub set_child_tid: u64,
    /// CLONE_CHILD_CLEARTID, set_tid_address(2).
    pub clear_child_tid: u64,
    /// set_robust_list(2).
    pub robust_list: u64,

    /// CPU time in user mode, ns.
    pub utime: u64,
    /// CPU time in the kernel, ns.
    pub stime: u64,
    /// Voluntary context switches.
    pub nvcsw: u64,
    /// Involuntary context switches.
    pub nivcsw: u64,
    /// Virtual time of its birth, ns.
    pub start_time: u64,
    /// The same on the boot clock.
    pub start_boottime: u64,
    /// Page faults without I/O.
    pub min_flt: u64,
    /// Page faults with I/O.
    pub maj_flt: u64,

    /// Credentials others judge it by.
    pub real_cred: CredId,
    /// Credentials it acts with.
    pub cred: CredId,
    /// Name: up to 15 bytes and a NUL.
    pub comm: [u8; 16],

    /// Root, working directory, umask.
    pub fs: Option<FsId>,
    /// Open files.
    pub files: Option<FilesId>,
    /// Namespaces; `None` once exited.
    pub nsproxy: Option<NsproxyId>,
    /// What its thread group shares; `None` once released.
    pub signal: Option<SignalId>,
    /// Dispositions.
    pub sighand: Option<SighandId>,
    /// Blocked signals.
    pub blocked: SigSet,
    /// Mask to restore after sigsuspend and the like.
    pub saved_sigmask: Option<SigSet>,
    /// What restart_syscall(2) would go on with.
    pub restart_block: RestartBlock,
    /// Set while it sleeps in rt_sigtimedwait(2).
    pub sigtimedwait: Option<Box<SigTimedWait>>,
    /// `worker_private` of a kernel thread: its `struct kthread`.
    pub kthread: Option<Box<Kthread>>,
    /// Signals for this thread alone.
    pub pending: SigPending,
    /// TIF_SIGPENDING.
    pub sigpending: bool,
    /// TIF_NEED_RESCHED.
    pub need_resched: bool,
    /// Alternate signal stack.
    pub sas_ss_sp: u64,
    /// Its size.
    pub sas_ss_size: u64,
    /// Its flags.
    pub sas_ss_flags: u32,
    /// The last signal for which a handler began: for those who look.
    pub last_siginfo: Option<Box<SigInfo>>,

    /// Exec counters: a parent that exec'd no longer hears odd exit signals.
    pub parent_exec_id: u64,
    /// See `parent_exec_id`.
    pub self_exec_id: u64,
    /// Shared System V semaphore undo list (CLONE_SYSVSEM); an identity only.
    pub sysvsem: Option<u64>,
    /// Shared I/O context (CLONE_IO); an identity only.
    pub io_context: Option<u64>,
    /// Execution domain: `PER_LINUX` and its flags (personality(2)).
    pub personality: u32,
    /// Timer slack in ns.
    pub timer_slack_ns: u64,
    /// What PR_SET_TIMERSLACK(0) goes back to: the creator's slack at birth.
    pub default_timer_slack_ns: u64,

    /// Processor state while switched out.
    pub thread: ThreadStruct,
    /// The register image of the last entry (`pt_regs`). The truth lies on
    /// the kernel stack; this copy is what handlers work on.
    pub regs: Regs,
    /// `pt_regs.orig_ax`: number of the system call being served, -1 outside
    /// of one. Tells an interrupted call from a mere interrupt.
    pub orig_ax: i64,

    /// Its user mode is machine code, which the processors execute.
    pub code: bool,
    /// x87 and SSE registers while they are in none of a processor's
    /// (`thread.fpu`); `None`: never used.
    pub fpu: Option<Arc<FpuState>>,
    /// What its user mode does while the scheduler chooses and no script acts.
    pub work: Option<Box<Work>>,
    /// The sleeping call, if any.
    pub resume: Option<Box<Resume>>,
    /// Calls that handlers interrupted and that are made again after them,
    /// the outermost first.
    pub interrupted: Vec<Interrupted>,
    /// Results of calls that had slept, with their serial numbers, until the
    /// caller takes them or the task makes another call.
    pub finished: Vec<(u64, Outcome)>,
}

impl TaskStruct {
    /// The name as text.
    pub fn comm(&self) -> String {
        let end = self.comm.iter().position(|b| *b == 0).unwrap_or(self.comm.len());
        text::decode(&self.comm[..end])
    }

    /// Sets the name, cut to 15 bytes (`__set_task_comm`).
    pub fn set_comm(&mut self, name: &str) {
        self.comm = [0; 16];
        let name = text::encode(name);
        let n = name.len().min(15);
        self.comm[..n].copy_from_slice(&name[..n]);
    }

    /// Whether it leads its thread group (`thread_group_leader`).
    pub fn is_group_leader(&self) -> bool {
        self.exit_signal >= 0
    }

    /// What it has used by itself. Its address space's largest size is not in it.
    pub fn usage(&self) -> Rusage {
        Rusage {
            ru_utime: self.utime,
            ru_stime: self.stime,
            ru_maxrss: 0,
            ru_minflt: self.min_flt,
            ru_majflt: self.maj_flt,
            ru_nvcsw: self.nvcsw,
            ru_nivcsw: self.nivcsw,
        }
    }

    /// Whether it is dead, reaped or not.
    pub fn is_dead(&self) -> bool {
        !self.exit_state.is_empty()
    }

    /// The letter that ps(1) shows (`task_state_to_char`, `get_task_state`).
    pub fn state_char(&self) -> char {
        let s = self.__state | self.exit_state;
        if s == TaskState::IDLE {
            return 'I';
        }
        // The lowest set bit of TASK_REPORT decides, as fls() does in Linux
        // for the one bit that remains.
        if self.exit_state.contains(TaskState::EXIT_DEAD) {
            'X'
        } else if self.exit_state.contains(TaskState::EXIT_ZOMBIE) {
            'Z'
        } else if s.contains(TaskState::PARKED) {
            'P'
        } else if s.contains(TaskState::__TASK_TRACED) {
            't'
        } else if s.contains(TaskState::__TASK_STOPPED) {
            'T'
        } else if s.contains(TaskState::UNINTERRUPTIBLE) {
            'D'
        } else if s.contains(TaskState::INTERRUPTIBLE) {
            'S'
        } else {
            'R'
        }
    }

    /// The signal set that is pending and not blocked for this thread alone.
    pub fn deliverable(&self) -> SigSet {
        self.pending.signal.minus(self.blocked)
    }

    /// Whether SIGKILL is pending for this thread (`__fatal_signal_pending`).
    pub fn fatal_signal_pending(&self) -> bool {
        self.pending.signal.contains(Signal::SIGKILL)
    }
}
