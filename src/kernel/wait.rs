//! wait4(2), waitid(2): learning what became of children.
//!
//! Linux scans all children on every call. Here each parent keeps its
//! "notable" children (dead, stopped, continued) in birth order, and counts
//! the rest, so a wait among 30,000 running children costs what one among
//! three does. The order in which children are reported is Linux's: that of
//! the children list, not that of their deaths.
//!
//! Tracees come on top: they are in `ptraced` of the tracer, which is searched
//! as it is. A child that another process traces hides its stops and its
//! death from its parent until the tracer has seen them.
//!
//! Linux: kernel/exit.c (do_wait, wait_consider_task, eligible_child).
//! Left out: what is reported; see `report`.

mod report;

use crate::abi::{Errno, Signal, WaitOptions};
use crate::kernel::error::{Stop, SysError, SysResult};
use crate::kernel::list;
use crate::kernel::pid::{self, PidId, PidType};
use crate::kernel::ptrace::ptrace_reparented;
use crate::kernel::signal::notify::note_child_event;
use crate::kernel::signal::{delay_group_leader, same_thread_group, threads};
use crate::kernel::syscalls::{Out, WaitInfo};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList, TaskState};
use crate::kernel::wait_queue::{Wait, WaitOn};
use crate::traced;
use report::{Ptrace, wait_task_continued, wait_task_stopped, wait_task_zombie};

/// Which children a wait is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Any.
    All,
    /// Those of one process or process group; `None` when no such id exists.
    Pid(PidType, Option<PidId>),
}

/// Puts `p` at the end of `parent`'s children.
pub fn add_child(sys: &mut System, parent: TaskId, p: TaskId) {
    let is_clone = is_clone_child(sys, p);
    let t = sys.task_mut(parent);
    let seq = t.next_child_seq;
    t.next_child_seq += 1;
    t.nr_children += 1;
    t.nr_clone_children += u32::from(is_clone);
    let mut head = t.children;
    sys.task_mut(p).sibling_seq = seq;
    list::list_add_tail(&mut sys.kernel.tasks, &mut head, TaskList::Sibling, p);
    sys.task_mut(parent).children = head;
}

/// Takes `p` off `parent`'s children.
pub fn del_child(sys: &mut System, parent: TaskId, p: TaskId) {
    let is_clone = is_clone_child(sys, p);
    let seq = sys.task(p).sibling_seq;
    let t = sys.task_mut(parent);
    t.nr_children -= 1;
    t.nr_clone_children -= u32::from(is_clone);
    t.notable_children.remove(&seq);
    let mut head = t.children;
    list::list_del(&mut sys.kernel.tasks, &mut head, TaskList::Sibling, p);
    sys.task_mut(parent).children = head;
}

/// Moves a child to the end of another parent's children.
pub fn move_child(sys: &mut System, from: TaskId, to: TaskId, p: TaskId) {
    let seq = sys.task(p).sibling_seq;
    let notable = sys.task(from).notable_children.contains_key(&seq);
    del_child(sys, from, p);
    add_child(sys, to, p);
    if notable {
        note_child_event(sys, p);
    }
}

/// Changes the exit signal of a child and the parent's count of "clone
/// children" with it.
pub fn set_exit_signal(sys: &mut System, parent: TaskId, p: TaskId, sig: i32) {
    let was = is_clone_child(sys, p);
    sys.task_mut(p).exit_signal = sig;
    let is = is_clone_child(sys, p);
    let t = sys.task_mut(parent);
    t.nr_clone_children = t.nr_clone_children - u32::from(was) + u32::from(is);
}

/// Children with another exit signal than SIGCHLD are waited for with
/// `__WCLONE` only.
fn is_clone_child(sys: &System, p: TaskId) -> bool {
    sys.task(p).exit_signal != Signal::SIGCHLD.number()
}

/// One wait call.
struct Opts {
    which: Which,
    options: WaitOptions,
}

/// What looking at the children gave.
enum Found {
    /// An event to report.
    Event(WaitInfo),
    /// No child that could ever be reported.
    NoChild,
    /// Children, but no event yet.
    NotYet,
}

/// Which pid a wait that slept was about. It was looked up when the call
/// began: since then the caller may have changed its group, closed the pidfd,
/// or the number may mean another process.
pub fn slept_for(sys: &System, current: TaskId) -> Option<PidId> {
    let resume = sys.task(current).resume.as_deref()?;
    let waits = matches!(resume.wait.on, WaitOn::Child(_));
    resume.note.checked_sub(1).filter(|_| waits).map(PidId::from_bits)
}

/// Waits for an event of a child. `Ok(None)`: WNOHANG and no event.
///
/// Errors: ECHILD; ERESTARTSYS when a signal comes first.
/// Blocks: interruptible, on `signal->wait_chldexit`.
pub fn do_wait(
    sys: &mut System,
    current: TaskId,
    which: Which,
    options: WaitOptions,
) -> Result<Option<WaitInfo>, Stop> {
    let opts = Opts { which, options };
    match find_event(sys, current, &opts) {
        Found::Event(info) => Ok(Some(info)),
        Found::NoChild => Err(no_child(&opts).into()),
        Found::NotYet if options.contains(WaitOptions::WNOHANG) => Ok(None),
        Found::NotYet if sys.task(current).sigpending => Err(SysError::new(
            Errno::ERESTARTSYS,
            "do_wait",
            "a signal arrived before any child changed state",
        )
        .into()),
        Found::NotYet => {
            let signal = sys.task(current).signal.expect("a running task has a signal_struct");
            if let Which::Pid(_, Some(id)) = which {
                sys.kernel.note = id.to_bits() + 1;
            }
            Err(Stop::Block(Wait::interruptible(WaitOn::Child(signal))))
        }
    }
}

fn no_child(opts: &Opts) -> SysError {
    let why = match opts.which {
        Which::Pid(_, None) => "there is no such process or process group",
        _ if opts.options.contains(WaitOptions::__WCLONE) => {
            "no child whose exit signal differs from SIGCHLD (__WCLONE looks for these only)"
        }
        Which::Pid(..) => {
            "no such child: not a child of this process, reaped already, or one whose exit signal is not SIGCHLD (__WALL finds it)"
        }
        Which::All => {
            "no children to wait for: none, all reaped already, or only ones whose exit signal is not SIGCHLD (__WALL finds them)"
        }
    };
    SysError::new(Errno::ECHILD, "do_wait", why)
}

fn find_event(sys: &mut System, current: TaskId, opts: &Opts) -> Found {
    if let Which::Pid(ty, id) = opts.which {
        let Some(id) = id else { return Found::NoChild };
        // It may have been reaped while this call slept.
        if pid::pid_task(sys, id, ty).is_none() {
            return Found::NoChild;
        }
        if ty == PidType::Pid || ty == PidType::Tgid {
            return find_by_pid(sys, current, id, opts);
        }
    }
    let parents = if opts.options.contains(WaitOptions::__WNOTHREAD) {
        vec![current]
    } else {
        // `current` first, then the other threads in their order.
        let all = threads(sys, current);
        let at = all.iter().position(|t| *t == current).unwrap_or(0);
        all[at..].iter().chain(&all[..at]).copied().collect()
    };
    let mut result = Found::NoChild;
    for parent in parents {
        for look in [do_wait_thread, ptrace_do_wait] {
            match look(sys, current, parent, opts) {
                Found::NoChild => {}
                Found::NotYet => result = Found::NotYet,
                event => return event,
            }
        }
    }
    result
}

/// wait for one process: no list is walked (`do_wait_pid`).
fn find_by_pid(sys: &mut System, current: TaskId, id: PidId, opts: &Opts) -> Found {
    let ours = |sys: &System, parent: TaskId| {
        let whole = !opts.options.contains(WaitOptions::__WNOTHREAD);
        parent == current || whole && same_thread_group(sys, parent, current)
    };
    let mut result = Found::NoChild;
    if let Some(child) = pid::pid_task(sys, id, PidType::Tgid)
        && ours(sys, sys.task(child).real_parent)
    {
        match consider(sys, current, child, opts, Ptrace::No) {
            event @ Found::Event(_) => return event,
            found => result = found,
        }
    }
    if let Some(tracee) = pid::pid_task(sys, id, PidType::Pid)
        && !sys.task(tracee).ptrace.is_empty()
        && ours(sys, sys.task(tracee).parent)
    {
        match consider(sys, current, tracee, opts, Ptrace::Yes) {
            Found::NoChild => {}
            found => result = found,
        }
    }
    result
}

/// Those that `tracer` traces (`ptrace_do_wait`).
fn ptrace_do_wait(sys: &mut System, current: TaskId, tracer: TaskId, opts: &Opts) -> Found {
    let tracees: Vec<_> =
        list::iter(&sys.kernel.tasks, sys.task(tracer).ptraced, TaskList::Ptraced).collect();
    let mut result = Found::NoChild;
    for p in tracees {
        match consider(sys, current, p, opts, Ptrace::Yes) {
            Found::NoChild => {}
            Found::NotYet => result = Found::NotYet,
            event => return event,
        }
    }
    result
}

fn do_wait_thread(sys: &mut System, current: TaskId, parent: TaskId, opts: &Opts) -> Found {
    let t = sys.task(parent);
    if let Which::Pid(..) = opts.which {
        let children: Vec<_> =
            list::iter(&sys.kernel.tasks, t.children, TaskList::Sibling).collect();
        let mut result = Found::NoChild;
        for p in children {
            match consider(sys, current, p, opts, Ptrace::No) {
                Found::NoChild => {}
                Found::NotYet => result = Found::NotYet,
                event => return event,
            }
        }
        return result;
    }
    let eligible = if opts.options.contains(WaitOptions::__WALL) {
        t.nr_children
    } else if opts.options.contains(WaitOptions::__WCLONE) {
        t.nr_clone_children
    } else {
        t.nr_children - t.nr_clone_children
    };
    if eligible == 0 {
        return Found::NoChild;
    }
    // Children that are not notable run: they can be waited for, but not yet.
    let mut uninteresting = 0;
    let mut at = 0;
    while let Some((&seq, &p)) = sys.task(parent).notable_children.range(at..).next() {
        at = seq + 1;
        let kind_fits = is_eligible_kind(sys, p, opts);
        match consider(sys, current, p, opts, Ptrace::No) {
            Found::NoChild => uninteresting += u32::from(kind_fits),
            Found::NotYet => {}
            event => return event,
        }
    }
    if eligible > uninteresting { Found::NotYet } else { Found::NoChild }
}

fn is_eligible_kind(sys: &System, p: TaskId, opts: &Opts) -> bool {
    opts.options.contains(WaitOptions::__WALL)
        || is_clone_child(sys, p) == opts.options.contains(WaitOptions::__WCLONE)
}

/// Whether this wait is about `p` at all (`eligible_child`). The kind of a
/// tracee does not count.
fn eligible_child(sys: &System, p: TaskId, opts: &Opts, role: Ptrace) -> bool {
    let pid_fits = match opts.which {
        Which::All => true,
        Which::Pid(ty, id) => pid::task_pid_ptr(sys, p, ty) == id,
    };
    pid_fits && (role == Ptrace::Yes || is_eligible_kind(sys, p, opts))
}

/// Looks at one child or tracee (`wait_consider_task`).
fn consider(sys: &mut System, current: TaskId, p: TaskId, opts: &Opts, role: Ptrace) -> Found {
    if sys.task(p).exit_state == TaskState::EXIT_DEAD || !eligible_child(sys, p, opts, role) {
        return Found::NoChild;
    }
    let traced = !sys.task(p).ptrace.is_empty();
    // Traced by its own parent's process: its stops are told once, as a
    // tracee's.
    let role = if traced && !ptrace_reparented(sys, p) { Ptrace::Yes } else { role };
    let zombie = sys.task(p).exit_state == TaskState::EXIT_ZOMBIE;
    if zombie && !delay_group_leader(sys, p) && (role == Ptrace::Yes || !traced) {
        if !opts.options.contains(WaitOptions::WEXITED) {
            return Found::NoChild;
        }
        return Found::Event(traced!(sys, wait_task_zombie(current, p, opts.options)));
    }
    // A zombie leader with living threads falls through: its group can still
    // stop and continue.
    if let Some(info) = wait_task_stopped(sys, current, p, opts.options, role) {
        return Found::Event(info);
    }
    if let Some(info) = wait_task_continued(sys, current, p, opts.options) {
        return Found::Event(info);
    }
    // The stops of a tracee are its own: a dead one makes none.
    let later = WaitOptions::WCONTINUED | WaitOptions::WEXITED;
    if zombie && role == Ptrace::Yes && !opts.options.intersects(later) {
        return Found::NoChild;
    }
    Found::NotYet
}

/// wait4(2): `upid` is > 0 for a child, 0 for the caller's process group, -1
/// for any, less for a process group.
///
/// Errors, in order: EINVAL (options), ESRCH (INT_MIN), ECHILD, EFAULT is the
/// caller's.
pub fn kernel_wait4(sys: &mut System, current: TaskId, upid: i32, options: u32) -> SysResult {
    let known = WaitOptions::WNOHANG
        | WaitOptions::WUNTRACED
        | WaitOptions::WCONTINUED
        | WaitOptions::__WNOTHREAD
        | WaitOptions::__WCLONE
        | WaitOptions::__WALL;
    let opts = check_options(options, known, "kernel_wait4")?;
    let slept = slept_for(sys, current);
    let which = match upid {
        i32::MIN => {
            return Err(SysError::new(
                Errno::ESRCH,
                "kernel_wait4",
                "the pid is INT_MIN: its negation is no process group",
            )
            .into());
        }
        -1 => Which::All,
        n if slept.is_some() => Which::Pid(if n > 0 { PidType::Pid } else { PidType::Pgid }, slept),
        n if n < 0 => Which::Pid(PidType::Pgid, pid::find_vpid(sys, current, -n)),
        0 => Which::Pid(PidType::Pgid, pid::task_pid_ptr(sys, current, PidType::Pgid)),
        n => Which::Pid(PidType::Pid, pid::find_vpid(sys, current, n)),
    };
    match do_wait(sys, current, which, opts | WaitOptions::WEXITED)? {
        Some(info) => {
            sys.kernel.out = Out::Wait(Box::new(info));
            Ok(i64::from(info.pid))
        }
        None => Ok(0),
    }
}

fn check_options(
    options: u32,
    known: WaitOptions,
    f: &'static str,
) -> Result<WaitOptions, SysError> {
    let unknown = options & !known.bits();
    if unknown != 0 {
        let named = WaitOptions::from_bits_retain(unknown);
        let mut options: Vec<_> = named.iter_names().map(|(name, _)| name.to_string()).collect();
        let nameless = unknown & !WaitOptions::all().bits();
        if nameless != 0 {
            options.push(format!("{nameless:#x}"));
        }
        return Err(SysError::with(
            Errno::EINVAL,
            f,
            format!("this call does not take the options {}", options.join(" | ")),
        ));
    }
    Ok(WaitOptions::from_bits_retain(options))
}

/// Checks waitid's options.
///
/// Errors: EINVAL for unknown ones, and when no kind of event is asked for.
pub fn waitid_options(options: u32) -> Result<WaitOptions, SysError> {
    let known = WaitOptions::WNOHANG
        | WaitOptions::WNOWAIT
        | WaitOptions::WEXITED
        | WaitOptions::WUNTRACED
        | WaitOptions::WCONTINUED
        | WaitOptions::__WNOTHREAD
        | WaitOptions::__WCLONE
        | WaitOptions::__WALL;
    let opts = check_options(options, known, "kernel_waitid")?;
    let events = WaitOptions::WEXITED | WaitOptions::WUNTRACED | WaitOptions::WCONTINUED;
    if !opts.intersects(events) {
        return Err(SysError::new(
            Errno::EINVAL,
            "kernel_waitid",
            "waitid must be told what to wait for: WEXITED, WSTOPPED or WCONTINUED",
        ));
    }
    Ok(opts)
}
