//! The scheduler's core: tasks onto queues and off them, the choice of the next
//! one, and switching a processor to it.
//!
//! ```text
//!  activate_task                      pick_next_task
//!  ------------->  on a run queue  ------------------->  current
//!                                  <-------------------
//!  deactivate_task                    put_prev_task        | sleeps, dies
//!  <-------------------------------------------------------+
//! ```
//!
//! In director style the script decides by making a task act ([`run_on_cpu`]):
//! that is a pick by force. A task that sleeps or dies leaves its processor to
//! the idle task then; when the scheduler chooses, to whom it picks.
//!
//! Linux: kernel/sched/core.c (enqueue_task, pick_next_task, __schedule,
//! context_switch, finish_task_switch), arch/x86/kernel/process_64.c
//! (__switch_to).
//! Left out: preemption inside the kernel: a call runs to its end or its sleep.

use super::entity::SchedClass;
use super::fair::{Cx, Dequeue, Enqueue};
use super::record::{Doing, Point};
use super::{Chooser, balance, deadline, fair, idle, rt, stop};
use crate::kernel::entry;
use crate::kernel::fork;
use crate::kernel::mm;
use crate::kernel::system::System;
use crate::kernel::task::{PF, THREAD_SIZE, TaskId, TaskState, TaskStruct};
use crate::machine::Ring;
use crate::trace::EventKind;

pub use super::cputime::{KERNEL_ENTRY_NS, USER_OP_NS, account};
pub use super::fork::sched_fork;
pub use super::waking::{
    complete, finish_wait, queue_mut, try_to_wake_up, wake_up, wake_up_all, wake_up_new_task,
    wake_up_poll, wake_up_process, wake_up_sleepers,
};

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

/// What the fair class is told.
pub fn cx(sys: &System) -> Cx {
    Cx { config: sys.kernel.sched.config, factor: sys.kernel.sched.factor }
}

/// Whether a task is on a queue of its class, or runs from one. One that can
/// run is not while it is throttled.
pub fn is_queued(sys: &System, t: &TaskStruct, task: TaskId) -> bool {
    match t.sched_class {
        SchedClass::Fair => t.se.on_rq,
        SchedClass::Rt => t.rt.on_rq,
        SchedClass::Deadline => t.dl.as_ref().is_some_and(|dl| dl.on_rq),
        SchedClass::Stop => sys.kernel.per_cpu[t.cpu as usize].rq.stop == Some(task),
        SchedClass::Idle => false,
    }
}

/// Puts a task onto its class's queue.
pub fn enqueue_task(sys: &mut System, task: TaskId, why: Enqueue) {
    let cx = cx(sys);
    let now = sys.machine.clock.now();
    let k = &mut sys.kernel;
    let (cpu, class) = (k.tasks[task].cpu, k.tasks[task].sched_class);
    let rq = &mut k.per_cpu[cpu as usize].rq;
    match class {
        SchedClass::Fair => fair::enqueue(rq, &mut k.tasks, task, why, &cx),
        SchedClass::Rt => rt::enqueue(rq, &mut k.tasks, task, false),
        SchedClass::Deadline => {
            let woken = why == Enqueue::Wakeup;
            if !deadline::enqueue(rq, &mut k.tasks, task, woken, now)
                && let Some(dl) = &k.tasks[task].dl
            {
                k.sched.dl_timers.insert((deadline::next_period(dl), task));
            }
        }
        SchedClass::Stop => stop::enqueue(rq, task),
        SchedClass::Idle => {}
    }
}

/// Takes a task off its class's queue, if it is there.
pub fn dequeue_task(sys: &mut System, task: TaskId, why: Dequeue) {
    if !is_queued(sys, sys.task(task), task) {
        return;
    }
    let cx = cx(sys);
    let k = &mut sys.kernel;
    let (cpu, class) = (k.tasks[task].cpu, k.tasks[task].sched_class);
    let rq = &mut k.per_cpu[cpu as usize].rq;
    match class {
        SchedClass::Fair => fair::dequeue(rq, &mut k.tasks, task, why, &cx),
        SchedClass::Rt => rt::dequeue(rq, &mut k.tasks, task),
        SchedClass::Deadline => deadline::dequeue(rq, &mut k.tasks, task),
        SchedClass::Stop => stop::dequeue(rq, task),
        SchedClass::Idle => {}
    }
}

/// A task can run from now on.
pub fn activate_task(sys: &mut System, task: TaskId, why: Enqueue) {
    let t = sys.task_mut(task);
    if std::mem::replace(&mut t.on_rq, true) {
        return;
    }
    enqueue_task(sys, task, why);
    note(sys, task, Doing::Waits);
}

/// A task sleeps, stops or dies.
pub fn deactivate_task(sys: &mut System, task: TaskId) {
    if !sys.task(task).on_rq {
        return;
    }
    dequeue_task(sys, task, Dequeue::Sleep);
    let t = sys.task_mut(task);
    (t.on_rq, t.throttled) = (false, false);
}

/// Takes a task that can run off its queue until [`unthrottle`]: it has
/// nothing to do. Linux does so with tasks of a group whose quota is used up.
pub fn throttle(sys: &mut System, task: TaskId) {
    if sys.task(task).on_rq && !sys.task(task).throttled {
        dequeue_task(sys, task, Dequeue::Sleep);
        sys.task_mut(task).throttled = true;
        note(sys, task, Doing::Sleeps);
    }
}

/// The end of [`throttle`].
pub fn unthrottle(sys: &mut System, task: TaskId) {
    if std::mem::take(&mut sys.task_mut(task).throttled) {
        enqueue_task(sys, task, Enqueue::Wakeup);
        note(sys, task, Doing::Waits);
        let cpu = sys.task(task).cpu;
        wakeup_preempt(sys, cpu, task);
    }
}

/// A deadline task's budget is used up: it is off its queue until its next
/// period (`update_curr_dl`).
pub fn throttle_dl(sys: &mut System, task: TaskId) {
    dequeue_task(sys, task, Dequeue::Sleep);
    let now = sys.machine.clock.now();
    let (cpu, dl) = {
        let t = sys.task_mut(task);
        (t.cpu, t.dl.get_or_insert_with(Box::default))
    };
    dl.dl_throttled = true;
    let again = deadline::next_period(dl);
    if again > now {
        sys.kernel.sched.dl_timers.insert((again, task));
    } else {
        deadline::replenish(&mut sys.kernel.tasks, task, now);
        enqueue_task(sys, task, Enqueue::Restore);
    }
    sys.task_mut(task).need_resched |= current(sys, cpu) == task;
}

/// Writes down what a task does from here on, while the scheduler chooses.
pub fn note(sys: &mut System, task: TaskId, doing: Doing) {
    if sys.kernel.sched.chooser != Chooser::Scheduler {
        return;
    }
    let at = sys.machine.clock.now();
    let t = sys.task(task);
    let point = Point { at, pid: t.pid, cpu: t.cpu, doing };
    sys.kernel.sched.record.push(point);
}

/// The current task of a processor is to be taken off soon.
pub fn resched_curr(sys: &mut System, cpu: u32) {
    let task = current(sys, cpu);
    sys.task_mut(task).need_resched = true;
}

/// A task has come onto a processor's queue: does it take the processor?
/// (`wakeup_preempt`)
pub fn wakeup_preempt(sys: &mut System, cpu: u32, task: TaskId) {
    if sys.kernel.sched.chooser == Chooser::Director {
        return;
    }
    let cx = cx(sys);
    let curr = current(sys, cpu);
    let k = &mut sys.kernel;
    let (t, c) = (&k.tasks[task], &k.tasks[curr]);
    if task == curr || c.need_resched || t.throttled {
        return;
    }
    let preempt = if t.sched_class != c.sched_class {
        t.sched_class > c.sched_class
    } else {
        match t.sched_class {
            SchedClass::Fair => {
                let cfs = &k.per_cpu[cpu as usize].rq.cfs;
                cfs.curr == Some(curr) && fair::wakeup_preempt(cfs, &mut k.tasks, curr, task, &cx)
            }
            SchedClass::Rt => t.prio < c.prio,
            SchedClass::Deadline => deadline::wakeup_preempt(&k.tasks, curr, task),
            SchedClass::Stop | SchedClass::Idle => false,
        }
    };
    if preempt {
        resched_curr(sys, cpu);
    }
}

/// Who should run on a processor: the best class that has somebody
/// (`pick_next_task`). Precondition: who runs is off its queue if it sleeps.
pub fn pick_next_task(sys: &System, cpu: u32) -> TaskId {
    let k = &sys.kernel;
    let rq = &k.per_cpu[cpu as usize].rq;
    stop::pick(rq)
        .or_else(|| deadline::pick(&rq.dl))
        .or_else(|| rt::pick(&rq.rt))
        .or_else(|| fair::pick(&rq.cfs, &k.tasks, &cx(sys)))
        .unwrap_or_else(|| idle::pick(sys, cpu))
}

/// sched_yield(2): the class puts `task`, which runs, behind others.
pub fn yield_task(sys: &mut System, task: TaskId) {
    let cx = cx(sys);
    let k = &mut sys.kernel;
    let (cpu, class) = (k.tasks[task].cpu, k.tasks[task].sched_class);
    let rq = &mut k.per_cpu[cpu as usize].rq;
    match class {
        SchedClass::Fair => fair::yield_task(&mut rq.cfs, &mut k.tasks, task, &cx),
        SchedClass::Rt => rt::yield_task(&mut rq.rt, &mut k.tasks, task),
        SchedClass::Deadline => {
            if k.sched.chooser != Chooser::Director {
                if let Some(dl) = &mut k.tasks[task].dl {
                    dl.dl_yielded = true;
                }
                throttle_dl(sys, task);
            }
        }
        SchedClass::Stop | SchedClass::Idle => {}
    }
}

/// Who ran is not current any more (`put_prev_task`).
pub fn put_prev_task(sys: &mut System, cpu: u32, task: TaskId) {
    let cx = cx(sys);
    let k = &mut sys.kernel;
    fair::put_prev(&mut k.per_cpu[cpu as usize].rq.cfs, &k.tasks, task, &cx);
}

/// Somebody becomes current (`set_next_task`).
pub fn set_next_task(sys: &mut System, cpu: u32, task: TaskId) {
    if sys.task(task).sched_class == SchedClass::Fair {
        let cx = cx(sys);
        let k = &mut sys.kernel;
        fair::set_next(&mut k.per_cpu[cpu as usize].rq.cfs, &mut k.tasks, task, &cx);
    }
}

/// Makes `task` the current one of its processor and returns it to user mode:
/// what happens when the director lets it act.
pub fn run_on_cpu(sys: &mut System, task: TaskId) {
    let cpu = sys.task(task).cpu;
    if sys.task(task).throttled && sys.kernel.sched.chooser == Chooser::Director {
        unthrottle(sys, task);
    }
    if current(sys, cpu) != task {
        context_switch(sys, cpu, task);
    }
    if sys.task(task).thread.ret_from_fork {
        fork::ret_from_fork(sys, task);
    } else if sys.machine.cpus[cpu as usize].ring() == Ring::Kernel {
        entry::exit_to_user_regs(sys, task);
    }
}

/// Whether a task that leaves its processor sleeps. A kernel thread that has
/// set its state and not called `schedule` yet is preempted only.
fn sleeps(t: &TaskStruct) -> bool {
    let preempted = t.flags.contains(PF::KTHREAD) && t.on_rq;
    t.__state != TaskState::RUNNING && !preempted
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
    let selectors = sys.machine.cpus[c].selectors;
    let sleeps = sleeps(sys.task(prev));
    if sleeps {
        deactivate_task(sys, prev);
    }
    put_prev_task(sys, cpu, prev);
    let p = sys.task_mut(prev);
    p.on_cpu = false;
    p.thread.sp = sp;
    p.thread.fsbase = fsbase;
    p.thread.gsbase = gsbase;
    p.thread.selectors = selectors;
    // Nothing left to do is a sleep, as far as the task is concerned.
    if sleeps || p.throttled {
        p.nvcsw += 1;
    } else {
        p.nivcsw += 1;
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
    n.need_resched = false;
    n.se.exec_start = now;
    let next_pid = n.pid;
    let (thread, stack) = (n.thread, n.stack);
    let m = &mut sys.machine.cpus[c];
    m.msrs.fs_base = thread.fsbase;
    m.msrs.kernel_gs_base = thread.gsbase;
    m.selectors = thread.selectors;
    m.regs.sp = thread.sp;
    if let Some(stack) = stack {
        m.rsp0 = stack.base.0 + THREAD_SIZE;
    }
    sys.kernel.per_cpu[c].current_task = next;
    sys.kernel.per_cpu[c].rq.nr_switches += 1;
    set_next_task(sys, cpu, next);
    if sys.kernel.sched.chooser == Chooser::Scheduler {
        let waits = sys.task(prev).on_rq && !sys.task(prev).throttled;
        note(sys, prev, if waits { Doing::Waits } else { Doing::Sleeps });
        note(sys, next, Doing::Runs);
    }
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

/// The current task of `cpu` goes on no more, or should not: who is picked does
/// (`__schedule`). With a director nobody is picked, and the idle task takes
/// over.
pub fn schedule(sys: &mut System, cpu: u32) {
    let prev = current(sys, cpu);
    sys.task_mut(prev).need_resched = false;
    if sys.kernel.sched.chooser != Chooser::Scheduler {
        return leave_processor(sys, cpu);
    }
    if sleeps(sys.task(prev)) {
        deactivate_task(sys, prev);
    }
    let mut next = pick_next_task(sys, cpu);
    if next == idle::pick(sys, cpu) && balance::newidle(sys, cpu) {
        next = pick_next_task(sys, cpu);
    }
    context_switch(sys, cpu, next);
}

/// The idle task takes over.
pub fn leave_processor(sys: &mut System, cpu: u32) {
    context_switch(sys, cpu, idle::pick(sys, cpu));
}
