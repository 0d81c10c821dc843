//! futex(2): sleep while a word has a value, and wake who sleeps on it.
//!
//! ```text
//! wait     word still as expected? sleep, under a set of bits
//! wake     the longest sleepers whose bits meet the waker's
//! requeue  let others sleep on, on another word        `requeue`
//! wake_op  change a word, wake on two                  `wake_op`
//! robust   words that an owner held when it died       `robust`
//! ```
//!
//! Linux: kernel/futex/{core,waitwake,syscalls}.c.
//! Left out: priority inheritance (refused by name), futex_waitv, NUMA.

mod requeue;
mod robust;
mod wake_op;

pub use requeue::futex_requeue;
pub use robust::{exit_robust_list, get_robust_list};
pub use wake_op::futex_wake_op;

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

/// `FUTEX_BITSET_MATCH_ANY`.
pub const MATCH_ANY: u32 = u32::MAX;

/// The bits under which a task sleeps.
fn bitset_of(sys: &System, task: TaskId) -> u32 {
    let t = sys.task(task);
    let Some(resume) = t.resume.as_deref() else { return MATCH_ANY };
    match (resume.call.nr, &t.restart_block) {
        (NR_RESTART_SYSCALL, RestartBlock::Futex { bitset, .. }) => *bitset,
        (NR_FUTEX, _) if resume.call.args[1] as u32 & CMD_MASK == FUTEX_WAIT_BITSET => {
            resume.call.args[5] as u32
        }
        _ => MATCH_ANY,
    }
}

const NR_FUTEX: u32 = 202;
const NR_RESTART_SYSCALL: u32 = 219;
/// What of an operation is no flag (`FUTEX_CMD_MASK`).
pub const CMD_MASK: u32 = !(128 | 256);
/// FUTEX_WAIT_BITSET.
pub const FUTEX_WAIT_BITSET: u32 = 9;

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

/// FUTEX_WAIT, FUTEX_WAIT_BITSET: sleeps if the word still has the expected
/// value, until somebody wakes one of the bits.
///
/// Sleeps until `deadline` at the latest, in ns on the monotonic clock.
///
/// Errors: EAGAIN (another value), ETIMEDOUT, EINVAL, EFAULT, ERESTARTSYS,
/// with a deadline ERESTART_RESTARTBLOCK.
pub fn futex_wait(
    sys: &mut System,
    task: TaskId,
    (addr, scope): (u64, Scope),
    expected: u32,
    deadline: Option<u64>,
    bitset: u32,
) -> SysResult {
    const F: &str = "futex_wait";
    if bitset == 0 {
        return Err(no_bits().into());
    }
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
        let block = RestartBlock::Futex { addr, scope, expected, expires, bitset };
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

fn no_bits() -> SysError {
    SysError::new(Errno::EINVAL, "futex", "a set of no bits meets nobody's")
}

/// FUTEX_WAKE, FUTEX_WAKE_BITSET: wakes up to `n` sleepers with a bit of
/// `bitset`, longest first, but one even when `n` is 0 or negative; gives their
/// number.
///
/// Errors: EINVAL, EFAULT of the word's address.
pub fn futex_wake(
    sys: &mut System,
    task: TaskId,
    (addr, scope): (u64, Scope),
    n: i32,
    bitset: u32,
) -> Result<i64, SysError> {
    if bitset == 0 {
        return Err(no_bits());
    }
    let key = get_futex_key(sys, task, addr, scope)?;
    Ok(wake_key(sys, key, n, bitset))
}

/// Who sleeps on a word under one of some bits, longest first.
fn sleepers(sys: &System, key: FutexKey, bitset: u32) -> Vec<TaskId> {
    let Some(q) = sys.kernel.futex_queues.get(&key) else { return Vec::new() };
    // WaitQueueHead puts newcomers first.
    let all = q.entries.iter().rev().map(|e| e.task);
    all.filter(|t| bitset_of(sys, *t) & bitset != 0).collect()
}

/// Wakes sleepers of a word. They are counted after each wake-up
/// (`++ret >= nr_wake`), hence at least one.
fn wake_key(sys: &mut System, key: FutexKey, n: i32, bitset: u32) -> i64 {
    let mut chosen = sleepers(sys, key, bitset);
    chosen.truncate(n.max(1) as usize);
    for t in &chosen {
        wake_one(sys, key, *t);
    }
    chosen.len() as i64
}

/// Takes a sleeper off its word and wakes it.
fn wake_one(sys: &mut System, key: FutexKey, task: TaskId) {
    if let Some(r) = sys.task_mut(task).resume.as_deref_mut() {
        r.note = WOKEN;
    }
    unqueue(sys, key, task);
    wake_up_process(sys, task);
}

/// A queue exists as long as someone is on it.
fn unqueue(sys: &mut System, key: FutexKey, task: TaskId) {
    let Some(q) = sys.kernel.futex_queues.get_mut(&key) else { return };
    q.remove(task);
    if q.entries.is_empty() {
        sys.kernel.futex_queues.remove(&key);
    }
}

/// `Resume::note` of a sleeper that FUTEX_WAKE has chosen: a wake-up without it
/// is spurious.
pub const WOKEN: u64 = 1;
