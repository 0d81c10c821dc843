//! System calls: the machine, and how a task sees it. Handlers decode arguments;
//! the verbs live elsewhere.
//!
//! Linux: kernel/sys.c (SYSCALL_DEFINE of newuname, sethostname, sysinfo, getcpu),
//! kernel/exec_domain.c, kernel/kcmp.c, kernel/sched/membarrier.c.
//! Left out: see the notes of the rows.

use super::structs::give;
use super::table::{Syscall, row};
use super::{Call, Out, Payload};
use crate::kernel::error::SysResult;
use crate::kernel::mm::uaccess::{copy_from_user, put_user_u32};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::utsname::{self, Which};
use crate::kernel::{exec_domain, kcmp, membarrier, sysinfo};

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(63, "uname", &["name"], sys_uname),
    row(99, "sysinfo", &["info"], sys_sysinfo).noting("load is not measured: 0"),
    row(135, "personality", &["personality"], sys_personality)
        .partly("PER_LINUX, with or without ADDR_NO_RANDOMIZE"),
    row(170, "sethostname", &["name", "len"], |sys, t, call| set_name(sys, t, call, Which::Host)),
    row(171, "setdomainname", &["name", "len"], |sys, t, call| {
        set_name(sys, t, call, Which::Domain)
    }),
    row(312, "kcmp", &["pid1", "pid2", "type", "idx1", "idx2"], sys_kcmp)
        .partly("KCMP_EPOLL_TFD is refused"),
    row(309, "getcpu", &["cpup", "nodep", "unused"], sys_getcpu),
    row(324, "membarrier", &["cmd", "flags", "cpu_id"], sys_membarrier)
        .partly("processors take turns, so a barrier always holds; not the commands for rseq"),
];

fn sys_uname(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let image = utsname::newuname(sys, t);
    give(sys, t, call, 0, &image)?;
    Ok(0)
}

fn sys_sysinfo(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let image = sysinfo::do_sysinfo(sys);
    give(sys, t, call, 0, &image)?;
    Ok(0)
}

fn sys_personality(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    Ok(exec_domain::personality(sys, t, call.args[0] as u32)?)
}

fn set_name(sys: &mut System, t: TaskId, call: &Call, which: Which) -> SysResult {
    let given = match &call.payload {
        Payload::Text(name) => Some(name.as_bytes().to_vec()),
        _ => None,
    };
    let len = given
        .as_ref()
        .map_or(call.args[1] as i32, |name| i32::try_from(name.len()).unwrap_or(i32::MAX));
    let n = utsname::may_set(sys, t, len, which)?;
    let name = match given {
        Some(name) => name,
        None => {
            let mut name = vec![0; n];
            copy_from_user(sys, t, call.args[0], &mut name)?;
            name
        }
    };
    utsname::set(sys, t, &name, which);
    Ok(0)
}

/// Memory is one node: number 0.
fn sys_getcpu(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let cpu = sys.task(t).cpu;
    for (at, value) in [(call.args[0], cpu), (call.args[1], 0)] {
        if at != 0 {
            put_user_u32(sys, t, at, value)?;
        }
    }
    sys.set_out(t, Out::Number(u64::from(cpu)));
    Ok(0)
}

fn sys_membarrier(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let [cmd, flags, ..] = call.args;
    Ok(membarrier::membarrier(sys, t, cmd as u32, flags as u32)?)
}

fn sys_kcmp(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let [a, b, kind, i, k, _] = call.args;
    Ok(kcmp::kcmp(sys, t, [a as i32, b as i32], kind as i32, [i, k])?)
}
