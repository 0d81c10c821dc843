//! System calls: select and pselect6. Handlers decode arguments; the verb lives
//! in `fs::fd_set`.
//!
//! Both store what is left of the time where it was given, when they end before
//! it is over.
//!
//! Linux: fs/select.c (kern_select, do_pselect, poll_select_finish).
//! Left out: see the notes of the rows; STICKY_TIMEOUTS.

use super::poll::{Left, begin_masked, end, finish};
use super::structs::words;
use super::table::{Syscall, row};
use super::{Call, Payload};
use crate::abi::SigSet;
use crate::kernel::error::{SysError, SysResult};
use crate::kernel::fs::fd_set::{FdSets, core_sys_select};
use crate::kernel::fs::select::{has_slept, sleeps_until};
use crate::kernel::mm::uaccess::{copy_from_user, get_user_u64};
use crate::kernel::nanosleep::timespec_to_ns;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::sync::Arc;

/// What a director passes instead of pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectArgs {
    /// Who is asked whether it can be read, written, has urgent data.
    pub sets: Arc<[Vec<i32>; 3]>,
    /// How long, in ns; `None` for ever.
    pub timeout: Option<u64>,
}

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(23, "select", &["n", "inp", "outp", "exp", "tvp"], sys_select).partly(super::poll::NOTE),
    row(270, "pselect6", &["n", "inp", "outp", "exp", "tsp", "sig"], sys_pselect6)
        .partly(super::poll::NOTE),
];

fn sets(call: &Call) -> FdSets {
    match &call.payload {
        Payload::Select(given) => FdSets::Given(Arc::clone(&given.sets)),
        _ => FdSets::User([call.args[1], call.args[2], call.args[3]], call.args[0] as i32),
    }
}

/// The time that argument 4 points to, in ns; `None` for ever.
fn timeout(sys: &mut System, t: TaskId, call: &Call, unit: i64) -> Result<Option<u64>, SysError> {
    if let Payload::Select(given) = &call.payload {
        return Ok(given.timeout);
    }
    if call.args[4] == 0 {
        return Ok(None);
    }
    let mut image = [0; 16];
    copy_from_user(sys, t, call.args[4], &mut image)?;
    let [sec, part] = words(&image);
    // select(2) takes any number of microseconds.
    let (sec, nsec) = match unit {
        1 => (sec, part),
        _ => (sec.wrapping_add(part / 1_000_000), part % 1_000_000 * unit),
    };
    timespec_to_ns(sec, nsec, "poll_select_set_timeout").map(Some)
}

fn sys_select(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let until = match has_slept(sys, t) {
        true => sleeps_until(sys, t),
        false => timeout(sys, t, call, 1_000)?.map(|ns| end(sys, ns)),
    };
    let result = core_sys_select(sys, t, call, &sets(call), until);
    finish(sys, t, call, until, Left::Timeval(4), result)
}

/// The mask: argument 5 points to a pointer to it and its size.
fn sigmask(sys: &mut System, t: TaskId, call: &Call) -> Result<Option<SigSet>, SysError> {
    if call.args[5] == 0 || !call.is_plain() {
        return Ok(None);
    }
    let mut image = [0; 16];
    copy_from_user(sys, t, call.args[5], &mut image)?;
    let [mask, size] = words(&image);
    if mask == 0 {
        return Ok(None);
    }
    super::poll::check_sigsetsize(size as u64)?;
    Ok(Some(SigSet(get_user_u64(sys, t, mask as u64)?)))
}

fn sys_pselect6(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let until = match has_slept(sys, t) {
        true => sleeps_until(sys, t),
        false => {
            let until = timeout(sys, t, call, 1)?.map(|ns| end(sys, ns));
            let mask = sigmask(sys, t, call)?;
            begin_masked(sys, t, mask);
            until
        }
    };
    let result = core_sys_select(sys, t, call, &sets(call), until);
    finish(sys, t, call, until, Left::Timespec(4), result)
}
