//! Values that leave a program's function: plain data instead of the engine's
//! values, so that the system stays plain data.
//!
//! Left out: handles to tasks and machines; they belong to directors.

use rhai::{Array, Dynamic, FnPtr, Map};

use super::OwnVars;
use crate::script::bind::args::type_of;
use crate::script::bind::waited::Waited;
use crate::script::errors::ScriptError;
use crate::script::value::Addr;
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
    Err(ScriptError::Usage {
        message: format!("{what}: {} cannot be passed to another program", type_of(v)),
        help: Some("numbers, strings, addresses, and arrays and maps of them can".into()),
    })
}

/// Plain data as a script's value.
pub(super) fn dynamic(v: &Value) -> Dynamic {
    match v {
        Value::Unit => Dynamic::UNIT,
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::Addr(a) => Dynamic::from(Addr(*a)),
        Value::Text(s) => s.to_string().into(),
        Value::Array(items) => items.iter().map(dynamic).collect::<Array>().into(),
        Value::Map(items) => {
            items.iter().map(|(k, v)| ((&**k).into(), dynamic(v))).collect::<Map>().into()
        }
    }
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
    v.is::<OwnVars>().then(String::new)
}

/// A function to start, with what it has captured.
pub(super) fn start(what: &str, f: &Dynamic) -> Result<Start, ScriptError> {
    if let Ok(name) = f.clone().into_immutable_string() {
        return Ok(Start::new(&name));
    }
    let Some(f) = f.read_lock::<FnPtr>() else {
        let message = format!("{what} must be a function, not {}", type_of(f));
        return Err(ScriptError::usage(message));
    };
    // What a closure captures is a shared cell: the program gets a copy.
    let bound = f.iter_curry().map(|v| value(what, &v.flatten_clone()));
    Ok(Start { function: f.fn_name().into(), args: bound.collect::<Result<_, _>>()? })
}
