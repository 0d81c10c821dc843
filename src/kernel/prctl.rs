//! prctl(2): settings of a process that have no call of their own.
//!
//! Linux: kernel/sys.c (prctl, propagate_has_child_subreaper),
//! security/commoncap.c (cap_task_prctl).
//! Left out: every operation without an arm below; it is refused by number.

use crate::abi::numbers::*;
use crate::abi::{Errno, Signal};
use crate::kernel::cred::commoncap;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::uaccess::{copy_to_user, strncpy_prefix_from_user};
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList};

const F: &str = "prctl";

/// Length of a task's name with its NUL.
const TASK_COMM_LEN: usize = 16;

/// Stores an int where user mode wants it, and in the outcome.
fn put_int(sys: &mut System, task: TaskId, call: &Call, value: i32) -> Result<i64, SysError> {
    if !call.wants_out(1) {
        copy_to_user(sys, task, call.args[1], &value.to_le_bytes())?;
    }
    sys.set_out(task, Out::Number(value as u64));
    Ok(0)
}

/// Runs an operation; the value is what prctl returns.
pub fn prctl(sys: &mut System, task: TaskId, call: &Call) -> Result<i64, SysError> {
    let [option, arg2, arg3, arg4, arg5, _] = call.args;
    // The parameter is an int: the upper half of the register is not looked at.
    let op = option as u32;
    match op {
        PR_SET_PDEATHSIG => {
            let sig = i32::try_from(arg2).ok().filter(|s| *s == 0 || Signal::new(*s).is_some());
            let Some(sig) = sig else {
                return refuse(Errno::EINVAL, F, "there is no signal with this number (0 to 64)");
            };
            sys.task_mut(task).pdeath_signal = sig;
            Ok(0)
        }
        PR_GET_PDEATHSIG => {
            let sig = sys.task(task).pdeath_signal;
            put_int(sys, task, call, sig)
        }
        PR_GET_DUMPABLE => Ok(sys.task_mm(task).map_or(0, |m| i64::from(sys.mm(m).dumpable))),
        PR_SET_DUMPABLE => {
            if arg2 > 1 {
                return refuse(
                    Errno::EINVAL,
                    F,
                    "dumpable can be set to 0 or 1 (2 is the kernel's)",
                );
            }
            if let Some(mm) = sys.task_mm(task) {
                sys.mm_mut(mm).dumpable = arg2 as u32;
            }
            Ok(0)
        }
        PR_SET_NAME => {
            let name = match &call.payload {
                Payload::Text(s) => s.to_string(),
                // A longer name is cut, not refused.
                _ => strncpy_prefix_from_user(sys, task, arg2, TASK_COMM_LEN - 1)?,
            };
            sys.task_mut(task).set_comm(&name);
            Ok(0)
        }
        PR_GET_NAME => {
            let t = sys.task(task);
            let (comm, text) = (t.comm, t.comm());
            if !call.wants_out(1) {
                copy_to_user(sys, task, arg2, &comm)?;
            }
            sys.set_out(task, Out::Text(text));
            Ok(0)
        }
        PR_SET_TIMERSLACK => {
            let t = sys.task_mut(task);
            // 0 goes back to what the task was born with.
            t.timer_slack_ns = if arg2 == 0 { t.default_timer_slack_ns } else { arg2 };
            Ok(0)
        }
        PR_GET_TIMERSLACK => Ok(sys.task(task).timer_slack_ns as i64),
        PR_SET_CHILD_SUBREAPER => {
            sys.signal_mut(task).is_child_subreaper = arg2 != 0;
            if arg2 != 0 {
                propagate_has_child_subreaper(sys, task);
            }
            Ok(0)
        }
        PR_GET_CHILD_SUBREAPER => {
            let is = i32::from(sys.signal(task).is_child_subreaper);
            put_int(sys, task, call, is)
        }
        PR_SET_NO_NEW_PRIVS => {
            if (arg2, arg3, arg4, arg5) != (1, 0, 0, 0) {
                let why = "no_new_privs can only be set to 1, with the other arguments 0";
                return refuse(Errno::EINVAL, F, why);
            }
            sys.task_mut(task).no_new_privs = true;
            Ok(0)
        }
        PR_GET_NO_NEW_PRIVS => {
            if (arg2, arg3, arg4, arg5) != (0, 0, 0, 0) {
                return refuse(Errno::EINVAL, F, "the unused arguments must be 0");
            }
            Ok(i64::from(sys.task(task).no_new_privs))
        }
        PR_GET_TID_ADDRESS => {
            let at = sys.task(task).clear_child_tid;
            if !call.wants_out(1) {
                copy_to_user(sys, task, arg2, &at.to_le_bytes())?;
            }
            sys.set_out(task, Out::Number(at));
            Ok(0)
        }
        PR_CAPBSET_READ => commoncap::capbset_read(sys, task, arg2),
        PR_CAPBSET_DROP => commoncap::capbset_drop(sys, task, arg2),
        PR_GET_SECUREBITS => Ok(i64::from(sys.cred(task).securebits)),
        PR_SET_SECUREBITS => commoncap::set_securebits(sys, task, arg2),
        // A filter cannot be installed, so the mode is always SECCOMP_MODE_DISABLED.
        PR_GET_SECCOMP => Ok(0),
        PR_GET_KEEPCAPS => Ok(i64::from(sys.cred(task).issecure(SECBIT_KEEP_CAPS))),
        PR_SET_KEEPCAPS => commoncap::set_keepcaps(sys, task, arg2),
        PR_CAP_AMBIENT => commoncap::cap_ambient(sys, task, arg2, arg3, [arg4, arg5]),
        _ => unknown(op),
    }
}

fn unknown(option: u32) -> Result<i64, SysError> {
    let known = PR_NAMES.iter().take_while(|(n, _)| *n != "PR_CAP_AMBIENT_IS_SET");
    let name = known.into_iter().find(|(_, v)| *v == i64::from(option));
    let name = name.map_or(format!("{option}"), |(n, _)| format!("{n} ({option})"));
    Err(SysError::with(Errno::EINVAL, F, format!("unknown or not modelled: prctl option {name}")))
}

/// Marks all descendants as having a subreaper above them, except below
/// those that have one already or are the init of a pid namespace: there the
/// search for a new parent ends (`propagate_has_child_subreaper`).
fn propagate_has_child_subreaper(sys: &mut System, task: TaskId) {
    let mut todo: Vec<TaskId> = crate::kernel::signal::threads(sys, task).to_vec();
    while let Some(parent) = todo.pop() {
        let mut at = sys.task(parent).children.first;
        while let Some(child) = at {
            let c = sys.task(child);
            at = c.links[TaskList::Sibling as usize].next;
            let Some(signal) = c.signal else { continue };
            let is_init = c
                .thread_pid
                .is_some_and(|p| sys.kernel.pids[p].numbers.last().is_some_and(|n| n.nr == 1));
            if sys.kernel.signals[signal].has_child_subreaper || is_init {
                continue;
            }
            sys.kernel.signals[signal].has_child_subreaper = true;
            todo.extend(crate::kernel::signal::threads(sys, child));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::abi::Errno::*;
    use crate::kernel::syscalls::Payload;
    use crate::kernel::testing::{World, world};

    #[test]
    fn prctl_settings() {
        let mut w = world();
        let t = w.fork(w.init);
        for (args, errno) in [
            ([1, 65, 0, 0, 0], EINVAL),
            ([1, u64::MAX, 0, 0, 0], EINVAL),
            ([38, 0, 0, 0, 0], EINVAL),
            ([38, 1, 1, 0, 0], EINVAL),
            ([39, 1, 0, 0, 0], EINVAL),
            ([22, 1, 0, 0, 0], EINVAL),
            ([9999, 0, 0, 0, 0], EINVAL),
        ] {
            assert_eq!(w.refused(t, "prctl", &args), errno, "{args:?}");
        }
        w.call(t, "prctl", &[1, 64]);
        assert_eq!(w.call(t, "prctl", &[0x1_0000_0003]), 1, "the option is an int");
        w.try_with(t, "prctl", &[15], Payload::Text("a name that is too long".into())).unwrap();
        assert_eq!(w.sys.task(t).comm(), "a name that is ");
        w.call(t, "prctl", &[29, 7]);
        assert_eq!(w.call(t, "prctl", &[30]), 7);
        w.call(t, "prctl", &[29, 0]);
        assert_eq!(w.call(t, "prctl", &[30]), 50_000);
        // A subreaper marks all that is below it.
        let (c, other) = (w.fork(t), w.fork(w.init));
        let g = w.fork(c);
        w.call(t, "prctl", &[36, 1]);
        let has = |w: &World, t| w.sys.signal(t).has_child_subreaper;
        assert!(has(&w, c) && has(&w, g) && !has(&w, other) && !has(&w, t));
        let born = w.fork(g);
        assert!(has(&w, born));
    }
}
