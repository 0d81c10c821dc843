//! Beginning to trace and ending it: PTRACE_TRACEME, ATTACH, SEIZE, DETACH,
//! and children that are born traced.
//!
//! ```text
//! TRACEME     the caller chooses its real parent; no stop
//! ATTACH      the tracer chooses; SIGSTOP is sent, so a stop follows
//! SEIZE       the same without a stop, and with the newer rules (EVENT_STOP)
//! ```
//!
//! Linux: kernel/ptrace.c (ptrace_traceme, ptrace_attach, __ptrace_link,
//! __ptrace_unlink, ptrace_detach), include/linux/ptrace.h (ptrace_init_task),
//! security/commoncap.c (cap_ptrace_traceme).
//! Left out: waiting until a stopped tracee is traced: it is at once.

use super::access::ptrace_may_access;
use super::stop::ptrace_signal_wake_up;
use crate::abi::ptrace::{PtraceFlags, PtraceOptions};
use crate::abi::structs::SigInfo;
use crate::abi::{Cap, Errno, Signal};
use crate::kernel::capability::ns_capable;
use crate::kernel::cred::{CredId, get_cred, put_cred};
use crate::kernel::entry;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::list;
use crate::kernel::pid::PidType;
use crate::kernel::signal::notify::do_notify_parent;
use crate::kernel::signal::send::{send_signal_locked, signal_wake_up_state};
use crate::kernel::signal::stop::{task_clear_jobctl_pending, task_set_jobctl_pending};
use crate::kernel::signal::{Jobctl, SignalFlags, notify, same_thread_group, thread_group_empty};
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskList, TaskState};
use crate::traced;

/// Makes `tracer` the parent of `child` (`__ptrace_link`).
fn ptrace_link(sys: &mut System, child: TaskId, tracer: TaskId, ptracer_cred: CredId) {
    let mut head = sys.task(tracer).ptraced;
    list::list_add(&mut sys.kernel.tasks, &mut head, TaskList::Ptraced, child);
    sys.task_mut(tracer).ptraced = head;
    get_cred(sys, ptracer_cred);
    let t = sys.task_mut(child);
    t.parent = tracer;
    t.ptracer_cred = Some(ptracer_cred);
}

/// Gives `child` back to its real parent. If it stands in a stop of the
/// tracer's, it goes on: into the group stop that its process may be in.
/// Source: `__ptrace_unlink`.
pub fn ptrace_unlink(sys: &mut System, child: TaskId) {
    if sys.task(child).ptrace.is_empty() {
        return;
    }
    let tracer = sys.task(child).parent;
    let mut head = sys.task(tracer).ptraced;
    list::list_del(&mut sys.kernel.tasks, &mut head, TaskList::Ptraced, child);
    sys.task_mut(tracer).ptraced = head;
    let t = sys.task_mut(child);
    t.syscall_trace = false;
    t.parent = t.real_parent;
    t.ptrace = PtraceFlags::empty();
    let cred = t.ptracer_cred.take();
    if let Some(cred) = cred {
        put_cred(sys, cred);
    }
    task_clear_jobctl_pending(sys, child, Jobctl::TRAP_MASK);
    let exiting = sys.task(child).flags.contains(PF::EXITING);
    let group = sys.task(child).signal.map(|s| &sys.kernel.signals[s]);
    let stopping = group
        .is_some_and(|s| s.flags.contains(SignalFlags::STOP_STOPPED) || s.group_stop_count != 0);
    if !exiting && stopping {
        sys.task_mut(child).jobctl |= Jobctl::STOP_PENDING.bits();
    }
    let jobctl = Jobctl::from_bits_retain(sys.task(child).jobctl);
    if jobctl.intersects(Jobctl::STOP_PENDING | Jobctl::TRACED) {
        ptrace_signal_wake_up(sys, child, true);
    }
}

/// A new task: not traced, or with its creator's tracer, and about to stop.
/// Source: `ptrace_init_task`.
pub fn ptrace_init_task(sys: &mut System, current: TaskId, child: TaskId, ptrace: bool) {
    let (flags, tracer, cred) = {
        let c = sys.task(current);
        (c.ptrace, c.parent, c.ptracer_cred)
    };
    let Some(cred) = cred.filter(|_| ptrace && !flags.is_empty()) else { return };
    sys.task_mut(child).ptrace = flags;
    ptrace_link(sys, child, tracer, cred);
    let t = sys.task_mut(child);
    if flags.contains(PtraceFlags::PT_SEIZED) {
        t.jobctl |= Jobctl::TRAP_STOP.bits();
    } else {
        t.pending.signal.add(Signal::SIGSTOP);
    }
    t.sigpending = true;
}

/// PTRACE_TRACEME: the caller's real parent traces it from here on.
///
/// # Errors
/// EPERM: it is traced already, or has capabilities that its parent has not.
pub fn ptrace_traceme(sys: &mut System, current: TaskId) -> Result<(), SysError> {
    if !sys.task(current).ptrace.is_empty() {
        return refuse(Errno::EPERM, "ptrace_traceme", "the caller is traced already");
    }
    let parent = sys.task(current).parent;
    let (theirs, ours) = (sys.cred(parent), sys.cred(current));
    let covered =
        theirs.user_ns == ours.user_ns && ours.cap_permitted.is_subset(theirs.cap_permitted);
    let ns = ours.user_ns;
    if !covered && !ns_capable(sys, parent, ns, Cap::CAP_SYS_PTRACE) {
        let why = "the caller has capabilities that its parent has not, nor has the parent \
                   CAP_SYS_PTRACE";
        return refuse(Errno::EPERM, "cap_ptrace_traceme", why);
    }
    let real_parent = sys.task(current).real_parent;
    if !sys.task(real_parent).flags.contains(PF::EXITING) {
        sys.task_mut(current).ptrace = PtraceFlags::PT_PTRACED;
        // The caller consents, so its own credentials stand for the tracer's.
        let cred = sys.task(current).cred;
        ptrace_link(sys, current, real_parent, cred);
    }
    Ok(())
}

/// What SETOPTIONS and SEIZE say of options that are not modelled.
///
/// # Errors
/// EINVAL.
pub fn check_ptrace_options(data: u64) -> Result<PtraceOptions, SysError> {
    const F: &str = "check_ptrace_options";
    let Some(options) = PtraceOptions::from_bits(data) else {
        let why = format!("{data:#x} has bits that are no PTRACE_O_ option");
        return Err(SysError::with(Errno::EINVAL, F, why));
    };
    let seccomp = PtraceOptions::PTRACE_O_TRACESECCOMP | PtraceOptions::PTRACE_O_SUSPEND_SECCOMP;
    if options.intersects(seccomp) {
        let why = "seccomp is not modelled: PTRACE_O_TRACESECCOMP and PTRACE_O_SUSPEND_SECCOMP \
                   are refused";
        return refuse(Errno::EINVAL, F, why);
    }
    Ok(options)
}

/// PTRACE_ATTACH, and PTRACE_SEIZE when `seize` has its `addr` and `data`.
///
/// # Errors
/// EIO (SEIZE: addr is not 0, unknown options), EINVAL, EPERM.
pub fn ptrace_attach(
    sys: &mut System,
    current: TaskId,
    task: TaskId,
    seize: Option<(u64, u64)>,
) -> Result<(), SysError> {
    const F: &str = "ptrace_attach";
    let mut flags = PtraceFlags::PT_PTRACED;
    if let Some((addr, options)) = seize {
        if addr != 0 {
            return refuse(Errno::EIO, F, "PTRACE_SEIZE takes options as data; addr must be 0");
        }
        if PtraceOptions::from_bits(options).is_none() {
            let why = format!("{options:#x} has bits that are no PTRACE_O_ option");
            return Err(SysError::with(Errno::EIO, F, why));
        }
        let options = check_ptrace_options(options)?;
        flags |= PtraceFlags::PT_SEIZED | PtraceFlags::of_options(options);
    }
    if sys.task(task).flags.contains(PF::KTHREAD) {
        return refuse(Errno::EPERM, F, "a kernel thread cannot be traced");
    }
    if same_thread_group(sys, task, current) {
        return refuse(Errno::EPERM, F, "a thread of the caller's own process cannot be traced");
    }
    ptrace_may_access(sys, current, task)?;
    if sys.task(task).is_dead() {
        return refuse(Errno::EPERM, F, "the task is dead");
    }
    if !sys.task(task).ptrace.is_empty() {
        let tracer = sys.task(sys.task(task).parent).pid;
        let why = format!("the task is traced already, by task {tracer}");
        return Err(SysError::with(Errno::EPERM, F, why));
    }
    sys.task_mut(task).ptrace = flags;
    let cred = sys.task(current).cred;
    ptrace_link(sys, task, current, cred);
    if seize.is_none() {
        // A standard signal is never refused for want of queue room.
        let _ = send_signal_locked(sys, SigInfo::kernel(Signal::SIGSTOP), task, PidType::Pid);
    }
    // One that is stopped already becomes traced where it is.
    if sys.task(task).__state == TaskState::STOPPED
        && task_set_jobctl_pending(sys, task, Jobctl::TRAP_STOP, None)
    {
        sys.task_mut(task).jobctl &= !Jobctl::STOPPED.bits();
        signal_wake_up_state(sys, task, TaskState::__TASK_STOPPED);
        entry::run_to_trap(sys, current, task);
    }
    Ok(())
}

/// Ends tracing on the tracer's side; whether a zombie is to be reaped now,
/// because nobody else waits for it (`__ptrace_detach`).
pub fn __ptrace_detach(sys: &mut System, tracer: TaskId, p: TaskId) -> bool {
    ptrace_unlink(sys, p);
    if sys.task(p).exit_state != TaskState::EXIT_ZOMBIE {
        return false;
    }
    let mut dead = !sys.task(p).is_group_leader();
    if !dead && thread_group_empty(sys, p) {
        let real_parent = sys.task(p).real_parent;
        if !same_thread_group(sys, real_parent, tracer) {
            let sig = sys.task(p).exit_signal;
            notify::note_child_event(sys, p);
            dead = traced!(sys, do_notify_parent(p, sig));
        } else if notify::ignoring_children(sys, tracer) {
            notify::wake_up_parent(sys, tracer);
            dead = true;
        }
    }
    if dead {
        sys.task_mut(p).exit_state = TaskState::EXIT_DEAD;
    }
    dead
}

/// PTRACE_DETACH: the tracee goes on, with the signal `data` if it stood in a
/// signal-delivery-stop.
///
/// # Errors
/// EIO: no signal has this number.
pub fn ptrace_detach(
    sys: &mut System,
    current: TaskId,
    child: TaskId,
    data: u64,
) -> Result<(), SysError> {
    let sig = super::request::valid_signal(data, "ptrace_detach")?;
    sys.task_mut(child).exit_code = sig;
    // It is stopped, so it is no zombie to reap.
    traced!(sys, __ptrace_detach(current, child));
    Ok(())
}
