//! Out of memory: who dies when a page fault finds no frame.
//!
//! The task that faults is the victim, as with vm.oom_kill_allocating_task=1.
//! Only the init of the system is spared: then the process with the most
//! memory dies, the fault is tried again, and a system with nobody left to
//! kill panics.
//!
//! Linux: mm/oom_kill.c (out_of_memory, oom_badness, oom_unkillable_task,
//! __oom_kill_process).
//! Left out: choosing by badness when another task faults, memory cgroups, the
//! reaper: a victim is run to its end at once; page tables in the badness.

use crate::abi::Signal;
use crate::abi::structs::SigInfo;
use crate::kernel::entry::run_to_death;
use crate::kernel::list;
use crate::kernel::pid::PidType;
use crate::kernel::sched::core as sched;
use crate::kernel::signal::send::send_signal_locked;
use crate::kernel::signal::{SignalFlags, threads};
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskList};

/// `OOM_SCORE_ADJ_MIN`: a process that is never chosen.
const OOM_SCORE_ADJ_MIN: i32 = -1000;

/// Whether the OOM killer spares the task (`oom_unkillable_task`): init and
/// kernel threads.
pub fn oom_unkillable_task(sys: &System, task: TaskId) -> bool {
    let t = sys.task(task);
    t.signal == sys.task(sys.kernel.init_process).signal || t.flags.contains(PF::KTHREAD)
}

/// How much memory the end of a process would give, in pages; `None` for one
/// that is spared, dying, or shares its memory with init
/// (`oom_badness`).
fn oom_badness(sys: &System, leader: TaskId) -> Option<i64> {
    let signal = sys.signal(leader);
    let mm = threads(sys, leader).into_iter().find_map(|t| sys.task(t).mm)?;
    if oom_unkillable_task(sys, leader)
        || signal.oom_score_adj == OOM_SCORE_ADJ_MIN
        || signal.flags.contains(SignalFlags::GROUP_EXIT)
        || sys.task_mm(sys.kernel.init_process) == Some(mm)
    {
        return None;
    }
    let adj = i64::from(signal.oom_score_adj) * (sys.machine.mem.total_pages() as i64 / 1000);
    Some(sys.mm(mm).rss_stat.iter().sum::<i64>() + adj)
}

/// Makes room for `current`, which may not die: kills the process with the
/// most memory. Whether there was one; if not, the system panics.
pub fn out_of_memory(sys: &mut System, current: TaskId) -> bool {
    let all = list::iter(&sys.kernel.tasks, sys.kernel.task_list, TaskList::Tasks);
    let candidates = all.filter_map(|p| Some((oom_badness(sys, p)?, p)));
    // Of equals the first one.
    let worst = candidates.reduce(|a, b| if b.0 > a.0 { b } else { a });
    let Some((_, victim)) = worst else {
        let what = "Kernel panic - not syncing: System is deadlocked on memory";
        sys.oops("out_of_memory", what.to_string());
        return false;
    };
    let (out, note) = (std::mem::take(&mut sys.kernel.out), sys.kernel.note);
    let group = threads(sys, victim);
    // The kernel's own SIGKILL is never refused.
    let _ = send_signal_locked(sys, SigInfo::kernel(Signal::SIGKILL), victim, PidType::Tgid);
    for t in group {
        run_to_death(sys, t);
    }
    (sys.kernel.out, sys.kernel.note) = (out, note);
    let cpu = sys.task(current).cpu;
    sched::context_switch(sys, cpu, current);
    true
}
