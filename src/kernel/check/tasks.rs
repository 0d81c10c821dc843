//! Tasks: whom their fields name, which states go together, who runs where,
//! and the references on each `task_struct`.
//!
//! ```text
//! exit_state   __state                            what else
//! 0            RUNNING                            on a run queue, no wait
//! 0            INTERRUPTIBLE UNINTERRUPTIBLE      a wait in this state
//!              KILLABLE                           (kthreadd: none)
//! 0            PARKED IDLE                        kernel threads only
//! 0            STOPPED                            JOBCTL_STOPPED
//! 0            TRACED                             JOBCTL_TRACED, a trap, a tracer
//! ZOMBIE DEAD  DEAD                               nothing but ids and creds
//! ```
//!
//! Linux: include/linux/sched.h, kernel/sched/debug.c.
//! Left out: run queues (`queues`).

use super::{Findings, Named, is_hashed, is_idle};
use crate::kernel::kthread::{Asks, At, KthreadCaller};
use crate::kernel::ptrace::outside::is_watched;
use crate::kernel::signal::Jobctl;
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskState, TaskStruct};

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let mut hashed = 0u32;
    for (id, t) in k.tasks.iter() {
        let before = f.list.len();
        names(sys, id, t, f);
        if f.list.len() > before {
            // The rest follows these names.
            continue;
        }
        hashed += u32::from(t.thread_pid.is_some());
        states(sys, id, t, f);
        usage(sys, id, t, f);
        group(sys, id, t, f);
    }
    f.count(format_args!("the kernel"), "nr_threads", k.nr_threads, hashed, "tasks with a pid");
    processors(sys, f);
}

/// Every task that `t` names exists.
fn names(sys: &System, id: TaskId, t: &TaskStruct, f: &mut Findings) {
    let k = &sys.kernel;
    let me = Named(id, t);
    let mut task = |field, target: TaskId| {
        f.exists(k.tasks.contains(target), format_args!("{me}"), field, format_args!("{target:?}"))
    };
    task("real_parent", t.real_parent);
    task("parent", t.parent);
    task("group_leader", t.group_leader);
    for child in t.notable_children.values() {
        task("notable_children", *child);
    }
    for link in &t.links {
        for other in [link.prev, link.next].into_iter().flatten() {
            task("links", other);
        }
    }
    for head in
        [t.children.first, t.children.last, t.ptraced.first, t.ptraced.last].into_iter().flatten()
    {
        task("children or ptraced", head);
    }
    let mut object = |field, exists| {
        f.exists(exists, format_args!("{me}"), field, format_args!("an object"));
    };
    object("signal", t.signal.is_none_or(|s| k.signals.contains(s)));
    object("sighand", t.sighand.is_none_or(|s| k.sighands.contains(s)));
    object("mm", t.mm.is_none_or(|m| k.mms.contains(m)));
    object("active_mm", t.active_mm.is_none_or(|m| k.mms.contains(m)));
    object("files", t.files.is_none_or(|x| k.files.contains(x)));
    object("fs", t.fs.is_none_or(|x| k.fs.contains(x)));
    object("nsproxy", t.nsproxy.is_none_or(|x| k.nsproxies.contains(x)));
    object("thread_pid", t.thread_pid.is_none_or(|x| k.pids.contains(x)));
    object("cred", k.creds.contains(t.cred));
    object("real_cred", k.creds.contains(t.real_cred));
    object("ptracer_cred", t.ptracer_cred.is_none_or(|x| k.creds.contains(x)));
    object("vfork_done", t.vfork_done.is_none_or(|x| k.completions.contains(x)));
}

fn states(sys: &System, id: TaskId, t: &TaskStruct, f: &mut Findings) {
    let me = Named(id, t);
    let mut rule = |holds: bool, field, stored: &dyn std::fmt::Debug, expected| {
        f.rule(holds, format_args!("{me}"), field, format_args!("{stored:?}"), expected);
    };
    if t.is_dead() {
        let s = t.__state;
        rule(s == TaskState::DEAD, "__state", &s, "DEAD, because exit_state is set");
        rule(t.flags.contains(PF::EXITING), "flags", &t.flags, "with PF_EXITING, it is dead");
        rule(t.mm.is_none(), "mm", &t.mm, "given up by exit_mm");
        rule(t.files.is_none(), "files", &t.files, "given up by exit_files");
        rule(t.fs.is_none(), "fs", &t.fs, "given up by exit_fs");
        rule(t.nsproxy.is_none(), "nsproxy", &t.nsproxy, "given up by do_exit");
        rule(t.resume.is_none(), "resume", &"a call", "none: the dead make no calls");
        rule(t.vfork_done.is_none(), "vfork_done", &t.vfork_done, "completed by mm_release");
        rule(t.children.first.is_none(), "children", &t.children, "reparented");
        rule(t.ptraced.first.is_none(), "ptraced", &t.ptraced, "detached");
        rule(t.trap.is_none(), "trap", &t.trap, "none: the dead do not stop");
        return;
    }
    let kthread = t.kthread.is_none() || t.flags.contains(PF::KTHREAD) && t.mm.is_none();
    rule(kthread, "kthread", &t.kthread, "none: it is a user task");
    if t.exiting.is_some() {
        rule(t.flags.contains(PF::EXITING), "flags", &t.flags, "with PF_EXITING, it exits");
        rule(t.mm.is_none(), "mm", &t.mm, "given up by exit_mm");
        let queued = sys.kernel.todo.contains(&id);
        rule(queued && t.stepped, "exiting", &t.exiting, "none, or the task is in todo");
    } else {
        rule(!t.flags.contains(PF::EXITING), "flags", &t.flags, "without PF_EXITING, it lives");
    }
    let s = t.__state;
    if s == TaskState::RUNNING {
        let idle = is_idle(sys, id, t);
        rule(t.on_rq || idle, "on_rq", &t.on_rq, "true for a task that can run");
        let queued = sys.kernel.todo.contains(&id);
        rule(
            t.resume.is_none() || queued,
            "resume",
            &t.resume,
            "none, or the task is in todo to finish it",
        );
        return;
    }
    if let Some(k) = t.kthread.as_deref() {
        if t.on_rq && k.at == At::Function {
            // It has said how it will sleep, and has not called schedule yet.
            return;
        }
        let fits = match k.at {
            At::Kernel => s == TaskState::INTERRUPTIBLE,
            At::Start => s == TaskState::UNINTERRUPTIBLE,
            At::Park => s == TaskState::PARKED,
            At::Completion(_, state) => s == state,
            At::Function => s != TaskState::PARKED,
        };
        rule(fits, "__state", &s, "that of the function it sleeps in");
    }
    rule(!t.on_cpu, "on_cpu", &t.on_cpu, "false for a task that sleeps");
    rule(!t.on_rq, "on_rq", &t.on_rq, "false for a task that sleeps");
    if s == TaskState::STOPPED {
        let job = Jobctl::from_bits_retain(t.jobctl);
        rule(job.contains(Jobctl::STOPPED), "jobctl", &job, "with JOBCTL_STOPPED");
        return;
    }
    if s == TaskState::TRACED {
        let job = Jobctl::from_bits_retain(t.jobctl);
        rule(job.contains(Jobctl::TRACED), "jobctl", &job, "with JOBCTL_TRACED");
        rule(t.trap.is_some(), "trap", &t.trap, "where it goes on");
        let kept = !t.ptrace.is_empty() || is_watched(sys, id);
        rule(kept, "ptrace", &t.ptrace, "traced, or it would go on");
        return;
    }
    let sleeps = [TaskState::INTERRUPTIBLE, TaskState::UNINTERRUPTIBLE, TaskState::KILLABLE];
    let kthread = t.flags.contains(PF::KTHREAD);
    let odd = kthread && [TaskState::PARKED, TaskState::IDLE].contains(&s);
    rule(odd || sleeps.contains(&s), "__state", &s, "a state a living task can rest in");
    match &t.resume {
        Some(r) => rule(s == r.wait.state, "__state", &s, "that of the call it waits in"),
        None => rule(kthread, "resume", &"none", "the call that a sleeping user task waits in"),
    }
}

/// One reference for being hashed, one of the scheduler until the last switch
/// took the stack.
fn usage(sys: &System, id: TaskId, t: &TaskStruct, f: &mut Findings) {
    let me = Named(id, t);
    let stops = |c: &&KthreadCaller| c.kthread == id && c.asks == Asks::Stop && c.result.is_none();
    let stoppers = sys.kernel.kthread_callers.iter().filter(stops).count() as u32;
    let recounted = u32::from(is_hashed(sys, id, t)) + u32::from(t.stack.is_some()) + stoppers;
    let holders = "the lists, the scheduler while it has a stack, kthread_stop";
    f.count(format_args!("{me}"), "usage", t.usage, recounted, holders);
}

/// What a task and its group leader agree on.
fn group(sys: &System, id: TaskId, t: &TaskStruct, f: &mut Findings) {
    if !is_hashed(sys, id, t) || t.flags.contains(PF::IDLE) {
        return;
    }
    let me = Named(id, t);
    let leads = t.group_leader == id;
    f.same(
        format_args!("{me}"),
        "exit_signal >= 0",
        t.is_group_leader(),
        leads,
        "group leaders have an exit signal, other threads have -1",
    );
    let leader = sys.task(t.group_leader);
    f.same(format_args!("{me}"), "signal", t.signal, leader.signal, "that of the leader");
    f.same(format_args!("{me}"), "tgid", t.tgid, leader.pid, "the leader's pid");
    if t.ptrace.is_empty() {
        f.same(format_args!("{me}"), "parent", t.parent, t.real_parent, "nobody traces it");
    }
    let theirs = leader.real_parent;
    f.same(format_args!("{me}"), "real_parent", t.real_parent, theirs, "that of the leader");
    if let Some(pid) = t.thread_pid {
        let nr = sys.kernel.pids[pid].numbers.first().map_or(0, |u| u.nr);
        f.same(format_args!("{me}"), "pid", t.pid, nr, "the number in the initial namespace");
    }
    if !t.is_dead() {
        let whole = t.signal.is_some() && t.sighand.is_some();
        f.same(format_args!("{me}"), "has signal and sighand", whole, true, "it lives");
    }
}

/// `current_task` and `on_cpu` say the same, and the right page tables are
/// loaded.
fn processors(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    for (cpu, per_cpu) in k.per_cpu.iter().enumerate() {
        let cpu_name = format_args!("processor {cpu}").to_string();
        let Some(t) = k.tasks.get(per_cpu.current_task) else {
            let target = format!("{:?}", per_cpu.current_task);
            f.exists(false, format_args!("{cpu_name}"), "current_task", format_args!("{target}"));
            continue;
        };
        f.same(format_args!("{cpu_name}"), "current_task.on_cpu", t.on_cpu, true, "it runs");
        f.same(format_args!("{cpu_name}"), "current_task.cpu", t.cpu as usize, cpu, "here");
        let alive = !t.is_dead();
        f.same(format_args!("{cpu_name}"), "current_task lives", alive, true, "the dead left");
        if sys.machine.config.mmu
            && let (Some(mm), Some(c)) = (t.mm.or(t.active_mm), sys.machine.cpus.get(cpu))
            && let Some(m) = k.mms.get(mm)
        {
            let pgd = m.pgd;
            f.same(format_args!("{cpu_name}"), "CR3", c.pgd(), pgd, "of the current mm");
            let listed = mm == k.init_mm || cpu >= 64 || m.cpu_bitmap >> cpu & 1 == 1;
            f.same(format_args!("{cpu_name}"), "in mm_cpumask", listed, true, "its mm is loaded");
        }
    }
    for (id, t) in k.tasks.iter().filter(|(_, t)| t.on_cpu) {
        let there = k.per_cpu.get(t.cpu as usize).map(|p| p.current_task);
        f.same(
            format_args!("{}", Named(id, t)),
            "current_task of its cpu",
            there,
            Some(id),
            "on_cpu is set",
        );
    }
}
