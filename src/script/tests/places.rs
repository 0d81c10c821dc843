//! Going on from places against reading tapes from their start: the same
//! output, schedule and errors, whatever a function is made of.

use std::sync::Arc;

use super::super::bind::World;
use super::super::bind::program::{Options, Run, run_main};
use super::super::control::Buffer;
use super::super::diagnostic::Style;
use super::super::limits::Limits;
use super::super::modules::NoModules;
use super::super::run::Session;
use super::super::stack::on_deep_stack;
use crate::explore::Policy;
use crate::kernel::boot::BootConfig;

/// Runs a program; gives what it wrote, its schedule and its errors.
fn run(text: &str, seed: u64, places: bool) -> String {
    let text = text.to_string();
    on_deep_stack(move || {
        let world = World::new(BootConfig::default()).unwrap();
        let buffer = Buffer::new();
        let limits = Limits { ops: 300_000, ..Limits::default() };
        let mut session =
            Session::new(limits, Arc::default(), Box::new(buffer.clone()), Box::new(NoModules));
        world.register(&mut session.engine, &session.control, &mut session.scope);
        let kept = Arc::new(std::sync::Mutex::new(String::new()));
        let (said, machine) = (kept.clone(), world.clone());
        session.main = Some(Box::new(move |engine, control, ast| {
            let policy = if seed == 0 { Policy::Fifo } else { Policy::random(seed) };
            let options = Options { policy, places, ..Options::default() };
            let ran: Run = run_main(engine, control, ast, machine.main(), options)?;
            *said.lock().unwrap() = ran.schedule().to_string();
            Ok((ran.code(), ran.reports()))
        }));
        let result = session.run("test.rhai", &text);
        let errors: Vec<String> = match &result {
            Ok(outcome) => outcome.failed.iter().map(|r| r.render(Style::Plain)).collect(),
            Err(failure) => vec![failure.report.render(Style::Plain)],
        };
        let schedule = kept.lock().unwrap().clone();
        format!("{}\n{schedule}\n{}", buffer.take(), errors.join("\n"))
    })
    .unwrap()
}

/// The same in both ways, under several schedules.
fn agree(text: &str) -> String {
    for seed in 0..6 {
        let (by_places, by_tape) = (run(text, seed, true), run(text, seed, false));
        assert_eq!(by_places, by_tape, "seed {seed}:\n{text}");
    }
    run(text, 0, true)
}

/// Bodies of `main`, each with something of its own.
const BODIES: &[&str] = &[
    "let a = getpid(); let b = getpid() + a; print(a + b); a",
    "let s = 0; for i in 0..5 { if i == 1 { continue; } if i == 4 { break; } s += getpid() + i; print(s); } s",
    "for (x, n) in [3, 1, 2] { let y = x * n; if fork() == 0 { print(`${x} ${n} ${y}`); exit(y) } } while true { if try_wait() == -10 { break } } ",
    "let n = 3; while n > 0 { n -= 1; getpid(); { let n = 7; print(n); } } print(n);",
    "let n = 0; do { n += 1; print(n); if n == 2 { continue; } } while n < 4; do { n -= 1; getppid(); } until n == 0; print(n);",
    "let n = loop { if getpid() > 0 { break 7 } }; print(n); let m = if getpid() == 0 { 1 } else { getppid() }; print(m);",
    "print(fib(6)); let x = twice(getpid()); x = twice(x); x += twice(1); print(x); return twice(2);",
    "let x = 1; { let x = 2; print(x); let y = x; getpid(); print(y); } print(x); const K = 3; print(K + x);",
    "try { print(1); kill(999, SIGTERM); print(2); } catch (e) { print(e.errno); getpid(); print(e); } print(3);",
    "switch getpid() { 1 => print(1), 3 => { print(3); getppid(); print(4); } _ => print(5) }",
    "let a = []; for i in 0..3 { a.push(getpid()); a[i] += i; } print(a); let m = #{x: 1}; m.y = getppid(); m.x += m.y; print(m);",
    "let k = 2; let f = |x| x * k + getpid(); print(f.call(1)); k = 5; print(f.call(1)); if fork() == 0 { k = 9; } print(f.call(2));",
    "let f = |x| x + 1; print(f.call(getpid())); for x in [1, 2].map(|x| x + 1) { print(x); }",
    "for c in \"abc\" { print(c); getpid(); } for k in #{a: 1, b: 2}.keys() { print(k); } for i in range(0, 6, 2) { print(i + getpid()); }",
    "printf(\"a\"); let p = fork(); printf(\"b\"); if p == 0 { fflush(); printf(\"c\"); exit(0) } wait(); printf(\"d\");",
    "printf(\"kept\"); printf(\" to the end\");",
    "define(\"n\", 0); sigaction(SIGUSR1, on_usr1); for i in 0..3 { raise(SIGUSR1); } print(vars.n); let p = getpid(); if fork() == 0 { kill(p, SIGUSR1); exit(0) } wait(); print(vars.n > 3);",
    "define(\"n\", 0); let f = CLONE_VM | CLONE_FILES | SIGCHLD; clone(f, adds, 5); clone(f, adds, 6); wait(); wait(); print(vars.n);",
    "if vfork() == 0 { execve(\"/bin/image\", [\"image\", \"x\"]) } print(wait().exit_status);",
    "nothing(); print(nothing()); if yes() { print(\"yes\") } while yes() { break } let z = nothing(); print(type_of(z));",
    "if true { } else { getpid(); } if getpid() == 3 { } print(if false { 1 }); ",
    "let x = deep(20); print(x);",
    "missing(3);",
    "print(getpid()); twice(getpid(), 2);",
    "let a = getpid(); a.foo = 3;",
    "for i in 0..3 { getpid(); fails(i); }",
    "assert(getpid() == 4, \"not four\");",
    "if getpid() { }",
    "for x in getpid() { }",
    "throw getpid();",
    "while true { }",
    "for i in 0..100 { getppid(); } print(\"done\");",
    "choose([1, 2]); let w = choose([\"a\", \"b\"]); print(w);",
    "let v = 1; switch v { 1 => { for i in 0..3 { if i == 1 { break; } print(i); } } _ => () } print(v);",
    "for i in 0..3 { switch i { 0 => continue, 2 => break, _ => { getpid(); } } print(i); }",
    "let x = (1, ); ",
];

const FUNCTIONS: &str = "
fn twice(x) { let y = x + x; getpid(); y }
fn fib(n) { if n < 2 { getpid(); return n; } let a = fib(n - 1); let b = fib(n - 2); a + b }
fn on_usr1(sig) { vars.n = vars.n + 1; print(sig); if vars.n > 100 { return; } }
fn adds(k) { for i in 0..k { vars.n = vars.n + 1; } k }
fn image(argv) { print(argv[1]); printf(\"kept\"); 4 }
fn nothing() { }
fn yes() { getpid() == 3 || getppid() == 1 }
fn deep(n) { if n == 0 { return getpid(); } let below = deep(n - 1); below + 1 }
fn fails(i) { if i == 1 { let x = [getpid()]; return x[5]; } }
";

#[test]
fn places_and_tapes_agree() {
    for body in BODIES {
        agree(&format!("{FUNCTIONS}fn main() {{\n    {body}\n}}\n"));
    }
}

#[test]
fn a_long_loop_is_quick_by_places() {
    // By tape this takes more operations than a run may have.
    let text = "fn main() { for i in 0..3000 { getppid(); } print(\"done\"); }";
    assert!(run(text, 0, true).starts_with("done\n"));
    assert!(run(text, 0, false).contains("more than 300000 operations"));
}
