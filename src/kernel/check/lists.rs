//! The intrusive lists: both directions agree, head and members agree, each
//! has the members it must have; and the counts that spare wait(2) a scan.
//!
//! Linux: lib/list_debug.c, kernel/exit.c.
//! Left out: the order of members, but for children (by birth or adoption).

use super::tally::Tally;
use super::{Findings, Named, is_hashed};
use crate::kernel::signal::SignalFlags;
use crate::kernel::system::System;
use crate::kernel::task::{ListHead, PF, TaskId, TaskList, TaskState, TaskStruct};

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let mut signals = Tally::new();
    let mut live = Tally::new();
    let mut sighands = Tally::new();
    let mut processes = 0;
    let mut idle_tasks = Vec::new();
    for (id, t) in k.tasks.iter() {
        if let Some(s) = t.signal {
            signals.add(&k.signals, s);
            if !t.flags.contains(PF::EXITING) {
                live.add(&k.signals, s);
            }
        }
        // The idle tasks of further processors are on no list.
        if t.flags.contains(PF::IDLE) && id != k.init_task {
            idle_tasks.push(t.signal);
        }
        if let Some(s) = t.sighand {
            sighands.add(&k.sighands, s);
        }
        let leads = t.group_leader == id && (t.thread_pid.is_some() || id == k.init_task);
        processes += u32::from(leads);
        children(sys, id, t, f);
    }
    let all = walk(sys, k.task_list, TaskList::Tasks, "init_task.tasks", f);
    f.count(format_args!("the kernel"), "tasks", all.len() as i64, processes, "process leaders");
    for (id, s) in k.signals.iter() {
        let me = format_args!("signal_struct {id:?}");
        f.count(me, "sigcnt", s.sigcnt, signals.of(id), "tasks whose signal it is");
        f.count(me, "live", s.live, live.of(id), "of these, not PF_EXITING");
        let threads = walk(sys, s.thread_head, TaskList::Thread, "thread_head", f);
        let idle = idle_tasks.contains(&Some(id));
        let expected = if idle { 1 } else { threads.len() as i64 };
        f.count(me, "nr_threads", s.nr_threads, expected, "members of thread_head");
        for &t in &threads {
            f.same(me, "thread_head: member's signal", sys.task(t).signal, Some(id), "this one");
        }
        if let Some(t) = s.curr_target {
            let fits = threads.contains(&t) || idle;
            f.rule(fits, me, "curr_target", format_args!("{t:?}"), "a member of thread_head");
        }
        if let Some(t) = s.group_exec_task {
            let fits = threads.contains(&t);
            f.rule(fits, me, "group_exec_task", format_args!("{t:?}"), "a member of thread_head");
        }
        f.rule(
            s.group_stop_count >= 0 && s.group_stop_count <= s.live,
            me,
            "group_stop_count",
            format_args!("{}", s.group_stop_count),
            "between 0 and the number of live threads",
        );
        if s.sigcnt == 0 {
            f.leaked(me, format_args!("no task has it"));
        }
    }
    for (id, s) in k.sighands.iter() {
        let me = format_args!("sighand_struct {id:?}");
        f.count(me, "count", s.count, sighands.of(id), "tasks whose sighand it is");
    }
}

/// Follows a list; every link must agree with its neighbour's.
pub(super) fn walk(
    sys: &System,
    head: ListHead,
    list: TaskList,
    name: &'static str,
    f: &mut Findings,
) -> Vec<TaskId> {
    let mut members = Vec::new();
    let (mut prev, mut at) = (None, head.first);
    while let Some(id) = at {
        let Some(t) = sys.kernel.tasks.get(id) else {
            f.exists(false, format_args!("list {name}"), "next", format_args!("{id:?}"));
            break;
        };
        let link = t.links[list as usize];
        f.same(format_args!("{} on {name}", Named(id, t)), "prev", link.prev, prev, "who names it");
        if link.prev != prev || members.len() > sys.kernel.tasks.len() {
            break;
        }
        members.push(id);
        (prev, at) = (Some(id), link.next);
    }
    f.same(format_args!("list {name}"), "last", head.last, prev, "the last of its members");
    members
}

fn children(sys: &System, id: TaskId, t: &TaskStruct, f: &mut Findings) {
    let me = format_args!("{}", Named(id, t));
    let children = walk(sys, t.children, TaskList::Sibling, "children", f);
    let mut clones = 0;
    let mut last = None;
    for &c in &children {
        let child = sys.task(c);
        f.same(me, "children: member's real_parent", child.real_parent, id, "this one");
        clones += i64::from(child.exit_signal != 17);
        let seq = child.sibling_seq;
        let rises = last.is_none_or(|l| l < seq) && seq < t.next_child_seq;
        f.rule(rises, me, "sibling_seq of a child", format_args!("{seq}"), "rising with births");
        last = Some(seq);
        let noted = t.notable_children.get(&seq) == Some(&c);
        if !noted && is_notable(sys, child) {
            let missing = format_args!("without pid {}", child.pid);
            f.rule(false, me, "notable_children", missing, "with every child wait(2) can report");
        }
    }
    let tracees = walk(sys, t.ptraced, TaskList::Ptraced, "ptraced", f);
    for &c in &tracees {
        f.same(me, "ptraced: member's parent", sys.task(c).parent, id, "this one");
    }
    let traced = !t.ptrace.is_empty();
    f.same(me, "is traced", traced, t.ptracer_cred.is_some(), "it has a tracer's credentials");
    if traced {
        let link = t.links[TaskList::Ptraced as usize];
        let head = sys.kernel.tasks.get(t.parent).map(|p| p.ptraced.first);
        let listed = link.prev.is_some() || head == Some(Some(id));
        f.rule(listed, me, "ptrace_entry", format_args!("unlinked"), "in the tracer's ptraced");
    }
    f.count(me, "nr_children", t.nr_children, children.len() as i64, "members of children");
    f.count(me, "nr_clone_children", t.nr_clone_children, clones, "exit signal is not SIGCHLD");
    for (seq, c) in &t.notable_children {
        let child = sys.task(*c);
        let ours = child.real_parent == id && child.sibling_seq == *seq;
        f.rule(ours, me, "notable_children", format_args!("with {c:?}"), "of own children only");
    }
    let hashed = is_hashed(sys, id, t) && !t.flags.contains(PF::IDLE);
    if hashed && t.group_leader == id && id != sys.kernel.init_task {
        let parent = sys.task(t.real_parent);
        let head = parent.children;
        let link = t.links[TaskList::Sibling as usize];
        let listed = link.prev.is_some() || head.first == Some(id);
        f.rule(listed, me, "sibling", format_args!("unlinked"), "in real_parent's children");
    }
}

/// Whether wait(2) in the parent may have something to say of this child.
fn is_notable(sys: &System, child: &TaskStruct) -> bool {
    let Some(s) = child.signal.and_then(|s| sys.kernel.signals.get(s)) else { return false };
    let stop = SignalFlags::STOP_STOPPED;
    child.exit_state == TaskState::EXIT_ZOMBIE && s.nr_threads <= 1
        || s.flags.contains(stop) && s.group_exit_code != 0
        || s.flags.contains(SignalFlags::STOP_CONTINUED)
}
