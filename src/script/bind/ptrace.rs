//! ptrace(2): requests as scripts write them, in director and program style.
//!
//! What a request stores is its value: `ptrace(PTRACE_PEEKDATA, pid, addr)`
//! gives the word, GETREGS a map, GETSIGINFO a siginfo. With an address as
//! `data` Linux's own convention holds, and it is stored there.
//!
//! Left out: what the requests mean; `kernel::ptrace` knows.

use rhai::{Dynamic, Map, NativeCallContext};

use super::args::{self, Named};
use super::door::{self, nr};
use super::registry::{Book, Raised, functions, getters};
use super::signals::Info;
use super::task::Task;
use crate::abi::SigSet;
use crate::abi::ptrace::{SyscallInfo, SyscallOp, USER_REGS_FIELDS, USER_REGS_WORDS, request};
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::errors::ScriptError;

type Ctx<'a> = NativeCallContext<'a>;

/// A system call as PTRACE_GET_SYSCALL_INFO tells it.
#[derive(Clone)]
pub(super) struct Seen(SyscallInfo);

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.op {
            SyscallOp::None => f.write_str("not in a system call stop"),
            SyscallOp::Entry(nr, args) => {
                let name = crate::abi::nr::syscall_name(nr);
                let name = name.map_or_else(|| nr.to_string(), str::to_string);
                let args: Vec<String> = args.iter().map(|a| format!("{a:#x}")).collect();
                write!(f, "entry of {name}({})", args.join(", "))
            }
            SyscallOp::Exit(ret) => write!(f, "exit with {ret}"),
        }
    }
}

/// What a request gives.
pub(super) fn value(ret: i64, out: Out) -> Dynamic {
    match out {
        Out::Number(word) => (word as i64).into(),
        Out::UserRegs(regs) => {
            let named = USER_REGS_FIELDS.iter().zip(*regs);
            let map: Map =
                named.map(|(name, word)| ((*name).into(), (word as i64).into())).collect();
            map.into()
        }
        Out::SigInfo(info) => Dynamic::from(Info(*info)),
        Out::SigSet(set) => Dynamic::from(set),
        Out::SyscallInfo(info) => Dynamic::from(Seen(*info)),
        _ => ret.into(),
    }
}

/// All registers from a map, as GETREGS gives it.
fn user_regs(map: &Map) -> Result<Payload, ScriptError> {
    let mut named = Named::new("ptrace", map);
    let mut regs = [0; USER_REGS_WORDS];
    for (word, name) in regs.iter_mut().zip(USER_REGS_FIELDS) {
        let Some(value) = named.get(name) else {
            return Err(ScriptError::Usage {
                message: format!("the map of registers has no `{name}`"),
                help: Some("take the map of PTRACE_GETREGS and change it".into()),
            });
        };
        *word = args::word(&format!("ptrace: {name}"), value)?;
    }
    named.finish()?;
    Ok(Payload::UserRegs(Box::new(regs)))
}

/// A request as a call; `pid` is a number already.
pub(super) fn request_call(
    name: &str,
    op: &Dynamic,
    pid: u64,
    addr: Option<&Dynamic>,
    data: Option<&Dynamic>,
) -> Result<Call, ScriptError> {
    let op = args::word(&format!("{name}: request"), op)?;
    let mut words = [op, pid, 0, 0];
    let sigmask = [request::PTRACE_GETSIGMASK, request::PTRACE_SETSIGMASK].contains(&op);
    words[2] = match addr {
        Some(addr) => args::word(&format!("{name}: addr"), addr)?,
        None => 0,
    };
    if words[2] == 0 && sigmask {
        // sizeof(sigset_t), which there is no other.
        words[2] = 8;
    }
    let Some(data) = data else { return Ok(Call::new(nr("ptrace"), &words)) };
    let payload = if let Some(map) = data.read_lock::<Map>() {
        user_regs(&map)?
    } else if let Some(info) = data.read_lock::<Info>() {
        Payload::SigInfo(Box::new(info.0))
    } else if data.is::<SigSet>() || data.is_array() {
        Payload::SigSet(args::signal_set(&format!("{name}: data"), data)?)
    } else {
        words[3] = match data.is_string() {
            true => args::signal_number(&format!("{name}: data"), data)?,
            false => args::word(&format!("{name}: data"), data)?,
        };
        Payload::None
    };
    Ok(Call::with(nr("ptrace"), &words, payload))
}

fn request(ctx: &Ctx, t: &Task, given: &[&Dynamic]) -> Raised<Dynamic> {
    let pid = match given.get(1) {
        Some(who) => args::pid("ptrace: pid", t, who)?,
        None => 0,
    };
    let get = |i: usize| given.get(i).copied();
    let call = request_call("ptrace", given[0], pid, get(2), get(3))?;
    door::call(ctx, t, given, call, |_, ret, out| value(ret, out))
}

/// Registers the calls of director style, and what both styles get.
pub(super) fn register(book: &mut Book) {
    functions! { book;
        /// A request of ptrace(2) without a tracee: PTRACE_TRACEME, by which the
        /// parent becomes the tracer.
        "ptrace(t: Task, request: Flags) -> any" =>
            |ctx: Ctx, t: &mut Task, op: Dynamic| request(&ctx, t, &[&op]);
        /// A request about a tracee: PTRACE_ATTACH, PTRACE_CONT, PTRACE_GETREGS (a
        /// map), PTRACE_GETSIGINFO, PTRACE_GETEVENTMSG, PTRACE_GETSIGMASK,
        /// PTRACE_GET_SYSCALL_INFO…
        "ptrace(t: Task, request: Flags, pid: int|Task) -> any" =>
            |ctx: Ctx, t: &mut Task, op: Dynamic, pid: Dynamic| request(&ctx, t, &[&op, &pid]);
        /// The same with an address: PTRACE_PEEKDATA gives the word there.
        "ptrace(t: Task, request: Flags, pid: int|Task, addr: Addr) -> any" =>
            |ctx: Ctx, t: &mut Task, op: Dynamic, pid: Dynamic, addr: Dynamic| {
                request(&ctx, t, &[&op, &pid, &addr])
            };
        /// The same with data: the word to poke, the signal to go on with, the
        /// options, a map of registers, a siginfo, a set of signals.
        "ptrace(t: Task, request: Flags, pid: int|Task, addr: Addr, data: any) -> any" =>
            |ctx: Ctx, t: &mut Task, op: Dynamic, pid: Dynamic, addr: Dynamic, data: Dynamic| {
                request(&ctx, t, &[&op, &pid, &addr, &data])
            };
    }
}

/// Registers the type of PTRACE_GET_SYSCALL_INFO.
pub(super) fn register_seen(book: &mut Book) {
    book.prints::<Seen>("SyscallInfo");
    getters! { book, SyscallInfo;
        /// "entry", "exit" or "none".
        "op: string" => |s: &mut Seen| match s.0.op {
            SyscallOp::None => "none",
            SyscallOp::Entry(..) => "entry",
            SyscallOp::Exit(_) => "exit",
        };
        /// The number of the call; () unless at its entry.
        "nr: int" => |s: &mut Seen| match s.0.op {
            SyscallOp::Entry(nr, _) => Dynamic::from(nr as i64),
            _ => Dynamic::UNIT,
        };
        /// Its name; () unless at its entry.
        "name: string" => |s: &mut Seen| match s.0.op {
            SyscallOp::Entry(nr, _) => match crate::abi::nr::syscall_name(nr) {
                Some(name) => Dynamic::from(name.to_string()),
                None => Dynamic::UNIT,
            },
            _ => Dynamic::UNIT,
        };
        /// Its six arguments; () unless at its entry.
        "args: array" => |s: &mut Seen| match s.0.op {
            SyscallOp::Entry(_, args) => {
                Dynamic::from_array(args.iter().map(|a| Dynamic::from(*a as i64)).collect())
            }
            _ => Dynamic::UNIT,
        };
        /// What it returns; () unless at its exit.
        "rval: int" => |s: &mut Seen| match s.0.op {
            SyscallOp::Exit(ret) => Dynamic::from(ret),
            _ => Dynamic::UNIT,
        };
    }
}
