//! Errors of the language itself as a script catches them. The engine hands
//! `catch` a map; here it prints as the sentence it holds, its `.message`.
//!
//! Left out: `.kind`, `.errno` and what else [`super::errors`] have.

use rhai::{Engine, ImmutableString, Map, NativeCallContext};

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
        for (what, shown) in [
            ("1 / 0", "Division by zero: 1 / 0"),
            ("let a = [1]; a[5]", "Array index 5 out of bounds"),
            ("nosuch(1)", "Function not found: nosuch (i64)"),
            ("let m = #{}; m.x", "Property not found: x"),
        ] {
            let script = format!(
                "let out = \"\"; try {{ {what} }} catch (e) {{ out = `${{e}}|` + e.message }} out"
            );
            let out = engine.eval::<String>(&script).unwrap();
            let (text, message) = out.split_once('|').unwrap();
            assert!(text.starts_with(shown), "{out}");
            assert_eq!(message, text);
        }
    }

    #[test]
    fn maps_of_the_script_are_maps() {
        let engine = plain();
        for truth in [
            "`${#{a: 1}}` == \"#{\\\"a\\\": 1}\"",
            "`${#{error: 1, message: 2}}`.starts_with(\"#{\")",
        ] {
            assert!(engine.eval::<bool>(truth).unwrap(), "{truth}");
        }
    }
}
