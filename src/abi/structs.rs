//! Structures that cross the system call boundary by value of their fields.
//!
//! Linux: include/uapi/linux/sched.h (`clone_args`), resource.h, siginfo.
//! Left out: the byte layouts that only machine code needs; issue by issue
//! they join here.

use super::signal::{Signal, si_code};

/// `struct clone_args` of clone3(2). Pointers are user addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CloneArgs {
    /// `CLONE_*` bits as given: unknown bits are the kernel's to refuse.
    pub flags: u64,
    /// Where to store the pidfd (in the parent).
    pub pidfd: u64,
    /// Where CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID act (in the child).
    pub child_tid: u64,
    /// Where CLONE_PARENT_SETTID stores (in the parent).
    pub parent_tid: u64,
    /// The signal sent to the parent at exit; 0 for none.
    pub exit_signal: u64,
    /// Lowest byte of the child's stack, 0 to go on with the parent's.
    pub stack: u64,
    /// Size of the stack in bytes.
    pub stack_size: u64,
    /// New TLS base (CLONE_SETTLS).
    pub tls: u64,
    /// Wanted pids, innermost namespace first.
    pub set_tid: Vec<i32>,
    /// Descriptor of a cgroup2 directory (CLONE_INTO_CGROUP).
    pub cgroup: u64,
}

/// Size of the first published `struct clone_args` in bytes.
pub const CLONE_ARGS_SIZE_VER0: u64 = 64;
/// With cgroup.
pub const CLONE_ARGS_SIZE_VER2: u64 = 88;

/// What a signal carries (`kernel_siginfo`), in the fields that are modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SigInfo {
    /// The signal.
    pub si_signo: Signal,
    /// Why: `SI_*`, `CLD_*`, `SEGV_*`… ([`si_code`]).
    pub si_code: i32,
    /// Sender, or the child concerned, in the receiver's pid namespace.
    pub si_pid: i32,
    /// Real uid of the sender or child.
    pub si_uid: u32,
    /// Exit status or signal of the child.
    pub si_status: i32,
    /// Faulting address.
    pub si_addr: u64,
    /// Value of sigqueue(3).
    pub si_value: u64,
    /// CPU time of the child in user mode, in clock ticks.
    pub si_utime: u64,
    /// CPU time of the child in the kernel, in clock ticks.
    pub si_stime: u64,
}

impl SigInfo {
    /// A siginfo with only number and code set.
    pub fn new(si_signo: Signal, si_code: i32) -> SigInfo {
        SigInfo {
            si_signo,
            si_code,
            si_pid: 0,
            si_uid: 0,
            si_status: 0,
            si_addr: 0,
            si_value: 0,
            si_utime: 0,
            si_stime: 0,
        }
    }

    /// A signal that the kernel itself sends (`SEND_SIG_PRIV`).
    pub fn kernel(sig: Signal) -> SigInfo {
        SigInfo::new(sig, si_code::SI_KERNEL)
    }
}

/// `struct rusage`, in the fields that Linux fills and the model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rusage {
    /// User CPU time in ns.
    pub ru_utime: u64,
    /// System CPU time in ns.
    pub ru_stime: u64,
    /// Largest resident set in KiB.
    pub ru_maxrss: u64,
    /// Page faults without I/O.
    pub ru_minflt: u64,
    /// Page faults with I/O.
    pub ru_majflt: u64,
    /// Voluntary context switches.
    pub ru_nvcsw: u64,
    /// Involuntary context switches.
    pub ru_nivcsw: u64,
}

impl Rusage {
    /// Adds another usage; `ru_maxrss` is a maximum, the rest are sums.
    pub fn add(&mut self, o: &Rusage) {
        self.ru_utime += o.ru_utime;
        self.ru_stime += o.ru_stime;
        self.ru_maxrss = self.ru_maxrss.max(o.ru_maxrss);
        self.ru_minflt += o.ru_minflt;
        self.ru_majflt += o.ru_majflt;
        self.ru_nvcsw += o.ru_nvcsw;
        self.ru_nivcsw += o.ru_nivcsw;
    }
}

/// Builds the wait status of an exit: `code << 8`. Source: wait(2).
pub fn w_exitcode(code: i32) -> i32 {
    (code & 0xff) << 8
}

/// The parts of a wait status. Source: wait(2), `W*` macros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitStatus {
    /// Exited with this code (WIFEXITED, WEXITSTATUS).
    Exited(i32),
    /// Killed by this signal; whether it dumped core (WIFSIGNALED, WTERMSIG, WCOREDUMP).
    Signaled(i32, bool),
    /// Stopped by this signal (WIFSTOPPED, WSTOPSIG).
    Stopped(i32),
    /// Continued (WIFCONTINUED).
    Continued,
}

impl WaitStatus {
    /// Takes a status word apart.
    pub fn decode(status: i32) -> WaitStatus {
        if status == 0xffff {
            WaitStatus::Continued
        } else if status & 0xff == 0x7f {
            WaitStatus::Stopped((status >> 8) & 0xff)
        } else if status & 0x7f == 0 {
            WaitStatus::Exited((status >> 8) & 0xff)
        } else {
            WaitStatus::Signaled(status & 0x7f, status & 0x80 != 0)
        }
    }
}

/// `struct sched_attr` of sched_setattr(2). All numbers as given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchedAttr {
    /// Bytes of it that are there.
    pub size: u32,
    /// SCHED_*.
    pub sched_policy: u32,
    /// SCHED_FLAG_*.
    pub sched_flags: u64,
    /// Nice value, for NORMAL and BATCH.
    pub sched_nice: i32,
    /// Real-time priority, for FIFO and RR.
    pub sched_priority: u32,
    /// DEADLINE: budget, ns; of fair tasks the slice.
    pub sched_runtime: u64,
    /// DEADLINE: by when, ns.
    pub sched_deadline: u64,
    /// DEADLINE: how often, ns.
    pub sched_period: u64,
    /// Utilisation clamps.
    pub sched_util: [u32; 2],
}

/// Size of the first published `struct sched_attr`, and of today's.
pub const SCHED_ATTR_SIZE_VER0: u32 = 48;
/// With utilisation clamps.
pub const SCHED_ATTR_SIZE_VER1: u32 = 56;

impl SchedAttr {
    /// As it lies in memory.
    pub fn to_bytes(&self) -> [u8; SCHED_ATTR_SIZE_VER1 as usize] {
        let mut bytes = Vec::with_capacity(SCHED_ATTR_SIZE_VER1 as usize);
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(self.sched_policy.to_le_bytes());
        bytes.extend(self.sched_flags.to_le_bytes());
        bytes.extend(self.sched_nice.to_le_bytes());
        bytes.extend(self.sched_priority.to_le_bytes());
        bytes.extend(self.sched_runtime.to_le_bytes());
        bytes.extend(self.sched_deadline.to_le_bytes());
        bytes.extend(self.sched_period.to_le_bytes());
        self.sched_util.iter().for_each(|u| bytes.extend(u.to_le_bytes()));
        bytes.try_into().expect("the fields fill it")
    }

    /// The fields of what lies in memory; what is missing is 0.
    pub fn from_bytes(bytes: &[u8]) -> SchedAttr {
        let number = |at: usize, len: usize| {
            let all = (at..at + len).map(|i| bytes.get(i).copied().unwrap_or(0));
            all.rev().fold(0u64, |n, b| n << 8 | u64::from(b))
        };
        SchedAttr {
            size: number(0, 4) as u32,
            sched_policy: number(4, 4) as u32,
            sched_flags: number(8, 8),
            sched_nice: number(16, 4) as i32,
            sched_priority: number(20, 4) as u32,
            sched_runtime: number(24, 8),
            sched_deadline: number(32, 8),
            sched_period: number(40, 8),
            sched_util: [number(48, 4) as u32, number(52, 4) as u32],
        }
    }
}
