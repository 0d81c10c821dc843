//! What tests of the process core use: a booted system and calls by name.
//!
//! Linux: none. Left out: everything that is not needed to say "this task
//! makes that call, and Linux would answer so".

use crate::abi::nr::syscall_number;
use crate::abi::{Errno, Signal};
use crate::kernel::boot::{BootConfig, boot};
use crate::kernel::check::invariants;
use crate::kernel::entry::{self, Entered};
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// A booted system and its first process.
pub struct World {
    pub sys: System,
    pub init: TaskId,
}

/// Boots the default machine.
pub fn world() -> World {
    let sys = boot(&BootConfig::default()).expect("the default machine boots");
    let init = sys.kernel.init_process;
    World { sys, init }
}

impl World {
    /// Makes a call and says how it ended.
    pub fn enter(&mut self, t: TaskId, name: &str, args: &[u64], payload: Payload) -> Entered {
        let nr = syscall_number(name).expect("a name of a system call");
        let e = entry::syscall(&mut self.sys, t, Call::with(nr, args, payload));
        assert_eq!(self.sys.kernel.oops, None, "after {name}");
        self.recount();
        e.expect("the task can act")
    }

    /// The value or errno of a call that returns.
    pub fn try_call(&mut self, t: TaskId, name: &str, args: &[u64]) -> Result<i64, Errno> {
        self.try_with(t, name, args, Payload::None).map(|(v, _)| v)
    }

    /// The same with a payload, and with what it stores.
    pub fn try_with(
        &mut self,
        t: TaskId,
        name: &str,
        args: &[u64],
        payload: Payload,
    ) -> Result<(i64, Out), Errno> {
        match self.enter(t, name, args, payload) {
            Entered::Done(o) => match o.error {
                Some(e) => {
                    assert_eq!(e.errno.to_ret(), o.ret);
                    assert!(!e.why.is_empty());
                    Err(e.errno)
                }
                None => Ok((o.ret, o.out)),
            },
            other => panic!("{name} did not return: {other:?}"),
        }
    }

    /// The value of a call that succeeds.
    pub fn call(&mut self, t: TaskId, name: &str, args: &[u64]) -> i64 {
        self.try_call(t, name, args).unwrap_or_else(|e| panic!("{name} fails with {e}"))
    }

    /// The errno of a call that is refused.
    pub fn refused(&mut self, t: TaskId, name: &str, args: &[u64]) -> Errno {
        self.try_call(t, name, args).expect_err("the call is refused")
    }

    /// A child of `t`.
    pub fn fork(&mut self, t: TaskId) -> TaskId {
        self.clone(t, Signal::SIGCHLD.number() as u64)
    }

    /// Another thread of `t`.
    pub fn thread(&mut self, t: TaskId) -> TaskId {
        self.clone(t, 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000)
    }

    /// A new task by clone(2).
    pub fn clone(&mut self, t: TaskId, flags: u64) -> TaskId {
        self.call(t, "clone", &[flags, 0, 0, 0, 0]);
        self.sys.kernel.new_task.expect("clone made a task").0
    }

    /// Its thread id.
    pub fn pid(&self, t: TaskId) -> u64 {
        self.sys.task(t).pid as u64
    }

    /// The letter ps shows.
    pub fn state(&self, t: TaskId) -> char {
        self.sys.kernel.tasks.get(t).map_or('-', |t| t.state_char())
    }

    /// `from` sends `sig` to `to`.
    pub fn kill(&mut self, from: TaskId, to: TaskId, sig: Signal) {
        let pid = self.pid(to);
        self.call(from, "kill", &[pid, sig.number() as u64]);
    }

    /// wait4(pid, options): pid and status, 0 and 0 for none with WNOHANG.
    pub fn wait4(&mut self, t: TaskId, pid: i32, options: u64) -> Result<(i64, i32), Errno> {
        let (v, out) = self.try_with(t, "wait4", &[pid as u64, 0, options, 0], Payload::None)?;
        match out {
            Out::Wait(w) => Ok((v, w.status)),
            _ => Ok((v, 0)),
        }
    }

    /// Recounts everything the kernel counts.
    pub fn recount(&self) {
        if let Err(found) = invariants(&self.sys) {
            let list: Vec<String> = found.iter().map(ToString::to_string).collect();
            panic!("{}", list.join("\n"));
        }
    }
}
