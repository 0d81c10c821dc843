//! The clocks of processor time: how much a thread or a process has run.
//!
//! ```text
//! clockid  CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID: the caller's
//!          ~pid << 3 | thread? 4 | which   another's (clock_getcpuclockid(3));
//!                                          which: 0 all, 1 user, 2 all
//! ```
//! Time is charged to tasks exactly, so these clocks are as fine as the others.
//!
//! Linux: kernel/time/posix-cpu-timers.c (pid_for_clock, cpu_clock_sample,
//! thread_group_sample_cputime), include/linux/posix-timers.h.
//! Left out: sleeping on them. POSIX timers that they drive are in
//! `posix_timers::cpu`.

use crate::kernel::pid::{PidType, find_pid_ns, pid_task, task_active_pid_ns};
use crate::kernel::signal::{same_thread_group, threads};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Which time of a task counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CpuTime {
    /// User mode and kernel (CPUCLOCK_PROF, CPUCLOCK_SCHED).
    All,
    /// User mode alone (CPUCLOCK_VIRT).
    User,
}

/// A clock of processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CpuClock {
    /// Whose.
    pub task: TaskId,
    /// Its own, or that of its process.
    pub thread: bool,
    /// Which time.
    pub which: CpuTime,
}

/// CPUCLOCK_PERTHREAD_MASK.
const PERTHREAD: i32 = 4;

/// The clock with a negative number (`pid_for_clock`). A process may read those
/// of other processes, and of its own threads.
pub fn by_id(sys: &System, current: TaskId, id: i32) -> Option<CpuClock> {
    let which = match id & 3 {
        0 | 2 => CpuTime::All,
        1 => CpuTime::User,
        // CLOCKFD: the clock of a device.
        _ => return None,
    };
    let thread = id & PERTHREAD != 0;
    let nr = !(id >> 3);
    if nr == 0 {
        return Some(CpuClock { task: current, thread, which });
    }
    let pid = find_pid_ns(sys, nr, task_active_pid_ns(sys, current))?;
    let task = pid_task(sys, pid, PidType::Pid)?;
    let fits = match thread {
        true => same_thread_group(sys, task, current),
        // A thread may name its process by its own number.
        false => task == current || pid_task(sys, pid, PidType::Tgid).is_some(),
    };
    fits.then_some(CpuClock { task, thread, which })
}

/// What a thread has run, user mode and kernel, in ns.
fn thread_time(sys: &System, task: TaskId) -> (u64, u64) {
    let t = sys.task(task);
    (t.utime, t.stime)
}

/// What a process has run, threads that are gone among it
/// (`thread_group_cputime`).
pub fn group_time(sys: &System, task: TaskId) -> (u64, u64) {
    let Some(signal) = sys.task(task).signal else { return thread_time(sys, task) };
    let gone = &sys.kernel.signals[signal].dead_threads;
    threads(sys, task)
        .into_iter()
        .map(|t| thread_time(sys, t))
        .fold((gone.ru_utime, gone.ru_stime), |sum, (utime, stime)| {
            (sum.0.saturating_add(utime), sum.1.saturating_add(stime))
        })
}

impl CpuClock {
    /// Whether whom it measures is still there.
    pub fn is_alive(self, sys: &System) -> bool {
        sys.kernel.tasks.get(self.task).is_some_and(|t| t.signal.is_some() && !t.is_dead())
    }

    /// Whether it goes on when this task runs.
    pub fn measures(self, sys: &System, task: TaskId) -> bool {
        match self.thread {
            true => self.task == task,
            false => self.is_alive(sys) && sys.task(self.task).signal == sys.task(task).signal,
        }
    }

    /// What it shows, in ns.
    pub fn now(self, sys: &System) -> u64 {
        let (utime, stime) = match self.thread {
            true => thread_time(sys, self.task),
            false => group_time(sys, self.task),
        };
        match self.which {
            CpuTime::All => utime.saturating_add(stime),
            CpuTime::User => utime,
        }
    }
}
