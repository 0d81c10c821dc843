//! Robust futexes: locks whose owner dies. The owner keeps a list of what it
//! holds in its own memory; the kernel reads it when the task ends or executes
//! another program, marks each word, and wakes one who sleeps on it.
//!
//! ```text
//! struct robust_list_head     word of a lock
//!   0  list.next  ------->      31 FUTEX_WAITERS
//!   8  futex_offset             30 FUTEX_OWNER_DIED
//!  16  list_op_pending           0..29 tid of the owner
//! ```
//!
//! Whatever is wrong with the list ends the walk: it is memory that anybody may
//! have overwritten.
//!
//! Linux: kernel/futex/core.c (exit_robust_list, handle_futex_death),
//! kernel/futex/syscalls.c (get_robust_list).
//! Left out: locks with priority inheritance are marked, but have no kernel side.

use super::{MATCH_ANY, Scope, futex_wake};
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::uaccess::{get_user_u32, get_user_u64, put_user_u32};
use crate::kernel::pid::{find_task_by_vpid, task_pid_vnr};
use crate::kernel::ptrace::ptrace_may_access;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Somebody sleeps on the word.
const FUTEX_WAITERS: u32 = 0x8000_0000;
/// The owner died with the lock.
const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
/// The owner's tid.
const FUTEX_TID_MASK: u32 = 0x3fff_ffff;
/// Entries that are looked at (`ROBUST_LIST_LIMIT`): a list may be a circle.
const ROBUST_LIST_LIMIT: usize = 2048;

/// An entry: its address, and whether it has priority inheritance.
fn fetch_entry(sys: &mut System, task: TaskId, at: u64) -> Result<(u64, bool), SysError> {
    let word = get_user_u64(sys, task, at)?;
    Ok((word & !1, word & 1 != 0))
}

/// Marks what a task that lets go of its memory still holds.
pub fn exit_robust_list(sys: &mut System, task: TaskId) {
    let head = std::mem::take(&mut sys.task_mut(task).robust_list);
    if head == 0 || sys.task(task).mm.is_none() {
        return;
    }
    // What cannot be read ends it.
    let _ = walk(sys, task, head);
}

fn walk(sys: &mut System, task: TaskId, head: u64) -> Result<(), SysError> {
    let (mut entry, mut pi) = fetch_entry(sys, task, head)?;
    let offset = get_user_u64(sys, task, head.wrapping_add(8))?;
    let (pending, pending_pi) = fetch_entry(sys, task, head.wrapping_add(16))?;
    let mut left = ROBUST_LIST_LIMIT;
    while entry != head {
        // Read before the word is marked: then the entry may be anybody's.
        let next = fetch_entry(sys, task, entry);
        if entry != pending {
            handle_futex_death(sys, task, entry.wrapping_add(offset), pi, false)?;
        }
        (entry, pi) = next?;
        left -= 1;
        if left == 0 {
            break;
        }
    }
    if pending != 0 {
        handle_futex_death(sys, task, pending.wrapping_add(offset), pending_pi, true)?;
    }
    Ok(())
}

/// Marks a word that the task owns. `pending`: taking or releasing it was under
/// way, so that nobody may own it and a wake-up may be owed.
fn handle_futex_death(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    pi: bool,
    pending: bool,
) -> Result<(), SysError> {
    if !addr.is_multiple_of(4) {
        return refuse(Errno::EINVAL, "handle_futex_death", "the word is not aligned");
    }
    let word = get_user_u32(sys, task, addr)?;
    let wake = |sys: &mut System| {
        let _ = futex_wake(sys, task, (addr, Scope::Shared), 1, MATCH_ANY);
    };
    let owner = word & FUTEX_TID_MASK;
    if pending && !pi && owner == 0 {
        wake(sys);
        return Ok(());
    }
    if owner != task_pid_vnr(sys, task) as u32 {
        return Ok(());
    }
    put_user_u32(sys, task, addr, word & FUTEX_WAITERS | FUTEX_OWNER_DIED)?;
    if !pi && word & FUTEX_WAITERS != 0 {
        wake(sys);
    }
    Ok(())
}

/// The list of a task; pid 0 is the caller.
///
/// # Errors
/// ESRCH; EPERM: without ptrace access.
pub fn get_robust_list(sys: &mut System, task: TaskId, pid: i32) -> Result<u64, SysError> {
    const F: &str = "get_robust_list";
    let of = match pid {
        0 => Some(task),
        pid => find_task_by_vpid(sys, task, pid),
    };
    let Some(of) = of else { return refuse(Errno::ESRCH, F, "there is no such task") };
    ptrace_may_access(sys, task, of)?;
    Ok(sys.task(of).robust_list)
}
