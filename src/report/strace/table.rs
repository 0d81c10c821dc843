//! Calls and the kinds of their arguments. What is not in here is printed with
//! its arguments in hex; calls whose later arguments depend on earlier ones are
//! in `special`.
//!
//! Linux: the manual's section 2; strace's syscallent.h. Left out: sockets,
//! System V IPC, io_uring, and what else the model refuses.

use super::ctx::Ctx;
use super::kind::Kind::{self, *};
use super::names::{files as f, tasks as t};
use super::signals::{sigaction, sigaltstack, siginfo_at, wait_status};
use super::structs::*;
use super::text::{addr, flags, octal};
use crate::abi::numbers as abi;

const AT_FLAGS: Kind = Flags(f::AT, "AT_???");
const PROT: Kind = Flags64(t::PROT, "PROT_???");
const CLOCKID: Kind = One(t::CLOCK, "CLOCK_???");
const TS: Kind = In(timespec);
const TS_OUT: Kind = Out(timespec);
const INT_OUT: Kind = Out(|c, at| c.i32(at).map(|v| format!("[{v}]")));
const UINT_OUT: Kind = Out(|c, at| c.u32(at).map(|v| format!("[{v}]")));
const ULONG_OUT: Kind = Out(|c, at| c.u64(at).map(|v| format!("[{v}]")));
const PTR_OUT: Kind = Out(|c, at| c.u64(at).map(|v| format!("[{}]", addr(v))));
const FDS_OUT: Kind =
    Out(|c, at| Some(format!("[{}, {}]", c.i32(at)?, c.i32(at.wrapping_add(4))?)));
const RLIMIT: Kind = One(abi::RLIMIT_NAMES, "RLIMIT_???");
const PRIO: Kind = One(abi::PRIO_NAMES, "PRIO_???");
const POLICY: Kind = One(t::SCHED, "SCHED_???");
const PARAM_IN: Kind = In(|c, at| c.i32(at).map(|v| format!("[{v}]")));
const OFFSET_IN: Kind = In(|c, at| c.i64(at).map(|v| format!("[{v}]")));
const WAIT_OPTIONS: Kind = Flags(t::WAIT, "W???");
const WHENCE: Kind = One(f::WHENCE, "SEEK_???");
const ITIMER: Kind = One(t::ITIMER, "ITIMER_???");
const MODE_ACCESS: Kind = Flags(f::ACCESS, "?_OK");
const EPOLL_OUT: Kind = Out(epoll_events);
/// wait4 reports a status only of a child that it found.
const STATUS_OUT: Kind = Out(|c, at| c.i32(at).filter(|_| c.ret != Some(0)).map(wait_status));
const WAIT_RUSAGE: Kind = Out(|c, at| if c.ret == Some(0) { None } else { rusage(c, at) });

/// What remains of a sleep is stored when a signal has ended it.
fn remaining(c: &Ctx, at: u64) -> Option<String> {
    if c.ret == Some(0) { None } else { timespec(c, at) }
}

fn epoll_events(c: &Ctx, at: u64) -> Option<String> {
    c.list(at, c.ret?.max(0) as u64, 12, |at| epoll_event(c, at))
}

fn groups_in(c: &Ctx, at: u64) -> Option<String> {
    let count = c.args[0] as u32;
    if at == 0 || count as i32 > 65_536 {
        return None;
    }
    c.list(at, count.into(), 4, |at| c.i32(at).map(|v| v.to_string()))
}

fn groups_out(c: &Ctx, at: u64) -> Option<String> {
    if c.args[0] == 0 {
        return None;
    }
    c.list(at, c.ret?.max(0) as u64, 4, |at| c.i32(at).map(|v| v.to_string()))
}

/// Residency of pages.
fn residency(c: &Ctx, at: u64) -> Option<String> {
    let pages = c.args[1].div_ceil(4096);
    c.list(at, pages, 1, |at| Some((c.bytes(at, 1)?[0] & 1).to_string()))
}

fn cpus_out(c: &Ctx, at: u64) -> Option<String> {
    cpus(c, at, c.ret?.max(0) as u64)
}

fn cpus_in(c: &Ctx, at: u64) -> Option<String> {
    cpus(c, at, c.args[1] & 0xffff_ffff)
}

fn random(c: &Ctx, at: u64) -> Option<String> {
    Some(c.buffer_hex(at, c.ret?.max(0) as u64))
}

/// How many entries a directory read gave.
fn dirents(c: &Ctx, at: u64) -> Option<String> {
    let end = c.ret?.max(0) as u64;
    let (mut offset, mut count) = (0, 0u64);
    while offset < end {
        let len = c.u16(at.checked_add(offset + 16)?)?;
        if len == 0 {
            return None;
        }
        offset += u64::from(len);
        count += 1;
    }
    Some(format!("{} /* {count} entries */", addr(at)))
}

fn time_out(c: &Ctx, at: u64) -> Option<String> {
    let v = c.i64(at)?;
    Some(format!("[{v} /* {} */]", date(v, 0, 0)))
}

fn cwd(c: &Ctx, at: u64) -> Option<String> {
    c.bytes(at, 1).map(|_| c.path(at))
}

fn readv_in(c: &Ctx, at: u64) -> Option<String> {
    iovecs(c, at, c.args[2], if c.failed() { None } else { Some(c.ret?.max(0) as u64) })
}

/// Given buffers show what they hold, also after an error only addresses.
fn writev_in(c: &Ctx, at: u64) -> Option<String> {
    iovecs(c, at, c.args[2], Some(u64::MAX))
}

/// The caller's buffers of process_vm_writev.
fn locals_in(c: &Ctx, at: u64) -> Option<String> {
    iovecs(c, at, c.args[2], Some(u64::MAX))
}

/// Places in another process, which are addresses here.
fn remote_in(c: &Ctx, at: u64) -> Option<String> {
    iovecs(c, at, c.args[4], None)
}

/// `struct iovec`s that a failed readv still shows, as addresses.
const READV: Kind = Kind::OutAlways(readv_in);

fn mremap_at(c: &Ctx) -> bool {
    const MREMAP_FIXED: u64 = 2;
    const MREMAP_DONTUNMAP: u64 = 4;
    c.args[3] & (MREMAP_FIXED | MREMAP_DONTUNMAP) != 0
}

/// Flags whose upper six bits are the size of huge pages, if those are wanted.
pub fn huge(names: &super::text::Names, v: u64, what: &str) -> String {
    const SHIFT: u32 = 26;
    let flag = names.iter().find(|(n, _)| n.ends_with("_HUGETLB")).map_or(0, |(_, n)| *n as u64);
    let size = if v & flag != 0 { v >> SHIFT & 0x3f } else { 0 };
    let words = flags(names, v & !(size << SHIFT), &format!("{what}_???"));
    match size {
        0 => words,
        size => format!("{words}|{size}<<{what}_HUGE_SHIFT"),
    }
}

/// A call's name and the kinds of its arguments.
pub type Row = (&'static str, &'static [Kind]);

/// Arguments that are printed only in some cases; the rest always.
pub fn shown(name: &str, c: &Ctx) -> usize {
    const O_CREAT: u64 = 0o100;
    const O_TMPFILE: u64 = 0o20000000;
    let creates = |flags: u64| flags & (O_CREAT | O_TMPFILE) != 0;
    let is_device = |mode: u64| matches!(mode & 0o170000, 0o020000 | 0o060000);
    match name {
        "open" if !creates(c.args[1]) => 2,
        "openat" if !creates(c.args[2]) => 3,
        "mremap" if !mremap_at(c) => 4,
        "mknod" if !is_device(c.args[1]) => 2,
        "mknodat" if !is_device(c.args[2]) => 3,
        _ => 6,
    }
}

/// The rows, by area.
pub const CALLS: &[Row] = &[
    // Files.
    ("read", &[Int, Gives, Ulong]),
    ("write", &[Int, Bytes(2), Ulong]),
    ("open", &[Path, Open, Mode]),
    ("close", &[Int]),
    ("stat", &[Path, Out(stat)]),
    ("fstat", &[Int, Out(stat)]),
    ("lstat", &[Path, Out(stat)]),
    ("newfstatat", &[Dir, Path, Out(stat), AT_FLAGS]),
    ("lseek", &[Int, Long, WHENCE]),
    ("pread64", &[Int, Gives, Ulong, Long]),
    ("pwrite64", &[Int, Bytes(2), Ulong, Long]),
    ("readv", &[Int, READV, Ulong]),
    ("writev", &[Int, In(writev_in), Ulong]),
    ("preadv", &[Int, READV, Ulong, Long]),
    ("pwritev", &[Int, In(writev_in), Ulong, Long]),
    ("process_vm_readv", &[Int, READV, Ulong, In(remote_in), Ulong, Ulong]),
    ("process_vm_writev", &[Int, In(locals_in), Ulong, In(remote_in), Ulong, Ulong]),
    ("access", &[Path, MODE_ACCESS]),
    ("faccessat", &[Dir, Path, MODE_ACCESS]),
    ("faccessat2", &[Dir, Path, MODE_ACCESS, Flags(f::FACCESSAT, "AT_???")]),
    ("pipe", &[FDS_OUT]),
    ("pipe2", &[FDS_OUT, Flags(&PIPE_FLAGS, "O_???")]),
    ("dup", &[Int]),
    ("dup2", &[Int, Int]),
    ("dup3", &[Int, Int, Flags(&PIPE_FLAGS, "O_???")]),
    ("close_range", &[Uint, Uint, Flags(f::CLOSE_RANGE, "CLOSE_RANGE_???")]),
    ("flock", &[Int, Flags(f::FLOCK, "LOCK_???")]),
    ("fsync", &[Int]),
    ("fdatasync", &[Int]),
    ("syncfs", &[Int]),
    ("sync", &[]),
    ("truncate", &[Path, Long]),
    ("ftruncate", &[Int, Long]),
    ("getcwd", &[Out(cwd), Ulong]),
    ("chdir", &[Path]),
    ("fchdir", &[Int]),
    ("chroot", &[Path]),
    ("rename", &[Path, Path]),
    ("renameat", &[Dir, Path, Dir, Path]),
    ("renameat2", &[Dir, Path, Dir, Path, Flags(f::RENAME, "RENAME_???")]),
    ("mkdir", &[Path, Mode]),
    ("mkdirat", &[Dir, Path, Mode]),
    ("rmdir", &[Path]),
    ("creat", &[Path, Mode]),
    ("link", &[Path, Path]),
    ("linkat", &[Dir, Path, Dir, Path, AT_FLAGS]),
    ("unlink", &[Path]),
    ("unlinkat", &[Dir, Path, AT_FLAGS]),
    ("symlink", &[Path, Path]),
    ("symlinkat", &[Path, Dir, Path]),
    ("readlink", &[Path, Gives, Ulong]),
    ("readlinkat", &[Dir, Path, Gives, Ulong]),
    ("chmod", &[Path, Mode]),
    ("fchmod", &[Int, Mode]),
    ("fchmodat", &[Dir, Path, Mode]),
    ("fchmodat2", &[Dir, Path, Mode, AT_FLAGS]),
    ("chown", &[Path, Id, Id]),
    ("fchown", &[Int, Id, Id]),
    ("lchown", &[Path, Id, Id]),
    ("fchownat", &[Dir, Path, Id, Id, AT_FLAGS]),
    ("umask", &[Mode]),
    ("mknod", &[Path, FileMode, In(|_, v| Some(device(v)))]),
    ("mknodat", &[Dir, Path, FileMode, In(|_, v| Some(device(v)))]),
    ("utime", &[Path, In(utimbuf)]),
    ("utimes", &[Path, In(timeval_stamps)]),
    ("futimesat", &[Dir, Path, In(timeval_stamps)]),
    ("utimensat", &[Dir, Path, In(stamps), AT_FLAGS]),
    ("statfs", &[Path, Out(statfs)]),
    ("fstatfs", &[Int, Out(statfs)]),
    ("getdents", &[Int, Out(dirents), Uint]),
    ("getdents64", &[Int, Out(dirents), Uint]),
    ("sendfile", &[Int, Int, OFFSET_IN, Ulong]),
    ("copy_file_range", &[Int, OFFSET_IN, Int, OFFSET_IN, Ulong, Uint]),
    ("fallocate", &[Int, Flags(f::FALLOC, "FALLOC_FL_???"), Long, Long]),
    ("fadvise64", &[Int, Long, Ulong, One(f::FADVISE, "POSIX_FADV_???")]),
    ("readahead", &[Int, Long, Ulong]),
    ("sync_file_range", &[Int, Long, Long, Flags(f::SYNC_RANGE, "SYNC_FILE_RANGE_???")]),
    ("memfd_create", &[Str, In(|_, v| Some(huge(f::MFD, v & 0xffff_ffff, "MFD")))]),
    ("openat", &[Dir, Path, Open, Mode]),
    ("openat2", &[Dir, Path, In(open_how), Ulong]),
    ("vhangup", &[]),
    ("splice", &[Int, OFFSET_IN, Int, OFFSET_IN, Ulong, Flags(f::SPLICE, "SPLICE_F_???")]),
    // Waiting for descriptors.
    ("epoll_create", &[Int]),
    ("epoll_create1", &[Flags(f::EPOLL_CREATE, "EPOLL_???")]),
    ("epoll_wait", &[Int, EPOLL_OUT, Int, Int]),
    ("epoll_pwait", &[Int, EPOLL_OUT, Int, Int, SetIn(5), Ulong]),
    ("epoll_pwait2", &[Int, EPOLL_OUT, Int, TS, SetIn(5), Ulong]),
    ("eventfd", &[Uint]),
    ("eventfd2", &[Uint, Flags(f::EFD, "EFD_???")]),
    ("signalfd", &[Int, SetIn(2), Ulong]),
    ("signalfd4", &[Int, SetIn(2), Ulong, Flags(f::SFD, "SFD_???")]),
    ("timerfd_create", &[CLOCKID, Flags(f::TFD, "TFD_???")]),
    ("timerfd_settime", &[Int, Flags(f::TFD, "TFD_???"), In(itimerspec), Out(itimerspec)]),
    ("timerfd_gettime", &[Int, Out(itimerspec)]),
    // Memory.
    ("mprotect", &[Ptr, Ulong, PROT]),
    ("munmap", &[Ptr, Ulong]),
    ("mremap", &[Ptr, Ulong, Ulong, Flags64(t::MREMAP, "MREMAP_???"), Ptr]),
    ("brk", &[Ptr]),
    ("msync", &[Ptr, Ulong, Flags(t::MSYNC, "MS_???")]),
    ("mincore", &[Ptr, Ulong, Out(residency)]),
    ("madvise", &[Ptr, Ulong, One(abi::MADV_NAMES, "MADV_???")]),
    ("mlock", &[Ptr, Ulong]),
    ("mlock2", &[Ptr, Ulong, Flags(t::MLOCK, "MLOCK_???")]),
    ("munlock", &[Ptr, Ulong]),
    ("mlockall", &[Flags(t::MCL, "MCL_???")]),
    ("munlockall", &[]),
    ("getrandom", &[Out(random), Ulong, Flags(abi::GRND_NAMES, "GRND_???")]),
    ("membarrier", &[Flags(t::MEMBARRIER, "MEMBARRIER_CMD_???"), Uint]),
    // Processes.
    ("fork", &[]),
    ("vfork", &[]),
    ("exit", &[Int]),
    ("exit_group", &[Int]),
    ("wait4", &[Int, STATUS_OUT, WAIT_OPTIONS, WAIT_RUSAGE]),
    ("waitid", &[One(abi::P_NAMES, "P_???"), Int, Out(siginfo_at), WAIT_OPTIONS, Out(rusage)]),
    ("set_tid_address", &[Ptr]),
    ("set_robust_list", &[Ptr, Ulong]),
    ("get_robust_list", &[Int, PTR_OUT, ULONG_OUT]),
    ("rseq", &[Ptr, Hex32, Hex32, Hex32]),
    ("unshare", &[Flags64(t::UNSHARE, "CLONE_???")]),
    ("setns", &[Int, Flags(t::SETNS, "CLONE_???")]),
    ("pidfd_open", &[Int, Flags(t::PIDFD, "PIDFD_???")]),
    ("pidfd_getfd", &[Int, Int, Hex32]),
    ("getpid", &[]),
    ("gettid", &[]),
    ("getppid", &[]),
    ("getpgrp", &[]),
    ("getpgid", &[Int]),
    ("getsid", &[Int]),
    ("setpgid", &[Int, Int]),
    ("setsid", &[]),
    ("uname", &[Out(utsname)]),
    ("sysinfo", &[Out(sysinfo)]),
    ("sethostname", &[Bytes(1), Ulong]),
    ("setdomainname", &[Bytes(1), Ulong]),
    ("getcpu", &[UINT_OUT, UINT_OUT, Ptr]),
    ("restart_syscall", &[]),
    // Credentials.
    ("getuid", &[]),
    ("getgid", &[]),
    ("geteuid", &[]),
    ("getegid", &[]),
    ("setuid", &[Id]),
    ("setgid", &[Id]),
    ("setreuid", &[Id, Id]),
    ("setregid", &[Id, Id]),
    ("setresuid", &[Id, Id, Id]),
    ("setresgid", &[Id, Id, Id]),
    ("getresuid", &[INT_OUT, INT_OUT, INT_OUT]),
    ("getresgid", &[INT_OUT, INT_OUT, INT_OUT]),
    ("setfsuid", &[Id]),
    ("setfsgid", &[Id]),
    ("getgroups", &[Int, Out(groups_out)]),
    ("setgroups", &[Int, In(groups_in)]),
    // Limits and accounts.
    ("getrlimit", &[RLIMIT, Out(rlimit)]),
    ("setrlimit", &[RLIMIT, In(rlimit)]),
    ("prlimit64", &[Int, RLIMIT, In(rlimit), Out(rlimit)]),
    ("getrusage", &[One(abi::RUSAGE_NAMES, "RUSAGE_???"), Out(rusage)]),
    ("times", &[Out(tms)]),
    // Scheduling.
    ("sched_yield", &[]),
    ("getpriority", &[PRIO, Int]),
    ("setpriority", &[PRIO, Int, Int]),
    ("sched_setparam", &[Int, PARAM_IN]),
    ("sched_getparam", &[Int, INT_OUT]),
    ("sched_setscheduler", &[Int, POLICY, PARAM_IN]),
    ("sched_getscheduler", &[Int]),
    ("sched_get_priority_max", &[POLICY]),
    ("sched_get_priority_min", &[POLICY]),
    ("sched_rr_get_interval", &[Int, TS_OUT]),
    ("sched_setaffinity", &[Int, Uint, In(cpus_in)]),
    ("sched_getaffinity", &[Int, Uint, Out(cpus_out)]),
    ("sched_setattr", &[Int, In(sched_attr), Uint]),
    ("sched_getattr", &[Int, Out(sched_attr), Uint, Uint]),
    // Signals.
    ("kill", &[Int, Sig]),
    ("tkill", &[Int, Sig]),
    ("tgkill", &[Int, Int, Sig]),
    ("rt_sigqueueinfo", &[Int, Sig, In(siginfo_at)]),
    ("rt_tgsigqueueinfo", &[Int, Int, Sig, In(siginfo_at)]),
    ("pidfd_send_signal", &[Int, Sig, In(siginfo_at), Flags(t::PIDFD_SIGNAL, "PIDFD_SIGNAL_???")]),
    ("rt_sigaction", &[Sig, In(sigaction), Out(sigaction), Ulong]),
    ("rt_sigprocmask", &[One(t::SIGPROCMASK, "SIG_???"), SetIn(3), SetOut(3), Ulong]),
    ("rt_sigpending", &[SetOut(1), Ulong]),
    ("rt_sigsuspend", &[SetIn(1), Ulong]),
    ("rt_sigtimedwait", &[SetIn(3), Out(siginfo_at), TS, Ulong]),
    ("sigaltstack", &[In(sigaltstack), Out(sigaltstack)]),
    ("pause", &[]),
    // Time.
    ("nanosleep", &[TS, Kind::OutAlways(remaining)]),
    ("clock_nanosleep", &[CLOCKID, Flags(t::TIMER, "TIMER_???"), TS, Kind::OutAlways(remaining)]),
    ("getitimer", &[ITIMER, Out(itimerval)]),
    ("setitimer", &[ITIMER, In(itimerval), Out(itimerval)]),
    ("alarm", &[Uint]),
    ("gettimeofday", &[Out(timeval), Ptr]),
    ("settimeofday", &[In(timeval), Ptr]),
    ("time", &[Out(time_out)]),
    ("clock_gettime", &[CLOCKID, TS_OUT]),
    ("clock_getres", &[CLOCKID, TS_OUT]),
    ("clock_settime", &[CLOCKID, TS]),
];

/// Flags that pipe2 and dup3 take: those of open without an access mode.
const PIPE_FLAGS: [(&str, i64); 17] = {
    let mut flags = [("", 0); 17];
    let mut i = 0;
    while i < flags.len() {
        flags[i] = f::OPEN[i + 4];
        i += 1;
    }
    flags
};

/// The kinds of a call's arguments.
pub fn kinds(name: &str) -> Option<&'static [Kind]> {
    CALLS.iter().find(|(n, _)| *n == name).map(|(_, kinds)| *kinds)
}

/// What a call's result is printed as.
pub fn result(name: &str, ret: i64) -> String {
    match name {
        "mmap" | "mremap" | "brk" => super::text::hex(ret as u64),
        "umask" => octal(ret as u64),
        _ => ret.to_string(),
    }
}
