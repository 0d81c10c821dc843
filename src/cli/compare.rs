//! `forkyard compare`: is what this machine's kernel does with a program among
//! what the model does with it?
//!
//! The model is run under many schedules. If the host then does something else,
//! it is looked for among all of them before it is called a difference.
//!
//! Runs are compared by what they print, how they end, and call by call.
//!
//! Left out: several differences of one run; the first is told.

use std::fmt::Write;

use super::args::{Compare, ErrorFormat};
use super::console::Console;
use super::execute::Plan;
use super::files;
use super::host;
use super::{FAILED, OK, USAGE, interrupt};
use crate::explore::Policy;
use crate::oracle::calls::Linux;
use crate::oracle::compare::{Outcome, Seen};
use crate::oracle::judge::{Case, Decision, Did, Effort};
use crate::oracle::{self, End};
use crate::script::bind::program::{self, Language, Options, Run};
use crate::script::control::Buffer;
use crate::script::diagnostic::{Report, Style};

/// Longest text of one outcome, in characters.
const SHOWN: usize = 300;

/// What a comparison found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// What the model did.
    pub model: Seen,
    /// What the host did.
    pub host: Seen,
    /// Whether there were too many schedules to look at all.
    pub undecided: bool,
    /// How many calls of how many processes were compared, in all runs of the
    /// host.
    pub calls: (usize, usize),
    /// Runs of the host that part from the model's call by call, and where.
    pub parted: Vec<Report>,
    /// How many runs of the host those were.
    pub apart: usize,
}

impl Found {
    /// Outcomes of the host that the model does not have.
    pub fn differences(&self) -> impl Iterator<Item = &Outcome> {
        let all = self.host.outcomes.iter().map(|(outcome, _, _)| outcome);
        all.filter(|outcome| self.model.find(outcome).is_none())
    }

    /// Whether all that the host did is among what the model did.
    pub fn is_equal(&self) -> bool {
        self.differences().next().is_none() && self.apart == 0
    }

    /// In words.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let short = |outcome: &Outcome| {
            let all = outcome.to_string();
            let short: String = all.chars().take(SHOWN).collect();
            if short.len() < all.len() { short + "…" } else { short }
        };
        let (model, host) = (&self.model, &self.host);
        let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let heading = |seen: &Seen| {
            format!("{} in {}", many(seen.outcomes.len(), "outcome"), many(seen.runs(), "run"))
        };
        let _ = writeln!(text, "model: {}", heading(model));
        for (i, (outcome, n, schedule)) in model.outcomes.iter().enumerate() {
            let how = match schedule {
                Some(schedule) => format!("schedule {schedule}"),
                None => "found by looking for what Linux did".to_string(),
            };
            let _ = writeln!(text, "  {}. {n} × {}\n     {how}", i + 1, short(outcome));
        }
        let _ = writeln!(text, "linux: {}", heading(host));
        for (outcome, n, _) in &host.outcomes {
            let _ = match model.find(outcome) {
                Some(i) => writeln!(text, "  {n} × outcome {}", i + 1),
                None => writeln!(text, "  {n} × none of these: {}", short(outcome)),
            };
        }
        let (calls, tasks) = (many(self.calls.0, "call"), self.calls.1);
        let tasks = format!("{tasks} process{}", if tasks == 1 { "" } else { "es" });
        let _ = write!(text, "calls: {calls} of {tasks} compared");
        if self.apart > 0 {
            let _ = write!(text, ", {} of {} part", self.apart, many(host.runs(), "run"));
        }
        text.push('\n');
        text.push_str(match (self.is_equal(), self.undecided) {
            (true, _) => "equal: what Linux did is among the model's outcomes\n",
            (false, false) => "different: Linux did what the model does under no schedule\n",
            (false, true) => {
                "different so far: Linux did what was not found among the model's schedules, of \
                 which there are too many to look at all\n"
            }
        });
        text
    }
}

/// Compares what the arguments say and gives the exit code.
pub fn run(args: &Compare, console: &Console) -> u8 {
    let format = ErrorFormat::Human;
    let plan = files::read(&args.file).map_err(|e| Box::new(e.report())).and_then(Plan::new);
    let code = match plan {
        Err(report) => {
            console.report(&report, format);
            USAGE
        }
        Ok((mut plan, _)) => {
            plan.interrupt = interrupt::flag(console.out());
            match compare(plan, args.runs, args.seeds) {
                Ok(found) => {
                    console.print(&found.text());
                    for report in &found.parted {
                        console.report(report, format);
                    }
                    if found.is_equal() { OK } else { FAILED }
                }
                Err(reports) => {
                    console.reports(&reports, format);
                    USAGE
                }
            }
        }
    };
    console.close(code)
}

/// Runs a program on both kernels.
///
/// # Errors
/// The script is wrong, it is no program, or the host refuses.
pub fn compare(plan: Plan, runs: u32, seeds: u64) -> Result<Found, Vec<Report>> {
    let interrupt = plan.interrupt.clone();
    let (finished, found) =
        host::with_main(plan, Buffer::new(), move |engine, control, ast, world| {
            // The host's side is in a pid namespace.
            world.main().contain();
            let mut found = Found::default();
            let mut ran = Vec::new();
            let model = |policy| {
                // Linux may stop a process anywhere.
                let options = Options { policy, memory: true, record: true, ..Options::default() };
                program::try_main(engine, control, ast, world.main(), options)
            };
            let policies = [Policy::Fifo, Policy::RoundRobin].into_iter();
            for policy in policies.chain((0..seeds).map(Policy::random)) {
                let run = model(policy)?;
                let outcome = Outcome::of_model(&run);
                let place = found.model.add(outcome, || Some(run.schedule().to_string()));
                // Runs that tell all the same are one.
                if !ran
                    .iter()
                    .any(|(p, other): &(usize, Run)| *p == place && other.record() == run.record())
                {
                    ran.push((place, run));
                }
            }
            let language = Language::new(engine, control, ast);
            let show = |report: &Report| report.render(Style::Plain);
            let plan = host::plan(&interrupt, &show);
            let case = Case { engine, control, ast, machine: world.main() };
            for _ in 0..runs {
                let run = oracle::run(&language, &plan).map_err(|e| host::refused(&e))?;
                if run.end == End::Interrupted {
                    return Err(Box::new(Report::error("forkyard::stopped", "interrupted")));
                }
                let linux = Did::new(&run);
                let place = found.model.find(&linux.outcome);
                found.host.add(linux.outcome.clone(), || None);
                let (calls, tasks) = linux.calls.as_ref().map_or((0, 0), Linux::count);
                found.calls = (found.calls.0 + calls, found.calls.1 + tasks);
                let mut same = ran.iter().filter(|(p, _)| Some(*p) == place);
                if place.is_some() && same.any(|(_, run)| linux.calls_agree(run)) {
                    continue;
                }
                let decision = case.search(&linux, Effort::default())?;
                if decision == Decision::Equal {
                    if place.is_none() {
                        found.model.add(linux.outcome, || None);
                    }
                    continue;
                }
                found.undecided |= decision == Decision::Undecided;
                found.apart += 1;
                if let Some(parted) = linux.calls.as_ref().and_then(Linux::furthest)
                    && found.parted.is_empty()
                {
                    found.parted.push(parted.report(control));
                }
            }
            Ok((0, Vec::new(), found))
        });
    match found {
        Some(found) if finished.reports.is_empty() => Ok(found),
        _ => Err(finished.reports),
    }
}
