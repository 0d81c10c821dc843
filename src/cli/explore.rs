//! `forkyard explore`: reads a program, finds what can come of running it, and
//! prints that.
//!
//! Left out: the search; a progress bar; several threads.

use super::args::{ErrorFormat, Explore, ExploreFormat};
use super::console::Console;
use super::execute::{Plan, Shown};
use super::{USAGE, files, interrupt};
use crate::explore::{graph, show};
use crate::script::bind::program::Exploring;

/// Explores what the arguments say and gives the exit code.
pub fn explore(args: &Explore, console: &Console) -> u8 {
    let code = explore_input(args, console);
    console.close(code)
}

fn explore_input(args: &Explore, console: &Console) -> u8 {
    let format = ErrorFormat::Human;
    let plan = files::read(&args.file).map_err(|e| Box::new(e.report()));
    let plan = plan.and_then(Plan::new);
    let mut plan = match plan {
        Ok((plan, _)) => plan,
        Err(report) => {
            console.report(&report, format);
            return USAGE;
        }
    };
    plan.machine = args.boot.machine().or(&plan.machine);
    plan.interrupt = interrupt::flag(console.out());
    let mut how = Exploring {
        samples: args.samples,
        seed: args.boot.seed.unwrap_or(0),
        ..Exploring::default()
    };
    how.options.memory = args.memory;
    let bounds = &mut how.options.bounds;
    bounds.states = args.states.unwrap_or(bounds.states);
    bounds.depth = args.depth.unwrap_or(bounds.depth);
    bounds.preemptions = args.preemptions;
    let shown: Shown = match args.format {
        ExploreFormat::Text => show::text,
        ExploreFormat::Json => |found| format!("{}\n", show::json(found)),
        ExploreFormat::Dot => graph::dot,
    };
    plan.explore = Some((how, shown));
    let to = console.clone();
    let finished = plan.run(console.out(), move |text| to.note(text.trim_end()));
    console.reports(&finished.reports, format);
    finished.code
}
