//! How quickly `forkyard explore` goes through the states of three puzzles:
//! `cargo bench --bench explore`.
//!
//! The puzzles are those with which a published model checker of operating
//! system programs, written in Python, was measured; they are written anew here
//! from their description. Its figures: parallel increment with N=3 and T=3 has
//! 52,685 states there and takes 12.6 s; fork with a buffer takes 2.3 s for
//! N=2, and N=3 does not end within 60 s.
//!
//! Each figure is the best of several runs of the binary, from its start to its
//! end.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// T tasks share memory; each adds 1 to a variable N times.
fn parallel_increment(n: u32, t: u32) -> String {
    format!(
        "fn work() {{ for i in 0..{n} {{ vars.count = vars.count + 1; }} }}
         fn main() {{
             define(\"count\", 0);
             let flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD;
             for t in 0..{t} {{ clone(flags, work); }}
             for t in 0..{t} {{ wait(); }}
             print(vars.count);
         }}"
    )
}

/// Each process prints into a buffer, which fork copies.
fn fork_with_buffer(n: u32) -> String {
    format!("fn main() {{ for i in 0..{n} {{ fork(); printf(\"hello\\n\"); }} }}")
}

/// A puzzle, how it is explored, and what was published about it.
struct Row {
    name: &'static str,
    program: String,
    memory: bool,
    target: Duration,
    published: &'static str,
}

/// What came of it.
struct Ran {
    time: Duration,
    states: u64,
    outcomes: usize,
}

/// Explores a program; `None` when it is not done in time.
fn explore(row: &Row, jobs: u32, patience: Duration) -> Option<Ran> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forkyard"));
    command.args(["explore", "--format", "json", "--jobs", &jobs.to_string(), "-"]);
    if row.memory {
        command.arg("--memory");
    }
    command.args(["--states", "100000000"]);
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(row.program.as_bytes()).expect("it reads");
    drop(input);
    let mut output = child.stdout.take().expect("it is piped");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    while child.try_wait().expect("it can be waited for").is_none() {
        if begun.elapsed() > patience {
            child.kill().expect("it is alive");
            child.wait().expect("it can be waited for");
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let time = begun.elapsed();
    let text = reader.join().expect("no panic").expect("it writes text");
    let found: serde_json::Value = serde_json::from_str(&text).expect("it writes JSON");
    assert_eq!(found["complete"], true, "{text}");
    let states = found["states"].as_u64().expect("a number");
    Some(Ran { time, states, outcomes: found["outcomes"].as_array().expect("a list").len() })
}

fn main() {
    let second = Duration::from_secs(1);
    let rows = [
        Row {
            name: "parallel increment N=3 T=3",
            program: parallel_increment(3, 3),
            memory: true,
            target: second / 5,
            published: "12.6 s",
        },
        Row {
            name: "fork with buffer N=2",
            program: fork_with_buffer(2),
            memory: false,
            target: second,
            published: "2.3 s",
        },
        Row {
            name: "fork with buffer N=3",
            program: fork_with_buffer(3),
            memory: false,
            target: second,
            published: "over 60 s",
        },
        Row {
            name: "fork with buffer N=4",
            program: fork_with_buffer(4),
            memory: false,
            target: 60 * second,
            published: "",
        },
    ];
    println!(
        "puzzle                       jobs    states  outcomes      time  states/s  target  published"
    );
    for row in &rows {
        for jobs in [1, 2] {
            let patience = 2 * row.target.max(30 * second);
            let mut best: Option<Ran> = None;
            for _ in 0..3 {
                let Some(ran) = explore(row, jobs, patience) else { break };
                let long = ran.time > 5 * second;
                best = Some(best.filter(|b| b.time <= ran.time).unwrap_or(ran));
                if long {
                    break;
                }
            }
            let target = format!("{} s", row.target.as_secs_f64());
            match best {
                Some(Ran { time, states, outcomes }) => println!(
                    "{:28} {jobs:4} {states:9} {outcomes:9} {:7.3} s {:9.0} {target:>7}  {}",
                    row.name,
                    time.as_secs_f64(),
                    states as f64 / time.as_secs_f64(),
                    row.published
                ),
                None => println!(
                    "{:28} {jobs:4} {:>9} {:>9} {:>9} {:>9} {target:>7}  {}",
                    row.name,
                    "?",
                    "?",
                    format!(">{} s", patience.as_secs()),
                    "?",
                    row.published
                ),
            }
        }
    }
}
