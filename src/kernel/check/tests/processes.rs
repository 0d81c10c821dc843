//! Tasks, lists, sleepers, pids.

use super::*;
use crate::abi::SigSet;
use crate::abi::ptrace::PtraceFlags;
use crate::kernel::pid::PidType;
use crate::kernel::task::{PF, TaskList, TaskState};

#[test]
fn names_of_freed_objects() {
    each(&[
        ("real_parent names", |s| s.task(s.child).real_parent = gone()),
        (": parent names", |s| s.task(s.child).parent = gone()),
        ("group_leader names", |s| s.task(s.thread).group_leader = gone()),
        ("notable_children names", |s| {
            s.task(s.parent).notable_children.insert(99, gone());
        }),
        ("links names", |s| s.task(s.child).links[TaskList::Tasks as usize].next = Some(gone())),
        ("children or ptraced names", |s| s.task(s.parent).children.first = Some(gone())),
        ("signal names", |s| s.task(s.child).signal = Some(gone())),
        ("sighand names", |s| s.task(s.child).sighand = Some(gone())),
        (": mm names", |s| s.task(s.child).mm = Some(gone())),
        ("active_mm names", |s| s.task(s.child).active_mm = Some(gone())),
        ("files names", |s| s.task(s.child).files = Some(gone())),
        ("fs names", |s| s.task(s.child).fs = Some(gone())),
        ("nsproxy names", |s| s.task(s.child).nsproxy = Some(gone())),
        ("thread_pid names", |s| s.task(s.child).thread_pid = Some(gone())),
        (": cred names", |s| s.task(s.child).cred = gone()),
        ("real_cred names", |s| s.task(s.child).real_cred = gone()),
        ("vfork_done names", |s| s.task(s.child).vfork_done = Some(gone())),
    ]);
}

#[test]
fn states() {
    each(&[
        ("DEAD, because exit_state is set", |s| s.task(s.zombie).__state = TaskState::RUNNING),
        ("with PF_EXITING, it is dead", |s| s.task(s.zombie).flags -= PF::EXITING),
        ("given up by exit_mm", |s| s.task(s.zombie).mm = Some(s.mm(s.child))),
        ("given up by exit_files", |s| s.task(s.zombie).files = s.sys.task(s.child).files),
        ("given up by exit_fs", |s| s.task(s.zombie).fs = s.sys.task(s.child).fs),
        ("given up by do_exit", |s| s.task(s.zombie).nsproxy = s.sys.task(s.child).nsproxy),
        ("the dead make no calls", |s| {
            s.task(s.zombie).resume = s.sys.task(s.reader).resume.clone();
        }),
        ("completed by mm_release", |s| {
            s.task(s.zombie).vfork_done = s.sys.task(s.vforked).vfork_done;
        }),
        ("should be reparented", |s| s.task(s.zombie).children = s.sys.task(s.parent).children),
        ("without PF_EXITING, it lives", |s| s.task(s.child).flags |= PF::EXITING),
        ("true for a task that can run", |s| s.task(s.child).on_rq = false),
        ("or the task is in todo to finish it", |s| {
            s.task(s.reader).__state = TaskState::RUNNING;
        }),
        ("on_cpu is true, should be false", |s| s.task(s.reader).on_cpu = true),
        ("on_rq is true, should be false", |s| s.task(s.reader).on_rq = true),
        ("with JOBCTL_STOPPED", |s| s.task(s.stopped).jobctl = 0),
        ("a living task can rest in", |s| s.task(s.reader).__state = TaskState::DEAD),
        ("that of the call it waits in", |s| {
            s.task(s.reader).__state = TaskState::UNINTERRUPTIBLE;
        }),
        ("a sleeping user task waits in", |s| s.task(s.reader).resume = None),
        ("usage is 9", |s| s.task(s.child).usage = 9),
        ("nr_threads is 0", |s| s.sys.kernel.nr_threads = 0),
    ]);
}

#[test]
fn groups() {
    each(&[
        ("exit_signal >= 0 is false", |s| s.task(s.child).exit_signal = -1),
        ("that of the leader", |s| s.task(s.thread).signal = s.sys.task(s.child).signal),
        ("tgid is 4000", |s| s.task(s.thread).tgid = 4000),
        ("nobody traces it", |s| s.task(s.child).parent = s.init),
        ("real_parent is", |s| s.task(s.thread).real_parent = s.child),
        ("pid is 4000", |s| s.task(s.thread).pid = 4000),
        ("has signal and sighand is false", |s| s.task(s.child).sighand = None),
    ]);
}

/// The parent traces the child, which has stopped.
fn trace(s: &mut Scene) {
    let (parent, child) = (s.parent, s.child);
    crate::kernel::ptrace::attach::ptrace_attach(&mut s.sys, parent, child, None)
        .expect("root may trace its child");
    crate::kernel::entry::settle(&mut s.sys);
    assert_eq!((s.sys.task(child).state_char(), invariants(&s.sys)), ('t', Ok(())));
}

#[test]
fn tracing() {
    each(&[
        ("children or ptraced names", |s| s.task(s.parent).ptraced.last = Some(gone())),
        ("ptraced: member's parent", |s| {
            trace(s);
            s.task(s.child).parent = s.init;
        }),
        ("is traced is true", |s| {
            trace(s);
            s.task(s.child).ptracer_cred = None;
        }),
        ("ptrace_entry is unlinked", |s| {
            trace(s);
            s.task(s.parent).ptraced = Default::default();
        }),
        ("with JOBCTL_TRACED", |s| {
            trace(s);
            s.task(s.child).jobctl = 0;
        }),
        ("where it goes on", |s| {
            trace(s);
            s.task(s.child).trap = None;
        }),
        ("traced, or it would go on", |s| {
            trace(s);
            s.task(s.child).ptrace = PtraceFlags::empty();
        }),
        ("ptracer_cred of tasks", |s| {
            trace(s);
            let cred = s.sys.task(s.child).ptracer_cred.expect("it is traced");
            s.sys.kernel.creds[cred].usage -= 1;
        }),
        ("ptraced is", |s| {
            trace(s);
            s.task(s.zombie).ptraced = s.sys.task(s.parent).ptraced;
        }),
    ]);
}

#[test]
fn processors() {
    each(&[
        ("current_task names", |s| s.sys.kernel.per_cpu[0].current_task = gone()),
        ("current_task.on_cpu is false", |s| {
            s.sys.kernel.per_cpu[0].current_task = s.reader;
        }),
        ("current_task.cpu is 5", |s| {
            let t = s.sys.kernel.per_cpu[0].current_task;
            s.task(t).cpu = 5;
        }),
        ("current_task lives is false", |s| s.sys.kernel.per_cpu[0].current_task = s.zombie),
        ("CR3 is", |s| {
            let pgd = s.sys.mm(s.sys.kernel.init_mm).pgd;
            s.sys.machine.cpus[0].load_cr3(pgd);
        }),
        ("in mm_cpumask is false", |s| {
            let t = s.sys.kernel.per_cpu[0].current_task;
            let mm = s.mm(t);
            s.sys.mm_mut(mm).cpu_bitmap = 0;
        }),
        ("current_task of its cpu is", |s| s.task(s.child).on_cpu = true),
    ]);
}

#[test]
fn lists() {
    each(&[
        ("the kernel: tasks is", |s| {
            let id = s.user;
            let mut head = s.sys.kernel.task_list;
            crate::kernel::list::list_del(&mut s.sys.kernel.tasks, &mut head, TaskList::Tasks, id);
            s.sys.kernel.task_list = head;
        }),
        ("sigcnt is 7", |s| s.sys.signal_mut(s.child).sigcnt = 7),
        ("live is 7", |s| s.sys.signal_mut(s.child).live = 7),
        (": nr_threads is 7", |s| s.sys.signal_mut(s.child).nr_threads = 7),
        ("thread_head: member's signal", |s| {
            s.sys.signal_mut(s.child).thread_head = s.sys.signal(s.parent).thread_head;
        }),
        ("curr_target is", |s| s.sys.signal_mut(s.child).curr_target = Some(s.init)),
        ("group_exec_task is", |s| s.sys.signal_mut(s.child).group_exec_task = Some(s.init)),
        ("group_stop_count is 2", |s| s.sys.signal_mut(s.child).group_stop_count = 2),
        ("is leaked: no task has it", |s| {
            let mut copy = s.sys.signal(s.child).clone();
            copy.sigcnt = 0;
            s.sys.kernel.signals.insert(copy);
        }),
        ("sighand_struct", |s| {
            let id = s.sys.task(s.child).sighand.expect("it lives");
            s.sys.kernel.sighands[id].count = 7;
        }),
        ("prev is", |s| s.task(s.zombie).links[TaskList::Sibling as usize].prev = None),
        ("list children: last is", |s| s.task(s.parent).children.last = Some(s.child)),
        ("children: member's real_parent", |s| {
            s.task(s.init).children = s.sys.task(s.parent).children;
        }),
        ("sibling_seq of a child is", |s| s.task(s.zombie).sibling_seq = 0),
        ("without pid", |s| s.task(s.parent).notable_children.clear()),
        ("of own children only", |s| {
            let init = s.init;
            s.task(s.parent).notable_children.insert(99, init);
        }),
        ("nr_children is 99", |s| s.task(s.parent).nr_children = 99),
        ("nr_clone_children is 99", |s| s.task(s.parent).nr_clone_children = 99),
        ("sibling is unlinked", |s| {
            let mut head = s.sys.task(s.parent).children;
            let id = s.child;
            let tasks = &mut s.sys.kernel.tasks;
            crate::kernel::list::list_del(tasks, &mut head, TaskList::Sibling, id);
            s.task(s.parent).children = head;
        }),
    ]);
}

#[test]
fn sleepers() {
    each(&[
        ("is leaked: nobody waits for it", |s| {
            let id = s.sys.task(s.vforked).vfork_done.expect("it is a vfork child");
            let copy = s.sys.kernel.completions[id].clone();
            s.sys.kernel.completions.insert(copy);
        }),
        ("not done is", |s| s.task(s.vforked).vfork_done = None),
        ("is leaked: nobody sleeps on it", |s| {
            s.sys.kernel.futex_queues.values_mut().for_each(|q| q.entries.clear());
        }),
        ("places on the queue it waits on is 0", |s| {
            let id = s.pipe(5);
            s.sys.kernel.pipes[id].rd_wait.entries.clear();
        }),
        ("todo names", |s| s.sys.kernel.todo.push_back(gone())),
        ("twice, should be once", |s| s.sys.kernel.todo.extend([s.child, s.child])),
        ("entry names", |s| {
            let id = s.pipe(5);
            s.sys.kernel.pipes[id].rd_wait.entries[0].task = gone();
        }),
        ("a task that waits on it", |s| {
            let id = s.pid(s.child);
            s.sys.kernel.pids[id].wait_pidfd.add(s.reader, false);
        }),
        ("as the sleeping call asked", |s| {
            let id = s.pipe(5);
            let e = &mut s.sys.kernel.pipes[id].rd_wait.entries[0];
            e.exclusive = !e.exclusive;
        }),
    ]);
}

/// Makes number 1 mean another pid.
fn set_number_one(s: &mut Scene, pid: PidId) {
    let ns = s.sys.kernel.init_pid_ns;
    *s.sys.kernel.pid_namespaces[ns].idr.get_mut(1).expect("init's number") = Some(pid);
}

#[test]
fn pids() {
    each(&[
        ("none for Tgid", |s| s.sys.signal_mut(s.child).pids[PidType::Tgid as usize] = None),
        (": pid names", |s| {
            s.sys.signal_mut(s.child).pids[PidType::Pgid as usize] = Some(gone());
        }),
        ("unlinked as Tgid", |s| {
            let id = s.pid(s.child);
            s.sys.kernel.pids[id].tasks[PidType::Tgid as usize] = Default::default();
        }),
        ("counted are 2 (being hashed, pidfds, terminals)", |s| {
            let id = s.pid(s.child);
            s.sys.kernel.pids[id].count = 7;
        }),
        ("member's pid in this role", |s| s.task(s.thread).thread_pid = Some(s.pid(s.child))),
        ("hashed is false", |s| {
            let id = s.pid(s.child);
            s.sys.kernel.pids[id].hashed = false;
        }),
        ("level of a number", |s| {
            let id = s.pid(s.nested);
            s.sys.kernel.pids[id].numbers.reverse();
        }),
        ("numbers names", |s| {
            let id = s.pid(s.nested);
            s.sys.kernel.pids[id].numbers[0].ns = gone();
        }),
        ("entry in the table is", |s| {
            let id = s.pid(s.child);
            s.sys.kernel.pids[id].numbers[0].nr = 4000;
        }),
        ("idr names", |s| set_number_one(s, gone())),
        ("a pid of that number", |s| {
            let id = s.pid(s.child);
            set_number_one(s, id);
        }),
        ("pid_allocated is 99", |s| {
            s.sys.kernel.pid_namespaces[s.sys.kernel.init_pid_ns].pid_allocated = 99;
        }),
        ("chunk_used is 99", |s| {
            s.sys.kernel.pid_namespaces[s.sys.kernel.init_pid_ns].chunk_used[0] = 99;
        }),
        ("child_reaper is None", |s| {
            let ns = s.sys.kernel.pids[s.pid(s.nested)].numbers[1].ns;
            s.sys.kernel.pid_namespaces[ns].child_reaper = None;
        }),
        (": pid names", |s| {
            let file = s.file(7);
            s.sys.kernel.filps[file].kind = FileKind::Pidfd(gone());
        }),
    ]);
}

#[test]
fn queued_signals() {
    each(&[
        ("pending: user names", |s| {
            s.sys.signal_mut(s.parent).shared_pending.list[0].user = Some(gone())
        }),
        ("with all queued ones", |s| {
            s.sys.signal_mut(s.parent).shared_pending.signal = SigSet::EMPTY;
        }),
        ("a standard signal once", |s| {
            let list = &mut s.sys.signal_mut(s.parent).shared_pending.list;
            let again = list[0];
            list.push(again);
        }),
        ("sigpending is 0", |s| {
            let user = s.sys.signal(s.parent).shared_pending.list[0].user.expect("its user");
            s.sys.kernel.users[user].sigpending = 0;
        }),
    ]);
}
