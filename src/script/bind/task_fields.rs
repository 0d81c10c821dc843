//! The fields of task_struct, by the kernel's names.
//!
//! Left out: fields of subsystems that are not modelled, and the fields of
//! what a task points to (`objects`).

use rhai::{Array, Dynamic};

use super::kinds;
use super::objects::{
    Cred, Files, Fs, Mm, Ns, PidHandle, SchedEntity, Sighand, SignalHandle, Stack, Tty,
};
use super::registry::{Book, Raised, getters};
use super::task::Task;
use crate::abi::SigSet;
use crate::kernel::list;
use crate::kernel::pid::{PidType, task_pid_vnr};
use crate::kernel::task::{TaskList, TaskStruct};
use crate::script::value::{Addr, FlagKind, Flags};

/// A number of the task_struct.
fn int(t: &Task, f: impl FnOnce(&TaskStruct) -> i64) -> Raised<i64> {
    t.field(|_, t| f(t))
}

fn flags(t: &Task, kind: &'static FlagKind, f: impl FnOnce(&TaskStruct) -> u64) -> Raised<Flags> {
    t.field(|_, t| Flags { bits: f(t), kind })
}

fn addr(t: &Task, f: impl FnOnce(&TaskStruct) -> u64) -> Raised<Addr> {
    t.field(|_, t| Addr(f(t)))
}

/// A handle to another task.
fn other(t: &Task, f: impl FnOnce(&TaskStruct) -> crate::kernel::task::TaskId) -> Raised<Task> {
    let id = t.field(|_, t| f(t))?;
    Ok(t.machine().handle(id))
}

fn tasks(t: &Task, ids: Vec<crate::kernel::task::TaskId>) -> Array {
    ids.into_iter().map(|id| Dynamic::from(t.machine().handle(id))).collect()
}

/// A signal number as a value: a signal, or the plain number where it is none.
fn signal(number: i32) -> Dynamic {
    match number {
        1..=64 => Dynamic::from(kinds::signal(number)),
        n => i64::from(n).into(),
    }
}

/// Registers all getters.
pub(super) fn register(book: &mut Book) {
    identity(book);
    state(book);
    family(book);
    resources(book);
    scheduling(book);
    signals(book);
}

fn identity(book: &mut Book) {
    getters! { book, Task;
        /// Thread id in the initial pid namespace; a reaped task's stays known.
        "pid: int" => |t: &mut Task| i64::from(t.pid_now());
        /// Thread group id in the initial pid namespace: what programs call the pid.
        "tgid: int" => |t: &mut Task| int(t, |t| t.tgid.into());
        /// Thread id as the task itself sees it, in its own pid namespace.
        "vpid: int" => |t: &mut Task| t.field(|sys, _| i64::from(task_pid_vnr(sys, t.id())));
        /// The parent's process id.
        "ppid: int" => |t: &mut Task| t.field(|sys, s| i64::from(sys.task(s.real_parent).tgid));
        /// Process group id.
        "pgid: int" => |t: &mut Task| t.field(|sys, _| i64::from(
            crate::kernel::pid::task_pid_nr_ns(sys, t.id(), PidType::Pgid, None)));
        /// Session id.
        "sid: int" => |t: &mut Task| t.field(|sys, _| i64::from(
            crate::kernel::pid::task_pid_nr_ns(sys, t.id(), PidType::Sid, None)));
        /// Name, at most 15 bytes.
        "comm: string" => |t: &mut Task| t.field(|_, t| t.comm());
        /// PF_* flags.
        "flags: Flags" => |t: &mut Task| flags(t, &kinds::TASK, |t| t.flags.bits().into());
        /// References to the task_struct.
        "usage: int" => |t: &mut Task| int(t, |t| t.usage.into());
        /// The machine it runs on.
        "machine: Machine" => |t: &mut Task| t.machine().clone();
    }
}

fn state(book: &mut Book) {
    getters! { book, Task;
        /// What ps shows: R running, S sleeping, D uninterruptible, T stopped, t
        /// traced, P parked, Z zombie, X dead, I idle.
        "state: string" => |t: &mut Task| t.field(|_, t| t.state_char().to_string());
        /// TASK_* bits; 0 is TASK_RUNNING.
        "__state: Flags" => |t: &mut Task| flags(t, &kinds::STATE, |t| t.__state.bits().into());
        /// 0 while alive, EXIT_ZOMBIE or EXIT_DEAD.
        "exit_state: Flags" => |t: &mut Task| {
            // 0 is no state here, TASK_RUNNING would mislead.
            flags(t, &kinds::EXIT_STATE, |t| t.exit_state.bits().into())
        };
        /// Wait status of its death.
        "exit_code: int" => |t: &mut Task| int(t, |t| t.exit_code.into());
        /// Signal to the parent at its death; -1 for a thread that is no leader.
        "exit_signal: Signal" => |t: &mut Task| t.field(|_, t| signal(t.exit_signal));
        /// Signal it gets when its parent dies; 0 for none.
        "pdeath_signal: Signal" => |t: &mut Task| t.field(|_, t| signal(t.pdeath_signal));
        /// Whether it exists and is not dead. False for a reaped task.
        "alive: bool" => |t: &mut Task| t.read(|_, t| !t.is_dead()).unwrap_or(false);
        /// Whether it is dead, a zombie or reaped.
        "dead: bool" => |t: &mut Task| t.read(|_, t| t.is_dead()).unwrap_or(true);
        /// Whether it is dead and not yet waited for.
        "zombie: bool" => |t: &mut Task| t.read(|_, t| t.state_char() == 'Z').unwrap_or(false);
        /// PT_* bits; 0 when not traced.
        "ptrace: Flags" => |t: &mut Task| flags(t, &kinds::PT, |t| t.ptrace.bits().into());
        /// What the event of its present stop is about (PTRACE_GETEVENTMSG).
        "ptrace_message: int" => |t: &mut Task| int(t, |t| t.ptrace_message as i64);
        /// JOBCTL_* bits.
        "jobctl: Addr" => |t: &mut Task| addr(t, |t| t.jobctl);
    }
}

fn family(book: &mut Book) {
    getters! { book, Task;
        /// Who gets SIGCHLD and wait reports: the tracer, else real_parent.
        "parent: Task" => |t: &mut Task| other(t, |t| t.parent);
        /// Who made it, or adopted it.
        "real_parent: Task" => |t: &mut Task| other(t, |t| t.real_parent);
        /// Its children, oldest first, zombies too.
        "children: array" => |t: &mut Task| -> Raised<Array> {
            let ids = t.field(|sys, s| {
                list::iter(&sys.kernel.tasks, s.children, TaskList::Sibling).collect()
            })?;
            Ok(tasks(t, ids))
        };
        /// Those it traces, the last one attached first.
        "ptraced: array" => |t: &mut Task| -> Raised<Array> {
            let ids = t.field(|sys, s| {
                list::iter(&sys.kernel.tasks, s.ptraced, TaskList::Ptraced).collect()
            })?;
            Ok(tasks(t, ids))
        };
        /// Leader of its thread group.
        "group_leader: Task" => |t: &mut Task| other(t, |t| t.group_leader);
        /// All threads of its group.
        "threads: array" => |t: &mut Task| -> Raised<Array> {
            let ids = t.field(|sys, _| crate::kernel::signal::threads(sys, t.id()).to_vec())?;
            Ok(tasks(t, ids))
        };
        /// Address of the completion that a vfork parent waits on: not empty
        /// while the task borrows its parent's mm.
        "vfork_done: bool" => |t: &mut Task| t.field(|_, t| t.vfork_done.is_some());
        /// Its struct pid, which can outlive it; () once unhashed.
        "thread_pid: Pid" => |t: &mut Task| t.field(|_, s| PidHandle::optional(t, s.thread_pid));
        /// What it waits for, if it sleeps in a call; else empty.
        "waits_for: string" => |t: &mut Task| t.field(|sys, s| match &s.resume {
            Some(r) => super::trouble::waits_for(sys, t, r.call.serial),
            None => String::new(),
        });
    }
}

fn resources(book: &mut Book) {
    getters! { book, Task;
        /// Address space; () for kernel threads and after exit_mm.
        "mm: Mm" => |t: &mut Task| t.field(|_, s| Mm::optional(t, s.mm));
        /// Address space in use: borrowed where mm is ().
        "active_mm: Mm" => |t: &mut Task| t.field(|_, s| Mm::optional(t, s.active_mm));
        /// Credentials it acts with.
        "cred: Cred" => |t: &mut Task| t.field(|_, s| Cred::new(t, s.cred));
        /// Credentials others judge it by.
        "real_cred: Cred" => |t: &mut Task| t.field(|_, s| Cred::new(t, s.real_cred));
        /// Open files; () once it exited.
        "files: Files" => |t: &mut Task| t.field(|_, s| Files::optional(t, s.files));
        /// Root, working directory, umask; () once it exited.
        "fs: Fs" => |t: &mut Task| t.field(|_, s| Fs::optional(t, s.fs));
        /// What its thread group shares.
        "signal: SignalStruct" => |t: &mut Task| t.field(|_, s| SignalHandle::optional(t, s.signal));
        /// The controlling terminal of its process, or ().
        "tty: Tty" => |t: &mut Task| t.field(|sys, s| {
            let tty = s.signal.and_then(|s| sys.kernel.signals.get(s)?.tty);
            Tty::optional(t, tty)
        });
        /// Signal dispositions; () once it exited.
        "sighand: Sighand" => |t: &mut Task| t.field(|_, s| Sighand::optional(t, s.sighand));
        /// Namespaces; () once it exited.
        "nsproxy: Nsproxy" => |t: &mut Task| t.field(|_, s| Ns::optional(t, s.nsproxy));
        /// Its kernel stack; () once freed.
        "stack: Stack" => |t: &mut Task| t.field(|_, s| match s.stack {
            Some(_) => Dynamic::from(Stack::new(t)),
            None => Dynamic::UNIT,
        });
        /// Value of the stack protector.
        "stack_canary: Addr" => |t: &mut Task| addr(t, |t| t.stack_canary);
        /// Shared System V undo list (CLONE_SYSVSEM); 0 for none.
        "sysvsem: int" => |t: &mut Task| int(t, |t| t.sysvsem.unwrap_or(0) as i64);
        /// Shared I/O context (CLONE_IO); 0 for none.
        "io_context: int" => |t: &mut Task| int(t, |t| t.io_context.unwrap_or(0) as i64);
        /// Where CLONE_CHILD_SETTID stored.
        "set_child_tid: Addr" => |t: &mut Task| addr(t, |t| t.set_child_tid);
        /// Cleared, and its futex woken, when the task releases its mm.
        "clear_child_tid: Addr" => |t: &mut Task| addr(t, |t| t.clear_child_tid);
        /// Whether execve may no longer grant privileges.
        "no_new_privs: bool" => |t: &mut Task| t.field(|_, t| t.no_new_privs);
        /// Page faults without I/O.
        "min_flt: int" => |t: &mut Task| int(t, |t| t.min_flt as i64);
        /// Page faults with I/O.
        "maj_flt: int" => |t: &mut Task| int(t, |t| t.maj_flt as i64);
    }
}

fn scheduling(book: &mut Book) {
    getters! { book, Task;
        /// Effective priority, 0 to 139.
        "prio: int" => |t: &mut Task| int(t, |t| t.prio.into());
        /// 120 + nice.
        "static_prio: int" => |t: &mut Task| int(t, |t| t.static_prio.into());
        /// Priority by policy, without boosts.
        "normal_prio: int" => |t: &mut Task| int(t, |t| t.normal_prio.into());
        /// Real-time priority, 0 to 99.
        "rt_priority: int" => |t: &mut Task| int(t, |t| t.rt_priority.into());
        /// SCHED_* policy.
        "policy: Flags" => |t: &mut Task| flags(t, &kinds::SCHED, |t| t.policy.into());
        /// Whether it can run and is on no queue: it has nothing to do.
        "throttled: bool" => |t: &mut Task| t.field(|_, t| t.throttled);
        /// Whether its children begin with the default policy and no raised priority.
        "sched_reset_on_fork: bool" => |t: &mut Task| t.field(|_, t| t.sched_reset_on_fork);
        /// Of a deadline task: what is left of its budget, ns; else ().
        "dl_runtime: int" => |t: &mut Task| t.field(|_, t| {
            t.dl.as_ref().map_or(Dynamic::UNIT, |dl| dl.runtime.into())
        });
        /// Of a deadline task: by when it is to be had, ns since power-on; else ().
        "dl_deadline: int" => |t: &mut Task| t.field(|_, t| {
            t.dl.as_ref().map_or(Dynamic::UNIT, |dl| (dl.deadline as i64).into())
        });
        /// The fair class's entity: vruntime and so on.
        "se: SchedEntity" => |t: &mut Task| t.field(|_, s| SchedEntity(s.se.clone()));
        /// Voluntary context switches.
        "nvcsw: int" => |t: &mut Task| int(t, |t| t.nvcsw as i64);
        /// Involuntary context switches.
        "nivcsw: int" => |t: &mut Task| int(t, |t| t.nivcsw as i64);
        /// CPU time in user mode, ns.
        "utime: int" => |t: &mut Task| int(t, |t| t.utime as i64);
        /// CPU time in the kernel, ns.
        "stime: int" => |t: &mut Task| int(t, |t| t.stime as i64);
        /// Virtual time of its birth, ns.
        "start_time: int" => |t: &mut Task| int(t, |t| t.start_time as i64);
        /// The processor it is on or was on last.
        "cpu: int" => |t: &mut Task| int(t, |t| t.cpu.into());
        /// Whether a processor runs it now.
        "on_cpu: bool" => |t: &mut Task| t.field(|_, t| t.on_cpu);
        /// Whether it is on a run queue.
        "on_rq: bool" => |t: &mut Task| t.field(|_, t| t.on_rq);
        /// Processors it may run on, a bit each.
        "cpus_mask: Addr" => |t: &mut Task| addr(t, |t| t.cpus_mask);
        /// Timer slack, ns.
        "timer_slack_ns: int" => |t: &mut Task| int(t, |t| t.timer_slack_ns as i64);
    }
}

fn signals(book: &mut Book) {
    getters! { book, Task;
        /// Blocked signals.
        "blocked: SigSet" => |t: &mut Task| t.field(|_, t| t.blocked);
        /// Signals pending for this thread alone.
        "pending: SigSet" => |t: &mut Task| t.field(|_, t| t.pending.signal);
        /// Signals pending for the whole group.
        "shared_pending: SigSet" => |t: &mut Task| t.field(|sys, s| {
            let shared = s.signal.and_then(|id| sys.kernel.signals.get(id));
            shared.map_or(SigSet::EMPTY, |g| g.shared_pending.signal)
        });
        /// TIF_SIGPENDING: it looks for signals on its way to user mode.
        "sigpending: bool" => |t: &mut Task| t.field(|_, t| t.sigpending);
        /// TIF_NEED_RESCHED.
        "need_resched: bool" => |t: &mut Task| t.field(|_, t| t.need_resched);
        /// Alternate signal stack: lowest address.
        "sas_ss_sp: Addr" => |t: &mut Task| addr(t, |t| t.sas_ss_sp);
        /// Alternate signal stack: size.
        "sas_ss_size: int" => |t: &mut Task| int(t, |t| t.sas_ss_size as i64);
    }
}
