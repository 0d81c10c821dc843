//! execve(2): the same process, another program.
//!
//! ```text
//! prepare        path, permissions, #! lines, strings       may fail: errno
//! new mm         with the strings on its stack              may fail: errno
//! ---- point of no return: a failure from here on is SIGSEGV ----
//! de_thread      the other threads die                      may sleep
//! unshare_files
//! exec_mmap      mm_release (a vfork parent wakes), new mm, the old one goes
//! flags, close-on-exec, alternate stack, name, handlers, credentials
//! load           text, data, bss, stack with argc, argv, envp, auxv
//! start_thread   registers
//! ```
//! A call that sleeps in de_thread runs from the top again; then it finds
//! itself noted in `signal->group_exec_task` and is past the point of no
//! return from the beginning. It keeps the file that it has opened and the
//! strings that it has read (`bprm->file`, the new mm): the path may mean
//! something else by now, as /proc/self/exe does when the leader is dead.
//!
//! Linux: fs/exec.c (do_execveat_common, bprm_execve, begin_new_exec,
//! exec_mmap), fs/binfmt_elf.c (load_elf_binary).
//! Left out: core dumps of what failed, in_execve, execveat's descriptor.

mod bprm;
mod dethread;
pub mod elf;
mod elf_map;
mod load;
#[cfg(test)]
mod tests;

pub use bprm::{LinuxBinprm, MAX_ARG_BYTES, MAX_ARG_STRLEN, do_open_execat};

use super::FileKind;
use super::fdtable::{do_close_on_exec, unshare_files};
use super::file::alloc_file;
use super::rw::{fdput, sleep_in};
use crate::abi::OpenFlags;
use crate::abi::numbers::RLIMIT_NPROC;
use crate::abi::ptrace::PtraceEvent;
use crate::abi::{Errno, Signal};
use crate::kernel::cred::exec::{
    Unsafe, bprm_creds_from_file, check_unsafe_exec, install_exec_creds, prepare_exec_creds,
};
use crate::kernel::cred::{CredId, abort_creds};
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::exec_domain::clear_on_setid;
use crate::kernel::fork::mm_release;
use crate::kernel::futex::exit_robust_list;
use crate::kernel::inject::should_fail;
use crate::kernel::mm::MmId;
use crate::kernel::mm::lifetime::{mmdrop, mmput};
use crate::kernel::mm::tlb::switch_mm;
use crate::kernel::pid::{PidType, task_active_pid_ns, task_pid_nr_ns};
use crate::kernel::posix_timers::{exit_itimers, flush_itimer_signals};
use crate::kernel::ptrace::TrapAt;
use crate::kernel::ptrace::event::ptrace_event;
use crate::kernel::signal::action::flush_signal_handlers;
use crate::kernel::signal::send::force_fatal_sig;
use crate::kernel::syscalls::{Call, Payload};
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId};
use crate::traced;
use dethread::{de_thread, give_up, is_dethreading};

/// execve(2). Never returns a value: `Err(NoReturn)` is success, with the new
/// program's registers in the task's image. `call` is the system call, if it is
/// one.
///
/// # Errors
/// Those of `bprm::prepare`; EAGAIN: RLIMIT_NPROC was exceeded by setuid
/// before, or another thread is faster; ENOMEM.
pub fn do_execveat(
    sys: &mut System,
    task: TaskId,
    call: Option<&Call>,
    strings: Strings<'_>,
) -> SysResult {
    let mut committed = is_dethreading(sys, task);
    // Its number as the tracer knows it, before it takes over the leader's.
    let ns = task_active_pid_ns(sys, sys.task(task).parent);
    let old_vpid = task_pid_nr_ns(sys, task, PidType::Pid, Some(ns));
    let result = traced!(sys, bprm_execve(task, call, strings, &mut committed));
    if !matches!(result, Err(Stop::Block(_))) {
        fdput(sys, task);
    }
    let Err(stop) = result else {
        ptrace_event(sys, task, PtraceEvent::Exec, old_vpid as u64, TrapAt::Exec);
        return Err(Stop::NoReturn);
    };
    if matches!(stop, Stop::Block(_)) {
        return Err(stop);
    }
    leave_exec(sys, task);
    give_up(sys, task);
    if committed && !sys.task(task).fatal_signal_pending() {
        // Nothing is left to return to.
        force_fatal_sig(sys, task, Signal::SIGSEGV);
    }
    Err(stop)
}

/// The fs_struct may be shared again.
fn leave_exec(sys: &mut System, task: TaskId) {
    if let Some(fs) = sys.task(task).fs.and_then(|f| sys.kernel.fs.get_mut(f)) {
        fs.in_exec = false;
    }
}

/// A setuid that took the user over RLIMIT_NPROC is paid for here
/// (`do_execveat_common`).
fn check_nproc(sys: &mut System, task: TaskId) -> Result<(), SysError> {
    if !sys.task(task).flags.contains(PF::NPROC_EXCEEDED) {
        return Ok(());
    }
    let processes = sys.kernel.users[sys.cred(task).user].processes;
    if u64::from(processes) > sys.signal(task).rlim[RLIMIT_NPROC as usize].cur {
        let why = "the user still has more tasks than RLIMIT_NPROC since it changed its uid";
        return refuse(Errno::EAGAIN, "do_execveat_common", why);
    }
    sys.task_mut(task).flags.remove(PF::NPROC_EXCEEDED);
    Ok(())
}

/// Path, arguments, environment.
pub type Strings<'a> = (&'a str, &'a [String], &'a [String]);

fn bprm_execve(
    sys: &mut System,
    task: TaskId,
    call: Option<&Call>,
    (filename, argv, envp): Strings<'_>,
    committed: &mut bool,
) -> Result<(), Stop> {
    if !*committed {
        check_nproc(sys, task)?;
        should_fail(sys, "bprm_execve")?;
    }
    let bprm = bprm::prepare(sys, task, filename, argv, envp)?;
    let new = traced!(sys, load::bprm_mm_init(task, &bprm))?;
    let cred = match traced!(sys, prepare_exec_creds(task)) {
        Ok(cred) => cred,
        Err(e) => {
            mmput(sys, new.mm);
            return Err(e.into());
        }
    };
    let unsafe_ = traced!(sys, check_unsafe_exec(task));
    match commit(sys, task, &bprm, cred, unsafe_, committed) {
        Ok(secureexec) => {
            traced!(sys, begin_new_exec(task, &bprm, new.mm, cred, secureexec))?;
            traced!(sys, load::load_binary(task, &bprm, &new, secureexec))?;
            leave_exec(sys, task);
            Ok(())
        }
        Err(stop) => {
            abort_creds(sys, cred);
            mmput(sys, new.mm);
            if let (Stop::Block(wait), Some(call)) = (&stop, call)
                && sys.task(task).resume.as_ref().is_none_or(|r| r.file.is_none())
            {
                let (inode, path) = bprm.opened;
                let file = alloc_file(sys, FileKind::Inode(inode), OpenFlags::empty(), path);
                let strings = (filename.to_string(), argv.to_vec(), envp.to_vec());
                let call = Call { payload: Payload::Exec(Box::new(strings)), ..call.clone() };
                sleep_in(sys, task, &call, (*wait, file, 0));
            }
            Err(stop)
        }
    }
}

/// The point of no return: who the program will be, and being alone.
fn commit(
    sys: &mut System,
    task: TaskId,
    bprm: &LinuxBinprm,
    cred: CredId,
    unsafe_: Unsafe,
    committed: &mut bool,
) -> Result<bool, Stop> {
    let secureexec = traced!(sys, bprm_creds_from_file(task, cred, bprm.inode, unsafe_))?;
    *committed = true;
    traced!(sys, de_thread(task))?;
    Ok(secureexec)
}

/// Replaces everything of the task that the old program leaves behind. Takes
/// over `mm` and `cred`.
fn begin_new_exec(
    sys: &mut System,
    task: TaskId,
    bprm: &LinuxBinprm,
    mm: MmId,
    cred: CredId,
    secureexec: bool,
) -> Result<(), SysError> {
    if let Err(e) = traced!(sys, unshare_files(task)) {
        abort_creds(sys, cred);
        mmput(sys, mm);
        return Err(e);
    }
    sys.mm_mut(mm).exe_file = bprm.path.clone();
    traced!(sys, exec_mmap(task, mm));
    if let Some(signal) = sys.task(task).signal {
        exit_itimers(sys, signal);
        flush_itimer_signals(sys, task);
    }
    traced!(sys, unshare_sighand(task));
    sys.task_mut(task).flags.remove(PF::RANDOMIZE | PF::FORKNOEXEC);
    if secureexec {
        clear_on_setid(sys, task);
    }
    if let Some(files) = sys.task(task).files {
        traced!(sys, do_close_on_exec(files));
    }
    let t = sys.task_mut(task);
    (t.sas_ss_sp, t.sas_ss_size) = (0, 0);
    // The frames that would go back to them are gone.
    t.interrupted.clear();
    t.work = None;
    t.set_comm(bprm.filename.rsplit('/').next().unwrap_or(""));
    t.self_exec_id += 1;
    traced!(sys, flush_signal_handlers(task, false));
    traced!(sys, install_exec_creds(task, mm, cred, secureexec));
    Ok(())
}

/// Puts the task into its new address space and lets go of the old one.
fn exec_mmap(sys: &mut System, task: TaskId, mm: MmId) {
    // exec_mm_release: a vfork parent goes on from here.
    exit_robust_list(sys, task);
    sys.task_mut(task).robust_list = 0;
    traced!(sys, mm_release(task));
    let t = sys.task_mut(task);
    let (old, active, cpu, on_cpu) = (t.mm, t.active_mm, t.cpu, t.on_cpu);
    (t.mm, t.active_mm) = (Some(mm), Some(mm));
    if on_cpu {
        switch_mm(sys, cpu as usize, mm);
    }
    match (old, active) {
        (Some(old), _) => {
            // setmax_mm_hiwater_rss: what getrusage reports is never less.
            let m = sys.mm(old);
            let pages = m.hiwater_rss.max(m.rss_stat.iter().sum::<i64>().max(0) as u64);
            let s = sys.signal_mut(task);
            s.dead_threads.ru_maxrss = s.dead_threads.ru_maxrss.max(pages * 4);
            mmput(sys, old);
        }
        // A kernel thread becomes a program: it had borrowed this one.
        (None, Some(active)) => mmdrop(sys, active),
        (None, None) => {}
    }
}

/// Handlers are about to be reset: not those of another process that shares
/// the table (CLONE_SIGHAND without CLONE_THREAD).
fn unshare_sighand(sys: &mut System, task: TaskId) {
    let Some(old) = sys.task(task).sighand else { return };
    let s = &mut sys.kernel.sighands[old];
    if s.count <= 1 {
        return;
    }
    s.count -= 1;
    let mut new = s.clone();
    new.count = 1;
    let new = sys.kernel.sighands.insert(new);
    sys.task_mut(task).sighand = Some(new);
}
