//! The whole system as one value: the machine, the kernel's objects, the log.
//!
//! Everything here is plain data. Cloning it is a snapshot, comparing two is
//! comparing two worlds; nothing outside it decides what happens next.
//!
//! Linux: the global variables of the kernel. Left out: locks; one call runs
//! at a time, and where Linux would sleep a call returns `Block`.

use crate::base::{Arena, Pfn, Rng};
use crate::kernel::cgroup::{Cgroup, CgroupId};
use crate::kernel::cred::{Cred, CredId, UserId, UserStruct};
use crate::kernel::error::Oops;
use crate::kernel::fs::anon_inodes::AnonInode;
use crate::kernel::fs::inode::Inode;
use crate::kernel::fs::pipe::Pipe;
use crate::kernel::fs::{File, FilesStruct, FsStruct, InodeId};
use crate::kernel::inject::Inject;
use crate::kernel::kthread::{KthreadCaller, KthreadCreateInfo};
use crate::kernel::mm::{AnonVma, MmId, MmStruct};
use crate::kernel::nsproxy::{Namespace, Nsproxy, UserNamespace, UserNsId};
use crate::kernel::pid::Pid;
use crate::kernel::pid_namespace::{PidNamespace, PidNsId};
use crate::kernel::sched::SchedGlobals;
use crate::kernel::sched::rq::Rq;
use crate::kernel::signal::{SighandStruct, SignalId, SignalStruct};
use crate::kernel::syscalls::Out;
use crate::kernel::task::{KernelStack, ListHead, TaskId, TaskStruct, Tasks};
use crate::kernel::timer::Alarm;
use crate::kernel::tty::TtyStruct;
use crate::kernel::wait_queue::{Completion, FutexKey, WaitQueueHead};
use crate::machine::Machine;
use crate::trace::Log;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What each processor has of its own (`current_task`, the idle task).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerCpu {
    /// `current_task`: who runs here.
    pub current_task: TaskId,
    /// The swapper of this processor.
    pub idle: TaskId,
    /// Its run queues.
    pub rq: Rq,
}

/// Settings under /proc/sys/kernel and /proc/sys/vm.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sysctl {
    /// kernel.threads-max.
    pub threads_max: u32,
    /// vm.max_map_count.
    pub max_map_count: u32,
    /// fs.suid_dumpable.
    pub suid_dumpable: u32,
    /// vm.mmap_min_addr in bytes.
    pub mmap_min_addr: u64,
}

/// Deliberate faults in the kernel, for lessons: each leaves out one step.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Bugs {
    /// Write-protecting and unmapping forget the TLB flush.
    pub no_tlb_flush: bool,
}

/// Slots a chunk of objects of about a hundred bytes at most: a snapshot costs as
/// much as there are chunks.
const SMALL: usize = 32;

/// Linux's global state, by kind of object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// All tasks.
    pub tasks: Tasks,
    /// All pids.
    pub pids: Arena<Pid>,
    /// All pid namespaces.
    pub pid_namespaces: Arena<PidNamespace>,
    /// All control groups.
    pub cgroups: Arena<Cgroup>,
    /// Their root.
    pub cgroup_root: CgroupId,
    /// All nsproxies.
    pub nsproxies: Arena<Nsproxy>,
    /// All namespaces that are identities only.
    pub namespaces: Arena<Namespace>,
    /// All user namespaces.
    pub user_namespaces: Arena<UserNamespace>,
    /// All credentials.
    pub creds: Arena<Cred, SMALL>,
    /// All user_structs.
    pub users: Arena<UserStruct>,
    /// uid to user_struct (`uidhash`).
    pub uidhash: BTreeMap<u32, UserId>,
    /// All address spaces.
    pub mms: Arena<MmStruct>,
    /// All anon_vmas.
    pub anon_vmas: Arena<AnonVma, SMALL>,
    /// All disposition tables.
    pub sighands: Arena<SighandStruct, SMALL>,
    /// All signal_structs.
    pub signals: Arena<SignalStruct>,
    /// All descriptor tables.
    pub files: Arena<FilesStruct, SMALL>,
    /// All fs_structs.
    pub fs: Arena<FsStruct, SMALL>,
    /// All open file descriptions.
    pub filps: Arena<File, SMALL>,
    /// All inodes.
    pub inodes: Arena<Inode>,
    /// All pipes.
    pub pipes: Arena<Pipe>,
    /// What descriptors without a name refer to.
    pub anon_inodes: Arena<AnonInode>,
    /// All terminals, two a pseudo terminal.
    pub ttys: Arena<TtyStruct>,
    /// All completions.
    pub completions: Arena<Completion>,
    /// Wait queues that the functions of kernel threads share.
    pub wait_queues: Arena<WaitQueueHead>,
    /// What kthreadd is asked for.
    pub kthread_create_list: VecDeque<KthreadCreateInfo>,
    /// Calls of the director that wait for a kernel thread, or did.
    pub kthread_callers: Vec<KthreadCaller>,

    /// Thread group leaders, from init_task (`init_task.tasks`).
    pub task_list: ListHead,
    /// The statically defined task 0.
    pub init_task: TaskId,
    /// Task 1.
    pub init_process: TaskId,
    /// Credentials of task 0 and of kernel threads.
    pub init_cred: CredId,
    /// The initial pid namespace.
    pub init_pid_ns: PidNsId,
    /// The initial user namespace.
    pub init_user_ns: UserNsId,
    /// The root directory.
    pub root_inode: InodeId,
    /// /dev/pts.
    pub devpts_root: InodeId,
    /// The kernel's own address space.
    pub init_mm: MmId,
    /// The shared page of zeroes.
    pub zero_page: Pfn,
    /// Per-processor data.
    pub per_cpu: Vec<PerCpu>,
    /// Settings.
    pub sysctl: Sysctl,
    /// Whether all this is a pid namespace of another kernel: then process 1 is
    /// not its global init, kernel threads are out of sight, and root may not
    /// favour tasks (CAP_SYS_NICE counts in the initial user namespace).
    pub contained: bool,
    /// Threads, not counting the idle ones.
    pub nr_threads: u32,
    /// Tasks ever made.
    pub total_forks: u64,
    /// Kernel stacks kept for the next fork (`cached_stacks`).
    pub cached_stacks: Vec<KernelStack>,
    /// Free stack slots of the vmalloc area, last in first out.
    pub free_stack_slots: Vec<u32>,
    /// The first stack slot never used.
    pub next_stack_slot: u32,
    /// Next inode number of a namespace.
    pub next_ns_inum: u32,
    /// Next identity of an undo list or I/O context.
    pub next_identity: u64,
    /// System calls made so far; the number of the last one.
    pub calls_made: u64,
    /// Source of everything random.
    pub rng: Rng,
    /// Steps that are to fail.
    pub inject: Inject,
    /// Deliberate faults.
    pub bugs: Bugs,
    /// Tasks to which something happened while they did not run: woken with a
    /// call to finish, or signalled in user mode. `settle` runs them in order.
    pub todo: VecDeque<TaskId>,
    /// What the running call stores besides RAX; entry takes it afterwards.
    pub out: Out,
    /// What a call that blocks wants to find in `Resume::note` when it runs
    /// again; entry takes it.
    pub note: u64,
    /// The task made last, and its pidfd: how a director learns of it.
    pub new_task: Option<(TaskId, Option<i32>)>,
    /// All tasks made since the director's last call began, each after its
    /// creator: letting a tracee go on may finish a fork of its.
    pub born: Vec<(TaskId, TaskId)>,
    /// Sleepers by futex.
    pub futex_queues: BTreeMap<FutexKey, WaitQueueHead>,
    /// Deadlines of sleeping calls, and who sleeps.
    pub timers: BTreeSet<(u64, TaskId)>,
    /// Interval timers of processes that are armed.
    pub itimers: BTreeSet<(u64, SignalId)>,
    /// Timers of descriptors, and POSIX timers, that are armed.
    pub alarms: BTreeSet<(u64, Alarm)>,
    /// How many timers of processor time are armed.
    pub cpu_timers_armed: u32,
    /// The scheduler: settings, and what all processors share.
    pub sched: SchedGlobals,
    /// Output written to the console since it was last taken.
    pub console: Vec<u8>,
    /// The first thing found broken; the system is not to be used on.
    pub oops: Option<Oops>,
}

/// The whole system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// The hardware.
    pub machine: Machine,
    /// The software.
    pub kernel: Kernel,
    /// What happened.
    pub log: Log,
}

impl System {
    /// The task, which must exist.
    #[inline]
    pub fn task(&self, id: TaskId) -> &TaskStruct {
        &self.kernel.tasks[id]
    }

    /// The task, to change it.
    #[inline]
    pub fn task_mut(&mut self, id: TaskId) -> &mut TaskStruct {
        &mut self.kernel.tasks[id]
    }

    /// The task's address space, if it has one.
    #[inline]
    pub fn task_mm(&self, id: TaskId) -> Option<MmId> {
        self.kernel.tasks[id].mm
    }

    /// An address space, which must exist.
    #[inline]
    pub fn mm(&self, id: MmId) -> &MmStruct {
        &self.kernel.mms[id]
    }

    /// An address space, to change it.
    #[inline]
    pub fn mm_mut(&mut self, id: MmId) -> &mut MmStruct {
        &mut self.kernel.mms[id]
    }

    /// The credentials a task acts with (`current_cred`).
    #[inline]
    pub fn cred(&self, task: TaskId) -> &Cred {
        &self.kernel.creds[self.kernel.tasks[task].cred]
    }

    /// The signal_struct of a task that is not yet released.
    #[inline]
    pub fn signal(&self, task: TaskId) -> &SignalStruct {
        &self.kernel.signals[self.kernel.tasks[task].signal.expect("task not released")]
    }

    /// The same, to change it.
    #[inline]
    pub fn signal_mut(&mut self, task: TaskId) -> &mut SignalStruct {
        let id = self.kernel.tasks[task].signal.expect("task not released");
        &mut self.kernel.signals[id]
    }

    /// Leaves what a system call gives besides RAX for entry to take.
    #[inline]
    pub fn set_out(&mut self, _task: TaskId, out: Out) {
        self.kernel.out = out;
    }

    /// Reports that the simulated kernel found itself broken. The first report
    /// is kept; the calls go on as well as they can and the driver ends the run.
    pub fn oops(&mut self, in_function: &'static str, what: String) {
        if self.kernel.oops.is_none() {
            let pid = self.log.pid;
            self.kernel.oops = Some(Oops { what, in_function, pid, dump: Vec::new() });
        }
    }
}
