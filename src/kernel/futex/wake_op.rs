//! FUTEX_WAKE_OP: change one word and wake on two, in one call.
//!
//! ```text
//! 31      28 27 24 23      12 11       0
//! shift op   cmp   operand    argument of the comparison
//! ```
//!
//! Linux: kernel/futex/waitwake.c (futex_wake_op, futex_atomic_op_inuser).
//! Left out: nothing.

use super::{MATCH_ANY, Scope, get_futex_key, wake_key};
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::uaccess::{get_user_u32, put_user_u32};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Changes the word at `to`, wakes up to `nr_wake` sleepers of the one at
/// `from`, and, if what was at `to` compares so, up to `nr_wake2` of `to`.
///
/// # Errors
/// EINVAL, EFAULT of the addresses; ENOSYS: an unknown operation or comparison.
pub fn futex_wake_op(
    sys: &mut System,
    task: TaskId,
    scope: Scope,
    (from, to): (u64, u64),
    (nr_wake, nr_wake2): (i32, i32),
    encoded: u32,
) -> Result<i64, SysError> {
    let key = get_futex_key(sys, task, from, scope)?;
    let other = get_futex_key(sys, task, to, scope)?;
    let also = atomic_op(sys, task, to, encoded)?;
    let mut woken = wake_key(sys, key, nr_wake, MATCH_ANY);
    if also {
        woken += wake_key(sys, other, nr_wake2, MATCH_ANY);
    }
    Ok(woken)
}

/// A field of 12 bits with a sign.
fn signed(field: u32) -> i32 {
    ((field << 20) as i32) >> 20
}

/// The change, and whether the comparison with what was there holds.
fn atomic_op(sys: &mut System, task: TaskId, addr: u64, encoded: u32) -> Result<bool, SysError> {
    const F: &str = "futex_atomic_op_inuser";
    let (op, cmp) = (encoded >> 28 & 7, encoded >> 24 & 15);
    let mut operand = signed(encoded >> 12 & 0xfff);
    let argument = signed(encoded & 0xfff);
    if encoded >> 31 != 0 {
        operand = 1 << (operand & 31);
    }
    let old = get_user_u32(sys, task, addr)?;
    let new = match op {
        0 => operand as u32,
        1 => old.wrapping_add(operand as u32),
        2 => old | operand as u32,
        3 => old & !operand as u32,
        4 => old ^ operand as u32,
        _ => return refuse(Errno::ENOSYS, F, "there is no such operation"),
    };
    put_user_u32(sys, task, addr, new)?;
    let old = old as i32;
    Ok(match cmp {
        0 => old == argument,
        1 => old != argument,
        2 => old < argument,
        3 => old <= argument,
        4 => old > argument,
        5 => old >= argument,
        _ => return refuse(Errno::ENOSYS, F, "there is no such comparison"),
    })
}
