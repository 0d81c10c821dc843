//! Sleeping for a time, and reading the clocks: nanosleep(2),
//! clock_nanosleep(2), clock_gettime(2), restart_syscall(2).
//!
//! A sleep that a stop or an ignored signal interrupts goes on until its first
//! deadline: what is needed for that is kept in `task.restart_block`, and
//! restart_syscall finds it there. A handler ends it with EINTR.
//!
//! Linux: kernel/time/hrtimer.c (hrtimer_nanosleep, hrtimer_nanosleep_restart,
//! do_nanosleep, nanosleep_copyout), kernel/time/posix-timers.c,
//! kernel/signal.c (restart_syscall, do_no_restart_syscall).
//! Left out: slack; sleeping on clocks of processor time; setting clocks; suspend,
//! so that CLOCK_BOOTTIME is CLOCK_MONOTONIC; leap seconds.

use crate::abi::Errno;
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::fs::select::{self, Ufds};
use crate::kernel::futex;
use crate::kernel::mm::uaccess;
use crate::kernel::posix_cpu_timers::{self, CpuClock, CpuTime};
use crate::kernel::syscalls::Call;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::{Wait, WaitOn};

/// CLOCK_REALTIME at power-on, in ns since 1970: 2026-01-01 00:00:00 UTC. The
/// same in every run, so that runs are the same.
pub const BOOT_REALTIME: u64 = 1_767_225_600 * NSEC_PER_SEC;
/// Nanoseconds in a second.
pub const NSEC_PER_SEC: u64 = 1_000_000_000;

/// What restart_syscall(2) goes on with (`struct restart_block`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum RestartBlock {
    /// Nothing (`do_no_restart_syscall`): EINTR.
    #[default]
    None,
    /// A sleep: until when, in ns on the monotonic clock, and where what is
    /// left is stored (0: nowhere).
    Nanosleep {
        /// When it ends.
        expires: u64,
        /// `rmtp`.
        rmtp: u64,
    },
    /// FUTEX_WAIT with a timeout.
    Futex {
        /// The word.
        addr: u64,
        /// Who may be meant.
        scope: futex::Scope,
        /// Its expected value.
        expected: u32,
        /// When it ends.
        expires: u64,
        /// Under which bits.
        bitset: u32,
    },
    /// poll(2).
    Poll {
        /// The list of descriptors.
        ufds: Ufds,
        /// When it gives up.
        end: Option<u64>,
    },
}

/// A clock (`clockid_to_kclock`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Time since power-on.
    Monotonic,
    /// Time since 1970.
    Realtime,
    /// What a thread or a process has run.
    Cpu(CpuClock),
}

impl Clock {
    /// A clock that can be read.
    ///
    /// # Errors
    /// EINVAL: there is none, or none is modelled, with this number.
    pub fn to_read(
        sys: &System,
        task: TaskId,
        id: u64,
        function: &'static str,
    ) -> Result<Clock, SysError> {
        let cpu = |thread| Clock::Cpu(CpuClock { task, thread, which: CpuTime::All });
        match id as i32 {
            0 | 5 | 11 => Ok(Clock::Realtime),
            1 | 4 | 6 | 7 => Ok(Clock::Monotonic),
            2 => Ok(cpu(false)),
            3 => Ok(cpu(true)),
            id if id < 0 => match posix_cpu_timers::by_id(sys, task, id) {
                Some(clock) => Ok(Clock::Cpu(clock)),
                None => Clock::unknown(id, function),
            },
            id => Clock::unknown(id, function),
        }
    }

    /// A clock that can be slept on.
    ///
    /// # Errors
    /// EINVAL as above; EOPNOTSUPP: it only gives the time.
    pub fn to_sleep(id: u64) -> Result<Clock, SysError> {
        match id as i32 {
            0 | 11 => Ok(Clock::Realtime),
            1 | 7 => Ok(Clock::Monotonic),
            3..=6 => refuse(
                Errno::EOPNOTSUPP,
                "clock_nanosleep",
                "this clock can be read but not slept on",
            ),
            id => Clock::unknown(id, "clock_nanosleep"),
        }
    }

    fn unknown(id: i32, function: &'static str) -> Result<Clock, SysError> {
        let why = match id {
            2 | 3 => "the clocks of processor time can be read, but not slept on".to_string(),
            8 | 9 => "the machine has no clock that wakes it from suspend".into(),
            id if id < 0 => "the number names the clock of no process or thread that may be read \
                             here; clocks of devices are not modelled"
                .into(),
            id => format!("there is no clock {id}"),
        };
        Err(SysError::with(Errno::EINVAL, function, why))
    }

    /// What it shows, in ns.
    pub fn now(self, sys: &System) -> u64 {
        let now = sys.machine.clock.now();
        match self {
            Clock::Monotonic => now,
            Clock::Realtime => now.saturating_add(BOOT_REALTIME),
            Clock::Cpu(clock) => clock.now(sys),
        }
    }

    /// When it will show `at`, on the monotonic clock. Preconditions: it is one
    /// that can be slept on.
    pub fn monotonic(self, at: u64) -> u64 {
        match self {
            Clock::Monotonic | Clock::Cpu(_) => at,
            Clock::Realtime => at.saturating_sub(BOOT_REALTIME),
        }
    }
}

/// Nanoseconds of a timespec (`timespec64_valid`, `timespec64_to_ktime`).
///
/// # Errors
/// EINVAL: negative, or as many nanoseconds as a second has.
pub fn timespec_to_ns(sec: i64, nsec: i64, function: &'static str) -> Result<u64, SysError> {
    match (u64::try_from(sec), u64::try_from(nsec)) {
        (Ok(sec), Ok(nsec)) if nsec < NSEC_PER_SEC => {
            // KTIME_MAX is as far as a timer goes.
            let ns = sec.saturating_mul(NSEC_PER_SEC).saturating_add(nsec);
            Ok(ns.min(i64::MAX as u64))
        }
        _ => refuse(
            Errno::EINVAL,
            function,
            "the time is negative, or has more nanoseconds than a second",
        ),
    }
}

/// Sleeps for a time; what is left of it is stored at `rmtp` when a signal
/// ends it (`hrtimer_nanosleep`, HRTIMER_MODE_REL).
///
/// # Errors
/// ERESTART_RESTARTBLOCK: a signal; EFAULT of `rmtp`.
pub fn sleep_for(sys: &mut System, task: TaskId, ns: u64, rmtp: u64) -> SysResult {
    let now = sys.machine.clock.now();
    do_nanosleep(sys, task, now.saturating_add(ns), Some(rmtp))
}

/// Sleeps until a time on the monotonic clock (HRTIMER_MODE_ABS).
///
/// # Errors
/// ERESTARTNOHAND: a signal.
pub fn sleep_until(sys: &mut System, task: TaskId, expires: u64) -> SysResult {
    do_nanosleep(sys, task, expires, None)
}

/// `rmtp` is `None` for a sleep that is simply made again.
fn do_nanosleep(sys: &mut System, task: TaskId, expires: u64, rmtp: Option<u64>) -> SysResult {
    const F: &str = "do_nanosleep";
    let slept = sys.task(task).resume.as_deref().and_then(|r| r.wait.deadline);
    let expires = slept.unwrap_or(expires);
    let now = sys.machine.clock.now();
    if expires <= now {
        return Ok(0);
    }
    if slept.is_none() || !sys.task(task).sigpending {
        let wait = Wait::interruptible(WaitOn::Timeout);
        return Err(Stop::Block(Wait { deadline: Some(expires), ..wait }));
    }
    let Some(rmtp) = rmtp else {
        let why = "a signal came before the time; the sleep is begun again unless a handler runs";
        return Err(SysError::new(Errno::ERESTARTNOHAND, F, why).into());
    };
    if rmtp != 0 {
        put_timespec(sys, task, rmtp, expires - now)?;
    }
    sys.task_mut(task).restart_block = RestartBlock::Nanosleep { expires, rmtp };
    let why = "a signal came before the time; the sleep goes on unless a handler runs";
    Err(SysError::new(Errno::ERESTART_RESTARTBLOCK, F, why).into())
}

/// Stores a timespec (`put_timespec64`).
///
/// # Errors
/// EFAULT.
pub fn put_timespec(sys: &mut System, task: TaskId, at: u64, ns: u64) -> Result<(), SysError> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(ns / NSEC_PER_SEC).to_le_bytes());
    bytes[8..].copy_from_slice(&(ns % NSEC_PER_SEC).to_le_bytes());
    uaccess::copy_to_user(sys, task, at, &bytes)
}

/// restart_syscall(2): goes on with what a signal has interrupted.
///
/// # Errors
/// EINTR: nothing was; those of the call that goes on.
pub fn restart_syscall(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    match sys.task(task).restart_block.clone() {
        RestartBlock::None => refuse(
            Errno::EINTR,
            "do_no_restart_syscall",
            "no interrupted call of this task is to be gone on with",
        )
        .map_err(Stop::from),
        RestartBlock::Nanosleep { expires, rmtp } => do_nanosleep(sys, task, expires, Some(rmtp)),
        RestartBlock::Futex { addr, scope, expected, expires, bitset } => {
            futex::futex_wait(sys, task, (addr, scope), expected, Some(expires), bitset)
        }
        RestartBlock::Poll { ufds, end } => select::poll(sys, task, call, &ufds, end),
    }
}
