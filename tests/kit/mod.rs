//! A small system to test against: calls by name, with every count of the
//! kernel recounted after each.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod elf;
pub mod machine_code;
pub mod ops;
pub mod perform;

use forkyard::abi::Errno;
use forkyard::abi::nr::syscall_number;
use forkyard::base::VirtAddr;
use forkyard::kernel::boot::{BootConfig, boot};
use forkyard::kernel::check::invariants;
use forkyard::kernel::entry::UserFault;
use forkyard::kernel::syscalls::{Call, Out, Payload, WaitInfo};
use forkyard::kernel::{System, TaskId};
use forkyard::machine::vmem::Size;
use forkyard::machine::{MachineConfig, UserOp};
use forkyard::session::{Done, Trouble};

/// A machine that costs little to copy and to check.
pub fn small(cpus: u32) -> BootConfig {
    let machine = MachineConfig { cpus, ram_bytes: 16 << 20, ..MachineConfig::default() };
    BootConfig { machine, seed: 1, ..BootConfig::default() }
}

/// A booted system whose counts are checked after every step.
#[derive(Clone)]
pub struct World {
    pub sys: System,
    pub init: TaskId,
    /// What the last call stored besides its value.
    pub out: Out,
}

impl World {
    pub fn new(cpus: u32) -> World {
        World::boot(&small(cpus))
    }

    pub fn boot(config: &BootConfig) -> World {
        let sys = boot(config).expect("enough memory");
        let init = sys.kernel.init_process;
        let w = World { sys, init, out: Out::None };
        w.check("boot");
        w
    }

    /// Panics with all that does not add up.
    pub fn check(&self, after: &str) {
        if let Err(found) = invariants(&self.sys) {
            let list: Vec<_> = found.iter().map(|v| format!("  {v}")).collect();
            panic!("after {after}:\n{}", list.join("\n"));
        }
        if let Some(oops) = &self.sys.kernel.oops {
            panic!("after {after}: {oops} in {}", oops.in_function);
        }
    }

    pub fn step(&mut self, t: TaskId, name: &str, call: Call) -> Result<Done, Trouble> {
        let done = self.sys.call(t, call);
        self.check(name);
        if let Ok(Done::Returned(_, out)) = &done {
            self.out = out.clone();
        }
        done
    }

    pub fn with(
        &mut self,
        t: TaskId,
        name: &str,
        args: &[u64],
        p: Payload,
    ) -> Result<Done, Trouble> {
        let nr = syscall_number(name).unwrap_or_else(|| panic!("no call {name}"));
        self.step(t, name, Call::with(nr, args, p))
    }

    /// The value, or the errno. Panics when the call does not return.
    pub fn value(&mut self, t: TaskId, name: &str, args: &[u64], p: Payload) -> Result<i64, Errno> {
        match self.with(t, name, args, p) {
            Ok(Done::Returned(v, _)) => Ok(v),
            Err(Trouble::Refused(e)) => {
                assert!(!e.why.is_empty(), "{name}: {:?} without a reason", e.errno);
                Err(e.errno)
            }
            other => panic!("{name}{args:x?} did not return: {other:?}"),
        }
    }

    pub fn call(&mut self, t: TaskId, name: &str, args: &[u64]) -> Result<i64, Errno> {
        self.value(t, name, args, Payload::None)
    }

    pub fn ok(&mut self, t: TaskId, name: &str, args: &[u64]) -> i64 {
        self.call(t, name, args).unwrap_or_else(|e| panic!("{name}{args:x?}: {e:?}"))
    }

    pub fn err(&mut self, t: TaskId, name: &str, args: &[u64]) -> Errno {
        match self.call(t, name, args) {
            Err(e) => e,
            Ok(v) => panic!("{name}{args:x?} gave {v}"),
        }
    }

    /// A call that must sleep.
    pub fn sleeps(&mut self, t: TaskId, name: &str, args: &[u64]) {
        let done = self.with(t, name, args, Payload::None);
        assert_eq!(done, Ok(Done::Blocked), "{name}{args:x?}");
    }

    /// What the call that had slept gave; panics while it still sleeps.
    pub fn finished(&mut self, t: TaskId) -> Result<i64, Errno> {
        match self.sys.take_finished(t).expect("the call has ended") {
            Ok((v, out)) => {
                self.out = out;
                Ok(v)
            }
            Err(e) => Err(e.errno),
        }
    }

    fn child(&mut self, t: TaskId, name: &str, args: &[u64]) -> TaskId {
        self.ok(t, name, args);
        self.sys.new_task().expect("a task was made").0
    }

    pub fn fork(&mut self, t: TaskId) -> TaskId {
        self.child(t, "fork", &[])
    }

    /// Legacy clone without stack, tid pointers and TLS.
    pub fn clone_with(&mut self, t: TaskId, flags: u64) -> TaskId {
        self.child(t, "clone", &[flags, 0, 0, 0, 0])
    }

    pub fn thread(&mut self, t: TaskId) -> TaskId {
        self.clone_with(t, 0x10f00)
    }

    /// vfork: the creator sleeps.
    pub fn vfork(&mut self, t: TaskId) -> TaskId {
        self.sleeps(t, "vfork", &[]);
        self.sys.new_task().expect("a task was made").0
    }

    pub fn exit(&mut self, t: TaskId, code: u64) {
        let done = self.with(t, "exit", &[code], Payload::None);
        assert_eq!(done, Ok(Done::Dead));
    }

    pub fn exit_group(&mut self, t: TaskId, code: u64) {
        let done = self.with(t, "exit_group", &[code], Payload::None);
        assert_eq!(done, Ok(Done::Dead));
    }

    /// wait4: pid and status, or the errno; (0, 0) without an event.
    pub fn wait4(&mut self, t: TaskId, pid: i64, options: u64) -> Result<(i64, i32), Errno> {
        let pid = self.call(t, "wait4", &[pid as u64, 0, options, 0])?;
        Ok((pid, self.waited().map_or(0, |i| i.status)))
    }

    /// What the last wait reported.
    pub fn waited(&self) -> Option<WaitInfo> {
        match &self.out {
            Out::Wait(info) => Some(**info),
            _ => None,
        }
    }

    pub fn kill(&mut self, t: TaskId, pid: i64, sig: u64) -> Result<i64, Errno> {
        self.call(t, "kill", &[pid as u64, sig])
    }

    /// The init of a pid namespace signals itself.
    pub fn signal_inside(&mut self, ns_init: TaskId, sig: u64) {
        self.ok(ns_init, "kill", &[1, sig]);
    }

    /// The end of a signal handler: RET, and rt_sigreturn by the restorer.
    pub fn sigreturn(&mut self, t: TaskId) {
        let cpu = self.sys.task(t).cpu as usize;
        // A load puts it on its processor, in user mode.
        let code = self.sys.mm(self.sys.task(t).mm.unwrap()).start_code;
        self.load(t, code).unwrap();
        self.sys.machine.cpus[cpu].regs.sp += 8;
        self.ok(t, "rt_sigreturn", &[]);
    }

    pub fn load(&mut self, t: TaskId, addr: u64) -> Result<u64, UserFault> {
        self.op(t, UserOp::Load { addr: VirtAddr(addr), size: Size::Qword })
    }

    pub fn store(&mut self, t: TaskId, addr: u64, value: u64) -> Result<u64, UserFault> {
        self.op(t, UserOp::Store { addr: VirtAddr(addr), size: Size::Qword, value })
    }

    pub fn op(&mut self, t: TaskId, op: UserOp) -> Result<u64, UserFault> {
        let result = self.sys.op(t, op);
        self.check("a user operation");
        match result {
            Ok(v) => Ok(v),
            Err(Trouble::Fault(f)) => Err(f),
            Err(e) => panic!("{op:?}: {e:?}"),
        }
    }

    /// Maps private anonymous memory, readable and writable.
    pub fn map(&mut self, t: TaskId, len: u64) -> u64 {
        self.ok(t, "mmap", &[0, len, 3, 0x22, u64::MAX, 0]) as u64
    }

    pub fn pid(&self, t: TaskId) -> i32 {
        self.sys.task(t).pid
    }

    pub fn tgid(&self, t: TaskId) -> i32 {
        self.sys.task(t).tgid
    }

    pub fn state(&self, t: TaskId) -> char {
        self.sys.task(t).state_char()
    }

    pub fn exists(&self, t: TaskId) -> bool {
        self.sys.kernel.tasks.contains(t)
    }
}

thread_local! {
    static PANIC: std::cell::RefCell<Option<String>> = const { std::cell::RefCell::new(None) };
    static QUIET: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs `f`; a panic becomes a message with its place, and is not printed.
/// For code that is run many times while a failure is made smaller.
pub fn quietly<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                PANIC.set(Some(info.to_string()));
            } else {
                print(info);
            }
        }));
    });
    QUIET.set(true);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
    QUIET.set(false);
    result.map_err(|_| PANIC.take().unwrap_or_default())
}
