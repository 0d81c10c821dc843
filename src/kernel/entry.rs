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
//! Left out: seccomp, audit and syscall tracing; rseq.

use crate::abi::flags::SaFlags;
use crate::abi::nr::syscall_name;
use crate::abi::signal::si_code;
use crate::abi::{Errno, Signal};
use crate::base::VirtAddr;
use crate::kernel::error::{Stop, SysError, SysResult};
use crate::kernel::mm::{fault, vmalloc};
use crate::kernel::sched::core::{
    self as sched, KERNEL_ENTRY_NS, USER_OP_NS, account, percpu_base, text,
};
use crate::kernel::signal::deliver::{self, Delivered};
use crate::kernel::signal::send;
use crate::kernel::syscalls::table;
use crate::kernel::syscalls::{Call, Out, Outcome};
use crate::kernel::system::System;
use crate::kernel::task::{Resume, THREAD_SIZE, TaskId, TaskState};
use crate::kernel::wait_queue::Wait;
use crate::machine::ptregs::{PT_REGS_SIZE, PT_REGS_WORDS, from_words, to_words};
use crate::machine::{Exception, Regs, Ring, UserOp};
use crate::trace::EventKind;

/// Offset of `pt_regs` in a kernel stack.
pub const PT_REGS_OFFSET: u64 = THREAD_SIZE - PT_REGS_SIZE;
/// Offset of `pt_regs.ax` in a kernel stack.
const AX_OFFSET: u64 = PT_REGS_OFFSET + 10 * 8;
/// A fault that resolves must let the operation go on; more faults than this
/// on one operation mean that the fault handler lies.
const MAX_FAULTS: u32 = 64;

/// How a call ended for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// It returned to user mode.
    Done(Outcome),
    /// It sleeps; its result will be in `task.finished`.
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

/// A user-mode operation that ended in a signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sig}: {why}")]
pub struct UserFault {
    /// The signal.
    pub sig: Signal,
    /// Its si_code.
    pub si_code: i32,
    /// Faulting address, 0 where there is none.
    pub addr: u64,
    /// What was wrong, in a sentence.
    pub why: String,
    /// Whether the task is dead now (else a handler runs).
    pub killed: bool,
}

/// Whether a task can be made to act.
pub fn can_act(sys: &System, task: TaskId) -> Result<(), CannotAct> {
    let t = sys.kernel.tasks.get(task).ok_or(CannotAct::Gone)?;
    if t.is_dead() || t.__state == TaskState::DEAD {
        return Err(CannotAct::Dead { pid: t.pid, state: t.state_char() });
    }
    if t.mm.is_none() {
        return Err(CannotAct::KernelThread { pid: t.pid, comm: t.comm() });
    }
    if t.__state.intersects(TaskState::__TASK_STOPPED | TaskState::__TASK_TRACED) {
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
pub fn syscall(sys: &mut System, task: TaskId, call: Call) -> Result<Entered, CannotAct> {
    can_act(sys, task)?;
    sched::run_on_cpu(sys, task);
    if can_act(sys, task).is_err() {
        // Its first return to user mode killed it.
        settle(sys);
        return Ok(Entered::Dead);
    }
    let cpu = sys.task(task).cpu as usize;
    let r = &mut sys.machine.cpus[cpu].regs;
    r.ax = u64::from(call.nr);
    [r.di, r.si, r.dx, r.r10, r.r8, r.r9] = call.args;
    let before = *r;
    if let Err(e) = sys.machine.cpus[cpu].syscall() {
        sys.oops("entry_SYSCALL_64", format!("SYSCALL raised {e:?}"));
    }
    let ret_ip = sys.machine.cpus[cpu].regs.cx;
    let image = Regs { ip: ret_ip, cx: ret_ip, r11: before.flags, ax: -38i64 as u64, ..before };
    enter_kernel(sys, task, &image, i64::from(call.nr));
    account(sys, task, KERNEL_ENTRY_NS, Ring::Kernel);
    let entered = run(sys, task, call);
    settle(sys);
    Ok(entered)
}

/// Stores `pt_regs` and runs on the kernel stack from here on.
fn enter_kernel(sys: &mut System, task: TaskId, image: &Regs, orig_ax: i64) {
    let cpu = sys.task(task).cpu;
    let c = &mut sys.machine.cpus[cpu as usize];
    c.swapgs();
    c.msrs.gs_base = percpu_base(cpu);
    c.regs.sp = c.rsp0 - PT_REGS_SIZE;
    let t = sys.task_mut(task);
    t.regs = *image;
    t.orig_ax = orig_ax;
    write_pt_regs(sys, task);
}

/// An exception or interrupt in user mode. `orig_ax` is -1, as error_entry
/// leaves it: there is no system call to restart.
pub fn enter_from_user(sys: &mut System, task: TaskId, handler: u64, orig_ax: i64) {
    let cpu = sys.task(task).cpu as usize;
    let image = sys.machine.cpus[cpu].regs;
    sys.machine.cpus[cpu].enter_exception(handler);
    enter_kernel(sys, task, &image, orig_ax);
}

/// Writes the task's register image to the top of its kernel stack.
pub fn write_pt_regs(sys: &mut System, task: TaskId) {
    let t = sys.task(task);
    let Some(stack) = t.stack else { return };
    let words = to_words(&t.regs, t.orig_ax as u64);
    vmalloc::stack_write_words(sys, &stack, PT_REGS_OFFSET, &words);
}

/// Reads `pt_regs` back from the kernel stack into the task's image.
pub fn read_pt_regs(sys: &mut System, task: TaskId) {
    let Some(stack) = sys.task(task).stack else { return };
    let mut words = [0; PT_REGS_WORDS];
    vmalloc::stack_read_words(sys, &stack, PT_REGS_OFFSET, &mut words);
    let (regs, orig_ax) = from_words(&words);
    let t = sys.task_mut(task);
    t.regs = regs;
    t.orig_ax = orig_ax as i64;
}

/// Returns the processor to user mode with what `pt_regs` holds.
pub fn exit_to_user_regs(sys: &mut System, task: TaskId) {
    read_pt_regs(sys, task);
    let t = sys.task(task);
    let (cpu, image) = (t.cpu as usize, t.regs);
    let c = &mut sys.machine.cpus[cpu];
    c.msrs.gs_base = c.msrs.kernel_gs_base;
    c.msrs.kernel_gs_base = percpu_base(cpu as u32);
    c.regs = image;
}

/// Runs the handler of a call, first time or again.
fn run(sys: &mut System, task: TaskId, call: Call) -> Entered {
    let name = syscall_name(u64::from(call.nr)).unwrap_or("?");
    if sys.log.on() {
        sys.log.reset_depth();
        sys.log.push(EventKind::Syscall(name, call.args));
        sys.log.enter(name);
    }
    sys.kernel.out = Out::None;
    let result: SysResult = match table::lookup(call.nr) {
        Some(row) => (row.handler)(sys, task, &call),
        None => Err(Stop::Error(not_modelled(call.nr))),
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
            Some(t) if t.__state != TaskState::DEAD && !t.is_dead() => {
                // execve: the new image is in the task's registers already.
                write_pt_regs(sys, task);
                finish(sys, task, call, 0, None)
            }
            _ => Entered::Dead,
        },
    }
}

fn not_modelled(nr: u32) -> SysError {
    let why = match syscall_name(u64::from(nr)) {
        Some(name) => {
            format!("{name} is a system call of Linux that this kernel does not model yet")
        }
        None => format!("there is no system call with number {nr}"),
    };
    SysError::with(Errno::ENOSYS, "do_syscall_64", why)
}

/// Puts a task to sleep in its call.
fn sleep(sys: &mut System, task: TaskId, call: Call, wait: Wait) {
    if let Some(q) = sched::queue_mut(sys, wait.on) {
        q.add(task, wait.exclusive);
    }
    let origin = sys.log.origin;
    let note = std::mem::take(&mut sys.kernel.note);
    let t = sys.task_mut(task);
    t.__state = wait.state;
    t.on_rq = false;
    let cpu = t.cpu;
    match &mut t.resume {
        // Sleeping on: the line that made the call stays the first one.
        Some(r) => r.wait = wait,
        None => t.resume = Some(Box::new(Resume { call, wait, origin, note, file: None })),
    }
    sched::schedule(sys, cpu);
}

/// A call has a result: leave the kernel.
fn finish(
    sys: &mut System,
    task: TaskId,
    call: Call,
    ret: i64,
    error: Option<SysError>,
) -> Entered {
    let out = std::mem::take(&mut sys.kernel.out);
    if sys.log.on() {
        let name = syscall_name(u64::from(call.nr)).unwrap_or("?");
        sys.log.push(EventKind::SyscallRet(name, ret));
    }
    let Some(stack) = sys.task(task).stack else { return Entered::Dead };
    if call.nr == NR_RT_SIGRETURN {
        // The whole register image was restored from the signal frame.
        write_pt_regs(sys, task);
    } else {
        vmalloc::stack_write_words(sys, &stack, AX_OFFSET, &[ret as u64]);
    }
    match exit_to_user_mode(sys, task) {
        Delivered::Dead => return Entered::Dead,
        Delivered::Stopped => {
            stop_in_call(sys, task, call);
            return Entered::Stopped;
        }
        // The instruction pointer was set back: SYSCALL executes again.
        Delivered::Restart => return restart(sys, task, call),
        Delivered::ReturnToUser => {}
    }
    if call.nr == NR_RT_SIGRETURN {
        return after_handler(sys, task, Outcome { ret, error, out });
    }
    match error {
        Some(e) if e.errno.is_restart() => interrupted(sys, task, call, e),
        error => Entered::Done(Outcome { ret, error, out }),
    }
}

/// A handler is about to run in the middle of a call. Whether the call is made
/// again after it was decided by its SA_RESTART; the frame holds the answer.
fn interrupted(sys: &mut System, task: TaskId, call: Call, e: SysError) -> Entered {
    let action_restarts = match sys.task(task).last_siginfo.as_deref() {
        Some(info) => sys.task(task).sighand.is_some_and(|s| {
            sys.kernel.sighands[s].get(info.si_signo).flags.contains(SaFlags::SA_RESTART)
        }),
        None => false,
    };
    let again =
        e.errno == Errno::ERESTARTNOINTR || e.errno == Errno::ERESTARTSYS && action_restarts;
    if again {
        sys.task_mut(task).interrupted = Some(Box::new(call));
        return Entered::Interrupted;
    }
    let error = SysError::new(
        Errno::EINTR,
        "handle_signal",
        "a signal handler ran while the call slept, and the call does not restart after it",
    );
    Entered::Done(Outcome { ret: Errno::EINTR.to_ret(), error: Some(error), out: Out::None })
}

/// A handler has returned: a call it had interrupted is made again.
fn after_handler(sys: &mut System, task: TaskId, outcome: Outcome) -> Entered {
    match sys.task_mut(task).interrupted.take() {
        Some(call) if sys.task(task).regs.ax == u64::from(call.nr) => restart(sys, task, *call),
        other => {
            sys.task_mut(task).interrupted = other;
            Entered::Done(outcome)
        }
    }
}

/// Number of rt_sigreturn(2).
const NR_RT_SIGRETURN: u32 = 15;

/// The task stopped on its way out of a call: the way out goes on later.
fn stop_in_call(sys: &mut System, task: TaskId, call: Call) {
    let origin = sys.log.origin;
    let wait = Wait {
        on: crate::kernel::wait_queue::WaitOn::Signal,
        state: TaskState::STOPPED,
        exclusive: false,
        deadline: None,
    };
    let t = sys.task_mut(task);
    t.resume = Some(Box::new(Resume { call, wait, origin, note: EXIT_PENDING, file: None }));
}

/// `Resume::note` of a call that has ended and only has to leave the kernel.
const EXIT_PENDING: u64 = u64::MAX;

/// Executes the call's SYSCALL instruction again after a signal.
fn restart(sys: &mut System, task: TaskId, call: Call) -> Entered {
    let cpu = sys.task(task).cpu as usize;
    let before = sys.machine.cpus[cpu].regs;
    if let Err(e) = sys.machine.cpus[cpu].syscall() {
        sys.oops("entry_SYSCALL_64", format!("SYSCALL raised {e:?}"));
    }
    let ret_ip = sys.machine.cpus[cpu].regs.cx;
    let image = Regs { ip: ret_ip, cx: ret_ip, r11: before.flags, ax: -38i64 as u64, ..before };
    enter_kernel(sys, task, &image, i64::from(call.nr));
    account(sys, task, KERNEL_ENTRY_NS, Ring::Kernel);
    run(sys, task, call)
}

/// Runs a task that has SIGKILL pending until it is dead: used where Linux's
/// caller would sleep until it is.
pub fn run_to_death(sys: &mut System, task: TaskId) {
    if sys.kernel.tasks.get(task).is_some_and(|t| !t.is_dead()) {
        let todo = std::mem::take(&mut sys.kernel.todo);
        resume(sys, task);
        sys.kernel.todo.extend(todo.into_iter().filter(|t| *t != task));
    }
}

/// On the way to user mode: takes signals, then loads the registers.
fn exit_to_user_mode(sys: &mut System, task: TaskId) -> Delivered {
    let cpu = sys.task(task).cpu;
    if sched::current(sys, cpu) != task {
        // The call moved it to another processor.
        sched::context_switch(sys, cpu, task);
    }
    if sys.task(task).sigpending {
        read_pt_regs(sys, task);
        match deliver::do_signal_or_restart(sys, task) {
            Delivered::ReturnToUser => write_pt_regs(sys, task),
            Delivered::Restart => {
                write_pt_regs(sys, task);
                exit_to_user_regs(sys, task);
                return Delivered::Restart;
            }
            Delivered::Stopped => {
                write_pt_regs(sys, task);
                let cpu = sys.task(task).cpu;
                if sched::current(sys, cpu) == task {
                    sched::schedule(sys, cpu);
                }
                return Delivered::Stopped;
            }
            Delivered::Dead => return Delivered::Dead,
        }
    }
    exit_to_user_regs(sys, task);
    Delivered::ReturnToUser
}

/// A new task leaves the kernel for the first time.
pub fn exit_from_fork(sys: &mut System, task: TaskId) {
    exit_to_user_mode(sys, task);
}

/// Something happened to a task that is not running: `settle` will run it.
pub fn kick(sys: &mut System, task: TaskId) {
    if !sys.kernel.todo.contains(&task) {
        sys.kernel.todo.push_back(task);
    }
}

/// Lets every task that was woken in a call or signalled go on until it is
/// back in user mode, asleep or dead, in the order in which they were woken.
pub fn settle(sys: &mut System) {
    while let Some(task) = sys.kernel.todo.pop_front() {
        resume(sys, task);
    }
}

/// Lets one task go on; nothing happens to one that has nothing to do.
fn resume(sys: &mut System, task: TaskId) {
    let Some(t) = sys.kernel.tasks.get(task) else { return };
    if t.is_dead() || t.__state != TaskState::RUNNING || t.mm.is_none() && t.resume.is_none() {
        return;
    }
    let cpu = t.cpu;
    if t.thread.ret_from_fork {
        sched::run_on_cpu(sys, task);
        return;
    }
    let origin = sys.log.origin;
    let entered = match sys.task_mut(task).resume.take() {
        Some(r) => {
            if sched::current(sys, cpu) != task {
                sched::context_switch(sys, cpu, task);
            }
            sys.log.origin = r.origin;
            if r.note == EXIT_PENDING {
                let Resume { call, .. } = *r;
                read_pt_regs(sys, task);
                let ret = sys.task(task).regs.ax as i64;
                let error = (ret < 0)
                    .then(|| Errno::from_number(-ret as i32))
                    .flatten()
                    .map(|e| SysError::new(e, "do_signal", "the call was interrupted by a stop"));
                finish(sys, task, call, ret, error)
            } else {
                // finish_wait; the handler puts it back if it must sleep on.
                let (call, on) = (r.call.clone(), r.wait.on);
                if let Some(q) = sched::queue_mut(sys, on) {
                    q.remove(task);
                }
                // The handler may look at `resume` for what it noted.
                sys.task_mut(task).resume = Some(r);
                let entered = run(sys, task, call);
                if let Some(t) = sys.kernel.tasks.get_mut(task)
                    && !matches!(entered, Entered::Blocked | Entered::Stopped)
                {
                    t.resume = None;
                }
                entered
            }
        }
        None if sys.task(task).sigpending => {
            // An interprocessor interrupt makes it look.
            sched::run_on_cpu(sys, task);
            enter_from_user(sys, task, text::ASM_COMMON_INTERRUPT, -1);
            exit_to_user_mode(sys, task);
            sys.log.origin = origin;
            return;
        }
        None => return,
    };
    sys.log.origin = origin;
    if let Entered::Done(outcome) = entered {
        sys.task_mut(task).finished = Some(Box::new(outcome));
    }
}

/// Lets `task` execute a user-mode operation; page faults that resolve are
/// resolved, others become signals.
pub fn user_op(
    sys: &mut System,
    task: TaskId,
    op: UserOp,
) -> Result<Result<u64, UserFault>, CannotAct> {
    can_act(sys, task)?;
    sched::run_on_cpu(sys, task);
    can_act(sys, task)?;
    account(sys, task, USER_OP_NS, Ring::User);
    let cpu = sys.task(task).cpu as usize;
    for _ in 0..MAX_FAULTS {
        let exception = match sys.machine.exec_op(cpu, op) {
            Ok(value) => return Ok(Ok(value)),
            Err(e) => e,
        };
        if sys.log.on() {
            sys.log.reset_depth();
            sys.log.push(EventKind::Exception(exception.to_string()));
        }
        if let Some(fault) = handle_exception(sys, task, exception) {
            settle(sys);
            return Ok(Err(fault));
        }
    }
    sys.oops("exc_page_fault", format!("{op:?} faulted {MAX_FAULTS} times without getting on"));
    Ok(Err(UserFault {
        sig: Signal::SIGKILL,
        si_code: si_code::SI_KERNEL,
        addr: 0,
        why: "the page fault handler does not get on".to_string(),
        killed: false,
    }))
}

/// An exception in user mode. `None`: resolved, execute again.
fn handle_exception(sys: &mut System, task: TaskId, e: Exception) -> Option<UserFault> {
    let handler = match e {
        Exception::PageFault { .. } => text::ASM_EXC_PAGE_FAULT,
        _ => text::ASM_COMMON_INTERRUPT,
    };
    let ip = sys.machine.cpus[sys.task(task).cpu as usize].regs.ip;
    enter_from_user(sys, task, handler, -1);
    account(sys, task, KERNEL_ENTRY_NS, Ring::Kernel);
    let (sig, si_code, addr, why) = match e {
        Exception::PageFault { addr, code } => {
            sys.log.enter("exc_page_fault");
            let handled = fault::handle_user_fault(sys, task, addr, code);
            sys.log.leave("exc_page_fault");
            match handled {
                Ok(()) => {
                    exit_to_user_regs(sys, task);
                    return None;
                }
                Err(f) => (f.sig, f.si_code, f.addr, f.why),
            }
        }
        Exception::DivideError => (
            Signal::SIGFPE,
            si_code::FPE_INTDIV,
            ip,
            "division by zero, or a quotient that does not fit".to_string(),
        ),
        Exception::InvalidOpcode => (
            Signal::SIGILL,
            si_code::ILL_ILLOPN,
            ip,
            "an instruction that does not exist".to_string(),
        ),
        Exception::Breakpoint => {
            (Signal::SIGTRAP, si_code::SI_KERNEL, 0, "a breakpoint instruction".to_string())
        }
        Exception::Debug => (Signal::SIGTRAP, si_code::TRAP_BRKPT, ip, "a debug trap".to_string()),
        Exception::DoubleFault { .. } => {
            sys.oops("exc_double_fault", "double fault: no stack to run on".to_string());
            (Signal::SIGKILL, si_code::SI_KERNEL, 0, "double fault".to_string())
        }
        other => (Signal::SIGSEGV, si_code::SI_KERNEL, 0, format!("general protection: {other}")),
    };
    send::force_sig_fault(sys, task, sig, si_code, addr);
    let delivered = exit_to_user_mode(sys, task);
    let killed = matches!(delivered, Delivered::Dead);
    Some(UserFault { sig, si_code, addr: VirtAddr(addr).0, why, killed })
}
