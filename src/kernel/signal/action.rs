//! Dispositions and masks: rt_sigaction(2), rt_sigprocmask(2),
//! rt_sigpending(2), and what exec and CLONE_CLEAR_SIGHAND make of handlers.
//!
//! Linux: kernel/signal.c (do_sigaction, sigprocmask, do_sigpending,
//! flush_signal_handlers, ignore_signals).
//! Left out: the calls of before 2.2.

use super::pending::{flush_group, set_current_blocked};
use super::send::{SA_IMMUTABLE, sig_handler_ignored};
use super::{SIG_DFL, SIG_IGN, SigAction};
use crate::abi::flags::SaFlags;
use crate::abi::numbers::{SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK};
use crate::abi::{Errno, SigSet, Signal};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::posix_timers::sig_unignore;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Flags that user mode may see and set (`UAPI_SA_FLAGS`). SA_UNSUPPORTED is
/// not among them: that it comes back cleared shows that bits are checked.
fn uapi_sa_flags() -> SaFlags {
    SaFlags::all().difference(SaFlags::SA_UNSUPPORTED)
}

/// Sets the disposition of `sig` if `new` is given and returns the old one.
/// Making it ignored discards what is pending, also what is blocked.
/// Source: `do_sigaction`.
pub fn do_sigaction(
    sys: &mut System,
    task: TaskId,
    sig: i32,
    new: Option<SigAction>,
) -> Result<SigAction, SysError> {
    const F: &str = "do_sigaction";
    let Some(sig) = Signal::new(sig) else {
        return refuse(Errno::EINVAL, F, "there is no signal with this number (1 to 64)");
    };
    if new.is_some() && sig.is_kernel_only() {
        return refuse(Errno::EINVAL, F, "SIGKILL and SIGSTOP cannot be caught or ignored");
    }
    let Some(sighand) = sys.task(task).sighand else {
        return refuse(Errno::EINVAL, F, "the task is dead and has no dispositions");
    };
    let slot = sys.kernel.sighands[sighand].get_mut(sig);
    if new.is_some() && slot.flags.bits() & SA_IMMUTABLE != 0 {
        return refuse(Errno::EINVAL, F, "the signal is about to kill the task for good");
    }
    let old = *slot;
    if let Some(mut new) = new {
        new.flags &= uapi_sa_flags();
        new.mask.del(Signal::SIGKILL);
        new.mask.del(Signal::SIGSTOP);
        *slot = new;
        if sig_handler_ignored(new.handler, sig) {
            flush_group(sys, task, SigSet::of(sig));
        } else if old.handler == SIG_IGN {
            // Of one that was ignored by default nothing is kept.
            sig_unignore(sys, task, sig);
        }
    }
    Ok(old)
}

/// Changes the mask of blocked signals (`rt_sigprocmask`); returns the old one.
pub fn do_sigprocmask(
    sys: &mut System,
    task: TaskId,
    how: i32,
    set: Option<SigSet>,
) -> Result<SigSet, SysError> {
    let old = sys.task(task).blocked;
    if let Some(mut set) = set {
        set.del(Signal::SIGKILL);
        set.del(Signal::SIGSTOP);
        let new = match u64::try_from(how) {
            Ok(SIG_BLOCK) => old.or(set),
            Ok(SIG_UNBLOCK) => old.minus(set),
            Ok(SIG_SETMASK) => set,
            _ => {
                return refuse(
                    Errno::EINVAL,
                    "sigprocmask",
                    "how is neither SIG_BLOCK, SIG_UNBLOCK nor SIG_SETMASK",
                );
            }
        };
        set_current_blocked(sys, task, new);
    }
    Ok(old)
}

/// Signals that are pending for the thread or its group and blocked
/// (`do_sigpending`).
pub fn do_sigpending(sys: &System, task: TaskId) -> SigSet {
    let t = sys.task(task);
    let shared = t.signal.map(|s| sys.kernel.signals[s].shared_pending.signal);
    t.pending.signal.or(shared.unwrap_or_default()).and(t.blocked)
}

/// Handlers back to default, because their code is gone (exec) or as
/// CLONE_CLEAR_SIGHAND asks; what is ignored stays ignored unless
/// `force_default`. Preconditions: the table is not shared.
/// Source: `flush_signal_handlers`.
pub fn flush_signal_handlers(sys: &mut System, task: TaskId, force_default: bool) {
    let Some(sighand) = sys.task(task).sighand else { return };
    for action in sys.kernel.sighands[sighand].actions_mut() {
        let handler = match action.handler {
            SIG_IGN if !force_default => SIG_IGN,
            _ => SIG_DFL,
        };
        *action = SigAction { handler, ..SigAction::default() };
    }
}

/// A kernel thread takes no signals at all (`ignore_signals`).
pub fn ignore_signals(sys: &mut System, task: TaskId) {
    if let Some(sighand) = sys.task(task).sighand {
        for action in sys.kernel.sighands[sighand].actions_mut() {
            action.handler = SIG_IGN;
        }
    }
    flush_group(sys, task, SigSet(!0));
}
