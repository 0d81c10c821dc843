//! /proc/PID/wchan: the kernel function in which a task sleeps.
//!
//! Linux: fs/proc/base.c (proc_pid_wchan), __get_wchan.
//! Left out: addresses; the name follows from what is waited for. The function
//! of a kernel thread has no name here: its caller, `kthread`, stands for it.

use crate::abi::nr::syscall_name;
use crate::kernel::fs::anon_inodes::AnonKind;
use crate::kernel::kthread::At;
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskState};
use crate::kernel::wait_queue::WaitOn;

/// The kernel function in which a task sleeps, as /proc/PID/wchan names it;
/// `-` for one that does not sleep.
pub fn wchan(sys: &System, task: TaskId) -> &'static str {
    let t = sys.task(task);
    if t.is_dead() || t.__state == TaskState::RUNNING {
        return "-";
    }
    if t.__state.contains(TaskState::__TASK_STOPPED) {
        return "do_signal_stop";
    }
    if t.__state.contains(TaskState::__TASK_TRACED) {
        return "ptrace_stop";
    }
    match t.kthread.as_ref().map(|k| k.at) {
        None | Some(At::Kernel) => {}
        Some(At::Park) => return "kthread_parkme",
        Some(At::Start | At::Function | At::Completion(..)) => return "kthread",
    }
    let Some(resume) = &t.resume else {
        return if t.flags.contains(PF::KTHREAD) { "kthreadd" } else { "-" };
    };
    let call = syscall_name(u64::from(resume.call.nr)).unwrap_or("");
    match (resume.wait.on, call) {
        (WaitOn::Child(_), _) | (WaitOn::PidExit(_), "waitid" | "wait4") => "do_wait",
        (WaitOn::Vfork(_), _) => "kernel_clone",
        (WaitOn::PipeRead(_), "open" | "openat" | "openat2") => "wait_for_partner",
        (WaitOn::FileLock(_), "flock") => "flock_lock_inode_wait",
        (WaitOn::FileLock(_), _) => "do_lock_file_wait",
        (WaitOn::PipeRead(_), _) => "anon_pipe_read",
        (WaitOn::PipeWrite(_), _) => "anon_pipe_write",
        (WaitOn::TtyRead(_) | WaitOn::TtyWrite(_), _) => "wait_woken",
        (WaitOn::PidExit(_) | WaitOn::Poll, _) => "poll_schedule_timeout",
        (WaitOn::Signalfd(_), _) => "signalfd_read_iter",
        (WaitOn::Anon(_), "write") => "eventfd_write",
        (WaitOn::Anon(id), "read") => match sys.kernel.anon_inodes.get(id).map(|a| &a.kind) {
            Some(AnonKind::Timer(_)) => "timerfd_read_iter",
            _ => "eventfd_read",
        },
        (WaitOn::Anon(_), _) => "ep_poll",
        (WaitOn::Futex(_), _) => "futex_do_wait",
        (WaitOn::Dethread(_), _) => "de_thread",
        (WaitOn::Tracer, _) => "ptrace_stop",
        (WaitOn::Signal | WaitOn::Timeout, "pause") => "do_sys_pause",
        (WaitOn::Signal | WaitOn::Timeout, "rt_sigsuspend") => "sigsuspend",
        (WaitOn::Signal | WaitOn::Timeout, "rt_sigtimedwait") => "do_sigtimedwait",
        (WaitOn::Timeout, _) => "hrtimer_nanosleep",
        (WaitOn::Signal, _) => "schedule",
    }
}
