//! Views: pictures and tables of a machine as values. Each prints as `report`
//! draws it, and has fields to assert on; none prints by itself.
//!
//! Left out: drawing; that is `report`'s.

mod hardware;
mod memory;
mod sharing;
mod tasks;
mod timeline;
mod trace;

use rhai::{Array, Dynamic};

use super::registry::{Book, Raised};
use super::task::Task;
use super::world::Machine;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::report::NoView;
use crate::script::errors::ScriptError;
use crate::script::value::Addr;

/// A view of one task.
fn of_task<V>(
    t: &Task,
    view: impl FnOnce(&System, TaskId) -> Result<V, NoView>,
) -> Result<V, ScriptError> {
    if !t.exists() {
        return Err(t.no_longer());
    }
    t.machine().read(|sys| view(sys, t.id())).map_err(|e| no_view(&e))
}

fn no_view(why: &NoView) -> ScriptError {
    ScriptError::usage(why.to_string())
}

/// A view of two tasks of one machine.
fn of_two<V>(
    a: &Task,
    b: &Task,
    view: impl FnOnce(&System, TaskId, TaskId) -> Result<V, NoView>,
) -> Raised<V> {
    for t in [a, b] {
        if !t.exists() {
            return Err(t.no_longer().into());
        }
    }
    a.sees(b)?;
    Ok(a.machine().read(|sys| view(sys, a.id(), b.id())).map_err(|e| no_view(&e))?)
}

/// Values of our types as an array.
fn array<T: rhai::Variant + Clone>(items: impl IntoIterator<Item = T>) -> Array {
    items.into_iter().map(Dynamic::from).collect()
}

/// A frame number; `()` for none.
fn frame(pfn: Option<u32>) -> Dynamic {
    pfn.map_or(Dynamic::UNIT, |pfn| Dynamic::from(Addr(pfn.into())))
}

/// Registers all views; functions without a machine look at the first.
pub(super) fn register(book: &mut Book, main: &Machine) {
    tasks::register(book, main);
    timeline::register(book, main);
    memory::register(book);
    sharing::register(book);
    hardware::register(book);
    trace::register(book, main);
}
