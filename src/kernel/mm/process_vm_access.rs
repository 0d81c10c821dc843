//! process_vm_readv(2), process_vm_writev(2): bytes from one address space to
//! another, without a tracer's stops.
//!
//! ```text
//! local   [ buffer 0 | buffer 1 ]        import_iovec: in user memory, up to 2 GiB
//!              ^  v
//! remote  [ place 0 | place 1 | ... ]    page by page, as far as the area allows it
//! ```
//!
//! What was moved before a fault counts; only a fault of the first byte is an error.
//! Nobody looks for the process if there is nothing to move.
//!
//! Linux: mm/process_vm_access.c (process_vm_rw, process_vm_rw_core,
//! process_vm_rw_single_vec); kernel/fork.c (mm_access).
//! Left out: machines without MMU, which have not these calls.

use crate::abi::Errno;
use crate::base::PAGE_SIZE;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::uio::{Dest, Iovec, Source, import_iovec, iovec_from_user};
use crate::kernel::mm::MmId;
use crate::kernel::mm::gup::user_page;
use crate::kernel::pid::find_task_by_vpid;
use crate::kernel::ptrace::ptrace_may_access;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the other process.
    Read,
    /// To it.
    Write,
}

/// Buffers of a call: the list's address and how many there are.
pub type List = (u64, u64);

/// The address space of a process, for somebody who may attach to it (`mm_access`).
fn mm_access(sys: &mut System, current: TaskId, pid: i32) -> Result<MmId, SysError> {
    const F: &str = "mm_access";
    let Some(task) = find_task_by_vpid(sys, current, pid) else {
        return refuse(Errno::ESRCH, "find_get_task_by_vpid", "no task has this pid");
    };
    let Some(mm) = sys.task_mm(task) else {
        return refuse(Errno::ESRCH, F, "the task has no memory of its own (any more)");
    };
    if sys.task_mm(current) != Some(mm) {
        // EACCES, which this call makes EPERM.
        ptrace_may_access(sys, current, task)?;
    }
    Ok(mm)
}

/// Moves bytes between buffers of `current` and places of another process
/// (`process_vm_rw`).
///
/// # Errors
/// EINVAL: flags; more than 1024 buffers, a length below zero. EFAULT: a list, or
/// the first byte on either side. ESRCH; EPERM: as for ptrace(2).
pub fn process_vm_rw(
    sys: &mut System,
    current: TaskId,
    pid: i32,
    local: List,
    remote: List,
    flags: u64,
    way: Way,
) -> Result<i64, SysError> {
    const F: &str = "process_vm_rw";
    if !sys.machine.config.mmu {
        return refuse(Errno::ENOSYS, F, "CROSS_MEMORY_ATTACH depends on MMU");
    }
    if flags != 0 {
        return refuse(Errno::EINVAL, F, "no flag is defined");
    }
    let local = import_iovec(sys, current, local.0, local.1)?;
    if local.iter().all(|(_, len)| *len == 0) {
        return Ok(0);
    }
    let remote = iovec_from_user(sys, current, remote.0, remote.1)?;
    if remote.iter().all(|(_, len)| *len == 0) {
        return Ok(0);
    }
    let mm = mm_access(sys, current, pid)?;
    let mut moved = Moved { current, mm, local, way, done: 0 };
    match moved.all(sys, &remote) {
        Err(e) if moved.done == 0 => Err(e),
        _ => Ok(moved.done as i64),
    }
}

/// A transfer, so far.
struct Moved {
    current: TaskId,
    mm: MmId,
    local: Vec<Iovec>,
    way: Way,
    done: u64,
}

impl Moved {
    fn all(&mut self, sys: &mut System, remote: &[Iovec]) -> Result<(), SysError> {
        let wanted: u64 = self.local.iter().map(|(_, len)| len).sum();
        for &(start, len) in remote {
            let mut at = 0;
            while at < len && self.done < wanted {
                let addr = start.wrapping_add(at);
                let n = (PAGE_SIZE - addr % PAGE_SIZE).min(len - at).min(wanted - self.done);
                let moved = self.piece(sys, addr, n as usize)?;
                at += moved;
                self.done += moved;
                if moved < n {
                    let why = "a buffer of the caller ends in memory that is not there";
                    return refuse(Errno::EFAULT, "copy_page_to_iter", why);
                }
            }
        }
        Ok(())
    }

    /// Moves bytes of one page of the other process; fewer if a buffer faults.
    fn piece(&self, sys: &mut System, addr: u64, n: usize) -> Result<u64, SysError> {
        let page = |sys: &mut System| {
            user_page(sys, self.current, self.mm, addr, self.way == Way::Write)
                .map_err(|why| SysError::with(Errno::EFAULT, "pin_user_pages_remote", why))
        };
        let mut bytes = vec![0; n];
        let moved = match self.way {
            Way::Read => {
                let at = page(sys)?;
                sys.machine.mem.read(at, &mut bytes);
                let mut to = Dest::Vec(self.local.clone());
                to.put_partial(sys, self.current, self.done, &bytes)?
            }
            Way::Write => {
                // The page is had first, and last: the buffers' faults may move it.
                page(sys)?;
                let from = Source::Vec(&self.local);
                let copied = from.copy_partial(sys, self.current, self.done, &mut bytes)?;
                let at = page(sys)?;
                sys.machine.mem.write(at, &bytes[..copied]);
                copied
            }
        };
        Ok(moved as u64)
    }
}
