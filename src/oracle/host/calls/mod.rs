//! System calls as commands: what a [`Call`] holds becomes registers and a
//! buffer, and what the kernel stores becomes [`Out`].
//!
//! Only calls that are listed here are made. Addresses of a script's own go
//! through, if they are not the stub's; what lies behind them is the kernel's to
//! judge. The list and that rule keep a script from changing the loop that runs
//! it.
//!
//! Left out: structures with addresses in them (iovec, a clone3 in memory).

mod creating;
mod memory;
mod results;
mod rows;
mod signals;
mod terminals;
mod timing;
mod tracing;

use std::time::Duration;

use libc::c_long;

use super::stub::{self, SLOT_BYTES};
use crate::abi::Errno;
use crate::kernel::syscalls::{Call, Payload};
use crate::session::program::Child;

pub(super) use results::{Kind, answer, exec_name, siginfo};
pub(super) use signals::{SIGINFO, default_action};
pub(super) use terminals::requests;

/// Why a call is not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum No {
    /// As the kernel would refuse it.
    Errno(Errno),
    /// It is not done on the host.
    Unsupported(String),
}

/// No, by name.
pub(super) fn no<T>(what: impl Into<String>) -> Result<T, No> {
    Err(No::Unsupported(what.into()))
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) slot: usize,
    /// Bytes of its buffer that interrupted calls still use.
    pub(super) used: u64,
    /// Whether signal handlers are under way.
    pub(super) in_handler: bool,
    /// What a task that the call makes does.
    pub(super) child: &'a Child,
}

/// A call, ready to be made.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) nr: u32,
    pub(super) args: [u64; 6],
    /// What is copied to the buffer first.
    pub(super) input: Vec<u8>,
    /// Where that goes.
    pub(super) base: u64,
    /// Where the output is, and how much.
    pub(super) output: (u64, u64),
    /// What comes of it.
    pub(super) kind: Kind,
    /// It makes a task.
    pub(super) creates: Option<Creates>,
    /// It ends by itself, sooner or later.
    pub(super) timed: bool,
    /// How it sets the process's interval timer, when it succeeds.
    pub(super) arms: Option<Arms>,
}

/// An interval timer that is set: after how long it fires, and how often then.
/// Zero is not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arms {
    pub(super) value: Duration,
    pub(super) interval: Duration,
}

/// What a call that makes a task wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Creates {
    /// The address space is shared.
    pub(super) vm: bool,
    /// It begins a process of its own.
    pub(super) leads: bool,
    /// Which register has the stack, and which its size: the slot's own is put
    /// there.
    pub(super) own_stack: Option<StackAt>,
}

/// Where the stack of a task to be made is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StackAt {
    /// In a register, by its upper end.
    Register(usize),
    /// In clone3's structure: lowest byte and size.
    Input(usize),
}

impl Order {
    /// Bytes of the slot's buffer in use while it is under way.
    pub(super) fn used(&self, slot: usize) -> u64 {
        let end = (self.output.0 + self.output.1).max(self.base + self.input.len() as u64);
        (end - stub::buffer(slot)).next_multiple_of(16)
    }

    /// Gives a task to be made the stack of its slot.
    pub(super) fn set_stack(&mut self, child: usize) {
        let top = stub::stack_top(child);
        match self.creates.and_then(|c| c.own_stack) {
            Some(StackAt::Register(i)) => self.args[i] = top,
            Some(StackAt::Input(at)) => {
                let (low, size) =
                    (stub::buffer(child) + SLOT_BYTES, top - stub::buffer(child) - SLOT_BYTES);
                let words = [low, size].map(u64::to_le_bytes).concat();
                if let Some(place) = self.input.get_mut(at..at + 16) {
                    place.copy_from_slice(&words);
                }
            }
            None => {}
        }
    }
}

/// A call that is being made ready.
struct Draft<'c> {
    call: &'c Call,
    asker: Asker<'c>,
    order: Order,
}

impl<'c> Draft<'c> {
    fn new(call: &'c Call, asker: Asker<'c>) -> Draft<'c> {
        let base = stub::buffer(asker.slot) + asker.used;
        let order = Order {
            nr: call.nr,
            args: call.args,
            input: Vec::new(),
            base,
            output: (base, 0),
            kind: Kind::Number,
            creates: None,
            timed: false,
            arms: None,
        };
        Draft { call, asker, order }
    }

    /// Puts bytes into the buffer; gives their address. Before all output.
    fn put(&mut self, bytes: &[u8]) -> u64 {
        debug_assert_eq!(self.order.output.1, 0);
        let input = &mut self.order.input;
        let at = self.order.base + input.len() as u64;
        input.extend_from_slice(bytes);
        input.resize(input.len().next_multiple_of(8), 0);
        self.order.output.0 = self.order.base + input.len() as u64;
        at
    }

    /// Argument `i` points to bytes.
    fn input(&mut self, i: usize, bytes: &[u8]) {
        self.order.args[i] = self.put(bytes);
    }

    /// Argument `i` points to a string.
    fn text(&mut self, i: usize, text: &str) {
        self.order.args[i] = self.put_text(text);
    }

    fn put_text(&mut self, text: &str) -> u64 {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.put(&bytes)
    }

    /// Argument `i` points to room for what the kernel stores.
    fn output(&mut self, i: usize, len: u64) {
        let (from, old) = self.order.output;
        self.order.args[i] = from + old;
        self.order.output.1 += len;
    }

    /// Argument `i` is an address of the script's own, or NULL.
    fn theirs(&self, i: usize, len: u64) -> Result<(), No> {
        range(self.call.args[i], len)
    }

    /// What the kernel stores through argument `i`: into the buffer if the
    /// script wants it as a value. Whether it does.
    fn result(&mut self, i: usize, len: u64, kind: Kind) -> Result<(), No> {
        if self.call.wants_out(i) {
            self.output(i, len);
            self.order.kind = kind;
            return Ok(());
        }
        self.theirs(i, len)
    }

    /// A path: the payload, or an address of the script's own.
    fn path(&mut self, i: usize) -> Result<(), No> {
        const PATH_MAX: u64 = 4096;
        match &self.call.payload {
            Payload::Text(path) if path.starts_with("/proc") || path.starts_with("/sys") => {
                no("files of /proc and /sys: the sandbox has none")
            }
            Payload::Text(path) => {
                self.text(i, path);
                Ok(())
            }
            _ => self.theirs(i, PATH_MAX),
        }
    }

    fn finish(self) -> Result<Order, No> {
        let too_much = self.order.input.len() as u64 > stub::DATA_BYTES
            || self.order.output.1 > stub::DATA_BYTES
            || self.order.used(self.asker.slot) > SLOT_BYTES;
        if too_much {
            return no(format!("{} with more than about 100 KiB of data", name(self.call.nr)));
        }
        Ok(self.order)
    }
}

/// Whether a range may be the script's.
fn range(addr: u64, len: u64) -> Result<(), No> {
    if addr == 0 || stub::is_free_for_scripts(addr, len) {
        return Ok(());
    }
    no(format!("memory at {addr:#x}, which is not the script's"))
}

/// Descriptors of ours are not there for a script.
fn own_fd(fd: u64) -> Result<(), No> {
    if fd as i32 == stub::CONTROL_FD { Err(No::Errno(Errno::EBADF)) } else { Ok(()) }
}

/// The name of a call.
pub(super) fn name(nr: u32) -> &'static str {
    crate::abi::nr::syscall_name(u64::from(nr)).unwrap_or("a call without a name")
}

/// A load, a store or another instruction on memory: whether it may be made.
pub(super) fn touches(addr: u64, len: u64) -> Result<(), No> {
    if stub::is_free_for_scripts(addr, len) {
        return Ok(());
    }
    no(format!("memory at {addr:#x}, which is not the script's"))
}

/// Makes a call ready.
pub(super) fn order(call: &Call, asker: Asker) -> Result<Order, No> {
    let mut draft = Draft::new(call, asker);
    if !prepare(&mut draft)? {
        return no(format!("{} is not made there", name(call.nr)));
    }
    draft.finish()
}

/// Whether the call is known.
fn prepare(draft: &mut Draft) -> Result<bool, No> {
    Ok(rows::number(draft)?
        || rows::file(draft)?
        || rows::identity(draft)?
        || signals::prepare(draft)?
        || memory::prepare(draft)?
        || terminals::prepare(draft)?
        || timing::prepare(draft)?
        || tracing::prepare(draft)?
        || creating::prepare(draft)?)
}

/// Whether a call of that number is made at all.
pub(super) fn is_made(nr: u32) -> bool {
    let asker = Asker { slot: 0, used: 0, in_handler: false, child: &Child::Returns };
    prepare(&mut Draft::new(&Call::new(nr, &[]), asker)) != Ok(false)
}

/// A call's number as libc has it.
fn nr(draft: &Draft) -> c_long {
    c_long::from(draft.call.nr)
}

/// Whether a call makes a pid namespace.
pub(super) fn makes_pid_namespace(call: &Call) -> bool {
    let flags = match (c_long::from(call.nr), &call.payload) {
        (libc::SYS_unshare | libc::SYS_clone, _) => call.args[0],
        (libc::SYS_clone3, Payload::Clone(args)) => args.flags,
        _ => 0,
    };
    flags & libc::CLONE_NEWPID as u64 != 0
}

/// Whether a call moves a process to a group that is not its own. Linux never
/// lets process 1 of a pid namespace end that is in the group of another one of
/// the namespace: it waits until all pids there are free, and its own group
/// keeps that one (6.18, `zap_pid_ns_processes`). Nobody could kill it.
pub(super) fn joins_group(call: &Call, tid: i32) -> bool {
    let [pid, pgid, ..] = call.args.map(|arg| arg as i32);
    let own = if pid == 0 { tid } else { pid };
    c_long::from(call.nr) == libc::SYS_setpgid && pgid != 0 && pgid != own
}

/// Whether a call changes files that the next program would find.
pub(super) fn writes_files(call: &Call) -> bool {
    const READ_ONLY: u64 = libc::O_ACCMODE as u64 | libc::O_CREAT as u64 | libc::O_TRUNC as u64;
    match c_long::from(call.nr) {
        libc::SYS_open => call.args[1] & READ_ONLY != 0,
        libc::SYS_openat => call.args[2] & READ_ONLY != 0,
        n => rows::CHANGE_FILES.contains(&n),
    }
}
