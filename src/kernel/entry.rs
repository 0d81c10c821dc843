//! The door between user mode and the kernel.
//!
//! Whoever drives a task (a script's director, later a program or machine
//! code) comes in here: registers are set, SYSCALL executes, `pt_regs` lies
//! at the top of the kernel stack in emulated memory, a handler from the
//! table runs, and on the way out signals are taken and the registers are
//! loaded again from `pt_regs`.
//!
//! ```text
//!  user     syscall()            user_op()
//!  -------- SYSCALL ------------ exception ------------
//!             |                     |
//!           pt_regs on the kernel stack
//!             |                     |
//!           handler              handle_user_fault
//!           Ok | Err | Block        |
//!             |          \  sleep, run the same call again on wake-up
//!           exit_to_user_mode: signals, restart or EINTR
//! ```
//!
//! Linux: arch/x86/entry/{entry_64.S,syscall_64.c}, kernel/entry/common.c
//! (exit_to_user_mode_loop), arch/x86/mm/fault.c, arch/x86/kernel/traps.c.
//! Left out: seccomp and audit; rseq.

pub mod code;
mod leave;
mod regs;
mod resume;
mod trap;

pub use regs::{PT_REGS_OFFSET, enter_from_user, exit_to_user_regs, read_pt_regs, write_pt_regs};
pub use resume::{kick, resume_picked, run_to_death, run_to_trap, settle};
pub use trap::{UserFault, user_op};

use leave::{exit_to_user_mode, finish, leave_call, set_ax, stop_in_call};
use regs::{enter_kernel, save_regs};

use crate::abi::Errno;
use crate::abi::nr::syscall_name;
use crate::kernel::error::{Stop, SysResult};
use crate::kernel::ptrace::stop::back_from_stop;
use crate::kernel::ptrace::syscall::{after_report_syscall, ptrace_report_syscall};
use crate::kernel::ptrace::{Trap, TrapAt};
use crate::kernel::sched::core::{self as sched, KERNEL_ENTRY_NS, account};
use crate::kernel::signal::deliver::WayOut;
use crate::kernel::syscalls::refused::sys_ni_syscall;
use crate::kernel::syscalls::table;
use crate::kernel::syscalls::{Call, Out, Outcome, Payload};
use crate::kernel::system::System;
use crate::kernel::task::{Resume, TaskId, TaskState};
use crate::kernel::timer;
use crate::kernel::wait_queue::Wait;
use crate::machine::Ring;
use crate::trace::EventKind;

/// How a call ended for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// It returned to user mode.
    Done(Outcome),
    /// It sleeps; its result will be in `task.finished` under its number.
    Blocked,
    /// A signal handler runs first; after it the call is made again.
    Interrupted,
    /// The task is stopped; the call goes on when it is continued.
    Stopped,
    /// The task died in it (exit, or a fatal signal).
    Dead,
}

/// Why a task cannot be made to act now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotAct {
    /// There is no such task any more.
    #[error("the task no longer exists: it was reaped")]
    Gone,
    /// It is dead.
    #[error("task {pid} is dead ({state}): it executes nothing any more")]
    Dead {
        /// Its pid.
        pid: i32,
        /// Z or X.
        state: char,
    },
    /// It is in the middle of its exit.
    #[error("task {pid} exits: it executes nothing any more")]
    Exiting {
        /// Its pid.
        pid: i32,
    },
    /// It sleeps in a call.
    #[error("task {pid} sleeps ({state}) in {call}")]
    Sleeping {
        /// Its pid.
        pid: i32,
        /// S, D or T.
        state: char,
        /// The call.
        call: &'static str,
        /// The sleeping call in full.
        resume: Box<Resume>,
    },
    /// It is stopped for its tracer.
    #[error("task {pid} is stopped (t) for its tracer, task {tracer}: PTRACE_CONT lets it go on")]
    Traced {
        /// Its pid.
        pid: i32,
        /// The tracer's.
        tracer: i32,
    },
    /// It is stopped.
    #[error("task {pid} is stopped (T): SIGCONT lets it go on")]
    Stopped {
        /// Its pid.
        pid: i32,
    },
    /// It is a kernel thread.
    #[error("task {pid} ({comm}) is a kernel thread: it has no user mode to act in")]
    KernelThread {
        /// Its pid.
        pid: i32,
        /// Its name.
        comm: String,
    },
}

/// Whether a task can be made to act.
pub fn can_act(sys: &System, task: TaskId) -> Result<(), CannotAct> {
    let t = sys.kernel.tasks.get(task).ok_or(CannotAct::Gone)?;
    if t.is_dead() || t.__state == TaskState::DEAD {
        return Err(CannotAct::Dead { pid: t.pid, state: t.state_char() });
    }
    if t.exiting.is_some() {
        return Err(CannotAct::Exiting { pid: t.pid });
    }
    if t.mm.is_none() {
        return Err(CannotAct::KernelThread { pid: t.pid, comm: t.comm() });
    }
    if t.__state.contains(TaskState::__TASK_TRACED) {
        let tracer = sys.kernel.tasks.get(t.parent).map_or(0, |p| p.pid);
        return Err(CannotAct::Traced { pid: t.pid, tracer });
    }
    if t.__state.contains(TaskState::__TASK_STOPPED) {
        return Err(CannotAct::Stopped { pid: t.pid });
    }
    if let Some(resume) = &t.resume {
        let call = syscall_name(u64::from(resume.call.nr)).unwrap_or("?");
        return Err(CannotAct::Sleeping {
            pid: t.pid,
            state: t.state_char(),
            call,
            resume: resume.clone(),
        });
    }
    Ok(())
}

/// Lets `task` execute a system call, then lets all others that this woke or
/// signalled go on as far as they can.
pub fn syscall(sys: &mut System, task: TaskId, mut call: Call) -> Result<Entered, CannotAct> {
    can_act(sys, task)?;
    sys.kernel.calls_made += 1;
    call.serial = sys.kernel.calls_made;
    sys.task_mut(task).finished.clear();
    let is_new = sys.task(task).thread.ret_from_fork;
    sched::run_on_cpu(sys, task);
    if is_new && can_act(sys, task).is_err() {
        // Its first return to user mode killed it.
        settle(sys);
        return Ok(Entered::Dead);
    }
    let cpu = sys.task(task).cpu as usize;
    let r = &mut sys.machine.cpus[cpu].regs;
    r.ax = u64::from(call.nr);
    [r.di, r.si, r.dx, r.r10, r.r8, r.r9] = call.args;
    let serial = call.serial;
    let entered = make_call(sys, task, call);
    settle(sys);
    if !matches!(entered, Entered::Blocked | Entered::Stopped) {
        return Ok(entered);
    }
    // What it slept for may have happened meanwhile: the threads that an
    // execve had to wait for are dead, its tracer has died.
    let Some(t) = sys.kernel.tasks.get_mut(task).filter(|t| !t.is_dead()) else {
        return Ok(Entered::Dead);
    };
    let ended = t.finished.iter().position(|(of, _)| *of == serial);
    Ok(ended.map_or(entered, |i| Entered::Done(t.finished.remove(i).1)))
}

/// The SYSCALL instruction and what entry_SYSCALL_64 does with the registers
/// that user mode has set.
fn execute_syscall(sys: &mut System, task: TaskId, call: &Call) {
    save_regs(sys, task);
    let t = &mut sys.kernel.tasks[task];
    let c = &mut sys.machine.cpus[t.cpu as usize];
    let executed = c.syscall();
    // ax is -ENOSYS until the handler has a result.
    t.regs.ax = Errno::ENOSYS.to_ret() as u64;
    (t.regs.ip, t.regs.cx, t.regs.r11) = (c.regs.cx, c.regs.cx, t.regs.flags);
    if let Err(e) = executed {
        sys.oops("entry_SYSCALL_64", format!("SYSCALL raised {e:?}"));
    }
    enter_kernel(sys, task, i64::from(call.nr));
    account(sys, task, KERNEL_ENTRY_NS, Ring::Kernel);
}

/// Executes SYSCALL and runs the handler, unless a tracer wants to see the
/// call first.
fn make_call(sys: &mut System, task: TaskId, call: Call) -> Entered {
    execute_syscall(sys, task, &call);
    if ptrace_report_syscall(sys, task, TrapAt::SyscallEntry) {
        stop_in_call(sys, task, call, None);
        return Entered::Stopped;
    }
    run(sys, task, call)
}

/// A call that its tracer has seen, and perhaps changed: the registers on the
/// kernel stack say which it is now. Source: `syscall_trace_enter`.
fn after_entry_stop(sys: &mut System, task: TaskId, mut call: Call) -> Entered {
    let code = back_from_stop(sys, task).map_or(0, |(_, code)| code);
    let dying = after_report_syscall(sys, task, code);
    read_pt_regs(sys, task);
    let t = sys.task(task);
    let (r, orig_ax) = (&t.regs, t.orig_ax);
    let args = [r.di, r.si, r.dx, r.r10, r.r8, r.r9];
    // Nothing runs: ax stays what the tracer left there.
    if dying || orig_ax as i32 == -1 {
        let ret = r.ax as i64;
        let mut outcome = Outcome { ret, error: None, out: Out::None };
        outcome.set_ret(ret);
        return leave_call(sys, task, call, outcome);
    }
    if orig_ax as u32 != call.nr {
        // What stood for the memory of the other call means nothing to it.
        let payload = match call.payload {
            Payload::Registers => Payload::Registers,
            _ => Payload::None,
        };
        call = Call { nr: orig_ax as u32, payload, ..call };
    }
    call.args = args;
    run(sys, task, call)
}

/// Runs the handler of a call, first time or again.
fn run(sys: &mut System, task: TaskId, call: Call) -> Entered {
    let row = table::lookup(call.nr);
    let name = row.map_or("?", |r| r.name);
    if sys.log.on() {
        sys.log.reset_depth();
        sys.log.push(EventKind::Syscall(name, call.args));
        sys.log.enter(name);
    }
    sys.kernel.out = Out::None;
    let result: SysResult = match row {
        Some(row) => (row.handler)(sys, task, &call),
        None => sys_ni_syscall(sys, task, &call),
    };
    sys.log.leave(name);
    match result {
        Ok(ret) => finish(sys, task, call, ret, None),
        Err(Stop::Error(e)) => finish(sys, task, call, e.errno.to_ret(), Some(e)),
        Err(Stop::Block(wait)) => {
            sleep(sys, task, call, wait);
            Entered::Blocked
        }
        Err(Stop::NoReturn) => match sys.kernel.tasks.get(task) {
            // Its exit has paused.
            Some(t) if t.exiting.is_some() => Entered::Dead,
            // It stopped at the beginning of its exit.
            Some(t) if matches!(t.trap.as_deref(), Some(Trap { at: TrapAt::Exit(_), .. })) => {
                Entered::Dead
            }
            Some(t) if t.__state != TaskState::DEAD && !t.is_dead() => {
                // execve: the new image is in the task's registers already.
                write_pt_regs(sys, task);
                let outcome = Outcome { ret: 0, error: None, out: Out::None };
                if sys.task(task).__state == TaskState::TRACED {
                    set_ax(sys, task, Errno::ENOSYS.to_ret());
                    stop_in_call(sys, task, call, Some(outcome));
                    return Entered::Stopped;
                }
                finish(sys, task, call, 0, None)
            }
            _ => Entered::Dead,
        },
    }
}

/// Puts a task to sleep in its call.
fn sleep(sys: &mut System, task: TaskId, call: Call, wait: Wait) {
    if let Some(q) = sched::queue_mut(sys, wait.on) {
        q.add(task, wait.exclusive);
    }
    if let Some(deadline) = wait.deadline {
        timer::start(sys, task, deadline);
    }
    let origin = sys.log.origin;
    let note = std::mem::take(&mut sys.kernel.note);
    let t = sys.task_mut(task);
    t.__state = wait.state;
    let cpu = t.cpu;
    match &mut t.resume {
        // Sleeping on: the line that made the call stays the first one.
        Some(r) => r.wait = wait,
        None => {
            t.resume = Some(Box::new(Resume {
                call: Call { restarts: 0, ..call },
                wait,
                origin,
                note,
                file: None,
                poll: None,
                leaving: None,
            }))
        }
    }
    sched::schedule(sys, cpu);
}

/// A new task leaves the kernel for the first time.
pub fn exit_from_fork(sys: &mut System, task: TaskId) {
    exit_to_user_mode(sys, task, false, &mut WayOut::default());
}
