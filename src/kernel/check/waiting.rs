//! Sleepers: a task is on exactly the queue that its sleeping call names, and
//! every queue holds only such tasks.
//!
//! A task that was woken stays on its queue until it runs; it is in `todo`
//! then.
//!
//! Linux: kernel/sched/wait.c. Left out: whether anyone will ever wake them.

use super::{Findings, Named};
use crate::kernel::fs::anon_inodes::AnonKind;
use crate::kernel::fs::eventpoll::EpItem;
use crate::kernel::kthread::At;
use crate::kernel::posix_timers::Status;
use crate::kernel::ptrace::TrapAt;
use crate::kernel::system::System;
use crate::kernel::task::{Resume, TaskId, TaskState, TaskStruct};
use crate::kernel::timer::Alarm;
use crate::kernel::wait_queue::{CompletionOwner, FutexKey, WaitOn, WaitQueueHead};

/// What a queue belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// `signal->wait_chldexit`.
    Signal(u64),
    Completion(u64),
    /// Of the functions of kernel threads.
    Queue(u64),
    PipeRead(u64),
    PipeWrite(u64),
    TtyRead(u64),
    TtyWrite(u64),
    Anon(u64),
    Sighand(u64),
    Pid(u64),
    FileLock(u64),
    Futex(FutexKey),
}

fn owner(on: WaitOn) -> Option<Owner> {
    Some(match on {
        WaitOn::Child(s) | WaitOn::Dethread(s) => Owner::Signal(s.to_bits()),
        WaitOn::Vfork(c) => Owner::Completion(c.to_bits()),
        WaitOn::PipeRead(p) => Owner::PipeRead(p.to_bits()),
        WaitOn::PipeWrite(p) => Owner::PipeWrite(p.to_bits()),
        WaitOn::TtyRead(t) => Owner::TtyRead(t.to_bits()),
        WaitOn::TtyWrite(t) => Owner::TtyWrite(t.to_bits()),
        WaitOn::Anon(a) => Owner::Anon(a.to_bits()),
        WaitOn::Signalfd(s) => Owner::Sighand(s.to_bits()),
        WaitOn::PidExit(p) => Owner::Pid(p.to_bits()),
        WaitOn::FileLock(i) => Owner::FileLock(i.to_bits()),
        WaitOn::Futex(k) => Owner::Futex(k),
        WaitOn::Poll | WaitOn::Signal | WaitOn::Timeout | WaitOn::Tracer => return None,
    })
}

/// The queues a sleeping call is on.
fn owners(r: &Resume) -> Vec<Owner> {
    let mut all: Vec<Owner> = owner(r.wait.on).into_iter().collect();
    if let Some(poll) = &r.poll {
        for o in poll.table.iter().filter_map(|(on, _)| owner(*on)) {
            if !all.contains(&o) {
                all.push(o);
            }
        }
    }
    all
}

/// A timer for each call that sleeps until a deadline, and no other.
fn timers(sys: &System, f: &mut Findings) {
    let deadline = |t: &TaskStruct| t.resume.as_ref().and_then(|r| r.wait.deadline);
    for (at, id) in &sys.kernel.timers {
        let wanted = sys.kernel.tasks.get(*id).and_then(deadline);
        f.same(format_args!("timer of {id:?}"), "deadline", Some(*at), wanted, "the sleeper's");
    }
    for (id, t) in sys.kernel.tasks.iter() {
        let asleep = t.__state.intersects(TaskState::INTERRUPTIBLE);
        if let Some(at) = deadline(t).filter(|_| asleep) {
            let armed = sys.kernel.timers.contains(&(at, id));
            f.rule(
                armed,
                format_args!("{}", Named(id, t)),
                "timer",
                format_args!("none"),
                "one for its deadline",
            );
        }
    }
}

/// The list of armed interval timers says what the processes say.
fn itimers(sys: &System, f: &mut Findings) {
    let armed = sys.kernel.signals.iter().filter(|(_, s)| s.real_timer.expires.is_some()).count();
    let me = format_args!("itimers");
    f.same(me, "length", sys.kernel.itimers.len(), armed, "processes whose timer is armed");
    for (at, id) in &sys.kernel.itimers {
        let wanted = sys.kernel.signals.get(*id).and_then(|s| s.real_timer.expires);
        f.same(format_args!("itimer of {id:?}"), "time", Some(*at), wanted, "real_timer's");
    }
}

/// The list of armed timers of descriptors and of POSIX timers says what these
/// say; and each watch of an epoll instance is of an item that names the queue.
fn alarms(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let mut wanted = Vec::new();
    for (id, a) in k.anon_inodes.iter() {
        match &a.kind {
            AnonKind::Timer(t) if t.armed => wanted.push((t.expires, Alarm::Timerfd(id))),
            AnonKind::Epoll(ep) => {
                for item in &ep.items {
                    let me = format_args!("item {:?} of epoll {id:?}", item.key);
                    f.exists(k.filps.contains(item.key.0), me, "file", format_args!("gone"));
                }
                for key in &ep.ready {
                    let known = ep.items.iter().any(|i| i.key == *key);
                    f.exists(known, format_args!("epoll {id:?}"), "ready", format_args!("{key:?}"));
                }
            }
            _ => {}
        }
    }
    let mut cpu = 0;
    for (id, s) in k.signals.iter() {
        cpu += s.cpu_timers.armed();
        for (nr, t) in s.posix_timers.timers.iter().filter(|(_, t)| t.status == Status::Armed) {
            match t.cpu {
                Some(_) => cpu += 1,
                None => wanted.push((t.expires, Alarm::Posix(id, *nr))),
            }
        }
    }
    wanted.sort_unstable();
    let armed: Vec<_> = k.alarms.iter().copied().collect();
    f.same(format_args!("the kernel"), "alarms", armed, wanted, "the timers that are armed");
    f.same(
        format_args!("the kernel"),
        "cpu_timers_armed",
        k.cpu_timers_armed,
        cpu,
        "as processes say",
    );
}

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    alarms(sys, f);
    timers(sys, f);
    itimers(sys, f);
    let mut queued = Vec::new();
    for (id, s) in k.signals.iter() {
        entries(sys, Owner::Signal(id.to_bits()), &s.wait_chldexit, &mut queued, f);
    }
    for (id, c) in k.completions.iter() {
        entries(sys, Owner::Completion(id.to_bits()), &c.wait, &mut queued, f);
        if c.owner == CompletionOwner::Static {
            continue;
        }
        let waits = |on| matches!(on, Some(WaitOn::Vfork(c)) if c == id);
        // Or it will wait, when its tracer has seen the child.
        let will = |t: &TaskStruct| {
            t.trap.as_ref().is_some_and(|t| matches!(t.at, TrapAt::Clone(_, Some(c)) if c == id))
        };
        let waiter =
            k.tasks.iter().any(|(_, t)| will(t) || waits(t.resume.as_ref().map(|r| r.wait.on)));
        if !waiter {
            // It lies on the stack of the creator of a vfork child.
            f.leaked(format_args!("completion {id:?}"), format_args!("nobody waits for it"));
        }
        let children = k.tasks.iter().filter(|(_, t)| t.vfork_done == Some(id)).count();
        let open = u32::from(c.done == 0);
        f.count(
            format_args!("completion {id:?}"),
            "not done",
            open,
            children as i64,
            "children that will complete it",
        );
    }
    for (id, q) in k.wait_queues.iter() {
        entries(sys, Owner::Queue(id.to_bits()), q, &mut queued, f);
    }
    for (id, t) in k.tasks.iter() {
        let Some(At::Completion(c, _)) = t.kthread.as_ref().map(|k| k.at) else { continue };
        let owner = Owner::Completion(c.to_bits());
        let times = queued.iter().filter(|q| **q == (id, owner)).count();
        let me = format_args!("{}", Named(id, t));
        f.rule(times == 1, me, "places on the completion", format_args!("{times}"), "1");
    }
    for (id, i) in k.inodes.iter() {
        entries(sys, Owner::FileLock(id.to_bits()), &i.lock_wait, &mut queued, f);
    }
    for (id, p) in k.pipes.iter() {
        entries(sys, Owner::PipeRead(id.to_bits()), &p.rd_wait, &mut queued, f);
        entries(sys, Owner::PipeWrite(id.to_bits()), &p.wr_wait, &mut queued, f);
    }
    for (id, t) in k.ttys.iter() {
        entries(sys, Owner::TtyRead(id.to_bits()), &t.read_wait, &mut queued, f);
        entries(sys, Owner::TtyWrite(id.to_bits()), &t.write_wait, &mut queued, f);
    }
    for (id, a) in k.anon_inodes.iter() {
        entries(sys, Owner::Anon(id.to_bits()), &a.wqh, &mut queued, f);
    }
    for (id, s) in k.sighands.iter() {
        entries(sys, Owner::Sighand(id.to_bits()), &s.signalfd_wqh, &mut queued, f);
    }
    for (id, p) in k.pids.iter() {
        entries(sys, Owner::Pid(id.to_bits()), &p.wait_pidfd, &mut queued, f);
    }
    for (key, q) in &k.futex_queues {
        entries(sys, Owner::Futex(*key), q, &mut queued, f);
        if q.entries.is_empty() {
            f.leaked(format_args!("futex queue {key:?}"), format_args!("nobody sleeps on it"));
        }
    }
    for (id, t) in k.tasks.iter() {
        let Some(r) = &t.resume else { continue };
        let woken = t.__state == TaskState::RUNNING;
        for owner in owners(r) {
            let times = queued.iter().filter(|q| **q == (id, owner)).count();
            f.rule(
                times == 1 || woken && times == 0 || is_chosen(sys, id),
                format_args!("{}", Named(id, t)),
                "places on the queue it waits on",
                format_args!("{times} of {owner:?}"),
                "1",
            );
        }
        let polls = r.wait.on == WaitOn::Poll;
        f.same(format_args!("{}", Named(id, t)), "has poll", r.poll.is_some(), polls, "it polls");
    }
    let mut seen = Vec::new();
    for id in &k.todo {
        let known = k.tasks.contains(*id);
        f.exists(known, format_args!("the kernel"), "todo", format_args!("{id:?}"));
        let once = !seen.contains(id);
        f.rule(once, format_args!("the kernel"), "todo", format_args!("{id:?} twice"), "once");
        seen.push(*id);
    }
}

/// A futex sleeper that FUTEX_WAKE has taken off the queue is on its way.
fn is_chosen(sys: &System, id: TaskId) -> bool {
    sys.kernel.todo.contains(&id)
}

fn entries(
    sys: &System,
    owner_of: Owner,
    q: &WaitQueueHead,
    queued: &mut Vec<(TaskId, Owner)>,
    f: &mut Findings,
) {
    for w in &q.watches {
        let me = format_args!("wait queue {owner_of:?}");
        let item = sys.kernel.anon_inodes.get(w.epoll).and_then(|a| match &a.kind {
            AnonKind::Epoll(ep) => ep.items.iter().find(|i| i.key == w.item),
            _ => None,
        });
        let names = |i: &EpItem| i.queues.iter().flatten().any(|on| owner(*on) == Some(owner_of));
        f.rule(
            item.is_some_and(names),
            me,
            "watch",
            format_args!("{w:?}"),
            "of an item that is on it",
        );
    }
    for e in &q.entries {
        let me = format_args!("wait queue {owner_of:?}");
        let Some(t) = sys.kernel.tasks.get(e.task) else {
            f.exists(false, me, "entry", format_args!("{:?}", e.task));
            continue;
        };
        if let Some(kthread) = &t.kthread {
            // Its function may be on several queues, and run.
            let fits = match owner_of {
                Owner::Queue(_) => {
                    !t.is_dead()
                        && matches!(kthread.at, At::Function | At::Park | At::Completion(..))
                }
                Owner::Completion(c) => {
                    matches!(kthread.at, At::Completion(id, _) if id.to_bits() == c)
                }
                _ => false,
            };
            let who = format_args!("{}", Named(e.task, t));
            f.rule(fits, me, "entry", who, "a kernel thread that waits on it");
            queued.push((e.task, owner_of));
            continue;
        }
        let waits = t.resume.as_ref().map(|r| r.wait);
        let fits = t.resume.as_ref().is_some_and(|r| owners(r).contains(&owner_of));
        f.rule(fits, me, "entry", format_args!("{}", Named(e.task, t)), "a task that waits on it");
        let kind = waits.map(|w| w.exclusive);
        f.same(me, "exclusive", Some(e.exclusive), kind, "as the sleeping call asked");
        queued.push((e.task, owner_of));
    }
}
