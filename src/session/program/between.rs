//! Blocking all signals between two calls, as the tasks do that the host's side
//! of a comparison drives.
//!
//! ```text
//! in user mode, all blocked ─► window: its own mask ─► the call ─► all blocked
//!                                 └─ signals are taken here (Want::GoOn)
//! ```
//!
//! It shows where several threads could take a signal: one that is between two
//! calls is passed over, and a signal that the process ignores stays pending.
//!
//! Linux: rt_sigprocmask(2) before and after each call. Left out: programs that
//! nobody compares; their masks are their own.

use super::{Body, Programs};
use crate::abi::SigSet;
use crate::kernel::signal::pending::set_current_blocked;
use crate::kernel::task::TaskId;

impl Programs {
    /// Those in user mode block all signals.
    pub(super) fn mask_between_calls(&mut self) {
        if !self.masks_between_calls {
            return;
        }
        let unmasked = |(_, body): &(&TaskId, &Body)| body.mask.is_none();
        let tasks: Vec<TaskId> =
            self.bodies.iter().filter(unmasked).map(|(task, _)| *task).collect();
        for task in tasks {
            let body = self.bodies.get_mut(&task).expect("it is listed");
            if body.top().waits.is_none() && self.system.is_in_user_mode(task) {
                body.mask = Some(self.system.task(task).blocked);
                set_current_blocked(&mut self.system, task, SigSet::ALL);
            }
        }
    }

    /// The window opens: a task has its own mask again.
    pub(super) fn unmask(&mut self, task: TaskId) {
        if let Some(mask) = self.bodies.get_mut(&task).and_then(|body| body.mask.take()) {
            set_current_blocked(&mut self.system, task, mask);
        }
    }

    /// Whether a task will take a signal when the window opens.
    pub(super) fn has_masked_signal(&self, task: TaskId) -> bool {
        let Some(mask) = self.body(task).and_then(|body| body.mask) else { return false };
        let t = self.system.task(task);
        let shared =
            t.signal.map_or(SigSet::EMPTY, |s| self.system.kernel.signals[s].shared_pending.signal);
        !t.pending.signal.or(shared).minus(mask).is_empty()
    }
}
