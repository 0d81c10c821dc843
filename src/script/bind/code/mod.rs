//! Machine code in scripts: `exec` starts a program, `t.step()` and `t.run()` let
//! it execute, `t.regs`, `t.disasm()`, `t.strace()` look at it.
//!
//! ```text
//! exec("hello", ["world"]) ---> a task at its first instruction
//!   t.step()             one instruction, everybody else stands still
//!   t.run(), run_until   the scheduler picks; stops at breakpoints, watches
//!   t.undo()             the machine as it was before the last of these
//! ```
//!
//! - `state`: what a machine's programs have beside its system
//! - `start`: `exec`, the streams
//! - `step`, `run`: letting programs execute; `drive`: what both do on the way;
//!   `stopped`: why they end
//! - `stops`: breakpoints, watched memory; `hooks`: `on_syscall`
//! - `look`: disassembly, symbols, backtrace; `fpu`: x87 and SSE registers
//!
//! Between two of these the script is the director, as ever: what it may do with a
//! task it may do with a program's task.
//!
//! Left out: reverse execution of single instructions beyond `t.undo()`; `forkyard
//! gdb` has it.

mod drive;
mod fpu;
mod hooks;
mod look;
mod run;
mod start;
mod state;
mod step;
mod stopped;
mod stops;

pub(super) use hooks::Hooks;
pub(super) use look::next_insn;
pub(super) use state::CodeState;

use super::registry::Book;
use super::task::Task;
use super::world::Machine;
use crate::report::symbols;
use crate::script::errors::ScriptError;

/// Registers everything.
pub(super) fn register(book: &mut Book, main: &Machine) {
    start::register(book, main);
    step::register(book, main);
    run::register(book);
    stopped::register(book);
    stops::register(book);
    hooks::register(book, main);
    look::register(book);
    fpu::register(book);
}

/// Makes sure that a task executes machine code. One that has executed an ELF file
/// by execve does from here on.
fn ensure(t: &Task) -> Result<(), ScriptError> {
    let is_code = t.read(|_, task| task.code)?;
    if is_code {
        return Ok(());
    }
    let pid = t.pid();
    let is_init = t.machine().read(|sys| sys.kernel.init_process == t.id());
    if is_init || t.machine().read(|sys| symbols::program(sys, t.id())).is_none() {
        return Err(ScriptError::Usage {
            message: format!("task {pid} has no machine code: the script makes it act"),
            help: Some(
                "`exec(\"file\")` starts a program; `execve` of an ELF file makes one".into(),
            ),
        });
    }
    t.machine().write(|sys| {
        if let Some(task) = sys.kernel.tasks.get_mut(t.id()) {
            task.code = true;
        }
    });
    Ok(())
}
