//! System calls: epoll. Handlers decode arguments; the verbs live elsewhere.
//!
//! Linux: fs/eventpoll.c (SYSCALL_DEFINE of epoll_create, epoll_ctl, epoll_wait,
//! epoll_pwait, epoll_pwait2).
//! Left out: see the notes of the rows.

use super::Call;
use super::poll::{begin_masked, check_sigsetsize, end};
use super::structs::{take, words};
use super::table::{Syscall, row};
use crate::abi::numbers::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD};
use crate::abi::{Errno, SigSet};
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::fs::eventpoll::{
    CtlOp, EPOLL_EVENT_SIZE, do_epoll_create, do_epoll_ctl, do_epoll_wait,
};
use crate::kernel::mm::uaccess::{copy_from_user, get_user_u64};
use crate::kernel::nanosleep::timespec_to_ns;
use crate::kernel::signal::pending::restore_saved_sigmask;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(213, "epoll_create", &["size"], sys_epoll_create),
    row(291, "epoll_create1", &["flags"], |sys, t, call| {
        Ok(do_epoll_create(sys, t, call.args[0] as u32)?.into())
    }),
    row(233, "epoll_ctl", &["epfd", "op", "fd", "event"], sys_epoll_ctl)
        .partly("not EPOLLEXCLUSIVE; not on files of control groups"),
    row(232, "epoll_wait", &["epfd", "events", "maxevents", "timeout"], sys_epoll_wait)
        .noting(NOTE),
    row(
        281,
        "epoll_pwait",
        &["epfd", "events", "maxevents", "timeout", "sigmask", "sigsetsize"],
        sys_epoll_pwait,
    )
    .noting(NOTE),
    row(
        441,
        "epoll_pwait2",
        &["epfd", "events", "maxevents", "timeout", "sigmask", "sigsetsize"],
        sys_epoll_pwait2,
    )
    .noting(NOTE),
];

const NOTE: &str = "ends at its time exactly: there is no slack";

fn sys_epoll_create(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    // The size is of no use, but has to be one.
    if call.args[0] as i32 <= 0 {
        return Ok(refuse(Errno::EINVAL, "epoll_create", "the size is not positive")?);
    }
    Ok(do_epoll_create(sys, t, 0)?.into())
}

fn sys_epoll_ctl(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let [epfd, op, fd, ..] = call.args;
    let op = op as i32;
    let mut event = [0; EPOLL_EVENT_SIZE];
    if op != EPOLL_CTL_DEL as i32 {
        event = take(sys, t, call, 3)?;
    }
    let events = u32::from_le_bytes([event[0], event[1], event[2], event[3]]);
    let [data] = words(&event[4..]);
    let op = match u32::try_from(op) {
        Ok(EPOLL_CTL_ADD) => CtlOp::Add(events, data as u64),
        Ok(EPOLL_CTL_DEL) => CtlOp::Del,
        Ok(EPOLL_CTL_MOD) => CtlOp::Mod(events, data as u64),
        _ => CtlOp::Unknown(op),
    };
    do_epoll_ctl(sys, t, epfd as i32, op, fd as i32)?;
    Ok(0)
}

/// When a wait of so many milliseconds ends; a negative number is for ever.
fn end_msecs(sys: &System, msecs: i32) -> Option<u64> {
    const NSEC_PER_MSEC: u64 = 1_000_000;
    u64::try_from(msecs).ok().map(|ms| end(sys, ms * NSEC_PER_MSEC))
}

fn sys_epoll_wait(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let end = end_msecs(sys, call.args[3] as i32);
    do_epoll_wait(sys, t, call, end)
}

/// The mask of argument 4 counts while it waits. A signal's handler runs before
/// the old one comes back.
fn masked(sys: &mut System, t: TaskId, call: &Call, end: Option<u64>) -> SysResult {
    if sys.task(t).resume.is_none() && call.args[4] != 0 {
        check_sigsetsize(call.args[5])?;
        let mask = SigSet(get_user_u64(sys, t, call.args[4])?);
        begin_masked(sys, t, Some(mask));
    }
    let result = do_epoll_wait(sys, t, call, end);
    match &result {
        Err(Stop::Block(_)) => {}
        Err(Stop::Error(e)) if e.errno == Errno::EINTR => {}
        _ => restore_saved_sigmask(sys, t),
    }
    result
}

fn sys_epoll_pwait(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let end = end_msecs(sys, call.args[3] as i32);
    masked(sys, t, call, end)
}

fn sys_epoll_pwait2(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let end = match call.args[3] {
        0 => None,
        _ if sys.task(t).resume.is_some() => None,
        at => Some(timeout(sys, t, at)?).map(|ns| end(sys, ns)),
    };
    masked(sys, t, call, end)
}

fn timeout(sys: &mut System, t: TaskId, at: u64) -> Result<u64, SysError> {
    let mut image = [0; 16];
    copy_from_user(sys, t, at, &mut image)?;
    let [sec, nsec] = words(&image);
    timespec_to_ns(sec, nsec, "epoll_pwait2")
}
