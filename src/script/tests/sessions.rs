//! Interactive sessions: state from input to input, places in the transcript,
//! rollback of a failing input.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::Dynamic;

use super::super::control::Buffer;
use super::super::diagnostic::Style;
use super::super::limits::Limits;
use super::super::repl_state::ReplState;
use super::super::run::Session;
use super::super::stack::on_deep_stack;
use super::{Toy, toy};

/// Feeds inputs to one session; gives what each shows.
fn session(inputs: &[&str]) -> Vec<String> {
    let inputs: Vec<String> = inputs.iter().map(|s| (*s).to_string()).collect();
    on_deep_stack(move || {
        let buffer = Buffer::new();
        let modules: BTreeMap<String, String> =
            [("lib.rhai".to_string(), "fn twice(x) { x * 2 }\nexport const K = 9;".to_string())]
                .into();
        let limits = Limits { ops: 100_000, ..Limits::default() };
        let mut session =
            Session::new(limits, Arc::default(), Box::new(buffer.clone()), Box::new(modules));
        toy(&mut session.engine);
        session.control.define("init", Dynamic::from(Toy));
        let mut state = ReplState::new(session);
        let mut shown = Vec::new();
        for input in inputs {
            let text = match state.eval(&input) {
                Ok(outcome) => {
                    let failed = outcome.failed.iter().map(|r| r.render(Style::Plain));
                    failed.chain(outcome.value).collect::<String>()
                }
                Err(failure) => failure.report.render(Style::Plain),
            };
            shown.push(buffer.take() + text.as_str());
        }
        shown
    })
    .unwrap()
}

fn last(inputs: &[&str]) -> String {
    session(inputs).pop().unwrap_or_default()
}

#[test]
fn state_stays() {
    assert_eq!(
        session(&[
            "let x = 1;",
            "x += 2; x",
            "it + 1",
            "it",
            "fn double(n) { n * 2 }",
            "double(x)",
            "let f = || x += 1; f.call(); x",
            "import \"lib\" as lib;",
            "lib::twice(x) + lib::K",
            "print(`${it}`)",
            "init.pid",
            "return 5;",
            "it",
        ]),
        ["", "3", "4", "4", "", "6", "4", "", "17", "17\n", "1", "5", "5"]
    );
}

#[test]
fn functions_can_be_defined_anew_and_call_each_other() {
    assert_eq!(
        session(&["fn f() { 1 }", "fn g() { f() + 1 }", "g()", "fn f() { 10 }", "g()"]),
        ["", "", "2", "", "11"]
    );
}

#[test]
fn errors_point_into_the_input_they_come_from() {
    let report = last(&["let a = 1;", "fn f(t) {\n  t.setuid(0)\n}", "a += 1;", "f(init)"]);
    assert_eq!(
        report,
        "\
forkyard::refused

  × EPERM: setuid(0) by task 1 was refused
  │ because 0 is none of the task's user ids and it lacks CAP_SETUID
  │ (__sys_setuid)
   ╭─[<repl>:3:5]
 2 │ fn f(t) {
 3 │   t.setuid(0)
   ·     ────┬────
   ·         ╰── EPERM: Operation not permitted
 4 │ }
 5 │ a += 1;
 6 │ f(init)
   · ───┬───
   ·    ╰── `f` was called here
   ╰────
"
    );
    let report = last(&["let a = 1;", "", "assert(a ==\n  2);"]);
    assert!(report.contains("<repl>:3:1") && report.contains("╰── 1"), "{report}");
    assert!(last(&["1", "let x = ;"]).contains("<repl>:2:9"));
    assert!(last(&["let count = 1;", "cuont"]).contains("did you mean `count`?"));
}

#[test]
fn a_failing_input_is_taken_back() {
    assert_eq!(
        session(&[
            "let x = 1; let y = [1];",
            "x = 5; y.push(2); let z = 1; fn g() {} 1 / 0",
            "`${x} ${y}`"
        ])[2],
        "\"1 [1]\""
    );
    assert!(last(&["x = 5", "z"]).contains("unknown variable"));
    // A captured variable lives in a cell that the closure shares.
    assert_eq!(
        session(&[
            "let n = 1; let inc = || n += 1;",
            "inc.call(); inc.call(); throw \"no\"",
            "n",
            "inc.call(); n",
        ])[2..],
        ["1", "2"]
    );
    assert_eq!(session(&["fn f() { 1 }", "fn f() { 2 } throw 1", "f()"])[2], "1");
    assert_eq!(session(&["7", "throw 1", "it"])[2], "7");
}

#[test]
fn limits_are_per_input() {
    let shown = session(&["loop {}", "let i = 0; while i < 1000 { i += 1 }", "i"]);
    assert!(shown[0].contains("more than 100000 operations"));
    assert_eq!(shown[2], "1000");
}

#[test]
fn expectations_show_and_the_input_goes_on() {
    let shown = session(&["expect(1 == 2); let after = 3;", "after"]);
    assert!(shown[0].contains("expectation failed"));
    assert_eq!(shown[1], "3");
}

#[test]
fn shadowed_and_borrowed_names() {
    assert_eq!(
        session(&["let x = 1; let x = 2;", "x", "let init = 4;", "init + x"])[1..],
        ["2", "", "6"]
    );
    assert_eq!(session(&["let x = 1;", "fn f(x) { x }", "f(3) + x"])[2], "4");
    assert!(last(&["let hidden = 1;", "fn f() { hidden }"]).contains("unknown variable `hidden`"));
    let closure = session(&["let k = 2;", "let f = |x| x * k;", "k = 10;", "f.call(3)"]);
    assert_eq!(closure[3], "30");
}
