//! What the host's side can do, found out by asking it: each feature has a
//! small program, and a feature whose program is refused is left out of random
//! programs.
//!
//! Left out: features that every host has.

/// Something that a host may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Feature {
    /// clone3(2).
    Clone3,
    /// Addresses in clone's arguments: CHILD_SETTID, CLEARTID, PIDFD.
    CloneAddresses,
    /// Tasks that share memory and run at the same time, threads.
    Threads,
    /// New namespaces.
    Namespaces,
    /// vfork(2) of a process that has mapped memory.
    VforkMapped,
    /// execve(2).
    Exec,
    /// Sleeping for a time.
    Sleep,
    /// alarm(2), setitimer(2).
    Alarm,
    /// sigtimedwait(2) and sigwaitinfo(2).
    SigWait,
    /// rt_sigqueueinfo(2).
    SigQueue,
    /// sigaltstack(2).
    AltStack,
    /// getgroups(2), setgroups(2).
    Groups,
    /// capget(2), capset(2).
    Caps,
    /// Limits.
    Limits,
    /// pidfd_open(2) and pidfd_send_signal(2).
    Pidfd,
    /// Locking memory.
    Lock,
    /// msync(2).
    Msync,
    /// mremap(2).
    Mremap,
    /// Fixed addresses and files in mmap(2).
    MapFiles,
    /// Directories and modes.
    Directories,
    /// pread(2), pwrite(2), ftruncate(2).
    FileIo,
    /// close_range(2).
    CloseRange,
    /// unshare(2).
    Unshare,
    /// prctl(2) on timer slack.
    TimerSlack,
    /// Policies and nice values.
    Scheduling,
    /// ptrace(2).
    Ptrace,
    /// Pseudo terminals.
    Terminals,
}

/// Each feature and a program's body that has it.
pub const PROBES: &[(Feature, &str)] = &[
    (Feature::Clone3, "try_clone3(#{flags: 0, exit_signal: SIGCHLD}, leave)"),
    (
        Feature::CloneAddresses,
        "define(\"x\", 0); try_clone3(#{flags: CLONE_CHILD_SETTID, child_tid: addr_of(\"x\"), exit_signal: SIGCHLD}, leave)",
    ),
    (
        Feature::Threads,
        "try_clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, leave); try_clone(CLONE_VM | SIGCHLD, leave)",
    ),
    (Feature::Namespaces, "try_clone(CLONE_NEWPID | SIGCHLD, leave)"),
    (Feature::VforkMapped, "mmap(4096); if vfork() == 0 { _exit(0); }"),
    (Feature::Exec, "try_execve(\"/bin/leave\", [\"leave\"])"),
    (Feature::Sleep, "try_nanosleep(1)"),
    (Feature::Alarm, "alarm(0); setitimer(ITIMER_REAL, 0, 0); getitimer(ITIMER_REAL)"),
    (Feature::SigWait, "try_sigtimedwait([SIGUSR1], 0)"),
    (Feature::SigQueue, "try_sigqueue(getpid(), SIGURG, 1)"),
    (Feature::AltStack, "try_sigaltstack()"),
    (Feature::Groups, "try_getgroups(); try_setgroups([1])"),
    (Feature::Caps, "try_capget(0); try_capset([], [], [])"),
    (Feature::Limits, "try_getrlimit(RLIMIT_NOFILE); try_setrlimit(RLIMIT_FSIZE, 1, 2)"),
    (
        Feature::Pidfd,
        "try_pidfd_send_signal(try_pidfd_open(getpid(), 0), 0); try_pidfd_getfd(-1, 0, 0)",
    ),
    (Feature::Lock, "try_mlock(mmap(4096), 4096); try_munlockall(); try_mlockall(2)"),
    (Feature::Mremap, "let m = mmap(8192); try_mremap(m, 8192, 4096, 0)"),
    (Feature::Msync, "try_msync(mmap(4096), 4096, 4)"),
    (
        Feature::MapFiles,
        "try_mmap_with(#{addr: mmap(4096), len: 4096, flags: MAP_PRIVATE | MAP_FIXED})",
    ),
    (
        Feature::Directories,
        "try_mkdir(\"/tmp/d\", 0o755); try_chmod(\"/tmp/d\", 0o700); try_getcwd(); try_access(\"/tmp\", 0)",
    ),
    (
        Feature::FileIo,
        "try_pread(0, 1, 0); try_pwrite(99, \"x\", 0); try_ftruncate(99, 1); try_fchmod(99, 1)",
    ),
    (Feature::CloseRange, "try_close_range(50, 60, 0)"),
    (Feature::Unshare, "try_unshare(CLONE_FILES | CLONE_FS)"),
    (Feature::Ptrace, "try_ptrace(PTRACE_CONT, getpid())"),
    (
        Feature::Terminals,
        "unlockpt(open(\"/dev/ptmx\", O_RDWR)); close(open(\"/dev/pts/0\", O_RDWR | O_NOCTTY))",
    ),
    (Feature::TimerSlack, "try_prctl(PR_GET_TIMERSLACK, 0)"),
    (
        Feature::Scheduling,
        "try_setpriority(PRIO_PROCESS, 0, 0); try_sched_setscheduler(0, SCHED_BATCH, 0); try_sched_getparam(0); try_sched_setattr(0, #{}); try_sched_getattr(0)",
    ),
];

/// The program that asks for a feature.
pub fn probe(body: &str) -> String {
    format!("fn leave() {{ exit_thread(0); }}\nfn main() {{\n    {body};\n    exit(0);\n}}\n")
}

/// A set of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features(u64);

impl Features {
    /// None of them.
    pub const NONE: Features = Features(0);
    /// All of them.
    pub const ALL: Features = Features(u64::MAX);

    /// Adds one.
    pub fn add(&mut self, feature: Feature) {
        self.0 |= 1 << feature as u8;
    }

    /// Whether it is there.
    pub fn has(self, feature: Feature) -> bool {
        self.0 & 1 << feature as u8 != 0
    }

    /// As a number, to be passed on.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// From such a number.
    pub fn from_bits(bits: u64) -> Features {
        Features(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_features() {
        let mut set = Features::NONE;
        set.add(Feature::Exec);
        assert!(set.has(Feature::Exec) && !set.has(Feature::Clone3));
        assert_eq!(Features::from_bits(set.bits()), set);
        assert!(PROBES.iter().all(|(f, _)| Features::ALL.has(*f)));
    }
}
