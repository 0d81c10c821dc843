//! Letting go of what fork gave: the mm at exec and exit, the task_struct at
//! the very end.
//!
//! Linux: kernel/fork.c (mm_release, free_task, __put_task_struct).
//! Left out: delayed freeing by RCU; there are no lockless readers here.

use super::copy;
use crate::kernel::cred;
use crate::kernel::futex;
use crate::kernel::kthread;
use crate::kernel::mm::uaccess;
use crate::kernel::sched::core as sched;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// The task stops using its address space (exec or exit): clears and wakes
/// the tid word, and releases the parent of a vfork.
pub fn mm_release(sys: &mut System, task: TaskId) {
    sys.log.enter("mm_release");
    let addr = std::mem::take(&mut sys.task_mut(task).clear_child_tid);
    if addr != 0
        && let Some(mm) = sys.task(task).mm
        // The last user's memory goes away: nobody could see the word.
        && sys.mm(mm).mm_users > 1
    {
        // A bad address is nobody's error here. The wake-up is a shared one:
        // a sleeper with FUTEX_PRIVATE_FLAG misses it.
        let _ = uaccess::put_user_u32(sys, task, addr, 0);
        let _ = futex::futex_wake(sys, task, (addr, futex::Scope::Shared), 1, futex::MATCH_ANY);
    }
    if let Some(done) = sys.task_mut(task).vfork_done.take() {
        sys.log.enter("complete_vfork_done");
        sched::complete(sys, done);
        sys.log.leave("complete_vfork_done");
    }
    kthread::exited(sys, task);
    sys.log.leave("mm_release");
}

/// Frees a task_struct that nobody refers to any more, and what it alone still
/// held (`__put_task_struct`, `free_task`).
pub fn free_task(sys: &mut System, task: TaskId) {
    let t = sys.task(task);
    let (sighand, signal) = (t.sighand, t.signal);
    cred::exit_creds(sys, task);
    copy::__cleanup_sighand(sys, sighand);
    if let Some(id) = signal {
        let s = &mut sys.kernel.signals[id];
        s.sigcnt -= 1;
        if s.sigcnt == 0 {
            sys.kernel.signals.free(id);
        }
    }
    sys.kernel.todo.retain(|t| *t != task);
    sys.kernel.tasks.free(task);
}
