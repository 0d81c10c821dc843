//! System calls: futexes. Handlers decode arguments; the verbs live elsewhere.
//!
//! Linux: kernel/futex/syscalls.c.
//! Left out: futex_waitv and the calls of futex2.

use super::table::{Syscall, row};
use super::time::get_timespec;
use super::{Call, Out, Payload};
use crate::abi::Errno;
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::futex::{self, MATCH_ANY, Scope};
use crate::kernel::mm::uaccess;
use crate::kernel::nanosleep::Clock;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(202, "futex", &["uaddr", "op", "val", "timeout", "uaddr2", "val3"], sys_futex)
        .partly("not the operations with priority inheritance"),
    row(273, "set_robust_list", &["head", "len"], sys_set_robust_list),
    row(274, "get_robust_list", &["pid", "head_ptr", "len_ptr"], sys_get_robust_list),
];

const FUTEX_PRIVATE_FLAG: u32 = 128;
const FUTEX_CLOCK_REALTIME: u32 = 256;
/// Bytes of `struct robust_list_head`.
const ROBUST_LIST_HEAD: u64 = 24;

/// When a wait ends at the latest, on the monotonic clock. A relative time is
/// of FUTEX_WAIT; the others give a time of a clock.
fn deadline(sys: &mut System, t: TaskId, call: &Call, op: u32) -> Result<Option<u64>, SysError> {
    if call.args[3] == 0 && !matches!(call.payload, Payload::Timespec(..)) {
        return Ok(None);
    }
    let ns = get_timespec(sys, t, call, 3, "futex")?;
    Ok(Some(match op & futex::CMD_MASK {
        0 => sys.machine.clock.now().saturating_add(ns),
        _ if op & FUTEX_CLOCK_REALTIME != 0 => Clock::Realtime.monotonic(ns),
        _ => ns,
    }))
}

fn sys_futex(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let [uaddr, op, val, val2, uaddr2, val3] = call.args;
    let (op, val, val2, val3) = (op as u32, val as u32, val2 as i32, val3 as u32);
    let scope = if op & FUTEX_PRIVATE_FLAG == 0 { Scope::Shared } else { Scope::Private };
    let (word, words) = ((uaddr, scope), (uaddr, uaddr2));
    let cmd = op & futex::CMD_MASK;
    if op & FUTEX_CLOCK_REALTIME != 0 && cmd != futex::FUTEX_WAIT_BITSET {
        let why = "FUTEX_CLOCK_REALTIME is for FUTEX_WAIT_BITSET and priority inheritance";
        return Ok(refuse(Errno::ENOSYS, "do_futex", why)?);
    }
    let numbers = (val as i32, val2);
    match cmd {
        0 | futex::FUTEX_WAIT_BITSET => {
            let bitset = if cmd == 0 { MATCH_ANY } else { val3 };
            let deadline = deadline(sys, t, call, op)?;
            traced!(sys, futex::futex_wait(t, word, val, deadline, bitset))
        }
        1 => Ok(traced!(sys, futex::futex_wake(t, word, val as i32, MATCH_ANY))?),
        10 => Ok(traced!(sys, futex::futex_wake(t, word, val as i32, val3))?),
        3 => Ok(traced!(sys, futex::futex_requeue(t, scope, words, numbers, None))?),
        4 => Ok(traced!(sys, futex::futex_requeue(t, scope, words, numbers, Some(val3)))?),
        5 => Ok(traced!(sys, futex::futex_wake_op(t, scope, words, numbers, val3))?),
        6..=8 | 11..=13 => {
            let why = format!("futex operation {cmd}: priority inheritance is not modelled");
            Err(SysError::with(Errno::ENOSYS, "do_futex", why).into())
        }
        _ => {
            let why = format!("there is no futex operation {cmd}");
            Err(SysError::with(Errno::ENOSYS, "do_futex", why).into())
        }
    }
}

fn sys_set_robust_list(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let [head, len, ..] = call.args;
    if len != ROBUST_LIST_HEAD {
        let why = "len must be the size of struct robust_list_head (24)";
        return Ok(refuse(Errno::EINVAL, "set_robust_list", why)?);
    }
    sys.task_mut(t).robust_list = head;
    Ok(0)
}

fn sys_get_robust_list(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let [pid, head_ptr, len_ptr, ..] = call.args;
    let head = traced!(sys, futex::get_robust_list(t, pid as i32))?;
    if !call.wants_out(1) {
        uaccess::put_user_u64(sys, t, len_ptr, ROBUST_LIST_HEAD)?;
        uaccess::put_user_u64(sys, t, head_ptr, head)?;
    }
    sys.set_out(t, Out::Number(head));
    Ok(0)
}
