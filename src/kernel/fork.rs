//! fork(2), vfork(2), clone(2), clone3(2): making a task from a task.
//!
//! `copy_process` fills a draft step by step in Linux's order. The draft is in
//! no list, so nobody sees it; only when every step has succeeded is it
//! attached. If a step fails, `bad_fork` undoes those before it, newest first.
//!
//! ```text
//! kernel_clone
//!   copy_process
//!     clone_check           flags that contradict each other
//!     dup_task_struct       task_struct and kernel stack
//!     copy_creds            shared by threads, else copied; RLIMIT_NPROC
//!     sched_fork
//!     copy_{semundo,files,fs,sighand,signal,mm,namespaces,io}
//!     copy_thread           pt_regs with ax = 0: fork returns twice
//!     alloc_pid
//!     attach                visible from here on
//!   wake_up_new_task
//!   CLONE_VFORK: wait_for_vfork_done
//! ```
//!
//! Linux: kernel/fork.c (kernel_clone, copy_process, mm_release),
//! arch/x86/kernel/process.c (copy_thread, ret_from_fork).
//! Left out: perf, audit, io_uring workers.

mod attach;
mod copy;
mod release;

pub use release::{free_task, mm_release};

use crate::abi::ptrace::PtraceEvent;
use crate::abi::structs::CloneArgs;
use crate::abi::{CloneFlags, Errno};
use crate::kernel::clone_check::{self, Creator};
use crate::kernel::cred::{self, CredId};
use crate::kernel::entry;
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::fs::{FileId, FilesId, FsId};
use crate::kernel::inject::should_fail;
use crate::kernel::mm::{MmId, lifetime, uaccess, vmalloc};
use crate::kernel::nsproxy::{self, NsproxyId};
use crate::kernel::pid::{self, PidId};
use crate::kernel::pid_namespace::PidNsId;
use crate::kernel::ptrace::TrapAt;
use crate::kernel::ptrace::event::{ptrace_event_enabled, ptrace_event_pid};
use crate::kernel::ptrace::stop::{back_from_stop, trap_at};
use crate::kernel::sched::core as sched;
use crate::kernel::signal::{SighandId, SignalFlags, SignalId};
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId};
use crate::kernel::wait_queue::{Completion, CompletionId, Wait, WaitOn};
use crate::kernel::{cgroup, fs, signal, user};
use crate::traced;

/// `struct kernel_clone_args`: what every way of making a task comes down to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KernelCloneArgs {
    /// `CLONE_*`.
    pub flags: CloneFlags,
    /// Where the pidfd goes; 0 for nowhere, unless a program says so.
    pub pidfd: u64,
    /// Whether the arguments are a program's: NULL is an address then.
    pub raw: bool,
    /// For CHILD_SETTID and CHILD_CLEARTID.
    pub child_tid: u64,
    /// For PARENT_SETTID.
    pub parent_tid: u64,
    /// Signal at exit. Legacy clone passes any low byte.
    pub exit_signal: i32,
    /// Initial stack pointer (the highest address); 0 for the creator's.
    pub stack: u64,
    /// TLS base.
    pub tls: u64,
    /// Wanted pids.
    pub set_tid: Vec<i32>,
    /// Descriptor for CLONE_INTO_CGROUP.
    pub cgroup: i32,
    /// Makes a kernel thread: no mm, no user mode.
    pub kthread: bool,
    /// Makes the idle task of this processor: no pid, in no list.
    pub idle: Option<u32>,
}

impl KernelCloneArgs {
    /// fork(2).
    pub fn fork() -> Self {
        KernelCloneArgs { exit_signal: SIGCHLD, ..Self::default() }
    }

    /// vfork(2).
    pub fn vfork() -> Self {
        KernelCloneArgs { flags: CloneFlags::CLONE_VFORK | CloneFlags::CLONE_VM, ..Self::fork() }
    }

    /// clone3(2), after its checks.
    pub fn from_clone3(a: &CloneArgs) -> Self {
        KernelCloneArgs {
            flags: CloneFlags::from_bits_truncate(a.flags),
            pidfd: a.pidfd,
            child_tid: a.child_tid,
            parent_tid: a.parent_tid,
            exit_signal: a.exit_signal as i32,
            stack: a.stack.wrapping_add(a.stack_size),
            tls: a.tls,
            set_tid: a.set_tid.clone(),
            cgroup: a.cgroup as i32,
            raw: false,
            kthread: false,
            idle: None,
        }
    }
}

const SIGCHLD: i32 = 17;

/// Makes a task, starts it, and for CLONE_VFORK waits until it has released
/// the mm. Returns the child's pid as the creator sees it.
///
/// Errors: those of [`copy_process`]. Blocks (killable) for CLONE_VFORK.
/// Source: kernel/fork.c `kernel_clone`.
pub fn kernel_clone(sys: &mut System, current: TaskId, args: &KernelCloneArgs) -> SysResult {
    if let Some(TrapAt::Clone(nr, vfork)) = trap_at(sys, current) {
        back_from_stop(sys, current);
        return vfork.map_or(Ok(nr), |id| wait_for_vfork_done(sys, current, id, nr));
    }
    if let Some(TrapAt::VforkDone(nr)) = trap_at(sys, current) {
        back_from_stop(sys, current);
        return Ok(nr);
    }
    if let Some((id, nr)) = vfork_wait(sys, current) {
        return wait_for_vfork_done(sys, current, id, nr);
    }
    let event = clone_event(sys, current, args);
    let (p, pidfd) = traced!(sys, copy_process(current, args, event.is_some()))?;
    let ns = pid::task_active_pid_ns(sys, current);
    let nr = sys.task(p).thread_pid.map_or(0, |id| pid::pid_nr_ns(sys, id, ns));
    sys.kernel.new_task = Some((p, pidfd));
    sys.kernel.born.push((current, p));
    if args.flags.contains(CloneFlags::CLONE_PARENT_SETTID) {
        // A bad address is not an error: Linux ignores put_user's result here.
        let _ = uaccess::put_user_u32(sys, current, args.parent_tid, nr as u32);
    }
    let vfork = args.flags.contains(CloneFlags::CLONE_VFORK);
    let mut completion = None;
    if vfork {
        let id = sys.kernel.completions.insert(Completion::default());
        sys.task_mut(p).vfork_done = Some(id);
        completion = Some(id);
    }
    traced!(sys, sched::wake_up_new_task(p));
    let nr = i64::from(nr);
    if let Some(event) = event {
        let pid = sys.task(p).thread_pid;
        if ptrace_event_pid(sys, current, event, pid, TrapAt::Clone(nr, completion)) {
            // It may sleep for its vfork child next, in the same call.
            sys.kernel.note = nr as u64;
            return Err(Stop::Block(Wait::traced()));
        }
    }
    completion.map_or(Ok(nr), |id| wait_for_vfork_done(sys, current, id, nr))
}

/// The event of making a task this way, if the creator's tracer wants it: it
/// will trace the new task too.
fn clone_event(sys: &System, current: TaskId, args: &KernelCloneArgs) -> Option<PtraceEvent> {
    if args.flags.contains(CloneFlags::CLONE_UNTRACED) || args.kthread {
        return None;
    }
    let event = if args.flags.contains(CloneFlags::CLONE_VFORK) {
        PtraceEvent::Vfork
    } else if args.exit_signal != SIGCHLD {
        PtraceEvent::Clone
    } else {
        PtraceEvent::Fork
    };
    ptrace_event_enabled(sys, current, event).then_some(event)
}

/// The vfork in which the creator sleeps, and its child's number.
fn vfork_wait(sys: &System, current: TaskId) -> Option<(CompletionId, i64)> {
    let resume = sys.task(current).resume.as_deref()?;
    let WaitOn::Vfork(id) = resume.wait.on else { return None };
    Some((id, resume.note as i64))
}

/// Waits until the child of a vfork has released the address space, or the
/// creator is killed.
fn wait_for_vfork_done(sys: &mut System, current: TaskId, id: CompletionId, nr: i64) -> SysResult {
    let done = sys.kernel.completions.get(id).is_none_or(|c| c.done > 0);
    if !done && !sys.task(current).fatal_signal_pending() {
        sys.kernel.note = nr as u64;
        return Err(Stop::Block(Wait::killable(WaitOn::Vfork(id))));
    }
    // The creator is being killed: the child must not complete into the void.
    let child = sys.kernel.tasks.iter().find(|(_, t)| t.vfork_done == Some(id)).map(|(i, _)| i);
    if let Some(child) = child.filter(|_| !done) {
        sys.task_mut(child).vfork_done = None;
    }
    sys.kernel.completions.free(id);
    // The child may be reaped already: its number then means nobody.
    let pid = pid::find_vpid(sys, current, nr as i32);
    let event = PtraceEvent::VforkDone;
    if done && ptrace_event_pid(sys, current, event, pid, TrapAt::VforkDone(nr)) {
        return Err(Stop::Block(Wait::traced()));
    }
    Ok(nr)
}

/// A step of [`copy_process`] that `bad_fork` can undo, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    TaskStruct,
    Creds,
    Files,
    Fs,
    Sighand,
    Signal,
    Mm,
    Namespaces,
    Pid,
    Pidfd,
    Cgroup,
}

const UNDO_ORDER: [Step; 11] = [
    Step::Cgroup,
    Step::Pidfd,
    Step::Pid,
    Step::Namespaces,
    Step::Mm,
    Step::Signal,
    Step::Sighand,
    Step::Fs,
    Step::Files,
    Step::Creds,
    Step::TaskStruct,
];

/// A task being made: what the steps so far have acquired for it.
struct Draft {
    /// The task_struct, in no list yet.
    p: TaskId,
    files: Option<FilesId>,
    fs: Option<FsId>,
    sighand: Option<SighandId>,
    signal: Option<SignalId>,
    mm: Option<MmId>,
    nsproxy: Option<NsproxyId>,
    pid: Option<PidId>,
    pidfd: Option<(i32, FileId)>,
    /// The group that is charged for it.
    cgroup: Option<cgroup::CgroupId>,
}

/// Makes a copy of `current` that is complete but not yet started.
///
/// Errors, in Linux's order: EINVAL of [`clone_check::check`]; ERESTARTNOINTR
/// (a signal is pending: fork is restarted after it); ENOMEM, EAGAIN
/// (RLIMIT_NPROC, threads-max, deadline, fs in exec, pids), ENOSPC, EPERM,
/// EMFILE, EBADF, EINTR. `trace`: the creator's tracer gets the child too.
/// Source: kernel/fork.c `copy_process`.
pub fn copy_process(
    sys: &mut System,
    current: TaskId,
    args: &KernelCloneArgs,
    trace: bool,
) -> Result<(TaskId, Option<i32>), SysError> {
    let flags = args.flags;
    clone_check::check(flags, args.pidfd, args.parent_tid, creator(sys, current))?;
    nommu_check(sys, args)?;
    // fork is a single point in time for signals: one that came before it is
    // handled first, by the creator alone.
    signal::pending::recalc_sigpending(sys, current);
    if sys.task(current).sigpending {
        return refuse(
            Errno::ERESTARTNOINTR,
            "copy_process",
            "a signal is pending: it is handled first and the call starts again",
        );
    }
    let p = traced!(sys, copy::dup_task_struct(current, args))?;
    let mut draft = Draft {
        p,
        files: None,
        fs: None,
        sighand: None,
        signal: None,
        mm: None,
        nsproxy: None,
        pid: None,
        pidfd: None,
        cgroup: None,
    };
    match copy_all(sys, current, args, &mut draft) {
        Ok(()) => {
            let pidfd = draft.pidfd.map(|(fd, _)| fd);
            let trace = trace || flags.contains(CloneFlags::CLONE_PTRACE);
            attach::attach(sys, current, args, draft, trace);
            Ok((p, pidfd))
        }
        Err((reached, error)) => {
            bad_fork(sys, draft, reached);
            Err(error)
        }
    }
}

/// The steps after dup_task_struct. An error names the last step that had
/// succeeded.
fn copy_all(
    sys: &mut System,
    current: TaskId,
    args: &KernelCloneArgs,
    d: &mut Draft,
) -> Result<(), (Step, SysError)> {
    let flags = args.flags;
    let p = d.p;
    let at = |step: Step| move |e: SysError| (step, e);

    copy_creds(sys, current, flags, p).map_err(at(Step::TaskStruct))?;
    check_limits(sys, current, p).map_err(at(Step::Creds))?;
    traced!(sys, sched::sched_fork(p)).map_err(at(Step::Creds))?;
    traced!(sys, copy::copy_semundo(flags, current, p)).map_err(at(Step::Creds))?;
    d.files = traced!(sys, copy::copy_files(flags, current, p)).map_err(at(Step::Creds))?;
    d.fs = traced!(sys, copy::copy_fs(flags, current, p)).map_err(at(Step::Files))?;
    d.sighand = Some(traced!(sys, copy::copy_sighand(flags, current, p)).map_err(at(Step::Fs))?);
    d.signal = Some(traced!(sys, copy::copy_signal(flags, current, p)).map_err(at(Step::Sighand))?);
    d.mm = traced!(sys, copy::copy_mm(flags, current, p)).map_err(at(Step::Signal))?;
    let child_cred = sys.task(p).cred;
    let ns =
        traced!(sys, nsproxy::copy_namespaces(flags, current, child_cred)).map_err(at(Step::Mm))?;
    d.nsproxy = Some(ns);
    sys.task_mut(p).nsproxy = Some(ns);
    traced!(sys, copy::copy_io(flags, current, p)).map_err(at(Step::Namespaces))?;
    traced!(sys, copy::copy_thread(current, args, p)).map_err(at(Step::Namespaces))?;
    if args.idle.is_none() {
        let ns = sys.kernel.nsproxies[ns].pid_ns_for_children;
        let id = traced!(sys, pid::alloc_pid(current, ns, &args.set_tid))
            .map_err(at(Step::Namespaces))?;
        d.pid = Some(id);
        if flags.contains(CloneFlags::CLONE_PIDFD) {
            d.pidfd = Some(copy::prepare_pidfd(sys, current, args, id).map_err(at(Step::Pid))?);
        }
        d.cgroup =
            Some(traced!(sys, copy::cgroup_can_fork(current, args)).map_err(at(Step::Pidfd))?);
        last_points_of_failure(sys, current, id).map_err(at(Step::Cgroup))?;
    }
    Ok(())
}

/// Undoes the steps up to `reached`, newest first: Linux's ladder of
/// `bad_fork_*` labels.
fn bad_fork(sys: &mut System, d: Draft, reached: Step) {
    sys.log.enter("bad_fork");
    let p = d.p;
    for step in UNDO_ORDER.into_iter().filter(|s| *s <= reached) {
        match step {
            Step::Cgroup => {
                if let Some(id) = d.cgroup {
                    traced!(sys, cgroup::cgroup_cancel_fork(id));
                }
            }
            Step::Pidfd => {
                if let Some((_, file)) = d.pidfd {
                    traced!(sys, fs::file::fput(file));
                }
            }
            Step::Pid => {
                if let Some(id) = d.pid {
                    traced!(sys, pid::free_pid(id));
                }
            }
            Step::Namespaces => {
                if let Some(ns) = d.nsproxy {
                    traced!(sys, nsproxy::put_nsproxy(ns));
                }
            }
            Step::Mm => {
                if let Some(mm) = d.mm {
                    traced!(sys, lifetime::mmput(mm));
                }
            }
            Step::Signal => traced!(sys, copy::free_signal_struct(d.signal)),
            Step::Sighand => traced!(sys, copy::__cleanup_sighand(d.sighand)),
            Step::Fs => {
                if let Some(fs) = d.fs {
                    traced!(sys, fs::fs_struct::put_fs_struct(fs));
                }
            }
            Step::Files => {
                if let Some(files) = d.files {
                    traced!(sys, fs::fdtable::put_files_struct(files));
                }
            }
            Step::Creds => user::dec_nproc_of(sys, p),
            Step::TaskStruct => {
                if let Some(stack) = sys.task_mut(p).stack.take() {
                    traced!(sys, vmalloc::free_thread_stack(stack));
                }
            }
        }
    }
    if reached >= Step::Creds {
        traced!(sys, cred::exit_creds(p));
    }
    sys.kernel.tasks.free(p);
    sys.log.leave("bad_fork");
}

/// Credentials of the child: shared by a thread, else a copy.
fn copy_creds(
    sys: &mut System,
    current: TaskId,
    flags: CloneFlags,
    p: TaskId,
) -> Result<(), SysError> {
    should_fail(sys, "copy_creds")?;
    let new: CredId = traced!(sys, cred::copy_creds(current, flags))?;
    let t = sys.task_mut(p);
    t.real_cred = new;
    t.cred = new;
    let user = sys.kernel.creds[new].user;
    user::inc_nproc(sys, user);
    Ok(())
}

/// RLIMIT_NPROC and threads-max.
fn check_limits(sys: &mut System, current: TaskId, p: TaskId) -> Result<(), SysError> {
    use crate::abi::numbers::RLIMIT_NPROC;
    let child_cred = sys.task(p).real_cred;
    if user::fork_exceeds_nproc(sys, current, child_cred) {
        let user = &sys.kernel.users[sys.kernel.creds[child_cred].user];
        let (uid, n) = (user.uid, user.processes - 1);
        let limit = sys.signal(current).rlim[RLIMIT_NPROC as usize].cur;
        return Err(SysError::with(
            Errno::EAGAIN,
            "copy_process",
            format!(
                "RLIMIT_NPROC: uid {uid} has {n} tasks already (zombies count) and may have {limit}"
            ),
        ));
    }
    sys.task_mut(current).flags.remove(PF::NPROC_EXCEEDED);
    if sys.kernel.nr_threads >= sys.kernel.sysctl.threads_max {
        return Err(SysError::with(
            Errno::EAGAIN,
            "copy_process",
            format!("threads-max: the system has {} threads already", sys.kernel.nr_threads),
        ));
    }
    Ok(())
}

/// What can still go wrong when the task list is locked.
fn last_points_of_failure(sys: &System, current: TaskId, id: PidId) -> Result<(), SysError> {
    let ns: PidNsId = sys.kernel.pids[id].numbers.last().expect("a pid has a number").ns;
    if !sys.kernel.pid_namespaces[ns].adding {
        return refuse(Errno::ENOMEM, "copy_process", "the init of this pid namespace has died");
    }
    if sys.task(current).fatal_signal_pending() {
        return refuse(Errno::EINTR, "copy_process", "the creator is being killed");
    }
    Ok(())
}

/// What [`clone_check`] needs to know of the creator.
pub fn creator(sys: &System, current: TaskId) -> Creator {
    let t = sys.task(current);
    let children_ns = t.nsproxy.map(|n| sys.kernel.nsproxies[n].pid_ns_for_children);
    Creator {
        unkillable: t
            .signal
            .is_some_and(|s| sys.kernel.signals[s].flags.contains(SignalFlags::UNKILLABLE)),
        pid_ns_change_pending: children_ns
            .is_some_and(|n| n != pid::task_active_pid_ns(sys, current)),
    }
}

/// Without an MMU there is no copy-on-write, so only a child that shares the
/// address space can be made.
fn nommu_check(sys: &System, args: &KernelCloneArgs) -> Result<(), SysError> {
    if sys.machine.config.mmu || args.flags.contains(CloneFlags::CLONE_VM) || args.kthread {
        return Ok(());
    }
    refuse(
        Errno::EINVAL,
        "fork",
        "this machine has no MMU: memory cannot be copied on write, use vfork",
    )
}

/// Where a new task begins (`ret_from_fork`, `schedule_tail`): it stores its
/// tid if asked to, takes signals and enters user mode.
pub fn ret_from_fork(sys: &mut System, p: TaskId) {
    sys.task_mut(p).thread.ret_from_fork = false;
    let addr = sys.task(p).set_child_tid;
    if addr != 0 {
        let tid = pid::task_pid_vnr(sys, p);
        // As in schedule_tail, a bad address is nobody's error.
        let _ = uaccess::put_user_u32(sys, p, addr, tid as u32);
    }
    entry::exit_from_fork(sys, p);
}
