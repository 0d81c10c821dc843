//! Small scripts against a booted machine.

mod process;

use super::World;
use crate::kernel::boot::BootConfig;
use crate::script::control::Buffer;
use crate::script::run::{Failure, Job, Outcome};

/// Runs a script on a fresh machine; gives what it printed and how it ended.
fn run(text: &str) -> (String, Result<Outcome, Failure>) {
    let buffer = Buffer::new();
    let result = Job::new("test.rhai", text, buffer.clone()).run(|engine, control, scope| {
        let world = World::new(BootConfig::default()).expect("the machine boots");
        world.register(engine, control, scope);
    });
    (buffer.text(), result)
}

/// What a script prints that runs to its end.
fn prints(text: &str) -> String {
    match run(text) {
        (out, Ok(outcome)) => {
            assert!(outcome.failed.is_empty(), "{text}\n{:?}", outcome.failed);
            out
        }
        (out, Err(failure)) => panic!("{text}\n{out}\n{:?}", failure.report),
    }
}

/// The message that a script ends with.
fn fails(text: &str) -> String {
    match run(text) {
        (out, Ok(_)) => panic!("{text}\nran to its end\n{out}"),
        (_, Err(failure)) => failure.report.message.clone(),
    }
}
