//! The one way from a script to a system call: mark the script line, make the
//! task call, turn what comes back into a value, an error or a `Pending`.
//!
//! Left out: what each call's arguments mean; the areas know.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use smallvec::SmallVec;

use super::args;
pub(super) use super::pending::Convert;
use super::pending::Pending;
use super::registry::Raised;
use super::task::Task;
use super::trouble;
use crate::abi::nr::SYSCALL_NAMES;
use crate::kernel::syscalls::{Call, Out};
use crate::machine::UserOp;
use crate::script::errors::ScriptError;
use crate::session::Done;

/// The number of a system call, at compile time.
pub(super) const fn nr(name: &str) -> u32 {
    let wanted = name.as_bytes();
    let mut i = 0;
    while i < SYSCALL_NAMES.len() {
        let (number, name) = SYSCALL_NAMES[i];
        let bytes = name.as_bytes();
        let mut k = 0;
        while k < bytes.len() && k < wanted.len() && bytes[k] == wanted[k] {
            k += 1;
        }
        if k == bytes.len() && k == wanted.len() {
            return number;
        }
        i += 1;
    }
    panic!("no system call has this name")
}

/// The number of the system call that a signature names.
pub(super) const fn nr_of(signature: &str) -> u32 {
    let mut end = 0;
    while end < signature.len() && signature.as_bytes()[end] != b'(' {
        end += 1;
    }
    nr(signature.split_at(end).0)
}

/// A call that returns nothing but success.
pub(super) const NOTHING: Convert = |_, _, _| Dynamic::UNIT;
/// A call that returns a number.
pub(super) const NUMBER: Convert = |_, ret, _| ret.into();

/// Makes a task call. `args` are the arguments as the script gave them, for
/// messages.
pub(super) fn call(
    ctx: &NativeCallContext,
    task: &Task,
    args: &[&Dynamic],
    call: Call,
    convert: Convert,
) -> Raised<Dynamic> {
    match step(ctx, task, args, call)? {
        Done::Returned(ret, out) => Ok(convert(task, ret, out)),
        Done::Dead => Ok(Dynamic::UNIT),
        _ => Ok(Dynamic::from(Pending::new(task, shown(ctx.fn_name(), args), convert))),
    }
}

/// The same, leaving what comes back to the caller.
pub(super) fn step(
    ctx: &NativeCallContext,
    task: &Task,
    args: &[&Dynamic],
    call: Call,
) -> Result<Done, ScriptError> {
    let machine = task.machine();
    machine.mark_origin(ctx);
    machine.calls(|calls| machine.write(|sys| calls.collect(sys, task.id())));
    let result = machine.write(|sys| sys.call(task.id(), call));
    machine.flush_console();
    result.map_err(|e| trouble::error(ctx, task, || shown(ctx.fn_name(), args), e))
}

/// Makes a task execute a user-mode operation.
pub(super) fn op(
    ctx: &NativeCallContext,
    task: &Task,
    args: &[&Dynamic],
    op: UserOp,
) -> Result<u64, ScriptError> {
    let machine = task.machine();
    machine.mark_origin(ctx);
    let result = machine.write(|sys| sys.op(task.id(), op));
    result.map_err(|e| trouble::error(ctx, task, || shown(ctx.fn_name(), args), e))
}

/// A call whose arguments are numbers, each named for messages.
pub(super) fn numbers(
    ctx: &NativeCallContext,
    task: &Task,
    nr: u32,
    named: &[(&str, &Dynamic)],
    convert: Convert,
) -> Raised<Dynamic> {
    let mut words = [0; 6];
    for (word, (name, value)) in words.iter_mut().zip(named) {
        let is_id = name.ends_with("uid") || name.ends_with("gid") && !PROCESS_IDS.contains(name);
        if is_id
            && let Ok(n) = value.as_int()
            && !(-1..=i64::from(u32::MAX)).contains(&n)
        {
            let message = format!("{}: {name} cannot be {n}", ctx.fn_name());
            let help = Some("user and group ids have 32 bits: 0 to 4294967295, or -1".to_string());
            return Err(ScriptError::Usage { message, help }.into());
        }
        *word = match args::plain_word(value) {
            Some(word) => word,
            None => args::word(&format!("{}: {name}", ctx.fn_name()), value)?,
        };
    }
    let values: SmallVec<[&Dynamic; 6]> = named.iter().map(|(_, v)| *v).collect();
    call(ctx, task, &values, Call::new(nr, &words), convert)
}

/// Arguments that look like group ids and are none.
const PROCESS_IDS: [&str; 2] = ["pgid", "tgid"];

/// A call as the script wrote it: `waitpid(5, WNOHANG)`.
pub(super) fn shown(name: &str, args: &[&Dynamic]) -> String {
    let args: Vec<String> = args.iter().map(|v| argument(v)).collect();
    format!("{name}({})", args.join(", "))
}

/// Longest text shown as an argument, in characters.
const SHOWN: usize = 40;

fn argument(value: &Dynamic) -> String {
    if let Some(task) = value.read_lock::<Task>() {
        return task.pid().to_string();
    }
    if value.is_string() {
        let text = value.to_string();
        let short: String = text.chars().take(SHOWN).collect();
        let more = if short.len() < text.len() { "…" } else { "" };
        return format!("{short:?}{more}");
    }
    if let Some(array) = value.read_lock::<Array>() {
        let items: Vec<String> = array.iter().take(8).map(argument).collect();
        let more = if array.len() > 8 { ", …" } else { "" };
        return format!("[{}{more}]", items.join(", "));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let items: Vec<String> = map.iter().map(|(k, v)| format!("{k}: {}", argument(v))).collect();
        return format!("#{{{}}}", items.join(", "));
    }
    printed(value)
}

/// A value of one of our types as it prints.
pub(super) fn printed(value: &Dynamic) -> String {
    use crate::abi::{Errno, SigSet};
    use crate::script::value::{Addr, Flags};
    if let Some(v) = value.read_lock::<Flags>() {
        v.to_string()
    } else if let Some(v) = value.read_lock::<Addr>() {
        v.to_string()
    } else if let Some(v) = value.read_lock::<Errno>() {
        v.to_string()
    } else if let Some(v) = value.read_lock::<SigSet>() {
        v.to_string()
    } else if value.is_fnptr() {
        "closure".into()
    } else {
        value.to_string()
    }
}

/// The value of a call that returns a number through a pointer or in RAX.
pub(super) const OUT_NUMBER: Convert = |_, ret, out| match out {
    Out::Number(n) => (n as i64).into(),
    _ => ret.into(),
};
