//! `forkyard run`: reads a script, runs it, shows what went wrong.
//!
//! Left out: the meaning of the run; see `execute`.

use super::args::{ErrorFormat, Run};
use super::console::Console;
use super::execute::Plan;
use super::files::{self, Input};
use super::{USAGE, interrupt};
use crate::trace::Filter;

/// Runs what the arguments say and gives the exit code.
pub fn run(args: &Run, console: &Console) -> u8 {
    let code = run_input(args, console);
    console.close(code)
}

fn run_input(args: &Run, console: &Console) -> u8 {
    let format = args.error_format;
    let input = match (&args.code, &args.file) {
        (Some(code), _) => Ok(Input { name: "-e".into(), text: code.clone(), folder: ".".into() }),
        (None, Some(file)) => files::read(file),
        (None, None) => unreachable!("clap requires one of them"),
    };
    let input = match input {
        Ok(input) => input,
        Err(e) => {
            console.report(&e.report(), format);
            return USAGE;
        }
    };
    let mut plan = match Plan::new(input) {
        Ok((plan, _)) => plan,
        Err(report) => {
            console.report(&report, format);
            return USAGE;
        }
    };
    plan.machine = args.boot.machine().or(&plan.machine);
    plan.trace = filter(args.trace.as_deref());
    plan.interrupt = interrupt::flag(console.out());
    let finished = plan.run(console.out());
    if format == ErrorFormat::Human {
        let text = finished.reports.iter().map(|r| r.render(console.style));
        let text: Vec<String> = text.collect();
        if !text.is_empty() {
            console.note(text.join("\n").trim_end());
        }
    } else {
        console.reports(&finished.reports, format);
    }
    finished.code
}

/// What `--trace` asks for.
fn filter(words: Option<&[String]>) -> Filter {
    match words {
        None => Filter::Off,
        Some(words) => {
            let words: Vec<String> =
                words.iter().map(|w| w.trim().to_string()).filter(|w| !w.is_empty()).collect();
            if words.is_empty() { Filter::All } else { Filter::Matching(words) }
        }
    }
}
