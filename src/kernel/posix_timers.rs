//! POSIX timers: timer_create(2) and its kin.
//!
//! ```text
//! DISARMED --settime--> ARMED --its time comes--> the signal is queued
//!    ^                    ^                           |
//!    |   no interval      |   interval                v
//!    +--------------------+---- a thread takes the signal: what has come
//!                               meanwhile are its overruns
//! ```
//! Each timer has one instance of its signal, made with it, so queueing never
//! fails and a slow process is not flooded. A number (`signal_seq`) tells whether
//! an instance is of the present arming; one that is not is dropped when taken.
//! The instance of a periodic timer whose signal is ignored waits until it is
//! not (`ignored`).
//!
//! Linux: kernel/time/posix-timers.c (do_timer_create, common_timer_get,
//! common_timer_set, exit_itimers); their signals are in `signal`.
//! Left out: timers of the alarm clocks (refused by name);
//! PR_TIMER_CREATE_RESTORE_IDS.

pub mod cpu;
mod signal;

pub use signal::{deliver, fire, flush_itimer_signals, sig_ignore, sig_unignore};

use crate::abi::numbers::*;
use crate::abi::{Errno, Signal};
use crate::kernel::cred::UserId;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::timerfd::Base;
use crate::kernel::pid::find_task_by_vpid;
use crate::kernel::posix_cpu_timers::CpuClock;
use crate::kernel::signal::pending::{sigqueue_alloc, sigqueue_free};
use crate::kernel::signal::{SignalId, same_thread_group};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::timer::{self, Alarm, Itimerspec, forward};

/// Who hears of an expiration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notify {
    /// Nobody (SIGEV_NONE): it is asked.
    None,
    /// The process (SIGEV_SIGNAL, SIGEV_THREAD).
    Process(Signal),
    /// One thread (SIGEV_THREAD_ID).
    Thread(Signal, TaskId),
}

impl Notify {
    fn signal(self) -> Option<Signal> {
        match self {
            Notify::None => None,
            Notify::Process(sig) | Notify::Thread(sig, _) => Some(sig),
        }
    }
}

/// `struct sigevent` as far as it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sigevent {
    /// `sigev_value`.
    pub value: u64,
    /// `sigev_signo`.
    pub signo: i32,
    /// `SIGEV_*`.
    pub notify: u32,
    /// `sigev_notify_thread_id`.
    pub tid: i32,
}

/// `it_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// POSIX_TIMER_DISARMED.
    Disarmed,
    /// POSIX_TIMER_ARMED.
    Armed,
    /// POSIX_TIMER_REQUEUE_PENDING: periodic, and its signal is not taken yet.
    RequeuePending,
}

/// `struct k_itimer`. Times are on the monotonic clock, or on one of processor time,
/// in ns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PosixTimer {
    /// Its clock.
    pub base: Base,
    /// Its clock, if that is one of processor time; then times are on it.
    pub cpu: Option<CpuClock>,
    /// Who hears of it.
    pub notify: Notify,
    /// `sigev_value`.
    pub value: u64,
    /// Whether it runs.
    pub status: Status,
    /// When it fires, or fired last.
    pub expires: u64,
    /// After how long it fires again; 0: never.
    pub interval: u64,
    /// `it_overrun`: expirations since the last signal, less one.
    pub overrun: i64,
    /// `it_overrun_last`: what timer_getoverrun gives.
    pub overrun_last: i64,
    /// Which arming it is.
    pub signal_seq: u32,
    /// Of which arming its signal is.
    pub sigqueue_seq: u32,
    /// Its signal was ignored and waits until it is not.
    pub ignored: bool,
    /// Whose RLIMIT_SIGPENDING its signal counts against; holds a reference.
    pub user: UserId,
}

impl PosixTimer {
    /// The time on its clock; `None`: whom it measures has ended.
    pub fn now(&self, sys: &System) -> Option<u64> {
        match self.cpu {
            Some(clock) => clock.is_alive(sys).then(|| clock.now(sys)),
            None => Some(sys.machine.clock.now()),
        }
    }
}

/// What belongs to a process (`signal->posix_timers`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PosixTimers {
    /// By number.
    pub timers: std::collections::BTreeMap<i32, PosixTimer>,
    /// `next_posix_timer_id`.
    pub next_id: i32,
}

const NO_TIMER: &str = "the process has no timer with this number";

fn timer_mut(sys: &mut System, signal: SignalId, id: i32) -> Option<&mut PosixTimer> {
    sys.kernel.signals.get_mut(signal)?.posix_timers.timers.get_mut(&id)
}

fn get(sys: &System, task: TaskId, id: i32, f: &'static str) -> Result<PosixTimer, SysError> {
    match sys.signal(task).posix_timers.timers.get(&id) {
        Some(timer) => Ok(timer.clone()),
        None => refuse(Errno::EINVAL, f, NO_TIMER),
    }
}

/// The clock that drives a timer.
fn base(sys: &System, task: TaskId, clock: i32) -> Result<(Base, Option<CpuClock>), SysError> {
    const F: &str = "do_timer_create";
    match clock {
        // Nobody has told the kernel of leap seconds.
        0 | 11 => Ok((Base::Realtime, None)),
        1 | 7 => Ok((Base::Monotonic, None)),
        4..=6 => refuse(Errno::EOPNOTSUPP, F, "this clock can be read but drives no timers"),
        id if id < 0 || id == 2 || id == 3 => match cpu::clock(sys, task, id) {
            Some(clock) => Ok((Base::Monotonic, Some(clock))),
            None => refuse(Errno::EINVAL, F, "there is no such process or thread of the own"),
        },
        8 | 9 => refuse(Errno::EOPNOTSUPP, F, "the machine has no clock that wakes it up"),
        id => Err(SysError::with(Errno::EINVAL, F, format!("there is no clock {id}"))),
    }
}

/// Who is meant by a sigevent (`good_sigevent`).
fn good_sigevent(sys: &System, task: TaskId, event: &Sigevent) -> Result<Notify, SysError> {
    const F: &str = "good_sigevent";
    let sig = || match Signal::new(event.signo) {
        Some(sig) => Ok(sig),
        None => refuse(Errno::EINVAL, F, "there is no signal with this number (1 to 64)"),
    };
    match event.notify {
        SIGEV_NONE => Ok(Notify::None),
        SIGEV_SIGNAL | SIGEV_THREAD => Ok(Notify::Process(sig()?)),
        SIGEV_THREAD_ID => match find_task_by_vpid(sys, task, event.tid) {
            Some(thread) if same_thread_group(sys, thread, task) => {
                Ok(Notify::Thread(sig()?, thread))
            }
            _ => refuse(Errno::EINVAL, F, "the thread to be told is none of the process"),
        },
        _ => refuse(Errno::EINVAL, F, "sigev_notify is no way to be told"),
    }
}

/// timer_create(2): the number of the new timer. Without an event it sends
/// SIGALRM with its number.
///
/// # Errors
/// EINVAL: no such clock, or a bad event. EOPNOTSUPP: a clock that drives no
/// timers, or none here. EAGAIN: RLIMIT_SIGPENDING.
pub fn do_timer_create(
    sys: &mut System,
    task: TaskId,
    clock: i32,
    event: Option<Sigevent>,
) -> Result<i32, SysError> {
    let (base, cpu) = base(sys, task, clock)?;
    let Some(user) = sigqueue_alloc(sys, task, false) else {
        let why = "the signal of a timer counts against RLIMIT_SIGPENDING, which is reached";
        return refuse(Errno::EAGAIN, "do_timer_create", why);
    };
    // A number is used up even if the event is refused.
    let all = &mut sys.signal_mut(task).posix_timers;
    let id = all.next_id;
    all.next_id = id.wrapping_add(1) & i32::MAX;
    let notify = match &event {
        Some(event) => good_sigevent(sys, task, event),
        None => Ok(Notify::Process(Signal::SIGALRM)),
    };
    let notify = match notify {
        Ok(notify) => notify,
        Err(e) => {
            sigqueue_free(sys, user);
            return Err(e);
        }
    };
    let timer = PosixTimer {
        base,
        cpu,
        notify,
        value: event.map_or(id as u64, |e| e.value),
        status: Status::Disarmed,
        expires: 0,
        interval: 0,
        overrun: -1,
        overrun_last: 0,
        signal_seq: 0,
        sigqueue_seq: 0,
        ignored: false,
        user,
    };
    sys.signal_mut(task).posix_timers.timers.insert(id, timer);
    Ok(id)
}

/// A number of overruns as an int (`timer_overrun_to_int`).
fn overrun_to_int(overrun: i64) -> i32 {
    i32::try_from(overrun).unwrap_or(i32::MAX)
}

fn arm(sys: &mut System, signal: SignalId, id: i32, at: u64) {
    let Some(timer) = timer_mut(sys, signal, id) else { return };
    (timer.status, timer.expires) = (Status::Armed, at);
    match timer.cpu {
        Some(_) => sys.kernel.cpu_timers_armed += 1,
        None => timer::start_alarm(sys, at, Alarm::Posix(signal, id)),
    }
}

fn disarm(sys: &mut System, signal: SignalId, id: i32) {
    if let Some(timer) = timer_mut(sys, signal, id)
        && timer.status == Status::Armed
    {
        timer.status = Status::Disarmed;
        let at = timer.expires;
        match timer.cpu {
            Some(_) => sys.kernel.cpu_timers_armed -= 1,
            None => timer::cancel_alarm(sys, at, Alarm::Posix(signal, id)),
        }
    }
}

/// timer_gettime(2) (`common_timer_get`).
///
/// # Errors
/// EINVAL: there is no such timer.
pub fn do_timer_gettime(sys: &mut System, task: TaskId, id: i32) -> Result<Itimerspec, SysError> {
    let timer = get(sys, task, id, "do_timer_gettime")?;
    let Some(now) = timer.now(sys) else { return Ok(Itimerspec::default()) };
    let none = timer.notify == Notify::None;
    if timer.interval == 0 && timer.status == Status::Disarmed && !none {
        return Ok(Itimerspec::default());
    }
    let mut expires = timer.expires;
    if timer.interval > 0 && timer.status != Status::Armed {
        let (times, next) = forward(expires, timer.interval, now);
        expires = next;
        if let Some(timer) = sys.signal_mut(task).posix_timers.timers.get_mut(&id) {
            timer.expires = next;
            timer.overrun = timer.overrun.saturating_add(times.min(i64::MAX as u64) as i64);
        }
    }
    let left = expires.saturating_sub(now);
    // 0 would say that it is not armed.
    let value = if left == 0 && !none { 1 } else { left };
    Ok(Itimerspec { value, interval: timer.interval })
}

/// timer_settime(2): gives what was left (`do_timer_settime`, `common_timer_set`).
/// Flags but TIMER_ABSTIME are not looked at.
///
/// # Errors
/// EINVAL: there is no such timer. ESRCH: who is measured has ended.
pub fn do_timer_settime(
    sys: &mut System,
    task: TaskId,
    id: i32,
    flags: u32,
    new: Itimerspec,
) -> Result<Itimerspec, SysError> {
    let timer = get(sys, task, id, "do_timer_settime")?;
    if timer.now(sys).is_none() {
        let why = "the process or thread whose time it counts has ended";
        return refuse(Errno::ESRCH, "posix_cpu_timer_set", why);
    }
    let old = do_timer_gettime(sys, task, id)?;
    let Some(signal) = sys.task(task).signal else { return Ok(old) };
    disarm(sys, signal, id);
    if let Some(timer) = timer_mut(sys, signal, id) {
        timer.signal_seq = timer.signal_seq.wrapping_add(1);
        timer.status = Status::Disarmed;
        timer.ignored = false;
        timer.interval = if new.value == 0 { 0 } else { new.interval };
        (timer.overrun, timer.overrun_last, timer.expires) = (-1, 0, 0);
    }
    if new.value > 0 {
        let now = timer.now(sys).unwrap_or_default();
        let at = match flags & TIMER_ABSTIME != 0 {
            true if timer.cpu.is_some() => new.value,
            true => timer.base.clock().monotonic(new.value),
            false => now.saturating_add(new.value),
        };
        if timer.notify == Notify::None {
            // Nobody is told, so nothing happens: it is only asked.
            if let Some(timer) = timer_mut(sys, signal, id) {
                timer.expires = at;
            }
        } else {
            arm(sys, signal, id, at);
            if at <= now {
                disarm(sys, signal, id);
                fire(sys, signal, id);
            }
        }
    }
    Ok(old)
}

/// timer_getoverrun(2): of the signal that was taken last.
///
/// # Errors
/// EINVAL: there is no such timer.
pub fn timer_getoverrun(sys: &System, task: TaskId, id: i32) -> Result<i32, SysError> {
    Ok(overrun_to_int(get(sys, task, id, "timer_getoverrun")?.overrun_last))
}

/// timer_delete(2). A signal of it that is queued counts for nothing.
///
/// # Errors
/// EINVAL: there is no such timer.
pub fn do_timer_delete(sys: &mut System, task: TaskId, id: i32) -> Result<(), SysError> {
    get(sys, task, id, "timer_delete")?;
    if let Some(signal) = sys.task(task).signal {
        delete(sys, signal, id);
    }
    Ok(())
}

fn delete(sys: &mut System, signal: SignalId, id: i32) {
    disarm(sys, signal, id);
    if let Some(timer) = sys.kernel.signals[signal].posix_timers.timers.remove(&id) {
        sigqueue_free(sys, timer.user);
    }
}

/// The process ends, or becomes another program: its timers go
/// (`exit_itimers`).
pub fn exit_itimers(sys: &mut System, signal: SignalId) {
    let ids: Vec<i32> = sys.kernel.signals[signal].posix_timers.timers.keys().copied().collect();
    for id in ids {
        delete(sys, signal, id);
    }
}
