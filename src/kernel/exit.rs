//! _exit(2), exit_group(2): how a task ends, and what is left for its parent.
//!
//! ```text
//! do_exit
//!   ptrace_event     the tracer may look before anything is given up
//!   exit_signals     PF_EXITING: takes no part in group signals any more
//!   exit_mm          mm_release (vfork, CLEARTID), then the mm
//!   disassociate_ctty   the last thread of a session leader: SIGHUP
//!   exit_files, exit_fs, exit_nsproxy
//!   exit_notify
//!     forget_original_parent   children go to a new reaper
//!     leader of an empty group: SIGCHLD, and Z until waited for
//!     other thread, or parent ignores SIGCHLD: X, release_task at once
//!   TASK_DEAD, schedule        the next task frees the stack
//! ```
//!
//! Who sees that an exit has parts? A parent whose vfork(2) returns, a joiner that
//! is woken by CLEARTID, a reader at the end of a pipe: each goes on while the
//! task is not dead yet. So where the steps of a task are picked one by one
//! (`stepped`), its exit pauses after each part that others could notice
//! ([`ExitStage`]), and goes on when it is picked again. Elsewhere it is whole.
//!
//! A leader that exits before its threads stays a zombie that cannot be
//! waited for; the last thread's release_task sends the leader's SIGCHLD.
//!
//! Linux: kernel/exit.c. Left out: accounting files, core dumps'
//! contents.

mod reaper;
mod release;

pub use reaper::kill_orphaned_pgrp;
pub use release::release_task;

use crate::abi::Signal;
use crate::abi::ptrace::PtraceEvent;
use crate::kernel::cgroup;
use crate::kernel::entry;
use crate::kernel::fork;
use crate::kernel::fs;
use crate::kernel::futex;
use crate::kernel::itimer;
use crate::kernel::mm::lifetime;
use crate::kernel::nsproxy;
use crate::kernel::posix_timers;
use crate::kernel::ptrace::event::ptrace_event;
use crate::kernel::ptrace::stop::back_from_stop;
use crate::kernel::ptrace::{Trap, TrapAt, ptrace_reparented};
use crate::kernel::sched::Chooser;
use crate::kernel::sched::core as sched;
use crate::kernel::sched::fork::sched_dead;
use crate::kernel::signal::thread_group_empty;
use crate::kernel::signal::{SignalFlags, notify, stop};
use crate::kernel::system::System;
use crate::kernel::task::{ExitStage, Exiting, PF, TaskId, TaskState};
use crate::kernel::tty::tty_jobctl::disassociate_ctty;
use crate::kernel::wait_queue::WaitOn;
use crate::traced;

/// Ends the whole thread group with wait status `code`. If a group exit is
/// already under way, its status wins.
/// Postcondition: the caller is dead; other threads die as soon as they run.
/// Source: kernel/exit.c `do_group_exit`.
pub fn do_group_exit(sys: &mut System, current: TaskId, code: i32) {
    let mut code = code;
    let s = sys.signal_mut(current);
    if s.flags.contains(SignalFlags::GROUP_EXIT) {
        code = s.group_exit_code;
    } else if s.group_exec_task.is_some() {
        code = 0;
    } else {
        s.group_exit_code = code;
        s.flags = s.flags & SignalFlags::UNKILLABLE | SignalFlags::GROUP_EXIT;
        if s.nr_threads > 1 {
            traced!(sys, stop::zap_other_threads(current));
        }
    }
    traced!(sys, do_exit(current, code));
}

/// Ends one task with wait status `code`.
/// Postcondition: it is a zombie or gone, or will be when it goes on (it stands
/// in PTRACE_EVENT_EXIT, or its steps are picked); its processor runs something else.
/// Source: kernel/exit.c `do_exit`.
pub fn do_exit(sys: &mut System, current: TaskId, code: i32) {
    if sys.task(current).flags.contains(PF::EXITING) {
        return sys.oops("do_exit", "a task that is exiting already exits again".to_string());
    }
    synchronize_group_exit(sys, current, code);
    let at = TrapAt::Exit(code);
    if ptrace_event(sys, current, PtraceEvent::Exit, code as u32 as u64, at) {
        let cpu = sys.task(current).cpu;
        if sched::current(sys, cpu) == current {
            sched::schedule(sys, cpu);
        }
        return;
    }
    give_up_all(sys, current, code);
}

/// The tracer has had its look at a task that exits: it goes on dying.
pub fn exit_after_stop(sys: &mut System, current: TaskId) {
    if let Some((Trap { at: TrapAt::Exit(code), .. }, _)) = back_from_stop(sys, current) {
        sys.task_mut(current).resume = None;
        traced!(sys, give_up_all(current, code));
    }
}

/// The beginning of `do_exit` proper.
fn give_up_all(sys: &mut System, current: TaskId, code: i32) {
    stop::exit_signals(sys, current);
    let t = sys.task_mut(current);
    t.sigpending = false;
    t.exit_code = code;
    let s = sys.signal_mut(current);
    s.live -= 1;
    let group_dead = s.live == 0;
    if group_dead {
        if let Some(signal) = sys.task(current).signal {
            itimer::disarm(sys, signal);
            itimer::forget_cpu_timers(sys, signal);
            posix_timers::exit_itimers(sys, signal);
        }
        if current == sys.kernel.init_process || sys.task(current).tgid == 1 {
            let code = sys.signal(current).group_exit_code.max(code);
            sys.oops(
                "do_exit",
                format!(
                    "Kernel panic - not syncing: Attempted to kill init! exitcode={code:#010x}"
                ),
            );
        }
        note_maxrss(sys, current);
    }
    let noticed = may_pause(sys, current) && frees_others(sys, current);
    traced!(sys, exit_mm(current));
    if noticed {
        return pause(sys, current, Exiting { next: ExitStage::Files, group_dead });
    }
    give_up_files(sys, current, group_dead);
}

/// A task goes on whose exit had paused.
pub fn exit_goes_on(sys: &mut System, current: TaskId) {
    let Some(Exiting { next, group_dead }) = sys.task_mut(current).exiting.take() else { return };
    match next {
        ExitStage::Files => traced!(sys, give_up_files(current, group_dead)),
        ExitStage::Notify => traced!(sys, notify_and_die(current, group_dead)),
    }
}

/// Whether the exit of a task pauses where others notice a part of it: its steps
/// are picked.
fn may_pause(sys: &System, current: TaskId) -> bool {
    sys.task(current).stepped && sys.kernel.sched.chooser != Chooser::Scheduler
}

/// The exit of a task pauses here: whoever noticed the last part may act before
/// the next one.
fn pause(sys: &mut System, current: TaskId, rest: Exiting) {
    let t = sys.task_mut(current);
    t.exiting = Some(rest);
    t.resume = None;
    entry::kick(sys, current);
}

/// Whether giving up the mm lets others go on, or changes what they can read.
fn frees_others(sys: &System, current: TaskId) -> bool {
    let t = sys.task(current);
    let shared = t.mm.is_some_and(|mm| sys.mm(mm).mm_users > 1);
    t.vfork_done.is_some() || shared && t.clear_child_tid != 0 || t.robust_list != 0
}

/// Whether giving up terminal and files is noticed: a signal is sent, or the
/// last descriptor of a pipe's or terminal's end goes.
fn hangs_up(sys: &System, current: TaskId, group_dead: bool) -> bool {
    let t = sys.task(current);
    let s = sys.signal(current);
    let ctty = group_dead && s.leader && (s.tty.is_some() || s.tty_old_pgrp.is_some());
    ctty || t.files.is_some_and(|files| fs::fdtable::ends_a_stream(sys, files))
}

/// The middle of `do_exit`: what is left but the telling.
fn give_up_files(sys: &mut System, current: TaskId, group_dead: bool) {
    let noticed = may_pause(sys, current) && hangs_up(sys, current, group_dead);
    // Linux closes the files later (task_work), so the terminal is given up first.
    if group_dead {
        traced!(sys, disassociate_ctty(current, true));
    }
    traced!(sys, exit_files(current));
    traced!(sys, exit_fs(current));
    let t = sys.task_mut(current);
    t.sysvsem = None;
    if let Some(ns) = t.nsproxy.take() {
        nsproxy::put_nsproxy(sys, ns);
    }
    cgroup::cgroup_exit(sys, current);
    if noticed {
        return pause(sys, current, Exiting { next: ExitStage::Notify, group_dead });
    }
    notify_and_die(sys, current, group_dead);
}

/// The end of `do_exit`.
fn notify_and_die(sys: &mut System, current: TaskId, group_dead: bool) {
    traced!(sys, exit_notify(current, group_dead));
    do_task_dead(sys, current);
}

/// The last thread's code becomes that of the process, whatever its leader
/// exited with before.
fn synchronize_group_exit(sys: &mut System, current: TaskId, code: i32) {
    let s = sys.signal(current);
    if s.live == 1 && !s.flags.contains(SignalFlags::GROUP_EXIT) {
        let s = sys.signal_mut(current);
        s.flags = s.flags & SignalFlags::UNKILLABLE | SignalFlags::GROUP_EXIT;
        s.group_exit_code = code;
        s.group_stop_count = 0;
    }
}

fn note_maxrss(sys: &mut System, current: TaskId) {
    if let Some(mm) = sys.task(current).mm {
        let m = sys.mm(mm);
        let pages = m.hiwater_rss.max(m.rss_stat.iter().sum::<i64>().max(0) as u64);
        let s = sys.signal_mut(current);
        s.dead_threads.ru_maxrss = s.dead_threads.ru_maxrss.max(pages * 4);
    }
}

/// Releases the address space; the task goes on with it as a lazy borrower
/// until its last switch.
fn exit_mm(sys: &mut System, current: TaskId) {
    futex::exit_robust_list(sys, current);
    fork::mm_release(sys, current);
    let Some(mm) = sys.task(current).mm else { return };
    lifetime::mmgrab(sys, mm);
    sys.task_mut(current).mm = None;
    lifetime::mmput(sys, mm);
}

fn exit_files(sys: &mut System, current: TaskId) {
    if let Some(files) = sys.task_mut(current).files.take() {
        fs::fdtable::put_files_struct(sys, files);
    }
}

fn exit_fs(sys: &mut System, current: TaskId) {
    if let Some(fs) = sys.task_mut(current).fs.take() {
        fs::fs_struct::put_fs_struct(sys, fs);
    }
}

/// Tells parent and children, and decides between zombie and gone.
fn exit_notify(sys: &mut System, tsk: TaskId, group_dead: bool) {
    let mut dead = Vec::new();
    traced!(sys, reaper::forget_original_parent(tsk, &mut dead));
    if group_dead {
        let leader = sys.task(tsk).group_leader;
        kill_orphaned_pgrp(sys, leader, None);
    }
    sys.task_mut(tsk).exit_state = TaskState::EXIT_ZOMBIE;
    let autoreap = if !sys.task(tsk).ptrace.is_empty() {
        // The tracer sees it first, also a thread; a leader whether or not
        // its threads live.
        let (leads, alone) = (sys.task(tsk).is_group_leader(), thread_group_empty(sys, tsk));
        let sig = match leads && alone && !ptrace_reparented(sys, tsk) {
            true => sys.task(tsk).exit_signal,
            false => Signal::SIGCHLD.number(),
        };
        if leads {
            notify::note_child_event(sys, tsk);
        }
        traced!(sys, notify::do_notify_parent(tsk, sig))
    } else if sys.task(tsk).is_group_leader() {
        notify::note_child_event(sys, tsk);
        let sig = sys.task(tsk).exit_signal;
        thread_group_empty(sys, tsk) && traced!(sys, notify::do_notify_parent(tsk, sig))
    } else {
        wake_pidfd(sys, tsk);
        true
    };
    if autoreap {
        sys.task_mut(tsk).exit_state = TaskState::EXIT_DEAD;
    }
    // A thread that execs waits until it is alone.
    if sys.signal(tsk).notify_count < 0
        && let Some(t) = sys.signal(tsk).group_exec_task
    {
        sched::wake_up_process(sys, t);
    }
    for p in dead.into_iter().chain(autoreap.then_some(tsk)) {
        traced!(sys, release_task(p));
    }
}

/// Whoever polls a pidfd of the task learns of its end (`do_notify_pidfd`).
fn wake_pidfd(sys: &mut System, tsk: TaskId) {
    if let Some(pid) = sys.task(tsk).thread_pid {
        sched::wake_up_all(sys, WaitOn::PidExit(pid));
    }
}

/// The last switch (`do_task_dead`).
fn do_task_dead(sys: &mut System, tsk: TaskId) {
    let t = sys.task_mut(tsk);
    t.__state = TaskState::DEAD;
    t.io_context = None;
    t.resume = None;
    t.work = None;
    let cpu = t.cpu;
    sched::deactivate_task(sys, tsk);
    sched_dead(sys, tsk);
    if sched::current(sys, cpu) == tsk {
        sched::schedule(sys, cpu);
    }
}
