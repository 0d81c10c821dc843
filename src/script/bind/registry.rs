//! Registering functions with their documentation: what `?name`, completion
//! and the generated reference show comes from here.
//!
//! ```text
//! functions! { book;
//!     /// Ends the thread (exit(2)).
//!     "exit(t: Task, code: int)" => |ctx: NativeCallContext, t: &mut Task, code: i64| …;
//! }
//! getters! { book, Task;
//!     /// Thread id.
//!     "pid: int" => |t: &mut Task| …;
//! }
//! ```
//!
//! Signatures are written by hand, in the words of scripts: what a Rust
//! signature says (`Dynamic`) tells a reader nothing.
//!
//! There are hundreds of these, so what can be done without knowing their
//! types is done in one place: it halves the code that comes of them.
//!
//! Left out: checks that a signature fits its function; a test compares the
//! number of parameters.

use std::any::TypeId;
use std::fmt::Display;

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FuncRegistration, ImmutableString, Module,
    NativeCallContext, RhaiFunc, RhaiNativeFunc, Shared, Variant,
};
use smallvec::SmallVec;

use crate::script::control::Control;
use crate::script::errors::ScriptError;

/// What a function that can fail gives to the engine.
pub(super) type Raised<T> = Result<T, Box<EvalAltResult>>;

/// What is registered under a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// `name(param: type, …) -> type`.
    Function,
    /// `name: type`.
    Getter,
    /// `name: type`.
    Setter,
    /// `[key: type] -> type`.
    IndexGetter,
    /// `[key: type] = value: type`.
    IndexSetter,
}

/// Name, parameters and documentation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spec<'s> {
    /// What it is.
    pub what: What,
    /// See [`What`].
    pub signature: &'s str,
    /// The type whose member it is, as a parameter without a name: `_: Task`.
    pub receiver: &'s str,
    /// Its documentation, as [`docs!`] makes it.
    pub docs: &'s str,
}

/// An engine being filled.
pub(super) struct Book<'e> {
    /// For what is not documented: names of types, operators.
    pub engine: &'e mut Engine,
    module: Module,
    /// What is registered now is not for programs.
    directors: Option<Control>,
}

impl<'e> Book<'e> {
    /// A book for an engine.
    pub(super) fn new(engine: &'e mut Engine) -> Book<'e> {
        Book { engine, module: Module::new(), directors: None }
    }

    /// What is registered from here on acts on a machine from outside. A
    /// program may not: it would not see the same when it is run again.
    pub(super) fn for_directors(&mut self, control: &Control) {
        self.directors = Some(control.clone());
    }

    /// What is registered from here on is for everybody.
    pub(super) fn for_all(&mut self) {
        self.directors = None;
    }

    /// Hands what was registered to the engine.
    pub(super) fn close(self) {
        self.engine.register_global_module(self.module.into());
    }

    /// Registers a function.
    pub(super) fn add<A, const N: usize, const X: bool, R, const F: bool, FUNC>(
        &mut self,
        spec: Spec,
        function: FUNC,
    ) where
        A: 'static,
        R: Variant + Clone,
        FUNC: RhaiNativeFunc<A, N, X, R, F> + 'static,
    {
        // Handles are not changed by what is done through them, so that a
        // constant will do, also for setters.
        self.put(spec, &FUNC::param_types(), function.into_rhai_function(true, false));
    }

    #[inline(never)]
    fn put(&mut self, spec: Spec, types: &[TypeId], function: RhaiFunc) {
        let Spec { what, signature, receiver, docs } = spec;
        let (head, result) = result_of(signature);
        let (name, params) = head.split_once(['(', '[']).unwrap_or((head, ""));
        let (named, ty) = match what {
            What::Function => (name, "?"),
            _ => name.split_once(':').map_or((name, "?"), |(name, ty)| (name, ty.trim_start())),
        };
        // `new_setter` would insist on its own opinion about constants.
        let registration = match what {
            What::Function => FuncRegistration::new(name),
            What::Getter => FuncRegistration::new_getter(named),
            What::Setter => FuncRegistration::new(format!("set${named}")),
            What::IndexGetter => FuncRegistration::new_index_getter(),
            What::IndexSetter => FuncRegistration::new("index$set$"),
        };
        let value;
        let mut info: SmallVec<[&str; 8]> = SmallVec::new();
        if what != What::Function {
            info.push(receiver);
        }
        match what {
            What::Getter => info.push(ty),
            What::Setter => {
                value = format!("value: {ty}");
                info.push(&value);
            }
            _ => {
                let params = params.trim_end_matches([')', ']']);
                let params = params.split([',', '=']).map(|p| p.trim().trim_end_matches(']'));
                info.extend(params.filter(|p| !p.is_empty()));
                if !result.is_empty() {
                    info.push(result);
                }
            }
        }
        let function = match &self.directors {
            Some(control) => outside_programs(control.clone(), named, function),
            None => function,
        };
        let docs = docs.strip_suffix('\n').unwrap_or(docs);
        let mut registration = registration.in_global_namespace().with_params_info(info);
        registration = registration.with_comments([docs]);
        registration.set_into_module_raw(&mut self.module, types, function);
    }

    /// Names a type and says how its values print.
    pub(super) fn shows<T: Variant + Clone>(&mut self, name: &str, show: fn(&T) -> String) {
        self.engine.register_type_with_name::<T>(name);
        self.engine.register_fn("to_string", move |v: &mut T| show(v));
        self.engine.register_fn("to_debug", move |v: &mut T| show(v));
        self.engine.register_fn("+", move |a: T, b: ImmutableString| show(&a) + b.as_str());
        self.engine.register_fn("+", move |a: ImmutableString, b: T| format!("{a}{}", show(&b)));
    }

    /// Says what a `for` loop over a value of the type goes over.
    pub(super) fn iterates<T: Variant + Clone>(&mut self, items: fn(&T) -> Array) {
        self.module
            .set_iter(TypeId::of::<T>(), move |v| Box::new(items(&v.cast::<T>()).into_iter()));
    }

    /// Names a type whose values print as they display.
    pub(super) fn prints<T: Variant + Clone + Display>(&mut self, name: &str) {
        self.shows::<T>(name, T::to_string);
    }
}

/// A signature without its result, and the result. Each script's start asks
/// this some thousand times: a search for a character is a tenth of one for a
/// text.
fn result_of(signature: &str) -> (&str, &str) {
    let arrow = signature.find('>').and_then(|at| {
        let head = signature[..at].strip_suffix(" -")?;
        Some((head, signature[at + 1..].strip_prefix(' ')?))
    });
    arrow.unwrap_or((signature, ""))
}

type Native = dyn Fn(Option<NativeCallContext>, &mut [&mut Dynamic]) -> Raised<Dynamic>;

/// The same function, refused while a program's function runs.
fn outside_programs(control: Control, name: &str, function: RhaiFunc) -> RhaiFunc {
    let name: Box<str> = name.into();
    let guard = move |func: Shared<Native>| -> Shared<Native> {
        Shared::new(move |ctx: Option<NativeCallContext>, args: &mut [&mut Dynamic]| {
            if control.tape().is_active() {
                return Err(ScriptError::Usage {
                    message: format!("`{name}` is for directors: a program acts for itself only"),
                    help: Some(
                        "look at the machine when `run` has returned, or use the system calls, \
                         which are free functions here"
                            .into(),
                    ),
                }
                .into());
            }
            func(ctx, args)
        })
    };
    match function {
        RhaiFunc::Pure { func, has_context, is_pure, is_volatile } => {
            RhaiFunc::Pure { func: guard(func), has_context, is_pure, is_volatile }
        }
        RhaiFunc::Method { func, has_context, is_pure, is_volatile } => {
            RhaiFunc::Method { func: guard(func), has_context, is_pure, is_volatile }
        }
        other => other,
    }
}

/// Registers documented functions.
macro_rules! functions {
    ($book:expr; $($(#[doc = $doc:literal])+ $signature:literal => $f:expr;)*) => {$(
        $crate::script::bind::registry::member!($book, Function, "", $signature, [$($doc),+], $f);
    )*};
}

/// Registers documented getters of a type.
macro_rules! getters {
    ($book:expr, $ty:ident; $($(#[doc = $doc:literal])+ $signature:literal => $f:expr;)*) => {$(
        $crate::script::bind::registry::member!(
            $book, Getter, stringify!($ty), $signature, [$($doc),+], $f
        );
    )*};
}

/// Registers documented setters of a type.
macro_rules! setters {
    ($book:expr, $ty:ident; $($(#[doc = $doc:literal])+ $signature:literal => $f:expr;)*) => {$(
        $crate::script::bind::registry::member!(
            $book, Setter, stringify!($ty), $signature, [$($doc),+], $f
        );
    )*};
}

/// Lines of documentation, each with its leading space, as one text of Rust's
/// comments, which is how Rhai keeps them. Made here by the compiler: putting a
/// thousand texts together is a good part of starting a short script.
macro_rules! docs {
    ($($doc:expr),+ $(,)?) => { concat!($("///", $doc, "\n"),+) };
}

/// Registers one function of any kind.
macro_rules! member {
    ($book:expr, $what:ident, $receiver:expr, $signature:expr, [$($doc:expr),+], $f:expr) => {
        $book.add(
            $crate::script::bind::registry::Spec {
                what: $crate::script::bind::registry::What::$what,
                signature: $signature,
                receiver: concat!("_: ", $receiver),
                docs: $crate::script::bind::registry::docs![$($doc),+],
            },
            $f,
        )
    };
}

pub(super) use {docs, functions, getters, member, setters};
