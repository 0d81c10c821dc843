//! futex(2) to the depth that thread exit and join need: wait and wake on a
//! word.
//!
//! Linux: kernel/futex/{core,waitwake}.c.
//! Left out: requeue, priority inheritance, bitsets, robust lists' repair;
//! each is refused by name.

use crate::abi::Errno;
use crate::base::PAGE_SHIFT;
use crate::kernel::error::{Stop, SysError, SysResult, refuse};
use crate::kernel::mm::filemap::file_inode;
use crate::kernel::mm::populate::faultin_page;
use crate::kernel::mm::{VmFlags, layout, pgtable, uaccess, vma};
use crate::kernel::nanosleep::RestartBlock;
use crate::kernel::sched::core::wake_up_process;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::{FutexKey, FutexKind, Wait, WaitOn};
use crate::machine::PageFlags;

/// Whether a call says that only its own process uses the word
/// (FUTEX_PRIVATE_FLAG). The two kinds never meet, not even at one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Keyed by mm and address; the memory is not looked at.
    Private,
    /// Keyed by what is mapped there.
    Shared,
}

/// Identifies a futex word of `task` (`get_futex_key`). A shared one is found
/// by inode and offset in a shared mapping or a file, wherever that is mapped
/// and also when the page has moved; else by mm and address, but apart from the
/// private ones.
///
/// Errors: EINVAL (unaligned); EFAULT: no user address, and for a shared one
/// nothing mapped, or anonymous memory that can only be read.
fn get_futex_key(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    scope: Scope,
) -> Result<FutexKey, SysError> {
    const F: &str = "get_futex_key";
    if !addr.is_multiple_of(4) {
        return refuse(Errno::EINVAL, F, "a futex word must be aligned to 4 bytes");
    }
    if addr >= layout::task_size(sys) {
        return refuse(Errno::EFAULT, F, "the address is none of user space");
    }
    let mm = sys.task(task).mm.expect("a user task has an mm");
    let space = mm.to_bits();
    if scope == Scope::Private || !sys.machine.config.mmu {
        return Ok(FutexKey { kind: FutexKind::Private, object: space, offset: addr });
    }
    let area = vma::find_vma_intersection(sys.mm(mm), addr, addr + 1)
        .map(|v| (v.vm_flags, v.vm_file, (v.vm_pgoff << PAGE_SHIFT) + (addr - v.vm_start)));
    let writable = area.is_some_and(|(f, ..)| f.contains(VmFlags::WRITE));
    let readable = area.is_some_and(|(f, ..)| f.contains(VmFlags::READ));
    // As if it were written to, so that the word cannot move by copy-on-write
    // while someone sleeps on it.
    if !(writable || readable) || faultin_page(sys, task, mm, addr, writable).is_err() {
        return refuse(Errno::EFAULT, F, "the memory of the word cannot be accessed");
    }
    let pfn = pgtable::lookup(sys, mm, addr).map(|(_, pte)| pte.pfn());
    let Some(pfn) = pfn else {
        return refuse(Errno::EFAULT, F, "no page is mapped at the word");
    };
    let anon = sys.machine.mem.page(pfn).flags.contains(PageFlags::ANON);
    // A private mapping's page is the file's own until it is written to.
    if !anon
        && pfn != sys.kernel.zero_page
        && let Some((_, Some(file), offset)) = area
        && let Some(inode) = file_inode(sys, file)
    {
        return Ok(FutexKey { kind: FutexKind::Inode, object: inode.to_bits(), offset });
    }
    if !writable {
        return refuse(Errno::EFAULT, F, "anonymous memory that is only read never changes");
    }
    Ok(FutexKey { kind: FutexKind::SharedMm, object: space, offset: addr })
}

/// FUTEX_WAIT: sleeps if the word still has the expected value.
///
/// Sleeps until `deadline` at the latest, in ns on the monotonic clock.
///
/// Errors: EAGAIN (another value), ETIMEDOUT, EINVAL, EFAULT, ERESTARTSYS,
/// with a deadline ERESTART_RESTARTBLOCK.
pub fn futex_wait(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    scope: Scope,
    expected: u32,
    deadline: Option<u64>,
) -> SysResult {
    const F: &str = "futex_wait";
    let resume = sys.task(task).resume.as_deref();
    if resume.is_some_and(|r| r.note == WOKEN) {
        return Ok(0);
    }
    // A relative timeout was counted from the first time.
    let deadline = resume.map_or(deadline, |r| r.wait.deadline);
    // What it sleeps on is settled; the memory may be gone meanwhile.
    let queue = resume.and_then(|r| match r.wait.on {
        WaitOn::Futex(key) => Some(key),
        _ => None,
    });
    let slept = queue.is_some();
    let key = match queue {
        Some(key) => key,
        None => get_futex_key(sys, task, addr, scope)?,
    };
    if slept && deadline.is_some_and(|d| d <= sys.machine.clock.now()) {
        let why = "the timeout passed and nobody woke the sleeper";
        return Err(SysError::new(Errno::ETIMEDOUT, F, why).into());
    }
    if slept && sys.task(task).sigpending {
        let Some(expires) = deadline else {
            return Err(SysError::new(Errno::ERESTARTSYS, F, "a signal came first").into());
        };
        let block = RestartBlock::Futex { addr, scope, expected, expires };
        sys.task_mut(task).restart_block = block;
        let why = "a signal came first; the wait goes on unless a handler runs";
        return Err(SysError::new(Errno::ERESTART_RESTARTBLOCK, F, why).into());
    }
    if !slept && uaccess::get_user_u32(sys, task, addr)? != expected {
        return Err(SysError::new(
            Errno::EAGAIN,
            "futex_wait_setup",
            "the word no longer holds the expected value",
        )
        .into());
    }
    if deadline.is_some_and(|d| d <= sys.machine.clock.now()) {
        let why = "the timeout has passed already";
        return Err(SysError::new(Errno::ETIMEDOUT, F, why).into());
    }
    Err(Stop::Block(Wait { deadline, ..Wait::interruptible(WaitOn::Futex(key)) }))
}

/// FUTEX_WAKE: wakes up to `n` sleepers, longest first, but one even when `n`
/// is 0 or negative; gives their number.
///
/// Errors: EINVAL, EFAULT of the word's address.
pub fn futex_wake(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    scope: Scope,
    n: i32,
) -> Result<i64, SysError> {
    let key = get_futex_key(sys, task, addr, scope)?;
    let Some(q) = sys.kernel.futex_queues.get(&key) else { return Ok(0) };
    // Counted after each wake-up (`++ret >= nr_wake`), hence at least one.
    let n = n.max(1) as usize;
    // WaitQueueHead puts newcomers first.
    let sleepers: Vec<_> = q.entries.iter().rev().take(n).map(|e| e.task).collect();
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
    Ok(woken)
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
