//! A run and its replay: whoever chooses, the choices that were made can be
//! written down, and make the same run again, byte for byte.

use std::path::{Path, PathBuf};

use forkyard::cli::execute::Plan;
use forkyard::cli::files;
use forkyard::explore::{Policy, Schedule};
use forkyard::script::control::Buffer;

/// A file's first lines may say how much it may do; these say how little.
const ENDLESS: [&str; 1] = ["endless.rhai"];

struct Made {
    output: String,
    code: u8,
    said: String,
    schedule: Option<Schedule>,
}

fn run(path: &Path, policy: Policy, memory: bool) -> Made {
    let (mut plan, _) = Plan::new(files::read(path).unwrap()).unwrap();
    plan.options.policy = policy;
    plan.options.memory = memory;
    let buffer = Buffer::new();
    let finished = plan.run(buffer.clone(), |_| ());
    let said = finished.text();
    Made { output: buffer.text(), code: finished.code, said, schedule: finished.schedule }
}

/// Scripts that are programs.
fn programs() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in ["scripts/programs", "scripts/threads"] {
        let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
        found.extend(entries.filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            path.extension().is_some_and(|e| e == "rhai") && !ENDLESS.contains(&&*name)
        }));
    }
    found.retain(|path| run(path, Policy::Fifo, false).schedule.is_some());
    found.sort();
    assert!(found.len() >= 10, "{found:?}");
    found
}

/// The run made again from its schedule's text, whatever a step is then.
fn again(path: &Path, policy: &Policy, memory: bool) {
    let first = run(path, policy.clone(), memory);
    let text = first.schedule.as_ref().unwrap().to_string();
    let schedule: Schedule = text.parse().unwrap();
    for memory in [memory, !memory] {
        let second = run(path, Policy::Replay(schedule.clone(), 0), memory);
        let name = path.display();
        assert_eq!(second.schedule.as_ref(), Some(&schedule), "{name} under {policy:?}");
        assert_eq!(second.output, first.output, "{name} with schedule {text}");
        assert_eq!((second.code, second.said), (first.code, first.said.clone()), "{name}: {text}");
    }
}

#[test]
fn every_run_can_be_made_again() {
    for path in programs() {
        for policy in [Policy::Fifo, Policy::RoundRobin, Policy::kernel()] {
            again(&path, &policy, false);
        }
        for seed in 0..20 {
            again(&path, &Policy::random(seed), seed % 2 == 1);
        }
    }
}
