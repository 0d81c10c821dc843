//! System calls as a program makes them: everything in registers, structures in
//! user memory.
//!
//! Linux: none. Left out: what the tests of the verbs check already.

mod events;
mod machine;
mod registers;
mod remote;
mod timers;

use super::{Call, Payload};
use crate::abi::Errno;
use crate::abi::nr::syscall_number;
use crate::kernel::entry::Entered;
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user};
use crate::kernel::task::TaskId;
use crate::kernel::testing::{World, world};

/// A world and a piece of memory of its first process.
pub(super) struct Raw {
    pub w: World,
    /// Who makes the calls.
    pub t: TaskId,
    /// Where its memory lies: two pages.
    pub at: u64,
}

pub(super) fn raw() -> Raw {
    let mut w = world();
    let t = w.init;
    let at = w.call(t, "mmap", &[0, 8192, 3, 0x22, u64::MAX, 0]) as u64;
    Raw { w, t, at }
}

impl Raw {
    /// The value or errno of a call that returns.
    pub fn sys(&mut self, name: &str, args: &[u64]) -> Result<i64, Errno> {
        self.by(self.t, name, args)
    }

    /// The same by another task.
    pub fn by(&mut self, t: TaskId, name: &str, args: &[u64]) -> Result<i64, Errno> {
        self.w.try_with(t, name, args, Payload::Registers).map(|(v, _)| v)
    }

    /// The value of a call that succeeds.
    pub fn ok(&mut self, name: &str, args: &[u64]) -> i64 {
        self.sys(name, args).unwrap_or_else(|e| panic!("{name} fails with {e}"))
    }

    /// How a call ended.
    pub fn enter(&mut self, name: &str, args: &[u64]) -> Entered {
        self.w.enter(self.t, name, args, Payload::Registers)
    }

    /// A call that blocks.
    pub fn blocks(&mut self, name: &str, args: &[u64]) {
        let how = self.enter(name, args);
        assert_eq!(how, Entered::Blocked, "{name} does not wait");
    }

    /// What the call that had blocked has given.
    pub fn woken(&mut self) -> i64 {
        self.w.recount();
        let t = self.w.sys.task(self.t);
        assert!(t.resume.is_none(), "it still waits");
        t.finished.last().expect("a result").1.ret
    }

    /// Bytes into its memory, `off` behind the start.
    pub fn put(&mut self, off: u64, bytes: &[u8]) -> u64 {
        copy_to_user(&mut self.w.sys, self.t, self.at + off, bytes).expect("its memory");
        self.at + off
    }

    /// Words into its memory.
    pub fn put_words(&mut self, off: u64, words: &[i64]) -> u64 {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.put(off, &bytes)
    }

    /// Bytes of its memory.
    pub fn get<const N: usize>(&mut self, off: u64) -> [u8; N] {
        let mut bytes = [0; N];
        copy_from_user(&mut self.w.sys, self.t, self.at + off, &mut bytes).expect("its memory");
        bytes
    }

    /// A word of its memory.
    pub fn word(&mut self, off: u64) -> i64 {
        i64::from_le_bytes(self.get(off))
    }

    /// A half word of its memory.
    pub fn int(&mut self, off: u64) -> i32 {
        i32::from_le_bytes(self.get(off))
    }

    /// Lets time pass, in ns.
    pub fn pass(&mut self, ns: u64) {
        crate::kernel::timer::advance(&mut self.w.sys, ns);
        self.w.recount();
    }
}

#[test]
fn a_raw_call_has_nothing_but_registers() {
    let call = Call::raw(syscall_number("getpid").unwrap(), &[]);
    assert!(call.is_plain() && !call.wants_out(0));
}
