//! `forkyard test`: finds the scripts, runs them, shows what is wrong and how
//! many passed.
//!
//! Left out: the running itself; see `test_runner`.

use super::args::{ErrorFormat, Test};
use super::console::Console;
use super::corpus;
use super::test_runner::{self, Mode, Verdict};
use super::{FAILED, INTERRUPTED, OK, USAGE, interrupt};
use crate::script::diagnostic::Report;

/// Runs the tests and gives the exit code. Results go to standard output: here
/// they are what was asked for.
pub fn test(args: &Test, console: &Console) -> u8 {
    let code = run(args, console);
    console.close(code)
}

fn run(args: &Test, console: &Console) -> u8 {
    let corpus = match corpus::find(&args.dir) {
        Ok(corpus) => corpus,
        Err(e) => {
            let report = Report::error("forkyard::input", e.to_string())
                .help("name the folder with the scripts: `--dir FOLDER`");
            console.report(&report, ErrorFormat::Human);
            return USAGE;
        }
    };
    let filter = args.filter.as_deref().unwrap_or("");
    // A filter may also be copied from a message, or completed by the shell.
    let path = filter.strip_suffix(".rhai").unwrap_or(filter);
    let path = path.strip_prefix(&format!("{}/", args.dir.display())).unwrap_or(path);
    let all = corpus.cases.len();
    let cases: Vec<_> = corpus.cases.into_iter().filter(|c| c.name.contains(path)).collect();
    if cases.is_empty() {
        let message = match all {
            0 => format!("there are no scripts in `{}`", args.dir.display()),
            _ => format!("no script's path contains `{filter}` ({all} scripts)"),
        };
        console.report(&Report::error("forkyard::input", message), ErrorFormat::Human);
        return USAGE;
    }
    let mode = if args.bless { Mode::Bless } else { Mode::Check };
    let interrupt = interrupt::flag(console.out());
    let (mut passed, mut blessed, mut failed) = (0, 0, Vec::new());
    let complete = test_runner::run_all(&cases, mode, &interrupt, |case, verdict| match verdict {
        Verdict::Passed => passed += 1,
        Verdict::Interrupted => {}
        Verdict::Blessed(changed) => {
            passed += 1;
            blessed += changed.len();
            changed.iter().for_each(|name| console.print(&format!("blessed {name}\n")));
        }
        Verdict::Failed(why) => {
            console.print(&format!("FAILED {}\n{why}\n", case.path.display()));
            failed.push(case.name.clone());
        }
    });
    let mut wrong = failed.len();
    if filter.is_empty() {
        for orphan in &corpus.orphans {
            wrong += 1;
            let orphan = args.dir.join(orphan);
            console.print(&format!("FAILED {}: no script belongs to it\n", orphan.display()));
        }
    }
    if !complete {
        console.print(&format!("interrupted: {passed} passed, {} failed\n", failed.len()));
        return INTERRUPTED;
    }
    let skipped = all - cases.len();
    let mut summary = format!("{passed} passed, {} failed", failed.len());
    for (n, what) in [(skipped, "left out"), (blessed, "goldens written")] {
        if n > 0 {
            summary += &format!(", {n} {what}");
        }
    }
    console.print(&format!("{summary}\n"));
    if wrong == 0 { OK } else { FAILED }
}
