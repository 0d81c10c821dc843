//! What scripts can do with a machine: handles to machines, tasks and kernel
//! objects, every system call by Linux's name, memory as user mode sees it,
//! constants.
//!
//! ```text
//! script --- Task.fork() --- door --- session --- kernel entry
//!              |               |
//!              |               +-- where in the script, errors, Pending
//!              +-- handles: a machine and a name in it, never a copy
//! ```
//!
//! A script shares its machines by reference; the systems inside are plain
//! data. All of it lives on one thread and reaches nothing of the host.
//!
//! Left out: program style, where a script function is a process.

mod args;
mod constants;
mod door;
mod files;
mod identity;
mod kinds;
mod machine;
mod memory;
mod objects;
mod pending;
mod process;
mod registry;
mod signals;
mod task;
mod task_fields;
mod trouble;
mod user_mode;
mod vars;
mod views;
mod waited;
mod world;

use rhai::{Dynamic, Engine, Scope};

pub use pending::Pending;
pub use task::Task;
pub use world::{Machine, Snapshot, World};

use super::control::Control;

impl World {
    /// Registers everything with an engine. `machine` and `init` are names at
    /// hand everywhere; the scope stays as it is.
    pub fn register(&self, engine: &mut Engine, control: &Control, _scope: &mut Scope<'static>) {
        self.set_control(control);
        constants::register(engine, control);
        task::register(engine);
        task_fields::register(engine);
        objects::register(engine);
        pending::register(engine);
        waited::register(engine);
        process::register(engine);
        memory::register(engine);
        identity::register(engine);
        signals::register(engine);
        files::register(engine);
        user_mode::register(engine);
        vars::register(engine);
        views::register(engine, self.main());
        machine::register(engine, self.main());
        control.define("machine", Dynamic::from(self.main().clone()));
        control.define("init", Dynamic::from(self.main().init()));
    }
}

/// A signal as scripts have it: `SIGSEGV`.
pub(super) fn signal_value(sig: crate::abi::Signal) -> super::value::Flags {
    kinds::of_signal(sig)
}

#[cfg(test)]
mod tests;
