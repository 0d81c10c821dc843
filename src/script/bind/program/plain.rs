//! Values that leave a program's function: plain data instead of the engine's
//! values, so that the system stays plain data.
//!
//! Left out: handles to tasks and machines; they belong to directors.

use rhai::{AST, Array, Dynamic, FnPtr, Map};

use super::OwnVars;
use crate::abi::Errno;
use crate::script::bind::args::type_of;
use crate::script::bind::kinds;
use crate::script::bind::signals::Info;
use crate::script::bind::waited::Waited;
use crate::script::errors::ScriptError;
use crate::script::value::{Addr, Flags};
use crate::session::program::{Start, Value};

/// Deepest nesting of a value that is passed on.
const MAX_DEPTH: usize = 16;

/// A script's value as plain data.
pub(super) fn value(what: &str, v: &Dynamic) -> Result<Value, ScriptError> {
    nested(what, v, 0)
}

fn nested(what: &str, v: &Dynamic, depth: usize) -> Result<Value, ScriptError> {
    if depth > MAX_DEPTH {
        return Err(ScriptError::usage(format!("{what} is nested more than {MAX_DEPTH} deep")));
    }
    if v.is_unit() {
        return Ok(Value::Unit);
    }
    if let Ok(b) = v.as_bool() {
        return Ok(Value::Bool(b));
    }
    if let Ok(n) = v.as_int() {
        return Ok(Value::Int(n));
    }
    if let Ok(s) = v.clone().into_immutable_string() {
        return Ok(Value::Text(s.as_str().into()));
    }
    if let Some(addr) = v.read_lock::<Addr>() {
        return Ok(Value::Addr(addr.0));
    }
    if let Some(array) = v.read_lock::<Array>() {
        let items = array.iter().map(|v| nested(what, v, depth + 1));
        return Ok(Value::Array(items.collect::<Result<_, _>>()?));
    }
    if let Some(map) = v.read_lock::<Map>() {
        let items = map.iter().map(|(k, v)| Ok((k.as_str().into(), nested(what, v, depth + 1)?)));
        return Ok(Value::Map(items.collect::<Result<_, ScriptError>>()?));
    }
    if let Some(flags) = v.read_lock::<Flags>() {
        return Ok(Value::Flags(flags.bits, flags.kind.name.into()));
    }
    if let Some(errno) = v.read_lock::<Errno>() {
        return Ok(Value::Flags(*errno as u64, ERRNO.into()));
    }
    if v.is_fnptr() {
        return Ok(Value::Function(Box::new(started(what, v, depth + 1)?)));
    }
    if v.is::<OwnVars>() {
        return Ok(Value::Vars);
    }
    if let Some(info) = v.read_lock::<Info>() {
        return Ok(Value::siginfo(info.0));
    }
    Err(ScriptError::Usage {
        message: format!("{what}: {} cannot be passed to another program", type_of(v)),
        help: Some(
            "numbers, strings, addresses, functions, and arrays and maps of them can".into(),
        ),
    })
}

/// What stands for the kind of an errno.
const ERRNO: &str = "errno";

/// Plain data as a script's value; functions are the script's.
pub(super) fn dynamic(ast: &AST, v: &Value) -> Dynamic {
    match v {
        Value::Unit => Dynamic::UNIT,
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::Addr(a) => Dynamic::from(Addr(*a)),
        Value::Text(s) => s.to_string().into(),
        Value::Array(items) => items.iter().map(|v| dynamic(ast, v)).collect::<Array>().into(),
        Value::Map(items) => {
            items.iter().map(|(k, v)| ((&**k).into(), dynamic(ast, v))).collect::<Map>().into()
        }
        Value::Flags(bits, kind) if &**kind == ERRNO => match Errno::from_number(*bits as i32) {
            Some(errno) => Dynamic::from(errno),
            None => (*bits as i64).into(),
        },
        Value::Flags(bits, kind) => match kinds::by_name(kind) {
            Some(kind) => Dynamic::from(Flags { bits: *bits, kind }),
            None => (*bits as i64).into(),
        },
        Value::Function(start) => function(ast, start),
        Value::Vars => Dynamic::from(OwnVars),
        Value::Siginfo(info) => Dynamic::from(Info(**info)),
    }
}

/// A function pointer. One that captures has a name that only the script's own
/// table of functions knows.
fn function(ast: &AST, start: &Start) -> Dynamic {
    let params = ast.iter_functions().find(|f| f.name == &*start.function);
    let params = params.map_or(0, |f| f.params.len());
    let known = ast.shared_lib().get_script_fn(&*start.function, params).cloned();
    let pointer = match known {
        Some(function) => Some(FnPtr::from(function)),
        None => FnPtr::new(&*start.function).ok(),
    };
    let Some(mut pointer) = pointer else { return start.function.to_string().into() };
    pointer.set_curry(start.args.iter().map(|v| dynamic(ast, v)));
    Dynamic::from(pointer)
}

/// Text by which a value of one of our types is told apart from others, if
/// programs hold such values.
pub(in crate::script) fn known(v: &Dynamic) -> Option<String> {
    if let Some(waited) = v.read_lock::<Waited>() {
        return Some(waited.identity());
    }
    if let Some(error) = v.read_lock::<ScriptError>() {
        return Some(format!("{error:?}"));
    }
    if let Some(info) = v.read_lock::<Info>() {
        return Some(format!("{:?}", Value::siginfo(info.0)));
    }
    v.is::<OwnVars>().then(String::new)
}

/// A function to start, with what it has captured.
pub(super) fn start(what: &str, f: &Dynamic) -> Result<Start, ScriptError> {
    started(what, f, 0)
}

fn started(what: &str, f: &Dynamic, depth: usize) -> Result<Start, ScriptError> {
    if let Ok(name) = f.clone().into_immutable_string() {
        return Ok(Start::new(&name));
    }
    let Some(f) = f.read_lock::<FnPtr>() else {
        let message = format!("{what} must be a function, not {}", type_of(f));
        return Err(ScriptError::usage(message));
    };
    // What a closure captures is a shared cell: the program gets a copy.
    let bound = f.iter_curry().map(|v| nested(what, &v.flatten_clone(), depth));
    Ok(Start { function: f.fn_name().into(), args: bound.collect::<Result<_, _>>()? })
}
