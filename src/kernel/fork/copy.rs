//! The steps of copy_process: each copies or shares one thing a task holds.
//!
//! Linux: kernel/fork.c (dup_task_struct, copy_files, copy_fs, copy_sighand,
//! copy_signal, copy_mm), ipc/sem.c (copy_semundo), block/blk-ioc.c (copy_io),
//! arch/x86/kernel/process.c (copy_thread), kernel/cgroup/cgroup.c.
//! Left out: what the members shared or copied are for.

use super::KernelCloneArgs;
use crate::abi::ptrace::PtraceFlags;
use crate::abi::{CloneFlags, Errno};
use crate::base::VirtAddr;
use crate::kernel::cgroup::{self, CgroupId};
use crate::kernel::entry::PT_REGS_OFFSET;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::{self, FileId, FileKind, FilesId, FsId};
use crate::kernel::inject::should_fail;
use crate::kernel::mm::{MmId, fork::dup_mm, layout, lifetime, uaccess, vmalloc};
use crate::kernel::nanosleep::RestartBlock;
use crate::kernel::pid::PidId;
use crate::kernel::sched::core::text;
use crate::kernel::signal::{
    SIG_DFL, SIG_IGN, SigAction, SigPending, SighandId, SignalFlags, SignalId, SignalStruct,
};
use crate::kernel::system::System;
use crate::kernel::task::{
    ListHead, ListLink, NR_TASK_LISTS, PF, STACK_END_MAGIC, TaskId, TaskState, TaskStruct,
    ThreadStruct,
};
use crate::kernel::wait_queue::WaitQueueHead;
use crate::machine::ptregs::{PT_REGS_WORDS, to_words};
use crate::machine::{Regs, Selectors};
use crate::traced;
use std::collections::BTreeMap;

/// Copies the task_struct and gives the copy a kernel stack of its own.
///
/// Errors: ENOMEM.
pub fn dup_task_struct(
    sys: &mut System,
    orig: TaskId,
    args: &KernelCloneArgs,
) -> Result<TaskId, SysError> {
    should_fail(sys, "dup_task_struct")?;
    let stack = traced!(sys, vmalloc::alloc_thread_stack())?;
    let canary = sys.kernel.rng.next_u64() & !0xff;
    let now = sys.machine.clock.now();
    let o = sys.task(orig);
    let flags = args.flags;
    let mut pf =
        (o.flags - (PF::SUPERPRIV | PF::IDLE | PF::KTHREAD | PF::NPROC_EXCEEDED)) | PF::FORKNOEXEC;
    pf.set(PF::KTHREAD, args.kthread || args.idle.is_some());
    pf.set(PF::IDLE, args.idle.is_some());
    // A thread with a stack of its own cannot use its creator's signal stack.
    let keep_altstack =
        !flags.contains(CloneFlags::CLONE_VM) || flags.contains(CloneFlags::CLONE_VFORK);
    let altstack = if keep_altstack {
        (o.sas_ss_sp, o.sas_ss_size, o.sas_ss_flags)
    } else {
        (0, 0, crate::abi::numbers::SS_DISABLE as u32)
    };
    let child_tid = |flag| if flags.contains(flag) { args.child_tid } else { 0 };
    let p = TaskStruct {
        __state: TaskState::NEW,
        stack: Some(stack),
        // One reference for being in the lists, one for the scheduler.
        usage: 2,
        flags: pf,
        ptrace: PtraceFlags::empty(),
        ptraced: ListHead::default(),
        ptracer_cred: None,
        ptrace_message: 0,
        syscall_trace: false,
        trap: None,
        on_cpu: false,
        cpu: args.idle.unwrap_or(o.cpu),
        on_rq: false,
        throttled: false,
        stepped: o.stepped,
        sched_class: o.sched_class,
        prio: o.prio,
        static_prio: o.static_prio,
        normal_prio: o.normal_prio,
        rt_priority: o.rt_priority,
        policy: o.policy,
        se: o.se.clone(),
        rt: o.rt,
        dl: None,
        sched_reset_on_fork: o.sched_reset_on_fork,
        cpus_mask: o.cpus_mask,
        mm: None,
        active_mm: None,
        exit_state: TaskState::RUNNING,
        exit_code: 0,
        exiting: None,
        exit_signal: args.exit_signal,
        pdeath_signal: 0,
        jobctl: 0,
        no_new_privs: o.no_new_privs,
        pid: 0,
        tgid: 0,
        stack_canary: canary,
        real_parent: orig,
        parent: orig,
        children: ListHead::default(),
        nr_children: 0,
        nr_clone_children: 0,
        sibling_seq: 0,
        next_child_seq: 0,
        notable_children: BTreeMap::new(),
        group_leader: o.group_leader,
        links: [ListLink::default(); NR_TASK_LISTS],
        cgroup: o.cgroup,
        thread_pid: None,
        vfork_done: None,
        set_child_tid: child_tid(CloneFlags::CLONE_CHILD_SETTID),
        clear_child_tid: child_tid(CloneFlags::CLONE_CHILD_CLEARTID),
        robust_list: 0,
        utime: 0,
        stime: 0,
        nvcsw: 0,
        nivcsw: 0,
        start_time: now,
        start_boottime: now,
        min_flt: 0,
        maj_flt: 0,
        real_cred: o.real_cred,
        cred: o.cred,
        comm: o.comm,
        fs: None,
        files: None,
        nsproxy: None,
        signal: None,
        sighand: None,
        blocked: o.blocked,
        saved_sigmask: None,
        pending: SigPending::default(),
        sigpending: false,
        need_resched: false,
        code: o.code,
        fpu: o.fpu.clone(),
        work: None,
        sas_ss_sp: altstack.0,
        sas_ss_size: altstack.1,
        sas_ss_flags: altstack.2,
        last_siginfo: None,
        parent_exec_id: o.parent_exec_id,
        self_exec_id: o.self_exec_id,
        sysvsem: None,
        io_context: None,
        personality: o.personality,
        timer_slack_ns: o.timer_slack_ns,
        // A child measures by what its creator had set.
        default_timer_slack_ns: o.timer_slack_ns,
        restart_block: RestartBlock::None,
        sigtimedwait: None,
        kthread: args.kthread.then(Box::default),
        thread: ThreadStruct { ret_from_fork: true, ..o.thread },
        regs: o.regs,
        orig_ax: o.orig_ax,
        resume: None,
        // The frames of its creator's handlers lie on its stack too.
        interrupted: o.interrupted.clone(),
        finished: Vec::new(),
    };
    let id = sys.kernel.tasks.insert(p);
    if args.idle.is_some() || !flags.contains(CloneFlags::CLONE_THREAD) {
        sys.task_mut(id).group_leader = id;
    }
    vmalloc::stack_write(sys, &stack, 0, STACK_END_MAGIC);
    Ok(id)
}

/// System V semaphore adjustments: shared with CLONE_SYSVSEM, else none.
pub fn copy_semundo(
    sys: &mut System,
    flags: CloneFlags,
    current: TaskId,
    p: TaskId,
) -> Result<(), SysError> {
    should_fail(sys, "copy_semundo")?;
    if !flags.contains(CloneFlags::CLONE_SYSVSEM) {
        sys.task_mut(p).sysvsem = None;
        return Ok(());
    }
    let list = match sys.task(current).sysvsem {
        Some(list) => list,
        None => {
            let list = sys.kernel.next_identity;
            sys.kernel.next_identity += 1;
            sys.task_mut(current).sysvsem = Some(list);
            list
        }
    };
    sys.task_mut(p).sysvsem = Some(list);
    Ok(())
}

/// Open files: one more user of the table, or a copy of it.
pub fn copy_files(
    sys: &mut System,
    flags: CloneFlags,
    current: TaskId,
    p: TaskId,
) -> Result<Option<FilesId>, SysError> {
    should_fail(sys, "copy_files")?;
    let Some(old) = sys.task(current).files else { return Ok(None) };
    let new = if flags.contains(CloneFlags::CLONE_FILES) {
        sys.kernel.files[old].count += 1;
        old
    } else {
        traced!(sys, fs::fdtable::dup_fd(old))?
    };
    sys.task_mut(p).files = Some(new);
    Ok(Some(new))
}

/// Root, working directory, umask: shared or copied.
///
/// Errors: EAGAIN when another task sharing it is in execve.
pub fn copy_fs(
    sys: &mut System,
    flags: CloneFlags,
    current: TaskId,
    p: TaskId,
) -> Result<Option<FsId>, SysError> {
    should_fail(sys, "copy_fs")?;
    let Some(old) = sys.task(current).fs else { return Ok(None) };
    let new = if flags.contains(CloneFlags::CLONE_FS) {
        if sys.kernel.fs[old].in_exec {
            return refuse(
                Errno::EAGAIN,
                "copy_fs",
                "CLONE_FS while a task that shares this fs_struct is in execve",
            );
        }
        sys.kernel.fs[old].users += 1;
        old
    } else {
        traced!(sys, fs::fs_struct::copy_fs_struct(old))?
    };
    sys.task_mut(p).fs = Some(new);
    Ok(Some(new))
}

/// Signal dispositions: shared, copied, or with handlers cleared.
pub fn copy_sighand(
    sys: &mut System,
    flags: CloneFlags,
    current: TaskId,
    p: TaskId,
) -> Result<SighandId, SysError> {
    should_fail(sys, "copy_sighand")?;
    let old = sys.task(current).sighand.expect("a running task has handlers");
    let new = if flags.contains(CloneFlags::CLONE_SIGHAND) {
        sys.kernel.sighands[old].count += 1;
        old
    } else {
        let mut copy = sys.kernel.sighands[old].clone();
        copy.count = 1;
        if flags.contains(CloneFlags::CLONE_CLEAR_SIGHAND) {
            for action in copy.actions_mut() {
                let handler = if action.handler == SIG_IGN { SIG_IGN } else { SIG_DFL };
                *action = SigAction { handler, ..SigAction::default() };
            }
        }
        sys.kernel.sighands.insert(copy)
    };
    sys.task_mut(p).sighand = Some(new);
    Ok(new)
}

/// What a thread group shares: the creator's for a thread (counted when it is
/// attached), else a fresh one with the creator's limits.
pub fn copy_signal(
    sys: &mut System,
    flags: CloneFlags,
    current: TaskId,
    p: TaskId,
) -> Result<SignalId, SysError> {
    should_fail(sys, "copy_signal")?;
    let old = sys.task(current).signal.expect("a running task has a signal_struct");
    let new = if flags.contains(CloneFlags::CLONE_THREAD) {
        old
    } else {
        let o = &sys.kernel.signals[old];
        let fresh = SignalStruct {
            sigcnt: 1,
            live: 1,
            nr_threads: 1,
            thread_head: ListHead::default(),
            wait_chldexit: WaitQueueHead::default(),
            curr_target: Some(p),
            shared_pending: SigPending::default(),
            group_exit_code: 0,
            group_exec_task: None,
            notify_count: 0,
            group_stop_count: 0,
            flags: SignalFlags::empty(),
            is_child_subreaper: false,
            has_child_subreaper: false,
            pids: [None; 4],
            leader: false,
            tty: None,
            tty_old_pgrp: None,
            rlim: o.rlim,
            dead_threads: Default::default(),
            children_usage: Default::default(),
            real_timer: Default::default(),
            watched: false,
            cpu_timers: Default::default(),
            posix_timers: Default::default(),
            oom_score_adj: o.oom_score_adj,
            oom_score_adj_min: o.oom_score_adj_min,
        };
        sys.kernel.signals.insert(fresh)
    };
    sys.task_mut(p).signal = Some(new);
    Ok(new)
}

/// Undoes [`copy_signal`] for a draft.
pub fn free_signal_struct(sys: &mut System, signal: Option<SignalId>) {
    // A thread's draft had not been counted yet; a process's own goes.
    if let Some(id) = signal
        && sys.kernel.signals[id].thread_head.first.is_none()
    {
        sys.kernel.signals.free(id);
    }
}

/// Drops a user of a disposition table (`__cleanup_sighand`).
pub fn __cleanup_sighand(sys: &mut System, sighand: Option<SighandId>) {
    let Some(id) = sighand else { return };
    let s = &mut sys.kernel.sighands[id];
    s.count -= 1;
    if s.count == 0 {
        sys.kernel.sighands.free(id);
    }
}

/// The address space: one more user, or a copy with both sides write-protected.
pub fn copy_mm(
    sys: &mut System,
    flags: CloneFlags,
    current: TaskId,
    p: TaskId,
) -> Result<Option<MmId>, SysError> {
    should_fail(sys, "copy_mm")?;
    // A kernel thread has none to give.
    let Some(old) = sys.task(current).mm else { return Ok(None) };
    let mm = if flags.contains(CloneFlags::CLONE_VM) {
        lifetime::mmget(sys, old);
        old
    } else {
        traced!(sys, dup_mm(current, old))?
    };
    let t = sys.task_mut(p);
    t.mm = Some(mm);
    t.active_mm = Some(mm);
    Ok(Some(mm))
}

/// The I/O context: shared with CLONE_IO, else made when first needed.
pub fn copy_io(
    sys: &mut System,
    flags: CloneFlags,
    current: TaskId,
    p: TaskId,
) -> Result<(), SysError> {
    should_fail(sys, "copy_io")?;
    if flags.contains(CloneFlags::CLONE_IO) {
        sys.task_mut(p).io_context = sys.task(current).io_context;
    }
    Ok(())
}

/// Words of `struct inactive_task_frame`.
const INACTIVE_FRAME_WORDS: usize = 7;

/// Registers of the child: the creator's with `ax = 0`, its own stack and TLS
/// if given, and a frame below them that returns to `ret_from_fork`.
///
/// Errors: EPERM for a TLS base that is not canonical or not in user space.
pub fn copy_thread(
    sys: &mut System,
    current: TaskId,
    args: &KernelCloneArgs,
    p: TaskId,
) -> Result<(), SysError> {
    should_fail(sys, "copy_thread")?;
    let stack = sys.task(p).stack.expect("a draft has a stack");
    let kernel = sys.task(p).flags.intersects(PF::KTHREAD | PF::IDLE);
    let regs = if kernel {
        Regs::default()
    } else {
        let mut regs = sys.task(current).regs;
        regs.ax = 0;
        if args.stack != 0 {
            regs.sp = args.stack;
        }
        regs
    };
    // struct fork_frame: inactive_task_frame (r15 r14 r13 r12 bx bp ret_addr)
    // right below pt_regs.
    let frame_offset = PT_REGS_OFFSET - INACTIVE_FRAME_WORDS as u64 * 8;
    let orig_ax = sys.task(current).orig_ax;
    let mut words = [0; INACTIVE_FRAME_WORDS + PT_REGS_WORDS];
    words[INACTIVE_FRAME_WORDS - 1] = text::RET_FROM_FORK_ASM;
    words[INACTIVE_FRAME_WORDS..].copy_from_slice(&to_words(&regs, orig_ax as u64));
    if let Err(bug) = sys.machine.mem.write_tail(stack.top_page(), &words) {
        sys.oops("copy_thread", bug.to_string());
    }
    let cpu = sys.task(current).cpu as usize;
    let msrs = &sys.machine.cpus[cpu].msrs;
    let (fsbase, gsbase) = (msrs.fs_base, msrs.kernel_gs_base);
    let selectors = sys.machine.cpus[cpu].selectors;
    let t = sys.task_mut(p);
    t.regs = regs;
    t.orig_ax = orig_ax;
    let sp = stack.base.0 + frame_offset;
    t.thread = ThreadStruct { sp, fsbase, gsbase, selectors, ret_from_fork: !kernel, ..t.thread };
    if kernel {
        t.thread.fsbase = 0;
        t.thread.gsbase = 0;
        t.thread.selectors = Selectors::default();
    }
    if args.flags.contains(CloneFlags::CLONE_SETTLS) {
        if args.tls >= layout::task_size(sys) || !VirtAddr(args.tls).is_canonical(57) {
            return refuse(
                Errno::EPERM,
                "do_arch_prctl_64",
                "CLONE_SETTLS: the TLS base is not an address in user space",
            );
        }
        let thread = &mut sys.task_mut(p).thread;
        (thread.fsbase, thread.selectors.fs) = (args.tls, 0);
    }
    Ok(())
}

/// Makes the pidfd and stores its number where the creator wants it.
///
/// Errors: EMFILE; EFAULT for a bad address.
pub fn prepare_pidfd(
    sys: &mut System,
    current: TaskId,
    args: &KernelCloneArgs,
    id: PidId,
) -> Result<(i32, FileId), SysError> {
    should_fail(sys, "pidfd_prepare")?;
    let (fd, file) = fs::pidfd::pidfd_prepare(sys, current, id, 0)?;
    // A director that gives no address reads the number from the result.
    if (args.raw || args.pidfd != 0)
        && let Err(e) = uaccess::put_user_u32(sys, current, args.pidfd, fd as u32)
    {
        fs::file::fput(sys, file);
        return Err(e);
    }
    Ok((fd, file))
}

/// The group that the child begins in: its creator's, or the one whose
/// directory CLONE_INTO_CGROUP names.
///
/// Errors: EBADF: not open, or no such directory; those of
/// `cgroup::cgroup_can_fork`.
pub fn cgroup_can_fork(
    sys: &mut System,
    current: TaskId,
    args: &KernelCloneArgs,
) -> Result<CgroupId, SysError> {
    should_fail(sys, "cgroup_can_fork")?;
    if !args.flags.contains(CloneFlags::CLONE_INTO_CGROUP) {
        return cgroup::cgroup_can_fork(sys, current, None);
    }
    let file = fs::fdtable::fget(sys, current, args.cgroup)?;
    match sys.kernel.filps[file].kind {
        FileKind::Inode(dir) => cgroup::cgroup_can_fork(sys, current, Some(dir)),
        _ => {
            let why = "CLONE_INTO_CGROUP: the descriptor is no directory of a cgroup";
            refuse(Errno::EBADF, "cgroup_get_from_file", why)
        }
    }
}
