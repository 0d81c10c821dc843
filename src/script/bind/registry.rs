//! Registering functions with their documentation: what `?name`, completion
//! and the generated reference show comes from here.
//!
//! ```text
//! functions! { engine;
//!     /// Ends the thread (exit(2)).
//!     "exit(t: Task, code: int)" => |ctx: NativeCallContext, t: &mut Task, code: i64| …;
//! }
//! getters! { engine, Task;
//!     /// Thread id.
//!     "pid: int" => |t: &mut Task| …;
//! }
//! ```
//!
//! Signatures are written by hand, in the words of scripts: what a Rust
//! signature says (`Dynamic`) tells a reader nothing.
//!
//! Left out: checks that a signature fits its function; a test compares the
//! number of parameters.

use rhai::{EvalAltResult, FuncRegistration};

/// What a function that can fail gives to the engine.
pub(super) type Raised<T> = Result<T, Box<EvalAltResult>>;

fn comments(docs: &[&str]) -> impl Iterator<Item = String> {
    docs.iter().map(|line| format!("///{line}"))
}

/// A function from its signature: `name(param: type, …) -> type`.
pub(super) fn function(signature: &str, docs: &[&str]) -> FuncRegistration {
    let (head, result) = signature.split_once(" -> ").unwrap_or((signature, ""));
    let (name, params) = head.split_once('(').unwrap_or((head, ")"));
    let params = params.trim_end_matches(')');
    let mut info: Vec<&str> = params.split(',').map(str::trim).filter(|p| !p.is_empty()).collect();
    if !result.is_empty() {
        info.push(result);
    }
    FuncRegistration::new(name).with_params_info(info).with_comments(comments(docs))
}

/// A getter from `name: type`.
pub(super) fn getter(signature: &str, receiver: &str, docs: &[&str]) -> FuncRegistration {
    let (name, ty) = signature.split_once(": ").unwrap_or((signature, "?"));
    let info = [format!("_: {receiver}"), ty.to_string()];
    FuncRegistration::new_getter(name).with_params_info(info).with_comments(comments(docs))
}

/// A setter from `name: type`. Handles are not changed by what is set through
/// them, so a constant handle will do.
pub(super) fn setter(signature: &str, receiver: &str, docs: &[&str]) -> FuncRegistration {
    let (name, ty) = signature.split_once(": ").unwrap_or((signature, "?"));
    let info = [format!("_: {receiver}"), format!("value: {ty}")];
    FuncRegistration::new_setter(name)
        .with_purity(true)
        .with_params_info(info)
        .with_comments(comments(docs))
}

/// Registers documented functions.
macro_rules! functions {
    ($engine:expr; $($(#[doc = $doc:literal])+ $signature:literal => $f:expr;)*) => {$(
        $crate::script::bind::registry::function($signature, &[$($doc),+])
            .register_into_engine($engine, $f);
    )*};
}

/// Registers documented getters of a type.
macro_rules! getters {
    ($engine:expr, $ty:ident; $($(#[doc = $doc:literal])+ $signature:literal => $f:expr;)*) => {$(
        $crate::script::bind::registry::getter($signature, stringify!($ty), &[$($doc),+])
            .register_into_engine($engine, $f);
    )*};
}

/// Registers documented setters of a type.
macro_rules! setters {
    ($engine:expr, $ty:ident; $($(#[doc = $doc:literal])+ $signature:literal => $f:expr;)*) => {$(
        $crate::script::bind::registry::setter($signature, stringify!($ty), &[$($doc),+])
            .register_into_engine($engine, $f);
    )*};
}

/// A type's name, and how its values print.
macro_rules! printed {
    ($engine:expr, $ty:ty, $name:expr) => {
        $engine.register_type_with_name::<$ty>($name);
        $engine.register_fn("to_string", |v: &mut $ty| v.to_string());
        $engine.register_fn("to_debug", |v: &mut $ty| v.to_string());
        $engine.register_fn("+", |a: $ty, b: rhai::ImmutableString| format!("{a}{b}"));
        $engine.register_fn("+", |a: rhai::ImmutableString, b: $ty| format!("{a}{b}"));
    };
}

pub(super) use {functions, getters, printed, setters};
