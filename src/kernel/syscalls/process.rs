//! System calls: making, ending and waiting for tasks. Handlers decode
//! arguments; the verbs live in `fork`, `exit` and `wait`.
//!
//! Linux: kernel/fork.c, kernel/exit.c (the SYSCALL_DEFINEs).
//! Left out: see the notes of the rows.

use super::table::{Syscall, row};
use super::{Call, Out, Payload, WaitInfo};
use crate::abi::numbers::{P_ALL, P_PGID, P_PID, P_PIDFD};
use crate::abi::structs::{CLONE_ARGS_SIZE_VER2, CloneArgs, w_exitcode};
use crate::abi::{CloneFlags, Errno, OpenFlags, Signal, WaitOptions, flags::CSIGNAL};
use crate::kernel::clone_check;
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::exit;
use crate::kernel::fork::{self, KernelCloneArgs};
use crate::kernel::fs;
use crate::kernel::mm::{layout, uaccess};
use crate::kernel::pid::{self, PidType};
use crate::kernel::pid_namespace;
use crate::kernel::setns;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::unshare;
use crate::kernel::wait::{self, Which};
use crate::traced;

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(56, "clone", &["flags", "stack", "parent_tid", "child_tid", "tls"], sys_clone),
    row(57, "fork", &[], sys_fork),
    row(58, "vfork", &[], sys_vfork),
    row(60, "exit", &["error_code"], sys_exit).noting("ends one thread"),
    row(61, "wait4", &["pid", "wstatus", "options", "rusage"], sys_wait4),
    row(218, "set_tid_address", &["tidptr"], sys_set_tid_address),
    row(231, "exit_group", &["error_code"], sys_exit_group).noting("ends the whole process"),
    row(247, "waitid", &["which", "upid", "infop", "options", "rusage"], sys_waitid),
    row(272, "unshare", &["flags"], sys_unshare)
        .noting("namespaces other than pid and user isolate nothing here"),
    row(308, "setns", &["fd", "flags"], sys_setns)
        .noting("namespaces other than pid and user isolate nothing here"),
    row(435, "clone3", &["cl_args", "size"], sys_clone3),
];

fn sys_fork(sys: &mut System, current: TaskId, _: &Call) -> SysResult {
    traced!(sys, fork::kernel_clone(current, &KernelCloneArgs::fork()))
}

fn sys_unshare(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    traced!(sys, unshare::ksys_unshare(current, call.args[0]))?;
    Ok(0)
}

fn sys_setns(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    let [fd, flags, ..] = call.args;
    traced!(sys, setns::setns(current, fd as i32, flags as u32))?;
    Ok(0)
}

fn sys_vfork(sys: &mut System, current: TaskId, _: &Call) -> SysResult {
    traced!(sys, fork::kernel_clone(current, &KernelCloneArgs::vfork()))
}

fn sys_clone(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    let [flags, stack, parent_tid, child_tid, tls, _] = call.args;
    // The upper half of the register is ignored; the low byte is the signal.
    let flags = flags & 0xffff_ffff;
    let args = KernelCloneArgs {
        flags: CloneFlags::from_bits_truncate(flags & !CSIGNAL),
        pidfd: parent_tid,
        child_tid,
        parent_tid,
        exit_signal: (flags & CSIGNAL) as i32,
        raw: call.payload == Payload::Registers,
        stack,
        tls,
        ..KernelCloneArgs::default()
    };
    traced!(sys, fork::kernel_clone(current, &args))
}

fn sys_clone3(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    let (args, size) = match &call.payload {
        Payload::Clone(a) => {
            ((**a).clone(), if call.args[1] == 0 { CLONE_ARGS_SIZE_VER2 } else { call.args[1] })
        }
        _ => (read_clone_args(sys, current, call.args[0], call.args[1])?, call.args[1]),
    };
    clone_check::check_clone3_copy(&args, size)?;
    clone_check::check_clone3(&args, layout::task_size(sys))?;
    let args = KernelCloneArgs {
        raw: call.payload == Payload::Registers,
        ..KernelCloneArgs::from_clone3(&args)
    };
    traced!(sys, fork::kernel_clone(current, &args))
}

/// Reads `struct clone_args` from user memory (`copy_struct_from_user`): a
/// longer structure than ours is fine as long as the rest is zero.
fn read_clone_args(
    sys: &mut System,
    current: TaskId,
    addr: u64,
    size: u64,
) -> Result<CloneArgs, SysError> {
    // The size itself is judged before anything is read.
    clone_check::check_clone3_copy(&CloneArgs::default(), size)?;
    let mut bytes = vec![0; size as usize];
    uaccess::copy_from_user(sys, current, addr, &mut bytes)?;
    if bytes.iter().skip(CLONE_ARGS_SIZE_VER2 as usize).any(|b| *b != 0) {
        return refuse(
            Errno::E2BIG,
            "copy_struct_from_user",
            "clone_args has fields set that this kernel does not know",
        );
    }
    bytes.resize(CLONE_ARGS_SIZE_VER2 as usize, 0);
    let word =
        |i: usize| u64::from_le_bytes(bytes[i * 8..i * 8 + 8].try_into().expect("eight bytes"));
    let (set_tid, n) = (word(8), word(9));
    const F: &str = "copy_clone_args_from_user";
    if n > u64::from(pid_namespace::MAX_PID_NS_LEVEL) {
        return refuse(
            Errno::EINVAL,
            F,
            "set_tid_size is larger than pid namespaces can nest (32)",
        );
    }
    if (set_tid == 0) != (n == 0) {
        return refuse(Errno::EINVAL, F, "set_tid and set_tid_size must be given together");
    }
    let mut tids = Vec::new();
    for i in 0..n {
        tids.push(uaccess::get_user_u32(sys, current, set_tid.wrapping_add(i * 4))? as i32);
    }
    Ok(CloneArgs {
        flags: word(0),
        pidfd: word(1),
        child_tid: word(2),
        parent_tid: word(3),
        exit_signal: word(4),
        stack: word(5),
        stack_size: word(6),
        tls: word(7),
        set_tid: tids,
        cgroup: word(10),
    })
}

fn sys_exit(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    traced!(sys, exit::do_exit(current, w_exitcode(call.args[0] as i32)));
    Err(Stop::NoReturn)
}

fn sys_exit_group(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    traced!(sys, exit::do_group_exit(current, w_exitcode(call.args[0] as i32)));
    Err(Stop::NoReturn)
}

fn sys_set_tid_address(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    sys.task_mut(current).clear_child_tid = call.args[0];
    Ok(i64::from(pid::task_pid_vnr(sys, current)))
}

fn sys_wait4(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    let [upid, stat_addr, options, ru, ..] = call.args;
    let pid = traced!(sys, wait::kernel_wait4(current, upid as i32, options as u32))?;
    if let Out::Wait(info) = &sys.kernel.out {
        let info = **info;
        if stat_addr != 0 {
            // The child is reaped all the same.
            uaccess::put_user_u32(sys, current, stat_addr, info.status as u32)?;
        }
        if ru != 0 {
            super::misc::put_rusage(sys, current, ru, &info.rusage)?;
        }
    }
    Ok(pid)
}

fn sys_waitid(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    let [.., infop, _, ru, _] = call.args;
    let found = kernel_waitid(sys, current, call);
    if let Err(Stop::Block(_) | Stop::NoReturn) = found {
        return found.map(|_| 0);
    }
    let info = found.as_ref().ok().copied().flatten();
    if let Some(info) = info {
        sys.kernel.out = Out::Wait(Box::new(info));
        if ru != 0 {
            super::misc::put_rusage(sys, current, ru, &info.rusage)?;
        }
    }
    if infop != 0 {
        // A refused call stores zeros too, and EFAULT replaces its error.
        put_siginfo(sys, current, infop, info.as_ref())?;
    }
    found.map(|_| 0)
}

/// What waitid(2) found, `None` without an event (`kernel_waitid`).
fn kernel_waitid(sys: &mut System, current: TaskId, call: &Call) -> Result<Option<WaitInfo>, Stop> {
    let [which, upid, _, options, ..] = call.args;
    let mut options = wait::waitid_options(options as u32)?;
    let mut nonblocking_pidfd = false;
    let slept = wait::slept_for(sys, current);
    let which = match which as u32 {
        P_ALL => Which::All,
        P_PGID if slept.is_some() => Which::Pid(PidType::Pgid, slept),
        P_PID | P_PIDFD if slept.is_some() => Which::Pid(PidType::Pid, slept),
        P_PID if upid as i32 > 0 => {
            Which::Pid(PidType::Pid, pid::find_vpid(sys, current, upid as i32))
        }
        P_PGID if upid as i32 > 0 => {
            Which::Pid(PidType::Pgid, pid::find_vpid(sys, current, upid as i32))
        }
        P_PGID if upid as i32 == 0 => {
            Which::Pid(PidType::Pgid, pid::task_pid_ptr(sys, current, PidType::Pgid))
        }
        P_PIDFD if upid as i32 >= 0 => {
            let (id, flags) = fs::pidfd::pidfd_get_pid(sys, current, upid as i32)?;
            nonblocking_pidfd = flags.contains(OpenFlags::O_NONBLOCK);
            Which::Pid(PidType::Pid, Some(id))
        }
        P_PID | P_PGID | P_PIDFD => {
            return Err(SysError::new(
                Errno::EINVAL,
                "kernel_waitid",
                "the id is not valid for this idtype",
            )
            .into());
        }
        _ => {
            return Err(SysError::new(
                Errno::EINVAL,
                "kernel_waitid",
                "idtype is none of P_ALL, P_PID, P_PGID, P_PIDFD",
            )
            .into());
        }
    };
    let wnohang = options.contains(WaitOptions::WNOHANG);
    options.set(WaitOptions::WNOHANG, wnohang || nonblocking_pidfd);
    let found = traced!(sys, wait::do_wait(current, which, options))?;
    if found.is_none() && nonblocking_pidfd && !wnohang {
        return Err(SysError::new(
            Errno::EAGAIN,
            "kernel_waitid",
            "the pidfd is non-blocking and the child has not changed state",
        )
        .into());
    }
    Ok(found)
}

/// Stores what waitid(2) reports as a siginfo; without an event signo and pid
/// are 0.
fn put_siginfo(
    sys: &mut System,
    current: TaskId,
    addr: u64,
    info: Option<&WaitInfo>,
) -> Result<(), SysError> {
    let (signo, code, pid, uid, status) = match info {
        Some(i) => (Signal::SIGCHLD.number(), i.si_code, i.pid, i.uid as i32, i.si_status),
        None => (0, 0, 0, 0, 0),
    };
    // si_signo 0, si_errno 4, si_code 8, si_pid 16, si_uid 20, si_status 24.
    for (offset, value) in [(0, signo), (4, 0), (8, code), (16, pid), (20, uid), (24, status)] {
        uaccess::put_user_u32(sys, current, addr.wrapping_add(offset), value as u32)?;
    }
    Ok(())
}
