//! Error numbers in scripts: `EPERM` prints as its name and compares with
//! names, with numbers, and with what a refused call carries.
//!
//! Left out: the kernel-internal `ERESTART*`, which no program ever sees.

use rhai::{Dynamic, Engine, ImmutableString};

use super::control::Control;
use crate::abi::Errno;

/// Registers the type, and one constant for each number a program can see.
pub fn register(engine: &mut Engine, control: &Control) {
    type Name = ImmutableString;
    engine.register_type_with_name::<Errno>("Errno");
    engine.register_fn("to_string", |e: &mut Errno| e.name());
    engine.register_fn("to_debug", |e: &mut Errno| e.name());
    engine.register_fn("to_int", |e: Errno| e as i64);
    engine.register_get("code", |e: &mut Errno| *e as i64);
    engine.register_get("name", |e: &mut Errno| e.name());
    engine.register_get("text", |e: &mut Errno| e.text());
    engine.register_fn("==", |a: Errno, b: Errno| a == b);
    engine.register_fn("!=", |a: Errno, b: Errno| a != b);
    engine.register_fn("==", |a: Errno, b: Name| a.name() == b.as_str());
    engine.register_fn("!=", |a: Errno, b: Name| a.name() != b.as_str());
    engine.register_fn("==", |a: Name, b: Errno| b.name() == a.as_str());
    engine.register_fn("!=", |a: Name, b: Errno| b.name() != a.as_str());
    // System calls return -EPERM as a number; both signs are accepted.
    engine.register_fn("==", |a: Errno, b: i64| is(a, b));
    engine.register_fn("!=", |a: Errno, b: i64| !is(a, b));
    engine.register_fn("==", |a: i64, b: Errno| is(b, a));
    engine.register_fn("!=", |a: i64, b: Errno| !is(b, a));
    engine.register_fn("-", |a: Errno| a.to_ret());
    engine.register_fn("+", |a: Errno, b: Name| format!("{a}{b}"));
    engine.register_fn("+", |a: Name, b: Errno| format!("{a}{b}"));
    for errno in Errno::ALL.iter().filter(|e| !e.is_restart()) {
        control.define(errno.name(), Dynamic::from(*errno));
    }
}

fn is(errno: Errno, number: i64) -> bool {
    number.unsigned_abs() == errno as u64
}

#[cfg(test)]
mod tests {
    use crate::script::engine::plain;

    #[test]
    fn compares_with_names_and_numbers() {
        let engine = plain();
        for truth in [
            "EPERM == EPERM",
            "EPERM != EINVAL",
            "\"EPERM\" == EPERM",
            "EPERM == \"EPERM\"",
            "EPERM != \"EINVAL\"",
            "-1 == EPERM",
            "EPERM == 1",
            "-EPERM == -1",
            "`${EINVAL}` == \"EINVAL\"",
            "[EINVAL].to_string() == \"[EINVAL]\"",
        ] {
            assert!(engine.eval::<bool>(truth).unwrap(), "{truth}");
        }
    }
}
