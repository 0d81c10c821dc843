//! Tests of whole scripts: rendered reports, hostile inputs, sessions.

mod hostile;
mod places;
mod reports;
mod sessions;

use std::collections::BTreeMap;

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext};

use super::control::Buffer;
use super::diagnostic::Style;
use super::errors::{BlockedUse, ScriptError};
use super::limits::Limits;
use super::run::{Failure, Job, Outcome};
use super::value::Addr;
use crate::abi::Errno;
use crate::kernel::SysError;

/// Runs a script with a toy task type; modules are `(path, text)`.
fn run_with(
    text: &str,
    modules: &[(&str, &str)],
    limits: Limits,
) -> (Result<Outcome, Failure>, String) {
    let buffer = Buffer::new();
    let mut job = Job::new("x.rhai", text, buffer.clone());
    let modules: BTreeMap<String, String> =
        modules.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
    job.loader = Box::new(modules);
    job.limits = limits;
    let result = job.run(|engine, control, _| {
        toy(engine);
        control.define("init", Dynamic::from(Toy));
    });
    (result, buffer.text())
}

/// The rendered report of a failing script.
fn report(text: &str) -> String {
    report_with(text, &[])
}

fn report_with(text: &str, modules: &[(&str, &str)]) -> String {
    match run_with(text, modules, Limits::default()).0 {
        Ok(outcome) => {
            outcome.failed.iter().map(|r| r.render(Style::Plain)).collect::<Vec<_>>().join("\n")
        }
        Err(failure) => failure.report.render(Style::Plain),
    }
}

/// Like a task of the later bindings.
#[derive(Clone)]
struct Toy;

fn toy(engine: &mut Engine) {
    type Raised<T> = Result<T, Box<EvalAltResult>>;
    engine.register_type_with_name::<Toy>("Task");
    engine.register_get("pid", |_: &mut Toy| 1_i64);
    engine.register_get("comm", |_: &mut Toy| "init");
    engine.register_fn("fork", |_: &mut Toy| Toy);
    engine.register_fn("waitpid", |_: &mut Toy, pid: i64| pid);
    engine.register_fn("kill", |_: &mut Toy, _who: i64, _sig: i64| {});
    engine.register_fn("store", |_: &mut Toy, _at: Addr, _value: i64| {});
    engine.register_fn("load", |_: &mut Toy, _at: Addr| 42_i64);
    engine.register_fn("setuid", |_: &mut Toy, uid: i64| -> Raised<()> {
        if uid != 0 {
            return Ok(());
        }
        let why = "0 is none of the task's user ids and it lacks CAP_SETUID";
        let refusal = SysError::new(Errno::EPERM, "__sys_setuid", why);
        Err(ScriptError::refused(&refusal, format!("setuid({uid})"), 1).into())
    });
    engine.register_fn("read", |ctx: NativeCallContext, _: &mut Toy| -> Raised<()> {
        Err(ScriptError::Blocked(Box::new(BlockedUse {
            task: 1,
            wanted: "read".into(),
            call: "waitpid(-1, 0)".into(),
            waits_for: "a child to exit".into(),
            since: Some((ctx.call_source().unwrap_or("").into(), rhai::Position::new(1, 6))),
        }))
        .into())
    });
    engine.register_fn("poke", |_: &mut Toy| -> Raised<()> {
        Err(ScriptError::Oops(Box::new(crate::kernel::Oops {
            what: "page refcount below zero".into(),
            in_function: "put_page",
            pid: 1,
            dump: vec!["page 0x12 refcount -1".into()],
        }))
        .into())
    });
}
