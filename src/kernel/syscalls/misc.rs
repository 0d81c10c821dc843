//! System calls that belong nowhere else: resource usage, processors,
//! architecture.
//!
//! Linux: kernel/sys.c, kernel/sched/syscalls.c, arch/x86/kernel/process_64.c.
//! Left out: see the notes of the rows.

use super::table::{Syscall, row};
use super::{Call, Out, Payload};
use crate::abi::Errno;
use crate::abi::structs::Rusage;
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::mm::{layout, uaccess};
use crate::kernel::pid;
use crate::kernel::sched::{self, Chooser};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(24, "sched_yield", &[], sys_sched_yield).partly("a director decides who acts next"),
    row(158, "arch_prctl", &["code", "addr"], sys_arch_prctl)
        .partly("ARCH_SET_FS, ARCH_GET_FS, ARCH_SET_GS, ARCH_GET_GS"),
    row(203, "sched_setaffinity", &["pid", "len", "mask"], sys_sched_setaffinity)
        .partly("up to 64 processors; a running task moves when it next acts"),
    row(204, "sched_getaffinity", &["pid", "len", "mask"], sys_sched_getaffinity)
        .partly("up to 64 processors"),
];

fn sys_sched_yield(sys: &mut System, current: TaskId, _: &Call) -> SysResult {
    sched::core::yield_task(sys, current);
    if sys.kernel.sched.chooser != Chooser::Director {
        sys.task_mut(current).need_resched = true;
    }
    Ok(0)
}

/// Stores a `struct rusage`: two timevals, then 14 longs of which Linux fills
/// maxrss (0), minflt (4), majflt (5), nvcsw (12), nivcsw (13).
pub fn put_rusage(sys: &mut System, task: TaskId, addr: u64, u: &Rusage) -> Result<(), SysError> {
    let mut words = [0u64; 18];
    let us = |ns: u64| (ns / 1_000_000_000, ns % 1_000_000_000 / 1000);
    (words[0], words[1]) = us(u.ru_utime);
    (words[2], words[3]) = us(u.ru_stime);
    words[4] = u.ru_maxrss;
    (words[8], words[9]) = (u.ru_minflt, u.ru_majflt);
    (words[16], words[17]) = (u.ru_nvcsw, u.ru_nivcsw);
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    uaccess::copy_to_user(sys, task, addr, &bytes)
}

fn sys_arch_prctl(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    const ARCH_SET_GS: u64 = 0x1001;
    const ARCH_SET_FS: u64 = 0x1002;
    const ARCH_GET_FS: u64 = 0x1003;
    const ARCH_GET_GS: u64 = 0x1004;
    let [code, addr, ..] = call.args;
    let max = layout::task_size(sys);
    let cpu = sys.task(current).cpu as usize;
    let msrs = &mut sys.machine.cpus[cpu].msrs;
    match code {
        ARCH_SET_FS | ARCH_SET_GS if addr >= max => Ok(refuse(
            Errno::EPERM,
            "do_arch_prctl_64",
            "the base is not an address in user space",
        )?),
        ARCH_SET_FS => {
            msrs.fs_base = addr;
            Ok(0)
        }
        // In the kernel the user's GS base lies in the other register (swapgs).
        ARCH_SET_GS => {
            msrs.kernel_gs_base = addr;
            Ok(0)
        }
        ARCH_GET_FS | ARCH_GET_GS => {
            let value = if code == ARCH_GET_FS { msrs.fs_base } else { msrs.kernel_gs_base };
            if !call.wants_out(1) {
                uaccess::put_user_u64(sys, current, addr, value)?;
            }
            sys.kernel.out = Out::Number(value);
            Ok(0)
        }
        _ => Err(SysError::with(
            Errno::EINVAL,
            "do_arch_prctl_64",
            format!("arch_prctl code {code:#x} is unknown or not modelled"),
        )
        .into()),
    }
}

fn affinity_target(sys: &System, current: TaskId, pid: u64) -> Result<TaskId, SysError> {
    if pid as i32 == 0 {
        return Ok(current);
    }
    pid::find_task_by_vpid(sys, current, pid as i32).ok_or(SysError::new(
        Errno::ESRCH,
        "sched_setaffinity",
        "there is no thread with this id",
    ))
}

/// The caller's mask; what it leaves out is 0 (`get_user_cpu_mask`).
fn get_user_cpu_mask(sys: &mut System, current: TaskId, call: &Call) -> Result<u64, SysError> {
    let mut mask = [0; 8];
    let n = (call.args[1] as u32).min(8) as usize;
    match &call.payload {
        Payload::Bytes(bytes) => mask.iter_mut().zip(bytes).for_each(|(m, b)| *m = *b),
        _ => uaccess::copy_from_user(sys, current, call.args[2], &mut mask[..n])?,
    }
    Ok(u64::from_le_bytes(mask))
}

fn sys_sched_setaffinity(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    let wanted = get_user_cpu_mask(sys, current, call)?;
    let target = affinity_target(sys, current, call.args[0])?;
    let mine = sys.cred(current).euid;
    let theirs = &sys.kernel.creds[sys.task(target).real_cred];
    if mine != theirs.euid
        && mine != theirs.uid
        && !crate::kernel::capability::ns_capable(
            sys,
            current,
            theirs.user_ns,
            crate::abi::Cap::CAP_SYS_NICE,
        )
    {
        return Err(SysError::new(
            Errno::EPERM,
            "sched_setaffinity",
            "the task belongs to another user and the caller lacks CAP_SYS_NICE",
        )
        .into());
    }
    let cpus = sys.machine.cpus.len() as u32;
    let present = if cpus >= 64 { u64::MAX } else { (1 << cpus) - 1 };
    let mask = wanted & present;
    if mask == 0 {
        return Err(SysError::with(
            Errno::EINVAL,
            "__set_cpus_allowed_ptr",
            format!("the mask names none of the {cpus} processors"),
        )
        .into());
    }
    sys.task_mut(target).cpus_mask = mask;
    if mask >> sys.task(target).cpu & 1 == 0 {
        crate::kernel::sched::balance::migrate(sys, target, mask.trailing_zeros());
    }
    Ok(0)
}

fn sys_sched_getaffinity(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    let len = call.args[1] as u32;
    // The product wraps in Linux too.
    if len.wrapping_mul(8) < sys.machine.cpus.len() as u32 || !len.is_multiple_of(8) {
        return Ok(refuse(
            Errno::EINVAL,
            "sched_getaffinity",
            "len must be a multiple of 8 and large enough for the mask",
        )?);
    }
    let target = affinity_target(sys, current, call.args[0])?;
    let cpus = sys.machine.cpus.len() as u32;
    let present = if cpus >= 64 { u64::MAX } else { (1 << cpus) - 1 };
    let mask = sys.task(target).cpus_mask & present;
    if !call.wants_out(2) {
        uaccess::put_user_u64(sys, current, call.args[2], mask)?;
    }
    sys.kernel.out = Out::Number(mask);
    Ok(8)
}
