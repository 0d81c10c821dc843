//! System calls: time. Handlers decode arguments; the verbs live elsewhere.
//!
//! Linux: kernel/time/{hrtimer,posix-timers,time}.c.
//! Left out: setting clocks.

use super::structs::{take, words};
use super::table::{Syscall, row};
use super::{Call, Out, Payload};
use crate::abi::{Cap, Errno};
use crate::kernel::capability::capable;
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::itimer::{self, Itimerval, Which};
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user, put_user_u64};
use crate::kernel::nanosleep::{self, Clock, NSEC_PER_SEC, timespec_to_ns};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(35, "nanosleep", &["rqtp", "rmtp"], sys_nanosleep)
        .noting("ends at its time exactly: there is no slack"),
    row(36, "getitimer", &["which", "value"], sys_getitimer),
    row(37, "alarm", &["seconds"], sys_alarm),
    row(38, "setitimer", &["which", "value", "ovalue"], sys_setitimer)
        .noting("timers of processor time are exact, not of ticks"),
    row(201, "time", &["tloc"], sys_time),
    row(164, "settimeofday", &["tv", "tz"], sys_settimeofday)
        .partly("checked as Linux does; then refused: nobody sets the clock"),
    row(227, "clock_settime", &["which_clock", "tp"], sys_clock_settime)
        .partly("checked as Linux does; then refused: nobody sets the clock"),
    row(229, "clock_getres", &["which_clock", "tp"], sys_clock_getres)
        .noting("a nanosecond, of the coarse clocks too"),
    row(96, "gettimeofday", &["tv", "tz"], sys_gettimeofday)
        .noting("the time zone is that of Greenwich"),
    row(219, "restart_syscall", &[], sys_restart_syscall),
    row(228, "clock_gettime", &["which_clock", "tp"], sys_clock_gettime)
        .noting("the coarse clocks are as fine as the others"),
    row(230, "clock_nanosleep", &["which_clock", "flags", "rqtp", "rmtp"], sys_clock_nanosleep)
        .partly("not on the clocks of processor time"),
];

/// The timespec that argument `i` points to, in ns (`get_timespec64`). A call
/// that has slept keeps when it ends, and does not look into user memory again:
/// 0 for that one.
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
        _ if sys.task(task).resume.is_some() => return Ok(0),
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

/// Stores times as timevals, value by value.
pub(super) fn put_timevals(
    sys: &mut System,
    t: TaskId,
    addr: u64,
    ns: &[u64],
) -> Result<(), SysError> {
    let words = ns.iter().flat_map(|ns| [ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / 1_000]);
    let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    copy_to_user(sys, t, addr, &bytes)
}

fn sys_getitimer(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let which = Which::by_number(call.args[0], "getitimer")?;
    let now = itimer::do_getitimer(sys, t, which);
    if !call.wants_out(1) {
        put_timevals(sys, t, call.args[1], &[now.interval, now.value])?;
    }
    sys.set_out(t, Out::Itimer(now));
    Ok(0)
}

fn sys_setitimer(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let [which, new, old, ..] = call.args;
    let words = match call.payload {
        Payload::Itimer([value, value_us, interval, interval_us]) => {
            [interval, interval_us, value, value_us]
        }
        _ if new == 0 => [0; 4],
        _ => {
            let mut bytes = [0; 32];
            copy_from_user(sys, t, new, &mut bytes)?;
            let (words, _) = bytes.as_chunks::<8>();
            std::array::from_fn(|i| i64::from_le_bytes(words[i]))
        }
    };
    let value = itimer::timeval_to_ns(words[2], words[3])?;
    let interval = itimer::timeval_to_ns(words[0], words[1])?;
    let which = Which::by_number(which, "setitimer")?;
    let was = traced!(sys, itimer::do_setitimer(t, which, Itimerval { value, interval }));
    if old != 0 {
        put_timevals(sys, t, old, &[was.interval, was.value])?;
    }
    sys.set_out(t, Out::Itimer(was));
    Ok(0)
}

fn sys_alarm(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    Ok(traced!(sys, itimer::alarm(t, call.args[0] as u32)))
}

fn sys_gettimeofday(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let now = Clock::Realtime.now(sys);
    if call.args[0] != 0 {
        put_timevals(sys, t, call.args[0], &[now])?;
    }
    if call.args[1] != 0 {
        copy_to_user(sys, t, call.args[1], &[0; 8])?;
    }
    sys.set_out(t, Out::Number(now / 1_000));
    Ok(0)
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
    let now = Clock::to_read(sys, t, call.args[0], "clock_gettime")?.now(sys);
    if !call.wants_out(1) {
        nanosleep::put_timespec(sys, t, call.args[1], now)?;
    }
    sys.set_out(t, Out::Number(now));
    Ok(0)
}

fn sys_restart_syscall(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    traced!(sys, nanosleep::restart_syscall(t, call))
}

fn sys_time(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let now = Clock::Realtime.now(sys) / NSEC_PER_SEC;
    if call.args[0] != 0 {
        put_user_u64(sys, t, call.args[0], now)?;
    }
    Ok(now as i64)
}

fn sys_clock_getres(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    Clock::to_read(sys, t, call.args[0], "clock_getres")?;
    // The clock counts nanoseconds, and so does the charging of tasks.
    const RESOLUTION: u64 = 1;
    if call.args[1] != 0 {
        nanosleep::put_timespec(sys, t, call.args[1], RESOLUTION)?;
    }
    sys.set_out(t, Out::Number(RESOLUTION));
    Ok(0)
}

/// Who may set the clock, and that nobody does (`security_settime64`).
fn refuse_settime(sys: &mut System, t: TaskId, function: &'static str) -> SysResult {
    if !capable(sys, t, Cap::CAP_SYS_TIME) {
        return Ok(refuse(Errno::EPERM, function, "setting the clock needs CAP_SYS_TIME")?);
    }
    let why = "the clock is not set: it is virtual, and starts at the same time in every run";
    Ok(refuse(Errno::ENOSYS, function, why)?)
}

fn sys_clock_settime(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    const F: &str = "clock_settime";
    if call.args[0] as i32 != 0 {
        Clock::to_read(sys, t, call.args[0], F)?;
        let own = matches!(call.args[0] as i32, id if id < 0);
        let (errno, why) = match own {
            true => (Errno::EPERM, "what a process has run is a fact"),
            false => (Errno::EINVAL, "only CLOCK_REALTIME can be set"),
        };
        return Ok(refuse(errno, F, why)?);
    }
    get_timespec(sys, t, call, 1, F)?;
    refuse_settime(sys, t, F)
}

fn sys_settimeofday(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    const F: &str = "settimeofday";
    let [tv, tz, ..] = call.args;
    if tv != 0 {
        let [sec, usec] = words(&take::<16>(sys, t, call, 0)?);
        itimer::timeval_to_ns(sec, usec)?;
    }
    if tz != 0 {
        let mut zone = [0; 8];
        copy_from_user(sys, t, tz, &mut zone)?;
    }
    refuse_settime(sys, t, F)
}
