//! Kernel threads: asked of kthreadd, made by it, without an address space.
//!
//! ```text
//!  kthread_create          kthreadd (pid 2)             the new thread
//!  --------------          ----------------             --------------
//!  kthread_create_list <-  request
//!  wake_up_process ------> create_kthread
//!  waits for `done`          kernel_clone ------------> kthread()
//!           <------------------------------ complete(done), sleeps (D)
//!  wake_up_process --------------------------------->   its function begins
//! ```
//!
//! The function itself is the director's: it makes the thread call what a
//! function in the kernel can call (`sleep`), until `kthread_exit`. The asking
//! side is the director too, who is no task; what it still waits for is noted
//! in `kthread_callers`.
//!
//! Linux: kernel/kthread.c (kthread_create_on_node, kthreadd, create_kthread,
//! kthread, kthread_exit), include/linux/kthread.h.
//! Left out: NUMA nodes, kthread_bind and per-processor threads, workers,
//! kthread_use_mm, names longer than comm, allow_signal.

mod sleep;
mod stop;

pub use sleep::{
    complete, complete_all, completion_done, finish_wait, prepare_to_wait, schedule,
    set_current_state, try_wait_for_completion, wait_for_completion, wake_up_queue,
};
pub use stop::{exited, kthread_park, kthread_parkme, kthread_stop, kthread_unpark};

use crate::abi::{CloneFlags, Errno};
use crate::kernel::error::{Stop, SysError};
use crate::kernel::exit::do_exit;
use crate::kernel::fork::{KernelCloneArgs, kernel_clone};
use crate::kernel::list;
use crate::kernel::sched::core as sched;
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskList, TaskState};
use crate::kernel::wait_queue::CompletionId;
use bitflags::bitflags;

bitflags! {
    /// `kthread->flags`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct KthreadFlags: u32 {
        /// KTHREAD_SHOULD_STOP. With it goes TIF_NOTIFY_SIGNAL: interruptible
        /// sleeps end at once.
        const SHOULD_STOP = 1 << 1;
        /// KTHREAD_SHOULD_PARK.
        const SHOULD_PARK = 1 << 2;
    }
}

/// Where a kernel thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum At {
    /// In a function of this kernel: kthreadd.
    #[default]
    Kernel,
    /// In `kthread()`, before its function.
    Start,
    /// In its function, which the director plays.
    Function,
    /// In `kthread_parkme`.
    Park,
    /// In `wait_for_completion`, in a sleep of this kind.
    Completion(CompletionId, TaskState),
}

/// `struct kthread`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kthread {
    /// What is asked of it.
    pub flags: KthreadFlags,
    /// Where it is.
    pub at: At,
    /// What `kthread_stop` gives.
    pub result: i32,
}

/// A request on `kthread_create_list` (`struct kthread_create_info`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KthreadCreateInfo {
    /// The name of the new thread.
    pub name: String,
    /// The answer, once there is one: what `done` stands for.
    pub result: Option<Result<TaskId, SysError>>,
}

/// What a caller outside waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asks {
    /// `kthread_stop`: that the thread exits (`kthread->exited`). Holds a
    /// reference to the task_struct.
    Stop,
    /// `kthread_park`: that it is parked (`kthread->parked`).
    Park,
}

/// The director in a call that waits for a kernel thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KthreadCaller {
    /// The thread.
    pub kthread: TaskId,
    /// What for.
    pub asks: Asks,
    /// What the call returned, once it has.
    pub result: Option<i32>,
}

/// Why something cannot be done with a task: mistakes that Linux would not
/// survive, or that nobody there could make.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// It was freed.
    #[error("the task no longer exists")]
    Gone,
    /// It has a user mode.
    #[error("task {0} ({1}) is not a kernel thread")]
    UserTask(i32, String),
    /// Its function is not the director's.
    #[error("task {0} ({1}) runs a function of the kernel, not one of this script")]
    OfTheKernel(i32, String),
    /// It is dead.
    #[error("task {0} ({1}) is dead")]
    Dead(i32, String),
    /// Its function has not begun.
    #[error("task {0} ({1}) sleeps (D) until it is woken for the first time")]
    NotStarted(i32, String),
    /// It sleeps.
    #[error("task {0} ({1}) sleeps ({2}) in {3}")]
    Asleep(i32, String, char, &'static str),
    /// It would take a place on a queue with it.
    #[error("task {0} ({1}) is still on a wait queue")]
    OnQueue(i32, String),
    /// It would go to sleep in a state from which nothing wakes it, or none.
    #[error("{0:?} is not a state to sleep in")]
    NoSleep(TaskState),
    /// Two callers, one completion.
    #[error("task {0} ({1}) is being stopped by another call")]
    StopTwice(i32, String),
    /// A queue or completion that an undo has taken away.
    #[error("it is not part of this machine any more: it was made after the state restored")]
    NoObject,
}

fn kthreadd(sys: &System) -> Option<TaskId> {
    let children = sys.task(sys.kernel.init_task).children;
    list::iter(&sys.kernel.tasks, children, TaskList::Sibling)
        .find(|t| sys.task(*t).flags.contains(PF::KTHREAD))
}

/// Asks kthreadd for a thread and waits until it is made. It sleeps until it
/// is woken for the first time.
///
/// Errors: those of `copy_process`.
/// Source: `kthread_create_on_node`.
pub fn kthread_create(sys: &mut System, name: &str) -> Result<TaskId, SysError> {
    let request = KthreadCreateInfo { name: name.to_string(), result: None };
    sys.kernel.kthread_create_list.push_back(request);
    let Some(daemon) = kthreadd(sys) else {
        sys.kernel.kthread_create_list.pop_back();
        return Err(SysError::new(Errno::EINTR, "kthread_create_on_node", "there is no kthreadd"));
    };
    sched::wake_up_process(sys, daemon);
    run_kthreadd(sys, daemon);
    let no_answer =
        || SysError::new(Errno::EINTR, "kthread_create_on_node", "kthreadd did not answer");
    let request = sys.kernel.kthread_create_list.pop_back();
    request.and_then(|r| r.result).unwrap_or_else(|| Err(no_answer()))
}

/// The loop of kthreadd, until it sleeps again.
fn run_kthreadd(sys: &mut System, daemon: TaskId) {
    sys.log.enter("kthreadd");
    switch_to(sys, daemon);
    while let Some(i) = sys.kernel.kthread_create_list.iter().position(|r| r.result.is_none()) {
        let name = sys.kernel.kthread_create_list[i].name.clone();
        let result = create_kthread(sys, daemon, &name);
        sys.kernel.kthread_create_list[i].result = Some(result);
    }
    switch_to(sys, daemon);
    sys.log.leave("kthreadd");
    sleep_in(sys, daemon, TaskState::INTERRUPTIBLE);
}

fn create_kthread(sys: &mut System, daemon: TaskId, name: &str) -> Result<TaskId, SysError> {
    let args = KernelCloneArgs {
        flags: CloneFlags::CLONE_VM
            | CloneFlags::CLONE_UNTRACED
            | CloneFlags::CLONE_FS
            | CloneFlags::CLONE_FILES,
        exit_signal: 17,
        kthread: true,
        ..KernelCloneArgs::default()
    };
    sys.kernel.new_task = None;
    match kernel_clone(sys, daemon, &args) {
        Ok(_) => {}
        Err(Stop::Error(e)) => return Err(e),
        Err(Stop::Block(_) | Stop::NoReturn) => {
            let why = "making a kernel thread does not sleep";
            return Err(SysError::new(Errno::EINTR, "create_kthread", why));
        }
    }
    // Not a task that a system call made.
    sys.kernel.born.retain(|(creator, _)| *creator != daemon);
    let Some((new, _)) = sys.kernel.new_task.take() else {
        return Err(SysError::new(Errno::ENOMEM, "create_kthread", "no thread was made"));
    };
    kthread(sys, new, name);
    Ok(new)
}

/// The beginning of a new thread: it says that it is there, and sleeps.
fn kthread(sys: &mut System, new: TaskId, name: &str) {
    let t = sys.task_mut(new);
    t.thread.ret_from_fork = false;
    t.set_comm(name);
    if let Some(k) = &mut t.kthread {
        k.at = At::Start;
    }
    switch_to(sys, new);
    sleep_in(sys, new, TaskState::UNINTERRUPTIBLE);
}

/// A thread that was woken goes on in the function of the kernel in which it
/// slept. One that slept in its own function has nothing to do here.
pub fn go_on(sys: &mut System, task: TaskId) {
    let Some(k) = &sys.task(task).kthread else { return };
    match k.at {
        At::Kernel | At::Function => {}
        At::Start => {
            let stop = k.flags.contains(KthreadFlags::SHOULD_STOP);
            let park = k.flags.contains(KthreadFlags::SHOULD_PARK);
            switch_to(sys, task);
            set_at(sys, task, At::Function);
            if stop {
                // Its function is never called.
                exit(sys, task, Errno::EINTR.to_ret() as i32);
            } else if park {
                stop::park(sys, task);
            }
        }
        At::Park => {
            switch_to(sys, task);
            stop::park(sys, task);
        }
        At::Completion(id, state) => {
            switch_to(sys, task);
            sleep::wait_for_common(sys, task, id, state);
        }
    }
}

/// Whether a wake-up gives the thread something to do by itself.
pub fn goes_on(k: &Kthread) -> bool {
    matches!(k.at, At::Start | At::Park | At::Completion(..))
}

/// Ends the thread with a result for who stops it.
///
/// Errors: it cannot act, or a wait queue would keep a pointer into the stack
/// that is freed.
/// Source: `kthread_exit`.
pub fn kthread_exit(sys: &mut System, task: TaskId, result: i32) -> Result<(), Misuse> {
    enter(sys, task)?;
    if sys.kernel.wait_queues.iter().any(|(_, q)| q.entries.iter().any(|e| e.task == task)) {
        let t = sys.task(task);
        return Err(Misuse::OnQueue(t.pid, t.comm()));
    }
    exit(sys, task, result);
    Ok(())
}

fn exit(sys: &mut System, task: TaskId, result: i32) {
    sys.task_mut(task).__state = TaskState::RUNNING;
    if let Some(k) = &mut sys.task_mut(task).kthread {
        k.result = result;
    }
    do_exit(sys, task, 0);
}

/// The director acts for a thread: it must be in its function and awake. It
/// gets its processor.
///
/// Errors: it cannot act now.
pub fn enter(sys: &mut System, task: TaskId) -> Result<(), Misuse> {
    let k = of(sys, task)?.at;
    let t = sys.task(task);
    let (pid, comm) = (t.pid, t.comm());
    let asleep = |place| Err(Misuse::Asleep(pid, comm.clone(), t.state_char(), place));
    match k {
        At::Start => return Err(Misuse::NotStarted(pid, comm)),
        At::Park => return asleep("kthread_parkme"),
        At::Completion(..) => return asleep("wait_for_completion"),
        At::Function if !t.on_rq => return asleep("schedule"),
        At::Function | At::Kernel => {}
    }
    if sys.task(task).throttled {
        sched::unthrottle(sys, task);
    }
    switch_to(sys, task);
    Ok(())
}

/// The `struct kthread` of a thread that the director made and that lives.
///
/// Errors: it is another kind of task.
pub fn of(sys: &System, task: TaskId) -> Result<&Kthread, Misuse> {
    let t = sys.kernel.tasks.get(task).ok_or(Misuse::Gone)?;
    if !t.flags.contains(PF::KTHREAD) {
        return Err(Misuse::UserTask(t.pid, t.comm()));
    }
    match &t.kthread {
        Some(k) if k.at == At::Kernel => Err(Misuse::OfTheKernel(t.pid, t.comm())),
        Some(_) if t.is_dead() || t.flags.contains(PF::EXITING) => {
            Err(Misuse::Dead(t.pid, t.comm()))
        }
        Some(k) => Ok(k),
        None => Err(Misuse::OfTheKernel(t.pid, t.comm())),
    }
}

fn set_at(sys: &mut System, task: TaskId, at: At) {
    if let Some(k) = &mut sys.task_mut(task).kthread {
        k.at = at;
    }
}

/// The processor goes to the thread. In the kernel there is no way back to
/// user mode to take.
fn switch_to(sys: &mut System, task: TaskId) {
    let cpu = sys.task(task).cpu;
    sched::context_switch(sys, cpu, task);
}

/// The running thread sleeps in a state.
fn sleep_in(sys: &mut System, task: TaskId, state: TaskState) {
    sys.task_mut(task).__state = state;
    let cpu = sys.task(task).cpu;
    sched::deactivate_task(sys, task);
    sched::schedule(sys, cpu);
}

#[cfg(test)]
mod tests;
