//! Scripts that try to take the program down: each must end in a report.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::control::{Buffer, Stop};
use super::super::limits::Limits;
use super::super::run::Job;
use super::run_with;

/// Small enough to be quick, large enough to reach the other limits first.
fn limits() -> Limits {
    Limits { ops: 2_000_000, memory_bytes: 1 << 20, ..Limits::default() }
}

/// The code and message of the report that ends the script.
fn ended(text: &str) -> String {
    match run_with(text, &[], limits()).0 {
        Ok(outcome) => format!("ok {:?}", outcome.value),
        Err(failure) => format!("{}: {}", failure.report.code, failure.report.message),
    }
}

#[test]
fn endless_work_ends() {
    let operations = "forkyard::limit: the script ran for more than 2000000 operations";
    for text in [
        "loop {}",
        "while true { let x = 1; }",
        "let a = []; a.pad(1000, 0); loop { a.map(|x| x + 1); }",
        "fn f() { loop {} } f()",
        "try { loop {} } catch { loop {} }",
        "for i in 0..9223372036854775807 {}",
        "loop { assert(1 == 1); }",
        "let a = []; a.pad(10000, 1); let b = a; for i in a { a.filter(|x| b.all(|y| y == x)); }",
    ] {
        assert_eq!(ended(text), operations, "{text}");
    }
}

#[test]
fn endless_recursion_ends() {
    let calls = "forkyard::limit: calls are nested more than 64 deep";
    for text in [
        "fn f() { f() } f()",
        "fn f(x) { 1 + (2 * (3 - f([#{a: x}]))) } f(1)",
        "fn f(n) { g(n) } fn g(n) { if n > 0 { f(n + 1) } else { 0 } } f(1)",
        "fn f(a) { a.map(|x| f([x])) } f([1])",
        "fn f() { try { f() } catch { f() } } f()",
        "fn f(x) { assert(f(x) == 1); } f(1)",
    ] {
        assert_eq!(ended(text), calls, "{text}");
    }
    let own = "let f = |g| g.call(g); f.call(f)";
    assert_eq!(ended(own), calls);
}

#[test]
fn data_cannot_grow_without_end() {
    let string = "forkyard::limit: a string is longer than 4194304 bytes";
    let array = "forkyard::limit: an array has more than 65536 elements";
    let memory = "forkyard::limit: the variables hold more than 1 MiB";
    for (text, end) in [
        ("let s = \"x\"; loop { s += s; }", string),
        ("let s = \"x\"; s.pad(10000000000, \"x\");", string),
        ("let s = \"x\"; loop { s = `${s}${s}`; }", string),
        ("let a = [0]; loop { a += a; }", array),
        ("let a = [0]; loop { a = [a, a]; }", array),
        ("let a = []; a.pad(10000000000, 0);", array),
        ("let b = blob(10000000000);", array),
        ("let a = []; loop { a.push(1); }", array),
        ("let m = #{}; let i = 0; loop { m[`${i}`] = i; i += 1; }", memory),
        (
            "let a = []; a.pad(10000, 0); let m = #{}; let i = 0; loop { m[`${i}`] = a; i += 1; }",
            memory,
        ),
        ("let f = || 1; loop { let a = []; a.pad(1000, 0); let g = f; f = || { a; g }; }", memory),
    ] {
        assert_eq!(ended(text), end, "{text}");
    }
}

#[test]
fn deep_values_can_be_taken_apart() {
    for text in [
        "let a = []; for i in 0..20000 { a = [a]; } a.to_string().len()",
        "let a = #{}; for i in 0..5000 { a = #{a: a}; } print(a); a == a",
        "let a = []; for i in 0..20000 { let b = []; b.push(a); a = b; } let b = a; b == a",
        "let a = [1]; let f = || a; a.push(f); a.push(f); `${a}`.len()",
        "let f = |x| x; for i in 0..20000 { f = f.curry(f); } 1",
        "let m = #{}; let f = || m; m.f = f; m.f = f; m.g = m; `${m}`.len() > 0",
    ] {
        let end = ended(text);
        assert!(end.starts_with("ok") || end.starts_with("forkyard::"), "{text}: {end}");
    }
}

#[test]
fn deep_sources_are_refused() {
    let nest =
        |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    for text in [
        nest("(", ")"),
        nest("[", "]"),
        nest("{", "}"),
        nest("#{a:", "}"),
        nest("-", ""),
        nest("!", ""),
        nest("f(", ")"),
        nest("`${", "}`"),
        nest("if true {", "}"),
        nest("|x| ", ""),
        nest("assert(", ")"),
        nest("fn f() {", "}"),
        nest("a[", "]"),
        nest("1 + (", ")"),
        nest("switch 1 { 1 => ", "}"),
    ] {
        let end = ended(&text);
        assert!(end.starts_with("forkyard::limit") || end.starts_with("forkyard::syntax"), "{end}");
    }
    for (text, ok) in [
        (format!("1{}", " + 1".repeat(10_000)), false),
        (format!("let a = 1; a{}", ".b".repeat(10_000)), false),
        (format!("let a = [1]; a{}", "[0]".repeat(10_000)), false),
        ("let x = 1;".repeat(900), true),
        ("x".repeat(60_000), false),
        (format!("true{}", " && true".repeat(100)), true),
    ] {
        let end = ended(&text);
        assert_eq!(end.starts_with("ok"), ok, "{}… {end}", &text[..20]);
    }
}

#[test]
fn sources_can_be_odd() {
    for (text, end) in [
        ("", "ok None"),
        ("// only a comment", "ok None"),
        ("/* only */ // comments\n\n", "ok None"),
        ("\u{feff}1", "forkyard::syntax: unexpected `\u{feff}`"),
        ("#!/usr/bin/env forkyard\n1", "ok Some(\"1\")"),
        ("1\0", "forkyard::syntax: unexpected `\\u{0}`"),
        ("\"漢\0字\".len()", "ok Some(\"3\")"),
        ("let x = 1;\r\nx\r\n", "ok Some(\"1\")"),
        ("/* open", "ok None"),
    ] {
        assert_eq!(ended(text), end, "{text:?}");
    }
    assert!(ended(&"\n".repeat(70_000)).contains("65535"));
    assert!(ended(&format!("\"{}\"", "x".repeat(70_000))).contains("65535"));
    assert!(ended(&"x = 1;\n".repeat(200_000)).starts_with("forkyard::limit"));
}

#[test]
fn output_is_bounded() {
    let small = Limits { output_bytes: 100, ..limits() };
    let (result, printed) = run_with("loop { print(\"0123456789\"); }", &[], small.clone());
    let failure = result.unwrap_err();
    assert_eq!(failure.report.message, "the script printed more than 100 bytes");
    assert!(failure.report.place().is_some());
    assert_eq!(printed, "0123456789\n".repeat(9));
    // Also by the very last statement.
    let (result, _) = run_with(
        "print(\"x\".to_upper() + 1.to_string() + `${[1].map(|x| x)}` + \"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\")",
        &[],
        small,
    );
    assert_eq!(result.unwrap_err().report.code, "forkyard::limit");
}

#[test]
fn an_interrupt_stops_at_once() {
    let interrupt = Arc::new(AtomicBool::new(false));
    let mut job = Job::new("x.rhai", "try { loop {} } catch { loop {} }", Buffer::new());
    job.limits.ops = u64::MAX;
    job.interrupt = interrupt.clone();
    let ctrl_c = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(30));
        interrupt.store(true, Ordering::Relaxed);
    });
    let failure = job.run(|_, _, _| {}).unwrap_err();
    assert_eq!(failure.stopped, Some(Stop::Interrupted));
    assert_eq!(failure.report.code, "forkyard::interrupted");
    ctrl_c.join().unwrap();
}

/// Ctrl-C while the engine is still being made.
#[test]
fn an_interrupt_before_the_first_operation_is_kept() {
    let mut job = Job::new("x.rhai", "loop {}", Buffer::new());
    job.limits.ops = 1_000_000;
    job.interrupt = Arc::new(AtomicBool::new(true));
    let failure = job.run(|_, _, _| {}).unwrap_err();
    assert_eq!(failure.stopped, Some(Stop::Interrupted));
}

#[test]
fn our_own_panic_is_a_report() {
    let job = Job::new("x.rhai", "boom()", Buffer::new());
    let failure = job
        .run(|engine, _, _| {
            engine.register_fn("boom", || {
                if std::hint::black_box(true) {
                    panic!("a bug")
                }
            });
        })
        .unwrap_err();
    assert_eq!(failure.report.code, "forkyard::internal");
}

#[test]
fn many_variables_functions_modules() {
    let variables: String = (0..2_000).map(|i| format!("let v{i} = 1;\n")).collect();
    assert_eq!(ended(&variables), "forkyard::limit: more than 1024 variables are alive");
    let functions: String = (0..2_000).map(|i| format!("fn f{i}() {{}}\n")).collect();
    assert_eq!(ended(&functions), "forkyard::limit: more than 1024 functions and closures");
    let names: Vec<String> = (0..100).map(|i| format!("m{i}")).collect();
    let imports: String = names.iter().map(|n| format!("import \"{n}\" as {n};\n")).collect();
    let paths: Vec<String> = names.iter().map(|n| format!("{n}.rhai")).collect();
    let modules: Vec<(&str, &str)> = paths.iter().map(|p| (p.as_str(), "1")).collect();
    let failure = run_with(&imports, &modules, limits()).0.unwrap_err();
    assert_eq!(failure.report.message, "more than 64 modules are imported");
}
