//! Named variables in the data segment: `t.define("data", 10)`,
//! `t.vars.data = 20`. A name is an address; reading and writing are loads and
//! stores by the task.
//!
//! Left out: types. A variable of 1, 2, 4 or 8 bytes reads as a number, any
//! other as a blob.

use std::fmt;

use rhai::{Dynamic, ImmutableString, NativeCallContext};

use super::args;
use super::registry::{Book, Raised, functions, getters, member};
use super::task::Task;
use super::user_mode::{load, load_block, store, store_block};
use crate::kernel::mm::Symbol;
pub(super) use crate::kernel::mm::symbols::Place;
use crate::kernel::mm::symbols::define_symbol;
use crate::machine::Size;
use crate::script::errors::ScriptError;
use crate::script::names::{did_you_mean, suggestion};
use crate::script::value::Addr;

type Ctx<'a> = NativeCallContext<'a>;

/// The variables of a task.
#[derive(Clone)]
pub(super) struct Vars(Task);

impl Vars {
    /// The variables of a task.
    pub(super) fn new(task: &Task) -> Vars {
        Vars(task.clone())
    }

    /// All of them, in order of definition.
    fn all(&self) -> Result<Vec<(String, Symbol)>, ScriptError> {
        self.0.read(|sys, t| {
            let mm = t.mm.and_then(|mm| sys.kernel.mms.get(mm));
            let symbols = mm.map(|mm| mm.symbols.clone()).unwrap_or_default();
            symbols.iter().map(|(name, s)| (name.clone(), *s)).collect()
        })
    }

    /// One of them.
    pub(super) fn find(&self, name: &str) -> Result<Symbol, ScriptError> {
        let found = self.0.read(|sys, t| {
            let mm = t.mm.and_then(|mm| sys.kernel.mms.get(mm))?;
            mm.symbols.get(name).copied()
        })?;
        if let Some(symbol) = found {
            return Ok(symbol);
        }
        let all = self.all()?;
        let near = did_you_mean(name, all.iter().map(|(n, _)| n.as_str()));
        Err(ScriptError::Usage {
            message: format!("task {} has no variable `{name}`", self.0.pid()),
            help: suggestion(&near).or_else(|| Some(format!("`t.define({name:?}, 0)` makes one"))),
        })
    }
}

impl fmt::Display for Vars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.all().unwrap_or_default();
        let names: Vec<String> =
            all.iter().map(|(name, s)| format!("{name} at {:#x}", s.addr)).collect();
        write!(f, "variables of task {}: {}", self.0.pid(), names.join(", "))
    }
}

/// Whether `t.vars.name` could be written.
fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Defines a variable and stores its first value.
pub(super) fn define(
    ctx: &Ctx,
    t: &Task,
    name: &str,
    value: &Dynamic,
    place: Place,
) -> Result<Addr, ScriptError> {
    if !is_name(name) {
        return Err(ScriptError::usage(format!("{name:?} is no name for a variable")));
    }
    let mut bytes = None;
    if value.is_string() || value.is_blob() || value.is_array() {
        let mut b = args::bytes("define: value", value)?;
        if value.is_string() {
            b.push(0);
        }
        bytes = Some(b);
    } else {
        args::word("define: value", value)?;
    }
    if !t.exists() {
        return Err(t.no_longer());
    }
    let size = bytes.as_ref().map_or(8, |b| b.len() as u64);
    let machine = t.machine();
    machine.mark_origin(ctx);
    let made = machine.write(|sys| define_symbol(sys, t.id(), name, size, place));
    let call = || format!("define({name:?})");
    let addr = made.map_err(|e| ScriptError::refused(&e, call(), t.pid()))?;
    let at = Dynamic::from(Addr(addr));
    match bytes {
        Some(bytes) => store_block(ctx, t, &at, &bytes)?,
        None => store(ctx, t, &at, value, Size::Qword)?,
    }
    Ok(Addr(addr))
}

fn get(ctx: Ctx, vars: &mut Vars, name: ImmutableString) -> Raised<Dynamic> {
    let symbol = vars.find(&name)?;
    let at = Dynamic::from(Addr(symbol.addr));
    match Size::from_bytes(symbol.size) {
        Some(size) => Ok((load(&ctx, &vars.0, &at, size)? as i64).into()),
        None => Ok(Dynamic::from_blob(load_block(&ctx, &vars.0, &at, symbol.size)?)),
    }
}

fn set(ctx: Ctx, vars: &mut Vars, name: ImmutableString, value: Dynamic) -> Raised<()> {
    let symbol = vars.find(&name)?;
    let at = Dynamic::from(Addr(symbol.addr));
    if let Some(size) = Size::from_bytes(symbol.size)
        && !value.is_blob()
        && !value.is_string()
    {
        return Ok(store(&ctx, &vars.0, &at, &value, size)?);
    }
    let mut bytes = args::bytes("the value", &value)?;
    if value.is_string() {
        bytes.push(0);
    }
    if bytes.len() as u64 > symbol.size {
        return Err(ScriptError::usage(format!(
            "`{name}` has {} bytes, the value {}",
            symbol.size,
            bytes.len()
        ))
        .into());
    }
    Ok(store_block(&ctx, &vars.0, &at, &bytes)?)
}

/// Registers the type.
pub(super) fn register(book: &mut Book) {
    book.prints::<Vars>("Vars");
    getters! { book, Task;
        /// The task's named variables: `t.vars.data`, `t.vars.data = 20`.
        "vars: Vars" => |t: &mut Task| Vars::new(t);
    }
    member!(
        book,
        IndexGetter,
        "Vars",
        "[name: string] -> int",
        [" Loads a variable, as the task in user mode."],
        get
    );
    member!(
        book,
        IndexSetter,
        "Vars",
        "[name: string] = value: int",
        [" Stores a variable, as the task in user mode."],
        set
    );
    functions! { book;
        /// The names of the variables, in order of definition.
        "names(vars: Vars) -> array" => |vars: &mut Vars| -> Raised<rhai::Array> {
            Ok(vars.all()?.into_iter().map(|(name, _)| name.into()).collect())
        };
    }
}
