//! Every script under `scripts/` is a test: one named case a file.

use std::path::Path;
use std::sync::Arc;

use forkyard::cli::corpus;
use forkyard::cli::test_runner::{self, Mode, Verdict};
use libtest_mimic::{Arguments, Trial};

fn main() -> std::process::ExitCode {
    let args = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let cases = match corpus::find(&root) {
        Ok(corpus) => corpus.cases,
        Err(_) if !root.exists() => Vec::new(),
        Err(e) => {
            let failed = Trial::test("corpus", move || Err(e.to_string().into()));
            return libtest_mimic::run(&args, vec![failed]).exit_code();
        }
    };
    let trials = cases.into_iter().map(|case| {
        Trial::test(case.name.clone(), move || {
            match test_runner::run(&case, Mode::Check, &Arc::default()) {
                Verdict::Failed(why) => Err(why.into()),
                Verdict::Interrupted => Err("interrupted".into()),
                Verdict::Passed | Verdict::Blessed(_) => Ok(()),
            }
        })
    });
    libtest_mimic::run(&args, trials.collect()).exit_code()
}
