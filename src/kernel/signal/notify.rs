//! Telling a parent what became of its child: SIGCHLD with a siginfo, and a
//! wake-up for those who wait.
//!
//! Linux: kernel/signal.c (do_notify_parent, do_notify_parent_cldstop).
//! Left out: nothing.

use super::send::{__send_signal_locked, send_signal_locked};
use super::{SIG_IGN, SigAction};
use crate::abi::Signal;
use crate::abi::flags::SaFlags;
use crate::abi::signal::si_code::*;
use crate::abi::structs::SigInfo;
use crate::kernel::cred::user_ns::{OVERFLOWUID, from_kuid_munged, make_kuid};
use crate::kernel::pid::PidType;
use crate::kernel::pid::{task_active_pid_ns, task_pid_nr_ns};
use crate::kernel::sched::core::{wake_up, wake_up_all};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::WaitOn;

/// Nanoseconds in a clock tick as user mode sees it (USER_HZ is 100).
pub const NSEC_PER_CLOCK_TICK: u64 = 10_000_000;

/// A siginfo about `child` as `parent` sees it.
fn child_info(sys: &System, child: TaskId, parent: TaskId, sig: Signal) -> SigInfo {
    let t = sys.task(child);
    let dead = &sys.signal(child).dead_threads;
    let ns = task_active_pid_ns(sys, parent);
    let uid = sys.kernel.creds[t.real_cred].uid;
    SigInfo {
        si_pid: task_pid_nr_ns(sys, child, PidType::Pid, Some(ns)),
        si_uid: from_kuid_munged(sys, sys.cred(parent).user_ns, uid),
        si_utime: t.utime.saturating_add(dead.ru_utime) / NSEC_PER_CLOCK_TICK,
        si_stime: t.stime.saturating_add(dead.ru_stime) / NSEC_PER_CLOCK_TICK,
        ..SigInfo::new(sig, 0)
    }
}

/// The uid of a report by `child` that is not its end: `send_signal_locked`
/// takes it for one of the child's user namespace and translates it once more.
fn translated_again(sys: &System, child: TaskId, parent: TaskId, uid: u32) -> u32 {
    let (own, theirs) = (sys.cred(child).user_ns, sys.cred(parent).user_ns);
    if own == theirs {
        return uid;
    }
    let kuid = make_kuid(sys, own, uid);
    kuid.map_or(OVERFLOWUID, |kuid| from_kuid_munged(sys, theirs, kuid))
}

fn sigchld_action(sys: &System, parent: TaskId) -> SigAction {
    match sys.task(parent).sighand {
        Some(s) => *sys.kernel.sighands[s].get(Signal::SIGCHLD),
        None => SigAction { handler: SIG_IGN, ..SigAction::default() },
    }
}

/// Whether a process wants no zombies of its children (`ignoring_children`).
pub fn ignoring_children(sys: &System, parent: TaskId) -> bool {
    let action = sigchld_action(sys, parent);
    action.handler == SIG_IGN || action.flags.contains(SaFlags::SA_NOCLDWAIT)
}

/// Wakes the parent's threads that sleep in wait(2) (`__wake_up_parent`).
pub fn wake_up_parent(sys: &mut System, parent: TaskId) {
    if let Some(signal) = sys.task(parent).signal
        && !sys.kernel.signals[signal].wait_chldexit.entries.is_empty()
    {
        wake_up(sys, WaitOn::Child(signal));
    }
}

/// Notes that wait(2) in the parent may find something to report of this
/// process.
pub fn note_child_event(sys: &mut System, task: TaskId) {
    let leader = sys.task(task).group_leader;
    let (parent, seq) = (sys.task(leader).real_parent, sys.task(leader).sibling_seq);
    sys.task_mut(parent).notable_children.insert(seq, leader);
}

/// Sends `sig` (an exit signal; 0 for none) to the parent of a process whose
/// last thread died, and says whether nobody will wait for it, so that it is
/// to be reaped at once. Source: `do_notify_parent`.
pub fn do_notify_parent(sys: &mut System, task: TaskId, sig: i32) -> bool {
    let t = sys.task(task);
    let (parent, exit_code) = (t.parent, t.exit_code);
    let (thread_pid, ptrace, birth_exec_id) = (t.thread_pid, t.ptrace, t.parent_exec_id);
    // A traced thread too: it is a zombie for its tracer, and those who poll
    // it learn of its end (`do_notify_pidfd`).
    if let Some(pid) = thread_pid
        && !sys.kernel.pids[pid].wait_pidfd.entries.is_empty()
    {
        wake_up_all(sys, WaitOn::PidExit(pid));
    }

    let mut sig = sig;
    // A parent that exec'd since is another program: it gets SIGCHLD, not
    // the signal that its predecessor had chosen.
    let chld = Signal::SIGCHLD.number();
    if sig != chld && birth_exec_id != sys.task(parent).self_exec_id {
        sig = chld;
    }

    let mut autoreap = false;
    if ptrace.is_empty() && sig == chld {
        let action = sigchld_action(sys, parent);
        if action.handler == SIG_IGN || action.flags.contains(SaFlags::SA_NOCLDWAIT) {
            // POSIX: no zombie. Linux sends SIGCHLD all the same unless it
            // is ignored outright.
            autoreap = true;
            if action.handler == SIG_IGN {
                sig = 0;
            }
        }
    }
    // Legacy clone lets exit signals above 64 pass; they are never sent.
    if let Some(s) = Signal::new(sig)
        && sys.task(parent).sighand.is_some()
    {
        let (code, status) = if exit_code & 0x80 != 0 {
            (CLD_DUMPED, exit_code & 0x7f)
        } else if exit_code & 0x7f != 0 {
            (CLD_KILLED, exit_code & 0x7f)
        } else {
            (CLD_EXITED, exit_code >> 8)
        };
        let info = SigInfo { si_code: code, si_status: status, ..child_info(sys, task, parent, s) };
        let _ = __send_signal_locked(sys, info, parent, PidType::Tgid, false);
    }
    wake_up_parent(sys, parent);
    autoreap
}

/// Tells the real parent that a process stopped or went on; `why` is
/// CLD_STOPPED or CLD_CONTINUED (`do_notify_parent_cldstop`).
pub fn do_notify_parent_cldstop(sys: &mut System, task: TaskId, why: i32) {
    cldstop(sys, task, false, why);
}

/// Tells the tracer of a thread, or the real parent of its process, that it
/// stopped (CLD_STOPPED, CLD_TRAPPED) or went on. SA_NOCLDSTOP suppresses the
/// signal, not the wake-up. Source: `do_notify_parent_cldstop`.
pub fn cldstop(sys: &mut System, task: TaskId, for_ptracer: bool, why: i32) {
    let (leader, parent) = if for_ptracer {
        (task, sys.task(task).parent)
    } else {
        let leader = sys.task(task).group_leader;
        (leader, sys.task(leader).real_parent)
    };
    let action = sigchld_action(sys, parent);
    if action.handler != SIG_IGN && !action.flags.contains(SaFlags::SA_NOCLDSTOP) {
        let status = match why {
            CLD_CONTINUED => Signal::SIGCONT.number(),
            CLD_TRAPPED => sys.task(leader).exit_code & 0x7f,
            _ => sys.signal(leader).group_exit_code & 0x7f,
        };
        let info = child_info(sys, leader, parent, Signal::SIGCHLD);
        let si_uid = translated_again(sys, leader, parent, info.si_uid);
        let info = SigInfo { si_code: why, si_status: status, si_uid, ..info };
        let _ = send_signal_locked(sys, info, parent, PidType::Tgid);
    }
    wake_up_parent(sys, parent);
}
