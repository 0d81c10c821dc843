//! What a wait reports of a child or tracee: its death, a stop, that it went on.
//!
//! Linux: kernel/exit.c (wait_task_zombie, wait_task_stopped,
//! wait_task_continued, task_stopped_code).
//! Left out: EXIT_TRACE, which nobody could see here.

use crate::abi::signal::si_code;
use crate::abi::structs::{Rusage, WaitStatus};
use crate::abi::{Signal, WaitOptions};
use crate::kernel::cred::user_ns::from_kuid_munged;
use crate::kernel::exit::release_task;
use crate::kernel::pid::{self, PidType};
use crate::kernel::ptrace::attach::ptrace_unlink;
use crate::kernel::ptrace::ptrace_reparented;
use crate::kernel::signal::notify::{do_notify_parent, note_child_event};
use crate::kernel::signal::{Jobctl, SignalFlags, threads};
use crate::kernel::syscalls::WaitInfo;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use crate::traced;

/// In which role a task is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ptrace {
    /// As a child.
    No,
    /// As a tracee.
    Yes,
}

/// Resources a child has used, with those of its dead threads and of the
/// children it waited for (`getrusage(p, RUSAGE_BOTH)`).
fn usage_of(sys: &System, p: TaskId) -> Rusage {
    let mut sum = Rusage::default();
    for t in threads(sys, p) {
        sum.add(&sys.task(t).usage());
    }
    let s = sys.signal(p);
    sum.add(&s.dead_threads);
    sum.add(&s.children_usage);
    sum
}

fn info_of(sys: &System, current: TaskId, p: TaskId, status: i32, usage: Rusage) -> WaitInfo {
    let ns = pid::task_active_pid_ns(sys, current);
    let (si_code, si_status) = match WaitStatus::decode(status) {
        WaitStatus::Exited(code) => (si_code::CLD_EXITED, code),
        WaitStatus::Signaled(sig, true) => (si_code::CLD_DUMPED, sig),
        WaitStatus::Signaled(sig, false) => (si_code::CLD_KILLED, sig),
        WaitStatus::Stopped(sig) => (si_code::CLD_STOPPED, sig),
        WaitStatus::Continued => (si_code::CLD_CONTINUED, Signal::SIGCONT.number()),
    };
    WaitInfo {
        task: p,
        global_pid: sys.task(p).pid,
        pid: pid::task_pid_nr_ns(sys, p, PidType::Pid, Some(ns)),
        status,
        si_code,
        si_status,
        uid: from_kuid_munged(
            sys,
            sys.cred(current).user_ns,
            sys.kernel.creds[sys.task(p).real_cred].uid,
        ),
        rusage: usage,
    }
}

/// Reports a zombie and, without WNOWAIT, frees it. What it used is added to
/// the parent's `children_usage` first. A tracer that is not the parent only
/// lets go of it: then the parent is told.
pub(super) fn wait_task_zombie(
    sys: &mut System,
    current: TaskId,
    p: TaskId,
    options: WaitOptions,
) -> WaitInfo {
    let s = sys.signal(p);
    let group_exit = s.flags.contains(SignalFlags::GROUP_EXIT);
    let status = if group_exit { s.group_exit_code } else { sys.task(p).exit_code };
    let usage = usage_of(sys, p);
    let info = info_of(sys, current, p, status, usage);
    if options.contains(WaitOptions::WNOWAIT) {
        return info;
    }
    let leads = sys.task(p).is_group_leader();
    if leads && !sys.task(p).ptrace.is_empty() && ptrace_reparented(sys, p) {
        ptrace_unlink(sys, p);
        let sig = sys.task(p).exit_signal;
        note_child_event(sys, p);
        if !traced!(sys, do_notify_parent(p, sig)) {
            return info;
        }
    } else if leads {
        sys.signal_mut(current).children_usage.add(&usage);
    }
    sys.task_mut(p).exit_state = TaskState::EXIT_DEAD;
    traced!(sys, release_task(p));
    info
}

/// Where the code of a stop is kept that has not been reported: a tracee's
/// own, or that of a stopped group (`task_stopped_code`).
fn task_stopped_code(sys: &mut System, p: TaskId, role: Ptrace) -> Option<&mut i32> {
    match role {
        Ptrace::Yes => {
            let t = sys.task_mut(p);
            let jobctl = Jobctl::from_bits_retain(t.jobctl);
            let stopped = jobctl.contains(Jobctl::TRACED) && !jobctl.contains(Jobctl::LISTENING);
            stopped.then_some(&mut t.exit_code)
        }
        Ptrace::No => {
            let s = sys.signal_mut(p);
            s.flags.contains(SignalFlags::STOP_STOPPED).then_some(&mut s.group_exit_code)
        }
    }
}

/// Reports a stop that has not been reported yet; a tracee's whatever the
/// options.
pub(super) fn wait_task_stopped(
    sys: &mut System,
    current: TaskId,
    p: TaskId,
    options: WaitOptions,
    role: Ptrace,
) -> Option<WaitInfo> {
    if role == Ptrace::No && !options.contains(WaitOptions::WUNTRACED) {
        return None;
    }
    let code = task_stopped_code(sys, p, role)?;
    let stop = *code;
    if stop == 0 {
        return None;
    }
    if !options.contains(WaitOptions::WNOWAIT) {
        *code = 0;
    }
    let usage = usage_of(sys, p);
    let info = info_of(sys, current, p, stop << 8 | 0x7f, usage);
    let si_code = if role == Ptrace::Yes { si_code::CLD_TRAPPED } else { info.si_code };
    Some(WaitInfo { si_code, si_status: stop, ..info })
}

/// Reports that a stopped child was continued.
pub(super) fn wait_task_continued(
    sys: &mut System,
    current: TaskId,
    p: TaskId,
    options: WaitOptions,
) -> Option<WaitInfo> {
    if !options.contains(WaitOptions::WCONTINUED) {
        return None;
    }
    let s = sys.signal_mut(p);
    if !s.flags.contains(SignalFlags::STOP_CONTINUED) {
        return None;
    }
    if !options.contains(WaitOptions::WNOWAIT) {
        s.flags.remove(SignalFlags::STOP_CONTINUED);
    }
    let usage = usage_of(sys, p);
    Some(info_of(sys, current, p, 0xffff, usage))
}
