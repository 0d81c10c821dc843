//! ptrace(2) as a program makes it.
//!
//! Left out: libc's way of returning a peeked word with errno beside it: the
//! word is the value, a refusal is thrown.

use rhai::Dynamic;

use super::calls::{Give, Row, rows};
use crate::kernel::syscalls::Call;
use crate::script::bind::{args, ptrace};
use crate::script::errors::ScriptError;
use crate::session::program::Child;

const VALUE: Give = ptrace::value;

fn request(name: &str, a: &[Dynamic]) -> Result<(Call, Child), ScriptError> {
    let pid = match a.get(1) {
        Some(pid) => args::word(&format!("{name}: pid"), pid)?,
        None => 0,
    };
    let call = ptrace::request_call(name, &a[0], pid, a.get(2), a.get(3))?;
    Ok((call, Child::Returns))
}

pub(super) const ROWS: &[Row] = rows! {
    /// A request without a tracee: PTRACE_TRACEME (ptrace(2)).
    "ptrace(request: Flags) -> any" => VALUE, |_, name, a| request(name, a);
    /// A request about a tracee; what it stores is its value.
    "ptrace(request: Flags, pid: int) -> any" => VALUE, |_, name, a| request(name, a);
    /// The same with an address.
    "ptrace(request: Flags, pid: int, addr: Addr) -> any" => VALUE, |_, name, a| request(name, a);
    /// The same with data: a word, a signal, options, a map of registers, a
    /// siginfo, a set of signals.
    "ptrace(request: Flags, pid: int, addr: Addr, data: any) -> any" =>
        VALUE, |_, name, a| request(name, a);
};
