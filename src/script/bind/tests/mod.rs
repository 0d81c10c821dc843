//! Small scripts against a booted machine.

mod identity;
mod machine;
mod memory;
mod process;
mod signals;
mod strange;
mod views;

use super::World;
use crate::kernel::boot::BootConfig;
use crate::script::control::Buffer;
use crate::script::diagnostic::Style;
use crate::script::limits::Limits;
use crate::script::run::{Failure, Job, Outcome};

/// Runs a script on a fresh machine; gives what it printed and how it ended.
fn run_within(limits: Limits, text: &str) -> (String, Result<Outcome, Failure>) {
    let buffer = Buffer::new();
    let mut job = Job::new("test.rhai", text, buffer.clone());
    job.limits = limits;
    let result = job.run(|engine, control, scope| {
        let world = World::new(BootConfig::default()).expect("the machine boots");
        world.register(engine, control, scope);
    });
    (buffer.text(), result)
}

fn report(failure: &Failure) -> String {
    failure.report.render(Style::Plain)
}

/// Runs a script that must reach its end, and recounts the machine there.
fn holds(text: &str) -> String {
    let text = format!("{text};\nassert(invariants() == []);");
    match run_within(Limits::default(), &text) {
        (out, Ok(outcome)) => {
            let failed: Vec<_> = outcome.failed.iter().map(|r| r.render(Style::Plain)).collect();
            assert!(failed.is_empty(), "{text}\n{}", failed.join("\n"));
            out
        }
        (out, Err(failure)) => panic!("{text}\n{out}\n{}", report(&failure)),
    }
}

/// What a script prints that runs to its end.
fn prints(text: &str) -> String {
    holds(text)
}

/// The report that a script ends with.
fn failure(text: &str) -> String {
    match run_within(Limits::default(), text) {
        (out, Ok(_)) => panic!("{text}\nran to its end\n{out}"),
        (_, Err(failure)) => report(&failure),
    }
}

/// The message that a script ends with.
fn fails(text: &str) -> String {
    match run_within(Limits::default(), text) {
        (out, Ok(_)) => panic!("{text}\nran to its end\n{out}"),
        (_, Err(failure)) => failure.report.message.clone(),
    }
}
