//! System calls of the scheduler: policies, priorities, processors.
//!
//! `struct sched_param` is 4 bytes and `struct sched_attr` 56; a director passes
//! and gets them as bytes.
//!
//! Linux: kernel/sched/syscalls.c, kernel/sys.c.
//! Left out: see the notes of the rows.

use super::table::{Syscall, row};
use super::{Call, Out, Payload};
use crate::abi::Errno;
use crate::abi::numbers::*;
use crate::abi::structs::{SCHED_ATTR_SIZE_VER0, SCHED_ATTR_SIZE_VER1, SchedAttr};
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::mm::uaccess;
use crate::kernel::pid;
use crate::kernel::sched::{Chooser, affinity, core, nice, prio, syscalls};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(24, "sched_yield", &[], sys_sched_yield)
        .noting("a director decides who acts next; run_for and the policy \"kernel\" heed it"),
    row(140, "getpriority", &["which", "who"], sys_getpriority)
        .noting("gives 20 - nice, as the raw call does"),
    row(141, "setpriority", &["which", "who", "niceval"], sys_setpriority),
    row(142, "sched_setparam", &["pid", "param"], sys_sched_setparam),
    row(143, "sched_getparam", &["pid", "param"], sys_sched_getparam),
    row(144, "sched_setscheduler", &["pid", "policy", "param"], sys_sched_setscheduler)
        .partly("not SCHED_EXT"),
    row(145, "sched_getscheduler", &["pid"], sys_sched_getscheduler),
    row(146, "sched_get_priority_max", &["policy"], |_, _, call| {
        Ok(syscalls::priorities(call.args[0])?.1)
    }),
    row(147, "sched_get_priority_min", &["policy"], |_, _, call| {
        Ok(syscalls::priorities(call.args[0])?.0)
    }),
    row(148, "sched_rr_get_interval", &["pid", "tp"], sys_sched_rr_get_interval),
    row(203, "sched_setaffinity", &["pid", "len", "mask"], sys_sched_setaffinity)
        .partly("up to 64 processors; a running task moves when it next acts"),
    row(204, "sched_getaffinity", &["pid", "len", "mask"], sys_sched_getaffinity)
        .partly("up to 64 processors"),
    row(314, "sched_setattr", &["pid", "attr", "flags"], sys_sched_setattr)
        .partly("not SCHED_EXT; no utilisation clamps; deadline tasks without RECLAIM, DL_OVERRUN"),
    row(315, "sched_getattr", &["pid", "attr", "size", "flags"], sys_sched_getattr),
];

/// `find_process_by_pid`: pid 0 is the caller.
fn find(sys: &System, current: TaskId, pid: u64, f: &'static str) -> Result<TaskId, SysError> {
    if pid as i32 == 0 {
        return Ok(current);
    }
    let found = pid::find_task_by_vpid(sys, current, pid as i32);
    found.ok_or(SysError::new(Errno::ESRCH, f, "there is no thread with this id"))
}

fn negative(pid: u64, f: &'static str) -> Result<(), SysError> {
    if (pid as i32) < 0 {
        return refuse(Errno::EINVAL, f, "the pid is negative");
    }
    Ok(())
}

fn sys_sched_yield(sys: &mut System, current: TaskId, _: &Call) -> SysResult {
    core::yield_task(sys, current);
    if sys.kernel.sched.chooser != Chooser::Director {
        sys.task_mut(current).need_resched = true;
    }
    Ok(0)
}

fn sys_getpriority(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    Ok(nice::getpriority(sys, current, call.args[0] as u32, call.args[1] as i32)?)
}

fn sys_setpriority(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    let [which, who, value, ..] = call.args;
    nice::setpriority(sys, current, which as u32, who as i32, value as i32)?;
    Ok(0)
}

/// The priority in a `struct sched_param`, argument `i`.
fn param(sys: &mut System, current: TaskId, call: &Call, i: usize) -> Result<i32, SysError> {
    const F: &str = "do_sched_setscheduler";
    if let Payload::Bytes(bytes) = &call.payload {
        negative(call.args[0], F)?;
        return Ok(SchedAttr::from_bytes(bytes).size as i32);
    }
    if call.args[i] == 0 {
        return refuse(Errno::EINVAL, F, "param is NULL");
    }
    negative(call.args[0], F)?;
    Ok(uaccess::get_user_u32(sys, current, call.args[i])? as i32)
}

fn sys_sched_setparam(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    let priority = param(sys, current, call, 1)?;
    let p = find(sys, current, call.args[0], "sched_setparam")?;
    let attr = syscalls::legacy_attr(sys, p, priority);
    syscalls::sched_setscheduler(sys, current, p, None, &attr)?;
    Ok(0)
}

fn sys_sched_setscheduler(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    let policy = call.args[1] as u32;
    if (policy as i32) < 0 {
        return Ok(refuse(Errno::EINVAL, "sched_setscheduler", "the policy is negative")?);
    }
    let priority = param(sys, current, call, 2)?;
    let p = find(sys, current, call.args[0], "sched_setscheduler")?;
    let mut attr = syscalls::legacy_attr(sys, p, priority);
    if policy & SCHED_RESET_ON_FORK != 0 {
        attr.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
    }
    let policy = policy & !SCHED_RESET_ON_FORK;
    syscalls::sched_setscheduler(sys, current, p, Some(policy), &attr)?;
    Ok(0)
}

fn sys_sched_getscheduler(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    negative(call.args[0], "sched_getscheduler")?;
    let t = sys.task(find(sys, current, call.args[0], "sched_getscheduler")?);
    let reset = if t.sched_reset_on_fork { SCHED_RESET_ON_FORK } else { 0 };
    Ok(i64::from(t.policy | reset))
}

fn sys_sched_getparam(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    const F: &str = "sched_getparam";
    let wants_out = call.wants_out(1);
    if call.args[1] == 0 && !wants_out {
        return Ok(refuse(Errno::EINVAL, F, "param is NULL")?);
    }
    negative(call.args[0], F)?;
    let t = sys.task(find(sys, current, call.args[0], F)?);
    let priority = if prio::rt_policy(t.policy) { t.rt_priority } else { 0 };
    if !wants_out {
        uaccess::put_user_u32(sys, current, call.args[1], priority)?;
    }
    sys.kernel.out = Out::Bytes(priority.to_le_bytes().to_vec());
    Ok(0)
}

fn sys_sched_rr_get_interval(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    const F: &str = "sched_rr_get_interval";
    negative(call.args[0], F)?;
    let p = find(sys, current, call.args[0], F)?;
    let ns = syscalls::rr_interval(sys, p);
    let time = [ns / 1_000_000_000, ns % 1_000_000_000].map(u64::to_le_bytes).concat();
    if !call.wants_out(1) {
        uaccess::copy_to_user(sys, current, call.args[1], &time)?;
    }
    sys.kernel.out = Out::Bytes(time);
    Ok(0)
}

/// The caller's `struct sched_attr` (`sched_copy_attr`).
fn copy_attr(sys: &mut System, current: TaskId, call: &Call) -> Result<SchedAttr, SysError> {
    const F: &str = "sched_copy_attr";
    let addr = call.args[1];
    let read = |sys: &mut System, from: usize, to: &mut [u8]| match &call.payload {
        Payload::Bytes(bytes) => {
            let all = bytes.iter().skip(from).copied().chain(std::iter::repeat(0));
            to.iter_mut().zip(all).for_each(|(t, b)| *t = b);
            Ok(())
        }
        _ => uaccess::copy_from_user(sys, current, addr + from as u64, to),
    };
    let mut size = [0; 4];
    read(sys, 0, &mut size)?;
    let size = match u32::from_le_bytes(size) {
        0 => SCHED_ATTR_SIZE_VER0,
        size => size,
    };
    let too_big = |sys: &mut System, why| {
        if call.payload == Payload::None || call.payload == Payload::Registers {
            // It is told which size would do; a bad address is not an error.
            let _ = uaccess::put_user_u32(sys, current, addr, SCHED_ATTR_SIZE_VER1);
        }
        refuse(Errno::E2BIG, F, why)
    };
    if !(SCHED_ATTR_SIZE_VER0..=4096).contains(&size) {
        return too_big(sys, "the size is not within 48 and 4096 bytes");
    }
    let mut bytes = vec![0; size as usize];
    read(sys, 0, &mut bytes)?;
    if bytes.iter().skip(SCHED_ATTR_SIZE_VER1 as usize).any(|b| *b != 0) {
        return too_big(sys, "bytes beyond those that this kernel knows are not 0");
    }
    let mut attr = SchedAttr::from_bytes(&bytes);
    let clamps = SCHED_FLAG_UTIL_CLAMP_MIN | SCHED_FLAG_UTIL_CLAMP_MAX;
    if attr.sched_flags & clamps != 0 && size < SCHED_ATTR_SIZE_VER1 {
        return refuse(Errno::EINVAL, F, "utilisation clamps need a structure of 56 bytes");
    }
    attr.sched_nice = attr.sched_nice.clamp(*prio::NICE_RANGE.start(), *prio::NICE_RANGE.end());
    Ok(attr)
}

fn sys_sched_setattr(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    const F: &str = "sched_setattr";
    let [pid, addr, flags, ..] = call.args;
    if addr == 0 && !matches!(call.payload, Payload::Bytes(_)) {
        return Ok(refuse(Errno::EINVAL, F, "attr is NULL")?);
    }
    negative(pid, F)?;
    if flags as u32 != 0 {
        return Ok(refuse(Errno::EINVAL, F, "flags must be 0")?);
    }
    let mut attr = copy_attr(sys, current, call)?;
    if (attr.sched_policy as i32) < 0 {
        return Ok(refuse(Errno::EINVAL, F, "the policy is negative")?);
    }
    let keep = attr.sched_flags & SCHED_FLAG_KEEP_POLICY != 0;
    let policy = (!keep).then_some(attr.sched_policy);
    let p = find(sys, current, pid, F)?;
    if attr.sched_flags & SCHED_FLAG_KEEP_PARAMS != 0 {
        syscalls::get_params(sys, p, &mut attr);
    }
    syscalls::sched_setscheduler(sys, current, p, policy, &attr)?;
    Ok(0)
}

fn sys_sched_getattr(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    const F: &str = "sched_getattr";
    let [pid, addr, size, flags, ..] = call.args;
    let size = size as u32;
    if addr == 0 && !call.wants_out(1) {
        return Ok(refuse(Errno::EINVAL, F, "attr is NULL")?);
    }
    negative(pid, F)?;
    if !(SCHED_ATTR_SIZE_VER0..=4096).contains(&size) || flags as u32 != 0 {
        return Ok(refuse(Errno::EINVAL, F, "the size is not within 48 and 4096, or flags not 0")?);
    }
    let p = find(sys, current, pid, F)?;
    let mut attr = syscalls::sched_getattr(sys, p);
    attr.size = size.min(SCHED_ATTR_SIZE_VER1);
    let bytes = &attr.to_bytes()[..attr.size as usize];
    if !call.wants_out(1) {
        let mut image = bytes.to_vec();
        // The rest of a larger structure is cleared.
        image.resize(size as usize, 0);
        uaccess::copy_to_user(sys, current, addr, &image)?;
    }
    sys.kernel.out = Out::Bytes(bytes.to_vec());
    Ok(0)
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
    let p = find(sys, current, call.args[0], "sched_setaffinity")?;
    affinity::sched_setaffinity(sys, current, p, wanted)?;
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
    let p = find(sys, current, call.args[0], "sched_getaffinity")?;
    let mask = sys.task(p).cpus_mask & affinity::present(sys);
    if !call.wants_out(2) {
        uaccess::put_user_u64(sys, current, call.args[2], mask)?;
    }
    sys.kernel.out = Out::Number(mask);
    Ok(8)
}
