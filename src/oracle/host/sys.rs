//! The host's system calls, and the moments at which they are made.
//!
//! ```text
//! script code              all signals blocked
//!   ask ── open window     the mask that the script has set
//!            SYSCALL       a handler may run here, and only here
//!          close window    all signals blocked
//! ```
//!
//! So a script's handler can run inside the real signal handler, on the
//! kernel's own frame: nothing else is ever under way then. To the kernel a
//! process outside a window looks like one that was not scheduled for a while.
//!
//! Left out: SIGKILL and SIGSTOP, which nobody can block.

#![allow(unsafe_code, reason = "system calls and memory of the host")]

use std::arch::asm;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::abi::Errno;

/// The mask that the script's process has while it is in a window.
static SCRIPT_MASK: AtomicU64 = AtomicU64::new(0);
const SIGSETSIZE: u64 = 8;

/// Makes a system call and gives RAX.
///
/// # Safety
/// The kernel does what it is told: pointers must be valid for what the call
/// reads and writes, and no memory that Rust uses may be unmapped.
pub(super) unsafe fn raw(nr: u32, args: [u64; 6]) -> i64 {
    let ret: i64;
    // SAFETY: the registers are those of the x86_64 convention; the caller
    // answers for what the call does.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") u64::from(nr) => ret,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    ret
}

fn set_mask(mask: u64) -> u64 {
    let mut old = 0u64;
    let args = [2, (&raw const mask).addr() as u64, (&raw mut old).addr() as u64, SIGSETSIZE, 0, 0];
    // SAFETY: both pointers are to locals of the size of a signal set.
    unsafe { raw(libc::SYS_rt_sigprocmask as u32, args) };
    old
}

/// Blocks all signals and notes what the script's mask was.
pub(super) fn close_window() {
    SCRIPT_MASK.store(set_mask(u64::MAX), Ordering::Relaxed);
}

/// Lets signals come as the script has it.
pub(super) fn open_window() {
    set_mask(SCRIPT_MASK.load(Ordering::Relaxed));
}

/// Makes a signal come even if the script has blocked it.
pub(super) fn unblock(sig: i32) {
    SCRIPT_MASK.fetch_and(!(1 << (sig - 1)), Ordering::Relaxed);
}

/// Blocks all signals; the script begins with none blocked.
pub(super) fn begin() {
    set_mask(u64::MAX);
    SCRIPT_MASK.store(0, Ordering::Relaxed);
}

/// Makes a system call in a window.
///
/// # Safety
/// As [`raw`]. The caller holds no lock and no borrow that a handler of the
/// script could want.
pub(super) unsafe fn call(nr: u32, args: [u64; 6]) -> i64 {
    open_window();
    // SAFETY: the caller's.
    let ret = unsafe { raw(nr, args) };
    close_window();
    ret
}

/// RAX as a result.
pub(super) fn result(ret: i64) -> Result<i64, Errno> {
    match i32::try_from(-ret).ok().and_then(Errno::from_number) {
        Some(errno) if (-4095..0).contains(&ret) => Err(errno),
        _ => Ok(ret),
    }
}

/// Loads in a window: a fault is the process's own.
///
/// # Safety
/// The address is mapped for the script, or not mapped at all.
pub(super) unsafe fn load(addr: u64) -> i64 {
    open_window();
    let value: i64;
    // SAFETY: the caller's. MOV does not need alignment.
    unsafe {
        asm!("mov {}, [{}]", out(reg) value, in(reg) addr, options(nostack, readonly, preserves_flags));
    }
    close_window();
    value
}

/// Stores in a window.
///
/// # Safety
/// As [`load`].
pub(super) unsafe fn store(addr: u64, value: u64) {
    open_window();
    // SAFETY: the caller's. MOV does not need alignment.
    unsafe {
        asm!("mov [{}], {}", in(reg) addr, in(reg) value, options(nostack, preserves_flags));
    }
    close_window();
}

/// fork(2) of the thread that calls it, without libc's part in it.
pub(super) fn fork() -> i32 {
    // SAFETY: the child has a copy of everything. It has one thread, as the
    // sandbox's processes have.
    unsafe { raw(libc::SYS_clone as u32, [libc::SIGCHLD as u64, 0, 0, 0, 0, 0]) as i32 }
}

/// fork(2) into user, mount and pid namespaces of its own.
pub(super) fn fork_with_namespaces() -> Result<i32, Errno> {
    let flags = libc::SIGCHLD | libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID;
    // SAFETY: the child has a copy of everything, and goes on as the only
    // thread. The others are known: one waits for this thread, one for Ctrl-C;
    // neither is inside the allocator.
    let ret = unsafe { raw(libc::SYS_clone as u32, [flags as u64, 0, 0, 0, 0, 0]) };
    result(ret).map(|pid| pid as i32)
}

/// Kills a child of ours that has not been reaped, and reaps it.
pub(super) fn kill_and_reap(pid: i32) {
    // SAFETY: no status is stored. The pid is still the child's, because it
    // has not been reaped.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, std::ptr::null_mut(), 0);
    }
}

/// Our effective user and group.
pub(super) fn effective_ids() -> (u32, u32) {
    // SAFETY: neither can fail or touches memory.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Which of two descriptors can be read within so many ms.
pub(super) fn poll(fds: [i32; 2], wanted: [bool; 2], ms: i32) -> [bool; 2] {
    let entry = |i: usize| libc::pollfd {
        fd: if wanted[i] { fds[i] } else { -1 },
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polled = [entry(0), entry(1)];
    // SAFETY: the pointer is to two entries.
    unsafe { libc::poll(polled.as_mut_ptr(), 2, ms) };
    [polled[0].revents != 0, polled[1].revents != 0]
}
