//! Delivery: what a task does about its signals on the way back to user mode,
//! and what becomes of the system call that they interrupted.
//!
//! ```text
//! entry, with TIF_SIGPENDING -> get_signal: take one
//!     ignored                -> take the next
//!     default: stop          -> TASK_STOPPED; after SIGCONT, take the next
//!     default: terminate     -> do_group_exit
//!     handler                -> a frame on the user stack, ip = handler
//!     none left              -> an interrupted call is restarted
//! ```
//!
//! Linux: kernel/signal.c (get_signal, signal_setup_done),
//! arch/x86/kernel/signal.c (arch_do_signal_or_restart, handle_signal).
//! Left out: io_uring workers, writing core files.

pub use super::action::flush_signal_handlers;
pub use super::pending::flush_sigqueue;

use super::frame::setup_rt_frame;
use super::notify::{cldstop, do_notify_parent_cldstop};
use super::pending::{
    dequeue_signal, dequeue_synchronous_signal, recalc_sigpending, restore_saved_sigmask,
    set_current_blocked,
};
use super::send::{SA_IMMUTABLE, force_sigsegv};
use super::stop::{do_signal_stop, is_current_pgrp_orphaned, task_clear_jobctl_pending};
use super::{Jobctl, SIG_DFL, SIG_IGN, SigAction, SignalFlags};
use crate::abi::errno::Errno;
use crate::abi::flags::SaFlags;
use crate::abi::numbers::{RLIMIT_CORE, SS_AUTODISARM};
use crate::abi::signal::{DefaultAction, si_code};
use crate::abi::structs::SigInfo;
use crate::abi::{SigSet, Signal};
use crate::base::PAGE_SIZE;
use crate::kernel::exit::do_group_exit;
use crate::kernel::pid::PidType;
use crate::kernel::ptrace::outside::{is_watched, stop_for_outside};
use crate::kernel::ptrace::stop::{
    after_ptrace_signal, back_from_stop, do_jobctl_trap, ptrace_signal, trap_at,
};
use crate::kernel::ptrace::{Trap, TrapAt, ptrace_reparented};
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId};
use crate::machine::{Rflags, SYSCALL_LEN};
use crate::trace::EventKind;

/// What became of a task on its way to user mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It goes on with `regs`; perhaps they are those of a handler.
    ReturnToUser,
    /// It exited.
    Dead,
    /// It is in TASK_STOPPED or TASK_TRACED and leaves the processor; once
    /// woken it comes back here before anything else.
    Stopped,
}

/// What signals did to the call that its task is leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CallFate {
    /// Nothing: it returns what it returned.
    #[default]
    Stands,
    /// It was interrupted, and fails with EINTR.
    Eintr,
    /// It is made again: SYSCALL will be executed with these values of the
    /// instruction pointer and the stack pointer.
    Again(u64, u64),
}

/// A task's way from the end of a call to user mode, which stops may divide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WayOut {
    /// What became of the call. The first signal taken decides; later ones
    /// find a call that is settled already.
    pub fate: CallFate,
    /// Whether a handler runs before anything else.
    pub handler: bool,
}

/// What get_signal found.
enum Found {
    Handler(SigInfo, SigAction),
    Nothing,
    Dead,
    Stopped,
}

/// Whether the default action of a core signal writes a core file: the
/// process must be dumpable by its own user, and RLIMIT_CORE must leave room
/// for a page. Source: `do_coredump` with core_pattern "core",
/// `elf_core_dump` (`min_coredump`).
pub fn dumps_core(sys: &System, task: TaskId) -> bool {
    let dumpable = sys.task(task).mm.is_some_and(|m| sys.mm(m).dumpable == 1);
    dumpable && sys.signal(task).rlim[RLIMIT_CORE as usize].cur >= PAGE_SIZE
}

/// The exit of a task by a signal. Source: the label `fatal` in `get_signal`.
fn die(sys: &mut System, task: TaskId, sig: Signal, info: Option<&SigInfo>) -> Found {
    sys.task_mut(task).flags |= PF::SIGNALED;
    let mut code = sig.number();
    if sig.default_action() == DefaultAction::Core && dumps_core(sys, task) {
        sys.task_mut(task).flags |= PF::DUMPCORE;
        code |= 0x80;
    }
    note(sys, sig, if code & 0x80 != 0 { "core dump" } else { "terminate" }, info);
    do_group_exit(sys, task, code);
    Found::Dead
}

fn note(sys: &mut System, sig: Signal, action: &'static str, info: Option<&SigInfo>) {
    if sys.log.on() {
        let info = info.map(|i| Box::new(*i));
        sys.log.push(EventKind::SignalDeliver { sig: sig.number(), action, info });
    }
}

/// Takes signals until one needs user mode, ends or stops the task
/// (`get_signal`).
fn get_signal(sys: &mut System, task: TaskId) -> Found {
    // A tracee that comes back from a stop may have a signal in its hand.
    let mut held = match trap_at(sys, task) {
        Some(TrapAt::Signal(ty)) => match back_from_stop(sys, task) {
            Some((Trap { info: Some(info), .. }, code)) => {
                after_ptrace_signal(sys, task, info, ty, code)
            }
            _ => None,
        },
        Some(TrapAt::Jobctl) => back_from_stop(sys, task).and(None),
        _ => None,
    };
    loop {
        if let Some(info) = held.take() {
            match take(sys, task, info) {
                Taken::Next => continue,
                Taken::Found(found) => return found,
            }
        }
        // Every thread that wakes from a stop comes by here; the first one
        // tells the parent.
        let flags = sys.signal(task).flags;
        let cld = SignalFlags::CLD_CONTINUED | SignalFlags::CLD_STOPPED;
        if flags.intersects(cld) {
            sys.signal_mut(task).flags.remove(cld);
            let why = match flags.contains(SignalFlags::CLD_CONTINUED) {
                true => si_code::CLD_CONTINUED,
                false => si_code::CLD_STOPPED,
            };
            do_notify_parent_cldstop(sys, task, why);
            // The tracer of the leader hears of it too, for old times' sake.
            let leader = sys.task(task).group_leader;
            if ptrace_reparented(sys, leader) {
                cldstop(sys, leader, true, why);
            }
        }

        let signal = sys.signal(task);
        if signal.flags.contains(SignalFlags::GROUP_EXIT) || signal.group_exec_task.is_some() {
            sys.task_mut(task).pending.signal.del(Signal::SIGKILL);
            recalc_sigpending(sys, task);
            return die(sys, task, Signal::SIGKILL, None);
        }
        let stop_pending = sys.task(task).jobctl & Jobctl::STOP_PENDING.bits() != 0;
        if stop_pending && do_signal_stop(sys, task, None) {
            return Found::Stopped;
        }
        if sys.task(task).jobctl & Jobctl::TRAP_MASK.bits() != 0 {
            if do_jobctl_trap(sys, task) {
                return Found::Stopped;
            }
            // It is about to die, or its tracer has gone.
            task_clear_jobctl_pending(sys, task, Jobctl::TRAP_MASK);
            continue;
        }
        let blocked = sys.task(task).blocked;
        let taken = dequeue_synchronous_signal(sys, task)
            .map(|info| (info, PidType::Pid))
            .or_else(|| dequeue_signal(sys, task, blocked));
        let Some((info, ty)) = taken else { return Found::Nothing };
        if is_for_tracer(sys, task, info.si_signo) {
            held = ptrace_signal(sys, task, info, ty);
            if held.is_none() && sys.task(task).trap.is_some() {
                return Found::Stopped;
            }
            continue;
        }
        if is_for_outside(sys, task, info.si_signo) && stop_for_outside(sys, task, info, ty) {
            return Found::Stopped;
        }
        match take(sys, task, info) {
            Taken::Next => {}
            Taken::Found(found) => return found,
        }
    }
}

/// Whether a tracer sees the signal before it is taken: any but SIGKILL, and
/// those that must kill.
fn is_for_tracer(sys: &System, task: TaskId, sig: Signal) -> bool {
    !sys.task(task).ptrace.is_empty() && may_be_seen_first(sys, task, sig)
}

/// Whether somebody outside the machine sees the signal before it is taken.
fn is_for_outside(sys: &System, task: TaskId, sig: Signal) -> bool {
    is_watched(sys, task) && may_be_seen_first(sys, task, sig)
}

fn may_be_seen_first(sys: &System, task: TaskId, sig: Signal) -> bool {
    let sighand = sys.task(task).sighand;
    let immutable =
        sighand.is_some_and(|s| sys.kernel.sighands[s].get(sig).flags.bits() & SA_IMMUTABLE != 0);
    sig != Signal::SIGKILL && !immutable
}

/// What became of one signal.
enum Taken {
    /// Nothing that matters: take the next.
    Next,
    Found(Found),
}

/// Does what a signal says (the lower half of `get_signal`).
fn take(sys: &mut System, task: TaskId, info: SigInfo) -> Taken {
    let sig = info.si_signo;
    let Some(sighand) = sys.task(task).sighand else { return Taken::Found(Found::Nothing) };
    let slot = sys.kernel.sighands[sighand].get_mut(sig);
    let action = *slot;
    if action.handler == SIG_IGN {
        note(sys, sig, "ignore", Some(&info));
        return Taken::Next;
    }
    if action.handler != SIG_DFL {
        if action.flags.contains(SaFlags::SA_RESETHAND) {
            slot.handler = SIG_DFL;
        }
        return Taken::Found(Found::Handler(info, action));
    }
    let default = sig.default_action();
    if matches!(default, DefaultAction::Ignore | DefaultAction::Continue) {
        note(sys, sig, "ignore", Some(&info));
        return Taken::Next;
    }
    // An init gets no signal it does not want.
    if sys.signal(task).flags.contains(SignalFlags::UNKILLABLE) && !sig.is_kernel_only() {
        note(sys, sig, "ignore: init", Some(&info));
        return Taken::Next;
    }
    if default == DefaultAction::Stop {
        if sig != Signal::SIGSTOP && is_current_pgrp_orphaned(sys, task) {
            note(sys, sig, "ignore: orphaned process group", Some(&info));
            return Taken::Next;
        }
        if do_signal_stop(sys, task, Some(sig)) {
            note(sys, sig, "stop", Some(&info));
            return Taken::Found(Found::Stopped);
        }
        return Taken::Next;
    }
    Taken::Found(die(sys, task, sig, Some(&info)))
}

/// What the interrupted call returned, if it is one that may be restarted.
fn restart_code(sys: &System, task: TaskId) -> Option<Errno> {
    let t = sys.task(task);
    if t.orig_ax < 0 {
        return None;
    }
    let code = i32::try_from((t.regs.ax as i64).checked_neg()?).ok()?;
    Errno::from_number(code).filter(|e| e.is_restart())
}

/// Winds the registers back to the SYSCALL instruction.
fn rewind(sys: &mut System, task: TaskId) -> CallFate {
    let t = sys.task_mut(task);
    t.regs.ax = t.orig_ax as u64;
    t.regs.ip = t.regs.ip.wrapping_sub(SYSCALL_LEN);
    CallFate::Again(t.regs.ip, t.regs.sp)
}

/// Delivers what is pending and settles an interrupted call. Preconditions:
/// `regs` and `orig_ax` of the task are what user mode would see now, with a
/// restart code in `ax` if a call was interrupted. `way` is what was settled
/// before a stop on the same way out. Source: `arch_do_signal_or_restart`.
pub fn do_signal_or_restart(sys: &mut System, task: TaskId, way: &mut WayOut) -> Delivered {
    loop {
        match get_signal(sys, task) {
            Found::Dead => return Delivered::Dead,
            Found::Stopped => return Delivered::Stopped,
            Found::Handler(info, action) => {
                handle_signal(sys, task, info, action, way);
            }
            Found::Nothing => {
                if let Some(code) = restart_code(sys, task) {
                    way.fate = rewind(sys, task);
                    if code == Errno::ERESTART_RESTARTBLOCK {
                        sys.task_mut(task).regs.ax = NR_RESTART_SYSCALL;
                    }
                }
                restore_saved_sigmask(sys, task);
            }
        }
        recalc_sigpending(sys, task);
        // More may be deliverable now: the frames of later ones go on top,
        // and their handlers run first.
        if !sys.task(task).sigpending {
            return Delivered::ReturnToUser;
        }
    }
}

/// Number of restart_syscall(2).
const NR_RESTART_SYSCALL: u64 = 219;

/// Makes the registers those of a handler; a call that it interrupted will
/// have returned EINTR or will be made again after it (`handle_signal`).
fn handle_signal(
    sys: &mut System,
    task: TaskId,
    info: SigInfo,
    action: SigAction,
    way: &mut WayOut,
) {
    match restart_code(sys, task) {
        None => {}
        Some(Errno::ERESTARTSYS) if action.flags.contains(SaFlags::SA_RESTART) => {
            way.fate = rewind(sys, task);
        }
        Some(Errno::ERESTARTNOINTR) => way.fate = rewind(sys, task),
        Some(_) => {
            sys.task_mut(task).regs.ax = Errno::EINTR.to_ret() as u64;
            way.fate = CallFate::Eintr;
        }
    }
    let sig = info.si_signo;
    note(sys, sig, "handler", Some(&info));
    match setup_rt_frame(sys, task, &info, &action) {
        Ok(()) => {
            let gone = (Rflags::DF | Rflags::RF | Rflags::TF).bits();
            let t = sys.task_mut(task);
            t.regs.flags &= !gone;
            // The handler is not in a system call: its own return must not
            // be taken for an interrupted one.
            t.orig_ax = -1;
            way.handler = true;
            t.last_siginfo = Some(Box::new(info));
            signal_delivered(sys, task, sig, &action);
        }
        Err(_) => force_sigsegv(sys, task, sig),
    }
}

/// The mask while the handler runs (`signal_delivered`).
fn signal_delivered(sys: &mut System, task: TaskId, sig: Signal, action: &SigAction) {
    let t = sys.task_mut(task);
    // The frame holds the mask from before sigsuspend.
    t.saved_sigmask = None;
    let mut blocked: SigSet = t.blocked.or(action.mask);
    if !action.flags.contains(SaFlags::SA_NODEFER) {
        blocked.add(sig);
    }
    if u64::from(t.sas_ss_flags) & SS_AUTODISARM != 0 {
        super::altstack::sas_ss_reset(t);
    }
    set_current_blocked(sys, task, blocked);
    recalc_sigpending(sys, task);
}
