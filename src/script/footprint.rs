//! How much the variables of a scope hold, and how deeply it is nested.
//!
//! Rhai limits single values, but not all of them together, not the growth of
//! a map by `m[k] = v`, and not depth: it copies, compares, prints and drops
//! nested values by recursion on the host stack. So the scope is measured now
//! and then while a script runs.
//!
//! Left out: the variables of calling functions, which do not grow meanwhile,
//! and what the allocator adds.

use std::collections::HashSet;

use rhai::{Array, Blob, Dynamic, FnPtr, ImmutableString, Map, Scope};

/// Deepest nesting of values allowed.
pub const MAX_DEPTH: usize = 1_000;

/// What a scope has too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// Nesting beyond [`MAX_DEPTH`].
    Depth,
    /// More bytes than allowed.
    Bytes,
}

/// Measures a scope; gives the number of values looked at.
pub fn measure(scope: &Scope, max_bytes: usize) -> Result<usize, Excess> {
    let mut walk = Walk { bytes: 0, values: 0, max_bytes, seen: HashSet::new() };
    for (_, _, value) in scope.iter_raw() {
        walk.value(value, 0)?;
    }
    Ok(walk.values)
}

struct Walk {
    bytes: usize,
    values: usize,
    max_bytes: usize,
    /// Shared cells, by address: closures can make cycles of them.
    seen: HashSet<usize>,
}

impl Walk {
    fn add(&mut self, bytes: usize) -> Result<(), Excess> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.max_bytes { Err(Excess::Bytes) } else { Ok(()) }
    }

    fn value(&mut self, value: &Dynamic, depth: usize) -> Result<(), Excess> {
        if depth > MAX_DEPTH {
            return Err(Excess::Depth);
        }
        self.values += 1;
        self.add(size_of::<Dynamic>())?;
        if !value.is_shared() {
            return self.content(value, depth);
        }
        if value.is_locked() {
            return Ok(());
        }
        let Some(inner) = value.read_lock::<Dynamic>() else { return Ok(()) };
        if self.seen.insert((&raw const *inner).addr()) {
            self.content(&inner, depth)?;
        }
        Ok(())
    }

    fn content(&mut self, value: &Dynamic, depth: usize) -> Result<(), Excess> {
        if let Some(array) = value.read_lock::<Array>() {
            array.iter().try_for_each(|v| self.value(v, depth + 1))
        } else if let Some(map) = value.read_lock::<Map>() {
            map.iter().try_for_each(|(key, v)| {
                self.add(key.len() + size_of_val(key))?;
                self.value(v, depth + 1)
            })
        } else if let Some(f) = value.read_lock::<FnPtr>() {
            f.curry().iter().try_for_each(|v| self.value(v, depth + 1))
        } else if let Some(text) = value.read_lock::<ImmutableString>() {
            self.add(text.len())
        } else if let Some(blob) = value.read_lock::<Blob>() {
            self.add(blob.len())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Dynamic {
        (0..depth).fold(Dynamic::from(1_i64), |v, _| Dynamic::from(vec![v]))
    }

    #[test]
    fn depth_is_found() {
        let mut scope = Scope::new();
        scope.push_dynamic("a", nested(MAX_DEPTH));
        assert_eq!(measure(&scope, usize::MAX), Ok(MAX_DEPTH + 1));
        scope.push_dynamic("b", nested(MAX_DEPTH + 1).into_shared());
        assert_eq!(measure(&scope, usize::MAX), Err(Excess::Depth));
    }

    #[test]
    fn bytes_are_counted() {
        let mut scope = Scope::new();
        scope.push_dynamic("s", Dynamic::from("x".repeat(1_000)));
        scope.push_dynamic("b", Dynamic::from_blob(vec![0; 1_000]));
        assert_eq!(measure(&scope, 3_000), Ok(2));
        assert_eq!(measure(&scope, 2_000), Err(Excess::Bytes));
    }

    #[test]
    fn cycles_end() {
        let engine = crate::script::engine::plain();
        let mut scope = Scope::new();
        let script = "let m = #{n: 1}; let f = || m.n; m.f = f; m.g = [f, f];";
        engine.run_with_scope(&mut scope, script).unwrap();
        assert!(measure(&scope, 10_000).is_ok());
    }
}
