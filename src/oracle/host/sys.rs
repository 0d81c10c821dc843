//! The host's system calls as the supervisor makes them.
//!
//! Left out: what a script asks for; its tasks make those calls themselves.

#![allow(unsafe_code, reason = "system calls of the host")]

use std::arch::asm;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::abi::Errno;

/// Makes a system call and gives RAX.
///
/// # Safety
/// The kernel does what it is told: pointers must be valid for what the call
/// reads and writes, and no memory that Rust uses may be unmapped.
unsafe fn raw(nr: libc::c_long, args: [u64; 6]) -> i64 {
    let ret: i64;
    // SAFETY: the registers are those of the x86_64 convention; the caller
    // answers for what the call does.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") nr => ret,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    ret
}

/// RAX as a result.
pub(super) fn result(ret: i64) -> Result<i64, Errno> {
    match i32::try_from(ret.wrapping_neg()).ok().and_then(Errno::from_number) {
        Some(errno) if (-4095..0).contains(&ret) => Err(errno),
        _ => Ok(ret),
    }
}

/// Sleeps while a word that other processes see too holds a value, for a time
/// at most.
pub(super) fn futex_wait(word: &AtomicU32, value: u32, time: Duration) {
    let time = libc::timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    let at = (&raw const time).expose_provenance() as u64;
    let args = [
        word.as_ptr().expose_provenance() as u64,
        libc::FUTEX_WAIT as u64,
        u64::from(value),
        at,
        0,
        0,
    ];
    // SAFETY: the pointers are to a word that lives, and to a local.
    unsafe { raw(libc::SYS_futex, args) };
}

/// Wakes one that sleeps on a word.
pub(super) fn futex_wake(word: &AtomicU32) {
    let args = [word.as_ptr().expose_provenance() as u64, libc::FUTEX_WAKE as u64, 1, 0, 0, 0];
    // SAFETY: the pointer is to a word that lives.
    unsafe { raw(libc::SYS_futex, args) };
}

/// Memory as a file; `executable` if it is to be run.
pub(super) fn memory_file(executable: bool) -> io::Result<OwnedFd> {
    const MFD_EXEC: u64 = 0x10;
    let name = c"forkyard";
    let make = |flags: u64| {
        let args = [name.as_ptr().expose_provenance() as u64, flags, 0, 0, 0, 0];
        // SAFETY: the name ends with a zero byte.
        result(unsafe { raw(libc::SYS_memfd_create, args) })
    };
    let cloexec = u64::from(libc::MFD_CLOEXEC);
    // Kernels before 6.3 do not know MFD_EXEC, and need it not.
    let fd = match executable {
        true => make(cloexec | MFD_EXEC).or_else(|_| make(cloexec)),
        false => make(cloexec),
    };
    let fd = fd.map_err(|e| io::Error::from_raw_os_error(e as i32))?;
    // SAFETY: the kernel has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Maps a file's memory, shared.
pub(super) fn map_shared(fd: &OwnedFd, bytes: usize) -> io::Result<*mut u8> {
    let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
    // SAFETY: the kernel chooses memory that is free.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, prot, flags, fd.as_raw_fd(), 0) };
    if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(at.cast()) }
}

/// Undoes [`map_shared`].
///
/// # Safety
/// Nobody uses the memory any more.
pub(super) unsafe fn unmap(at: *mut u8, bytes: usize) {
    // SAFETY: the caller's.
    unsafe { libc::munmap(at.cast(), bytes) };
}

/// Keeps this process, and those it makes, on one processor: the `index`th of
/// those it may use. Tasks of a program speak to us many times in a program;
/// on one processor that is a switch, on two a wake-up from far away.
pub(in crate::oracle) fn stay_on_processor(index: usize) {
    // SAFETY: a set of processors is bits; zero is the empty set. Both calls
    // get its size and a pointer to a local.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let size = size_of::<libc::cpu_set_t>();
        if libc::sched_getaffinity(0, size, &raw mut set) != 0 {
            return;
        }
        let may: Vec<usize> =
            (0..libc::CPU_SETSIZE as usize).filter(|cpu| libc::CPU_ISSET(*cpu, &set)).collect();
        let Some(cpu) = may.get(index % may.len().max(1)) else { return };
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(*cpu, &mut one);
        // Refused, it is only slower.
        libc::sched_setaffinity(0, size, &raw const one);
    }
}

/// Our effective user and group.
pub(super) fn effective_ids() -> (u32, u32) {
    // SAFETY: neither can fail or touches memory.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Makes reading a descriptor return at once.
pub(super) fn do_not_wait(fd: &OwnedFd) {
    // SAFETY: descriptors and numbers only.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
}

/// Makes a pipe as large as an unprivileged process may have it.
pub(super) fn enlarge_pipe(fd: &OwnedFd) {
    // SAFETY: descriptors and numbers only.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETPIPE_SZ, 1 << 20) };
}

/// Whether a child of ours has ended. It stays there to be reaped.
pub(super) fn is_gone(pid: i32) -> bool {
    // SAFETY: a siginfo is numbers; zero is one of them. The pointer is to a
    // local.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        let ret = libc::waitid(libc::P_PID, pid as libc::id_t, &raw mut info, options);
        ret != 0 || info.si_pid() == pid
    }
}

/// What a clock of the host shows in ns; 0 if there is no such clock.
pub(super) fn now(clock: i32) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local.
    match unsafe { libc::clock_gettime(clock, &raw mut time) } {
        0 => time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec),
        _ => 0,
    }
}

/// Makes a process an ordinary one with nice value 0, whatever nice(1) and
/// chrt(1) have made of us. Where we may not, it stays as it is.
pub(super) fn make_ordinary(pid: i32) {
    let param = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a local.
    unsafe {
        libc::sched_setscheduler(pid, libc::SCHED_OTHER, &raw const param);
        libc::setpriority(libc::PRIO_PROCESS, pid as libc::id_t, 0);
    }
}

/// Kills a child of ours that has not been reaped, and reaps it.
pub(super) fn kill_and_reap(pid: i32) {
    // SAFETY: no status is stored. The pid is still the child's, because it
    // has not been reaped.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL);
    }
}

/// What the first process of a sandbox is to become.
pub(super) struct Become<'a> {
    /// The program.
    pub(super) image: &'a OwnedFd,
    /// Becomes its descriptor of that number.
    pub(super) control: (&'a OwnedFd, i32),
    /// Becomes 1 and 2.
    pub(super) output: &'a OwnedFd,
    /// Becomes 0.
    pub(super) null: &'a OwnedFd,
    /// A byte arrives when the user namespace has its ids.
    pub(super) ready: &'a OwnedFd,
    /// Its slot, as the first string of the environment.
    pub(super) slot: [u8; 3],
}

/// Starts a program in user and mount namespaces of its own, as root there. It
/// dies with the thread that calls this. Gives its pid.
pub(super) fn start(program: &Become) -> Result<i32, Errno> {
    let flags = (libc::SIGCHLD | libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as u64;
    // SAFETY: neither has an argument.
    let parent = unsafe { libc::getpid() };
    // SAFETY: the child has a copy of everything. It only makes system calls
    // until it execs or exits: other threads may hold locks.
    let pid = result(unsafe { raw(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]) })? as i32;
    if pid != 0 {
        return Ok(pid);
    }
    let failed = become_program(program, parent);
    loop {
        // SAFETY: the process ends.
        unsafe { raw(libc::SYS_exit_group, [failed, 0, 0, 0, 0, 0]) };
    }
}

/// In the child: no allocation, no lock. Gives the step that failed.
fn become_program(p: &Become, parent: i32) -> u64 {
    let call = |nr: libc::c_long, args: &[u64]| {
        let mut six = [0; 6];
        six[..args.len()].copy_from_slice(args);
        // SAFETY: pointers are to locals or constants that live until exec.
        unsafe { raw(nr, six) }
    };
    let fd = |fd: &OwnedFd| fd.as_raw_fd() as u64;
    let mut byte = 0u8;
    if call(libc::SYS_read, &[fd(p.ready), (&raw mut byte).expose_provenance() as u64, 1]) != 1 {
        return 101;
    }
    let all = u64::MAX;
    // SIG_SETMASK. Nothing of ours reaches it but SIGKILL.
    call(libc::SYS_rt_sigprocmask, &[2, (&raw const all).expose_provenance() as u64, 0, 8]);
    // A new program keeps what is ignored.
    let default = [0u64; 4];
    for sig in 1..=64 {
        call(libc::SYS_rt_sigaction, &[sig, default.as_ptr().expose_provenance() as u64, 0, 8]);
    }
    // Not permitted where one id only is mapped: the groups stay.
    call(libc::SYS_setgroups, &[0, 0]);
    if call(libc::SYS_setresgid, &[0, 0, 0]) != 0 || call(libc::SYS_setresuid, &[0, 0, 0]) != 0 {
        return 102;
    }
    // Last: a change of ids clears it.
    if call(libc::SYS_prctl, &[libc::PR_SET_PDEATHSIG as u64, libc::SIGKILL as u64]) != 0 {
        return 103;
    }
    if call(libc::SYS_getppid, &[]) != i64::from(parent) {
        return 104;
    }
    call(libc::SYS_setsid, &[]);
    call(libc::SYS_umask, &[0o022]);
    const ADDR_NO_RANDOMIZE: u64 = 0x004_0000;
    if call(libc::SYS_personality, &[ADDR_NO_RANDOMIZE]) < 0 {
        return 105;
    }
    // Where mappings begin depends on it.
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let stack = u64::from(libc::RLIMIT_STACK);
    call(libc::SYS_getrlimit, &[stack, (&raw mut old).expose_provenance() as u64]);
    let limit = libc::rlimit { rlim_cur: 8 << 20, rlim_max: old.rlim_max };
    if call(libc::SYS_setrlimit, &[stack, (&raw const limit).expose_provenance() as u64]) != 0 {
        return 106;
    }
    let wide = libc::rlimit { rlim_cur: 4096, rlim_max: 4096 };
    call(
        libc::SYS_setrlimit,
        &[u64::from(libc::RLIMIT_NOFILE), (&raw const wide).expose_provenance() as u64],
    );
    // Above all that is open, first: 0, 1 and 2 may be any of ours.
    let (control, to) = p.control;
    let image_to = to as u64 + 1;
    let cloexec = libc::O_CLOEXEC as u64;
    let output_to = to as u64 + 2;
    let null_to = to as u64 + 3;
    if call(libc::SYS_dup3, &[fd(control), to as u64, 0]) < 0
        || call(libc::SYS_dup3, &[fd(p.image), image_to, cloexec]) < 0
        || call(libc::SYS_dup3, &[fd(p.output), output_to, cloexec]) < 0
        || call(libc::SYS_dup3, &[fd(p.null), null_to, cloexec]) < 0
        || call(libc::SYS_dup2, &[null_to, 0]) < 0
        || call(libc::SYS_dup2, &[output_to, 1]) < 0
        || call(libc::SYS_dup2, &[output_to, 2]) < 0
    {
        return 107;
    }
    call(libc::SYS_close_range, &[3, to as u64 - 1, 0]);
    call(libc::SYS_close_range, &[null_to + 1, u64::from(u32::MAX), 0]);
    let text = |s: &[u8]| s.as_ptr().expose_provenance() as u64;
    let argv = [text(b"forkyard\0"), 0];
    let envp = [text(&p.slot), 0];
    let empty = text(b"\0");
    let args = [
        image_to,
        empty,
        argv.as_ptr().expose_provenance() as u64,
        envp.as_ptr().expose_provenance() as u64,
        libc::AT_EMPTY_PATH as u64,
    ];
    call(libc::SYS_execveat, &args);
    108
}
