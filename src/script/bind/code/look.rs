//! What a program's code says: `t.disasm()`, `t.symbol()`, `t.backtrace()`.
//!
//! Left out: source lines.

use std::rc::Rc;

use rhai::{Array, Blob, Dynamic, INT, ImmutableString};

use crate::kernel::entry::code::user_regs;
use crate::machine::Regs;
use crate::report::disasm::{self, Frame, InsnLine};
use crate::report::symbols::{self, Symbols};
use crate::script::bind::args;
use crate::script::bind::registry::{Book, Raised, functions, getters};
use crate::script::bind::task::Task;
use crate::script::errors::ScriptError;
use crate::script::names::{did_you_mean, suggestion};
use crate::script::value::Addr;

/// Most instructions of one listing.
const MOST: INT = 10_000;

/// The symbols of a task's program.
pub(in crate::script::bind) fn symbols(t: &Task) -> Rc<Symbols> {
    let machine = t.machine();
    let Some(program) = machine.read(|sys| symbols::program(sys, t.id())) else {
        return Rc::default();
    };
    machine.known_symbols(program, || machine.read(|sys| symbols::symbols(sys, &program)))
}

/// The instruction at an address of a living task.
pub(in crate::script::bind) fn next_insn(t: &Task, ip: u64) -> InsnLine {
    let symbols = symbols(t);
    t.machine().read(|sys| disasm::insn(sys, t.id(), ip, &symbols))
}

/// An address, or the one of a symbol or of a variable that the script has defined.
pub(super) fn resolve(what: &str, t: &Task, place: &Dynamic) -> Result<u64, ScriptError> {
    let Ok(name) = place.clone().into_immutable_string() else {
        return args::word(&format!("{what}: place"), place);
    };
    if !t.exists() {
        return Err(t.no_longer());
    }
    let symbols = symbols(t);
    let vars = t.read(|sys, task| {
        let m = task.mm.and_then(|mm| sys.kernel.mms.get(mm));
        m.map(|m| m.symbols.clone()).unwrap_or_default()
    })?;
    if let Some(addr) = symbols.find(&name).or_else(|| vars.get(name.as_str()).map(|s| s.addr)) {
        return Ok(addr);
    }
    let names = symbols.iter().map(|s| s.name.as_str()).chain(vars.keys().map(String::as_str));
    let near = did_you_mean(&name, names);
    let help = suggestion(&near).or_else(|| {
        let none = symbols.iter().next().is_none();
        none.then(|| "its file has no symbol table (stripped?): use an address".into())
    });
    let message = format!("{what}: the program of task {} has no symbol `{name}`", t.pid());
    Err(ScriptError::Usage { message, help })
}

/// The registers of a task that has code.
fn place(t: &Task) -> Result<Regs, ScriptError> {
    let dead = t.read(|_, task| task.mm.is_none() || task.is_dead())?;
    if dead {
        let message = format!("task {} executes nothing any more: it has no code", t.pid());
        return Err(ScriptError::usage(message));
    }
    Ok(t.machine().read(|sys| user_regs(sys, t.id())))
}

fn lines(t: &Task, at: Option<&Dynamic>, n: INT) -> Raised<Array> {
    if !(1..=MOST).contains(&n) {
        return Err(ScriptError::usage(format!("disasm: 1 to {MOST} instructions, not {n}")).into());
    }
    let ip = place(t)?.ip;
    let addr = at.map_or(Ok(ip), |at| resolve("disasm", t, at))?;
    let symbols = symbols(t);
    let lines = t.machine().read(|sys| disasm::disasm(sys, t.id(), addr, n as usize, &symbols));
    Ok(lines.into_iter().map(Dynamic::from).collect())
}

/// Registers the functions.
pub(super) fn register(book: &mut Book) {
    functions! { book;
        /// The next n instructions of a task: lines of addr, bytes, text, symbol.
        "disasm(t: Task, n: int) -> array" => |t: &mut Task, n: INT| lines(t, None, n);
        /// n instructions from a function or an address on.
        "disasm(t: Task, place: string|Addr, n: int) -> array" =>
            |t: &mut Task, place: Dynamic, n: INT| lines(t, Some(&place), n);
        /// The next instruction of a task.
        "insn(t: Task) -> Insn" => |t: &mut Task| -> Raised<InsnLine> {
            Ok(next_insn(t, place(t)?.ip))
        };
        /// The symbol that an address belongs to, as `f+0x5`, or ().
        "symbol(t: Task, addr: Addr) -> string" => |t: &mut Task, addr: Dynamic| -> Raised<Dynamic> {
            let addr = args::word("symbol: addr", &addr)?;
            Ok(symbols(t).show(addr).map_or(Dynamic::UNIT, Into::into))
        };
        /// The address of a symbol.
        "symbol(t: Task, name: string) -> Addr" =>
            |t: &mut Task, name: ImmutableString| -> Raised<Addr> {
                Ok(Addr(resolve("symbol", t, &name.into())?))
            };
        /// The functions that have not returned, innermost first, by frame pointers.
        "backtrace(t: Task) -> array" => |t: &mut Task| -> Raised<Array> {
            let regs = place(t)?;
            let symbols = symbols(t);
            let frames = t.machine().read(|sys| disasm::backtrace(sys, t.id(), &regs, &symbols));
            Ok(frames.into_iter().map(Dynamic::from).collect())
        };
    }
    book.prints::<InsnLine>("Insn");
    getters! { book, Insn;
        /// Its address.
        "addr: Addr" => |i: &mut InsnLine| Addr(i.addr);
        /// Its bytes.
        "bytes: blob" => |i: &mut InsnLine| -> Blob { i.bytes.clone() };
        /// Its text, in Intel's notation.
        "text: string" => |i: &mut InsnLine| i.text.clone();
        /// The symbol it belongs to, or ().
        "symbol: string" => |i: &mut InsnLine| i.symbol.clone().map_or(Dynamic::UNIT, Into::into);
    }
    book.prints::<Frame>("Frame");
    getters! { book, Frame;
        /// 0 for the innermost.
        "number: int" => |f: &mut Frame| f.number as INT;
        /// Where it goes on.
        "addr: Addr" => |f: &mut Frame| Addr(f.addr);
        /// The symbol there, or ().
        "symbol: string" => |f: &mut Frame| f.symbol.clone().map_or(Dynamic::UNIT, Into::into);
    }
}
