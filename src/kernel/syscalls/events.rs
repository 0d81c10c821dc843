//! System calls: events, timers and signals as descriptors. Handlers decode
//! arguments; the verbs live elsewhere.
//!
//! Linux: fs/eventfd.c, fs/timerfd.c, fs/signalfd.c.
//! Left out: see the notes of the rows.

use super::poll::check_sigsetsize;
use super::structs::{give, take, words};
use super::table::{Syscall, row};
use super::{Call, Payload};
use crate::abi::SigSet;
use crate::kernel::error::{SysError, SysResult};
use crate::kernel::fs::{eventfd, signalfd, timerfd};
use crate::kernel::mm::uaccess::copy_to_user;
use crate::kernel::nanosleep::{NSEC_PER_SEC, timespec_to_ns};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::timer::Itimerspec;

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(284, "eventfd", &["count"], |sys, t, call| {
        Ok(eventfd::do_eventfd(sys, t, call.args[0] as u32, 0)?.into())
    }),
    row(290, "eventfd2", &["count", "flags"], |sys, t, call| {
        Ok(eventfd::do_eventfd(sys, t, call.args[0] as u32, call.args[1] as u32)?.into())
    }),
    row(282, "signalfd", &["ufd", "user_mask", "sizemask"], |sys, t, call| {
        signalfd4(sys, t, call, 0)
    }),
    row(289, "signalfd4", &["ufd", "user_mask", "sizemask", "flags"], |sys, t, call| {
        signalfd4(sys, t, call, call.args[3] as u32)
    }),
    row(283, "timerfd_create", &["clockid", "flags"], |sys, t, call| {
        Ok(timerfd::timerfd_create(sys, t, call.args[0] as u32, call.args[1] as u32)?.into())
    })
    .partly("CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME"),
    row(286, "timerfd_settime", &["ufd", "flags", "utmr", "otmr"], sys_timerfd_settime),
    row(287, "timerfd_gettime", &["ufd", "otmr"], sys_timerfd_gettime),
];

/// The `struct itimerspec` that argument `i` points to.
///
/// # Errors
/// EFAULT, EINVAL.
pub(super) fn get_itimerspec(
    sys: &mut System,
    t: TaskId,
    call: &Call,
    i: usize,
    f: &'static str,
) -> Result<Itimerspec, SysError> {
    let w: [i64; 4] = words(&take::<32>(sys, t, call, i)?);
    let (interval, value) = (timespec_to_ns(w[0], w[1], f)?, timespec_to_ns(w[2], w[3], f)?);
    Ok(Itimerspec { value, interval })
}

/// The structure as user mode reads it.
pub(super) fn itimerspec_bytes(spec: Itimerspec) -> Vec<u8> {
    [spec.interval, spec.value]
        .into_iter()
        .flat_map(|ns| [ns / NSEC_PER_SEC, ns % NSEC_PER_SEC])
        .flat_map(u64::to_le_bytes)
        .collect()
}

fn signalfd4(sys: &mut System, t: TaskId, call: &Call, flags: u32) -> SysResult {
    let mask = match call.payload {
        Payload::SigSet(mask) => mask,
        _ => {
            check_sigsetsize(call.args[2])?;
            SigSet(u64::from_le_bytes(take(sys, t, call, 1)?))
        }
    };
    Ok(signalfd::do_signalfd4(sys, t, call.args[0] as i32, mask, flags)?.into())
}

fn sys_timerfd_settime(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let [fd, flags, _, old, ..] = call.args;
    let new = get_itimerspec(sys, t, call, 2, "timerfd_settime")?;
    let was = timerfd::do_timerfd_settime(sys, t, fd as i32, flags as u32, new)?;
    if old != 0 {
        copy_to_user(sys, t, old, &itimerspec_bytes(was))?;
    }
    Ok(0)
}

fn sys_timerfd_gettime(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let now = timerfd::do_timerfd_gettime(sys, t, call.args[0] as i32)?;
    give(sys, t, call, 1, &itimerspec_bytes(now))?;
    Ok(0)
}
