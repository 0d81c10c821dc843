//! Runs scripts as tests: each in this process, with its output captured and
//! compared with the goldens beside it. `forkyard test` and `cargo test` both
//! call this.
//!
//! Left out: finding scripts (`corpus`) and showing results (`test`).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::corpus::Case;
use super::execute::{Finished, Plan};
use super::golden::{self, Blessed};
use super::{INTERRUPTED, OK, files};
use crate::script::control::Buffer;
use crate::script::diagnostic::Style;

/// What to do with a golden that is not right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The test fails.
    Check,
    /// The golden is written anew.
    Bless,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Passed,
    /// As it should, after these goldens were written or removed.
    Blessed(Vec<String>),
    /// Not as it should: why, in lines.
    Failed(String),
    /// Ctrl-C stopped it.
    Interrupted,
}

/// Runs one test.
pub fn run(case: &Case, mode: Mode, interrupt: &Arc<AtomicBool>) -> Verdict {
    match try_run(case, mode, interrupt) {
        Ok(changed) if changed.is_empty() => Verdict::Passed,
        Ok(changed) => Verdict::Blessed(changed),
        Err(why) if why.is_empty() => Verdict::Interrupted,
        Err(why) => Verdict::Failed(why),
    }
}

/// The goldens that were changed, or what is wrong; nothing for Ctrl-C.
fn try_run(case: &Case, mode: Mode, interrupt: &Arc<AtomicBool>) -> Result<Vec<String>, String> {
    let mut input = files::read(&case.path).map_err(|e| e.report().render(Style::Plain))?;
    // Goldens must not depend on where the folder lies.
    input.name = format!("{}.rhai", case.name);
    let (plan, directives) = Plan::new(input).map_err(|report| report.render(Style::Plain))?;
    let seeds: Vec<Option<u64>> = match directives.seeds.is_empty() {
        true => vec![None],
        false => directives.seeds.clone().map(Some).collect(),
    };
    let mut changed = Vec::new();
    for (i, seed) in seeds.into_iter().enumerate() {
        let mut plan = plan.clone();
        plan.interrupt = interrupt.clone();
        plan.machine.seed = seed.or(plan.machine.seed);
        let buffer = Buffer::new();
        let finished = plan.run(buffer.clone(), |_| {});
        if finished.code == INTERRUPTED && directives.exit != INTERRUPTED {
            return Err(String::new());
        }
        // The first seed writes the goldens; the others must agree with it.
        let mode = if i == 0 { mode } else { Mode::Check };
        changed.extend(judge(case, &finished, &buffer.take(), directives.exit, mode).map_err(
            |why| match seed {
                Some(seed) => format!("with seed {seed}:\n{why}"),
                None => why,
            },
        )?);
    }
    Ok(changed)
}

/// Compares a run with what is expected; the goldens that were changed, or what
/// is wrong.
fn judge(
    case: &Case,
    finished: &Finished,
    out: &str,
    exit: u8,
    mode: Mode,
) -> Result<Vec<String>, String> {
    let err = finished.text();
    let mut wrong = Vec::new();
    if finished.code != exit {
        let mut why = format!("exit code {} instead of {exit}\n", finished.code);
        if exit == OK && !err.is_empty() {
            why += &err;
        }
        wrong.push(why);
    }
    let mut changed = Vec::new();
    for (kind, text) in [("out", out), ("err", &err)] {
        let path = case.golden(kind);
        let name = format!("{}.{kind}", case.name);
        let io = |e: std::io::Error| format!("{}: {e}\n", path.display());
        // A script that ends in the wrong way is not worth blessing.
        if mode == Mode::Bless && wrong.is_empty() {
            if golden::bless(&path, text).map_err(io)? != Blessed::Unchanged {
                changed.push(name);
            }
        } else if let Some(diff) = golden::diff(&name, &golden::read(&path).map_err(io)?, text) {
            wrong.push(diff);
        }
    }
    if wrong.is_empty() { Ok(changed) } else { Err(wrong.concat()) }
}

/// Threads that run tests.
const WORKERS: usize = 2;

/// Runs many tests on a few threads. `each` is told every result in the order
/// of `cases`, as soon as those before it are known. Whether all were run:
/// Ctrl-C ends it early.
pub fn run_all(
    cases: &[Case],
    mode: Mode,
    interrupt: &Arc<AtomicBool>,
    mut each: impl FnMut(&Case, Verdict) + Send,
) -> bool {
    let next = AtomicUsize::new(0);
    // A script that begins takes the interrupt flag back, so it is not enough.
    let stopped = AtomicBool::new(false);
    let results = Mutex::new((0, vec![None; cases.len()], &mut each));
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(i).filter(|_| !stopped.load(Ordering::Relaxed)) else {
                return;
            };
            let verdict = run(case, mode, interrupt);
            if verdict == Verdict::Interrupted {
                return stopped.store(true, Ordering::Relaxed);
            }
            let mut guard = results.lock().unwrap_or_else(PoisonError::into_inner);
            let (shown, all, each) = &mut *guard;
            all[i] = Some(verdict);
            while let Some(verdict) = all.get_mut(*shown).and_then(Option::take) {
                each(&cases[*shown], verdict);
                *shown += 1;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(cases.len()) {
            scope.spawn(work);
        }
    });
    !stopped.into_inner()
}
