//! Errors of the language itself as a script catches them. The engine hands
//! `catch` a map; a script that looks at the variable finds an error like the
//! others instead: it prints as a sentence and has `.message` and `.kind`.
//!
//! The engine has no place to change the map, so the names that stand in
//! `catch (…)` are noted when a script is parsed, and such a variable is
//! translated when it is read. A map that has been copied elsewhere by then
//! would still print as its sentence.
//!
//! Left out: where it happened; the report of an error that is not caught has
//! that.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString, Map, NativeCallContext, Token};

use super::errors::ScriptError;

/// The names that stand in `catch (…)` in any script of an engine.
#[derive(Debug, Clone, Default)]
pub struct CatchNames(Rc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    names: RefCell<Vec<String>>,
    /// How much of `catch (` the last tokens were.
    progress: Cell<u8>,
}

impl CatchNames {
    /// Looks at the next token of a script.
    pub fn parsed(&self, token: &Token) {
        let progress = match (self.0.progress.get(), token) {
            (_, Token::Catch) => 1,
            (1, Token::LeftParen) => 2,
            (2, Token::Identifier(name)) => {
                if !self.contains(name) {
                    self.0.names.borrow_mut().push(name.to_string());
                }
                0
            }
            _ => 0,
        };
        self.0.progress.set(progress);
    }

    /// Whether a script catches errors under this name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.names.borrow().iter().any(|n| n == name)
    }
}

/// The error that a map made by the engine describes.
pub fn as_error(value: &Dynamic) -> Option<ScriptError> {
    if !value.is_map() {
        return None;
    }
    let map = value.read_lock::<Map>()?;
    let message = message(&map)?.to_string();
    Some(ScriptError::Language { kind: kind(&map), message })
}

/// A word for the kind, from the engine's name of the error.
fn kind(map: &Map) -> &'static str {
    let name = map.get("error").and_then(|n| n.read_lock::<ImmutableString>().map(|n| n.clone()));
    match name.unwrap_or_default().as_str() {
        "ErrorArithmetic" => "arithmetic",
        "ErrorArrayBounds" | "ErrorStringBounds" | "ErrorBitFieldBounds" => "bounds",
        "ErrorFunctionNotFound" => "unknown-function",
        "ErrorVariableNotFound" => "unknown-variable",
        "ErrorPropertyNotFound" | "ErrorIndexNotFound" => "unknown-property",
        "ErrorIndexingType" | "ErrorMismatchDataType" | "ErrorMismatchOutputType" | "ErrorFor" => {
            "type"
        }
        "ErrorDataTooLarge" | "ErrorTooManyVariables" | "ErrorTooManyModules" => "limit",
        _ => "language",
    }
}

/// The sentence, if this map is an error that the engine made.
fn message(map: &Map) -> Option<ImmutableString> {
    let name = map.get("error")?.read_lock::<ImmutableString>()?;
    let message = map.get("message")?.read_lock::<ImmutableString>()?;
    name.starts_with("Error").then(|| message.clone())
}

/// Any other map, as the engine prints it.
fn plain_map(ctx: &NativeCallContext, map: &mut Map) -> ImmutableString {
    let shown = map.iter_mut().map(|(key, value)| {
        let text = ctx.call_native_fn_raw("to_debug", true, &mut [value]);
        let text = text.ok().and_then(|t| t.into_immutable_string().ok());
        format!("{key:?}: {}", text.unwrap_or_else(|| value.to_string().into()))
    });
    format!("#{{{}}}", shown.collect::<Vec<_>>().join(", ")).into()
}

/// Makes caught errors of the engine print and answer like the others.
pub fn register(engine: &mut Engine) {
    for (name, list) in [("to_string", "print"), ("to_debug", "debug")] {
        for name in [name, list] {
            engine.register_fn(name, |ctx: NativeCallContext, map: &mut Map| match message(map) {
                Some(message) => message,
                None => plain_map(&ctx, map),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::script::engine::plain;

    #[test]
    fn caught_errors_of_the_language_are_sentences() {
        let engine = plain();
        for (what, shown, kind) in [
            ("1 / 0", "Division by zero: 1 / 0", "arithmetic"),
            ("let a = [1]; a[5]", "Array index 5 out of bounds", "bounds"),
            ("nosuch(1)", "Function not found: nosuch (i64)", "unknown-function"),
            ("let m = #{}; m.x", "Property not found: x", "unknown-property"),
        ] {
            let script = format!(
                "let out = \"\"; try {{ {what} }} catch (e) {{ out = `${{e}}|${{e.kind}}|` + e.message }} out"
            );
            let out = engine.eval::<String>(&script).unwrap();
            let [text, found, message] = out.splitn(3, '|').collect::<Vec<_>>()[..] else {
                panic!("{out}")
            };
            assert_eq!(found, kind, "{out}");
            assert!(text.starts_with(shown), "{out}");
            assert_eq!(message, text);
        }
    }

    #[test]
    fn maps_of_the_script_are_maps() {
        let engine = plain();
        for truth in [
            "`${#{a: 1}}` == \"#{\\\"a\\\": 1}\"",
            "let seen = false; try { 1 / 0 } catch (e) { seen = e.errno == () && type_of(e) == \"Error\" } seen",
            "let seen = false; try { throw #{a: 1} } catch (e) { seen = e.a == 1 } seen",
            "let seen = false; try { try { 1 / 0 } catch (e) { throw e } } catch (x) { seen = x.kind == \"arithmetic\" } seen",
            "`${#{error: 1, message: 2}}`.starts_with(\"#{\")",
        ] {
            assert!(engine.eval::<bool>(truth).unwrap(), "{truth}");
        }
    }
}
