//! `on_syscall("clone", |t, call| …)`: a closure of the script that is called before
//! a program makes a call.
//!
//! Left out: calls that the script itself makes its tasks make.

use std::collections::BTreeMap;

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map, NativeCallContext};

use crate::abi::nr::{SYSCALL_NAMES, syscall_name, syscall_number};
use crate::kernel::syscalls::Call;
use crate::kernel::task::TaskId;
use crate::script::bind::registry::{Book, Raised, functions};
use crate::script::bind::world::Machine;
use crate::script::errors::ScriptError;
use crate::script::names::{did_you_mean, suggestion};

/// The closures of one machine.
#[derive(Clone, Default)]
pub(in crate::script::bind) struct Hooks {
    by_number: BTreeMap<u32, FnPtr>,
    all: Option<FnPtr>,
    /// A closure runs.
    busy: bool,
}

impl Hooks {
    /// Whether somebody wants to see a call.
    pub fn want(&self, nr: u32) -> bool {
        self.all.is_some() || self.by_number.contains_key(&nr)
    }

    /// Whether a closure runs now.
    pub fn busy(&self) -> bool {
        self.busy
    }
}

/// The number of a call by its name.
pub(super) fn number(what: &str, name: &str) -> Result<u32, ScriptError> {
    syscall_number(name).ok_or_else(|| {
        let near = did_you_mean(name, SYSCALL_NAMES.iter().map(|(_, n)| *n));
        ScriptError::Usage {
            message: format!("{what}: there is no system call `{name}`"),
            help: suggestion(&near),
        }
    })
}

/// The name of a call.
pub(super) fn name(nr: u32) -> String {
    syscall_name(u64::from(nr)).map_or_else(|| format!("syscall_{nr}"), str::to_string)
}

/// A call as a map of nr, name and args.
pub(super) fn shown(call: &Call) -> Map {
    let mut map = Map::new();
    map.insert("nr".into(), i64::from(call.nr).into());
    map.insert("name".into(), name(call.nr).into());
    let args: Array = call.args.iter().map(|a| Dynamic::from(*a as i64)).collect();
    map.insert("args".into(), args.into());
    map
}

/// Calls who wants to see this call.
pub(super) fn call(
    ctx: &NativeCallContext,
    machine: &Machine,
    task: TaskId,
    call: &Call,
) -> Raised<()> {
    let (one, all) = machine.hooks(|h| {
        h.busy = true;
        (h.by_number.get(&call.nr).cloned(), h.all.clone())
    });
    let mut result = Ok(());
    for f in [all, one].into_iter().flatten() {
        let args = (machine.handle(task), shown(call));
        result = f.call_within_context::<Dynamic>(ctx, args).map(|_| ());
        if result.is_err() {
            break;
        }
    }
    machine.hooks(|h| h.busy = false);
    result
}

fn set(m: &Machine, name: &str, f: FnPtr) -> Raised<()> {
    let nr = number("on_syscall", name)?;
    m.hooks(|h| h.by_number.insert(nr, f));
    Ok(())
}

/// Registers the function.
pub(super) fn register(book: &mut Book, main: &Machine) {
    let (one, all, none) = (main.clone(), main.clone(), main.clone());
    functions! { book;
        /// Calls a closure before a program makes a call of this name, while `step` or
        /// `run` lets it: `on_syscall("clone", |t, call| print(call.args))`. The call is
        /// a map of nr, name and args.
        "on_syscall(name: string, f: closure)" => move |name: ImmutableString, f: FnPtr| {
            set(&one, &name, f)
        };
        /// The same for every call.
        "on_syscall(f: closure)" => move |f: FnPtr| all.hooks(|h| h.all = Some(f));
        /// No closures any more.
        "on_syscall()" => move || none.hooks(|h| *h = Hooks { busy: h.busy, ..Hooks::default() });
        /// The same of a machine.
        "on_syscall(m: Machine, name: string, f: closure)" =>
            |m: &mut Machine, name: ImmutableString, f: FnPtr| set(m, &name, f);
    }
}
