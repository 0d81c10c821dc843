//! Random ELF files and random instructions: nothing makes the loader or the
//! processor panic, everything ends within the limit, all counts stay right, and the
//! same input gives the same system, however it is cut into steps. A program with
//! processes and threads on two processors leaves the same trace everywhere.
//!
//! `PROPTEST_CASES` sets the number of cases, `FORKYARD_SEED` chooses others than
//! those of every run.

mod code;
mod images;
#[path = "../kit/mod.rs"]
mod kit;
mod past;
mod trace;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::fmt::Debug;

/// Runs a property over random values; `salt` tells the tests' values apart.
fn check<S>(cases: u32, salt: u8, values: &S, property: impl Fn(S::Value) -> Result<(), String>)
where
    S: Strategy<Value: Debug>,
{
    let mut seed = [salt; 32];
    if let Some(n) = std::env::var("FORKYARD_SEED").ok().and_then(|s| s.parse::<u64>().ok()) {
        seed[..8].copy_from_slice(&n.to_le_bytes());
    }
    let default = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4_000, ..default };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let ran = runner.run(values, |value| {
        let done = kit::quietly(|| property(value));
        done.and_then(|result| result).map_err(TestCaseError::fail)
    });
    match ran {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => panic!("{why}\nwith {value:?}"),
        Err(e) => panic!("{e}"),
    }
}
