//! timerfd_create(2): a timer whose expirations are read from a descriptor.
//!
//! ```text
//! armed --its time comes--> expired: ticks += 1, readers wake
//!   ^                          |
//!   +---- interval ------------+ when it is read, or asked for: the ticks that
//!                                have come meanwhile are counted then
//! ```
//! So a timer that nobody reads costs nothing.
//!
//! Linux: fs/timerfd.c (timerfd_setup, timerfd_read_iter, do_timerfd_settime,
//! do_timerfd_gettime), kernel/time/hrtimer.c (hrtimer_forward).
//! Left out: the alarm clocks, which would wake the machine from suspend;
//! TFD_TIMER_CANCEL_ON_SET has nothing to cancel, as nobody sets the clock;
//! TFD_IOC_SET_TICKS, fdinfo.

use super::FileId;
use super::anon_inodes::{AnonId, AnonKind, anon_fget, anon_inode_getfd};
use super::uio::Dest;
use crate::abi::numbers::{POLLIN, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET};
use crate::abi::{Errno, OpenFlags};
use crate::kernel::error::{Stop, SysError, refuse};
use crate::kernel::nanosleep::Clock;
use crate::kernel::sched::core::wake_up_poll;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::timer::{self, Alarm, Itimerspec, forward};
use crate::kernel::wait_queue::{Wait, WaitOn};

/// Which clock its absolute times are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Base {
    /// CLOCK_MONOTONIC, CLOCK_BOOTTIME.
    Monotonic,
    /// CLOCK_REALTIME.
    Realtime,
}

impl Base {
    /// The clock.
    pub fn clock(self) -> Clock {
        match self {
            Base::Monotonic => Clock::Monotonic,
            Base::Realtime => Clock::Realtime,
        }
    }
}

/// `struct timerfd_ctx`. Times are on the monotonic clock, in ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerFd {
    /// Its clock.
    pub base: Base,
    /// When it fires, or fired last.
    pub expires: u64,
    /// Whether it is to fire.
    pub armed: bool,
    /// After how long it fires again; 0: never.
    pub interval: u64,
    /// Expirations that nobody has read.
    pub ticks: u64,
    /// It has fired since it was forwarded last.
    pub expired: bool,
}

impl TimerFd {
    /// What it is ready for.
    pub(super) fn poll(&self) -> u16 {
        if self.ticks > 0 { POLLIN } else { 0 }
    }
}

/// timerfd_create(2).
///
/// # Errors
/// EINVAL: an unknown flag, or a clock that drives no timers. EMFILE.
pub fn timerfd_create(
    sys: &mut System,
    task: TaskId,
    clock: u32,
    flags: u32,
) -> Result<i32, SysError> {
    const F: &str = "timerfd_create";
    if flags & !(OpenFlags::O_CLOEXEC | OpenFlags::O_NONBLOCK).bits() != 0 {
        return refuse(Errno::EINVAL, F, "timerfd_create knows TFD_CLOEXEC and TFD_NONBLOCK");
    }
    let base = match clock {
        0 => Base::Realtime,
        1 | 7 => Base::Monotonic,
        8 | 9 => {
            let why = "the alarm clocks, which wake the machine from suspend, are not modelled";
            return refuse(Errno::EINVAL, F, why);
        }
        _ => {
            let why = "CLOCK_REALTIME, CLOCK_MONOTONIC and CLOCK_BOOTTIME drive timers";
            return refuse(Errno::EINVAL, F, why);
        }
    };
    let timer = TimerFd { base, expires: 0, armed: false, interval: 0, ticks: 0, expired: false };
    anon_inode_getfd(sys, task, AnonKind::Timer(timer), OpenFlags::from_bits_truncate(flags))
}

fn ctx(sys: &mut System, id: AnonId) -> Option<&mut TimerFd> {
    match sys.kernel.anon_inodes.get_mut(id).map(|a| &mut a.kind) {
        Some(AnonKind::Timer(timer)) => Some(timer),
        _ => None,
    }
}

/// The timer behind a descriptor.
fn timerfd_fget(
    sys: &System,
    task: TaskId,
    fd: i32,
    f: &'static str,
) -> Result<(AnonId, TimerFd), SysError> {
    if let (_, Some(id)) = anon_fget(sys, task, fd)?
        && let Some(AnonKind::Timer(timer)) = sys.kernel.anon_inodes.get(id).map(|a| &a.kind)
    {
        return Ok((id, *timer));
    }
    refuse(Errno::EINVAL, f, "the descriptor is open, but it is no timerfd")
}

/// Its time has come (`timerfd_tmrproc`).
pub fn fire(sys: &mut System, id: AnonId) {
    if let Some(timer) = ctx(sys, id) {
        (timer.armed, timer.expired) = (false, true);
        timer.ticks = timer.ticks.saturating_add(1);
        wake_up_poll(sys, WaitOn::Anon(id), POLLIN);
    }
}

/// It fires no more.
pub fn disarm(sys: &mut System, id: AnonId) {
    if let Some(timer) = ctx(sys, id)
        && timer.armed
    {
        timer.armed = false;
        let at = timer.expires;
        timer::cancel_alarm(sys, at, Alarm::Timerfd(id));
    }
}

fn arm(sys: &mut System, id: AnonId, at: u64) {
    if let Some(timer) = ctx(sys, id) {
        (timer.armed, timer.expires) = (true, at);
        timer::start_alarm(sys, at, Alarm::Timerfd(id));
    }
}

/// Counts what has come since it fired, and arms it for the next time.
fn catch_up(sys: &mut System, id: AnonId) {
    let now = sys.machine.clock.now();
    if let Some(&AnonKind::Timer(t)) = sys.kernel.anon_inodes.get(id).map(|a| &a.kind)
        && t.armed
        && t.expires <= now
    {
        // Nobody has looked at the clock since.
        disarm(sys, id);
        fire(sys, id);
    }
    let Some(timer) = ctx(sys, id) else { return };
    if timer.expired && timer.interval > 0 {
        let (overruns, next) = forward(timer.expires, timer.interval, now);
        timer.ticks = timer.ticks.saturating_add(overruns.saturating_sub(1));
        timer.expired = false;
        arm(sys, id, next);
    }
}

fn left(sys: &System, timer: &TimerFd) -> Itimerspec {
    let now = sys.machine.clock.now();
    let value = if timer.armed { timer.expires.saturating_sub(now) } else { 0 };
    Itimerspec { value, interval: timer.interval }
}

/// timerfd_gettime(2).
///
/// # Errors
/// EBADF; EINVAL: it is no timerfd.
pub fn do_timerfd_gettime(sys: &mut System, task: TaskId, fd: i32) -> Result<Itimerspec, SysError> {
    let (id, _) = timerfd_fget(sys, task, fd, "do_timerfd_gettime")?;
    catch_up(sys, id);
    let (_, timer) = timerfd_fget(sys, task, fd, "do_timerfd_gettime")?;
    Ok(left(sys, &timer))
}

/// timerfd_settime(2): gives what was left, and the interval there was.
///
/// # Errors
/// EINVAL: an unknown flag, or no timerfd. EBADF.
pub fn do_timerfd_settime(
    sys: &mut System,
    task: TaskId,
    fd: i32,
    flags: u32,
    new: Itimerspec,
) -> Result<Itimerspec, SysError> {
    const F: &str = "do_timerfd_settime";
    if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
        let why = "timerfd_settime knows TFD_TIMER_ABSTIME and TFD_TIMER_CANCEL_ON_SET";
        return refuse(Errno::EINVAL, F, why);
    }
    let (id, was) = timerfd_fget(sys, task, fd, F)?;
    let now = sys.machine.clock.now();
    let old = match was.expired && was.interval > 0 {
        // It would have been forwarded when read.
        true => {
            let (_, next) = forward(was.expires, was.interval, now);
            Itimerspec { value: next - now, interval: was.interval }
        }
        false => left(sys, &was),
    };
    disarm(sys, id);
    if let Some(timer) = ctx(sys, id) {
        (timer.ticks, timer.expired, timer.interval) = (0, false, new.interval);
    }
    if new.value > 0 {
        let at = match flags & TFD_TIMER_ABSTIME != 0 {
            true => was.base.clock().monotonic(new.value),
            false => now.saturating_add(new.value),
        };
        arm(sys, id, at);
        if at <= now {
            disarm(sys, id);
            fire(sys, id);
        }
    }
    Ok(old)
}

/// Takes the number of expirations. Preconditions: `id` is a timerfd.
///
/// # Errors
/// EINVAL: less than 8 bytes. EAGAIN: none, and O_NONBLOCK. ERESTARTSYS, EFAULT.
pub(super) fn timerfd_read(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    id: AnonId,
    dest: &mut Dest,
) -> Result<u64, Stop> {
    const F: &str = "timerfd_read_iter";
    if dest.count() < 8 {
        return Err(SysError::new(Errno::EINVAL, F, "the number has 8 bytes").into());
    }
    let overdue = |t: &TimerFd| t.armed && t.expires <= sys.machine.clock.now();
    let ready = match sys.kernel.anon_inodes.get(id).map(|a| &a.kind) {
        Some(AnonKind::Timer(t)) => t.ticks > 0 || overdue(t),
        _ => return Ok(0),
    };
    if !ready {
        if sys.kernel.filps[file].nonblocking() {
            let why = "the timer has not expired, and O_NONBLOCK is set";
            return Err(SysError::new(Errno::EAGAIN, F, why).into());
        }
        if sys.task(task).sigpending {
            let why = "a signal is pending while it waits for the timer";
            return Err(SysError::new(Errno::ERESTARTSYS, F, why).into());
        }
        return Err(Stop::Block(Wait::interruptible(WaitOn::Anon(id))));
    }
    catch_up(sys, id);
    let ticks = ctx(sys, id).map_or(0, |t| {
        t.expired = false;
        std::mem::take(&mut t.ticks)
    });
    dest.put(sys, task, 0, &ticks.to_le_bytes())?;
    Ok(8)
}
