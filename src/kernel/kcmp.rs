//! kcmp(2): whether two processes share a resource.
//!
//! The answer is an order: 0 for the same, 1 and 2 for less and greater, so that
//! a checkpointer can sort what it finds. Linux hides addresses behind a random
//! factor; here the order is that of the names of the objects.
//!
//! Linux: kernel/kcmp.c (SYSCALL_DEFINE5(kcmp), kcmp_ptr).
//! Left out: KCMP_EPOLL_TFD (refused).

use std::cmp::Ordering;

use crate::abi::Errno;
use crate::base::Id;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::fdtable::fget;
use crate::kernel::pid::find_task_by_vpid;
use crate::kernel::ptrace::ptrace_may_access;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const F: &str = "kcmp";

/// Compares what two tasks have: `kind` is a `KCMP_*`, the indices are
/// descriptors for KCMP_FILE.
///
/// # Errors
/// ESRCH; EPERM: as for ptrace(2). EINVAL: an unknown kind. EBADF. EOPNOTSUPP:
/// a kind that is not modelled.
pub fn kcmp(
    sys: &mut System,
    current: TaskId,
    pids: [i32; 2],
    kind: i32,
    fds: [u64; 2],
) -> Result<i64, SysError> {
    let mut tasks = [current; 2];
    for (task, pid) in tasks.iter_mut().zip(pids) {
        match find_task_by_vpid(sys, current, pid) {
            Some(found) => *task = found,
            None => return refuse(Errno::ESRCH, F, "no task has this pid"),
        }
    }
    for task in tasks {
        ptrace_may_access(sys, current, task)?;
    }
    let [a, b] = tasks.map(|t| sys.task(t));
    fn bits<T>(id: Option<Id<T>>) -> Option<u64> {
        id.map(Id::to_bits)
    }
    let order = match kind {
        0 => {
            let file = |i: usize| match i32::try_from(fds[i]) {
                Ok(fd) => fget(sys, tasks[i], fd),
                Err(_) => refuse(Errno::EBADF, F, "there is no descriptor with this number"),
            };
            file(0)?.to_bits().cmp(&file(1)?.to_bits())
        }
        1 => bits(a.mm).cmp(&bits(b.mm)),
        2 => bits(a.files).cmp(&bits(b.files)),
        3 => bits(a.fs).cmp(&bits(b.fs)),
        4 => bits(a.sighand).cmp(&bits(b.sighand)),
        5 => a.io_context.cmp(&b.io_context),
        6 => a.sysvsem.cmp(&b.sysvsem),
        7 => return refuse(Errno::EOPNOTSUPP, F, "KCMP_EPOLL_TFD is not modelled"),
        _ => return refuse(Errno::EINVAL, F, "there is nothing of this kind to compare"),
    };
    Ok(match order {
        Ordering::Equal => 0,
        Ordering::Less => 1,
        Ordering::Greater => 2,
    })
}
