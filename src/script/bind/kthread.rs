//! Kernel threads: making, stopping and parking them, and playing their
//! functions: what they call to sleep, on queues and for completions.
//!
//! ```text
//! machine.kthread_run("worker") -> Task         the asking side is the script
//! machine.kthread_stop(k) -> KthreadCall
//! k.set_current_state(…)  k.schedule()          the function is the script too
//! ```
//!
//! Left out: system calls; a kernel thread makes none.

use std::fmt;

use rhai::{Array, Dynamic, INT, ImmutableString, NativeCallContext};

use super::kinds;
use super::registry::{Book, Raised, functions, getters};
use super::task::Task;
use super::world::Machine;
use crate::kernel::entry;
use crate::kernel::kthread::{self, Asks, KthreadCaller, KthreadFlags, Misuse};
use crate::kernel::sched::core as sched;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use crate::kernel::wait_queue::{
    Completion, CompletionId, CompletionOwner, WaitEntry, WaitQueueHead, WaitQueueId,
};
use crate::script::errors::ScriptError;
use crate::script::value::Flags;

type Ctx<'a> = NativeCallContext<'a>;

/// Most wait queues, completions and calls of kthread_stop in one machine.
const MOST: usize = 4096;

/// Who makes all kernel threads.
const KTHREADD: i32 = 2;

/// States that `wake_up` ends (TASK_NORMAL).
const NORMAL: TaskState = TaskState::INTERRUPTIBLE.union(TaskState::UNINTERRUPTIBLE);

/// A wait queue of kernel threads.
#[derive(Clone)]
struct WaitQueue(Machine, WaitQueueId);

/// A completion of kernel threads.
#[derive(Clone)]
struct CompletionHandle(Machine, CompletionId);

/// A call that waits for a kernel thread: its number, and what it asked.
#[derive(Clone)]
struct KthreadCall {
    machine: Machine,
    number: usize,
    thread: Task,
    asks: Asks,
}

fn misuse(wanted: &str, why: &Misuse) -> ScriptError {
    let help = match why {
        Misuse::Gone => {
            "its task_struct was freed when it exited: nobody waits for a kernel thread"
        }
        Misuse::UserTask(..) => "`machine.kthread_run(name)` makes a kernel thread",
        Misuse::OfTheKernel(..) => "`machine.kthread_run(name)` makes a thread to play with",
        Misuse::NotStarted(..) | Misuse::Asleep(_, _, _, "schedule") => {
            "`machine.wake_up_process(k)` wakes it"
        }
        Misuse::Asleep(_, _, _, "kthread_parkme") => "`machine.kthread_unpark(k)` lets it go on",
        Misuse::Asleep(..) => "`machine.complete(c)` lets it go on",
        Misuse::OnQueue(..) => {
            "its entry lies on the stack that exit frees: `k.finish_wait(q)` takes it off"
        }
        Misuse::NoSleep(_) => {
            "TASK_INTERRUPTIBLE, TASK_UNINTERRUPTIBLE, TASK_KILLABLE or TASK_IDLE"
        }
        Misuse::StopTwice(..) => "one exit completes one call; the other would wait for ever",
        Misuse::Dead(..) | Misuse::NoObject => "",
    };
    let help = (!help.is_empty()).then(|| help.to_string());
    ScriptError::Usage { message: format!("{wanted}: {why}"), help }
}

/// Does something in the kernel, and what follows from it.
fn act<R>(
    ctx: &Ctx,
    machine: &Machine,
    f: impl FnOnce(&mut System) -> Result<R, Misuse>,
) -> Raised<R> {
    machine.mark_origin(ctx);
    let result = machine.write(|sys| {
        sys.still_sound()?;
        let result = f(sys);
        entry::settle(sys);
        sys.still_sound().map(|()| result)
    });
    machine.flush_console();
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(why)) => Err(misuse(ctx.fn_name(), &why).into()),
        Err(oops) => Err(ScriptError::Oops(Box::new(oops)).into()),
    }
}

/// A kernel thread acts.
fn play<R>(
    ctx: &Ctx,
    t: &Task,
    f: impl FnOnce(&mut System, TaskId) -> Result<R, Misuse>,
) -> Raised<R> {
    act(ctx, t.machine(), |sys| f(sys, t.id()))
}

/// Both belong to one machine.
fn together(ctx: &Ctx, a: &Machine, b: &Machine) -> Raised<()> {
    if a.is(b) {
        return Ok(());
    }
    Err(ScriptError::usage(format!("{}: of two different machines", ctx.fn_name())).into())
}

fn create(ctx: &Ctx, m: &Machine, name: &str, run: bool) -> Raised<Task> {
    m.check_task_limit()?;
    let made = act(ctx, m, |sys| {
        let made = kthread::kthread_create(sys, name);
        if let (Ok(k), true) = (&made, run) {
            sched::wake_up_process(sys, *k);
        }
        Ok(made)
    })?;
    match made {
        Ok(k) => Ok(m.handle(k)),
        Err(e) => {
            let shown = format!("{}({name:?})", ctx.fn_name());
            Err(ScriptError::refused(&e, shown, KTHREADD).into())
        }
    }
}

fn call(
    ctx: &Ctx,
    m: &Machine,
    t: &Task,
    asks: Asks,
    f: fn(&mut System, TaskId) -> Result<usize, Misuse>,
) -> Raised<KthreadCall> {
    together(ctx, m, t.machine())?;
    room(m, |sys| sys.kernel.kthread_callers.len(), "calls of kthread_stop and kthread_park")?;
    let number = act(ctx, m, |sys| f(sys, t.id()))?;
    Ok(KthreadCall { machine: m.clone(), number, thread: t.clone(), asks })
}

fn room(m: &Machine, count: impl FnOnce(&System) -> usize, what: &str) -> Result<(), ScriptError> {
    if m.read(count) < MOST {
        return Ok(());
    }
    Err(ScriptError::Limit { message: format!("{MOST} {what} in one machine"), help: None })
}

fn state(ctx: &Ctx, value: &Flags) -> Raised<TaskState> {
    if value.kind.name == kinds::STATE.name {
        return Ok(TaskState::from_bits_retain(value.bits as u32));
    }
    let message = format!("{}: {value} is no task state", ctx.fn_name());
    Err(ScriptError::usage(message).into())
}

fn wake(ctx: &Ctx, m: &Machine, q: &WaitQueue, mode: TaskState, nr: usize) -> Raised<INT> {
    together(ctx, m, &q.0)?;
    Ok(act(ctx, m, |sys| kthread::wake_up_queue(sys, q.1, mode, nr))? as INT)
}

fn prepare(ctx: &Ctx, t: &Task, q: &WaitQueue, s: &Flags, exclusive: bool) -> Raised<()> {
    together(ctx, t.machine(), &q.0)?;
    let s = state(ctx, s)?;
    play(ctx, t, |sys, k| kthread::prepare_to_wait(sys, k, q.1, s, exclusive))
}

fn wait_for(ctx: &Ctx, t: &Task, c: &CompletionHandle, s: TaskState) -> Raised<()> {
    together(ctx, t.machine(), &c.0)?;
    play(ctx, t, |sys, k| kthread::wait_for_completion(sys, k, c.1, s))
}

fn flag(ctx: &Ctx, t: &Task, flag: KthreadFlags) -> Raised<bool> {
    play(ctx, t, |sys, k| {
        kthread::enter(sys, k)?;
        Ok(kthread::of(sys, k)?.flags.contains(flag))
    })
}

impl KthreadCall {
    /// What the kernel has noted about it; nothing once it was undone.
    fn noted(&self) -> Option<KthreadCaller> {
        let same = |c: &&KthreadCaller| c.kthread == self.thread.id() && c.asks == self.asks;
        self.machine.read(|sys| sys.kernel.kthread_callers.get(self.number).filter(same).cloned())
    }

    fn name(&self) -> &'static str {
        match self.asks {
            Asks::Stop => "kthread_stop",
            Asks::Park => "kthread_park",
        }
    }

    fn waits_for(&self) -> String {
        let what = match self.asks {
            Asks::Stop => "exit",
            Asks::Park => "park",
        };
        format!("kernel thread {} to {what}", self.thread.pid())
    }

    fn value(&self) -> Raised<INT> {
        let message = match self.noted() {
            Some(KthreadCaller { result: Some(n), .. }) => return Ok(n.into()),
            Some(_) => {
                format!("{} has not returned: it waits for {}", self.name(), self.waits_for())
            }
            None => format!("{} was undone", self.name()),
        };
        let help = Some("`.done` says whether a call has returned".into());
        Err(ScriptError::Usage { message, help }.into())
    }
}

impl fmt::Display for KthreadCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, pid) = (self.name(), self.thread.pid());
        match self.noted() {
            Some(KthreadCaller { result: Some(n), .. }) => {
                write!(f, "{name} of task {pid} has returned {n}")
            }
            Some(_) => write!(f, "{name} waits for {}", self.waits_for()),
            None => write!(f, "{name} of task {pid} was undone"),
        }
    }
}

fn waiters(m: &Machine, look: impl FnOnce(&System) -> Option<&WaitQueueHead>) -> Array {
    let entries = m.read(|sys| look(sys).map_or_else(Vec::new, |q| q.entries.clone()));
    entries.into_iter().map(|e| Dynamic::from(m.handle(e.task))).collect()
}

fn show(sys: &System, entries: &[WaitEntry]) -> String {
    let one = |e: &WaitEntry| {
        let pid = sys.kernel.tasks.get(e.task).map_or(0, |t| t.pid);
        format!("{pid}{}", if e.exclusive { " (exclusive)" } else { "" })
    };
    match entries {
        [] => "nobody waits".into(),
        some => format!("waiting: {}", some.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

impl fmt::Display for WaitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.read(|sys| match sys.kernel.wait_queues.get(self.1) {
            Some(q) => write!(f, "wait queue, {}", show(sys, &q.entries)),
            None => write!(f, "wait queue (undone)"),
        })
    }
}

impl fmt::Display for CompletionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.read(|sys| match sys.kernel.completions.get(self.1) {
            Some(c) => write!(f, "completion, done {}, {}", c.done, show(sys, &c.wait.entries)),
            None => write!(f, "completion (undone)"),
        })
    }
}

/// Registers the functions.
pub(super) fn register(book: &mut Book) {
    book.prints::<KthreadCall>("KthreadCall");
    book.prints::<WaitQueue>("WaitQueue");
    book.prints::<CompletionHandle>("Completion");
    asking(book);
    function(book);
    queues(book);
}

fn asking(book: &mut Book) {
    functions! { book;
        /// Asks kthreadd for a kernel thread. It sleeps (D) until it is woken for the
        /// first time.
        "kthread_create(m: Machine, name: string) -> Task" =>
            |ctx: Ctx, m: &mut Machine, name: ImmutableString| create(&ctx, m, &name, false);
        /// The same, and wakes it: its function begins, which the script plays.
        "kthread_run(m: Machine, name: string) -> Task" =>
            |ctx: Ctx, m: &mut Machine, name: ImmutableString| create(&ctx, m, &name, true);
        /// Asks a kernel thread to stop, wakes it and waits for its end: `.done`,
        /// `.value` (what it exits with, -4 (EINTR) if its function never ran).
        "kthread_stop(m: Machine, k: Task) -> KthreadCall" =>
            |ctx: Ctx, m: &mut Machine, k: Task| {
                call(&ctx, m, &k, Asks::Stop, kthread::kthread_stop)
            };
        /// Asks a kernel thread to park and waits until it does: `.done`, `.value`
        /// (0, -16 (EBUSY) if it was asked before).
        "kthread_park(m: Machine, k: Task) -> KthreadCall" =>
            |ctx: Ctx, m: &mut Machine, k: Task| {
                call(&ctx, m, &k, Asks::Park, kthread::kthread_park)
            };
        /// Lets a parked kernel thread go on.
        "kthread_unpark(m: Machine, k: Task)" => |ctx: Ctx, m: &mut Machine, k: Task| {
            together(&ctx, m, k.machine())?;
            play(&ctx, &k, kthread::kthread_unpark)
        };
        /// Wakes a kernel thread that sleeps in S or D; whether it did.
        "wake_up_process(m: Machine, k: Task) -> bool" => |ctx: Ctx, m: &mut Machine, k: Task| {
            together(&ctx, m, k.machine())?;
            play(&ctx, &k, |sys, k| {
                kthread::of(sys, k)?;
                Ok(sched::wake_up_process(sys, k))
            })
        };
    }
    getters! { book, KthreadCall;
        /// Whether the call has returned.
        "done: bool" => |c: &mut KthreadCall| c.noted().is_some_and(|c| c.result.is_some());
        /// What it returned; an error while it has not.
        "value: int" => |c: &mut KthreadCall| c.value();
        /// The kernel thread.
        "task: Task" => |c: &mut KthreadCall| c.thread.clone();
    }
}

fn function(book: &mut Book) {
    functions! { book;
        /// A kernel thread looks whether it was asked to stop.
        "kthread_should_stop(k: Task) -> bool" => |ctx: Ctx, k: &mut Task| {
            flag(&ctx, k, KthreadFlags::SHOULD_STOP)
        };
        /// A kernel thread looks whether it was asked to park.
        "kthread_should_park(k: Task) -> bool" => |ctx: Ctx, k: &mut Task| {
            flag(&ctx, k, KthreadFlags::SHOULD_PARK)
        };
        /// A kernel thread parks (P), if it was asked to.
        "kthread_parkme(k: Task)" => |ctx: Ctx, k: &mut Task| play(&ctx, k, kthread::kthread_parkme);
        /// A kernel thread ends, with a result for kthread_stop.
        "kthread_exit(k: Task, result: int)" => |ctx: Ctx, k: &mut Task, result: INT| {
            play(&ctx, k, |sys, k| kthread::kthread_exit(sys, k, result as i32))
        };
        /// A kernel thread says how it will sleep in its next `schedule`:
        /// TASK_INTERRUPTIBLE, TASK_UNINTERRUPTIBLE, TASK_KILLABLE, TASK_IDLE; or,
        /// with TASK_RUNNING, that it will not.
        "set_current_state(k: Task, state: Flags)" => |ctx: Ctx, k: &mut Task, s: Flags| {
            let s = state(&ctx, &s)?;
            play(&ctx, k, |sys, k| kthread::set_current_state(sys, k, s))
        };
        /// A kernel thread gives its processor away. It sleeps if its state says so.
        "schedule(k: Task)" => |ctx: Ctx, k: &mut Task| play(&ctx, k, kthread::schedule);
    }
}

fn queues(book: &mut Book) {
    functions! { book;
        /// A new wait queue for kernel threads.
        "wait_queue(m: Machine) -> WaitQueue" => |m: &mut Machine| -> Raised<WaitQueue> {
            room(m, |sys| sys.kernel.wait_queues.len(), "wait queues")?;
            let id = m.write(|sys| sys.kernel.wait_queues.insert(WaitQueueHead::default()));
            Ok(WaitQueue(m.clone(), id))
        };
        /// A kernel thread goes onto a queue and sets its state; it sleeps when it
        /// calls `schedule`.
        "prepare_to_wait(k: Task, q: WaitQueue, state: Flags)" =>
            |ctx: Ctx, k: &mut Task, q: WaitQueue, s: Flags| prepare(&ctx, k, &q, &s, false);
        /// The same at the end of the queue, as one of those of whom a wake-up
        /// reaches only one.
        "prepare_to_wait_exclusive(k: Task, q: WaitQueue, state: Flags)" =>
            |ctx: Ctx, k: &mut Task, q: WaitQueue, s: Flags| prepare(&ctx, k, &q, &s, true);
        /// A kernel thread goes on: TASK_RUNNING, and off the queue.
        "finish_wait(k: Task, q: WaitQueue)" => |ctx: Ctx, k: &mut Task, q: WaitQueue| {
            together(&ctx, k.machine(), &q.0)?;
            play(&ctx, k, |sys, k| kthread::finish_wait(sys, k, q.1))
        };
        /// Wakes all who share and one exclusive waiter; how many were woken.
        "wake_up(m: Machine, q: WaitQueue) -> int" =>
            |ctx: Ctx, m: &mut Machine, q: WaitQueue| wake(&ctx, m, &q, NORMAL, 1);
        /// The same with so many exclusive waiters.
        "wake_up_nr(m: Machine, q: WaitQueue, nr: int) -> int" =>
            |ctx: Ctx, m: &mut Machine, q: WaitQueue, nr: INT| {
                wake(&ctx, m, &q, NORMAL, usize::try_from(nr).unwrap_or(0))
            };
        /// Wakes all.
        "wake_up_all(m: Machine, q: WaitQueue) -> int" =>
            |ctx: Ctx, m: &mut Machine, q: WaitQueue| wake(&ctx, m, &q, NORMAL, usize::MAX);
        /// As wake_up, but only those in TASK_INTERRUPTIBLE.
        "wake_up_interruptible(m: Machine, q: WaitQueue) -> int" =>
            |ctx: Ctx, m: &mut Machine, q: WaitQueue| {
                wake(&ctx, m, &q, TaskState::INTERRUPTIBLE, 1)
            };
        /// A new completion for kernel threads, not done.
        "completion(m: Machine) -> Completion" => |m: &mut Machine| -> Raised<CompletionHandle> {
            room(m, |sys| sys.kernel.completions.len(), "completions")?;
            let new = Completion { owner: CompletionOwner::Static, ..Completion::default() };
            let id = m.write(|sys| sys.kernel.completions.insert(new));
            Ok(CompletionHandle(m.clone(), id))
        };
        /// A kernel thread waits (D) until a completion is done, and takes one of it.
        "wait_for_completion(k: Task, c: Completion)" =>
            |ctx: Ctx, k: &mut Task, c: CompletionHandle| {
                wait_for(&ctx, k, &c, TaskState::UNINTERRUPTIBLE)
            };
        /// The same in TASK_KILLABLE: a fatal signal would end it, if a kernel thread
        /// got any.
        "wait_for_completion_killable(k: Task, c: Completion)" =>
            |ctx: Ctx, k: &mut Task, c: CompletionHandle| {
                wait_for(&ctx, k, &c, TaskState::KILLABLE)
            };
        /// Takes one of a completion if it is done; whether it was.
        "try_wait_for_completion(k: Task, c: Completion) -> bool" =>
            |ctx: Ctx, k: &mut Task, c: CompletionHandle| {
                together(&ctx, k.machine(), &c.0)?;
                play(&ctx, k, |sys, k| {
                    kthread::enter(sys, k)?;
                    kthread::try_wait_for_completion(sys, c.1)
                })
            };
        /// Marks a completion done once, and wakes the one who waits longest.
        "complete(m: Machine, c: Completion)" => |ctx: Ctx, m: &mut Machine, c: CompletionHandle| {
            together(&ctx, m, &c.0)?;
            act(&ctx, m, |sys| kthread::complete(sys, c.1))
        };
        /// Marks a completion done for good, and wakes all.
        "complete_all(m: Machine, c: Completion)" =>
            |ctx: Ctx, m: &mut Machine, c: CompletionHandle| {
                together(&ctx, m, &c.0)?;
                act(&ctx, m, |sys| kthread::complete_all(sys, c.1))
            };
    }
    getters! { book, WaitQueue;
        /// Who is on it, in the order in which a wake-up reaches them.
        "waiters: array" => |q: &mut WaitQueue| waiters(&q.0, |sys| sys.kernel.wait_queues.get(q.1));
    }
    getters! { book, CompletionHandle;
        /// How many can go on without waiting; 4294967295 when it is done for good.
        "done: int" => |c: &mut CompletionHandle| {
            c.0.read(|sys| sys.kernel.completions.get(c.1).map_or(0, |c| INT::from(c.done)))
        };
        /// Who waits, longest first.
        "waiters: array" => |c: &mut CompletionHandle| {
            waiters(&c.0, |sys| sys.kernel.completions.get(c.1).map(|c| &c.wait))
        };
    }
}
