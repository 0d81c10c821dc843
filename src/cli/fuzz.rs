//! `forkyard fuzz`: random programs on both kernels, each difference shrunk
//! and saved as a script that `forkyard compare` runs.
//!
//! ```text
//! fuzz ─► probe what the host does
//!      ├─► worker 0: seeds S, S+n, …    a process each: the host's side
//!      └─► worker 1: seeds S+1, …       forks, which threads do not go with
//! ```
//!
//! Workers write a JSON line for each thing worth telling and one at the end.
//!
//! Left out: programs that read files or the clock.

mod worker;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::args::{ErrorFormat, Fuzz};
use super::console::Console;
use super::{FAILED, INTERRUPTED, OK, USAGE, interrupt};
use crate::oracle::fuzz::{Coverage, Feature, Features, features};
use crate::oracle::judge::Bench;
use crate::oracle::{Refused, variations};
use crate::script::diagnostic::Report;
use crate::script::stack;

/// How often a worker may be silent before it is looked at.
const TICK: Duration = Duration::from_millis(200);

/// Compares as many programs as the arguments say and gives the exit code.
pub fn run(args: &Fuzz, console: &Console) -> u8 {
    if args.variations {
        console.print(&variations::text());
        return console.close(OK);
    }
    if let Some(share) = &args.worker {
        return worker::run(args, share, console);
    }
    let code = supervise(args, console).unwrap_or_else(|report| {
        console.report(&report, ErrorFormat::Human);
        USAGE
    });
    console.close(code)
}

/// What workers have found so far.
#[derive(Debug, Default)]
struct Sum {
    compared: u64,
    different: u64,
    undecided: u64,
    refused: u64,
    coverage: Coverage,
    /// How many were decided by the first run, another one, a search; and the
    /// ms that took.
    by: [(u64, u64); 3],
}

fn supervise(args: &Fuzz, console: &Console) -> Result<u8, Box<Report>> {
    let stop = interrupt::flag(console.out());
    let flag = stop.clone();
    let probed = stack::on_deep_stack(move || probe(&flag));
    let (features, without) = match probed {
        Ok(found) => found?,
        Err(e) => return Err(Box::new(Report::error("forkyard::internal", e.to_string()))),
    };
    if args.verbose && !without.is_empty() {
        console.note(&format!("the host's side does not do: {without:?}"));
    }
    let start = Instant::now();
    let mut workers = Workers::start(args, features)?;
    let (send, lines) = mpsc::channel();
    for child in &mut workers.0 {
        let (out, send) = (child.stdout.take(), send.clone());
        std::thread::spawn(move || {
            for line in out.into_iter().flat_map(|out| BufReader::new(out).lines()) {
                let Ok(line) = line else { return };
                // The other end is gone when we are about to end.
                let _ = send.send(line);
            }
        });
    }
    drop(send);
    let mut sum = Sum::default();
    loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => tell(&line, &mut sum, console)?,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    let failed = workers.finish();
    let seconds = start.elapsed().as_secs_f64();
    if args.verbose {
        console.note(&format!("{}", sum.coverage));
        let [first, other, search] = sum.by;
        console.note(&format!(
            "decided by the first run {} ({} ms), by another {} ({} ms), by a search {} ({} ms)",
            first.0, first.1, other.0, other.1, search.0, search.1
        ));
        console.note(&format!(
            "{} pairs of call and answer; {:.0} programs a second",
            sum.coverage.pairs(),
            sum.compared as f64 / seconds.max(0.001)
        ));
    }
    let mut text = format!("{} programs compared, {} differ", sum.compared, sum.different);
    if sum.undecided > 0 {
        text += &format!(", {} undecided", sum.undecided);
    }
    if sum.refused > 0 {
        text += &format!(", {} refused by the host's side", sum.refused);
    }
    console.print(&format!("{text}\n"));
    Ok(if stop.load(Ordering::Relaxed) {
        INTERRUPTED
    } else if let Some(why) = failed {
        return Err(Box::new(Report::error("forkyard::internal", why)));
    } else if sum.different > 0 {
        FAILED
    } else {
        OK
    })
}

/// Takes in a line of a worker.
fn tell(line: &str, sum: &mut Sum, console: &Console) -> Result<(), Box<Report>> {
    let Ok(json) = serde_json::from_str::<Json>(line) else {
        return Err(Box::new(Report::error("forkyard::internal", format!("a worker said {line}"))));
    };
    let text = |key: &str| json.get(key).and_then(Json::as_str).unwrap_or_default().to_string();
    let number = |key: &str| json.get(key).and_then(Json::as_u64).unwrap_or_default();
    match &*text("what") {
        "different" | "undecided" => {
            let (what, seed, path) = (text("what"), number("seed"), text("path"));
            let what = if what == "different" { "differs" } else { "is undecided" };
            console.print(&format!("seed {seed} {what}: {path}\n"));
        }
        "note" => console.note(&text("text")),
        "error" => {
            return Err(Box::new(Report::error("forkyard::fuzz", text("text"))));
        }
        _ => {
            sum.compared += number("compared");
            sum.different += number("different");
            sum.undecided += number("undecided");
            sum.refused += number("refused");
            for (i, by) in sum.by.iter_mut().enumerate() {
                by.0 += json["by"][i].as_u64().unwrap_or_default();
                by.1 += json["took"][i].as_u64().unwrap_or_default();
            }
            for entry in json.get("coverage").and_then(Json::as_array).into_iter().flatten() {
                if let (Some(call), Some(answer), Some(n)) =
                    (entry[0].as_str(), entry[1].as_str(), entry[2].as_u64())
                {
                    sum.coverage.count(call, answer, n);
                }
            }
        }
    }
    Ok(())
}

/// What the host does, and what it does not.
fn probe(
    stop: &std::sync::Arc<std::sync::atomic::AtomicBool>,
) -> Result<(Features, Vec<Feature>), Box<Report>> {
    let bench = Bench::new(stop.clone())?;
    let (mut all, mut without) = (Features::NONE, Vec::new());
    for (feature, body) in features::PROBES {
        let ran = bench.with(&features::probe(body), |case| {
            let show = |report: &Report| report.message.clone();
            Ok(bench.host(case, &super::host::plan(stop, &show)))
        })?;
        match ran {
            Ok(_) => all.add(*feature),
            Err(Refused::Unsupported(_)) => without.push(*feature),
            Err(e) => return Err(super::host::refused(&e)),
        }
    }
    Ok((all, without))
}

/// The worker processes; they are killed if this one goes on without them.
struct Workers(Vec<Child>);

impl Workers {
    fn start(args: &Fuzz, features: Features) -> Result<Workers, Box<Report>> {
        let failed = |e: std::io::Error| {
            Box::new(Report::error("forkyard::internal", format!("cannot start a worker: {e}")))
        };
        let program = std::env::current_exe().map_err(failed)?;
        let mut workers = Workers(Vec::new());
        let jobs = args.jobs.clamp(1, 64).min(args.count.max(1));
        for i in 0..jobs {
            let mut command = Command::new(&program);
            command.arg("fuzz").args(["--count", &args.count.to_string()]);
            command.args(["--seed", &args.seed.to_string()]);
            command.args(["--worker", &format!("{i}/{jobs}/{}", features.bits())]);
            command.arg("--dir").arg(dir(&args.dir));
            if args.model {
                command.arg("--model");
            }
            let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
            workers.0.push(child.map_err(failed)?);
        }
        Ok(workers)
    }

    /// Waits for all; says what is wrong with one that has failed.
    fn finish(&mut self) -> Option<String> {
        let mut failed = None;
        for mut child in self.0.drain(..) {
            match child.wait() {
                Ok(status) if status.success() => {}
                Ok(status) => failed = Some(format!("a worker has ended with {status}")),
                Err(e) => failed = Some(format!("a worker is lost: {e}")),
            }
        }
        failed
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn dir(dir: &Path) -> &Path {
    if dir.as_os_str().is_empty() { Path::new(".") } else { dir }
}
