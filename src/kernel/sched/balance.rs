//! Which processor a task runs on.
//!
//! ```text
//! new       the allowed processor with the fewest tasks; its creator's first
//! woken     where it was if that is idle, else an idle one, else where it was
//!           real-time: where who runs has a lower priority
//! idle      a processor without work pulls a task that waits elsewhere
//! periodic  every 8 ticks a processor takes a fair task from the most loaded
//!           one, if that makes the loads more equal
//! ```
//!
//! All this happens when the scheduler chooses. In director style a task stays
//! where it is until sched_setaffinity(2) moves it.
//!
//! Linux: kernel/sched/fair.c (select_task_rq_fair, sched_balance_newidle,
//! sched_balance_rq), rt.c (find_lowest_rq, pull_rt_task), core.c
//! (set_task_cpu, is_cpu_allowed).
//! Left out: scheduling domains, caches, utilisation, capacity: load is the sum
//! of weights, and all processors are equally near.

use super::core::{self, current, dequeue_task, enqueue_task};
use super::entity::SchedClass;
use super::fair::{Dequeue, Enqueue};
use super::idle::is_idle;
use super::record::Doing;
use super::{FairPolicy, tick_nsec};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Ticks between two looks at the other processors.
const BALANCE_TICKS: u64 = 8;

/// Whether a task may run on a processor.
fn allowed(sys: &System, task: TaskId, cpu: u32) -> bool {
    cpu >= 64 || sys.task(task).cpus_mask >> cpu & 1 == 1
}

fn cpus(sys: &System) -> u32 {
    sys.kernel.per_cpu.len() as u32
}

fn nr_running(sys: &System, cpu: u32) -> u32 {
    sys.kernel.per_cpu[cpu as usize].rq.nr_running
}

/// A task that is on no queue comes to another processor (`set_task_cpu`).
pub fn set_task_cpu(sys: &mut System, task: TaskId, to: u32) {
    let from = sys.task(task).cpu;
    if from == to {
        return;
    }
    // What it is ahead of the one queue it is ahead of the other.
    let begin = |cpu: u32| {
        let cfs = &sys.kernel.per_cpu[cpu as usize].rq.cfs;
        match sys.kernel.sched.config.fair {
            FairPolicy::Eevdf => cfs.avg_vruntime(&sys.kernel.tasks),
            FairPolicy::Cfs => cfs.min_vruntime,
        }
    };
    let shift = begin(to) - begin(from);
    sys.task_mut(task).se.vruntime += shift;
    let t = sys.task_mut(task);
    t.cpu = to;
    t.se.nr_migrations += 1;
}

/// Where a new task begins.
pub fn select_fork(sys: &System, task: TaskId) -> u32 {
    let here = sys.task(task).cpu;
    let fits = (0..cpus(sys)).filter(|c| allowed(sys, task, *c));
    fits.min_by_key(|c| (nr_running(sys, *c), *c != here, *c)).unwrap_or(here)
}

/// Where a woken task goes on.
pub fn select_wakeup(sys: &System, task: TaskId) -> u32 {
    let t = sys.task(task);
    let here = t.cpu;
    let fits: Vec<u32> = (0..cpus(sys)).filter(|c| allowed(sys, task, *c)).collect();
    let free = |c: u32| is_idle(sys, c) && nr_running(sys, c) == 0;
    if !allowed(sys, task, here) {
        return fits.iter().copied().find(|c| free(*c)).or(fits.first().copied()).unwrap_or(here);
    }
    if free(here) {
        return here;
    }
    if let Some(idle) = fits.iter().copied().find(|c| free(*c)) {
        return idle;
    }
    if t.sched_class > SchedClass::Fair {
        // It goes where it can take the processor at once.
        let rank = |c: u32| {
            let curr = sys.task(current(sys, c));
            let deadline = curr.dl.as_ref().map_or(0, |dl| dl.deadline);
            (curr.prio, deadline)
        };
        let mine = (t.prio, t.dl.as_ref().map_or(0, |dl| dl.deadline));
        if rank(here) <= mine
            && let Some(lowest) = fits.iter().copied().max_by_key(|c| rank(*c))
            && rank(lowest) > mine
        {
            return lowest;
        }
    }
    here
}

/// Moves a task to another processor (`migrate_task_to`). One that runs leaves
/// its processor first.
pub fn migrate(sys: &mut System, task: TaskId, to: u32) {
    let from = sys.task(task).cpu;
    if from == to {
        return;
    }
    if current(sys, from) == task {
        core::leave_processor(sys, from);
    }
    if !core::is_queued(sys, sys.task(task), task) {
        return set_task_cpu(sys, task, to);
    }
    dequeue_task(sys, task, Dequeue::Move);
    let t = sys.task_mut(task);
    t.cpu = to;
    t.se.nr_migrations += 1;
    enqueue_task(sys, task, Enqueue::Restore);
    core::note(sys, task, Doing::Waits);
    core::wakeup_preempt(sys, to, task);
}

/// Those that wait on a processor, best first, and may run on another.
fn movable(sys: &System, from: u32, to: u32) -> impl Iterator<Item = TaskId> + '_ {
    let rq = &sys.kernel.per_cpu[from as usize].rq;
    let all = rq.dl.tree.iter().map(|(_, t)| t);
    let all = all.chain(rq.rt.iter()).chain(rq.cfs.tree.iter().map(|(_, t)| t));
    all.filter(move |t| !sys.task(*t).on_cpu && allowed(sys, *t, to))
}

/// A processor has nothing to do: it pulls a task that waits on the one with
/// the most (`sched_balance_newidle`). Whether there was one.
pub fn newidle(sys: &mut System, cpu: u32) -> bool {
    if cpus(sys) == 1 {
        return false;
    }
    let mut busy: Vec<u32> =
        (0..cpus(sys)).filter(|c| *c != cpu && nr_running(sys, *c) > 1).collect();
    busy.sort_by_key(|c| std::cmp::Reverse(nr_running(sys, *c)));
    let found = busy.iter().find_map(|from| movable(sys, *from, cpu).next());
    if let Some(task) = found {
        migrate(sys, task, cpu);
    }
    found.is_some()
}

/// The tick looks whether loads should be made more equal.
pub fn tick(sys: &mut System, cpu: u32) {
    let now = sys.machine.clock.now();
    let every = BALANCE_TICKS * tick_nsec(&sys.kernel.sched.config);
    let rq = &mut sys.kernel.per_cpu[cpu as usize].rq;
    if now < rq.next_balance {
        return;
    }
    rq.next_balance = now + every;
    let load = |c: u32| sys.kernel.per_cpu[c as usize].rq.cfs.load;
    let mine = load(cpu);
    let Some(busiest) =
        (0..cpus(sys)).filter(|c| *c != cpu).max_by_key(|c| (load(*c), u32::MAX - c))
    else {
        return;
    };
    let gap = load(busiest).saturating_sub(mine);
    // Moving weight w changes the gap by 2 w.
    let fits = movable(sys, busiest, cpu).filter(|t| {
        let t = sys.task(*t);
        t.sched_class == SchedClass::Fair && t.se.load_weight < gap
    });
    let best = fits.min_by_key(|t| sys.task(*t).se.load_weight.abs_diff(gap / 2));
    if let Some(task) = best {
        migrate(sys, task, cpu);
    }
}
