//! `forkyard run`: reads a script, runs it, shows what went wrong.
//!
//! Left out: the meaning of the run; see `execute`.

use super::args::{ErrorFormat, On, ProgramPolicy, Run};
use super::console::Console;
use super::execute::{Afterwards, Plan};
use super::files::{self, Input};
use super::{USAGE, host, interrupt, trace};
use crate::explore::Policy;
use crate::script::diagnostic::Report;

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
    if let Some(words) = &args.trace {
        plan.trace = trace::filter(words);
    }
    plan.interrupt = interrupt::flag(console.out());
    plan.afterwards = Afterwards::Ends;
    plan.options.memory = args.memory;
    plan.options.policy = policy(args);
    plan.needs_program =
        args.policy.is_some() || args.schedule.is_some() || args.memory || args.print_schedule;
    if args.on == On::Linux && plan.needs_program {
        let message = "with --on linux the kernel's scheduler chooses, and does not say whom";
        let report = Report::error("forkyard::input", message)
            .help("--policy, --schedule, --memory and --print-schedule are for the model");
        console.report(&report, format);
        return USAGE;
    }
    if args.on == On::Linux {
        return on_linux(plan, console, format);
    }
    let to = console.clone();
    let finished = plan.run(console.out(), move |text| to.note(text.trim_end()));
    console.reports(&finished.reports, format);
    if let Some(schedule) = finished.schedule.filter(|_| args.print_schedule) {
        console.note(&format!("--schedule \"{schedule}\""));
    }
    finished.code
}

fn policy(args: &Run) -> Policy {
    if let Some(schedule) = &args.schedule {
        return Policy::Replay(schedule.clone(), 0);
    }
    match args.policy {
        None | Some(ProgramPolicy::Fifo) => Policy::Fifo,
        Some(ProgramPolicy::RoundRobin) => Policy::RoundRobin,
        Some(ProgramPolicy::Random) => Policy::random(args.boot.seed.unwrap_or(0)),
        Some(ProgramPolicy::Kernel) => Policy::kernel(),
    }
}

/// Runs a program on this machine's kernel.
fn on_linux(plan: Plan, console: &Console, format: ErrorFormat) -> u8 {
    let style = console.style;
    let to = console.clone();
    let (finished, ran) = host::run(plan, console.out(), move |report| match format {
        ErrorFormat::Human => report.render(style),
        ErrorFormat::Json => report.to_json().to_string(),
    });
    for crash in ran.iter().flat_map(|run| &run.crashes) {
        to.note(crash.trim_end());
    }
    console.reports(&finished.reports, format);
    finished.code
}
