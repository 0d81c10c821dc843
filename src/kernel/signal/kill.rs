//! kill(2) and its relatives: whom a number means, who may send to whom.
//!
//! Linux: kernel/signal.c (kill_something_info, check_kill_permission,
//! group_send_sig_info, do_send_specific, do_pidfd_send_signal).
//! Left out: pidfds of processes in /proc, security modules.

use super::same_thread_group;
use super::send::__send_signal_locked;
use crate::abi::signal::si_code;
use crate::abi::structs::SigInfo;
use crate::abi::{Cap, Errno, Signal};
use crate::kernel::capability::ns_capable;
use crate::kernel::cred::user_ns::{OVERFLOWUID, from_kuid_munged, make_kuid};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::pid::{
    PidId, PidType, find_pid_ns, find_task_by_vpid, pid_task, task_active_pid_ns, task_pid_nr_ns,
    task_tgid_vnr,
};
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskList};

/// What a signal carries, before the receiver is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillInfo {
    /// The sender's pid and uid, with this code: SI_USER, or SI_TKILL when
    /// it goes to one thread (`prepare_kill_siginfo`).
    Sender(i32),
    /// What the caller gave (rt_sigqueueinfo), or the kernel.
    Given(SigInfo),
}

impl KillInfo {
    /// Whether a user sent it, so that permissions count (`SI_FROMUSER`).
    fn is_from_user(&self) -> bool {
        match self {
            KillInfo::Sender(_) => true,
            KillInfo::Given(i) => i.si_code <= 0,
        }
    }

    /// What it is from a sender: the names of pid and uid are those of the
    /// sender's own namespaces.
    fn prepare(&mut self, sys: &System, from: TaskId, sig: Signal) -> &mut SigInfo {
        if let KillInfo::Sender(code) = *self {
            let cred = sys.cred(from);
            let si_uid = from_kuid_munged(sys, cred.user_ns, cred.uid);
            let si_pid = task_tgid_vnr(sys, from);
            *self = KillInfo::Given(SigInfo { si_pid, si_uid, ..SigInfo::new(sig, code) });
        }
        match self {
            KillInfo::Given(info) => info,
            KillInfo::Sender(_) => unreachable!("it was just prepared"),
        }
    }
}

/// Whether `current` may send to `target` as far as uids and CAP_KILL tell.
/// The target's effective uid does not count: a set-user-ID program can be
/// signalled by who started it (`kill_ok_by_cred`).
fn kill_ok_by_cred(sys: &mut System, current: TaskId, target: TaskId) -> bool {
    let cred = sys.cred(current);
    let t = &sys.kernel.creds[sys.task(target).real_cred];
    let same = [cred.euid, cred.uid].iter().any(|u| *u == t.suid || *u == t.uid);
    let ns = t.user_ns;
    same || ns_capable(sys, current, ns, Cap::CAP_KILL)
}

/// The checks of every kill, in Linux's order: the number, then the rights
/// (`check_kill_permission`). That the target exists is checked before.
fn check_kill_permission(
    sys: &mut System,
    current: TaskId,
    sig: i32,
    info: &KillInfo,
    target: TaskId,
) -> Result<(), SysError> {
    const F: &str = "check_kill_permission";
    if !(0..=64).contains(&sig) {
        return refuse(
            Errno::EINVAL,
            F,
            "there is no signal with this number (1 to 64; 0 only checks)",
        );
    }
    if !info.is_from_user()
        || same_thread_group(sys, current, target)
        || kill_ok_by_cred(sys, current, target)
    {
        return Ok(());
    }
    if sig == Signal::SIGCONT.number() {
        let session = |t| sys.task(t).signal.and_then(|s| sys.kernel.signals[s].pids[3]);
        let of_target = session(target);
        if of_target.is_none() || of_target == session(current) {
            return Ok(());
        }
    }
    let (c, t) = (sys.cred(current), &sys.kernel.creds[sys.task(target).real_cred]);
    let why = format!(
        "the sender (uid {}, euid {}) has neither the target's real uid {} nor its saved uid {}, \
         nor CAP_KILL in its user namespace",
        c.uid, c.euid, t.uid, t.suid
    );
    Err(SysError::with(Errno::EPERM, F, why))
}

/// Sends without a permission check; `from` decides what pid and uid the
/// receiver sees. One siginfo serves all members of a group, and what is
/// translated for one stays so for the next, as in `send_signal_locked`.
///
/// # Errors
/// ESRCH when the target is already released.
pub fn do_send_sig_info(
    sys: &mut System,
    from: TaskId,
    sig: Signal,
    info: &mut KillInfo,
    target: TaskId,
    ty: PidType,
) -> Result<(), SysError> {
    if sys.task(target).sighand.is_none() || sys.task(target).signal.is_none() {
        return refuse(Errno::ESRCH, "lock_task_sighand", "the target was already released");
    }
    let ns = task_active_pid_ns(sys, target);
    let seen_as = task_pid_nr_ns(sys, from, PidType::Tgid, Some(ns));
    let mut force = false;
    let info = info.prepare(sys, from, sig);
    if info.si_code <= 0 {
        let (ours, theirs) = (sys.cred(from).user_ns, sys.cred(target).user_ns);
        if ours != theirs {
            // A uid without a name at the sender's has none anywhere.
            let uid = make_kuid(sys, ours, info.si_uid);
            info.si_uid = uid.map_or(OVERFLOWUID, |u| from_kuid_munged(sys, theirs, u));
        }
        // A sender that the target cannot see is from an ancestor namespace:
        // its SIGKILL and SIGSTOP bind even an init.
        if seen_as == 0 {
            info.si_pid = 0;
            force = true;
        }
    } else {
        force = info.si_code == si_code::SI_KERNEL;
    }
    let info = *info;
    __send_signal_locked(sys, info, target, ty, force)
}

/// Checks and sends; `sig` 0 only checks.
fn send_checked(
    sys: &mut System,
    current: TaskId,
    sig: i32,
    info: &mut KillInfo,
    target: TaskId,
    ty: PidType,
) -> Result<(), SysError> {
    check_kill_permission(sys, current, sig, info, target)?;
    match Signal::new(sig) {
        Some(s) => do_send_sig_info(sys, current, s, info, target, ty),
        None => Ok(()),
    }
}

/// Sends to a process if `from` may (`group_send_sig_info`). A siginfo with
/// a positive code is the kernel's and needs no permission.
pub fn group_send_sig_info(
    sys: &mut System,
    from: TaskId,
    info: SigInfo,
    target: TaskId,
    ty: PidType,
) -> Result<(), SysError> {
    send_checked(sys, from, info.si_signo.number(), &mut KillInfo::Given(info), target, ty)
}

/// Sends a plain signal in the name of `from` if it may.
pub fn group_send_sig(
    sys: &mut System,
    from: TaskId,
    sig: Signal,
    target: TaskId,
    ty: PidType,
) -> Result<(), SysError> {
    let mut info = KillInfo::Sender(si_code::SI_USER);
    send_checked(sys, from, sig.number(), &mut info, target, ty)
}

/// A signal that the kernel sends to the thread that caused it (`send_sig`).
pub fn send_sig(sys: &mut System, task: TaskId, sig: Signal) {
    let mut info = KillInfo::Sender(si_code::SI_USER);
    if let Err(e) = do_send_sig_info(sys, task, sig, &mut info, task, PidType::Pid) {
        sys.oops("send_sig", format!("{sig} did not reach the caller itself: {e}"));
    }
}

/// The members of a process group or session, leaders of their thread groups.
pub fn pid_members(sys: &System, pid: PidId, ty: PidType) -> Vec<TaskId> {
    let list = match ty {
        PidType::Pid => TaskList::Pid,
        PidType::Tgid => TaskList::Tgid,
        PidType::Pgid => TaskList::Pgid,
        PidType::Sid => TaskList::Sid,
    };
    let mut members = Vec::new();
    let mut at = sys.kernel.pids[pid].tasks[ty as usize].first;
    while let Some(t) = at {
        members.push(t);
        at = sys.task(t).links[list as usize].next;
    }
    members
}

/// kill to a process group, by its pid object.
pub fn kill_pgrp_type(
    sys: &mut System,
    current: TaskId,
    sig: i32,
    mut info: KillInfo,
    pgrp: Option<PidId>,
) -> Result<(), SysError> {
    let empty =
        SysError::new(Errno::ESRCH, "__kill_pgrp_info", "no such process group, or it is empty");
    let members = pgrp.map(|p| pid_members(sys, p, PidType::Pgid)).unwrap_or_default();
    let mut result = Err(empty);
    for p in members {
        // One success is enough; otherwise the last refusal is told.
        let sent = send_checked(sys, current, sig, &mut info, p, PidType::Pgid);
        if result.is_err() {
            result = sent;
        }
    }
    result
}

/// Sends to every process of a group; succeeds if it reached one
/// (`kill_pgrp_info`).
pub fn kill_pgrp_info(
    sys: &mut System,
    current: TaskId,
    info: SigInfo,
    pgrp: PidId,
) -> Result<(), SysError> {
    kill_pgrp_type(sys, current, info.si_signo.number(), KillInfo::Given(info), Some(pgrp))
}

/// Sends to the process that a pid names, by whichever of its threads
/// (`kill_pid_info_type`).
pub fn kill_pid_info(
    sys: &mut System,
    current: TaskId,
    sig: i32,
    mut info: KillInfo,
    pid: Option<PidId>,
    ty: PidType,
) -> Result<(), SysError> {
    let Some(target) = pid.and_then(|p| pid_task(sys, p, PidType::Pid)) else {
        return refuse(
            Errno::ESRCH,
            "kill_pid_info_type",
            "no process has this pid (a reaped one has none; existence is checked before the \
             signal number)",
        );
    };
    send_checked(sys, current, sig, &mut info, target, ty)
}

/// kill(2) and rt_sigqueueinfo(2): pid > 0 is a process, 0 the caller's
/// group, -1 all it may signal but itself and init, < -1 a group
/// (`kill_something_info`).
pub fn kill_something(
    sys: &mut System,
    current: TaskId,
    pid: i32,
    sig: i32,
    mut info: KillInfo,
) -> Result<(), SysError> {
    const F: &str = "kill_something_info";
    let ns = task_active_pid_ns(sys, current);
    if pid > 0 {
        let pid = find_pid_ns(sys, pid, ns);
        return kill_pid_info(sys, current, sig, info, pid, PidType::Tgid);
    }
    if pid == i32::MIN {
        return refuse(Errno::ESRCH, F, "-INT_MIN is no process group: it cannot be negated");
    }
    if pid == 0 {
        let own = sys.signal(current).pids[PidType::Pgid as usize];
        return kill_pgrp_type(sys, current, sig, info, own);
    }
    if pid != -1 {
        let pgrp = find_pid_ns(sys, -pid, ns);
        return kill_pgrp_type(sys, current, sig, info, pgrp);
    }
    let mut tried = false;
    let mut result = Ok(());
    for p in processes(sys) {
        let seen = task_pid_nr_ns(sys, p, PidType::Pid, Some(ns));
        let hidden = sys.kernel.contained && sys.task(p).flags.contains(PF::KTHREAD);
        if seen <= 1 || hidden || same_thread_group(sys, p, current) {
            continue;
        }
        tried = true;
        // Those it may not signal are passed over in silence.
        match send_checked(sys, current, sig, &mut info, p, PidType::Sid) {
            Err(e) if e.errno == Errno::EPERM => {}
            other => result = other,
        }
    }
    if !tried {
        return refuse(Errno::ESRCH, F, "there is no process but the caller and init");
    }
    result
}

/// kill(2): [`kill_something`] with the sender's own siginfo.
pub fn kill_something_info(
    sys: &mut System,
    current: TaskId,
    pid: i32,
    sig: i32,
) -> Result<(), SysError> {
    kill_something(sys, current, pid, sig, KillInfo::Sender(si_code::SI_USER))
}

/// All processes in order of birth, the idle task not among them
/// (`for_each_process`).
fn processes(sys: &System) -> Vec<TaskId> {
    let mut all = Vec::new();
    let link = |t: TaskId| sys.task(t).links[TaskList::Tasks as usize].next;
    let mut at = link(sys.kernel.init_task);
    while let Some(t) = at.filter(|t| *t != sys.kernel.init_task) {
        all.push(t);
        at = link(t);
    }
    all
}

/// tkill(2), tgkill(2), rt_tgsigqueueinfo(2): to one thread; a positive
/// `tgid` must be its process (`do_send_specific`).
pub fn do_send_specific(
    sys: &mut System,
    current: TaskId,
    tgid: i32,
    pid: i32,
    sig: i32,
    mut info: KillInfo,
) -> Result<(), SysError> {
    const F: &str = "do_send_specific";
    let Some(target) = find_task_by_vpid(sys, current, pid) else {
        return refuse(Errno::ESRCH, F, "no thread has this id");
    };
    let ns = task_active_pid_ns(sys, current);
    if tgid > 0 && task_pid_nr_ns(sys, target, PidType::Tgid, Some(ns)) != tgid {
        return refuse(Errno::ESRCH, F, "the thread is not of the process that was named");
    }
    match send_checked(sys, current, sig, &mut info, target, PidType::Pid) {
        // It was found alive; dying meanwhile is not the sender's concern.
        Err(e) if e.errno == Errno::ESRCH => Ok(()),
        other => other,
    }
}
