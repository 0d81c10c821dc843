//! By what two places are the same: the same function, op, variables and loops,
//! whatever has led there.
//!
//! Times are not told apart; see `session::program::identity`.
//!
//! Left out: variables that nobody looks at any more; they count.

use std::hash::{DefaultHasher, Hash, Hasher};

use rhai::{Array, Blob, Dynamic, FnPtr, Map};

use super::place::{Call, Items, Loop, Place};
use crate::abi::{Errno, SigSet};
use crate::script::bind::program::known_value;
use crate::script::value::{Addr, Flags};
use crate::session::program::Entry;
use crate::session::program::identity::extend;

/// Deepest nesting that is looked at.
const MAX_DEPTH: usize = 64;

impl Place {
    /// Its hash, with the answers that its op has got so far. `None`: a
    /// variable holds what cannot be compared.
    pub fn identity(&self, answers: &[Entry]) -> Option<u64> {
        let mut h = DefaultHasher::new();
        let Place { top: _, below: _, depth, kept, origin: _ } = self;
        (depth, kept).hash(&mut h);
        for call in self.calls() {
            let Call { function, op, scope, marks, loops, value: result } = call;
            (function, op, marks, scope.len(), loops.len()).hash(&mut h);
            value(result, 0, &mut h)?;
            for (name, constant, v) in scope.iter_raw() {
                (name, constant).hash(&mut h);
                value(v, 0, &mut h)?;
            }
            for turn in loops {
                let Loop { items, turns, again, end, marks, vars, inside } = turn;
                (turns, again, end, marks, vars, inside).hash(&mut h);
                match items {
                    Items::None => 0u8.hash(&mut h),
                    Items::Range(next, end) => (1u8, next, end).hash(&mut h),
                    Items::Values(values, next) => {
                        let left = values.get(*next..).unwrap_or_default();
                        (2u8, left.len()).hash(&mut h);
                        left.iter().try_for_each(|v| value(v, 0, &mut h))?;
                    }
                }
            }
        }
        let told = answers.iter().fold(0, |told, e| extend(told, e.question, &e.answer));
        (told, answers.len()).hash(&mut h);
        Some(h.finish())
    }
}

fn value(v: &Dynamic, depth: usize, h: &mut DefaultHasher) -> Option<()> {
    if depth > MAX_DEPTH || v.is_shared() {
        return None;
    }
    v.type_id().hash(h);
    if v.is_unit() || v.is_bool() || v.is_int() || v.is_float() || v.is_char() || v.is_string() {
        v.hash(h);
    } else if let Some(array) = v.read_lock::<Array>() {
        array.len().hash(h);
        array.iter().try_for_each(|v| value(v, depth + 1, h))?;
    } else if let Some(map) = v.read_lock::<Map>() {
        map.len().hash(h);
        for (key, v) in map.iter() {
            key.as_str().hash(h);
            value(v, depth + 1, h)?;
        }
    } else if let Some(blob) = v.read_lock::<Blob>() {
        blob.hash(h);
    } else if let Some(f) = v.read_lock::<FnPtr>() {
        (f.fn_name(), f.iter_curry().count()).hash(h);
        f.iter_curry().try_for_each(|v| value(v, depth + 1, h))?;
    } else if let Some(addr) = v.read_lock::<Addr>() {
        addr.0.hash(h);
    } else if let Some(flags) = v.read_lock::<Flags>() {
        (flags.bits, flags.kind.name).hash(h);
    } else if let Some(set) = v.read_lock::<SigSet>() {
        set.hash(h);
    } else if let Some(errno) = v.read_lock::<Errno>() {
        (*errno as i32).hash(h);
    } else {
        known_value(v)?.hash(h);
    }
    Some(())
}
