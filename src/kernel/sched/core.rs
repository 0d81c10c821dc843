//! Switching a processor between tasks, waking tasks, charging them for time.
//!
//! Who runs next is not decided here. In director style the script decides by
//! making a task act ([`run_on_cpu`]); a task that sleeps or dies leaves its
//! processor to the idle task.
//!
//! Linux: kernel/sched/core.c (context_switch, finish_task_switch,
//! try_to_wake_up, wake_up_new_task, sched_fork), arch/x86/kernel/process_64.c
//! (__switch_to), kernel/sched/cputime.c.
//! Left out: run queues and classes, load balancing, preemption by ticks.

use crate::abi::Errno;
use crate::abi::numbers::{SCHED_DEADLINE, SCHED_FIFO, SCHED_NORMAL, SCHED_RR};
use crate::kernel::entry;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fork;
use crate::kernel::inject::should_fail;
use crate::kernel::mm;
use crate::kernel::sched::{SCHED_PRIO_TO_WEIGHT, SchedEntity};
use crate::kernel::system::System;
use crate::kernel::task::{THREAD_SIZE, TaskId, TaskState};
use crate::kernel::wait_queue::{CompletionId, WaitOn, WaitQueueHead};
use crate::machine::Ring;
use crate::trace::EventKind;

/// Virtual time that a system call or a fault takes, in ns.
pub const KERNEL_ENTRY_NS: u64 = 1_000;
/// Virtual time that a user-mode operation takes, in ns.
pub const USER_OP_NS: u64 = 100;

/// Where kernel code of interest lies: shown in registers and stack frames.
/// The addresses are arbitrary but lie where x86_64 maps the kernel text.
pub mod text {
    /// The target of SYSCALL (MSR_LSTAR).
    pub const ENTRY_SYSCALL_64: u64 = 0xffff_ffff_8200_0080;
    /// Where a new task begins.
    pub const RET_FROM_FORK_ASM: u64 = 0xffff_ffff_8200_1240;
    /// The page fault handler.
    pub const ASM_EXC_PAGE_FAULT: u64 = 0xffff_ffff_8200_1600;
    /// Any other exception or interrupt.
    pub const ASM_COMMON_INTERRUPT: u64 = 0xffff_ffff_8200_1a00;
}

/// Per-processor data area of a CPU: the GS base while in the kernel.
pub fn percpu_base(cpu: u32) -> u64 {
    0xffff_8880_3fc0_0000 + u64::from(cpu) * 0x4_0000
}

/// The task that a processor runs (`this_cpu_read(current_task)`).
pub fn current(sys: &System, cpu: u32) -> TaskId {
    sys.kernel.per_cpu[cpu as usize].current_task
}

/// Advances the clock and charges the time to `task`.
pub fn account(sys: &mut System, task: TaskId, ns: u64, mode: Ring) {
    sys.machine.clock.advance(ns);
    sys.log.time = sys.machine.clock.now();
    let t = sys.task_mut(task);
    match mode {
        Ring::User => t.utime += ns,
        Ring::Kernel => t.stime += ns,
    }
    let se = &mut t.se;
    se.sum_exec_runtime += ns;
    // calc_delta_fair: time weighs less for a heavier task.
    se.vruntime += ns * SCHED_PRIO_TO_WEIGHT[20] / se.load_weight.max(1);
}

/// Makes `task` the current one of its processor and returns it to user mode:
/// what happens when the director lets it act.
pub fn run_on_cpu(sys: &mut System, task: TaskId) {
    let cpu = sys.task(task).cpu;
    if current(sys, cpu) != task {
        context_switch(sys, cpu, task);
    }
    if sys.task(task).thread.ret_from_fork {
        fork::ret_from_fork(sys, task);
    } else if sys.machine.cpus[cpu as usize].ring() == Ring::Kernel {
        entry::exit_to_user_regs(sys, task);
    }
}

/// Switches a processor from its current task to `next`.
/// Precondition: `next` may run and is on no other processor.
pub fn context_switch(sys: &mut System, cpu: u32, next: TaskId) {
    let c = cpu as usize;
    let prev = current(sys, cpu);
    if prev == next {
        return;
    }
    if sys.machine.cpus[c].ring() == Ring::User {
        // Only an interrupt takes the processor from a task in user mode.
        entry::enter_from_user(sys, prev, text::ASM_COMMON_INTERRUPT, -1);
    }
    let msrs = &sys.machine.cpus[c].msrs;
    let (fsbase, gsbase, sp) = (msrs.fs_base, msrs.kernel_gs_base, sys.machine.cpus[c].regs.sp);
    let p = sys.task_mut(prev);
    p.on_cpu = false;
    p.thread.sp = sp;
    p.thread.fsbase = fsbase;
    p.thread.gsbase = gsbase;
    if p.__state == TaskState::RUNNING {
        p.nivcsw += 1
    } else {
        p.nvcsw += 1;
        p.on_rq = false;
    }
    let (prev_pid, prev_mm, prev_active) = (p.pid, p.mm, p.active_mm);
    // An address space for the next task: its own, or the one that is loaded,
    // borrowed (lazy TLB).
    match sys.task(next).mm {
        Some(mm) => {
            mm::tlb::switch_mm(sys, c, mm);
        }
        None => {
            if let Some(active) = prev_active {
                sys.task_mut(next).active_mm = Some(active);
                mm::lifetime::mmgrab(sys, active);
            }
        }
    }
    let now = sys.machine.clock.now();
    let n = sys.task_mut(next);
    n.on_cpu = true;
    n.se.exec_start = now;
    let next_pid = n.pid;
    let (thread, stack) = (n.thread, n.stack);
    let m = &mut sys.machine.cpus[c];
    m.msrs.fs_base = thread.fsbase;
    m.msrs.kernel_gs_base = thread.gsbase;
    m.regs.sp = thread.sp;
    if let Some(stack) = stack {
        m.rsp0 = stack.base.0 + THREAD_SIZE;
    }
    sys.kernel.per_cpu[c].current_task = next;
    if sys.log.on() {
        sys.log.push(EventKind::SchedSwitch { cpu, prev: prev_pid, next: next_pid });
    }
    sys.log.pid = next_pid;
    // A borrower gives its loan back.
    if prev_mm.is_none()
        && let Some(active) = sys.task_mut(prev).active_mm.take()
    {
        mm::lifetime::mmdrop(sys, active);
    }
    finish_task_switch(sys, prev);
}

/// After a switch: a dead task loses its stack and the scheduler's reference.
fn finish_task_switch(sys: &mut System, prev: TaskId) {
    if sys.task(prev).__state == TaskState::DEAD {
        if let Some(stack) = sys.task_mut(prev).stack.take() {
            mm::vmalloc::free_thread_stack(sys, stack);
        }
        put_task_struct(sys, prev);
    }
}

/// Drops a reference to a task_struct; the last frees it.
pub fn put_task_struct(sys: &mut System, task: TaskId) {
    let t = sys.task_mut(task);
    t.usage -= 1;
    if t.usage == 0 {
        fork::free_task(sys, task);
    }
}

/// The current task of `cpu` cannot go on: the idle task takes over.
pub fn schedule(sys: &mut System, cpu: u32) {
    let idle = sys.kernel.per_cpu[cpu as usize].idle;
    context_switch(sys, cpu, idle);
}

/// Wakes `task` if its state has a bit of `mask`. A task that slept in a call
/// is queued to finish it.
pub fn try_to_wake_up(sys: &mut System, task: TaskId, mask: TaskState) -> bool {
    let t = sys.task_mut(task);
    if !t.__state.intersects(mask) {
        return false;
    }
    t.__state = TaskState::RUNNING;
    t.on_rq = true;
    if t.resume.is_some() || t.sigpending || t.trap.is_some() {
        entry::kick(sys, task);
    }
    true
}

/// Wakes a sleeping task (`wake_up_process`): from any sleep but a stop.
pub fn wake_up_process(sys: &mut System, task: TaskId) -> bool {
    try_to_wake_up(sys, task, TaskState::INTERRUPTIBLE | TaskState::UNINTERRUPTIBLE)
}

/// The queue behind a [`WaitOn`], if its owner still exists.
pub fn queue_mut(sys: &mut System, on: WaitOn) -> Option<&mut WaitQueueHead> {
    let k = &mut sys.kernel;
    match on {
        WaitOn::Child(signal) | WaitOn::Dethread(signal) => {
            k.signals.get_mut(signal).map(|s| &mut s.wait_chldexit)
        }
        WaitOn::Vfork(c) => k.completions.get_mut(c).map(|c| &mut c.wait),
        WaitOn::PipeRead(p) => k.pipes.get_mut(p).map(|p| &mut p.rd_wait),
        WaitOn::PipeWrite(p) => k.pipes.get_mut(p).map(|p| &mut p.wr_wait),
        WaitOn::PidExit(p) => k.pids.get_mut(p).map(|p| &mut p.wait_pidfd),
        WaitOn::Futex(key) => Some(k.futex_queues.entry(key).or_default()),
        WaitOn::Signal | WaitOn::Timeout | WaitOn::Tracer => None,
    }
}

/// Takes a task that is awake off the queue it slept on. The queue of a futex
/// exists as long as someone sleeps on it.
pub fn finish_wait(sys: &mut System, on: WaitOn, task: TaskId) {
    if let WaitOn::Futex(key) = on {
        let queues = &mut sys.kernel.futex_queues;
        let Some(q) = queues.get_mut(&key) else { return };
        q.remove(task);
        if q.entries.is_empty() {
            queues.remove(&key);
        }
    } else if let Some(q) = queue_mut(sys, on) {
        q.remove(task);
    }
}

/// Wakes sleepers of a queue: all that share, and `exclusive` of the others.
/// Woken tasks leave the queue when they run (`finish_wait`).
fn wake_queue(sys: &mut System, on: WaitOn, mut exclusive: usize) {
    let Some(q) = queue_mut(sys, on) else { return };
    if q.entries.is_empty() {
        return;
    }
    for e in q.entries.clone() {
        if e.exclusive && exclusive == 0 {
            break;
        }
        let woken = wake_up_process(sys, e.task);
        if woken && e.exclusive {
            exclusive -= 1;
        }
    }
}

/// Wakes all non-exclusive sleepers and one exclusive (`wake_up`).
pub fn wake_up(sys: &mut System, on: WaitOn) {
    wake_queue(sys, on, 1);
}

/// Wakes all sleepers (`wake_up_all`).
pub fn wake_up_all(sys: &mut System, on: WaitOn) {
    wake_queue(sys, on, usize::MAX);
}

/// Marks a completion done once and wakes one waiter.
pub fn complete(sys: &mut System, id: CompletionId) {
    if let Some(c) = sys.kernel.completions.get_mut(id) {
        c.done = c.done.saturating_add(1);
        wake_up(sys, WaitOn::Vfork(id));
    }
}

/// Scheduling fields of a child (`sched_fork`): normal priority again when the
/// creator asked for reset-on-fork.
///
/// Errors: EAGAIN for the child of a deadline task.
pub fn sched_fork(sys: &mut System, creator: TaskId, p: TaskId) -> Result<(), SysError> {
    should_fail(sys, "sched_fork")?;
    let vruntime = sys.task(creator).se.vruntime;
    let p = sys.task_mut(p);
    p.__state = TaskState::NEW;
    p.on_rq = false;
    if p.sched_reset_on_fork {
        if matches!(p.policy, SCHED_DEADLINE | SCHED_FIFO | SCHED_RR) {
            p.policy = SCHED_NORMAL;
            p.static_prio = 120;
            p.rt_priority = 0;
        } else if p.static_prio < 120 {
            p.static_prio = 120;
        }
        p.normal_prio = p.static_prio;
        p.prio = p.static_prio;
        p.sched_reset_on_fork = false;
    }
    if p.policy == SCHED_DEADLINE {
        return refuse(
            Errno::EAGAIN,
            "sched_fork",
            "a deadline task may not fork: its bandwidth cannot be doubled (set reset-on-fork)",
        );
    }
    p.prio = p.normal_prio;
    // The fair class places a new task by its parent's virtual time.
    let nice_index = (p.static_prio - 100).clamp(0, 39) as usize;
    p.se = SchedEntity {
        load_weight: SCHED_PRIO_TO_WEIGHT[nice_index],
        vruntime,
        ..SchedEntity::default()
    };
    Ok(())
}

/// First wake-up of a new task.
pub fn wake_up_new_task(sys: &mut System, task: TaskId) {
    let t = sys.task_mut(task);
    t.__state = TaskState::RUNNING;
    t.on_rq = true;
    // It has something of its own to do before its creator may look.
    if t.set_child_tid != 0 || t.sigpending {
        entry::kick(sys, task);
    }
}

/// Moves a task to another processor (`migrate_task_to`). One that runs leaves
/// its processor first.
pub fn migrate(sys: &mut System, task: TaskId, to: u32) {
    let from = sys.task(task).cpu;
    if from == to {
        return;
    }
    if current(sys, from) == task {
        schedule(sys, from);
    }
    let t = sys.task_mut(task);
    t.cpu = to;
    t.se.nr_migrations += 1;
}
