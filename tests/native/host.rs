//! Tests on the host's processor, in a forked child.
//!
//! ```text
//! signal handler:  record the registers in the frame -> outcome of test n
//!                  put those of test n + 1 there
//!       sigreturn -> test n + 1 runs -> INT3 or a fault -> signal handler
//! ```
//!
//! No code of ours runs between a test and its signals, so that a test may do to
//! registers, stack pointer and flags what it wants. The child maps code and data
//! where the emulated machine has them, and ends itself after the last test.
//!
//! Linux: arch/x86/kernel/signal_64.c, fpu/signal.c (what the frame holds).

use crate::state::{CODE, CODE_SIZE, DATA, DATA_SIZE, FX, GS_BASE, Outcome, State, WRITABLE};
use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::{io, mem, ptr};

/// The frame's general registers, by encoding.
const GREGS: [i32; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];
/// The status flags, DF and AC, which a frame may set.
const FLAGS: u64 = crate::state::STATUS | crate::state::DF | crate::state::AC;

/// What the child works on.
struct Job {
    tests: *const (u64, State),
    count: usize,
    data: *const u8,
    shared: *mut Shared,
    outcomes: *mut Outcome,
    fsgsbase: bool,
}

/// What the parent reads besides the outcomes.
#[repr(C)]
struct Shared {
    /// Number of tests begun.
    begun: usize,
    /// The handler is at work.
    busy: bool,
}

static JOB: AtomicPtr<Job> = AtomicPtr::new(ptr::null_mut());

/// Executes tests; each is where it begins and its state. The code is `code`.
///
/// # Errors
/// The number of the test that killed the child or did not end, and how.
pub fn run(
    tests: &[(u64, State)],
    code: &[u8],
    data: &[u8],
) -> Result<Vec<Outcome>, (usize, String)> {
    let size = mem::size_of::<Shared>() + 64 + mem::size_of::<Outcome>() * tests.len();
    // SAFETY: a new anonymous mapping, which nobody else knows.
    let shared = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(shared, libc::MAP_FAILED, "mmap: {}", io::Error::last_os_error());
    // SAFETY: getauxval reads what the kernel gave.
    let fsgsbase = unsafe { libc::getauxval(libc::AT_HWCAP2) } & 2 != 0;
    let outcomes: *mut Outcome = shared.wrapping_byte_add(64).cast();
    let mut job = Job {
        tests: tests.as_ptr(),
        count: tests.len(),
        data: data.as_ptr(),
        shared: shared.cast(),
        outcomes,
        fsgsbase,
    };
    // SAFETY: the child calls only what may be called after a fork of a process
    // with threads: system calls.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: as above; `job` outlives the child's work, which ends in _exit.
        unsafe { child(&mut job, code, data) }
    }
    assert!(pid > 0, "fork: {}", io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: waits for our own child.
    while unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
        assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted, "waitpid");
    }
    let result = if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 {
        // SAFETY: the child has written all of them, and is gone.
        Ok((0..tests.len()).map(|n| unsafe { (*outcomes.add(n)).clone() }).collect())
    } else {
        // SAFETY: the mapping begins with it.
        let begun = unsafe { (*job.shared).begun };
        let how = if libc::WIFSIGNALED(status) {
            format!("killed by signal {}", libc::WTERMSIG(status))
        } else {
            format!("exit status {}", libc::WEXITSTATUS(status))
        };
        Err((begun.saturating_sub(1), how))
    };
    // SAFETY: mapped above; nothing refers to it any more.
    unsafe { libc::munmap(shared, size) };
    result
}

/// Maps what the tests use and raises the first signal.
///
/// # Safety
/// In a child of fork only.
unsafe fn child(job: &mut Job, code: &[u8], data: &[u8]) -> ! {
    // SAFETY: these addresses are free (NOREPLACE), and of the size given.
    unsafe {
        let map = |at: u64, size: usize, from: &[u8]| {
            let place = libc::mmap(
                at as *mut c_void,
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
                -1,
                0,
            );
            if place as u64 != at {
                libc::_exit(3);
            }
            ptr::copy_nonoverlapping(from.as_ptr(), place.cast(), from.len());
        };
        map(CODE, CODE_SIZE, code);
        map(DATA, DATA_SIZE, data);
        libc::mprotect(CODE as *mut c_void, CODE_SIZE, libc::PROT_READ | libc::PROT_EXEC);
        let rest = (DATA as usize + WRITABLE) as *mut c_void;
        libc::mprotect(rest, DATA_SIZE - WRITABLE, libc::PROT_READ);
        JOB.store(job, Ordering::SeqCst);
        let stack = libc::mmap(
            ptr::null_mut(),
            1 << 16,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        let stack = libc::stack_t { ss_sp: stack, ss_flags: 0, ss_size: 1 << 16 };
        libc::sigaltstack(&stack, ptr::null_mut());
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP] {
            libc::sigaction(signal, &action, ptr::null_mut());
        }
        libc::alarm(60);
        libc::raise(libc::SIGTRAP);
        libc::_exit(4)
    }
}

unsafe extern "C" fn on_signal(_: i32, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the job was stored before the first signal; the frame is the
    // kernel's; tests and outcomes have `count` elements.
    unsafe {
        // NT, AC and ID are not reset by the kernel.
        std::arch::asm!("push 0x202", "popfq");
        let job = &*JOB.load(Ordering::SeqCst);
        let shared = &mut *job.shared;
        if shared.busy {
            libc::_exit(5);
        }
        shared.busy = true;
        // A test may have loaded them; FS is the C library's.
        std::arch::asm!("mov ds, {0:e}", "mov es, {0:e}", "mov gs, {0:e}", in(reg) 0);
        if job.fsgsbase {
            std::arch::asm!("wrgsbase {}", in(reg) GS_BASE);
        } else {
            libc::syscall(libc::SYS_arch_prctl, 0x1001, GS_BASE);
        }
        let context = &mut *context.cast::<libc::ucontext_t>();
        let frame = &mut context.uc_mcontext.gregs;
        let fx: *mut u8 = context.uc_mcontext.fpregs.cast();
        if shared.begun > 0 {
            record(frame, fx, &mut *job.outcomes.add(shared.begun - 1), job.data);
        }
        if shared.begun == job.count {
            libc::_exit(0);
        }
        let (ip, state) = &*job.tests.add(shared.begun);
        shared.begun += 1;
        for (n, v) in GREGS.iter().zip(state.gpr) {
            frame[*n as usize] = v as i64;
        }
        frame[libc::REG_RIP as usize] = *ip as i64;
        frame[libc::REG_EFL as usize] = (state.flags & FLAGS | 0x202) as i64;
        // The mask of MXCSR (28..32) stays.
        ptr::copy_nonoverlapping(state.fx.as_ptr(), fx, 28);
        ptr::copy_nonoverlapping(state.fx.as_ptr().add(32), fx.add(32), FX - 32);
        // XSTATE_BV: x87 and SSE are not in their initial state.
        let header: *mut u64 = fx.add(512).cast();
        header.write_unaligned(header.read_unaligned() | 3);
        shared.busy = false;
    }
}

/// # Safety
/// `fx` and `data` as the kernel and the parent gave them.
unsafe fn record(frame: &[i64; 23], fx: *const u8, out: &mut Outcome, data: *const u8) {
    for (n, v) in GREGS.iter().zip(&mut out.gpr) {
        *v = frame[*n as usize] as u64;
    }
    let reg = |n: i32| frame[n as usize] as u64;
    out.ip = reg(libc::REG_RIP);
    out.flags = reg(libc::REG_EFL);
    out.vector = reg(libc::REG_TRAPNO);
    out.error = reg(libc::REG_ERR);
    out.cr2 = reg(libc::REG_CR2);
    // SAFETY: an FXSAVE image has 512 bytes; the data is mapped.
    unsafe {
        ptr::copy_nonoverlapping(fx, out.fx.as_mut_ptr(), FX);
        let now = DATA as *mut u8;
        out.dirty = libc::memcmp(now.cast(), data.cast(), WRITABLE) as u64;
        if out.dirty != 0 {
            ptr::copy_nonoverlapping(now, out.memory.as_mut_ptr(), WRITABLE);
            ptr::copy_nonoverlapping(data, now, WRITABLE);
        }
    }
}
