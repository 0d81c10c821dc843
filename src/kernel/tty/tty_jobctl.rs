//! Job control of terminals: whose controlling terminal one is, which group is
//! in the foreground, and what happens to those who are not.
//!
//! ```text
//! a task asks to read (SIGTTIN), to change (SIGTTOU), to write with TOSTOP
//!   not its controlling terminal, or its group is in front   -> goes on
//!   blocks or ignores the signal       SIGTTIN: EIO, SIGTTOU: goes on
//!   its group is orphaned              EIO: nobody would continue it
//!   else                               the signal to its group, and again
//! ```
//!
//! Linux: drivers/tty/tty_jobctrl.c.
//! Left out: nothing.

use super::{TtyId, tty_kref_get, tty_kref_put};
use crate::abi::signal::si_code;
use crate::abi::structs::SigInfo;
use crate::abi::{Cap, Errno, Signal};
use crate::kernel::capability::capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::FileId;
use crate::kernel::pid::{
    PidId, PidType, find_vpid, get_pid, pid_nr_ns, pid_task, put_pid, task_active_pid_ns,
};
use crate::kernel::signal::kill::{KillInfo, kill_pgrp_info, kill_pgrp_type, pid_members};
use crate::kernel::signal::send::{send_signal_locked, sig_handler};
use crate::kernel::signal::stop::is_current_pgrp_orphaned;
use crate::kernel::signal::{SIG_IGN, SignalId};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// The pid object of a task's group or session.
fn role(sys: &System, task: TaskId, ty: PidType) -> Option<PidId> {
    sys.task(task).signal.and_then(|s| sys.kernel.signals[s].pids[ty as usize])
}

/// The controlling terminal of a task's process (`get_current_tty`).
pub fn current_tty(sys: &System, task: TaskId) -> Option<TtyId> {
    sys.task(task).signal.and_then(|s| sys.kernel.signals[s].tty)
}

/// A signal of the kernel's to a group; nobody there is nobody's error.
pub(super) fn kill_pgrp(sys: &mut System, from: TaskId, pgrp: PidId, sig: Signal) {
    let _ = kill_pgrp_info(sys, from, SigInfo::kernel(sig), pgrp);
}

/// Whether a task blocks or ignores a signal (`is_ignored`).
fn is_ignored(sys: &System, task: TaskId, sig: Signal) -> bool {
    sys.task(task).blocked.contains(sig) || sig_handler(sys, task, sig) == SIG_IGN
}

/// Whether the caller may do to a terminal what `sig` is for. If not, its
/// whole group has been sent `sig` and the call is to be made again.
///
/// # Errors
/// EIO: SIGTTIN and it is blocked or ignored, or the caller's group is
/// orphaned. ERESTARTSYS: the signal was sent.
/// Source: `__tty_check_change`.
pub fn __tty_check_change(
    sys: &mut System,
    task: TaskId,
    tty: TtyId,
    sig: Signal,
) -> Result<(), SysError> {
    const F: &str = "__tty_check_change";
    if current_tty(sys, task) != Some(tty) {
        return Ok(());
    }
    let pgrp = role(sys, task, PidType::Pgid);
    let Some(front) = sys.kernel.ttys.get(tty).and_then(|t| t.pgrp) else { return Ok(()) };
    let Some(pgrp) = pgrp.filter(|p| *p != front) else { return Ok(()) };
    if is_ignored(sys, task, sig) {
        return match sig {
            Signal::SIGTTIN => {
                let why = "the caller is in the background and blocks or ignores SIGTTIN, so \
                           nothing could make it wait for its turn to read";
                refuse(Errno::EIO, F, why)
            }
            _ => Ok(()),
        };
    }
    if is_current_pgrp_orphaned(sys, task) {
        let why = "the caller is in the background and its process group is orphaned: stopped, \
                   nobody would continue it";
        return refuse(Errno::EIO, F, why);
    }
    kill_pgrp(sys, task, pgrp, sig);
    sys.task_mut(task).sigpending = true;
    let why = format!("the caller is in the background: its group is sent {sig}");
    Err(SysError::with(Errno::ERESTARTSYS, F, why))
}

/// The same for changes (`tty_check_change`).
pub fn tty_check_change(sys: &mut System, task: TaskId, tty: TtyId) -> Result<(), SysError> {
    __tty_check_change(sys, task, tty, Signal::SIGTTOU)
}

/// Puts other pids, or none, where session and foreground group are kept.
pub(super) fn set_ctrl(sys: &mut System, tty: TtyId, session: Option<PidId>, pgrp: Option<PidId>) {
    for pid in [session, pgrp].into_iter().flatten() {
        get_pid(sys, pid);
    }
    let Some(t) = sys.kernel.ttys.get_mut(tty) else { return };
    let old = [std::mem::replace(&mut t.session, session), std::mem::replace(&mut t.pgrp, pgrp)];
    for pid in old.into_iter().flatten() {
        put_pid(sys, pid);
    }
}

/// Forgets the group that was in front when the terminal hung up, or puts
/// another in its place.
fn set_old_pgrp(sys: &mut System, signal: SignalId, pgrp: Option<PidId>) {
    if let Some(pid) = pgrp {
        get_pid(sys, pid);
    }
    if let Some(old) = std::mem::replace(&mut sys.kernel.signals[signal].tty_old_pgrp, pgrp) {
        put_pid(sys, old);
    }
}

/// Makes a terminal the caller's, which leads its session
/// (`__proc_set_tty`): its group is in front.
fn proc_set_tty(sys: &mut System, task: TaskId, tty: TtyId) {
    let (session, pgrp) = (role(sys, task, PidType::Sid), role(sys, task, PidType::Pgid));
    set_ctrl(sys, tty, session, pgrp);
    let Some(signal) = sys.task(task).signal else { return };
    if let Some(old) = sys.kernel.signals[signal].tty.take() {
        tty_kref_put(sys, old);
    }
    set_old_pgrp(sys, signal, None);
    tty_kref_get(sys, tty);
    sys.kernel.signals[signal].tty = Some(tty);
}

/// open(2) without O_NOCTTY: a session leader without a terminal gets a free
/// one, if it may read from it (`tty_open_proc_set_tty`).
pub(super) fn tty_open_proc_set_tty(sys: &mut System, task: TaskId, file: FileId, tty: TtyId) {
    let free = sys.kernel.ttys.get(tty).is_some_and(|t| t.session.is_none());
    let signal = sys.signal(task);
    if signal.leader && signal.tty.is_none() && free && sys.kernel.filps[file].may_read() {
        proc_set_tty(sys, task, tty);
    }
}

/// The process of `signal` has no controlling terminal any more
/// (`proc_clear_tty`).
pub fn proc_clear_tty(sys: &mut System, signal: SignalId) {
    if let Some(tty) = sys.kernel.signals[signal].tty.take() {
        tty_kref_put(sys, tty);
    }
}

/// The same for a whole session.
pub(super) fn session_clear_tty(sys: &mut System, session: Option<PidId>) {
    let Some(session) = session else { return };
    for p in pid_members(sys, session, PidType::Sid) {
        if let Some(signal) = sys.task(p).signal {
            proc_clear_tty(sys, signal);
        }
    }
}

/// A terminal hangs up: its session loses it, and the leader is sent SIGHUP
/// and SIGCONT and remembers who was in front. The foreground group is sent
/// SIGHUP only by a session that ends so (`tty_signal_session_leader`).
pub(super) fn tty_signal_session_leader(sys: &mut System, tty: TtyId) {
    let Some(t) = sys.kernel.ttys.get(tty) else { return };
    let (Some(session), pgrp) = (t.session, t.pgrp) else { return };
    for p in pid_members(sys, session, PidType::Sid) {
        let Some(signal) = sys.task(p).signal else { continue };
        if sys.kernel.signals[signal].tty == Some(tty) {
            proc_clear_tty(sys, signal);
        }
        if !sys.kernel.signals[signal].leader {
            continue;
        }
        for sig in [Signal::SIGHUP, Signal::SIGCONT] {
            // A standard signal is not refused.
            let _ = send_signal_locked(sys, SigInfo::kernel(sig), p, PidType::Tgid);
        }
        if pgrp.is_some() {
            set_old_pgrp(sys, signal, pgrp);
        }
    }
}

/// A session leader gives its terminal up: on its own (TIOCNOTTY), or because
/// it ends. The foreground group is told; the terminal is free again and the
/// session without one.
///
/// Ending, the leader sends SIGHUP alone; a terminal that has hung up before
/// makes it SIGHUP and SIGCONT to the group that was in front then.
/// Source: `disassociate_ctty`.
pub fn disassociate_ctty(sys: &mut System, task: TaskId, on_exit: bool) {
    let Some(signal) = sys.task(task).signal else { return };
    let s = &sys.kernel.signals[signal];
    if !s.leader {
        return;
    }
    let (tty, old_pgrp) = (s.tty, s.tty_old_pgrp);
    let Some(tty) = tty else {
        if let Some(pgrp) = old_pgrp.filter(|_| on_exit) {
            kill_pgrp(sys, task, pgrp, Signal::SIGHUP);
            kill_pgrp(sys, task, pgrp, Signal::SIGCONT);
        }
        return set_old_pgrp(sys, signal, None);
    };
    match sys.kernel.ttys.get(tty).and_then(|t| t.pgrp) {
        Some(pgrp) if on_exit => kill_pgrp(sys, task, pgrp, Signal::SIGHUP),
        Some(pgrp) => {
            // In the caller's own name, and with no more than its rights.
            for sig in [Signal::SIGHUP, Signal::SIGCONT] {
                let info = KillInfo::Sender(si_code::SI_USER);
                let _ = kill_pgrp_type(sys, task, sig.number(), info, Some(pgrp));
            }
        }
        None => {}
    }
    set_ctrl(sys, tty, None, None);
    set_old_pgrp(sys, signal, None);
    let session = role(sys, task, PidType::Sid);
    session_clear_tty(sys, session);
}

/// TIOCNOTTY (`no_tty`): the caller gives its controlling terminal up; a
/// session leader does so for its whole session.
///
/// # Errors
/// ENOTTY: it is not the caller's.
pub fn tiocnotty(sys: &mut System, task: TaskId, tty: TtyId) -> Result<(), SysError> {
    if current_tty(sys, task) != Some(tty) {
        let why = "the terminal is not the caller's controlling terminal";
        return refuse(Errno::ENOTTY, "tty_jobctrl_ioctl", why);
    }
    disassociate_ctty(sys, task, false);
    if let Some(signal) = sys.task(task).signal {
        proc_clear_tty(sys, signal);
    }
    Ok(())
}

/// Whether the caller governs the whole machine: root of a container does not.
pub(super) fn is_admin(sys: &mut System, task: TaskId) -> bool {
    !sys.kernel.contained && capable(sys, task, Cap::CAP_SYS_ADMIN)
}

/// TIOCSCTTY: makes the terminal the controlling one of the caller's session.
///
/// # Errors
/// EPERM: the caller leads no session, or has a terminal; another session has
/// this one, and `arg` is not 1 or CAP_SYS_ADMIN is missing; the descriptor
/// cannot be read from and CAP_SYS_ADMIN is missing.
pub fn tiocsctty(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    tty: TtyId,
    arg: u64,
) -> Result<(), SysError> {
    const F: &str = "tiocsctty";
    let held = sys.kernel.ttys.get(tty).and_then(|t| t.session);
    let signal = sys.signal(task);
    let (leader, has) = (signal.leader, signal.tty.is_some());
    if leader && held.is_some() && role(sys, task, PidType::Sid) == held {
        return Ok(());
    }
    if !leader {
        return refuse(Errno::EPERM, F, "only a session leader gets a controlling terminal");
    }
    if has {
        return refuse(Errno::EPERM, F, "the caller's session has a controlling terminal already");
    }
    if held.is_some() {
        if arg != 1 {
            let why = "it is the controlling terminal of another session, and the argument is \
                       not 1: it is not to be stolen";
            return refuse(Errno::EPERM, F, why);
        }
        if !is_admin(sys, task) {
            let why = "only CAP_SYS_ADMIN in the initial user namespace steals a terminal from \
                       another session";
            return refuse(Errno::EPERM, F, why);
        }
        session_clear_tty(sys, held);
    }
    if !sys.kernel.filps[file].may_read() && !is_admin(sys, task) {
        let why = "the descriptor cannot be read from, and a controlling terminal can";
        return refuse(Errno::EPERM, F, why);
    }
    proc_set_tty(sys, task, tty);
    Ok(())
}

/// Whether the caller asks about its own terminal, or as the master of it.
fn mine(
    sys: &System,
    task: TaskId,
    tty: TtyId,
    real: TtyId,
    f: &'static str,
) -> Result<(), SysError> {
    if tty == real && current_tty(sys, task) != Some(real) {
        return refuse(Errno::ENOTTY, f, "the terminal is not the caller's controlling terminal");
    }
    Ok(())
}

/// A pid as the caller counts; 0 for none (`pid_vnr`).
fn pid_vnr(sys: &System, task: TaskId, pid: Option<PidId>) -> i32 {
    pid.map_or(0, |p| pid_nr_ns(sys, p, task_active_pid_ns(sys, task)))
}

/// TIOCGPGRP: the foreground group, 0 if the master asks and there is none.
///
/// # Errors
/// ENOTTY: it is not the caller's terminal.
pub fn tiocgpgrp(sys: &System, task: TaskId, tty: TtyId, real: TtyId) -> Result<i32, SysError> {
    mine(sys, task, tty, real, "tiocgpgrp")?;
    Ok(pid_vnr(sys, task, sys.kernel.ttys.get(real).and_then(|t| t.pgrp)))
}

/// TIOCGSID: the session whose terminal it is.
///
/// # Errors
/// ENOTTY: it is not the caller's terminal, or nobody's.
pub fn tiocgsid(sys: &System, task: TaskId, tty: TtyId, real: TtyId) -> Result<i32, SysError> {
    mine(sys, task, tty, real, "tiocgsid")?;
    match sys.kernel.ttys.get(real).and_then(|t| t.session) {
        Some(session) => Ok(pid_vnr(sys, task, Some(session))),
        None => refuse(Errno::ENOTTY, "tiocgsid", "it is nobody's controlling terminal"),
    }
}

/// TIOCSPGRP: puts a group of the caller's session in front. `read` gives its
/// number once it may be asked for.
///
/// # Errors
/// Those of [`tty_check_change`], ENOTTY instead of EIO; EFAULT; EINVAL:
/// negative; ENOTTY: not the caller's terminal; ESRCH: no such pid; EPERM: not
/// a group of the session.
pub fn tiocspgrp(
    sys: &mut System,
    task: TaskId,
    real: TtyId,
    read: impl FnOnce(&mut System) -> Result<i32, SysError>,
) -> Result<(), SysError> {
    const F: &str = "tiocspgrp";
    tty_check_change(sys, task, real).map_err(|e| match e.errno {
        Errno::EIO => SysError { errno: Errno::ENOTTY, source_fn: F, ..e },
        _ => e,
    })?;
    let nr = read(sys)?;
    if nr < 0 {
        return refuse(Errno::EINVAL, F, "the group id is negative");
    }
    let session = role(sys, task, PidType::Sid);
    let held = sys.kernel.ttys.get(real).and_then(|t| t.session);
    if current_tty(sys, task) != Some(real) || held != session {
        return refuse(Errno::ENOTTY, F, "the terminal is not the caller's controlling terminal");
    }
    let Some(pgrp) = find_vpid(sys, task, nr) else {
        return refuse(Errno::ESRCH, F, "no process, group or session has this number");
    };
    if session_of_pgrp(sys, pgrp) != session {
        return refuse(Errno::EPERM, F, "there is no such group in the caller's session");
    }
    set_ctrl(sys, real, held, Some(pgrp));
    Ok(())
}

/// The session of a group, or of the process of that number if there is no
/// such group.
fn session_of_pgrp(sys: &System, pgrp: PidId) -> Option<PidId> {
    let p = pid_task(sys, pgrp, PidType::Pgid).or_else(|| pid_task(sys, pgrp, PidType::Pid))?;
    role(sys, p, PidType::Sid)
}
