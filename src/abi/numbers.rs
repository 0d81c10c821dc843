//! Plain numbers of the interface that are no flag words: `MADV_*`, `PR_*`,
//! `P_*`, `SCHED_*`, `RLIMIT_*` and so on.
//!
//! Linux: include/uapi/linux/{prctl,wait,sched,resource,random}.h, asm-generic/mman-common.h.
//! Left out: numbers of subsystems that are not modelled.

macro_rules! numbers {
    ($(#[$doc:meta])* $table:ident: $ty:ty { $($name:ident = $value:expr;)* }) => {
        $(#[allow(missing_docs, reason = "the manual page of the call describes it")]
          pub const $name: $ty = $value;)*
        $(#[$doc])*
        pub const $table: &[(&str, i64)] = &[$((stringify!($name), $value as i64)),*];
    };
}

numbers! {
    /// Advice of madvise(2).
    MADV_NAMES: u32 {
        MADV_NORMAL = 0; MADV_RANDOM = 1; MADV_SEQUENTIAL = 2; MADV_WILLNEED = 3;
        MADV_DONTNEED = 4; MADV_FREE = 8; MADV_REMOVE = 9; MADV_DONTFORK = 10;
        MADV_DOFORK = 11; MADV_MERGEABLE = 12; MADV_UNMERGEABLE = 13; MADV_HUGEPAGE = 14;
        MADV_NOHUGEPAGE = 15; MADV_DONTDUMP = 16; MADV_DODUMP = 17; MADV_WIPEONFORK = 18;
        MADV_KEEPONFORK = 19; MADV_COLD = 20; MADV_PAGEOUT = 21; MADV_POPULATE_READ = 22;
        MADV_POPULATE_WRITE = 23; MADV_DONTNEED_LOCKED = 24; MADV_COLLAPSE = 25;
        MADV_HWPOISON = 100; MADV_SOFT_OFFLINE = 101; MADV_GUARD_INSTALL = 102; MADV_GUARD_REMOVE = 103;
    }
}
numbers! {
    /// Who waitid(2) waits for.
    P_NAMES: u32 { P_ALL = 0; P_PID = 1; P_PGID = 2; P_PIDFD = 3; }
}
numbers! {
    /// Operations of prctl(2).
    PR_NAMES: u32 {
        PR_SET_PDEATHSIG = 1; PR_GET_PDEATHSIG = 2; PR_GET_DUMPABLE = 3; PR_SET_DUMPABLE = 4;
        PR_GET_KEEPCAPS = 7; PR_SET_KEEPCAPS = 8; PR_SET_NAME = 15; PR_GET_NAME = 16;
        PR_GET_SECCOMP = 21; PR_SET_SECCOMP = 22; PR_CAPBSET_READ = 23; PR_CAPBSET_DROP = 24;
        PR_GET_SECUREBITS = 27; PR_SET_SECUREBITS = 28; PR_SET_TIMERSLACK = 29; PR_GET_TIMERSLACK = 30;
        PR_SET_CHILD_SUBREAPER = 36; PR_GET_CHILD_SUBREAPER = 37; PR_SET_NO_NEW_PRIVS = 38;
        PR_GET_NO_NEW_PRIVS = 39; PR_GET_TID_ADDRESS = 40; PR_CAP_AMBIENT = 47;
        PR_CAP_AMBIENT_IS_SET = 1; PR_CAP_AMBIENT_RAISE = 2; PR_CAP_AMBIENT_LOWER = 3;
        PR_CAP_AMBIENT_CLEAR_ALL = 4;
    }
}
numbers! {
    /// Scheduling policies.
    SCHED_NAMES: u32 {
        SCHED_NORMAL = 0; SCHED_OTHER = 0; SCHED_FIFO = 1; SCHED_RR = 2; SCHED_BATCH = 3; SCHED_IDLE = 5;
        SCHED_DEADLINE = 6; SCHED_EXT = 7; SCHED_RESET_ON_FORK = 0x4000_0000;
    }
}
numbers! {
    /// Flags of sched_setattr(2).
    SCHED_FLAG_NAMES: u64 {
        SCHED_FLAG_RESET_ON_FORK = 0x01; SCHED_FLAG_RECLAIM = 0x02; SCHED_FLAG_DL_OVERRUN = 0x04;
        SCHED_FLAG_KEEP_POLICY = 0x08; SCHED_FLAG_KEEP_PARAMS = 0x10;
        SCHED_FLAG_UTIL_CLAMP_MIN = 0x20; SCHED_FLAG_UTIL_CLAMP_MAX = 0x40;
    }
}
numbers! {
    /// Whose nice value getpriority(2) and setpriority(2) mean.
    PRIO_NAMES: u32 { PRIO_PROCESS = 0; PRIO_PGRP = 1; PRIO_USER = 2; }
}
numbers! {
    /// Resources of getrlimit(2).
    RLIMIT_NAMES: u32 {
        RLIMIT_CPU = 0; RLIMIT_FSIZE = 1; RLIMIT_DATA = 2; RLIMIT_STACK = 3; RLIMIT_CORE = 4; RLIMIT_RSS = 5;
        RLIMIT_NPROC = 6; RLIMIT_NOFILE = 7; RLIMIT_MEMLOCK = 8; RLIMIT_AS = 9; RLIMIT_LOCKS = 10;
        RLIMIT_SIGPENDING = 11; RLIMIT_MSGQUEUE = 12; RLIMIT_NICE = 13; RLIMIT_RTPRIO = 14; RLIMIT_RTTIME = 15;
    }
}
numbers! {
    /// Operations of fcntl(2), positions of lseek(2), and their companions.
    FILE_NAMES: u32 {
        F_DUPFD = 0; F_GETFD = 1; F_SETFD = 2; F_GETFL = 3; F_SETFL = 4; F_DUPFD_CLOEXEC = 1030;
        AT_SYMLINK_NOFOLLOW = 0x100; AT_EACCESS = 0x200; AT_EMPTY_PATH = 0x1000;
        FD_CLOEXEC = 1; SEEK_SET = 0; SEEK_CUR = 1; SEEK_END = 2; SEEK_DATA = 3; SEEK_HOLE = 4; O_RDONLY = 0;
        CLOSE_RANGE_UNSHARE = 2; CLOSE_RANGE_CLOEXEC = 4; PIDFD_NONBLOCK = 0o4000; PIDFD_THREAD = 0o200;
        PIDFD_SIGNAL_THREAD = 1; PIDFD_SIGNAL_THREAD_GROUP = 2; PIDFD_SIGNAL_PROCESS_GROUP = 4;
    }
}
numbers! {
    /// How mremap(2) moves.
    MREMAP_NAMES: u32 { MREMAP_MAYMOVE = 1; MREMAP_FIXED = 2; MREMAP_DONTUNMAP = 4; }
}
numbers! {
    /// What poll(2) asks for and finds.
    POLL_NAMES: u16 {
        POLLIN = 0x1; POLLPRI = 0x2; POLLOUT = 0x4; POLLERR = 0x8; POLLHUP = 0x10; POLLNVAL = 0x20;
        POLLRDNORM = 0x40; POLLRDBAND = 0x80; POLLWRNORM = 0x100; POLLWRBAND = 0x200; POLLMSG = 0x400;
        POLLRDHUP = 0x2000;
    }
}
numbers! {
    /// How sigprocmask(2) changes the mask; dispositions; sigaltstack flags.
    SIGNAL_NUMBER_NAMES: u64 {
        SIG_BLOCK = 0; SIG_UNBLOCK = 1; SIG_SETMASK = 2; SIG_DFL = 0; SIG_IGN = 1;
        SS_ONSTACK = 1; SS_DISABLE = 2; SS_AUTODISARM = 0x8000_0000;
    }
}
numbers! {
    /// Secure bits of prctl(PR_SET_SECUREBITS); capabilities(7).
    SECBIT_NAMES: u32 {
        SECBIT_NOROOT = 1; SECBIT_NOROOT_LOCKED = 2; SECBIT_NO_SETUID_FIXUP = 4;
        SECBIT_NO_SETUID_FIXUP_LOCKED = 8; SECBIT_KEEP_CAPS = 16; SECBIT_KEEP_CAPS_LOCKED = 32;
        SECBIT_NO_CAP_AMBIENT_RAISE = 64; SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED = 128;
    }
}
numbers! {
    /// Flags of getrandom(2).
    GRND_NAMES: u32 { GRND_NONBLOCK = 1; GRND_RANDOM = 2; GRND_INSECURE = 4; }
}
numbers! {
    /// Whose resources getrusage(2) reports.
    RUSAGE_NAMES: i32 { RUSAGE_SELF = 0; RUSAGE_CHILDREN = -1; RUSAGE_THREAD = 1; }
}
numbers! {
    /// Commands of membarrier(2).
    MEMBARRIER_NAMES: u32 {
        MEMBARRIER_CMD_QUERY = 0; MEMBARRIER_CMD_GLOBAL = 1; MEMBARRIER_CMD_GLOBAL_EXPEDITED = 2;
        MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 4; MEMBARRIER_CMD_PRIVATE_EXPEDITED = 8;
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 16;
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 32;
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 64;
        MEMBARRIER_CMD_GET_REGISTRATIONS = 512;
    }
}
numbers! {
    /// Flags of eventfd2(2), timerfd_create(2), timerfd_settime(2), signalfd4(2).
    ANON_NAMES: u32 {
        EFD_SEMAPHORE = 1; EFD_NONBLOCK = 0o4000; EFD_CLOEXEC = 0o2000000;
        TFD_NONBLOCK = 0o4000; TFD_CLOEXEC = 0o2000000;
        TFD_TIMER_ABSTIME = 1; TFD_TIMER_CANCEL_ON_SET = 2;
        SFD_NONBLOCK = 0o4000; SFD_CLOEXEC = 0o2000000; EPOLL_CLOEXEC = 0o2000000;
        EPOLL_CTL_ADD = 1; EPOLL_CTL_DEL = 2; EPOLL_CTL_MOD = 3;
    }
}
numbers! {
    /// What epoll(7) asks for and finds, and how.
    EPOLL_NAMES: u32 {
        EPOLLIN = 0x1; EPOLLPRI = 0x2; EPOLLOUT = 0x4; EPOLLERR = 0x8; EPOLLHUP = 0x10;
        EPOLLRDNORM = 0x40; EPOLLRDBAND = 0x80; EPOLLWRNORM = 0x100; EPOLLWRBAND = 0x200;
        EPOLLRDHUP = 0x2000; EPOLLEXCLUSIVE = 1 << 28; EPOLLWAKEUP = 1 << 29;
        EPOLLONESHOT = 1 << 30; EPOLLET = 1 << 31;
    }
}
numbers! {
    /// How an expiration is told (sigevent(3)), and how timer_settime(2) reckons.
    SIGEV_NAMES: u32 {
        SIGEV_SIGNAL = 0; SIGEV_NONE = 1; SIGEV_THREAD = 2; SIGEV_THREAD_ID = 4; TIMER_ABSTIME = 1;
    }
}

/// "No limit" in an rlimit.
pub const RLIM_INFINITY: u64 = u64::MAX;
