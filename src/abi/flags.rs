//! Flag words of system calls, as types that print as Linux's names.
//!
//! Linux: include/uapi/linux/sched.h, wait.h, fcntl.h, mman.h.
//! Left out: flags that only other architectures have.

use bitflags::bitflags;

bitflags! {
    /// `CLONE_*`, the flags of clone(2) and clone3(2). The low byte of clone's
    /// flag word is the exit signal ([`CSIGNAL`]), not part of this type;
    /// `NEWTIME` uses that byte and so exists in clone3 and unshare only.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct CloneFlags: u64 {
        /// New time namespace for children.
        const CLONE_NEWTIME = 0x0000_0080;
        /// Share the address space.
        const CLONE_VM = 0x0000_0100;
        /// Share root, working directory and umask.
        const CLONE_FS = 0x0000_0200;
        /// Share the table of file descriptors.
        const CLONE_FILES = 0x0000_0400;
        /// Share the table of signal dispositions.
        const CLONE_SIGHAND = 0x0000_0800;
        /// Store a pidfd in the parent.
        const CLONE_PIDFD = 0x0000_1000;
        /// Let the tracer trace the child too.
        const CLONE_PTRACE = 0x0000_2000;
        /// Suspend the parent until the child releases the mm.
        const CLONE_VFORK = 0x0000_4000;
        /// The child gets its creator's parent.
        const CLONE_PARENT = 0x0000_8000;
        /// Same thread group.
        const CLONE_THREAD = 0x0001_0000;
        /// New mount namespace.
        const CLONE_NEWNS = 0x0002_0000;
        /// Share System V semaphore adjustments.
        const CLONE_SYSVSEM = 0x0004_0000;
        /// Set the child's TLS base.
        const CLONE_SETTLS = 0x0008_0000;
        /// Store the child's tid in the parent's memory.
        const CLONE_PARENT_SETTID = 0x0010_0000;
        /// Clear and wake the tid word when the child releases its mm.
        const CLONE_CHILD_CLEARTID = 0x0020_0000;
        /// Ignored by legacy clone since 2.5; clone3 refuses it.
        const CLONE_DETACHED = 0x0040_0000;
        /// The tracer may not force CLONE_PTRACE on the child.
        const CLONE_UNTRACED = 0x0080_0000;
        /// Store the child's tid in the child's memory.
        const CLONE_CHILD_SETTID = 0x0100_0000;
        /// New cgroup namespace.
        const CLONE_NEWCGROUP = 0x0200_0000;
        /// New UTS namespace.
        const CLONE_NEWUTS = 0x0400_0000;
        /// New IPC namespace.
        const CLONE_NEWIPC = 0x0800_0000;
        /// New user namespace.
        const CLONE_NEWUSER = 0x1000_0000;
        /// New pid namespace for the child.
        const CLONE_NEWPID = 0x2000_0000;
        /// New network namespace.
        const CLONE_NEWNET = 0x4000_0000;
        /// Share the I/O context.
        const CLONE_IO = 0x8000_0000;
        /// clone3: all handlers back to default in the child.
        const CLONE_CLEAR_SIGHAND = 0x1_0000_0000;
        /// clone3: start in the cgroup given by a descriptor.
        const CLONE_INTO_CGROUP = 0x2_0000_0000;
    }
}

/// The byte of clone's flag word that holds the exit signal.
pub const CSIGNAL: u64 = 0xff;

bitflags! {
    /// Options of wait4(2) and waitid(2).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct WaitOptions: u32 {
        /// Return at once when there is no event.
        const WNOHANG = 0x0000_0001;
        /// Also report stopped children; waitid calls it WSTOPPED.
        const WUNTRACED = 0x0000_0002;
        /// Report dead children (waitid).
        const WEXITED = 0x0000_0004;
        /// Also report continued children.
        const WCONTINUED = 0x0000_0008;
        /// Leave the child waitable.
        const WNOWAIT = 0x0100_0000;
        /// Only the calling thread's own children.
        const __WNOTHREAD = 0x2000_0000;
        /// Children of every kind.
        const __WALL = 0x4000_0000;
        /// Only children whose exit signal is not SIGCHLD.
        const __WCLONE = 0x8000_0000;
    }
}

bitflags! {
    /// `PROT_*` of mmap(2) and mprotect(2).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ProtFlags: u32 {
        /// May be read.
        const PROT_READ = 1;
        /// May be written.
        const PROT_WRITE = 2;
        /// May be executed.
        const PROT_EXEC = 4;
        /// Accepted and without effect on x86.
        const PROT_SEM = 8;
        /// Extend the change down to the start of a growing-down mapping.
        const PROT_GROWSDOWN = 0x0100_0000;
        /// Extend the change up to the end of a growing-up mapping.
        const PROT_GROWSUP = 0x0200_0000;
    }
}

bitflags! {
    /// `MAP_*` of mmap(2). `MAP_SHARED_VALIDATE` is the value 3 of the type
    /// field, that is both type bits.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct MapFlags: u32 {
        /// Changes are shared.
        const MAP_SHARED = 0x01;
        /// Changes are private.
        const MAP_PRIVATE = 0x02;
        /// Put it exactly there, over what is there.
        const MAP_FIXED = 0x10;
        /// No file.
        const MAP_ANONYMOUS = 0x20;
        /// In the low 2 GiB.
        const MAP_32BIT = 0x40;
        /// Grows down, for stacks.
        const MAP_GROWSDOWN = 0x0100;
        /// Ignored since 2.0.
        const MAP_DENYWRITE = 0x0800;
        /// Ignored.
        const MAP_EXECUTABLE = 0x1000;
        /// Lock the pages.
        const MAP_LOCKED = 0x2000;
        /// Don't reserve swap.
        const MAP_NORESERVE = 0x4000;
        /// Fault the pages in now.
        const MAP_POPULATE = 0x8000;
        /// With MAP_POPULATE: only what is in memory.
        const MAP_NONBLOCK = 0x1_0000;
        /// Suitable for a stack; no effect on x86.
        const MAP_STACK = 0x2_0000;
        /// Huge pages.
        const MAP_HUGETLB = 0x4_0000;
        /// Synchronous faults on DAX.
        const MAP_SYNC = 0x8_0000;
        /// Put it exactly there, but never over something.
        const MAP_FIXED_NOREPLACE = 0x10_0000;
    }
}

bitflags! {
    /// `O_*` of open(2), pipe2(2), dup3(2). The access mode is the low two bits.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct OpenFlags: u32 {
        /// Write only (O_RDONLY is 0).
        const O_WRONLY = 0o1;
        /// Read and write.
        const O_RDWR = 0o2;
        /// Create it.
        const O_CREAT = 0o100;
        /// With O_CREAT: it must not exist.
        const O_EXCL = 0o200;
        /// Not a controlling terminal.
        const O_NOCTTY = 0o400;
        /// Cut to length 0.
        const O_TRUNC = 0o1000;
        /// Each write goes to the end.
        const O_APPEND = 0o2000;
        /// Don't block.
        const O_NONBLOCK = 0o4000;
        /// Writes are as good as on the disk when they return, but for times.
        const O_DSYNC = 0o10000;
        /// Must be a directory.
        const O_DIRECTORY = 0o200000;
        /// Don't follow a final symbolic link.
        const O_NOFOLLOW = 0o400000;
        /// Reading leaves the access time alone.
        const O_NOATIME = 0o1000000;
        /// Close at exec.
        const O_CLOEXEC = 0o2000000;
        /// With O_DSYNC it is O_SYNC: times too.
        const __O_SYNC = 0o4000000;
        /// Only a place in the tree.
        const O_PATH = 0o10000000;
        /// With O_DIRECTORY it is O_TMPFILE: a file without a name.
        const __O_TMPFILE = 0o20000000;
    }
}

bitflags! {
    /// `SA_*` of sigaction(2).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SaFlags: u64 {
        /// No SIGCHLD for stopped children.
        const SA_NOCLDSTOP = 0x0000_0001;
        /// Children are reaped by themselves.
        const SA_NOCLDWAIT = 0x0000_0002;
        /// The handler takes a siginfo.
        const SA_SIGINFO = 0x0000_0004;
        /// The kernel reports unknown bits by clearing them.
        const SA_UNSUPPORTED = 0x0000_0400;
        /// Keep tag bits of the fault address.
        const SA_EXPOSE_TAGBITS = 0x0000_0800;
        /// sa_restorer is valid.
        const SA_RESTORER = 0x0400_0000;
        /// Run on the alternate stack.
        const SA_ONSTACK = 0x0800_0000;
        /// Restart interrupted calls.
        const SA_RESTART = 0x1000_0000;
        /// Don't block the signal in its handler.
        const SA_NODEFER = 0x4000_0000;
        /// Back to default on delivery.
        const SA_RESETHAND = 0x8000_0000;
    }
}
