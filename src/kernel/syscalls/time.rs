//! System calls: time. Handlers decode arguments; the verbs live elsewhere.
//!
//! Linux: kernel/time/{hrtimer,posix-timers,time}.c.
//! Left out: setting clocks; timers that send signals.

use super::table::{Syscall, row};
use super::{Call, Out, Payload};
use crate::kernel::error::{SysError, SysResult};
use crate::kernel::mm::uaccess::copy_from_user;
use crate::kernel::nanosleep::{self, Clock, timespec_to_ns};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(35, "nanosleep", &["rqtp", "rmtp"], sys_nanosleep)
        .noting("ends at its time exactly: there is no slack"),
    row(219, "restart_syscall", &[], sys_restart_syscall),
    row(228, "clock_gettime", &["which_clock", "tp"], sys_clock_gettime)
        .partly("not the clocks of processor time; the coarse ones are as fine as the others"),
    row(230, "clock_nanosleep", &["which_clock", "flags", "rqtp", "rmtp"], sys_clock_nanosleep)
        .partly("not on the clocks of processor time"),
];

/// The timespec that argument `i` points to, in ns (`get_timespec64`).
///
/// # Errors
/// EFAULT, EINVAL.
pub(super) fn get_timespec(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    i: usize,
    function: &'static str,
) -> Result<u64, SysError> {
    let (sec, nsec) = match call.payload {
        Payload::Timespec(sec, nsec) => (sec, nsec),
        _ => {
            let mut words = [[0; 8]; 2];
            for (word, k) in words.iter_mut().zip([0, 8]) {
                copy_from_user(sys, task, call.args[i].wrapping_add(k), word)?;
            }
            (i64::from_le_bytes(words[0]), i64::from_le_bytes(words[1]))
        }
    };
    timespec_to_ns(sec, nsec, function)
}

fn sys_nanosleep(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let ns = get_timespec(sys, t, call, 0, "nanosleep")?;
    traced!(sys, nanosleep::sleep_for(t, ns, call.args[1]))
}

fn sys_clock_nanosleep(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    const TIMER_ABSTIME: u64 = 1;
    let clock = Clock::to_sleep(call.args[0])?;
    let ns = get_timespec(sys, t, call, 2, "clock_nanosleep")?;
    // Other bits are ignored.
    if call.args[1] & TIMER_ABSTIME != 0 {
        return traced!(sys, nanosleep::sleep_until(t, clock.monotonic(ns)));
    }
    traced!(sys, nanosleep::sleep_for(t, ns, call.args[3]))
}

fn sys_clock_gettime(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let now = Clock::to_read(call.args[0])?.now(sys);
    if !call.wants_out(1) {
        nanosleep::put_timespec(sys, t, call.args[1], now)?;
    }
    sys.set_out(t, Out::Number(now));
    Ok(0)
}

fn sys_restart_syscall(sys: &mut System, t: TaskId, _: &Call) -> SysResult {
    traced!(sys, nanosleep::restart_syscall(t))
}
