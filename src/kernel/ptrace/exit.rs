//! The tracer exits: its tracees go back to their real parents, or die.
//!
//! Linux: kernel/ptrace.c (exit_ptrace).
//! Left out: nothing.

use super::attach::__ptrace_detach;
use crate::abi::Signal;
use crate::abi::ptrace::PtraceFlags;
use crate::abi::structs::SigInfo;
use crate::kernel::list;
use crate::kernel::pid::PidType;
use crate::kernel::signal::kill::{KillInfo, do_send_sig_info};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList};

/// Detaches all tracees of an exiting task. Zombies that nobody waits for go
/// into `dead`.
pub fn exit_ptrace(sys: &mut System, tracer: TaskId, dead: &mut Vec<TaskId>) {
    let tracees: Vec<_> =
        list::iter(&sys.kernel.tasks, sys.task(tracer).ptraced, TaskList::Ptraced).collect();
    for p in tracees {
        if sys.task(p).ptrace.contains(PtraceFlags::PT_EXITKILL) {
            let mut info = KillInfo::Given(SigInfo::kernel(Signal::SIGKILL));
            // It may be a zombie already.
            let _ = do_send_sig_info(sys, tracer, Signal::SIGKILL, &mut info, p, PidType::Pid);
        }
        if __ptrace_detach(sys, tracer, p) {
            dead.push(p);
        }
    }
}
