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
//! In program style (`program`) a script function is the body of a process.
//!
//! Left out: the choice of who runs next; `explore` makes it.

mod args;
mod code;
mod constants;
mod door;
mod elf;
mod events;
mod files;
mod identity;
mod kinds;
mod kthread;
mod lookup;
mod machine;
mod memory;
mod names;
mod objects;
mod pending;
mod policy;
mod poll;
mod process;
pub mod program;
mod ptrace;
mod registry;
mod resources;
mod sched;
mod signals;
mod sysctl;
mod task;
mod task_fields;
mod time;
mod trouble;
mod tty;
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
use registry::Book;

impl World {
    /// Registers everything with an engine. `machine` and `init` are names at
    /// hand everywhere; the scope stays as it is.
    pub fn register(&self, engine: &mut Engine, control: &Control, _scope: &mut Scope<'static>) {
        self.set_control(control);
        let mut open = Book::new(engine);
        let book = &mut open;
        constants::register(book, control);
        waited::register(book);
        objects::register_limit(book);
        signals::register_siginfo(book);
        ptrace::register_seen(book);
        book.for_directors(control);
        task::register(book);
        task_fields::register(book);
        objects::register(book);
        pending::register(book);
        process::register(book);
        memory::register(book);
        identity::register(book);
        resources::register(book);
        policy::register(book);
        time::register(book);
        signals::register(book);
        ptrace::register(book);
        files::register(book);
        tty::register(book);
        lookup::register(book);
        names::register(book);
        poll::register(book);
        events::register(book);
        user_mode::register(book);
        vars::register(book);
        views::register(book, self.main());
        machine::register(book, self.main());
        elf::register(book);
        code::register(book, self.main());
        sched::register(book, self.main());
        kthread::register(book);
        book.for_all();
        program::register(book, control, self.main());
        open.close();
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
