//! System calls: signals. Handlers decode arguments; the verbs live elsewhere.
//!
//! Linux: include/linux/syscalls.h. Left out: signalfd, timers that send
//! signals; see the notes of the rows.

use super::table::{Syscall, row};
use super::{Call, Out, Payload};
use crate::abi::flags::SaFlags;
use crate::abi::signal::si_code;
use crate::abi::structs::SigInfo;
use crate::abi::{Errno, SigSet, Signal};
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::fs::pidfd::pidfd_to_pid;
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user};
use crate::kernel::pid::PidType;
use crate::kernel::pid::{task_active_pid_ns, task_pid_nr_ns};
use crate::kernel::signal::SigAction;
use crate::kernel::signal::action::{do_sigaction, do_sigpending, do_sigprocmask};
use crate::kernel::signal::altstack::{current_altstack, do_sigaltstack};
use crate::kernel::signal::frame::{SIGINFO_SIZE, rt_sigreturn, siginfo_bytes, siginfo_from_bytes};
use crate::kernel::signal::kill::{
    KillInfo, do_send_specific, kill_pgrp_type, kill_pid_info, kill_something, kill_something_info,
};
use crate::kernel::signal::sigwait;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

fn int(call: &Call, i: usize) -> i32 {
    call.args[i] as u32 as i32
}

fn put(sys: &mut System, task: TaskId, at: u64, bytes: &[u8]) -> Result<(), SysError> {
    if at == 0 { Ok(()) } else { copy_to_user(sys, task, at, bytes) }
}

fn get_u64s<const N: usize>(sys: &mut System, t: TaskId, at: u64) -> Result<[u64; N], SysError> {
    let mut words = [0; N];
    for (i, w) in words.iter_mut().enumerate() {
        let mut b = [0; 8];
        copy_from_user(sys, t, at.wrapping_add(i as u64 * 8), &mut b)?;
        *w = u64::from_le_bytes(b);
    }
    Ok(words)
}

/// Size of the kernel's sigset_t, which callers must state. A director's
/// payload states it by itself.
fn check_size(call: &Call, i: usize, function: &'static str) -> Result<(), SysError> {
    if call.args[i] == 8 || !call.is_plain() {
        return Ok(());
    }
    refuse(Errno::EINVAL, function, "sigsetsize is not the 8 bytes of the kernel's sigset_t")
}

fn sys_kill(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    traced!(sys, kill_something_info(t, int(call, 0), int(call, 1)))?;
    Ok(0)
}

fn sys_tkill(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let (pid, sig) = (int(call, 0), int(call, 1));
    if pid <= 0 {
        return Err(SysError::new(Errno::EINVAL, "tkill", "a thread id is positive").into());
    }
    let info = KillInfo::Sender(si_code::SI_TKILL);
    traced!(sys, do_send_specific(t, 0, pid, sig, info))?;
    Ok(0)
}

fn sys_tgkill(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let (tgid, pid, sig) = (int(call, 0), int(call, 1), int(call, 2));
    if pid <= 0 || tgid <= 0 {
        return Err(SysError::new(Errno::EINVAL, "tgkill", "both ids must be positive").into());
    }
    let info = KillInfo::Sender(si_code::SI_TKILL);
    traced!(sys, do_send_specific(t, tgid, pid, sig, info))?;
    Ok(0)
}

/// The siginfo that the caller sends, from the payload or from memory. The
/// number may be no signal at all: that is for the permission check to say.
fn user_siginfo(
    sys: &mut System,
    t: TaskId,
    call: &Call,
    arg: usize,
    sig: i32,
) -> Result<(SigInfo, i32), SysError> {
    let stand_in = Signal::new(sig).unwrap_or(Signal::SIGHUP);
    if let Payload::SigInfo(i) = &call.payload {
        return Ok((SigInfo { si_signo: stand_in, ..**i }, i.si_signo.number()));
    }
    let mut b = [0; SIGINFO_SIZE];
    copy_from_user(sys, t, call.args[arg], &mut b)?;
    let told = i32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    Ok((siginfo_from_bytes(stand_in, &b), told))
}

/// Codes from 0 up are the kernel's and kill's own; with them one could
/// pretend to be either.
fn is_impersonation(info: &SigInfo) -> bool {
    info.si_code >= 0 || info.si_code == si_code::SI_TKILL
}

const IMPERSONATION: &str = "a siginfo with a code from 0 up or SI_TKILL would pretend to come \
                             from the kernel or from kill(2); only to oneself is that allowed";

fn own_pid(sys: &System, t: TaskId) -> i32 {
    task_pid_nr_ns(sys, t, PidType::Pid, Some(task_active_pid_ns(sys, t)))
}

fn sys_rt_sigqueueinfo(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let (pid, sig) = (int(call, 0), int(call, 1));
    let (info, _) = user_siginfo(sys, t, call, 2, sig)?;
    if is_impersonation(&info) && own_pid(sys, t) != pid {
        return Err(SysError::new(Errno::EPERM, "do_rt_sigqueueinfo", IMPERSONATION).into());
    }
    // Unlike kill, it means one process whatever the sign of the number.
    if pid <= 0 {
        let why = "no process has this pid (groups cannot be named here)";
        return Err(SysError::new(Errno::ESRCH, "kill_proc_info", why).into());
    }
    traced!(sys, kill_something(t, pid, sig, KillInfo::Given(info)))?;
    Ok(0)
}

fn sys_rt_tgsigqueueinfo(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    const F: &str = "do_rt_tgsigqueueinfo";
    let (tgid, pid, sig) = (int(call, 0), int(call, 1), int(call, 2));
    let (info, _) = user_siginfo(sys, t, call, 3, sig)?;
    if pid <= 0 || tgid <= 0 {
        return Err(SysError::new(Errno::EINVAL, F, "both ids must be positive").into());
    }
    if is_impersonation(&info) && own_pid(sys, t) != pid {
        return Err(SysError::new(Errno::EPERM, F, IMPERSONATION).into());
    }
    traced!(sys, do_send_specific(t, tgid, pid, sig, KillInfo::Given(info)))?;
    Ok(0)
}

/// PIDFD_SIGNAL_THREAD, _THREAD_GROUP, _PROCESS_GROUP.
const PIDFD_SIGNAL: [u32; 3] = [1, 2, 4];
/// PIDFD_SELF_THREAD and PIDFD_SELF_THREAD_GROUP: names for oneself.
const PIDFD_SELF: [i32; 2] = [-10000, -10001];

fn sys_pidfd_send_signal(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    const F: &str = "pidfd_send_signal";
    let (fd, sig, flags) = (int(call, 0), int(call, 1), call.args[3] as u32);
    if flags != 0 && !PIDFD_SIGNAL.contains(&flags) {
        let why = "flags is not one of PIDFD_SIGNAL_THREAD, _THREAD_GROUP, _PROCESS_GROUP";
        return Err(SysError::new(Errno::EINVAL, F, why).into());
    }
    let mut ty = match flags {
        1 => PidType::Pid,
        4 => PidType::Pgid,
        _ => PidType::Tgid,
    };
    let own = sys.task(t).thread_pid;
    let pid = if fd == PIDFD_SELF[0] {
        if flags == 0 {
            ty = PidType::Pid;
        }
        own
    } else if fd == PIDFD_SELF[1] {
        sys.task(sys.task(t).group_leader).thread_pid
    } else {
        let (pid, thread) = pidfd_to_pid(sys, t, fd)?;
        let thread = thread.contains(crate::abi::OpenFlags::O_EXCL);
        if flags == 0 && thread {
            ty = PidType::Pid;
        }
        Some(pid)
    };
    let ns = task_active_pid_ns(sys, t);
    if let Some(p) = pid
        && !sys.kernel.pids[p].numbers.iter().any(|n| n.ns == ns)
    {
        let why = "the process is not in the caller's pid namespace or one below";
        return Err(SysError::new(Errno::EINVAL, "access_pidfd_pidns", why).into());
    }
    let info = if call.args[2] == 0 && call.is_plain() {
        let code = if ty == PidType::Pid { si_code::SI_TKILL } else { si_code::SI_USER };
        KillInfo::Sender(code)
    } else {
        let (info, told) = user_siginfo(sys, t, call, 2, sig)?;
        if told != sig {
            let why = "the siginfo is for another signal than the argument";
            return Err(SysError::new(Errno::EINVAL, F, why).into());
        }
        if (pid != own || ty == PidType::Pgid) && is_impersonation(&info) {
            return Err(SysError::new(Errno::EPERM, F, IMPERSONATION).into());
        }
        KillInfo::Given(info)
    };
    if ty == PidType::Pgid {
        kill_pgrp_type(sys, t, sig, info, pid)?;
    } else {
        traced!(sys, kill_pid_info(t, sig, info, pid, ty))?;
    }
    Ok(0)
}

fn sys_rt_sigaction(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    check_size(call, 3, "rt_sigaction")?;
    let new = match (&call.payload, call.args[1]) {
        (Payload::SigAction(a), _) => Some(*a),
        (_, 0) => None,
        (_, at) => {
            let [handler, flags, restorer, mask] = get_u64s(sys, t, at)?;
            let flags = SaFlags::from_bits_truncate(flags);
            Some(SigAction { handler, flags, restorer, mask: SigSet(mask) })
        }
    };
    let old = traced!(sys, do_sigaction(t, int(call, 0), new))?;
    let words = [old.handler, old.flags.bits(), old.restorer, old.mask.0];
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    put(sys, t, call.args[2], &bytes)?;
    sys.set_out(t, Out::SigAction(old));
    Ok(0)
}

/// The set an argument points to; `None` for NULL.
fn sigset(sys: &mut System, t: TaskId, call: &Call, i: usize) -> Result<Option<SigSet>, SysError> {
    match (&call.payload, call.args[i]) {
        (Payload::SigSet(s) | Payload::TimedSet(s, ..), _) => Ok(Some(*s)),
        (_, 0) => Ok(None),
        (_, at) => {
            let [word] = get_u64s(sys, t, at)?;
            Ok(Some(SigSet(word)))
        }
    }
}

/// The same where NULL is no set.
fn sigset_needed(sys: &mut System, t: TaskId, call: &Call, i: usize) -> Result<SigSet, SysError> {
    match sigset(sys, t, call, i)? {
        Some(s) => Ok(s),
        None => refuse(Errno::EFAULT, "copy_from_user", "the pointer to the signal set is NULL"),
    }
}

fn sys_rt_sigprocmask(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    check_size(call, 3, "rt_sigprocmask")?;
    let set = sigset(sys, t, call, 1)?;
    let old = traced!(sys, do_sigprocmask(t, int(call, 0), set))?;
    put(sys, t, call.args[2], &old.0.to_le_bytes())?;
    sys.set_out(t, Out::SigSet(old));
    Ok(0)
}

fn sys_rt_sigpending(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let size = call.args[1];
    if size > 8 {
        let why = "sigsetsize is more than the 8 bytes of the kernel's sigset_t";
        return Err(SysError::new(Errno::EINVAL, "rt_sigpending", why).into());
    }
    let set = do_sigpending(sys, t);
    let bytes = set.0.to_le_bytes();
    if !call.wants_out(0) {
        copy_to_user(sys, t, call.args[0], &bytes[..size as usize])?;
    }
    sys.set_out(t, Out::SigSet(set));
    Ok(0)
}

fn sys_rt_sigsuspend(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    check_size(call, 1, "rt_sigsuspend")?;
    // One that has slept does not look into user memory again: its mask is set.
    let set = match sys.task(t).resume.is_some() {
        true => sys.task(t).blocked,
        false => sigset_needed(sys, t, call, 0)?,
    };
    sigwait::sigsuspend(sys, t, set)
}

fn sys_rt_sigtimedwait(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    // One that has slept does not look into user memory again.
    let (set, timeout) = match sys.task(t).sigtimedwait.as_deref() {
        Some(waited) => (waited.set, None),
        None => sigtimedwait_args(sys, t, call)?,
    };
    let info = sigwait::do_sigtimedwait(sys, t, set, timeout)?;
    put(sys, t, call.args[1], &siginfo_bytes(&info))?;
    sys.set_out(t, Out::SigInfo(Box::new(info)));
    Ok(i64::from(info.si_signo.number()))
}

/// The set and how long to wait for it, in ns.
fn sigtimedwait_args(
    sys: &mut System,
    t: TaskId,
    call: &Call,
) -> Result<(SigSet, Option<u64>), SysError> {
    const F: &str = "rt_sigtimedwait";
    check_size(call, 3, F)?;
    let set = sigset_needed(sys, t, call, 0)?;
    let time = match (&call.payload, call.args[2]) {
        (Payload::TimedSet(_, sec, nsec), _) => Some([*sec as u64, *nsec as u64]),
        (_, 0) => None,
        (_, at) => Some(get_u64s(sys, t, at)?),
    };
    let timeout = match time {
        None => None,
        Some([sec, nsec]) => {
            if (sec as i64) < 0 || nsec >= 1_000_000_000 {
                let why = "the timeout is negative, or has more nanoseconds than a second";
                return Err(SysError::new(Errno::EINVAL, F, why));
            }
            Some(sec.saturating_mul(1_000_000_000).saturating_add(nsec))
        }
    };
    Ok((set, timeout))
}

fn sys_pause(sys: &mut System, t: TaskId, _: &Call) -> SysResult {
    sigwait::pause(sys, t)
}

fn sys_rt_sigreturn(sys: &mut System, t: TaskId, _: &Call) -> SysResult {
    Ok(traced!(sys, rt_sigreturn(t)))
}

fn sys_sigaltstack(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let new = match (&call.payload, call.args[0]) {
        (Payload::AltStack(sp, flags, size), _) => Some((*sp, *flags, *size)),
        (_, 0) => None,
        (_, at) => {
            let [sp, flags, size] = get_u64s(sys, t, at)?;
            Some((sp, flags as u32, size))
        }
    };
    let old = current_altstack(sys.task(t));
    if let Some((ss_sp, flags, size)) = new {
        let sp = sys.task(t).regs.sp;
        traced!(sys, do_sigaltstack(t, ss_sp, flags, size, sp))?;
    }
    let words = [old.0, u64::from(old.1), old.2];
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    put(sys, t, call.args[1], &bytes)?;
    sys.set_out(t, Out::AltStack(old.0, old.1, old.2));
    Ok(0)
}

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(62, "kill", &["pid", "sig"], sys_kill),
    row(200, "tkill", &["tid", "sig"], sys_tkill),
    row(234, "tgkill", &["tgid", "tid", "sig"], sys_tgkill),
    row(129, "rt_sigqueueinfo", &["tgid", "sig", "info"], sys_rt_sigqueueinfo),
    row(297, "rt_tgsigqueueinfo", &["tgid", "tid", "sig", "info"], sys_rt_tgsigqueueinfo),
    row(424, "pidfd_send_signal", &["pidfd", "sig", "info", "flags"], sys_pidfd_send_signal),
    row(13, "rt_sigaction", &["signum", "act", "oldact", "sigsetsize"], sys_rt_sigaction),
    row(14, "rt_sigprocmask", &["how", "set", "oldset", "sigsetsize"], sys_rt_sigprocmask),
    row(127, "rt_sigpending", &["set", "sigsetsize"], sys_rt_sigpending),
    row(130, "rt_sigsuspend", &["mask", "sigsetsize"], sys_rt_sigsuspend),
    row(128, "rt_sigtimedwait", &["set", "info", "timeout", "sigsetsize"], sys_rt_sigtimedwait),
    row(34, "pause", &[], sys_pause),
    row(15, "rt_sigreturn", &[], sys_rt_sigreturn).partly("the frame holds no FPU state"),
    row(131, "sigaltstack", &["ss", "old_ss"], sys_sigaltstack),
];
