//! Builds the Rhai engine: only deterministic packages, every limit explicit,
//! no `eval`, prints captured, words that Rhai reserves but does not use freed.
//!
//! Left out: Rhai's time package and `sleep` (there is no wall clock), its file
//! module resolver, and the optimiser (it folds `#{a: 1}.b` and some
//! comparisons of constants wrongly).

use rhai::packages::{
    BasicArrayPackage, BasicBlobPackage, BasicMapPackage, BasicMathPackage, BitFieldPackage,
    CorePackage, LogicPackage, MoreStringPackage, Package,
};
use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, Map, NativeCallContext,
    OptimizationLevel, Position, Token,
};

use super::bind::program;
use super::caught::CatchNames;
use super::control::Control;
use super::errors::ScriptError;
use super::{assert, caught, errno, errors, value};

/// Words that Rhai reserves for other languages' sake, or that are functions
/// to it. They are names here: `t.call`, `spawn("main")`, `#{new: 1}`.
const FREED: &[&str] = &[
    "async",
    "await",
    "call",
    "case",
    "default",
    "exit",
    "go",
    "goto",
    "match",
    "module",
    "new",
    "nil",
    "null",
    "package",
    "protected",
    "public",
    "shared",
    "spawn",
    "static",
    "super",
    "sync",
    "thread",
    "use",
    "var",
    "void",
    "with",
    "yield",
    "is",
    "exec",
];

/// An engine under a control's limits, with everything of this module's
/// siblings that needs no kernel: assertions, errors, addresses and flags.
pub fn build(control: &Control) -> Engine {
    let mut engine = Engine::new_raw();
    CorePackage::new().register_into_engine(&mut engine);
    BitFieldPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicBlobPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    engine.set_max_strings_interned(1024);
    engine.set_optimization_level(OptimizationLevel::None);
    set_limits(&mut engine, control);
    let caught = CatchNames::default();
    set_language(&mut engine, &caught);
    set_callbacks(&mut engine, control, caught);
    errors::register(&mut engine);
    caught::register(&mut engine);
    place_prints(&mut engine, control);
    errno::register(&mut engine, control);
    value::register(&mut engine);
    assert::register(&mut engine, control);
    engine
}

fn set_limits(engine: &mut Engine, control: &Control) {
    let limits = control.limits();
    engine
        // Counted by `Control::tick`.
        .set_max_operations(0)
        .set_max_call_levels(limits.call_levels)
        .set_max_expr_depths(limits.expr_depth, limits.fn_expr_depth)
        .set_max_string_size(limits.string_bytes)
        .set_max_array_size(limits.array_len)
        .set_max_map_size(limits.map_len)
        .set_max_variables(limits.variables)
        .set_max_functions(limits.functions)
        .set_max_modules(limits.modules);
}

fn set_language(engine: &mut Engine, caught: &CatchNames) {
    engine.disable_symbol("eval");
    // `f = f.curry(f)` doubles a value that no limit counts.
    engine.disable_symbol("curry");
    engine.set_allow_shadowing(true);
    // Unknown names are found by `check`, which knows our constants.
    engine.set_strict_variables(false);
    engine.set_fail_on_invalid_map_property(true);
    let caught = caught.clone();
    #[allow(deprecated, reason = "volatile, not deprecated: rhai is pinned")]
    engine.on_parse_token(move |token, _, _| {
        let token = match token {
            Token::Reserved(word) if FREED.contains(&word.as_str()) => Token::Identifier(word),
            token => token,
        };
        caught.parsed(&token);
        token
    });
    // Closures print without the name Rhai made up for them.
    let name = |f: &mut FnPtr| match f.is_anonymous() {
        true => "closure".to_string(),
        false => format!("Fn({})", f.fn_name()),
    };
    engine.register_fn("to_string", name);
    engine.register_fn("to_debug", name);
    engine.register_fn("to_debug", |c: char| format!("{c:?}"));
}

/// Makes `print` of a program say where it stands: the engine's own tells
/// nobody.
fn place_prints(engine: &mut Engine, control: &Control) {
    fn text(control: &Control, ctx: &NativeCallContext, mut value: Dynamic) -> ImmutableString {
        if control.tape().is_active() {
            control.tape().stands(program::origin(control, ctx));
        }
        if let Ok(text) = value.clone().into_immutable_string() {
            return text;
        }
        let shown = ctx.call_native_fn_raw("to_string", true, &mut [&mut value]);
        let shown = shown.ok().and_then(|text| text.into_immutable_string().ok());
        shown.unwrap_or_else(|| value.to_string().into())
    }
    // The engine has one of its own for each of these.
    macro_rules! each {
        ($($ty:ty),*) => {$(
            let c = control.clone();
            engine.register_fn("print", move |ctx: NativeCallContext, value: $ty| {
                text(&c, &ctx, Dynamic::from(value))
            });
        )*};
    }
    each!(ImmutableString, char, bool, (), f64, Array, Map);
    let c = control.clone();
    engine
        .register_fn("print", move |ctx: NativeCallContext, value: Dynamic| text(&c, &ctx, value));
}

fn set_callbacks(engine: &mut Engine, control: &Control, caught: CatchNames) {
    let names = control.clone();
    #[allow(deprecated, reason = "volatile, not deprecated: rhai is pinned")]
    engine.on_var(move |name, index, ctx| {
        names.used_variable(ctx.scope());
        if caught.contains(name)
            && let Some(error) = ctx.scope().get(name).and_then(caught::as_error)
        {
            return Ok(Some(Dynamic::from(error)));
        }
        // An index means that the parser saw the script define the name.
        if index != 0 || !names.is_defined(name) || ctx.scope().contains(name) {
            return Ok(None);
        }
        names.provided(name)
    });
    let ticker = control.clone();
    engine.on_progress(move |_| ticker.tick());
    let printer = control.clone();
    engine.on_print(move |text| match printer.tape().is_active() {
        true => printer.tape().print(&format!("{text}\n")),
        false => printer.write(&format!("{text}\n")),
    });
    let debugger = control.clone();
    engine.on_debug(move |text, source, pos| {
        let place = match (source, pos.line()) {
            (Some(source), Some(line)) if !source.is_empty() => format!("{source}:{line}: "),
            (_, Some(line)) => format!("line {line}: "),
            _ => String::new(),
        };
        debugger.write(&format!("{place}{text}\n"));
    });
    let ending = control.clone();
    engine.register_fn("exit", move |code: Dynamic| match code.as_int() {
        Ok(code) if ending.tape().is_active() => program::exit(&ending, code),
        Ok(code @ 0..=255) => end_with(&ending, code),
        _ => Err(ScriptError::Usage {
            message: "the exit code of a script is a number from 0 to 255".into(),
            help: Some("a task ends by `t.exit(code)`".into()),
        }
        .into()),
    });
    let ending = control.clone();
    engine.register_fn("exit", move || match ending.tape().is_active() {
        true => program::exit(&ending, 0),
        false => end_with(&ending, 0),
    });
    // Rhai's own would sleep on the wall clock.
    let sleeping = control.clone();
    engine.register_fn("sleep", move |ctx: NativeCallContext, seconds: i64| {
        program::sleep(&sleeping, &ctx, seconds.into())
    });
    let sleeping = control.clone();
    engine.register_fn("sleep", move |ctx: NativeCallContext, seconds: f64| {
        program::sleep(&sleeping, &ctx, seconds.into())
    });
}

/// Ends the script; no `catch` stops that.
fn end_with(control: &Control, code: i64) -> Result<Dynamic, Box<EvalAltResult>> {
    control.set_exit(code);
    Err(EvalAltResult::Exit(Dynamic::UNIT, Position::NONE).into())
}

/// An engine with default limits and no way out for its prints.
#[cfg(test)]
pub(super) fn plain() -> Engine {
    use super::control::Buffer;
    build(&Control::new(Default::default(), Default::default(), Box::new(Buffer::new())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::control::Buffer;

    #[test]
    fn freed_words_are_names() {
        let mut engine = plain();
        engine.register_fn("spawn", |s: &str| format!("spawned {s}"));
        engine.register_fn("thread", |x: i64| x + 1);
        for (code, value) in [
            ("spawn(\"main\")", "spawned main"),
            ("let m = #{new: 1, sync: 2, call: 3}; `${m.new}${m.sync}${m.call}`", "123"),
            ("thread(1).to_string()", "2"),
            ("1.thread().to_string()", "2"),
            ("let shared = 1; let f = |x| x + shared; f.call(2).to_string()", "3"),
            ("[|x| x, Fn(\"abs\")].to_string()", "[closure, Fn(abs)]"),
        ] {
            assert_eq!(engine.eval::<String>(code).unwrap(), value, "{code}");
        }
    }

    #[test]
    fn defined_names_are_at_hand_everywhere() {
        let control = Control::new(Default::default(), Default::default(), Box::new(Buffer::new()));
        let engine = build(&control);
        control.define("SEVEN", 7_i64);
        let count = std::cell::Cell::new(0_i64);
        control.define_computed("turn", move || {
            count.set(count.get() + 1);
            Ok(count.get().into())
        });
        for (code, value) in [
            ("SEVEN", 7),
            ("let f = || SEVEN; f.call()", 7),
            ("fn f() { let g = || { let h = || SEVEN + 1; h.call() }; g.call() } f()", 8),
            ("turn", 1),
            ("turn + turn", 5),
            ("let SEVEN = 1; let f = || SEVEN; f.call() + SEVEN", 2),
            ("fn f(SEVEN) { SEVEN } f(3)", 3),
            ("let sum = 0; for SEVEN in 0..3 { sum += SEVEN } sum", 3),
        ] {
            assert_eq!(engine.eval::<i64>(code).unwrap(), value, "{code}");
        }
    }

    #[test]
    fn nothing_reaches_the_host() {
        let engine = plain();
        for code in ["timestamp()", "eval(\"1\")", "sleep(1)", "sleep(0.5)", "import \"x\" as x;"] {
            assert!(engine.eval::<rhai::Dynamic>(code).is_err(), "{code}");
        }
    }

    #[test]
    fn printing_is_in_order_and_stable() {
        let buffer = Buffer::new();
        let control =
            Control::new(Default::default(), Default::default(), Box::new(buffer.clone()));
        let engine = build(&control);
        engine.run("print(#{b: 1, a: [1.0, 'x', \"s\", ()]});\ndebug(\"x\"); print(true)").unwrap();
        assert_eq!(
            buffer.text(),
            "#{\"a\": [1.0, 'x', \"s\", ()], \"b\": 1}\nline 2: \"x\"\ntrue\n"
        );
    }
}
