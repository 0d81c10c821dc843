//! Time, which is real here, and futexes: calls that end by themselves.
//!
//! Left out: sleeping for long; whoever compares kernels does not want to wait.

use std::time::Duration;

use super::results::Kind;
use super::{Arms, Draft, No, no, nr};
use crate::kernel::syscalls::Payload;
use crate::oracle::host::stub::CONTROL_FD;
use crate::oracle::host::sys;

/// Longest sleep in ns.
const LONGEST: i128 = 2_000_000_000;

/// Makes the calls with times ready.
pub(super) fn prepare(d: &mut Draft) -> Result<bool, No> {
    let args = d.call.args;
    match nr(d) {
        libc::SYS_nanosleep => {
            sleep(d, 0, None)?;
            d.theirs(1, 16)?;
        }
        libc::SYS_clock_nanosleep => {
            let absolute = args[1] & libc::TIMER_ABSTIME as u64 != 0;
            sleep(d, 2, absolute.then_some(args[0]))?;
            d.theirs(3, 16)?;
        }
        libc::SYS_alarm => {
            let value = Duration::from_secs(u64::from(args[0] as u32));
            arms(d, value, Duration::ZERO)?;
        }
        libc::SYS_setitimer => setitimer(d)?,
        libc::SYS_getitimer => d.result(1, 32, Kind::Itimer)?,
        libc::SYS_clock_gettime => d.result(1, 16, Kind::Time)?,
        libc::SYS_rt_sigtimedwait => {
            match &d.call.payload {
                Payload::SigSet(set) => d.input(0, &set.0.to_le_bytes()),
                Payload::TimedSet(set, sec, nsec) => {
                    d.input(0, &set.0.to_le_bytes());
                    d.input(2, &[*sec, *nsec].map(i64::to_le_bytes).concat());
                    d.order.timed = true;
                }
                _ => d.theirs(0, 8)?,
            }
            if d.call.args[2] != 0 {
                return no("sigtimedwait with a time as an address");
            }
            d.result(1, 128, Kind::SigInfo)?;
        }
        libc::SYS_futex => futex(d)?,
        libc::SYS_poll | libc::SYS_ppoll => poll(d)?,
        libc::SYS_set_tid_address => d.theirs(0, 4)?,
        libc::SYS_set_robust_list => d.theirs(0, 24)?,
        libc::SYS_restart_syscall => {}
        _ => return Ok(false),
    }
    Ok(true)
}

/// The time that argument `i` points to: how long it is, or until when on a
/// clock.
fn sleep(d: &mut Draft, i: usize, clock: Option<u64>) -> Result<(), No> {
    let Payload::Timespec(sec, nsec) = d.call.payload else {
        return no(format!("{} with a time as an address", super::name(d.call.nr)));
    };
    let ns = i128::from(sec) * 1_000_000_000 + i128::from(nsec);
    let now = clock.map_or(0, |clock| i128::from(sys::now(clock as i32)));
    if ns - now > LONGEST {
        let seconds = (ns - now) as f64 / 1e9;
        return no(format!(
            "{} for {seconds:.1} s: time is real there, and 2 s are the most",
            super::name(d.call.nr)
        ));
    }
    d.input(i, &[sec, nsec].map(i64::to_le_bytes).concat());
    d.order.timed = true;
    Ok(())
}

/// The process's timer is set.
fn arms(d: &mut Draft, value: Duration, interval: Duration) -> Result<(), No> {
    let longest = value.max(interval);
    if longest.as_nanos() as i128 > LONGEST {
        return no(format!(
            "{} for {:.1} s: time is real there, and 2 s are the most",
            super::name(d.call.nr),
            longest.as_secs_f64()
        ));
    }
    d.order.arms = Some(Arms { value, interval });
    Ok(())
}

fn setitimer(d: &mut Draft) -> Result<(), No> {
    let Payload::Itimer([value, value_us, interval, interval_us]) = d.call.payload else {
        return no("setitimer with times as an address");
    };
    if matches!(d.call.args[0] as i32, libc::ITIMER_VIRTUAL | libc::ITIMER_PROF) {
        return no("the interval timers of processor time");
    }
    // What is no time is for the kernel to refuse.
    let time = |seconds: i64, us: i64| {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(us).unwrap_or(0))
    };
    arms(d, time(value, value_us), time(interval, interval_us))?;
    // The interval comes first.
    d.input(1, &[interval, interval_us, value, value_us].map(i64::to_le_bytes).concat());
    d.result(2, 32, Kind::Itimer)
}

/// The list of descriptors is input and output at once.
fn poll(d: &mut Draft) -> Result<(), No> {
    const POLLFD: u64 = 8;
    let plain = nr(d) == libc::SYS_poll;
    let call = d.call;
    let msecs = i128::from(call.args[2] as i32);
    if plain && msecs * 1_000_000 > LONGEST {
        return no(format!("poll for {msecs} ms: time is real there, and 2 s are the most"));
    }
    let Payload::Poll(poll) = &call.payload else {
        if !plain && call.args[2] != 0 {
            return no("ppoll with a time as an address");
        }
        d.order.timed = plain && msecs >= 0;
        d.theirs(3, 8)?;
        return d.theirs(0, u64::from(call.args[1] as u32) * POLLFD);
    };
    if poll.fds.iter().any(|p| p.fd == CONTROL_FD) {
        return no(format!("poll on descriptor {CONTROL_FD}, which is not the script's"));
    }
    d.order.timed = plain && msecs >= 0;
    if let Some((sec, nsec)) = poll.timeout {
        let ns = i128::from(sec) * 1_000_000_000 + i128::from(nsec);
        if ns > LONGEST {
            return no("ppoll for so long: time is real there, and 2 s are the most");
        }
        d.input(2, &[sec, nsec].map(i64::to_le_bytes).concat());
        d.order.timed = true;
    }
    if let Some(mask) = poll.mask {
        d.input(3, &mask.0.to_le_bytes());
    }
    let bytes: Vec<u8> = poll
        .fds
        .iter()
        .flat_map(|p| [&p.fd.to_le_bytes()[..], &p.events.to_le_bytes(), &[0, 0]].concat())
        .collect();
    let at = d.put(&bytes);
    d.order.args[0] = at;
    d.order.output = (at, bytes.len() as u64);
    d.order.kind = Kind::Image(bytes.len());
    Ok(())
}

fn futex(d: &mut Draft) -> Result<(), No> {
    const BITS: i32 = libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME;
    let operation = d.call.args[1] as i32;
    d.theirs(0, 4)?;
    match operation & !BITS {
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET | libc::FUTEX_LOCK_PI => {
            let absolute = operation & !BITS != libc::FUTEX_WAIT;
            let real = operation & libc::FUTEX_CLOCK_REALTIME != 0
                || operation & !BITS == libc::FUTEX_LOCK_PI;
            let clock = if real { libc::CLOCK_REALTIME } else { libc::CLOCK_MONOTONIC };
            match d.call.payload {
                Payload::Timespec(..) => sleep(d, 3, absolute.then_some(clock as u64)),
                _ if d.call.args[3] != 0 => no("futex with a time as an address"),
                _ => Ok(()),
            }
        }
        libc::FUTEX_WAKE
        | libc::FUTEX_WAKE_BITSET
        | libc::FUTEX_UNLOCK_PI
        | libc::FUTEX_TRYLOCK_PI => Ok(()),
        libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE | libc::FUTEX_WAKE_OP => d.theirs(4, 4),
        other => no(format!("futex operation {other}")),
    }
}
