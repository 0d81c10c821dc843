//! futex(2) to the depth that thread exit and join need: wait and wake on a
//! word.
//!
//! Linux: kernel/futex/{core,waitwake}.c.
//! Left out: requeue, priority inheritance, bitsets, robust lists' repair;
//! each is refused by name.

use crate::abi::Errno;
use crate::base::Pfn;
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::mm::{MmId, VmFlags, pgtable, uaccess, vma};
use crate::kernel::sched::core::wake_up_process;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::{FutexKey, Wait, WaitOn};

/// Identifies a futex word of `task` (`get_futex_key`). All sharers of an mm
/// agree on it; words in shared mappings are told apart by their frame.
fn get_futex_key(sys: &mut System, task: TaskId, addr: u64) -> Result<FutexKey, SysError> {
    if !addr.is_multiple_of(4) {
        return refuse(Errno::EINVAL, "get_futex_key", "a futex word must be aligned to 4 bytes");
    }
    uaccess::get_user_u32(sys, task, addr)?;
    let mm = sys.task(task).mm.expect("a user task has an mm");
    match shared_frame(sys, mm, addr) {
        Some(pfn) => Ok(FutexKey { object: u64::from(pfn.0), shared: true, offset: addr & 0xfff }),
        None => Ok(FutexKey { object: mm.to_bits(), shared: false, offset: addr }),
    }
}

/// The frame of a word that lies in a shared mapping.
fn shared_frame(sys: &System, mm: MmId, addr: u64) -> Option<Pfn> {
    let vma = vma::find_vma_intersection(sys.mm(mm), addr, addr + 1)?;
    if !vma.vm_flags.contains(VmFlags::SHARED) {
        return None;
    }
    pgtable::lookup(sys, mm, addr).map(|(_, pte)| pte.pfn())
}

/// FUTEX_WAIT: sleeps if the word still has the expected value.
///
/// Errors: EAGAIN (another value), EINVAL, EFAULT, ERESTARTSYS.
pub fn futex_wait(sys: &mut System, task: TaskId, addr: u64, expected: u32) -> SysResult {
    let resume = sys.task(task).resume.as_deref();
    if resume.is_some_and(|r| r.note == WOKEN) {
        return Ok(0);
    }
    // What it sleeps on is settled; the memory may be gone meanwhile.
    let queue = resume.and_then(|r| match r.wait.on {
        WaitOn::Futex(key) => Some(key),
        _ => None,
    });
    let slept = queue.is_some();
    let key = match queue {
        Some(key) => key,
        None => get_futex_key(sys, task, addr)?,
    };
    if slept && sys.task(task).sigpending {
        return Err(SysError::new(Errno::ERESTARTSYS, "futex_wait", "a signal came first").into());
    }
    if !slept && uaccess::get_user_u32(sys, task, addr)? != expected {
        return Err(SysError::new(
            Errno::EAGAIN,
            "futex_wait_setup",
            "the word no longer holds the expected value",
        )
        .into());
    }
    Err(Stop::Block(Wait::interruptible(WaitOn::Futex(key))))
}

/// FUTEX_WAKE: wakes up to `n` sleepers, longest first; gives their number.
pub fn futex_wake(sys: &mut System, task: TaskId, addr: u64, n: u32) -> i64 {
    let Ok(key) = get_futex_key(sys, task, addr) else { return 0 };
    let Some(q) = sys.kernel.futex_queues.get(&key) else { return 0 };
    // WaitQueueHead puts newcomers first.
    let sleepers: Vec<_> = q.entries.iter().rev().take(n as usize).map(|e| e.task).collect();
    let woken = sleepers.len() as i64;
    for t in sleepers {
        if let Some(r) = sys.task_mut(t).resume.as_deref_mut() {
            r.note = WOKEN;
        }
        if let Some(q) = sys.kernel.futex_queues.get_mut(&key) {
            q.remove(t);
        }
        wake_up_process(sys, t);
    }
    if sys.kernel.futex_queues.get(&key).is_some_and(|q| q.entries.is_empty()) {
        sys.kernel.futex_queues.remove(&key);
    }
    woken
}

/// `Resume::note` of a sleeper that FUTEX_WAKE has chosen: a wake-up without it
/// is spurious.
pub const WOKEN: u64 = 1;

/// A task that dies while it holds robust futexes should mark them; the list
/// can only be given by set_robust_list, which refuses anything but an empty
/// one, so there is nothing to walk.
pub fn exit_robust_list(sys: &mut System, task: TaskId) {
    sys.task_mut(task).robust_list = 0;
}
