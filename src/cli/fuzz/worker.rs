//! One worker of `forkyard fuzz`: its share of the seeds, one after another.
//!
//! Left out: what is printed; the supervisor does that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::super::args::Fuzz;
use super::super::console::Console;
use super::super::files::write_atomically;
use super::super::{FAILED, OK, host, interrupt};
use crate::explore::Policy;
use crate::oracle::calls::Linux;
use crate::oracle::compare::{Ended, Outcome};
use crate::oracle::fuzz::{Coverage, Features, Program, generate, shrink};
use crate::oracle::judge::{Bench, By, Decision, Did, Effort};
use crate::oracle::{self, End, Refused};
use crate::script::diagnostic::{Report, Style};
use crate::script::stack;

/// More runs by chance than usual and a shorter search: what a search of all
/// schedules cannot decide soon it mostly does not decide at all.
const EFFORT: Effort = Effort { first: 24, states: 1_500 };

/// How long a program may take on the host. Nearly all take milliseconds; the
/// others never end.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most lines of output that are kept beside a program.
const MOST_LINES: usize = 100;
/// Questions asked while one program is made small.
const MOST_CUTS: u32 = 1500;
/// Most of them that end by a limit on the host: each takes its whole time.
const MOST_SLOW: u32 = 12;
/// Programs between two signs of life.
const OFTEN: usize = 16;
/// How often the host is asked again when it seems to differ: what it does
/// once in a thousand times is no less allowed.
const AGAIN: u32 = 2;

/// One of the programs compared.
struct Verdict {
    decision: Decision,
    linux: Outcome,
    model: Outcome,
    by: By,
    /// Where they part, if they do.
    parted: Option<Report>,
}

/// Why a program was not compared.
enum Not {
    /// The host refuses it.
    Refused(String),
    /// Somebody said stop.
    Stopped,
    /// Something is wrong here.
    Broken(Box<Report>),
}

/// Runs a share, given as "number/of/features".
pub(super) fn run(args: &Fuzz, share: &str, console: &Console) -> u8 {
    let mut parts = share.split('/').map(str::parse::<u64>);
    let (Some(Ok(number)), Some(Ok(of)), Some(Ok(bits))) =
        (parts.next(), parts.next(), parts.next())
    else {
        return console.close(FAILED);
    };
    oracle::stay_on_processor(number as usize);
    let stop = interrupt::flag(console.out());
    let say = console.out();
    let (count, first, dir, model) = (args.count, args.seed, args.dir.clone(), args.model);
    let work = move || {
        let tell = |line: &Json| {
            use crate::script::control::Output;
            let mut out = say.clone();
            let written = out.write(&format!("{line}\n"));
            out.flush();
            written.is_ok()
        };
        let bench = match Bench::new(stop.clone()) {
            Ok(bench) => bench,
            Err(report) => return tell(&json!({"what": "error", "text": report.message})),
        };
        let worker = Worker { bench, stop, dir, model, features: Features::from_bits(bits) };
        worker
            .share((number..count).step_by(of.max(1) as usize).map(|i| first.wrapping_add(i)), tell)
    };
    let done = stack::on_deep_stack(work);
    console.close(if matches!(done, Ok(true)) { OK } else { FAILED })
}

struct Worker {
    bench: Bench,
    stop: Arc<AtomicBool>,
    dir: PathBuf,
    model: bool,
    features: Features,
}

impl Worker {
    fn share(&self, seeds: impl Iterator<Item = u64>, tell: impl Fn(&Json) -> bool) -> bool {
        let mut sum = [0u64; 4];
        let mut by = [0u64; 3];
        let mut took = [Duration::ZERO; 3];
        let mut coverage = Coverage::default();
        for (n, seed) in seeds.enumerate() {
            // When nobody listens any more there is nothing to go on for.
            if n % OFTEN == 0 && !tell(&json!({"what": "alive"})) {
                return false;
            }
            let program = generate(seed, self.features);
            let begun = Instant::now();
            let told = match self.compare(&program) {
                Ok(verdict) => {
                    sum[0] += 1;
                    by[verdict.by as usize] += 1;
                    took[verdict.by as usize] += begun.elapsed();
                    coverage.add(&verdict.model.output, &program.text().names);
                    self.judged(seed, program, &verdict, &mut sum, &tell)
                }
                Err(Not::Refused(why)) => {
                    sum[3] += 1;
                    tell(&json!({"what": "note", "text": format!("seed {seed} is refused: {why}")}))
                }
                Err(Not::Stopped) => break,
                Err(Not::Broken(report)) => {
                    let text = format!("seed {seed}: {}", report.message);
                    tell(&json!({"what": "error", "text": text}));
                    return false;
                }
            };
            if !told {
                return false;
            }
        }
        let coverage: Vec<Json> = coverage.iter().map(|(c, a, n)| json!([c, a, n])).collect();
        tell(&json!({
            "what": "sum", "compared": sum[0], "different": sum[1], "undecided": sum[2],
            "refused": sum[3], "by": by, "took": took.map(|t| t.as_millis() as u64), "coverage": coverage,
        }))
    }

    /// Saves and tells what is worth it.
    fn judged(
        &self,
        seed: u64,
        program: Program,
        verdict: &Verdict,
        sum: &mut [u64; 4],
        tell: &impl Fn(&Json) -> bool,
    ) -> bool {
        let what = match verdict.decision {
            Decision::Equal => return true,
            Decision::Different => "different",
            Decision::Undecided => "undecided",
        };
        sum[if what == "different" { 1 } else { 2 }] += 1;
        let small = match verdict.decision {
            Decision::Different => self.small(program),
            _ => (program, None),
        };
        let (program, smaller) = small;
        let verdict = smaller.as_ref().unwrap_or(verdict);
        match save(&self.dir, seed, what, &program, verdict) {
            Ok(path) => {
                tell(&json!({"what": what, "seed": seed, "path": path.display().to_string()}))
            }
            Err(e) => {
                tell(&json!({"what": "error", "text": format!("cannot save seed {seed}: {e}")}));
                false
            }
        }
    }

    /// The smallest program found that still differs.
    fn small(&self, program: Program) -> (Program, Option<Verdict>) {
        let mut last: Option<(Program, Verdict)> = None;
        let mut slow = 0;
        // How it ends does not matter: the last one that differs is kept.
        let _ = shrink(program.clone(), MOST_CUTS, |candidate| match self.compare(candidate) {
            Ok(verdict) => {
                slow += u32::from(verdict.linux.ended == Ended::Limit);
                let differs = verdict.decision == Decision::Different;
                if differs {
                    last = Some((candidate.clone(), verdict));
                }
                if slow > MOST_SLOW { Err(()) } else { Ok(differs) }
            }
            Err(Not::Refused(_) | Not::Broken(_)) => Ok(false),
            Err(Not::Stopped) => Err(()),
        });
        match last {
            Some((small, verdict)) => (small, Some(verdict)),
            None => (program, None),
        }
    }

    fn compare(&self, program: &Program) -> Result<Verdict, Not> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Not::Stopped);
        }
        let text = program.text().script;
        let judged = self.bench.with(&text, |case| {
            let first = case.model(Policy::Fifo)?;
            let model = Outcome::of_model(&first);
            if self.model {
                let (decision, linux) = (Decision::Equal, model.clone());
                let (by, parted) = (By::FirstRun, None);
                return Ok(Ok(Verdict { decision, linux, model, by, parted }));
            }
            let show = |report: &Report| report.message.clone();
            let plan = oracle::Plan { time: PATIENCE, ..host::plan(&self.stop, &show) };
            let mut verdict = None;
            for _ in 0..=AGAIN {
                let run = match self.bench.host(case, &plan) {
                    Ok(run) if run.end == End::Interrupted => return Ok(Err(Not::Stopped)),
                    Ok(run) => run,
                    Err(Refused::Unsupported(what)) => return Ok(Err(Not::Refused(what))),
                    Err(e) => return Err(host::refused(&e)),
                };
                let linux = Did::new(&run);
                let (decision, by) = case.decide(&linux, &first, EFFORT)?;
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(Err(Not::Stopped));
                }
                let parted = match decision {
                    Decision::Equal => None,
                    _ => linux.calls.as_ref().and_then(Linux::furthest),
                };
                let parted = parted.map(|p| p.report(case.control));
                let (linux, model) = (linux.outcome, model.clone());
                verdict = Some(Verdict { decision, linux, model, by, parted });
                let slow = verdict.as_ref().is_some_and(|v| v.linux.ended == Ended::Limit);
                if decision == Decision::Equal || slow {
                    break;
                }
            }
            Ok(verdict.ok_or(Not::Stopped))
        });
        judged.map_err(|report| match report.message.contains("is begun again for ever") {
            // On Linux it spins; neither side has an end to compare.
            true => Not::Refused(report.message),
            false => Not::Broken(report),
        })?
    }
}

/// Writes a program with what both kernels made of it.
fn save(
    dir: &Path,
    seed: u64,
    what: &str,
    program: &Program,
    verdict: &Verdict,
) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join(format!("fuzz-{seed}.rhai"));
    let comment = |text: &str| -> String {
        let more = text.lines().count().saturating_sub(MOST_LINES);
        let lines = text.lines().take(MOST_LINES).map(|line| format!("//   {line}\n"));
        let rest = (more > 0).then(|| format!("//   ... and {more} lines more\n"));
        lines.chain(rest).collect()
    };
    let text = format!(
        "// {what}: seed {seed}\n// linux: {}\n{}// model: {}\n{}{}\n{}",
        verdict.linux.heading(),
        comment(&verdict.linux.output),
        verdict.model.heading(),
        comment(&verdict.model.output),
        verdict.parted.as_ref().map_or(String::new(), |p| comment(&p.render(Style::Plain))),
        program.text().script
    );
    write_atomically(&path, &text)?;
    Ok(path)
}
