//! Short words for the tests of the views: a booted system whose tasks act.
//!
//! Linux: none. Left out: anything the tests do not need.

use crate::abi::nr::syscall_number;
use crate::abi::{CloneFlags, SigSet, Signal};
use crate::base::VirtAddr;
use crate::kernel::boot::BootConfig;
use crate::kernel::mm::symbols::{Place, define_symbol};
use crate::kernel::syscalls::{Call, Payload};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::{Size, UserOp};
use crate::session::{Done, Session};

/// A system and its verbs.
pub(super) struct Lab {
    pub sys: System,
    pub init: TaskId,
}

impl Lab {
    pub fn boot() -> Lab {
        let session = Session::boot(BootConfig::default()).unwrap();
        let init = session.init();
        Lab { sys: session.system, init }
    }

    pub fn call(&mut self, task: TaskId, name: &str, args: &[u64]) -> Done {
        let nr = syscall_number(name).unwrap();
        self.sys.call(task, Call::new(nr, args)).unwrap()
    }

    /// clone(2) with SIGCHLD as exit signal, or none for a thread.
    pub fn clone(&mut self, task: TaskId, flags: CloneFlags) -> TaskId {
        let signal = if flags.contains(CloneFlags::CLONE_THREAD) { 0 } else { 17 };
        self.call(task, "clone", &[flags.bits() | signal, 0, 0, 0, 0]);
        self.sys.new_task().unwrap().0
    }

    pub fn fork(&mut self, task: TaskId) -> TaskId {
        self.call(task, "fork", &[]);
        self.sys.new_task().unwrap().0
    }

    /// The task with this thread id.
    pub fn task(&self, pid: i32) -> TaskId {
        let mut all = self.sys.kernel.tasks.iter();
        all.find(|(_, t)| t.pid == pid && t.thread_pid.is_some()).unwrap().0
    }

    /// Blocks a signal.
    pub fn block(&mut self, task: TaskId, sig: i32) {
        let set = SigSet::of(Signal::new(sig).unwrap());
        let nr = syscall_number("rt_sigprocmask").unwrap();
        let call = Call::with(nr, &[0, 0, 0, 8], Payload::SigSet(set));
        self.sys.call(task, call).unwrap();
    }

    pub fn exit(&mut self, task: TaskId, code: u64) {
        assert_eq!(self.call(task, "exit_group", &[code]), Done::Dead);
    }

    /// A variable on a page of its own, not touched yet.
    pub fn variable(&mut self, task: TaskId, name: &str) -> u64 {
        define_symbol(&mut self.sys, task, name, 8, Place::OwnPage).unwrap()
    }

    pub fn load(&mut self, task: TaskId, addr: u64) -> u64 {
        self.sys.op(task, UserOp::Load { addr: VirtAddr(addr), size: Size::Qword }).unwrap()
    }

    pub fn store(&mut self, task: TaskId, addr: u64, value: u64) {
        let op = UserOp::Store { addr: VirtAddr(addr), size: Size::Qword, value };
        self.sys.op(task, op).unwrap();
    }
}
