//! The signal frame: the registers a handler interrupted, saved on the user
//! stack, and rt_sigreturn(2), which takes them back.
//!
//! ```text
//! old sp ->
//!           128 bytes red zone (not on the alternate stack)
//!           siginfo            128 bytes   si = &info
//!           sigmask            8
//!           sigcontext         256         all registers
//!           uc_stack           24
//!           uc_link, uc_flags  16          dx = &uc
//! new sp -> pretcode           8           sa_restorer: the handler returns here
//! ```
//!
//! Linux: arch/x86/kernel/signal.c (get_sigframe), signal_64.c
//! (x64_setup_rt_frame, restore_sigcontext, rt_sigreturn).
//! The x87 and SSE registers lie above the siginfo, 64-aligned, as FXSAVE
//! stores them; `fpstate` points there. A task that never used them, as one that
//! a script directs, has none (`fpstate` is NULL).
//!
//! Left out: XSAVE's extended state, shadow stacks.

use super::SigAction;
use super::altstack::{__on_sig_stack, do_sigaltstack, sas_ss_flags};
use super::pending::set_current_blocked;
use crate::abi::errno::Errno;
use crate::abi::flags::SaFlags;
use crate::abi::signal::si_code;
use crate::abi::structs::SigInfo;
use crate::abi::{SigSet, Signal};
use crate::base::cow::Arc;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user};
use crate::kernel::nanosleep::RestartBlock;
use crate::kernel::signal::send::force_sig;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::fpu::{FXSAVE_SIZE, FpuState};
use crate::machine::{Regs, Rflags, USER_CS, USER_DS};

/// sizeof(struct rt_sigframe).
pub const FRAME_SIZE: usize = 440;
/// Offset of `uc` in the frame.
pub const OFFSET_UC: usize = 8;
/// Offset of `info` in the frame.
pub const OFFSET_INFO: usize = 312;
/// sizeof(siginfo_t).
pub const SIGINFO_SIZE: usize = 128;
/// Offset of uc_mcontext in the frame.
const OFFSET_CONTEXT: usize = OFFSET_UC + 40;
/// Offset of uc_sigmask in the frame.
const OFFSET_SIGMASK: usize = OFFSET_UC + 296;
/// Bytes below the stack pointer that a leaf function may use (psABI).
const REDZONE: u64 = 128;
/// UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS.
const UC_FLAGS: u64 = 6;
/// Flags that user mode may set through the frame (`FIX_EFLAGS`).
const FIX_EFLAGS: Rflags = Rflags::AC
    .union(Rflags::OF)
    .union(Rflags::DF)
    .union(Rflags::TF)
    .union(Rflags::SF)
    .union(Rflags::ZF)
    .union(Rflags::AF)
    .union(Rflags::PF)
    .union(Rflags::CF)
    .union(Rflags::RF);

fn put(bytes: &mut [u8], at: usize, value: u64) {
    if let Some(slot) = bytes.get_mut(at..at + 8) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
}

fn get(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    if let Some(slot) = bytes.get(at..at + 8) {
        word.copy_from_slice(slot);
    }
    u64::from_le_bytes(word)
}

/// The 18 registers of `struct sigcontext` in its order.
fn context_words(r: &Regs) -> [u64; 18] {
    let Regs {
        ax,
        bx,
        cx,
        dx,
        si,
        di,
        bp,
        sp,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        ip,
        flags,
        ..
    } = *r;
    [r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags]
}

/// Where the frame goes: below the red zone, or at the top of the alternate
/// stack; and where the x87 and SSE registers go, 0 if nowhere. `None` when it
/// would leave the alternate stack (`get_sigframe`).
fn get_sigframe(sys: &System, task: TaskId, action: &SigAction) -> Option<(u64, u64)> {
    let t = sys.task(task);
    let mut sp = t.regs.sp.wrapping_sub(REDZONE);
    let nested = super::altstack::on_sig_stack(t, sp);
    let mut entering = false;
    if action.flags.contains(SaFlags::SA_ONSTACK) && sas_ss_flags(t, sp) == 0 {
        sp = t.sas_ss_sp.wrapping_add(t.sas_ss_size);
        entering = true;
    }
    let mut fpstate = 0;
    if t.fpu.is_some() {
        fpstate = sp.wrapping_sub(FXSAVE_SIZE as u64) & !63;
        sp = fpstate;
    }
    sp = sp.wrapping_sub(FRAME_SIZE as u64);
    // As if a call had just pushed the return address onto an aligned stack.
    sp = (sp & !15).wrapping_sub(8);
    if (nested || entering) && !__on_sig_stack(t, sp) { None } else { Some((sp, fpstate)) }
}

/// Pushes a frame and points the registers at the handler. Errors: EFAULT
/// when there is no room, or no restorer, which x86_64 demands.
/// Source: `x64_setup_rt_frame`.
pub fn setup_rt_frame(
    sys: &mut System,
    task: TaskId,
    info: &SigInfo,
    action: &SigAction,
) -> Result<(), SysError> {
    const F: &str = "x64_setup_rt_frame";
    if !action.flags.contains(SaFlags::SA_RESTORER) {
        return refuse(
            Errno::EFAULT,
            F,
            "the action has no SA_RESTORER: the handler could not return",
        );
    }
    let Some((sp, fpstate)) = get_sigframe(sys, task, action) else {
        return refuse(Errno::EFAULT, F, "the frame would overflow the alternate signal stack");
    };
    let t = sys.task(task);
    let mut frame = [0u8; FRAME_SIZE];
    put(&mut frame, 0, action.restorer);
    put(&mut frame, OFFSET_UC, UC_FLAGS);
    put(&mut frame, OFFSET_UC + 16, t.sas_ss_sp);
    put(&mut frame, OFFSET_UC + 24, u64::from(t.sas_ss_flags));
    put(&mut frame, OFFSET_UC + 32, t.sas_ss_size);
    for (i, word) in context_words(&t.regs).into_iter().enumerate() {
        put(&mut frame, OFFSET_CONTEXT + i * 8, word);
    }
    // cs, gs, fs, ss: 16 bits each.
    put(&mut frame, OFFSET_CONTEXT + 144, t.regs.cs & 0xffff | (t.regs.ss & 0xffff) << 48);
    let mask = t.saved_sigmask.unwrap_or(t.blocked);
    let thread = &t.thread;
    let rest = [thread.error_code, thread.trap_nr, mask.0, thread.cr2, fpstate];
    for (i, word) in rest.into_iter().enumerate() {
        put(&mut frame, OFFSET_CONTEXT + 152 + i * 8, word);
    }
    put(&mut frame, OFFSET_SIGMASK, mask.0);
    let fpu = sys.task(task).fpu.as_ref().filter(|_| fpstate != 0);
    if let Some(image) = fpu.map(|f| f.to_fxsave()) {
        copy_to_user(sys, task, fpstate, &image)?;
    }
    // Without the flag the place of the siginfo is left as it was.
    let written = match action.flags.contains(SaFlags::SA_SIGINFO) {
        true => FRAME_SIZE,
        false => OFFSET_INFO,
    };
    frame[OFFSET_INFO..].copy_from_slice(&siginfo_bytes(info));
    copy_to_user(sys, task, sp, &frame[..written])?;

    if sys.task(task).fpu.is_some() {
        // The handler starts with fresh ones (fpu__clear_user_states).
        sys.task_mut(task).fpu = Some(Arc::new(FpuState::default()));
    }
    let r = &mut sys.task_mut(task).regs;
    r.di = info.si_signo.number() as u64;
    r.ax = 0;
    r.si = sp.wrapping_add(OFFSET_INFO as u64);
    r.dx = sp.wrapping_add(OFFSET_UC as u64);
    r.ip = action.handler;
    r.sp = sp;
    r.cs = USER_CS;
    r.ss = USER_DS;
    Ok(())
}

/// rt_sigreturn(2): registers, mask and alternate stack from the frame at
/// `sp - 8`. The value for RAX is the one in the frame; a frame that cannot
/// be read kills the task with SIGSEGV.
pub fn rt_sigreturn(sys: &mut System, task: TaskId) -> i64 {
    let at = sys.task(task).regs.sp.wrapping_sub(8);
    let mut frame = [0u8; OFFSET_INFO];
    if copy_from_user(sys, task, at, &mut frame).is_err() {
        force_sig(sys, task, Signal::SIGSEGV);
        return 0;
    }
    let fpstate = get(&frame, OFFSET_CONTEXT + 184);
    if !restore_fpu(sys, task, fpstate) {
        force_sig(sys, task, Signal::SIGSEGV);
        return 0;
    }
    set_current_blocked(sys, task, SigSet(get(&frame, OFFSET_SIGMASK)));
    // The call before the handler is not to be gone on with (restore_sigcontext).
    sys.task_mut(task).restart_block = RestartBlock::None;
    let w: [u64; 18] = std::array::from_fn(|i| get(&frame, OFFSET_CONTEXT + i * 8));
    let segments = get(&frame, OFFSET_CONTEXT + 144);
    let t = sys.task_mut(task);
    let [r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags] = w;
    let flags = t.regs.flags & !FIX_EFLAGS.bits() | flags & FIX_EFLAGS.bits();
    // Ring 3 whatever the frame says.
    let (cs, ss) = (segments & 0xffff | 3, segments >> 48 | 3);
    t.regs = Regs {
        ax,
        bx,
        cx,
        dx,
        si,
        di,
        bp,
        sp,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        ip,
        flags,
        cs,
        ss,
    };
    t.orig_ax = -1;
    let (ss_sp, ss_flags, ss_size) = (
        get(&frame, OFFSET_UC + 16),
        get(&frame, OFFSET_UC + 24) as u32,
        get(&frame, OFFSET_UC + 32),
    );
    // A changed stack is taken over if it is valid and otherwise left alone.
    let _ = do_sigaltstack(sys, task, ss_sp, ss_flags, ss_size, sp);
    ax as i64
}

/// The x87 and SSE registers from the frame; without any, as after a reset
/// (`fpu__restore_sig`). `false`: they cannot be read, or MXCSR is none.
fn restore_fpu(sys: &mut System, task: TaskId, at: u64) -> bool {
    if at == 0 {
        if sys.task(task).fpu.is_some() {
            sys.task_mut(task).fpu = None;
        }
        return true;
    }
    let mut image = [0; FXSAVE_SIZE];
    if copy_from_user(sys, task, at, &mut image).is_err() {
        return false;
    }
    let Ok(state) = FpuState::from_fxsave(&image) else { return false };
    sys.task_mut(task).fpu = Some(Arc::new(state));
    true
}

/// `siginfo_t` as user mode reads it; which fields share the bytes from 16 on
/// depends on signal and code (`siginfo_layout`).
pub fn siginfo_bytes(info: &SigInfo) -> [u8; SIGINFO_SIZE] {
    let mut b = [0u8; SIGINFO_SIZE];
    b[0..4].copy_from_slice(&info.si_signo.number().to_le_bytes());
    b[8..12].copy_from_slice(&info.si_code.to_le_bytes());
    if is_fault(info) {
        put(&mut b, 16, info.si_addr);
        return b;
    }
    b[16..20].copy_from_slice(&info.si_pid.to_le_bytes());
    b[20..24].copy_from_slice(&info.si_uid.to_le_bytes());
    if is_about_a_child(info) {
        b[24..28].copy_from_slice(&info.si_status.to_le_bytes());
        put(&mut b, 32, info.si_utime);
        put(&mut b, 40, info.si_stime);
    } else {
        put(&mut b, 24, info.si_value);
    }
    b
}

/// The inverse of [`siginfo_bytes`], for a siginfo that user mode sends as
/// signal `sig`.
pub fn siginfo_from_bytes(sig: Signal, b: &[u8; SIGINFO_SIZE]) -> SigInfo {
    let int = |at: usize| get(b, at) as u32;
    let mut info = SigInfo::new(sig, int(8) as i32);
    if is_fault(&info) {
        info.si_addr = get(b, 16);
        return info;
    }
    info.si_pid = int(16) as i32;
    info.si_uid = int(20);
    if is_about_a_child(&info) {
        info.si_status = int(24) as i32;
        info.si_utime = get(b, 32);
        info.si_stime = get(b, 40);
    } else {
        info.si_value = get(b, 24);
    }
    info
}

/// Whether it is what a parent is told of a child. The signal need not be
/// SIGCHLD: clone(2) chooses it, and the bytes are the same.
pub fn is_about_a_child(info: &SigInfo) -> bool {
    !is_fault(info) && (si_code::CLD_EXITED..=si_code::CLD_CONTINUED).contains(&info.si_code)
}

/// Whether it describes a fault with an address (`SIL_FAULT`).
pub fn is_fault(info: &SigInfo) -> bool {
    let with_address =
        [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE, Signal::SIGTRAP];
    info.si_code > 0 && info.si_code < 0x80 && with_address.contains(&info.si_signo)
}
