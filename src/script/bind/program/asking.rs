//! What library functions need that ask several things in a row, as libc's do:
//! one caller, one line of the script, and refusals that can be passed on.
//!
//! Such a function keeps nothing between two questions but what it was told:
//! it is run again from its start for each of them, and must ask the same.
//!
//! Linux: none; this is user mode. Left out: the functions themselves.

use rhai::{Dynamic, EvalAltResult, NativeCallContext};

use super::calls::{TWIN, params};
use super::{NotRefused, origin};
use crate::abi::Errno;
use crate::base::VirtAddr;
use crate::kernel::error::SysError;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::machine::{Atomic, Size, UserOp};
use crate::script::bind::registry::{Book, Raised, Spec, What};
use crate::script::bind::{args, door, time};
use crate::script::control::Control;
use crate::script::errors::ScriptError;
use crate::script::tape::Asked;
use crate::session::program::{Answer, Child, Want};
use crate::trace::Origin;

/// Why a library function did not come to its end.
pub(super) enum Fail {
    /// Something was refused.
    Refused(SysError),
    /// It stops here, or was used wrongly.
    Ends(Box<EvalAltResult>),
}

impl From<ScriptError> for Fail {
    fn from(e: ScriptError) -> Self {
        Fail::Ends(e.into())
    }
}

pub(super) type Answered<T> = Result<T, Fail>;

/// What ended a sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slept {
    /// Somebody, or the word had another value.
    Woken,
    /// A signal's handler.
    Interrupted,
    /// Time.
    TimeOver,
}

/// The one who asks.
pub(super) struct Asking<'c> {
    control: &'c Control,
    name: String,
    origin: Option<Origin>,
}

impl<'c> Asking<'c> {
    /// A function of the script's.
    pub(super) fn new(control: &'c Control, ctx: &NativeCallContext) -> Asking<'c> {
        let origin = Some(origin(control, ctx));
        Asking { control, name: ctx.fn_name().into(), origin }
    }

    /// What runs when the script's function has returned.
    pub(super) fn behind(control: &'c Control, name: &str) -> Asking<'c> {
        Asking { control, name: name.into(), origin: None }
    }

    /// Asks for one thing.
    pub(super) fn ask(&self, want: Want) -> Answered<(i64, Out)> {
        match self.control.tape().ask(want, self.origin) {
            Asked::Answer(Answer::Returned(ret, out)) => Ok((ret, out)),
            Asked::Answer(Answer::Refused(e)) => Err(Fail::Refused(e)),
            Asked::Unanswered => Err(Fail::Ends(NotRefused::Stop.into())),
            Asked::NotAProgram => {
                let name = &self.name;
                Err(Fail::from(ScriptError::Usage {
                    message: format!(
                        "{name}() is for programs: no process runs that could call it"
                    ),
                    help: Some("a program is a function that `run(\"main\")` starts".into()),
                }))
            }
        }
    }

    /// Makes a system call that makes no task.
    pub(super) fn sys(&self, nr: u32, args: &[u64]) -> Answered<i64> {
        Ok(self.ask(Want::Sys(Call::new(nr, args), Child::Returns))?.0)
    }

    /// Executes an instruction.
    pub(super) fn op(&self, op: UserOp) -> Answered<u64> {
        Ok(self.ask(Want::Op(op))?.0 as u64)
    }

    pub(super) fn load(&self, at: u64) -> Answered<u64> {
        self.op(UserOp::Load { addr: VirtAddr(at), size: Size::Qword })
    }

    pub(super) fn load32(&self, at: u64) -> Answered<u64> {
        self.op(UserOp::Load { addr: VirtAddr(at), size: Size::Dword })
    }

    pub(super) fn store(&self, at: u64, value: u64) -> Answered<()> {
        self.op(UserOp::Store { addr: VirtAddr(at), size: Size::Qword, value }).map(drop)
    }

    pub(super) fn atomic(&self, at: u64, size: Size, change: Atomic) -> Answered<u64> {
        self.op(UserOp::Atomic { addr: VirtAddr(at), size, change })
    }

    pub(super) fn cmpxchg32(&self, at: u64, expected: u64, new: u64) -> Answered<u64> {
        self.atomic(at, Size::Dword, Atomic::CompareExchange { expected, new })
    }

    pub(super) fn xchg32(&self, at: u64, new: u64) -> Answered<u64> {
        self.atomic(at, Size::Dword, Atomic::Exchange(new))
    }

    /// Sleeps while the word holds the value. Why it wakes is no error: whoever
    /// waits looks again.
    pub(super) fn futex_wait(&self, at: u64, value: u64, ns: Option<&Dynamic>) -> Answered<Slept> {
        let payload = match ns {
            Some(ns) => time::timespec(&format!("{}: ns", self.name), ns, 1)?,
            None => Payload::None,
        };
        let call = Call::with(const { door::nr("futex") }, &[at, 0, value, 0], payload);
        match self.ask(Want::Sys(call, Child::Returns)) {
            Ok(_) => Ok(Slept::Woken),
            Err(Fail::Refused(e)) => match e.errno {
                // The word had changed before it could sleep.
                Errno::EAGAIN => Ok(Slept::Woken),
                Errno::EINTR => Ok(Slept::Interrupted),
                Errno::ETIMEDOUT => Ok(Slept::TimeOver),
                _ => Err(Fail::Refused(e)),
            },
            Err(e) => Err(e),
        }
    }

    /// Wakes up to n that sleep on the word.
    pub(super) fn futex_wake(&self, at: u64, n: u64) -> Answered<()> {
        self.sys(const { door::nr("futex") }, &[at, 1, n]).map(drop)
    }

    /// An address, or that of the variable with a name.
    pub(super) fn place(&self, param: &str, value: &Dynamic) -> Answered<u64> {
        if value.is_string() {
            let name = args::text(param, value)?;
            return Ok(self.ask(Want::Symbol(name.as_str().into()))?.0 as u64);
        }
        Ok(args::word(&format!("{}: {param}", self.name), value)?)
    }

    /// Writes what `printf` keeps.
    pub(super) fn flush(&self) -> Answered<()> {
        match self.control.tape().flush() {
            true => Ok(()),
            false => Err(Fail::Ends(NotRefused::Stop.into())),
        }
    }

    /// What a script gets: a refusal is thrown, or is the negated errno of a
    /// function whose name begins with `try_`.
    pub(super) fn give(&self, result: Answered<Dynamic>) -> Raised<Dynamic> {
        match result {
            // What gives nothing has succeeded with 0.
            Ok(value) if value.is_unit() && self.name.starts_with("try_") => Ok(0_i64.into()),
            Ok(value) => Ok(value),
            Err(Fail::Ends(e)) => Err(e),
            Err(Fail::Refused(e)) if self.name.starts_with("try_") => Ok(e.errno.to_ret().into()),
            Err(Fail::Refused(e)) => {
                Err(ScriptError::refused(&e, self.name.as_str(), self.control.program_pid()).into())
            }
        }
    }
}

/// A library function as scripts have it.
pub(super) struct Function {
    /// `name(param: type, …) -> type`.
    pub(super) signature: &'static str,
    pub(super) docs: &'static str,
    /// What it does with its arguments.
    pub(super) body: fn(&Asking, &[Dynamic]) -> Answered<Dynamic>,
}

/// A table of library functions.
macro_rules! library {
    ($($(#[doc = $doc:literal])+ $sig:literal => $body:expr;)*) => {
        &[$($crate::script::bind::program::asking::Function {
            signature: $sig,
            docs: $crate::script::bind::registry::docs![$($doc),+],
            body: $body,
        }),*]
    };
}

pub(super) use library;

/// Registers functions that cannot be refused, or say so by what they give.
pub(super) fn once(book: &mut Book, control: &Control, table: &'static [Function]) {
    for f in table {
        add(book, control, f, f.signature, f.docs);
    }
}

/// Registers functions, each with its `try_` twin.
pub(super) fn twice(book: &mut Book, control: &Control, table: &'static [Function]) {
    once(book, control, table);
    for f in table {
        add(book, control, f, &format!("try_{}", f.signature), TWIN);
    }
}

fn add(book: &mut Book, control: &Control, f: &'static Function, signature: &str, docs: &str) {
    let spec = Spec { what: What::Function, signature, receiver: "", docs };
    let c = control.clone();
    let run = move |ctx: NativeCallContext, args: &[Dynamic]| {
        let asking = Asking::new(&c, &ctx);
        asking.give((f.body)(&asking, args))
    };
    match params(f.signature).count() {
        0 => book.add(spec, move |ctx: NativeCallContext| run(ctx, &[])),
        1 => book.add(spec, move |ctx: NativeCallContext, a: Dynamic| run(ctx, &[a])),
        2 => {
            book.add(spec, move |ctx: NativeCallContext, a: Dynamic, b: Dynamic| run(ctx, &[a, b]))
        }
        _ => book.add(spec, move |ctx: NativeCallContext, a: Dynamic, b: Dynamic, d: Dynamic| {
            run(ctx, &[a, b, d])
        }),
    }
}
