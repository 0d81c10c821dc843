//! `forkyard fuzz`: random programs on both kernels, each difference shrunk
//! and saved as a script that `forkyard compare` runs.
//!
//! Left out: programs whose outcome depends on the schedule.

use std::path::{Path, PathBuf};

use super::args::{ErrorFormat, Fuzz};
use super::compare::compare;
use super::console::Console;
use super::execute::Plan;
use super::files::Input;
use super::{FAILED, INTERRUPTED, OK, USAGE, interrupt};
use crate::base::Rng;
use crate::oracle::fuzz::{Step, script, shrink, steps};
use crate::script::diagnostic::Report;

/// Compares as many programs as the arguments say and gives the exit code.
pub fn run(args: &Fuzz, console: &Console) -> u8 {
    let stop = interrupt::flag(console.out());
    let differs = |steps: &[Step]| {
        let input = Input { name: "fuzz".into(), text: script(steps), folder: ".".into() };
        let (mut plan, _) = Plan::new(input).map_err(|report| vec![*report])?;
        plan.interrupt = stop.clone();
        compare(plan, 1, 1).map(|found| !found.is_equal())
    };
    let mut different = 0;
    for i in 0..args.count {
        let seed = args.seed.wrapping_add(i);
        let program = steps(&mut Rng::new(seed));
        let small = differs(&program).and_then(|yes| match yes {
            true => shrink(program, differs).map(Some),
            false => Ok(None),
        });
        match small {
            Ok(None) => {}
            Ok(Some(small)) => {
                different += 1;
                match save(&args.dir, seed, &script(&small)) {
                    Ok(path) => {
                        console.print(&format!("seed {seed} differs: {}\n", path.display()))
                    }
                    Err(e) => {
                        let report = Report::error("forkyard::file", e.to_string());
                        console.report(&report, ErrorFormat::Human);
                        return console.close(USAGE);
                    }
                }
            }
            Err(reports) => {
                console.note(&format!("seed {seed}:"));
                console.reports(&reports, ErrorFormat::Human);
                let stopped = stop.load(std::sync::atomic::Ordering::Relaxed);
                return console.close(if stopped { INTERRUPTED } else { USAGE });
            }
        }
    }
    console.print(&format!("{} programs compared, {different} differ\n", args.count));
    console.close(if different == 0 { OK } else { FAILED })
}

fn save(dir: &Path, seed: u64, text: &str) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join(format!("fuzz-{seed}.rhai"));
    std::fs::write(&path, text)?;
    Ok(path)
}
