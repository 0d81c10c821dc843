//! POSIX timers of processor time: they fire when a process or a thread has run for
//! so long. Nothing happens by itself: whoever charges a task for time asks.
//!
//! Linux: kernel/time/posix-cpu-timers.c (posix_cpu_timer_create,
//! posix_cpu_timer_set, run_posix_cpu_timers, cpu_timer_fire).
//! Left out: the granularity of ticks; following a process whose leader another of
//! its threads has replaced in execve.

use super::{Status, fire, timer_mut};
use crate::kernel::posix_cpu_timers::{CpuClock, CpuTime, by_id};
use crate::kernel::signal::SignalId;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// The clock with a number, as one that drives timers (`pid_for_clock`).
pub(super) fn clock(sys: &System, task: TaskId, id: i32) -> Option<CpuClock> {
    let clock = match id {
        2 => CpuClock { task, thread: false, which: CpuTime::All },
        3 => CpuClock { task, thread: true, which: CpuTime::All },
        _ => by_id(sys, task, id)?,
    };
    let measured = match clock.thread {
        true => clock.task,
        // It outlives its other threads.
        false => sys.task(clock.task).group_leader,
    };
    Some(CpuClock { task: measured, ..clock })
}

/// A task was charged for time: timers that measure it fire if theirs has come.
pub fn run(sys: &mut System, task: TaskId) {
    let mut due: Vec<(SignalId, i32)> = Vec::new();
    for (signal, s) in sys.kernel.signals.iter() {
        for (id, timer) in &s.posix_timers.timers {
            let Some(clock) = timer.cpu.filter(|_| timer.status == Status::Armed) else { continue };
            if clock.measures(sys, task) && clock.now(sys) >= timer.expires {
                due.push((signal, *id));
            }
        }
    }
    for (signal, id) in due {
        if timer_mut(sys, signal, id).is_some() {
            sys.kernel.cpu_timers_armed -= 1;
            fire(sys, signal, id);
        }
    }
}
