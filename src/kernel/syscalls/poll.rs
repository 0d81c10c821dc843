//! System calls: waiting for descriptors. Handlers decode arguments; the verbs
//! live elsewhere.
//!
//! Linux: fs/select.c (SYSCALL_DEFINE of poll and ppoll, poll_select_finish,
//! set_user_sigmask). Left out: see the notes of the rows.

use super::table::{Syscall, row};
use super::{Call, Payload, time};
use crate::abi::{Errno, SigSet};
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::fs::select::{self, PollFd, Ufds};
use crate::kernel::mm::uaccess::get_user_u64;
use crate::kernel::nanosleep::put_timespec;
use crate::kernel::signal::pending::{restore_saved_sigmask, set_current_blocked};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::sync::Arc;

/// What a director passes instead of pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollArgs {
    /// The descriptors.
    pub fds: Arc<[PollFd]>,
    /// ppoll: how long, in seconds and nanoseconds; `None` for ever.
    pub timeout: Option<(i64, i64)>,
    /// ppoll: the mask while it waits.
    pub mask: Option<SigSet>,
}

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(7, "poll", &["ufds", "nfds", "timeout_msecs"], sys_poll).partly(NOTE),
    row(271, "ppoll", &["ufds", "nfds", "tsp", "sigmask", "sigsetsize"], sys_ppoll).partly(NOTE),
];

pub(super) const NOTE: &str =
    "not on files of control groups; ends at its time exactly: there is no slack";

fn ufds(call: &Call) -> Ufds {
    match &call.payload {
        Payload::Poll(given) => Ufds::Given(Arc::clone(&given.fds)),
        _ => Ufds::User(call.args[0], call.args[1] as u32),
    }
}

/// When a time from now is over (`poll_select_set_timeout`); no time at all is
/// over already.
pub(super) fn end(sys: &System, ns: u64) -> u64 {
    if ns == 0 { 0 } else { sys.machine.clock.now().saturating_add(ns) }
}

fn sys_poll(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    const NSEC_PER_MSEC: u64 = 1_000_000;
    let msecs = call.args[2] as i32;
    let end = u64::try_from(msecs).ok().map(|ms| end(sys, ms * NSEC_PER_MSEC));
    select::poll(sys, t, call, &ufds(call), end)
}

/// The mask that argument 3 points to.
fn user_sigmask(sys: &mut System, t: TaskId, call: &Call) -> Result<Option<SigSet>, SysError> {
    match &call.payload {
        Payload::Poll(given) => return Ok(given.mask),
        _ if call.args[3] == 0 => return Ok(None),
        _ => {}
    }
    check_sigsetsize(call.args[4])?;
    Ok(Some(SigSet(get_user_u64(sys, t, call.args[3])?)))
}

/// The size of a mask in user memory.
///
/// # Errors
/// EINVAL.
pub(super) fn check_sigsetsize(size: u64) -> Result<(), SysError> {
    if size != 8 {
        let why = "sigsetsize is not the 8 bytes of the kernel's sigset_t";
        return refuse(Errno::EINVAL, "set_user_sigmask", why);
    }
    Ok(())
}

/// Another mask while the call waits, if there is one (`set_user_sigmask`).
pub(super) fn begin_masked(sys: &mut System, t: TaskId, mask: Option<SigSet>) {
    if let Some(mask) = mask {
        let task = sys.task_mut(t);
        task.saved_sigmask = Some(task.blocked);
        set_current_blocked(sys, t, mask);
    }
}

/// Where what is left of the time goes, by the number of the argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Into a timespec.
    Timespec(usize),
    /// Into a timeval.
    Timeval(usize),
}

/// The mask counts from the first look to the end; sleeping tasks keep it, as a
/// sender of signals looks there. A signal's handler runs before the old one
/// comes back.
fn sys_ppoll(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let until;
    if !select::has_slept(sys, t) {
        let ns = match &call.payload {
            Payload::Poll(given) => match given.timeout {
                Some((sec, nsec)) => {
                    Some(crate::kernel::nanosleep::timespec_to_ns(sec, nsec, "ppoll")?)
                }
                None => None,
            },
            _ if call.args[2] == 0 => None,
            _ => Some(time::get_timespec(sys, t, call, 2, "ppoll")?),
        };
        until = ns.map(|ns| end(sys, ns));
        let mask = user_sigmask(sys, t, call)?;
        begin_masked(sys, t, mask);
    } else {
        until = select::sleeps_until(sys, t);
    }
    let result = select::do_sys_poll(sys, t, call, &ufds(call), until);
    finish(sys, t, call, until, Left::Timespec(2), result)
}

/// `poll_select_finish`: the old mask, unless a handler runs first, and what is
/// left of the time.
pub(super) fn finish(
    sys: &mut System,
    t: TaskId,
    call: &Call,
    until: Option<u64>,
    to: Left,
    result: SysResult,
) -> SysResult {
    if matches!(result, Err(Stop::Block(_))) {
        return result;
    }
    let again = matches!(&result, Err(Stop::Error(e)) if e.errno == Errno::ERESTARTNOHAND);
    if !again {
        restore_saved_sigmask(sys, t);
    }
    let (Left::Timespec(i) | Left::Timeval(i)) = to;
    let at = if call.is_plain() { call.args[i] } else { 0 };
    let Some(until) = until.filter(|until| *until != 0 && at != 0) else { return result };
    let left = until.saturating_sub(sys.machine.clock.now());
    let put = match to {
        Left::Timespec(_) => put_timespec(sys, t, at, left),
        Left::Timeval(_) => time::put_timevals(sys, t, at, &[left]),
    };
    match (put, result) {
        // Begun again it would not know how long is left.
        (Err(_), Err(Stop::Error(e))) if again => Err(SysError { errno: Errno::EINTR, ..e }.into()),
        (_, result) => result,
    }
}
