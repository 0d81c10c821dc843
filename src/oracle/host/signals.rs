//! Handlers: real ones, that run the script's function on the kernel's frame.
//!
//! The kernel does everything else itself: which handler, which mask, restart
//! or EINTR, SA_RESETHAND, the way back. See `sys` for why nothing else is
//! under way when a handler begins.
//!
//! Left out: sigaltstack, the siginfo argument.

#![allow(unsafe_code, reason = "signal handlers of the host")]

use std::arch::global_asm;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::sys;
use crate::abi::SigSet;
use crate::abi::flags::SaFlags;
use crate::kernel::signal::SigAction;
use crate::session::program::TEXT;

/// Runs the script's function number `.0` for signal `.1`.
type Runner = Box<dyn Fn(u32, i32)>;

struct Handlers {
    run: Runner,
    /// The function of each signal.
    functions: [AtomicU32; 65],
}

// SAFETY: a process of a program has one thread, and only it looks here.
unsafe impl Send for Handlers {}
// SAFETY: as above.
unsafe impl Sync for Handlers {}

static HANDLERS: OnceLock<Handlers> = OnceLock::new();

/// `struct sigaction` as the kernel has it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KernelAction {
    pub handler: u64,
    pub flags: u64,
    pub restorer: u64,
    pub mask: u64,
}

// rt_sigreturn(2), where a handler returns to.
global_asm!(
    ".pushsection .text",
    ".global forkyard_restorer",
    "forkyard_restorer:",
    "mov eax, 15",
    "syscall",
    "ud2",
    ".popsection"
);

unsafe extern "C" {
    fn forkyard_restorer();
}

/// Sets what runs a handler, once in the life of a process.
pub(super) fn set_runner(run: Runner) {
    let functions = std::array::from_fn(|_| AtomicU32::new(0));
    let _ = HANDLERS.set(Handlers { run, functions });
}

extern "C" fn on_signal(sig: i32) {
    sys::close_window();
    if let Some(handlers) = HANDLERS.get()
        && let Some(function) = handlers.functions.get(sig as usize)
    {
        (handlers.run)(function.load(Ordering::Relaxed), sig);
    }
    sys::open_window();
}

/// A disposition of the script as the kernel's. `None`: the handler is no
/// function of the script.
pub(super) fn to_kernel(sig: u64, action: &SigAction) -> Option<KernelAction> {
    let handler = match action.handler {
        plain @ (0 | 1) => plain,
        addr => {
            let index = u32::try_from(addr.checked_sub(TEXT)? / 0x1000).ok()?;
            // A number that is no signal is for the kernel to refuse.
            if let Some(slot) = HANDLERS.get()?.functions.get(sig as usize) {
                slot.store(index, Ordering::Relaxed);
            }
            on_signal as extern "C" fn(i32) as usize as u64
        }
    };
    Some(KernelAction {
        handler,
        flags: action.flags.bits() | SaFlags::SA_RESTORER.bits(),
        restorer: forkyard_restorer as unsafe extern "C" fn() as usize as u64,
        mask: action.mask.0,
    })
}

/// The reverse, for what a call gives back.
pub(super) fn from_kernel(sig: u64, old: &KernelAction) -> SigAction {
    let handler = match old.handler {
        plain @ (0 | 1) => plain,
        _ => HANDLERS
            .get()
            .and_then(|h| h.functions.get(sig as usize))
            .map_or(0, |slot| crate::session::program::text_address(slot.load(Ordering::Relaxed))),
    };
    SigAction {
        handler,
        flags: SaFlags::from_bits_truncate(old.flags),
        restorer: crate::session::program::text_address(0),
        mask: SigSet(old.mask),
    }
}

/// All dispositions as a new program has them.
pub(super) fn reset_all() {
    let default = KernelAction::default();
    for sig in 1..=64 {
        let args = [sig, (&raw const default).addr() as u64, 0, 8, 0, 0];
        // SAFETY: the pointer is to a local of the kernel's layout. SIGKILL
        // and SIGSTOP are refused, which is as well.
        unsafe { sys::raw(libc::SYS_rt_sigaction as u32, args) };
    }
    let off = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: the pointer is to a local; no handler of ours uses that stack.
    unsafe { libc::sigaltstack(&raw const off, std::ptr::null_mut()) };
}
