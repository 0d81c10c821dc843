//! What scripts pass, as what system calls take: registers, signals, pids,
//! sets, strings. Numbers go to the kernel as C would pass them, -1 as all
//! ones; whether they make sense is the kernel's to say.
//!
//! Left out: checks of values. Only wrong *types* are refused here.

use rhai::{Array, Blob, Dynamic, Map};

use super::kinds;
use super::task::Task;
use crate::abi::cap::Cap;
use crate::abi::{CapSet, Errno, SigSet, Signal};
use crate::script::errors::ScriptError;
use crate::script::value::{Addr, Flags};

/// What an argument is, with an article: "a string".
pub(super) fn type_of(value: &Dynamic) -> String {
    let name = if value.is_unit() {
        return "nothing: `()`".into();
    } else if value.is_int() {
        "number"
    } else if value.is_float() {
        "fractional number"
    } else if value.is_string() {
        "string"
    } else if value.is_bool() {
        "bool"
    } else if value.is_char() {
        "character"
    } else if value.is_array() {
        "array"
    } else if value.is_map() {
        "map"
    } else if value.is_blob() {
        "blob"
    } else if value.is_fnptr() {
        "function"
    } else if value.is::<Task>() {
        "task"
    } else if let Some(flags) = value.read_lock::<Flags>() {
        return format!("{} ({})", *flags, flags.kind.name);
    } else {
        return format!("a {}", value.type_name().rsplit("::").next().unwrap_or("value"));
    };
    let article = if name.starts_with('a') { "an" } else { "a" };
    format!("{article} {name}")
}

fn wrong(what: &str, wanted: &str, value: &Dynamic) -> ScriptError {
    let help = match () {
        () if value.is_float() => Some("`x.to_int()` gives the whole part".into()),
        () if value.is::<super::pending::Pending>() => {
            Some("the call has not returned yet: `.done` says whether, `.value` gives it".into())
        }
        () => None,
    };
    ScriptError::Usage { message: format!("{what} must be {wanted}, not {}", type_of(value)), help }
}

/// A value for a register: numbers, addresses, flags; true is 1.
pub(super) fn word(what: &str, value: &Dynamic) -> Result<u64, ScriptError> {
    plain_word(value).ok_or_else(|| wrong(what, "a number", value))
}

/// The same; `None` for other types.
pub(super) fn plain_word(value: &Dynamic) -> Option<u64> {
    if let Ok(n) = value.as_int() {
        return Some(n as u64);
    }
    if let Some(flags) = value.read_lock::<Flags>() {
        return Some(flags.bits);
    }
    if let Some(addr) = value.read_lock::<Addr>() {
        return Some(addr.0);
    }
    if let Some(errno) = value.read_lock::<Errno>() {
        return Some(*errno as u64);
    }
    value.as_bool().ok().map(u64::from)
}

/// A pid: a number as it is, or a task's number as the caller sees it.
pub(super) fn pid(what: &str, caller: &Task, value: &Dynamic) -> Result<u64, ScriptError> {
    if let Some(task) = value.read_lock::<Task>() {
        return caller.sees(&task).map(|nr| nr as u64);
    }
    plain_word(value).ok_or_else(|| wrong(what, "a pid or a task", value))
}

/// A string.
pub(super) fn text(what: &str, value: &Dynamic) -> Result<String, ScriptError> {
    match value.clone().into_immutable_string() {
        Ok(s) => Ok(s.to_string()),
        Err(_) => Err(wrong(what, "a string", value)),
    }
}

/// Strings: an array of them.
pub(super) fn texts(what: &str, value: &Dynamic) -> Result<Vec<String>, ScriptError> {
    let Some(array) = value.read_lock::<Array>() else {
        return Err(wrong(what, "an array of strings", value));
    };
    array.iter().map(|v| text(what, v)).collect()
}

/// Bytes: a blob, a string, or an array of numbers.
pub(super) fn bytes(what: &str, value: &Dynamic) -> Result<Vec<u8>, ScriptError> {
    if let Some(blob) = value.read_lock::<Blob>() {
        return Ok(blob.to_vec());
    }
    if let Ok(s) = value.clone().into_immutable_string() {
        return Ok(s.as_bytes().to_vec());
    }
    if let Some(array) = value.read_lock::<Array>() {
        let byte = |v: &Dynamic| {
            let n = word(what, v)?;
            u8::try_from(n).map_err(|_| ScriptError::usage(format!("{what}: {n} is no byte")))
        };
        return array.iter().map(byte).collect();
    }
    Err(wrong(what, "a blob, a string or an array of bytes", value))
}

/// A list of ids, 32 bits each.
pub(super) fn ids(what: &str, value: &Dynamic) -> Result<Vec<u32>, ScriptError> {
    let Some(array) = value.read_lock::<Array>() else {
        return Err(wrong(what, "an array of ids", value));
    };
    array.iter().map(|v| word(what, v).map(|n| n as u32)).collect()
}

/// A signal number, valid or not.
pub(super) fn signal_number(what: &str, value: &Dynamic) -> Result<u64, ScriptError> {
    if let Ok(name) = value.clone().into_immutable_string() {
        return match Signal::from_name(&name) {
            Some(sig) => Ok(sig.number() as u64),
            None => Err(ScriptError::usage(format!("there is no signal called {name:?}"))),
        };
    }
    plain_word(value).ok_or_else(|| wrong(what, "a signal", value))
}

/// A valid signal.
pub(super) fn signal(what: &str, value: &Dynamic) -> Result<Signal, ScriptError> {
    let n = signal_number(what, value)?;
    let valid = i32::try_from(n).ok().and_then(Signal::new);
    valid.ok_or_else(|| {
        ScriptError::usage(format!("{what}: there is no signal {} (1 to 64)", n as i64))
    })
}

/// A set of signals: one, an array of them, a set, or a mask in an address.
pub(super) fn signal_set(what: &str, value: &Dynamic) -> Result<SigSet, ScriptError> {
    if let Some(set) = value.read_lock::<SigSet>() {
        return Ok(*set);
    }
    if let Some(array) = value.read_lock::<Array>() {
        let mut set = SigSet::EMPTY;
        for v in array.iter() {
            set.add(signal(what, v)?);
        }
        return Ok(set);
    }
    if let Some(mask) = value.read_lock::<Addr>() {
        return Ok(SigSet(mask.0));
    }
    match value.read_lock::<Flags>() {
        Some(f) if f.kind != &kinds::SIGNAL => {
            Err(wrong(what, "a signal or an array of signals", value))
        }
        _ => Ok(SigSet::of(signal(what, value)?)),
    }
}

/// One capability.
pub(super) fn capability(what: &str, value: &Dynamic) -> Result<Cap, ScriptError> {
    let n = word(what, value)?;
    Cap::new(n).ok_or_else(|| ScriptError::usage(format!("{what}: there is no capability {n}")))
}

/// A set of capabilities: one, an array of them, or a set.
pub(super) fn capability_set(what: &str, value: &Dynamic) -> Result<CapSet, ScriptError> {
    if let Some(set) = value.read_lock::<CapSet>() {
        return Ok(*set);
    }
    let mut set = CapSet::EMPTY;
    match value.read_lock::<Array>() {
        Some(array) => {
            for v in array.iter() {
                set.add(capability(what, v)?);
            }
        }
        None => set.add(capability(what, value)?),
    }
    Ok(set)
}

/// Named arguments: `#{flags: CLONE_VM, stack: 0}`. Names that no one asks for
/// are refused at the end.
pub(super) struct Named<'m> {
    call: &'static str,
    map: &'m Map,
    known: Vec<&'static str>,
}

impl<'m> Named<'m> {
    /// The arguments of a call.
    pub(super) fn new(call: &'static str, map: &'m Map) -> Named<'m> {
        Named { call, map, known: Vec::new() }
    }

    /// The argument of that name.
    pub(super) fn get(&mut self, name: &'static str) -> Option<&'m Dynamic> {
        self.known.push(name);
        self.map.get(name)
    }

    /// The argument as a word, or a default.
    pub(super) fn word(&mut self, name: &'static str, default: u64) -> Result<u64, ScriptError> {
        match self.get(name) {
            Some(value) => word(&format!("{} {name}", self.call), value),
            None => Ok(default),
        }
    }

    /// The argument as true or false, or a default.
    pub(super) fn flag(&mut self, name: &'static str, default: bool) -> Result<bool, ScriptError> {
        match self.get(name) {
            Some(value) => value
                .as_bool()
                .map_err(|_| wrong(&format!("{}: {name}", self.call), "true or false", value)),
            None => Ok(default),
        }
    }

    /// Refuses names that were never asked for.
    pub(super) fn finish(self) -> Result<(), ScriptError> {
        let Some(unknown) = self.map.keys().find(|k| !self.known.contains(&k.as_str())) else {
            return Ok(());
        };
        Err(ScriptError::Usage {
            message: format!("{} has no argument `{unknown}`", self.call),
            help: Some(format!("its arguments are {}", self.known.join(", "))),
        })
    }
}
