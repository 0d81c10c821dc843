//! Program style: a script function is the body of a process, written as in
//! C. `fork()` returns twice.
//!
//! ```text
//! fn main() {                      a process: this function, and a tape of
//!     if fork() == 0 { exit(3) }   what the kernel has answered so far
//!     print(wait().exit_status)
//! }
//! ```
//!
//! The function is run from its start to find out what it asks next; what it
//! has asked before is answered from the tape (`script::tape`). So it must ask
//! the same each time: everything that could differ is a question.
//!
//! Reading a long tape for each question would take long, so `language` keeps
//! the places at which functions have asked (`script::vm`) and goes on from
//! there. The tape stays the truth.

mod asking;
mod calls;
mod claims;
mod copies;
mod exploring;
mod files;
mod language;
mod memory;
mod more;
mod plain;
mod policy;
mod pthread;
mod resources;
mod run;
mod signals;
mod stepping;
mod sync;
mod time;
mod tracing;
mod tty;

use rhai::{Array, Dynamic, EvalAltResult, NativeCallContext};

use super::args;
use super::registry::{Book, Raised, Spec, What, docs, functions};
use super::world::Machine;
use crate::base::VirtAddr;
use crate::kernel::syscalls::{Call, Out};
use crate::machine::{Size, UserOp};
use crate::script::control::Control;
use crate::script::errors::ScriptError;
use crate::script::value::Addr;
use crate::session::program::{Child, Want};
use crate::trace::Origin;

pub use exploring::{Claimed, Exploring, MOST_JOBS, check_claims, explore_main, reach_main};
pub use language::Language;
pub(in crate::script) use plain::known as known_value;
pub use run::{MAIN, Options, Run, run_main, try_main};
pub(in crate::script) use time::sleep;

type Ctx<'a> = NativeCallContext<'a>;

/// Why a question got no answer that could be refused.
pub(super) enum NotRefused {
    /// The function stops here.
    Stop,
    /// No program runs; with the function's name.
    NotAProgram(String),
}

impl From<NotRefused> for Box<EvalAltResult> {
    fn from(e: NotRefused) -> Self {
        match e {
            NotRefused::Stop => {
                EvalAltResult::ErrorTerminated(Dynamic::UNIT, rhai::Position::NONE).into()
            }
            NotRefused::NotAProgram(name) => {
                // The twins are for programs only.
                let plain = name.strip_prefix("try_").unwrap_or(&name);
                ScriptError::Usage {
                    message: format!("{name}() is for programs: here no process runs that could call it"),
                    help: Some(format!("a director says who acts: `init.{plain}(…)`; a program is a function that `run(\"main\")` starts")),
                }
                .into()
            }
        }
    }
}

/// Where a question stands.
pub(in crate::script) fn origin(control: &Control, ctx: &Ctx) -> Origin {
    let pos = ctx.call_position();
    let main = control.sources().main_name();
    Origin {
        // Lines of imported modules are not told apart from each other.
        source: u32::from(ctx.call_source().is_some_and(|s| !s.is_empty() && s != main)),
        line: pos.line().unwrap_or(0) as u32,
        column: pos.position().unwrap_or(0) as u32,
    }
}

/// Asks for one thing and gives the number that comes back.
fn number(control: &Control, ctx: &Ctx, want: Want) -> Raised<i64> {
    match calls::ask(control, ctx, want)? {
        Ok((value, _)) => Ok(value),
        Err(e) => Err(ScriptError::refused(&e, ctx.fn_name(), control.program_pid()).into()),
    }
}

fn address(ctx: &Ctx, value: &Dynamic) -> Raised<VirtAddr> {
    Ok(VirtAddr(args::word(&format!("{}: addr", ctx.fn_name()), value)?))
}

/// The variables of the process that asks: `vars.data`.
#[derive(Clone)]
struct OwnVars;

/// Registers everything that programs can call.
pub(super) fn register(book: &mut Book, control: &Control, machine: &Machine) {
    calls::register(book, control);
    pthread::register(book, control);
    sync::register(book, control);
    asking::once(book, control, memory::LIBRARY);
    asking::twice(book, control, signals::LIBRARY);
    asking::twice(book, control, resources::LIBRARY);
    asking::twice(book, control, policy::LIBRARY);
    memory(book, control);
    stdio(book, control);
    run::register(book, control, machine);
    stepping::register(book, control, machine);
    exploring::register(book, control, machine);
}

fn memory(book: &mut Book, control: &Control) {
    let (c1, c2, c3, c4) = (control.clone(), control.clone(), control.clone(), control.clone());
    let (c5, c6, c7) = (control.clone(), control.clone(), control.clone());
    let load = |c: &Control, ctx: &Ctx, at: VirtAddr| {
        number(c, ctx, Want::Op(UserOp::Load { addr: at, size: Size::Qword }))
    };
    let store = |c: &Control, ctx: &Ctx, at: VirtAddr, value: u64| {
        number(c, ctx, Want::Op(UserOp::Store { addr: at, size: Size::Qword, value })).map(|_| ())
    };
    let symbol = |c: &Control, ctx: &Ctx, name: &str| {
        number(c, ctx, Want::Symbol(name.into())).map(|a| VirtAddr(a as u64))
    };
    functions! { book;
        /// Loads 8 bytes of the process's memory.
        "load(addr: Addr) -> int" => move |ctx: Ctx, at: Dynamic| {
            load(&c1, &ctx, address(&ctx, &at)?)
        };
        /// Stores 8 bytes to the process's memory.
        "store(addr: Addr, value: int)" => move |ctx: Ctx, at: Dynamic, value: Dynamic| {
            let word = args::word("store: value", &value)?;
            store(&c2, &ctx, address(&ctx, &at)?, word)
        };
        /// Makes a variable in the process's data segment; gives its address.
        /// `vars.name` reads and writes it.
        "define(name: string, value: int) -> Addr" =>
            move |ctx: Ctx, name: rhai::ImmutableString, value: Dynamic| -> Raised<Addr> {
                let word = args::word("define: value", &value)?;
                let at = number(&c3, &ctx, Want::Define(name.as_str().into(), 8))?;
                store(&c3, &ctx, VirtAddr(at as u64), word)?;
                Ok(Addr(at as u64))
            };
        /// The address of a variable.
        "addr_of(name: string) -> Addr" =>
            move |ctx: Ctx, name: rhai::ImmutableString| -> Raised<Addr> {
                Ok(Addr(symbol(&c4, &ctx, &name)?.0))
            };
        /// One of several: in a run the first, in an exploration each.
        "choose(ways: array) -> any" => move |ctx: Ctx, ways: Array| -> Raised<Dynamic> {
            if ways.is_empty() {
                return Err(ScriptError::usage("choose: there is nothing to choose from").into());
            }
            let i = number(&c5, &ctx, Want::Choose(ways.len() as u32))?;
            Ok(ways[(i as usize).min(ways.len() - 1)].clone())
        };
    }
    book.shows::<OwnVars>("OwnVars", |_| "the variables of the process".into());
    let get = move |ctx: Ctx, _: &mut OwnVars, name: rhai::ImmutableString| -> Raised<i64> {
        let at = symbol(&c6, &ctx, &name)?;
        load(&c6, &ctx, at)
    };
    let set = move |ctx: Ctx,
                    _: &mut OwnVars,
                    name: rhai::ImmutableString,
                    value: Dynamic|
          -> Raised<()> {
        let word = args::word("the value", &value)?;
        let at = symbol(&c7, &ctx, &name)?;
        store(&c7, &ctx, at, word)
    };
    let spec = |what, signature| Spec {
        what,
        signature,
        receiver: "_: OwnVars",
        docs: docs![" A variable of the process that runs."],
    };
    book.add(spec(What::IndexGetter, "[name: string] -> int"), get);
    book.add(spec(What::IndexSetter, "[name: string] = value: int"), set);
    control.define("vars", Dynamic::from(OwnVars));
}

fn stdio(book: &mut Book, control: &Control) {
    let (c1, c2, c3) = (control.clone(), control.clone(), control.clone());
    functions! { book;
        /// Keeps text in the process's own memory, as printf(3) does with a
        /// pipe or file: it is written by `fflush()` or `exit`, and a fork
        /// copies what is kept.
        "printf(text: any)" => move |ctx: Ctx, text: Dynamic| -> Raised<()> {
            if !c1.tape().is_active() {
                return Err(NotRefused::NotAProgram(ctx.fn_name().into()).into());
            }
            c1.tape().buffer(&text.to_string());
            Ok(())
        };
        /// Writes what `printf` keeps (fflush(3)).
        "fflush()" => move |ctx: Ctx| -> Raised<()> {
            if !c2.tape().is_active() {
                return Err(NotRefused::NotAProgram(ctx.fn_name().into()).into());
            }
            if c2.tape().flush() { Ok(()) } else { Err(NotRefused::Stop.into()) }
        };
        /// Sends a signal to the caller itself (raise(3)).
        "raise(sig: Signal)" => move |ctx: Ctx, sig: Dynamic| -> Raised<()> {
            let sig = args::signal_number("raise: signal", &sig)?;
            let call = |nr: &str, args: &[u64]| {
                let number = crate::abi::nr::SYSCALL_NAMES.iter().find(|(_, n)| *n == nr);
                let number = number.map_or(u32::MAX, |(n, _)| *n);
                Want::Sys(Call::new(number, args), Child::Returns)
            };
            let tid = number(&c3, &ctx, call("gettid", &[]))?;
            number(&c3, &ctx, call("tkill", &[tid as u64, sig]))?;
            Ok(())
        };
    }
}

/// exit(3) of a program: what `printf` keeps is written first.
pub(in crate::script) fn exit(control: &Control, code: i64) -> Raised<Dynamic> {
    if !control.tape().flush() {
        return Err(NotRefused::Stop.into());
    }
    let call = Call::new(super::door::nr("exit_group"), &[code as u64]);
    control.tape().ask(Want::Sys(call, Child::Returns), None);
    let _ = Out::None;
    Err(NotRefused::Stop.into())
}
